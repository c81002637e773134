// SPDX-License-Identifier: GPL-2.0-only
/*
 * PORT_NEW, PORT_DEL and PORT_GET. Called from genl.c's table; the state is tables/port.c's, devices are bound by
 * control/netdev.c.
 */
#include "genl.h"
#include "event.h"
#include "parse.h"
#include "../datapath/datapath.h"

#include <net/ipv6.h>
#include <net/sock.h>

/* A port's nest, parsed; the attributes were validated by the policy. */
static int vpc_port_parse(struct genl_info *info, struct nlattr **tb)
{
	int err;

	err = vpc_require(info, VPC_A_PORT, "PORT");
	if (err)
		return err;
	err = nla_parse_nested_deprecated(tb, VPC_PORT_A_MAX, info->attrs[VPC_A_PORT], NULL, info->extack);
	if (err)
		return err;
	if (!tb[VPC_PORT_A_IFNAME]) {
		vpc_refuse(info->extack, "IFNAME is missing");
		return -EINVAL;
	}
	if (!dev_valid_name(nla_data(tb[VPC_PORT_A_IFNAME]))) {
		vpc_refuse(info->extack, "IFNAME is not a device's name");
		return -EINVAL;
	}
	return 0;
}

/* The port that the request names. */
static int vpc_port_require(struct vpc_net *vnet, struct genl_info *info, struct vpc_port **ret_port)
{
	struct nlattr *tb[VPC_PORT_A_MAX + 1];
	struct vpc_port *port;
	int err;

	err = vpc_port_parse(info, tb);
	if (err)
		return err;
	port = vpc_port_lookup_name(vnet, nla_data(tb[VPC_PORT_A_IFNAME]));
	if (!port) {
		vpc_refuse(info->extack, "port %s does not exist", (char *)nla_data(tb[VPC_PORT_A_IFNAME]));
		return -ENOENT;
	}
	*ret_port = port;
	return 0;
}

/* -- PORT_NEW ------------------------------------------------------------------------------------------------------ */

static int vpc_port_conf_mac(struct vpc_port_conf *conf, struct nlattr **tb, struct netlink_ext_ack *extack)
{
	static const u8 router_mac[ETH_ALEN] = VPC_ROUTER_MAC;

	if (!tb[VPC_PORT_A_MAC]) {
		vpc_refuse(extack, "MAC is missing");
		return -EINVAL;
	}
	memcpy(conf->mac, nla_data(tb[VPC_PORT_A_MAC]), ETH_ALEN);
	if (!is_valid_ether_addr(conf->mac)) {
		vpc_refuse(extack, "MAC %pM is not one device's address", conf->mac);
		return -EADDRNOTAVAIL;
	}
	if (!memcmp(conf->mac, router_mac, ETH_ALEN)) {
		vpc_refuse(extack, "MAC %pM is the router's", conf->mac);
		return -EADDRNOTAVAIL;
	}
	return 0;
}

static int vpc_port_conf_subnet6(struct vpc_port_conf *conf, struct nlattr **tb, struct netlink_ext_ack *extack)
{
	if (!tb[VPC_PORT_A_SUBNET6])
		return 0;
	memcpy(&conf->subnet6, nla_data(tb[VPC_PORT_A_SUBNET6]), sizeof(conf->subnet6));
	if (conf->subnet6.family != AF_INET6) {
		vpc_refuse(extack, "SUBNET6 is not an IPv6 prefix");
		return -EINVAL;
	}
	return vpc_parse_prefix(&conf->subnet6, extack);
}

static int vpc_port_conf_fill(struct vpc_port_conf *conf, struct nlattr **tb, struct netlink_ext_ack *extack)
{
	u32 i;
	int err;

	err = vpc_port_conf_mac(conf, tb, extack);
	if (err)
		return err;
	if (tb[VPC_PORT_A_TABLE])
		conf->table = nla_get_u32(tb[VPC_PORT_A_TABLE]);
	if (tb[VPC_PORT_A_FLAGS])
		conf->flags = nla_get_u32(tb[VPC_PORT_A_FLAGS]);
	if (tb[VPC_PORT_A_GATEWAY4])
		conf->gateway4 = nla_get_be32(tb[VPC_PORT_A_GATEWAY4]);
	if (tb[VPC_PORT_A_GATEWAY6])
		conf->gateway6 = nla_get_in6_addr(tb[VPC_PORT_A_GATEWAY6]);
	err = vpc_port_conf_subnet6(conf, tb, extack);
	if (err)
		return err;
	if (conf->n_addrs)
		memcpy(conf->addrs, nla_data(tb[VPC_PORT_A_ADDRS]), flex_array_size(conf, addrs, conf->n_addrs));
	for (i = 0; i < conf->n_addrs; i++) {
		err = vpc_parse_prefix(&conf->addrs[i], extack);
		if (err)
			return err;
	}
	return 0;
}

