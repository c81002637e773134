// SPDX-License-Identifier: Apache-2.0
/*
 * CDB's schema, accounts and connection against a real server (cdb_rig.h): what the database refuses whoever writes,
 * and what is not believed when it is in there all the same.
 */
#include <errno.h>
#include "cdb_rig.h"
#include "../../lib/cdb_init.h"
#include "schema_sql.h"
#include "../../lib/util.h"

static struct cdb *open_as(const char *user, const char *password)
{
	struct vpc_config as = rig_config;
	struct cdb *other = NULL;

	as.cdb_user = (char *)user;
	as.cdb_password = (char *)password;
	ok(cdb_open(&as, &other, &err));
	return other;
}

static void test_no_server(void **state)
{
	struct vpc_config wrong = {
		.cdb_socket = "/nonexistent/socket", .cdb_user = "x", .cdb_database = "vpc", .cdb_timeout_s = 2
	};
	struct vpc_config refusing = {
		.cdb_host = "127.0.0.1", .cdb_port = 1, .cdb_user = "x", .cdb_database = "vpc", .cdb_timeout_s = 2
	};
	struct cdb *other = NULL;

	refused(cdb_open(&wrong, &other, &err), -ECONNRESET, "/nonexistent/socket: ");
	refused(cdb_open(&refusing, &other, &err), -ECONNRESET, "127.0.0.1:1: ");
	assert_null(other);
}

static void test_init_again(void **state)
{
	unsigned int from, to;

	rig_need_server();
	ok(cdb_check_schema(rig_cdb, &err));
	ok(cdb_init(rig_cdb, &from, &to, &err));
	assert_int_equal(from, to);
	ok(cdb_exec(rig_cdb, &err, "INSERT INTO schema_version (version) VALUES (999)", ""));
	refused(cdb_check_schema(rig_cdb, &err), -EPROTONOSUPPORT, "999");
	refused(cdb_init(rig_cdb, &from, &to, &err), -EPROTONOSUPPORT, "999");
	ok(cdb_exec(rig_cdb, &err, "DELETE FROM schema_version WHERE version = 999", ""));
}

/* A step that was interrupted is repeated. */
static void test_init_interrupted(void **state)
{
	unsigned int from, to;

	rig_need_server();
	ok(cdb_exec(rig_cdb, &err, "DELETE FROM schema_version", ""));
	ok(cdb_command(rig_cdb, "DROP TABLE outbox", &err));
	refused(cdb_check_schema(rig_cdb, &err), -EPROTONOSUPPORT, "db init");
	ok(cdb_init(rig_cdb, &from, &to, &err));
	assert_int_equal(from, 0);
	ok(cdb_check_schema(rig_cdb, &err));
}

