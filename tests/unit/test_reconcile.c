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

#include "../../lib/digest.h"
#include "../../lib/util.h"
#include "../../reconcile/audit.h"
#include "../../reconcile/legs.h"

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
	assert_int_equal(audit_compare_states(&report, vpc, want, have), 0);
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
