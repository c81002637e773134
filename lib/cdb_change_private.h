/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a change, between lib/cdb_change.c (which collects) and lib/cdb_write.c (which writes).
 */
#ifndef VPC_CDB_CHANGE_PRIVATE_H
#define VPC_CDB_CHANGE_PRIVATE_H

#include "cdb_change.h"
#include "cdb_stmt.h"

struct change_route {
	struct vpc_route route; /* nexthop: the new one, 0: deleted */
	uint32_t was; /* 0: was not there */
	uint32_t order; /* as collected: the last value of an element wins */
};

struct change_nexthop {
	uint32_t id;
	bool has_was, has_is;
	struct vpc_nl_nexthop was, is;
	uint32_t order;
};

struct cdb_change {
	struct cdb *cdb;
	bool open; /* a transaction to roll back */
	bool dirty; /* commit even without elements */
	bool ends; /* the VPC */
	bool written; /* elements are in the tables, one for each that really changes, sorted */
	struct cdb_vpc vpc; /* as it was */
	struct vpc_digest digest; /* as it will be; once written */
	char id[VPC_CHANGE_MAX + 1];
	char *author, *summary;
	struct change_nexthop *nexthops;
	size_t n_nexthops, cap_nexthops;
	struct change_route *routes;
	size_t n_routes, cap_routes;
	uint32_t *hosts;
	size_t n_hosts, cap_hosts;
};

/* One for each element that really changes, sorted. Pure. */
void cdb_change_coalesce(struct cdb_change *change);
/* change_log and change_op. */
int cdb_change_write_log(struct cdb_change *change, struct vpc_err *err);

#endif
