// SPDX-License-Identifier: GPL-2.0-only
/*
 * The route trie's index: large tables get a direct way to each /16, so that a lookup (trie.c) begins there instead of
 * at the root. trie_edit.c notes what a transaction changed; vpc_trie_seal() brings the index up to date before the
 * commit, copying only the pages in which something changed.
 *
 * Everything in the index is derived from the tree, which stays complete without it: walks, exact lookups and edits
 * never look here. Two levels of 256 entries, so that copy-on-write copies 10 KiB for a change in one /16, not a
 * megabyte. A prefix shorter than /16 is the value of the entries that it covers: up to /8 on the first level, behind
 * that on the second.
 */
#include "trie_node.h"

#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/string.h>

/**
 * struct vpc_index_pending - what an open transaction has to bring up to date
 * @base: the index that it began with, NULL when there was none
 * @top: first bytes whose prefix of up to /8 may be another
 * @sixteen: /16s of which something may be another
 */
struct vpc_index_pending {
	struct vpc_index_page *base;
	unsigned long top[BITS_TO_LONGS(VPC_INDEX_ENTRIES)];
	unsigned long sixteen[BITS_TO_LONGS(VPC_INDEX_ENTRIES * VPC_INDEX_ENTRIES)];
};

static struct vpc_index_pending *vpc_index_pending(const struct vpc_trie *trie)
{
	unsigned long index = (unsigned long)trie->index;

	return index & VPC_INDEX_PENDING ? (struct vpc_index_pending *)(index & ~VPC_INDEX_PENDING) : NULL;
}

static struct vpc_index_page *vpc_index_page(const struct vpc_index_page *top, unsigned int i)
{
	return vpc_slot_ptr(top->way[i].slot);
}

/* -- what changed -------------------------------------------------------------------------------------------------- */

static struct vpc_index_pending *vpc_index_pending_new(struct vpc_index_page *base)
{
	struct vpc_index_pending *pending = kvzalloc(sizeof(*pending), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);

	if (pending)
		pending->base = base;
	return pending;
}

int vpc_index_begin(struct vpc_trie_txn *txn, struct vpc_trie *trie)
{
	struct vpc_index_pending *pending = vpc_index_pending(trie);

	if (trie->index && !pending) {
		pending = vpc_index_pending_new(trie->index);
		if (!pending)
			return -ENOMEM;
		trie->index = (void *)((unsigned long)pending | VPC_INDEX_PENDING);
	}
	txn->pending = pending;
	return 0;
}

void vpc_index_touch(struct vpc_index_pending *pending, struct vpc_key key, unsigned int plen)
{
	if (plen <= 8)
		bitmap_set(pending->top, key.hi >> 56, 1U << (8 - plen));
	else if (plen < 16)
		bitmap_set(pending->sixteen, key.hi >> 48, 1U << (16 - plen));
	else
		__set_bit(key.hi >> 48, pending->sixteen);
}

/* -- from the tree ------------------------------------------------------------------------------------------------- */

/* What one place in a page should have. */
struct vpc_index_entry {
	struct vpc_index_way way;
	u64 cover;
};

/* A prefix on the way down, when it is the longest so far and @entry is for its length. */
static void vpc_index_offer(struct vpc_index_entry *entry, bool top, unsigned int plen, u32 value)
{
	if (top != (plen <= 8))
		return;
	entry->cover = vpc_index_cover(value, plen);
}

static void vpc_index_lone(struct vpc_index_entry *entry, bool top, u64 slot, struct vpc_key key, unsigned int pos,
			   bool v6)
{
	struct vpc_route route;
	unsigned int plen;

	vpc_slot_route(slot, key, pos, v6, &route);
	plen = route.len - VPC_TRIE_PAD;
	if (vpc_key_differs(key, route.key, min(plen, VPC_INDEX_BITS)))
		return;
	if (plen < VPC_INDEX_BITS)
		vpc_index_offer(entry, top, plen, route.value);
	else if (vpc_slot_tag(slot) != VPC_SLOT_INLINE)
		entry->way.slot = slot;
	else
		entry->way.slot = vpc_slot_inline(&route, VPC_INDEX_POS);
}

/*
 * What the tree has for @key, of which the first 16 bits count: @top or second level's entry. The order is that of
 * length, so the last prefix offered is the longest.
 */
static struct vpc_index_entry vpc_index_find(const struct vpc_trie *trie, struct vpc_key key, bool top)
{
	const struct vpc_trie_node *node = trie->root;
	struct vpc_index_entry entry = { 0 };
	bool v6 = vpc_trie_v6(trie);
	unsigned int pos, index, bit;
	u64 slot, cover;

