// SPDX-License-Identifier: Apache-2.0
/*
 * What the audits of all hosts say; see cdb_fleet.h.
 */
#include "cdb_fleet.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include "cdb_private.h"
#include "cdb_stmt.h"
#include "util.h"

#define NOW_MS "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS UNSIGNED)"
#define DAY_MS 86400000ULL
/* Every so many reports of a host, which has none of its own to delete then, old rows of all hosts go. */
#define PRUNE_EVERY 100
#define PRUNE_ROWS 500
#define PRUNE_HOSTS 64
#define DIFFS_READ 10000

const char *cdb_run_result_name(enum cdb_run_result result)
{
	static const char *const names[] = { "consistent", "lagging", "drifted", "failed" };

	return result < CDB_N_RUN_RESULTS ? names[result] : "?";
}

static int result_parse(const char *name, enum cdb_run_result *ret_result)
{
	for (enum cdb_run_result i = 0; i < CDB_N_RUN_RESULTS; i++)
		if (!strcmp(name, cdb_run_result_name(i))) {
			*ret_result = i;
			return 0;
		}
	return -EPROTO;
}

/* -- writing ------------------------------------------------------------------------------------------------------- */

static int run_insert(struct cdb *cdb, const struct cdb_run *run, struct vpc_err *err)
{
	return cdb_exec(cdb, err,
			"INSERT INTO reconcile_run (host, began, last, rounds, result, consistent, lagging, drifted, "
			"failed, drifts, lag_ms, duration_us, signature, reason) "
			"VALUES (?, " NOW_MS ", " NOW_MS ", 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
			/* Two results within a millisecond. */
			"ON DUPLICATE KEY UPDATE result = VALUES(result), signature = VALUES(signature)",
			"ssuuuuUUUUs", run->host, cdb_run_result_name(run->result), run->n_vpcs[CDB_RUN_CONSISTENT],
			run->n_vpcs[CDB_RUN_LAGGING], run->n_vpcs[CDB_RUN_DRIFTED], run->n_vpcs[CDB_RUN_FAILED],
			run->drifts, run->lag_ms, run->duration_us, run->signature, run->reason);
}

static int run_update(struct cdb *cdb, const struct cdb_run *run, uint64_t began, struct vpc_err *err)
{
	return cdb_exec(cdb, err,
			"UPDATE reconcile_run SET last = " NOW_MS ", rounds = rounds + 1, consistent = ?, "
			"lagging = ?, drifted = ?, failed = ?, drifts = ?, lag_ms = ?, duration_us = ?, "
			"signature = ?, reason = ? WHERE host = ? AND began = ?",
			"uuuuUUUUssU", run->n_vpcs[CDB_RUN_CONSISTENT], run->n_vpcs[CDB_RUN_LAGGING],
			run->n_vpcs[CDB_RUN_DRIFTED], run->n_vpcs[CDB_RUN_FAILED], run->drifts, run->lag_ms,
			run->duration_us, run->signature, run->reason, run->host, began);
}

/* This host's rows that are too many. */
static int prune_own(struct cdb *cdb, const char *host, struct vpc_err *err)
{
	uint64_t oldest;
	int r;

	r = cdb_get(cdb, err, "SELECT began FROM reconcile_run WHERE host = ? ORDER BY began DESC LIMIT 1 OFFSET ?",
		    "su>U", host, (uint32_t)CDB_RUNS_MAX - 1, &oldest);
	if (!r)
		r = cdb_exec(cdb, err, "DELETE FROM reconcile_run WHERE host = ? AND began < ?", "sU", host, oldest);
	return r == -ENOENT ? 0 : r;
}

