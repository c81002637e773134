/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket by which vpc_reconcile asks for a repair, RUN_DIR/HOST.resync (lib/agent_ask.h): one line "VNI EPOCH", one
 * line for an answer. The agent repairs what it finds different from ZooKeeper itself; it is told where to look, and
 * never what to write.
 */
#ifndef AGENT_RESYNC_H
#define AGENT_RESYNC_H

#include "agent.h"

/* As control_new(), which comes first: it has made sure that no other agent of the host is there. */
int resync_new(struct agent *a, struct resync **ret_resync, struct vpc_err *err);
void resync_free(struct resync *r);

#endif
