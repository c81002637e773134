// SPDX-License-Identifier: Apache-2.0
/*
 * Groups, peerings and flags in CDB against a real server (cdb_rig.h): what is refused, what the history makes of them,
 * and which hosts are told of a peering.
 */
#include <errno.h>
#include "cdb_rig.h"
#include "../../lib/util.h"

/* VPCs 1..6 in a row, each with a host and a port of its own. */
#define ROW 6

static const char *vpc_name(unsigned int vni)
{
	static char name[8];

	snprintf(name, sizeof(name), "r%u", vni);
	return name;
}

static int put(const char *vpc, struct vpc_nl_nexthop nh, const struct vpc_nl_member *set, size_t n_set,
	       struct vpc_err *err)
{
	const struct intent_members members = { .set = set, .n_set = n_set, .replace = true };
	const struct intent by = rig_intent();
	struct cdb_change_result result;

	return intent_nexthop_put(&by, vpc, &nh, &members, false, &result, err);
}

static int add(const char *vpc, struct vpc_nl_nexthop nh, const struct vpc_nl_member *set, size_t n_set,
	       struct vpc_err *err)
{
	const struct intent_members members = { .set = set, .n_set = n_set, .replace = true };
	const struct intent by = rig_intent();
	struct cdb_change_result result;

	return intent_nexthop_put(&by, vpc, &nh, &members, true, &result, err);
}

static int del(const char *vpc, uint32_t id, struct vpc_err *err)
{
	const struct intent by = rig_intent();
	struct cdb_change_result result;

	return intent_nexthop_del(&by, vpc, id, &result, err);
}

static int change(const char *vpc, uint32_t group, struct vpc_nl_member member, uint32_t drop,
		  struct cdb_change_result *ret_result, struct vpc_err *err)
{
	const struct intent_members members = {
		.set = &member, .n_set = member.nexthop != 0, .del = &drop, .n_del = drop != 0
	};
	const struct intent by = rig_intent();

	return intent_nexthop_members(&by, vpc, group, &members, ret_result, err);
}

#define PLAIN(id_) ((struct vpc_nl_nexthop){ .id = id_, .type = VPC_NEXTHOP_BLACKHOLE })
#define GROUP(id_) ((struct vpc_nl_nexthop){ .id = id_, .type = VPC_NEXTHOP_GROUP })
#define PEER(id_, vni_, table_) \
	((struct vpc_nl_nexthop){ .id = id_, .type = VPC_NEXTHOP_PEER, .vni = vni_, .table = table_ })
#define MEMBER(nexthop_, weight_) ((struct vpc_nl_member){ .nexthop = nexthop_, .weight = weight_ })

static void test_groups(void **state)
{
	const struct vpc_nl_member two[] = { MEMBER(1, 1), MEMBER(2, 256) };
	_cleanup_(vpc_state_clear) struct vpc_state before, after;
	struct cdb_change_result result;

	rig_need_server();
	rig_vpc_new("groups", 100);
	ok(add("groups", PLAIN(1), NULL, 0, &err));
	ok(add("groups", PLAIN(2), NULL, 0, &err));
	ok(add("groups", PLAIN(3), NULL, 0, &err));
	ok(add("groups", GROUP(7), two, 2, &err));
	rig_load(100, &before);
	assert_int_equal(before.n_members, 2);
	ok(change("groups", 7, MEMBER(1, 5), 2, &result, &err));
	assert_int_equal(result.n_ops, 2);
	ok(change("groups", 7, MEMBER(1, 5), 0, &result, &err));
	assert_false(result.changed);
	ok(put("groups", PLAIN(7), NULL, 0, &err)); /* its members go with it */
	rig_load(100, &after);
	assert_int_equal(after.n_members, 0);
	ok(cdb_state_rewind(rig_cdb, &after, before.epoch, &err));
	rig_assert_same(&before, &after);
	ok(put("groups", GROUP(7), two, 2, &err));
	ok(del("groups", 7, &err));
	vpc_state_clear(&after);
	rig_load(100, &after);
	assert_int_equal(after.n_members, 0);
}

