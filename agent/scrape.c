// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's metrics; see scrape.h. What the agent's parts count themselves is in agent/metrics.c, what is true at the
 * moment of asking is printed here. A host with thousands of VPCs takes milliseconds to print; lib/scrape.c bounds
 * that.
 */
#include "scrape.h"

#include <errno.h>
#include <stdio.h>
#include "../lib/log.h"
#include "../lib/util.h"
#include "follow.h"
#include "hostports.h"
#include "klink.h"
#include "metrics.h"
#include "status.h"

enum vpc_metric {
	VPC_EPOCH,
	VPC_HEAD,
	VPC_LAG,
	VPC_LAG_SECONDS,
	__VPC_METRICS,
};

static const char *const vpc_metrics[][2] = {
	[VPC_EPOCH] = { "vpc_agent_vpc_epoch", "The VPC's epoch in the kernel." },
	[VPC_HEAD] = { "vpc_agent_vpc_head_epoch", "The VPC's epoch in ZooKeeper, as last read." },
	[VPC_LAG] = { "vpc_agent_vpc_lag_epochs", "How many epochs the kernel is behind ZooKeeper." },
	[VPC_LAG_SECONDS] = { "vpc_agent_vpc_lag_seconds", "For how long the VPC has not been at HEAD; 0: it is." },
};

struct vpc_printing {
	FILE *to;
	enum vpc_metric metric;
};

static void print_vpc(const struct follow_info *info, void *arg)
{
	const struct vpc_printing *p = arg;
	double value = 0;

	switch (p->metric) {
	case VPC_EPOCH:
		value = info->epoch;
		break;
	case VPC_HEAD:
		value = info->head;
		break;
	case VPC_LAG:
		value = info->head > info->epoch ? info->head - info->epoch : 0;
		break;
	case VPC_LAG_SECONDS:
		value = info->behind_us / 1e6;
		break;
	case __VPC_METRICS:
		break;
	}
	fprintf(p->to, "%s{vni=\"%u\"} %.17g\n", vpc_metrics[p->metric][0], info->vni, value);
}

static void print_gauge(FILE *to, const char *name, const char *help, double value)
{
	fprintf(to, "# HELP %s %s\n# TYPE %s gauge\n%s %.17g\n", name, help, name, name, value);
}

static void print_states(FILE *to, const struct agent *a)
{
	enum agent_state state;

	fputs("# HELP vpc_agent_state 1 for the state that the agent is in.\n# TYPE vpc_agent_state gauge\n", to);
	for (state = AGENT_CONNECTING; state <= AGENT_ISOLATED; state++)
		fprintf(to, "vpc_agent_state{state=\"%s\"} %d\n", agent_state_name(state), state == a->state);
	print_gauge(to, "vpc_agent_state_seconds", "For how long it has been in it.",
		    (now_monotonic_us() - a->state_since_us) / 1e6);
}

static int print_now(FILE *to, void *arg)
{
	const struct agent *a = arg;
	struct vpc_printing p = { .to = to };

	fprintf(to,
		"# HELP vpc_agent_info Versions, as labels; an empty module: vpc.ko is not there.\n"
		"# TYPE vpc_agent_info gauge\nvpc_agent_info{version=\"%s\",module=\"%s\",host=\"%s\"} 1\n",
		VPC_VERSION, klink_version(a->klink), a->config.host);
	print_states(to, a);
	print_gauge(to, "vpc_agent_ports", "Ports that this host must have.", hostports_count(a->hostports));
	print_gauge(to, "vpc_agent_ports_revision_wanted", "Revision of the node ports, as last read.",
		    hostports_wanted(a->hostports));
	print_gauge(to, "vpc_agent_ports_revision", "Revision of the node ports that the kernel has.",
		    hostports_revision(a->hostports));
	print_gauge(to, "vpc_agent_name_taken", "1 while another host has this one's name in ZooKeeper.",
		    status_name_taken(a->status));
	print_gauge(to, "vpc_agent_vpcs", "VPCs that this host must have.", follows_count(a->follows));
	print_gauge(to, "vpc_agent_vpcs_failing", "VPCs that are not at HEAD, for a reason in the log.",
		    follows_failing(a->follows));
	for (p.metric = 0; p.metric < __VPC_METRICS; p.metric++) {
		fprintf(to, "# HELP %s %s\n# TYPE %s gauge\n", vpc_metrics[p.metric][0], vpc_metrics[p.metric][1],
			vpc_metrics[p.metric][0]);
		follows_each(a->follows, print_vpc, &p);
	}
	metrics_print(to);
	return 0;
}

int agent_scrape_new(struct agent *a, struct scrape **ret_scrape, struct vpc_err *err)
{
	const struct scrape_setup setup = { .event = a->event,
					    .port = a->config.metrics_port,
					    .client_us = &a->client_us,
					    .print = print_now,
					    .complain = agent_complain,
					    .arg = a };
	int res = setup.port ? scrape_new(&setup, ret_scrape, err) : 0;

	if (!res || res == -ENOMEM)
		return res;
	log_warn("%s; there are none ([agent] metrics_port)", err->text);
	return 0;
}
