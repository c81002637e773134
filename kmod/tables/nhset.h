/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of struct vpc_nhset, for nexthop.c and nhset_members.c alone; nexthop.h is what others see.
 */
#ifndef VPC_NHSET_H
#define VPC_NHSET_H

#include "group.h"
#include "nexthop.h"
#include "sources.h"

struct vpc_nhslot {
	struct vpc_nexthop *nh;		/* NULL: the id is referred to, but it is not there (in a transaction only) */
	u32 id;				/* 0: the slot is empty */
	u32 refs;			/* by routes and members, and 1 for all its members */
};

/**
 * struct vpc_nhset - see nexthop.h
 * @refs: versions and the open transaction that hold this set
 * @count: nexthops in it
 * @used: slots in use
 * @n_slots: of @slots
 * @sources: NULL when there are none; in a transaction also when they have to be gathered anew
 * @groups: NULL when there are none
 */
struct vpc_nhset {
	refcount_t refs;
	u32 count;
	u32 used;
	u32 n_slots;
	struct vpc_sources *sources;
	struct vpc_groups *groups;
	struct vpc_nhslot slots[];
};

/* NULL: out of memory. */
struct vpc_nexthop *vpc_nexthop_new(const struct vpc_nl_nexthop *wire);
void vpc_nexthop_put(struct vpc_nexthop *nh);

/* Something refers to @id: its slot is made and kept. -ENOMEM, -E2BIG; *set may move. */
int vpc_nhset_ref(struct vpc_nhset **set, u32 id);
void vpc_nhset_unref(struct vpc_nhset *set, u32 id);
u32 vpc_nhset_refs(const struct vpc_nhset *set, u32 id);

/* Buckets, and nexthop objects that lead to them. -ENOMEM */
int vpc_nhset_seal_members(struct vpc_nhset *set);

#endif
