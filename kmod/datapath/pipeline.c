// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decision about one packet: source checks, route, nexthop, port here or VTEP, TTL. port_rx.c and tunnel.c call
 * it for every packet, control's explain (VPC_CMD_LOOKUP) for a described one; packet.c acts on what it says.
 *
 * Everything is inlined twice into the two entry points, once with a constant NULL trace: the packet path's copy
 * records nothing. A function below returns VPC_DROP_NONE with the verdict in *d, or the reason why the packet ends
 * here. What few packets need is not inlined.
 */
#include "pipeline.h"

#include <linux/etherdevice.h>
#include <linux/in.h>
#include <linux/rcupdate.h>
#include "craft.h"
#include "icmp.h"
#include "pipeline_trace.h"
#include "pipeline_wire.h"
#include "recent.h"

/*
 * Where a packet is looked up next: in its own VPC, or where a peering has led it.
 *
 * In each VPC there are two lookups at most, a customer's table and the mapping; so VPC_PEER_DEPTH bounds all of them.
 */
struct vpc_cursor {
	struct vpc *vpc;
	const struct vpc_version *version;
	u32 table;
	u32 depth;		/* peerings so far */
	bool member;		/* a group's was chosen, by more than the address */
};

static bool vpc_addr_is_multicast(u8 family, const u8 *addr)
{
	__be32 addr4;

	if (family == AF_INET6)
		return addr[0] == 0xff;
	addr4 = get_unaligned((const __be32 *)addr);
	return ipv4_is_multicast(addr4) || ipv4_is_lbcast(addr4);
}

/* Addresses that have no place on any wire: unspecified, loopback, all of ::/64, whose others stand for IPv4 ones. */
static bool vpc_addr_is_martian(u8 family, const u8 *addr)
{
	__be32 addr4;

	if (family == AF_INET6)
		return !get_unaligned((const u64 *)addr);
	addr4 = get_unaligned((const __be32 *)addr);
	return ipv4_is_zeronet(addr4) || ipv4_is_loopback(addr4);
}

