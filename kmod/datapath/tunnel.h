/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ways into the tunnel, which host.c gives to its sockets: packets and ICMP errors (tunnel.c), GRO (tunnel_gro.c).
 * ingress.c calls vpc_tunnel_rcv() too, past the sockets.
 */
#ifndef VPC_TUNNEL_H
#define VPC_TUNNEL_H

#include <linux/skbuff.h>
#include "../tables/vpc.h"

struct sock;

/**
 * vpc_tunnel_rcv() - a VXLAN packet for this host
 * @family: of the outer header, which is the skb's network header; valid, its checksums verified
 * @skb: data at the UDP header; it is consumed
 *
 * Under RCU, bottom halves off.
 */
void vpc_tunnel_rcv(struct vpc_net *vnet, u8 family, struct sk_buff *skb);

/* As struct udp_sock wants them; the socket's sk_user_data is the struct vpc_net. Always 0: the skb is consumed. */
int vpc_tunnel_encap_rcv(struct sock *sk, struct sk_buff *skb);
/*
 * An ICMP error came about a packet that we seem to have sent: network and transport header of @skb are those of the
 * quoted packet. 0: it is ours, the kernel may learn the path's MTU from it.
 */
int vpc_tunnel_err_lookup(struct sock *sk, struct sk_buff *skb);
/* From NAPI, under RCU. GRO owns the skbs. */
struct sk_buff *vpc_tunnel_gro_receive(struct sock *sk, struct list_head *head, struct sk_buff *skb);
int vpc_tunnel_gro_complete(struct sock *sk, struct sk_buff *skb, int nhoff);

#endif
