// SPDX-License-Identifier: Apache-2.0
/*
 * Large transactions cut into messages: what comes out is what went in, in the order that a delta has, and the messages
 * are full.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>

#include "fake_kernel.h"
#include "random_state.h"

/* What came out of the messages again, in their order. */
struct unpacked {
	struct vpc_delta delta;
	unsigned int phase, n_messages;
	bool many; /* deltas, each of which begins with its first phase again */
};

static void unpack_attr(const struct nlattr *attr, struct unpacked *out)
{
	size_t len = attr->nla_len - NLA_HDRLEN;
	const char *data = (const char *)attr + NLA_HDRLEN;

	assert_true(len > 0);
	for (size_t pos = 0; pos < len;) {
		struct vpc_nl_nexthop nh;
		struct vpc_nl_member member;
		struct vpc_nl_route4 r4;
		struct vpc_nl_route6 r6;
		struct vpc_route route = { 0 };
		unsigned int phase = 2;

		if (attr->nla_type == VPC_A_NEXTHOPS) {
			memcpy(&nh, data + pos, sizeof(nh));
			pos += sizeof(nh);
			phase = nh.op == VPC_OP_SET ? 0 : 3;
			if (nh.op == VPC_OP_SET)
				vpc_delta_set_nexthop(&out->delta, &nh);
			else
				vpc_delta_del_nexthop(&out->delta, nh.id);
		} else if (attr->nla_type == VPC_A_MEMBERS) {
			memcpy(&member, data + pos, sizeof(member));
			pos += sizeof(member);
			phase = 1;
			if (member.op == VPC_OP_SET)
				vpc_delta_set_member(&out->delta, &member);
			else
				vpc_delta_del_member(&out->delta, member.group, member.nexthop);
		} else if (attr->nla_type == VPC_A_ROUTES4) {
			memcpy(&r4, data + pos, sizeof(r4));
			pos += sizeof(r4);
			route = (struct vpc_route){ r4.table, r4.nexthop, { AF_INET, r4.plen, { 0 } } };
			memcpy(route.prefix.bytes, r4.addr, 4);
			r6.op = r4.op;
		} else {
			assert_int_equal(attr->nla_type, VPC_A_ROUTES6);
			memcpy(&r6, data + pos, sizeof(r6));
			pos += sizeof(r6);
			route = (struct vpc_route){ r6.table, r6.nexthop, { AF_INET6, r6.plen, { 0 } } };
			memcpy(route.prefix.bytes, r6.addr, 16);
		}
		if (phase == 2 && r6.op == VPC_OP_SET)
			vpc_delta_set_route(&out->delta, &route);
		else if (phase == 2)
			vpc_delta_del_route(&out->delta, route.table, &route.prefix);
		assert_true(out->many || phase >= out->phase);
		out->phase = phase;
		assert_true(pos <= len);
	}
}

static void unpack_row(struct kernel_ops ops, bool many, struct unpacked *out)
{
	memset(out, 0, sizeof(*out));
	out->many = many;
	for (;; out->n_messages++) {
		_cleanup_msg_ struct nl_msg *msg = NULL;
		struct nlattr *attr;
		int rem;

		assert_int_equal(kernel_msg_txn_add(FAKE_FAMILY, 3, &ops, &msg), 0);
		if (!msg)
			return;
		assert_true(nlmsg_hdr(msg)->nlmsg_len <= KERNEL_ADD_MSG_MAX);
		assert_true(nlmsg_attrlen(nlmsg_hdr(msg), GENL_HDRLEN) > 8);
		nlmsg_for_each_attr(attr, nlmsg_hdr(msg), GENL_HDRLEN, rem)
			if (attr->nla_type != VPC_A_TXN)
				unpack_attr(attr, out);
		assert_int_equal(rem, 0);
	}
}

static void unpack_all(struct kernel_ops ops, struct unpacked *out)
{
	unpack_row(ops, false, out);
}

static bool same_op(const struct vpc_route_op *a, const struct vpc_route_op *b)
{
	return a->op == b->op && !vpc_route_cmp(&a->route, &b->route) && a->route.nexthop == b->route.nexthop;
}

