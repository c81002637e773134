/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where routes may lead, for lib/intent_route.c and lib/intent_import.c. Under the VPC's lock.
 */
#ifndef VPC_INTENT_NEXTHOP_H
#define VPC_INTENT_NEXTHOP_H

#include "intent_private.h"

/* -ENOENT with a text. */
int intent_nexthop_exists(const struct cdb_change *change, uint32_t id, struct vpc_err *err);
/* The id to put into a route; a gateway or blackhole that is not there yet is added to the change. */
int intent_via_resolve(struct cdb_change *change, const struct intent_via *via, uint32_t *ret_id, struct vpc_err *err);

#endif
