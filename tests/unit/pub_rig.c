// SPDX-License-Identifier: Apache-2.0
#include "pub_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../../lib/cdb_log.h"
#include "../../lib/util.h"

struct rig rig;

/* -- ZooKeeper ----------------------------------------------------------------------------------------------------- */

struct node {
	char path[VPC_ZNODE_PATH_MAX];
	char *data;
	size_t len;
	int version;
	bool gone;
};

static struct node *nodes;
static size_t n_nodes;

/* An answer that zk_dispatch() is to give. */
struct answer {
	struct answer *next;
	int res;
	char path[VPC_ZNODE_PATH_MAX];
	zk_data_fn data;
	zk_children_fn children;
	zk_done_fn done;
	void *arg;
};

static struct answer *answers, **answers_end = &answers;

static struct node *find(const char *path)
{
	for (size_t i = 0; i < n_nodes; i++)
		if (!nodes[i].gone && !strcmp(nodes[i].path, path))
			return &nodes[i];
	return NULL;
}

static void set(struct node *node, const void *data, size_t len)
{
	free(node->data);
	node->data = malloc(len + 1);
	assert_non_null(node->data);
	if (len)
		memcpy(node->data, data, len);
	node->data[len] = '\0';
	node->len = len;
}

static void create(const char *path, const void *data, size_t len)
{
	nodes = reallocarray(nodes, n_nodes + 1, sizeof(*nodes));
	assert_non_null(nodes);
	nodes[n_nodes] = (struct node){};
	strcpy(nodes[n_nodes].path, path);
	set(&nodes[n_nodes++], data, len);
}

void rig_write(const char *path, const char *data)
{
	struct node *node = find(path);

	if (node) {
		set(node, data, strlen(data));
		node->version++;
	} else {
		create(path, data, strlen(data));
	}
}

const char *rig_read(const char *path, int *ret_version)
{
	const struct node *node = find(path);

	if (node && ret_version)
		*ret_version = node->version;
	return node ? node->data : NULL;
}

static int step_res(const struct zk_op *op)
{
	const struct node *node = find(op->path);

	if (op->type == ZK_OP_CREATE)
		return node ? -EEXIST : 0;
	if (!node)
		return -ENOENT;
	return op->version >= 0 && op->version != node->version ? -EBADE : 0;
}

/* No step of ours depends on one before it in the same multi, other than by creating what is below it. */
static int multi(const struct zk_op *ops, size_t n, size_t *ret_failed)
{
	size_t i;

	if (n > rig.most_ops)
		rig.most_ops = n;
	for (i = 0; i < n; i++) {
		int res = step_res(&ops[i]);

		if (res) {
			*ret_failed = i;
			return res;
		}
	}
	*ret_failed = SIZE_MAX;
	for (i = 0; i < n; i++) {
		struct node *node = find(ops[i].path);

		if (ops[i].type == ZK_OP_CREATE) {
			create(ops[i].path, ops[i].data, ops[i].len);
		} else if (ops[i].type == ZK_OP_SET) {
			set(node, ops[i].data, ops[i].len);
			node->version++;
		} else if (ops[i].type == ZK_OP_DELETE) {
			node->gone = true;
		}
	}
	return 0;
}

static struct answer *answer(int res, const char *path, void *arg)
{
	struct answer *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	a->res = res;
	a->arg = arg;
	strcpy(a->path, path);
	*answers_end = a;
	answers_end = &a->next;
	return a;
}

/* The names below @path. */
static void children(const char *path, char ***ret_names, size_t *ret_n)
{
	size_t len = strlen(path), n = 0;
	char **names = calloc(n_nodes + 1, sizeof(*names));

	assert_non_null(names);
	for (size_t i = 0; i < n_nodes; i++)
		if (!nodes[i].gone && !strncmp(nodes[i].path, path, len) && nodes[i].path[len] == '/' &&
		    !strchr(nodes[i].path + len + 1, '/'))
			names[n++] = strdup(nodes[i].path + len + 1);
	*ret_names = names;
	*ret_n = n;
}

int zk_get(struct zk *zk, const char *path, bool watch, unsigned int timeout_ms, zk_data_fn fn, void *arg)
{
	bool is_bad = rig.bad_path && !strcmp(path, rig.bad_path);

	answer(++rig.n_asked == rig.silent ? -ETIMEDOUT : is_bad ? rig.bad_res : 0, path, arg)->data = fn;
	return 0;
}

