// SPDX-License-Identifier: GPL-2.0-only
/*
 * A set of nexthops' members: changed by tables/txn.c through nexthop.h, chosen from by the data path. What they are is
 * group.c's; here are their references to nexthops, and the way from a GROUP's nexthop object to them.
 */
#include "nhset.h"

#include <linux/sched.h>

u32 vpc_nhset_members(const struct vpc_nhset *set)
{
	return set->groups ? set->groups->members : 0;
}

const struct vpc_nexthop *vpc_nhset_member(const struct vpc_nhset *set, const struct vpc_nexthop *nh, u32 hash)
{
	const struct vpc_group *group = nh->group;

	if (!group)
		return NULL;
	return vpc_nhset_lookup(set, group->members[group->buckets[vpc_group_bucket(hash)]].nexthop);
}

const struct vpc_nexthop *vpc_nhset_group_at(const struct vpc_nhset *set, const struct vpc_nexthop *nh, u32 pos)
{
	const struct vpc_group *group = nh->group;

	return group && pos < group->n ? vpc_nhset_lookup(set, group->members[pos].nexthop) : NULL;
}

/* @pos is a group's place times what a group holds at most, plus the member's place in it. */
bool vpc_nhset_member_at(const struct vpc_nhset *set, u32 *pos, struct vpc_nl_member *ret_member)
{
	u32 at = *pos / VPC_GROUP_ROOM_MAX, i = *pos % VPC_GROUP_ROOM_MAX;
	const struct vpc_group *group;

	if (!set->groups || at >= set->groups->n)
		return false;
	group = set->groups->at[at];
	*ret_member = (struct vpc_nl_member){
		.group = group->id,
		.nexthop = group->members[i].nexthop,
		.weight = group->members[i].weight,
	};
	*pos = i + 1 < group->n ? *pos + 1 : (at + 1) * VPC_GROUP_ROOM_MAX;
	return true;
}

bool vpc_nhset_groups_sound(const struct vpc_nhset *set)
{
	const struct vpc_nexthop *nh;
	u32 i;

	for (i = 0; set->groups && i < set->groups->n; i++) {
		nh = vpc_nhset_lookup(set, set->groups->at[i]->id);
		if (!nh || nh->wire.type != VPC_NEXTHOP_GROUP || nh->group != set->groups->at[i] ||
		    !vpc_group_sound(set->groups->at[i]))
			return false;
		cond_resched();
	}
	return true;
}

/* -- changes ------------------------------------------------------------------------------------------------------- */

int vpc_nhset_member_set(struct vpc_nhset **set, const struct vpc_nl_member *member, struct vpc_nl_member *ret_old)
{
	bool first = !vpc_groups_lookup((*set)->groups, member->group);
	u16 weight;
	int err;

	/* Both references beforehand; what turns out to be there already gives one back. */
	err = vpc_nhset_ref(set, member->nexthop);
	if (err)
		return err;
	if (first)
		err = vpc_nhset_ref(set, member->group);
	if (err)
		goto err_unref_nexthop;
	err = vpc_groups_set(&(*set)->groups, member->group, member->nexthop, member->weight, &weight);
	if (err)
		goto err_unref_group;
	if (weight)
		vpc_nhset_unref(*set, member->nexthop);
	*ret_old = *member;
	ret_old->weight = weight;
	return 0;

err_unref_group:
	if (first)
		vpc_nhset_unref(*set, member->group);
err_unref_nexthop:
	vpc_nhset_unref(*set, member->nexthop);
	return err;
}

int vpc_nhset_member_del(struct vpc_nhset **set, u32 group, u32 nexthop, struct vpc_nl_member *ret_old)
{
	u16 weight;
	int err;

	err = vpc_groups_del((*set)->groups, group, nexthop, &weight);
	if (err)
		return err;
	vpc_nhset_unref(*set, nexthop);
	if (!vpc_groups_lookup((*set)->groups, group))
		vpc_nhset_unref(*set, group);
	*ret_old = (struct vpc_nl_member){ .group = group, .nexthop = nexthop, .weight = weight };
	return 0;
}

u32 vpc_nhset_groups(const struct vpc_nhset *set, u32 id)
{
	return vpc_groups_using(set->groups, id);
}

u32 vpc_nhset_group_size(const struct vpc_nhset *set, u32 id)
{
	const struct vpc_group *group = vpc_groups_lookup(set->groups, id);

	return group ? group->n : 0;
}

u64 vpc_nhset_routes(const struct vpc_nhset *set, u32 id)
{
	return vpc_nhset_refs(set, id) - vpc_nhset_groups(set, id) - !!vpc_nhset_group_size(set, id);
}

bool vpc_nhset_unsound_member(const struct vpc_nhset *set, struct vpc_nl_member *ret_member)
{
	struct vpc_nl_member member;
	u32 pos = 0, n = 0;

	if (!set->groups || set->groups->linked)
		return false;
	while (vpc_nhset_member_at(set, &pos, &member)) {
		if (!(++n % 1024))
			cond_resched();
		if (vpc_nhset_lookup(set, member.group)->wire.type == VPC_NEXTHOP_GROUP &&
		    vpc_nhset_lookup(set, member.nexthop)->wire.type != VPC_NEXTHOP_GROUP &&
		    vpc_nhset_group_size(set, member.group) <= VPC_MEMBERS_MAX)
			continue;
		*ret_member = member;
		return true;
	}
	return false;
}

/* -- sealing ------------------------------------------------------------------------------------------------------- */

/* A nexthop object for each GROUP whose members are no longer those that its object leads to. */
static int vpc_nhset_link_groups(struct vpc_nhset *set)
{
	struct vpc_nexthop *nh, *old;
	struct vpc_group *group;
	u32 i;

	for (i = 0; i < set->n_slots; i++) {
		if (!(i % 1024))
			cond_resched();
		old = set->slots[i].nh;
		if (!old || old->wire.type != VPC_NEXTHOP_GROUP)
			continue;
		group = vpc_groups_lookup(set->groups, old->wire.id);
		if (old->group == group)
			continue;
		nh = vpc_nexthop_new(&old->wire);
		if (!nh)
			return -ENOMEM;
		nh->group = vpc_group_get(group);
		set->slots[i].nh = nh;
		vpc_nexthop_put(old);
	}
	set->groups->linked = true;
	return 0;
}

int vpc_nhset_seal_members(struct vpc_nhset *set)
{
	int err;

	if (!set->groups || set->groups->linked)
		return 0;
	err = vpc_groups_fill(set->groups);
	if (!err)
		err = vpc_nhset_link_groups(set);
	if (!err && !set->groups->n) {
		vpc_groups_free(set->groups);
		set->groups = NULL;
	}
	return err;
}
