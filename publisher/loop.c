// SPDX-License-Identifier: Apache-2.0
/*
 * The publisher's loop: wait until CDB and ZooKeeper are both there, take the fence, then round after round read
 * the whole outbox, publish each VPC and host that it names once, delete the rows that this covers. Never "rows
 * after the last one": ids are given out before they are committed. Either server may go away at any time; that is
 * one line in the log, and waiting. --all adds a list of all VPCs and hosts, made once, to the rows.
 */
#include "publisher.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "../lib/log.h"
#include "../lib/util.h"

#define ROWS_MAX 10000 /* of the outbox in one round */
#define WAIT_FIRST_MS 100
#define WAIT_LONGEST_MS 5000
#define CONNECT_MS 1000 /* ZooKeeper may take that long before it counts as away */
#define ONCE_WAIT_US 30000000 /* --once: how long servers may be away */
#define ONCE_TRIES 3
#define SUMMARY_US 10000000

/* Sleeps, with ZooKeeper's client served; ends early when we are to stop. */
static void pause_ms(struct publisher *p, unsigned int ms)
{
	uint64_t end = now_monotonic_us() + ms * 1000ULL, now, until;

	while (!p->stop && (now = now_monotonic_us()) < end) {
		struct pollfd pfd = { .fd = zk_fd(p->zk), .events = POLLIN };

		until = zk_next_deadline_us(p->zk);
		until = until < end ? until : end;
		poll(&pfd, 1, until <= now ? 0 : (int)((until - now + 999) / 1000));
		zk_dispatch(p->zk);
	}
}

/* After a failure: longer each time, until a round is as it should be. */
static void back_off(struct publisher *p)
{
	pause_ms(p, p->wait_ms);
	p->wait_ms = p->wait_ms * 2 < WAIT_LONGEST_MS ? p->wait_ms * 2 : WAIT_LONGEST_MS;
}

/* Reports what keeps us from working, once. */
static void trouble(struct publisher *p, const char *what, const char *text)
{
	if (!strcmp(p->trouble, text))
		return;
	log_err("%s, trying again: %s", what, text);
	strcpy(p->trouble, text);
}

static void summary(struct publisher *p, bool now)
{
	const struct pub_counts *c = &p->counts;

	if (!(c->epochs || c->hosts || c->removed) || (!now && now_monotonic_us() - p->summary_us < SUMMARY_US))
		return;
	log_info("published %lu epoch%s (%lu delta%s, %lu snapshot%s) and the ports of %lu host%s; removed %lu",
		 c->epochs, c->epochs == 1 ? "" : "s", c->deltas, c->deltas == 1 ? "" : "s", c->snapshots,
		 c->snapshots == 1 ? "" : "s", c->hosts, c->hosts == 1 ? "" : "s", c->removed);
	memset(&p->counts, 0, sizeof(p->counts));
	p->summary_us = now_monotonic_us();
}

static void drop_cdb(struct publisher *p)
{
	cdb_close(p->cdb);
	p->cdb = NULL;
	p->cdb_trouble = false;
}

static int connect_cdb(struct publisher *p, struct vpc_err *err)
{
	int r;

	if (p->cdb)
		return 0;
	r = cdb_open(p->config, &p->cdb, err);
	if (!r) {
		r = cdb_check_schema(p->cdb, err);
		if (r)
			drop_cdb(p);
	}
	if (r) {
		p->cdb_good = false;
		trouble(p, "CDB is not there", err->text);
		return r;
	}
	pub_retry_all_due(p->retry);
	return 0;
}

static int connect_zk(struct publisher *p, struct vpc_err *err)
{
	int r;

	if (zk_connected(p->zk))
		return 0;
	r = zk_connect_wait(p->zk, CONNECT_MS);
	if (!r)
		return 0;
	vpc_err_set(err, r, "ZooKeeper at %s does not answer", p->config->zk_hosts);
	if (!p->zk_away && !p->stop)
		log_warn("%s, trying again", err->text);
	p->zk_away = true;
	return r;
}

