// SPDX-License-Identifier: Apache-2.0
/*
 * A stream of changes for tests and benchmarks of the publisher: rows as vpcctl would write them (one route set or
 * deleted is one change, one epoch, one row of the outbox), for a row of VPCs that nobody else changes meanwhile, but
 * many changes in one database transaction, so that CDB takes many more than one at a time.
 *
 *   changes CONF FIRST N RATE SECONDS [BACKLOG [TOTAL]]
 *
 * The VPCs FIRST to FIRST+N-1 have a table 1 and the nexthops 1 and 2; routes 100.64.x.y/32 there are ours. RATE is per
 * second, 0: as many as keep the outbox at BACKLOG rows. TOTAL: ends after so many, if SECONDS have not gone before.
 * SIGTERM ends it, too. Prints "MADE changes in MS ms, fell behind MS ms".
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/cdb_stmt.h"
#include "../../lib/digest.h"
#include "../../lib/util.h"
#include "../../proto/vpc_canon.h"

#define SLOTS 1000 /* routes a VPC */
#define TICK_US 10000
#define TICK_MAX 500 /* changes in one transaction */

struct vpc {
	uint32_t vni;
	uint64_t epoch;
	struct vpc_digest digest;
	uint8_t nexthop[SLOTS]; /* 0: the route is not there */
};

/* One change as all tables want it. */
struct row {
	uint32_t vni, seq, kind, table, family, plen, nexthop, n_ops;
	uint64_t epoch, created, h0, h1;
	struct cdb_bulk_bin id, author, summary, was, is, addr, kind_name;
};

static struct vpc *vpcs;
static size_t n_vpcs;
static uint64_t next_change;

static void text_bin(struct cdb_bulk_bin *bin, const char *text)
{
	bin->len = strlen(text);
	memcpy(bin->bytes, text, bin->len);
}

static void value(const struct vpc_route *route, uint32_t nexthop, struct cdb_bulk_bin *bin, struct vpc_digest *digest,
		  bool add)
{
	struct vpc_route r = *route;

	r.nexthop = nexthop;
	bin->null = !nexthop;
	if (!nexthop)
		return;
	bin->len = vpc_canon_route(r.table, AF_INET, r.prefix.bytes, 32, nexthop, bin->bytes);
	if (add)
		vpc_digest_add_route(digest, &r);
	else
		vpc_digest_sub_route(digest, &r);
}

static void make(struct row *row)
{
	struct vpc *vpc = &vpcs[next_change % n_vpcs];
	size_t slot = random() % SLOTS;
	struct vpc_route route = {
		.table = 1,
		.prefix = { .family = AF_INET, .plen = 32, .bytes = { 100, 64, slot / 256, slot % 256 } },
	};
	uint32_t was = vpc->nexthop[slot], is = (was + 1 + random() % 2) % 3;
	char id[40];

	*row = (struct row){ .vni = vpc->vni, .kind = 2, .table = 1, .family = 4, .plen = 32, .n_ops = 1 };
	row->nexthop = is;
	value(&route, was, &row->was, &vpc->digest, false);
	value(&route, is, &row->is, &vpc->digest, true);
	vpc->nexthop[slot] = is;
	row->epoch = ++vpc->epoch;
	row->h0 = vpc->digest.h[0];
	row->h1 = vpc->digest.h[1];
	row->created = now_wall_ms();
	row->addr.len = 4;
	memcpy(row->addr.bytes, route.prefix.bytes, 4);
	snprintf(id, sizeof(id), "stream-%08x-%" PRIu64, (unsigned int)getpid(), ++next_change);
	text_bin(&row->id, id);
	text_bin(&row->author, "changes");
	text_bin(&row->summary, "a change of the stream");
	text_bin(&row->kind_name, "vpc");
}

#define COL(t, m) { t, offsetof(struct row, m) }

static int bulk(struct cdb *cdb, const char *sql, const struct cdb_bulk_col *cols, size_t n_cols,
		const struct row *rows, size_t n, struct vpc_err *err)
{
	return n ? cdb_bulk(cdb, sql, cols, n_cols, rows, sizeof(*rows), n, err) : 0;
}

