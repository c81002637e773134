/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this host has, for others to read: the `status` node, and the ephemeral `alive` that ends with our session.
 */
#ifndef AGENT_STATUS_H
#define AGENT_STATUS_H

#include "agent.h"

struct status *status_new(struct agent *a); /* NULL: out of memory, or no boot id */
void status_free(struct status *st);

void status_connected(struct status *st, bool fresh);
/* Something in it changed: written soon, together with what changes meanwhile. */
void status_changed(struct status *st);

#endif
