/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking this host's vpc_agent by its Unix sockets, RUN_DIR/HOST.sock and HOST.resync: for vpcctl and vpc_reconcile.
 */
#ifndef VPC_AGENT_ASK_H
#define VPC_AGENT_ASK_H

#include <stddef.h>
#include <stdint.h>
#include "err.h"

/*
 * Reads what it says of itself (proto/agent_report.h): *ret is NUL-terminated, free() it. -ENOENT, -ECONNREFUSED:
 * nobody answers there; -EACCES; -ETIMEDOUT: nothing for @timeout_s.
 */
int agent_ask(const char *run_dir, const char *host, unsigned int timeout_s, char **ret, size_t *ret_len,
	      struct vpc_err *err);

/*
 * RUN_DIR/HOST.resync: asks it to compare VPC @vni with ZooKeeper again, and to put right what differs, if the kernel
 * is at @epoch (-ESTALE: it is not); @vni 0: the host's ports, VPCs and VTEP. 0: it has begun. -ENOTCONN: the agent
 * has no ZooKeeper. A line is sent, "VNI EPOCH", and one is answered, "0" or "-ERRNO TEXT".
 */
int agent_resync(const char *run_dir, const char *host, uint32_t vni, uint64_t epoch, unsigned int timeout_s,
		 struct vpc_err *err);

#endif
