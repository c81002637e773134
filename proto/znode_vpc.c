// SPDX-License-Identifier: Apache-2.0
/*
 * Codec of a VPC's content in ZooKeeper: snapshot chunks and deltas. The publisher formats what it read from CDB;
 * agents parse it and make kernel transactions of it. Millions of routes pass through here, so nothing is built
 * per route when writing.
 */
#include "znode.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/util.h"
#include "json.h"

static bool has_vtep(uint8_t type)
{
	return type == VPC_NEXTHOP_HOST || type == VPC_NEXTHOP_GATEWAY;
}

static void write_nexthop(struct json_writer *w, const struct vpc_nl_nexthop *nh)
{
	static const uint8_t no_mac[6];
	struct vpc_addr vtep = { .family = nh->family };
	char buf[VPC_ADDR_STRLEN];

	vpc_json_raw(w, "{\"id\":");
	vpc_json_u64(w, nh->id);
	vpc_json_raw(w, ",\"type\":");
	vpc_json_string(w, vpc_nexthop_type_name(nh->type));
	if (has_vtep(nh->type)) {
		memcpy(vtep.bytes, nh->addr, sizeof(vtep.bytes));
		vpc_json_raw(w, ",\"vtep\":");
		vpc_json_string(w, vpc_addr_format(&vtep, buf));
		if (memcmp(nh->mac, no_mac, sizeof(no_mac))) {
			vpc_json_raw(w, ",\"mac\":");
			vpc_json_string(w, vpc_mac_format(nh->mac, buf));
		}
	}
	if (nh->type == VPC_NEXTHOP_PEER || (has_vtep(nh->type) && nh->vni)) {
		vpc_json_raw(w, ",\"vni\":");
		vpc_json_u64(w, nh->vni);
	}
	if (nh->type == VPC_NEXTHOP_PEER) {
		vpc_json_raw(w, ",\"table\":");
		vpc_json_u64(w, nh->table);
	}
	vpc_json_raw(w, "}");
}

static void write_route(struct json_writer *w, const struct vpc_route *route, bool nexthop)
{
	char buf[VPC_PREFIX_STRLEN];

	vpc_json_raw(w, "[");
	vpc_json_u64(w, route->table);
	vpc_json_raw(w, ",\"");
	vpc_json_raw(w, vpc_prefix_format(&route->prefix, buf));
	vpc_json_raw(w, "\"");
	if (nexthop) {
		vpc_json_raw(w, ",");
		vpc_json_u64(w, route->nexthop);
	}
	vpc_json_raw(w, "]");
}

static void write_member(struct json_writer *w, const struct vpc_nl_member *member, bool weight)
{
	vpc_json_raw(w, "[");
	vpc_json_u64(w, member->group);
	vpc_json_raw(w, ",");
	vpc_json_u64(w, member->nexthop);
	if (weight) {
		vpc_json_raw(w, ",");
		vpc_json_u64(w, member->weight);
	}
	vpc_json_raw(w, "]");
}

#define CHUNK_MEMBERS "],\"members\":["
#define CHUNK_ROUTES  "],\"routes\":["
#define CHUNK_END     "]}"

/* The elements from *pos to before @end as far as they fit; *pos is moved behind them. */
static void write_elements(struct json_writer *w, const struct vpc_state *state, size_t end, size_t *pos)
{
	size_t routes = state->n_nexthops + state->n_members, len;
	const char *comma = "";

	for (; *pos < end && !w->error; (*pos)++) {
		len = w->len;
		vpc_json_raw(w, comma);
		comma = ",";
		if (*pos < state->n_nexthops)
			write_nexthop(w, &state->nexthops[*pos]);
		else if (*pos < routes)
			write_member(w, &state->members[*pos - state->n_nexthops], true);
		else
			write_route(w, &state->routes[*pos - routes], true);
		if (w->error == -E2BIG) {
			vpc_json_rewind(w, len);
			return;
		}
	}
}

