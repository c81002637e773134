// SPDX-License-Identifier: Apache-2.0
/*
 * Writing the disk cache; see cache.h, and agent/cachefile.h for what a file is.
 *
 * What is on the disk is remembered for each VPC (struct cached); what the kernel has is asked of agent/follow.c. The
 * first difference whose time has come is a job for a thread, which dumps the VPC by a socket of its own and writes the
 * file: neither a large table nor a slow disk holds up the event loop.
 */
#include "cache.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include "../lib/digest.h"
#include "../lib/log.h"
#include "../lib/util.h"
#include "backoff.h"
#include "cachefile.h"
#include "follow.h"
#include "hostports.h"
#include "klink.h"
#include "metrics.h"
#include "timer.h"

#define CACHE_DELAY_US 1000000 /* behind a change, for others to come along */
#define CACHE_AGAIN_US 5000000 /* before the same VPC is written again */
#define CACHE_SHARE    50 /* of the time: one part in so many goes into dumps */

/* What the disk has of a VPC. */
struct cached {
	uint32_t vni;
	uint64_t epoch, quota;
	uint32_t flags;
	struct vpc_digest digest;
	uint64_t next_us; /* not again before */
	struct backoff backoff; /* of what is this VPC's trouble alone */
};

/**
 * struct job - one write, owned by the thread from its start to its end
 * @ports: of the host's ports, @text, after which files of other VPCs than @vnis (ascending) are deleted; else of @vpc,
 *         whose state's epoch and digest say what the kernel must have
 * @res, @err: what became of it; @dump_res of the dump alone, when one was made
 * @swept: @res is of deleting, and the ports are written
 */
struct job {
	bool ports;
	uint64_t generation, instance;
	char *text;
	size_t len;
	uint32_t *vnis;
	size_t n_vnis;
	struct cached_vpc vpc;
	int res, dump_res;
	bool dumped, swept;
	struct vpc_err err;
	uint64_t disk_us, dump_us;
};

struct cache {
	struct agent *agent;
	char dir[PATH_MAX];
	struct cached *all; /* ascending by VNI */
	size_t n, cap;
	uint64_t ports_generation, ports_instance; /* of what the disk has; 0: nothing */
	struct job *job; /* under way, or NULL */
	pthread_t thread;
	int done_fd;
	struct backoff backoff;
	sd_event_source *timer, *done;
};

/* -- what the disk has --------------------------------------------------------------------------------------------- */

static size_t cached_place(const struct cache *c, uint32_t vni)
{
	size_t low = 0, high = c->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->all[middle].vni < vni)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct cached *cached_find(const struct cache *c, uint32_t vni)
{
	size_t place = cached_place(c, vni);

	return place < c->n && c->all[place].vni == vni ? &c->all[place] : NULL;
}

/* NULL: out of memory. */
static struct cached *cached_make(struct cache *c, uint32_t vni)
{
	struct cached *there = cached_find(c, vni), *all;
	size_t place = cached_place(c, vni), cap = c->cap ? c->cap * 2 : 64;

	if (there)
		return there;
	if (c->n == c->cap) {
		all = realloc(c->all, cap * sizeof(*all));
		if (!all)
			return NULL;
		c->all = all;
		c->cap = cap;
	}
	memmove(&c->all[place + 1], &c->all[place], (c->n - place) * sizeof(*c->all));
	c->n++;
	c->all[place] = (struct cached){ .vni = vni };
	return &c->all[place];
}

static int vni_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static bool job_has_vni(const struct job *job, uint32_t vni)
{
	return job->n_vnis && bsearch(&vni, job->vnis, job->n_vnis, sizeof(vni), vni_cmp);
}

