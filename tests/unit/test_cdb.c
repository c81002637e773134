// SPDX-License-Identifier: Apache-2.0
/*
 * CDB without a server: what is read is checked, canonical bytes are taken apart, the schema is split.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "../../lib/cdb_init.h"
#include "../../lib/cdb_row.h"
#include "../../lib/util.h"
#include "../../proto/vpc_canon.h"
#include "schema_sql.h"

static struct cdb_bin bin(const char *bytes, size_t len)
{
	struct cdb_bin bin = { .len = len };

	memcpy(bin.bytes, bytes, len);
	return bin;
}

static void test_prefix_check(void **state)
{
	static const struct {
		uint32_t family;
		const char *bytes;
		size_t len;
		uint32_t plen;
		int expected;
		const char *text; /* the prefix, or what the error must say */
	} cases[] = {
		{ 4, "\x0a\0\0\0", 4, 8, 0, "10.0.0.0/8" },
		{ 4, "\x0a\1\2\3", 4, 32, 0, "10.1.2.3/32" },
		{ 4, "\0\0\0\0", 4, 0, 0, "0.0.0.0/0" },
		{ 6, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0", 16, 32, 0, "2001:db8::/32" },
		{ 6, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16, 128, 0, "2001:db8::1/128" },
		{ 4, "\x0a\0\0\1", 4, 8, -EPROTO, "bits beyond" },
		{ 4, "\x0a\1\0\0", 4, 15, -EPROTO, "bits beyond" },
		{ 4, "\x0a\0\0\0", 4, 33, -EPROTO, "length out of range" },
		{ 4, "\x0a\0\0", 3, 8, -EPROTO, "address length" },
		{ 4, "\x0a\0\0\0\0", 5, 8, -EPROTO, "address length" },
		{ 6, "\x0a\0\0\0", 4, 8, -EPROTO, "address length" },
		{ 6, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16, 127, -EPROTO, "bits beyond" },
		{ 6, "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0", 16, 129, -EPROTO, "length out of range" },
		{ 2, "\x0a\0\0\0", 4, 8, -EPROTO, "family" },
		{ 0, "", 0, 0, -EPROTO, "family" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cdb_bin bytes = bin(cases[i].bytes, cases[i].len);
		struct vpc_prefix prefix = { .family = 99 };
		char text[VPC_PREFIX_STRLEN];
		struct vpc_err err = {};

		assert_int_equal(cdb_prefix_check("route", 7, cases[i].family, &bytes, cases[i].plen, &prefix, &err),
				 cases[i].expected);
		if (cases[i].expected) {
			assert_int_equal(prefix.family, 99);
			assert_non_null(strstr(err.text, "route of VPC 7"));
			assert_non_null(strstr(err.text, cases[i].text));
		} else {
			assert_string_equal(vpc_prefix_format(&prefix, text), cases[i].text);
		}
	}
}

#define NO_MAC "\0\0\0\0\0\0"
#define MAC "\2\0\0\0\0\1"

static void test_nexthop_check(void **state)
{
	static const char none[16];
	static const struct {
		uint32_t id, type, family;
		size_t vtep_len;
		uint32_t nh_vni, nh_table;
		const char *mac;
		int expected;
		bool no_vtep;
	} cases[] = {
		{ VPC_NEXTHOP_ID_LOCAL, VPC_NEXTHOP_LOCAL, 0, 0, 0, 0, NO_MAC, 0 },
		{ 1, VPC_NEXTHOP_GATEWAY, 4, 4, 0, 0, NO_MAC, 0 },
		{ 1, VPC_NEXTHOP_GATEWAY, 6, 16, VPC_VNI_MAX, 0, MAC, 0 },
		{ 1, VPC_NEXTHOP_PEER, 0, 0, 8, 3, NO_MAC, 0 },
		{ 1, VPC_NEXTHOP_BLACKHOLE, 0, 0, 0, 0, NO_MAC, 0 },
		{ 0, VPC_NEXTHOP_BLACKHOLE, 0, 0, 0, 0, NO_MAC, -EPROTO }, /* id */
		{ 1, 0, 0, 0, 0, 0, NO_MAC, -EPROTO }, /* type */
		{ 1, VPC_NEXTHOP_GROUP, 0, 0, 0, 0, NO_MAC, 0 },
		{ 1, VPC_NEXTHOP_GROUP, 4, 4, 0, 0, NO_MAC, -EPROTO },
		{ 1, VPC_NEXTHOP_MAX + 1, 0, 0, 0, 0, NO_MAC, -EPROTO },
		{ 1, 256 + VPC_NEXTHOP_BLACKHOLE, 0, 0, 0, 0, NO_MAC, -EPROTO },
		{ 1, VPC_NEXTHOP_GATEWAY, 0, 0, 0, 0, NO_MAC, -EPROTO }, /* VTEP */
		{ 1, VPC_NEXTHOP_GATEWAY, 4, 3, 0, 0, NO_MAC, -EPROTO },
		{ 1, VPC_NEXTHOP_GATEWAY, 5, 4, 0, 0, NO_MAC, -EPROTO },
		{ 1, VPC_NEXTHOP_GATEWAY, 0, 4, 0, 0, NO_MAC, -EPROTO },
		{ 1, VPC_NEXTHOP_BLACKHOLE, 4, 4, 0, 0, NO_MAC, -EPROTO },
		{ 1, VPC_NEXTHOP_GATEWAY, 4, 4, 0, 0, NO_MAC, -EPROTO, .no_vtep = true },
		{ 1, VPC_NEXTHOP_GATEWAY, 6, 16, 0, 0, NO_MAC, -EPROTO, .no_vtep = true },
		{ 1, VPC_NEXTHOP_GATEWAY, 4, 4, VPC_VNI_MAX + 1, 0, NO_MAC, -EPROTO }, /* VNI */
		{ 1, VPC_NEXTHOP_BLACKHOLE, 0, 0, 7, 0, NO_MAC, -EPROTO },
		{ 1, VPC_NEXTHOP_PEER, 0, 0, 0, 3, NO_MAC, -EPROTO },
		{ 1, VPC_NEXTHOP_GATEWAY, 4, 4, 0, 3, NO_MAC, -EPROTO }, /* table */
		{ 1, VPC_NEXTHOP_PEER, 0, 0, 8, VPC_TABLES_MAX, NO_MAC, -EPROTO },
		{ 1, VPC_NEXTHOP_BLACKHOLE, 0, 0, 0, 0, MAC, -EPROTO }, /* MAC */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cdb_nexthop_row row = { .id = cases[i].id,
					       .type = cases[i].type,
					       .family = cases[i].family,
					       .nh_vni = cases[i].nh_vni,
					       .nh_table = cases[i].nh_table };
		struct vpc_nl_nexthop nh = {};
		struct vpc_err err = {};

		row.vtep = bin(cases[i].no_vtep ? none : "\xc0\0\2\1\0\0\0\0\0\0\0\0\0\0\0\1", cases[i].vtep_len);
		row.mac = bin(cases[i].mac, 6);
		if (cdb_nexthop_check(7, &row, &nh, &err) != cases[i].expected)
			fail_msg("case %zu: %s", i, err.text);
		if (cases[i].expected)
			assert_non_null(strstr(err.text, "nexthop"));
		else
			assert_int_equal(nh.type, cases[i].type);
	}
}

static void assert_nexthop_survives(const struct vpc_nl_nexthop *nh)
{
	uint8_t bytes[VPC_CANON_MAX];
	struct cdb_element element;
	unsigned int len = vpc_canon_nexthop(nh, bytes);

	assert_int_equal(cdb_element_parse(bytes, len, &element), 0);
	assert_int_equal(element.kind, CDB_ELEMENT_NEXTHOP);
	assert_memory_equal(&element.nexthop, nh, sizeof(*nh));
	/* Not a byte less, not a byte more. */
	for (unsigned int cut = 0; cut < len; cut++)
		assert_int_equal(cdb_element_parse(bytes, cut, &element), -EPROTO);
	bytes[len] = 0;
	assert_int_equal(cdb_element_parse(bytes, len + 1, &element), -EPROTO);
}

static void assert_route_survives(uint32_t table, const char *prefix, uint32_t nexthop)
{
	struct vpc_route route = { .table = table, .nexthop = nexthop };
	uint8_t bytes[VPC_CANON_MAX];
	struct cdb_element element;
	unsigned int len;

	assert_int_equal(vpc_prefix_parse(prefix, &route.prefix, NULL), 0);
	len = vpc_canon_route(table, route.prefix.family, route.prefix.bytes, route.prefix.plen, nexthop, bytes);
	assert_int_equal(cdb_element_parse(bytes, len, &element), 0);
	assert_int_equal(element.kind, CDB_ELEMENT_ROUTE);
	assert_int_equal(vpc_route_cmp(&element.route, &route), 0);
	assert_int_equal(element.route.nexthop, nexthop);
	for (unsigned int cut = 0; cut < len; cut++)
		assert_int_equal(cdb_element_parse(bytes, cut, &element), -EPROTO);
	bytes[len] = 0;
	assert_int_equal(cdb_element_parse(bytes, len + 1, &element), -EPROTO);
}

static void assert_member_survives(uint16_t weight)
{
	const struct vpc_nl_member member = { .group = 0x01020304, .nexthop = UINT32_MAX, .weight = weight };
	uint8_t bytes[VPC_CANON_MAX + 1];
	struct cdb_element element;
	unsigned int len = vpc_canon_member(&member, bytes);

	assert_int_equal(cdb_element_parse(bytes, len, &element), 0);
	assert_int_equal(element.kind, CDB_ELEMENT_MEMBER);
	assert_int_equal(vpc_member_cmp(&element.member, &member), 0);
	assert_int_equal(element.member.weight, weight);
	for (unsigned int cut = 0; cut < len; cut++)
		assert_int_equal(cdb_element_parse(bytes, cut, &element), -EPROTO);
	assert_int_equal(cdb_element_parse(bytes, len + 1, &element), -EPROTO);
}

static void test_elements_survive(void **state)
{
	static const struct vpc_nl_nexthop nexthops[] = {
		{ .id = VPC_NEXTHOP_ID_LOCAL, .type = VPC_NEXTHOP_LOCAL },
		{ .id = VPC_NEXTHOP_ID_HOST(5), .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2, 1 } },
		{ .id = 1,
		  .type = VPC_NEXTHOP_GATEWAY,
		  .family = AF_INET6,
		  .addr = { 0x20, 1, [15] = 1 },
		  .vni = 9,
		  .mac = { 2, 0, 0, 0, 0, 1 } },
		{ .id = 2, .type = VPC_NEXTHOP_PEER, .vni = 77, .table = 3 },
		{ .id = 3, .type = VPC_NEXTHOP_GROUP },
		{ .id = VPC_NEXTHOP_ID_USER_MAX, .type = VPC_NEXTHOP_UNREACHABLE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(nexthops); i++)
		assert_nexthop_survives(&nexthops[i]);
	assert_member_survives(1);
	assert_member_survives(VPC_WEIGHT_MAX);
	assert_route_survives(0, "0.0.0.0/0", 1);
	assert_route_survives(1023, "10.1.2.3", UINT32_MAX);
	assert_route_survives(1, "2001:db8::/33", VPC_NEXTHOP_ID_LOCAL);
}

static void test_elements_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{ "\0\0\0\0\1\6", 6 }, /* kind */
		{ "\4\0\0\0\1\6", 6 },
		{ "\1\0\0\0\0\6", 6 }, /* nexthop id 0 */
		{ "\1\0\0\0\1\0", 6 }, /* types */
		{ "\1\0\0\0\1\5\0", 7 }, /* a group has no body */
		{ "\1\0\0\0\1\x09", 6 },
		{ "\1\0\0\0\1\3\5\xc0\0\2\1\0\0\0\0\0\0\0\0\0\0", 21 }, /* gateway of family 5 */
		{ "\1\0\0\0\1\4\0\0\0\0\0\0\0\0", 14 }, /* peer without VNI */
		{ "\2\0\0\0\1\4\x08\x0a\0\0\0\0\0\0\0", 15 }, /* route to nexthop 0 */
		{ "\2\0\0\0\1\4\x08\x0a\0\0\1\0\0\0\1", 15 }, /* host bits */
		{ "\2\0\0\0\1\4\x21\x0a\0\0\1\0\0\0\1", 15 }, /* /33 */
		{ "\2\0\0\4\0\4\x08\x0a\0\0\0\0\0\0\1", 15 }, /* table 1024 */
		{ "\3\0\0\0\7\0\0\0\5\0\0", 11 }, /* member of weight 0 */
		{ "\3\0\0\0\7\0\0\0\5\1\1", 11 }, /* 257 */
		{ "\3\0\0\0\0\0\0\0\5\0\1", 11 }, /* of group 0 */
		{ "\3\0\0\0\7\0\0\0\0\0\1", 11 }, /* nexthop 0 */
		{ "\2\0\0\0\1\6\x08\x0a\0\0\0\0\0\0\1", 15 }, /* family 6 in 4 bytes */
	};
	struct cdb_element element;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(cdb_element_parse((const uint8_t *)cases[i].bytes, cases[i].len, &element), -EPROTO);
}

