// SPDX-License-Identifier: GPL-2.0-only
/*
 * The underlay's routes to VTEPs. Each nexthop caches its own, per CPU; the cache follows the routing table, and what
 * ICMP tells about the path: the kernel then marks the cached route as stale, or changes its MTU in place. Called by
 * encap.c.
 */
#include "underlay.h"

#include <linux/net.h>
#include <net/dst_cache.h>
#include <net/ip6_fib.h>
#include <net/ipv6_stubs.h>
#include <net/route.h>
#include "port_rx.h"

/* NULL: not cached, or for another VTEP of ours. */
static struct dst_entry *vpc_underlay_cached(const struct vpc_host *host, struct dst_cache *cache, u8 family)
{
	struct in6_addr saddr6;
	struct dst_entry *dst;
	struct rtable *rt;
	__be32 saddr4;
	bool same;

	if (family == AF_INET6) {
		dst = dst_cache_get_ip6(cache, &saddr6);
		same = dst && ipv6_addr_equal(&saddr6, &host->vtep6);
	} else {
		rt = dst_cache_get_ip4(cache, &saddr4);
		dst = rt ? &rt->dst : NULL;
		same = dst && saddr4 == host->vtep4;
	}
	if (likely(same))
		return dst;
	dst_release(dst);
	return NULL;
}

static struct dst_entry *vpc_underlay_find_ipv4(struct net *net, const struct vpc_host *host, const u8 *vtep,
						struct dst_cache *cache)
{
	struct flowi4 fl4 = {
		.flowi4_proto = IPPROTO_UDP,
		.saddr = host->vtep4,
		.fl4_dport = host->udp_port,
	};
	struct rtable *rt;

	memcpy(&fl4.daddr, vtep, sizeof(fl4.daddr));
	rt = ip_route_output_key(net, &fl4);
	if (IS_ERR(rt))
		return NULL;
	dst_cache_set_ip4(cache, &rt->dst, host->vtep4);
	return &rt->dst;
}

static struct dst_entry *vpc_underlay_find_ipv6(struct net *net, const struct vpc_host *host, const u8 *vtep,
						struct dst_cache *cache)
{
	struct flowi6 fl6 = {
		.flowi6_proto = IPPROTO_UDP,
		.saddr = host->vtep6,
		.fl6_dport = host->udp_port,
	};
	struct dst_entry *dst;

	memcpy(&fl6.daddr, vtep, sizeof(fl6.daddr));
	dst = ipv6_stub->ipv6_dst_lookup_flow(net, host->sock6->sk, &fl6, NULL);
	if (IS_ERR(dst))
		return NULL;
	dst_cache_set_ip6(cache, dst, &host->vtep6);
	return dst;
}

enum vpc_drop vpc_underlay_route(const struct net *net, const struct vpc_host *host, const struct vpc_nexthop *nh,
				 struct dst_entry **ret_dst)
{
	/* The one thing in a published nexthop that changes: per CPU, with its own rules. */
	struct dst_cache *cache = (struct dst_cache *)&nh->dst_cache;
	bool ipv6 = nh->wire.family == AF_INET6;
	struct dst_entry *dst;

	if (unlikely(ipv6 ? !host->sock6 : !host->sock4))
		return VPC_DROP_NO_VTEP;
	dst = vpc_underlay_cached(host, cache, nh->wire.family);
	if (unlikely(!dst)) {
		vpc_nexthop_want_cache(nh);
		dst = ipv6 ? vpc_underlay_find_ipv6((struct net *)net, host, nh->wire.addr, cache)
			   : vpc_underlay_find_ipv4((struct net *)net, host, nh->wire.addr, cache);
	}
	if (unlikely(!dst))
		return VPC_DROP_NO_UNDERLAY;
	/*
	 * An underlay that runs through a guest would show it other guests' packets, or bring them back to us. Its
	 * device may have become a port since the route was cached.
	 */
	if (unlikely(vpc_dev_is_port(dst->dev))) {
		dst_release(dst);
		return VPC_DROP_NO_UNDERLAY;
	}
	*ret_dst = dst;
	return VPC_DROP_NONE;
}
