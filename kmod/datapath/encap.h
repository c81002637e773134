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

#endif
