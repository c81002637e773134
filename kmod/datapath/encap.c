// SPDX-License-Identifier: GPL-2.0-only
/*
 * VXLAN out (RFC 7348): inner Ethernet, VXLAN and UDP headers around a packet, sent to the nexthop's VTEP. packet.c
 * calls it last; the kernel's UDP tunnel helpers, IP output and the underlay's device do the rest.
 *
 * Choices. The outer Don't Fragment bit is clear, so that everything arrives: what is too long for the underlay
 * (inner packet plus 50 bytes) is fragmented outside and put together again by the receiving host's IP, whatever the
 * inner DF bit says; VPC_DROP_TOO_BIG is left for what no IPv4 packet can hold. The outer UDP checksum is 0, as the
 * RFC wants for IPv4; GSO packets stay whole (SKB_GSO_UDP_TUNNEL) until a device segments them. ECN is copied out
 * (RFC 6040), DSCP is not: the underlay's classes are not the customer's to choose. The UDP source port comes from
 * the inner flow's hash.
 */
#include "encap.h"

#include <linux/etherdevice.h>
#include <net/dst_cache.h>
#include <net/route.h>
#include <net/udp_tunnel.h>
#include <net/vxlan.h>
#include "../compat.h"
#include "packet.h"
#include "port_rx.h"

/* In front of the inner Ethernet header. */
#define VPC_ENCAP_HLEN (sizeof(struct iphdr) + sizeof(struct udphdr) + sizeof(struct vxlanhdr))

/* All that the segments of one packet have in common. */
struct vpc_encap_out {
	const struct vpc_host *host;
	struct rtable *rt;
	__be32 vtep4;
	__be32 vni;
	__be16 src_port;
	u8 tos;
	struct vpc_stats __percpu *sent;
	struct vpc_stats __percpu *dropped;
};

/* Return: a route with a reference, cached or looked up; NULL when the underlay does not lead there. */
static struct rtable *vpc_encap_find_route(const struct net *net, const struct vpc_host *host,
					   const struct vpc_nexthop *nh)
{
	/* The one thing in a published nexthop that changes: per CPU, with its own rules. */
	struct dst_cache *cache = (struct dst_cache *)&nh->dst_cache;
	struct flowi4 fl4 = {
		.flowi4_proto = IPPROTO_UDP,
		.saddr = host->vtep4,
		.fl4_dport = host->udp_port,
	};
	struct rtable *rt;
	__be32 saddr;

	if (nh->wire.family != AF_INET)
		return NULL;
	rt = dst_cache_get_ip4(cache, &saddr);
	if (likely(rt && saddr == host->vtep4))
		return rt;
	if (rt)
		ip_rt_put(rt);

	memcpy(&fl4.daddr, nh->wire.addr, sizeof(fl4.daddr));
	rt = ip_route_output_key((struct net *)net, &fl4);
	if (IS_ERR(rt))
		return NULL;
	dst_cache_set_ip4(cache, &rt->dst, host->vtep4);
	return rt;
}

/* As vpc_encap_find_route(); its device may have become a port since the route was cached. */
static struct rtable *vpc_encap_route(const struct net *net, const struct vpc_host *host, const struct vpc_nexthop *nh)
{
	struct rtable *rt = vpc_encap_find_route(net, host, nh);

	/* An underlay that runs through a guest would show it other guests' packets, or bring them back to us. */
	if (unlikely(rt && vpc_dev_is_port(rt->dst.dev))) {
		ip_rt_put(rt);
		return NULL;
	}
	return rt;
}

static unsigned int vpc_encap_headroom(const struct rtable *rt)
{
	return LL_RESERVED_SPACE(rt->dst.dev) + rt->dst.header_len + VPC_ENCAP_HLEN;
}

static void vpc_encap_push_eth(struct sk_buff *skb, const struct vpc_nexthop *nh)
{
	struct ethhdr *eth = skb_push(skb, ETH_HLEN);

	skb_reset_mac_header(skb);
	skb_reset_mac_len(skb);
	ether_addr_copy(eth->h_dest, is_zero_ether_addr(nh->wire.mac) ? vpc_router_mac : nh->wire.mac);
	ether_addr_copy(eth->h_source, vpc_router_mac);
	eth->h_proto = skb->protocol;
}

/*
 * An skb describes the offloads of one tunnel. A guest that runs tunnels of its own has used that up; and a packet from
 * a guest may fill 64 KiB so well that our headers would overflow the outer length. Both are done by hand first.
 *
 * Return: @skb, a list of segments in its place, or ERR_PTR/NULL with @skb still the caller's.
 */
