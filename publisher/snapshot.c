// SPDX-License-Identifier: Apache-2.0
/*
 * Publishing a VPC whole: CDB's state, read in one database snapshot, in chunks of 256 KiB under s<E>; HEAD last.
 * A small VPC is one multi. Chunks that a killed run has left at the same epoch are written over: HEAD does not
 * name them, and what an epoch holds never changes.
 */
#include "publisher.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/digest.h"
#include "../lib/log.h"
#include "../lib/util.h"

int pub_state_check(const struct cdb_vpc *vpc, const struct vpc_state *state, struct vpc_err *err)
{
	struct vpc_digest digest;

	if (vpc_state_check(state, err))
		return vpc_err_prefix(err, -EPROTO, "CDB: VPC %" PRIu32, vpc->vni);
	digest = vpc_digest_of_state(state);
	if (!vpc_digest_equal(&digest, &state->digest) || state->epoch != vpc->epoch)
		return vpc_err_set(err, -EPROTO,
				   "CDB: VPC %" PRIu32 ", epoch %" PRIu64
				   ": its digest is not that of its routes and nexthops",
				   vpc->vni, vpc->epoch);
	return 0;
}

void pub_snapshot_head(const struct cdb_vpc *vpc, uint32_t chunks, const struct vpc_head *log,
		       struct vpc_head *ret_head)
{
	struct vpc_head head = { .vni = vpc->vni,
				 .epoch = vpc->epoch,
				 .snapshot = vpc->epoch,
				 .chunks = chunks,
				 .oldest = vpc->epoch + 1,
				 .digest = vpc->digest,
				 .snapshot_digest = vpc->digest,
				 .time_ms = now_wall_ms(),
				 .quota = vpc->quota,
				 .has_flags = true,
				 .flags = vpc->flags };

	memcpy(head.change, vpc->change, sizeof(head.change));
	if (log)
		head.oldest = vpc->epoch - log->oldest < PUB_LOG_MAX ? log->oldest : vpc->epoch - PUB_LOG_MAX + 1;
	*ret_head = head;
}

/* State and vpc row of one moment. */
static int load_state(struct publisher *p, uint32_t vni, struct cdb_vpc *ret_vpc, struct vpc_state *ret_state,
		      struct vpc_err *err)
{
	struct vpc_state state;
	struct cdb_vpc vpc;
	int r, end;

	vpc_state_init(&state, vni);
	r = pub_cdb(p, cdb_snapshot_begin(p->cdb, err));
	if (r)
		return r;
	r = pub_cdb(p, cdb_vpc_get(p->cdb, vni, &vpc, err));
	if (!r)
		r = pub_cdb(p, cdb_state_load(p->cdb, vni, &state, err));
	end = pub_cdb(p, cdb_snapshot_end(p->cdb, r ? NULL : err));
	if (!r)
		r = end;
	if (!r)
		r = pub_state_check(&vpc, &state, err);
	if (r) {
		vpc_state_clear(&state);
		return r;
	}
	*ret_vpc = vpc;
	*ret_state = state;
	return 0;
}

/* Chunks on their way into one multi. */
struct chunks {
	struct zk_op ops[PUB_LOG_MAX]; /* fence first, room for HEAD and s<E> */
	char paths[PUB_LOG_MAX][VPC_ZNODE_PATH_MAX];
	char *texts[PUB_LOG_MAX];
	size_t n, bytes;
	uint32_t first; /* number of the first of them */
};

static void chunks_clear(struct chunks *chunks)
{
	while (chunks->n)
		free(chunks->texts[--chunks->n]);
	chunks->bytes = 0;
}

static void chunks_free(struct chunks **chunks)
{
	if (*chunks)
		chunks_clear(*chunks);
	free(*chunks);
}

static int chunks_add(struct chunks *chunks, const struct vpc_state *state, uint32_t chunk, size_t *pos,
		      struct vpc_err *err)
{
	size_t len, i = chunks->n;
	int r;

	r = vpc_chunk_format(state, chunk, pos, &chunks->texts[i], &len);
	if (r)
		return vpc_err_set(err, r, "VPC %" PRIu32 ": chunk %" PRIu32 " cannot be written: %s", state->vni,
				   chunk, strerror(-r));
	vpc_path_chunk(state->vni, state->epoch, chunk, chunks->paths[i]);
	chunks->ops[++chunks->n] = (struct zk_op){
		.type = ZK_OP_CREATE, .path = chunks->paths[i], .data = chunks->texts[i], .len = len, .version = -1
	};
	chunks->bytes += len;
	return 0;
}

