// SPDX-License-Identifier: Apache-2.0
/*
 * States and deltas: sorting and duplicates, soundness with one broken field at a time, deltas applied by the merge
 * and by an oracle that searches from the start each time, and refusals that must leave the state alone.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "../../lib/util.h"
#include "random_state.h"

static void test_sort(void **arg)
{
	srand(1);
	for (int i = 0; i < 200; i++) {
		struct vpc_state state;

		random_state(&state, 5, true);
		assert_int_equal(vpc_state_sort(&state, NULL), 0);
		for (size_t n = 1; n < state.n_nexthops; n++)
			assert_true(vpc_nexthop_cmp(&state.nexthops[n - 1], &state.nexthops[n]) < 0);
		for (size_t n = 1; n < state.n_routes; n++)
			assert_true(vpc_route_cmp(&state.routes[n - 1], &state.routes[n]) < 0);
		for (size_t n = 0; n < state.n_routes; n++)
			assert_ptr_equal(vpc_state_find_route(&state, state.routes[n].table, &state.routes[n].prefix),
					 &state.routes[n]);
		for (uint32_t id = 0; id < 22; id++) {
			const struct vpc_nl_nexthop *found = vpc_state_find_nexthop(&state, id);
			size_t n = 0;

			while (n < state.n_nexthops && state.nexthops[n].id != id)
				n++;
			assert_ptr_equal(found, n < state.n_nexthops ? &state.nexthops[n] : NULL);
		}
		vpc_state_clear(&state);
	}
}

static void test_sort_twice(void **arg)
{
	struct vpc_state state;
	struct vpc_err err;
	struct vpc_nl_nexthop nh;
	struct vpc_route route;

	random_state(&state, 8, false);
	route = state.routes[17];
	route.nexthop = 77;
	vpc_state_add_route(&state, &route);
	assert_int_equal(vpc_state_sort(&state, &err), -EEXIST);
	assert_non_null(strstr(err.text, "VPC 100: route "));
	nh = state.nexthops[3];
	vpc_state_add_nexthop(&state, &nh);
	assert_int_equal(vpc_state_sort(&state, &err), -EEXIST);
	assert_string_equal(err.text, "VPC 100: nexthop 4 is there twice");
	vpc_state_clear(&state);
}

static void test_empty(void **arg)
{
	struct vpc_prefix prefix = { .family = AF_INET };
	struct vpc_state state;

	vpc_state_init(&state, 1);
	assert_int_equal(vpc_state_sort(&state, NULL), 0);
	assert_int_equal(vpc_state_check(&state, NULL), 0);
	assert_null(vpc_state_find_nexthop(&state, 1));
	assert_null(vpc_state_find_route(&state, 0, &prefix));
	vpc_state_clear(&state);
}

/* A sound state of each kind of nexthop and both families, of which a test breaks one thing. */
static void sound_state(struct vpc_state *state)
{
	struct vpc_nl_nexthop nexthops[] = {
		{ .id = 1, .type = VPC_NEXTHOP_GATEWAY, .family = AF_INET, .addr = { 192, 0, 2, 1 } },
		{ .id = 2, .type = VPC_NEXTHOP_GATEWAY, .family = AF_INET6, .addr = { 0x20, 1, [15] = 1 }, .vni = 7 },
		{ .id = 3, .type = VPC_NEXTHOP_PEER, .vni = 5, .table = 1 },
		{ .id = 4, .type = VPC_NEXTHOP_BLACKHOLE },
		{ .id = 5, .type = VPC_NEXTHOP_GROUP },
		{ .id = 6, .type = VPC_NEXTHOP_GROUP },
	};
	struct vpc_nl_member members[] = {
		{ .group = 5, .nexthop = 1, .weight = 1 },
		{ .group = 5, .nexthop = 2, .weight = VPC_WEIGHT_MAX },
		{ .group = 6, .nexthop = 2, .weight = 7 },
	};
	struct vpc_route routes[] = {
		{ 0, 1, { AF_INET, 0, { 0 } } },
		{ 0, 3, { AF_INET, 9, { 10, 128 } } },
		{ 1, 2, { AF_INET6, 128, { 0x20, 1, [15] = 1 } } },
	};

	vpc_state_init(state, 100);
	for (size_t i = 0; i < ARRAY_SIZE(nexthops); i++)
		vpc_state_add_nexthop(state, &nexthops[i]);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		vpc_state_add_member(state, &members[i]);
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		vpc_state_add_route(state, &routes[i]);
}

