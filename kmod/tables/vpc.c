// SPDX-License-Identifier: GPL-2.0-only
/*
 * VPCs of a namespace and the versions of a VPC: how they come, how the current one is swapped, when the old are freed.
 *
 * A version that nobody holds any more is dead. Trie nodes that it shares with an older version which a dump still
 * reads must stay, so the list of versions is freed from its old end only, each after a grace period of its own.
 */
#include "vpc.h"
#include "mem.h"
#include "port.h"
#include "txn.h"

#include <linux/jhash.h>
#include <linux/random.h>
#include <net/netns/generic.h>

unsigned int vpc_net_id;

static struct workqueue_struct *vpc_wq;

/* Of their own, so that they are compiled into the lookup, which each packet from the wire makes. */
/* Inlined into the one lookup of each packet from the wire, as the next one is. */
static __always_inline u32 vpc_hash_vni(const void *vni, u32 len, u32 seed)
{
	return jhash_1word(*(const u32 *)vni, seed);
}

static __always_inline int vpc_hash_cmp(struct rhashtable_compare_arg *arg, const void *vpc)
{
	return *(const u32 *)arg->key != ((const struct vpc *)vpc)->vni;
}

static const struct rhashtable_params vpc_hash_params = {
	.key_len = sizeof_field(struct vpc, vni),
	.key_offset = offsetof(struct vpc, vni),
	.hashfn = vpc_hash_vni,
	.obj_cmpfn = vpc_hash_cmp,
	.head_offset = offsetof(struct vpc, node),
	.automatic_shrinking = true,
};

struct vpc_net *vpc_net(const struct net *net)
{
	return net_generic(net, vpc_net_id);
}

int vpc_tables_init(void)
{
	vpc_nhset_init();
	vpc_wq = alloc_workqueue("vpc", WQ_UNBOUND, 0);
	return vpc_wq ? 0 : -ENOMEM;
}

void vpc_tables_flush(void)
{
	/* Callbacks queue work, and work may drop the last reference to a VPC, which is one more callback. */
	rcu_barrier();
	flush_workqueue(vpc_wq);
	rcu_barrier();
}

void vpc_tables_exit(void)
{
	vpc_tables_flush();
	destroy_workqueue(vpc_wq);
}

void vpc_tables_defer(struct rcu_work *rwork, work_func_t fn)
{
	INIT_RCU_WORK(rwork, fn);
	queue_rcu_work(vpc_wq, rwork);
}

/* -- VPCs ---------------------------------------------------------------------------------------------------------- */

struct vpc *vpc_lookup(const struct vpc_net *vnet, u32 vni)
{
	return rhashtable_lookup_fast((struct rhashtable *)&vnet->vpcs, &vni, vpc_hash_params);
}

void vpc_get(struct vpc *vpc)
{
	refcount_inc(&vpc->refs);
}

static void vpc_free_rcu(struct rcu_head *head)
{
	struct vpc *vpc = container_of(head, struct vpc, rcu);

	if (vpc->own_stats)
		free_percpu(vpc->stats);
	kfree(vpc);
}

int vpc_need_stats(struct vpc *vpc)
{
	struct vpc_stats __percpu *stats;

	lockdep_assert_held(&vpc->vnet->lock);
	if (vpc->own_stats)
		return 0;
	stats = vpc_stats_new();
	if (!stats)
		return -ENOMEM;
	/* Packets that read the pointer must find zeros behind it. */
	smp_store_release(&vpc->stats, stats);
	vpc->own_stats = true;
	return 0;
}

size_t vpc_memory(const struct vpc *vpc)
{
	return ksize(vpc) + (vpc->own_stats ? sizeof(struct vpc_stats) * num_possible_cpus() : 0);
}

void vpc_put(struct vpc *vpc)
{
	if (refcount_dec_and_test(&vpc->refs))
		call_rcu(&vpc->rcu, vpc_free_rcu);
}

