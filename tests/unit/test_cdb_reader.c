// SPDX-License-Identifier: Apache-2.0
/*
 * A VPC read piece by piece from a real server (cdb_rig.h), while it goes on, while connections are lost in between
 * and while the server is busy: what comes of it is CDB at the epoch that was asked for, and of one that differs little
 * from what is expected, few rows come over.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cdb_rig.h"
#include "../../lib/cdb_change.h"
#include "../../lib/cdb_reader.h"
#include "../../lib/digest.h"
#include "../../lib/util.h"

#define VNI 100
#define N   900 /* routes at first */

static struct cdb *reading; /* rig_cdb changes */
static unsigned int seed = 7;

/* Several prefixes have one address; the ends of the space are among them. */
static struct vpc_route random_route(void)
{
	static const uint32_t tables[] = { 1, 1, 1, 5, 9 };
	struct vpc_route route = { .table = tables[rand_r(&seed) % 5], .nexthop = rand_r(&seed) % 12 + 1 };
	bool v6 = rand_r(&seed) % 4 == 0;
	unsigned int bits = v6 ? 128 : 32, plen = rand_r(&seed) % 3 ? bits : rand_r(&seed) % (bits + 1);

	if (route.table == 9)
		v6 = true, bits = 128;
	route.prefix.family = v6 ? AF_INET6 : AF_INET;
	route.prefix.plen = plen > bits ? bits : plen;
	for (unsigned int i = 0; i < route.prefix.plen / 8; i++)
		route.prefix.bytes[i] = rand_r(&seed) % 9 ? (i == 2 || i == 3) * rand_r(&seed) : 0xff;
	return route;
}

static void change(unsigned int n)
{
	struct cdb_change_result result;
	struct cdb_change *c;

	ok(cdb_change_begin(rig_cdb, VNI, "test", "test", &c, &err));
	while (n--) {
		struct vpc_route route = random_route();
		int r = 0;

		if (rand_r(&seed) % 3)
			ok(cdb_change_set_route(c, &route, &err));
		else
			r = cdb_change_del_route(c, route.table, &route.prefix, NULL);
		assert_true(!r || r == -ENOENT);
	}
	/* One that is there. */
	ok(cdb_change_set_nexthop(c,
				  &(struct vpc_nl_nexthop){ .id = 1, .type = rand_r(&seed) % 2 ? VPC_NEXTHOP_BLACKHOLE
											       : VPC_NEXTHOP_PROHIBIT },
				  &err));
	ok(cdb_change_commit(&c, &result, &err));
}

static void make_vpc(void)
{
	const struct intent by = rig_intent();
	struct cdb_change_result done;
	struct cdb_change *c;

	rig_need_server();
	if (reading)
		return;
	rig_vpc_new("red", VNI);
	ok(intent_table_add(&by, "red", 5, "five", &done, &err));
	ok(intent_table_add(&by, "red", 9, "nine", &done, &err));
	ok(cdb_change_begin(rig_cdb, VNI, "test", "test", &c, &err));
	for (uint32_t id = 1; id <= 12; id++)
		ok(cdb_change_set_nexthop(c, &(struct vpc_nl_nexthop){ .id = id, .type = VPC_NEXTHOP_BLACKHOLE },
					  &err));
	for (unsigned int i = 0; i < N; i++) {
		struct vpc_route route = random_route();

		ok(cdb_change_set_route(c, &route, &err));
	}
	ok(cdb_change_commit(&c, &done, &err));
	ok(cdb_open(&rig_config, &reading, &err));
}

/* -- what happens meanwhile ---------------------------------------------------------------------------------------- */

static struct {
	unsigned int changes, kills, stops; /* of so many pieces one */
	unsigned int pieces;
} meanwhile;

static bool between(void *arg)
{
	uint64_t id;
	char sql[64];

	meanwhile.pieces++;
	if (meanwhile.changes && !(meanwhile.pieces % meanwhile.changes))
		change(1 + rand_r(&seed) % 20);
	if (meanwhile.kills && !(meanwhile.pieces % meanwhile.kills)) {
		ok(cdb_get(reading, &err, "SELECT CONNECTION_ID()", ">U", &id));
		snprintf(sql, sizeof(sql), "KILL CONNECTION %llu", (unsigned long long)id);
		ok(cdb_command(rig_cdb, sql, &err));
	}
	return !meanwhile.stops || meanwhile.pieces % meanwhile.stops;
}

