// SPDX-License-Identifier: Apache-2.0
/*
 * Repairs, by the agent and nobody else: it is asked, VPC by VPC, to compare its tables with ZooKeeper again, and only
 * if the kernel is still at the epoch that was audited. Then the audit looks again. See round.h.
 */
#include "round.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include "../lib/agent_ask.h"
#include "../lib/util.h"

#define AGENT_S 5
#define AGAIN_MS 200
#define REPAIR_MS 15000

static uint64_t drifts_of(const struct report *report)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < report->n_vpcs; i++)
		sum += report_drifts(&report->vpcs[i]);
	return sum;
}

static uint64_t host_drifts_of(const struct report *report)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < report->n_vpcs; i++)
		sum += report->vpcs[i].host_drifts;
	return sum;
}

static bool is_of_host(const struct finding *finding)
{
	return finding->what == WHAT_PORT || finding->what == WHAT_VPC || finding->what == WHAT_HOST;
}

/* Whether all that drifts, of the host or not, is above ZooKeeper: the agent has nothing else to compare with. */
static bool is_upstream(const struct report_vpc *vpc, bool of_host)
{
	size_t n = 0;

	for (size_t i = 0; i < vpc->n_findings; i++) {
		const struct finding *finding = &vpc->findings[i];

		if (finding->class == FINDING_LAG || is_of_host(finding) != of_host)
			continue;
		if (finding->leg != LEG_CDB_ZOOKEEPER)
			return false;
		n++;
	}
	return n;
}

#define UPSTREAM "ZooKeeper has it no better, and the agent nothing else: see to the publisher"

static void ask_agent(const struct audit *audit, const struct vpc_config *config, struct report_repair *repair)
{
	struct vpc_err err = { "" };

	repair->asked = !agent_resync(config->run_dir, audit->host, repair->vni, repair->epoch, AGENT_S, &err);
	if (!repair->asked)
		snprintf(repair->answer, sizeof(repair->answer), "%.250s", err.text);
}

/* The content of one VPC, which is to be at the epoch that was audited, 0 included. */
static void ask_vpc(const struct audit *audit, const struct vpc_config *config, const struct report_vpc *vpc,
		    struct report_repair *ret_repair)
{
	struct report_repair repair = { .vni = vpc->vni,
					.epoch = vpc->kernel_epoch,
					.drifts = report_drifts(vpc) - vpc->host_drifts };

	if (vpc->no_slot)
		snprintf(repair.answer, sizeof(repair.answer), "its entries were not read, so they are not counted");
	else if (is_upstream(vpc, false))
		snprintf(repair.answer, sizeof(repair.answer), UPSTREAM);
	else
		ask_agent(audit, config, &repair);
	*ret_repair = repair;
}

/* Ports, VPCs and VTEP of the whole host: all of them are put right together, so all must have been counted. */
static void ask_host(const struct audit *audit, const struct vpc_config *config, const struct report *report,
		     struct report_repair *ret_repair)
{
	struct report_repair repair = { .drifts = host_drifts_of(report) };
	bool upstream = true;

	for (size_t i = 0; i < report->n_vpcs; i++)
		upstream &= !report->vpcs[i].host_drifts || is_upstream(&report->vpcs[i], true);
	if (audit->only_vni)
		snprintf(repair.answer, sizeof(repair.answer),
			 "ports and VPCs are put right on the whole host: ask for it without --vpc");
	else if (upstream)
		snprintf(repair.answer, sizeof(repair.answer), UPSTREAM);
	else
		ask_agent(audit, config, &repair);
	*ret_repair = repair;
}

/* The same audit, until nothing differs or the time is over. */
static int look_again(const struct audit *audit, size_t max_findings, struct report *ret_report)
{
	uint64_t deadline = now_monotonic_us() + REPAIR_MS * UINT64_C(1000);
	struct audit again = *audit;
	struct report report;
	int ret;

	again.settle_ms = 0;
	for (;;) {
		report_init(&report, audit->host, max_findings);
		ret = audit_run(&again, &report);
		if (ret || now_monotonic_us() >= deadline ||
		    (!drifts_of(&report) && report_result(&report) != RESULT_FAILED))
			break;
		report_clear(&report);
		poll(NULL, 0, AGAIN_MS);
	}
	if (ret)
		report_clear(&report);
	else
		*ret_report = report;
	return ret;
}

int repair_run(const struct audit *audit, const struct vpc_config *config, unsigned int max_repairs,
	       struct report *report)
{
	uint64_t drifts = drifts_of(report);
	struct report after = { 0 }, *before;
	struct report_repair *repairs;
	size_t n = 0;
	bool any = false;
	int ret;

	if (!drifts)
		return 0;
	before = calloc(1, sizeof(*before));
	repairs = calloc(report->n_vpcs + 1, sizeof(*repairs));
	if (!before || !repairs) {
		free(before);
		free(repairs);
		return -ENOMEM;
	}
	if (host_drifts_of(report) && drifts <= max_repairs)
		ask_host(audit, config, report, &repairs[n++]);
	for (size_t i = 0; i < report->n_vpcs && drifts <= max_repairs; i++)
		if (report_drifts(&report->vpcs[i]) > report->vpcs[i].host_drifts)
			ask_vpc(audit, config, &report->vpcs[i], &repairs[n++]);
	for (size_t i = 0; i < n; i++)
		any |= repairs[i].asked;
	ret = any ? look_again(audit, report->max_findings, &after) : 0;
	if (ret) {
		free(before);
		free(repairs);
		return ret;
	}
	if (any) {
		*before = *report;
		*report = after;
		report->before = before;
	} else {
		free(before);
	}
	report->repairs = repairs;
	report->n_repairs = n;
	if (drifts > max_repairs)
		snprintf(report->repair, sizeof(report->repair),
			 "%" PRIu64 " differences are more than --max-repairs %u: nothing was touched", drifts,
			 max_repairs);
	return 0;
}
