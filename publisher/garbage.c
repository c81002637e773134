// SPDX-License-Identifier: Apache-2.0
/*
 * Old snapshots and deltas: what is due when. Readers follow HEAD and may still be reading what it named a moment ago,
 * so what it names no longer is deleted after a delay (collect.c). That is known in memory only: the first time that a
 * publisher touches a VPC it looks at the VPC's children, so that nothing is left over for good when it is killed. A
 * node is due once, however often it is seen.
 */
#include "garbage.h"

#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"

#define AGAIN_US 1000000 /* no sooner is a deletion that failed tried again */
#define NODES_MAX 100000 /* that wait: with more of them the delay is shortened, ZooKeeper has them in memory */

TAILQ_HEAD(queue, garbage_node);

struct pub_garbage {
	struct queue queue; /* by due_us */
	void *tree; /* tsearch(3): the same entries and those taken, by VPC and first node */
	uint64_t delay_us;
	uint64_t n_nodes; /* in the queue; a snapshot's chunks are not counted */
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

static int node_cmp(const void *a, const void *b)
{
	const struct garbage_node *x = a, *y = b;

	if (x->vni != y->vni)
		return x->vni < y->vni ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind - y->kind;
	return x->from < y->from ? -1 : x->from > y->from;
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

void pub_garbage_forget_vpc(struct pub_garbage *garbage, uint32_t vni)
{
	garbage->touched[vni / 8] &= ~(1 << vni % 8);
}

static uint64_t count(const struct garbage_node *node)
{
	return node->to - node->from + 1;
}

/* From the end: only entries that failed have another delay than the rest. */
static void enqueue(struct pub_garbage *garbage, struct garbage_node *node, uint64_t delay_us)
{
	struct garbage_node *before = TAILQ_LAST(&garbage->queue, queue);

	node->due_us = now_monotonic_us() + delay_us;
	while (before && before->due_us > node->due_us)
		before = TAILQ_PREV(before, queue, link);
	if (before)
		TAILQ_INSERT_AFTER(&garbage->queue, before, node, link);
	else
		TAILQ_INSERT_HEAD(&garbage->queue, node, link);
	garbage->n_nodes += count(node);
}

struct garbage_node *garbage_due(const struct pub_garbage *garbage)
{
	struct garbage_node *node = TAILQ_FIRST(&garbage->queue);

	if (!node || (node->due_us > now_monotonic_us() && (node->failed || garbage->n_nodes <= NODES_MAX)))
		return NULL;
	return node;
}

void garbage_take(struct pub_garbage *garbage, struct garbage_node *node)
{
	TAILQ_REMOVE(&garbage->queue, node, link);
	garbage->n_nodes -= count(node);
}

void garbage_gone(struct pub_garbage *garbage, struct garbage_node *node)
{
	tdelete(node, &garbage->tree, node_cmp);
	free(node);
}

void garbage_again(struct pub_garbage *garbage, struct garbage_node *node, bool at_once)
{
	enqueue(garbage, node, at_once ? 0 : garbage->delay_us > AGAIN_US ? garbage->delay_us : AGAIN_US);
}

bool garbage_named(const struct vpc_head *head, const struct garbage_node *node)
{
	if (node->kind == 's')
		return node->from == head->snapshot;
	return node->to >= head->oldest && node->from <= head->epoch;
}

/* Names that are none of ours are left alone. */
static bool parse(const char *name, struct garbage_node *ret_node)
{
	char *end;

	if ((*name != 's' && *name != 'l') || name[1] < '0' || name[1] > '9')
		return false;
	ret_node->kind = *name;
	ret_node->from = strtoull(name + 1, &end, 10);
	ret_node->to = ret_node->from;
	return !*end;
}

static int add_one(struct pub_garbage *garbage, const struct garbage_node *what)
{
	struct garbage_node *node = malloc(sizeof(*node)), **found;

	if (!node)
		return -ENOMEM;
	*node = *what;
	found = tsearch(node, &garbage->tree, node_cmp);
	if (!found || *found != node) {
		free(node);
		return found ? 0 : -ENOMEM;
	}
	enqueue(garbage, node, garbage->delay_us);
	return 0;
}

/* In pieces that are deleted at once. */
static int add(struct pub_garbage *garbage, const struct garbage_node *what)
{
	struct garbage_node piece = *what;
	int r = 0;

	for (; !r && piece.from <= what->to; piece.from = piece.to + 1) {
		piece.to = what->to - piece.from < GARBAGE_ROW_MAX ? what->to : piece.from + GARBAGE_ROW_MAX - 1;
		r = add_one(garbage, &piece);
	}
	return r;
}

bool pub_garbage_knows(const struct publisher *p, uint32_t vni)
{
	return p->garbage->touched[vni / 8] & 1 << vni % 8;
}

int pub_garbage_note(struct publisher *p, const struct pub_head *head, char *const *names, size_t n)
{
	_cleanup_free_ struct garbage_node *nodes = calloc(n + 1, sizeof(*nodes));
	size_t i, j, found = 0;
	int r = 0;

	if (!nodes)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		struct garbage_node node = { .vni = head->head.vni };

		if (parse(names[i], &node) && !garbage_named(&head->head, &node))
			nodes[found++] = node;
	}
	qsort(nodes, found, sizeof(*nodes), node_cmp);
	for (i = 0; i < found && !r; i = j) {
		for (j = i + 1; j < found && nodes[i].kind == 'l' && nodes[j].kind == 'l' &&
				nodes[j].from <= nodes[i].to + 1; j++)
			nodes[i].to = nodes[j].to;
		r = add(p->garbage, &nodes[i]);
	}
	if (!r)
		p->garbage->touched[head->head.vni / 8] |= 1 << head->head.vni % 8;
	return r;
}

int pub_garbage_past(struct publisher *p, const struct vpc_head *was, const struct vpc_head *is, struct vpc_err *err)
{
	struct garbage_node snapshot = { .vni = is->vni, .kind = 's', .from = was->snapshot, .to = was->snapshot };
	struct garbage_node deltas = { .vni = is->vni, .kind = 'l', .from = was->oldest, .to = is->oldest - 1 };
	int r = 0;

	if (was->snapshot != is->snapshot)
		r = add(p->garbage, &snapshot);
	if (!r && deltas.from <= deltas.to)
		r = add(p->garbage, &deltas);
	return r ? vpc_err_set(err, r, "out of memory") : 0;
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
