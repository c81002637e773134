// SPDX-License-Identifier: Apache-2.0
/*
 * The audit's pure parts: comparing two states, comparing presence, and which result outranks which.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <json-c/json.h>

#include "../../lib/digest.h"
#include "../../lib/util.h"
#include "../../reconcile/audit.h"
#include "../../reconcile/legs.h"
#include "../../reconcile/options.h"
#include "../../reconcile/round.h"
#include "../../reconcile/seen.h"
#include "../../reconcile/watch.h"

static void state_fill(struct vpc_state *state, unsigned int n_routes)
{
	struct vpc_nl_nexthop nh = { .id = 7, .type = VPC_NEXTHOP_BLACKHOLE };
	struct vpc_route route = { .table = 1, .nexthop = 7 };

	vpc_state_init(state, 100);
	state->epoch = 5;
	assert_int_equal(vpc_state_add_nexthop(state, &nh), 0);
	for (unsigned int i = 0; i < n_routes; i++) {
		route.prefix = (struct vpc_prefix){ .family = AF_INET, .plen = 24, .bytes = { 10, i / 256, i % 256 } };
		assert_int_equal(vpc_state_add_route(state, &route), 0);
	}
	state->digest = vpc_digest_of_state(state);
}

struct outcome {
	uint64_t counts[FINDING_CLASSES];
	enum vpc_result result;
	size_t kept;
	char first[64];
};

static struct outcome compare(const struct vpc_state *want, const struct vpc_state *have, size_t max_findings)
{
	struct outcome o = { 0 };
	struct report report;
	struct report_vpc *vpc;

	report_init(&report, "h1", max_findings);
	vpc = report_vpc(&report, 100, "red");
	assert_int_equal(audit_compare_states(&(struct audit){ 0 }, &report, vpc, want, have), 0);
	memcpy(o.counts, vpc->counts, sizeof(o.counts));
	o.result = report_result(&report);
	o.kept = vpc->n_findings;
	if (vpc->n_findings)
		snprintf(o.first, sizeof(o.first), "%s", vpc->findings[0].object);
	report_clear(&report);
	return o;
}

static void same_states_are_consistent(void **state)
{
	struct vpc_state want, have;
	struct outcome o;

	state_fill(&want, 1000);
	state_fill(&have, 1000);
	o = compare(&want, &have, 100);
	assert_int_equal(o.result, RESULT_CONSISTENT);
	assert_int_equal(o.kept, 0);
	vpc_state_clear(&want);
	vpc_state_clear(&have);
}

static void each_class_is_named(void **state)
{
	struct vpc_state want, have;
	struct outcome o;

	state_fill(&want, 10);
	state_fill(&have, 9);
	have.routes[3].nexthop = 8;
	have.digest = vpc_digest_of_state(&have);
	o = compare(&want, &have, 100);
	assert_int_equal(o.result, RESULT_DRIFT);
	assert_int_equal(o.counts[FINDING_DIFFERENT], 1);
	assert_int_equal(o.counts[FINDING_MISSING], 1);
	assert_int_equal(o.counts[FINDING_EXCESS], 0);
	assert_int_equal(o.counts[FINDING_DIGEST], 0);
	assert_string_equal(o.first, "route table 1 10.0.3.0/24");
	o = compare(&have, &want, 100);
	assert_int_equal(o.counts[FINDING_EXCESS], 1);
	vpc_state_clear(&want);
	vpc_state_clear(&have);
}

static void members_are_named(void **state)
{
	struct vpc_nl_member member = { .group = 7, .nexthop = 8, .weight = 1 };
	struct vpc_state want, have;
	struct outcome o;

	state_fill(&want, 3);
	state_fill(&have, 3);
	vpc_state_add_member(&want, &member);
	o = compare(&want, &have, 100);
	assert_int_equal(o.counts[FINDING_MISSING], 1);
	assert_string_equal(o.first, "member 8 of group 7");
	member.weight = 2;
	vpc_state_add_member(&have, &member);
	have.digest = vpc_digest_of_state(&have);
	o = compare(&want, &have, 100);
	assert_int_equal(o.counts[FINDING_DIFFERENT], 1);
	assert_int_equal(o.kept, 1);
	want.n_members = 0;
	o = compare(&want, &have, 100);
	assert_int_equal(o.counts[FINDING_EXCESS], 1);
	vpc_state_clear(&want);
	vpc_state_clear(&have);
}

static void kernel_digest_that_does_not_cover_its_dump(void **state)
{
	struct vpc_state want, have;
	struct outcome o;

	state_fill(&want, 3);
	state_fill(&have, 3);
	have.digest.h[1] ^= 1;
	o = compare(&want, &have, 100);
	assert_int_equal(o.counts[FINDING_DIGEST], 1);
	assert_int_equal(o.result, RESULT_DRIFT);
	vpc_state_clear(&want);
	vpc_state_clear(&have);
}

static void all_are_counted_and_few_kept(void **state)
{
	struct vpc_state want, have;
	struct outcome o;

	state_fill(&want, 1000);
	state_fill(&have, 0);
	o = compare(&want, &have, 5);
	assert_int_equal(o.counts[FINDING_MISSING], 1000);
	assert_int_equal(o.kept, 5);
	vpc_state_clear(&want);
	vpc_state_clear(&have);
}

static void results_outrank(void **state)
{
	static const struct {
		enum vpc_result a, b, worst;
	} table[] = {
		{ RESULT_CONSISTENT, RESULT_CONSISTENT, RESULT_CONSISTENT },
		{ RESULT_CONSISTENT, RESULT_LAG, RESULT_LAG },
		{ RESULT_LAG, RESULT_FAILED, RESULT_FAILED },
		{ RESULT_FAILED, RESULT_DRIFT, RESULT_DRIFT },
		{ RESULT_DRIFT, RESULT_LAG, RESULT_DRIFT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct report report;

		report_init(&report, "h1", 10);
		for (int j = 0; j < 2; j++) {
			enum vpc_result r = j ? table[i].b : table[i].a;
			struct report_vpc *vpc = report_vpc(&report, 100 + j, NULL);

			vpc->result = r;
			if (r == RESULT_DRIFT)
				assert_int_equal(report_add(&report, vpc, FINDING_EXCESS, WHAT_ELEMENT, "nexthop 1",
							    NULL, "x", NULL),
						 0);
			if (r == RESULT_FAILED)
				report_fail(vpc, -EINTR, "dump interrupted");
		}
		assert_int_equal(report_result(&report), table[i].worst);
		report_clear(&report);
	}
}

static void lag_is_a_finding_and_hides_nothing(void **state)
{
	struct finding *finding;
	struct report report;
	struct report_vpc *vpc;

	report_init(&report, "h1", 2);
	vpc = report_vpc(&report, 100, NULL);
	assert_int_equal(report_add(&report, vpc, FINDING_LAG, WHAT_PORT, "port tap1", "x", NULL, &finding), 0);
	assert_string_equal(finding->object, "port tap1");
	assert_int_equal(report_result(&report), RESULT_LAG);
	assert_int_equal(report_drifts(vpc), 0);
	assert_int_equal(report_add(&report, vpc, FINDING_EXCESS, WHAT_PORT, "port tap2", NULL, "x", &finding), 0);
	assert_int_equal(report_result(&report), RESULT_DRIFT);
	report_reclass(vpc, finding, FINDING_FOREIGN);
	assert_int_equal(vpc->counts[FINDING_EXCESS], 0);
	assert_int_equal(vpc->counts[FINDING_FOREIGN], 1);
	assert_int_equal(report_add(&report, vpc, FINDING_LAG, WHAT_PORT, "port tap3", "x", NULL, &finding), 0);
	assert_null(finding);
	assert_int_equal(report_result(&report), RESULT_DRIFT);
	assert_int_equal(report_findings(vpc), 3);
	assert_int_equal(report_drifts(vpc), 1);
	report_clear(&report);
}

static void lag_is_that_of_the_last_vpc(void **state)
{
	static const uint64_t lags[] = { 0, 61000, 2500 };
	struct report report;

	report_init(&report, "h1", 10);
	assert_int_equal(report_lag_ms(&report), 0);
	for (size_t i = 0; i < ARRAY_SIZE(lags); i++)
		report_vpc(&report, 100 + i, NULL)->lag_ms = lags[i];
	assert_int_equal(report_lag_ms(&report), 61000);
	report_clear(&report);
}

static void nothing_compared_is_a_failure(void **state)
{
	struct report report;

	report_init(&report, "h1", 10);
	snprintf(report.reason, sizeof(report.reason), "CDB is away");
	assert_int_equal(report_result(&report), RESULT_FAILED);
	report_clear(&report);
}

static char seen[1024];

static int note(enum finding_class class, enum finding_what what, uint32_t vni, const char *object, const char *want,
		const char *have, void *arg)
{
	size_t len = strlen(seen);

	snprintf(seen + len, sizeof(seen) - len, "%s %u %s;", finding_class_name(class), vni, object);
	return 0;
}

static struct vpc_port port(const char *dev, uint32_t vni, struct vpc_prefix *addr, uint8_t last)
{
	struct vpc_port p = { .vni = vni, .table = 1, .mac = { 2, 0, 0, 0, 0, last }, .addrs = addr, .n_addrs = 1 };

	*addr = (struct vpc_prefix){ .family = AF_INET, .plen = 32, .bytes = { 10, 0, 0, last } };
	snprintf(p.dev, sizeof(p.dev), "%s", dev);
	return p;
}

static void presence_names_what_differs(void **state)
{
	struct vpc_prefix a[5];
	/* VPC 200 has ports on both sides of VPC 100's, and is missing once. */
	struct vpc_port want[] = { port("tap3", 200, &a[2], 3), port("tap1", 100, &a[0], 1),
				   port("tap2", 100, &a[1], 2), port("tap4", 200, &a[2], 3) };
	struct kernel_port have[] = { { .conf = port("tap1", 100, &a[3], 1) },
				      { .conf = port("tap2", 100, &a[4], 9) },
				      { .conf = port("tap9", 300, &a[2], 3) } };
	struct kernel_vpc vpcs[] = { { .vni = 100 }, { .vni = 300 } };
	struct vpc_addr vtep = { .family = AF_INET, .bytes = { 192, 0, 2, 11 } };
	struct presence p = {
		.want = { .vtep4 = vtep, .udp_port = 4789, .ports = want, .n_ports = 4 },
		.have_host = { .vtep4 = vtep, .udp_port = 4789 },
		.have_ports = have,
		.n_have_ports = 3,
		.have_vpcs = vpcs,
		.n_have_vpcs = 2,
	};

	assert_int_equal(presence_index(&p), 0);
	seen[0] = 0;
	assert_int_equal(presence_compare(&p, 0, note, NULL), 0);
	assert_string_equal(seen, "missing 200 VPC;excess 300 VPC;missing 200 port tap3;different 100 port tap2;"
				  "missing 200 port tap4;excess 300 port tap9;");
	seen[0] = 0;
	assert_int_equal(presence_compare(&p, 100, note, NULL), 0);
	assert_string_equal(seen, "different 100 port tap2;");
	seen[0] = 0;
	p.have_host.vtep4.bytes[3] = 12;
	assert_int_equal(presence_compare(&p, 100, note, NULL), 0);
	assert_string_equal(seen, "different 0 VTEP;different 100 port tap2;");
	free(p.want_vnis);
	free(p.want_by_dev);
	free(p.have_by_dev);
}

