// SPDX-License-Identifier: Apache-2.0
/*
 * Old snapshots and deltas. Readers follow HEAD and may still be reading what it named a moment ago, so what it
 * names no longer is deleted after a delay. What is due is known in memory only: the first time that a publisher
 * touches a VPC, and after each new snapshot, it looks at the VPC's children, so that nothing is left over for
 * good when it is killed. A node is due once, however often it is seen; one that cannot be deleted lets the others
 * go first and is tried again later.
 */
#include "publisher.h"

#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "../lib/log.h"
#include "../lib/util.h"

#define DELETE_AT_ONCE 100 /* nodes in one multi */
#define COLLECT_MAX 16 /* nodes in one round: publishing goes on in between */
#define AGAIN_US 1000000 /* no sooner is a deletion that failed tried again */

struct node {
	TAILQ_ENTRY(node) link;
	uint64_t due_us;
	uint32_t vni;
	int failed; /* how the last try ended, and has been reported */
	char name[24]; /* "s7", "l9" */
};

TAILQ_HEAD(queue, node);

struct pub_garbage {
	struct queue queue; /* by due_us */
	void *tree; /* tsearch(3): the same entries, by VPC and name */
	uint64_t delay_us;
	uint8_t touched[(VPC_VNI_MAX + 1) / 8];
};

int pub_garbage_new(unsigned int delay_s, struct pub_garbage **ret_garbage)
{
	struct pub_garbage *garbage = calloc(1, sizeof(*garbage));

	if (!garbage)
		return -ENOMEM;
	TAILQ_INIT(&garbage->queue);
	garbage->delay_us = (uint64_t)delay_s * 1000000;
	*ret_garbage = garbage;
	return 0;
}

static int entry_cmp(const void *a, const void *b)
{
	const struct node *x = a, *y = b;

	return x->vni != y->vni ? (x->vni < y->vni ? -1 : 1) : strcmp(x->name, y->name);
}

void pub_garbage_free(struct pub_garbage *garbage)
{
	if (garbage)
		tdestroy(garbage->tree, free);
	free(garbage);
}

void pub_garbage_forget(struct pub_garbage *garbage)
{
	memset(garbage->touched, 0, sizeof(garbage->touched));
}

/* From the end: only entries that failed have another delay than the rest. */
static void enqueue(struct pub_garbage *garbage, struct node *entry, uint64_t delay_us)
{
	struct node *before = TAILQ_LAST(&garbage->queue, queue);

	entry->due_us = now_monotonic_us() + delay_us;
	while (before && before->due_us > entry->due_us)
		before = TAILQ_PREV(before, queue, link);
	if (before)
		TAILQ_INSERT_AFTER(&garbage->queue, before, entry, link);
	else
		TAILQ_INSERT_HEAD(&garbage->queue, entry, link);
}

/* Is the child part of what HEAD offers? Names that are none of ours count as named: they are left alone. */
static bool named(const struct vpc_head *head, const char *name)
{
	uint64_t epoch;
	char *end;

	if ((*name != 's' && *name != 'l') || name[1] < '0' || name[1] > '9')
		return true;
	epoch = strtoull(name + 1, &end, 10);
	if (*end)
		return true;
	return *name == 's' ? epoch == head->snapshot : epoch >= head->oldest && epoch <= head->epoch;
}

static int add(struct pub_garbage *garbage, uint32_t vni, const char *name)
{
	struct node *entry, **found;

	if (strlen(name) >= sizeof(entry->name))
		return 0;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->vni = vni;
	strcpy(entry->name, name);
	found = tsearch(entry, &garbage->tree, entry_cmp);
	if (!found || *found != entry) {
		free(entry);
		return found ? 0 : -ENOMEM;
	}
	enqueue(garbage, entry, garbage->delay_us);
	return 0;
}

bool pub_garbage_knows(const struct publisher *p, uint32_t vni)
{
	return p->garbage->touched[vni / 8] & 1 << vni % 8;
}

int pub_garbage_note(struct publisher *p, const struct pub_head *head, char *const *names, size_t n)
{
	size_t i;
	int r = 0;

	for (i = 0; i < n && !r; i++)
		if (!named(&head->head, names[i]))
			r = add(p->garbage, head->head.vni, names[i]);
	if (!r)
		p->garbage->touched[head->head.vni / 8] |= 1 << head->head.vni % 8;
	return r;
}

int pub_garbage_sweep(struct publisher *p, const struct pub_head *head, bool again, struct vpc_err *err)
{
	char path[VPC_ZNODE_PATH_MAX];
	char **names;
	size_t n;
	int r;

	if (pub_garbage_knows(p, head->head.vni) && !again)
		return 0;
	r = pub_children(p, vpc_path_vpc(head->head.vni, path), &names, &n, err);
	if (r)
		return r == -ENOENT ? 0 : r;
	r = pub_garbage_note(p, head, names, n);
	zk_names_free(names, n);
	return r ? vpc_err_set(err, r, "out of memory") : 0;
}

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

/* Deletes it, if HEAD still does not name it. */
static int collect_one(struct publisher *p, const struct node *entry, struct vpc_err *err)
{
	char path[VPC_ZNODE_PATH_MAX + 32];
	struct pub_head head;
	int r;

	r = pub_head_read(p, entry->vni, &head, err);
	if (r || head.state != PUB_HEAD_GOOD || named(&head.head, entry->name))
		return r;
	vpc_path_vpc(entry->vni, path);
	snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%s", entry->name);
	r = pub_delete_tree(p, path, err);
	if (!r)
		log_debug("%s: deleted", path);
	return r;
}

int pub_garbage_collect(struct publisher *p, struct vpc_err *err)
{
	struct pub_garbage *garbage = p->garbage;
	struct node *entry;
	int r, i;

	for (i = 0; i < COLLECT_MAX; i++) {
		entry = TAILQ_FIRST(&garbage->queue);
		if (!entry || entry->due_us > now_monotonic_us())
			break;
		r = collect_one(p, entry, err);
		if (r && (p->stop || p->fenced || p->zk_trouble))
			return r;
		TAILQ_REMOVE(&garbage->queue, entry, link);
		if (!r) {
			tdelete(entry, &garbage->tree, entry_cmp);
			free(entry);
			continue;
		}
		if (r != entry->failed)
			log_warn("%s: it is not deleted, trying again later", err->text);
		entry->failed = r;
		enqueue(garbage, entry, garbage->delay_us > AGAIN_US ? garbage->delay_us : AGAIN_US);
	}
	return 0;
}