	for (;;) {
		pos = vpc_node_pos(node, v6);
		if (vpc_key_differs(key, vpc_node_key(node, v6),
				    pos ? min(pos - VPC_TRIE_PAD, VPC_INDEX_BITS) : 0))
			return entry;
		if (pos >= VPC_INDEX_POS) {
			entry.way.slot = vpc_slot_make(node, VPC_SLOT_NODE);
			entry.way.ext = pos == VPC_INDEX_POS ? node->ext : 0;
			return entry;
		}
		index = vpc_key_index(key, pos, v6);
		for (cover = node->in & vpc_trie_cover[index >> 1]; cover; cover &= cover - 1) {
			bit = __ffs64(cover);
			vpc_index_offer(&entry, top, pos + fls(bit) - 1 - VPC_TRIE_PAD,
					vpc_node_values(node, v6)[vpc_bit_rank(node->in, bit)]);
		}
		if (!(node->ext & BIT_ULL(index)))
			return entry;
		slot = vpc_node_slots(node, v6)[vpc_bit_rank(node->ext, index)];
		if (vpc_slot_tag(slot) != VPC_SLOT_NODE) {
			vpc_index_lone(&entry, top, slot, key, pos + VPC_TRIE_STRIDE, v6);
			return entry;
		}
		node = vpc_slot_ptr(slot);
	}
}

static u64 vpc_index_find_top(const struct vpc_trie *trie, unsigned int i)
{
	return vpc_index_find(trie, (struct vpc_key){ .hi = (u64)i << 56 }, true).cover;
}

static struct vpc_index_entry vpc_index_find_sixteen(const struct vpc_trie *trie, unsigned int i)
{
	return vpc_index_find(trie, (struct vpc_key){ .hi = (u64)i << 48 }, false);
}

/* -- bringing it up to date ---------------------------------------------------------------------------------------- */

static void vpc_index_page_free(struct vpc_trie_txn *txn, struct vpc_index_page *page)
{
	vpc_trie_page_free(page);
	txn->bytes -= sizeof(*page);
}

/*
 * The second level's page for the first byte @i: what @base has, with what changed in it. *ret_page: @base itself when
 * nothing did, NULL when nothing is left. -ENOMEM.
 */
static int vpc_index_update_page(struct vpc_trie_txn *txn, const struct vpc_trie *trie,
				 const struct vpc_index_pending *pending, struct vpc_index_page *base, unsigned int i,
				 struct vpc_index_page **ret_page)
{
	unsigned int first = i * VPC_INDEX_ENTRIES, end = first + VPC_INDEX_ENTRIES, k;
	struct vpc_index_entry entry;
	struct vpc_index_page *page;

	*ret_page = base;
	if (find_next_bit(pending->sixteen, end, first) >= end)
		return 0;
	page = vpc_trie_alloc(txn, sizeof(*page));
	if (!page)
		return -ENOMEM;
	if (base)
		memcpy(page, base, sizeof(*page));
	else
		memset(page, 0, sizeof(*page));
	for (k = find_next_bit(pending->sixteen, end, first); k < end;
	     k = find_next_bit(pending->sixteen, end, k + 1)) {
		entry = vpc_index_find_sixteen(trie, k);
		page->way[k - first] = entry.way;
		page->cover[(k - first) / 2] = entry.cover;
	}
	if (!memchr_inv(page, 0, sizeof(*page))) {
		vpc_index_page_free(txn, page);
		page = NULL;
	}
	*ret_page = page;
	return 0;
}

/* Undo of a half-made @top: its pages but those of @base, and itself. */
static void vpc_index_undo(struct vpc_trie_txn *txn, struct vpc_index_page *top, const struct vpc_index_page *base)
{
	struct vpc_index_page *page;
	unsigned int i;

	for (i = 0; i < VPC_INDEX_ENTRIES; i++) {
		page = vpc_index_page(top, i);
		if (page && (!base || page != vpc_index_page(base, i)))
			vpc_index_page_free(txn, page);
	}
	vpc_index_page_free(txn, top);
}

/* What @base has and @top (may be NULL) does not share. vpc_trie_reserve() has made room. */
static void vpc_index_retire(struct vpc_trie_txn *txn, const struct vpc_index_page *top, struct vpc_index_page *base)
{
	struct vpc_index_page *page;
	unsigned int i;

	for (i = 0; i < VPC_INDEX_ENTRIES; i++) {
		page = vpc_index_page(base, i);
		if (page && (!top || page != vpc_index_page(top, i)))
			vpc_trie_retire_page(txn, page);
	}
	vpc_trie_retire_page(txn, base);
}

