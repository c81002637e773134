/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's ports in the kernel: what to do about the difference (pure), and doing it.
 */
#ifndef AGENT_KPORTS_H
#define AGENT_KPORTS_H

#include "../lib/kernel.h"

enum kports_action {
	KPORTS_DEL, /* in the kernel, not wanted, or wanted in another VPC */
	KPORTS_SET, /* not there, or other than wanted */
};

/* Pointers lead into what was compared. */
struct kports_step {
	enum kports_action action;
	const struct vpc_port *port; /* DEL: the kernel's; SET: the wanted */
	const struct vpc_port *old; /* SET: what it changes, NULL: a new port */
	/* of kports_run() */
	int error; /* of the last try; 0: set */
	bool out; /* taken out, for ports that swap addresses */
};

/**
 * kports_plan() - what leads from the ports that are to those that should be
 * @want: ascending by device, unique
 * @have: the kernel's, any order; sorted here
 * @ready: whether a VPC can carry ports; those of a VPC that cannot are left as they are
 * @arg: passed to @ready
 * @ret_steps: deletions first; room for @n_want + @n_have
 * @ret_n: how many
 * @ret_waiting: wanted ports that are not set because their VPC is not ready
 */
void kports_plan(const struct vpc_port *want, size_t n_want, struct kernel_port *have, size_t n_have,
		 bool (*ready)(uint32_t vni, void *arg), void *arg, struct kports_step *ret_steps, size_t *ret_n,
		 size_t *ret_waiting);

/*
 * Does it, goes on behind failures, logs what it does. @steps is changed. An address that moves between ports is set
 * on its new one after it left the old one; ports that swap addresses are taken out in between, and no others; what is
 * refused then is put back.
 * Return: 0, or the first failure left, its text in @err.
 */
int kports_run(struct kernel *kernel, struct kports_step *steps, size_t n, struct vpc_err *err);

void kports_sort(struct vpc_port *ports, size_t n); /* by device */

#endif
