// SPDX-License-Identifier: Apache-2.0
/*
 * One-shot timers; see timer.h.
 */
#include "timer.h"

#include "util.h"

int timer_arm_at(sd_event *event, sd_event_source **source, uint64_t when_us, sd_event_time_handler_t fn, void *arg)
{
	int res;

	if (!*source)
		return sd_event_add_time(event, source, CLOCK_MONOTONIC, when_us, 1000, fn, arg);
	res = sd_event_source_set_time(*source, when_us);
	if (res < 0)
		return res;
	return sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT);
}

int timer_arm(sd_event *event, sd_event_source **source, uint64_t delay_us, sd_event_time_handler_t fn, void *arg)
{
	return timer_arm_at(event, source, now_monotonic_us() + delay_us, fn, arg);
}

uint64_t timer_now_us(sd_event *event)
{
	uint64_t now;

	return sd_event_now(event, CLOCK_MONOTONIC, &now) < 0 ? now_monotonic_us() : now;
}

void timer_stop(sd_event_source *source)
{
	if (source)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
}
