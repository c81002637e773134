// SPDX-License-Identifier: GPL-2.0-only
/*
 * One peer: Linux's own FIB with the same routes. Two functions that fill it are not exported; tables.sh reads their
 * addresses from /proc/kallsyms and passes them as parameters.
 */
#include "bench.h"

#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <net/ip6_route.h>
#include <net/ipv6_stubs.h>

static ulong fib_table_insert_at;
module_param(fib_table_insert_at, ulong, 0);
MODULE_PARM_DESC(fib_table_insert_at, "address of fib_table_insert()");
static ulong ip6_route_add_at;
module_param(ip6_route_add_at, ulong, 0);
MODULE_PARM_DESC(ip6_route_add_at, "address of ip6_route_add()");

static int bench_fib4_add(struct fib_table *fib, const struct bench_route *route)
{
	int (*insert)(struct net * net, struct fib_table * fib, struct fib_config * config,
		      struct netlink_ext_ack * extack) = (void *)fib_table_insert_at;
	struct fib_config config = {
		.fc_dst_len = route->plen,
		.fc_protocol = RTPROT_STATIC,
		.fc_scope = RT_SCOPE_LINK,
		.fc_type = RTN_UNICAST,
		.fc_table = fib->tb_id,
		.fc_oif = init_net.loopback_dev->ifindex,
		.fc_nlflags = NLM_F_CREATE,
		.fc_nlinfo.nl_net = &init_net,
	};

	memcpy(&config.fc_dst, route->addr, sizeof(config.fc_dst));
	return insert(&init_net, fib, &config, NULL);
}

static int bench_fib6_add(u32 id, const struct bench_route *route)
{
	int (*add)(struct fib6_config * config, gfp_t gfp, struct netlink_ext_ack * extack) = (void *)ip6_route_add_at;
	struct fib6_config config = {
		.fc_table = id,
		.fc_metric = IP6_RT_PRIO_USER,
		.fc_dst_len = route->plen,
		.fc_ifindex = init_net.loopback_dev->ifindex,
		.fc_flags = RTF_UP,
		.fc_protocol = RTPROT_STATIC,
		.fc_type = RTN_UNICAST,
		.fc_nlinfo.nl_net = &init_net,
	};

	memcpy(&config.fc_dst, route->addr, sizeof(config.fc_dst));
	return add(&config, GFP_KERNEL, NULL);
}

int bench_fib_build(struct bench_table *table, u32 id)
{
	bool v6 = table->family == AF_INET6;
	int err = 0;
	u32 i;

	if (!fib_table_insert_at || !ip6_route_add_at)
		return -EINVAL;
	rtnl_lock();
	if (!v6)
		table->fib4 = fib_new_table(&init_net, id);
	for (i = 0; i < table->n && !err; i++) {
		if (v6)
			err = bench_fib6_add(id, &table->route[i]);
		else
			err = table->fib4 ? bench_fib4_add(table->fib4, &table->route[i]) : -ENOMEM;
		/* A table may name a prefix twice. */
		if (err == -EEXIST)
			err = 0;
		cond_resched();
	}
	rtnl_unlock();
	if (v6)
		table->fib6 = ipv6_stub->fib6_get_table(&init_net, id);
	return err;
}
