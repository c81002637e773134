// SPDX-License-Identifier: Apache-2.0
/*
 * "nlcheck oracle": hundreds of random transactions, good and bad, in the kernel and in lib/model.c, which must agree
 * on what is refused, on the digest after each, and on the content. A seed that failed is printed. Called by main().
 */
#include "nlcheck.h"

#include <stdio.h>
#include <string.h>
#include <sys/param.h>

#define VNI 500
#define TXNS 400
#define FULL_EVERY 10 /* transactions between two comparisons of all content */

/* Few of everything, so that transactions meet what earlier ones left. */
#define IDS 24U
#define TABLES 4U

/* xorshift: the same on every machine. */
static uint32_t any(uint32_t below)
{
	static uint64_t x;

	if (!x)
		x = nlcheck_seed * 0x9e3779b97f4a7c15ULL | 1;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 32) % below;
}

static struct vpc_nl_nexthop any_nexthop(void)
{
	static const uint8_t types[] = { VPC_NEXTHOP_LOCAL,	VPC_NEXTHOP_HOST,     VPC_NEXTHOP_GATEWAY,
					 VPC_NEXTHOP_BLACKHOLE, VPC_NEXTHOP_PROHIBIT, VPC_NEXTHOP_UNREACHABLE,
					 VPC_NEXTHOP_PEER };
	struct vpc_nl_nexthop nh = { .id = 1 + any(IDS), .type = types[any(ARRAY_SIZE(types))] };

	/* Every fourth id is a group's, so that most transactions with members are good ones. */
	if (nh.id % 4 == 0)
		nh.type = VPC_NEXTHOP_GROUP;
	if (nh.type == VPC_NEXTHOP_PEER) {
		nh.vni = 1 + any(VNI - 1);
		nh.table = any(3);
	}
	if (nh.type != VPC_NEXTHOP_HOST && nh.type != VPC_NEXTHOP_GATEWAY)
		return nh;
	if (any(2)) {
		nh.family = AF_INET;
		memcpy(nh.addr, ((uint8_t[]){ 192, 0, 2, any(8) }), 4);
	} else {
		nh.family = AF_INET6;
		nh.addr[0] = 0xfd;
		nh.addr[15] = any(8);
	}
	nh.vni = any(3);
	nh.mac[0] = any(2) * 2;
	nh.mac[5] = any(2);
	return nh;
}

/* Long and short prefixes above few addresses: nodes split, join and nest. */
static struct vpc_prefix any_prefix(void)
{
	struct vpc_prefix prefix = { .family = any(3) ? AF_INET : AF_INET6 };
	unsigned int bits = vpc_family_bits(prefix.family);

	prefix.plen = any(2) ? any(bits + 1) : bits - any(4);
	for (unsigned int i = 0; i < bits / 8; i++)
		prefix.bytes[i] = any(4) ? 0 : any(256);
	for (unsigned int bit = prefix.plen; bit < bits; bit++)
		prefix.bytes[bit / 8] &= ~(0x80 >> bit % 8);
	return prefix;
}

static void must(int r)
{
	struct vpc_err err = { "out of memory" };

	nlcheck_must(r, &err, "oracle");
}

/* One operation an element, as struct vpc_delta has it: what is there already in @delta is left alone. */
static bool has_route(const struct vpc_delta *delta, const struct vpc_route *route)
{
	for (size_t i = 0; i < delta->n_routes; i++)
		if (!vpc_route_cmp(&delta->routes[i].route, route))
			return true;
	return false;
}

static bool has_nexthop(const struct vpc_delta *delta, uint32_t id)
{
	for (size_t i = 0; i < delta->n_nexthops; i++)
		if (delta->nexthops[i].id == id)
			return true;
	return false;
}

static bool in_use(const struct vpc_state *state, uint32_t id)
{
	for (size_t i = 0; i < state->n_routes; i++)
		if (state->routes[i].nexthop == id)
			return true;
	for (size_t i = 0; i < state->n_members; i++)
		if (state->members[i].nexthop == id || state->members[i].group == id)
			return true;
	return false;
}

