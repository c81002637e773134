/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said for each of something that may come a thousand times a second: so many lines a second are for the log,
 * the others for who reads it at debug level.
 */
#ifndef VPC_LOG_LIMIT_H
#define VPC_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include "log.h"

/* Zeroed but for @max. For one thread alone. */
struct log_limit {
	uint64_t max; /* lines a second */
	uint64_t since_us, said, held;
};

/*
 * The priority of a line that comes at @now_us (monotonic): LOG_INFO or LOG_DEBUG. @ret_held: how many of the second
 * before were LOG_DEBUG, told once, with the first line behind it, unless log_limit_tell() has told it.
 */
static inline int log_limit(struct log_limit *limit, uint64_t now_us, uint64_t *ret_held)
{
	*ret_held = 0;
	if (!limit->since_us || now_us - limit->since_us >= 1000000) {
		*ret_held = limit->held;
		limit->since_us = now_us;
		limit->said = limit->held = 0;
	}
	if (limit->said < limit->max) {
		limit->said++;
		return LOG_INFO;
	}
	limit->held++;
	return LOG_DEBUG;
}

/* When the second ends of which some were LOG_DEBUG (monotonic): for a timer, which calls log_limit_tell(). 0: none. */
static inline uint64_t log_limit_due_us(const struct log_limit *limit)
{
	return limit->held ? limit->since_us + 1000000 : 0;
}

/* How many of a second that has ended by @now_us were LOG_DEBUG; told once. */
static inline uint64_t log_limit_tell(struct log_limit *limit, uint64_t now_us)
{
	uint64_t held = limit->held;

	if (!held || now_us < log_limit_due_us(limit))
		return 0;
	*limit = (struct log_limit){ .max = limit->max };
	return held;
}

#endif
