/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ARP at a port: port_rx.c hands over every ARP frame.
 */
#ifndef VPC_ARP_H
#define VPC_ARP_H

#include <linux/skbuff.h>
#include "../tables/port.h"

/**
 * vpc_arp_rx() - check, and answer what is to be answered
 * @port: where it came from
 * @skb: data behind the Ethernet header; regardless of the outcome, the skb is consumed
 *
 * Under RCU, bottom halves off.
 */
void vpc_arp_rx(struct vpc_port *port, struct sk_buff *skb);

#endif
