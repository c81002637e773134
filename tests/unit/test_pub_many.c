// SPDX-License-Identifier: Apache-2.0
/*
 * Many VPCs together (publisher/many.c, pack.c, shots.c), and one alone (vpc.c), when something is in the way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "../../lib/util.h"
#include "../../publisher/many.h"
#include "pub_rig.h"

/* VPCs 1 to @n at @epoch, published. */
static void start(size_t n, uint64_t epoch, bool has_flags)
{
	for (uint32_t vni = 1; vni <= n; vni++) {
		rig.vpcs[vni].epoch = epoch;
		rig_publish(vni, has_flags);
	}
}

static void change_all(size_t n)
{
	for (uint32_t vni = 1; vni <= n; vni++)
		rig.vpcs[vni].epoch++;
}

/* As many HEADs without a delta as a group has VPCs: one multi has the fence's step, too. */
static void test_heads_alone(void **state)
{
	bool published[300];

	start(300, 3, false);
	assert_int_equal(rig_many(300, published), 0);
	for (size_t i = 0; i < 300; i++) {
		assert_true(published[i]);
		assert_true(rig_head(i + 1).has_flags);
	}
	assert_int_equal(rig.most_ops, PACK_OPS);
	assert_int_equal(rig.n_multis, 5);
}

/* A new snapshot leaves in HEAD the deltas before it: who has not applied them all does not read them one by one. */
static void test_last_stays(void **state)
{
	struct vpc_delta *deltas;
	char path[VPC_ZNODE_PATH_MAX];
	const char *data;
	bool published[2];
	struct vpc_err err;
	uint64_t was;
	int version;
	size_t n;

	start(2, 3, true);
	was = rig_head(1).snapshot;
	while (rig_head(1).snapshot == was) {
		assert_true(rig.vpcs[1].epoch < 1000);
		change_all(2);
		assert_int_equal(rig_many(2, published), 0);
		assert_true(published[0] && published[1]);
	}
	assert_int_equal(rig_head(1).snapshot, rig.vpcs[1].epoch);
	assert_int_equal(rig.states, 0);
	data = rig_read(vpc_path_vpc(1, path), &version);
	assert_int_equal(vpc_head_last(data, strlen(data), rig.vpcs[1].epoch - 3, &deltas, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_int_equal(deltas[0].base, rig.vpcs[1].epoch - 3);
	for (size_t i = 0; i < n; i++)
		vpc_delta_clear(&deltas[i]);
	free(deltas);
}

/* One delta and HEAD each: two steps, of which the last has room. */
static void test_deltas(void **state)
{
	bool published[300];

	start(300, 3, true);
	change_all(300);
	assert_int_equal(rig_many(300, published), 0);
	for (size_t i = 0; i < 300; i++) {
		assert_true(published[i]);
		assert_int_equal(rig_head(i + 1).epoch, 4);
	}
	assert_in_range(rig.most_ops, PACK_OPS - 1, PACK_OPS);
}

/* ZooKeeper's client does not take the multi: its VPCs are not published, and their rows stay. */
static void test_refused(void **state)
{
	static const int reasons[] = { -ENOMEM, -EIO, -EINVAL };
	bool published[20];

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (!i)
			start(20, 3, true);
		change_all(20);
		rig.refuse = rig.n_multis + 1;
		rig.refuse_res = reasons[i];
		assert_int_equal(rig_many(20, published), 0);
		for (size_t j = 0; j < 20; j++) {
			assert_false(published[j]);
			assert_int_equal(rig_head(j + 1).epoch, 3);
		}
	}
	assert_int_equal(rig_many(20, published), 0);
	for (size_t j = 0; j < 20; j++) {
		assert_true(published[j]);
		assert_int_equal(rig_head(j + 1).epoch, 6);
	}
}

/* CDB is ahead again whenever a snapshot begins: the log does not grow for ever. */
static void test_busy(void **state)
{
	struct vpc_err err = {};
	struct vpc_head head;
	bool published[1];

	start(1, 3, true);
	rig.vpcs[1].busy = true;
	for (int i = 0; i < 1000; i++) {
		rig.vpcs[1].epoch++;
		assert_int_equal(rig_many(1, published), 0);
		if (!published[0])
			assert_int_equal(pub_vpc(&rig.p, 1, &err), 0);
		head = rig_head(1);
		assert_in_range(head.epoch - head.snapshot, 0, 5 * PUB_LOG_MAX);
		assert_in_range(head.epoch - head.oldest, 0, 6 * PUB_LOG_MAX);
	}
	/* And seldom alone. */
	assert_in_range(rig.states, 3, 10);
}

/* HEAD as a server that lags behind has it: the delta in the way is one that HEAD names, and stays. */
static void test_stale_head(void **state)
{
	char path[VPC_ZNODE_PATH_MAX], delta[VPC_ZNODE_PATH_MAX], old[4096];
	struct vpc_err err = {};

	start(1, 3, true);
	strcpy(old, rig_read(vpc_path_vpc(1, path), &rig.stale_version));
	rig.vpcs[1].epoch = 4;
	assert_int_equal(pub_vpc(&rig.p, 1, &err), 0);
	rig_write(vpc_path_delta(1, 4, delta), "the first");
	rig.stale_path = path;
	rig.stale_data = old;
	rig.vpcs[1].epoch = 5;
	assert_int_equal(pub_vpc(&rig.p, 1, &err), -EAGAIN);
	assert_string_equal(rig_read(delta, NULL), "the first");
	assert_int_equal(rig_head(1).epoch, 4);
	assert_int_equal(pub_vpc(&rig.p, 1, &err), 0);
	assert_int_equal(rig_head(1).epoch, 5);
	/* One that HEAD does not name is in the way, and is replaced. */
	rig_write(vpc_path_delta(1, 6, delta), "left over");
	rig.vpcs[1].epoch = 6;
	assert_int_equal(pub_vpc(&rig.p, 1, &err), 0);
	assert_string_not_equal(rig_read(delta, NULL), "left over");
	assert_int_equal(rig_head(1).epoch, 6);
}

/* What CDB says of some VPCs cannot be read: these are alone, the others together as ever. */
static void test_bad_rows(void **state)
{
	bool published[500];

	start(500, 3, true);
	change_all(500);
	rig.vpcs[77].bad_row = rig.vpcs[300].bad_row = rig.vpcs[301].bad_row = true;
	assert_int_equal(rig_many(500, published), 0);
	for (uint32_t vni = 1; vni <= 500; vni++) {
		assert_int_equal(published[vni - 1], !rig.vpcs[vni].bad_row);
		assert_int_equal(rig_head(vni).epoch, rig.vpcs[vni].bad_row ? 3 : 4);
	}
}

static void test_bad_states(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];
	bool published[200];

	/* The first hundred are new, the others' logs are long. */
	for (uint32_t vni = 1; vni <= 200; vni++) {
		rig.vpcs[vni].epoch = 70;
		if (vni > 100)
			rig_publish(vni, true);
	}
	rig.vpcs[5].bad_state = rig.vpcs[120].bad_state = rig.vpcs[200].bad_state = true;
	assert_int_equal(rig_many(200, published), 0);
	for (uint32_t vni = 1; vni <= 200; vni++) {
		assert_int_equal(published[vni - 1], !rig.vpcs[vni].bad_state);
		if (rig.vpcs[vni].bad_state && vni <= 100)
			assert_null(rig_read(vpc_path_vpc(vni, path), NULL));
		else
			assert_int_equal(rig_head(vni).snapshot, rig.vpcs[vni].bad_state ? 1 : 70);
	}
}

