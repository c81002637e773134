/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random states for the tests of model and diff: small id and prefix spaces, so that two of them share, differ in and
 * lack elements alike.
 */
#ifndef VPC_TEST_RANDOM_STATE_H
#define VPC_TEST_RANDOM_STATE_H

#include <stdlib.h>
#include <string.h>
#include "../../lib/digest.h"
#include "../../lib/model.h"

static inline struct vpc_nl_nexthop random_nexthop(uint32_t id)
{
	struct vpc_nl_nexthop nh = { .id = id, .type = VPC_NEXTHOP_BLACKHOLE };

	if (rand() % 2) {
		nh.type = rand() % 2 ? VPC_NEXTHOP_HOST : VPC_NEXTHOP_GATEWAY;
		nh.family = AF_INET;
		nh.addr[0] = 192;
		nh.addr[3] = rand() % 4;
		nh.vni = rand() % 3;
	}
	return nh;
}

/* Its group and nexthop need not be there: that is vpc_state_check()'s affair. */
static inline struct vpc_nl_member random_member(uint32_t value)
{
	return (struct vpc_nl_member){ .group = 21 + value / 8, .nexthop = 1 + value % 8, .weight = 1 + rand() % 3 };
}

static inline struct vpc_route random_route(uint32_t table, uint8_t value, uint32_t nexthop)
{
	struct vpc_route route = { .table = table, .nexthop = nexthop };

	route.prefix = (struct vpc_prefix){ .family = value & 1 ? AF_INET6 : AF_INET, .plen = value & 2 ? 16 : 24 };
	route.prefix.bytes[0] = 10;
	route.prefix.bytes[1] = value >> 2;
	return route;
}

/* Each possible element is there with a chance of @density in 8; unsorted when @shuffled. */
static inline void random_state(struct vpc_state *state, unsigned int density, bool shuffled)
{
	vpc_state_init(state, 100);
	state->epoch = rand() % 1000;
	for (uint32_t id = 1; id < 20; id++) {
		struct vpc_nl_nexthop nh = random_nexthop(shuffled ? 20 - id : id);

		if ((unsigned int)rand() % 8 < density)
			vpc_state_add_nexthop(state, &nh);
	}
	for (unsigned int value = 0; value < 32; value++) {
		struct vpc_nl_member member = random_member(shuffled ? 31 - value : value);

		if ((unsigned int)rand() % 8 < density)
			vpc_state_add_member(state, &member);
	}
	for (unsigned int value = 0; value < 256; value++) {
		struct vpc_route route = random_route(value * 7 % 3, value, 1 + rand() % 3);

		if ((unsigned int)rand() % 8 < density)
			vpc_state_add_route(state, &route);
	}
	if (!shuffled)
		vpc_state_sort(state, NULL);
	state->digest = vpc_digest_of_state(state);
}

static inline bool states_same(const struct vpc_state *a, const struct vpc_state *b)
{
	if (a->vni != b->vni || a->epoch != b->epoch || !vpc_digest_equal(&a->digest, &b->digest) ||
	    a->n_nexthops != b->n_nexthops || a->n_members != b->n_members || a->n_routes != b->n_routes)
		return false;
	for (size_t i = 0; i < a->n_nexthops; i++)
		if (!vpc_nexthop_equal(&a->nexthops[i], &b->nexthops[i]) || a->nexthops[i].op != VPC_OP_SET)
			return false;
	for (size_t i = 0; i < a->n_members; i++)
		if (memcmp(&a->members[i], &b->members[i], sizeof(a->members[i])) || a->members[i].op != VPC_OP_SET)
			return false;
	for (size_t i = 0; i < a->n_routes; i++)
		if (vpc_route_cmp(&a->routes[i], &b->routes[i]) || a->routes[i].nexthop != b->routes[i].nexthop)
			return false;
	return true;
}

#endif
