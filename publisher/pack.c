// SPDX-License-Identifier: Apache-2.0
/*
 * Several VPCs in one multi, and several multis under way (publisher/many.h). ZooKeeper does what one session asks in
 * the order of asking, so the next step of a VPC need not wait for the one before: it names the version that HEAD will
 * have then. When a multi fails, all that it was to write was not written, and later ones of the same VPCs fail at that
 * version; these VPCs are left to pub_vpc(), one by one, after everything has arrived.
 */
#include "many.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/log.h"
#include "../lib/util.h"

#define STEP_BYTES 128 /* what a step takes besides path and data: lengths, access list */

/* What it was to write is not written, or may not be. */
static void failed(struct flight *flight)
{
	size_t i;

	for (i = 0; i < flight->n_vpcs; i++)
		flight->vpcs[i]->alone = true;
}

static void landed(int res, const char *path, void *arg)
{
	struct flight *flight = arg;
	struct many *many = flight->many;
	struct publisher *p = many->p;

	flight->busy = false;
	if (!res) {
		log_debug("one multi: %zu VPCs, %zu deltas, %zu snapshots", flight->n_vpcs, flight->n_deltas,
			  flight->n_snapshots);
		p->counts.deltas += flight->n_deltas;
		p->counts.snapshots += flight->n_snapshots;
		p->counts.epochs += flight->n_epochs;
		return;
	}
	failed(flight);
	many_failed(many, res, path);
}

static struct flight *free_flight(struct many *many)
{
	size_t i;

	for (i = 0; i < PACK_WINDOW; i++)
		if (!many->flights[i].busy)
			return &many->flights[i];
	return NULL;
}

static int pack_begin(struct many *many)
{
	struct pack *pack = &many->pack;
	int r = 0;

	if (pack->n)
		return 0;
	while (!r && !(pack->flight = free_flight(many)))
		r = many_wait(many);
	if (r)
		return r;
	pack->n = 1;
	pack->step = 1;
	pack->bytes = 0;
	pack->flight->many = many;
	pack->flight->n_vpcs = 0;
	pack->flight->n_deltas = 0;
	pack->flight->n_snapshots = 0;
	pack->flight->n_epochs = 0;
	return 0;
}

static void pack_clear(struct pack *pack)
{
	while (pack->n > 1)
		free(pack->texts[--pack->n]);
	pack->n = 0;
}

int pack_send(struct many *many)
{
	struct pack *pack = &many->pack;
	int r;

	if (!pack->n)
		return 0;
	pub_fence_op(many->p, &pack->ops[0]);
	r = zk_multi(many->p->zk, pack->ops, pack->n, many->p->timeout_ms, landed, pack->flight);
	pack->flight->busy = !r;
	pack_clear(pack);
	if (!r)
		return 0;
	failed(pack->flight);
	return many_failed(many, r, VPC_ZNODE_ROOT);
}

int pack_settle(struct many *many)
{
	size_t i;
	int r;

	r = pack_send(many);
	for (i = 0; i < PACK_WINDOW; i++)
		while (!r && many->flights[i].busy)
			r = many_wait(many);
	return r;
}

void pack_drop(struct many *many)
{
	size_t i;

	pack_clear(&many->pack);
	for (i = 0; i < PACK_WINDOW; i++)
		zk_cancel(many->p->zk, &many->flights[i]);
}

/* The text is the pack's from here on. */
static struct zk_op *add_op(struct pack *pack, char *text, size_t len)
{
	struct zk_op *op = &pack->ops[pack->n];

	*op = (struct zk_op){ .path = pack->paths[pack->n], .data = text, .len = len };
	pack->texts[pack->n++] = text;
	return op;
}

/* An open step, deltas without their HEAD, is taken out again. */
static void undo_step(struct pack *pack)
{
	while (pack->n > pack->step)
		free(pack->texts[--pack->n]);
}

/*
 * Room for so many steps and bytes: what does not fit sends what there is. The one place where that is decided; no step
 * may be open.
 */
static int make_room(struct many *many, size_t ops, size_t bytes)
{
	struct pack *pack = &many->pack;
	int r = 0;

	if (pack->n && (pack->n + ops > PACK_OPS || (pack->n > 1 && pack->bytes + bytes > PACK_BYTES)))
		r = pack_send(many);
	return r ?: pack_begin(many);
}

