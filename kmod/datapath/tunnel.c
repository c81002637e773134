// SPDX-License-Identifier: GPL-2.0-only
/*
 * VXLAN in (RFC 7348): the start of the way wire -> pipeline.c -> packet.c. UDP calls in here for every datagram of the
 * tunnel sockets that host.c opens, ingress.c for those that it takes before; and UDP again for ICMP errors about what
 * we sent.
 *
 * A packet's VNI names the VPC; the pipeline decides whether the sender belongs to it.
 */
#include "tunnel.h"

#include <linux/ip.h>
#include <linux/udp.h>
#include <net/inet_ecn.h>
#include <net/ip.h>
#include <net/udp_tunnel.h>
#include <net/vxlan.h>
#include "packet.h"

/* Of the outer header, which is gone when they are needed. */
struct vpc_tunnel_outer {
	u8 saddr[sizeof(struct in6_addr)];
	u8 family;
	u8 dsfield;
};

static void vpc_tunnel_read_outer(const struct sk_buff *skb, u8 family, struct vpc_tunnel_outer *ret_outer)
{
	ret_outer->family = family;
	if (family == AF_INET6) {
		memcpy(ret_outer->saddr, &ipv6_hdr(skb)->saddr, sizeof(struct in6_addr));
		ret_outer->dsfield = ipv6_get_dsfield(ipv6_hdr(skb));
	} else {
		put_unaligned(ip_hdr(skb)->saddr, (__be32 *)ret_outer->saddr);
		ret_outer->dsfield = ip_hdr(skb)->tos;
	}
}

/* Our own VTEP is known in all our VPCs, but nothing of ours comes in from the wire. */
static bool vpc_tunnel_is_own(const struct vpc_host *host, const struct vpc_tunnel_outer *outer)
{
	return host && vpc_addr_equal(outer->family, outer->saddr, vpc_host_vtep(host, outer->family));
}

/* Outer headers off, inner Ethernet header behind us. The skb stays the caller's. */
static enum vpc_drop vpc_tunnel_pull(struct sk_buff *skb)
{
	const struct ethhdr *eth;

	if (!pskb_may_pull(skb, VXLAN_HLEN + ETH_HLEN))
		return VPC_DROP_MALFORMED;
	skb_set_mac_header(skb, VXLAN_HLEN);
	skb_pull_rcsum(skb, VXLAN_HLEN + ETH_HLEN);
	skb_reset_network_header(skb);
	skb_reset_mac_len(skb);
	eth = eth_hdr(skb);
	skb->protocol = eth->h_proto;
	/*
	 * As iptunnel_pull_header() does, but for what packet.c and encap.c take off before the skb leaves again:
	 * marks, conntrack, the underlay's route.
	 */
	skb_clear_hash_if_not_l4(skb);
	__vlan_hwaccel_clear_tag(skb);
	skb_set_queue_mapping(skb, 0);
	if (iptunnel_pull_offloads(skb))
		return VPC_DROP_NOMEM;
	return is_multicast_ether_addr(eth->h_dest) ? VPC_DROP_MULTICAST : VPC_DROP_NONE;
}

/* Congestion met on the underlay is shown to the guest (RFC 6040). The skb stays the caller's. */
static enum vpc_drop vpc_tunnel_ecn(struct sk_buff *skb, u8 outer_dsfield)
{
	unsigned int hlen = skb->protocol == htons(ETH_P_IPV6) ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	bool set_ce = false;

	/* Congestion marked on a packet whose sender cannot react: the RFC has it dropped. */
	if (__INET_ECN_decapsulate(outer_dsfield, ip_tunnel_get_dsfield(ip_hdr(skb), skb), &set_ce) > 1)
		return VPC_DROP_OUTER_HEADER;
	if (!set_ce)
		return VPC_DROP_NONE;
	if (skb_ensure_writable(skb, hlen))
		return VPC_DROP_NOMEM;
	INET_ECN_set_ce(skb);
	return VPC_DROP_NONE;
}

