// SPDX-License-Identifier: GPL-2.0-only
/*
 * The changes of a transaction to the route trie. tables/txn.c calls here with a private root, under vnet->lock.
 *
 * A change goes down from the root and owns each node that it will have to write: one that the transaction made is its
 * own, another is copied and retired. Owning leaves the content as it is, so an allocation that fails on the way down,
 * or before the first write at the end, needs no undoing.
 *
 * Changes come sorted, by the thousand. So the transaction remembers the node that a change ended at, and the next one,
 * when it lies below that node, begins there: all above it is owned and stays as it is.
 */
#include "trie_node.h"

#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/string.h>

/* Objects that one change can drop: each node of a path, and a leaf deleted next to one that moves. */
#define VPC_TRIE_DROPS (VPC_TRIE_DEPTH + 3)

/**
 * struct vpc_trie_edit - a change on its way down
 * @txn: the transaction
 * @route: what is added or deleted
 * @v6: the trie's family
 * @root: the link to the trie's root
 * @link: to the node in hand
 * @pos: the key's position at @link, 0 at the root
 * @above: the link to the node that @link is in, NULL when that is not known
 * @above_pos: the key's position there
 */
struct vpc_trie_edit {
	struct vpc_trie_txn *txn;
	struct vpc_route route;
	bool v6;
	u64 root;
	u64 *link;
	unsigned int pos;
	u64 *above;
	unsigned int above_pos;
};

/* -- where a change begins and ends -------------------------------------------------------------------------------- */

static void vpc_edit_begin(struct vpc_trie_edit *edit, const struct vpc_trie *trie)
{
	const struct vpc_trie_txn *txn = edit->txn;

	edit->root = vpc_slot_make(trie->root, VPC_SLOT_NODE);
	edit->link = &edit->root;
	if (txn->near && txn->near_root == trie->root &&
	    vpc_node_covers(vpc_slot_ptr(*txn->near), &edit->route, edit->v6)) {
		edit->link = txn->near;
		edit->pos = txn->near_pos;
	}
}

static void vpc_edit_down(struct vpc_trie_edit *edit, u64 *link, unsigned int pos)
{
	edit->above = edit->link;
	edit->above_pos = edit->pos;
	edit->link = link;
	edit->pos = pos;
}

/* The change is made. The root's link is this edit's own; what is in a slot may have been a node and be none now. */
static void vpc_edit_end(struct vpc_trie_edit *edit)
{
	struct vpc_trie_txn *txn = edit->txn;

	if (*edit->link && vpc_slot_tag(*edit->link) == VPC_SLOT_NODE) {
		txn->near = edit->link;
		txn->near_pos = edit->pos;
	} else {
		txn->near = edit->above;
		txn->near_pos = edit->above_pos;
	}
	if (txn->near == &edit->root)
		txn->near = NULL;
	txn->near_root = vpc_slot_ptr(edit->root);
}

/* The value of exactly the edit's prefix, 0 when it is not there. */
static u32 vpc_edit_old(const struct vpc_trie_edit *edit, u8 family, const u8 *addr, u8 plen)
{
	struct vpc_trie below = { .root = vpc_slot_ptr(*edit->link), .family = family };

	return vpc_trie_lookup_exact(&below, addr, plen);
}

/* -- changing nodes ------------------------------------------------------------------------------------------------ */

/*
 * These take a link: where the only pointer to the node is, the root or a slot of an owned node, and leave the node
 * there that the transaction may write, of the size class that its entries want. NULL: no memory, nothing changed.
 */

static struct vpc_trie_node *vpc_node_own(struct vpc_trie_edit *edit, u64 *link)
{
	struct vpc_trie_node *node = vpc_slot_ptr(*link);
	struct vpc_trie_node *copy;
	size_t size;

	if (vpc_trie_fresh(edit->txn, *link))
		return node;
	size = vpc_node_bytes(node, edit->v6);
	copy = vpc_trie_alloc(edit->txn, size);
	if (!copy)
		return NULL;
	memcpy(copy, node, size);
	copy->stamp = edit->txn->stamp;
	vpc_trie_drop(edit->txn, *link, edit->v6);
	*link = vpc_slot_make(copy, VPC_SLOT_NODE);
	return copy;
}

/* The block for *@link's node when its entries will take @size bytes: its own where that will do, or a new one. */
static struct vpc_trie_node *vpc_node_block(struct vpc_trie_edit *edit, const u64 *link, size_t size)
{
	struct vpc_trie_node *node = vpc_slot_ptr(*link);

