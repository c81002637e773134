// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ports as state: configuration, the map from a VPC's addresses to its ports here, and their life time under RCU.
 *
 * Called by control/port_cmd.c and at the namespace's end; devices are bound by datapath/port_rx.c.
 */
#include "port.h"

#include <linux/slab.h>

/* Any stamp will do: a port map is built from nothing and never changed after. */
#define VPC_PORTMAP_STAMP	1

static bool vpc_prefix_covers(const struct vpc_nl_prefix *prefix, u8 family, const u8 *addr)
{
	unsigned int bytes = prefix->plen / 8, bits = prefix->plen % 8;

	if (prefix->family != family || memcmp(prefix->addr, addr, bytes))
		return false;
	return !bits || !((prefix->addr[bytes] ^ addr[bytes]) >> (8 - bits));
}

bool vpc_port_conf_owns(const struct vpc_port_conf *conf, u8 family, const u8 *addr)
{
	u32 i;

	for (i = 0; i < conf->n_addrs; i++) {
		if (vpc_prefix_covers(&conf->addrs[i], family, addr))
			return true;
	}
	return false;
}

int vpc_port_conf_plen(const struct vpc_port_conf *conf, u8 family, const u8 *addr)
{
	int plen = -1;
	u32 i;

	for (i = 0; i < conf->n_addrs; i++) {
		if (vpc_prefix_covers(&conf->addrs[i], family, addr))
			plen = max_t(int, plen, conf->addrs[i].plen);
	}
	return plen;
}

struct vpc_port *vpc_port_lookup_addr(const struct vpc *vpc, u8 family, const u8 *addr)
{
	const struct vpc_portmap *map = rcu_dereference(vpc->portmap);
	struct vpc_port *port;
	u32 index;

	if (!map)
		return NULL;
	index = vpc_trie_lookup(&map->trie[family == AF_INET6], addr, NULL);
	if (!index)
		return NULL;
	/* A reader of an old map may find that the index has gone, or belongs to somebody else by now. */
	port = xa_load(&vpc->vnet->port_ids, index);
	return port && port->vpc == vpc ? port : NULL;
}

struct vpc_port *vpc_port_lookup_name(const struct vpc_net *vnet, const char *name)
{
	struct vpc_port *port;

	lockdep_assert_held(&vnet->lock);
	hlist_for_each_entry(port, &vnet->ports, list) {
		if (!strcmp(port->name, name))
			return port;
	}
	return NULL;
}

/* -- the port map -------------------------------------------------------------------------------------------------- */

static void vpc_portmap_free(struct vpc_portmap *map)
{
	vpc_trie_destroy(&map->trie[0]);
	vpc_trie_destroy(&map->trie[1]);
	kfree(map);
}

static void vpc_portmap_free_work(struct work_struct *work)
{
	vpc_portmap_free(container_of(to_rcu_work(work), struct vpc_portmap, rwork));
}

static struct vpc_port *vpc_portmap_conflict(const struct vpc_port *port, u32 index)
{
	return index && index != port->index ? xa_load(&port->vpc->vnet->port_ids, index) : NULL;
}

/* -EEXIST: *ret_other, which is not NULL, has one of @port's addresses. */
static int vpc_portmap_add(struct vpc_trie_txn *txn, struct vpc_portmap *map, const struct vpc_port *port,
			   const struct vpc_port_conf *conf, const struct vpc_port **ret_other)
{
	struct vpc_port *other;
	struct vpc_trie *trie;
	u32 i, old;
	int err;

	for (i = 0; i < conf->n_addrs; i++) {
		trie = &map->trie[conf->addrs[i].family == AF_INET6];
		err = vpc_trie_add(txn, trie, conf->addrs[i].addr, conf->addrs[i].plen, port->index, &old);
		if (err)
			return err;
		other = vpc_portmap_conflict(port, old);
		if (other) {
			*ret_other = other;
			return -EEXIST;
		}
	}
	return 0;
}

/* The map of @vpc's ports, in which @changed has @conf, or has gone when that is NULL. */
static int vpc_portmap_build(struct vpc *vpc, const struct vpc_port *changed, const struct vpc_port_conf *conf,
			     const struct vpc_port **ret_other, struct vpc_portmap **ret_map)
{
	struct vpc_trie_garbage garbage;
	struct vpc_trie_txn txn = {};
	struct mutex *lock = &vpc->vnet->lock;
	struct vpc_portmap *map;
	struct vpc_port *port;
	int err = 0;

	map = kzalloc(sizeof(*map), GFP_KERNEL_ACCOUNT);
	if (!map)
		return -ENOMEM;
	vpc_trie_init(&map->trie[0], AF_INET);
	vpc_trie_init(&map->trie[1], AF_INET6);
	vpc_trie_begin(&txn, VPC_PORTMAP_STAMP);
	hlist_for_each_entry(port, &vpc->vnet->ports, list) {
		if (port->vpc != vpc || port == changed || err)
			continue;
		err = vpc_portmap_add(&txn, map, port, rcu_dereference_protected(port->conf, lockdep_is_held(lock)),
				      ret_other);
	}
	if (!err && conf)
		err = vpc_portmap_add(&txn, map, changed, conf, ret_other);
	garbage = vpc_trie_commit(&txn);
	vpc_trie_garbage_free(&garbage);
	if (err) {
		vpc_portmap_free(map);
		return err;
	}
	*ret_map = map;
	return 0;
}

