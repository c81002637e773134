// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is read from a packet's headers (kmod/datapath/packet_pull.c): a table of packets that are good and bad, and the
 * same mangled at random against a parser that looks at plain bytes; in skbs of every shape, under KASAN.
 */
#include "packet.h"
#include "rig.h"
#include "../../kmod/datapath/packet.h"

#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/in.h>

#define PORTS " 04d2 162e "
#define ADDRS4 " 0a000005 0a000006 "
#define ADDRS6 " 20010db8 00000000 00000000 00000005 20010db8 00000000 00000000 00000006 "
/* Headers with what is filled in left 0. */
#define IP4(proto, frag) "45000000 1234 " frag " 40" proto " 0000" ADDRS4
#define IP6(next) "60000000 0000 " next "40" ADDRS6
/* One unit of 8 bytes that names what follows it. */
#define OPT(next) next "00 0104 00000000 "
#define FRAG(next, off) next "00 " off " 00000001 "

static const struct pull_case {
	const char *name;
	u16 ethertype;
	const char *bytes;
	bool raw;		/* lengths of 0 stay 0 */
	enum vpc_drop reason;
	/* When it is none: */
	u8 proto;
	bool ports;		/* 1234 and 5678, else 0 */
	u16 hlen;
	u16 len;		/* 0: all of it */
} cases[] = {
#define BAD4(n, b) { n, ETH_P_IP, b, false, VPC_DROP_MALFORMED }
#define BAD4_RAW(n, b) { n, ETH_P_IP, b, true, VPC_DROP_MALFORMED }
#define GOOD4(n, b, proto, ports, hlen) { n, ETH_P_IP, b, false, VPC_DROP_NONE, proto, ports, hlen }
	GOOD4("UDP", IP4("11", "0000") PORTS "*12", IPPROTO_UDP, true, 20),
	GOOD4("TCP", IP4("06", "4000") PORTS "*16", IPPROTO_TCP, true, 20),
	GOOD4("SCTP", IP4("84", "0000") PORTS "*8", IPPROTO_SCTP, true, 20),
	GOOD4("ICMP has no ports", IP4("01", "0000") PORTS "*4", IPPROTO_ICMP, false, 20),
	GOOD4("nothing behind the header", IP4("11", "0000"), IPPROTO_UDP, false, 20),
	GOOD4("ends inside the ports", IP4("11", "0000") "04d2 16", IPPROTO_UDP, false, 20),
	GOOD4("options", "47000000 1234 0000 4011 0000" ADDRS4 "94040000 01010101" PORTS "*4", IPPROTO_UDP, true, 28),
	GOOD4("the longest header", "4f000000 1234 0000 4011 0000" ADDRS4 "*40" PORTS, IPPROTO_UDP, true, 60),
	GOOD4("first fragment", IP4("11", "2000") PORTS "*4", IPPROTO_UDP, false, 20),
	GOOD4("later fragment", IP4("11", "2001") PORTS "*4", IPPROTO_UDP, false, 20),
	GOOD4("last fragment", IP4("11", "0001") PORTS "*4", IPPROTO_UDP, false, 20),
	{ "padding", ETH_P_IP, "4500001c 1234 0000 4011 0000" ADDRS4 PORTS "*22", false, VPC_DROP_NONE, IPPROTO_UDP,
	  true, 20, 28 },
	BAD4("nothing", ""),
	BAD4("one byte short of a header", "45000013 1234 0000 4011 0000 0a000005 0a0000"),
	BAD4("header of 4 words", "44000000 1234 0000 4011 0000" ADDRS4 PORTS),
	BAD4("header of no words", "40000000 1234 0000 4011 0000" ADDRS4 PORTS),
	BAD4("header ends behind the packet", "46000000 1234 0000 4011 0000" ADDRS4),
	BAD4("another version", "65000000 1234 0000 4011 0000" ADDRS4 PORTS),
	BAD4("wrong checksum", "45000000 1234 0000 4011 dead" ADDRS4 PORTS),
	BAD4("shorter than its header", "45000013 1234 0000 4011 0000" ADDRS4 PORTS),
	BAD4("options behind the packet", "46000014 1234 0000 4011 0000" ADDRS4 "01010101" PORTS),
	BAD4("longer than it is", "45000019 1234 0000 4011 0000" ADDRS4 PORTS),
	BAD4_RAW("length 0", "45000000 1234 0000 4011 54af" ADDRS4 PORTS),

#define BAD6(n, b) { n, ETH_P_IPV6, b, false, VPC_DROP_MALFORMED }
#define BAD6_RAW(n, b) { n, ETH_P_IPV6, b, true, VPC_DROP_MALFORMED }
#define GOOD6(n, b, proto, ports, hlen) { n, ETH_P_IPV6, b, false, VPC_DROP_NONE, proto, ports, hlen }
	GOOD6("UDP over IPv6", IP6("11") PORTS "*4", IPPROTO_UDP, true, 40),
	GOOD6("TCP over IPv6", IP6("06") PORTS "*16", IPPROTO_TCP, true, 40),
	GOOD6("ICMPv6 has no ports", IP6("3a") PORTS "*4", IPPROTO_ICMPV6, false, 40),
	GOOD6("ESP is the end", IP6("32") PORTS "*4", IPPROTO_ESP, false, 40),
	GOOD6("ends inside the ports of UDP over IPv6", IP6("11") "04d2 16", IPPROTO_UDP, false, 40),
	{ "no payload, and padding", ETH_P_IPV6, IP6("3b") "*6", true, VPC_DROP_NONE, IPPROTO_NONE, false, 40, 40 },
	{ "IPv6 and padding", ETH_P_IPV6, "60000000 0008 1140" ADDRS6 PORTS "*9", false, VPC_DROP_NONE, IPPROTO_UDP,
	  true, 40, 48 },
	GOOD6("hop-by-hop options first", IP6("00") OPT("11") PORTS, IPPROTO_UDP, true, 48),
	GOOD6("long options", IP6("3c") "1101 010c 00000000 0000000000000000" PORTS, IPPROTO_UDP, true, 56),
	GOOD6("routing by segments", IP6("2b") "1100 0400 00000000" PORTS, IPPROTO_UDP, true, 48),
	GOOD6("all in a row", IP6("00") OPT("3c") OPT("2b") "3c00 0400 00000000" OPT("06") PORTS, IPPROTO_TCP, true,
	      72),
	GOOD6("authentication counts in 4 bytes", IP6("33") "1104 0000 *20" PORTS, IPPROTO_UDP, true, 64),
	GOOD6("first fragment of IPv6", IP6("2c") FRAG("11", "0001") PORTS, IPPROTO_UDP, false, 48),
	GOOD6("later fragment of IPv6", IP6("2c") FRAG("11", "0009") PORTS, IPPROTO_UDP, false, 48),
	GOOD6("a later fragment's options are no options", IP6("2c") FRAG("3c", "0008") "11ff ffff", IPPROTO_DSTOPTS,
	      false, 48),
	GOOD6("a fragment that is whole", IP6("2c") FRAG("11", "0000") PORTS, IPPROTO_UDP, false, 48),
	GOOD6("options in a first fragment", IP6("2c") FRAG("3c", "0001") OPT("11") PORTS, IPPROTO_UDP, false, 56),
	GOOD6("eight extension headers", IP6("3c") OPT("3c") OPT("3c") OPT("3c") OPT("3c") OPT("3c") OPT("3c") OPT("3c")
	      OPT("11") PORTS, IPPROTO_UDP, true, 104),
	BAD6("nine extension headers", IP6("3c") OPT("3c") OPT("3c") OPT("3c") OPT("3c") OPT("3c") OPT("3c") OPT("3c")
	     OPT("3c") OPT("11") PORTS),
	BAD6("one byte short of IPv6's header", "60000000 0000 1140 *31"),
	BAD6("IPv4 in IPv6's clothes", "45000000 0000 1140" ADDRS6 PORTS),
	BAD6("longer than IPv6 is", "60000000 0005 1140" ADDRS6 PORTS),
	BAD6("hop-by-hop options not first", IP6("3c") OPT("00") OPT("11") PORTS),
	BAD6("hop-by-hop options twice", IP6("00") OPT("00") OPT("11") PORTS),
	BAD6("hop-by-hop options in a fragment", IP6("2c") FRAG("00", "0001") OPT("11") PORTS),
	BAD6("source routing", IP6("2b") "1102 0001 00000000 *16" PORTS),
	BAD6("source routing that is used up", IP6("2b") "1100 0000 00000000" PORTS),
	BAD6("source routing behind options", IP6("3c") OPT("2b") "1100 0000 00000000" PORTS),
	BAD6("source routing in a first fragment", IP6("2c") FRAG("2b", "0001") "1100 0000 00000000" PORTS),
	BAD6_RAW("jumbogram", IP6("00") "1100 c204 00010000" PORTS),
	BAD6("options that end behind the packet", IP6("3c") "1101 0104 00000000"),
	BAD6("options cut off", IP6("3c") "11"),
	BAD6("options that are not there", IP6("3c")),
	BAD6("routing cut off", IP6("2b") "1100 04"),
	BAD6("fragment header cut off", IP6("2c") "1100 0001 0000"),
	BAD6("authentication that ends behind the packet", IP6("33") "1104 0000 *16"),
	BAD6("a chain cut off in a first fragment", IP6("2c") FRAG("3c", "0001")),

	{ "neither IP", ETH_P_ARP, "0001 0800 0604 0001 *20", false, VPC_DROP_PROTO },
};