static void test_group_refusals(void **state)
{
	struct vpc_nl_member many[VPC_MEMBERS_MAX + 1], twice[] = { MEMBER(1, 1), MEMBER(1, 2) };
	struct cdb_change_result result;
	uint32_t id = 1000;

	rig_need_server();
	ok(add("groups", GROUP(8), NULL, 0, &err));
	ok(add("groups", GROUP(9), &MEMBER(2, 1), 1, &err));
	refused(change("groups", 8, MEMBER(4711, 1), 0, &result, &err), -ENOENT, "no such nexthop");
	refused(change("groups", 8, MEMBER(9, 1), 0, &result, &err), -EINVAL, "a group itself");
	refused(change("groups", 8, MEMBER(8, 1), 0, &result, &err), -EINVAL, "its own member");
	refused(change("groups", 8, MEMBER(1, 0), 0, &result, &err), -EINVAL, "weights are");
	refused(change("groups", 8, MEMBER(1, 257), 0, &result, &err), -EINVAL, "weights are");
	refused(change("groups", 8, MEMBER(VPC_NEXTHOP_ID_HOST(1), 1), 0, &result, &err), -EPERM, "is a host");
	refused(change("groups", 8, MEMBER(0, 0), 1, &result, &err), -ENOENT, "no member of group 8");
	refused(change("groups", 8, MEMBER(1, 1), 1, &result, &err), -EINVAL, "both set and deleted");
	refused(change("groups", 1, MEMBER(2, 1), 0, &result, &err), -EINVAL, "is no group");
	refused(change("groups", 4711, MEMBER(2, 1), 0, &result, &err), -ENOENT, "no nexthop 4711");
	refused(put("groups", GROUP(8), twice, 2, &err), -EINVAL, "given twice");
	refused(put("groups", PLAIN(1), twice, 1, &err), -EINVAL, "only a group");
	refused(del("groups", 2, &err), -EBUSY, "member of group 9");
	refused(put("groups", GROUP(2), NULL, 0, &err), -EBUSY, "member of group 9");
	for (size_t i = 0; i < ARRAY_SIZE(many); i++, id++) {
		ok(add("groups", PLAIN(id), NULL, 0, &err));
		many[i] = MEMBER(id, 1);
	}
	refused(put("groups", GROUP(8), many, ARRAY_SIZE(many), &err), -E2BIG, "which is the most");
	ok(put("groups", GROUP(8), many, VPC_MEMBERS_MAX, &err));
	refused(change("groups", 8, MEMBER(1, 1), 0, &result, &err), -E2BIG, "which is the most");
	ok(change("groups", 8, MEMBER(1, 1), many[5].nexthop, &result, &err));
}

/* Whoever writes: the schema itself refuses. */
static void test_schema_refuses(void **state)
{
	static const struct {
		const char *sql;
		int code;
	} cases[] = {
		{ "INSERT INTO nexthop_member VALUES (100, 1, 2, 1)", -EPERM }, /* in no group */
		{ "INSERT INTO nexthop_member VALUES (100, 9, 8, 1)", -EPERM }, /* a group in a group */
		{ "INSERT INTO nexthop_member VALUES (100, 9, 4711, 1)", -ENOENT },
		{ "INSERT INTO nexthop_member VALUES (100, 9, 1, 0)", -EINVAL },
		{ "INSERT INTO nexthop_member VALUES (100, 9, 1, 257)", -EINVAL },
		{ "UPDATE nexthop SET type = 6 WHERE vni = 100 AND id = 9", -EPERM },
		{ "UPDATE nexthop SET type = 5 WHERE vni = 100 AND id = 2", -EPERM },
		{ "DELETE FROM nexthop WHERE vni = 100 AND id = 9", -EBUSY },
		{ "INSERT INTO nexthop (vni, id, type, nh_vni, nh_table) VALUES (100, 99, 4, 4711, 1)", -ENOENT },
		{ "INSERT INTO nexthop (vni, id, type, nh_vni, nh_table) VALUES (100, 99, 4, 100, 77)", -ENOENT },
		{ "UPDATE vpc SET flags = 2 WHERE vni = 100", -EINVAL },
	};

	rig_need_server();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vpc_err err;
		int r = cdb_exec(rig_cdb, &err, cases[i].sql, "");

		if (r != cases[i].code)
			fail_msg("%s: %d instead of %d, %s", cases[i].sql, r, cases[i].code, err.text);
	}
}

static void clear_outbox(void)
{
	ok(cdb_exec(rig_cdb, &err, "DELETE FROM outbox", ""));
}

/* Bit n: host hn was told. */
static unsigned int told(void)
{
	_cleanup_free_ struct cdb_outbox *rows = NULL;
	unsigned int hosts = 0;
	size_t n;

	ok(cdb_outbox_list(rig_cdb, 100, &rows, &n, &err));
	for (size_t i = 0; i < n; i++)
		if (rows[i].kind == CDB_OUTBOX_HOST)
			hosts |= 1U << atoi(rows[i].host + 1);
	clear_outbox();
	return hosts;
}

/* Bit n: the host of VPC @vni needs VPC n besides. */
static unsigned int needs(unsigned int vni)
{
	struct vpc_host_ports ports = {};
	unsigned int vpcs = 0;
	char host[8];

	snprintf(host, sizeof(host), "h%u", vni);
	ok(cdb_host_ports_load(rig_cdb, host, &ports, &err));
	assert_int_equal(ports.n_ports, 1);
	for (size_t i = 0; i < ports.n_vpcs; i++) {
		assert_true(!i || ports.vpcs[i] > ports.vpcs[i - 1]);
		vpcs |= 1U << ports.vpcs[i];
	}
	vpc_host_ports_clear(&ports);
	return vpcs;
}

