// SPDX-License-Identifier: GPL-2.0-only
/*
 * Router advertisements: what tells an IPv6 guest its default router, its MTU and its subnet's prefix. nd.c sends them
 * in answer to a solicitation. Guests solicit when their link comes up and forget a router after its lifetime, so one
 * delayed work of the module goes round all ports of all namespaces before that time is over.
 *
 * A prefix is never announced as on-link: all traffic goes through the router. It is announced for autoconfiguration
 * only where the address that a guest would form is the port's: others would be stopped by the source check.
 */
#include "ra.h"

#include <linux/random.h>
#include <linux/workqueue.h>
#include <net/addrconf.h>
#include <net/ndisc.h>
#include <net/net_namespace.h>
#include "../tables/vpc.h"
#include "craft.h"
#include "packet.h"

/* RFC 4861 6.2.1, 6.2.4 and 10: the defaults for a router, times in seconds. */
#define VPC_RA_LIFETIME		1800
#define VPC_RA_INTERVAL_MIN	200
#define VPC_RA_INTERVAL_MAX	600
#define VPC_RA_INITIAL_INTERVAL 16
#define VPC_RA_INITIAL_COUNT	3
#define VPC_RA_VALID		2592000
#define VPC_RA_PREFERRED	604800
#define VPC_RA_HOP_LIMIT	64

static const struct in6_addr vpc_all_nodes = IN6ADDR_LINKLOCAL_ALLNODES_INIT;

struct vpc_ra_lladdr {
	u8 type;
	u8 len;
	u8 mac[ETH_ALEN];
};

struct vpc_ra_mtu {
	u8 type;
	u8 len;
	__be16 reserved;
	__be32 mtu;
};

static bool vpc_ra_has_ipv6(const struct vpc_port_conf *conf)
{
	u32 i;

	if (conf->subnet6.family || !ipv6_addr_any(&conf->gateway6))
		return true;
	for (i = 0; i < conf->n_addrs; i++) {
		if (conf->addrs[i].family == AF_INET6)
			return true;
	}
	return false;
}

/* Whether the addresses that a guest forms from its subnet's prefix (RFC 4862 5.5.3: 64 bits) are its own. */
static bool vpc_ra_is_autonomous(const struct vpc_port_conf *conf)
{
	struct in6_addr subnet, own;
	u32 i;

	if (conf->subnet6.plen != 64)
		return false;
	memcpy(&subnet, conf->subnet6.addr, sizeof(subnet));
	for (i = 0; i < conf->n_addrs; i++) {
		memcpy(&own, conf->addrs[i].addr, sizeof(own));
		if (conf->addrs[i].family == AF_INET6 && conf->addrs[i].plen <= conf->subnet6.plen &&
		    ipv6_prefix_equal(&own, &subnet, conf->addrs[i].plen))
			return true;
	}
	addrconf_addr_eui48(subnet.s6_addr + 8, (const char *)conf->mac);
	return vpc_port_conf_owns(conf, AF_INET6, subnet.s6_addr);
}

static void vpc_ra_put_prefix(struct sk_buff *skb, const struct vpc_port_conf *conf)
{
	struct prefix_info *info = skb_put_zero(skb, sizeof(*info));

	info->type = ND_OPT_PREFIX_INFO;
	info->length = sizeof(*info) / 8;
	info->prefix_len = conf->subnet6.plen;
	info->autoconf = vpc_ra_is_autonomous(conf);
	info->valid = htonl(VPC_RA_VALID);
	info->prefered = htonl(VPC_RA_PREFERRED);
	memcpy(&info->prefix, conf->subnet6.addr, sizeof(info->prefix));
}

static struct sk_buff *vpc_ra_build(const struct vpc_port *port, const struct vpc_port_conf *conf, unsigned int mtu)
{
	struct sk_buff *skb = vpc_craft_new(port, sizeof(struct ra_msg) + sizeof(struct vpc_ra_lladdr) +
							  sizeof(struct vpc_ra_mtu) + sizeof(struct prefix_info));
	struct vpc_ra_lladdr *lladdr;
	struct vpc_ra_mtu *option;
	struct ra_msg *msg;

