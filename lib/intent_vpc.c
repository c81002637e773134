// SPDX-License-Identifier: Apache-2.0
/*
 * VPCs and their ranges: see intent.h. A range's route ("local") stands in each customer table, so it comes and goes
 * with the range.
 */
#include <errno.h>
#include <string.h>
#include "intent_nexthop.h"
#include "util.h"

static int insert_range(struct cdb_change *change, const struct intent_prefixes *ranges, const struct vpc_prefix *range,
			struct vpc_err *err)
{
	char text[VPC_PREFIX_STRLEN], other[VPC_PREFIX_STRLEN];
	int r;

	vpc_prefix_format(range, text);
	if (!range->plen)
		return vpc_err_set(err, -EINVAL, "range %s: a VPC cannot own all addresses", text);
	for (size_t i = 0; i < ranges->n; i++)
		if (vpc_prefix_overlaps(&ranges->list[i], range))
			return vpc_err_set(err, -EEXIST, "range %s overlaps range %s of VPC %s", text,
					   vpc_prefix_format(&ranges->list[i], other), cdb_change_vpc(change)->name);
	r = cdb_change_item(change, CDB_ITEM_RANGE, text, err);
	return r
		       ?: cdb_exec(cdb_change_cdb(change), err,
				   "INSERT INTO vpc_range (vni, family, addr, plen) VALUES (?, ?, ?, ?)", "uubu",
				   cdb_change_vpc(change)->vni, cdb_family(range->family), range->bytes,
				   cdb_addr_len(range->family), (uint32_t)range->plen);
}

/* A range must not take over a route that the customer made. */
static int route_range(struct cdb_change *change, uint32_t table, const struct vpc_prefix *range, struct vpc_err *err)
{
	struct vpc_route route = { .table = table, .nexthop = VPC_NEXTHOP_ID_LOCAL, .prefix = *range };
	char text[VPC_PREFIX_STRLEN];
	uint32_t nexthop;
	int r;

	r = cdb_get(cdb_change_cdb(change), err,
		    "SELECT nexthop FROM route WHERE vni = ? AND table_id = ? AND family = ? AND addr = ? "
		    "AND plen = ?",
		    "uuubu>u", cdb_change_vpc(change)->vni, table, cdb_family(range->family), range->bytes,
		    cdb_addr_len(range->family), (uint32_t)range->plen, &nexthop);
	if (!r)
		return vpc_err_set(err, -EEXIST, "table %u has a route of its own to %s: delete it first", table,
				   vpc_prefix_format(range, text));
	if (r != -ENOENT)
		return r;
	return cdb_change_set_route(change, &route, err);
}

static int add_ranges(struct cdb_change *change, const struct vpc_prefix *add, size_t n, struct vpc_err *err)
{
	_cleanup_(intent_ids_clear) struct intent_ids tables = {};
	int r;

	r = intent_tables_load(change, &tables, err);
	for (size_t i = 0; i < n && !r; i++) {
		_cleanup_(intent_prefixes_clear) struct intent_prefixes ranges = {};

		r = intent_ranges_load(change, &ranges, err);
		if (!r)
			r = insert_range(change, &ranges, &add[i], err);
		for (size_t j = 0; j < tables.n && !r; j++)
			r = route_range(change, tables.list[j], &add[i], err);
		cdb_change_mark(change);
	}
	return r;
}

static int insert_tables(struct cdb_change *change, struct vpc_err *err)
{
	int r = cdb_change_item(change, CDB_ITEM_TABLE, "1", err);

	return r
		       ?: cdb_exec(cdb_change_cdb(change), err,
				   "INSERT INTO route_table (vni, id, name) VALUES (?, 0, 'mapping'), (?, 1, 'main')",
				   "uu", cdb_change_vpc(change)->vni, cdb_change_vpc(change)->vni);
}

/* It becomes a number in znodes, which end at 2^63-1. */
static int check_quota(uint64_t quota, struct vpc_err *err)
{
	if (quota > INT64_MAX)
		return vpc_err_set(err, -EINVAL, "quota %llu is out of range: at most %lld bytes",
				   (unsigned long long)quota, (long long)INT64_MAX);
	return 0;
}

