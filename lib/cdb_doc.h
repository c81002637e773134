/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole VPC at one epoch as one thing: its items and its elements. What vpcctl exports, compares and goes back to
 * (lib/intent_doc.c makes a VPC what a document says); lib/doc_json.c is its form outside.
 */
#ifndef VPC_CDB_DOC_H
#define VPC_CDB_DOC_H

#include "cdb_item.h"

struct cdb_doc {
	struct cdb_item *items; /* owned; sorted */
	size_t n_items;
	struct vpc_state state; /* of a document from outside: customers' own alone */
};

void cdb_doc_init(struct cdb_doc *doc, uint32_t vni);
void cdb_doc_clear(struct cdb_doc *doc);
/* Takes over @text, also on failure. -ENOMEM. Not sorted until cdb_doc_sort(). */
int cdb_doc_add(struct cdb_doc *doc, enum cdb_item_kind kind, const char *name, char *text);
/* -EEXIST with a text when something is there twice. */
int cdb_doc_sort(struct cdb_doc *doc, struct vpc_err *err);
const struct cdb_item *cdb_doc_find(const struct cdb_doc *doc, enum cdb_item_kind kind, const char *name); /* or NULL */

/*
 * The VPC as it is, or as it was at @epoch; also one that is gone: then it is empty now. In one snapshot, or in the
 * transaction that is open. -ENOENT: there is and was no such VPC. -ERANGE: the history does not reach there. -EBUSY: a
 * batch is open and has changed the VPC, of which there is no past to be had.
 */
int cdb_doc_load(struct cdb *cdb, uint32_t vni, const uint64_t *epoch, struct cdb_doc *ret_doc, struct vpc_err *err);

/*
 * An element is a customer's own when neither ports nor ranges make it: nexthops up to VPC_NEXTHOP_ID_USER_MAX, their
 * members, and routes of tables 1.. that are no range's.
 */
bool cdb_doc_own_route(const struct cdb_doc *doc, const struct vpc_route *route);

/* Each difference from @a to @b in @fn: first items, then elements. A non-zero return ends it and is returned. */
struct cdb_doc_diff {
	const struct cdb_item *item_was, *item_is; /* both NULL: an element */
	const struct cdb_element *was, *is;
};
int cdb_doc_compare(const struct cdb_doc *a, const struct cdb_doc *b,
		    int (*fn)(const struct cdb_doc_diff *diff, void *arg), void *arg);

#endif
