// SPDX-License-Identifier: Apache-2.0
/*
 * vpc_agent whole, between a ZooKeeper and a kernel in memory (agent_fake.h): what it does about every failure that
 * doc/operations.md speaks of. In none of them does the kernel lose what it has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "../../agent/follow.h"
#include "agent_rig.h"

/* -- what goes wrong ----------------------------------------------------------------------------------------------- */

static void tamper(uint32_t vni)
{
	struct vpc_state *have = fake_kernel_vpc(vni);

	have->n_routes--;
	have->digest = vpc_digest_of_state(have);
}

static void test_repair(void **state)
{
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	pub_snapshot(&p);
	pub_change(&p, 80);
	run_until(a, reached(&p));
	agent_free(a);
	tamper(100);
	fake_calls = (struct fake_calls){ 0 };
	fake_zk_connect();
	a = agent_start();
	run_until(a, a->state == AGENT_LIVE);
	assert_same(&p);
	assert_int_equal(fake_log_count("VPC 100: kernel digest differs at epoch 2; reloading the snapshot"), 1);
	assert_int_equal(fake_log_count("VPC 100: epoch 2 -> 2 repaired (snapshot, 1 changes, 4 routes, "), 1);
	assert_int_equal(writes(), 1);
	finish(a, &p);
}

/* Tampered, then a delta: the commit's digest gives it away, and the whole is put right in one step. */
static void test_repair_on_delta(void **state)
{
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	tamper(100);
	pub_change(&p, 80);
	run_until(a, reached(&p));
	assert_same(&p);
	assert_int_equal(fake_log_count("stays at epoch 1: VPC 100: another digest"), 1);
	finish(a, &p);
}

/* The kernel's elements are right and its running sum is not. */
static void test_skewed_digest(void **state)
{
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	agent_free(a);
	fake_kernel_skew(100);
	fake_calls = (struct fake_calls){ 0 };
	fake_zk_connect();
	a = agent_start();
	run_until(a, a->state == AGENT_LIVE);
	assert_same(&p);
	assert_int_equal(fake_calls.replace, 1);
	finish(a, &p);
}

static void test_gap(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	add_route(&p, 80, 1);
	pub_delta(&p, 0);
	fake_zk_del(vpc_path_delta(100, 2, path));
	pub_change(&p, 81);
	/* HEAD says that l2 is there; it was collected, and the next HEAD knows. */
	run_until(a, fake_zk_gets("/l2") >= 1);
	run_idle(a);
	assert_int_equal(fake_kernel_vpc(100)->epoch, 1);
	pub_snapshot(&p);
	pub_head(&p);
	run_until(a, reached(&p));
	assert_same(&p);
	finish(a, &p);
}

static void test_backwards(void **state)
{
	struct agent *a;
	struct pub p, old;

	pub_start(&old, 100, 3, false);
	a = start_live(&p, 100);
	pub_change(&p, 80);
	run_until(a, reached(&p));
	fake_calls = (struct fake_calls){ 0 };
	pub_head(&old);
	run_idle(a);
	assert_int_equal(writes(), 0);
	assert_int_equal(fake_log_count("epoch 1 is older than the kernel's 2; refused"), 1);
	fake_zk_disconnect();
	fake_zk_connect();
	run_until(a, a->state == AGENT_LIVE);
	assert_int_equal(fake_log_count("is older than the kernel's"), 1);
	pub_change(&p, 81);
	run_until(a, reached(&p));
	assert_same(&p);
	pub_clear(&old);
	finish(a, &p);
}

