/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ports: net devices of this namespace (tap or veth) bound to a VPC. Not versioned, not in the digest: this host's own.
 *
 * A port is known by its device's name. Its configuration outlives the device: when the device goes, the port stays,
 * absent; when a device of that name comes, it is bound again (control/netdev.c).
 */
#ifndef VPC_PORT_H
#define VPC_PORT_H

#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include "portmap.h"
#include "vpc.h"

/**
 * struct vpc_port_conf - what may change in a port; swapped whole under RCU
 * @flags: VPC_PORT_F_*
 * @gateway4: the subnet's gateway; 0: none
 * @subnet6: the IPv6 subnet that router advertisements announce; family 0: none
 * @addrs: what the port may send from and is delivered
 */
struct vpc_port_conf {
	u8 mac[ETH_ALEN];
	u32 table;
	u32 flags;
	__be32 gateway4;
	struct in6_addr gateway6;
	struct vpc_nl_prefix subnet6;
	struct rcu_head rcu;
	u32 n_addrs;
	struct vpc_nl_prefix addrs[];
};

/**
 * struct vpc_port - one port
 * @dev: NULL while the device is absent; readers under RCU, writers under RTNL and vnet->lock. Bound: we hold the
 *       device's reference, its rx_handler (rx_handler_data is this port) and a reference on the module.
 * @moved: bit n: its n-th address has moved to another host, see vpc_port_moves_prepare(); vnet->lock
 * @next_moved: what @moved will be when the transaction in hand is published; vnet->lock
 * @index: its key in vnet->port_ids, not 0, the value in the port map
 * @icmp_spent: of IPv4 and IPv6, until when its allowance of ICMP errors is spent, ns (datapath/icmp.c)
 */
struct vpc_port {
	struct hlist_node list;		/* vnet->ports */
	struct hlist_node vpc_node;	/* vpc->ports, vnet->lock */
	char name[IFNAMSIZ];
	struct vpc *vpc;		/* counted reference */
	struct net_device __rcu *dev;
	netdevice_tracker dev_tracker;
	struct vpc_port_conf __rcu *conf;	/* never NULL once visible */
	struct vpc_stats __percpu *stats;
	atomic64_t icmp_spent[2];
	u64 moved;
	u64 next_moved;
	u32 index;
	struct rcu_head rcu;
};

/* Under RCU. The port of @vpc on this host that owns @addr, or NULL. */
struct vpc_port *vpc_port_lookup_addr(const struct vpc *vpc, u8 family, const u8 *addr);
/* vnet->lock held. NULL when there is no such port. */
struct vpc_port *vpc_port_lookup_name(const struct vpc_net *vnet, const char *name);

/* Whether @addr is one of the port's own (source check). Under RCU. */
bool vpc_port_conf_owns(const struct vpc_port_conf *conf, u8 family, const u8 *addr);
/* The length of the longest of the port's prefixes that covers @addr, -1 when none does. Under RCU. */
int vpc_port_conf_plen(const struct vpc_port_conf *conf, u8 family, const u8 *addr);

/*
 * vnet->lock held. Create a port without device, or change an existing one; @conf is consumed on success only.
 * -EEXIST: an address already belongs to another port of this VPC (its name in *ret_other when not NULL); -ENOMEM.
 */
int vpc_port_new(struct vpc *vpc, const char *name, struct vpc_port_conf *conf, struct vpc_port **ret_port,
		 const struct vpc_port **ret_other);
int vpc_port_set(struct vpc_port *port, struct vpc_port_conf *conf, const struct vpc_port **ret_other);
/* vnet->lock held, the device is detached. Freed after a grace period. */
void vpc_port_del(struct vpc_port *port);

/* Whether the VPC's map leads from its ports' addresses to them and from nowhere else. vnet->lock held. */
bool vpc_ports_sound(const struct vpc *vpc);

/**
 * struct vpc_port_moves - what a transaction changes in who is delivered to here
 * @edit: of the port map; begun when @any
 */
struct vpc_port_moves {
	bool any;
	struct vpc_portmap_edit edit;
};

/**
 * vpc_port_moves_prepare() - addresses that leave this host, or come back to it
 * @vpc: vnet->lock held
 * @next: what will be its current version
 * @ret_moves: to be published
 *
 * When the mapping of a port's address goes from this host (a HOST whose VTEP is ours) to another one, the port has
 * lost it: a packet that still arrives here is not delivered but sent on. When the mapping says this host again it is
 * the port's again. A mapping that never said this host takes nothing away: the new host's port is there before the
 * change.
 * An address of a prefix's length counts as the longest mapping that covers the whole prefix says.
 *
 * Return: 0 or -ENOMEM.
 */
int vpc_port_moves_prepare(struct vpc *vpc, const struct vpc_version *next, struct vpc_port_moves *ret_moves);
void vpc_port_moves_publish(struct vpc_port_moves *moves);	/* right after @next */

#endif
