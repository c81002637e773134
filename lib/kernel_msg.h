/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of the family "vpc" as bytes: kernel_msg.c builds requests, kernel_parse.c reads answers. Neither does
 * any I/O, so that golden bytes and hostile replies test them; lib/kernel.c sends and receives.
 *
 * Requests come without sequence number and port id: the socket fills both in. Parsers check every length, ignore
 * attributes that they do not know, and refuse with -EPROTO what is malformed or incomplete.
 */
#ifndef VPC_KERNEL_MSG_H
#define VPC_KERNEL_MSG_H

#include <linux/netlink.h>
#include "kernel.h"
#include "util.h"

struct nl_msg;

/*
 * One VPC_CMD_TXN_ADD: what the kernel receives into one page. For more it maps pages and unmaps them again, message by
 * message, which costs more than the routes in them.
 */
#define KERNEL_ADD_MSG_MAX 3584U

void kernel_msg_freep(struct nl_msg **msg);
#define _cleanup_msg_ _cleanup_(kernel_msg_freep)

/* Builders: -ENOMEM, or -E2BIG for what no message can carry. @family: the family's id. The message is the caller's. */

/* A command without attributes: HOST_GET, dumps of everything. @flags as NLM_F_DUMP or NLM_F_ACK. */
int kernel_msg_plain(uint16_t family, uint8_t cmd, uint16_t flags, struct nl_msg **ret_msg);
/* A command with VPC_A_VNI only: VPC_DEL, VPC_GET, VERIFY, dumps of routes and nexthops. */
int kernel_msg_vni(uint16_t family, uint8_t cmd, uint16_t flags, uint32_t vni, struct nl_msg **ret_msg);
/* A VTEP with family 0 is left out. */
int kernel_msg_host_set(uint16_t family, const struct vpc_addr *vtep4, const struct vpc_addr *vtep6, uint16_t udp_port,
			struct nl_msg **ret_msg);
/* @vpc_flags: VPC_F_*; NULL leaves FLAGS out. */
int kernel_msg_vpc_new(uint16_t family, uint16_t flags, uint32_t vni, uint64_t quota, const uint32_t *vpc_flags,
		       struct nl_msg **ret_msg);
int kernel_msg_port_set(uint16_t family, const struct vpc_port *port, struct nl_msg **ret_msg);
int kernel_msg_port_del(uint16_t family, const char *dev, struct nl_msg **ret_msg);
int kernel_msg_lookup(uint16_t family, const struct kernel_lookup *lookup, struct nl_msg **ret_msg);
/* @base: NULL leaves BASE_EPOCH out. */
int kernel_msg_txn_begin(uint16_t family, uint32_t vni, enum vpc_txn_mode mode, const uint64_t *base,
			 struct nl_msg **ret_msg);
/* @digest: NULL leaves DIGEST out; @change: NULL or "" leaves CHANGE out. */
int kernel_msg_txn_commit(uint16_t family, uint32_t txn, uint64_t epoch, const struct vpc_digest *digest,
			  const char *change, struct nl_msg **ret_msg);
int kernel_msg_txn_abort(uint16_t family, uint32_t txn, struct nl_msg **ret_msg);

/**
 * struct kernel_ops - what is left to be added to a transaction, in the order of struct vpc_delta
 * @route_ops: of a delta; else @routes, of a state
 * @more: @n_more deltas that come behind this one
 *
 * The arrays stay the deltas' or state's and must outlive this.
 */
struct kernel_ops {
	const struct vpc_nl_nexthop *nexthops;
	const struct vpc_nl_member *members;
	const struct vpc_route_op *route_ops;
	const struct vpc_route *routes;
	size_t n_nexthops, n_members, n_routes;
	enum {
		KERNEL_OPS_NEXTHOPS_SET,
		KERNEL_OPS_MEMBERS,
		KERNEL_OPS_ROUTES,
		KERNEL_OPS_NEXTHOPS_DEL,
		KERNEL_OPS_DONE
	} phase;
	size_t pos;
	const struct vpc_delta *more;
	size_t n_more;
};

/* Of @n deltas, one at least, one after the other. */
struct kernel_ops kernel_ops_of_deltas(const struct vpc_delta *deltas, size_t n);
struct kernel_ops kernel_ops_of_state(const struct vpc_state *state);
/* The next VPC_CMD_TXN_ADD, as full as it may be; *ret_msg is NULL when nothing is left. @ops moves on. */
int kernel_msg_txn_add(uint16_t family, uint32_t txn, struct kernel_ops *ops, struct nl_msg **ret_msg);

/**
 * kernel_parse_status() - read NLMSG_ERROR or NLMSG_DONE
 * @ret_code: 0 or -errno as the kernel says
 * @ret_text: filled with the extack text, "" when there is none
 *
 * Return: 0 or -EPROTO.
 */
int kernel_parse_status(const struct nlmsghdr *nlh, int *ret_code, struct vpc_err *ret_text);

int kernel_parse_host(const struct nlmsghdr *nlh, struct kernel_host *ret_host, struct vpc_err *err);
int kernel_parse_vpc(const struct nlmsghdr *nlh, struct kernel_vpc *ret_vpc, struct vpc_err *err);
/* The answer to VERIFY, see kernel_verify(). Its memory, quota and ports may be absent (0). */
int kernel_parse_verify(const struct nlmsghdr *nlh, struct kernel_vpc *ret_vpc, struct vpc_digest *ret_found,
			struct vpc_err *err);
/* @ret_port: kernel_ports_free() or vpc_port_clear() frees its addresses. */
int kernel_parse_port(const struct nlmsghdr *nlh, struct kernel_port *ret_port, struct vpc_err *err);
int kernel_parse_txn(const struct nlmsghdr *nlh, uint32_t *ret_txn, struct vpc_err *err);
int kernel_parse_stats(const struct nlmsghdr *nlh, struct kernel_stats *ret_stats, struct vpc_err *err);
int kernel_parse_explain(const struct nlmsghdr *nlh, struct kernel_explain *ret, struct vpc_err *err);
int kernel_parse_event(const struct nlmsghdr *nlh, struct kernel_event *ret_event, struct vpc_err *err);
/*
 * One message of a ROUTE_GET or NEXTHOP_GET dump: appends what it holds to @state. @ret_epoch: the snapshot's epoch.
 * After a failure @state may hold a part of the message: the caller throws it away.
 */
int kernel_parse_dump(const struct nlmsghdr *nlh, struct vpc_state *state, uint64_t *ret_epoch, struct vpc_err *err);

#endif