/* What a database of version @was has stays; its history goes on. */
static void upgrade_from(unsigned int was)
{
	static const char *const rows[] = {
		"INSERT INTO vpc (vni, name, epoch) VALUES (7, 'old', 1)",
		"INSERT INTO route_table VALUES (7, 0, 'mapping'), (7, 1, 'main')",
		"INSERT INTO nexthop (vni, id, type) VALUES (7, 2147483648, 1), (7, 1, 6)",
		"INSERT INTO route VALUES (7, 1, 4, x'0a000000', 8, 1)",
		"INSERT INTO change_log (vni, epoch, change_id, author, created, summary, n_ops, digest0, digest1) "
		"VALUES (7, 1, 'c1', 'me', 1, 'as it was', 1, 0, 0)",
		"INSERT INTO change_op VALUES (7, 1, 0, 1, NULL, x'010000000106')",
	};
	const struct intent_members members = { .set = &(struct vpc_nl_member){ .nexthop = 1, .weight = 2 },
						.n_set = 1 };
	struct vpc_config config = rig_config;
	struct cdb_change_result result;
	unsigned int from, to, version = 0;
	const char *pos = schema_sql;
	struct cdb *cdb = NULL;
	char name[64], drop[128], says[64];

	snprintf(name, sizeof(name), "%s_old", rig_config.cdb_database);
	snprintf(drop, sizeof(drop), "CREATE DATABASE %s", name);
	config.cdb_database = name;
	ok(cdb_command(rig_cdb, drop, &err));
	ok(cdb_open(&config, &cdb, &err));
	for (;;) {
		_cleanup_free_ char *sql = NULL;

		assert_int_equal(cdb_schema_next(&pos, &version, &sql), 0);
		if (!sql || version > was)
			break;
		ok(cdb_command(cdb, sql, &err));
	}
	for (uint32_t v = 1; v <= was; v++)
		ok(cdb_exec(cdb, &err, "INSERT INTO schema_version (version) VALUES (?)", "u", v));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		ok(cdb_exec(cdb, &err, rows[i], ""));
	snprintf(says, sizeof(says), "has schema version %u, this program needs", was);
	refused(cdb_check_schema(cdb, &err), -EPROTONOSUPPORT, says);
	ok(cdb_init(cdb, &from, &to, &err));
	assert_int_equal(from, was);
	ok(cdb_check_schema(cdb, &err));
	ok(cdb_exec(cdb, &err, "INSERT INTO reconcile_diff VALUES ('h', 0, 7, 'missing', '', '', '', '', '', 0)", ""));
	ok(intent_nexthop_put(&(struct intent){ cdb, "me", "group" }, "old",
			      &(struct vpc_nl_nexthop){ .id = 5, .type = VPC_NEXTHOP_GROUP }, &members, true, &result,
			      &err));
	assert_int_equal(result.epoch, 2);
	assert_int_equal(result.n_ops, 2);
	cdb_close(cdb);
	snprintf(drop, sizeof(drop), "DROP DATABASE %s", name);
	ok(cdb_command(rig_cdb, drop, &err));
}

static void test_upgrade(void **state)
{
	rig_need_server();
	for (unsigned int was = 1; was <= 3; was++)
		upgrade_from(was);
}

