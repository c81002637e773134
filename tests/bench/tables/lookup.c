// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long a lookup takes: ours and the peers over the same addresses in the same order, and before that whether they
 * all find the same. They take turns, BENCH_ROUNDS times: ours, FIB, LPM trie, ours, ...
 *
 * Each BENCH_CHUNK lookups are timed on their own, and a round's figure is the mean of the middle half of its chunks:
 * what else the machine does meanwhile stops a few of them and is not in the figure, while the steps of 256 ns, in
 * which the clock of User Mode Linux goes, are averaged out (a median would be a multiple of the step).
 */
#include "bench.h"

#include <linux/bpf.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>
#include <net/ipv6_stubs.h>

#define BENCH_ADDRS	(1U << 20)
#define BENCH_CHUNK	256U
#define BENCH_CHUNKS	(BENCH_ADDRS / BENCH_CHUNK)
/* Disagreements that are printed; all are counted. */
#define BENCH_COMPLAINTS 20

/* What a lookup reads. */
struct bench_addr {
	u8 addr[16];
	const struct bench_table *table;
};

static struct bench_addr *bench_addrs;
static u64 bench_times[BENCH_CHUNKS];

/* -- the sides: 0 when nothing matches ----------------------------------------------------------------------------- */

static u32 bench_ours(const struct bench_addr *a)
{
	return vpc_trie_lookup(&a->table->trie, a->addr, NULL);
}

/* The prefix's length and 1. */
static u32 bench_fib4(const struct bench_addr *a)
{
	struct flowi4 flow = { .flowi4_scope = RT_SCOPE_UNIVERSE };
	struct fib_result result;

	memcpy(&flow.daddr, a->addr, sizeof(flow.daddr));
	if (fib_table_lookup(a->table->fib4, &flow, &result, FIB_LOOKUP_NOREF))
		return 0;
	return result.prefixlen + 1;
}

static u32 bench_fib6(const struct bench_addr *a)
{
	struct fib6_result result = {};
	struct flowi6 flow = {};

	memcpy(&flow.daddr, a->addr, sizeof(flow.daddr));
	if (ipv6_stub->fib6_table_lookup(&init_net, a->table->fib6, 0, &flow, &result, 0))
		return 0;
	return result.f6i != init_net.ipv6.fib6_null_entry ? result.f6i->fib6_dst.plen + 1 : 0;
}

/* As a program of BPF's does: the key on its stack, a pointer to the value as an answer. */
static __always_inline u32 bench_lpm(const struct bench_addr *a, u8 bytes)
{
	struct bpf_map *map = a->table->lpm;
	struct bench_lpm_key key;
	const u32 *value;

	key.plen = 8 * bytes;
	memcpy(key.addr, a->addr, bytes);
	value = map->ops->map_lookup_elem(map, &key);
	return value ? *value : 0;
}

static u32 bench_lpm4(const struct bench_addr *a)
{
	return bench_lpm(a, 4);
}

static u32 bench_lpm6(const struct bench_addr *a)
{
	return bench_lpm(a, 16);
}

/* -- time ---------------------------------------------------------------------------------------------------------- */

/*
 * Nanoseconds for each BENCH_CHUNK of addresses. @latency: where an address lies depends on what was found for the one
 * before, so no two lookups overlap. Addresses are read in their order all the same: a packet's address is in the cache
 * before it is looked up, and waiting for one from memory would be added to all sides.
 */
static __always_inline void bench_time(u32 (*lookup)(const struct bench_addr *a), bool latency)
{
	u32 i, k, sum = 0, zero = 0;
	u64 begin;

	/* So that the compiler believes in the dependency. */
	OPTIMIZER_HIDE_VAR(zero);
	for (i = 0; i < BENCH_ADDRS; i += BENCH_CHUNK) {
		rcu_read_lock();
		begin = ktime_get_ns();
		for (k = i; k < i + BENCH_CHUNK; k++)
			sum += lookup(&bench_addrs[latency ? k + (sum & zero) : k]);
		bench_times[i / BENCH_CHUNK] = ktime_get_ns() - begin;
		rcu_read_unlock();
		cond_resched();
	}
	/* And keeps the loop. */
	OPTIMIZER_HIDE_VAR(sum);
}