/* Rows of one table: what is known between CDB and the kernel, and the leg that follows. */
static void legs_are_named_in_the_order_of_the_way(void **state)
{
	static const struct {
		struct leg_facts facts;
		enum finding_leg leg;
		const char *says;
	} lag[] = {
		{ { .need = 8 }, LEG_UNKNOWN, "cannot be asked" },
		{ { .need = 8, .waits = true }, LEG_CDB_ZOOKEEPER, "outbox" },
		{ { .need = 8, .zookeeper = true }, LEG_CDB_ZOOKEEPER, "no HEAD" },
		{ { .need = 8, .zookeeper = true, .has_node = true, .node = 7 }, LEG_CDB_ZOOKEEPER, "HEAD is at 7" },
		{ { .need = 8, .zookeeper = true, .has_node = true, .node = 9 }, LEG_ZOOKEEPER_AGENT, "no agent" },
		{ { .need = 8, .zookeeper = true, .has_node = true, .node = 9, .agent = true, .agent_knows = 7 },
		  LEG_ZOOKEEPER_AGENT, "knows of 7" },
		{ { .need = 8, .zookeeper = true, .has_node = true, .node = 9, .agent = true, .agent_knows = 9,
		    .agent_reason = "quota" },
		  LEG_AGENT_KERNEL, "quota" },
	}, drift[] = {
		{ { .need = 8 }, LEG_UNKNOWN, "cannot be asked" },
		{ { .need = 8, .waits = true }, LEG_UNKNOWN, "cannot be asked" },
		{ { .need = 8, .zookeeper = true, .has_node = true, .node = 8, .node_differs = true },
		  LEG_CDB_ZOOKEEPER, "another digest" },
		{ { .need = 8, .zookeeper = true, .has_node = true, .node = 9, .node_unknown = true },
		  LEG_UNKNOWN, "does not keep" },
		{ { .need = 8, .zookeeper = true, .has_node = true, .node = 8, .agent = true, .agent_differs = true },
		  LEG_ZOOKEEPER_AGENT, "the agent itself" },
		{ { .need = 8, .zookeeper = true, .has_node = true, .node = 8 },
		  LEG_AGENT_KERNEL,
		  "another one wrote" },
	}, ports[] = {
		{ { .need = 3 }, LEG_UNKNOWN, "cannot be asked" },
		{ { .need = 3, .waits = true }, LEG_CDB_ZOOKEEPER, "outbox" },
		{ { .need = 3, .zookeeper = true }, LEG_CDB_ZOOKEEPER, "no ports" },
		{ { .need = 3, .zookeeper = true, .has_node = true, .node = 2 }, LEG_CDB_ZOOKEEPER, "CDB has 3" },
		{ { .need = 3, .zookeeper = true, .has_node = true, .node = 3, .node_differs = true },
		  LEG_CDB_ZOOKEEPER, "something else" },
		{ { .need = 3, .zookeeper = true, .has_node = true, .node = 3 }, LEG_ZOOKEEPER_AGENT, "no agent" },
		{ { .need = 3, .zookeeper = true, .has_node = true, .node = 3, .agent = true, .agent_knows = 2 },
		  LEG_ZOOKEEPER_AGENT, "knows of 2" },
		{ { .need = 3, .zookeeper = true, .has_node = true, .node = 3, .agent = true, .agent_knows = 3,
		    .agent_reached = 2, .agent_reason = "" },
		  LEG_AGENT_KERNEL, "no reason" },
		{ { .need = 3, .zookeeper = true, .has_node = true, .node = 3, .agent = true, .agent_knows = 3,
		    .agent_reached = 3 },
		  LEG_PORTS, "revision 3 is in the kernel" },
	};
	char note[NOTE_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(lag); i++) {
		assert_int_equal(leg_of_lag(&lag[i].facts, note), lag[i].leg);
		assert_non_null(strstr(note, lag[i].says));
	}
	for (size_t i = 0; i < ARRAY_SIZE(drift); i++) {
		assert_int_equal(leg_of_drift(&drift[i].facts, false, note), drift[i].leg);
		assert_non_null(strstr(note, drift[i].says));
		assert_int_equal(leg_of_drift(&drift[i].facts, true, note), LEG_KERNEL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
		assert_int_equal(leg_of_presence(&ports[i].facts, LEG_PORTS, note), ports[i].leg);
		assert_non_null(strstr(note, ports[i].says));
	}
	assert_int_equal(leg_of_presence(&ports[ARRAY_SIZE(ports) - 1].facts, LEG_AGENT_KERNEL, note),
			 LEG_AGENT_KERNEL);
}

static void times_are_parsed(void **state)
{
	static const struct {
		const char *text;
		int ret;
		uint64_t ms;
	} table[] = {
		{ "90s", 0, 1000000 - 90000 },
		{ "2m", 0, 1000000 - 120000 },
		{ "1970-01-01T00:10:00Z", 0, 600000 },
		{ "0s", 0, 1000000 },
		{ "1d", -EINVAL, 0 },
		{ "90", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "-5s", -EINVAL, 0 },
		{ "5sx", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "yesterday", -EINVAL, 0 },
		{ "1970-01-01", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		uint64_t ms = 0;

		assert_int_equal(options_time(table[i].text, 1000000, &ms), table[i].ret);
		assert_int_equal(ms, table[i].ms);
	}
}

static void options_are_parsed_and_refused(void **state)
{
	static const struct {
		const char *argv[4];
		int ret;
	} table[] = {
		{ { "x" }, 0 },
		{ { "x", "--watch" }, 0 },
		{ { "x", "--watch=3" }, 0 },
		{ { "x", "--watch=0" }, -EINVAL },
		{ { "x", "--probe", "0" }, -EINVAL },
		{ { "x", "--table", "1024" }, -EINVAL },
		{ { "x", "--max-repairs", "1x" }, -EINVAL },
		{ { "x", "--since", "soon" }, -EINVAL },
		{ { "x", "--repair", "--table=1" }, -EINVAL },
		{ { "x", "--repair", "--since=1h" }, -EINVAL },
		{ { "x", "left" }, -EINVAL },
		{ { "x", "--nonsense" }, -EINVAL },
	};
	struct options o;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		int argc = 0;

		while (argc < 4 && table[i].argv[argc])
			argc++;
		assert_int_equal(options_parse(argc, (char **)table[i].argv, &o), table[i].ret);
	}
	assert_int_equal(options_parse(2, (char *[]){ "x", "--watch" }, &o), 0);
	assert_int_equal(o.watch_s, 10);
	assert_int_equal(o.max_repairs, 100);
	assert_false(o.repair);
	assert_int_equal(options_parse(3, (char *[]){ "x", "--table", "0" }, &o), 0);
	assert_true(o.has_table);
}

/* The same as long as the same is wrong, in whatever order; young lag is not wrong. */
static uint64_t signature_of(int what)
{
	struct report report;
	struct report_vpc *vpc;
	uint64_t signature;

	report_init(&report, "h1", 10);
	for (int i = 0; i < 2; i++) {
		vpc = report_vpc(&report, 100 + (what == 1 ? 1 - i : i), NULL);
		if (what)
			report_add(&report, vpc, FINDING_MISSING, WHAT_PORT, what == 3 ? "port b" : "port a", "x", NULL,
				   NULL);
		if (what == 4 || what == 5) {
			report_add(&report, vpc, FINDING_LAG, WHAT_CONTENT, "content", "x", "y", NULL);
			vpc->lag_ms = what == 5 ? 70000 : 10;
		}
	}
	report.duration_us = what * 1000;
	signature = watch_signature(&report, 60000);
	report_clear(&report);
	return signature;
}

static void reports_are_printed_when_something_else_is_wrong(void **state)
{
	assert_int_equal(signature_of(1), signature_of(2));
	assert_int_equal(signature_of(2), signature_of(4));
	assert_int_not_equal(signature_of(0), signature_of(2));
	assert_int_not_equal(signature_of(2), signature_of(3));
}

static void late_lag_is_news(void **state)
{
	struct report report;
	struct report_vpc *vpc;
	uint64_t young;

	report_init(&report, "h1", 10);
	young = watch_signature(&report, 1000);
	vpc = report_vpc(&report, 100, NULL);
	report_add(&report, vpc, FINDING_LAG, WHAT_CONTENT, "content", "x", "y", NULL);
	assert_int_equal(report_exit_status(&report, 1000), 0);
	assert_int_equal(watch_signature(&report, 1000), young);
	vpc->lag_ms = 1001;
	assert_int_equal(report_exit_status(&report, 1000), 3);
	assert_int_not_equal(watch_signature(&report, 1000), young);
	report_clear(&report);
}

static void rounds_are_spread_by_a_fifth(void **state)
{
	assert_int_equal(watch_delay_us(1000000, 0), 800000);
	assert_int_equal(watch_delay_us(1000000, 1023), 1200000);
	assert_in_range(watch_delay_us(1000000, 0xdeadbeef), 800000, 1200000);
}

/* Table 1 has 10/8 to 7 (blackhole) and 10.1/16 to 5 (local); the mapping 10.1.2.3 to 8 (a host). */
static void probes_are_judged_step_by_step(void **state)
{
	static const struct vpc_nl_nexthop nexthops[] = {
		{ .id = 5, .type = VPC_NEXTHOP_LOCAL },
		{ .id = 7, .type = VPC_NEXTHOP_BLACKHOLE },
		{ .id = 8, .type = VPC_NEXTHOP_GATEWAY, .family = AF_INET, .addr = { 192, 0, 2, 1 } },
	};
	static const struct vpc_route routes[] = {
		{ 0, 8, { AF_INET, 32, { 10, 1, 2, 3 } } },
		{ 1, 7, { AF_INET, 8, { 10 } } },
		{ 1, 5, { AF_INET, 16, { 10, 1 } } },
	};
	struct vpc_addr mapped = { AF_INET, { 10, 1, 2, 3 } }, black = { AF_INET, { 10, 2, 0, 1 } },
			nowhere = { AF_INET, { 11, 0, 0, 1 } };
	struct kernel_step way[] = {
		{ .step = VPC_STEP_ROUTE,
		  .has_table = true,
		  .table = 1,
		  .has_prefix = true,
		  .prefix = routes[2].prefix },
		{ .step = VPC_STEP_NEXTHOP, .has_nexthop = true, .nexthop = nexthops[0] },
		{ .step = VPC_STEP_ROUTE,
		  .has_table = true,
		  .table = 0,
		  .has_prefix = true,
		  .prefix = routes[0].prefix },
		{ .step = VPC_STEP_NEXTHOP, .has_nexthop = true, .nexthop = nexthops[2] },
	};
	struct kernel_explain right = { .verdict = VPC_VERDICT_ENCAP, .n_steps = 4 }, e;
	struct probe_fault fault;
	struct vpc_state want;

	vpc_state_init(&want, 100);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(vpc_state_add_nexthop(&want, &nexthops[i]), 0);
		assert_int_equal(vpc_state_add_route(&want, &routes[i]), 0);
	}
	memcpy(right.steps, way, sizeof(way));
	assert_true(probe_is_right(&want, 1, &mapped, &right, &fault));
	/* The shorter prefix was found. */
	e = right;
	e.steps[0].prefix = routes[1].prefix;
	assert_false(probe_is_right(&want, 1, &mapped, &e, &fault));
	assert_non_null(strstr(fault.want, "10.1.0.0/16"));
	assert_non_null(strstr(fault.have, "10.0.0.0/8"));
	assert_int_equal(fault.route.nexthop, 5);
	/* The mapping's nexthop is another one. */
	e = right;
	e.steps[3].nexthop.addr[3] = 9;
	assert_false(probe_is_right(&want, 1, &mapped, &e, &fault));
	assert_non_null(strstr(fault.have, "192.0.2.9"));
	/* It ended before the mapping. */
	e = right;
	e.n_steps = 2;
	assert_false(probe_is_right(&want, 1, &mapped, &e, &fault));
	/* A blackhole drops, and for that reason. */
	e = (struct kernel_explain){ .verdict = VPC_VERDICT_DROP, .reason = VPC_DROP_BLACKHOLE, .n_steps = 2 };
	e.steps[0] = way[0];
	e.steps[0].prefix = routes[1].prefix;
	e.steps[1] = way[1];
	e.steps[1].nexthop = nexthops[1];
	assert_true(probe_is_right(&want, 1, &black, &e, &fault));
	e.verdict = VPC_VERDICT_ENCAP;
	assert_false(probe_is_right(&want, 1, &black, &e, &fault));
	/* Without a route. */
	e = (struct kernel_explain){ .verdict = VPC_VERDICT_DROP, .reason = VPC_DROP_NO_ROUTE, .n_steps = 1 };
	e.steps[0] = (struct kernel_step){ .step = VPC_STEP_ROUTE, .has_table = true, .table = 1 };
	assert_true(probe_is_right(&want, 1, &nowhere, &e, &fault));
	assert_false(probe_is_right(&want, 1, &black, &e, &fault));
	vpc_state_clear(&want);
}

