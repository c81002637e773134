// SPDX-License-Identifier: Apache-2.0
/*
 * Documents of whole VPCs out of CDB, now and in the past: see cdb_doc.h. Elements come from lib/cdb_state.c; items are
 * turned back by change_item as elements are by change_op.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cdb_batch.h"
#include "cdb_doc.h"
#include "cdb_private.h"
#include "cdb_row.h"
#include "diff.h"
#include "util.h"

void cdb_doc_init(struct cdb_doc *doc, uint32_t vni)
{
	*doc = (struct cdb_doc){};
	vpc_state_init(&doc->state, vni);
}

void cdb_doc_clear(struct cdb_doc *doc)
{
	cdb_items_free(doc->items, doc->n_items);
	vpc_state_clear(&doc->state);
	cdb_doc_init(doc, doc->state.vni);
}

int cdb_doc_add(struct cdb_doc *doc, enum cdb_item_kind kind, const char *name, char *text)
{
	struct cdb_item *list = doc->items;

	if (!text)
		return -ENOMEM;
	if (!(doc->n_items & (doc->n_items - 1)))
		list = reallocarray(doc->items, doc->n_items ? 2 * doc->n_items : 1, sizeof(*list));
	if (!list) {
		free(text);
		return -ENOMEM;
	}
	doc->items = list;
	list[doc->n_items] = (struct cdb_item){ .kind = kind, .text = text };
	snprintf(list[doc->n_items].name, sizeof(list->name), "%s", name);
	doc->n_items++;
	return 0;
}

static int item_cmp(const void *a, const void *b)
{
	return cdb_item_cmp(a, b);
}

int cdb_doc_sort(struct cdb_doc *doc, struct vpc_err *err)
{
	if (doc->n_items)
		qsort(doc->items, doc->n_items, sizeof(*doc->items), item_cmp);
	for (size_t i = 1; i < doc->n_items; i++)
		if (!cdb_item_cmp(&doc->items[i - 1], &doc->items[i]))
			return vpc_err_set(err, -EEXIST, "%s %s is there twice", cdb_item_kind_name(doc->items[i].kind),
					   doc->items[i].name);
	return vpc_state_sort(&doc->state, err);
}

const struct cdb_item *cdb_doc_find(const struct cdb_doc *doc, enum cdb_item_kind kind, const char *name)
{
	struct cdb_item key = { .kind = kind };

	if (!doc->n_items || strlen(name) >= sizeof(key.name))
		return NULL;
	strcpy(key.name, name);
	return bsearch(&key, doc->items, doc->n_items, sizeof(key), item_cmp);
}

bool cdb_doc_own_route(const struct cdb_doc *doc, const struct vpc_route *route)
{
	char text[VPC_PREFIX_STRLEN];

	if (!route->table)
		return false;
	return route->nexthop != VPC_NEXTHOP_ID_LOCAL ||
	       !cdb_doc_find(doc, CDB_ITEM_RANGE, vpc_prefix_format(&route->prefix, text));
}

/* One that is gone is empty at its last epoch. */
static int load_now(struct cdb *cdb, struct cdb_doc *doc, struct vpc_err *err)
{
	struct vpc_err gone = {};
	uint64_t last;
	int r;

	r = cdb_state_load(cdb, doc->state.vni, &doc->state, &gone);
	if (!r)
		return cdb_items_load(cdb, doc->state.vni, &doc->items, &doc->n_items, err);
	if (r != -ENOENT)
		return vpc_err_set(err, r, "%s", gone.text);
	r = cdb_get(cdb, err, "SELECT COALESCE(MAX(epoch), 0) FROM change_log WHERE vni = ?", "u>U", doc->state.vni,
		    &last);
	if (!r && !last)
		return vpc_err_set(err, -ENOENT, "%s", gone.text);
	doc->state.epoch = last;
	return r;
}

/* Were all changes after @epoch made with their items? */
static int check_reach(struct cdb *cdb, uint32_t vni, uint64_t epoch, struct vpc_err *err)
{
	uint64_t last;
	int r;

	r = cdb_get(cdb, err,
		    "SELECT COALESCE(MAX(epoch), 0) FROM change_log WHERE vni = ? AND epoch > ? AND n_items IS NULL",
		    "uU>U", vni, epoch, &last);
	if (!r && last)
		r = vpc_err_set(
			err, -ERANGE,
			"VPC %u: up to epoch %llu the history has nexthops and routes alone (`vpcctl history`): "
			"subnets and ports can't be turned back so far",
			vni, (unsigned long long)last);
	return r;
}

static struct cdb_item *find(struct cdb_item *items, size_t n, const struct cdb_item *key)
{
	return n ? bsearch(key, items, n, sizeof(*key), item_cmp) : NULL;
}

