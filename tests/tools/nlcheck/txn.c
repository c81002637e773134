// SPDX-License-Identifier: Apache-2.0
/*
 * "nlcheck txn": what the commands of transactions refuse, and what becomes of the transaction: it goes on, it has
 * failed and can only be aborted, or it is over. Called by main().
 */
#include "nlcheck.h"

#include <stdio.h>
#include <string.h>

enum after {
	NOT_BEGUN, /* TXN_BEGIN itself */
	OPEN, /* as before the message: committing it now changes nothing */
	FAILED, /* answers all but an abort with -ECANCELED */
	OVER
};

struct txn_case {
	const char *name;
	uint8_t cmd;
	enum after after;
	int error;
	const char *text;
	struct nlcheck_attr prepare[3]; /* a TXN_ADD before it, which must succeed; without TXN */
	struct nlcheck_attr attrs[NLCHECK_ATTRS_MAX];
};

#define UNKNOWN "[Uu]nknown attribute|[Uu]nsupported attribute"
#define LENGTH "invalid attribute length"
#define SIZE "attribute size out of range"
#define INVALID "failed policy validation"
#define RANGE "integer out of range"
#define STRAY U32(200, 1)
#define NONE { { 0 } }

#define BEGIN(name, error, text, ...) { name, VPC_CMD_TXN_BEGIN, NOT_BEGUN, error, text, NONE, { __VA_ARGS__ } }
#define ADD(name, after, error, text, ...) { name, VPC_CMD_TXN_ADD, after, error, text, NONE, { __VA_ARGS__ } }
#define ABORT(name, after, error, text, ...) { name, VPC_CMD_TXN_ABORT, after, error, text, NONE, { __VA_ARGS__ } }
#define PREPARE(...) { __VA_ARGS__ }
#define COMMIT(name, after, error, text, prepare, ...) \
	{ name, VPC_CMD_TXN_COMMIT, after, error, text, prepare, { __VA_ARGS__ } }

#define MODE(m) U8(VPC_A_TXN_MODE, VPC_TXN_##m)
#define ON(vni) U32(VPC_A_VNI, vni)
#define BASE(e) U64(VPC_A_BASE_EPOCH, e)
#define EPOCH(e) U64(VPC_A_EPOCH, e)
#define CHANGE_TOO_LONG "0123456789012345678901234567890123456789012345678901234567890123+"

/* A nexthop or route that must be refused, behind a good one that must not have been applied either. */
#define BAD_NEXTHOP(name, error, text, ...)                                                                            \
	ADD("nexthop, " name, OPEN, error, text, TXN, NEXTHOPS({ .id = 50, .type = VPC_NEXTHOP_BLACKHOLE }),           \
	    NEXTHOPS({ .id = 51, .type = VPC_NEXTHOP_BLACKHOLE }, { __VA_ARGS__ }))
#define BAD_ROUTE4(name, text, ...)                                                                                    \
	ADD("route, " name, OPEN, -EINVAL, text, TXN, ROUTES4({ 1, 1, { 10, 9 }, 16 }, { __VA_ARGS__ }))
#define BAD_ROUTE6(name, text, ...)                                                                                    \
	ADD("IPv6 route, " name, OPEN, -EINVAL, text, TXN, ROUTES6({ 1, 1, { 0x20, 2 }, 16 }, { __VA_ARGS__ }))

#define BAD_MEMBER(name, text, ...)                                                                                    \
	ADD("member, " name, OPEN, -EINVAL, text, TXN, MEMBERS({ 5, 3, 1 }), MEMBERS({ 5, 4, 1 }, { __VA_ARGS__ }))
#define BAD_VTEP6(name, text, ...)                                                                                     \
	BAD_NEXTHOP("IPv6 VTEP " name, -EINVAL, text " cannot be a VTEP", GATEWAY, .family = AF_INET6, __VA_ARGS__)
