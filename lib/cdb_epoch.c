// SPDX-License-Identifier: Apache-2.0
/*
 * What the history says of VPCs at given epochs: the audit's first question, of all VPCs of a host at once.
 */
#include <errno.h>
#include <string.h>
#include "cdb_stmt.h"
#include "util.h"

#define KEYS_MAX 1000 /* of one statement */
#define KEY_STRLEN 40

/* "[[100,7],[200,9]]" */
static char *keys_format(const struct cdb_epoch_key *keys, size_t n)
{
	char *text = malloc(n * KEY_STRLEN + 3), *p = text;

	if (!text)
		return NULL;
	*p++ = '[';
	for (size_t i = 0; i < n; i++)
		p += sprintf(p, "%s[%u,%llu]", i ? "," : "", keys[i].vni, (unsigned long long)keys[i].epoch);
	strcpy(p, "]");
	return text;
}

static int some_get(struct cdb *cdb, const struct cdb_epoch_key *keys, size_t n, struct cdb_epoch *ret_epochs,
		    struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	_cleanup_free_ char *list = keys_format(keys, n);
	struct cdb_epoch found = { .now = 0 };
	uint32_t known, i;
	uint64_t h0, h1;
	bool more;
	int r;

	if (!list)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	/* In this order, or the server may begin with all of its VPCs. */
	r = cdb_query(cdb, &rows, err,
		      "SELECT STRAIGHT_JOIN k.i, v.name, v.epoch, c.epoch IS NOT NULL AND (c.epoch <> v.epoch OR "
		      "(c.digest0 = v.digest0 AND c.digest1 = v.digest1)), COALESCE(c.digest0, 0), "
		      "COALESCE(c.digest1, 0), COALESCE(newer.created, 0), COALESCE(last.created, 0), "
		      "COALESCE(newer.change_id, '') "
		      "FROM JSON_TABLE(?, '$[*]' COLUMNS (i FOR ORDINALITY, vni INT UNSIGNED PATH '$[0]', "
		      "epoch BIGINT UNSIGNED PATH '$[1]')) k JOIN vpc v ON v.vni = k.vni "
		      "LEFT JOIN change_log c ON c.vni = k.vni AND c.epoch = k.epoch "
		      "LEFT JOIN change_log newer ON newer.vni = k.vni AND newer.epoch = k.epoch + 1 "
		      "LEFT JOIN change_log last ON last.vni = k.vni AND last.epoch = v.epoch",
		      "s>usUuUUUUs", list, &i, found.name, sizeof(found.name), &found.now, &known, &h0, &h1,
		      &found.newer_ms, &found.now_ms, found.newer_change, sizeof(found.newer_change));
	if (r)
		return r;
	memset(ret_epochs, 0, n * sizeof(*ret_epochs));
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		if (!i || i > n)
			return vpc_err_set(err, -EPROTO, "CDB: VPCs' epochs: the answer does not fit the question");
		found.known = known;
		found.digest = (struct vpc_digest){ { h0, h1 } };
		ret_epochs[i - 1] = found;
	}
	return r;
}

int cdb_epochs_get(struct cdb *cdb, const struct cdb_epoch_key *keys, size_t n, struct cdb_epoch *ret_epochs,
		   struct vpc_err *err)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i += KEYS_MAX)
		r = some_get(cdb, keys + i, n - i < KEYS_MAX ? n - i : KEYS_MAX, ret_epochs + i, err);
	return r;
}

int cdb_epoch_get(struct cdb *cdb, uint32_t vni, uint64_t epoch, struct cdb_epoch *ret_epoch, struct vpc_err *err)
{
	const struct cdb_epoch_key key = { vni, epoch };
	struct cdb_epoch found;
	int r = some_get(cdb, &key, 1, &found, err);

	if (!r && !found.name[0])
		r = vpc_err_set(err, -ENOENT, "there is no VPC with VNI %u", vni);
	if (!r)
		*ret_epoch = found;
	return r;
}
