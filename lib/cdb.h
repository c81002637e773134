/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CDB access (libmariadb, prepared statements only). lib/cdb.c connects and migrates; lib/cdb_read.c reads consistent
 * snapshots (publisher, reconcile, vpcctl show); lib/cdb_change.c makes one change of one VPC as one database
 * transaction (vpcctl).
 *
 * A lost connection or a refused statement is -errno with the server's text in @err; nothing is retried here. A reader
 * that fails in the middle returns an error and no data.
 */
#ifndef VPC_CDB_H
#define VPC_CDB_H

#include "config.h"
#include "model.h"
#include "../proto/znode.h"

struct cdb;

int cdb_open(const struct vpc_config *config, struct cdb **ret_cdb, struct vpc_err *err);
/* A new connection in the place of one that was lost; whatever was open or locked on it is gone. */
int cdb_reopen(struct cdb *cdb, const struct vpc_config *config, struct vpc_err *err);
void cdb_close(struct cdb *cdb);
void cdb_closep(struct cdb **cdb);

/* Creates or upgrades the schema (proto/schema.sql, compiled in; table schema_version). @ret_from: the version found,
 * 0: empty. */
int cdb_init(struct cdb *cdb, unsigned int *ret_from, unsigned int *ret_to, struct vpc_err *err);
/* -EPROTONOSUPPORT when the schema's version is not the one this program knows; the text says what to do. */
int cdb_check_schema(struct cdb *cdb, struct vpc_err *err);

/* START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY ... COMMIT. All reads in between see one point in time. */
int cdb_snapshot_begin(struct cdb *cdb, struct vpc_err *err);
int cdb_snapshot_end(struct cdb *cdb, struct vpc_err *err);

struct cdb_vpc {
	uint32_t vni;
	char name[64];
	uint64_t epoch;
	struct vpc_digest digest;
	uint64_t quota;
	uint32_t flags;	/* VPC_F_* */
	char change[VPC_CHANGE_MAX + 1];	/* of its last change */
};

/* free() the arrays. */
int cdb_vpc_list(struct cdb *cdb, struct cdb_vpc **ret_vpcs, size_t *ret_n, struct vpc_err *err);
/* In one statement those of @vnis (ascending) that are there, or the next @max behind @after; by VNI. */
int cdb_vpc_many(struct cdb *cdb, const uint64_t *vnis, size_t n, struct cdb_vpc **ret_vpcs, size_t *ret_n,
		 struct vpc_err *err);
int cdb_vpc_after(struct cdb *cdb, uint32_t after, size_t max, struct cdb_vpc **ret_vpcs, size_t *ret_n,
		  struct vpc_err *err);
int cdb_vpc_get(struct cdb *cdb, uint32_t vni, struct cdb_vpc *ret_vpc, struct vpc_err *err);	/* -ENOENT */
int cdb_vpc_find(struct cdb *cdb, const char *name_or_vni, struct cdb_vpc *ret_vpc, struct vpc_err *err);
/* Every host's name. free() the array. */
int cdb_host_list(struct cdb *cdb, char (**ret_names)[64], size_t *ret_n, struct vpc_err *err);
/* The next @max hosts behind the name @after, and the revisions of what they must have. free() the array. */
struct cdb_host {
	char name[64];
	uint64_t revision;
};
int cdb_host_after(struct cdb *cdb, const char *after, size_t max, struct cdb_host **ret_hosts, size_t *ret_n,
		   struct vpc_err *err);
/* The hosts that must have the VPC: those with ports in it, or in a VPC whose packets may come by. free() the array. */
int cdb_vpc_hosts(struct cdb *cdb, uint32_t vni, char (**ret_names)[64], size_t *ret_n, struct vpc_err *err);
/* For those who delete what is not there any more: "no" is an answer of the table's, never a table that is missing. */
int cdb_vpc_exists(struct cdb *cdb, uint32_t vni, bool *ret_exists, struct vpc_err *err);
int cdb_host_exists(struct cdb *cdb, const char *host, bool *ret_exists, struct vpc_err *err);

/* The VPC's nexthops, members and routes, sorted, with epoch and digest as stored. -ENOENT. Inside a snapshot. */
int cdb_state_load(struct cdb *cdb, uint32_t vni, struct vpc_state *ret_state, struct vpc_err *err);
/* The same of @n VPCs in few statements; @vpcs, ascending, were read inside the same snapshot. @states are to be
 * cleared, whatever is returned. */
