// SPDX-License-Identifier: Apache-2.0
/*
 * The publisher's loop: wait until CDB and ZooKeeper are both there and it is our turn to lead, take the fence, then
 * publish round after round (round.c). Either server may go away at any time; that is one line in the log, and
 * waiting. Who cannot reach CDB does not lead, and who is fenced off stands by again.
 */
#include "publisher.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "../lib/log.h"
#include "../lib/util.h"

#define WAIT_FIRST_MS 100
#define WAIT_LONGEST_MS 5000
#define CONNECT_MS 1000 /* ZooKeeper may take that long before it counts as away */
#define ONCE_WAIT_US 30000000 /* --once: how long servers may be away */
#define ONCE_TRIES 3
#define STAND_BY_MS 2000 /* between two looks at CDB, and at the candidates should a watch be lost */
#define SUMMARY_US 10000000
#define COALESCE_US 45000 /* from one round to the next; with the rest of a round 50 ms */

/* Sleeps, with ZooKeeper's client served; ends early when we are to stop, or something happened. */
static void pause_ms(struct publisher *p, unsigned int ms)
{
	uint64_t end = now_monotonic_us() + ms * 1000ULL, now, until;

	while (!p->stop && !p->wake && (now = now_monotonic_us()) < end) {
		struct pollfd pfd = { .fd = zk_fd(p->zk), .events = POLLIN };

		until = zk_next_deadline_us(p->zk);
		until = until < end ? until : end;
		poll(&pfd, 1, until <= now ? 0 : (int)((until - now + 999) / 1000));
		zk_dispatch(p->zk);
	}
	p->wake = false;
}

/* After a failure: longer each time, until a round is as it should be. */
static void back_off(struct publisher *p)
{
	pause_ms(p, p->wait_ms);
	p->wait_ms = p->wait_ms * 2 < WAIT_LONGEST_MS ? p->wait_ms * 2 : WAIT_LONGEST_MS;
}

void pub_trouble(struct publisher *p, const char *what, const char *text)
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

void pub_drop_cdb(struct publisher *p)
{
	cdb_close(p->cdb);
	p->cdb = NULL;
	p->cdb_lost |= p->cdb_trouble;
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
			pub_drop_cdb(p);
	}
	if (r) {
		p->cdb_good = false;
		/* With --once that is the last line, too. */
		if (r != -EPROTONOSUPPORT || !p->once)
			pub_trouble(p, r == -EPROTONOSUPPORT ? "CDB cannot be used" : "CDB is not there", err->text);
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

void pub_notify(struct publisher *p, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sd_notify(0, text);
}

/* Somebody else's turn, and ours later. */
static void resign(struct publisher *p)
{
	p->has_fence = false;
	p->fenced = false;
	p->cdb_lost = false;
	pub_election_leave(p);
	pub_notify(p, "STATUS=waiting");
}

/* When it is our turn: the fence. What is wrong with it is for a person to look at. */
static int lead(struct publisher *p, struct vpc_err *err)
{
	bool first = false;
	int r;

	p->zk_trouble = false;
	r = pub_election_ask(p, &first, err);
	if (!r && first)
		r = pub_fence_take(p, err);
	if (p->has_fence) {
		memset(p->buckets, 0, sizeof(p->buckets));
		pub_garbage_forget(p->garbage);
		pub_sweep_begin(p);
		pub_content_begin(p);
		p->compare.under_way = p->compare.swept = false;
		p->compare.n = 0;
	}
	if (r == -EINVAL || r == -EPROTONOSUPPORT || r == -E2BIG)
		return -EINVAL;
	if (r && !p->stop && zk_connected(p->zk))
		pub_trouble(p, "the fence cannot be taken", err->text);
	return r;
}

/* Until the candidate before us goes, or for a while. CDB's connection is kept alive. */
static int stand_by(struct publisher *p, struct vpc_err *err)
{
	_cleanup_free_ struct cdb_outbox *rows = NULL;
	bool asked = false;
	size_t n;
	int r;

	r = cdb_outbox_list(p->cdb, 1, &rows, &n, err);
	if (r) {
		pub_trouble(p, "CDB cannot be read", err->text);
		pub_drop_cdb(p);
		return r;
	}
	if (p->once && p->all)
		r = pub_compare_request(p, err);
	if (!r && p->compare.requested)
		r = pub_compare_asked(p, false, &asked, err);
	if (r)
		return r;
	p->emptied = p->once && !n && !asked;
	if (!p->emptied)
		pause_ms(p, p->once ? WAIT_FIRST_MS : STAND_BY_MS);
	vpc_err_set(err, -EAGAIN, "another publisher leads, and has not done what there is to do");
	return 0;
}

/* Both servers, and the lead. Waits as long as it takes, or with --once some time. */
static int connect_all(struct publisher *p, struct vpc_err *err)
{
	uint64_t end = now_monotonic_us() + ONCE_WAIT_US;
	int r = -EINTR;

	while (!p->stop && !p->emptied) {
		r = connect_zk(p, err);
		if (!r) {
			r = connect_cdb(p, err);
			if (r)
				resign(p);
		}
		if (!r && !p->has_fence)
			r = lead(p, err);
		if (r == -EINVAL || (!r && p->has_fence))
			return r;
		if (!r)
			r = stand_by(p, err);
		/* Waiting makes nothing permitted, and no schema another. */
		if (p->once && (r == -EACCES || r == -EPROTONOSUPPORT || now_monotonic_us() > end))
			return r ?: -EAGAIN;
		if (r)
			back_off(p);
		else
			p->wait_ms = WAIT_FIRST_MS;
	}
	return r;
}

/*
 * Something was published: what else the same VPCs are changed by meanwhile is published together. A change after a
 * time without any does not wait, and nothing does that waits already.
 */
static void coalesce(struct publisher *p, uint64_t start_us)
{
	uint64_t took_us = now_monotonic_us() - start_us;

	if (took_us < COALESCE_US)
		pause_ms(p, (COALESCE_US - took_us) / 1000);
}

int pub_run(struct publisher *p, struct vpc_err *err)
{
	uint64_t good_us = now_monotonic_us(), start_us;
	struct pub_round round;
	int r = 0, tries = 0;

	p->wait_ms = WAIT_FIRST_MS;
	while (!p->stop) {
		r = connect_all(p, err);
		start_us = now_monotonic_us();
		if (!r && !p->emptied)
			r = pub_round(p, &round, err);
		if (r || p->stop || p->emptied)
			break;
		if (p->fenced) {
			log_warn("%s; standing by", *round.text ? round.text : err->text);
			resign(p);
			back_off(p);
			continue;
		}
		/* At once: to find out that it cannot be reached takes as long as to find out that it was lost. */
		if (p->cdb_lost)
			resign(p);
		if (round.broken) {
			if (p->once && now_monotonic_us() - good_us > ONCE_WAIT_US)
				return vpc_err_set(err, -EAGAIN, "%s", round.text);
			back_off(p);
			continue;
		}
		p->wait_ms = WAIT_FIRST_MS;
		good_us = now_monotonic_us();
		summary(p, p->once && !round.left && !round.done);
		if (p->once && !round.done && !round.cut) {
			if (!round.left)
				return 0;
			if (++tries == ONCE_TRIES)
				return vpc_err_set(err, -EAGAIN, "%zu of the outbox could not be published",
						   round.left);
			pub_retry_all_due(p->retry);
		}
		if (!round.done)
			pause_ms(p, p->config->poll_ms);
		else if (!p->once && !round.full)
			coalesce(p, start_us);
	}
	summary(p, true);
	return p->stop || p->emptied ? 0 : r;
}
