// SPDX-License-Identifier: Apache-2.0
/*
 * The whole audit of a host: CDB is a real server (cdb_rig.h), kernel, ZooKeeper and agent are played in memory. Each
 * fault of the table in doc/testing.md is made, found, and attributed to its leg.
 */
#include <errno.h>
#include "cdb_rig.h"
#include "agent_fake.h"
#include "../../lib/agent_ask.h"
#include "../../lib/digest.h"
#include "../../lib/util.h"
#include "../../proto/agent_report.h"
#include "../../reconcile/audit.h"
#include "../../reconcile/legs.h"
#include "../../reconcile/round.h"

#define VNI 100
#define DAY_S 86400
#define HOST "h1"

static struct kernel *kernel;
static struct vpc_config config;
static struct legs *legs;
static struct cdb_change_result done;
static struct report report;

/* -- ZooKeeper and the agent, as the audit sees them --------------------------------------------------------------- */

static struct {
	bool away, agent_away;
	struct vpc_head head;
	struct vpc_delta delta; /* of the epoch before HEAD's; epoch 0: none */
	struct vpc_host_ports ports;
	struct vpc_host_status status;
	struct vpc_status_vpc status_vpc;
	struct vpc_agent_report agent;
	struct vpc_agent_report_vpc agent_vpc;
} world;

int zk_open(const char *hosts, unsigned int session_ms, const struct zk_ops *ops, void *arg, struct zk **ret_zk,
	    struct vpc_err *err)
{
	*ret_zk = (struct zk *)&world;
	return 0;
}

void zk_close(struct zk *zk)
{
}

bool zk_connected(const struct zk *zk)
{
	return false;
}

int zk_connect_wait(struct zk *zk, unsigned int timeout_ms)
{
	return world.away ? -ETIMEDOUT : 0;
}

const char *zk_strerror(int res)
{
	return strerror(-res);
}

int zk_get_wait(struct zk *zk, const char *path, unsigned int timeout_ms, char **ret_data, size_t *ret_len,
		int *ret_version)
{
	char of[VPC_ZNODE_PATH_MAX];

	assert_false(world.away);
	if (!strcmp(path, vpc_path_vpc(VNI, of)) && world.head.epoch)
		return vpc_head_format(&world.head, ret_data, ret_len);
	if (!strcmp(path, vpc_path_delta(VNI, world.delta.epoch, of)) && world.delta.epoch)
		return vpc_delta_format(&world.delta, ret_data, ret_len);
	if (!strcmp(path, vpc_path_host(HOST, "ports", of)))
		return vpc_host_ports_format(&world.ports, ret_data, ret_len);
	if (!strcmp(path, vpc_path_host(HOST, "status", of)))
		return vpc_host_status_format(&world.status, ret_data, ret_len);
	return -ENOENT;
}

/* The agent does what it is asked for, at once. */
static struct {
	unsigned int asked;
	uint32_t vni;
	uint64_t epoch;
	bool refuse;
} resync;

static void arrive(void);

int agent_resync(const char *run_dir, const char *host, uint32_t vni, uint64_t epoch, unsigned int timeout_s,
		 struct vpc_err *err)
{
	resync.asked++;
	resync.vni = vni;
	resync.epoch = epoch;
	if (resync.refuse)
		return vpc_err_set(err, -ESTALE, "VPC %u is at another epoch", vni);
	arrive();
	return 0;
}

int agent_ask(const char *run_dir, const char *host, unsigned int timeout_s, char **ret, size_t *ret_len,
	      struct vpc_err *err)
{
	if (world.agent_away)
		return -ECONNREFUSED;
	return vpc_agent_report_format(&world.agent, ret, ret_len);
}

/* -- the host, in order -------------------------------------------------------------------------------------------- */

static struct vpc_route *kernel_route(const char *prefix)
{
	const struct vpc_prefix p = rig_prefix(prefix);
	const struct vpc_route *route = vpc_state_find_route(fake_kernel_vpc(VNI), 1, &p);

	assert_non_null(route);
	return (struct vpc_route *)route;
}

