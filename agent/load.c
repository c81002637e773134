// SPDX-License-Identifier: Apache-2.0
/*
 * One VPC's whole state out of ZooKeeper: chunks first, then deltas, then the proof by the digest; see load.h.
 */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "../lib/digest.h"
#include "../lib/util.h"
#include "fetch.h"
#include "sync.h"

struct load {
	struct zk *zk;
	unsigned int timeout_ms;
	struct vpc_head head;
	uint64_t to;
	load_fn fn;
	void *arg;
	struct fetch *fetch;
	struct vpc_state state;
	struct vpc_err err;
};

static void load_free(struct load *l)
{
	vpc_state_clear(&l->state);
	free(l);
}

static void load_end(struct load *l, int res)
{
	if (res && !l->err.text[0])
		vpc_err_set(&l->err, res, "reading snapshot s%" PRIu64 ": %s", l->head.snapshot, zk_strerror(res));
	l->fn(res, res ? NULL : &l->state, &l->err, l->arg);
	load_free(l);
}

static int digest_check(struct load *l, const struct vpc_digest *want, const char *field)
{
	char have_text[VPC_DIGEST_STRLEN], want_text[VPC_DIGEST_STRLEN], path[VPC_ZNODE_PATH_MAX];
	struct vpc_digest have = vpc_digest_of_state(&l->state);

	if (vpc_digest_equal(&have, want)) {
		l->state.digest = have;
		return 0;
	}
	return vpc_err_set(&l->err, -EINVAL, "%s: %s: %s, but epoch %" PRIu64 " as read from the nodes has %s",
			   vpc_path_vpc(l->head.vni, path), field, vpc_digest_format(want, want_text), l->state.epoch,
			   vpc_digest_format(&have, have_text));
}

static void delta_path(uint64_t index, char *buf, void *arg)
{
	struct load *l = arg;

	vpc_path_delta(l->head.vni, index, buf);
}

static int delta_item(uint64_t index, int res, const char *data, size_t len, void *arg)
{
	struct load *l = arg;
	struct vpc_delta delta;
	char path[VPC_ZNODE_PATH_MAX];

	/* Coalesced into a later one, or gone: the later ones, or the epoch reached, tell which. */
	if (res)
		return 0;
	vpc_delta_init(&delta, l->head.vni);
	res = vpc_delta_parse(data, len, &delta, &l->err);
	if (!res)
		res = sync_delta_check(&delta, l->head.vni, index, &l->err);
	if (!res) {
		switch (sync_link(l->state.epoch, &delta)) {
		case SYNC_LINK_APPLY:
			res = vpc_state_apply(&l->state, &delta, &l->err);
			break;
		case SYNC_LINK_SKIP:
			break;
		case SYNC_LINK_GAP:
			res = vpc_err_set(&l->err, -ENOENT, "nothing leads from epoch %" PRIu64 " to its base %" PRIu64,
					  l->state.epoch, delta.base);
			break;
		}
		/* A delta that deletes what is not there is malformed, not gone. */
		if (res == -ENOENT && delta.base == l->state.epoch)
			res = -EINVAL;
	}
	if (res)
		vpc_err_prefix(&l->err, res, "%s", vpc_path_delta(l->head.vni, index, path));
	vpc_delta_clear(&delta);
	return res;
}

static void deltas_done(int res, void *arg)
{
	struct load *l = arg;
	char path[VPC_ZNODE_PATH_MAX];

	l->fetch = NULL;
	if (!res && l->state.epoch != l->to)
		res = vpc_err_set(&l->err, -ENOENT, "%s: is gone",
				  vpc_path_delta(l->head.vni, l->state.epoch + 1, path));
	if (!res)
		res = digest_check(l, &l->head.digest, "digest");
	if (!res)
		res = vpc_state_check(&l->state, &l->err);
	load_end(l, res);
}

static const struct fetch_ops delta_ops = { .path = delta_path, .item = delta_item, .done = deltas_done };

/* The chunks are in: prove them, then go on to the deltas, or end. */
static void snapshot_done(struct load *l)
{
	int res;

	res = vpc_state_sort(&l->state, &l->err);
	if (!res)
		res = vpc_state_check(&l->state, &l->err);
	if (!res)
		res = digest_check(l, &l->head.snapshot_digest, "snapshot_digest");
	else
		vpc_err_prefix(&l->err, res, "snapshot s%" PRIu64, l->head.snapshot);
	if (!res && l->to > l->head.snapshot) {
		res = fetch_start(l->zk, l->timeout_ms, l->head.snapshot + 1, l->to, &delta_ops, l, &l->fetch);
		if (!res)
			return;
	}
	load_end(l, res == -EEXIST ? -EINVAL : res);
}

static void chunk_path(uint64_t index, char *buf, void *arg)
{
	struct load *l = arg;

	vpc_path_chunk(l->head.vni, l->head.snapshot, index, buf);
}

static int chunk_item(uint64_t index, int res, const char *data, size_t len, void *arg)
{
	struct load *l = arg;
	char path[VPC_ZNODE_PATH_MAX];

	chunk_path(index, path, l);
	if (res)
		return vpc_err_set(&l->err, res, "%s: is gone", path);
	res = vpc_chunk_parse(data, len, index, &l->state, &l->err);
	return res ? vpc_err_prefix(&l->err, res, "%s", path) : 0;
}

static void chunks_done(int res, void *arg)
{
	struct load *l = arg;

	l->fetch = NULL;
	if (res)
		load_end(l, res);
	else
		snapshot_done(l);
}

static const struct fetch_ops chunk_ops = { .path = chunk_path, .item = chunk_item, .done = chunks_done };

int load_start(struct zk *zk, unsigned int timeout_ms, const struct vpc_head *head, uint64_t to, load_fn fn, void *arg,
	       struct load **ret_load)
{
	struct load *l = calloc(1, sizeof(*l));
	int res;

	if (!l)
		return -ENOMEM;
	l->zk = zk;
	l->timeout_ms = timeout_ms;
	l->head = *head;
	l->to = to;
	l->fn = fn;
	l->arg = arg;
	vpc_state_init(&l->state, head->vni);
	l->state.epoch = head->snapshot;
	if (head->chunks) {
		res = fetch_start(zk, timeout_ms, 0, head->chunks - 1, &chunk_ops, l, &l->fetch);
		if (res) {
			load_free(l);
			return res;
		}
	}
	*ret_load = l;
	if (!head->chunks)
		snapshot_done(l);
	return 0;
}

void load_cancel(struct load *l)
{
	if (!l)
		return;
	fetch_cancel(l->fetch);
	load_free(l);
}
