// SPDX-License-Identifier: Apache-2.0
/*
 * One round of the leader: reads the outbox, publishes each VPC and host that it names once, deletes the rows that
 * this covers. Never "rows after the last one": ids are given out before they are committed. What compare.c has listed
 * is added to the rows. Called by publisher/loop.c.
 */
#include "publisher.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/log.h"
#include "../lib/util.h"

#define HOSTS_US 300000 /* for hosts in one round: one costs a dozen round trips, and VPCs' changes wait meanwhile */

enum key_state {
	KEY_LEFT,
	KEY_MANY, /* with pub_many() */
	KEY_GONE, /* the VPC is to be removed */
	KEY_DONE,
};

/* A server does not answer, or we are fenced off or to stop: the round ends. */
static void broken(struct publisher *p, const char *text, struct pub_round *round)
{
	if (!p->stop && !p->fenced && zk_connected(p->zk))
		log_warn("%s", text);
	if (p->cdb_trouble)
		pub_drop_cdb(p);
	round->broken = true;
	strcpy(round->text, text);
}

/* The rows of one key failed. All but the last are dropped: one is enough to know that something is left to do. */
static void key_failed(struct publisher *p, const struct cdb_outbox *rows, size_t n, const char *text,
		       struct pub_round *round)
{
	struct vpc_err err = {};

	if (p->stop || p->fenced || p->zk_trouble) {
		broken(p, text, round);
		return;
	}
	round->left++;
	if (pub_retry_failed(p->retry, rows, text))
		log_err("%s", text);
	if (!p->cdb_trouble && n > 1 && pub_cdb(p, cdb_outbox_done(p->cdb, rows, n - 1, &err)))
		log_warn("%s", err.text);
	if (p->cdb_trouble) {
		pub_drop_cdb(p);
		round->broken = true;
	}
}

static int publish(struct publisher *p, const struct cdb_outbox *key, bool *ret_gone, struct vpc_err *err)
{
	int r;

	*ret_gone = false;
	if (key->kind == CDB_OUTBOX_BAD)
		return vpc_err_set(err, -EPROTO, "CDB: outbox row %" PRIu64 " names no VPC and no host: delete it",
				   key->id);
	if (key->kind == CDB_OUTBOX_HOST)
		return pub_host(p, key->host, err);
	r = pub_vpc(p, key->vni, err);
	if (r != -ENOENT)
		return r;
	r = pub_vpc_gone(p, key->vni, err);
	*ret_gone = !r;
	return r == -EEXIST ? -EAGAIN : r;
}

static void key_done(struct publisher *p, const struct cdb_outbox *rows, size_t n, enum key_state *state,
		     struct pub_round *round)
{
	struct vpc_err err = {};

	if (pub_cdb(p, cdb_outbox_done(p->cdb, rows, n, &err))) {
		key_failed(p, rows, 1, err.text, round);
		return;
	}
	pub_retry_done(p->retry, rows);
	*state = KEY_DONE;
	round->done++;
}

/* Where the rows of the next key begin. */
static size_t next_key(const struct cdb_outbox *rows, size_t n, size_t i)
{
	size_t next = i + 1;

	while (next < n && !pub_outbox_cmp(&rows[i], &rows[next]))
		next++;
	return next;
}

/* All rows of what pub_many() has published, in few statements. */
static int drop_rows(struct publisher *p, const struct cdb_outbox *rows, size_t n, const bool *published,
		     enum key_state *states, struct pub_round *round, struct vpc_err *err)
{
	_cleanup_free_ struct cdb_outbox *done = calloc(n + 1, sizeof(*done));
	size_t i, j, next, n_done = 0, k = 0;

	if (!done)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < n; i = next) {
		next = next_key(rows, n, i);
		if (states[i] != KEY_MANY)
			continue;
		states[i] = KEY_LEFT;
		if (!published[k++])
			continue;
		pub_retry_done(p->retry, &rows[i]);
		states[i] = KEY_DONE;
		for (j = i; j < next; j++)
			done[n_done++] = rows[j];
		round->done++;
	}
	return pub_cdb(p, cdb_outbox_done(p->cdb, done, n_done, err));
}

/* The VPCs that are due, together. */
static int publish_many(struct publisher *p, const struct cdb_outbox *rows, size_t n, enum key_state *states,
			struct pub_round *round, struct vpc_err *err)
{
	_cleanup_free_ uint32_t *vnis = calloc(n + 1, sizeof(*vnis));
	_cleanup_free_ bool *published = calloc(n + 1, sizeof(*published));
	size_t i, n_vnis = 0;
	int r;

