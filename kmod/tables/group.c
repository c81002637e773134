// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups of nexthops, see group.h. Called by nexthop.c under vnet->lock; the data path reads what is published.
 */
#include "group.h"
#include "mem.h"
#include "nexthop.h"

#include <linux/sched.h>

struct vpc_group *vpc_group_get(struct vpc_group *group)
{
	if (group)
		refcount_inc(&group->refs);
	return group;
}

void vpc_group_put(struct vpc_group *group)
{
	if (!group || !refcount_dec_and_test(&group->refs))
		return;
	kfree(group->buckets);
	kfree(group);
}

static struct vpc_group *vpc_group_alloc(u32 id, u16 room)
{
	struct vpc_group *group = kzalloc(struct_size(group, members, room), GFP_KERNEL_ACCOUNT);

	if (!group)
		return NULL;
	refcount_set(&group->refs, 1);
	group->id = id;
	group->room = room;
	return group;
}

static size_t vpc_group_memory(const struct vpc_group *group)
{
	return ksize(group) + VPC_GROUP_BUCKETS;
}

/* Where @nexthop is among the members, or would be. */
static unsigned int vpc_group_pos(const struct vpc_group *group, u32 nexthop, bool *ret_found)
{
	unsigned int pos = 0;

	while (pos < group->n && group->members[pos].nexthop < nexthop)
		pos++;
	*ret_found = pos < group->n && group->members[pos].nexthop == nexthop;
	return pos;
}

/* -- all of a set -------------------------------------------------------------------------------------------------- */

