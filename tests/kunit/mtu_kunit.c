// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets that are too long for their way (kmod/datapath/mtu.c), judged by what a receiver makes of the pieces: random
 * packets and MTUs, options, fragments of fragments, GSO packets, and each allocation failing in turn.
 */
#include "packet.h"
#include "rig.h"
#include "../../kmod/datapath/mtu.h"

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <net/ip.h>

#define ADDRS " 0a000005 0a000006 "

/* -- the oracle: a receiver that puts fragments together ----------------------------------------------------------- */

/* Of one datagram. */
struct pieces {
	u16 id;
	unsigned int n;
	unsigned int len;		/* of the payload so far, all in order */
	bool last;			/* the end has come */
	u8 bytes[PACKET_MAX * 2];
};

/* Which options a later fragment has, written apart from the code under test: RFC 791 3.1, each by its type. */
static void oracle_options(const u8 *options, unsigned int len, u8 *ret_options)
{
	unsigned int i, n;

	memcpy(ret_options, options, len);
	for (i = 0; i < len; i += n) {
		if (options[i] == 0)
			return;
		n = options[i] == 1 ? 1 : i + 1 < len ? options[i + 1] : 0;
		if (n == 0 || i + n > len || (n == 1 && options[i] != 1))
			return;
		if (options[i] < 128)
			memset(ret_options + i, 1, n);
	}
}

/* One fragment of a packet with the header @whole comes in, next in order. */
static void receive(struct kunit *test, struct pieces *pieces, const u8 *whole, const struct sk_buff *frag,
		    unsigned int mtu)
{
	unsigned int hlen = (whole[0] & 15) * 4, offset, len = frag->len - hlen;
	u16 whole_off = packet_get16(whole + 6), off;
	u8 options[40], header[60];

	KUNIT_EXPECT_LE(test, frag->len, mtu);
	KUNIT_ASSERT_GT(test, frag->len, hlen);
	KUNIT_ASSERT_LE(test, pieces->len + len, sizeof(pieces->bytes));
	KUNIT_EXPECT_EQ(test, skb_copy_bits(frag, 0, header, hlen), 0);
	KUNIT_EXPECT_EQ(test, skb_copy_bits(frag, hlen, pieces->bytes + pieces->len, len), 0);
	KUNIT_EXPECT_EQ(test, packet_checksum(0, header, hlen), 0);
	KUNIT_EXPECT_EQ(test, packet_get16(header + 2), frag->len);
	off = packet_get16(header + 6);
	offset = (off & 0x1fff) * 8;
	KUNIT_EXPECT_EQ(test, offset, (whole_off & 0x1fff) * 8 + pieces->len);
	KUNIT_EXPECT_FALSE(test, pieces->last);
	pieces->last = pieces->len + len == packet_get16(whole + 2) - hlen;
	KUNIT_EXPECT_EQ(test, off & IP_MF, pieces->last ? whole_off & IP_MF : IP_MF);
	KUNIT_EXPECT_TRUE(test, pieces->last || len % 8 == 0);
	/* all but lengths, offset and checksum is as it was */
	KUNIT_EXPECT_EQ(test, memcmp(header, whole, 2), 0);
	KUNIT_EXPECT_EQ(test, memcmp(header + 4, whole + 4, 2), 0);
	KUNIT_EXPECT_EQ(test, off & 0xc000, whole_off & 0xc000);
	KUNIT_EXPECT_EQ(test, memcmp(header + 8, whole + 8, 2), 0);
	KUNIT_EXPECT_EQ(test, memcmp(header + 12, whole + 12, 8), 0);
	memcpy(options, whole + 20, hlen - 20);
	if (pieces->n)
		oracle_options(whole + 20, hlen - 20, options);
	KUNIT_EXPECT_EQ(test, memcmp(header + 20, options, hlen - 20), 0);
	KUNIT_EXPECT_EQ(test, skb_network_offset(frag), 0);
	KUNIT_EXPECT_EQ(test, skb_transport_offset(frag), hlen);
	KUNIT_EXPECT_EQ(test, ntohs(frag->protocol), ETH_P_IP);
	pieces->len += len;
	pieces->n++;
}

