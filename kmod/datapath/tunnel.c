// SPDX-License-Identifier: GPL-2.0-only
/*
 * VXLAN in (RFC 7348): this host's tunnel socket, one a namespace, and the start of the way wire -> pipeline.c ->
 * packet.c. UDP calls vpc_tunnel_rcv() for every datagram; control opens and moves the socket through
 * vpc_host_set().
 *
 * A packet's VNI names the VPC; the pipeline decides whether the sender belongs to it. Devices that can parse VXLAN are
 * told the UDP port, so that they check inner checksums and spread inner flows.
 */
#include "tunnel.h"

#include <linux/rtnetlink.h>
#include <net/inet_ecn.h>
#include <net/route.h>
#include <net/udp_tunnel.h>
#include <net/vxlan.h>
#include "datapath.h"
#include "packet.h"
#include "ra.h"

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

/*
 * The socket is bound to the port alone, as a VXLAN device's: before 6.9, GRO looks the socket up a second time
 * under the inner addresses, does not find one that is bound to the VTEP, and loses what it has merged
 * (5ef31ea5d053). So it is kept when only the VTEP moves; and who may send is decided by the source.
 */
static int vpc_tunnel_open(struct vpc_net *vnet, __be16 udp_port, struct socket **ret_sock)
{
	struct udp_port_cfg port = {
		.family = AF_INET,
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

/* Its last sender is gone; waits for those who receive from it. */
static void vpc_tunnel_close(struct socket *sock)
{
	udp_tunnel_notify_del_rx_port(sock, UDP_TUNNEL_TYPE_VXLAN);
	udp_tunnel_sock_release(sock);
	synchronize_net();
}

/* Publish @host (NULL: none) and give up what was there, its socket too unless @host took that over. */
static void vpc_host_swap(struct vpc_net *vnet, struct vpc_host *host)
{
	struct vpc_host *old = rtnl_dereference(vnet->host);

	rcu_assign_pointer(vnet->host, host);
	if (!old)
		return;
	synchronize_net();
	if (!host || host->sock4 != old->sock4)
		vpc_tunnel_close(old->sock4);
	kfree(old);
}

static int vpc_host_open(struct vpc_net *vnet, struct vpc_host *host, struct netlink_ext_ack *extack)
{
	const struct vpc_host *old = rtnl_dereference(vnet->host);
	int err;

	if (old && old->udp_port == host->udp_port) {
		host->sock4 = old->sock4;
		return 0;
	}
	err = vpc_tunnel_open(vnet, host->udp_port, &host->sock4);
	if (err == -EADDRINUSE)
		NL_SET_ERR_MSG(extack, "the UDP port is in use by another socket, such as a VXLAN device's");
	else if (err)
		NL_SET_ERR_MSG(extack, "the tunnel socket cannot be opened");
	return err;
}

int vpc_host_set(struct vpc_net *vnet, __be32 vtep4, const struct in6_addr *vtep6, __be16 udp_port,
		 struct netlink_ext_ack *extack)
{
	const struct vpc_host *old = rtnl_dereference(vnet->host);
	struct vpc_host *host;
	int err;

	ASSERT_RTNL();
	lockdep_assert_held(&vnet->lock);
	if (old && old->vtep4 == vtep4 && old->udp_port == udp_port)
		return 0;
	if (inet_addr_type(vnet->net, vtep4) != RTN_LOCAL) {
		NL_SET_ERR_MSG(extack, "the VTEP is not an address of this host");
		return -EADDRNOTAVAIL;
	}
	host = kzalloc(sizeof(*host), GFP_KERNEL);
	if (!host)
		return -ENOMEM;
	host->vtep4 = vtep4;
	host->udp_port = udp_port;
	err = vpc_host_open(vnet, host, extack);
	if (err) {
		kfree(host);
		return err;
	}
	vpc_host_swap(vnet, host);
	return 0;
}

void vpc_host_exit(struct vpc_net *vnet)
{
	rtnl_lock();
	vpc_host_swap(vnet, NULL);
	rtnl_unlock();
}

/* -- devices that parse tunnels ask for their UDP ports when they come up ------------------------------------------ */

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
	int err = register_netdevice_notifier(&vpc_tunnel_notifier);

	if (!err)
		vpc_ra_init();
	return err;
}

void vpc_datapath_exit(void)
{
	vpc_ra_exit();
	unregister_netdevice_notifier(&vpc_tunnel_notifier);
}
