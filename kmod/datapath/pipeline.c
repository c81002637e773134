// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decision about one packet: source checks, route, nexthop, port here or VTEP, TTL. port_rx.c and tunnel.c call
 * it for every packet, control's explain (VPC_CMD_LOOKUP) for a described one; packet.c acts on what it says.
 *
 * Everything is inlined twice into the two entry points, once with a constant NULL trace: the packet path's copy
 * records nothing. A function below returns VPC_DROP_NONE with the verdict in *d, or the reason why the packet ends
 * here.
 */
#include "pipeline.h"

#include <linux/etherdevice.h>
#include <linux/in.h>
#include <linux/rcupdate.h>
#include <net/ipv6.h>
#include "../compat.h"

/* A customer's table, then the mapping: no sound table needs more lookups. */
#define VPC_HOPS_MAX 2

static unsigned int vpc_addr_len(u8 family)
{
	return family == AF_INET6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
}

static bool vpc_addr_is_multicast(u8 family, const u8 *addr)
{
	__be32 addr4;

	if (family == AF_INET6)
		return addr[0] == 0xff;
	addr4 = get_unaligned((const __be32 *)addr);
	return ipv4_is_multicast(addr4) || ipv4_is_lbcast(addr4);
}

/* Unspecified and loopback addresses have no place on any wire. */
static bool vpc_addr_is_martian(u8 family, const u8 *addr)
{
	struct in6_addr addr6;
	__be32 addr4;

	if (family == AF_INET6) {
		memcpy(&addr6, addr, sizeof(addr6));
		return ipv6_addr_any(&addr6) || ipv6_addr_loopback(&addr6);
	}
	addr4 = get_unaligned((const __be32 *)addr);
	return ipv4_is_zeronet(addr4) || ipv4_is_loopback(addr4);
}

static bool vpc_host_is_vtep(const struct vpc_host *host, const struct vpc_nl_nexthop *nh)
{
	return nh->family == AF_INET && !memcmp(nh->addr, &host->vtep4, sizeof(host->vtep4));
}

/* -- the trace ----------------------------------------------------------------------------------------------------- */

static __always_inline struct vpc_trace_step *vpc_trace_add(struct vpc_trace *trace, enum vpc_step step, bool ok)
{
	struct vpc_trace_step *s;

	if (!trace || trace->n == VPC_TRACE_STEPS)
		return NULL;
	s = &trace->steps[trace->n++];
	memset(s, 0, sizeof(*s));
	s->step = step;
	s->ok = ok;
	return s;
}

static void vpc_trace_fill_prefix(struct vpc_nl_prefix *prefix, const struct vpc_flow *flow, u8 plen)
{
	unsigned int bytes = plen / 8;

	prefix->family = flow->family;
	prefix->plen = plen;
	memcpy(prefix->addr, flow->daddr, bytes);
	if (plen % 8)
		prefix->addr[bytes] = flow->daddr[bytes] & (0xff << (8 - plen % 8));
}

static __always_inline void vpc_trace_route(struct vpc_trace *trace, const struct vpc_flow *flow, u32 table, u32 id,
					    u8 plen)
{
	struct vpc_trace_step *s = vpc_trace_add(trace, VPC_STEP_ROUTE, id != 0);

	if (!s)
		return;
	s->table = table;
	s->nexthop.id = id;
	if (id)
		vpc_trace_fill_prefix(&s->prefix, flow, plen);
}

static __always_inline void vpc_trace_nexthop(struct vpc_trace *trace, enum vpc_step step, const struct vpc_nexthop *nh,
					      u32 vni, bool ok)
{
	struct vpc_trace_step *s = vpc_trace_add(trace, step, ok);

	if (!s)
		return;
	s->nexthop = nh->wire;
	s->vni = vni;
}

static __always_inline void vpc_trace_port(struct vpc_trace *trace, const struct vpc_port *port, bool ok)
{
	struct vpc_trace_step *s = vpc_trace_add(trace, VPC_STEP_PORT, ok);

	if (s && port)
		strscpy(s->ifname, port->name, sizeof(s->ifname));
}

/* -- the steps ----------------------------------------------------------------------------------------------------- */

static __always_inline enum vpc_drop vpc_decide_source(const struct vpc_flow *flow)
{
	const struct vpc_port_conf *conf = flow->conf;

	if (!ether_addr_equal_unaligned(flow->smac, conf->mac))
		return VPC_DROP_SOURCE_MAC;
	if (vpc_addr_is_multicast(flow->family, flow->saddr) || vpc_addr_is_martian(flow->family, flow->saddr))
		return VPC_DROP_SOURCE_ADDR;
	if (!(conf->flags & VPC_PORT_F_NO_SOURCE_CHECK) && !vpc_port_conf_owns(conf, flow->family, flow->saddr))
		return VPC_DROP_SOURCE_ADDR;
	return VPC_DROP_NONE;
}

