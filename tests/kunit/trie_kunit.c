// SPDX-License-Identifier: GPL-2.0-only
/*
 * The route trie (kmod/tables/trie*.c) in a kernel that watches memory, against a list: random changes with snapshots
 * held, every order of building the same, resumed walks, and each allocation failing in turn. tests/unit/test_trie.c is
 * its twin in user space, with more rounds.
 */
#include "rig.h"
#include "../../kmod/tables/trie.h"

#include <linux/inet.h>
#include <linux/sched.h>

#define VERSIONS	4

/* One published version, what it and older ones see alone, and what must be in it. */
struct version {
	struct vpc_trie trie;
	struct vpc_trie_garbage garbage;
	struct rig_list *list;
};

/* A trie through its transactions; the newest version is the current one. */
struct world {
	struct kunit *test;
	struct version version[VERSIONS];
	unsigned int n;
	u32 stamp;
	s64 bytes;			/* of the current version, by the transactions' accounts */
	struct vpc_trie_txn txn;
	struct vpc_trie trie;		/* the open transaction's */
	struct rig_list *list;
};

static struct version *world_current(struct world *world)
{
	return &world->version[world->n - 1];
}

static struct world *world_new(struct kunit *test, u8 family)
{
	struct world *world = kunit_kzalloc(test, sizeof(*world), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, world);
	world->test = test;
	for (i = 0; i < VERSIONS; i++)
		world->version[i].list = rig_list_new(test);
	world->list = rig_list_new(test);
	world->n = 1;
	vpc_trie_init(&world->version[0].trie, family);
	return world;
}

static u8 world_family(const struct world *world)
{
	return world->version[0].trie.family;
}

static void world_begin(struct world *world)
{
	vpc_trie_begin(&world->txn, ++world->stamp);
	world->trie = world_current(world)->trie;
	*world->list = *world_current(world)->list;
}

/* Nobody looks at the oldest snapshot any more. */
static void world_drop_oldest(struct world *world)
{
	struct rig_list *list = world->version[0].list;

	vpc_trie_garbage_free(&world->version[0].garbage);
	world->n--;
	memmove(world->version, world->version + 1, world->n * sizeof(world->version[0]));
	world->version[world->n] = (struct version){ .list = list };
}

static void world_commit(struct world *world)
{
	KUNIT_EXPECT_EQ(world->test, vpc_trie_seal(&world->txn, &world->trie), 0);
	world->bytes += world->txn.bytes;
	world_current(world)->garbage = vpc_trie_commit(&world->txn);
	if (world->n == VERSIONS)
		world_drop_oldest(world);
	world->n++;
	world_current(world)->trie = world->trie;
	*world_current(world)->list = *world->list;
}

static void world_abort(struct world *world)
{
	vpc_trie_revert(&world->txn, &world->trie, &world_current(world)->trie);
	KUNIT_EXPECT_PTR_EQ(world->test, world->trie.root, world_current(world)->trie.root);
	vpc_trie_abort(&world->txn);
}

static void world_free(struct world *world)
{
	vpc_trie_destroy(&world_current(world)->trie);
	while (world->n)
		world_drop_oldest(world);
}

static int world_add(struct world *world, const struct rig_route *route)
{
	u32 old = 12345;
	int err;

	err = vpc_trie_add(&world->txn, &world->trie, route->addr, route->plen, route->value, &old);
	KUNIT_EXPECT_EQ(world->test, old, err ? 12345 : rig_list_set(world->list, route));
	return err;
}

static int world_del(struct world *world, const struct rig_route *route)
{
	bool there = rig_list_find(world->list, route);
	u32 old = 12345;
	int err;

	err = vpc_trie_del(&world->txn, &world->trie, route->addr, route->plen, &old);
	KUNIT_EXPECT_EQ(world->test, old, err ? 12345 : rig_list_del(world->list, route));
	KUNIT_EXPECT_EQ(world->test, err == -ENOENT, !there);
	return err;
}

/* Adds, changes, deletes what is there and what is not. */
static int world_change(struct world *world)
{
	struct rig_route route = rig_route_random(world->list, world_family(world), 1);
	unsigned int what = rig_below(100);

	if (what < 5)
		return world_del(world, &route);
	if (what < 45 && world->list->n) {
		route = world->list->route[rig_below(world->list->n)];
		return world_del(world, &route);
	}
	if (what < 55 && world->list->n) {
		route = world->list->route[rig_below(world->list->n)];
		route.value = 1 + rig_below(3);
	}
	return world_add(world, &route);
}

