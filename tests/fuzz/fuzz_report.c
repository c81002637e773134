// SPDX-License-Identifier: Apache-2.0
/*
 * What an agent answers on its Unix socket (proto/agent_report.h).
 */
#include "../../proto/agent_report.h"
#include "fuzz_codec.h"

FUZZ_CODEC(struct vpc_agent_report, vpc_agent_report)
