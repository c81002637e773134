// SPDX-License-Identifier: GPL-2.0-only
/*
 * The family "vpc": which commands there are, what attributes each takes, under which locks it runs.
 *
 * main.c registers it last and removes it first. Every command with an answer of its own comes through vpc_genl_doit(),
 * which takes the locks and sees to the text of a refusal; dumps are called by netlink directly.
 */
#include "genl.h"

#include <linux/rtnetlink.h>
#include "../tables/txn.h"
#include "event.h"

/* Not const: struct nla_policy of 6.1 wants it so. */
static struct netlink_range_validation vpc_vni_range = { .min = 1, .max = VPC_VNI_MAX };

#define VPC_POLICY_VNI		NLA_POLICY_FULL_RANGE(NLA_U32, &vpc_vni_range)
#define VPC_POLICY_IFNAME	{ .type = NLA_NUL_STRING, .len = IFNAMSIZ - 1 }
#define VPC_POLICY_ADDR		NLA_POLICY_EXACT_LEN(sizeof(struct vpc_nl_prefix))

static const struct nla_policy vpc_host_policy[VPC_HOST_A_MAX + 1] = {
	[VPC_HOST_A_VTEP4] = NLA_POLICY_EXACT_LEN(4),
	[VPC_HOST_A_VTEP6] = NLA_POLICY_EXACT_LEN(16),
	[VPC_HOST_A_UDP_PORT] = NLA_POLICY_MIN(NLA_U16, 1),
};

static const struct nla_policy vpc_port_policy[VPC_PORT_A_MAX + 1] = {
	[VPC_PORT_A_IFNAME] = VPC_POLICY_IFNAME,
	[VPC_PORT_A_VNI] = VPC_POLICY_VNI,
	[VPC_PORT_A_MAC] = NLA_POLICY_EXACT_LEN(ETH_ALEN),
	[VPC_PORT_A_TABLE] = { .type = NLA_U32 },
	[VPC_PORT_A_FLAGS] = NLA_POLICY_MASK(NLA_U32, __VPC_PORT_F_ALL),
	[VPC_PORT_A_ADDRS] = NLA_POLICY_MAX(NLA_BINARY, VPC_PORT_ADDRS_MAX * sizeof(struct vpc_nl_prefix)),
	[VPC_PORT_A_GATEWAY4] = NLA_POLICY_EXACT_LEN(4),
	[VPC_PORT_A_GATEWAY6] = NLA_POLICY_EXACT_LEN(16),
	[VPC_PORT_A_SUBNET6] = VPC_POLICY_ADDR,
};

static const struct nla_policy vpc_port_name_policy[VPC_PORT_A_IFNAME + 1] = {
	[VPC_PORT_A_IFNAME] = VPC_POLICY_IFNAME,
};

static const struct nla_policy vpc_lookup_policy[VPC_LOOKUP_A_MAX + 1] = {
	[VPC_LOOKUP_A_IFNAME] = VPC_POLICY_IFNAME,
	[VPC_LOOKUP_A_VNI] = VPC_POLICY_VNI,
	[VPC_LOOKUP_A_OUTER_SRC] = VPC_POLICY_ADDR,
	[VPC_LOOKUP_A_SRC_MAC] = NLA_POLICY_EXACT_LEN(ETH_ALEN),
	[VPC_LOOKUP_A_SRC] = VPC_POLICY_ADDR,
	[VPC_LOOKUP_A_DST] = VPC_POLICY_ADDR,
	[VPC_LOOKUP_A_TTL] = { .type = NLA_U8 },
	[VPC_LOOKUP_A_PROTO] = { .type = NLA_U8 },
	[VPC_LOOKUP_A_SPORT] = { .type = NLA_U16 },
	[VPC_LOOKUP_A_DPORT] = { .type = NLA_U16 },
	[VPC_LOOKUP_A_LEN] = { .type = NLA_U32 },
};

/* Top level, one policy a kind of request: what is not in it is refused. */
static const struct nla_policy vpc_empty_policy[] = {
	/* Without a highest attribute the core would parse, and refuse, nothing. */
	[VPC_A_PAD] = { .type = NLA_REJECT },
};

static const struct nla_policy vpc_host_set_policy[] = {
	[VPC_A_HOST] = NLA_POLICY_NESTED(vpc_host_policy),
};

static const struct nla_policy vpc_vni_policy[] = {
	[VPC_A_VNI] = VPC_POLICY_VNI,
};

