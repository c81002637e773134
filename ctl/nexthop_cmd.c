// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl nexthop: where customers' routes lead.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "../lib/cdb_row.h"
#include "ctl.h"

static const char help[] =
	"Usage: vpcctl nexthop add vpc VPC [id ID] type gateway vtep ADDRESS [vni N] [mac MAC]\n"
	"       vpcctl nexthop add vpc VPC [id ID] type {blackhole|prohibit|unreachable}\n"
	"       vpcctl nexthop set vpc VPC id ID type TYPE ...\n"
	"       vpcctl nexthop del vpc VPC id ID\n"
	"       vpcctl nexthop show vpc VPC [id ID]\n"
	"\n"
	"Ids are 1..2147483647, the lowest free one by default. `set` replaces the nexthop, and thereby moves all "
	"its routes.\n"
	"vni: on the wire to the gateway, the VPC's own by default.\n";

static int parse_type(struct ctl *ctl, int argc, char **argv, void *value, int *ret_used)
{
	*ret_used = 1;
	if (vpc_nexthop_type_parse(argv[0], value))
		return vpc_err_set(&ctl->err, -EINVAL,
				   "'%.64s' is not a type of nexthop: gateway, blackhole, prohibit, unreachable",
				   argv[0]);
	return 0;
}

static int put(struct ctl *ctl, bool add, int argc, char **argv)
{
	struct cdb_change_result result;
	struct vpc_nl_nexthop nh = {};
	struct vpc_addr vtep = {};
	struct intent intent;
	const char *vpc;
	struct ctl_arg args[] = {
		CTL_ARG("vpc", CTL_WORD, &vpc, .required = true),
		CTL_ARG("id", CTL_U32, &nh.id, .required = !add),
		CTL_ARG("type", CTL_CUSTOM, &nh.type, .required = true, .parse = parse_type),
		CTL_ARG("vtep", CTL_ADDR, &vtep),
		CTL_ARG("vni", CTL_U32, &nh.vni),
		CTL_ARG("mac", CTL_MAC, nh.mac),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r && !nh.id && ctl_given(args, ARRAY_SIZE(args), "id"))
		r = vpc_err_set(&ctl->err, -EINVAL, "nexthop id 0: customers' ids are 1..%u", VPC_NEXTHOP_ID_USER_MAX);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	nh.family = vtep.family;
	memcpy(nh.addr, vtep.bytes, sizeof(nh.addr));
	intent = ctl_intent(ctl);
	r = intent_nexthop_put(&intent, vpc, &nh, add, &result, &ctl->err);
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

static int nexthop_show(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	char text[VPC_NEXTHOP_STRLEN];
	struct cdb_nexthop_row row;
	struct vpc_nl_nexthop nh;
	const char *vpc_name;
	struct cdb_vpc vpc;
	uint32_t id = 0;
	struct ctl_arg args[] = { CTL_ARG("vpc", CTL_WORD, &vpc_name, .required = true), CTL_ARG("id", CTL_U32, &id) };
	bool more;
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (!r)
		r = cdb_vpc_find(ctl->cdb, vpc_name, &vpc, &ctl->err);
	if (!r)
		r = cdb_stream(ctl->cdb, &rows, &ctl->err,
			       "SELECT " CDB_NEXTHOP_COLS " FROM nexthop WHERE vni = ? AND (? = 0 OR id = ?) "
			       "ORDER BY id",
			       "uuu>" CDB_NEXTHOP_FMT, vpc.vni, id, id, CDB_NEXTHOP_OUT(&row));
	if (r)
		return r;
	ctl_list_begin(ctl);
	while (!(r = cdb_rows_next(rows, &more, &ctl->err)) && more) {
		r = cdb_nexthop_check(vpc.vni, &row, &nh, &ctl->err);
		if (r)
			return r;
		if (ctl->json)
			ctl_list_add(ctl, ctl_nexthop_object(&nh));
		else
			printf("%u %s\n", nh.id, vpc_nexthop_format(&nh, text));
	}
	if (!r)
		ctl_list_end(ctl);
	return r;
}

static const struct ctl_verb verbs[] = {
	{ "add", nexthop_add }, { "set", nexthop_set }, { "del", nexthop_del }, { "show", nexthop_show }
};

int cmd_nexthop(struct ctl *ctl, int argc, char **argv)
{
	return ctl_dispatch(ctl, verbs, ARRAY_SIZE(verbs), help, argc, argv);
}
