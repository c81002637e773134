/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of the route trie: node layout, tagged slots and key arithmetic, shared by trie*.c.
 *
 * A path-compressed tree bitmap of stride 6. A node stands at a bit position of the key and has two bitmaps: @in says
 * which prefixes of length 0..5 behind that position exist, @ext which of the 64 subtrees behind the stride do. Both
 * are popcount-compressed, nothing is leaf-pushed:
 *
 *	IPv4	| ext | in | stamp | key, level |          | slot, slot, ... | value, value, ... |
 *	IPv6	| ext | in | stamp | level      | key      | slot, slot, ... | value, value, ... |
 *
 * Where strides begin decides what a table costs: sixteen neighbours of /32 or /128 must lie inside one node. So
 * positions are counted on the key with two zero bits before it: "virtual" positions, multiples of 6, which are the
 * real bits -2, 4, 10, 16, 22, 28 and so on to 124. Measured for IPv6 too: other phases are better for one length and
 * two to five times worse for another; this one never takes more than 16 bytes for one of many neighbouring prefixes.
 *
 * A slot (u64) holds a node, or the only prefix of its subtree. Such a lone prefix lies in the slot itself when its
 * bits behind the slot's position are 28 at most (always so for IPv4), else in a struct vpc_trie_leaf. The shape
 * depends on the content alone, never on the history: every node but the root has two entries at least.
 */
#ifndef VPC_TRIE_NODE_H
#define VPC_TRIE_NODE_H

#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/socket.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <linux/version.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif
#include "trie.h"

#define VPC_TRIE_STRIDE	6
#define VPC_TRIE_DEPTH	22		/* nodes on the longest path: 130 virtual bits of IPv6 */
#define VPC_TRIE_PAD	2		/* zero bits before a key */
#define VPC_TRIE_INLINE	28		/* bits of a prefix that fit in a slot */
#define VPC_TRIE_MAX_SIZE 808		/* an IPv6 node with all 64 slots and 63 values, rounded up to 8 */

struct vpc_trie_node {
	u64 ext;
	u64 in;				/* bit (1 << length | bits): deeper is higher, bit 0 is unused */
	u32 stamp;
	u32 at;				/* IPv4: the key's upper 28 bits and the level; IPv6: the level */
	u64 body[];
};

/* A lone IPv6 prefix too long for its slot. Its key is whole, so that it can move between nodes. */
struct vpc_trie_leaf {
	u64 hi;				/* VPC_SLOT_LEAF: a 1 follows the prefix's last bit */
	u64 lo;
	u32 stamp;
	u32 value;
};

enum vpc_slot_tag {
	VPC_SLOT_NODE,			/* pointer */
	VPC_SLOT_INLINE,		/* bits and a closing 1 from bit 63 down to 35; value from bit 3 */
	VPC_SLOT_LEAF,			/* pointer, prefix shorter than /128 */
	VPC_SLOT_HOST,			/* pointer, prefix of /128 */
};

/* An address, its first bit in bit 63 of @hi. */
struct vpc_key {
	u64 hi;
	u64 lo;
};

/* A prefix with its value; @len in virtual bits. */
struct vpc_route {
	struct vpc_key key;
	unsigned int len;
	u32 value;
};

/*
 * On x86 the kernel patches the CPU's own instruction in for hweight64(). User Mode Linux, where benchmarks run, does
 * not; there Kbuild tells the compiler that the CPU has it (-mpopcnt).
 */
static __always_inline unsigned int vpc_popcount(u64 bits)
{
#ifdef __POPCNT__
	return __builtin_popcountll(bits);
#else
	return hweight64(bits);
#endif
}

/* -- keys ---------------------------------------------------------------------------------------------------------- */

