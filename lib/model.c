// SPDX-License-Identifier: Apache-2.0
/*
 * A VPC's state at one epoch and the delta between two: arrays, their order, their soundness, and the application of
 * a delta. CDB, znode and netlink readers fill states, lib/diff.c compares them, the agent and the publisher apply
 * deltas.
 */
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

typedef int (*cmp_fn)(const void *a, const void *b);

static int array_resize(void *array_ptr, size_t want, size_t *cap, size_t size)
{
	void **array = array_ptr, *bigger;

	bigger = reallocarray(*array, want, size);
	if (!bigger)
		return -ENOMEM;
	*array = bigger;
	*cap = want;
	return 0;
}

/* Room for one more element; the array doubles, so that appending a million costs twenty copies. */
static int array_reserve(void *array_ptr, size_t n, size_t *cap, size_t size)
{
	return n < *cap ? 0 : array_resize(array_ptr, *cap ? *cap * 2 : 16, cap, size);
}

/* The first element that is not before its successor; the last when all are in order and unique. */
static size_t array_ordered(const char *p, size_t n, size_t size, cmp_fn cmp)
{
	size_t i = 0;

	while (i + 1 < n && cmp(p + i * size, p + (i + 1) * size) < 0)
		i++;
	return i;
}

/* Sorts and returns the index of the first element that equals its successor, @n when all are unique. */
static size_t array_sort(void *array, size_t n, size_t size, cmp_fn cmp)
{
	size_t i = array_ordered(array, n, size, cmp);

	if (i + 1 >= n)
		return n;
	qsort(array, n, size, cmp);
	i = array_ordered(array, n, size, cmp);
	return i + 1 >= n ? n : i;
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

int vpc_nexthop_cmp(const struct vpc_nl_nexthop *a, const struct vpc_nl_nexthop *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}

bool vpc_nexthop_equal(const struct vpc_nl_nexthop *a, const struct vpc_nl_nexthop *b)
{
	return a->id == b->id && a->type == b->type && a->family == b->family && a->vni == b->vni &&
	       a->table == b->table && !memcmp(a->mac, b->mac, sizeof(a->mac)) &&
	       !memcmp(a->addr, b->addr, sizeof(a->addr));
}

int vpc_member_cmp(const struct vpc_nl_member *a, const struct vpc_nl_member *b)
{
	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	return a->nexthop < b->nexthop ? -1 : a->nexthop > b->nexthop;
}

int vpc_route_cmp(const struct vpc_route *a, const struct vpc_route *b)
{
	if (a->table != b->table)
		return a->table < b->table ? -1 : 1;
	return vpc_prefix_cmp(&a->prefix, &b->prefix);
}

/* -- state --------------------------------------------------------------------------------------------------------- */

void vpc_state_init(struct vpc_state *state, uint32_t vni)
{
	*state = (struct vpc_state){ .vni = vni };
}

void vpc_state_clear(struct vpc_state *state)
{
	free(state->nexthops);
	free(state->members);
	free(state->routes);
	vpc_state_init(state, state->vni);
}

int vpc_state_add_nexthop(struct vpc_state *state, const struct vpc_nl_nexthop *nh)
{
	int r = array_reserve(&state->nexthops, state->n_nexthops, &state->cap_nexthops, sizeof(*nh));

	if (r)
		return r;
	state->nexthops[state->n_nexthops] = *nh;
	state->nexthops[state->n_nexthops++].op = VPC_OP_SET;
	return 0;
}

int vpc_state_add_member(struct vpc_state *state, const struct vpc_nl_member *member)
{
	int r = array_reserve(&state->members, state->n_members, &state->cap_members, sizeof(*member));

	if (r)
		return r;
	state->members[state->n_members] = *member;
	state->members[state->n_members++].op = VPC_OP_SET;
	return 0;
}

int vpc_state_add_route(struct vpc_state *state, const struct vpc_route *route)
{
	int r = array_reserve(&state->routes, state->n_routes, &state->cap_routes, sizeof(*route));

	if (r)
		return r;
	state->routes[state->n_routes++] = *route;
	return 0;
}

int vpc_state_reserve_routes(struct vpc_state *state, size_t n)
{
	return n <= state->cap_routes ? 0
				      : array_resize(&state->routes, n, &state->cap_routes, sizeof(*state->routes));
}

int vpc_state_sort(struct vpc_state *state, struct vpc_err *err)
{
	size_t i = array_sort(state->nexthops, state->n_nexthops, sizeof(*state->nexthops), nexthop_cmp);
	char text[VPC_PREFIX_STRLEN];

	if (i < state->n_nexthops)
		return vpc_err_set(err, -EEXIST, "VPC %u: nexthop %u is there twice", state->vni,
				   state->nexthops[i].id);
	i = array_sort(state->members, state->n_members, sizeof(*state->members), member_cmp);
	if (i < state->n_members)
		return vpc_err_set(err, -EEXIST, "VPC %u: member %u of group %u is there twice", state->vni,
				   state->members[i].nexthop, state->members[i].group);
	i = array_sort(state->routes, state->n_routes, sizeof(*state->routes), route_cmp);
	if (i < state->n_routes)
		return vpc_err_set(err, -EEXIST, "VPC %u: route %s in table %u is there twice", state->vni,
				   vpc_prefix_format(&state->routes[i].prefix, text), state->routes[i].table);
	return 0;
}

const struct vpc_nl_nexthop *vpc_state_find_nexthop(const struct vpc_state *state, uint32_t id)
{
	struct vpc_nl_nexthop key = { .id = id };

	if (!state->n_nexthops)
		return NULL;
	return bsearch(&key, state->nexthops, state->n_nexthops, sizeof(key), nexthop_cmp);
}

const struct vpc_nl_member *vpc_state_find_member(const struct vpc_state *state, uint32_t group, uint32_t nexthop)
{
	struct vpc_nl_member key = { .group = group, .nexthop = nexthop };

	if (!state->n_members)
		return NULL;
	return bsearch(&key, state->members, state->n_members, sizeof(key), member_cmp);
}

const struct vpc_nl_member *vpc_state_members_of(const struct vpc_state *state, uint32_t group, size_t *ret_n)
{
	size_t lo = 0, hi = state->n_members, end;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (state->members[mid].group < group)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (end = lo; end < state->n_members && state->members[end].group == group; end++)
		;
	*ret_n = end - lo;
	return end > lo ? &state->members[lo] : NULL;
}

const struct vpc_route *vpc_state_find_route(const struct vpc_state *state, uint32_t table,
					     const struct vpc_prefix *prefix)
{
	struct vpc_route key = { .table = table, .prefix = *prefix };

	if (!state->n_routes)
		return NULL;
	return bsearch(&key, state->routes, state->n_routes, sizeof(key), route_cmp);
}

/* -- soundness ----------------------------------------------------------------------------------------------------- */

static bool all_zero(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i])
			return false;
	return true;
}

