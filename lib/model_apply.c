// SPDX-License-Identifier: Apache-2.0
/*
 * vpc_state_apply(): a delta on a state, by one merge. The publisher makes epochs out of it, the agent learns what
 * the kernel will hold, vpc_reconcile brings an older snapshot to the kernel's epoch. n elements and m operations
 * cost O(n + m log m), and what lies between two operations is copied as one block.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "util.h"

/* One operation on one of the arrays; @elem leads into the delta. */
struct merge_op {
	const void *elem;
	uint8_t op;
};

typedef int (*cmp_fn)(const void *a, const void *b);

static int nexthop_op_cmp(const void *a, const void *b)
{
	return vpc_nexthop_cmp(((const struct merge_op *)a)->elem, ((const struct merge_op *)b)->elem);
}

static int member_op_cmp(const void *a, const void *b)
{
	return vpc_member_cmp(((const struct merge_op *)a)->elem, ((const struct merge_op *)b)->elem);
}

static int route_op_cmp(const void *a, const void *b)
{
	return vpc_route_cmp(((const struct merge_op *)a)->elem, ((const struct merge_op *)b)->elem);
}

static int nexthop_cmp(const void *a, const void *b)
{
	return vpc_nexthop_cmp(a, b);
}

static int member_cmp(const void *a, const void *b)
{
	return vpc_member_cmp(a, b);
}

static int route_cmp(const void *a, const void *b)
{
	return vpc_route_cmp(a, b);
}

