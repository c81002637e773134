// SPDX-License-Identifier: Apache-2.0
/*
 * Snapshots of small VPCs, several together: those that are new, and those whose log is long enough for one. Several
 * are read from CDB in one database snapshot, and written in multis that they share (pack.c); a round trip for each
 * statement and node would be most of the time. What is large, or not as it should be, is left to pub_vpc().
 *
 * Called by publisher/many.c, once its deltas have arrived.
 */
#include "many.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/cdb_log.h"
#include "../lib/util.h"

#define SHOTS 32 /* VPCs in memory at once */
#define GROWN_MAX (4 * PUB_LOG_MAX) /* deltas behind the snapshot of a VPC that never holds still */
#define NEW_OPS_MAX 6000 /* a new VPC's history, and thereby its size: about one chunk */

struct shots {
	struct many *many;
	struct many_vpc **vpcs;
	size_t n; /* <= SHOTS */
	struct cdb_vpc *rows;
	size_t n_rows;
	struct vpc_state states[SHOTS];
	size_t n_states;
};

static bool wants(const struct many_vpc *vpc)
{
	if (vpc->blank)
		return true;
	return vpc->published && !vpc->alone && vpc->head.head.chunks == 1 && pub_head_is_long(&vpc->head.head);
}

/* The VPCs to read: of new ones, whose size nobody knows, those whose whole history is small. */
static int choose(struct shots *shots, uint64_t *vnis, size_t *ret_n, struct vpc_err *err)
{
	uint64_t blank[SHOTS], sums[SHOTS];
	size_t i, j = 0, n_blank = 0, n = 0;
	int r = 0;

	for (i = 0; i < shots->n; i++)
		if (shots->vpcs[i]->blank)
			blank[n_blank++] = shots->vpcs[i]->vni;
	if (n_blank)
		r = cdb_log_sums(shots->many->p->cdb, blank, n_blank, sums, err);
	for (i = 0; i < shots->n && !r; i++)
		if (!shots->vpcs[i]->blank || sums[j++] <= NEW_OPS_MAX)
			vnis[n++] = shots->vpcs[i]->vni;
	*ret_n = n;
	return r;
}

/*
 * The log must reach the snapshot's epoch. When CDB is ahead again a later round has better luck; when none had,
 * pub_vpc() takes a snapshot that catches up with CDB first.
 */
static void mark_grown(struct many_vpc *vpc)
{
	const struct vpc_head *head = &vpc->head.head;

	if (head->epoch - head->snapshot > GROWN_MAX)
		vpc->alone = true;
	else
		vpc->grown = true;
}

/* The rows, and the states of the same moment. */
static int read_all(struct shots *shots, struct vpc_err *err)
{
	struct cdb *cdb = shots->many->p->cdb;
	uint64_t vnis[SHOTS];
	size_t i, j = 0, n;
	int r;

	r = choose(shots, vnis, &n, err);
	if (!r && n)
		r = cdb_vpc_many(cdb, vnis, n, &shots->rows, &shots->n_rows, err);
	for (i = n = 0; i < shots->n_rows && !r; i++) {
		while (shots->vpcs[j]->vni < shots->rows[i].vni)
			j++;
		if (shots->vpcs[j]->blank || shots->vpcs[j]->head.head.epoch == shots->rows[i].epoch)
			shots->rows[n++] = shots->rows[i];
		else
			mark_grown(shots->vpcs[j]);
	}
	shots->n_rows = n;
	if (r)
		return r;
	shots->n_states = n;
	return cdb_states_load(cdb, shots->rows, n, shots->states, err);
}

static int read_snapshot(struct shots *shots, struct vpc_err *err)
{
	struct publisher *p = shots->many->p;
	int r, end;

	r = pub_cdb(p, cdb_snapshot_begin(p->cdb, err));
	if (r)
		return r;
	r = pub_cdb(p, read_all(shots, err));
	end = pub_cdb(p, cdb_snapshot_end(p->cdb, r ? NULL : err));
	return r ?: end;
}

