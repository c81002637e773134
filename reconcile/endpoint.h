/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last round's metrics over HTTP: --metrics-port, http://127.0.0.1:PORT/metrics. Used by watch.c and round.c.
 *
 * A thread of its own answers (lib/scrape.h), as a round may take minutes and Prometheus waits for seconds. It knows a
 * text and nothing else, and nobody waits for its clients.
 */
#ifndef VPC_RECONCILE_ENDPOINT_H
#define VPC_RECONCILE_ENDPOINT_H

#include <stdbool.h>
#include "../lib/err.h"

struct endpoint;

/* Answers from here on, until there is a text with a 503. -EADDRINUSE, -EACCES...: @err names the address. -ENOMEM. */
int endpoint_new(unsigned int port, struct endpoint **ret_endpoint, struct vpc_err *err);
/* Its thread has failed, which it said, and the port is held without an answer: free it, and try anew. */
bool endpoint_is_dead(struct endpoint *e);
/* @text is told from now on, of which a copy is made. Out of memory: the one before, whose time stamp grows old. */
void endpoint_tell(struct endpoint *e, const char *text);
/* Clients that are being answered are closed. NULL is fine. */
void endpoint_free(struct endpoint *e);

#endif
