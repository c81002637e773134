/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of one network namespace: its VPCs, their versions, its VTEP. Read by the data path, changed by control.
 *
 * DOC: Locking
 *
 * RTNL (taken first, only where net devices are attached) -> vnet->lock (mutex, every change of the namespace's state)
 * -> vpc->versions_lock (spinlock, the list of live versions). The data path holds only rcu_read_lock(): it reads
 * vpc->version once per packet and takes everything else from that version, so that a packet sees one version whole.
 * Ports and the port map are not versioned: they are this host's own, each swapped by a single RCU pointer.
 */
#ifndef VPC_VPC_H
#define VPC_VPC_H

#include <linux/types.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/rhashtable.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/net_namespace.h>
#include "../../proto/vpc_genl.h"
#include "nexthop.h"
#include "stats.h"
#include "trie.h"

struct vpc_portmap;
struct socket;

/* One table in one version. trie[0] is IPv4, trie[1] is IPv6. */
struct vpc_table {
	u32 id;
	struct vpc_trie trie[2];
};

/**
 * struct vpc_version - what a VPC is at one epoch; immutable once published
 * @stamp: no other version has it, of whatever VPC, before or after; not 0
 * @memory: bytes of this version, its nexthops and its tries, the VPC itself not included
 * @trie_memory: of the tries alone
 * @refs: 1 while current, plus one a snapshot and one an open transaction that started from it
 * @dead: @refs reached 0; freed once all older versions are dead too (vpc->versions_lock)
 * @final: the VPC's last one: its tries go with it
 * @garbage: trie nodes that this version and those before it can see, and no later one
 * @tables: sorted by id; an empty table is not here
 */
struct vpc_version {
	u64 epoch;
	u64 stamp;
	struct vpc_digest digest;
	u64 n_routes;
	size_t memory;
	size_t trie_memory;
	struct vpc_nhset *nexthops;
	struct vpc *vpc;
	refcount_t refs;
	bool dead;
	bool final;
	union {
		struct list_head list;	/* vpc->versions, oldest first, vpc->versions_lock */
		struct rcu_work rwork;	/* taken off that list */
	};
	struct vpc_trie_garbage garbage;
	u32 n_tables;
	struct vpc_table tables[];
};

struct vpc {
	struct rhash_head node;		/* vnet->vpcs */
	struct list_head list;		/* vnet->vpc_list */
	u64 serial;			/* ascending along vnet->vpc_list: where a list dump goes on */
	u32 vni;
	bool own_stats;			/* @stats is not the namespace's; vnet->lock */
	struct vpc_net *vnet;
	struct vpc_version __rcu *version;	/* never NULL once visible */
	struct vpc_portmap __rcu *portmap;	/* address -> port here; NULL: none */
	struct vpc_stats __percpu *stats;	/* the namespace's while there are none of its own */
	u64 quota;			/* bytes; 0: none. vnet->lock */
	u32 flags;			/* VPC_F_*; written under vnet->lock, read once a packet */
	struct hlist_head ports;	/* struct vpc_port, vnet->lock */
	u32 n_ports;			/* vnet->lock */
	u32 next_stamp;			/* vnet->lock */
	refcount_t refs;		/* the hash, each port, each version */
	spinlock_t versions_lock;
	struct list_head versions;
	struct rcu_head rcu;
};

/* This namespace as an underlay host; swapped whole. */
struct vpc_host {
	struct socket *sock4;		/* owned; released after a grace period; NULL: no IPv4 underlay */
	struct socket *sock6;		/* the same for IPv6 */
	__be32 vtep4;			/* 0: none */
	struct in6_addr vtep6;		/* ::: none */
	__be16 udp_port;
};

struct vpc_net {
	struct net *net;
	struct mutex lock;
	struct rhashtable vpcs;		/* by VNI */
	struct list_head vpc_list;	/* the same in order of creation, vnet->lock */
	u64 next_serial;
	u32 generation;			/* +1 when a VPC or port comes, goes or changes: list dumps say so */
	struct hlist_head ports;	/* struct vpc_port, vnet->lock */
	struct xarray port_ids;		/* index -> struct vpc_port, read under RCU */
	struct list_head txns;		/* open transactions, vnet->lock */
	u32 next_txn;
	u32 n_txns;
	u32 next_port;			/* port_ids are given out in a circle */
	struct vpc_host __rcu *host;	/* NULL until HOST_SET */
	struct vpc_stats __percpu *stats;
	u64 instance;
	u32 hash_seed;			/* of flow hashes; random */
};

extern unsigned int vpc_net_id;
struct vpc_net *vpc_net(const struct net *net);

int vpc_tables_init(void);	/* the workqueue that frees what nobody sees any more */
void vpc_tables_exit(void);
/* Waits until everything that was given up before is freed. No new work may come meanwhile. */
void vpc_tables_flush(void);
/* Runs @rwork's function on that workqueue after a grace period. */
void vpc_tables_defer(struct rcu_work *rwork, work_func_t fn);

int vpc_net_tables_init(struct vpc_net *vnet, struct net *net);
void vpc_net_tables_exit(struct vpc_net *vnet);	/* all ports are gone, no packet runs */

/* Under RCU or vnet->lock. NULL when there is no such VPC. */
struct vpc *vpc_lookup(const struct vpc_net *vnet, u32 vni);
/* vnet->lock held. -EEXIST, -ENOMEM; *ret_vpc belongs to the namespace. */
int vpc_new(struct vpc_net *vnet, u32 vni, u64 quota, struct vpc **ret_vpc);
/* vnet->lock held. -EBUSY while ports are configured; open transactions on it are aborted. */
int vpc_del(struct vpc *vpc);
/* vnet->lock held, before there is anything to count: an empty VPC has no counters of its own. 0 or -ENOMEM. */
int vpc_need_stats(struct vpc *vpc);
/* Bytes of the VPC beside its versions. vnet->lock held. */
size_t vpc_memory(const struct vpc *vpc);
void vpc_get(struct vpc *vpc);
void vpc_put(struct vpc *vpc);

/* vnet->lock held. A snapshot: the current version with a reference, to be returned with vpc_version_put(). */
struct vpc_version *vpc_version_get_current(struct vpc *vpc);
void vpc_version_put(struct vpc_version *version);	/* may be called from any context that may take spinlocks */

/* For tables/txn.c. NULL: out of memory. A version that is not published yet, with room for @capacity tables. */
struct vpc_version *vpc_version_new(struct vpc *vpc, u32 capacity);
/* Frees a version that was never published; its tries are the caller's to revert. */
void vpc_version_discard(struct vpc_version *version);
/* vnet->lock held. The one step in which a VPC moves on; @garbage: what @next does not share with the current one. */
void vpc_version_publish(struct vpc_version *next, struct vpc_trie_garbage garbage);
/* Where @id is among @version's tables, or where it would be inserted. */
u32 vpc_version_table_pos(const struct vpc_version *version, u32 id, bool *ret_found);

/* The table @id, not 0, in @version or NULL; binary search. */
const struct vpc_table *vpc_version_customer_table(const struct vpc_version *version, u32 id);

/* The table @id in @version or NULL. */
static inline const struct vpc_table *vpc_version_table(const struct vpc_version *version, u32 id)
{
	/* The mapping, which nearly all packets come to, is the first. */
	if (!id)
		return version->n_tables && !version->tables[0].id ? &version->tables[0] : NULL;
	return vpc_version_customer_table(version, id);
}

static inline const struct vpc_trie *vpc_table_trie(const struct vpc_table *table, u8 family)
{
	return &table->trie[family == AF_INET6];
}

#endif
