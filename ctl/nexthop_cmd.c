// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl nexthop: where customers' routes lead.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "ctl.h"

static int parse_type(struct ctl *ctl, int argc, char **argv, void *value, int *ret_used)
{
	*ret_used = 1;
	if (vpc_nexthop_type_parse(argv[0], value))
		return vpc_err_set(&ctl->err, -EINVAL,
				   "'%.64s' is not a type of nexthop: gateway, group, peer, blackhole, prohibit, "
				   "unreachable",
				   argv[0]);
	return 0;
}

struct members {
	struct vpc_nl_member list[2 * VPC_MEMBERS_MAX];
	size_t n;
};

/* A decimal number up to @end; false: none. */
static bool number(const char *text, const char *end, unsigned long *ret_value)
{
	char *stop;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*ret_value = strtoul(text, &stop, 10);
	return !errno && stop == end && *ret_value <= UINT32_MAX;
}

/* ID[:WEIGHT] */
static int parse_member(struct ctl *ctl, int argc, char **argv, void *value, int *ret_used)
{
	const char *colon = strchrnul(argv[0], ':');
	struct members *members = value;
	unsigned long id, weight = 1;

	*ret_used = 1;
	if (members->n == ARRAY_SIZE(members->list))
		return vpc_err_set(&ctl->err, -E2BIG, "a group has at most %d members", VPC_MEMBERS_MAX);
	if (!number(argv[0], colon, &id) || (*colon && !number(colon + 1, strchr(colon, '\0'), &weight)))
		return vpc_err_set(&ctl->err, -EINVAL, "member '%.64s': give a nexthop's id, or ID:WEIGHT", argv[0]);
	if (!weight || weight > VPC_WEIGHT_MAX)
		return vpc_err_set(&ctl->err, -EINVAL, "member '%.64s': weights are 1..%d", argv[0], VPC_WEIGHT_MAX);
	members->list[members->n++] = (struct vpc_nl_member){ .nexthop = id, .weight = weight };
	return 0;
}

struct ids {
	uint32_t list[VPC_MEMBERS_MAX];
	size_t n;
};

static int parse_id(struct ctl *ctl, int argc, char **argv, void *value, int *ret_used)
{
	struct ids *ids = value;
	unsigned long id;

	*ret_used = 1;
	if (ids->n == ARRAY_SIZE(ids->list))
		return vpc_err_set(&ctl->err, -E2BIG, "a group has at most %d members", VPC_MEMBERS_MAX);
	if (!number(argv[0], strchr(argv[0], '\0'), &id))
		return vpc_err_set(&ctl->err, -EINVAL, "member '%.64s' is not a nexthop's id", argv[0]);
	ids->list[ids->n++] = id;
	return 0;
}

/* What the command line says. */
struct request {
	struct vpc_nl_nexthop nh;
	struct vpc_addr vtep;
	const char *vpc, *to;
	struct members members, add;
	struct ids del;
	bool has_type;
};

