// SPDX-License-Identifier: Apache-2.0
/*
 * What an audit takes for lag and what not, what a round may cost, and what a repair may touch; the world is that of
 * test_audit.c.
 */
#include <sys/wait.h>
#include <zlib.h>
#include "audit_world.h"
#include "../../lib/cdb_fleet.h"
#include "../../lib/cdb_stmt.h"

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
		assert_true(has_finding(FINDING_DIFFERENT, "content (entries not read)", LEG_AGENT_KERNEL));
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

/* Somebody else's statement runs until it is killed: *ret_id is its connection's. */
static pid_t keep_busy(uint64_t *ret_id)
{
	pid_t pid = fork();
	int r = -ENOENT;

	if (!pid) {
		struct cdb *own;

		_exit(cdb_open(&rig_config, &own, NULL) || cdb_command(own, "DO SLEEP(30)", NULL));
	}
	for (int i = 0; i < 1000 && r == -ENOENT; i++) {
		r = cdb_get(rig_cdb, NULL, "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO = 'DO SLEEP(30)'",
			    ">U", ret_id);
		usleep(10000);
	}
	assert_int_equal(r, 0);
	return pid;
}

static void kill_connection(uint64_t id)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "KILL CONNECTION %llu", (unsigned long long)id);
	ok(cdb_command(rig_cdb, sql, &err));
}

/* A busy CDB is waited for in a round for as long as that may, whatever its VPCs; and nobody's turn is taken for it. */
static void a_busy_cdb_is_waited_for_once(void **state)
{
	struct audit audit = audit_of((struct how){ 0 });
	struct pace pace = { .slots_ms = 1000, .busy_ms = 300 };
	struct cdb *other = NULL;
	uint64_t id;
	pid_t pid;

	make_world();
	arrive();
	kernel_route("172.16.7.0/24")->nexthop = 8;
	kernel_seal();
	ok(cdb_open(&rig_config, &other, &err));
	all_slots_taken(other);
	pid = keep_busy(&id);
	audit.pace = &pace;
	audit.max_load = 1;
	for (int i = 0; i < 2; i++) {
		report_clear(&report);
		report_init(&report, HOST, 100);
		ok(audit_run(&audit, &report));
		assert_true(has_finding(FINDING_DIFFERENT, "content (entries not read)", LEG_AGENT_KERNEL));
		assert_int_equal(pace.busy_ms, 0);
		assert_int_equal(pace.slots_ms, 1000);
	}
	assert_true(report.duration_us < 300000);
	kill_connection(id);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	cdb_close(other);
	pace_clear(&pace);
	arrive();
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

/* The agent is asked for what was counted, and where it can help. */
static void repairs_touch_what_was_counted(void **state)
{
	struct audit audit = audit_of((struct how){ 0 });

	make_world();
	arrive();
	memset(&resync, 0, sizeof(resync));
	publisher_wrote_other_content();
	look((struct how){ 0 });
	ok(repair_run(&audit, &config, 100, &report));
	assert_int_equal(resync.asked, 0);
	assert_non_null(strstr(report.repairs[0].answer, "publisher"));
	/* A port is the host's, not its VPC's at some epoch. */
	arrive();
	resync.vni = VNI;
	lost_port();
	look((struct how){ 0 });
	ok(repair_run(&audit, &config, 100, &report));
	assert_int_equal(resync.asked, 1);
	assert_int_equal(resync.vni, 0);
	assert_int_equal(report_result(&report), RESULT_CONSISTENT);
	/* With one VPC in view the host's others were not counted. */
	arrive();
	lost_port();
	look((struct how){ 0 });
	audit.only_vni = VNI;
	ok(repair_run(&audit, &config, 100, &report));
	assert_int_equal(resync.asked, 1);
	assert_non_null(strstr(report.repairs[0].answer, "without --vpc"));
	/* Content at epoch 0 is that of epoch 0. */
	arrive();
	audit.only_vni = 0;
	fake_kernel_vpc(VNI)->epoch = 0;
	look((struct how){ 0 });
	ok(repair_run(&audit, &config, 1000, &report));
	assert_int_equal(resync.asked, 2);
	assert_int_equal(resync.vni, VNI);
	assert_int_equal(resync.epoch, 0);
	arrive();
}

/* The VPC goes on, in CDB and in the kernel. */
static void go_on(void)
{
	static unsigned int n;
	struct vpc_state state;
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "172.28.%u.0/24", n++ % 8);
	route_put(prefix, n / 8 % 2 ? 7 : 8);
	vpc_state_init(&state, VNI);
	rig_load(VNI, &state);
	fake_kernel_put_vpc(&state);
	vpc_state_clear(&state);
}

