// SPDX-License-Identifier: Apache-2.0
/*
 * Publishing one VPC: HEAD is read, compared with CDB, and brought forward by deltas, each epoch's as CDB recorded
 * it, or by a snapshot. Every write is guarded by the fence and by HEAD's version, so an epoch is published once
 * whatever happens in between.
 *
 * Removing one: HEAD is emptied first, so that readers see the VPC go before its parts do; the node itself goes
 * last, because ZooKeeper deletes no node that has children.
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

int pub_head_read(struct publisher *p, uint32_t vni, struct pub_head *ret_head, struct vpc_err *err)
{
	struct pub_head head = { .state = PUB_HEAD_ABSENT, .version = -1 };
	_cleanup_free_ char *data = NULL;
	char path[VPC_ZNODE_PATH_MAX];
	struct vpc_err bad = {};
	size_t len;
	int r;

	vpc_path_vpc(vni, path);
	r = pub_get(p, path, &data, &len, &head.version, err);
	if (r && r != -ENOENT)
		return r;
	if (!r) {
		head.state = len ? PUB_HEAD_GOOD : PUB_HEAD_EMPTY;
		if (len && !vpc_head_parse(data, len, &head.head, &bad) && head.head.vni != vni)
			vpc_err_set(&bad, -EINVAL, "vni: %" PRIu32 " is another VPC's", head.head.vni);
		if (*bad.text) {
			log_err("%s: %s: it is published anew", path, bad.text);
			head.state = PUB_HEAD_BAD;
		} else if (len) {
			vpc_last_parse(data, len, &head.last);
		}
	}
	head.head.vni = vni;
	*ret_head = head;
	return 0;
}

/* Formatted deltas on their way into one multi. */
struct batch {
	struct zk_op ops[PUB_LOG_MAX + 2]; /* fence, deltas, HEAD */
	char paths[PUB_LOG_MAX][VPC_ZNODE_PATH_MAX];
	char *texts[PUB_LOG_MAX];
	size_t n, bytes;
};

static void batch_clear(struct batch *batch)
{
	while (batch->n)
		free(batch->texts[--batch->n]);
	batch->bytes = 0;
}

static void batch_free(struct batch **batch)
{
	if (*batch)
		batch_clear(*batch);
	free(*batch);
}

/*
 * A delta node where there should be none is left over from a HEAD that is no more. Unless HEAD is not what we have
 * read, as from a server that lags behind: then the delta may be one that HEAD names, and it stays.
 */
static int delete_leftover(struct publisher *p, const struct pub_head *head, const char *path, struct vpc_err *err)
{
	char head_path[VPC_ZNODE_PATH_MAX];
	struct zk_op ops[3] = { [1] = { .type = ZK_OP_CHECK, .version = head->version },
				[2] = { .type = ZK_OP_DELETE, .path = path, .version = -1 } };
	size_t failed = SIZE_MAX;
	int r;

	ops[1].path = vpc_path_vpc(head->head.vni, head_path);
	r = pub_multi(p, ops, ARRAY_SIZE(ops), &failed, err);
	if (!r)
		log_warn("%s is in the way and is replaced", path);
	if (failed == 1)
		return r;
	return r == -ENOENT ? 0 : r;
}

/* Creates the batch's deltas and moves HEAD to @to, in one step. */
static int batch_write(struct publisher *p, struct batch *batch, struct pub_head *head, const struct vpc_head *to,
		       struct vpc_err *err)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct vpc_last last = head->last;
	_cleanup_free_ char *text = NULL;
	size_t len, failed = SIZE_MAX;
	int r;

	for (size_t i = 0; i < batch->n; i++)
		vpc_last_push(&last, batch->texts[i]);
	r = vpc_head_format_last(to, &last, &text, &len);
	if (r)
		return vpc_err_set(err, r, "VPC %" PRIu32 ": HEAD cannot be written: %s", to->vni, strerror(-r));
	batch->ops[batch->n + 1] = (struct zk_op){ .type = ZK_OP_SET,
						   .path = vpc_path_vpc(to->vni, path),
						   .data = text,
						   .len = len,
						   .version = head->version };
	r = pub_multi(p, batch->ops, batch->n + 2, &failed, err);
	while (r == -EEXIST && failed && failed <= batch->n) {
		r = delete_leftover(p, head, batch->paths[failed - 1], err);
		if (!r)
			r = pub_multi(p, batch->ops, batch->n + 2, &failed, err);
	}
	if (r == -EBADE || r == -ENOENT)
		return vpc_err_set(err, -EAGAIN, "%s has changed meanwhile", path);
	if (r)
		return r;
	log_debug("VPC %" PRIu32 ": epochs %" PRIu64 "..%" PRIu64 " published as deltas", to->vni, head->head.epoch + 1,
		  to->epoch);
	p->counts.deltas += batch->n;
	p->counts.epochs += batch->n;
	head->head = *to;
	head->last = last;
	head->version++;
	batch_clear(batch);
	return 0;
}

