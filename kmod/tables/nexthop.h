/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nexthops: immutable objects shared by all versions that hold them, and the set of them that one version has.
 *
 * The set is copied whole by the first change in a transaction; objects that did not change are shared. A route holds a
 * nexthop's id, so that changing the nexthop moves all its routes in the one publish of the commit. The set also counts
 * who refers to each nexthop (so that one in use is not deleted), knows the VTEPs that may send to us (sources.h) and
 * the members of groups (group.h).
 */
#ifndef VPC_NEXTHOP_H
#define VPC_NEXTHOP_H

#include <linux/types.h>
#include <linux/in6.h>
#include <linux/refcount.h>
#include <net/dst.h>
#include "../../proto/vpc_genl.h"
#include "hrw.h"

struct vpc_group;

/**
 * struct vpc_hop - one CPU's route to a nexthop's VTEP (datapath/underlay.c); its CPU's own, bottom halves off
 * @dst: holds a reference; NULL: none yet. Whoever reads it needs none of its own: a dst is freed a grace period after
 *	its last reference
 * @cookie: what dst->ops->check() wants to see
 * @saddr: our VTEP that it was looked up for; IPv4-mapped for IPv4
 */
struct vpc_hop {
	struct dst_entry *dst;
	u32 cookie;
	struct in6_addr saddr;
};

/**
 * struct vpc_nexthop - one nexthop, never changed after it is published
 * @wire: as given and as dumped (op is VPC_OP_SET)
 * @hops: HOST and GATEWAY: the underlay's route to the VTEP; NULL until a packet goes there. Set once, under RCU
 * @group: GROUP: its members; NULL: none. Another object when they change, so that a packet need not look for them
 */
struct vpc_nexthop {
	struct vpc_nl_nexthop wire;
	union {
		struct vpc_hop __percpu *hops;
		struct vpc_group *group;
	};
	refcount_t refs;		/* sets that hold it */
};

static inline bool vpc_nexthop_has_vtep(const struct vpc_nl_nexthop *wire)
{
	return wire->type == VPC_NEXTHOP_HOST || wire->type == VPC_NEXTHOP_GATEWAY;
}

#define VPC_NEXTHOPS_MAX	(1U << 20)	/* nexthops of one VPC, ids that routes name included */

/* The nexthops of one version: open-addressing hash by id, and the VTEPs among them. Shared by versions, counted. */
struct vpc_nhset;

void vpc_nhset_init(void);	/* module init */
struct vpc_nhset *vpc_nhset_new(void);
/* Return: a private copy that takes no more memory than @set, or NULL. It grows by what is added. May sleep. */
struct vpc_nhset *vpc_nhset_copy(const struct vpc_nhset *set);
struct vpc_nhset *vpc_nhset_get(struct vpc_nhset *set);
/* Frees the set and its nexthops when it was the last; readers of what it was published in are gone. May sleep. */
void vpc_nhset_put(struct vpc_nhset *set);

u32 vpc_nhset_count(const struct vpc_nhset *set);
size_t vpc_nhset_memory(const struct vpc_nhset *set);

/*
 * Under RCU. A packet goes to @nh, a HOST or GATEWAY: from now on its hops keep the route. They take 32 bytes a CPU, so
 * the thousands of hosts that nobody here talks to have none. Without memory, another time. Counted nowhere.
 */
void vpc_nexthop_want_cache(const struct vpc_nexthop *nh);

/* Under RCU or a version reference. NULL when not there. */
const struct vpc_nexthop *vpc_nhset_lookup(const struct vpc_nhset *set, u32 id);
/* Whether @addr (4 or 16 bytes) is the VTEP of a HOST or GATEWAY nexthop: may it send to us in this VPC? */
bool vpc_nhset_has_vtep(const struct vpc_nhset *set, u8 family, const u8 *addr);

/* The bucket of a flow's hash. */
static inline u32 vpc_group_bucket(u32 hash)
{
	return hash % VPC_GROUP_BUCKETS;
}

/* Under RCU or a version reference. The member of the GROUP nexthop that @hash's flow goes to, NULL: it has none. */
const struct vpc_nexthop *vpc_nhset_member(const struct vpc_nhset *set, const struct vpc_nexthop *group, u32 hash);
/* The same: all members of a GROUP nexthop, from @pos 0 on; NULL past the last. */
const struct vpc_nexthop *vpc_nhset_group_at(const struct vpc_nhset *set, const struct vpc_nexthop *group, u32 pos);
/* The VPCs that PEER nexthops lead to, each once, ascending. @pos: where to go on, from 0. 0 past the last. */
u32 vpc_nhset_peer_at(const struct vpc_nhset *set, u32 *pos);

/* Private copies only: */
/* -ENOMEM, -E2BIG; *set may move. @ret_old: what was there, id 0 when nothing was; equal to @wire: nothing changed. */
int vpc_nhset_set(struct vpc_nhset **set, const struct vpc_nl_nexthop *wire, struct vpc_nl_nexthop *ret_old);
int vpc_nhset_del(struct vpc_nhset *set, u32 id, struct vpc_nl_nexthop *ret_old);	/* -ENOENT */
/*
 * -ENOMEM, -E2BIG; *ret_old: weight 0 when it was not there. A member counts as a reference to its nexthop, as a route,
 * and a group with members as one to the nexthop of type GROUP. A group may hold twice VPC_MEMBERS_MAX meanwhile.
 */
int vpc_nhset_member_set(struct vpc_nhset **set, const struct vpc_nl_member *member, struct vpc_nl_member *ret_old);
/* -ENOENT, -ENOMEM */
int vpc_nhset_member_del(struct vpc_nhset **set, u32 group, u32 nexthop, struct vpc_nl_member *ret_old);
int vpc_nhset_ref_route(struct vpc_nhset **set, u32 id);	/* a route to @id came. -ENOMEM, -E2BIG; *set moves */
void vpc_nhset_unref_route(struct vpc_nhset *set, u32 id);	/* a route to @id went */
void vpc_nhset_fit(struct vpc_nhset **set);	/* gives back memory that it has to spare, if it can; *set may move */
/* Builds VTEPs, peers and buckets; last, before publishing; all ids are there and members sound. -ENOMEM */
int vpc_nhset_seal(struct vpc_nhset *set);

/* Who refers to @id, even if it is not there; for refusals, it looks at all groups. */
u64 vpc_nhset_routes(const struct vpc_nhset *set, u32 id);
u32 vpc_nhset_groups(const struct vpc_nhset *set, u32 id);	/* groups that it is a member of */
u32 vpc_nhset_group_size(const struct vpc_nhset *set, u32 id);	/* members that it has as a group */
u32 vpc_nhset_missing(const struct vpc_nhset *set);	/* an id that is referred to and that is not there, or 0 */
/*
 * Of a set in which nothing is missing: whether a member has to be refused: its group is none or too large, or it is a
 * group itself.
 */
bool vpc_nhset_unsound_member(const struct vpc_nhset *set, struct vpc_nl_member *ret_member);

/* In no particular but stable order: the @pos-th nexthop of a sealed set, NULL past the last. */
const struct vpc_nexthop *vpc_nhset_at(const struct vpc_nhset *set, u32 *pos);
/* The same for members, in the order of (group, nexthop). False past the last. */
bool vpc_nhset_member_at(const struct vpc_nhset *set, u32 *pos, struct vpc_nl_member *ret_member);
u32 vpc_nhset_members(const struct vpc_nhset *set);

/* Whether the buckets of all groups are those of their members, and GROUP nexthops lead to them; may sleep. */
bool vpc_nhset_groups_sound(const struct vpc_nhset *set);

#endif