/* In a VPC that changes too fast for it nothing is known of the ways, and all else is as it was found. */
static void ways_that_cannot_be_asked_for(void **state)
{
	const struct audit audit = audit_of((struct how){ .probes = 10, .max_lag_s = DAY_S });
	uint64_t epoch;

	make_world();
	arrive();
	fake_kernel_on_explain(go_on);
	epoch = fake_kernel_vpc(VNI)->epoch;
	look((struct how){ .probes = 10, .max_lag_s = DAY_S });
	fake_kernel_on_explain(NULL);
	/* No way at all. */
	assert_int_equal(report_result(&report), RESULT_FAILED);
	assert_non_null(strstr(report.vpcs[0].reason, "too fast"));
	assert_int_equal(report.vpcs[0].kernel_epoch, epoch);
	/* As if another VPC had been asked. */
	arrive();
	report_clear(&report);
	report_init(&report, HOST, 100);
	report_vpc(&report, 1, NULL)->n_probes = 1;
	fake_kernel_on_explain(go_on);
	ok(audit_run(&audit, &report));
	fake_kernel_on_explain(NULL);
	assert_int_equal(report_result(&report), RESULT_CONSISTENT);
	assert_non_null(strstr(report_vpc(&report, VNI, NULL)->unprobed, "too fast"));
	arrive();
}

static unsigned int asked;

static void go_on_now_and_then(void)
{
	if (++asked % 3 == 0)
		go_on();
}

/* One way at one epoch, the next at another: all are asked for, and the one that is wrong is found among them. */
static void ways_in_a_vpc_that_goes_on(void **state)
{
	struct vpc_route *route;
	uint64_t epoch;

	make_world();
	arrive();
	asked = 0;
	fake_kernel_on_explain(go_on_now_and_then);
	epoch = fake_kernel_vpc(VNI)->epoch;
	look((struct how){ .probes = 60, .max_lag_s = DAY_S });
	assert_int_equal(report_result(&report), RESULT_CONSISTENT);
	assert_true(report.vpcs[0].n_probes > 30);
	assert_int_equal(report.vpcs[0].unprobed[0], 0);
	assert_true(fake_kernel_vpc(VNI)->epoch > epoch + 15);
	/* Each of the routes that go on, in the kernel alone: go_on() puts CDB's there again, all but the first. */
	fake_kernel_on_explain(NULL);
	route = (struct vpc_route *)vpc_state_find_route(fake_kernel_vpc(VNI), 1,
							  &(struct vpc_prefix){ AF_INET, 24, { 172, 28, 0 } });
	assert_non_null(route);
	route->nexthop = route->nexthop == 7 ? 8 : 7;
	look((struct how){ .probes = 400, .max_lag_s = DAY_S });
	assert_int_equal(report_result(&report), RESULT_DRIFT);
	assert_non_null(strstr(report.vpcs[0].findings[0].object, "to 172.28.0."));
	arrive();
}

static void port_moves(void)
{
	struct vpc_prefix addr = fake_kernel_port("tap1")->addrs[0];
	struct vpc_port port = *fake_kernel_port("tap1");

	port.addrs = &addr;
	port.n_addrs = 1;
	port.table = 2;
	if (++asked == 7)
		ok(kernel_port_set(kernel, &port, &err));
}

static void port_goes(void)
{
	if (++asked == 7)
		ok(kernel_port_del(kernel, "tap1", &err));
}

/* No epoch tells that it did: what was asked for before is forgotten, and what comes next is asked for from there. */
static void the_port_moves_meanwhile(void **state)
{
	make_world();
	arrive();
	asked = 0;
	fake_kernel_on_explain(port_moves);
	look((struct how){ .probes = 60 });
	assert_int_equal(report_result(&report), RESULT_CONSISTENT);
	assert_in_range(report.vpcs[0].n_probes, 30, 60);
	arrive();
	asked = 0;
	fake_kernel_on_explain(port_goes);
	look((struct how){ .probes = 60 });
	fake_kernel_on_explain(NULL);
	assert_int_equal(report_result(&report), RESULT_CONSISTENT);
	assert_int_equal(report.vpcs[0].n_probes, 0);
	arrive();
}

