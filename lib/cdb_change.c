// SPDX-License-Identifier: Apache-2.0
/*
 * A change: collect, then write (lib/cdb_write.c) and commit. See cdb_change.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include "cdb_change_private.h"
#include "cdb_private.h"
#include "cdb_row.h"
#include "util.h"

#define AUTHOR_MAX 64
#define SUMMARY_MAX 255

static int oom(struct vpc_err *err)
{
	return vpc_err_set(err, -ENOMEM, "out of memory");
}

void change_free(struct cdb_change *change)
{
	free(change->author);
	free(change->summary);
	change_set_clear(&change->pending);
	change_set_clear(&change->done);
	for (size_t i = 0; i < change->n_items; i++) {
		free(change->items[i].was);
		free(change->items[i].is);
	}
	free(change->items);
	free(change->hosts);
	free(change);
}

void cdb_change_abort(struct cdb_change *change)
{
	if (!change)
		return;
	if (change->batch) {
		change->batch->failed = true;
		return;
	}
	if (change->open) {
		cdb_command(change->cdb, "ROLLBACK", NULL);
		change->cdb->in_txn = false;
	}
	change_free(change);
}

void cdb_change_abortp(struct cdb_change **change)
{
	cdb_change_abort(*change);
}

/* At most @max bytes, and no character cut in two. */
static char *shortened(const char *text, size_t max)
{
	size_t len = strlen(text);

	if (len > max)
		for (len = max; len && ((unsigned char)text[len] & 0xc0) == 0x80; len--)
			;
	return strndup(text, len);
}

int change_id_make(char *ret_id, struct vpc_err *err)
{
	uint64_t id;

	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return vpc_err_set(err, -EIO, "no random bytes for a change id");
	snprintf(ret_id, VPC_CHANGE_MAX + 1, "c%016llx", (unsigned long long)id);
	return 0;
}

static struct cdb_change *change_alloc(struct cdb *cdb, const char *author, const char *summary)
{
	struct cdb_change *change = calloc(1, sizeof(*change));

	if (!change)
		return NULL;
	change->cdb = cdb;
	change->author = shortened(author, AUTHOR_MAX);
	change->summary = shortened(summary, SUMMARY_MAX);
	if (change->author && change->summary)
		return change;
	change_free(change);
	return NULL;
}

/* A part of the batch, which owns it from now on. */
static int change_join(struct cdb_batch *batch, struct cdb_change **ret_change, struct vpc_err *err)
{
	struct cdb_change *change = change_alloc(batch->cdb, batch->author, batch->summary);

	if (!change)
		return oom(err);
	strcpy(change->id, batch->id);
	if (batch_add(batch, change)) {
		change_free(change);
		return oom(err);
	}
	change->batch = batch;
	*ret_change = change;
	return 0;
}

