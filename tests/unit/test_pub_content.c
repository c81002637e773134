// SPDX-License-Identifier: Apache-2.0
/*
 * What HEADs name is read (publisher/content.c): what is not CDB's is repaired, by name, and nothing else is touched,
 * whatever happens meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../lib/log.h"
#include "../../lib/util.h"
#include "pub_rig.h"

static struct vpc_config config;
static char logged[4096];
static uint64_t clock_us, tick_us; /* CLOCK_MONOTONIC, and how far each look at it moves it on */

/* The publisher's clock. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
	clock_us += tick_us;
	*ts = (struct timespec){ clock_us / 1000000, clock_us % 1000000 * 1000 };
	return 0;
}

/* The publisher's log is these lines. */
void log_msg(int priority, const char *fmt, ...)
{
	size_t len = strlen(logged);
	va_list ap;

	if (priority > LOG_WARNING)
		return;
	va_start(ap, fmt);
	vsnprintf(logged + len, sizeof(logged) - len, fmt, ap);
	va_end(ap);
}

static int setup(void **state)
{
	rig_setup(state);
	assert_int_equal(pub_content_new(&rig.p.content), 0);
	assert_int_equal(pub_retry_new(&rig.p.retry), 0);
	rig.p.config = &config;
	logged[0] = '\0';
	clock_us = 1000000;
	tick_us = 0;
	return 0;
}

static int teardown(void **state)
{
	pub_content_free(rig.p.content);
	pub_retry_free(rig.p.retry);
	return rig_teardown(state);
}

/* VPCs 1 to @n at @epoch, published; a pass begins now, and nothing has to be paid for. */
static void begin(void)
{
	config = (struct vpc_config){ .sweep_kib_per_s = 1048576 };
	pub_content_begin(&rig.p);
	config.sweep_s = 3600;
	rig.n_asked = 0;
}

static void start(size_t n, uint64_t epoch)
{
	for (uint32_t vni = 1; vni <= n; vni++) {
		rig.vpcs[vni].epoch = epoch;
		rig_publish(vni, true);
	}
	begin();
}

/* Turns until nothing more is asked for, although enough time goes by between them: the pass is over. */
static void pass(void)
{
	struct vpc_err err = {};
	unsigned int before, idle = 0;

	while (idle < 5) {
		before = rig.n_asked;
		clock_us += 1000001;
		assert_int_equal(pub_content_turn(&rig.p, &err), 0);
		idle = rig.n_asked == before ? idle + 1 : 0;
	}
}

/* Turns until one fails, as it must. */
static int turns_until_failure(struct vpc_err *ret_err)
{
	int r;

	for (unsigned int i = 0; i < 1000; i++) {
		clock_us += 1000001;
		r = pub_content_turn(&rig.p, ret_err);
		if (r)
			return r;
	}
	fail();
	return 0;
}

static void assert_whole(uint32_t vni)
{
	struct vpc_head head = rig_head(vni);

	assert_int_equal(head.snapshot, rig.vpcs[vni].epoch);
	assert_int_equal(head.oldest, head.epoch + 1);
}

static void test_right(void **state)
{
	start(100, 4);
	/* HEAD, a chunk and three deltas each, once. */
	pass();
	assert_int_equal(rig.n_asked, 500);
	for (uint32_t vni = 1; vni <= 100; vni++)
		assert_int_equal(rig_head(vni).snapshot, 1);
	assert_string_equal(logged, "");
	/* The next pass is much later. */
	pass();
	assert_int_equal(rig.n_asked, 500);
}

#define CHUNK(vni, epoch, chunk, nexthops)                                                          \
	"{\"v\":1,\"vni\":" vni ",\"epoch\":" epoch ",\"chunk\":" chunk ",\"nexthops\":[" nexthops    \
	"],\"routes\":[]}"
#define DELTA(vni, base, epoch, digest, change, del)                                                \
	"{\"v\":1,\"vni\":" vni ",\"base\":" base ",\"epoch\":" epoch                                 \
	",\"digest\":\"0000000000000000000000000000000" digest "\",\"change\":\"" change               \
	"\",\"nexthops\":{\"set\":[],\"del\":[" del "]},\"routes\":{\"set\":[],\"del\":[]}}"