int zk_children(struct zk *zk, const char *path, bool watch, unsigned int timeout_ms, zk_children_fn fn, void *arg)
{
	answer(0, path, arg)->children = fn;
	return 0;
}

int zk_multi(struct zk *zk, const struct zk_op *ops, size_t n, unsigned int timeout_ms, zk_done_fn fn, void *arg)
{
	size_t failed;
	int res;

	rig.n_multis++;
	if (rig.refuse_res && rig.n_multis == rig.refuse)
		return rig.refuse_res;
	res = multi(ops, n, &failed);
	if (rig.n_multis == rig.lose)
		res = -ETIMEDOUT;
	answer(res, ops[res && failed < n ? failed : 0].path, arg)->done = fn;
	return 0;
}

void zk_dispatch(struct zk *zk)
{
	while (answers) {
		struct answer *a = answers;
		const struct node *node = find(a->path);
		char **names;
		size_t n;

		answers = a->next;
		if (!answers)
			answers_end = &answers;
		if (a->data && a->res)
			a->data(a->res, a->path, NULL, 0, -1, a->arg);
		else if (a->data)
			a->data(node ? 0 : -ENOENT, a->path, node ? node->data : NULL, node ? node->len : 0,
				node ? node->version : -1, a->arg);
		if (a->children) {
			children(a->path, &names, &n);
			a->children(node ? 0 : -ENOENT, a->path, names, n, a->arg);
			zk_names_free(names, n);
		}
		if (a->done)
			a->done(a->res, a->path, a->arg);
		free(a);
	}
}

void zk_cancel(struct zk *zk, void *arg)
{
	struct answer **a = &answers, *next;

	while (*a) {
		if ((*a)->arg != arg) {
			a = &(*a)->next;
			continue;
		}
		next = (*a)->next;
		free(*a);
		*a = next;
	}
	answers_end = a;
}

int zk_fd(struct zk *zk)
{
	return -1;
}

uint64_t zk_next_deadline_us(struct zk *zk)
{
	return 0;
}

const char *zk_strerror(int res)
{
	return strerror(-res);
}

int zk_get_wait(struct zk *zk, const char *path, unsigned int timeout_ms, char **ret_data, size_t *ret_len,
		int *ret_version)
{
	const struct node *node = find(path);
	bool stale = rig.stale_path && !strcmp(path, rig.stale_path);
	const char *data = stale ? rig.stale_data : node ? node->data : NULL;

	rig.gets++;
	if (!data)
		return -ENOENT;
	*ret_data = strdup(data);
	*ret_len = strlen(data);
	*ret_version = stale ? rig.stale_version : node->version;
	if (stale)
		rig.stale_path = NULL;
	return 0;
}

int zk_children_wait(struct zk *zk, const char *path, unsigned int timeout_ms, char ***ret_names, size_t *ret_n)
{
	if (!find(path))
		return -ENOENT;
	children(path, ret_names, ret_n);
	return 0;
}

int zk_multi_wait(struct zk *zk, const struct zk_op *ops, size_t n, unsigned int timeout_ms, size_t *ret_failed)
{
	size_t failed;

	return multi(ops, n, ret_failed ?: &failed);
}

int zk_exists_wait(struct zk *zk, const char *path, bool watch, unsigned int timeout_ms)
{
	return find(path) ? 0 : -ENOENT;
}

int zk_mkpath_wait(struct zk *zk, const char *path, unsigned int timeout_ms)
{
	if (!find(path))
		create(path, "", 0);
	return 0;
}

void zk_names_free(char **names, size_t n)
{
	while (n)
		free(names[--n]);
	free(names);
}

/* -- CDB ----------------------------------------------------------------------------------------------------------- */

static struct rig_vpc *cdb_find(uint32_t vni)
{
	return vni && vni < RIG_VPCS && rig.vpcs[vni].epoch ? &rig.vpcs[vni] : NULL;
}

static struct cdb_vpc row(const struct rig_vpc *vpc)
{
	struct cdb_vpc ret = { .vni = vpc->vni, .epoch = vpc->epoch, .quota = 1000 };

