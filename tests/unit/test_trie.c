// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's route trie (kmod/tables/trie*.c) in user space, over stand-in kernel headers (kshim/), against a naive
 * oracle: content, order, old versions, aborts, failed allocations, and memory to the byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <unistd.h>
#include <zlib.h>

/* Small enough for the random tables to come to it and to go back. */
#define VPC_INDEX_MIN index_min
static unsigned int index_min = 65536;

#include "../../kmod/tables/trie.c"
#include "../../kmod/tables/trie_edit.c"
#include "../../kmod/tables/trie_mem.c"
#include "../../kmod/tables/trie_index.c"
#include "../../kmod/tables/trie_walk.c"
#include "trie_world.h"
#include "trie_runs.h"

/* -- tests --------------------------------------------------------------------------------------------------------- */

static u8 text_family(const char *text)
{
	return strchr(text, ':') ? AF_INET6 : AF_INET;
}

static struct prefix prefix_parse(const char *text, u32 value)
{
	struct prefix prefix = { .value = value };
	char buf[64];
	char *slash;

	snprintf(buf, sizeof(buf), "%s", text);
	slash = strchr(buf, '/');
	*slash = '\0';
	assert_int_equal(inet_pton(text_family(buf), buf, prefix.addr), 1);
	prefix.plen = atoi(slash + 1);
	return prefix;
}

static void test_lookup_cases(void **state)
{
	static const char *const routes[] = {
		"0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/9", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "128.0.0.0/1",
		"::/0", "2001:db8::/32", "2001:db8:1::/48", "2001:db8:1:1::/64", "2001:db8:1:1::1/128", "fe80::/10",
	};
	static const struct {
		const char *addr;
		unsigned int want;		/* place in routes[] plus 1 */
	} cases[] = {
		{ "9.255.255.255", 1 }, { "10.0.0.0", 3 }, { "10.128.0.0", 2 }, { "10.1.0.0", 4 }, { "10.1.2.2", 5 },
		{ "10.1.2.3", 6 }, { "10.1.2.4", 5 }, { "127.255.255.255", 1 }, { "128.0.0.0", 7 },
		{ "255.255.255.255", 7 }, { "::", 8 }, { "2001:db7:ffff::", 8 }, { "2001:db8::", 9 },
		{ "2001:db8:1:0:ffff::", 10 }, { "2001:db8:1:1::", 11 }, { "2001:db8:1:1::1", 12 },
		{ "2001:db8:1:1::2", 11 }, { "2001:db8:1:2::", 10 }, { "fe80::1", 13 }, { "fec0::", 8 },
	};
	struct world *world;
	struct prefix prefix;
	unsigned int i, f;

	for (f = 0; f < 2; f++) {
		world = world_new(families[f]);
		world_begin(world);
		for (i = 0; i < ARRAY_SIZE(routes); i++) {
			prefix = prefix_parse(routes[i], i + 1);
			if (text_family(routes[i]) == families[f])
				assert_int_equal(world_add(world, &prefix), 0);
		}
		for (i = 0; i < ARRAY_SIZE(cases); i++) {
			if (inet_pton(families[f], cases[i].addr, prefix.addr))
				assert_int_equal(vpc_trie_lookup(&world->trie, prefix.addr, NULL), cases[i].want);
		}
		world_commit(world);
		check_world(world);
		world_free(world);
	}
}

static void test_empty(void **state)
{
	struct world *world = world_new(AF_INET);
	struct prefix prefix = prefix_parse("10.0.0.0/8", 7);
	struct vpc_trie_cursor cursor = { .started = false };

	world_begin(world);
	check_trie(&world->trie, &world->oracle);
	assert_int_equal(vpc_trie_memory(&world->trie), 0);
	assert_int_equal(vpc_trie_walk(&world->trie, &cursor, listing_put, NULL), 0);
	assert_false(cursor.started);
	assert_int_equal(world_del(world, &prefix), -ENOENT);
	assert_int_equal(world_clear(world), 0);
	assert_int_equal(world_add(world, &prefix), 0);
	assert_int_equal(world_del(world, &prefix), 0);
	assert_int_equal(world_del(world, &prefix), -ENOENT);
	check_trie(&world->trie, &world->oracle);
	assert_int_equal(world->txn.bytes, 0);
	world_commit(world);
	world_free(world);
}

