// SPDX-License-Identifier: Apache-2.0
/*
 * vpc_agent whole, on its event loop, between a ZooKeeper and a kernel in memory (agent_fake.h): what it does when it
 * starts and when something changes. test_agent_head.c, test_agent_failures.c and test_agent_many.c have the rest.
 *
 * Each test publishes as vpc_publisher would, runs the loop until what must come true is true, and looks at the kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "agent_rig.h"

/* -- starting ------------------------------------------------------------------------------------------------------ */

static void test_first_sync(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct vpc_host_status status;
	struct vpc_err err;
	struct kernel_host host;
	struct agent *a;
	struct pub p;

	pub_start(&p, 100, 3, false);
	pub_change(&p, 50);
	pub_change(&p, 51);
	want_port(1, 100);
	want_port(2, 100);
	pub_ports();
	a = agent_start();
	run_idle(a);
	assert_int_equal(writes(), 0);
	assert_int_equal(a->state, AGENT_CONNECTING);
	fake_zk_connect();
	run_until(a, a->state == AGENT_LIVE);
	assert_same(&p);
	assert_int_equal(fake_calls.apply, 3);
	assert_int_equal(fake_calls.port_set, 2);
	assert_non_null(fake_kernel_port("tap1"));
	assert_int_equal(kernel_host_get(agent_kernel(a), &host, &err), 0);
	assert_int_equal(vpc_addr_cmp(&host.vtep4, &host_ports.vtep4), 0);
	assert_int_equal(host.udp_port, 4789);
	assert_int_equal(fake_log_count("VPC 100: epoch 0 -> 3 (3 deltas, "), 1);

	vpc_path_host("h1", "status", path);
	run_until(a, fake_zk_data(path) && strstr(fake_zk_data(path), "\"revision\":1,"));
	assert_int_equal(vpc_host_status_parse(fake_zk_data(path), strlen(fake_zk_data(path)), &status, &err), 0);
	assert_string_equal(status.host, "h1");
	assert_int_equal(status.n_vpcs, 1);
	assert_int_equal(status.vpcs[0].epoch, 3);
	assert_true(vpc_digest_equal(&status.vpcs[0].digest, &p.state.digest));
	assert_int_equal(status.instance, host.instance);
	assert_int_equal(status.n_recent, 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(status.recent[i].vni, 100);
		assert_int_equal(status.recent[i].base, i);
		assert_int_equal(status.recent[i].epoch, i + 1);
		assert_true(status.recent[i].seen_ms && status.recent[i].seen_ms <= status.recent[i].applied_ms);
	}
	assert_string_equal(status.recent[2].change, p.head.change);
	vpc_host_status_clear(&status);
	run_until(a, fake_zk_session_owns(vpc_path_host("h1", "alive", path)));
	finish(a, &p);
}

static void test_snapshot_then_deltas(void **state)
{
	struct agent *a;
	struct pub p;

	pub_start(&p, 100, 30000, true); /* several chunks */
	assert_true(p.head.chunks > 2);
	pub_change(&p, 40000);
	pub_change(&p, 40001);
	want_port(1, 100);
	pub_ports();
	fake_zk_connect();
	a = agent_start();
	run_until(a, a->state == AGENT_LIVE);
	assert_same(&p);
	assert_int_equal(fake_calls.replace, 1);
	assert_int_equal(fake_calls.apply, 2);
	assert_int_equal(fake_log_count("VPC 100: epoch 0 -> 1 (snapshot, 30001 changes, 30000 routes, "), 1);
	assert_int_equal(fake_log_count("VPC 100: epoch 1 -> 3 (2 deltas, "), 1);
	finish(a, &p);
}

static void test_empty_vpc(void **state)
{
	struct agent *a;
	struct pub p, q;

	pub_init(&p, 100);
	pub_head(&p);
	/* Emptied again, and compacted: a snapshot without chunks. */
	pub_init(&q, 200);
	q.state.epoch = 7;
	pub_snapshot(&q);
	pub_head(&q);
	want_port(1, 100);
	want_port(2, 200);
	pub_ports();
	fake_zk_connect();
	a = agent_start();
	run_until(a, a->state == AGENT_LIVE && fake_kernel_port("tap1") && fake_kernel_port("tap2"));
	assert_same(&p);
	assert_same(&q);
	pub_clear(&q);
	finish(a, &p);
}

