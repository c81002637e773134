// SPDX-License-Identifier: GPL-2.0-only
/*
 * The benchmarks of the tables. Loading the module runs them all; it then refuses to stay (-ECANCELED), as there is
 * nothing to stay for.
 *
 * Everything is done BENCH_ROUNDS times, and each round's figure is printed; who reads them takes the median.
 */
#include "bench.h"

#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>
#include "../../../kmod/tables/txn.h"

#define BENCH_VPCS	4096U
#define BENCH_VPC_ROUTES 3200000U
/* In a round. */
#define BENCH_COMMITS	1000

static char *v4 = "", *v6 = "", *hosts = "";
module_param(v4, charp, 0);
MODULE_PARM_DESC(v4, "file of a full IPv4 table");
module_param(v6, charp, 0);
MODULE_PARM_DESC(v6, "file of a full IPv6 table");
module_param(hosts, charp, 0);
MODULE_PARM_DESC(hosts, "file of scattered IPv4 hosts");

void bench_print(const char *name, const u64 *ours, const u64 *peer)
{
	char line[2][BENCH_ROUNDS * 21 + 1] = { "", "-" };
	const u64 *numbers[2] = { ours, peer };
	unsigned int side, i, used;

	for (side = 0; side < 2; side++) {
		for (i = 0, used = 0; numbers[side] && i < BENCH_ROUNDS; i++)
			used += scnprintf(line[side] + used, sizeof(line[side]) - used, "%s%llu", i ? "," : "",
					  numbers[side][i]);
	}
	pr_info("bench %s %s %s\n", name, line[0], line[1]);
}

/* -- memory -------------------------------------------------------------------------------------------------------- */

/* Pages that all caches have together: what the tables really take. */
static unsigned long bench_slab_bytes(void)
{
	return (global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B) +
		global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B)) * PAGE_SIZE;
}

/* @n_tables tries, and what they take a route, in thousandths of a byte. */
static int bench_build_round(struct bench_table *table, u32 n_tables, u64 *ret_bytes)
{
	unsigned long before;
	u64 routes = 0;
	int err;
	u32 i;

	/* No pages left over from what was there before, nor of a peer's that are freed while we count. */
	rcu_barrier();
	vpc_trie_exit_caches();
	err = vpc_trie_init_caches();
	before = bench_slab_bytes();
	for (i = 0; i < n_tables && !err; i++) {
		err = bench_table_build(&table[i]);
		routes += table[i].trie.count;
		if (!err && table[i].trie.count != table[i].n)
			err = -EUCLEAN;
	}
	if (err == -EUCLEAN)
		pr_err("bench: a table names a prefix twice\n");
	if (!err)
		*ret_bytes = div64_u64((u64)(bench_slab_bytes() - before) * 1000, routes);
	return err;
}

/* The tries of the last round stay. */
static int bench_build(const char *name, struct bench_table *table, u32 n_tables)
{
	u64 bytes[BENCH_ROUNDS];
	u32 round, i;
	int err = 0;

	for (round = 0; round < BENCH_ROUNDS && !err; round++) {
		for (i = 0; round && i < n_tables; i++)
			vpc_trie_destroy(&table[i].trie);
		err = bench_build_round(table, n_tables, &bytes[round]);
	}
	if (!err)
		bench_print(name, bytes, NULL);
	return err;
}

/* The same routes for the peers. */
static int bench_build_peers(struct bench_table *table, u32 n_tables, u32 fib_id)
{
	int err = 0;
	u32 i;

	for (i = 0; i < n_tables && !err; i++) {
		err = bench_fib_build(&table[i], fib_id + i);
		if (!err)
			err = bench_lpm_build(&table[i]);
	}
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
		err = bench_build_peers(&table, 1, 1000);
	if (err)
		goto out;
	bench_lookup_fill(&table, 1, false);
	err = bench_lookup_check("random");
	if (err)
		goto out;
	bench_lookup("lookup4_random", false);
	bench_lookup_fill(&table, 1, true);
	err = bench_lookup_check("inside");
	if (err)
		goto out;
	bench_lookup("lookup4_inside", false);
	bench_lookup("lookup4_latency", true);
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
		err = bench_build_peers(&table, 1, 1000);
	if (err)
		goto out;
	bench_lookup_fill(&table, 1, true);
	err = bench_lookup_check("IPv6");
	if (!err)
		bench_lookup("lookup6", false);
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
	if (!err)
		err = bench_build_peers(table, BENCH_VPCS, 2000);
	if (!err) {
		bench_lookup_fill(table, BENCH_VPCS, true);
		err = bench_lookup_check("VPCs");
	}
	if (!err)
		bench_lookup("lookup_vpcs", false);
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
	u64 ns[BENCH_ROUNDS] = {}, begin;
	u32 i;
	int err;

	err = bench_table_load(&table, v4);
	if (!err)
		err = vpc_new(vnet, 1, 0, &vpc);
	if (!err)
		err = bench_vpc_fill(vpc, &table);
	for (i = 0; i < BENCH_ROUNDS * BENCH_COMMITS && !err; i++) {
		begin = ktime_get_ns();
		err = bench_commit(vpc, &table, i + 1);
		ns[i / BENCH_COMMITS] += ktime_get_ns() - begin;
		/* What nobody sees any more is freed by others meanwhile. */
		cond_resched();
	}
	for (i = 0; i < BENCH_ROUNDS; i++)
		ns[i] /= BENCH_COMMITS;
	if (!err)
		bench_print("commit_one_us", ns, NULL);
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

	err = bench_lookup_init();
	if (err)
		return err;
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
	bench_lookup_exit();
	return err ?: -ECANCELED;
}
module_init(bench_init);

MODULE_DESCRIPTION("benchmark of vpc.ko's tables");
MODULE_LICENSE("GPL");
