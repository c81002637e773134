// SPDX-License-Identifier: Apache-2.0
/*
 * Changes of CDB and their history against a real server (cdb_rig.h), with a copy of every epoch as the oracle.
 */
#include <errno.h>
#include <sys/wait.h>
#include "cdb_rig.h"
#include "../../lib/cdb_change_private.h"
#include "../../lib/cdb_log.h"
#include "../../lib/digest.h"
#include "../../lib/util.h"

#define VNI 100
#define EPOCHS 120
#define WRITES 40
#define MANY 100000

static struct vpc_nl_nexthop random_nexthop(unsigned int *seed)
{
	struct vpc_nl_nexthop nh = { .id = rand_r(seed) % 12 + 1 };

	switch (rand_r(seed) % 3) {
	case 0:
		nh.type = VPC_NEXTHOP_BLACKHOLE;
		break;
	case 1:
		nh.type = VPC_NEXTHOP_GATEWAY;
		nh.family = AF_INET;
		memcpy(nh.addr, "\xc0\0\2\1", 4);
		nh.addr[3] = rand_r(seed);
		break;
	case 2:
		nh.type = VPC_NEXTHOP_GATEWAY;
		nh.family = AF_INET6;
		nh.addr[0] = 0x20;
		nh.addr[15] = rand_r(seed);
		nh.vni = rand_r(seed) % 5;
		memcpy(nh.mac, "\2\0\0\0\0\1", 6);
		break;
	}
	return nh;
}

static struct vpc_route random_route(unsigned int *seed)
{
	struct vpc_route route = { .table = 1, .nexthop = rand_r(seed) % 12 + 1 };
	bool v6 = rand_r(seed) % 4 == 0;
	unsigned int bytes = rand_r(seed) % 3 + (v6 ? 2 : 0);

	route.prefix.family = v6 ? AF_INET6 : AF_INET;
	route.prefix.plen = bytes * 8;
	for (unsigned int i = 0; i < bytes; i++)
		route.prefix.bytes[i] = i == bytes - 1 ? rand_r(seed) % 6 : 172;
	return route;
}

#define GROUP(seed) (20 + rand_r(seed) % 3)

static struct vpc_nl_member random_member(unsigned int *seed)
{
	struct vpc_nl_member member = { .group = GROUP(seed), .nexthop = rand_r(seed) % 12 + 1 };

	member.weight = rand_r(seed) % 3 + 1;
	return member;
}

/* Nexthops that random routes can use, all there from the start. */
static void all_nexthops(struct cdb_change *change, unsigned int *seed)
{
	for (uint32_t id = 1; id <= 12; id++) {
		struct vpc_nl_nexthop nh = random_nexthop(seed);

		nh.id = id;
		ok(cdb_change_set_nexthop(change, &nh, &err));
	}
	for (uint32_t id = 20; id < 23; id++)
		ok(cdb_change_set_nexthop(change, &(struct vpc_nl_nexthop){ .id = id, .type = VPC_NEXTHOP_GROUP },
					  &err));
}

static void random_change(struct cdb_change *change, unsigned int *seed)
{
	unsigned int n = rand_r(seed) % 12;

	for (unsigned int i = 0; i < n; i++) {
		struct vpc_nl_nexthop nh = random_nexthop(seed);
		struct vpc_nl_member member = random_member(seed);
		struct vpc_route route = random_route(seed);
		int r;

		/* As a batch does it: what was written is changed again. */
		if (rand_r(seed) % 6 == 0)
			ok(cdb_change_write(change, &err));
		switch (rand_r(seed) % 7) {
		case 0:
			ok(cdb_change_set_nexthop(change, &nh, &err));
			break;
		case 1:
			r = cdb_change_del_route(change, route.table, &route.prefix, NULL);
			assert_true(!r || r == -ENOENT);
			break;
		case 2:
			ok(cdb_change_set_member(change, &member, &err));
			break;
		case 3:
			r = cdb_change_del_member(change, member.group, member.nexthop, NULL);
			assert_true(!r || r == -ENOENT);
			break;
		default:
			ok(cdb_change_set_route(change, &route, &err));
		}
	}
}

