// SPDX-License-Identifier: GPL-2.0-only
/*
 * TXN_BEGIN, TXN_ADD, TXN_COMMIT and TXN_ABORT. Called from genl.c's table; the work is tables/txn.c's.
 */
#include "genl.h"
#include "event.h"
#include "parse.h"
#include "../tables/txn.h"

/* The transaction that the request names, begun on this socket. */
static int vpc_txn_require(struct vpc_net *vnet, struct genl_info *info, struct vpc_txn **ret_txn)
{
	struct vpc_txn *txn;
	int err;

	err = vpc_require(info, VPC_A_TXN, "TXN");
	if (err)
		return err;
	txn = vpc_txn_find(vnet, info->snd_portid, nla_get_u32(info->attrs[VPC_A_TXN]));
	if (!txn) {
		vpc_refuse(info->extack, "transaction %u is not open on this socket",
			   nla_get_u32(info->attrs[VPC_A_TXN]));
		return -ENOENT;
	}
	*ret_txn = txn;
	return 0;
}

int vpc_cmd_txn_begin(struct vpc_net *vnet, struct genl_info *info)
{
	struct vpc_txn *txn;
	struct sk_buff *skb;
	struct vpc *vpc;
	u64 base = 0;
	void *hdr;
	int err;

	err = vpc_require_vpc(vnet, info, &vpc);
	if (!err)
		err = vpc_require(info, VPC_A_TXN_MODE, "TXN_MODE");
	if (err)
		return err;
	if (info->attrs[VPC_A_BASE_EPOCH])
		base = nla_get_u64(info->attrs[VPC_A_BASE_EPOCH]);
	skb = vpc_reply_new(info, NLMSG_DEFAULT_SIZE, &hdr);
	if (!skb)
		return -ENOMEM;
	err = vpc_txn_begin(vpc, info->snd_portid, nla_get_u8(info->attrs[VPC_A_TXN_MODE]),
			    info->attrs[VPC_A_BASE_EPOCH] ? &base : NULL, info->extack, &txn);
	if (err)
		goto err_free_skb;
	err = nla_put_u32(skb, VPC_A_TXN, vpc_txn_id(txn));
	if (err)
		goto err_abort;
	err = vpc_reply_send(skb, hdr, info);
	if (err)
		vpc_txn_abort(txn);
	return err;

err_abort:
	vpc_txn_abort(txn);
err_free_skb:
	nlmsg_free(skb);
	return err;
}

/* -- TXN_ADD ------------------------------------------------------------------------------------------------------- */

/* What an array attribute holds: how long an element is, how it is checked, how it is applied. */
struct vpc_txn_array {
	const char *name;
	size_t size;
	int (*check)(const struct vpc *vpc, const void *element, struct netlink_ext_ack *extack);
	int (*apply)(struct vpc_txn *txn, const void *element, struct netlink_ext_ack *extack);
};

static int vpc_txn_check_nexthop(const struct vpc *vpc, const void *element, struct netlink_ext_ack *extack)
{
	return vpc_parse_nexthop(element, vpc->vni, extack);
}

static int vpc_txn_apply_nexthop(struct vpc_txn *txn, const void *element, struct netlink_ext_ack *extack)
{
	return vpc_txn_nexthop(txn, element, extack);
}

static int vpc_txn_check_member(const struct vpc *vpc, const void *element, struct netlink_ext_ack *extack)
{
	return vpc_parse_member(element, extack);
}

static int vpc_txn_apply_member(struct vpc_txn *txn, const void *element, struct netlink_ext_ack *extack)
{
	return vpc_txn_member(txn, element, extack);
}

static int vpc_txn_check_route4(const struct vpc *vpc, const void *element, struct netlink_ext_ack *extack)
{
	return vpc_parse_route4(element, extack);
}

static int vpc_txn_apply_route4(struct vpc_txn *txn, const void *element, struct netlink_ext_ack *extack)
{
	const struct vpc_nl_route4 *route = element;

	return vpc_txn_route(txn, route->op, route->table, AF_INET, route->addr, route->plen, route->nexthop, extack);
}

static int vpc_txn_check_route6(const struct vpc *vpc, const void *element, struct netlink_ext_ack *extack)
{
	return vpc_parse_route6(element, extack);
}

static int vpc_txn_apply_route6(struct vpc_txn *txn, const void *element, struct netlink_ext_ack *extack)
{
	const struct vpc_nl_route6 *route = element;

	return vpc_txn_route(txn, route->op, route->table, AF_INET6, route->addr, route->plen, route->nexthop, extack);
}