/* The schema itself refuses nonsense, whoever writes. */
static void test_schema_refuses(void **state)
{
	static const struct {
		const char *sql;
		int code;
	} cases[] = {
		{ "INSERT INTO vpc (vni, name) VALUES (0, 'zero')", -EINVAL },
		{ "INSERT INTO vpc (vni, name) VALUES (16777216, 'large')", -EINVAL },
		{ "INSERT INTO vpc (vni, name) VALUES (5, '5')", -EINVAL },
		{ "INSERT INTO vpc (vni, name) VALUES (5, 'spoilt')", -EEXIST },
		{ "INSERT INTO vpc (vni, name, quota) VALUES (5, 'q', 9223372036854775808)", -EINVAL },
		{ "INSERT INTO vpc_range VALUES (100, 4, x'0b000001', 8)", -EINVAL },
		{ "INSERT INTO vpc_range VALUES (100, 4, x'0b0000', 8)", -EINVAL },
		{ "INSERT INTO vpc_range VALUES (100, 6, x'0b000000', 8)", -EINVAL },
		{ "INSERT INTO vpc_range VALUES (101, 4, x'0b000000', 8)", -ENOENT },
		{ "INSERT INTO vpc_range VALUES (100, 6, x'20010db8000000000000000000000001', 64)", -EINVAL },
		{ "INSERT INTO vpc_range VALUES (100, 6, x'20010db8000000010000000000000000', 63)", -EINVAL },
		{ "INSERT INTO vpc_range VALUES (100, 6, x'a0000000000000000000000000000000', 1)", -EINVAL },
		{ "INSERT INTO route_table VALUES (100, 1024, 'many')", -EINVAL },
		{ "INSERT INTO route VALUES (100, 1, 4, x'0c000000', 8, 4711)", -ENOENT },
		{ "INSERT INTO route VALUES (100, 7, 4, x'0c000000', 8, 1)", -ENOENT },
		{ "INSERT INTO route VALUES (100, 1, 4, x'0c000000', 33, 1)", -EINVAL },
		{ "INSERT INTO route VALUES (100, 1, 4, x'0c000001', 31, 1)", -EINVAL },
		{ "INSERT INTO nexthop (vni, id, type) VALUES (100, 50, 1)", -EINVAL },
		{ "INSERT INTO nexthop (vni, id, type) VALUES (100, 50, 9)", -EINVAL },
		{ "INSERT INTO nexthop (vni, id, type) VALUES (100, 50, 3)", -EINVAL },
		{ "INSERT INTO nexthop (vni, id, type, family, vtep) VALUES (100, 50, 3, 4, x'c00002')", -EINVAL },
		{ "INSERT INTO nexthop (vni, id, type, family, vtep) VALUES (100, 50, 2, 4, x'c0000201')", -EINVAL },
		{ "INSERT INTO subnet VALUES (100, 's', 4, x'0a000000', 24, x'0a0000', 1)", -EINVAL },
		{ "INSERT INTO subnet VALUES (100, 's', 4, x'0a000000', 24, x'0a000001', 0)", -EINVAL },
		{ "INSERT INTO nexthop (vni, id, type, family, vtep) VALUES (100, 50, 3, 4, x'00000000')", -EINVAL },
		{ "INSERT INTO nexthop (vni, id, type, family, vtep) VALUES (100, 50, 3, 6, REPEAT(x'00', 16))",
		  -EINVAL },
		{ "INSERT INTO host (name, family, vtep) VALUES ('hx', 4, x'c0000b')", -EINVAL },
		{ "INSERT INTO host (name, family, vtep) VALUES ('hx', 4, x'00000000')", -EINVAL },
		{ "INSERT INTO host (name, family, vtep) VALUES ('-x', 4, x'c000020d')", -EINVAL },
		{ "INSERT INTO host (name, family, vtep, udp_port) VALUES ('hx', 4, x'c000020d', 0)", -EINVAL },
		{ "INSERT INTO outbox (kind, created) VALUES ('vpc', 0)", -EINVAL },
		{ "INSERT INTO outbox (kind, vni, host, created) VALUES ('vpc', 1, 'x', 0)", -EINVAL },
		{ "INSERT INTO outbox (kind, vni, created) VALUES ('vpc', 0, 0)", -EINVAL },
		{ "INSERT INTO outbox (kind, vni, created) VALUES ('vpc', 16777216, 0)", -EINVAL },
		{ "INSERT INTO outbox (kind, host, created) VALUES ('host', '', 0)", -EINVAL },
		{ "INSERT INTO outbox (kind, vni, created) VALUES ('host', 1, 0)", -EINVAL },
		{ "DELETE FROM nexthop WHERE vni = 100 AND id = 2147483648", -EBUSY },
		{ "DELETE FROM vpc WHERE vni = 100", -EBUSY },
		{ "UPDATE change_log SET author = 'nobody'", -EPERM },
		{ "DELETE FROM change_log", -EPERM },
		{ "UPDATE change_op SET was = NULL", -EPERM },
		{ "DELETE FROM change_op", -EPERM },
		{ "INSERT INTO change_op VALUES (100, 1, 999, 2, x'01', NULL)", -EINVAL },
		{ "INSERT INTO change_op VALUES (100, 1, 999, 1, NULL, NULL)", -EINVAL },
		{ "INSERT INTO change_op VALUES (100, 99999, 0, 1, x'01', NULL)", -ENOENT },
	};

	rig_need_server();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vpc_err err = {};
		int r = cdb_exec(rig_cdb, &err, cases[i].sql, "");

		if (r != cases[i].code)
			fail_msg("%s: %d, %s", cases[i].sql, r, err.text);
	}
}

