// SPDX-License-Identifier: Apache-2.0
/*
 * Subnets: see intent.h. A subnet lies in a range of its VPC, overlaps no other, and its ports use its table.
 */
#include <errno.h>
#include <string.h>
#include "intent_private.h"
#include "util.h"

/* Room for the network's own address, the gateway and one port; IPv4 keeps its broadcast address free too. */
static unsigned int longest_plen(uint8_t family)
{
	return family == AF_INET6 ? 126 : 30;
}

static int check_range(const struct cdb_change *change, const char *name, const struct vpc_prefix *prefix,
		       struct vpc_err *err)
{
	_cleanup_(intent_prefixes_clear) struct intent_prefixes ranges = {};
	char text[VPC_PREFIX_STRLEN];
	int r;

	r = intent_ranges_load(change, &ranges, err);
	if (r)
		return r;
	for (size_t i = 0; i < ranges.n; i++)
		if (vpc_prefix_contains(&ranges.list[i], prefix))
			return 0;
	return vpc_err_set(err, -EINVAL, "subnet %s: %s is in no range of VPC %s", name,
			   vpc_prefix_format(prefix, text), cdb_change_vpc(change)->name);
}

/* Subnets never overlap, so the one that begins last before our end is the only one that can reach into us. */
static int check_overlap(const struct cdb_change *change, const char *name, const struct vpc_prefix *prefix,
			 struct vpc_err *err)
{
	struct vpc_addr last = intent_prefix_last(prefix);
	char other[64], text[VPC_PREFIX_STRLEN], other_text[VPC_PREFIX_STRLEN];
	const struct cdb_vpc *vpc = cdb_change_vpc(change);
	struct vpc_prefix there;
	struct cdb_bin addr;
	uint32_t plen;
	int r;

	r = cdb_get(cdb_change_cdb(change), err,
		    "SELECT name, addr, plen FROM subnet WHERE vni = ? AND family = ? AND addr <= ? "
		    "ORDER BY addr DESC LIMIT 1",
		    "uub>sbu", vpc->vni, cdb_family(prefix->family), last.bytes, cdb_addr_len(last.family), other,
		    sizeof(other), &addr, &plen);
	if (r == -ENOENT)
		return 0;
	if (!r)
		r = cdb_prefix_check("subnet", vpc->vni, cdb_family(prefix->family), &addr, plen, &there, err);
	if (!r && vpc_prefix_overlaps(&there, prefix))
		r = vpc_err_set(err, -EEXIST, "subnet %s: %s overlaps subnet %s (%s) of VPC %s", name,
				vpc_prefix_format(prefix, text), other, vpc_prefix_format(&there, other_text),
				vpc->name);
	return r;
}

static int insert_subnet(struct cdb_change *change, const char *name, const struct vpc_prefix *prefix, uint32_t table,
			 struct vpc_err *err)
{
	struct vpc_addr first = intent_prefix_first(prefix), gateway = intent_addr_next(&first);
	const struct cdb_vpc *vpc = cdb_change_vpc(change);
	size_t len = cdb_addr_len(prefix->family);
	int r;

	r = cdb_change_item(change, CDB_ITEM_SUBNET, name, err);
	if (r)
		return r;
	r = cdb_exec(cdb_change_cdb(change), err,
		     "INSERT INTO subnet (vni, name, family, addr, plen, gateway, table_id) "
		     "VALUES (?, ?, ?, ?, ?, ?, ?)",
		     "usububu", vpc->vni, name, cdb_family(prefix->family), prefix->bytes, len, (uint32_t)prefix->plen,
		     gateway.bytes, len, table);
	return r == -EEXIST ? vpc_err_set(err, r, "VPC %s has a subnet '%s' already", vpc->name, name) : r;
}

int intent_subnet_add(const struct intent *intent, const char *vpc, const char *name, const struct vpc_prefix *prefix,
		      uint32_t table, struct cdb_change_result *ret_result, struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	char text[VPC_PREFIX_STRLEN];
	int r;

	r = cdb_name_check("subnet", name, err);
	if (!r && prefix->plen > longest_plen(prefix->family))
		r = vpc_err_set(err, -EINVAL, "subnet %s: %s has no room for a gateway and a port: use /%u or shorter",
				name, vpc_prefix_format(prefix, text), longest_plen(prefix->family));
	if (!r)
		r = intent_begin(intent, vpc, &change, err);
	if (!r)
		r = intent_table_check(change, table, err);
	if (!r)
		r = check_range(change, name, prefix, err);
	if (!r)
		r = check_overlap(change, name, prefix, err);
	if (!r)
		r = insert_subnet(change, name, prefix, table, err);
	if (r)
		return r;
	cdb_change_mark(change);
	return cdb_change_commit(&change, ret_result, err);
}

/* Every host that has a port in the subnet is told. */
static int touch_hosts(struct cdb_change *change, const char *subnet, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	uint32_t host;
	bool more;
	int r;

	r = cdb_query(cdb_change_cdb(change), &rows, err,
		      "SELECT host FROM port WHERE vni = ? AND subnet = ? UNION SELECT b.host FROM port_standby b JOIN "
		      "port p ON p.id = b.port WHERE p.vni = ? AND p.subnet = ? ORDER BY host",
		      "usus>u", cdb_change_vpc(change)->vni, subnet, cdb_change_vpc(change)->vni, subnet, &host);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		r = cdb_change_touch_host(change, host, err);
		if (r)
			return r;
	}
	return r;
}

int intent_subnet_set(const struct intent *intent, const char *vpc, const char *name, uint32_t table,
		      struct cdb_change_result *ret_result, struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	struct intent_subnet subnet;
	int r;

	r = intent_begin(intent, vpc, &change, err);
	if (!r)
		r = intent_subnet_find(change, name, &subnet, err);
	if (!r)
		r = intent_table_check(change, table, err);
	if (!r && subnet.table != table) {
		cdb_change_mark(change);
		r = cdb_change_item(change, CDB_ITEM_SUBNET, name, err);
		if (!r)
			r = cdb_exec(intent->cdb, err, "UPDATE subnet SET table_id = ? WHERE vni = ? AND name = ?",
				     "uus", table, cdb_change_vpc(change)->vni, name);
		if (!r)
			r = touch_hosts(change, name, err);
	}
	return r ?: cdb_change_commit(&change, ret_result, err);
}

int intent_subnet_del(const struct intent *intent, const char *vpc, const char *name,
		      struct cdb_change_result *ret_result, struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	struct intent_subnet subnet;
	uint32_t vni, ports;
	int r;

	r = intent_begin(intent, vpc, &change, err);
	if (!r)
		r = intent_subnet_find(change, name, &subnet, err);
	if (r)
		return r;
	vni = cdb_change_vpc(change)->vni;
	r = cdb_get(intent->cdb, err, "SELECT COUNT(*) FROM port WHERE vni = ? AND subnet = ?", "us>u", vni, name,
		    &ports);
	if (!r && ports)
		r = vpc_err_set(err, -EBUSY, "subnet %s of VPC %s still has %u port%s", name,
				cdb_change_vpc(change)->name, ports, ports == 1 ? "" : "s");
	if (!r)
		r = cdb_change_item(change, CDB_ITEM_SUBNET, name, err);
	if (!r)
		r = cdb_exec(intent->cdb, err, "DELETE FROM subnet WHERE vni = ? AND name = ?", "us", vni, name);
	if (r)
		return r;
	cdb_change_mark(change);
	return cdb_change_commit(&change, ret_result, err);
}
