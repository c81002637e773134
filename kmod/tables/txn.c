// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transactions: the next version of a VPC in the making. Called by control/txn_cmd.c, publishes through tables/vpc.c.
 *
 * The next version starts as a copy of the base's table array, which shares every trie node and the set of nexthops
 * with it, or as nothing (replace). The first change that touches the set copies it; the trie copies node by node.
 */
#include "txn.h"
#include "digest.h"
#include "mem.h"
#include "port.h"
#include "../compat.h"

#include <linux/slab.h>

/**
 * struct vpc_txn - an open transaction
 * @list: vnet->txns
 * @id: the handle, not 0
 * @owner: portid of the socket that began it
 * @mode: delta or replace
 * @cas: @base must still be the current version at the commit
 * @failed: an operation failed half way; only abort is left
 * @own_nexthops: next->nexthops is this transaction's own copy
 * @base: the version that was current at the beginning, referenced; it keeps the VPC too
 * @next: what the commit publishes
 * @capacity: tables that @next has room for
 * @trie: the work on all tries
 */
struct vpc_txn {
	struct list_head list;
	u32 id;
	u32 owner;
	enum vpc_txn_mode mode;
	bool cas;
	bool failed;
	bool own_nexthops;
	struct vpc_version *base;
	struct vpc_version *next;
	u32 capacity;
	struct vpc_trie_txn trie;
};

static struct vpc_version *vpc_txn_current(const struct vpc *vpc)
{
	return rcu_dereference_protected(vpc->version, lockdep_is_held(&vpc->vnet->lock));
}

/* -- begin and end ------------------------------------------------------------------------------------------------- */

static int vpc_txn_check_begin(const struct vpc *vpc, enum vpc_txn_mode mode, const u64 *base,
			       struct netlink_ext_ack *extack)
{
	u64 epoch = vpc_txn_current(vpc)->epoch;

	if (mode == VPC_TXN_DELTA && !base) {
		vpc_refuse(extack, "a delta needs a base epoch");
		return -EINVAL;
	}
	if (base && *base != epoch) {
		vpc_refuse(extack, "base epoch %llu is not the current one (%llu)", *base, epoch);
		return -ESTALE;
	}
	if (vpc->vnet->n_txns >= VPC_TXNS_MAX) {
		vpc_refuse(extack, "%u transactions are open already", vpc->vnet->n_txns);
		return -EBUSY;
	}
	if (vpc->next_stamp == U32_MAX) {
		vpc_refuse(extack, "VPC %u has seen 2^32 transactions: delete and create it anew", vpc->vni);
		return -EOVERFLOW;
	}
	return 0;
}

/* What @txn starts from: the base's tables and nexthops, or none. */
static int vpc_txn_start(struct vpc_txn *txn, struct vpc *vpc)
{
	const struct vpc_version *base = txn->base;
	struct vpc_version *next;

	txn->capacity = txn->mode == VPC_TXN_DELTA ? base->n_tables : 0;
	next = vpc_version_new(vpc, txn->capacity);
	if (!next)
		return -ENOMEM;
	txn->next = next;
	if (txn->mode == VPC_TXN_REPLACE) {
		txn->own_nexthops = true;
		next->nexthops = vpc_nhset_new();
		return next->nexthops ? 0 : -ENOMEM;
	}
	next->nexthops = vpc_nhset_get(base->nexthops);
	next->digest = base->digest;
	next->n_routes = base->n_routes;
	next->trie_memory = base->trie_memory;
	next->n_tables = base->n_tables;
	memcpy(next->tables, base->tables, flex_array_size(base, tables, base->n_tables));
	return 0;
}

int vpc_txn_begin(struct vpc *vpc, u32 owner, enum vpc_txn_mode mode, const u64 *base,
		  struct netlink_ext_ack *extack, struct vpc_txn **ret_txn)
{
	struct vpc_net *vnet = vpc->vnet;
	struct vpc_txn *txn;
	int err;