static void row_new(unsigned int vni)
{
	struct vpc_addr vtep = { .family = AF_INET, .bytes = { 192, 0, 2, vni } };
	const struct vpc_prefix subnet = rig_prefix("10.1.0.0/16");
	const struct intent by = rig_intent();
	struct cdb_change_result result;
	char host[8];

	snprintf(host, sizeof(host), "h%u", vni);
	rig_vpc_new(vpc_name(vni), vni);
	ok(intent_host_add(&by, host, &vtep, 4789, &err));
	ok(intent_subnet_add(&by, vpc_name(vni), "s", &subnet, 1, &result, &err));
	ok(intent_port_add(&by, vpc_name(vni), &(struct intent_port){ "p", "s", host, "tap" }, &result, &err));
}

static void test_peers(void **state)
{
	const struct intent by = rig_intent();
	struct cdb_change_result result;

	rig_need_server();
	for (unsigned int vni = 1; vni <= ROW; vni++)
		row_new(vni);
	clear_outbox();
	/* 1 -> 2 -> ... -> 6: a packet passes through five VPCs, its own and four by peering. */
	for (unsigned int vni = 1; vni < ROW; vni++) {
		ok(add(vpc_name(vni), PEER(1, vni + 1, vni % 2), NULL, 0, &err));
		assert_int_equal(told(), (2U << vni) - (vni > 4 ? 1U << (vni - 3) : 2));
	}
	assert_int_equal(needs(1), 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5);
	assert_int_equal(needs(2), 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6);
	assert_int_equal(needs(6), 0);
	ok(put("r2", PEER(1, 3, 0), NULL, 0, &err)); /* nothing new: nobody is told */
	assert_int_equal(told(), 0);
	ok(add("r6", PEER(1, 1, 1), NULL, 0, &err)); /* a ring */
	assert_int_equal(told(), 1 << 6 | 1 << 5 | 1 << 4 | 1 << 3);
	assert_int_equal(needs(6), 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4);

	refused(add("r1", PEER(2, 1, 1), NULL, 0, &err), -EINVAL, "its own peer");
	refused(add("r1", PEER(2, 4711, 1), NULL, 0, &err), -ENOENT, "4711");
	refused(add("r1", PEER(2, 3, 7), NULL, 0, &err), -ENOENT, "no table 7");
	refused(add("r1", PEER(2, 3, 1024), NULL, 0, &err), -EINVAL, "ids are 0..1023");
	refused(add("r1", PEER(2, 0, 1), NULL, 0, &err), -EINVAL, "needs the VPC");
	refused(intent_table_del(&by, "r1", 1, &result, &err), -EBUSY, "subnet s");
	ok(intent_table_add(&by, "r3", 5, NULL, &result, &err));
	ok(put("r2", PEER(1, 3, 5), NULL, 0, &err));
	refused(intent_table_del(&by, "r3", 5, &result, &err), -EBUSY, "nexthop 1 of VPC r2 leads to");
	ok(intent_port_del(&by, "r3", "p", &result, &err));
	refused(intent_vpc_del(&by, "r3", &result, &err), -EBUSY, "the peer of VPC r2");
	clear_outbox();
	ok(del("r2", 1, &err));
	assert_int_equal(told(), 1 << 1 | 1 << 2 | 1 << 6 | 1 << 5);
	ok(intent_vpc_del(&by, "r3", &result, &err));
	assert_int_equal(needs(1), 1 << 2);
}

static void test_flags(void **state)
{
	const uint32_t strict = VPC_F_STRICT, none = 0;
	const struct intent by = rig_intent();
	struct cdb_change_result result;
	struct cdb_vpc vpc;

	rig_need_server();
	ok(intent_vpc_set(&by, "groups", &(struct intent_vpc_set){ .flags = &strict }, &result, &err));
	assert_true(result.changed);
	ok(cdb_vpc_get(rig_cdb, 100, &vpc, &err));
	assert_int_equal(vpc.flags, VPC_F_STRICT);
	ok(intent_vpc_set(&by, "groups", &(struct intent_vpc_set){ .flags = &strict }, &result, &err));
	assert_false(result.changed);
	ok(intent_vpc_set(&by, "groups", &(struct intent_vpc_set){ .flags = &none }, &result, &err));
	ok(cdb_vpc_get(rig_cdb, 100, &vpc, &err));
	assert_int_equal(vpc.flags, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups),	       cmocka_unit_test(test_group_refusals),
		cmocka_unit_test(test_schema_refuses), cmocka_unit_test(test_peers),
		cmocka_unit_test(test_flags),
	};

	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