static __always_inline struct vpc_key vpc_key_load(const u8 *addr, bool v6)
{
	struct vpc_key key = { 0, 0 };

	if (v6) {
		key.hi = get_unaligned_be64(addr);
		key.lo = get_unaligned_be64(addr + 8);
	} else {
		key.hi = (u64)get_unaligned_be32(addr) << 32;
	}
	return key;
}

static inline void vpc_key_store(struct vpc_key key, bool v6, u8 *addr)
{
	if (v6) {
		put_unaligned_be64(key.hi, addr);
		put_unaligned_be64(key.lo, addr + 8);
	} else {
		put_unaligned_be32(key.hi >> 32, addr);
	}
}

/* The 64 bits from real bit @pos (0..127) on. */
static __always_inline u64 vpc_key_from(struct vpc_key key, unsigned int pos)
{
	if (pos >= 64)
		return key.lo << (pos - 64);
	return key.hi << pos | key.lo >> 1 >> (63 - pos);
}

/* The upper @bits (0..128) of @key. */
static inline struct vpc_key vpc_key_mask(struct vpc_key key, unsigned int bits)
{
	if (bits < 64)
		key.hi &= ~(~0ULL >> bits);
	if (bits <= 64)
		key.lo = 0;
	else if (bits < 128)
		key.lo &= ~(~0ULL >> (bits - 64));
	return key;
}

/* Sets real bit @pos .. of @key, which are 0, to those at the top of @bits. */
static inline struct vpc_key vpc_key_put(struct vpc_key key, unsigned int pos, u64 bits)
{
	if (pos >= 64) {
		key.lo |= bits >> (pos - 64);
	} else {
		key.hi |= bits >> pos;
		key.lo |= bits << 1 << (63 - pos);
	}
	return key;
}

/* Leading real bits (0..128) that both have in common. */
static inline unsigned int vpc_key_common(struct vpc_key a, struct vpc_key b)
{
	if (a.hi != b.hi)
		return 64 - fls64(a.hi ^ b.hi);
	return 128 - fls64(a.lo ^ b.lo);
}

static __always_inline bool vpc_key_differs(struct vpc_key a, struct vpc_key b, unsigned int bits)
{
	if (!bits)
		return false;
	if (bits <= 64)
		return (a.hi ^ b.hi) >> (64 - bits);
	return (a.hi ^ b.hi) | (a.lo ^ b.lo) >> (128 - bits);
}

/* The six bits at virtual position @pos. */
static __always_inline unsigned int vpc_key_index(struct vpc_key key, unsigned int pos, bool v6)
{
	if (!v6)
		return (key.hi >> VPC_TRIE_PAD) << pos >> (64 - VPC_TRIE_STRIDE);
	if (!pos)
		return key.hi >> (64 - VPC_TRIE_STRIDE + VPC_TRIE_PAD);
	return vpc_key_from(key, pos - VPC_TRIE_PAD) >> (64 - VPC_TRIE_STRIDE);
}

/* @key, which ends at virtual position @pos, made longer by @bits, @n of them (0..6). */
static inline struct vpc_key vpc_key_extend(struct vpc_key key, unsigned int pos, unsigned int bits, unsigned int n,
					    bool v6)
{
	u64 top = n ? (u64)bits << (64 - n) : 0;

	return pos ? vpc_key_put(key, pos - VPC_TRIE_PAD, top) : vpc_key_put(key, 0, top << VPC_TRIE_PAD);
}

/* -- nodes --------------------------------------------------------------------------------------------------------- */

static __always_inline unsigned int vpc_node_pos(const struct vpc_trie_node *node, bool v6)
{
	return (v6 ? node->at : node->at & 0xf) * VPC_TRIE_STRIDE;
}

static __always_inline struct vpc_key vpc_node_key(const struct vpc_trie_node *node, bool v6)
{
	struct vpc_key key = { 0, 0 };

	if (v6) {
		key.hi = node->body[0];
		key.lo = node->body[1];
	} else {
		key.hi = (u64)(node->at & ~0xfU) << 32;
	}
	return key;
}