	lockdep_assert_held(&vnet->lock);
	err = vpc_txn_check_begin(vpc, mode, base, extack);
	if (!err)
		err = vpc_need_stats(vpc);
	if (err)
		return err;
	txn = kzalloc(sizeof(*txn), GFP_KERNEL_ACCOUNT);
	if (!txn)
		return -ENOMEM;
	txn->owner = owner;
	txn->mode = mode;
	txn->cas = base;
	txn->base = vpc_version_get_current(vpc);
	err = vpc_txn_start(txn, vpc);
	if (err)
		goto err_free;
	do {
		txn->id = ++vnet->next_txn;
	} while (!txn->id || vpc_txn_find(vnet, owner, txn->id));
	vpc_trie_begin(&txn->trie, vpc->next_stamp++);
	list_add_tail(&txn->list, &vnet->txns);
	vnet->n_txns++;
	*ret_txn = txn;
	return 0;

err_free:
	if (txn->next)
		vpc_version_discard(txn->next);
	vpc_version_put(txn->base);
	kfree(txn);
	return err;
}

struct vpc_txn *vpc_txn_find(struct vpc_net *vnet, u32 owner, u32 id)
{
	struct vpc_txn *txn;

	lockdep_assert_held(&vnet->lock);
	list_for_each_entry(txn, &vnet->txns, list) {
		if (txn->id == id && txn->owner == owner)
			return txn;
	}
	return NULL;
}

u32 vpc_txn_id(const struct vpc_txn *txn)
{
	return txn->id;
}

struct vpc *vpc_txn_vpc(const struct vpc_txn *txn)
{
	return txn->base->vpc;
}

/* What is left of a transaction whose next version was published or discarded. */
static void vpc_txn_free(struct vpc_txn *txn)
{
	list_del(&txn->list);
	vpc_txn_vpc(txn)->vnet->n_txns--;
	vpc_version_put(txn->base);
	kfree(txn);
}

void vpc_txn_abort(struct vpc_txn *txn)
{
	struct vpc_trie empty, *trie;
	const struct vpc_table *base;
	u32 i;

	lockdep_assert_held(&vpc_txn_vpc(txn)->vnet->lock);
	for (i = 0; i < 2 * txn->next->n_tables; i++) {
		trie = &txn->next->tables[i / 2].trie[i % 2];
		vpc_trie_init(&empty, trie->family);
		base = NULL;
		if (txn->mode == VPC_TXN_DELTA)
			base = vpc_version_table(txn->base, txn->next->tables[i / 2].id);
		vpc_trie_revert(&txn->trie, trie, base ? &base->trie[i % 2] : &empty);
	}
	vpc_trie_abort(&txn->trie);
	vpc_version_discard(txn->next);
	vpc_txn_free(txn);
}

void vpc_txn_abort_vpc(struct vpc *vpc)
{
	struct vpc_txn *txn, *tmp;

	list_for_each_entry_safe(txn, tmp, &vpc->vnet->txns, list) {
		if (vpc_txn_vpc(txn) == vpc)
			vpc_txn_abort(txn);
	}
}

void vpc_txn_abort_owner(struct vpc_net *vnet, u32 owner)
{
	struct vpc_txn *txn, *tmp;

	mutex_lock(&vnet->lock);
	list_for_each_entry_safe(txn, tmp, &vnet->txns, list) {
		if (txn->owner == owner)
			vpc_txn_abort(txn);
	}
	mutex_unlock(&vnet->lock);
}

/* -- changes ------------------------------------------------------------------------------------------------------- */

static size_t vpc_txn_memory(const struct vpc_txn *txn)
{
	const struct vpc_version *next = txn->next;

	return vpc_mem_size(next, struct_size(next, tables, txn->capacity)) + vpc_nhset_memory(next->nexthops) +
	       next->trie_memory + txn->trie.bytes;
}

static int vpc_txn_check_open(const struct vpc_txn *txn, struct netlink_ext_ack *extack)
{
	if (!txn->failed)
		return 0;
	vpc_refuse(extack, "transaction %u has failed before: abort it", txn->id);
	return -ECANCELED;
}

