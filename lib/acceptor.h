/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listening socket on the event loop: the agent's sockets and lib/scrape.c are handed their clients by it.
 *
 * It accepts while its owner has room, and rests for a while when the process has no descriptor left: whoever waits in
 * the socket's queue is served later, and the loop does not spin meanwhile.
 */
#ifndef VPC_ACCEPTOR_H
#define VPC_ACCEPTOR_H

#include <stdbool.h>
#include <systemd/sd-event.h>

struct acceptor;

/* What is wrong, for the log: @name is whose socket's. */
typedef void (*complain_fn)(const char *name, const char *text);
/* @fd: a client's, non-blocking; the callee's from here on. */
typedef void (*acceptor_fn)(int fd, void *arg);

/*
 * @fd: listening and non-blocking; stays the caller's, and must outlive it. @name: for @complain; must outlive it, too.
 * -ENOMEM...
 */
int acceptor_new(sd_event *event, int fd, const char *name, complain_fn complain, acceptor_fn fn, void *arg,
		 struct acceptor **ret_acceptor);
/* Whether there is room for one more; at first there is. */
void acceptor_room(struct acceptor *c, bool room);
void acceptor_free(struct acceptor *c);

#endif
