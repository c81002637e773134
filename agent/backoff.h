/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long to wait before trying again, and whether to say so again. Used by everything in the agent that can fail.
 */
#ifndef AGENT_BACKOFF_H
#define AGENT_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_MIN_US 200000
#define BACKOFF_MAX_US 30000000

struct backoff {
	unsigned int attempts;
	uint32_t said; /* hash of the last text that was logged; 0: none */
};

/* Microseconds to wait: doubles with every call from 0.2 s to 30 s; @random takes up to half of it away. */
uint64_t backoff_next_us(struct backoff *b, uint32_t random);
/* Whether @text is not what was said last, so that a failure that repeats is one line in the log. */
bool backoff_is_news(struct backoff *b, const char *text);
void backoff_reset(struct backoff *b);

#endif
