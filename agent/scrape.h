/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's metrics over HTTP, for Prometheus: http://127.0.0.1:PORT/metrics, by lib/scrape.h in the agent's event
 * loop.
 */
#ifndef AGENT_SCRAPE_H
#define AGENT_SCRAPE_H

#include "../lib/scrape.h"
#include "agent.h"

/*
 * With metrics_port 0 in the configuration there is none, and *ret_scrape is NULL. A port that cannot be had is one
 * line in the log, and the agent goes on without. scrape_free() ends it.
 */
int agent_scrape_new(struct agent *a, struct scrape **ret_scrape, struct vpc_err *err);

#endif
