/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checks of what user space sent, beyond what a policy can say. Pure: no state, no locks. -EINVAL with a text that
 * names the thing.
 */
#ifndef VPC_CONTROL_PARSE_H
#define VPC_CONTROL_PARSE_H

#include <linux/in6.h>
#include <linux/netlink.h>
#include "../../proto/vpc_genl.h"

/* Whether @addr4 can be a VTEP: one host's address. */
bool vpc_parse_is_vtep4(__be32 addr4);
/* The same for IPv6: neither unspecified, multicast, loopback, link-local nor an IPv4 address in disguise. */
bool vpc_parse_is_vtep6(const struct in6_addr *addr6);

/* @vni: the VPC that it is for. */
int vpc_parse_nexthop(const struct vpc_nl_nexthop *nh, u32 vni, struct netlink_ext_ack *extack);
int vpc_parse_member(const struct vpc_nl_member *member, struct netlink_ext_ack *extack);
int vpc_parse_route4(const struct vpc_nl_route4 *route, struct netlink_ext_ack *extack);
int vpc_parse_route6(const struct vpc_nl_route6 *route, struct netlink_ext_ack *extack);
int vpc_parse_prefix(const struct vpc_nl_prefix *prefix, struct netlink_ext_ack *extack);
/* The same for an address, whose plen is ignored. @what: its name. */
int vpc_parse_addr(const struct vpc_nl_prefix *addr, const char *what, struct netlink_ext_ack *extack);

#endif
