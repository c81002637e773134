// SPDX-License-Identifier: Apache-2.0
/*
 * Publishing one host: /hosts/<hh>/<host>/ports becomes what CDB wants there. A host that CDB no longer has loses
 * the node; what its agent wrote beside it stays the agent's.
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

static int write_ports(struct publisher *p, const struct vpc_host_ports *ports, const char *data, size_t len,
		       struct vpc_err *err)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct zk_op ops[2] = { [1] = { .type = ZK_OP_CREATE, .path = path, .data = data, .len = len } };
	_cleanup_free_ char *old = NULL;
	size_t old_len;
	int r;

	vpc_path_host(ports->host, "ports", path);
	r = pub_get(p, path, &old, &old_len, &ops[1].version, err);
	if (!r && old_len == len && !memcmp(old, data, len))
		return 0;
	if (!r) {
		ops[1].type = ZK_OP_SET;
		compare_revision(path, old, old_len, ports->revision);
	} else if (r == -ENOENT) {
		*strrchr(path, '/') = '\0';
		r = pub_mkpath(p, path, err);
		if (!r)
			r = pub_protect_host(p, ports->host, path, err);
		vpc_path_host(ports->host, "ports", path);
	}
	if (r)
		return r;
	r = pub_multi(p, ops, ARRAY_SIZE(ops), NULL, err);
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
