// SPDX-License-Identifier: GPL-2.0-only
/*
 * IPv6 neighbour discovery at a port, called by port_rx.c: arp.c's rules, in IPv6's words. Every address but the
 * port's own is at the router's MAC; no neighbour discovery ever goes further than this, since receivers trust its hop
 * limit of 255, which packets inside a VPC keep.
 *
 * Link-local addresses: fe80::fcee:ff:fe00:1 is the router's. A guest may use any other as source here and only here
 * (its EUI-64 one, or one that it made up, RFC 7217): they lead nowhere else. None of them is answered for.
 */
#include "nd.h"

#include <linux/if_vlan.h>
#include <net/addrconf.h>
#include <net/ip6_checksum.h>
#include <net/ndisc.h>
#include "craft.h"
#include "packet.h"
#include "ra.h"

/* Advertisements have room for the router's MAC and nothing else. */
struct vpc_nd_na {
	struct nd_msg msg;
	u8 type;
	u8 len;
	u8 mac[ETH_ALEN];
} __packed;

static bool vpc_nd_is_lladdr(const struct in6_addr *addr)
{
	return ipv6_addr_type(addr) & IPV6_ADDR_LINKLOCAL && !ipv6_addr_equal(addr, &vpc_router_lladdr);
}

bool vpc_nd_is(struct sk_buff *skb)
{
	struct ipv6hdr buf, *ip6h = skb_header_pointer(skb, 0, sizeof(buf), &buf);
	__be16 frag_off = 0;
	u8 nexthdr, type_buf;
	const u8 *type;
	int offset;

	if (!ip6h)
		return false;
	nexthdr = ip6h->nexthdr;
	offset = ipv6_skip_exthdr(skb, sizeof(*ip6h), &nexthdr, &frag_off);
	if (offset < 0 || nexthdr != NEXTHDR_ICMP)
		return false;
	type = skb_header_pointer(skb, offset, sizeof(type_buf), &type_buf);
	/* A fragment that ends before it may well be. */
	return !type || (*type >= NDISC_ROUTER_SOLICITATION && *type <= NDISC_REDIRECT);
}

/* -- checks: RFC 4861 6.1.1, 7.1.1, 7.1.2, and what is claimed must be the port's own ------------------------------ */

static bool vpc_nd_checksum_ok(const struct sk_buff *skb, const struct ipv6hdr *ip6h)
{
	unsigned int len = skb->len - sizeof(*ip6h);

	return skb_csum_unnecessary(skb) ||
	       !csum_ipv6_magic(&ip6h->saddr, &ip6h->daddr, len, IPPROTO_ICMPV6,
				skb_checksum(skb, sizeof(*ip6h), len, 0));
}

/* The whole message comes into the skb's head, and padding goes. */
static enum vpc_drop vpc_nd_pull(struct sk_buff *skb)
{
	const struct ipv6hdr *ip6h;
	unsigned int len;

	if (skb_vlan_tag_present(skb) || skb->dev->addr_len != ETH_ALEN)
		return VPC_DROP_PROTO;
	if (!pskb_may_pull(skb, sizeof(*ip6h)))
		return VPC_DROP_MALFORMED;
	ip6h = (const struct ipv6hdr *)skb->data;
	len = sizeof(*ip6h) + ntohs(ip6h->payload_len);
	/* Behind extension headers or in fragments nobody has to send it, and nobody should (RFC 6980). */
	if (ip6h->version != 6 || ip6h->nexthdr != NEXTHDR_ICMP || ip6h->hop_limit != VPC_ND_HOP_LIMIT)
		return VPC_DROP_MALFORMED;
	if (skb_is_gso(skb) || len < sizeof(*ip6h) + sizeof(struct icmp6hdr) || len > skb->len ||
	    pskb_trim_rcsum(skb, len) || skb_linearize(skb))
		return VPC_DROP_MALFORMED;
	ip6h = (const struct ipv6hdr *)skb->data;
	if (!vpc_nd_checksum_ok(skb, ip6h) || ((const struct icmp6hdr *)(ip6h + 1))->icmp6_code)
		return VPC_DROP_MALFORMED;
	return VPC_DROP_NONE;
}

/*
 * The options behind the first @len bytes of the message: well-formed, and no link-layer address but the port's.
 * @ret_lladdr: whether there is one.
 */
