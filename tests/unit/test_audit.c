// SPDX-License-Identifier: Apache-2.0
/*
 * The whole audit of a host: CDB is a real server (cdb_rig.h), kernel, ZooKeeper and agent are played in memory. Each
 * fault of the table in doc/testing.md is made, found, and attributed to its leg.
 */
#include "audit_world.h"
#include "../../lib/cdb_fleet.h"
#include "../../lib/cdb_stmt.h"

/* -- the faults ---------------------------------------------------------------------------------------------------- */

static char blamed[VPC_CHANGE_MAX + 1]; /* the change that the fault is about; "": none */

static void blame(void)
{
	strcpy(blamed, done.change);
}

/* The agent says that it is at an epoch, and has left a change out on the way. */
static void skipped_delta(void)
{
	struct vpc_state before, *have;

	vpc_state_init(&before, VNI);
	rig_load(VNI, &before);
	route_put("172.20.0.0/16", 7);
	blame();
	arrive();
	have = fake_kernel_vpc(VNI);
	before.epoch = have->epoch;
	fake_kernel_put_vpc(&before);
	world.status_vpc.digest = have->digest;
	vpc_state_clear(&before);
}

/* A deletion was applied, and the addition before it once more. */
static void applied_twice(void)
{
	struct vpc_route route = { .table = 1, .nexthop = 7, .prefix = rig_prefix("172.21.0.0/16") };

	route_put("172.21.0.0/16", 7);
	route_del("172.21.0.0/16");
	blame();
	arrive();
	ok(vpc_state_add_route(fake_kernel_vpc(VNI), &route));
	kernel_seal();
	world.status_vpc.digest = fake_kernel_vpc(VNI)->digest;
}

static void wrong_nexthop(void)
{
	route_put("172.16.3.0/24", 8);
	route_put("172.16.3.0/24", 7);
	blame();
	arrive();
	kernel_route("172.16.3.0/24")->nexthop = 8;
	kernel_seal();
}

static void somebody_elses_route(void)
{
	struct vpc_route route = { .table = 1, .nexthop = 7, .prefix = rig_prefix("192.168.0.0/16") };

	ok(vpc_state_add_route(fake_kernel_vpc(VNI), &route));
	kernel_seal();
}

static void publisher_wrote_other_content(void)
{
	route_put("172.16.4.0/24", 7);
	route_put("172.16.4.0/24", 8);
	route_put("172.16.4.0/24", 7);
	blame();
	arrive();
	kernel_route("172.16.4.0/24")->nexthop = 8;
	kernel_seal();
	world.head.digest = world.status_vpc.digest = fake_kernel_vpc(VNI)->digest;
}

/* The same when HEAD has gone on meanwhile: the delta that ended there is asked. */
static void publisher_wrote_another_delta(void)
{
	publisher_wrote_other_content();
	vpc_delta_init(&world.delta, VNI);
	world.delta.epoch = world.head.epoch;
	world.delta.base = world.head.epoch - 1;
	world.delta.digest = world.head.digest;
	world.head.epoch++;
}

static void nothing_of_zookeeper(void)
{
	wrong_nexthop();
	world.away = true;
}

static void entry_flipped_in_memory(void)
{
	route_put("172.16.5.0/24", 8);
	route_put("172.16.5.0/24", 7);
	blame();
	arrive();
	kernel_route("172.16.5.0/24")->nexthop = 8;
}

static void lost_port(void)
{
	strcpy(blamed, "?");
	ok(kernel_port_del(kernel, "tap1", &err));
}

static void port_never_read(void)
{
	lost_port();
	world.agent.revision = world.agent.reached = 0;
}

static void port_refused(void)
{
	lost_port();
	world.agent.reached = 0;
	strcpy(world.agent.reason, "port tap1: kernel: refused");
}

static void port_not_published(void)
{
	lost_port();
	world.ports.revision--;
}

static void port_of_nobody(void)
{
	struct vpc_port port = { .vni = VNI, .dev = "tap9", .mac = { 2, 0, 0, 0, 0, 9 }, .table = 1 };

	ok(kernel_port_set(kernel, &port, &err));
}