static __always_inline u64 *vpc_node_slots(const struct vpc_trie_node *node, bool v6)
{
	return (u64 *)node->body + (v6 ? 2 : 0);
}

static __always_inline u32 *vpc_node_values(const struct vpc_trie_node *node, bool v6)
{
	return (u32 *)(vpc_node_slots(node, v6) + vpc_popcount(node->ext));
}

/* Entries of a bitmap before bit @nr, thus the array index of @nr. */
static __always_inline unsigned int vpc_bit_rank(u64 bitmap, unsigned int nr)
{
	return vpc_popcount(bitmap & (BIT_ULL(nr) - 1));
}

static inline size_t vpc_node_head(bool v6)
{
	return offsetof(struct vpc_trie_node, body) + (v6 ? sizeof(struct vpc_key) : 0);
}

static inline size_t vpc_node_size(bool v6, unsigned int slots, unsigned int values)
{
	return vpc_node_head(v6) + slots * sizeof(u64) + values * sizeof(u32);
}

static inline size_t vpc_node_bytes(const struct vpc_trie_node *node, bool v6)
{
	return vpc_node_size(v6, vpc_popcount(node->ext), vpc_popcount(node->in));
}

/* Bit in @in of the prefix of virtual length @len (@pos..@pos + 5) in the node at @pos. */
static inline unsigned int vpc_node_bit(struct vpc_key key, unsigned int len, unsigned int pos, bool v6)
{
	unsigned int n = len - pos;

	return BIT(n) | vpc_key_index(key, pos, v6) >> (VPC_TRIE_STRIDE - n);
}

static inline bool vpc_route_same_prefix(const struct vpc_route *a, const struct vpc_route *b)
{
	return a->len == b->len && a->key.hi == b->key.hi && a->key.lo == b->key.lo;
}

static inline void vpc_route_init(struct vpc_route *route, const u8 *addr, u8 plen, u32 value, bool v6)
{
	route->key = vpc_key_mask(vpc_key_load(addr, v6), plen);
	route->len = plen + VPC_TRIE_PAD;
	route->value = value;
}

/* True when @route belongs below @node: it lies inside, and is no shorter than the node's own key. */
static inline bool vpc_node_covers(const struct vpc_trie_node *node, const struct vpc_route *route, bool v6)
{
	unsigned int pos = vpc_node_pos(node, v6);

	return !pos || (route->len >= pos &&
			!vpc_key_differs(route->key, vpc_node_key(node, v6), pos - VPC_TRIE_PAD));
}

/* -- slots --------------------------------------------------------------------------------------------------------- */

static __always_inline enum vpc_slot_tag vpc_slot_tag(u64 slot)
{
	return slot & 3;
}

static __always_inline void *vpc_slot_ptr(u64 slot)
{
	return (void *)(unsigned long)(slot & ~3ULL);
}

static inline u64 vpc_slot_make(const void *ptr, enum vpc_slot_tag tag)
{
	return (unsigned long)ptr | tag;
}

static __always_inline u32 vpc_slot_value(u64 slot)
{
	return slot >> 3;
}

/* A VPC_SLOT_INLINE's closing 1: the prefix's bits are above it. */
static __always_inline unsigned int vpc_slot_end(u64 slot)
{
	return __ffs64(slot >> 35) + 35;
}

/* The lone prefix in @slot, which is no node; the slot is at virtual position @pos, reached over @key's first bits. */
void vpc_slot_route(u64 slot, struct vpc_key key, unsigned int pos, bool v6, struct vpc_route *ret_route);

/* A lone prefix of at most VPC_TRIE_INLINE bits behind virtual position @pos, as the slot that holds it. */
static inline u64 vpc_slot_inline(const struct vpc_route *route, unsigned int pos)
{
	return vpc_key_from(route->key, pos - VPC_TRIE_PAD) | BIT_ULL(63 - (route->len - pos)) |
	       (u64)route->value << 3 | VPC_SLOT_INLINE;
}