/* *ret_conf belongs to the caller. */
static int vpc_port_conf_new(struct nlattr **tb, struct netlink_ext_ack *extack, struct vpc_port_conf **ret_conf)
{
	size_t len = tb[VPC_PORT_A_ADDRS] ? nla_len(tb[VPC_PORT_A_ADDRS]) : 0;
	struct vpc_port_conf *conf;
	int err;

	if (len % sizeof(struct vpc_nl_prefix)) {
		vpc_refuse(extack, "ADDRS is not a whole number of prefixes: %zu bytes", len);
		return -EINVAL;
	}
	conf = kzalloc(struct_size(conf, addrs, len / sizeof(struct vpc_nl_prefix)), GFP_KERNEL_ACCOUNT);
	if (!conf)
		return -ENOMEM;
	conf->n_addrs = len / sizeof(struct vpc_nl_prefix);
	err = vpc_port_conf_fill(conf, tb, extack);
	if (err) {
		kfree(conf);
		return err;
	}
	*ret_conf = conf;
	return 0;
}

static void vpc_port_refuse_other(struct netlink_ext_ack *extack, const struct vpc_port *other)
{
	vpc_refuse(extack, "an address belongs to port %s of VPC %u already", other->name, other->vpc->vni);
}

/* Regardless of the return value, @conf is consumed. */
static int vpc_port_create(struct vpc *vpc, const char *name, struct vpc_port_conf *conf,
			   struct netlink_ext_ack *extack)
{
	const struct vpc_port *other;
	struct vpc_port *port;
	int err;

	err = vpc_port_new(vpc, name, conf, &port, &other);
	if (err == -EEXIST)
		vpc_port_refuse_other(extack, other);
	if (err) {
		kfree(conf);
		return err;
	}
	err = vpc_netdev_attach(vpc->vnet, port, extack);
	if (err)
		vpc_port_del(port);
	return err;
}

/* Regardless of the return value, @conf is consumed. */
static int vpc_port_change(struct vpc_port *port, struct vpc_port_conf *conf, struct netlink_ext_ack *extack)
{
	bool was_absent = !rtnl_dereference(port->dev);
	const struct vpc_port *other;
	int err;

	err = vpc_netdev_attach(port->vpc->vnet, port, extack);
	if (err)
		goto err_free;
	err = vpc_port_set(port, conf, &other);
	if (!err)
		return 0;
	if (err == -EEXIST)
		vpc_port_refuse_other(extack, other);
	if (was_absent)
		vpc_port_detach(port);
err_free:
	kfree(conf);
	return err;
}

/* The port @name exists: it may be changed, but not moved. */
static int vpc_port_check_change(const struct vpc_port *port, const struct vpc *vpc, bool replace,
				 struct netlink_ext_ack *extack)
{
	if (!replace) {
		vpc_refuse(extack, "port %s exists already", port->name);
		return -EEXIST;
	}
	if (port->vpc != vpc) {
		vpc_refuse(extack, "port %s belongs to VPC %u: delete it first", port->name, port->vpc->vni);
		return -EINVAL;
	}
	return 0;
}

int vpc_cmd_port_new(struct vpc_net *vnet, struct genl_info *info)
{
	struct nlattr *tb[VPC_PORT_A_MAX + 1];
	struct vpc_port_conf *conf;
	struct vpc_port *port;
	struct vpc *vpc;
	int err;

	err = vpc_port_parse(info, tb);
	if (err)
		return err;
	if (!tb[VPC_PORT_A_VNI]) {
		vpc_refuse(info->extack, "VNI is missing");
		return -EINVAL;
	}
	vpc = vpc_lookup(vnet, nla_get_u32(tb[VPC_PORT_A_VNI]));
	if (!vpc) {
		vpc_refuse(info->extack, "VPC %u does not exist", nla_get_u32(tb[VPC_PORT_A_VNI]));
		return -ENOENT;
	}
	port = vpc_port_lookup_name(vnet, nla_data(tb[VPC_PORT_A_IFNAME]));
	if (port)
		err = vpc_port_check_change(port, vpc, info->nlhdr->nlmsg_flags & NLM_F_REPLACE, info->extack);
	if (!err)
		err = vpc_port_conf_new(tb, info->extack, &conf);
	if (err)
		return err;
	if (port)
		return vpc_port_change(port, conf, info->extack);
	return vpc_port_create(vpc, nla_data(tb[VPC_PORT_A_IFNAME]), conf, info->extack);
}