/* All of @list is @packet again. */
static void check_fragments(struct kunit *test, const struct packet *packet, struct sk_buff *list, unsigned int mtu)
{
	struct pieces *pieces = kunit_kzalloc(test, sizeof(*pieces), GFP_KERNEL);
	unsigned int hlen = (packet->bytes[0] & 15) * 4;
	struct sk_buff *skb;

	KUNIT_ASSERT_NOT_NULL(test, pieces);
	for (skb = list; skb; skb = skb->next)
		receive(test, pieces, packet->bytes, skb, mtu);
	KUNIT_EXPECT_TRUE(test, pieces->last);
	KUNIT_EXPECT_EQ(test, pieces->len, packet->len - hlen);
	KUNIT_EXPECT_EQ(test, memcmp(pieces->bytes, packet->bytes + hlen, pieces->len), 0);
	/* no more of them than need be */
	KUNIT_EXPECT_EQ(test, pieces->n, DIV_ROUND_UP(pieces->len, (mtu - hlen) & ~7U));
	kunit_kfree(test, pieces);
}

/* -- the code under test ------------------------------------------------------------------------------------------- */

/* Nobody's gateway speaks: there is no port. The skb is consumed when it was split. */
static enum vpc_drop split(struct sk_buff *skb, unsigned int mtu, struct sk_buff **ret_list)
{
	struct vpc_flow flow = { .family = skb->protocol == htons(ETH_P_IP) ? AF_INET : AF_INET6 };
	enum vpc_drop reason;

	rcu_read_lock();
	local_bh_disable();
	reason = vpc_mtu_split(skb, &flow, NULL, mtu, ret_list);
	local_bh_enable();
	rcu_read_unlock();
	return reason;
}

static void check_split(struct kunit *test, const struct packet *packet, enum packet_shape shape, unsigned int mtu)
{
	struct sk_buff *skb = packet_skb(test, packet, shape, 60), *list = NULL;
	enum vpc_drop reason = split(skb, mtu, &list);

	KUNIT_EXPECT_EQ(test, reason, VPC_DROP_NONE);
	if (reason) {
		kfree_skb(skb);
		return;
	}
	check_fragments(test, packet, list, mtu);
	kfree_skb_list(list);
}

static struct packet *packet_new(struct kunit *test, const char *text)
{
	struct packet *packet = kunit_kzalloc(test, sizeof(*packet), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, packet);
	packet->ethertype = ETH_P_IP;
	packet_parse(test, text, packet);
	packet_fill(packet);
	return packet;
}

/* -- tests --------------------------------------------------------------------------------------------------------- */

/* Options that go into every fragment, into the first alone, and what is no option at all. */
static void mtu_options(struct kunit *test)
{
	static const char *const packets[] = {
		"45000000 1234 0000 4011 0000" ADDRS "*2000",
		/* router alert: copied */
		"46000000 1234 0000 4011 0000" ADDRS "94040000 *1999",
		/* record route: not copied; loose source route: copied; ends */
		"4c000000 1234 0000 4011 0000" ADDRS
		"070b0400000000 00000000 01 830b040a000001 0a000002 01 44040000 00000000 *500",
		/* what stands behind the end is nothing */
		"47000000 1234 0000 4011 0000" ADDRS "00070303 03030303 *300",
		/* a time stamp that says it is longer than the header, one of length 0, one without a length */
		"46000000 1234 0000 4011 0000" ADDRS "44280500 *300",
		"46000000 1234 0000 4011 0000" ADDRS "44000000 *300",
		"46000000 1234 0000 4011 0000" ADDRS "01010144 *300",
		"4f000000 1234 0000 4011 0000" ADDRS "*40 *300",
		/* fragments: in the middle, and the last */
		"45000000 1234 2010 4011 0000" ADDRS "*1400",
		"45000000 1234 0010 4011 0000" ADDRS "*1401",
		"46000000 1234 2001 4011 0000" ADDRS "94040000 *1200",
		/* the bit that nobody uses */
		"45000000 1234 8000 4011 0000" ADDRS "*1000",
	};
	static const unsigned int mtus[] = { 68, 69, 75, 76, 100, 296 };
	unsigned int i, m, shape;
	struct packet *packet;

	for (i = 0; i < ARRAY_SIZE(packets); i++) {
		packet = packet_new(test, packets[i]);
		for (m = 0; m < ARRAY_SIZE(mtus); m++) {
			for (shape = 0; shape < PACKET_SHAPES; shape++)
				check_split(test, packet, shape, mtus[m]);
		}
	}
}