/* VPC 2 of three, at epoch 4. */
static void test_faults(void **state)
{
	static const struct {
		const char *node, *data, *says;
	} faults[] = {
		{ "s1/c000", "", "s1/c000: " },
		{ "s1/c000", "{\"v\":1,\"vni\":2,\"epoch\":1,\"chunk\":0,\"nextho", "s1/c000: " },
		{ "s1/c000", CHUNK("3", "1", "0", ""), "vni: 3, 2 " },
		{ "s1/c000", CHUNK("2", "2", "0", ""), "epoch: 2" },
		{ "s1/c000", CHUNK("2", "1", "1", ""), "chunk: 1" },
		{ "s1/c000", CHUNK("2", "1", "0", "{\"id\":1,\"type\":\"blackhole\"}"),
		  "s1/c000: what it holds has digest " },
		{ "l2", "", "l2: " },
		{ "l3", "{\"v\":1,\"vni\":2,\"ba", "l3: " },
		{ "l4", DELTA("3", "3", "4", "0", "", ""), "another VPC's" },
		{ "l4", DELTA("2", "2", "3", "0", "", ""), "epoch: 3, 4 " },
		{ "l4", DELTA("2", "2", "4", "0", "", ""), "base: 2, 3 " },
		{ "l4", DELTA("2", "3", "4", "1", "", ""), "l4: digest: " },
		{ "l4", DELTA("2", "3", "4", "0", "", "7"), "l4: what it changes is not " },
		{ "l4", DELTA("2", "3", "4", "0", "c1", ""), "l4: what " },
	};
	char path[VPC_ZNODE_PATH_MAX], deltas[VPC_ZNODE_PATH_MAX], text[300];
	struct vpc_err err;

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		start(3, 4);
		snprintf(path, sizeof(path), "/vpc/v1/vpcs/02/2/%s", faults[i].node);
		rig_write(path, faults[i].data);
		pass();
		snprintf(text, sizeof(text), "VPC 2: %.*s", (int)(strlen(path) + 2), path);
		assert_non_null(strstr(logged, text));
		assert_non_null(strstr(logged, faults[i].says));
		assert_non_null(strstr(logged, ": the sweep has published a snapshot"));
		assert_whole(2);
		assert_int_equal(rig_head(1).snapshot, 1);
		assert_int_equal(rig_head(3).snapshot, 1);
		/* All of it is right now, and what was wrong is nobody's, and goes. */
		logged[0] = '\0';
		begin();
		pass();
		assert_string_equal(logged, "");
		assert_int_equal(pub_garbage_collect(&rig.p, &err), 0);
		assert_null(rig_read(vpc_path_delta(2, 4, deltas), NULL));
		assert_null(rig_read(vpc_path_snapshot(2, 1, deltas), NULL));
	}
}

/* The repair is of the very epoch that the snapshot has: it is written over, and the deltas beside it go. */
static void test_same_epoch(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct vpc_err err = {};
	bool published[1];

	start(1, 70);
	assert_int_equal(rig_many(1, published), 0);
	assert_int_equal(rig_head(1).snapshot, 70);
	assert_int_equal(rig_head(1).oldest, 7);
	rig_write(vpc_path_delta(1, 30, path), "x");
	pass();
	assert_non_null(strstr(logged, "/l30: "));
	assert_whole(1);
	assert_int_equal(pub_garbage_collect(&rig.p, &err), 0);
	assert_null(rig_read(path, NULL));
	assert_null(rig_read(vpc_path_delta(1, 70, path), NULL));
	assert_non_null(rig_read(vpc_path_chunk(1, 70, 0, path), NULL));
}

