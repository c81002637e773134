// SPDX-License-Identifier: Apache-2.0
/*
 * Members of groups: see intent.h. They are elements of their own, so that one member's coming or going is one
 * operation; called by lib/intent_nexthop.c under the VPC's lock.
 */
#include <errno.h>
#include "intent_nexthop.h"
#include "util.h"

struct group {
	struct vpc_nl_member members[VPC_MEMBERS_MAX];
	size_t n;
};

static int load(const struct cdb_change *change, uint32_t id, struct group *ret_group, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	uint32_t vni = cdb_change_vpc(change)->vni, nexthop, weight;
	bool more;
	int r;

	ret_group->n = 0;
	r = cdb_query(cdb_change_cdb(change), &rows, err,
		      "SELECT nexthop, weight FROM nexthop_member WHERE vni = ? AND group_id = ? ORDER BY nexthop",
		      "uu>uu", vni, id, &nexthop, &weight);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		if (ret_group->n == VPC_MEMBERS_MAX)
			return vpc_err_set(err, -EPROTO, "CDB: group %u of VPC %u has more than %d members", id, vni,
					   VPC_MEMBERS_MAX);
		r = cdb_member_check(vni, id, nexthop, weight, &ret_group->members[ret_group->n], err);
		if (r)
			return r;
		ret_group->n++;
	}
	return r;
}

static struct vpc_nl_member *find(struct group *group, uint32_t nexthop)
{
	for (size_t i = 0; i < group->n; i++)
		if (group->members[i].nexthop == nexthop)
			return &group->members[i];
	return NULL;
}

static int check_member(const struct cdb_change *change, uint32_t group, const struct vpc_nl_member *member,
			struct vpc_err *err)
{
	const char *vpc = cdb_change_vpc(change)->name;
	uint32_t type;
	int r;

	if (!member->weight || member->weight > VPC_WEIGHT_MAX)
		return vpc_err_set(err, -EINVAL, "member %u of group %u: weights are 1..%d", member->nexthop, group,
				   VPC_WEIGHT_MAX);
	if (member->nexthop == group)
		return vpc_err_set(err, -EINVAL, "group %u can't be its own member", group);
	if (member->nexthop > VPC_NEXTHOP_ID_LOCAL)
		return vpc_err_set(err, -EPERM, "member %u of group %u is a host: take a gateway, or local",
				   member->nexthop, group);
	r = cdb_get(cdb_change_cdb(change), err, "SELECT type FROM nexthop WHERE vni = ? AND id = ?", "uu>u",
		    cdb_change_vpc(change)->vni, member->nexthop, &type);
	if (r == -ENOENT)
		return vpc_err_set(err, r, "member %u of group %u: VPC %s has no such nexthop", member->nexthop, group,
				   vpc);
	if (!r && type == VPC_NEXTHOP_GROUP)
		return vpc_err_set(err, -EINVAL, "member %u of group %u is a group itself", member->nexthop, group);
	return r;
}

static int put(struct cdb_change *change, struct group *group, uint32_t id, const struct vpc_nl_member *member,
	       struct vpc_err *err)
{
	struct vpc_nl_member *there = find(group, member->nexthop);
	uint16_t was = there ? there->weight : 0;
	int r;

	r = check_member(change, id, member, err);
	if (r)
		return r;
	if (!there && group->n == VPC_MEMBERS_MAX)
		return vpc_err_set(err, -E2BIG, "group %u of VPC %s has %d members already, which is the most", id,
				   cdb_change_vpc(change)->name, VPC_MEMBERS_MAX);
	if (!there)
		there = &group->members[group->n++];
	*there = (struct vpc_nl_member){ .group = id, .nexthop = member->nexthop, .weight = member->weight };
	return cdb_change_put_member(change, id, member->nexthop, was, member->weight)
		       ? vpc_err_set(err, -ENOMEM, "out of memory")
		       : 0;
}

static int drop(struct cdb_change *change, struct group *group, uint32_t id, uint32_t nexthop, struct vpc_err *err)
{
	struct vpc_nl_member *there = find(group, nexthop);
	uint16_t was;

	if (!there)
		return vpc_err_set(err, -ENOENT, "nexthop %u is no member of group %u of VPC %s", nexthop, id,
				   cdb_change_vpc(change)->name);
	was = there->weight;
	*there = group->members[--group->n];
	return cdb_change_put_member(change, id, nexthop, was, 0) ? vpc_err_set(err, -ENOMEM, "out of memory") : 0;
}

static bool named(const struct intent_members *members, uint32_t nexthop)
{
	for (size_t i = 0; i < members->n_set; i++)
		if (members->set[i].nexthop == nexthop)
			return true;
	return false;
}

static int check_named_once(const struct intent_members *members, uint32_t group, struct vpc_err *err)
{
	for (size_t i = 0; i < members->n_set; i++) {
		for (size_t j = 0; j < i; j++)
			if (members->set[i].nexthop == members->set[j].nexthop)
				return vpc_err_set(err, -EINVAL, "member %u of group %u is given twice",
						   members->set[i].nexthop, group);
		for (size_t j = 0; j < members->n_del; j++)
			if (members->set[i].nexthop == members->del[j])
				return vpc_err_set(err, -EINVAL, "member %u of group %u is both set and deleted",
						   members->del[j], group);
	}
	return 0;
}

int intent_members_change(struct cdb_change *change, uint32_t group, const struct intent_members *members,
			  struct vpc_err *err)
{
	struct group now;
	int r;

	r = check_named_once(members, group, err);
	if (!r)
		r = load(change, group, &now, err);
	for (size_t i = 0; i < members->n_del && !r; i++)
		r = drop(change, &now, group, members->del[i], err);
	for (size_t i = now.n; members->replace && i-- && !r;)
		if (!named(members, now.members[i].nexthop))
			r = drop(change, &now, group, now.members[i].nexthop, err);
	for (size_t i = 0; i < members->n_set && !r; i++)
		r = put(change, &now, group, &members->set[i], err);
	return r;
}

int intent_member_check_free(const struct cdb_change *change, uint32_t id, struct vpc_err *err)
{
	uint32_t group;
	int r;

	r = cdb_get(cdb_change_cdb(change), err,
		    "SELECT group_id FROM nexthop_member WHERE vni = ? AND nexthop = ? LIMIT 1", "uu>u",
		    cdb_change_vpc(change)->vni, id, &group);
	if (!r)
		return vpc_err_set(err, -EBUSY, "nexthop %u of VPC %s is still a member of group %u", id,
				   cdb_change_vpc(change)->name, group);
	return r == -ENOENT ? 0 : r;
}
