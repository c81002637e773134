// SPDX-License-Identifier: GPL-2.0-only
/*
 * ICMP and ICMPv6 from a port's router. Errors: packet.c and mtu.c call vpc_icmp_error() where a packet ends. Echo:
 * packet.c hands over what a port sends to its own gateway.
 *
 * Whether an error is due is read from the packet; how many are, is limited by one bucket a port and family, since
 * whoever can make errors can make a flood of them: its state is one number, which a flood only reads.
 */
#include "icmp.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ktime.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include <net/ndisc.h>
#include "../compat.h"
#include "craft.h"
#include "packet.h"

/* As Linux's icmp_msgs_per_sec and icmp_msgs_burst, but for each port and family by itself. */
#define VPC_ICMP_COST	(NSEC_PER_SEC / 1000)
#define VPC_ICMP_BURST	(50 * VPC_ICMP_COST)

/* How long an error may be, the packet that it quotes included (RFC 1812 4.3.2.3, RFC 4443 2.4 c). */
#define VPC_ICMP_MAX_IPV4 576
#define VPC_ICMP_MAX_IPV6 IPV6_MIN_MTU

/* RFC 1812 4.3.2.5: precedence INTERNETWORK CONTROL. */
#define VPC_ICMP_TOS 0xc0

/* Type and code of the error about a packet that ends for a reason; type 0: it ends silently. */
static const struct vpc_icmp_code {
	u8 type4;
	u8 code4;
	u8 type6;
	u8 code6;
} vpc_icmp_codes[VPC_DROP_MAX + 1] = {
#define VPC_ICMP_NO_WAY { ICMP_DEST_UNREACH, ICMP_NET_UNREACH, ICMPV6_DEST_UNREACH, ICMPV6_NOROUTE }
	[VPC_DROP_NO_ROUTE] = VPC_ICMP_NO_WAY,
	[VPC_DROP_NO_NEXTHOP] = VPC_ICMP_NO_WAY,
	[VPC_DROP_NO_MEMBER] = VPC_ICMP_NO_WAY,
	[VPC_DROP_NO_PEER] = VPC_ICMP_NO_WAY,
#define VPC_ICMP_NOBODY { ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, ICMPV6_DEST_UNREACH, ICMPV6_ADDR_UNREACH }
	[VPC_DROP_UNREACHABLE] = VPC_ICMP_NOBODY,
	[VPC_DROP_NO_PORT] = VPC_ICMP_NOBODY,
	[VPC_DROP_PORT_DOWN] = VPC_ICMP_NOBODY,
	[VPC_DROP_PROHIBIT] = { ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, ICMPV6_DEST_UNREACH, ICMPV6_ADM_PROHIBITED },
	[VPC_DROP_TOO_BIG] = { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, ICMPV6_PKT_TOOBIG, 0 },
	[VPC_DROP_TTL] = { ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, ICMPV6_TIME_EXCEED, ICMPV6_EXC_HOPLIMIT },
};

/* Whether an ICMP message may be answered with an error: only what is known not to be one itself. */
static bool vpc_icmp_type_is_query_ipv4(u8 type)
{
	switch (type) {
	case ICMP_ECHO:
	case ICMP_ECHOREPLY:
	case ICMP_TIMESTAMP:
	case ICMP_TIMESTAMPREPLY:
	case ICMP_INFO_REQUEST:
	case ICMP_INFO_REPLY:
	case ICMP_ADDRESS:
	case ICMP_ADDRESSREPLY:
		return true;
	}
	return false;
}

static bool vpc_icmp_may_answer_ipv4(const struct sk_buff *skb)
{
	const struct iphdr *iph = (const struct iphdr *)skb->data;
	const u8 *type;
	u8 buf;

	if (iph->frag_off & htons(IP_OFFSET))
		return false;
	if (ipv4_is_multicast(iph->daddr) || ipv4_is_lbcast(iph->daddr) || ipv4_is_multicast(iph->saddr) ||
	    ipv4_is_lbcast(iph->saddr) || ipv4_is_zeronet(iph->saddr) || ipv4_is_loopback(iph->saddr))
		return false;
	if (iph->protocol != IPPROTO_ICMP)
		return true;
	type = skb_header_pointer(skb, iph->ihl * 4, sizeof(buf), &buf);
	return type && vpc_icmp_type_is_query_ipv4(*type);
}

static bool vpc_icmp_may_answer_ipv6(const struct sk_buff *skb)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)skb->data;
	u8 nexthdr = ip6h->nexthdr, buf;
	__be16 frag_off = 0;
	const u8 *type;
	int offset;

	if (ipv6_addr_is_multicast(&ip6h->daddr) || ipv6_addr_is_multicast(&ip6h->saddr) ||
	    ipv6_addr_any(&ip6h->saddr) || ipv6_addr_loopback(&ip6h->saddr))
		return false;
	offset = ipv6_skip_exthdr(skb, sizeof(*ip6h), &nexthdr, &frag_off);
	/* At a later fragment it stops with the fragment header itself. */
	if (offset < 0 || nexthdr == NEXTHDR_FRAGMENT)
		return false;
	if (nexthdr != NEXTHDR_ICMP)
		return true;
	type = skb_header_pointer(skb, offset, sizeof(buf), &buf);
	return type && *type & ICMPV6_INFOMSG_MASK && *type != NDISC_REDIRECT;
}