/* Differences of the next hosts behind @after that have no run any more. *ret_n: so many were looked at. */
static int prune_diffs(struct cdb *cdb, const char *after, uint32_t *ret_n, struct vpc_err *err)
{
	char last[64];
	int r;

	r = cdb_get(cdb, err,
		    "SELECT COUNT(*), COALESCE(MAX(host), '') FROM (SELECT DISTINCT host FROM reconcile_diff "
		    "WHERE host > ? ORDER BY host LIMIT ?) n",
		    "su>us", after, (uint32_t)PRUNE_HOSTS, ret_n, last, sizeof(last));
	if (r || !*ret_n)
		return r == -ENOENT ? -EPROTO : r;
	return cdb_exec(cdb, err,
			"DELETE d FROM reconcile_diff d LEFT JOIN reconcile_run r ON r.host = d.host "
			"WHERE d.host > ? AND d.host <= ? AND r.host IS NULL",
			"ss", after, last);
}

/*
 * Everybody's rows that are too old, some of them, each statement by itself: other hosts record meanwhile. Differences
 * of the hosts next in the alphabet, so that together the hosts see to all.
 */
static int prune_others(struct cdb *cdb, const char *host, struct vpc_err *err)
{
	uint32_t n = 0;
	int r;

	r = cdb_exec(cdb, err, "DELETE FROM reconcile_run WHERE last < " NOW_MS " - ? LIMIT ?", "Uu",
		     CDB_RUNS_DAYS * DAY_MS, (uint32_t)PRUNE_ROWS);
	if (!r)
		r = prune_diffs(cdb, host, &n, err);
	if (!r && n < PRUNE_HOSTS)
		r = prune_diffs(cdb, "", &n, err);
	return r;
}

static int diffs_write(struct cdb *cdb, const char *host, const struct cdb_run_diff *diffs, size_t n,
		       struct vpc_err *err)
{
	int r = cdb_exec(cdb, err, "DELETE FROM reconcile_diff WHERE host = ?", "s", host);

	for (uint32_t i = 0; i < n && i < CDB_DIFFS_MAX && !r; i++)
		r = cdb_exec(cdb, err,
			     "INSERT INTO reconcile_diff (host, seq, vni, class, leg, object, want, have, change_id, "
			     "since) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			     "suussssssU", host, i, diffs[i].vni, diffs[i].class, diffs[i].leg, diffs[i].object,
			     diffs[i].want, diffs[i].have, diffs[i].change, diffs[i].since_ms);
	return r;
}

static int write_all(struct cdb *cdb, const struct cdb_run *run, const struct cdb_run_diff *diffs, size_t n,
		     uint64_t *ret_rounds, struct vpc_err *err)
{
	uint64_t began = 0, rounds = 0, signature = 0;
	enum cdb_run_result result;
	char name[16];
	bool there, same;
	int r;

	r = cdb_get(cdb, err,
		    "SELECT began, rounds, result, signature FROM reconcile_run WHERE host = ? "
		    "ORDER BY began DESC LIMIT 1 FOR UPDATE",
		    "s>UUsU", run->host, &began, &rounds, name, sizeof(name), &signature);
	if (r && r != -ENOENT)
		return r;
	there = !r;
	same = there && !result_parse(name, &result) && result == run->result;
	r = same ? run_update(cdb, run, began, err) : run_insert(cdb, run, err);
	if (!r && (!there || signature != run->signature))
		r = diffs_write(cdb, run->host, diffs, n, err);
	if (!r && !same)
		r = prune_own(cdb, run->host, err);
	if (!r)
		*ret_rounds = same ? rounds + 1 : 1;
	return r;
}

int cdb_run_write(struct cdb *cdb, const struct cdb_run *run, const struct cdb_run_diff *diffs, size_t n,
		  struct vpc_err *ret_unpruned, struct vpc_err *err)
{
	struct vpc_err unpruned = { "" };
	uint64_t rounds;
	int r;

