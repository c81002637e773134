// SPDX-License-Identifier: Apache-2.0
/*
 * The whole audit of a host: CDB is a real server (cdb_rig.h), kernel, ZooKeeper and agent are played in memory. Each
 * fault of the table in doc/testing.md is made, found, and attributed to its leg.
 */
#include "audit_world.h"
#include "../../lib/cdb_stmt.h"
#include "../../reconcile/round.h"

struct fault {
	const char *name;
	void (*make)(void);
	struct how how;
	enum finding_class class;
	const char *object;
	enum finding_leg leg;
};

static const struct fault faults[] = {
	{ "skipped delta", skipped_delta, { 0 }, FINDING_MISSING, "route table 1 172.20.0.0/16", LEG_ZOOKEEPER_AGENT },
	{ "applied twice", applied_twice, { 0 }, FINDING_EXCESS, "route table 1 172.21.0.0/16", LEG_ZOOKEEPER_AGENT },
	{ "wrong nexthop", wrong_nexthop, { 0 }, FINDING_DIFFERENT, "route table 1 172.16.3.0/24", LEG_AGENT_KERNEL },
	{ "foreign route",
	  somebody_elses_route,
	  { 0 },
	  FINDING_FOREIGN,
	  "route table 1 192.168.0.0/16",
	  LEG_AGENT_KERNEL },
	{ "wrong content",
	  publisher_wrote_other_content,
	  { 0 },
	  FINDING_DIFFERENT,
	  "route table 1 172.16.4.0/24",
	  LEG_CDB_ZOOKEEPER },
	{ "wrong delta",
	  publisher_wrote_another_delta,
	  { 0 },
	  FINDING_DIFFERENT,
	  "route table 1 172.16.4.0/24",
	  LEG_CDB_ZOOKEEPER },
	{ "wrong nexthop, ZooKeeper away",
	  nothing_of_zookeeper,
	  { 0 },
	  FINDING_DIFFERENT,
	  "route table 1 172.16.3.0/24",
	  LEG_UNKNOWN },
	{ "lost port", lost_port, { 0 }, FINDING_MISSING, "port tap1", LEG_PORTS },
	{ "lost port, young", lost_port, { .max_lag_s = DAY_S }, FINDING_LAG, "port tap1", LEG_PORTS },
	{ "port never read", port_never_read, { 0 }, FINDING_MISSING, "port tap1", LEG_ZOOKEEPER_AGENT },
	{ "port refused", port_refused, { 0 }, FINDING_MISSING, "port tap1", LEG_AGENT_KERNEL },
	{ "port not published", port_not_published, { 0 }, FINDING_MISSING, "port tap1", LEG_CDB_ZOOKEEPER },
	{ "foreign port", port_of_nobody, { .max_lag_s = DAY_S }, FINDING_FOREIGN, "port tap9", LEG_PORTS },
	{ "changed port", port_changed, { 0 }, FINDING_DIFFERENT, "port tap1", LEG_PORTS },
	{ "foreign VPC", vpc_of_nobody, { .max_lag_s = DAY_S }, FINDING_FOREIGN, "VPC", LEG_AGENT_KERNEL },
	{ "other VTEP", other_vtep, { 0 }, FINDING_DIFFERENT, "VTEP", LEG_AGENT_KERNEL },
	{ "publisher stopped", publisher_stopped, { 0 }, FINDING_LAG, "content", LEG_CDB_ZOOKEEPER },
	{ "agent stopped", agent_stopped, { 0 }, FINDING_LAG, "content", LEG_ZOOKEEPER_AGENT },
	{ "agent deaf", agent_deaf, { 0 }, FINDING_LAG, "content", LEG_ZOOKEEPER_AGENT },
	{ "kernel refuses", kernel_refuses, { 0 }, FINDING_LAG, "content", LEG_AGENT_KERNEL },
};

