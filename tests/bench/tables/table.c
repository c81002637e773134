// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables that main.c measures: real ones read from a file with a prefix and a number a line, and made-up VPCs.
 */
#include "bench.h"

#include <linux/inet.h>
#include <linux/kernel_read_file.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>

/* The same numbers in every run. */
static struct rnd_state bench_random = { .s1 = 88172645, .s2 = 463325252, .s3 = 36243606, .s4 = 52128862 };

u32 bench_below(u32 n)
{
	return (u64)prandom_u32_state(&bench_random) * n >> 32;
}

void bench_addr_random(u8 *addr)
{
	prandom_bytes_state(&bench_random, addr, 16);
}

void bench_addr_inside(const struct bench_table *table, u8 *addr)
{
	const struct bench_route *route = &table->route[bench_below(table->n)];
	unsigned int bytes = route->plen / 8, bits = route->plen % 8;

	bench_addr_random(addr);
	memcpy(addr, route->addr, bytes);
	if (bits)
		addr[bytes] = route->addr[bytes] | (addr[bytes] & 0xff >> bits);
}

static void bench_table_shuffle(struct bench_table *table)
{
	u32 i, k;

	for (i = table->n; i > 1; i--) {
		/* swap() reads its arguments twice. */
		k = bench_below(i);
		swap(table->route[i - 1], table->route[k]);
	}
}

/* "192.0.2.0/24 7" up to the line's end. */
static int bench_route_parse(const char *line, struct bench_route *ret_route, u8 *ret_family)
{
	const char *slash;

	if (in4_pton(line, -1, ret_route->addr, '/', &slash))
		*ret_family = AF_INET;
	else if (in6_pton(line, -1, ret_route->addr, '/', &slash))
		*ret_family = AF_INET6;
	else
		return -EINVAL;
	if (sscanf(slash, "/%hhu %u", &ret_route->plen, &ret_route->value) != 2)
		return -EINVAL;
	/* The trie's values are not 0; no more nexthops than a VPC usually has. */
	ret_route->value = 1 + ret_route->value % 256;
	return 0;
}

static u32 bench_count_lines(const char *text, size_t size)
{
	u32 n = 0;

	while (size--)
		n += *text++ == '\n';
	return n;
}

int bench_table_load(struct bench_table *table, const char *path)
{
	char *text = NULL, *line, *end;
	ssize_t size;
	int err = 0;

	size = kernel_read_file_from_path(path, 0, (void **)&text, INT_MAX, NULL, READING_UNKNOWN);
	if (size < 0)
		return size;
	table->route = vzalloc(array_size(bench_count_lines(text, size), sizeof(table->route[0])));
	if (!table->route)
		err = -ENOMEM;
	for (line = text; !err && line < text + size; line = end + 1) {
		end = memchr(line, '\n', text + size - line);
		if (!end)
			break;
		*end = '\0';
		err = bench_route_parse(line, &table->route[table->n], &table->family);
		if (err)
			pr_err("vpc_bench: %s: not a route: %s\n", path, line);
		table->n++;
	}
	vfree(text);
	bench_table_shuffle(table);
	return err;
}

int bench_table_vpc(struct bench_table *table, u32 n)
{
	u32 i, host = 0, subnet = 0;
	struct bench_route *route;

	table->family = AF_INET;
	table->n = n;
	table->route = vzalloc(array_size(n, sizeof(table->route[0])));
	if (!table->route)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		route = &table->route[i];
		route->value = 1 + bench_below(64);
		if (i % 100 == 99) {
			/* Behind a gateway; each another one. */
			put_unaligned_be32(172U << 24 | (i / 100) << 8, route->addr);
			route->plen = 24;
			continue;
		}
		/* Hosts of a subnet one after the other, now and then one has gone. */
		host += 1 + !bench_below(5);
		if (!i || host > 200) {
			host = 4;
			subnet += 1 + bench_below(3);
		}
		put_unaligned_be32((10U << 24) + (subnet << 8) + host, route->addr);
		route->plen = 32;
	}
	bench_table_shuffle(table);
	return 0;
}

int bench_table_build(struct bench_table *table)
{
	struct vpc_trie_garbage garbage;
	struct vpc_trie_txn txn;
	u32 i, old;
	int err = 0;

	vpc_trie_init(&table->trie, table->family);
	vpc_trie_begin(&txn, 1);
	for (i = 0; i < table->n && !err; i++) {
		err = vpc_trie_add(&txn, &table->trie, table->route[i].addr, table->route[i].plen,
				   table->route[i].value, &old);
		cond_resched();
	}
	if (!err)
		err = vpc_trie_seal(&txn, &table->trie);
	garbage = vpc_trie_commit(&txn);
	vpc_trie_garbage_free(&garbage);
	return err;
}

void bench_table_free(struct bench_table *table)
{
	vpc_trie_destroy(&table->trie);
	bench_lpm_free(table);
	vfree(table->route);
	table->route = NULL;
}
