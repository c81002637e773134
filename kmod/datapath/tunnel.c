// SPDX-License-Identifier: GPL-2.0-only
/*
 * VXLAN in (RFC 7348): this host's tunnel socket, one a namespace, and the start of the way wire -> pipeline.c -> packet.c.
 * UDP calls vpc_tunnel_rcv() for every datagram; control opens and moves the socket through vpc_host_set().
 *
 * A packet's VNI names the VPC; the pipeline decides whether the sender belongs to it. Devices that can parse VXLAN are
 * told the UDP port, so that they check inner checksums and spread inner flows.
 */
#include "tunnel.h"

#include <linux/rtnetlink.h>
#include <net/inet_ecn.h>
#include <net/udp_tunnel.h>
#include <net/vxlan.h>
#include "datapath.h"
#include "packet.h"

/* Of the outer header, which is gone when they are needed. */
struct vpc_tunnel_outer {
	__be32 saddr;
	u8 tos;
};

/* Outer headers off, inner Ethernet header behind us. The skb stays the caller's. */
static enum vpc_drop vpc_tunnel_pull(struct sk_buff *skb)
{
	/* Also takes off what tunnel offloads, conntrack and marks of the underlay left in the skb. */
	if (iptunnel_pull_header(skb, VXLAN_HLEN, htons(ETH_P_TEB), true))
		return VPC_DROP_MALFORMED;
	skb_reset_mac_header(skb);
	skb_pull_rcsum(skb, ETH_HLEN);
	skb_reset_network_header(skb);
	skb_reset_mac_len(skb);
	return is_multicast_ether_addr(eth_hdr(skb)->h_dest) ? VPC_DROP_MULTICAST : VPC_DROP_NONE;
}

/* Congestion met on the underlay is shown to the guest (RFC 6040). The skb stays the caller's. */
static enum vpc_drop vpc_tunnel_ecn(struct sk_buff *skb, u8 outer_tos)
{
	bool set_ce = false;

	/* Congestion marked on a packet whose sender cannot react: the RFC has it dropped. */
	if (__INET_ECN_decapsulate(outer_tos, ip_tunnel_get_dsfield(ip_hdr(skb), skb), &set_ce) > 1)
		return VPC_DROP_OUTER_HEADER;
	if (!set_ce)
		return VPC_DROP_NONE;
	if (skb_ensure_writable(skb, sizeof(struct iphdr)))
		return VPC_DROP_NOMEM;
	INET_ECN_set_ce(skb);
	return VPC_DROP_NONE;
}

/* @skb: data at the UDP header, it and the VXLAN header are in the head. It is consumed. */
static void vpc_tunnel_rcv_vpc(struct vpc *vpc, struct sk_buff *skb)
{
	const struct vpc_tunnel_outer outer = { .saddr = ip_hdr(skb)->saddr, .tos = ip_hdr(skb)->tos };
	struct vpc_flow flow = {
		.vnet = vpc->vnet,
		.host = rcu_dereference(vpc->vnet->host),
		.vpc = vpc,
		.version = rcu_dereference(vpc->version),
		.outer_family = AF_INET,
		.outer_saddr = (const u8 *)&outer.saddr,
	};
	struct vpc_decision decision;
	enum vpc_drop reason;

	vpc_stats_rx(vpc->stats, vpc_packet_count(skb), skb->len - VXLAN_HLEN);
	reason = vpc_tunnel_pull(skb);
	if (!reason)
		reason = vpc_packet_pull(skb, &flow);
	if (unlikely(reason)) {
		vpc_packet_drop(skb, vpc->stats, reason);
		return;
	}
	vpc_pipeline_from_wire(&flow, &decision, NULL);
	if (!decision.reason)
		decision.reason = vpc_tunnel_ecn(skb, outer.tos);
	vpc_packet_forward(skb, &flow, &decision);
}

/* Under RCU, bottom halves off, skb->data at the UDP header. Return: 0, the skb is consumed in every case. */
static int vpc_tunnel_rcv(struct sock *sk, struct sk_buff *skb)
{
	struct vpc_net *vnet = rcu_dereference_sk_user_data(sk);
	const struct vxlanhdr *vxh;
	struct vpc *vpc;

	/* The socket is being closed. */
	if (unlikely(!vnet)) {
		kfree_skb(skb);
		return 0;
	}
	if (unlikely(!pskb_may_pull(skb, VXLAN_HLEN))) {
		vpc_packet_drop(skb, vnet->stats, VPC_DROP_OUTER_HEADER);
		return 0;
	}
	vxh = vxlan_hdr(skb);
	/* All other bits are reserved, and ignored as the RFC says. */
	if (unlikely(!(vxh->vx_flags & VXLAN_HF_VNI))) {
		vpc_packet_drop(skb, vnet->stats, VPC_DROP_OUTER_HEADER);
		return 0;
	}
	vpc = vpc_lookup(vnet, be32_to_cpu(vxlan_vni(vxh->vx_vni)));
	if (unlikely(!vpc)) {
		vpc_packet_drop(skb, vnet->stats, VPC_DROP_VNI);
		return 0;
	}
	vpc_tunnel_rcv_vpc(vpc, skb);
	return 0;
}

