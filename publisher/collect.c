// SPDX-License-Identifier: Apache-2.0
/*
 * Deleting old snapshots and deltas that are due (garbage.c): some at once, with what is needed to know about them
 * asked for together, and few multis. HEAD has the last word: what it names again stays. What cannot be deleted so is
 * deleted one by one; what cannot be deleted at all lets the others go first and is tried again later.
 */
#include "garbage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/log.h"
#include "../lib/util.h"

#define DELETE_AT_ONCE 400 /* nodes in one multi, no fewer than GARBAGE_ROW_MAX */
#define LOT_MAX 64 /* entries of the queue at once: publishing goes on in between */
#define LOTS_MAX 4 /* of them in one round */

/* Deletes those children of @path that have none themselves, some in one step. */
static int delete_leaves(struct publisher *p, const char *path, char **names, size_t n, struct vpc_err *err)
{
	_cleanup_free_ char(*paths)[VPC_ZNODE_PATH_MAX] = calloc(DELETE_AT_ONCE, sizeof(*paths));
	struct zk_op ops[DELETE_AT_ONCE + 1];
	size_t i, some = 0;
	int r = 0;

	if (!paths)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < n && !r; i++) {
		if (*names[i] != 's') {
			snprintf(paths[some], sizeof(paths[some]), "%s/%s", path, names[i]);
			ops[some + 1] = (struct zk_op){ .type = ZK_OP_DELETE, .path = paths[some], .version = -1 };
			some++;
		}
		if (some == DELETE_AT_ONCE || (some && i == n - 1)) {
			r = pub_multi(p, ops, some + 1, NULL, err);
			some = 0;
		}
	}
	return r;
}

int pub_delete_tree(struct publisher *p, const char *path, struct vpc_err *err)
{
	struct zk_op ops[2] = { [1] = { .type = ZK_OP_DELETE, .path = path, .version = -1 } };
	char child[VPC_ZNODE_PATH_MAX];
	char **names;
	size_t i, n;
	int r;

	r = pub_children(p, path, &names, &n, err);
	if (r)
		return r == -ENOENT ? 0 : r;
	for (i = 0; i < n && !r; i++) {
		if (*names[i] != 's')
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, names[i]);
		r = pub_delete_tree(p, child, err);
	}
	if (!r)
		r = delete_leaves(p, path, names, n, err);
	zk_names_free(names, n);
	return r ? r : pub_multi(p, ops, ARRAY_SIZE(ops), NULL, err);
}

static char *node_path(uint32_t vni, char kind, uint64_t epoch, char *buf)
{
	return kind == 's' ? vpc_path_snapshot(vni, epoch, buf) : vpc_path_delta(vni, epoch, buf);
}

/* Alone, if HEAD still does not name it. Of a row of deltas some may be gone already. */
static int collect_one(struct publisher *p, const struct garbage_node *node, struct vpc_err *err)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct pub_head head;
	uint64_t epoch;
	int r;

	r = pub_head_read(p, node->vni, &head, err);
	if (r || head.state != PUB_HEAD_GOOD || garbage_named(&head.head, node))
		return r;
	for (epoch = node->from; epoch <= node->to && !r; epoch++)
		r = pub_delete_tree(p, node_path(node->vni, node->kind, epoch, path), err);
	if (!r)
		log_debug("%s: deleted", path);
	return r;
}

/* -- some together ------------------------------------------------------------------------------------------------ */

/* An entry that is being deleted with others. */
struct item {
	struct lot *lot;
	struct garbage_node *node;
	bool alone; /* collect_one() */
	bool done; /* deleted, or named again */
	char **names; /* of a snapshot's chunks */
	size_t n_names;
};

struct lot {
	struct publisher *p;
	struct item items[LOT_MAX];
	size_t n;
	struct deletion *deletions; /* all of them */
	unsigned int answers; /* awaited */
	int res; /* why it ends early */
};