static void vpc_portmap_publish(struct vpc *vpc, struct vpc_portmap *map)
{
	struct vpc_portmap *old;

	old = rcu_replace_pointer(vpc->portmap, map, lockdep_is_held(&vpc->vnet->lock));
	if (old)
		vpc_tables_defer(&old->rwork, vpc_portmap_free_work);
}

void vpc_port_drop_map(struct vpc *vpc)
{
	vpc_portmap_publish(vpc, NULL);
}

/* -- ports --------------------------------------------------------------------------------------------------------- */

static void vpc_port_free(struct vpc_port *port)
{
	free_percpu(port->stats);
	kfree(rcu_dereference_protected(port->conf, true));
	kfree(port);
}

static void vpc_port_free_rcu(struct rcu_head *head)
{
	vpc_port_free(container_of(head, struct vpc_port, rcu));
}

int vpc_port_new(struct vpc *vpc, const char *name, struct vpc_port_conf *conf, struct vpc_port **ret_port,
		 const struct vpc_port **ret_other)
{
	struct vpc_net *vnet = vpc->vnet;
	const struct vpc_port *other = NULL;
	struct vpc_portmap *map;
	struct vpc_port *port;
	int err = -ENOMEM;

	lockdep_assert_held(&vnet->lock);
	port = kzalloc(sizeof(*port), GFP_KERNEL_ACCOUNT);
	if (!port)
		return -ENOMEM;
	port->stats = vpc_stats_new();
	if (!port->stats)
		goto err_free;
	strscpy(port->name, name, sizeof(port->name));
	port->vpc = vpc;
	/* The index is only reserved: no reader of an old map may meet a port that has no configuration yet. */
	err = xa_alloc_cyclic(&vnet->port_ids, &port->index, NULL, XA_LIMIT(1, INT_MAX), &vnet->next_port,
			      GFP_KERNEL_ACCOUNT);
	if (err < 0)
		goto err_free;
	err = vpc_portmap_build(vpc, port, conf, &other, &map);
	if (err)
		goto err_index;
	vpc_get(vpc);
	RCU_INIT_POINTER(port->conf, conf);
	xa_store(&vnet->port_ids, port->index, port, GFP_KERNEL_ACCOUNT);
	hlist_add_head(&port->list, &vnet->ports);
	vpc->n_ports++;
	vnet->generation++;
	vpc_portmap_publish(vpc, map);
	*ret_port = port;
	return 0;

err_index:
	xa_release(&vnet->port_ids, port->index);
	if (err == -EEXIST && ret_other)
		*ret_other = other;
err_free:
	vpc_port_free(port);
	return err;
}

int vpc_port_set(struct vpc_port *port, struct vpc_port_conf *conf, const struct vpc_port **ret_other)
{
	struct vpc_net *vnet = port->vpc->vnet;
	const struct vpc_port *other = NULL;
	struct vpc_port_conf *old;
	struct vpc_portmap *map;
	int err;

	lockdep_assert_held(&vnet->lock);
	err = vpc_portmap_build(port->vpc, port, conf, &other, &map);
	if (err == -EEXIST && ret_other)
		*ret_other = other;
	if (err)
		return err;
	old = rcu_replace_pointer(port->conf, conf, lockdep_is_held(&vnet->lock));
	vpc_portmap_publish(port->vpc, map);
	kfree_rcu(old, rcu);
	vnet->generation++;
	return 0;
}

void vpc_port_del(struct vpc_port *port)
{
	struct vpc *vpc = port->vpc;
	struct vpc_portmap *map = NULL;
	const struct vpc_port *other;
	int err = 0;

	lockdep_assert_held(&vpc->vnet->lock);
	hlist_del(&port->list);
	xa_erase(&vpc->vnet->port_ids, port->index);
	vpc->n_ports--;
	vpc->vnet->generation++;
	/* Without memory the old map stays; what it knows of this port leads to no port any more. */
	if (vpc->n_ports)
		err = vpc_portmap_build(vpc, port, NULL, &other, &map);
	if (!err)
		vpc_portmap_publish(vpc, map);
	vpc_put(vpc);
	call_rcu(&port->rcu, vpc_port_free_rcu);
}