static void port_changed(void)
{
	struct vpc_port port = { .vni = VNI, .dev = "tap1", .mac = { 2, 0, 0, 0, 0, 9 }, .table = 1 };

	lost_port();
	ok(kernel_port_set(kernel, &port, &err));
}

static void vpc_of_nobody(void)
{
	ok(kernel_vpc_set(kernel, 300, 0, NULL, &err));
}

static void other_vtep(void)
{
	const struct vpc_addr vtep = rig_addr("192.0.2.99");

	ok(kernel_host_set(kernel, &vtep, &(struct vpc_addr){ 0 }, 4789, &err));
}

/* One more change, which nobody but CDB has. */
static void publisher_stopped(void)
{
	static unsigned int n;
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "172.30.%u.0/24", n++);
	route_put(prefix, 8);
	blame();
}

static void agent_stopped(void)
{
	publisher_stopped();
	ok(cdb_command(rig_cdb, "DELETE FROM outbox", &err));
	world.head.epoch++;
	world.agent_away = true;
}

static void agent_deaf(void)
{
	agent_stopped();
	world.agent_away = false;
}

static void kernel_refuses(void)
{
	agent_deaf();
	world.agent_vpc.head++;
	strcpy(world.agent_vpc.reason, "kernel: quota");
}

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

static const struct finding *finding_of(uint32_t vni, const char *object)
{
	const struct report_vpc *vpc = report_vpc(&report, vni, NULL);

	for (size_t i = 0; i < vpc->n_findings; i++)
		if (!strcmp(vpc->findings[i].object, object))
			return &vpc->findings[i];
	fail_msg("VPC %u: %s was not found", vni, object);
	return NULL;
}

/* The peering was there before; it is the port by which this host came to need both, and to need them no more. */
static void a_peer_is_needed_since_the_port(void **state)
{
	const struct vpc_nl_nexthop peer = { .id = 9, .type = VPC_NEXTHOP_PEER, .vni = 200, .table = 1 };
	const struct intent_port port = { .name = "g-1", .subnet = "g", .host = HOST, .dev = "tap3" };
	const struct vpc_prefix net = rig_prefix("10.3.0.0/24");
	const struct intent by = rig_intent();
	struct vpc_state blue;

	make_world();
	arrive();
	rig_vpc_new("blue", 200);
	rig_vpc_new("green", 300);
	ok(intent_subnet_add(&by, "green", "g", &net, 1, &done, &err));
	ok(intent_nexthop_put(&by, "green", &peer, NULL, true, &done, &err));
	ok(intent_port_add(&by, "green", &port, &done, &err));
	look((struct how){ 0 });
	assert_string_equal(finding_of(300, "VPC")->cause.change, done.change);
	assert_string_equal(finding_of(200, "VPC")->cause.change, done.change);
	vpc_state_init(&blue, 200);
	ok(cdb_state_load(rig_cdb, 200, &blue, &err));
	fake_kernel_put_vpc(&blue);
	ok(intent_port_del(&by, "green", "g-1", &done, &err));
	look((struct how){ 0 });
	assert_int_equal(finding_of(200, "VPC")->class, FINDING_LAG);
	assert_string_equal(finding_of(200, "VPC")->cause.change, done.change);
	vpc_state_clear(&blue);
	ok(intent_nexthop_del(&by, "green", 9, &done, &err));
	arrive();
}

/* As the agent makes it, before its snapshot has come. Nothing is to be read, and the VPC's age does not matter. */
static void a_vpc_without_content_yet(void **state)
{
	struct vpc_state empty;

	make_world();
	arrive();
	vpc_state_init(&empty, VNI);
	fake_kernel_put_vpc(&empty);
	ok(cdb_command(rig_cdb, "RENAME TABLE route TO route_away", &err));
	look((struct how){ 0 });
	ok(cdb_command(rig_cdb, "RENAME TABLE route_away TO route", &err));
	assert_int_equal(only_finding()->class, FINDING_LAG);
	assert_string_equal(only_finding()->object, "content");
	/* Not the VPC's first epoch, but that of the port. */
	assert_true(only_finding()->cause.epoch > 1);
	assert_true(report_lag_ms(&report) <= report.time_ms - only_finding()->cause.created_ms);
	/* Full of what is nobody's. */
	arrive();
	fake_kernel_vpc(VNI)->epoch = 0;
	look((struct how){ 0 });
	assert_int_equal(report_result(&report), RESULT_DRIFT);
	arrive();
}

