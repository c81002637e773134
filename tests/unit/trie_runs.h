/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For test_trie.c, which has included the trie: changes of two tries in one transaction, in runs of neighbours, next to
 * their oracles. A change begins where the one before ended: what may have become of that place is what this is about.
 */
#ifndef TRIE_RUNS_H
#define TRIE_RUNS_H

#include "trie_world.h"

/* The next prefix of the same length, or a few further on; now and then another length. */
static void run_step(struct prefix *prefix, unsigned int bits)
{
	unsigned int steps = 1 + !random_below(6) * random_below(20), i;

	while (steps--) {
		for (i = prefix->plen; i-- && addr_bit(prefix->addr, i);)
			addr_set_bit(prefix->addr, i, false);
		if (i < prefix->plen)
			addr_set_bit(prefix->addr, i, true);
	}
	if (!random_below(10)) {
		prefix->plen = random_below(bits + 1);
		addr_fill(prefix->addr, prefix->plen, 128, false);
	}
	prefix->value = 1 + random_below(3);
}

/*
 * Changes in runs, as a controller sends them: each may begin where the one before ended, which may have failed, have
 * been refused, have been in another family's trie, or have taken that place away.
 */
static void test_runs(void **state)
{
	struct vpc_trie none4, none6, trie[2];
	struct oracle *oracle = calloc(2, sizeof(*oracle));
	struct vpc_trie_txn txn;
	struct prefix prefix = { 0 };
	unsigned int round, i, f, run, what = 0;
	u32 old, had;
	int err;

	for (round = 0; round < 60; round++) {
		vpc_trie_begin(&txn, round + 1);
		vpc_trie_init(&none4, AF_INET);
		vpc_trie_init(&none6, AF_INET6);
		trie[0] = none4;
		trie[1] = none6;
		memset(oracle, 0, 2 * sizeof(*oracle));
		oracle[0].bits = 32;
		oracle[1].bits = 128;
		for (i = run = f = 0; i < 1500; i++) {
			if (!run--) {
				run = random_below(60);
				f = random_below(2);
				what = random_below(2);
				prefix = oracle[f].n && random_below(4) ? oracle[f].prefix[random_below(oracle[f].n)]
									: random_prefix(&oracle[f]);
			}
			run_step(&prefix, oracle[f].bits);
			kshim_mem.fail_in = random_below(12) ? 0 : 1 + random_below(3);
			old = 12345;
			if (what)
				err = vpc_trie_add(&txn, &trie[f], prefix.addr, prefix.plen, prefix.value, &old);
			else
				err = vpc_trie_del(&txn, &trie[f], prefix.addr, prefix.plen, &old);
			kshim_mem.fail_in = 0;
			if (!err) {
				had = what ? oracle_add(&oracle[f], &prefix) : oracle_del(&oracle[f], &prefix);
				assert_int_equal(old, had);
			} else if (err == -ENOENT) {
				assert_false(what);
				assert_null(oracle_find(&oracle[f], prefix.addr, prefix.plen));
			} else {
				assert_int_equal(err, -ENOMEM);
			}
			if (!(i % 100)) {
				check_walk(&trie[f], &oracle[f]);
				check_shape(&trie[f], &oracle[f]);
			}
		}
		for (f = 0; f < 2; f++) {
			check_trie(&trie[f], &oracle[f]);
			check_shape(&trie[f], &oracle[f]);
		}
		assert_int_equal(txn.bytes, vpc_trie_memory(&trie[0]) + vpc_trie_memory(&trie[1]));
		vpc_trie_revert(&txn, &trie[0], &none4);
		vpc_trie_revert(&txn, &trie[1], &none6);
		vpc_trie_abort(&txn);
		assert_int_equal(kshim_mem.slab_bytes, 0);
	}
	free(oracle);
}

#endif
