/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The generic netlink family and what its commands share. genl.c has the tables of commands and policies; one file a
 * noun has the commands; parse.c checks what came in; event.c tells the world.
 */
#ifndef VPC_CONTROL_GENL_H
#define VPC_CONTROL_GENL_H

#include <net/genetlink.h>
#include "../compat.h"
#include "../tables/port.h"
#include "../tables/vpc.h"

extern struct genl_family vpc_genl_family;

int vpc_genl_init(void);
void vpc_genl_exit(void);

/* netdev.c: ports follow the devices of their name. */
int vpc_netdev_init(void);
void vpc_netdev_exit(void);
/* Namespace exit: unbinds every port that is still bound. Takes RTNL and vnet->lock. */
void vpc_netdev_detach_all(struct vpc_net *vnet);
/* RTNL and vnet->lock held. Binds an absent @port to the device of its name, if there is one. Errors: as attach's. */
int vpc_netdev_attach(struct vpc_net *vnet, struct vpc_port *port, struct netlink_ext_ack *extack);

/* Commands. Those that the table in genl.c says so for are called with vnet->lock (and RTNL) held. */
int vpc_cmd_host_set(struct vpc_net *vnet, struct genl_info *info);
int vpc_cmd_host_get(struct vpc_net *vnet, struct genl_info *info);
int vpc_cmd_vpc_new(struct vpc_net *vnet, struct genl_info *info);
int vpc_cmd_vpc_del(struct vpc_net *vnet, struct genl_info *info);
int vpc_cmd_vpc_get(struct vpc_net *vnet, struct genl_info *info);
int vpc_cmd_vpc_verify(struct vpc_net *vnet, struct genl_info *info);
int vpc_cmd_port_new(struct vpc_net *vnet, struct genl_info *info);
int vpc_cmd_port_del(struct vpc_net *vnet, struct genl_info *info);
int vpc_cmd_port_get(struct vpc_net *vnet, struct genl_info *info);
int vpc_cmd_txn_begin(struct vpc_net *vnet, struct genl_info *info);
int vpc_cmd_txn_add(struct vpc_net *vnet, struct genl_info *info);
int vpc_cmd_txn_commit(struct vpc_net *vnet, struct genl_info *info);
int vpc_cmd_txn_abort(struct vpc_net *vnet, struct genl_info *info);
int vpc_cmd_lookup(struct vpc_net *vnet, struct genl_info *info);

/* A dump's own part of its start: checks what was asked, and opens what it holds. */
typedef int vpc_dump_start_fn(struct netlink_callback *cb, struct netlink_ext_ack *extack);
/* What every dump starts with: checks the header, calls @fn, sees to the text of a refusal. */
int vpc_dump_start(struct netlink_callback *cb, vpc_dump_start_fn *fn);
/* 0, or -ENOENT with a text: the VPC that the dump picks by VNI must exist. For policies that have a VNI. */
int vpc_dump_check_vni(struct netlink_callback *cb, struct netlink_ext_ack *extack);

/* List dumps: no snapshots, but marked NLM_F_DUMP_INTR when something came or went meanwhile. */
int vpc_dump_vpcs_start(struct netlink_callback *cb);
int vpc_dump_ports_start(struct netlink_callback *cb);
int vpc_dump_stats_start(struct netlink_callback *cb);
int vpc_dump_vpcs(struct sk_buff *skb, struct netlink_callback *cb);
int vpc_dump_ports(struct sk_buff *skb, struct netlink_callback *cb);
int vpc_dump_stats(struct sk_buff *skb, struct netlink_callback *cb);

/* Snapshot dumps: hold a version from start to done. */
int vpc_dump_routes_start(struct netlink_callback *cb);
int vpc_dump_nexthops_start(struct netlink_callback *cb);
int vpc_dump_routes(struct sk_buff *skb, struct netlink_callback *cb);
int vpc_dump_nexthops(struct sk_buff *skb, struct netlink_callback *cb);
int vpc_dump_done(struct netlink_callback *cb);

/* 0, or -EINVAL with a text: only the header flags that every command takes, and @known. */
int vpc_check_header(const struct nlmsghdr *nlh, u16 known, struct netlink_ext_ack *extack);
/* 0, or -EINVAL with a text that names @name: the request must carry attribute @type. */
int vpc_require(struct genl_info *info, int type, const char *name);
/* The VPC that the request's VNI names. -EINVAL, -ENOENT with a text. Under RCU or vnet->lock. */
int vpc_require_vpc(struct vpc_net *vnet, struct genl_info *info, struct vpc **ret_vpc);

/* An answer to @info. NULL: out of memory. Belongs to the caller until vpc_reply_send(), which consumes it. */
struct sk_buff *vpc_reply_new(struct genl_info *info, size_t payload, void **ret_hdr);
int vpc_reply_send(struct sk_buff *skb, void *hdr, struct genl_info *info);

/* 0 or -EMSGSIZE. vnet->lock held, or a reference on @version. */
int vpc_put_version(struct sk_buff *skb, const struct vpc_version *version);
int vpc_put_port(struct sk_buff *skb, const struct vpc_port *port);

#endif