	if (cdb->in_txn)
		return vpc_err_set(err, -EBUSY, "CDB: a transaction is open already");
	r = cdb_command(cdb, "START TRANSACTION", err);
	if (r)
		return r;
	r = write_all(cdb, run, diffs, n, &rounds, err);
	if (r) {
		cdb_command(cdb, "ROLLBACK", NULL);
		return r;
	}
	r = cdb_command(cdb, "COMMIT", err);
	if (r)
		return r;
	if (rounds % PRUNE_EVERY || !prune_others(cdb, run->host, &unpruned))
		unpruned.text[0] = '\0';
	*ret_unpruned = unpruned;
	return 0;
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

#define RUN_COLS                                                                                               \
	"COALESCE(r.began, 0), COALESCE(r.last, 0), COALESCE(r.rounds, 0), COALESCE(r.result, 'failed'), "     \
	"COALESCE(r.consistent, 0), COALESCE(r.lagging, 0), COALESCE(r.drifted, 0), COALESCE(r.failed, 0), "   \
	"COALESCE(r.drifts, 0), COALESCE(r.lag_ms, 0), COALESCE(r.duration_us, 0), COALESCE(r.signature, 0), " \
	"COALESCE(r.reason, '')"
#define RUN_FMT "sUUUsuuuuUUUUs"
#define RUN_OUT(r, name)                                                                                          \
	(r)->host, sizeof((r)->host), &(r)->began, &(r)->last, &(r)->rounds, name, sizeof(name), &(r)->n_vpcs[0], \
		&(r)->n_vpcs[1], &(r)->n_vpcs[2], &(r)->n_vpcs[3], &(r)->drifts, &(r)->lag_ms, &(r)->duration_us, \
		&(r)->signature, (r)->reason, sizeof((r)->reason)

/* Room for one more at *@array, which has @n. */
static int grow(void *array, size_t n, size_t size)
{
	void *bigger;

	if (n & (n - 1) || (n && n < 16))
		return 0;
	bigger = realloc(*(void **)array, (n < 16 ? 16 : 2 * n) * size);
	if (!bigger)
		return -ENOMEM;
	*(void **)array = bigger;
	return 0;
}

static int runs_read(struct cdb_rows *rows, struct cdb_run *row, const char *name, struct cdb_run **ret, size_t *ret_n,
		     struct vpc_err *err)
{
	bool more;
	int r;

	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		if (result_parse(name, &row->result))
			return vpc_err_set(err, -EPROTO, "CDB: reconcile_run: result '%s' is not known", name);
		if (grow(ret, *ret_n, sizeof(**ret)))
			return vpc_err_set(err, -ENOMEM, "out of memory");
		(*ret)[(*ret_n)++] = *row;
	}
	return r;
}

static int load_hosts(struct cdb *cdb, struct cdb_fleet *fleet, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	struct cdb_run row;
	char name[16];
	int r;

	r = cdb_query(cdb, &rows, err,
		      "SELECT h.name, " RUN_COLS " FROM host h LEFT JOIN "
		      "(SELECT host, MAX(began) AS began FROM reconcile_run GROUP BY host) l ON l.host = h.name "
		      "LEFT JOIN reconcile_run r ON r.host = l.host AND r.began = l.began ORDER BY h.name",
		      ">" RUN_FMT, RUN_OUT(&row, name));
	return r ?: runs_read(rows, &row, name, &fleet->hosts, &fleet->n_hosts, err);
}

static int load_runs(struct cdb *cdb, uint64_t since, size_t max, struct cdb_fleet *fleet, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	struct cdb_run row;
	char name[16];
	int r;

	r = cdb_query(cdb, &rows, err,
		      "SELECT r.host, " RUN_COLS " FROM reconcile_run r JOIN host h ON h.name = r.host "
		      "WHERE r.last >= ? ORDER BY r.last DESC LIMIT ?",
		      "Uu>" RUN_FMT, since, (uint32_t)max + 1, RUN_OUT(&row, name));
	if (!r)
		r = runs_read(rows, &row, name, &fleet->runs, &fleet->n_runs, err);
	fleet->runs_cut = fleet->n_runs > max;
	fleet->n_runs -= fleet->runs_cut;
	return r;
}

