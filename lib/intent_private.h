/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lib/intent_*.c share: looking things up under the VPC's lock, arithmetic on prefixes. Lookups fail with
 * -ENOENT and a text.
 */
#ifndef VPC_INTENT_PRIVATE_H
#define VPC_INTENT_PRIVATE_H

#include "intent.h"
#include "cdb_batch.h"
#include "cdb_row.h"
#include "cdb_stmt.h"

struct intent_prefixes {
	struct vpc_prefix *list; /* owned */
	size_t n;
};

struct intent_ids {
	uint32_t *list; /* owned */
	size_t n;
};

struct intent_subnet {
	char name[64];
	struct vpc_prefix prefix;
	struct vpc_addr gateway;
	uint32_t table;
};

struct intent_host {
	uint32_t id;
	char name[64];
	struct vpc_addr vtep;
};

/*
 * One change as one call, again when the server has rolled it back to end a deadlock, which is nobody's fault. The call
 * must not have done anything but that change: of a batch, all of it is rolled back, and its owner begins again.
 */
#define INTENT_TRIES 10
#define intent_retry(intent, call)                                                            \
	({                                                                                    \
		int retry_r, retry_left = cdb_in_batch((intent)->cdb) ? 1 : INTENT_TRIES; \
		do                                                                            \
			retry_r = (call);                                                     \
		while (retry_r == -EDEADLK && --retry_left);                                  \
		retry_r;                                                                      \
	})

void intent_prefixes_clear(struct intent_prefixes *prefixes);
void intent_ids_clear(struct intent_ids *ids);

int intent_begin(const struct intent *intent, const char *vpc, struct cdb_change **ret_change, struct vpc_err *err);

int intent_ranges_load(const struct cdb_change *change, struct intent_prefixes *ret_ranges, struct vpc_err *err);
int intent_tables_load(const struct cdb_change *change, struct intent_ids *ret_tables,
		       struct vpc_err *err); /* customers' */
/* -EPERM for table 0, -EINVAL out of range, -ENOENT. */
int intent_table_check(const struct cdb_change *change, uint32_t table, struct vpc_err *err);
int intent_subnet_find(const struct cdb_change *change, const char *name, struct intent_subnet *ret_subnet,
		       struct vpc_err *err);
int intent_host_find(struct cdb *cdb, const char *name, struct intent_host *ret_host, struct vpc_err *err);

/* A VTEP that packets can be sent to. */
int intent_vtep_check(const struct vpc_addr *vtep, struct vpc_err *err);

struct vpc_addr intent_prefix_first(const struct vpc_prefix *prefix);
struct vpc_addr intent_prefix_last(const struct vpc_prefix *prefix);
struct vpc_addr intent_addr_next(const struct vpc_addr *addr);
bool intent_is_range(const struct intent_prefixes *ranges, const struct vpc_prefix *prefix);

#endif