/* One multi. */
struct deletion {
	struct deletion *next;
	struct lot *lot;
	struct item *items[LOT_MAX];
	const char *last[LOT_MAX]; /* the path of each item's last node */
	size_t n;
	struct zk_op ops[DELETE_AT_ONCE + 1];
	char paths[DELETE_AT_ONCE + 1][VPC_ZNODE_PATH_MAX];
	size_t n_ops;
};

static void lot_failed(struct lot *lot, int res, const char *path)
{
	struct vpc_err err;
	int r = pub_multi_failed(lot->p, res, path, &err);

	if (!lot->res && (lot->p->fenced || pub_zk_lost(res)))
		lot->res = r;
}

static void head_answer(int res, const char *path, const char *data, size_t len, int version, void *arg)
{
	struct item *item = arg;
	struct vpc_head head;
	struct vpc_err bad;

	item->lot->answers--;
	if (res && res != -ENOENT)
		lot_failed(item->lot, res, path);
	if (res || !len || vpc_head_parse(data, len, &head, &bad))
		item->alone = true;
	else if (garbage_named(&head, item->node))
		item->done = true;
}

static void chunks_answer(int res, const char *path, char *const *names, size_t n, void *arg)
{
	struct item *item = arg;

	item->lot->answers--;
	if (res && res != -ENOENT)
		lot_failed(item->lot, res, path);
	if (res || n >= DELETE_AT_ONCE)
		item->alone = true;
	if (item->alone || item->done || !n)
		return;
	item->names = calloc(n, sizeof(*item->names));
	for (; item->names && item->n_names < n; item->n_names++) {
		item->names[item->n_names] = strdup(names[item->n_names]);
		if (!item->names[item->n_names])
			break;
	}
	item->alone = item->n_names < n;
}

static void ask(struct lot *lot, struct item *item)
{
	struct publisher *p = lot->p;
	char path[VPC_ZNODE_PATH_MAX];
	int r;

	r = zk_get(p->zk, vpc_path_vpc(item->node->vni, path), false, p->timeout_ms, head_answer, item);
	lot->answers += !r;
	if (!r && item->node->kind == 's') {
		vpc_path_snapshot(item->node->vni, item->node->from, path);
		r = zk_children(p->zk, path, false, p->timeout_ms, chunks_answer, item);
		lot->answers += !r;
	}
	if (r)
		lot_failed(lot, r, path);
	item->alone |= r;
}

static int settle(struct lot *lot)
{
	int r = 0;

	while (!r && lot->answers) {
		r = pub_wait(lot->p);
		lot->res = lot->res ?: r;
	}
	return lot->res;
}

static void deleted(int res, const char *path, void *arg)
{
	struct deletion *deletion = arg;
	size_t i;

	deletion->lot->answers--;
	if (res)
		lot_failed(deletion->lot, res, path);
	for (i = 0; i < deletion->n; i++) {
		deletion->items[i]->alone = res;
		deletion->items[i]->done = !res;
		if (!res)
			log_debug("%s: deleted", deletion->last[i]);
	}
}

static void send_deletion(struct deletion *deletion)
{
	struct publisher *p = deletion->lot->p;
	int r;

	pub_fence_op(p, &deletion->ops[0]);
	deletion->lot->answers++;
	r = zk_multi(p->zk, deletion->ops, deletion->n_ops, p->timeout_ms, deleted, deletion);
	if (r)
		deleted(r, VPC_ZNODE_FENCE, deletion);
}

static struct deletion *deletion_new(struct lot *lot)
{
	struct deletion *deletion = calloc(1, sizeof(*deletion));

	if (!deletion)
		return NULL;
	deletion->lot = lot;
	deletion->n_ops = 1;
	deletion->next = lot->deletions;
	lot->deletions = deletion;
	return deletion;
}

static void add_op(struct deletion *deletion)
{
	deletion->ops[deletion->n_ops] =
		(struct zk_op){ .type = ZK_OP_DELETE, .path = deletion->paths[deletion->n_ops], .version = -1 };
	deletion->n_ops++;
}