static void mtu_random(struct kunit *test)
{
	struct packet *packet = packet_new(test, "45000000 1234 0000 4011 0000" ADDRS "*8");
	unsigned int i, hlen;

	for (i = 0; i < 2000; i++) {
		hlen = 20 + 4 * rig_below(11);
		packet->len = hlen + 9 + rig_below(PACKET_MAX - hlen - 9);
		rig_bytes(packet->bytes + 20, packet->len - 20);
		packet->bytes[0] = 0x40 | hlen / 4;
		memset(packet->bytes + 2, 0, 2);
		packet->bytes[6] = (rig_below(2) ? 0x20 : 0) | rig_below(0x1c);
		packet->bytes[7] = rig_below(256);
		/* one with more to come is full to 8 bytes */
		if (packet->bytes[6] & 0x20)
			packet->len -= (packet->len - hlen) % 8;
		memset(packet->bytes + 10, 0, 2);
		packet_fill(packet);
		check_split(test, packet, rig_below(PACKET_SHAPES), 68 + rig_below(packet->len > 1568 ? 1500 : 20));
	}
}

static void expect_drop(struct kunit *test, const char *text, u16 ethertype, unsigned int mtu, enum vpc_drop want)
{
	struct packet *packet = packet_new(test, text);
	struct sk_buff *skb, *list = NULL;

	packet->ethertype = ethertype;
	packet_fill(packet);
	skb = packet_skb(test, packet, PACKET_LINEAR, 0);
	KUNIT_EXPECT_EQ_MSG(test, split(skb, mtu, &list), want, "%s", text);
	KUNIT_EXPECT_NULL(test, list);
	/* it is the caller's still, and whole */
	KUNIT_EXPECT_EQ(test, skb->len, packet->len);
	KUNIT_EXPECT_EQ(test, memcmp(skb->data, packet->bytes, packet->len), 0);
	kfree_skb(skb);
}

static void mtu_refusals(struct kunit *test)
{
	/* Don't Fragment, IPv6 */
	expect_drop(test, "45000000 1234 4000 4011 0000" ADDRS "*1000", ETH_P_IP, 576, VPC_DROP_TOO_BIG);
	expect_drop(test, "60000000 0000 1140 *32 *1400", ETH_P_IPV6, 1280, VPC_DROP_TOO_BIG);
	/* narrower than any link may be */
	expect_drop(test, "45000000 1234 0000 4011 0000" ADDRS "*1000", ETH_P_IP, 67, VPC_DROP_TOO_BIG);
	expect_drop(test, "45000000 1234 0000 4011 0000" ADDRS "*1000", ETH_P_IP, 0, VPC_DROP_TOO_BIG);
	/* 8191 * 8 + 1020 is beyond 65535: its later pieces would come to lie at the begin */
	expect_drop(test, "45000000 1234 1fff 4011 0000" ADDRS "*1000", ETH_P_IP, 576, VPC_DROP_MALFORMED);
	expect_drop(test, "45000000 1234 3f80 4011 0000" ADDRS "*1008", ETH_P_IP, 576, VPC_DROP_MALFORMED);
}

