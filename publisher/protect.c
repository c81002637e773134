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

#define SAY_EVERY   10000
#define RENEW_TRIES 10

void pub_host_ids(const struct publisher *p, const char *host, struct pub_host_ids *ret_ids)
{
	const char *const ours[ZK_WHO_MAX] = { p->credential, p->old_credential };
	char credential[ZK_CREDENTIAL_MAX];
	size_t n = 0;

	for (; n < ZK_WHO_MAX && *ours[n]; n++) {
		zk_credential_host(ours[n], host, credential);
		zk_credential_id(credential, ret_ids->text[n]);
		ret_ids->who[n] = ret_ids->text[n];
	}
	ret_ids->who[n] = NULL;
	explicit_bzero(credential, sizeof(credential));
}

int pub_protect_host(struct publisher *p, const char *host, bool own, struct vpc_err *err)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct pub_host_ids ids;
	struct zk_op fence;
	int r;

	if (!*p->credential)
		return 0;
	/* A list cannot be set in a multi: that we still lead is asked just before (doc/architecture.md). */
	r = pub_multi(p, &fence, 1, NULL, err);
	if (r)
		return r;
	vpc_path_host(host, NULL, path);
	pub_host_ids(p, host, &ids);
	r = zk_grant_wait(p->zk, path, own ? ids.who : NULL, false, p->timeout_ms);
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

/*
 * A host's `status` that its agent has made with the credential of before: that list is the agent's, and an agent with
 * the new one could not write it. The same is made anew, for both. `alive` goes with its session. -EACCES: nothing is
 * done, the folder is not ours. A status that the agent writes in between is read again.
 */
static int renew_status(struct publisher *p, const char *path, const struct pub_host_ids *ids)
{
	struct zk_op ops[] = {
		{ .type = ZK_OP_DELETE, .path = path },
		{ .type = ZK_OP_CREATE, .path = path, .who = ids->who, .all = true },
	};
	int r;

	for (int i = 0; i < RENEW_TRIES; i++) {
		_cleanup_free_ char *data = NULL;

		r = zk_get_wait(p->zk, path, p->timeout_ms, &data, &ops[1].len, &ops[0].version);
		if (r)
			return r;
		ops[1].data = data;
		r = zk_multi_wait(p->zk, ops, ARRAY_SIZE(ops), p->timeout_ms, NULL);
		if (r != -EBADE)
			break;
	}
	return r;
}

/* A node that is gone meanwhile needs nothing. */
static int protect_node(struct publisher *p, const char *path, struct tally *tally, struct vpc_err *err)
{
	char host[VPC_HOST_NAME_MAX + 1];
	struct pub_host_ids ids;
	const char *const *who = NULL;
	const char *leaf = NULL;
	bool own;
	int r;

	own = in_host(path, host, &leaf) && (!leaf || !strcmp(leaf, "status") || !strcmp(leaf, "alive"));
	if (own) {
		pub_host_ids(p, host, &ids);
		who = ids.who;
	}
	r = zk_grant_wait(p->zk, path, who, leaf, p->timeout_ms);
	if (r == -EACCES && own && leaf && !strcmp(leaf, "status") && *p->old_credential)
		r = renew_status(p, path, &ids);
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

/* Whether @entry of an access list is one that we make: of either of our credentials, or that all may read. */
static bool entry_ours(const struct publisher *p, const char *entry)
{
	const char *const ours[] = { p->credential, p->old_credential };
	char id[ZK_ID_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
		size_t len;

		if (!*ours[i])
			continue;
		zk_credential_id(ours[i], id);
		len = strlen(id);
		if (!strncmp(entry, "digest:", 7) && !strncmp(entry + 7, id, len) && entry[7 + len] == ' ')
			return true;
	}
	return !strcmp(entry, "world:anyone r");
}

/*
 * The node above ours, where a publisher with a credential has made it: its list names that credential. One that is
 * open, or that names anybody else, is the administrator's.
 */
static int protect_above(struct publisher *p, struct vpc_err *err)
{
	char path[] = VPC_ZNODE_ROOT, **names = NULL;
	bool ours = true;
	size_t n = 0;
	int r;

	*strrchr(path, '/') = '\0';
	r = zk_access_wait(p->zk, path, p->timeout_ms, &names, &n);
	for (size_t i = 0; i < n; i++)
		ours = ours && entry_ours(p, names[i]);
	zk_names_free(names, n);
	if (!r && ours)
		r = zk_grant_wait(p->zk, path, NULL, false, p->timeout_ms);
	return r && r != -EACCES && r != -ENOENT ? pub_zk_failed(p, r, path, err) : 0;
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
	r = protect_above(p, err);
	if (!r)
		r = protect_below(p, VPC_ZNODE_ROOT, &tally, err);
	if (r)
		return r;
	log_info("%zu nodes protected, and %zu hosts' own closed already; that is all", tally.ours, tally.hosts);
	if (tally.others)
		return vpc_err_set(err, -EACCES, "%zu nodes are not this publisher's to protect", tally.others);
	return 0;
}