/* -- comparing ----------------------------------------------------------------------------------------------------- */

static void check_lookup(struct kunit *test, const struct vpc_trie *trie, const struct rig_list *list, const u8 *addr)
{
	const struct rig_route *want = rig_list_lookup(list, 0, trie->family, addr);
	u8 plen = 255;

	KUNIT_EXPECT_EQ(test, vpc_trie_lookup(trie, addr, &plen), want ? want->value : 0);
	KUNIT_EXPECT_EQ(test, plen, want ? want->plen : 255);
}

/* The prefix itself, one bit shorter and longer, its first and last address, and those beside it. */
static void check_prefix(struct kunit *test, const struct vpc_trie *trie, struct rig_list *list,
			 const struct rig_route *route)
{
	unsigned int bits = rig_bits(trie->family), i;
	struct rig_route near = *route, *want;
	u8 addr[16];

	for (i = route->plen ? route->plen - 1 : 0; i <= min(route->plen + 1U, bits); i++) {
		rig_addr_fill(near.addr, i, 128, false);
		near.plen = i;
		want = rig_list_find(list, &near);
		KUNIT_EXPECT_EQ(test, vpc_trie_lookup_exact(trie, near.addr, i), want ? want->value : 0);
		memcpy(near.addr, route->addr, sizeof(near.addr));
	}
	memcpy(addr, route->addr, sizeof(addr));
	check_lookup(test, trie, list, addr);
	rig_addr_fill(addr, route->plen, bits, true);
	check_lookup(test, trie, list, addr);
	for (i = bits / 8; i-- && !++addr[i];)
		;
	check_lookup(test, trie, list, addr);
	memcpy(addr, route->addr, sizeof(addr));
	for (i = bits / 8; i-- && !addr[i]--;)
		;
	check_lookup(test, trie, list, addr);
}

struct listing {
	struct rig_list *list;
	u8 family;
	unsigned int stop;		/* after so many; 0: never */
};

static int listing_put(const u8 *addr, u8 plen, u32 value, void *arg)
{
	struct listing *listing = arg;
	struct rig_route *route = &listing->list->route[listing->list->n];

	if (listing->stop && listing->list->n == listing->stop)
		return -EAGAIN;
	*route = (struct rig_route){ .family = listing->family, .plen = plen, .value = value };
	memcpy(route->addr, addr, rig_bits(listing->family) / 8);
	listing->list->n++;
	return 0;
}

/* Walks in pieces of @step (0: at once) and compares with the sorted list. */
static void check_walk(struct kunit *test, const struct vpc_trie *trie, const struct rig_list *list, unsigned int step)
{
	struct rig_list *found = rig_list_new(test), *want = rig_list_new(test);
	struct listing listing = { .list = found, .family = trie->family };
	struct vpc_trie_cursor cursor = { .started = false };
	int err;

	do {
		listing.stop = step ? found->n + step : 0;
		err = vpc_trie_walk(trie, &cursor, listing_put, &listing);
	} while (err == -EAGAIN);
	KUNIT_EXPECT_EQ(test, err, 0);
	*want = *list;
	rig_list_sort(want);
	KUNIT_ASSERT_EQ(test, found->n, want->n);
	KUNIT_EXPECT_EQ(test, memcmp(found->route, want->route, want->n * sizeof(want->route[0])), 0);
	kunit_kfree(test, want);
	kunit_kfree(test, found);
}

static void check_trie(struct kunit *test, const struct vpc_trie *trie, struct rig_list *list)
{
	unsigned int i;
	u8 addr[16];

	KUNIT_EXPECT_EQ(test, trie->count, list->n);
	KUNIT_EXPECT_EQ(test, !trie->root, !list->n);
	for (i = 0; i < list->n; i++)
		check_prefix(test, trie, list, &list->route[i]);
	for (i = 0; i < 20; i++) {
		rig_bytes(addr, sizeof(addr));
		check_lookup(test, trie, list, addr);
	}
	check_walk(test, trie, list, 0);
	cond_resched();
}

