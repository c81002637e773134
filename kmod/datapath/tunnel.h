/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tunnel socket's GRO callbacks (tunnel_gro.c), which tunnel.c registers.
 */
#ifndef VPC_TUNNEL_H
#define VPC_TUNNEL_H

#include <linux/skbuff.h>

struct sock;

/* As struct udp_sock wants them: from NAPI, under RCU. GRO owns the skbs. */
struct sk_buff *vpc_tunnel_gro_receive(struct sock *sk, struct list_head *head, struct sk_buff *skb);
int vpc_tunnel_gro_complete(struct sock *sk, struct sk_buff *skb, int nhoff);

#endif