static int set_flags(struct cdb_change *change, uint32_t flags, struct vpc_err *err)
{
	int r;

	if (cdb_change_vpc(change)->flags == flags)
		return 0;
	cdb_change_mark(change);
	r = cdb_change_item(change, CDB_ITEM_VPC, "", err);
	return r
		       ?: cdb_exec(cdb_change_cdb(change), err, "UPDATE vpc SET flags = ? WHERE vni = ?", "uu", flags,
				   cdb_change_vpc(change)->vni);
}

int intent_vpc_add(const struct intent *intent, const char *name, uint32_t vni, const struct vpc_prefix *ranges,
		   size_t n_ranges, uint64_t quota, uint32_t flags, struct cdb_change_result *ret_result,
		   struct vpc_err *err)
{
	const struct vpc_nl_nexthop local = { .id = VPC_NEXTHOP_ID_LOCAL, .type = VPC_NEXTHOP_LOCAL };
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	int r;

	r = cdb_name_check("VPC", name, err);
	if (r)
		return r;
	if (!vni || vni > VPC_VNI_MAX)
		return vpc_err_set(err, -EINVAL, "VNI %u is out of range: VNIs are 1..%u", vni, VPC_VNI_MAX);
	r = check_quota(quota, err);
	if (!r)
		r = cdb_change_begin_new(intent->cdb, vni, name, quota, intent->author, intent->summary, &change, err);
	if (!r)
		r = insert_tables(change, err);
	if (!r)
		r = set_flags(change, flags, err);
	if (!r)
		r = cdb_change_set_nexthop(change, &local, err);
	if (!r)
		r = add_ranges(change, ranges, n_ranges, err);
	return r ?: cdb_change_commit(&change, ret_result, err);
}

static int del_range(struct cdb_change *change, const struct vpc_prefix *range, const struct intent_ids *tables,
		     struct vpc_err *err)
{
	_cleanup_(intent_prefixes_clear) struct intent_prefixes ranges = {};
	struct vpc_addr first = intent_prefix_first(range), last = intent_prefix_last(range);
	const struct cdb_vpc *vpc = cdb_change_vpc(change);
	size_t len = cdb_addr_len(range->family);
	char text[VPC_PREFIX_STRLEN], name[64];
	int r;

	r = intent_ranges_load(change, &ranges, err);
	if (!r && !intent_is_range(&ranges, range))
		r = vpc_err_set(err, -ENOENT, "VPC %s has no range %s", vpc->name, vpc_prefix_format(range, text));
	if (r)
		return r;
	r = cdb_get(cdb_change_cdb(change), err,
		    "SELECT name FROM subnet WHERE vni = ? AND family = ? AND addr BETWEEN ? AND ? LIMIT 1", "uubb>s",
		    vpc->vni, cdb_family(range->family), first.bytes, len, last.bytes, len, name, sizeof(name));
	if (!r)
		return vpc_err_set(err, -EBUSY, "range %s of VPC %s has subnet %s", vpc_prefix_format(range, text),
				   vpc->name, name);
	if (r != -ENOENT)
		return r;
	r = cdb_change_item(change, CDB_ITEM_RANGE, vpc_prefix_format(range, text), err);
	if (r)
		return r;
	r = cdb_exec(cdb_change_cdb(change), err, "DELETE FROM vpc_range WHERE vni = ? AND family = ? AND addr = ?",
		     "uub", vpc->vni, cdb_family(range->family), range->bytes, len);
	for (size_t i = 0; i < tables->n && !r; i++)
		r = cdb_change_del_route(change, tables->list[i], range, err);
	cdb_change_mark(change);
	return r;
}

static int set_name(struct cdb_change *change, const char *name, struct vpc_err *err)
{
	int r = cdb_name_check("VPC", name, err);

	if (r || !strcmp(cdb_change_vpc(change)->name, name))
		return r;
	cdb_change_mark(change);
	r = cdb_change_item(change, CDB_ITEM_VPC, "", err);
	if (r)
		return r;
	r = cdb_exec(cdb_change_cdb(change), err, "UPDATE vpc SET name = ? WHERE vni = ?", "su", name,
		     cdb_change_vpc(change)->vni);
	return r == -EEXIST ? vpc_err_set(err, r, "there is a VPC '%s' already", name) : r;
}

