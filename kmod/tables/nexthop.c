// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nexthops and the sets of them. Built and copied by tables/txn.c, read by the data path through a version.
 *
 * A set is one allocation: a header and slots, linear probing, at least one in four empty, so that ten nexthops fit
 * into 256 bytes. A slot exists for every id that is a nexthop or that a route or member names; a commit sees to it
 * that the two are the same.
 */
#include "nexthop.h"
#include "mem.h"
#include "nhset.h"

#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/sched.h>

/* Each boot has its own unlucky ids. They come from the operator, so a multiplication is hash enough (each packet). */
static u32 vpc_nhset_seed __read_mostly;

void vpc_nhset_init(void)
{
	vpc_nhset_seed = get_random_u32();
	vpc_sources_init();
}

struct vpc_nexthop *vpc_nexthop_new(const struct vpc_nl_nexthop *wire)
{
	struct vpc_nexthop *nh = kzalloc(sizeof(*nh), GFP_KERNEL_ACCOUNT);

	if (!nh)
		return NULL;
	nh->wire = *wire;
	nh->wire.op = VPC_OP_SET;
	refcount_set(&nh->refs, 1);
	return nh;
}

/* Nobody sees them any more. NULL: none. */
static void vpc_hops_free(struct vpc_hop __percpu *hops)
{
	int cpu;

	if (!hops)
		return;
	for_each_possible_cpu(cpu)
		dst_release(per_cpu_ptr(hops, cpu)->dst);
	free_percpu(hops);
}

void vpc_nexthop_put(struct vpc_nexthop *nh)
{
	if (!refcount_dec_and_test(&nh->refs))
		return;
	if (vpc_nexthop_has_vtep(&nh->wire))
		vpc_hops_free(nh->hops);
	else if (nh->wire.type == VPC_NEXTHOP_GROUP)
		vpc_group_put(nh->group);
	kfree(nh);
}

void vpc_nexthop_want_cache(const struct vpc_nexthop *nh)
{
	/* The one thing in a published nexthop that changes. */
	struct vpc_hop __percpu **hops = (struct vpc_hop __percpu **)&nh->hops;
	struct vpc_hop __percpu *fresh;

	if (READ_ONCE(*hops))
		return;
	fresh = alloc_percpu_gfp(struct vpc_hop, GFP_ATOMIC | __GFP_NOWARN);
	if (fresh && cmpxchg((void __force **)hops, NULL, (void __force *)fresh))
		free_percpu(fresh);
}

/* -- the hash ------------------------------------------------------------------------------------------------------ */

/* The fewest slots that hold @used ids with one in four, and always one, to spare. */
static u32 vpc_nhset_slots(u32 used)
{
	return used + max(1U, DIV_ROUND_UP(used, 3));
}

/* In loops over the slots, of which there may be millions. */
static void vpc_nhset_resched(u32 i)
{
	if (!(i % 1024))
		cond_resched();
}

static u32 vpc_nhset_home(const struct vpc_nhset *set, u32 id)
{
	return reciprocal_scale(hash_32(id ^ vpc_nhset_seed, 32), set->n_slots);
}

static u32 vpc_nhset_next(const struct vpc_nhset *set, u32 i)
{
	return i + 1 < set->n_slots ? i + 1 : 0;
}

/* How far slot @i is behind slot @home. */
static u32 vpc_nhset_distance(const struct vpc_nhset *set, u32 home, u32 i)
{
	return i >= home ? i - home : i + set->n_slots - home;
}

/* The slot of @id, or the empty one where it would be. */
static u32 vpc_nhset_find(const struct vpc_nhset *set, u32 id)
{
	u32 i = vpc_nhset_home(set, id);

	while (set->slots[i].id && set->slots[i].id != id)
		i = vpc_nhset_next(set, i);
	return i;
}

static struct vpc_nhset *vpc_nhset_alloc(u32 slots)
{
	struct vpc_nhset *set = kvzalloc(struct_size(set, slots, slots), GFP_KERNEL_ACCOUNT);