static u32 vpc_groups_pos(const struct vpc_groups *groups, u32 id, bool *ret_found)
{
	u32 lo = 0, hi = groups ? groups->n : 0, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (groups->at[mid]->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	*ret_found = groups && lo < groups->n && groups->at[lo]->id == id;
	return lo;
}

static struct vpc_groups *vpc_groups_alloc(u32 room)
{
	struct vpc_groups *groups = kvzalloc(struct_size(groups, at, room), GFP_KERNEL_ACCOUNT);

	if (groups)
		groups->room = room;
	return groups;
}

struct vpc_groups *vpc_groups_copy(const struct vpc_groups *groups)
{
	struct vpc_groups *copy;
	u32 i;

	if (!groups)
		return NULL;
	copy = vpc_groups_alloc(groups->n);
	if (!copy)
		return NULL;
	copy->n = groups->n;
	copy->members = groups->members;
	copy->linked = groups->linked;
	copy->bytes = groups->bytes;
	for (i = 0; i < groups->n; i++)
		copy->at[i] = vpc_group_get(groups->at[i]);
	return copy;
}

void vpc_groups_free(struct vpc_groups *groups)
{
	u32 i;

	for (i = 0; groups && i < groups->n; i++)
		vpc_group_put(groups->at[i]);
	kvfree(groups);
}

size_t vpc_groups_memory(const struct vpc_groups *groups)
{
	return groups ? groups->bytes + vpc_mem_size(groups, struct_size(groups, at, groups->room)) : 0;
}

struct vpc_group *vpc_groups_lookup(const struct vpc_groups *groups, u32 id)
{
	bool found;
	u32 pos = vpc_groups_pos(groups, id, &found);

	return found ? groups->at[pos] : NULL;
}

static int vpc_groups_grow(struct vpc_groups **groups)
{
	struct vpc_groups *old = *groups, *bigger;

	if (old && old->n < old->room)
		return 0;
	if (old && old->n >= VPC_GROUPS_MAX)
		return -E2BIG;
	bigger = vpc_groups_alloc(old ? 2 * old->n + 2 : 1);
	if (!bigger)
		return -ENOMEM;
	if (old) {
		memcpy(bigger->at, old->at, flex_array_size(old, at, old->n));
		bigger->n = old->n;
		bigger->members = old->members;
		bigger->bytes = old->bytes;
	}
	kvfree(old);
	*groups = bigger;
	return 0;
}

/* The group at @pos, this set's alone, with room for @n members and without buckets. NULL: out of memory. */
static struct vpc_group *vpc_groups_own(struct vpc_groups *groups, u32 pos, unsigned int n)
{
	struct vpc_group *old = groups->at[pos], *group = old;

	if (n > old->room || refcount_read(&old->refs) > 1) {
		group = vpc_group_alloc(old->id, n <= 4 ? n : min_t(unsigned int, 2 * n, VPC_GROUP_ROOM_MAX));
		if (!group)
			return NULL;
		group->n = old->n;
		memcpy(group->members, old->members, flex_array_size(old, members, old->n));
		groups->bytes += vpc_group_memory(group) - vpc_group_memory(old);
		groups->at[pos] = group;
		vpc_group_put(old);
	}
	kfree(group->buckets);
	group->buckets = NULL;
	groups->linked = false;
	return group;
}

static int vpc_groups_new_group(struct vpc_groups **groups, u32 pos, u32 id, u32 nexthop, u16 weight)
{
	struct vpc_group *group;
	struct vpc_groups *g;
	int err;

	err = vpc_groups_grow(groups);
	if (err)
		return err;
	group = vpc_group_alloc(id, 1);
	if (!group)
		return -ENOMEM;
	group->n = 1;
	group->members[0] = (struct vpc_hrw_member){ nexthop, weight };
	g = *groups;
	memmove(g->at + pos + 1, g->at + pos, (g->n - pos) * sizeof(g->at[0]));
	g->at[pos] = group;
	g->n++;
	g->members++;
	g->bytes += vpc_group_memory(group);
	g->linked = false;
	return 0;
}

int vpc_groups_set(struct vpc_groups **groups, u32 id, u32 nexthop, u16 weight, u16 *ret_old)
{
	struct vpc_group *group;
	unsigned int at;
	bool found;
	u32 pos;
	int err;

	pos = vpc_groups_pos(*groups, id, &found);
	if (!found) {
		err = vpc_groups_new_group(groups, pos, id, nexthop, weight);
		if (!err)
			*ret_old = 0;
		return err;
	}
	group = (*groups)->at[pos];
	at = vpc_group_pos(group, nexthop, &found);
	if (!found && group->n >= VPC_GROUP_ROOM_MAX)
		return -E2BIG;
	if (found && group->members[at].weight == weight) {
		*ret_old = weight;
		return 0;
	}
	group = vpc_groups_own(*groups, pos, group->n + !found);
	if (!group)
		return -ENOMEM;
	*ret_old = found ? group->members[at].weight : 0;
	if (!found) {
		memmove(group->members + at + 1, group->members + at, (group->n - at) * sizeof(group->members[0]));
		group->n++;
		(*groups)->members++;
	}
	group->members[at] = (struct vpc_hrw_member){ nexthop, weight };
	return 0;
}

static void vpc_groups_drop(struct vpc_groups *groups, u32 pos)
{
	groups->bytes -= vpc_group_memory(groups->at[pos]);
	vpc_group_put(groups->at[pos]);
	groups->n--;
	memmove(groups->at + pos, groups->at + pos + 1, (groups->n - pos) * sizeof(groups->at[0]));
	groups->linked = false;
}

int vpc_groups_del(struct vpc_groups *groups, u32 id, u32 nexthop, u16 *ret_old)
{
	struct vpc_group *group;
	unsigned int at;
	bool found;
	u32 pos;

	pos = vpc_groups_pos(groups, id, &found);
	if (!found)
		return -ENOENT;
	group = groups->at[pos];
	at = vpc_group_pos(group, nexthop, &found);
	if (!found)
		return -ENOENT;
	*ret_old = group->members[at].weight;
	if (group->n == 1) {
		vpc_groups_drop(groups, pos);
	} else {
		group = vpc_groups_own(groups, pos, group->n);
		if (!group)
			return -ENOMEM;
		group->n--;
		memmove(group->members + at, group->members + at + 1, (group->n - at) * sizeof(group->members[0]));
	}
	groups->members--;
	return 0;
}

static int vpc_group_fill(struct vpc_group *group)
{
	u32 i;

	group->buckets = kmalloc(VPC_GROUP_BUCKETS, GFP_KERNEL_ACCOUNT);
	if (!group->buckets)
		return -ENOMEM;
	for (i = 0; i < VPC_GROUP_BUCKETS; i++)
		group->buckets[i] = vpc_hrw_owner(group->members, group->n, i);
	return 0;
}

bool vpc_group_sound(const struct vpc_group *group)
{
	u32 i;

	for (i = 0; i < VPC_GROUP_BUCKETS; i++)
		if (group->buckets[i] != vpc_hrw_owner(group->members, group->n, i))
			return false;
	return true;
}

int vpc_groups_fill(struct vpc_groups *groups)
{
	u32 i;
	int err;

	for (i = 0; groups && i < groups->n; i++) {
		if (groups->at[i]->buckets)
			continue;
		err = vpc_group_fill(groups->at[i]);
		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

u32 vpc_groups_using(const struct vpc_groups *groups, u32 id)
{
	bool found;
	u32 i, n = 0;

	for (i = 0; groups && i < groups->n; i++) {
		vpc_group_pos(groups->at[i], id, &found);
		n += found;
	}
	return n;
}
