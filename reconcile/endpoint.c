// SPDX-License-Identifier: Apache-2.0
/*
 * A thread that answers with a text; see endpoint.h.
 */
#include "endpoint.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "../lib/scrape.h"
#include "../lib/util.h"

#define CLIENT_US 5000000

struct endpoint {
	pthread_t thread;
	bool running;
	atomic_bool dead; /* it has ended unasked */
	int end_fd; /* written to: the thread is to end */
	sd_event *event; /* the thread's, once it runs */
	struct scrape *scrape; /* likewise */
	uint64_t client_us;
	pthread_mutex_t lock;
	char *text; /* below the lock; NULL: no round has ended */
};

static int print(FILE *to, void *arg)
{
	struct endpoint *e = arg;
	int ret = 0;

	pthread_mutex_lock(&e->lock);
	if (e->text)
		fputs(e->text, to);
	else
		ret = -EAGAIN;
	pthread_mutex_unlock(&e->lock);
	return ret;
}

static void complain(const char *name, const char *text)
{
	fprintf(stderr, "vpc_reconcile: %s: %s\n", name, text);
}

static int on_end(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	return sd_event_exit(arg, 0);
}

static void *run(void *arg)
{
	struct endpoint *e = arg;
	int ret = sd_event_loop(e->event);

	if (ret < 0) {
		fprintf(stderr, "vpc_reconcile: metrics: nobody answers until the next round: %s\n", strerror(-ret));
		atomic_store(&e->dead, true);
	}
	return NULL;
}

/* Signals are for the other threads. */
static int start(struct endpoint *e)
{
	sigset_t all, before;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = -pthread_create(&e->thread, NULL, run, e);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	e->running = !ret;
	return ret;
}

int endpoint_new(unsigned int port, struct endpoint **ret_endpoint, struct vpc_err *err)
{
	struct endpoint *e = calloc(1, sizeof(*e));
	struct scrape_setup setup = { .port = port, .print = print, .complain = complain, .arg = e };
	int ret;

	if (!e)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	pthread_mutex_init(&e->lock, NULL);
	e->client_us = CLIENT_US;
	e->end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = e->end_fd < 0 ? -errno : sd_event_new(&e->event);
	if (ret >= 0)
		ret = sd_event_add_io(e->event, NULL, e->end_fd, EPOLLIN, on_end, e->event);
	if (ret < 0) {
		vpc_err_set(err, ret, "metrics: %s", strerror(-ret));
	} else {
		setup.event = e->event;
		setup.client_us = &e->client_us;
		ret = scrape_new(&setup, &e->scrape, err);
	}
	if (!ret) {
		ret = start(e);
		if (ret)
			vpc_err_set(err, ret, "metrics: no thread: %s", strerror(-ret));
	}
	if (ret) {
		endpoint_free(e);
		return ret;
	}
	*ret_endpoint = e;
	return 0;
}

bool endpoint_is_dead(struct endpoint *e)
{
	return atomic_load(&e->dead);
}

void endpoint_tell(struct endpoint *e, const char *text)
{
	char *copy = strdup(text), *old = copy;

	pthread_mutex_lock(&e->lock);
	if (copy) {
		old = e->text;
		e->text = copy;
	}
	pthread_mutex_unlock(&e->lock);
	free(old);
}

void endpoint_free(struct endpoint *e)
{
	uint64_t one = 1;

	if (!e)
		return;
	/* A counter of 0 takes it. */
	if (e->running && write(e->end_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(e->thread, NULL);
	scrape_free(e->scrape);
	sd_event_unref(e->event);
	if (e->end_fd >= 0)
		close(e->end_fd);
	pthread_mutex_destroy(&e->lock);
	free(e->text);
	free(e);
}
