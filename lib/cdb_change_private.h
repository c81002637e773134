/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a change, between lib/cdb_change.c (which collects), lib/cdb_change_set.c (which sums up) and
 * lib/cdb_write.c (which writes).
 */
#ifndef VPC_CDB_CHANGE_PRIVATE_H
#define VPC_CDB_CHANGE_PRIVATE_H

#include "cdb_change.h"
#include "cdb_stmt.h"

struct change_route {
	struct vpc_route route; /* nexthop: the new one, 0: deleted */
	uint32_t was; /* 0: was not there */
	uint32_t order; /* as collected: of an element, the first one's @was and the last one's value count */
};

struct change_nexthop {
	uint32_t id;
	bool has_was, has_is;
	struct vpc_nl_nexthop was, is;
	uint32_t order;
};

struct change_member {
	struct vpc_nl_member member; /* weight: the new one, 0: deleted */
	uint16_t was; /* 0: was not there */
	uint32_t order;
};

struct change_set {
	struct change_nexthop *nexthops;
	size_t n_nexthops, cap_nexthops;
	struct change_member *members;
	size_t n_members, cap_members;
	struct change_route *routes;
	size_t n_routes, cap_routes;
};

struct cdb_batch {
	struct cdb *cdb;
	bool open, failed;
	char *author, *summary;
	char id[VPC_CHANGE_MAX + 1];
	struct cdb_change **changes; /* owned */
	size_t n, cap;
};

/* lib/cdb_batch.c */
int batch_add(struct cdb_batch *batch, struct cdb_change *change); /* which is the batch's then; -ENOMEM */
struct cdb_change *batch_find(const struct cdb_batch *batch, uint32_t vni);

struct cdb_change {
	struct cdb *cdb;
	struct cdb_batch *batch; /* that owns it; NULL: a transaction of its own */
	bool open; /* a transaction to roll back */
	bool dirty; /* commit even without elements */
	bool ends; /* the VPC */
	struct cdb_vpc vpc; /* as it was */
	struct vpc_digest digest; /* of what is written */
	char id[VPC_CHANGE_MAX + 1];
	char *author, *summary;
	struct change_set pending; /* collected */
	struct change_set done; /* written, for the history; sorted and summed up by the commit */
	uint32_t order; /* of the next element */
	struct cdb_change_item *items; /* owned, with their texts */
	size_t n_items, cap_items;
	uint32_t *hosts;
	size_t n_hosts, cap_hosts;
};

/* Room for one more in *@array, which has @n. -ENOMEM. */
int change_grow(void *array, size_t n, size_t *cap, size_t size);

/* One for each element that really changes, sorted. Pure. */
void change_set_coalesce(struct change_set *set);
void change_set_digest(const struct change_set *set, struct vpc_digest *digest);
/* @from is empty afterwards. -ENOMEM. */
int change_set_move(struct change_set *to, struct change_set *from);
void change_set_clear(struct change_set *set);
static inline size_t change_set_count(const struct change_set *set)
{
	return set->n_nexthops + set->n_members + set->n_routes;
}

/* lib/cdb_change.c */
int change_item_note(struct cdb_change *change, enum cdb_item_kind kind, const char *name, char *was);
int change_id_make(char *ret_id, struct vpc_err *err); /* VPC_CHANGE_MAX + 1 bytes */
void change_free(struct cdb_change *change);
bool change_has_effect(struct cdb_change *change); /* sums up what was done */
int change_make_history(struct cdb_change *change, struct vpc_err *err); /* all but the COMMIT */

/* lib/cdb_write.c: a set, coalesced, into the tables; change_log and change_op. */
int change_set_write(struct cdb_change *change, const struct change_set *set, struct vpc_err *err);
int cdb_change_write_log(struct cdb_change *change, struct vpc_err *err);

#endif
