// SPDX-License-Identifier: Apache-2.0
/*
 * Exponential backoff with jitter; see backoff.h.
 */
#include "backoff.h"

uint64_t backoff_next_us(struct backoff *b, uint32_t random)
{
	uint64_t wait = BACKOFF_MAX_US;

	if (b->attempts < 16 && ((uint64_t)BACKOFF_MIN_US << b->attempts) < BACKOFF_MAX_US)
		wait = (uint64_t)BACKOFF_MIN_US << b->attempts++;
	return wait - random % (wait / 2 + 1);
}

/* FNV-1a. */
static uint32_t text_hash(const char *text)
{
	uint32_t hash = 2166136261U;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619U;
	return hash ? hash : 1;
}

bool backoff_is_news(struct backoff *b, const char *text)
{
	uint32_t hash = text_hash(text);

	if (hash == b->said)
		return false;
	b->said = hash;
	return true;
}

void backoff_reset(struct backoff *b)
{
	*b = (struct backoff){ 0 };
}