/* Creates the chunks, or writes over what is there. */
static int chunks_write(struct publisher *p, struct chunks *chunks, struct vpc_err *err)
{
	size_t failed = SIZE_MAX;
	int r;

	r = pub_multi(p, chunks->ops, chunks->n + 1, &failed, err);
	while (r == -EEXIST && failed && failed <= chunks->n && chunks->ops[failed].type == ZK_OP_CREATE) {
		chunks->ops[failed].type = ZK_OP_SET;
		r = pub_multi(p, chunks->ops, chunks->n + 1, &failed, err);
	}
	chunks_clear(chunks);
	return r;
}

/* One empty node that may be there already. */
static int create_empty(struct publisher *p, const char *path, struct vpc_err *err)
{
	struct zk_op ops[2] = { [1] = { .type = ZK_OP_CREATE, .path = path } };
	int r;

	r = pub_multi(p, ops, ARRAY_SIZE(ops), NULL, err);
	return r == -EEXIST ? 0 : r;
}

/* The VPC's node, empty, so that s<E> can be below it. Readers take an empty HEAD for none. */
static int ensure_head(struct publisher *p, uint32_t vni, struct pub_head *head, struct vpc_err *err)
{
	char path[VPC_ZNODE_PATH_MAX];
	int r;

	if (head->state != PUB_HEAD_ABSENT)
		return 0;
	r = create_empty(p, vpc_path_vpc(vni, path), err);
	if (!r)
		r = pub_head_read(p, vni, head, err);
	if (!r && head->state != PUB_HEAD_EMPTY)
		r = vpc_err_set(err, -EAGAIN, "%s has changed meanwhile", path);
	return r;
}

static struct zk_op head_op(const struct pub_head *head, const char *path, const char *text, size_t len)
{
	return (struct zk_op){ .type = head->state == PUB_HEAD_ABSENT ? ZK_OP_CREATE : ZK_OP_SET,
			       .path = path,
			       .data = text,
			       .len = len,
			       .version = head->version };
}

/* The whole of a VPC that is one chunk. -EEXIST: something of it is there already, write it piece by piece. */
static int write_small(struct publisher *p, const struct vpc_state *state, const struct pub_head *head,
		       const char *text, size_t len, struct vpc_err *err)
{
	char path[VPC_ZNODE_PATH_MAX], snapshot[VPC_ZNODE_PATH_MAX], chunk[VPC_ZNODE_PATH_MAX];
	_cleanup_free_ char *data = NULL;
	size_t pos = 0, data_len;
	struct zk_op ops[4];
	int r;

	r = vpc_chunk_format(state, 0, &pos, &data, &data_len);
	if (r)
		return vpc_err_set(err, r, "VPC %" PRIu32 ": chunk 0 cannot be written: %s", state->vni, strerror(-r));
	ops[1] = head_op(head, vpc_path_vpc(state->vni, path), text, len);
	ops[2] = (struct zk_op){ .type = ZK_OP_CREATE, .path = vpc_path_snapshot(state->vni, state->epoch, snapshot) };
	ops[3] = (struct zk_op){ .type = ZK_OP_CREATE,
				 .path = vpc_path_chunk(state->vni, state->epoch, 0, chunk),
				 .data = data,
				 .len = data_len };
	return pub_multi(p, ops, ARRAY_SIZE(ops), NULL, err);
}

/* s<E> and its chunks. */
static int write_chunks(struct publisher *p, const struct vpc_state *state, struct vpc_err *err)
{
	_cleanup_(chunks_free) struct chunks *chunks = calloc(1, sizeof(*chunks));
	size_t pos = 0, n = state->n_nexthops + state->n_members + state->n_routes;
	char path[VPC_ZNODE_PATH_MAX];
	uint32_t chunk = 0;
	int r;

	if (!chunks)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	r = create_empty(p, vpc_path_snapshot(state->vni, state->epoch, path), err);
	while (!r && (pos < n || !chunk)) {
		r = chunks_add(chunks, state, chunk++, &pos, err);
		if (!r &&
		    (pos == n || chunks->bytes + VPC_ZNODE_CHUNK_MAX > PUB_MULTI_MAX || chunks->n == PUB_LOG_MAX - 1))
			r = chunks_write(p, chunks, err);
	}
	return r;
}

