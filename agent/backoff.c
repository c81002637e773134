// SPDX-License-Identifier: Apache-2.0
/*
 * Exponential backoff with jitter; see backoff.h.
 */
#include "backoff.h"

#include <string.h>
#include "../lib/util.h"

uint64_t backoff_next_us(struct backoff *b, uint32_t random)
{
	uint64_t wait = BACKOFF_MAX_US;

	if (b->attempts < 16 && ((uint64_t)BACKOFF_MIN_US << b->attempts) < BACKOFF_MAX_US)
		wait = (uint64_t)BACKOFF_MIN_US << b->attempts++;
	return wait - random % (wait / 2 + 1);
}

bool backoff_is_news(struct backoff *b, const char *text)
{
	/* 0: nothing was said yet. */
	uint32_t hash = fnv1a(text, strlen(text)) ?: 1;

	if (hash == b->said)
		return false;
	b->said = hash;
	return true;
}

void backoff_reset(struct backoff *b)
{
	*b = (struct backoff){ 0 };
}
