// SPDX-License-Identifier: Apache-2.0
/*
 * A VPC's state out of CDB's rows, and its past out of change_op: for the publisher (snapshots and deltas),
 * vpc_reconcile (CDB at the kernel's epoch) and `vpcctl route show ... epoch E`. Rows are streamed: a million routes
 * are ordinary.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include "cdb_private.h"
#include "cdb_row.h"
#include "cdb_stmt.h"
#include "digest.h"
#include "util.h"

/* The state that a row is of: rows and states are by VPC. NULL: it is none of them. */
static struct vpc_state *state_of(struct vpc_state *states, size_t n, size_t *pos, uint32_t vni)
{
	while (*pos < n && states[*pos].vni < vni)
		++*pos;
	return *pos < n && states[*pos].vni == vni ? &states[*pos] : NULL;
}

/* "@select ... WHERE vni IN (...)@order" of all these VPCs, by their primary key. */
static char *states_sql(const char *select, size_t n, const char *order)
{
	return cdb_sql_repeat(select, "?", ",", n, order);
}

static int load_nexthops(struct cdb *cdb, const uint64_t *vnis, struct vpc_state *states, size_t n,
			 struct vpc_err *err)
{
	_cleanup_free_ char *sql = states_sql("SELECT vni, " CDB_NEXTHOP_COLS " FROM nexthop FORCE INDEX (PRIMARY) "
					      "WHERE vni IN (", n, ") ORDER BY vni, id");
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	struct cdb_nexthop_row row;
	struct vpc_nl_nexthop nh;
	struct vpc_state *state;
	size_t pos = 0;
	uint32_t vni;
	bool more;
	int r;

	if (!sql)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	r = cdb_stream_many(cdb, &rows, err, sql, vnis, n, "u" CDB_NEXTHOP_FMT, &vni, CDB_NEXTHOP_OUT(&row));
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		state = state_of(states, n, &pos, vni);
		if (!state)
			continue;
		r = cdb_nexthop_check(vni, &row, &nh, err);
		if (r)
			return r;
		if (vpc_state_add_nexthop(state, &nh))
			return vpc_err_set(err, -ENOMEM, "out of memory");
	}
	return r;
}

static int load_members(struct cdb *cdb, const uint64_t *vnis, struct vpc_state *states, size_t n,
			struct vpc_err *err)
{
	_cleanup_free_ char *sql = states_sql("SELECT vni, group_id, nexthop, weight FROM nexthop_member "
					      "FORCE INDEX (PRIMARY) WHERE vni IN (", n,
					      ") ORDER BY vni, group_id, nexthop");
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	uint32_t vni, group, nexthop, weight;
	struct vpc_nl_member member;
	struct vpc_state *state;
	size_t pos = 0;
	bool more;
	int r;

	if (!sql)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	r = cdb_stream_many(cdb, &rows, err, sql, vnis, n, "uuuu", &vni, &group, &nexthop, &weight);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		state = state_of(states, n, &pos, vni);
		if (!state)
			continue;
		r = cdb_member_check(vni, group, nexthop, weight, &member, err);
		if (r)
			return r;
		if (vpc_state_add_member(state, &member))
			return vpc_err_set(err, -ENOMEM, "out of memory");
	}
	return r;
}