	if (!set)
		return NULL;
	refcount_set(&set->refs, 1);
	set->n_slots = slots;
	return set;
}

struct vpc_nhset *vpc_nhset_new(void)
{
	return vpc_nhset_alloc(vpc_nhset_slots(0));
}

/* The same ids in the slots of @to, which has room for them. */
static void vpc_nhset_fill(struct vpc_nhset *to, const struct vpc_nhset *from)
{
	u32 i;

	to->count = from->count;
	to->used = from->used;
	if (to->n_slots == from->n_slots) {
		memcpy(to->slots, from->slots, flex_array_size(from, slots, from->n_slots));
		return;
	}
	for (i = 0; i < from->n_slots; i++) {
		if (from->slots[i].id)
			to->slots[vpc_nhset_find(to, from->slots[i].id)] = from->slots[i];
		vpc_nhset_resched(i);
	}
}

/* Moves *@set, a private one, to @slots slots. */
static int vpc_nhset_resize(struct vpc_nhset **set, u32 slots)
{
	struct vpc_nhset *old = *set, *resized = vpc_nhset_alloc(slots);

	if (!resized)
		return -ENOMEM;
	vpc_nhset_fill(resized, old);
	resized->sources = old->sources;
	resized->groups = old->groups;
	kvfree(old);
	*set = resized;
	return 0;
}

struct vpc_nhset *vpc_nhset_copy(const struct vpc_nhset *set)
{
	struct vpc_nhset *copy = vpc_nhset_alloc(vpc_nhset_slots(set->used));
	u32 i;

