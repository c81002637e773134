// SPDX-License-Identifier: Apache-2.0
/*
 * The agent under many changes at once, and without an end: nothing is missed, and nothing is done more often than need
 * be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "../../agent/follow.h"
#include "agent_rig.h"

/* Of HEAD alone, without what is below it. */
static unsigned int head_reads(uint32_t vni)
{
	char path[VPC_ZNODE_PATH_MAX];
	unsigned int all = fake_zk_gets(vpc_path_vpc(vni, path));

	return all - fake_zk_gets(strcat(path, "/"));
}

/* An agent that is live with @n VPCs, from 1000 on. @vnis has to outlive it. */
static struct agent *start_many(struct pub *p, uint32_t *vnis, unsigned int n)
{
	struct agent *a;

	for (unsigned int i = 0; i < n; i++) {
		vnis[i] = 1000 + i;
		pub_start(&p[i], vnis[i], 1, true);
	}
	host_ports.vpcs = vnis;
	host_ports.n_vpcs = n;
	pub_ports();
	fake_zk_connect();
	a = agent_start();
	run_until(a, a->state == AGENT_LIVE);
	return a;
}

/* A thousand watches fire at once: each change is applied once, none is missed, and read no more often than need be. */
static void test_many_events(void **state)
{
	enum { N = 1000 };
	struct pub *p = calloc(N, sizeof(*p));
	uint32_t *vnis = calloc(N, sizeof(*vnis));
	char path[VPC_ZNODE_PATH_MAX];
	unsigned int before;
	struct agent *a;
	uint64_t begun;

	a = start_many(p, vnis, N);
	fake_calls = (struct fake_calls){ 0 };
	for (unsigned int i = 0; i < N; i++)
		pub_change(&p[i], 10);
	run_until(a, fake_calls.apply == N);
	run_idle(a);
	for (unsigned int i = 0; i < N; i++)
		assert_true(reached(&p[i]));
	assert_int_equal(writes(), N);
	assert_int_equal(fake_zk_gets("/l2"), N);
	assert_int_equal(a->state, AGENT_LIVE);
	/* With so many changes going on, a node that was read just now is not read again for each of its own. */
	for (unsigned int i = 0; i < N; i++)
		pub_change(&p[i], 11);
	sd_event_run(a->event, 0);
	before = head_reads(1000);
	for (unsigned int i = 0; i < 20; i++) {
		pub_change(&p[0], 20 + i);
		sd_event_run(a->event, 1000);
	}
	run_until(a, reached(&p[0]));
	assert_true(head_reads(1000) - before < 10);
	run_until(a, fake_calls.apply == 2 * N + 20);
	/* While that goes on, it is read without a watch; when it has ended, one is set again. */
	vpc_path_vpc(1000, path);
	for (uint64_t begun = now_monotonic_us(), since = begun, now = begun; now - since < 600000;) {
		pub_head(&p[0]);
		sd_event_run(a->event, 1000);
		now = now_monotonic_us();
		assert_true(now - begun < WAIT_US);
		if (fake_zk_watched(path))
			since = now;
	}
	run_until(a, reached(&p[0]));
	run_until(a, fake_zk_watched(path));
	/* Not each of a thousand changes in a second is in the log, but, when it is over, that there were more. */
	fake_log_reset();
	begun = now_monotonic_us();
	for (unsigned int i = 0; i < N && !fake_log_count(" more changes of VPCs in one second: "); i++) {
		pub_change(&p[i], 4002);
		sd_event_run(a->event, 0);
	}
	run_until(a, fake_log_count(" more changes of VPCs in one second: ") > 0);
	assert_true(fake_log_count(", change ") <= 100 * ((now_monotonic_us() - begun) / 1000000 + 2));
	for (unsigned int i = 0; i < N; i++)
		run_until(a, reached(&p[i]));
	agent_free(a);
	for (unsigned int i = 0; i < N; i++)
		pub_clear(&p[i]);
	free(p);
	free(vnis);
}

/* Changes go round all but the first one for so long, and until they are too many for watches. */
static void storm(struct agent *a, struct pub *p, unsigned int n, uint64_t us)
{
	uint64_t begun = now_monotonic_us(), now = begun;
	char path[VPC_ZNODE_PATH_MAX];

	vpc_path_vpc(p[n - 1].state.vni, path);
	for (unsigned int i = 0; now - begun < us || fake_zk_watched(path); i++) {
		pub_change(&p[1 + i % (n - 1)], i);
		sd_event_run(a->event, 0);
		now = now_monotonic_us();
		assert_true(now - begun < WAIT_US);
	}
}

/* Beside all this, what changes now and then keeps its watch; what leaves while it waits to be read is let alone. */
static void test_few_among_many(void **state)
{
	enum { N = 20 };
	uint32_t vnis[N];
	struct pub p[N];
	char path[VPC_ZNODE_PATH_MAX];
	unsigned int before;
	struct agent *a;

	a = start_many(p, vnis, N);
	pub_change(&p[0], 1);
	run_until(a, reached(&p[0]));
	storm(a, p, N, 350000);
	pub_change(&p[0], 2);
	run_until(a, reached(&p[0]));
	assert_true(fake_zk_watched(vpc_path_vpc(vnis[0], path)));
	storm(a, p, N, 50000);
	host_ports.n_vpcs = N - 1;
	pub_ports();
	run_until(a, follows_count(a->follows) == N - 1);
	before = head_reads(vnis[N - 1]);
	for (uint64_t end = now_monotonic_us() + 300000; now_monotonic_us() < end;)
		sd_event_run(a->event, 10000);
	assert_int_equal(head_reads(vnis[N - 1]), before);
	agent_free(a);
	for (unsigned int i = 0; i < N; i++)
		pub_clear(&p[i]);
}

/* Where changes never end, few of them make the agent write its status at once. */
static void test_status_pace(void **state)
{
	_cleanup_free_ char *text = NULL;
	char path[VPC_ZNODE_PATH_MAX], epoch[40];
	uint64_t begun, second;
	unsigned int i, n = 0;
	struct agent *a;
	struct pub p;

	vpc_path_host("h1", "status", path);
	a = start_live(&p, 100);
	run_idle(a);
	begun = now_monotonic_us();
	for (i = 0; now_monotonic_us() - begun < 4000000; i++) {
		pub_change(&p, i);
		run_until(a, reached(&p));
		sd_event_run(a->event, 20000);
		if (!text || strcmp(text, fake_zk_data(path))) {
			free(text);
			text = strdup(fake_zk_data(path));
			n++;
		}
	}
	second = (now_monotonic_us() - begun) / 1000000;
	assert_in_range(n, 4, 10 + second + 2);
	/* What came last is written, too. */
	snprintf(epoch, sizeof(epoch), "[100,%" PRIu64 ",", p.head.epoch);
	run_until(a, strstr(fake_zk_data(path), epoch));
	finish(a, &p);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = { TEST(test_many_events), TEST(test_few_among_many), TEST(test_status_pace) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