static struct vpc *vpc_alloc(struct vpc_net *vnet, u32 vni, u64 quota)
{
	struct vpc *vpc = kzalloc(sizeof(*vpc), GFP_KERNEL_ACCOUNT);

	if (!vpc)
		return NULL;
	vpc->stats = vnet->stats;
	vpc->vni = vni;
	vpc->vnet = vnet;
	vpc->quota = quota;
	vpc->next_stamp = 1;
	refcount_set(&vpc->refs, 1);
	spin_lock_init(&vpc->versions_lock);
	INIT_LIST_HEAD(&vpc->versions);
	return vpc;
}

/* The version at epoch 0: nothing in it. */
static struct vpc_version *vpc_version_first(struct vpc *vpc)
{
	struct vpc_version *version = vpc_version_new(vpc, 0);

	if (!version)
		return NULL;
	version->nexthops = vpc_nhset_new();
	if (!version->nexthops) {
		vpc_version_discard(version);
		return NULL;
	}
	version->memory = vpc_mem_size(version, struct_size(version, tables, 0)) + vpc_nhset_memory(version->nexthops);
	list_add_tail(&version->list, &vpc->versions);
	RCU_INIT_POINTER(vpc->version, version);
	return version;
}

int vpc_new(struct vpc_net *vnet, u32 vni, u64 quota, struct vpc **ret_vpc)
{
	struct vpc_version *version;
	struct vpc *vpc;
	int err;

	lockdep_assert_held(&vnet->lock);
	vpc = vpc_alloc(vnet, vni, quota);
	if (!vpc)
		return -ENOMEM;
	version = vpc_version_first(vpc);
	if (!version) {
		err = -ENOMEM;
		goto err_put;
	}
	err = rhashtable_lookup_insert_fast(&vnet->vpcs, &vpc->node, vpc_hash_params);
	if (err)
		goto err_discard;
	vpc->serial = vnet->next_serial++;
	list_add_tail(&vpc->list, &vnet->vpc_list);
	vnet->generation++;
	*ret_vpc = vpc;
	return 0;

err_discard:
	vpc_version_discard(version);
err_put:
	vpc_put(vpc);
	return err;
}

int vpc_del(struct vpc *vpc)
{
	struct vpc_net *vnet = vpc->vnet;
	struct vpc_version *version;

	lockdep_assert_held(&vnet->lock);
	if (vpc->n_ports)
		return -EBUSY;
	vpc_txn_abort_vpc(vpc);
	rhashtable_remove_fast(&vnet->vpcs, &vpc->node, vpc_hash_params);
	list_del(&vpc->list);
	vnet->generation++;
	vpc_portmap_drop(vpc);
	version = rcu_dereference_protected(vpc->version, lockdep_is_held(&vnet->lock));
	spin_lock_bh(&vpc->versions_lock);
	version->final = true;
	spin_unlock_bh(&vpc->versions_lock);
	vpc_version_put(version);
	vpc_put(vpc);
	return 0;
}

/* -- versions ------------------------------------------------------------------------------------------------------ */

struct vpc_version *vpc_version_new(struct vpc *vpc, u32 capacity)
{
	static atomic64_t last_stamp;
	struct vpc_version *version;

	version = kvzalloc(struct_size(version, tables, capacity), GFP_KERNEL_ACCOUNT);
	if (!version)
		return NULL;
	vpc_get(vpc);
	version->vpc = vpc;
	version->stamp = atomic64_inc_return(&last_stamp);
	refcount_set(&version->refs, 1);
	INIT_LIST_HEAD(&version->list);
	return version;
}

void vpc_version_discard(struct vpc_version *version)
{
	if (version->nexthops)
		vpc_nhset_put(version->nexthops);
	vpc_put(version->vpc);
	kvfree(version);
}

static void vpc_version_free_work(struct work_struct *work)
{
	struct vpc_version *version = container_of(to_rcu_work(work), struct vpc_version, rwork);
	u32 i;

	vpc_trie_garbage_free(&version->garbage);
	for (i = 0; version->final && i < version->n_tables; i++) {
		vpc_trie_destroy(&version->tables[i].trie[0]);
		vpc_trie_destroy(&version->tables[i].trie[1]);
	}
	vpc_version_discard(version);
}