/* In the primary key's order, which is the model's: nothing is sorted anywhere. */
static int load_routes(struct cdb *cdb, const uint64_t *vnis, struct vpc_state *states, size_t n, struct vpc_err *err)
{
	_cleanup_free_ char *sql = states_sql("SELECT vni, table_id, family, addr, plen, nexthop FROM route "
					      "FORCE INDEX (PRIMARY) WHERE vni IN (", n,
					      ") ORDER BY vni, table_id, family, addr, plen");
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	struct vpc_route route = {};
	uint32_t vni, family, plen;
	struct vpc_state *state;
	struct cdb_bin addr;
	size_t pos = 0;
	bool more;
	int r;

	if (!sql)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	r = cdb_stream_many(cdb, &rows, err, sql, vnis, n, "uuubuu", &vni, &route.table, &family, &addr, &plen,
			    &route.nexthop);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		state = state_of(states, n, &pos, vni);
		if (!state)
			continue;
		r = cdb_prefix_check("route", vni, family, &addr, plen, &route.prefix, err);
		if (r)
			return r;
		if (route.table >= VPC_TABLES_MAX || !route.nexthop)
			return vpc_err_set(err, -EPROTO, "CDB: route of VPC %u: table %u or nexthop %u is out of range",
					   vni, route.table, route.nexthop);
		if (vpc_state_add_route(state, &route))
			return vpc_err_set(err, -ENOMEM, "out of memory");
	}
	return r;
}

/* All from one snapshot, the caller's or its own, and sorted. @ret_vpc NULL: without routes, epoch and digest. */
static int load_state(struct cdb *cdb, struct vpc_state *state, struct cdb_vpc *ret_vpc, struct vpc_err *err)
{
	bool own_snapshot = !cdb->in_txn;
	uint64_t vni = state->vni;
	int r = 0, end;

	if (own_snapshot)
		r = cdb_snapshot_begin(cdb, err);
	if (r)
		return r;
	if (ret_vpc)
		r = cdb_vpc_get(cdb, state->vni, ret_vpc, err);
	if (!r)
		r = load_nexthops(cdb, &vni, state, 1, err);
	if (!r)
		r = load_members(cdb, &vni, state, 1, err);
	if (!r && ret_vpc)
		r = load_routes(cdb, &vni, state, 1, err);
	if (own_snapshot) {
		end = cdb_snapshot_end(cdb, r ? NULL : err);
		r = r ?: end;
	}
	return r ?: vpc_state_sort(state, err);
}

int cdb_nexthops_load(struct cdb *cdb, uint32_t vni, struct vpc_state *ret_state, struct vpc_err *err)
{
	_cleanup_(vpc_state_clear) struct vpc_state state;
	int r;

	vpc_state_init(&state, vni);
	r = load_state(cdb, &state, NULL, err);
	if (r)
		return r;
	*ret_state = state;
	vpc_state_init(&state, vni);
	return 0;
}

int cdb_state_load(struct cdb *cdb, uint32_t vni, struct vpc_state *ret_state, struct vpc_err *err)
{
	_cleanup_(vpc_state_clear) struct vpc_state state;
	struct cdb_vpc vpc;
	int r;

	vpc_state_init(&state, vni);
	r = load_state(cdb, &state, &vpc, err);
	if (r)
		return r;
	state.epoch = vpc.epoch;
	state.digest = vpc.digest;
	*ret_state = state;
	vpc_state_init(&state, vni);
	return 0;
}

int cdb_states_load(struct cdb *cdb, const struct cdb_vpc *vpcs, size_t n, struct vpc_state *states,
		    struct vpc_err *err)
{
	_cleanup_free_ uint64_t *vnis = calloc(n + 1, sizeof(*vnis));
	size_t i;
	int r;

	if (!vnis)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < n; i++) {
		vpc_state_init(&states[i], vpcs[i].vni);
		states[i].epoch = vpcs[i].epoch;
		states[i].digest = vpcs[i].digest;
		vnis[i] = vpcs[i].vni;
	}
	if (!n)
		return 0;
	r = load_nexthops(cdb, vnis, states, n, err);
	if (!r)
		r = load_members(cdb, vnis, states, n, err);
	if (!r)
		r = load_routes(cdb, vnis, states, n, err);
	for (i = 0; i < n && !r; i++)
		r = vpc_state_sort(&states[i], err);
	return r;
}

/* One row of change_op: the element, before and after. */
struct op_row {
	uint64_t epoch;
	uint32_t seq;
	struct cdb_bin was, is_now;
};

