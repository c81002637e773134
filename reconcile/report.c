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

void finding_clear(struct finding *finding)
{
	free(finding->object);
	free(finding->want);
	free(finding->have);
	free(finding->note);
}

static void findings_free(struct report_vpc *vpc)
{
	for (size_t i = 0; i < vpc->n_findings; i++)
		finding_clear(&vpc->findings[i]);
	free(vpc->findings);
}

void report_clear(struct report *report)
{
	for (size_t i = 0; i < report->n_vpcs; i++)
		findings_free(&report->vpcs[i]);
	free(report->vpcs);
	free(report->left_out);
	free(report->repairs);
	if (report->before)
		report_clear(report->before);
	free(report->before);
	memset(report, 0, sizeof(*report));
}

struct report_vpc *report_vpc(struct report *report, uint32_t vni, const char *name)
{
	struct report_vpc *vpc;
	bool last = !report->n_vpcs || vni > report->vpcs[report->n_vpcs - 1].vni;

	for (size_t i = 0; i < report->n_vpcs && (report->unordered || !last); i++)
		if (report->vpcs[i].vni == vni)
			return &report->vpcs[i];
	report->unordered |= !last;
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

static int finding_keep(struct report_vpc *vpc, const struct finding *finding)
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
	*f = *finding;
	f->object = strdup(finding->object);
	f->want = finding->want ? strdup(finding->want) : NULL;
	f->have = finding->have ? strdup(finding->have) : NULL;
	if (!f->object || (finding->want && !f->want) || (finding->have && !f->have)) {
		free(f->object);
		free(f->want);
		free(f->have);
		return -ENOMEM;
	}
	vpc->n_findings++;
	return 0;
}

int report_add(const struct report *report, struct report_vpc *vpc, enum finding_class class, enum finding_what what,
	       const char *object, const char *want, const char *have, struct finding **ret_finding)
{
	enum vpc_result result = class == FINDING_LAG ? RESULT_LAG : RESULT_DRIFT;
	const struct finding finding = {
		.class = class, .what = what, .object = (char *)object, .want = (char *)want, .have = (char *)have
	};
	bool keep = vpc->n_findings < report->max_findings;
	int ret = keep ? finding_keep(vpc, &finding) : 0;

	if (ret)
		return ret;
	vpc->counts[class]++;
	if (class != FINDING_LAG && (what == WHAT_PORT || what == WHAT_VPC || what == WHAT_HOST))
		vpc->host_drifts++;
	if (vpc->result < result)
		vpc->result = result;
	if (ret_finding)
		*ret_finding = keep ? &vpc->findings[vpc->n_findings - 1] : NULL;
	return 0;
}

void report_reclass(struct report_vpc *vpc, struct finding *finding, enum finding_class class)
{
	vpc->counts[finding->class]--;
	vpc->counts[class]++;
	finding->class = class;
}

void finding_note(struct finding *finding, enum finding_leg leg, const char *note)
{
	free(finding->note);
	finding->leg = leg;
	finding->note = note && *note ? strdup(note) : NULL;
}

const char *failure_advice(int code)
{
	switch (-code) {
	case ENODEV:
		return "; load it with modprobe vpc";
	case ENOENT:
		return "; lsmod shows the module, vpcctl host show the hosts that CDB knows";
	case EPERM:
	case EACCES:
		return "; the kernel wants CAP_NET_ADMIN, CDB the account vpc_auditor (vpcctl db init --accounts)";
	case EINTR:
	case EAGAIN:
	case ESTALE:
		return "; nothing is wrong with that but too many changes: try again";
	case EIO:
	case ETIMEDOUT:
	case ECONNRESET:
		return "; is MariaDB up, and [cdb] in the configuration right?";
	case ERANGE:
		return "; see \"Epochs never go back\" in doc/operations.md";
	case EBADMSG:
		return "; vpcctl db check names what is wrong";
	case EUCLEAN:
		return "; vpcctl kernel verify says whether its tables fit their digest; keep the report, reload the "
		       "module";
	case EPROTO:
		return "; is CDB damaged (vpcctl db check)?";
	}
	return "";
}

void report_fail(struct report_vpc *vpc, int code, const char *reason)
{
	vpc->result = RESULT_FAILED;
	snprintf(vpc->reason, sizeof(vpc->reason), "%s%s", reason, failure_advice(code));
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
	case FINDING_FOREIGN:
		return "foreign";
	case FINDING_DIGEST:
		return "digest";
	case FINDING_LAG:
		return "lag";
	case FINDING_CLASSES:
		break;
	}
	return "?";
}

const char *finding_leg_name(enum finding_leg leg)
{
	switch (leg) {
	case LEG_UNKNOWN:
		return "unknown leg";
	case LEG_CDB_ZOOKEEPER:
		return "CDB to ZooKeeper";
	case LEG_ZOOKEEPER_AGENT:
		return "ZooKeeper to agent";
	case LEG_AGENT_KERNEL:
		return "agent to kernel";
	case LEG_PORTS:
		return "ports against CDB";
	case LEG_KERNEL:
		return "kernel against itself";
	case FINDING_LEGS:
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

uint64_t report_drifts(const struct report_vpc *vpc)
{
	return report_findings(vpc) - vpc->counts[FINDING_LAG];
}

enum vpc_result report_result(const struct report *report)
{
	enum vpc_result worst = report->reason[0] ? RESULT_FAILED : RESULT_CONSISTENT;

	for (size_t i = 0; i < report->n_vpcs; i++) {
		const struct report_vpc *vpc = &report->vpcs[i];

		if (report_drifts(vpc))
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

int report_exit_status(const struct report *report, uint64_t max_lag_ms)
{
	switch (report_result(report)) {
	case RESULT_CONSISTENT:
		return 0;
	case RESULT_LAG:
		return report_lag_ms(report) > max_lag_ms ? 3 : 0;
	case RESULT_DRIFT:
		return 1;
	case RESULT_FAILED:
		break;
	}
	return 2;
}
