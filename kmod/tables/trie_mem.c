// SPDX-License-Identifier: GPL-2.0-only
/*
 * The route trie's memory: size classes, what a transaction retires, and whatever goes through a whole tree to free
 * or to count it. trie.c allocates and drops here; tables/txn.c ends transactions; tables/vpc.c frees garbage when the
 * grace period and the last older snapshot are over.
 *
 * Readers may stand in a retired node, so nothing is written to it: the list of the retired has memory of its own,
 * which is reserved before a change begins.
 */
#include "trie_node.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

/*
 * Own caches: kmalloc's sizes would make a table a third larger, and on arm64 take 128 bytes at least. 72 bytes and
 * less is nine of ten nodes, 88 and 104 hold sixteen host routes, 576 an IPv4 node with all its slots.
 */
static const u16 vpc_trie_sizes[] = {
	24, 32, 40, 48, 56, 64, 72, 88, 104, 128, 168, 224, 288, 384, 576, VPC_TRIE_MAX_SIZE,
	sizeof(struct vpc_index_page),
};

static struct kmem_cache *vpc_trie_cache[ARRAY_SIZE(vpc_trie_sizes)] __ro_after_init;
static u8 vpc_trie_class[sizeof(struct vpc_index_page) / 8 + 1] __ro_after_init;	/* by size / 8, rounded up */

/* One object of a garbage list is the pointer with the slot's tag, and in place of VPC_SLOT_INLINE an IPv6 node. */
#define VPC_GARBAGE_NODE6 VPC_SLOT_INLINE
#define VPC_GARBAGE_TREE  4	/* a node with all below it */
#define VPC_GARBAGE_PAGE  (VPC_GARBAGE_TREE | VPC_SLOT_LEAF)	/* of an index */

struct vpc_trie_garbage_block {
	struct vpc_trie_garbage_block *next;
	u32 used;
	u32 size;
	unsigned long object[];
};

#define VPC_GARBAGE_BLOCK(bytes) (((bytes) - sizeof(struct vpc_trie_garbage_block)) / sizeof(unsigned long))

int vpc_trie_init_caches(void)
{
	unsigned int nr, units = 0;
	char name[24];

	for (nr = 0; nr < ARRAY_SIZE(vpc_trie_sizes); nr++) {
		snprintf(name, sizeof(name), "vpc_trie_%u", vpc_trie_sizes[nr]);
		vpc_trie_cache[nr] = kmem_cache_create(name, vpc_trie_sizes[nr],
						       vpc_trie_sizes[nr] > VPC_TRIE_MAX_SIZE ? 64 : 8, SLAB_ACCOUNT,
						       NULL);
		if (!vpc_trie_cache[nr]) {
			vpc_trie_exit_caches();
			return -ENOMEM;
		}
		while (units * 8 <= vpc_trie_sizes[nr])
			vpc_trie_class[units++] = nr;
	}
	return 0;
}

void vpc_trie_exit_caches(void)
{
	unsigned int nr;

	for (nr = 0; nr < ARRAY_SIZE(vpc_trie_sizes); nr++)
		kmem_cache_destroy(vpc_trie_cache[nr]);
}

/* -- objects ------------------------------------------------------------------------------------------------------- */

static unsigned int vpc_trie_size_class(size_t size)
{
	return vpc_trie_class[DIV_ROUND_UP(size, 8)];
}

size_t vpc_trie_room(size_t size)
{
	return vpc_trie_sizes[vpc_trie_size_class(size)];
}

void *vpc_trie_alloc(struct vpc_trie_txn *txn, size_t size)
{
	unsigned int nr = vpc_trie_size_class(size);
	void *object = kmem_cache_alloc(vpc_trie_cache[nr], GFP_KERNEL | __GFP_NOWARN);

	if (object)
		txn->bytes += vpc_trie_sizes[nr];
	return object;
}

static unsigned int vpc_trie_object_class(u64 slot, bool v6)
{
	if (vpc_slot_tag(slot) == VPC_SLOT_NODE)
		return vpc_trie_size_class(vpc_node_bytes(vpc_slot_ptr(slot), v6));
	return vpc_trie_size_class(sizeof(struct vpc_trie_leaf));
}

static size_t vpc_trie_object_room(u64 slot, bool v6)
{
	return vpc_trie_sizes[vpc_trie_object_class(slot, v6)];
}

static void vpc_trie_object_free(u64 slot, bool v6)
{
	kmem_cache_free(vpc_trie_cache[vpc_trie_object_class(slot, v6)], vpc_slot_ptr(slot));
}

void vpc_trie_page_free(struct vpc_index_page *page)
{
	kmem_cache_free(vpc_trie_cache[vpc_trie_size_class(sizeof(*page))], page);
}

/* -- whole trees --------------------------------------------------------------------------------------------------- */

/**
 * struct vpc_tree_op - what to do with each object of a tree, from the leaves up
 * @v6: the tree's family
 * @txn: when set, only with what it made; the tree below something older is all older
 * @object: may free it; may be NULL
 * @older: the top of a subtree that @txn did not make; may be NULL
 * @count: the callbacks' own
 */
