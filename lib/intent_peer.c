// SPDX-License-Identifier: Apache-2.0
/*
 * Peerings: nexthops that lead into another VPC. Hosts need the VPCs that their ports' VPCs lead to, and the ones those
 * lead to, so a peering that comes or goes is told to all of them. Called by lib/intent_nexthop.c and the modules that
 * delete VPCs and tables, under the VPC's lock.
 */
#include <errno.h>
#include "intent_nexthop.h"
#include "util.h"

int intent_peer_check(const struct cdb_change *change, const struct vpc_nl_nexthop *nh, struct vpc_err *err)
{
	struct cdb_vpc peer;
	uint32_t found;
	int r;

	if (nh->vni == cdb_change_vpc(change)->vni)
		return vpc_err_set(err, -EINVAL, "VPC %s can't be its own peer", cdb_change_vpc(change)->name);
	r = cdb_vpc_get(cdb_change_cdb(change), nh->vni, &peer, err);
	if (r)
		return r;
	r = cdb_get(cdb_change_cdb(change), err, "SELECT id FROM route_table WHERE vni = ? AND id = ?", "uu>u", nh->vni,
		    nh->table, &found);
	if (r == -ENOENT)
		return vpc_err_set(err, r, "the peer, VPC %s, has no table %u", peer.name, nh->table);
	return r;
}

int intent_peer_check_free(const struct cdb_change *change, const uint32_t *table, struct vpc_err *err)
{
	const struct cdb_vpc *vpc = cdb_change_vpc(change);
	char name[64];
	uint32_t id;
	int r;

	r = cdb_get(cdb_change_cdb(change), err,
		    "SELECT v.name, n.id FROM nexthop n JOIN vpc v ON v.vni = n.vni WHERE n.peer = ? AND n.nh_table "
		    "BETWEEN ? AND ? LIMIT 1",
		    "uuu>su", vpc->vni, table ? *table : 0, table ? *table : VPC_TABLES_MAX, name, sizeof(name), &id);
	if (r)
		return r == -ENOENT ? 0 : r;
	if (table)
		return vpc_err_set(err, -EBUSY, "table %u of VPC %s is still where nexthop %u of VPC %s leads to",
				   *table, vpc->name, id, name);
	return vpc_err_set(err, -EBUSY, "VPC %s is still the peer of VPC %s: nexthop %u there leads to it", vpc->name,
			   name, id);
}

/* VPCs from which packets may come into this one, itself among them. */
static int load_behind(const struct cdb_change *change, struct intent_ids *ret_vnis, struct vpc_err *err)
{
	_cleanup_(intent_ids_clear) struct intent_ids vnis = {};
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	size_t cap = 0;
	uint32_t vni;
	bool more;
	int r;

	r = cdb_query(cdb_change_cdb(change), &rows, err,
		      "WITH RECURSIVE behind (vni, depth) AS (SELECT CAST(? AS UNSIGNED), 0 UNION SELECT n.vni, "
		      "b.depth + 1 FROM behind b JOIN nexthop n ON n.peer = b.vni WHERE b.depth < ?) "
		      "SELECT DISTINCT vni FROM behind ORDER BY vni",
		      "uu>u", cdb_change_vpc(change)->vni, (uint32_t)VPC_PEER_DEPTH - 1, &vni);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		if (vnis.n == cap) {
			uint32_t *list = reallocarray(vnis.list, cap = cap ? 2 * cap : 16, sizeof(*list));

			if (!list)
				return vpc_err_set(err, -ENOMEM, "out of memory");
			vnis.list = list;
		}
		vnis.list[vnis.n++] = vni;
	}
	if (r)
		return r;
	*ret_vnis = vnis;
	vnis = (struct intent_ids){};
	return 0;
}

/* Hosts with ports in the VPC. Its row is locked and the ports are read as committed: none comes unseen meanwhile. */
static int add_hosts(const struct cdb_change *change, uint32_t vni, struct intent_ids *hosts, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	uint32_t host, locked;
	bool more;
	int r;

	r = cdb_get(cdb_change_cdb(change), err, "SELECT vni FROM vpc WHERE vni = ? LOCK IN SHARE MODE", "u>u", vni,
		    &locked);
	if (r)
		return r == -ENOENT ? 0 : r;
	r = cdb_query(cdb_change_cdb(change), &rows, err,
		      "(SELECT host FROM port WHERE vni = ? LOCK IN SHARE MODE) UNION "
		      "(SELECT host FROM port_standby WHERE vni = ? LOCK IN SHARE MODE)",
		      "uu>u", vni, vni, &host);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		if (!(hosts->n & (hosts->n - 1))) {
			uint32_t *list = reallocarray(hosts->list, hosts->n ? 2 * hosts->n : 1, sizeof(*list));

			if (!list)
				return vpc_err_set(err, -ENOMEM, "out of memory");
			hosts->list = list;
		}
		hosts->list[hosts->n++] = host;
	}
	return r;
}

static int id_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int intent_peer_tell(struct cdb_change *change, struct vpc_err *err)
{
	_cleanup_(intent_ids_clear) struct intent_ids vnis = {}, hosts = {};
	int r;

	r = load_behind(change, &vnis, err);
	for (size_t i = 0; i < vnis.n && !r; i++)
		r = add_hosts(change, vnis.list[i], &hosts, err);
	if (r)
		return r;
	if (hosts.n)
		qsort(hosts.list, hosts.n, sizeof(*hosts.list), id_cmp);
	for (size_t i = 0; i < hosts.n && !r; i++)
		if (!i || hosts.list[i] != hosts.list[i - 1])
			r = cdb_change_touch_host(change, hosts.list[i], err);
	return r;
}
