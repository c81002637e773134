/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the audits of all hosts say, in CDB (tables reconcile_run and reconcile_diff): written by `vpc_reconcile
 * --record`, read by `vpc_reconcile fleet`.
 *
 * A host has one row for as long as its audit says the same, and the first of its differences, both bounded here. Times
 * are the server's, so that hosts whose clocks are wrong compare all the same.
 */
#ifndef VPC_CDB_FLEET_H
#define VPC_CDB_FLEET_H

#include "cdb.h"

#define CDB_RUNS_MAX  50 /* rows a host */
#define CDB_DIFFS_MAX 20 /* a host */
#define CDB_RUNS_DAYS 30 /* and no row is older */

enum cdb_run_result { CDB_RUN_CONSISTENT, CDB_RUN_LAGGING, CDB_RUN_DRIFTED, CDB_RUN_FAILED, CDB_N_RUN_RESULTS };
const char *cdb_run_result_name(enum cdb_run_result result);

/* @began, @last: first and last report of this result, ms since 1970; read only. */
struct cdb_run {
	char host[64];
	uint64_t began, last, rounds;
	enum cdb_run_result result;
	uint32_t n_vpcs[CDB_N_RUN_RESULTS];
	uint64_t drifts, lag_ms, duration_us, signature;
	char reason[256];
};

/* Empty strings where there is no such thing. */
struct cdb_run_diff {
	uint32_t vni;
	char class[16], leg[32], object[128], want[256], have[256], change[VPC_CHANGE_MAX + 1];
	uint64_t since_ms;
};

/*
 * One transaction: a new row when the result is another one than before, else the one that is there goes on; the
 * differences are written when the signature is another one. At most CDB_DIFFS_MAX of them; what is too much or too old
 * is deleted. *ret_unpruned: it is recorded, and why old rows of other hosts could not be deleted behind it; "": they
 * could, or it was not their turn.
 */
int cdb_run_write(struct cdb *cdb, const struct cdb_run *run, const struct cdb_run_diff *diffs, size_t n,
		  struct vpc_err *ret_unpruned, struct vpc_err *err);

/* A host that has not reported has a run with @last 0. */
struct cdb_fleet {
	uint64_t now; /* the server's clock */
	struct cdb_run *hosts; /* every host of CDB and what it said last, by name */
	size_t n_hosts;
	struct cdb_fleet_diff { /* the same on many hosts is one; those on most hosts first */
		struct cdb_run_diff diff;
		uint32_t n_hosts;
		char host[64]; /* the first of them */
	} *diffs;
	size_t n_diffs;
	bool diffs_cut, runs_cut; /* there are more than were read */
	struct cdb_run *runs; /* with @since: all runs that ended after it, by @began */
	size_t n_runs;
};

/*
 * In one snapshot. Differences only of hosts that said something during the last @silent_ms. @since: for the runs
 * before the last, too; 0: without them. At most @max_runs, the newest.
 */
int cdb_fleet_load(struct cdb *cdb, uint64_t silent_ms, uint64_t since, size_t max_runs, struct cdb_fleet *ret_fleet,
		   struct vpc_err *err);
void cdb_fleet_clear(struct cdb_fleet *fleet);

/*
 * At most CDB_READ_SLOTS connections read whole VPCs for audits at the same time; others wait for a slot, for
 * @timeout_s. -EAGAIN: there was none. It ends with the connection, too.
 */
#define CDB_READ_SLOTS 32
int cdb_read_slot_take(struct cdb *cdb, unsigned int timeout_s, unsigned int *ret_slot, struct vpc_err *err);
void cdb_read_slot_give(struct cdb *cdb, unsigned int slot);

#endif
