// SPDX-License-Identifier: Apache-2.0
/*
 * What ZooKeeper has and CDB has not: the other half of the sweep (sweep.c), once all that CDB has is compared. A VPC
 * or a host that ended, and whose end a bug has lost, would otherwise stay for good.
 *
 * That CDB does not have it is not enough: a CDB that was restored, or is another one, has none of it. A VPC goes only
 * when CDB's history, which outlives it, has the very epoch that HEAD is at; a host, of which no history is kept, only
 * when its ports are none. Everything else is reported, and a person decides.
 */
#include "publisher.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/digest.h"
#include "../lib/log.h"
#include "../lib/util.h"

#define ASK 128 /* VPCs for which CDB is asked at once */

static int number_cmp(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int name_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Of @vnis, ascending, those that CDB does not have. */
static int unknown_vpcs(struct publisher *p, const uint64_t *vnis, size_t n, size_t max, struct cdb_outbox *ret_keys,
			size_t *ret_n, struct vpc_err *err)
{
	size_t i, j, k, some, found = 0;

	for (i = 0; i < n; i += some) {
		_cleanup_free_ struct cdb_vpc *vpcs = NULL;
		size_t n_vpcs;
		int r;

		some = n - i < ASK ? n - i : ASK;
		r = pub_cdb(p, cdb_vpc_many(p->cdb, vnis + i, some, &vpcs, &n_vpcs, err));
		if (r)
			return r;
		for (j = k = 0; j < some && found < max; j++) {
			while (k < n_vpcs && vpcs[k].vni < vnis[i + j])
				k++;
			if (k == n_vpcs || vpcs[k].vni != vnis[i + j])
				ret_keys[found++] = (struct cdb_outbox){ .kind = CDB_OUTBOX_VPC, .vni = vnis[i + j] };
		}
	}
	*ret_n = found;
	return 0;
}

int pub_strays_vpcs(struct publisher *p, unsigned int bucket, size_t max, struct cdb_outbox *ret_keys, size_t *ret_n,
		    size_t *ret_seen, struct vpc_err *err)
{
	_cleanup_free_ uint64_t *vnis = NULL;
	char path[VPC_ZNODE_PATH_MAX], **names;
	size_t i, n, n_vnis = 0;
	int r;

	*ret_n = *ret_seen = 0;
	snprintf(path, sizeof(path), VPC_ZNODE_ROOT "/vpcs/%02x", bucket);
	r = pub_children(p, path, &names, &n, err);
	if (r)
		return r == -ENOENT ? 0 : r;
	vnis = calloc(n + 1, sizeof(*vnis));
	for (i = 0; i < n && vnis; i++) {
		char *end;
		unsigned long vni = strtoul(names[i], &end, 10);

		if (!*end && *names[i] >= '1' && *names[i] <= '9' && vni <= VPC_VNI_MAX)
			vnis[n_vnis++] = vni;
	}
	zk_names_free(names, n);
	if (!vnis)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	qsort(vnis, n_vnis, sizeof(*vnis), number_cmp);
	*ret_seen = n_vnis;
	return unknown_vpcs(p, vnis, n_vnis, max, ret_keys, ret_n, err);
}

/* The next @max names behind @after. */
static int unknown_hosts(struct publisher *p, char **names, size_t n, char *after, size_t max,
			 struct cdb_outbox *ret_keys, size_t *ret_n, size_t *ret_seen, struct vpc_err *err)
{
	size_t i;

	for (i = 0; i < n && *ret_seen < max; i++) {
		bool there = true;
		int r = 0;

		if (strcmp(names[i], after) <= 0 || !vpc_host_name_valid(names[i]))
			continue;
		r = pub_cdb(p, cdb_host_exists(p->cdb, names[i], &there, err));
		if (r)
			return r;
		++*ret_seen;
		strcpy(after, names[i]);
		if (there)
			continue;
		ret_keys[*ret_n] = (struct cdb_outbox){ .kind = CDB_OUTBOX_HOST };
		strcpy(ret_keys[(*ret_n)++].host, names[i]);
	}
	return 0;
}

int pub_strays_hosts(struct publisher *p, unsigned int bucket, char *after, size_t max, struct cdb_outbox *ret_keys,
		     size_t *ret_n, size_t *ret_seen, struct vpc_err *err)
{
	char path[VPC_ZNODE_PATH_MAX], **names;
	size_t n;
	int r;

	*ret_n = *ret_seen = 0;
	snprintf(path, sizeof(path), VPC_ZNODE_ROOT "/hosts/%02x", bucket);
	r = pub_children(p, path, &names, &n, err);
	if (r)
		return r == -ENOENT ? 0 : r;
	qsort(names, n, sizeof(*names), name_cmp);
	r = unknown_hosts(p, names, n, after, max, ret_keys, ret_n, ret_seen, err);
	zk_names_free(names, n);
	return r;
}

static int remove_vpc(struct publisher *p, uint32_t vni, bool *ret_removed, struct vpc_err *err)
{
	struct vpc_digest digest;
	struct pub_head head;
	int r;

	r = pub_head_read(p, vni, &head, err);
	if (r || head.state == PUB_HEAD_ABSENT)
		return r;
	if (head.state == PUB_HEAD_BAD)
		return vpc_err_set(err, -ESTALE, "CDB has no such VPC, and HEAD is malformed");
	if (head.state == PUB_HEAD_GOOD) {
		r = pub_cdb(p, cdb_epoch_digest(p->cdb, vni, head.head.epoch, &digest, err));
		if (r && r != -ENOENT)
			return r;
		if (r || !vpc_digest_equal(&digest, &head.head.digest))
			return vpc_err_set(err, -ESTALE,
					   "CDB has no such VPC, and never had HEAD's epoch %" PRIu64
					   ": was CDB restored from a backup?",
					   head.head.epoch);
	}
	r = pub_vpc_gone(p, vni, err);
	if (!r)
		r = pub_vpc_remove(p, vni, err);
	*ret_removed = !r;
	return r == -EEXIST ? 0 : r;
}

static int remove_host(struct publisher *p, const char *host, bool *ret_removed, struct vpc_err *err)
{
	_cleanup_(vpc_host_ports_clear) struct vpc_host_ports ports = {};
	_cleanup_free_ char *data = NULL;
	char path[VPC_ZNODE_PATH_MAX];
	struct vpc_err bad;
	int r, version;
	bool there;
	size_t len;

	r = pub_get(p, vpc_path_host(host, "ports", path), &data, &len, &version, err);
	if (r)
		return r == -ENOENT ? 0 : r; /* what is there is the agent's */
	if (vpc_host_ports_parse(data, len, &ports, &bad))
		return vpc_err_set(err, -ESTALE, "CDB has no such host, and its ports are malformed");
	if (ports.n_ports)
		return vpc_err_set(err, -ESTALE,
				   "CDB has no such host, and it has %zu ports: delete %s, or add the host",
				   ports.n_ports, path);
	r = pub_cdb(p, cdb_host_exists(p->cdb, host, &there, err));
	if (r || there)
		return r;
	r = pub_host(p, host, err);
	*ret_removed = !r;
	return r;
}

int pub_stray(struct publisher *p, const struct cdb_outbox *key, bool *ret_removed, struct vpc_err *err)
{
	*ret_removed = false;
	return key->kind == CDB_OUTBOX_VPC ? remove_vpc(p, key->vni, ret_removed, err)
					   : remove_host(p, key->host, ret_removed, err);
}
