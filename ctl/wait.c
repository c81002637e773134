// SPDX-License-Identifier: Apache-2.0
/*
 * --wait: after a change, until every live host that it concerns has it. Hosts say what they have in their `status`
 * nodes, which are read with watches: only those that changed are read again.
 *
 * A host without an `alive` node is not waited for, and is named.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include "../lib/zk.h"
#include "../proto/znode.h"
#include "ctl.h"

#define STATUS_LAGS 3
#define REQUEST_MS 5000
#define RETRY_US 250000 /* for nodes that are not there, and requests that failed */
#define BATCH_MAX 256 /* requests at a time */

enum host_state {
	HOST_UNREAD,
	HOST_ASKED,
	HOST_READ, /* its status, and not far enough */
	HOST_RETRY,
	HOST_THERE,
};

struct host {
	struct wait *wait;
	char name[64];
	char path[VPC_ZNODE_PATH_MAX]; /* of its status */
	uint64_t revision; /* of its ports; 0: any */
	uint64_t has_revision;
	uint64_t *has; /* epoch of each of the plan's VPCs, as far as known */
	enum host_state state;
	bool alive, alive_known;
};

struct wait {
	struct ctl *ctl;
	struct zk *zk;
	const struct ctl_plan *plan;
	struct host *hosts;
	size_t n, asked;
};

static bool must_have(const struct ctl_plan_vpc *vpc, const char *host)
{
	return vpc->n_hosts && bsearch(host, vpc->hosts, vpc->n_hosts, sizeof(*vpc->hosts),
				       (int (*)(const void *, const void *))strcmp);
}

static bool lacks(const struct host *host, size_t vpc)
{
	const struct ctl_plan_vpc *want = &host->wait->plan->vpcs[vpc];

	return want->result.changed && must_have(want, host->name) && host->has[vpc] < want->result.epoch;
}

static bool there(const struct host *host)
{
	for (size_t i = 0; i < host->wait->plan->n_vpcs; i++)
		if (lacks(host, i))
			return false;
	return host->has_revision >= host->revision;
}

static void take_status(struct host *host, const struct vpc_host_status *status)
{
	const struct ctl_plan *plan = host->wait->plan;

	host->has_revision = status->revision;
	for (size_t i = 0; i < plan->n_vpcs; i++) {
		host->has[i] = 0;
		for (size_t j = 0; j < status->n_vpcs; j++)
			if (status->vpcs[j].vni == plan->vpcs[i].result.vni)
				host->has[i] = status->vpcs[j].epoch;
	}
	host->state = there(host) ? HOST_THERE : HOST_READ;
}

static void got_status(int res, const char *path, const char *data, size_t len, int version, void *arg)
{
	struct host *host = arg;
	struct vpc_host_status status;
	struct vpc_err err;

	host->wait->asked--;
	host->state = HOST_RETRY;
	if (res || vpc_host_status_parse(data, len, &status, &err))
		return;
	take_status(host, &status);
	vpc_host_status_clear(&status);
}

static void got_alive(int res, const char *path, const char *data, size_t len, int version, void *arg)
{
	struct host *host = arg;

	host->wait->asked--;
	host->alive = !res;
	host->alive_known = !res || res == -ENOENT;
}

static void changed(struct zk *zk, const char *path, void *arg)
{
	struct wait *wait = arg;

	for (size_t i = 0; i < wait->n; i++)
		if (!strcmp(wait->hosts[i].path, path) && wait->hosts[i].state == HOST_READ)
			wait->hosts[i].state = HOST_UNREAD;
}

void ctl_zk_run(struct zk *zk, uint64_t until_us)
{
	uint64_t now = now_monotonic_us(), deadline = zk_next_deadline_us(zk);
	struct pollfd fd = { .fd = zk_fd(zk), .events = POLLIN };

	if (deadline < until_us)
		until_us = deadline;
	/* Never longer than an int can say, and than anybody would wait. */
	if (until_us > now + 1000000)
		until_us = now + 1000000;
	poll(&fd, 1, until_us > now ? (until_us - now + 999) / 1000 : 0);
	zk_dispatch(zk);
}

/* Asks for what is to be read; whether anybody is left to wait for. */
static bool ask(struct wait *wait, bool retry)
{
	char path[VPC_ZNODE_PATH_MAX];
	bool left = false;

	for (size_t i = 0; i < wait->n; i++) {
		struct host *host = &wait->hosts[i];

		if (host->state == HOST_THERE)
			continue;
		/* Watches do not outlive their session, and an agent may end while it is waited for. */
		if (retry && host->state != HOST_ASKED)
			host->alive_known = false;
		if (!host->alive_known && wait->asked < BATCH_MAX &&
		    !zk_exists(wait->zk, vpc_path_host(host->name, "alive", path), false, REQUEST_MS, got_alive, host))
			wait->asked++;
		left |= !host->alive_known || host->alive;
		if ((host->state == HOST_UNREAD || (retry && host->state != HOST_ASKED)) && wait->asked < BATCH_MAX &&
		    !zk_get(wait->zk, host->path, true, REQUEST_MS, got_status, host)) {
			host->state = HOST_ASKED;
			wait->asked++;
		}
	}
	return left;
}