/* The report as printed for programs: put(). */
static struct json_object *printed(const struct report *report)
{
	char text[16384];
	int out = dup(STDOUT_FILENO);
	FILE *to = tmpfile();
	ssize_t n;

	fflush(stdout);
	assert_int_equal(dup2(fileno(to), STDOUT_FILENO), STDOUT_FILENO);
	assert_int_equal(report_print_json(report, false), 0);
	assert_int_equal(dup2(out, STDOUT_FILENO), STDOUT_FILENO);
	n = pread(fileno(to), text, sizeof(text) - 1, 0);
	text[n] = '\0';
	fclose(to);
	close(out);
	return json_tokener_parse(text);
}

/* @path: members and numbers of elements, separated by dots. */
static const char *at(struct json_object *o, const char *path)
{
	char copy[64], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *p = strtok_r(copy, ".", &save); p; p = strtok_r(NULL, ".", &save))
		o = *p >= '0' && *p <= '9' ? json_object_array_get_idx(o, atoi(p)) : json_object_object_get(o, p);
	return o ? json_object_get_string(o) : "absent";
}

/* doc/operations.md promises them. */
static void the_json_is_as_documented(void **state)
{
	static const char *const members[][2] = {
		{ "v", "1" },
		{ "host", "h1" },
		{ "time_ms", "5000" },
		{ "duration_us", "7" },
		{ "result", "drift" },
		{ "reason", "absent" },
		{ "vpcs.0.vni", "100" },
		{ "vpcs.0.name", "red" },
		{ "vpcs.0.result", "drift" },
		{ "vpcs.0.cdb_epoch", "9" },
		{ "vpcs.0.kernel_epoch", "8" },
		{ "vpcs.0.lag_ms", "0" },
		{ "vpcs.0.by_digest", "false" },
		{ "vpcs.0.routes", "3" },
		{ "vpcs.0.nexthops", "0" },
		{ "vpcs.0.members", "0" },
		{ "vpcs.0.probes", "0" },
		{ "vpcs.0.counts.missing", "1" },
		{ "vpcs.0.counts.foreign", "0" },
		{ "vpcs.0.findings.0.class", "missing" },
		{ "vpcs.0.findings.0.object", "route \"x\"" },
		{ "vpcs.0.findings.0.want", "nexthop 7" },
		{ "vpcs.0.findings.0.have", "absent" },
		{ "vpcs.0.findings.0.leg", "agent to kernel" },
		{ "vpcs.0.findings.0.note", "because" },
		{ "vpcs.0.findings.0.since_ms", "4000" },
		{ "vpcs.0.findings.0.change", "c1" },
		{ "vpcs.1.result", "could not compare" },
		{ "vpcs.1.reason", "cut short" },
		{ "no_repair", "too many" },
		{ "repairs.0.epoch", "8" },
		{ "repairs.0.asked", "false" },
		{ "repairs.0.answer", "no" },
		{ "before.result", "consistent" },
	};
	struct finding *finding;
	struct report report;
	struct report_vpc *vpc;
	struct json_object *o;

	report_init(&report, "h1", 10);
	report.time_ms = 5000;
	report.duration_us = 7;
	vpc = report_vpc(&report, 100, "red");
	vpc->cdb_epoch = 9;
	vpc->kernel_epoch = 8;
	vpc->n_routes = 3;
	report_add(&report, vpc, FINDING_MISSING, WHAT_ELEMENT, "route \"x\"", "nexthop 7", NULL, &finding);
	finding->cause = (struct cdb_cause){ .known = true, .created_ms = 4000, .change = "c1" };
	finding_note(finding, LEG_AGENT_KERNEL, "because");
	report_fail(report_vpc(&report, 101, NULL), 0, "cut short");
	report.repairs = calloc(1, sizeof(*report.repairs));
	report.n_repairs = 1;
	report.repairs[0] = (struct report_repair){ .vni = 100, .epoch = 8, .drifts = 1, .answer = "no" };
	strcpy(report.repair, "too many");
	report.before = calloc(1, sizeof(*report.before));
	report_init(report.before, "h1", 10);
	o = printed(&report);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (strcmp(at(o, members[i][0]), members[i][1]))
			fail_msg("%s is %s, not %s", members[i][0], at(o, members[i][0]), members[i][1]);
	json_object_put(o);
	report_clear(&report);
}

