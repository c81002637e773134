// SPDX-License-Identifier: Apache-2.0
/*
 * A report, summed up for the fleet; see record.h.
 */
#include "record.h"

#include <stdio.h>
#include <string.h>
#include "../lib/util.h"
#include "watch.h"

bool record_is_due(const struct record *record, const struct report *report, uint64_t max_lag_ms, uint64_t now_us,
		   uint32_t random)
{
	uint64_t age = now_us - record->when_us;

	if (!record->any || age >= watch_delay_us(RECORD_EVERY_US, random))
		return true;
	return age >= RECORD_LEAST_US && record->signature != watch_signature(report, max_lag_ms);
}

/* Into a column of printable ASCII; what does not fit is cut off. */
static void copy(char *to, size_t size, const char *from)
{
	size_t n = 0;

	for (; from && from[n] && n + 1 < size; n++)
		to[n] = from[n] < ' ' || from[n] > '~' ? '?' : from[n];
	to[n] = '\0';
}

static enum cdb_run_result result_of(const struct report *report, uint64_t max_lag_ms)
{
	switch (report_exit_status(report, max_lag_ms)) {
	case 0:
		return CDB_RUN_CONSISTENT;
	case 1:
		return CDB_RUN_DRIFTED;
	case 3:
		return CDB_RUN_LAGGING;
	}
	return CDB_RUN_FAILED;
}

/* What lags for no longer than it may is in order. */
static bool is_late(const struct report_vpc *vpc, uint64_t max_lag_ms)
{
	return vpc->lag_ms > max_lag_ms;
}

static void sum_vpc(const struct report_vpc *vpc, uint64_t max_lag_ms, struct cdb_run *run)
{
	switch (vpc->result) {
	case RESULT_CONSISTENT:
		run->n_vpcs[CDB_RUN_CONSISTENT]++;
		break;
	case RESULT_LAG:
		run->n_vpcs[is_late(vpc, max_lag_ms) ? CDB_RUN_LAGGING : CDB_RUN_CONSISTENT]++;
		break;
	case RESULT_DRIFT:
		run->n_vpcs[CDB_RUN_DRIFTED]++;
		break;
	case RESULT_FAILED:
		run->n_vpcs[CDB_RUN_FAILED]++;
		if (!run->reason[0])
			copy(run->reason, sizeof(run->reason), vpc->reason);
		break;
	}
}

static void sum_finding(const struct report_vpc *vpc, const struct finding *f, struct cdb_run_diff *ret_diff)
{
	struct cdb_run_diff diff = { .vni = vpc->vni, .since_ms = f->cause.known ? f->cause.created_ms : 0 };

	copy(diff.class, sizeof(diff.class), finding_class_name(f->class));
	copy(diff.leg, sizeof(diff.leg), finding_leg_name(f->leg));
	copy(diff.object, sizeof(diff.object), f->object);
	copy(diff.want, sizeof(diff.want), f->want);
	copy(diff.have, sizeof(diff.have), f->have);
	copy(diff.change, sizeof(diff.change), f->cause.known ? f->cause.change : "");
	*ret_diff = diff;
}

static size_t sum_findings(const struct report_vpc *vpc, bool lag, uint64_t max_lag_ms, struct cdb_run_diff *diffs,
			   size_t n)
{
	for (size_t i = 0; i < vpc->n_findings && n < CDB_DIFFS_MAX; i++)
		if ((vpc->findings[i].class == FINDING_LAG) == lag && (!lag || is_late(vpc, max_lag_ms)))
			sum_finding(vpc, &vpc->findings[i], &diffs[n++]);
	return n;
}

/* All that is shown of it. */
static uint64_t diff_hash(const struct cdb_run_diff *d)
{
	const char *const texts[] = { d->class, d->leg, d->object, d->want, d->have, d->change };
	uint64_t h = d->vni;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		h = h * 31 + fnv1a(texts[i], strlen(texts[i]));
	return h;
}

size_t record_sum(const struct report *report, uint64_t max_lag_ms, struct cdb_run *ret_run,
		  struct cdb_run_diff *ret_diffs)
{
	struct cdb_run run = { .result = result_of(report, max_lag_ms),
			       .lag_ms = report_lag_ms(report),
			       .duration_us = report->duration_us,
			       .signature = watch_signature(report, max_lag_ms) };
	size_t n = 0;

	snprintf(run.host, sizeof(run.host), "%s", report->host);
	copy(run.reason, sizeof(run.reason), report->reason);
	for (size_t i = 0; i < report->n_vpcs; i++) {
		const struct report_vpc *vpc = &report->vpcs[i];

		if (vpc->vni)
			sum_vpc(vpc, max_lag_ms, &run);
		run.drifts += report_drifts(vpc);
	}
	/* The worst first, as not all may find room. */
	for (int lag = 0; lag < 2; lag++)
		for (size_t i = 0; i < report->n_vpcs; i++)
			n = sum_findings(&report->vpcs[i], lag, max_lag_ms, ret_diffs, n);
	for (size_t i = 0; i < n; i++)
		run.signature = run.signature * 31 + diff_hash(&ret_diffs[i]);
	*ret_run = run;
	return n;
}

int record_write(struct record *record, struct cdb *cdb, const struct report *report, uint64_t max_lag_ms,
		 struct vpc_err *ret_unpruned, struct vpc_err *err)
{
	struct cdb_run_diff diffs[CDB_DIFFS_MAX];
	struct cdb_run run;
	size_t n = record_sum(report, max_lag_ms, &run, diffs);
	int ret = cdb_run_write(cdb, &run, diffs, n, ret_unpruned, err);

	if (ret)
		return ret;
	*record = (struct record){ .any = true,
				   .when_us = now_monotonic_us(),
				   .signature = watch_signature(report, max_lag_ms) };
	return 0;
}
