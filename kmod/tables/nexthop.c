// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nexthops and the sets of them. Built and copied by tables/txn.c, read by the data path through a version.
 *
 * A set is one allocation: a header and a power of two of slots, linear probing, at most three quarters full. A slot
 * exists for every id that is a nexthop or that a route names; a commit sees to it that the two are the same.
 */
#include "nexthop.h"
#include "mem.h"

#include <linux/jhash.h>
#include <linux/log2.h>
#include <linux/random.h>
#include <linux/sched.h>

/* What dst_cache.c allocates per CPU: cookie, reset time, destination, source address. */
#define VPC_DST_CACHE_PCPU	40

#define VPC_NHSET_SLOTS_MIN	4U

struct vpc_nhslot {
	struct vpc_nexthop *nh;		/* NULL: routes name the id, but it is not there (in a transaction only) */
	u32 id;				/* 0: the slot is empty */
	u32 routes;
};

/* The IPv4 VTEPs of a set, shared by sets that have the same: open addressing, 0 is empty. */
struct vpc_vteps {
	refcount_t refs;
	u32 mask;
	__be32 addr[];
};

/**
 * struct vpc_nhset - see nexthop.h
 * @refs: versions and the open transaction that hold this set
 * @count: nexthops in it
 * @used: slots in use
 * @mask: slots - 1
 * @seed: keeps an attacker from choosing ids that collide
 * @nexthop_bytes: memory of the nexthops
 * @vteps: NULL when there are none; in a transaction also when they have to be gathered anew
 * @slots: @mask + 1 of them
 */
struct vpc_nhset {
	refcount_t refs;
	u32 count;
	u32 used;
	u32 mask;
	u32 seed;
	size_t nexthop_bytes;
	struct vpc_vteps *vteps;
	struct vpc_nhslot slots[];
};

static bool vpc_nexthop_has_vtep(const struct vpc_nl_nexthop *wire)
{
	return wire->type == VPC_NEXTHOP_HOST || wire->type == VPC_NEXTHOP_GATEWAY;
}

static struct vpc_nexthop *vpc_nexthop_new(const struct vpc_nl_nexthop *wire)
{
	struct vpc_nexthop *nh = kzalloc(sizeof(*nh), GFP_KERNEL_ACCOUNT);

	if (!nh)
		return NULL;
	if (vpc_nexthop_has_vtep(wire) && dst_cache_init(&nh->dst_cache, GFP_KERNEL_ACCOUNT)) {
		kfree(nh);
		return NULL;
	}
	nh->wire = *wire;
	nh->wire.op = VPC_OP_SET;
	refcount_set(&nh->refs, 1);
	return nh;
}

static void vpc_nexthop_put(struct vpc_nexthop *nh)
{
	if (!refcount_dec_and_test(&nh->refs))
		return;
	if (vpc_nexthop_has_vtep(&nh->wire))
		dst_cache_destroy(&nh->dst_cache);
	kfree(nh);
}

static size_t vpc_nexthop_memory(const struct vpc_nexthop *nh)
{
	return ksize(nh) + (vpc_nexthop_has_vtep(&nh->wire) ? VPC_DST_CACHE_PCPU * num_possible_cpus() : 0);
}

static void vpc_vteps_put(struct vpc_vteps *vteps)
{
	if (vteps && refcount_dec_and_test(&vteps->refs))
		kvfree(vteps);
}

/* The fewest slots that hold @used ids with a quarter to spare. */
static u32 vpc_nhset_slots(u32 used)
{
	return max(VPC_NHSET_SLOTS_MIN, (u32)roundup_pow_of_two(used + used / 3 + 1));
}

/* In loops over the slots, of which there may be millions. */
static void vpc_nhset_resched(u32 i)
{
	if (!(i % 1024))
		cond_resched();
}

/* The slot of @id, or the empty one where it would be. */
static u32 vpc_nhset_find(const struct vpc_nhset *set, u32 id)
{
	u32 i = jhash_1word(id, set->seed) & set->mask;

	while (set->slots[i].id && set->slots[i].id != id)
		i = (i + 1) & set->mask;
	return i;
}

static struct vpc_nhset *vpc_nhset_alloc(u32 slots, u32 seed)
{
	struct vpc_nhset *set = kvzalloc(struct_size(set, slots, slots), GFP_KERNEL_ACCOUNT);

	if (!set)
		return NULL;
	refcount_set(&set->refs, 1);
	set->mask = slots - 1;
	set->seed = seed;
	return set;
}

struct vpc_nhset *vpc_nhset_new(void)
{
	return vpc_nhset_alloc(VPC_NHSET_SLOTS_MIN, get_random_u32());
}

