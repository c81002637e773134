// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks of packed structs from user space, called for every element before any of them takes effect.
 */
#include "parse.h"

#include <linux/etherdevice.h>
#include <linux/in.h>
#include <linux/string.h>
#include <net/ipv6.h>
#include "../compat.h"

static bool vpc_all_zero(const void *p, size_t len)
{
	return !memchr_inv(p, 0, len);
}

/* Whether @addr of @len bytes has a bit set behind @plen. */
static bool vpc_has_host_bits(const u8 *addr, unsigned int plen, unsigned int len)
{
	unsigned int byte = plen / 8;

	if (plen % 8) {
		if (addr[byte] & (0xff >> plen % 8))
			return true;
		byte++;
	}
	return !vpc_all_zero(addr + byte, len - byte);
}

bool vpc_parse_is_vtep4(__be32 addr4)
{
	return !ipv4_is_zeronet(addr4) && !ipv4_is_multicast(addr4) && !ipv4_is_lbcast(addr4);
}

bool vpc_parse_is_vtep6(const struct in6_addr *addr6)
{
	return !ipv6_addr_any(addr6) && !ipv6_addr_is_multicast(addr6) && !ipv6_addr_loopback(addr6) &&
	       !ipv6_addr_v4mapped(addr6) && !(ipv6_addr_type(addr6) & IPV6_ADDR_LINKLOCAL);
}

static int vpc_parse_nexthop_addr(const struct vpc_nl_nexthop *nh, struct netlink_ext_ack *extack)
{
	struct in6_addr addr6;
	__be32 addr4;

	if (nh->family == AF_INET6) {
		memcpy(&addr6, nh->addr, sizeof(addr6));
		if (vpc_parse_is_vtep6(&addr6))
			return 0;
		vpc_refuse(extack, "nexthop %u: %pI6c cannot be a VTEP", nh->id, &addr6);
		return -EINVAL;
	}
	if (nh->family != AF_INET) {
		vpc_refuse(extack, "nexthop %u: family %u is neither IPv4 nor IPv6", nh->id, nh->family);
		return -EINVAL;
	}
	if (!vpc_all_zero(nh->addr + 4, sizeof(nh->addr) - 4)) {
		vpc_refuse(extack, "nexthop %u: bytes behind the IPv4 address must be 0", nh->id);
		return -EINVAL;
	}
	memcpy(&addr4, nh->addr, sizeof(addr4));
	if (!vpc_parse_is_vtep4(addr4)) {
		vpc_refuse(extack, "nexthop %u: %pI4 cannot be a VTEP", nh->id, &addr4);
		return -EINVAL;
	}
	return 0;
}

/* HOST and GATEWAY. */
static int vpc_parse_nexthop_vtep(const struct vpc_nl_nexthop *nh, struct netlink_ext_ack *extack)
{
	int err;

	err = vpc_parse_nexthop_addr(nh, extack);
	if (err)
		return err;
	if (nh->vni > VPC_VNI_MAX) {
		vpc_refuse(extack, "nexthop %u: VNI %u is not within 1..%u", nh->id, nh->vni, VPC_VNI_MAX);
		return -EINVAL;
	}
	if (is_multicast_ether_addr(nh->mac)) {
		vpc_refuse(extack, "nexthop %u: MAC %pM is a multicast address", nh->id, nh->mac);
		return -EINVAL;
	}
	if (nh->table) {
		vpc_refuse(extack, "nexthop %u: table must be 0", nh->id);
		return -EINVAL;
	}
	return 0;
}

/* @vni: the VPC that it is for. */
static int vpc_parse_nexthop_peer(const struct vpc_nl_nexthop *nh, u32 vni, struct netlink_ext_ack *extack)
{
	if (!nh->vni || nh->vni > VPC_VNI_MAX) {
		vpc_refuse(extack, "nexthop %u: VNI %u is not within 1..%u", nh->id, nh->vni, VPC_VNI_MAX);
		return -EINVAL;
	}
	if (nh->vni == vni) {
		vpc_refuse(extack, "nexthop %u: VPC %u cannot be its own peer", nh->id, vni);
		return -EINVAL;
	}
	if (nh->family || !vpc_all_zero(nh->mac, sizeof(nh->mac)) || !vpc_all_zero(nh->addr, sizeof(nh->addr))) {
		vpc_refuse(extack, "nexthop %u: a peer has no family, MAC or address", nh->id);
		return -EINVAL;
	}
	return 0;
}

/* Types that have nothing but their id. */
static int vpc_parse_nexthop_plain(const struct vpc_nl_nexthop *nh, struct netlink_ext_ack *extack)
{
	if (!nh->family && !nh->vni && !nh->table && vpc_all_zero(nh->mac, sizeof(nh->mac)) &&
	    vpc_all_zero(nh->addr, sizeof(nh->addr)))
		return 0;
	vpc_refuse(extack, "nexthop %u: type %u has no family, VNI, table, MAC or address", nh->id, nh->type);
	return -EINVAL;
}

static int vpc_parse_nexthop_type(const struct vpc_nl_nexthop *nh, u32 vni, struct netlink_ext_ack *extack)
{
	switch ((enum vpc_nexthop_type)nh->type) {
	case VPC_NEXTHOP_HOST:
	case VPC_NEXTHOP_GATEWAY:
		return vpc_parse_nexthop_vtep(nh, extack);
	case VPC_NEXTHOP_PEER:
		return vpc_parse_nexthop_peer(nh, vni, extack);
	case VPC_NEXTHOP_LOCAL:
	case VPC_NEXTHOP_GROUP:
	case VPC_NEXTHOP_BLACKHOLE:
	case VPC_NEXTHOP_PROHIBIT:
	case VPC_NEXTHOP_UNREACHABLE:
		return vpc_parse_nexthop_plain(nh, extack);
	case __VPC_NEXTHOP_AFTER_LAST:
		break;
	}
	vpc_refuse(extack, "nexthop %u: type %u is not known", nh->id, nh->type);
	return -EINVAL;
}