/*
 * The bucket is the time until which it is spent: every error takes VPC_ICMP_COST, and what lies longer ago than
 * VPC_ICMP_BURST is not saved up.
 */
static bool vpc_icmp_allow(struct vpc_port *port, u8 family)
{
	atomic64_t *spent = &port->icmp_spent[family == AF_INET6];
	s64 now = ktime_get_ns(), old = atomic64_read(spent), next;

	do {
		next = max_t(s64, old, now - VPC_ICMP_BURST) + VPC_ICMP_COST;
		if (next > now)
			return false;
	} while (!atomic64_try_cmpxchg(spent, &old, next));
	return true;
}

/* -- errors -------------------------------------------------------------------------------------------------------- */

/* The error's message alone: header, and @skb as far as @max bytes of the whole reach. NULL: out of memory. */
static struct sk_buff *vpc_icmp_quote(const struct sk_buff *skb, const struct vpc_port *port, unsigned int max)
{
	unsigned int len = min(skb->len, max);
	struct sk_buff *error = vpc_craft_new(port, sizeof(struct icmphdr) + len);

	if (!error)
		return NULL;
	BUILD_BUG_ON(sizeof(struct icmphdr) != sizeof(struct icmp6hdr));
	skb_put_zero(error, sizeof(struct icmphdr));
	if (skb_copy_bits(skb, 0, skb_put(error, len), len)) {
		kfree_skb(error);
		return NULL;
	}
	return error;
}

/* Return: the error, data at its IP header; NULL: none is due, or none can be made. */
static struct sk_buff *vpc_icmp_build_ipv4(const struct sk_buff *skb, struct vpc_port *port, enum vpc_drop reason,
					   unsigned int mtu)
{
	const struct vpc_port_conf *conf = rcu_dereference(port->conf);
	struct icmphdr *icmph;
	struct sk_buff *error;

	if (!conf->gateway4 || !vpc_icmp_may_answer_ipv4(skb) || !vpc_icmp_allow(port, AF_INET))
		return NULL;
	error = vpc_icmp_quote(skb, port, VPC_ICMP_MAX_IPV4 - sizeof(struct iphdr) - sizeof(*icmph));
	if (!error)
		return NULL;
	icmph = (struct icmphdr *)error->data;
	icmph->type = vpc_icmp_codes[reason].type4;
	icmph->code = vpc_icmp_codes[reason].code4;
	if (reason == VPC_DROP_TOO_BIG)
		icmph->un.frag.mtu = htons(min_t(unsigned int, mtu, U16_MAX));
	vpc_craft_push_ipv4(error, conf->gateway4, ((const struct iphdr *)skb->data)->saddr, VPC_ICMP_TOS);
	return error;
}

/* As vpc_icmp_build_ipv4(). Without a gateway the link-local address speaks, which is not heard beyond the port. */
static struct sk_buff *vpc_icmp_build_ipv6(const struct sk_buff *skb, struct vpc_port *port, bool to_port,
					   enum vpc_drop reason, unsigned int mtu)
{
	const struct vpc_port_conf *conf = rcu_dereference(port->conf);
	const struct in6_addr *source = &conf->gateway6;
	struct icmp6hdr *icmp6h;
	struct sk_buff *error;

	if (ipv6_addr_any(source))
		source = &vpc_router_lladdr;
	if (!to_port && ipv6_addr_type(source) & IPV6_ADDR_LINKLOCAL)
		return NULL;
	if (!vpc_icmp_may_answer_ipv6(skb) || !vpc_icmp_allow(port, AF_INET6))
		return NULL;
	error = vpc_icmp_quote(skb, port, VPC_ICMP_MAX_IPV6 - sizeof(struct ipv6hdr) - sizeof(*icmp6h));
	if (!error)
		return NULL;
	icmp6h = (struct icmp6hdr *)error->data;
	icmp6h->icmp6_type = vpc_icmp_codes[reason].type6;
	icmp6h->icmp6_code = vpc_icmp_codes[reason].code6;
	if (reason == VPC_DROP_TOO_BIG)
		icmp6h->icmp6_mtu = htonl(mtu);
	vpc_craft_push_ipv6(error, source, &((const struct ipv6hdr *)skb->data)->saddr, IPV6_DEFAULT_HOPLIMIT);
	return error;
}

/* To a sender elsewhere, as if @port had sent it. @error is consumed. */
static void vpc_icmp_send(struct sk_buff *error, struct vpc_port *port)
{
	struct vpc_flow flow = vpc_flow_of_port(port);
	struct vpc_decision decision;
	enum vpc_drop reason;

	flow.router = true;
	flow.smac = vpc_router_mac;
	reason = vpc_packet_pull(error, &flow);
	if (reason) {
		vpc_packet_drop(error, port->stats, reason);
		return;
	}
	vpc_pipeline_from_port(&flow, &decision, NULL);
	vpc_packet_forward(error, &flow, &decision);
}