int vpc_chunk_format(const struct vpc_state *state, uint32_t chunk, size_t *pos, char **ret, size_t *ret_len)
{
	size_t routes = state->n_nexthops + state->n_members, n = *pos;
	struct json_writer w;
	int r;

	vpc_json_init(&w, VPC_ZNODE_CHUNK_MAX - strlen(CHUNK_MEMBERS CHUNK_ROUTES CHUNK_END));
	vpc_json_raw(&w, "{\"v\":1,\"vni\":");
	vpc_json_u64(&w, state->vni);
	vpc_json_raw(&w, ",\"epoch\":");
	vpc_json_u64(&w, state->epoch);
	vpc_json_raw(&w, ",\"chunk\":");
	vpc_json_u64(&w, chunk);
	vpc_json_raw(&w, ",\"nexthops\":[");
	write_elements(&w, state, state->n_nexthops, &n);
	w.max += strlen(CHUNK_MEMBERS);
	if (n >= state->n_nexthops && n < routes) {
		vpc_json_raw(&w, CHUNK_MEMBERS);
		write_elements(&w, state, routes, &n);
	}
	w.max += strlen(CHUNK_ROUTES);
	vpc_json_raw(&w, CHUNK_ROUTES);
	if (n >= routes)
		write_elements(&w, state, routes + state->n_routes, &n);
	w.max += strlen(CHUNK_END);
	vpc_json_raw(&w, CHUNK_END);
	r = vpc_json_finish(&w, ret, ret_len);
	if (!r)
		*pos = n;
	return r;
}

/* A member of @type that this nexthop's type does not have is a mistake, not an extension. */
static int refuse_member(json_object *obj, const struct json_at *at, const char *member, const char *type,
			 struct vpc_err *err)
{
	if (json_object_object_get_ex(obj, member, NULL))
		return vpc_json_bad(err, -EINVAL, at, member, "a nexthop of type %s has none", type);
	return 0;
}

static int parse_vtep(json_object *obj, const struct json_at *at, struct vpc_nl_nexthop *nh, struct vpc_err *err)
{
	struct vpc_addr vtep;
	int r;

	r = vpc_json_get_addr(obj, at, "vtep", &vtep, err);
	if (r)
		return r;
	nh->family = vtep.family;
	memcpy(nh->addr, vtep.bytes, sizeof(nh->addr));
	if (json_object_object_get_ex(obj, "vni", NULL))
		r = vpc_json_get_u32(obj, at, "vni", 0, VPC_VNI_MAX, &nh->vni, err);
	if (!r && json_object_object_get_ex(obj, "mac", NULL))
		r = vpc_json_get_mac(obj, at, "mac", nh->mac, err);
	return r ? r : refuse_member(obj, at, "table", vpc_nexthop_type_name(nh->type), err);
}

static int parse_peer(json_object *obj, const struct json_at *at, struct vpc_nl_nexthop *nh, struct vpc_err *err)
{
	int r;

	r = vpc_json_get_u32(obj, at, "vni", 1, VPC_VNI_MAX, &nh->vni, err);
	if (!r)
		r = vpc_json_get_u32(obj, at, "table", 0, UINT32_MAX, &nh->table, err);
	if (!r)
		r = refuse_member(obj, at, "vtep", "peer", err);
	return r ? r : refuse_member(obj, at, "mac", "peer", err);
}

static int parse_plain(json_object *obj, const struct json_at *at, const char *type, struct vpc_err *err)
{
	static const char *const none[] = { "vtep", "vni", "mac", "table" };
	size_t i;
	int r = 0;

	for (i = 0; !r && i < ARRAY_SIZE(none); i++)
		r = refuse_member(obj, at, none[i], type, err);
	return r;
}

static int parse_nexthop(json_object *obj, const struct json_at *at, struct vpc_nl_nexthop *ret, struct vpc_err *err)
{
	struct vpc_nl_nexthop nh = { .op = VPC_OP_SET };
	char type[16];
	int r;

	if (!json_object_is_type(obj, json_type_object))
		return vpc_json_bad(err, -EINVAL, at, NULL, "%s, object expected",
				    json_type_to_name(json_object_get_type(obj)));
	r = vpc_json_get_u32(obj, at, "id", 1, UINT32_MAX, &nh.id, err);
	if (!r)
		r = vpc_json_get_string(obj, at, "type", 1, sizeof(type), type, err);
	if (r)
		return r;
	if (vpc_nexthop_type_parse(type, &nh.type))
		return vpc_json_bad(err, -EINVAL, at, "type", "unknown nexthop type '%s'", type);
	if (has_vtep(nh.type))
		r = parse_vtep(obj, at, &nh, err);
	else if (nh.type == VPC_NEXTHOP_PEER)
		r = parse_peer(obj, at, &nh, err);
	else
		r = parse_plain(obj, at, type, err);
	if (!r)
		*ret = nh;
	return r;
}

