// SPDX-License-Identifier: GPL-2.0-only
/*
 * What port_rx.c and tunnel.c call before the decision: the inner IP header pulled and checked, and from it and what
 * follows the flow read, of which pipeline.c and the flow's hash are functions.
 */
#include "packet.h"

#include <linux/if_vlan.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/ipv6.h>

/* Extension headers that one packet may have. Hosts send one or two; each costs whoever looks past it. */
#define VPC_EXT_HDRS_MAX 8

/* Both ports of TCP, UDP and SCTP stand at the same place. */
struct vpc_ports {
	__be16 sport;
	__be16 dport;
};

/*
 * Whether what the sender left for devices to do lies behind the IP headers. A guest names the place of the checksum
 * that it wants to be filled in; inside the headers it would change addresses after we checked them. And the size of
 * a TCP segment is read from a header that must be there.
 */
static bool vpc_packet_offload_sane(struct sk_buff *skb, unsigned int hlen)
{
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_start_offset(skb) < (int)hlen)
		return false;
	return !skb_is_gso(skb) || !skb_is_gso_tcp(skb) || pskb_may_pull(skb, hlen + sizeof(struct tcphdr));
}

/* @hlen: where the upper header begins. A packet that ends in it has no ports. */
static __always_inline void vpc_packet_ports(const struct sk_buff *skb, unsigned int hlen, bool fragment,
					      struct vpc_flow *ret_flow)
{
	const struct vpc_ports *ports = NULL;
	struct vpc_ports buf;

	if (!fragment && (ret_flow->proto == IPPROTO_TCP || ret_flow->proto == IPPROTO_UDP ||
			  ret_flow->proto == IPPROTO_SCTP))
		ports = skb_header_pointer(skb, hlen, sizeof(buf), &buf);
	ret_flow->sport = ports ? ports->sport : 0;
	ret_flow->dport = ports ? ports->dport : 0;
}

/* -- IPv4 ---------------------------------------------------------------------------------------------------------- */

/* A TCP packet beyond 64 KiB (BIG TCP) has 0 in its header; only the stack on this machine makes those. */
static unsigned int vpc_packet_ipv4_len(const struct sk_buff *skb, const struct iphdr *iph)
{
	unsigned int len = ntohs(iph->tot_len);

	if (unlikely(!len && skb_is_gso(skb) && skb_is_gso_tcp(skb)))
		return skb->len;
	return len;
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
	ret_flow->proto = iph->protocol;
	ret_flow->saddr = (const u8 *)&iph->saddr;
	ret_flow->daddr = (const u8 *)&iph->daddr;
	vpc_packet_ports(skb, hlen, ip_is_fragment(iph), ret_flow);
	return VPC_DROP_NONE;
}

/* -- IPv6 ---------------------------------------------------------------------------------------------------------- */

/* Where the walk along the extension headers stands. */
struct vpc_ext_walk {
	unsigned int offset;	/* of the header that @next names */
	u8 next;
	bool fragment;
	bool end;		/* a later fragment: what follows is no header */
};

static bool vpc_ext_is_header(u8 next)
{
	return next == NEXTHDR_HOP || next == NEXTHDR_DEST || next == NEXTHDR_ROUTING || next == NEXTHDR_AUTH ||
	       next == NEXTHDR_FRAGMENT;
}

/* Return: false when the header is cut off, or forbidden. */
static bool vpc_ext_step(const struct sk_buff *skb, struct vpc_ext_walk *walk)
{
	union {
		struct ipv6_opt_hdr opt;
		struct ipv6_rt_hdr routing;
		struct frag_hdr fragment;
	} buf;
	const struct ipv6_rt_hdr *routing;
	const struct ipv6_opt_hdr *opt;
	const struct frag_hdr *frag;
	unsigned int len;

	if (walk->next == NEXTHDR_FRAGMENT) {
		frag = skb_header_pointer(skb, walk->offset, sizeof(*frag), &buf);
		if (!frag)
			return false;
		walk->fragment = true;
		walk->end = frag->frag_off & htons(IP6_OFFSET);
		walk->next = frag->nexthdr;
		walk->offset += sizeof(*frag);
		return true;
	}
	/* Options for every router come first or not at all (RFC 8200 4.1). */
	if (walk->next == NEXTHDR_HOP && walk->offset != sizeof(struct ipv6hdr))
		return false;
	if (walk->next == NEXTHDR_ROUTING) {
		routing = skb_header_pointer(skb, walk->offset, sizeof(*routing), &buf);
		/* Source routing, by which one packet occupies a path many times over, is forbidden (RFC 5095). */
		if (!routing || routing->type == IPV6_SRCRT_TYPE_0)
			return false;
	}
	opt = skb_header_pointer(skb, walk->offset, sizeof(*opt), &buf);
	if (!opt)
		return false;
	len = walk->next == NEXTHDR_AUTH ? ipv6_authlen(opt) : ipv6_optlen(opt);
	if (walk->offset + len > skb->len)
		return false;
	walk->next = opt->nexthdr;
	walk->offset += len;
	return true;
}

/* To the upper header, all of whose predecessors must be in the (first) packet (RFC 7112). */
static bool vpc_ext_walk(const struct sk_buff *skb, struct vpc_ext_walk *walk)
{
	unsigned int n;

	for (n = 0; vpc_ext_is_header(walk->next) && !walk->end; n++) {
		if (n == VPC_EXT_HDRS_MAX || !vpc_ext_step(skb, walk))
			return false;
	}
	return true;
}

static enum vpc_drop vpc_packet_pull_ipv6(struct sk_buff *skb, struct vpc_flow *ret_flow)
{
	struct vpc_ext_walk walk = { .offset = sizeof(struct ipv6hdr) };
	const struct ipv6hdr *iph;
	unsigned int len;

	if (!pskb_may_pull(skb, sizeof(*iph)))
		return VPC_DROP_MALFORMED;
	iph = (const struct ipv6hdr *)skb->data;
	len = sizeof(*iph) + ntohs(iph->payload_len);
	walk.next = iph->nexthdr;
	/* Without a length it has no payload, or it is a jumbogram (RFC 2675), which no device here could send on. */
	if (iph->version != 6 || (!iph->payload_len && walk.next == NEXTHDR_HOP))
		return VPC_DROP_MALFORMED;
	if (len > skb->len || pskb_trim_rcsum(skb, len))
		return VPC_DROP_MALFORMED;
	if (!vpc_ext_walk(skb, &walk) || !pskb_may_pull(skb, walk.offset) || !vpc_packet_offload_sane(skb, walk.offset))
		return VPC_DROP_MALFORMED;
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, walk.offset);
	iph = ipv6_hdr(skb);
	ret_flow->family = AF_INET6;
	ret_flow->ttl = iph->hop_limit;
	ret_flow->proto = walk.next;
	ret_flow->saddr = iph->saddr.s6_addr;
	ret_flow->daddr = iph->daddr.s6_addr;
	vpc_packet_ports(skb, walk.offset, walk.fragment, ret_flow);
	return VPC_DROP_NONE;
}

enum vpc_drop vpc_packet_pull(struct sk_buff *skb, struct vpc_flow *ret_flow)
{
	/* A customer's VLAN tags end at the port. */
	if (unlikely(skb_vlan_tag_present(skb)))
		return VPC_DROP_PROTO;
	if (skb->protocol == htons(ETH_P_IP))
		return vpc_packet_pull_ipv4(skb, ret_flow);
	if (skb->protocol == htons(ETH_P_IPV6))
		return vpc_packet_pull_ipv6(skb, ret_flow);
	return VPC_DROP_PROTO;
}
