/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The skb's side of a decision, the same for packets from a port and from the wire: headers pulled and checked
 * before it, then delivered, encapsulated or dropped and counted. port_rx.c and tunnel.c call it, around pipeline.h.
 *
 * Everything here runs under rcu_read_lock() with bottom halves off.
 */
#ifndef VPC_PACKET_H
#define VPC_PACKET_H

#include <linux/etherdevice.h>
#include <linux/skbuff.h>
#include "pipeline.h"

static const u8 vpc_router_mac[ETH_ALEN] __aligned(2) __maybe_unused = VPC_ROUTER_MAC;

/*
 * Packets on the wire that this skb stands for: a GSO packet counts as its segments, as devices count it; its bytes
 * count as we hold them, headers once. A guest's GSO packet comes without a count (SKB_GSO_DODGY).
 */
static inline unsigned int vpc_packet_count(const struct sk_buff *skb)
{
	const struct skb_shared_info *info = skb_shinfo(skb);

	if (likely(!info->gso_size))
		return 1;
	return info->gso_segs ?: DIV_ROUND_UP(skb->len, info->gso_size);
}

/* Counts, and tells tracers (events.h, and skb:kfree_skb with the kernel's own reason). The skb is consumed. */
void vpc_packet_drop(struct sk_buff *skb, struct vpc_stats __percpu *stats, enum vpc_drop reason);

/**
 * vpc_packet_xmit() - hand a frame to the device of a port, and count it
 * @skb: data at the Ethernet header, its device set; regardless of the outcome, the skb is consumed
 * @sent: counts it when the device took it
 * @dropped: takes the drop when it did not
 */
void vpc_packet_xmit(struct sk_buff *skb, struct vpc_stats __percpu *sent, struct vpc_stats __percpu *dropped);

/**
 * vpc_packet_pull() - check the network header and read from it what a decision needs
 * @skb: data at the network header, skb->protocol set; trimmed to the length that the header gives, the network and
 *	transport header offsets set
 * @ret_flow: family, ttl, proto, ports, saddr and daddr are filled, unless it is a drop; the addresses point into the
 *	header
 *
 * Return: VPC_DROP_NONE, or the reason to drop; the skb stays the caller's.
 */
enum vpc_drop vpc_packet_pull(struct sk_buff *skb, struct vpc_flow *ret_flow);

/**
 * vpc_packet_forward() - do what was decided, or drop and count
 * @skb: data at the network header; regardless of the outcome, the skb is consumed
 * @flow: what the decision was made from; its pointers into the header are set anew
 * @decision: made under this rcu_read_lock()
 */
void vpc_packet_forward(struct sk_buff *skb, struct vpc_flow *flow, const struct vpc_decision *decision);

#endif
