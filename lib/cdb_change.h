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
#include "cdb_item.h"
#include "cdb_row.h"

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
/* The VPC as it was when the change began; in a batch, name, quota and flags are today's. */
const struct cdb_vpc *cdb_change_vpc(const struct cdb_change *change);
struct cdb *cdb_change_cdb(const struct cdb_change *change);

/* The current value is looked up. Deleting what is not there is -ENOENT. */
int cdb_change_set_nexthop(struct cdb_change *change, const struct vpc_nl_nexthop *nh, struct vpc_err *err);
int cdb_change_del_nexthop(struct cdb_change *change, uint32_t id, struct vpc_err *err);
int cdb_change_set_member(struct cdb_change *change, const struct vpc_nl_member *member, struct vpc_err *err);
int cdb_change_del_member(struct cdb_change *change, uint32_t group, uint32_t nexthop, struct vpc_err *err);
int cdb_change_set_route(struct cdb_change *change, const struct vpc_route *route, struct vpc_err *err);
int cdb_change_del_route(struct cdb_change *change, uint32_t table, const struct vpc_prefix *prefix,
			 struct vpc_err *err);

/* For who has read the rows under the lock already: from @was to @is, ids and weights (0: not there). -ENOMEM. */
int cdb_change_put_route(struct cdb_change *change, uint32_t table, const struct vpc_prefix *prefix, uint32_t was,
			 uint32_t is);
int cdb_change_put_nexthop(struct cdb_change *change, const struct vpc_nl_nexthop *was,
			   const struct vpc_nl_nexthop *is);
int cdb_change_put_member(struct cdb_change *change, uint32_t group, uint32_t nexthop, uint16_t was, uint16_t is);

/* Before an item is made, changed or deleted: what it was is noted, and what it is by the end is the history's. */
int cdb_change_item(struct cdb_change *change, enum cdb_item_kind kind, const char *name, struct vpc_err *err);

/* What @host must have changes: locks its row, revision + 1, outbox. Hosts in ascending order of id. */
int cdb_change_touch_host(struct cdb_change *change, uint32_t host_id, struct vpc_err *err);
/* Something else about the VPC has changed (name, quota, subnets): commit, with epoch + 1, even without elements. */
void cdb_change_mark(struct cdb_change *change);
/* The commit ends the VPC itself; its other rows and all elements are gone by then. */
void cdb_change_end_vpc(struct cdb_change *change);

/* Writes the elements collected so far. They may change again: the history has one operation an element. */
int cdb_change_write(struct cdb_change *change, struct vpc_err *err);
/* Whether any element that was written differs from what was. */
bool cdb_change_changes(const struct cdb_change *change);
/* What a change is about to do, or has done, for who shows it: summed up once it is written. */
void cdb_change_result(struct cdb_change *change, struct cdb_change_result *ret_result);
size_t cdb_change_ops(const struct cdb_change *change);
/* Operation @i; NULL: it was not, or is not there. They point into @ret_op. */
struct cdb_change_op {
	struct cdb_element was_element, is_element;
	const struct cdb_element *was, *is;
};
void cdb_change_op(const struct cdb_change *change, size_t i, struct cdb_change_op *ret_op);
/* Items that changed: each as it was and as it is (NULL: not there). After cdb_change_settle(). */
struct cdb_change_item {
	enum cdb_item_kind kind;
	char name[64];
	char *was, *is;
};
const struct cdb_change_item *cdb_change_items(const struct cdb_change *change, size_t *ret_n);
/* Reads what became of the items, before the end of the transaction. */
int cdb_change_settle(struct cdb_change *change, struct vpc_err *err);
/* Hosts touched, by id. */
const uint32_t *cdb_change_hosts(const struct cdb_change *change, size_t *ret_n);

/* Regardless of the return value, the change is gone and *change NULL. */
int cdb_change_commit(struct cdb_change **change, struct cdb_change_result *ret_result, struct vpc_err *err);
void cdb_change_abort(struct cdb_change *change);
void cdb_change_abortp(struct cdb_change **change);

#endif
