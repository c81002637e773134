/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vpc_reconcile fleet: what the audits of all hosts have recorded, at a glance. fleet.c reads and judges, and prints
 * text and JSON; fleet_html.c makes a page of it.
 */
#ifndef VPC_RECONCILE_FLEET_H
#define VPC_RECONCILE_FLEET_H

#include <stdio.h>
#include "../lib/cdb_fleet.h"

enum fleet_state {
	FLEET_CONSISTENT,
	FLEET_LAGGING,
	FLEET_DRIFTED,
	FLEET_FAILED,	/* could not compare */
	FLEET_SILENT,	/* has recorded nothing for too long, or ever */
	FLEET_STATES,
};

/* How they are listed. */
extern const enum fleet_state fleet_worst_first[FLEET_STATES];

const char *fleet_state_name(enum fleet_state state);
/* Pure. @now, @silent_ms: milliseconds. */
enum fleet_state fleet_state_of(const struct cdb_run *run, uint64_t now, uint64_t silent_ms);

/* vpc_reconcile fleet ARGUMENTS... Return: the exit status. */
int fleet_main(int argc, char **argv);

/* One page that needs nothing else. 0, -EIO, -ENOMEM. */
int fleet_print_html(const struct cdb_fleet *fleet, uint64_t silent_ms, FILE *to);

#endif