struct op {
	bool has_was, has_now;
	struct cdb_element was, now;
};

static int op_parse(uint32_t vni, const struct op_row *row, struct op *ret_op, struct vpc_err *err)
{
	struct op op = { .has_was = !row->was.null, .has_now = !row->is_now.null };

	if ((op.has_was && cdb_element_parse(row->was.bytes, row->was.len, &op.was)) ||
	    (op.has_now && cdb_element_parse(row->is_now.bytes, row->is_now.len, &op.now)) ||
	    (!op.has_was && !op.has_now) || (op.has_was && op.has_now && op.was.kind != op.now.kind))
		return vpc_err_set(err, -EPROTO, "CDB: change_op of VPC %u, epoch %llu, seq %u is malformed", vni,
				   (unsigned long long)row->epoch, row->seq);
	*ret_op = op;
	return 0;
}

/* Into a delta: the element becomes @to, or goes away (@to NULL; @key names it). */
static int delta_add(struct vpc_delta *delta, const struct cdb_element *key, const struct cdb_element *to)
{
	switch (key->kind) {
	case CDB_ELEMENT_NEXTHOP:
		return to ? vpc_delta_set_nexthop(delta, &to->nexthop) : vpc_delta_del_nexthop(delta, key->nexthop.id);
	case CDB_ELEMENT_MEMBER:
		return to ? vpc_delta_set_member(delta, &to->member)
			  : vpc_delta_del_member(delta, key->member.group, key->member.nexthop);
	case CDB_ELEMENT_ROUTE:
		return to ? vpc_delta_set_route(delta, &to->route)
			  : vpc_delta_del_route(delta, key->route.table, &key->route.prefix);
	}
	return 0;
}

int cdb_op_add(struct vpc_delta *delta, uint64_t epoch, uint32_t seq, const struct cdb_bin *was,
	       const struct cdb_bin *is_now, struct vpc_err *err)
{
	struct op_row row = { .epoch = epoch, .seq = seq, .was = *was, .is_now = *is_now };
	struct op op;
	int r;

	r = op_parse(delta->vni, &row, &op, err);
	if (!r && delta_add(delta, op.has_was ? &op.was : &op.now, op.has_now ? &op.now : NULL))
		r = vpc_err_set(err, -ENOMEM, "out of memory");
	return r;
}

static int delta_ops(struct cdb *cdb, struct vpc_delta *delta, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	struct cdb_bin was, is_now;
	uint32_t seq;
	bool more;
	int r;

	r = cdb_stream(cdb, &rows, err,
		       "SELECT seq, was, is_now FROM change_op WHERE vni = ? AND epoch = ? ORDER BY seq", "uU>ubb",
		       delta->vni, delta->epoch, &seq, &was, &is_now);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		r = cdb_op_add(delta, delta->epoch, seq, &was, &is_now, err);
		if (r)
			return r;
	}
	return r;
}

int cdb_delta_load(struct cdb *cdb, uint32_t vni, uint64_t epoch, size_t max_ops, struct vpc_delta *ret_delta,
		   struct vpc_err *err)
{
	_cleanup_(vpc_delta_clear) struct vpc_delta delta;
	uint64_t n_ops, h0, h1;
	int r;

