// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of recent.h: small enough for a cache, too large for a module's static per-CPU variables.
 */
#include "recent.h"
#include "datapath.h"

#include <linux/cpu.h>
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
	const u8 *addr = (const u8 *)entry->addr;
	u32 id = entry->where >> 8, addr4 = entry->addr[0];
	u8 family = entry->where;

	/* vpc_recent_key() widened it: its bytes are the last ones of a processor that begins with the highest. */
	if (family == AF_INET)
		addr = (const u8 *)&addr4;

	/* A table, and the mapping. */
	do {
		table = vpc_version_table(version, nh ? 0 : id);
		if (!table)
			return NULL;
		nh = vpc_nhset_lookup(version->nexthops, vpc_trie_lookup(vpc_table_trie(table, family), addr, NULL));
	} while (nh && nh->wire.type == VPC_NEXTHOP_LOCAL && table->id);
	return nh && vpc_nexthop_has_vtep(&nh->wire) ? nh : NULL;
}

struct vpc_recent_check {
	const struct vpc_version *version;
	const struct vpc_recents *recents;
};

/*
 * A copy, of what its CPU may be writing: pairs with vpc_recent_keep(). Each field is of some moment, not all of the
 * same: an entry that is found wrong may just be half of two.
 */
static struct vpc_recent vpc_recent_read(const struct vpc_recent *entry)
{
	return (struct vpc_recent){
		.stamp = READ_ONCE(entry->stamp),
		.where = READ_ONCE(entry->where),
		.addr = { READ_ONCE(entry->addr[0]), READ_ONCE(entry->addr[1]) },
		.nh = READ_ONCE(entry->nh),
	};
}

/* Of one CPU. @arg->version is referenced; what entries lead to is compared and never looked at. */
static long vpc_recent_check(void *arg)
{
	const struct vpc_recent_check *check = arg;
	struct vpc_recent entry;
	bool sound = true;
	unsigned int i;

	local_bh_disable();
	for (i = 0; i < ARRAY_SIZE(check->recents->entry) && sound; i++) {
		entry = vpc_recent_read(&check->recents->entry[i]);
		sound = entry.stamp != check->version->stamp || entry.nh == vpc_recent_way(check->version, &entry);
	}
	local_bh_enable();
	return sound;
}

/* Perhaps being written: on that CPU nothing comes in between. One that is off writes none, and stays off meanwhile. */
static bool vpc_recent_check_there(int cpu, struct vpc_recent_check *check)
{
	long sound;

	cpus_read_lock();
	sound = cpu_online(cpu) ? work_on_cpu(cpu, vpc_recent_check, check) : vpc_recent_check(check);
	cpus_read_unlock();
	return sound;
}

bool vpc_recent_sound(const struct vpc_version *version)
{
	struct vpc_recent_check check = { .version = version };
	int cpu;

	for_each_possible_cpu(cpu) {
		cond_resched();
		check.recents = per_cpu_ptr(vpc_recents, cpu);
		if (!vpc_recent_check(&check) && !vpc_recent_check_there(cpu, &check))
			return false;
	}
	return true;
}
