// SPDX-License-Identifier: Apache-2.0
/*
 * Who may write what (proto/zookeeper.md, "Access"). New nodes are ours by themselves (lib/zk.h); a host's folder must
 * let its agent create in it, and a tree from before there were credentials must be gone through once.
 */
#include "publisher.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../lib/log.h"
#include "../lib/util.h"

#define SAY_EVERY 10000

/* How access lists name @host. */
static void host_id(const struct publisher *p, const char *host, char ret[ZK_ID_MAX])
{
	char credential[ZK_CREDENTIAL_MAX];

	zk_credential_host(p->credential, host, credential);
	zk_credential_id(credential, ret);
}

int pub_protect_host(struct publisher *p, const char *host, const char *path, struct vpc_err *err)
{
	char id[ZK_ID_MAX];
	int r;

	if (!*p->credential)
		return 0;
	host_id(p, host, id);
	r = zk_grant_wait(p->zk, path, id, false, p->timeout_ms);
	return r ? pub_zk_failed(p, r, path, err) : 0;
}

/* Whether @path is a host's folder, or in it: *ret_host is its name, *ret_leaf what is behind it, or NULL. */
static bool in_host(const char *path, char *ret_host, const char **ret_leaf)
{
	static const char hosts[] = VPC_ZNODE_ROOT "/hosts/";
	const char *name, *end;

	if (strncmp(path, hosts, strlen(hosts)))
		return false;
	name = strchr(path + strlen(hosts), '/');
	if (!name++)
		return false;
	end = strchrnul(name, '/');
	if (end - name > VPC_HOST_NAME_MAX)
		return false;
	snprintf(ret_host, VPC_HOST_NAME_MAX + 1, "%.*s", (int)(end - name), name);
	*ret_leaf = *end ? end + 1 : NULL;
	return vpc_host_name_valid(ret_host);
}

/* A node that is gone meanwhile needs nothing. */
static int protect_node(struct publisher *p, const char *path, struct vpc_err *err)
{
	char host[VPC_HOST_NAME_MAX + 1], id[ZK_ID_MAX];
	const char *who = NULL, *leaf = NULL;
	int r;

	if (in_host(path, host, &leaf) && (!leaf || !strcmp(leaf, "status") || !strcmp(leaf, "alive"))) {
		host_id(p, host, id);
		who = id;
	}
	r = zk_grant_wait(p->zk, path, who, leaf, p->timeout_ms);
	return r && r != -ENOENT ? pub_zk_failed(p, r, path, err) : 0;
}

static int protect_below(struct publisher *p, const char *path, size_t *count, struct vpc_err *err)
{
	char child[VPC_ZNODE_PATH_MAX], **names = NULL;
	size_t n = 0, i;
	int r;

	r = protect_node(p, path, err);
	if (!r)
		r = pub_children(p, path, &names, &n, err);
	if (r)
		return r == -ENOENT ? 0 : r;
	if (!(++*count % SAY_EVERY))
		log_info("%zu nodes protected", *count);
	for (i = 0; i < n && !r; i++) {
		if (snprintf(child, sizeof(child), "%s/%s", path, names[i]) < (int)sizeof(child))
			r = protect_below(p, child, count, err);
		else
			r = vpc_err_set(err, -ENAMETOOLONG, "ZooKeeper: %s/%s: too long a path", path, names[i]);
	}
	zk_names_free(names, n);
	return r;
}

int pub_protect(struct publisher *p, struct vpc_err *err)
{
	size_t count = 0;
	int r;

	if (!*p->credential)
		return vpc_err_set(err, -EINVAL, "--protect: [zookeeper] credential_file is not set");
	r = zk_connect_wait(p->zk, p->timeout_ms);
	if (r)
		return vpc_err_set(err, r, "ZooKeeper at %s: %s", p->config->zk_hosts, zk_strerror(r));
	r = protect_below(p, VPC_ZNODE_ROOT, &count, err);
	if (!r)
		log_info("%zu nodes protected, that is all", count);
	return r;
}
