// SPDX-License-Identifier: Apache-2.0
/*
 * See cdb_reader.h. What has been read is @got, all routes before the position; the next ones are behind it.
 */
#include "cdb_reader.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "cdb_private.h"
#include "cdb_row.h"
#include "cdb_stmt.h"
#include "util.h"

#define ROWS	 50000 /* of a piece: some tens of milliseconds */
#define SUM_ROWS 2000 /* of a checksum */
#define PAUSE_MS 200
/* Above all addresses of a table, whose columns have at most 16 bytes. */
#define ADDR_END_LEN 17

struct cdb_reader {
	uint32_t vni;
	uint64_t epoch; /* asked for */
	bool begun, has_like;
	struct vpc_state got, like; /* both at the same epoch */
	struct vpc_route at; /* the position: routes before it are in @got; family 0: the very beginning */
	bool at_end; /* of a table's family */
	/* A range of addresses with many more routes than should be there is read in pieces, up to here. */
	bool in_range;
	uint8_t range_end[ADDR_END_LEN];
	size_t range_end_len;
	bool range_last; /* of its part */
	uint64_t asked_us; /* the server for its load */
	struct cdb_reader_counts counts;
};

static void copy_routes(struct vpc_state *to, const struct vpc_route *routes, size_t n, int *r)
{
	if (!*r)
		*r = vpc_state_reserve_routes(to, to->n_routes + n);
	for (size_t i = 0; i < n && !*r; i++)
		*r = vpc_state_add_route(to, &routes[i]);
}

static int copy_state(struct vpc_state *to, const struct vpc_state *from)
{
	int r = 0;

	vpc_state_init(to, from->vni);
	to->epoch = from->epoch;
	to->digest = from->digest;
	for (size_t i = 0; i < from->n_nexthops && !r; i++)
		r = vpc_state_add_nexthop(to, &from->nexthops[i]);
	for (size_t i = 0; i < from->n_members && !r; i++)
		r = vpc_state_add_member(to, &from->members[i]);
	copy_routes(to, from->routes, from->n_routes, &r);
	return r;
}

struct cdb_reader *cdb_reader_new(uint32_t vni, uint64_t epoch, const struct vpc_state *like)
{
	struct cdb_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->vni = vni;
	reader->epoch = epoch;
	vpc_state_init(&reader->got, vni);
	vpc_state_init(&reader->like, vni);
	reader->has_like = like;
	if (like && copy_state(&reader->like, like)) {
		cdb_reader_free(reader);
		return NULL;
	}
	return reader;
}

void cdb_reader_free(struct cdb_reader *reader)
{
	if (!reader)
		return;
	vpc_state_clear(&reader->got);
	vpc_state_clear(&reader->like);
	free(reader);
}

void cdb_reader_take(struct cdb_reader *reader, struct vpc_state *ret_state)
{
	*ret_state = reader->got;
	vpc_state_init(&reader->got, reader->vni);
}

struct cdb_reader_counts cdb_reader_counts(const struct cdb_reader *reader)
{
	return reader->counts;
}

/* -- one snapshot -------------------------------------------------------------------------------------------------- */

/* What the server has now, and what was read brought there: nothing behind the position is in it. */
static int begin(struct cdb_reader *reader, struct cdb *cdb, struct vpc_err *err)
{
	const struct cdb_element at = { .kind = CDB_ELEMENT_ROUTE, .route = reader->at };
	struct cdb_vpc vpc;
	int r = cdb_vpc_get(cdb, reader->vni, &vpc, err);

	if (!r && vpc.epoch < reader->epoch)
		r = vpc_err_set(err, -ERANGE,
				"the kernel is at epoch %llu, CDB only at %llu: was CDB restored from a backup?",
				(unsigned long long)reader->epoch, (unsigned long long)vpc.epoch);
	if (r)
		return r;
	if (reader->has_like)
		r = cdb_state_advance(cdb, &reader->like, vpc.epoch, err);
	if (!r && reader->begun)
		r = cdb_state_advance_before(cdb, &reader->got, vpc.epoch, &at, err);
	else if (!r)
		r = cdb_nexthops_load(cdb, reader->vni, &reader->got, err);
	if (r)
		return r;
	reader->got.epoch = vpc.epoch;
	reader->got.digest = vpc.digest;
	reader->begun = true;
	reader->counts.snapshots++;
	return 0;
}

