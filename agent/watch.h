/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Following one znode: read it with a watch, read it again when it changes, comes or when the connection is back.
 *
 * agent/hostports.c follows the host's ports with it, agent/follow.c the HEAD of each VPC. Reads that fail are
 * repeated with backoff; versions are for the caller to compare, a node may be reported again unchanged.
 */
#ifndef AGENT_WATCH_H
#define AGENT_WATCH_H

#include <systemd/sd-event.h>
#include "../lib/zk.h"

struct watches; /* all znodes that the agent follows */
struct watch; /* one of them */

/* @res: 0, or -ENOENT: there is no such node (now). */
typedef void (*watch_fn)(int res, const char *path, const char *data, size_t len, int version, void *arg);

/* @timeout_ms: a read's deadline. NULL: out of memory. */
struct watches *watches_new(sd_event *event, unsigned int timeout_ms);
void watches_free(struct watches *ws); /* after every watch_free() */
void watches_set_zk(struct watches *ws, struct zk *zk); /* once, before the first watch_new() */

/* For zk_ops.changed. */
void watches_changed(struct watches *ws, const char *path);
/* The connection is (back) there: read all of them. */
void watches_read_all(struct watches *ws);

/* Reads it as soon as there is a connection. NULL: out of memory. */
struct watch *watch_new(struct watches *ws, const char *path, watch_fn fn, void *arg);
void watch_read(struct watch *w); /* again */
void watch_free(struct watch *w); /* @fn is not called any more; allowed inside @fn */

#endif