static const struct vpc_txn_array vpc_txn_nexthops = {
	"NEXTHOPS", sizeof(struct vpc_nl_nexthop), vpc_txn_check_nexthop, vpc_txn_apply_nexthop,
};

static const struct vpc_txn_array vpc_txn_members = {
	"MEMBERS", sizeof(struct vpc_nl_member), vpc_txn_check_member, vpc_txn_apply_member,
};

static const struct vpc_txn_array vpc_txn_routes4 = {
	"ROUTES4", sizeof(struct vpc_nl_route4), vpc_txn_check_route4, vpc_txn_apply_route4,
};

static const struct vpc_txn_array vpc_txn_routes6 = {
	"ROUTES6", sizeof(struct vpc_nl_route6), vpc_txn_check_route6, vpc_txn_apply_route6,
};

/* NULL: not an array. */
static const struct vpc_txn_array *vpc_txn_array(const struct nlattr *attr)
{
	switch (nla_type(attr)) {
	case VPC_A_NEXTHOPS:
		return &vpc_txn_nexthops;
	case VPC_A_MEMBERS:
		return &vpc_txn_members;
	case VPC_A_ROUTES4:
		return &vpc_txn_routes4;
	case VPC_A_ROUTES6:
		return &vpc_txn_routes6;
	}
	return NULL;
}

/* Each array of the request, element by element: checked or applied. */
static int vpc_txn_each(struct vpc_txn *txn, struct genl_info *info, bool apply)
{
	const struct vpc_txn_array *array;
	const struct nlattr *attr;
	int rem, at, err;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		array = vpc_txn_array(attr);
		if (!array)
			continue;
		if (nla_len(attr) % array->size) {
			vpc_refuse(info->extack, "%s is not a whole number of elements: %d bytes", array->name,
				   nla_len(attr));
			return -EINVAL;
		}
		for (at = 0; at < nla_len(attr); at += array->size) {
			if (apply)
				err = array->apply(txn, nla_data(attr) + at, info->extack);
			else
				err = array->check(vpc_txn_vpc(txn), nla_data(attr) + at, info->extack);
			if (err)
				return err;
		}
	}
	return 0;
}

int vpc_cmd_txn_add(struct vpc_net *vnet, struct genl_info *info)
{
	struct vpc_txn *txn;
	int err;

	err = vpc_txn_require(vnet, info, &txn);
	if (!err)
		err = vpc_txn_each(txn, info, false);
	if (!err)
		err = vpc_txn_each(txn, info, true);
	if (err == -EDQUOT)
		vpc_event_quota(vpc_txn_vpc(txn));
	return err;
}

/* -- TXN_COMMIT, TXN_ABORT ----------------------------------------------------------------------------------------- */

static int vpc_txn_do_commit(struct vpc_txn *txn, struct genl_info *info, const struct vpc_version **ret_version)
{
	const struct nlattr *digest_attr = info->attrs[VPC_A_DIGEST];
	struct vpc *vpc = vpc_txn_vpc(txn);
	struct vpc_digest digest;
	int err;

	if (digest_attr)
		memcpy(&digest, nla_data(digest_attr), sizeof(digest));
	err = vpc_txn_commit(txn, nla_get_u64(info->attrs[VPC_A_EPOCH]), digest_attr ? &digest : NULL, info->extack,
			     ret_version);
	if (err == -EDQUOT)
		vpc_event_quota(vpc);
	return err;
}

int vpc_cmd_txn_commit(struct vpc_net *vnet, struct genl_info *info)
{
	const struct nlattr *change = info->attrs[VPC_A_CHANGE];
	const struct vpc_version *version;
	struct vpc_txn *txn;
	struct sk_buff *skb;
	void *hdr;
	int err;

	err = vpc_txn_require(vnet, info, &txn);
	if (!err)
		err = vpc_require(info, VPC_A_EPOCH, "EPOCH");
	if (err)
		return err;
	/* Beforehand: once it is committed, nothing may fail any more. */
	skb = vpc_reply_new(info, NLMSG_DEFAULT_SIZE, &hdr);
	if (!skb) {
		vpc_txn_abort(txn);
		return -ENOMEM;
	}
	err = vpc_txn_do_commit(txn, info, &version);
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	vpc_event_commit(version, change ? nla_data(change) : NULL);
	if (vpc_put_version(skb, version))
		nlmsg_free(skb);
	else
		vpc_reply_send(skb, hdr, info);
	return 0;
}

int vpc_cmd_txn_abort(struct vpc_net *vnet, struct genl_info *info)
{
	struct vpc_txn *txn;
	int err;

	err = vpc_txn_require(vnet, info, &txn);
	if (err)
		return err;
	vpc_txn_abort(txn);
	return 0;
}