/* Not beyond the link, which is the port alone. IPv4's are addresses like others here: clouds give them to services. */
static bool vpc_addr_is_linklocal(u8 family, const u8 *addr)
{
	return family == AF_INET6 && addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

static bool vpc_host_is_vtep(const struct vpc_host *host, const struct vpc_nl_nexthop *nh)
{
	return vpc_addr_equal(nh->family, nh->addr, vpc_host_vtep(host, nh->family));
}

/* -- the steps ----------------------------------------------------------------------------------------------------- */

/* Of a packet from a port. */
static __always_inline enum vpc_drop vpc_decide_source(const struct vpc_flow *flow)
{
	const struct vpc_port_conf *conf = flow->conf;

	if (unlikely(flow->router))
		return VPC_DROP_NONE;
	if (!ether_addr_equal(flow->smac, conf->mac))
		return VPC_DROP_SOURCE_MAC;
	if (vpc_addr_is_multicast(flow->family, flow->saddr) || vpc_addr_is_martian(flow->family, flow->saddr))
		return VPC_DROP_SOURCE_ADDR;
	/* Whose answers would never get back, and whose word guests take. The gateway may lie in a port's prefix. */
	if (vpc_port_conf_is_router(conf, flow->family, flow->saddr))
		return VPC_DROP_SOURCE_ADDR;
	/* To its router it may speak from such an address, and only there do the checks below let it go. */
	if (vpc_addr_is_linklocal(flow->family, flow->saddr))
		return vpc_addr_is_linklocal(flow->family, flow->daddr) ? VPC_DROP_NONE : VPC_DROP_SOURCE_ADDR;
	if (!(conf->flags & VPC_PORT_F_NO_SOURCE_CHECK) && !vpc_port_conf_owns(conf, flow->family, flow->saddr))
		return VPC_DROP_SOURCE_ADDR;
	return VPC_DROP_NONE;
}

static __always_inline enum vpc_drop vpc_decide_destination(const struct vpc_flow *flow)
{
	if (vpc_addr_is_multicast(flow->family, flow->daddr))
		return VPC_DROP_MULTICAST;
	if (vpc_addr_is_martian(flow->family, flow->daddr))
		return VPC_DROP_MALFORMED;
	if (vpc_addr_is_linklocal(flow->family, flow->daddr))
		return VPC_DROP_NO_ROUTE;
	return VPC_DROP_NONE;
}

/* One more router on the way. */
static __always_inline enum vpc_drop vpc_decide_ttl(const struct vpc_flow *flow, struct vpc_decision *d,
						    struct vpc_trace *trace)
{
	bool ok = flow->ttl > d->dec_ttl + 1;

	d->dec_ttl++;
	vpc_trace_add(trace, VPC_STEP_TTL, ok);
	return ok ? VPC_DROP_NONE : VPC_DROP_TTL;
}

/* @port owns the destination. It may be down; and what a port sends to itself would go round for ever. */
static __always_inline enum vpc_drop vpc_decide_deliver(const struct vpc_flow *flow, struct vpc_port *port,
							struct vpc_decision *d, struct vpc_trace *trace)
{
	const struct net_device *dev = rcu_dereference(port->dev);
	enum vpc_drop reason = VPC_DROP_NONE;

	if (!dev || !netif_running(dev) || !netif_carrier_ok(dev))
		reason = VPC_DROP_PORT_DOWN;
	else if (port == flow->port)
		reason = VPC_DROP_LOOP;
	vpc_trace_port(trace, port, reason == VPC_DROP_NONE);
	d->port = port;
	d->verdict = VPC_VERDICT_DELIVER;
	return reason;
}

/* A host or gateway nexthop whose VTEP is ours: the port here that owns the destination in the same VPC. */
static __always_inline enum vpc_drop vpc_decide_here(const struct vpc_flow *flow, const struct vpc_cursor *at,
						     struct vpc_decision *d, struct vpc_trace *trace)
{
	struct vpc_port *port = NULL;

	/* From the wire the port was looked for before the route, in vain. */
	if (flow->port || at->vpc != flow->vpc)
		port = vpc_port_lookup_addr(at->vpc, flow->family, flow->daddr);
	if (port)
		return vpc_decide_deliver(flow, port, d, trace);
	vpc_trace_port(trace, NULL, false);
	return VPC_DROP_NO_PORT;
}

/* Whether a packet may come in, in strict mode; @table: where its receiver would look up the reply. */
static __always_inline enum vpc_drop vpc_decide_strict(const struct vpc_arrival *in, u32 table, struct vpc_trace *trace)
{
	bool ok;

	if (likely(!(READ_ONCE(in->vpc->flags) & VPC_F_STRICT)))
		return VPC_DROP_NONE;
	ok = vpc_arrival_leads_back(in, table);
	vpc_trace_add(trace, VPC_STEP_STRICT, ok);
	return ok ? VPC_DROP_NONE : VPC_DROP_STRICT;
}

/*
 * Into another VPC on this host, whose tables the sender's VPC has no say in: as if the packet came in from the wire,
 * from our own VTEP. Only a port here gets it; it is not sent on.
 */
static noinline enum vpc_drop vpc_decide_other_vpc(const struct vpc_flow *flow, const struct vpc_nexthop *nh,
						   struct vpc_decision *d, struct vpc_trace *trace)
{
	struct vpc_arrival in = {
		.flow = flow,
		.outer_family = nh->wire.family,
		.outer_saddr = nh->wire.addr,
	};
	struct vpc *vpc = vpc_lookup(flow->vnet, nh->wire.vni);
	struct vpc_port *port;
	enum vpc_drop reason;
	bool known;

	vpc_trace_nexthop(trace, VPC_STEP_ENCAP, nh, nh->wire.vni, vpc);
	if (!vpc)
		return VPC_DROP_VNI;
	d->vpc = vpc;
	in.vpc = vpc;
	in.version = rcu_dereference(vpc->version);
	known = vpc_nhset_has_vtep(in.version->nexthops, in.outer_family, in.outer_saddr) ||
		vpc_arrival_is_from_peer(&in);
	vpc_trace_add(trace, VPC_STEP_SOURCE, known);
	if (!known)
		return VPC_DROP_OUTER_SOURCE;
	port = vpc_port_lookup_addr(vpc, flow->family, flow->daddr);
	if (!port) {
		vpc_trace_port(trace, NULL, false);
		return VPC_DROP_NO_PORT;
	}
	reason = vpc_decide_strict(&in, rcu_dereference(port->conf)->table, trace);
	return reason ?: vpc_decide_deliver(flow, port, d, trace);
}

static __always_inline enum vpc_drop vpc_decide_vtep(const struct vpc_flow *flow, const struct vpc_cursor *at,
						     const struct vpc_nexthop *nh, struct vpc_decision *d,
						     struct vpc_trace *trace)
{
	u32 vni = nh->wire.vni ?: at->vpc->vni;
	bool here, sent_on = !flow->port;
	enum vpc_drop reason;

	if (!flow->host)
		return VPC_DROP_NO_VTEP;
	here = vpc_host_is_vtep(flow->host, &nh->wire);
	if (here && vni == at->vpc->vni)
		return vpc_decide_here(flow, at, d, trace);
	if (sent_on && flow->outer_family == nh->wire.family &&
	    vpc_addr_equal(nh->wire.family, flow->outer_saddr, nh->wire.addr))
		return VPC_DROP_LOOP;
	if (sent_on || nh->wire.type == VPC_NEXTHOP_GATEWAY) {
		reason = vpc_decide_ttl(flow, d, trace);
		if (reason)
			return reason;
	}
	if (here)
		return vpc_decide_other_vpc(flow, nh, d, trace);
	d->nexthop = nh;
	d->vni = vni;
	d->verdict = VPC_VERDICT_ENCAP;
	vpc_trace_nexthop(trace, VPC_STEP_ENCAP, nh, vni, true);
	return VPC_DROP_NONE;
}

/* Why a nexthop of this type ends the packet; VPC_DROP_NONE for those that lead somewhere. */
static __always_inline enum vpc_drop vpc_nexthop_reason(enum vpc_nexthop_type type)
{
	switch (type) {
	case VPC_NEXTHOP_LOCAL:
	case VPC_NEXTHOP_HOST:
	case VPC_NEXTHOP_GATEWAY:
	case VPC_NEXTHOP_PEER:
		return VPC_DROP_NONE;
	case VPC_NEXTHOP_BLACKHOLE:
		return VPC_DROP_BLACKHOLE;
	case VPC_NEXTHOP_PROHIBIT:
		return VPC_DROP_PROHIBIT;
	case VPC_NEXTHOP_UNREACHABLE:
		return VPC_DROP_UNREACHABLE;
	case VPC_NEXTHOP_GROUP:
	case __VPC_NEXTHOP_AFTER_LAST:
		break;
	}
	/* A group is no group's member, and control/ lets no other type in. */
	return VPC_DROP_NO_NEXTHOP;
}

static noinline const struct vpc_nexthop *vpc_decide_member(const struct vpc_flow *flow, const struct vpc_cursor *at,
							    const struct vpc_nexthop *group, u32 *ret_hash)
{
	u32 hash = vpc_flow_hash(flow);

	*ret_hash = hash;
	return vpc_nhset_member(at->version->nexthops, group, hash);
}

static __always_inline enum vpc_drop vpc_decide_group(const struct vpc_flow *flow, const struct vpc_cursor *at,
						      struct vpc_trace *trace, const struct vpc_nexthop **nh)
{
	const struct vpc_nexthop *member;
	enum vpc_drop reason;
	u32 hash;

	vpc_trace_nexthop(trace, VPC_STEP_NEXTHOP, *nh, 0, true);
	member = vpc_decide_member(flow, at, *nh, &hash);
	reason = member ? vpc_nexthop_reason(member->wire.type) : VPC_DROP_NO_MEMBER;
	vpc_trace_group(trace, member, vpc_group_bucket(hash), reason == VPC_DROP_NONE);
	*nh = member;
	return reason;
}

/* The longest match at the cursor, and of a group the member. Return: VPC_DROP_NONE with a nexthop that leads on. */
static __always_inline enum vpc_drop vpc_decide_lookup(const struct vpc_flow *flow, struct vpc_cursor *at,
						       struct vpc_trace *trace, const struct vpc_nexthop **ret_nh)
{
	const struct vpc_table *table = vpc_version_table(at->version, at->table);
	enum vpc_drop reason;
	u8 plen = 0;
	u32 id = 0;

	if (table)
		id = vpc_trie_lookup(vpc_table_trie(table, flow->family), flow->daddr, trace ? &plen : NULL);
	vpc_trace_route(trace, flow, at->table, id, plen);
	/* A mapping may well be empty; a port's table is there unless the change is still on its way. */
	if (!id)
		return table || !at->table ? VPC_DROP_NO_ROUTE : VPC_DROP_NO_TABLE;
	*ret_nh = vpc_nhset_lookup(at->version->nexthops, id);
	if (!*ret_nh)
		return VPC_DROP_NO_NEXTHOP;
	if ((*ret_nh)->wire.type == VPC_NEXTHOP_GROUP) {
		at->member = true;
		return vpc_decide_group(flow, at, trace, ret_nh);
	}
	reason = vpc_nexthop_reason((*ret_nh)->wire.type);
	vpc_trace_nexthop(trace, VPC_STEP_NEXTHOP, *ret_nh, 0, reason == VPC_DROP_NONE);
	return reason;
}

/* On in another VPC, whose version is read here, save the packet's own, of which it sees one. */
static __always_inline enum vpc_drop vpc_decide_peer(const struct vpc_flow *flow, const struct vpc_nl_nexthop *nh,
						     struct vpc_cursor *at, struct vpc_decision *d,
						     struct vpc_trace *trace)
{
	enum vpc_drop reason = vpc_decide_ttl(flow, d, trace);
	struct vpc *peer;

	if (reason)
		return reason;
	peer = vpc_lookup(flow->vnet, nh->vni);
	if (!peer)
		reason = VPC_DROP_NO_PEER;
	else if (at->depth == VPC_PEER_DEPTH)
		reason = VPC_DROP_LOOP;
	vpc_trace_peer(trace, nh, reason == VPC_DROP_NONE);
	if (reason)
		return reason;
	d->vpc = peer;
	at->vpc = peer;
	at->version = peer == flow->vpc ? flow->version : rcu_dereference(peer->version);
	at->table = nh->table;
	at->depth++;
	return VPC_DROP_NONE;
}

static __always_inline enum vpc_drop vpc_decide_route(const struct vpc_flow *flow, u32 table, struct vpc_decision *d,
						      struct vpc_trace *trace)
{
	struct vpc_cursor at = { .vpc = flow->vpc, .version = flow->version, .table = table };
	const struct vpc_recent key = vpc_recent_key(flow, table);
	const struct vpc_nexthop *nh;
	enum vpc_drop reason;

	nh = trace ? NULL : vpc_recent_find(&key);
	if (likely(nh))
		return vpc_decide_vtep(flow, &at, nh, d, trace);
	for (;;) {
		reason = vpc_decide_lookup(flow, &at, trace, &nh);
		if (reason)
			return reason;
		if (nh->wire.type == VPC_NEXTHOP_LOCAL) {
			if (!at.table)
				return VPC_DROP_LOOP;
			at.table = 0;
		} else if (nh->wire.type == VPC_NEXTHOP_PEER) {
			reason = vpc_decide_peer(flow, &nh->wire, &at, d, trace);
			if (reason)
				return reason;
		} else {
			if (!trace && !at.depth && !at.member)
				vpc_recent_keep(&key, nh);
			return vpc_decide_vtep(flow, &at, nh, d, trace);
		}
	}
}

/* -- the two ways in ----------------------------------------------------------------------------------------------- */

static __always_inline enum vpc_drop vpc_decide_from_port(const struct vpc_flow *flow, struct vpc_decision *d,
							  struct vpc_trace *trace)
{
	enum vpc_drop reason = vpc_decide_source(flow);

	vpc_trace_add(trace, VPC_STEP_SOURCE, reason == VPC_DROP_NONE);
	if (reason)
		return reason;
	if (unlikely(flow->proto == IPPROTO_ICMP || flow->proto == IPPROTO_ICMPV6) && vpc_icmp_is_for_gateway(flow)) {
		d->verdict = VPC_VERDICT_ANSWER;
		return VPC_DROP_NONE;
	}
	reason = vpc_decide_destination(flow);
	return reason ?: vpc_decide_route(flow, flow->conf->table, d, trace);
}

static __always_inline enum vpc_drop vpc_decide_from_wire(const struct vpc_flow *flow, struct vpc_decision *d,
							  struct vpc_trace *trace)
{
	const struct vpc_arrival in = {
		.flow = flow,
		.vpc = flow->vpc,
		.version = flow->version,
		.outer_family = flow->outer_family,
		.outer_saddr = flow->outer_saddr,
	};
	bool known = vpc_nhset_has_vtep(flow->version->nexthops, flow->outer_family, flow->outer_saddr) ||
		     vpc_arrival_is_from_peer(&in);
	struct vpc_port *port;
	enum vpc_drop reason;

	vpc_trace_add(trace, VPC_STEP_SOURCE, known);
	if (!known)
		return VPC_DROP_OUTER_SOURCE;
	if (vpc_addr_is_multicast(flow->family, flow->saddr) || vpc_addr_is_martian(flow->family, flow->saddr) ||
	    vpc_addr_is_linklocal(flow->family, flow->saddr))
		return VPC_DROP_SOURCE_ADDR;
	reason = vpc_decide_destination(flow);
	if (reason)
		return reason;
	port = vpc_port_lookup_addr(flow->vpc, flow->family, flow->daddr);
	/* What is sent on to where its address lives now is nobody's here: the mapping leads back to its sender. */
	reason = vpc_decide_strict(&in, port ? rcu_dereference(port->conf)->table : 0, trace);
	if (reason)
		return reason;
	if (port)
		return vpc_decide_deliver(flow, port, d, trace);
	return vpc_decide_route(flow, 0, d, trace);
}

static __always_inline void vpc_decision_begin(struct vpc_decision *d, const struct vpc_flow *flow)
{
	*d = (struct vpc_decision){ .verdict = VPC_VERDICT_DROP, .vpc = flow->vpc };
}

static __always_inline void vpc_decision_end(struct vpc_decision *d, enum vpc_drop reason)
{
	d->reason = reason;
	if (reason)
		d->verdict = VPC_VERDICT_DROP;
}

static noinline enum vpc_drop vpc_explain_from_port(const struct vpc_flow *flow, struct vpc_decision *d,
						    struct vpc_trace *trace)
{
	return vpc_decide_from_port(flow, d, trace);
}

static noinline enum vpc_drop vpc_explain_from_wire(const struct vpc_flow *flow, struct vpc_decision *d,
						    struct vpc_trace *trace)
{
	return vpc_decide_from_wire(flow, d, trace);
}

void vpc_pipeline_from_port(const struct vpc_flow *flow, struct vpc_decision *ret_decision, struct vpc_trace *trace)
{
	enum vpc_drop reason;

	vpc_decision_begin(ret_decision, flow);
	if (likely(!trace))
		reason = vpc_decide_from_port(flow, ret_decision, NULL);
	else
		reason = vpc_explain_from_port(flow, ret_decision, trace);
	vpc_decision_end(ret_decision, reason);
}

void vpc_pipeline_from_wire(const struct vpc_flow *flow, struct vpc_decision *ret_decision, struct vpc_trace *trace)
{
	enum vpc_drop reason;

	vpc_decision_begin(ret_decision, flow);
	if (likely(!trace))
		reason = vpc_decide_from_wire(flow, ret_decision, NULL);
	else
		reason = vpc_explain_from_wire(flow, ret_decision, trace);
	vpc_decision_end(ret_decision, reason);
}
