/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's `ports` node: which VTEP, which VPCs and which ports the kernel of this host must have.
 *
 * Following it tells agent/follow.c which VPCs to follow; a pass over the kernel then sets the VTEP, removes what the
 * node does not mention and sets the ports whose VPC is ready for them (agent/follow.h). Until the node was read whole
 * once, nothing is removed.
 */
#ifndef AGENT_HOSTPORTS_H
#define AGENT_HOSTPORTS_H

#include <stdint.h>
#include "agent.h"

/* Follows from now on. NULL: out of memory. */
struct hostports *hostports_new(struct agent *a);
void hostports_free(struct hostports *hp);

/* The module is gone, and the ports with it. */
void hostports_kernel_gone(struct hostports *hp);
/* Compare with the kernel soon. @all: its VPCs, too, not only ports that waited for theirs. */
void hostports_kick(struct hostports *hp, bool all);
/* ZooKeeper is back: what is known may be old. */
void hostports_unsettle(struct hostports *hp);
bool hostports_known(const struct hostports *hp); /* the node was read, ever */
/* The node was read since, and the kernel compared with it. */
bool hostports_settled(const struct hostports *hp);

uint64_t hostports_revision(const struct hostports *hp); /* reached in the kernel, 0: none */
uint64_t hostports_wanted(const struct hostports *hp); /* revision of the last good node, 0: none */
uint64_t hostports_generation(const struct hostports *hp); /* of the last good node: grows with each; 0: none */
int hostports_format(const struct hostports *hp, char **ret, size_t *ret_len); /* the last good node */
size_t hostports_count(const struct hostports *hp);
bool hostports_failing(const struct hostports *hp);
const char *hostports_reason(const struct hostports *hp); /* while it is failing, as in the log; "" else */

#endif