/* [table,"prefix",nexthop], or without the nexthop. */
static int parse_route(json_object *value, const struct json_at *at, bool nexthop, struct vpc_route *ret,
		       struct vpc_err *err)
{
	struct vpc_route route = {};
	int r;

	r = vpc_json_as_tuple(value, at, nexthop ? 3 : 2, err);
	if (!r)
		r = vpc_json_as_u32(json_object_array_get_idx(value, 0), at, "table", 0, UINT32_MAX, &route.table, err);
	if (!r)
		r = vpc_json_as_prefix(json_object_array_get_idx(value, 1), at, NULL, &route.prefix, err);
	if (!r && nexthop)
		r = vpc_json_as_u32(json_object_array_get_idx(value, 2), at, "nexthop", 1, UINT32_MAX, &route.nexthop,
				    err);
	if (!r)
		*ret = route;
	return r;
}

/* [group,nexthop,weight], or without the weight. */
static int parse_member(json_object *value, const struct json_at *at, bool with_weight, struct vpc_nl_member *ret,
			struct vpc_err *err)
{
	struct vpc_nl_member member = { .op = VPC_OP_SET };
	uint32_t weight = 0;
	int r;

	r = vpc_json_as_tuple(value, at, with_weight ? 3 : 2, err);
	if (!r)
		r = vpc_json_as_u32(json_object_array_get_idx(value, 0), at, "group", 1, UINT32_MAX, &member.group,
				    err);
	if (!r)
		r = vpc_json_as_u32(json_object_array_get_idx(value, 1), at, "nexthop", 1, UINT32_MAX,
				    &member.nexthop, err);
	if (!r && with_weight)
		r = vpc_json_as_u32(json_object_array_get_idx(value, 2), at, "weight", 1, VPC_WEIGHT_MAX, &weight, err);
	if (r)
		return r;
	member.weight = weight;
	*ret = member;
	return 0;
}

static int bad_order(const struct json_at *at, struct vpc_err *err)
{
	return vpc_json_bad(err, -EINVAL, at, NULL, "not sorted, or twice in the chunk");
}

static int parse_chunk_nexthops(json_object *array, struct vpc_state *state, struct vpc_err *err)
{
	struct json_at at = { .array = "nexthops" };
	struct vpc_nl_nexthop nh, last = {};
	int r;

	for (; at.index < json_object_array_length(array); at.index++, last = nh) {
		r = parse_nexthop(json_object_array_get_idx(array, at.index), &at, &nh, err);
		if (r)
			return r;
		if (at.index && vpc_nexthop_cmp(&last, &nh) >= 0)
			return bad_order(&at, err);
		r = vpc_state_add_nexthop(state, &nh);
		if (r)
			return vpc_json_bad(err, r, &at, NULL, "%s", strerror(-r));
	}
	return 0;
}

static int parse_chunk_members(json_object *array, struct vpc_state *state, struct vpc_err *err)
{
	struct json_at at = { .array = "members" };
	struct vpc_nl_member member, last = {};
	int r;

	for (; at.index < json_object_array_length(array); at.index++, last = member) {
		r = parse_member(json_object_array_get_idx(array, at.index), &at, true, &member, err);
		if (r)
			return r;
		if (at.index && vpc_member_cmp(&last, &member) >= 0)
			return bad_order(&at, err);
		r = vpc_state_add_member(state, &member);
		if (r)
			return vpc_json_bad(err, r, &at, NULL, "%s", strerror(-r));
	}
	return 0;
}