void vpc_icmp_error(const struct sk_buff *skb, const struct vpc_flow *flow, struct vpc_port *port,
		    enum vpc_drop reason, unsigned int mtu)
{
	struct sk_buff *error;

	/* Errors lead to no errors; those of our own are seen here without a look at them. */
	if (!port || flow->router || !vpc_icmp_codes[reason].type4)
		return;
	if (flow->family == AF_INET6)
		error = vpc_icmp_build_ipv6(skb, port, flow->port == port, reason, mtu);
	else
		error = vpc_icmp_build_ipv4(skb, port, reason, mtu);
	if (!error)
		return;
	if (flow->port == port)
		vpc_craft_xmit(error, port, rcu_dereference(port->conf)->mac);
	else
		vpc_icmp_send(error, port);
}

/* -- echo ---------------------------------------------------------------------------------------------------------- */

bool vpc_icmp_is_for_gateway(const struct vpc_flow *flow)
{
	if (!flow->port || flow->router)
		return false;
	if (flow->proto != (flow->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return false;
	return vpc_port_conf_is_router(flow->conf, flow->family, flow->daddr);
}

/* The ICMP message of @skb from @offset on, as far as it goes. NULL: out of memory. */
static struct sk_buff *vpc_icmp_copy(const struct sk_buff *skb, const struct vpc_port *port, unsigned int offset)
{
	unsigned int len = skb->len - offset;
	struct sk_buff *reply = vpc_craft_new(port, len);

	if (!reply)
		return NULL;
	if (skb_copy_bits(skb, offset, skb_put(reply, len), len)) {
		kfree_skb(reply);
		return NULL;
	}
	return reply;
}

/* Return: VPC_DROP_NONE with the reply, data at its IP header. The skb stays the caller's, as in the next one. */
static enum vpc_drop vpc_icmp_echo_ipv4(struct sk_buff *skb, const struct vpc_port *port, struct sk_buff **ret_reply)
{
	const struct iphdr *iph = (const struct iphdr *)skb->data;
	unsigned int offset = iph->ihl * 4;
	struct icmphdr buf, *icmph;
	struct sk_buff *reply;

	icmph = skb_header_pointer(skb, offset, sizeof(buf), &buf);
	if (ip_is_fragment(iph) || !icmph)
		return icmph ? VPC_DROP_PROTO : VPC_DROP_MALFORMED;
	if (!skb_csum_unnecessary(skb) && csum_fold(skb_checksum(skb, offset, skb->len - offset, 0)))
		return VPC_DROP_MALFORMED;
	if (icmph->type != ICMP_ECHO || icmph->code)
		return VPC_DROP_PROTO;
	reply = vpc_icmp_copy(skb, port, offset);
	if (!reply)
		return VPC_DROP_NOMEM;
	((struct icmphdr *)reply->data)->type = ICMP_ECHOREPLY;
	vpc_craft_push_ipv4(reply, iph->daddr, iph->saddr, iph->tos);
	*ret_reply = reply;
	return VPC_DROP_NONE;
}

static enum vpc_drop vpc_icmp_echo_ipv6(struct sk_buff *skb, const struct vpc_port *port, struct sk_buff **ret_reply)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)skb->data;
	unsigned int offset = sizeof(*ip6h), len = skb->len - offset;
	struct icmp6hdr buf, *icmp6h;
	struct sk_buff *reply;

	/* Nobody pings with extension headers, and fragments are not put together here. */
	if (ip6h->nexthdr != NEXTHDR_ICMP)
		return VPC_DROP_PROTO;
	icmp6h = skb_header_pointer(skb, offset, sizeof(buf), &buf);
	if (!icmp6h)
		return VPC_DROP_MALFORMED;
	if (!skb_csum_unnecessary(skb) && csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, len, IPPROTO_ICMPV6,
							  skb_checksum(skb, offset, len, 0)))
		return VPC_DROP_MALFORMED;
	if (icmp6h->icmp6_type != ICMPV6_ECHO_REQUEST || icmp6h->icmp6_code)
		return VPC_DROP_PROTO;
	reply = vpc_icmp_copy(skb, port, offset);
	if (!reply)
		return VPC_DROP_NOMEM;
	((struct icmp6hdr *)reply->data)->icmp6_type = ICMPV6_ECHO_REPLY;
	vpc_craft_push_ipv6(reply, &ip6h->daddr, &ip6h->saddr, IPV6_DEFAULT_HOPLIMIT);
	*ret_reply = reply;
	return VPC_DROP_NONE;
}

void vpc_icmp_answer(struct sk_buff *skb, const struct vpc_flow *flow)
{
	struct vpc_port *port = flow->port;
	struct sk_buff *reply;
	enum vpc_drop reason;

	if (flow->family == AF_INET6)
		reason = vpc_icmp_echo_ipv6(skb, port, &reply);
	else
		reason = vpc_icmp_echo_ipv4(skb, port, &reply);
	if (reason) {
		vpc_packet_drop(skb, port->stats, reason);
		return;
	}
	vpc_craft_xmit(reply, port, flow->conf->mac);
	consume_skb(skb);
}
