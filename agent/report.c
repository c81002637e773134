// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's report about itself; see report.h.
 */
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include "../lib/util.h"
#include "follow.h"
#include "hostports.h"
#include "klink.h"
#include "restore.h"

static void report_vpc(const struct follow_info *info, void *arg)
{
	struct vpc_agent_report *report = arg;
	struct vpc_agent_report_vpc *vpc = &report->vpcs[report->n_vpcs++];

	vpc->vni = info->vni;
	vpc->known = info->known;
	vpc->has_head = info->has_head;
	vpc->epoch = info->epoch;
	vpc->head = info->head;
	/* Less than a millisecond behind is behind, too. */
	vpc->behind_ms = info->behind_us ? info->behind_us / 1000 + 1 : 0;
	if (info->reason)
		snprintf(vpc->reason, sizeof(vpc->reason), "%.*s", VPC_AGENT_REASON_MAX, info->reason);
}

int report_format(struct agent *a, char **ret, size_t *ret_len)
{
	struct restore_result restored = restore_result(a->restore);
	struct vpc_agent_report report = {
		.version = VPC_VERSION,
		.pid = getpid(),
		.state_ms = (now_monotonic_us() - a->state_since_us) / 1000,
		.instance = klink_instance(a->klink),
		.revision = hostports_wanted(a->hostports),
		.reached = hostports_revision(a->hostports),
		.n_ports = hostports_count(a->hostports),
		.restored_ms = restored.time_ms,
		.restored_vpcs = restored.n_vpcs,
		.restored_ports = restored.n_ports,
	};
	int res;

	snprintf(report.host, sizeof(report.host), "%s", a->config.host);
	snprintf(report.state, sizeof(report.state), "%s", agent_state_name(a->state));
	snprintf(report.zookeeper, sizeof(report.zookeeper), "%s", a->config.zk_hosts);
	snprintf(report.module, sizeof(report.module), "%s", klink_version(a->klink));
	snprintf(report.reason, sizeof(report.reason), "%.*s", VPC_AGENT_REASON_MAX, hostports_reason(a->hostports));
	report.vpcs = calloc(follows_count(a->follows) + 1, sizeof(*report.vpcs));
	if (!report.vpcs)
		return -ENOMEM;
	follows_each(a->follows, report_vpc, &report);
	res = vpc_agent_report_format(&report, ret, ret_len);
	vpc_agent_report_clear(&report);
	return res;
}
