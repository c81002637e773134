// SPDX-License-Identifier: Apache-2.0
/*
 * One audit with the connections that are there, or new ones; see round.h.
 */
#include "round.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "../lib/util.h"

#define CLOSE_FROM_S 30
#define REPAIR_AGAIN_US 60000000ULL
#define REPAIR_LATEST_US 3600000000ULL

void round_close(struct round *round)
{
	cdb_close(round->cdb);
	kernel_close(round->kernel);
	round->cdb = NULL;
	round->kernel = NULL;
}

static int round_open(struct round *round, struct vpc_err *err)
{
	int ret = 0;

	if (!round->kernel)
		ret = kernel_open(round->options->netns, &round->kernel, err);
	if (!ret && !round->cdb) {
		ret = cdb_open(round->config, &round->cdb, err);
		if (!ret)
			ret = cdb_check_schema(round->cdb, err);
	}
	return ret;
}

uint64_t round_repair_pause_us(unsigned int vain)
{
	uint64_t pause = REPAIR_AGAIN_US;

	if (!vain)
		return 0;
	while (--vain && pause < REPAIR_LATEST_US)
		pause *= 2;
	return pause < REPAIR_LATEST_US ? pause : REPAIR_LATEST_US;
}

/* What does not help is tried again after a minute, then two, four ... up to an hour. */
static int repair_now_or_later(struct round *round, const struct audit *audit, struct report *report)
{
	uint64_t now = now_monotonic_us();
	int ret;

	if (report_result(report) == RESULT_DRIFT && now < round->repair_us) {
		snprintf(report->repair, sizeof(report->repair),
			 "the last one left differences: the next is tried in %u s",
			 (unsigned int)((round->repair_us - now) / 1000000) + 1);
		return 0;
	}
	ret = repair_run(audit, round->config, round->options->max_repairs, report);
	if (ret)
		return ret;
	if (!report->n_repairs || report_result(report) != RESULT_DRIFT)
		round->vain = 0;
	else
		round->vain++;
	round->repair_us = round->vain ? now_monotonic_us() + round_repair_pause_us(round->vain) : 0;
	return 0;
}

/* An error means that nothing was compared. */
static int audit_once(struct round *round, struct report *report, struct vpc_err *err)
{
	const struct options *o = round->options;
	struct audit audit = { .host = round->host,
			       .verify = o->verify,
			       .full = o->full,
			       .has_table = o->has_table,
			       .table = o->table,
			       .since_ms = o->since_ms,
			       .probes = o->probes,
			       .settle_ms = o->settle_ms,
			       .max_load = o->max_load,
			       .config = round->config,
			       .max_lag_ms = o->max_lag_s * UINT64_C(1000),
			       .legs = round->legs,
			       .pace = &round->pace,
			       .progress = round->progress,
			       /* Should nothing be published, all hosts would ask, all the time. */
			       .late_only = o->watch_s };
	struct cdb_vpc vpc;
	int ret = round_open(round, err);

	if (!ret && o->vpc) {
		ret = cdb_vpc_find(round->cdb, o->vpc, &vpc, err);
		audit.only_vni = ret ? 0 : vpc.vni;
	}
	if (ret)
		return ret;
	round->pace.slots_ms = PACE_SLOTS_MS;
	round->pace.busy_ms = PACE_BUSY_MS;
	audit.cdb = round->cdb;
	audit.kernel = round->kernel;
	ret = audit_run(&audit, report);
	if (!ret && o->repair)
		ret = repair_now_or_later(round, &audit, report);
	return ret ? vpc_err_set(err, ret, "%s", strerror(-ret)) : 0;
}

/* That it could not be recorded is said; the audit is none the worse for it. The fleet sees a silent host. */
static void record_round(struct round *round, const struct report *report)
{
	uint64_t max_lag_ms = round->options->max_lag_s * UINT64_C(1000);
	struct vpc_err err = { "" }, unpruned = { "" };
	int ret = 0;

	if (!record_is_due(&round->record, report, max_lag_ms, now_monotonic_us(), report->time_ms % 1024))
		return;
	/* The kernel may be what failed, and CDB not even asked; or CDB, and its connection is of no use. */
	if (report_result(report) == RESULT_FAILED) {
		cdb_close(round->cdb);
		round->cdb = NULL;
	}
	if (!round->cdb)
		ret = cdb_open(round->config, &round->cdb, &err);
	if (!ret)
		ret = record_write(&round->record, round->cdb, report, max_lag_ms, &unpruned, &err);
	if (ret)
		fprintf(stderr, "vpc_reconcile: the result could not be recorded: %s\n", err.text);
	else if (unpruned.text[0])
		fprintf(stderr, "vpc_reconcile: the result is recorded, others' old ones could not be deleted: %s\n",
			unpruned.text);
}

/* To whoever wants them; that they cannot be had is said, and the audit is none the worse for it. */
static void tell_metrics(struct round *round, const struct report *report)
{
	const char *file = round->options->metrics;
	_cleanup_free_ char *text = NULL;
	struct vpc_err err = { "out of memory" };

	if (!file && !round->endpoint)
		return;
	text = reconcile_metrics_text(report, &round->totals);
	if (text && round->endpoint)
		endpoint_tell(round->endpoint, text);
	if (!text || (file && reconcile_metrics_write(file, text, &err)))
		fprintf(stderr, "vpc_reconcile: the metrics could not be written: %s\n", err.text);
}

int round_run(struct round *round, struct report *ret_report)
{
	uint64_t begun = now_monotonic_us();
	struct vpc_err err = { "" };
	int ret;

	report_init(ret_report, round->host, round->options->max_findings);
	ret = audit_once(round, ret_report, &err);
	/* With the connections that had to be made: what it says is of any moment of this. */
	ret_report->duration_us = now_monotonic_us() - begun;
	if (ret == -ENOMEM || ret == -ECANCELED)
		return ret;
	if (ret)
		snprintf(ret_report->reason, sizeof(ret_report->reason), "%s%s", err.text, failure_advice(ret));
	totals_add(&round->totals, ret_report);
	tell_metrics(round, ret_report);
	if (round->options->record)
		record_round(round, ret_report);
	/* What failed may have left a connection that is of no use any more. */
	if (report_result(ret_report) == RESULT_FAILED || ret_report->reason[0])
		round_close(round);
	/* Between rare rounds a connection would only be one of very many. */
	if (round->options->watch_s >= CLOSE_FROM_S) {
		cdb_close(round->cdb);
		round->cdb = NULL;
	}
	return 0;
}
