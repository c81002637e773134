// SPDX-License-Identifier: Apache-2.0
/*
 * Random numbers for timers; see timer.h.
 */
#include "timer.h"

#include <sys/random.h>

uint32_t timer_random(void)
{
	uint32_t number = 0;

	/* Only spreads retries: should there be no entropy yet, all wait the full time. */
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		return 0;
	return number;
}