int vpc_cmd_port_del(struct vpc_net *vnet, struct genl_info *info)
{
	struct vpc_port *port;
	int err;

	err = vpc_port_require(vnet, info, &port);
	if (err)
		return err;
	vpc_port_detach(port);
	vpc_port_del(port);
	return 0;
}

/* -- PORT_GET ------------------------------------------------------------------------------------------------------ */

static int vpc_put_port_conf(struct sk_buff *skb, const struct vpc_port_conf *conf)
{
	if (nla_put(skb, VPC_PORT_A_MAC, ETH_ALEN, conf->mac) || nla_put_u32(skb, VPC_PORT_A_TABLE, conf->table) ||
	    nla_put_u32(skb, VPC_PORT_A_FLAGS, conf->flags) ||
	    nla_put(skb, VPC_PORT_A_ADDRS, flex_array_size(conf, addrs, conf->n_addrs), conf->addrs))
		return -EMSGSIZE;
	if (conf->gateway4 && nla_put_be32(skb, VPC_PORT_A_GATEWAY4, conf->gateway4))
		return -EMSGSIZE;
	if (!ipv6_addr_any(&conf->gateway6) && nla_put_in6_addr(skb, VPC_PORT_A_GATEWAY6, &conf->gateway6))
		return -EMSGSIZE;
	if (conf->subnet6.family && nla_put(skb, VPC_PORT_A_SUBNET6, sizeof(conf->subnet6), &conf->subnet6))
		return -EMSGSIZE;
	return 0;
}

int vpc_put_port(struct sk_buff *skb, const struct vpc_port *port)
{
	const struct vpc_net *vnet = port->vpc->vnet;
	const struct net_device *dev = rcu_dereference_protected(port->dev, lockdep_is_held(&vnet->lock));
	struct nlattr *nest = nla_nest_start(skb, VPC_A_PORT);

	if (!nest)
		return -EMSGSIZE;
	if (nla_put_string(skb, VPC_PORT_A_IFNAME, port->name) || nla_put_u32(skb, VPC_PORT_A_VNI, port->vpc->vni) ||
	    (dev && nla_put_u32(skb, VPC_PORT_A_IFINDEX, dev->ifindex)) ||
	    vpc_put_port_conf(skb, rcu_dereference_protected(port->conf, lockdep_is_held(&vnet->lock))))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

int vpc_cmd_port_get(struct vpc_net *vnet, struct genl_info *info)
{
	struct vpc_port *port;
	struct sk_buff *skb;
	void *hdr;
	int err;

	if (info->attrs[VPC_A_VNI]) {
		vpc_refuse(info->extack, "VNI picks ports in a dump only");
		return -EINVAL;
	}
	err = vpc_port_require(vnet, info, &port);
	if (err)
		return err;
	skb = vpc_reply_new(info, NLMSG_DEFAULT_SIZE, &hdr);
	if (!skb)
		return -ENOMEM;
	err = vpc_put_port(skb, port);
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	return vpc_reply_send(skb, hdr, info);
}

struct vpc_dump_ports_ctx {
	unsigned long index;	/* the last port dumped */
};

static int vpc_dump_port(struct sk_buff *skb, struct netlink_callback *cb, const struct vpc_port *port)
{
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &vpc_genl_family, NLM_F_MULTI,
				VPC_CMD_PORT_GET);

	if (!hdr)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, hdr);
	if (vpc_put_port(skb, port)) {
		genlmsg_cancel(skb, hdr);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return 0;
}

static int vpc_dump_ports_open(struct netlink_callback *cb, struct netlink_ext_ack *extack)
{
	if (vpc_dump_attrs(cb)[VPC_A_PORT]) {
		vpc_refuse(extack, "PORT picks one port, and not in a dump");
		return -EINVAL;
	}
	return vpc_dump_check_vni(cb, extack);
}

int vpc_dump_ports_start(struct netlink_callback *cb)
{
	return vpc_dump_start(cb, vpc_dump_ports_open);
}

int vpc_dump_ports(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct vpc_dump_ports_ctx *ctx = (struct vpc_dump_ports_ctx *)cb->ctx;
	const struct nlattr *only = vpc_dump_attrs(cb)[VPC_A_VNI];
	struct vpc_net *vnet = vpc_net(sock_net(skb->sk));
	const struct vpc_port *port;
	unsigned long index;

	mutex_lock(&vnet->lock);
	cb->seq = vnet->generation;
	xa_for_each_start(&vnet->port_ids, index, port, ctx->index + 1) {
		if (only && port->vpc->vni != nla_get_u32(only))
			continue;
		if (vpc_dump_port(skb, cb, port))
			break;
		ctx->index = index;
	}
	mutex_unlock(&vnet->lock);
	return skb->len;
}
