/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What CDB, ZooKeeper and the kernel all speak of: nexthops, members of groups, routes, ports, a VPC's state at one
 * epoch, a delta between two.
 *
 * Arrays are sorted (vpc_state_sort()), so that lib/diff.c is one merge. States of a million routes are ordinary: 28
 * bytes a route, no pointers inside elements.
 */
#ifndef VPC_MODEL_H
#define VPC_MODEL_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "../proto/vpc_genl.h"
#include "addr.h"
#include "err.h"

/* Nexthop ids: customers' own are 1..0x7fffffff; the system's are derived, so they are the same everywhere. */
#define VPC_NEXTHOP_ID_LOCAL 0x80000000U /* "local" of every VPC */
#define VPC_NEXTHOP_ID_HOST(id) (0x80000000U | (id)) /* "host" nexthop of CDB host @id, 1..0x7fffffff */
#define VPC_NEXTHOP_ID_USER_MAX 0x7fffffffU

struct vpc_route {
	uint32_t table;
	uint32_t nexthop;
	struct vpc_prefix prefix;
};

/* The kernel's own structs serve as nexthop and member everywhere; op is VPC_OP_SET outside of deltas. */

/**
 * struct vpc_state - a VPC at one epoch
 * @nexthops: sorted by id, unique
 * @members: of groups; sorted by (group, nexthop), unique
 * @routes: sorted by (table, prefix), unique
 */
struct vpc_state {
	uint32_t vni;
	uint64_t epoch;
	struct vpc_digest digest;
	struct vpc_nl_nexthop *nexthops;
	size_t n_nexthops, cap_nexthops;
	struct vpc_nl_member *members;
	size_t n_members, cap_members;
	struct vpc_route *routes;
	size_t n_routes, cap_routes;
};

struct vpc_route_op {
	uint8_t op; /* enum vpc_op */
	struct vpc_route route; /* VPC_OP_DEL: nexthop is not used */
};

/**
 * struct vpc_delta - what leads from @base to @epoch
 *
 * Operations are applied in the order: nexthops set, members set and deleted, routes set and deleted, nexthops deleted.
 * At most one operation an element.
 */
struct vpc_delta {
	uint32_t vni;
	uint64_t base;
	uint64_t epoch;
	struct vpc_digest digest; /* at @epoch */
	char change[VPC_CHANGE_MAX + 1];
	uint64_t time_ms; /* when it was published, the publisher's wall clock; 0: not known */
	struct vpc_nl_nexthop *nexthops; /* op: VPC_OP_SET or VPC_OP_DEL (only id is used) */
	size_t n_nexthops, cap_nexthops;
	struct vpc_nl_member *members; /* op: VPC_OP_SET or VPC_OP_DEL (weight is not used) */
	size_t n_members, cap_members;
	struct vpc_route_op *routes;
	size_t n_routes, cap_routes;
};

/* A port as CDB wants it on one host. */
struct vpc_port {
	uint32_t id; /* CDB's */
	uint32_t vni;
	char dev[16]; /* net device, IFNAMSIZ */
	uint8_t mac[6];
	uint32_t table;
	uint32_t flags; /* VPC_PORT_F_* */
	struct vpc_addr gateway4, gateway6; /* family 0: none */
	struct vpc_prefix subnet6; /* what router advertisements announce; family 0: nothing */
	struct vpc_prefix *addrs; /* owned */
	size_t n_addrs;
};

