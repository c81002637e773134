/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listening socket on the event loop: agent/control.c and agent/scrape.c are handed their clients by it.
 *
 * It accepts while its owner has room, and rests for a while when the process has no descriptor left: whoever waits in
 * the socket's queue is served later, and the loop does not spin meanwhile.
 */
#ifndef AGENT_ACCEPTOR_H
#define AGENT_ACCEPTOR_H

#include <stdbool.h>
#include <systemd/sd-event.h>

struct acceptor;

/* @fd: a client's, non-blocking; the callee's from here on. */
typedef void (*acceptor_fn)(int fd, void *arg);

/*
 * @fd: listening and non-blocking; stays the caller's, and must outlive it. @name: for the log; must outlive it, too.
 * -ENOMEM...
 */
int acceptor_new(sd_event *event, int fd, const char *name, acceptor_fn fn, void *arg, struct acceptor **ret_acceptor);
/* Whether there is room for one more; at first there is. */
void acceptor_room(struct acceptor *c, bool room);
void acceptor_free(struct acceptor *c);

#endif
