// SPDX-License-Identifier: GPL-2.0-only
/*
 * Builds and multicasts events. Called by the commands that cause them and by netdev.c.
 */
#include "event.h"
#include "genl.h"

#define VPC_EVENT_SIZE	512	/* more than any event's attributes */

/* NULL: nobody listens, or no memory, and then listeners learn that they lost one. */
static struct sk_buff *vpc_event_new(struct net *net, enum vpc_event event, void **ret_hdr)
{
	struct sk_buff *skb;

	if (!genl_has_listeners(&vpc_genl_family, net, VPC_MCGRP_EVENTS))
		return NULL;
	skb = genlmsg_new(VPC_EVENT_SIZE, GFP_KERNEL);
	if (!skb)
		goto err_lost;
	*ret_hdr = genlmsg_put(skb, 0, 0, &vpc_genl_family, 0, VPC_CMD_EVENT);
	if (!*ret_hdr || nla_put_u8(skb, VPC_A_EVENT, event))
		goto err_free;
	return skb;

err_free:
	nlmsg_free(skb);
err_lost:
	genl_set_err(&vpc_genl_family, net, 0, VPC_MCGRP_EVENTS, -ENOBUFS);
	return NULL;
}

/* Consumes @skb. @err: what building it came to. */
static void vpc_event_send(struct net *net, struct sk_buff *skb, void *hdr, int err)
{
	if (err) {
		nlmsg_free(skb);
		genl_set_err(&vpc_genl_family, net, 0, VPC_MCGRP_EVENTS, -ENOBUFS);
		return;
	}
	genlmsg_end(skb, hdr);
	genlmsg_multicast_netns(&vpc_genl_family, net, skb, 0, VPC_MCGRP_EVENTS, GFP_KERNEL);
}

void vpc_event_vpc(struct vpc_net *vnet, enum vpc_event event, u32 vni)
{
	struct sk_buff *skb;
	void *hdr;

	skb = vpc_event_new(vnet->net, event, &hdr);
	if (skb)
		vpc_event_send(vnet->net, skb, hdr, nla_put_u32(skb, VPC_A_VNI, vni));
}

void vpc_event_port(const struct vpc_port *port, enum vpc_event event)
{
	const struct vpc *vpc = port->vpc;
	const struct net_device *dev;
	struct nlattr *nest;
	struct sk_buff *skb;
	void *hdr;
	int err;

	skb = vpc_event_new(vpc->vnet->net, event, &hdr);
	if (!skb)
		return;
	dev = rcu_dereference_protected(port->dev, lockdep_is_held(&vpc->vnet->lock));
	nest = nla_nest_start(skb, VPC_A_PORT);
	err = !nest || nla_put_string(skb, VPC_PORT_A_IFNAME, port->name) ||
	      nla_put_u32(skb, VPC_PORT_A_VNI, vpc->vni) ||
	      (dev && nla_put_u32(skb, VPC_PORT_A_IFINDEX, dev->ifindex));
	if (!err)
		nla_nest_end(skb, nest);
	vpc_event_send(vpc->vnet->net, skb, hdr, err);
}

void vpc_event_quota(const struct vpc *vpc)
{
	const struct vpc_version *version;
	struct sk_buff *skb;
	void *hdr;
	int err;

	skb = vpc_event_new(vpc->vnet->net, VPC_EVENT_QUOTA, &hdr);
	if (!skb)
		return;
	version = rcu_dereference_protected(vpc->version, lockdep_is_held(&vpc->vnet->lock));
	err = nla_put_u32(skb, VPC_A_VNI, vpc->vni) ||
	      nla_put_u64_64bit(skb, VPC_A_MEMORY, vpc_memory(vpc) + version->memory, VPC_A_PAD) ||
	      nla_put_u64_64bit(skb, VPC_A_QUOTA, vpc->quota, VPC_A_PAD);
	vpc_event_send(vpc->vnet->net, skb, hdr, err);
}

void vpc_event_commit(const struct vpc_version *version, const char *change)
{
	struct net *net = version->vpc->vnet->net;
	struct sk_buff *skb;
	void *hdr;
	int err;

	skb = vpc_event_new(net, VPC_EVENT_COMMIT, &hdr);
	if (!skb)
		return;
	err = nla_put_u32(skb, VPC_A_VNI, version->vpc->vni) ||
	      nla_put_u64_64bit(skb, VPC_A_EPOCH, version->epoch, VPC_A_PAD) ||
	      nla_put(skb, VPC_A_DIGEST, sizeof(version->digest), &version->digest) ||
	      (change && nla_put_string(skb, VPC_A_CHANGE, change));
	vpc_event_send(net, skb, hdr, err);
}
