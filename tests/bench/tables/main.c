// SPDX-License-Identifier: GPL-2.0-only
/*
 * The benchmarks of the tables. Loading the module runs them all; it then refuses to stay (-ECANCELED), as there is
 * nothing to stay for.
 *
 * Ours and the peer take turns over the same addresses in the same order, BENCH_ROUNDS times. Each BENCH_CHUNK lookups
 * are timed on their own and the median counts, so that what else the machine does meanwhile, which stops a few of
 * them, is not in the figure.
 */
#include "bench.h"

#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>
#include <net/ipv6_stubs.h>
#include "../../../kmod/tables/txn.h"

#define BENCH_ADDRS	(1U << 20)
#define BENCH_CHUNK	256U
#define BENCH_ROUNDS	3
#define BENCH_TIMES	(BENCH_ROUNDS * BENCH_ADDRS / BENCH_CHUNK)
#define BENCH_VPCS	4096U
#define BENCH_VPC_ROUTES 3200000U
#define BENCH_COMMITS	5000

static char *v4 = "", *v6 = "", *hosts = "";
module_param(v4, charp, 0);
MODULE_PARM_DESC(v4, "file of a full IPv4 table");
module_param(v6, charp, 0);
MODULE_PARM_DESC(v6, "file of a full IPv6 table");
module_param(hosts, charp, 0);
MODULE_PARM_DESC(hosts, "file of scattered IPv4 hosts");

/* What a lookup reads. */
struct bench_addr {
	u8 addr[16];
	const struct bench_table *table;
};

static struct bench_addr *bench_addrs;
static u64 bench_times[2][BENCH_TIMES];

static u32 bench_ours(const struct bench_addr *a)
{
	return vpc_trie_lookup(&a->table->trie, a->addr, NULL);
}

static u32 bench_fib4(const struct bench_addr *a)
{
	struct flowi4 flow = { .flowi4_scope = RT_SCOPE_UNIVERSE };
	struct fib_result result;

	memcpy(&flow.daddr, a->addr, sizeof(flow.daddr));
	if (fib_table_lookup(a->table->fib4, &flow, &result, FIB_LOOKUP_NOREF))
		return 0;
	return result.prefixlen;
}

static u32 bench_fib6(const struct bench_addr *a)
{
	struct fib6_result result = {};
	struct flowi6 flow = {};

	memcpy(&flow.daddr, a->addr, sizeof(flow.daddr));
	if (ipv6_stub->fib6_table_lookup(&init_net, a->table->fib6, 0, &flow, &result, 0))
		return 0;
	return result.f6i ? result.f6i->fib6_dst.plen : 0;
}

/* -- time ---------------------------------------------------------------------------------------------------------- */

/*
 * Nanoseconds for each BENCH_CHUNK of addresses. @latency: where an address lies depends on what was found for the one
 * before, so no two lookups overlap. Addresses are read in their order all the same: a packet's address is in the cache
 * before it is looked up, and waiting for one from memory would be added to both sides.
 */
static __always_inline void bench_time(u32 (*lookup)(const struct bench_addr *a), bool latency, u64 *times)
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
		*times++ = ktime_get_ns() - begin;
		rcu_read_unlock();
		cond_resched();
	}
	/* And keeps the loop. */
	OPTIMIZER_HIDE_VAR(sum);
}

static void bench_time_ours(bool latency, u64 *times)
{
	if (latency)
		bench_time(bench_ours, true, times);
	else
		bench_time(bench_ours, false, times);
}

static void bench_time_peer(bool v6_table, bool latency, u64 *times)
{
	if (v6_table && latency)
		bench_time(bench_fib6, true, times);
	else if (v6_table)
		bench_time(bench_fib6, false, times);
	else if (latency)
		bench_time(bench_fib4, true, times);
	else
		bench_time(bench_fib4, false, times);
}