static int parse_request(struct ctl *ctl, bool add, int argc, char **argv, struct request *req)
{
	struct ctl_arg args[] = {
		CTL_ARG("vpc", CTL_WORD, &req->vpc, .required = true),
		CTL_ARG("id", CTL_U32, &req->nh.id, .required = !add),
		CTL_ARG("type", CTL_CUSTOM, &req->nh.type, .required = add, .parse = parse_type),
		CTL_ARG("vtep", CTL_ADDR, &req->vtep),
		CTL_ARG("vni", CTL_U32, &req->nh.vni),
		CTL_ARG("mac", CTL_MAC, req->nh.mac),
		CTL_ARG("to", CTL_WORD, &req->to),
		CTL_ARG("table", CTL_U32, &req->nh.table),
		CTL_ARG("member", CTL_CUSTOM, &req->members, .parse = parse_member, .many = true),
		CTL_ARG("add-member", CTL_CUSTOM, &req->add, .parse = parse_member, .many = true),
		CTL_ARG("del-member", CTL_CUSTOM, &req->del, .parse = parse_id, .many = true),
	};
	size_t n = add ? 9 : ARRAY_SIZE(args);
	int r;

	r = ctl_args(ctl, args, n, argc, argv);
	if (r)
		return r;
	req->has_type = ctl_given(args, n, "type");
	if (!req->nh.id && ctl_given(args, n, "id"))
		return vpc_err_set(&ctl->err, -EINVAL, "nexthop id 0: customers' ids are 1..%u",
				   VPC_NEXTHOP_ID_USER_MAX);
	if (req->has_type && (req->add.n || req->del.n))
		return ctl_usage(ctl, "'type' replaces all members: give them as 'member'");
	for (size_t i = 3; i < 9 && !req->has_type; i++)
		if (args[i].given)
			return ctl_usage(ctl, "'%s' belongs to a 'type'", args[i].name);
	if (!req->has_type && !req->add.n && !req->del.n)
		return ctl_usage(ctl, "nothing to set: give a 'type', 'add-member' or 'del-member'");
	if (req->nh.type == VPC_NEXTHOP_PEER && ctl_given(args, n, "vni"))
		return ctl_usage(ctl, "a peer leads 'to' a VPC, it has no 'vni'");
	if (req->nh.type == VPC_NEXTHOP_PEER && !ctl_given(args, n, "table"))
		req->nh.table = 1;
	return 0;
}

static int put(struct ctl *ctl, bool add, int argc, char **argv)
{
	struct intent_members members = { .replace = true }, change = {};
	struct cdb_change_result result;
	struct request req = {};
	struct intent intent;
	struct cdb_vpc peer;
	int r;

	r = parse_request(ctl, add, argc, argv, &req);
	if (!r && req.to && req.nh.type != VPC_NEXTHOP_PEER)
		r = vpc_err_set(&ctl->err, -EINVAL, "only a peer leads 'to' another VPC");
	if (!r)
		r = ctl_cdb(ctl);
	if (!r && req.to)
		r = cdb_vpc_find(ctl->cdb, req.to, &peer, &ctl->err);
	if (r)
		return r;
	if (req.to)
		req.nh.vni = peer.vni;
	req.nh.family = req.vtep.family;
	memcpy(req.nh.addr, req.vtep.bytes, sizeof(req.nh.addr));
	members.set = req.members.list;
	members.n_set = req.members.n;
	change.set = req.add.list;
	change.n_set = req.add.n;
	change.del = req.del.list;
	change.n_del = req.del.n;
	intent = ctl_intent(ctl);
	if (req.has_type)
		r = intent_nexthop_put(&intent, req.vpc, &req.nh, &members, add, &result, &ctl->err);
	else
		r = intent_nexthop_members(&intent, req.vpc, req.nh.id, &change, &result, &ctl->err);
	if (!r)
		ctl_print_result(ctl, &result);
	return r;
}

static int nexthop_add(struct ctl *ctl, int argc, char **argv)
{
	return put(ctl, true, argc, argv);
}

static int nexthop_set(struct ctl *ctl, int argc, char **argv)
{
	return put(ctl, false, argc, argv);
}

