/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items: what a VPC has besides its elements (nexthops, members, routes), each with a name and, as JSON, what there is
 * to say of it. They make the history of VPCs, ranges, tables, subnets and ports (change_item), and documents of whole
 * VPCs (lib/cdb_doc.h). The server makes the JSON out of the rows, in one place, lib/cdb_item.c:
 *
 *   vpc ""         {"name": "red", "quota": 0, "flags": 0}      flags: VPC_F_*
 *   range PREFIX   {}
 *   table ID       {"name": "main"}                             1.., not the mapping
 *   subnet NAME    {"prefix": "10.0.1.0/24", "table": 1}
 *   port NAME      {"subnet": "web", "host": "h1", "dev": "tap1", "mac": "02:..", "flags": 0,
 *                   "addresses": ["10.0.1.5/32"]}
 *                  and "standby": {"host": "h2", "dev": "tap1"} while it has a second place
 */
#ifndef VPC_CDB_ITEM_H
#define VPC_CDB_ITEM_H

#include "cdb_stmt.h"

enum cdb_item_kind {
	CDB_ITEM_VPC,
	CDB_ITEM_RANGE,
	CDB_ITEM_TABLE,
	CDB_ITEM_SUBNET,
	CDB_ITEM_PORT,
	CDB_N_ITEMS
};

#define CDB_ITEM_TEXT_MAX 8192

struct cdb_item {
	enum cdb_item_kind kind;
	char name[64];
	char *text; /* owned; NULL: it is not there */
};

const char *cdb_item_kind_name(enum cdb_item_kind kind);
int cdb_item_kind_parse(const char *name, enum cdb_item_kind *ret_kind); /* -EINVAL */
/* By kind, then by name; tables by their number. */
int cdb_item_cmp(const struct cdb_item *a, const struct cdb_item *b);
/* Whether both say the same, however it is written. NULL: not there. */
bool cdb_item_text_equal(const char *a, const char *b);
void cdb_items_free(struct cdb_item *items, size_t n);

/* All of a VPC, sorted; cdb_items_free(). */
int cdb_items_load(struct cdb *cdb, uint32_t vni, struct cdb_item **ret_items, size_t *ret_n, struct vpc_err *err);
/* One as it is now: free() the text; NULL: there is no such thing. */
int cdb_item_read(struct cdb *cdb, uint32_t vni, enum cdb_item_kind kind, const char *name, char **ret_text,
		  struct vpc_err *err);

#endif
