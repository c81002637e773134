// SPDX-License-Identifier: Apache-2.0
/*
 * The whole agent, and VPCs that are deleted while their snapshots are being read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "../../agent/follow.h"
#include "agent_rig.h"

/* What a publisher does to a VPC that CDB has no more: HEAD is emptied, then what is below it goes, then HEAD. */
static void vpc_deleted(const struct pub *p)
{
	char path[VPC_ZNODE_PATH_MAX];

	put_text(vpc_path_vpc(p->state.vni, path), "");
	for (uint32_t i = 0; i < p->head.chunks; i++)
		fake_zk_del(vpc_path_chunk(p->state.vni, p->head.snapshot, i, path));
	fake_zk_del(vpc_path_vpc(p->state.vni, path));
}

/*
 * By an agent whose kernel has an older epoch of it (100), and by one that has nothing yet (200). What is there stays
 * as long as `ports` names it, and no half of a snapshot is installed.
 */
static void test_deleted_while_read(void **state)
{
	struct pub p, q, old;
	struct agent *a;

	pub_start(&old, 100, 3, false);
	a = start_live(&p, 100);
	fake_zk_hold("/c00");
	pub_start(&q, 200, 3, true);
	want_port(2, 200);
	pub_ports();
	add_route(&p, 90, 1);
	pub_delta(&p, 0);
	pub_snapshot(&p);
	pub_head(&p);
	/* One asks, the other waits for its turn. */
	run_until(a, fake_zk_gets("/c00"));
	run_idle(a);
	fake_calls = (struct fake_calls){ 0 };
	vpc_deleted(&p);
	vpc_deleted(&q);
	/* The answers come when the nodes are gone, and HEAD's before them or after. */
	run_idle(a);
	fake_zk_hold(NULL);
	run_until(a, fake_log_count("100: no such node; waiting") && fake_log_count("200: no such node; waiting"));
	run_idle(a);
	assert_int_equal(a->state, AGENT_LIVE);
	assert_int_equal(follows_failing(a->follows), 2);
	/* Whatever else is compared meanwhile: the reason stays, and what is gone is not spoken of as a fault. */
	fake_kernel_lose_events();
	run_until(a, fake_log_count("events were lost"));
	run_until(a, a->state == AGENT_LIVE);
	run_idle(a);
	assert_int_equal(fake_log_count("no such node; waiting"), 2);
	assert_int_equal(fake_log_count("is gone"), 0);
	assert_int_equal(writes(), 0);
	assert_same(&old);
	assert_non_null(fake_kernel_port("tap1"));
	assert_null(fake_kernel_port("tap2"));
	/* Back, at a higher epoch as CDB sees to it. */
	add_route(&p, 91, 1);
	pub_delta(&p, 0);
	pub_snapshot(&p);
	pub_head(&p);
	run_until(a, reached(&p) && follows_failing(a->follows) == 1);
	assert_same(&p);
	want_nothing();
	pub_ports();
	run_until(a, !fake_kernel_vpc(100) && !fake_kernel_port("tap1"));
	run_until(a, a->state == AGENT_LIVE && !follows_failing(a->follows));
	pub_clear(&old);
	pub_clear(&q);
	finish(a, &p);
}

/* The same, and `ports` comes before the chunk does: what is asked is taken back. */
static void test_unwanted_while_read(void **state)
{
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	fake_zk_hold("/c00");
	add_route(&p, 90, 1);
	pub_delta(&p, 0);
	pub_snapshot(&p);
	pub_head(&p);
	run_until(a, fake_zk_gets("/s2/c00"));
	vpc_deleted(&p);
	want_nothing();
	pub_ports();
	run_until(a, !fake_kernel_vpc(100) && !fake_kernel_port("tap1"));
	fake_zk_hold(NULL);
	run_idle(a);
	assert_int_equal(a->state, AGENT_LIVE);
	assert_null(fake_kernel_vpc(100));
	pub_clear(&p);
	pub_start(&p, 100, 5, true);
	want_port(1, 100);
	pub_ports();
	run_until(a, fake_kernel_port("tap1"));
	assert_same(&p);
	finish(a, &p);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_deleted_while_read),
		TEST(test_unwanted_while_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