/* One line that names the node and the field, the last good state stays, and a good node heals it. */
static void test_malformed_head(void **state)
{
	/* clang-format off */
	static const struct { const char *data, *says; } cases[] = {
		{ "{\"v\":1,\"vni\":100,\"epo", "" },
		{ "[]", "" },
		{ "{\"v\":2,\"vni\":100}", "v: " },
		{ "{\"v\":1,\"vni\":\"100\",\"epoch\":9}", "vni: " },
		{ "{\"v\":1,\"vni\":101,\"epoch\":0,\"snapshot\":0,\"chunks\":0,\"oldest\":1,"
		  "\"digest\":\"00000000000000000000000000000000\","
		  "\"snapshot_digest\":\"00000000000000000000000000000000\","
		  "\"change\":\"\",\"time\":0,\"quota\":0}", "vni: 101 where 100 belongs" },
	};
	/* clang-format on */
	char path[VPC_ZNODE_PATH_MAX];
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	vpc_path_vpc(100, path);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fake_log_reset();
		fake_calls = (struct fake_calls){ 0 };
		put_text(path, cases[i].data);
		run_until(a, fake_log_count("VPC 100: /vpc/v1/vpcs/64/100 (version "));
		fake_zk_disconnect();
		fake_zk_connect();
		run_until(a, a->state == AGENT_LIVE);
		assert_int_equal(fake_log_count("VPC 100: "), 1);
		assert_int_equal(fake_log_count(cases[i].says) > 0, 1);
		assert_int_equal(writes(), 0);
		assert_same(&p);
		pub_change(&p, 80 + i);
		run_until(a, reached(&p));
	}
	assert_same(&p);
	finish(a, &p);
}

/* An empty HEAD is none yet: a first snapshot is being written, or the VPC deleted. */
static void test_empty_head(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct agent *a;
	struct pub p, q;

	a = start_live(&p, 100);
	put_text(vpc_path_vpc(100, path), "");
	put_text(vpc_path_vpc(200, path), "");
	want_port(2, 200);
	pub_ports();
	run_until(a, fake_log_count(": no HEAD yet; waiting for it") == 2);
	run_idle(a);
	assert_int_equal(fake_log_count("(version "), 0);
	assert_same(&p);
	assert_null(fake_kernel_port("tap2"));
	pub_start(&q, 200, 3, false);
	run_until(a, fake_kernel_port("tap2"));
	assert_same(&q);
	pub_clear(&q);
	finish(a, &p);
}

/* A VPC that has no HEAD has said so: comparing the kernel again must not wait for one. */
static void test_events_lost_without_head(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct agent *a;
	struct pub p, q;

	a = start_live(&p, 100);
	want_port(2, 200);
	pub_ports();
	run_until(a, fake_log_count("VPC 200: /vpc/v1/vpcs/c8/200: no such node") == 1);
	for (unsigned int i = 0; i < 2; i++) {
		run_until(a, a->state == AGENT_LIVE);
		fake_kernel_lose_events();
		run_until(a, fake_log_count("syncing: comparing the kernel again") == i + 1);
		run_until(a, a->state == AGENT_LIVE);
		/* The same for one that is there and empty. */
		put_text(vpc_path_vpc(200, path), "");
		run_until(a, fake_log_count("VPC 200: /vpc/v1/vpcs/c8/200: no HEAD yet") == 1);
	}
	assert_int_equal(follows_failing(a->follows), 1);
	assert_int_equal(fake_log_count("VPC 200: /vpc"), 2);
	pub_start(&q, 200, 3, false);
	run_until(a, fake_kernel_port("tap2") && !follows_failing(a->follows));
	pub_clear(&q);
	finish(a, &p);
}

static void reason_of(const struct follow_info *info, void *arg)
{
	*(const char **)arg = info->reason;
}

/* HEAD is malformed until it is written again, whatever is compared or ends meanwhile. */
static void test_malformed_head_stays(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];
	const char *reason = NULL;
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	fake_zk_hold("/l2");
	pub_change(&p, 80);
	run_until(a, fake_zk_gets("/l2"));
	put_text(vpc_path_vpc(100, path), "{");
	run_until(a, fake_log_count("(version 2): "));
	/* The work that the HEAD before asked for ends well. */
	fake_zk_hold(NULL);
	run_until(a, reached(&p));
	for (unsigned int i = 0; i < 2; i++) {
		run_idle(a);
		follows_each(a->follows, reason_of, &reason);
		assert_non_null(reason);
		assert_non_null(strstr(reason, "HEAD (version 2): "));
		assert_int_equal(follows_failing(a->follows), 1);
		fake_kernel_lose_events();
		run_until(a, fake_log_count("events were lost") == i + 1);
	}
	assert_int_equal(fake_log_count("at HEAD again"), 0);
	assert_int_equal(fake_log_count("(version 2): "), 1);
	pub_change(&p, 81);
	run_until(a, reached(&p) && !follows_failing(a->follows));
	assert_int_equal(fake_log_count("at HEAD again"), 1);
	finish(a, &p);
}

