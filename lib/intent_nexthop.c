// SPDX-License-Identifier: Apache-2.0
/*
 * Customers' nexthops: see intent.h. The system's own (local, hosts) are made by intent_vpc.c and intent_port.c.
 */
#include <errno.h>
#include <string.h>
#include "intent_private.h"
#include "intent_nexthop.h"
#include "util.h"

static int check_gateway(const struct vpc_nl_nexthop *nh, struct vpc_err *err)
{
	struct vpc_addr vtep = { .family = nh->family };
	int r;

	if (!nh->family)
		return vpc_err_set(err, -EINVAL, "a gateway needs a VTEP");
	if (nh->table)
		return vpc_err_set(err, -EINVAL, "only a peer has a table");
	memcpy(vtep.bytes, nh->addr, sizeof(vtep.bytes));
	r = intent_vtep_check(&vtep, err);
	if (!r && nh->mac[0] & 1)
		r = vpc_err_set(err, -EINVAL, "a gateway's MAC is not a multicast one");
	return r;
}

/* What its type does not use is refused: the digest does not cover it. */
static int check(const struct vpc_nl_nexthop *nh, struct vpc_err *err)
{
	static const uint8_t none[6];

	if (nh->id > VPC_NEXTHOP_ID_USER_MAX)
		return vpc_err_set(err, -EPERM, "nexthop %u is the system's own: customers' ids are 1..%u", nh->id,
				   VPC_NEXTHOP_ID_USER_MAX);
	if (nh->type == VPC_NEXTHOP_LOCAL || nh->type == VPC_NEXTHOP_HOST)
		return vpc_err_set(err, -EINVAL,
				   "a customer's nexthop is a gateway, peer, group, blackhole, prohibit or "
				   "unreachable, not %s",
				   vpc_nexthop_type_name(nh->type));
	if (nh->vni > VPC_VNI_MAX)
		return vpc_err_set(err, -EINVAL, "VNI %u is out of range: VNIs are 1..%u", nh->vni, VPC_VNI_MAX);
	if (nh->type == VPC_NEXTHOP_GATEWAY)
		return check_gateway(nh, err);
	if (nh->family || memcmp(nh->mac, none, sizeof(none)) || (nh->vni && nh->type != VPC_NEXTHOP_PEER))
		return vpc_err_set(err, -EINVAL, "only a gateway has a VTEP, VNI or MAC");
	if (nh->type == VPC_NEXTHOP_PEER && !nh->vni)
		return vpc_err_set(err, -EINVAL, "a peer needs the VPC that it leads to");
	if (nh->type == VPC_NEXTHOP_PEER && nh->table >= VPC_TABLES_MAX)
		return vpc_err_set(err, -EINVAL, "table %u: ids are 0..%u", nh->table, VPC_TABLES_MAX - 1);
	if (nh->type != VPC_NEXTHOP_PEER && nh->table)
		return vpc_err_set(err, -EINVAL, "only a peer has a table");
	return 0;
}

int intent_nexthop_check(const struct cdb_change *change, const struct vpc_nl_nexthop *nh, struct vpc_err *err)
{
	int r = check(nh, err);

	if (!r && nh->type == VPC_NEXTHOP_PEER)
		r = intent_peer_check(change, nh, err);
	return r ? vpc_err_prefix(err, r, "nexthop %u", nh->id) : 0;
}

/* The lowest id that is free. */
static int free_id(const struct cdb_change *change, uint32_t *ret_id, struct vpc_err *err)
{
	uint32_t vni = cdb_change_vpc(change)->vni;
	uint64_t id;
	int r;

	r = cdb_get(
		cdb_change_cdb(change), err,
		"SELECT MIN(n.id) + 1 FROM (SELECT 0 AS id UNION ALL SELECT id FROM nexthop WHERE vni = ? "
		"AND id <= 2147483647) n WHERE NOT EXISTS (SELECT 1 FROM nexthop m WHERE m.vni = ? AND m.id = n.id + "
		"1)",
		"uu>U", vni, vni, &id);
	if (!r && id > VPC_NEXTHOP_ID_USER_MAX)
		r = vpc_err_set(err, -ENOSPC, "VPC %s has no nexthop id left", cdb_change_vpc(change)->name);
	if (!r)
		*ret_id = id;
	return r;
}