/* Of each item the first change after @epoch says what it was. */
static int rewind_items(struct cdb *cdb, struct cdb_doc *doc, uint64_t epoch, struct vpc_err *err)
{
	char kind[16], name[64], was[CDB_ITEM_TEXT_MAX];
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	size_t n_now = doc->n_items, kept = 0;
	bool more;
	int r;

	/* In MariaDB no other way is as plain: of each name the lowest epoch. */
	r = cdb_query(
		cdb, &rows, err,
		"SELECT i.kind, i.name, COALESCE(i.was, '') FROM change_item i JOIN (SELECT kind, name, MIN(epoch) "
		"AS epoch FROM change_item WHERE vni = ? AND epoch > ? AND epoch <= ? GROUP BY kind, name) f ON "
		"f.kind = i.kind AND f.name = i.name AND f.epoch = i.epoch WHERE i.vni = ?",
		"uUUu>sss", doc->state.vni, epoch, doc->state.epoch, doc->state.vni, kind, sizeof(kind), name,
		sizeof(name), was, sizeof(was));
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		struct cdb_item key = {}, *there;

		strcpy(key.name, name);
		if (cdb_item_kind_parse(kind, &key.kind))
			return vpc_err_set(err, -EPROTO, "CDB: change_item of VPC %u: unknown kind '%s'",
					   doc->state.vni, kind);
		there = find(doc->items, n_now, &key);
		if (there) {
			free(there->text);
			there->text = *was ? strdup(was) : NULL;
			if (*was && !there->text)
				return vpc_err_set(err, -ENOMEM, "out of memory");
		} else if (*was && cdb_doc_add(doc, key.kind, name, strdup(was))) {
			return vpc_err_set(err, -ENOMEM, "out of memory");
		}
	}
	if (r)
		return r;
	for (size_t i = 0; i < doc->n_items; i++)
		if (doc->items[i].text)
			doc->items[kept++] = doc->items[i];
	doc->n_items = kept;
	return 0;
}

/* A batch reads what is committed as it goes: what is read here must stand still until the batch has changed it. */
static int lock_content(struct cdb *cdb, uint32_t vni, struct vpc_err *err)
{
	uint32_t locked;
	int r = cdb_get(cdb, err, "SELECT vni FROM vpc WHERE vni = ? FOR UPDATE", "u>u", vni, &locked);

	return r == -ENOENT ? 0 : r;
}

int cdb_doc_load(struct cdb *cdb, uint32_t vni, const uint64_t *epoch, struct cdb_doc *ret_doc, struct vpc_err *err)
{
	_cleanup_(cdb_doc_clear) struct cdb_doc doc;
	bool own_snapshot = !cdb->in_txn;
	int r = 0, end;

	cdb_doc_init(&doc, vni);
	/* The way back goes from what is committed. */
	if (epoch && cdb_batch_has(cdb, vni))
		return vpc_err_set(err, -EBUSY,
				   "VPC %u is changed by this very change already: its past is for a change of its own",
				   vni);
	if (own_snapshot)
		r = cdb_snapshot_begin(cdb, err);
	else if (cdb_in_batch(cdb))
		r = lock_content(cdb, vni, err);
	if (r)
		return r;
	r = load_now(cdb, &doc, err);
	if (!r && epoch && *epoch < doc.state.epoch) {
		r = check_reach(cdb, vni, *epoch, err);
		if (!r)
			r = rewind_items(cdb, &doc, *epoch, err);
	}
	if (!r && epoch)
		r = cdb_state_rewind(cdb, &doc.state, *epoch, err);
	if (own_snapshot) {
		end = cdb_snapshot_end(cdb, r ? NULL : err);
		r = r ?: end;
	}
	if (!r)
		r = cdb_doc_sort(&doc, err);
	if (r)
		return r;
	*ret_doc = doc;
	cdb_doc_init(&doc, vni);
	return 0;
}

struct compare {
	int (*fn)(const struct cdb_doc_diff *diff, void *arg);
	void *arg;
};

static int compare_items(const struct cdb_doc *a, const struct cdb_doc *b, const struct compare *compare)
{
	size_t i = 0, j = 0;
	int r = 0;

	while (!r && (i < a->n_items || j < b->n_items)) {
		struct cdb_doc_diff diff = {};
		int c = i == a->n_items ? 1 : j == b->n_items ? -1 : cdb_item_cmp(&a->items[i], &b->items[j]);

		if (c <= 0)
			diff.item_was = &a->items[i++];
		if (c >= 0)
			diff.item_is = &b->items[j++];
		if (c || !cdb_item_text_equal(diff.item_was->text, diff.item_is->text))
			r = compare->fn(&diff, compare->arg);
	}
	return r;
}

static int compare_element(const struct vpc_diff_entry *entry, void *arg)
{
	struct cdb_element was = {}, is = {};
	const struct compare *compare = arg;
	struct cdb_doc_diff diff = {};

	if (entry->have_nexthop || entry->want_nexthop) {
		was.kind = is.kind = CDB_ELEMENT_NEXTHOP;
		if (entry->have_nexthop)
			was.nexthop = *entry->have_nexthop;
		if (entry->want_nexthop)
			is.nexthop = *entry->want_nexthop;
	} else if (entry->have_member || entry->want_member) {
		was.kind = is.kind = CDB_ELEMENT_MEMBER;
		if (entry->have_member)
			was.member = *entry->have_member;
		if (entry->want_member)
			is.member = *entry->want_member;
	} else {
		was.kind = is.kind = CDB_ELEMENT_ROUTE;
		if (entry->have_route)
			was.route = *entry->have_route;
		if (entry->want_route)
			is.route = *entry->want_route;
	}
	diff.was = entry->kind == VPC_DIFF_MISSING ? NULL : &was;
	diff.is = entry->kind == VPC_DIFF_EXCESS ? NULL : &is;
	return compare->fn(&diff, compare->arg);
}

int cdb_doc_compare(const struct cdb_doc *a, const struct cdb_doc *b,
		    int (*fn)(const struct cdb_doc_diff *diff, void *arg), void *arg)
{
	struct compare compare = { fn, arg };
	int r;

	r = compare_items(a, b, &compare);
	return r ?: vpc_diff(&b->state, &a->state, compare_element, &compare);
}