#define BREAK(name, statement)                        \
	static void break_##name(struct vpc_state *s) \
	{                                             \
		statement;                            \
	}
BREAK(id, s->nexthops[0].id = 0)
BREAK(type, s->nexthops[0].type = 0)
BREAK(type_high, s->nexthops[0].type = VPC_NEXTHOP_MAX + 1)
BREAK(vni, s->nexthops[0].vni = VPC_VNI_MAX + 1)
BREAK(family, s->nexthops[0].family = 3)
BREAK(vtep, memset(s->nexthops[0].addr, 0, 16))
BREAK(vtep_long, s->nexthops[0].addr[4] = 1)
BREAK(gateway_table, s->nexthops[1].table = 1)
BREAK(peer_vni, s->nexthops[2].vni = 0)
BREAK(peer_table, s->nexthops[2].table = VPC_TABLES_MAX)
BREAK(peer_addr, s->nexthops[2].addr[0] = 1)
BREAK(plain_vni, s->nexthops[3].vni = 1)
BREAK(plain_table, s->nexthops[3].table = 1)
BREAK(plain_mac, s->nexthops[3].mac[5] = 1)
BREAK(plain_group, s->nexthops[4].vni = 1)
BREAK(member_group, s->members[2].group = 7)
BREAK(member_group0, s->members[0].group = 0)
BREAK(member_of_gateway, s->members[0].group = 1)
BREAK(member_nexthop, s->members[1].nexthop = 9)
BREAK(member_nexthop0, s->members[1].nexthop = 0)
BREAK(member_itself, s->members[0].nexthop = 5)
BREAK(member_nested, s->members[1].nexthop = 6)
BREAK(member_weight0, s->members[1].weight = 0)
BREAK(member_weight, s->members[1].weight = VPC_WEIGHT_MAX + 1)
BREAK(route_nexthop, s->routes[1].nexthop = 9)
BREAK(route_nexthop0, s->routes[0].nexthop = 0)
BREAK(route_family, s->routes[0].prefix.family = 0)
BREAK(route_plen, s->routes[1].prefix.plen = 33)
BREAK(route_plen6, s->routes[2].prefix.plen = 129)
BREAK(route_bits, s->routes[1].prefix.plen = 8)
BREAK(route_bits_next, s->routes[1].prefix.bytes[3] = 1)
BREAK(route_bits_default, s->routes[0].prefix.bytes[0] = 0x80)
BREAK(route_tail, s->routes[1].prefix.bytes[15] = 1)
BREAK(route_bits6, s->routes[2].prefix.plen = 127)

