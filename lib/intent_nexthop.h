/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where routes may lead, for lib/intent_route.c and lib/intent_import.c. Under the VPC's lock.
 */
#ifndef VPC_INTENT_NEXTHOP_H
#define VPC_INTENT_NEXTHOP_H

#include "intent_private.h"

/* -ENOENT with a text. */
int intent_nexthop_exists(const struct cdb_change *change, uint32_t id, struct vpc_err *err);
/* Whether a customer may have it so, and the peer that it leads to is there. */
int intent_nexthop_check(const struct cdb_change *change, const struct vpc_nl_nexthop *nh, struct vpc_err *err);
/* The id to put into a route; a gateway or blackhole that is not there yet is added to the change. */
int intent_via_resolve(struct cdb_change *change, const struct intent_via *via, uint32_t *ret_id, struct vpc_err *err);

/* Members of @group, whose own row may still be on its way; others than customers' own and "local" are refused. */
int intent_members_change(struct cdb_change *change, uint32_t group, const struct intent_members *members,
			  struct vpc_err *err);
/* Before @nh becomes a group, or is deleted: -EBUSY while it is a member itself. */
int intent_member_check_free(const struct cdb_change *change, uint32_t id, struct vpc_err *err);

/* Before a peer is set: its VPC and table are there. */
int intent_peer_check(const struct cdb_change *change, const struct vpc_nl_nexthop *nh, struct vpc_err *err);
/* -EBUSY while a nexthop of another VPC leads into the VPC, or into its table (NULL: any). */
int intent_peer_check_free(const struct cdb_change *change, const uint32_t *table, struct vpc_err *err);
/* After a peer has come or gone: all hosts whose packets may come by here are told. */
int intent_peer_tell(struct cdb_change *change, struct vpc_err *err);

#endif
