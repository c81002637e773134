// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's counters and histograms; see metrics.h. For its one thread alone.
 */
#include "metrics.h"

#include <inttypes.h>
#include <string.h>

#define CALLS_MAX   64
#define RESULTS_MAX 12
#define STATES_MAX  8

/* Upper bounds in microseconds; one more bucket has what is above. */
static const struct {
	uint64_t us;
	const char *seconds;
} bounds[] = {
	{ 100, "0.0001" },   { 250, "0.00025" },   { 500, "0.0005" },	 { 1000, "0.001" },  { 2500, "0.0025" },
	{ 5000, "0.005" },   { 10000, "0.01" },	   { 25000, "0.025" },	 { 50000, "0.05" },  { 100000, "0.1" },
	{ 250000, "0.25" },  { 500000, "0.5" },	   { 1000000, "1" },	 { 2500000, "2.5" }, { 5000000, "5" },
	{ 10000000, "10" },  { 30000000, "30" },
};

struct histogram {
	uint64_t buckets[ARRAY_SIZE(bounds) + 1]; /* not cumulative */
	uint64_t count, sum_us;
};

struct result {
	int res;
	uint64_t count;
};

struct call {
	const char *caller, *callee, *call;
	struct result results[RESULTS_MAX]; /* the last one has all that found no room of their own */
	size_t n_results;
	struct histogram time;
};

static struct {
	struct call calls[CALLS_MAX];
	size_t n_calls;
	struct {
		const char *name;
		uint64_t count;
	} states[STATES_MAX];
	size_t n_states;
	struct histogram applied;
	uint64_t events_lost;
} all;

static void histogram_add(struct histogram *h, uint64_t us)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(bounds) && us > bounds[i].us)
		i++;
	h->buckets[i]++;
	h->count++;
	h->sum_us += us;
}

static void histogram_merge(struct histogram *to, const struct histogram *from)
{
	for (size_t i = 0; i < ARRAY_SIZE(to->buckets); i++)
		to->buckets[i] += from->buckets[i];
	to->count += from->count;
	to->sum_us += from->sum_us;
}

static struct call *call_find(const char *caller, const char *callee, const char *call)
{
	struct call *c;

	for (size_t i = 0; i < all.n_calls; i++) {
		c = &all.calls[i];
		if (!strcmp(c->call, call) && !strcmp(c->caller, caller) && !strcmp(c->callee, callee))
			return c;
	}
	if (all.n_calls == CALLS_MAX)
		return NULL;
	c = &all.calls[all.n_calls++];
	*c = (struct call){ .caller = caller, .callee = callee, .call = call };
	return c;
}

static void results_add(struct result *results, size_t *n, int res, uint64_t count)
{
	size_t i = 0;

	while (i < *n && results[i].res != res && i + 1 < RESULTS_MAX)
		i++;
	if (i == *n)
		results[(*n)++] = (struct result){ .res = i + 1 < RESULTS_MAX ? res : 1 };
	results[i].count += count;
}

void metrics_call(const char *caller, const char *callee, const char *call, int res, uint64_t us)
{
	struct call *c = call_find(caller, callee, call);

	if (!c)
		return;
	results_add(c->results, &c->n_results, res, 1);
	histogram_add(&c->time, us);
}

void metrics_applied(uint64_t us)
{
	histogram_add(&all.applied, us);
}

void metrics_events_lost(void)
{
	all.events_lost++;
}

void metrics_transition(const char *state)
{
	size_t i = 0;

	while (i < all.n_states && strcmp(all.states[i].name, state))
		i++;
	if (i == STATES_MAX)
		return;
	if (i == all.n_states)
		all.states[all.n_states++].name = state;
	all.states[i].count++;
}

void metrics_reset(void)
{
	memset(&all, 0, sizeof(all));
}

/* -- printing ------------------------------------------------------------------------------------------------------ */

/* @labels: what stands between the braces before "le", with a comma behind it; may be "". */
static void histogram_print(FILE *to, const char *name, const char *labels, const struct histogram *h)
{
	uint64_t sum = 0;
	int len = strlen(labels);

	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
		sum += h->buckets[i];
		fprintf(to, "%s_bucket{%sle=\"%s\"} %" PRIu64 "\n", name, labels, bounds[i].seconds, sum);
	}
	fprintf(to, "%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, h->count);
	if (len) {
		fprintf(to, "%s_sum{%.*s} %.6f\n", name, len - 1, labels, h->sum_us / 1e6);
		fprintf(to, "%s_count{%.*s} %" PRIu64 "\n", name, len - 1, labels, h->count);
	} else {
		fprintf(to, "%s_sum %.6f\n%s_count %" PRIu64 "\n", name, h->sum_us / 1e6, name, h->count);
	}
}

