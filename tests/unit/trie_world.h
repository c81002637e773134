/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For test_trie.c, which has included the trie: a trie through its transactions, each version next to the oracle that
 * says what is in it, and the comparison of the two.
 */
#ifndef TRIE_WORLD_H
#define TRIE_WORLD_H

#include "trie_oracle.h"

static const u8 families[] = { AF_INET, AF_INET6 };

static unsigned int family_bits(u8 family)
{
	return family == AF_INET6 ? 128 : 32;
}

/* -- one trie, its versions, and what they should be --------------------------------------------------------------- */

#define VERSIONS 4

struct version {
	struct vpc_trie trie;
	struct vpc_trie_garbage garbage;	/* what this and older versions see and newer ones do not */
	struct oracle oracle;
};

/* Versions as tables/vpc.c keeps them: the newest is the current one, older ones are snapshots. */
struct world {
	struct version *version[VERSIONS];
	unsigned int n;
	u32 stamp;
	s64 bytes;				/* of the current version, by the transactions' accounts */
	struct vpc_trie_txn txn;
	struct vpc_trie trie;			/* the open transaction's */
	struct oracle oracle;
};

static struct version *world_current(struct world *world)
{
	return world->version[world->n - 1];
}

static struct world *world_new(u8 family)
{
	struct world *world = calloc(1, sizeof(*world));

	world->version[world->n++] = calloc(1, sizeof(struct version));
	vpc_trie_init(&world_current(world)->trie, family);
	world_current(world)->oracle.bits = family_bits(family);
	return world;
}

static void world_begin(struct world *world)
{
	vpc_trie_begin(&world->txn, ++world->stamp);
	world->trie = world_current(world)->trie;
	world->oracle = world_current(world)->oracle;
}

/* The oldest snapshot is returned: nobody sees its garbage any more. */
static void world_drop_oldest(struct world *world)
{
	vpc_trie_garbage_free(&world->version[0]->garbage);
	free(world->version[0]);
	memmove(world->version, world->version + 1, --world->n * sizeof(world->version[0]));
}

static void world_commit(struct world *world)
{
	struct version *next = calloc(1, sizeof(*next));

	assert_int_equal(vpc_trie_seal(&world->txn, &world->trie), 0);
	world->bytes += world->txn.bytes;
	next->trie = world->trie;
	next->oracle = world->oracle;
	world_current(world)->garbage = vpc_trie_commit(&world->txn);
	if (world->n == VERSIONS)
		world_drop_oldest(world);
	world->version[world->n++] = next;
}

/* Also of what was sealed already, or half of it. */
static void world_abort(struct world *world)
{
	switch (random_below(3)) {
	case 0:
		vpc_trie_seal(&world->txn, &world->trie);
		break;
	case 1:
		kshim_mem.fail_in = 1 + random_below(20);
		vpc_trie_seal(&world->txn, &world->trie);
		kshim_mem.fail_in = 0;
		break;
	}
	vpc_trie_revert(&world->txn, &world->trie, &world_current(world)->trie);
	assert_ptr_equal(world->trie.root, world_current(world)->trie.root);
	vpc_trie_abort(&world->txn);
	assert_null(world->txn.garbage.head);
}

static void world_free(struct world *world)
{
	vpc_trie_destroy(&world_current(world)->trie);
	while (world->n)
		world_drop_oldest(world);
	free(world);
	assert_int_equal(kshim_mem.slab_bytes, 0);
}

static int world_add(struct world *world, const struct prefix *prefix)
{
	u32 had, old = 12345;
	int err;

	err = vpc_trie_add(&world->txn, &world->trie, prefix->addr, prefix->plen, prefix->value, &old);
	if (err) {
		assert_int_equal(old, 12345);
		return err;
	}
	had = oracle_add(&world->oracle, prefix);
	assert_int_equal(old, had);
	return 0;
}

static int world_del(struct world *world, const struct prefix *prefix)
{
	bool there = oracle_find(&world->oracle, prefix->addr, prefix->plen);
	u32 had, old = 12345;
	int err;

	err = vpc_trie_del(&world->txn, &world->trie, prefix->addr, prefix->plen, &old);
	if (err) {
		assert_int_equal(old, 12345);
		assert_int_equal(err == -ENOENT, !there);
		return err;
	}
	assert_true(there);
	had = oracle_del(&world->oracle, prefix);
	assert_int_equal(old, had);
	return 0;
}

static int world_clear(struct world *world)
{
	int err = vpc_trie_clear(&world->txn, &world->trie);

	if (!err)
		world->oracle.n = 0;
	return err;
}

/* Add, change, delete what is there, delete what is not; seldom clear. */
static int world_change(struct world *world)
{
	struct prefix prefix = random_prefix(&world->oracle);
	unsigned int what = random_below(1000);

	if (what == 0)
		return world_clear(world);
	if (what < 50)
		return world_del(world, &prefix);
	if (what < 400 && world->oracle.n)
		return world_del(world, &world->oracle.prefix[random_below(world->oracle.n)]);
	if (what < 500 && world->oracle.n) {
		prefix = world->oracle.prefix[random_below(world->oracle.n)];
		prefix.value = 1 + random_below(3);
	}
	return world_add(world, &prefix);
}

/* -- comparing ----------------------------------------------------------------------------------------------------- */

