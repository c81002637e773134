// SPDX-License-Identifier: GPL-2.0-only
/*
 * The underlay's routes to VTEPs. Each nexthop caches its own, per CPU; the cache follows the routing table, and what
 * ICMP tells about the path: the kernel then marks the cached route as stale, or changes its MTU in place. Called by
 * encap.c.
 */
#include "underlay.h"

#include <linux/bpf-cgroup.h>
#include <linux/moduleparam.h>
#include <linux/net.h>
#include <linux/netfilter.h>
#include <net/ip6_fib.h>
#include <net/ip.h>
#include <net/ipv6_stubs.h>
#include <net/route.h>
#include "port_rx.h"

static bool vpc_underlay_direct = true;
module_param_named(egress, vpc_underlay_direct, bool, 0644);
MODULE_PARM_DESC(egress, "hand tunnel packets straight to the underlay's neighbour, past IP output, where no firewall, "
			 "IPsec policy, VRF or control group's BPF program wants them (default: on)");

/* Ours, as a hop remembers it. */
static struct in6_addr vpc_underlay_saddr(const struct vpc_host *host, u8 family)
{
	struct in6_addr saddr;

	if (family == AF_INET6)
		return host->vtep6;
	ipv6_addr_set_v4mapped(host->vtep4, &saddr);
	return saddr;
}

/* NULL: none, one that no longer leads there, or one for another VTEP of ours. */
static struct dst_entry *vpc_underlay_cached(const struct vpc_hop __percpu *hops, const struct in6_addr *saddr)
{
	const struct vpc_hop *hop;
	struct dst_entry *dst;

	if (unlikely(!hops))
		return NULL;
	hop = this_cpu_ptr(hops);
	dst = hop->dst;
	if (unlikely(!dst || !ipv6_addr_equal(&hop->saddr, saddr)))
		return NULL;
	return dst->obsolete && !dst->ops->check(dst, hop->cookie) ? NULL : dst;
}

/* Takes over the caller's reference to @dst, which stays valid in this RCU section. */
static void vpc_underlay_cache(struct vpc_hop __percpu *hops, const struct in6_addr *saddr, struct dst_entry *dst,
			       u32 cookie)
{
	struct vpc_hop *hop;

	if (unlikely(!hops)) {
		dst_release(dst);
		return;
	}
	hop = this_cpu_ptr(hops);
	dst_release(hop->dst);
	*hop = (struct vpc_hop){ .dst = dst, .cookie = cookie, .saddr = *saddr };
}

/* A reference, or NULL. */
static struct dst_entry *vpc_underlay_find_ipv4(struct net *net, const struct vpc_host *host, const u8 *vtep)
{
	struct flowi4 fl4 = {
		.flowi4_proto = IPPROTO_UDP,
		.saddr = host->vtep4,
		.daddr = get_unaligned((const __be32 *)vtep),
		.fl4_dport = host->udp_port,
	};
	struct rtable *rt = ip_route_output_key(net, &fl4);

	return IS_ERR(rt) ? NULL : &rt->dst;
}

/* The same. */
static struct dst_entry *vpc_underlay_find_ipv6(struct net *net, const struct vpc_host *host, const u8 *vtep)
{
	struct flowi6 fl6 = {
		.flowi6_proto = IPPROTO_UDP,
		.saddr = host->vtep6,
		.fl6_dport = host->udp_port,
	};
	struct dst_entry *dst;

	memcpy(&fl6.daddr, vtep, sizeof(fl6.daddr));
	dst = ipv6_stub->ipv6_dst_lookup_flow(net, host->sock6->sk, &fl6, NULL);
	return IS_ERR(dst) ? NULL : dst;
}

static noinline struct dst_entry *vpc_underlay_find(const struct net *net, const struct vpc_host *host,
						    const struct vpc_nexthop *nh, const struct in6_addr *saddr)
{
	bool ipv6 = nh->wire.family == AF_INET6;
	struct dst_entry *dst;
	u32 cookie = 0;

	dst = ipv6 ? vpc_underlay_find_ipv6((struct net *)net, host, nh->wire.addr)
		   : vpc_underlay_find_ipv4((struct net *)net, host, nh->wire.addr);
	if (!dst)
		return NULL;
	if (ipv6)
		cookie = rt6_get_cookie((struct rt6_info *)dst);
	vpc_nexthop_want_cache(nh);
	vpc_underlay_cache(READ_ONCE(nh->hops), saddr, dst, cookie);
	return dst;
}

enum vpc_drop vpc_underlay_route(const struct net *net, const struct vpc_host *host, const struct vpc_nexthop *nh,
				 struct dst_entry **ret_dst)
{
	struct in6_addr saddr = vpc_underlay_saddr(host, nh->wire.family);
	struct dst_entry *dst;

	if (unlikely(nh->wire.family == AF_INET6 ? !host->sock6 : !host->sock4))
		return VPC_DROP_NO_VTEP;
	dst = vpc_underlay_cached(READ_ONCE(nh->hops), &saddr);
	if (unlikely(!dst))
		dst = vpc_underlay_find(net, host, nh, &saddr);
	if (unlikely(!dst))
		return VPC_DROP_NO_UNDERLAY;
	/*
	 * An underlay that runs through a guest would show it other guests' packets, or bring them back to us. Its
	 * device may have become a port since the route was cached.
	 */
	if (unlikely(vpc_dev_is_port(dst->dev)))
		return VPC_DROP_NO_UNDERLAY;
	*ret_dst = dst;
	return VPC_DROP_NONE;
}

/* -- the short way out --------------------------------------------------------------------------------------------- */

static bool vpc_underlay_is_hooked(const struct net *net)
{
#ifdef CONFIG_NETFILTER
	if (rcu_access_pointer(net->nf.hooks_ipv4[NF_INET_LOCAL_OUT]) ||
	    rcu_access_pointer(net->nf.hooks_ipv4[NF_INET_POST_ROUTING]))
		return true;
#endif
#ifdef CONFIG_CGROUP_BPF
	if (cgroup_bpf_enabled(CGROUP_INET_EGRESS))
		return true;
#endif
	return false;
}

bool vpc_underlay_is_direct(const struct net *net, const struct dst_entry *dst)
{
	/* IPsec, multicast and the like have an output of their own. */
	return READ_ONCE(vpc_underlay_direct) && dst->output == ip_output && !dst->lwtstate &&
	       !netif_is_l3_slave(dst->dev) && !vpc_underlay_is_hooked(net);
}

void vpc_underlay_xmit_ipv4(struct sk_buff *skb)
{
	struct rtable *rt = skb_rtable(skb);
	struct neighbour *neigh;
	bool is_v6gw = false;

	skb->dev = rt->dst.dev;
	skb->protocol = htons(ETH_P_IP);
	neigh = ip_neigh_for_gw(rt, skb, &is_v6gw);
	if (likely(!IS_ERR(neigh)))
		neigh_output(neigh, skb, is_v6gw);
	else
		kfree_skb_reason(skb, SKB_DROP_REASON_NEIGH_CREATEFAIL);
}