static void assert_deltas_lead(struct vpc_state *epochs, uint64_t first, uint64_t last)
{
	for (uint64_t e = first + 1; e <= last; e++) {
		_cleanup_(vpc_state_clear) struct vpc_state state;
		_cleanup_(vpc_delta_clear) struct vpc_delta delta;

		rig_copy(&epochs[e - 1], &state);
		vpc_delta_init(&delta, VNI);
		ok(cdb_delta_load(rig_cdb, VNI, e, SIZE_MAX, &delta, &err));
		assert_int_equal(delta.base, e - 1);
		ok(vpc_state_apply(&state, &delta, &err));
		rig_assert_same(&state, &epochs[e]);
		ok(cdb_state_advance(rig_cdb, &state, last, &err));
		rig_assert_same(&state, &epochs[last]);
		refused(cdb_state_advance(rig_cdb, &state, last + 1, &err), -ERANGE, "does not reach");
	}
}

/* Read together, with VPCs before and behind that are not there; of every seventh epoch nobody wants to know. */
static void assert_log_leads(struct vpc_state *epochs, uint64_t first, uint64_t last)
{
	const struct cdb_epochs ranges[] = { { VNI - 1, 1, 9 }, { VNI, first, last + 5 }, { VNI + 1000, 1, 9 } };
	struct cdb_logged *log;
	size_t n;

	ok(cdb_log_list(rig_cdb, ranges, ARRAY_SIZE(ranges), &log, &n, &err));
	assert_int_equal(n, last - first + 1);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(log[i].delta.vni, VNI);
		assert_int_equal(log[i].delta.epoch, first + i);
		assert_true(vpc_digest_equal(&log[i].delta.digest, &epochs[first + i].digest));
		log[i].wanted = i && i % 7;
	}
	ok(cdb_log_ops(rig_cdb, log, n, &err));
	for (size_t i = 0; i < n; i++) {
		_cleanup_(vpc_state_clear) struct vpc_state state;

		assert_false(log[i].bad);
		if (!log[i].wanted) {
			assert_int_equal(log[i].delta.n_routes + log[i].delta.n_nexthops + log[i].delta.n_members, 0);
			continue;
		}
		rig_copy(&epochs[first + i - 1], &state);
		ok(vpc_state_apply(&state, &log[i].delta, &err));
		rig_assert_same(&state, &epochs[first + i]);
	}
	/* A count that the rows do not have is that epoch's fault alone. */
	for (size_t i = 0; i < n; i++) {
		vpc_delta_clear(&log[i].delta);
		log[i].delta.vni = VNI;
		log[i].delta.epoch = first + i;
		log[i].wanted = true;
	}
	log[n / 2].n_ops++;
	ok(cdb_log_ops(rig_cdb, log, n, &err));
	for (size_t i = 0; i < n; i++)
		assert_int_equal(log[i].bad, i == n / 2);
	cdb_log_free(log, n);
}

/* The one row that an audit reads says of each epoch what the whole content says. */
static void assert_epochs(struct vpc_state *epochs, uint64_t first, uint64_t last)
{
	struct cdb_epoch found;

	for (uint64_t e = first; e <= last; e++) {
		ok(cdb_epoch_get(rig_cdb, VNI, e, &found, &err));
		assert_true(found.known);
		assert_int_equal(found.now, last);
		assert_true(vpc_digest_equal(&found.digest, &epochs[e].digest));
		assert_true(e < last ? found.newer_ms > 0 && found.newer_ms <= now_wall_ms() : !found.newer_ms);
	}
	ok(cdb_epoch_get(rig_cdb, VNI, last + 1, &found, &err));
	assert_false(found.known);
	assert_int_equal(found.now, last);
	refused(cdb_epoch_get(rig_cdb, VNI + 1000, 1, &found, &err), -ENOENT, "no VPC");
}

