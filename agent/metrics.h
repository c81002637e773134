/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent counts: calls from its parts into the kernel and ZooKeeper, and how long VPCs take to reach HEAD.
 *
 * One registry for the process, as the log is one: the parts count where they call, agent/scrape.c prints it all for
 * Prometheus. Nothing here allocates, so that counting cannot fail.
 */
#ifndef AGENT_METRICS_H
#define AGENT_METRICS_H

#include <stdint.h>
#include <stdio.h>
#include "../lib/util.h"

/*
 * One call is over. @caller: a part of the agent; @callee: "kernel", "zookeeper" or "disk"; @call: which one. All three
 * are constants. @res: 0 or -errno.
 */
void metrics_call(const char *caller, const char *callee, const char *call, int res, uint64_t us);
/* A VPC has reached its HEAD, @us after it was first seen behind. */
void metrics_applied(uint64_t us);
void metrics_events_lost(void); /* the kernel's, for want of room in the socket */
void metrics_transition(const char *state); /* a constant */
void metrics_reset(void); /* for tests */

/* In Prometheus' text format, version 0.0.4. */
void metrics_print(FILE *to);

/* Calls kernel_<call>(...) of lib/kernel.h, counted; has its value. */
#define METER_KERNEL(caller, call, ...)                                                           \
	({                                                                                        \
		uint64_t meter_start = now_monotonic_us();                                        \
		int meter_res = kernel_##call(__VA_ARGS__);                                       \
		metrics_call(caller, "kernel", #call, meter_res, now_monotonic_us() - meter_start); \
		meter_res;                                                                        \
	})

/* The answer to a request to ZooKeeper, @us after it was made. */
static inline void meter_zookeeper(const char *caller, const char *call, int res, uint64_t us)
{
	metrics_call(caller, "zookeeper", call, res, us);
}

#endif