	if (vpc_trie_fresh(edit->txn, *link) && vpc_trie_room(vpc_node_bytes(node, edit->v6)) == vpc_trie_room(size))
		return node;
	return vpc_trie_alloc(edit->txn, size);
}

static void vpc_node_replace(struct vpc_trie_edit *edit, u64 *link, struct vpc_trie_node *node)
{
	node->stamp = edit->txn->stamp;
	if (vpc_slot_ptr(*link) == node)
		return;
	vpc_trie_drop(edit->txn, *link, edit->v6);
	*link = vpc_slot_make(node, VPC_SLOT_NODE);
}

/* @dst, which may be @src, gets @src's entries and a gap for the slot of index @bit. */
static void vpc_node_fill_slot(struct vpc_trie_node *dst, const struct vpc_trie_node *src, unsigned int bit, u64 slot,
			       bool v6)
{
	unsigned int n = vpc_popcount(src->ext);
	unsigned int i = vpc_bit_rank(src->ext, bit);
	u64 *to = vpc_node_slots(dst, v6);
	const u64 *from = vpc_node_slots(src, v6);

	memmove(to + n + 1, from + n, vpc_popcount(src->in) * sizeof(u32));
	memmove(to + i + 1, from + i, (n - i) * sizeof(u64));
	memmove(dst, src, vpc_node_head(v6) + i * sizeof(u64));
	to[i] = slot;
	dst->ext |= BIT_ULL(bit);
}

static void vpc_node_fill_value(struct vpc_trie_node *dst, const struct vpc_trie_node *src, unsigned int bit, u32 value,
				bool v6)
{
	unsigned int n = vpc_popcount(src->in);
	unsigned int i = vpc_bit_rank(src->in, bit);
	size_t head = vpc_node_size(v6, vpc_popcount(src->ext), 0);
	u32 *to = (u32 *)((u8 *)dst + head);
	const u32 *from = vpc_node_values(src, v6);

	memmove(to + i + 1, from + i, (n - i) * sizeof(u32));
	memmove(dst, src, head + i * sizeof(u32));
	to[i] = value;
	dst->in |= BIT_ULL(bit);
}

static struct vpc_trie_node *vpc_node_add_slot(struct vpc_trie_edit *edit, u64 *link, unsigned int bit, u64 slot)
{
	struct vpc_trie_node *node = vpc_slot_ptr(*link);
	struct vpc_trie_node *block = vpc_node_block(edit, link, vpc_node_bytes(node, edit->v6) + sizeof(u64));

	if (!block)
		return NULL;
	vpc_node_fill_slot(block, node, bit, slot, edit->v6);
	vpc_node_replace(edit, link, block);
	return block;
}

static struct vpc_trie_node *vpc_node_add_value(struct vpc_trie_edit *edit, u64 *link, unsigned int bit, u32 value)
{
	struct vpc_trie_node *node = vpc_slot_ptr(*link);
	struct vpc_trie_node *block = vpc_node_block(edit, link, vpc_node_bytes(node, edit->v6) + sizeof(u32));

	if (!block)
		return NULL;
	vpc_node_fill_value(block, node, bit, value, edit->v6);
	vpc_node_replace(edit, link, block);
	return block;
}

static struct vpc_trie_node *vpc_node_del_slot(struct vpc_trie_edit *edit, u64 *link, unsigned int bit)
{
	const struct vpc_trie_node *src = vpc_slot_ptr(*link);
	struct vpc_trie_node *dst = vpc_node_block(edit, link, vpc_node_bytes(src, edit->v6) - sizeof(u64));
	unsigned int n = vpc_popcount(src->ext);
	unsigned int i = vpc_bit_rank(src->ext, bit);
	unsigned int values = vpc_popcount(src->in);
	const u64 *from = vpc_node_slots(src, edit->v6);
	u64 *to;

	if (!dst)
		return NULL;
	to = vpc_node_slots(dst, edit->v6);
	memmove(dst, src, vpc_node_head(edit->v6) + i * sizeof(u64));
	memmove(to + i, from + i + 1, (n - i - 1) * sizeof(u64) + values * sizeof(u32));
	dst->ext &= ~BIT_ULL(bit);
	vpc_node_replace(edit, link, dst);
	return dst;
}

