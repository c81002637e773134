// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl route: routes of customers' tables, one by one and by files; the mapping and the past are only shown.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "../lib/cdb_row.h"
#include "ctl.h"

/* "via" and what follows it. */
static int parse_via(struct ctl *ctl, int argc, char **argv, void *value, int *ret_used)
{
	struct intent_via *via = value;
	bool by_id = !strcmp(argv[0], "nexthop"), by_vtep = !strcmp(argv[0], "gateway");
	unsigned long long id;
	char *end;

	*ret_used = by_id || by_vtep ? 2 : 1;
	if (argc < *ret_used)
		return ctl_usage(ctl, "'via %s' needs a value", argv[0]);
	if (by_id) {
		errno = 0;
		id = strtoull(argv[1], &end, 0);
		if (errno || *end || *argv[1] < '0' || *argv[1] > '9' || !id || id > UINT32_MAX)
			return vpc_err_set(&ctl->err, -EINVAL, "'%.64s' is not a nexthop id", argv[1]);
		via->id = id;
		return 0;
	}
	if (vpc_nexthop_type_parse(argv[0], &via->type) || via->type == VPC_NEXTHOP_HOST ||
	    via->type == VPC_NEXTHOP_PEER || via->type == VPC_NEXTHOP_GROUP)
		return vpc_err_set(&ctl->err, -EINVAL, "a route can't lead via '%.64s': see `vpcctl route help`",
				   argv[0]);
	return by_vtep ? vpc_addr_parse(argv[1], &via->vtep, &ctl->err) : 0;
}

