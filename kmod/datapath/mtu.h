/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets that are too long for their way: fragmented, or refused and their sender told. packet.c asks before a port's
 * device, encap.c before the tunnel.
 */
#ifndef VPC_MTU_H
#define VPC_MTU_H

#include <linux/skbuff.h>
#include "../compat.h"
#include "pipeline.h"

/* Whether an IP packet (GSO: each of its segments) is no longer than @mtu bytes. */
static inline bool vpc_mtu_fits(const struct sk_buff *skb, unsigned int mtu)
{
	return skb_is_gso(skb) ? skb_gso_validate_network_len(skb, mtu) : skb->len <= mtu;
}

/**
 * vpc_mtu_split() - what to do with a packet that does not fit
 * @skb: data at the network header, TTL already decremented
 * @flow: what the decision was made from; vpc_icmp_error() may use it
 * @port: whose gateway would tell the sender, see vpc_icmp_error()
 * @mtu: bytes
 * @ret_list: IPv4 without Don't Fragment: the fragments in @skb's place, linked by skb->next, each with its network
 *	header set and skb->protocol; the caller's
 *
 * Return: VPC_DROP_NONE; VPC_DROP_TOO_BIG, the sender has been told; VPC_DROP_NOMEM; VPC_DROP_MALFORMED. When it is a
 * drop, @skb stays the caller's.
 */
enum vpc_drop vpc_mtu_split(struct sk_buff *skb, const struct vpc_flow *flow, struct vpc_port *port, unsigned int mtu,
			    struct sk_buff **ret_list);

#endif
