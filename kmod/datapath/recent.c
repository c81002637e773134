// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of recent.h: small enough for a cache, too large for a module's static per-CPU variables.
 */
#include "recent.h"
#include "datapath.h"

#include <linux/workqueue.h>

struct vpc_recents __percpu *vpc_recents;

int vpc_recent_init(void)
{
	vpc_recents = __alloc_percpu(sizeof(*vpc_recents), __alignof__(*vpc_recents));
	return vpc_recents ? 0 : -ENOMEM;
}

void vpc_recent_exit(void)
{
	free_percpu(vpc_recents);
	vpc_recents = NULL;
}

/* Where the tables lead, to what packets may remember; NULL: nowhere, or to what they may not. */
static const struct vpc_nexthop *vpc_recent_way(const struct vpc_version *version, const struct vpc_recent *entry)
{
	const struct vpc_nexthop *nh = NULL;
	const struct vpc_table *table;
	u32 id = entry->where >> 8;
	u8 family = entry->where;

	/* A table, and the mapping. */
	do {
		table = vpc_version_table(version, nh ? 0 : id);
		if (!table)
			return NULL;
		nh = vpc_nhset_lookup(version->nexthops, vpc_trie_lookup(vpc_table_trie(table, family),
									  (const u8 *)entry->addr, NULL));
	} while (nh && nh->wire.type == VPC_NEXTHOP_LOCAL && table->id);
	return nh && vpc_nexthop_has_vtep(&nh->wire) ? nh : NULL;
}

struct vpc_recent_check {
	const struct vpc_version *version;
	const struct vpc_recents *recents;
};

/* Of one CPU. @arg->version is referenced; what entries lead to is compared and never looked at. */
static long vpc_recent_check(void *arg)
{
	const struct vpc_recent_check *check = arg;
	const struct vpc_recent *entry = check->recents->entry;
	bool sound = true;
	unsigned int i;

	local_bh_disable();
	for (i = 0; i < ARRAY_SIZE(check->recents->entry) && sound; i++, entry++)
		sound = READ_ONCE(entry->stamp) != check->version->stamp ||
			entry->nh == vpc_recent_way(check->version, entry);
	local_bh_enable();
	return sound;
}

bool vpc_recent_sound(const struct vpc_version *version)
{
	struct vpc_recent_check check = { .version = version };
	long sound;
	int cpu;

	for_each_possible_cpu(cpu) {
		check.recents = per_cpu_ptr(vpc_recents, cpu);
		if (vpc_recent_check(&check))
			continue;
		/* Perhaps being written: on that CPU nothing comes in between. One that is off writes none. */
		sound = work_on_cpu_safe(cpu, vpc_recent_check, &check);
		if (sound == -ENODEV)
			sound = vpc_recent_check(&check);
		if (sound != 1)
			return false;
		cond_resched();
	}
	return true;
}
