// SPDX-License-Identifier: Apache-2.0
/*
 * The right to write. /vpc/v1/fence is set by each publisher that begins to lead; its version is the token that every
 * later write checks in the same multi, so a publisher that was asleep cannot overwrite what its successor has
 * written. All of the publisher's access to ZooKeeper goes through here.
 */
#include "publisher.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/log.h"
#include "../lib/util.h"

#define TAKE_TRIES 5

bool pub_zk_lost(int res)
{
	return res == -ECONNRESET || res == -ENOTCONN || res == -ETIMEDOUT || res == -EINTR;
}

int pub_zk_failed(struct publisher *p, int res, const char *path, struct vpc_err *err)
{
	p->zk_trouble = pub_zk_lost(res);
	return vpc_err_set(err, res, "ZooKeeper: %s: %s", path, zk_strerror(res));
}

int pub_cdb(struct publisher *p, int res)
{
	switch (res) {
	case 0:
	case -ENOENT:
	case -E2BIG:
	case -EPROTO:
	case -ERANGE:
	case -EINVAL:
	case -EEXIST:
	case -ENOMEM:
		break;
	default:
		p->cdb_trouble = true;
	}
	return res;
}

int pub_get(struct publisher *p, const char *path, char **ret_data, size_t *ret_len, int *ret_version,
	    struct vpc_err *err)
{
	int r = zk_get_wait(p->zk, path, p->timeout_ms, ret_data, ret_len, ret_version);

	return r && r != -ENOENT ? pub_zk_failed(p, r, path, err) : r;
}

int pub_children(struct publisher *p, const char *path, char ***ret_names, size_t *ret_n, struct vpc_err *err)
{
	int r = zk_children_wait(p->zk, path, p->timeout_ms, ret_names, ret_n);

	return r && r != -ENOENT ? pub_zk_failed(p, r, path, err) : r;
}

int pub_mkpath(struct publisher *p, const char *path, struct vpc_err *err)
{
	int r = zk_mkpath_wait(p->zk, path, p->timeout_ms);

	return r ? pub_zk_failed(p, r, path, err) : 0;
}

void pub_fence_op(const struct publisher *p, struct zk_op *ret_op)
{
	*ret_op = (struct zk_op){ .type = ZK_OP_CHECK, .path = VPC_ZNODE_FENCE, .version = p->fence_version };
}

int pub_multi_failed(struct publisher *p, int res, const char *path, struct vpc_err *err)
{
	if (!strcmp(path, VPC_ZNODE_FENCE) && (res == -EBADE || res == -ENOENT)) {
		p->fenced = true;
		if (res == -ENOENT)
			return vpc_err_set(err, -EPERM, "%s is gone: was ZooKeeper emptied?", VPC_ZNODE_FENCE);
		return vpc_err_set(err, -EPERM, "%s has changed: another publisher has taken over", VPC_ZNODE_FENCE);
	}
	return pub_zk_failed(p, res, path, err);
}

int pub_multi(struct publisher *p, struct zk_op *ops, size_t n, size_t *ret_failed, struct vpc_err *err)
{
	size_t failed;
	int r;

	pub_fence_op(p, &ops[0]);
	r = zk_multi_wait(p->zk, ops, n, p->timeout_ms, &failed);
	if (!r)
		return 0;
	if (ret_failed)
		*ret_failed = failed;
	return pub_multi_failed(p, r, failed < n ? ops[failed].path : ops[n - 1].path, err);
}

char *pub_who_am_i(char *buf)
{
	char name[64] = "";

	gethostname(name, sizeof(name) - 1);
	snprintf(buf, PUB_WHO_MAX, "%s:%ld", name, (long)getpid());
	return buf;
}

int pub_wait(struct publisher *p)
{
	struct pollfd pfd = { .fd = zk_fd(p->zk), .events = POLLIN };
	uint64_t until = zk_next_deadline_us(p->zk), now = now_monotonic_us();

	poll(&pfd, 1, until <= now ? 0 : until - now > 1000000 ? 1000 : (int)((until - now + 999) / 1000));
	zk_dispatch(p->zk);
	return p->stop ? -EINTR : 0;
}

/* Once: read and write under its version. -EBADE, -EEXIST: somebody else was quicker. */
static int take_once(struct publisher *p, struct vpc_err *err)
{
	struct zk_op ops[] = { { .type = ZK_OP_CREATE, .path = VPC_ZNODE_FENCE },
			       { .type = ZK_OP_CREATE, .path = VPC_ZNODE_COMPARE } };
	bool asked = false;
	_cleanup_free_ char *old = NULL, *data = NULL;
	struct vpc_fence fence = {};
	int r, version = -1;
	size_t len;

	r = pub_get(p, VPC_ZNODE_FENCE, &old, &len, &version, err);
	if (r && r != -ENOENT)
		return r;
	if (!r) {
		ops[0].type = ZK_OP_SET;
		ops[0].version = version;
		r = vpc_fence_parse(old, len, &fence, err);
		if (r)
			return vpc_err_prefix(err, r, "%s", VPC_ZNODE_FENCE);
	}
	fence.term++;
	pub_who_am_i(fence.publisher);
	r = vpc_fence_format(&fence, &data, &ops[0].len);
	if (r)
		return vpc_err_set(err, r, "%s: %s", VPC_ZNODE_FENCE, strerror(-r));
	ops[0].data = data;
	/* A fence that is new: the tree may be, too, and nobody may lead without knowing that. */
	r = pub_compare_asked(p, false, &asked, err);
	if (r)
		return r;
	r = zk_multi_wait(p->zk, ops, (version < 0 || p->all) && !asked ? 2 : 1, p->timeout_ms, NULL);
	if (r)
		return pub_zk_failed(p, r, VPC_ZNODE_FENCE, err);
	p->fence_version = version + 1;
	p->has_fence = true;
	p->fenced = false;
	log_info("publishing as %s, term %" PRIu64, fence.publisher, fence.term);
	pub_notify(p, "READY=1\nSTATUS=publishing, term %" PRIu64, fence.term);
	if (version < 0)
		log_info("%s is new: every VPC and host is compared", VPC_ZNODE_FENCE);
	else if (asked)
		log_info("%s is there: every VPC and host is compared", VPC_ZNODE_COMPARE);
	p->all = false;
	p->compare.look = true;
	return 0;
}

int pub_fence_take(struct publisher *p, struct vpc_err *err)
{
	int r, i;

	/* What is above may be somebody else's, who lets nobody create in it. */
	r = zk_exists_wait(p->zk, VPC_ZNODE_ROOT, false, p->timeout_ms);
	if (r)
		r = pub_mkpath(p, VPC_ZNODE_ROOT, err);
	if (r)
		return r;
	for (i = 0; i < TAKE_TRIES; i++) {
		r = take_once(p, err);
		if (r != -EBADE && r != -EEXIST)
			break;
	}
	return r;
}