/* All lengths of one address, which is one node of every level, in many orders. */
static void test_nested(void **state)
{
	struct prefix chain[129];
	struct prefix seed;
	struct world *world;
	unsigned int f, i, round;

	for (f = 0; f < 2; f++) {
		for (round = 0; round < 20; round++) {
			world = world_new(families[f]);
			world_begin(world);
			seed = random_prefix(&(struct oracle){ .bits = family_bits(families[f]) });
			for (i = 0; i <= family_bits(families[f]); i++) {
				chain[i] = seed;
				chain[i].plen = i;
				chain[i].value = i + 1;
				addr_fill(chain[i].addr, i, 128, false);
			}
			prefix_shuffle(chain, round ? i : 0);
			while (i--)
				assert_int_equal(world_add(world, &chain[i]), 0);
			check_trie(&world->trie, &world->oracle);
			prefix_shuffle(chain, family_bits(families[f]) + 1);
			for (i = 0; i < family_bits(families[f]); i++) {
				assert_int_equal(world_del(world, &chain[i]), 0);
				if (i % 8 == 0)
					check_trie(&world->trie, &world->oracle);
				check_shape(&world->trie, &world->oracle);
			}
			world_commit(world);
			world_free(world);
		}
	}
}

/* Changes over many transactions, with commits and aborts; all versions that are still held stay what they were. */
static void test_versions(void **state)
{
	struct world *world;
	unsigned int round, f, i, n;

	for (round = 0; round < 20; round++) {
		f = round % 2;
		world = world_new(families[f]);
		for (i = 0; i < 40; i++) {
			world_begin(world);
			for (n = random_below(i % 4 == 0 ? 120 : 12); n; n--)
				world_change(world);
			if (i % 4 == 0)
				check_trie(&world->trie, &world->oracle);
			if (random_below(4))
				world_commit(world);
			else
				world_abort(world);
			if (i % 4 == 0)
				check_world(world);
		}
		check_world(world);
		check_shape(&world_current(world)->trie, &world_current(world)->oracle);
		while (world->n > 1)
			world_drop_oldest(world);
		check_world(world);
		assert_int_equal(kshim_mem.slab_bytes, world->bytes);
		world_free(world);
	}
}

/* A table grown and shrunk to nothing, in one transaction and in one each. */
static void test_grow_shrink(void **state)
{
	struct world *world;
	struct prefix prefix;
	unsigned int round, i;

	for (round = 0; round < 4; round++) {
		world = world_new(families[round % 2]);
		world_begin(world);
		for (i = 0; i < 600; i++) {
			prefix = random_prefix(&world->oracle);
			assert_int_equal(world_add(world, &prefix), 0);
		}
		world_commit(world);
		check_world(world);
		check_shape(&world->trie, &world->oracle);
		if (round < 2)
			world_begin(world);
		while (world->oracle.n) {
			if (round >= 2)
				world_begin(world);
			prefix = world->oracle.prefix[random_below(world->oracle.n)];
			assert_int_equal(world_del(world, &prefix), 0);
			if (world->oracle.n % 64 == 0) {
				check_trie(&world->trie, &world->oracle);
				check_shape(&world->trie, &world->oracle);
			}
			if (round >= 2)
				world_commit(world);
		}
		if (round < 2)
			world_commit(world);
		check_world(world);
		assert_int_equal(world->bytes, 0);
		world_free(world);
	}
}

/* The same value again is no change: nothing is copied. */
static void test_same_value(void **state)
{
	struct world *world = world_new(AF_INET);
	struct prefix prefix = prefix_parse("10.0.0.0/8", 7);

	world_begin(world);
	assert_int_equal(world_add(world, &prefix), 0);
	world_commit(world);
	world_begin(world);
	assert_int_equal(world_add(world, &prefix), 0);
	assert_ptr_equal(world->trie.root, world_current(world)->trie.root);
	assert_int_equal(world->trie.count, 1);
	world_abort(world);
	world_free(world);
}

