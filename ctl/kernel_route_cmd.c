// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl kernel route and nexthop: a VPC's content as this kernel has it, of one epoch; and changes behind the
 * agent's back.
 */
#include <errno.h>
#include <stdio.h>
#include "../lib/digest.h"
#include "kernel_ctl.h"

static const char route_help[] = "Usage: vpcctl kernel route show VNI [table T] [prefix PREFIX] [netns NAME]\n"
				 "       vpcctl kernel route set VNI PREFIX nexthop ID [table T] [netns NAME]\n"
				 "       vpcctl kernel route del VNI PREFIX [table T] [netns NAME]\n\n"
				 "Table 0, the mapping, is the default of set and del; show shows all.\n";
static const char nexthop_help[] = "Usage: vpcctl kernel nexthop show VNI [netns NAME]\n";

static void print_route(struct ctl *ctl, const struct vpc_route *route)
{
	char prefix[VPC_PREFIX_STRLEN];
	struct json_object *object;

	if (!ctl->json) {
		printf("%s table %u nexthop %u\n", vpc_prefix_format(&route->prefix, prefix), route->table,
		       route->nexthop);
		return;
	}
	object = json_object_new_object();
	ctl_add_u64(object, "table", route->table);
	ctl_add_prefix(object, "prefix", &route->prefix);
	ctl_add_u64(object, "nexthop", route->nexthop);
	ctl_list_add(ctl, object);
}

static int route_show(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(kernel_closep) struct kernel *k = NULL;
	struct vpc_prefix within = { 0 };
	const char *netns = NULL;
	struct vpc_state state;
	uint32_t vni = 0, table = 0;
	struct ctl_arg args[] = { { "VNI", CTL_U32, &vni, .required = true },
				  { "table", CTL_U32, &table },
				  { "prefix", CTL_PREFIX, &within },
				  { "netns", CTL_WORD, &netns } };
	int r;

	r = kernel_ctl_open(ctl, args, ARRAY_SIZE(args), argc, argv, &netns, &k);
	if (r)
		return r;
	vpc_state_init(&state, vni);
	r = kernel_dump(k, vni, &state, &ctl->err);
	if (r)
		return r;
	ctl_list_begin(ctl);
	for (size_t i = 0; i < state.n_routes; i++) {
		if (ctl_given(args, ARRAY_SIZE(args), "table") && state.routes[i].table != table)
			continue;
		if (within.family && !vpc_prefix_contains(&within, &state.routes[i].prefix))
			continue;
		print_route(ctl, &state.routes[i]);
	}
	ctl_list_end(ctl);
	vpc_state_clear(&state);
	return 0;
}

/* One change at the epoch that the kernel has: not a new version of what the customer asked for. */
static int change_route(struct ctl *ctl, struct kernel *k, uint32_t vni, const struct vpc_route *route, bool del)
{
	const struct vpc_route *old;
	struct vpc_delta delta;
	struct vpc_state state;
	int r;

	vpc_state_init(&state, vni);
	vpc_delta_init(&delta, vni);
	r = kernel_dump(k, vni, &state, &ctl->err);
	if (r)
		return r;
	delta.base = delta.epoch = state.epoch;
	delta.digest = state.digest;
	old = vpc_state_find_route(&state, route->table, &route->prefix);
	if (old)
		vpc_digest_sub_route(&delta.digest, old);
	if (!del)
		vpc_digest_add_route(&delta.digest, route);
	snprintf(delta.change, sizeof(delta.change), "by-hand");
	r = del ? vpc_delta_del_route(&delta, route->table, &route->prefix) : vpc_delta_set_route(&delta, route);
	r = r ? vpc_err_set(&ctl->err, r, "out of memory") : kernel_apply(k, &delta, 1, &ctl->err);
	vpc_delta_clear(&delta);
	vpc_state_clear(&state);
	return r;
}