static bool only_once(void *arg)
{
	return !(*(unsigned int *)arg)++;
}

/* A SIGTERM while a VPC is read, the last one too, is no failure of the audit's. */
static void it_ends_in_the_middle_of_a_vpc(void **state)
{
	static const struct how hows[] = { { .full = true }, { .probes = 10 } };
	struct pace pace = { .slots_ms = PACE_SLOTS_MS, .go_on = only_once };
	unsigned int calls;

	make_world();
	arrive();
	pace.arg = &calls;
	for (size_t i = 0; i < ARRAY_SIZE(hows); i++) {
		struct audit audit = audit_of(hows[i]);

		calls = 0;
		audit.pace = &pace;
		report_clear(&report);
		report_init(&report, HOST, 100);
		assert_int_equal(audit_run(&audit, &report), -ECANCELED);
		assert_true(calls > 1);
	}
	pace_clear(&pace);
}

static struct cdb *other;

/* In the middle of a VPC: between its first piece and the next one. */
static bool lose_connection(void *arg)
{
	unsigned int *calls = arg;
	char sql[64];
	uint64_t id;

	if (++*calls != 3)
		return true;
	ok(cdb_get(rig_cdb, &err, "SELECT CONNECTION_ID()", ">U", &id));
	snprintf(sql, sizeof(sql), "KILL CONNECTION %llu", (unsigned long long)id);
	ok(cdb_command(other, sql, &err));
	return true;
}

/* CDB comes back, and the reading goes on; without a configuration to connect with it could not compare. */
static void a_connection_that_is_lost_in_the_middle(void **state)
{
	unsigned int calls = 0;
	struct pace pace = { .slots_ms = PACE_SLOTS_MS, .go_on = lose_connection, .arg = &calls };
	struct audit audit = audit_of((struct how){ .full = true, .max_lag_s = DAY_S });

	make_world();
	arrive();
	ok(cdb_open(&rig_config, &other, &err));
	fake_kernel_vpc(VNI)->routes[3].nexthop ^= 15;
	audit.pace = &pace;
	report_clear(&report);
	report_init(&report, HOST, 100);
	ok(audit_run(&audit, &report));
	assert_int_equal(report_result(&report), RESULT_FAILED);
	ok(cdb_reopen(rig_cdb, &rig_config, &err));
	audit.config = &rig_config;
	calls = 0;
	report_clear(&report);
	report_init(&report, HOST, 100);
	ok(audit_run(&audit, &report));
	assert_true(calls > 3);
	assert_int_equal(report_result(&report), RESULT_DRIFT);
	assert_string_equal(report.vpcs[0].reason, "");
	assert_int_equal(report.vpcs[0].counts[FINDING_DIFFERENT], 1);
	pace_clear(&pace);
	cdb_close(other);
	arrive();
}

static bool until_it_is_too_much(void *arg)
{
	return ++*(unsigned int *)arg < 40;
}

/* It is no lost connection, and to connect again would not help. */
static void what_the_server_refuses_is_not_asked_for_again(void **state)
{
	unsigned int calls = 0;
	struct pace pace = { .slots_ms = PACE_SLOTS_MS, .go_on = until_it_is_too_much, .arg = &calls };
	struct audit audit = audit_of((struct how){ .full = true, .max_lag_s = DAY_S });

	make_world();
	arrive();
	audit.pace = &pace;
	audit.config = &rig_config;
	ok(cdb_command(rig_cdb, "RENAME TABLE route TO route_away", &err));
	ok(cdb_command(rig_cdb, "CREATE VIEW route AS SELECT vni, table_id, family, addr, plen AS plen_away, nexthop "
				"FROM route_away", &err));
	report_clear(&report);
	report_init(&report, HOST, 100);
	ok(audit_run(&audit, &report));
	ok(cdb_command(rig_cdb, "DROP VIEW route", &err));
	ok(cdb_command(rig_cdb, "RENAME TABLE route_away TO route", &err));
	assert_int_equal(report_result(&report), RESULT_FAILED);
	assert_true(calls < 5);
	pace_clear(&pace);
	arrive();
}