static int take_fence(struct publisher *p, struct vpc_err *err)
{
	int r;

	p->zk_trouble = false;
	r = pub_fence_take(p, err);
	if (!r)
		sd_notify(0, "READY=1\nSTATUS=publishing");
	else if (p->zk_trouble && !p->stop && zk_connected(p->zk))
		trouble(p, "the fence cannot be taken", err->text);
	return r;
}

/* Both servers and the fence. Waits as long as it takes, or with --once some time. */
static int connect_all(struct publisher *p, struct vpc_err *err)
{
	uint64_t end = now_monotonic_us() + ONCE_WAIT_US;
	int r = -EINTR;

	while (!p->stop) {
		r = connect_zk(p, err);
		if (!r)
			r = connect_cdb(p, err);
		if (!r && !p->has_fence) {
			r = take_fence(p, err);
			if (r && !p->zk_trouble)
				return r;
		}
		if (!r || (p->once && now_monotonic_us() > end))
			return r;
		back_off(p);
	}
	return r;
}

enum key_state {
	KEY_LEFT,
	KEY_GONE, /* the VPC is to be removed */
	KEY_DONE,
};

struct round {
	size_t done, left; /* keys */
	bool broken; /* a server went away in the middle, or we were fenced off */
	char text[sizeof(((struct vpc_err *)NULL)->text)]; /* how */
};

/* The rows of one key failed. All but the last are dropped: one is enough to know that something is left to do. */
static void key_failed(struct publisher *p, const struct cdb_outbox *rows, size_t n, const char *text,
		       struct round *round)
{
	struct vpc_err err = {};