/* As often as it takes. Return: how often. */
static unsigned int read_on(struct cdb_reader *reader, const struct cdb_manners *manners)
{
	unsigned int runs = 1;
	struct vpc_err err;
	int r;

	while ((r = cdb_reader_run(reader, reading, manners, &err))) {
		if (r != -ECANCELED && r != -ECONNRESET)
			fail_msg("%d, %s", r, err.text);
		if (r != -ECANCELED)
			ok(cdb_reopen(reading, &rig_config, &err));
		assert_in_range(++runs, 1, 1000);
	}
	return runs;
}

static struct cdb_reader_counts read_and_compare(const struct vpc_state *like, size_t rows, unsigned int *ret_runs)
{
	const struct cdb_manners manners = { .rows = rows, .go_on = between };
	struct cdb_reader_counts counts;
	struct cdb_reader *reader;
	struct vpc_state want, got;

	vpc_state_init(&want, VNI);
	rig_load(VNI, &want);
	memset(&meanwhile.pieces, 0, sizeof(meanwhile.pieces));
	reader = cdb_reader_new(VNI, want.epoch, like);
	assert_non_null(reader);
	*ret_runs = read_on(reader, &manners);
	counts = cdb_reader_counts(reader);
	cdb_reader_take(reader, &got);
	cdb_reader_free(reader);
	rig_assert_same(&got, &want);
	vpc_state_clear(&got);
	vpc_state_clear(&want);
	return counts;
}

/* -- tests --------------------------------------------------------------------------------------------------------- */

static void all_of_it(void **state)
{
	struct cdb_reader_counts counts;
	unsigned int runs;

	make_vpc();
	memset(&meanwhile, 0, sizeof(meanwhile));
	for (size_t rows = 1; rows < 2000; rows = rows * 3 + 1) {
		counts = read_and_compare(NULL, rows, &runs);
		assert_int_equal(runs, 1);
		assert_int_equal(counts.snapshots, 1);
		assert_true(counts.pieces >= counts.rows / rows);
	}
	counts = read_and_compare(NULL, 0, &runs);
	assert_true(counts.pieces <= 6);
}

static void it_goes_on_where_it_was(void **state)
{
	struct cdb_reader_counts counts;
	unsigned int runs;

	make_vpc();
	for (unsigned int i = 0; i < 4; i++) {
		memset(&meanwhile, 0, sizeof(meanwhile));
		meanwhile.changes = 1 + i;
		meanwhile.kills = 5;
		meanwhile.stops = i % 2 ? 7 : 0;
		counts = read_and_compare(NULL, 40, &runs);
		assert_true(runs > 3);
		assert_in_range(counts.snapshots, 3, runs);
		/* Nothing is read twice, but for what came and went meanwhile. */
		assert_in_range(counts.rows, N / 2, 2 * N);
	}
}

/* Expected, with @n routes that are other ones, are not there, or are there and should not be. */
static void expect(unsigned int n, struct vpc_state *ret_like)
{
	struct vpc_err err;
	size_t at;

	vpc_state_init(ret_like, VNI);
	rig_load(VNI, ret_like);
	while (n--) {
		at = rand_r(&seed) % ret_like->n_routes;
		if (n % 3 == 0)
			ret_like->routes[at].nexthop = ret_like->routes[at].nexthop % 12 + 1;
		else if (n % 3 == 1)
			ret_like->routes[at] = ret_like->routes[--ret_like->n_routes];
		else
			ret_like->routes[at].prefix.bytes[3] ^= ret_like->routes[at].prefix.plen == 32;
		if (vpc_state_sort(ret_like, &err))
			break;
	}
	assert_int_equal(vpc_state_sort(ret_like, &err), 0);
}

