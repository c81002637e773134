/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP and ICMPv6 that the router itself sends: errors about packets that end here, called by packet.c and mtu.c, and
 * answers to echo requests for a port's gateway. The source is always the gateway's address of the port concerned; no
 * address of the underlay or of this host is ever shown to a guest.
 */
#ifndef VPC_ICMP_H
#define VPC_ICMP_H

#include <linux/skbuff.h>
#include "pipeline.h"

/**
 * vpc_icmp_error() - tell the sender why its packet ends here
 * @skb: the packet, data at the network header, not changed since it was received but for headers in front of it;
 *	stays the caller's
 * @flow: what the decision was made from
 * @port: whose gateway speaks: flow->port, or from the wire the port that owns the destination; NULL: nobody does
 * @reason: NO_ROUTE, NO_NEXTHOP, UNREACHABLE, PROHIBIT, NO_MEMBER, NO_PEER, NO_PORT, PORT_DOWN, TTL or TOO_BIG lead to
 *	an error, all others are silent
 * @mtu: TOO_BIG: bytes that an IP packet may have on that way
 *
 * To a port here it goes out by its device, to a sender elsewhere through the tables as if @port had sent it. Silent
 * for what must not be answered (RFC 1812 4.3.2.7, RFC 4443 2.4 e: errors, multicast, later fragments) and beyond the
 * rate (one bucket a port and family). Under RCU, bottom halves off.
 */
void vpc_icmp_error(const struct sk_buff *skb, const struct vpc_flow *flow, struct vpc_port *port,
		    enum vpc_drop reason, unsigned int mtu);

/* Whether the packet is an echo request for the gateway of the port it came from: its verdict is ANSWER. */
bool vpc_icmp_is_for_gateway(const struct vpc_flow *flow);

/* @skb: from flow->port, verdict ANSWER; anything but an echo request is dropped. It is consumed. */
void vpc_icmp_answer(struct sk_buff *skb, const struct vpc_flow *flow);

#endif