static int vpc_txn_check_quota(const struct vpc_txn *txn, struct netlink_ext_ack *extack)
{
	const struct vpc *vpc = vpc_txn_vpc(txn);
	size_t own, bytes;

	if (!vpc->quota)
		return 0;
	own = vpc_memory(vpc);
	bytes = own + vpc_txn_memory(txn);
	/* A quota that was lowered stops growth; what is there may change and shrink. */
	if (bytes <= max_t(u64, vpc->quota, own + txn->base->memory))
		return 0;
	vpc_refuse(extack, "VPC %u would need %zu bytes, its quota is %llu", vpc->vni, bytes, vpc->quota);
	return -EDQUOT;
}

/* An operation may have failed half way: only abort is left. */
static int vpc_txn_fail(struct vpc_txn *txn, int err, struct netlink_ext_ack *extack)
{
	txn->failed = true;
	if (err == -ENOMEM)
		vpc_refuse(extack, "out of memory");
	return err;
}

static int vpc_txn_own_nexthops(struct vpc_txn *txn)
{
	struct vpc_nhset *copy;

	if (txn->own_nexthops)
		return 0;
	copy = vpc_nhset_copy(txn->next->nexthops);
	if (!copy)
		return -ENOMEM;
	vpc_nhset_put(txn->next->nexthops);
	txn->next->nexthops = copy;
	txn->own_nexthops = true;
	return 0;
}

static int vpc_txn_resize(struct vpc_txn *txn, u32 capacity)
{
	struct vpc_version *next;

	next = kvzalloc(struct_size(next, tables, capacity), GFP_KERNEL_ACCOUNT);
	if (!next)
		return -ENOMEM;
	memcpy(next, txn->next, struct_size(next, tables, txn->next->n_tables));
	INIT_LIST_HEAD(&next->list);
	kvfree(txn->next);
	txn->next = next;
	txn->capacity = capacity;
	return 0;
}

/* The table @id in the next version, made when it is not there. */
static int vpc_txn_table(struct vpc_txn *txn, u32 id, struct netlink_ext_ack *extack, struct vpc_table **ret_table)
{
	u32 n = txn->next->n_tables, pos;
	struct vpc_table *table;
	bool found;
	int err;

	pos = vpc_version_table_pos(txn->next, id, &found);
	if (!found && n >= VPC_TABLES_MAX) {
		vpc_refuse(extack, "table %u would be one more than %u", id, VPC_TABLES_MAX);
		return -E2BIG;
	}
	if (!found && n == txn->capacity) {
		err = vpc_txn_resize(txn, n + n / 2 + 1);
		if (err)
			return err;
	}
	table = &txn->next->tables[pos];
	if (!found) {
		memmove(table + 1, table, (n - pos) * sizeof(*table));
		table->id = id;
		vpc_trie_init(&table->trie[0], AF_INET);
		vpc_trie_init(&table->trie[1], AF_INET6);
		txn->next->n_tables++;
	}
	*ret_table = table;
	return 0;
}

static int vpc_txn_nexthop_set(struct vpc_txn *txn, const struct vpc_nl_nexthop *nh, struct netlink_ext_ack *extack)
{
	struct vpc_version *next = txn->next;
	struct vpc_nl_nexthop old;
	int err;

	err = vpc_nhset_set(&next->nexthops, nh, &old);
	if (err == -E2BIG)
		vpc_refuse(extack, "nexthop %u would be one more than %u", nh->id, VPC_NEXTHOPS_MAX);
	if (err)
		return err;
	if (old.id)
		vpc_digest_sub_nexthop(&next->digest, &old);
	vpc_digest_add_nexthop(&next->digest, nh);
	return vpc_txn_check_quota(txn, extack);
}

static int vpc_txn_nexthop_del(struct vpc_txn *txn, u32 id, struct netlink_ext_ack *extack)
{
	struct vpc_nl_nexthop old;
	int err;

	err = vpc_nhset_del(txn->next->nexthops, id, &old);
	if (err) {
		vpc_refuse(extack, "nexthop %u is not there", id);
		return err;
	}
	vpc_digest_sub_nexthop(&txn->next->digest, &old);
	return 0;
}

