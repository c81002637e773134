// SPDX-License-Identifier: Apache-2.0
/*
 * Columns to model, checked. Canonical bytes are taken apart in one place, here; they are made by proto/vpc_canon.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "cdb_row.h"
#include "../proto/vpc_canon.h"

#define NAME_MAX_LEN 63

/* "CDB: route of VPC 7: <what>" */
static int bad_row(const char *table, uint32_t vni, const struct cdb_bin *bytes, const char *what, uint32_t value,
		   struct vpc_err *err)
{
	char hex[2 * sizeof(bytes->bytes) + 1] = "";

	for (size_t i = 0; i < bytes->len; i++)
		sprintf(hex + 2 * i, "%02x", bytes->bytes[i]);
	if (!vni)
		return vpc_err_set(err, -EPROTO, "CDB: %s, address x'%s': %s (%u)", table, hex, what, value);
	return vpc_err_set(err, -EPROTO, "CDB: %s of VPC %u, address x'%s': %s (%u)", table, vni, hex, what, value);
}

int cdb_addr_check(const char *table, uint32_t vni, uint32_t family, const struct cdb_bin *bytes,
		   struct vpc_addr *ret_addr, struct vpc_err *err)
{
	struct vpc_addr addr = { .family = family == 6 ? AF_INET6 : AF_INET };

	if (family != 4 && family != 6)
		return bad_row(table, vni, bytes, "unknown family", family, err);
	if (bytes->len != cdb_addr_len(addr.family))
		return bad_row(table, vni, bytes, "wrong address length", bytes->len, err);
	memcpy(addr.bytes, bytes->bytes, bytes->len);
	*ret_addr = addr;
	return 0;
}

int cdb_prefix_check(const char *table, uint32_t vni, uint32_t family, const struct cdb_bin *bytes, uint32_t plen,
		     struct vpc_prefix *ret_prefix, struct vpc_err *err)
{
	struct vpc_prefix prefix, masked;
	struct vpc_addr addr;
	int r;

	r = cdb_addr_check(table, vni, family, bytes, &addr, err);
	if (r)
		return r;
	if (plen > vpc_family_bits(addr.family))
		return bad_row(table, vni, bytes, "prefix length out of range", plen, err);
	prefix.family = addr.family;
	prefix.plen = plen;
	memcpy(prefix.bytes, addr.bytes, sizeof(prefix.bytes));
	masked = prefix;
	if (vpc_prefix_mask(&masked))
		return bad_row(table, vni, bytes, "bits beyond the prefix length", plen, err);
	*ret_prefix = prefix;
	return 0;
}

int cdb_nexthop_check(uint32_t vni, const struct cdb_nexthop_row *row, struct vpc_nl_nexthop *ret_nh,
		      struct vpc_err *err)
{
	struct vpc_nl_nexthop nh = { .id = row->id, .type = row->type, .vni = row->nh_vni, .table = row->nh_table };
	struct vpc_addr vtep = { 0 };
	const char *fault;
	int r;

	if (row->type > UINT8_MAX || row->mac.len != 6)
		return vpc_err_set(err, -EPROTO, "CDB: nexthop %u of VPC %u: malformed type or MAC", row->id, vni);
	memcpy(nh.mac, row->mac.bytes, 6);
	if (row->family || row->vtep.len) {
		r = cdb_addr_check("nexthop", vni, row->family, &row->vtep, &vtep, err);
		if (r)
			return r;
		nh.family = vtep.family;
		memcpy(nh.addr, vtep.bytes, sizeof(nh.addr));
	}
	fault = vpc_nexthop_fault(&nh);
	if (fault)
		return vpc_err_set(err, -EPROTO, "CDB: nexthop %u of VPC %u: %s", row->id, vni, fault);
	*ret_nh = nh;
	return 0;
}

int cdb_member_check(uint32_t vni, uint32_t group, uint32_t nexthop, uint32_t weight, struct vpc_nl_member *ret_member,
		     struct vpc_err *err)
{
	struct vpc_nl_member member = { .group = group, .nexthop = nexthop };
	const char *fault;

	member.weight = weight <= VPC_WEIGHT_MAX ? weight : 0;
	fault = vpc_member_fault(&member);
	if (fault)
		return vpc_err_set(err, -EPROTO, "CDB: member %u of group %u of VPC %u: %s", nexthop, group, vni,
				   fault);
	*ret_member = member;
	return 0;
}

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

/* @family: 4 or 6, as in the canonical bytes; 0 when it is neither. */
static size_t canon_addr_len(uint8_t family)
{
	return family == 4 ? 4 : family == 6 ? 16 : 0;
}

