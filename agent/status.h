/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this host has, for others to read: the `status` node, and with it `alive` (agent/alive.h).
 */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

#include "../proto/znode.h"
#include "agent.h"

struct status *status_new(struct agent *a); /* NULL: out of memory, or no boot id */
void status_free(struct status *st);

void status_connected(struct status *st, bool fresh);
/* The kernel has it: kept with the last VPC_STATUS_RECENT_MAX. */
void status_applied(struct status *st, const struct vpc_status_change *change);
/* Something in it changed: written soon, together with what changes meanwhile. */
void status_changed(struct status *st);
bool status_name_taken(const struct status *st); /* by another host: see agent/alive.h */

#endif
