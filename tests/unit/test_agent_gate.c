// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's small helpers: who may work at the same time (agent/gate.c), when to try again (agent/backoff.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../../agent/backoff.h"
#include "../../agent/gate.h"
#include "../../lib/util.h"

#define N_SLOTS 20000

struct worker {
	struct gate_slot slot;
	struct gate *gate;
	int granted;
	bool leaves_at_once;
};

static struct worker workers[N_SLOTS];

static void granted(void *arg)
{
	struct worker *w = arg;

	w->granted++;
	assert_true(w->slot.held);
	assert_true(w->gate->used <= w->gate->max);
	if (w->leaves_at_once)
		gate_leave(&w->slot);
}

static void workers_init(struct gate *gate, bool leave)
{
	for (size_t i = 0; i < N_SLOTS; i++) {
		workers[i] = (struct worker){ .gate = gate, .leaves_at_once = leave };
		workers[i].slot.granted = granted;
		workers[i].slot.arg = &workers[i];
	}
}

static void test_gate_order(void **state)
{
	struct gate gate;

	gate_init(&gate, 2);
	workers_init(&gate, false);
	assert_true(gate_enter(&gate, &workers[0].slot));
	assert_true(gate_enter(&gate, &workers[1].slot));
	assert_true(gate_enter(&gate, &workers[1].slot));
	assert_int_equal(gate.used, 2);
	for (size_t i = 2; i < 6; i++)
		assert_false(gate_enter(&gate, &workers[i].slot));
	assert_false(gate_enter(&gate, &workers[3].slot));
	gate_leave(&workers[2].slot); /* stops waiting */
	gate_leave(&workers[0].slot);
	assert_int_equal(workers[3].granted, 1);
	gate_leave(&workers[0].slot); /* nothing */
	assert_int_equal(workers[4].granted, 0);
	gate_leave(&workers[1].slot);
	assert_int_equal(workers[4].granted, 1);
	gate_leave(&workers[3].slot);
	gate_leave(&workers[4].slot);
	assert_int_equal(workers[5].granted, 1);
	gate_leave(&workers[5].slot);
	assert_int_equal(gate.used, 0);
	assert_int_equal(workers[0].granted + workers[1].granted + workers[2].granted, 0);
}

/* Twenty thousand that give up as soon as they are let in do not nest twenty thousand calls. */
static void test_gate_stampede(void **state)
{
	struct gate gate;

	gate_init(&gate, 1);
	workers_init(&gate, true);
	assert_true(gate_enter(&gate, &workers[0].slot));
	for (size_t i = 1; i < N_SLOTS; i++)
		assert_false(gate_enter(&gate, &workers[i].slot));
	gate_leave(&workers[0].slot);
	for (size_t i = 1; i < N_SLOTS; i++)
		assert_int_equal(workers[i].granted, 1);
	assert_int_equal(gate.used, 0);
}

static void test_gate_change(void **state)
{
	struct gate one, other;

	gate_init(&one, 1);
	gate_init(&other, 1);
	workers_init(&one, false);
	assert_true(gate_enter(&one, &workers[0].slot));
	assert_false(gate_enter(&one, &workers[1].slot));
	assert_true(gate_enter(&other, &workers[0].slot));
	assert_int_equal(workers[1].granted, 1);
	gate_leave(&workers[1].slot);
	gate_leave(&workers[0].slot);
	assert_int_equal(one.used + other.used, 0);
}

static void test_backoff(void **state)
{
	static const uint32_t randoms[] = { 0, 1, 12345678, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(randoms); i++) {
		struct backoff b = { 0 };
		uint64_t full = BACKOFF_MIN_US;

		for (int n = 0; n < 100; n++) {
			uint64_t wait = backoff_next_us(&b, randoms[i]);

			assert_true(wait <= full && wait >= full / 2);
			if (!randoms[i])
				assert_int_equal(wait, full);
			full = full * 2 < BACKOFF_MAX_US ? full * 2 : BACKOFF_MAX_US;
		}
		backoff_reset(&b);
		assert_true(backoff_next_us(&b, 0) == BACKOFF_MIN_US);
	}
}

static void test_news(void **state)
{
	struct backoff b = { 0 };

	assert_true(backoff_is_news(&b, ""));
	assert_false(backoff_is_news(&b, ""));
	assert_true(backoff_is_news(&b, "one"));
	backoff_next_us(&b, 0);
	assert_false(backoff_is_news(&b, "one"));
	assert_true(backoff_is_news(&b, "two"));
	backoff_reset(&b);
	assert_true(backoff_is_news(&b, "two"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gate_order),  cmocka_unit_test(test_gate_stampede),
		cmocka_unit_test(test_gate_change), cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
