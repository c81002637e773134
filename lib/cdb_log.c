// SPDX-License-Identifier: Apache-2.0
/*
 * The history of many VPCs in few statements (lib/cdb_log.h). Each asks for ranges of the primary key and nothing else,
 * and says so to the server, whose statistics of tables that grow all the time are always old.
 */
#include "cdb_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cdb_private.h"
#include "cdb_stmt.h"
#include "util.h"

/* @columns of the ranges' rows. */
static char *ranges_sql(const char *columns, size_t n, const char *order)
{
	return cdb_sql_repeat(columns, "vni = ? AND epoch BETWEEN ? AND ?", " OR ", n, order);
}

static uint64_t *ranges_params(const struct cdb_epochs *epochs, size_t n)
{
	uint64_t *params = calloc(3 * n, sizeof(*params));

	for (size_t i = 0; params && i < n; i++) {
		params[3 * i] = epochs[i].vni;
		params[3 * i + 1] = epochs[i].from;
		params[3 * i + 2] = epochs[i].to;
	}
	return params;
}

static int log_add(struct cdb_logged **log, size_t *n, size_t *cap, const struct cdb_logged *row)
{
	if (*n == *cap) {
		size_t more = *cap ? 2 * *cap : 64;
		struct cdb_logged *bigger = reallocarray(*log, more, sizeof(**log));

		if (!bigger)
			return -ENOMEM;
		*log = bigger;
		*cap = more;
	}
	(*log)[(*n)++] = *row;
	return 0;
}

int cdb_log_list(struct cdb *cdb, const struct cdb_epochs *epochs, size_t n, struct cdb_logged **ret_log,
		 size_t *ret_n, struct vpc_err *err)
{
	_cleanup_free_ char *sql = ranges_sql("SELECT vni, epoch, change_id, n_ops, digest0, digest1 FROM change_log "
					      "FORCE INDEX (PRIMARY) WHERE ", n, " ORDER BY vni, epoch");
	_cleanup_free_ uint64_t *params = ranges_params(epochs, n);
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	_cleanup_free_ struct cdb_logged *log = NULL;
	struct cdb_logged row = {};
	size_t used = 0, cap = 0;
	uint64_t h0, h1;
	bool more;
	int r;

	if (!sql || !params)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	r = cdb_stream_many(cdb, &rows, err, sql, params, 3 * n, "uUsUUU", &row.delta.vni, &row.delta.epoch,
			    row.delta.change, sizeof(row.delta.change), &row.n_ops, &h0, &h1);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		row.delta.base = row.delta.epoch - 1;
		row.delta.digest = (struct vpc_digest){ { h0, h1 } };
		if (log_add(&log, &used, &cap, &row))
			return vpc_err_set(err, -ENOMEM, "out of memory");
	}
	if (r)
		return r;
	*ret_log = log;
	*ret_n = used;
	log = NULL;
	return 0;
}

/* Runs of wanted epochs, as ranges. */
static size_t wanted_ranges(const struct cdb_logged *log, size_t n, struct cdb_epochs *ranges)
{
	size_t n_ranges = 0;

	for (size_t i = 0; i < n; i++) {
		const struct vpc_delta *delta = &log[i].delta;

		if (!log[i].wanted || !log[i].n_ops)
			continue;
		if (n_ranges && ranges[n_ranges - 1].vni == delta->vni && ranges[n_ranges - 1].to + 1 == delta->epoch)
			ranges[n_ranges - 1].to++;
		else
			ranges[n_ranges++] = (struct cdb_epochs){ delta->vni, delta->epoch, delta->epoch };
	}
	return n_ranges;
}

static bool is_epoch(const struct vpc_delta *delta, uint32_t vni, uint64_t epoch)
{
	return delta->vni == vni && delta->epoch == epoch;
}

static int read_ops(struct cdb *cdb, struct cdb_rows *rows, const uint32_t *vni, const uint64_t *epoch,
		    const uint32_t *seq, const struct cdb_bin *was, const struct cdb_bin *is_now,
		    struct cdb_logged *log, size_t n, struct vpc_err *err)
{
	struct vpc_err bad;
	size_t i = 0;
	bool more;
	int r;

	/* Both are in the order of the key. */
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		while (i < n && !is_epoch(&log[i].delta, *vni, *epoch))
			i++;
		if (i == n)
			return vpc_err_set(err, -EPROTO, "CDB: change_op of VPC %u, epoch %llu is not where it belongs",
					   *vni, (unsigned long long)*epoch);
		r = log[i].bad ? 0 : cdb_op_add(&log[i].delta, *epoch, *seq, was, is_now, &bad);
		if (r == -ENOMEM)
			return vpc_err_set(err, r, "out of memory");
		if (r)
			log[i].bad = true;
	}
	return r;
}

int cdb_log_ops(struct cdb *cdb, struct cdb_logged *log, size_t n, struct vpc_err *err)
{
	_cleanup_free_ struct cdb_epochs *ranges = calloc(n + 1, sizeof(*ranges));
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	_cleanup_free_ uint64_t *params = NULL;
	_cleanup_free_ char *sql = NULL;
	struct cdb_bin was, is_now;
	size_t n_ranges, i;
	uint32_t vni, seq;
	uint64_t epoch;
	int r = 0;

	n_ranges = ranges ? wanted_ranges(log, n, ranges) : 0;
	if (n_ranges) {
		sql = ranges_sql("SELECT vni, epoch, seq, was, is_now FROM change_op FORCE INDEX (PRIMARY) WHERE ",
				 n_ranges, " ORDER BY vni, epoch, seq");
		params = ranges_params(ranges, n_ranges);
	}
	if (!ranges || (n_ranges && (!sql || !params)))
		return vpc_err_set(err, -ENOMEM, "out of memory");
	if (n_ranges)
		r = cdb_stream_many(cdb, &rows, err, sql, params, 3 * n_ranges, "uUubb", &vni, &epoch, &seq, &was,
				    &is_now);
	if (!r && n_ranges)
		r = read_ops(cdb, rows, &vni, &epoch, &seq, &was, &is_now, log, n, err);
	for (i = 0; i < n && !r; i++)
		if (log[i].wanted && log[i].delta.n_nexthops + log[i].delta.n_members + log[i].delta.n_routes !=
					     log[i].n_ops)
			log[i].bad = true;
	return r;
}

int cdb_log_sums(struct cdb *cdb, const uint64_t *vnis, size_t n, uint64_t *ret_sums, struct vpc_err *err)
{
	_cleanup_free_ char *sql = cdb_sql_repeat("SELECT vni, CAST(SUM(n_ops) AS UNSIGNED) FROM change_log "
						  "FORCE INDEX (PRIMARY) WHERE vni IN (",
						  "?", ",", n, ") GROUP BY vni ORDER BY vni");
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	uint64_t sum;
	size_t i = 0;
	uint32_t vni;
	bool more;
	int r;

	if (!sql)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	memset(ret_sums, 0, n * sizeof(*ret_sums));
	r = cdb_stream_many(cdb, &rows, err, sql, vnis, n, "uU", &vni, &sum);
	while (!r && !(r = cdb_rows_next(rows, &more, err)) && more) {
		while (i < n && vnis[i] < vni)
			i++;
		if (i < n && vnis[i] == vni)
			ret_sums[i] = sum;
	}
	return r;
}

void cdb_log_free(struct cdb_logged *log, size_t n)
{
	for (size_t i = 0; i < n; i++)
		vpc_delta_clear(&log[i].delta);
	free(log);
}