/* How many chunks the state is. */
static int count_chunks(const struct vpc_state *state, uint32_t *ret_chunks, struct vpc_err *err)
{
	size_t pos = 0, len;
	uint32_t chunks = 0;
	char *text;
	int r;

	do {
		r = vpc_chunk_format(state, chunks, &pos, &text, &len);
		if (r)
			return vpc_err_set(err, r, "VPC %" PRIu32 ": chunk %" PRIu32 " cannot be written: %s",
					   state->vni, chunks, strerror(-r));
		free(text);
		chunks++;
	} while (pos < state->n_nexthops + state->n_members + state->n_routes);
	if (chunks > VPC_ZNODE_CHUNKS_MAX)
		return vpc_err_set(err, -E2BIG, "VPC %" PRIu32 ": %" PRIu32 " chunks are too many", state->vni, chunks);
	*ret_chunks = chunks;
	return 0;
}

/* Everything below HEAD, then HEAD. */
static int write_large(struct publisher *p, const struct vpc_state *state, struct pub_head *head, const char *text,
		       size_t len, struct vpc_err *err)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct zk_op ops[2];
	int r;

	r = ensure_head(p, state->vni, head, err);
	if (!r)
		r = write_chunks(p, state, err);
	if (r)
		return r;
	ops[1] = head_op(head, vpc_path_vpc(state->vni, path), text, len);
	return pub_multi(p, ops, ARRAY_SIZE(ops), NULL, err);
}

static int write_state(struct publisher *p, const struct vpc_state *state, struct pub_head *head, struct vpc_head *to,
		       struct vpc_err *err)
{
	char path[VPC_ZNODE_PATH_MAX];
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	r = count_chunks(state, &to->chunks, err);
	if (r)
		return r;
	r = vpc_head_format_last(to, to->epoch == head->head.epoch ? &head->last : NULL, &text, &len);
	if (r)
		return vpc_err_set(err, r, "VPC %" PRIu32 ": HEAD cannot be written: %s", state->vni, strerror(-r));
	if (head->state == PUB_HEAD_ABSENT) {
		vpc_path_vpc(state->vni, path);
		*strrchr(path, '/') = '\0';
		r = pub_mkpath(p, path, err);
		if (r)
			return r;
	}
	r = -EEXIST;
	if (to->chunks == 1)
		r = write_small(p, state, head, text, len, err);
	if (r == -EEXIST)
		r = write_large(p, state, head, text, len, err);
	if (r == -EBADE || r == -EEXIST || r == -ENOENT)
		r = vpc_err_set(err, -EAGAIN, "%s has changed meanwhile", vpc_path_vpc(state->vni, path));
	return r;
}

int pub_snapshot(struct publisher *p, uint32_t vni, struct pub_head *head, bool keep_log, struct vpc_err *err)
{
	_cleanup_(vpc_state_clear) struct vpc_state state = {};
	struct vpc_head to = {};
	struct cdb_vpc vpc;
	int r;

	r = load_state(p, vni, &vpc, &state, err);
	if (r)
		return r;
	/* The log must reach the snapshot's epoch, which may be ahead again. */
	if (keep_log) {
		r = pub_deltas(p, head, &vpc, err);
		if (r == -E2BIG)
			keep_log = false;
		else if (r)
			return r;
	}
	pub_snapshot_head(&vpc, 0, keep_log ? &head->head : NULL, &to);
	r = write_state(p, &state, head, &to, err);
	if (r)
		return r;
	log_debug("VPC %" PRIu32 ": epoch %" PRIu64
		  " published as a snapshot (nexthops %zu, routes %zu, chunks %" PRIu32 ")",
		  vni, to.epoch, state.n_nexthops, state.n_routes, to.chunks);
	p->counts.snapshots++;
	if (head->state != PUB_HEAD_GOOD || head->head.epoch != to.epoch)
		p->counts.epochs++;
	head->version = head->state == PUB_HEAD_ABSENT ? 0 : head->version + 1;
	head->state = PUB_HEAD_GOOD;
	if (head->head.epoch != to.epoch)
		head->last.n = 0;
	head->head = to;
	return 0;
}