	return ret;
}

static int bad(uint32_t vni, struct vpc_err *err)
{
	return vpc_err_set(err, -EPROTO, "CDB: VPC %u: malformed", vni);
}

int cdb_snapshot_begin(struct cdb *cdb, struct vpc_err *err)
{
	for (size_t i = 0; i < RIG_VPCS; i++)
		rig.vpcs[i].epoch += rig.vpcs[i].busy;
	return 0;
}

int cdb_snapshot_end(struct cdb *cdb, struct vpc_err *err)
{
	return 0;
}

int cdb_vpc_many(struct cdb *cdb, const uint64_t *vnis, size_t n, struct cdb_vpc **ret_vpcs, size_t *ret_n,
		 struct vpc_err *err)
{
	struct cdb_vpc *rows = calloc(n + 1, sizeof(*rows));
	size_t i, found = 0;

	assert_non_null(rows);
	for (i = 0; i < n; i++) {
		const struct rig_vpc *vpc = cdb_find(vnis[i]);

		if (vpc && vpc->bad_row) {
			free(rows);
			return bad(vpc->vni, err);
		}
		if (vpc)
			rows[found++] = row(vpc);
	}
	*ret_vpcs = rows;
	*ret_n = found;
	return 0;
}

int cdb_vpc_after(struct cdb *cdb, uint32_t after, size_t max, struct cdb_vpc **ret_vpcs, size_t *ret_n,
		  struct vpc_err *err)
{
	struct cdb_vpc *rows;
	size_t n = 0;

	if (rig.bad_list)
		return bad(after + 1, err);
	rows = calloc(max, sizeof(*rows));
	assert_non_null(rows);
	for (uint32_t vni = after + 1; vni < RIG_VPCS && n < max; vni++)
		if (cdb_find(vni))
			rows[n++] = row(&rig.vpcs[vni]);
	*ret_vpcs = rows;
	*ret_n = n;
	return 0;
}

int cdb_vpc_get(struct cdb *cdb, uint32_t vni, struct cdb_vpc *ret_vpc, struct vpc_err *err)
{
	const struct rig_vpc *vpc = cdb_find(vni);

	if (!vpc)
		return -ENOENT;
	if (vpc->bad_row)
		return bad(vni, err);
	*ret_vpc = row(vpc);
	return 0;
}

int cdb_vpc_exists(struct cdb *cdb, uint32_t vni, bool *ret_exists, struct vpc_err *err)
{
	*ret_exists = cdb_find(vni);
	return 0;
}

int cdb_state_load(struct cdb *cdb, uint32_t vni, struct vpc_state *ret_state, struct vpc_err *err)
{
	const struct rig_vpc *vpc = cdb_find(vni);

	rig.states++;
	if (!vpc)
		return -ENOENT;
	if (vpc->bad_state)
		return bad(vni, err);
	ret_state->epoch = vpc->epoch;
	return 0;
}

int cdb_states_load(struct cdb *cdb, const struct cdb_vpc *vpcs, size_t n, struct vpc_state *states,
		    struct vpc_err *err)
{
	size_t i;

	for (i = 0; i < n; i++) {
		vpc_state_init(&states[i], vpcs[i].vni);
		states[i].epoch = vpcs[i].epoch;
	}
	for (i = 0; i < n; i++)
		if (cdb_find(vpcs[i].vni)->bad_state)
			return bad(vpcs[i].vni, err);
	return 0;
}

int cdb_epoch_digest(struct cdb *cdb, uint32_t vni, uint64_t epoch, struct vpc_digest *ret_digest, struct vpc_err *err)
{
	*ret_digest = (struct vpc_digest){};
	return 0;
}

int cdb_delta_load(struct cdb *cdb, uint32_t vni, uint64_t epoch, size_t max_ops, struct vpc_delta *ret_delta,
		   struct vpc_err *err)
{
	*ret_delta = (struct vpc_delta){ .vni = vni, .base = epoch - 1, .epoch = epoch };
	return 0;
}