static struct vpc_trie_node *vpc_node_del_value(struct vpc_trie_edit *edit, u64 *link, unsigned int bit)
{
	const struct vpc_trie_node *src = vpc_slot_ptr(*link);
	struct vpc_trie_node *dst = vpc_node_block(edit, link, vpc_node_bytes(src, edit->v6) - sizeof(u32));
	size_t head = vpc_node_size(edit->v6, vpc_popcount(src->ext), vpc_bit_rank(src->in, bit));
	size_t tail = vpc_node_bytes(src, edit->v6) - head - sizeof(u32);

	if (!dst)
		return NULL;
	memmove(dst, src, head);
	memmove((u8 *)dst + head, (const u8 *)src + head + sizeof(u32), tail);
	dst->in &= ~BIT_ULL(bit);
	vpc_node_replace(edit, link, dst);
	return dst;
}

/* A node at virtual position @pos with @key's first bits, no entries yet, of a block for so many. */
static struct vpc_trie_node *vpc_node_new(struct vpc_trie_edit *edit, struct vpc_key key, unsigned int pos,
					  unsigned int slots, unsigned int values)
{
	struct vpc_trie_node *node = vpc_trie_alloc(edit->txn, vpc_node_size(edit->v6, slots, values));

	if (!node)
		return NULL;
	key = vpc_key_mask(key, pos ? pos - VPC_TRIE_PAD : 0);
	node->ext = 0;
	node->in = 0;
	node->stamp = edit->txn->stamp;
	node->at = pos / VPC_TRIE_STRIDE;
	if (edit->v6) {
		node->body[0] = key.hi;
		node->body[1] = key.lo;
	} else {
		node->at |= key.hi >> 32;
	}
	return node;
}

/* The slot, at virtual position @pos, of a lone prefix; the transaction owns the leaf that it may need. -ENOMEM. */
static int vpc_slot_new(struct vpc_trie_edit *edit, const struct vpc_route *route, unsigned int pos, u64 *ret_slot)
{
	unsigned int plen = route->len - VPC_TRIE_PAD;
	struct vpc_trie_leaf *leaf;
	struct vpc_key key = route->key;

	if (route->len - pos <= VPC_TRIE_INLINE) {
		*ret_slot = vpc_slot_inline(route, pos);
		return 0;
	}
	leaf = vpc_trie_alloc(edit->txn, sizeof(*leaf));
	if (!leaf)
		return -ENOMEM;
	if (plen < 128)
		key = vpc_key_put(key, plen, BIT_ULL(63));
	leaf->hi = key.hi;
	leaf->lo = key.lo;
	leaf->stamp = edit->txn->stamp;
	leaf->value = route->value;
	*ret_slot = vpc_slot_make(leaf, plen < 128 ? VPC_SLOT_LEAF : VPC_SLOT_HOST);
	return 0;
}

/* Undo of vpc_slot_new() and end of a lone prefix alike. */
static void vpc_slot_drop(struct vpc_trie_edit *edit, u64 slot)
{
	if (vpc_slot_tag(slot) != VPC_SLOT_INLINE)
		vpc_trie_drop(edit->txn, slot, edit->v6);
}

/* What is left of @node when @ext and @in, one entry together, remain: a slot, 0 for a prefix, and the prefix. */
static void vpc_node_last(const struct vpc_trie_node *node, u64 ext, u64 in, bool v6, u64 *ret_slot,
			  struct vpc_route *ret_route)
{
	unsigned int pos = vpc_node_pos(node, v6);
	struct vpc_key key = vpc_node_key(node, v6);
	unsigned int bit, n;

	if (in) {
		bit = __ffs64(in);
		n = fls(bit) - 1;
		*ret_slot = 0;
		ret_route->key = vpc_key_extend(key, pos, bit ^ BIT(n), n, v6);
		ret_route->len = pos + n;
		ret_route->value = vpc_node_values(node, v6)[vpc_bit_rank(node->in, bit)];
		return;
	}
	bit = __ffs64(ext);
	*ret_slot = vpc_node_slots(node, v6)[vpc_bit_rank(node->ext, bit)];
	if (vpc_slot_tag(*ret_slot) != VPC_SLOT_NODE)
		vpc_slot_route(*ret_slot, vpc_key_extend(key, pos, bit, VPC_TRIE_STRIDE, v6), pos + VPC_TRIE_STRIDE, v6,
			       ret_route);
}

/* -- add ----------------------------------------------------------------------------------------------------------- */

