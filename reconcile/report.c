// SPDX-License-Identifier: Apache-2.0
/*
 * The report as data: VPCs, findings, their counts, and which result outranks which. See report.h.
 */
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/util.h"

void report_init(struct report *report, const char *host, size_t max_findings)
{
	memset(report, 0, sizeof(*report));
	snprintf(report->host, sizeof(report->host), "%s", host);
	report->max_findings = max_findings;
	report->time_ms = now_wall_ms();
}

static void findings_free(struct report_vpc *vpc)
{
	for (size_t i = 0; i < vpc->n_findings; i++) {
		free(vpc->findings[i].object);
		free(vpc->findings[i].want);
		free(vpc->findings[i].have);
	}
	free(vpc->findings);
}

void report_clear(struct report *report)
{
	for (size_t i = 0; i < report->n_vpcs; i++)
		findings_free(&report->vpcs[i]);
	free(report->vpcs);
	memset(report, 0, sizeof(*report));
}

struct report_vpc *report_vpc(struct report *report, uint32_t vni, const char *name)
{
	struct report_vpc *vpc;

	for (size_t i = 0; i < report->n_vpcs; i++)
		if (report->vpcs[i].vni == vni)
			return &report->vpcs[i];
	if (report->n_vpcs == report->cap_vpcs) {
		size_t cap = report->cap_vpcs ? 2 * report->cap_vpcs : 16;

		vpc = reallocarray(report->vpcs, cap, sizeof(*vpc));
		if (!vpc)
			return NULL;
		report->vpcs = vpc;
		report->cap_vpcs = cap;
	}
	vpc = &report->vpcs[report->n_vpcs++];
	memset(vpc, 0, sizeof(*vpc));
	vpc->vni = vni;
	snprintf(vpc->name, sizeof(vpc->name), "%s", name ? name : "");
	return vpc;
}

static int finding_keep(struct report_vpc *vpc, enum finding_class class, const char *object, const char *want,
			const char *have)
{
	struct finding *f;

	if (vpc->n_findings == vpc->cap_findings) {
		size_t cap = vpc->cap_findings ? 2 * vpc->cap_findings : 8;

		f = reallocarray(vpc->findings, cap, sizeof(*f));
		if (!f)
			return -ENOMEM;
		vpc->findings = f;
		vpc->cap_findings = cap;
	}
	f = &vpc->findings[vpc->n_findings];
	f->class = class;
	f->object = strdup(object);
	f->want = want ? strdup(want) : NULL;
	f->have = have ? strdup(have) : NULL;
	if (!f->object || (want && !f->want) || (have && !f->have)) {
		free(f->object);
		free(f->want);
		free(f->have);
		return -ENOMEM;
	}
	vpc->n_findings++;
	return 0;
}

int report_add(const struct report *report, struct report_vpc *vpc, enum finding_class class, const char *object,
	       const char *want, const char *have)
{
	vpc->counts[class]++;
	if (vpc->result != RESULT_FAILED)
		vpc->result = RESULT_DRIFT;
	if (vpc->n_findings >= report->max_findings)
		return 0;
	return finding_keep(vpc, class, object, want, have);
}

void report_lag(struct report_vpc *vpc, const char *reason)
{
	if (vpc->result > RESULT_LAG)
		return;
	vpc->result = RESULT_LAG;
	snprintf(vpc->reason, sizeof(vpc->reason), "%s", reason);
}

void report_fail(struct report_vpc *vpc, const char *reason)
{
	vpc->result = RESULT_FAILED;
	snprintf(vpc->reason, sizeof(vpc->reason), "%s", reason);
}

const char *finding_class_name(enum finding_class class)
{
	switch (class) {
	case FINDING_MISSING:
		return "missing";
	case FINDING_EXCESS:
		return "excess";
	case FINDING_DIFFERENT:
		return "different";
	case FINDING_DIGEST:
		return "digest";
	case FINDING_CLASSES:
		break;
	}
	return "?";
}

const char *vpc_result_name(enum vpc_result result)
{
	switch (result) {
	case RESULT_CONSISTENT:
		return "consistent";
	case RESULT_LAG:
		return "lag";
	case RESULT_DRIFT:
		return "drift";
	case RESULT_FAILED:
		return "could not compare";
	}
	return "?";
}

uint64_t report_findings(const struct report_vpc *vpc)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < FINDING_CLASSES; i++)
		sum += vpc->counts[i];
	return sum;
}

enum vpc_result report_result(const struct report *report)
{
	enum vpc_result worst = report->reason[0] ? RESULT_FAILED : RESULT_CONSISTENT;

	for (size_t i = 0; i < report->n_vpcs; i++) {
		const struct report_vpc *vpc = &report->vpcs[i];

		if (report_findings(vpc))
			return RESULT_DRIFT;
		if (vpc->result > worst)
			worst = vpc->result;
	}
	return worst;
}

uint64_t report_lag_ms(const struct report *report)
{
	uint64_t worst = 0;

	for (size_t i = 0; i < report->n_vpcs; i++)
		worst = report->vpcs[i].lag_ms > worst ? report->vpcs[i].lag_ms : worst;
	return worst;
}