static int load_delta(struct publisher *p, uint32_t vni, uint64_t epoch, struct vpc_delta *ret_delta,
		      struct vpc_err *err)
{
	int r;

	r = pub_cdb(p, cdb_delta_load(p->cdb, vni, epoch, PUB_DELTA_OPS, ret_delta, err));
	return r == -ENOENT ? -E2BIG : r; /* a history with a hole: only a snapshot leads over it */
}

/* One more delta, which @to becomes the HEAD of; a batch that is full is written first, up to @head. */
static int batch_add(struct publisher *p, struct batch *batch, struct pub_head *head, struct vpc_delta *delta,
		     struct vpc_head *to, struct vpc_err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	delta->time_ms = now_wall_ms();
	r = vpc_delta_format(delta, &text, &len);
	if (r)
		return vpc_err_set(err, r, "VPC %" PRIu32 ": the delta of epoch %" PRIu64 " cannot be written: %s",
				   delta->vni, delta->epoch, strerror(-r));
	if (batch->n && (batch->n == PUB_LOG_MAX || batch->bytes + len > PUB_MULTI_MAX)) {
		r = batch_write(p, batch, head, to, err);
		if (r)
			return r;
	}
	to->epoch = delta->epoch;
	to->digest = delta->digest;
	to->time_ms = delta->time_ms;
	memcpy(to->change, delta->change, sizeof(to->change));
	vpc_path_delta(delta->vni, delta->epoch, batch->paths[batch->n]);
	batch->ops[batch->n + 1] = (struct zk_op){
		.type = ZK_OP_CREATE, .path = batch->paths[batch->n], .data = text, .len = len
	};
	batch->texts[batch->n++] = text;
	batch->bytes += len;
	text = NULL;
	return 0;
}

/* Quota and flags are no part of the epoch. */
bool pub_head_conf(struct vpc_head *head, const struct cdb_vpc *vpc)
{
	bool differs = head->quota != vpc->quota || !head->has_flags || head->flags != vpc->flags;

	head->quota = vpc->quota;
	head->has_flags = true;
	head->flags = vpc->flags;
	return differs;
}

bool pub_head_is_long(const struct vpc_head *head)
{
	uint64_t max = head->chunks > 1 ? head->chunks * 8ULL * PUB_LOG_MAX : PUB_LOG_MAX;

	return head->epoch - head->snapshot > (max < 64 * PUB_LOG_MAX ? max : 64 * PUB_LOG_MAX);
}

int pub_deltas(struct publisher *p, struct pub_head *head, const struct cdb_vpc *vpc, struct vpc_err *err)
{
	_cleanup_(batch_free) struct batch *batch = calloc(1, sizeof(*batch));
	struct vpc_head to = head->head;
	int r;

	if (!batch)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	pub_head_conf(&to, vpc);
	while (to.epoch < vpc->epoch) {
		struct vpc_delta delta;

		r = load_delta(p, vpc->vni, to.epoch + 1, &delta, err);
		if (r)
			return r;
		r = batch_add(p, batch, head, &delta, &to, err);
		vpc_delta_clear(&delta);
		if (r)
			return r;
	}
	if (!vpc_digest_equal(&to.digest, &vpc->digest))
		return vpc_err_set(err, -EPROTO,
				   "CDB: VPC %" PRIu32 ", epoch %" PRIu64 ": change_log and vpc have different digests",
				   vpc->vni, vpc->epoch);
	return batch->n ? batch_write(p, batch, head, &to, err) : 0;
}

static int parted(uint32_t vni, uint64_t epoch, uint64_t cdb_epoch, struct vpc_err *err)
{
	char path[VPC_ZNODE_PATH_MAX];

	return vpc_err_set(
		err, -ESTALE,
		"VPC %" PRIu32 ": ZooKeeper's epoch %" PRIu64 " is not in CDB's history (CDB is at %" PRIu64
		"): was CDB restored from a backup? Not published; restore the right CDB, or raise the VPC's epoch "
		"there and delete %s (doc/operations.md, \"Epochs never go back\")",
		vni, epoch, cdb_epoch, vpc_path_vpc(vni, path));
}