int vpc_txn_nexthop(struct vpc_txn *txn, const struct vpc_nl_nexthop *nh, struct netlink_ext_ack *extack)
{
	int err;

	err = vpc_txn_check_open(txn, extack);
	if (err)
		return err;
	err = vpc_txn_own_nexthops(txn);
	if (!err && nh->op == VPC_OP_DEL)
		err = vpc_txn_nexthop_del(txn, nh->id, extack);
	else if (!err)
		err = vpc_txn_nexthop_set(txn, nh, extack);
	return err ? vpc_txn_fail(txn, err, extack) : 0;
}

static int vpc_txn_member_set(struct vpc_txn *txn, const struct vpc_nl_member *member, struct netlink_ext_ack *extack)
{
	struct vpc_version *next = txn->next;
	struct vpc_nl_member old;
	int err;

	err = vpc_nhset_member_set(&next->nexthops, member, &old);
	if (err == -E2BIG)
		vpc_refuse(extack, "group %u, nexthop %u: too many members, groups or nexthops", member->group,
			   member->nexthop);
	if (err)
		return err;
	if (old.weight)
		vpc_digest_sub_member(&next->digest, &old);
	vpc_digest_add_member(&next->digest, member);
	return vpc_txn_check_quota(txn, extack);
}

static int vpc_txn_member_del(struct vpc_txn *txn, const struct vpc_nl_member *member, struct netlink_ext_ack *extack)
{
	struct vpc_nl_member old;
	int err;

	err = vpc_nhset_member_del(&txn->next->nexthops, member->group, member->nexthop, &old);
	if (err == -ENOENT)
		vpc_refuse(extack, "nexthop %u is not a member of group %u", member->nexthop, member->group);
	if (err)
		return err;
	vpc_digest_sub_member(&txn->next->digest, &old);
	return 0;
}

int vpc_txn_member(struct vpc_txn *txn, const struct vpc_nl_member *member, struct netlink_ext_ack *extack)
{
	int err;

	err = vpc_txn_check_open(txn, extack);
	if (err)
		return err;
	err = vpc_txn_own_nexthops(txn);
	if (!err && member->op == VPC_OP_DEL)
		err = vpc_txn_member_del(txn, member, extack);
	else if (!err)
		err = vpc_txn_member_set(txn, member, extack);
	return err ? vpc_txn_fail(txn, err, extack) : 0;
}

static int vpc_txn_route_set(struct vpc_txn *txn, u32 table_id, u8 family, const u8 *addr, u8 plen, u32 nexthop,
			     struct netlink_ext_ack *extack)
{
	struct vpc_version *next;
	struct vpc_table *table;
	u32 old;
	int err;

	err = vpc_txn_table(txn, table_id, extack, &table);
	if (err)
		return err;
	next = txn->next;
	err = vpc_nhset_ref_route(&next->nexthops, nexthop);
	if (err == -E2BIG)
		vpc_refuse(extack, "too many routes to, or ids of, nexthops: nexthop %u", nexthop);
	if (err)
		return err;
	err = vpc_trie_add(&txn->trie, &table->trie[family == AF_INET6], addr, plen, nexthop, &old);
	if (err) {
		vpc_nhset_unref_route(next->nexthops, nexthop);
		return err;
	}
	if (old) {
		vpc_nhset_unref_route(next->nexthops, old);
		vpc_digest_sub_route(&next->digest, table_id, family, addr, plen, old);
	} else {
		next->n_routes++;
	}
	vpc_digest_add_route(&next->digest, table_id, family, addr, plen, nexthop);
	return vpc_txn_check_quota(txn, extack);
}

static void vpc_txn_refuse_route(struct netlink_ext_ack *extack, u32 table, u8 family, const u8 *addr, u8 plen)
{
	if (family == AF_INET6)
		vpc_refuse(extack, "route %pI6c/%u is not in table %u", addr, plen, table);
	else
		vpc_refuse(extack, "route %pI4/%u is not in table %u", addr, plen, table);
}

static int vpc_txn_route_del(struct vpc_txn *txn, u32 table_id, u8 family, const u8 *addr, u8 plen,
			     struct netlink_ext_ack *extack)
{
	struct vpc_version *next = txn->next;
	int err = -ENOENT;
	bool found;
	u32 old, pos;

