// SPDX-License-Identifier: GPL-2.0-only
/*
 * The route trie's lookup: kmod/datapath reads here, under RCU and without a lock. Layout: trie_node.h; changes:
 * trie_edit.c; memory: trie_mem.c; order: trie_walk.c.
 *
 * Down one path, remembering the last node with a prefix that covers the address; its value is fetched at the end.
 */
#include "trie_node.h"

/* In a node's @in: the prefixes that cover the index (2 * i) and the one after it. */
#define COVER(i) (BIT_ULL(32 | (i)) | BIT_ULL(16 | (i) >> 1) | BIT_ULL(8 | (i) >> 2) | BIT_ULL(4 | (i) >> 3) | \
		  BIT_ULL(2 | (i) >> 4) | BIT_ULL(1))
#define COVER4(i) COVER(i), COVER((i) + 1), COVER((i) + 2), COVER((i) + 3)

const u64 vpc_trie_cover[32] = {
	COVER4(0), COVER4(4), COVER4(8), COVER4(12), COVER4(16), COVER4(20), COVER4(24), COVER4(28),
};

/* The value of a lone prefix that matches @key, else 0. */
static __always_inline u32 vpc_slot_match(u64 slot, struct vpc_key key, unsigned int pos, bool v6, u8 *ret_plen)
{
	unsigned int plen, end;
	struct vpc_route route;

	if (vpc_slot_tag(slot) == VPC_SLOT_INLINE) {
		end = vpc_slot_end(slot);
		if ((vpc_key_from(key, pos - VPC_TRIE_PAD) ^ slot) >> end >> 1)
			return 0;
		plen = pos - VPC_TRIE_PAD + 63 - end;
		route.value = vpc_slot_value(slot);
	} else {
		vpc_slot_route(slot, key, pos, v6, &route);
		plen = route.len - VPC_TRIE_PAD;
		if (vpc_key_differs(key, route.key, plen))
			return 0;
	}
	if (ret_plen)
		*ret_plen = plen;
	return route.value;
}

static __always_inline u32 vpc_node_lookup(const struct vpc_trie_node *node, struct vpc_key key, bool v6, u8 *ret_plen)
{
	const struct vpc_trie_node *best = NULL;
	unsigned int pos, index, bit;
	u64 slot, cover = 0;
	u32 value;

	for (;;) {
		pos = vpc_node_pos(node, v6);
		if (vpc_key_differs(key, vpc_node_key(node, v6), pos ? pos - VPC_TRIE_PAD : 0))
			break;
		index = vpc_key_index(key, pos, v6);
		if (node->in & vpc_trie_cover[index >> 1]) {
			best = node;
			cover = node->in & vpc_trie_cover[index >> 1];
		}
		if (!(node->ext & BIT_ULL(index)))
			break;
		slot = vpc_node_slots(node, v6)[vpc_bit_rank(node->ext, index)];
		if (vpc_slot_tag(slot) != VPC_SLOT_NODE) {
			value = vpc_slot_match(slot, key, pos + VPC_TRIE_STRIDE, v6, ret_plen);
			if (value)
				return value;
			break;
		}
		node = vpc_slot_ptr(slot);
	}
	if (!best)
		return 0;
	bit = fls64(cover) - 1;
	if (ret_plen) {
		pos = vpc_node_pos(best, v6);
		*ret_plen = pos + fls(bit) - 1 - VPC_TRIE_PAD;
	}
	return vpc_node_values(best, v6)[vpc_bit_rank(best->in, bit)];
}

/*
 * The subtree of a /16. What a node's slots lead to is longer than what the node has itself, so they come first: the
 * address of the slot is known without the node.
 */
static __always_inline u32 vpc_index_follow(const struct vpc_index_way *way, struct vpc_key key, bool v6, u8 *ret_plen)
{
	unsigned int index = vpc_key_index(key, VPC_INDEX_POS, v6);
	const struct vpc_trie_node *node = vpc_slot_ptr(way->slot);
	u32 value;
	u64 slot;

	if (vpc_slot_tag(way->slot) != VPC_SLOT_NODE)
		return vpc_slot_match(way->slot, key, VPC_INDEX_POS, v6, ret_plen);
	if (way->ext & BIT_ULL(index)) {
		slot = vpc_node_slots(node, v6)[vpc_bit_rank(way->ext, index)];
		if (vpc_slot_tag(slot) == VPC_SLOT_NODE)
			value = vpc_node_lookup(vpc_slot_ptr(slot), key, v6, ret_plen);
		else
			value = vpc_slot_match(slot, key, VPC_INDEX_POS + VPC_TRIE_STRIDE, v6, ret_plen);
		if (value)
			return value;
	}
	return vpc_node_lookup(node, key, v6, ret_plen);
}