/* An earlier one for the same VTEP and nothing special. */
static int find_like(const struct cdb_change *change, const struct vpc_nl_nexthop *nh, uint32_t *ret_id,
		     struct vpc_err *err)
{
	size_t len = nh->family ? cdb_addr_len(nh->family) : 0;

	return cdb_get(cdb_change_cdb(change), err,
		       "SELECT id FROM nexthop WHERE vni = ? AND id <= 2147483647 AND type = ? AND vtep = ? "
		       "AND nh_vni = 0 AND mac = x'000000000000' ORDER BY id LIMIT 1",
		       "uub>u", cdb_change_vpc(change)->vni, (uint32_t)nh->type, nh->addr, len, ret_id);
}

int intent_nexthop_exists(const struct cdb_change *change, uint32_t id, struct vpc_err *err)
{
	uint32_t found;
	int r;

	r = cdb_get(cdb_change_cdb(change), err, "SELECT id FROM nexthop WHERE vni = ? AND id = ?", "uu>u",
		    cdb_change_vpc(change)->vni, id, &found);
	return r == -ENOENT ? vpc_err_set(err, r, "VPC %s has no nexthop %u", cdb_change_vpc(change)->name, id) : r;
}

int intent_via_resolve(struct cdb_change *change, const struct intent_via *via, uint32_t *ret_id, struct vpc_err *err)
{
	struct vpc_nl_nexthop nh = { .type = via->type, .family = via->vtep.family };
	int r;

	if (via->id > VPC_NEXTHOP_ID_LOCAL)
		return vpc_err_set(err, -EPERM, "nexthop %u is a host: routes to hosts come from their ports", via->id);
	if (via->id || via->type == VPC_NEXTHOP_LOCAL) {
		nh.id = via->id ?: VPC_NEXTHOP_ID_LOCAL;
		r = intent_nexthop_exists(change, nh.id, err);
	} else {
		memcpy(nh.addr, via->vtep.bytes, sizeof(nh.addr));
		r = check(&nh, err);
		if (r)
			return r;
		r = find_like(change, &nh, &nh.id, err);
		if (r == -ENOENT) {
			r = free_id(change, &nh.id, err);
			if (!r)
				r = cdb_change_set_nexthop(change, &nh, err);
		}
	}
	if (!r)
		*ret_id = nh.id;
	return r;
}

/* The id, and the type that it has now; 0: there is none yet. */
static int choose_id(const struct cdb_change *change, struct vpc_nl_nexthop *nh, bool add, uint32_t *ret_was,
		     struct vpc_err *err)
{
	uint32_t type;
	int r;

	if (!nh->id) {
		r = free_id(change, &nh->id, err);
		if (!r)
			*ret_was = 0;
		return r;
	}
	r = cdb_get(cdb_change_cdb(change), err, "SELECT type FROM nexthop WHERE vni = ? AND id = ?", "uu>u",
		    cdb_change_vpc(change)->vni, nh->id, &type);
	if (!r && add)
		return vpc_err_set(err, -EEXIST, "VPC %s has a nexthop %u already (change it with `nexthop set`)",
				   cdb_change_vpc(change)->name, nh->id);
	if (r == -ENOENT && !add)
		return vpc_err_set(err, r, "VPC %s has no nexthop %u", cdb_change_vpc(change)->name, nh->id);
	if (r && r != -ENOENT)
		return r;
	*ret_was = r ? 0 : type;
	return 0;
}

/* Members follow the type: a group that becomes something else has none. */
static int put_members(struct cdb_change *change, const struct vpc_nl_nexthop *nh, uint32_t was,
		       const struct intent_members *members, struct vpc_err *err)
{
	const struct intent_members none = { .replace = true };
	int r = 0;

	if (nh->type == VPC_NEXTHOP_GROUP && was && was != VPC_NEXTHOP_GROUP)
		r = intent_member_check_free(change, nh->id, err);
	if (r || (nh->type != VPC_NEXTHOP_GROUP && was != VPC_NEXTHOP_GROUP))
		return r;
	if (nh->type != VPC_NEXTHOP_GROUP)
		members = &none;
	return members ? intent_members_change(change, nh->id, members, err) : 0;
}

