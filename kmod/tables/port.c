// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ports as state: configuration, the addresses that they have on this host or have lost to another, and their life time
 * under RCU.
 *
 * Called by control/port_cmd.c, by transactions for what moves, and at the namespace's end; devices are bound by
 * datapath/port_rx.c.
 */
#include "port.h"

#include <linux/slab.h>
#include "../compat.h"

static bool vpc_prefix_covers(const struct vpc_nl_prefix *prefix, u8 family, const u8 *addr)
{
	unsigned int bits = prefix->plen;
	u64 differ;

	if (prefix->family != family)
		return false;
	if (family == AF_INET) {
		differ = (u64)(get_unaligned_be32(prefix->addr) ^ get_unaligned_be32(addr)) << 32;
	} else {
		differ = get_unaligned_be64(prefix->addr) ^ get_unaligned_be64(addr);
		if (bits > 64) {
			if (differ)
				return false;
			differ = get_unaligned_be64(prefix->addr + 8) ^ get_unaligned_be64(addr + 8);
			bits -= 64;
		}
	}
	return !bits || !(differ >> (64 - bits));
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
	u32 index = vpc_portmap_lookup(vpc, family, addr);
	struct vpc_port *port;

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

/* -- addresses ----------------------------------------------------------------------------------------------------- */

static const struct vpc_port_conf *vpc_port_conf(const struct vpc_port *port)
{
	return rcu_dereference_protected(port->conf, lockdep_is_held(&port->vpc->vnet->lock));
}

/* Where @prefix is among the addresses of @conf; n_addrs: nowhere. */
static u32 vpc_port_conf_find(const struct vpc_port_conf *conf, const struct vpc_nl_prefix *prefix)
{
	u32 i;

	for (i = 0; i < conf->n_addrs; i++) {
		if (!memcmp(&conf->addrs[i], prefix, sizeof(*prefix)))
			break;
	}
	return i;
}

/* The port other than @port that has @prefix, even if that has moved. */
static const struct vpc_port *vpc_port_owner(const struct vpc_port *port, const struct vpc_nl_prefix *prefix)
{
	const struct vpc_port *other;
	u32 index = vpc_portmap_owner(port->vpc, prefix), at;

	if (index && index != port->index)
		return xa_load(&port->vpc->vnet->port_ids, index);
	hlist_for_each_entry(other, &port->vpc->ports, vpc_node) {
		if (other == port || !other->moved)
			continue;
		at = vpc_port_conf_find(vpc_port_conf(other), prefix);
		if (at < vpc_port_conf(other)->n_addrs && other->moved & BIT_ULL(at))
			return other;
	}
	return NULL;
}

static const struct vpc_port *vpc_port_conflict(const struct vpc_port *port, const struct vpc_port_conf *conf)
{
	const struct vpc_port *other = NULL;
	u32 i;

	for (i = 0; i < conf->n_addrs && !other; i++)
		other = vpc_port_owner(port, &conf->addrs[i]);
	return other;
}

/* Which addresses of @conf, @port's next one, have moved: those that have now. */
static u64 vpc_port_carry_moved(const struct vpc_port *port, const struct vpc_port_conf *conf)
{
	const struct vpc_port_conf *old = vpc_port_conf(port);
	u64 moved = 0;
	u32 i, at;

	for (i = 0; port->moved && i < conf->n_addrs; i++) {
		at = vpc_port_conf_find(old, &conf->addrs[i]);
		if (at < old->n_addrs && port->moved & BIT_ULL(at))
			moved |= BIT_ULL(i);
	}
	return moved;
}

static int vpc_port_map_addrs(struct vpc_portmap_edit *edit, const struct vpc_port *port,
			      const struct vpc_port_conf *conf, u64 moved)
{
	u32 i;
	int err = 0;

	for (i = 0; i < conf->n_addrs && !err; i++) {
		if (!(moved & BIT_ULL(i)))
			err = vpc_portmap_add(edit, &conf->addrs[i], port->index);
	}
	return err;
}

static int vpc_port_unmap_addrs(struct vpc_portmap_edit *edit, const struct vpc_port *port)
{
	const struct vpc_port_conf *conf = vpc_port_conf(port);
	u32 i;
	int err = 0;

	for (i = 0; i < conf->n_addrs && !err; i++) {
		if (!(port->moved & BIT_ULL(i)))
			err = vpc_portmap_del(edit, &conf->addrs[i]);
	}
	return err;
}

/* @port has @conf (NULL: is gone) and what of it is @moved. -ENOMEM. */
static int vpc_port_map(const struct vpc_port *port, const struct vpc_port_conf *conf, u64 moved,
			struct vpc_portmap_edit *ret_edit)
{
	struct vpc_portmap_edit edit;
	int err;

	err = vpc_portmap_begin(port->vpc, &edit);
	if (err)
		return err;
	if (vpc_port_conf(port))
		err = vpc_port_unmap_addrs(&edit, port);
	if (!err && conf)
		err = vpc_port_map_addrs(&edit, port, conf, moved);
	if (!err)
		err = vpc_portmap_seal(&edit);
	if (err) {
		vpc_portmap_abort(&edit);
		return err;
	}
	*ret_edit = edit;
	return 0;
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

static struct vpc_port *vpc_port_alloc(struct vpc *vpc, const char *name)
{
	struct vpc_port *port = kzalloc(sizeof(*port), GFP_KERNEL_ACCOUNT);

	if (!port)
		return NULL;
	port->stats = vpc_stats_new();
	if (!port->stats) {
		kfree(port);
		return NULL;
	}
	strscpy(port->name, name, sizeof(port->name));
	port->vpc = vpc;
	return port;
}

int vpc_port_new(struct vpc *vpc, const char *name, struct vpc_port_conf *conf, struct vpc_port **ret_port,
		 const struct vpc_port **ret_other)
{
	struct vpc_net *vnet = vpc->vnet;
	const struct vpc_port *other;
	struct vpc_portmap_edit edit;
	struct vpc_port *port;
	int err;

	lockdep_assert_held(&vnet->lock);
	err = vpc_need_stats(vpc);
	if (err)
		return err;
	port = vpc_port_alloc(vpc, name);
	if (!port)
		return -ENOMEM;
	/* The index is only reserved: no reader of an old map may meet a port that has no configuration yet. */
	err = xa_alloc_cyclic(&vnet->port_ids, &port->index, NULL, XA_LIMIT(1, INT_MAX), &vnet->next_port,
			      GFP_KERNEL_ACCOUNT);
	if (err < 0)
		goto err_free;
	err = -EEXIST;
	other = vpc_port_conflict(port, conf);
	if (other && ret_other)
		*ret_other = other;
	if (!other)
		err = vpc_port_map(port, conf, 0, &edit);
	if (err)
		goto err_index;
	vpc_get(vpc);
	RCU_INIT_POINTER(port->conf, conf);
	xa_store(&vnet->port_ids, port->index, port, GFP_KERNEL_ACCOUNT);
	hlist_add_head(&port->list, &vnet->ports);
	hlist_add_head(&port->vpc_node, &vpc->ports);
	vpc->n_ports++;
	vnet->generation++;
	vpc_portmap_publish(&edit);
	*ret_port = port;
	return 0;

err_index:
	xa_release(&vnet->port_ids, port->index);
err_free:
	vpc_port_free(port);
	return err;
}

int vpc_port_set(struct vpc_port *port, struct vpc_port_conf *conf, const struct vpc_port **ret_other)
{
	struct vpc_net *vnet = port->vpc->vnet;
	u64 moved = vpc_port_carry_moved(port, conf);
	const struct vpc_port *other;
	struct vpc_portmap_edit edit;
	struct vpc_port_conf *old;
	int err;

	lockdep_assert_held(&vnet->lock);
	other = vpc_port_conflict(port, conf);
	if (other && ret_other)
		*ret_other = other;
	err = other ? -EEXIST : vpc_port_map(port, conf, moved, &edit);
	if (err)
		return err;
	old = rcu_replace_pointer(port->conf, conf, lockdep_is_held(&vnet->lock));
	port->moved = moved;
	vpc_portmap_publish(&edit);
	kfree_rcu(old, rcu);
	vnet->generation++;
	return 0;
}

void vpc_port_del(struct vpc_port *port)
{
	struct vpc *vpc = port->vpc;
	struct vpc_portmap_edit edit;

	lockdep_assert_held(&vpc->vnet->lock);
	hlist_del(&port->list);
	hlist_del(&port->vpc_node);
	xa_erase(&vpc->vnet->port_ids, port->index);
	vpc->n_ports--;
	vpc->vnet->generation++;
	/* Without memory the old map stays; what it knows of this port leads to no port any more. */
	if (!vpc->n_ports)
		vpc_portmap_drop(vpc);
	else if (vpc_port_map(port, NULL, 0, &edit))
		vpc_portmap_set_stale(vpc);
	else
		vpc_portmap_publish(&edit);
	vpc_put(vpc);
	call_rcu(&port->rcu, vpc_port_free_rcu);
}

bool vpc_ports_sound(const struct vpc *vpc)
{
	const struct vpc_port_conf *conf;
	const struct vpc_port *port;
	u64 n = 0;
	u32 i;

	lockdep_assert_held(&vpc->vnet->lock);
	hlist_for_each_entry(port, &vpc->ports, vpc_node) {
		conf = vpc_port_conf(port);
		if (xa_load(&vpc->vnet->port_ids, port->index) != port)
			return false;
		for (i = 0; i < conf->n_addrs; i++) {
			if (port->moved & BIT_ULL(i))
				continue;
			if (vpc_portmap_owner(vpc, &conf->addrs[i]) != port->index)
				return false;
			n++;
		}
	}
	return vpc_portmap_holds(vpc, n);
}

/* -- addresses that move ------------------------------------------------------------------------------------------- */

/* The nexthop of the longest mapping that covers all of @prefix; NULL: none does. */
static const struct vpc_nexthop *vpc_port_mapping(const struct vpc_version *version, const struct vpc_nl_prefix *prefix)
{
	const struct vpc_table *table = vpc_version_table(version, 0);
	unsigned int bits = prefix->family == AF_INET6 ? 128 : 32;
	u8 addr[sizeof(prefix->addr)];
	const struct vpc_trie *trie;
	unsigned int plen;
	u32 id = 0;

	if (!table)
		return NULL;
	trie = vpc_table_trie(table, prefix->family);
	if (prefix->plen == bits)
		return vpc_nhset_lookup(version->nexthops, vpc_trie_lookup(trie, prefix->addr, NULL));
	memcpy(addr, prefix->addr, sizeof(addr));
	for (plen = prefix->plen; !id; plen--) {
		id = vpc_trie_lookup_exact(trie, addr, plen);
		if (!plen)
			break;
		addr[(plen - 1) / 8] &= ~(0x80 >> (plen - 1) % 8);
	}
	return vpc_nhset_lookup(version->nexthops, id);
}

static bool vpc_port_host_is(const struct vpc_host *host, const struct vpc_nexthop *nh)
{
	if (nh->wire.family == AF_INET6)
		return !memcmp(&host->vtep6, nh->wire.addr, sizeof(host->vtep6));
	return !memcmp(&host->vtep4, nh->wire.addr, sizeof(host->vtep4));
}

/* port->moved as it has to be with @next. */
static u64 vpc_port_next_moved(const struct vpc_port *port, const struct vpc_host *host,
			       const struct vpc_version *current_version, const struct vpc_version *next)
{
	const struct vpc_port_conf *conf = vpc_port_conf(port);
	const struct vpc_nexthop *was, *is;
	u64 moved = port->moved;
	u32 i;

	for (i = 0; i < conf->n_addrs; i++) {
		is = vpc_port_mapping(next, &conf->addrs[i]);
		if (!is || is->wire.type != VPC_NEXTHOP_HOST)
			continue;
		if (vpc_port_host_is(host, is)) {
			moved &= ~BIT_ULL(i);
			continue;
		}
		was = vpc_port_mapping(current_version, &conf->addrs[i]);
		if (was && was->wire.type == VPC_NEXTHOP_HOST && vpc_port_host_is(host, was))
			moved |= BIT_ULL(i);
	}
	return moved;
}

static int vpc_port_move(struct vpc_portmap_edit *edit, const struct vpc_port *port)
{
	const struct vpc_port_conf *conf = vpc_port_conf(port);
	u64 changed = port->moved ^ port->next_moved;
	u32 i;
	int err = 0;

	for (i = 0; i < conf->n_addrs && !err; i++) {
		if (!(changed & BIT_ULL(i)))
			continue;
		if (port->next_moved & BIT_ULL(i))
			err = vpc_portmap_del(edit, &conf->addrs[i]);
		else
			err = vpc_portmap_add(edit, &conf->addrs[i], port->index);
	}
	return err;
}

static int vpc_port_moves_edit(struct vpc *vpc, struct vpc_port_moves *moves)
{
	struct vpc_port *port;
	int err;

	err = vpc_portmap_begin(vpc, &moves->edit);
	if (err)
		return err;
	hlist_for_each_entry(port, &vpc->ports, vpc_node) {
		err = vpc_port_move(&moves->edit, port);
		if (err)
			break;
	}
	if (!err)
		err = vpc_portmap_seal(&moves->edit);
	if (err)
		vpc_portmap_abort(&moves->edit);
	return err;
}

int vpc_port_moves_prepare(struct vpc *vpc, const struct vpc_version *next, struct vpc_port_moves *ret_moves)
{
	const struct vpc_host *host = rcu_dereference_protected(vpc->vnet->host, lockdep_is_held(&vpc->vnet->lock));
	const struct vpc_version *current_version;
	struct vpc_port *port;

	ret_moves->any = false;
	if (!host)
		return 0;
	current_version = rcu_dereference_protected(vpc->version, lockdep_is_held(&vpc->vnet->lock));
	hlist_for_each_entry(port, &vpc->ports, vpc_node) {
		port->next_moved = vpc_port_next_moved(port, host, current_version, next);
		if (port->next_moved != port->moved)
			ret_moves->any = true;
		cond_resched();
	}
	return ret_moves->any ? vpc_port_moves_edit(vpc, ret_moves) : 0;
}

void vpc_port_moves_publish(struct vpc_port_moves *moves)
{
	struct vpc_port *port;

	if (!moves->any)
		return;
	hlist_for_each_entry(port, &moves->edit.vpc->ports, vpc_node)
		port->moved = port->next_moved;
	vpc_portmap_publish(&moves->edit);
}
