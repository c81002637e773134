// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl port: guests' network interfaces, and which host they are on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "../lib/cdb_row.h"
#include "ctl.h"

static int port_add(struct ctl *ctl, int argc, char **argv)
{
	struct cdb_change_result result;
	struct ctl_prefixes addrs = {};
	struct intent_port port = {};
	bool source_check = true;
	struct intent intent;
	const char *vpc;
	uint8_t mac[6];
	struct ctl_arg args[] = {
		CTL_ARG("NAME", CTL_WORD, &port.name, .required = true),
		CTL_ARG("vpc", CTL_WORD, &vpc, .required = true),
		CTL_ARG("subnet", CTL_WORD, &port.subnet, .required = true),
		CTL_ARG("host", CTL_WORD, &port.host, .required = true),
		CTL_ARG("dev", CTL_WORD, &port.dev, .required = true),
		CTL_ARG("address", CTL_PREFIXES, &addrs),
		CTL_ARG("mac", CTL_MAC, mac),
		CTL_ARG("source-check", CTL_ONOFF, &source_check),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	port.addrs = addrs.list;
	port.n_addrs = addrs.n;
	port.mac = ctl_given(args, ARRAY_SIZE(args), "mac") ? mac : NULL;
	port.flags = source_check ? 0 : VPC_PORT_F_NO_SOURCE_CHECK;
	intent = ctl_intent(ctl);
	r = intent_port_add(&intent, vpc, &port, &result, &ctl->err);
	if (!r)
		ctl_print_result(ctl, &result);
	return r;
}

static int port_set(struct ctl *ctl, int argc, char **argv)
{
	struct cdb_change_result result;
	struct intent_port_set set = {};
	bool source_check = true;
	const char *vpc, *name;
	struct intent intent;
	uint32_t flags;
	uint8_t mac[6];
	struct ctl_arg args[] = {
		CTL_ARG("NAME", CTL_WORD, &name, .required = true),
		CTL_ARG("vpc", CTL_WORD, &vpc, .required = true),
		CTL_ARG("host", CTL_WORD, &set.host),
		CTL_ARG("dev", CTL_WORD, &set.dev),
		CTL_ARG("mac", CTL_MAC, mac),
		CTL_ARG("source-check", CTL_ONOFF, &source_check),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	flags = source_check ? 0 : VPC_PORT_F_NO_SOURCE_CHECK;
	set.mac = ctl_given(args, ARRAY_SIZE(args), "mac") ? mac : NULL;
	set.flags = ctl_given(args, ARRAY_SIZE(args), "source-check") ? &flags : NULL;
	intent = ctl_intent(ctl);
	r = intent_port_set(&intent, vpc, name, &set, &result, &ctl->err);
	if (!r)
		ctl_print_result(ctl, &result);
	return r;
}

/* @step: intent_port_del(), _move() or _release(). */
static int port_step(struct ctl *ctl,
		     int (*step)(const struct intent *intent, const char *vpc, const char *name,
				 struct cdb_change_result *ret_result, struct vpc_err *err),
		     int argc, char **argv)
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
	r = step(&intent, vpc, name, &result, &ctl->err);
	if (!r)
		ctl_print_result(ctl, &result);
	return r;
}

static int port_del(struct ctl *ctl, int argc, char **argv)
{
	return port_step(ctl, intent_port_del, argc, argv);
}

static int port_prepare(struct ctl *ctl, int argc, char **argv)
{
	const char *name, *vpc, *host, *dev = NULL;
	struct cdb_change_result result;
	struct intent intent;
	struct ctl_arg args[] = {
		CTL_ARG("NAME", CTL_WORD, &name, .required = true),
		CTL_ARG("vpc", CTL_WORD, &vpc, .required = true),
		CTL_ARG("host", CTL_WORD, &host, .required = true),
		CTL_ARG("dev", CTL_WORD, &dev),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	intent = ctl_intent(ctl);
	r = intent_port_prepare(&intent, vpc, name, host, dev, &result, &ctl->err);
	if (!r)
		ctl_print_result(ctl, &result);
	return r;
}

static int port_move(struct ctl *ctl, int argc, char **argv)
{
	return port_step(ctl, intent_port_move, argc, argv);
}

static int port_release(struct ctl *ctl, int argc, char **argv)
{
	return port_step(ctl, intent_port_release, argc, argv);
}

/* A port and one of its addresses; rows of one port follow each other. */
struct port_row {
	uint32_t id, vni, table, flags, family, plen;
	char name[64], vpc[64], subnet[64], host[64], dev[16], standby[64], standby_dev[16];
	struct cdb_bin mac, addr;
};

static struct json_object *port_object(const struct port_row *row)
{
	struct json_object *object = json_object_new_object(), *standby;

	ctl_add_string(object, "name", row->name);
	ctl_add_u64(object, "id", row->id);
	ctl_add_string(object, "vpc", row->vpc);
	ctl_add_u64(object, "vni", row->vni);
	ctl_add_string(object, "subnet", row->subnet);
	ctl_add_string(object, "host", row->host);
	ctl_add_string(object, "dev", row->dev);
	ctl_add_mac(object, "mac", row->mac.bytes);
	ctl_add_u64(object, "table", row->table);
	json_object_object_add(object, "source_check",
			       json_object_new_boolean(!(row->flags & VPC_PORT_F_NO_SOURCE_CHECK)));
	json_object_object_add(object, "addresses", json_object_new_array());
	if (*row->standby) {
		standby = json_object_new_object();
		ctl_add_string(standby, "host", row->standby);
		ctl_add_string(standby, "dev", row->standby_dev);
		json_object_object_add(object, "standby", standby);
	}
	return object;
}

static void print_object(struct ctl *ctl, struct json_object *object)
{
	static const char *const keys[] = { "vpc", "subnet", "host", "dev", "mac", "table" };
	struct json_object *addrs = json_object_object_get(object, "addresses"),
			   *standby = json_object_object_get(object, "standby");

	if (ctl->json) {
		ctl_list_add(ctl, object);
		return;
	}
	fputs(json_object_get_string(json_object_object_get(object, "name")), stdout);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		printf(" %s %s", keys[i], json_object_get_string(json_object_object_get(object, keys[i])));
	for (size_t i = 0; i < json_object_array_length(addrs); i++)
		printf(" address %s", json_object_get_string(json_object_array_get_idx(addrs, i)));
	if (standby)
		printf(" standby host %s dev %s", json_object_get_string(json_object_object_get(standby, "host")),
		       json_object_get_string(json_object_object_get(standby, "dev")));
	puts(json_object_get_boolean(json_object_object_get(object, "source_check")) ? "" : " source-check off");
	json_object_put(object);
}

static int add_addr(struct ctl *ctl, const struct port_row *row, struct json_object *object)
{
	char text[VPC_PREFIX_STRLEN];
	struct vpc_prefix prefix;
	int r;

	if (!row->family)
		return 0;
	r = cdb_prefix_check("port_addr", row->vni, row->family, &row->addr, row->plen, &prefix, &ctl->err);
	if (r)
		return r;
	json_object_array_add(json_object_object_get(object, "addresses"),
			      json_object_new_string(vpc_prefix_format(&prefix, text)));
	return 0;
}

static int print_rows(struct ctl *ctl, struct cdb_rows *rows, const struct port_row *row)
{
	struct json_object *object = NULL;
	uint32_t id = 0;
	bool more;
	int r;

	while (!(r = cdb_rows_next(rows, &more, &ctl->err)) && more) {
		if (row->mac.len != 6) {
			r = vpc_err_set(&ctl->err, -EPROTO, "CDB: port %s of VPC %s: malformed MAC", row->name,
					row->vpc);
			break;
		}
		if (!object || row->id != id) {
			if (object)
				print_object(ctl, object);
			object = port_object(row);
			id = row->id;
		}
		r = add_addr(ctl, row, object);
		if (r)
			break;
	}
	if (object && !r)
		print_object(ctl, object);
	else
		json_object_put(object);
	return r;
}

static int port_show(struct ctl *ctl, int argc, char **argv)
{
	const char *name = NULL, *vpc_name = NULL, *subnet = NULL, *host = NULL;
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	struct cdb_vpc vpc = {};
	struct port_row row;
	uint64_t epoch;
	struct ctl_arg args[] = {
		CTL_ARG("NAME", CTL_WORD, &name),     CTL_ARG("vpc", CTL_WORD, &vpc_name),
		CTL_ARG("subnet", CTL_WORD, &subnet), CTL_ARG("host", CTL_WORD, &host),
		CTL_ARG("epoch", CTL_U64, &epoch),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r && ctl_given(args, ARRAY_SIZE(args), "epoch") && (!vpc_name || subnet || host))
		r = ctl_usage(ctl, "'epoch' is one VPC's: give 'vpc', and neither 'subnet' nor 'host'");
	if (!r)
		r = ctl_cdb(ctl);
	if (!r && ctl_given(args, ARRAY_SIZE(args), "epoch"))
		return ctl_show_past(ctl, vpc_name, epoch, CDB_ITEM_PORT, name);
	if (!r && vpc_name)
		r = cdb_vpc_find(ctl->cdb, vpc_name, &vpc, &ctl->err);
	if (!r)
		r = cdb_query(
			ctl->cdb, &rows, &ctl->err,
			"SELECT p.id, p.vni, s.table_id, p.flags, COALESCE(a.family, 0), COALESCE(a.plen, 0), "
			"p.name, "
			"v.name, p.subnet, h.name, p.dev, COALESCE(g.name, ''), COALESCE(b.dev, ''), p.mac, a.addr "
			"FROM port p JOIN vpc v ON v.vni = p.vni JOIN "
			"host h ON h.id = p.host "
			"JOIN subnet s ON s.vni = p.vni AND s.name = p.subnet LEFT JOIN port_addr a ON a.vni = p.vni "
			"AND a.port = p.id LEFT JOIN port_standby b ON b.port = p.id LEFT JOIN host g ON g.id = "
			"b.host "
			"WHERE (? = 0 OR p.vni = ?) AND (? IS NULL OR p.name = ?) AND (? IS NULL OR p.subnet = ?) "
			"AND (? IS NULL OR h.name = ? OR g.name = ?) "
			"ORDER BY p.vni, p.name, p.id, a.family, a.addr",
			"uusssssss>uuuuuusssssssbb", vpc.vni, vpc.vni, name, name, subnet, subnet, host, host, host,
			&row.id, &row.vni, &row.table, &row.flags, &row.family, &row.plen, row.name, sizeof(row.name),
			row.vpc, sizeof(row.vpc), row.subnet, sizeof(row.subnet), row.host, sizeof(row.host), row.dev,
			sizeof(row.dev), row.standby, sizeof(row.standby), row.standby_dev, sizeof(row.standby_dev),
			&row.mac, &row.addr);
	if (r)
		return r;
	ctl_list_begin(ctl);
	r = print_rows(ctl, rows, &row);
	if (r)
		return r;
	ctl_list_end(ctl);
	return 0;
}

static const struct ctl_verb verbs[] = {
	{ "add", port_add,
	  "NAME vpc VPC subnet SUBNET host HOST dev DEVICE [address ADDRESS]... [mac MAC] [source-check on|off]",
	  true },
	{ "set", port_set, "NAME vpc VPC [host HOST] [dev DEVICE] [mac MAC] [source-check on|off]", true },
	{ "del", port_del, "NAME vpc VPC", true },
	{ "prepare", port_prepare, "NAME vpc VPC host HOST [dev DEVICE]", true },
	{ "move", port_move, "NAME vpc VPC", true },
	{ "release", port_release, "NAME vpc VPC", true },
	{ "show", port_show,
	  "[NAME] [vpc VPC] [subnet SUBNET] [host HOST]\n"
	  "[NAME] vpc VPC epoch E",
	  false },
};

const struct ctl_object ctl_port = {
	.name = "port",
	.about = "guests' network interfaces, and which host they are on",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
	.notes =
		"Without an address the subnet's first free one is taken; an address may be a prefix. `set host` "
		"moves the port\n"
		"at once. To move it under traffic without a loss: `prepare` gives it a second place on another "
		"host, and all\n"
		"hosts of the VPC take packets from there; `move` makes that its place, and the old host sends on "
		"what still\n"
		"comes there; `release` gives up the other place (before `move`: the new one). Use --wait with "
		"each.\n"
		"source-check off: an appliance that forwards for others.\n",
};