	vpc_delta_init(&delta, vni);
	delta.base = epoch - 1;
	delta.epoch = epoch;
	/* Rows of a history never change, so one read after the other needs no snapshot. */
	r = cdb_get(cdb, err, "SELECT change_id, n_ops, digest0, digest1 FROM change_log WHERE vni = ? AND epoch = ?",
		    "uU>sUUU", vni, epoch, delta.change, sizeof(delta.change), &n_ops, &h0, &h1);
	if (r == -ENOENT)
		return vpc_err_set(err, r, "VPC %u has no epoch %llu in its history", vni, (unsigned long long)epoch);
	if (r)
		return r;
	if (n_ops > max_ops)
		return vpc_err_set(err, -E2BIG, "VPC %u: epoch %llu has %llu operations", vni,
				   (unsigned long long)epoch, (unsigned long long)n_ops);
	delta.digest = (struct vpc_digest){ { h0, h1 } };
	r = delta_ops(cdb, &delta, err);
	if (r)
		return r;
	if (delta.n_nexthops + delta.n_members + delta.n_routes != n_ops)
		return vpc_err_set(err, -EPROTO,
				   "CDB: VPC %u, epoch %llu: change_log counts %llu operations, change_op has %zu", vni,
				   (unsigned long long)epoch, (unsigned long long)n_ops,
				   delta.n_nexthops + delta.n_members + delta.n_routes);
	*ret_delta = delta;
	vpc_delta_init(&delta, vni);
	return 0;
}

/*
 * The elements of a row of epochs as they are at its other end: before the ops of later ones, or after those of earlier
 * ones. Of several ops of one element the one next to that end counts: the first one read, or the last.
 */
struct past {
	struct past_elem {
		struct cdb_element element; /* the key, and the value where there is one */
		bool there;
		size_t order;
	} * elems;
	size_t n, cap;
	bool forward;
};

static void past_clear(struct past *past)
{
	free(past->elems);
}

static int past_add(struct past *past, const struct op *op)
{
	bool there = past->forward ? op->has_now : op->has_was;
	size_t order = past->forward ? SIZE_MAX - past->n : past->n;

	if (past->n == past->cap) {
		size_t cap = past->cap ? 2 * past->cap : 64;
		struct past_elem *elems = realloc(past->elems, cap * sizeof(*elems));

		if (!elems)
			return -ENOMEM;
		past->elems = elems;
		past->cap = cap;
	}
	past->elems[past->n++] = (struct past_elem){
		op->has_now && (past->forward || !op->has_was) ? op->now : op->was, there, order
	};
	return 0;
}

static int past_cmp(const void *a, const void *b)
{
	const struct past_elem *x = a, *y = b;
	int c = cdb_element_cmp(&x->element, &y->element);

	return c ?: x->order < y->order ? -1 : x->order > y->order;
}

/* The ops of the epochs after @from, up to @to. */
static int past_load(struct cdb *cdb, uint32_t vni, uint64_t from, uint64_t to, struct past *past, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	struct op_row row;
	struct op op;
	bool more;
	int r;

	r = cdb_stream(cdb, &rows, err,
		       "SELECT epoch, seq, was, is_now FROM change_op WHERE vni = ? AND epoch > ? AND epoch <= ? "
		       "ORDER BY epoch, seq",
		       "uUU>Uubb", vni, from, to, &row.epoch, &row.seq, &row.was, &row.is_now);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, err)) && more) {
		r = op_parse(vni, &row, &op, err);
		if (r)
			return r;
		if (past_add(past, &op))
			return vpc_err_set(err, -ENOMEM, "out of memory");
	}
	return r;
}

static bool is_there(const struct vpc_state *state, const struct cdb_element *element)
{
	switch (element->kind) {
	case CDB_ELEMENT_NEXTHOP:
		return vpc_state_find_nexthop(state, element->nexthop.id);
	case CDB_ELEMENT_MEMBER:
		return vpc_state_find_member(state, element->member.group, element->member.nexthop);
	case CDB_ELEMENT_ROUTE:
		return vpc_state_find_route(state, element->route.table, &element->route.prefix);
	}
	return false;
}

/* What leads there. An element that came and went meanwhile is in the history, but nowhere else. */
static int past_to_delta(struct past *past, const struct vpc_state *state, const struct cdb_element *bound,
			 struct vpc_delta *delta)
{
	int r = 0;