static void test_malformed_ports(void **state)
{
	static const char other[] = "{\"v\":1,\"host\":\"h2\",\"revision\":5,\"vtep\":\"192.0.2.12\",\"udp_port\":4789,"
				    "\"ports\":[]}";
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	fake_calls = (struct fake_calls){ 0 };
	put_text(ports_path(), other);
	run_until(a, fake_log_count("host: 'h2' where 'h1' belongs; keeping the last good one") == 1);
	put_text(ports_path(), "{");
	run_until(a, fake_log_count("keeping the last good one") == 2);
	fake_zk_del(ports_path());
	run_until(a, fake_log_count("keeping what the kernel has") == 1);
	run_idle(a);
	assert_int_equal(writes(), 0);
	want_port(2, 100);
	pub_ports();
	run_until(a, fake_kernel_port("tap2"));
	finish(a, &p);
}

/* A delta that cannot be read is gone around by the snapshot, once there is one that is new enough. */
static void test_malformed_delta(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	add_route(&p, 80, 1);
	pub_delta(&p, 0);
	put_text(vpc_path_delta(100, 2, path), "{\"v\":1,\"vni\":100,\"base\":\"x\"}");
	pub_head(&p);
	run_until(a, fake_log_count("VPC 100: stays at epoch 1: /vpc/v1/vpcs/64/100/l2: "));
	assert_int_equal(fake_kernel_vpc(100)->epoch, 1);
	pub_snapshot(&p);
	pub_head(&p);
	run_until(a, reached(&p));
	assert_same(&p);
	finish(a, &p);
}

/* Chunks that are malformed, gone, or not what HEAD's digest promises: the kernel stays as it is, one line each. */
static void test_bad_snapshot(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct agent *a;
	struct pub p;
	char *good;

	a = start_live(&p, 100);
	for (unsigned int i = 0; i < 3; i++)
		pub_delta(&p, 0);
	pub_snapshot(&p);
	vpc_path_chunk(100, 4, 0, path);
	good = strdup(fake_zk_data(path));
	fake_calls = (struct fake_calls){ 0 };

	fake_zk_set(path, good, strlen(good) / 2);
	pub_head(&p);
	run_until(a, fake_log_count("stays at epoch 1: /vpc/v1/vpcs/64/100/s4/c000: ") == 1);
	fake_zk_del(path);
	run_until(a, fake_log_count("/s4/c000: is gone") == 1);
	*strstr(good, "10.0.0.2/32") = '9';
	*strstr(good, "90.0.0.2/32") = '1';
	strstr(good, "10.0.0.2/32")[7] = '9';
	put_text(path, good);
	run_until(a, fake_log_count("snapshot_digest: ") == 1);
	assert_int_equal(writes(), 0);
	strstr(good, "10.0.0.9/32")[7] = '2';
	put_text(path, good);
	run_until(a, reached(&p));
	assert_same(&p);
	free(good);
	finish(a, &p);
}

static void test_kernel_refuses(void **state)
{
	static const int codes[] = { -ENOMEM, -ESTALE, -EBADMSG, -EINVAL, -ENOENT };
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	pub_snapshot(&p);
	pub_head(&p);
	run_idle(a);
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		fake_log_reset();
		/* The delta, then the whole: it goes on trying, and says it once. */
		fake_kernel_refuse(codes[i], 4);
		pub_change(&p, 90 + i);
		run_until(a, fake_log_count("stays at epoch "));
		assert_false(reached(&p));
		run_until(a, reached(&p));
		assert_same(&p);
		assert_int_equal(fake_log_count("refused by the test"), 1);
	}
	finish(a, &p);
}

