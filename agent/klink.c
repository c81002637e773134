// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's link to vpc.ko; see klink.h.
 */
#include "klink.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include "../lib/log.h"
#include "../lib/util.h"
#include "backoff.h"
#include "metrics.h"
#include "timer.h"

#define KLINK_CHECK_US 2000000

struct klink {
	sd_event *event;
	char *netns;
	const struct klink_ops *ops;
	void *arg;
	struct kernel *cmd, *dump, *events;
	struct kernel_host host; /* as of the last look */
	struct backoff backoff;
	sd_event_source *timer; /* the next look, or the next try to open */
	sd_event_source *io;
};

static void klink_arm(struct klink *l, uint64_t delay_us);

static void klink_close(struct klink *l)
{
	l->io = sd_event_source_disable_unref(l->io);
	kernel_close(l->events);
	kernel_close(l->dump);
	kernel_close(l->cmd);
	l->events = l->dump = l->cmd = NULL;
	l->host = (struct kernel_host){ 0 };
}

/* Not inside the caller's own kernel work: the timer opens again. */
static void klink_down(struct klink *l, const char *why)
{
	log_warn("kernel: %s; waiting for vpc.ko", why);
	klink_close(l);
	l->ops->down(l->arg);
	klink_arm(l, backoff_next_us(&l->backoff, timer_random()));
}

static int klink_io(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct klink *l = arg;
	struct kernel_event event;
	struct vpc_err err = { "" };
	int res;

	while (l->events) {
		res = kernel_event_next(l->events, &event, &err);
		if (!res) {
			l->ops->event(&event, l->arg);
		} else if (res == -EAGAIN) {
			return 0;
		} else if (res == -ENOBUFS) {
			metrics_events_lost();
			log_warn("kernel: events were lost; comparing everything again");
			l->ops->up(l->arg);
		} else {
			klink_down(l, err.text[0] ? err.text : strerror(-res));
		}
	}
	return 0;
}

static int klink_open(struct klink *l, struct vpc_err *err)
{
	int res;

	res = kernel_open(l->netns, &l->cmd, err);
	if (!res)
		res = kernel_open(l->netns, &l->dump, err);
	if (!res)
		res = kernel_open(l->netns, &l->events, err);
	/* The commits are our own, and those of who else is there are found at the next change: but they do no harm. */
	if (!res && kernel_events_without(l->events, VPC_EVENT_COMMIT, err))
		log_warn("%s", err->text);
	if (!res)
		res = kernel_events_join(l->events, err);
	if (!res)
		res = METER_KERNEL("klink", host_get, l->cmd, &l->host, err);
	if (!res) {
		res = sd_event_add_io(l->event, &l->io, kernel_fd(l->events), EPOLLIN, klink_io, l);
		if (res < 0)
			vpc_err_set(err, res, "kernel: event loop: %s", strerror(-res));
	}
	if (res)
		klink_close(l);
	return res;
}

static int klink_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct klink *l = arg;
	struct vpc_err err = { "" };
	int res;

	if (l->cmd) {
		klink_check(l);
		if (l->cmd)
			klink_arm(l, KLINK_CHECK_US);
		return 0;
	}
	res = klink_open(l, &err);
	if (res) {
		if (backoff_is_news(&l->backoff, err.text))
			log_warn("kernel: %s", err.text);
		klink_arm(l, backoff_next_us(&l->backoff, timer_random()));
		return 0;
	}
	backoff_reset(&l->backoff);
	klink_arm(l, KLINK_CHECK_US);
	log_info("kernel: vpc.ko %s is there, instance %016" PRIx64, l->host.version, l->host.instance);
	l->ops->up(l->arg);
	return 0;
}

static void klink_arm(struct klink *l, uint64_t delay_us)
{
	int res = timer_arm(l->event, &l->timer, delay_us, klink_timer, l);

	if (res < 0)
		log_err("kernel: timer: %s", strerror(-res));
}

void klink_check(struct klink *l)
{
	struct kernel_host host;
	struct vpc_err err = { "" };
	int res;

	if (!l->cmd)
		return;
	res = METER_KERNEL("klink", host_get, l->cmd, &host, &err);
	if (res)
		klink_down(l, err.text[0] ? err.text : strerror(-res));
	else if (host.instance != l->host.instance)
		klink_down(l, "another vpc.ko answers than before");
}

int klink_new(sd_event *event, const char *netns, const struct klink_ops *ops, void *arg, struct klink **ret_link,
	      struct vpc_err *err)
{
	struct klink *l = calloc(1, sizeof(*l));
	int res;

	if (!l)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	l->event = event;
	l->ops = ops;
	l->arg = arg;
	l->netns = netns ? strdup(netns) : NULL;
	if (netns && !l->netns) {
		klink_free(l);
		return vpc_err_set(err, -ENOMEM, "out of memory");
	}
	res = klink_open(l, err);
	if (res) {
		klink_free(l);
		return res;
	}
	klink_arm(l, KLINK_CHECK_US);
	*ret_link = l;
	return 0;
}

void klink_free(struct klink *l)
{
	if (!l)
		return;
	klink_close(l);
	sd_event_source_disable_unref(l->timer);
	free(l->netns);
	free(l);
}

struct kernel *klink_kernel(struct klink *l)
{
	return l->cmd;
}

struct kernel *klink_dump(struct klink *l)
{
	return l->dump;
}

uint64_t klink_instance(const struct klink *l)
{
	return l->host.instance;
}

const char *klink_version(const struct klink *l)
{
	return l->host.version;
}
