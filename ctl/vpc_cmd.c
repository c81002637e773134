// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl vpc: VPCs, their ranges and quotas.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "../lib/cdb_row.h"
#include "../lib/digest.h"
#include "ctl.h"

static int vpc_add(struct ctl *ctl, int argc, char **argv)
{
	struct cdb_change_result result;
	struct ctl_prefixes ranges = {};
	struct intent intent;
	const char *name;
	uint64_t quota = 0;
	bool strict = false;
	uint32_t vni;
	struct ctl_arg args[] = {
		CTL_ARG("NAME", CTL_WORD, &name, .required = true),
		CTL_ARG("vni", CTL_U32, &vni, .required = true),
		CTL_ARG("range", CTL_PREFIXES, &ranges),
		CTL_ARG("quota", CTL_U64, &quota),
		CTL_ARG("strict", CTL_ONOFF, &strict),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	intent = ctl_intent(ctl);
	r = intent_vpc_add(&intent, name, vni, ranges.list, ranges.n, quota, strict ? VPC_F_STRICT : 0, &result,
			   &ctl->err);
	if (!r)
		ctl_print_result(ctl, &result);
	return r;
}

static int vpc_set(struct ctl *ctl, int argc, char **argv)
{
	struct ctl_prefixes add = {}, del = {};
	struct cdb_change_result result;
	struct intent_vpc_set set = {};
	struct intent intent;
	const char *vpc;
	bool strict = false;
	uint32_t flags;
	uint64_t quota;
	struct ctl_arg args[] = {
		CTL_ARG("VPC", CTL_WORD, &vpc, .required = true),
		CTL_ARG("name", CTL_WORD, &set.name),
		CTL_ARG("quota", CTL_U64, &quota),
		CTL_ARG("strict", CTL_ONOFF, &strict),
		CTL_ARG("add-range", CTL_PREFIXES, &add),
		CTL_ARG("del-range", CTL_PREFIXES, &del),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	set.quota = ctl_given(args, ARRAY_SIZE(args), "quota") ? &quota : NULL;
	flags = strict ? VPC_F_STRICT : 0;
	set.flags = ctl_given(args, ARRAY_SIZE(args), "strict") ? &flags : NULL;
	set.add = add.list;
	set.n_add = add.n;
	set.del = del.list;
	set.n_del = del.n;
	intent = ctl_intent(ctl);
	r = intent_vpc_set(&intent, vpc, &set, &result, &ctl->err);
	if (!r)
		ctl_print_result(ctl, &result);
	return r;
}

static int vpc_del(struct ctl *ctl, int argc, char **argv)
{
	struct cdb_change_result result;
	struct intent intent;
	const char *vpc;
	struct ctl_arg args[] = { CTL_ARG("VPC", CTL_WORD, &vpc, .required = true) };
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (r)
		return r;
	intent = ctl_intent(ctl);
	r = intent_vpc_del(&intent, vpc, &result, &ctl->err);
	if (!r && (ctl->json || ctl->in_batch))
		ctl_print_result(ctl, &result);
	else if (!r)
		printf("VPC %u ended with epoch %llu, change %s\n", result.vni, (unsigned long long)result.epoch,
		       result.change);
	return r;
}

struct counts {
	uint64_t nexthops, routes, ports;
};

static int load_counts(struct ctl *ctl, uint32_t vni, struct counts *ret_counts)
{
	return cdb_get(
		ctl->cdb, &ctl->err,
		"SELECT (SELECT COUNT(*) FROM nexthop WHERE vni = ?), (SELECT COUNT(*) FROM route WHERE vni = ?), "
		"(SELECT COUNT(*) FROM port WHERE vni = ?)",
		"uuu>UUU", vni, vni, vni, &ret_counts->nexthops, &ret_counts->routes, &ret_counts->ports);
}

static int load_ranges(struct ctl *ctl, uint32_t vni, struct json_object *ranges)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	char text[VPC_PREFIX_STRLEN];
	struct vpc_prefix prefix;
	uint32_t family, plen;
	struct cdb_bin addr;
	bool more;
	int r;

	r = cdb_query(ctl->cdb, &rows, &ctl->err,
		      "SELECT family, addr, plen FROM vpc_range WHERE vni = ? ORDER BY family, addr", "u>ubu", vni,
		      &family, &addr, &plen);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, &ctl->err)) && more) {
		r = cdb_prefix_check("vpc_range", vni, family, &addr, plen, &prefix, &ctl->err);
		if (r)
			return r;
		json_object_array_add(ranges, json_object_new_string(vpc_prefix_format(&prefix, text)));
	}
	return r;
}

