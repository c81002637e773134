// SPDX-License-Identifier: GPL-2.0-only
/*
 * HOST_SET and HOST_GET: this namespace as an underlay host. Called from genl.c's table.
 */
#include "genl.h"
#include "parse.h"
#include "../compat.h"
#include "../datapath/datapath.h"

#include <linux/in.h>
#include <net/ipv6.h>

/* One host's address on any link of the underlay. */
static bool vpc_host_is_vtep6(const struct in6_addr *addr6)
{
	int type = ipv6_addr_type(addr6);

	return type & IPV6_ADDR_UNICAST && !(type & (IPV6_ADDR_LOOPBACK | IPV6_ADDR_LINKLOCAL | IPV6_ADDR_MAPPED));
}

/* The outputs of families that the request does not name stay as they are. */
static int vpc_host_parse_vteps(struct nlattr **tb, struct netlink_ext_ack *extack, __be32 *ret_vtep4,
				struct in6_addr *ret_vtep6)
{
	__be32 vtep4;
	struct in6_addr vtep6;

	if (!tb[VPC_HOST_A_VTEP4] && !tb[VPC_HOST_A_VTEP6]) {
		vpc_refuse(extack, "VTEP4 and VTEP6 are missing, one of them is needed");
		return -EINVAL;
	}
	if (tb[VPC_HOST_A_VTEP4]) {
		vtep4 = nla_get_be32(tb[VPC_HOST_A_VTEP4]);
		if (!vpc_parse_is_vtep4(vtep4) || ipv4_is_loopback(vtep4)) {
			vpc_refuse(extack, "%pI4 cannot be a VTEP", &vtep4);
			return -EINVAL;
		}
		*ret_vtep4 = vtep4;
	}
	if (tb[VPC_HOST_A_VTEP6]) {
		vtep6 = nla_get_in6_addr(tb[VPC_HOST_A_VTEP6]);
		if (!vpc_host_is_vtep6(&vtep6)) {
			vpc_refuse(extack, "%pI6c cannot be a VTEP", &vtep6);
			return -EINVAL;
		}
		*ret_vtep6 = vtep6;
	}
	return 0;
}

int vpc_cmd_host_set(struct vpc_net *vnet, struct genl_info *info)
{
	struct in6_addr vtep6 = IN6ADDR_ANY_INIT;
	struct nlattr *tb[VPC_HOST_A_MAX + 1];
	u16 udp_port = VPC_UDP_PORT;
	__be32 vtep4 = 0;
	int err;

	err = vpc_require(info, VPC_A_HOST, "HOST");
	if (err)
		return err;
	/* Validated already, by the nested policy. */
	err = nla_parse_nested_deprecated(tb, VPC_HOST_A_MAX, info->attrs[VPC_A_HOST], NULL, info->extack);
	if (!err)
		err = vpc_host_parse_vteps(tb, info->extack, &vtep4, &vtep6);
	if (err)
		return err;
	if (tb[VPC_HOST_A_UDP_PORT])
		udp_port = nla_get_u16(tb[VPC_HOST_A_UDP_PORT]);
	return vpc_host_set(vnet, vtep4, &vtep6, htons(udp_port), info->extack);
}

static int vpc_put_host(struct sk_buff *skb, const struct vpc_net *vnet)
{
	const struct vpc_host *host = rcu_dereference_protected(vnet->host, lockdep_is_held(&vnet->lock));
	struct nlattr *nest = nla_nest_start(skb, VPC_A_HOST);

	if (!nest)
		return -EMSGSIZE;
	if (host && host->vtep4 && nla_put_be32(skb, VPC_HOST_A_VTEP4, host->vtep4))
		return -EMSGSIZE;
	if (host && !ipv6_addr_any(&host->vtep6) && nla_put_in6_addr(skb, VPC_HOST_A_VTEP6, &host->vtep6))
		return -EMSGSIZE;
	if (host && nla_put_u16(skb, VPC_HOST_A_UDP_PORT, ntohs(host->udp_port)))
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
