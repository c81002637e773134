/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The groups of a set of nexthops: their members and, once the set is sealed, who of them has which bucket. Used by
 * nexthop.c alone, which keeps the references to nexthops.
 *
 * A group is shared by all sets in which its members are the same and copied by the first change in a transaction, so
 * that its buckets are computed once, whatever else is committed.
 */
#ifndef VPC_GROUP_H
#define VPC_GROUP_H

#include <linux/refcount.h>
#include "../../proto/vpc_genl.h"
#include "hrw.h"

#define VPC_GROUPS_MAX		(1U << 16)	/* groups of one VPC that have members */
/* Within a transaction: those that come may come before those that go. */
#define VPC_GROUP_ROOM_MAX	(2 * VPC_MEMBERS_MAX)

/**
 * struct vpc_group - a nexthop of type GROUP's members, at least one
 * @refs: sets, and published nexthop objects, that hold it; above 1 it never changes
 * @id: of the nexthop
 * @room: members that it has memory for
 * @buckets: VPC_GROUP_BUCKETS places in @members; NULL until the set is sealed
 * @members: ascending by nexthop
 */
struct vpc_group {
	refcount_t refs;
	u32 id;
	u16 n;
	u16 room;
	u8 *buckets;
	struct vpc_hrw_member members[];
};

/**
 * struct vpc_groups - all of a set; never shared
 * @members: of all groups
 * @linked: no group changed, and no nexthop became or ceased to be one, since the set was sealed
 * @bytes: memory, buckets that are still to come included
 * @at: ascending by id
 */
struct vpc_groups {
	u32 n;
	u32 room;
	u32 members;
	bool linked;
	size_t bytes;
	struct vpc_group *at[];
};

/* In all of these @groups may be NULL: there are none. NULL from a copy: none, or out of memory. */
struct vpc_groups *vpc_groups_copy(const struct vpc_groups *groups);
void vpc_groups_free(struct vpc_groups *groups);
size_t vpc_groups_memory(const struct vpc_groups *groups);
struct vpc_group *vpc_groups_lookup(const struct vpc_groups *groups, u32 id);

/* Adds a member or changes its weight. -ENOMEM, -E2BIG; *groups may move. *ret_old: the weight before, 0: none. */
int vpc_groups_set(struct vpc_groups **groups, u32 id, u32 nexthop, u16 weight, u16 *ret_old);
/* -ENOENT, -ENOMEM: nothing changed. A group that loses its last member is no longer there. */
int vpc_groups_del(struct vpc_groups *groups, u32 id, u32 nexthop, u16 *ret_old);
int vpc_groups_fill(struct vpc_groups *groups);	/* all buckets that are missing. -ENOMEM */
/* Whether the buckets are those of the members. */
bool vpc_group_sound(const struct vpc_group *group);
/* How many groups have the nexthop @id as a member. */
u32 vpc_groups_using(const struct vpc_groups *groups, u32 id);

struct vpc_group *vpc_group_get(struct vpc_group *group);	/* NULL: no-op */
void vpc_group_put(struct vpc_group *group);

#endif
