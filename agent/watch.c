// SPDX-License-Identifier: Apache-2.0
/*
 * Following one znode; see watch.h.
 *
 * Under many changes a second what each of them costs counts, not when it is read: then a node that was read just now
 * is read again only after WATCH_PACE_US, and what changed meanwhile comes with it. One that keeps changing is read so
 * without a watch: an event for each read would double what goes over the wire. Such reads come together, every
 * WATCH_TICK_US, so that neither end wakes up for each: who waits for the same tick is in one list (struct watches'
 * @ticks, a wheel of them). The first read WATCH_HOT_US after its last change sets a watch again.
 *
 * While a node is being reported watch_free() only marks the struct dead; the end of the report frees it.
 */
#include "watch.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>
#include "../lib/log.h"
#include "../lib/util.h"
#include "backoff.h"
#include "metrics.h"
#include "timer.h"

#define WATCH_BUCKETS 1024
#define WATCH_MANY    300 /* changes in WATCH_WINDOW_US */
#define WATCH_WINDOW_US 1000000
#define WATCH_PACE_US 200000
#define WATCH_TICK_US 50000
#define WATCH_TICKS   (WATCH_PACE_US / WATCH_TICK_US + 1)
/*
 * So long ago at most has what is read without a watch changed. Of a node that changes less often three messages a
 * change (event, request, answer) are fewer than two for each WATCH_PACE_US, and bring it sooner.
 */
#define WATCH_HOT_US  (WATCH_PACE_US * 3 / 2)

struct watch {
	struct watches *ws;
	char *path;
	watch_fn fn;
	void *arg;
	bool busy; /* a read is in flight or being reported */
	bool again; /* something happened meanwhile */
	bool reporting;
	bool dead;
	bool polled; /* that read sets no watch */
	int version; /* that was read last, -1: none */
	uint64_t changed_us; /* when it was another one than before */
	uint64_t asked_us; /* the request that is under way, or the last one */
	struct backoff backoff;
	sd_event_source *timer; /* of a failed read */
	bool waiting; /* for the tick @due, linked by @tick */
	uint64_t due;
	LIST_ENTRY(watch) tick;
	LIST_ENTRY(watch) link;
};

LIST_HEAD(watch_list, watch);

struct watches {
	sd_event *event;
	struct zk *zk;
	unsigned int timeout_ms;
	uint64_t window_us; /* when the second began in which @n_changes are counted */
	uint64_t n_changes, n_before; /* @n_before: in the second before */
	sd_event_source *ticker; /* armed while somebody waits */
	uint64_t tick; /* the next one, in WATCH_TICK_US since boot; those before are over */
	size_t n_waiting;
	struct watch_list ticks[WATCH_TICKS]; /* by number modulo WATCH_TICKS */
	struct watch_list buckets[WATCH_BUCKETS];
};

struct watches *watches_new(sd_event *event, unsigned int timeout_ms)
{
	struct watches *ws = calloc(1, sizeof(*ws));

	if (!ws)
		return NULL;
	ws->event = event;
	ws->timeout_ms = timeout_ms;
	return ws;
}

void watches_free(struct watches *ws)
{
	if (ws)
		sd_event_source_disable_unref(ws->ticker);
	free(ws);
}

void watches_set_zk(struct watches *ws, struct zk *zk)
{
	ws->zk = zk;
}

static unsigned int path_bucket(const char *path)
{
	return fnv1a(path, strlen(path)) % WATCH_BUCKETS;
}

static void watch_wait_no_more(struct watch *w)
{
	if (!w->waiting)
		return;
	LIST_REMOVE(w, tick);
	w->waiting = false;
	w->ws->n_waiting--;
}

static void watch_destroy(struct watch *w)
{
	watch_wait_no_more(w);
	sd_event_source_disable_unref(w->timer);
	free(w->path);
	free(w);
}

static int watch_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	watch_read(arg);
	return 0;
}

/* A lost connection comes back with watches_read_all(); everything else is tried again here. */
static void watch_failed(struct watch *w, int res)
{
	if (!zk_connected(w->ws->zk))
		return;
	log_debug("ZooKeeper: %s: %s; reading it again", w->path, zk_strerror(res));
	res = timer_arm(w->ws->event, &w->timer, backoff_next_us(&w->backoff, timer_random()), watch_timer, w);
	if (res < 0)
		log_err("%s: timer: %s", w->path, strerror(-res));
}

static bool many_changes(struct watches *ws, uint64_t now, uint64_t more)
{
	if (now - ws->window_us >= WATCH_WINDOW_US) {
		ws->n_before = now - ws->window_us < 2 * WATCH_WINDOW_US ? ws->n_changes : 0;
		ws->n_changes = 0;
		ws->window_us = now;
	}
	ws->n_changes += more;
	return ws->n_changes >= WATCH_MANY || ws->n_before >= WATCH_MANY;
}

static int watches_tick(sd_event_source *source, uint64_t usec, void *arg);

static int watches_arm(struct watches *ws)
{
	return timer_arm_at(ws->event, &ws->ticker, ws->tick * WATCH_TICK_US, watches_tick, ws);
}

/* Those whose tick is @over by now. */
static void watches_read_due(struct watches *ws, uint64_t over)
{
	struct watch *w, *next;

	/* A whole round of the wheel at most, however long the loop has been away. */
	for (int i = 0; ws->tick <= over && i < WATCH_TICKS; i++, ws->tick++) {
		for (w = LIST_FIRST(&ws->ticks[ws->tick % WATCH_TICKS]); w; w = next) {
			next = LIST_NEXT(w, tick);
			if (w->due > over)
				continue;
			watch_wait_no_more(w);
			watch_read(w);
		}
	}
	if (ws->tick <= over)
		ws->tick = over + 1;
}

