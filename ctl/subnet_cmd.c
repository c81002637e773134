// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl subnet: subnets of a VPC.
 */
#include <errno.h>
#include <stdio.h>
#include "../lib/cdb_row.h"
#include "ctl.h"

static int subnet_add(struct ctl *ctl, int argc, char **argv)
{
	struct cdb_change_result result;
	const char *name, *vpc;
	struct vpc_prefix prefix;
	struct intent intent;
	uint32_t table = 1;
	struct ctl_arg args[] = {
		CTL_ARG("NAME", CTL_WORD, &name, .required = true),
		CTL_ARG("vpc", CTL_WORD, &vpc, .required = true),
		CTL_ARG("prefix", CTL_PREFIX, &prefix, .required = true),
		CTL_ARG("table", CTL_U32, &table),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	intent = ctl_intent(ctl);
	r = intent_subnet_add(&intent, vpc, name, &prefix, table, &result, &ctl->err);
	if (!r)
		ctl_print_result(ctl, &result);
	return r;
}

static int subnet_set(struct ctl *ctl, int argc, char **argv)
{
	struct cdb_change_result result;
	const char *name, *vpc;
	struct intent intent;
	uint32_t table;
	struct ctl_arg args[] = {
		CTL_ARG("NAME", CTL_WORD, &name, .required = true),
		CTL_ARG("vpc", CTL_WORD, &vpc, .required = true),
		CTL_ARG("table", CTL_U32, &table, .required = true),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	intent = ctl_intent(ctl);
	r = intent_subnet_set(&intent, vpc, name, table, &result, &ctl->err);
	if (!r)
		ctl_print_result(ctl, &result);
	return r;
}

static int subnet_del(struct ctl *ctl, int argc, char **argv)
{
	struct cdb_change_result result;
	const char *name, *vpc;
	struct intent intent;
	struct ctl_arg args[] = {
		CTL_ARG("NAME", CTL_WORD, &name, .required = true),
		CTL_ARG("vpc", CTL_WORD, &vpc, .required = true),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	intent = ctl_intent(ctl);
	r = intent_subnet_del(&intent, vpc, name, &result, &ctl->err);
	if (!r)
		ctl_print_result(ctl, &result);
	return r;
}

struct subnet_row {
	char vpc[64], name[64];
	uint32_t vni, family, plen, table, ports;
	struct cdb_bin addr, gateway;
};

static int print_subnet(struct ctl *ctl, const struct subnet_row *row)
{
	char prefix_text[VPC_PREFIX_STRLEN], gateway_text[VPC_ADDR_STRLEN];
	struct json_object *object;
	struct vpc_prefix prefix;
	struct vpc_addr gateway;
	int r;

	r = cdb_prefix_check("subnet", row->vni, row->family, &row->addr, row->plen, &prefix, &ctl->err);
	if (!r)
		r = cdb_addr_check("subnet", row->vni, row->family, &row->gateway, &gateway, &ctl->err);
	if (r)
		return r;
	if (!ctl->json) {
		printf("%s vpc %s prefix %s gateway %s table %u ports %u\n", row->name, row->vpc,
		       vpc_prefix_format(&prefix, prefix_text), vpc_addr_format(&gateway, gateway_text), row->table,
		       row->ports);
		return 0;
	}
	object = json_object_new_object();
	ctl_add_string(object, "name", row->name);
	ctl_add_string(object, "vpc", row->vpc);
	ctl_add_u64(object, "vni", row->vni);
	ctl_add_prefix(object, "prefix", &prefix);
	ctl_add_addr(object, "gateway", &gateway);
	ctl_add_u64(object, "table", row->table);
	ctl_add_u64(object, "ports", row->ports);
	ctl_list_add(ctl, object);
	return 0;
}

static int subnet_show(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	const char *name = NULL, *vpc_name = NULL;
	struct cdb_vpc vpc = {};
	struct subnet_row row;
	uint64_t epoch;
	struct ctl_arg args[] = { CTL_ARG("NAME", CTL_WORD, &name), CTL_ARG("vpc", CTL_WORD, &vpc_name),
				  CTL_ARG("epoch", CTL_U64, &epoch) };
	bool more;
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r && args[2].given && !vpc_name)
		r = ctl_usage(ctl, "'epoch' is one VPC's: give 'vpc'");
	if (!r)
		r = ctl_cdb(ctl);
	if (!r && args[2].given)
		return ctl_show_past(ctl, vpc_name, epoch, CDB_ITEM_SUBNET, name);
	if (!r && vpc_name)
		r = cdb_vpc_find(ctl->cdb, vpc_name, &vpc, &ctl->err);
	if (!r)
		r = cdb_query(
			ctl->cdb, &rows, &ctl->err,
			"SELECT v.name, s.vni, s.name, s.family, s.addr, s.plen, s.gateway, s.table_id, "
			"(SELECT COUNT(*) FROM port p WHERE p.vni = s.vni AND p.subnet = s.name) FROM subnet s JOIN "
			"vpc v ON v.vni = s.vni "
			"WHERE (? = 0 OR s.vni = ?) AND (? IS NULL OR s.name = ?) ORDER BY s.vni, s.family, s.addr",
			"uuss>susububuu", vpc.vni, vpc.vni, name, name, row.vpc, sizeof(row.vpc), &row.vni, row.name,
			sizeof(row.name), &row.family, &row.addr, &row.plen, &row.gateway, &row.table, &row.ports);
	if (r)
		return r;
	ctl_list_begin(ctl);
	while (!(r = cdb_rows_next(rows, &more, &ctl->err)) && more) {
		r = print_subnet(ctl, &row);
		if (r)
			return r;
	}
	if (!r)
		ctl_list_end(ctl);
	return r;
}

static const struct ctl_verb verbs[] = {
	{ "add", subnet_add, "NAME vpc VPC prefix PREFIX [table ID]", true },
	{ "set", subnet_set, "NAME vpc VPC table ID", true },
	{ "del", subnet_del, "NAME vpc VPC", true },
	{ "show", subnet_show,
	  "[NAME] [vpc VPC]\n"
	  "[NAME] vpc VPC epoch E",
	  false },
};

const struct ctl_object ctl_subnet = {
	.name = "subnet",
	.about = "subnets of a VPC",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
	.notes = "A subnet lies in a range of its VPC. Its first address is its gateway; its ports use "
		 "its table, 1 by default.\n",
};