	if (!vnis || !published)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < n; i = next_key(rows, n, i))
		if (rows[i].kind == CDB_OUTBOX_VPC && pub_retry_due(p->retry, &rows[i])) {
			vnis[n_vnis++] = rows[i].vni;
			states[i] = KEY_MANY;
		}
	if (!n_vnis)
		return 0;
	p->zk_trouble = false;
	r = pub_many(p, vnis, n_vnis, published, err);
	/* Both servers are there, but the work cannot be done together: one by one, each says what is wrong. */
	if (r && !p->stop && !p->fenced && !p->zk_trouble && !p->cdb_trouble) {
		memset(published, 0, n_vnis * sizeof(*published));
		r = 0;
	}
	return r ?: drop_rows(p, rows, n, published, states, round, err);
}

/* First all that exists, then the VPCs that are gone: by then no host's ports speak of them. Hosts: not all at once. */
static void publish_rows(struct publisher *p, const struct cdb_outbox *rows, size_t n, enum key_state *states,
			 struct pub_round *round)
{
	struct vpc_err err = {};
	uint64_t hosts_end_us = 0;
	size_t i, next;
	int pass, r;

	r = publish_many(p, rows, n, states, round, &err);
	if (r) {
		broken(p, err.text, round);
		return;
	}
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < n && !round->broken && !p->stop; i = next) {
			bool gone = false;

			err = (struct vpc_err){};
			next = next_key(rows, n, i);
			if (states[i] == KEY_DONE)
				continue;
			if (pass ? states[i] != KEY_GONE : !pub_retry_due(p->retry, &rows[i])) {
				round->left += !pass;
				continue;
			}
			if (rows[i].kind == CDB_OUTBOX_HOST) {
				uint64_t now = now_monotonic_us();

				if (!hosts_end_us)
					hosts_end_us = now + HOSTS_US;
				if (now > hosts_end_us) {
					round->full = round->cut = true;
					return;
				}
			}
			p->zk_trouble = false;
			r = pass ? pub_vpc_remove(p, rows[i].vni, &err) : publish(p, &rows[i], &gone, &err);
			if (r)
				key_failed(p, &rows[i], next - i, err.text, round);
			else if (gone)
				states[i] = KEY_GONE;
			else
				key_done(p, &rows[i], next - i, &states[i], round);
		}
	}
}

static int row_cmp(const void *a, const void *b)
{
	const struct cdb_outbox *x = a, *y = b;
	int c = pub_outbox_cmp(x, y);

	return c ? c : x->id < y->id ? -1 : x->id > y->id;
}

/*
 * Returns how many are left; *stuck grows by those that have failed before, whether they are to be tried now or not.
 * The sweep hears of those that are passed over.
 */
static size_t pass_over_waiting(const struct publisher *p, struct cdb_outbox *rows, size_t n, size_t *stuck,
				struct pub_sweep_step *step)
{
	size_t i, left = 0;

	for (i = 0; i < n; i++) {
		*stuck += pub_retry_has(p->retry, &rows[i]);
		if (pub_retry_due(p->retry, &rows[i]))
			rows[left++] = rows[i];
		else if (step)
			pub_sweep_named(step, &rows[i]);
	}
	return left;
}

static void say_waiting(struct publisher *p, size_t n)
{
	if (n && !p->waiting)
		log_warn("%zu rows of the outbox wait for another try: what cannot be published is named above", n);
	else if (!n && p->waiting)
		log_info("few rows of the outbox wait for another try");
	p->waiting = n;
}

/*
 * The outbox from its beginning until there is enough to do. However many rows at its beginning wait for a retry, they
 * do not keep those behind them waiting: from pages that are full they are not taken along.
 */
static int read_outbox(struct publisher *p, struct pub_sweep_step *step, struct cdb_outbox **ret_rows, size_t *ret_n,
		       struct pub_round *round, struct vpc_err *err)
{
	_cleanup_free_ struct cdb_outbox *rows = NULL;
	size_t n = 0, n_page, n_left, waiting = 0, stuck = 0;
	uint64_t after = 0;
	bool more;

