/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What control may ask of the data path: bind and unbind a port's device, open and close the tunnel socket.
 */
#ifndef VPC_DATAPATH_H
#define VPC_DATAPATH_H

#include <linux/netlink.h>
#include "../tables/port.h"
#include "../tables/vpc.h"

/*
 * RTNL and vnet->lock held. Bind @port to @dev: takes the rx_handler, a device and a module reference. -EBUSY when
 * the device already has an rx_handler (a bridge's or bond's member), -EINVAL for a device that is not Ethernet or
 * is a loopback, -ENODEV when the module is being removed.
 */
int vpc_port_attach(struct vpc_port *port, struct net_device *dev, struct netlink_ext_ack *extack);
/* RTNL and vnet->lock held. No packet of this device is in our hands when it returns. No-op when not attached. */
void vpc_port_detach(struct vpc_port *port);

/*
 * RTNL (devices learn of the UDP port) and vnet->lock held. Open the tunnel sockets of the families that have a VTEP
 * (@vtep4 0, @vtep6 ::: none; one at least), swap vnet->host and release the
 * old socket (kept when only the VTEP moves); nothing happens when both are what they were. -EADDRINUSE,
 * -EADDRNOTAVAIL (the VTEP is not ours), -ENOMEM: the old one stays.
 */
int vpc_host_set(struct vpc_net *vnet, __be32 vtep4, const struct in6_addr *vtep6, __be16 udp_port,
		 struct netlink_ext_ack *extack);
/* Namespace exit, no lock held (takes RTNL): close the socket, wait for packets in flight. No-op without a host. */
void vpc_host_exit(struct vpc_net *vnet);

/* For VERIFY: whether what CPUs remember of @version (recent.h), which is held, is what its tables say. May sleep. */
bool vpc_recent_sound(const struct vpc_version *version);

/* Module init and exit: inside the life of the pernet registration, which vpc_net() needs. */
int vpc_datapath_init(void);
void vpc_datapath_exit(void);

#endif