/* Whichever allocation fails: it is dropped whole, and the skb is as it was. */
static void mtu_no_memory(struct kunit *test)
{
	struct packet *packet = packet_new(test, "45000000 1234 0000 4011 0000" ADDRS "*2000");
	struct sk_buff *skb, *list;
	unsigned int fail, refused = 0;
	enum vpc_drop reason;
	bool met = true;

	rig_can_fail(test);
	for (fail = 1; met; fail++) {
		list = NULL;
		skb = packet_skb(test, packet, PACKET_PAGED, 40);
		rig_fail(fail);
		reason = split(skb, 576, &list);
		met = rig_fail_end();
		KUNIT_EXPECT_TRUE(test, !reason || (met && reason == VPC_DROP_NOMEM));
		if (reason) {
			refused++;
			KUNIT_EXPECT_NULL(test, list);
			kfree_skb(skb);
		} else {
			check_fragments(test, packet, list, 576);
			kfree_skb_list(list);
		}
	}
	KUNIT_EXPECT_GE(test, refused, 5);
}

/* -- GSO: a guest's UDP, of which each segment is a datagram of its own -------------------------------------------- */

#define GSO_SIZE 700
#define GSO_SEGS 5

/* As GRO puts it together: the first segment in the head, the others each in an skb of its own behind it. */
static struct sk_buff *gso_list(struct kunit *test, struct packet *packet)
{
	unsigned int len = 28 + GSO_SIZE, whole = packet->len;
	struct sk_buff *skb, *part, **tail;

	packet->len = len;
	skb = packet_skb(test, packet, PACKET_LINEAR, 0);
	packet->len = whole;
	for (tail = &skb_shinfo(skb)->frag_list; len < packet->len; len += part->len, tail = &part->next) {
		part = alloc_skb(GSO_SIZE, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, part);
		skb_put_data(part, packet->bytes + len, min(packet->len - len, (unsigned int)GSO_SIZE));
		*tail = part;
		skb->len += part->len;
		skb->data_len += part->len;
		skb->truesize += part->truesize;
	}
	return skb;
}

/* The last one is shorter. As a guest's stack leaves it: one UDP header, its checksum begun. */
static struct sk_buff *gso_skb(struct kunit *test, struct packet *packet, enum packet_shape shape)
{
	unsigned int len = GSO_SIZE * (GSO_SEGS - 1) + 100;
	struct udphdr *uh = (struct udphdr *)(packet->bytes + 20);
	struct sk_buff *skb;

	packet->len = 28 + len;
	rig_bytes(packet->bytes + 28, len);
	uh->source = htons(1234);
	uh->dest = htons(5678);
	uh->len = htons(8 + len);
	uh->check = htons((u16)~packet_checksum(8 + len + IPPROTO_UDP, packet->bytes + 12, 8));
	memset(packet->bytes + 2, 0, 2);
	memset(packet->bytes + 10, 0, 2);
	packet_fill(packet);
	skb = shape == PACKET_LISTED ? gso_list(test, packet) : packet_skb(test, packet, shape, 28);
	skb_set_transport_header(skb, 20);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_headroom(skb) + 20;
	skb->csum_offset = offsetof(struct udphdr, check);
	skb_shinfo(skb)->gso_size = GSO_SIZE;
	skb_shinfo(skb)->gso_type = SKB_GSO_UDP_L4;
	skb_shinfo(skb)->gso_segs = GSO_SEGS;
	return skb;
}

/* One datagram that is whole: its segment's bytes under a right checksum. */
static void check_datagram(struct kunit *test, const struct packet *packet, const u8 *addrs, const u8 *datagram,
			   unsigned int len, unsigned int n)
{
	unsigned int want = n == GSO_SEGS - 1 ? 100 : GSO_SIZE;

	KUNIT_EXPECT_EQ(test, len, 8 + want);
	KUNIT_EXPECT_EQ(test, packet_get16(datagram + 4), len);
	KUNIT_EXPECT_EQ(test, packet_checksum((u16)~packet_checksum(len + IPPROTO_UDP, addrs, 8), datagram, len), 0);
	KUNIT_EXPECT_EQ(test, memcmp(datagram + 8, packet->bytes + 28 + n * GSO_SIZE, want), 0);
}

/* A finished segment: what its device would have filled in is in. */
static void finish(struct kunit *test, struct sk_buff *skb)
{
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		KUNIT_EXPECT_EQ(test, skb_checksum_help(skb), 0);
}