/* Each row of a table in the order of the changes, so that of a route or VPC that changes twice the last one stays. */
static int write_rows(struct cdb *cdb, const struct row *rows, size_t n, struct vpc_err *err)
{
	static const struct cdb_bulk_col log[] = { COL('u', vni),      COL('U', epoch),	  COL('b', id),
						   COL('b', author),   COL('U', created), COL('b', summary),
						   COL('u', n_ops),    COL('U', h0),	  COL('U', h1) };
	static const struct cdb_bulk_col op[] = { COL('u', vni), COL('U', epoch), COL('u', seq),
						  COL('u', kind), COL('b', was),  COL('b', is) };
	static const struct cdb_bulk_col set[] = { COL('u', vni), COL('u', table), COL('u', family),
						   COL('b', addr), COL('u', plen), COL('u', nexthop) };
	static const struct cdb_bulk_col vpc[] = { COL('U', epoch), COL('U', h0), COL('U', h1), COL('b', id),
						   COL('u', vni) };
	static const struct cdb_bulk_col outbox[] = { COL('b', kind_name), COL('u', vni), COL('U', created) };
	int r;
	size_t i, j;

	r = bulk(cdb,
		 "INSERT INTO change_log (vni, epoch, change_id, author, created, summary, n_ops, digest0, digest1) "
		 "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		 log, ARRAY_SIZE(log), rows, n, err);
	if (!r)
		r = bulk(cdb,
			 "INSERT INTO change_op (vni, epoch, seq, kind, was, is_now) VALUES (?, ?, ?, ?, ?, ?)", op,
			 ARRAY_SIZE(op), rows, n, err);
	for (i = 0; i < n && !r; i = j) {
		for (j = i + 1; j < n && !rows[j].nexthop == !rows[i].nexthop; j++)
			;
		if (rows[i].nexthop)
			r = bulk(cdb,
				 "REPLACE INTO route (vni, table_id, family, addr, plen, nexthop) "
				 "VALUES (?, ?, ?, ?, ?, ?)",
				 set, ARRAY_SIZE(set), rows + i, j - i, err);
		else
			r = bulk(cdb,
				 "DELETE FROM route WHERE vni = ? AND table_id = ? AND family = ? AND addr = ? "
				 "AND plen = ?",
				 set, ARRAY_SIZE(set) - 1, rows + i, j - i, err);
	}
	if (!r)
		r = bulk(cdb, "UPDATE vpc SET epoch = ?, digest0 = ?, digest1 = ?, change_id = ? WHERE vni = ?", vpc,
			 ARRAY_SIZE(vpc), rows, n, err);
	if (!r)
		r = bulk(cdb, "INSERT INTO outbox (kind, vni, created) VALUES (?, ?, ?)", outbox, ARRAY_SIZE(outbox),
			 rows, n, err);
	return r;
}

/* -EDEADLK cannot be: nobody else writes these rows. */
static int tick(struct cdb *cdb, size_t n, struct vpc_err *err)
{
	static struct row rows[TICK_MAX];
	size_t i;
	int r;

	for (i = 0; i < n; i++)
		make(&rows[i]);
	r = cdb_command(cdb, "START TRANSACTION", err);
	if (!r)
		r = write_rows(cdb, rows, n, err);
	return r ?: cdb_command(cdb, "COMMIT", err);
}

static int read_vpcs(struct cdb *cdb, uint32_t first, struct vpc_err *err)
{
	size_t i, j;
	int r = 0;

	vpcs = calloc(n_vpcs, sizeof(*vpcs));
	for (i = 0; i < n_vpcs && !r; i++) {
		_cleanup_(vpc_state_clear) struct vpc_state state = {};

		r = cdb_state_load(cdb, first + i, &state, err);
		vpcs[i].vni = first + i;
		vpcs[i].epoch = state.epoch;
		vpcs[i].digest = state.digest;
		for (j = 0; j < state.n_routes && !r; j++) {
			const struct vpc_route *route = &state.routes[j];
			const uint8_t *a = route->prefix.bytes;

			if (route->table == 1 && route->prefix.plen == 32 && a[0] == 100 && a[1] == 64 &&
			    a[2] * 256 + a[3] < SLOTS)
				vpcs[i].nexthop[a[2] * 256 + a[3]] = route->nexthop;
		}
	}
	return r;
}

static int room(struct cdb *cdb, size_t backlog, size_t *ret_n, struct vpc_err *err)
{
	uint64_t rows = 0;
	int r = cdb_get(cdb, err, "SELECT COUNT(*) FROM outbox", ">U", &rows);

	*ret_n = rows >= backlog ? 0 : backlog - rows < TICK_MAX ? backlog - rows : TICK_MAX;
	return r;
}

struct load {
	uint64_t rate, seconds, backlog, total;
};

static volatile sig_atomic_t ended;

static void on_term(int sig)
{
	ended = 1;
}

static int stream(struct cdb *cdb, const struct load *load, struct vpc_err *err)
{
	uint64_t rate = load->rate;
	uint64_t start = now_monotonic_us(), now, took, behind = 0, made = 0, end = start + load->seconds * 1000000;
	int r = 0;

	signal(SIGTERM, on_term);
	while (!r && !ended && (now = now_monotonic_us()) < end && made < load->total) {
		size_t n = 0;

		if (rate) {
			n = (now - start) * rate / 1000000 - made;
			if (n * 1000000 / rate > behind)
				behind = n * 1000000 / rate;
		} else {
			r = room(cdb, load->backlog, &n, err);
		}
		if (n > TICK_MAX)
			n = TICK_MAX;
		if (n > load->total - made)
			n = load->total - made;
		if (!r && n)
			r = tick(cdb, n, err);
		made += n;
		took = rate ? now_monotonic_us() - now : 0;
		if (took < TICK_US && (rate || !n))
			poll(NULL, 0, (TICK_US - took) / 1000);
	}
	printf("%" PRIu64 " changes in %" PRIu64 " ms, fell behind %" PRIu64 " ms\n", made,
	       (now_monotonic_us() - start) / 1000, behind / 1000);
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_(cdb_closep) struct cdb *cdb = NULL;
	struct load load = { .total = UINT64_MAX };
	struct vpc_config config = {};
	struct vpc_err err = {};
	int r;

	if (argc < 6) {
		fputs("usage: changes CONF FIRST N RATE SECONDS [BACKLOG [TOTAL]]\n", stderr);
		return 1;
	}
	load.rate = strtoull(argv[4], NULL, 10);
	load.seconds = strtoull(argv[5], NULL, 10);
	load.backlog = argc > 6 ? strtoull(argv[6], NULL, 10) : 0;
	if (argc > 7)
		load.total = strtoull(argv[7], NULL, 10);
	srandom(getpid());
	n_vpcs = strtoul(argv[3], NULL, 10);
	r = vpc_config_load(argv[1], &config, &err);
	if (!r)
		r = cdb_open(&config, &cdb, &err);
	if (!r)
		r = read_vpcs(cdb, strtoul(argv[2], NULL, 10), &err);
	if (!r)
		r = stream(cdb, &load, &err);
	if (r)
		fprintf(stderr, "changes: %s\n", err.text);
	free(vpcs);
	vpc_config_clear(&config);
	return r ? 1 : 0;
}
