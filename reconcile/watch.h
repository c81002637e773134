/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vpc_reconcile --watch: a round every so often, until SIGTERM or SIGINT. One line a round, and the whole report when
 * what is wrong is something else than before. For systemd it is of Type=notify, with a watchdog.
 */
#ifndef VPC_RECONCILE_WATCH_H
#define VPC_RECONCILE_WATCH_H

#include "round.h"

/* 0: it was ended by a signal; -errno: it cannot go on. */
int watch_run(struct round *round);

/* Pure: of what is wrong, in whatever order; the same as long as the same is wrong. Lag counts once it is too long. */
uint64_t watch_signature(const struct report *report, uint64_t max_lag_ms);

/* Pure: when the next round is due: @interval_us, a fifth more or less by @random. */
uint64_t watch_delay_us(uint64_t interval_us, uint32_t random);

#endif
