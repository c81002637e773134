/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last round in Prometheus' text format: for who asks at --metrics-port (endpoint.h), and for node_exporter's
 * textfile collector, --metrics FILE, which takes the place of the one before when it is whole, so nobody reads half.
 */
#ifndef VPC_RECONCILE_METRICS_H
#define VPC_RECONCILE_METRICS_H

#include <stdio.h>
#include "report.h"

/* What this process has done so far. */
struct totals {
	uint64_t rounds[4]; /* by enum vpc_result */
	uint64_t repairs; /* that the agent was asked for */
};

/* Pure but for the output: counts @report in, then prints. */
void totals_add(struct totals *totals, const struct report *report);
void reconcile_metrics_print(FILE *to, const struct report *report, const struct totals *totals);
/* The same as a string of the caller's. NULL: out of memory. */
char *reconcile_metrics_text(const struct report *report, const struct totals *totals);
/* -errno with a text; what was there before stays. */
int reconcile_metrics_write(const char *path, const char *text, struct vpc_err *err);

#endif
