// SPDX-License-Identifier: Apache-2.0
/*
 * One-shot timers; see timer.h.
 */
#include "timer.h"

#include "util.h"

int timer_arm(sd_event *event, sd_event_source **source, uint64_t delay_us, sd_event_time_handler_t fn, void *arg)
{
	uint64_t when = now_monotonic_us() + delay_us;
	int res;

	if (!*source)
		return sd_event_add_time(event, source, CLOCK_MONOTONIC, when, 1000, fn, arg);
	res = sd_event_source_set_time(*source, when);
	if (res < 0)
		return res;
	return sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT);
}

void timer_stop(sd_event_source *source)
{
	if (source)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
}
