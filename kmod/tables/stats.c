// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters: allocation and the sum over CPUs. The counting itself is inline in stats.h, for the packet path.
 */
#include "stats.h"

#include <linux/cpumask.h>
#include <linux/string.h>

struct vpc_stats __percpu *vpc_stats_new(void)
{
	struct vpc_stats __percpu *stats = alloc_percpu_gfp(struct vpc_stats, GFP_KERNEL_ACCOUNT);
	int cpu;

	if (!stats)
		return NULL;
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(stats, cpu)->syncp);
	return stats;
}

void vpc_stats_sum(const struct vpc_stats __percpu *stats, struct vpc_stats_sum *ret_sum)
{
	const struct vpc_stats *s;
	struct vpc_stats_sum one;
	unsigned int start, i;
	int cpu;

	memset(ret_sum, 0, sizeof(*ret_sum));
	for_each_possible_cpu(cpu) {
		s = per_cpu_ptr(stats, cpu);
		do {
			start = u64_stats_fetch_begin(&s->syncp);
			one.rx_packets = u64_stats_read(&s->rx_packets);
			one.rx_bytes = u64_stats_read(&s->rx_bytes);
			one.tx_packets = u64_stats_read(&s->tx_packets);
			one.tx_bytes = u64_stats_read(&s->tx_bytes);
			for (i = 0; i <= VPC_DROP_MAX; i++)
				one.drops[i] = u64_stats_read(&s->drops[i]);
		} while (u64_stats_fetch_retry(&s->syncp, start));
		ret_sum->rx_packets += one.rx_packets;
		ret_sum->rx_bytes += one.rx_bytes;
		ret_sum->tx_packets += one.tx_packets;
		ret_sum->tx_bytes += one.tx_bytes;
		for (i = 0; i <= VPC_DROP_MAX; i++)
			ret_sum->drops[i] += one.drops[i];
	}
}
