/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lib/zk.c, lib/zk_acl.c and lib/zk_wait.c share, and lib/zk's own test. Nobody else includes this.
 */
#ifndef VPC_ZK_IMPL_H
#define VPC_ZK_IMPL_H

#include <pthread.h>
#include <signal.h>
#include <zookeeper/zookeeper.h>
#include "zk.h"

/* What a thread of the client puts into the queue. */
struct zk_item {
	struct zk_item *next;
	struct zk_event *event; /* NULL: the item is the head of a struct zk_req */
};

struct zk_req;

struct zk_req_list {
	struct zk_req *head, *tail;
};

#define ZK_ACL_MAX (2 + ZK_WHO_MAX)

/* DOC: Locking. @mutex guards the queue (@first, @last) and @lost; all else is for zk_dispatch()'s thread alone. */
struct zk {
	zhandle_t *zh; /* NULL: could not be opened, see reopen_us */
	char *hosts;
	unsigned int session_ms;
	char *credentials[ZK_CREDENTIALS_MAX]; /* NULL behind the last */
	struct ACL acl_list[ZK_ACL_MAX];
	struct ACL_vector acl; /* of nodes that are created, with @credentials */
	struct zk_ops ops;
	void *arg;
	int fd; /* eventfd */
	enum zk_state state;
	uint64_t reopen_us; /* when to try again; 0: not needed */
	bool expired; /* the handle is dead, close it and open another */
	bool up; /* there is a connection, which is not told of while refused_us */
	uint64_t refused_us; /* the credential was refused: the pause before the next try; 0: it was not */
	struct zk_req_list pending; /* by deadline; their handlers have not been called */
	struct zk_req_list late; /* with the client still, but nobody waits for them any more */
	size_t failed; /* the failing step of the multi whose handler runs now */
	volatile sig_atomic_t interrupted;

	pthread_mutex_t mutex;
	struct zk_item *first, *last;
	bool lost; /* an event could not be kept for want of memory */
};

/* zk_acl.c */
/* Into @list: ours to change ("auth" is all that we have presented) and everybody's to read, and @perms for @who. */
struct ACL_vector zk_acl_make(struct ACL list[ZK_ACL_MAX], const char *const *who, int perms);
/* Of a node that @op creates. A list for its @who is made in @acl and @list. */
const struct ACL_vector *zk_acl_of_new(const struct zk *zk, const struct zk_op *op, struct ACL_vector *acl,
				       struct ACL list[ZK_ACL_MAX]);

#endif