static void test_packing(void **arg)
{
	static const struct {
		unsigned int nexthops, routes, v6_every;
	} cases[] = {
		{ 0, 0, 1 },	   { 1, 0, 1 },		 { 5000, 0, 1 },	{ 0, 1, 2 },
		{ 0, 222, 9999 },  { 0, 223, 9999 },	 { 0, 444, 99999 },	{ 0, 30000, 1 },
		{ 0, 30000, 2 },   { 3000, 40000, 100 }, { 88, 7680, 99999 },
	};

	for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
		struct unpacked out;
		struct vpc_delta delta;
		size_t sets = 0, bytes = 0;

		vpc_delta_init(&delta, 1);
		for (uint32_t i = 1; i <= cases[c].nexthops; i++) {
			struct vpc_nl_nexthop nh = { .id = i, .type = VPC_NEXTHOP_BLACKHOLE };

			if (i % 3)
				vpc_delta_set_nexthop(&delta, &nh);
			else
				vpc_delta_del_nexthop(&delta, i);
		}
		for (uint32_t i = 1; i <= cases[c].routes; i++) {
			struct vpc_route route = { i % 3,
						   i,
						   { i % cases[c].v6_every ? AF_INET : AF_INET6, 32, { 0 } } };

			memcpy(route.prefix.bytes, &i, 4);
			bytes += route.prefix.family == AF_INET6 ? 28 : 16;
			if (i % 5)
				vpc_delta_set_route(&delta, &route);
			else
				vpc_delta_del_route(&delta, route.table, &route.prefix);
		}
		unpack_all(kernel_ops_of_deltas(&delta, 1), &out);
		assert_int_equal(out.delta.n_nexthops, delta.n_nexthops);
		assert_int_equal(out.delta.n_routes, delta.n_routes);
		for (size_t i = 0; i < delta.n_routes; i++)
			assert_true(same_op(&out.delta.routes[i], &delta.routes[i]));
		for (size_t i = 0; i < delta.n_nexthops; i++)
			if (delta.nexthops[i].op == VPC_OP_SET)
				assert_memory_equal(&out.delta.nexthops[sets++], &delta.nexthops[i],
						    sizeof(delta.nexthops[i]));
		for (size_t i = 0; i < delta.n_nexthops; i++)
			if (delta.nexthops[i].op == VPC_OP_DEL)
				assert_int_equal(out.delta.nexthops[sets++].id, delta.nexthops[i].id);
		if (cases[c].v6_every > 10)
			assert_true(out.n_messages <= (bytes + 40 * delta.n_nexthops) / (KERNEL_ADD_MSG_MAX - 104) + 1);
		vpc_delta_clear(&out.delta);
		vpc_delta_clear(&delta);
	}
}

/* Several deltas are in the order in which they came, whatever they say about the same route. */
static void test_packing_row(void **arg)
{
	struct vpc_nl_nexthop nh = { .id = 7, .type = VPC_NEXTHOP_BLACKHOLE };
	struct vpc_route route = { 1, 7, { AF_INET, 32, { 10, 0, 0, 1 } } };
	struct vpc_delta deltas[4];
	struct unpacked out;

	for (size_t i = 0; i < ARRAY_SIZE(deltas); i++)
		vpc_delta_init(&deltas[i], 1);
	vpc_delta_set_nexthop(&deltas[0], &nh);
	vpc_delta_set_route(&deltas[0], &route);
	vpc_delta_del_route(&deltas[2], route.table, &route.prefix);
	vpc_delta_del_nexthop(&deltas[2], nh.id);
	vpc_delta_set_nexthop(&deltas[3], &nh);
	vpc_delta_set_route(&deltas[3], &route);
	unpack_row(kernel_ops_of_deltas(deltas, ARRAY_SIZE(deltas)), true, &out);
	assert_int_equal(out.n_messages, 1);
	assert_int_equal(out.delta.n_nexthops, 3);
	assert_int_equal(out.delta.n_routes, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(out.delta.nexthops[i].id, nh.id);
		assert_int_equal(out.delta.nexthops[i].op, i == 1 ? VPC_OP_DEL : VPC_OP_SET);
		assert_int_equal(out.delta.routes[i].op, i == 1 ? VPC_OP_DEL : VPC_OP_SET);
	}
	vpc_delta_clear(&out.delta);
	for (size_t i = 0; i < ARRAY_SIZE(deltas); i++)
		vpc_delta_clear(&deltas[i]);
}

static void test_packing_state(void **arg)
{
	struct vpc_state state;
	struct unpacked out;

	srand(1);
	random_state(&state, 8, false);
	unpack_all(kernel_ops_of_state(&state), &out);
	assert_true(out.n_messages <= 2);
	assert_int_equal(out.delta.n_nexthops, state.n_nexthops);
	assert_int_equal(out.delta.n_routes, state.n_routes);
	for (size_t i = 0; i < state.n_routes; i++)
		assert_true(!vpc_route_cmp(&out.delta.routes[i].route, &state.routes[i]));
	assert_int_equal(out.delta.n_members, state.n_members);
	assert_memory_equal(out.delta.members, state.members, state.n_members * sizeof(*state.members));
	vpc_delta_clear(&out.delta);
	vpc_state_clear(&state);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packing),
		cmocka_unit_test(test_packing_row),
		cmocka_unit_test(test_packing_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
