// SPDX-License-Identifier: Apache-2.0
/*
 * Writes a change's elements into CDB's tables and into the history, in bulk. A part of lib/cdb_change.c, which calls
 * it with the VPC locked. Order: members deleted, nexthops set, members set, routes, nexthops deleted, so that foreign
 * keys hold after each statement.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include "cdb_change_private.h"
#include "cdb_row.h"
#include "util.h"
#include "../proto/vpc_canon.h"

static int write_nexthop(struct cdb_change *change, const struct vpc_nl_nexthop *nh, struct vpc_err *err)
{
	int r;

	r = cdb_exec(
		change->cdb, err,
		"INSERT INTO nexthop (vni, id, type, family, vtep, nh_vni, nh_table, mac) VALUES (?, ?, ?, ?, ?, ?, "
		"?, ?) "
		"ON DUPLICATE KEY UPDATE type = VALUES(type), family = VALUES(family), vtep = VALUES(vtep), nh_vni = "
		"VALUES(nh_vni), "
		"nh_table = VALUES(nh_table), mac = VALUES(mac)",
		"uuuubuub", change->vpc.vni, nh->id, (uint32_t)nh->type, nh->family ? cdb_family(nh->family) : 0,
		nh->addr, nh->family ? cdb_addr_len(nh->family) : (size_t)0, nh->vni, nh->table, nh->mac,
		sizeof(nh->mac));
	if (r == -ENOENT)
		return vpc_err_set(err, r, "nexthop %u of VPC %s: there is no VPC %u, or no table %u in it", nh->id,
				   change->vpc.name, nh->vni, nh->table);
	return r ? vpc_err_prefix(err, r, "nexthop %u", nh->id) : 0;
}

static int delete_nexthop(struct cdb_change *change, uint32_t id, struct vpc_err *err)
{
	int r;

	r = cdb_exec(change->cdb, err, "DELETE FROM nexthop WHERE vni = ? AND id = ?", "uu", change->vpc.vni, id);
	if (r == -EBUSY)
		return vpc_err_set(err, r, "nexthop %u of VPC %s is still used by routes or groups", id,
				   change->vpc.name);
	return r;
}

static int write_nexthops(struct cdb_change *change, const struct change_set *set, bool there, struct vpc_err *err)
{
	int r = 0;

	for (size_t i = 0; i < set->n_nexthops && !r; i++) {
		const struct change_nexthop *nh = &set->nexthops[i];

		if (nh->has_is == there)
			r = there ? write_nexthop(change, &nh->is, err) : delete_nexthop(change, nh->id, err);
	}
	return r;
}

static int write_member(struct cdb_change *change, const struct vpc_nl_member *member, struct vpc_err *err)
{
	int r;

	if (!member->weight)
		return cdb_exec(change->cdb, err,
				"DELETE FROM nexthop_member WHERE vni = ? AND group_id = ? AND nexthop = ?", "uuu",
				change->vpc.vni, member->group, member->nexthop);
	r = cdb_exec(change->cdb, err,
		     "INSERT INTO nexthop_member (vni, group_id, nexthop, weight) VALUES (?, ?, ?, ?) "
		     "ON DUPLICATE KEY UPDATE weight = VALUES(weight)",
		     "uuuu", change->vpc.vni, member->group, member->nexthop, (uint32_t)member->weight);
	return r ? vpc_err_prefix(err, r, "member %u of group %u of VPC %s", member->nexthop, member->group,
				  change->vpc.name)
		 : 0;
}

static int write_members(struct cdb_change *change, const struct change_set *set, bool there, struct vpc_err *err)
{
	int r = 0;

	for (size_t i = 0; i < set->n_members && !r; i++)
		if (!!set->members[i].member.weight == there)
			r = write_member(change, &set->members[i].member, err);
	return r;
}

struct route_row {
	uint32_t vni, table, family, plen, nexthop;
	struct cdb_bulk_bin addr;
};

#define KEY_COLS                                                                                        \
	{ 'u', offsetof(struct route_row, vni) }, { 'u', offsetof(struct route_row, table) },           \
		{ 'u', offsetof(struct route_row, family) }, { 'b', offsetof(struct route_row, addr) }, \
	{                                                                                               \
		'u', offsetof(struct route_row, plen)                                                   \
	}
#define KEY_WHERE "vni = ? AND table_id = ? AND family = ? AND addr = ? AND plen = ?"
static const struct cdb_bulk_col key_cols[] = { KEY_COLS };
static const struct cdb_bulk_col insert_cols[] = { KEY_COLS, { 'u', offsetof(struct route_row, nexthop) } };
static const struct cdb_bulk_col update_cols[] = { { 'u', offsetof(struct route_row, nexthop) }, KEY_COLS };

static const struct route_verb {
	const char *sql;
	const struct cdb_bulk_col *cols;
	size_t n_cols;
} route_delete = { "DELETE FROM route WHERE " KEY_WHERE, key_cols, ARRAY_SIZE(key_cols) },
  route_insert = { "INSERT INTO route (vni, table_id, family, addr, plen, nexthop) VALUES (?, ?, ?, ?, ?, ?)",
		   insert_cols, ARRAY_SIZE(insert_cols) },
  route_update = { "UPDATE route SET nexthop = ? WHERE " KEY_WHERE, update_cols, ARRAY_SIZE(update_cols) };

static const struct route_verb *verb_of(const struct change_route *route)
{
	if (!route->route.nexthop)
		return &route_delete;
	return route->was ? &route_update : &route_insert;
}

static int flush_routes(struct cdb_change *change, const struct route_verb *verb, const struct route_row *rows,
			size_t n, struct vpc_err *err)
{
	int r;

	if (!n)
		return 0;
	r = cdb_bulk(change->cdb, verb->sql, verb->cols, verb->n_cols, rows, sizeof(*rows), n, err);
	if (r == -ENOENT)
		return vpc_err_prefix(err, r, "VPC %s has no such table or nexthop", change->vpc.name);
	return r;
}

static int write_routes(struct cdb_change *change, const struct change_set *set, const struct route_verb *verb,
			struct vpc_err *err)
{
	_cleanup_free_ struct route_row *rows = calloc(CDB_BULK_ROWS, sizeof(*rows));
	size_t n = 0;
	int r = 0;

	if (!rows)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < set->n_routes && !r; i++) {
		const struct vpc_route *route = &set->routes[i].route;
		struct route_row *row = &rows[n];

		if (verb_of(&set->routes[i]) != verb)
			continue;
		row->vni = change->vpc.vni;
		row->table = route->table;
		row->family = cdb_family(route->prefix.family);
		row->plen = route->prefix.plen;
		row->nexthop = route->nexthop;
		row->addr.len = cdb_addr_len(route->prefix.family);
		memcpy(row->addr.bytes, route->prefix.bytes, sizeof(route->prefix.bytes));
		if (++n == CDB_BULK_ROWS) {
			r = flush_routes(change, verb, rows, n, err);
			n = 0;
		}
	}
	return r ?: flush_routes(change, verb, rows, n, err);
}

int change_set_write(struct cdb_change *change, const struct change_set *set, struct vpc_err *err)
{
	int r;

	r = write_members(change, set, false, err);
	if (!r)
		r = write_nexthops(change, set, true, err);
	if (!r)
		r = write_members(change, set, true, err);
	if (!r && set->n_routes)
		r = write_routes(change, set, &route_delete, err);
	if (!r && set->n_routes)
		r = write_routes(change, set, &route_update, err);
	if (!r && set->n_routes)
		r = write_routes(change, set, &route_insert, err);
	if (!r)
		r = write_nexthops(change, set, false, err);
	return r;
}

struct op_row {
	uint32_t vni, seq, kind;
	uint64_t epoch;
	struct cdb_bulk_bin was, is_now;
};

static const struct cdb_bulk_col op_cols[] = {
	{ 'u', offsetof(struct op_row, vni) }, { 'U', offsetof(struct op_row, epoch) },
	{ 'u', offsetof(struct op_row, seq) }, { 'u', offsetof(struct op_row, kind) },
	{ 'b', offsetof(struct op_row, was) }, { 'b', offsetof(struct op_row, is_now) },
};

static void op_nexthop(const struct vpc_nl_nexthop *nh, bool there, struct cdb_bulk_bin *ret)
{
	ret->null = !there;
	ret->len = there ? vpc_canon_nexthop(nh, ret->bytes) : 0;
}

static void op_route(const struct vpc_route *route, uint32_t nexthop, struct cdb_bulk_bin *ret)
{
	ret->null = !nexthop;
	ret->len = nexthop ? vpc_canon_route(route->table, route->prefix.family, route->prefix.bytes,
					     route->prefix.plen, nexthop, ret->bytes)
			   : 0;
}

static void op_member(const struct vpc_nl_member *member, uint16_t weight, struct cdb_bulk_bin *ret)
{
	struct vpc_nl_member one = *member;

	one.weight = weight;
	ret->null = !weight;
	ret->len = weight ? vpc_canon_member(&one, ret->bytes) : 0;
}

/* Operation @i of the change: nexthops, members, routes. */
static void op_fill(const struct cdb_change *change, size_t i, struct op_row *ret)
{
	const struct change_set *set = &change->done;

	ret->vni = change->vpc.vni;
	ret->epoch = change->vpc.epoch + 1;
	ret->seq = i;
	if (i < set->n_nexthops) {
		const struct change_nexthop *nh = &set->nexthops[i];

		ret->kind = CDB_ELEMENT_NEXTHOP;
		op_nexthop(&nh->was, nh->has_was, &ret->was);
		op_nexthop(&nh->is, nh->has_is, &ret->is_now);
	} else if (i - set->n_nexthops < set->n_members) {
		const struct change_member *member = &set->members[i - set->n_nexthops];

		ret->kind = CDB_ELEMENT_MEMBER;
		op_member(&member->member, member->was, &ret->was);
		op_member(&member->member, member->member.weight, &ret->is_now);
	} else {
		const struct change_route *route = &set->routes[i - set->n_nexthops - set->n_members];

		ret->kind = CDB_ELEMENT_ROUTE;
		op_route(&route->route, route->was, &ret->was);
		op_route(&route->route, route->route.nexthop, &ret->is_now);
	}
}

