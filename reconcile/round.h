/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One audit after the other with the same connections: opened when they are needed, closed after a failure and opened
 * again. Used by main.c once and by watch.c again and again.
 */
#ifndef VPC_RECONCILE_ROUND_H
#define VPC_RECONCILE_ROUND_H

#include "audit.h"
#include "endpoint.h"
#include "legs.h"
#include "metrics.h"
#include "options.h"
#include "record.h"

struct round {
	const struct options *options;
	const struct vpc_config *config;
	const char *host;
	struct cdb *cdb;
	struct kernel *kernel;
	struct legs *legs;
	struct record record;
	struct totals totals;
	struct endpoint *endpoint; /* NULL: none, or its port cannot be had yet */
	struct pace pace;
	struct progress *progress; /* NULL: none is kept */
	unsigned int vain; /* repairs in a row after which something drifted */
	uint64_t repair_us; /* monotonic: none before */
};

/*
 * An audit, with repairs where they are asked for. What could not be compared is in the report. -ENOMEM;
 * -ECANCELED: @round->pace said so, nothing was recorded and the report is not whole.
 */
int round_run(struct round *round, struct report *ret_report);
void round_close(struct round *round);
/* How long to wait after so many repairs in a row that left something: 0, then a minute, two, four ... an hour. */
uint64_t round_repair_pause_us(unsigned int vain);

/*
 * repair.c: has the agent put right what @report found, looks again until it is or some time is over, and makes
 * *@report what is found then, with what was before. Touches nothing when it is more than max_repairs. -ENOMEM only.
 */
int repair_run(const struct audit *audit, const struct vpc_config *config, unsigned int max_repairs,
	       struct report *report);

#endif