static void add_item(struct deletion *deletion, struct item *item)
{
	const struct garbage_node *node = item->node;
	uint64_t epoch;
	size_t i;

	for (i = 0; i < item->n_names; i++) {
		char *path = deletion->paths[deletion->n_ops];

		vpc_path_snapshot(node->vni, node->from, path);
		snprintf(path + strlen(path), VPC_ZNODE_PATH_MAX - strlen(path), "/%s", item->names[i]);
		add_op(deletion);
	}
	for (epoch = node->from; epoch <= node->to; epoch++) {
		node_path(node->vni, node->kind, epoch, deletion->paths[deletion->n_ops]);
		add_op(deletion);
	}
	deletion->last[deletion->n] = deletion->paths[deletion->n_ops - 1];
	deletion->items[deletion->n++] = item;
}

/* Everything that can be deleted together, in multis of DELETE_AT_ONCE nodes. */
static int delete_lot(struct lot *lot)
{
	struct deletion *deletion = NULL;
	size_t i, n;

	for (i = 0; i < lot->n && !lot->res; i++) {
		struct item *item = &lot->items[i];

		if (item->alone || item->done)
			continue;
		n = item->n_names + item->node->to - item->node->from + 1;
		if (deletion && deletion->n_ops + n > DELETE_AT_ONCE + 1) {
			send_deletion(deletion);
			deletion = NULL;
		}
		if (!deletion)
			deletion = deletion_new(lot);
		if (deletion)
			add_item(deletion, item);
		else
			item->alone = true;
	}
	if (deletion)
		send_deletion(deletion);
	return settle(lot);
}

/* Nobody may answer to what is not there any more. */
static void lot_drop(struct lot *lot)
{
	struct deletion *deletion;
	size_t i;

	for (i = 0; i < lot->n && lot->answers; i++)
		zk_cancel(lot->p->zk, &lot->items[i]);
	while ((deletion = lot->deletions)) {
		lot->deletions = deletion->next;
		zk_cancel(lot->p->zk, deletion);
		free(deletion);
	}
}

/* What is left of the lot, and back into the queue with what is not deleted. */
static int finish_item(struct publisher *p, struct item *item, bool stop, struct vpc_err *err)
{
	struct garbage_node *node = item->node;
	int r = stop ? -EINTR : 0;

	zk_names_free(item->names, item->n_names);
	if (!stop && !item->done)
		r = collect_one(p, node, err);
	if (!r || item->done) {
		garbage_gone(p->garbage, node);
		return 0;
	}
	if (stop || p->stop || p->fenced || p->zk_trouble) {
		garbage_again(p->garbage, node, true);
		return r;
	}
	if (r != node->failed)
		log_warn("%s: it is not deleted, trying again later", err->text);
	node->failed = r;
	garbage_again(p->garbage, node, false);
	return 0;
}

static int collect_lot(struct publisher *p, struct lot *lot, struct vpc_err *err)
{
	struct garbage_node *node;
	size_t i;
	int r;

	*lot = (struct lot){ .p = p };
	while (lot->n < LOT_MAX && !lot->res && (node = garbage_due(p->garbage))) {
		struct item *item = &lot->items[lot->n++];

		garbage_take(p->garbage, node);
		*item = (struct item){ .lot = lot, .node = node };
		ask(lot, item);
	}
	r = settle(lot);
	if (!r)
		r = delete_lot(lot);
	lot_drop(lot);
	for (i = 0; i < lot->n; i++)
		r = finish_item(p, &lot->items[i], r, err) ?: r;
	return r;
}

int pub_garbage_collect(struct publisher *p, struct vpc_err *err)
{
	struct lot *lot = malloc(sizeof(*lot));
	int r = 0, i;

	if (!lot)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < LOTS_MAX && !r && garbage_due(p->garbage); i++)
		r = collect_lot(p, lot, err);
	free(lot);
	return r;
}