static void check_world(struct world *world)
{
	unsigned int i;

	for (i = 0; i < world->n; i++)
		check_trie(world->test, &world->version[i].trie, world->version[i].list);
	KUNIT_EXPECT_EQ(world->test, vpc_trie_memory(&world_current(world)->trie), world->bytes);
	KUNIT_EXPECT_TRUE(world->test, vpc_trie_index_sound(&world_current(world)->trie));
}

/* -- tests --------------------------------------------------------------------------------------------------------- */

struct trie_family {
	u8 family;
};

static const struct trie_family trie_families[] = { { AF_INET }, { AF_INET6 } };

static void trie_family_desc(const struct trie_family *param, char *desc)
{
	strscpy(desc, param->family == AF_INET ? "IPv4" : "IPv6", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(trie_family, trie_families, trie_family_desc);

static struct world *world_of_param(struct kunit *test)
{
	return world_new(test, ((const struct trie_family *)test->param_value)->family);
}

static void trie_lookup_table(struct kunit *test)
{
	static const struct {
		const char *addr;
		u8 plen;
		u32 value;
	} routes[] = {
		{ "0.0.0.0", 0, 1 }, { "10.0.0.0", 8, 2 }, { "10.1.0.0", 16, 3 }, { "10.1.2.0", 24, 4 },
		{ "10.1.2.3", 32, 5 }, { "128.0.0.0", 1, 6 },
	};
	static const struct {
		const char *addr;
		u32 want;
	} cases[] = {
		{ "9.255.255.255", 1 }, { "10.0.0.0", 2 }, { "10.255.255.255", 2 }, { "11.0.0.0", 1 },
		{ "10.1.0.0", 3 }, { "10.1.2.2", 4 }, { "10.1.2.3", 5 }, { "10.1.2.4", 4 }, { "10.1.3.0", 3 },
		{ "127.255.255.255", 1 }, { "128.0.0.0", 6 }, { "255.255.255.255", 6 },
	};
	struct world *world = world_new(test, AF_INET);
	struct rig_route route = { .family = AF_INET };
	unsigned int i;
	u8 addr[4];

	world_begin(world);
	for (i = 0; i < ARRAY_SIZE(routes); i++) {
		KUNIT_ASSERT_EQ(test, in4_pton(routes[i].addr, -1, route.addr, -1, NULL), 1);
		route.plen = routes[i].plen;
		route.value = routes[i].value;
		KUNIT_ASSERT_EQ(test, world_add(world, &route), 0);
	}
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		KUNIT_ASSERT_EQ(test, in4_pton(cases[i].addr, -1, addr, -1, NULL), 1);
		KUNIT_EXPECT_EQ_MSG(test, vpc_trie_lookup(&world->trie, addr, NULL), cases[i].want, "%s",
				    cases[i].addr);
	}
	world_commit(world);
	check_world(world);
	world_free(world);
}

/* Transactions that commit and abort; all versions that are still held stay what they were. */
static void trie_random_changes(struct kunit *test)
{
	struct world *world;
	unsigned int round, i, n;

	for (round = 0; round < 4; round++) {
		world = world_of_param(test);
		for (i = 0; i < 40; i++) {
			world_begin(world);
			for (n = rig_below(i % 4 ? 12 : 80); n; n--)
				world_change(world);
			if (rig_below(4))
				world_commit(world);
			else
				world_abort(world);
			if (i % 4 == 0)
				check_world(world);
		}
		check_world(world);
		world_free(world);
	}
}

/* A table is the same, and takes the same memory, in whatever order it was built; taken apart, nothing is left. */
static void trie_any_order(struct kunit *test)
{
	struct world *world = world_of_param(test);
	struct rig_list *list = rig_list_new(test);
	struct rig_route route;
	s64 bytes = 0;
	unsigned int round, i;

	while (list->n < 300) {
		route = rig_route_random(list, world_family(world), 1);
		rig_list_set(list, &route);
	}
	for (round = 0; round < 8; round++) {
		rig_list_shuffle(list);
		world_begin(world);
		for (i = 0; i < list->n; i++)
			KUNIT_EXPECT_EQ(test, world_add(world, &list->route[i]), 0);
		if (round == 0)
			bytes = world->txn.bytes;
		KUNIT_EXPECT_EQ(test, world->txn.bytes, bytes);
		world_commit(world);
		check_world(world);
		rig_list_shuffle(list);
		world_begin(world);
		for (i = 0; i < list->n; i++) {
			KUNIT_EXPECT_EQ(test, world_del(world, &list->route[i]), 0);
			if (i % 50 == 0)
				check_trie(test, &world->trie, world->list);
		}
		world_commit(world);
		KUNIT_EXPECT_NULL(test, world->trie.root);
		KUNIT_EXPECT_EQ(test, world->bytes, 0);
	}
	world_free(world);
}

static void trie_walk_steps(struct kunit *test)
{
	struct world *world = world_of_param(test);
	struct rig_route route;
	unsigned int i;

	world_begin(world);
	for (i = 0; i < 200; i++) {
		route = rig_route_random(world->list, world_family(world), 1);
		KUNIT_EXPECT_EQ(test, world_add(world, &route), 0);
	}
	for (i = 1; i < 20; i += 3)
		check_walk(test, &world->trie, world->list, i);
	world_commit(world);
	world_free(world);
}

/* Emptying what is partly published and partly this transaction's own. */
static void trie_clear(struct kunit *test)
{
	struct world *world = world_of_param(test);
	unsigned int round, i;

	for (round = 0; round < 6; round++) {
		world_begin(world);
		for (i = 0; i < 150; i++)
			world_change(world);
		world_commit(world);
		world_begin(world);
		for (i = 0; i < 5 * round; i++)
			world_change(world);
		KUNIT_EXPECT_EQ(test, vpc_trie_clear(&world->txn, &world->trie), 0);
		world->list->n = 0;
		check_trie(test, &world->trie, world->list);
		KUNIT_EXPECT_EQ(test, world->txn.bytes, -world->bytes);
		if (round % 2)
			world_commit(world);
		else
			world_abort(world);
		check_world(world);
	}
	world_free(world);
}

/*
 * One allocation of a transaction fails, whichever it is: the change that meets it has not happened, the version before
 * is untouched, the transaction goes on, and nothing leaks whether it ends in a commit or an abort.
 */
static void trie_no_memory(struct kunit *test)
{
	struct world *world = world_of_param(test);
	unsigned int fail, i, failed;
	bool met = true;
	int err;

	rig_can_fail(test);
	world_begin(world);
	for (i = 0; i < 60; i++)
		world_change(world);
	world_commit(world);
	for (fail = 1; met; fail++) {
		failed = 0;
		world_begin(world);
		rig_fail(fail);
		for (i = 0; i < 25; i++) {
			if (i == 20 && fail % 4 == 0) {
				err = vpc_trie_clear(&world->txn, &world->trie);
				world->list->n = err ? world->list->n : 0;
			} else {
				err = world_change(world);
			}
			if (err == -ENOMEM) {
				failed++;
				check_trie(test, &world->trie, world->list);
			}
		}
		err = vpc_trie_seal(&world->txn, &world->trie);
		failed += err == -ENOMEM;
		met = rig_fail_end();
		KUNIT_EXPECT_LE(test, failed, 1);
		check_trie(test, &world->trie, world->list);
		if (!err && failed && rig_below(2))
			world_commit(world);
		else
			world_abort(world);
		check_world(world);
	}
	KUNIT_EXPECT_GT(test, fail, 10);
	world_free(world);
}

static int trie_suite_init(struct kunit_suite *suite)
{
	return vpc_trie_init_caches();
}

static void trie_suite_exit(struct kunit_suite *suite)
{
	vpc_trie_exit_caches();
}

static int trie_test_init(struct kunit *test)
{
	rig_seed();
	return 0;
}

static struct kunit_case trie_cases[] = {
	KUNIT_CASE(trie_lookup_table),
	KUNIT_CASE_PARAM(trie_random_changes, trie_family_gen_params),
	KUNIT_CASE_PARAM(trie_any_order, trie_family_gen_params),
	KUNIT_CASE_PARAM(trie_walk_steps, trie_family_gen_params),
	KUNIT_CASE_PARAM(trie_clear, trie_family_gen_params),
	KUNIT_CASE_PARAM(trie_no_memory, trie_family_gen_params),
	{}
};

static struct kunit_suite trie_suite = {
	.name = "vpc_trie",
	.suite_init = trie_suite_init,
	.suite_exit = trie_suite_exit,
	.init = trie_test_init,
	.test_cases = trie_cases,
};

kunit_test_suite(trie_suite);
