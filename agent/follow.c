// SPDX-License-Identifier: Apache-2.0
/*
 * The set of followed VPCs, and for each what HEAD asks for next; see follow.h. The work itself is in agent/catchup.c.
 */
#include "follow_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "../lib/digest.h"
#include "../lib/log.h"
#include "../lib/log_limit.h"
#include "../lib/util.h"
#include "metrics.h"
#include "status.h"
#include "timer.h"

#define SAID_MAX 100

/* @all: ascending by VNI. */
struct follows {
	struct agent *agent;
	struct follow **all;
	size_t n;
	size_t n_unsettled, n_failing;
	struct log_limit said; /* of what is applied */
	sd_event_source *tell; /* how much of it was not said, when its second is over */
};

/* -- where one stands ---------------------------------------------------------------------------------------------- */

static void follow_behind(struct follow *f)
{
	if (!f->behind_since_us)
		f->behind_since_us = timer_now_us(f->agent->event);
}

static void follow_unsettle(struct follow *f)
{
	if (!f->counted) {
		f->counted = true;
		f->set->n_unsettled++;
	}
}

void follow_settle(struct follow *f, const char *reason)
{
	bool failing = reason;

	if (reason != f->reason) {
		free(f->reason);
		f->reason = reason ? strdup(reason) : NULL;
	}
	if (f->failing != failing) {
		f->failing = failing;
		if (failing) {
			f->set->n_failing++;
		} else {
			f->set->n_failing--;
			log_info("VPC %u: at HEAD again, epoch %" PRIu64, f->vni, f->have.epoch);
		}
	}
	if (f->counted) {
		f->counted = false;
		f->set->n_unsettled--;
	}
	agent_progress(f->agent);
}

void follow_rest(struct follow *f)
{
	f->phase = FOLLOW_IDLE;
	gate_leave(&f->slot);
}

static int follow_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct follow *f = arg;

	f->phase = FOLLOW_IDLE;
	follow_step(f);
	return 0;
}

void follow_fail(struct follow *f, int res)
{
	follow_rest(f);
	f->committed = false;
	/* ZooKeeper or the module is gone: that is said once for all, and its coming back steps every VPC again. */
	if (!zk_connected(agent_zk(f->agent)) || !agent_kernel(f->agent))
		return;
	if (!f->err.text[0])
		vpc_err_set(&f->err, res, "%s", zk_strerror(res));
	if (res != -ECONNRESET && backoff_is_news(&f->backoff, f->err.text))
		log_err("VPC %u: stays at epoch %" PRIu64 ": %s", f->vni, f->have.epoch, f->err.text);
	f->phase = FOLLOW_RETRY;
	res = timer_arm(f->agent->event, &f->timer, backoff_next_us(&f->backoff, timer_random()), follow_timer, f);
	if (res < 0)
		log_err("VPC %u: timer: %s", f->vni, strerror(-res));
	follow_settle(f, f->err.text);
}

void follow_missing(struct follow *f)
{
	bool deltas = f->plan.step == SYNC_DELTAS;

	if (f->missed_version == f->head_version) {
		f->distrust = true;
		if (!f->head_reason) {
			follow_fail(f, -ENOENT);
			return;
		}
		/* HEAD was deleted or is malformed: that was said, and is why. The snapshot may be there still. */
		follow_rest(f);
		if (deltas)
			follow_step(f);
		else
			follow_settle(f, f->head_reason);
		return;
	}
	f->missed_version = f->head_version;
	log_debug("VPC %u: %s; reading HEAD again", f->vni, f->err.text);
	follow_rest(f);
	watch_read(f->watch);
}

/* f->have is as published. What is past HEAD was published before HEAD began anew: that is refused. */
static void follow_ready(struct follow *f)
{
	if (f->ready || !f->has_goal || f->have.epoch < f->goal || f->have.epoch > f->head.epoch)
		return;
	f->ready = true;
	agent_vpc_ready(f->agent);
}

void follow_committed(struct follow *f, uint64_t base, const char *change)
{
	struct vpc_status_change done = { .vni = f->vni, .base = base, .epoch = f->have.epoch,
					  .seen_ms = f->head_seen_ms, .applied_ms = now_wall_ms() };

	snprintf(done.change, sizeof(done.change), "%s", change);
	status_applied(f->agent->status, &done);
	agent_status_changed(f->agent);
	follow_ready(f);
}

