/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The short way in for packets of the tunnel, past the host's IP and UDP: host.c says when, port_rx.c where not.
 */
#ifndef VPC_INGRESS_H
#define VPC_INGRESS_H

#include <linux/netdevice.h>
#include "../tables/vpc.h"

/* RTNL held in all of them. A device that cannot be had, for want of memory, takes the long way. */
#ifdef CONFIG_NETFILTER_INGRESS
void vpc_ingress_start(struct vpc_net *vnet);		/* all devices of the namespace that may be underlay */
void vpc_ingress_stop(const struct vpc_net *vnet);	/* a grace period later nobody is in there any more */
void vpc_ingress_add(struct vpc_net *vnet, struct net_device *dev);	/* one that came */
void vpc_ingress_del(const struct net_device *dev);			/* one that goes, or becomes a port */
#else
static inline void vpc_ingress_start(struct vpc_net *vnet) {}
static inline void vpc_ingress_stop(const struct vpc_net *vnet) {}
static inline void vpc_ingress_add(struct vpc_net *vnet, struct net_device *dev) {}
static inline void vpc_ingress_del(const struct net_device *dev) {}
#endif

#endif