/* A restart: the kernel has it all, so nothing is written; one route was missed meanwhile, so that alone is. */
static void test_take_over(void **state)
{
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	agent_free(a);
	fake_calls = (struct fake_calls){ 0 };
	fake_zk_connect();
	a = agent_start();
	run_until(a, a->state == AGENT_LIVE);
	run_idle(a);
	assert_int_equal(writes(), 0);
	assert_int_equal(fake_log_count("taking over 1 VPCs and 1 ports"), 1);
	agent_free(a);

	pub_change(&p, 60);
	fake_zk_connect();
	a = agent_start();
	run_until(a, a->state == AGENT_LIVE);
	assert_same(&p);
	assert_int_equal(writes(), 1);
	assert_int_equal(fake_calls.apply_ops, 1);
	finish(a, &p);
}

/* Too far behind for the log: compared with the snapshot, and only the difference is written. */
static void test_take_over_old(void **state)
{
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	agent_free(a);
	for (unsigned int i = 0; i < 5; i++)
		pub_change(&p, 60 + i);
	pub_snapshot(&p);
	pub_head(&p);
	fake_calls = (struct fake_calls){ 0 };
	fake_zk_connect();
	a = agent_start();
	run_until(a, a->state == AGENT_LIVE);
	assert_same(&p);
	assert_int_equal(writes(), 1);
	assert_int_equal(fake_calls.apply_ops, 5);
	finish(a, &p);
}

/* What the host no longer needs goes, but not before `ports` was read. */
static void test_nothing_deleted_on_ignorance(void **state)
{
	struct vpc_port port = { .vni = 200, .dev = "tap9", .mac = { 2 } };
	struct vpc_err err = { "" };
	struct agent *a;
	struct pub p, old;

	pub_start(&old, 200, 3, false);
	fake_kernel_put_vpc(&old.state);
	assert_int_equal(kernel_port_set(NULL, &port, &err), 0);
	pub_start(&p, 100, 3, false);
	want_port(1, 100);
	a = agent_start();
	run_idle(a);
	fake_zk_connect(); /* and still no such node */
	run_idle(a);
	assert_int_equal(a->state, AGENT_SYNCING);
	assert_int_equal(fake_log_count("no such node; is this host in CDB?"), 1);
	put_text(ports_path(), "{\"v\":1,\"host\":\"h1\",\"rev");
	run_idle(a);
	assert_int_equal(fake_log_count("ports (version 0): "), 1);
	assert_int_equal(fake_calls.port_del + fake_calls.vpc_del, 0);
	pub_ports();
	run_until(a, a->state == AGENT_LIVE);
	assert_null(fake_kernel_vpc(200));
	assert_null(fake_kernel_port("tap9"));
	assert_same(&p);
	pub_clear(&old);
	finish(a, &p);
}

/* -- following ----------------------------------------------------------------------------------------------------- */

static void test_changes(void **state)
{
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	for (unsigned int i = 0; i < 20; i++) {
		pub_change(&p, 100 + i);
		if (i % 3)
			run_until(a, reached(&p));
	}
	run_until(a, reached(&p));
	assert_same(&p);
	assert_int_equal(fake_calls.replace + fake_calls.dump, 0);
	assert_int_equal(fake_zk_gets("/s"), 0);
	finish(a, &p);
}

/* The kernel is not asked before each delta where it is: when it is elsewhere, the way leads on from there. */
static void test_somebody_else(void **state)
{
	struct pub p, then;
	struct agent *a;

	pub_start(&then, 100, 3, false);
	a = start_live(&p, 100);
	add_route(&p, 50, 1);
	pub_delta(&p, 0);
	fake_kernel_put_vpc(&p.state);
	pub_change(&p, 51);
	run_until(a, reached(&p));
	assert_same(&p);
	/* Back to where it was in the beginning. */
	fake_kernel_put_vpc(&then.state);
	pub_change(&p, 52);
	run_until(a, reached(&p));
	assert_same(&p);
	assert_int_equal(fake_calls.replace + fake_calls.dump, 0);
	assert_int_equal(fake_log_count("stays at"), 0);
	pub_clear(&then);
	finish(a, &p);
}