static void walk_from(const struct vpc_trie *trie, const struct oracle *sorted, const struct prefix *at)
{
	static struct prefix found[ORACLE_MAX];
	struct listing listing = { .prefix = found, .bytes = sorted->bits / 8 };
	struct vpc_trie_cursor cursor = { .plen = at->plen, .started = true };
	unsigned int i, first = 0;

	memcpy(cursor.addr, at->addr, sizeof(cursor.addr));
	while (first < sorted->n && prefix_compare(&sorted->prefix[first], at) <= 0)
		first++;
	assert_int_equal(vpc_trie_walk(trie, &cursor, listing_put, &listing), 0);
	assert_int_equal(listing.n, sorted->n - first);
	for (i = 0; i < listing.n; i++)
		assert_int_equal(prefix_compare(&found[i], &sorted->prefix[first + i]), 0);
}

/* Walks from behind each prefix, from places where no prefix is, and in steps of every size. */
static void test_walk_resume(void **state)
{
	static struct prefix found[ORACLE_MAX];
	struct vpc_trie_cursor cursor;
	struct listing listing;
	struct world *world;
	struct prefix prefix;
	unsigned int round, i, step;

	for (round = 0; round < 8; round++) {
		world = world_new(families[round % 2]);
		world_begin(world);
		for (i = 0; i < 30 + 40 * round; i++) {
			prefix = random_prefix(&world->oracle);
			assert_int_equal(world_add(world, &prefix), 0);
		}
		qsort(world->oracle.prefix, world->oracle.n, sizeof(prefix), prefix_compare);
		for (i = 0; i < world->oracle.n; i++)
			walk_from(&world->trie, &world->oracle, &world->oracle.prefix[i]);
		for (i = 0; i < 300; i++) {
			prefix = random_prefix(&world->oracle);
			walk_from(&world->trie, &world->oracle, &prefix);
		}
		for (step = 1; step < 20; step += 3) {
			cursor = (struct vpc_trie_cursor){ .started = false };
			listing = (struct listing){ .prefix = found, .bytes = world->oracle.bits / 8 };
			do
				listing.stop = listing.n + step;
			while (vpc_trie_walk(&world->trie, &cursor, listing_put, &listing) == -EAGAIN);
			assert_int_equal(listing.n, world->oracle.n);
			for (i = 0; i < listing.n; i++)
				assert_int_equal(prefix_compare(&found[i], &world->oracle.prefix[i]), 0);
		}
		world_commit(world);
		world_free(world);
	}
}

/*
 * One allocation of a transaction fails, whichever it is: the change that meets it has not happened, the version
 * before is untouched, the transaction goes on, and nothing leaks whether it ends in a commit or an abort.
 */
static void test_no_memory(void **state)
{
	struct world *world;
	unsigned int round, i, failed;
	long fail, live;
	int err;

	for (round = 0; round < 6; round++) {
		world = world_new(families[round % 2]);
		world_begin(world);
		for (i = 0; i < 80; i++)
			world_change(world);
		world_commit(world);
		for (fail = 1;; fail++) {
			live = kshim_mem.live;
			failed = 0;
			kshim_mem.fail_in = fail;
			world_begin(world);
			for (i = 0; i < 25; i++) {
				err = i == 20 && round > 1 ? world_clear(world) : world_change(world);
				if (err == -ENOMEM) {
					failed++;
					check_trie(&world->trie, &world->oracle);
				}
			}
			kshim_mem.fail_in = 0;
			assert_in_range(failed, 0, 1);
			check_trie(&world->trie, &world->oracle);
			if (failed && random_below(2)) {
				world_commit(world);
				check_world(world);
			} else {
				world_abort(world);
				check_world(world);
				assert_int_equal(kshim_mem.live, live);
			}
			if (!failed)
				break;
		}
		assert_true(fail > 10);
		world_free(world);
	}
}

