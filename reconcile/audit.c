// SPDX-License-Identifier: Apache-2.0
/*
 * The order of an audit: what is here at all (presence.c), then each VPC that both sides have (content.c).
 */
#include "audit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "../lib/util.h"
#include "legs.h"

/* Both sides have it now: compare its content. A VPC that only one side has was judged by presence.c. */
static int audit_vpcs(const struct audit *audit, struct report *report, const struct presence *presence)
{
	int ret = 0;

	for (size_t i = 0; i < presence->n_have_vpcs && !ret; i++) {
		const struct kernel_vpc *vpc = &presence->have_vpcs[i];

		if (audit->only_vni && vpc->vni != audit->only_vni)
			continue;
		if (presence_wants_vpc(presence, vpc->vni))
			ret = audit_content(audit, report, vpc);
	}
	return ret;
}

int audit_run(const struct audit *audit, struct report *report)
{
	uint64_t start = now_monotonic_us();
	struct presence presence = { 0 };
	struct vpc_err err = { "" };
	int ret;

	ret = audit_presence(audit, report, &presence, &err);
	if (!ret)
		ret = audit_vpcs(audit, report, &presence);
	else if (ret != -ENOMEM)
		snprintf(report->reason, sizeof(report->reason), "%s%s", err.text, failure_advice(ret));
	if (!ret && audit->only_vni && !report->n_vpcs)
		snprintf(report->reason, sizeof(report->reason),
			 "VPC %u is neither in this kernel nor wanted on this host", audit->only_vni);
	if (!ret && audit->legs)
		legs_explain(audit->legs, audit, &presence, report);
	presence_clear(&presence);
	report->duration_us = now_monotonic_us() - start;
	return ret == -ENOMEM ? ret : 0;
}
