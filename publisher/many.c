// SPDX-License-Identifier: Apache-2.0
/*
 * Publishing what most VPCs need most of the time, some deltas and HEAD, for many VPCs together: their HEADs are asked
 * for ahead, CDB is asked for a group of VPCs in three statements, and what comes of it goes into few multis (pack.c),
 * while the next group is read. Memory is bounded by group and multis; what does not fit waits in the outbox.
 *
 * Everything out of the ordinary (no HEAD, another history, a change too large for a delta, garbage in CDB, a step that
 * failed) is left to pub_vpc(), which does it alone and says what is wrong. Called by publisher/round.c.
 */
#include "many.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/cdb_log.h"
#include "../lib/digest.h"
#include "../lib/log.h"
#include "../lib/util.h"

#define GROUP 128 /* VPCs for which CDB is asked at once */
#define TURN_OPS 50000 /* operations in memory at once, save a single change's */

int many_failed(struct many *many, int res, const char *path)
{
	struct vpc_err err = {};
	int r;

	r = pub_multi_failed(many->p, res, path, &err);
	if (!many->p->fenced && !pub_zk_lost(res))
		return 0;
	if (!many->res) {
		many->res = r;
		strcpy(many->text, err.text);
	}
	return many->res;
}

int many_wait(struct many *many)
{
	if (!many->res && pub_wait(many->p)) {
		many->res = -EINTR;
		strcpy(many->text, "stopped");
	}
	return many->res;
}

/* -- what ZooKeeper has ------------------------------------------------------------------------------------------- */

static void answered(struct many_vpc *vpc, int res, const char *path)
{
	vpc->answers--;
	vpc->many->answers--;
	if (!res || res == -ENOENT)
		return;
	vpc->alone = true;
	many_failed(vpc->many, res, path);
}

static void head_answer(int res, const char *path, const char *data, size_t len, int version, void *arg)
{
	struct many_vpc *vpc = arg;
	struct vpc_err bad;

	answered(vpc, res, path);
	vpc->head.version = version;
	vpc->blank = res == -ENOENT;
	/* Empty or bad: pub_head_read() says which. */
	if (res || !len || vpc_head_parse(data, len, &vpc->head.head, &bad) || vpc->head.head.vni != vpc->vni)
		vpc->alone = true;
	else
		vpc->head.state = PUB_HEAD_GOOD;
	if (!vpc->alone)
		vpc_last_parse(data, len, &vpc->head.last);
}

static void children_answer(int res, const char *path, char *const *names, size_t n, void *arg)
{
	struct many_vpc *vpc = arg;

	answered(vpc, res, path);
	if (res || vpc->alone)
		return;
	if (pub_garbage_note(vpc->many->p, &vpc->head, names, n))
		vpc->alone = true;
}

/* In this order: the answers come in it, too. */
static int ask(struct many *many, struct many_vpc *vpc)
{
	struct publisher *p = many->p;
	char path[VPC_ZNODE_PATH_MAX];
	int r;

	vpc_path_vpc(vpc->vni, path);
	r = zk_get(p->zk, path, false, p->timeout_ms, head_answer, vpc);
	if (!r) {
		vpc->answers++;
		many->answers++;
		if (pub_garbage_knows(p, vpc->vni))
			return 0;
		r = zk_children(p->zk, path, false, p->timeout_ms, children_answer, vpc);
	}
	if (!r) {
		vpc->answers++;
		many->answers++;
		return 0;
	}
	vpc->alone = true;
	return many_failed(many, r, path);
}

/* Of the VPCs up to @end that have not been asked for; *asked is how many have. */
static int ask_ahead(struct many *many, size_t *asked, size_t end)
{
	int r = 0;

	for (; *asked < end && *asked < many->n && !r; ++*asked)
		r = ask(many, &many->vpcs[*asked]);
	return r;
}

/* -- what CDB has ------------------------------------------------------------------------------------------------ */

/* A group's part of the round. */
struct group {
	struct many *many;
	struct many_vpc *vpcs;
	size_t n;
	struct cdb_vpc *rows;
	size_t n_rows;
};

static int load_vpcs(struct group *group, struct vpc_err *err)
{
	uint64_t vnis[GROUP];
	size_t i, j = 0, n = 0;
	int r;

	for (i = 0; i < group->n; i++)
		if (!group->vpcs[i].alone)
			vnis[n++] = group->vpcs[i].vni;
	if (!n)
		return 0;
	r = pub_cdb(group->many->p, cdb_vpc_many(group->many->p->cdb, vnis, n, &group->rows, &group->n_rows, err));
	for (i = 0; i < group->n && !r; i++) {
		struct many_vpc *vpc = &group->vpcs[i];

		while (j < group->n_rows && group->rows[j].vni < vpc->vni)
			j++;
		if (j < group->n_rows && group->rows[j].vni == vpc->vni)
			vpc->vpc = &group->rows[j];
		else
			vpc->alone = true;
	}
	return r;
}