static int set_quota(struct cdb_change *change, uint64_t quota, struct vpc_err *err)
{
	int r = check_quota(quota, err);

	if (r || cdb_change_vpc(change)->quota == quota)
		return r;
	cdb_change_mark(change);
	r = cdb_change_item(change, CDB_ITEM_VPC, "", err);
	return r
		       ?: cdb_exec(cdb_change_cdb(change), err, "UPDATE vpc SET quota = ? WHERE vni = ?", "Uu", quota,
				   cdb_change_vpc(change)->vni);
}

int intent_vpc_set(const struct intent *intent, const char *vpc, const struct intent_vpc_set *set,
		   struct cdb_change_result *ret_result, struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	_cleanup_(intent_ids_clear) struct intent_ids tables = {};
	int r;

	r = intent_begin(intent, vpc, &change, err);
	if (!r && set->name)
		r = set_name(change, set->name, err);
	if (!r && set->quota)
		r = set_quota(change, *set->quota, err);
	if (!r && set->flags)
		r = set_flags(change, *set->flags, err);
	if (!r)
		r = intent_tables_load(change, &tables, err);
	for (size_t i = 0; i < set->n_del && !r; i++)
		r = del_range(change, &set->del[i], &tables, err);
	if (!r)
		r = add_ranges(change, set->add, set->n_add, err);
	return r ?: cdb_change_commit(&change, ret_result, err);
}

/* All elements of a VPC without ports, into the change as deleted. */
static int del_elements(struct cdb_change *change, struct vpc_err *err)
{
	_cleanup_(vpc_state_clear) struct vpc_state state;
	int r;

	vpc_state_init(&state, cdb_change_vpc(change)->vni);
	r = cdb_state_load(cdb_change_cdb(change), state.vni, &state, err);
	for (size_t i = 0; i < state.n_routes && !r; i++)
		r = cdb_change_put_route(change, state.routes[i].table, &state.routes[i].prefix,
					 state.routes[i].nexthop, 0);
	for (size_t i = 0; i < state.n_members && !r; i++)
		r = cdb_change_put_member(change, state.members[i].group, state.members[i].nexthop,
					  state.members[i].weight, 0);
	for (size_t i = 0; i < state.n_nexthops && !r; i++)
		r = cdb_change_put_nexthop(change, &state.nexthops[i], NULL);
	return r == -ENOMEM ? vpc_err_set(err, r, "out of memory") : r;
}

/* All of them go. */
static int note_items(struct cdb_change *change, struct vpc_err *err)
{
	struct cdb_item *items = NULL;
	size_t n = 0;
	int r;

	r = cdb_items_load(cdb_change_cdb(change), cdb_change_vpc(change)->vni, &items, &n, err);
	for (size_t i = 0; i < n && !r; i++)
		r = cdb_change_item(change, items[i].kind, items[i].name, err);
	cdb_items_free(items, n);
	return r;
}

int intent_vpc_del(const struct intent *intent, const char *vpc, struct cdb_change_result *ret_result,
		   struct vpc_err *err)
{
	static const char *const tables[] = { "DELETE FROM subnet WHERE vni = ?",
					      "DELETE FROM route_table WHERE vni = ?",
					      "DELETE FROM vpc_range WHERE vni = ?" };
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	uint32_t vni, ports;
	int r;

	r = intent_begin(intent, vpc, &change, err);
	if (r)
		return r;
	vni = cdb_change_vpc(change)->vni;
	r = cdb_get(intent->cdb, err, "SELECT COUNT(*) FROM port WHERE vni = ?", "u>u", vni, &ports);
	if (!r && ports)
		r = vpc_err_set(err, -EBUSY, "VPC %s still has %u port%s", cdb_change_vpc(change)->name, ports,
				ports == 1 ? "" : "s");
	if (!r)
		r = intent_peer_check_free(change, NULL, err);
	if (!r)
		r = note_items(change, err);
	if (!r)
		r = del_elements(change, err);
	if (!r)
		r = cdb_change_write(change, err);
	for (size_t i = 0; i < ARRAY_SIZE(tables) && !r; i++)
		r = cdb_exec(intent->cdb, err, tables[i], "u", vni);
	if (r)
		return r;
	cdb_change_end_vpc(change);
	return cdb_change_commit(&change, ret_result, err);
}