/* What a new node is made of: a node, or a lone prefix which is new or was in @slot. */
struct vpc_trie_part {
	struct vpc_route route;		/* of a node: its key and position */
	u64 slot;			/* 0: a prefix that has none */
	u64 ret_slot;			/* in the new node, 0 when it became one of its prefixes */
};

static int vpc_part_build(struct vpc_trie_edit *edit, struct vpc_trie_part *part, unsigned int pos)
{
	unsigned int below = pos + VPC_TRIE_STRIDE;
	bool node = part->slot && vpc_slot_tag(part->slot) == VPC_SLOT_NODE;
	bool leaf = part->slot && vpc_slot_tag(part->slot) >= VPC_SLOT_LEAF;

	part->ret_slot = 0;
	if (!node && part->route.len < below)
		return 0;
	if (node || (leaf && part->route.len - below > VPC_TRIE_INLINE)) {
		part->ret_slot = part->slot;
		return 0;
	}
	return vpc_slot_new(edit, &part->route, below, &part->ret_slot);
}

static void vpc_part_put(struct vpc_trie_edit *edit, const struct vpc_trie_part *part, struct vpc_trie_node *node,
			 unsigned int pos)
{
	const struct vpc_route *route = &part->route;

	if (part->ret_slot)
		vpc_node_fill_slot(node, node, vpc_key_index(route->key, pos, edit->v6), part->ret_slot, edit->v6);
	else
		vpc_node_fill_value(node, node, vpc_node_bit(route->key, route->len, pos, edit->v6), route->value,
				    edit->v6);
}

/* Puts a node over what *@link has (@old) and the new prefix, at the last stride that both have in common. */
static int vpc_edit_split(struct vpc_trie_edit *edit, u64 *link, struct vpc_trie_part *old)
{
	struct vpc_trie_part new = { .route = edit->route };
	unsigned int pos = min3(vpc_key_common(new.route.key, old->route.key) + VPC_TRIE_PAD,
				new.route.len, old->route.len);
	struct vpc_trie_node *node = NULL;
	unsigned int slots;

	pos -= pos % VPC_TRIE_STRIDE;
	if (vpc_part_build(edit, old, pos))
		return -ENOMEM;
	if (vpc_part_build(edit, &new, pos))
		goto err_old;
	slots = !!old->ret_slot + !!new.ret_slot;
	node = vpc_node_new(edit, new.route.key, pos, slots, 2 - slots);
	if (!node)
		goto err_new;
	vpc_part_put(edit, old, node, pos);
	vpc_part_put(edit, &new, node, pos);
	if (old->slot && old->slot != old->ret_slot)
		vpc_slot_drop(edit, old->slot);
	*link = vpc_slot_make(node, VPC_SLOT_NODE);
	return 0;

err_new:
	if (new.ret_slot)
		vpc_slot_drop(edit, new.ret_slot);
err_old:
	if (old->ret_slot && old->ret_slot != old->slot)
		vpc_slot_drop(edit, old->ret_slot);
	return -ENOMEM;
}

/* The subtree's lone prefix in *@link, a slot at @pos of an owned node, changes its value or gets company. */
static int vpc_edit_add_lone(struct vpc_trie_edit *edit, u64 *link, unsigned int pos)
{
	struct vpc_trie_part old = { .slot = *link };
	struct vpc_trie_leaf *leaf;
	u64 slot;

	vpc_slot_route(*link, edit->route.key, pos, edit->v6, &old.route);
	if (!vpc_route_same_prefix(&old.route, &edit->route))
		return vpc_edit_split(edit, link, &old);
	if (vpc_slot_tag(*link) != VPC_SLOT_INLINE && vpc_trie_fresh(edit->txn, *link)) {
		leaf = vpc_slot_ptr(*link);
		leaf->value = edit->route.value;
		return 0;
	}
	if (vpc_slot_new(edit, &edit->route, pos, &slot))
		return -ENOMEM;
	vpc_slot_drop(edit, *link);
	*link = slot;
	return 0;
}

/* The prefix is one of the node's own. */
static int vpc_edit_add_value(struct vpc_trie_edit *edit, u64 *link, unsigned int bit)
{
	struct vpc_trie_node *node = vpc_slot_ptr(*link);

	if (!(node->in & BIT_ULL(bit)))
		return vpc_node_add_value(edit, link, bit, edit->route.value) ? 0 : -ENOMEM;
	node = vpc_node_own(edit, link);
	if (!node)
		return -ENOMEM;
	vpc_node_values(node, edit->v6)[vpc_bit_rank(node->in, bit)] = edit->route.value;
	return 0;
}