static void follows_tell(uint64_t held)
{
	if (held)
		log_info("%" PRIu64 " more changes of VPCs in one second: only at level debug is each of so many said",
			 held);
}

static int follows_tell_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct follows *fs = arg;

	follows_tell(log_limit_tell(&fs->said, timer_now_us(fs->agent->event)));
	return 0;
}

int follow_priority(struct follow *f)
{
	struct follows *fs = f->set;
	bool told = log_limit_due_us(&fs->said);
	uint64_t held;
	int priority = log_limit(&fs->said, timer_now_us(f->agent->event), &held), res = 0;

	follows_tell(held);
	if ((!told || held) && log_limit_due_us(&fs->said))
		res = timer_arm_at(f->agent->event, &fs->tell, log_limit_due_us(&fs->said), follows_tell_timer, fs);
	if (res < 0)
		log_err("log: timer: %s", strerror(-res));
	return priority;
}

/* They have no epoch of their own, but those of a HEAD that is refused for being old do not count. */
static bool conf_differs(const struct follow *f, const struct kernel_vpc *have)
{
	return (have->quota != f->head.quota || (f->head.has_flags && have->flags != f->head.flags)) &&
	       have->epoch <= f->head.epoch;
}

int follow_read_kernel(struct follow *f)
{
	struct kernel *kernel = agent_kernel(f->agent);
	struct kernel_vpc have;
	bool news;
	int res;

	f->err.text[0] = '\0';
	res = METER_KERNEL("follow", vpc_get, kernel, f->vni, &have, &f->err);
	if (f->has_head && (res == -ENOENT || (!res && conf_differs(f, &have)))) {
		res = METER_KERNEL("follow", vpc_set, kernel, f->vni, f->head.quota,
				   f->head.has_flags ? &f->head.flags : NULL, &f->err);
		if (!res)
			res = METER_KERNEL("follow", vpc_get, kernel, f->vni, &have, &f->err);
	}
	if (res)
		return res;
	news = !f->have_known || have.epoch != f->have.epoch || !vpc_digest_equal(&have.digest, &f->have.digest);
	f->have = have;
	f->have_known = true;
	f->ready &= have.epoch >= f->goal;
	if (news)
		agent_status_changed(f->agent);
	return 0;
}

/* -- what next ----------------------------------------------------------------------------------------------------- */

static void head_text_drop(struct follow *f)
{
	free(f->head_kept);
	f->head_kept = NULL;
	f->head_text = NULL;
}

/*
 * What comes behind the deltas that are being read is in there as well. Of thousands that wait for their snapshots
 * nothing is kept. Out of memory: it is read as nodes.
 */
static void head_text_keep(struct follow *f)
{
	if (f->head_text && f->phase != FOLLOW_IDLE && f->plan.step == SYNC_DELTAS)
		f->head_kept = malloc(f->head_len + 1);
	if (f->head_kept)
		memcpy(f->head_kept, f->head_text, f->head_len);
	f->head_text = f->head_kept;
}

static void follow_reached(struct follow *f)
{
	follow_rest(f);
	head_text_drop(f);
	backoff_reset(&f->backoff);
	f->distrust = false;
	f->missed_version = -1;
	if (f->behind_since_us)
		metrics_applied(now_monotonic_us() - f->behind_since_us);
	f->behind_since_us = 0;
	follow_ready(f);
	/* That was the last good HEAD: what is wrong with the node of now stays true. */
	follow_settle(f, f->head_reason);
}

static void follow_backwards(struct follow *f)
{
	char path[VPC_ZNODE_PATH_MAX];

	follow_rest(f);
	vpc_err_set(&f->err, -ESTALE, "%s: epoch %" PRIu64 " is older than the kernel's %" PRIu64 "; refused",
		    vpc_path_vpc(f->vni, path), f->head.epoch, f->have.epoch);
	if (f->bad_version != f->head_version)
		log_err("VPC %u: %s", f->vni, f->err.text);
	f->bad_version = f->head_version;
	follow_settle(f, f->err.text);
}