	pos = vpc_version_table_pos(next, table_id, &found);
	if (found)
		err = vpc_trie_del(&txn->trie, &next->tables[pos].trie[family == AF_INET6], addr, plen, &old);
	if (err == -ENOENT)
		vpc_txn_refuse_route(extack, table_id, family, addr, plen);
	if (err)
		return err;
	vpc_nhset_unref_route(next->nexthops, old);
	vpc_digest_sub_route(&next->digest, table_id, family, addr, plen, old);
	next->n_routes--;
	return 0;
}

int vpc_txn_route(struct vpc_txn *txn, u8 op, u32 table, u8 family, const u8 *addr, u8 plen, u32 nexthop,
		  struct netlink_ext_ack *extack)
{
	int err;

	err = vpc_txn_check_open(txn, extack);
	if (err)
		return err;
	err = vpc_txn_own_nexthops(txn);
	if (!err && op == VPC_OP_DEL)
		err = vpc_txn_route_del(txn, table, family, addr, plen, extack);
	else if (!err)
		err = vpc_txn_route_set(txn, table, family, addr, plen, nexthop, extack);
	return err ? vpc_txn_fail(txn, err, extack) : 0;
}

/* -- commit -------------------------------------------------------------------------------------------------------- */

static int vpc_txn_check_base(const struct vpc_txn *txn, u64 epoch, struct netlink_ext_ack *extack)
{
	const struct vpc_version *current_version = vpc_txn_current(vpc_txn_vpc(txn));

	if (!txn->cas)
		return 0;
	if (current_version != txn->base) {
		vpc_refuse(extack, "base epoch %llu is not the current one (%llu) any more", txn->base->epoch,
			   current_version->epoch);
		return -ESTALE;
	}
	if (epoch < txn->base->epoch) {
		vpc_refuse(extack, "epoch %llu is before the base epoch %llu", epoch, txn->base->epoch);
		return -EINVAL;
	}
	return 0;
}

static int vpc_txn_check_nexthops(const struct vpc_txn *txn, struct netlink_ext_ack *extack)
{
	const struct vpc_nhset *set = txn->next->nexthops;
	u32 id = vpc_nhset_missing(set), members, groups;
	bool deleted;
	u64 routes;

	if (!id)
		return 0;
	deleted = txn->mode == VPC_TXN_DELTA && vpc_nhset_lookup(txn->base->nexthops, id);
	members = vpc_nhset_group_size(set, id);
	routes = vpc_nhset_routes(set, id);
	groups = vpc_nhset_groups(set, id);
	if (members && deleted)
		vpc_refuse(extack, "group %u has %u members: delete them first", id, members);
	else if (members)
		vpc_refuse(extack, "group %u, which has %u members, does not exist", id, members);
	else if (deleted)
		vpc_refuse(extack, "nexthop %u is used by %llu routes and %u groups", id, routes, groups);
	else
		vpc_refuse(extack, "nexthop %u, which %llu routes and %u groups use, does not exist", id, routes,
			   groups);
	return deleted ? -EBUSY : -EINVAL;
}

/* Nothing is missing. */
static int vpc_txn_check_members(const struct vpc_txn *txn, struct netlink_ext_ack *extack)
{
	const struct vpc_nhset *set = txn->next->nexthops;
	struct vpc_nl_member member;

	if (!vpc_nhset_unsound_member(set, &member))
		return 0;
	if (vpc_nhset_lookup(set, member.group)->wire.type != VPC_NEXTHOP_GROUP)
		vpc_refuse(extack, "nexthop %u has %u members, but is no group", member.group,
			   vpc_nhset_group_size(set, member.group));
	else if (vpc_nhset_lookup(set, member.nexthop)->wire.type == VPC_NEXTHOP_GROUP)
		vpc_refuse(extack, "nexthop %u, a member of group %u, is a group itself", member.nexthop,
			   member.group);
	else
		vpc_refuse(extack, "group %u has %u members, more than %u", member.group,
			   vpc_nhset_group_size(set, member.group), VPC_MEMBERS_MAX);
	return -EINVAL;
}