static int vpc_edit_add_slot(struct vpc_trie_edit *edit, u64 *link, unsigned int pos, unsigned int bit)
{
	u64 slot;

	if (vpc_slot_new(edit, &edit->route, pos + VPC_TRIE_STRIDE, &slot))
		return -ENOMEM;
	if (vpc_node_add_slot(edit, link, bit, slot))
		return 0;
	vpc_slot_drop(edit, slot);
	return -ENOMEM;
}

/* *@link's node is not on the prefix's way. A root of one prefix is no more needed when it gets company. */
static int vpc_edit_add_above(struct vpc_trie_edit *edit, u64 *link)
{
	const struct vpc_trie_node *node = vpc_slot_ptr(*link);
	struct vpc_trie_part old = { .slot = *link };
	u64 root = 0;
	int err;

	if (!node->ext && vpc_popcount(node->in) == 1) {
		root = *link;
		vpc_node_last(node, 0, node->in, edit->v6, &old.slot, &old.route);
	} else {
		old.route.key = vpc_node_key(node, edit->v6);
		old.route.len = vpc_node_pos(node, edit->v6);
	}
	err = vpc_edit_split(edit, link, &old);
	if (!err && root)
		vpc_trie_drop(edit->txn, root, edit->v6);
	return err;
}

static int vpc_edit_add(struct vpc_trie_edit *edit)
{
	const struct vpc_route *route = &edit->route;
	struct vpc_trie_node *node;
	unsigned int pos, bit;

	for (;;) {
		node = vpc_slot_ptr(*edit->link);
		pos = vpc_node_pos(node, edit->v6);
		if (!vpc_node_covers(node, route, edit->v6))
			return vpc_edit_add_above(edit, edit->link);
		if (route->len < pos + VPC_TRIE_STRIDE)
			return vpc_edit_add_value(edit, edit->link,
						  vpc_node_bit(route->key, route->len, pos, edit->v6));
		bit = vpc_key_index(route->key, pos, edit->v6);
		if (!(node->ext & BIT_ULL(bit)))
			return vpc_edit_add_slot(edit, edit->link, pos, bit);
		node = vpc_node_own(edit, edit->link);
		if (!node)
			return -ENOMEM;
		vpc_edit_down(edit, &vpc_node_slots(node, edit->v6)[vpc_bit_rank(node->ext, bit)],
			      pos + VPC_TRIE_STRIDE);
		if (vpc_slot_tag(*edit->link) != VPC_SLOT_NODE)
			return vpc_edit_add_lone(edit, edit->link, edit->pos);
	}
}

/* A root for one prefix: a node, as an IPv4 prefix without a node above it does not fit in a slot. */
static int vpc_edit_add_root(struct vpc_trie_edit *edit, const struct vpc_route *route, u64 *link)
{
	unsigned int pos = route->len - route->len % VPC_TRIE_STRIDE;
	struct vpc_trie_node *node = vpc_node_new(edit, route->key, pos, 0, 1);

	if (!node)
		return -ENOMEM;
	vpc_node_fill_value(node, node, vpc_node_bit(route->key, route->len, pos, edit->v6), route->value, edit->v6);
	*link = vpc_slot_make(node, VPC_SLOT_NODE);
	return 0;
}

int vpc_trie_add(struct vpc_trie_txn *txn, struct vpc_trie *trie, const u8 *addr, u8 plen, u32 value, u32 *ret_old)
{
	struct vpc_trie_edit edit = { .txn = txn, .v6 = vpc_trie_v6(trie) };
	u32 old;
	int err;

	vpc_route_init(&edit.route, addr, plen, value, edit.v6);
	vpc_edit_begin(&edit, trie);
	old = vpc_edit_old(&edit, trie->family, addr, plen);
	if (old != value) {
		if (vpc_trie_reserve(txn, VPC_TRIE_DROPS) || vpc_index_begin(txn, trie))
			return -ENOMEM;
		if (txn->pending)
			vpc_index_touch(txn->pending, edit.route.key, plen);
		txn->near = NULL;
		err = edit.root ? vpc_edit_add(&edit) : vpc_edit_add_root(&edit, &edit.route, &edit.root);
		trie->root = vpc_slot_ptr(edit.root);
		if (err)
			return err;
		vpc_edit_end(&edit);
	}
	trie->count += !old;
	*ret_old = old;
	return 0;
}

/* -- delete -------------------------------------------------------------------------------------------------------- */