static void test_names(void **state)
{
	static const char *const good[] = { "a", "Red", "red-1.x_y", "t1" };
	static const char *const bad[] = { "",
					   "1red",
					   "-a",
					   "re d",
					   "rot\xc3\xa9",
					   "a/b",
					   "a'b",
					   "a123456789012345678901234567890123456789012345678901234567890123" };
	struct vpc_err err;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(cdb_name_check("VPC", good[i], &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cdb_name_check("VPC", bad[i], &err), -EINVAL);
}

static void test_schema_split(void **state)
{
	static const char text[] =
		"-- about\n\n-- version 1\n\n-- comment\nCREATE TABLE a (\n\tb INT\n);\n\n"
		"CREATE TRIGGER t BEFORE UPDATE ON a FOR EACH ROW BEGIN\n\tSET @x = 1;\n\tSET @y = 2;\nEND;\n\n\n"
		"-- version 2\n\nALTER TABLE a ADD c INT;";
	static const struct {
		unsigned int version;
		const char *sql;
	} expected[] = {
		{ 1, "CREATE TABLE a (\n\tb INT\n)" },
		{ 1, "CREATE TRIGGER t BEFORE UPDATE ON a FOR EACH ROW BEGIN\n\tSET @x = 1;\n\tSET @y = 2;\nEND" },
		{ 2, "ALTER TABLE a ADD c INT" },
		{ 2, NULL },
	};
	unsigned int version = 0;
	const char *pos = text;
	char *sql;

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_int_equal(cdb_schema_next(&pos, &version, &sql), 0);
		assert_int_equal(version, expected[i].version);
		if (expected[i].sql)
			assert_string_equal(sql, expected[i].sql);
		else
			assert_null(sql);
		free(sql);
	}
	pos = "-- version 2\n\nSELECT 1;\n";
	version = 0;
	assert_int_equal(cdb_schema_next(&pos, &version, &sql), -EINVAL);
}

static void test_schema_is_sound(void **state)
{
	const char *pos = schema_sql;
	unsigned int version = 0;
	size_t n = 0;
	char *sql;

	while (!cdb_schema_next(&pos, &version, &sql) && sql) {
		assert_true(version > 0);
		assert_null(strstr(sql, "-- version"));
		free(sql);
		n++;
	}
	assert_int_equal(*pos, '\0');
	assert_true(n > 10);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefix_check),
		cmocka_unit_test(test_nexthop_check),
		cmocka_unit_test(test_elements_survive),
		cmocka_unit_test(test_elements_refused),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_schema_split),
		cmocka_unit_test(test_schema_is_sound),

	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