/* The first of elements @from..@n that is not before @key: steps double, then halve, so near keys are found at once. */
static size_t lower_bound(const char *array, size_t from, size_t n, size_t size, const void *key, cmp_fn cmp)
{
	size_t step = 1, lo = from, hi;

	while (lo + step <= n && cmp(array + (lo + step - 1) * size, key) < 0) {
		lo += step;
		step *= 2;
	}
	hi = lo + step <= n ? lo + step - 1 : n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (cmp(array + mid * size, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/**
 * merge() - @old with sorted @ops applied
 * @out: room for @n + @m elements
 * @ret_n: elements in @out
 *
 * Return: NULL, or the operation that deletes what is not there.
 */
static const struct merge_op *merge(const char *old, size_t n, size_t size, const struct merge_op *ops, size_t m,
				    cmp_fn cmp, char *out, size_t *ret_n)
{
	size_t pos = 0, used = 0;

	for (size_t i = 0; i < m; i++) {
		size_t at = lower_bound(old, pos, n, size, ops[i].elem, cmp);
		bool there = at < n && !cmp(old + at * size, ops[i].elem);

		if (ops[i].op == VPC_OP_DEL && !there)
			return &ops[i];
		if (at > pos)
			memcpy(out + used * size, old + pos * size, (at - pos) * size);
		used += at - pos;
		pos = at + there;
		if (ops[i].op == VPC_OP_SET)
			memcpy(out + used++ * size, ops[i].elem, size);
	}
	if (n > pos)
		memcpy(out + used * size, old + pos * size, (n - pos) * size);
	*ret_n = used + n - pos;
	return NULL;
}

/* Sorts; the first operation whose element has another one, or NULL. */
static const struct merge_op *ops_sort(struct merge_op *ops, size_t m, cmp_fn cmp)
{
	size_t i;

	for (i = 1; i < m && cmp(&ops[i - 1], &ops[i]) <= 0; i++)
		;
	if (i < m)
		qsort(ops, m, sizeof(*ops), cmp);
	for (i = 1; i < m; i++)
		if (!cmp(&ops[i - 1], &ops[i]))
			return &ops[i];
	return NULL;
}

static int apply_nexthops(const struct vpc_state *state, const struct vpc_delta *delta, struct vpc_nl_nexthop *out,
			  size_t *ret_n, struct vpc_err *err)
{
	_cleanup_free_ struct merge_op *ops = calloc(delta->n_nexthops + 1, sizeof(*ops));
	const struct merge_op *bad;

	if (!ops)
		return -ENOMEM;
	for (size_t i = 0; i < delta->n_nexthops; i++)
		ops[i] = (struct merge_op){ &delta->nexthops[i], delta->nexthops[i].op };
	bad = ops_sort(ops, delta->n_nexthops, nexthop_op_cmp);
	if (bad)
		return vpc_err_set(err, -EINVAL, "VPC %u: the delta changes nexthop %u twice", delta->vni,
				   ((const struct vpc_nl_nexthop *)bad->elem)->id);
	bad = merge((const char *)state->nexthops, state->n_nexthops, sizeof(*out), ops, delta->n_nexthops, nexthop_cmp,
		    (char *)out, ret_n);
	if (bad)
		return vpc_err_set(err, -ENOENT, "VPC %u: the delta deletes nexthop %u, which is not there", delta->vni,
				   ((const struct vpc_nl_nexthop *)bad->elem)->id);
	return 0;
}

static int apply_members(const struct vpc_state *state, const struct vpc_delta *delta, struct vpc_nl_member *out,
			 size_t *ret_n, struct vpc_err *err)
{
	_cleanup_free_ struct merge_op *ops = calloc(delta->n_members + 1, sizeof(*ops));
	const struct vpc_nl_member *member;
	const struct merge_op *bad;

	if (!ops)
		return -ENOMEM;
	for (size_t i = 0; i < delta->n_members; i++)
		ops[i] = (struct merge_op){ &delta->members[i], delta->members[i].op };
	bad = ops_sort(ops, delta->n_members, member_op_cmp);
	if (bad) {
		member = bad->elem;
		return vpc_err_set(err, -EINVAL, "VPC %u: the delta changes member %u of group %u twice", delta->vni,
				   member->nexthop, member->group);
	}
	bad = merge((const char *)state->members, state->n_members, sizeof(*out), ops, delta->n_members, member_cmp,
		    (char *)out, ret_n);
	if (bad) {
		member = bad->elem;
		return vpc_err_set(err, -ENOENT, "VPC %u: the delta deletes member %u of group %u, which is not there",
				   delta->vni, member->nexthop, member->group);
	}
	return 0;
}

static int apply_routes(const struct vpc_state *state, const struct vpc_delta *delta, struct vpc_route *out,
			size_t *ret_n, struct vpc_err *err)
{
	_cleanup_free_ struct merge_op *ops = calloc(delta->n_routes + 1, sizeof(*ops));
	const struct vpc_route *route;
	const struct merge_op *bad;
	char text[VPC_PREFIX_STRLEN];

	if (!ops)
		return -ENOMEM;
	for (size_t i = 0; i < delta->n_routes; i++)
		ops[i] = (struct merge_op){ &delta->routes[i].route, delta->routes[i].op };
	bad = ops_sort(ops, delta->n_routes, route_op_cmp);
	if (bad) {
		route = bad->elem;
		return vpc_err_set(err, -EINVAL, "VPC %u: the delta changes route %s in table %u twice", delta->vni,
				   vpc_prefix_format(&route->prefix, text), route->table);
	}
	bad = merge((const char *)state->routes, state->n_routes, sizeof(*out), ops, delta->n_routes, route_cmp,
		    (char *)out, ret_n);
	if (bad) {
		route = bad->elem;
		return vpc_err_set(err, -ENOENT, "VPC %u: the delta deletes route %s in table %u, which is not there",
				   delta->vni, vpc_prefix_format(&route->prefix, text), route->table);
	}
	return 0;
}

/* Takes over what was made beside the old array; an array without operations stays. */
static void take_array(void *array_ptr, size_t *n, size_t *cap, void **made, size_t n_made, size_t cap_made)
{
	void *old;

	if (!*made)
		return;
	memcpy(&old, array_ptr, sizeof(old));
	free(old);
	memcpy(array_ptr, made, sizeof(*made));
	*made = NULL;
	*n = n_made;
	*cap = cap_made;
}

/* The arrays are made beside the old ones and taken over together, so that a failure leaves @state alone. */
static int apply_all(struct vpc_state *state, const struct vpc_delta *delta, struct vpc_err *err)
{
	size_t cap_nexthops = state->n_nexthops + delta->n_nexthops, cap_members = state->n_members + delta->n_members;
	size_t cap_routes = state->n_routes + delta->n_routes;
	_cleanup_free_ void *nexthops = NULL, *members = NULL, *routes = NULL;
	size_t n_nexthops = 0, n_members = 0, n_routes = 0;
	int r = 0;

	if (delta->n_nexthops) {
		nexthops = reallocarray(NULL, cap_nexthops, sizeof(*state->nexthops));
		r = nexthops ? apply_nexthops(state, delta, nexthops, &n_nexthops, err) : -ENOMEM;
	}
	if (!r && delta->n_members) {
		members = reallocarray(NULL, cap_members, sizeof(*state->members));
		r = members ? apply_members(state, delta, members, &n_members, err) : -ENOMEM;
	}
	if (!r && delta->n_routes) {
		routes = reallocarray(NULL, cap_routes, sizeof(*state->routes));
		r = routes ? apply_routes(state, delta, routes, &n_routes, err) : -ENOMEM;
	}
	if (r)
		return r;
	take_array(&state->nexthops, &state->n_nexthops, &state->cap_nexthops, &nexthops, n_nexthops, cap_nexthops);
	take_array(&state->members, &state->n_members, &state->cap_members, &members, n_members, cap_members);
	take_array(&state->routes, &state->n_routes, &state->cap_routes, &routes, n_routes, cap_routes);
	return 0;
}

int vpc_state_apply(struct vpc_state *state, const struct vpc_delta *delta, struct vpc_err *err)
{
	int r;

	if (state->vni != delta->vni)
		return vpc_err_set(err, -EINVAL, "the delta is for VPC %u, not for VPC %u", delta->vni, state->vni);
	if (state->epoch != delta->base)
		return vpc_err_set(err, -ESTALE, "VPC %u: the delta starts at epoch %llu, the state is at %llu",
				   state->vni, (unsigned long long)delta->base, (unsigned long long)state->epoch);
	r = apply_all(state, delta, err);
	if (r == -ENOMEM)
		return vpc_err_set(err, r, "VPC %u: out of memory for %zu routes", state->vni,
				   state->n_routes + delta->n_routes);
	if (r)
		return r;
	state->epoch = delta->epoch;
	state->digest = delta->digest;
	return 0;
}