/* HEAD is already there: is it of CDB's history, and has it CDB's quota and flags? */
static int same_epoch(struct many *many, struct many_vpc *vpc)
{
	struct vpc_head to = vpc->head.head;

	if (!vpc_digest_equal(&to.digest, &vpc->vpc->digest)) {
		vpc->alone = true;
		return 0;
	}
	vpc->published = true;
	return pub_head_conf(&to, vpc->vpc) ? pack_head(many, vpc, &to) : 0;
}

/* The epochs of the next turn, the one that HEAD has among them. */
static size_t next_epochs(struct group *group, struct cdb_epochs *ret, int *ret_res)
{
	size_t i, n = 0;

	for (i = 0; i < group->n && !*ret_res; i++) {
		struct many_vpc *vpc = &group->vpcs[i];
		uint64_t epoch = vpc->head.head.epoch;

		vpc->n_log = 0;
		if (vpc->alone || vpc->published)
			continue;
		if (epoch > vpc->vpc->epoch)
			vpc->alone = true;
		else if (epoch == vpc->vpc->epoch)
			*ret_res = same_epoch(group->many, vpc);
		else
			ret[n++] = (struct cdb_epochs){
				vpc->vni, epoch,
				vpc->vpc->epoch - epoch > PUB_LOG_MAX ? epoch + PUB_LOG_MAX : vpc->vpc->epoch
			};
	}
	return n;
}

static void slice(struct group *group, struct cdb_logged *log, size_t n)
{
	size_t i, from = 0;

	for (i = 0; i < group->n; i++) {
		struct many_vpc *vpc = &group->vpcs[i];

		while (from < n && log[from].delta.vni < vpc->vni)
			from++;
		vpc->log = log + from;
		while (from < n && log[from].delta.vni == vpc->vni) {
			from++;
			vpc->n_log++;
		}
	}
}

/*
 * Which of a VPC's epochs this turn publishes: the log's first is HEAD's own, which must be the same there, and the
 * others follow without a hole, none of them too large. *ops is what the turn has already.
 */
static void choose(struct many_vpc *vpc, size_t *ops)
{
	const struct vpc_head *head = &vpc->head.head;
	struct cdb_logged *log = vpc->log;
	size_t i;

	vpc->n_wanted = 0;
	vpc->then_alone = vpc->n_log < 2 || log->delta.epoch != head->epoch ||
			  !vpc_digest_equal(&log->delta.digest, &head->digest);
	for (i = 1; i < vpc->n_log && !vpc->then_alone; i++) {
		const struct vpc_delta *delta = &log[i].delta;

		vpc->then_alone = delta->epoch != head->epoch + i || log[i].n_ops > PUB_DELTA_OPS ||
				  (delta->epoch == vpc->vpc->epoch &&
				   !vpc_digest_equal(&delta->digest, &vpc->vpc->digest));
		if (vpc->then_alone || (*ops && *ops + log[i].n_ops > TURN_OPS))
			return;
		*ops += log[i].n_ops;
		log[i].wanted = true;
		vpc->n_wanted++;
	}
}

/* What was chosen becomes deltas. One that is bad leaves the VPC alone, behind the ones before it. */
static int write_epochs(struct many *many, struct many_vpc *vpc)
{
	struct vpc_head to = vpc->head.head;
	size_t i;
	int r = 0;

	pub_head_conf(&to, vpc->vpc);
	for (i = 1; i <= vpc->n_wanted && !r && !vpc->alone; i++) {
		if (vpc->log[i].bad)
			vpc->alone = true;
		else
			r = pack_delta(many, vpc, &vpc->log[i].delta, &to);
	}
	if (!r && to.epoch > vpc->head.head.epoch)
		r = pack_head(many, vpc, &to);
	vpc->alone |= vpc->then_alone;
	vpc->published = !vpc->alone && vpc->head.head.epoch == vpc->vpc->epoch;
	return r;
}

