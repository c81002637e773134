/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of nlcheck share: requests written as tables of attributes, what the kernel holds at one moment, and
 * counting. A case that does not hold is reported and counted; what makes all further ones pointless ends the program.
 */
#ifndef NLCHECK_H
#define NLCHECK_H

#include <errno.h>
#include <linux/netlink.h>

#include "../../../lib/digest.h"
#include "../../../lib/kernel.h"
#include "../../../lib/kernel_sock.h"
#include "../../../lib/util.h"

/* -- requests as tables -------------------------------------------------------------------------------------------- */

/* An attribute; the end of a list has neither data nor nest. Tables hold compound literals, which live as they do. */
struct nlcheck_attr {
	uint16_t type, len;
	const void *data;
	const struct nlcheck_attr *nest;
};

#define RAW(t, d, n) { t, n, d, NULL }
#define U8(t, v) RAW(t, (&(const uint8_t){ v }), 1)
#define U16(t, v) RAW(t, (&(const uint16_t){ v }), 2)
#define U32(t, v) RAW(t, (&(const uint32_t){ v }), 4)
#define U64(t, v) RAW(t, (&(const uint64_t){ v }), 8)
#define STR(t, s) RAW(t, s, sizeof(s))
#define ARRAY(t, type, ...) RAW(t, ((const type[]){ __VA_ARGS__ }), sizeof((const type[]){ __VA_ARGS__ }))
#define NEXTHOPS(...) ARRAY(VPC_A_NEXTHOPS, struct vpc_nl_nexthop, __VA_ARGS__)
#define MEMBERS(...) ARRAY(VPC_A_MEMBERS, struct vpc_nl_member, __VA_ARGS__)
#define ROUTES4(...) ARRAY(VPC_A_ROUTES4, struct vpc_nl_route4, __VA_ARGS__)
#define ROUTES6(...) ARRAY(VPC_A_ROUTES6, struct vpc_nl_route6, __VA_ARGS__)
#define NEST(t, ...) { (t) | NLA_F_NESTED, 0, NULL, ((const struct nlcheck_attr[NLCHECK_ATTRS_MAX]){ __VA_ARGS__ }) }
#define NLCHECK_ATTRS_MAX 8

#define IP4(a, b, c, d) { a, b, c, d }

/* The fixture's VPCs; see nlcheck_fixture(). */
#define RED 100
#define BLUE 200
#define RED_EPOCH 5

extern unsigned long nlcheck_seed;
extern struct kernel *nlcheck_kernel; /* commands under test */
extern struct kernel *nlcheck_watch; /* looks at the outcome */
extern uint32_t nlcheck_handle; /* what TXN says: tables point to it */
extern uint32_t nlcheck_other_handle; /* a transaction of another socket */

#define TXN RAW(VPC_A_TXN, &nlcheck_handle, sizeof(nlcheck_handle))
#define OTHER_TXN RAW(VPC_A_TXN, &nlcheck_other_handle, sizeof(nlcheck_other_handle))

/* One request on @k. Return: what the kernel said; @err: its text, "" when it gave none. */
int nlcheck_request(struct kernel *k, uint8_t cmd, uint16_t flags, const struct nlcheck_attr *attrs,
		    struct vpc_err *err);
/* The same; fails the case @name unless it ends with @want and a text that matches @text (NULL: any, or none). */
bool nlcheck_expect(struct kernel *k, const char *name, uint8_t cmd, uint16_t flags, const struct nlcheck_attr *attrs,
		    int want, const char *text);
/* BEGIN; the handle goes to *ret_txn. */
int nlcheck_txn_begin(struct kernel *k, uint32_t vni, enum vpc_txn_mode mode, const uint64_t *base, uint32_t *ret_txn,
		      struct vpc_err *err);

/* -- what the kernel holds ----------------------------------------------------------------------------------------- */

struct nlcheck_snap {
	struct kernel_host host;
	struct kernel_vpc *vpcs;
	size_t n_vpcs;
	struct vpc_state *states; /* one a VPC */
	struct kernel_port *ports;
	size_t n_ports;
};

void nlcheck_snap_take(struct nlcheck_snap *ret_snap);
void nlcheck_snap_clear(struct nlcheck_snap *snap);
/* Whether the kernel holds what it held at @before; fails the case @name when not, and says what changed. */
bool nlcheck_unchanged(const char *name, const struct nlcheck_snap *before);
bool nlcheck_state_equal(const struct vpc_state *a, const struct vpc_state *b); /* but for epoch and digest */

/*
 * VPC RED at RED_EPOCH (group 5 has members 1 and 2) with ports t0 (bound) and t-absent, empty VPC BLUE, and
 * this namespace's VTEP; a transaction on RED on another socket, nlcheck_other_handle.
 */
void nlcheck_fixture(void);
/* The fixture's state of RED; vpc_state_clear() frees it. */
void nlcheck_red(struct vpc_state *ret_state);
void nlcheck_route(struct vpc_state *state, uint32_t table, const char *prefix, uint32_t nexthop);
struct vpc_prefix nlcheck_prefix(const char *text);

/* -- the count ----------------------------------------------------------------------------------------------------- */

void nlcheck_begin(void);
int nlcheck_end(void); /* the exit status */
void nlcheck_fail(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void nlcheck_count(unsigned int cases);
/* A step that all that follows needs: 0, or the end of the program with @err's text. */
void nlcheck_must(int r, const struct vpc_err *err, const char *what);
/* Fails the case @name unless @holds. */
bool nlcheck_true(const char *name, bool holds);

void nlcheck_refusals(void);
void nlcheck_txn(void);
void nlcheck_semantics(void);
void nlcheck_sockets(void);
void nlcheck_memory(void);
void nlcheck_snapshot(void);
void nlcheck_million(void);
void nlcheck_oracle(void);

#endif