static void faults_are_found_and_attributed(void **state)
{
	make_world();
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		const struct fault *fault = &faults[i];
		const struct finding *f;

		arrive();
		look((struct how){ .full = true, .verify = true });
		assert_int_equal(report_result(&report), RESULT_CONSISTENT);
		blamed[0] = '\0';
		fault->make();
		look(fault->how);
		f = only_finding();
		if (f->class != fault->class || strcmp(f->object, fault->object) || f->leg != fault->leg)
			fail_msg("%s: %s %s, %s (%s)", fault->name, finding_class_name(f->class), f->object,
				 finding_leg_name(f->leg), f->note);
		assert_int_equal(report_result(&report), fault->class == FINDING_LAG ? RESULT_LAG : RESULT_DRIFT);
		assert_int_equal(f->cause.known, !!*blamed);
		if (*blamed && *blamed != '?')
			assert_string_equal(f->cause.change, blamed);
		print_message("%s: %u ms\n", fault->name, (unsigned int)(report.duration_us / 1000));
	}
	arrive();
}

/* In table 2 what belongs into table 1. */
static void a_route_in_the_wrong_table(void **state)
{
	make_world();
	arrive();
	kernel_route("172.16.7.0/24")->table = 2;
	kernel_seal();
	look((struct how){ 0 });
	assert_true(has_finding(FINDING_MISSING, "route table 1 172.16.7.0/24", LEG_AGENT_KERNEL));
	assert_true(has_finding(FINDING_FOREIGN, "route table 2 172.16.7.0/24", LEG_AGENT_KERNEL));
}

/* A watch asks ZooKeeper and the agent when there is something to alarm about, and not before. */
static void young_lag_is_not_asked_about(void **state)
{
	struct audit audit = audit_of((struct how){ .max_lag_s = DAY_S });

	make_world();
	arrive();
	agent_deaf();
	audit.late_only = true;
	report_clear(&report);
	report_init(&report, HOST, 100);
	assert_int_equal(audit_run(&audit, &report), 0);
	assert_int_equal(only_finding()->leg, LEG_UNKNOWN);
	assert_non_null(strstr(only_finding()->note, "young"));
	audit.max_lag_ms = 0;
	usleep(2000);
	report_clear(&report);
	report_init(&report, HOST, 100);
	assert_int_equal(audit_run(&audit, &report), 0);
	assert_int_equal(only_finding()->leg, LEG_ZOOKEEPER_AGENT);
}

/* The kernel believes that it is right; only who reads its tables can see that it is not. */
static void the_kernel_against_itself(void **state)
{
	make_world();
	arrive();
	entry_flipped_in_memory();
	look((struct how){ 0 });
	assert_int_equal(report_result(&report), RESULT_CONSISTENT);
	look((struct how){ .verify = true });
	assert_true(has_finding(FINDING_DIGEST, "digest of what forwarding reads", LEG_KERNEL));
	look((struct how){ .full = true });
	assert_true(has_finding(FINDING_DIFFERENT, "route table 1 172.16.5.0/24", LEG_KERNEL));
	assert_true(has_finding(FINDING_DIGEST, "digest of the kernel's dump", LEG_KERNEL));
}

/* It says that it holds more than it dumps: cut short, or lost? The entries are not compared, the fault is certain. */
static void a_dump_that_is_short(void **state)
{
	make_world();
	arrive();
	fake_kernel_fail_content(-EUCLEAN);
	look((struct how){ .full = true });
	assert_int_equal(report_result(&report), RESULT_FAILED);
	assert_int_equal(report.vpcs[0].n_findings, 0);
	entry_flipped_in_memory();
	fake_kernel_fail_content(-EUCLEAN);
	look((struct how){ .full = true });
	assert_int_equal(report_result(&report), RESULT_DRIFT);
	assert_true(has_finding(FINDING_DIGEST, "digest of what forwarding reads", LEG_KERNEL));
	assert_non_null(strstr(report.vpcs[0].reason, "kernel verify"));
}

/* What forwarding reads beside the tables, which dumps and digests know nothing of. */
static void what_is_derived_from_the_tables(void **state)
{
	make_world();
	arrive();
	fake_kernel_faults(VPC_FAULT_RECENT | VPC_FAULT_PORT | 1U << 31);
	look((struct how){ .full = true });
	assert_int_equal(report_result(&report), RESULT_CONSISTENT);
	look((struct how){ .verify = true });
	assert_true(has_finding(FINDING_DIGEST, "remembered destinations, which forwarding reads", LEG_KERNEL));
	assert_true(has_finding(FINDING_DIGEST, "map of addresses to ports, which forwarding reads", LEG_KERNEL));
	assert_true(has_finding(FINDING_DIGEST, "fault 31 of what forwarding reads", LEG_KERNEL));
	/* and not the digest of the tables, too, which are right */
	assert_int_equal(report.vpcs[0].vni ? report.vpcs[0].n_findings : report.vpcs[1].n_findings, 3);
	fake_kernel_faults(0);
	look((struct how){ .verify = true });
	assert_int_equal(report_result(&report), RESULT_CONSISTENT);
}