int cdb_states_load(struct cdb *cdb, const struct cdb_vpc *vpcs, size_t n, struct vpc_state *states,
		    struct vpc_err *err);
/* Its nexthops and members alone; epoch and digest stay 0. */
int cdb_nexthops_load(struct cdb *cdb, uint32_t vni, struct vpc_state *ret_state, struct vpc_err *err);
/* Turns a state back to what it was at @epoch (<= state->epoch) through change_op. -ERANGE when the history does not
 * reach back. */
int cdb_state_rewind(struct cdb *cdb, struct vpc_state *state, uint64_t epoch, struct vpc_err *err);
/* On to @epoch (>= state->epoch), the same way. -ERANGE when the history has not all of it. */
int cdb_state_advance(struct cdb *cdb, struct vpc_state *state, uint64_t epoch, struct vpc_err *err);
/* The VPC's digest at an epoch, as recorded. -ENOENT: the history has no such epoch. */
int cdb_epoch_digest(struct cdb *cdb, uint32_t vni, uint64_t epoch, struct vpc_digest *ret_digest, struct vpc_err *err);
/*
 * What the history says of a VPC at one epoch: a few rows by their keys, whatever the VPC's size. -ENOENT: there is no
 * such VPC.
 *
 * @name: empty: there is no such VPC. @now: CDB's epoch. @known: the history has @epoch, with @digest, and so has the
 * VPC itself where that is its epoch. @now_ms: when @now was made; @newer_ms, @newer_change: the first change after
 * @epoch; both by their writers' wall clocks, in milliseconds since 1970; 0: not known, none.
 */
struct cdb_epoch {
	char name[64];
	uint64_t now, now_ms;
	bool known;
	struct vpc_digest digest;
	uint64_t newer_ms;
	char newer_change[VPC_CHANGE_MAX + 1];
};
int cdb_epoch_get(struct cdb *cdb, uint32_t vni, uint64_t epoch, struct cdb_epoch *ret_epoch, struct vpc_err *err);
/* The same of many VPCs, in one statement a thousand. A VPC that is not there is no error. */
struct cdb_epoch_key {
	uint32_t vni;
	uint64_t epoch;
};
int cdb_epochs_get(struct cdb *cdb, const struct cdb_epoch_key *keys, size_t n, struct cdb_epoch *ret_epochs,
		   struct vpc_err *err);
/* The delta of one epoch, as recorded. -E2BIG when it has more than @max_ops operations. -ENOENT. */
int cdb_delta_load(struct cdb *cdb, uint32_t vni, uint64_t epoch, size_t max_ops, struct vpc_delta *ret_delta,
		   struct vpc_err *err);
/* Everything that the host must have. -ENOENT: CDB knows no such host. */
int cdb_host_ports_load(struct cdb *cdb, const char *host, struct vpc_host_ports *ret_ports, struct vpc_err *err);

/* Outbox: what still has to be published; rows are deleted once it is. One that names neither VPC nor host is BAD: it
 * stays until somebody has looked at it. */
enum cdb_outbox_kind { CDB_OUTBOX_VPC, CDB_OUTBOX_HOST, CDB_OUTBOX_BAD };
struct cdb_outbox {
	uint64_t id;
	enum cdb_outbox_kind kind;
	uint32_t vni;		/* VPC */
	char host[64];		/* HOST */
};
int cdb_outbox_list(struct cdb *cdb, size_t max, struct cdb_outbox **ret_rows, size_t *ret_n, struct vpc_err *err);
/* The same behind the id @after, for who goes through all of it now. Not for later: ids are no order of commits. */
int cdb_outbox_after(struct cdb *cdb, uint64_t after, size_t max, struct cdb_outbox **ret_rows, size_t *ret_n,
		     struct vpc_err *err);
/*
 * Since when (its writer's clock, ms since 1970) something of @host, or where that is NULL of VPC @vni, waits to be
 * published; 0: nothing does. Behind an outbox that is longer than what is looked through, everything does.
 */
int cdb_outbox_waits(struct cdb *cdb, const char *host, uint32_t vni, uint64_t *ret_since_ms, struct vpc_err *err);
int cdb_outbox_done(struct cdb *cdb, const struct cdb_outbox *rows, size_t n, struct vpc_err *err);

#endif
