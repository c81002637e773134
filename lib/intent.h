/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a customer or an operator can ask for: each function is one change of CDB, checked and made as one transaction
 * (lib/cdb_change.h), history included. Called by vpcctl. One module a noun: lib/intent_<noun>.c.
 *
 * Refusals are -errno with one line that names the thing: -EINVAL nonsense, -EEXIST there already or overlapping,
 * -ENOENT unknown, -EBUSY still in use, -EPERM the system's own. VPCs are named by name or VNI.
 */
#ifndef VPC_INTENT_H
#define VPC_INTENT_H

#include "cdb_change.h"

struct intent {
	struct cdb *cdb;
	const char *author;
	const char *summary; /* what was asked for, into the history */
};

/* VPCs. A new one has table 0 (the mapping), table 1 "main", nexthop "local", and its ranges' routes in table 1. */
int intent_vpc_add(const struct intent *intent, const char *name, uint32_t vni, const struct vpc_prefix *ranges,
		   size_t n_ranges, uint64_t quota, uint32_t flags, struct cdb_change_result *ret_result,
		   struct vpc_err *err);
struct intent_vpc_set {
	const char *name; /* NULL: keep */
	const uint64_t *quota; /* NULL: keep */
	const uint32_t *flags; /* VPC_F_*; NULL: keep */
	const struct vpc_prefix *add, *del; /* ranges */
	size_t n_add, n_del;
};
int intent_vpc_set(const struct intent *intent, const char *vpc, const struct intent_vpc_set *set,
		   struct cdb_change_result *ret_result, struct vpc_err *err);
/* -EBUSY while it has ports or is another one's peer. Everything else in it goes with it; its history stays. */
int intent_vpc_del(const struct intent *intent, const char *vpc, struct cdb_change_result *ret_result,
		   struct vpc_err *err);

/* Subnets. The gateway is the first address. */
int intent_subnet_add(const struct intent *intent, const char *vpc, const char *name, const struct vpc_prefix *prefix,
		      uint32_t table, struct cdb_change_result *ret_result, struct vpc_err *err);
int intent_subnet_set(const struct intent *intent, const char *vpc, const char *name, uint32_t table,
		      struct cdb_change_result *ret_result, struct vpc_err *err);
int intent_subnet_del(const struct intent *intent, const char *vpc, const char *name,
		      struct cdb_change_result *ret_result, struct vpc_err *err);

/* Route tables, 1..1023. @name NULL: "t<id>". */
int intent_table_add(const struct intent *intent, const char *vpc, uint32_t table, const char *name,
		     struct cdb_change_result *ret_result, struct vpc_err *err);
int intent_table_set(const struct intent *intent, const char *vpc, uint32_t table, const char *name,
		     struct cdb_change_result *ret_result, struct vpc_err *err);
int intent_table_del(const struct intent *intent, const char *vpc, uint32_t table, struct cdb_change_result *ret_result,
		     struct vpc_err *err);

/* Hosts belong to no VPC. @ret_changed: whether anything was written. */
int intent_host_add(const struct intent *intent, const char *name, const struct vpc_addr *vtep, uint16_t udp_port,
		    struct vpc_err *err);
int intent_host_set(const struct intent *intent, const char *name, const struct vpc_addr *vtep,
		    const uint16_t *udp_port, bool *ret_changed,
		    struct vpc_err *err); /* NULL: keep. -EBUSY: the VTEP of a host with ports */
int intent_host_del(const struct intent *intent, const char *name, struct vpc_err *err);

/* Ports. Their addresses are the VPC's mapping (table 0). */
struct intent_port {
	const char *name, *subnet, *host, *dev;
	const struct vpc_prefix *addrs; /* none: the subnet's first free address */
	size_t n_addrs;
	const uint8_t *mac; /* NULL: derived from the first address */
	uint32_t flags;
};
int intent_port_add(const struct intent *intent, const char *vpc, const struct intent_port *port,
		    struct cdb_change_result *ret_result, struct vpc_err *err);
struct intent_port_set {
	const char *host, *dev; /* NULL: keep */
	const uint8_t *mac; /* NULL: keep */
	const uint32_t *flags; /* NULL: keep */
};
int intent_port_set(const struct intent *intent, const char *vpc, const char *name, const struct intent_port_set *set,
		    struct cdb_change_result *ret_result, struct vpc_err *err);
int intent_port_del(const struct intent *intent, const char *vpc, const char *name,
		    struct cdb_change_result *ret_result, struct vpc_err *err);

/*
 * Moving a port without a loss: prepare gives it a second place, move makes that the place where it is, release gives
 * up the other one (before the move: the new one). @dev NULL: called there as here.
 */
int intent_port_prepare(const struct intent *intent, const char *vpc, const char *name, const char *host,
			const char *dev, struct cdb_change_result *ret_result, struct vpc_err *err);
int intent_port_move(const struct intent *intent, const char *vpc, const char *name,
		     struct cdb_change_result *ret_result, struct vpc_err *err);
int intent_port_release(const struct intent *intent, const char *vpc, const char *name,
			struct cdb_change_result *ret_result, struct vpc_err *err);

/* What becomes of a group's members. */
struct intent_members {
	const struct vpc_nl_member *set; /* group is not used */
	size_t n_set;
	const uint32_t *del; /* nexthops */
	size_t n_del;
	bool replace; /* all others go */
};
/* Customers' nexthops. @nh->id 0: the lowest free one; -EEXIST when @add and it is there, -ENOENT when not @add and
 * it is not. @members: of a group, may be NULL. A peer's VPC and table must be there. */
int intent_nexthop_put(const struct intent *intent, const char *vpc, const struct vpc_nl_nexthop *nh,
		       const struct intent_members *members, bool add, struct cdb_change_result *ret_result,
		       struct vpc_err *err);
int intent_nexthop_members(const struct intent *intent, const char *vpc, uint32_t group,
			   const struct intent_members *members, struct cdb_change_result *ret_result,
			   struct vpc_err *err);
int intent_nexthop_del(const struct intent *intent, const char *vpc, uint32_t id, struct cdb_change_result *ret_result,
		       struct vpc_err *err);

/* Routes in customers' tables. Where they lead: an id, or else a type and VTEP, whose nexthop is found or made. */
struct intent_via {
	uint32_t id; /* 0: by type */
	uint8_t type; /* enum vpc_nexthop_type */
	struct vpc_addr vtep; /* GATEWAY */
};
/* @replace: change one that is there; else -EEXIST. */
int intent_route_put(const struct intent *intent, const char *vpc, uint32_t table, const struct vpc_prefix *prefix,
		     const struct intent_via *via, bool replace, struct cdb_change_result *ret_result,
		     struct vpc_err *err);
int intent_route_del(const struct intent *intent, const char *vpc, uint32_t table, const struct vpc_prefix *prefix,
		     struct cdb_change_result *ret_result, struct vpc_err *err);

struct intent_import_result {
	struct cdb_change_result change;
	size_t added, changed, deleted, unchanged;
};
/**
 * intent_route_import() - a file of "prefix nexthop-id" lines into a table, all or nothing
 * @file: plain or gzip; '#' begins a comment
 * @replace: also delete the table's other routes, save the ranges' own
 */
int intent_route_import(const struct intent *intent, const char *vpc, uint32_t table, const char *file, bool replace,
			struct intent_import_result *ret_result, struct vpc_err *err);

#endif
