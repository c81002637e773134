/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints, for perf, bpftrace and ftrace (events/vpc/): every packet that is forwarded, and every drop with its
 * reason. packet.c makes them; switched off they cost one skipped instruction.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vpc

#if !defined(VPC_EVENTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define VPC_EVENTS_H

#include <linux/tracepoint.h>
#include <net/ipv6.h>
#include "kmod/datapath/pipeline.h"

/* These macros are a language of their own. */
/* clang-format off */

/* What was decided, before it is done; @vtep is IPv4-mapped for IPv4, and :: for a port here. */
TRACE_EVENT(vpc_forward,
	TP_PROTO(const struct sk_buff *skb, const struct vpc_flow *flow, const struct vpc_decision *decision),
	TP_ARGS(skb, flow, decision),
	TP_STRUCT__entry(
		__field(const void *, skb)
		__field(u32, vni)
		__field(u32, out_vni)
		__field(u32, len)
		__field(u8, verdict)
		__array(char, in, IFNAMSIZ)
		__array(char, out, IFNAMSIZ)
		__array(u8, vtep, 16)
	),
	TP_fast_assign(
		__entry->skb = skb;
		__entry->vni = flow->vpc->vni;
		__entry->out_vni = decision->nexthop ? decision->vni : decision->vpc->vni;
		__entry->len = skb->len;
		__entry->verdict = decision->verdict;
		strscpy(__entry->in, flow->port ? flow->port->name : "wire", IFNAMSIZ);
		strscpy(__entry->out, decision->port ? decision->port->name : "wire", IFNAMSIZ);
		memset(__entry->vtep, 0, sizeof(__entry->vtep));
		if (decision->nexthop && decision->nexthop->wire.family == AF_INET6)
			memcpy(__entry->vtep, decision->nexthop->wire.addr, sizeof(__entry->vtep));
		else if (decision->nexthop)
			ipv6_addr_set_v4mapped(*(const __be32 *)decision->nexthop->wire.addr,
					       (struct in6_addr *)__entry->vtep);
	),
	TP_printk("skb=%p vni=%u in=%s out=%s out_vni=%u vtep=%pI6c len=%u verdict=%u", __entry->skb, __entry->vni,
		  __entry->in, __entry->out, __entry->out_vni, __entry->vtep, __entry->len, __entry->verdict)
);

/* @reason: enum vpc_drop; numbers, as in the statistics' array */
TRACE_EVENT(vpc_drop,
	TP_PROTO(const struct sk_buff *skb, enum vpc_drop reason),
	TP_ARGS(skb, reason),
	TP_STRUCT__entry(
		__field(const void *, skb)
		__field(u32, len)
		__field(u16, protocol)
		__field(u8, reason)
		__array(char, in, IFNAMSIZ)
	),
	TP_fast_assign(
		__entry->skb = skb;
		__entry->len = skb->len;
		__entry->protocol = ntohs(skb->protocol);
		__entry->reason = reason;
		strscpy(__entry->in, skb->dev ? skb->dev->name : "", IFNAMSIZ);
	),
	TP_printk("skb=%p in=%s protocol=0x%04x len=%u reason=%u", __entry->skb, __entry->in, __entry->protocol,
		  __entry->len, __entry->reason)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH kmod/datapath
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE events
#include <trace/define_trace.h>
/* clang-format on */
