/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between CDB's columns and the model: nothing that was read is believed. A value that the schema forbids is -EPROTO,
 * the text names table and key. No I/O; used by lib/cdb_read.c, lib/cdb_change.c, lib/intent*.c and vpcctl's show
 * commands.
 */
#ifndef VPC_CDB_ROW_H
#define VPC_CDB_ROW_H

#include "cdb_stmt.h"

/* CDB's family column. */
static inline uint32_t cdb_family(uint8_t af)
{
	return af == AF_INET6 ? 6 : 4;
}

static inline size_t cdb_addr_len(uint8_t af)
{
	return af == AF_INET6 ? 16 : 4;
}

/* @table: for the error text. @vni 0: not of a VPC. */
int cdb_addr_check(const char *table, uint32_t vni, uint32_t family, const struct cdb_bin *bytes,
		   struct vpc_addr *ret_addr, struct vpc_err *err);
int cdb_prefix_check(const char *table, uint32_t vni, uint32_t family, const struct cdb_bin *bytes, uint32_t plen,
		     struct vpc_prefix *ret_prefix, struct vpc_err *err);

/* The columns of a nexthop row, as CDB_NEXTHOP_COLS reads them. */
struct cdb_nexthop_row {
	uint32_t id, type, family, nh_vni, nh_table;
	struct cdb_bin vtep, mac;
};
#define CDB_NEXTHOP_COLS "id, type, family, vtep, nh_vni, nh_table, mac"
#define CDB_NEXTHOP_FMT "uuubuub"
#define CDB_NEXTHOP_OUT(row) \
	&(row)->id, &(row)->type, &(row)->family, &(row)->vtep, &(row)->nh_vni, &(row)->nh_table, &(row)->mac
int cdb_nexthop_check(uint32_t vni, const struct cdb_nexthop_row *row, struct vpc_nl_nexthop *ret_nh,
		      struct vpc_err *err);

int cdb_member_check(uint32_t vni, uint32_t group, uint32_t nexthop, uint32_t weight, struct vpc_nl_member *ret_member,
		     struct vpc_err *err);

/* An element of change_op: canonical bytes (proto/vpc_canon.h) taken apart. */
enum cdb_element_kind {
	CDB_ELEMENT_NEXTHOP = 1,
	CDB_ELEMENT_ROUTE = 2,
	CDB_ELEMENT_MEMBER = 3
};
struct cdb_element {
	enum cdb_element_kind kind;
	union {
		struct vpc_nl_nexthop nexthop;
		struct vpc_route route;
		struct vpc_nl_member member;
	};
};
/* By kind and key: nexthops, members, routes. */
int cdb_element_cmp(const struct cdb_element *a, const struct cdb_element *b);
/* -EPROTO without a text. */
int cdb_element_parse(const uint8_t *bytes, size_t len, struct cdb_element *ret_element);

/* Names of VPCs, subnets, ports, tables: a letter, then letters, digits, '_', '.', '-', 63 in all. -EINVAL. Hosts':
 * vpc_host_name_valid(). */
int cdb_name_check(const char *what, const char *name, struct vpc_err *err);

#endif