/* What goes without an epoch is taken with the next HEAD, also one that comes while deltas are read. */
static void test_quota_in_delta(void **state)
{
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	fake_zk_hold("/l2");
	pub_change(&p, 80);
	run_until(a, fake_zk_gets("/l2"));
	p.head.quota = 1 << 20;
	pub_head(&p);
	run_idle(a);
	fake_zk_hold(NULL);
	run_until(a, reached(&p) && fake_kernel_quota(100) == 1 << 20);
	finish(a, &p);
}

static void test_coalesced_delta(void **state)
{
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	add_route(&p, 70, 1);
	pub_delta(&p, 3);
	add_route(&p, 71, 1);
	pub_delta(&p, 0);
	pub_head(&p);
	run_until(a, reached(&p));
	assert_same(&p);
	assert_int_equal(fake_calls.replace + fake_calls.dump, 0);
	assert_int_equal(p.state.epoch, 6);
	finish(a, &p);
}

static void test_ports_change(void **state)
{
	struct agent *a;
	struct pub p, q;

	a = start_live(&p, 100);
	pub_start(&q, 200, 3, true);
	want_port(2, 100);
	want_port(3, 200);
	pub_ports();
	run_until(a, fake_kernel_port("tap2") && fake_kernel_port("tap3"));
	assert_same(&q);
	assert_int_equal(fake_calls.port_set, 3);
	/* tap1 moves to VPC 200, all else goes. */
	want_nothing();
	want_port(1, 200);
	pub_ports();
	run_until(a, fake_kernel_port("tap1") && fake_kernel_port("tap1")->vni == 200 && !fake_kernel_vpc(100));
	assert_null(fake_kernel_port("tap2"));
	assert_null(fake_kernel_port("tap3"));
	/* A change in a VPC that is not followed any more is nobody's. */
	fake_calls = (struct fake_calls){ 0 };
	pub_change(&p, 99);
	run_idle(a);
	assert_int_equal(writes(), 0);
	pub_clear(&q);
	finish(a, &p);
}

/* A port waits until its VPC is at HEAD; one that is there already does not go because HEAD cannot be read. */
static void test_port_waits_for_head(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct agent *a;
	struct pub p, q;

	a = start_live(&p, 100);
	pub_init(&q, 200);
	want_port(2, 200);
	pub_ports();
	run_idle(a);
	assert_null(fake_kernel_port("tap2"));
	assert_null(fake_kernel_vpc(200));
	assert_int_equal(fake_log_count("VPC 200: /vpc/v1/vpcs/c8/200: no such node"), 1);
	pub_clear(&q);
	pub_start(&q, 200, 3, false);
	run_until(a, fake_kernel_port("tap2"));
	assert_same(&q);
	/* HEAD goes: publisher's mistake, or a deletion that our ports do not know of yet. */
	fake_zk_del(vpc_path_vpc(200, path));
	run_idle(a);
	assert_non_null(fake_kernel_port("tap2"));
	assert_same(&q);
	pub_clear(&q);
	finish(a, &p);
}

/* What the kernel has may be another VPC's that had the VNI before: a new port waits, an old one stays. */
static void test_port_waits_for_snapshot(void **state)
{
	struct agent *a;
	struct pub p, old;

	pub_start(&old, 100, 3, false);
	fake_kernel_put_vpc(&old.state);
	pub_start(&p, 100, 5, true);
	pub_change(&p, 90);
	pub_snapshot(&p);
	pub_head(&p);
	want_port(1, 100);
	pub_ports();
	fake_zk_hold("/s2/");
	fake_zk_connect();
	a = agent_start();
	run_until(a, fake_zk_gets("/s2/"));
	run_idle(a);
	assert_null(fake_kernel_port("tap1"));
	fake_zk_hold(NULL);
	run_until(a, a->state == AGENT_LIVE);
	assert_non_null(fake_kernel_port("tap1"));
	assert_same(&p);
	pub_clear(&old);
	finish(a, &p);
}

