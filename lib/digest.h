/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order-free digest of a VPC's elements (proto/vpc_canon.h), by libsodium.
 */
#ifndef VPC_DIGEST_H
#define VPC_DIGEST_H

#include "model.h"

#define VPC_DIGEST_STRLEN 33

void vpc_digest_add_nexthop(struct vpc_digest *digest, const struct vpc_nl_nexthop *nh);
void vpc_digest_sub_nexthop(struct vpc_digest *digest, const struct vpc_nl_nexthop *nh);
void vpc_digest_add_member(struct vpc_digest *digest, const struct vpc_nl_member *member);
void vpc_digest_sub_member(struct vpc_digest *digest, const struct vpc_nl_member *member);
void vpc_digest_add_route(struct vpc_digest *digest, const struct vpc_route *route);
void vpc_digest_sub_route(struct vpc_digest *digest, const struct vpc_route *route);
struct vpc_digest vpc_digest_of_state(const struct vpc_state *state);

bool vpc_digest_equal(const struct vpc_digest *a, const struct vpc_digest *b);
char *vpc_digest_format(const struct vpc_digest *digest, char *buf); /* 32 hex digits */
int vpc_digest_parse(const char *text, struct vpc_digest *ret); /* exactly 32 hex digits, else -EINVAL */

#endif