#define BAD_PEER(name, text, ...) \
	BAD_NEXTHOP("peer, " name, -EINVAL, text, .id = 9, .type = VPC_NEXTHOP_PEER, __VA_ARGS__)

#define GATEWAY .id = 9, .type = VPC_NEXTHOP_GATEWAY
#define BLACKHOLE .id = 9, .type = VPC_NEXTHOP_BLACKHOLE

static const struct txn_case cases[] = {
	BEGIN("BEGIN without VNI", -EINVAL, "VNI is missing", MODE(REPLACE)),
	BEGIN("BEGIN without mode", -EINVAL, "TXN_MODE is missing", ON(RED), BASE(RED_EPOCH)),
	BEGIN("BEGIN, unknown mode", -ERANGE, RANGE, ON(RED), U8(VPC_A_TXN_MODE, 2)),
	BEGIN("BEGIN, mode of 4 bytes", -EINVAL, LENGTH, ON(RED), U32(VPC_A_TXN_MODE, 1)),
	BEGIN("BEGIN, VNI 0", -ERANGE, RANGE, ON(0), MODE(REPLACE)),
	BEGIN("BEGIN, VNI of 25 bits", -ERANGE, RANGE, ON(VPC_VNI_MAX + 1), MODE(REPLACE)),
	BEGIN("BEGIN, unknown VPC", -ENOENT, "VPC 300 does not exist", ON(300), MODE(REPLACE)),
	BEGIN("BEGIN, delta without base", -EINVAL, "a delta needs a base", ON(RED), MODE(DELTA)),
	BEGIN("BEGIN, delta on a stale base", -ESTALE, "base epoch 4 is not the current one .5.", ON(RED), MODE(DELTA),
	      BASE(4)),
	BEGIN("BEGIN, delta on a future base", -ESTALE, "base epoch 6 is not the current one .5.", ON(RED), MODE(DELTA),
	      BASE(6)),
	BEGIN("BEGIN, replace on a stale base", -ESTALE, "base epoch 4 is not", ON(RED), MODE(REPLACE), BASE(4)),
	BEGIN("BEGIN, base of 4 bytes", -EINVAL, LENGTH, ON(RED), MODE(DELTA), U32(VPC_A_BASE_EPOCH, RED_EPOCH)),
	BEGIN("BEGIN, unknown attribute", -EINVAL, UNKNOWN, ON(RED), MODE(REPLACE), STRAY),
	BEGIN("BEGIN, epoch", -EINVAL, UNKNOWN, ON(RED), MODE(REPLACE), EPOCH(1)),

	ADD("ADD without TXN", OPEN, -EINVAL, "TXN is missing", NEXTHOPS({ BLACKHOLE })),
	ADD("ADD, TXN of 2 bytes", OPEN, -EINVAL, LENGTH, U16(VPC_A_TXN, 1)),
	ADD("ADD, unknown TXN", OPEN, -ENOENT, "transaction 4294967295 is not open", U32(VPC_A_TXN, UINT32_MAX)),
	ADD("ADD, TXN 0", OPEN, -ENOENT, "transaction 0 is not open", U32(VPC_A_TXN, 0)),
	ADD("ADD, another socket's TXN", OPEN, -ENOENT, "not open on this socket", OTHER_TXN, NEXTHOPS({ BLACKHOLE })),
	ADD("ADD, unknown attribute", OPEN, -EINVAL, UNKNOWN, TXN, NEXTHOPS({ BLACKHOLE }), STRAY),
	ADD("ADD, epoch", OPEN, -EINVAL, UNKNOWN, TXN, NEXTHOPS({ BLACKHOLE }), EPOCH(6)),
	ADD("ADD, NEXTHOPS not a multiple", OPEN, -EINVAL, "NEXTHOPS is not a whole number of elements: 5 bytes", TXN,
	    ROUTES4({ 1, 1, { 10, 9 }, 16 }), RAW(VPC_A_NEXTHOPS, "12345", 5)),
	ADD("ADD, MEMBERS not a multiple", OPEN, -EINVAL, "MEMBERS is not a whole number of elements: 13 bytes", TXN,
	    NEXTHOPS({ BLACKHOLE }), RAW(VPC_A_MEMBERS, "0123456789abc", 13)),
	ADD("ADD, ROUTES4 not a multiple", OPEN, -EINVAL, "ROUTES4 is not a whole number", TXN, NEXTHOPS({ BLACKHOLE }),
	    RAW(VPC_A_ROUTES4, "0123456789abcdefg", 17)),
	ADD("ADD, ROUTES6 not a multiple", OPEN, -EINVAL, "ROUTES6 is not a whole number", TXN, NEXTHOPS({ BLACKHOLE }),
	    RAW(VPC_A_ROUTES6, "0123456789abcdef0123456789a", 27)),

	BAD_NEXTHOP("id 0", -EINVAL, "id must not be 0", .type = VPC_NEXTHOP_BLACKHOLE),
	BAD_NEXTHOP("delete id 0", -EINVAL, "id must not be 0", .op = VPC_OP_DEL),
	BAD_NEXTHOP("operation", -EINVAL, "nexthop 9: operation 2 is not known", BLACKHOLE, .op = 2),
	BAD_NEXTHOP("type 0", -EINVAL, "nexthop 9: type 0 is not known", .id = 9),
	BAD_NEXTHOP("type", -EINVAL, "nexthop 9: type 9 is not known", .id = 9, .type = VPC_NEXTHOP_MAX + 1),
	BAD_PEER("no VNI", "VNI 0 is not within", .vni = 0),
	BAD_PEER("VNI of 25 bits", "VNI 16777216 is not", .vni = 1U << 24),
	BAD_PEER("itself", "nexthop 9: VPC 100 cannot be its own peer", .vni = RED),
	BAD_PEER("with a family", "a peer has no family", .vni = BLUE, .family = AF_INET),
	BAD_PEER("with an address", "a peer has no family", .vni = BLUE, .addr = { 192 }),
	BAD_PEER("with a MAC", "a peer has no family", .vni = BLUE, .mac = { 2 }),
	BAD_NEXTHOP("group with a VNI", -EINVAL, "type 5 has no family", .id = 9, .type = VPC_NEXTHOP_GROUP, .vni = 1),
	BAD_NEXTHOP("group with a table", -EINVAL, "type 5 has", .id = 9, .type = VPC_NEXTHOP_GROUP, .table = 1),
	BAD_NEXTHOP("padding", -EINVAL, "nexthop 9: padding must be 0", BLACKHOLE, .pad = 1),
	BAD_NEXTHOP("padding 2", -EINVAL, "nexthop 9: padding must be 0", BLACKHOLE, .pad2 = { 0, 1 }),
	BAD_NEXTHOP("deleted with padding", -EINVAL, "nexthop 9: padding must", .id = 9, .op = VPC_OP_DEL, .pad = 1),
	BAD_VTEP6("::", "::", .addr = { 0 }),
	BAD_VTEP6("loopback", "::1", .addr = { [15] = 1 }),
	BAD_VTEP6("multicast", "ff02::1", .addr = { 0xff, 2, [15] = 1 }),
	BAD_VTEP6("link-local", "fe80::1", .addr = { 0xfe, 0x80, [15] = 1 }),
	BAD_VTEP6("of IPv4", "::ffff:192.0.2.1", .addr = { [10] = 0xff, 0xff, 192, 0, 2, 1 }),
	BAD_NEXTHOP("IPv6 VTEP, table", -EINVAL, "table must be 0", GATEWAY, .family = AF_INET6, .addr = { 32 },
		    .table = 1),
	BAD_NEXTHOP("no family", -EINVAL, "family 0 is neither", GATEWAY, .addr = { 192, 0, 2, 1 }),
	BAD_NEXTHOP("bytes behind", -EINVAL, "bytes behind", GATEWAY, .family = AF_INET, .addr = { 192, 0, 2, 1, 1 }),
	BAD_NEXTHOP("VTEP 0.0.0.0", -EINVAL, "0.0.0.0 cannot be a VTEP", GATEWAY, .family = AF_INET),
	BAD_NEXTHOP("VTEP multicast", -EINVAL, "224.0.0.9", GATEWAY, .family = AF_INET, .addr = { 224, 0, 0, 9 }),
	BAD_NEXTHOP("VTEP broadcast", -EINVAL, "cannot be", GATEWAY, .family = AF_INET, .addr = { 255, 255, 255, 255 }),
	BAD_NEXTHOP("VNI", -EINVAL, "VNI 16777216 is not", GATEWAY, .family = AF_INET, .addr = { 1 }, .vni = 1U << 24),
	BAD_NEXTHOP("MAC", -EINVAL, "is a multicast address", GATEWAY, .family = AF_INET, .addr = { 1 }, .mac = { 1 }),
	BAD_NEXTHOP("table", -EINVAL, "table must be 0", GATEWAY, .family = AF_INET, .addr = { 1 }, .table = 1),
	BAD_NEXTHOP("blackhole with a VNI", -EINVAL, "type 6 has no family", BLACKHOLE, .vni = 1),
	BAD_NEXTHOP("blackhole with a family", -EINVAL, "type 6 has no family", BLACKHOLE, .family = AF_INET),
	BAD_NEXTHOP("blackhole with an address", -EINVAL, "type 6 has no family", BLACKHOLE, .addr = { 1 }),
	BAD_NEXTHOP("blackhole with a MAC", -EINVAL, "type 6 has no family", BLACKHOLE, .mac = { 2 }),
	BAD_NEXTHOP("blackhole with a table", -EINVAL, "type 6 has no family", BLACKHOLE, .table = 1),

	BAD_MEMBER("no group", "must not be 0", 0, 1, 1),
	BAD_MEMBER("no nexthop", "must not be 0", 5, 0, 1),
	BAD_MEMBER("delete of no nexthop", "must not be 0", 5, 0, 0, VPC_OP_DEL),
	BAD_MEMBER("operation", "group 5: operation 2 is not known", 5, 1, 1, 2),
	BAD_MEMBER("padding", "group 5: padding must be 0", 5, 1, 1, 0, 1),
	BAD_MEMBER("deleted with padding", "group 5: padding must be 0", 5, 1, 0, VPC_OP_DEL, 1),
	BAD_MEMBER("weight 0", "group 5, nexthop 1: weight 0 is not within 1..256", 5, 1, 0),
	BAD_MEMBER("weight 257", "group 5, nexthop 1: weight 257 is not within", 5, 1, 257),

	BAD_ROUTE4("operation", "operation 2 is not known", 1, 1, { 10 }, 8, 2),
	BAD_ROUTE4("padding", "padding must be 0", 1, 1, { 10 }, 8, 0, { 0, 1 }),
	BAD_ROUTE4("deleted with padding", "padding must be 0", 1, 1, { 10 }, 8, VPC_OP_DEL, { 1, 0 }),
	BAD_ROUTE4("nexthop 0", "table 1 has no nexthop", 1, 0, { 10 }, 8),
	BAD_ROUTE4("too long", "route 10.0.0.0/33: longer than 32 bits", 1, 1, { 10 }, 33),
	BAD_ROUTE4("host bits", "route 10.1.0.0/15 in table 1 has host bits", 1, 1, { 10, 1 }, 15),
	BAD_ROUTE4("deleted with host bits", "route 10.1.0.0/8 in table 1 has", 1, 1, { 10, 1 }, 8, VPC_OP_DEL),
	BAD_ROUTE4("default with host bits", "route 0.0.0.1/0 in table 1 has host bits", 1, 1, { 0, 0, 0, 1 }, 0),
	BAD_ROUTE6("operation", "operation 255 is not known", 1, 1, { 32 }, 8, 255),
	BAD_ROUTE6("padding", "padding must be 0", 1, 1, { 32 }, 8, 0, { 1, 0 }),
	BAD_ROUTE6("nexthop 0", "table 1 has no nexthop", 1, 0, { 32 }, 8),
	BAD_ROUTE6("too long", "/129: longer than 128 bits", 1, 1, { 32 }, 129),
	BAD_ROUTE6("host bits", "/127 has host bits", 1, 1, { [15] = 1 }, 127),

	ADD("a route that is not there", FAILED, -ENOENT, "route 10.77.0.0/16 is not in table 1", TXN,
	    NEXTHOPS({ BLACKHOLE }), ROUTES4({ 1, 0, { 10, 77 }, 16, VPC_OP_DEL })),
	ADD("a route of another length", FAILED, -ENOENT, "route 172.16.0.0/13 is not in table 1", TXN,
	    ROUTES4({ 1, 0, { 172, 16 }, 13, VPC_OP_DEL })),
	ADD("a route in no table", FAILED, -ENOENT, "route 172.16.0.0/12 is not in table 2", TXN,
	    ROUTES4({ 2, 0, { 172, 16 }, 12, VPC_OP_DEL })),
	ADD("a route deleted twice", FAILED, -ENOENT, "route 172.16.0.0/12 is not in table 1", TXN,
	    ROUTES4({ 1, 0, { 172, 16 }, 12, VPC_OP_DEL }, { 1, 0, { 172, 16 }, 12, VPC_OP_DEL })),
	ADD("an IPv6 route that is not there", FAILED, -ENOENT, "route 2001:db8::/33 is not in table 1", TXN,
	    ROUTES6({ 1, 0, { 0x20, 1, 0xd, 0xb8 }, 33, VPC_OP_DEL })),
	ADD("a nexthop that is not there", FAILED, -ENOENT, "nexthop 9 is not there", TXN,
	    ROUTES4({ 1, 1, { 10, 9 }, 16 }), NEXTHOPS({ .id = 9, .op = VPC_OP_DEL })),
	ADD("a nexthop deleted twice", FAILED, -ENOENT, "nexthop 4 is not there", TXN,
	    NEXTHOPS({ .id = 4, .op = VPC_OP_DEL }, { .id = 4, .op = VPC_OP_DEL })),

	ADD("a member that is not there", FAILED, -ENOENT, "nexthop 3 is not a member of group 5", TXN,
	    MEMBERS({ 5, 3, 0, VPC_OP_DEL })),
	ADD("a member of no group", FAILED, -ENOENT, "nexthop 1 is not a member of group 9", TXN,
	    MEMBERS({ 9, 1, 0, VPC_OP_DEL })),
	ADD("a member deleted twice", FAILED, -ENOENT, "nexthop 1 is not a member of group 5", TXN,
	    MEMBERS({ 5, 1, 0, VPC_OP_DEL }, { 5, 1, 0, VPC_OP_DEL })),

	COMMIT("COMMIT without TXN", OPEN, -EINVAL, "TXN is missing", NONE, EPOCH(6)),
	COMMIT("COMMIT without epoch", OPEN, -EINVAL, "EPOCH is missing", NONE, TXN),
	COMMIT("COMMIT, unknown TXN", OPEN, -ENOENT, "not open", NONE, U32(VPC_A_TXN, UINT32_MAX), EPOCH(6)),
	COMMIT("COMMIT, another socket's TXN", OPEN, -ENOENT, "not open on this socket", NONE, OTHER_TXN, EPOCH(6)),
	COMMIT("COMMIT, epoch of 4 bytes", OPEN, -EINVAL, LENGTH, NONE, TXN, U32(VPC_A_EPOCH, 6)),
	COMMIT("COMMIT, digest of 15 bytes", OPEN, -ERANGE, SIZE, NONE, TXN, EPOCH(6),
	       RAW(VPC_A_DIGEST, "0123456789abcde", 15)),
	COMMIT("COMMIT, change id too long", OPEN, -EINVAL, INVALID, NONE, TXN, EPOCH(6),
	       STR(VPC_A_CHANGE, CHANGE_TOO_LONG)),
	COMMIT("COMMIT, change id without end", OPEN, -EINVAL, INVALID, NONE, TXN, EPOCH(6),
	       RAW(VPC_A_CHANGE, "abc", 3)),
	COMMIT("COMMIT, unknown attribute", OPEN, -EINVAL, UNKNOWN, NONE, TXN, EPOCH(6), STRAY),
	COMMIT("COMMIT, epoch goes back", OVER, -EINVAL, "epoch 4 is before the base epoch 5",
	       PREPARE(NEXTHOPS({ BLACKHOLE })), TXN, EPOCH(4)),
	COMMIT("COMMIT, nexthop missing", OVER, -EINVAL, "nexthop 77, which 2 routes and 0 groups use, does not exist",
	       PREPARE(ROUTES4({ 1, 77, { 10, 9 }, 16 }, { 8, 77, { 10, 9 }, 16 })), TXN, EPOCH(6)),
	COMMIT("COMMIT, nexthop in use deleted", OVER, -EBUSY, "nexthop 1 is used by 3 routes and 1 groups",
	       PREPARE(NEXTHOPS({ .id = 1, .op = VPC_OP_DEL })), TXN, EPOCH(6)),
	COMMIT("COMMIT, group with members deleted", OVER, -EBUSY, "group 5 has 2 members: delete them first",
	       PREPARE(NEXTHOPS({ .id = 5, .op = VPC_OP_DEL })), TXN, EPOCH(6)),
	COMMIT("COMMIT, group missing", OVER, -EINVAL, "group 77, which has 2 members, does not exist",
	       PREPARE(MEMBERS({ 77, 1, 1 }, { 77, 2, 1 })), TXN, EPOCH(6)),
	COMMIT("COMMIT, member missing", OVER, -EINVAL, "nexthop 77, which 0 routes and 1 groups use, does not exist",
	       PREPARE(MEMBERS({ 5, 77, 1 })), TXN, EPOCH(6)),
	COMMIT("COMMIT, members of no group", OVER, -EINVAL, "nexthop 4 has 1 members, but is no group",
	       PREPARE(MEMBERS({ 4, 1, 1 })), TXN, EPOCH(6)),
	COMMIT("COMMIT, a group becomes another", OVER, -EINVAL, "nexthop 5 has 2 members, but is no group",
	       PREPARE(NEXTHOPS({ .id = 5, .type = VPC_NEXTHOP_BLACKHOLE })), TXN, EPOCH(6)),
	COMMIT("COMMIT, a group in a group", OVER, -EINVAL, "nexthop 9, a member of group 5, is a group itself",
	       PREPARE(NEXTHOPS({ .id = 9, .type = VPC_NEXTHOP_GROUP }), MEMBERS({ 5, 9, 1 })), TXN, EPOCH(6)),
	COMMIT("COMMIT, a group in itself", OVER, -EINVAL, "nexthop 5, a member of group 5, is a group itself",
	       PREPARE(MEMBERS({ 5, 5, 1 })), TXN, EPOCH(6)),
	COMMIT("COMMIT, a member becomes a group", OVER, -EINVAL, "nexthop 2, a member of group 5, is a group itself",
	       PREPARE(NEXTHOPS({ .id = 2, .type = VPC_NEXTHOP_GROUP })), TXN, EPOCH(6)),
	COMMIT("COMMIT, wrong digest", OVER, -EBADMSG, "the digest would be [0-9a-f]{32}, not the one given",
	       PREPARE(ROUTES4({ 1, 1, { 10, 9 }, 16 })), TXN, EPOCH(6), RAW(VPC_A_DIGEST, "0123456789abcdef", 16)),

	ABORT("ABORT without TXN", OPEN, -EINVAL, "TXN is missing", { 0 }),
	ABORT("ABORT, unknown TXN", OPEN, -ENOENT, "not open", U32(VPC_A_TXN, UINT32_MAX)),
	ABORT("ABORT, another socket's TXN", OPEN, -ENOENT, "not open on this socket", OTHER_TXN),
	ABORT("ABORT, unknown attribute", OPEN, -EINVAL, UNKNOWN, TXN, STRAY),
};