static void loop(struct wait *wait)
{
	uint64_t end = now_monotonic_us() + wait->ctl->wait_s * 1000000ULL, retry = 0, now;

	do {
		now = now_monotonic_us();
		if (!ask(wait, now >= retry))
			break;
		if (now >= retry)
			retry = now + RETRY_US;
		ctl_zk_run(wait->zk, retry < end ? retry : end);
	} while (now < end);
}

/* "VPC 7 at epoch 5 of 9, 4 behind; ports revision 2 of 3" */
static size_t describe(const struct host *host, char *buf, size_t size)
{
	size_t used = 0;

	*buf = '\0';
	for (size_t i = 0; i < host->wait->plan->n_vpcs && used < size; i++) {
		const struct cdb_change_result *want = &host->wait->plan->vpcs[i].result;

		if (lacks(host, i))
			used += snprintf(buf + used, size - used, "%sVPC %u at epoch %llu of %llu, %llu behind",
					 used ? "; " : "", want->vni, (unsigned long long)host->has[i],
					 (unsigned long long)want->epoch,
					 (unsigned long long)(want->epoch - host->has[i]));
	}
	if (host->has_revision < host->revision && used < size)
		used += snprintf(buf + used, size - used, "%sports revision %llu of %llu", used ? "; " : "",
				 (unsigned long long)host->has_revision, (unsigned long long)host->revision);
	return used;
}

static int report(struct wait *wait)
{
	size_t there = 0, lag = 0, dead = 0;
	char text[256];

	for (size_t i = 0; i < wait->n; i++) {
		const struct host *host = &wait->hosts[i];

		if (host->state == HOST_THERE) {
			there++;
			continue;
		}
		describe(host, text, sizeof(text));
		if (host->alive_known && !host->alive)
			dead++;
		else
			lag++;
		fprintf(wait->ctl->json ? stderr : stdout, "host %s %s: %s\n", host->name,
			host->alive_known && !host->alive ? "is not alive and not waited for" : "lags", text);
	}
	if (!wait->ctl->json && !lag)
		printf("%zu host%s there%s\n", there, there == 1 ? "" : "s", dead ? ", the others are not alive" : "");
	if (!lag)
		return 0;
	wait->ctl->status = STATUS_LAGS;
	return vpc_err_set(&wait->ctl->err, -ETIME,
			   "the change is made, but %zu of %zu live hosts do not have it after %u s", lag, there + lag,
			   wait->ctl->wait_s);
}

static int add_host(struct wait *wait, const char *name, uint64_t revision)
{
	struct host *host = wait->hosts;

	while (host < wait->hosts + wait->n && strcmp(host->name, name))
		host++;
	if (host == wait->hosts + wait->n) {
		*host = (struct host){ .wait = wait, .has = calloc(wait->plan->n_vpcs + 1, sizeof(*host->has)) };
		if (!host->has)
			return -ENOMEM;
		snprintf(host->name, sizeof(host->name), "%s", name);
		vpc_path_host(name, "status", host->path);
		wait->n++;
	}
	if (revision > host->revision)
		host->revision = revision;
	return 0;
}

static int add_hosts(struct wait *wait)
{
	const struct ctl_plan *plan = wait->plan;
	size_t n = plan->n_hosts;
	int r = 0;

	for (size_t i = 0; i < plan->n_vpcs; i++)
		n += plan->vpcs[i].n_hosts;
	wait->hosts = calloc(n + 1, sizeof(*wait->hosts));
	if (!wait->hosts)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_hosts && !r; i++)
		r = add_host(wait, plan->hosts[i].name, plan->hosts[i].revision);
	for (size_t i = 0; i < plan->n_vpcs; i++)
		for (size_t j = 0; j < plan->vpcs[i].n_hosts && plan->vpcs[i].result.changed && !r; j++)
			r = add_host(wait, plan->vpcs[i].hosts[j], 0);
	return r;
}

static void wait_clear(struct wait *wait)
{
	zk_close(wait->zk);
	for (size_t i = 0; i < wait->n; i++)
		free(wait->hosts[i].has);
	free(wait->hosts);
}

int ctl_wait_for(struct ctl *ctl, const struct ctl_plan *plan)
{
	static const struct zk_ops ops = { .changed = changed };
	_cleanup_(wait_clear) struct wait wait = { .ctl = ctl, .plan = plan };
	int r;

	if (add_hosts(&wait))
		return vpc_err_set(&ctl->err, -ENOMEM, "out of memory");
	if (!wait.n)
		return 0;
	r = zk_open(ctl->config.zk_hosts, ctl->config.zk_session_ms, &ops, &wait, &wait.zk, &ctl->err);
	if (!r && zk_connect_wait(wait.zk, (ctl->wait_s ?: 1) * 1000))
		r = vpc_err_set(&ctl->err, -ETIMEDOUT, "no connection within %u s", ctl->wait_s);
	if (r) {
		ctl->status = STATUS_LAGS;
		return vpc_err_prefix(&ctl->err, r, "the change is made, but ZooKeeper (%s) does not say who has it",
				      ctl->config.zk_hosts);
	}
	loop(&wait);
	return report(&wait);
}