static void check_lookup(const struct vpc_trie *trie, const struct oracle *oracle, const u8 *addr)
{
	const struct prefix *want = oracle_lookup(oracle, addr);
	u8 plen = 255;

	assert_int_equal(vpc_trie_lookup(trie, addr, &plen), want ? want->value : 0);
	assert_int_equal(plen, want ? want->plen : 255);
	assert_int_equal(vpc_trie_lookup(trie, addr, NULL), want ? want->value : 0);
}

/* The first and last address inside @prefix and those before and behind. */
static void check_prefix(const struct vpc_trie *trie, struct oracle *oracle, const struct prefix *prefix)
{
	struct prefix *want;
	u8 addr[16];
	unsigned int i;

	for (i = prefix->plen ? prefix->plen - 1 : 0; i <= prefix->plen + 1U && i <= oracle->bits; i++) {
		memcpy(addr, prefix->addr, sizeof(addr));
		addr_fill(addr, i, 128, false);
		want = oracle_find(oracle, addr, i);
		assert_int_equal(vpc_trie_lookup_exact(trie, addr, i), want ? want->value : 0);
	}
	memcpy(addr, prefix->addr, sizeof(addr));
	check_lookup(trie, oracle, addr);
	addr_fill(addr, prefix->plen, oracle->bits, true);
	check_lookup(trie, oracle, addr);
	for (i = oracle->bits; i-- && addr_bit(addr, i);)
		addr_set_bit(addr, i, false);
	if (i < oracle->bits)
		addr_set_bit(addr, i, true);
	check_lookup(trie, oracle, addr);
	memcpy(addr, prefix->addr, sizeof(addr));
	for (i = oracle->bits; i-- && !addr_bit(addr, i);)
		addr_set_bit(addr, i, true);
	if (i < oracle->bits)
		addr_set_bit(addr, i, false);
	check_lookup(trie, oracle, addr);
}

struct listing {
	struct prefix *prefix;
	unsigned int n;
	unsigned int stop;		/* after so many; 0: never */
	unsigned int bytes;
};

static int listing_put(const u8 *addr, u8 plen, u32 value, void *arg)
{
	struct listing *listing = arg;
	struct prefix *prefix = &listing->prefix[listing->n];

	if (listing->stop && listing->n == listing->stop)
		return -EAGAIN;
	memset(prefix->addr, 0, sizeof(prefix->addr));
	memcpy(prefix->addr, addr, listing->bytes);
	prefix->plen = plen;
	prefix->value = value;
	listing->n++;
	return 0;
}

static void check_walk(const struct vpc_trie *trie, const struct oracle *oracle)
{
	static struct prefix found[ORACLE_MAX], want[ORACLE_MAX];
	struct listing listing = { .prefix = found, .bytes = oracle->bits / 8 };
	struct vpc_trie_cursor cursor = { .started = false };
	unsigned int i;

	assert_int_equal(vpc_trie_walk(trie, &cursor, listing_put, &listing), 0);
	assert_int_equal(listing.n, oracle->n);
	memcpy(want, oracle->prefix, oracle->n * sizeof(want[0]));
	qsort(want, oracle->n, sizeof(want[0]), prefix_compare);
	for (i = 0; i < oracle->n; i++) {
		assert_int_equal(prefix_compare(&found[i], &want[i]), 0);
		assert_int_equal(found[i].value, want[i].value);
	}
}

static void check_trie(const struct vpc_trie *trie, struct oracle *oracle)
{
	u8 addr[16] = { 0 };
	unsigned int i;

	assert_int_equal(trie->count, oracle->n);
	assert_int_equal(!trie->root, !oracle->n);
	for (i = 0; i < oracle->n; i++)
		check_prefix(trie, oracle, &oracle->prefix[i]);
	for (i = 0; i < 20; i++) {
		memcpy(addr, (u64[]){ random_u64(), random_u64() }, oracle->bits / 8);
		check_lookup(trie, oracle, addr);
	}
	check_walk(trie, oracle);
}

/* Memory of a trie is that of one built in any other order. */
static void check_shape(const struct vpc_trie *trie, const struct oracle *oracle)
{
	struct oracle *copy = malloc(sizeof(*copy));
	struct vpc_trie built;
	struct vpc_trie_txn txn;
	size_t before = kshim_mem.slab_bytes;
	unsigned int i;
	u32 old;

	*copy = *oracle;
	prefix_shuffle(copy->prefix, copy->n);
	vpc_trie_init(&built, trie->family);
	vpc_trie_begin(&txn, 1);
	for (i = 0; i < copy->n; i++)
		vpc_trie_add(&txn, &built, copy->prefix[i].addr, copy->prefix[i].plen, copy->prefix[i].value, &old);
	check_walk(&built, oracle);
	assert_int_equal(vpc_trie_memory(&built), vpc_trie_memory(trie) - vpc_index_memory(trie));
	assert_int_equal(vpc_trie_memory(&built), txn.bytes);
	assert_int_equal(kshim_mem.slab_bytes - before, txn.bytes);
	vpc_trie_abort(&txn);
	vpc_trie_destroy(&built);
	assert_int_equal(kshim_mem.slab_bytes, before);
	free(copy);
}

/* Every version that may be seen. */
static void check_world(struct world *world)
{
	unsigned int i;

	for (i = 0; i < world->n; i++)
		check_trie(&world->version[i]->trie, &world->version[i]->oracle);
	if (random_below(8) == 0)
		assert_true(vpc_trie_index_sound(&world_current(world)->trie));
	assert_int_equal(vpc_trie_memory(&world_current(world)->trie), world->bytes);
}

#endif