static const struct nlcheck_attr just_txn[] = { TXN, { 0 } };
static const struct nlcheck_attr small_add[] = { TXN, NEXTHOPS({ BLACKHOLE }), { 0 } };
static const struct nlcheck_attr small_commit[] = { TXN, EPOCH(RED_EPOCH + 1), { 0 } };

static void expect_over(const char *name)
{
	nlcheck_expect(nlcheck_kernel, name, VPC_CMD_TXN_ABORT, 0, just_txn, -ENOENT, "not open");
}

/* Ends the transaction of case @c, and shows on the way what became of it. */
static void check_after(const char *name, enum after after, const struct vpc_digest *digest)
{
	struct kernel *k = nlcheck_kernel;
	const struct nlcheck_attr same[] = { TXN, EPOCH(RED_EPOCH), RAW(VPC_A_DIGEST, digest, sizeof(*digest)), { 0 } };

	switch (after) {
	case NOT_BEGUN:
		return;
	case OPEN:
		nlcheck_expect(k, name, VPC_CMD_TXN_COMMIT, 0, same, 0, NULL);
		break;
	case FAILED:
		nlcheck_expect(k, name, VPC_CMD_TXN_ADD, 0, small_add, -ECANCELED, "has failed before: abort it");
		nlcheck_expect(k, name, VPC_CMD_TXN_ABORT, 0, just_txn, 0, NULL);
		break;
	case OVER:
		break;
	}
	expect_over(name);
}

