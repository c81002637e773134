/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's Unix socket, RUN_DIR/HOST.sock: who connects gets the report (agent/report.c), for `vpcctl agent status`.
 *
 * Also the proof that no other agent of this host's name runs on this machine.
 */
#ifndef AGENT_CONTROL_H
#define AGENT_CONTROL_H

#include "agent.h"

/*
 * Without run_dir in the configuration there is none, and *ret_control is NULL. A folder that cannot be made or
 * written to is one line in the log, and the agent goes on without. -EADDRINUSE: another agent answers there.
 */
int control_new(struct agent *a, struct control **ret_control, struct vpc_err *err);
void control_free(struct control *c);

#endif
