// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl's words: abbreviations, keywords, values; and which mistakes are usage (exit status 1).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "../../ctl/ctl.h"

static const struct ctl_verb verbs[] = {
	{ "vpc", NULL }, { "host", NULL }, { "history", NULL }, { "port", NULL }, { "portal", NULL }
};

static void test_match(void **state)
{
	static const struct {
		const char *word;
		int index; /* -1: refused */
	} cases[] = {
		{ "vpc", 0 },	{ "v", 0 },  { "vp", 0 },   { "ho", 1 }, { "hi", 2 }, { "history", 2 }, { "port", 3 },
		{ "porta", 4 }, { "h", -1 }, { "por", -1 }, { "", -1 },	 { "x", -1 }, { "vpcs", -1 },	{ "VPC", -1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ctl ctl = {};
		size_t index = 99;
		int r = ctl_match(&ctl, "object", cases[i].word, verbs, ARRAY_SIZE(verbs), &index);

		assert_int_equal(r, cases[i].index < 0 ? -EINVAL : 0);
		assert_int_equal(ctl.usage, cases[i].index < 0);
		assert_int_equal(index, cases[i].index < 0 ? 99 : cases[i].index);
	}
}

static int parse_pair(struct ctl *ctl, int argc, char **argv, void *value, int *ret_used)
{
	*ret_used = 2;
	if (argc < 2)
		return ctl_usage(ctl, "two words");
	*(char **)value = argv[1];
	return 0;
}

struct values {
	const char *name, *optional, *vpc, *pair;
	struct ctl_prefixes ranges;
	struct vpc_addr addr;
	struct vpc_prefix prefix;
	uint8_t mac[6];
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	bool onoff, flag;
};

/* Splits @line at spaces. */
static int parse(const char *line, struct ctl *ctl, struct values *values, bool *ret_u32_given)
{
	char copy[512], *argv[32], *rest;
	struct ctl_arg args[] = {
		CTL_ARG("NAME", CTL_WORD, &values->name, .required = true),
		CTL_ARG("OPTIONAL", CTL_WORD, &values->optional),
		CTL_ARG("vpc", CTL_WORD, &values->vpc, .required = true),
		CTL_ARG("range", CTL_PREFIXES, &values->ranges),
		CTL_ARG("addr", CTL_ADDR, &values->addr),
		CTL_ARG("prefix", CTL_PREFIX, &values->prefix),
		CTL_ARG("mac", CTL_MAC, values->mac),
		CTL_ARG("u16", CTL_U16, &values->u16),
		CTL_ARG("u32", CTL_U32, &values->u32),
		CTL_ARG("u64", CTL_U64, &values->u64),
		CTL_ARG("onoff", CTL_ONOFF, &values->onoff),
		CTL_ARG("flag", CTL_FLAG, &values->flag),
		CTL_ARG("pair", CTL_CUSTOM, &values->pair, .parse = parse_pair),
	};
	int argc = 0, r;

	assert_true(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	*ret_u32_given = ctl_given(args, ARRAY_SIZE(args), "u32");
	return r;
}

static void test_args(void **state)
{
	static const struct {
		const char *line;
		int expected;
		bool usage;
	} cases[] = {
		{ "a vpc red", 0, false },
		{ "a b vpc red", 0, false },
		{ "vpc vpc red", 0, false }, /* a name like a keyword */
		{ "a vpc red range 10.0.0.0/8 range 11.0.0.0/8 flag onoff off mac 02:00:00:00:00:01", 0, false },
		{ "a pair x y vpc red u64 18446744073709551615 u16 65535 u32 0x10", 0, false },
		{ "a vpc red addr 192.0.2.1 prefix 2001:db8::/32", 0, false },
		{ "", -EINVAL, true },
		{ "a", -EINVAL, true },
		{ "a vpc", -EINVAL, true },
		{ "a b c vpc red", -EINVAL, true },
		{ "a vpc red vpc blue", -EINVAL, true },
		{ "a vpc red flag flag", -EINVAL, true },
		{ "a vpc red bogus", -EINVAL, true },
		{ "a vpc red ran 10.0.0.0/8", -EINVAL, true },
		{ "a vpc red pair x", -EINVAL, true },
		{ "a vpc red u32 x", -EINVAL, false },
		{ "a vpc red u32 -1", -EINVAL, false },
		{ "a vpc red u32 1x", -EINVAL, false },
		{ "a vpc red u32 4294967296", -EINVAL, false },
		{ "a vpc red u16 65536", -EINVAL, false },
		{ "a vpc red u64 18446744073709551616", -EINVAL, false },
		{ "a vpc red addr 10.0.0.300", -EINVAL, false },
		{ "a vpc red prefix 10.0.0.1/8", -EINVAL, false },
		{ "a vpc red range 10.0.0.0/40", -EINVAL, false },
		{ "a vpc red mac 02:00", -EINVAL, false },
		{ "a vpc red onoff yes", -EINVAL, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct values values = {};
		struct ctl ctl = {};
		bool given;

		if (parse(cases[i].line, &ctl, &values, &given) != cases[i].expected || ctl.usage != cases[i].usage)
			fail_msg("'%s': %s", cases[i].line, ctl.err.text);
		assert_int_equal(!*ctl.err.text, !cases[i].expected);
	}
}

static void test_values(void **state)
{
	struct values values = {};
	struct ctl ctl = {};
	bool given;

	assert_int_equal(parse("a vpc red u32 7 range 10.0.0.0/8 range 11.0.0.0/8 onoff on flag pair x y", &ctl,
			       &values, &given),
			 0);
	assert_true(given);
	assert_int_equal(values.u32, 7);
	assert_int_equal(values.ranges.n, 2);
	assert_int_equal(values.ranges.list[1].bytes[0], 11);
	assert_true(values.onoff && values.flag);
	assert_null(values.optional);
	assert_int_equal(parse("a vpc red", &ctl, &values, &given), 0);
	assert_false(given);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_match), cmocka_unit_test(test_args),
						   cmocka_unit_test(test_values) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
