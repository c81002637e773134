/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The order-free digest of a VPC's elements (proto/vpc_canon.h), by the kernel's SipHash; tables/txn.c keeps it.
 */
#ifndef VPC_TABLES_DIGEST_H
#define VPC_TABLES_DIGEST_H

#include "../../proto/vpc_genl.h"
#include <linux/types.h>

void vpc_digest_add_nexthop(struct vpc_digest *digest, const struct vpc_nl_nexthop *nh);
void vpc_digest_sub_nexthop(struct vpc_digest *digest, const struct vpc_nl_nexthop *nh);
void vpc_digest_add_member(struct vpc_digest *digest, const struct vpc_nl_member *member);
void vpc_digest_sub_member(struct vpc_digest *digest, const struct vpc_nl_member *member);
void vpc_digest_add_route(struct vpc_digest *digest, u32 table, u8 family, const u8 *addr, u8 plen, u32 nexthop);
void vpc_digest_sub_route(struct vpc_digest *digest, u32 table, u8 family, const u8 *addr, u8 plen, u32 nexthop);
bool vpc_digest_equal(const struct vpc_digest *a, const struct vpc_digest *b);

#endif