	if (p->stop || p->fenced || p->zk_trouble) {
		if (!p->stop && !p->fenced && zk_connected(p->zk))
			log_warn("%s", text);
		round->broken = true;
		strcpy(round->text, text);
		return;
	}
	round->left++;
	if (pub_retry_failed(p->retry, rows, text))
		log_err("%s", text);
	if (!p->cdb_trouble && n > 1 && pub_cdb(p, cdb_outbox_done(p->cdb, rows, n - 1, &err)))
		log_warn("%s", err.text);
	if (p->cdb_trouble) {
		drop_cdb(p);
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
		     struct round *round)
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

/* First all that exists, then the VPCs that are gone: by then no host's ports speak of them. */
static void publish_rows(struct publisher *p, const struct cdb_outbox *rows, size_t n, enum key_state *states,
			 struct round *round)
{
	size_t i, next;
	int pass, r;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < n && !round->broken && !p->stop; i = next) {
			struct vpc_err err = {};
			bool gone = false;

			for (next = i + 1; next < n && !pub_outbox_cmp(&rows[i], &rows[next]); next++)
				;
			if (pass ? states[i] != KEY_GONE : !pub_retry_due(p->retry, &rows[i])) {
				round->left += !pass;
				continue;
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

/* --all: as if every VPC and host were in the outbox, in rows without an id: the ids there begin with 1. */
static int list_all(struct publisher *p, struct vpc_err *err)
{
	_cleanup_free_ struct cdb_vpc *vpcs = NULL;
	_cleanup_free_ char(*hosts)[64] = NULL;
	size_t i, n_vpcs, n_hosts;
	struct cdb_outbox *rows;
	int r;

	r = cdb_vpc_list(p->cdb, &vpcs, &n_vpcs, err);
	if (!r)
		r = cdb_host_list(p->cdb, &hosts, &n_hosts, err);
	if (r)
		return r;
	rows = calloc(n_vpcs + n_hosts + 1, sizeof(*rows));
	if (!rows)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < n_vpcs; i++)
		rows[i] = (struct cdb_outbox){ .kind = CDB_OUTBOX_VPC, .vni = vpcs[i].vni };
	for (i = 0; i < n_hosts; i++) {
		rows[n_vpcs + i].kind = CDB_OUTBOX_HOST;
		strcpy(rows[n_vpcs + i].host, hosts[i]);
	}
	p->listed = rows;
	p->n_listed = n_vpcs + n_hosts;
	p->all = false;
	return 0;
}

/* The outbox, and what is left of --all's list. */
static int read_rows(struct publisher *p, struct cdb_outbox **ret_rows, size_t *ret_n, struct vpc_err *err)
{
	_cleanup_free_ struct cdb_outbox *rows = NULL;
	struct cdb_outbox *both;
	size_t n;
	int r;

	r = cdb_outbox_list(p->cdb, ROWS_MAX, &rows, &n, err);
	if (!r && p->all)
		r = list_all(p, err);
	if (r)
		return r;
	both = reallocarray(rows, n + p->n_listed + 1, sizeof(*both));
	if (!both)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	rows = NULL;
	if (p->n_listed)
		memcpy(both + n, p->listed, p->n_listed * sizeof(*both));
	qsort(both, n + p->n_listed, sizeof(*both), row_cmp);
	*ret_rows = both;
	*ret_n = n + p->n_listed;
	return 0;
}

/* Of the list stays what is not done; the row without an id is its key's first. */
static void keep_listed(struct publisher *p, const struct cdb_outbox *rows, size_t n, const enum key_state *states)
{
	size_t i;

	p->n_listed = 0;
	for (i = 0; p->listed && i < n; i++)
		if (!rows[i].id && states[i] != KEY_DONE)
			p->listed[p->n_listed++] = rows[i];
	if (p->n_listed)
		return;
	free(p->listed);
	p->listed = NULL;
}

static int run_round(struct publisher *p, struct round *round, struct vpc_err *err)
{
	_cleanup_free_ enum key_state *states = NULL;
	_cleanup_free_ struct cdb_outbox *rows = NULL;
	size_t n = 0;
	int r;

	*round = (struct round){};
	r = read_rows(p, &rows, &n, err);
	if (r) {
		trouble(p, "CDB cannot be read", err->text);
		drop_cdb(p);
		p->cdb_good = false;
		round->broken = true;
		strcpy(round->text, err->text);
		return 0;
	}
	if (!p->cdb_good)
		log_info("connected to CDB");
	p->cdb_good = true;
	p->trouble[0] = '\0';
	states = calloc(n + 1, sizeof(*states));
	if (!states)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	publish_rows(p, rows, n, states, round);
	keep_listed(p, rows, n, states);
	if (!round->broken && !p->stop && !p->once) {
		p->zk_trouble = false;
		pub_garbage_collect(p, err);
	}
	if (!p->fenced)
		return 0;
	return round->broken ? vpc_err_set(err, -EPERM, "%s", round->text) : -EPERM;
}

int pub_run(struct publisher *p, struct vpc_err *err)
{
	uint64_t good_us = now_monotonic_us();
	struct round round;
	int r = 0, tries = 0;

	p->wait_ms = WAIT_FIRST_MS;
	while (!p->stop) {
		r = connect_all(p, err);
		if (!r)
			r = run_round(p, &round, err);
		if (r || p->stop)
			break;
		if (round.broken) {
			if (p->once && now_monotonic_us() - good_us > ONCE_WAIT_US)
				return vpc_err_set(err, -EAGAIN, "%s", round.text);
			back_off(p);
			continue;
		}
		p->wait_ms = WAIT_FIRST_MS;
		good_us = now_monotonic_us();
		summary(p, p->once && !round.left && !round.done);
		if (p->once && !round.done) {
			if (!round.left)
				return 0;
			if (++tries == ONCE_TRIES)
				return vpc_err_set(err, -EAGAIN, "%zu of the outbox could not be published",
						   round.left);
			pub_retry_all_due(p->retry);
		}
		if (!round.done)
			pause_ms(p, p->config->poll_ms);
	}
	summary(p, true);
	return p->stop ? 0 : r;
}
