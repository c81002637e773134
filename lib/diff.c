// SPDX-License-Identifier: Apache-2.0
/*
 * The one comparison of the system: a merge over two sorted states. The agent turns what it finds into a transaction,
 * vpc_reconcile into a report; neither compares anything by itself.
 */
#include "diff.h"

#include <errno.h>

static int diff_nexthops(const struct vpc_state *want, const struct vpc_state *have,
			 int (*fn)(const struct vpc_diff_entry *entry, void *arg), void *arg)
{
	size_t w = 0, h = 0;
	int r = 0;

	while (!r && (w < want->n_nexthops || h < have->n_nexthops)) {
		const struct vpc_nl_nexthop *a = w < want->n_nexthops ? &want->nexthops[w] : NULL;
		const struct vpc_nl_nexthop *b = h < have->n_nexthops ? &have->nexthops[h] : NULL;
		int cmp = !a ? 1 : !b ? -1 : vpc_nexthop_cmp(a, b);
		struct vpc_diff_entry entry = { 0 };

		w += cmp <= 0;
		h += cmp >= 0;
		if (!cmp && vpc_nexthop_equal(a, b))
			continue;
		entry.kind = cmp < 0 ? VPC_DIFF_MISSING : cmp > 0 ? VPC_DIFF_EXCESS : VPC_DIFF_DIFFERENT;
		entry.want_nexthop = cmp <= 0 ? a : NULL;
		entry.have_nexthop = cmp >= 0 ? b : NULL;
		r = fn(&entry, arg);
	}
	return r;
}

static int diff_members(const struct vpc_state *want, const struct vpc_state *have,
			int (*fn)(const struct vpc_diff_entry *entry, void *arg), void *arg)
{
	size_t w = 0, h = 0;
	int r = 0;

	while (!r && (w < want->n_members || h < have->n_members)) {
		const struct vpc_nl_member *a = w < want->n_members ? &want->members[w] : NULL;
		const struct vpc_nl_member *b = h < have->n_members ? &have->members[h] : NULL;
		int cmp = !a ? 1 : !b ? -1 : vpc_member_cmp(a, b);
		struct vpc_diff_entry entry = { 0 };

		w += cmp <= 0;
		h += cmp >= 0;
		if (!cmp && a->weight == b->weight)
			continue;
		entry.kind = cmp < 0 ? VPC_DIFF_MISSING : cmp > 0 ? VPC_DIFF_EXCESS : VPC_DIFF_DIFFERENT;
		entry.want_member = cmp <= 0 ? a : NULL;
		entry.have_member = cmp >= 0 ? b : NULL;
		r = fn(&entry, arg);
	}
	return r;
}

static int diff_routes(const struct vpc_state *want, const struct vpc_state *have,
		       int (*fn)(const struct vpc_diff_entry *entry, void *arg), void *arg)
{
	size_t w = 0, h = 0;
	int r = 0;

	while (!r && (w < want->n_routes || h < have->n_routes)) {
		const struct vpc_route *a = w < want->n_routes ? &want->routes[w] : NULL;
		const struct vpc_route *b = h < have->n_routes ? &have->routes[h] : NULL;
		int cmp = !a ? 1 : !b ? -1 : vpc_route_cmp(a, b);
		struct vpc_diff_entry entry = { 0 };

		w += cmp <= 0;
		h += cmp >= 0;
		if (!cmp && a->nexthop == b->nexthop)
			continue;
		entry.kind = cmp < 0 ? VPC_DIFF_MISSING : cmp > 0 ? VPC_DIFF_EXCESS : VPC_DIFF_DIFFERENT;
		entry.want_route = cmp <= 0 ? a : NULL;
		entry.have_route = cmp >= 0 ? b : NULL;
		r = fn(&entry, arg);
	}
	return r;
}

int vpc_diff(const struct vpc_state *want, const struct vpc_state *have,
	     int (*fn)(const struct vpc_diff_entry *entry, void *arg), void *arg)
{
	int r = diff_nexthops(want, have, fn, arg);

	if (!r)
		r = diff_members(want, have, fn, arg);
	return r ? r : diff_routes(want, have, fn, arg);
}

static int entry_to_op(const struct vpc_diff_entry *entry, void *arg)
{
	struct vpc_delta *delta = arg;

	if (entry->want_nexthop)
		return vpc_delta_set_nexthop(delta, entry->want_nexthop);
	if (entry->have_nexthop)
		return vpc_delta_del_nexthop(delta, entry->have_nexthop->id);
	if (entry->want_member)
		return vpc_delta_set_member(delta, entry->want_member);
	if (entry->have_member)
		return vpc_delta_del_member(delta, entry->have_member->group, entry->have_member->nexthop);
	if (entry->want_route)
		return vpc_delta_set_route(delta, entry->want_route);
	return vpc_delta_del_route(delta, entry->have_route->table, &entry->have_route->prefix);
}

int vpc_diff_to_delta(const struct vpc_state *want, const struct vpc_state *have, struct vpc_delta *ret_delta)
{
	struct vpc_delta delta;
	int r;

	vpc_delta_init(&delta, want->vni);
	delta.base = have->epoch;
	delta.epoch = want->epoch;
	delta.digest = want->digest;
	r = vpc_diff(want, have, entry_to_op, &delta);
	if (r) {
		vpc_delta_clear(&delta);
		return r;
	}
	*ret_delta = delta;
	return 0;
}