/* What a packet is. */
struct pulled {
	enum vpc_drop reason;
	unsigned int hlen, len;
	u8 family, ttl, proto;
	u16 sport, dport;
};

/* -- the oracle: plain bytes, a check at a time -------------------------------------------------------------------- */

static const struct pulled pulled_bad = { .reason = VPC_DROP_MALFORMED };

static void oracle_ports(const u8 *p, bool fragment, struct pulled *pulled)
{
	if (fragment || pulled->hlen + 4 > pulled->len)
		return;
	if (pulled->proto != 6 && pulled->proto != 17 && pulled->proto != 132)
		return;
	pulled->sport = packet_get16(p + pulled->hlen);
	pulled->dport = packet_get16(p + pulled->hlen + 2);
}

static struct pulled oracle4(const u8 *p, unsigned int len)
{
	struct pulled pulled = { .family = AF_INET };

	if (len < 20 || p[0] >> 4 != 4)
		return pulled_bad;
	pulled.hlen = (p[0] & 15) * 4;
	pulled.len = packet_get16(p + 2);
	if (pulled.hlen < 20 || pulled.hlen > len || pulled.len < pulled.hlen || pulled.len > len)
		return pulled_bad;
	if (packet_checksum(0, p, pulled.hlen))
		return pulled_bad;
	pulled.ttl = p[8];
	pulled.proto = p[9];
	oracle_ports(p, packet_get16(p + 6) & 0x3fff, &pulled);
	return pulled;
}