static enum vpc_drop vpc_nd_check_options(const struct sk_buff *skb, unsigned int len, u8 lladdr_type, const u8 *mac,
					  bool *ret_lladdr)
{
	const u8 *option = skb->data + sizeof(struct ipv6hdr) + len, *end = skb_tail_pointer(skb);

	*ret_lladdr = false;
	if (option > end)
		return VPC_DROP_MALFORMED;
	for (; option < end; option += option[1] * 8) {
		if (end - option < 8 || !option[1] || option[1] * 8 > end - option)
			return VPC_DROP_MALFORMED;
		if (option[0] != lladdr_type)
			continue;
		if (option[1] != 1)
			return VPC_DROP_MALFORMED;
		if (!ether_addr_equal_unaligned(option + 2, mac))
			return VPC_DROP_SOURCE_MAC;
		*ret_lladdr = true;
	}
	return VPC_DROP_NONE;
}

static bool vpc_nd_is_router(const struct vpc_port_conf *conf, const struct in6_addr *addr)
{
	return vpc_port_conf_is_router(conf, AF_INET6, addr->s6_addr);
}

/* Whether the guest may say of @addr that it is its own. */
static bool vpc_nd_may_claim(const struct vpc_port_conf *conf, const struct in6_addr *addr)
{
	if (vpc_nd_is_router(conf, addr))
		return false;
	return conf->flags & VPC_PORT_F_NO_SOURCE_CHECK || vpc_nd_is_lladdr(addr) ||
	       vpc_port_conf_owns(conf, AF_INET6, addr->s6_addr);
}

static enum vpc_drop vpc_nd_check_rs(const struct vpc_port_conf *conf, const struct sk_buff *skb)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)skb->data;
	enum vpc_drop reason;
	bool lladdr;

	reason = vpc_nd_check_options(skb, sizeof(struct rs_msg), ND_OPT_SOURCE_LL_ADDR, conf->mac, &lladdr);
	if (reason)
		return reason;
	return lladdr && ipv6_addr_any(&ip6h->saddr) ? VPC_DROP_MALFORMED : VPC_DROP_NONE;
}

static enum vpc_drop vpc_nd_check_ns(const struct vpc_port_conf *conf, const struct sk_buff *skb)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)skb->data;
	const struct nd_msg *msg = (const struct nd_msg *)(ip6h + 1);
	enum vpc_drop reason;
	bool lladdr;

	reason = vpc_nd_check_options(skb, sizeof(*msg), ND_OPT_SOURCE_LL_ADDR, conf->mac, &lladdr);
	if (reason)
		return reason;
	if (ipv6_addr_is_multicast(&msg->target))
		return VPC_DROP_MALFORMED;
	if (ipv6_addr_any(&ip6h->saddr) && (lladdr || !ipv6_addr_is_solict_mult(&ip6h->daddr)))
		return VPC_DROP_MALFORMED;
	return VPC_DROP_NONE;
}

static enum vpc_drop vpc_nd_check_na(const struct vpc_port_conf *conf, const struct sk_buff *skb)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)skb->data;
	const struct nd_msg *msg = (const struct nd_msg *)(ip6h + 1);
	enum vpc_drop reason;
	bool lladdr;

	reason = vpc_nd_check_options(skb, sizeof(*msg), ND_OPT_TARGET_LL_ADDR, conf->mac, &lladdr);
	if (reason)
		return reason;
	if (ipv6_addr_is_multicast(&msg->target) || ipv6_addr_any(&ip6h->saddr) ||
	    (ipv6_addr_is_multicast(&ip6h->daddr) && msg->icmph.icmp6_solicited))
		return VPC_DROP_MALFORMED;
	return vpc_nd_may_claim(conf, &msg->target) ? VPC_DROP_NONE : VPC_DROP_SOURCE_ADDR;
}

/* @skb: vpc_nd_pull(). */
static enum vpc_drop vpc_nd_check(const struct vpc_port_conf *conf, const struct sk_buff *skb)
{
	const struct ipv6hdr *ip6h = (const struct ipv6hdr *)skb->data;
	const struct icmp6hdr *icmp6h = (const struct icmp6hdr *)(ip6h + 1);
	enum vpc_drop reason;

	if (!ether_addr_equal(eth_hdr(skb)->h_source, conf->mac))
		return VPC_DROP_SOURCE_MAC;
	switch (icmp6h->icmp6_type) {
	case NDISC_ROUTER_SOLICITATION:
		reason = vpc_nd_check_rs(conf, skb);
		break;
	case NDISC_NEIGHBOUR_SOLICITATION:
		reason = vpc_nd_check_ns(conf, skb);
		break;
	case NDISC_NEIGHBOUR_ADVERTISEMENT:
		reason = vpc_nd_check_na(conf, skb);
		break;
	default:
		/* Router advertisements and redirects: a guest that claims to be the router. */
		return VPC_DROP_SOURCE_ADDR;
	}
	if (reason)
		return reason;
	if (ipv6_addr_any(&ip6h->saddr) || vpc_nd_may_claim(conf, &ip6h->saddr))
		return VPC_DROP_NONE;
	return VPC_DROP_SOURCE_ADDR;
}