/* Wherever an answer fails to come, nothing right passes for wrong, and what is wrong is found all the same. */
static void test_silence(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct vpc_err err = {};

	for (unsigned int silent = 1; silent <= 500; silent += 7) {
		start(100, 4);
		rig_write(vpc_path_delta(60, 3, path), "x");
		rig.silent = silent;
		assert_int_equal(turns_until_failure(&err), -ETIMEDOUT);
		assert_true(rig.p.zk_trouble);
		assert_non_null(strstr(err.text, "ZooKeeper: /vpc/v1/vpcs/"));
		config.sweep_s = 0;
		pub_content_begin(&rig.p);
		config.sweep_s = 3600;
		pass();
		for (uint32_t vni = 1; vni <= 100; vni++)
			assert_int_equal(rig_head(vni).snapshot, vni == 60 ? 4 : 1);
		logged[0] = '\0';
	}
}

/* In the middle of a VPC that is read in several turns: it is read again, and its chunk counts once. */
static void test_silence_resumed(void **state)
{
	struct vpc_err err = {};

	start(2, 300);
	rig.silent = 200;
	assert_int_equal(turns_until_failure(&err), -ETIMEDOUT);
	pass();
	assert_string_equal(logged, "");
	assert_int_equal(rig_head(1).snapshot, 1);
	assert_int_equal(rig_head(2).snapshot, 1);
	assert_true(rig.n_asked > 800);
}

/* HEAD goes on meanwhile: what it has let go of is not its fault. */
static void test_gone_on(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct vpc_err err = {};
	int version, before;

	start(1, 300);
	rig_write(vpc_path_delta(1, 290, path), "x");
	assert_int_equal(pub_content_turn(&rig.p, &err), 0);
	assert_in_range(rig.n_asked, 100, 200);
	assert_int_equal(pub_vpc_whole(&rig.p, 1, &err), 0);
	assert_non_null(rig_read(vpc_path_vpc(1, path), &before));
	pass();
	assert_non_null(rig_read(vpc_path_vpc(1, path), &version));
	assert_int_equal(version, before);
	assert_true(rig.n_asked > 200);
	assert_string_equal(logged, "");
}

/* What is not there, and a HEAD past CDB, are the sweep's. */
static void test_not_ours(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];

	start(3, 4);
	rig.vpcs[1].epoch = 3;
	rig_write(vpc_path_delta(1, 4, path), "x");
	rig_write(vpc_path_vpc(2, path), "");
	rig_write(vpc_path_chunk(2, 1, 0, path), "x");
	pass();
	/* Three HEADs, and what the third names. */
	assert_int_equal(rig.n_asked, 3 + 4);
	assert_string_equal(logged, "");
	assert_int_equal(rig_head(1).snapshot, 1);
	assert_string_equal(rig_read(vpc_path_vpc(2, path), NULL), "");
}

/* At 1 KiB a second what one turn reads takes the next ones minutes. */
static void test_pace(void **state)
{
	struct vpc_err err = {};
	unsigned int asked;

	start(100, 4);
	config.sweep_kib_per_s = 1;
	assert_int_equal(pub_content_turn(&rig.p, &err), 0);
	asked = rig.n_asked;
	assert_in_range(asked, 128, 32 + 128 + 16);
	clock_us += 1000001;
	assert_int_equal(pub_content_turn(&rig.p, &err), 0);
	assert_int_equal(rig.n_asked, asked);
	begin();
	config.sweep_kib_per_s = 0;
	assert_int_equal(pub_content_turn(&rig.p, &err), 0);
	assert_int_equal(rig.n_asked, 0);
}

