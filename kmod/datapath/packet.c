// SPDX-License-Identifier: GPL-2.0-only
/*
 * What port_rx.c and tunnel.c share: a decision of pipeline.c carried out: TTL, delivery to a port's device here,
 * encap.c, or the end, of which the sender may be told (icmp.c). Who is charged with a drop is decided here too.
 * packet_pull.c reads the headers before the decision.
 */
#include "packet.h"

#include <net/ip.h>
#include <net/ipv6.h>
#include "encap.h"
#include "icmp.h"
#include "mtu.h"

#define CREATE_TRACE_POINTS
#include "events.h"

/* The nearest that the kernel has to our reasons; drop monitors show it. */
static const enum skb_drop_reason vpc_skb_reasons[VPC_DROP_MAX + 1] = {
	[VPC_DROP_MALFORMED] = SKB_DROP_REASON_IP_INHDR,
	[VPC_DROP_SOURCE_ADDR] = SKB_DROP_REASON_IP_RPFILTER,
	[VPC_DROP_STRICT] = SKB_DROP_REASON_IP_RPFILTER,
	[VPC_DROP_OUTER_SOURCE] = SKB_DROP_REASON_IP_RPFILTER,
	[VPC_DROP_PROTO] = SKB_DROP_REASON_UNHANDLED_PROTO,
	[VPC_DROP_NO_TABLE] = SKB_DROP_REASON_IP_OUTNOROUTES,
	[VPC_DROP_NO_ROUTE] = SKB_DROP_REASON_IP_OUTNOROUTES,
	[VPC_DROP_NO_UNDERLAY] = SKB_DROP_REASON_IP_OUTNOROUTES,
	[VPC_DROP_PORT_DOWN] = SKB_DROP_REASON_DEV_READY,
	[VPC_DROP_TOO_BIG] = SKB_DROP_REASON_PKT_TOO_BIG,
	[VPC_DROP_NOMEM] = SKB_DROP_REASON_NOMEM,
	[VPC_DROP_OUTER_HEADER] = SKB_DROP_REASON_HDR_TRUNC,
};

void vpc_packet_drop(struct sk_buff *skb, struct vpc_stats __percpu *stats, enum vpc_drop reason)
{
	trace_vpc_drop(skb, reason);
	vpc_stats_drop(stats, reason, vpc_packet_count(skb));
	kfree_skb_reason(skb, vpc_skb_reasons[reason] ?: SKB_DROP_REASON_NOT_SPECIFIED);
}

/* The header may have moved since the flow was read from it. */
static void vpc_packet_refresh(const struct sk_buff *skb, struct vpc_flow *flow)
{
	if (flow->family == AF_INET6) {
		flow->saddr = ipv6_hdr(skb)->saddr.s6_addr;
		flow->daddr = ipv6_hdr(skb)->daddr.s6_addr;
	} else {
		flow->saddr = (const u8 *)&ip_hdr(skb)->saddr;
		flow->daddr = (const u8 *)&ip_hdr(skb)->daddr;
	}
}

/* @n: less than the TTL. The skb stays the caller's. */
static enum vpc_drop vpc_packet_dec_ttl(struct sk_buff *skb, struct vpc_flow *flow, unsigned int n)
{
	bool v6 = flow->family == AF_INET6;

	if (skb_ensure_writable(skb, v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)))
		return VPC_DROP_NOMEM;
	vpc_packet_refresh(skb, flow);
	if (v6) {
		ipv6_hdr(skb)->hop_limit -= n;
		return VPC_DROP_NONE;
	}
	while (n--)
		ip_decrease_ttl(ip_hdr(skb));
	return VPC_DROP_NONE;
}

void vpc_packet_xmit(struct sk_buff *skb, struct vpc_stats __percpu *sent, struct vpc_stats __percpu *dropped)
{
	unsigned int packets = vpc_packet_count(skb), len = skb->len;
	int err;

	/* On its own: net_xmit_eval() is a macro that evaluates its argument twice. */
	err = dev_queue_xmit(skb);
	if (likely(!net_xmit_eval(err)))
		vpc_stats_tx(sent, packets, len);
	else
		vpc_stats_drop(dropped, VPC_DROP_QUEUE, packets);
}