static void assert_rewinds(struct vpc_state *epochs, uint64_t first, uint64_t last)
{
	for (uint64_t e = first; e <= last; e++) {
		_cleanup_(vpc_state_clear) struct vpc_state state;

		rig_copy(&epochs[last], &state);
		ok(cdb_state_rewind(rig_cdb, &state, e, &err));
		rig_assert_same(&state, &epochs[e]);
	}
}

/* Every VPC that is there, read together, is what it is when read alone; its history has no fewer operations. */
static void assert_together(void)
{
	struct vpc_state states[20];
	uint64_t vnis[20], sums[20];
	struct cdb_vpc *vpcs;
	size_t n;

	ok(cdb_snapshot_begin(rig_cdb, &err));
	ok(cdb_vpc_after(rig_cdb, 0, ARRAY_SIZE(states), &vpcs, &n, &err));
	assert_true(n > 0);
	ok(cdb_states_load(rig_cdb, vpcs, n, states, &err));
	ok(cdb_snapshot_end(rig_cdb, &err));
	for (size_t i = 0; i < n; i++)
		vnis[i] = vpcs[i].vni;
	ok(cdb_log_sums(rig_cdb, vnis, n, sums, &err));
	for (size_t i = 0; i < n; i++) {
		_cleanup_(vpc_state_clear) struct vpc_state alone = {};

		ok(cdb_state_load(rig_cdb, vpcs[i].vni, &alone, &err));
		rig_assert_same(&states[i], &alone);
		assert_int_equal(states[i].epoch, vpcs[i].epoch);
		assert_true(sums[i] >= alone.n_nexthops + alone.n_members + alone.n_routes);
		vpc_state_clear(&states[i]);
	}
	vnis[0] = VNI + 1000;
	ok(cdb_log_sums(rig_cdb, vnis, 1, sums, &err));
	assert_int_equal(sums[0], 0);
	free(vpcs);
}

static void test_random_changes(void **state)
{
	struct vpc_state epochs[EPOCHS + 2] = {};
	unsigned int seed = 20261;
	uint64_t last = 1;

	rig_need_server();
	rig_vpc_new("random", VNI);
	rig_load(VNI, &epochs[1]);
	for (int i = 0; i < EPOCHS; i++) {
		struct cdb_change *change = NULL;
		struct cdb_change_result result;
		struct vpc_state now;

		ok(cdb_change_begin(rig_cdb, VNI, "tester", "random", &change, &err));
		if (!i)
			all_nexthops(change, &seed);
		random_change(change, &seed);
		ok(cdb_change_commit(&change, &result, &err));
		rig_load(VNI, &now);
		assert_int_equal(now.epoch, result.epoch);
		assert_int_equal(now.epoch, last + result.changed);
		if (result.changed)
			epochs[++last] = now;
		else
			vpc_state_clear(&now);
	}
	assert_true(last > EPOCHS / 2);
	assert_deltas_lead(epochs, 1, last);
	assert_log_leads(epochs, 1, last);
	rig_vpc_new("beside", VNI + 7);
	assert_together();
	assert_rewinds(epochs, 1, last);
	assert_epochs(epochs, 1, last);
	for (uint64_t e = 1; e <= last; e++)
		vpc_state_clear(&epochs[e]);
}

static void test_past_refused(void **state)
{
	_cleanup_(vpc_state_clear) struct vpc_state now;
	struct vpc_delta delta;
	struct cdb_vpc vpc;

	rig_need_server();
	rig_load(VNI, &now);
	refused(cdb_state_rewind(rig_cdb, &now, now.epoch + 1, &err), -ERANGE, "before");
	refused(cdb_state_advance(rig_cdb, &now, now.epoch - 1, &err), -ERANGE, "past");
	refused(cdb_delta_load(rig_cdb, VNI, now.epoch + 1, SIZE_MAX, &delta, &err), -ENOENT, "no epoch");
	refused(cdb_delta_load(rig_cdb, VNI, 2, 3, &delta, &err), -E2BIG, "operations");
	refused(cdb_state_load(rig_cdb, 4711, &now, &err), -ENOENT, "4711");
	refused(cdb_vpc_find(rig_cdb, "nobody", &vpc, &err), -ENOENT, "nobody");
	ok(cdb_state_rewind(rig_cdb, &now, 0, &err));
	assert_int_equal(now.n_routes + now.n_nexthops, 0);
}