	do {
		_cleanup_free_ struct cdb_outbox *page = NULL;
		struct cdb_outbox *both;
		int r;

		r = cdb_outbox_after(p->cdb, after, PUB_ROWS_MAX, &page, &n_page, err);
		if (r)
			return r;
		more = n_page == PUB_ROWS_MAX;
		after = n_page ? page[n_page - 1].id : after;
		n_left = more ? pass_over_waiting(p, page, n_page, &stuck, step) : n_page;
		waiting += n_page - n_left;
		both = reallocarray(rows, n + n_left + 1, sizeof(*both));
		if (!both)
			return vpc_err_set(err, -ENOMEM, "out of memory");
		rows = both;
		if (n_left)
			memcpy(rows + n, page, n_left * sizeof(*rows));
		n += n_left;
	} while (more && n < PUB_ROWS_MAX && !p->stop);
	say_waiting(p, stuck);
	round->left += waiting;
	round->full = more;
	*ret_rows = rows;
	*ret_n = n;
	rows = NULL;
	return 0;
}

/* The outbox, and a part of what is to be compared (*ret_compared). */
static int read_rows(struct publisher *p, struct pub_sweep_step *step, struct cdb_outbox **ret_rows, size_t *ret_n,
		     size_t *ret_compared, struct pub_round *round, struct vpc_err *err)
{
	_cleanup_free_ struct cdb_outbox *rows = NULL;
	const struct cdb_outbox *compared;
	struct cdb_outbox *both;
	size_t n = 0, n_compared;
	int r;

	r = read_outbox(p, step, &rows, &n, round, err);
	if (r)
		return r;
	n_compared = pub_compare_rows(p, &compared);
	both = reallocarray(rows, n + n_compared + 1, sizeof(*both));
	if (!both)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	rows = NULL;
	if (n_compared)
		memcpy(both + n, compared, n_compared * sizeof(*both));
	qsort(both, n + n_compared, sizeof(*both), row_cmp);
	*ret_rows = both;
	*ret_n = n + n_compared;
	*ret_compared = n_compared;
	return 0;
}

/* Of what was to be compared stays what is not done; the row without an id is its key's first. */
static void keep_compared(struct publisher *p, struct cdb_outbox *rows, size_t n, size_t n_compared,
			  const enum key_state *states)
{
	size_t i, left = 0;

	for (i = 0; n_compared && i < n; i++)
		if (!rows[i].id && states[i] != KEY_DONE)
			rows[left++] = rows[i];
	pub_compare_done(p, n_compared, rows, left);
}

static int cannot_read(struct publisher *p, struct pub_round *round, int res, const char *text)
{
	if (p->zk_trouble) {
		broken(p, text, round);
		return 0;
	}
	pub_trouble(p, "CDB cannot be read", text);
	pub_cdb(p, res);
	pub_drop_cdb(p);
	p->cdb_good = false;
	round->broken = true;
	strcpy(round->text, text);
	return 0;
}

static void sweep_freep(struct pub_sweep_step **step)
{
	pub_sweep_free(*step);
}

int pub_round(struct publisher *p, struct pub_round *round, struct vpc_err *err)
{
	_cleanup_free_ enum key_state *states = NULL;
	_cleanup_(sweep_freep) struct pub_sweep_step *step = NULL;
	_cleanup_free_ struct cdb_outbox *rows = NULL;
	size_t n = 0, n_compared = 0;
	int r;

	*round = (struct pub_round){};
	p->zk_trouble = false;
	r = pub_compare_look(p, err);
	if (!r)
		r = pub_sweep_read(p, &step, err);
	if (!r)
		r = read_rows(p, step, &rows, &n, &n_compared, round, err);
	if (r)
		return cannot_read(p, round, r, err->text);
	round->full |= n_compared == PUB_ROWS_MAX;
	if (!p->cdb_good)
		log_info("connected to CDB");
	p->cdb_good = true;
	p->trouble[0] = '\0';
	states = calloc(n + 1, sizeof(*states));
	if (!states)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	publish_rows(p, rows, n, states, round);
	/* In a round that does not get to the end of the outbox nothing can be called lost. */
	if (step && !round->full && !round->broken && !p->stop)
		r = pub_sweep_compare(step, rows, n, err);
	if (!r && !round->full && !round->broken && !p->stop)
		r = pub_content_turn(p, err);
	keep_compared(p, rows, n, n_compared, states);
	if (!r && !round->broken && !p->stop)
		r = pub_compare_finish(p, &round->cut, err);
	if (!r && !round->broken && !p->stop && !p->once)
		r = pub_garbage_collect(p, err);
	/* What failed there is seen again by a later round, if it is not a lost connection. */
	if (r && (p->fenced || p->zk_trouble || p->cdb_trouble))
		broken(p, err->text, round);
	return 0;
}
