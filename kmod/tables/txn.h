/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Transactions: a private next version of one VPC, built beside the current one and published in a single pointer swap.
 *
 * Any number may be open on one VPC; compare-and-set on the epoch decides which one commits. All functions want
 * vnet->lock. Any failing call but vpc_txn_begin() leaves the transaction as it was before the call or marks it failed
 * (then only abort is possible); the published version is never touched before vpc_txn_commit() succeeds.
 */
#ifndef VPC_TXN_H
#define VPC_TXN_H

#include <linux/netlink.h>
#include "vpc.h"

struct vpc_txn;

#define VPC_TXNS_MAX	1024	/* open transactions of one namespace */

/**
 * vpc_txn_begin() - open a transaction
 * @vpc: referenced until the end of the transaction
 * @owner: netlink portid of the socket; its closing aborts
 * @mode: delta starts from the current version, replace from an empty one
 * @base: expected current epoch or NULL (replace only)
 * @extack: says why on failure
 * @ret_txn: owned by vnet->txns until commit or abort
 *
 * Return: 0, -ESTALE, -ENOMEM, -EINVAL.
 */
int vpc_txn_begin(struct vpc *vpc, u32 owner, enum vpc_txn_mode mode, const u64 *base,
		  struct netlink_ext_ack *extack, struct vpc_txn **ret_txn);
struct vpc_txn *vpc_txn_find(struct vpc_net *vnet, u32 owner, u32 id);
u32 vpc_txn_id(const struct vpc_txn *txn);
struct vpc *vpc_txn_vpc(const struct vpc_txn *txn);

/* Validated operations (host bits, lengths and types were checked by control). -ENOENT, -ENOMEM, -EDQUOT, -E2BIG. */
int vpc_txn_nexthop(struct vpc_txn *txn, const struct vpc_nl_nexthop *nh, struct netlink_ext_ack *extack);
int vpc_txn_member(struct vpc_txn *txn, const struct vpc_nl_member *member, struct netlink_ext_ack *extack);
int vpc_txn_route(struct vpc_txn *txn, u8 op, u32 table, u8 family, const u8 *addr, u8 plen, u32 nexthop,
		  struct netlink_ext_ack *extack);

/**
 * vpc_txn_commit() - check and publish
 * @epoch: the new epoch; at least the base's (equal: a repair of the same epoch)
 * @digest: what the result must be, or NULL
 * @extack: says why on failure
 * @ret_version: the version now current, no reference taken, valid under vnet->lock
 *
 * Refuses a route or member whose nexthop or group is not there and the deletion of one in use, with the counts
 * (-EINVAL, -EBUSY), a group that is too large or has groups as members (-EINVAL), a digest that differs (-EBADMSG), a
 * base that is no longer current (-ESTALE). Whatever it returns, @txn is gone.
 */
int vpc_txn_commit(struct vpc_txn *txn, u64 epoch, const struct vpc_digest *digest,
		   struct netlink_ext_ack *extack, const struct vpc_version **ret_version);
void vpc_txn_abort(struct vpc_txn *txn);
void vpc_txn_abort_vpc(struct vpc *vpc);	/* all that are open on @vpc */
void vpc_txn_abort_owner(struct vpc_net *vnet, u32 owner);	/* takes vnet->lock itself */

/*
 * Recomputes the digest of @version from its tables and nexthops as forwarding reads them; *ret_faults:
 * VPC_FAULT_INDEX, VPC_FAULT_GROUP. May sleep.
 */
void vpc_version_verify(const struct vpc_version *version, struct vpc_digest *ret_digest, u64 *ret_routes,
			u32 *ret_faults);

#endif
