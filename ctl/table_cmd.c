// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl table: customers' route tables.
 */
#include <errno.h>
#include <stdio.h>
#include "../lib/cdb_stmt.h"
#include "ctl.h"

enum action {
	TABLE_ADD,
	TABLE_SET,
	TABLE_DEL
};

static int change(struct ctl *ctl, enum action action, int argc, char **argv)
{
	struct cdb_change_result result;
	const char *vpc, *name = NULL;
	struct intent intent;
	uint32_t id;
	struct ctl_arg args[] = {
		CTL_ARG("ID", CTL_U32, &id, .required = true),
		CTL_ARG("vpc", CTL_WORD, &vpc, .required = true),
		CTL_ARG("name", CTL_WORD, &name, .required = action == TABLE_SET),
	};
	int r;

	r = ctl_args(ctl, args, action == TABLE_DEL ? 2 : 3, argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	intent = ctl_intent(ctl);
	switch (action) {
	case TABLE_ADD:
		r = intent_table_add(&intent, vpc, id, name, &result, &ctl->err);
		break;
	case TABLE_SET:
		r = intent_table_set(&intent, vpc, id, name, &result, &ctl->err);
		break;
	case TABLE_DEL:
		r = intent_table_del(&intent, vpc, id, &result, &ctl->err);
		break;
	}
	if (!r)
		ctl_print_result(ctl, &result);
	return r;
}

static int table_add(struct ctl *ctl, int argc, char **argv)
{
	return change(ctl, TABLE_ADD, argc, argv);
}

static int table_set(struct ctl *ctl, int argc, char **argv)
{
	return change(ctl, TABLE_SET, argc, argv);
}

static int table_del(struct ctl *ctl, int argc, char **argv)
{
	return change(ctl, TABLE_DEL, argc, argv);
}

static void print_table(struct ctl *ctl, uint32_t id, const char *name, uint64_t routes, uint64_t subnets)
{
	struct json_object *object;

	if (!ctl->json) {
		printf("%u name %s routes %llu subnets %llu\n", id, name, (unsigned long long)routes,
		       (unsigned long long)subnets);
		return;
	}
	object = json_object_new_object();
	ctl_add_u64(object, "id", id);
	ctl_add_string(object, "name", name);
	ctl_add_u64(object, "routes", routes);
	ctl_add_u64(object, "subnets", subnets);
	ctl_list_add(ctl, object);
}

static int table_show(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	const char *vpc_name;
	uint64_t routes, subnets;
	struct cdb_vpc vpc;
	uint32_t id, found;
	char name[64];
	uint64_t epoch;
	char text[16];
	struct ctl_arg args[] = { CTL_ARG("ID", CTL_U32, &id), CTL_ARG("vpc", CTL_WORD, &vpc_name, .required = true),
				  CTL_ARG("epoch", CTL_U64, &epoch) };
	bool more;
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (!r && args[2].given) {
		snprintf(text, sizeof(text), "%u", args[0].given ? id : 0);
		return ctl_show_past(ctl, vpc_name, epoch, CDB_ITEM_TABLE, args[0].given ? text : NULL);
	}
	if (!r)
		r = cdb_vpc_find(ctl->cdb, vpc_name, &vpc, &ctl->err);
	if (!r)
		r = cdb_query(
			ctl->cdb, &rows, &ctl->err,
			"SELECT t.id, t.name, (SELECT COUNT(*) FROM route r WHERE r.vni = t.vni AND r.table_id = "
			"t.id), "
			"(SELECT COUNT(*) FROM subnet s WHERE s.vni = t.vni AND s.table_id = t.id) FROM route_table "
			"t WHERE t.vni = ? "
			"ORDER BY t.id",
			"u>usUU", vpc.vni, &found, name, sizeof(name), &routes, &subnets);
	if (r)
		return r;
	ctl_list_begin(ctl);
	while (!(r = cdb_rows_next(rows, &more, &ctl->err)) && more)
		if (!args[0].given || found == id)
			print_table(ctl, found, name, routes, subnets);
	if (!r)
		ctl_list_end(ctl);
	return r;
}

static const struct ctl_verb verbs[] = {
	{ "add", table_add, "ID vpc VPC [name NAME]", true },
	{ "set", table_set, "ID vpc VPC name NAME", true },
	{ "del", table_del, "ID vpc VPC", true },
	{ "show", table_show, "[ID] vpc VPC [epoch E]", false },
};

const struct ctl_object ctl_table = {
	.name = "table",
	.about = "customers' route tables",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
	.notes = "Ids are 1..1023; table 1 comes with the VPC, table 0 is the mapping, made from the ports.\n",
};