static int put(const struct intent *intent, const char *vpc, const struct vpc_nl_nexthop *nh,
	       const struct intent_members *members, bool add, struct cdb_change_result *ret_result,
	       struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	struct vpc_nl_nexthop new = *nh;
	uint32_t was = 0;
	int r;

	r = intent_begin(intent, vpc, &change, err);
	if (!r)
		r = choose_id(change, &new, add, &was, err);
	if (!r && new.type == VPC_NEXTHOP_PEER)
		r = intent_peer_check(change, &new, err);
	if (!r)
		r = put_members(change, &new, was, members, err);
	if (!r)
		r = cdb_change_set_nexthop(change, &new, err);
	if (!r && (new.type == VPC_NEXTHOP_PEER || was == VPC_NEXTHOP_PEER)) {
		r = cdb_change_write(change, err);
		if (!r && cdb_change_changes(change))
			r = intent_peer_tell(change, err);
	}
	return r ?: cdb_change_commit(&change, ret_result, err);
}

int intent_nexthop_put(const struct intent *intent, const char *vpc, const struct vpc_nl_nexthop *nh,
		       const struct intent_members *members, bool add, struct cdb_change_result *ret_result,
		       struct vpc_err *err)
{
	int r = check(nh, err);

	if (!r && nh->type != VPC_NEXTHOP_GROUP && members && members->n_set + members->n_del)
		r = vpc_err_set(err, -EINVAL, "only a group has members");
	return r ?: intent_retry(intent, put(intent, vpc, nh, members, add, ret_result, err));
}

int intent_nexthop_members(const struct intent *intent, const char *vpc, uint32_t group,
			   const struct intent_members *members, struct cdb_change_result *ret_result,
			   struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	struct vpc_nl_nexthop nh = { .id = group };
	uint32_t type = 0;
	int r;

	r = intent_begin(intent, vpc, &change, err);
	if (!r)
		r = choose_id(change, &nh, false, &type, err);
	if (!r && type != VPC_NEXTHOP_GROUP)
		r = vpc_err_set(err, -EINVAL, "nexthop %u of VPC %s is no group, but %s", group,
				cdb_change_vpc(change)->name, vpc_nexthop_type_name(type));
	if (!r)
		r = intent_members_change(change, group, members, err);
	return r ?: cdb_change_commit(&change, ret_result, err);
}

static int del(const struct intent *intent, const char *vpc, uint32_t id, struct cdb_change_result *ret_result,
	       struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	const struct intent_members none = { .replace = true };
	struct vpc_nl_nexthop nh = { .id = id };
	uint32_t routes = 0, type = 0;
	int r;

	r = intent_begin(intent, vpc, &change, err);
	if (!r)
		r = choose_id(change, &nh, false, &type, err);
	if (!r)
		r = cdb_get(intent->cdb, err, "SELECT COUNT(*) FROM route WHERE vni = ? AND nexthop = ?", "uu>u",
			    cdb_change_vpc(change)->vni, id, &routes);
	if (!r && routes)
		r = vpc_err_set(err, -EBUSY, "nexthop %u of VPC %s is still used by %u route%s", id,
				cdb_change_vpc(change)->name, routes, routes == 1 ? "" : "s");
	if (!r)
		r = intent_member_check_free(change, id, err);
	if (!r && type == VPC_NEXTHOP_GROUP)
		r = intent_members_change(change, id, &none, err);
	if (!r)
		r = cdb_change_del_nexthop(change, id, err);
	if (!r && type == VPC_NEXTHOP_PEER)
		r = intent_peer_tell(change, err);
	return r ?: cdb_change_commit(&change, ret_result, err);
}

int intent_nexthop_del(const struct intent *intent, const char *vpc, uint32_t id, struct cdb_change_result *ret_result,
		       struct vpc_err *err)
{
	if (!id || id > VPC_NEXTHOP_ID_USER_MAX)
		return vpc_err_set(err, -EPERM, "nexthop %u is the system's own", id);
	return intent_retry(intent, del(intent, vpc, id, ret_result, err));
}
