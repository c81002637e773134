// SPDX-License-Identifier: Apache-2.0
/*
 * The `status` node; see status.h.
 *
 * Only this agent writes it, so it is set whatever its version, and created when it is not there. It waits for the
 * publisher to make the host's folder; until then, and after any failure, the next interval tries again. While the name
 * is another host's (agent/alive.c), `status` is that one's.
 */
#include "status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "../lib/log.h"
#include "../lib/util.h"
#include "../proto/znode.h"
#include "alive.h"
#include "backoff.h"
#include "follow.h"
#include "hostports.h"
#include "klink.h"
#include "metrics.h"
#include "timer.h"

#define STATUS_COALESCE_US 150000
#define STATUS_AGAIN_US 1000000ULL /* between writes that changes cause, in the long run */
#define STATUS_BURST 10 /* of them that may come sooner */

struct status {
	struct agent *agent;
	struct alive *alive;
	char boot_id[40];
	char path[VPC_ZNODE_PATH_MAX];
	bool writing, again; /* a write is under way; something changed since */
	char *data; /* what is being written */
	size_t len;
	uint64_t asked_us;
	struct backoff said;
	struct vpc_status_change recent[VPC_STATUS_RECENT_MAX]; /* a ring */
	size_t n_recent; /* ever */
	sd_event_source *timer;
	bool soon; /* the timer was pulled forward */
	uint64_t due_us; /* when the next write that a change causes would come if all were STATUS_AGAIN_US apart */
};

static void status_arm(struct status *st);

static void status_said(struct status *st, const char *what, int res)
{
	char text[VPC_ZNODE_PATH_MAX + 64];

	snprintf(text, sizeof(text), "%s: %s", what, zk_strerror(res));
	if (backoff_is_news(&st->said, text))
		log_warn("ZooKeeper: %s", text);
}

/* -- status -------------------------------------------------------------------------------------------------------- */

void status_applied(struct status *st, const struct vpc_status_change *change)
{
	st->recent[st->n_recent++ % VPC_STATUS_RECENT_MAX] = *change;
}

/* Oldest first. Returns how many. */
static size_t recent_copy(const struct status *st, struct vpc_status_change *ret)
{
	size_t n = st->n_recent < VPC_STATUS_RECENT_MAX ? st->n_recent : VPC_STATUS_RECENT_MAX;

	for (size_t i = 0; i < n; i++)
		ret[i] = st->recent[(st->n_recent - n + i) % VPC_STATUS_RECENT_MAX];
	return n;
}

static int status_format(struct status *st)
{
	struct vpc_status_change recent[VPC_STATUS_RECENT_MAX];
	struct agent *a = st->agent;
	struct vpc_host_status status = { .revision = hostports_revision(a->hostports), .time_ms = now_wall_ms() };
	_cleanup_free_ struct vpc_status_vpc *vpcs = calloc(follows_count(a->follows) + 1, sizeof(*vpcs));

	if (!vpcs)
		return -ENOMEM;
	snprintf(status.host, sizeof(status.host), "%s", a->config.host);
	memcpy(status.boot_id, st->boot_id, sizeof(status.boot_id));
	status.instance = klink_instance(a->klink);
	status.vpcs = vpcs;
	status.n_vpcs = follows_status(a->follows, vpcs);
	status.recent = recent;
	status.n_recent = recent_copy(st, recent);
	free(st->data);
	st->data = NULL;
	return vpc_host_status_format(&status, &st->data, &st->len);
}

static void status_end(struct status *st, int res)
{
	st->writing = false;
	if (!res)
		backoff_reset(&st->said);
	else if (res != -ENOENT && zk_connected(agent_zk(st->agent)))
		status_said(st, st->path, res);
	/* What came meanwhile goes out soon; a failure waits for the interval. */
	st->soon = st->again && !res;
	st->again = false;
	status_arm(st);
}