void vpc_state_init(struct vpc_state *state, uint32_t vni);
void vpc_state_clear(struct vpc_state *state); /* frees what is inside, leaves it empty */
/* Append; -ENOMEM. Not sorted until vpc_state_sort(). */
int vpc_state_add_nexthop(struct vpc_state *state, const struct vpc_nl_nexthop *nh);
int vpc_state_add_member(struct vpc_state *state, const struct vpc_nl_member *member);
int vpc_state_add_route(struct vpc_state *state, const struct vpc_route *route);
/* Room for so many in all, so that appending them moves nothing; -ENOMEM, nothing is lost. */
int vpc_state_reserve_routes(struct vpc_state *state, size_t n);
/* Sort the arrays. -EEXIST with the text naming the element when one is there twice. Fast when already sorted. */
int vpc_state_sort(struct vpc_state *state, struct vpc_err *err);
const struct vpc_nl_nexthop *vpc_state_find_nexthop(const struct vpc_state *state, uint32_t id); /* sorted; or NULL */
const struct vpc_nl_member *vpc_state_find_member(const struct vpc_state *state, uint32_t group, uint32_t nexthop);
/* A group's members are neighbours: the first, NULL when there is none. */
const struct vpc_nl_member *vpc_state_members_of(const struct vpc_state *state, uint32_t group, size_t *ret_n);
const struct vpc_route *vpc_state_find_route(const struct vpc_state *state, uint32_t table,
					     const struct vpc_prefix *prefix);

/*
 * Every route's nexthop is there, ids are not 0, host bits clear, types known; a member's group is a group, its nexthop
 * is there and no group, and no group has more than VPC_MEMBERS_MAX. -EINVAL, the text names the element. Sorted.
 */
int vpc_state_check(const struct vpc_state *state, struct vpc_err *err);

void vpc_delta_init(struct vpc_delta *delta, uint32_t vni);
void vpc_delta_clear(struct vpc_delta *delta);
int vpc_delta_set_nexthop(struct vpc_delta *delta, const struct vpc_nl_nexthop *nh);
int vpc_delta_del_nexthop(struct vpc_delta *delta, uint32_t id);
int vpc_delta_set_member(struct vpc_delta *delta, const struct vpc_nl_member *member);
int vpc_delta_del_member(struct vpc_delta *delta, uint32_t group, uint32_t nexthop);
int vpc_delta_set_route(struct vpc_delta *delta, const struct vpc_route *route);
int vpc_delta_del_route(struct vpc_delta *delta, uint32_t table, const struct vpc_prefix *prefix);

/*
 * Apply @delta to @state (sorted before and after). -ESTALE when the epoch is not the delta's base, -ENOENT when it
 * deletes what is not there, -EINVAL when it is another VPC's or changes an element twice; -ENOMEM; @state is
 * unchanged on failure. The digest becomes the delta's word for it: vpc_digest_of_state() tells whether that is true.
 */
int vpc_state_apply(struct vpc_state *state, const struct vpc_delta *delta, struct vpc_err *err);

void vpc_port_clear(struct vpc_port *port);
bool vpc_port_equal(const struct vpc_port *a, const struct vpc_port *b); /* id is not compared */

int vpc_nexthop_cmp(const struct vpc_nl_nexthop *a, const struct vpc_nl_nexthop *b); /* by id */
bool vpc_nexthop_equal(const struct vpc_nl_nexthop *a, const struct vpc_nl_nexthop *b); /* all but op */
/* What is wrong with one ("its type is unknown"), whoever brings it; NULL: nothing. Fields that its type does not use
 * must be 0, because the digest does not cover them. */
const char *vpc_nexthop_fault(const struct vpc_nl_nexthop *nh);
int vpc_member_cmp(const struct vpc_nl_member *a, const struct vpc_nl_member *b); /* by (group, nexthop) */
/* As vpc_nexthop_fault(), of a member by itself: whether its nexthops are there is vpc_state_check()'s. */
const char *vpc_member_fault(const struct vpc_nl_member *member);
int vpc_route_cmp(const struct vpc_route *a, const struct vpc_route *b); /* by (table, prefix) */

/* "gateway 192.0.2.1 vni 7" ...; into @buf, which is returned. */
#define VPC_NEXTHOP_STRLEN 160
char *vpc_nexthop_format(const struct vpc_nl_nexthop *nh, char *buf);
const char *vpc_nexthop_type_name(uint8_t type); /* "?" when unknown */
int vpc_nexthop_type_parse(const char *name, uint8_t *ret_type); /* -EINVAL */
const char *vpc_drop_name(unsigned int reason); /* "no-route" ...; "?" when unknown */

#endif
