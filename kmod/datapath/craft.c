// SPDX-License-Identifier: GPL-2.0-only
/*
 * What nd.c, ra.c and icmp.c have in common: the frame around a message that a port's router makes itself. To the port
 * it leaves by its device here; icmp.c sends some to the pipeline instead.
 */
#include "craft.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include "packet.h"

/* In front of the IP header: Ethernet, and the tunnel's headers on the underlay (IPv6, UDP, VXLAN, Ethernet twice). */
#define VPC_CRAFT_HEADROOM 128

/* What a host sends when nothing else is said (RFC 1700). */
#define VPC_CRAFT_TTL 64

struct sk_buff *vpc_craft_new(const struct vpc_port *port, unsigned int len)
{
	struct net_device *dev = rcu_dereference(port->dev);
	struct sk_buff *skb;

	skb = alloc_skb(VPC_CRAFT_HEADROOM + sizeof(struct ipv6hdr) + len, GFP_ATOMIC);
	if (!skb)
		return NULL;
	skb_reserve(skb, VPC_CRAFT_HEADROOM + sizeof(struct ipv6hdr));
	/* The flow dissector wants to know the namespace, whoever calls it. */
	skb->dev = dev ?: port->vpc->vnet->net->loopback_dev;
	return skb;
}

void vpc_craft_push_ipv4(struct sk_buff *skb, __be32 saddr, __be32 daddr, u8 tos)
{
	struct icmphdr *icmph = (struct icmphdr *)skb->data;
	struct iphdr *iph;

	icmph->checksum = 0;
	icmph->checksum = csum_fold(skb_checksum(skb, 0, skb->len, 0));
	iph = skb_push(skb, sizeof(*iph));
	*iph = (struct iphdr){
		.version = 4,
		.ihl = sizeof(*iph) / 4,
		.tos = tos,
		.tot_len = htons(skb->len),
		/* Never fragmented, so that it needs no id (RFC 6864). */
		.frag_off = htons(IP_DF),
		.ttl = VPC_CRAFT_TTL,
		.protocol = IPPROTO_ICMP,
		.saddr = saddr,
		.daddr = daddr,
	};
	ip_send_check(iph);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, sizeof(*iph));
	skb->protocol = htons(ETH_P_IP);
}

void vpc_craft_push_ipv6(struct sk_buff *skb, const struct in6_addr *saddr, const struct in6_addr *daddr, u8 hop_limit)
{
	struct icmp6hdr *icmp6h = (struct icmp6hdr *)skb->data;
	unsigned int len = skb->len;
	struct ipv6hdr *ip6h;

	icmp6h->icmp6_cksum = 0;
	icmp6h->icmp6_cksum = csum_ipv6_magic(saddr, daddr, len, IPPROTO_ICMPV6, skb_checksum(skb, 0, len, 0));
	ip6h = skb_push(skb, sizeof(*ip6h));
	*ip6h = (struct ipv6hdr){
		.version = 6,
		.payload_len = htons(len),
		.nexthdr = NEXTHDR_ICMP,
		.hop_limit = hop_limit,
		.saddr = *saddr,
		.daddr = *daddr,
	};
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, sizeof(*ip6h));
	skb->protocol = htons(ETH_P_IPV6);
}

void vpc_craft_xmit(struct sk_buff *skb, struct vpc_port *port, const u8 *dmac)
{
	struct net_device *dev = rcu_dereference(port->dev);
	struct ethhdr *eth;

	if (!dev || skb->len > READ_ONCE(dev->mtu)) {
		vpc_packet_drop(skb, port->stats, dev ? VPC_DROP_TOO_BIG : VPC_DROP_PORT_DOWN);
		return;
	}
	eth = skb_push(skb, ETH_HLEN);
	skb_reset_mac_header(skb);
	skb_reset_mac_len(skb);
	ether_addr_copy(eth->h_dest, dmac);
	ether_addr_copy(eth->h_source, vpc_router_mac);
	eth->h_proto = skb->protocol;
	skb->dev = dev;
	vpc_packet_xmit(skb, port->stats, port->stats);
}