static void test_check(void **arg)
{
	static const struct {
		void (*fn)(struct vpc_state *state);
		const char *says;
	} breaks[] = {
		{ break_id, "nexthop 0: its id is 0" },
		{ break_type, "nexthop 1: its type is unknown" },
		{ break_type_high, "nexthop 1: its type is unknown" },
		{ break_vni, "nexthop 1: its VNI" },
		{ break_family, "nexthop 1: its VTEP" },
		{ break_vtep, "nexthop 1: its VTEP is missing" },
		{ break_vtep_long, "nexthop 1: its IPv4 VTEP" },
		{ break_gateway_table, "nexthop 2: only a peer" },
		{ break_peer_vni, "nexthop 3: the peer's VNI" },
		{ break_peer_table, "nexthop 3: its table" },
		{ break_peer_addr, "nexthop 3: only a host" },
		{ break_plain_vni, "nexthop 4: its type has neither" },
		{ break_plain_table, "nexthop 4: its type has neither" },
		{ break_plain_mac, "nexthop 4: only a host" },
		{ break_plain_group, "nexthop 5: its type has neither" },
		{ break_member_group, "member 2 of group 7: its group is not there" },
		{ break_member_group0, "member 1 of group 0: a nexthop's id is not 0" },
		{ break_member_of_gateway, "member 1 of group 1: what it belongs to is no group" },
		{ break_member_nexthop, "member 9 of group 5: its nexthop is not there" },
		{ break_member_nexthop0, "member 0 of group 5: a nexthop's id is not 0" },
		{ break_member_itself, "member 5 of group 5: a group cannot be a member" },
		{ break_member_nested, "member 6 of group 5: a group cannot be a member" },
		{ break_member_weight0, "member 2 of group 5: its weight" },
		{ break_member_weight, "member 2 of group 5: its weight" },
		{ break_route_nexthop, "route 10.128.0.0/9 in table 0: there is no nexthop 9" },
		{ break_route_nexthop0, "there is no nexthop 0" },
		{ break_route_family, "its address family" },
		{ break_route_plen, "its prefix length" },
		{ break_route_plen6, "its prefix length" },
		{ break_route_bits, "route 10.128.0.0/8 in table 0: it has bits" },
		{ break_route_bits_next, "it has bits" },
		{ break_route_bits_default, "it has bits" },
		{ break_route_tail, "it has bits" },
		{ break_route_bits6, "in table 1: it has bits" },
	};
	struct vpc_state state;

	sound_state(&state);
	assert_int_equal(vpc_state_check(&state, NULL), 0);
	vpc_state_clear(&state);
	for (size_t i = 0; i < ARRAY_SIZE(breaks); i++) {
		struct vpc_err err = { "" };

		sound_state(&state);
		breaks[i].fn(&state);
		assert_int_equal(vpc_state_check(&state, &err), -EINVAL);
		assert_non_null(strstr(err.text, breaks[i].says));
		vpc_state_clear(&state);
	}
}

/* -- apply --------------------------------------------------------------------------------------------------------- */

/* A delta of random operations, in random order, that @state can take; at most one an element. */
static void random_delta(const struct vpc_state *state, struct vpc_delta *delta, unsigned int density)
{
	vpc_delta_init(delta, state->vni);
	delta->base = state->epoch;
	delta->epoch = state->epoch + 1;
	delta->digest = (struct vpc_digest){ { rand(), rand() } };
	for (uint32_t id = 25; id >= 1; id--) {
		struct vpc_nl_nexthop nh = random_nexthop(id);

		if ((unsigned int)rand() % 8 >= density)
			continue;
		if (vpc_state_find_nexthop(state, id) && rand() % 2)
			vpc_delta_del_nexthop(delta, id);
		else
			vpc_delta_set_nexthop(delta, &nh);
	}
	for (unsigned int i = 0; i < 40; i++) {
		struct vpc_nl_member member = random_member(i * 13 % 40);

		if ((unsigned int)rand() % 8 >= density)
			continue;
		if (vpc_state_find_member(state, member.group, member.nexthop) && rand() % 2)
			vpc_delta_del_member(delta, member.group, member.nexthop);
		else
			vpc_delta_set_member(delta, &member);
	}
	for (unsigned int i = 0; i < 256; i++) {
		unsigned int value = (i * 77 + 5) % 256;
		struct vpc_route route = random_route(value * 7 % 3, value, 1 + rand() % 9);

		if ((unsigned int)rand() % 8 >= density)
			continue;
		if (vpc_state_find_route(state, route.table, &route.prefix) && rand() % 2)
			vpc_delta_del_route(delta, route.table, &route.prefix);
		else
			vpc_delta_set_route(delta, &route);
	}
}