static void all_slots_taken(struct cdb *other)
{
	uint32_t taken;

	for (uint32_t i = 0; i < CDB_READ_SLOTS; i++)
		ok(cdb_get(other, &err, "SELECT GET_LOCK(CONCAT(DATABASE(), '.audit.', ?), 5)", "u>u", i, &taken));
}

static bool asked_to_stop(void *arg)
{
	++*(unsigned int *)arg;
	return false;
}

/* What two digests prove needs no turn to read; and the waiting for turns is one for all VPCs. */
static void a_round_is_bounded(void **state)
{
	struct audit audit = audit_of((struct how){ 0 });
	struct pace pace = { .slots_ms = 1000 };
	struct cdb *other = NULL;
	unsigned int asked = 0;

	make_world();
	arrive();
	kernel_route("172.16.7.0/24")->nexthop = 8;
	kernel_seal();
	ok(cdb_open(&rig_config, &other, &err));
	all_slots_taken(other);
	audit.pace = &pace;
	for (int i = 0; i < 2; i++) {
		report_clear(&report);
		report_init(&report, HOST, 100);
		ok(audit_run(&audit, &report));
		assert_int_equal(report_result(&report), RESULT_DRIFT);
		assert_true(has_finding(FINDING_DIFFERENT, "content (entries not read: no slot)", LEG_AGENT_KERNEL));
		assert_int_equal(pace.slots_ms, 0);
	}
	assert_true(report.duration_us < 900000);
	cdb_close(other);
	pace.go_on = asked_to_stop;
	pace.arg = &asked;
	report_clear(&report);
	report_init(&report, HOST, 100);
	assert_int_equal(audit_run(&audit, &report), -ECANCELED);
	assert_int_equal(asked, 1);
	report_clear(&report);
}

/* Statements of this connection, without this one. */
static uint64_t statements(void)
{
	uint64_t n;

	ok(cdb_get(rig_cdb, &err,
		   "SELECT CAST(VARIABLE_VALUE AS UNSIGNED) FROM information_schema.SESSION_STATUS "
		   "WHERE VARIABLE_NAME = 'COM_STMT_EXECUTE'",
		   ">U", &n));
	return n;
}

static void foreign_ports(unsigned int n)
{
	struct vpc_port port = { .vni = VNI, .mac = { 2, 0, 0, 0, 1, 0 }, .table = 1 };

	for (unsigned int i = 0; i < n; i++) {
		snprintf(port.dev, sizeof(port.dev), "eth%u", i);
		port.mac[5] = i;
		ok(kernel_port_set(kernel, &port, &err));
	}
}

/* Faults cost CDB no more than what is named of them, and a cause is looked for once. */
static void faults_are_cheap(void **state)
{
	struct audit audit = audit_of((struct how){ 0 });
	struct pace pace = { .slots_ms = 1000 };
	uint64_t start;

	make_world();
	arrive();
	foreign_ports(100);
	report_clear(&report);
	report_init(&report, HOST, 1);
	start = statements();
	ok(audit_run(&audit, &report));
	assert_true(statements() - start < 40);
	assert_int_equal(report_drifts(&report.vpcs[0]), 100);
	arrive();
	wrong_nexthop();
	audit.pace = &pace;
	for (int i = 0; i < 2; i++) {
		report_clear(&report);
		report_init(&report, HOST, 100);
		ok(audit_run(&audit, &report));
		assert_string_equal(only_finding()->cause.change, blamed);
		if (!i)
			ok(cdb_command(rig_cdb, "RENAME TABLE change_op TO change_op_away", &err));
	}
	ok(cdb_command(rig_cdb, "RENAME TABLE change_op_away TO change_op", &err));
	pace_clear(&pace);
	arrive();
}

