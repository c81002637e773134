/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One change of one VPC = one database transaction: the VPC's row is locked, elements are set and deleted, and the
 * commit writes rows, history, digest, epoch + 1 and outbox together, or nothing. Used by lib/intent*.c, which adds
 * the rows that are not elements (subnets, ports ...) to the same transaction.
 *
 * Elements are collected in memory and written by cdb_change_write() or by the commit, in the order that foreign keys
 * ask for. A connection makes one change at a time. Whatever fails: abort (or the cleanup helper), and nothing has
 * happened.
 */
#ifndef VPC_CDB_CHANGE_H
#define VPC_CDB_CHANGE_H

#include "cdb.h"

struct cdb_change;

struct cdb_change_result {
	uint32_t vni;
	uint64_t epoch;
	size_t n_ops;
	bool changed; /* false: there was nothing to change, nothing was committed, epoch is the old one */
	char change[VPC_CHANGE_MAX + 1];
};

/* Lock the VPC. @summary: one line for the history. -ENOENT; -EAGAIN: somebody else holds it for too long. */
int cdb_change_begin(struct cdb *cdb, uint32_t vni, const char *author, const char *summary,
		     struct cdb_change **ret_change, struct vpc_err *err);
/* The same with a VPC that this change creates. -EEXIST. A VNI used before goes on from its last epoch. */
int cdb_change_begin_new(struct cdb *cdb, uint32_t vni, const char *name, uint64_t quota, const char *author,
			 const char *summary, struct cdb_change **ret_change, struct vpc_err *err);
/* The VPC as it was when the change began. */
const struct cdb_vpc *cdb_change_vpc(const struct cdb_change *change);
struct cdb *cdb_change_cdb(const struct cdb_change *change);

/* The current value is looked up. Deleting what is not there is -ENOENT. */
int cdb_change_set_nexthop(struct cdb_change *change, const struct vpc_nl_nexthop *nh, struct vpc_err *err);
int cdb_change_del_nexthop(struct cdb_change *change, uint32_t id, struct vpc_err *err);
int cdb_change_set_route(struct cdb_change *change, const struct vpc_route *route, struct vpc_err *err);
int cdb_change_del_route(struct cdb_change *change, uint32_t table, const struct vpc_prefix *prefix,
			 struct vpc_err *err);

/* For who has read the rows under the lock already: from @was to @is nexthop ids (0: not there). -ENOMEM. */
int cdb_change_put_route(struct cdb_change *change, uint32_t table, const struct vpc_prefix *prefix, uint32_t was,
			 uint32_t is);
int cdb_change_put_nexthop(struct cdb_change *change, const struct vpc_nl_nexthop *was,
			   const struct vpc_nl_nexthop *is);

/* What @host must have changes: locks its row, revision + 1, outbox. Hosts in ascending order of id. */
int cdb_change_touch_host(struct cdb_change *change, uint32_t host_id, struct vpc_err *err);
/* Something else about the VPC has changed (name, quota, subnets): commit, with epoch + 1, even without elements. */
void cdb_change_mark(struct cdb_change *change);
/* The commit ends the VPC itself; its other rows and all elements are gone by then. */
void cdb_change_end_vpc(struct cdb_change *change);

/* Writes the elements collected so far; elements can't be changed any more. */
int cdb_change_write(struct cdb_change *change, struct vpc_err *err);
/* Regardless of the return value, the change is gone and *change NULL. */
int cdb_change_commit(struct cdb_change **change, struct cdb_change_result *ret_result, struct vpc_err *err);
void cdb_change_abort(struct cdb_change *change);
void cdb_change_abortp(struct cdb_change **change);

#endif