static int parse_chunk_routes(json_object *array, struct vpc_state *state, struct vpc_err *err)
{
	struct json_at at = { .array = "routes" };
	struct vpc_route route, last = {};
	int r;

	for (; at.index < json_object_array_length(array); at.index++, last = route) {
		r = parse_route(json_object_array_get_idx(array, at.index), &at, true, &route, err);
		if (r)
			return r;
		if (at.index && vpc_route_cmp(&last, &route) >= 0)
			return bad_order(&at, err);
		r = vpc_state_add_route(state, &route);
		if (r)
			return vpc_json_bad(err, r, &at, NULL, "%s", strerror(-r));
	}
	return 0;
}

static int check_u64(json_object *obj, const char *member, uint64_t want, struct vpc_err *err)
{
	uint64_t v;
	int r;

	r = vpc_json_get_u64(obj, NULL, member, 0, INT64_MAX, &v, err);
	if (r)
		return r;
	if (v != want)
		return vpc_err_set(err, -EINVAL, "%s: %" PRIu64 ", %" PRIu64 " expected", member, v, want);
	return 0;
}

int vpc_chunk_parse(const char *data, size_t len, uint32_t chunk, struct vpc_state *state, struct vpc_err *err)
{
	_cleanup_json_ json_object *obj = NULL;
	size_t n_nexthops = state->n_nexthops, n_members = state->n_members, n_routes = state->n_routes;
	json_object *nexthops, *members = NULL, *routes;
	int r;

	r = vpc_json_parse(data, len, VPC_ZNODE_CHUNK_MAX, &obj, err);
	if (!r)
		r = check_u64(obj, "vni", state->vni, err);
	if (!r)
		r = check_u64(obj, "epoch", state->epoch, err);
	if (!r)
		r = check_u64(obj, "chunk", chunk, err);
	if (!r)
		r = vpc_json_get(obj, NULL, "nexthops", json_type_array, &nexthops, err);
	if (!r && json_object_object_get_ex(obj, "members", NULL))
		r = vpc_json_get(obj, NULL, "members", json_type_array, &members, err);
	if (!r)
		r = vpc_json_get(obj, NULL, "routes", json_type_array, &routes, err);
	if (!r)
		r = parse_chunk_nexthops(nexthops, state, err);
	if (!r && members)
		r = parse_chunk_members(members, state, err);
	if (!r)
		r = parse_chunk_routes(routes, state, err);
	if (r) {
		state->n_nexthops = n_nexthops;
		state->n_members = n_members;
		state->n_routes = n_routes;
	}
	return r;
}

static void write_delta_nexthops(struct json_writer *w, const struct vpc_delta *delta, uint8_t op)
{
	const char *comma = "";
	size_t i;

	for (i = 0; i < delta->n_nexthops; i++) {
		if (delta->nexthops[i].op != op)
			continue;
		vpc_json_raw(w, comma);
		comma = ",";
		if (op == VPC_OP_SET)
			write_nexthop(w, &delta->nexthops[i]);
		else
			vpc_json_u64(w, delta->nexthops[i].id);
	}
}

/* The whole object, which a delta without members does not have. */
static void write_delta_members(struct json_writer *w, const struct vpc_delta *delta)
{
	static const struct {
		uint8_t op;
		const char *head;
	} parts[] = { { VPC_OP_SET, ",\"members\":{\"set\":[" }, { VPC_OP_DEL, "],\"del\":[" } };

	if (!delta->n_members)
		return;
	for (size_t part = 0; part < ARRAY_SIZE(parts); part++) {
		const char *comma = "";

		vpc_json_raw(w, parts[part].head);
		for (size_t i = 0; i < delta->n_members; i++) {
			if (delta->members[i].op != parts[part].op)
				continue;
			vpc_json_raw(w, comma);
			comma = ",";
			write_member(w, &delta->members[i], parts[part].op == VPC_OP_SET);
		}
	}
	vpc_json_raw(w, "]}");
}

static void write_delta_routes(struct json_writer *w, const struct vpc_delta *delta, uint8_t op)
{
	const char *comma = "";
	size_t i;

	for (i = 0; i < delta->n_routes && !w->error; i++) {
		if (delta->routes[i].op != op)
			continue;
		vpc_json_raw(w, comma);
		comma = ",";
		write_route(w, &delta->routes[i].route, op == VPC_OP_SET);
	}
}