/* -- answers ------------------------------------------------------------------------------------------------------- */

/* The length of the prefix in which somebody in the VPC has @addr, -1 when nobody has. */
static int vpc_nd_mapped_plen(const struct vpc *vpc, const struct in6_addr *addr)
{
	const struct vpc_table *mapping = vpc_version_table(rcu_dereference(vpc->version), 0);
	u8 plen;

	if (!mapping || !vpc_trie_lookup(vpc_table_trie(mapping, AF_INET6), addr->s6_addr, &plen))
		return -1;
	return plen;
}

/* @probe: nobody asks, but whether the address is free (duplicate address detection). */
static bool vpc_nd_wants_answer(const struct vpc_port *port, const struct vpc_port_conf *conf, bool probe,
				const struct in6_addr *target)
{
	int own;

	if (vpc_nd_is_router(conf, target))
		return true;
	if (ipv6_addr_any(target) || ipv6_addr_loopback(target) || vpc_nd_is_lladdr(target))
		return false;
	own = vpc_port_conf_plen(conf, AF_INET6, target->s6_addr);
	if (!probe && own < 0)
		return true;
	return vpc_nd_mapped_plen(port->vpc, target) > own;
}

/* To who asked; to all nodes when nobody did. For other guests' addresses the router is but a proxy: no Override. */
static void vpc_nd_answer(struct vpc_port *port, const struct vpc_port_conf *conf, const struct in6_addr *asker,
			  const struct in6_addr *target)
{
	static const struct in6_addr all_nodes = IN6ADDR_LINKLOCAL_ALLNODES_INIT;
	bool probe = ipv6_addr_any(asker), router = vpc_nd_is_router(conf, target);
	struct sk_buff *skb = vpc_craft_new(port, sizeof(struct vpc_nd_na));
	struct vpc_nd_na *na;
	u8 dmac[ETH_ALEN];

	if (!skb) {
		vpc_stats_drop(port->stats, VPC_DROP_NOMEM, 1);
		return;
	}
	na = skb_put_zero(skb, sizeof(*na));
	na->msg.icmph.icmp6_type = NDISC_NEIGHBOUR_ADVERTISEMENT;
	na->msg.icmph.icmp6_router = 1;
	na->msg.icmph.icmp6_solicited = !probe;
	na->msg.icmph.icmp6_override = router;
	na->msg.target = *target;
	na->type = ND_OPT_TARGET_LL_ADDR;
	na->len = 1;
	memcpy(na->mac, vpc_router_mac, ETH_ALEN);
	if (probe)
		ipv6_eth_mc_map(&all_nodes, dmac);
	else
		ether_addr_copy(dmac, conf->mac);
	vpc_craft_push_ipv6(skb, router ? target : &vpc_router_lladdr, probe ? &all_nodes : asker, VPC_ND_HOP_LIMIT);
	vpc_craft_xmit(skb, port, dmac);
}

void vpc_nd_rx(struct vpc_port *port, struct sk_buff *skb)
{
	const struct vpc_port_conf *conf = rcu_dereference(port->conf);
	const struct ipv6hdr *ip6h;
	const struct nd_msg *msg;
	enum vpc_drop reason;

	reason = vpc_nd_pull(skb);
	if (!reason)
		reason = vpc_nd_check(conf, skb);
	if (reason) {
		vpc_packet_drop(skb, port->stats, reason);
		return;
	}
	ip6h = (const struct ipv6hdr *)skb->data;
	msg = (const struct nd_msg *)(ip6h + 1);
	if (msg->icmph.icmp6_type == NDISC_ROUTER_SOLICITATION)
		vpc_ra_send(port, ipv6_addr_any(&ip6h->saddr) ? NULL : &ip6h->saddr);
	else if (msg->icmph.icmp6_type == NDISC_NEIGHBOUR_SOLICITATION &&
		 vpc_nd_wants_answer(port, conf, ipv6_addr_any(&ip6h->saddr), &msg->target))
		vpc_nd_answer(port, conf, &ip6h->saddr, &msg->target);
	consume_skb(skb);
}
