/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's metrics over HTTP, for Prometheus: http://127.0.0.1:PORT/metrics, on loopback and nowhere else.
 *
 * libmicrohttpd runs inside the agent's event loop, by its epoll descriptor; it has no thread.
 */
#ifndef AGENT_SCRAPE_H
#define AGENT_SCRAPE_H

#include "agent.h"

/*
 * With metrics_port 0 in the configuration there is none, and *ret_scrape is NULL. A port that cannot be had is one
 * line in the log, and the agent goes on without.
 */
int scrape_new(struct agent *a, struct scrape **ret_scrape, struct vpc_err *err);
void scrape_free(struct scrape *s);

#endif
