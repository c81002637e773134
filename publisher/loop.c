// SPDX-License-Identifier: Apache-2.0
/*
 * The publisher's loop: wait until CDB and ZooKeeper are both there, take the fence, then round after round read
 * the whole outbox, publish each VPC and host that it names once, delete the rows that this covers. Never "rows
 * after the last one": ids are given out before they are committed. Either server may go away at any time; that is
 * one line in the log, and waiting.
 */
#include "publisher.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "../lib/cdb_stmt.h"
#include "../lib/log.h"
#include "../lib/util.h"

#define IDLE_MS 30
#define ROWS_MAX 10000 /* of the outbox in one round */
#define WAIT_FIRST_MS 100
#define WAIT_LONGEST_MS 5000
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
	struct vpc_err now = {};
	int r;

	if (p->cdb)
		return 0;
	r = cdb_open(p->config, &p->cdb, &now);
	if (!r) {
		r = cdb_check_schema(p->cdb, &now);
		if (r)
			drop_cdb(p);
	}
	if (r) {
		if (!p->cdb_away || strcmp(err->text, now.text))
			log_err("CDB is not there, trying again: %s", now.text);
		p->cdb_away = true;
		*err = now;
		return r;
	}
	log_info("connected to CDB");
	p->cdb_away = false;
	pub_retry_all_due(p->retry);
	return 0;
}

static int connect_zk(struct publisher *p, struct vpc_err *err)
{
	int r;

	if (zk_connected(p->zk))
		return 0;
	r = zk_connect_wait(p->zk, WAIT_FIRST_MS);
	return r ? vpc_err_set(err, r, "ZooKeeper at %s does not answer", p->config->zk_hosts) : 0;
}

/* Both servers and the fence. Waits as long as it takes, or with --once some time. */
static int connect_all(struct publisher *p, struct vpc_err *err)
{
	uint64_t end = now_monotonic_us() + ONCE_WAIT_US;
	unsigned int wait_ms = WAIT_FIRST_MS;
	int r = -EINTR;

	err->text[0] = '\0';
	while (!p->stop) {
		r = connect_zk(p, err);
		if (!r)
			r = connect_cdb(p, err);
		if (!r && !p->has_fence) {
			r = pub_fence_take(p, err);
			if (r && !p->zk_trouble)
				return r;
			if (!r)
				sd_notify(0, "READY=1\nSTATUS=publishing");
		}
		if (!r || (p->once && now_monotonic_us() > end))
			return r;
		pause_ms(p, wait_ms);
		wait_ms = wait_ms * 2 < WAIT_LONGEST_MS ? wait_ms * 2 : WAIT_LONGEST_MS;
	}
	return r;
}

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
	if (key->kind == CDB_OUTBOX_HOST)
		return pub_host(p, key->host, err);
	r = pub_vpc(p, key->vni, err);
	if (r != -ENOENT)
		return r;
	r = pub_vpc_gone(p, key->vni, err);
	*ret_gone = !r;
	return r == -EEXIST ? -EAGAIN : r;
}

static void key_done(struct publisher *p, const struct cdb_outbox *rows, size_t n, struct round *round)
{
	struct vpc_err err = {};

	if (pub_cdb(p, cdb_outbox_done(p->cdb, rows, n, &err))) {
		key_failed(p, rows, 1, err.text, round);
		return;
	}
	pub_retry_done(p->retry, rows);
	round->done += rows[n - 1].id != 0; /* what --all added is no progress, or it would never end */
}

/* First all that exists, then the VPCs that are gone: by then no host's ports speak of them. */
static void publish_rows(struct publisher *p, const struct cdb_outbox *rows, size_t n, bool *gone, struct round *round)
{
	size_t i, next;
	int pass, r;

	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < n && !round->broken && !p->stop; i = next) {
			struct vpc_err err = {};

			for (next = i + 1; next < n && !pub_outbox_cmp(&rows[i], &rows[next]); next++)
				;
			if (pass ? !gone[i] : !pub_retry_due(p->retry, &rows[i])) {
				round->left += !pass;
				continue;
			}
			p->zk_trouble = false;
			r = pass ? pub_vpc_remove(p, rows[i].vni, &err) : publish(p, &rows[i], &gone[i], &err);
			if (r)
				key_failed(p, &rows[i], next - i, err.text, round);
			else if (pass || !gone[i])
				key_done(p, &rows[i], next - i, round);
		}
	}
}

