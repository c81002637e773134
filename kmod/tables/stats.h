/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Per-CPU counters: one set a port, one a VPC (packets for which no port is known), one a namespace (no VPC known).
 */
#ifndef VPC_STATS_H
#define VPC_STATS_H

#include <linux/percpu.h>
#include <linux/u64_stats_sync.h>
#include "../../proto/vpc_genl.h"

struct vpc_stats {
	u64_stats_t rx_packets;		/* port: from the port. VPC: from the wire */
	u64_stats_t rx_bytes;
	/* Port: taken by its device. VPC: given to the underlay, whose own counters have what it loses. */
	u64_stats_t tx_packets;
	u64_stats_t tx_bytes;
	u64_stats_t drops[VPC_DROP_MAX + 1];
	struct u64_stats_sync syncp;
};

/* A sum over all CPUs. */
struct vpc_stats_sum {
	u64 rx_packets;
	u64 rx_bytes;
	u64 tx_packets;
	u64 tx_bytes;
	u64 drops[VPC_DROP_MAX + 1];
};

/* Bottom halves are off in these three (the packet path). */
static inline void vpc_stats_rx(struct vpc_stats __percpu *stats, unsigned int packets, unsigned int bytes)
{
	struct vpc_stats *s = this_cpu_ptr(stats);

	u64_stats_update_begin(&s->syncp);
	u64_stats_add(&s->rx_packets, packets);
	u64_stats_add(&s->rx_bytes, bytes);
	u64_stats_update_end(&s->syncp);
}

static inline void vpc_stats_tx(struct vpc_stats __percpu *stats, unsigned int packets, unsigned int bytes)
{
	struct vpc_stats *s = this_cpu_ptr(stats);

	u64_stats_update_begin(&s->syncp);
	u64_stats_add(&s->tx_packets, packets);
	u64_stats_add(&s->tx_bytes, bytes);
	u64_stats_update_end(&s->syncp);
}

static inline void vpc_stats_drop(struct vpc_stats __percpu *stats, enum vpc_drop reason, unsigned int packets)
{
	struct vpc_stats *s = this_cpu_ptr(stats);

	u64_stats_update_begin(&s->syncp);
	u64_stats_add(&s->drops[reason], packets);
	u64_stats_update_end(&s->syncp);
}

struct vpc_stats __percpu *vpc_stats_new(void);	/* NULL: out of memory; free_percpu() frees */
void vpc_stats_sum(const struct vpc_stats __percpu *stats, struct vpc_stats_sum *ret_sum);

#endif