/* A write that was cut off left its beginning. */
static void sweep_unfinished(struct cache *c)
{
	char path[PATH_MAX + 256];
	DIR *dir = opendir(c->dir);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (!cachefile_is_unfinished(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", c->dir, entry->d_name);
		if (unlink(path) < 0)
			log_warn("cache: %s: %s", path, strerror(errno));
	}
	closedir(dir);
}

/* -- one write ----------------------------------------------------------------------------------------------------- */

static void cache_arm(struct cache *c, uint64_t delay_us);

static void job_free(struct job *job)
{
	vpc_state_clear(&job->vpc.state);
	free(job->vnis);
	free(job->text);
	free(job);
}

/* Files of VPCs that the ports do not name. After those that did were replaced. */
static int job_sweep(const char *folder, const struct job *job, struct vpc_err *err)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	uint32_t vni;
	int res = 0;

	if (!dir)
		return vpc_err_set(err, -errno, "%s: %s", folder, strerror(errno));
	while ((entry = readdir(dir))) {
		if (cachefile_vpc_parse_name(entry->d_name, &vni) || job_has_vni(job, vni))
			continue;
		if (unlinkat(dirfd(dir), entry->d_name, 0) < 0)
			res = vpc_err_set(err, -errno, "%s/%s: %s", folder, entry->d_name, strerror(errno));
	}
	closedir(dir);
	return res;
}

/* What somebody else has committed since was never published: -EBADMSG, as anything else that is this VPC's alone. */
static int job_dump(const char *netns, struct job *job, struct vpc_err *err)
{
	_cleanup_(kernel_closep) struct kernel *kernel = NULL;
	struct vpc_state *state = &job->vpc.state;
	struct vpc_digest digest = state->digest;
	uint64_t epoch = state->epoch;
	int res;

	res = kernel_open(netns, &kernel, err);
	if (!res)
		res = kernel_dump(kernel, state->vni, state, err);
	if (!res && (state->epoch != epoch || !vpc_digest_equal(&state->digest, &digest)))
		res = vpc_err_set(err, -EBADMSG, "the kernel has epoch %" PRIu64 ", not what was published as %" PRIu64,
				  state->epoch, epoch);
	return res;
}

static void *job_thread(void *arg)
{
	struct cache *c = arg;
	struct job *job = c->job;
	uint64_t start = now_monotonic_us();

	if (!job->ports) {
		job->dump_res = job_dump(c->agent->netns, job, &job->err);
		job->dump_us = now_monotonic_us() - start;
		job->dumped = true;
		start += job->dump_us;
		job->res = job->dump_res == -ENOMEM || !job->dump_res ? job->dump_res : -EBADMSG;
		if (!job->res)
			job->res = cachefile_vpc_write(c->dir, &job->vpc, &job->err);
	} else {
		job->res = cachefile_ports_write(c->dir, job->text, job->len, job->instance, &job->err);
		if (!job->res) {
			job->swept = true;
			job->res = job_sweep(c->dir, job, &job->err);
		}
	}
	job->disk_us = now_monotonic_us() - start;
	eventfd_write(c->done_fd, 1);
	return NULL;
}

/* The others must not wait for one VPC that cannot be written. */
static void vpc_put_off(struct cache *c, uint32_t vni, const char *text)
{
	struct cached *cached = cached_make(c, vni);

	if (cached) {
		if (backoff_is_news(&cached->backoff, text))
			log_warn("cache: VPC %u: %s; keeping what is there, trying again", vni, text);
		cached->next_us = now_monotonic_us() + backoff_next_us(&cached->backoff, timer_random());
	}
	cache_arm(c, CACHE_DELAY_US);
}

/* @job is consumed. */
static void job_start(struct cache *c, struct job *job)
{
	int res;

	c->job = job;
	res = pthread_create(&c->thread, NULL, job_thread, c);
	if (!res)
		return;
	c->job = NULL;
	job_free(job);
	if (backoff_is_news(&c->backoff, "thread"))
		log_warn("cache: no thread to write with: %s; trying again", strerror(res));
	cache_arm(c, backoff_next_us(&c->backoff, timer_random()));
}

