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

/*
 * SipHash-2-4 under both keys at once. Each is one long chain of instructions that wait for one another, so that two
 * side by side take little longer than one; siphash() twice was the largest part of a route's way in.
 */
struct vpc_siphash {
	u64 a[4];
	u64 b[4];
};

static __always_inline void vpc_siphash_init(u64 *v, siphash_key_t key)
{
	v[0] = SIPHASH_CONST_0 ^ key.key[0];
	v[1] = SIPHASH_CONST_1 ^ key.key[1];
	v[2] = SIPHASH_CONST_2 ^ key.key[0];
	v[3] = SIPHASH_CONST_3 ^ key.key[1];
}

static __always_inline void vpc_siphash_rounds(struct vpc_siphash *hash, unsigned int n)
{
	while (n--) {
		SIPHASH_PERMUTATION(hash->a[0], hash->a[1], hash->a[2], hash->a[3]);
		SIPHASH_PERMUTATION(hash->b[0], hash->b[1], hash->b[2], hash->b[3]);
	}
}

static __always_inline void vpc_siphash_word(struct vpc_siphash *hash, u64 word)
{
	hash->a[3] ^= word;
	hash->b[3] ^= word;
	vpc_siphash_rounds(hash, 2);
	hash->a[0] ^= word;
	hash->b[0] ^= word;
}

/* @bytes: of VPC_CANON_MAX, aligned; those from @len on are anything. */
static __always_inline struct vpc_digest vpc_digest_of(const u8 *bytes, unsigned int len)
{
	const __le64 *word = (const __le64 *)bytes;
	struct vpc_siphash hash;
	unsigned int left;

	vpc_siphash_init(hash.a, vpc_digest_key(VPC_DIGEST_KEY0));
	vpc_siphash_init(hash.b, vpc_digest_key(VPC_DIGEST_KEY1));
	for (left = len; left >= 8; left -= 8)
		vpc_siphash_word(&hash, le64_to_cpup(word++));
	vpc_siphash_word(&hash, (u64)len << 56 | (le64_to_cpup(word) & (BIT_ULL(8 * left) - 1)));
	hash.a[2] ^= 0xff;
	hash.b[2] ^= 0xff;
	vpc_siphash_rounds(&hash, 4);
	return (struct vpc_digest){ { hash.a[0] ^ hash.a[1] ^ hash.a[2] ^ hash.a[3],
				      hash.b[0] ^ hash.b[1] ^ hash.b[2] ^ hash.b[3] } };
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

void vpc_version_verify(const struct vpc_version *version, struct vpc_digest *ret_digest, u64 *ret_routes,
			u32 *ret_faults)
{
	u32 faults = vpc_nhset_groups_sound(version->nexthops) ? 0 : VPC_FAULT_GROUP;
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
		if (!vpc_trie_index_sound(trie))
			faults |= VPC_FAULT_INDEX;
	}
	*ret_digest = verify.digest;
	*ret_routes = verify.routes;
	*ret_faults = faults;
}
