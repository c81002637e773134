// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ports follow the devices of their name: bound when one comes or is renamed to it, absent when it goes. Listens to the
 * device layer's notifier; the binding itself is datapath/port_rx.c's.
 */
#include "genl.h"
#include "event.h"
#include "../datapath/datapath.h"

#include <linux/rtnetlink.h>

int vpc_netdev_attach(struct vpc_net *vnet, struct vpc_port *port, struct netlink_ext_ack *extack)
{
	struct net_device *dev;

	if (rtnl_dereference(port->dev))
		return 0;
	dev = __dev_get_by_name(vnet->net, port->name);
	/* A device is also found by its alternative names; a port is known by the one that notifiers speak of. */
	if (!dev || strcmp(dev->name, port->name))
		return 0;
	return vpc_port_attach(port, dev, extack);
}

static struct vpc_port *vpc_netdev_bound_port(const struct vpc_net *vnet, const struct net_device *dev)
{
	struct vpc_port *port;

	hlist_for_each_entry(port, &vnet->ports, list) {
		if (rtnl_dereference(port->dev) == dev)
			return port;
	}
	return NULL;
}

static void vpc_netdev_came(struct vpc_net *vnet, struct net_device *dev)
{
	struct vpc_port *port = vpc_port_lookup_name(vnet, dev->name);
	int err;

	if (!port || rtnl_dereference(port->dev))
		return;
	err = vpc_port_attach(port, dev, NULL);
	if (err) {
		netdev_warn(dev, "cannot be bound to VPC %u: error %d\n", port->vpc->vni, err);
		return;
	}
	vnet->generation++;
	vpc_event_port(port, VPC_EVENT_PORT_PRESENT);
}

static void vpc_netdev_left(struct vpc_net *vnet, struct vpc_port *port)
{
	vpc_port_detach(port);
	vnet->generation++;
	vpc_event_port(port, VPC_EVENT_PORT_ABSENT);
}

static void vpc_netdev_renamed(struct vpc_net *vnet, struct net_device *dev)
{
	struct vpc_port *port = vpc_netdev_bound_port(vnet, dev);

	if (port && strcmp(port->name, dev->name))
		vpc_netdev_left(vnet, port);
	vpc_netdev_came(vnet, dev);
}

static void vpc_netdev_gone(struct vpc_net *vnet, struct net_device *dev)
{
	struct vpc_port *port = vpc_netdev_bound_port(vnet, dev);

	if (port)
		vpc_netdev_left(vnet, port);
}

/* A port's packets are Ethernet's: its device stays what it was when it was bound. */
static int vpc_netdev_retype(const struct vpc_net *vnet, const struct net_device *dev)
{
	return vpc_netdev_bound_port(vnet, dev) ? notifier_from_errno(-EBUSY) : NOTIFY_DONE;
}

static int vpc_netdev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct vpc_net *vnet = vpc_net(dev_net(dev));
	int ret = NOTIFY_DONE;

	if (event != NETDEV_REGISTER && event != NETDEV_CHANGENAME && event != NETDEV_UNREGISTER &&
	    event != NETDEV_PRE_TYPE_CHANGE)
		return NOTIFY_DONE;
	mutex_lock(&vnet->lock);
	if (event == NETDEV_REGISTER)
		vpc_netdev_came(vnet, dev);
	else if (event == NETDEV_CHANGENAME)
		vpc_netdev_renamed(vnet, dev);
	else if (event == NETDEV_UNREGISTER)
		vpc_netdev_gone(vnet, dev);
	else
		ret = vpc_netdev_retype(vnet, dev);
	mutex_unlock(&vnet->lock);
	return ret;
}

static struct notifier_block vpc_netdev_notifier = {
	.notifier_call = vpc_netdev_event,
};

void vpc_netdev_detach_all(struct vpc_net *vnet)
{
	struct vpc_port *port;

	rtnl_lock();
	mutex_lock(&vnet->lock);
	hlist_for_each_entry(port, &vnet->ports, list)
		vpc_port_detach(port);
	mutex_unlock(&vnet->lock);
	rtnl_unlock();
}

int vpc_netdev_init(void)
{
	return register_netdevice_notifier(&vpc_netdev_notifier);
}

void vpc_netdev_exit(void)
{
	unregister_netdevice_notifier(&vpc_netdev_notifier);
}