/* HEAD was published before `ports`: what needs it waits for it, whichever of its nodes comes late. */
static void test_port_waits_for_change(void **state)
{
	static const char *const late[] = { "vpcs/64/100", "/l2" };

	for (size_t i = 0; i < ARRAY_SIZE(late); i++) {
		struct agent *a;
		struct pub p;

		rig_setup(NULL);
		a = start_live(&p, 100);
		fake_zk_hold(late[i]);
		pub_change(&p, 90);
		host_ports.ports[0].table = 5;
		want_port(2, 100);
		pub_ports();
		run_idle(a);
		assert_int_equal(fake_log_count("ports revision 2"), 1);
		assert_int_equal(fake_kernel_port("tap1")->table, 1);
		assert_null(fake_kernel_port("tap2"));
		fake_zk_hold(NULL);
		run_until(a, fake_kernel_port("tap2"));
		assert_int_equal(fake_kernel_port("tap1")->table, 5);
		assert_same(&p);
		want_nothing();
		finish(a, &p);
	}
}

/* A VPC that never rests does not keep its ports waiting: the HEAD of when `ports` was read is enough. */
static void test_port_of_busy_vpc(void **state)
{
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	fake_zk_hold("/l2");
	pub_change(&p, 90);
	want_port(2, 100);
	pub_ports();
	run_idle(a);
	assert_null(fake_kernel_port("tap2"));
	pub_change(&p, 91);
	fake_zk_hold("/l3");
	run_until(a, fake_kernel_port("tap2"));
	assert_int_equal(fake_kernel_vpc(100)->epoch, 2);
	fake_zk_hold(NULL);
	run_until(a, reached(&p));
	assert_same(&p);
	finish(a, &p);
}

/* A VPC that fails keeps its ports; new ones wait. */
static void test_port_of_failing_vpc(void **state)
{
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	fake_kernel_refuse(-EDQUOT, 1000000);
	pub_change(&p, 90);
	want_port(2, 100);
	pub_ports();
	run_until(a, fake_log_count("stays at epoch 1"));
	run_idle(a);
	assert_non_null(fake_kernel_port("tap1"));
	assert_null(fake_kernel_port("tap2"));
	fake_kernel_refuse(0, 0);
	pub_snapshot(&p);
	pub_head(&p);
	run_until(a, fake_kernel_port("tap2"));
	assert_same(&p);
	finish(a, &p);
}

/* A quota has no epoch: it changes with HEAD alone, in a VPC that is there, and nothing else is written. */
static void test_quota(void **state)
{
	struct agent *a;
	struct pub p, old;

	a = start_live(&p, 100);
	assert_int_equal(fake_kernel_quota(100), 0);
	fake_calls = (struct fake_calls){ 0 };
	p.head.quota = 1 << 20;
	pub_head(&p);
	run_until(a, fake_kernel_quota(100) == 1 << 20);
	pub_change(&p, 70);
	run_until(a, reached(&p));
	assert_int_equal(fake_calls.vpc_set, 1);
	assert_int_equal(writes(), 2);
	p.head.quota = 0;
	pub_head(&p);
	run_until(a, fake_kernel_quota(100) == 0);
	/* A HEAD that is refused for its epoch is refused whole. */
	pub_init(&old, 100);
	old.head.quota = 5;
	pub_head(&old);
	run_until(a, fake_log_count("is older than the kernel's 2; refused"));
	assert_int_equal(fake_kernel_quota(100), 0);
	pub_clear(&old);
	/* Taken over with another one than HEAD says. */
	agent_free(a);
	p.head.quota = 7;
	pub_head(&p);
	fake_zk_connect();
	a = agent_start();
	run_until(a, a->state == AGENT_LIVE);
	assert_int_equal(fake_kernel_quota(100), 7);
	finish(a, &p);
}

/* Flags as the quota, from a publisher that knows of them. */
static void test_flags(void **state)
{
	struct kernel_vpc vpc;
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	p.head.has_flags = true;
	p.head.flags = VPC_F_STRICT;
	pub_head(&p);
	run_until(a, !kernel_vpc_get(NULL, 100, &vpc, NULL) && vpc.flags == VPC_F_STRICT);
	p.head.has_flags = false;
	p.head.quota = 1 << 20;
	pub_head(&p);
	run_until(a, fake_kernel_quota(100) == 1 << 20);
	assert_int_equal(kernel_vpc_get(NULL, 100, &vpc, NULL), 0);
	assert_int_equal(vpc.flags, VPC_F_STRICT);
	p.head.has_flags = true;
	p.head.flags = 0;
	pub_head(&p);
	run_until(a, !kernel_vpc_get(NULL, 100, &vpc, NULL) && !vpc.flags);
	finish(a, &p);
}

