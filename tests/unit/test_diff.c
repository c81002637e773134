// SPDX-License-Identifier: Apache-2.0
/*
 * The diff against an oracle that searches the other state for every element, and the delta that it makes: applied to
 * what is, it must give what should be, digest included.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "../../lib/diff.h"
#include "../../lib/util.h"
#include "random_state.h"

#define FOUND_MAX 2048

struct found {
	struct vpc_diff_entry entries[FOUND_MAX];
	size_t n, stop_at;
};

static int collect(const struct vpc_diff_entry *entry, void *arg)
{
	struct found *found = arg;

	assert_true(found->n < FOUND_MAX);
	found->entries[found->n++] = *entry;
	return found->n == found->stop_at ? -ECANCELED : 0;
}

static bool has_entry(const struct found *found, const struct vpc_diff_entry *entry)
{
	for (size_t i = 0; i < found->n; i++)
		if (!memcmp(&found->entries[i], entry, sizeof(*entry)))
			return true;
	return false;
}

static const struct vpc_nl_nexthop *naive_nexthop(const struct vpc_state *state, const struct vpc_nl_nexthop *nh)
{
	for (size_t i = 0; i < state->n_nexthops; i++)
		if (state->nexthops[i].id == nh->id)
			return &state->nexthops[i];
	return NULL;
}

static const struct vpc_nl_member *naive_member(const struct vpc_state *state, const struct vpc_nl_member *member)
{
	for (size_t i = 0; i < state->n_members; i++)
		if (state->members[i].group == member->group && state->members[i].nexthop == member->nexthop)
			return &state->members[i];
	return NULL;
}

static const struct vpc_route *naive_route(const struct vpc_state *state, const struct vpc_route *route)
{
	for (size_t i = 0; i < state->n_routes; i++)
		if (!vpc_route_cmp(&state->routes[i], route))
			return &state->routes[i];
	return NULL;
}

/* How many differences there are; each must be among those found. */
static size_t naive_diff(const struct vpc_state *want, const struct vpc_state *have, const struct found *found)
{
	struct vpc_diff_entry entry;
	size_t n = 0;

	for (size_t i = 0; i < want->n_nexthops; i++) {
		const struct vpc_nl_nexthop *a = &want->nexthops[i], *b = naive_nexthop(have, a);

		if (b && vpc_nexthop_equal(a, b))
			continue;
		memset(&entry, 0, sizeof(entry));
		entry.kind = b ? VPC_DIFF_DIFFERENT : VPC_DIFF_MISSING;
		entry.want_nexthop = a;
		entry.have_nexthop = b;
		assert_true(has_entry(found, &entry));
		n++;
	}
	for (size_t i = 0; i < want->n_members; i++) {
		const struct vpc_nl_member *a = &want->members[i], *b = naive_member(have, a);

		if (b && a->weight == b->weight)
			continue;
		memset(&entry, 0, sizeof(entry));
		entry.kind = b ? VPC_DIFF_DIFFERENT : VPC_DIFF_MISSING;
		entry.want_member = a;
		entry.have_member = b;
		assert_true(has_entry(found, &entry));
		n++;
	}
	for (size_t i = 0; i < want->n_routes; i++) {
		const struct vpc_route *a = &want->routes[i], *b = naive_route(have, a);

		if (b && a->nexthop == b->nexthop)
			continue;
		memset(&entry, 0, sizeof(entry));
		entry.kind = b ? VPC_DIFF_DIFFERENT : VPC_DIFF_MISSING;
		entry.want_route = a;
		entry.have_route = b;
		assert_true(has_entry(found, &entry));
		n++;
	}
	return n;
}