static size_t addr_len(const struct vpc_prefix *prefix)
{
	return cdb_addr_len(prefix->family);
}

/* The first of those that should be there at the position or behind it. */
static size_t like_from(const struct cdb_reader *reader)
{
	size_t lo = 0, hi = reader->like.n_routes;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (vpc_route_cmp(&reader->like.routes[mid], &reader->at) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool same_part(const struct vpc_route *a, const struct vpc_route *b)
{
	return a->table == b->table && a->prefix.family == b->prefix.family;
}

/* Of the position's table and family all is read. */
static void end_part(struct cdb_reader *reader)
{
	memset(reader->at.prefix.bytes, 0xff, sizeof(reader->at.prefix.bytes));
	reader->at.prefix.plen = UINT8_MAX;
	reader->at_end = true;
}

/* The next table and family behind the position's, in CDB or in what it should be like; false: there is none. */
static int next_part(struct cdb_reader *reader, struct cdb *cdb, bool *ret_any, struct vpc_err *err)
{
	uint32_t table = reader->at.table, family = reader->at.prefix.family ? cdb_family(reader->at.prefix.family) : 0;
	uint32_t found_table = 0, found_family = 0;
	struct vpc_route next = { 0 }, part = { 0 };
	size_t i = like_from(reader);
	bool any;
	int r;

	r = cdb_get(cdb, err,
		    "SELECT table_id, family FROM route FORCE INDEX (PRIMARY) WHERE vni = ? AND "
		    "(table_id > ? OR (table_id = ? AND family > ?)) ORDER BY table_id, family LIMIT 1",
		    "uuuu>uu", reader->vni, table, table, family, &found_table, &found_family);
	if (r && r != -ENOENT)
		return r;
	any = !r;
	next.table = found_table;
	next.prefix.family = found_family == 6 ? AF_INET6 : AF_INET;
	if (i < reader->like.n_routes) {
		part.table = reader->like.routes[i].table;
		part.prefix.family = reader->like.routes[i].prefix.family;
		if (!any || vpc_route_cmp(&part, &next) < 0)
			next = part;
		any = true;
	}
	if (any) {
		reader->at = next;
		reader->at_end = false;
	}
	*ret_any = any;
	return 0;
}

/* -- rows ---------------------------------------------------------------------------------------------------------- */

/* Routes of the position's part that @sql selects, behind what was read. @ret_n: how many there were. */
static int take_rows(struct cdb_reader *reader, struct cdb_rows *rows, struct cdb_bin *addr, uint32_t *plen,
		     uint32_t *nexthop, size_t *ret_n, struct vpc_err *err)
{
	struct vpc_route route = { .table = reader->at.table };
	uint32_t family = cdb_family(reader->at.prefix.family);
	size_t before = reader->got.n_routes;
	bool more;
	int r;

	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		r = cdb_prefix_check("route", reader->vni, family, addr, *plen, &route.prefix, err);
		if (!r && (route.table >= VPC_TABLES_MAX || !*nexthop))
			r = vpc_err_set(err, -EPROTO, "CDB: route of VPC %u: table %u or nexthop %u is out of range",
					reader->vni, route.table, *nexthop);
		route.nexthop = *nexthop;
		if (!r && vpc_state_add_route(&reader->got, &route))
			r = vpc_err_set(err, -ENOMEM, "out of memory");
		if (r)
			break;
	}
	/* Half of a piece is none: it is asked for again. */
	if (r)
		reader->got.n_routes = before;
	*ret_n = reader->got.n_routes - before;
	reader->counts.rows += *ret_n;
	reader->counts.pieces += !r;
	return r;
}

/* All of the range at hand is read. */
static void end_range(struct cdb_reader *reader)
{
	if (!reader->in_range || reader->range_last) {
		end_part(reader);
	} else {
		memset(&reader->at.prefix.bytes, 0, sizeof(reader->at.prefix.bytes));
		memcpy(reader->at.prefix.bytes, reader->range_end, reader->range_end_len);
		reader->at.prefix.plen = 0;
	}
	reader->in_range = false;
}

/* The next rows of the part, or of the range of it that is at hand, as many as make a piece. */
static int read_piece(struct cdb_reader *reader, struct cdb *cdb, size_t max, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	const struct vpc_prefix *at = &reader->at.prefix;
	uint32_t family = cdb_family(at->family), plen, nexthop;
	/* Before the first of a part there is no address, and "" is less than each. */
	const struct vpc_route *last =
		reader->got.n_routes ? &reader->got.routes[reader->got.n_routes - 1] : NULL;
	bool first = !last || !same_part(last, &reader->at);
	size_t len = first ? 0 : addr_len(&last->prefix), n;
	uint32_t from_plen = first ? 0 : last->prefix.plen;
	const void *from = first ? "" : (const void *)last->prefix.bytes;
	uint8_t end[ADDR_END_LEN];
	size_t end_len = sizeof(end);
	struct cdb_bin addr;
	int r;

	memset(end, 0xff, sizeof(end));
	if (reader->in_range) {
		end_len = reader->range_end_len;
		memcpy(end, reader->range_end, end_len);
	}
	r = cdb_stream(cdb, &rows, err,
		       "SELECT addr, plen, nexthop FROM route FORCE INDEX (PRIMARY) WHERE vni = ? AND table_id = ? "
		       "AND family = ? AND (addr > ? OR (addr = ? AND plen > ?)) AND addr < ? "
		       "ORDER BY addr, plen LIMIT ?",
		       "uuubbubU>buu", reader->vni, reader->at.table, family, from, len, from, len, from_plen, end,
		       end_len, (uint64_t)max, &addr, &plen, &nexthop);
	if (!r)
		r = take_rows(reader, rows, &addr, &plen, &nexthop, &n, err);
	if (r)
		return r;
	if (n < max) {
		end_range(reader);
	} else {
		/* Just behind the last one. */
		reader->at.prefix = reader->got.routes[reader->got.n_routes - 1].prefix;
		reader->at.prefix.plen++;
	}
	return 0;
}

/* -- checksums ----------------------------------------------------------------------------------------------------- */

/* As the statement below has it. */
static uint64_t sum_of(const struct vpc_route *routes, size_t n)
{
	char text[64];
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		const struct vpc_prefix *prefix = &routes[i].prefix;
		size_t len = snprintf(text, sizeof(text), "%u,%u,", prefix->plen, routes[i].nexthop);

		memcpy(text + len, prefix->bytes, addr_len(prefix));
		sum += crc32(0, (const uint8_t *)text, len + addr_len(prefix));
	}
	return sum;
}