static int watches_tick(sd_event_source *source, uint64_t usec, void *arg)
{
	struct watches *ws = arg;
	int res;

	watches_read_due(ws, timer_now_us(ws->event) / WATCH_TICK_US);
	res = ws->n_waiting ? watches_arm(ws) : 0;
	/* Nobody would come back to those who wait. */
	if (res < 0) {
		log_err("ZooKeeper: timer: %s", strerror(-res));
		watches_read_due(ws, UINT64_MAX - 1);
	}
	return 0;
}

/* Reads it when its time has come, WATCH_PACE_US after it was last asked for at the latest. */
static void watch_later(struct watch *w, uint64_t now)
{
	struct watches *ws = w->ws;
	uint64_t tick = (w->asked_us + WATCH_PACE_US) / WATCH_TICK_US;

	if (w->waiting)
		return;
	if (!ws->n_waiting) {
		ws->tick = now / WATCH_TICK_US + 1;
		if (watches_arm(ws) < 0)
			tick = 0;
	}
	if (tick < ws->tick) {
		watch_read(w);
		return;
	}
	LIST_INSERT_HEAD(&ws->ticks[tick % WATCH_TICKS], w, tick);
	w->due = tick;
	w->waiting = true;
	ws->n_waiting++;
}

/* The end of a read. */
static void watch_finish(struct watch *w, int res)
{
	w->busy = false;
	if (w->again)
		watch_read(w);
	else if (res)
		watch_failed(w, res);
	else if (w->polled)
		watch_later(w, timer_now_us(w->ws->event));
}

/* Each version is one change, whether it was seen or not. */
static void watch_version(struct watch *w, int version)
{
	uint64_t now = timer_now_us(w->ws->event);

	if (version == w->version)
		return;
	many_changes(w->ws, now, w->version >= 0 && version > w->version ? version - w->version : 1);
	w->version = version;
	w->changed_us = now;
}

static void watch_report(struct watch *w, int res, const char *data, size_t len, int version)
{
	backoff_reset(&w->backoff);
	w->reporting = true;
	w->fn(res, w->path, data, len, version, w->arg);
	w->reporting = false;
	if (w->dead)
		watch_destroy(w);
	else
		watch_finish(w, 0);
}

static void watch_exists_done(int res, const char *path, const char *data, size_t len, int version, void *arg)
{
	struct watch *w = arg;

	meter_zookeeper("watch", "exists", res, timer_now_us(w->ws->event) - w->asked_us);
	if (res == -ENOENT) {
		watch_report(w, -ENOENT, NULL, 0, -1);
		return;
	}
	if (!res)
		w->again = true; /* it came between the two requests */
	watch_finish(w, res);
}

static void watch_get_done(int res, const char *path, const char *data, size_t len, int version, void *arg)
{
	struct watch *w = arg;

	meter_zookeeper("watch", "get", res, timer_now_us(w->ws->event) - w->asked_us);
	if (!res) {
		watch_version(w, version);
		watch_report(w, 0, data, len, version);
		return;
	}
	/* Reading what is not there leaves no watch, asking whether it exists does. */
	if (res == -ENOENT) {
		w->polled = false;
		w->version = -1;
		w->asked_us = timer_now_us(w->ws->event);
		res = zk_exists(w->ws->zk, w->path, true, w->ws->timeout_ms, watch_exists_done, w);
		if (!res)
			return;
	}
	watch_finish(w, res);
}

void watch_read(struct watch *w)
{
	int res;

	if (w->busy) {
		w->again = true;
		return;
	}
	if (!w->ws->zk || !zk_connected(w->ws->zk))
		return;
	timer_stop(w->timer);
	watch_wait_no_more(w);
	w->busy = true;
	w->again = false;
	w->asked_us = timer_now_us(w->ws->event);
	w->polled = w->asked_us - w->changed_us < WATCH_HOT_US && many_changes(w->ws, w->asked_us, 0);
	res = zk_get(w->ws->zk, w->path, !w->polled, w->ws->timeout_ms, watch_get_done, w);
	if (res)
		watch_finish(w, res);
}

/* Now, or when its time has come. */
static void watch_pace(struct watch *w)
{
	uint64_t now = timer_now_us(w->ws->event);

	if (w->busy || !many_changes(w->ws, now, 0))
		watch_read(w);
	else
		watch_later(w, now);
}

void watches_changed(struct watches *ws, const char *path)
{
	struct watch *w;

	LIST_FOREACH(w, &ws->buckets[path_bucket(path)], link) {
		if (!strcmp(w->path, path)) {
			watch_pace(w);
			return;
		}
	}
}

void watches_read_all(struct watches *ws)
{
	struct watch *w;
	size_t i;

	for (i = 0; i < WATCH_BUCKETS; i++) {
		LIST_FOREACH(w, &ws->buckets[i], link) {
			backoff_reset(&w->backoff);
			watch_read(w);
		}
	}
}

struct watch *watch_new(struct watches *ws, const char *path, watch_fn fn, void *arg)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->ws = ws;
	w->path = strdup(path);
	if (!w->path) {
		free(w);
		return NULL;
	}
	w->fn = fn;
	w->arg = arg;
	w->version = -1;
	LIST_INSERT_HEAD(&ws->buckets[path_bucket(path)], w, link);
	watch_read(w);
	return w;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	LIST_REMOVE(w, link);
	if (w->reporting) {
		w->dead = true;
		return;
	}
	if (w->busy)
		zk_cancel(w->ws->zk, w);
	watch_destroy(w);
}