static int put(struct ctl *ctl, bool replace, int argc, char **argv)
{
	struct cdb_change_result result;
	struct vpc_prefix prefix;
	struct intent_via via = {};
	struct intent intent;
	uint32_t table = 1;
	const char *vpc;
	struct ctl_arg args[] = {
		CTL_ARG("PREFIX", CTL_PREFIX, &prefix, .required = true),
		CTL_ARG("vpc", CTL_WORD, &vpc, .required = true),
		CTL_ARG("table", CTL_U32, &table),
		CTL_ARG("via", CTL_CUSTOM, &via, .required = true, .parse = parse_via),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	intent = ctl_intent(ctl);
	r = intent_route_put(&intent, vpc, table, &prefix, &via, replace, &result, &ctl->err);
	if (!r)
		ctl_print_result(ctl, &result);
	return r;
}

static int route_add(struct ctl *ctl, int argc, char **argv)
{
	return put(ctl, false, argc, argv);
}

static int route_set(struct ctl *ctl, int argc, char **argv)
{
	return put(ctl, true, argc, argv);
}

static int route_del(struct ctl *ctl, int argc, char **argv)
{
	struct cdb_change_result result;
	struct vpc_prefix prefix;
	struct intent intent;
	uint32_t table = 1;
	const char *vpc;
	struct ctl_arg args[] = {
		CTL_ARG("PREFIX", CTL_PREFIX, &prefix, .required = true),
		CTL_ARG("vpc", CTL_WORD, &vpc, .required = true),
		CTL_ARG("table", CTL_U32, &table),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	intent = ctl_intent(ctl);
	r = intent_route_del(&intent, vpc, table, &prefix, &result, &ctl->err);
	if (!r)
		ctl_print_result(ctl, &result);
	return r;
}

static int route_import(struct ctl *ctl, int argc, char **argv)
{
	struct intent_import_result result;
	struct json_object *object;
	const char *vpc, *file;
	struct intent intent;
	bool replace = false;
	uint32_t table = 1;
	struct ctl_arg args[] = {
		CTL_ARG("vpc", CTL_WORD, &vpc, .required = true),
		CTL_ARG("table", CTL_U32, &table),
		CTL_ARG("file", CTL_WORD, &file, .required = true),
		CTL_ARG("replace", CTL_FLAG, &replace),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	intent = ctl_intent(ctl);
	r = intent_route_import(&intent, vpc, table, file, replace, &result, &ctl->err);
	if (r)
		return r;
	if (!ctl->json) {
		printf("%zu added, %zu changed, %zu deleted, %zu unchanged\n", result.added, result.changed,
		       result.deleted, result.unchanged);
		ctl_print_result(ctl, &result.change);
		return 0;
	}
	object = json_object_new_object();
	ctl_add_u64(object, "vni", result.change.vni);
	ctl_add_u64(object, "epoch", result.change.epoch);
	ctl_add_string(object, "change", result.change.changed ? result.change.change : NULL);
	ctl_add_u64(object, "operations", result.change.n_ops);
	ctl_add_u64(object, "added", result.added);
	ctl_add_u64(object, "changed", result.changed);
	ctl_add_u64(object, "deleted", result.deleted);
	ctl_add_u64(object, "unchanged", result.unchanged);
	ctl_print(ctl, object);
	return 0;
}

/* What `show` was asked for. */
struct filter {
	const char *vpc;
	uint32_t table;
	struct vpc_prefix prefix; /* family 0: all */
	uint64_t epoch;
	bool has_table, has_epoch;
};

static bool wanted(const struct filter *filter, const struct vpc_route *route)
{
	if (filter->has_table && route->table != filter->table)
		return false;
	return !filter->prefix.family || vpc_prefix_contains(&filter->prefix, &route->prefix);
}

static void print_route(struct ctl *ctl, const struct vpc_route *route, const struct vpc_nl_nexthop *nh)
{
	char prefix[VPC_PREFIX_STRLEN], nexthop[VPC_NEXTHOP_STRLEN];
	struct json_object *object;

	if (!ctl->json) {
		vpc_prefix_format(&route->prefix, prefix);
		if (nh->id > VPC_NEXTHOP_ID_USER_MAX)
			printf("%s table %u via %s\n", prefix, route->table, vpc_nexthop_format(nh, nexthop));
		else
			printf("%s table %u via nexthop %u %s\n", prefix, route->table, nh->id,
			       vpc_nexthop_format(nh, nexthop));
		return;
	}
	object = json_object_new_object();
	ctl_add_u64(object, "table", route->table);
	ctl_add_prefix(object, "prefix", &route->prefix);
	json_object_object_add(object, "nexthop", ctl_nexthop_object(nh));
	ctl_list_add(ctl, object);
}

/* As it was: the whole state is turned back first. */
static int show_past(struct ctl *ctl, const struct filter *filter, uint32_t vni)
{
	_cleanup_(vpc_state_clear) struct vpc_state state;
	int r;

	vpc_state_init(&state, vni);
	r = cdb_state_load(ctl->cdb, vni, &state, &ctl->err);
	if (!r)
		r = cdb_state_rewind(ctl->cdb, &state, filter->epoch, &ctl->err);
	if (!r)
		r = vpc_state_check(&state, &ctl->err);
	if (r)
		return r;
	ctl_list_begin(ctl);
	for (size_t i = 0; i < state.n_routes; i++)
		if (wanted(filter, &state.routes[i]))
			print_route(ctl, &state.routes[i], vpc_state_find_nexthop(&state, state.routes[i].nexthop));
	ctl_list_end(ctl);
	return 0;
}

static int show_rows(struct ctl *ctl, const struct filter *filter, uint32_t vni, struct cdb_rows *rows,
		     const struct cdb_nexthop_row *nh_row, const uint32_t *table, const uint32_t *family,
		     const struct cdb_bin *addr, const uint32_t *plen)
{
	struct vpc_nl_nexthop nh;
	struct vpc_route route;
	bool more;
	int r;

	while (!(r = cdb_rows_next(rows, &more, &ctl->err)) && more) {
		r = cdb_prefix_check("route", vni, *family, addr, *plen, &route.prefix, &ctl->err);
		if (!r)
			r = cdb_nexthop_check(vni, nh_row, &nh, &ctl->err);
		if (r)
			return r;
		route.table = *table;
		route.nexthop = nh.id;
		if (wanted(filter, &route))
			print_route(ctl, &route, &nh);
	}
	return r;
}

static int show_now(struct ctl *ctl, const struct filter *filter, uint32_t vni)
{
	uint32_t low = filter->has_table ? filter->table : 0, high = filter->has_table ? filter->table : VPC_TABLES_MAX,
		 table, family, plen;
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	struct cdb_nexthop_row nh;
	struct cdb_bin addr;
	int r;

	r = cdb_stream(
		ctl->cdb, &rows, &ctl->err,
		"SELECT r.table_id, r.family, r.addr, r.plen, n.id, n.type, n.family, n.vtep, n.nh_vni, "
		"n.nh_table, n.mac FROM route r JOIN nexthop n ON n.vni = r.vni AND n.id = r.nexthop WHERE r.vni = ? "
		"AND r.table_id BETWEEN ? AND ? ORDER BY r.table_id, r.family, r.addr, r.plen",
		"uuu>uubu" CDB_NEXTHOP_FMT, vni, low, high, &table, &family, &addr, &plen, CDB_NEXTHOP_OUT(&nh));
	if (r)
		return r;
	ctl_list_begin(ctl);
	r = show_rows(ctl, filter, vni, rows, &nh, &table, &family, &addr, &plen);
	if (!r)
		ctl_list_end(ctl);
	return r;
}

static int route_show(struct ctl *ctl, int argc, char **argv)
{
	struct filter filter = {};
	struct cdb_vpc vpc;
	struct ctl_arg args[] = {
		CTL_ARG("PREFIX", CTL_PREFIX, &filter.prefix),
		CTL_ARG("vpc", CTL_WORD, &filter.vpc, .required = true),
		CTL_ARG("table", CTL_U32, &filter.table),
		CTL_ARG("epoch", CTL_U64, &filter.epoch),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (!r)
		r = cdb_vpc_find(ctl->cdb, filter.vpc, &vpc, &ctl->err);
	if (r)
		return r;
	filter.has_table = ctl_given(args, ARRAY_SIZE(args), "table");
	filter.has_epoch = ctl_given(args, ARRAY_SIZE(args), "epoch");
	return filter.has_epoch ? show_past(ctl, &filter, vpc.vni) : show_now(ctl, &filter, vpc.vni);
}

static const struct ctl_verb verbs[] = {
	{ "add", route_add, "PREFIX vpc VPC [table ID] via TARGET", true },
	{ "set", route_set, "PREFIX vpc VPC [table ID] via TARGET", true },
	{ "del", route_del, "PREFIX vpc VPC [table ID]", true },
	{ "show", route_show, "[PREFIX] vpc VPC [table ID] [epoch E]", false },
	{ "import", route_import, "vpc VPC [table ID] file FILE [replace]", true },
};

const struct ctl_object ctl_route = {
	.name = "route",
	.about = "routes, and what the ports make of the mapping",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
	.notes = "TARGET := nexthop ID | gateway ADDRESS | local | blackhole | prohibit | unreachable\n"
		 "\n"
		 "The table is 1 by default; `show` shows all, PREFIX and what lies in it, as it was at "
		 "epoch E. `set` adds or changes.\n"
		 "FILE: \"prefix nexthop-id\" a line, plain or gzip, '#' begins a comment; all lines or "
		 "none. replace: the table's other\n"
		 "routes are deleted.\n",
};