const char *vpc_nexthop_fault(const struct vpc_nl_nexthop *nh)
{
	bool has_vtep = nh->type == VPC_NEXTHOP_HOST || nh->type == VPC_NEXTHOP_GATEWAY;

	if (!nh->id)
		return "its id is 0";
	if (!nh->type || nh->type > VPC_NEXTHOP_MAX)
		return "its type is unknown";
	if (nh->vni > VPC_VNI_MAX)
		return "its VNI is more than 24 bits";
	if (has_vtep) {
		if (nh->family != AF_INET && nh->family != AF_INET6)
			return "its VTEP has no known address family";
		if (all_zero(nh->addr, sizeof(nh->addr)))
			return "its VTEP is missing";
		if (nh->family == AF_INET && !all_zero(nh->addr + 4, sizeof(nh->addr) - 4))
			return "its IPv4 VTEP is longer than 4 bytes";
		return nh->table ? "only a peer has a table" : NULL;
	}
	if (nh->family || !all_zero(nh->addr, sizeof(nh->addr)) || !all_zero(nh->mac, sizeof(nh->mac)))
		return "only a host or a gateway has a VTEP";
	if (nh->type != VPC_NEXTHOP_PEER)
		return nh->vni || nh->table ? "its type has neither VNI nor table" : NULL;
	if (!nh->vni)
		return "the peer's VNI is missing";
	return nh->table >= VPC_TABLES_MAX ? "its table is out of range" : NULL;
}