/* VPCs without a port here come and go with what `ports` says of peers. */
static void test_peers(void **state)
{
	static uint32_t peers[] = { 200, 201 };
	struct pub p, peer[2];
	struct agent *a;

	for (unsigned int i = 0; i < 2; i++)
		pub_start(&peer[i], 200 + i, 20, i);
	a = start_live(&p, 100);
	host_ports.vpcs = peers;
	host_ports.n_vpcs = 2;
	pub_ports();
	run_until(a, reached(&peer[0]) && reached(&peer[1]));
	assert_same(&peer[0]);
	pub_change(&peer[1], 30);
	run_until(a, reached(&peer[1]));
	host_ports.n_vpcs = 1;
	pub_ports();
	run_until(a, fake_log_count("VPC 201: removed"));
	assert_same(&peer[0]);
	host_ports.n_vpcs = 0;
	pub_ports();
	run_until(a, fake_log_count("VPC 200: removed"));
	host_ports.vpcs = NULL;
	pub_clear(&peer[0]);
	pub_clear(&peer[1]);
	finish(a, &p);
}

static void test_many_vpcs(void **state)
{
	struct pub p[60];
	struct agent *a;

	for (unsigned int i = 0; i < ARRAY_SIZE(p); i++) {
		pub_start(&p[i], 1000 + i, 100, i % 2);
		pub_change(&p[i], 200);
		want_port(i, 1000 + i);
	}
	pub_ports();
	fake_zk_connect();
	a = agent_start();
	run_until(a, a->state == AGENT_LIVE);
	run_idle(a);
	for (unsigned int i = 0; i < ARRAY_SIZE(p); i++) {
		assert_same(&p[i]);
		pub_clear(&p[i]);
	}
	assert_int_equal(fake_calls.port_set, ARRAY_SIZE(p));
	assert_int_equal(a->snapshots.used + a->catchups.used, 0);
	agent_free(a);
}

struct heard {
	int fd;
	unsigned int ready, alive, isolated;
};

/* As systemd does; the socket's queue is short, and the agent waits for it. */
static void heard_read(struct heard *h)
{
	char text[512];
	ssize_t n;

	while ((n = recv(h->fd, text, sizeof(text) - 1, 0)) > 0) {
		text[n] = '\0';
		h->ready += !!strstr(text, "READY=1");
		h->alive += !!strstr(text, "WATCHDOG=1");
		h->isolated += !!strstr(text, "STATUS=isolated: ZooKeeper: ");
	}
}

/* What systemd hears: ready once live, and not again; the states; the watchdog. */
static void test_notify(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct heard h = { .fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) };
	struct agent *a;
	socklen_t len;
	struct pub p;

	len = snprintf(addr.sun_path, sizeof(addr.sun_path), "@vpc-test-%d", getpid());
	setenv("NOTIFY_SOCKET", addr.sun_path, 1);
	setenv("WATCHDOG_USEC", "1000000", 1);
	addr.sun_path[0] = '\0';
	assert_int_equal(bind(h.fd, (struct sockaddr *)&addr, offsetof(struct sockaddr_un, sun_path) + len), 0);
	a = start_live(&p, 100);
	for (int round = 0; round < 3; round++) {
		heard_read(&h);
		fake_zk_disconnect();
		run_until(a, a->state == AGENT_ISOLATED);
		fake_zk_connect();
		run_until(a, a->state == AGENT_LIVE);
	}
	run_until(a, (heard_read(&h), h.alive >= 2));
	assert_int_equal(h.ready, 1);
	assert_int_equal(h.isolated, 3);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	finish(a, &p);
	close(h.fd);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_first_sync),
		TEST(test_snapshot_then_deltas),
		TEST(test_empty_vpc),
		TEST(test_take_over),
		TEST(test_take_over_old),
		TEST(test_nothing_deleted_on_ignorance),
		TEST(test_changes),
		TEST(test_coalesced_delta),
		TEST(test_somebody_else),
		TEST(test_quota_in_delta),
		TEST(test_ports_change),
		TEST(test_port_waits_for_head),
		TEST(test_many_vpcs),
		TEST(test_notify),
		TEST(test_quota),
		TEST(test_flags),
		TEST(test_peers),
		TEST(test_port_waits_for_snapshot),
		TEST(test_port_waits_for_change),
		TEST(test_port_of_busy_vpc),
		TEST(test_port_of_failing_vpc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