static void begin_red(const char *name)
{
	const uint64_t base = RED_EPOCH;
	struct vpc_err err;

	nlcheck_must(nlcheck_txn_begin(nlcheck_kernel, RED, VPC_TXN_DELTA, &base, &nlcheck_handle, &err), &err, name);
}

static void run_case(const struct txn_case *c, const struct nlcheck_snap *before)
{
	struct kernel *k = nlcheck_kernel;
	const struct nlcheck_attr prepare[] = { TXN, c->prepare[0], c->prepare[1], c->prepare[2], { 0 } };

	if (c->after != NOT_BEGUN)
		begin_red(c->name);
	if (c->prepare[0].data)
		nlcheck_expect(k, c->name, VPC_CMD_TXN_ADD, 0, prepare, 0, NULL);
	nlcheck_expect(k, c->name, c->cmd, 0, c->attrs, c->error, c->text);
	check_after(c->name, c->after, &before->states[0].digest);
	nlcheck_unchanged(c->name, before);
}

/* A transaction that failed ends with its commit too, and publishes nothing. */
static void check_commit_of_failed(const struct nlcheck_snap *before)
{
	static const char name[] = "COMMIT of a failed transaction";
	const struct nlcheck_attr bad[] = { TXN, NEXTHOPS({ .id = 10, .op = VPC_OP_DEL }), { 0 } };

	begin_red(name);
	nlcheck_expect(nlcheck_kernel, name, VPC_CMD_TXN_ADD, 0, small_add, 0, NULL);
	nlcheck_expect(nlcheck_kernel, name, VPC_CMD_TXN_ADD, 0, bad, -ENOENT, "nexthop 10 is not there");
	nlcheck_expect(nlcheck_kernel, name, VPC_CMD_TXN_COMMIT, 0, small_commit, -ECANCELED, "has failed before");
	expect_over(name);
	nlcheck_unchanged(name, before);
}

