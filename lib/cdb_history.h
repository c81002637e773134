/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which change is to blame: the newest one in CDB's history that concerns an element, a port of a host, or a VPC on a
 * host. For vpc_reconcile, which asks only about what differs.
 *
 * History is append-only, so none of this needs a snapshot. How far back it is read is bounded; a cause that is further
 * back is not known, as is one from before the history had items.
 */
#ifndef VPC_CDB_HISTORY_H
#define VPC_CDB_HISTORY_H

#include "cdb_row.h"

#define CDB_HISTORY_OPS	   200000 /* element operations read back at most */
#define CDB_HISTORY_EPOCHS 100000 /* epochs of a VPC whose nexthops are looked at */
#define CDB_HISTORY_ITEMS  100000 /* changes of a VPC's ports, subnets ... that are looked at */
#define CDB_HISTORY_LEADS  4096

struct cdb_cause {
	bool known;
	uint32_t vni;		    /* of whose history it is */
	uint64_t epoch, created_ms; /* by its writer's wall clock, since 1970 */
	char change[VPC_CHANGE_MAX + 1];
};

/* What is known of an epoch; one that the history does not have is not known, and no error. */
int cdb_history_epoch(struct cdb *cdb, uint32_t vni, uint64_t epoch, struct cdb_cause *ret_cause, struct vpc_err *err);

/*
 * For each of the @n elements (their keys count) the newest change up to @epoch that set or deleted it. *ret_whole: all
 * of the history was read, so that an element without a cause was never in CDB.
 */
int cdb_history_elements(struct cdb *cdb, uint32_t vni, uint64_t epoch, const struct cdb_element *elements,
			 struct cdb_cause *ret_causes, size_t n, bool *ret_whole, struct vpc_err *err);

/* The newest change of the port on @dev of @host, or of its subnet. */
int cdb_history_port(struct cdb *cdb, uint32_t vni, const char *host, const char *dev, struct cdb_cause *ret_cause,
		     bool *ret_whole, struct vpc_err *err);

/*
 * The newest change by which @host came to need the VPC, or not to: of a port there, or the VPC's end. *ret_whole: all
 * was read; *ret_ever: the history has the VNI at all.
 */
int cdb_history_vpc(struct cdb *cdb, uint32_t vni, const char *host, struct cdb_cause *ret_cause, bool *ret_ever,
		    struct vpc_err *err);

/* The VPCs with nexthops that lead to VPC @vni, at most CDB_HISTORY_LEADS. free() the array. */
int cdb_history_leads(struct cdb *cdb, uint32_t vni, uint32_t **ret_vnis, size_t *ret_n, struct vpc_err *err);

/* The newest change of a nexthop that leads from VPC @from to VPC @to. */
int cdb_history_peer(struct cdb *cdb, uint32_t from, uint32_t to, struct cdb_cause *ret_cause, struct vpc_err *err);

#endif