/* One packet that fits. Out through a port's device, as if its router had sent it. It is consumed. */
static void vpc_packet_deliver_one(struct sk_buff *skb, struct vpc_port *port, struct net_device *dev,
				   struct vpc_stats __percpu *stats)
{
	const struct vpc_port_conf *conf = rcu_dereference(port->conf);
	struct ethhdr *eth;

	/* What a device would like beyond that is for its own tunnels; a veth repeats what we asked of it as a port. */
	if (unlikely(skb_cow_head(skb, ETH_HLEN))) {
		vpc_packet_drop(skb, stats, VPC_DROP_NOMEM);
		return;
	}
	eth = skb_push(skb, ETH_HLEN);
	skb_reset_mac_header(skb);
	skb_reset_mac_len(skb);
	ether_addr_copy(eth->h_dest, conf->mac);
	ether_addr_copy(eth->h_source, vpc_router_mac);
	eth->h_proto = skb->protocol;
	/* Marks, conntrack, time stamps and dst of where it came from must not cross into another port's world. */
	skb_scrub_packet(skb, true);
	skb_set_queue_mapping(skb, 0);
	skb->dev = dev;
	vpc_packet_xmit(skb, port->stats, stats);
}

/* The skb is consumed; @stats takes a drop. */
static void vpc_packet_deliver(struct sk_buff *skb, const struct vpc_flow *flow, const struct vpc_decision *decision,
			       struct vpc_stats __percpu *stats)
{
	struct vpc_port *port = decision->port;
	struct net_device *dev = rcu_dereference(port->dev);
	struct sk_buff *list = skb, *next;
	enum vpc_drop reason;
	unsigned int mtu;

	if (unlikely(!dev)) {
		vpc_packet_drop(skb, stats, VPC_DROP_PORT_DOWN);
		return;
	}
	mtu = READ_ONCE(dev->mtu);
	if (likely(vpc_mtu_fits(skb, mtu))) {
		vpc_packet_deliver_one(skb, port, dev, stats);
		return;
	}
	reason = vpc_mtu_split(skb, flow, flow->port ?: port, mtu, &list);
	if (reason) {
		vpc_packet_drop(skb, stats, reason);
		return;
	}
	skb_list_walk_safe(list, skb, next) {
		skb_mark_not_on_list(skb);
		vpc_packet_deliver_one(skb, port, dev, stats);
	}
}

/* The port that sent it; from the wire the port that it was for; else the VPC. */
static struct vpc_stats __percpu *vpc_packet_stats(const struct vpc_flow *flow, const struct vpc_decision *decision)
{
	if (flow->port)
		return flow->port->stats;
	return decision->port ? decision->port->stats : flow->vpc->stats;
}

/* The end, of which the sender may be told. The skb is consumed. */
static void vpc_packet_refuse(struct sk_buff *skb, const struct vpc_flow *flow, const struct vpc_decision *decision,
			      struct vpc_stats __percpu *stats)
{
	vpc_icmp_error(skb, flow, flow->port ?: decision->port, decision->reason, 0);
	vpc_packet_drop(skb, stats, decision->reason);
}

void vpc_packet_forward(struct sk_buff *skb, struct vpc_flow *flow, const struct vpc_decision *decision)
{
	struct vpc_stats __percpu *stats = vpc_packet_stats(flow, decision);

	vpc_packet_refresh(skb, flow);
	if (unlikely(decision->reason)) {
		vpc_packet_refuse(skb, flow, decision, stats);
		return;
	}
	if (unlikely(decision->verdict == VPC_VERDICT_ANSWER)) {
		vpc_icmp_answer(skb, flow);
		return;
	}
	if (decision->dec_ttl && unlikely(vpc_packet_dec_ttl(skb, flow, decision->dec_ttl))) {
		vpc_packet_drop(skb, stats, VPC_DROP_NOMEM);
		return;
	}
	trace_vpc_forward(skb, flow, decision);
	/* A sum over the bytes as received means nothing to a sending device. */
	skb_forward_csum(skb);
	if (decision->verdict == VPC_VERDICT_DELIVER)
		vpc_packet_deliver(skb, flow, decision, stats);
	else
		vpc_encap(skb, flow, decision, stats);
}
