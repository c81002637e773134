// SPDX-License-Identifier: Apache-2.0
/*
 * Restoring from the disk cache; see restore.h.
 *
 * One VPC a round of the event loop, so that ZooKeeper's coming back is not kept waiting by all of them.
 */
#include "restore.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include "../lib/log.h"
#include "../lib/util.h"
#include "backoff.h"
#include "cache.h"
#include "cachefile.h"
#include "follow.h"
#include "hostports.h"
#include "install.h"
#include "klink.h"
#include "kports.h"
#include "metrics.h"
#include "timer.h"

#define RESTORE_WAIT_MAX_US 5000000

/**
 * struct restore - one run at a time
 * @waited: ZooKeeper has had its time to answer
 * @ports: of the run, with its @vnis; @next is the one whose turn it is
 * @there: whether a port may be put into the VPC: the kernel had it, or it was restored
 */
struct restore {
	struct agent *agent;
	sd_event_source *timer, *defer;
	bool waited, running;
	struct vpc_host_ports ports;
	uint32_t *vnis;
	bool *there;
	size_t n, next;
	struct restore_result run, result;
	struct backoff backoff; /* of runs that failed in part */
	bool failed;
};

static int waited(sd_event_source *source, uint64_t usec, void *arg);

static void run_end(struct restore *r)
{
	if (!r->running)
		return;
	r->running = false;
	sd_event_source_set_enabled(r->defer, SD_EVENT_OFF);
	vpc_host_ports_clear(&r->ports);
	free(r->vnis);
	free(r->there);
	r->vnis = NULL;
	r->there = NULL;
}

/* -- one VPC ------------------------------------------------------------------------------------------------------- */

static int vpc_install(struct restore *r, struct kernel *kernel, const struct cached_vpc *cached, struct vpc_err *err)
{
	uint32_t vni = cached->state.vni;
	struct kernel_vpc have;
	size_t n;
	int res;

	res = METER_KERNEL("restore", vpc_set, kernel, vni, cached->quota, &cached->flags, err);
	if (!res)
		res = METER_KERNEL("restore", vpc_get, kernel, vni, &have, err);
	if (!res)
		res = install_state(kernel, agent_dump(r->agent), &have, &cached->state, "", &n, err);
	return res;
}

static void vpc_restore(struct restore *r, struct kernel *kernel, size_t i)
{
	uint32_t vni = r->vnis[i];
	struct cached_vpc cached;
	struct kernel_vpc have;
	struct vpc_err err = { "" };
	int res;

	res = METER_KERNEL("restore", vpc_get, kernel, vni, &have, &err);
	if (!res && have.epoch) {
		r->there[i] = true;
		return;
	}
	if (!res || res == -ENOENT)
		res = cachefile_vpc_read(cache_dir(r->agent->cache), vni, &cached, &err);
	/* It never was at its HEAD: there is nothing to say about it. */
	if (res == -ENOENT)
		return;
	if (!res && cached.state.epoch > follows_head_epoch(r->agent->follows, vni)) {
		res = vpc_err_set(&err, -ESTALE, "the cache's epoch %" PRIu64 " is past HEAD's", cached.state.epoch);
		vpc_state_clear(&cached.state);
	}
	if (!res) {
		res = vpc_install(r, kernel, &cached, &err);
		if (!res && cached.time_ms < r->run.time_ms)
			r->run.time_ms = cached.time_ms;
		if (!res)
			log_info("VPC %u: epoch %" PRIu64 " restored from the cache, %zu routes", vni,
				 cached.state.epoch, cached.state.n_routes);
		vpc_state_clear(&cached.state);
	}
	if (res) {
		if (!r->backoff.attempts)
			log_err("VPC %u: cannot be restored: %s", vni, err.text[0] ? err.text : strerror(-res));
		r->failed = true;
		agent_kernel_suspect(r->agent);
		return;
	}
	r->there[i] = true;
	r->run.n_vpcs++;
}

/* -- host and ports ------------------------------------------------------------------------------------------------ */

