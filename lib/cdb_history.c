// SPDX-License-Identifier: Apache-2.0
/*
 * Which change is to blame; see cdb_history.h.
 */
#include "cdb_history.h"

#include <errno.h>
#include <string.h>
#include "cdb_stmt.h"
#include "util.h"

#define OPS_CHUNK 20000

int cdb_history_epoch(struct cdb *cdb, uint32_t vni, uint64_t epoch, struct cdb_cause *ret_cause, struct vpc_err *err)
{
	struct cdb_cause cause = { .known = true, .vni = vni, .epoch = epoch };
	int r;

	r = cdb_get(cdb, err, "SELECT created, change_id FROM change_log WHERE vni = ? AND epoch = ?", "uU>Us", vni,
		    epoch, &cause.created_ms, cause.change, sizeof(cause.change));
	if (r && r != -ENOENT)
		return r;
	*ret_cause = r ? (struct cdb_cause){ 0 } : cause;
	return 0;
}

/* -- elements ------------------------------------------------------------------------------------------------------ */

/* The place in the history that was read up to, downwards. */
struct search {
	const struct cdb_element *elements;
	struct cdb_cause *causes;
	size_t n, left;
	uint64_t epoch;
	uint32_t seq;
	bool end;
};

static void search_match(struct search *s, const struct cdb_element *element)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->causes[i].known && !cdb_element_cmp(&s->elements[i], element)) {
			s->causes[i] = (struct cdb_cause){ .known = true, .epoch = s->epoch };
			s->left--;
		}
}

static int search_chunk(struct cdb *cdb, uint32_t vni, struct search *s, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	uint64_t epoch;
	uint32_t seq, n = 0;
	struct cdb_bin bytes;
	struct cdb_element element;
	bool more;
	int r;

	r = cdb_query(cdb, &rows, err,
		      "SELECT epoch, seq, COALESCE(is_now, was) FROM change_op WHERE vni = ? AND "
		      "(epoch < ? OR (epoch = ? AND seq < ?)) ORDER BY epoch DESC, seq DESC LIMIT ?",
		      "uUUuu>Uub", vni, s->epoch, s->epoch, s->seq, (uint32_t)OPS_CHUNK, &epoch, &seq, &bytes);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		n++;
		s->epoch = epoch;
		s->seq = seq;
		if (cdb_element_parse(bytes.bytes, bytes.len, &element))
			return vpc_err_set(err, -EPROTO, "CDB: change_op of VPC %u, epoch %llu, seq %u is malformed",
					   vni, (unsigned long long)epoch, seq);
		if (s->left)
			search_match(s, &element);
	}
	s->end = n < OPS_CHUNK;
	return r;
}

/* Whether the history begins with the VPC's first epoch. */
static int history_is_whole(struct cdb *cdb, uint32_t vni, bool *ret_whole, struct vpc_err *err)
{
	uint64_t first;
	int r;

	r = cdb_get(cdb, err, "SELECT COALESCE(MIN(epoch), 0) FROM change_log WHERE vni = ?", "u>U", vni, &first);
	if (r)
		return r == -ENOENT ? -EPROTO : r;
	*ret_whole = first <= 1;
	return 0;
}

int cdb_history_elements(struct cdb *cdb, uint32_t vni, uint64_t epoch, const struct cdb_element *elements,
			 struct cdb_cause *ret_causes, size_t n, bool *ret_whole, struct vpc_err *err)
{
	struct search s = { .elements = elements, .causes = ret_causes, .n = n, .left = n, .epoch = epoch + 1 };
	bool whole = false;
	int r = 0;

	memset(ret_causes, 0, n * sizeof(*ret_causes));
	for (size_t read = 0; s.left && !s.end && read < CDB_HISTORY_OPS && !r; read += OPS_CHUNK)
		r = search_chunk(cdb, vni, &s, err);
	if (!r && s.left && s.end)
		r = history_is_whole(cdb, vni, &whole, err);
	for (size_t i = 0; i < n && !r; i++) {
		if (!ret_causes[i].known)
			continue;
		/* One change has most of them. */
		if (i && ret_causes[i - 1].known && ret_causes[i - 1].epoch == ret_causes[i].epoch)
			ret_causes[i] = ret_causes[i - 1];
		else
			r = cdb_history_epoch(cdb, vni, ret_causes[i].epoch, &ret_causes[i], err);
	}
	if (r)
		return r;
	*ret_whole = whole;
	return 0;
}

/* -- ports and VPCs ------------------------------------------------------------------------------------------------ */

static int last_epoch(struct cdb *cdb, uint32_t vni, uint64_t *ret_last, struct vpc_err *err)
{
	int r = cdb_get(cdb, err, "SELECT COALESCE(MAX(epoch), 0) FROM change_log WHERE vni = ?", "u>U", vni, ret_last);

	return r == -ENOENT ? -EPROTO : r;
}

/*
 * Epochs after this one are looked at; 0: all. Counted in changes of ports and the like, which are few: those of
 * routes, a thousand a second perhaps, put no port out of sight.
 */
static int items_from(struct cdb *cdb, uint32_t vni, uint64_t *ret_from, struct vpc_err *err)
{
	uint64_t from = 0;
	int r;

	r = cdb_get(cdb, err,
		    "SELECT epoch FROM change_item WHERE vni = ? ORDER BY epoch DESC, seq DESC LIMIT 1 OFFSET ?",
		    "uu>U", vni, (uint32_t)CDB_HISTORY_ITEMS, &from);
	if (r && r != -ENOENT)
		return r;
	*ret_from = r ? 0 : from;
	return 0;
}

