// SPDX-License-Identifier: Apache-2.0
/*
 * Items out of CDB's rows: see cdb_item.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>
#include "cdb_item.h"
#include "util.h"

/* clang-format off */
#define PREFIX(t) "CONCAT(INET6_NTOA(" t ".addr), '/', " t ".plen)"
#define TEXT(c)	  "CONVERT(" c " USING utf8mb4)" /* one collation for all */
#define BYTE(n)	  "LOWER(HEX(SUBSTR(p.mac, " n ", 1)))"
#define MAC	  "CONCAT_WS(':', " BYTE("1") ", " BYTE("2") ", " BYTE("3") ", " \
		  BYTE("4") ", " BYTE("5") ", " BYTE("6") ")"
#define ADDRESSES "JSON_COMPACT(COALESCE((SELECT JSON_ARRAYAGG(" PREFIX("a") " ORDER BY a.family, a.addr) " \
		  "FROM port_addr a WHERE a.vni = p.vni AND a.port = p.id), '[]'))"
#define STANDBY	  "COALESCE((SELECT JSON_OBJECT('standby', JSON_OBJECT('host', " TEXT("g.name") ", 'dev', " \
		  TEXT("b.dev") ")) FROM port_standby b JOIN host g ON g.id = b.host WHERE b.port = p.id), '{}')"

/* Each: the statement up to the name's condition. Names of ranges and tables are no columns. */
static const struct kind {
	const char *name, *select, *where_name, *order;
} kinds[] = {
	[CDB_ITEM_VPC] = { "vpc",
		"SELECT '', JSON_OBJECT('name', v.name, 'quota', v.quota, 'flags', v.flags) FROM vpc v WHERE v.vni = ?",
		" AND '' = ?", "" },
	[CDB_ITEM_RANGE] = { "range",
		"SELECT " PREFIX("r") ", '{}' FROM vpc_range r WHERE r.vni = ?",
		" AND " PREFIX("r") " = ?", " ORDER BY r.family, r.addr" },
	[CDB_ITEM_TABLE] = { "table",
		"SELECT t.id, JSON_OBJECT('name', t.name) FROM route_table t WHERE t.id > 0 AND t.vni = ?",
		" AND t.id = CAST(? AS UNSIGNED)", " ORDER BY t.id" },
	[CDB_ITEM_SUBNET] = { "subnet",
		"SELECT s.name, JSON_OBJECT('prefix', " PREFIX("s") ", 'table', s.table_id) FROM subnet s "
		"WHERE s.vni = ?",
		" AND s.name = ?", " ORDER BY s.name" },
	[CDB_ITEM_PORT] = { "port",
		"SELECT p.name, JSON_MERGE_PATCH(JSON_OBJECT('subnet', " TEXT("p.subnet") ", 'host', " TEXT("h.name")
		", 'dev', " TEXT("p.dev") ", 'mac', " MAC ", 'flags', p.flags, 'addresses', " ADDRESSES "), " STANDBY
		") FROM port p JOIN host h ON h.id = p.host WHERE p.vni = ?",
		" AND p.name = ?", " ORDER BY p.name" },
};
/* clang-format on */

const char *cdb_item_kind_name(enum cdb_item_kind kind)
{
	return kinds[kind].name;
}

int cdb_item_kind_parse(const char *name, enum cdb_item_kind *ret_kind)
{
	for (size_t i = 0; i < CDB_N_ITEMS; i++)
		if (!strcmp(kinds[i].name, name)) {
			*ret_kind = i;
			return 0;
		}
	return -EINVAL;
}

int cdb_item_cmp(const struct cdb_item *a, const struct cdb_item *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->kind == CDB_ITEM_TABLE && strlen(a->name) != strlen(b->name))
		return strlen(a->name) < strlen(b->name) ? -1 : 1;
	return strcmp(a->name, b->name);
}

bool cdb_item_text_equal(const char *a, const char *b)
{
	struct json_object *x, *y;
	bool equal;

	if (!a || !b)
		return a == b;
	if (!strcmp(a, b))
		return true;
	x = json_tokener_parse(a);
	y = json_tokener_parse(b);
	equal = x && y && json_object_equal(x, y);
	json_object_put(x);
	json_object_put(y);
	return equal;
}

void cdb_items_free(struct cdb_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(items[i].text);
	free(items);
}

static int load_kind(struct cdb *cdb, uint32_t vni, enum cdb_item_kind kind, struct cdb_item **items, size_t *n,
		     size_t *cap, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	char sql[2048], name[64], text[CDB_ITEM_TEXT_MAX];
	bool more;
	int r;

	snprintf(sql, sizeof(sql), "%s%s", kinds[kind].select, kinds[kind].order);
	r = cdb_query(cdb, &rows, err, sql, "u>ss", vni, name, sizeof(name), text, sizeof(text));
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		struct cdb_item *list, item = { .kind = kind, .text = strdup(text) };

		if (!item.text)
			return vpc_err_set(err, -ENOMEM, "out of memory");
		if (*n == *cap) {
			list = reallocarray(*items, *cap ? 2 * *cap : 64, sizeof(*list));
			if (!list) {
				free(item.text);
				return vpc_err_set(err, -ENOMEM, "out of memory");
			}
			*items = list;
			*cap = *cap ? 2 * *cap : 64;
		}
		strcpy(item.name, name);
		(*items)[(*n)++] = item;
	}
	return r;
}

static int item_cmp(const void *a, const void *b)
{
	return cdb_item_cmp(a, b);
}

int cdb_items_load(struct cdb *cdb, uint32_t vni, struct cdb_item **ret_items, size_t *ret_n, struct vpc_err *err)
{
	struct cdb_item *items = NULL;
	size_t n = 0, cap = 0;
	int r = 0;

	for (enum cdb_item_kind kind = 0; kind < CDB_N_ITEMS && !r; kind++)
		r = load_kind(cdb, vni, kind, &items, &n, &cap, err);
	if (r) {
		cdb_items_free(items, n);
		return r;
	}
	if (n)
		qsort(items, n, sizeof(*items), item_cmp);
	*ret_items = items;
	*ret_n = n;
	return 0;
}

int cdb_item_read(struct cdb *cdb, uint32_t vni, enum cdb_item_kind kind, const char *name, char **ret_text,
		  struct vpc_err *err)
{
	char sql[2048], same[64], text[CDB_ITEM_TEXT_MAX];
	int r;

	snprintf(sql, sizeof(sql), "%s%s", kinds[kind].select, kinds[kind].where_name);
	r = cdb_get(cdb, err, sql, "us>ss", vni, name, same, sizeof(same), text, sizeof(text));
	if (r && r != -ENOENT)
		return r;
	*ret_text = r ? NULL : strdup(text);
	return !r && !*ret_text ? vpc_err_set(err, -ENOMEM, "out of memory") : 0;
}