static int host_restore(struct restore *r, struct kernel *kernel, struct vpc_err *err)
{
	struct kernel_host host;
	int res;

	res = METER_KERNEL("restore", host_get, kernel, &host, err);
	if (res || host.vtep4.family || host.vtep6.family)
		return res;
	return METER_KERNEL("restore", host_set, kernel, &r->ports.vtep4, &r->ports.vtep6,
			    r->ports.udp_port ? r->ports.udp_port : VPC_UDP_PORT, err);
}

static int vni_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static bool vpc_there(const struct restore *r, uint32_t vni)
{
	const uint32_t *found = r->n ? bsearch(&vni, r->vnis, r->n, sizeof(vni), vni_cmp) : NULL;

	return found && r->there[found - r->vnis];
}

static bool port_in_kernel(const char *dev, const struct kernel_port *have, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(have[i].conf.dev, dev))
			return true;
	return false;
}

static int ports_restore(struct restore *r, struct kernel *kernel, struct vpc_err *err)
{
	_cleanup_free_ struct kports_step *steps = calloc(r->ports.n_ports + 1, sizeof(*steps));
	struct kernel_port *have = NULL;
	size_t n_have = 0, n = 0, i;
	int res;

	if (!steps)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	res = METER_KERNEL("restore", port_list, kernel, &have, &n_have, err);
	if (res)
		return res;
	for (i = 0; i < r->ports.n_ports; i++) {
		const struct vpc_port *port = &r->ports.ports[i];

		if (vpc_there(r, port->vni) && !port_in_kernel(port->dev, have, n_have))
			steps[n++] = (struct kports_step){ .action = KPORTS_SET, .port = port };
	}
	kernel_ports_free(have, n_have);
	res = kports_run(kernel, steps, n, err);
	for (i = 0; i < n; i++)
		r->run.n_ports += !steps[i].error;
	return res;
}

/* -- the run ------------------------------------------------------------------------------------------------------- */

/* A run adds what is not there, so it can be repeated. */
static void run_again(struct restore *r)
{
	int res = timer_arm(r->agent->event, &r->timer, backoff_next_us(&r->backoff, timer_random()), waited, r);

	if (res < 0)
		log_err("cache: timer: %s", strerror(-res));
}

static void run_finish(struct restore *r, struct kernel *kernel)
{
	struct vpc_err err = { "" };
	char when[32], text[256];
	time_t seconds;
	struct tm tm;

	if (ports_restore(r, kernel, &err)) {
		if (!r->backoff.attempts)
			log_err("ports: not all restored: %s", err.text);
		r->failed = true;
		agent_kernel_suspect(r->agent);
	}
	if (r->failed)
		run_again(r);
	else
		backoff_reset(&r->backoff);
	seconds = r->run.time_ms / 1000;
	gmtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%FT%TZ", &tm);
	if (r->run.n_vpcs > r->result.n_vpcs || r->run.n_ports > r->result.n_ports) {
		r->result = r->run;
		snprintf(text, sizeof(text),
			 "isolated: ZooKeeper is not reachable; restored %zu VPCs and %zu ports from the cache of %s",
			 r->run.n_vpcs, r->run.n_ports, when);
		run_end(r);
		agent_restored(r->agent, text);
		return;
	}
	log_debug("cache: the kernel has all that there is");
	run_end(r);
}

static int run_step(sd_event_source *source, void *arg)
{
	struct restore *r = arg;
	struct kernel *kernel = agent_kernel(r->agent);

	/* The module went: it begins anew when the next one comes. */
	if (!kernel) {
		run_end(r);
		return 0;
	}
	if (r->next == r->n) {
		run_finish(r, kernel);
		return 0;
	}
	vpc_restore(r, kernel, r->next++);
	if (r->running)
		sd_event_source_set_enabled(r->defer, SD_EVENT_ONESHOT);
	return 0;
}

static int vnis_collect(struct restore *r)
{
	size_t i, n = r->ports.n_ports + r->ports.n_vpcs;

	r->vnis = calloc(n + 1, sizeof(*r->vnis));
	r->there = calloc(n + 1, sizeof(*r->there));
	if (!r->vnis || !r->there)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		r->vnis[i] = i < r->ports.n_ports ? r->ports.ports[i].vni : r->ports.vpcs[i - r->ports.n_ports];
	if (n)
		qsort(r->vnis, n, sizeof(*r->vnis), vni_cmp);
	r->n = r->next = 0;
	for (i = 0; i < n; i++)
		if (!r->n || r->vnis[r->n - 1] != r->vnis[i])
			r->vnis[r->n++] = r->vnis[i];
	return 0;
}