static void only_what_differs(void **state)
{
	struct cdb_reader_counts counts;
	struct vpc_state like;
	unsigned int runs;

	make_vpc();
	memset(&meanwhile, 0, sizeof(meanwhile));
	expect(0, &like);
	counts = read_and_compare(&like, 20, &runs);
	assert_int_equal(counts.rows, 0);
	/* two that change places would not be seen by a sum of nexthops */
	for (size_t i = 0; i + 1 < like.n_routes; i++)
		if (like.routes[i].nexthop != like.routes[i + 1].nexthop) {
			uint32_t nexthop = like.routes[i].nexthop;

			like.routes[i].nexthop = like.routes[i + 1].nexthop;
			like.routes[i + 1].nexthop = nexthop;
			break;
		}
	counts = read_and_compare(&like, 20, &runs);
	assert_in_range(counts.rows, 2, 60);
	vpc_state_clear(&like);
	/* nothing at all is expected, and too much */
	vpc_state_init(&like, VNI);
	rig_load(VNI, &like);
	like.n_routes = 0;
	counts = read_and_compare(&like, 20, &runs);
	assert_in_range(counts.rows, N / 2, 2 * N);
	assert_true(counts.pieces > counts.rows / 20);
	vpc_state_clear(&like);
	/* A few far from each other: what is between them comes in pieces, changes and lost connections or not. */
	for (int i = 0; i < 4; i++) {
		size_t n = 0;

		rig_load(VNI, &like);
		for (size_t j = 0; j < like.n_routes; j++)
			if (j < 5 || j % 400 < 3 || j > like.n_routes - 5)
				like.routes[n++] = like.routes[j];
		like.n_routes = n;
		meanwhile.changes = i & 1 ? 3 : 0;
		meanwhile.kills = i & 2 ? 7 : 0;
		counts = read_and_compare(&like, 3, &runs);
		assert_true(counts.pieces > counts.rows / 10);
		vpc_state_clear(&like);
	}
	for (unsigned int n = 1; n < 200; n *= 3) {
		expect(n, &like);
		meanwhile.changes = n % 2 ? 3 : 0;
		meanwhile.kills = n > 3 ? 6 : 0;
		counts = read_and_compare(&like, 20, &runs);
		if (n == 1)
			assert_in_range(counts.rows, 1, 200);
		vpc_state_clear(&like);
	}
}

/* The one that keeps it busy, killed when it was waited for. */
static uint64_t busy;

static bool until_it_is_calm(void *arg)
{
	char sql[64];

	if (++*(unsigned int *)arg == 2) {
		snprintf(sql, sizeof(sql), "KILL CONNECTION %llu", (unsigned long long)busy);
		ok(cdb_command(rig_cdb, sql, &err));
	}
	return *(unsigned int *)arg < 1000;
}

static void a_busy_server_is_waited_for(void **state)
{
	struct cdb_manners manners = { .max_load = 1, .rows = 100 };
	struct vpc_state got, want;
	struct cdb_reader *reader;
	unsigned int asked = 0;
	int r = -ENOENT;
	pid_t pid;

	make_vpc();
	vpc_state_init(&want, VNI);
	rig_load(VNI, &want);
	reader = cdb_reader_new(VNI, want.epoch, NULL);
	pid = fork();
	if (!pid) {
		struct cdb *cdb;

		_exit(cdb_open(&rig_config, &cdb, NULL) || cdb_command(cdb, "DO SLEEP(30)", NULL));
	}
	for (int i = 0; i < 1000 && r == -ENOENT; i++) {
		r = cdb_get(rig_cdb, NULL, "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO = 'DO SLEEP(30)'",
			    ">U", &busy);
		usleep(10000);
	}
	assert_int_equal(r, 0);
	refused(cdb_reader_run(reader, reading, &manners, &err), -EBUSY, "more than --max-load 1");
	assert_int_equal(cdb_reader_counts(reader).rows, 0);
	manners.max_wait_ms = 60000;
	manners.go_on = until_it_is_calm;
	manners.arg = &asked;
	ok(cdb_reader_run(reader, reading, &manners, &err));
	assert_true(cdb_reader_counts(reader).waited_ms > 0);
	/* One question for the load at each look, and none behind each of the pieces. */
	assert_true(cdb_reader_counts(reader).pieces > 8);
	assert_in_range(cdb_reader_counts(reader).loads, 3, 6);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	cdb_reader_take(reader, &got);
	cdb_reader_free(reader);
	rig_assert_same(&got, &want);
	vpc_state_clear(&got);
	vpc_state_clear(&want);
}

static void what_cannot_be_read(void **state)
{
	const struct cdb_manners manners = { 0 };
	struct cdb_reader *reader;
	struct vpc_state now;

	make_vpc();
	vpc_state_init(&now, VNI);
	rig_load(VNI, &now);
	reader = cdb_reader_new(VNI, now.epoch + 1, NULL);
	refused(cdb_reader_run(reader, reading, &manners, &err), -ERANGE, "restored from a backup");
	cdb_reader_free(reader);
	reader = cdb_reader_new(VNI + 1, 1, NULL);
	refused(cdb_reader_run(reader, reading, &manners, &err), -ENOENT, "");
	cdb_reader_free(reader);
	vpc_state_clear(&now);
}

static int end(void **state)
{
	cdb_close(reading);
	return rig_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it),
		cmocka_unit_test(it_goes_on_where_it_was),
		cmocka_unit_test(only_what_differs),
		cmocka_unit_test(a_busy_server_is_waited_for),
		cmocka_unit_test(what_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, rig_setup, end);
}