struct vpc_tree_op {
	bool v6;
	struct vpc_trie_txn *txn;
	void (*object)(struct vpc_tree_op *op, u64 slot);
	void (*older)(struct vpc_tree_op *op, u64 slot);
	size_t count;
};

static void vpc_tree_object(struct vpc_tree_op *op, u64 slot)
{
	if (op->object)
		op->object(op, slot);
}

/* Does what is to do at @slot at once, and returns false, or true for a node to go down into. */
static bool vpc_tree_enter(struct vpc_tree_op *op, u64 slot)
{
	if (vpc_slot_tag(slot) == VPC_SLOT_INLINE)
		return false;
	if (op->txn && !vpc_trie_fresh(op->txn, slot)) {
		if (op->older)
			op->older(op, slot);
		return false;
	}
	if (vpc_slot_tag(slot) == VPC_SLOT_NODE)
		return true;
	vpc_tree_object(op, slot);
	return false;
}

static void vpc_tree_each(struct vpc_tree_op *op, u64 root)
{
	struct {
		u64 node;
		const u64 *slot;
		const u64 *end;
	} stack[VPC_TRIE_DEPTH];
	const struct vpc_trie_node *node;
	unsigned int depth = 0;
	u64 slot = root;

	for (;;) {
		if (vpc_tree_enter(op, slot)) {
			node = vpc_slot_ptr(slot);
			stack[depth].node = slot;
			stack[depth].slot = vpc_node_slots(node, op->v6);
			stack[depth].end = stack[depth].slot + vpc_popcount(node->ext);
			depth++;
		}
		while (depth && stack[depth - 1].slot == stack[depth - 1].end)
			vpc_tree_object(op, stack[--depth].node);
		if (!depth)
			return;
		slot = *stack[depth - 1].slot++;
	}
}

static void vpc_tree_op_free(struct vpc_tree_op *op, u64 slot)
{
	if (op->txn)
		op->txn->bytes -= vpc_trie_object_room(slot, op->v6);
	vpc_trie_object_free(slot, op->v6);
	cond_resched();
}

static void vpc_tree_op_bytes(struct vpc_tree_op *op, u64 slot)
{
	op->count += vpc_trie_object_room(slot, op->v6);
	cond_resched();
}

static size_t vpc_tree_bytes(u64 root, bool v6)
{
	struct vpc_tree_op op = { .v6 = v6, .object = vpc_tree_op_bytes };

	vpc_tree_each(&op, root);
	return op.count;
}

static void vpc_tree_free(u64 root, bool v6)
{
	struct vpc_tree_op op = { .v6 = v6, .object = vpc_tree_op_free };

	vpc_tree_each(&op, root);
}

size_t vpc_trie_memory(const struct vpc_trie *trie)
{
	size_t bytes = vpc_index_memory(trie);

	if (trie->root)
		bytes += vpc_tree_bytes(vpc_slot_make(trie->root, VPC_SLOT_NODE), vpc_trie_v6(trie));
	return bytes;
}

void vpc_trie_destroy(struct vpc_trie *trie)
{
	if (trie->root)
		vpc_tree_free(vpc_slot_make(trie->root, VPC_SLOT_NODE), vpc_trie_v6(trie));
	if (trie->index)
		vpc_index_free(trie->index);
	vpc_trie_init(trie, trie->family);
}

/* -- the retired --------------------------------------------------------------------------------------------------- */

int vpc_trie_reserve(struct vpc_trie_txn *txn, unsigned int n)
{
	struct vpc_trie_garbage_block *head = txn->garbage.head;
	struct vpc_trie_garbage_block *block;
	size_t size;

	if (head && head->size - head->used >= n)
		return 0;
	size = max_t(size_t, n, head ? VPC_GARBAGE_BLOCK(4096) : VPC_GARBAGE_BLOCK(256));
	block = kvmalloc(struct_size(block, object, size), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!block)
		return -ENOMEM;
	block->next = head;
	block->used = 0;
	block->size = size;
	txn->garbage.head = block;
	return 0;
}

/* Into a place that vpc_trie_reserve() made. */
static void vpc_trie_retire(struct vpc_trie_txn *txn, u64 slot, bool v6, unsigned int flags)
{
	struct vpc_trie_garbage_block *block = txn->garbage.head;

	if (v6 && vpc_slot_tag(slot) == VPC_SLOT_NODE)
		flags |= VPC_GARBAGE_NODE6;
	block->object[block->used++] = slot | flags;
}

void vpc_trie_retire_page(struct vpc_trie_txn *txn, struct vpc_index_page *page)
{
	struct vpc_trie_garbage_block *block = txn->garbage.head;

	txn->bytes -= sizeof(*page);
	block->object[block->used++] = (unsigned long)page | VPC_GARBAGE_PAGE;
}

