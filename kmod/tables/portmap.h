/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The map from a VPC's addresses to the ports that own them here. Read by the data path for packets from the wire,
 * changed by port.c alone: each change is an edit, a copy-on-write successor of the published map that costs what it
 * changes.
 */
#ifndef VPC_PORTMAP_H
#define VPC_PORTMAP_H

#include "vpc.h"

/**
 * struct vpc_portmap - immutable once published; swapped whole
 * @trie: of IPv4 and IPv6; values are vpc_port.index
 * @stamp: of the newest nodes in it
 * @stale: it may have entries of ports that are gone, which lead nowhere: the next edit starts from nothing. vnet->lock
 * @final: nothing of it lives on in a successor
 * @garbage: what it does not share with its successor
 */
struct vpc_portmap {
	struct vpc_trie trie[2];
	u32 stamp;
	bool stale;
	bool final;
	struct vpc_trie_garbage garbage;
	struct rcu_work rwork;
};

/**
 * struct vpc_portmap_edit - a change under way; vnet->lock is held from its begin to its publish or abort
 * @base: what @map shares nodes with; NULL: nothing
 */
struct vpc_portmap_edit {
	struct vpc *vpc;
	struct vpc_portmap *map;
	struct vpc_portmap *base;
	struct vpc_trie_txn txn;
};

/* The port's index that a lookup of the longest match finds, 0: none. Under RCU. */
u32 vpc_portmap_lookup(const struct vpc *vpc, u8 family, const u8 *addr);
/* Of exactly this prefix. vnet->lock held. */
u32 vpc_portmap_owner(const struct vpc *vpc, const struct vpc_nl_prefix *prefix);

/* Whether that is all: @n entries, or those of ports that are gone beside them. vnet->lock held. */
bool vpc_portmap_holds(const struct vpc *vpc, u64 n);

/* All -ENOMEM; but for begin, what is left is to abort. Deleting what is not there is no error. */
int vpc_portmap_begin(struct vpc *vpc, struct vpc_portmap_edit *ret_edit);
int vpc_portmap_add(struct vpc_portmap_edit *edit, const struct vpc_nl_prefix *prefix, u32 index);
int vpc_portmap_del(struct vpc_portmap_edit *edit, const struct vpc_nl_prefix *prefix);
int vpc_portmap_seal(struct vpc_portmap_edit *edit);	/* the last before publishing */
void vpc_portmap_abort(struct vpc_portmap_edit *edit);
void vpc_portmap_publish(struct vpc_portmap_edit *edit);

/* vnet->lock held. No port is left: gives up the map. */
void vpc_portmap_drop(struct vpc *vpc);
/* vnet->lock held. A port is gone, but there was no memory for a map without it. */
void vpc_portmap_set_stale(struct vpc *vpc);

#endif
