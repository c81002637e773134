/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Since when a watch has seen what differs: for what no change in CDB's history explains (foreign entries, a kernel
 * that is wrong about itself) it is the only age that there is. Kept in memory, from round to round.
 */
#ifndef VPC_RECONCILE_SEEN_H
#define VPC_RECONCILE_SEEN_H

#include "report.h"

struct seen {
	struct seen_entry {
		uint32_t vni;
		uint64_t key;
		uint64_t first_ms;
		bool content; /* of the VPC's tables, and not of this host's ports, VPCs and VTEP */
		bool used; /* while a round is looked at: among its findings */
	} *entries; /* sorted, each key once */
	size_t n;
};

/*
 * Sets first_ms of @report's findings, but of those that only lag. What is not among them any more is forgotten, unless
 * its VPC could not be compared, or its entries were not looked at. -ENOMEM: nothing is remembered of this round.
 */
int seen_update(struct seen *seen, struct report *report);
void seen_clear(struct seen *seen);

#endif