/* Up to 64 epochs of each VPC. *ret_more: there was something to do. */
static int turn(struct group *group, bool *ret_more, struct vpc_err *err)
{
	struct publisher *p = group->many->p;
	struct cdb_epochs epochs[GROUP];
	struct cdb_logged *log = NULL;
	size_t i, n, n_log = 0, ops = 0;
	int r = 0;

	n = next_epochs(group, epochs, &r);
	*ret_more = n;
	if (r || !n)
		return r;
	r = pub_cdb(p, cdb_log_list(p->cdb, epochs, n, &log, &n_log, err));
	if (r)
		return r;
	slice(group, log, n_log);
	for (i = 0; i < group->n; i++)
		if (!group->vpcs[i].alone && !group->vpcs[i].published)
			choose(&group->vpcs[i], &ops);
	r = pub_cdb(p, cdb_log_ops(p->cdb, log, n_log, err));
	for (i = 0; i < group->n && !r; i++)
		if (!group->vpcs[i].alone && !group->vpcs[i].published)
			r = write_epochs(group->many, &group->vpcs[i]);
	cdb_log_free(log, n_log);
	return r;
}

/* CDB's errors are the caller's, with a text in @err; ZooKeeper's are many->res. */
static int try_group(struct many *many, size_t from, size_t end, struct vpc_err *err)
{
	struct group group = { .many = many, .vpcs = many->vpcs + from, .n = end - from };
	bool more = true;
	size_t i;
	int r;

	r = load_vpcs(&group, err);
	while (!r && more)
		r = turn(&group, &more, err);
	for (i = from; i < end; i++)
		many->vpcs[i].vpc = NULL;
	free(group.rows);
	return r;
}

bool many_bad_vpc(const struct many *many, int res)
{
	return res && res != -ENOMEM && !many->res && !many->p->cdb_trouble;
}

/* What CDB says of one VPC makes no sense: by halves until that one is found, and left to who says what is wrong. */
static int try_halves(struct many *many, size_t from, size_t end, struct vpc_err *err)
{
	int r = try_group(many, from, end, err);

	if (!many_bad_vpc(many, r))
		return r;
	if (end - from == 1) {
		many->vpcs[from].alone = true;
		return 0;
	}
	r = try_halves(many, from, from + (end - from) / 2, err);
	return r ?: try_halves(many, from + (end - from) / 2, end, err);
}

static int publish_group(struct many *many, size_t from, size_t end, struct vpc_err *err)
{
	size_t i;
	int r = 0;

	for (i = from; i < end && !r; i++)
		while (!r && many->vpcs[i].answers)
			r = many_wait(many);
	if (!r)
		r = try_halves(many, from, end, err);
	return r ?: pack_send(many);
}

static void many_clear(struct many *many)
{
	size_t i;

	pack_drop(many);
	for (i = 0; i < many->n; i++)
		if (many->vpcs[i].answers)
			zk_cancel(many->p->zk, &many->vpcs[i]);
	free(many->vpcs);
	free(many);
}

static int publish_all(struct many *many, struct vpc_err *err)
{
	size_t i, end, asked = 0;
	int r = 0;

	for (i = 0; i < many->n && !r; i = end) {
		end = many->n - i < GROUP ? many->n : i + GROUP;
		r = ask_ahead(many, &asked, end + GROUP);
		if (!r)
			r = publish_group(many, i, end, err);
	}
	if (!r)
		r = pack_settle(many);
	return r ?: shots_publish(many, err);
}

int pub_many(struct publisher *p, const uint32_t *vnis, size_t n, bool *ret_published, struct vpc_err *err)
{
	struct many *many = calloc(1, sizeof(*many));
	size_t i;
	int r;

	if (many)
		many->vpcs = calloc(n + 1, sizeof(*many->vpcs));
	if (!many || !many->vpcs) {
		free(many);
		return vpc_err_set(err, -ENOMEM, "out of memory");
	}
	many->p = p;
	many->n = n;
	for (i = 0; i < n; i++)
		many->vpcs[i] = (struct many_vpc){ .many = many, .vni = vnis[i] };
	r = publish_all(many, err);
	if (many->res)
		r = vpc_err_set(err, many->res, "%s", many->text);
	/* Of snapshots that may have arrived what was before them is not noted. */
	for (i = 0; i < n; i++)
		if (many->vpcs[i].shot && (r || many->vpcs[i].alone))
			pub_garbage_forget_vpc(p->garbage, vnis[i]);
	for (i = 0; i < n; i++)
		ret_published[i] = !r && many->vpcs[i].published && !many->vpcs[i].alone &&
				   (many->vpcs[i].grown || !pub_head_is_long(&many->vpcs[i].head.head));
	many_clear(many);
	return r;
}
