// SPDX-License-Identifier: GPL-2.0-only
/*
 * HOST_SET and HOST_GET: this namespace as an underlay host. Called from genl.c's table.
 */
#include "genl.h"
#include "parse.h"
#include "../datapath/datapath.h"

int vpc_cmd_host_set(struct vpc_net *vnet, struct genl_info *info)
{
	struct nlattr *tb[VPC_HOST_A_MAX + 1];
	u16 udp_port = VPC_UDP_PORT;
	__be32 vtep4;
	int err;

	err = vpc_require(info, VPC_A_HOST, "HOST");
	if (err)
		return err;
	/* Validated already, by the nested policy. */
	err = nla_parse_nested_deprecated(tb, VPC_HOST_A_MAX, info->attrs[VPC_A_HOST], NULL, info->extack);
	if (err)
		return err;
	if (tb[VPC_HOST_A_VTEP6]) {
		vpc_refuse(info->extack, "IPv6 VTEPs are not supported yet");
		return -EOPNOTSUPP;
	}
	if (!tb[VPC_HOST_A_VTEP4]) {
		vpc_refuse(info->extack, "VTEP4 is missing");
		return -EINVAL;
	}
	vtep4 = nla_get_be32(tb[VPC_HOST_A_VTEP4]);
	if (!vpc_parse_is_vtep4(vtep4)) {
		vpc_refuse(info->extack, "%pI4 cannot be a VTEP", &vtep4);
		return -EINVAL;
	}
	if (tb[VPC_HOST_A_UDP_PORT])
		udp_port = nla_get_u16(tb[VPC_HOST_A_UDP_PORT]);
	return vpc_host_set(vnet, vtep4, &in6addr_any, htons(udp_port), info->extack);
}

static int vpc_put_host(struct sk_buff *skb, const struct vpc_net *vnet)
{
	const struct vpc_host *host = rcu_dereference_protected(vnet->host, lockdep_is_held(&vnet->lock));
	struct nlattr *nest = nla_nest_start(skb, VPC_A_HOST);

	if (!nest)
		return -EMSGSIZE;
	if (host && (nla_put_be32(skb, VPC_HOST_A_VTEP4, host->vtep4) ||
		     nla_put_u16(skb, VPC_HOST_A_UDP_PORT, ntohs(host->udp_port))))
		return -EMSGSIZE;
	if (nla_put_u64_64bit(skb, VPC_HOST_A_INSTANCE, vnet->instance, VPC_HOST_A_PAD) ||
	    nla_put_string(skb, VPC_HOST_A_VERSION, VPC_VERSION))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

int vpc_cmd_host_get(struct vpc_net *vnet, struct genl_info *info)
{
	struct sk_buff *skb;
	void *hdr;
	int err;

	skb = vpc_reply_new(info, NLMSG_DEFAULT_SIZE, &hdr);
	if (!skb)
		return -ENOMEM;
	err = vpc_put_host(skb, vnet);
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	return vpc_reply_send(skb, hdr, info);
}
