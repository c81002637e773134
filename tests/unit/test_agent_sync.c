// SPDX-License-Identifier: Apache-2.0
/*
 * What vpc_agent does next for a VPC: the pure decisions of agent/sync.c, by table and by all small cases.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "../../agent/sync.h"
#include "../../lib/util.h"

static const struct vpc_digest good = { { 1, 2 } }, bad = { { 1, 3 } };

static void test_next(void **state)
{
	/* clang-format off */
	static const struct {
		const char *name;
		uint64_t head, snapshot, oldest, kernel;
		bool bad_digest, distrust;
		struct sync_plan want;
	} cases[] = {
		{ "empty VPC", 0, 0, 1, 0, false, false, { SYNC_NOTHING, 0, 0 } },
		{ "at HEAD", 9, 7, 8, 9, false, false, { SYNC_NOTHING, 7, 9 } },
		{ "at HEAD, distrust is of the past", 9, 7, 8, 9, false, true, { SYNC_NOTHING, 7, 9 } },
		{ "one behind", 9, 7, 8, 8, false, false, { SYNC_DELTAS, 9, 9 } },
		{ "digest of an older epoch is not ours to judge", 9, 7, 8, 8, true, false, { SYNC_DELTAS, 9, 9 } },
		{ "just in reach of the log", 9, 7, 8, 7, false, false, { SYNC_DELTAS, 8, 9 } },
		{ "log reaches behind the snapshot", 9, 7, 3, 5, false, false, { SYNC_DELTAS, 6, 9 } },
		{ "just out of reach", 9, 7, 8, 6, false, false, { SYNC_SNAPSHOT, 7, 7 } },
		{ "new, no log", 7, 7, 8, 0, false, false, { SYNC_SNAPSHOT, 7, 7 } },
		{ "new, whole log", 3, 0, 1, 0, false, false, { SYNC_DELTAS, 1, 3 } },
		{ "deltas failed", 9, 7, 8, 8, false, true, { SYNC_SNAPSHOT, 7, 9 } },
		{ "tampered", 9, 7, 8, 9, true, false, { SYNC_REPAIR, 7, 9 } },
		{ "tampered, snapshot is HEAD", 9, 9, 10, 9, true, false, { SYNC_REPAIR, 9, 9 } },
		{ "backwards", 9, 7, 8, 10, false, false, { SYNC_BACKWARDS, 7, 9 } },
		{ "backwards, distrust", 9, 7, 8, 10, true, true, { SYNC_BACKWARDS, 7, 9 } },
		{ "largest epochs", INT64_MAX - 1, INT64_MAX - 1, INT64_MAX, 1, false, false,
		  { SYNC_SNAPSHOT, INT64_MAX - 1, INT64_MAX - 1 } },
	};
	/* clang-format on */

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vpc_head head = { .vni = 1,
					 .epoch = cases[i].head,
					 .snapshot = cases[i].snapshot,
					 .oldest = cases[i].oldest,
					 .digest = good };
		struct sync_plan plan =
			sync_next(&head, cases[i].kernel, cases[i].bad_digest ? &bad : &good, cases[i].distrust);

		if (plan.step != cases[i].want.step || plan.from != cases[i].want.from || plan.to != cases[i].want.to)
			fail_msg("%s: step %d, %lu..%lu", cases[i].name, plan.step, (unsigned long)plan.from,
				 (unsigned long)plan.to);
	}
}

/*
 * All small HEADs and kernels: repeated as the agent does it, the plan reaches HEAD, never by a delta that is not in
 * the log, never by going back, and stops there.
 */
static void test_next_reaches_head(void **state)
{
	for (uint64_t epoch = 0; epoch <= 6; epoch++)
		for (uint64_t snapshot = 0; snapshot <= epoch; snapshot++)
			for (uint64_t oldest = 1; oldest <= snapshot + 1; oldest++)
				for (uint64_t start = 0; start <= 7; start++)
					for (int flags = 0; flags < 4; flags++) {
						struct vpc_head head = { .epoch = epoch,
									 .snapshot = snapshot,
									 .oldest = oldest,
									 .digest = good };
						bool tampered = flags & 1, distrust = flags & 2;
						uint64_t kernel = start;
						int steps = 0;

						for (;;) {
							const struct vpc_digest *digest =
								kernel == epoch && !tampered ? &good : &bad;
							struct sync_plan plan =
								sync_next(&head, kernel, digest, distrust);

							if (plan.step == SYNC_NOTHING || plan.step == SYNC_BACKWARDS) {
								assert_int_equal(kernel, start > epoch ? start : epoch);
								assert_int_equal(plan.step == SYNC_BACKWARDS,
										 start > epoch);
								break;
							}
							assert_true(++steps <= 3);
							assert_true(plan.to <= epoch && plan.to >= kernel);
							if (plan.step == SYNC_DELTAS) {
								assert_int_equal(plan.from, kernel + 1);
								assert_true(plan.from >= oldest);
							} else {
								assert_int_equal(plan.from, snapshot);
								assert_true(plan.to == epoch || plan.to == snapshot);
								distrust = false;
							}
							kernel = plan.to;
							if (kernel == epoch)
								tampered = false;
						}
					}
}

static void test_head_check(void **state)
{
	struct vpc_head head = { .vni = 100, .epoch = 9, .snapshot = 7, .oldest = 8, .chunks = 1 };
	struct vpc_err err = { "" };

	assert_int_equal(sync_head_check(&head, 100, &err), 0);
	assert_int_equal(sync_head_check(&head, 101, &err), -EINVAL);
	assert_string_equal(err.text, "vni: 100 where 101 belongs");
	head.chunks = VPC_ZNODE_CHUNKS_MAX;
	assert_int_equal(sync_head_check(&head, 100, &err), 0);
	head.chunks++;
	assert_int_equal(sync_head_check(&head, 100, &err), -EINVAL);
	assert_non_null(strstr(err.text, "chunks: "));
}

static void test_delta_check(void **state)
{
	static const struct {
		uint32_t vni;
		uint64_t base, epoch;
		const char *field; /* NULL: accepted */
	} cases[] = {
		{ 100, 8, 9, NULL },	   { 100, 0, 9, NULL },	    { 101, 8, 9, "vni: " },
		{ 100, 8, 10, "epoch: " }, { 100, 9, 9, "base: " }, { 100, 10, 9, "base: " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vpc_delta delta = { .vni = cases[i].vni, .base = cases[i].base, .epoch = cases[i].epoch };
		struct vpc_err err = { "" };

		assert_int_equal(sync_delta_check(&delta, 100, 9, &err), cases[i].field ? -EINVAL : 0);
		if (cases[i].field)
			assert_int_equal(strncmp(err.text, cases[i].field, strlen(cases[i].field)), 0);
	}
}

static void test_link(void **state)
{
	static const struct {
		uint64_t at, base, epoch;
		enum sync_link want;
	} cases[] = {
		{ 8, 8, 9, SYNC_LINK_APPLY }, { 8, 8, 20, SYNC_LINK_APPLY }, { 9, 8, 9, SYNC_LINK_SKIP },
		{ 12, 8, 9, SYNC_LINK_SKIP }, { 7, 8, 9, SYNC_LINK_GAP },    { 8, 7, 9, SYNC_LINK_GAP },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vpc_delta delta = { .base = cases[i].base, .epoch = cases[i].epoch };

		assert_int_equal(sync_link(cases[i].at, &delta), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next),	   cmocka_unit_test(test_next_reaches_head),
		cmocka_unit_test(test_head_check), cmocka_unit_test(test_delta_check),
		cmocka_unit_test(test_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
