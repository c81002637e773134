// SPDX-License-Identifier: Apache-2.0
/*
 * The work on one VPC: deltas as they come, those that come together in one kernel transaction, or a whole snapshot.
 *
 * agent/follow.c decides (f->plan) and goes on when this ends. The kernel is asked inside the event loop and answers
 * before the call returns.
 */
#include "follow_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "../lib/log.h"
#include "../lib/util.h"
#include "install.h"
#include "metrics.h"
#include "timer.h"

/* Missing in a row, before it is not coalescing any more. */
#define CATCHUP_MISSING_MAX 1024

static double elapsed_ms(const struct follow *f)
{
	return (now_monotonic_us() - f->started_us) / 1000.0;
}

/* -- deltas -------------------------------------------------------------------------------------------------------- */

static void delta_path(uint64_t index, char *buf, void *arg)
{
	struct follow *f = arg;

	vpc_path_delta(f->vni, index, buf);
}

/* @deltas lead on from each other; none of them is applied, or all are. */
static int deltas_apply(struct follow *f, const struct vpc_delta *deltas, size_t n)
{
	const struct vpc_delta *last = &deltas[n - 1];
	struct kernel *kernel = agent_kernel(f->agent);
	int res;

	if (!kernel)
		return -ENODEV;
	res = METER_KERNEL("follow", apply, kernel, deltas, n, &f->err);
	/* Somebody else was there: from where the kernel is now it is planned anew. */
	if (res == -ESTALE && !follow_read_kernel(f) && f->have.epoch != deltas->base) {
		f->have_known = false;
		return res;
	}
	if (res) {
		/* The whole state, compared element by element, gets past whatever this one could not. */
		f->distrust = true;
		agent_kernel_suspect(f->agent);
		return res == -ENOENT ? -EINVAL : res;
	}
	f->have.epoch = last->epoch;
	f->have.digest = last->digest;
	f->committed = true;
	f->n_deltas += n;
	snprintf(f->change, sizeof(f->change), "%s", last->change);
	follow_committed(f, deltas->base, last->change);
	return 0;
}

static int delta_item(uint64_t index, int res, const char *data, size_t len, void *arg)
{
	struct follow *f = arg;
	struct vpc_delta delta;
	char path[VPC_ZNODE_PATH_MAX];

	/* The module went meanwhile: what is to be read depends on what the next one has. */
	if (!f->have_known)
		return -ENODEV;
	vpc_path_delta(f->vni, index, path);
	if (res) {
		/* A later one may have been coalesced over it. */
		if (++f->n_missing < CATCHUP_MISSING_MAX)
			return 0;
		return vpc_err_set(&f->err, -ENOENT, "%s and %u before it are gone", path, f->n_missing - 1);
	}
	f->n_missing = 0;
	vpc_delta_init(&delta, f->vni);
	res = vpc_delta_parse(data, len, &delta, &f->err);
	if (!res)
		res = sync_delta_check(&delta, f->vni, index, &f->err);
	if (res) {
		f->distrust = true;
		return vpc_err_prefix(&f->err, res, "%s", path);
	}
	switch (sync_link(f->have.epoch, &delta)) {
	case SYNC_LINK_APPLY:
		res = deltas_apply(f, &delta, 1);
		break;
	case SYNC_LINK_SKIP:
		break;
	case SYNC_LINK_GAP:
		res = vpc_err_set(&f->err, -ENOENT, "%s: nothing leads from epoch %" PRIu64 " to its base %" PRIu64,
				  path, f->have.epoch, delta.base);
		break;
	}
	vpc_delta_clear(&delta);
	return res;
}

static void deltas_said(struct follow *f)
{
	int priority = f->n_deltas ? follow_priority(f) : LOG_DEBUG;

	if (f->n_deltas && log_says(priority))
		log_msg(priority, "VPC %u: epoch %" PRIu64 " -> %" PRIu64 " (%u delta%s, %.1f ms), change %s", f->vni,
			f->start_epoch, f->have.epoch, f->n_deltas, f->n_deltas == 1 ? "" : "s", elapsed_ms(f),
			f->change);
}

static void deltas_done(int res, void *arg)
{
	struct follow *f = arg;
	char path[VPC_ZNODE_PATH_MAX];

	f->fetch = NULL;
	if (!f->have_known) {
		follow_rest(f);
		follow_step(f);
		return;
	}
	deltas_said(f);
	if (!res && f->have.epoch < f->plan.to)
		res = vpc_err_set(&f->err, -ENOENT, "%s: is gone", vpc_path_delta(f->vni, f->have.epoch + 1, path));
	if (res == -ENOENT) {
		follow_missing(f);
	} else if (res) {
		follow_fail(f, res);
	} else {
		f->phase = FOLLOW_IDLE;
		follow_step(f);
	}
}

static const struct fetch_ops delta_ops = { .path = delta_path, .item = delta_item, .done = deltas_done };

static void deltas_free(struct vpc_delta *deltas, size_t n)
{
	for (size_t i = 0; i < n; i++)
		vpc_delta_clear(&deltas[i]);
	free(deltas);
}

/* Those of @deltas that lead from where the kernel is to f->plan.to; none: they do not. */
static const struct vpc_delta *last_row(const struct follow *f, const struct vpc_delta *deltas, size_t n, size_t *ret_n)
{
	const struct vpc_delta *end = deltas + n;
	uint64_t epoch = f->have.epoch;

	while (deltas < end && sync_link(epoch, deltas) == SYNC_LINK_SKIP)
		deltas++;
	for (const struct vpc_delta *delta = deltas; delta < end; delta++) {
		if (delta->vni != f->vni || sync_link(epoch, delta) != SYNC_LINK_APPLY)
			return NULL;
		epoch = delta->epoch;
	}
	*ret_n = end - deltas;
	return epoch == f->plan.to ? deltas : NULL;
}