	if (!copy)
		return NULL;
	copy->groups = vpc_groups_copy(set->groups);
	if (set->groups && !copy->groups) {
		kvfree(copy);
		return NULL;
	}
	vpc_nhset_fill(copy, set);
	for (i = 0; i < copy->n_slots; i++) {
		if (copy->slots[i].nh)
			refcount_inc(&copy->slots[i].nh->refs);
		vpc_nhset_resched(i);
	}
	copy->sources = set->sources;
	vpc_sources_get(copy->sources);
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
	for (i = 0; i < set->n_slots; i++) {
		if (set->slots[i].nh)
			vpc_nexthop_put(set->slots[i].nh);
		vpc_nhset_resched(i);
	}
	vpc_groups_free(set->groups);
	vpc_sources_put(set->sources);
	kvfree(set);
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

u32 vpc_nhset_count(const struct vpc_nhset *set)
{
	return set->count;
}

size_t vpc_nhset_memory(const struct vpc_nhset *set)
{
	return vpc_mem_size(set, struct_size(set, slots, set->n_slots)) +
	       set->count * roundup_pow_of_two(sizeof(struct vpc_nexthop)) + vpc_sources_memory(set->sources) +
	       vpc_groups_memory(set->groups);
}

const struct vpc_nexthop *vpc_nhset_lookup(const struct vpc_nhset *set, u32 id)
{
	return id ? set->slots[vpc_nhset_find(set, id)].nh : NULL;
}

bool vpc_nhset_has_vtep(const struct vpc_nhset *set, u8 family, const u8 *addr)
{
	return vpc_sources_has_vtep(set->sources, family, addr);
}

u32 vpc_nhset_peer_at(const struct vpc_nhset *set, u32 *pos)
{
	if (!set->sources || *pos >= set->sources->n_peers)
		return 0;
	return set->sources->peers[(*pos)++];
}

const struct vpc_nexthop *vpc_nhset_at(const struct vpc_nhset *set, u32 *pos)
{
	while (*pos < set->n_slots) {
		if (set->slots[*pos].nh)
			return set->slots[(*pos)++].nh;
		(*pos)++;
	}
	return NULL;
}

/* -- slots --------------------------------------------------------------------------------------------------------- */

/* The slot of @id, made when it is not there. */
static int vpc_nhset_slot(struct vpc_nhset **set, u32 id, struct vpc_nhslot **ret_slot)
{
	u32 i = vpc_nhset_find(*set, id);
	int err;

	if (!(*set)->slots[i].id) {
		if ((*set)->used >= VPC_NEXTHOPS_MAX)
			return -E2BIG;
		if (vpc_nhset_slots((*set)->used + 1) > (*set)->n_slots) {
			err = vpc_nhset_resize(set, vpc_nhset_slots(2 * (*set)->used + 1));
			if (err)
				return err;
			i = vpc_nhset_find(*set, id);
		}
		(*set)->slots[i].id = id;
		(*set)->used++;
	}
	*ret_slot = &(*set)->slots[i];
	return 0;
}

/* Empties slot @i when neither a nexthop nor a reference needs it, and moves up what its place kept from its own. */
static void vpc_nhset_slot_release(struct vpc_nhset *set, u32 i)
{
	u32 j = i, home;

	if (set->slots[i].nh || set->slots[i].refs)
		return;
	for (;;) {
		j = vpc_nhset_next(set, j);
		if (!set->slots[j].id)
			break;
		home = vpc_nhset_home(set, set->slots[j].id);
		if (vpc_nhset_distance(set, home, j) >= vpc_nhset_distance(set, i, j)) {
			set->slots[i] = set->slots[j];
			i = j;
		}
	}
	memset(&set->slots[i], 0, sizeof(set->slots[i]));
	set->used--;
}

int vpc_nhset_ref(struct vpc_nhset **set, u32 id)
{
	struct vpc_nhslot *slot;
	int err;

	err = vpc_nhset_slot(set, id, &slot);
	if (err)
		return err;
	if (slot->refs == U32_MAX)
		return -E2BIG;
	slot->refs++;
	return 0;
}

void vpc_nhset_unref(struct vpc_nhset *set, u32 id)
{
	u32 i = vpc_nhset_find(set, id);

	set->slots[i].refs--;
	vpc_nhset_slot_release(set, i);
}

u32 vpc_nhset_refs(const struct vpc_nhset *set, u32 id)
{
	return set->slots[vpc_nhset_find(set, id)].refs;
}

int vpc_nhset_ref_route(struct vpc_nhset **set, u32 id)
{
	return vpc_nhset_ref(set, id);
}

void vpc_nhset_unref_route(struct vpc_nhset *set, u32 id)
{
	vpc_nhset_unref(set, id);
}

/* -- nexthops ------------------------------------------------------------------------------------------------------ */

/* What is known of the set's nexthops as a whole is no longer so: one like @wire came or went. */
static void vpc_nhset_changed(struct vpc_nhset *set, const struct vpc_nl_nexthop *wire)
{
	if (vpc_nexthop_has_vtep(wire) || wire->type == VPC_NEXTHOP_PEER) {
		vpc_sources_put(set->sources);
		set->sources = NULL;
	}
	if (wire->type == VPC_NEXTHOP_GROUP && set->groups)
		set->groups->linked = false;
}

static void vpc_nhset_forget(struct vpc_nhset *set, struct vpc_nhslot *slot)
{
	vpc_nhset_changed(set, &slot->nh->wire);
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
	vpc_nhset_changed(*set, wire);
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

u32 vpc_nhset_missing(const struct vpc_nhset *set)
{
	u32 i;

	if (set->used == set->count)
		return 0;
	for (i = 0; i < set->n_slots; i++) {
		vpc_nhset_resched(i);
		if (set->slots[i].id && !set->slots[i].nh)
			return set->slots[i].id;
	}
	return 0;
}

/* -- sealing ------------------------------------------------------------------------------------------------------- */

void vpc_nhset_fit(struct vpc_nhset **set)
{
	u32 slots = vpc_nhset_slots((*set)->used);

	if (slots < (*set)->n_slots)
		vpc_nhset_resize(set, slots);
}

int vpc_nhset_seal(struct vpc_nhset *set)
{
	int err = 0;

	if (!set->sources)
		err = vpc_sources_new(set, &set->sources);
	return err ?: vpc_nhset_seal_members(set);
}
