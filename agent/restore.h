/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bringing back from the disk cache what the kernel lacks while ZooKeeper cannot be reached: after a reboot of the
 * host, and when the module was removed and inserted.
 *
 * Only adds: what the kernel has, VPC or port, is left as it is, and nothing is deleted. It ends when ZooKeeper is
 * there; from what was restored the ordinary way leads on (agent/follow.c).
 */
#ifndef AGENT_RESTORE_H
#define AGENT_RESTORE_H

#include "agent.h"

/* Waits for ZooKeeper first. Without a cache there is none, and *ret_restore is NULL. */
int restore_new(struct agent *a, struct restore **ret_restore, struct vpc_err *err);
void restore_free(struct restore *r);

/* NULL is fine for both. The module came (back), or ZooKeeper went: if there is no other way, restore. */
void restore_alone(struct restore *r);
void restore_connected(struct restore *r); /* ZooKeeper is there */

/* What was restored since the agent started, or ZooKeeper was last there; all 0: nothing. */
struct restore_result {
	uint64_t time_ms; /* of the oldest file that was used */
	size_t n_vpcs, n_ports;
};

struct restore_result restore_result(const struct restore *r); /* NULL is fine */

#endif