/* A snapshot that was written, but got no answer: what was before it is garbage all the same. */
static void test_lost_answer(void **state)
{
	char old[VPC_ZNODE_PATH_MAX], delta[VPC_ZNODE_PATH_MAX];
	struct vpc_err err = {};
	bool published[1];

	start(1, 63, true);
	assert_int_equal(rig_many(1, published), 0);
	assert_true(pub_garbage_knows(&rig.p, 1));
	rig.vpcs[1].epoch = 70;
	rig.lose = rig.n_multis + 2;
	assert_int_equal(rig_many(1, published), -ETIMEDOUT);
	assert_false(published[0]);
	assert_int_equal(rig_head(1).snapshot, 70);
	assert_int_equal(rig_many(1, published), 0);
	assert_true(published[0]);
	assert_int_equal(pub_garbage_collect(&rig.p, &err), 0);
	assert_null(rig_read(vpc_path_snapshot(1, 1, old), NULL));
	assert_null(rig_read(vpc_path_delta(1, 6, delta), NULL));
	assert_non_null(rig_read(vpc_path_delta(1, 7, delta), NULL));
	assert_non_null(rig_read(vpc_path_snapshot(1, 70, old), NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_heads_alone, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_last_stays, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_deltas, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_refused, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_busy, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_stale_head, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_bad_rows, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_bad_states, rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_lost_answer, rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
