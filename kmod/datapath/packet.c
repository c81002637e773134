// SPDX-License-Identifier: GPL-2.0-only
/*
 * What port_rx.c and tunnel.c share: the inner IP header pulled and checked, and a decision of pipeline.c carried out:
 * TTL, delivery to a port's device here, or encap.c. Who is charged with a drop is decided here too.
 */
#include "packet.h"

#include <linux/if_vlan.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include "../compat.h"
#include "encap.h"

/* A TCP packet beyond 64 KiB (BIG TCP) has 0 in its header; only the stack on this machine makes those. */
static unsigned int vpc_packet_ipv4_len(const struct sk_buff *skb, const struct iphdr *iph)
{
	unsigned int len = ntohs(iph->tot_len);

	if (unlikely(!len && skb_is_gso(skb) && skb_is_gso_tcp(skb)))
		return skb->len;
	return len;
}

/*
 * Whether what the sender left for devices to do lies behind the IP header. A guest names the place of the checksum
 * that it wants to be filled in; inside the header it would change addresses after we checked them. And the size of
 * a TCP segment is read from a header that must be there.
 */
static bool vpc_packet_offload_sane(struct sk_buff *skb, unsigned int hlen)
{
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_start_offset(skb) < (int)hlen)
		return false;
	return !skb_is_gso(skb) || !skb_is_gso_tcp(skb) || pskb_may_pull(skb, hlen + sizeof(struct tcphdr));
}

static enum vpc_drop vpc_packet_pull_ipv4(struct sk_buff *skb, struct vpc_flow *ret_flow)
{
	const struct iphdr *iph;
	unsigned int hlen, len;

	if (!pskb_may_pull(skb, sizeof(*iph)))
		return VPC_DROP_MALFORMED;
	iph = (const struct iphdr *)skb->data;
	hlen = iph->ihl * 4;
	if (iph->version != 4 || hlen < sizeof(*iph) || !pskb_may_pull(skb, hlen))
		return VPC_DROP_MALFORMED;
	iph = (const struct iphdr *)skb->data;
	if (ip_fast_csum((const u8 *)iph, iph->ihl))
		return VPC_DROP_MALFORMED;
	len = vpc_packet_ipv4_len(skb, iph);
	/* Behind the packet there may be Ethernet's padding. */
	if (len < hlen || len > skb->len || pskb_trim_rcsum(skb, len))
		return VPC_DROP_MALFORMED;
	if (!vpc_packet_offload_sane(skb, hlen))
		return VPC_DROP_MALFORMED;
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, hlen);
	iph = ip_hdr(skb);
	ret_flow->family = AF_INET;
	ret_flow->ttl = iph->ttl;
	ret_flow->saddr = (const u8 *)&iph->saddr;
	ret_flow->daddr = (const u8 *)&iph->daddr;
	return VPC_DROP_NONE;
}

enum vpc_drop vpc_packet_pull(struct sk_buff *skb, struct vpc_flow *ret_flow)
{
	/* A customer's VLAN tags end at the port. */
	if (skb->protocol == htons(ETH_P_IP) && !skb_vlan_tag_present(skb))
		return vpc_packet_pull_ipv4(skb, ret_flow);
	return VPC_DROP_PROTO;
}

/* The skb stays the caller's. */
static enum vpc_drop vpc_packet_dec_ttl(struct sk_buff *skb)
{
	if (skb_ensure_writable(skb, sizeof(struct iphdr)))
		return VPC_DROP_NOMEM;
	/* The header's checksum follows, so that a CHECKSUM_COMPLETE sum over both stays right. */
	ip_decrease_ttl(ip_hdr(skb));
	return VPC_DROP_NONE;
}

static bool vpc_packet_fits(const struct sk_buff *skb, unsigned int mtu)
{
	return skb_is_gso(skb) ? skb_gso_validate_network_len(skb, mtu) : skb->len <= mtu;
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

/* Out through a port's device, as if its router had sent it. The skb is consumed; @stats takes a drop. */
static void vpc_packet_deliver(struct sk_buff *skb, struct vpc_port *port, struct vpc_stats __percpu *stats)
{
	const struct vpc_port_conf *conf = rcu_dereference(port->conf);
	struct net_device *dev = rcu_dereference(port->dev);
	struct ethhdr *eth;

	if (unlikely(!dev)) {
		vpc_packet_drop(skb, stats, VPC_DROP_PORT_DOWN);
		return;
	}
	if (unlikely(!vpc_packet_fits(skb, READ_ONCE(dev->mtu)))) {
		vpc_packet_drop(skb, stats, VPC_DROP_TOO_BIG);
		return;
	}
	if (unlikely(skb_cow_head(skb, LL_RESERVED_SPACE(dev)))) {
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

/* The port that sent it; from the wire the port that it was for; else the VPC. */
static struct vpc_stats __percpu *vpc_packet_stats(const struct vpc_flow *flow, const struct vpc_decision *decision)
{
	if (flow->port)
		return flow->port->stats;
	return decision->port ? decision->port->stats : flow->vpc->stats;
}

void vpc_packet_forward(struct sk_buff *skb, const struct vpc_flow *flow, const struct vpc_decision *decision)
{
	struct vpc_stats __percpu *stats = vpc_packet_stats(flow, decision);
	enum vpc_drop reason = decision->reason;

	if (!reason && decision->dec_ttl)
		reason = vpc_packet_dec_ttl(skb);
	if (reason) {
		vpc_packet_drop(skb, stats, reason);
		return;
	}
	/* A sum over the bytes as received means nothing to a sending device. */
	skb_forward_csum(skb);
	if (decision->verdict == VPC_VERDICT_DELIVER)
		vpc_packet_deliver(skb, decision->port, stats);
	else
		vpc_encap(skb, flow, decision, stats);
}
