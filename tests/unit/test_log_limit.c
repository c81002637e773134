// SPDX-License-Identifier: Apache-2.0
/*
 * So many lines a second: which are for the log, and what is said of the others.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../lib/log_limit.h"

#define SECOND 1000000

static void test_few(void **state)
{
	struct log_limit limit = { .max = 3 };
	uint64_t held;

	for (uint64_t now = SECOND; now < 100 * SECOND; now += SECOND / 3 + 1) {
		assert_int_equal(log_limit(&limit, now, &held), LOG_INFO);
		assert_int_equal(held, 0);
	}
}

static void test_many(void **state)
{
	struct log_limit limit = { .max = 3 };
	uint64_t held;

	for (int i = 0; i < 10; i++) {
		assert_int_equal(log_limit(&limit, 5 * SECOND + i, &held), i < 3 ? LOG_INFO : LOG_DEBUG);
		assert_int_equal(held, 0);
	}
	/* The second ends a second after its first line; what was held is told once. */
	assert_int_equal(log_limit(&limit, 6 * SECOND - 1, &held), LOG_DEBUG);
	assert_int_equal(log_limit(&limit, 6 * SECOND, &held), LOG_INFO);
	assert_int_equal(held, 8);
	assert_int_equal(log_limit(&limit, 6 * SECOND, &held), LOG_INFO);
	assert_int_equal(held, 0);
	assert_int_equal(log_limit(&limit, 600 * SECOND, &held), LOG_INFO);
	assert_int_equal(held, 0);
}

/* Nothing comes after a burst: what was held is told when its second ends, once. */
static void test_tell(void **state)
{
	struct log_limit limit = { .max = 3 };
	uint64_t held;

	assert_int_equal(log_limit_due_us(&limit), 0);
	assert_int_equal(log_limit_tell(&limit, 5 * SECOND), 0);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(log_limit_due_us(&limit), i < 4 ? 0 : 6 * SECOND);
		log_limit(&limit, 5 * SECOND + i, &held);
		assert_int_equal(log_limit_tell(&limit, 6 * SECOND - 1), 0);
	}
	assert_int_equal(log_limit_tell(&limit, 6 * SECOND), 7);
	assert_int_equal(log_limit_tell(&limit, 6 * SECOND), 0);
	assert_int_equal(log_limit_due_us(&limit), 0);
	assert_int_equal(log_limit(&limit, 6 * SECOND + 1, &held), LOG_INFO);
	assert_int_equal(held, 0);
	/* A line that comes before the timer tells it in its place. */
	for (int i = 0; i < 10; i++)
		log_limit(&limit, 7 * SECOND, &held);
	assert_int_equal(log_limit(&limit, 9 * SECOND, &held), LOG_INFO);
	assert_int_equal(held, 8);
	assert_int_equal(log_limit_tell(&limit, 9 * SECOND), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