static void test_abort(void **state)
{
	_cleanup_(vpc_state_clear) struct vpc_state before, after;
	struct vpc_route route = { .table = 1, .nexthop = 1, .prefix = rig_prefix("203.0.113.0/24") };
	struct cdb_change_result result;
	struct cdb_change *change = NULL;

	rig_need_server();
	rig_load(VNI, &before);
	ok(cdb_change_begin(rig_cdb, VNI, "tester", "aborted", &change, &err));
	ok(cdb_change_set_route(change, &route, &err));
	ok(cdb_change_write(change, &err));
	cdb_change_abort(change);
	/* A route to a nexthop that is not there takes the whole change with it. */
	ok(cdb_change_begin(rig_cdb, VNI, "tester", "refused", &change, &err));
	ok(cdb_change_set_route(change, &route, &err));
	route.prefix = rig_prefix("203.0.112.0/24");
	route.nexthop = 4711;
	ok(cdb_change_set_route(change, &route, &err));
	refused(cdb_change_commit(&change, &result, &err), -ENOENT, "no such table or nexthop");
	assert_null(change);
	rig_load(VNI, &after);
	rig_assert_same(&before, &after);
}

static int write_many(unsigned int who)
{
	struct cdb *own = NULL;
	struct vpc_err err;

	if (cdb_open(&rig_config, &own, &err))
		return 1;
	for (unsigned int i = 0; i < WRITES; i++) {
		struct vpc_route route = { .table = 1, .nexthop = 1, .prefix = { AF_INET, 32, { 192, 168, who, i } } };
		struct cdb_change *change = NULL;
		struct cdb_change_result result;

		if (cdb_change_begin(own, VNI, "tester", "at once", &change, &err) ||
		    cdb_change_set_route(change, &route, &err) || cdb_change_commit(&change, &result, &err)) {
			fprintf(stderr, "writer %u: %s\n", who, err.text);
			return 1;
		}
	}
	cdb_close(own);
	return 0;
}

static void test_two_writers(void **state)
{
	_cleanup_(vpc_state_clear) struct vpc_state before, after;
	uint64_t logged;
	pid_t pids[2];
	int status;

	rig_need_server();
	rig_load(VNI, &before);
	for (unsigned int i = 0; i < 2; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (!pids[i])
			_exit(write_many(i));
	}
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	rig_load(VNI, &after);
	assert_int_equal(after.epoch, before.epoch + 2 * WRITES);
	assert_int_equal(after.n_routes, before.n_routes + 2 * WRITES);
	ok(cdb_get(rig_cdb, &err, "SELECT COUNT(*) FROM change_log WHERE vni = ? AND epoch > ?", "uU>U", VNI,
		   before.epoch, &logged));
	assert_int_equal(logged, 2 * WRITES);
	ok(cdb_state_rewind(rig_cdb, &after, before.epoch, &err));
	rig_assert_same(&before, &after);
}

#define ADDERS 4

/* Each adder has a VPC, a subnet and a host of its own, and yet all write into the same tables. */
static void setup_adder(unsigned int who)
{
	struct vpc_addr vtep = { .family = AF_INET, .bytes = { 198, 51, 100, who + 1 } };
	const struct vpc_prefix subnet = rig_prefix("10.7.0.0/16");
	const struct intent by = rig_intent();
	struct cdb_change_result result;
	char name[16];

	snprintf(name, sizeof(name), "adder%u", who);
	rig_vpc_new(name, 500 + who);
	ok(intent_subnet_add(&by, name, "s", &subnet, 1, &result, &err));
	ok(intent_host_add(&by, name, &vtep, 4789, &err));
}