static void ports_written(struct cache *c, const struct job *job)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		if (job_has_vni(job, c->all[i].vni))
			c->all[n++] = c->all[i];
	c->n = n;
	c->ports_generation = job->generation;
	c->ports_instance = job->instance;
}

static void vpc_written(struct cache *c, const struct job *job)
{
	const struct vpc_state *state = &job->vpc.state;
	struct cached *cached = cached_make(c, state->vni);
	uint64_t again = job->dump_us * CACHE_SHARE;

	if (!cached)
		return;
	*cached = (struct cached){ .vni = state->vni,
				   .epoch = state->epoch,
				   .quota = job->vpc.quota,
				   .flags = job->vpc.flags,
				   .digest = state->digest };
	cached->next_us = now_monotonic_us() + (again > CACHE_AGAIN_US ? again : CACHE_AGAIN_US);
}

static int job_done(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct cache *c = arg;
	struct job *job = c->job;
	eventfd_t value;

	eventfd_read(fd, &value);
	pthread_join(c->thread, NULL);
	c->job = NULL;
	if (job->dumped)
		metrics_call("cache", "kernel", "dump", job->dump_res, job->dump_us);
	if (!job->dumped || !job->dump_res)
		metrics_call("cache", "disk", job->ports ? "ports_write" : "vpc_write", job->res, job->disk_us);
	if (job->swept)
		ports_written(c, job);
	if (job->res == -EBADMSG) {
		vpc_put_off(c, job->vpc.state.vni, job->err.text);
	} else if (job->res) {
		if (backoff_is_news(&c->backoff, job->err.text))
			log_warn("cache: %s; keeping what is there, trying again", job->err.text);
		cache_arm(c, backoff_next_us(&c->backoff, timer_random()));
	} else {
		if (c->backoff.said)
			log_info("cache: written again");
		backoff_reset(&c->backoff);
		if (!job->ports)
			vpc_written(c, job);
		cache_arm(c, job->dump_us * CACHE_SHARE);
	}
	job_free(job);
	return 0;
}

/* -- what to write next -------------------------------------------------------------------------------------------- */

/* Among the VPCs that differ from the disk: the one whose time came first, or will. */
struct choice {
	const struct cache *cache;
	const struct kernel_vpc *vpc;
	uint64_t when_us;
};

static void choose(const struct follow_info *info, void *arg)
{
	struct choice *choice = arg;
	const struct cached *cached;

	/* What is at HEAD is what was published: nothing else is worth keeping. */
	if (!info->known || !info->has_head || info->reason || info->behind_us || info->epoch != info->head)
		return;
	cached = cached_find(choice->cache, info->vni);
	if (cached && cached->epoch == info->epoch && vpc_digest_equal(&cached->digest, &info->have->digest) &&
	    cached->quota == info->have->quota && cached->flags == info->have->flags)
		return;
	if (choice->vpc && choice->when_us <= (cached ? cached->next_us : 0))
		return;
	choice->vpc = info->have;
	choice->when_us = cached ? cached->next_us : 0;
}

static void add_vni(const struct follow_info *info, void *arg)
{
	struct job *job = arg;

	job->vnis[job->n_vnis++] = info->vni;
}

static int write_ports(struct cache *c)
{
	struct job *job = calloc(1, sizeof(*job));
	int res;

	if (!job)
		return -ENOMEM;
	job->ports = true;
	job->vnis = calloc(follows_count(c->agent->follows) + 1, sizeof(*job->vnis));
	if (!job->vnis) {
		job_free(job);
		return -ENOMEM;
	}
	follows_each(c->agent->follows, add_vni, job);
	job->generation = hostports_generation(c->agent->hostports);
	job->instance = klink_instance(c->agent->klink);
	res = hostports_format(c->agent->hostports, &job->text, &job->len);
	if (res) {
		job_free(job);
		return res;
	}
	job_start(c, job);
	return 0;
}

