/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The last step of a packet that leaves this host: packet.c hands it over.
 */
#ifndef VPC_ENCAP_H
#define VPC_ENCAP_H

#include <linux/skbuff.h>
#include "pipeline.h"

/**
 * vpc_encap() - wrap into VXLAN and send to the decision's VTEP
 * @skb: data at the inner network header; regardless of the outcome, the skb is consumed
 * @flow: its host is set
 * @decision: verdict VPC_VERDICT_ENCAP
 * @stats: takes a drop; what is sent is counted by the VPC
 *
 * Under RCU, bottom halves off.
 */
void vpc_encap(struct sk_buff *skb, const struct vpc_flow *flow, const struct vpc_decision *decision,
	       struct vpc_stats __percpu *stats);

/**
 * vpc_encap_path() - the way to a VTEP, as vpc_encap() would take it
 * @flow: its host is set
 * @decision: verdict VPC_VERDICT_ENCAP
 * @ret_mtu: bytes that an inner IP packet may have: the underlay route's MTU, ICMP from the path included, less our
 *	headers
 *
 * Under RCU, bottom halves off; sends nothing. For explain. Return: VPC_DROP_NONE, VPC_DROP_NO_UNDERLAY or
 * VPC_DROP_NO_VTEP.
 */
enum vpc_drop vpc_encap_path(const struct vpc_flow *flow, const struct vpc_decision *decision,
			     unsigned int *ret_mtu);

#endif
