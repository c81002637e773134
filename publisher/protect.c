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

void pub_host_id(const struct publisher *p, const char *host, char ret[ZK_ID_MAX])
{
	char credential[ZK_CREDENTIAL_MAX];

	zk_credential_host(p->credential, host, credential);
	zk_credential_id(credential, ret);
	explicit_bzero(credential, sizeof(credential));
}

int pub_protect_host(struct publisher *p, const char *host, bool own, struct vpc_err *err)
{
	char path[VPC_ZNODE_PATH_MAX], id[ZK_ID_MAX];
	int r;

	if (!*p->credential)
		return 0;
	vpc_path_host(host, NULL, path);
	pub_host_id(p, host, id);
	r = zk_grant_wait(p->zk, path, own ? id : NULL, false, p->timeout_ms);
	if (!r || r == -ENOENT)
		return r;
	return pub_zk_failed(p, r, path, err);
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

struct tally {
	size_t ours, hosts, others; /* nodes: protected; hosts' own, and closed; not ours to change, and not closed */
};

/* Whether @entry of an access list lets nobody but @host do more than read. */
static bool entry_closed(const char *entry, const char *host)
{
	const char *perms = strrchr(entry, ' ');
	size_t len = strlen(host);

	if (perms && !strcmp(perms, " r"))
		return true;
	return !strncmp(entry, "digest:", 7) && !strncmp(entry + 7, host, len) && entry[7 + len] == ':';
}

/*
 * A node that we may not change. What an agent makes with its credential is its own (lists are changed by who has that
 * right on the node itself) and closed already; anything else is reported, and what is there besides goes on.
 */
static int look_at(struct publisher *p, const char *path, const char *host, struct tally *tally, struct vpc_err *err)
{
	char list[256] = "", **names = NULL;
	bool closed = host;
	size_t n = 0, i;
	int r;

	r = zk_access_wait(p->zk, path, p->timeout_ms, &names, &n);
	if (r && r != -EACCES)
		return r == -ENOENT ? 0 : pub_zk_failed(p, r, path, err);
	for (i = 0; i < n; i++) {
		size_t len = strlen(list);

		closed = closed && entry_closed(names[i], host);
		snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "", names[i]);
	}
	zk_names_free(names, n);
	if (!r && closed) {
		tally->hosts++;
		return 0;
	}
	tally->others++;
	log_warn("%s is not ours to protect: it is open to %s", path, *list ? list : "nobody knows whom");
	return 0;
}

/* A node that is gone meanwhile needs nothing. */
static int protect_node(struct publisher *p, const char *path, struct tally *tally, struct vpc_err *err)
{
	char host[VPC_HOST_NAME_MAX + 1], id[ZK_ID_MAX];
	const char *who = NULL, *leaf = NULL;
	bool own;
	int r;

	own = in_host(path, host, &leaf) && (!leaf || !strcmp(leaf, "status") || !strcmp(leaf, "alive"));
	if (own) {
		pub_host_id(p, host, id);
		who = id;
	}
	r = zk_grant_wait(p->zk, path, who, leaf, p->timeout_ms);
	if (r == -EACCES)
		return look_at(p, path, own && leaf ? host : NULL, tally, err);
	if (!r)
		tally->ours++;
	return r && r != -ENOENT ? pub_zk_failed(p, r, path, err) : 0;
}

static int protect_below(struct publisher *p, const char *path, struct tally *tally, struct vpc_err *err)
{
	char child[VPC_ZNODE_PATH_MAX], **names = NULL;
	size_t n = 0, i;
	int r;

	r = protect_node(p, path, tally, err);
	if (!r)
		r = pub_children(p, path, &names, &n, err);
	if (r)
		return r == -ENOENT || r == -EACCES ? 0 : r;
	if (!((tally->ours + tally->hosts + tally->others) % SAY_EVERY))
		log_info("%zu nodes protected", tally->ours);
	for (i = 0; i < n && !r; i++) {
		if (snprintf(child, sizeof(child), "%s/%s", path, names[i]) < (int)sizeof(child)) {
			r = protect_below(p, child, tally, err);
		} else {
			/* Nobody of ours makes such a one. */
			log_warn("%s/%s is not ours to protect: too long a path", path, names[i]);
			tally->others++;
		}
	}
	zk_names_free(names, n);
	return r;
}

int pub_protect(struct publisher *p, struct vpc_err *err)
{
	struct tally tally = {};
	int r;

	if (!*p->credential)
		return vpc_err_set(err, -EINVAL, "--protect: [zookeeper] credential_file is not set");
	r = zk_connect_wait(p->zk, p->timeout_ms);
	if (r)
		return vpc_err_set(err, r, "ZooKeeper at %s: %s", p->config->zk_hosts, zk_strerror(r));
	r = protect_below(p, VPC_ZNODE_ROOT, &tally, err);
	if (r)
		return r;
	log_info("%zu nodes protected, and %zu hosts' own closed already; that is all", tally.ours, tally.hosts);
	if (tally.others)
		return vpc_err_set(err, -EACCES, "%zu nodes are not this publisher's to protect", tally.others);
	return 0;
}