/* Its port with it; the ages are those of the change that placed the port here. */
static void a_missing_vpc(void **state)
{
	make_world();
	arrive();
	ok(kernel_port_del(kernel, "tap1", &err));
	ok(kernel_vpc_del(kernel, VNI, &err));
	look((struct how){ 0 });
	assert_true(has_finding(FINDING_MISSING, "VPC", LEG_AGENT_KERNEL));
	assert_true(has_finding(FINDING_MISSING, "port tap1", LEG_PORTS));
	assert_true(report.vpcs[0].findings[0].cause.known);
	look((struct how){ .max_lag_s = DAY_S });
	assert_int_equal(report_result(&report), RESULT_LAG);
	assert_true(report_lag_ms(&report) > 0 && report_lag_ms(&report) < DAY_S * 1000ULL);
}

static void probes_see_what_digests_do_not(void **state)
{
	make_world();
	arrive();
	look((struct how){ .probes = 200 });
	assert_int_equal(report_result(&report), RESULT_CONSISTENT);
	assert_true(report.vpcs[0].n_probes > 50);
	/* All routes of the table, so that the next probe inside of one meets it. */
	for (size_t i = 0; i < fake_kernel_vpc(VNI)->n_routes; i++)
		if (fake_kernel_vpc(VNI)->routes[i].nexthop == 7)
			fake_kernel_vpc(VNI)->routes[i].nexthop = 8;
	look((struct how){ 0 });
	assert_int_equal(report_result(&report), RESULT_CONSISTENT);
	look((struct how){ .probes = 200 });
	assert_int_equal(report_result(&report), RESULT_DRIFT);
	assert_int_equal(report.vpcs[0].findings[0].leg, LEG_KERNEL);
	assert_true(report.vpcs[0].findings[0].cause.known);
	assert_non_null(strstr(report.vpcs[0].findings[0].object, "way from tap1 to 172."));
}

static void one_table_and_since(void **state)
{
	make_world();
	arrive();
	kernel_route("172.16.7.0/24")->table = 2;
	kernel_seal();
	look((struct how){ .table = "2" });
	assert_int_equal(only_finding()->class, FINDING_FOREIGN);
	look((struct how){ .table = "1" });
	assert_int_equal(only_finding()->class, FINDING_MISSING);
	look((struct how){ .table = "3" });
	assert_int_equal(report_result(&report), RESULT_CONSISTENT);
	/* Another nexthop is another way for each route that uses it: of table 1, and of no other. */
	arrive();
	for (size_t i = 0; i < fake_kernel_vpc(VNI)->n_nexthops; i++)
		if (fake_kernel_vpc(VNI)->nexthops[i].id == 7)
			fake_kernel_vpc(VNI)->nexthops[i].type = VPC_NEXTHOP_UNREACHABLE;
	kernel_seal();
	look((struct how){ .table = "1" });
	assert_string_equal(only_finding()->object, "nexthop 7");
	look((struct how){ .table = "3" });
	assert_int_equal(report_result(&report), RESULT_CONSISTENT);
	look((struct how){ .since_ms = now_wall_ms() + 1000 });
	assert_int_equal(report.n_vpcs, 0);
	look((struct how){ .since_ms = now_wall_ms() - 600000 });
	assert_int_equal(report_result(&report), RESULT_DRIFT);
}

