// SPDX-License-Identifier: GPL-2.0-only
/*
 * The digest of a VPC: incremental, for transactions, and recomputed from a whole version, for VPC_CMD_VERIFY.
 */
#include "digest.h"
#include "txn.h"
#include "../compat.h"
#include "../../proto/vpc_canon.h"

#include <linux/sched.h>
#include <linux/siphash.h>

static siphash_key_t vpc_digest_key(const char *text)
{
	return (siphash_key_t){ { get_unaligned_le64(text), get_unaligned_le64(text + 8) } };
}

static struct vpc_digest vpc_digest_of(const u8 *bytes, unsigned int len)
{
	const siphash_key_t key0 = vpc_digest_key(VPC_DIGEST_KEY0);
	const siphash_key_t key1 = vpc_digest_key(VPC_DIGEST_KEY1);

	return (struct vpc_digest){ { siphash(bytes, len, &key0), siphash(bytes, len, &key1) } };
}

static void vpc_digest_add(struct vpc_digest *digest, struct vpc_digest one)
{
	digest->h[0] += one.h[0];
	digest->h[1] += one.h[1];
}

static void vpc_digest_sub(struct vpc_digest *digest, struct vpc_digest one)
{
	digest->h[0] -= one.h[0];
	digest->h[1] -= one.h[1];
}

static struct vpc_digest vpc_digest_of_nexthop(const struct vpc_nl_nexthop *nh)
{
	u8 buf[VPC_CANON_MAX] __aligned(SIPHASH_ALIGNMENT);

	return vpc_digest_of(buf, vpc_canon_nexthop(nh, buf));
}

static struct vpc_digest vpc_digest_of_member(const struct vpc_nl_member *member)
{
	u8 buf[VPC_CANON_MAX] __aligned(SIPHASH_ALIGNMENT);

	return vpc_digest_of(buf, vpc_canon_member(member, buf));
}

static struct vpc_digest vpc_digest_of_route(u32 table, u8 family, const u8 *addr, u8 plen, u32 nexthop)
{
	u8 buf[VPC_CANON_MAX] __aligned(SIPHASH_ALIGNMENT);

	return vpc_digest_of(buf, vpc_canon_route(table, family, addr, plen, nexthop, buf));
}

void vpc_digest_add_nexthop(struct vpc_digest *digest, const struct vpc_nl_nexthop *nh)
{
	vpc_digest_add(digest, vpc_digest_of_nexthop(nh));
}

void vpc_digest_sub_nexthop(struct vpc_digest *digest, const struct vpc_nl_nexthop *nh)
{
	vpc_digest_sub(digest, vpc_digest_of_nexthop(nh));
}

void vpc_digest_add_member(struct vpc_digest *digest, const struct vpc_nl_member *member)
{
	vpc_digest_add(digest, vpc_digest_of_member(member));
}

void vpc_digest_sub_member(struct vpc_digest *digest, const struct vpc_nl_member *member)
{
	vpc_digest_sub(digest, vpc_digest_of_member(member));
}

void vpc_digest_add_route(struct vpc_digest *digest, u32 table, u8 family, const u8 *addr, u8 plen, u32 nexthop)
{
	vpc_digest_add(digest, vpc_digest_of_route(table, family, addr, plen, nexthop));
}

void vpc_digest_sub_route(struct vpc_digest *digest, u32 table, u8 family, const u8 *addr, u8 plen, u32 nexthop)
{
	vpc_digest_sub(digest, vpc_digest_of_route(table, family, addr, plen, nexthop));
}

bool vpc_digest_equal(const struct vpc_digest *a, const struct vpc_digest *b)
{
	return a->h[0] == b->h[0] && a->h[1] == b->h[1];
}

struct vpc_verify {
	struct vpc_digest digest;
	u64 routes;
	u32 table;
	u8 family;
};

static int vpc_verify_route(const u8 *addr, u8 plen, u32 value, void *arg)
{
	struct vpc_verify *verify = arg;

	vpc_digest_add_route(&verify->digest, verify->table, verify->family, addr, plen, value);
	if (!(++verify->routes % 1024))
		cond_resched();
	return 0;
}

void vpc_version_verify(const struct vpc_version *version, struct vpc_digest *ret_digest, u64 *ret_routes)
{
	struct vpc_trie_cursor cursor;
	struct vpc_nl_member member;
	const struct vpc_nexthop *nh;
	struct vpc_verify verify = {};
	const struct vpc_trie *trie;
	u32 pos, i;

	for (pos = 0; (nh = vpc_nhset_at(version->nexthops, &pos)); cond_resched())
		vpc_digest_add_nexthop(&verify.digest, &nh->wire);
	for (pos = 0; vpc_nhset_member_at(version->nexthops, &pos, &member); cond_resched())
		vpc_digest_add_member(&verify.digest, &member);
	for (i = 0; i < 2 * version->n_tables; i++) {
		trie = &version->tables[i / 2].trie[i % 2];
		verify.table = version->tables[i / 2].id;
		verify.family = trie->family;
		memset(&cursor, 0, sizeof(cursor));
		vpc_trie_walk(trie, &cursor, vpc_verify_route, &verify);
		/* Forwarding reads a large table through its index: when that leads elsewhere, this is no more it. */
		verify.digest.h[0] += !vpc_trie_index_sound(trie);
	}
	*ret_digest = verify.digest;
	*ret_routes = verify.routes;
}
