// SPDX-License-Identifier: Apache-2.0
/*
 * Customers' route tables: see intent.h. A new table leads to the VPC's ranges already.
 */
#include <errno.h>
#include <stdio.h>
#include "intent_nexthop.h"
#include "util.h"

static int note_table(struct cdb_change *change, uint32_t table, struct vpc_err *err)
{
	char id[16];

	snprintf(id, sizeof(id), "%u", table);
	return cdb_change_item(change, CDB_ITEM_TABLE, id, err);
}

static int insert_table(struct cdb_change *change, uint32_t table, const char *name, struct vpc_err *err)
{
	const struct cdb_vpc *vpc = cdb_change_vpc(change);
	char own[16];
	int r;

	r = note_table(change, table, err);
	if (r)
		return r;
	snprintf(own, sizeof(own), "t%u", table);
	r = cdb_exec(cdb_change_cdb(change), err, "INSERT INTO route_table (vni, id, name) VALUES (?, ?, ?)", "uus",
		     vpc->vni, table, name ?: own);
	return r == -EEXIST ? vpc_err_set(err, r, "VPC %s has a table %u or a table '%s' already", vpc->name, table,
					  name ?: own)
			    : r;
}

static int route_ranges(struct cdb_change *change, uint32_t table, struct vpc_err *err)
{
	_cleanup_(intent_prefixes_clear) struct intent_prefixes ranges = {};
	int r;

	r = intent_ranges_load(change, &ranges, err);
	for (size_t i = 0; i < ranges.n && !r; i++)
		if (cdb_change_put_route(change, table, &ranges.list[i], 0, VPC_NEXTHOP_ID_LOCAL))
			r = vpc_err_set(err, -ENOMEM, "out of memory");
	return r;
}

int intent_table_add(const struct intent *intent, const char *vpc, uint32_t table, const char *name,
		     struct cdb_change_result *ret_result, struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	int r = 0;

	if (!table || table >= VPC_TABLES_MAX)
		return vpc_err_set(err, -EINVAL, "table %u: ids are 1..%u", table, VPC_TABLES_MAX - 1);
	if (name)
		r = cdb_name_check("table", name, err);
	if (!r)
		r = intent_begin(intent, vpc, &change, err);
	if (!r)
		r = insert_table(change, table, name, err);
	if (!r)
		r = route_ranges(change, table, err);
	if (r)
		return r;
	cdb_change_mark(change);
	return cdb_change_commit(&change, ret_result, err);
}

int intent_table_set(const struct intent *intent, const char *vpc, uint32_t table, const char *name,
		     struct cdb_change_result *ret_result, struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	uint32_t same;
	int r;

	r = cdb_name_check("table", name, err);
	if (!r)
		r = intent_begin(intent, vpc, &change, err);
	if (!r)
		r = intent_table_check(change, table, err);
	if (r)
		return r;
	r = cdb_get(intent->cdb, err, "SELECT name = ? FROM route_table WHERE vni = ? AND id = ?", "suu>u", name,
		    cdb_change_vpc(change)->vni, table, &same);
	if (!r && !same) {
		cdb_change_mark(change);
		r = note_table(change, table, err);
	}
	if (!r && !same) {
		r = cdb_exec(intent->cdb, err, "UPDATE route_table SET name = ? WHERE vni = ? AND id = ?", "suu", name,
			     cdb_change_vpc(change)->vni, table);
		if (r == -EEXIST)
			vpc_err_set(err, r, "VPC %s has a table '%s' already", cdb_change_vpc(change)->name, name);
	}
	return r ?: cdb_change_commit(&change, ret_result, err);
}

static int del_routes(struct cdb_change *change, uint32_t table, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	uint32_t vni = cdb_change_vpc(change)->vni, family, plen, nexthop;
	struct vpc_prefix prefix;
	struct cdb_bin addr;
	bool more;
	int r;

	r = cdb_stream(cdb_change_cdb(change), &rows, err,
		       "SELECT family, addr, plen, nexthop FROM route WHERE vni = ? AND table_id = ? "
		       "ORDER BY family, addr, plen",
		       "uu>ubuu", vni, table, &family, &addr, &plen, &nexthop);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		r = cdb_prefix_check("route", vni, family, &addr, plen, &prefix, err);
		if (!r && cdb_change_put_route(change, table, &prefix, nexthop, 0))
			r = vpc_err_set(err, -ENOMEM, "out of memory");
		if (r)
			return r;
	}
	return r;
}

int intent_table_del(const struct intent *intent, const char *vpc, uint32_t table, struct cdb_change_result *ret_result,
		     struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	char subnet[64];
	uint32_t vni;
	int r;

	r = intent_begin(intent, vpc, &change, err);
	if (!r)
		r = intent_table_check(change, table, err);
	if (r)
		return r;
	vni = cdb_change_vpc(change)->vni;
	r = cdb_get(intent->cdb, err, "SELECT name FROM subnet WHERE vni = ? AND table_id = ? LIMIT 1", "uu>s", vni,
		    table, subnet, sizeof(subnet));
	if (!r)
		return vpc_err_set(err, -EBUSY, "table %u of VPC %s is still used by subnet %s", table,
				   cdb_change_vpc(change)->name, subnet);
	if (r == -ENOENT)
		r = intent_peer_check_free(change, &table, err);
	if (!r)
		r = del_routes(change, table, err);
	if (!r)
		r = cdb_change_write(change, err);
	if (!r)
		r = note_table(change, table, err);
	if (!r)
		r = cdb_exec(intent->cdb, err, "DELETE FROM route_table WHERE vni = ? AND id = ?", "uu", vni, table);
	if (r)
		return r;
	cdb_change_mark(change);
	return cdb_change_commit(&change, ret_result, err);
}
