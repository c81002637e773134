// SPDX-License-Identifier: Apache-2.0
/*
 * Which change is to blame, against a real server (cdb_rig.h).
 */
#include <errno.h>
#include "cdb_rig.h"
#include "../../lib/cdb_history.h"
#include "../../lib/util.h"

static struct cdb_change_result done;

static struct cdb_element route_element(const char *prefix, uint32_t table)
{
	return (struct cdb_element){ .kind = CDB_ELEMENT_ROUTE,
				     .route = { .table = table, .prefix = rig_prefix(prefix) } };
}

static uint64_t route_put(const char *vpc, const char *prefix, uint32_t nexthop)
{
	const struct vpc_prefix p = rig_prefix(prefix);
	const struct intent_via via = { .id = nexthop };
	const struct intent by = rig_intent();

	ok(intent_route_put(&by, vpc, 1, &p, &via, true, &done, &err));
	return done.epoch;
}

static void nexthop_put(const char *vpc, struct vpc_nl_nexthop nh)
{
	const struct intent by = rig_intent();

	ok(intent_nexthop_put(&by, vpc, &nh, NULL, true, &done, &err));
}

static void elements_have_the_newest_change_up_to_the_epoch(void **state)
{
	const struct intent by = rig_intent();
	struct cdb_element keys[3];
	struct cdb_cause causes[3];
	struct vpc_prefix gone;
	char change[VPC_CHANGE_MAX + 1];
	uint64_t first, deleted, newer;
	bool whole;

	rig_need_server();
	rig_vpc_new("blame", 100);
	nexthop_put("blame", (struct vpc_nl_nexthop){ .id = 7, .type = VPC_NEXTHOP_BLACKHOLE });
	first = route_put("blame", "172.16.0.0/16", 7);
	strcpy(change, done.change);
	route_put("blame", "172.17.0.0/16", 7);
	gone = rig_prefix("172.17.0.0/16");
	ok(intent_route_del(&by, "blame", 1, &gone, &done, &err));
	deleted = done.epoch;
	nexthop_put("blame", (struct vpc_nl_nexthop){ .id = 8, .type = VPC_NEXTHOP_PROHIBIT });
	newer = route_put("blame", "172.16.0.0/16", 8);
	keys[0] = route_element("172.16.0.0/16", 1);
	keys[1] = route_element("172.17.0.0/16", 1);
	keys[2] = route_element("172.17.0.0/16", 2);
	ok(cdb_history_elements(rig_cdb, 100, newer - 1, keys, causes, 3, &whole, &err));
	assert_true(causes[0].known);
	assert_int_equal(causes[0].epoch, first);
	assert_string_equal(causes[0].change, change);
	assert_true(now_wall_ms() - causes[0].created_ms < 60000);
	assert_true(causes[1].known);
	assert_int_equal(causes[1].epoch, deleted);
	assert_false(causes[2].known);
	assert_true(whole);
	ok(cdb_history_elements(rig_cdb, 100, newer, keys, causes, 1, &whole, &err));
	assert_int_equal(causes[0].epoch, newer);
	/* All were found, so the rest was not read, and nothing is said of it. */
	assert_false(whole);
	ok(cdb_history_epoch(rig_cdb, 100, newer + 1, &causes[0], &err));
	assert_false(causes[0].known);
}

static void ports_by_place_and_by_subnet(void **state)
{
	const struct intent by = rig_intent();
	const struct vpc_addr vtep = rig_addr("192.0.2.1"), vtep2 = rig_addr("192.0.2.2");
	const struct vpc_prefix net = rig_prefix("10.0.1.0/24");
	const struct intent_port port = { .name = "web-1", .subnet = "web", .host = "ha", .dev = "tap1" };
	struct cdb_cause cause;
	bool whole, ever;
	uint64_t added;

	rig_need_server();
	rig_vpc_new("places", 200);
	ok(intent_host_add(&by, "ha", &vtep, 4789, &err));
	ok(intent_host_add(&by, "hb", &vtep2, 4789, &err));
	ok(intent_subnet_add(&by, "places", "web", &net, 1, &done, &err));
	ok(intent_port_add(&by, "places", &port, &done, &err));
	added = done.epoch;
	ok(cdb_history_port(rig_cdb, 200, "ha", "tap1", &cause, &whole, &err));
	assert_true(cause.known && whole);
	assert_int_equal(cause.epoch, added);
	assert_string_equal(cause.change, done.change);
	ok(cdb_history_port(rig_cdb, 200, "ha", "tap2", &cause, &whole, &err));
	assert_false(cause.known);
	ok(cdb_history_port(rig_cdb, 200, "hb", "tap1", &cause, &whole, &err));
	assert_false(cause.known);
	ok(intent_table_add(&by, "places", 2, NULL, &done, &err));
	ok(intent_subnet_set(&by, "places", "web", 2, &done, &err));
	ok(cdb_history_port(rig_cdb, 200, "ha", "tap1", &cause, &whole, &err));
	assert_int_equal(cause.epoch, done.epoch);
	/* A second place counts, and so does leaving. */
	ok(intent_port_prepare(&by, "places", "web-1", "hb", NULL, &done, &err));
	ok(cdb_history_port(rig_cdb, 200, "hb", "tap1", &cause, &whole, &err));
	assert_int_equal(cause.epoch, done.epoch);
	ok(cdb_history_vpc(rig_cdb, 200, "hb", &cause, &ever, &err));
	assert_true(cause.known && ever);
	assert_int_equal(cause.epoch, done.epoch);
	ok(cdb_history_vpc(rig_cdb, 200, "hc", &cause, &ever, &err));
	assert_true(!cause.known && ever);
	ok(cdb_history_vpc(rig_cdb, 201, "hb", &cause, &ever, &err));
	assert_true(!cause.known && !ever);
}

static void peerings_by_both_ends(void **state)
{
	struct cdb_cause cause;
	uint64_t epoch;

	rig_need_server();
	rig_vpc_new("near", 300);
	rig_vpc_new("far", 301);
	nexthop_put("near", (struct vpc_nl_nexthop){ .id = 9, .type = VPC_NEXTHOP_PEER, .vni = 301, .table = 1 });
	epoch = done.epoch;
	nexthop_put("near", (struct vpc_nl_nexthop){ .id = 10, .type = VPC_NEXTHOP_BLACKHOLE });
	ok(cdb_history_peer(rig_cdb, 300, 301, &cause, &err));
	assert_true(cause.known);
	assert_int_equal(cause.epoch, epoch);
	ok(cdb_history_peer(rig_cdb, 301, 300, &cause, &err));
	assert_false(cause.known);
}

static void a_missing_table_is_an_error(void **state)
{
	struct cdb_element key;
	struct cdb_cause cause = { .known = true };
	bool whole;

	rig_need_server();
	key = route_element("172.16.0.0/16", 1);
	ok(cdb_command(rig_cdb, "RENAME TABLE change_op TO change_op_away", &err));
	refused(cdb_history_elements(rig_cdb, 100, 5, &key, &cause, 1, &whole, &err), -EPROTO, "change_op");
	ok(cdb_command(rig_cdb, "RENAME TABLE change_op_away TO change_op", &err));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_have_the_newest_change_up_to_the_epoch),
		cmocka_unit_test(ports_by_place_and_by_subnet),
		cmocka_unit_test(peerings_by_both_ends),
		cmocka_unit_test(a_missing_table_is_an_error),
	};

	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