static void test_isolated(void **state)
{
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	fake_calls = (struct fake_calls){ 0 };
	fake_zk_disconnect();
	run_until(a, a->state == AGENT_ISOLATED);
	pub_change(&p, 80);
	want_port(2, 100);
	pub_ports();
	run_idle(a);
	assert_int_equal(writes(), 0);
	assert_int_equal(fake_log_count("isolated: "), 1);
	fake_zk_connect();
	run_until(a, a->state == AGENT_LIVE);
	assert_same(&p);
	assert_non_null(fake_kernel_port("tap2"));
	finish(a, &p);
}

/* The connection goes in the middle of everything; what was under way is begun again. */
static void test_lost_in_the_middle(void **state)
{
	static const char *const at[] = { "/s1/", "/l2", "ports", "vpcs/64/100" };

	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		struct agent *a;
		struct pub p;

		rig_setup(NULL);
		pub_start(&p, 100, 30000, true);
		pub_change(&p, 40000);
		want_port(1, 100);
		pub_ports();
		fake_zk_hold(at[i]);
		fake_zk_connect();
		a = agent_start();
		run_until(a, fake_zk_gets(at[i]));
		run_idle(a);
		fake_zk_disconnect();
		run_until(a, a->state == AGENT_ISOLATED);
		fake_zk_hold(NULL);
		run_idle(a);
		fake_zk_connect();
		run_until(a, a->state == AGENT_LIVE);
		assert_same(&p);
		assert_int_equal(fake_log_count("stays at"), 0);
		want_nothing();
		finish(a, &p);
	}
}

/* The node of the session before is still there when the agent comes back: it becomes ours, not the old one's. */
static void test_alive(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct agent *a;
	struct pub p;

	vpc_path_host("h1", "alive", path);
	pub_start(&p, 100, 1, false);
	want_port(1, 100);
	pub_ports();
	put_text(path, "");
	fake_zk_connect();
	a = agent_start();
	run_until(a, a->state == AGENT_LIVE && fake_zk_session_owns(path));
	fake_zk_expire();
	run_until(a, a->state == AGENT_ISOLATED);
	assert_null(fake_zk_data(path));
	fake_zk_connect();
	run_until(a, a->state == AGENT_LIVE && fake_zk_session_owns(path));
	/* Its watches went with the session; new ones are there. */
	pub_change(&p, 80);
	run_until(a, reached(&p));
	finish(a, &p);
}

static void put_alive(const char *path, const char *boot_id, uint64_t netns)
{
	struct vpc_alive other = { .netns = netns, .token = "0123456789abcdef", .node = "elsewhere", .pid = 7 };
	_cleanup_free_ char *data = NULL;
	size_t len;

	snprintf(other.boot_id, sizeof(other.boot_id), "%s", boot_id);
	assert_int_equal(vpc_alive_format(&other, &data, &len), 0);
	fake_zk_set(path, data, len);
}

static struct vpc_alive read_alive(const char *path)
{
	struct vpc_alive alive;
	struct vpc_err err;

	assert_int_equal(vpc_alive_parse(fake_zk_data(path), strlen(fake_zk_data(path)), &alive, &err), 0);
	return alive;
}

