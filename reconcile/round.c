// SPDX-License-Identifier: Apache-2.0
/*
 * One audit with the connections that are there, or new ones; see round.h.
 */
#include "round.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "../lib/util.h"

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
			       .max_lag_ms = o->max_lag_s * UINT64_C(1000),
			       .legs = round->legs };
	struct cdb_vpc vpc;
	int ret = round_open(round, err);

	if (!ret && o->vpc) {
		ret = cdb_vpc_find(round->cdb, o->vpc, &vpc, err);
		audit.only_vni = ret ? 0 : vpc.vni;
	}
	if (ret)
		return ret;
	audit.cdb = round->cdb;
	audit.kernel = round->kernel;
	ret = audit_run(&audit, report);
	if (!ret && o->repair)
		ret = repair_run(&audit, round->config, o->max_repairs, report);
	return ret ? vpc_err_set(err, ret, "%s", strerror(-ret)) : 0;
}

int round_run(struct round *round, struct report *ret_report)
{
	struct vpc_err err = { "" };
	int ret;

	report_init(ret_report, round->host, round->options->max_findings);
	ret = audit_once(round, ret_report, &err);
	if (ret == -ENOMEM)
		return ret;
	if (ret)
		snprintf(ret_report->reason, sizeof(ret_report->reason), "%s%s", err.text, failure_advice(ret));
	/* What failed may have left a connection that is of no use any more. */
	if (report_result(ret_report) == RESULT_FAILED || ret_report->reason[0])
		round_close(round);
	return 0;
}