/* Table 0, 1 and 7 are there: 1021 more fit. */
static void check_tables(const struct nlcheck_snap *before)
{
	static const char name[] = "ADD, too many tables";
	struct vpc_nl_route4 routes[VPC_TABLES_MAX - 3 + 1];
	struct nlcheck_attr fits[] = { TXN, RAW(VPC_A_ROUTES4, routes, sizeof(routes) - sizeof(routes[0])), { 0 } };
	struct nlcheck_attr all[] = { TXN, RAW(VPC_A_ROUTES4, routes, sizeof(routes)), { 0 } };

	for (uint32_t i = 0; i < ARRAY_SIZE(routes); i++)
		routes[i] = (struct vpc_nl_route4){ .table = 1000 + 7919 * i, .nexthop = 1, .addr = { 10 }, .plen = 8 };
	begin_red(name);
	nlcheck_expect(nlcheck_kernel, name, VPC_CMD_TXN_ADD, 0, fits, 0, NULL);
	nlcheck_expect(nlcheck_kernel, name, VPC_CMD_TXN_ADD, 0, all, -E2BIG, "would be one more than 1024");
	check_after(name, FAILED, NULL);
	nlcheck_unchanged(name, before);
}

/* Group 5 has 2 members; twice 128 fit while the transaction goes on, and 128 at its end. */
static void check_members(const struct nlcheck_snap *before)
{
	static const char name[] = "ADD and COMMIT, too many members";
	struct vpc_nl_nexthop nexthops[2 * VPC_MEMBERS_MAX];
	struct vpc_nl_member members[2 * VPC_MEMBERS_MAX];
	const size_t fit = 2 * VPC_MEMBERS_MAX - 2;
	struct nlcheck_attr prepare[] = { TXN, RAW(VPC_A_NEXTHOPS, nexthops, sizeof(nexthops)), { 0 } };
	struct nlcheck_attr fits[] = { TXN, RAW(VPC_A_MEMBERS, members, fit * sizeof(members[0])), { 0 } };
	struct nlcheck_attr more[] = { TXN, RAW(VPC_A_MEMBERS, &members[fit], sizeof(members[0])), { 0 } };

	for (uint32_t i = 0; i < ARRAY_SIZE(members); i++) {
		nexthops[i] = (struct vpc_nl_nexthop){ .id = 100 + i, .type = VPC_NEXTHOP_BLACKHOLE };
		members[i] = (struct vpc_nl_member){ 5, 100 + i, 1 + i, VPC_OP_SET, 0 };
	}
	for (int full = 0; full < 2; full++) {
		begin_red(name);
		nlcheck_expect(nlcheck_kernel, name, VPC_CMD_TXN_ADD, 0, prepare, 0, NULL);
		nlcheck_expect(nlcheck_kernel, name, VPC_CMD_TXN_ADD, 0, fits, 0, NULL);
		if (full) {
			nlcheck_expect(nlcheck_kernel, name, VPC_CMD_TXN_ADD, 0, more, -E2BIG, "too many members");
			check_after(name, FAILED, NULL);
		} else {
			nlcheck_expect(nlcheck_kernel, name, VPC_CMD_TXN_COMMIT, 0, small_commit, -EINVAL,
				       "group 5 has 256 members, more than 128");
			expect_over(name);
		}
		nlcheck_unchanged(name, before);
	}
}

void nlcheck_txn(void)
{
	struct nlcheck_snap before;

	nlcheck_fixture();
	nlcheck_snap_take(&before);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(&cases[i], &before);
	check_commit_of_failed(&before);
	check_tables(&before);
	check_members(&before);
	nlcheck_snap_clear(&before);
}