static int vpc_index_update(struct vpc_trie_txn *txn, const struct vpc_trie *trie,
			    const struct vpc_index_pending *pending, struct vpc_index_page **ret_top)
{
	struct vpc_index_page *base = pending->base, *top, *page;
	unsigned int i;

	top = vpc_trie_alloc(txn, sizeof(*top));
	if (!top)
		return -ENOMEM;
	if (base)
		memcpy(top, base, sizeof(*top));
	else
		memset(top, 0, sizeof(*top));
	for (i = 0; i < VPC_INDEX_ENTRIES; i++) {
		page = vpc_index_page(top, i);
		if (vpc_index_update_page(txn, trie, pending, page, i, &page)) {
			vpc_index_undo(txn, top, base);
			return -ENOMEM;
		}
		if (test_bit(i, pending->top))
			top->way[i].ext = vpc_index_find_top(trie, i);
		top->way[i].slot = (unsigned long)page;
	}
	*ret_top = top;
	return 0;
}

/* Empties @trie's index, which may be pending. -ENOMEM: it is as it was. */
int vpc_index_drop(struct vpc_trie_txn *txn, struct vpc_trie *trie)
{
	struct vpc_index_pending *pending = vpc_index_pending(trie);
	struct vpc_index_page *base = pending ? pending->base : trie->index;

	if (!base)
		return 0;
	if (vpc_trie_reserve(txn, VPC_INDEX_ENTRIES + 1))
		return -ENOMEM;
	vpc_index_retire(txn, NULL, base);
	kvfree(pending);
	trie->index = NULL;
	return 0;
}

static int vpc_index_apply(struct vpc_trie_txn *txn, struct vpc_trie *trie, const struct vpc_index_pending *pending)
{
	struct vpc_index_page *top;

	if (vpc_trie_reserve(txn, VPC_INDEX_ENTRIES + 1) || vpc_index_update(txn, trie, pending, &top))
		return -ENOMEM;
	if (pending->base)
		vpc_index_retire(txn, top, pending->base);
	trie->index = top;
	return 0;
}

int vpc_trie_seal(struct vpc_trie_txn *txn, struct vpc_trie *trie)
{
	struct vpc_index_pending *pending = vpc_index_pending(trie);
	int err;

	txn->pending = NULL;
	if (trie->count < (trie->index ? VPC_INDEX_MIN / 2 : VPC_INDEX_MIN))
		return vpc_index_drop(txn, trie);
	if (trie->index && !pending)
		return 0;
	if (!pending) {
		pending = vpc_index_pending_new(NULL);
		if (!pending)
			return -ENOMEM;
		memset(pending->top, 0xff, sizeof(pending->top));
		memset(pending->sixteen, 0xff, sizeof(pending->sixteen));
	}
	err = vpc_index_apply(txn, trie, pending);
	if (!err || !pending->base)
		kvfree(pending);
	return err;
}

void vpc_index_revert(struct vpc_trie_txn *txn, struct vpc_trie *trie, const struct vpc_trie *base)
{
	struct vpc_index_pending *pending = vpc_index_pending(trie);

	if (pending)
		kvfree(pending);
	else if (trie->index && trie->index != base->index)
		vpc_index_undo(txn, trie->index, base->index);
	trie->index = base->index;
}

/* -- whole indexes ------------------------------------------------------------------------------------------------- */

void vpc_index_free(struct vpc_index_page *top)
{
	unsigned int i;

	for (i = 0; i < VPC_INDEX_ENTRIES; i++) {
		if (vpc_index_page(top, i))
			vpc_trie_page_free(vpc_index_page(top, i));
	}
	vpc_trie_page_free(top);
}

size_t vpc_index_memory(const struct vpc_trie *trie)
{
	const struct vpc_index_pending *pending = vpc_index_pending(trie);
	const struct vpc_index_page *top = pending ? pending->base : trie->index;
	size_t bytes = sizeof(*top);
	unsigned int i;

	if (!top)
		return 0;
	for (i = 0; i < VPC_INDEX_ENTRIES; i++) {
		if (vpc_index_page(top, i))
			bytes += sizeof(*top);
	}
	return bytes;
}

static bool vpc_index_page_sound(const struct vpc_trie *trie, const struct vpc_index_page *page, unsigned int first)
{
	const struct vpc_index_way *way = page->way;
	struct vpc_index_entry entry;
	unsigned int k;

	for (k = 0; k < VPC_INDEX_ENTRIES; k++, way++) {
		entry = vpc_index_find_sixteen(trie, first + k);
		if (way->slot != entry.way.slot || way->ext != entry.way.ext || page->cover[k / 2] != entry.cover)
			return false;
	}
	return true;
}

bool vpc_trie_index_sound(const struct vpc_trie *trie)
{
	static const struct vpc_index_page nothing;
	const struct vpc_index_page *top = trie->index;
	unsigned int i;

	if (!top)
		return true;
	for (i = 0; i < VPC_INDEX_ENTRIES; i++) {
		if (top->way[i].ext != vpc_index_find_top(trie, i) ||
		    !vpc_index_page_sound(trie, vpc_index_page(top, i) ?: &nothing, i * VPC_INDEX_ENTRIES))
			return false;
		cond_resched();
	}
	return true;
}
