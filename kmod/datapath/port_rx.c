// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets that guests send: the receive handler of a port's device, the start of the way port -> pipeline.c ->
 * packet.c. The device layer calls it for every frame; control binds and unbinds devices through vpc_port_attach()
 * and _detach().
 *
 * Nothing that a port sends reaches this host's own stack: every frame is consumed here.
 */
#include "port_rx.h"

#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include "arp.h"
#include "datapath.h"
#include "ingress.h"
#include "nd.h"
#include "packet.h"
#include "underlay.h"

/* Of the larger tunnel, and of an Ethernet underlay with a VLAN. */
#define VPC_PORT_HEADROOM (sizeof(struct ipv6hdr) + sizeof(struct udphdr) + sizeof(struct vxlanhdr) + ETH_HLEN + 32)

static void vpc_port_rx_ip(struct vpc_port *port, struct sk_buff *skb)
{
	struct vpc_flow flow = vpc_flow_of_port(port);
	struct vpc_decision decision;
	enum vpc_drop reason;

	reason = vpc_packet_pull(skb, &flow);
	if (!reason && is_multicast_ether_addr(eth_hdr(skb)->h_dest))
		reason = VPC_DROP_MULTICAST;
	if (unlikely(reason)) {
		vpc_packet_drop(skb, port->stats, reason);
		return;
	}
	/* Only now: pulling may have moved the header. */
	flow.smac = eth_hdr(skb)->h_source;
	vpc_pipeline_from_port(&flow, &decision, NULL);
	vpc_packet_forward(skb, &flow, &decision);
}

/* Neighbour discovery; a customer's VLAN tag makes it no business of ours. */
static bool vpc_port_rx_is_nd(struct sk_buff *skb)
{
	return skb->protocol == htons(ETH_P_IPV6) && !skb_vlan_tag_present(skb) && vpc_nd_is(skb);
}

/* Under RCU, bottom halves off; skb->data is behind the Ethernet header. The skb is consumed, or not for us at all. */
static rx_handler_result_t vpc_port_rx(struct sk_buff **pskb)
{
	struct sk_buff *skb = *pskb;
	struct vpc_port *port;

	/* What this host itself sent through the device, seen again by taps. */
	if (unlikely(skb->pkt_type == PACKET_LOOPBACK))
		return RX_HANDLER_PASS;
	port = rcu_dereference(skb->dev->rx_handler_data);
	skb = skb_share_check(skb, GFP_ATOMIC);
	if (unlikely(!skb)) {
		vpc_stats_drop(port->stats, VPC_DROP_NOMEM, 1);
		return RX_HANDLER_CONSUMED;
	}
	vpc_stats_rx(port->stats, vpc_packet_count(skb), skb->len + ETH_HLEN);
	/* skb->sk stays: the sending socket, in whatever namespace, is slowed down by what we still hold of it. */
	if (skb->protocol == htons(ETH_P_ARP))
		vpc_arp_rx(port, skb);
	else if (vpc_port_rx_is_nd(skb))
		vpc_nd_rx(port, skb);
	else
		vpc_port_rx_ip(port, skb);
	return RX_HANDLER_CONSUMED;
}

bool vpc_dev_is_port(const struct net_device *dev)
{
	return rcu_access_pointer(dev->rx_handler) == vpc_port_rx;
}

/* Why netdev_rx_handler_register() would not have it. */
static void vpc_port_refuse(int err, struct netlink_ext_ack *extack)
{
	if (err == -EBUSY)
		NL_SET_ERR_MSG(extack,
			       "the device's packets go elsewhere: it is a member of a bridge, bond or the like");
	else
		NL_SET_ERR_MSG(extack, "the device lets nobody else receive its packets");
}

int vpc_port_attach(struct vpc_port *port, struct net_device *dev, struct netlink_ext_ack *extack)
{
	int err;

	ASSERT_RTNL();
	lockdep_assert_held(&port->vpc->vnet->lock);
	if (dev->type != ARPHRD_ETHER || dev->flags & IFF_LOOPBACK) {
		NL_SET_ERR_MSG(extack, "a port's device must be Ethernet, such as a tap or veth, and not a loopback");
		return -EINVAL;
	}
	if (!try_module_get(THIS_MODULE)) {
		NL_SET_ERR_MSG(extack, "the module is being removed");
		return -ENODEV;
	}
	err = netdev_rx_handler_register(dev, vpc_port_rx, port);
	if (err) {
		vpc_port_refuse(err, extack);
		module_put(THIS_MODULE);
		return err;
	}
	netdev_hold(dev, &port->dev_tracker, GFP_KERNEL);
	/* Packets merged beyond recognition by a device cannot be forwarded. */
	dev_disable_lro(dev);
	/* Guests' packets come with room for our headers, so that they need not be moved. */
	netdev_set_rx_headroom(dev, VPC_PORT_HEADROOM);
	vpc_ingress_del(dev);
	rcu_assign_pointer(port->dev, dev);
	return 0;
}

void vpc_port_detach(struct vpc_port *port)
{
	struct net_device *dev = rtnl_dereference(port->dev);

	ASSERT_RTNL();
	lockdep_assert_held(&port->vpc->vnet->lock);
	if (!dev)
		return;
	RCU_INIT_POINTER(port->dev, NULL);
	/* Waits for those who receive from the device and, as port->dev is gone by now, for those who deliver to it. */
	netdev_rx_handler_unregister(dev);
	netdev_reset_rx_headroom(dev);
	netdev_put(dev, &port->dev_tracker);
	module_put(THIS_MODULE);
}
