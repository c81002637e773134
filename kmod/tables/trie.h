/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Persistent (copy-on-write) longest-prefix-match trie: prefix -> u32 nexthop id, one implementation for IPv4 and IPv6.
 *
 * A struct vpc_trie is a root held by value inside a published version (tables/vpc.h); once published it never changes.
 * A transaction works on its own copy of the root: it changes nodes that it made in place and copies others. Readers
 * need rcu_read_lock() or a reference on the version that holds the root. Writers are serialized by the caller
 * (vnet->lock). kmod/datapath looks up, tables/txn.c writes, control walks snapshots.
 */
#ifndef VPC_TRIE_H
#define VPC_TRIE_H

#include <linux/types.h>

struct vpc_trie_node;
struct vpc_index_pending;

/**
 * struct vpc_trie - one table's root for one family
 * @root: top node, NULL when empty; opaque
 * @index: the way to each /16 of a large table, NULL when there is none; opaque
 * @count: prefixes inside
 * @family: AF_INET or AF_INET6; decides the key's length, 4 or 16 bytes in network byte order
 */
struct vpc_trie {
	void *root;
	void *index;
	u32 count;
	u8 family;
};

/* What a transaction retired: still seen by the versions before it. Opaque, embedded by value, empty when zeroed. */
struct vpc_trie_garbage {
	void *head;
};

/**
 * struct vpc_trie_txn - one writer's work on any number of tries of one VPC
 * @stamp: nodes with this stamp were made by this transaction and may be changed in place
 * @bytes: memory that the transaction added minus what it retired (real allocation sizes, as vpc_trie_memory() counts)
 * @garbage: what the versions before this one still see
 * @pending: what the trie in hand has to bring up to date in its index; NULL: it has none
 * @near: where the next change begins when it lies there: the link, in a node that the transaction made, to the node
 *	that the last change ended at; NULL: at the root
 * @near_pos: the key's position at that link
 * @near_root: the root that it is below
 */
struct vpc_trie_txn {
	u32 stamp;
	s64 bytes;
	struct vpc_trie_garbage garbage;
	struct vpc_index_pending *pending;
	u64 *near;
	unsigned int near_pos;
	void *near_root;
};

static inline void vpc_trie_init(struct vpc_trie *trie, u8 family)
{
	trie->root = NULL;
	trie->index = NULL;
	trie->count = 0;
	trie->family = family;
}

/**
 * vpc_trie_lookup() - longest matching prefix
 * @trie: a published root, under RCU or a version reference
 * @addr: 4 or 16 bytes, network byte order
 * @ret_plen: the matched prefix's length when not NULL; untouched on a miss
 *
 * Return: the nexthop id, 0 when nothing matches.
 */
u32 vpc_trie_lookup(const struct vpc_trie *trie, const u8 *addr, u8 *ret_plen);

/**
 * vpc_trie_lookup_exact() - the value of exactly this prefix, 0 when it is not there
 * @trie: a root, under RCU, a version reference, or the writer's lock
 * @addr: prefix, no bits beyond @plen
 * @plen: length in bits
 */
u32 vpc_trie_lookup_exact(const struct vpc_trie *trie, const u8 *addr, u8 plen);

/* Begin: @stamp must differ from the stamp of every node that a reader may still see through this VPC's versions. */
void vpc_trie_begin(struct vpc_trie_txn *txn, u32 stamp);

/**
 * vpc_trie_add() - add a prefix or change its value
 * @txn: begun
 * @trie: the transaction's own copy of the root
 * @addr: no bits beyond @plen (the caller validated)
 * @plen: 0..32 or 0..128
 * @value: not 0
 * @ret_old: the value before, 0 when the prefix was not there
 *
 * Return: 0, or -ENOMEM with the trie as it was before the call (the transaction may go on or abort).
 */
int vpc_trie_add(struct vpc_trie_txn *txn, struct vpc_trie *trie, const u8 *addr, u8 plen, u32 value, u32 *ret_old);

/* Return: 0, -ENOENT when the prefix is not there, -ENOMEM; on failure the trie is as it was. */
int vpc_trie_del(struct vpc_trie_txn *txn, struct vpc_trie *trie, const u8 *addr, u8 plen, u32 *ret_old);

/* Empties @trie: its fresh nodes are freed, the others retired. Return: 0 or -ENOMEM, the trie untouched. */
int vpc_trie_clear(struct vpc_trie_txn *txn, struct vpc_trie *trie);

/*
 * Before the commit, for each trie that the transaction may have changed: its index is brought up to date, made when
 * the table has become large, dropped when it is small again. Nothing is added or deleted after it. Return: 0 or
 * -ENOMEM, then only abort is left.
 */
int vpc_trie_seal(struct vpc_trie_txn *txn, struct vpc_trie *trie);

/*
 * Undo: frees every fresh node reachable from @trie and makes it @base again. Call for each touched trie, then abort.
 * It looks at nodes of @base, so the transaction holds a reference on the version it began with until then.
 */
void vpc_trie_revert(struct vpc_trie_txn *txn, struct vpc_trie *trie, const struct vpc_trie *base);

/* Abort: forgets the retired nodes (they live on in the base version). After vpc_trie_revert() of every trie. */
void vpc_trie_abort(struct vpc_trie_txn *txn);

/* Commit: hands over what to free once nobody sees a version before this one. The new roots are the caller's. */
struct vpc_trie_garbage vpc_trie_commit(struct vpc_trie_txn *txn);

/* Frees retired nodes; the caller waited for the grace period and the last older snapshot. May sleep. */
void vpc_trie_garbage_free(struct vpc_trie_garbage *garbage);

/* Frees a whole trie that nobody can see any more (VPC deletion). May sleep. */
void vpc_trie_destroy(struct vpc_trie *trie);

/**
 * struct vpc_trie_cursor - where a walk stands; zeroed: before the first prefix
 *
 * Holds the last prefix returned, no pointer, so a walk may be resumed in a later message on the same snapshot.
 */
struct vpc_trie_cursor {
	u8 addr[16];
	u8 plen;
	bool started;
};

/**
 * vpc_trie_walk() - visit prefixes in ascending order of (address, length) from behind the cursor
 * @trie: a root held by a version reference; may sleep between calls
 * @cursor: moved behind the last prefix for which @fn returned 0
 * @fn: called with addr (4 or 16 bytes), plen, value; a non-zero return stops the walk and is returned
 * @arg: passed to @fn
 *
 * Return: 0 at the end of the trie, else what @fn returned.
 */
int vpc_trie_walk(const struct vpc_trie *trie, struct vpc_trie_cursor *cursor,
		  int (*fn)(const u8 *addr, u8 plen, u32 value, void *arg), void *arg);

/* Whether the index of a sealed @trie leads where its tree does. Looks at every entry; may sleep. */
bool vpc_trie_index_sound(const struct vpc_trie *trie);

/* Bytes really allocated for what is reachable from @trie. Visits every node. */
size_t vpc_trie_memory(const struct vpc_trie *trie);

/* Module init: 0 or -ENOMEM. Module exit: after the last free, so after rcu_barrier() and the workqueue's end. */
int vpc_trie_init_caches(void);
void vpc_trie_exit_caches(void);

#endif