/* One operation after the other, each searching the whole state: what the merge must come out at. */
static void naive_apply(struct vpc_state *state, const struct vpc_delta *delta)
{
	for (size_t i = 0; i < delta->n_nexthops; i++) {
		const struct vpc_nl_nexthop *nh = &delta->nexthops[i];
		size_t n = 0;

		while (n < state->n_nexthops && state->nexthops[n].id != nh->id)
			n++;
		if (nh->op == VPC_OP_DEL)
			state->nexthops[n] = state->nexthops[--state->n_nexthops];
		else if (n < state->n_nexthops)
			state->nexthops[n] = *nh;
		else
			vpc_state_add_nexthop(state, nh);
	}
	for (size_t i = 0; i < delta->n_members; i++) {
		const struct vpc_nl_member *member = &delta->members[i];
		size_t n = 0;

		while (n < state->n_members && vpc_member_cmp(&state->members[n], member))
			n++;
		if (member->op == VPC_OP_DEL)
			state->members[n] = state->members[--state->n_members];
		else if (n < state->n_members)
			state->members[n] = *member;
		else
			vpc_state_add_member(state, member);
	}
	for (size_t i = 0; i < delta->n_routes; i++) {
		const struct vpc_route *route = &delta->routes[i].route;
		size_t n = 0;

		while (n < state->n_routes && vpc_route_cmp(&state->routes[n], route))
			n++;
		if (delta->routes[i].op == VPC_OP_DEL)
			state->routes[n] = state->routes[--state->n_routes];
		else if (n < state->n_routes)
			state->routes[n] = *route;
		else
			vpc_state_add_route(state, route);
	}
	vpc_state_sort(state, NULL);
	state->epoch = delta->epoch;
	state->digest = delta->digest;
}

static void state_copy(const struct vpc_state *from, struct vpc_state *to)
{
	vpc_state_init(to, from->vni);
	to->epoch = from->epoch;
	to->digest = from->digest;
	for (size_t i = 0; i < from->n_nexthops; i++)
		vpc_state_add_nexthop(to, &from->nexthops[i]);
	for (size_t i = 0; i < from->n_members; i++)
		vpc_state_add_member(to, &from->members[i]);
	for (size_t i = 0; i < from->n_routes; i++)
		vpc_state_add_route(to, &from->routes[i]);
}

static void test_apply(void **arg)
{
	srand(2);
	for (int i = 0; i < 2000; i++) {
		struct vpc_state state, expected;
		struct vpc_delta delta;

		random_state(&state, i % 9, false);
		state_copy(&state, &expected);
		random_delta(&state, &delta, i / 9 % 9);
		naive_apply(&expected, &delta);
		assert_int_equal(vpc_state_apply(&state, &delta, NULL), 0);
		assert_true(states_same(&state, &expected));
		vpc_delta_clear(&delta);
		vpc_state_clear(&expected);
		vpc_state_clear(&state);
	}
}

static void spoil_base(struct vpc_delta *delta)
{
	delta->base++;
}

static void spoil_vni(struct vpc_delta *delta)
{
	delta->vni++;
}

static void spoil_del_nexthop(struct vpc_delta *delta)
{
	vpc_delta_del_nexthop(delta, 4711);
}

static void spoil_del_route(struct vpc_delta *delta)
{
	struct vpc_prefix prefix = { AF_INET, 32, { 192, 0, 2, 1 } };

	vpc_delta_del_route(delta, 3, &prefix);
}

static void spoil_nexthop_twice(struct vpc_delta *delta)
{
	struct vpc_nl_nexthop nh = { .id = 30, .type = VPC_NEXTHOP_BLACKHOLE };

	vpc_delta_set_nexthop(delta, &nh);
	vpc_delta_del_nexthop(delta, 30);
}

static void spoil_route_twice(struct vpc_delta *delta)
{
	struct vpc_route route = { 9, 1, { AF_INET, 8, { 10 } } };

	vpc_delta_set_route(delta, &route);
	vpc_delta_set_route(delta, &route);
}