static struct pulled oracle6(const u8 *p, unsigned int len)
{
	struct pulled pulled = { .family = AF_INET6, .hlen = 40 };
	bool fragment = false;
	unsigned int n, size;

	if (len < 40 || p[0] >> 4 != 6)
		return pulled_bad;
	pulled.len = 40 + packet_get16(p + 4);
	pulled.ttl = p[7];
	pulled.proto = p[6];
	if (pulled.len > len || (pulled.len == 40 && pulled.proto == 0))
		return pulled_bad;
	for (n = 0;; n++) {
		const u8 *ext = p + pulled.hlen;
		unsigned int left = pulled.len - pulled.hlen;
		u8 kind = pulled.proto;

		if (kind != 0 && kind != 60 && kind != 43 && kind != 51 && kind != 44)
			break;
		if (n == 8 || left < (kind == 44 ? 8 : kind == 43 ? 4 : 2) || (kind == 0 && n > 0))
			return pulled_bad;
		size = kind == 44 ? 8 : kind == 51 ? (ext[1] + 2) * 4 : (ext[1] + 1) * 8;
		if (size > left || (kind == 43 && ext[2] == 0))
			return pulled_bad;
		pulled.proto = ext[0];
		pulled.hlen += size;
		fragment |= kind == 44;
		if (kind == 44 && packet_get16(ext + 2) >= 8)
			break;
	}
	oracle_ports(p, fragment, &pulled);
	return pulled;
}

static struct pulled oracle(const struct packet *packet)
{
	if (packet->ethertype == ETH_P_IP)
		return oracle4(packet->bytes, packet->len);
	if (packet->ethertype == ETH_P_IPV6)
		return oracle6(packet->bytes, packet->len);
	return (struct pulled){ .reason = VPC_DROP_PROTO };
}

