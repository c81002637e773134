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
#include "digest.h"
#include "util.h"

#define AUTHOR_MAX 64
#define SUMMARY_MAX 255

static int oom(struct vpc_err *err)
{
	return vpc_err_set(err, -ENOMEM, "out of memory");
}

void cdb_change_abort(struct cdb_change *change)
{
	if (!change)
		return;
	if (change->open) {
		cdb_command(change->cdb, "ROLLBACK", NULL);
		change->cdb->in_txn = false;
	}
	free(change->author);
	free(change->summary);
	free(change->nexthops);
	free(change->routes);
	free(change->hosts);
	free(change);
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

static int change_new(struct cdb *cdb, const char *author, const char *summary, struct cdb_change **ret_change,
		      struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = calloc(1, sizeof(*change));
	uint64_t id;
	int r;

	if (!change)
		return oom(err);
	if (cdb->in_txn)
		return vpc_err_set(err, -EBUSY, "CDB: a transaction is open already");
	change->cdb = cdb;
	change->author = shortened(author, AUTHOR_MAX);
	change->summary = shortened(summary, SUMMARY_MAX);
	if (!change->author || !change->summary)
		return oom(err);
	if (getrandom(&id, sizeof(id), 0) != sizeof(id))
		return vpc_err_set(err, -EIO, "no random bytes for a change id");
	snprintf(change->id, sizeof(change->id), "c%016llx", (unsigned long long)id);
	/* The lock comes first, the read view with the next SELECT: it sees what the last holder committed. */
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
	return r;
}

int cdb_change_begin(struct cdb *cdb, uint32_t vni, const char *author, const char *summary,
		     struct cdb_change **ret_change, struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	int r;

	r = change_new(cdb, author, summary, &change, err);
	if (!r)
		r = lock_vpc(change, vni, err);
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

static int grow(void *array, size_t n, size_t *cap, size_t size)
{
	size_t bigger = *cap ? 2 * *cap : 16;
	void *p;

	if (n < *cap)
		return 0;
	p = reallocarray(*(void **)array, bigger, size);
	if (!p)
		return -ENOMEM;
	*(void **)array = p;
	*cap = bigger;
	return 0;
}

int cdb_change_put_route(struct cdb_change *change, uint32_t table, const struct vpc_prefix *prefix, uint32_t was,
			 uint32_t is)
{
	if (grow(&change->routes, change->n_routes, &change->cap_routes, sizeof(*change->routes)))
		return -ENOMEM;
	change->routes[change->n_routes] = (struct change_route){
		.route = { .table = table, .nexthop = is, .prefix = *prefix }, .was = was, .order = change->n_routes
	};
	change->n_routes++;
	return 0;
}

int cdb_change_put_nexthop(struct cdb_change *change, const struct vpc_nl_nexthop *was, const struct vpc_nl_nexthop *is)
{
	struct change_nexthop *elem;

	if (grow(&change->nexthops, change->n_nexthops, &change->cap_nexthops, sizeof(*change->nexthops)))
		return -ENOMEM;
	elem = &change->nexthops[change->n_nexthops];
	*elem = (struct change_nexthop){
		.id = was ? was->id : is->id, .has_was = was, .has_is = is, .order = change->n_nexthops
	};
	if (was)
		elem->was = *was;
	if (is)
		elem->is = *is;
	change->n_nexthops++;
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

int cdb_change_touch_host(struct cdb_change *change, uint32_t host_id, struct vpc_err *err)
{
	int r;

	for (size_t i = 0; i < change->n_hosts; i++)
		if (change->hosts[i] == host_id)
			return 0;
	if (grow(&change->hosts, change->n_hosts, &change->cap_hosts, sizeof(*change->hosts)))
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

static int commit(struct cdb_change *change, struct vpc_err *err)
{
	int r;

	r = cdb_change_write_log(change, err);
	if (!r)
		r = write_vpc(change, err);
	if (!r)
		r = cdb_exec(change->cdb, err, "INSERT INTO outbox (kind, vni, created) VALUES ('vpc', ?, ?)", "uU",
			     change->vpc.vni, now_wall_ms());
	if (r)
		return r;
	change->open = false;
	change->cdb->in_txn = false;
	r = cdb_command(change->cdb, "COMMIT", err);
	if (r == -EIO || r == -ETIMEDOUT)
		return vpc_err_prefix(err, r, "lost CDB while committing, so look into the history for change %s",
				      change->id);
	return r;
}

int cdb_change_commit(struct cdb_change **change_ptr, struct cdb_change_result *ret_result, struct vpc_err *err)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = *change_ptr;
	struct cdb_change_result result = { .vni = change->vpc.vni, .epoch = change->vpc.epoch };
	int r;

	*change_ptr = NULL;
	r = cdb_change_write(change, err);
	if (r)
		return r;
	if (change->n_nexthops || change->n_routes || change->n_hosts || change->dirty) {
		r = commit(change, err);
		if (r)
			return r;
		result.epoch++;
		result.n_ops = change->n_nexthops + change->n_routes;
		result.changed = true;
		strcpy(result.change, change->id);
	}
	*ret_result = result;
	return 0;
}
