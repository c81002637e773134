/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One VPC's whole state out of ZooKeeper: the snapshot that HEAD names, and on request the deltas behind it.
 *
 * agent/follow.c starts it when deltas do not lead on from what the kernel has; agent/install.c puts the result into
 * the kernel. What is handed over is sorted, sound, and has the digest that HEAD promises.
 */
#ifndef AGENT_LOAD_H
#define AGENT_LOAD_H

#include "../lib/zk.h"
#include "../proto/znode.h"

struct load;

/*
 * The end. @res 0: @state is the caller's to clear(). -ENOENT: a node is gone, HEAD should be read again. -EINVAL: a
 * node is malformed or does not fit the others. Other errors: ZooKeeper's, or -ENOMEM. @err names the node.
 */
typedef void (*load_fn)(int res, struct vpc_state *state, const struct vpc_err *err, void *arg);

/*
 * @head: copied; @to: head->snapshot, or head->epoch. 0: @fn will be called (an empty snapshot: has been, after
 * *ret_load was set); -errno: it will not.
 */
int load_start(struct zk *zk, unsigned int timeout_ms, const struct vpc_head *head, uint64_t to, load_fn fn, void *arg,
	       struct load **ret_load);
void load_cancel(struct load *load); /* NULL is fine */

#endif
