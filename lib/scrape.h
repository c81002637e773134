/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program's metrics over HTTP, for Prometheus: http://127.0.0.1:PORT/metrics, on loopback and nowhere else. For the
 * agent and vpc_reconcile --watch.
 *
 * libmicrohttpd runs inside the caller's event loop, by its epoll descriptor; it has no thread, and all calls are for
 * the thread of that loop.
 */
#ifndef VPC_SCRAPE_H
#define VPC_SCRAPE_H

#include <stdio.h>
#include <systemd/sd-event.h>
#include "acceptor.h"
#include "err.h"

struct scrape;

/*
 * @port: 1 to 65535. @client_us: how long a client may take from connecting on, however slowly he reads; looked at when
 * he comes. @print: writes the text; 0 or -errno: -EAGAIN, there is none yet, is told to the client with a 503, others
 * close his connection. @complain: lib/acceptor.h. What is pointed to must outlive the scrape.
 */
struct scrape_setup {
	sd_event *event;
	unsigned int port;
	const uint64_t *client_us;
	int (*print)(FILE *to, void *arg);
	complain_fn complain;
	void *arg;
};

/* -EADDRINUSE, -EACCES...: the port cannot be had, which @err says with the address. -ENOMEM. */
int scrape_new(const struct scrape_setup *setup, struct scrape **ret_scrape, struct vpc_err *err);
void scrape_free(struct scrape *s);	/* NULL is fine */

#endif
