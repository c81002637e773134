/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How pipeline.c records its steps for explain. Inlined into both of its copies: where the trace is a constant NULL,
 * in the packet path's, nothing is left of this.
 */
#ifndef VPC_PIPELINE_TRACE_H
#define VPC_PIPELINE_TRACE_H

#include "pipeline.h"

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

static inline void vpc_trace_fill_prefix(struct vpc_nl_prefix *prefix, const struct vpc_flow *flow, u8 plen)
{
	unsigned int bytes = plen / 8;

	prefix->family = flow->family;
	prefix->plen = plen;
	memcpy(prefix->addr, flow->daddr, bytes);
	if (plen % 8)
		prefix->addr[bytes] = flow->daddr[bytes] & (0xff << (8 - plen % 8));
}

/* @id: 0 when nothing matched */
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

/* @member: NULL when the group has none */
static __always_inline void vpc_trace_group(struct vpc_trace *trace, const struct vpc_nexthop *member, u32 bucket,
					    bool ok)
{
	struct vpc_trace_step *s = vpc_trace_add(trace, VPC_STEP_GROUP, ok);

	if (!s)
		return;
	s->bucket = bucket;
	if (member)
		s->nexthop = member->wire;
}

static __always_inline void vpc_trace_peer(struct vpc_trace *trace, const struct vpc_nl_nexthop *peer, bool ok)
{
	struct vpc_trace_step *s = vpc_trace_add(trace, VPC_STEP_PEER, ok);

	if (!s)
		return;
	s->vni = peer->vni;
	s->table = peer->table;
}

static __always_inline void vpc_trace_port(struct vpc_trace *trace, const struct vpc_port *port, bool ok)
{
	struct vpc_trace_step *s = vpc_trace_add(trace, VPC_STEP_PORT, ok);

	if (s && port)
		strscpy(s->ifname, port->name, sizeof(s->ifname));
}

#endif
