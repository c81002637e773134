/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGHUP: the configuration is read again. What can change under a running agent does; the rest is named.
 */
#ifndef AGENT_RELOAD_H
#define AGENT_RELOAD_H

#include "agent.h"

/* A file that is wrong changes nothing and is one line in the log. */
void reload(struct agent *a);

#endif
