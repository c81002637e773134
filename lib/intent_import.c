// SPDX-License-Identifier: Apache-2.0
/*
 * A route file into a table, in one change: the sorted file and the table's rows are merged, and what differs is the
 * change. See intent.h and lib/import.h.
 */
#include <errno.h>
#include <string.h>
#include "import.h"
#include "intent_nexthop.h"
#include "util.h"

struct job {
	const char *file;
	uint32_t table;
	bool replace;
	struct cdb_change *change;
	struct vpc_import import;
	struct intent_prefixes ranges;
	struct intent_ids nexthops; /* of the VPC, sorted */
	size_t pos; /* next line of the file */
	struct intent_import_result *result;
};

static int load_nexthops(struct job *job, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	size_t cap = 0;
	uint32_t id;
	bool more;
	int r;

	/* Hosts' nexthops are left out: routes to hosts come from their ports. */
	r = cdb_query(cdb_change_cdb(job->change), &rows, err,
		      "SELECT id FROM nexthop WHERE vni = ? AND id <= 2147483648 ORDER BY id", "u>u",
		      cdb_change_vpc(job->change)->vni, &id);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		if (job->nexthops.n == cap) {
			uint32_t *list = reallocarray(job->nexthops.list, cap + 1024, sizeof(*list));

			if (!list)
				return vpc_err_set(err, -ENOMEM, "out of memory");
			job->nexthops.list = list;
			cap += 1024;
		}
		job->nexthops.list[job->nexthops.n++] = id;
	}
	return r;
}

static int id_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Every line's nexthop is known, and no line turns a range away from local. The file is sorted, errors come as in
 * the file. */
static int check_lines(struct job *job, struct vpc_err *err)
{
	const struct vpc_import_line *bad = NULL;
	char text[VPC_PREFIX_STRLEN];

	for (size_t i = 0; i < job->import.n; i++) {
		const struct vpc_import_line *line = &job->import.lines[i];
		bool known = bsearch(&line->nexthop, job->nexthops.list, job->nexthops.n, sizeof(uint32_t), id_cmp);
		bool own = line->nexthop != VPC_NEXTHOP_ID_LOCAL && intent_is_range(&job->ranges, &line->prefix);

		if ((!known || own) && (!bad || line->line < bad->line))
			bad = line;
	}
	if (!bad)
		return 0;
	if (!bsearch(&bad->nexthop, job->nexthops.list, job->nexthops.n, sizeof(uint32_t), id_cmp))
		return vpc_err_set(err, -ENOENT, "%s:%u: VPC %s has no nexthop %u", job->file, bad->line,
				   cdb_change_vpc(job->change)->name, bad->nexthop);
	return vpc_err_set(err, -EPERM, "%s:%u: %s is the range of VPC %s and always leads to local", job->file,
			   bad->line, vpc_prefix_format(&bad->prefix, text), cdb_change_vpc(job->change)->name);
}

static int put(struct job *job, const struct vpc_prefix *prefix, uint32_t was, uint32_t is)
{
	if (!was)
		job->result->added++;
	else if (!is)
		job->result->deleted++;
	else if (was != is)
		job->result->changed++;
	else
		job->result->unchanged++;
	return was == is ? 0 : cdb_change_put_route(job->change, job->table, prefix, was, is);
}

/* The lines before @row are new; the one equal to it changes it; without one, @row may have to go. */
static int merge_row(struct job *job, const struct vpc_prefix *row, uint32_t nexthop)
{
	const struct vpc_import_line *line = job->import.lines + job->pos, *end = job->import.lines + job->import.n;
	int r = 0, c = 1;

	for (; line < end && (c = vpc_prefix_cmp(&line->prefix, row)) < 0 && !r; line++)
		r = put(job, &line->prefix, 0, line->nexthop);
	if (!r && line < end && !c) {
		r = put(job, row, nexthop, line->nexthop);
		line++;
	} else if (!r && job->replace && !intent_is_range(&job->ranges, row)) {
		r = put(job, row, nexthop, 0);
	}
	job->pos = line - job->import.lines;
	return r;
}

static int merge(struct job *job, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	uint32_t vni = cdb_change_vpc(job->change)->vni, family, plen, nexthop;
	struct vpc_prefix prefix;
	struct cdb_bin addr;
	bool more;
	int r;

	r = cdb_stream(cdb_change_cdb(job->change), &rows, err,
		       "SELECT family, addr, plen, nexthop FROM route WHERE vni = ? AND table_id = ? "
		       "ORDER BY family, addr, plen",
		       "uu>ubuu", vni, job->table, &family, &addr, &plen, &nexthop);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		r = cdb_prefix_check("route", vni, family, &addr, plen, &prefix, err);
		if (r)
			return r;
		if (merge_row(job, &prefix, nexthop))
			return vpc_err_set(err, -ENOMEM, "out of memory");
	}
	for (; !r && job->pos < job->import.n; job->pos++)
		if (put(job, &job->import.lines[job->pos].prefix, 0, job->import.lines[job->pos].nexthop))
			r = vpc_err_set(err, -ENOMEM, "out of memory");
	return r;
}

static void job_clear(struct job *job)
{
	cdb_change_abort(job->change);
	vpc_import_clear(&job->import);
	intent_prefixes_clear(&job->ranges);
	intent_ids_clear(&job->nexthops);
}

int intent_route_import(const struct intent *intent, const char *vpc, uint32_t table, const char *file, bool replace,
			struct intent_import_result *ret_result, struct vpc_err *err)
{
	struct intent_import_result result = {};
	_cleanup_(job_clear) struct job job = { .file = file, .table = table, .replace = replace, .result = &result };
	int r;

	/* Before anything is locked. */
	r = vpc_import_read(file, &job.import, err);
	if (!r)
		r = intent_begin(intent, vpc, &job.change, err);
	if (!r)
		r = intent_table_check(job.change, table, err);
	if (!r)
		r = intent_ranges_load(job.change, &job.ranges, err);
	if (!r)
		r = load_nexthops(&job, err);
	if (!r)
		r = check_lines(&job, err);
	if (!r)
		r = merge(&job, err);
	if (!r)
		r = cdb_change_commit(&job.change, &result.change, err);
	if (!r)
		*ret_result = result;
	return r;
}