/* Everything but the references: @to has room for what @from has. */
static void vpc_nhset_fill(struct vpc_nhset *to, const struct vpc_nhset *from)
{
	u32 i;

	to->count = from->count;
	to->used = from->used;
	to->nexthop_bytes = from->nexthop_bytes;
	to->vteps = from->vteps;
	if (to->mask == from->mask) {
		memcpy(to->slots, from->slots, flex_array_size(from, slots, from->mask + 1));
		return;
	}
	for (i = 0; i <= from->mask; i++) {
		if (from->slots[i].id)
			to->slots[vpc_nhset_find(to, from->slots[i].id)] = from->slots[i];
		vpc_nhset_resched(i);
	}
}

struct vpc_nhset *vpc_nhset_copy(const struct vpc_nhset *set)
{
	struct vpc_nhset *copy = vpc_nhset_alloc(vpc_nhset_slots(set->used), set->seed);
	u32 i;

	if (!copy)
		return NULL;
	vpc_nhset_fill(copy, set);
	for (i = 0; i <= copy->mask; i++) {
		if (copy->slots[i].nh)
			refcount_inc(&copy->slots[i].nh->refs);
		vpc_nhset_resched(i);
	}
	if (copy->vteps)
		refcount_inc(&copy->vteps->refs);
	return copy;
}

struct vpc_nhset *vpc_nhset_get(struct vpc_nhset *set)
{
	refcount_inc(&set->refs);
	return set;
}

void vpc_nhset_put(struct vpc_nhset *set)
{
	u32 i;

	if (!refcount_dec_and_test(&set->refs))
		return;
	for (i = 0; i <= set->mask; i++) {
		if (set->slots[i].nh)
			vpc_nexthop_put(set->slots[i].nh);
		vpc_nhset_resched(i);
	}
	vpc_vteps_put(set->vteps);
	kvfree(set);
}

u32 vpc_nhset_count(const struct vpc_nhset *set)
{
	return set->count;
}

size_t vpc_nhset_memory(const struct vpc_nhset *set)
{
	size_t bytes = set->nexthop_bytes + vpc_mem_size(set, struct_size(set, slots, set->mask + 1));

	if (set->vteps)
		bytes += vpc_mem_size(set->vteps, struct_size(set->vteps, addr, set->vteps->mask + 1));
	return bytes;
}

const struct vpc_nexthop *vpc_nhset_lookup(const struct vpc_nhset *set, u32 id)
{
	return id ? set->slots[vpc_nhset_find(set, id)].nh : NULL;
}

static u32 vpc_vteps_find(const struct vpc_vteps *vteps, __be32 addr, u32 seed)
{
	u32 i = jhash_1word((__force u32)addr, seed) & vteps->mask;

	while (vteps->addr[i] && vteps->addr[i] != addr)
		i = (i + 1) & vteps->mask;
	return i;
}

bool vpc_nhset_has_vtep(const struct vpc_nhset *set, u8 family, const u8 *addr)
{
	__be32 addr4;

	if (family != AF_INET || !set->vteps)
		return false;
	memcpy(&addr4, addr, sizeof(addr4));
	return addr4 && set->vteps->addr[vpc_vteps_find(set->vteps, addr4, set->seed)];
}

int vpc_nhset_seal(struct vpc_nhset *set)
{
	struct vpc_vteps *vteps;
	u32 i, n = 0;
	__be32 addr;

	if (set->vteps)
		return 0;
	for (i = 0; i <= set->mask; i++) {
		n += set->slots[i].nh && vpc_nexthop_has_vtep(&set->slots[i].nh->wire);
		vpc_nhset_resched(i);
	}
	if (!n)
		return 0;
	vteps = kvzalloc(struct_size(vteps, addr, vpc_nhset_slots(n)), GFP_KERNEL_ACCOUNT);
	if (!vteps)
		return -ENOMEM;
	refcount_set(&vteps->refs, 1);
	vteps->mask = vpc_nhset_slots(n) - 1;
	for (i = 0; i <= set->mask; i++) {
		vpc_nhset_resched(i);
		if (!set->slots[i].nh || !vpc_nexthop_has_vtep(&set->slots[i].nh->wire))
			continue;
		memcpy(&addr, set->slots[i].nh->wire.addr, sizeof(addr));
		vteps->addr[vpc_vteps_find(vteps, addr, set->seed)] = addr;
	}
	set->vteps = vteps;
	return 0;
}

