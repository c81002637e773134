// SPDX-License-Identifier: GPL-2.0-only
/*
 * VXLAN out (RFC 7348): inner Ethernet, VXLAN and UDP headers around a packet, sent to the nexthop's VTEP over IPv4 or
 * IPv6. packet.c calls it last; underlay.c knows the way; the kernel's UDP tunnel helpers, IP output and the underlay's
 * device do the rest.
 *
 * Choices. Nothing is fragmented outside: the outer Don't Fragment bit is set, the inner packet is fitted to the path,
 * or its sender told (mtu.c). The one exception is inner IPv6 where the path leaves less than the 1280 bytes that IPv6
 * may rely on (RFC 2473 7.1). The outer UDP checksum is 0 over IPv4, as the RFC wants, and real over IPv6, where
 * nothing else protects the addresses (RFC 6936). GSO packets stay whole until a device segments them. ECN is copied
 * out (RFC 6040), DSCP is not: the underlay's classes are not the customer's to choose. The UDP source port comes from
 * the inner flow's hash.
 */
#include "encap.h"

#include <linux/etherdevice.h>
#include <linux/hash.h>
#include <net/ip6_route.h>
#include <net/route.h>
#include <net/udp_tunnel.h>
#include "../compat.h"
#include "mtu.h"
#include "packet.h"
#include "underlay.h"

/* All that the fragments and segments of one packet have in common. */
struct vpc_encap_out {
	struct net *net;
	const struct vpc_host *host;
	const struct vpc_nexthop *nh;
	struct dst_entry *dst;
	__be32 vni;
	__be16 src_port;
	u8 tos;
	bool may_fragment;
	struct vpc_stats __percpu *sent;
	struct vpc_stats __percpu *dropped;
};

/* How long an inner packet of @flow's family may be; *ret_may_fragment: longer than what fits the path. */
static unsigned int vpc_encap_mtu(const struct vpc_flow *flow, const struct vpc_nexthop *nh,
				  const struct dst_entry *dst, bool *ret_may_fragment)
{
	unsigned int mtu = vpc_underlay_mtu(dst, nh->wire.family);

	*ret_may_fragment = unlikely(flow->family == AF_INET6 && mtu < IPV6_MIN_MTU);
	return *ret_may_fragment ? IPV6_MIN_MTU : mtu;
}

static unsigned int vpc_encap_headroom(const struct vpc_encap_out *out)
{
	return LL_RESERVED_SPACE(out->dst->dev) + out->dst->header_len + vpc_underlay_hlen(out->nh->wire.family);
}

/* In the range that the namespace has for such ports. */
static __be16 vpc_encap_src_port(const struct net *net, const struct vpc_flow *flow)
{
	/* Stirred: groups choose by some bits of the hash, and one member's flows must not share a few ports. */
	u32 hash = hash_32(vpc_flow_hash(flow), 32);
	int low, high;

	inet_get_local_port_range((struct net *)net, &low, &high);
	return htons((((u64)hash * (high - low)) >> 32) + low);
}