static void any_route_op(const struct vpc_state *state, struct vpc_delta *delta, bool bad)
{
	struct vpc_route route = { .table = any(TABLES), .prefix = any_prefix() };
	bool del = any(3) == 0;

	/* Most deletions and many changes are of what is there. */
	if (state->n_routes && (del || any(3) == 0))
		route = state->routes[any(state->n_routes)];
	if (bad && any(8) == 0) {
		del = true;
		route.prefix = any_prefix();
	}
	if (has_route(delta, &route))
		return;
	if (!bad && del && !vpc_state_find_route(state, route.table, &route.prefix))
		del = false;
	if (del) {
		must(vpc_delta_del_route(delta, route.table, &route.prefix));
		return;
	}
	route.nexthop = state->n_nexthops && !bad ? state->nexthops[any(state->n_nexthops)].id : 1 + any(IDS);
	if (has_nexthop(delta, route.nexthop) || vpc_state_find_nexthop(state, route.nexthop) || bad)
		must(vpc_delta_set_route(delta, &route));
}

static void any_nexthop_op(const struct vpc_state *state, struct vpc_delta *delta, bool bad)
{
	struct vpc_nl_nexthop nh = any_nexthop();

	if (has_nexthop(delta, nh.id))
		return;
	if (any(3) == 0 && (bad || (vpc_state_find_nexthop(state, nh.id) && !in_use(state, nh.id))))
		must(vpc_delta_del_nexthop(delta, nh.id));
	else
		must(vpc_delta_set_nexthop(delta, &nh));
}

static bool has_member(const struct vpc_delta *delta, const struct vpc_nl_member *member)
{
	for (size_t i = 0; i < delta->n_members; i++)
		if (!vpc_member_cmp(&delta->members[i], member))
			return true;
	return false;
}

static void any_member_op(const struct vpc_state *state, struct vpc_delta *delta, bool bad)
{
	struct vpc_nl_member member = { .group = 4 + 4 * any(IDS / 4), .nexthop = 1 + any(IDS) };
	bool del = any(3) == 0;

	if (bad && any(4) == 0)
		member.group = 1 + any(IDS);
	else if (state->n_members && (del || any(3) == 0))
		member = state->members[any(state->n_members)];
	member.weight = 1 + any(VPC_WEIGHT_MAX);
	if (has_member(delta, &member))
		return;
	if (del && (bad || vpc_state_find_member(state, member.group, member.nexthop)))
		must(vpc_delta_del_member(delta, member.group, member.nexthop));
	else if (bad || (member.nexthop % 4 && vpc_state_find_nexthop(state, member.group) &&
			 vpc_state_find_nexthop(state, member.nexthop) && !has_nexthop(delta, member.group) &&
			 !has_nexthop(delta, member.nexthop)))
		must(vpc_delta_set_member(delta, &member));
}

static void any_delta(const struct vpc_state *state, struct vpc_delta *ret_delta)
{
	bool bad = any(4) == 0;
	unsigned int n = 1 + any(40);

	vpc_delta_init(ret_delta, VNI);
	ret_delta->base = state->epoch;
	ret_delta->epoch = state->epoch + any(2);
	for (unsigned int i = 0; i < n; i++) {
		if (any(5) == 0)
			any_member_op(state, ret_delta, bad);
		else if (any(4) == 0)
			any_nexthop_op(state, ret_delta, bad);
		else
			any_route_op(state, ret_delta, bad);
	}
}

static void copy(const struct vpc_state *state, struct vpc_state *ret_copy)
{
	vpc_state_init(ret_copy, state->vni);
	ret_copy->epoch = state->epoch;
	for (size_t i = 0; i < state->n_nexthops; i++)
		must(vpc_state_add_nexthop(ret_copy, &state->nexthops[i]));
	for (size_t i = 0; i < state->n_members; i++)
		must(vpc_state_add_member(ret_copy, &state->members[i]));
	for (size_t i = 0; i < state->n_routes; i++)
		must(vpc_state_add_route(ret_copy, &state->routes[i]));
}

/* What lib/model.c says of it: 0 or the refusal; @state moves on when it is good. */
static int predict(struct vpc_state *state, struct vpc_delta *delta, struct vpc_state *ret_next)
{
	struct vpc_err err;
	int r;

	copy(state, ret_next);
	r = vpc_state_apply(ret_next, delta, &err);
	if (!r) {
		ret_next->digest = vpc_digest_of_state(ret_next);
		delta->digest = ret_next->digest;
		r = vpc_state_check(ret_next, &err);
	}
	return r;
}

