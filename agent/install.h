/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making one VPC in the kernel what a state says, in one transaction that touches only what differs.
 */
#ifndef AGENT_INSTALL_H
#define AGENT_INSTALL_H

#include "../lib/kernel.h"

/**
 * install_state() - one transaction from what the kernel has to @want
 * @kernel: command socket
 * @dump: socket for the dump of what it has
 * @have: what the kernel says it has; the transaction fails with -ESTALE when that is no longer so
 * @want: sorted, sound, with its digest; want->epoch >= have->epoch
 * @change: id for the commit event, may be ""
 * @ret_changes: nexthops and routes set or deleted
 * @err: the kernel's refusal
 *
 * An empty VPC is written whole, and so is one whose own sum does not follow its elements any more.
 * Return: 0, or -errno with the kernel as it was.
 */
int install_state(struct kernel *kernel, struct kernel *dump, const struct kernel_vpc *have,
		  const struct vpc_state *want, const char *change, size_t *ret_changes, struct vpc_err *err);

#endif