/* @skb: data at the UDP header, it and the VXLAN header are in the head. It is consumed. */
static void vpc_tunnel_rcv_vpc(struct vpc *vpc, u8 family, struct sk_buff *skb)
{
	struct vpc_tunnel_outer outer;
	struct vpc_flow flow = {
		.vnet = vpc->vnet,
		.host = rcu_dereference(vpc->vnet->host),
		.vpc = vpc,
		.version = rcu_dereference(vpc->version),
		.outer_family = family,
		.outer_saddr = outer.saddr,
	};
	struct vpc_decision decision;
	enum vpc_drop reason;

	vpc_tunnel_read_outer(skb, family, &outer);
	vpc_stats_rx(vpc->stats, vpc_packet_count(skb), skb->len - VXLAN_HLEN);
	reason = unlikely(vpc_tunnel_is_own(flow.host, &outer)) ? VPC_DROP_OUTER_SOURCE : vpc_tunnel_pull(skb);
	if (!reason)
		reason = vpc_packet_pull(skb, &flow);
	if (unlikely(reason)) {
		vpc_packet_drop(skb, vpc->stats, reason);
		return;
	}
	vpc_pipeline_from_wire(&flow, &decision, NULL);
	if (!decision.reason)
		decision.reason = vpc_tunnel_ecn(skb, outer.dsfield);
	vpc_packet_forward(skb, &flow, &decision);
}

void vpc_tunnel_rcv(struct vpc_net *vnet, u8 family, struct sk_buff *skb)
{
	const struct vxlanhdr *vxh;
	struct vpc *vpc;

	if (unlikely(!pskb_may_pull(skb, VXLAN_HLEN))) {
		vpc_packet_drop(skb, vnet->stats, VPC_DROP_OUTER_HEADER);
		return;
	}
	vxh = (const struct vxlanhdr *)(skb->data + sizeof(struct udphdr));
	/* All other bits are reserved, and ignored as the RFC says. */
	if (unlikely(!(vxh->vx_flags & VXLAN_HF_VNI))) {
		vpc_packet_drop(skb, vnet->stats, VPC_DROP_OUTER_HEADER);
		return;
	}
	vpc = vpc_lookup(vnet, be32_to_cpu(vxlan_vni(vxh->vx_vni)));
	if (unlikely(!vpc)) {
		vpc_packet_drop(skb, vnet->stats, VPC_DROP_VNI);
		return;
	}
	vpc_tunnel_rcv_vpc(vpc, family, skb);
}

int vpc_tunnel_encap_rcv(struct sock *sk, struct sk_buff *skb)
{
	struct vpc_net *vnet = rcu_dereference_sk_user_data(sk);

	/* NULL: the socket is being closed. */
	if (unlikely(!vnet))
		kfree_skb(skb);
	else
		vpc_tunnel_rcv(vnet, sk->sk_family, skb);
	return 0;
}

/* -- ICMP about what we sent --------------------------------------------------------------------------------------- */

/* Whether the packet that is quoted to us came from our VTEP. The network header is in the head. */
static bool vpc_tunnel_err_from_us(const struct vpc_host *host, u8 family, const struct sk_buff *skb)
{
	if (family == AF_INET6)
		return ipv6_addr_equal(&ipv6_hdr(skb)->saddr, &host->vtep6);
	return ip_hdr(skb)->saddr == host->vtep4;
}

int vpc_tunnel_err_lookup(struct sock *sk, struct sk_buff *skb)
{
	const struct vpc_net *vnet = rcu_dereference_sk_user_data(sk);
	const struct vpc_host *host = vnet ? rcu_dereference(vnet->host) : NULL;
	unsigned int offset = skb_transport_offset(skb);
	const struct udphdr *uh;
	int low, high;

	if (!host || !pskb_may_pull(skb, offset + sizeof(*uh)))
		return -ENOENT;
	uh = udp_hdr(skb);
	if (uh->dest != host->udp_port || !vpc_tunnel_err_from_us(host, sk->sk_family, skb))
		return -ENOENT;
	inet_get_local_port_range(sock_net(sk), &low, &high);
	if (ntohs(uh->source) < low || ntohs(uh->source) > high)
		return -ENOENT;
	/* Old routers quote no more than the UDP header. */
	if (pskb_may_pull(skb, offset + VXLAN_HLEN) && !(vxlan_hdr(skb)->vx_flags & VXLAN_HF_VNI))
		return -EINVAL;
	return 0;
}