/* In a node's @in, by index / 2: the prefixes that cover the index. */
extern const u64 vpc_trie_cover[32];

/* -- index (trie_index.c) ------------------------------------------------------------------------------------------ */

#ifndef VPC_INDEX_MIN
#define VPC_INDEX_MIN		65536	/* prefixes from which on a table has an index; half of it to keep it */
#endif
#define VPC_INDEX_BITS		16U
#define VPC_INDEX_POS		(VPC_INDEX_BITS + VPC_TRIE_PAD)
#define VPC_INDEX_ENTRIES	256
#define VPC_INDEX_PENDING	1UL	/* in vpc_trie.index: a struct vpc_index_pending, in a transaction only */

/**
 * struct vpc_index_way - the way on from an entry of the index
 * @slot: first level: the second level's page, second level: the subtree at VPC_INDEX_POS; 0: none
 * @ext: second level: that of @slot's node when it stands at VPC_INDEX_POS itself, so that a lookup goes on to the
 *	 node's slots without waiting for its head, else 0; first level: the cover of up to /8
 */
struct vpc_index_way {
	u64 slot;
	u64 ext;
};

/**
 * struct vpc_index_page - of the first level, by an address's first byte, or of the second, by its second one
 * @way: to what is longer
 * @cover: second level, for two entries each as none is longer than /15: the longest prefix around them of /9 to /15,
 *	   its value above its length; 0: none
 */
struct vpc_index_page {
	struct vpc_index_way way[VPC_INDEX_ENTRIES];
	u64 cover[VPC_INDEX_ENTRIES / 2];
};

static __always_inline u64 vpc_index_cover(u32 value, unsigned int plen)
{
	return (u64)value << 8 | plen;
}

/* Before a change of @trie: sets txn->pending. -ENOMEM. */
int vpc_index_begin(struct vpc_trie_txn *txn, struct vpc_trie *trie);
/* Something at or below the prefix of @key and @plen may be another. */
void vpc_index_touch(struct vpc_index_pending *pending, struct vpc_key key, unsigned int plen);
int vpc_index_drop(struct vpc_trie_txn *txn, struct vpc_trie *trie);
void vpc_index_revert(struct vpc_trie_txn *txn, struct vpc_trie *trie, const struct vpc_trie *base);
void vpc_index_free(struct vpc_index_page *top);
size_t vpc_index_memory(const struct vpc_trie *trie);

/* -- memory (trie_mem.c) ------------------------------------------------------------------------------------------- */

/* What an allocation of @size really takes. */
size_t vpc_trie_room(size_t size);
void *vpc_trie_alloc(struct vpc_trie_txn *txn, size_t size);
/* Makes room for retiring @n objects; after it vpc_trie_drop() cannot fail so often. -ENOMEM. */
int vpc_trie_reserve(struct vpc_trie_txn *txn, unsigned int n);
void vpc_trie_page_free(struct vpc_index_page *page);
/* Into a place that vpc_trie_reserve() made. */
void vpc_trie_retire_page(struct vpc_trie_txn *txn, struct vpc_index_page *page);
/* @slot (no inline one) leaves the transaction's trie: freed when the transaction made it, else retired. */
void vpc_trie_drop(struct vpc_trie_txn *txn, u64 slot, bool v6);

/* Nodes and leaves have their stamp at the same place. */
static inline bool vpc_trie_fresh(const struct vpc_trie_txn *txn, u64 slot)
{
	static_assert(offsetof(struct vpc_trie_node, stamp) == offsetof(struct vpc_trie_leaf, stamp));
	return ((struct vpc_trie_leaf *)vpc_slot_ptr(slot))->stamp == txn->stamp;
}

static inline bool vpc_trie_v6(const struct vpc_trie *trie)
{
	return trie->family == AF_INET6;
}

#endif