static int parse_nexthop(const uint8_t *p, size_t len, struct vpc_nl_nexthop *ret_nh)
{
	struct vpc_nl_nexthop nh = { 0 };
	size_t addr_len;

	if (len < 6)
		return -EPROTO;
	nh.id = get_u32(p + 1);
	nh.type = p[5];
	p += 6;
	len -= 6;
	if (nh.type == VPC_NEXTHOP_HOST || nh.type == VPC_NEXTHOP_GATEWAY) {
		addr_len = len ? canon_addr_len(p[0]) : 0;
		if (!addr_len || len != 1 + addr_len + 4 + 6)
			return -EPROTO;
		nh.family = p[0] == 6 ? AF_INET6 : AF_INET;
		memcpy(nh.addr, p + 1, addr_len);
		nh.vni = get_u32(p + 1 + addr_len);
		memcpy(nh.mac, p + 1 + addr_len + 4, 6);
	} else if (nh.type == VPC_NEXTHOP_PEER) {
		if (len != 8)
			return -EPROTO;
		nh.vni = get_u32(p);
		nh.table = get_u32(p + 4);
	} else if (len) {
		return -EPROTO;
	}
	if (vpc_nexthop_fault(&nh))
		return -EPROTO;
	*ret_nh = nh;
	return 0;
}

static int parse_route(const uint8_t *p, size_t len, struct vpc_route *ret_route)
{
	struct vpc_route route = { 0 };
	size_t addr_len;

	addr_len = len > 7 ? canon_addr_len(p[5]) : 0;
	if (!addr_len || len != 7 + addr_len + 4)
		return -EPROTO;
	route.table = get_u32(p + 1);
	route.prefix.family = p[5] == 6 ? AF_INET6 : AF_INET;
	route.prefix.plen = p[6];
	memcpy(route.prefix.bytes, p + 7, addr_len);
	route.nexthop = get_u32(p + 7 + addr_len);
	if (route.table >= VPC_TABLES_MAX || route.prefix.plen > addr_len * 8 || vpc_prefix_mask(&route.prefix) ||
	    !route.nexthop)
		return -EPROTO;
	*ret_route = route;
	return 0;
}

static int parse_member(const uint8_t *p, size_t len, struct vpc_nl_member *ret_member)
{
	struct vpc_nl_member member = { 0 };

	if (len != 11)
		return -EPROTO;
	member.group = get_u32(p + 1);
	member.nexthop = get_u32(p + 5);
	member.weight = p[9] << 8 | p[10];
	if (vpc_member_fault(&member))
		return -EPROTO;
	*ret_member = member;
	return 0;
}

int cdb_element_parse(const uint8_t *bytes, size_t len, struct cdb_element *ret_element)
{
	struct cdb_element element;
	int r;

	if (!len)
		return -EPROTO;
	element.kind = bytes[0];
	if (bytes[0] == CDB_ELEMENT_NEXTHOP)
		r = parse_nexthop(bytes, len, &element.nexthop);
	else if (bytes[0] == CDB_ELEMENT_ROUTE)
		r = parse_route(bytes, len, &element.route);
	else if (bytes[0] == CDB_ELEMENT_MEMBER)
		r = parse_member(bytes, len, &element.member);
	else
		r = -EPROTO;
	if (r)
		return r;
	*ret_element = element;
	return 0;
}

/* Members stand between nexthops and routes, as everywhere. */
static int element_rank(enum cdb_element_kind kind)
{
	switch (kind) {
	case CDB_ELEMENT_NEXTHOP:
		return 0;
	case CDB_ELEMENT_MEMBER:
		return 1;
	case CDB_ELEMENT_ROUTE:
		return 2;
	}
	return 3;
}

int cdb_element_cmp(const struct cdb_element *a, const struct cdb_element *b)
{
	if (a->kind != b->kind)
		return element_rank(a->kind) - element_rank(b->kind);
	switch (a->kind) {
	case CDB_ELEMENT_NEXTHOP:
		return vpc_nexthop_cmp(&a->nexthop, &b->nexthop);
	case CDB_ELEMENT_MEMBER:
		return vpc_member_cmp(&a->member, &b->member);
	case CDB_ELEMENT_ROUTE:
		return vpc_route_cmp(&a->route, &b->route);
	}
	return 0;
}

int cdb_name_check(const char *what, const char *name, struct vpc_err *err)
{
	static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t len = strlen(name);

	if (!len || len > NAME_MAX_LEN || strspn(name, rest) != len || strspn(name, "0123456789_.-"))
		return vpc_err_set(
			err, -EINVAL,
			"%s name '%.64s': give a letter, then letters, digits, '_', '.' or '-', at most %d in all",
			what, name, NAME_MAX_LEN);
	return 0;
}