static const struct nla_policy vpc_vpc_new_policy[] = {
	[VPC_A_VNI] = VPC_POLICY_VNI,
	[VPC_A_QUOTA] = { .type = NLA_U64 },
	[VPC_A_FLAGS] = NLA_POLICY_MASK(NLA_U32, __VPC_F_ALL),
};

static const struct nla_policy vpc_port_new_policy[] = {
	[VPC_A_PORT] = NLA_POLICY_NESTED(vpc_port_policy),
};

static const struct nla_policy vpc_port_del_policy[] = {
	[VPC_A_PORT] = NLA_POLICY_NESTED(vpc_port_name_policy),
};

static const struct nla_policy vpc_port_get_policy[] = {
	[VPC_A_VNI] = VPC_POLICY_VNI,
	[VPC_A_PORT] = NLA_POLICY_NESTED(vpc_port_name_policy),
};

static const struct nla_policy vpc_txn_begin_policy[] = {
	[VPC_A_VNI] = VPC_POLICY_VNI,
	[VPC_A_BASE_EPOCH] = { .type = NLA_U64 },
	[VPC_A_TXN_MODE] = NLA_POLICY_MAX(NLA_U8, VPC_TXN_REPLACE),
};

static const struct nla_policy vpc_txn_add_policy[] = {
	[VPC_A_TXN] = { .type = NLA_U32 },
	[VPC_A_NEXTHOPS] = { .type = NLA_BINARY },
	[VPC_A_MEMBERS] = { .type = NLA_BINARY },
	[VPC_A_ROUTES4] = { .type = NLA_BINARY },
	[VPC_A_ROUTES6] = { .type = NLA_BINARY },
};

static const struct nla_policy vpc_txn_commit_policy[] = {
	[VPC_A_TXN] = { .type = NLA_U32 },
	[VPC_A_EPOCH] = { .type = NLA_U64 },
	[VPC_A_DIGEST] = NLA_POLICY_EXACT_LEN(sizeof(struct vpc_digest)),
	[VPC_A_CHANGE] = { .type = NLA_NUL_STRING, .len = VPC_CHANGE_MAX },
};

static const struct nla_policy vpc_txn_policy[] = {
	[VPC_A_TXN] = { .type = NLA_U32 },
};

static const struct nla_policy vpc_route_get_policy[] = {
	[VPC_A_VNI] = VPC_POLICY_VNI,
	[VPC_A_TABLE] = { .type = NLA_U32 },
	[VPC_A_NEXTHOP_ID] = NLA_POLICY_MIN(NLA_U32, 1),
	[VPC_A_PREFIX] = VPC_POLICY_ADDR,
};

static const struct nla_policy vpc_lookup_cmd_policy[] = {
	[VPC_A_LOOKUP] = NLA_POLICY_NESTED(vpc_lookup_policy),
};

/* -- one way in for all commands ----------------------------------------------------------------------------------- */

#define VPC_LOCK_STATE	BIT(0)	/* vnet->lock */
#define VPC_LOCK_RTNL	BIT(1)	/* taken first */

struct vpc_genl_command {
	int (*fn)(struct vpc_net *vnet, struct genl_info *info);
	u8 locks;
	u16 flags;	/* netlink header flags that mean something, beside the core's own */
};

static const struct vpc_genl_command vpc_genl_commands[VPC_CMD_MAX + 1] = {
	[VPC_CMD_HOST_SET] = { vpc_cmd_host_set, VPC_LOCK_RTNL | VPC_LOCK_STATE },
	[VPC_CMD_HOST_GET] = { vpc_cmd_host_get, VPC_LOCK_STATE },
	[VPC_CMD_VPC_NEW] = { vpc_cmd_vpc_new, VPC_LOCK_STATE, NLM_F_REPLACE | NLM_F_CREATE },
	[VPC_CMD_VPC_DEL] = { vpc_cmd_vpc_del, VPC_LOCK_STATE },
	[VPC_CMD_VPC_GET] = { vpc_cmd_vpc_get, VPC_LOCK_STATE },
	[VPC_CMD_PORT_NEW] = { vpc_cmd_port_new, VPC_LOCK_RTNL | VPC_LOCK_STATE, NLM_F_REPLACE | NLM_F_CREATE },
	[VPC_CMD_PORT_DEL] = { vpc_cmd_port_del, VPC_LOCK_RTNL | VPC_LOCK_STATE },
	[VPC_CMD_PORT_GET] = { vpc_cmd_port_get, VPC_LOCK_STATE },
	[VPC_CMD_TXN_BEGIN] = { vpc_cmd_txn_begin, VPC_LOCK_STATE },
	[VPC_CMD_TXN_ADD] = { vpc_cmd_txn_add, VPC_LOCK_STATE },
	[VPC_CMD_TXN_COMMIT] = { vpc_cmd_txn_commit, VPC_LOCK_STATE },
	[VPC_CMD_TXN_ABORT] = { vpc_cmd_txn_abort, VPC_LOCK_STATE },
	[VPC_CMD_LOOKUP] = { vpc_cmd_lookup, VPC_LOCK_STATE },
	/* Long, on a snapshot: takes the lock itself, for a moment. */
	[VPC_CMD_VERIFY] = { vpc_cmd_vpc_verify },
};

