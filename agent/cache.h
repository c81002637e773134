/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk cache: STATE_DIR/HOST has the host's ports and each VPC as they last were in the kernel at their HEAD, so
 * that agent/restore.c can bring them back when ZooKeeper cannot be reached.
 *
 * Files follow the kernel within seconds, one at a time and written by a thread that may wait for the disk; a VPC that
 * changes all the time is written every CACHE_AGAIN_US, a large one less often. A cache that cannot be written keeps
 * what it has, says so once and tries again.
 */
#ifndef AGENT_CACHE_H
#define AGENT_CACHE_H

#include "agent.h"

/*
 * Without state_dir, or with cache = no in the configuration, there is none, and *ret_cache is NULL; so, with one line
 * in the log, when the folder cannot be made.
 */
int cache_new(struct agent *a, struct cache **ret_cache, struct vpc_err *err);
void cache_free(struct cache *c); /* waits for the write under way */

void cache_changed(struct cache *c); /* epochs or ports moved; NULL is fine */
const char *cache_dir(const struct cache *c);

#endif