static __always_inline enum vpc_drop vpc_decide_destination(const struct vpc_flow *flow)
{
	/* The packet path drops IPv6 before it comes here; explain must say so too. */
	if (flow->family != AF_INET)
		return VPC_DROP_PROTO;
	if (vpc_addr_is_multicast(flow->family, flow->daddr))
		return VPC_DROP_MULTICAST;
	if (vpc_addr_is_martian(flow->family, flow->daddr))
		return VPC_DROP_MALFORMED;
	return VPC_DROP_NONE;
}

static __always_inline enum vpc_drop vpc_decide_ttl(const struct vpc_flow *flow, struct vpc_decision *d,
						    struct vpc_trace *trace)
{
	d->dec_ttl = flow->ttl > 1;
	vpc_trace_add(trace, VPC_STEP_TTL, d->dec_ttl);
	return d->dec_ttl ? VPC_DROP_NONE : VPC_DROP_TTL;
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
static __always_inline enum vpc_drop vpc_decide_here(const struct vpc_flow *flow, struct vpc_decision *d,
						     struct vpc_trace *trace)
{
	/* From the wire the port was looked for before the route, in vain. */
	struct vpc_port *port = flow->port ? vpc_port_lookup_addr(flow->vpc, flow->family, flow->daddr) : NULL;

	if (port)
		return vpc_decide_deliver(flow, port, d, trace);
	vpc_trace_port(trace, NULL, false);
	return VPC_DROP_NO_PORT;
}

/*
 * Into another VPC on this host, whose tables the sender's VPC has no say in: as if the packet came in from the wire,
 * from our own VTEP. Only a port here gets it; it is not sent on.
 */
static __always_inline enum vpc_drop vpc_decide_other_vpc(const struct vpc_flow *flow, const struct vpc_nexthop *nh,
							  struct vpc_decision *d, struct vpc_trace *trace)
{
	const struct vpc *vpc = vpc_lookup(flow->vnet, nh->wire.vni);
	const struct vpc_version *version;
	struct vpc_port *port;
	bool known;

	vpc_trace_nexthop(trace, VPC_STEP_ENCAP, nh, nh->wire.vni, vpc);
	if (!vpc)
		return VPC_DROP_VNI;
	version = rcu_dereference(vpc->version);
	known = vpc_nhset_has_vtep(version->nexthops, AF_INET, (const u8 *)&flow->host->vtep4);
	vpc_trace_add(trace, VPC_STEP_SOURCE, known);
	if (!known)
		return VPC_DROP_OUTER_SOURCE;
	port = vpc_port_lookup_addr(vpc, flow->family, flow->daddr);
	if (port)
		return vpc_decide_deliver(flow, port, d, trace);
	vpc_trace_port(trace, NULL, false);
	return VPC_DROP_NO_PORT;
}

static __always_inline enum vpc_drop vpc_decide_vtep(const struct vpc_flow *flow, const struct vpc_nexthop *nh,
						     struct vpc_decision *d, struct vpc_trace *trace)
{
	u32 vni = nh->wire.vni ?: flow->vpc->vni;
	bool here, sent_on = !flow->port;
	enum vpc_drop reason;

	if (!flow->host)
		return VPC_DROP_NO_VTEP;
	here = vpc_host_is_vtep(flow->host, &nh->wire);
	if (here && vni == flow->vpc->vni)
		return vpc_decide_here(flow, d, trace);
	if (sent_on && flow->outer_family == nh->wire.family &&
	    !memcmp(flow->outer_saddr, nh->wire.addr, vpc_addr_len(nh->wire.family)))
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

/* Return: the nexthop of the longest match; NULL with *ret_reason set. */
static __always_inline const struct vpc_nexthop *vpc_decide_lookup(const struct vpc_flow *flow, u32 table_id,
								   struct vpc_trace *trace, enum vpc_drop *ret_reason)
{
	const struct vpc_table *table = vpc_version_table(flow->version, table_id);
	const struct vpc_nexthop *nh;
	u8 plen = 0;
	u32 id = 0;