int vpc_delta_format(const struct vpc_delta *delta, char **ret, size_t *ret_len)
{
	struct json_writer w;

	vpc_json_init(&w, VPC_ZNODE_DELTA_MAX);
	vpc_json_raw(&w, "{\"v\":1,\"vni\":");
	vpc_json_u64(&w, delta->vni);
	vpc_json_raw(&w, ",\"base\":");
	vpc_json_u64(&w, delta->base);
	vpc_json_raw(&w, ",\"epoch\":");
	vpc_json_u64(&w, delta->epoch);
	vpc_json_raw(&w, ",\"digest\":");
	vpc_json_digest(&w, &delta->digest);
	vpc_json_raw(&w, ",\"change\":");
	vpc_json_string(&w, delta->change);
	if (delta->time_ms) {
		vpc_json_raw(&w, ",\"time\":");
		vpc_json_u64(&w, delta->time_ms);
	}
	vpc_json_raw(&w, ",\"nexthops\":{\"set\":[");
	write_delta_nexthops(&w, delta, VPC_OP_SET);
	vpc_json_raw(&w, "],\"del\":[");
	write_delta_nexthops(&w, delta, VPC_OP_DEL);
	vpc_json_raw(&w, "]}");
	write_delta_members(&w, delta);
	vpc_json_raw(&w, ",\"routes\":{\"set\":[");
	write_delta_routes(&w, delta, VPC_OP_SET);
	vpc_json_raw(&w, "],\"del\":[");
	write_delta_routes(&w, delta, VPC_OP_DEL);
	vpc_json_raw(&w, "]}}");
	return vpc_json_finish(&w, ret, ret_len);
}

/* The arrays "set" and "del" of the object @member. */
static int get_ops(json_object *obj, const char *member, json_object **ret_set, json_object **ret_del,
		   struct vpc_err *err)
{
	json_object *ops;
	int r;

	r = vpc_json_get(obj, NULL, member, json_type_object, &ops, err);
	if (r)
		return r;
	r = vpc_json_get(ops, NULL, "set", json_type_array, ret_set, err);
	if (!r)
		r = vpc_json_get(ops, NULL, "del", json_type_array, ret_del, err);
	return r ? vpc_err_prefix(err, r, "%s", member) : 0;
}

static int parse_delta_nexthops(json_object *obj, struct vpc_delta *delta, struct vpc_err *err)
{
	struct json_at at = { .array = "nexthops.set" };
	json_object *set, *del;
	struct vpc_nl_nexthop nh;
	uint32_t id;
	int r;

	r = get_ops(obj, "nexthops", &set, &del, err);
	if (r)
		return r;
	for (; at.index < json_object_array_length(set); at.index++) {
		r = parse_nexthop(json_object_array_get_idx(set, at.index), &at, &nh, err);
		if (r)
			return r;
		r = vpc_delta_set_nexthop(delta, &nh);
		if (r)
			return vpc_json_bad(err, r, &at, NULL, "%s", strerror(-r));
	}
	at = (struct json_at){ .array = "nexthops.del" };
	for (; at.index < json_object_array_length(del); at.index++) {
		r = vpc_json_as_u32(json_object_array_get_idx(del, at.index), &at, NULL, 1, UINT32_MAX, &id, err);
		if (r)
			return r;
		r = vpc_delta_del_nexthop(delta, id);
		if (r)
			return vpc_json_bad(err, r, &at, NULL, "%s", strerror(-r));
	}
	return 0;
}

static int parse_delta_members(json_object *obj, struct vpc_delta *delta, struct vpc_err *err)
{
	struct json_at at = { .array = "members.set" };
	struct vpc_nl_member member;
	json_object *set, *del;
	int r;

	if (!json_object_object_get_ex(obj, "members", NULL))
		return 0;
	r = get_ops(obj, "members", &set, &del, err);
	if (r)
		return r;
	for (; at.index < json_object_array_length(set); at.index++) {
		r = parse_member(json_object_array_get_idx(set, at.index), &at, true, &member, err);
		if (r)
			return r;
		r = vpc_delta_set_member(delta, &member);
		if (r)
			return vpc_json_bad(err, r, &at, NULL, "%s", strerror(-r));
	}
	at = (struct json_at){ .array = "members.del" };
	for (; at.index < json_object_array_length(del); at.index++) {
		r = parse_member(json_object_array_get_idx(del, at.index), &at, false, &member, err);
		if (r)
			return r;
		r = vpc_delta_del_member(delta, member.group, member.nexthop);
		if (r)
			return vpc_json_bad(err, r, &at, NULL, "%s", strerror(-r));
	}
	return 0;
}

