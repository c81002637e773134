/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the rest of the data path asks about ports' devices.
 */
#ifndef VPC_PORT_RX_H
#define VPC_PORT_RX_H

#include <linux/netdevice.h>

/* Whether @dev is bound to a port of ours. Under RCU. */
bool vpc_dev_is_port(const struct net_device *dev);

#endif
