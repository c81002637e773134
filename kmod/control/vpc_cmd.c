// SPDX-License-Identifier: GPL-2.0-only
/*
 * VPC_NEW, VPC_DEL, VPC_GET and VERIFY. Called from genl.c's table.
 */
#include "genl.h"
#include "event.h"
#include "../datapath/datapath.h"
#include "../tables/txn.h"

#include <net/sock.h>

int vpc_cmd_vpc_new(struct vpc_net *vnet, struct genl_info *info)
{
	struct vpc *vpc;
	u32 vni, flags = 0;
	u64 quota = 0;
	int err;

	err = vpc_require(info, VPC_A_VNI, "VNI");
	if (err)
		return err;
	vni = nla_get_u32(info->attrs[VPC_A_VNI]);
	if (info->attrs[VPC_A_QUOTA])
		quota = nla_get_u64(info->attrs[VPC_A_QUOTA]);
	if (info->attrs[VPC_A_FLAGS])
		flags = nla_get_u32(info->attrs[VPC_A_FLAGS]);
	vpc = vpc_lookup(vnet, vni);
	if (vpc && info->nlhdr->nlmsg_flags & NLM_F_REPLACE) {
		/* What is not given stays. */
		if (info->attrs[VPC_A_QUOTA])
			vpc->quota = quota;
		if (info->attrs[VPC_A_FLAGS])
			WRITE_ONCE(vpc->flags, flags);
		vnet->generation++;
		return 0;
	}
	err = vpc_new(vnet, vni, quota, &vpc);
	if (err == -EEXIST)
		vpc_refuse(info->extack, "VPC %u exists already", vni);
	if (err)
		return err;
	WRITE_ONCE(vpc->flags, flags);
	vpc_event_vpc(vnet, VPC_EVENT_VPC_NEW, vni);
	return 0;
}

int vpc_cmd_vpc_del(struct vpc_net *vnet, struct genl_info *info)
{
	struct vpc *vpc;
	u32 vni;
	int err;

	err = vpc_require_vpc(vnet, info, &vpc);
	if (err)
		return err;
	vni = vpc->vni;
	err = vpc_del(vpc);
	if (err) {
		vpc_refuse(info->extack, "VPC %u has %u ports: delete them first", vni, vpc->n_ports);
		return err;
	}
	vpc_event_vpc(vnet, VPC_EVENT_VPC_DEL, vni);
	return 0;
}

int vpc_put_version(struct sk_buff *skb, const struct vpc_version *version)
{
	if (nla_put_u32(skb, VPC_A_VNI, version->vpc->vni) ||
	    nla_put_u64_64bit(skb, VPC_A_EPOCH, version->epoch, VPC_A_PAD) ||
	    nla_put(skb, VPC_A_DIGEST, sizeof(version->digest), &version->digest))
		return -EMSGSIZE;
	return 0;
}

static int vpc_put_counts(struct sk_buff *skb, const struct vpc_version *version, u64 routes)
{
	if (nla_put_u64_64bit(skb, VPC_A_N_ROUTES, routes, VPC_A_PAD) ||
	    nla_put_u32(skb, VPC_A_N_NEXTHOPS, vpc_nhset_count(version->nexthops)) ||
	    nla_put_u32(skb, VPC_A_N_MEMBERS, vpc_nhset_members(version->nexthops)) ||
	    nla_put_u32(skb, VPC_A_N_TABLES, version->n_tables))
		return -EMSGSIZE;
	return 0;
}

static int vpc_put_vpc(struct sk_buff *skb, const struct vpc *vpc)
{
	const struct vpc_version *version;

	version = rcu_dereference_protected(vpc->version, lockdep_is_held(&vpc->vnet->lock));
	if (vpc_put_version(skb, version) || vpc_put_counts(skb, version, version->n_routes) ||
	    nla_put_u64_64bit(skb, VPC_A_QUOTA, vpc->quota, VPC_A_PAD) ||
	    nla_put_u32(skb, VPC_A_FLAGS, vpc->flags) ||
	    nla_put_u64_64bit(skb, VPC_A_MEMORY, vpc_memory(vpc) + version->memory, VPC_A_PAD) ||
	    nla_put_u32(skb, VPC_A_N_PORTS, vpc->n_ports))
		return -EMSGSIZE;
	return 0;
}