static int vpc_genl_run(const struct vpc_genl_command *command, struct vpc_net *vnet, struct genl_info *info)
{
	int err;

	err = vpc_check_header(info->nlhdr, command->flags, info->extack);
	if (err)
		return err;
	if (command->locks & VPC_LOCK_RTNL)
		rtnl_lock();
	if (command->locks & VPC_LOCK_STATE)
		mutex_lock(&vnet->lock);
	err = command->fn(vnet, info);
	if (command->locks & VPC_LOCK_STATE)
		mutex_unlock(&vnet->lock);
	if (command->locks & VPC_LOCK_RTNL)
		rtnl_unlock();
	if (err == -ENOMEM && !info->extack->_msg)
		vpc_refuse(info->extack, "out of memory");
	return err;
}

static int vpc_genl_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct vpc_extack_text text;
	int err;

	vpc_extack_begin(info->extack, &text);
	err = vpc_genl_run(&vpc_genl_commands[info->genlhdr->cmd], vpc_net(genl_info_net(info)), info);
	return vpc_extack_end(info->extack, skb, info->nlhdr, err);
}

#define VPC_POLICY(p)	.policy = p, .maxattr = ARRAY_SIZE(p) - 1
#define VPC_CMD(c, p)	.cmd = c, .flags = GENL_UNS_ADMIN_PERM, VPC_POLICY(p)

static const struct genl_ops vpc_genl_ops[] = {
	{ VPC_CMD(VPC_CMD_HOST_SET, vpc_host_set_policy), .doit = vpc_genl_doit },
	{ VPC_CMD(VPC_CMD_HOST_GET, vpc_empty_policy), .doit = vpc_genl_doit },
	{ VPC_CMD(VPC_CMD_VPC_NEW, vpc_vpc_new_policy), .doit = vpc_genl_doit },
	{ VPC_CMD(VPC_CMD_VPC_DEL, vpc_vni_policy), .doit = vpc_genl_doit },
	{ VPC_CMD(VPC_CMD_VPC_GET, vpc_vni_policy), .doit = vpc_genl_doit, .start = vpc_dump_vpcs_start,
	  .dumpit = vpc_dump_vpcs },
	{ VPC_CMD(VPC_CMD_PORT_NEW, vpc_port_new_policy), .doit = vpc_genl_doit },
	{ VPC_CMD(VPC_CMD_PORT_DEL, vpc_port_del_policy), .doit = vpc_genl_doit },
	{ VPC_CMD(VPC_CMD_PORT_GET, vpc_port_get_policy), .doit = vpc_genl_doit, .start = vpc_dump_ports_start,
	  .dumpit = vpc_dump_ports },
	{ VPC_CMD(VPC_CMD_TXN_BEGIN, vpc_txn_begin_policy), .doit = vpc_genl_doit },
	{ VPC_CMD(VPC_CMD_TXN_ADD, vpc_txn_add_policy), .doit = vpc_genl_doit },
	{ VPC_CMD(VPC_CMD_TXN_COMMIT, vpc_txn_commit_policy), .doit = vpc_genl_doit },
	{ VPC_CMD(VPC_CMD_TXN_ABORT, vpc_txn_policy), .doit = vpc_genl_doit },
	{ VPC_CMD(VPC_CMD_ROUTE_GET, vpc_route_get_policy), .start = vpc_dump_routes_start,
	  .dumpit = vpc_dump_routes, .done = vpc_dump_done },
	{ VPC_CMD(VPC_CMD_NEXTHOP_GET, vpc_vni_policy), .start = vpc_dump_nexthops_start,
	  .dumpit = vpc_dump_nexthops, .done = vpc_dump_done },
	{ VPC_CMD(VPC_CMD_LOOKUP, vpc_lookup_cmd_policy), .doit = vpc_genl_doit },
	{ VPC_CMD(VPC_CMD_VERIFY, vpc_vni_policy), .doit = vpc_genl_doit },
	{ VPC_CMD(VPC_CMD_STATS_GET, vpc_empty_policy), .start = vpc_dump_stats_start, .dumpit = vpc_dump_stats },
};

