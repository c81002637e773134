/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent knows about itself, gathered from its parts for those who ask (agent/control.c).
 */
#ifndef AGENT_REPORT_H
#define AGENT_REPORT_H

#include "../proto/agent_report.h"
#include "agent.h"

/* As of now, as the JSON text of proto/agent_report.h; free() it. */
int report_format(struct agent *a, char **ret, size_t *ret_len);

#endif
