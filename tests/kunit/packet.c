// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets for the suites about kmod/datapath. See packet.h.
 */
#include "packet.h"

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/kernel.h>
#include <linux/mm.h>

#define HEADROOM 256

void packet_parse(struct kunit *test, const char *text, struct packet *ret_packet)
{
	unsigned int n;
	int used;

	ret_packet->len = 0;
	while (*text) {
		if (*text == ' ') {
			text++;
			continue;
		}
		KUNIT_ASSERT_LT(test, ret_packet->len, PACKET_MAX);
		if (*text == '*') {
			KUNIT_ASSERT_EQ(test, sscanf(text, "*%u%n", &n, &used), 1);
			KUNIT_ASSERT_LE(test, ret_packet->len + n, PACKET_MAX);
			for (text += used; n; n--, ret_packet->len++)
				ret_packet->bytes[ret_packet->len] = ret_packet->len;
			continue;
		}
		KUNIT_ASSERT_EQ_MSG(test, hex2bin(ret_packet->bytes + ret_packet->len, text, 1), 0, "at \"%s\"", text);
		ret_packet->len++;
		text += 2;
	}
}

u16 packet_checksum(u32 sum, const u8 *bytes, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

u16 packet_checksum6(const u8 *ip6, const u8 *bytes, unsigned int len, u8 proto)
{
	return packet_checksum((u16)~packet_checksum(len + proto, ip6 + 8, 32), bytes, len);
}

static void fill16(u8 *at, u16 value)
{
	if (packet_get16(at))
		return;
	at[0] = value >> 8;
	at[1] = value;
}

void packet_fill(struct packet *packet)
{
	u8 *ip = packet->bytes;
	unsigned int hlen;

	if (packet->ethertype == ETH_P_IP && packet->len >= 20) {
		hlen = min((ip[0] & 15) * 4U, packet->len);
		fill16(ip + 2, packet->len);
		fill16(ip + 10, packet_checksum(0, ip, hlen));
		if (ip[9] == IPPROTO_ICMP && !(packet_get16(ip + 6) & 0x3fff) && packet->len >= hlen + 4)
			fill16(ip + hlen + 2, packet_checksum(0, ip + hlen, packet->len - hlen));
	} else if (packet->ethertype == ETH_P_IPV6 && packet->len >= 40) {
		fill16(ip + 4, packet->len - 40);
		if (ip[6] == IPPROTO_ICMPV6 && packet->len >= 44)
			fill16(ip + 42, packet_checksum6(ip, ip + 40, packet->len - 40, IPPROTO_ICMPV6));
	}
}

/* @len bytes in a page of their own, at its end: one read too far is seen. */
static void skb_add_page(struct kunit *test, struct sk_buff *skb, const u8 *bytes, unsigned int len)
{
	struct page *page = alloc_page(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	memcpy(page_address(page) + PAGE_SIZE - len, bytes, len);
	skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page, PAGE_SIZE - len, len, PAGE_SIZE);
}

static void skb_add_list(struct kunit *test, struct sk_buff *skb, const u8 *bytes, unsigned int len)
{
	struct sk_buff *part = alloc_skb(len, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, part);
	skb_put_data(part, bytes, len);
	skb_shinfo(skb)->frag_list = part;
	skb->len += len;
	skb->data_len += len;
	skb->truesize += part->truesize;
}

struct sk_buff *packet_skb(struct kunit *test, const struct packet *packet, enum packet_shape shape, unsigned int head)
{
	unsigned int len = shape == PACKET_LINEAR ? packet->len : min(head, packet->len);
	struct sk_buff *skb = alloc_skb(HEADROOM + len, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, HEADROOM);
	skb_put_data(skb, packet->bytes, len);
	if (len < packet->len && shape == PACKET_PAGED)
		skb_add_page(test, skb, packet->bytes + len, packet->len - len);
	else if (len < packet->len)
		skb_add_list(test, skb, packet->bytes + len, packet->len - len);
	skb->protocol = htons(packet->ethertype);
	skb_reset_network_header(skb);
	return skb;
}