int cdb_log_list(struct cdb *cdb, const struct cdb_epochs *epochs, size_t n, struct cdb_logged **ret_log,
		 size_t *ret_n, struct vpc_err *err)
{
	struct cdb_logged *log;
	size_t i, max = 1, found = 0;

	for (i = 0; i < n; i++)
		max += epochs[i].to - epochs[i].from + 1;
	for (i = 0; i < n; i++)
		if (rig.bad_log && epochs[i].vni == rig.bad_log)
			return vpc_err_set(err, rig.bad_log_res, "CDB: VPC %u: no history", rig.bad_log);
	log = calloc(max, sizeof(*log));
	assert_non_null(log);
	for (i = 0; i < n; i++)
		for (uint64_t epoch = epochs[i].from; epoch <= epochs[i].to; epoch++)
			cdb_delta_load(cdb, epochs[i].vni, epoch, 1, &log[found++].delta, err);
	*ret_log = log;
	*ret_n = found;
	return 0;
}

int cdb_log_ops(struct cdb *cdb, struct cdb_logged *log, size_t n, struct vpc_err *err)
{
	return 0;
}

int cdb_log_sums(struct cdb *cdb, const uint64_t *vnis, size_t n, uint64_t *ret_sums, struct vpc_err *err)
{
	memset(ret_sums, 0, n * sizeof(*ret_sums));
	return 0;
}

void cdb_log_free(struct cdb_logged *log, size_t n)
{
	free(log);
}

/* -- what is left out ---------------------------------------------------------------------------------------------- */

int pub_compare_asked(struct publisher *p, bool watch, bool *ret_asked, struct vpc_err *err)
{
	*ret_asked = false;
	return 0;
}

void pub_notify(struct publisher *p, const char *fmt, ...)
{
}

/* -- the tests' ---------------------------------------------------------------------------------------------------- */

int rig_setup(void **state)
{
	rig = (struct rig){};
	assert_int_equal(pub_garbage_new(0, &rig.p.garbage), 0);
	rig_write(VPC_ZNODE_FENCE, "{}");
	for (uint32_t vni = 1; vni < RIG_VPCS; vni++)
		rig.vpcs[vni].vni = vni;
	return 0;
}

int rig_teardown(void **state)
{
	assert_null(answers);
	pub_garbage_free(rig.p.garbage);
	while (n_nodes)
		free(nodes[--n_nodes].data);
	free(nodes);
	nodes = NULL;
	return 0;
}

void rig_publish(uint32_t vni, bool has_flags)
{
	struct vpc_head head = { .vni = vni, .epoch = rig.vpcs[vni].epoch, .snapshot = 1, .chunks = 1,
				 .oldest = 2, .quota = 1000, .has_flags = has_flags };
	char path[VPC_ZNODE_PATH_MAX], *text;
	struct vpc_state state;
	size_t len, pos = 0;

	assert_int_equal(vpc_head_format(&head, &text, &len), 0);
	rig_write(vpc_path_vpc(vni, path), text);
	free(text);
	rig_write(vpc_path_snapshot(vni, 1, path), "");
	vpc_state_init(&state, vni);
	state.epoch = 1;
	assert_int_equal(vpc_chunk_format(&state, 0, &pos, &text, &len), 0);
	rig_write(vpc_path_chunk(vni, 1, 0, path), text);
	free(text);
	for (uint64_t epoch = head.oldest; epoch <= head.epoch; epoch++) {
		struct vpc_delta delta = { .vni = vni, .base = epoch - 1, .epoch = epoch, .time_ms = 1 };

		assert_int_equal(vpc_delta_format(&delta, &text, &len), 0);
		rig_write(vpc_path_delta(vni, epoch, path), text);
		free(text);
	}
}

struct vpc_head rig_head(uint32_t vni)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct vpc_head head = {};
	struct vpc_err err;
	const char *text = rig_read(vpc_path_vpc(vni, path), NULL);

	assert_non_null(text);
	assert_int_equal(vpc_head_parse(text, strlen(text), &head, &err), 0);
	return head;
}

int rig_many(size_t n, bool *ret_published)
{
	uint32_t *vnis = calloc(n, sizeof(*vnis));
	struct vpc_err err = {};
	int r;

	assert_non_null(vnis);
	for (size_t i = 0; i < n; i++)
		vnis[i] = i + 1;
	r = pub_many(&rig.p, vnis, n, ret_published, &err);
	free(vnis);
	return r;
}