/* Every single change of a table with every allocation of it failing, on published and on own nodes. */
static void test_no_memory_each(void **state)
{
	struct world *world;
	struct prefix prefix;
	unsigned int round, i;
	long fail;
	bool del;
	int err;

	for (round = 0; round < 4; round++) {
		world = world_new(families[round % 2]);
		for (i = 0; i < 250; i++) {
			prefix = random_prefix(&world_current(world)->oracle);
			del = i > 20 && world_current(world)->oracle.n && random_below(2);
			if (del)
				prefix = world_current(world)->oracle.prefix[0];
			for (fail = 1, err = -ENOMEM; err; fail++) {
				world_begin(world);
				if (round >= 2)	/* a change before makes some of the nodes this transaction's own */
					world_add(world, &(struct prefix){ .plen = 0, .value = 1 + fail + i });
				kshim_mem.fail_in = fail;
				err = del ? world_del(world, &prefix) : world_add(world, &prefix);
				kshim_mem.fail_in = 0;
				assert_true(!err || err == -ENOMEM);
				if (err) {
					check_walk(&world->trie, &world->oracle);
					assert_int_equal(vpc_trie_memory(&world->trie),
							 world->bytes + world->txn.bytes);
					world_abort(world);
				}
			}
			world_commit(world);
			check_walk(&world_current(world)->trie, &world_current(world)->oracle);
		}
		check_world(world);
		world_free(world);
	}
}

/* Clearing what is partly published and partly new; with and without memory for the list of the retired. */
static void test_clear(void **state)
{
	unsigned int round, i;
	struct world *world;
	long live;

	for (round = 0; round < 16; round++) {
		world = world_new(families[round % 2]);
		world_begin(world);
		for (i = 0; i < 400; i++)
			world_change(world);
		world_commit(world);
		live = kshim_mem.live;
		world_begin(world);
		for (i = 0; i < 5 * round; i++)
			world_change(world);
		kshim_mem.fail_in = 1;
		if (world_clear(world)) {
			check_trie(&world->trie, &world->oracle);
			kshim_mem.fail_in = 0;
			assert_int_equal(world_clear(world), 0);
		}
		kshim_mem.fail_in = 0;
		check_trie(&world->trie, &world->oracle);
		check_world(world);
		assert_int_equal(world->txn.bytes, -world->bytes);
		for (i = 0; i < 20; i++)
			world_change(world);
		if (round % 4 < 2) {
			world_abort(world);
			assert_int_equal(kshim_mem.live, live);
		} else {
			world_commit(world);
		}
		check_world(world);
		world_free(world);
	}
}

/* Two transactions on one version: only one may be committed, and the other, aborted later, touches nothing. */
static void test_two_open(void **state)
{
	struct world *world = world_new(AF_INET6);
	struct vpc_trie_txn other;
	struct vpc_trie trie;
	struct version *base;
	unsigned int i;
	u32 old;

	world_begin(world);
	for (i = 0; i < 200; i++)
		world_change(world);
	world_commit(world);
	base = world_current(world);
	trie = base->trie;
	vpc_trie_begin(&other, 1000);
	world_begin(world);
	for (i = 0; i < 100; i++) {
		struct prefix prefix = random_prefix(&world->oracle);

		world_change(world);
		assert_int_equal(vpc_trie_add(&other, &trie, prefix.addr, prefix.plen, 9, &old), 0);
	}
	world_commit(world);
	check_world(world);
	vpc_trie_revert(&other, &trie, &base->trie);
	vpc_trie_abort(&other);
	check_world(world);
	world_free(world);
}

static void test_caches_without_memory(void **state)
{
	long fail, live = kshim_mem.live;
	struct kmem_cache *saved[ARRAY_SIZE(vpc_trie_cache)];

	memcpy(saved, vpc_trie_cache, sizeof(saved));
	for (fail = 1; fail <= (long)ARRAY_SIZE(vpc_trie_cache); fail++) {
		memset(vpc_trie_cache, 0, sizeof(vpc_trie_cache));
		kshim_mem.fail_in = fail;
		assert_int_equal(vpc_trie_init_caches(), -ENOMEM);
		assert_int_equal(kshim_mem.live, live);
	}
	memcpy(vpc_trie_cache, saved, sizeof(saved));
}