/* The second of two hosts with one name says so, and leaves the first one's nodes alone until that one is gone. */
static void test_two_hosts(void **state)
{
	char alive[VPC_ZNODE_PATH_MAX], status[VPC_ZNODE_PATH_MAX];
	struct vpc_alive ours;
	struct agent *a;
	struct pub p;

	vpc_path_host("h1", "alive", alive);
	vpc_path_host("h1", "status", status);
	put_alive(alive, "11111111-2222-3333-4444-555555555555", 4026531840);
	put_text(status, "the first one's");
	a = start_live(&p, 100);
	pub_change(&p, 80);
	run_until(a, reached(&p));
	run_idle(a);
	assert_int_equal(fake_log_count("another host has the name h1: elsewhere, "
					"boot 11111111-2222-3333-4444-555555555555, pid 7"),
			 1);
	assert_false(fake_zk_session_owns(alive));
	assert_string_equal(fake_zk_data(status), "the first one's");
	/* A new session of ours changes nothing. */
	fake_zk_expire();
	fake_zk_connect();
	run_until(a, fake_log_count("new session") == 2);
	run_idle(a);
	assert_int_equal(fake_log_count("another host has the name"), 1);
	assert_string_equal(fake_zk_data(status), "the first one's");
	fake_zk_del(alive);
	run_until(a, fake_zk_session_owns(alive) && strstr(fake_zk_data(status), "[[100,2,"));
	assert_int_equal(fake_log_count("the other host has gone, the name h1 is ours"), 1);
	/* Another one that does not keep away: neither do we fight. */
	ours = read_alive(alive);
	fake_zk_del(alive);
	put_alive(alive, "11111111-2222-3333-4444-555555555555", 4026531840);
	run_until(a, fake_log_count("another host has the name") == 2);
	run_idle(a);
	assert_false(fake_zk_session_owns(alive));
	/* One more network namespace of this machine is another host; the agent before us in this one is not. */
	put_alive(alive, ours.boot_id, ours.netns + 1);
	run_idle(a);
	assert_false(fake_zk_session_owns(alive));
	put_alive(alive, ours.boot_id, ours.netns);
	run_until(a, fake_zk_session_owns(alive));
	finish(a, &p);
}

/* rmmod and insmod under the agent: it comes back by itself and builds everything again. */
static void test_module_replaced(void **state)
{
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	fake_kernel_unload();
	run_until(a, !agent_kernel(a));
	pub_change(&p, 80);
	run_idle(a);
	fake_kernel_reset();
	run_until(a, fake_kernel_port("tap1") && a->state == AGENT_LIVE);
	assert_same(&p);
	/* So quickly that no call failed: the instance tells. */
	fake_kernel_reset();
	run_until(a, fake_kernel_port("tap1") && a->state == AGENT_LIVE);
	assert_same(&p);
	assert_int_equal(fake_log_count("another vpc.ko answers than before"), 1);
	/* Found by a failing call. */
	fake_kernel_unload();
	pub_change(&p, 81);
	run_until(a, !agent_kernel(a));
	fake_kernel_reset();
	run_until(a, fake_kernel_port("tap1") && a->state == AGENT_LIVE);
	assert_same(&p);
	assert_int_equal(fake_log_count("stays at"), 0);
	finish(a, &p);
}

/* The same in the middle of a delta. */
static void test_module_replaced_in_delta(void **state)
{
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	fake_zk_hold("/l2");
	pub_change(&p, 80);
	run_until(a, fake_zk_gets("/l2"));
	fake_kernel_reset();
	run_until(a, fake_log_count("another vpc.ko answers than before") && agent_kernel(a));
	fake_zk_hold(NULL);
	run_until(a, fake_kernel_port("tap1") && a->state == AGENT_LIVE);
	assert_same(&p);
	assert_int_equal(fake_log_count("stays at"), 0);
	finish(a, &p);
}

/* `status` has what the kernel has, not what it had. */
static void test_status_without_module(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	vpc_path_host("h1", "status", path);
	run_until(a, fake_zk_data(path) && strstr(fake_zk_data(path), "\"revision\":1,") &&
			     strstr(fake_zk_data(path), "[[100,1,"));
	fake_kernel_unload();
	run_until(a, strstr(fake_zk_data(path), "\"revision\":0,"));
	assert_non_null(strstr(fake_zk_data(path), "\"vpcs\":[]"));
	assert_non_null(strstr(fake_zk_data(path), "\"instance\":\"0000000000000000\""));
	/* There again, and the VPC held up: neither it nor the port is. */
	fake_zk_hold("/l1");
	fake_kernel_reset();
	run_until(a, !strstr(fake_zk_data(path), "\"instance\":\"0000000000000000\""));
	run_idle(a);
	assert_non_null(strstr(fake_zk_data(path), "\"revision\":0,"));
	assert_non_null(strstr(fake_zk_data(path), "[[100,0,"));
	fake_zk_hold(NULL);
	run_until(a, strstr(fake_zk_data(path), "\"revision\":1,") && strstr(fake_zk_data(path), "[[100,1,"));
	assert_non_null(fake_kernel_port("tap1"));
	finish(a, &p);
}