static void repairs_are_asked_for_and_checked(void **state)
{
	const struct audit audit = audit_of((struct how){ 0 });
	uint64_t epoch;

	make_world();
	arrive();
	memset(&resync, 0, sizeof(resync));
	look((struct how){ 0 });
	assert_int_equal(repair_run(&audit, &config, 100, &report), 0);
	assert_int_equal(resync.asked, 0);
	assert_null(report.before);
	wrong_nexthop();
	epoch = fake_kernel_vpc(VNI)->epoch;
	look((struct how){ 0 });
	/* More than may be. */
	assert_int_equal(repair_run(&audit, &config, 0, &report), 0);
	assert_int_equal(resync.asked, 0);
	assert_non_null(strstr(report.repair, "nothing was touched"));
	assert_int_equal(report_result(&report), RESULT_DRIFT);
	/* The agent does not want to. */
	resync.refuse = true;
	look((struct how){ 0 });
	assert_int_equal(repair_run(&audit, &config, 1, &report), 0);
	assert_int_equal(resync.asked, 1);
	assert_int_equal(resync.epoch, epoch);
	assert_false(report.repairs[0].asked);
	assert_int_equal(report_result(&report), RESULT_DRIFT);
	resync.refuse = false;
	look((struct how){ 0 });
	assert_int_equal(repair_run(&audit, &config, 1, &report), 0);
	assert_int_equal(resync.vni, VNI);
	assert_true(report.repairs[0].asked);
	assert_int_equal(report_result(report.before), RESULT_DRIFT);
	assert_int_equal(report_result(&report), RESULT_CONSISTENT);
}

/* Says why, and finds nothing: neither drift nor consistency. */
static void not_compared(const char *says)
{
	const char *reason = report.reason[0] || !report.n_vpcs ? report.reason : report.vpcs[0].reason;

	assert_int_equal(report_result(&report), RESULT_FAILED);
	for (size_t i = 0; i < report.n_vpcs; i++)
		assert_int_equal(report_drifts(&report.vpcs[i]), 0);
	if (!strstr(reason, says))
		fail_msg("\"%s\" does not say \"%s\"", reason, says);
}

/* Whatever it is, it is a change of VPC 100. */
static void change_something(void)
{
	static unsigned int n;
	char prefix[32];

	n++;
	snprintf(prefix, sizeof(prefix), "172.29.%u.0/24", n % 16);
	route_put(prefix, n % 3 ? 7 : 8);
	if (n % 5 == 0)
		route_del(prefix);
}

static void change_some(void)
{
	for (int i = 0; i < 3; i++)
		change_something();
}

/*
 * The kernel is at some epoch of the past, and CDB goes on while it is read: that is lag, with the entries compared at
 * the kernel's epoch, and never drift. What is wrong at that epoch is drift all the same.
 */
static void changes_under_way_are_no_drift(void **state)
{
	make_world();
	arrive();
	for (int i = 0; i < 40; i++) {
		struct vpc_state past;
		uint64_t back = i % 4;

		change_something();
		arrive();
		vpc_state_init(&past, VNI);
		rig_load(VNI, &past);
		if (back)
			ok(cdb_state_rewind(rig_cdb, &past, past.epoch - back, &err));
		fake_kernel_put_vpc(&past);
		fake_kernel_after_dump(change_some);
		look((struct how){ .full = true, .verify = true, .max_lag_s = DAY_S });
		assert_int_equal(report_result(&report), RESULT_LAG);
		assert_string_equal(only_finding()->object, "content");
		if (i % 10 == 0) {
			kernel_route("172.16.9.0/24")->nexthop = 8;
			kernel_seal();
			fake_kernel_after_dump(change_some);
			look((struct how){ .max_lag_s = DAY_S });
			assert_int_equal(report_result(&report), RESULT_DRIFT);
			assert_int_equal(report_drifts(&report.vpcs[0]), 1);
		}
		vpc_state_clear(&past);
	}
}

static void kill_cdb(void)
{
	struct cdb *other = NULL;
	char sql[64];
	uint32_t id;

	ok(cdb_get(rig_cdb, &err, "SELECT CONNECTION_ID()", ">u", &id));
	ok(cdb_open(&rig_config, &other, &err));
	snprintf(sql, sizeof(sql), "KILL CONNECTION %u", id);
	ok(cdb_command(other, sql, &err));
	cdb_close(other);
}

/* Between the kernel's dump and CDB's rows. */
static void cdb_goes_in_the_middle(void **state)
{
	make_world();
	arrive();
	kernel_route("172.16.8.0/24")->nexthop = 8;
	kernel_seal();
	fake_kernel_after_dump(kill_cdb);
	look((struct how){ 0 });
	not_compared("is MariaDB up");
	cdb_close(rig_cdb);
	rig_cdb = NULL;
	ok(cdb_open(&rig_config, &rig_cdb, &err));
	look((struct how){ 0 });
	assert_int_equal(only_finding()->class, FINDING_DIFFERENT);
}