const char *vpc_member_fault(const struct vpc_nl_member *member)
{
	if (!member->group || !member->nexthop)
		return "a nexthop's id is not 0";
	if (!member->weight || member->weight > VPC_WEIGHT_MAX)
		return "its weight is out of range";
	return NULL;
}

static const char *prefix_fault(const struct vpc_prefix *prefix)
{
	struct vpc_prefix masked = *prefix;

	if (prefix->family != AF_INET && prefix->family != AF_INET6)
		return "its address family is unknown";
	if (prefix->plen > vpc_family_bits(prefix->family))
		return "its prefix length is too large";
	return vpc_prefix_mask(&masked) ? "it has bits beyond its length" : NULL;
}

/* What is wrong with member @i among the others; neighbours share their group. */
static const char *member_fault_at(const struct vpc_state *state, size_t i)
{
	const struct vpc_nl_member *member = &state->members[i];
	const char *fault = vpc_member_fault(member);
	const struct vpc_nl_nexthop *nh;

	if (fault)
		return fault;
	if (i >= VPC_MEMBERS_MAX && state->members[i - VPC_MEMBERS_MAX].group == member->group)
		return "its group has too many members";
	if (!i || state->members[i - 1].group != member->group) {
		nh = vpc_state_find_nexthop(state, member->group);
		if (!nh)
			return "its group is not there";
		if (nh->type != VPC_NEXTHOP_GROUP)
			return "what it belongs to is no group";
	}
	nh = vpc_state_find_nexthop(state, member->nexthop);
	if (!nh)
		return "its nexthop is not there";
	return nh->type == VPC_NEXTHOP_GROUP ? "a group cannot be a member" : NULL;
}

static int check_members(const struct vpc_state *state, struct vpc_err *err)
{
	for (size_t i = 0; i < state->n_members; i++) {
		const char *fault = member_fault_at(state, i);

		if (fault)
			return vpc_err_set(err, -EINVAL, "VPC %u: member %u of group %u: %s", state->vni,
					   state->members[i].nexthop, state->members[i].group, fault);
	}
	return 0;
}

int vpc_state_check(const struct vpc_state *state, struct vpc_err *err)
{
	char text[VPC_PREFIX_STRLEN];
	uint32_t known = 0; /* the last nexthop found: neighbours mostly share theirs */

	for (size_t i = 0; i < state->n_nexthops; i++) {
		const char *fault = vpc_nexthop_fault(&state->nexthops[i]);

		if (fault)
			return vpc_err_set(err, -EINVAL, "VPC %u: nexthop %u: %s", state->vni, state->nexthops[i].id,
					   fault);
	}
	if (check_members(state, err))
		return -EINVAL;
	for (size_t i = 0; i < state->n_routes; i++) {
		const struct vpc_route *route = &state->routes[i];
		const char *fault = prefix_fault(&route->prefix);

		if (fault)
			return vpc_err_set(err, -EINVAL, "VPC %u: route %s in table %u: %s", state->vni,
					   vpc_prefix_format(&route->prefix, text), route->table, fault);
		if (route->nexthop && route->nexthop == known)
			continue;
		if (!vpc_state_find_nexthop(state, route->nexthop))
			return vpc_err_set(err, -EINVAL, "VPC %u: route %s in table %u: there is no nexthop %u",
					   state->vni, vpc_prefix_format(&route->prefix, text), route->table,
					   route->nexthop);
		known = route->nexthop;
	}
	return 0;
}

/* -- delta --------------------------------------------------------------------------------------------------------- */

void vpc_delta_init(struct vpc_delta *delta, uint32_t vni)
{
	*delta = (struct vpc_delta){ .vni = vni };
}

