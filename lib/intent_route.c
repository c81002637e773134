// SPDX-License-Identifier: Apache-2.0
/*
 * Single routes of customers' tables: see intent.h. Whole files of them: lib/intent_import.c.
 */
#include <errno.h>
#include "intent_nexthop.h"
#include "util.h"

static int begin(const struct intent *intent, const char *vpc, uint32_t table, const struct vpc_prefix *prefix,
		 struct cdb_change **ret_change, struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	_cleanup_(intent_prefixes_clear) struct intent_prefixes ranges = {};
	char text[VPC_PREFIX_STRLEN];
	int r;

	r = intent_begin(intent, vpc, &change, err);
	if (!r)
		r = intent_table_check(change, table, err);
	if (!r)
		r = intent_ranges_load(change, &ranges, err);
	if (!r && intent_is_range(&ranges, prefix))
		r = vpc_err_set(err, -EPERM, "route %s is the range of VPC %s and always leads to local",
				vpc_prefix_format(prefix, text), cdb_change_vpc(change)->name);
	if (r)
		return r;
	*ret_change = change;
	change = NULL;
	return 0;
}

static int check_absent(const struct cdb_change *change, uint32_t table, const struct vpc_prefix *prefix,
			struct vpc_err *err)
{
	char text[VPC_PREFIX_STRLEN];
	uint32_t nexthop;
	int r;

	r = cdb_get(cdb_change_cdb(change), err,
		    "SELECT nexthop FROM route WHERE vni = ? AND table_id = ? AND family = ? AND addr = ? "
		    "AND plen = ?",
		    "uuubu>u", cdb_change_vpc(change)->vni, table, cdb_family(prefix->family), prefix->bytes,
		    cdb_addr_len(prefix->family), (uint32_t)prefix->plen, &nexthop);
	if (!r)
		return vpc_err_set(err, -EEXIST,
				   "table %u of VPC %s has a route %s already (change it with `route set`)", table,
				   cdb_change_vpc(change)->name, vpc_prefix_format(prefix, text));
	return r == -ENOENT ? 0 : r;
}

int intent_route_put(const struct intent *intent, const char *vpc, uint32_t table, const struct vpc_prefix *prefix,
		     const struct intent_via *via, bool replace, struct cdb_change_result *ret_result,
		     struct vpc_err *err)
{
	struct vpc_route route = { .table = table, .prefix = *prefix };
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	int r;

	r = begin(intent, vpc, table, prefix, &change, err);
	if (!r && !replace)
		r = check_absent(change, table, prefix, err);
	if (!r)
		r = intent_via_resolve(change, via, &route.nexthop, err);
	if (!r)
		r = cdb_change_set_route(change, &route, err);
	return r ?: cdb_change_commit(&change, ret_result, err);
}

int intent_route_del(const struct intent *intent, const char *vpc, uint32_t table, const struct vpc_prefix *prefix,
		     struct cdb_change_result *ret_result, struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	int r;

	r = begin(intent, vpc, table, prefix, &change, err);
	if (!r)
		r = cdb_change_del_route(change, table, prefix, err);
	return r ?: cdb_change_commit(&change, ret_result, err);
}
