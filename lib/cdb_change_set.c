// SPDX-License-Identifier: Apache-2.0
/*
 * The elements of a change: summed up, so that each is there once and only when it really changes, and what they do to
 * the VPC's digest. No I/O; a part of lib/cdb_change.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cdb_change_private.h"
#include "digest.h"
#include "util.h"

int change_grow(void *array, size_t n, size_t *cap, size_t size)
{
	size_t bigger = *cap ? 2 * *cap : 16;
	void *p;

	if (n < *cap)
		return 0;
	p = reallocarray(*(void **)array, bigger, size);
	if (!p)
		return -ENOMEM;
	*(void **)array = p;
	*cap = bigger;
	return 0;
}

static int order_cmp(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int nexthop_cmp(const void *a, const void *b)
{
	const struct change_nexthop *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return order_cmp(x->order, y->order);
}

static int member_cmp(const void *a, const void *b)
{
	const struct change_member *x = a, *y = b;

	return vpc_member_cmp(&x->member, &y->member) ?: order_cmp(x->order, y->order);
}

static int route_cmp(const void *a, const void *b)
{
	const struct change_route *x = a, *y = b;

	return vpc_route_cmp(&x->route, &y->route) ?: order_cmp(x->order, y->order);
}

static bool nexthop_changes(const struct change_nexthop *nh)
{
	if (nh->has_was && nh->has_is)
		return !vpc_nexthop_equal(&nh->was, &nh->is);
	return nh->has_was != nh->has_is;
}

static void coalesce_nexthops(struct change_set *set)
{
	struct change_nexthop *nhs = set->nexthops, one;
	size_t n = 0, first = 0;

	if (set->n_nexthops)
		qsort(nhs, set->n_nexthops, sizeof(*nhs), nexthop_cmp);
	for (size_t i = 0; i < set->n_nexthops; i++) {
		if (i + 1 < set->n_nexthops && nhs[i].id == nhs[i + 1].id)
			continue;
		one = nhs[i];
		one.has_was = nhs[first].has_was;
		one.was = nhs[first].was;
		first = i + 1;
		if (nexthop_changes(&one))
			nhs[n++] = one;
	}
	set->n_nexthops = n;
}

static void coalesce_members(struct change_set *set)
{
	struct change_member *members = set->members, one;
	size_t n = 0, first = 0;

	if (set->n_members)
		qsort(members, set->n_members, sizeof(*members), member_cmp);
	for (size_t i = 0; i < set->n_members; i++) {
		if (i + 1 < set->n_members && !vpc_member_cmp(&members[i].member, &members[i + 1].member))
			continue;
		one = members[i];
		one.was = members[first].was;
		first = i + 1;
		if (one.was != one.member.weight)
			members[n++] = one;
	}
	set->n_members = n;
}

static void coalesce_routes(struct change_set *set)
{
	struct change_route *routes = set->routes, one;
	size_t n = 0, first = 0, i;

	/* An import comes sorted. */
	for (i = 1; i < set->n_routes && route_cmp(&routes[i - 1], &routes[i]) < 0; i++)
		;
	if (i < set->n_routes)
		qsort(routes, set->n_routes, sizeof(*routes), route_cmp);
	for (i = 0; i < set->n_routes; i++) {
		if (i + 1 < set->n_routes && !vpc_route_cmp(&routes[i].route, &routes[i + 1].route))
			continue;
		one = routes[i];
		one.was = routes[first].was;
		first = i + 1;
		if (one.was != one.route.nexthop)
			routes[n++] = one;
	}
	set->n_routes = n;
}

void change_set_coalesce(struct change_set *set)
{
	coalesce_nexthops(set);
	coalesce_members(set);
	coalesce_routes(set);
}

void change_set_digest(const struct change_set *set, struct vpc_digest *digest)
{
	for (size_t i = 0; i < set->n_nexthops; i++) {
		if (set->nexthops[i].has_was)
			vpc_digest_sub_nexthop(digest, &set->nexthops[i].was);
		if (set->nexthops[i].has_is)
			vpc_digest_add_nexthop(digest, &set->nexthops[i].is);
	}
	for (size_t i = 0; i < set->n_members; i++) {
		struct vpc_nl_member was = set->members[i].member;

		was.weight = set->members[i].was;
		if (was.weight)
			vpc_digest_sub_member(digest, &was);
		if (set->members[i].member.weight)
			vpc_digest_add_member(digest, &set->members[i].member);
	}
	for (size_t i = 0; i < set->n_routes; i++) {
		struct vpc_route was = set->routes[i].route;

		was.nexthop = set->routes[i].was;
		if (was.nexthop)
			vpc_digest_sub_route(digest, &was);
		if (set->routes[i].route.nexthop)
			vpc_digest_add_route(digest, &set->routes[i].route);
	}
}

void change_set_clear(struct change_set *set)
{
	free(set->nexthops);
	free(set->members);
	free(set->routes);
	*set = (struct change_set){};
}

static int append(void *to, size_t *n, size_t *cap, const void *from, size_t n_from, size_t size)
{
	void *p;

	if (!n_from)
		return 0;
	if (*n + n_from > *cap) {
		p = reallocarray(*(void **)to, 2 * (*n + n_from), size);
		if (!p)
			return -ENOMEM;
		*(void **)to = p;
		*cap = 2 * (*n + n_from);
	}
	memcpy(*(char **)to + *n * size, from, n_from * size);
	*n += n_from;
	return 0;
}

int change_set_move(struct change_set *to, struct change_set *from)
{
	int r;

	if (!change_set_count(to)) {
		change_set_clear(to);
		*to = *from;
		*from = (struct change_set){};
		return 0;
	}
	r = append(&to->nexthops, &to->n_nexthops, &to->cap_nexthops, from->nexthops, from->n_nexthops,
		   sizeof(*to->nexthops));
	if (!r)
		r = append(&to->members, &to->n_members, &to->cap_members, from->members, from->n_members,
			   sizeof(*to->members));
	if (!r)
		r = append(&to->routes, &to->n_routes, &to->cap_routes, from->routes, from->n_routes,
			   sizeof(*to->routes));
	if (!r)
		from->n_nexthops = from->n_members = from->n_routes = 0;
	return r;
}