static void vpc_encap_push_eth(struct sk_buff *skb, const struct vpc_nexthop *nh)
{
	struct ethhdr *eth = __skb_push(skb, ETH_HLEN);

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
static struct sk_buff *vpc_encap_flatten(struct sk_buff *skb, u8 outer_family)
{
	struct sk_buff *segs, *seg;
	bool gso = skb_is_gso(skb);
	int err;

	if (likely(!skb->encapsulation && (!gso || (skb->len + vpc_underlay_hlen(outer_family) <= IP_MAX_MTU &&
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

/* UDP tunnel offloads, in front of the outer headers. The skb stays the caller's. */
static enum vpc_drop vpc_encap_build(struct sk_buff *skb, const struct vpc_encap_out *out)
{
	if (skb_cow_head(skb, vpc_encap_headroom(out)))
		return VPC_DROP_NOMEM;
	if (skb_is_gso(skb) || skb->ip_summed == CHECKSUM_PARTIAL) {
		if (udp_tunnel_handle_offloads(skb, out->nh->wire.family == AF_INET6))
			return VPC_DROP_NOMEM;
		skb_set_inner_protocol(skb, htons(ETH_P_TEB));
	} else {
		/* Nothing is left to do inside: what the helper would say then. */
		skb->ip_summed = CHECKSUM_NONE;
	}
	/* Output takes it over. Gone since we looked: the last one that held it was not our cache. */
	if (out->nh->wire.family == AF_INET6 && unlikely(!dst_hold_safe(out->dst)))
		return VPC_DROP_NO_UNDERLAY;
	/* Otherwise the kernel would count in the statistics of a tunnel device, which a port's device is not. */
	skb->dev = NULL;
	return VPC_DROP_NONE;
}

/*
 * The outer headers over IPv4 as words: what is written in small pieces and read whole a moment later, as a checksum
 * reads it, would wait for the processor's store buffer.
 */
struct vpc_encap_ipv4 {
	__be32 version_tos_len;
	__be32 id_frag_off;
	__be32 ttl_protocol_check;
	__be32 saddr;
	__be32 daddr;
	__be32 ports;
	__be32 udp_len_check;
	struct vxlanhdr vxh;
} __packed;

static __be32 vpc_encap_word(u16 high, u16 low)
{
	return htonl((u32)high << 16 | low);
}

/*
 * IPv4, UDP and VXLAN headers, as udp_tunnel_xmit_skb() builds them but for the ID, which costs a hash of the addresses
 * and is not needed by what cannot be fragmented (RFC 6864). Lengths fit: vpc_encap_flatten() saw to it.
 */
static void vpc_encap_push_ipv4(struct sk_buff *skb, const struct vpc_encap_out *out, bool df)
{
	struct vpc_encap_ipv4 *hdr = __skb_push(skb, sizeof(*hdr));

	skb_reset_network_header(skb);
	skb_set_transport_header(skb, sizeof(struct iphdr));
	hdr->version_tos_len = vpc_encap_word(0x4500 | out->tos, skb->len);
	hdr->id_frag_off = vpc_encap_word(0, df ? IP_DF : 0);
	hdr->ttl_protocol_check = vpc_encap_word(ip4_dst_hoplimit(out->dst) << 8 | IPPROTO_UDP, 0);
	hdr->saddr = out->host->vtep4;
	hdr->daddr = get_unaligned((const __be32 *)out->nh->wire.addr);
	hdr->ports = vpc_encap_word(ntohs(out->src_port), ntohs(out->host->udp_port));
	hdr->udp_len_check = vpc_encap_word(skb->len - sizeof(struct iphdr), 0);
	hdr->vxh.vx_flags = VXLAN_HF_VNI;
	hdr->vxh.vx_vni = vxlan_vni_field(out->vni);
}

/* The skb is consumed. */
static void vpc_encap_xmit_ipv4(struct sk_buff *skb, const struct vpc_encap_out *out)
{
	/* A path below what the kernel believes has its MTU locked, and its packets fragmented. */
	bool df = likely(!out->may_fragment && !ip_mtu_locked(out->dst));
	struct iphdr *iph;

	vpc_encap_push_ipv4(skb, out, df);
	iph = ip_hdr(skb);
	skb_scrub_packet(skb, true);
	skb_clear_hash_if_not_l4(skb);
	*IPCB(skb) = (struct inet_skb_parm){ };
	/* Whoever keeps the skb beyond this RCU section takes a reference, as on the way of forwarded packets. */
	skb_dst_set_noref(skb, out->dst);
	if (likely(df && vpc_underlay_is_direct(out->net, out->dst))) {
		iph->check = ip_fast_csum((const u8 *)iph, sizeof(*iph) >> 2);
		vpc_underlay_xmit_ipv4(skb);
		return;
	}
	if (!df)
		__ip_select_ident(out->net, iph, skb_shinfo(skb)->gso_segs ?: 1);
	ip_local_out(out->net, out->host->sock4->sk, skb);
}

static void vpc_encap_push_vxlan(struct sk_buff *skb, __be32 vni)
{
	struct vxlanhdr *vxh = __skb_push(skb, sizeof(*vxh));

	vxh->vx_flags = VXLAN_HF_VNI;
	vxh->vx_vni = vxlan_vni_field(vni);
}

/* The same. */
static void vpc_encap_xmit_ipv6(struct sk_buff *skb, const struct vpc_encap_out *out)
{
	struct in6_addr saddr = out->host->vtep6, vtep;

	vpc_encap_push_vxlan(skb, out->vni);
	memcpy(&vtep, out->nh->wire.addr, sizeof(vtep));
	skb_scrub_packet(skb, true);
	skb->ignore_df = out->may_fragment;
	/* IPv6 output reads from skb->sk what only an IP socket has; the sender in the guest may be a packet socket. */
	if (skb->sk && skb->sk->sk_family != AF_INET && skb->sk->sk_family != AF_INET6)
		skb_orphan(skb);
	udp_tunnel6_xmit_skb(out->dst, out->host->sock6->sk, skb, NULL, &saddr, &vtep, out->tos,
			     ip6_dst_hoplimit(out->dst), 0, out->src_port, out->host->udp_port, false);
}

/* @skb: data at the inner Ethernet header. It is consumed. */
static void vpc_encap_send(struct sk_buff *skb, const struct vpc_encap_out *out)
{
	unsigned int len = skb->len, packets = vpc_packet_count(skb);
	enum vpc_drop reason = vpc_encap_build(skb, out);

	if (unlikely(reason)) {
		vpc_packet_drop(skb, out->dropped, reason);
		return;
	}
	vpc_stats_tx(out->sent, packets, len);
	if (out->nh->wire.family == AF_INET6)
		vpc_encap_xmit_ipv6(skb, out);
	else
		vpc_encap_xmit_ipv4(skb, out);
}

/* @skb: an IP packet that fits, data at its network header. It is consumed. */
static void vpc_encap_packet(struct sk_buff *skb, const struct vpc_encap_out *out)
{
	struct sk_buff *segs, *next;

	if (unlikely(skb_cow_head(skb, vpc_encap_headroom(out) + ETH_HLEN))) {
		vpc_packet_drop(skb, out->dropped, VPC_DROP_NOMEM);
		return;
	}
	vpc_encap_push_eth(skb, out->nh);
	segs = vpc_encap_flatten(skb, out->nh->wire.family);
	if (IS_ERR_OR_NULL(segs)) {
		vpc_packet_drop(skb, out->dropped,
				PTR_ERR(segs) == -ENOMEM ? VPC_DROP_NOMEM : VPC_DROP_MALFORMED);
		return;
	}
	skb_list_walk_safe(segs, skb, next) {
		skb_mark_not_on_list(skb);
		vpc_encap_send(skb, out);
	}
}

void vpc_encap(struct sk_buff *skb, const struct vpc_flow *flow, const struct vpc_decision *decision,
	       struct vpc_stats __percpu *stats)
{
	struct vpc_encap_out out = {
		.net = flow->vnet->net,
		.host = flow->host,
		.nh = decision->nexthop,
		.vni = cpu_to_be32(decision->vni),
		.sent = decision->vpc->stats,
		.dropped = stats,
	};
	enum vpc_drop reason;
	struct sk_buff *list, *next;
	unsigned int mtu;

	reason = vpc_underlay_route(out.net, flow->host, out.nh, &out.dst);
	if (unlikely(reason)) {
		vpc_packet_drop(skb, stats, reason);
		return;
	}
	out.tos = ip_tunnel_ecn_encap(0, ip_hdr(skb), skb);
	out.src_port = vpc_encap_src_port(out.net, flow);
	mtu = vpc_encap_mtu(flow, out.nh, out.dst, &out.may_fragment);
	if (likely(vpc_mtu_fits(skb, mtu))) {
		vpc_encap_packet(skb, &out);
		return;
	}
	reason = vpc_mtu_split(skb, flow, flow->port, mtu, &list);
	if (reason) {
		vpc_packet_drop(skb, stats, reason);
		return;
	}
	skb_list_walk_safe(list, skb, next) {
		skb_mark_not_on_list(skb);
		vpc_encap_packet(skb, &out);
	}
}

enum vpc_drop vpc_encap_path(const struct vpc_flow *flow, const struct vpc_decision *decision, unsigned int *ret_mtu)
{
	struct dst_entry *dst;
	enum vpc_drop reason;
	bool may_fragment;

	reason = vpc_underlay_route(flow->vnet->net, flow->host, decision->nexthop, &dst);
	if (reason)
		return reason;
	*ret_mtu = vpc_encap_mtu(flow, decision->nexthop, dst, &may_fragment);
	return VPC_DROP_NONE;
}
