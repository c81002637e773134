/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's session with ZooKeeper on the event loop: agent/agent.c is told when it comes and goes.
 */
#ifndef AGENT_SESSION_H
#define AGENT_SESSION_H

#include "agent.h"

/* Starts connecting; a->watches is served from here. */
int session_new(struct agent *a, struct session **ret_session, struct vpc_err *err);
void session_free(struct session *s);
struct zk *session_zk(struct session *s); /* never NULL while the session lives */

#endif