static size_t naive_excess(const struct vpc_state *want, const struct vpc_state *have, const struct found *found)
{
	struct vpc_diff_entry entry;
	size_t n = 0;

	for (size_t i = 0; i < have->n_nexthops; i++) {
		if (naive_nexthop(want, &have->nexthops[i]))
			continue;
		memset(&entry, 0, sizeof(entry));
		entry.kind = VPC_DIFF_EXCESS;
		entry.have_nexthop = &have->nexthops[i];
		assert_true(has_entry(found, &entry));
		n++;
	}
	for (size_t i = 0; i < have->n_members; i++) {
		if (naive_member(want, &have->members[i]))
			continue;
		memset(&entry, 0, sizeof(entry));
		entry.kind = VPC_DIFF_EXCESS;
		entry.have_member = &have->members[i];
		assert_true(has_entry(found, &entry));
		n++;
	}
	for (size_t i = 0; i < have->n_routes; i++) {
		if (naive_route(want, &have->routes[i]))
			continue;
		memset(&entry, 0, sizeof(entry));
		entry.kind = VPC_DIFF_EXCESS;
		entry.have_route = &have->routes[i];
		assert_true(has_entry(found, &entry));
		n++;
	}
	return n;
}

/* Nexthops by id first, then routes by (table, prefix). */
static void check_order(const struct found *found)
{
	for (size_t i = 1; i < found->n; i++) {
		const struct vpc_diff_entry *a = &found->entries[i - 1], *b = &found->entries[i];
		const struct vpc_nl_nexthop *na = a->want_nexthop ? a->want_nexthop : a->have_nexthop;
		const struct vpc_nl_nexthop *nb = b->want_nexthop ? b->want_nexthop : b->have_nexthop;
		const struct vpc_nl_member *ma = a->want_member ? a->want_member : a->have_member;
		const struct vpc_nl_member *mb = b->want_member ? b->want_member : b->have_member;

		if (nb) {
			assert_non_null(na);
			assert_true(na->id < nb->id);
		} else if (mb) {
			assert_true(na || (ma && vpc_member_cmp(ma, mb) < 0));
		} else if (!na && !ma) {
			assert_true(vpc_route_cmp(a->want_route ? a->want_route : a->have_route,
						  b->want_route ? b->want_route : b->have_route) < 0);
		}
	}
}

static void test_diff(void **arg)
{
	static struct found found;

	srand(1);
	for (int i = 0; i < 600; i++) {
		struct vpc_state want, have;

		random_state(&want, i % 9, false);
		random_state(&have, i / 9 % 9, false);
		found.n = 0;
		assert_int_equal(vpc_diff(&want, &have, collect, &found), 0);
		assert_int_equal(found.n, naive_diff(&want, &have, &found) + naive_excess(&want, &have, &found));
		check_order(&found);
		vpc_state_clear(&want);
		vpc_state_clear(&have);
	}
}

static void test_stop(void **arg)
{
	static struct found found;
	struct vpc_state want, have;
	size_t all;

	srand(2);
	random_state(&want, 4, false);
	random_state(&have, 4, false);
	assert_int_equal(vpc_diff(&want, &have, collect, &found), 0);
	all = found.n;
	assert_true(all > 20);
	for (size_t stop = 1; stop <= all; stop++) {
		found.n = 0;
		found.stop_at = stop;
		assert_int_equal(vpc_diff(&want, &have, collect, &found), -ECANCELED);
		assert_int_equal(found.n, stop);
	}
	vpc_state_clear(&want);
	vpc_state_clear(&have);
}

static void test_to_delta(void **arg)
{
	srand(3);
	for (int i = 0; i < 1500; i++) {
		struct vpc_state want, have;
		struct vpc_digest digest;
		struct vpc_delta delta;

		random_state(&want, i % 9, false);
		random_state(&have, i / 9 % 9, false);
		assert_int_equal(vpc_diff_to_delta(&want, &have, &delta), 0);
		assert_int_equal(delta.base, have.epoch);
		assert_int_equal(delta.epoch, want.epoch);
		assert_int_equal(vpc_state_apply(&have, &delta, NULL), 0);
		assert_true(states_same(&have, &want));
		digest = vpc_digest_of_state(&have);
		assert_true(vpc_digest_equal(&digest, &want.digest));
		vpc_delta_clear(&delta);
		assert_int_equal(vpc_diff_to_delta(&want, &have, &delta), 0);
		assert_int_equal(delta.n_nexthops + delta.n_routes, 0);
		vpc_delta_clear(&delta);
		vpc_state_clear(&want);
		vpc_state_clear(&have);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_to_delta),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
