// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl trace: the way of one change: when it was committed (CDB), published (its delta in ZooKeeper), seen and
 * applied (each host's status, which has the last VPC_STATUS_RECENT_MAX of its changes).
 *
 * Each time is by the clock of who says it: the writer's, the publisher's, the host's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "../lib/cdb_stmt.h"
#include "../lib/zk.h"
#include "../proto/znode.h"
#include "ctl.h"

#define TIMEOUT_MS 5000
#define ASK_MAX    128 /* hosts at a time; two questions each */

/* One VPC's part of the change. */
struct part {
	uint32_t vni;
	uint64_t epoch, committed_ms, published_ms; /* published_ms 0: not, or not known any more */
	bool published; /* HEAD is at the epoch, or past it */
	char author[64 * 4 + 1], summary[255 * 4 + 1];
};

static char *time_text(uint64_t ms, char *buf, size_t size)
{
	time_t seconds = ms / 1000;
	struct tm tm;
	size_t len;

	gmtime_r(&seconds, &tm);
	len = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + len, size - len, ".%03uZ", (unsigned int)(ms % 1000));
	return buf;
}

static int read_head(struct ctl *ctl, struct zk *zk, struct part *part, const char *change)
{
	char path[VPC_ZNODE_PATH_MAX];
	_cleanup_free_ char *data = NULL;
	struct vpc_head head;
	size_t len;
	int r;

	r = zk_get_wait(zk, vpc_path_vpc(part->vni, path), TIMEOUT_MS, &data, &len, NULL);
	if (r == -ENOENT || (!r && !len))
		return 0;
	if (r)
		return vpc_err_set(&ctl->err, r, "ZooKeeper: %s: %s", path, zk_strerror(r));
	r = vpc_head_parse(data, len, &head, &ctl->err);
	if (r)
		return vpc_err_prefix(&ctl->err, r, "%s", path);
	part->published = head.epoch >= part->epoch;
	if (part->published && !strcmp(head.change, change))
		part->published_ms = head.time_ms;
	return 0;
}

static int read_delta(struct ctl *ctl, struct zk *zk, struct part *part)
{
	char path[VPC_ZNODE_PATH_MAX];
	_cleanup_free_ char *data = NULL;
	struct vpc_delta delta;
	size_t len;
	int r;

	r = zk_get_wait(zk, vpc_path_delta(part->vni, part->epoch, path), TIMEOUT_MS, &data, &len, NULL);
	if (r)
		return r == -ENOENT ? 0 : vpc_err_set(&ctl->err, r, "ZooKeeper: %s: %s", path, zk_strerror(r));
	vpc_delta_init(&delta, part->vni);
	r = vpc_delta_parse(data, len, &delta, &ctl->err);
	if (r)
		return vpc_err_prefix(&ctl->err, r, "%s", path);
	if (delta.time_ms)
		part->published_ms = delta.time_ms;
	vpc_delta_clear(&delta);
	return 0;
}

/* What a host says of the part. */
struct report {
	bool alive, known; /* known: there is a status */
	uint64_t epoch; /* that it has now; 0: none */
	uint64_t seen_ms, applied_ms; /* 0: it does not say */
};

static void take_status(const struct vpc_host_status *status, const struct part *part, struct report *ret)
{
	for (size_t i = 0; i < status->n_vpcs; i++)
		if (status->vpcs[i].vni == part->vni)
			ret->epoch = status->vpcs[i].epoch;
	for (size_t i = 0; i < status->n_recent; i++) {
		const struct vpc_status_change *done = &status->recent[i];

		if (done->vni != part->vni || done->base >= part->epoch || done->epoch < part->epoch)
			continue;
		ret->seen_ms = done->seen_ms;
		ret->applied_ms = done->applied_ms;
	}
}

/* Hosts that are asked at the same time. */
struct asking {
	struct ctl *ctl;
	const struct part *part;
	size_t waiting; /* for so many answers */
	int res; /* of the first that failed, with its text */
	struct asked {
		struct asking *all;
		const char *name;
		struct report report;
	} hosts[ASK_MAX];
};