/* Events are lost while deltas are read: what the kernel has is still known, and the deltas lead on from there. */
static void test_events_lost_in_delta(void **state)
{
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	fake_zk_hold("/l2");
	pub_change(&p, 80);
	pub_change(&p, 81);
	run_until(a, fake_zk_gets("/l2"));
	fake_kernel_lose_events();
	run_until(a, fake_log_count("events were lost"));
	run_idle(a);
	fake_zk_hold(NULL);
	run_until(a, reached(&p));
	assert_same(&p);
	run_until(a, a->state == AGENT_LIVE);
	assert_int_equal(fake_calls.dump + fake_calls.replace, 0);
	assert_int_equal(fake_zk_gets("/l2"), 1);
	finish(a, &p);
}

/* A dump that was cut short is no shorter table: nothing is deleted for it, and it is asked again. */
static void test_dump_interrupted(void **state)
{
	static const int codes[] = { -EINTR, -ENOBUFS, -ETIMEDOUT };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		struct pub p;
		struct agent *a = start_live(&p, 100);

		tamper(100);
		fake_kernel_fail_dumps(codes[i], 3);
		fake_kernel_lose_events();
		run_until(a, fake_log_count("interrupted by the test"));
		assert_int_equal(fake_kernel_vpc(100)->epoch, p.state.epoch);
		run_until(a, fake_log_count("repaired"));
		assert_same(&p);
		assert_int_equal(fake_calls.vpc_del + fake_calls.port_del, 0);
		finish(a, &p);
		rig_teardown(state);
	}
}

static void test_list_interrupted(void **state)
{
	struct pub p;
	struct agent *a = start_live(&p, 100);

	fake_kernel_fail_dumps(-EINTR, 4);
	want_nothing();
	want_port(2, 100);
	pub_ports();
	run_until(a, fake_log_count("ports revision 2: the dump was interrupted by the test"));
	assert_non_null(fake_kernel_port("tap1"));
	assert_null(fake_kernel_port("tap2"));
	run_until(a, fake_kernel_port("tap2") && !fake_kernel_port("tap1"));
	/* Said once, however often it failed. */
	assert_int_equal(fake_log_count("interrupted by the test"), 1);
	finish(a, &p);
}

static void test_events(void **state)
{
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	fake_kernel_event(&(struct kernel_event){ .event = VPC_EVENT_PORT_ABSENT, .ifname = "tap1" });
	fake_kernel_event(&(struct kernel_event){ .event = VPC_EVENT_PORT_PRESENT, .ifname = "tap1" });
	run_until(a, fake_log_count("port tap1: its device is there"));
	assert_int_equal(fake_log_count("port tap1: its device is gone"), 1);
	/* Lost ones may have been anything: all is compared, and here nothing differs. */
	fake_calls = (struct fake_calls){ 0 };
	fake_kernel_lose_events();
	run_until(a, fake_log_count("events were lost"));
	run_until(a, a->state == AGENT_LIVE);
	assert_int_equal(writes(), 0);
	finish(a, &p);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_repair),
		TEST(test_repair_on_delta),
		TEST(test_skewed_digest),
		TEST(test_gap),
		TEST(test_backwards),
		TEST(test_malformed_head),
		TEST(test_events_lost_without_head),
		TEST(test_malformed_head_stays),
		TEST(test_malformed_ports),
		TEST(test_malformed_delta),
		TEST(test_bad_snapshot),
		TEST(test_kernel_refuses),
		TEST(test_isolated),
		TEST(test_lost_in_the_middle),
		TEST(test_alive),
		TEST(test_two_hosts),
		TEST(test_module_replaced),
		TEST(test_dump_interrupted),
		TEST(test_list_interrupted),
		TEST(test_events),
		TEST(test_empty_head),
		TEST(test_module_replaced_in_delta),
		TEST(test_status_without_module),
		TEST(test_events_lost_in_delta),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