/*
 * What we have just committed need not be asked for; nor, once it was in step, what a delta leads on from, as the
 * kernel compares its epoch itself and refuses it where somebody else was there (catchup.c).
 */
static bool kernel_is_known(const struct follow *f)
{
	if (!f->have_known || conf_differs(f, &f->have))
		return false;
	return f->committed || (f->ready && f->head.epoch > f->have.epoch);
}

static void follow_granted(void *arg)
{
	struct follow *f = arg;

	f->phase = FOLLOW_IDLE;
	follow_step(f);
}

/* Starts the work, or stands in line for it; then the plan is made again when its turn comes. */
static void follow_work(struct follow *f, struct gate *gate, void (*start)(struct follow *f))
{
	if (!gate_enter(gate, &f->slot)) {
		f->phase = FOLLOW_QUEUED;
		return;
	}
	f->started_us = now_monotonic_us();
	f->start_epoch = f->have.epoch;
	f->err.text[0] = '\0';
	start(f);
}

void follow_step(struct follow *f)
{
	int res;

	if (f->phase != FOLLOW_IDLE || !agent_kernel(f->agent))
		return;
	if (!f->has_head) {
		if (f->head_reason)
			follow_settle(f, f->head_reason);
		return;
	}
	res = kernel_is_known(f) ? 0 : follow_read_kernel(f);
	f->committed = false;
	if (res) {
		agent_kernel_suspect(f->agent);
		follow_fail(f, res);
		return;
	}
	f->plan = sync_next(&f->head, f->have.epoch, &f->have.digest, f->distrust);
	if (f->plan.step != SYNC_NOTHING)
		follow_behind(f);
	switch (f->plan.step) {
	case SYNC_NOTHING:
		follow_reached(f);
		break;
	case SYNC_BACKWARDS:
		follow_backwards(f);
		break;
	case SYNC_DELTAS:
		if (f->head_text && follow_apply_last(f))
			break;
		follow_work(f, &f->agent->catchups, follow_start_deltas);
		break;
	case SYNC_REPAIR:
	case SYNC_SNAPSHOT:
		follow_work(f, &f->agent->snapshots, follow_start_snapshot);
		break;
	}
}

static void follow_take_head(struct follow *f, const struct vpc_head *head, int version)
{
	bool news = !f->has_head || version != f->head_version;

	f->head = *head;
	if (news)
		f->head_seen_ms = now_wall_ms();
	f->head_version = version;
	f->has_head = true;
	if (!f->has_goal) {
		f->has_goal = true;
		f->goal = head->epoch;
	}
	/* What failed may go well now: not worth waiting for the timer. */
	if (news && f->phase == FOLLOW_RETRY) {
		timer_stop(f->timer);
		f->phase = FOLLOW_IDLE;
	}
	follow_step(f);
	/* Still at it from before the connection was lost, or waiting: what is said stays true. */
	if (f->phase == FOLLOW_RETRY)
		follow_settle(f, f->reason ?: "waiting to try again");
}

/* HEAD as it is now cannot be followed. True: that is news. */
static bool follow_without_head(struct follow *f, const char *reason)
{
	bool news = !f->head_reason || strcmp(f->head_reason, reason);

	if (news) {
		free(f->head_reason);
		f->head_reason = strdup(reason);
	}
	follow_settle(f, reason);
	return news;
}

static void follow_head(int res, const char *path, const char *data, size_t len, int version, void *arg)
{
	struct follow *f = arg;
	struct vpc_head head;
	struct vpc_err err = { "" }, reason;

	/* Empty while a first snapshot is being written, and while the VPC is being deleted. */
	if (!res && !len) {
		if (follow_without_head(f, "no HEAD yet"))
			log_info("VPC %u: %s: no HEAD yet; waiting for it", f->vni, path);
		return;
	}
	if (res) {
		if (follow_without_head(f, "no HEAD: no such node"))
			log_warn("VPC %u: %s: no such node; waiting for it", f->vni, path);
		return;
	}
	res = vpc_head_parse(data, len, &head, &err);
	if (!res)
		res = sync_head_check(&head, f->vni, &err);
	if (!res) {
		free(f->head_reason);
		f->head_reason = NULL;
		head_text_drop(f);
		f->head_text = data;
		f->head_len = len;
		follow_take_head(f, &head, version);
		head_text_keep(f);
		return;
	}
	reason = err;
	vpc_err_prefix(&reason, res, "HEAD (version %d)", version);
	if (follow_without_head(f, reason.text))
		log_err("VPC %u: %s (version %d): %s; keeping epoch %" PRIu64, f->vni, path, version, err.text,
			f->have.epoch);
}

