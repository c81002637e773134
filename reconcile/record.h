/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host's audit found, summed up into CDB (lib/cdb_fleet.h): when it is another result than before, and else once
 * a minute as a sign of life, whatever the rounds' interval.
 */
#ifndef VPC_RECONCILE_RECORD_H
#define VPC_RECONCILE_RECORD_H

#include "../lib/cdb_fleet.h"
#include "report.h"

#define RECORD_EVERY_US 60000000 /* a fifth more or less */
#define RECORD_LEAST_US 5000000 /* however often the result changes */

/* What was recorded last. Zeroed: nothing was. */
struct record {
	bool any;
	uint64_t when_us, signature;
};

/* Pure: whether @report is to be recorded at @now_us (CLOCK_MONOTONIC), a time spread by @random. */
bool record_is_due(const struct record *record, const struct report *report, uint64_t max_lag_ms, uint64_t now_us,
		   uint32_t random);

/* Pure: the report, summed up. @ret_diffs: room for CDB_DIFFS_MAX; returns how many. */
size_t record_sum(const struct report *report, uint64_t max_lag_ms, struct cdb_run *ret_run,
		  struct cdb_run_diff *ret_diffs);

/* Writes it, and notes that it was. *ret_unpruned: as of cdb_run_write(). */
int record_write(struct record *record, struct cdb *cdb, const struct report *report, uint64_t max_lag_ms,
		 struct vpc_err *ret_unpruned, struct vpc_err *err);

#endif