static void print_text(const struct cdb_vpc *vpc, struct json_object *ranges, const struct counts *counts)
{
	char digest[VPC_DIGEST_STRLEN];

	printf("%s vni %u epoch %llu digest %s", vpc->name, vpc->vni, (unsigned long long)vpc->epoch,
	       vpc_digest_format(&vpc->digest, digest));
	if (vpc->quota)
		printf(" quota %llu", (unsigned long long)vpc->quota);
	if (vpc->flags & VPC_F_STRICT)
		printf(" strict on");
	for (size_t i = 0; i < json_object_array_length(ranges); i++)
		printf(" range %s", json_object_get_string(json_object_array_get_idx(ranges, i)));
	printf(" nexthops %llu routes %llu ports %llu change %s\n", (unsigned long long)counts->nexthops,
	       (unsigned long long)counts->routes, (unsigned long long)counts->ports, vpc->change);
}

static int show_one(struct ctl *ctl, const struct cdb_vpc *vpc)
{
	struct json_object *object, *ranges = json_object_new_array();
	struct counts counts;
	int r;

	r = load_ranges(ctl, vpc->vni, ranges);
	if (!r)
		r = load_counts(ctl, vpc->vni, &counts);
	if (r || !ctl->json) {
		if (!r)
			print_text(vpc, ranges, &counts);
		json_object_put(ranges);
		return r;
	}
	object = json_object_new_object();
	ctl_add_string(object, "name", vpc->name);
	ctl_add_u64(object, "vni", vpc->vni);
	ctl_add_u64(object, "epoch", vpc->epoch);
	ctl_add_digest(object, "digest", &vpc->digest);
	ctl_add_u64(object, "quota", vpc->quota);
	json_object_object_add(object, "strict", json_object_new_boolean(vpc->flags & VPC_F_STRICT));
	ctl_add_string(object, "change", vpc->change);
	json_object_object_add(object, "ranges", ranges);
	ctl_add_u64(object, "nexthops", counts.nexthops);
	ctl_add_u64(object, "routes", counts.routes);
	ctl_add_u64(object, "ports", counts.ports);
	ctl_list_add(ctl, object);
	return 0;
}

static int show_snapshot(struct ctl *ctl, const char *name)
{
	_cleanup_free_ struct cdb_vpc *vpcs = NULL;
	struct cdb_vpc vpc;
	size_t n;
	int r;

	if (name) {
		r = cdb_vpc_find(ctl->cdb, name, &vpc, &ctl->err);
		return r ?: show_one(ctl, &vpc);
	}
	r = cdb_vpc_list(ctl->cdb, &vpcs, &n, &ctl->err);
	for (size_t i = 0; !r && i < n; i++)
		r = show_one(ctl, &vpcs[i]);
	return r;
}

static int vpc_show(struct ctl *ctl, int argc, char **argv)
{
	const char *name = NULL;
	uint64_t epoch;
	struct ctl_arg args[] = { CTL_ARG("VPC", CTL_WORD, &name), CTL_ARG("epoch", CTL_U64, &epoch) };
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r && args[1].given && !name)
		r = ctl_usage(ctl, "'epoch' is one VPC's: name it");
	if (!r)
		r = ctl_cdb(ctl);
	if (!r && args[1].given)
		return ctl_show_past(ctl, name, epoch, CDB_ITEM_VPC, NULL);
	if (!r)
		r = cdb_snapshot_begin(ctl->cdb, &ctl->err);
	if (r)
		return r;
	ctl_list_begin(ctl);
	r = show_snapshot(ctl, name);
	if (r)
		return r;
	ctl_list_end(ctl);
	return cdb_snapshot_end(ctl->cdb, &ctl->err);
}

static const struct ctl_verb verbs[] = {
	{ "add", vpc_add, "NAME vni N [range PREFIX]... [quota BYTES] [strict on|off]", true },
	{ "set", vpc_set, "VPC [name NAME] [quota BYTES] [strict on|off] [add-range PREFIX]... [del-range PREFIX]...",
	  true },
	{ "del", vpc_del, "VPC", true },
	{ "show", vpc_show,
	  "[VPC]\n"
	  "VPC epoch E",
	  false },
};

const struct ctl_object ctl_vpc = {
	.name = "vpc",
	.about = "VPCs, their ranges and quotas",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
	.notes = "VPC is a name or a VNI. quota: kernel memory for the VPC's tables on each host, 0: no limit.\n"
		 "strict: a packet from the wire must come from the host that a reply would go to.\n",
};
