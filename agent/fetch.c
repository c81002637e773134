// SPDX-License-Identifier: Apache-2.0
/*
 * Reading a run of immutable znodes; see fetch.h.
 *
 * Requests in flight lead back to their slot; the end takes them back from ZooKeeper's queue before the struct goes.
 */
#include "fetch.h"

#include <errno.h>
#include <string.h>
#include "../lib/util.h"
#include "../proto/znode.h"
#include "metrics.h"

struct fetch_slot {
	struct fetch *fetch;
	uint64_t index;
	bool asked, answered;
	uint64_t asked_us;
	int res;
	char *data;
	size_t len;
};

struct fetch {
	struct zk *zk;
	unsigned int timeout_ms;
	const struct fetch_ops *ops;
	void *arg;
	uint64_t next_ask, next_item, last;
	struct fetch_slot slots[FETCH_WINDOW];
};

static struct fetch_slot *slot_of(struct fetch *f, uint64_t index)
{
	return &f->slots[index % FETCH_WINDOW];
}

static void fetch_end(struct fetch *f)
{
	size_t i;

	for (i = 0; i < FETCH_WINDOW; i++) {
		if (f->slots[i].asked)
			zk_cancel(f->zk, &f->slots[i]);
		free(f->slots[i].data);
	}
	free(f);
}

static void fetch_finish(struct fetch *f, int res)
{
	const struct fetch_ops *ops = f->ops;
	void *arg = f->arg;

	fetch_end(f);
	ops->done(res, arg);
}

static void fetch_answer(int res, const char *path, const char *data, size_t len, int version, void *arg);

static int fetch_ask(struct fetch *f)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct fetch_slot *slot;
	int res;

	while (f->next_ask <= f->last && f->next_ask - f->next_item < FETCH_WINDOW) {
		slot = slot_of(f, f->next_ask);
		*slot = (struct fetch_slot){ .fetch = f, .index = f->next_ask, .asked_us = now_monotonic_us() };
		f->ops->path(slot->index, path, f->arg);
		res = zk_get(f->zk, path, false, f->timeout_ms, fetch_answer, slot);
		if (res)
			return res;
		slot->asked = true;
		f->next_ask++;
	}
	return 0;
}

/* Hands over what has its turn. True: that was the end, with *ret_res. */
static bool fetch_deliver(struct fetch *f, int *ret_res)
{
	struct fetch_slot *slot;
	int res;

	while (f->next_item < f->next_ask) {
		slot = slot_of(f, f->next_item);
		if (!slot->answered)
			return false;
		res = slot->res;
		if (!res || res == -ENOENT)
			res = f->ops->item(slot->index, res, slot->data, slot->len, f->arg);
		free(slot->data);
		slot->data = NULL;
		slot->answered = false;
		if (res || f->next_item == f->last) {
			*ret_res = res;
			return true;
		}
		f->next_item++;
	}
	return false;
}

static void fetch_answer(int res, const char *path, const char *data, size_t len, int version, void *arg)
{
	struct fetch_slot *slot = arg;
	struct fetch *f = slot->fetch;

	meter_zookeeper("fetch", "get", res, now_monotonic_us() - slot->asked_us);
	slot->asked = false;
	slot->answered = true;
	slot->res = res;
	if (!res) {
		slot->data = malloc(len + 1);
		if (slot->data) {
			memcpy(slot->data, data, len);
			slot->data[len] = '\0';
			slot->len = len;
		} else {
			slot->res = -ENOMEM;
		}
	}
	if (fetch_deliver(f, &res)) {
		fetch_finish(f, res);
		return;
	}
	res = fetch_ask(f);
	if (res)
		fetch_finish(f, res);
}

int fetch_start(struct zk *zk, unsigned int timeout_ms, uint64_t first, uint64_t last, const struct fetch_ops *ops,
		void *arg, struct fetch **ret_fetch)
{
	struct fetch *f = calloc(1, sizeof(*f));
	int res;

	if (!f)
		return -ENOMEM;
	f->zk = zk;
	f->timeout_ms = timeout_ms;
	f->ops = ops;
	f->arg = arg;
	f->next_ask = f->next_item = first;
	f->last = last;
	res = fetch_ask(f);
	if (res) {
		fetch_end(f);
		return res;
	}
	*ret_fetch = f;
	return 0;
}

void fetch_cancel(struct fetch *f)
{
	if (f)
		fetch_end(f);
}