static int parse_delta_routes(json_object *obj, struct vpc_delta *delta, struct vpc_err *err)
{
	struct json_at at = { .array = "routes.set" };
	json_object *set, *del;
	struct vpc_route route;
	int r;

	r = get_ops(obj, "routes", &set, &del, err);
	if (r)
		return r;
	for (; at.index < json_object_array_length(set); at.index++) {
		r = parse_route(json_object_array_get_idx(set, at.index), &at, true, &route, err);
		if (r)
			return r;
		r = vpc_delta_set_route(delta, &route);
		if (r)
			return vpc_json_bad(err, r, &at, NULL, "%s", strerror(-r));
	}
	at = (struct json_at){ .array = "routes.del" };
	for (; at.index < json_object_array_length(del); at.index++) {
		r = parse_route(json_object_array_get_idx(del, at.index), &at, false, &route, err);
		if (r)
			return r;
		r = vpc_delta_del_route(delta, route.table, &route.prefix);
		if (r)
			return vpc_json_bad(err, r, &at, NULL, "%s", strerror(-r));
	}
	return 0;
}

static int cmp_route(const void *a, const void *b)
{
	return vpc_route_cmp(a, b);
}

static int cmp_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* At most one operation an element; deltas are small, so sorting a copy is cheap. */
static int check_unique_nexthops(const struct vpc_delta *delta, struct vpc_err *err)
{
	_cleanup_free_ uint32_t *ids = calloc(delta->n_nexthops + 1, sizeof(*ids));
	size_t i;

	if (!ids)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < delta->n_nexthops; i++)
		ids[i] = delta->nexthops[i].id;
	qsort(ids, delta->n_nexthops, sizeof(*ids), cmp_id);
	for (i = 1; i < delta->n_nexthops; i++)
		if (ids[i] == ids[i - 1])
			return vpc_err_set(err, -EINVAL, "nexthops: nexthop %" PRIu32 " is named twice", ids[i]);
	return 0;
}

static int cmp_member(const void *a, const void *b)
{
	return vpc_member_cmp(a, b);
}

static int check_unique_members(const struct vpc_delta *delta, struct vpc_err *err)
{
	_cleanup_free_ struct vpc_nl_member *members = calloc(delta->n_members + 1, sizeof(*members));

	if (!members)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	if (delta->n_members)
		memcpy(members, delta->members, delta->n_members * sizeof(*members));
	qsort(members, delta->n_members, sizeof(*members), cmp_member);
	for (size_t i = 1; i < delta->n_members; i++)
		if (!vpc_member_cmp(&members[i], &members[i - 1]))
			return vpc_err_set(err, -EINVAL, "members: nexthop %" PRIu32 " of group %" PRIu32
					   " is named twice", members[i].nexthop, members[i].group);
	return 0;
}

static int check_unique_routes(const struct vpc_delta *delta, struct vpc_err *err)
{
	_cleanup_free_ struct vpc_route *routes = calloc(delta->n_routes + 1, sizeof(*routes));
	char buf[VPC_PREFIX_STRLEN];
	size_t i;

	if (!routes)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < delta->n_routes; i++)
		routes[i] = delta->routes[i].route;
	qsort(routes, delta->n_routes, sizeof(*routes), cmp_route);
	for (i = 1; i < delta->n_routes; i++)
		if (!vpc_route_cmp(&routes[i], &routes[i - 1]))
			return vpc_err_set(err, -EINVAL, "routes: '%s' of table %" PRIu32 " is named twice",
					   vpc_prefix_format(&routes[i].prefix, buf), routes[i].table);
	return 0;
}

