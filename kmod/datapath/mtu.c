// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes of an IP packet that is too long for its way: packet.c and encap.c call vpc_mtu_split() when
 * vpc_mtu_fits() says no. IPv4 without Don't Fragment is fragmented (RFC 791); for all else the sender is told.
 *
 * The kernel's own fragmentation (ip_do_fragment()) works on a route and its device, which a packet between two ports
 * has not. This one copies: it is for few packets, and leaves what it was given untouched until it has succeeded.
 */
#include "mtu.h"

#include <linux/if_ether.h>
#include <net/ip.h>
#include "icmp.h"

/* In front of a fragment, for Ethernet and the tunnel's headers. */
#define VPC_MTU_HEADROOM 128

/* A list of skbs under construction. */
struct vpc_mtu_list {
	struct sk_buff *head;
	struct sk_buff **tail;
};

static void vpc_mtu_list_add(struct vpc_mtu_list *list, struct sk_buff *skb)
{
	skb_mark_not_on_list(skb);
	*list->tail = skb;
	list->tail = &skb->next;
}

/* Options that the RFC does not want in every fragment become no-operations: the header keeps its length. */
static void vpc_mtu_blank_options(u8 *options, unsigned int len)
{
	unsigned int i = 0, n;

	while (i < len && options[i] != IPOPT_END) {
		if (options[i] == IPOPT_NOOP) {
			i++;
			continue;
		}
		/* One that contradicts the header's length: it is the receiver's to refuse, and copied as it is. */
		if (i + 1 >= len || options[i + 1] < 2 || options[i + 1] > len - i)
			return;
		n = options[i + 1];
		if (!IPOPT_COPIED(options[i]))
			memset(options + i, IPOPT_NOOP, n);
		i += n;
	}
}

/* The fragment with @len bytes of payload from @offset on. NULL: out of memory. */
static struct sk_buff *vpc_mtu_fragment(const struct sk_buff *skb, unsigned int offset, unsigned int len)
{
	const struct iphdr *whole = (const struct iphdr *)skb->data;
	unsigned int hlen = whole->ihl * 4;
	struct sk_buff *frag = alloc_skb(VPC_MTU_HEADROOM + hlen + len, GFP_ATOMIC);
	struct iphdr *iph;
	u16 flags;

	if (!frag)
		return NULL;
	skb_reserve(frag, VPC_MTU_HEADROOM);
	iph = skb_put_data(frag, whole, hlen);
	if (skb_copy_bits(skb, hlen + offset, skb_put(frag, len), len)) {
		kfree_skb(frag);
		return NULL;
	}
	if (offset)
		vpc_mtu_blank_options((u8 *)(iph + 1), hlen - sizeof(*iph));
	/* What is fragmented may be a fragment itself, and then not the last. */
	flags = ntohs(whole->frag_off) + offset / 8;
	if (hlen + offset + len < skb->len)
		flags |= IP_MF;
	iph->frag_off = htons(flags);
	iph->tot_len = htons(hlen + len);
	ip_send_check(iph);
	skb_reset_network_header(frag);
	skb_set_transport_header(frag, hlen);
	skb_copy_hash(frag, skb);
	frag->protocol = skb->protocol;
	frag->dev = skb->dev;
	frag->priority = skb->priority;
	frag->mark = skb->mark;
	return frag;
}

/* Appends @skb's fragments, and @skb is consumed; or fails, and it stays the caller's. */
static enum vpc_drop vpc_mtu_cut(struct sk_buff *skb, unsigned int mtu, struct vpc_mtu_list *list)
{
	unsigned int hlen = ip_hdrlen(skb), payload = skb->len - hlen, offset, room;
	struct sk_buff *frag;

	/* A fragment that reaches beyond the longest packet: its pieces' offsets would overflow. */
	if ((ntohs(ip_hdr(skb)->frag_off) & IP_OFFSET) * 8 + skb->len > IP_MAX_MTU)
		return VPC_DROP_MALFORMED;
	/* RFC 791: every link carries 68 bytes. */
	if (mtu < 68)
		return VPC_DROP_TOO_BIG;
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		return VPC_DROP_NOMEM;
	room = (mtu - hlen) & ~7U;
	for (offset = 0; offset < payload; offset += room) {
		frag = vpc_mtu_fragment(skb, offset, min(room, payload - offset));
		if (!frag)
			return VPC_DROP_NOMEM;
		vpc_mtu_list_add(list, frag);
	}
	consume_skb(skb);
	return VPC_DROP_NONE;
}

/* What a guest's device would have sent if it had no offloads. Fails with the skb still the caller's. */
static enum vpc_drop vpc_mtu_segment(struct sk_buff *skb, unsigned int mtu, struct vpc_mtu_list *list)
{
	struct sk_buff *segs, *seg, *next;
	enum vpc_drop reason = VPC_DROP_NONE;

	segs = skb_gso_segment(skb, NETIF_F_SG);
	if (IS_ERR_OR_NULL(segs))
		return PTR_ERR(segs) == -ENOMEM ? VPC_DROP_NOMEM : VPC_DROP_MALFORMED;
	skb_list_walk_safe(segs, seg, next) {
		skb_mark_not_on_list(seg);
		if (!reason && seg->len > mtu) {
			reason = vpc_mtu_cut(seg, mtu, list);
			if (reason)
				kfree_skb(seg);
		} else if (!reason) {
			vpc_mtu_list_add(list, seg);
		} else {
			kfree_skb(seg);
		}
	}
	if (!reason)
		consume_skb(skb);
	return reason;
}

enum vpc_drop vpc_mtu_split(struct sk_buff *skb, const struct vpc_flow *flow, struct vpc_port *port, unsigned int mtu,
			    struct sk_buff **ret_list)
{
	struct vpc_mtu_list list = { .tail = &list.head };
	enum vpc_drop reason;

	if (skb->protocol != htons(ETH_P_IP) || ip_hdr(skb)->frag_off & htons(IP_DF)) {
		vpc_icmp_error(skb, flow, port, VPC_DROP_TOO_BIG, mtu);
		return VPC_DROP_TOO_BIG;
	}
	reason = skb_is_gso(skb) ? vpc_mtu_segment(skb, mtu, &list) : vpc_mtu_cut(skb, mtu, &list);
	if (reason) {
		kfree_skb_list(list.head);
		return reason;
	}
	*ret_list = list.head;
	return VPC_DROP_NONE;
}