	if (table)
		id = vpc_trie_lookup(vpc_table_trie(table, flow->family), flow->daddr, trace ? &plen : NULL);
	vpc_trace_route(trace, flow, table_id, id, plen);
	if (!id) {
		/* A mapping may well be empty; a port's table is there unless the change is still on its way. */
		*ret_reason = table || !table_id ? VPC_DROP_NO_ROUTE : VPC_DROP_NO_TABLE;
		return NULL;
	}
	nh = vpc_nhset_lookup(flow->version->nexthops, id);
	if (!nh)
		*ret_reason = VPC_DROP_NO_NEXTHOP;
	return nh;
}

/* Why a nexthop of this type ends the packet; VPC_DROP_NONE for those that lead somewhere. */
static __always_inline enum vpc_drop vpc_nexthop_reason(enum vpc_nexthop_type type)
{
	switch (type) {
	case VPC_NEXTHOP_LOCAL:
	case VPC_NEXTHOP_HOST:
	case VPC_NEXTHOP_GATEWAY:
		return VPC_DROP_NONE;
	case VPC_NEXTHOP_BLACKHOLE:
		return VPC_DROP_BLACKHOLE;
	case VPC_NEXTHOP_PROHIBIT:
		return VPC_DROP_PROHIBIT;
	case VPC_NEXTHOP_UNREACHABLE:
		return VPC_DROP_UNREACHABLE;
	case VPC_NEXTHOP_PEER:
	case VPC_NEXTHOP_GROUP:
	case __VPC_NEXTHOP_AFTER_LAST:
		break;
	}
	/* control/ lets no other type in. */
	return VPC_DROP_NO_NEXTHOP;
}

static __always_inline enum vpc_drop vpc_decide_route(const struct vpc_flow *flow, u32 table, struct vpc_decision *d,
						      struct vpc_trace *trace)
{
	const struct vpc_nexthop *nh;
	enum vpc_drop reason;
	unsigned int hops;

	for (hops = 0; hops < VPC_HOPS_MAX; hops++) {
		nh = vpc_decide_lookup(flow, table, trace, &reason);
		if (!nh)
			return reason;
		reason = vpc_nexthop_reason(nh->wire.type);
		vpc_trace_nexthop(trace, VPC_STEP_NEXTHOP, nh, 0, reason == VPC_DROP_NONE);
		if (reason)
			return reason;
		if (nh->wire.type != VPC_NEXTHOP_LOCAL)
			return vpc_decide_vtep(flow, nh, d, trace);
		table = 0;
	}
	return VPC_DROP_LOOP;
}

/* -- the two ways in ----------------------------------------------------------------------------------------------- */

static __always_inline enum vpc_drop vpc_decide_from_port(const struct vpc_flow *flow, struct vpc_decision *d,
							  struct vpc_trace *trace)
{
	enum vpc_drop reason = vpc_decide_source(flow);

	vpc_trace_add(trace, VPC_STEP_SOURCE, reason == VPC_DROP_NONE);
	if (!reason)
		reason = vpc_decide_destination(flow);
	if (!reason)
		reason = vpc_decide_route(flow, flow->conf->table, d, trace);
	return reason;
}

static __always_inline enum vpc_drop vpc_decide_from_wire(const struct vpc_flow *flow, struct vpc_decision *d,
							  struct vpc_trace *trace)
{
	bool known = vpc_nhset_has_vtep(flow->version->nexthops, flow->outer_family, flow->outer_saddr);
	struct vpc_port *port;
	enum vpc_drop reason;

	vpc_trace_add(trace, VPC_STEP_SOURCE, known);
	if (!known)
		return VPC_DROP_OUTER_SOURCE;
	reason = vpc_decide_destination(flow);
	if (reason)
		return reason;
	port = vpc_port_lookup_addr(flow->vpc, flow->family, flow->daddr);
	if (port)
		return vpc_decide_deliver(flow, port, d, trace);
	return vpc_decide_route(flow, 0, d, trace);
}

static __always_inline void vpc_decision_begin(struct vpc_decision *d)
{
	memset(d, 0, sizeof(*d));
	d->verdict = VPC_VERDICT_DROP;
}

static __always_inline void vpc_decision_end(struct vpc_decision *d, enum vpc_drop reason)
{
	d->reason = reason;
	if (reason)
		d->verdict = VPC_VERDICT_DROP;
}

void vpc_pipeline_from_port(const struct vpc_flow *flow, struct vpc_decision *ret_decision, struct vpc_trace *trace)
{
	enum vpc_drop reason;

	vpc_decision_begin(ret_decision);
	if (likely(!trace))
		reason = vpc_decide_from_port(flow, ret_decision, NULL);
	else
		reason = vpc_decide_from_port(flow, ret_decision, trace);
	vpc_decision_end(ret_decision, reason);
}

void vpc_pipeline_from_wire(const struct vpc_flow *flow, struct vpc_decision *ret_decision, struct vpc_trace *trace)
{
	enum vpc_drop reason;

	vpc_decision_begin(ret_decision);
	if (likely(!trace))
		reason = vpc_decide_from_wire(flow, ret_decision, NULL);
	else
		reason = vpc_decide_from_wire(flow, ret_decision, trace);
	vpc_decision_end(ret_decision, reason);
}