static const char *result_name(int res)
{
	if (!res)
		return "ok";
	return (res < 0 ? strerrorname_np(-res) : NULL) ?: "other";
}

static void calls_print(FILE *to)
{
	char labels[256];

	fputs("# HELP vpc_agent_calls_total Calls of the agent's parts into the kernel and ZooKeeper.\n"
	      "# TYPE vpc_agent_calls_total counter\n",
	      to);
	for (size_t i = 0; i < all.n_calls; i++) {
		const struct call *c = &all.calls[i];

		for (size_t r = 0; r < c->n_results; r++)
			fprintf(to,
				"vpc_agent_calls_total{caller=\"%s\",callee=\"%s\",call=\"%s\",result=\"%s\"} %" PRIu64
				"\n",
				c->caller, c->callee, c->call, result_name(c->results[r].res), c->results[r].count);
	}
	fputs("# HELP vpc_agent_call_duration_seconds How long these calls took.\n"
	      "# TYPE vpc_agent_call_duration_seconds histogram\n",
	      to);
	for (size_t i = 0; i < all.n_calls; i++) {
		const struct call *c = &all.calls[i];

		snprintf(labels, sizeof(labels), "caller=\"%s\",callee=\"%s\",call=\"%s\",", c->caller, c->callee,
			 c->call);
		histogram_print(to, "vpc_agent_call_duration_seconds", labels, &c->time);
	}
}

/* What is asked for most often, without having to add it up from the calls. */
static void sums_print(FILE *to)
{
	struct histogram zookeeper = { 0 };
	struct result errors[RESULTS_MAX];
	size_t n_errors = 0;

	for (size_t i = 0; i < all.n_calls; i++) {
		const struct call *c = &all.calls[i];

		if (!strcmp(c->callee, "zookeeper"))
			histogram_merge(&zookeeper, &c->time);
		else if (!strcmp(c->callee, "kernel"))
			for (size_t r = 0; r < c->n_results; r++)
				if (c->results[r].res)
					results_add(errors, &n_errors, c->results[r].res, c->results[r].count);
	}
	fputs("# HELP vpc_agent_zookeeper_round_trip_seconds From a request to its answer.\n"
	      "# TYPE vpc_agent_zookeeper_round_trip_seconds histogram\n",
	      to);
	histogram_print(to, "vpc_agent_zookeeper_round_trip_seconds", "", &zookeeper);
	fputs("# HELP vpc_agent_netlink_errors_total Requests that the kernel refused or that were not answered.\n"
	      "# TYPE vpc_agent_netlink_errors_total counter\n",
	      to);
	for (size_t i = 0; i < n_errors; i++)
		fprintf(to, "vpc_agent_netlink_errors_total{error=\"%s\"} %" PRIu64 "\n", result_name(errors[i].res),
			errors[i].count);
	fprintf(to,
		"# HELP vpc_agent_netlink_events_lost_total Times that the kernel's events overran the socket.\n"
		"# TYPE vpc_agent_netlink_events_lost_total counter\n"
		"vpc_agent_netlink_events_lost_total %" PRIu64 "\n",
		all.events_lost);
}

void metrics_print(FILE *to)
{
	fputs("# HELP vpc_agent_transitions_total How often a state was entered.\n"
	      "# TYPE vpc_agent_transitions_total counter\n",
	      to);
	for (size_t i = 0; i < all.n_states; i++)
		fprintf(to, "vpc_agent_transitions_total{state=\"%s\"} %" PRIu64 "\n", all.states[i].name,
			all.states[i].count);
	fputs("# HELP vpc_agent_apply_seconds From seeing that a VPC is behind HEAD to the kernel's commit of it.\n"
	      "# TYPE vpc_agent_apply_seconds histogram\n",
	      to);
	histogram_print(to, "vpc_agent_apply_seconds", "", &all.applied);
	sums_print(to);
	calls_print(to);
}
