// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's report as JSON: what is written is read back, and what is malformed is refused by the member's name.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "../../lib/util.h"
#include "../../proto/agent_report.h"

static const struct vpc_agent_report plain = {
	.host = "h1",
	.version = "0.1.0",
	.pid = 77,
	.state = "live",
	.state_ms = 1234567890123,
	.zookeeper = "zk1:2181,zk2:2181/lab",
	.module = "0.1.0",
	.instance = 0xfedcba9876543210,
	.revision = 9,
	.reached = 8,
	.n_ports = 3,
	.restored_ms = 1234567890124,
	.restored_vpcs = 5,
	.restored_ports = 6,
	.reason = "port tap1: kernel: \"tap2\" has the address",
};

static void test_round_trip(void **state)
{
	struct vpc_agent_report_vpc vpcs[] = {
		{ .vni = 1, .known = true, .has_head = true, .epoch = 7, .head = 9, .behind_ms = 50, .reason = "no" },
		{ .vni = 2, .has_head = true, .head = INT64_MAX },
		{ .vni = 0xffffff, .known = true, .epoch = 1, .reason = "no HEAD yet" },
	};
	struct vpc_agent_report report = plain, back;
	_cleanup_free_ char *text = NULL;
	size_t len;

	report.vpcs = vpcs;
	report.n_vpcs = ARRAY_SIZE(vpcs);
	assert_int_equal(vpc_agent_report_format(&report, &text, &len), 0);
	assert_int_equal(vpc_agent_report_parse(text, len, &back, NULL), 0);
	assert_int_equal(back.n_vpcs, ARRAY_SIZE(vpcs));
	assert_memory_equal(back.vpcs, vpcs, sizeof(vpcs));
	vpc_agent_report_clear(&back);
	report.vpcs = NULL;
	report.n_vpcs = 0;
	freep(&text);
	assert_int_equal(vpc_agent_report_format(&report, &text, &len), 0);
	assert_int_equal(vpc_agent_report_parse(text, len, &back, NULL), 0);
	assert_memory_equal(&back, &report, sizeof(report));
}

/* A reason may quote bytes that came from anywhere. */
static void test_strange_reason(void **state)
{
	struct vpc_agent_report report = plain, back;
	_cleanup_free_ char *text = NULL;
	size_t len;

	strcpy(report.reason, "a\tb\x80\"c\\");
	assert_int_equal(vpc_agent_report_format(&report, &text, &len), 0);
	assert_int_equal(vpc_agent_report_parse(text, len, &back, NULL), 0);
	assert_string_equal(back.reason, "a?b?\"c\\");
	vpc_agent_report_clear(&back);
}

static void test_refused(void **state)
{
	static const char good[] =
		"{\"v\":1,\"host\":\"h1\",\"version\":\"1\",\"state\":\"live\",\"zookeeper\":\"z:1\",\"module\":\"\","
		"\"instance\":\"0000000000000000\",\"reason\":\"\",\"pid\":1,\"state_ms\":1,\"revision\":1,"
		"\"reached\":1,\"ports\":1,\"restored\":0,\"restored_vpcs\":0,\"restored_ports\":0,"
		"\"vpcs\":[{\"vni\":5,\"behind_ms\":0,\"reason\":\"\"}]}";
	static const struct {
		const char *from, *to, *says;
	} cases[] = {
		{ "\"v\":1", "\"v\":2", "version" },
		{ "\"state\":\"live\"", "\"state\":\"a state that is too long\"", "state" },
		{ "\"state\":\"live\"", "\"state\":7", "state" },
		{ "\"0000000000000000\"", "\"00\"", "instance" },
		{ "\"pid\":1", "\"pid\":-1", "pid" },
		{ "\"ports\":1", "\"ports\":\"1\"", "ports" },
		{ "\"vni\":5", "\"vni\":0", "vpcs[0].vni" },
		{ "\"vni\":5", "\"vni\":16777216", "vpcs[0].vni" },
		{ "\"behind_ms\":0,", "", "vpcs[0].behind_ms" },
		{ "{\"vni\":5", "5,{\"vni\":5", "vpcs[0]" },
		{ "\"vni\":5", "\"vni\":5,\"head\":\"x\"", "vpcs[0].head" },
		{ "]}", "]", "" },
	};
	struct vpc_agent_report report;
	char text[1024];

	assert_int_equal(vpc_agent_report_parse(good, strlen(good), &report, NULL), 0);
	vpc_agent_report_clear(&report);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *at = strstr(good, cases[i].from);
		struct vpc_err err = { "" };

		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, cases[i].to,
			 at + strlen(cases[i].from));
		if (!vpc_agent_report_parse(text, strlen(text), &report, &err))
			fail_msg("taken: %s", text);
		if (!strstr(err.text, cases[i].says))
			fail_msg("'%s' does not name %s", err.text, cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_strange_reason),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