/* What the kernel says of content, and would not say of other content. */
static bool is_refusal(int res)
{
	return res == -EINVAL || res == -EBADMSG || res == -EBUSY || res == -E2BIG || res == -EDQUOT;
}

/* 0: the kernel is at HEAD; -ENOENT: they do not lead there from where it is. */
static int last_apply(struct follow *f, const struct vpc_delta *deltas, size_t n)
{
	const struct vpc_delta *row = last_row(f, deltas, n, &n);
	int res;

	if (!row)
		return -ENOENT;
	res = deltas_apply(f, row, n);
	if (n == 1 || !is_refusal(res))
		return res;
	/* One of them is not as it should be: the others are worth having, and it is to be named. */
	for (; n; row++, n--) {
		res = deltas_apply(f, row, 1);
		if (res)
			return vpc_err_prefix(&f->err, res, "the delta to epoch %" PRIu64 " in HEAD", row->epoch);
	}
	return 0;
}

/*
 * What is not as it should be in there does no harm and is not spoken of: the nodes themselves are read then. A refusal
 * of the kernel is one as ever. Of who is far behind, only what is before the first one in HEAD is read.
 */
bool follow_apply_last(struct follow *f)
{
	struct vpc_err err = { "" };
	struct vpc_delta *deltas;
	size_t n;
	int res;

	if (vpc_head_last(f->head_text, f->head_len, f->have.epoch, &deltas, &n, &err))
		return false;
	if (n && deltas[0].base > f->have.epoch && deltas[0].base < f->plan.to)
		f->plan.to = deltas[0].base;
	if (!n || deltas[0].base > f->have.epoch) {
		deltas_free(deltas, n);
		return false;
	}
	f->started_us = timer_now_us(f->agent->event);
	f->start_epoch = f->have.epoch;
	f->n_deltas = 0;
	f->err.text[0] = '\0';
	res = last_apply(f, deltas, n);
	deltas_free(deltas, n);
	deltas_said(f);
	if (res == -ENOENT)
		return false;
	if (res && f->have_known)
		follow_fail(f, res);
	else
		follow_step(f);
	return true;
}

void follow_start_deltas(struct follow *f)
{
	int res;

	f->phase = FOLLOW_DELTAS;
	f->n_deltas = f->n_missing = 0;
	res = fetch_start(agent_zk(f->agent), f->agent->timeout_ms, f->plan.from, f->plan.to, &delta_ops, f, &f->fetch);
	if (res)
		follow_fail(f, res);
}

/* -- snapshot ------------------------------------------------------------------------------------------------------ */

static int snapshot_install(struct follow *f, const struct vpc_state *state)
{
	struct kernel *kernel = agent_kernel(f->agent);
	/* HEAD's change id belongs to HEAD's epoch only. */
	const char *change = state->epoch == f->head.epoch ? f->head.change : "";
	size_t n_changes;
	int res;

	if (!kernel)
		return -ENODEV;
	res = follow_read_kernel(f);
	if (!res && f->have.epoch > state->epoch)
		return vpc_err_set(&f->err, -ESTALE, "the kernel went on to epoch %" PRIu64 " meanwhile",
				   f->have.epoch);
	f->start_epoch = f->have.epoch;
	if (!res)
		res = install_state(kernel, agent_dump(f->agent), &f->have, state, change, &n_changes, &f->err);
	if (res) {
		agent_kernel_suspect(f->agent);
		return res;
	}
	f->have.epoch = state->epoch;
	f->have.digest = state->digest;
	follow_committed(f, f->start_epoch, change);
	if (f->plan.step == SYNC_REPAIR)
		log_info("VPC %u: epoch %" PRIu64 " -> %" PRIu64
			 " repaired (snapshot, %zu changes, %zu routes, %.1f ms)",
			 f->vni, f->start_epoch, state->epoch, n_changes, state->n_routes, elapsed_ms(f));
	else
		log_info("VPC %u: epoch %" PRIu64 " -> %" PRIu64 " (snapshot, %zu changes, %zu routes, %.1f ms)",
			 f->vni, f->start_epoch, state->epoch, n_changes, state->n_routes, elapsed_ms(f));
	return 0;
}

static void snapshot_loaded(int res, struct vpc_state *state, const struct vpc_err *err, void *arg)
{
	struct follow *f = arg;

	f->load = NULL;
	if (res) {
		f->err = *err;
		if (res == -ENOENT)
			follow_missing(f);
		else
			follow_fail(f, res);
		return;
	}
	res = snapshot_install(f, state);
	/* Not kept while the next VPC's is read. */
	vpc_state_clear(state);
	if (res) {
		follow_fail(f, res);
		return;
	}
	f->distrust = false;
	f->phase = FOLLOW_IDLE;
	follow_step(f);
}

void follow_start_snapshot(struct follow *f)
{
	int res;

	if (f->plan.step == SYNC_REPAIR)
		log_warn("VPC %u: kernel digest differs at epoch %" PRIu64 "; reloading the snapshot", f->vni,
			 f->have.epoch);
	f->phase = FOLLOW_SNAPSHOT;
	res = load_start(agent_zk(f->agent), f->agent->timeout_ms, &f->head, f->plan.to, snapshot_loaded, f, &f->load);
	if (res)
		follow_fail(f, res);
}