/* Routes without a nexthop: the kernel tells one that was deleted from one that never was. */
static bool agrees(int predicted, int r)
{
	return predicted == -EINVAL ? r == -EINVAL || r == -EBUSY : predicted == r;
}

static void compare(const struct vpc_state *state, bool content)
{
	struct vpc_digest found, want = vpc_digest_of_state(state);
	struct kernel_vpc vpc;
	struct vpc_state have;
	struct vpc_err err;

	nlcheck_must(kernel_verify(nlcheck_kernel, VNI, &vpc, &found, &err), &err, "verify");
	nlcheck_true("digests", vpc_digest_equal(&vpc.digest, &want) && vpc_digest_equal(&found, &want) && !vpc.faults);
	nlcheck_true("counts", vpc.epoch == state->epoch && vpc.n_routes == state->n_routes &&
				       vpc.n_nexthops == state->n_nexthops && vpc.n_members == state->n_members);
	if (!content)
		return;
	nlcheck_must(kernel_dump(nlcheck_kernel, VNI, &have, &err), &err, "dump");
	nlcheck_true("content", nlcheck_state_equal(state, &have));
	vpc_state_clear(&have);
}

#define ROW_MAX 3

/* Good ones that lead on from @next, which moves on with them: they go into the same transaction. */
static size_t any_row(struct vpc_state *next, struct vpc_delta *deltas)
{
	size_t n = any(4) ? 0 : 1 + any(ROW_MAX - 1);

	for (size_t i = 0; i < n; i++) {
		struct vpc_state further;

		any_delta(next, &deltas[i]);
		if (predict(next, &deltas[i], &further)) {
			vpc_state_clear(&further);
			vpc_delta_clear(&deltas[i]);
			return i;
		}
		vpc_state_clear(next);
		*next = further;
	}
	return n;
}

/* Return: whether it was accepted. */
static bool one_transaction(struct vpc_state *state)
{
	struct vpc_delta deltas[ROW_MAX];
	struct vpc_err err = { "" };
	struct vpc_state next;
	int predicted, r;
	size_t n = 1;

	any_delta(state, &deltas[0]);
	predicted = predict(state, &deltas[0], &next);
	if (!predicted)
		n += any_row(&next, &deltas[1]);
	/* Now and then the same result written whole. */
	if (!predicted && any(8) == 0)
		r = kernel_replace(nlcheck_kernel, &next, &state->epoch, NULL, &err);
	else
		r = kernel_apply(nlcheck_kernel, deltas, n, &err);
	nlcheck_count(1);
	if (!agrees(predicted, r))
		nlcheck_fail("a random transaction", "kernel %d (%s), model %d", r, err.text, predicted);
	if (!r) {
		vpc_state_clear(state);
		*state = next;
	} else {
		vpc_state_clear(&next);
	}
	while (n)
		vpc_delta_clear(&deltas[--n]);
	return !r;
}

void nlcheck_oracle(void)
{
	size_t routes = 0, nexthops = 0, members = 0;	/* the most that there were at a time */
	unsigned int accepted = 0;
	struct vpc_state state;
	struct vpc_err err;

	vpc_state_init(&state, VNI);
	nlcheck_must(kernel_vpc_new(nlcheck_kernel, VNI, 0, &err), &err, "oracle");
	for (int i = 0; i < TXNS; i++) {
		accepted += one_transaction(&state);
		compare(&state, i % FULL_EVERY == 0);
		routes = MAX(routes, state.n_routes);
		nexthops = MAX(nexthops, state.n_nexthops);
		members = MAX(members, state.n_members);
	}
	compare(&state, true);
	printf("seed %lu: %u of %d transactions accepted; %zu routes, %zu nexthops, %zu members at the end\n",
	       nlcheck_seed, accepted, TXNS, state.n_routes, state.n_nexthops, state.n_members);
	nlcheck_true("transactions of both kinds", accepted > TXNS / 2 && accepted < TXNS - TXNS / 20);
	nlcheck_true("there was something to compare", routes > 50 && nexthops > 5 && members > 5);
	vpc_state_clear(&state);
}
