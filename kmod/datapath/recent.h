/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where packets went a moment ago: of each CPU's last destinations the nexthop that their routes ended at, so that the
 * next packet of a flow does without the lookups. Called by pipeline.c alone; explain never looks here, VERIFY does.
 *
 * An entry is good for the one version of one VPC that it was found in, known by a stamp that no other version ever has
 * or will have: who holds that version holds the nexthop, and nothing has to be taken out when tables change. What
 * depends on anything else is not kept: a group's member, another VPC's tables after a peering.
 */
#ifndef VPC_RECENT_H
#define VPC_RECENT_H

#include <linux/hash.h>
#include <linux/percpu.h>
#include "pipeline.h"

#define VPC_RECENT_BITS	6	/* 4 KiB a CPU, of a first level cache of 32 */

/* @stamp 0 is no version's. */
struct vpc_recent {
	u64 stamp;
	u64 where;		/* table and family */
	u64 addr[2];
	const struct vpc_nexthop *nh;
} __aligned(64);

struct vpc_recents {
	struct vpc_recent entry[1 << VPC_RECENT_BITS];
};

extern struct vpc_recents __percpu *vpc_recents;

int vpc_recent_init(void);	/* module init, before the first packet; 0 or -ENOMEM */
void vpc_recent_exit(void);	/* after the last one */

/* The key of a lookup, all but the nexthop. */
static inline struct vpc_recent vpc_recent_key(const struct vpc_flow *flow, u32 table)
{
	struct vpc_recent key = { .stamp = flow->version->stamp, .where = (u64)table << 8 | flow->family };

	if (flow->family == AF_INET6) {
		key.addr[0] = get_unaligned((const u64 *)flow->daddr);
		key.addr[1] = get_unaligned((const u64 *)(flow->daddr + 8));
	} else {
		key.addr[0] = get_unaligned((const u32 *)flow->daddr);
	}
	return key;
}

/* Bottom halves off: nobody else of this CPU comes in between. */
static inline struct vpc_recent *vpc_recent_entry(const struct vpc_recent *key)
{
	return &this_cpu_ptr(vpc_recents)->entry[hash_64(key->addr[0] ^ key->addr[1] ^ key->where, VPC_RECENT_BITS)];
}

/* NULL: look it up. Plain reads: who writes is this CPU, and bottom halves are off. */
static inline const struct vpc_nexthop *vpc_recent_find(const struct vpc_recent *key)
{
	const struct vpc_recent *entry = vpc_recent_entry(key);

	if ((entry->stamp ^ key->stamp) | (entry->where ^ key->where) | (entry->addr[0] ^ key->addr[0]) |
	    (entry->addr[1] ^ key->addr[1]))
		return NULL;
	return entry->nh;
}

static inline void vpc_recent_keep(const struct vpc_recent *key, const struct vpc_nexthop *nh)
{
	struct vpc_recent *entry = vpc_recent_entry(key);

	/*
	 * VERIFY reads it from another CPU at any moment. No barriers: it follows no pointer, so @nh is not published
	 * here (the version did that), and what it finds half written it looks at again where nobody writes.
	 */
	WRITE_ONCE(entry->stamp, key->stamp);
	WRITE_ONCE(entry->where, key->where);
	WRITE_ONCE(entry->addr[0], key->addr[0]);
	WRITE_ONCE(entry->addr[1], key->addr[1]);
	WRITE_ONCE(entry->nh, nh);
}

#endif