#define PLACE(json, at) "CONCAT(JSON_VALUE(" json ", '$" at "host'), '/', JSON_VALUE(" json ", '$" at "dev')) = ?"
#define HOST(json, at) "JSON_VALUE(" json ", '$" at "host') = ?"
/* In the order of epochs downwards: the first that fits ends the search. */
#define FROM_ITEMS                                                                                          \
	"SELECT i.epoch, l.created, l.change_id FROM change_item i JOIN change_log l ON l.vni = i.vni AND " \
	"l.epoch = i.epoch WHERE i.vni = ? AND i.epoch > ? AND "
#define NEWEST " ORDER BY i.epoch DESC LIMIT 1"

/* @r: of the cdb_get() that filled @found; no row is no cause. */
static int newest(int r, const struct cdb_cause *found, struct cdb_cause *ret_cause)
{
	if (r && r != -ENOENT)
		return r;
	*ret_cause = r ? (struct cdb_cause){ 0 } : *found;
	return 0;
}

int cdb_history_port(struct cdb *cdb, uint32_t vni, const char *host, const char *dev, struct cdb_cause *ret_cause,
		     bool *ret_whole, struct vpc_err *err)
{
	struct cdb_cause found = { .known = true, .vni = vni };
	char place[64 + 16 + 2], subnet[64] = "";
	uint64_t from;
	bool whole;
	int r;

	snprintf(place, sizeof(place), "%.63s/%.15s", host, dev);
	r = items_from(cdb, vni, &from, err);
	if (!r)
		r = history_is_whole(cdb, vni, &whole, err);
	if (!r)
		r = cdb_get(cdb, err,
			    "SELECT p.subnet FROM port p JOIN host h ON h.id = p.host WHERE h.name = ? AND p.dev = ?",
			    "ss>s", host, dev, subnet, sizeof(subnet));
	if (r && r != -ENOENT)
		return r;
	r = cdb_get(cdb, err,
		    FROM_ITEMS "((i.kind = 'port' AND (" PLACE("i.was", ".") " OR " PLACE("i.is_now", ".") " OR " PLACE(
			    "i.was",
			    ".standby.") " OR " PLACE("i.is_now",
						      ".standby.") ")) OR "
								   "(i.kind = 'subnet' AND i.name = ?))" NEWEST,
		    "uUsssss>UUs", vni, from, place, place, place, place, subnet, &found.epoch, &found.created_ms,
		    found.change, sizeof(found.change));
	r = newest(r, &found, ret_cause);
	if (!r)
		*ret_whole = whole && !from;
	return r;
}

int cdb_history_vpc(struct cdb *cdb, uint32_t vni, const char *host, struct cdb_cause *ret_cause, bool *ret_ever,
		    struct vpc_err *err)
{
	struct cdb_cause found = { .known = true, .vni = vni };
	uint64_t from, last;
	int r;

	r = items_from(cdb, vni, &from, err);
	if (!r)
		r = last_epoch(cdb, vni, &last, err);
	if (r)
		return r;
	r = cdb_get(cdb, err,
		    FROM_ITEMS "((i.kind = 'port' AND (" HOST("i.was", ".") " OR " HOST("i.is_now", ".") " OR " HOST(
			    "i.was",
			    ".standby.") " OR " HOST("i.is_now",
						     ".standby.") ")) OR "
								  "(i.kind = 'vpc' AND i.is_now IS NULL))" NEWEST,
		    "uUssss>UUs", vni, from, host, host, host, host, &found.epoch, &found.created_ms, found.change,
		    sizeof(found.change));
	r = newest(r, &found, ret_cause);
	if (!r)
		*ret_ever = last;
	return r;
}

int cdb_history_peer(struct cdb *cdb, uint32_t from_vni, uint32_t to, struct cdb_cause *ret_cause, struct vpc_err *err)
{
	struct cdb_cause found = { .known = true, .vni = from_vni };
	uint64_t from, last;
	int r;

	r = last_epoch(cdb, from_vni, &last, err);
	if (r)
		return r;
	from = last > CDB_HISTORY_EPOCHS ? last - CDB_HISTORY_EPOCHS : 0;
	/* Canonical bytes (proto/vpc_canon.h): 01, id, type 04, VNI. */
	r = cdb_get(
		cdb, err,
		"SELECT i.epoch, l.created, l.change_id FROM change_op i JOIN change_log l ON l.vni = i.vni AND "
		"l.epoch = i.epoch WHERE i.vni = ? AND i.epoch > ? AND i.kind = 1 AND "
		"(CONV(HEX(SUBSTR(i.is_now, 6, 5)), 16, 10) = ? OR CONV(HEX(SUBSTR(i.was, 6, 5)), 16, 10) = ?)" NEWEST,
		"uUUU>UUs", from_vni, from, 0x400000000ULL | to, 0x400000000ULL | to, &found.epoch, &found.created_ms,
		found.change, sizeof(found.change));
	return newest(r, &found, ret_cause);
}

int cdb_history_leads(struct cdb *cdb, uint32_t vni, uint32_t **ret_vnis, size_t *ret_n, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	_cleanup_free_ uint32_t *vnis = calloc(CDB_HISTORY_LEADS, sizeof(*vnis));
	uint32_t lead;
	size_t n = 0;
	bool more;
	int r;

	if (!vnis)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	r = cdb_query(cdb, &rows, err, "SELECT DISTINCT vni FROM nexthop WHERE peer = ? ORDER BY vni LIMIT ?", "uu>u",
		      vni, (uint32_t)CDB_HISTORY_LEADS, &lead);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more && n < CDB_HISTORY_LEADS)
		vnis[n++] = lead;
	if (r)
		return r;
	*ret_vnis = vnis;
	*ret_n = n;
	vnis = NULL;
	return 0;
}