/* Is what ZooKeeper has a part of CDB's history? */
static int check_history(struct publisher *p, const struct pub_head *head, const struct cdb_vpc *vpc,
			 struct vpc_err *err)
{
	struct vpc_digest digest = vpc->digest;
	int r = 0;

	if (head->head.epoch > vpc->epoch)
		return parted(vpc->vni, head->head.epoch, vpc->epoch, err);
	if (head->head.epoch < vpc->epoch)
		r = pub_cdb(p, cdb_epoch_digest(p->cdb, vpc->vni, head->head.epoch, &digest, err));
	if (r && r != -ENOENT)
		return r;
	return !r && vpc_digest_equal(&head->head.digest, &digest)
		       ? 0
		       : parted(vpc->vni, head->head.epoch, vpc->epoch, err);
}

static int write_conf(struct publisher *p, struct pub_head *head, const struct cdb_vpc *vpc, struct vpc_err *err)
{
	struct vpc_head to = head->head;
	struct batch batch = {};

	return pub_head_conf(&to, vpc) ? batch_write(p, &batch, head, &to, err) : 0;
}

static int bring_forward(struct publisher *p, struct pub_head *head, const struct cdb_vpc *vpc, struct vpc_err *err)
{
	int r;

	r = check_history(p, head, vpc, err);
	if (r)
		return r;
	r = head->head.epoch == vpc->epoch ? write_conf(p, head, vpc, err) : pub_deltas(p, head, vpc, err);
	if (r == -E2BIG)
		return pub_snapshot(p, vpc->vni, head, false, err);
	if (!r && pub_head_is_long(&head->head))
		r = pub_snapshot(p, vpc->vni, head, true, err);
	return r;
}

static int publish(struct publisher *p, uint32_t vni, bool whole, struct vpc_err *err)
{
	struct pub_head head;
	struct vpc_head was;
	struct cdb_vpc vpc;
	bool replaced;
	int r;

	r = pub_head_read(p, vni, &head, err);
	if (!r)
		r = pub_cdb(p, cdb_vpc_get(p->cdb, vni, &vpc, err));
	if (r)
		return r;
	was = head.head;
	replaced = whole && head.state == PUB_HEAD_GOOD;
	if (head.state == PUB_HEAD_GOOD)
		r = whole ? check_history(p, &head, &vpc, err) : bring_forward(p, &head, &vpc, err);
	if (!r && (whole || head.state != PUB_HEAD_GOOD))
		r = pub_snapshot(p, vni, &head, false, err);
	if (r && pub_zk_lost(r))
		pub_garbage_forget_vpc(p->garbage, vni);
	if (r)
		return r;
	/* A log that was kept, or is let go of, has no hole: no need to look what is there. */
	if ((head.head.oldest <= head.head.epoch || replaced) && pub_garbage_knows(p, vni))
		return pub_garbage_past(p, &was, &head.head, err);
	return pub_garbage_sweep(p, &head, head.head.snapshot != was.snapshot, err);
}

int pub_vpc(struct publisher *p, uint32_t vni, struct vpc_err *err)
{
	return publish(p, vni, false, err);
}

int pub_vpc_whole(struct publisher *p, uint32_t vni, struct vpc_err *err)
{
	return publish(p, vni, true, err);
}

int pub_vpc_gone(struct publisher *p, uint32_t vni, struct vpc_err *err)
{
	bool there;
	int r;

	/* Not no answer, but the answer "no": a table that is missing must not take the VPC away from every host. */
	r = pub_cdb(p, cdb_vpc_exists(p->cdb, vni, &there, err));
	if (r)
		return r;
	return there ? -EEXIST : 0;
}

int pub_vpc_remove(struct publisher *p, uint32_t vni, struct vpc_err *err)
{
	struct zk_op ops[2] = { [1] = { .type = ZK_OP_SET, .data = "", .version = -1 } };
	char path[VPC_ZNODE_PATH_MAX];
	struct pub_head head;
	int r;

	ops[1].path = vpc_path_vpc(vni, path);
	r = pub_head_read(p, vni, &head, err);
	if (r || head.state == PUB_HEAD_ABSENT)
		return r;
	r = pub_multi(p, ops, ARRAY_SIZE(ops), NULL, err);
	if (!r)
		r = pub_delete_tree(p, path, err);
	if (r)
		return r;
	log_debug("VPC %" PRIu32 ": removed", vni);
	p->counts.removed++;
	return 0;
}
