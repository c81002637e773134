// SPDX-License-Identifier: GPL-2.0-only
/*
 * See sources.h. One walk over the set counts, a second one fills in.
 */
#include "sources.h"
#include "mem.h"
#include "nexthop.h"

#include <linux/hash.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <net/ipv6.h>
#include "../compat.h"

/* Each boot has its own unlucky addresses. They are VTEPs, which the operator chooses. */
static u32 vpc_sources_seed __read_mostly;

void vpc_sources_init(void)
{
	vpc_sources_seed = get_random_u32();
}

static size_t vpc_sources_size(u32 slots4, u32 slots6, u32 peers)
{
	struct vpc_sources *sources;

	return struct_size(sources, addr4, slots4) + slots6 * sizeof(struct in6_addr) + peers * sizeof(u32);
}

size_t vpc_sources_memory(const struct vpc_sources *sources)
{
	if (!sources)
		return 0;
	return vpc_mem_size(sources, vpc_sources_size(sources->slots4, sources->slots6, sources->n_peers));
}

void vpc_sources_get(struct vpc_sources *sources)
{
	if (sources)
		refcount_inc(&sources->refs);
}

void vpc_sources_put(struct vpc_sources *sources)
{
	if (sources && refcount_dec_and_test(&sources->refs))
		kvfree(sources);
}

static u32 vpc_sources_find4(const struct vpc_sources *sources, __be32 addr)
{
	u32 i = reciprocal_scale(hash_32((__force u32)addr ^ vpc_sources_seed, 32), sources->slots4);

	while (sources->addr4[i] && sources->addr4[i] != addr)
		i = i + 1 < sources->slots4 ? i + 1 : 0;
	return i;
}

static u32 vpc_sources_find6(const struct vpc_sources *sources, const struct in6_addr *addr)
{
	u32 i = reciprocal_scale(__ipv6_addr_jhash(addr, vpc_sources_seed), sources->slots6);

	while (!ipv6_addr_any(&sources->addr6[i]) && !ipv6_addr_equal(&sources->addr6[i], addr))
		i = i + 1 < sources->slots6 ? i + 1 : 0;
	return i;
}

bool vpc_sources_has_vtep(const struct vpc_sources *sources, u8 family, const u8 *addr)
{
	struct in6_addr addr6;
	__be32 addr4;

	if (!sources)
		return false;
	if (likely(family == AF_INET)) {
		addr4 = get_unaligned((const __be32 *)addr);
		return addr4 && sources->addr4[vpc_sources_find4(sources, addr4)];
	}
	if (!sources->slots6)
		return false;
	memcpy(&addr6, addr, sizeof(addr6));
	return !ipv6_addr_any(&addr6) && !ipv6_addr_any(&sources->addr6[vpc_sources_find6(sources, &addr6)]);
}

static void vpc_sources_add(struct vpc_sources *sources, const struct vpc_nl_nexthop *nh)
{
	struct in6_addr addr6;
	__be32 addr4;

	if (nh->type == VPC_NEXTHOP_PEER) {
		sources->peers[sources->n_peers++] = nh->vni;
	} else if (vpc_nexthop_has_vtep(nh) && nh->family == AF_INET) {
		memcpy(&addr4, nh->addr, sizeof(addr4));
		sources->addr4[vpc_sources_find4(sources, addr4)] = addr4;
	} else if (vpc_nexthop_has_vtep(nh)) {
		memcpy(&addr6, nh->addr, sizeof(addr6));
		sources->addr6[vpc_sources_find6(sources, &addr6)] = addr6;
	}
}

static int vpc_sources_cmp(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return (x > y) - (x < y);
}

static void vpc_sources_sort_peers(struct vpc_sources *sources)
{
	u32 i, n = 0;

	sort(sources->peers, sources->n_peers, sizeof(u32), vpc_sources_cmp, NULL);
	for (i = 0; i < sources->n_peers; i++) {
		if (!n || sources->peers[n - 1] != sources->peers[i])
			sources->peers[n++] = sources->peers[i];
	}
	sources->n_peers = n;
}

/* The fewest that hold @n with a quarter to spare and always an empty one; even, so that what follows is aligned. */
static u32 vpc_sources_slots(u32 n)
{
	return round_up(n + n / 3 + 1, 2);
}

static struct vpc_sources *vpc_sources_alloc(u32 n4, u32 n6, u32 peers)
{
	u32 slots4 = vpc_sources_slots(n4), slots6 = n6 ? vpc_sources_slots(n6) : 0;
	struct vpc_sources *sources;

	sources = kvzalloc(vpc_sources_size(slots4, slots6, peers), GFP_KERNEL_ACCOUNT);
	if (!sources)
		return NULL;
	refcount_set(&sources->refs, 1);
	sources->slots4 = slots4;
	sources->slots6 = slots6;
	sources->addr6 = (struct in6_addr *)(sources->addr4 + slots4);
	sources->peers = (u32 *)(sources->addr6 + slots6);
	return sources;
}

int vpc_sources_new(const struct vpc_nhset *set, struct vpc_sources **ret_sources)
{
	struct vpc_sources *sources = NULL;
	u32 n4 = 0, n6 = 0, peers = 0, pos;
	const struct vpc_nexthop *nh;

	for (pos = 0; (nh = vpc_nhset_at(set, &pos)); cond_resched()) {
		peers += nh->wire.type == VPC_NEXTHOP_PEER;
		n4 += vpc_nexthop_has_vtep(&nh->wire) && nh->wire.family == AF_INET;
		n6 += vpc_nexthop_has_vtep(&nh->wire) && nh->wire.family == AF_INET6;
	}
	if (n4 || n6 || peers) {
		sources = vpc_sources_alloc(n4, n6, peers);
		if (!sources)
			return -ENOMEM;
		for (pos = 0; (nh = vpc_nhset_at(set, &pos)); cond_resched())
			vpc_sources_add(sources, &nh->wire);
		vpc_sources_sort_peers(sources);
	}
	*ret_sources = sources;
	return 0;
}