/* What small tables cost, and tables of neighbours; more than this is a regression. */
static void test_memory(void **state)
{
	static const struct {
		const char *first;	/* and its neighbours */
		unsigned int n;
		size_t bytes;
	} cases[] = {
		{ "10.0.0.0/8", 1, 32 }, { "0.0.0.0/0", 1, 32 }, { "10.1.1.1/32", 1, 32 }, { "::/0", 1, 48 },
		{ "10.0.0.0/24", 4, 48 }, { "10.0.0.1/32", 10, 64 }, { "10.1.0.0/32", 256, 2000 },
		{ "2001:db8::1/128", 10, 88 }, { "2001:db8::/128", 256, 2200 }, { "2001:db8::/64", 256, 2700 },
	};
	struct world *world;
	struct prefix prefix;
	unsigned int i, k, bit;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		prefix = prefix_parse(cases[i].first, 1);
		world = world_new(text_family(cases[i].first));
		world_begin(world);
		for (k = 0; k < cases[i].n; k++) {
			assert_int_equal(world_add(world, &prefix), 0);
			for (bit = prefix.plen; bit-- && addr_bit(prefix.addr, bit);)
				addr_set_bit(prefix.addr, bit, false);
			if (bit < prefix.plen)
				addr_set_bit(prefix.addr, bit, true);
		}
		world_commit(world);
		if (vpc_trie_memory(&world_current(world)->trie) > cases[i].bytes)
			fail_msg("%u from %s take %zu bytes", cases[i].n, cases[i].first,
				 vpc_trie_memory(&world_current(world)->trie));
		world_free(world);
	}
}

/* -- real tables --------------------------------------------------------------------------------------------------- */

struct table {
	u8 family;
	unsigned int n;
	struct prefix *prefix;		/* sorted */
	unsigned int *parent;		/* place of the next shorter prefix around each, or its own */
};

static void table_load(const char *path, struct table *table)
{
	unsigned int i, parent, size = 0;
	char line[128];
	gzFile file = gzopen(path, "r");

	assert_non_null(file);
	table->n = 0;
	table->prefix = NULL;
	while (gzgets(file, line, sizeof(line))) {
		if (table->n == size) {
			size = size ? 2 * size : 1024;
			table->prefix = realloc(table->prefix, size * sizeof(table->prefix[0]));
		}
		table->prefix[table->n++] = prefix_parse(line, 1 + atoi(strchr(line, ' ') + 1));
	}
	table->family = text_family(line);
	gzclose(file);
	qsort(table->prefix, table->n, sizeof(table->prefix[0]), prefix_compare);
	table->parent = malloc(table->n * sizeof(table->parent[0]));
	for (i = 0; i < table->n; i++) {
		parent = i ? i - 1 : i;
		while (!prefix_covers(&table->prefix[parent], table->prefix[i].addr) && table->parent[parent] != parent)
			parent = table->parent[parent];
		table->parent[i] = prefix_covers(&table->prefix[parent], table->prefix[i].addr) ? parent : i;
	}
}

/* The last prefix that begins at or before @addr, or the nearest one around it that covers @addr. */
static const struct prefix *table_lookup(const struct table *table, const u8 *addr)
{
	struct prefix at = { .plen = 128 };
	unsigned int lo = 0, hi = table->n, mid;

	memcpy(at.addr, addr, sizeof(at.addr));
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (prefix_compare(&table->prefix[mid], &at) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo--)
		return NULL;
	while (!prefix_covers(&table->prefix[lo], addr)) {
		if (table->parent[lo] == lo)
			return NULL;
		lo = table->parent[lo];
	}
	return &table->prefix[lo];
}

struct table_order {
	const struct table *table;
	unsigned int at;
};

static int table_next(const u8 *addr, u8 plen, u32 value, void *arg)
{
	struct table_order *order = arg;
	const struct prefix *want = &order->table->prefix[order->at++];

	return memcmp(addr, want->addr, order->table->family == AF_INET6 ? 16 : 4) || plen != want->plen ||
	       value != want->value;
}