static int nexthop_del(struct ctl *ctl, int argc, char **argv)
{
	struct cdb_change_result result;
	struct intent intent;
	const char *vpc;
	uint32_t id;
	struct ctl_arg args[] = {
		CTL_ARG("vpc", CTL_WORD, &vpc, .required = true),
		CTL_ARG("id", CTL_U32, &id, .required = true),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	intent = ctl_intent(ctl);
	r = intent_nexthop_del(&intent, vpc, id, &result, &ctl->err);
	if (!r)
		ctl_print_result(ctl, &result);
	return r;
}

static void print_nexthop(struct ctl *ctl, const struct vpc_state *state, const struct vpc_nl_nexthop *nh)
{
	struct json_object *object, *list;
	const struct vpc_nl_member *members;
	char text[VPC_NEXTHOP_STRLEN];
	size_t n = 0;

	members = vpc_state_members_of(state, nh->id, &n);
	if (!ctl->json) {
		printf("%u %s", nh->id, vpc_nexthop_format(nh, text));
		for (size_t i = 0; i < n; i++)
			printf(" member %u:%u", members[i].nexthop, members[i].weight);
		puts("");
		return;
	}
	object = ctl_nexthop_object(nh);
	if (nh->type == VPC_NEXTHOP_GROUP) {
		list = json_object_new_array();
		for (size_t i = 0; i < n; i++)
			json_object_array_add(list, ctl_member_object(&members[i]));
		json_object_object_add(object, "members", list);
	}
	ctl_list_add(ctl, object);
}

static int nexthop_show(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(vpc_state_clear) struct vpc_state state;
	const char *vpc_name;
	struct cdb_vpc vpc;
	uint64_t epoch = 0;
	uint32_t id = 0;
	uint8_t type = 0;
	struct ctl_arg args[] = {
		CTL_ARG("vpc", CTL_WORD, &vpc_name, .required = true),
		CTL_ARG("id", CTL_U32, &id),
		CTL_ARG("type", CTL_CUSTOM, &type, .parse = parse_type),
		CTL_ARG("epoch", CTL_U64, &epoch),
	};
	int r;

	vpc_state_init(&state, 0);
	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (!r)
		r = cdb_vpc_find(ctl->cdb, vpc_name, &vpc, &ctl->err);
	if (!r && ctl_given(args, ARRAY_SIZE(args), "epoch")) {
		r = cdb_state_load(ctl->cdb, vpc.vni, &state, &ctl->err);
		if (!r)
			r = cdb_state_rewind(ctl->cdb, &state, epoch, &ctl->err);
	} else if (!r) {
		r = cdb_nexthops_load(ctl->cdb, vpc.vni, &state, &ctl->err);
	}
	if (r)
		return r;
	ctl_list_begin(ctl);
	for (size_t i = 0; i < state.n_nexthops; i++)
		if ((!id || state.nexthops[i].id == id) && (!type || state.nexthops[i].type == type))
			print_nexthop(ctl, &state, &state.nexthops[i]);
	ctl_list_end(ctl);
	return 0;
}

static const struct ctl_verb verbs[] = {
	{ "add", nexthop_add,
	  "vpc VPC [id ID] type gateway vtep ADDRESS [vni N] [mac MAC]\n"
	  "vpc VPC [id ID] type group [member ID[:WEIGHT]]...\n"
	  "vpc VPC [id ID] type peer to VPC [table ID]\n"
	  "vpc VPC [id ID] type {blackhole|prohibit|unreachable}",
	  true },
	{ "set", nexthop_set,
	  "vpc VPC id ID type TYPE ...\n"
	  "vpc VPC id ID [add-member ID[:WEIGHT]]... [del-member ID]...",
	  true },
	{ "del", nexthop_del, "vpc VPC id ID", true },
	{ "show", nexthop_show, "vpc VPC [id ID] [type TYPE] [epoch E]", false },
};

const struct ctl_object ctl_nexthop = {
	.name = "nexthop",
	.about = "where routes lead: gateways, groups, peers",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
	.notes = "Ids are 1..2147483647, the lowest free one by default. `set` with a type replaces the "
		 "nexthop, members\n"
		 "included, and thereby moves all its routes; without one it changes a group's members. "
		 "add-member: also another weight.\n"
		 "vni: on the wire to the gateway, the VPC's own by default. weight: 1..256, a member's "
		 "share of the flows, 1 by default.\n"
		 "to: another VPC, whose table (1 by default, 0: its mapping) goes on with the packet. "
		 "Peer on both sides.\n",
};
