// SPDX-License-Identifier: GPL-2.0-only
/*
 * The other peer: a map of BPF's, BPF_MAP_TYPE_LPM_TRIE, with the same routes. It is made by bpf()'s own way in for the
 * kernel's modules, which answers with a descriptor of insmod's, and filled and asked by the functions that bpf() and
 * programs of BPF's end in.
 */
#include "bench.h"

#include <linux/bpf.h>
#include <linux/fdtable.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

/* Exported, but in no header. */
int kern_sys_bpf(int cmd, union bpf_attr *attr, unsigned int size);

static u8 bench_lpm_bytes(const struct bench_table *table)
{
	return table->family == AF_INET6 ? 16 : 4;
}

static int bench_lpm_new(struct bench_table *table)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_LPM_TRIE,
		.key_size = offsetof(struct bench_lpm_key, addr) + bench_lpm_bytes(table),
		.value_size = sizeof(u32),
		.max_entries = table->n,
		.map_flags = BPF_F_NO_PREALLOC,
		.map_name = "vpc_bench",
	};
	struct bpf_map *map;
	int fd;

	fd = kern_sys_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
	if (fd < 0)
		return fd;
	/* The map lives on by our own reference. */
	map = bpf_map_get(fd);
	close_fd(fd);
	if (IS_ERR(map))
		return PTR_ERR(map);
	table->lpm = map;
	return 0;
}

static int bench_lpm_add(struct bench_table *table, const struct bench_route *route)
{
	u32 value = bench_lpm_value(route->value, route->plen);
	struct bench_lpm_key key = { .plen = route->plen };
	int err;

	memcpy(key.addr, route->addr, bench_lpm_bytes(table));
	rcu_read_lock();
	err = table->lpm->ops->map_update_elem(table->lpm, &key, &value, BPF_NOEXIST);
	rcu_read_unlock();
	return err;
}

int bench_lpm_build(struct bench_table *table)
{
	int err;
	u32 i;

	err = bench_lpm_new(table);
	for (i = 0; i < table->n && !err; i++) {
		err = bench_lpm_add(table, &table->route[i]);
		cond_resched();
	}
	return err;
}

void bench_lpm_free(struct bench_table *table)
{
	if (!table->lpm)
		return;
	bpf_map_put(table->lpm);
	table->lpm = NULL;
	/* Its memory is given back by others, on this queue; whoever weighs memory next has to find it gone. */
	__flush_workqueue(system_unbound_wq);
}