/* As CDB adds it up, of 172.16.0.0 with other bits. */
static uint64_t sum_of(uint32_t nexthop, uint32_t bits)
{
	uint8_t text[] = { '3', '2', ',', '0' + nexthop, ',', 172, 16 ^ bits >> 16, bits >> 8, bits };

	return crc32(0, text, sizeof(text));
}

/* Two routes that have changed nexthops in the kernel, and the same sum of checksums: the digest is not deceived. */
static void checksums_that_agree_by_chance(void **state)
{
	struct audit audit = audit_of((struct how){ .max_lag_s = DAY_S });
	const struct vpc_prefix one = rig_prefix("172.16.0.0/32");
	struct vpc_prefix two = one;
	char text[VPC_PREFIX_STRLEN];
	struct cdb_reader_counts counts;
	struct vpc_state want, got;
	struct cdb_reader *reader;
	uint32_t bits = 1;

	make_world();
	while (bits < 1U << 20 && sum_of(7, 0) + sum_of(8, bits) != sum_of(8, 0) + sum_of(7, bits))
		bits++;
	assert_in_range(bits, 1, (1U << 20) - 1);
	two.bytes[1] ^= bits >> 16;
	two.bytes[2] ^= bits >> 8;
	two.bytes[3] ^= bits;
	route_put(vpc_prefix_format(&one, text), 7);
	route_put(vpc_prefix_format(&two, text), 8);
	arrive();
	kernel_route(vpc_prefix_format(&one, text))->nexthop = 8;
	kernel_route(vpc_prefix_format(&two, text))->nexthop = 7;
	kernel_seal();
	/* It is deceived without. */
	vpc_state_init(&want, VNI);
	rig_load(VNI, &want);
	reader = cdb_reader_new(VNI, want.epoch, fake_kernel_vpc(VNI));
	ok(cdb_reader_run(reader, rig_cdb, &(struct cdb_manners){ 0 }, &err));
	counts = cdb_reader_counts(reader);
	cdb_reader_take(reader, &got);
	cdb_reader_free(reader);
	assert_int_equal(counts.rows, 0);
	assert_int_equal(vpc_state_find_route(&got, 1, &one)->nexthop, 8);
	vpc_state_clear(&got);
	vpc_state_clear(&want);
	audit.sums_from = 1;
	report_clear(&report);
	report_init(&report, HOST, 100);
	ok(audit_run(&audit, &report));
	assert_int_equal(report_result(&report), RESULT_DRIFT);
	assert_int_equal(report.vpcs[0].counts[FINDING_DIFFERENT], 2);
	assert_string_equal(report.vpcs[0].reason, "");
	route_del(vpc_prefix_format(&one, text));
	route_del(vpc_prefix_format(&two, text));
	arrive();
}

/* The publisher's fault, and no agent's. */
static void zookeeper_has_another_vtep(void **state)
{
	make_world();
	arrive();
	other_vtep();
	world.ports.vtep4 = rig_addr("192.0.2.99");
	look((struct how){ 0 });
	assert_int_equal(only_finding()->leg, LEG_CDB_ZOOKEEPER);
	arrive();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_peer_is_needed_since_the_port),
		cmocka_unit_test(a_vpc_without_content_yet),
		cmocka_unit_test(a_round_is_bounded),
		cmocka_unit_test(a_busy_cdb_is_waited_for_once),
		cmocka_unit_test(faults_are_cheap),
		cmocka_unit_test(repairs_touch_what_was_counted),
		cmocka_unit_test(what_waits_excuses_its_own_object),
		cmocka_unit_test(a_busy_vpc_excuses_no_port),
		cmocka_unit_test(ways_that_cannot_be_asked_for),
		cmocka_unit_test(ways_in_a_vpc_that_goes_on),
		cmocka_unit_test(the_port_moves_meanwhile),
		cmocka_unit_test(it_ends_in_the_middle_of_a_vpc),
		cmocka_unit_test(a_connection_that_is_lost_in_the_middle),
		cmocka_unit_test(what_the_server_refuses_is_not_asked_for_again),
		cmocka_unit_test(checksums_that_agree_by_chance),
		cmocka_unit_test(zookeeper_has_another_vtep),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
