/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a run of immutable znodes (deltas, chunks): a few at a time, handed over in order.
 */
#ifndef AGENT_FETCH_H
#define AGENT_FETCH_H

#include "../lib/zk.h"

#define FETCH_WINDOW 16 /* reads in flight, and answers held back until their turn */

struct fetch;

struct fetch_ops {
	/* The znode's path into @buf (VPC_ZNODE_PATH_MAX). */
	void (*path)(uint64_t index, char *buf, void *arg);
	/*
	 * One node, in order. @res: 0 or -ENOENT. A return other than 0 ends the fetch with it. Must not cancel the
	 * fetch.
	 * @data is NULL with -ENOENT.
	 */
	int (*item)(uint64_t index, int res, const char *data, size_t len, void *arg);
	/* The end, unless cancelled; the fetch is gone. @res: 0, what item() returned, or ZooKeeper's failure. */
	void (*done)(int res, void *arg);
};

/* Reads @first..@last (@first <= @last). 0: done() will be called, later. -errno: it will not. */
int fetch_start(struct zk *zk, unsigned int timeout_ms, uint64_t first, uint64_t last, const struct fetch_ops *ops,
		void *arg, struct fetch **ret_fetch);
void fetch_cancel(struct fetch *fetch); /* no callback any more; NULL is fine */

#endif