static void table_check(const struct table *table, const struct vpc_trie *trie)
{
	struct table_order order = { .table = table };
	struct vpc_trie_cursor cursor = { .started = false };
	unsigned int i, bytes = table->family == AF_INET6 ? 16 : 4;
	const struct prefix *want;
	u8 addr[16] = { 0 };
	u8 plen;

	assert_int_equal(trie->count, table->n);
	assert_int_equal(vpc_trie_walk(trie, &cursor, table_next, &order), 0);
	assert_int_equal(order.at, table->n);
	for (i = 0; i < 2 * table->n; i++) {
		memcpy(addr, (u64[]){ random_u64(), random_u64() }, bytes);
		if (i % 8) {
			/* inside a prefix of the table, or just behind it */
			want = &table->prefix[random_below(table->n)];
			memcpy(addr, want->addr, want->plen / 8);
			addr[bytes - 1] += i % 3;
		}
		plen = 255;
		want = table_lookup(table, addr);
		assert_int_equal(vpc_trie_lookup(trie, addr, &plen), want ? want->value : 0);
		assert_int_equal(plen, want ? want->plen : 255);
	}
}

static void test_real_table(const char *name, size_t bytes_per_route)
{
	const char *folder = getenv("VPC_TEST_DATA");
	struct vpc_trie_garbage garbage;
	struct vpc_trie base, trie;
	struct vpc_trie_txn txn;
	struct prefix *shuffled;
	struct table table;
	char path[512];
	unsigned int i;
	u32 old;

	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "", name);
	if (!folder || access(path, R_OK))
		skip();
	table_load(path, &table);
	shuffled = malloc(table.n * sizeof(shuffled[0]));
	memcpy(shuffled, table.prefix, table.n * sizeof(shuffled[0]));
	prefix_shuffle(shuffled, table.n);
	vpc_trie_init(&base, table.family);
	vpc_trie_begin(&txn, 1);
	for (i = 0; i < table.n; i++)
		assert_int_equal(vpc_trie_add(&txn, &base, shuffled[i].addr, shuffled[i].plen, shuffled[i].value,
					      &old), 0);
	assert_int_equal(vpc_trie_seal(&txn, &base), 0);
	assert_non_null(base.index);
	assert_true(vpc_trie_index_sound(&base));
	assert_int_equal(vpc_trie_memory(&base), txn.bytes);
	assert_true(vpc_trie_memory(&base) < bytes_per_route * table.n);
	garbage = vpc_trie_commit(&txn);
	vpc_trie_garbage_free(&garbage);
	table_check(&table, &base);

	/* A transaction that takes half of it away and is given up; then one that comes back to the same table. */
	trie = base;
	vpc_trie_begin(&txn, 2);
	for (i = 0; i < table.n / 2; i++)
		assert_int_equal(vpc_trie_del(&txn, &trie, shuffled[i].addr, shuffled[i].plen, &old), 0);
	table_check(&table, &base);
	vpc_trie_revert(&txn, &trie, &base);
	vpc_trie_abort(&txn);
	vpc_trie_begin(&txn, 3);
	for (i = 0; i < table.n / 4; i++)
		assert_int_equal(vpc_trie_del(&txn, &trie, shuffled[i].addr, shuffled[i].plen, &old), 0);
	while (i--)
		assert_int_equal(vpc_trie_add(&txn, &trie, shuffled[i].addr, shuffled[i].plen, shuffled[i].value,
					      &old), 0);
	assert_int_equal(vpc_trie_seal(&txn, &trie), 0);
	assert_true(vpc_trie_index_sound(&trie));
	assert_int_equal(vpc_trie_memory(&trie), vpc_trie_memory(&base));
	assert_int_equal(txn.bytes, 0);
	garbage = vpc_trie_commit(&txn);
	vpc_trie_garbage_free(&garbage);
	table_check(&table, &trie);
	vpc_trie_destroy(&trie);
	assert_int_equal(kshim_mem.slab_bytes, 0);
	free(shuffled);
	free(table.prefix);
	free(table.parent);
}