static void check_gso(struct kunit *test, enum packet_shape shape, unsigned int mtu)
{
	struct packet *packet = packet_new(test, "45000000 1234 0000 4011 0000" ADDRS "*8");
	struct sk_buff *skb = gso_skb(test, packet, shape), *list = NULL;
	struct pieces *pieces = kunit_kzalloc(test, sizeof(*pieces), GFP_KERNEL);
	u8 header[20];
	unsigned int n = 0;

	KUNIT_ASSERT_NOT_NULL(test, pieces);
	KUNIT_EXPECT_EQ(test, vpc_mtu_fits(skb, mtu), mtu >= 28 + GSO_SIZE);
	KUNIT_ASSERT_EQ(test, split(skb, mtu, &list), VPC_DROP_NONE);
	for (skb = list; skb; skb = skb->next) {
		finish(test, skb);
		KUNIT_ASSERT_EQ(test, skb_copy_bits(skb, 0, header, 20), 0);
		if (!pieces->len) {
			/* ids tell datagrams apart */
			KUNIT_EXPECT_NE(test, packet_get16(header + 4), pieces->id);
			pieces->id = packet_get16(header + 4);
		}
		KUNIT_EXPECT_EQ(test, packet_get16(header + 4), pieces->id);
		KUNIT_EXPECT_EQ(test, (packet_get16(header + 6) & 0x1fff) * 8, pieces->len);
		KUNIT_EXPECT_EQ(test, packet_checksum(0, header, 20), 0);
		KUNIT_EXPECT_EQ(test, packet_get16(header + 2), skb->len);
		KUNIT_EXPECT_LE(test, skb->len, mtu);
		KUNIT_EXPECT_EQ(test, skb_copy_bits(skb, 20, pieces->bytes + pieces->len, skb->len - 20), 0);
		pieces->len += skb->len - 20;
		if (packet_get16(header + 6) & IP_MF)
			continue;
		check_datagram(test, packet, header + 12, pieces->bytes, pieces->len, n++);
		pieces->len = 0;
	}
	KUNIT_EXPECT_EQ(test, n, GSO_SEGS);
	kfree_skb_list(list);
}

static void mtu_gso(struct kunit *test)
{
	static const unsigned int mtus[] = { 68, 130, 500, 727, 728, 1500 };
	unsigned int i, shape;

	for (i = 0; i < ARRAY_SIZE(mtus); i++) {
		for (shape = 0; shape < PACKET_SHAPES; shape++)
			check_gso(test, shape, mtus[i]);
	}
}

/* The same with memory that ends anywhere: all of it or nothing. */
static void mtu_gso_no_memory(struct kunit *test)
{
	struct packet *packet = packet_new(test, "45000000 1234 0000 4011 0000" ADDRS "*8");
	struct sk_buff *skb, *list;
	unsigned int fail, refused = 0;
	enum vpc_drop reason;
	bool met = true;

	rig_can_fail(test);
	for (fail = 1; met; fail++) {
		list = NULL;
		skb = gso_skb(test, packet, PACKET_LINEAR);
		rig_fail(fail);
		reason = split(skb, 300, &list);
		met = rig_fail_end();
		KUNIT_EXPECT_TRUE(test, !reason || (met && reason == VPC_DROP_NOMEM));
		if (reason) {
			refused++;
			KUNIT_EXPECT_NULL(test, list);
			kfree_skb(skb);
		} else {
			kfree_skb_list(list);
		}
	}
	KUNIT_EXPECT_GE(test, refused, 10);
}

static int mtu_test_init(struct kunit *test)
{
	rig_seed();
	return 0;
}

static struct kunit_case mtu_cases[] = {
	KUNIT_CASE(mtu_options),
	KUNIT_CASE(mtu_random),
	KUNIT_CASE(mtu_refusals),
	KUNIT_CASE(mtu_no_memory),
	KUNIT_CASE(mtu_gso),
	KUNIT_CASE(mtu_gso_no_memory),
	{}
};

static struct kunit_suite mtu_suite = {
	.name = "vpc_mtu",
	.init = mtu_test_init,
	.test_cases = mtu_cases,
};

kunit_test_suite(mtu_suite);