static int write_ops(struct cdb_change *change, struct vpc_err *err)
{
	_cleanup_free_ struct op_row *rows = calloc(CDB_BULK_ROWS, sizeof(*rows));
	size_t total = change_set_count(&change->done);
	int r = 0;

	if (!rows)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < total && !r; i += CDB_BULK_ROWS) {
		size_t n = total - i < CDB_BULK_ROWS ? total - i : CDB_BULK_ROWS;

		for (size_t j = 0; j < n; j++)
			op_fill(change, i + j, &rows[j]);
		r = cdb_bulk(change->cdb,
			     "INSERT INTO change_op (vni, epoch, seq, kind, was, is_now) VALUES (?, ?, ?, ?, ?, ?)",
			     op_cols, ARRAY_SIZE(op_cols), rows, sizeof(*rows), n, err);
	}
	return r;
}

static bool item_changed(const struct cdb_change_item *item)
{
	return !cdb_item_text_equal(item->was, item->is);
}

static int write_items(struct cdb_change *change, struct vpc_err *err)
{
	uint32_t seq = 0;
	int r = 0;

	for (size_t i = 0; i < change->n_items && !r; i++) {
		const struct cdb_change_item *item = &change->items[i];

		if (item_changed(item))
			r = cdb_exec(change->cdb, err,
				     "INSERT INTO change_item (vni, epoch, seq, kind, name, was, is_now) "
				     "VALUES (?, ?, ?, ?, ?, ?, ?)",
				     "uUussss", change->vpc.vni, change->vpc.epoch + 1, seq++,
				     cdb_item_kind_name(item->kind), item->name, item->was, item->is);
	}
	return r;
}

int cdb_change_write_log(struct cdb_change *change, struct vpc_err *err)
{
	size_t n_items = 0;
	int r;

	for (size_t i = 0; i < change->n_items; i++)
		n_items += item_changed(&change->items[i]);
	r = cdb_exec(
		change->cdb, err,
		"INSERT INTO change_log (vni, epoch, change_id, author, created, summary, n_ops, digest0, digest1, "
		"n_items) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		"uUssUsUUUU", change->vpc.vni, change->vpc.epoch + 1, change->id, change->author, now_wall_ms(),
		change->summary, (uint64_t)change_set_count(&change->done), (uint64_t)change->digest.h[0],
		(uint64_t)change->digest.h[1], (uint64_t)n_items);
	if (!r)
		r = write_ops(change, err);
	return r ?: write_items(change, err);
}
