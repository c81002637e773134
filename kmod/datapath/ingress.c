// SPDX-License-Identifier: GPL-2.0-only
/*
 * The short way in: plain VXLAN packets for our IPv4 VTEP go from the underlay's device straight to tunnel.c, past the
 * host's IP and UDP. A netfilter hook at the ingress of each Ethernet device that is not a port.
 *
 * It is only a short cut: whatever the long way would have done to a packet must be nothing. So a packet takes the long
 * way when anybody could want a say (a netfilter hook of IPv4's prerouting or input: firewall, conntrack, NAT; IPsec
 * policies; strict reverse path filtering; a bridge, bond or VRF that the device belongs to), and when it is in any way
 * unusual: options, fragments, an outer checksum. Chains of the netdev family and tc come before us, packet taps see
 * what they always see.
 */
#include "ingress.h"

#ifdef CONFIG_NETFILTER_INGRESS

#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/inetdevice.h>
#include <linux/moduleparam.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/l3mdev.h>
#include <net/vxlan.h>
#include <net/xfrm.h>
#include "port_rx.h"
#include "tunnel.h"

static bool vpc_ingress_on = true;
module_param_named(ingress, vpc_ingress_on, bool, 0644);
MODULE_PARM_DESC(ingress, "take plain tunnel packets at the underlay's device, past IP and UDP, where no firewall, "
			  "IPsec policy or strict rp_filter wants them (default: on)");

/* The hook on one device. */
struct vpc_ingress {
	struct list_head list;		/* vpc_ingresses */
	struct nf_hook_ops ops;
};

static LIST_HEAD(vpc_ingresses);	/* of all namespaces; RTNL */

#define VPC_INGRESS_HLEN (sizeof(struct iphdr) + VXLAN_HLEN)

/* Whether the packet is one for the tunnel as we ourselves send them. @skb: data at the network header. */
static bool vpc_ingress_is_plain(const struct sk_buff *skb, const struct vpc_host *host)
{
	const struct iphdr *iph = (const struct iphdr *)skb->data;
	const struct udphdr *uh = (const struct udphdr *)(iph + 1);
	unsigned int len;

	if (skb->protocol != htons(ETH_P_IP) || skb->pkt_type != PACKET_HOST || skb_headlen(skb) < VPC_INGRESS_HLEN)
		return false;
	if (iph->daddr != host->vtep4 || iph->protocol != IPPROTO_UDP || uh->dest != host->udp_port || uh->check)
		return false;
	if (iph->version != 4 || iph->ihl != 5 || iph->frag_off & ~htons(IP_DF) || skb_vlan_tag_present(skb))
		return false;
	len = ntohs(iph->tot_len);
	if (len < VPC_INGRESS_HLEN || len > skb->len || ntohs(uh->len) != len - sizeof(*iph))
		return false;
	return !ip_fast_csum((const u8 *)iph, 5);
}

static bool vpc_ingress_ipsec(const struct net *net, const struct sk_buff *skb)
{
#ifdef CONFIG_XFRM
	return net->xfrm.policy_count[XFRM_POLICY_IN] ||
	       net->xfrm.policy_default[XFRM_POLICY_IN] != XFRM_USERPOLICY_ACCEPT || secpath_exists(skb);
#else
	return false;
#endif
}

/* Whether nobody else wants a say in what comes in there. */
static bool vpc_ingress_is_ours(const struct net *net, const struct sk_buff *skb)
{
	struct in_device *in_dev = __in_dev_get_rcu(skb->dev);

	if (!in_dev || IN_DEV_RPFILTER(in_dev) == 1)
		return false;
	if (rcu_access_pointer(skb->dev->rx_handler) || netif_is_l3_slave(skb->dev))
		return false;
	if (rcu_access_pointer(net->nf.hooks_ipv4[NF_INET_PRE_ROUTING]) ||
	    rcu_access_pointer(net->nf.hooks_ipv4[NF_INET_LOCAL_IN]))
		return false;
	return !vpc_ingress_ipsec(net, skb);
}

/* Under RCU, bottom halves off. */
static unsigned int vpc_ingress_hook(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	struct vpc_net *vnet = priv;
	const struct vpc_host *host = rcu_dereference(vnet->host);

	if (!host || !vpc_ingress_is_plain(skb, host) || !READ_ONCE(vpc_ingress_on) ||
	    !vpc_ingress_is_ours(vnet->net, skb))
		return NF_ACCEPT;
	skb = skb_share_check(skb, GFP_ATOMIC);
	if (unlikely(!skb))
		return NF_STOLEN;
	/* Behind the packet there may be Ethernet's padding. */
	if (unlikely(pskb_trim_rcsum(skb, ntohs(((const struct iphdr *)skb->data)->tot_len)))) {
		kfree_skb(skb);
		return NF_STOLEN;
	}
	skb_reset_network_header(skb);
	/* A device's sum over all of it is not changed by a header whose own sum is right. */
	__skb_pull(skb, sizeof(struct iphdr));
	skb_reset_transport_header(skb);
	/* As UDP does: an outer checksum of 0 counts as one of those that the device says it has checked. */
	skb_checksum_init_zero_check(skb, IPPROTO_UDP, 0, inet_compute_pseudo);
	vpc_tunnel_rcv(vnet, AF_INET, skb);
	return NF_STOLEN;
}

void vpc_ingress_add(struct vpc_net *vnet, struct net_device *dev)
{
	struct vpc_ingress *ingress;

	ASSERT_RTNL();
	if (dev->type != ARPHRD_ETHER || dev->flags & IFF_LOOPBACK || vpc_dev_is_port(dev))
		return;
	ingress = kzalloc(sizeof(*ingress), GFP_KERNEL);
	if (!ingress)
		return;
	ingress->ops = (struct nf_hook_ops){
		.hook = vpc_ingress_hook,
		.dev = dev,
		.priv = vnet,
		.pf = NFPROTO_NETDEV,
		.hooknum = NF_NETDEV_INGRESS,
		.priority = INT_MAX,
	};
	if (nf_register_net_hook(vnet->net, &ingress->ops))
		kfree(ingress);
	else
		list_add(&ingress->list, &vpc_ingresses);
}

static void vpc_ingress_free(struct vpc_ingress *ingress)
{
	const struct vpc_net *vnet = ingress->ops.priv;

	nf_unregister_net_hook(vnet->net, &ingress->ops);
	list_del(&ingress->list);
	kfree(ingress);
}

void vpc_ingress_del(const struct net_device *dev)
{
	struct vpc_ingress *ingress, *next;

	ASSERT_RTNL();
	list_for_each_entry_safe(ingress, next, &vpc_ingresses, list) {
		if (ingress->ops.dev == dev)
			vpc_ingress_free(ingress);
	}
}

void vpc_ingress_start(struct vpc_net *vnet)
{
	struct net_device *dev;

	for_each_netdev(vnet->net, dev)
		vpc_ingress_add(vnet, dev);
}

void vpc_ingress_stop(const struct vpc_net *vnet)
{
	struct vpc_ingress *ingress, *next;

	ASSERT_RTNL();
	list_for_each_entry_safe(ingress, next, &vpc_ingresses, list) {
		if (ingress->ops.priv == vnet)
			vpc_ingress_free(ingress);
	}
}

#endif