int vpc_parse_nexthop(const struct vpc_nl_nexthop *nh, u32 vni, struct netlink_ext_ack *extack)
{
	if (!nh->id) {
		vpc_refuse(extack, "a nexthop's id must not be 0");
		return -EINVAL;
	}
	if (nh->op > VPC_OP_DEL) {
		vpc_refuse(extack, "nexthop %u: operation %u is not known", nh->id, nh->op);
		return -EINVAL;
	}
	if (nh->pad || !vpc_all_zero(nh->pad2, sizeof(nh->pad2))) {
		vpc_refuse(extack, "nexthop %u: padding must be 0", nh->id);
		return -EINVAL;
	}
	return nh->op == VPC_OP_DEL ? 0 : vpc_parse_nexthop_type(nh, vni, extack);
}

int vpc_parse_member(const struct vpc_nl_member *member, struct netlink_ext_ack *extack)
{
	if (!member->group || !member->nexthop) {
		vpc_refuse(extack, "a member's group and nexthop must not be 0");
		return -EINVAL;
	}
	if (member->op > VPC_OP_DEL) {
		vpc_refuse(extack, "a member of group %u: operation %u is not known", member->group, member->op);
		return -EINVAL;
	}
	if (member->pad) {
		vpc_refuse(extack, "a member of group %u: padding must be 0", member->group);
		return -EINVAL;
	}
	if (member->op == VPC_OP_DEL)
		return 0;
	if (!member->weight || member->weight > VPC_WEIGHT_MAX) {
		vpc_refuse(extack, "group %u, nexthop %u: weight %u is not within 1..%u", member->group,
			   member->nexthop, member->weight, VPC_WEIGHT_MAX);
		return -EINVAL;
	}
	return 0;
}

/* What routes of both families have. */
static int vpc_parse_route(u32 table, u32 nexthop, u8 op, const u8 *pad, struct netlink_ext_ack *extack)
{
	if (op > VPC_OP_DEL) {
		vpc_refuse(extack, "a route in table %u: operation %u is not known", table, op);
		return -EINVAL;
	}
	if (pad[0] || pad[1]) {
		vpc_refuse(extack, "a route in table %u: padding must be 0", table);
		return -EINVAL;
	}
	if (op == VPC_OP_SET && !nexthop) {
		vpc_refuse(extack, "a route in table %u has no nexthop", table);
		return -EINVAL;
	}
	return 0;
}

int vpc_parse_route4(const struct vpc_nl_route4 *route, struct netlink_ext_ack *extack)
{
	int err;

	err = vpc_parse_route(route->table, route->nexthop, route->op, route->pad, extack);
	if (err)
		return err;
	if (route->plen > 32) {
		vpc_refuse(extack, "route %pI4/%u: longer than 32 bits", route->addr, route->plen);
		return -EINVAL;
	}
	if (vpc_has_host_bits(route->addr, route->plen, sizeof(route->addr))) {
		vpc_refuse(extack, "route %pI4/%u in table %u has host bits", route->addr, route->plen, route->table);
		return -EINVAL;
	}
	return 0;
}

int vpc_parse_route6(const struct vpc_nl_route6 *route, struct netlink_ext_ack *extack)
{
	int err;

	err = vpc_parse_route(route->table, route->nexthop, route->op, route->pad, extack);
	if (err)
		return err;
	if (route->plen > 128) {
		vpc_refuse(extack, "route %pI6c/%u: longer than 128 bits", route->addr, route->plen);
		return -EINVAL;
	}
	if (vpc_has_host_bits(route->addr, route->plen, sizeof(route->addr))) {
		vpc_refuse(extack, "route %pI6c/%u has host bits", route->addr, route->plen);
		return -EINVAL;
	}
	return 0;
}

int vpc_parse_addr(const struct vpc_nl_prefix *addr, const char *what, struct netlink_ext_ack *extack)
{
	if (addr->family != AF_INET && addr->family != AF_INET6) {
		vpc_refuse(extack, "%s: family %u is neither IPv4 nor IPv6", what, addr->family);
		return -EINVAL;
	}
	if (addr->pad[0] || addr->pad[1] || (addr->family == AF_INET && !vpc_all_zero(addr->addr + 4, 12))) {
		vpc_refuse(extack, "%s: padding must be 0", what);
		return -EINVAL;
	}
	return 0;
}

int vpc_parse_prefix(const struct vpc_nl_prefix *prefix, struct netlink_ext_ack *extack)
{
	unsigned int len;
	int err;

	err = vpc_parse_addr(prefix, "prefix", extack);
	if (err)
		return err;
	len = prefix->family == AF_INET6 ? 16 : 4;
	if (prefix->plen > 8 * len) {
		vpc_refuse(extack, "prefix length %u is beyond %u", prefix->plen, 8 * len);
		return -EINVAL;
	}
	if (!vpc_has_host_bits(prefix->addr, prefix->plen, len))
		return 0;
	if (prefix->family == AF_INET6)
		vpc_refuse(extack, "prefix %pI6c/%u has host bits", prefix->addr, prefix->plen);
	else
		vpc_refuse(extack, "prefix %pI4/%u has host bits", prefix->addr, prefix->plen);
	return -EINVAL;
}