static void failed(struct asking *all, int res, const char *path)
{
	if (!all->res)
		all->res = vpc_err_set(&all->ctl->err, res, "ZooKeeper: %s: %s", path, zk_strerror(res));
}

static void got_alive(int res, const char *path, const char *data, size_t len, int version, void *arg)
{
	struct asked *host = arg;

	host->all->waiting--;
	host->report.alive = !res;
	if (res && res != -ENOENT)
		failed(host->all, res, path);
}

static void got_status(int res, const char *path, const char *data, size_t len, int version, void *arg)
{
	struct asked *host = arg;
	struct vpc_host_status status;
	struct vpc_err err;

	host->all->waiting--;
	if (res) {
		if (res != -ENOENT)
			failed(host->all, res, path);
		return;
	}
	res = vpc_host_status_parse(data, len, &status, &err);
	if (res) {
		if (!host->all->res)
			host->all->res = vpc_err_set(&host->all->ctl->err, res, "status of host %s: %s", host->name,
						     err.text);
		return;
	}
	host->report.known = true;
	take_status(&status, host->all->part, &host->report);
	vpc_host_status_clear(&status);
}

/* Fills in the reports of @n hosts, ASK_MAX at most. A failure is told once all that was asked is answered, or late. */
static int ask(struct asking *all, struct zk *zk, size_t n)
{
	char path[VPC_ZNODE_PATH_MAX];

	all->waiting = 0;
	for (size_t i = 0; i < n && !all->res; i++) {
		struct asked *host = &all->hosts[i];
		int r;

		r = zk_exists(zk, vpc_path_host(host->name, "alive", path), false, TIMEOUT_MS, got_alive, host);
		all->waiting += !r;
		if (!r) {
			vpc_path_host(host->name, "status", path);
			r = zk_get(zk, path, false, TIMEOUT_MS, got_status, host);
			all->waiting += !r;
		}
		if (r)
			failed(all, r, path);
	}
	while (all->waiting)
		ctl_zk_run(zk, UINT64_MAX);
	return all->res;
}

static void print_leg(const char *what, uint64_t from_ms, uint64_t to_ms)
{
	printf(" %s %+" PRId64 " ms", what, (int64_t)(to_ms - from_ms));
}

static void print_host(const char *host, const struct part *part, const struct report *report)
{
	printf("  host %s", host);
	if (report->applied_ms) {
		print_leg("seen", part->published_ms ?: part->committed_ms, report->seen_ms);
		print_leg("applied", report->seen_ms, report->applied_ms);
		print_leg("in all", part->committed_ms, report->applied_ms);
		puts(report->alive ? "" : " (not alive)");
	} else if (report->epoch >= part->epoch) {
		printf(" has it, but not when any more%s\n", report->alive ? "" : " (not alive)");
	} else {
		printf(" does not have it: at epoch %" PRIu64 "%s\n", report->epoch,
		       !report->alive ? ", not alive" : report->known ? "" : ", has not said anything yet");
	}
}

static struct json_object *host_object(const char *host, const struct report *report)
{
	struct json_object *object = json_object_new_object();

	ctl_add_string(object, "host", host);
	json_object_object_add(object, "alive", json_object_new_boolean(report->alive));
	ctl_add_u64(object, "epoch", report->epoch);
	json_object_object_add(object, "seen", report->seen_ms ? json_object_new_uint64(report->seen_ms) : NULL);
	json_object_object_add(object, "applied",
			       report->applied_ms ? json_object_new_uint64(report->applied_ms) : NULL);
	return object;
}

static void print_part(struct ctl *ctl, const char *change, const struct part *part)
{
	char text[48];

	printf("change %s VPC %" PRIu32 " epoch %" PRIu64 " by %s: %s\n", change, part->vni, part->epoch, part->author,
	       part->summary);
	printf("  committed %s\n", time_text(part->committed_ms, text, sizeof(text)));
	if (part->published_ms) {
		putchar(' ');
		print_leg("published", part->committed_ms, part->published_ms);
		puts("");
	} else {
		puts(part->published ? "  published, but not when any more" : "  not published");
	}
}