int vpc_cmd_vpc_get(struct vpc_net *vnet, struct genl_info *info)
{
	struct sk_buff *skb;
	struct vpc *vpc;
	void *hdr;
	int err;

	err = vpc_require_vpc(vnet, info, &vpc);
	if (err)
		return err;
	skb = vpc_reply_new(info, NLMSG_DEFAULT_SIZE, &hdr);
	if (!skb)
		return -ENOMEM;
	err = vpc_put_vpc(skb, vpc);
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	return vpc_reply_send(skb, hdr, info);
}

/* -- the dump ------------------------------------------------------------------------------------------------------ */

struct vpc_dump_vpcs_ctx {
	u64 serial;	/* the next VPC has at least this */
};

static int vpc_dump_vpc(struct sk_buff *skb, struct netlink_callback *cb, const struct vpc *vpc)
{
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &vpc_genl_family, NLM_F_MULTI,
				VPC_CMD_VPC_GET);

	if (!hdr)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, hdr);
	if (vpc_put_vpc(skb, vpc)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

int vpc_dump_vpcs_start(struct netlink_callback *cb)
{
	return vpc_dump_start(cb, vpc_dump_check_vni);
}

int vpc_dump_vpcs(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct vpc_dump_vpcs_ctx *ctx = (struct vpc_dump_vpcs_ctx *)cb->ctx;
	const struct nlattr *only = vpc_dump_attrs(cb)[VPC_A_VNI];
	struct vpc_net *vnet = vpc_net(sock_net(skb->sk));
	const struct vpc *vpc;

	mutex_lock(&vnet->lock);
	cb->seq = vnet->generation;
	list_for_each_entry(vpc, &vnet->vpc_list, list) {
		if (vpc->serial < ctx->serial || (only && vpc->vni != nla_get_u32(only)))
			continue;
		if (vpc_dump_vpc(skb, cb, vpc))
			break;
		ctx->serial = vpc->serial + 1;
	}
	mutex_unlock(&vnet->lock);
	return skb->len;
}

/* -- VERIFY -------------------------------------------------------------------------------------------------------- */

/* @faults: what was found already. */
static int vpc_reply_verify(const struct vpc_version *version, u32 faults, struct genl_info *info)
{
	u32 more;
	struct vpc_digest found;
	struct sk_buff *skb;
	void *hdr;
	u64 routes;

	vpc_version_verify(version, &found, &routes, &more);
	faults |= more;
	if (!vpc_recent_sound(version))
		faults |= VPC_FAULT_RECENT;
	/* What forwarding reads is then not what the digest says, whoever looks at that alone. */
	found.h[0] += faults;
	skb = vpc_reply_new(info, NLMSG_DEFAULT_SIZE, &hdr);
	if (!skb)
		return -ENOMEM;
	if (vpc_put_version(skb, version) || nla_put(skb, VPC_A_DIGEST_FOUND, sizeof(found), &found) ||
	    nla_put_u32(skb, VPC_A_FAULTS, faults) || vpc_put_counts(skb, version, routes)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	return vpc_reply_send(skb, hdr, info);
}

int vpc_cmd_vpc_verify(struct vpc_net *vnet, struct genl_info *info)
{
	struct vpc_version *version;
	struct vpc *vpc;
	u32 faults = 0;
	int err;

	mutex_lock(&vnet->lock);
	err = vpc_require_vpc(vnet, info, &vpc);
	if (!err) {
		version = vpc_version_get_current(vpc);
		faults = vpc_ports_sound(vpc) ? 0 : VPC_FAULT_PORT;
	}
	mutex_unlock(&vnet->lock);
	if (err)
		return err;
	err = vpc_reply_verify(version, faults, info);
	vpc_version_put(version);
	return err;
}
