/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vpc_bench.ko measures the module's tables against the kernel's own FIB in one run, on one CPU (scripts/uml.sh).
 * main.c has the benchmarks, table.c what they run on, fib.c the peer. Results go to the kernel's log, one a line,
 * "bench NAME OURS PEER", PEER "-" where there is none; tests/bench/tables.sh reads them.
 */
#ifndef VPC_BENCH_H
#define VPC_BENCH_H

#include <linux/ip.h>
#include <linux/types.h>
#include <net/ip_fib.h>
#include <net/ip6_fib.h>
#include "../../../kmod/tables/vpc.h"

struct bench_route {
	u8 addr[16];
	u8 plen;
	u32 value;
};

/**
 * struct bench_table - one route table, and the tries and FIB tables that hold it
 * @route: in the order in which they are added: shuffled
 */
struct bench_table {
	u8 family;
	u32 n;
	struct bench_route *route;
	struct vpc_trie trie;
	struct fib_table *fib4;
	struct fib6_table *fib6;
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

#endif