static int bench_compare(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* In lookups a millisecond, or picoseconds a lookup. */
static void bench_lookup(const char *name, bool v6_table, bool latency)
{
	unsigned int i, at;
	u64 ours, peer;

	for (i = 0; i < BENCH_ROUNDS; i++) {
		at = i * (BENCH_ADDRS / BENCH_CHUNK);
		bench_time_ours(latency, &bench_times[0][at]);
		bench_time_peer(v6_table, latency, &bench_times[1][at]);
	}
	sort(bench_times[0], BENCH_TIMES, sizeof(u64), bench_compare, NULL);
	sort(bench_times[1], BENCH_TIMES, sizeof(u64), bench_compare, NULL);
	ours = bench_times[0][BENCH_TIMES / 2];
	peer = bench_times[1][BENCH_TIMES / 2];
	if (latency)
		pr_info("bench %s %llu %llu\n", name, ours * 1000 / BENCH_CHUNK, peer * 1000 / BENCH_CHUNK);
	else
		pr_info("bench %s %llu %llu\n", name, BENCH_CHUNK * 1000000ULL / ours, BENCH_CHUNK * 1000000ULL / peer);
}

static void bench_fill(const struct bench_table *table, u32 n_tables, bool inside)
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

/* Both must have found the same. */
static int bench_check(const char *name, bool v6_table)
{
	u32 i, found;

	for (i = 0; i < BENCH_ADDRS; i += 7) {
		u8 plen = 0;

		vpc_trie_lookup(&bench_addrs[i].table->trie, bench_addrs[i].addr, &plen);
		rcu_read_lock();
		found = v6_table ? bench_fib6(&bench_addrs[i]) : bench_fib4(&bench_addrs[i]);
		rcu_read_unlock();
		if (found == plen)
			continue;
		pr_err("bench: %s: address %u: the FIB finds /%u, we find /%u\n", name, i, found, plen);
		return -EUCLEAN;
	}
	return 0;
}

/* -- memory -------------------------------------------------------------------------------------------------------- */

/* Pages that all caches have together: what the tables really take. */
static unsigned long bench_slab_bytes(void)
{
	return (global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B) +
		global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B)) * PAGE_SIZE;
}

static int bench_build(const char *name, struct bench_table *table, u32 n_tables)
{
	unsigned long before;
	u64 routes = 0;
	int err;
	u32 i;

	/* No pages left over from the table before, nor of a FIB that are freed while we count. */
	rcu_barrier();
	vpc_trie_exit_caches();
	err = vpc_trie_init_caches();
	before = bench_slab_bytes();
	for (i = 0; i < n_tables && !err; i++) {
		err = bench_table_build(&table[i]);
		routes += table[i].trie.count;
	}
	for (i = 0; i < n_tables && !err; i++) {
		if (table[i].trie.count != table[i].n)
			err = -EUCLEAN;
	}
	if (err == -EUCLEAN)
		pr_err("bench: %s: the table names a prefix twice\n", name);
	/* In thousandths of a byte. */
	if (!err)
		pr_info("bench %s %llu -\n", name, div64_u64((u64)(bench_slab_bytes() - before) * 1000, routes));
	return err;
}

/* -- the runs ------------------------------------------------------------------------------------------------------ */

static int bench_run_v4(void)
{
	struct bench_table table = {};
	int err;

	err = bench_table_load(&table, v4);
	if (!err)
		err = bench_build("mem4_full_bytes", &table, 1);
	if (!err)
		err = bench_fib_build(&table, 1000);
	if (err)
		goto out;
	bench_fill(&table, 1, false);
	err = bench_check("random", false);
	if (err)
		goto out;
	bench_lookup("lookup4_random_vs_fib", false, false);
	bench_fill(&table, 1, true);
	err = bench_check("inside", false);
	if (err)
		goto out;
	bench_lookup("lookup4_inside_vs_fib", false, false);
	bench_lookup("lookup4_latency_vs_fib", false, true);
out:
	bench_table_free(&table);
	return err;
}

static int bench_run_v6(void)
{
	struct bench_table table = {};
	int err;

	err = bench_table_load(&table, v6);
	if (!err)
		err = bench_build("mem6_full_bytes", &table, 1);
	if (!err)
		err = bench_fib_build(&table, 1000);
	if (err)
		goto out;
	bench_fill(&table, 1, true);
	err = bench_check("IPv6", true);
	if (!err)
		bench_lookup("lookup6_vs_fib6", true, false);
out:
	bench_table_free(&table);
	return err;
}

static int bench_run_hosts(void)
{
	struct bench_table table = {};
	int err;

	err = bench_table_load(&table, hosts);
	if (!err)
		err = bench_build("mem4_hosts_bytes", &table, 1);
	bench_table_free(&table);
	return err;
}

/* VPCs of 1/8 to 15/8 of the mean. */
static int bench_run_vpcs(void)
{
	struct bench_table *table = vzalloc(array_size(BENCH_VPCS, sizeof(*table)));
	u32 i, mean = BENCH_VPC_ROUTES / BENCH_VPCS;
	int err = 0;

	if (!table)
		return -ENOMEM;
	for (i = 0; i < BENCH_VPCS && !err; i++)
		err = bench_table_vpc(&table[i], mean / 8 + bench_below(mean * 7 / 4));
	if (!err)
		err = bench_build("mem_vpcs_bytes", table, BENCH_VPCS);
	for (i = 0; i < BENCH_VPCS && !err; i++)
		err = bench_fib_build(&table[i], 2000 + i);
	if (!err) {
		bench_fill(table, BENCH_VPCS, true);
		err = bench_check("VPCs", false);
	}
	if (!err)
		bench_lookup("lookup_vpcs_vs_fib", false, false);
	for (i = 0; i < BENCH_VPCS; i++)
		bench_table_free(&table[i]);
	vfree(table);
	return err;
}