static int delta_of(json_object *obj, struct vpc_delta *ret, struct vpc_err *err)
{
	struct vpc_delta delta;
	int r;

	vpc_delta_init(&delta, 0);
	r = vpc_json_get_u32(obj, NULL, "vni", 1, VPC_VNI_MAX, &delta.vni, err);
	if (!r)
		r = vpc_json_get_u64(obj, NULL, "epoch", 1, INT64_MAX - 1, &delta.epoch, err);
	if (!r)
		r = vpc_json_get_u64(obj, NULL, "base", 0, delta.epoch - 1, &delta.base, err);
	if (!r)
		r = vpc_json_get_digest(obj, NULL, "digest", &delta.digest, err);
	if (!r)
		r = vpc_json_get_string(obj, NULL, "change", 0, sizeof(delta.change), delta.change, err);
	if (!r && json_object_object_get_ex(obj, "time", NULL))
		r = vpc_json_get_u64(obj, NULL, "time", 0, INT64_MAX, &delta.time_ms, err);
	if (!r)
		r = parse_delta_nexthops(obj, &delta, err);
	if (!r)
		r = parse_delta_members(obj, &delta, err);
	if (!r)
		r = parse_delta_routes(obj, &delta, err);
	if (!r)
		r = check_unique_nexthops(&delta, err);
	if (!r)
		r = check_unique_members(&delta, err);
	if (!r)
		r = check_unique_routes(&delta, err);
	if (r)
		vpc_delta_clear(&delta);
	else
		*ret = delta;
	return r;
}

int vpc_delta_parse(const char *data, size_t len, struct vpc_delta *ret, struct vpc_err *err)
{
	_cleanup_json_ json_object *obj = NULL;
	int r = vpc_json_parse(data, len, VPC_ZNODE_DELTA_MAX, &obj, err);

	return r ? r : delta_of(obj, ret, err);
}

void vpc_last_parse(const char *data, size_t len, struct vpc_last *ret)
{
	_cleanup_json_ json_object *obj = NULL;
	json_object *last, *one;
	struct vpc_err err;

	ret->n = 0;
	if (vpc_json_parse(data, len, VPC_ZNODE_HEAD_MAX, &obj, &err) ||
	    !json_object_object_get_ex(obj, "last", &last) || !json_object_is_type(last, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(last); i++) {
		one = json_object_array_get_idx(last, i);
		if (!json_object_is_type(one, json_type_object)) {
			ret->n = 0;
			return;
		}
		vpc_last_push(ret, json_object_to_json_string_ext(one, JSON_C_TO_STRING_PLAIN |
									       JSON_C_TO_STRING_NOSLASHESCAPE));
	}
}

/* One of a HEAD's, unless it is not past @epoch: then *ret_n stays. */
static int last_one(json_object *one, const struct json_at *at, uint64_t epoch, struct vpc_delta *deltas, size_t *ret_n,
		    struct vpc_err *err)
{
	uint64_t to;
	int r;

	if (!json_object_is_type(one, json_type_object))
		return vpc_json_bad(err, -EINVAL, at, NULL, "not an object");
	r = vpc_json_get_u64(one, at, "epoch", 1, INT64_MAX - 1, &to, err);
	if (r || to <= epoch)
		return r;
	r = delta_of(one, &deltas[*ret_n], err);
	*ret_n += !r;
	return r;
}

int vpc_head_last(const char *data, size_t len, uint64_t epoch, struct vpc_delta **ret, size_t *ret_n,
		  struct vpc_err *err)
{
	_cleanup_json_ json_object *obj = NULL;
	struct json_at at = { .array = "last" };
	struct vpc_delta *deltas;
	json_object *last;
	size_t n = 0;
	int r;

	r = vpc_json_parse(data, len, VPC_ZNODE_HEAD_MAX, &obj, err);
	if (r)
		return r;
	if (!json_object_object_get_ex(obj, "last", NULL)) {
		*ret = NULL;
		*ret_n = 0;
		return 0;
	}
	r = vpc_json_get(obj, NULL, "last", json_type_array, &last, err);
	if (r)
		return r;
	deltas = calloc(json_object_array_length(last) + 1, sizeof(*deltas));
	if (!deltas)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (; at.index < json_object_array_length(last) && !r; at.index++)
		r = last_one(json_object_array_get_idx(last, at.index), &at, epoch, deltas, &n, err);
	if (r) {
		while (n)
			vpc_delta_clear(&deltas[--n]);
		free(deltas);
		return r;
	}
	*ret = deltas;
	*ret_n = n;
	return 0;
}
