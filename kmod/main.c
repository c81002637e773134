// SPDX-License-Identifier: GPL-2.0-only
/*
 * vpc.ko: the data plane of the VPC route system. This file is the ladder of init and exit steps, and nothing else.
 *
 * State is in tables/, packets are in datapath/, netlink in control/; see doc/architecture.md and doc/netlink.md.
 */
#include <linux/module.h>
#include <net/net_namespace.h>
#include "control/genl.h"
#include "datapath/datapath.h"
#include "datapath/recent.h"
#include "tables/vpc.h"

static int __net_init vpc_net_init(struct net *net)
{
	return vpc_net_tables_init(vpc_net(net), net);
}

/*
 * At a namespace's end its devices have gone already (device operations end before subsystems') and with them every
 * binding; when the module goes, no port is bound, or it could not go.
 */
static void __net_exit vpc_net_exit(struct net *net)
{
	struct vpc_net *vnet = vpc_net(net);

	vpc_netdev_detach_all(vnet);
	vpc_host_exit(vnet);
	vpc_net_tables_exit(vnet);
}

/* Nexthops hold routes of the namespace's underlay: they must be freed before the namespace itself is. */
static void __net_exit vpc_net_exit_batch(struct list_head *nets)
{
	vpc_tables_flush();
}

static struct pernet_operations vpc_net_ops = {
	.init = vpc_net_init,
	.exit = vpc_net_exit,
	.exit_batch = vpc_net_exit_batch,
	.id = &vpc_net_id,
	.size = sizeof(struct vpc_net),
};

static int __init vpc_module_init(void)
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
	err = register_pernet_subsys(&vpc_net_ops);
	if (err)
		goto err_recent;
	err = vpc_datapath_init();
	if (err)
		goto err_pernet;
	err = vpc_netdev_init();
	if (err)
		goto err_datapath;
	err = vpc_genl_init();
	if (err)
		goto err_netdev;
	return 0;

err_netdev:
	vpc_netdev_exit();
err_datapath:
	vpc_datapath_exit();
err_pernet:
	unregister_pernet_subsys(&vpc_net_ops);
err_recent:
	vpc_recent_exit();
err_tables:
	vpc_tables_exit();
err_caches:
	vpc_trie_exit_caches();
	return err;
}

static void __exit vpc_module_exit(void)
{
	vpc_genl_exit();
	vpc_netdev_exit();
	vpc_datapath_exit();
	/* Until here packets come in from the wire. */
	unregister_pernet_subsys(&vpc_net_ops);
	vpc_recent_exit();
	vpc_tables_exit();
	vpc_trie_exit_caches();
}

module_init(vpc_module_init);
module_exit(vpc_module_exit);

MODULE_DESCRIPTION("VPC route tables and VXLAN forwarding");
MODULE_VERSION(VPC_VERSION);
MODULE_LICENSE("GPL");
MODULE_ALIAS_GENL_FAMILY(VPC_GENL_NAME);