/* Routes of one range of addresses: those that should be there where the checksums agree, else the server's. */
static int read_bucket(struct cdb_reader *reader, struct cdb *cdb, size_t max, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	const struct vpc_route *like = reader->like.routes;
	uint8_t end[ADDR_END_LEN];
	size_t lo = like_from(reader), hi = lo, end_len = sizeof(end), from_len = addr_len(&reader->at.prefix), n_got;
	uint32_t family = cdb_family(reader->at.prefix.family), plen, nexthop;
	const void *from = reader->at.prefix.bytes;
	bool last;
	uint64_t n, sum;
	struct cdb_bin addr;
	int r = 0;

	memset(end, 0xff, sizeof(end));
	while (hi < reader->like.n_routes && same_part(&like[hi], &reader->at) &&
	       (hi - lo < max || !memcmp(like[hi].prefix.bytes, like[hi - 1].prefix.bytes, from_len)))
		hi++;
	last = hi == reader->like.n_routes || !same_part(&like[hi], &reader->at);
	if (!last) {
		end_len = from_len;
		memcpy(end, like[hi].prefix.bytes, end_len);
	}
	r = cdb_get(cdb, err,
		    "SELECT COUNT(*), CAST(COALESCE(SUM(CRC32(CONCAT(plen, ',', nexthop, ',', addr))), 0) AS UNSIGNED) "
		    "FROM route FORCE INDEX (PRIMARY) WHERE vni = ? AND table_id = ? AND family = ? AND addr >= ? AND "
		    "addr < ?",
		    "uuubb>UU", reader->vni, reader->at.table, family, from, from_len, end, end_len, &n, &sum);
	if (r)
		return r;
	reader->counts.sums++;
	if (n == hi - lo && sum == sum_of(like + lo, hi - lo)) {
		copy_routes(&reader->got, like + lo, hi - lo, &r);
		r = r ? vpc_err_set(err, -ENOMEM, "out of memory") : 0;
	} else if (n > 2 * (hi - lo) + max) {
		reader->in_range = true;
		reader->range_last = last;
		reader->range_end_len = end_len;
		memcpy(reader->range_end, end, end_len);
		return 0;
	} else {
		r = cdb_stream(cdb, &rows, err,
			       "SELECT addr, plen, nexthop FROM route FORCE INDEX (PRIMARY) WHERE vni = ? AND "
			       "table_id = ? AND family = ? AND addr >= ? AND addr < ? ORDER BY addr, plen",
			       "uuubb>buu", reader->vni, reader->at.table, family, from, from_len, end, end_len, &addr,
			       &plen, &nexthop);
		if (!r)
			r = take_rows(reader, rows, &addr, &plen, &nexthop, &n_got, err);
	}
	if (r)
		return r;
	if (last)
		end_part(reader);
	else
		memcpy(reader->at.prefix.bytes, end, end_len);
	return 0;
}