static bool is_open(const struct pack *pack)
{
	return pack->n > pack->step;
}

int pack_head(struct many *many, struct many_vpc *vpc, const struct vpc_head *to)
{
	struct pack *pack = &many->pack;
	struct zk_op *op;
	size_t len;
	char *text;
	int r;

	for (size_t i = pack->step; i < pack->n; i++)
		vpc_last_push(&vpc->head.last, pack->texts[i]);
	if (vpc_head_format_last(to, &vpc->head.last, &text, &len)) {
		undo_step(pack);
		vpc->alone = true;
		return 0;
	}
	/* Behind deltas there is room: pack_delta() has left it. */
	r = is_open(pack) ? 0 : make_room(many, 1, len);
	if (r) {
		free(text);
		return r;
	}
	pack->flight->n_deltas += pack->n - pack->step;
	pack->flight->n_epochs += pack->n - pack->step;
	op = add_op(pack, text, len);
	op->type = ZK_OP_SET;
	op->version = vpc->head.version++;
	vpc_path_vpc(vpc->vni, pack->paths[pack->n - 1]);
	pack->step = pack->n;
	pack->bytes += len + strlen(op->path) + STEP_BYTES;
	pack->flight->vpcs[pack->flight->n_vpcs++] = vpc;
	log_debug("VPC %" PRIu32 ": epochs %" PRIu64 "..%" PRIu64 " on their way as deltas", vpc->vni,
		  vpc->head.head.epoch + 1, to->epoch);
	vpc->head.head = *to;
	return 0;
}

int pack_delta(struct many *many, struct many_vpc *vpc, struct vpc_delta *delta, struct vpc_head *to)
{
	struct pack *pack = &many->pack;
	struct zk_op *op;
	size_t len;
	char *text;
	int r = 0;

	delta->time_ms = now_wall_ms();
	if (vpc_delta_format(delta, &text, &len)) {
		vpc->alone = true;
		return 0;
	}
	/* Room for this one and HEAD. */
	if (is_open(pack) && (pack->n + 2 > PACK_OPS || pack->bytes + len > PACK_BYTES))
		r = pack_head(many, vpc, to);
	if (!r && !is_open(pack))
		r = make_room(many, 2, len);
	if (r || vpc->alone) {
		free(text);
		return r;
	}
	op = add_op(pack, text, len);
	op->type = ZK_OP_CREATE;
	vpc_path_delta(delta->vni, delta->epoch, pack->paths[pack->n - 1]);
	pack->bytes += len + strlen(op->path) + STEP_BYTES;
	to->epoch = delta->epoch;
	to->digest = delta->digest;
	to->time_ms = delta->time_ms;
	memcpy(to->change, delta->change, sizeof(to->change));
	return 0;
}

int pack_snapshot(struct many *many, struct many_vpc *vpc, const struct vpc_head *to, char *head, size_t head_len,
		  char *chunk, size_t chunk_len)
{
	bool absent = vpc->head.state == PUB_HEAD_ABSENT;
	struct pack *pack = &many->pack;
	struct zk_op *op;
	int r;

	r = make_room(many, 3, head_len + chunk_len);
	if (r) {
		free(head);
		free(chunk);
		return r;
	}
	op = add_op(pack, head, head_len);
	op->type = absent ? ZK_OP_CREATE : ZK_OP_SET;
	op->version = vpc->head.version;
	vpc_path_vpc(vpc->vni, pack->paths[pack->n - 1]);
	add_op(pack, NULL, 0)->type = ZK_OP_CREATE;
	vpc_path_snapshot(vpc->vni, to->epoch, pack->paths[pack->n - 1]);
	add_op(pack, chunk, chunk_len)->type = ZK_OP_CREATE;
	vpc_path_chunk(vpc->vni, to->epoch, 0, pack->paths[pack->n - 1]);
	pack->step = pack->n;
	pack->bytes += head_len + chunk_len + 3 * (strlen(pack->paths[pack->n - 1]) + STEP_BYTES);
	pack->flight->vpcs[pack->flight->n_vpcs++] = vpc;
	pack->flight->n_snapshots++;
	pack->flight->n_epochs += vpc->head.state != PUB_HEAD_GOOD;
	vpc->head.version = absent ? 0 : vpc->head.version + 1;
	vpc->head.state = PUB_HEAD_GOOD;
	vpc->head.head = *to;
	return 0;
}
