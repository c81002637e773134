/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decision: what happens to a packet, from its addresses alone. No skb in, no skb out, no side effect, so that the
 * packet path (port_rx.c, tunnel.c) and explain (VPC_CMD_LOOKUP) run the very same code.
 */
#ifndef VPC_PIPELINE_H
#define VPC_PIPELINE_H

#include "../tables/port.h"
#include "../tables/vpc.h"

/**
 * struct vpc_flow - what a decision reads; all under one rcu_read_lock()
 * @host: this namespace's VTEP, may be NULL
 * @version: the one version that this packet sees
 * @port: where the packet came from; NULL: from the wire
 * @smac: inner source MAC; read for packets from a port
 * @saddr: inner source, 4 or 16 bytes, as @daddr
 * @outer_family: from the wire: family of @outer_saddr
 */
struct vpc_flow {
	const struct vpc_net *vnet;
	const struct vpc_host *host;
	struct vpc *vpc;
	const struct vpc_version *version;
	struct vpc_port *port;
	const struct vpc_port_conf *conf;
	u8 family;
	u8 ttl;
	u8 outer_family;
	const u8 *smac;
	const u8 *saddr;
	const u8 *daddr;
	const u8 *outer_saddr;
};

/**
 * struct vpc_decision - what to do
 * @reason: VPC_DROP_NONE unless @verdict is VPC_VERDICT_DROP
 * @port: DELIVER: to this port; also set when it owns the destination and the packet is dropped for its sake
 * @nexthop: ENCAP: its VTEP; valid while the version is
 * @vni: ENCAP: on the wire
 * @dec_ttl: decrement the inner TTL (once)
 */
struct vpc_decision {
	enum vpc_verdict verdict;
	enum vpc_drop reason;
	struct vpc_port *port;
	const struct vpc_nexthop *nexthop;
	u32 vni;
	bool dec_ttl;
};

#define VPC_TRACE_STEPS 16

/*
 * One recorded step; which fields are set depends on @step, see enum vpc_step, the others are zero. ROUTE names the
 * nexthop in nexthop.id alone, and has prefix.family 0 when nothing matched.
 */
struct vpc_trace_step {
	enum vpc_step step;
	bool ok;
	u32 table;
	struct vpc_nl_prefix prefix;
	struct vpc_nl_nexthop nexthop;
	u32 vni;
	char ifname[IFNAMSIZ];
};

/* Filled by explain only; the packet path passes NULL, and the compiler drops the recording from its copy. */
struct vpc_trace {
	unsigned int n;
	struct vpc_trace_step steps[VPC_TRACE_STEPS];
};

/* Under RCU. Decide a packet from a port (flow->port set) or from the wire (flow->port NULL). */
void vpc_pipeline_from_port(const struct vpc_flow *flow, struct vpc_decision *ret_decision, struct vpc_trace *trace);
void vpc_pipeline_from_wire(const struct vpc_flow *flow, struct vpc_decision *ret_decision, struct vpc_trace *trace);

#endif
