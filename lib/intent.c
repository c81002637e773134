// SPDX-License-Identifier: Apache-2.0
/*
 * Shared by the intent modules: see intent_private.h.
 */
#include <errno.h>
#include <string.h>
#include "intent_private.h"
#include "util.h"

void intent_prefixes_clear(struct intent_prefixes *prefixes)
{
	free(prefixes->list);
	*prefixes = (struct intent_prefixes){};
}

void intent_ids_clear(struct intent_ids *ids)
{
	free(ids->list);
	*ids = (struct intent_ids){};
}

int intent_begin(const struct intent *intent, const char *vpc, struct cdb_change **ret_change, struct vpc_err *err)
{
	struct cdb_vpc found;
	int r;

	r = cdb_vpc_find(intent->cdb, vpc, &found, err);
	if (r)
		return r;
	return cdb_change_begin(intent->cdb, found.vni, intent->author, intent->summary, ret_change, err);
}

int intent_ranges_load(const struct cdb_change *change, struct intent_prefixes *ret_ranges, struct vpc_err *err)
{
	_cleanup_(intent_prefixes_clear) struct intent_prefixes ranges = {};
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	uint32_t vni = cdb_change_vpc(change)->vni, family, plen;
	struct cdb_bin addr;
	bool more;
	int r;

	r = cdb_query(cdb_change_cdb(change), &rows, err,
		      "SELECT family, addr, plen FROM vpc_range WHERE vni = ? ORDER BY family, addr", "u>ubu", vni,
		      &family, &addr, &plen);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		struct vpc_prefix *list = reallocarray(ranges.list, ranges.n + 1, sizeof(*list));

		if (!list)
			return vpc_err_set(err, -ENOMEM, "out of memory");
		ranges.list = list;
		r = cdb_prefix_check("vpc_range", vni, family, &addr, plen, &list[ranges.n], err);
		if (r)
			return r;
		ranges.n++;
	}
	if (r)
		return r;
	*ret_ranges = ranges;
	ranges = (struct intent_prefixes){};
	return 0;
}

int intent_tables_load(const struct cdb_change *change, struct intent_ids *ret_tables, struct vpc_err *err)
{
	_cleanup_(intent_ids_clear) struct intent_ids tables = { .list = calloc(VPC_TABLES_MAX, sizeof(uint32_t)) };
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	uint32_t id;
	bool more;
	int r;

	if (!tables.list)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	r = cdb_query(cdb_change_cdb(change), &rows, err,
		      "SELECT id FROM route_table WHERE vni = ? AND id > 0 ORDER BY id LIMIT 1023", "u>u",
		      cdb_change_vpc(change)->vni, &id);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more)
		tables.list[tables.n++] = id;
	if (r)
		return r;
	*ret_tables = tables;
	tables = (struct intent_ids){};
	return 0;
}

int intent_table_check(const struct cdb_change *change, uint32_t table, struct vpc_err *err)
{
	const struct cdb_vpc *vpc = cdb_change_vpc(change);
	uint32_t found;
	int r;

	if (!table)
		return vpc_err_set(err, -EPERM, "table 0 is the mapping, which is made from the ports");
	if (table >= VPC_TABLES_MAX)
		return vpc_err_set(err, -EINVAL, "table %u: ids are 1..%u", table, VPC_TABLES_MAX - 1);
	r = cdb_get(cdb_change_cdb(change), err, "SELECT id FROM route_table WHERE vni = ? AND id = ?", "uu>u",
		    vpc->vni, table, &found);
	if (r == -ENOENT)
		return vpc_err_set(err, r, "VPC %s has no table %u", vpc->name, table);
	return r;
}

int intent_subnet_find(const struct cdb_change *change, const char *name, struct intent_subnet *ret_subnet,
		       struct vpc_err *err)
{
	const struct cdb_vpc *vpc = cdb_change_vpc(change);
	struct intent_subnet subnet;
	struct cdb_bin addr, gateway;
	uint32_t family, plen;
	int r;

	r = cdb_get(cdb_change_cdb(change), err,
		    "SELECT name, family, addr, plen, gateway, table_id FROM subnet WHERE vni = ? AND name = ?",
		    "us>sububu", vpc->vni, name, subnet.name, sizeof(subnet.name), &family, &addr, &plen, &gateway,
		    &subnet.table);
	if (r == -ENOENT)
		return vpc_err_set(err, r, "VPC %s has no subnet '%.64s'", vpc->name, name);
	if (!r)
		r = cdb_prefix_check("subnet", vpc->vni, family, &addr, plen, &subnet.prefix, err);
	if (!r)
		r = cdb_addr_check("subnet", vpc->vni, family, &gateway, &subnet.gateway, err);
	if (r)
		return r;
	*ret_subnet = subnet;
	return 0;
}

int intent_host_find(struct cdb *cdb, const char *name, struct intent_host *ret_host, struct vpc_err *err)
{
	struct intent_host host;
	struct cdb_bin vtep;
	uint32_t family;
	int r;

	r = cdb_get(cdb, err, "SELECT id, name, family, vtep FROM host WHERE name = ?", "s>usub", name, &host.id,
		    host.name, sizeof(host.name), &family, &vtep);
	if (r == -ENOENT)
		return vpc_err_set(err, r, "there is no host '%.64s'", name);
	if (!r)
		r = cdb_addr_check("host", 0, family, &vtep, &host.vtep, err);
	if (r)
		return r;
	*ret_host = host;
	return 0;
}

int intent_vtep_check(const struct vpc_addr *vtep, struct vpc_err *err)
{
	static const uint8_t none[16];
	bool multicast = vtep->family == AF_INET6 ? vtep->bytes[0] == 0xff : vtep->bytes[0] >= 224;
	char text[VPC_ADDR_STRLEN];

	if (multicast || !memcmp(vtep->bytes, none, sizeof(none)))
		return vpc_err_set(err, -EINVAL, "VTEP %s is not the address of one host", vpc_addr_format(vtep, text));
	return 0;
}

struct vpc_addr intent_prefix_first(const struct vpc_prefix *prefix)
{
	struct vpc_addr addr = { .family = prefix->family };

	memcpy(addr.bytes, prefix->bytes, sizeof(addr.bytes));
	return addr;
}

struct vpc_addr intent_prefix_last(const struct vpc_prefix *prefix)
{
	struct vpc_addr addr = intent_prefix_first(prefix);

	for (unsigned int bit = prefix->plen; bit < vpc_family_bits(prefix->family); bit++)
		addr.bytes[bit / 8] |= 0x80 >> bit % 8;
	return addr;
}

struct vpc_addr intent_addr_next(const struct vpc_addr *addr)
{
	struct vpc_addr next = *addr;
	unsigned int i = cdb_addr_len(addr->family);

	while (i-- && !++next.bytes[i])
		;
	return next;
}

bool intent_is_range(const struct intent_prefixes *ranges, const struct vpc_prefix *prefix)
{
	for (size_t i = 0; i < ranges->n; i++)
		if (!vpc_prefix_cmp(&ranges->list[i], prefix))
			return true;
	return false;
}