static const struct genl_multicast_group vpc_genl_groups[] = {
	[VPC_MCGRP_EVENTS] = { .name = VPC_GENL_MCGRP_EVENTS, .flags = GENL_MCAST_CAP_NET_ADMIN },
};

struct genl_family vpc_genl_family __ro_after_init = {
	.name = VPC_GENL_NAME,
	.version = VPC_GENL_VERSION,
	.netnsok = true,
	.parallel_ops = true,
	.module = THIS_MODULE,
	.ops = vpc_genl_ops,
	.n_ops = ARRAY_SIZE(vpc_genl_ops),
	.mcgrps = vpc_genl_groups,
	.n_mcgrps = ARRAY_SIZE(vpc_genl_groups),
	/* The core's check would refuse NLM_F_REPLACE; vpc_check_header() is ours. */
	.resv_start_op = VPC_CMD_MAX + 1,
};

/* -- a closed socket takes its transactions with it ---------------------------------------------------------------- */

static int vpc_genl_released(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct netlink_notify *notify = ptr;
	struct vpc_net *vnet;

	if (event != NETLINK_URELEASE || notify->protocol != NETLINK_GENERIC)
		return NOTIFY_DONE;
	vnet = vpc_net(notify->net);
	/* Whoever closes has begun all that he ever will. */
	if (!list_empty(&vnet->txns))
		vpc_txn_abort_owner(vnet, notify->portid);
	return NOTIFY_DONE;
}

static struct notifier_block vpc_genl_notifier = {
	.notifier_call = vpc_genl_released,
};

int vpc_genl_init(void)
{
	int err;

	err = netlink_register_notifier(&vpc_genl_notifier);
	if (err)
		return err;
	err = genl_register_family(&vpc_genl_family);
	if (err)
		netlink_unregister_notifier(&vpc_genl_notifier);
	return err;
}

void vpc_genl_exit(void)
{
	genl_unregister_family(&vpc_genl_family);
	netlink_unregister_notifier(&vpc_genl_notifier);
}

/* -- what commands share ------------------------------------------------------------------------------------------- */

int vpc_check_header(const struct nlmsghdr *nlh, u16 known, struct netlink_ext_ack *extack)
{
	u16 flags = nlh->nlmsg_flags & ~(NLM_F_REQUEST | NLM_F_ACK | NLM_F_ECHO | known);
	const struct genlmsghdr *hdr = nlmsg_data(nlh);

	if (flags) {
		vpc_refuse(extack, "netlink flags 0x%x mean nothing to this command", flags);
		return -EINVAL;
	}
	if (hdr->reserved) {
		vpc_refuse(extack, "the reserved field of the generic netlink header must be 0");
		return -EINVAL;
	}
	return 0;
}

int vpc_require(struct genl_info *info, int type, const char *name)
{
	if (info->attrs[type])
		return 0;
	vpc_refuse(info->extack, "%s is missing", name);
	NL_SET_ERR_ATTR_MISS(info->extack, NULL, type);
	return -EINVAL;
}

int vpc_require_vpc(struct vpc_net *vnet, struct genl_info *info, struct vpc **ret_vpc)
{
	struct vpc *vpc;
	u32 vni;
	int err;

	err = vpc_require(info, VPC_A_VNI, "VNI");
	if (err)
		return err;
	vni = nla_get_u32(info->attrs[VPC_A_VNI]);
	vpc = vpc_lookup(vnet, vni);
	if (!vpc) {
		vpc_refuse(info->extack, "VPC %u does not exist", vni);
		return -ENOENT;
	}
	*ret_vpc = vpc;
	return 0;
}

struct sk_buff *vpc_reply_new(struct genl_info *info, size_t payload, void **ret_hdr)
{
	struct sk_buff *skb = genlmsg_new(payload, GFP_KERNEL);

	if (!skb)
		return NULL;
	*ret_hdr = genlmsg_put_reply(skb, info, &vpc_genl_family, 0, info->genlhdr->cmd);
	if (!*ret_hdr) {
		nlmsg_free(skb);
		return NULL;
	}
	return skb;
}

int vpc_reply_send(struct sk_buff *skb, void *hdr, struct genl_info *info)
{
	genlmsg_end(skb, hdr);
	return genlmsg_reply(skb, info);
}