static void route_put(const char *prefix, uint32_t nexthop)
{
	const struct vpc_prefix p = rig_prefix(prefix);
	const struct intent_via via = { .id = nexthop };
	const struct intent by = rig_intent();

	ok(intent_route_put(&by, "red", 1, &p, &via, true, &done, &err));
}

static void route_del(const char *prefix)
{
	const struct vpc_prefix p = rig_prefix(prefix);
	const struct intent by = rig_intent();

	ok(intent_route_del(&by, "red", 1, &p, &done, &err));
}

/* The kernel's tables are what its digest says. */
static void kernel_seal(void)
{
	struct vpc_state *have = fake_kernel_vpc(VNI);

	ok(vpc_state_sort(have, &err));
	have->digest = vpc_digest_of_state(have);
}

/* Everything has arrived everywhere. */
static void arrive(void)
{
	struct vpc_state state;

	ok(cdb_command(rig_cdb, "DELETE FROM outbox", &err));
	fake_kernel_reset();
	vpc_state_init(&state, VNI);
	rig_load(VNI, &state);
	fake_kernel_put_vpc(&state);
	vpc_host_ports_clear(&world.ports);
	memset(&world, 0, sizeof(world));
	ok(cdb_host_ports_load(rig_cdb, HOST, &world.ports, &err));
	ok(kernel_host_set(kernel, &world.ports.vtep4, &world.ports.vtep6, world.ports.udp_port, &err));
	for (size_t i = 0; i < world.ports.n_ports; i++)
		ok(kernel_port_set(kernel, &world.ports.ports[i], &err));
	world.head = (struct vpc_head){ .vni = VNI, .epoch = state.epoch, .snapshot = 1, .oldest = 2,
					.digest = state.digest, .time_ms = 1 };
	world.status = (struct vpc_host_status){ .host = HOST, .boot_id = "x", .revision = world.ports.revision,
						 .time_ms = 1, .vpcs = &world.status_vpc, .n_vpcs = 1 };
	world.status_vpc = (struct vpc_status_vpc){ VNI, state.epoch, state.digest };
	world.agent = (struct vpc_agent_report){ .host = HOST, .version = "1", .state = "live", .zookeeper = "zk",
						 .module = "1", .revision = world.ports.revision,
						 .reached = world.ports.revision, .vpcs = &world.agent_vpc,
						 .n_vpcs = 1 };
	world.agent_vpc = (struct vpc_agent_report_vpc){ .vni = VNI, .known = true, .has_head = true,
							 .epoch = state.epoch, .head = state.epoch };
	vpc_state_clear(&state);
}

static int setup(void **state)
{
	int r = rig_setup(state);

	if (r || !rig_cdb)
		return r;
	config = rig_config;
	config.zk_hosts = "zk:2181";
	config.run_dir = "/run/vpc";
	fake_kernel_reset();
	ok(kernel_open(NULL, &kernel, &err));
	legs = legs_new(&config, HOST);
	return 0;
}

static void make_world(void)
{
	const struct intent by = rig_intent();
	const struct vpc_addr vtep = rig_addr("192.0.2.11");
	const struct vpc_prefix net = rig_prefix("10.0.1.0/24");
	const struct intent_port port = { .name = "web-1", .subnet = "web", .host = HOST, .dev = "tap1" };
	const struct vpc_nl_nexthop nexthops[] = { { .id = 7, .type = VPC_NEXTHOP_BLACKHOLE },
						   { .id = 8, .type = VPC_NEXTHOP_PROHIBIT } };
	bool there;

	rig_need_server();
	ok(cdb_host_exists(rig_cdb, HOST, &there, &err));
	if (there)
		return;
	rig_vpc_new("red", VNI);
	ok(intent_host_add(&by, HOST, &vtep, 4789, &err));
	ok(intent_subnet_add(&by, "red", "web", &net, 1, &done, &err));
	ok(intent_port_add(&by, "red", &port, &done, &err));
	for (size_t i = 0; i < ARRAY_SIZE(nexthops); i++)
		ok(intent_nexthop_put(&by, "red", &nexthops[i], NULL, true, &done, &err));
	for (int i = 0; i < 20; i++) {
		char prefix[32];

		snprintf(prefix, sizeof(prefix), "172.16.%d.0/24", i);
		route_put(prefix, 7);
	}
}