static void test_apply_refused(void **arg)
{
	static const struct {
		void (*spoil)(struct vpc_delta *delta);
		int code;
		const char *says;
	} cases[] = {
		{ spoil_base, -ESTALE, "VPC 100: the delta starts at epoch" },
		{ spoil_vni, -EINVAL, "the delta is for VPC 101, not for VPC 100" },
		{ spoil_del_nexthop, -ENOENT, "deletes nexthop 4711, which is not there" },
		{ spoil_del_route, -ENOENT, "deletes route 192.0.2.1/32 in table 3, which is not there" },
		{ spoil_nexthop_twice, -EINVAL, "changes nexthop 30 twice" },
		{ spoil_route_twice, -EINVAL, "changes route 10.0.0.0/8 in table 9 twice" },
	};

	srand(3);
	for (size_t i = 0; i < ARRAY_SIZE(cases) * 20; i++) {
		size_t c = i % ARRAY_SIZE(cases);
		struct vpc_state state, before;
		struct vpc_err err = { "" };
		struct vpc_delta delta;

		random_state(&state, 4, false);
		state_copy(&state, &before);
		random_delta(&state, &delta, 4);
		cases[c].spoil(&delta);
		assert_int_equal(vpc_state_apply(&state, &delta, &err), cases[c].code);
		assert_non_null(strstr(err.text, cases[c].says));
		assert_true(states_same(&state, &before));
		vpc_delta_clear(&delta);
		vpc_state_clear(&before);
		vpc_state_clear(&state);
	}
}

/* A million routes and ten thousand operations; a quadratic application would not come back. */
static void test_apply_large(void **arg)
{
	struct vpc_state state;
	struct vpc_delta delta;

	vpc_state_init(&state, 1);
	vpc_delta_init(&delta, 1);
	delta.epoch = 1;
	for (uint32_t i = 0; i < 1000000; i++) {
		struct vpc_route route = { 1, 1, { AF_INET, 32, { i >> 24, i >> 16, i >> 8, i } } };

		assert_int_equal(vpc_state_add_route(&state, &route), 0);
		if (i % 200 == 0)
			assert_int_equal(vpc_delta_del_route(&delta, 1, &route.prefix), 0);
		route.table = 2;
		if (i % 200 == 1)
			assert_int_equal(vpc_delta_set_route(&delta, &route), 0);
	}
	assert_int_equal(vpc_state_apply(&state, &delta, NULL), 0);
	assert_int_equal(state.n_routes, 1000000);
	assert_int_equal(state.routes[995000].table, 2);
	assert_int_equal(vpc_state_sort(&state, NULL), 0);
	vpc_delta_clear(&delta);
	vpc_state_clear(&state);
}

/* -- ports and names ----------------------------------------------------------------------------------------------- */

static void test_port_equal(void **arg)
{
	struct vpc_prefix addrs[] = { { AF_INET, 32, { 10, 0, 0, 5 } }, { AF_INET, 24, { 10, 0, 1, 0 } } };
	struct vpc_prefix turned[] = { addrs[1], addrs[0] }, twice[] = { addrs[0], addrs[0] };
	struct vpc_port a = {
		.id = 1, .vni = 100, .dev = "tap1", .mac = { 2 }, .table = 1, .addrs = addrs, .n_addrs = 2
	};
	struct vpc_port b = a;

	b.id = 2;
	b.addrs = turned;
	assert_true(vpc_port_equal(&a, &b));
	b.addrs = twice;
	assert_false(vpc_port_equal(&a, &b));
	assert_false(vpc_port_equal(&b, &a));
#define DIFFERS(statement)                            \
	do {                                          \
		b = a;                                \
		statement;                            \
		assert_false(vpc_port_equal(&a, &b)); \
	} while (0)
	DIFFERS(b.vni = 101);
	DIFFERS(b.dev[3] = '2');
	DIFFERS(b.mac[5] = 1);
	DIFFERS(b.table = 2);
	DIFFERS(b.flags = VPC_PORT_F_NO_SOURCE_CHECK);
	DIFFERS(b.gateway4.family = AF_INET);
	DIFFERS(b.gateway6.family = AF_INET6);
	DIFFERS(b.subnet6.family = AF_INET6);
	DIFFERS(b.n_addrs = 1);
}

