/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-shot timers on the event loop (lib/timer.h), and the random numbers that spread them.
 */
#ifndef AGENT_TIMER_H
#define AGENT_TIMER_H

#include "../lib/timer.h"

uint32_t timer_random(void);

#endif