/* The index may lead to it. */
static void vpc_trie_touch(struct vpc_trie_txn *txn, u64 slot, bool v6)
{
	const struct vpc_trie_leaf *leaf = vpc_slot_ptr(slot);
	const struct vpc_trie_node *node = vpc_slot_ptr(slot);

	if (vpc_slot_tag(slot) != VPC_SLOT_NODE)
		vpc_index_touch(txn->pending, (struct vpc_key){ leaf->hi, leaf->lo }, VPC_INDEX_BITS);
	else if (vpc_node_pos(node, v6) >= VPC_INDEX_POS)
		vpc_index_touch(txn->pending, vpc_node_key(node, v6), VPC_INDEX_BITS);
}

void vpc_trie_drop(struct vpc_trie_txn *txn, u64 slot, bool v6)
{
	txn->bytes -= vpc_trie_object_room(slot, v6);
	if (txn->pending)
		vpc_trie_touch(txn, slot, v6);
	if (vpc_trie_fresh(txn, slot))
		vpc_trie_object_free(slot, v6);
	else
		vpc_trie_retire(txn, slot, v6, 0);
}

static void vpc_trie_retired_free(unsigned long object)
{
	bool v6 = vpc_slot_tag(object) != VPC_SLOT_NODE;
	u64 slot = object & ~(unsigned long)VPC_GARBAGE_TREE;

	if ((object & 7) == VPC_GARBAGE_PAGE) {
		vpc_trie_page_free((void *)(object & ~7UL));
		return;
	}
	if (vpc_slot_tag(object) == VPC_GARBAGE_NODE6)
		slot = vpc_slot_make(vpc_slot_ptr(slot), VPC_SLOT_NODE);
	if (object & VPC_GARBAGE_TREE)
		vpc_tree_free(slot, v6);
	else
		vpc_trie_object_free(slot, v6);
}

static void vpc_trie_garbage_empty(struct vpc_trie_garbage *garbage, bool free_objects)
{
	struct vpc_trie_garbage_block *block = garbage->head;
	struct vpc_trie_garbage_block *next;
	u32 i;

	for (; block; block = next) {
		for (i = 0; free_objects && i < block->used; i++) {
			vpc_trie_retired_free(block->object[i]);
			cond_resched();
		}
		next = block->next;
		kvfree(block);
	}
	garbage->head = NULL;
}

void vpc_trie_garbage_free(struct vpc_trie_garbage *garbage)
{
	vpc_trie_garbage_empty(garbage, true);
}

/* -- transactions -------------------------------------------------------------------------------------------------- */

void vpc_trie_begin(struct vpc_trie_txn *txn, u32 stamp)
{
	txn->stamp = stamp;
	txn->bytes = 0;
	txn->garbage.head = NULL;
	txn->pending = NULL;
	txn->near = NULL;
}

static void vpc_tree_op_count(struct vpc_tree_op *op, u64 slot)
{
	op->count++;
}

static void vpc_tree_op_retire(struct vpc_tree_op *op, u64 slot)
{
	op->txn->bytes -= vpc_tree_bytes(slot, op->v6);
	vpc_trie_retire(op->txn, slot, op->v6, vpc_slot_tag(slot) == VPC_SLOT_NODE ? VPC_GARBAGE_TREE : 0);
}

int vpc_trie_clear(struct vpc_trie_txn *txn, struct vpc_trie *trie)
{
	struct vpc_tree_op op = { .v6 = vpc_trie_v6(trie), .txn = txn };
	u64 root = vpc_slot_make(trie->root, VPC_SLOT_NODE);

	txn->pending = NULL;
	txn->near = NULL;
	if (!root)
		return vpc_index_drop(txn, trie);
	op.older = vpc_tree_op_count;
	vpc_tree_each(&op, root);
	/* One reservation for both: the index must not go when the tree stays. */
	if (vpc_trie_reserve(txn, op.count + VPC_INDEX_ENTRIES + 1) || vpc_index_drop(txn, trie))
		return -ENOMEM;
	op.object = vpc_tree_op_free;
	op.older = vpc_tree_op_retire;
	vpc_tree_each(&op, root);
	vpc_trie_init(trie, trie->family);
	return 0;
}

void vpc_trie_revert(struct vpc_trie_txn *txn, struct vpc_trie *trie, const struct vpc_trie *base)
{
	struct vpc_tree_op op = { .v6 = vpc_trie_v6(trie), .txn = txn, .object = vpc_tree_op_free };

	txn->near = NULL;
	if (trie->root && trie->root != base->root)
		vpc_tree_each(&op, vpc_slot_make(trie->root, VPC_SLOT_NODE));
	vpc_index_revert(txn, trie, base);
	*trie = *base;
}

void vpc_trie_abort(struct vpc_trie_txn *txn)
{
	vpc_trie_garbage_empty(&txn->garbage, false);
	txn->bytes = 0;
}

struct vpc_trie_garbage vpc_trie_commit(struct vpc_trie_txn *txn)
{
	struct vpc_trie_garbage garbage = txn->garbage;

	txn->garbage.head = NULL;
	return garbage;
}
