// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's state in a network namespace, without its netlink and devices. See netns.h.
 */
#include "netns.h"

#include <net/net_namespace.h>
#include "../../kmod/datapath/recent.h"

static struct pernet_operations netns_ops = {
	.id = &vpc_net_id,
	.size = sizeof(struct vpc_net),
};

int netns_suite_init(struct kunit_suite *suite)
{
	int err;

	err = vpc_trie_init_caches();
	if (err)
		return err;
	err = vpc_tables_init();
	if (err)
		goto err_caches;
	err = vpc_recent_init();
	if (err)
		goto err_tables;
	err = register_pernet_subsys(&netns_ops);
	if (err)
		goto err_recent;
	return 0;

err_recent:
	vpc_recent_exit();
err_tables:
	vpc_tables_exit();
err_caches:
	vpc_trie_exit_caches();
	return err;
}

void netns_suite_exit(struct kunit_suite *suite)
{
	unregister_pernet_subsys(&netns_ops);
	vpc_recent_exit();
	vpc_tables_exit();
	vpc_trie_exit_caches();
}

int netns_init(u32 vni, struct vpc_net **ret_vnet, struct vpc **ret_vpc)
{
	struct vpc_net *vnet = vpc_net(&init_net);
	int err;

	err = vpc_net_tables_init(vnet, &init_net);
	if (err)
		return err;
	mutex_lock(&vnet->lock);
	err = vpc_new(vnet, vni, 0, ret_vpc);
	mutex_unlock(&vnet->lock);
	if (err) {
		netns_exit(vnet);
		return err;
	}
	*ret_vnet = vnet;
	return 0;
}

void netns_exit(struct vpc_net *vnet)
{
	vpc_net_tables_exit(vnet);
	vpc_tables_flush();
	memset(vnet, 0, sizeof(*vnet));
}
