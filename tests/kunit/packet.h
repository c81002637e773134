/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets for the suites about kmod/datapath: bytes written as text, and skbs of every shape that devices make of them.
 */
#ifndef VPC_KUNIT_PACKET_H
#define VPC_KUNIT_PACKET_H

#include <kunit/test.h>
#include <linux/skbuff.h>

#define PACKET_MAX 4096

/* A packet from its network header on. */
struct packet {
	u16 ethertype;
	unsigned int len;
	u8 bytes[PACKET_MAX];
};

/* How its bytes lie in the skb: all in the head; a part of them in a page; a part in skbs of the frag list. */
enum packet_shape {
	PACKET_LINEAR,
	PACKET_PAGED,
	PACKET_LISTED,
	PACKET_SHAPES
};

/*
 * Hex digits in pairs, spaces anywhere between; *N is N bytes that count up. Fails the test when it is anything else.
 * packet_fill() puts in what is 0: IPv4's length and checksum, IPv6's payload length, the checksum of ICMP and ICMPv6.
 */
void packet_parse(struct kunit *test, const char *text, struct packet *ret_packet);
void packet_fill(struct packet *packet);

/* The Internet checksum of @bytes the slow way; 0 when it is in there and right. */
u16 packet_checksum(u32 sum, const u8 *bytes, unsigned int len);
/* The same of what follows an IPv6 header, its pseudo header included. */
u16 packet_checksum6(const u8 *ip6, const u8 *bytes, unsigned int len, u8 proto);

/* Data at the network header; the first @head bytes lie in the head, whatever the shape. The caller's. */
struct sk_buff *packet_skb(struct kunit *test, const struct packet *packet, enum packet_shape shape, unsigned int head);

static inline u16 packet_get16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

#endif