static int change_new(struct cdb *cdb, const char *author, const char *summary, struct cdb_change **ret_change,
		      struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	int r;

	if (cdb->batch)
		return change_join(cdb->batch, ret_change, err);
	if (cdb->in_txn)
		return vpc_err_set(err, -EBUSY, "CDB: a transaction is open already");
	change = change_alloc(cdb, author, summary);
	if (!change)
		return oom(err);
	r = change_id_make(change->id, err);
	/* The lock comes first, the read view with the next SELECT: it sees what the last holder committed. */
	if (!r)
		r = cdb_command(cdb, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", err);
	if (!r)
		r = cdb_command(cdb, "START TRANSACTION READ WRITE", err);
	if (r)
		return r;
	change->open = true;
	cdb->in_txn = true;
	*ret_change = change;
	change = NULL;
	return 0;
}

static int lock_vpc(struct cdb_change *change, uint32_t vni, struct vpc_err *err)
{
	uint32_t locked;
	int r;

	r = cdb_get(change->cdb, err, "SELECT vni FROM vpc WHERE vni = ? FOR UPDATE", "u>u", vni, &locked);
	if (r == -ENOENT)
		return vpc_err_set(err, r, "there is no VPC with VNI %u", vni);
	if (r == -EAGAIN)
		return vpc_err_set(err, r, "VPC %u is being changed by somebody else: try again", vni);
	if (!r)
		r = cdb_vpc_get(change->cdb, vni, &change->vpc, err);
	if (!r)
		change->digest = change->vpc.digest;
	return r;
}

/* Another change of a VPC that the batch has changed already. */
static int change_again(struct cdb_change *change, struct vpc_err *err)
{
	struct cdb_vpc now;
	int r;

	if (change->ends)
		return vpc_err_set(err, -ENOENT, "VPC %s is deleted by this very change", change->vpc.name);
	r = cdb_vpc_get(change->cdb, change->vpc.vni, &now, err);
	if (r)
		return r;
	strcpy(change->vpc.name, now.name);
	change->vpc.quota = now.quota;
	change->vpc.flags = now.flags;
	return 0;
}

int cdb_change_begin(struct cdb *cdb, uint32_t vni, const char *author, const char *summary,
		     struct cdb_change **ret_change, struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	int r;

	change = cdb->batch ? batch_find(cdb->batch, vni) : NULL;
	if (change) {
		r = change_again(change, err);
	} else {
		r = change_new(cdb, author, summary, &change, err);
		if (!r)
			r = lock_vpc(change, vni, err);
	}
	if (r)
		return r;
	*ret_change = change;
	change = NULL;
	return 0;
}

int cdb_change_begin_new(struct cdb *cdb, uint32_t vni, const char *name, uint64_t quota, const char *author,
			 const char *summary, struct cdb_change **ret_change, struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	uint64_t last;
	int r;

	if (cdb->batch && batch_find(cdb->batch, vni) && batch_find(cdb->batch, vni)->ends)
		return vpc_err_set(err, -EBUSY, "VNI %u: its VPC is deleted by this very change: add the new one later",
				   vni);
	r = change_new(cdb, author, summary, &change, err);
	if (r)
		return r;
	r = cdb_exec(cdb, err, "INSERT INTO vpc (vni, name, quota) VALUES (?, ?, ?)", "usU", vni, name, quota);
	if (r == -EEXIST)
		return vpc_err_set(err, r, "there is a VPC with VNI %u or name '%s' already", vni, name);
	/* Whoever followed the VPC that had this VNI before must never see its epoch go back. */
	if (!r)
		r = cdb_get(cdb, err, "SELECT COALESCE(MAX(epoch), 0) FROM change_log WHERE vni = ?", "u>U", vni,
			    &last);
	if (!r)
		r = cdb_exec(cdb, err, "UPDATE vpc SET epoch = ? WHERE vni = ?", "Uu", last, vni);
	if (!r)
		r = lock_vpc(change, vni, err);
	if (!r && change_item_note(change, CDB_ITEM_VPC, "", NULL))
		r = oom(err);
	if (r)
		return r;
	change->dirty = true;
	*ret_change = change;
	change = NULL;
	return 0;
}

const struct cdb_vpc *cdb_change_vpc(const struct cdb_change *change)
{
	return &change->vpc;
}

struct cdb *cdb_change_cdb(const struct cdb_change *change)
{
	return change->cdb;
}

int cdb_change_put_route(struct cdb_change *change, uint32_t table, const struct vpc_prefix *prefix, uint32_t was,
			 uint32_t is)
{
	struct change_set *set = &change->pending;

	if (change_grow(&set->routes, set->n_routes, &set->cap_routes, sizeof(*set->routes)))
		return -ENOMEM;
	set->routes[set->n_routes++] = (struct change_route){
		.route = { .table = table, .nexthop = is, .prefix = *prefix }, .was = was, .order = change->order++
	};
	return 0;
}

int cdb_change_put_nexthop(struct cdb_change *change, const struct vpc_nl_nexthop *was, const struct vpc_nl_nexthop *is)
{
	struct change_set *set = &change->pending;
	struct change_nexthop *elem;

	if (change_grow(&set->nexthops, set->n_nexthops, &set->cap_nexthops, sizeof(*set->nexthops)))
		return -ENOMEM;
	elem = &set->nexthops[set->n_nexthops++];
	*elem = (struct change_nexthop){
		.id = was ? was->id : is->id, .has_was = was, .has_is = is, .order = change->order++
	};
	if (was)
		elem->was = *was;
	if (is)
		elem->is = *is;
	return 0;
}

int cdb_change_put_member(struct cdb_change *change, uint32_t group, uint32_t nexthop, uint16_t was, uint16_t is)
{
	struct change_set *set = &change->pending;

	if (change_grow(&set->members, set->n_members, &set->cap_members, sizeof(*set->members)))
		return -ENOMEM;
	set->members[set->n_members++] = (struct change_member){
		.member = { .group = group, .nexthop = nexthop, .weight = is }, .was = was, .order = change->order++
	};
	return 0;
}

static int find_nexthop(struct cdb_change *change, uint32_t id, struct vpc_nl_nexthop *ret_nh, struct vpc_err *err)
{
	struct cdb_nexthop_row row;
	int r;

	r = cdb_get(change->cdb, err, "SELECT " CDB_NEXTHOP_COLS " FROM nexthop WHERE vni = ? AND id = ?",
		    "uu>" CDB_NEXTHOP_FMT, change->vpc.vni, id, CDB_NEXTHOP_OUT(&row));
	return r ?: cdb_nexthop_check(change->vpc.vni, &row, ret_nh, err);
}

int cdb_change_set_nexthop(struct cdb_change *change, const struct vpc_nl_nexthop *nh, struct vpc_err *err)
{
	struct vpc_nl_nexthop was;
	int r;

	r = find_nexthop(change, nh->id, &was, err);
	if (r && r != -ENOENT)
		return r;
	return cdb_change_put_nexthop(change, r ? NULL : &was, nh) ? oom(err) : 0;
}

int cdb_change_del_nexthop(struct cdb_change *change, uint32_t id, struct vpc_err *err)
{
	struct vpc_nl_nexthop was;
	int r;

	r = find_nexthop(change, id, &was, err);
	if (r == -ENOENT)
		return vpc_err_set(err, r, "VPC %s has no nexthop %u", change->vpc.name, id);
	if (r)
		return r;
	return cdb_change_put_nexthop(change, &was, NULL) ? oom(err) : 0;
}

static int find_member(struct cdb_change *change, uint32_t group, uint32_t nexthop, uint16_t *ret_weight,
		       struct vpc_err *err)
{
	uint32_t weight;
	int r;

	r = cdb_get(change->cdb, err,
		    "SELECT weight FROM nexthop_member WHERE vni = ? AND group_id = ? AND nexthop = ?", "uuu>u",
		    change->vpc.vni, group, nexthop, &weight);
	if (!r)
		*ret_weight = weight;
	return r;
}

int cdb_change_set_member(struct cdb_change *change, const struct vpc_nl_member *member, struct vpc_err *err)
{
	uint16_t was = 0;
	int r;

	r = find_member(change, member->group, member->nexthop, &was, err);
	if (r && r != -ENOENT)
		return r;
	return cdb_change_put_member(change, member->group, member->nexthop, was, member->weight) ? oom(err) : 0;
}

int cdb_change_del_member(struct cdb_change *change, uint32_t group, uint32_t nexthop, struct vpc_err *err)
{
	uint16_t was;
	int r;

	r = find_member(change, group, nexthop, &was, err);
	if (r == -ENOENT)
		return vpc_err_set(err, r, "nexthop %u is no member of group %u of VPC %s", nexthop, group,
				   change->vpc.name);
	if (r)
		return r;
	return cdb_change_put_member(change, group, nexthop, was, 0) ? oom(err) : 0;
}

static int find_route(struct cdb_change *change, uint32_t table, const struct vpc_prefix *prefix, uint32_t *ret_nexthop,
		      struct vpc_err *err)
{
	return cdb_get(
		change->cdb, err,
		"SELECT nexthop FROM route WHERE vni = ? AND table_id = ? AND family = ? AND addr = ? AND plen = ?",
		"uuubu>u", change->vpc.vni, table, cdb_family(prefix->family), prefix->bytes,
		cdb_addr_len(prefix->family), (uint32_t)prefix->plen, ret_nexthop);
}

int cdb_change_set_route(struct cdb_change *change, const struct vpc_route *route, struct vpc_err *err)
{
	uint32_t was = 0;
	int r;

	r = find_route(change, route->table, &route->prefix, &was, err);
	if (r && r != -ENOENT)
		return r;
	return cdb_change_put_route(change, route->table, &route->prefix, r ? 0 : was, route->nexthop) ? oom(err) : 0;
}

int cdb_change_del_route(struct cdb_change *change, uint32_t table, const struct vpc_prefix *prefix,
			 struct vpc_err *err)
{
	char text[VPC_PREFIX_STRLEN];
	uint32_t was;
	int r;

	r = find_route(change, table, prefix, &was, err);
	if (r == -ENOENT)
		return vpc_err_set(err, r, "VPC %s has no route %s in table %u", change->vpc.name,
				   vpc_prefix_format(prefix, text), table);
	if (r)
		return r;
	return cdb_change_put_route(change, table, prefix, was, 0) ? oom(err) : 0;
}

/* Takes over @was. */
int change_item_note(struct cdb_change *change, enum cdb_item_kind kind, const char *name, char *was)
{
	struct cdb_change_item *item;

	if (change_grow(&change->items, change->n_items, &change->cap_items, sizeof(*change->items))) {
		free(was);
		return -ENOMEM;
	}
	item = &change->items[change->n_items++];
	*item = (struct cdb_change_item){ .kind = kind, .was = was };
	snprintf(item->name, sizeof(item->name), "%s", name);
	return 0;
}

int cdb_change_item(struct cdb_change *change, enum cdb_item_kind kind, const char *name, struct vpc_err *err)
{
	char *was = NULL;
	int r;

	for (size_t i = 0; i < change->n_items; i++)
		if (change->items[i].kind == kind && !strcmp(change->items[i].name, name))
			return 0;
	r = cdb_item_read(change->cdb, change->vpc.vni, kind, name, &was, err);
	if (!r && change_item_note(change, kind, name, was))
		r = oom(err);
	return r;
}

int cdb_change_settle(struct cdb_change *change, struct vpc_err *err)
{
	int r = 0;

	for (size_t i = 0; i < change->n_items && !r; i++) {
		struct cdb_change_item *item = &change->items[i];

		free(item->is);
		item->is = NULL;
		if (!change->ends || item->kind != CDB_ITEM_VPC)
			r = cdb_item_read(change->cdb, change->vpc.vni, item->kind, item->name, &item->is, err);
	}
	return r;
}

const struct cdb_change_item *cdb_change_items(const struct cdb_change *change, size_t *ret_n)
{
	*ret_n = change->n_items;
	return change->items;
}

int cdb_change_touch_host(struct cdb_change *change, uint32_t host_id, struct vpc_err *err)
{
	int r;

	for (size_t i = 0; i < change->n_hosts; i++)
		if (change->hosts[i] == host_id)
			return 0;
	if (change_grow(&change->hosts, change->n_hosts, &change->cap_hosts, sizeof(*change->hosts)))
		return oom(err);
	r = cdb_exec(change->cdb, err, "UPDATE host SET ports_revision = ports_revision + 1 WHERE id = ?", "u",
		     host_id);
	if (!r && !cdb_affected(change->cdb))
		return vpc_err_set(err, -ENOENT, "there is no host with id %u", host_id);
	if (!r)
		r = cdb_exec(change->cdb, err,
			     "INSERT INTO outbox (kind, host, created) SELECT 'host', name, ? FROM host WHERE id = ?",
			     "Uu", now_wall_ms(), host_id);
	if (!r)
		change->hosts[change->n_hosts++] = host_id;
	return r;
}

void cdb_change_mark(struct cdb_change *change)
{
	change->dirty = true;
}

void cdb_change_end_vpc(struct cdb_change *change)
{
	change->dirty = true;
	change->ends = true;
}

/* The VPC's new version, or its end. */
static int write_vpc(struct cdb_change *change, struct vpc_err *err)
{
	const struct cdb_vpc *vpc = &change->vpc;

	if (change->ends)
		return cdb_exec(change->cdb, err, "DELETE FROM vpc WHERE vni = ?", "u", vpc->vni);
	return cdb_exec(change->cdb, err,
			"UPDATE vpc SET epoch = ?, digest0 = ?, digest1 = ?, change_id = ? WHERE vni = ?", "UUUsu",
			vpc->epoch + 1, (uint64_t)change->digest.h[0], (uint64_t)change->digest.h[1], change->id,
			vpc->vni);
}

int cdb_change_write(struct cdb_change *change, struct vpc_err *err)
{
	int r;

	change_set_coalesce(&change->pending);
	r = change_set_write(change, &change->pending, err);
	if (r)
		return r;
	change_set_digest(&change->pending, &change->digest);
	return change_set_move(&change->done, &change->pending) ? oom(err) : 0;
}

bool cdb_change_changes(const struct cdb_change *change)
{
	return change_set_count(&change->done);
}

bool change_has_effect(struct cdb_change *change)
{
	change_set_coalesce(&change->done);
	return change_set_count(&change->done) || change->n_hosts || change->dirty;
}

int change_make_history(struct cdb_change *change, struct vpc_err *err)
{
	int r;

	r = cdb_change_settle(change, err);
	if (!r)
		r = cdb_change_write_log(change, err);
	if (!r)
		r = write_vpc(change, err);
	return r
		       ?: cdb_exec(change->cdb, err, "INSERT INTO outbox (kind, vni, created) VALUES ('vpc', ?, ?)",
				   "uU", change->vpc.vni, now_wall_ms());
}

static int commit(struct cdb_change *change, struct vpc_err *err)
{
	int r;

	r = change_make_history(change, err);
	if (r)
		return r;
	change->open = false;
	change->cdb->in_txn = false;
	r = cdb_command(change->cdb, "COMMIT", err);
	if (r == -EIO || r == -ECONNRESET)
		return vpc_err_prefix(err, r, "lost CDB while committing, so look into the history for change %s",
				      change->id);
	return r;
}

void cdb_change_result(struct cdb_change *change, struct cdb_change_result *ret_result)
{
	bool changed = change_has_effect(change);

	*ret_result = (struct cdb_change_result){ .vni = change->vpc.vni,
						  .epoch = change->vpc.epoch + changed,
						  .n_ops = change_set_count(&change->done),
						  .changed = changed };
	if (changed)
		strcpy(ret_result->change, change->id);
}

int cdb_change_commit(struct cdb_change **change_ptr, struct cdb_change_result *ret_result, struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = *change_ptr;
	struct cdb_change_result result;
	int r;

	*change_ptr = NULL;
	r = cdb_change_write(change, err);
	if (r)
		return r;
	cdb_change_result(change, &result);
	if (result.changed && !change->batch)
		r = commit(change, err);
	if (r)
		return r;
	*ret_result = result;
	if (change->batch)
		change = NULL; /* the batch's */
	return 0;
}

size_t cdb_change_ops(const struct cdb_change *change)
{
	return change_set_count(&change->done);
}

static void op_of_nexthop(const struct change_nexthop *nh, struct cdb_change_op *op)
{
	op->was_element = (struct cdb_element){ .kind = CDB_ELEMENT_NEXTHOP, .nexthop = nh->was };
	op->is_element = (struct cdb_element){ .kind = CDB_ELEMENT_NEXTHOP, .nexthop = nh->is };
	op->was = nh->has_was ? &op->was_element : NULL;
	op->is = nh->has_is ? &op->is_element : NULL;
}

static void op_of_member(const struct change_member *member, struct cdb_change_op *op)
{
	op->was_element = op->is_element = (struct cdb_element){ .kind = CDB_ELEMENT_MEMBER, .member = member->member };
	op->was_element.member.weight = member->was;
	op->was = member->was ? &op->was_element : NULL;
	op->is = member->member.weight ? &op->is_element : NULL;
}

static void op_of_route(const struct change_route *route, struct cdb_change_op *op)
{
	op->was_element = op->is_element = (struct cdb_element){ .kind = CDB_ELEMENT_ROUTE, .route = route->route };
	op->was_element.route.nexthop = route->was;
	op->was = route->was ? &op->was_element : NULL;
	op->is = route->route.nexthop ? &op->is_element : NULL;
}

void cdb_change_op(const struct cdb_change *change, size_t i, struct cdb_change_op *ret_op)
{
	const struct change_set *set = &change->done;

	if (i < set->n_nexthops)
		op_of_nexthop(&set->nexthops[i], ret_op);
	else if (i - set->n_nexthops < set->n_members)
		op_of_member(&set->members[i - set->n_nexthops], ret_op);
	else
		op_of_route(&set->routes[i - set->n_nexthops - set->n_members], ret_op);
}

const uint32_t *cdb_change_hosts(const struct cdb_change *change, size_t *ret_n)
{
	*ret_n = change->n_hosts;
	return change->hosts;
}
