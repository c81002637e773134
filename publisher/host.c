// SPDX-License-Identifier: Apache-2.0
/*
 * Publishing one host: /hosts/<hh>/<host>/ports becomes what CDB wants there. A host that CDB no longer has loses
 * the node; what its agent wrote beside it stays the agent's.
 *
 * The host's own credential may create in its folder, `ports` too if that were missing: so the folder comes with it,
 * and in one that is there already the right is given after, and taken away before. A `ports` of version 0 is one whose
 * publisher may have ended in between.
 */
#include "publisher.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/log.h"
#include "../lib/util.h"

/* As pub_vpc_gone(). */
static int host_gone(struct publisher *p, const char *host, struct vpc_err *err)
{
	bool there;
	int r;

	r = pub_cdb(p, cdb_host_exists(p->cdb, host, &there, err));
	if (r)
		return r;
	return there ? vpc_err_set(err, -EAGAIN, "host %s came back meanwhile", host) : 0;
}

static int remove_host(struct publisher *p, const char *host, struct vpc_err *err)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct zk_op ops[2] = { [1] = { .type = ZK_OP_DELETE, .path = path, .version = -1 } };
	int r;

	r = host_gone(p, host, err);
	if (r)
		return r;
	r = pub_protect_host(p, host, false, err);
	if (r && r != -ENOENT)
		return r;
	vpc_path_host(host, "ports", path);
	r = pub_multi(p, ops, ARRAY_SIZE(ops), NULL, err);
	if (r && r != -ENOENT)
		return r;
	if (!r) {
		log_debug("host %s: removed", host);
		p->counts.removed++;
	}
	vpc_path_host(host, NULL, path);
	r = pub_multi(p, ops, ARRAY_SIZE(ops), NULL, err);
	return r == -ENOENT || r == -ENOTEMPTY ? 0 : r;
}

/* The revision that is published, for the log only: a malformed node is simply replaced. */
static void compare_revision(const char *path, const char *data, size_t len, uint64_t revision)
{
	struct vpc_host_ports old = {};
	struct vpc_err bad = {};

	if (vpc_host_ports_parse(data, len, &old, &bad))
		log_err("%s: %s: it is published anew", path, bad.text);
	else if (old.revision > revision)
		log_warn("%s: revision goes back from %" PRIu64 " to %" PRIu64
			 ": the host was added anew, or CDB was restored",
			 path, old.revision, revision);
	vpc_host_ports_clear(&old);
}

/* Both are missing. That `ports` is written twice says that nothing is left to do. -EEXIST: the folder is there. */
static int create_folder(struct publisher *p, const char *host, struct zk_op *ports, struct vpc_err *err)
{
	char folder[VPC_ZNODE_PATH_MAX];
	struct pub_host_ids ids;
	struct zk_op ops[] = {
		[1] = { .type = ZK_OP_CREATE, .path = folder, .who = *p->credential ? ids.who : NULL },
		[2] = *ports,
		[3] = *ports,
	};
	int r;

	if (*p->credential)
		pub_host_ids(p, host, &ids);
	vpc_path_host(host, NULL, folder);
	*strrchr(folder, '/') = '\0';
	r = pub_mkpath(p, folder, err);
	vpc_path_host(host, NULL, folder);
	ops[3].type = ZK_OP_SET;
	return r ?: pub_multi(p, ops, ARRAY_SIZE(ops), NULL, err);
}

/* `ports` is there, and perhaps just so. */
static int complete(struct publisher *p, const char *host, struct zk_op *ops, struct vpc_err *err)
{
	int r;

	if (!*p->credential)
		return 0;
	r = pub_protect_host(p, host, true, err);
	if (r)
		return r;
	ops[1].type = ZK_OP_SET;
	ops[1].version = 0;
	return pub_multi(p, ops, 2, NULL, err);
}

static int create_ports(struct publisher *p, const char *host, struct zk_op *ops, struct vpc_err *err)
{
	int r;

	ops[1].type = ZK_OP_CREATE;
	r = create_folder(p, host, &ops[1], err);
	if (r != -EEXIST)
		return r;
	r = pub_multi(p, ops, 2, NULL, err);
	return r ?: complete(p, host, ops, err);
}

/* We may not write it: somebody else has made it. The folder is ours, so we may delete it. */
static int replace_ports(struct publisher *p, const char *host, struct zk_op *ops, struct vpc_err *err)
{
	struct zk_op both[3] = { [1] = { .type = ZK_OP_DELETE, .path = ops[1].path, .version = -1 } };
	int r;

	log_warn("%s: somebody else has made it, with its own access list: it is made anew", ops[1].path);
	both[2] = ops[1];
	both[2].type = ZK_OP_CREATE;
	r = pub_multi(p, both, ARRAY_SIZE(both), NULL, err);
	if (r == -ENOTEMPTY || r == -EACCES)
		return vpc_err_set(err, r,
				   "%s: somebody else has made it, and what is below it or its folder is not ours "
				   "either: delete it as ZooKeeper's administrator",
				   ops[1].path);
	return r ?: complete(p, host, ops, err);
}

static int write_ports(struct publisher *p, const struct vpc_host_ports *ports, const char *data, size_t len,
		       struct vpc_err *err)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct zk_op ops[2] = { [1] = { .type = ZK_OP_SET, .path = path, .data = data, .len = len } };
	_cleanup_free_ char *old = NULL;
	size_t old_len;
	bool same;
	int r;

	vpc_path_host(ports->host, "ports", path);
	r = pub_get(p, path, &old, &old_len, &ops[1].version, err);
	if (r && r != -ENOENT)
		return r;
	same = !r && old_len == len && !memcmp(old, data, len);
	if (same && (ops[1].version || !*p->credential))
		return 0;
	if (r) {
		r = create_ports(p, ports->host, ops, err);
	} else {
		if (!same)
			compare_revision(path, old, old_len, ports->revision);
		r = ops[1].version ? 0 : pub_protect_host(p, ports->host, true, err);
		if (!r)
			r = pub_multi(p, ops, ARRAY_SIZE(ops), NULL, err);
		if (r == -EACCES)
			r = replace_ports(p, ports->host, ops, err);
	}
	if (r == -EBADE || r == -EEXIST || r == -ENOENT)
		return vpc_err_set(err, -EAGAIN, "%s has changed meanwhile", path);
	if (r)
		return r;
	log_debug("host %s: revision %" PRIu64 " published (ports %zu)", ports->host, ports->revision, ports->n_ports);
	p->counts.hosts++;
	return 0;
}

int pub_host(struct publisher *p, const char *host, struct vpc_err *err)
{
	_cleanup_(vpc_host_ports_clear) struct vpc_host_ports ports = {};
	_cleanup_free_ char *data = NULL;
	size_t len;
	int r;

	if (!vpc_host_name_valid(host))
		return vpc_err_set(err, -EPROTO, "CDB: '%s' is not a host name", host);
	r = pub_cdb(p, cdb_host_ports_load(p->cdb, host, &ports, err));
	if (r == -ENOENT)
		return remove_host(p, host, err);
	if (r)
		return r;
	r = vpc_host_ports_format(&ports, &data, &len);
	if (r)
		return vpc_err_set(err, r, "host %s: its %zu ports cannot be written: %s", host, ports.n_ports,
				   r == -E2BIG ? "they do not fit into 512 KiB" : strerror(-r));
	return write_ports(p, &ports, data, len, err);
}