	if (past->n)
		qsort(past->elems, past->n, sizeof(*past->elems), past_cmp);
	for (size_t i = 0; i < past->n && !r; i++) {
		const struct past_elem *elem = &past->elems[i];

		if (i && !cdb_element_cmp(&past->elems[i - 1].element, &elem->element))
			continue;
		if (bound && cdb_element_cmp(&elem->element, bound) >= 0)
			break;
		if (elem->there || is_there(state, &elem->element))
			r = delta_add(delta, &elem->element, elem->there ? &elem->element : NULL);
	}
	return r;
}

/* The digest recorded at @epoch, and whether the history has every epoch between it and the state's. */
static int past_digest(struct cdb *cdb, const struct vpc_state *state, uint64_t epoch, struct vpc_digest *ret_digest,
		       struct vpc_err *err)
{
	uint64_t n, known, h0 = 0, h1 = 0;
	bool forward = epoch > state->epoch;
	uint64_t from = forward ? state->epoch : epoch, to = forward ? epoch : state->epoch;
	int r;

	r = cdb_get(cdb, err,
		    "SELECT COUNT(CASE WHEN epoch > ? THEN 1 END), COUNT(CASE WHEN epoch = ? THEN 1 END), "
		    "COALESCE(MAX(CASE WHEN epoch = ? THEN digest0 END), 0), "
		    "COALESCE(MAX(CASE WHEN epoch = ? THEN digest1 END), 0) "
		    "FROM change_log WHERE vni = ? AND epoch >= ? AND epoch <= ?",
		    "UUUUuUU>UUUU", from, epoch, epoch, epoch, state->vni, from, to, &n, &known, &h0, &h1);
	if (!r && (n != to - from || (epoch && !known)))
		r = vpc_err_set(err, -ERANGE, "VPC %u: the history does not reach from epoch %llu %s to %llu",
				state->vni, (unsigned long long)state->epoch, forward ? "on" : "back",
				(unsigned long long)epoch);
	if (!r)
		*ret_digest = (struct vpc_digest){ { h0, h1 } };
	return r;
}

/* To another epoch, by what the history has between them; of elements from @bound on nothing is taken over. */
static int state_move(struct cdb *cdb, struct vpc_state *state, uint64_t epoch, const struct cdb_element *bound,
		      struct vpc_err *err)
{
	_cleanup_(vpc_delta_clear) struct vpc_delta delta;
	_cleanup_(past_clear) struct past past = { .forward = epoch > state->epoch };
	int r;

	vpc_delta_init(&delta, state->vni);
	if (epoch == state->epoch)
		return 0;
	r = past_digest(cdb, state, epoch, &delta.digest, err);
	if (!r)
		r = past_load(cdb, state->vni, past.forward ? state->epoch : epoch, past.forward ? epoch : state->epoch,
			      &past, err);
	if (r)
		return r;
	if (past_to_delta(&past, state, bound, &delta))
		return vpc_err_set(err, -ENOMEM, "out of memory");
	delta.base = state->epoch;
	delta.epoch = epoch;
	return vpc_state_apply(state, &delta, err);
}

int cdb_state_rewind(struct cdb *cdb, struct vpc_state *state, uint64_t epoch, struct vpc_err *err)
{
	if (epoch > state->epoch)
		return vpc_err_set(err, -ERANGE, "VPC %u is at epoch %llu, before %llu", state->vni,
				   (unsigned long long)state->epoch, (unsigned long long)epoch);
	return state_move(cdb, state, epoch, NULL, err);
}

int cdb_state_advance_before(struct cdb *cdb, struct vpc_state *state, uint64_t epoch, const struct cdb_element *bound,
			     struct vpc_err *err)
{
	if (epoch < state->epoch)
		return vpc_err_set(err, -ERANGE, "VPC %u is at epoch %llu, past %llu", state->vni,
				   (unsigned long long)state->epoch, (unsigned long long)epoch);
	return state_move(cdb, state, epoch, bound, err);
}

int cdb_state_advance(struct cdb *cdb, struct vpc_state *state, uint64_t epoch, struct vpc_err *err)
{
	return cdb_state_advance_before(cdb, state, epoch, NULL, err);
}
