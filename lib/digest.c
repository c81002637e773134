// SPDX-License-Identifier: Apache-2.0
/*
 * The digest of a VPC (proto/vpc_canon.h) in user space: libsodium's SipHash-2-4 over canonical bytes, summed. The
 * module computes the same with <linux/siphash.h>; tests/data/digest-vectors.txt holds both to one result.
 */
#include "digest.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium/crypto_shorthash_siphash24.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../proto/vpc_canon.h"

/* SipHash's result is defined as a little-endian number, whatever this machine is. */
static uint64_t element_hash(const uint8_t *bytes, size_t len, const char *key)
{
	uint8_t out[crypto_shorthash_siphash24_BYTES];
	uint64_t value = 0;

	crypto_shorthash_siphash24(out, bytes, len, (const uint8_t *)key);
	for (int i = 7; i >= 0; i--)
		value = value << 8 | out[i];
	return value;
}

static void element_add(struct vpc_digest *digest, const uint8_t *bytes, size_t len)
{
	digest->h[0] += element_hash(bytes, len, VPC_DIGEST_KEY0);
	digest->h[1] += element_hash(bytes, len, VPC_DIGEST_KEY1);
}

static void element_sub(struct vpc_digest *digest, const uint8_t *bytes, size_t len)
{
	digest->h[0] -= element_hash(bytes, len, VPC_DIGEST_KEY0);
	digest->h[1] -= element_hash(bytes, len, VPC_DIGEST_KEY1);
}

static size_t route_bytes(const struct vpc_route *route, uint8_t *buf)
{
	return vpc_canon_route(route->table, route->prefix.family, route->prefix.bytes, route->prefix.plen,
			       route->nexthop, buf);
}

void vpc_digest_add_nexthop(struct vpc_digest *digest, const struct vpc_nl_nexthop *nh)
{
	uint8_t buf[VPC_CANON_MAX];

	element_add(digest, buf, vpc_canon_nexthop(nh, buf));
}

void vpc_digest_sub_nexthop(struct vpc_digest *digest, const struct vpc_nl_nexthop *nh)
{
	uint8_t buf[VPC_CANON_MAX];

	element_sub(digest, buf, vpc_canon_nexthop(nh, buf));
}

void vpc_digest_add_member(struct vpc_digest *digest, const struct vpc_nl_member *member)
{
	uint8_t buf[VPC_CANON_MAX];

	element_add(digest, buf, vpc_canon_member(member, buf));
}

void vpc_digest_sub_member(struct vpc_digest *digest, const struct vpc_nl_member *member)
{
	uint8_t buf[VPC_CANON_MAX];

	element_sub(digest, buf, vpc_canon_member(member, buf));
}

void vpc_digest_add_route(struct vpc_digest *digest, const struct vpc_route *route)
{
	uint8_t buf[VPC_CANON_MAX];

	element_add(digest, buf, route_bytes(route, buf));
}

void vpc_digest_sub_route(struct vpc_digest *digest, const struct vpc_route *route)
{
	uint8_t buf[VPC_CANON_MAX];

	element_sub(digest, buf, route_bytes(route, buf));
}

struct vpc_digest vpc_digest_of_state(const struct vpc_state *state)
{
	struct vpc_digest digest = { 0 };

	for (size_t i = 0; i < state->n_nexthops; i++)
		vpc_digest_add_nexthop(&digest, &state->nexthops[i]);
	for (size_t i = 0; i < state->n_members; i++)
		vpc_digest_add_member(&digest, &state->members[i]);
	for (size_t i = 0; i < state->n_routes; i++)
		vpc_digest_add_route(&digest, &state->routes[i]);
	return digest;
}

bool vpc_digest_equal(const struct vpc_digest *a, const struct vpc_digest *b)
{
	return a->h[0] == b->h[0] && a->h[1] == b->h[1];
}

char *vpc_digest_format(const struct vpc_digest *digest, char *buf)
{
	snprintf(buf, VPC_DIGEST_STRLEN, "%016" PRIx64 "%016" PRIx64, (uint64_t)digest->h[0], (uint64_t)digest->h[1]);
	return buf;
}

int vpc_digest_parse(const char *text, struct vpc_digest *ret)
{
	char half[17];
	struct vpc_digest digest;

	if (strlen(text) != VPC_DIGEST_STRLEN - 1 || strspn(text, "0123456789abcdefABCDEF") != VPC_DIGEST_STRLEN - 1)
		return -EINVAL;
	for (int i = 0; i < 2; i++) {
		memcpy(half, text + 16 * i, 16);
		half[16] = 0;
		digest.h[i] = strtoull(half, NULL, 16);
	}
	*ret = digest;
	return 0;
}
