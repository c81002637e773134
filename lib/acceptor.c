// SPDX-License-Identifier: Apache-2.0
/*
 * Accepting clients within limits; see acceptor.h.
 */
#include "acceptor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include "util.h"
#include "timer.h"

#define REST_US 200000 /* without descriptors */

struct acceptor {
	sd_event *event;
	const char *name;
	complain_fn complain;
	acceptor_fn fn;
	void *arg;
	bool full, resting, said;
	sd_event_source *io, *timer;
};

/* A client that must wait would wake the loop at once, again and again: then nobody listens. */
static void acceptor_listen(struct acceptor *c)
{
	sd_event_source_set_enabled(c->io, c->full || c->resting ? SD_EVENT_OFF : SD_EVENT_ON);
}

static int rest_over(sd_event_source *source, uint64_t usec, void *arg)
{
	struct acceptor *c = arg;

	c->resting = false;
	acceptor_listen(c);
	return 0;
}

static void acceptor_rest(struct acceptor *c, int res)
{
	char text[80];

	if (!c->said) {
		snprintf(text, sizeof(text), "a client must wait: %s", strerror(-res));
		c->complain(c->name, text);
	}
	c->said = true;
	res = timer_arm(c->event, &c->timer, REST_US, rest_over, c);
	if (res < 0) {
		snprintf(text, sizeof(text), "timer: %s", strerror(-res));
		c->complain(c->name, text);
		return;
	}
	c->resting = true;
	acceptor_listen(c);
}

static int acceptor_io(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct acceptor *c = arg;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (client >= 0) {
		c->said = false;
		c->fn(client, c->arg);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		acceptor_rest(c, -errno);
	}
	return 0;
}

void acceptor_room(struct acceptor *c, bool room)
{
	if (c->full == !room)
		return;
	c->full = !room;
	acceptor_listen(c);
}

int acceptor_new(sd_event *event, int fd, const char *name, complain_fn complain, acceptor_fn fn, void *arg,
		 struct acceptor **ret_acceptor)
{
	struct acceptor *c = calloc(1, sizeof(*c));
	int res;

	if (!c)
		return -ENOMEM;
	*c = (struct acceptor){ .event = event, .name = name, .complain = complain, .fn = fn, .arg = arg };
	res = sd_event_add_io(event, &c->io, fd, EPOLLIN, acceptor_io, c);
	/* The loop's first timer takes a descriptor, which is not there when one is wanted. */
	if (res >= 0)
		res = timer_arm(event, &c->timer, REST_US, rest_over, c);
	if (res < 0) {
		acceptor_free(c);
		return res;
	}
	timer_stop(c->timer);
	*ret_acceptor = c;
	return 0;
}

void acceptor_free(struct acceptor *c)
{
	if (!c)
		return;
	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->timer);
	free(c);
}
