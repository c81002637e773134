/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ephemeral `alive` node: it says that this host's agent is there, and it is where two hosts of one name meet.
 *
 * Who finds another host's node keeps away from it and from `status`, says so, and takes over when the node is gone.
 * What an agent before us left on this host is replaced where we may (an open tree), else it goes with its session.
 */
#ifndef AGENT_ALIVE_H
#define AGENT_ALIVE_H

#include "agent.h"

/* @boot_id: of the kernel; must outlive it. NULL: out of memory, or no network namespace of that name. */
struct alive *alive_new(struct agent *a, const char *boot_id);
void alive_free(struct alive *al);

void alive_connected(struct alive *al, bool fresh);
/* Creates it when it is not there: its folder may have come. */
void alive_try(struct alive *al);
/* Whether the name is this host's as far as known: nobody else's node was found since the connection came up. */
bool alive_name_ours(const struct alive *al);
bool alive_name_taken(const struct alive *al); /* another host has it */

#endif
