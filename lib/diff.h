/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The difference between what should be and what is: a pure function over two sorted states, shared by the agent (which
 * makes a transaction of it) and by vpc_reconcile (which makes a report of it).
 */
#ifndef VPC_DIFF_H
#define VPC_DIFF_H

#include "model.h"

enum vpc_diff_kind {
	VPC_DIFF_MISSING, /* expected, not there */
	VPC_DIFF_EXCESS, /* there, not expected */
	VPC_DIFF_DIFFERENT, /* there, with another value */
};

/* One difference. Exactly one of the pairs is used; pointers lead into the two states compared. */
struct vpc_diff_entry {
	enum vpc_diff_kind kind;
	const struct vpc_nl_nexthop *want_nexthop, *have_nexthop;
	const struct vpc_nl_member *want_member, *have_member;
	const struct vpc_route *want_route, *have_route;
};

/**
 * vpc_diff() - compare two sorted states
 * @want: expected
 * @have: actual
 * @fn: called for each difference: nexthops by id, then members by (group, nexthop), then routes by (table, prefix); a
 *      non-zero return stops it and is returned
 * @arg: passed to @fn
 *
 * Epochs and digests are not compared. Return: 0, or what @fn returned.
 */
int vpc_diff(const struct vpc_state *want, const struct vpc_state *have,
	     int (*fn)(const struct vpc_diff_entry *entry, void *arg), void *arg);

/* The delta that makes @have into @want (base: have->epoch, epoch and digest: want's). -ENOMEM. */
int vpc_diff_to_delta(const struct vpc_state *want, const struct vpc_state *have, struct vpc_delta *ret_delta);

#endif