static void status_created(int res, const char *path, void *arg)
{
	struct status *st = arg;

	meter_zookeeper("status", "create", res, now_monotonic_us() - st->asked_us);
	status_end(st, res);
}

static void status_set(int res, const char *path, void *arg)
{
	struct status *st = arg;
	const struct zk_op op = { .type = ZK_OP_CREATE, .path = st->path, .data = st->data, .len = st->len };

	meter_zookeeper("status", "set", res, now_monotonic_us() - st->asked_us);
	if (res == -ENOENT) {
		st->asked_us = now_monotonic_us();
		res = zk_multi(agent_zk(st->agent), &op, 1, st->agent->timeout_ms, status_created, st);
		if (!res)
			return;
	}
	status_end(st, res);
}

/*
 * How long a change waits to be written: who waits for it hears of it soon, but where changes never end the ensemble
 * gets one write a second of each of very many hosts. (The virtual scheduling algorithm of ITU-T I.371.)
 */
static uint64_t status_soon_us(const struct status *st)
{
	const uint64_t burst_us = (STATUS_BURST - 1) * STATUS_AGAIN_US;
	uint64_t now = now_monotonic_us(), at = now + STATUS_COALESCE_US;

	return (st->due_us > at + burst_us ? st->due_us - burst_us : at) - now;
}

/* One that a change has caused is written. */
static void status_charge(struct status *st, uint64_t now)
{
	st->due_us = (st->due_us > now ? st->due_us : now) + STATUS_AGAIN_US;
}

static void status_write(struct status *st)
{
	struct zk_op op = { .type = ZK_OP_SET, .path = st->path, .version = -1 };
	bool soon = st->soon;
	int res;

	st->soon = false;
	/* Before `ports` was read there is nothing to say, and no folder to say it in. */
	if (!zk_connected(agent_zk(st->agent)) || !hostports_known(st->agent->hostports) ||
	    !alive_name_ours(st->alive)) {
		status_arm(st);
		return;
	}
	st->writing = true;
	res = status_format(st);
	op.data = st->data;
	op.len = st->len;
	st->asked_us = now_monotonic_us();
	if (soon)
		status_charge(st, st->asked_us);
	if (!res)
		res = zk_multi(agent_zk(st->agent), &op, 1, st->agent->timeout_ms, status_set, st);
	if (res)
		status_end(st, res);
	alive_try(st->alive);
}

static int status_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	status_write(arg);
	return 0;
}

static void status_arm(struct status *st)
{
	uint64_t interval = (uint64_t)st->agent->config.status_interval_s * 1000000;
	int res;

	/* A tenth earlier at most: a thousand agents started together do not stay together. */
	interval -= timer_random() % (interval / 10 + 1);
	res = timer_arm(st->agent->event, &st->timer, st->soon ? status_soon_us(st) : interval, status_timer, st);
	if (res < 0)
		log_err("status: timer: %s", strerror(-res));
}

void status_changed(struct status *st)
{
	if (st->writing) {
		st->again = true;
	} else if (!st->soon) {
		st->soon = true;
		status_arm(st);
	}
}

void status_connected(struct status *st, bool fresh)
{
	alive_connected(st->alive, fresh);
	status_changed(st);
}

struct status *status_new(struct agent *a)
{
	struct status *st = calloc(1, sizeof(*st));
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!st || !file || fscanf(file, "%39s", st->boot_id) != 1) {
		free(st);
		return NULL;
	}
	st->agent = a;
	vpc_path_host(a->config.host, "status", st->path);
	st->alive = alive_new(a, st->boot_id);
	if (!st->alive) {
		free(st);
		return NULL;
	}
	status_arm(st);
	return st;
}

void status_free(struct status *st)
{
	if (!st)
		return;
	alive_free(st->alive);
	zk_cancel(agent_zk(st->agent), st);
	sd_event_source_disable_unref(st->timer);
	free(st->data);
	free(st);
}

bool status_name_taken(const struct status *st)
{
	return alive_name_taken(st->alive);
}