/* -- comparing ----------------------------------------------------------------------------------------------------- */

/* Of an skb of that shape it is @want, and its bytes are what they were. */
static void check_shape(struct kunit *test, const char *name, const struct packet *packet, enum packet_shape shape,
			unsigned int head, const struct pulled *want)
{
	struct sk_buff *skb = packet_skb(test, packet, shape, head);
	struct vpc_flow flow = {};
	u8 *bytes;

	KUNIT_EXPECT_EQ_MSG(test, vpc_packet_pull(skb, &flow), want->reason, "%s, shape %d", name, shape);
	if (!want->reason && flow.family) {
		bytes = kunit_kmalloc(test, PACKET_MAX, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, bytes);
		KUNIT_EXPECT_EQ_MSG(test, skb->len, want->len, "%s", name);
		KUNIT_EXPECT_EQ_MSG(test, skb_network_offset(skb), 0, "%s", name);
		KUNIT_EXPECT_EQ_MSG(test, skb_transport_offset(skb), want->hlen, "%s", name);
		KUNIT_EXPECT_GE_MSG(test, skb_headlen(skb), want->hlen, "%s", name);
		KUNIT_EXPECT_EQ_MSG(test, flow.family, want->family, "%s", name);
		KUNIT_EXPECT_EQ_MSG(test, flow.ttl, want->ttl, "%s", name);
		KUNIT_EXPECT_EQ_MSG(test, flow.proto, want->proto, "%s", name);
		KUNIT_EXPECT_EQ_MSG(test, ntohs(flow.sport), want->sport, "%s", name);
		KUNIT_EXPECT_EQ_MSG(test, ntohs(flow.dport), want->dport, "%s", name);
		KUNIT_EXPECT_PTR_EQ(test, flow.saddr, (const u8 *)skb->data + (want->family == AF_INET ? 12 : 8));
		KUNIT_EXPECT_PTR_EQ(test, flow.daddr, (const u8 *)skb->data + (want->family == AF_INET ? 16 : 24));
		KUNIT_EXPECT_EQ(test, skb_copy_bits(skb, 0, bytes, skb->len), 0);
		KUNIT_EXPECT_EQ_MSG(test, memcmp(bytes, packet->bytes, skb->len), 0, "%s: bytes changed", name);
		kunit_kfree(test, bytes);
	}
	kfree_skb(skb);
}

static struct packet *case_packet(struct kunit *test, const struct pull_case *c, struct packet *packet)
{
	packet->ethertype = c->ethertype;
	packet_parse(test, c->bytes, packet);
	if (!c->raw)
		packet_fill(packet);
	return packet;
}

static struct packet *packet_new(struct kunit *test)
{
	struct packet *packet = kunit_kzalloc(test, sizeof(*packet), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, packet);
	return packet;
}

/* -- tests --------------------------------------------------------------------------------------------------------- */

static void pull_table(struct kunit *test)
{
	static const unsigned int heads[] = { 0, 1, 20, 41, 50 };
	struct packet *packet = packet_new(test);
	const struct pull_case *c;
	struct pulled want;
	unsigned int i;

	for (c = cases; c < cases + ARRAY_SIZE(cases); c++) {
		case_packet(test, c, packet);
		want = (struct pulled){
			.reason = c->reason,
			.hlen = c->hlen,
			.len = c->len ?: packet->len,
			.family = c->ethertype == ETH_P_IP ? AF_INET : AF_INET6,
			.ttl = 64,
			.proto = c->proto,
			.sport = c->ports ? 1234 : 0,
			.dport = c->ports ? 5678 : 0,
		};
		check_shape(test, c->name, packet, PACKET_LINEAR, 0, &want);
		for (i = 0; i < ARRAY_SIZE(heads); i++) {
			check_shape(test, c->name, packet, PACKET_PAGED, heads[i], &want);
			check_shape(test, c->name, packet, PACKET_LISTED, heads[i], &want);
		}
	}
}

