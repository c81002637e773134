// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl agent: what this host's vpc_agent says about itself (proto/agent_report.h), over its Unix socket. Needs
 * neither CDB nor ZooKeeper.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "../lib/agent_ask.h"
#include "../proto/agent_report.h"
#include "ctl.h"

#define ANSWER_S 10

static void print_vpc(const struct vpc_agent_report_vpc *vpc)
{
	printf("vni %u: ", vpc->vni);
	if (vpc->known)
		printf("epoch %" PRIu64, vpc->epoch);
	else
		printf("not in the kernel");
	if (vpc->has_head && (!vpc->known || vpc->head != vpc->epoch))
		printf(", HEAD is %" PRIu64, vpc->head);
	if (vpc->behind_ms)
		printf(", behind for %.1f s", vpc->behind_ms / 1000.0);
	printf("%s%s\n", vpc->reason[0] ? ": " : "", vpc->reason);
}

static void print_restored(const struct vpc_agent_report *report)
{
	time_t seconds = report->restored_ms / 1000;
	char when[32];
	struct tm tm;

	if (!report->restored_ms)
		return;
	gmtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%FT%TZ", &tm);
	printf("restored: %" PRIu64 " VPCs and %" PRIu64 " ports, from the cache of %s\n", report->restored_vpcs,
	       report->restored_ports, when);
}

static void print_report(const struct vpc_agent_report *report)
{
	printf("host %s: %s for %.1f s, vpc_agent %s, pid %u\n", report->host, report->state, report->state_ms / 1000.0,
	       report->version, report->pid);
	printf("zookeeper: %s\n", report->zookeeper);
	if (report->instance)
		printf("kernel: vpc.ko %s, instance %016" PRIx64 "\n", report->module, report->instance);
	else
		printf("kernel: no vpc.ko\n");
	if (report->revision)
		printf("ports: revision %" PRIu64 ", %" PRIu64 " ports", report->revision, report->n_ports);
	else
		printf("ports: not read yet");
	if (report->reached != report->revision)
		printf(", the kernel has revision %" PRIu64, report->reached);
	printf("%s%s\n", report->reason[0] ? ": " : "", report->reason);
	print_restored(report);
	for (size_t i = 0; i < report->n_vpcs; i++)
		print_vpc(&report->vpcs[i]);
}

static int agent_status(struct ctl *ctl, int argc, char **argv)
{
	struct vpc_agent_report report;
	_cleanup_free_ char *data = NULL;
	const char *host = NULL;
	struct ctl_arg args[] = { { "host", CTL_WORD, &host } };
	size_t len = 0;
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = vpc_config_load(ctl->config_path, &ctl->config, &ctl->err);
	if (!r)
		r = agent_ask(ctl->config.run_dir, host ?: ctl->config.host, ANSWER_S, &data, &len, &ctl->err);
	if (r)
		return r;
	r = vpc_agent_report_parse(data, len, &report, &ctl->err);
	if (r)
		return vpc_err_prefix(&ctl->err, r, "the agent's answer");
	if (ctl->json)
		ctl_print(ctl, json_tokener_parse(data));
	else
		print_report(&report);
	vpc_agent_report_clear(&report);
	return 0;
}

static const struct ctl_verb verbs[] = {
	{ "status", agent_status, "[host NAME]", false },
};

const struct ctl_object ctl_agent = {
	.name = "agent",
	.about = "what this host's vpc_agent says about itself",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
	.notes = "The agent is found by its socket, [agent] run_dir/NAME.sock; NAME is the configuration's host unless "
		 "given.\n",
};
