/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vpc_bench.ko measures the module's tables against the kernel's own FIB and BPF's LPM trie in one run, on one CPU
 * (scripts/uml.sh). main.c has the benchmarks, lookup.c the way in which lookups are timed, table.c what they run on,
 * fib.c and lpm.c the peers. Results go to the kernel's log, one a line, "bench NAME OURS PEER": a number for each
 * round, with commas between them; PEER is "-" where there is none. tests/bench/tables.sh reads them.
 */
#ifndef VPC_BENCH_H
#define VPC_BENCH_H

#include <linux/ip.h>
#include <linux/types.h>
#include <net/ip_fib.h>
#include <net/ip6_fib.h>
#include "../../../kmod/tables/vpc.h"

#define BENCH_ROUNDS 5

struct bpf_map;

struct bench_route {
	u8 addr[16];
	u8 plen;
	u32 value;
};

/**
 * struct bench_table - one route table, and what holds it: our trie, a FIB table, and a map of BPF's
 * @route: in the order in which they are added: shuffled
 */
struct bench_table {
	u8 family;
	u32 n;
	struct bench_route *route;
	struct vpc_trie trie;
	struct fib_table *fib4;
	struct fib6_table *fib6;
	struct bpf_map *lpm;
};

/* table.c: -errno; bench_table_free() also after a failure. */
int bench_table_load(struct bench_table *table, const char *path);
int bench_table_build(struct bench_table *table);	/* the trie, from the routes; prints nothing */
void bench_table_free(struct bench_table *table);
/* The routes of one VPC of a cloud: @n of them, 99 of 100 are /32. */
int bench_table_vpc(struct bench_table *table, u32 n);
/* 4 or 16 bytes at random; inside one of the table's prefixes. */
void bench_addr_random(u8 *addr);
void bench_addr_inside(const struct bench_table *table, u8 *addr);
u32 bench_below(u32 n);

/* fib.c: a FIB table with the same routes through the loopback device. */
int bench_fib_build(struct bench_table *table, u32 id);

/* lpm.c: a map of type BPF_MAP_TYPE_LPM_TRIE with the same routes. -errno; bench_lpm_free() also after a failure. */
int bench_lpm_build(struct bench_table *table);
void bench_lpm_free(struct bench_table *table);

/* What a map's key is, and its value: a u32, the prefix's length above the number that the trie has. */
struct bench_lpm_key {
	u32 plen;
	u8 addr[16];
};

static inline u32 bench_lpm_value(u32 value, u8 plen)
{
	return (u32)plen << 24 | value;
}

/*
 * lookup.c: addresses for @n_tables tables, at random or inside the tables' prefixes; all three find the same for each
 * of them (-EUCLEAN and messages where they don't); and the figures "PREFIX_vs_fib" (fib6 for IPv6), "PREFIX_vs_lpm".
 */
int bench_lookup_init(void);
void bench_lookup_exit(void);
void bench_lookup_fill(const struct bench_table *table, u32 n_tables, bool inside);
int bench_lookup_check(const char *name);
void bench_lookup(const char *prefix, bool latency);

/* main.c: a line of results; @ours and @peer (or NULL) have BENCH_ROUNDS numbers. */
void bench_print(const char *name, const u64 *ours, const u64 *peer);

#endif
