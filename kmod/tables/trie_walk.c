// SPDX-License-Identifier: GPL-2.0-only
/*
 * The route trie in order: dumps, digest verification and filters walk it through here, by way of tables/ and control/.
 *
 * The cursor is a prefix, not a pointer, so a walk goes on in a later message, and also behind a prefix that the trie
 * does not have. Inside a node the order of (address, length) is that of (index, length), the subtree last.
 */
#include "trie_node.h"

#include <linux/string.h>

/**
 * struct vpc_walk_level - one node on the way down
 * @node: the node
 * @todo: indices at which a prefix begins or a subtree hangs, and that are not done
 * @length: at the lowest of them, prefixes shorter than this inside the node are done
 * @seek: index whose subtree the cursor lies in; VPC_WALK_ALL: the cursor is before all that is left
 */
struct vpc_walk_level {
	const struct vpc_trie_node *node;
	u64 todo;
	unsigned int length;
	unsigned int seek;
};

#define VPC_WALK_ALL BIT(VPC_TRIE_STRIDE)

struct vpc_walk {
	struct vpc_route after;		/* where it began */
	struct vpc_trie_cursor *cursor;
	bool v6;
	int (*fn)(const u8 *addr, u8 plen, u32 value, void *arg);
	void *arg;
	struct vpc_walk_level level[VPC_TRIE_DEPTH];
};

/* -1, 0, 1: @a is before, at or behind @b, by their first bits as addresses. */
static int vpc_key_compare(struct vpc_key a, struct vpc_key b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	if (a.lo != b.lo)
		return a.lo < b.lo ? -1 : 1;
	return 0;
}

static u64 vpc_node_starts(const struct vpc_trie_node *node)
{
	u64 starts = node->ext;
	unsigned int bit, n;
	u64 in;

	for (in = node->in; in; in &= in - 1) {
		bit = __ffs64(in);
		n = fls(bit) - 1;
		starts |= BIT_ULL((bit ^ BIT(n)) << (VPC_TRIE_STRIDE - n));
	}
	return starts;
}

static void vpc_walk_enter(const struct vpc_walk *walk, struct vpc_walk_level *level, const struct vpc_trie_node *node,
			   bool seek)
{
	const struct vpc_route *after = &walk->after;
	unsigned int pos = vpc_node_pos(node, walk->v6);
	unsigned int index;
	int order;

	level->node = node;
	level->todo = vpc_node_starts(node);
	level->length = 0;
	level->seek = VPC_WALK_ALL;
	if (!seek)
		return;
	order = vpc_key_compare(vpc_key_mask(after->key, pos ? pos - VPC_TRIE_PAD : 0),
				vpc_node_key(node, walk->v6));
	if (order < 0 || (!order && after->len < pos))
		return;
	if (order > 0) {
		level->todo = 0;
		return;
	}
	index = vpc_key_index(after->key, pos, walk->v6);
	level->seek = index;
	level->todo &= ~0ULL << index;
	if (level->todo & BIT_ULL(index))
		level->length = min_t(unsigned int, after->len - pos + 1, VPC_TRIE_STRIDE);
}

static int vpc_walk_emit(struct vpc_walk *walk, const struct vpc_route *route)
{
	u8 plen = route->len - VPC_TRIE_PAD;
	u8 addr[16] = { };
	int err;

	vpc_key_store(route->key, walk->v6, addr);
	err = walk->fn(addr, plen, route->value, walk->arg);
	if (err)
		return err;
	memcpy(walk->cursor->addr, addr, sizeof(addr));
	walk->cursor->plen = plen;
	walk->cursor->started = true;
	return 0;
}

/* The prefixes inside @level's node that begin at @index. */
static int vpc_walk_inside(struct vpc_walk *walk, struct vpc_walk_level *level, unsigned int index)
{
	const struct vpc_trie_node *node = level->node;
	unsigned int pos = vpc_node_pos(node, walk->v6);
	struct vpc_route route;
	unsigned int n, bit;
	int err;

	for (n = level->length; n < VPC_TRIE_STRIDE; n++) {
		bit = BIT(n) | index >> (VPC_TRIE_STRIDE - n);
		if (index & (BIT(VPC_TRIE_STRIDE - n) - 1) || !(node->in & BIT_ULL(bit)))
			continue;
		route.key = vpc_key_extend(vpc_node_key(node, walk->v6), pos, bit ^ BIT(n), n, walk->v6);
		route.len = pos + n;
		route.value = vpc_node_values(node, walk->v6)[vpc_bit_rank(node->in, bit)];
		err = vpc_walk_emit(walk, &route);
		if (err)
			return err;
	}
	return 0;
}

static int vpc_walk_lone(struct vpc_walk *walk, const struct vpc_walk_level *level, unsigned int index, u64 slot)
{
	const struct vpc_route *after = &walk->after;
	unsigned int pos = vpc_node_pos(level->node, walk->v6);
	struct vpc_key key = vpc_node_key(level->node, walk->v6);
	struct vpc_route route;
	int order;

	key = vpc_key_extend(key, pos, index, VPC_TRIE_STRIDE, walk->v6);
	vpc_slot_route(slot, key, pos + VPC_TRIE_STRIDE, walk->v6, &route);
	if (level->seek == index) {
		order = vpc_key_compare(route.key, after->key);
		if (order < 0 || (!order && route.len <= after->len))
			return 0;
	}
	return vpc_walk_emit(walk, &route);
}

static int vpc_walk_run(struct vpc_walk *walk)
{
	struct vpc_walk_level *level;
	const struct vpc_trie_node *node;
	unsigned int depth = 1;
	unsigned int index;
	u64 slot;
	int err;

	while (depth) {
		level = &walk->level[depth - 1];
		node = level->node;
		if (!level->todo) {
			depth--;
			continue;
		}
		index = __ffs64(level->todo);
		err = vpc_walk_inside(walk, level, index);
		if (err)
			return err;
		level->todo &= level->todo - 1;
		level->length = 0;
		if (!(node->ext & BIT_ULL(index)))
			continue;
		slot = vpc_node_slots(node, walk->v6)[vpc_bit_rank(node->ext, index)];
		if (vpc_slot_tag(slot) == VPC_SLOT_NODE) {
			vpc_walk_enter(walk, &walk->level[depth++], vpc_slot_ptr(slot), level->seek == index);
			continue;
		}
		err = vpc_walk_lone(walk, level, index, slot);
		if (err)
			return err;
	}
	return 0;
}

int vpc_trie_walk(const struct vpc_trie *trie, struct vpc_trie_cursor *cursor,
		  int (*fn)(const u8 *addr, u8 plen, u32 value, void *arg), void *arg)
{
	struct vpc_walk walk = {
		.cursor = cursor,
		.v6 = vpc_trie_v6(trie),
		.fn = fn,
		.arg = arg,
	};

	if (!trie->root)
		return 0;
	if (cursor->started) {
		walk.after.key = vpc_key_mask(vpc_key_load(cursor->addr, walk.v6), cursor->plen);
		walk.after.len = cursor->plen + VPC_TRIE_PAD;
	}
	vpc_walk_enter(&walk, walk.level, trie->root, cursor->started);
	return vpc_walk_run(&walk);
}