static int route_set(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(kernel_closep) struct kernel *k = NULL;
	struct vpc_route route = { 0 };
	const char *netns = NULL;
	uint32_t vni = 0;
	struct ctl_arg args[] = { { "VNI", CTL_U32, &vni, .required = true },
				  { "PREFIX", CTL_PREFIX, &route.prefix, .required = true },
				  { "nexthop", CTL_U32, &route.nexthop, .required = true },
				  { "table", CTL_U32, &route.table },
				  { "netns", CTL_WORD, &netns } };
	int r;

	r = kernel_ctl_open(ctl, args, ARRAY_SIZE(args), argc, argv, &netns, &k);
	return r ?: change_route(ctl, k, vni, &route, false);
}

static int route_del(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(kernel_closep) struct kernel *k = NULL;
	struct vpc_route route = { 0 };
	const char *netns = NULL;
	uint32_t vni = 0;
	struct ctl_arg args[] = { { "VNI", CTL_U32, &vni, .required = true },
				  { "PREFIX", CTL_PREFIX, &route.prefix, .required = true },
				  { "table", CTL_U32, &route.table },
				  { "netns", CTL_WORD, &netns } };
	int r;

	r = kernel_ctl_open(ctl, args, ARRAY_SIZE(args), argc, argv, &netns, &k);
	return r ?: change_route(ctl, k, vni, &route, true);
}

/* A group with its members: "7 group member 1 weight 3 member 2 weight 1". */
static void print_nexthop(struct ctl *ctl, const struct vpc_state *state, const struct vpc_nl_nexthop *nh)
{
	struct json_object *object, *array, *one;
	const struct vpc_nl_member *members;
	char text[VPC_NEXTHOP_STRLEN];
	size_t n;

	members = vpc_state_members_of(state, nh->id, &n);
	if (!ctl->json) {
		printf("%u %s", nh->id, vpc_nexthop_format(nh, text));
		for (size_t i = 0; i < n; i++)
			printf(" member %u weight %u", members[i].nexthop, members[i].weight);
		printf("\n");
		return;
	}
	object = ctl_nexthop_object(nh);
	array = nh->type == VPC_NEXTHOP_GROUP ? json_object_new_array() : NULL;
	for (size_t i = 0; array && i < n; i++) {
		one = json_object_new_object();
		ctl_add_u64(one, "nexthop", members[i].nexthop);
		ctl_add_u64(one, "weight", members[i].weight);
		json_object_array_add(array, one);
	}
	if (array)
		json_object_object_add(object, "members", array);
	ctl_list_add(ctl, object);
}

static int nexthop_show(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(kernel_closep) struct kernel *k = NULL;
	const char *netns = NULL;
	struct vpc_state state;
	uint32_t vni = 0;
	struct ctl_arg args[] = { { "VNI", CTL_U32, &vni, .required = true }, { "netns", CTL_WORD, &netns } };
	int r;

	r = kernel_ctl_open(ctl, args, ARRAY_SIZE(args), argc, argv, &netns, &k);
	if (r)
		return r;
	vpc_state_init(&state, vni);
	r = kernel_dump(k, vni, &state, &ctl->err);
	if (r)
		return r;
	ctl_list_begin(ctl);
	for (size_t i = 0; i < state.n_nexthops; i++)
		print_nexthop(ctl, &state, &state.nexthops[i]);
	ctl_list_end(ctl);
	vpc_state_clear(&state);
	return 0;
}

int cmd_kernel_route(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_verb verbs[] = { { "show", route_show }, { "set", route_set }, { "del", route_del } };

	return ctl_dispatch(ctl, verbs, ARRAY_SIZE(verbs), route_help, argc, argv);
}

int cmd_kernel_nexthop(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_verb verbs[] = { { "show", nexthop_show } };

	return ctl_dispatch(ctl, verbs, ARRAY_SIZE(verbs), nexthop_help, argc, argv);
}
