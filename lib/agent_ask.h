/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking this host's vpc_agent by its Unix socket, RUN_DIR/HOST.sock: for vpcctl and vpc_reconcile.
 */
#ifndef VPC_AGENT_ASK_H
#define VPC_AGENT_ASK_H

#include <stddef.h>
#include "err.h"

/*
 * Reads what it says of itself (proto/agent_report.h): *ret is NUL-terminated, free() it. -ENOENT, -ECONNREFUSED:
 * nobody answers there; -EACCES; -ETIMEDOUT: nothing for @timeout_s.
 */
int agent_ask(const char *run_dir, const char *host, unsigned int timeout_s, char **ret, size_t *ret_len,
	      struct vpc_err *err);

#endif