/* -- all of it ----------------------------------------------------------------------------------------------------- */

static int goes_on(const struct cdb_manners *manners, struct vpc_err *err)
{
	if (!manners->go_on || manners->go_on(manners->arg))
		return 0;
	return vpc_err_set(err, -ECANCELED, "it was not to go on");
}

/* Threads that the server runs, ours among them. */
static int load_of(struct cdb_reader *reader, struct cdb *cdb, uint64_t *ret_load, struct vpc_err *err)
{
	char name[64], text[24];
	int r = cdb_get(cdb, err, "SHOW GLOBAL STATUS LIKE 'Threads_running'", ">ss", name, sizeof(name), text,
			sizeof(text));

	if (!r)
		*ret_load = strtoull(text, NULL, 10);
	reader->asked_us = now_monotonic_us();
	reader->counts.loads++;
	return r;
}

/* Outside of a snapshot, which would keep the server from forgetting what was before. */
int cdb_reader_wait(struct cdb_reader *reader, struct cdb *cdb, const struct cdb_manners *manners, struct vpc_err *err)
{
	uint64_t load;
	int r;

	for (;;) {
		r = goes_on(manners, err);
		if (!r && manners->max_load)
			r = load_of(reader, cdb, &load, err);
		if (r || !manners->max_load || load <= manners->max_load)
			return r;
		if (reader->counts.waited_ms >= manners->max_wait_ms)
			return vpc_err_set(err, -EBUSY, "CDB is busy: %llu threads run, more than --max-load %u",
					   (unsigned long long)load, manners->max_load);
		usleep(PAUSE_MS * 1000);
		reader->counts.waited_ms += PAUSE_MS;
	}
}

/* Within one snapshot. *ret_done: that was all; else it is to be begun anew behind a pause. */
static int read_pieces(struct cdb_reader *reader, struct cdb *cdb, const struct cdb_manners *manners, bool *ret_done,
		       struct vpc_err *err)
{
	uint64_t load = 0;
	bool any = true;
	int r = begin(reader, cdb, err);

	while (!r) {
		if (!reader->at.prefix.family || reader->at_end)
			r = next_part(reader, cdb, &any, err);
		if (r || !any)
			break;
		if (reader->has_like && !reader->in_range)
			r = read_bucket(reader, cdb, manners->rows ?: SUM_ROWS, err);
		else
			r = read_piece(reader, cdb, manners->rows ?: ROWS, err);
		if (!r)
			r = goes_on(manners, err);
		if (!r && manners->max_load && now_monotonic_us() - reader->asked_us >= PAUSE_MS * 1000)
			r = load_of(reader, cdb, &load, err);
		if (!r && load > manners->max_load)
			return 0;
	}
	if (r)
		return r;
	*ret_done = true;
	return cdb_state_rewind(cdb, &reader->got, reader->epoch, err);
}

int cdb_reader_run(struct cdb_reader *reader, struct cdb *cdb, const struct cdb_manners *manners, struct vpc_err *err)
{
	bool done = false;
	int r, end;

	do {
		r = manners->part ? 0 : cdb_reader_wait(reader, cdb, manners, err);
		if (!r)
			r = cdb_snapshot_begin(cdb, err);
		if (r)
			return r;
		r = read_pieces(reader, cdb, manners, &done, err);
		end = cdb_snapshot_end(cdb, r ? NULL : err);
		r = r ?: end;
	} while (!r && !done && !manners->part);
	return r || done ? r : vpc_err_set(err, -EBUSY, "CDB is busy: more threads run than --max-load %u",
					   manners->max_load);
}