static void what_cannot_be_compared_says_why(void **state)
{
	make_world();
	arrive();
	fake_kernel_fail_dumps(-EINTR, 1);
	look((struct how){ 0 });
	not_compared("interrupted");
	fake_kernel_fail_dumps(-EPERM, 1);
	look((struct how){ 0 });
	not_compared("CAP_NET_ADMIN");
	fake_kernel_unload();
	look((struct how){ 0 });
	not_compared("modprobe vpc");
	arrive();
	fake_kernel_vpc(VNI)->epoch += 100;
	look((struct how){ 0 });
	not_compared("restored from a backup");
	arrive();
	ok(cdb_command(rig_cdb, "UPDATE vpc SET digest0 = digest0 ^ 1", &err));
	look((struct how){ 0 });
	not_compared("vpcctl db check");
	ok(cdb_command(rig_cdb, "UPDATE vpc SET digest0 = digest0 ^ 1", &err));
	/* In the middle: the first reads go well. */
	kernel_route("172.16.8.0/24")->nexthop = 8;
	kernel_seal();
	ok(cdb_command(rig_cdb, "RENAME TABLE route TO route_away", &err));
	look((struct how){ 0 });
	not_compared("route");
	ok(cdb_command(rig_cdb, "RENAME TABLE route_away TO route", &err));
	look((struct how){ 0 });
	assert_int_equal(only_finding()->class, FINDING_DIFFERENT);
	/* What is found stands although its cause cannot be read. */
	ok(cdb_command(rig_cdb, "RENAME TABLE change_op TO change_op_away", &err));
	look((struct how){ 0 });
	assert_int_equal(only_finding()->class, FINDING_DIFFERENT);
	assert_non_null(strstr(only_finding()->note, "change_op"));
	ok(cdb_command(rig_cdb, "RENAME TABLE change_op_away TO change_op", &err));
	report_clear(&report);
}

/* One line, with one thing to do; and the next round asks again. */
static void a_schema_that_is_another(void **state)
{
	static const struct {
		const char *make, *undo, *says;
	} cases[] = {
		{ "INSERT INTO schema_version (version) VALUES (999)", "DELETE FROM schema_version WHERE version = 999",
		  "has schema version 999, this program knows " },
		{ "UPDATE schema_version SET version = version - 1 ORDER BY version",
		  "UPDATE schema_version SET version = version + 1 ORDER BY version DESC", ": run `vpcctl db init`" },
	};
	const struct options options = { .max_findings = 10, .max_lag_s = DAY_S };
	struct round round = { .options = &options, .config = &rig_config, .host = HOST };

	make_world();
	arrive();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		report_clear(&report);
		round_close(&round);
		ok(cdb_command(rig_cdb, cases[i].make, &err));
		assert_int_equal(round_run(&round, &report), 0);
		ok(cdb_command(rig_cdb, cases[i].undo, &err));
		not_compared(cases[i].says);
		assert_null(strchr(report.reason, ';'));
		assert_true(report.duration_us > 0);
		report_clear(&report);
		assert_int_equal(round_run(&round, &report), 0);
		assert_int_equal(report_result(&report), RESULT_CONSISTENT);
	}
	report_clear(&report);
	round_close(&round);
	pace_clear(&round.pace);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_are_found_and_attributed),
		cmocka_unit_test(a_route_in_the_wrong_table),
		cmocka_unit_test(young_lag_is_not_asked_about),
		cmocka_unit_test(the_kernel_against_itself),
		cmocka_unit_test(a_dump_that_is_short),
		cmocka_unit_test(what_is_derived_from_the_tables),
		cmocka_unit_test(a_missing_vpc),
		cmocka_unit_test(probes_see_what_digests_do_not),
		cmocka_unit_test(one_table_and_since),
		cmocka_unit_test(repairs_are_asked_for_and_checked),
		cmocka_unit_test(changes_under_way_are_no_drift),
		cmocka_unit_test(cdb_goes_in_the_middle),
		cmocka_unit_test(what_cannot_be_compared_says_why),
		cmocka_unit_test(a_schema_that_is_another),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
