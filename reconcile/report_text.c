// SPDX-License-Identifier: Apache-2.0
/*
 * The report for people: worst first, one line a finding, the summary last. Colour on a terminal only.
 */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const char *colour(enum vpc_result result, bool colours)
{
	if (!colours)
		return "";
	switch (result) {
	case RESULT_CONSISTENT:
		return "\033[32m";
	case RESULT_LAG:
		return "\033[33m";
	case RESULT_DRIFT:
	case RESULT_FAILED:
		return "\033[31m";
	}
	return "";
}

static const char *colour_end(bool colours)
{
	return colours ? "\033[0m" : "";
}

/* Below a finding: where it broke, since when, by which change. */
static void print_cause(const struct report *report, const struct finding *f)
{
	uint64_t age = f->cause.created_ms < report->time_ms ? report->time_ms - f->cause.created_ms : 0;
	time_t seconds = f->cause.created_ms / 1000;
	char when[32];
	struct tm tm;

	printf("             %s", finding_leg_name(f->leg));
	if (f->note)
		printf(": %s", f->note);
	if (f->cause.known) {
		gmtime_r(&seconds, &tm);
		strftime(when, sizeof(when), "%FT%TZ", &tm);
		printf("; since %s (%.1f s), change %s", when, age / 1e3, f->cause.change);
	} else {
		printf("; no change in the history is known to have brought it");
	}
	if (f->first_ms && f->first_ms < report->time_ms)
		printf("; seen for %.1f s", (report->time_ms - f->first_ms) / 1e3);
	printf("\n");
}

static void print_findings(const struct report *report, const struct report_vpc *vpc)
{
	for (size_t i = 0; i < vpc->n_findings; i++) {
		const struct finding *f = &vpc->findings[i];

		printf("  %-9s  %s:", finding_class_name(f->class), f->object);
		if (f->want)
			printf(f->class == FINDING_DIGEST ? " it is %s" : " CDB has %s", f->want);
		if (f->want && f->have)
			printf(",");
		if (f->have)
			printf(f->class == FINDING_DIGEST ? " the kernel keeps %s" : " the kernel has %s", f->have);
		printf("\n");
		print_cause(report, f);
	}
	if (report_findings(vpc) > vpc->n_findings)
		printf("  and %" PRIu64 " more\n", report_findings(vpc) - vpc->n_findings);
}

static void print_vpc(const struct report *report, const struct report_vpc *vpc)
{
	if (vpc->vni)
		printf("VPC %u%s%s%s: ", vpc->vni, vpc->name[0] ? " (" : "", vpc->name, vpc->name[0] ? ")" : "");
	else
		printf("this host: ");
	printf("%s%s%s", colour(vpc->result, isatty(STDOUT_FILENO)), vpc_result_name(vpc->result),
	       colour_end(isatty(STDOUT_FILENO)));
	if (vpc->result == RESULT_FAILED)
		printf(": %s", vpc->reason);
	else if (vpc->vni && vpc->kernel_epoch)
		printf(", epoch %" PRIu64, vpc->kernel_epoch);
	if (vpc->cdb_epoch > vpc->kernel_epoch && vpc->result != RESULT_FAILED)
		printf(" of %" PRIu64 " (%" PRIu64 " behind, for %.1f s)", vpc->cdb_epoch,
		       vpc->cdb_epoch - vpc->kernel_epoch, vpc->lag_ms / 1e3);
	if (vpc->n_routes || vpc->n_nexthops)
		printf(", %zu routes and %zu nexthops compared%s", vpc->n_routes, vpc->n_nexthops,
		       vpc->compared_ms ? " by the run before" :
		       vpc->by_digest	? " by digest" :
					  "");
	if (vpc->n_probes)
		printf(", %zu ways probed", vpc->n_probes);
	if (vpc->unprobed[0] && vpc->result != RESULT_FAILED)
		printf(", no way probed: %s", vpc->unprobed);
	printf("\n");
	print_findings(report, vpc);
}

const char *report_summary(const struct report *report, bool colours, char *buf)
{
	size_t n[4] = { 0 }, routes = 0;

	for (size_t i = 0; i < report->n_vpcs; i++) {
		if (report->vpcs[i].vni)
			n[report->vpcs[i].result]++;
		routes += report->vpcs[i].n_routes;
	}
	snprintf(buf, SUMMARY_MAX,
		 "%s: %s%s%s: VPCs: %zu consistent, %zu lagging, %zu drifted, %zu not compared; %zu routes in %.1f s",
		 report->host, colour(report_result(report), colours), vpc_result_name(report_result(report)),
		 colour_end(colours), n[RESULT_CONSISTENT], n[RESULT_LAG], n[RESULT_DRIFT], n[RESULT_FAILED], routes,
		 report->duration_us / 1e6);
	return buf;
}

static void print_resumed(const struct report *report)
{
	time_t seconds = report->resumed_ms / 1000;
	char when[32];
	struct tm tm;

	if (!report->resumes)
		return;
	gmtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%FT%TZ", &tm);
	if (report->n_resumed)
		printf("resumed: %zu VPCs were compared by the run before, since %s, and are as they were then",
		       report->n_resumed, when);
	else
		printf("resumed: nothing");
	printf("%s%s\n", report->resume[0] ? "; " : "", report->resume);
}

static void print_repairs(const struct report *report)
{
	if (report->repair[0])
		printf("no repair: %s\n", report->repair);
	for (size_t i = 0; i < report->n_repairs; i++) {
		const struct report_repair *repair = &report->repairs[i];

		if (repair->vni)
			printf("repair of VPC %u", repair->vni);
		else
			printf("repair of this host");
		printf(" at epoch %" PRIu64 ", %" PRIu64 " differences: %s%s\n", repair->epoch, repair->drifts,
		       repair->asked ? "the agent was asked" : "refused: ", repair->answer);
	}
	if (report->before)
		printf("afterwards:\n");
}

int report_print_text(const struct report *report, bool verbose)
{
	static const enum vpc_result order[] = { RESULT_DRIFT, RESULT_FAILED, RESULT_LAG, RESULT_CONSISTENT };
	char summary[SUMMARY_MAX];

	if (report->before) {
		report_print_text(report->before, verbose);
		print_repairs(report);
	}
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		for (size_t j = 0; j < report->n_vpcs; j++)
			if (report->vpcs[j].result == order[i] && (verbose || order[i] != RESULT_CONSISTENT))
				print_vpc(report, &report->vpcs[j]);
	if (report->reason[0])
		printf("nothing compared: %s\n", report->reason);
	if (!report->before)
		print_repairs(report);
	print_resumed(report);
	printf("%s\n", report_summary(report, isatty(STDOUT_FILENO), summary));
	return fflush(stdout) || ferror(stdout) ? -EIO : 0;
}