static int bench_compare(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Of a round, in picoseconds a lookup. */
static u64 bench_figure(void)
{
	u64 sum = 0;
	u32 i;

	sort(bench_times, BENCH_CHUNKS, sizeof(u64), bench_compare, NULL);
	for (i = BENCH_CHUNKS / 4; i < BENCH_CHUNKS * 3 / 4; i++)
		sum += bench_times[i];
	return max(div_u64(sum * 1000, BENCH_CHUNKS / 2 * BENCH_CHUNK), 1ULL);
}

/* A loop of its own for each side, in which the call is none. */
#define BENCH_ROUND(lookup, latency)				\
	({							\
		if (latency)					\
			bench_time(lookup, true);		\
		else						\
			bench_time(lookup, false);		\
		bench_figure();					\
	})

static u64 bench_round_fib(bool v6, bool latency)
{
	return v6 ? BENCH_ROUND(bench_fib6, latency) : BENCH_ROUND(bench_fib4, latency);
}

static u64 bench_round_lpm(bool v6, bool latency)
{
	return v6 ? BENCH_ROUND(bench_lpm6, latency) : BENCH_ROUND(bench_lpm4, latency);
}

/* Picoseconds, or in their place lookups a millisecond. */
static u64 bench_unit(u64 ps, bool latency)
{
	return latency ? ps : div64_u64(1000000000ULL, ps);
}

void bench_lookup(const char *prefix, bool latency)
{
	bool v6 = bench_addrs[0].table->family == AF_INET6;
	u64 ours[BENCH_ROUNDS], fib[BENCH_ROUNDS], lpm[BENCH_ROUNDS];
	char name[64];
	u32 i;

	for (i = 0; i < BENCH_ROUNDS; i++) {
		ours[i] = bench_unit(BENCH_ROUND(bench_ours, latency), latency);
		fib[i] = bench_unit(bench_round_fib(v6, latency), latency);
		lpm[i] = bench_unit(bench_round_lpm(v6, latency), latency);
	}
	snprintf(name, sizeof(name), "%s_vs_%s", prefix, v6 ? "fib6" : "fib");
	bench_print(name, ours, fib);
	snprintf(name, sizeof(name), "%s_vs_lpm", prefix);
	bench_print(name, ours, lpm);
}

/* -- addresses ----------------------------------------------------------------------------------------------------- */

int bench_lookup_init(void)
{
	bench_addrs = vzalloc(array_size(BENCH_ADDRS, sizeof(bench_addrs[0])));
	return bench_addrs ? 0 : -ENOMEM;
}

void bench_lookup_exit(void)
{
	vfree(bench_addrs);
}

void bench_lookup_fill(const struct bench_table *table, u32 n_tables, bool inside)
{
	u32 i;

	for (i = 0; i < BENCH_ADDRS; i++) {
		bench_addrs[i].table = &table[bench_below(n_tables)];
		if (inside)
			bench_addr_inside(bench_addrs[i].table, bench_addrs[i].addr);
		else
			bench_addr_random(bench_addrs[i].addr);
	}
}

int bench_lookup_check(const char *name)
{
	bool v6 = bench_addrs[0].table->family == AF_INET6;
	u32 i, value, fib, lpm, found = 0, bad = 0;
	const struct bench_addr *a;
	u8 plen;

	for (i = 0; i < BENCH_ADDRS; i++) {
		a = &bench_addrs[i];
		plen = 0;
		rcu_read_lock();
		value = vpc_trie_lookup(&a->table->trie, a->addr, &plen);
		fib = v6 ? bench_fib6(a) : bench_fib4(a);
		lpm = v6 ? bench_lpm6(a) : bench_lpm4(a);
		rcu_read_unlock();
		cond_resched();
		found += !!value;
		if (fib == (value ? plen + 1 : 0) && lpm == (value ? bench_lpm_value(value, plen) : 0))
			continue;
		if (bad++ < BENCH_COMPLAINTS)
			pr_err("bench: %s: address %*phN: we find /%d to %u, the FIB /%d, BPF's trie /%d to %u\n",
			       name, v6 ? 16 : 4, a->addr, value ? plen : -1, value, (int)fib - 1,
			       lpm ? (int)(lpm >> 24) : -1, lpm & 0xffffff);
	}
	if (bad)
		pr_err("bench: %s: %u of %u addresses are not found alike\n", name, bad, BENCH_ADDRS);
	else
		pr_info("bench: %s: %u of %u addresses are in a prefix, and all three agree\n", name, found,
			BENCH_ADDRS);
	return bad ? -EUCLEAN : 0;
}