/* @failed: VPC 100 could not be compared; @n findings in it, and one that lags. */
static void see(struct seen *seen, struct report *of, uint64_t time_ms, size_t n, bool failed)
{
	static const char *const objects[] = { "nexthop 7", "nexthop 8", "route table 1 10.0.0.0/8" };
	struct report_vpc *vpc;

	report_clear(of);
	report_init(of, "h1", 10);
	of->time_ms = time_ms;
	vpc = report_vpc(of, 100, "red");
	assert_int_equal(report_add(of, vpc, FINDING_LAG, WHAT_CONTENT, "content", "a", "b", NULL), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(report_add(of, vpc, FINDING_FOREIGN, WHAT_ELEMENT, objects[i], NULL, "b", NULL), 0);
	if (failed)
		report_fail(vpc, -EIO, "away");
	report_vpc(of, 200, "blue");
	assert_int_equal(seen_update(seen, of), 0);
}

static void what_was_seen_before(void **state)
{
	struct seen seen = { 0 };
	struct report of;

	report_init(&of, "h1", 10);
	see(&seen, &of, 1000, 2, false);
	assert_int_equal(of.vpcs[0].findings[0].first_ms, 0);
	assert_int_equal(of.vpcs[0].findings[1].first_ms, 1000);
	see(&seen, &of, 2000, 3, false);
	assert_int_equal(of.vpcs[0].findings[1].first_ms, 1000);
	assert_int_equal(of.vpcs[0].findings[2].first_ms, 1000);
	assert_int_equal(of.vpcs[0].findings[3].first_ms, 2000);
	/* Not compared is not gone; another round without it is. */
	see(&seen, &of, 3000, 0, true);
	see(&seen, &of, 4000, 1, false);
	assert_int_equal(of.vpcs[0].findings[1].first_ms, 1000);
	see(&seen, &of, 5000, 2, false);
	assert_int_equal(of.vpcs[0].findings[1].first_ms, 1000);
	assert_int_equal(of.vpcs[0].findings[2].first_ms, 5000);
	see(&seen, &of, 6000, 0, false);
	assert_int_equal(seen.n, 0);
	report_clear(&of);
	seen_clear(&seen);
}

/* They keep their ages as one: the map of addresses may be wrong of two tables, say. */
static void two_of_one_name_are_seen(void **state)
{
	struct seen seen = { 0 };
	struct report of;

	report_init(&of, "h1", 10);
	for (uint64_t round = 1; round <= 4; round++) {
		report_clear(&of);
		report_init(&of, "h1", 10);
		of.time_ms = round * 1000;
		for (int i = 0; i < 2; i++)
			assert_int_equal(report_add(&of, report_vpc(&of, 100, "red"), FINDING_DIFFERENT, WHAT_ELEMENT,
						    "way", i ? "a" : "b", "c", NULL), 0);
		assert_int_equal(seen_update(&seen, &of), 0);
		assert_int_equal(of.vpcs[0].findings[0].first_ms, 1000);
		assert_int_equal(of.vpcs[0].findings[1].first_ms, 1000);
		assert_int_equal(seen.n, 1);
	}
	report_clear(&of);
	seen_clear(&seen);
}

/* @how: 0: compared; 1: no turn to read the entries; 2: left out by --since. Return: first_ms of the second one. */
static uint64_t see_some(struct seen *seen, uint64_t time_ms, int how)
{
	struct report_vpc *vpc;
	struct report of;
	uint64_t first;

	report_init(&of, "h1", 10);
	of.time_ms = time_ms;
	vpc = report_vpc(&of, 100, "red");
	vpc->no_slot = how == 1;
	if (how == 2) {
		of.left_out = calloc(1, sizeof(*of.left_out));
		of.left_out[of.n_left_out++] = 100;
	}
	assert_int_equal(report_add(&of, vpc, FINDING_MISSING, WHAT_PORT, "port tap1", "a", NULL, NULL), 0);
	if (how == 1)
		assert_int_equal(report_add(&of, vpc, FINDING_DIFFERENT, WHAT_CONTENT, "content (entries not read)",
					    "a", "b", NULL), 0);
	if (!how)
		assert_int_equal(report_add(&of, vpc, FINDING_FOREIGN, WHAT_ELEMENT, "nexthop 7", NULL, "b", NULL),
				 0);
	assert_int_equal(seen_update(seen, &of), 0);
	assert_int_equal(vpc->findings[0].first_ms, 1000);
	first = how == 2 ? 0 : vpc->findings[1].first_ms;
	report_clear(&of);
	return first;
}

/* Entries that nobody looked at are not gone. */
static void what_was_not_read_keeps_its_age(void **state)
{
	struct seen seen = { 0 };

	assert_int_equal(see_some(&seen, 1000, 0), 1000);
	for (uint64_t round = 2; round < 8; round += 2) {
		see_some(&seen, round * 1000, 1 + (round / 2) % 2);
		assert_int_equal(see_some(&seen, round * 1000 + 1000, 0), 1000);
	}
	seen_clear(&seen);
}

static void repairs_in_vain_become_rare(void **state)
{
	static const unsigned int minutes[] = { 0, 1, 2, 4, 8, 16, 32, 60, 60 };

	for (unsigned int i = 0; i < ARRAY_SIZE(minutes); i++)
		assert_int_equal(round_repair_pause_us(i), minutes[i] * 60000000ULL);
	assert_int_equal(round_repair_pause_us(UINT32_MAX), 3600000000ULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(repairs_in_vain_become_rare),
		cmocka_unit_test(what_was_seen_before),
		cmocka_unit_test(two_of_one_name_are_seen),
		cmocka_unit_test(what_was_not_read_keeps_its_age),
		cmocka_unit_test(same_states_are_consistent),
		cmocka_unit_test(each_class_is_named),
		cmocka_unit_test(members_are_named),
		cmocka_unit_test(kernel_digest_that_does_not_cover_its_dump),
		cmocka_unit_test(all_are_counted_and_few_kept),
		cmocka_unit_test(results_outrank),
		cmocka_unit_test(lag_is_a_finding_and_hides_nothing),
		cmocka_unit_test(lag_is_that_of_the_last_vpc),
		cmocka_unit_test(nothing_compared_is_a_failure),
		cmocka_unit_test(presence_names_what_differs),
		cmocka_unit_test(legs_are_named_in_the_order_of_the_way),
		cmocka_unit_test(the_json_is_as_documented),
		cmocka_unit_test(times_are_parsed),
		cmocka_unit_test(options_are_parsed_and_refused),
		cmocka_unit_test(reports_are_printed_when_something_else_is_wrong),
		cmocka_unit_test(late_lag_is_news),
		cmocka_unit_test(rounds_are_spread_by_a_fifth),
		cmocka_unit_test(probes_are_judged_step_by_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