/* What was read from ZooKeeper is newer than the disk. */
static int ports_find(struct restore *r, struct vpc_err *err)
{
	const struct hostports *hp = r->agent->hostports;
	_cleanup_free_ char *text = NULL;
	uint64_t instance;
	size_t len;
	int res;

	if (!hostports_known(hp)) {
		res = cachefile_ports_read(cache_dir(r->agent->cache), r->agent->config.host, &r->ports,
					   &r->run.time_ms, &instance, err);
		if (res || instance != klink_instance(r->agent->klink))
			return res;
		/* These very tables have had it all: what is not there was removed, maybe later than the disk knows. */
		vpc_host_ports_clear(&r->ports);
		return vpc_err_set(err, -EALREADY, "the kernel's tables are not new");
	}
	res = hostports_format(hp, &text, &len);
	if (!res)
		res = vpc_host_ports_parse(text, len, &r->ports, err);
	r->run.time_ms = now_wall_ms();
	return res;
}

static void run_begin(struct restore *r)
{
	struct kernel *kernel = agent_kernel(r->agent);
	struct vpc_err err = { "" };
	int res;

	if (r->running || !kernel)
		return;
	r->run = r->result;
	r->failed = false;
	res = ports_find(r, &err);
	if (res == -ENOENT) {
		log_info("cache: there is nothing to restore from");
		return;
	}
	if (res == -EALREADY) {
		log_debug("cache: %s: nothing is restored", err.text);
		return;
	}
	if (res) {
		log_err("cache: %s; nothing is restored", err.text);
		return;
	}
	r->running = true;
	res = vnis_collect(r);
	if (!res)
		res = host_restore(r, kernel, &err);
	if (res) {
		if (backoff_is_news(&r->backoff, err.text))
			log_err("cache: %s; trying again", err.text[0] ? err.text : strerror(-res));
		run_again(r);
		run_end(r);
		return;
	}
	sd_event_source_set_enabled(r->defer, SD_EVENT_ONESHOT);
}

static bool alone(const struct restore *r)
{
	return r->agent->state == AGENT_CONNECTING || r->agent->state == AGENT_ISOLATED;
}

static int waited(sd_event_source *source, uint64_t usec, void *arg)
{
	struct restore *r = arg;

	r->waited = true;
	if (alone(r))
		run_begin(r);
	return 0;
}

void restore_alone(struct restore *r)
{
	if (r && r->waited && alone(r))
		run_begin(r);
}

void restore_connected(struct restore *r)
{
	if (!r)
		return;
	run_end(r);
	r->result = (struct restore_result){ 0 };
}

struct restore_result restore_result(const struct restore *r)
{
	return r ? r->result : (struct restore_result){ 0 };
}

int restore_new(struct agent *a, struct restore **ret_restore, struct vpc_err *err)
{
	uint64_t wait_us = (uint64_t)a->timeout_ms * 500;
	struct restore *r;
	int res;

	if (!a->cache)
		return 0;
	r = calloc(1, sizeof(*r));
	if (!r)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	r->agent = a;
	res = timer_arm(a->event, &r->timer, wait_us < RESTORE_WAIT_MAX_US ? wait_us : RESTORE_WAIT_MAX_US, waited, r);
	if (res >= 0)
		res = sd_event_add_defer(a->event, &r->defer, run_step, r);
	if (res >= 0)
		res = sd_event_source_set_enabled(r->defer, SD_EVENT_OFF);
	if (res < 0) {
		restore_free(r);
		return vpc_err_set(err, res, "cache: event loop: %s", strerror(-res));
	}
	*ret_restore = r;
	return 0;
}

void restore_free(struct restore *r)
{
	if (!r)
		return;
	run_end(r);
	sd_event_source_disable_unref(r->timer);
	sd_event_source_disable_unref(r->defer);
	free(r);
}