/* -- the socket ---------------------------------------------------------------------------------------------------- */

static int vpc_tunnel_open(struct vpc_net *vnet, __be32 vtep4, __be16 udp_port, struct socket **ret_sock)
{
	struct udp_port_cfg port = {
		.family = AF_INET,
		.local_ip.s_addr = vtep4,
		.local_udp_port = udp_port,
	};
	struct udp_tunnel_sock_cfg tunnel = {
		.sk_user_data = vnet,
		.encap_type = 1,
		.encap_rcv = vpc_tunnel_rcv,
		.gro_receive = vpc_tunnel_gro_receive,
		.gro_complete = vpc_tunnel_gro_complete,
	};
	struct socket *sock;
	int err;

	err = udp_sock_create(vnet->net, &port, &sock);
	if (err)
		return err;
	setup_udp_tunnel_sock(vnet->net, sock, &tunnel);
	udp_tunnel_notify_add_rx_port(sock, UDP_TUNNEL_TYPE_VXLAN);
	*ret_sock = sock;
	return 0;
}

/* @host is unpublished; waits for those who still send through its socket, then for those who receive from it. */
static void vpc_host_close(struct vpc_host *host)
{
	ASSERT_RTNL();
	if (!host)
		return;
	synchronize_net();
	udp_tunnel_notify_del_rx_port(host->sock4, UDP_TUNNEL_TYPE_VXLAN);
	udp_tunnel_sock_release(host->sock4);
	synchronize_net();
	kfree(host);
}

static void vpc_host_refusal(int err, struct netlink_ext_ack *extack)
{
	switch (err) {
	case -EADDRINUSE:
		NL_SET_ERR_MSG(extack, "the VTEP's UDP port is in use by another socket, such as a VXLAN device's");
		break;
	case -EADDRNOTAVAIL:
		NL_SET_ERR_MSG(extack, "the VTEP is not an address of this host");
		break;
	default:
		NL_SET_ERR_MSG(extack, "the tunnel socket cannot be opened");
	}
}

int vpc_host_set(struct vpc_net *vnet, __be32 vtep4, __be16 udp_port, struct netlink_ext_ack *extack)
{
	struct vpc_host *old, *host;
	int err;

	ASSERT_RTNL();
	lockdep_assert_held(&vnet->lock);
	old = rcu_dereference_protected(vnet->host, lockdep_is_held(&vnet->lock));
	if (old && old->vtep4 == vtep4 && old->udp_port == udp_port)
		return 0;
	host = kzalloc(sizeof(*host), GFP_KERNEL);
	if (!host)
		return -ENOMEM;
	host->vtep4 = vtep4;
	host->udp_port = udp_port;
	err = vpc_tunnel_open(vnet, vtep4, udp_port, &host->sock4);
	if (err) {
		vpc_host_refusal(err, extack);
		kfree(host);
		return err;
	}
	rcu_assign_pointer(vnet->host, host);
	vpc_host_close(old);
	return 0;
}

void vpc_host_exit(struct vpc_net *vnet)
{
	struct vpc_host *host;

	rtnl_lock();
	host = rtnl_dereference(vnet->host);
	RCU_INIT_POINTER(vnet->host, NULL);
	vpc_host_close(host);
	rtnl_unlock();
}

/* -- devices that parse tunnels ask for their UDP ports when they come up ------------------------------------------- */

static int vpc_tunnel_netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	const struct vpc_net *vnet = vpc_net(dev_net(dev));
	const struct vpc_host *host = vnet ? rtnl_dereference(vnet->host) : NULL;

	if (!host)
		return NOTIFY_DONE;
	if (event == NETDEV_UDP_TUNNEL_PUSH_INFO)
		udp_tunnel_push_rx_port(dev, host->sock4, UDP_TUNNEL_TYPE_VXLAN);
	else if (event == NETDEV_UDP_TUNNEL_DROP_INFO)
		udp_tunnel_drop_rx_port(dev, host->sock4, UDP_TUNNEL_TYPE_VXLAN);
	return NOTIFY_DONE;
}

static struct notifier_block vpc_tunnel_notifier = {
	.notifier_call = vpc_tunnel_netdev_event,
};

int vpc_datapath_init(void)
{
	return register_netdevice_notifier(&vpc_tunnel_notifier);
}

void vpc_datapath_exit(void)
{
	unregister_netdevice_notifier(&vpc_tunnel_notifier);
}
