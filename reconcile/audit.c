// SPDX-License-Identifier: Apache-2.0
/*
 * The order of an audit: what is here at all (presence.c), then each VPC that both sides have (content.c).
 */
#include "audit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "../lib/digest.h"
#include "../lib/util.h"
#include "legs.h"
#include "progress.h"

static bool is_asked_for(const struct audit *audit, const struct presence *presence, uint32_t vni)
{
	return (!audit->only_vni || vni == audit->only_vni) && presence_wants_vpc(presence, vni);
}

/*
 * Asked behind each VPC that took time, which those do not that agree by their digests; where those may be many that
 * way, as a run before left them, behind each.
 */
static bool goes_on(const struct audit *audit, const struct report *report)
{
	const struct report_vpc *last = report->n_vpcs ? &report->vpcs[report->n_vpcs - 1] : NULL;

	if (!audit->pace || !audit->pace->go_on)
		return true;
	if (last && last->by_digest && !audit->verify && !audit->probes && !audit->progress)
		return true;
	return audit->pace->go_on(audit->pace->arg);
}

/* Nothing differed but what has no epoch, which is always looked at. */
static bool is_done(const struct report_vpc *vpc)
{
	return vpc->result != RESULT_FAILED && report_drifts(vpc) == vpc->host_drifts && !vpc->unprobed[0];
}

/* As a run before left it: its digest is enough, which the history has for it, and what was asked for was done then. */
static int audit_resumed(const struct audit *audit, struct report *report, const struct presence *presence,
			 const struct kernel_vpc *vpc, const struct cdb_epoch *found, const struct progress_vpc *before)
{
	struct audit by_digest = *audit;
	struct report_vpc *done;
	int ret;

	by_digest.full = by_digest.verify = false;
	by_digest.probes = 0;
	ret = audit_content(&by_digest, report, presence, vpc, found);
	done = ret ? NULL : report_vpc(report, vpc->vni, NULL);
	if (!done)
		return ret ? ret : -ENOMEM;
	if (!is_done(done))
		return 0;
	done->n_probes = before->n_probes;
	done->compared_ms = before->time_ms;
	if (!report->n_resumed++ || before->time_ms < report->resumed_ms)
		report->resumed_ms = before->time_ms;
	return progress_add(audit->progress, before);
}

static int audit_vpc(const struct audit *audit, struct report *report, const struct presence *presence,
		     const struct kernel_vpc *vpc, const struct cdb_epoch *found)
{
	const struct progress_vpc *before = audit->progress ? progress_find(audit->progress, vpc) : NULL;
	struct report_vpc *done;
	int ret;

	if (before && found->known && vpc->epoch <= found->now && vpc_digest_equal(&found->digest, &vpc->digest))
		return audit_resumed(audit, report, presence, vpc, found, before);
	ret = audit_content(audit, report, presence, vpc, found);
	if (ret || !audit->progress)
		return ret;
	done = report_vpc(report, vpc->vni, NULL);
	if (!done)
		return -ENOMEM;
	if (!is_done(done))
		return 0;
	return progress_add(audit->progress, &(struct progress_vpc){ .vni = done->vni,
								     .epoch = done->kernel_epoch,
								     .digest = done->kernel_digest,
								     .time_ms = now_wall_ms(),
								     .n_probes = done->n_probes });
}

/* Both sides have it now: compare its content. A VPC that only one side has was judged by presence.c. */
static int audit_vpcs(const struct audit *audit, struct report *report, const struct presence *presence,
		      struct vpc_err *err)
{
	_cleanup_free_ struct cdb_epoch_key *keys = calloc(presence->n_have_vpcs + 1, sizeof(*keys));
	_cleanup_free_ struct cdb_epoch *found = calloc(presence->n_have_vpcs + 1, sizeof(*found));
	_cleanup_free_ const struct kernel_vpc **vpcs = calloc(presence->n_have_vpcs + 1, sizeof(*vpcs));
	size_t n = 0;
	int ret;

	free(report->left_out);
	report->n_left_out = 0;
	report->left_out = calloc(presence->n_have_vpcs + 1, sizeof(*report->left_out));
	if (!keys || !found || !vpcs || !report->left_out)
		return -ENOMEM;
	for (size_t i = 0; i < presence->n_have_vpcs; i++) {
		const struct kernel_vpc *vpc = &presence->have_vpcs[i];

		if (!is_asked_for(audit, presence, vpc->vni))
			continue;
		keys[n] = (struct cdb_epoch_key){ vpc->vni, vpc->epoch };
		vpcs[n++] = vpc;
	}
	if (audit->progress)
		progress_begin(audit->progress, presence->have_host.instance, n);
	ret = cdb_epochs_get(audit->cdb, keys, n, found, err);
	for (size_t i = 0; i < n && !ret; i++) {
		if (!goes_on(audit, report))
			return -ECANCELED;
		if (audit->since_ms && found[i].now_ms < audit->since_ms)
			report->left_out[report->n_left_out++] = vpcs[i]->vni;
		else
			ret = audit_vpc(audit, report, presence, vpcs[i], &found[i]);
	}
	return ret;
}

/* Who asks for ways, and gets not a single one, is not to believe that they are right. */
static void judge_probes(struct report *report)
{
	for (size_t i = 0; i < report->n_vpcs; i++)
		if (report->vpcs[i].n_probes)
			return;
	for (size_t i = 0; i < report->n_vpcs; i++)
		if (report->vpcs[i].unprobed[0])
			report_fail(&report->vpcs[i], -EAGAIN, report->vpcs[i].unprobed);
}

int audit_run(const struct audit *audit, struct report *report)
{
	uint64_t start = now_monotonic_us();
	struct presence presence = { 0 };
	struct vpc_err err = { "" };
	int ret;

	ret = audit_presence(audit, report, &presence, &err);
	if (!ret)
		ret = audit_vpcs(audit, report, &presence, &err);
	if (ret == -ENOMEM || ret == -ECANCELED) {
		presence_clear(&presence);
		return ret;
	}
	if (ret)
		snprintf(report->reason, sizeof(report->reason), "%s%s", err.text, failure_advice(ret));
	if (!ret && audit->only_vni && !report->n_vpcs && !presence_wants_vpc(&presence, audit->only_vni))
		snprintf(report->reason, sizeof(report->reason),
			 "VPC %u is neither in this kernel nor wanted on this host", audit->only_vni);
	if (!ret && audit->probes)
		judge_probes(report);
	if (!ret && audit->legs)
		legs_explain(audit->legs, audit, &presence, report);
	presence_clear(&presence);
	report->duration_us = now_monotonic_us() - start;
	return 0;
}
