// SPDX-License-Identifier: GPL-2.0-only
/*
 * ARP at a port, called by port_rx.c: to a guest every address but its own is at the router's MAC, so that all it sends
 * comes to us as IP. No ARP frame ever goes further than this.
 *
 * A guest that asks for its own address announces it or defends it, and gets no answer. One that probes (sender
 * 0.0.0.0, RFC 5227) asks whether an address is free, and gets an answer only where it is not: it is the gateway's
 * or mapped. Where a port has a whole prefix, the addresses in it are its own but for the gateway's and those that the
 * mapping knows better.
 */
#include "arp.h"

#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <net/arp.h>
#include "packet.h"

/* The body of an ARP packet for Ethernet and IPv4, behind struct arphdr. */
struct vpc_arp_body {
	u8 sha[ETH_ALEN];
	__be32 sip;
	u8 tha[ETH_ALEN];
	__be32 tip;
} __packed;

/* Return: VPC_DROP_NONE with the body, which lies in the skb's head. */
static enum vpc_drop vpc_arp_pull(struct sk_buff *skb, const struct vpc_arp_body **ret_body)
{
	const struct arphdr *arp;

	if (skb_vlan_tag_present(skb))
		return VPC_DROP_PROTO;
	if (!pskb_may_pull(skb, sizeof(*arp) + sizeof(**ret_body)))
		return VPC_DROP_MALFORMED;
	arp = (const struct arphdr *)skb->data;
	if (arp->ar_hrd != htons(ARPHRD_ETHER) || arp->ar_pro != htons(ETH_P_IP) || arp->ar_hln != ETH_ALEN ||
	    arp->ar_pln != sizeof(__be32))
		return VPC_DROP_MALFORMED;
	/* The answer's addresses are copied at the device's length. */
	if (skb->dev->addr_len != ETH_ALEN)
		return VPC_DROP_PROTO;
	if (arp->ar_op != htons(ARPOP_REQUEST) && arp->ar_op != htons(ARPOP_REPLY))
		return VPC_DROP_MALFORMED;
	*ret_body = (const struct vpc_arp_body *)(arp + 1);
	return VPC_DROP_NONE;
}

/* What is claimed must be the port's own, in the frame and in the packet. 0.0.0.0 claims nothing. */
static enum vpc_drop vpc_arp_check(const struct vpc_port_conf *conf, const struct sk_buff *skb,
				   const struct vpc_arp_body *body)
{
	if (!ether_addr_equal(eth_hdr(skb)->h_source, conf->mac) || !ether_addr_equal_unaligned(body->sha, conf->mac))
		return VPC_DROP_SOURCE_MAC;
	if (!body->sip)
		return VPC_DROP_NONE;
	if (body->sip == conf->gateway4)
		return VPC_DROP_SOURCE_ADDR;
	if (conf->flags & VPC_PORT_F_NO_SOURCE_CHECK)
		return VPC_DROP_NONE;
	if (!vpc_port_conf_owns(conf, AF_INET, (const u8 *)&body->sip))
		return VPC_DROP_SOURCE_ADDR;
	return VPC_DROP_NONE;
}

/* The length of the prefix in which somebody in the VPC has @addr, -1 when nobody has. */
static int vpc_arp_mapped_plen(const struct vpc *vpc, __be32 addr)
{
	const struct vpc_table *mapping = vpc_version_table(rcu_dereference(vpc->version), 0);
	u8 plen;

	if (!mapping || !vpc_trie_lookup(vpc_table_trie(mapping, AF_INET), (const u8 *)&addr, &plen))
		return -1;
	return plen;
}

static bool vpc_arp_wants_answer(const struct vpc_port *port, const struct vpc_port_conf *conf, __be32 sip, __be32 tip)
{
	int own;

	if (ipv4_is_zeronet(tip) || ipv4_is_loopback(tip) || ipv4_is_multicast(tip) || ipv4_is_lbcast(tip))
		return false;
	if (tip == conf->gateway4)
		return true;
	own = vpc_port_conf_plen(conf, AF_INET, (const u8 *)&tip);
	if (sip && own < 0)
		return true;
	return vpc_arp_mapped_plen(port->vpc, tip) > own;
}

static void vpc_arp_answer(struct vpc_port *port, struct net_device *dev, const struct vpc_arp_body *body)
{
	struct sk_buff *skb =
		arp_create(ARPOP_REPLY, ETH_P_ARP, body->sip, dev, body->tip, body->sha, vpc_router_mac, body->sha);

	if (!skb) {
		vpc_stats_drop(port->stats, VPC_DROP_NOMEM, 1);
		return;
	}
	vpc_packet_xmit(skb, port->stats, port->stats);
}

void vpc_arp_rx(struct vpc_port *port, struct sk_buff *skb)
{
	const struct vpc_port_conf *conf = rcu_dereference(port->conf);
	const struct vpc_arp_body *body;
	enum vpc_drop reason;

	reason = vpc_arp_pull(skb, &body);
	if (!reason)
		reason = vpc_arp_check(conf, skb, body);
	if (reason) {
		vpc_packet_drop(skb, port->stats, reason);
		return;
	}
	if (((const struct arphdr *)skb->data)->ar_op == htons(ARPOP_REQUEST) &&
	    vpc_arp_wants_answer(port, conf, body->sip, body->tip))
		vpc_arp_answer(port, skb->dev, body);
	consume_skb(skb);
}
