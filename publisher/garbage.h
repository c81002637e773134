/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What publisher/garbage.c (the queue) and publisher/collect.c (the deleting) share.
 */
#ifndef VPC_PUBLISHER_GARBAGE_H
#define VPC_PUBLISHER_GARBAGE_H

#include <sys/queue.h>

#include "publisher.h"

#define GARBAGE_ROW_MAX 256

/* A snapshot, or a row of deltas without a hole, of GARBAGE_ROW_MAX at most. */
struct garbage_node {
	TAILQ_ENTRY(garbage_node) link;
	uint64_t due_us;
	uint32_t vni;
	int failed;	/* how the last try ended, and has been reported */
	char kind;	/* 's', 'l' */
	uint64_t from, to;
};

/* The first that is due, or must not wait because so many do; NULL: none. It stays in the queue. */
struct garbage_node *garbage_due(const struct pub_garbage *garbage);
/* Out of the queue, but still known: it is not queued twice. */
void garbage_take(struct pub_garbage *garbage, struct garbage_node *node);
/* Deleted: no longer known. Regardless of where it was, the node is freed. */
void garbage_gone(struct pub_garbage *garbage, struct garbage_node *node);
/* Taken, and not deleted: again after the delay, and a second at least; or at once. */
void garbage_again(struct pub_garbage *garbage, struct garbage_node *node, bool at_once);
/* Does HEAD offer any of it? */
bool garbage_named(const struct vpc_head *head, const struct garbage_node *node);

#endif