static void test_members(void **arg)
{
	struct vpc_nl_nexthop group = { .id = 1, .type = VPC_NEXTHOP_GROUP };
	struct vpc_state state;
	struct vpc_err err;
	size_t n;

	vpc_state_init(&state, 100);
	vpc_state_add_nexthop(&state, &group);
	for (unsigned int i = VPC_MEMBERS_MAX + 1; i; i--) {
		struct vpc_nl_nexthop nh = { .id = 1 + i, .type = VPC_NEXTHOP_BLACKHOLE };
		struct vpc_nl_member member = { .group = 1, .nexthop = nh.id, .weight = 1, .op = VPC_OP_DEL };

		vpc_state_add_nexthop(&state, &nh);
		vpc_state_add_member(&state, &member);
	}
	assert_int_equal(vpc_state_sort(&state, &err), 0);
	assert_int_equal(state.members[0].nexthop, 2);
	assert_int_equal(state.members[0].op, VPC_OP_SET);
	assert_int_equal(vpc_state_check(&state, &err), -EINVAL);
	assert_string_equal(err.text, "VPC 100: member 130 of group 1: its group has too many members");
	state.n_members--;
	assert_int_equal(vpc_state_check(&state, &err), 0);
	assert_ptr_equal(vpc_state_find_member(&state, 1, 3), &state.members[1]);
	assert_null(vpc_state_find_member(&state, 1, 1));
	assert_ptr_equal(vpc_state_members_of(&state, 1, &n), &state.members[0]);
	assert_int_equal(n, VPC_MEMBERS_MAX);
	assert_null(vpc_state_members_of(&state, 2, &n));
	assert_int_equal(n, 0);
	state.members[1] = state.members[0];
	assert_int_equal(vpc_state_sort(&state, &err), -EEXIST);
	assert_string_equal(err.text, "VPC 100: member 2 of group 1 is there twice");
	vpc_state_clear(&state);
	assert_null(vpc_state_find_member(&state, 1, 3));
}

static void test_names(void **arg)
{
	struct vpc_nl_nexthop nh = {
		.id = 1, .type = VPC_NEXTHOP_GATEWAY, .family = AF_INET, .addr = { 192, 0, 2, 1 }
	};
	char buf[VPC_NEXTHOP_STRLEN];
	uint8_t type;

	for (unsigned int i = 1; i <= VPC_NEXTHOP_MAX; i++) {
		assert_int_equal(vpc_nexthop_type_parse(vpc_nexthop_type_name(i), &type), 0);
		assert_int_equal(type, i);
	}
	assert_string_equal(vpc_nexthop_type_name(0), "?");
	assert_string_equal(vpc_nexthop_type_name(VPC_NEXTHOP_MAX + 1), "?");
	assert_int_equal(vpc_nexthop_type_parse("?", &type), -EINVAL);
	assert_int_equal(vpc_nexthop_type_parse("", &type), -EINVAL);
	for (unsigned int i = 0; i <= VPC_DROP_MAX; i++)
		assert_string_not_equal(vpc_drop_name(i), "?");
	assert_string_equal(vpc_drop_name(VPC_DROP_NO_ROUTE), "no-route");
	assert_string_equal(vpc_drop_name(VPC_DROP_MAX + 1), "?");

	assert_string_equal(vpc_nexthop_format(&nh, buf), "gateway 192.0.2.1");
	nh.vni = 7;
	nh.mac[0] = 2;
	assert_string_equal(vpc_nexthop_format(&nh, buf), "gateway 192.0.2.1 vni 7 mac 02:00:00:00:00:00");
	nh = (struct vpc_nl_nexthop){ .id = 1, .type = VPC_NEXTHOP_PEER, .vni = 5, .table = 2 };
	assert_string_equal(vpc_nexthop_format(&nh, buf), "peer vni 5 table 2");
	nh.type = VPC_NEXTHOP_LOCAL;
	assert_string_equal(vpc_nexthop_format(&nh, buf), "local");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sort),	    cmocka_unit_test(test_sort_twice),
		cmocka_unit_test(test_empty),	    cmocka_unit_test(test_check),
		cmocka_unit_test(test_apply),	    cmocka_unit_test(test_apply_refused),
		cmocka_unit_test(test_apply_large), cmocka_unit_test(test_port_equal),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