/* -- commits: a VPC with the full table, one route changed at a time --------------------------------------------- */

static int bench_txn_route(struct vpc_txn *txn, const struct bench_route *route, u32 nexthop)
{
	return vpc_txn_route(txn, VPC_OP_SET, 1, AF_INET, route->addr, route->plen, nexthop, NULL);
}

static int bench_vpc_fill(struct vpc *vpc, const struct bench_table *table)
{
	struct vpc_nl_nexthop nh = { .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2 } };
	const struct vpc_version *version;
	struct vpc_txn *txn;
	int err;
	u32 i;

	err = vpc_txn_begin(vpc, 1, VPC_TXN_REPLACE, NULL, NULL, &txn);
	if (err)
		return err;
	for (i = 1; i <= 256 && !err; i++) {
		nh.id = i;
		nh.addr[3] = i & 0xff ?: 1;
		err = vpc_txn_nexthop(txn, &nh, NULL);
	}
	for (i = 0; i < table->n && !err; i++)
		err = bench_txn_route(txn, &table->route[i], table->route[i].value);
	if (!err)
		return vpc_txn_commit(txn, 1, NULL, NULL, &version);
	vpc_txn_abort(txn);
	return err;
}

static int bench_commit(struct vpc *vpc, const struct bench_table *table, u64 epoch)
{
	const struct bench_route *route = &table->route[bench_below(table->n)];
	const struct vpc_version *version;
	struct vpc_txn *txn;
	int err;

	err = vpc_txn_begin(vpc, 1, VPC_TXN_DELTA, &epoch, NULL, &txn);
	if (err)
		return err;
	err = bench_txn_route(txn, route, 1 + route->value % 256);
	if (!err)
		return vpc_txn_commit(txn, epoch + 1, NULL, NULL, &version);
	vpc_txn_abort(txn);
	return err;
}

static int bench_run_commits(struct vpc_net *vnet)
{
	struct bench_table table = {};
	struct vpc *vpc;
	u64 total = 0, begin;
	u32 i;
	int err;

	err = bench_table_load(&table, v4);
	if (!err)
		err = vpc_new(vnet, 1, 0, &vpc);
	if (!err)
		err = bench_vpc_fill(vpc, &table);
	for (i = 1; i <= BENCH_COMMITS && !err; i++) {
		begin = ktime_get_ns();
		err = bench_commit(vpc, &table, i);
		total += ktime_get_ns() - begin;
		/* What nobody sees any more is freed by others meanwhile. */
		cond_resched();
	}
	if (!err)
		pr_info("bench commit_one_us %llu -\n", total / BENCH_COMMITS);
	bench_table_free(&table);
	return err;
}

static int bench_run_vpc(void)
{
	struct vpc_net *vnet = vzalloc(sizeof(*vnet));
	int err;

	if (!vnet)
		return -ENOMEM;
	err = vpc_net_tables_init(vnet, &init_net);
	if (!err) {
		mutex_lock(&vnet->lock);
		err = bench_run_commits(vnet);
		mutex_unlock(&vnet->lock);
		vpc_net_tables_exit(vnet);
		vpc_tables_flush();
	}
	vfree(vnet);
	return err;
}

static int __init bench_init(void)
{
	int err;

	bench_addrs = vzalloc(array_size(BENCH_ADDRS, sizeof(bench_addrs[0])));
	if (!bench_addrs)
		return -ENOMEM;
	err = vpc_trie_init_caches();
	if (err)
		goto out_addrs;
	err = vpc_tables_init();
	if (err)
		goto out_caches;
	err = bench_run_v4();
	if (!err)
		err = bench_run_v6();
	if (!err)
		err = bench_run_hosts();
	if (!err)
		err = bench_run_vpcs();
	if (!err)
		err = bench_run_vpc();
	vpc_tables_exit();
out_caches:
	vpc_trie_exit_caches();
out_addrs:
	vfree(bench_addrs);
	return err ?: -ECANCELED;
}
module_init(bench_init);

MODULE_DESCRIPTION("benchmark of vpc.ko's tables");
MODULE_LICENSE("GPL");