/* The slot of @id, made when it is not there. */
static int vpc_nhset_slot(struct vpc_nhset **set, u32 id, struct vpc_nhslot **ret_slot)
{
	struct vpc_nhset *old = *set, *bigger;
	u32 i = vpc_nhset_find(old, id);

	if (!old->slots[i].id) {
		if (old->used >= VPC_NEXTHOPS_MAX)
			return -E2BIG;
		if (vpc_nhset_slots(old->used + 1) > old->mask + 1) {
			bigger = vpc_nhset_alloc((old->mask + 1) * 2, old->seed);
			if (!bigger)
				return -ENOMEM;
			vpc_nhset_fill(bigger, old);
			kvfree(old);
			*set = bigger;
			i = vpc_nhset_find(bigger, id);
		}
		(*set)->slots[i].id = id;
		(*set)->used++;
	}
	*ret_slot = &(*set)->slots[i];
	return 0;
}

/* Empties slot @i when neither a nexthop nor a route needs it, and moves up what its place kept from its own. */
static void vpc_nhset_slot_release(struct vpc_nhset *set, u32 i)
{
	u32 j = i, home;

	if (set->slots[i].nh || set->slots[i].routes)
		return;
	for (;;) {
		j = (j + 1) & set->mask;
		if (!set->slots[j].id)
			break;
		home = jhash_1word(set->slots[j].id, set->seed) & set->mask;
		if (((j - home) & set->mask) >= ((j - i) & set->mask)) {
			set->slots[i] = set->slots[j];
			i = j;
		}
	}
	memset(&set->slots[i], 0, sizeof(set->slots[i]));
	set->used--;
}

static void vpc_nhset_vteps_changed(struct vpc_nhset *set)
{
	vpc_vteps_put(set->vteps);
	set->vteps = NULL;
}

static void vpc_nhset_forget(struct vpc_nhset *set, struct vpc_nhslot *slot)
{
	set->nexthop_bytes -= vpc_nexthop_memory(slot->nh);
	if (vpc_nexthop_has_vtep(&slot->nh->wire))
		vpc_nhset_vteps_changed(set);
	vpc_nexthop_put(slot->nh);
	slot->nh = NULL;
	set->count--;
}

int vpc_nhset_set(struct vpc_nhset **set, const struct vpc_nl_nexthop *wire, struct vpc_nl_nexthop *ret_old)
{
	struct vpc_nl_nexthop old = {};
	struct vpc_nhslot *slot;
	struct vpc_nexthop *nh;
	int err;

	err = vpc_nhset_slot(set, wire->id, &slot);
	if (err)
		return err;
	if (slot->nh)
		old = slot->nh->wire;
	if (slot->nh && !memcmp(&old, wire, sizeof(old)))
		goto out;
	nh = vpc_nexthop_new(wire);
	if (!nh) {
		vpc_nhset_slot_release(*set, slot - (*set)->slots);
		return -ENOMEM;
	}
	if (slot->nh)
		vpc_nhset_forget(*set, slot);
	slot->nh = nh;
	(*set)->count++;
	(*set)->nexthop_bytes += vpc_nexthop_memory(nh);
	if (vpc_nexthop_has_vtep(wire))
		vpc_nhset_vteps_changed(*set);
out:
	*ret_old = old;
	return 0;
}

int vpc_nhset_del(struct vpc_nhset *set, u32 id, struct vpc_nl_nexthop *ret_old)
{
	u32 i = vpc_nhset_find(set, id);

	if (!set->slots[i].nh)
		return -ENOENT;
	*ret_old = set->slots[i].nh->wire;
	vpc_nhset_forget(set, &set->slots[i]);
	vpc_nhset_slot_release(set, i);
	return 0;
}

int vpc_nhset_ref_route(struct vpc_nhset **set, u32 id)
{
	struct vpc_nhslot *slot;
	int err;

	err = vpc_nhset_slot(set, id, &slot);
	if (err)
		return err;
	if (slot->routes == U32_MAX)
		return -E2BIG;
	slot->routes++;
	return 0;
}

void vpc_nhset_unref_route(struct vpc_nhset *set, u32 id)
{
	u32 i = vpc_nhset_find(set, id);

	set->slots[i].routes--;
	vpc_nhset_slot_release(set, i);
}

u64 vpc_nhset_routes(const struct vpc_nhset *set, u32 id)
{
	return set->slots[vpc_nhset_find(set, id)].routes;
}

u32 vpc_nhset_missing(const struct vpc_nhset *set)
{
	u32 i;

	if (set->used == set->count)
		return 0;
	for (i = 0; i <= set->mask; i++) {
		vpc_nhset_resched(i);
		if (set->slots[i].id && !set->slots[i].nh)
			return set->slots[i].id;
	}
	return 0;
}

const struct vpc_nexthop *vpc_nhset_at(const struct vpc_nhset *set, u32 *pos)
{
	while (*pos <= set->mask) {
		if (set->slots[*pos].nh)
			return set->slots[(*pos)++].nh;
		(*pos)++;
	}
	return NULL;
}