static int vpc_txn_check_digest(const struct vpc_txn *txn, const struct vpc_digest *digest,
				struct netlink_ext_ack *extack)
{
	const struct vpc_digest *found = &txn->next->digest;

	if (!digest || vpc_digest_equal(digest, found))
		return 0;
	vpc_refuse(extack, "the digest would be %016llx%016llx, not the one given", found->h[0], found->h[1]);
	return -EBADMSG;
}

/* Puts the next version into the form in which it is published: no empty tables, VTEPs and buckets known. */
static int vpc_txn_finish(struct vpc_txn *txn, struct netlink_ext_ack *extack)
{
	struct vpc_version *next = txn->next;
	u32 i, n = 0;

	for (i = 0; i < 2 * next->n_tables; i++) {
		if (vpc_trie_seal(&txn->trie, &next->tables[i / 2].trie[i % 2])) {
			vpc_refuse(extack, "out of memory");
			return -ENOMEM;
		}
	}
	for (i = 0; i < next->n_tables; i++) {
		if (next->tables[i].trie[0].count || next->tables[i].trie[1].count)
			next->tables[n++] = next->tables[i];
	}
	next->n_tables = n;
	/* What is left over is lent, not lost: without memory for a smaller copy it stays. */
	if (txn->capacity > n)
		vpc_txn_resize(txn, n);
	if (txn->own_nexthops)
		vpc_nhset_fit(&txn->next->nexthops);
	if (txn->own_nexthops && vpc_nhset_seal(txn->next->nexthops)) {
		vpc_refuse(extack, "out of memory");
		return -ENOMEM;
	}
	return vpc_txn_check_quota(txn, extack);
}

/* Replace: what the current version has goes, in the same transaction. */
static int vpc_txn_retire(struct vpc_txn *txn, struct netlink_ext_ack *extack)
{
	const struct vpc_version *old = vpc_txn_current(vpc_txn_vpc(txn));
	struct vpc_trie trie;
	u32 i;

	for (i = 0; i < 2 * old->n_tables; i++) {
		trie = old->tables[i / 2].trie[i % 2];
		if (vpc_trie_clear(&txn->trie, &trie)) {
			vpc_refuse(extack, "out of memory");
			return -ENOMEM;
		}
	}
	return 0;
}

static int vpc_txn_prepare(struct vpc_txn *txn, u64 epoch, const struct vpc_digest *digest,
			   struct netlink_ext_ack *extack)
{
	int err;

	err = vpc_txn_check_open(txn, extack);
	if (!err)
		err = vpc_txn_check_base(txn, epoch, extack);
	if (!err)
		err = vpc_txn_check_nexthops(txn, extack);
	if (!err)
		err = vpc_txn_check_members(txn, extack);
	if (!err)
		err = vpc_txn_check_digest(txn, digest, extack);
	if (!err)
		err = vpc_txn_finish(txn, extack);
	if (err)
		return err;
	txn->next->memory = vpc_txn_memory(txn);
	txn->next->trie_memory += txn->trie.bytes;
	txn->next->epoch = epoch;
	return txn->mode == VPC_TXN_REPLACE ? vpc_txn_retire(txn, extack) : 0;
}

int vpc_txn_commit(struct vpc_txn *txn, u64 epoch, const struct vpc_digest *digest,
		   struct netlink_ext_ack *extack, const struct vpc_version **ret_version)
{
	struct vpc_port_moves moves;
	int err;

	lockdep_assert_held(&vpc_txn_vpc(txn)->vnet->lock);
	err = vpc_txn_prepare(txn, epoch, digest, extack);
	if (!err)
		err = vpc_port_moves_prepare(vpc_txn_vpc(txn), txn->next, &moves);
	if (err) {
		vpc_txn_abort(txn);
		return err;
	}
	*ret_version = txn->next;
	vpc_version_publish(txn->next, vpc_trie_commit(&txn->trie));
	vpc_port_moves_publish(&moves);
	vpc_txn_free(txn);
	return 0;
}
