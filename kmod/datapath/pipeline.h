/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The decision: what happens to a packet, from its addresses alone. No skb in, no skb out, no side effect, so that the
 * packet path (port_rx.c, tunnel.c) and explain (VPC_CMD_LOOKUP) run the very same code.
 */
#ifndef VPC_PIPELINE_H
#define VPC_PIPELINE_H

#include <linux/jhash.h>
#include "../compat.h"
#include "../tables/port.h"
#include "../tables/vpc.h"

/**
 * struct vpc_flow - what a decision reads; all under one rcu_read_lock()
 * @host: this namespace's VTEP, may be NULL
 * @version: the one version that this packet sees
 * @port: where the packet came from; NULL: from the wire
 * @smac: inner source MAC, 2-byte aligned; read for packets from a port
 * @saddr: inner source, 4 or 16 bytes, as @daddr
 * @proto: inner IP protocol, extension headers of IPv6 skipped
 * @sport: TCP's, UDP's, SCTP's; 0 for all others and for every fragment, so that fragments go one way
 * @outer_family: from the wire: family of @outer_saddr
 * @router: made by @port's router itself (ICMP): not subject to the source check, and no gateway answers it
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
	u8 proto;
	u8 outer_family;
	bool router;
	__be16 sport;
	__be16 dport;
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
 * @vpc: whose tables spoke last: flow->vpc, or another after peering; counts what is sent
 * @vni: ENCAP: on the wire
 * @dec_ttl: how often the inner TTL is decremented: once a gateway, a peering, a sending on
 */
struct vpc_decision {
	enum vpc_verdict verdict;
	enum vpc_drop reason;
	struct vpc_port *port;
	const struct vpc_nexthop *nexthop;
	struct vpc *vpc;
	u32 vni;
	u8 dec_ttl;
};

/*
 * Enough for the longest way: in each of 1 + VPC_PEER_DEPTH VPCs two lookups of three steps (route, nexthop, member),
 * two steps a peering, and eight at the ends.
 */
#define VPC_TRACE_STEPS (6 * (1 + VPC_PEER_DEPTH) + 2 * VPC_PEER_DEPTH + 8)

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
	u32 bucket;
	u32 mtu;			/* MTU: set by control, of the way that was decided */
	char ifname[IFNAMSIZ];
};

/* Filled by explain only; the packet path passes NULL, and the compiler drops the recording from its copy. */
struct vpc_trace {
	unsigned int n;
	struct vpc_trace_step steps[VPC_TRACE_STEPS];
};

/* Whether two addresses of 4 or 16 bytes are the same; a call to memcmp() costs more than this. */
static inline bool vpc_addr_equal(u8 family, const u8 *a, const u8 *b)
{
	if (family == AF_INET6)
		return !((get_unaligned((const u64 *)a) ^ get_unaligned((const u64 *)b)) |
			 (get_unaligned((const u64 *)(a + 8)) ^ get_unaligned((const u64 *)(b + 8))));
	return get_unaligned((const u32 *)a) == get_unaligned((const u32 *)b);
}

/* 4 or 16 bytes; zero: none. */
static inline const u8 *vpc_host_vtep(const struct vpc_host *host, u8 family)
{
	return family == AF_INET6 ? host->vtep6.s6_addr : (const u8 *)&host->vtep4;
}

/* Under RCU. What is known of a packet from @port before its headers are read. */
static inline struct vpc_flow vpc_flow_of_port(struct vpc_port *port)
{
	struct vpc *vpc = port->vpc;

	return (struct vpc_flow){
		.vnet = vpc->vnet,
		.host = rcu_dereference(vpc->vnet->host),
		.vpc = vpc,
		.version = rcu_dereference(vpc->version),
		.port = port,
		.conf = rcu_dereference(port->conf),
	};
}

/*
 * The inner flow's hash, the same for all its packets on this host: chooses a group's member and the outer UDP source
 * port, and explain computes it too.
 */
static inline u32 vpc_flow_hash(const struct vpc_flow *flow)
{
	u32 ports = (__force u32)flow->sport << 16 | (__force u16)flow->dport;
	u32 seed = flow->vnet->hash_seed ^ flow->proto;
	u32 words[9];

	if (flow->family == AF_INET6) {
		memcpy(words, flow->saddr, 16);
		memcpy(words + 4, flow->daddr, 16);
		words[8] = ports;
		return jhash2(words, 9, seed);
	}
	return jhash_3words(get_unaligned((const u32 *)flow->saddr), get_unaligned((const u32 *)flow->daddr), ports,
			    seed);
}

/* Under RCU. Decide a packet from a port (flow->port set) or from the wire (flow->port NULL). */
void vpc_pipeline_from_port(const struct vpc_flow *flow, struct vpc_decision *ret_decision, struct vpc_trace *trace);
void vpc_pipeline_from_wire(const struct vpc_flow *flow, struct vpc_decision *ret_decision, struct vpc_trace *trace);

#endif