/* The folder that a new VPC's node is in. */
static int ensure_bucket(struct publisher *p, uint32_t vni, struct vpc_err *err)
{
	uint8_t *byte = &p->buckets[(vni & 255) / 8], bit = 1 << (vni & 7);
	char path[VPC_ZNODE_PATH_MAX];
	int r;

	if (*byte & bit)
		return 0;
	vpc_path_vpc(vni, path);
	*strrchr(path, '/') = '\0';
	r = pub_mkpath(p, path, err);
	if (!r)
		*byte |= bit;
	return r;
}

/* Leaves it alone unless it can be written as one chunk. */
static int shoot(struct many *many, struct many_vpc *vpc, const struct cdb_vpc *row, const struct vpc_state *state,
		 struct vpc_err *err)
{
	char *chunk = NULL, *text = NULL;
	size_t pos = 0, chunk_len, len;
	struct vpc_head to;
	struct vpc_err bad;
	int r;

	vpc->alone = true;
	if (pub_state_check(row, state, &bad) || vpc_chunk_format(state, 0, &pos, &chunk, &chunk_len))
		return 0;
	pub_snapshot_head(row, 1, vpc->blank ? NULL : &vpc->head.head, &to);
	if (pos < state->n_nexthops + state->n_members + state->n_routes ||
	    vpc_head_format_last(&to, vpc->blank ? NULL : &vpc->head.last, &text, &len)) {
		free(chunk);
		return 0;
	}
	r = vpc->head.state == PUB_HEAD_ABSENT ? ensure_bucket(many->p, vpc->vni, err) : 0;
	if (r) {
		free(chunk);
		free(text);
		return many_failed(many, r, VPC_ZNODE_ROOT);
	}
	vpc->alone = false;
	vpc->shot = true;
	vpc->was = vpc->head.head;
	return pack_snapshot(many, vpc, &to, text, len, chunk, chunk_len);
}

static void shots_free(struct shots *shots)
{
	size_t i;

	for (i = 0; i < shots->n_states; i++)
		vpc_state_clear(&shots->states[i]);
	free(shots->rows);
	free(shots);
}

static int try_some(struct many *many, struct many_vpc **vpcs, size_t n, struct vpc_err *err)
{
	struct shots *shots = calloc(1, sizeof(*shots));
	size_t i, j = 0;
	int r;

	if (!shots)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	shots->many = many;
	shots->vpcs = vpcs;
	shots->n = n;
	r = read_snapshot(shots, err);
	for (i = 0; i < shots->n_rows && !r; i++) {
		while (vpcs[j]->vni < shots->rows[i].vni)
			j++;
		r = shoot(many, vpcs[j], &shots->rows[i], &shots->states[i], err);
	}
	shots_free(shots);
	return r ?: pack_send(many);
}

/* As try_halves() in many.c. */
static int shoot_some(struct many *many, struct many_vpc **vpcs, size_t n, struct vpc_err *err)
{
	int r = try_some(many, vpcs, n, err);

	if (!many_bad_vpc(many, r))
		return r;
	if (n == 1) {
		vpcs[0]->alone = true;
		return 0;
	}
	r = shoot_some(many, vpcs, n / 2, err);
	return r ?: shoot_some(many, vpcs + n / 2, n - n / 2, err);
}

/* What has arrived: the past of those that had one is garbage, and new ones have none. */
static int finish(struct many *many, struct vpc_err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; i < many->n && !r; i++) {
		struct many_vpc *vpc = &many->vpcs[i];

		if (!vpc->shot || vpc->alone)
			continue;
		vpc->published = true;
		if (!vpc->blank)
			r = pub_garbage_past(many->p, &vpc->was, &vpc->head.head, err);
		else if (pub_garbage_note(many->p, &vpc->head, NULL, 0))
			r = vpc_err_set(err, -ENOMEM, "out of memory");
	}
	return r;
}

int shots_publish(struct many *many, struct vpc_err *err)
{
	struct many_vpc *vpcs[SHOTS];
	size_t i, n = 0;
	int r = 0;

	for (i = 0; i < many->n && !r; i++) {
		if (wants(&many->vpcs[i]))
			vpcs[n++] = &many->vpcs[i];
		if (n == SHOTS || (n && i == many->n - 1)) {
			r = shoot_some(many, vpcs, n, err);
			n = 0;
		}
	}
	if (!r)
		r = pack_settle(many);
	return r ?: finish(many, err);
}
