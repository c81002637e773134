// SPDX-License-Identifier: Apache-2.0
/*
 * Comparing everything: every VPC and host once, as if all of them were in the outbox. That is asked for by a node,
 * /vpc/v1/compare, and not by anybody's memory: whoever begins to lead with a fence that is new makes it in the same
 * step (ZooKeeper was emptied), as does --all, also beside another one that leads; the leader watches it, and deletes
 * it when the last of the list is done, and a pass of the sweep is, too: for what is below the HEADs, and for what CDB
 * does not have. So a comparison whose leader ends in the middle is begun anew by the next.
 *
 * Called by publisher/round.c, loop.c and fence.c.
 */
#include "publisher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/log.h"
#include "../lib/util.h"

/* Another version of a node that is there: what is under way may have been past what we mean. */
int pub_compare_request(struct publisher *p, struct vpc_err *err)
{
	struct zk_op op = { .type = ZK_OP_SET, .path = VPC_ZNODE_COMPARE, .version = -1 };
	int r = zk_multi_wait(p->zk, &op, 1, p->timeout_ms, NULL);

	if (r && r != -ENOENT)
		return pub_zk_failed(p, r, op.path, err);
	if (r)
		r = pub_mkpath(p, VPC_ZNODE_COMPARE, err);
	if (r)
		return r;
	p->all = false;
	p->compare.requested = true;
	return 0;
}

int pub_compare_asked(struct publisher *p, bool watch, bool *ret_asked, struct vpc_err *err)
{
	int r = zk_exists_wait(p->zk, VPC_ZNODE_COMPARE, watch, p->timeout_ms);

	if (r && r != -ENOENT)
		return pub_zk_failed(p, r, VPC_ZNODE_COMPARE, err);
	*ret_asked = !r;
	return 0;
}

/* Rows without an id: the ids in the outbox begin with 1. */
static int list_all(struct publisher *p, struct vpc_err *err)
{
	_cleanup_free_ struct cdb_vpc *vpcs = NULL;
	_cleanup_free_ char(*hosts)[64] = NULL;
	size_t i, n_vpcs, n_hosts;
	struct cdb_outbox *rows;
	int r;

	r = pub_cdb(p, cdb_vpc_list(p->cdb, &vpcs, &n_vpcs, err));
	if (!r)
		r = pub_cdb(p, cdb_host_list(p->cdb, &hosts, &n_hosts, err));
	if (r)
		return r;
	rows = calloc(n_vpcs + n_hosts + 1, sizeof(*rows));
	if (!rows)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (i = 0; i < n_vpcs; i++)
		rows[i] = (struct cdb_outbox){ .kind = CDB_OUTBOX_VPC, .vni = vpcs[i].vni };
	for (i = 0; i < n_hosts; i++) {
		rows[n_vpcs + i].kind = CDB_OUTBOX_HOST;
		strcpy(rows[n_vpcs + i].host, hosts[i]);
	}
	free(p->compare.rows);
	p->compare.rows = rows;
	p->compare.n = n_vpcs + n_hosts;
	log_info("comparing %zu VPCs and %zu hosts", n_vpcs, n_hosts);
	return 0;
}

int pub_compare_look(struct publisher *p, struct vpc_err *err)
{
	bool asked = false;
	int r;

	if (!p->compare.look)
		return 0;
	r = pub_compare_asked(p, true, &asked, err);
	if (!r && asked && !p->compare.under_way) {
		_cleanup_free_ char *data = NULL;
		size_t len;

		r = pub_get(p, VPC_ZNODE_COMPARE, &data, &len, &p->compare.version, err);
		if (!r)
			r = list_all(p, err);
		asked = !r;
	}
	if (r && r != -ENOENT)
		return r;
	p->compare.look = false;
	p->compare.under_way |= asked;
	return 0;
}

size_t pub_compare_rows(const struct publisher *p, const struct cdb_outbox **ret_rows)
{
	*ret_rows = p->compare.rows;
	return p->compare.n < PUB_ROWS_MAX ? p->compare.n : PUB_ROWS_MAX;
}

/* Those that are left go to the end: what cannot be published keeps nobody waiting. */
void pub_compare_done(struct publisher *p, size_t n, const struct cdb_outbox *left, size_t n_left)
{
	struct pub_compare *c = &p->compare;

	if (!n)
		return;
	memmove(c->rows, c->rows + n, (c->n - n) * sizeof(*c->rows));
	memcpy(c->rows + c->n - n, left, n_left * sizeof(*left));
	c->n -= n - n_left;
}

int pub_compare_finish(struct publisher *p, bool *ret_more, struct vpc_err *err)
{
	struct zk_op ops[2] = { [1] = { .type = ZK_OP_DELETE, .path = VPC_ZNODE_COMPARE } };
	int r;

	if (!p->compare.under_way || p->compare.n)
		return 0;
	if (!p->compare.swept) {
		p->compare.swept = true;
		pub_sweep_now(p);
	}
	if (p->sweep.asked) {
		*ret_more = true;
		return 0;
	}
	ops[1].version = p->compare.version;
	r = pub_multi(p, ops, ARRAY_SIZE(ops), NULL, err);
	if (r && r != -ENOENT && (r != -EBADE || p->fenced))
		return r;
	p->compare.under_way = p->compare.swept = false;
	if (r == -EBADE) {
		/* Asked for once more, meanwhile. */
		p->compare.look = *ret_more = true;
		return 0;
	}
	log_info("every VPC and host is compared");
	return 0;
}

void pub_compare_forget(struct publisher *p)
{
	free(p->compare.rows);
	p->compare = (struct pub_compare){};
}