void vpc_delta_clear(struct vpc_delta *delta)
{
	free(delta->nexthops);
	free(delta->members);
	free(delta->routes);
	vpc_delta_init(delta, delta->vni);
}

static int delta_add_nexthop(struct vpc_delta *delta, const struct vpc_nl_nexthop *nh, uint8_t op)
{
	int r = array_reserve(&delta->nexthops, delta->n_nexthops, &delta->cap_nexthops, sizeof(*nh));

	if (r)
		return r;
	delta->nexthops[delta->n_nexthops] = *nh;
	delta->nexthops[delta->n_nexthops++].op = op;
	return 0;
}

int vpc_delta_set_nexthop(struct vpc_delta *delta, const struct vpc_nl_nexthop *nh)
{
	return delta_add_nexthop(delta, nh, VPC_OP_SET);
}

int vpc_delta_del_nexthop(struct vpc_delta *delta, uint32_t id)
{
	struct vpc_nl_nexthop nh = { .id = id };

	return delta_add_nexthop(delta, &nh, VPC_OP_DEL);
}

static int delta_add_member(struct vpc_delta *delta, const struct vpc_nl_member *member, uint8_t op)
{
	int r = array_reserve(&delta->members, delta->n_members, &delta->cap_members, sizeof(*member));

	if (r)
		return r;
	delta->members[delta->n_members] = *member;
	delta->members[delta->n_members++].op = op;
	return 0;
}

int vpc_delta_set_member(struct vpc_delta *delta, const struct vpc_nl_member *member)
{
	return delta_add_member(delta, member, VPC_OP_SET);
}

int vpc_delta_del_member(struct vpc_delta *delta, uint32_t group, uint32_t nexthop)
{
	struct vpc_nl_member member = { .group = group, .nexthop = nexthop };

	return delta_add_member(delta, &member, VPC_OP_DEL);
}

static int delta_add_route(struct vpc_delta *delta, const struct vpc_route *route, uint8_t op)
{
	int r = array_reserve(&delta->routes, delta->n_routes, &delta->cap_routes, sizeof(*delta->routes));

	if (r)
		return r;
	delta->routes[delta->n_routes++] = (struct vpc_route_op){ .op = op, .route = *route };
	return 0;
}

int vpc_delta_set_route(struct vpc_delta *delta, const struct vpc_route *route)
{
	return delta_add_route(delta, route, VPC_OP_SET);
}

int vpc_delta_del_route(struct vpc_delta *delta, uint32_t table, const struct vpc_prefix *prefix)
{
	struct vpc_route route = { .table = table, .prefix = *prefix };

	return delta_add_route(delta, &route, VPC_OP_DEL);
}

/* -- ports --------------------------------------------------------------------------------------------------------- */

void vpc_port_clear(struct vpc_port *port)
{
	free(port->addrs);
	*port = (struct vpc_port){ 0 };
}

/* Every prefix of @a is among @b's. At most VPC_PORT_ADDRS_MAX of them, so the simple way is quick enough. */
static bool port_addrs_within(const struct vpc_port *a, const struct vpc_port *b)
{
	for (size_t i = 0; i < a->n_addrs; i++) {
		size_t k = 0;

		while (k < b->n_addrs && vpc_prefix_cmp(&a->addrs[i], &b->addrs[k]))
			k++;
		if (k == b->n_addrs)
			return false;
	}
	return true;
}

bool vpc_port_equal(const struct vpc_port *a, const struct vpc_port *b)
{
	return a->vni == b->vni && !strcmp(a->dev, b->dev) && !memcmp(a->mac, b->mac, sizeof(a->mac)) &&
	       a->table == b->table && a->flags == b->flags && !vpc_addr_cmp(&a->gateway4, &b->gateway4) &&
	       !vpc_addr_cmp(&a->gateway6, &b->gateway6) && !vpc_prefix_cmp(&a->subnet6, &b->subnet6) &&
	       a->n_addrs == b->n_addrs && port_addrs_within(a, b) && port_addrs_within(b, a);
}
