// SPDX-License-Identifier: Apache-2.0
/*
 * The blocking side of lib/zk.h, for programs that have nothing else to do meanwhile (the publisher, vpcctl): each
 * call makes one asynchronous request and drives the queue until its handler has run.
 */
#include "zk_impl.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "util.h"

/* Where a handler leaves what it was given. */
struct wait {
	struct zk *zk;
	bool done;
	int res;
	char *data;
	size_t len;
	int version;
	char **names;
	size_t n, failed;
};

/* One round: sleeps until the queue has something, the client's next deadline or @deadline_us. */
static int wait_round(struct zk *zk, uint64_t deadline_us)
{
	struct pollfd pfd = { .fd = zk->fd, .events = POLLIN };
	uint64_t now = now_monotonic_us(), until = zk_next_deadline_us(zk);
	int timeout_ms;

	if (zk->interrupted)
		return -EINTR;
	if (deadline_us < until)
		until = deadline_us;
	timeout_ms = until <= now ? 0 : until - now > 3600000000ULL ? 3600000 : (int)((until - now + 999) / 1000);
	if (poll(&pfd, 1, timeout_ms) < 0 && errno != EINTR)
		return -errno;
	zk_dispatch(zk);
	return 0;
}

/* @res: of the call that began it. */
static int wait_done(struct zk *zk, struct wait *wait, int res)
{
	int r;

	if (res)
		return res;
	while (!wait->done) {
		r = wait_round(zk, UINT64_MAX);
		if (r) {
			zk_cancel(zk, wait);
			return r;
		}
	}
	return wait->res;
}

static void data_done(int res, const char *path, const char *data, size_t len, int version, void *arg)
{
	struct wait *wait = arg;

	wait->done = true;
	wait->res = res;
	if (res)
		return;
	wait->data = malloc(len + 1);
	if (!wait->data) {
		wait->res = -ENOMEM;
		return;
	}
	memcpy(wait->data, len ? data : "", len); /* an answer to exists has none */
	wait->data[len] = '\0';
	wait->len = len;
	wait->version = version;
}

static void children_done(int res, const char *path, char *const *names, size_t n, void *arg)
{
	struct wait *wait = arg;

	wait->done = true;
	wait->res = res;
	if (res)
		return;
	wait->names = calloc(n + 1, sizeof(*wait->names));
	for (; wait->names && wait->n < n; wait->n++) {
		wait->names[wait->n] = strdup(names[wait->n]);
		if (!wait->names[wait->n])
			break;
	}
	if (wait->names && wait->n == n)
		return;
	zk_names_free(wait->names, wait->n);
	wait->res = -ENOMEM;
}

static void multi_done(int res, const char *path, void *arg)
{
	struct wait *wait = arg;

	wait->done = true;
	wait->res = res;
	wait->failed = wait->zk->failed;
}

int zk_connect_wait(struct zk *zk, unsigned int timeout_ms)
{
	uint64_t deadline_us = now_monotonic_us() + (uint64_t)timeout_ms * 1000;
	int r;

	while (!zk_connected(zk)) {
		if (now_monotonic_us() >= deadline_us)
			return -ETIMEDOUT;
		r = wait_round(zk, deadline_us);
		if (r)
			return r;
	}
	return 0;
}

int zk_get_wait(struct zk *zk, const char *path, unsigned int timeout_ms, char **ret_data, size_t *ret_len,
		int *ret_version)
{
	struct wait wait = {};
	int r;

	r = wait_done(zk, &wait, zk_get(zk, path, false, timeout_ms, data_done, &wait));
	if (r)
		return r;
	*ret_data = wait.data;
	*ret_len = wait.len;
	if (ret_version)
		*ret_version = wait.version;
	return 0;
}

int zk_exists_wait(struct zk *zk, const char *path, bool watch, unsigned int timeout_ms)
{
	struct wait wait = {};
	int r = wait_done(zk, &wait, zk_exists(zk, path, watch, timeout_ms, data_done, &wait));

	free(wait.data);
	return r;
}

int zk_children_wait(struct zk *zk, const char *path, unsigned int timeout_ms, char ***ret_names, size_t *ret_n)
{
	struct wait wait = {};
	int r;

	r = wait_done(zk, &wait, zk_children(zk, path, false, timeout_ms, children_done, &wait));
	if (r)
		return r;
	*ret_names = wait.names;
	*ret_n = wait.n;
	return 0;
}

int zk_multi_wait(struct zk *zk, const struct zk_op *ops, size_t n, unsigned int timeout_ms, size_t *ret_failed)
{
	struct wait wait = { .zk = zk, .failed = SIZE_MAX };
	int r;

	r = wait_done(zk, &wait, zk_multi(zk, ops, n, timeout_ms, multi_done, &wait));
	if (r && ret_failed)
		*ret_failed = wait.failed;
	return r;
}

int zk_grant_wait(struct zk *zk, const char *path, const char *const *who, bool all, unsigned int timeout_ms)
{
	struct wait wait = { .zk = zk };

	return wait_done(zk, &wait, zk_grant(zk, path, who, all, timeout_ms, multi_done, &wait));
}

int zk_access_wait(struct zk *zk, const char *path, unsigned int timeout_ms, char ***ret_names, size_t *ret_n)
{
	struct wait wait = {};
	int r;

	r = wait_done(zk, &wait, zk_access(zk, path, timeout_ms, children_done, &wait));
	if (r)
		return r;
	*ret_names = wait.names;
	*ret_n = wait.n;
	return 0;
}

int zk_mkpath_wait(struct zk *zk, const char *path, unsigned int timeout_ms)
{
	struct zk_op op = { .type = ZK_OP_CREATE, .path = path };
	_cleanup_free_ char *parent = NULL;
	char *slash;
	int r;

	r = zk_multi_wait(zk, &op, 1, timeout_ms, NULL);
	if (r != -ENOENT)
		return r == -EEXIST ? 0 : r;
	parent = strdup(path);
	if (!parent)
		return -ENOMEM;
	slash = strrchr(parent, '/');
	if (!slash || slash == parent)
		return -ENOENT;
	*slash = '\0';
	r = zk_mkpath_wait(zk, parent, timeout_ms);
	if (r)
		return r;
	r = zk_multi_wait(zk, &op, 1, timeout_ms, NULL);
	return r == -EEXIST ? 0 : r;
}