static int add_ports(unsigned int who)
{
	struct intent by = rig_intent();
	struct cdb *own = NULL;
	struct vpc_err err;
	char host[16];

	snprintf(host, sizeof(host), "adder%u", who);
	if (cdb_open(&rig_config, &own, &err))
		return 1;
	by.cdb = own;
	for (unsigned int i = 0; i < WRITES; i++) {
		struct cdb_change_result result;
		char name[16];
		int r;

		snprintf(name, sizeof(name), "p%u", i);
		r = intent_port_add(&by, host, &(struct intent_port){ name, "s", host, name }, &result, &err);
		/* The host's last port goes and comes, and its nexthop with it. */
		if (!r && !i)
			r = intent_port_del(&by, host, name, &result, &err);
		if (r) {
			fprintf(stderr, "adder %u, port %u: %d, %s\n", who, i, r, err.text);
			return 1;
		}
	}
	cdb_close(own);
	return 0;
}

static void test_ports_at_once(void **state)
{
	pid_t pids[ADDERS];
	int status;

	rig_need_server();
	for (unsigned int i = 0; i < ADDERS; i++)
		setup_adder(i);
	for (unsigned int i = 0; i < ADDERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (!pids[i])
			_exit(add_ports(i));
	}
	for (unsigned int i = 0; i < ADDERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	for (unsigned int i = 0; i < ADDERS; i++) {
		_cleanup_(vpc_state_clear) struct vpc_state after;

		rig_load(500 + i, &after);
		assert_int_equal(after.n_routes, WRITES); /* the range's, and all ports' but the first one's */
	}
}

static int add_same_device(void)
{
	struct intent by = rig_intent();
	struct cdb_change_result result;
	struct cdb *own = NULL;
	struct vpc_err err;
	int r;

	if (cdb_open(&rig_config, &own, &err))
		return 1;
	by.cdb = own;
	r = intent_port_add(&by, "adder0", &(struct intent_port){ "late", "s", "adder2", "same" }, &result, &err);
	cdb_close(own);
	return r == -EEXIST && strstr(err.text, "device same of host adder2 belongs to another VPC's port") ? 0 : 1;
}

/* A port of another VPC takes the device after the second change's read view began: the unique key finds it. */
static void test_same_device_at_once(void **state)
{
	struct cdb_change *change = NULL;
	struct cdb_change_result result;
	uint32_t host;
	int status;
	pid_t pid;

	rig_need_server();
	ok(cdb_change_begin(rig_cdb, 501, "tester", "first", &change, &err));
	ok(cdb_get(rig_cdb, &err, "SELECT id FROM host WHERE name = 'adder2'", ">u", &host));
	ok(cdb_change_touch_host(change, host, &err));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(add_same_device());
	rig_wait_blocked(pid);
	ok(cdb_exec(rig_cdb, &err,
		    "INSERT INTO port (vni, name, subnet, host, dev, mac) VALUES (501, 'first', 's', ?, 'same', "
		    "x'02ff00000001')",
		    "u", host));
	ok(cdb_change_commit(&change, &result, &err));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void clear_outbox(void)
{
	ok(cdb_exec(rig_cdb, &err, "DELETE FROM outbox", ""));
}

static void assert_outbox(size_t vpcs, const char *host_a, const char *host_b)
{
	_cleanup_free_ struct cdb_outbox *rows = NULL;
	size_t n, n_vpcs = 0, n_hosts = 0;

	ok(cdb_outbox_list(rig_cdb, 100, &rows, &n, &err));
	for (size_t i = 0; i < n; i++) {
		n_vpcs += rows[i].kind == CDB_OUTBOX_VPC;
		if (rows[i].kind == CDB_OUTBOX_HOST) {
			n_hosts++;
			assert_true((host_a && !strcmp(rows[i].host, host_a)) ||
				    (host_b && !strcmp(rows[i].host, host_b)));
		}
	}
	assert_int_equal(n_vpcs, vpcs);
	assert_int_equal(n_hosts, !!host_a + !!host_b);
	ok(cdb_outbox_done(rig_cdb, rows, n, &err));
}

static void test_ports(void **state)
{
	const struct vpc_addr vteps[] = { rig_addr("192.0.2.11"), rig_addr("192.0.2.12") };
	const struct vpc_prefix subnet = rig_prefix("10.1.0.0/16"), six = rig_prefix("10.6.0.0/24");
	const struct intent by = rig_intent();
	struct vpc_host_ports a = {}, b = {};
	struct cdb_change_result result;
	uint32_t flags = VPC_PORT_F_NO_SOURCE_CHECK;
	char text[VPC_PREFIX_STRLEN];

	rig_need_server();
	rig_vpc_new("ports", 200);
	clear_outbox();
	ok(intent_host_add(&by, "ha", &vteps[0], 4789, &err));
	ok(intent_host_add(&by, "hb", &vteps[1], 4790, &err));
	assert_outbox(0, "ha", "hb");
	ok(intent_subnet_add(&by, "ports", "s", &subnet, 1, &result, &err));
	ok(intent_subnet_add(&by, "200", "six", &six, 1, &result, &err));
	assert_outbox(2, NULL, NULL);
	ok(intent_port_add(&by, "ports", &(struct intent_port){ "p1", "s", "ha", "tap1" }, &result, &err));
	assert_outbox(1, "ha", NULL);
	ok(intent_port_add(&by, "ports", &(struct intent_port){ "p2", "s", "hb", "tap1", .flags = flags }, &result,
			   &err));
	clear_outbox();

	ok(cdb_host_ports_load(rig_cdb, "ha", &a, &err));
	assert_int_equal(a.n_ports, 1);
	assert_string_equal(a.ports[0].dev, "tap1");
	assert_int_equal(a.ports[0].vni, 200);
	assert_int_equal(a.ports[0].table, 1);
	assert_int_equal(vpc_addr_cmp(&a.vtep4, &vteps[0]), 0);
	assert_string_equal(vpc_prefix_format(&a.ports[0].addrs[0], text), "10.1.0.2/32");
	ok(cdb_host_ports_load(rig_cdb, "hb", &b, &err));
	assert_int_equal(b.udp_port, 4790);
	assert_int_equal(b.ports[0].flags, flags);
	refused(cdb_host_ports_load(rig_cdb, "hc", &b, &err), -ENOENT, "hc");

	ok(intent_port_set(&by, "ports", "p1", &(struct intent_port_set){ .host = "hb", .dev = "tap2" }, &result,
			   &err));
	assert_int_equal(result.n_ops, 2); /* the route moves, ha's nexthop goes */
	assert_outbox(1, "ha", "hb");
	vpc_host_ports_clear(&a);
	vpc_host_ports_clear(&b);
	ok(cdb_host_ports_load(rig_cdb, "ha", &a, &err));
	ok(cdb_host_ports_load(rig_cdb, "hb", &b, &err));
	assert_int_equal(a.n_ports, 0);
	assert_int_equal(b.n_ports, 2);
	vpc_host_ports_clear(&a);
	vpc_host_ports_clear(&b);
}

/* VPC 200 ends, and its VNI is used again: the epoch never goes back, and the history reaches across. */
static void test_vpc_again(void **state)
{
	_cleanup_(vpc_state_clear) struct vpc_state before, after, again;
	const struct intent by = rig_intent();
	struct cdb_change_result result;

	rig_need_server();
	refused(intent_vpc_del(&by, "ports", &result, &err), -EBUSY, "2 ports");
	ok(intent_port_del(&by, "ports", "p1", &result, &err));
	ok(intent_port_del(&by, "ports", "p2", &result, &err));
	rig_load(200, &before);
	assert_int_equal(before.n_nexthops, 1);
	ok(intent_vpc_del(&by, "ports", &result, &err));
	assert_int_equal(result.epoch, before.epoch + 1);
	refused(cdb_state_load(rig_cdb, 200, &after, &err), -ENOENT, "200");
	rig_vpc_new("anew", 200);
	rig_load(200, &again);
	assert_int_equal(again.epoch, before.epoch + 2);
	rig_load(200, &after);
	ok(cdb_state_rewind(rig_cdb, &after, before.epoch + 1, &err));
	assert_int_equal(after.n_routes + after.n_nexthops, 0);
	ok(cdb_state_rewind(rig_cdb, &after, before.epoch, &err));
	rig_assert_same(&after, &before);
}

static void write_routes(const char *path, size_t n, unsigned int nexthop, const char *more)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%zu.%zu.%zu.0/24 %u\n", 16 + i / 65536, i / 256 % 256, i % 256, nexthop);
	fputs(more, f);
	assert_int_equal(fclose(f), 0);
}

static void assert_import(const char *path, bool replace, size_t added, size_t changed, size_t deleted,
			  size_t unchanged)
{
	struct intent_import_result result;
	const struct intent by = rig_intent();

	ok(intent_route_import(&by, "bulk", 1, path, replace, &result, &err));
	assert_int_equal(result.added, added);
	assert_int_equal(result.changed, changed);
	assert_int_equal(result.deleted, deleted);
	assert_int_equal(result.unchanged, unchanged);
	assert_int_equal(result.change.changed, added || changed || deleted);
}

static void test_import(void **state)
{
	const struct vpc_nl_nexthop one = { .id = 1, .type = VPC_NEXTHOP_BLACKHOLE },
				    two = { .id = 2, .type = VPC_NEXTHOP_PROHIBIT };
	_cleanup_(vpc_state_clear) struct vpc_state full, now;
	struct intent_import_result result;
	char path[] = "/tmp/vpc-routes-XXXXXX";
	const struct intent by = rig_intent();
	struct cdb_change_result change;
	int fd;

	rig_need_server();
	rig_vpc_new("bulk", 300);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	ok(intent_nexthop_put(&by, "bulk", &one, NULL, true, &change, &err));
	ok(intent_nexthop_put(&by, "bulk", &two, NULL, true, &change, &err));
	write_routes(path, MANY, 1, "");
	assert_import(path, false, MANY, 0, 0, 0);
	rig_load(300, &full);
	assert_int_equal(full.n_routes, MANY + 1);
	assert_import(path, true, 0, 0, 0, MANY);
	write_routes(path, MANY / 2, 2, "203.0.113.0/24 1\n10.0.0.0/8 2147483648\n");
	assert_import(path, false, 1, MANY / 2, 0, 1);
	assert_import(path, true, 0, 0, MANY / 2, MANY / 2 + 2);
	rig_load(300, &now);
	assert_int_equal(now.n_routes, MANY / 2 + 2);
	ok(cdb_state_rewind(rig_cdb, &now, full.epoch, &err));
	rig_assert_same(&now, &full);

	write_routes(path, 10, 1, "16.0.9.0/24 1\n");
	refused(intent_route_import(&by, "bulk", 1, path, false, &result, &err), -EEXIST, ":11: ");
	write_routes(path, 10, 1, "16.1.9.0/24 3\n");
	refused(intent_route_import(&by, "bulk", 1, path, false, &result, &err), -ENOENT, ":11: ");
	write_routes(path, 10, 1, "10.0.0.0/8 1\n");
	refused(intent_route_import(&by, "bulk", 1, path, false, &result, &err), -EPERM, ":11: ");
	write_routes(path, 10, 1, "");
	refused(intent_route_import(&by, "bulk", 0, path, false, &result, &err), -EPERM, "mapping");
	refused(intent_route_import(&by, "bulk", 9, path, false, &result, &err), -ENOENT, "no table 9");
	unlink(path);
}

static void put(struct cdb_change *change, const char *prefix, uint32_t was, uint32_t is)
{
	struct vpc_prefix parsed;

	assert_int_equal(vpc_prefix_parse(prefix, &parsed, NULL), 0);
	assert_int_equal(cdb_change_put_route(change, 1, &parsed, was, is), 0);
}

static void test_coalesce(void **state)
{
	static const struct vpc_nl_nexthop a = { .id = 1, .type = VPC_NEXTHOP_BLACKHOLE },
					   b = { .id = 1, .type = VPC_NEXTHOP_PROHIBIT };
	struct cdb_change change = {};
	struct change_set *set = &change.pending, done = {};

	put(&change, "10.2.0.0/16", 0, 7); /* new, then another value: one operation */
	put(&change, "10.2.0.0/16", 0, 8);
	put(&change, "10.1.0.0/16", 5, 6); /* there and back: none */
	put(&change, "10.1.0.0/16", 5, 5);
	put(&change, "10.3.0.0/16", 0, 9); /* came and went: none */
	put(&change, "10.3.0.0/16", 0, 0);
	put(&change, "10.0.0.0/16", 4, 0); /* deleted */
	put(&change, "10.4.0.0/16", 4, 4); /* no change at all */
	assert_int_equal(cdb_change_put_nexthop(&change, &a, &b), 0);
	assert_int_equal(cdb_change_put_nexthop(&change, &a, &a), 0);
	assert_int_equal(cdb_change_put_member(&change, 7, 5, 0, 9), 0); /* new, then lighter */
	assert_int_equal(cdb_change_put_member(&change, 7, 4, 2, 0), 0); /* went and came back */
	assert_int_equal(cdb_change_put_member(&change, 7, 4, 2, 2), 0);
	assert_int_equal(cdb_change_put_member(&change, 7, 5, 0, 3), 0);
	change_set_coalesce(set);
	assert_int_equal(set->n_nexthops, 0);
	assert_int_equal(set->n_members, 1);
	assert_int_equal(set->members[0].was, 0);
	assert_int_equal(set->members[0].member.weight, 3);
	assert_int_equal(set->n_routes, 2);
	assert_int_equal(set->routes[0].was, 4);
	assert_int_equal(set->routes[0].route.nexthop, 0);
	assert_int_equal(set->routes[1].was, 0);
	assert_int_equal(set->routes[1].route.nexthop, 8);

	assert_int_equal(cdb_change_put_nexthop(&change, NULL, &a), 0);
	assert_int_equal(cdb_change_put_nexthop(&change, NULL, &b), 0);
	change_set_coalesce(set);
	assert_int_equal(set->n_nexthops, 1);
	assert_int_equal(set->nexthops[0].is.type, VPC_NEXTHOP_PROHIBIT);

	/* Written, and changed again: what counts is what was there first. */
	assert_int_equal(change_set_move(&done, set), 0);
	put(&change, "10.0.0.0/16", 0, 4); /* back as it was */
	put(&change, "10.2.0.0/16", 8, 9);
	assert_int_equal(change_set_move(&done, set), 0);
	assert_int_equal(change_set_count(set), 0);
	change_set_coalesce(&done);
	assert_int_equal(done.n_routes, 1);
	assert_int_equal(done.routes[0].was, 0);
	assert_int_equal(done.routes[0].route.nexthop, 9);
	assert_int_equal(done.n_nexthops, 1);
	change_set_clear(set);
	change_set_clear(&done);
}

int main(void)
{
	/* One after the other on one database: later ones use the VPCs of earlier ones. */
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coalesce),
		cmocka_unit_test(test_random_changes),
		cmocka_unit_test(test_past_refused),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_two_writers),
		cmocka_unit_test(test_ports_at_once),
		cmocka_unit_test(test_same_device_at_once),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_vpc_again),
		cmocka_unit_test(test_import),
	};

	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
