// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receive offload for the tunnel: the underlay device's GRO calls in here through the tunnel's UDP socket, so that TCP
 * segments of one inner flow are merged before tunnel.c sees them. Only the VXLAN header is ours, the kernel's Ethernet
 * GRO does all behind it.
 */
#include "tunnel.h"

#include <linux/etherdevice.h>
#include <net/gro.h>
#include <net/vxlan.h>

struct sk_buff *vpc_tunnel_gro_receive(struct sock *sk, struct list_head *head, struct sk_buff *skb)
{
	unsigned int offset = skb_gro_offset(skb);
	const struct vxlanhdr *vxh, *other;
	struct sk_buff *p, *pp = NULL;
	int flush = 1;

	vxh = skb_gro_header(skb, offset + sizeof(*vxh), offset);
	if (unlikely(!vxh))
		goto out;
	skb_gro_postpull_rcsum(skb, vxh, sizeof(*vxh));
	skb_gro_pull(skb, sizeof(*vxh));

	list_for_each_entry(p, head, list) {
		if (!NAPI_GRO_CB(p)->same_flow)
			continue;
		/* Equal to the last bit, the reserved ones included: one header will speak for both. */
		other = (const struct vxlanhdr *)(p->data + offset);
		if (vxh->vx_flags != other->vx_flags || vxh->vx_vni != other->vx_vni)
			NAPI_GRO_CB(p)->same_flow = 0;
	}
	pp = call_gro_receive(eth_gro_receive, head, skb);
	flush = 0;
out:
	skb_gro_flush_final(skb, pp, flush);
	return pp;
}

int vpc_tunnel_gro_complete(struct sock *sk, struct sk_buff *skb, int nhoff)
{
	return eth_gro_complete(skb, nhoff + sizeof(struct vxlanhdr));
}