/* -- the set ------------------------------------------------------------------------------------------------------- */

static void follow_free(struct follow *f)
{
	if (!f)
		return;
	watch_free(f->watch);
	fetch_cancel(f->fetch);
	load_cancel(f->load);
	sd_event_source_disable_unref(f->timer);
	if (f->counted)
		f->set->n_unsettled--;
	if (f->failing)
		f->set->n_failing--;
	gate_leave(&f->slot);
	free(f->head_kept);
	free(f->head_reason);
	free(f->reason);
	free(f);
}

static struct follow *follow_new(struct follows *fs, uint32_t vni)
{
	struct follow *f = calloc(1, sizeof(*f));
	char path[VPC_ZNODE_PATH_MAX];

	if (!f)
		return NULL;
	f->set = fs;
	f->agent = fs->agent;
	f->vni = vni;
	f->head_version = f->bad_version = f->missed_version = -1;
	f->slot = (struct gate_slot){ .granted = follow_granted, .arg = f };
	follow_unsettle(f);
	f->asked = true;
	/* What was taken over is reported at once; what is not there yet is made when HEAD is. */
	if (agent_kernel(f->agent))
		follow_read_kernel(f);
	f->watch = watch_new(fs->agent->watches, vpc_path_vpc(vni, path), follow_head, f);
	if (!f->watch) {
		follow_free(f);
		return NULL;
	}
	return f;
}

struct follows *follows_new(struct agent *a)
{
	struct follows *fs = calloc(1, sizeof(*fs));

	if (fs) {
		fs->agent = a;
		fs->said.max = SAID_MAX;
	}
	return fs;
}

void follows_free(struct follows *fs)
{
	size_t i;

	if (!fs)
		return;
	/* Nobody moves up in a line that is going away: those who wait leave it first. */
	for (i = 0; i < fs->n; i++) {
		if (!fs->all[i]->slot.held)
			gate_leave(&fs->all[i]->slot);
	}
	for (i = 0; i < fs->n; i++)
		follow_free(fs->all[i]);
	sd_event_source_disable_unref(fs->tell);
	free(fs->all);
	free(fs);
}

int follows_want(struct follows *fs, const uint32_t *vnis, size_t n)
{
	struct follow **all, **old = fs->all, **gone;
	size_t i, have = 0, n_old = fs->n, n_gone = 0;
	int res = 0;

	all = calloc(n + 1, sizeof(*all));
	gone = calloc(n_old + 1, sizeof(*gone));
	if (!all || !gone) {
		free(all);
		free(gone);
		return -ENOMEM;
	}
	fs->n = 0;
	fs->all = all;
	for (i = 0; i < n; i++) {
		while (have < n_old && old[have]->vni < vnis[i])
			gone[n_gone++] = old[have++];
		if (have < n_old && old[have]->vni == vnis[i]) {
			all[fs->n] = old[have++];
			all[fs->n]->asked = all[fs->n]->has_goal = all[fs->n]->ready = false;
			fs->n++;
			continue;
		}
		all[fs->n] = follow_new(fs, vnis[i]);
		if (all[fs->n])
			fs->n++;
		else
			res = -ENOMEM;
	}
	while (have < n_old)
		gone[n_gone++] = old[have++];
	for (i = 0; i < n_gone; i++)
		follow_free(gone[i]);
	free(gone);
	free(old);
	return res;
}

void follows_unsettle(struct follows *fs)
{
	size_t i;

	for (i = 0; i < fs->n; i++)
		follow_unsettle(fs->all[i]);
}

void follows_kernel_gone(struct follows *fs)
{
	size_t i;

	for (i = 0; i < fs->n; i++) {
		struct follow *f = fs->all[i];

		f->have_known = f->ready = false;
		follow_behind(f);
		f->have = (struct kernel_vpc){ .vni = f->vni };
	}
}

