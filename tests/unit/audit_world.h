/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One host for tests/unit/test_audit*.c: CDB is a real server (cdb_rig.h), kernel, ZooKeeper and agent are played in
 * memory. arrive() puts all of it in order, a test breaks something, look() audits.
 */
#ifndef VPC_TEST_AUDIT_WORLD_H
#define VPC_TEST_AUDIT_WORLD_H

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

static inline void arrive(void);

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

static inline struct vpc_route *kernel_route(const char *prefix)
{
	const struct vpc_prefix p = rig_prefix(prefix);
	const struct vpc_route *route = vpc_state_find_route(fake_kernel_vpc(VNI), 1, &p);

	assert_non_null(route);
	return (struct vpc_route *)route;
}

static inline void route_put(const char *prefix, uint32_t nexthop)
{
	const struct vpc_prefix p = rig_prefix(prefix);
	const struct intent_via via = { .id = nexthop };
	const struct intent by = rig_intent();

	ok(intent_route_put(&by, "red", 1, &p, &via, true, &done, &err));
}

static inline void route_del(const char *prefix)
{
	const struct vpc_prefix p = rig_prefix(prefix);
	const struct intent by = rig_intent();

	ok(intent_route_del(&by, "red", 1, &p, &done, &err));
}

/* The kernel's tables are what its digest says. */
static inline void kernel_seal(void)
{
	struct vpc_state *have = fake_kernel_vpc(VNI);

	ok(vpc_state_sort(have, &err));
	have->digest = vpc_digest_of_state(have);
}

/* As CDB has it. */
static inline void kernel_load(uint32_t vni)
{
	struct vpc_state state;

	vpc_state_init(&state, vni);
	rig_load(vni, &state);
	fake_kernel_put_vpc(&state);
	vpc_state_clear(&state);
}

/* Everything has arrived everywhere; ZooKeeper and the agent know of VPC VNI alone. */
static inline void arrive(void)
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
		if (!fake_kernel_vpc(world.ports.ports[i].vni))
			kernel_load(world.ports.ports[i].vni);
	for (size_t i = 0; i < world.ports.n_ports; i++)
		ok(kernel_port_set(kernel, &world.ports.ports[i], &err));
	world.head = (struct vpc_head){
		.vni = VNI, .epoch = state.epoch, .snapshot = 1, .oldest = 2, .digest = state.digest, .time_ms = 1
	};
	world.status = (struct vpc_host_status){ .host = HOST,
						 .boot_id = "x",
						 .revision = world.ports.revision,
						 .time_ms = 1,
						 .vpcs = &world.status_vpc,
						 .n_vpcs = 1 };
	world.status_vpc = (struct vpc_status_vpc){ VNI, state.epoch, state.digest };
	world.agent = (struct vpc_agent_report){ .host = HOST,
						 .version = "1",
						 .state = "live",
						 .zookeeper = "zk",
						 .module = "1",
						 .revision = world.ports.revision,
						 .reached = world.ports.revision,
						 .vpcs = &world.agent_vpc,
						 .n_vpcs = 1 };
	world.agent_vpc = (struct vpc_agent_report_vpc){
		.vni = VNI, .known = true, .has_head = true, .epoch = state.epoch, .head = state.epoch
	};
	vpc_state_clear(&state);
}

static inline int setup(void **state)
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

static inline void make_world(void)
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

static inline int teardown(void **state)
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

static inline struct audit audit_of(struct how how)
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

static inline void look(struct how how)
{
	const struct audit audit = audit_of(how);

	report_clear(&report);
	report_init(&report, HOST, 100);
	assert_int_equal(audit_run(&audit, &report), 0);
}

static inline const struct finding *only_finding(void)
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

static inline bool has_finding(enum finding_class class, const char *object, enum finding_leg leg)
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

static inline void blame(void)
{
	strcpy(blamed, done.change);
}

/* The agent says that it is at an epoch, and has left a change out on the way. */
static inline void skipped_delta(void)
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
static inline void applied_twice(void)
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

static inline void wrong_nexthop(void)
{
	route_put("172.16.3.0/24", 8);
	route_put("172.16.3.0/24", 7);
	blame();
	arrive();
	kernel_route("172.16.3.0/24")->nexthop = 8;
	kernel_seal();
}

static inline void somebody_elses_route(void)
{
	struct vpc_route route = { .table = 1, .nexthop = 7, .prefix = rig_prefix("192.168.0.0/16") };

	ok(vpc_state_add_route(fake_kernel_vpc(VNI), &route));
	kernel_seal();
}

static inline void publisher_wrote_other_content(void)
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
static inline void publisher_wrote_another_delta(void)
{
	publisher_wrote_other_content();
	vpc_delta_init(&world.delta, VNI);
	world.delta.epoch = world.head.epoch;
	world.delta.base = world.head.epoch - 1;
	world.delta.digest = world.head.digest;
	world.head.epoch++;
}

static inline void nothing_of_zookeeper(void)
{
	wrong_nexthop();
	world.away = true;
}

static inline void entry_flipped_in_memory(void)
{
	route_put("172.16.5.0/24", 8);
	route_put("172.16.5.0/24", 7);
	blame();
	arrive();
	kernel_route("172.16.5.0/24")->nexthop = 8;
}

static inline void lost_port(void)
{
	strcpy(blamed, "?");
	ok(kernel_port_del(kernel, "tap1", &err));
}

static inline void port_never_read(void)
{
	lost_port();
	world.agent.revision = world.agent.reached = 0;
}

static inline void port_refused(void)
{
	lost_port();
	world.agent.reached = 0;
	strcpy(world.agent.reason, "port tap1: kernel: refused");
}

static inline void port_not_published(void)
{
	lost_port();
	world.ports.revision--;
}

static inline void port_of_nobody(void)
{
	struct vpc_port port = { .vni = VNI, .dev = "tap9", .mac = { 2, 0, 0, 0, 0, 9 }, .table = 1 };

	ok(kernel_port_set(kernel, &port, &err));
}

static inline void port_changed(void)
{
	struct vpc_port port = { .vni = VNI, .dev = "tap1", .mac = { 2, 0, 0, 0, 0, 9 }, .table = 1 };

	lost_port();
	ok(kernel_port_set(kernel, &port, &err));
}

static inline void vpc_of_nobody(void)
{
	ok(kernel_vpc_set(kernel, 300, 0, NULL, &err));
}

static inline void other_vtep(void)
{
	const struct vpc_addr vtep = rig_addr("192.0.2.99");

	ok(kernel_host_set(kernel, &vtep, &(struct vpc_addr){ 0 }, 4789, &err));
}

/* One more change, which nobody but CDB has. */
static inline void publisher_stopped(void)
{
	static unsigned int n;
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "172.30.%u.0/24", n++);
	route_put(prefix, 8);
	blame();
}

static inline void agent_stopped(void)
{
	publisher_stopped();
	ok(cdb_command(rig_cdb, "DELETE FROM outbox", &err));
	world.head.epoch++;
	world.agent_away = true;
}

static inline void agent_deaf(void)
{
	agent_stopped();
	world.agent_away = false;
}

static inline void kernel_refuses(void)
{
	agent_deaf();
	world.agent_vpc.head++;
	strcpy(world.agent_vpc.reason, "kernel: quota");
}

#endif
