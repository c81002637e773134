/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way to another host: the underlay's route to a nexthop's VTEP, and how long an inner packet may be on it. encap.c
 * asks for every packet that leaves, explain for described ones.
 */
#ifndef VPC_UNDERLAY_H
#define VPC_UNDERLAY_H

#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <net/dst.h>
#include <net/vxlan.h>
#include "pipeline.h"

/* Outer headers in front of the inner Ethernet header. */
static inline unsigned int vpc_underlay_hlen(u8 family)
{
	return (family == AF_INET6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)) + sizeof(struct udphdr) +
	       sizeof(struct vxlanhdr);
}

/* Bytes that an inner IP packet may have on that way. What ICMP told about the path is in @dst already. */
static inline unsigned int vpc_underlay_mtu(const struct dst_entry *dst, u8 family)
{
	return min_t(unsigned int, dst_mtu(dst), IP_MAX_MTU) - vpc_underlay_hlen(family) - ETH_HLEN;
}

/**
 * vpc_underlay_route() - find the route to a VTEP
 * @host: this namespace's
 * @nh: type HOST or GATEWAY
 * @ret_dst: cached or looked up; valid in this RCU section, without a reference of the caller's
 *
 * Under RCU, bottom halves off. Return: VPC_DROP_NONE; VPC_DROP_NO_VTEP: this host has none of the nexthop's family;
 * VPC_DROP_NO_UNDERLAY.
 */
enum vpc_drop vpc_underlay_route(const struct net *net, const struct vpc_host *host, const struct vpc_nexthop *nh,
				 struct dst_entry **ret_dst);

/**
 * vpc_underlay_is_direct() - whether a packet to @dst, an IPv4 route, may go past the host's IP output
 *
 * Only where that would do nothing to it: nobody else wants a say (netfilter's output and postrouting, a control
 * group's BPF program, an IPsec policy, a lightweight tunnel, a VRF). Under RCU.
 */
bool vpc_underlay_is_direct(const struct net *net, const struct dst_entry *dst);

/**
 * vpc_underlay_xmit_ipv4() - straight to the neighbour
 * @skb: data at a whole IPv4 header, its dst one that vpc_underlay_is_direct(); it is consumed
 *
 * Under RCU, bottom halves off.
 */
void vpc_underlay_xmit_ipv4(struct sk_buff *skb);

#endif