static struct sk_buff *vpc_encap_flatten(struct sk_buff *skb)
{
	struct sk_buff *segs, *seg;
	bool gso = skb_is_gso(skb);
	int err;

	if (likely(!skb->encapsulation && (!gso || (skb->len + VPC_ENCAP_HLEN <= IP_MAX_MTU &&
						    !(skb_shinfo(skb)->gso_type & SKB_GSO_FRAGLIST)))))
		return skb;
	if (!gso) {
		err = skb->ip_summed == CHECKSUM_PARTIAL ? skb_checksum_help(skb) : 0;
		if (err)
			return ERR_PTR(err);
		skb->encapsulation = 0;
		return skb;
	}
	segs = skb_gso_segment(skb, NETIF_F_SG);
	if (IS_ERR_OR_NULL(segs))
		return segs;
	consume_skb(skb);
	for (seg = segs; seg; seg = seg->next)
		seg->encapsulation = 0;
	return segs;
}

/* UDP tunnel offloads and the VXLAN header. The skb stays the caller's. */
static enum vpc_drop vpc_encap_build(struct sk_buff *skb, const struct vpc_encap_out *out)
{
	struct vxlanhdr *vxh;

	if (!skb_is_gso(skb) && skb->len + VPC_ENCAP_HLEN > IP_MAX_MTU)
		return VPC_DROP_TOO_BIG;
	if (skb_cow_head(skb, vpc_encap_headroom(out->rt)) || udp_tunnel_handle_offloads(skb, false))
		return VPC_DROP_NOMEM;
	vxh = __skb_push(skb, sizeof(*vxh));
	vxh->vx_flags = VXLAN_HF_VNI;
	vxh->vx_vni = vxlan_vni_field(out->vni);
	skb_set_inner_protocol(skb, htons(ETH_P_TEB));
	return VPC_DROP_NONE;
}

/* @skb: data at the inner Ethernet header. It is consumed, and with it one reference on out->rt. */
static void vpc_encap_send(struct sk_buff *skb, const struct vpc_encap_out *out)
{
	unsigned int len = skb->len, packets = vpc_packet_count(skb);
	enum vpc_drop reason = vpc_encap_build(skb, out);

	if (unlikely(reason)) {
		vpc_packet_drop(skb, out->dropped, reason);
		ip_rt_put(out->rt);
		return;
	}
	vpc_stats_tx(out->sent, packets, len);
	/* Otherwise iptunnel_xmit() would count in the statistics of a tunnel device, which a port's device is not. */
	skb->dev = NULL;
	udp_tunnel_xmit_skb(out->rt, out->host->sock4->sk, skb, out->host->vtep4, out->vtep4, out->tos,
			    ip4_dst_hoplimit(&out->rt->dst), 0, out->src_port, out->host->udp_port, true, true);
}

void vpc_encap(struct sk_buff *skb, const struct vpc_flow *flow, const struct vpc_decision *decision,
	       struct vpc_stats __percpu *stats)
{
	const struct vpc_nexthop *nh = decision->nexthop;
	struct vpc_encap_out out = {
		.host = flow->host,
		.vni = cpu_to_be32(decision->vni),
		.sent = flow->vpc->stats,
		.dropped = stats,
	};
	struct sk_buff *segs, *next;
	enum vpc_drop reason;

	out.rt = vpc_encap_route(flow->vnet->net, flow->host, nh);
	if (unlikely(!out.rt)) {
		vpc_packet_drop(skb, stats, VPC_DROP_NO_UNDERLAY);
		return;
	}
	if (unlikely(skb_cow_head(skb, vpc_encap_headroom(out.rt) + ETH_HLEN))) {
		reason = VPC_DROP_NOMEM;
		goto err_put_route;
	}
	memcpy(&out.vtep4, nh->wire.addr, sizeof(out.vtep4));
	out.tos = ip_tunnel_ecn_encap(0, ip_hdr(skb), skb);
	vpc_encap_push_eth(skb, nh);
	out.src_port = udp_flow_src_port(flow->vnet->net, skb, 0, 0, true);

	segs = vpc_encap_flatten(skb);
	if (IS_ERR_OR_NULL(segs)) {
		reason = PTR_ERR(segs) == -ENOMEM ? VPC_DROP_NOMEM : VPC_DROP_MALFORMED;
		goto err_put_route;
	}
	skb_list_walk_safe(segs, skb, next) {
		skb_mark_not_on_list(skb);
		if (next)
			dst_hold(&out.rt->dst);
		vpc_encap_send(skb, &out);
	}
	return;

err_put_route:
	ip_rt_put(out.rt);
	vpc_packet_drop(skb, stats, reason);
}