static int teardown(void **state)
{
	if (rig_cdb) {
		fake_kernel_reset();
		vpc_host_ports_clear(&world.ports);
		kernel_close(kernel);
		legs_free(legs);
	}
	return rig_teardown(state);
}

struct how {
	bool full, verify;
	unsigned int max_lag_s, probes;
	uint64_t since_ms;
	const char *table;
};

static struct audit audit_of(struct how how)
{
	return (struct audit){ .cdb = rig_cdb,
			       .kernel = kernel,
			       .host = HOST,
			       .verify = how.verify,
			       .full = how.full,
			       .probes = how.probes,
			       .since_ms = how.since_ms,
			       .has_table = how.table,
			       .table = how.table ? atoi(how.table) : 0,
			       .max_lag_ms = how.max_lag_s * 1000ULL,
			       .legs = legs };
}

static void look(struct how how)
{
	const struct audit audit = audit_of(how);

	report_clear(&report);
	report_init(&report, HOST, 100);
	assert_int_equal(audit_run(&audit, &report), 0);
}

static const struct finding *only_finding(void)
{
	const struct finding *found = NULL;

	for (size_t i = 0; i < report.n_vpcs; i++)
		for (size_t j = 0; j < report.vpcs[i].n_findings; j++) {
			if (found)
				fail_msg("also %s %s", finding_class_name(report.vpcs[i].findings[j].class),
					 report.vpcs[i].findings[j].object);
			found = &report.vpcs[i].findings[j];
		}
	if (!found)
		fail_msg("nothing was found; %s %s", report.reason, report.n_vpcs ? report.vpcs[0].reason : "");
	return found;
}

static bool has_finding(enum finding_class class, const char *object, enum finding_leg leg)
{
	for (size_t i = 0; i < report.n_vpcs; i++)
		for (size_t j = 0; j < report.vpcs[i].n_findings; j++) {
			const struct finding *f = &report.vpcs[i].findings[j];

			if (f->class == class && f->leg == leg && !strcmp(f->object, object))
				return true;
		}
	return false;
}

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
	{ "foreign route", somebody_elses_route, { 0 }, FINDING_FOREIGN, "route table 1 192.168.0.0/16",
	  LEG_AGENT_KERNEL },
	{ "wrong content", publisher_wrote_other_content, { 0 }, FINDING_DIFFERENT, "route table 1 172.16.4.0/24",
	  LEG_CDB_ZOOKEEPER },
	{ "wrong delta", publisher_wrote_another_delta, { 0 }, FINDING_DIFFERENT, "route table 1 172.16.4.0/24",
	  LEG_CDB_ZOOKEEPER },
	{ "wrong nexthop, ZooKeeper away", nothing_of_zookeeper, { 0 }, FINDING_DIFFERENT,
	  "route table 1 172.16.3.0/24", LEG_UNKNOWN },
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

static void what_waits_in_the_outbox_is_lag_of_any_age(void **state)
{
	make_world();
	arrive();
	other_vtep();
	ok(cdb_command(rig_cdb, "INSERT INTO outbox (kind, host, created) VALUES ('host', '" HOST "', 1000)", &err));
	look((struct how){ 0 });
	assert_int_equal(only_finding()->class, FINDING_LAG);
	assert_int_equal(only_finding()->leg, LEG_CDB_ZOOKEEPER);
	assert_true(report_lag_ms(&report) > 1000ULL * DAY_S * 365);
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
		cmocka_unit_test(the_kernel_against_itself),
		cmocka_unit_test(a_missing_vpc),
		cmocka_unit_test(what_waits_in_the_outbox_is_lag_of_any_age),
		cmocka_unit_test(probes_see_what_digests_do_not),
		cmocka_unit_test(one_table_and_since),
		cmocka_unit_test(repairs_are_asked_for_and_checked),
		cmocka_unit_test(what_cannot_be_compared_says_why),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
