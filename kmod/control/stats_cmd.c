// SPDX-License-Identifier: GPL-2.0-only
/*
 * STATS_GET: the counters of the namespace, then of each VPC, then of each port. Called by netlink for each message.
 */
#include "genl.h"

#include <net/sock.h>

/* Where the dump stands: the namespace's own are done, VPCs below @serial, ports up to @index. */
struct vpc_dump_stats_ctx {
	bool net_done;
	u64 serial;
	unsigned long index;
};

static int vpc_put_sum(struct sk_buff *skb, const struct vpc_stats_sum *sum)
{
	if (nla_put_u64_64bit(skb, VPC_STATS_A_RX_PACKETS, sum->rx_packets, VPC_STATS_A_PAD) ||
	    nla_put_u64_64bit(skb, VPC_STATS_A_RX_BYTES, sum->rx_bytes, VPC_STATS_A_PAD) ||
	    nla_put_u64_64bit(skb, VPC_STATS_A_TX_PACKETS, sum->tx_packets, VPC_STATS_A_PAD) ||
	    nla_put_u64_64bit(skb, VPC_STATS_A_TX_BYTES, sum->tx_bytes, VPC_STATS_A_PAD) ||
	    nla_put_64bit(skb, VPC_STATS_A_DROPS, sizeof(sum->drops), sum->drops, VPC_STATS_A_PAD))
		return -EMSGSIZE;
	return 0;
}

/* @vpc NULL: the namespace's; @port NULL: the VPC's. */
static int vpc_put_stats(struct sk_buff *skb, const struct vpc_stats __percpu *stats, const struct vpc *vpc,
			 const struct vpc_port *port)
{
	struct nlattr *nest = nla_nest_start(skb, VPC_A_STATS);
	struct vpc_stats_sum sum = {};

	if (!nest)
		return -EMSGSIZE;
	/* What an empty VPC dropped is with the namespace's. */
	if (port || !vpc || vpc->own_stats)
		vpc_stats_sum(stats, &sum);
	if ((vpc && nla_put_u32(skb, VPC_STATS_A_VNI, vpc->vni)) ||
	    (port && nla_put_string(skb, VPC_STATS_A_IFNAME, port->name)) || vpc_put_sum(skb, &sum))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int vpc_dump_one(struct sk_buff *skb, struct netlink_callback *cb, const struct vpc_stats __percpu *stats,
			const struct vpc *vpc, const struct vpc_port *port)
{
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &vpc_genl_family, NLM_F_MULTI,
				VPC_CMD_STATS_GET);

	if (!hdr)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, hdr);
	if (vpc_put_stats(skb, stats, vpc, port)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

static int vpc_dump_all(struct sk_buff *skb, struct netlink_callback *cb, struct vpc_net *vnet)
{
	struct vpc_dump_stats_ctx *ctx = (struct vpc_dump_stats_ctx *)cb->ctx;
	const struct vpc_port *port;
	const struct vpc *vpc;
	unsigned long index;

	if (!ctx->net_done && vpc_dump_one(skb, cb, vnet->stats, NULL, NULL))
		return -EMSGSIZE;
	ctx->net_done = true;
	list_for_each_entry(vpc, &vnet->vpc_list, list) {
		if (vpc->serial < ctx->serial)
			continue;
		if (vpc_dump_one(skb, cb, vpc->stats, vpc, NULL))
			return -EMSGSIZE;
		ctx->serial = vpc->serial + 1;
	}
	xa_for_each_start(&vnet->port_ids, index, port, ctx->index + 1) {
		if (vpc_dump_one(skb, cb, port->stats, port->vpc, port))
			return -EMSGSIZE;
		ctx->index = index;
	}
	return 0;
}

static int vpc_dump_stats_open(struct netlink_callback *cb, struct netlink_ext_ack *extack)
{
	return 0;
}

int vpc_dump_stats_start(struct netlink_callback *cb)
{
	return vpc_dump_start(cb, vpc_dump_stats_open);
}

int vpc_dump_stats(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct vpc_net *vnet = vpc_net(sock_net(skb->sk));
	int err;

	BUILD_BUG_ON(sizeof(struct vpc_dump_stats_ctx) > sizeof(cb->ctx));
	mutex_lock(&vnet->lock);
	cb->seq = vnet->generation;
	err = vpc_dump_all(skb, cb, vnet);
	mutex_unlock(&vnet->lock);
	/* A full message is no error, an entry that fits in none would be. */
	return skb->len ?: err;
}
