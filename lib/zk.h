/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ZooKeeper access: the C client's asynchronous API behind a queue and a file descriptor, so that a daemon with one
 * event loop never runs code on the client's threads and never waits without a deadline.
 *
 * The client's callbacks only copy their result into the queue and wake the fd (eventfd). zk_dispatch() runs the
 * handlers on the caller's thread. A request whose answer does not come by its deadline gets -ETIMEDOUT from
 * zk_dispatch(), once, and a late answer is discarded. The blocking wrappers (zk_*_wait) drive the same queue, for
 * programs without a loop.
 */
#ifndef VPC_ZK_H
#define VPC_ZK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "err.h"

struct zk;

enum zk_state {
	ZK_CONNECTING,
	ZK_CONNECTED,
	ZK_EXPIRED,	/* the session is gone, ephemerals and watches with it; the struct makes a new one by itself */
	ZK_AUTH_FAILED,	/* the session is gone, too; said once, however often the struct has to try again, by itself */
};

/* All called from zk_dispatch(). */
struct zk_ops {
	void (*state)(struct zk *zk, enum zk_state state, void *arg);
	/* A watch left by a read with @watch fired, once (data changed, deleted, created or children changed). */
	void (*changed)(struct zk *zk, const char *path, void *arg);
};

/*
 * @res: 0 or -errno: -ENOENT no node, -EEXIST, -EBADE bad version, -ENOTEMPTY, -ECONNRESET connection or session lost,
 * -ETIMEDOUT, -EACCES, -EDQUOT. After -ECONNRESET and -ETIMEDOUT a write may have happened, or may still. @path and
 * @data live until the handler returns; of a multi that failed, @path is the failing step's.
 */
typedef void (*zk_data_fn)(int res, const char *path, const char *data, size_t len, int version, void *arg);
typedef void (*zk_children_fn)(int res, const char *path, char *const *names, size_t n, void *arg);
typedef void (*zk_done_fn)(int res, const char *path, void *arg);

/* One step of a multi. */
struct zk_op {
	enum {
		ZK_OP_CHECK,
		ZK_OP_CREATE,
		ZK_OP_SET,
		ZK_OP_DELETE,
	} type;
	const char *path;
	const void *data;
	size_t len;
	int version;		/* CHECK, SET, DELETE; -1: any */
	bool ephemeral;		/* CREATE */
	bool sequential;	/* CREATE: ZooKeeper adds ten digits, more with each node of the parent */
	const char *const *who;	/* CREATE: as zk_grant() behind it, in the same step; NULL: nobody */
	bool all;
};

int zk_open(const char *hosts, unsigned int session_ms, const struct zk_ops *ops, void *arg, struct zk **ret_zk,
	    struct vpc_err *err);
/*
 * Presents "user:password" (lib/zk_auth.h) in this session and all that follow; at once after zk_open(). Nodes that are
 * created from then on can be changed by who has it, and read by everybody; without, everybody may do everything.
 * Called again, at once, with another one: we are both, and who has either may change what we create. -E2BIG: a third.
 */
#define ZK_CREDENTIALS_MAX 2
int zk_authenticate(struct zk *zk, const char *credential, struct vpc_err *err);
/* Pending requests are dropped, their handlers not called. Not from a handler. */
void zk_close(struct zk *zk);
void zk_closep(struct zk **zk);
int zk_fd(struct zk *zk);			/* readable: call zk_dispatch() */
uint64_t zk_next_deadline_us(struct zk *zk);	/* CLOCK_MONOTONIC; UINT64_MAX: none. Call zk_dispatch() then, too */
/* Until nothing is left to be told; so no handler may wait for zk_fd() itself, nor use the blocking calls below. */
void zk_dispatch(struct zk *zk);
bool zk_connected(const struct zk *zk);

/* "no such node", "connection lost" ...: what the -errno of a request says about ZooKeeper. */
const char *zk_strerror(int res);

/*
 * Asynchronous. 0: @fn will be called exactly once; -errno: it will not. @timeout_ms counts from now. -ENOTCONN while
 * there is no connection: nothing is queued for later, because the caller reads everything again once it is back
 * anyway.
 */
int zk_get(struct zk *zk, const char *path, bool watch, unsigned int timeout_ms, zk_data_fn fn, void *arg);
int zk_exists(struct zk *zk, const char *path, bool watch, unsigned int timeout_ms, zk_data_fn fn, void *arg);
int zk_children(struct zk *zk, const char *path, bool watch, unsigned int timeout_ms, zk_children_fn fn, void *arg);
int zk_multi(struct zk *zk, const struct zk_op *ops, size_t n, unsigned int timeout_ms, zk_done_fn fn, void *arg);

/*
 * Who may do what with a node that is there: as with a new one, and besides those whom access lists call @who (a list
 * that ends with NULL, of ZK_WHO_MAX at most; NULL: nobody) may create below it, or, @all, do everything with it.
 */
#define ZK_WHO_MAX 2
int zk_grant(struct zk *zk, const char *path, const char *const *who, bool all, unsigned int timeout_ms, zk_done_fn fn,
	     void *arg);
/*
 * Who may do what with a node: names "SCHEME:ID PERMISSIONS", of the letters "cdrwa" (create below it, delete there,
 * read, write, change this list). Of a "digest" ID that is not ours ZooKeeper says the user alone, "USER:x".
 */
int zk_access(struct zk *zk, const char *path, unsigned int timeout_ms, zk_children_fn fn, void *arg);

/* Forgets the pending requests whose handlers have this @arg: they will not be called. */
void zk_cancel(struct zk *zk, void *arg);

/*
 * Blocking, for the publisher and tools. *ret_data is NUL-terminated, free() it. *ret_failed: the step that failed,
 * set only when a step did (SIZE_MAX otherwise), may be NULL.
 */
int zk_connect_wait(struct zk *zk, unsigned int timeout_ms);
int zk_get_wait(struct zk *zk, const char *path, unsigned int timeout_ms, char **ret_data, size_t *ret_len,
		int *ret_version);
/* -ENOENT is an answer, too: with @watch both are watched. */
int zk_exists_wait(struct zk *zk, const char *path, bool watch, unsigned int timeout_ms);
int zk_children_wait(struct zk *zk, const char *path, unsigned int timeout_ms, char ***ret_names, size_t *ret_n);
int zk_multi_wait(struct zk *zk, const struct zk_op *ops, size_t n, unsigned int timeout_ms, size_t *ret_failed);
int zk_grant_wait(struct zk *zk, const char *path, const char *const *who, bool all, unsigned int timeout_ms);
int zk_access_wait(struct zk *zk, const char *path, unsigned int timeout_ms, char ***ret_names, size_t *ret_n);
/* Creates @path and what is missing above it, empty; 0 when it was there. */
int zk_mkpath_wait(struct zk *zk, const char *path, unsigned int timeout_ms);
void zk_names_free(char **names, size_t n);
/* Async-signal-safe: the blocking call under way and all later ones return -EINTR. */
void zk_interrupt(struct zk *zk);

#endif