/* Some bytes changed, some cut off; often with a checksum that is right again. */
static void mangle(struct packet *packet)
{
	unsigned int n;

	for (n = rig_below(4); n && packet->len; n--)
		packet->bytes[rig_below(min(packet->len, 80U))] = rig_below(2) ? rig_below(256) : rig_below(64);
	if (!rig_below(3) && packet->len)
		packet->len -= rig_below(packet->len);
	if (!rig_below(4) && packet->len > 20)
		memset(packet->bytes + (packet->ethertype == ETH_P_IP ? 2 : 4), 0, 2);
	if (rig_below(4) && packet->ethertype == ETH_P_IP && packet->len >= 20)
		memset(packet->bytes + 10, 0, 2);
	if (rig_below(4))
		packet_fill(packet);
}

static void pull_random(struct kunit *test)
{
	struct packet *packet = packet_new(test);
	unsigned int i, bad = 0;
	struct pulled want;

	for (i = 0; i < 30000; i++) {
		case_packet(test, &cases[rig_below(ARRAY_SIZE(cases))], packet);
		mangle(packet);
		want = oracle(packet);
		bad += !!want.reason;
		check_shape(test, "random", packet, rig_below(PACKET_SHAPES), rig_below(packet->len + 1), &want);
	}
	/* both are tried */
	KUNIT_EXPECT_GT(test, bad, 3000);
	KUNIT_EXPECT_LT(test, bad, 27000);
}

static void expect_reason(struct kunit *test, struct sk_buff *skb, enum vpc_drop reason)
{
	struct vpc_flow flow;

	KUNIT_EXPECT_EQ(test, vpc_packet_pull(skb, &flow), reason);
	kfree_skb(skb);
}

static struct sk_buff *case_skb(struct kunit *test, const char *name)
{
	struct packet *packet = packet_new(test);
	const struct pull_case *c;

	for (c = cases; c < cases + ARRAY_SIZE(cases); c++) {
		if (!strcmp(c->name, name))
			return packet_skb(test, case_packet(test, c, packet), PACKET_LINEAR, 0);
	}
	KUNIT_FAIL(test, "there is no case \"%s\"", name);
	return NULL;
}

/* What a sender leaves for devices to do lies behind the headers that we have checked. */
static void pull_offloads(struct kunit *test)
{
	static const struct {
		const char *name;
		unsigned int hlen;
	} packets[] = { { "TCP", 20 }, { "options", 28 }, { "TCP over IPv6", 40 }, { "all in a row", 72 } };
	struct sk_buff *skb;
	unsigned int i, start;

	for (i = 0; i < ARRAY_SIZE(packets); i++) {
		for (start = 0; start <= packets[i].hlen; start += 2) {
			skb = case_skb(test, packets[i].name);
			skb->ip_summed = CHECKSUM_PARTIAL;
			skb->csum_start = skb_headroom(skb) + start;
			skb->csum_offset = 2;
			expect_reason(test, skb, start < packets[i].hlen ? VPC_DROP_MALFORMED : VPC_DROP_NONE);
		}
	}
	/* a segment's size is read from TCP's header: 20 bytes of it must be there */
	for (i = 0; i < 2; i++) {
		skb = case_skb(test, i ? "TCP over IPv6" : "TCP");
		skb_shinfo(skb)->gso_size = 8;
		skb_shinfo(skb)->gso_type = i ? SKB_GSO_TCPV6 : SKB_GSO_TCPV4;
		expect_reason(test, skb, VPC_DROP_NONE);
		skb = case_skb(test, i ? "UDP over IPv6" : "UDP");
		skb_shinfo(skb)->gso_size = 8;
		skb_shinfo(skb)->gso_type = i ? SKB_GSO_TCPV6 : SKB_GSO_TCPV4;
		expect_reason(test, skb, VPC_DROP_MALFORMED);
	}
	skb = case_skb(test, "UDP");
	__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), 7);
	expect_reason(test, skb, VPC_DROP_PROTO);
}

static int pull_test_init(struct kunit *test)
{
	rig_seed();
	return 0;
}

static struct kunit_case pull_cases[] = {
	KUNIT_CASE(pull_table),
	KUNIT_CASE(pull_random),
	KUNIT_CASE(pull_offloads),
	{}
};

static struct kunit_suite pull_suite = {
	.name = "vpc_pull",
	.init = pull_test_init,
	.test_cases = pull_cases,
};

kunit_test_suite(pull_suite);
