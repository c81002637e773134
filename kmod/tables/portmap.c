// SPDX-License-Identifier: GPL-2.0-only
/*
 * See portmap.h. Maps form a line, as versions do, but nobody holds one longer than a packet takes: what a map does not
 * share with its successor is freed a grace period after that one was published.
 */
#include "portmap.h"
#include "port.h"

#include <linux/slab.h>

static struct vpc_portmap *vpc_portmap_current(const struct vpc *vpc)
{
	return rcu_dereference_protected(vpc->portmap, lockdep_is_held(&vpc->vnet->lock));
}

u32 vpc_portmap_lookup(const struct vpc *vpc, u8 family, const u8 *addr)
{
	const struct vpc_portmap *map = rcu_dereference(vpc->portmap);

	return map ? vpc_trie_lookup(&map->trie[family == AF_INET6], addr, NULL) : 0;
}

u32 vpc_portmap_owner(const struct vpc *vpc, const struct vpc_nl_prefix *prefix)
{
	const struct vpc_portmap *map = vpc_portmap_current(vpc);

	return map ? vpc_trie_lookup_exact(&map->trie[prefix->family == AF_INET6], prefix->addr, prefix->plen) : 0;
}

bool vpc_portmap_holds(const struct vpc *vpc, u64 n)
{
	const struct vpc_portmap *map = vpc_portmap_current(vpc);

	if (!map)
		return !n;
	if (!vpc_trie_index_sound(&map->trie[0]) || !vpc_trie_index_sound(&map->trie[1]))
		return false;
	return map->stale || (u64)map->trie[0].count + map->trie[1].count == n;
}

static void vpc_portmap_free(struct vpc_portmap *map)
{
	vpc_trie_garbage_free(&map->garbage);
	if (map->final) {
		vpc_trie_destroy(&map->trie[0]);
		vpc_trie_destroy(&map->trie[1]);
	}
	kfree(map);
}

static void vpc_portmap_free_work(struct work_struct *work)
{
	vpc_portmap_free(container_of(to_rcu_work(work), struct vpc_portmap, rwork));
}

/* -- edits --------------------------------------------------------------------------------------------------------- */

/* Everything that is to be in a map that starts from nothing. */
static int vpc_portmap_add_all(struct vpc_portmap_edit *edit)
{
	const struct vpc_port_conf *conf;
	const struct vpc_port *port;
	u32 i;
	int err;

	hlist_for_each_entry(port, &edit->vpc->ports, vpc_node) {
		conf = rcu_dereference_protected(port->conf, lockdep_is_held(&edit->vpc->vnet->lock));
		for (i = 0; i < conf->n_addrs; i++) {
			if (port->moved & BIT_ULL(i))
				continue;
			err = vpc_portmap_add(edit, &conf->addrs[i], port->index);
			if (err)
				return err;
		}
	}
	return 0;
}

int vpc_portmap_begin(struct vpc *vpc, struct vpc_portmap_edit *ret_edit)
{
	struct vpc_portmap *base = vpc_portmap_current(vpc);
	struct vpc_portmap_edit edit = { .vpc = vpc };
	int err;

	edit.map = kzalloc(sizeof(*edit.map), GFP_KERNEL_ACCOUNT);
	if (!edit.map)
		return -ENOMEM;
	vpc_trie_init(&edit.map->trie[0], AF_INET);
	vpc_trie_init(&edit.map->trie[1], AF_INET6);
	/* Also where stamps have run out: a map from nothing shares no node with any other. */
	if (base && !base->stale && base->stamp < U32_MAX) {
		edit.base = base;
		edit.map->trie[0] = base->trie[0];
		edit.map->trie[1] = base->trie[1];
		edit.map->stamp = base->stamp;
	}
	vpc_trie_begin(&edit.txn, ++edit.map->stamp);
	if (!edit.base) {
		err = vpc_portmap_add_all(&edit);
		if (err) {
			vpc_portmap_abort(&edit);
			return err;
		}
	}
	*ret_edit = edit;
	return 0;
}

int vpc_portmap_add(struct vpc_portmap_edit *edit, const struct vpc_nl_prefix *prefix, u32 index)
{
	u32 old;

	return vpc_trie_add(&edit->txn, &edit->map->trie[prefix->family == AF_INET6], prefix->addr, prefix->plen, index,
			    &old);
}

int vpc_portmap_del(struct vpc_portmap_edit *edit, const struct vpc_nl_prefix *prefix)
{
	u32 old;
	int err;

	err = vpc_trie_del(&edit->txn, &edit->map->trie[prefix->family == AF_INET6], prefix->addr, prefix->plen, &old);
	return err == -ENOENT ? 0 : err;
}

int vpc_portmap_seal(struct vpc_portmap_edit *edit)
{
	int err;

	err = vpc_trie_seal(&edit->txn, &edit->map->trie[0]);
	return err ?: vpc_trie_seal(&edit->txn, &edit->map->trie[1]);
}

void vpc_portmap_abort(struct vpc_portmap_edit *edit)
{
	struct vpc_trie empty;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(edit->map->trie); i++) {
		vpc_trie_init(&empty, edit->map->trie[i].family);
		vpc_trie_revert(&edit->txn, &edit->map->trie[i], edit->base ? &edit->base->trie[i] : &empty);
	}
	vpc_trie_abort(&edit->txn);
	kfree(edit->map);
}

/* @map (NULL: none) instead of what is there; @garbage is what only that has. */
static void vpc_portmap_swap(struct vpc *vpc, struct vpc_portmap *map, bool final, struct vpc_trie_garbage garbage)
{
	struct vpc_portmap *old = vpc_portmap_current(vpc);

	rcu_assign_pointer(vpc->portmap, map);
	if (!old) {
		vpc_trie_garbage_free(&garbage);
		return;
	}
	old->final = final;
	old->garbage = garbage;
	vpc_tables_defer(&old->rwork, vpc_portmap_free_work);
}

void vpc_portmap_publish(struct vpc_portmap_edit *edit)
{
	vpc_portmap_swap(edit->vpc, edit->map, !edit->base, vpc_trie_commit(&edit->txn));
}

void vpc_portmap_drop(struct vpc *vpc)
{
	vpc_portmap_swap(vpc, NULL, true, (struct vpc_trie_garbage){});
}

void vpc_portmap_set_stale(struct vpc *vpc)
{
	struct vpc_portmap *map = vpc_portmap_current(vpc);

	if (map)
		map->stale = true;
}