static void test_real_v4(void **state)
{
	test_real_table("v4_tier1_202312.txt.gz", 15);
}

static void test_real_v4_hosts(void **state)
{
	test_real_table("v4_hosts_ipsum_20260822.txt.gz", 24);
}

static void test_real_v6(void **state)
{
	test_real_table("v6_tier1_202312.txt.gz", 20);
}

/* What differs in the index alone is found out, in whatever part of it. */
static void test_index_unsound(void **state)
{
	struct world *world = world_new(AF_INET);
	struct vpc_index_page *top, *page;
	struct prefix prefix;
	unsigned int i;
	u64 *part[4];

	world_begin(world);
	for (i = 0; i < 2 * index_min; i++) {
		prefix = random_prefix(&world->oracle);
		world_add(world, &prefix);
	}
	world_commit(world);
	top = world_current(world)->trie.index;
	assert_non_null(top);
	assert_true(vpc_trie_index_sound(&world_current(world)->trie));
	for (i = 0; !vpc_index_page(top, i);)
		i++;
	page = vpc_index_page(top, i);
	part[0] = &top->way[77].ext;
	part[1] = &page->way[99].slot;
	part[2] = &page->way[99].ext;
	part[3] = &page->cover[99];
	for (i = 0; i < ARRAY_SIZE(part); i++) {
		++*part[i];
		assert_false(vpc_trie_index_sound(&world_current(world)->trie));
		--*part[i];
	}
	assert_true(vpc_trie_index_sound(&world_current(world)->trie));
	world_free(world);
}

/* A lone prefix moves in the tree because another /16 gets company or loses it; the index follows. */
static void test_index_moved(void **state)
{
	struct world *world = world_new(AF_INET6);
	struct prefix prefix, other;
	unsigned int len, bit, i;

	world_begin(world);
	for (i = 0; i < 2 * index_min; i++) {
		prefix = random_prefix(&world->oracle);
		addr_set_bit(prefix.addr, 0, true);
		prefix.plen += prefix.plen == 0;
		world_add(world, &prefix);
	}
	world_commit(world);
	for (len = 16; len <= 128; len++) {
		prefix = prefix_parse("2001:db8:5555:5555:5555:5555:5555:5555/128", 1);
		prefix.plen = len;
		addr_fill(prefix.addr, len, 128, false);
		for (bit = 1; bit < 16; bit++) {
			other = prefix;
			addr_set_bit(other.addr, bit, !addr_bit(other.addr, bit));
			for (i = 0; i < 4; i++) {
				world_begin(world);
				(i < 2 ? world_add : world_del)(world, i % 2 ? &other : &prefix);
				world_commit(world);
				check_lookup(&world_current(world)->trie, &world->oracle, prefix.addr);
				check_lookup(&world_current(world)->trie, &world->oracle, other.addr);
			}
		}
		assert_true(vpc_trie_index_sound(&world_current(world)->trie));
	}
	world_free(world);
}

static int setup_small_index(void **state)
{
	index_min = 12;
	return vpc_trie_init_caches();
}

static int setup(void **state)
{
	return vpc_trie_init_caches();
}

static int teardown(void **state)
{
	vpc_trie_exit_caches();
	return kshim_mem.live;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup_cases),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_grow_shrink),
		cmocka_unit_test(test_same_value),
		cmocka_unit_test(test_walk_resume),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_no_memory_each),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_two_open),
		cmocka_unit_test(test_caches_without_memory),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_real_v4),
		cmocka_unit_test(test_real_v4_hosts),
		cmocka_unit_test(test_real_v6),
	};

	/* Again with tables that get and lose their index all the time. */
	const struct CMUnitTest index_tests[] = {
		cmocka_unit_test(test_lookup_cases),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_grow_shrink),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_no_memory_each),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_two_open),
		cmocka_unit_test(test_index_unsound),
		cmocka_unit_test(test_index_moved),
	};
	int failed = cmocka_run_group_tests(tests, setup, teardown);

	return failed + cmocka_run_group_tests(index_tests, setup_small_index, teardown);
}