static unsigned int count(const char *what)
{
	unsigned int n = 0;

	for (const char *at = logged; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

/* One node, or HEAD, or history that cannot be read, with both servers there: its VPC's affair, said once. */
static void test_passed_over(void **state)
{
	static const struct {
		const char *path;
		int res;
		uint32_t log;
	} bad[] = {
		{ "/vpc/v1/vpcs/03/3", -EACCES },
		{ "/vpc/v1/vpcs/03/3/s1/c000", -EIO },
		{ "/vpc/v1/vpcs/03/3/l3", -EACCES },
		{ .res = -EPROTO, .log = 3 },
		{ .res = -ENOMEM, .log = 3 },
	};
	char path[VPC_ZNODE_PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		start(70, 4);
		for (uint32_t vni = 2; vni <= 4; vni += 2)
			rig_write(vpc_path_delta(vni, 3, path), "x");
		rig.bad_path = bad[i].path;
		rig.bad_res = rig.bad_log_res = bad[i].res;
		rig.bad_log = bad[i].log;
		pass();
		assert_int_equal(count("the sweep passes it over"), 1);
		assert_non_null(strstr(logged, "VPC 3: the sweep passes it over: "));
		assert_non_null(strstr(logged, bad[i].path ?: "no history"));
		assert_int_equal(count("the sweep has published a snapshot"), 2);
		assert_whole(2);
		assert_whole(4);
		assert_int_equal(rig_head(3).snapshot, 1);
		assert_int_equal(rig_head(70).snapshot, 1);
		logged[0] = '\0';
	}
}

/* In a VPC whose first nodes other waves have read: nothing counts twice. */
static void test_passed_over_resumed(void **state)
{
	start(3, 40);
	rig.bad_log = 2;
	rig.bad_log_res = -EPROTO;
	pass();
	assert_int_equal(count("the sweep passes it over"), 1);
	assert_non_null(strstr(logged, "VPC 2: the sweep passes it over: "));
	for (uint32_t vni = 1; vni <= 3; vni++)
		assert_int_equal(rig_head(vni).snapshot, 1);
}

static void test_no_list(void **state)
{
	start(3, 4);
	rig.bad_list = true;
	pass();
	assert_int_equal(rig.n_asked, 0);
	assert_int_equal(count("VPCs behind 0 cannot be listed: CDB: VPC 1"), 1);
}

/* A node's own error after one that got no answer does not hide that the server is away. */
static void test_first_failure(void **state)
{
	struct vpc_err err = {};

	start(3, 4);
	rig.silent = 4;
	rig.bad_path = "/vpc/v1/vpcs/03/3/l4";
	rig.bad_res = -EACCES;
	assert_int_equal(turns_until_failure(&err), -ETIMEDOUT);
	assert_true(rig.p.zk_trouble);
	assert_non_null(strstr(err.text, "/vpc/v1/vpcs/01/1/s1/c000"));
}

/* A VPC that costs the connection to CDB each time does so three times. */
static void test_loses_cdb(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct vpc_err err = {};
	unsigned int i;

	start(40, 4);
	rig_write(vpc_path_delta(39, 3, path), "x");
	rig.bad_log = 7;
	rig.bad_log_res = -EIO;
	for (i = 0; !strstr(logged, "passes"); i++) {
		assert_true(i < 5);
		assert_int_equal(turns_until_failure(&err), -EIO);
		assert_true(rig.p.cdb_trouble);
		rig.p.cdb_trouble = false;
	}
	assert_true(i >= 3);
	pass();
	assert_int_equal(count("the sweep passes it over"), 1);
	assert_non_null(strstr(logged, "VPC 7: the sweep passes it over: CDB: VPC 7: no history"));
	assert_whole(39);
}

/* However much there is to do, a turn is short, and repairs one VPC. */
static void test_short_turns(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct vpc_err err = {};
	unsigned int before, repaired;

	start(20, 4);
	for (uint32_t vni = 1; vni <= 20; vni++)
		rig_write(vpc_path_delta(vni, 3, path), "x");
	for (unsigned int done = 0; done < 20; done = repaired) {
		clock_us += 1000001;
		assert_int_equal(pub_content_turn(&rig.p, &err), 0);
		repaired = count("the sweep has published a snapshot");
		assert_in_range(repaired, done, done + 1);
	}
	start(100, 4);
	tick_us = 3000;
	for (before = 0; rig.n_asked < 500; before = rig.n_asked) {
		clock_us += 1000001;
		assert_int_equal(pub_content_turn(&rig.p, &err), 0);
		assert_in_range(rig.n_asked, before + 1, before + 32 + 16);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_right, setup, teardown),
		cmocka_unit_test_setup_teardown(test_faults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_same_epoch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_silence_resumed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_passed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(test_passed_over_resumed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_first_failure, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loses_cdb, setup, teardown),
		cmocka_unit_test_setup_teardown(test_short_turns, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
