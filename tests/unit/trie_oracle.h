/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What test_trie.c compares the route trie with: an array of prefixes that is searched from end to end, and random
 * prefixes that like to nest, to touch, and to begin or end where the trie's strides do.
 */
#ifndef TRIE_ORACLE_H
#define TRIE_ORACLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef ORACLE_MAX
#define ORACLE_MAX 4096
#endif

struct prefix {
	uint8_t addr[16];
	uint8_t plen;
	uint32_t value;
};

struct oracle {
	unsigned int bits;		/* 32 or 128 */
	unsigned int n;
	struct prefix prefix[ORACLE_MAX];
};

#ifndef ORACLE_RANDOM
#define ORACLE_RANDOM random_u64

/* xorshift64*: the same tables on every machine. */
static uint64_t random_state = 88172645463325252ULL;

static inline uint64_t random_u64(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 2685821657736338717ULL;
}

#endif

static inline unsigned int random_below(unsigned int n)
{
	return random_u64() % n;
}

static inline bool addr_bit(const uint8_t *addr, unsigned int i)
{
	return addr[i / 8] >> (7 - i % 8) & 1;
}

static inline void addr_set_bit(uint8_t *addr, unsigned int i, bool bit)
{
	uint8_t mask = 0x80 >> (i % 8);

	addr[i / 8] = bit ? addr[i / 8] | mask : addr[i / 8] & ~mask;
}

/* Sets the bits from @from up to @to. */
static inline void addr_fill(uint8_t *addr, unsigned int from, unsigned int to, bool bit)
{
	for (; from < to; from++)
		addr_set_bit(addr, from, bit);
}

static inline bool prefix_covers(const struct prefix *prefix, const uint8_t *addr)
{
	unsigned int bytes = prefix->plen / 8;

	if (memcmp(prefix->addr, addr, bytes))
		return false;
	return !(prefix->plen % 8) || !((prefix->addr[bytes] ^ addr[bytes]) >> (8 - prefix->plen % 8));
}

static inline int prefix_compare(const void *a, const void *b)
{
	const struct prefix *x = a;
	const struct prefix *y = b;
	int order = memcmp(x->addr, y->addr, sizeof(x->addr));

	return order ? order : x->plen - y->plen;
}

static inline struct prefix *oracle_find(struct oracle *oracle, const uint8_t *addr, uint8_t plen)
{
	unsigned int i;

	for (i = 0; i < oracle->n; i++) {
		if (oracle->prefix[i].plen == plen && !memcmp(oracle->prefix[i].addr, addr, oracle->bits / 8))
			return &oracle->prefix[i];
	}
	return NULL;
}

static inline const struct prefix *oracle_lookup(const struct oracle *oracle, const uint8_t *addr)
{
	const struct prefix *best = NULL;
	unsigned int i;

	for (i = 0; i < oracle->n; i++) {
		if (prefix_covers(&oracle->prefix[i], addr) && (!best || oracle->prefix[i].plen > best->plen))
			best = &oracle->prefix[i];
	}
	return best;
}

/* Returns the value before, 0 when there was none. */
static inline uint32_t oracle_add(struct oracle *oracle, const struct prefix *prefix)
{
	struct prefix *found = oracle_find(oracle, prefix->addr, prefix->plen);
	uint32_t old = 0;

	if (found) {
		old = found->value;
		found->value = prefix->value;
	} else {
		oracle->prefix[oracle->n++] = *prefix;
	}
	return old;
}

static inline uint32_t oracle_del(struct oracle *oracle, const struct prefix *prefix)
{
	struct prefix *found = oracle_find(oracle, prefix->addr, prefix->plen);
	uint32_t old = 0;

	if (found) {
		old = found->value;
		*found = oracle->prefix[--oracle->n];
	}
	return old;
}

static inline void prefix_shuffle(struct prefix *prefix, unsigned int n)
{
	struct prefix tmp;
	unsigned int i, j;

	for (i = n; i > 1; i--) {
		j = random_below(i);
		tmp = prefix[i - 1];
		prefix[i - 1] = prefix[j];
		prefix[j] = tmp;
	}
}

/* Lengths at and next to the ends of strides (4, 10, 16, ..), of words and of keys, or any. */
static inline unsigned int random_plen(unsigned int bits)
{
	int plen;

	switch (random_below(5)) {
	case 0:
		plen = bits - random_below(3);
		break;
	case 1:
		plen = 4 + 6 * random_below(bits / 6) + random_below(3) - 1;
		break;
	case 2:
		plen = bits / 8 * random_below(9) + random_below(3) - 1;
		break;
	default:
		plen = random_below(bits + 1);
		break;
	}
	return plen < 0 ? 0 : plen > (int)bits ? bits : (unsigned int)plen;
}

/* A random prefix; most are near one that is there: above it, below it, or next to it. */
static inline struct prefix random_prefix(const struct oracle *oracle)
{
	struct prefix prefix = { .plen = random_plen(oracle->bits), .value = 1 + random_below(1000) };
	const struct prefix *near = oracle->n ? &oracle->prefix[random_below(oracle->n)] : NULL;
	unsigned int i, keep = 0;

	if (random_below(50) == 0)
		prefix.value = ~0U - random_below(2);
	if (near && random_below(8)) {
		memcpy(prefix.addr, near->addr, sizeof(prefix.addr));
		keep = near->plen;
		if (keep && random_below(2))
			keep -= 1 + random_below(keep < 8 ? keep : 8);
		if (random_below(3) == 0)
			prefix.plen = near->plen;
	}
	for (i = keep; i < oracle->bits; i++)
		addr_set_bit(prefix.addr, i, random_u64() >> 40 & 1);
	addr_fill(prefix.addr, prefix.plen, 128, false);
	return prefix;
}

#endif
