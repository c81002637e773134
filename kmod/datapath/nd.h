/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IPv6 neighbour discovery at a port (RFC 4861, 4862), called by port_rx.c: what arp.h is for IPv4, and router
 * advertisements.
 */
#ifndef VPC_ND_H
#define VPC_ND_H

#include <linux/skbuff.h>
#include "../tables/port.h"

/*
 * Under RCU, bottom halves off; data at the IPv6 header, of which nothing need be checked yet. Whether it is neighbour
 * discovery, whatever its destination and the headers in between: vpc_nd_rx() has to take it.
 */
bool vpc_nd_is(struct sk_buff *skb);
/* @skb: vpc_nd_is(); answered where an answer is due, counted where it is refused. It is consumed. */
void vpc_nd_rx(struct vpc_port *port, struct sk_buff *skb);

#endif
