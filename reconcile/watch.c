// SPDX-License-Identifier: Apache-2.0
/*
 * Round after round; see watch.h.
 */
#include "watch.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include "../lib/util.h"
#include "seen.h"

/* So that hosts which were all started at once do not ask CDB all at once. */
#define FIRST_MAX_US 5000000
#define KEEP_BYTES   (16 * 1024 * 1024)

struct watch {
	struct round *round;
	sd_event *event;
	sd_event_source *timer;
	struct seen seen;
	bool any; /* round before */
	bool no_endpoint; /* which was said */
	uint64_t signature; /* of it */
};

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
	return h * 31 + fnv1a(bytes, n);
}

uint64_t watch_signature(const struct report *report, uint64_t max_lag_ms)
{
	int status = report_exit_status(report, max_lag_ms);
	uint64_t sum = mix(7, &status, sizeof(status));

	sum += mix(11, report->reason, strlen(report->reason));
	for (size_t i = 0; i < report->n_vpcs; i++) {
		const struct report_vpc *vpc = &report->vpcs[i];
		bool late = vpc->lag_ms > max_lag_ms;
		uint64_t h;

		h = mix(vpc->vni, vpc->reason, strlen(vpc->reason));
		sum += vpc->result == RESULT_FAILED ? h : 0;
		sum += vpc->result == RESULT_LAG && late ? vpc->vni * 101ULL : 0;
		for (size_t j = 0; j < vpc->n_findings; j++) {
			const struct finding *f = &vpc->findings[j];

			h = mix(vpc->vni * 13ULL + f->class, f->object, strlen(f->object));
			sum += f->class != FINDING_LAG ? h : 0;
		}
	}
	return sum;
}

uint64_t watch_delay_us(uint64_t interval_us, uint32_t random)
{
	return interval_us - interval_us / 5 + (interval_us * 2 / 5) * (random % 1024) / 1023;
}

static uint32_t random_u32(void)
{
	uint32_t number = 0;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		return now_monotonic_us();
	return number;
}

/* The first that fails ends the watch: nobody would hear of what is found. */
static int say(struct watch *w, const struct report *report)
{
	const struct options *o = w->round->options;
	uint64_t signature = watch_signature(report, o->max_lag_s * UINT64_C(1000));
	bool news = !w->any || signature != w->signature;
	char summary[SUMMARY_MAX];

	w->any = true;
	w->signature = signature;
	sd_notifyf(0, "STATUS=%s", report_summary(report, false, summary));
	if (o->json)
		return report_print_json(report, false);
	if (news || report->n_repairs || report->repair[0])
		return report_print_text(report, o->verbose);
	return puts(summary) < 0 || fflush(stdout) ? -EIO : 0;
}

/* A round may take longer than systemd waits, and is not to outlive a SIGTERM, which the event loop sees behind it. */
static bool round_goes_on(void *arg)
{
	sigset_t pending;

	sd_notify(0, "WATCHDOG=1");
	if (sigpending(&pending) < 0)
		return true;
	return !sigismember(&pending, SIGTERM) && !sigismember(&pending, SIGINT);
}

/* A port that is somebody else's is said once, and tried again with every round, as is a thread that has failed. */
static void endpoint_have(struct watch *w)
{
	const struct options *o = w->round->options;
	unsigned int port = o->has_metrics_port ? o->metrics_port : w->round->config->reconcile_metrics_port;
	struct vpc_err err = { "" };

	if (w->round->endpoint && endpoint_is_dead(w->round->endpoint)) {
		endpoint_free(w->round->endpoint);
		w->round->endpoint = NULL;
		w->no_endpoint = true;
	}
	if (!port || w->round->endpoint)
		return;
	if (!endpoint_new(port, &w->round->endpoint, &err)) {
		if (w->no_endpoint)
			fprintf(stderr, "vpc_reconcile: metrics: 127.0.0.1:%u: they are there now\n", port);
		w->no_endpoint = false;
	} else if (!w->no_endpoint) {
		fprintf(stderr, "vpc_reconcile: %s; there are none until it can be had (%s)\n", err.text,
			o->has_metrics_port ? "--metrics-port" : "[reconcile] metrics_port");
		w->no_endpoint = true;
	}
}

static int on_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	uint64_t delay = watch_delay_us(1000000ULL * ((struct watch *)arg)->round->options->watch_s, random_u32());
	struct watch *w = arg;
	struct report report;
	int ret;

	endpoint_have(w);
	ret = round_run(w->round, &report);
	if (!ret)
		ret = seen_update(&w->seen, &report);
	if (!ret)
		ret = say(w, &report);
	report_clear(&report);
	if (ret)
		return sd_event_exit(w->event, ret == -ECANCELED ? 0 : ret);
	ret = sd_event_source_set_time(source, now_monotonic_us() + delay);
	if (ret >= 0)
		ret = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return ret < 0 ? sd_event_exit(w->event, ret) : 0;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	struct watch *w = arg;

	return sd_event_exit(w->event, 0);
}

static int watch_begin(struct watch *w)
{
	uint64_t interval = w->round->options->watch_s * 1000000ULL, first;
	sigset_t signals;
	int ret;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	first = random_u32() % ((interval < FIRST_MAX_US ? interval : FIRST_MAX_US) / 2 + 1);
	ret = sd_event_new(&w->event);
	if (ret >= 0)
		ret = sd_event_add_signal(w->event, NULL, SIGTERM, on_signal, w);
	if (ret >= 0)
		ret = sd_event_add_signal(w->event, NULL, SIGINT, on_signal, w);
	if (ret >= 0)
		ret = sd_event_add_time(w->event, &w->timer, CLOCK_MONOTONIC, now_monotonic_us() + first, 1000,
					on_timer, w);
	if (ret >= 0)
		ret = sd_event_set_watchdog(w->event, true);
	return ret < 0 ? ret : 0;
}

int watch_run(struct round *round)
{
	struct watch w = { .round = round };
	int ret = watch_begin(&w);

	round->pace.go_on = round_goes_on;
	/* The next round needs as much memory as this one: giving it back costs more than keeping it. */
	mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
	mallopt(M_MMAP_THRESHOLD, KEEP_BYTES);

	if (!ret) {
		endpoint_have(&w);
		sd_notify(0, "READY=1");
		ret = sd_event_loop(w.event);
		sd_notify(0, "STOPPING=1");
	}
	endpoint_free(round->endpoint);
	round->endpoint = NULL;
	seen_clear(&w.seen);
	sd_event_source_disable_unref(w.timer);
	sd_event_unref(w.event);
	return ret;
}
