// SPDX-License-Identifier: Apache-2.0
/*
 * The agent and the deltas that HEAD itself has: used together where they lead on from the kernel's epoch, and read as
 * nodes, tried one by one or planned anew where not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "agent_rig.h"

/* HEAD as the publisher writes it, with the @n deltas that lead to it. */
static void pub_head_last(struct pub *p, const char *const *texts, size_t n)
{
	char path[VPC_ZNODE_PATH_MAX], *data;
	struct vpc_last last = { .n = 0 };
	size_t len;

	for (size_t i = 0; i < n; i++)
		vpc_last_push(&last, texts[i]);
	p->head.epoch = p->state.epoch;
	p->head.digest = p->state.digest;
	assert_int_equal(vpc_head_format_last(&p->head, &last, &data, &len), 0);
	fake_zk_set(vpc_path_vpc(p->state.vni, path), data, len);
	free(data);
}

/* One more route, into a delta; its text, owned. */
static char *next_delta(struct pub *p, unsigned int n)
{
	char path[VPC_ZNODE_PATH_MAX];

	add_route(p, n, 1);
	pub_delta(p, 0);
	return strdup(fake_zk_data(vpc_path_delta(p->state.vni, p->state.epoch, path)));
}

/* One of several deltas has another digest than its content: those before it are applied, and it is named. */
static void test_bad_delta_among_good(void **state)
{
	char *two = NULL, *three = NULL, *digest;
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	two = next_delta(&p, 102);
	three = next_delta(&p, 103);
	digest = strstr(three, "\"digest\":\"") + strlen("\"digest\":\"");
	*digest = *digest == '0' ? '1' : '0';
	pub_head_last(&p, (const char *[]){ two, three }, 2);
	run_until(a, fake_log_count("stays at epoch 2: the delta to epoch 3 in HEAD: ") == 1);
	assert_int_equal(fake_kernel_vpc(100)->epoch, 2);
	assert_int_equal(fake_log_count("VPC 100: epoch 1 -> 2 (1 delta, "), 1);
	free(two);
	free(three);
	finish(a, &p);
}

/* Somebody else took the kernel further meanwhile: it is planned anew from there, and nothing is said to be refused. */
static void test_row_overtaken(void **state)
{
	_cleanup_free_ char *two = NULL, *three = NULL;
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	two = next_delta(&p, 102);
	three = next_delta(&p, 103);
	fake_calls = (struct fake_calls){ 0 };
	assert_int_equal(fake_kernel_vpc(100)->epoch, 1);
	fake_kernel_vpc(100)->epoch = 3;
	pub_head_last(&p, (const char *[]){ two, three }, 2);
	run_until(a, fake_log_count("reloading the snapshot") == 1);
	assert_int_equal(fake_calls.apply, 1);
	assert_int_equal(fake_log_count("stays at epoch"), 0);
	finish(a, &p);
}

/* What the kernel refuses of several deltas at once is tried one by one. */
static void test_deltas_refused_together(void **state)
{
	_cleanup_free_ char *two = NULL, *three = NULL;
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	fake_calls = (struct fake_calls){ 0 };
	two = next_delta(&p, 102);
	three = next_delta(&p, 103);
	fake_kernel_refuse(-EINVAL, 1);
	pub_head_last(&p, (const char *[]){ two, three }, 2);
	run_until(a, reached(&p));
	assert_same(&p);
	assert_int_equal(fake_calls.apply, 3);
	assert_int_equal(fake_log_count("stays at epoch"), 0);
	finish(a, &p);
}

/* A HEAD with its deltas in it needs no other read; what does not fit the kernel, or is no delta, is read as ever. */
static void test_deltas_in_head(void **state)
{
	static const char *const bad[] = { "{}", "7", "{\"v\":1,\"vni\":100,\"base\":4,\"epoch\":6}" };
	_cleanup_free_ char *two = NULL, *three = NULL, *four = NULL, *five = NULL;
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	fake_calls = (struct fake_calls){ 0 };
	two = next_delta(&p, 102);
	three = next_delta(&p, 103);
	pub_head_last(&p, (const char *[]){ two, three }, 2);
	run_until(a, reached(&p));
	assert_same(&p);
	assert_int_equal(fake_zk_gets("/l2") + fake_zk_gets("/l3"), 0);
	assert_int_equal(fake_calls.apply, 1);
	assert_int_equal(fake_calls.apply_ops, 2);
	assert_int_equal(writes(), 1);
	assert_int_equal(fake_log_count("VPC 100: epoch 1 -> 3 (2 deltas, "), 1);
	/* One HEAD was missed: the last one's do not lead on from here. */
	four = next_delta(&p, 104);
	five = next_delta(&p, 105);
	pub_head_last(&p, (const char *[]){ five }, 1);
	run_until(a, reached(&p));
	assert_int_equal(fake_zk_gets("/l4"), 1);
	/* A part of them is there already. */
	pub_head_last(&p, (const char *[]){ four, five }, 2);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		free(next_delta(&p, 106 + i));
		pub_head_last(&p, &bad[i], 1);
		run_until(a, reached(&p));
		assert_same(&p);
	}
	assert_int_equal(fake_log_count("stays at"), 0);
	/* The kernel's refusal is one as ever. */
	fake_kernel_refuse(-ENOMEM, 1);
	free(two);
	two = next_delta(&p, 120);
	pub_head_last(&p, (const char *[]){ two }, 1);
	run_until(a, fake_log_count("stays at epoch 8: refused by the test"));
	pub_snapshot(&p);
	pub_head(&p);
	run_until(a, reached(&p));
	assert_same(&p);
	finish(a, &p);
}

/*
 * Far behind, only what HEAD does not have is read as nodes; also of a HEAD that came while the others were being read:
 * or else who is behind once under many changes reads each of them for ever.
 */
static void test_behind_head(void **state)
{
	char *texts[9];
	struct agent *a;
	struct pub p;

	a = start_live(&p, 100);
	for (unsigned int i = 0; i < 6; i++)
		texts[i] = next_delta(&p, 200 + i);
	fake_zk_hold("/l4");
	pub_head_last(&p, (const char *const *)&texts[3], 3);
	run_until(a, fake_zk_gets("/l4"));
	for (unsigned int i = 6; i < 9; i++)
		texts[i] = next_delta(&p, 200 + i);
	pub_head_last(&p, (const char *const *)&texts[3], 6);
	run_idle(a);
	fake_zk_hold(NULL);
	run_until(a, reached(&p));
	assert_same(&p);
	/* Epoch 1 was read so as well, at the start. */
	assert_int_equal(fake_zk_gets("/l2") + fake_zk_gets("/l3") + fake_zk_gets("/l4"), 3);
	assert_int_equal(fake_zk_gets("/l"), 4);
	assert_int_equal(fake_calls.replace + fake_calls.dump, 0);
	for (unsigned int i = 0; i < 9; i++)
		free(texts[i]);
	finish(a, &p);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_deltas_in_head),
		TEST(test_deltas_refused_together),
		TEST(test_bad_delta_among_good),
		TEST(test_row_overtaken),
		TEST(test_behind_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