static int write_vpc(struct cache *c, const struct kernel_vpc *vpc)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->vpc.quota = vpc->quota;
	job->vpc.flags = vpc->flags;
	vpc_state_init(&job->vpc.state, vpc->vni);
	job->vpc.state.epoch = vpc->epoch;
	job->vpc.state.digest = vpc->digest;
	job_start(c, job);
	return 0;
}

static int cache_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct cache *c = arg;
	struct choice choice = { .cache = c };
	uint64_t now = now_monotonic_us();
	int res = 0;

	if (c->job || !agent_kernel(c->agent) || !hostports_known(c->agent->hostports))
		return 0;
	if (c->ports_generation != hostports_generation(c->agent->hostports) ||
	    c->ports_instance != klink_instance(c->agent->klink)) {
		res = write_ports(c);
	} else {
		follows_each(c->agent->follows, choose, &choice);
		if (choice.vpc && choice.when_us > now)
			cache_arm(c, choice.when_us - now);
		else if (choice.vpc)
			res = write_vpc(c, choice.vpc);
	}
	/* Out of memory: whoever asked for more of it says so. */
	if (res)
		cache_arm(c, backoff_next_us(&c->backoff, timer_random()));
	return 0;
}

static void cache_arm(struct cache *c, uint64_t delay_us)
{
	int res = timer_arm(c->agent->event, &c->timer, delay_us, cache_timer, c);

	if (res < 0)
		log_err("cache: timer: %s", strerror(-res));
}

static bool armed(sd_event_source *timer)
{
	int enabled = SD_EVENT_OFF;

	return timer && sd_event_source_get_enabled(timer, &enabled) >= 0 && enabled != SD_EVENT_OFF;
}

void cache_changed(struct cache *c)
{
	uint64_t when;

	/* After a failure the timer says when, unless it found nothing that could be done then. */
	if (!c || c->job || (c->backoff.attempts && armed(c->timer)))
		return;
	/* Waiting for a VPC whose time has not come must not keep others waiting. */
	if (armed(c->timer) && sd_event_source_get_time(c->timer, &when) >= 0 &&
	    when <= now_monotonic_us() + CACHE_DELAY_US)
		return;
	cache_arm(c, CACHE_DELAY_US);
}

/* -- beginning and end --------------------------------------------------------------------------------------------- */

static int folder_make(struct cache *c)
{
	const char *dir = c->agent->config.state_dir;
	int len = snprintf(c->dir, sizeof(c->dir), "%s/%s", dir, c->agent->config.host);

	if (len >= (int)sizeof(c->dir))
		return -ENAMETOOLONG;
	if ((mkdir(dir, 0700) < 0 && errno != EEXIST) || (mkdir(c->dir, 0700) < 0 && errno != EEXIST) ||
	    access(c->dir, R_OK | W_OK | X_OK) < 0)
		return -errno;
	return 0;
}

int cache_new(struct agent *a, struct cache **ret_cache, struct vpc_err *err)
{
	struct cache *c;
	int res;

	if (!a->config.state_dir || !a->config.cache)
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	c->agent = a;
	c->done_fd = -1;
	res = folder_make(c);
	if (res) {
		log_warn("cache: %s: %s; there is none ([agent] state_dir, cache)", c->dir, strerror(-res));
		cache_free(c);
		return 0;
	}
	sweep_unfinished(c);
	c->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	res = c->done_fd < 0 ? -errno : sd_event_add_io(a->event, &c->done, c->done_fd, EPOLLIN, job_done, c);
	if (res < 0) {
		cache_free(c);
		return vpc_err_set(err, res, "cache: %s", strerror(-res));
	}
	*ret_cache = c;
	return 0;
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	if (c->job) {
		pthread_join(c->thread, NULL);
		job_free(c->job);
	}
	sd_event_source_disable_unref(c->done);
	sd_event_source_disable_unref(c->timer);
	if (c->done_fd >= 0)
		close(c->done_fd);
	free(c->all);
	free(c);
}

const char *cache_dir(const struct cache *c)
{
	return c->dir;
}
