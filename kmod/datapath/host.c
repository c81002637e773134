// SPDX-License-Identifier: GPL-2.0-only
/*
 * This namespace as a host of the underlay: its VTEPs and tunnel sockets, one an IP family. Control sets them through
 * vpc_host_set(); packets come in by tunnel.c and leave by encap.c.
 *
 * Devices that can parse VXLAN are told the UDP port, so that they check inner checksums and spread inner flows. The
 * devices through which packets come are ingress.c's.
 */
#include "datapath.h"

#include <linux/rtnetlink.h>
#include <net/addrconf.h>
#include <net/route.h>
#include <net/udp_tunnel.h>
#include "ingress.h"
#include "ra.h"
#include "tunnel.h"

/*
 * The socket is bound to the port alone, as a VXLAN device's: before 6.9, GRO looks the socket up a second time
 * under the inner addresses, does not find one that is bound to the VTEP, and loses what it has merged
 * (5ef31ea5d053). So it is kept when only the VTEP moves; and who may send is decided by the source.
 *
 * Over IPv6 a checksum of 0 is taken too (RFC 6935): what it would protect, the two addresses and the port, we check
 * against the VPC, and inner checksums do the rest.
 */
static int vpc_tunnel_open(struct vpc_net *vnet, u8 family, __be16 udp_port, struct socket **ret_sock)
{
	struct udp_port_cfg port = {
		.family = family,
		.local_udp_port = udp_port,
		.ipv6_v6only = family == AF_INET6,
		.use_udp6_tx_checksums = true,
		.use_udp6_rx_checksums = false,
	};
	struct udp_tunnel_sock_cfg tunnel = {
		.sk_user_data = vnet,
		.encap_type = 1,
		.encap_rcv = vpc_tunnel_encap_rcv,
		.encap_err_lookup = vpc_tunnel_err_lookup,
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

/* Its last sender is gone; waits for those who receive from it. NULL: nothing to do. */
static void vpc_tunnel_close(struct socket *sock)
{
	if (!sock)
		return;
	udp_tunnel_notify_del_rx_port(sock, UDP_TUNNEL_TYPE_VXLAN);
	udp_tunnel_sock_release(sock);
	synchronize_net();
}

/* Publish @host (NULL: none) and give up what was there, its sockets too unless @host took them over. */
static void vpc_host_swap(struct vpc_net *vnet, struct vpc_host *host)
{
	struct vpc_host *old = rtnl_dereference(vnet->host);

	rcu_assign_pointer(vnet->host, host);
	if (host && host->sock4 && !(old && old->sock4))
		vpc_ingress_start(vnet);
	if (!old)
		return;
	if (old->sock4 && !(host && host->sock4))
		vpc_ingress_stop(vnet);
	synchronize_net();
	if (!host || host->sock4 != old->sock4)
		vpc_tunnel_close(old->sock4);
	if (!host || host->sock6 != old->sock6)
		vpc_tunnel_close(old->sock6);
	kfree(old);
}

/* @old: a socket of this family and UDP port, or NULL. */
static int vpc_host_open_family(struct vpc_net *vnet, u8 family, __be16 udp_port, struct socket *old,
				struct netlink_ext_ack *extack, struct socket **ret_sock)
{
	int err;

	if (old) {
		*ret_sock = old;
		return 0;
	}
	err = vpc_tunnel_open(vnet, family, udp_port, ret_sock);
	if (err == -EADDRINUSE)
		NL_SET_ERR_MSG(extack, "the UDP port is in use by another socket, such as a VXLAN device's");
	else if (err)
		NL_SET_ERR_MSG(extack, "the tunnel socket cannot be opened");
	return err;
}

static int vpc_host_open(struct vpc_net *vnet, struct vpc_host *host, struct netlink_ext_ack *extack)
{
	const struct vpc_host *old = rtnl_dereference(vnet->host);
	bool keep = old && old->udp_port == host->udp_port;
	int err;

	if (host->vtep4) {
		err = vpc_host_open_family(vnet, AF_INET, host->udp_port, keep ? old->sock4 : NULL, extack,
					   &host->sock4);
		if (err)
			return err;
	}
	if (ipv6_addr_any(&host->vtep6))
		return 0;
	err = vpc_host_open_family(vnet, AF_INET6, host->udp_port, keep ? old->sock6 : NULL, extack, &host->sock6);
	if (err && host->sock4 && !(keep && old->sock4))
		vpc_tunnel_close(host->sock4);
	return err;
}

static int vpc_host_check(const struct vpc_net *vnet, __be32 vtep4, const struct in6_addr *vtep6,
			  struct netlink_ext_ack *extack)
{
	if (vtep4 && inet_addr_type(vnet->net, vtep4) != RTN_LOCAL) {
		NL_SET_ERR_MSG(extack, "the VTEP is not an address of this host");
		return -EADDRNOTAVAIL;
	}
	/* An address may still be tentative: what comes from it then is lost for a second, and no more. */
	if (!ipv6_addr_any(vtep6) && !ipv6_chk_addr_and_flags(vnet->net, vtep6, NULL, true, 0, IFA_F_DADFAILED)) {
		NL_SET_ERR_MSG(extack, "the IPv6 VTEP is not an address of this host");
		return -EADDRNOTAVAIL;
	}
	return 0;
}

int vpc_host_set(struct vpc_net *vnet, __be32 vtep4, const struct in6_addr *vtep6, __be16 udp_port,
		 struct netlink_ext_ack *extack)
{
	const struct vpc_host *old = rtnl_dereference(vnet->host);
	struct vpc_host *host;
	int err;

	ASSERT_RTNL();
	lockdep_assert_held(&vnet->lock);
	if (old && old->vtep4 == vtep4 && ipv6_addr_equal(&old->vtep6, vtep6) && old->udp_port == udp_port)
		return 0;
	err = vpc_host_check(vnet, vtep4, vtep6, extack);
	if (err)
		return err;
	host = kzalloc(sizeof(*host), GFP_KERNEL);
	if (!host)
		return -ENOMEM;
	host->vtep4 = vtep4;
	host->vtep6 = *vtep6;
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

/* -- devices that come and go, and those that parse tunnels and ask for their UDP ports --------------------------- */

static void vpc_host_push_port(struct net_device *dev, struct socket *sock, bool push)
{
	if (!sock)
		return;
	if (push)
		udp_tunnel_push_rx_port(dev, sock, UDP_TUNNEL_TYPE_VXLAN);
	else
		udp_tunnel_drop_rx_port(dev, sock, UDP_TUNNEL_TYPE_VXLAN);
}

static int vpc_host_netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct vpc_net *vnet = vpc_net(dev_net(dev));
	const struct vpc_host *host = vnet ? rtnl_dereference(vnet->host) : NULL;

	if (!host)
		return NOTIFY_DONE;
	if (event == NETDEV_REGISTER && host->sock4)
		vpc_ingress_add(vnet, dev);
	if (event == NETDEV_UNREGISTER)
		vpc_ingress_del(dev);
	if (event == NETDEV_UDP_TUNNEL_PUSH_INFO || event == NETDEV_UDP_TUNNEL_DROP_INFO) {
		vpc_host_push_port(dev, host->sock4, event == NETDEV_UDP_TUNNEL_PUSH_INFO);
		vpc_host_push_port(dev, host->sock6, event == NETDEV_UDP_TUNNEL_PUSH_INFO);
	}
	return NOTIFY_DONE;
}

static struct notifier_block vpc_host_notifier = {
	.notifier_call = vpc_host_netdev_event,
};

int vpc_datapath_init(void)
{
	int err = register_netdevice_notifier(&vpc_host_notifier);

	if (!err)
		vpc_ra_init();
	return err;
}

void vpc_datapath_exit(void)
{
	vpc_ra_exit();
	unregister_netdevice_notifier(&vpc_host_notifier);
}