void follows_step_all(struct follows *fs)
{
	size_t i;

	for (i = 0; i < fs->n; i++) {
		struct follow *f = fs->all[i];

		f->committed = false;
		if (f->phase == FOLLOW_RETRY) {
			timer_stop(f->timer);
			f->phase = FOLLOW_IDLE;
		}
		if (!f->has_head && agent_kernel(f->agent))
			follow_read_kernel(f);
		follow_step(f);
	}
}

static int follow_cmp(const void *key, const void *elem)
{
	uint32_t vni = *(const uint32_t *)key;
	const struct follow *f = *(struct follow *const *)elem;

	return vni < f->vni ? -1 : vni > f->vni;
}

static struct follow *follows_find(const struct follows *fs, uint32_t vni)
{
	struct follow **found = NULL;

	if (fs->n)
		found = bsearch(&vni, fs->all, fs->n, sizeof(*fs->all), follow_cmp);
	return found ? *found : NULL;
}

int follows_resync(struct follows *fs, uint32_t vni, uint64_t epoch, struct vpc_err *err)
{
	struct follow *f = follows_find(fs, vni);
	int res;

	if (!f)
		return vpc_err_set(err, -ENOENT, "VPC %u is none of this host's", vni);
	if (!agent_kernel(f->agent))
		return vpc_err_set(err, -ENODEV, "vpc.ko is not there");
	if (!zk_connected(agent_zk(f->agent)))
		return vpc_err_set(err, -ENOTCONN, "there is no connection to ZooKeeper");
	if (!f->has_head)
		return vpc_err_set(err, -EAGAIN, "VPC %u: HEAD was not read yet", vni);
	res = follow_read_kernel(f);
	if (res)
		return vpc_err_set(err, res, "%s", f->err.text);
	if (f->have.epoch != epoch)
		return vpc_err_set(err, -ESTALE, "VPC %u is at epoch %" PRIu64 " now", vni, f->have.epoch);
	if (f->phase == FOLLOW_RETRY) {
		timer_stop(f->timer);
		f->phase = FOLLOW_IDLE;
	}
	follow_step(f);
	return 0;
}

uint64_t follows_head_epoch(const struct follows *fs, uint32_t vni)
{
	const struct follow *f = follows_find(fs, vni);

	return f && f->has_head ? f->head.epoch : UINT64_MAX;
}

bool follows_wanted(const struct follows *fs, uint32_t vni)
{
	return follows_find(fs, vni);
}

bool follows_ready(struct follows *fs, uint32_t vni)
{
	struct follow *f = follows_find(fs, vni);

	if (!f)
		return false;
	if (!f->asked) {
		f->asked = true;
		follow_unsettle(f);
		watch_read(f->watch);
	}
	return f->ready;
}

size_t follows_count(const struct follows *fs)
{
	return fs->n;
}

size_t follows_unsettled(const struct follows *fs)
{
	return fs->n_unsettled;
}

size_t follows_failing(const struct follows *fs)
{
	return fs->n_failing;
}

void follows_each(const struct follows *fs, void (*fn)(const struct follow_info *info, void *arg), void *arg)
{
	uint64_t now = now_monotonic_us();
	size_t i;

	for (i = 0; i < fs->n; i++) {
		const struct follow *f = fs->all[i];
		const struct follow_info info = { .vni = f->vni,
						  .known = f->have_known,
						  .has_head = f->has_head,
						  .epoch = f->have.epoch,
						  .head = f->head.epoch,
						  .behind_us = f->behind_since_us ? now - f->behind_since_us : 0,
						  .reason = f->reason,
						  .have = &f->have };

		fn(&info, arg);
	}
}

size_t follows_status(const struct follows *fs, struct vpc_status_vpc *ret_vpcs)
{
	size_t i, n = 0;

	for (i = 0; i < fs->n; i++) {
		const struct follow *f = fs->all[i];

		if (f->have_known)
			ret_vpcs[n++] = (struct vpc_status_vpc){ .vni = f->vni,
								 .epoch = f->have.epoch,
								 .digest = f->have.digest };
	}
	return n;
}