/* Whoever gets nonsense in all the same does not get it read. */
static void test_garbage(void **state)
{
	static const struct {
		const char *spoil, *mend, *says;
	} cases[] = {
		{ "INSERT INTO route VALUES (100, 1, 4, x'0c000001', 8, 1)",
		  "DELETE FROM route WHERE addr = x'0c000001'", "route of VPC 100" },
		{ "INSERT INTO route VALUES (100, 1, 9, x'0c000001', 8, 1)",
		  "DELETE FROM route WHERE addr = x'0c000001'", "family" },
		{ "INSERT INTO route VALUES (100, 1, 4, x'0c0000', 8, 1)", "DELETE FROM route WHERE addr = x'0c0000'",
		  "address length" },
		{ "INSERT INTO route VALUES (100, 1, 4, x'0c000000', 77, 1)",
		  "DELETE FROM route WHERE addr = x'0c000000'", "length out of range" },
		{ "INSERT INTO nexthop (vni, id, type) VALUES (100, 77, 99)", "DELETE FROM nexthop WHERE id = 77",
		  "nexthop 77 of VPC 100" },
		{ "INSERT INTO nexthop (vni, id, type) VALUES (100, 77, 3)", "DELETE FROM nexthop WHERE id = 77",
		  "nexthop 77 of VPC 100" },
	};

	rig_need_server();
	ok(cdb_command(rig_cdb, "SET check_constraint_checks = 0", &err));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vpc_state spoilt;

		ok(cdb_exec(rig_cdb, &err, cases[i].spoil, ""));
		refused(cdb_state_load(rig_cdb, 100, &spoilt, &err), -EPROTO, cases[i].says);
		ok(cdb_exec(rig_cdb, &err, cases[i].mend, ""));
	}
	ok(cdb_exec(rig_cdb, &err, "INSERT INTO change_op VALUES (100, 1, 999, 2, x'02ff', NULL)", ""));
	ok(cdb_command(rig_cdb, "SET check_constraint_checks = 1", &err));
	{
		struct vpc_delta delta;

		refused(cdb_delta_load(rig_cdb, 100, 1, SIZE_MAX, &delta, &err), -EPROTO,
			"change_op of VPC 100, epoch 1, seq 999");
	}
}

/* A column that grew since this program was built must not be cut to fit. */
static void test_unexpected_columns(void **state)
{
	uint32_t small;
	char text[4];

	rig_need_server();
	refused(cdb_get(rig_cdb, &err, "SELECT name FROM vpc WHERE vni = 100", ">s", text, sizeof(text)), -EPROTO,
		"vpc.name is too long");
	refused(cdb_get(rig_cdb, &err, "SELECT NULL AS x", ">u", &small), -EPROTO, "x is NULL");
	refused(cdb_get(rig_cdb, &err, "SELECT 4294967296 AS x", ">u", &small), -EPROTO, "x is out of range");
	refused(cdb_get(rig_cdb, &err, "SELECT -1 AS x", ">u", &small), -EPROTO, "x is out of range");
	assert_int_equal(cdb_get(rig_cdb, NULL, "SELECT vni FROM vpc WHERE vni = 4711", ">u", &small), -ENOENT);
	refused(cdb_get(rig_cdb, &err, "SELECT nonsense", ">u", &small), -EIO, "nonsense");
	refused(cdb_get(rig_cdb, &err, "SELECT vni FROM nowhere", ">u", &small), -EPROTO, "nowhere");
}

static void test_accounts(void **state)
{
	static const char *const names[] = { "vpc_writer", "vpc_publisher", "vpc_auditor" };
	static const struct {
		const char *sql;
		bool allowed[CDB_N_ACCOUNTS]; /* writer, publisher, auditor */
	} cases[] = {
		{ "SELECT COUNT(*) FROM route", { true, true, true } },
		{ "SELECT COUNT(*) FROM change_op", { true, true, true } },
		{ "SELECT COUNT(*) FROM schema_version", { true, true, true } },
		{ "UPDATE vpc SET quota = 1 WHERE vni = 4711", { true, false, false } },
		{ "DELETE FROM route WHERE vni = 4711", { true, false, false } },
		{ "INSERT INTO outbox (kind, vni, created) VALUES ('vpc', 4711, 0)", { true, false, false } },
		{ "DELETE FROM outbox WHERE vni = 4711", { false, true, false } },
		{ "UPDATE change_log SET author = 'nobody' WHERE vni = 4711", { false, false, false } },
		{ "DELETE FROM change_log WHERE vni = 4711", { false, false, false } },
		{ "DELETE FROM change_op WHERE vni = 4711", { false, false, false } },
		{ "UPDATE schema_version SET version = 2 WHERE version = 4711", { false, false, false } },
		{ "DELETE FROM reconcile_run WHERE host = 'nobody'", { false, false, true } },
		{ "INSERT INTO reconcile_diff VALUES ('nobody', 0, 0, '', '', '', '', '', '', 0)",
		  { false, false, true } },
		{ "UPDATE reconcile_diff SET since = 1 WHERE host = 'nobody'", { false, false, true } },
		{ "CREATE TABLE more (x INT)", { false, false, false } },
		{ "DROP TRIGGER change_op_no_delete", { false, false, false } },
	};
	char password[CDB_PASSWORD_LEN + 1], again[CDB_PASSWORD_LEN + 1];

	rig_need_server();
	for (int kind = 0; kind < CDB_N_ACCOUNTS; kind++) {
		struct cdb *as;

		ok(cdb_account_init(rig_cdb, kind, "it's a \"secret\\", again, &err));
		assert_string_equal(again, "");
		ok(cdb_account_init(rig_cdb, kind, NULL, password, &err));
		assert_string_equal(password, "");
		as = open_as(names[kind], "it's a \"secret\\");
		ok(cdb_check_schema(as, &err));
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			struct vpc_err err = {};
			int r = cdb_exec(as, &err, cases[i].sql, "");

			if (r != (cases[i].allowed[kind] ? 0 : -EACCES))
				fail_msg("%s: %s: %d, %s", names[kind], cases[i].sql, r, err.text);
		}
		cdb_close(as);
	}
}