/* Differences of hosts that are there and not silent: what those have that are may long be right. */
static int load_diffs(struct cdb *cdb, uint64_t silent_ms, struct cdb_fleet *fleet, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	struct cdb_fleet_diff row;
	struct cdb_run_diff *d = &row.diff;
	bool more;
	int r;

	r = cdb_query(cdb, &rows, err,
		      "SELECT COUNT(*) AS n, MIN(d.host), d.vni, d.class, d.leg, d.object, d.want, d.have, "
		      "MAX(d.change_id), MIN(d.since) FROM reconcile_diff d JOIN host h ON h.name = d.host "
		      "JOIN (SELECT host, MAX(last) AS last FROM reconcile_run GROUP BY host) l ON l.host = d.host "
		      "WHERE l.last >= ? GROUP BY d.vni, d.class, d.leg, d.object, d.want, d.have "
		      "ORDER BY n DESC, d.vni, d.object LIMIT ?",
		      "Uu>usussssssU", fleet->now > silent_ms ? fleet->now - silent_ms : 0, (uint32_t)DIFFS_READ + 1,
		      &row.n_hosts, row.host, sizeof(row.host), &d->vni, d->class, sizeof(d->class), d->leg,
		      sizeof(d->leg), d->object, sizeof(d->object), d->want, sizeof(d->want), d->have, sizeof(d->have),
		      d->change, sizeof(d->change), &d->since_ms);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		fleet->diffs_cut = fleet->n_diffs == DIFFS_READ;
		if (fleet->diffs_cut)
			continue;
		if (grow(&fleet->diffs, fleet->n_diffs, sizeof(row)))
			return vpc_err_set(err, -ENOMEM, "out of memory");
		fleet->diffs[fleet->n_diffs++] = row;
	}
	return r;
}

int cdb_fleet_load(struct cdb *cdb, uint64_t silent_ms, uint64_t since, size_t max_runs, struct cdb_fleet *ret_fleet,
		   struct vpc_err *err)
{
	struct cdb_fleet fleet = { .now = 0 };
	struct vpc_err end_err;
	int r, end;

	r = cdb_snapshot_begin(cdb, err);
	if (r)
		return r;
	r = cdb_get(cdb, err, "SELECT " NOW_MS, ">U", &fleet.now);
	if (!r)
		r = load_hosts(cdb, &fleet, err);
	if (!r)
		r = load_diffs(cdb, silent_ms, &fleet, err);
	if (!r && since)
		r = load_runs(cdb, since, max_runs, &fleet, err);
	end = cdb_snapshot_end(cdb, &end_err);
	if (!r && end)
		r = vpc_err_set(err, end, "%s", end_err.text);
	if (r)
		cdb_fleet_clear(&fleet);
	else
		*ret_fleet = fleet;
	return r;
}

void cdb_fleet_clear(struct cdb_fleet *fleet)
{
	free(fleet->hosts);
	free(fleet->diffs);
	free(fleet->runs);
	memset(fleet, 0, sizeof(*fleet));
}

/* -- whole reads --------------------------------------------------------------------------------------------------- */

int cdb_read_slot_take(struct cdb *cdb, unsigned int timeout_s, unsigned int *ret_slot, struct vpc_err *err)
{
	uint32_t slot, taken = 0;
	int r = 0;

	/* Second by second another one, by chance: no wait is longer than the connection's own limit. */
	for (unsigned int i = 0; i <= timeout_s && !r && !taken; i++) {
		if (getrandom(&slot, sizeof(slot), GRND_NONBLOCK) != sizeof(slot))
			slot = now_monotonic_us();
		slot %= CDB_READ_SLOTS;
		r = cdb_get(cdb, err, "SELECT COALESCE(GET_LOCK(CONCAT(DATABASE(), '.audit.', ?), ?), 0)", "uu>u", slot,
			    (uint32_t) !!i, &taken);
	}
	if (r)
		return r;
	if (!taken)
		return vpc_err_set(err, -EAGAIN, "CDB is being read whole by many audits: no turn within %u s",
				   timeout_s);
	*ret_slot = slot;
	return 0;
}

void cdb_read_slot_give(struct cdb *cdb, unsigned int slot)
{
	uint32_t given;

	/* Should that fail, so has the connection, and the slot is free. */
	cdb_get(cdb, NULL, "SELECT COALESCE(RELEASE_LOCK(CONCAT(DATABASE(), '.audit.', ?)), 0)", "u>u", slot, &given);
}