	if (!skb)
		return NULL;
	msg = skb_put_zero(skb, sizeof(*msg));
	msg->icmph.icmp6_type = NDISC_ROUTER_ADVERTISEMENT;
	msg->icmph.icmp6_hop_limit = VPC_RA_HOP_LIMIT;
	msg->icmph.icmp6_rt_lifetime = htons(VPC_RA_LIFETIME);
	lladdr = skb_put(skb, sizeof(*lladdr));
	lladdr->type = ND_OPT_SOURCE_LL_ADDR;
	lladdr->len = sizeof(*lladdr) / 8;
	memcpy(lladdr->mac, vpc_router_mac, ETH_ALEN);
	/* RFC 8200: no IPv6 link is narrower. */
	if (mtu >= IPV6_MIN_MTU) {
		option = skb_put_zero(skb, sizeof(*option));
		option->type = ND_OPT_MTU;
		option->len = sizeof(*option) / 8;
		option->mtu = htonl(mtu);
	}
	if (conf->subnet6.family)
		vpc_ra_put_prefix(skb, conf);
	return skb;
}

void vpc_ra_send(struct vpc_port *port, const struct in6_addr *daddr)
{
	const struct vpc_port_conf *conf = rcu_dereference(port->conf);
	const struct net_device *dev = rcu_dereference(port->dev);
	u8 dmac[ETH_ALEN];
	struct sk_buff *skb;

	if (!dev || !vpc_ra_has_ipv6(conf))
		return;
	skb = vpc_ra_build(port, conf, READ_ONCE(dev->mtu));
	if (!skb) {
		vpc_stats_drop(port->stats, VPC_DROP_NOMEM, 1);
		return;
	}
	if (daddr)
		ether_addr_copy(dmac, conf->mac);
	else
		ipv6_eth_mc_map(&vpc_all_nodes, dmac);
	vpc_craft_push_ipv6(skb, &vpc_router_lladdr, daddr ?: &vpc_all_nodes, VPC_ND_HOP_LIMIT);
	vpc_craft_xmit(skb, port, dmac);
}

/* -- unsolicited --------------------------------------------------------------------------------------------------- */

static void vpc_ra_work_fn(struct work_struct *work);
static DECLARE_DELAYED_WORK(vpc_ra_work, vpc_ra_work_fn);
/* Rounds that are still to come soon after one another; only the work itself looks at it. */
static unsigned int vpc_ra_initial;

/* To the first port from *index on, which is its index then. Return: false when there is none. */
static bool vpc_ra_next(struct vpc_net *vnet, unsigned long *index)
{
	const struct net_device *dev;
	struct vpc_port *port;

	rcu_read_lock_bh();
	/* The packet path's rcu_dereference() wants this one. */
	rcu_read_lock();
	port = xa_find(&vnet->port_ids, index, ULONG_MAX, XA_PRESENT);
	if (port) {
		dev = rcu_dereference(port->dev);
		if (dev && netif_running(dev) && netif_carrier_ok(dev))
			vpc_ra_send(port, NULL);
	}
	rcu_read_unlock();
	rcu_read_unlock_bh();
	return port;
}

static void vpc_ra_work_fn(struct work_struct *work)
{
	unsigned int interval;
	unsigned long index;
	struct net *net;

	down_read(&net_rwsem);
	for_each_net(net) {
		for (index = 0; vpc_ra_next(vpc_net(net), &index); index++)
			cond_resched();
	}
	up_read(&net_rwsem);
	if (vpc_ra_initial) {
		vpc_ra_initial--;
		interval = VPC_RA_INITIAL_INTERVAL;
	} else {
		interval = VPC_RA_INTERVAL_MIN + get_random_u32() % (VPC_RA_INTERVAL_MAX - VPC_RA_INTERVAL_MIN);
	}
	queue_delayed_work(system_power_efficient_wq, &vpc_ra_work, interval * HZ);
}

void vpc_ra_init(void)
{
	vpc_ra_initial = VPC_RA_INITIAL_COUNT - 1;
	queue_delayed_work(system_power_efficient_wq, &vpc_ra_work, VPC_RA_INITIAL_INTERVAL * HZ);
}

void vpc_ra_exit(void)
{
	cancel_delayed_work_sync(&vpc_ra_work);
}