static int row_cmp(const void *a, const void *b)
{
	const struct cdb_outbox *x = a, *y = b;
	int c = pub_outbox_cmp(x, y);

	return c ? c : x->id < y->id ? -1 : x->id > y->id;
}

/* One more row, which is in no table: the ids there begin with 1. */
static int add_row(struct cdb_outbox **rows, size_t *n, const struct cdb_outbox *row)
{
	struct cdb_outbox *bigger = reallocarray(*rows, *n + 1, sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	*rows = bigger;
	bigger[(*n)++] = *row;
	return 0;
}

/* --all: as if every VPC and host were in the outbox. */
static int add_all(struct publisher *p, struct cdb_outbox **rows, size_t *n, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *hosts = NULL;
	_cleanup_free_ struct cdb_vpc *vpcs = NULL;
	struct cdb_outbox row = { .kind = CDB_OUTBOX_VPC };
	size_t i, n_vpcs;
	bool more;
	int r;

	r = cdb_vpc_list(p->cdb, &vpcs, &n_vpcs, err);
	for (i = 0; !r && i < n_vpcs; i++) {
		row.vni = vpcs[i].vni;
		r = add_row(rows, n, &row);
	}
	row = (struct cdb_outbox){ .kind = CDB_OUTBOX_HOST };
	if (!r)
		r = cdb_query(p->cdb, &hosts, err, "SELECT name FROM host", ">s", row.host, sizeof(row.host));
	while (!r && !(r = cdb_rows_next(hosts, &more, err)) && more)
		r = add_row(rows, n, &row);
	return r == -ENOMEM ? vpc_err_set(err, r, "out of memory") : r;
}

static int run_round(struct publisher *p, struct round *round, struct vpc_err *err)
{
	_cleanup_free_ struct cdb_outbox *rows = NULL;
	_cleanup_free_ bool *gone = NULL;
	size_t n;
	int r;

	*round = (struct round){};
	r = cdb_outbox_list(p->cdb, ROWS_MAX, &rows, &n, err);
	if (!r && p->all)
		r = add_all(p, &rows, &n, err);
	if (r) {
		log_err("%s", err->text);
		drop_cdb(p);
		round->broken = true;
		return 0;
	}
	gone = calloc(n + 1, sizeof(*gone));
	if (!gone)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	if (n)
		qsort(rows, n, sizeof(*rows), row_cmp);
	publish_rows(p, rows, n, gone, round);
	if (!round->broken && !round->left)
		p->all = false;
	if (!round->broken && !p->stop && !p->once) {
		p->zk_trouble = false;
		r = pub_garbage_collect(p, err);
		if (r && !p->fenced && !p->zk_trouble)
			log_warn("%s", err->text);
	}
	return p->fenced ? vpc_err_set(err, -EPERM, "%s", round->broken ? round->text : err->text) : 0;
}

int pub_run(struct publisher *p, struct vpc_err *err)
{
	struct round round;
	int r = 0, tries = 0;

	while (!p->stop) {
		r = connect_all(p, err);
		if (!r)
			r = run_round(p, &round, err);
		if (r || p->stop)
			break;
		summary(p, p->once && !round.left && !round.done);
		if (p->once && !round.broken && !round.done) {
			if (!round.left)
				return 0;
			if (++tries == ONCE_TRIES)
				return vpc_err_set(err, -EAGAIN, "%zu of the outbox could not be published",
						   round.left);
			pub_retry_all_due(p->retry);
		}
		if (round.broken || !round.done)
			pause_ms(p, round.broken ? WAIT_FIRST_MS : IDLE_MS);
	}
	summary(p, true);
	return p->stop ? 0 : r;
}