struct vpc_version *vpc_version_get_current(struct vpc *vpc)
{
	struct vpc_version *version;

	version = rcu_dereference_protected(vpc->version, lockdep_is_held(&vpc->vnet->lock));
	refcount_inc(&version->refs);
	return version;
}

void vpc_version_put(struct vpc_version *version)
{
	struct vpc *vpc = version->vpc;
	struct vpc_version *oldest, *tmp;
	LIST_HEAD(free);

	if (!refcount_dec_and_test(&version->refs))
		return;
	spin_lock_bh(&vpc->versions_lock);
	version->dead = true;
	list_for_each_entry_safe(oldest, tmp, &vpc->versions, list) {
		if (!oldest->dead)
			break;
		list_move_tail(&oldest->list, &free);
	}
	spin_unlock_bh(&vpc->versions_lock);
	list_for_each_entry_safe(oldest, tmp, &free, list)
		vpc_tables_defer(&oldest->rwork, vpc_version_free_work);
}

void vpc_version_publish(struct vpc_version *next, struct vpc_trie_garbage garbage)
{
	struct vpc *vpc = next->vpc;
	struct vpc_version *old;

	old = rcu_dereference_protected(vpc->version, lockdep_is_held(&vpc->vnet->lock));
	old->garbage = garbage;
	spin_lock_bh(&vpc->versions_lock);
	list_add_tail(&next->list, &vpc->versions);
	spin_unlock_bh(&vpc->versions_lock);
	rcu_assign_pointer(vpc->version, next);
	vpc_version_put(old);
}

u32 vpc_version_table_pos(const struct vpc_version *version, u32 id, bool *ret_found)
{
	u32 lo = 0, hi = version->n_tables, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (version->tables[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret_found = lo < version->n_tables && version->tables[lo].id == id;
	return lo;
}

const struct vpc_table *vpc_version_customer_table(const struct vpc_version *version, u32 id)
{
	bool found;
	u32 pos = vpc_version_table_pos(version, id, &found);

	return found ? &version->tables[pos] : NULL;
}

/* -- the namespace ------------------------------------------------------------------------------------------------- */

int vpc_net_tables_init(struct vpc_net *vnet, struct net *net)
{
	int err;

	vnet->net = net;
	vnet->instance = get_random_u64();
	vnet->hash_seed = get_random_u32();
	vnet->generation = 1;	/* 0 would mean "none seen yet" to nl_dump_check_consistent() */
	vnet->stats = vpc_stats_new();
	if (!vnet->stats)
		return -ENOMEM;
	err = rhashtable_init(&vnet->vpcs, &vpc_hash_params);
	if (err) {
		free_percpu(vnet->stats);
		return err;
	}
	mutex_init(&vnet->lock);
	INIT_LIST_HEAD(&vnet->vpc_list);
	INIT_HLIST_HEAD(&vnet->ports);
	INIT_LIST_HEAD(&vnet->txns);
	xa_init_flags(&vnet->port_ids, XA_FLAGS_ALLOC1);
	return 0;
}

void vpc_net_tables_exit(struct vpc_net *vnet)
{
	struct hlist_node *next_port;
	struct vpc *vpc, *next_vpc;
	struct vpc_port *port;

	mutex_lock(&vnet->lock);
	hlist_for_each_entry_safe(port, next_port, &vnet->ports, list)
		vpc_port_del(port);
	list_for_each_entry_safe(vpc, next_vpc, &vnet->vpc_list, list)
		vpc_del(vpc);
	mutex_unlock(&vnet->lock);
	rhashtable_destroy(&vnet->vpcs);
	xa_destroy(&vnet->port_ids);
	free_percpu(vnet->stats);
	mutex_destroy(&vnet->lock);
}
