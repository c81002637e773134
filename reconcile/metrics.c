// SPDX-License-Identifier: Apache-2.0
/*
 * Metrics of the audit; see metrics.h. All labels are constants.
 */
#include "metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/resource.h>
#include "../lib/newfile.h"

#define PREFIX "vpc_reconcile_"

void totals_add(struct totals *totals, const struct report *report)
{
	totals->rounds[report_result(report)]++;
	for (size_t i = 0; i < report->n_repairs; i++)
		totals->repairs += report->repairs[i].asked;
}

static void head(FILE *to, const char *name, const char *type, const char *help)
{
	fprintf(to, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

static void gauge(FILE *to, const char *name, const char *help, double value)
{
	head(to, name, "gauge", help);
	fprintf(to, PREFIX "%s %.17g\n", name, value);
}

static void print_results(FILE *to, const struct report *report, const struct totals *totals)
{
	enum vpc_result r, result = report_result(report);
	uint64_t vpcs[4] = { 0 };

	for (size_t i = 0; i < report->n_vpcs; i++)
		vpcs[report->vpcs[i].result] += !!report->vpcs[i].vni;
	head(to, "result", "gauge", "1 for what the last round found.");
	for (r = RESULT_CONSISTENT; r <= RESULT_FAILED; r++)
		fprintf(to, PREFIX "result{result=\"%s\"} %d\n", vpc_result_name(r), r == result);
	head(to, "vpcs", "gauge", "VPCs of the last round by what was found.");
	for (r = RESULT_CONSISTENT; r <= RESULT_FAILED; r++)
		fprintf(to, PREFIX "vpcs{result=\"%s\"} %" PRIu64 "\n", vpc_result_name(r), vpcs[r]);
	head(to, "rounds_total", "counter", "Rounds since the start.");
	for (r = RESULT_CONSISTENT; r <= RESULT_FAILED; r++)
		fprintf(to, PREFIX "rounds_total{result=\"%s\"} %" PRIu64 "\n", vpc_result_name(r), totals->rounds[r]);
	head(to, "repairs_total", "counter", "Repairs that the agent was asked for.");
	fprintf(to, PREFIX "repairs_total %" PRIu64 "\n", totals->repairs);
}

static void print_differences(FILE *to, const struct report *report)
{
	uint64_t classes[FINDING_CLASSES] = { 0 }, legs[FINDING_LEGS] = { 0 };

	for (size_t i = 0; i < report->n_vpcs; i++) {
		const struct report_vpc *vpc = &report->vpcs[i];

		for (enum finding_class c = 0; c < FINDING_CLASSES; c++)
			classes[c] += vpc->counts[c];
		for (size_t j = 0; j < vpc->n_findings; j++)
			legs[vpc->findings[j].leg]++;
	}
	head(to, "differences", "gauge", "Differences of the last round, and what lags.");
	for (enum finding_class c = 0; c < FINDING_CLASSES; c++)
		fprintf(to, PREFIX "differences{class=\"%s\"} %" PRIu64 "\n", finding_class_name(c), classes[c]);
	head(to, "differences_by_leg", "gauge", "The same by where they came about, of those that are named.");
	for (enum finding_leg leg = 0; leg < FINDING_LEGS; leg++)
		fprintf(to, PREFIX "differences_by_leg{leg=\"%s\"} %" PRIu64 "\n", finding_leg_name(leg), legs[leg]);
}

void reconcile_metrics_print(FILE *to, const struct report *report, const struct totals *totals)
{
	struct rusage usage = { 0 };
	size_t routes = 0;

	getrusage(RUSAGE_SELF, &usage);
	for (size_t i = 0; i < report->n_vpcs; i++)
		routes += report->vpcs[i].n_routes;
	print_results(to, report, totals);
	print_differences(to, report);
	gauge(to, "lag_seconds", "For how long the oldest change has not arrived; 0: all have.",
	      report_lag_ms(report) / 1e3);
	gauge(to, "routes", "Routes compared in the last round, by digest or one by one.", routes);
	gauge(to, "round_seconds", "How long the last round took.", report->duration_us / 1e6);
	gauge(to, "max_resident_bytes", "The most memory that this process has had.", usage.ru_maxrss * 1024.0);
	gauge(to, "cpu_seconds", "CPU time of this process.",
	      usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
		      (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
	gauge(to, "last_round_timestamp_seconds", "When the last round began.", report->time_ms / 1e3);
}

char *reconcile_metrics_text(const struct report *report, const struct totals *totals)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return NULL;
	reconcile_metrics_print(to, report, totals);
	if (fclose(to)) {
		free(text);
		return NULL;
	}
	return text;
}

static int print_text(FILE *to, void *arg)
{
	fputs(arg, to);
	return 0;
}

int reconcile_metrics_write(const char *path, const char *text, struct vpc_err *err)
{
	/* The collector takes files that end in .prom, which the unfinished one does not. */
	return newfile_print(path, 0644, false, print_text, (void *)text, err);
}