/* A change excuses what it is about, and nothing else on the host. */
static void what_waits_excuses_its_own_object(void **state)
{
	make_world();
	arrive();
	other_vtep();
	lost_port();
	ok(cdb_command(rig_cdb,
		       "INSERT INTO outbox (kind, host, created) VALUES ('host', '" HOST "', 253402300799000)", &err));
	look((struct how){ 0 });
	assert_true(has_finding(FINDING_DIFFERENT, "VTEP", LEG_AGENT_KERNEL));
	assert_true(has_finding(FINDING_MISSING, "port tap1", LEG_PORTS));
	arrive();
	lost_port();
	ok(cdb_command(rig_cdb, "INSERT INTO outbox (kind, host, created) VALUES ('host', '" HOST "', 1000)", &err));
	look((struct how){ 0 });
	assert_int_equal(only_finding()->class, FINDING_LAG);
	assert_int_equal(only_finding()->leg, LEG_CDB_ZOOKEEPER);
	/* As old as the port's change, not as the row. */
	assert_true(report_lag_ms(&report) < 1000ULL * DAY_S);
	/* The same of a VTEP that nothing can have changed. */
	arrive();
	other_vtep();
	ok(cdb_command(rig_cdb, "INSERT INTO outbox (kind, host, created) VALUES ('host', '" HOST "', 1000)", &err));
	look((struct how){ 0 });
	assert_int_equal(only_finding()->class, FINDING_DIFFERENT);
	/* The UDP port can change. */
	arrive();
	ok(kernel_host_set(kernel, &world.ports.vtep4, &world.ports.vtep6, 4790, &err));
	ok(cdb_command(rig_cdb, "INSERT INTO outbox (kind, host, created) VALUES ('host', '" HOST "', 1000)", &err));
	look((struct how){ 0 });
	assert_int_equal(only_finding()->class, FINDING_LAG);
	arrive();
}

/* Its VPC is behind all the time, and the port's own change arrived long ago. */
static void a_busy_vpc_excuses_no_port(void **state)
{
	const struct intent by = rig_intent();
	const struct intent_port port = { .name = "web-2", .subnet = "web", .host = HOST, .dev = "tap2" };

	make_world();
	arrive();
	lost_port();
	publisher_stopped();
	look((struct how){ 0 });
	assert_true(has_finding(FINDING_MISSING, "port tap1", LEG_PORTS));
	assert_int_equal(report_exit_status(&report, DAY_S * 1000ULL), 1);
	/* This one is under way itself. */
	arrive();
	ok(intent_port_add(&by, "red", &port, &done, &err));
	ok(cdb_command(rig_cdb, "DELETE FROM outbox", &err));
	look((struct how){ 0 });
	assert_int_equal(report_result(&report), RESULT_LAG);
	ok(intent_port_del(&by, "red", "web-2", &done, &err));
	arrive();
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_are_found_and_attributed),
		cmocka_unit_test(a_route_in_the_wrong_table),
		cmocka_unit_test(young_lag_is_not_asked_about),
		cmocka_unit_test(the_kernel_against_itself),
		cmocka_unit_test(a_missing_vpc),
		cmocka_unit_test(a_peer_is_needed_since_the_port),
		cmocka_unit_test(a_vpc_without_content_yet),
		cmocka_unit_test(a_round_is_bounded),
		cmocka_unit_test(faults_are_cheap),
		cmocka_unit_test(what_waits_excuses_its_own_object),
		cmocka_unit_test(a_busy_vpc_excuses_no_port),
		cmocka_unit_test(probes_see_what_digests_do_not),
		cmocka_unit_test(one_table_and_since),
		cmocka_unit_test(repairs_are_asked_for_and_checked),
		cmocka_unit_test(changes_under_way_are_no_drift),
		cmocka_unit_test(cdb_goes_in_the_middle),
		cmocka_unit_test(what_cannot_be_compared_says_why),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
