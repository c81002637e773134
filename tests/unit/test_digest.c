// SPDX-License-Identifier: Apache-2.0
/*
 * The digest against vectors of an independent implementation (tests/data/digest-vectors.py), its algebra, and its
 * text.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../lib/util.h"
#include "../../proto/vpc_canon.h"
#include "random_state.h"

static void check_element(const uint8_t *bytes, size_t len, const struct vpc_digest *digest, const char *canon,
			  const char *expected)
{
	char hex[2 * VPC_CANON_MAX + 1] = "", text[VPC_DIGEST_STRLEN];

	for (size_t i = 0; i < len; i++)
		sprintf(hex + 2 * i, "%02x", bytes[i]);
	assert_string_equal(hex, canon);
	assert_string_equal(vpc_digest_format(digest, text), expected);
}

static void vector_nexthop(const char *line, struct vpc_state *state)
{
	char type[16], vtep[64], mac[32], canon[100], expected[40];
	struct vpc_nl_nexthop nh = { 0 };
	struct vpc_digest digest = { 0 };
	struct vpc_addr addr;
	uint8_t bytes[VPC_CANON_MAX];

	assert_int_equal(sscanf(line, "nexthop %" SCNu32 " %15s %63s %" SCNu32 " %" SCNu32 " %31s %99s %39s", &nh.id,
				type, vtep, &nh.vni, &nh.table, mac, canon, expected),
			 8);
	assert_int_equal(vpc_nexthop_type_parse(type, &nh.type), 0);
	if (strcmp(vtep, "-")) {
		assert_int_equal(vpc_addr_parse(vtep, &addr, NULL), 0);
		nh.family = addr.family;
		memcpy(nh.addr, addr.bytes, 16);
	}
	if (strcmp(mac, "-"))
		assert_int_equal(vpc_mac_parse(mac, nh.mac, NULL), 0);
	vpc_digest_add_nexthop(&digest, &nh);
	check_element(bytes, vpc_canon_nexthop(&nh, bytes), &digest, canon, expected);
	vpc_state_add_nexthop(state, &nh);
}

static void vector_member(const char *line, struct vpc_state *state)
{
	struct vpc_nl_member member = { 0 };
	struct vpc_digest digest = { 0 };
	char canon[100], expected[40];
	uint8_t bytes[VPC_CANON_MAX];

	assert_int_equal(sscanf(line, "member %" SCNu32 " %" SCNu32 " %" SCNu16 " %99s %39s", &member.group,
				&member.nexthop, &member.weight, canon, expected),
			 5);
	vpc_digest_add_member(&digest, &member);
	check_element(bytes, vpc_canon_member(&member, bytes), &digest, canon, expected);
	vpc_state_add_member(state, &member);
}

static void vector_route(const char *line, struct vpc_state *state)
{
	char prefix[64], canon[100], expected[40];
	struct vpc_digest digest = { 0 };
	struct vpc_route route;
	uint8_t bytes[VPC_CANON_MAX];
	size_t len;

	assert_int_equal(sscanf(line, "route %" SCNu32 " %63s %" SCNu32 " %99s %39s", &route.table, prefix,
				&route.nexthop, canon, expected),
			 5);
	assert_int_equal(vpc_prefix_parse(prefix, &route.prefix, NULL), 0);
	vpc_digest_add_route(&digest, &route);
	len = vpc_canon_route(route.table, route.prefix.family, route.prefix.bytes, route.prefix.plen, route.nexthop,
			      bytes);
	check_element(bytes, len, &digest, canon, expected);
	vpc_state_add_route(state, &route);
}

static void test_vectors(void **arg)
{
	const char *root = getenv("VPC_TEST_ROOT");
	char path[4096], line[512], text[VPC_DIGEST_STRLEN];
	_cleanup_fclose_ FILE *file = NULL;
	struct vpc_digest digest;
	struct vpc_state state;
	unsigned int sums = 0;

	snprintf(path, sizeof(path), "%s/tests/data/digest-vectors.txt", root ? root : ".");
	file = fopen(path, "re");
	assert_non_null(file);
	vpc_state_init(&state, 1);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, "nexthop ", 8)) {
			vector_nexthop(line, &state);
		} else if (!strncmp(line, "member ", 7)) {
			vector_member(line, &state);
		} else if (!strncmp(line, "route ", 6)) {
			vector_route(line, &state);
		} else if (!strncmp(line, "sum ", 4)) {
			digest = vpc_digest_of_state(&state);
			assert_string_equal(vpc_digest_format(&digest, text), line + 4);
			sums++;
		} else {
			assert_int_equal(line[0], '#');
		}
	}
	assert_int_equal(sums, 1);
	assert_int_equal(state.n_nexthops, 11);
	assert_int_equal(state.n_members, 3);
	assert_int_equal(state.n_routes, 8);
	vpc_state_clear(&state);
}

/* Order does not matter, and what is added and taken away again leaves nothing. */
static void test_incremental(void **arg)
{
	struct vpc_digest digest = { 0 }, whole, zero = { 0 };
	struct vpc_state state;

	srand(1);
	random_state(&state, 6, false);
	whole = vpc_digest_of_state(&state);
	for (size_t i = state.n_routes; i-- > 0;)
		vpc_digest_add_route(&digest, &state.routes[i]);
	for (size_t i = 0; i < state.n_nexthops; i++)
		vpc_digest_add_nexthop(&digest, &state.nexthops[i]);
	for (size_t i = state.n_members; i-- > 0;)
		vpc_digest_add_member(&digest, &state.members[i]);
	assert_true(vpc_digest_equal(&digest, &whole));
	for (size_t i = 0; i < state.n_routes; i++) {
		vpc_digest_sub_route(&digest, &state.routes[i]);
		assert_false(vpc_digest_equal(&digest, &whole));
	}
	for (size_t i = 0; i < state.n_members; i++)
		vpc_digest_sub_member(&digest, &state.members[i]);
	for (size_t i = 0; i < state.n_nexthops; i++)
		vpc_digest_sub_nexthop(&digest, &state.nexthops[i]);
	assert_true(vpc_digest_equal(&digest, &zero));
	vpc_state_clear(&state);
}

static void test_text(void **arg)
{
	static const char *const bad[] = {
		"",
		"0",
		"0123456789abcdef0123456789abcde",
		"0123456789abcdef0123456789abcdef0",
		"0123456789abcdef0123456789abcdeg",
		" 123456789abcdef0123456789abcdef",
		"0x23456789abcdef0123456789abcdef",
		"-123456789abcdef0123456789abcdef",
	};
	struct vpc_digest digest;
	char text[VPC_DIGEST_STRLEN];

	assert_int_equal(vpc_digest_parse("0123456789ABCDEFffffffffffffffff", &digest), 0);
	assert_true(digest.h[0] == 0x0123456789abcdef && digest.h[1] == UINT64_MAX);
	assert_string_equal(vpc_digest_format(&digest, text), "0123456789abcdefffffffffffffffff");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		digest = (struct vpc_digest){ { 7, 8 } };
		assert_int_equal(vpc_digest_parse(bad[i], &digest), -EINVAL);
		assert_true(digest.h[0] == 7 && digest.h[1] == 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_incremental),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