static __always_inline u32 vpc_index_lookup(const struct vpc_index_page *top, struct vpc_key key, bool v6, u8 *ret_plen)
{
	const struct vpc_index_way *first = &top->way[key.hi >> 56];
	unsigned int i = key.hi >> 48 & (VPC_INDEX_ENTRIES - 1);
	const struct vpc_index_page *page = vpc_slot_ptr(first->slot);
	u64 cover = first->ext;
	u32 value;

	if (page) {
		value = page->way[i].slot ? vpc_index_follow(&page->way[i], key, v6, ret_plen) : 0;
		if (value)
			return value;
		cover = page->cover[i / 2] ?: cover;
	}
	if (cover && ret_plen)
		*ret_plen = (u8)cover;
	return cover >> 8;
}

static __always_inline u32 vpc_trie_find(const struct vpc_trie *trie, struct vpc_key key, bool v6, u8 *ret_plen)
{
	/* An open transaction's index is not up to date. */
	if (trie->index && !((unsigned long)trie->index & VPC_INDEX_PENDING))
		return vpc_index_lookup(trie->index, key, v6, ret_plen);
	return trie->root ? vpc_node_lookup(trie->root, key, v6, ret_plen) : 0;
}

u32 vpc_trie_lookup(const struct vpc_trie *trie, const u8 *addr, u8 *ret_plen)
{
	if (trie->family == AF_INET6)
		return vpc_trie_find(trie, vpc_key_load(addr, true), true, ret_plen);
	return vpc_trie_find(trie, vpc_key_load(addr, false), false, ret_plen);
}

void vpc_slot_route(u64 slot, struct vpc_key key, unsigned int pos, bool v6, struct vpc_route *ret_route)
{
	const struct vpc_trie_leaf *leaf;
	unsigned int plen;

	if (vpc_slot_tag(slot) == VPC_SLOT_INLINE) {
		unsigned int end = vpc_slot_end(slot);

		plen = pos - VPC_TRIE_PAD;
		ret_route->key = vpc_key_put(vpc_key_mask(key, plen), plen, slot >> end >> 1 << 1 << end);
		ret_route->len = pos + 63 - end;
		ret_route->value = vpc_slot_value(slot);
		return;
	}
	leaf = vpc_slot_ptr(slot);
	ret_route->key = (struct vpc_key){ leaf->hi, leaf->lo };
	plen = 128;
	if (vpc_slot_tag(slot) == VPC_SLOT_LEAF) {
		plen = leaf->lo ? 127 - __ffs64(leaf->lo) : 63 - __ffs64(leaf->hi);
		ret_route->key = vpc_key_mask(ret_route->key, plen);
	}
	ret_route->len = plen + VPC_TRIE_PAD;
	ret_route->value = leaf->value;
}

u32 vpc_trie_lookup_exact(const struct vpc_trie *trie, const u8 *addr, u8 plen)
{
	const struct vpc_trie_node *node = trie->root;
	bool v6 = vpc_trie_v6(trie);
	struct vpc_route route, lone;
	unsigned int pos, bit;
	u64 slot;

	vpc_route_init(&route, addr, plen, 0, v6);
	while (node && vpc_node_covers(node, &route, v6)) {
		pos = vpc_node_pos(node, v6);
		if (route.len < pos + VPC_TRIE_STRIDE) {
			bit = vpc_node_bit(route.key, route.len, pos, v6);
			if (!(node->in & BIT_ULL(bit)))
				return 0;
			return vpc_node_values(node, v6)[vpc_bit_rank(node->in, bit)];
		}
		bit = vpc_key_index(route.key, pos, v6);
		if (!(node->ext & BIT_ULL(bit)))
			return 0;
		slot = vpc_node_slots(node, v6)[vpc_bit_rank(node->ext, bit)];
		if (vpc_slot_tag(slot) != VPC_SLOT_NODE) {
			vpc_slot_route(slot, route.key, pos + VPC_TRIE_STRIDE, v6, &lone);
			return vpc_route_same_prefix(&lone, &route) ? lone.value : 0;
		}
		node = vpc_slot_ptr(slot);
	}
	return 0;
}