/* *@link's node, of which @ext and @in remain, one entry together, gives way to it. @pos: of the link, 0: root. */
static int vpc_edit_collapse(struct vpc_trie_edit *edit, u64 *link, unsigned int pos, u64 ext, u64 in)
{
	u64 slot, new = 0;
	struct vpc_route route;
	int err = 0;

	vpc_node_last(vpc_slot_ptr(*link), ext, in, edit->v6, &slot, &route);
	if (slot && (vpc_slot_tag(slot) == VPC_SLOT_NODE || (pos && vpc_slot_tag(slot) != VPC_SLOT_INLINE)))
		new = slot;
	else if (pos)
		err = vpc_slot_new(edit, &route, pos, &new);
	else
		err = vpc_edit_add_root(edit, &route, &new);
	if (err)
		return err;
	if (slot && slot != new)
		vpc_slot_drop(edit, slot);
	vpc_trie_drop(edit->txn, *link, edit->v6);
	*link = new;
	return 0;
}

/* Takes an entry out of *@link's node: of @ext and @in the new bitmaps, of which one lacks bit @bit. */
static int vpc_edit_remove(struct vpc_trie_edit *edit, u64 *link, unsigned int pos, u64 ext, u64 in, unsigned int bit)
{
	struct vpc_trie_node *node = vpc_slot_ptr(*link);
	u64 gone = 0;
	int err = 0;

	if (ext != node->ext)
		gone = vpc_node_slots(node, edit->v6)[vpc_bit_rank(node->ext, bit)];
	if (!ext && !in) {
		vpc_trie_drop(edit->txn, *link, edit->v6);
		*link = 0;
	} else if (vpc_popcount(ext) + vpc_popcount(in) == 1 && (pos || ext)) {
		err = vpc_edit_collapse(edit, link, pos, ext, in);
	} else if (gone) {
		err = vpc_node_del_slot(edit, link, bit) ? 0 : -ENOMEM;
	} else {
		err = vpc_node_del_value(edit, link, bit) ? 0 : -ENOMEM;
	}
	if (!err && gone)
		vpc_slot_drop(edit, gone);
	return err;
}

/* The prefix is there. */
static int vpc_edit_del(struct vpc_trie_edit *edit)
{
	const struct vpc_route *route = &edit->route;
	struct vpc_trie_node *node;
	unsigned int pos, bit;
	u64 slot;

	for (;;) {
		node = vpc_slot_ptr(*edit->link);
		pos = vpc_node_pos(node, edit->v6);
		if (route->len < pos + VPC_TRIE_STRIDE) {
			bit = vpc_node_bit(route->key, route->len, pos, edit->v6);
			return vpc_edit_remove(edit, edit->link, edit->pos, node->ext, node->in & ~BIT_ULL(bit), bit);
		}
		bit = vpc_key_index(route->key, pos, edit->v6);
		slot = vpc_node_slots(node, edit->v6)[vpc_bit_rank(node->ext, bit)];
		if (vpc_slot_tag(slot) != VPC_SLOT_NODE)
			return vpc_edit_remove(edit, edit->link, edit->pos, node->ext & ~BIT_ULL(bit), node->in, bit);
		node = vpc_node_own(edit, edit->link);
		if (!node)
			return -ENOMEM;
		vpc_edit_down(edit, &vpc_node_slots(node, edit->v6)[vpc_bit_rank(node->ext, bit)],
			      pos + VPC_TRIE_STRIDE);
	}
}

int vpc_trie_del(struct vpc_trie_txn *txn, struct vpc_trie *trie, const u8 *addr, u8 plen, u32 *ret_old)
{
	struct vpc_trie_edit edit = { .txn = txn, .v6 = vpc_trie_v6(trie) };
	u32 old;
	int err;

	vpc_route_init(&edit.route, addr, plen, 0, edit.v6);
	vpc_edit_begin(&edit, trie);
	old = vpc_edit_old(&edit, trie->family, addr, plen);
	if (!old)
		return -ENOENT;
	if (vpc_trie_reserve(txn, VPC_TRIE_DROPS) || vpc_index_begin(txn, trie))
		return -ENOMEM;
	if (txn->pending)
		vpc_index_touch(txn->pending, edit.route.key, plen);
	txn->near = NULL;
	err = vpc_edit_del(&edit);
	trie->root = vpc_slot_ptr(edit.root);
	if (err)
		return err;
	vpc_edit_end(&edit);
	trie->count--;
	*ret_old = old;
	return 0;
}
