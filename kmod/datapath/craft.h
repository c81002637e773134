/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets that a port's router makes itself: a fresh skb, filled from its innermost part outwards. nd.c, ra.c and
 * icmp.c build with it. Nothing of a received skb is ever written to; what is quoted of it is copied.
 */
#ifndef VPC_CRAFT_H
#define VPC_CRAFT_H

#include <linux/in6.h>
#include <linux/skbuff.h>
#include <net/ipv6.h>
#include "../tables/port.h"

/* The EUI-64 address of VPC_ROUTER_MAC: the router's on every port. */
static const struct in6_addr vpc_router_lladdr __maybe_unused = {
	{ { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0xfc, 0xee, 0x00, 0xff, 0xfe, 0x00, 0x00, 0x01 } }
};

/* Whether @addr, 4 or 16 bytes, is the router's on this port: no guest's, whatever it may send. */
static inline bool vpc_port_conf_is_router(const struct vpc_port_conf *conf, u8 family, const u8 *addr)
{
	if (family == AF_INET)
		return conf->gateway4 && !memcmp(addr, &conf->gateway4, sizeof(conf->gateway4));
	return !memcmp(addr, &vpc_router_lladdr, sizeof(vpc_router_lladdr)) ||
	       (!ipv6_addr_any(&conf->gateway6) && !memcmp(addr, &conf->gateway6, sizeof(conf->gateway6)));
}

/* Of all neighbour discovery: whoever receives it knows that no router has sent it on (RFC 4861). */
#define VPC_ND_HOP_LIMIT 255

/* Room for @len bytes behind an IP header, and in front of it for all that may come. NULL: out of memory. */
struct sk_buff *vpc_craft_new(const struct vpc_port *port, unsigned int len);

/*
 * The ICMP message in @skb is complete but for its checksum: that, and the IP header in front of it. Data is at the
 * network header afterwards.
 */
void vpc_craft_push_ipv4(struct sk_buff *skb, __be32 saddr, __be32 daddr, u8 tos);
void vpc_craft_push_ipv6(struct sk_buff *skb, const struct in6_addr *saddr, const struct in6_addr *daddr, u8 hop_limit);

/* Out by the port's device, from the router's MAC, and counted. Regardless of the outcome, the skb is consumed. */
void vpc_craft_xmit(struct sk_buff *skb, struct vpc_port *port, const u8 *dmac);

#endif