/* A whole change with the writer's rights alone. */
static void test_writer_suffices(void **state)
{
	const struct vpc_prefix range = rig_prefix("10.0.0.0/8"), subnet = rig_prefix("10.0.0.0/24");
	const struct vpc_addr vtep = rig_addr("192.0.2.77");
	struct cdb_change_result result;
	struct intent by = rig_intent();

	rig_need_server();
	by.cdb = open_as("vpc_writer", "it's a \"secret\\");
	ok(intent_vpc_add(&by, "byWriter", 400, &range, 1, 0, 0, &result, &err));
	ok(intent_host_add(&by, "hw", &vtep, 4789, &err));
	ok(intent_subnet_add(&by, "byWriter", "s", &subnet, 1, &result, &err));
	ok(intent_port_add(&by, "byWriter", &(struct intent_port){ "p", "s", "hw", "tap0" }, &result, &err));
	ok(intent_port_del(&by, "byWriter", "p", &result, &err));
	ok(intent_host_del(&by, "hw", &err));
	ok(intent_vpc_del(&by, "byWriter", &result, &err));
	cdb_close(by.cdb);
}

static void test_snapshot(void **state)
{
	const struct intent by = rig_intent();
	struct cdb_change_result result;
	struct cdb *reader;
	struct cdb_vpc vpc;
	uint64_t quota = 12345, too_much = (uint64_t)INT64_MAX + 1;

	rig_need_server();
	refused(intent_vpc_set(&by, "100", &(struct intent_vpc_set){ .quota = &too_much }, &result, &err), -EINVAL,
		"quota 9223372036854775808");
	refused(intent_vpc_add(&by, "much", 101, NULL, 0, too_much, 0, &result, &err), -EINVAL,
		"quota 9223372036854775808");
	reader = open_as("vpc_auditor", "it's a \"secret\\");
	ok(cdb_snapshot_begin(reader, &err));
	refused(cdb_snapshot_begin(reader, &err), -EBUSY, "open already");
	ok(intent_vpc_set(&by, "100", &(struct intent_vpc_set){ .quota = &quota }, &result, &err));
	ok(cdb_vpc_get(reader, 100, &vpc, &err));
	assert_int_equal(vpc.quota, 0);
	ok(cdb_snapshot_end(reader, &err));
	ok(cdb_vpc_get(reader, 100, &vpc, &err));
	assert_int_equal(vpc.quota, quota);
	assert_int_equal(vpc.epoch, result.epoch);
	cdb_close(reader);
}

static int setup_vpc(void **state)
{
	const struct vpc_nl_nexthop nh = { .id = 1, .type = VPC_NEXTHOP_BLACKHOLE };
	struct cdb_change_result result;
	struct intent by;
	int r = rig_setup(state);

	if (r || !rig_cdb)
		return r;
	by = rig_intent();
	rig_vpc_new("spoilt", 100);
	return intent_nexthop_put(&by, "spoilt", &nh, NULL, true, &result, NULL);
}

int main(void)
{
	/* Accounts are made before they are used. */
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_server),	   cmocka_unit_test(test_init_again),
		cmocka_unit_test(test_init_interrupted),   cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_schema_refuses),	   cmocka_unit_test(test_accounts),
		cmocka_unit_test(test_writer_suffices),	   cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_unexpected_columns), cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, setup_vpc, rig_teardown);
}