static int trace_part(struct ctl *ctl, struct zk *zk, const char *change, struct part *part)
{
	struct json_object *object = NULL, *list = NULL;
	_cleanup_free_ char(*hosts)[64] = NULL;
	size_t n = 0, some;
	int r;

	r = read_head(ctl, zk, part, change);
	if (!r)
		r = read_delta(ctl, zk, part);
	if (!r)
		r = cdb_vpc_hosts(ctl->cdb, part->vni, &hosts, &n, &ctl->err);
	if (r)
		return r;
	if (ctl->json) {
		object = json_object_new_object();
		list = json_object_new_array();
		ctl_add_string(object, "change", change);
		ctl_add_u64(object, "vni", part->vni);
		ctl_add_u64(object, "epoch", part->epoch);
		ctl_add_string(object, "author", part->author);
		ctl_add_string(object, "summary", part->summary);
		ctl_add_u64(object, "committed", part->committed_ms);
		json_object_object_add(object, "is_published", json_object_new_boolean(part->published));
		json_object_object_add(object, "published",
				       part->published_ms ? json_object_new_uint64(part->published_ms) : NULL);
	} else {
		print_part(ctl, change, part);
	}
	for (size_t i = 0; i < n && !r; i += some) {
		struct asking all = { .ctl = ctl, .part = part };

		some = n - i < ASK_MAX ? n - i : ASK_MAX;
		for (size_t j = 0; j < some; j++)
			all.hosts[j] = (struct asked){ .all = &all, .name = hosts[i + j] };
		r = ask(&all, zk, some);
		for (size_t j = 0; j < some && !r; j++) {
			if (ctl->json)
				json_object_array_add(list, host_object(hosts[i + j], &all.hosts[j].report));
			else
				print_host(hosts[i + j], part, &all.hosts[j].report);
		}
	}
	if (!object)
		return r;
	json_object_object_add(object, "hosts", list);
	if (r)
		json_object_put(object);
	else
		ctl_list_add(ctl, object);
	return r;
}

static int trace(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	static const struct zk_ops ops = {};
	_cleanup_(zk_closep) struct zk *zk = NULL;
	const char *change;
	struct part part;
	struct ctl_arg args[] = { CTL_ARG("CHANGE", CTL_WORD, &change, .required = true) };
	bool more, any = false;
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (!r)
		r = cdb_query(ctl->cdb, &rows, &ctl->err,
			      "SELECT vni, epoch, created, author, summary FROM change_log WHERE change_id = ? "
			      "ORDER BY vni",
			      "s>uUUss", change, &part.vni, &part.epoch, &part.committed_ms, part.author,
			      sizeof(part.author), part.summary, sizeof(part.summary));
	if (!r)
		r = zk_open(ctl->config.zk_hosts, ctl->config.zk_session_ms, &ops, NULL, &zk, &ctl->err);
	if (!r && zk_connect_wait(zk, TIMEOUT_MS))
		r = vpc_err_set(&ctl->err, -ETIMEDOUT, "ZooKeeper (%s): no connection within %d s",
				ctl->config.zk_hosts, TIMEOUT_MS / 1000);
	if (r)
		return r;
	ctl_list_begin(ctl);
	while (!(r = cdb_rows_next(rows, &more, &ctl->err)) && more) {
		any = true;
		part.published = false;
		part.published_ms = 0;
		r = trace_part(ctl, zk, change, &part);
		if (r)
			return r;
	}
	if (!r && !any)
		return vpc_err_set(&ctl->err, -ENOENT, "there is no change '%.64s': `vpcctl history VPC` lists them",
				   change);
	if (!r)
		ctl_list_end(ctl);
	return r;
}

static const struct ctl_verb verbs[] = { { NULL, trace, "CHANGE", false } };

const struct ctl_object ctl_trace = {
	.name = "trace",
	.about = "where a change is: committed, published, seen and applied, by host",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
	.notes = "published: milliseconds after the commit. seen: after it was published; applied: after it was seen; "
		 "in all:\n"
		 "after the commit. Each by the clock of who says it. Hosts remember the last 64 changes that they "
		 "applied.\n",
};
