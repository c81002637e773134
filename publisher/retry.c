// SPDX-License-Identifier: Apache-2.0
/*
 * What could not be published, by outbox key, and when to try it again: twice as long each time. One VPC that
 * cannot be published must not keep the others waiting, nor fill the log.
 */
#include "publisher.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"

#define FIRST_US 100000
#define LONGEST_US 30000000

struct retry_entry {
	struct cdb_outbox key;
	uint64_t due_us, delay_us;
	char text[sizeof(((struct vpc_err *)NULL)->text)];
};

struct pub_retry {
	void *tree; /* tsearch(3) */
};

int pub_outbox_cmp(const struct cdb_outbox *a, const struct cdb_outbox *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->kind == CDB_OUTBOX_HOST)
		return strcmp(a->host, b->host);
	if (a->kind == CDB_OUTBOX_BAD)
		return a->id < b->id ? -1 : a->id > b->id;
	return a->vni < b->vni ? -1 : a->vni > b->vni;
}

static int entry_cmp(const void *a, const void *b)
{
	return pub_outbox_cmp(&((const struct retry_entry *)a)->key, &((const struct retry_entry *)b)->key);
}

static struct retry_entry *find(const struct pub_retry *retry, const struct cdb_outbox *key)
{
	struct retry_entry probe = { .key = *key }, **found = tfind(&probe, &retry->tree, entry_cmp);

	return found ? *found : NULL;
}

int pub_retry_new(struct pub_retry **ret_retry)
{
	struct pub_retry *retry = calloc(1, sizeof(*retry));

	if (!retry)
		return -ENOMEM;
	*ret_retry = retry;
	return 0;
}

void pub_retry_free(struct pub_retry *retry)
{
	if (retry)
		tdestroy(retry->tree, free);
	free(retry);
}

bool pub_retry_due(const struct pub_retry *retry, const struct cdb_outbox *key)
{
	const struct retry_entry *entry = find(retry, key);

	return !entry || entry->due_us <= now_monotonic_us();
}

bool pub_retry_has(const struct pub_retry *retry, const struct cdb_outbox *key)
{
	return find(retry, key);
}

bool pub_retry_failed(struct pub_retry *retry, const struct cdb_outbox *key, const char *text)
{
	struct retry_entry *entry = find(retry, key);
	bool news;

	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return true;
		entry->key = *key;
		if (!tsearch(entry, &retry->tree, entry_cmp)) {
			free(entry);
			return true;
		}
	}
	entry->delay_us = entry->delay_us ? entry->delay_us * 2 : FIRST_US;
	if (entry->delay_us > LONGEST_US)
		entry->delay_us = LONGEST_US;
	entry->due_us = now_monotonic_us() + entry->delay_us;
	news = strcmp(entry->text, text);
	strncpy(entry->text, text, sizeof(entry->text) - 1);
	return news;
}

void pub_retry_done(struct pub_retry *retry, const struct cdb_outbox *key)
{
	struct retry_entry *entry = find(retry, key);

	if (!entry)
		return;
	tdelete(entry, &retry->tree, entry_cmp);
	free(entry);
}

static void make_due(const void *node, VISIT which, int depth)
{
	if (which == postorder || which == leaf)
		(*(struct retry_entry *const *)node)->due_us = 0;
}

void pub_retry_all_due(struct pub_retry *retry)
{
	twalk(retry->tree, make_due);
}
