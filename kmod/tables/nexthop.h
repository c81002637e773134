/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nexthops: immutable objects shared by all versions that hold them, and the set of them that one version has.
 *
 * The set is copied whole by the first change in a transaction; objects that did not change are shared. A route holds a
 * nexthop's id, so that changing the nexthop moves all its routes in the one publish of the commit. The set also counts
 * the routes that refer to each nexthop (so that one in use is not deleted) and knows the VTEPs that may send to us.
 */
#ifndef VPC_NEXTHOP_H
#define VPC_NEXTHOP_H

#include <linux/types.h>
#include <linux/refcount.h>
#include <linux/in6.h>
#include <net/dst_cache.h>
#include "../../proto/vpc_genl.h"

/**
 * struct vpc_nexthop - one nexthop, never changed after it is made
 * @wire: as given and as dumped (op is VPC_OP_SET)
 * @dst_cache: HOST and GATEWAY: the underlay's route to the VTEP
 */
struct vpc_nexthop {
	struct vpc_nl_nexthop wire;
	struct dst_cache dst_cache;
	refcount_t refs;
	struct rcu_head rcu;
};

/**
 * struct vpc_nhset - the nexthops of one version: open-addressing hash by id, and the VTEPs among them
 * @refs: versions and the open transaction that hold this set
 * @count: nexthops in it
 */
struct vpc_nhset;

struct vpc_nhset *vpc_nhset_new(void);
/* Return: a private copy with room for @more additional nexthops, or NULL. */
struct vpc_nhset *vpc_nhset_copy(const struct vpc_nhset *set, u32 more);
struct vpc_nhset *vpc_nhset_get(struct vpc_nhset *set);
void vpc_nhset_put(struct vpc_nhset *set);	/* frees set and nexthops after a grace period when it was the last */

u32 vpc_nhset_count(const struct vpc_nhset *set);
size_t vpc_nhset_memory(const struct vpc_nhset *set);

/* Under RCU or a version reference. NULL when not there. */
const struct vpc_nexthop *vpc_nhset_lookup(const struct vpc_nhset *set, u32 id);
/* Whether @addr (4 or 16 bytes) is the VTEP of a HOST or GATEWAY nexthop: may it send to us in this VPC? */
bool vpc_nhset_has_vtep(const struct vpc_nhset *set, u8 family, const u8 *addr);

/* Private copies only: */
int vpc_nhset_set(struct vpc_nhset **set, const struct vpc_nl_nexthop *wire, struct vpc_nl_nexthop *ret_old);
int vpc_nhset_del(struct vpc_nhset *set, u32 id, struct vpc_nl_nexthop *ret_old);	/* -ENOENT */
int vpc_nhset_seal(struct vpc_nhset *set);	/* builds the VTEP index; last, before publishing. -ENOMEM */
void vpc_nhset_ref_route(struct vpc_nhset *set, u32 id, s32 delta);	/* a route to @id came (+1) or went (-1) */
u64 vpc_nhset_routes(const struct vpc_nhset *set, u32 id);		/* routes that refer to @id, even if it is not there */

/* In no particular but stable order: the @pos-th nexthop of a sealed set, NULL past the last. */
const struct vpc_nexthop *vpc_nhset_at(const struct vpc_nhset *set, u32 *pos);

#endif
