/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-shot timers on the event loop.
 */
#ifndef VPC_TIMER_H
#define VPC_TIMER_H

#include <stdint.h>
#include <systemd/sd-event.h>

/* Arms *@source (made when NULL) to call @fn once, in @delay_us. */
int timer_arm(sd_event *event, sd_event_source **source, uint64_t delay_us, sd_event_time_handler_t fn, void *arg);
/* The same at @when_us, CLOCK_MONOTONIC. */
int timer_arm_at(sd_event *event, sd_event_source **source, uint64_t when_us, sd_event_time_handler_t fn, void *arg);
/*
 * CLOCK_MONOTONIC when the loop woke up, or now when it does not run. For what is done hundreds of times a second, and
 * where the time that handlers have taken meanwhile does not matter.
 */
uint64_t timer_now_us(sd_event *event);
void timer_stop(sd_event_source *source); /* NULL is fine */

#endif
