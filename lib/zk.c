// SPDX-License-Identifier: Apache-2.0
/*
 * ZooKeeper's asynchronous C client behind a queue and an eventfd (lib/zk.h). The client's two threads run
 * answer() and watcher() only: they copy, queue and wake. Everything else runs on the thread that calls
 * zk_dispatch().
 *
 * A request belongs to the client from the call until its completion comes out of the queue, and is freed then. A
 * deadline that passes moves it to the list of late ones, so a late answer finds nobody to tell. zookeeper_close()
 * calls some of the outstanding completions and forgets others (its completion thread ends early); it joins both
 * threads, so what is left on the lists is ours then.
 */
#include "zk_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "util.h"

#define REOPEN_US 1000000
#define REFUSED_MAX_US 60000000
#define PROBE_EVENT (-1000) /* in our queue, beside the client's */

enum req_type {
	REQ_DATA,
	REQ_CHILDREN,
	REQ_MULTI
};

struct zk_req {
	struct zk_item item;
	struct zk *zk;
	struct zk_req_list *list; /* pending or late */
	struct zk_req *prev, *next;
	enum req_type type;
	union {
		zk_data_fn data;
		zk_children_fn children;
		zk_done_fn done;
	} fn;
	void *arg;
	uint64_t deadline_us;
	char *path;

	/* The answer, written by the client's thread before the request is queued. */
	int rc;
	char *data;
	size_t len;
	int version;
	char **names; /* children; who may do what; a multi's paths */
	size_t n;
	zoo_op_result_t *results; /* of a multi's n steps */
};

struct zk_event {
	struct zk_item item;
	int type, state;
	char path[];
};

/* KeeperException.Code.QUOTAEXCEEDED, which the C client has no name for. */
#define QUOTA_EXCEEDED (-125)

static int to_errno(int rc)
{
	switch (rc) {
	case ZOK:
		return 0;
	case ZNONODE:
		return -ENOENT;
	case ZNODEEXISTS:
		return -EEXIST;
	case ZBADVERSION:
		return -EBADE;
	case ZNOTEMPTY:
		return -ENOTEMPTY;
	case ZNOAUTH:
	case ZAUTHFAILED:
		return -EACCES;
	case ZOPERATIONTIMEOUT:
		return -ETIMEDOUT;
	case ZCONNECTIONLOSS:
	case ZSESSIONEXPIRED:
	case ZSESSIONMOVED:
	case ZINVALIDSTATE:
	case ZCLOSING:
		return -ECONNRESET;
	case ZBADARGUMENTS:
		return -EINVAL;
	case ZSYSTEMERROR:
		return -ENOMEM;
	case QUOTA_EXCEEDED:
		return -EDQUOT;
	default:
		return -EIO;
	}
}

static void req_free(struct zk_req *req)
{
	free(req->path);
	free(req->data);
	free(req->results);
	zk_names_free(req->names, req->n);
	free(req);
}

/*
 * On the client's threads: @item is the queue's from here on. Who takes from the queue goes on until it is empty, and
 * is woken only when it was: under load one wake brings many answers.
 */
static void queue_put(struct zk *zk, struct zk_item *item)
{
	bool wake;

	pthread_mutex_lock(&zk->mutex);
	item->next = NULL;
	wake = !zk->first;
	if (zk->last)
		zk->last->next = item;
	else
		zk->first = item;
	zk->last = item;
	pthread_mutex_unlock(&zk->mutex);
	if (wake)
		eventfd_write(zk->fd, 1);
}

static struct zk_item *queue_take(struct zk *zk)
{
	struct zk_item *item;

	pthread_mutex_lock(&zk->mutex);
	item = zk->first;
	if (item)
		zk->first = item->next;
	if (!zk->first)
		zk->last = NULL;
	pthread_mutex_unlock(&zk->mutex);
	return item;
}

/* -- the client's threads ---------------------------------------------------------------------------------------- */

static void answer(struct zk_req *req, int rc)
{
	req->rc = rc;
	queue_put(req->zk, &req->item);
}

static void data_completion(int rc, const char *value, int len, const struct Stat *stat, const void *data)
{
	struct zk_req *req = (void *)data;

	if (rc == ZOK) {
		req->len = value && len > 0 ? len : 0;
		req->version = stat->version;
		req->data = malloc(req->len + 1);
		if (!req->data)
			rc = ZSYSTEMERROR;
	}
	if (rc == ZOK) {
		memcpy(req->data, req->len ? value : "", req->len);
		req->data[req->len] = '\0';
	}
	answer(req, rc);
}

static void stat_completion(int rc, const struct Stat *stat, const void *data)
{
	struct zk_req *req = (void *)data;

	if (rc == ZOK)
		req->version = stat->version;
	answer(req, rc);
}

static void children_completion(int rc, const struct String_vector *strings, const void *data)
{
	struct zk_req *req = (void *)data;

	if (rc == ZOK && strings->count > 0) {
		req->names = calloc(strings->count, sizeof(*req->names));
		if (!req->names)
			rc = ZSYSTEMERROR;
	}
	for (; rc == ZOK && req->n < (size_t)strings->count; req->n++) {
		req->names[req->n] = strdup(strings->data[req->n]);
		if (!req->names[req->n])
			rc = ZSYSTEMERROR;
	}
	answer(req, rc);
}

/* Each entry becomes a text, "SCHEME:ID PERMISSIONS". */
static void access_completion(int rc, struct ACL_vector *acl, struct Stat *stat, const void *data)
{
	struct zk_req *req = (void *)data;

	if (rc == ZOK && acl->count > 0) {
		req->names = calloc(acl->count, sizeof(*req->names));
		if (!req->names)
			rc = ZSYSTEMERROR;
	}
	for (; rc == ZOK && req->n < (size_t)acl->count; req->n++) {
		const struct ACL *entry = &acl->data[req->n];
		int perms = entry->perms;

		if (asprintf(&req->names[req->n], "%s:%s %s%s%s%s%s", entry->id.scheme, entry->id.id,
			     perms & ZOO_PERM_CREATE ? "c" : "", perms & ZOO_PERM_DELETE ? "d" : "",
			     perms & ZOO_PERM_READ ? "r" : "", perms & ZOO_PERM_WRITE ? "w" : "",
			     perms & ZOO_PERM_ADMIN ? "a" : "") < 0)
			rc = ZSYSTEMERROR;
	}
	answer(req, rc);
}

static void multi_completion(int rc, const void *data)
{
	answer((void *)data, rc);
}

static void event_put(struct zk *zk, int type, int state, const char *path)
{
	struct zk_event *event;

	event = malloc(sizeof(*event) + (path ? strlen(path) : 0) + 1);
	if (!event) {
		pthread_mutex_lock(&zk->mutex);
		zk->lost = true;
		pthread_mutex_unlock(&zk->mutex);
		eventfd_write(zk->fd, 1);
		return;
	}
	event->item.event = event;
	event->type = type;
	event->state = state;
	strcpy(event->path, path ? path : "");
	queue_put(zk, &event->item);
}

static void watcher(zhandle_t *zh, int type, int state, const char *path, void *context)
{
	event_put(context, type, state, path);
}

static void probe_completion(int rc, const struct Stat *stat, const void *data)
{
	event_put((void *)data, PROBE_EVENT, rc, NULL);
}

/* The daemon's own log has one line a failure already, from what the calls return. */
static void drop_log(const char *message)
{
}

/* -- the caller's thread ----------------------------------------------------------------------------------------- */

/* Sorted by deadline; most requests have the same timeout, so the place is at the end. */
static void list_add(struct zk_req_list *list, struct zk_req *req)
{
	struct zk_req *before = list->tail;

	while (before && before->deadline_us > req->deadline_us)
		before = before->prev;
	req->prev = before;
	req->next = before ? before->next : list->head;
	if (req->next)
		req->next->prev = req;
	else
		list->tail = req;
	if (before)
		before->next = req;
	else
		list->head = req;
	req->list = list;
}

static void list_del(struct zk_req *req)
{
	if (req->prev)
		req->prev->next = req->next;
	else
		req->list->head = req->next;
	if (req->next)
		req->next->prev = req->prev;
	else
		req->list->tail = req->prev;
	req->list = NULL;
}

/* The first step that failed; the steps behind it say "runtime inconsistency". */
static size_t failed_step(const struct zk_req *req)
{
	size_t i;

	for (i = 0; i < req->n; i++)
		if (req->results[i].err != ZOK)
			return i;
	return SIZE_MAX;
}

/* Calls the handler. */
static void req_tell(struct zk *zk, struct zk_req *req, int res)
{
	const char *path = req->path;

	switch (req->type) {
	case REQ_DATA:
		req->fn.data(res, path, res ? NULL : req->data, res ? 0 : req->len, res ? -1 : req->version, req->arg);
		break;
	case REQ_CHILDREN:
		req->fn.children(res, path, res ? NULL : req->names, res ? 0 : req->n, req->arg);
		break;
	case REQ_MULTI:
		zk->failed = res ? failed_step(req) : SIZE_MAX;
		if (zk->failed != SIZE_MAX)
			path = req->names[zk->failed];
		req->fn.done(res, path, req->arg);
		break;
	}
}

static void set_state(struct zk *zk, enum zk_state state)
{
	if (zk->state == state)
		return;
	zk->state = state;
	if (zk->ops.state)
		zk->ops.state(zk, state, zk->arg);
}

/*
 * A refused credential is the client's end: it connects no more. It may be the server's fault, so we try again; nobody
 * is told of connections meanwhile, until something is answered on one.
 */
static void refused(struct zk *zk)
{
	zk->refused_us = zk->refused_us ? zk->refused_us * 2 : REOPEN_US;
	if (zk->refused_us > REFUSED_MAX_US)
		zk->refused_us = REFUSED_MAX_US;
	zk->reopen_us = now_monotonic_us() + zk->refused_us;
	set_state(zk, ZK_AUTH_FAILED);
}

/* The answer to what was asked behind the credential. */
static void probed(struct zk *zk, int rc)
{
	int r = to_errno(rc);

	/* Not permitted is an answer; that the credential was refused, once more, is none. */
	if (rc == ZAUTHFAILED || (r && r != -ENOENT && r != -EACCES))
		return;
	zk->refused_us = 0;
	if (zk->up)
		set_state(zk, ZK_CONNECTED);
}

static void session_event(struct zk *zk, int state)
{
	zk->up = state == ZOO_CONNECTED_STATE;
	if (state == ZOO_CONNECTED_STATE) {
		if (!zk->refused_us || (zoo_aexists(zk->zh, "/", 0, probe_completion, zk) && !is_unrecoverable(zk->zh)))
			set_state(zk, ZK_CONNECTED);
	} else if (state == ZOO_EXPIRED_SESSION_STATE) {
		zk->expired = true;
		set_state(zk, ZK_EXPIRED);
	} else if (state == ZOO_AUTH_FAILED_STATE) {
		refused(zk);
	} else if (zk->state != ZK_AUTH_FAILED) {
		set_state(zk, ZK_CONNECTING);
	}
}

static int present(struct zk *zk, const char *credential)
{
	return to_errno(zoo_add_auth(zk->zh, "digest", credential, strlen(credential), NULL, NULL));
}

/* The client keeps them, and presents them whenever it connects, before anything that is asked after this. */
static int present_all(struct zk *zk)
{
	int i, r = 0;

	for (i = 0; i < ZK_CREDENTIALS_MAX && zk->credentials[i] && !r; i++)
		r = present(zk, zk->credentials[i]);
	return r;
}

/* Client threads must not take the daemon's signals. */
static int open_handle(struct zk *zk)
{
	sigset_t all, old;
	int saved;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	errno = 0;
	zk->zh = zookeeper_init2(zk->hosts, watcher, zk->session_ms, NULL, zk, ZOO_NO_LOG_CLIENTENV, drop_log);
	saved = errno;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!zk->zh)
		return saved ? -saved : -EINVAL;
	/* Else it looks the servers' names up each time before it waits for the socket, and not only to connect. */
	zoo_set_servers_resolution_delay(zk->zh, -1);
	return present_all(zk);
}

static void take_answer(struct zk *zk, struct zk_req *req)
{
	bool wanted = req->list == &zk->pending;

	list_del(req);
	if (wanted)
		req_tell(zk, req, to_errno(req->rc));
	req_free(req);
}

static void take_event(struct zk *zk, const struct zk_event *event)
{
	if (event->type == ZOO_SESSION_EVENT)
		session_event(zk, event->state);
	else if (event->type == PROBE_EVENT)
		probed(zk, event->state);
	else if (event->type != ZOO_NOTWATCHING_EVENT && zk->ops.changed)
		zk->ops.changed(zk, event->path, zk->arg);
}

/* The client is closed: what it had queued is of the past, and what it had not answered it never will. */
static void drop_queue(struct zk *zk, bool tell)
{
	struct zk_item *item;
	struct zk_req *req;

	while ((item = queue_take(zk)))
		if (item->event)
			free(item->event);
	while ((req = zk->late.head)) {
		list_del(req);
		req_free(req);
	}
	while ((req = zk->pending.head)) {
		list_del(req);
		if (tell)
			req_tell(zk, req, -ECONNRESET);
		req_free(req);
	}
}

/*
 * A session that has expired is replaced: the client completes everything pending, its threads are gone, and what
 * they left in the queue is of the past.
 */
static void reopen(struct zk *zk)
{
	zk->expired = false;
	zk->up = false;
	zk->reopen_us = 0;
	if (zk->zh)
		zookeeper_close(zk->zh);
	zk->zh = NULL;
	drop_queue(zk, true);
	if (open_handle(zk)) {
		zk->reopen_us = now_monotonic_us() + REOPEN_US;
		return;
	}
	if (zk->state != ZK_AUTH_FAILED)
		set_state(zk, ZK_CONNECTING);
}

static void check_lost(struct zk *zk)
{
	bool lost;

	pthread_mutex_lock(&zk->mutex);
	lost = zk->lost;
	zk->lost = false;
	pthread_mutex_unlock(&zk->mutex);
	if (!lost)
		return;
	zk->expired = true;
	set_state(zk, ZK_EXPIRED);
}

void zk_dispatch(struct zk *zk)
{
	struct zk_item *item;
	struct zk_req *req;
	eventfd_t value;
	uint64_t now;

	eventfd_read(zk->fd, &value);
	while ((item = queue_take(zk))) {
		if (item->event) {
			take_event(zk, item->event);
			free(item->event);
		} else {
			take_answer(zk, (struct zk_req *)item);
		}
	}
	now = now_monotonic_us();
	while ((req = zk->pending.head) && req->deadline_us <= now) {
		list_del(req);
		list_add(&zk->late, req);
		req_tell(zk, req, -ETIMEDOUT);
	}
	check_lost(zk);
	if (zk->expired || (zk->reopen_us && zk->reopen_us <= now))
		reopen(zk);
}

int zk_open(const char *hosts, unsigned int session_ms, const struct zk_ops *ops, void *arg, struct zk **ret_zk,
	    struct vpc_err *err)
{
	struct zk *zk;
	int r;

	zk = calloc(1, sizeof(*zk));
	if (!zk)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	pthread_mutex_init(&zk->mutex, NULL);
	zk->session_ms = session_ms;
	zk->arg = arg;
	if (ops)
		zk->ops = *ops;
	zk->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	zk->hosts = strdup(hosts);
	if (zk->fd < 0 || !zk->hosts) {
		r = vpc_err_set(err, zk->fd < 0 ? -errno : -ENOMEM, "cannot set up the ZooKeeper client: %s",
				strerror(errno));
		goto fail;
	}
	zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
	r = open_handle(zk);
	if (r) {
		vpc_err_set(err, r, "ZooKeeper servers '%s': %s (write HOST:PORT,HOST:PORT...)", hosts, strerror(-r));
		goto fail;
	}
	*ret_zk = zk;
	return 0;
fail:
	zk_close(zk);
	return r;
}

int zk_authenticate(struct zk *zk, const char *credential, struct vpc_err *err)
{
	int i = 0, r;

	while (i < ZK_CREDENTIALS_MAX - 1 && zk->credentials[i])
		i++;
	if (zk->credentials[i])
		return vpc_err_set(err, -E2BIG, "ZooKeeper: more than %d credentials", ZK_CREDENTIALS_MAX);
	zk->credentials[i] = strdup(credential);
	zk->acl = zk_acl_make(zk->acl_list, NULL, 0);
	r = zk->credentials[i] ? present(zk, credential) : -ENOMEM;
	return r ? vpc_err_set(err, r, "ZooKeeper: the credential cannot be presented: %s", strerror(-r)) : 0;
}

void zk_close(struct zk *zk)
{
	if (!zk)
		return;
	if (zk->zh)
		zookeeper_close(zk->zh);
	drop_queue(zk, false);
	if (zk->fd >= 0)
		close(zk->fd);
	pthread_mutex_destroy(&zk->mutex);
	for (int i = 0; i < ZK_CREDENTIALS_MAX && zk->credentials[i]; i++) {
		explicit_bzero(zk->credentials[i], strlen(zk->credentials[i]));
		free(zk->credentials[i]);
	}
	free(zk->hosts);
	free(zk);
}

void zk_closep(struct zk **zk)
{
	zk_close(*zk);
}

int zk_fd(struct zk *zk)
{
	return zk->fd;
}

uint64_t zk_next_deadline_us(struct zk *zk)
{
	uint64_t next = zk->pending.head ? zk->pending.head->deadline_us : UINT64_MAX;

	return zk->reopen_us && zk->reopen_us < next ? zk->reopen_us : next;
}

bool zk_connected(const struct zk *zk)
{
	return zk->state == ZK_CONNECTED;
}

static struct zk_req *req_new(struct zk *zk, enum req_type type, const char *path, unsigned int timeout_ms, void *arg)
{
	struct zk_req *req = calloc(1, sizeof(*req));

	if (!req)
		return NULL;
	req->path = strdup(path);
	if (!req->path) {
		free(req);
		return NULL;
	}
	req->zk = zk;
	req->type = type;
	req->arg = arg;
	req->deadline_us = now_monotonic_us() + (uint64_t)timeout_ms * 1000;
	return req;
}

/* One that is pending from now on, but for its handler. */
static int req_begin(struct zk *zk, enum req_type type, const char *path, unsigned int timeout_ms, void *arg,
		     struct zk_req **ret_req)
{
	struct zk_req *req;

	if (!zk_connected(zk))
		return -ENOTCONN;
	req = req_new(zk, type, path, timeout_ms, arg);
	if (!req)
		return -ENOMEM;
	list_add(&zk->pending, req);
	*ret_req = req;
	return 0;
}

/* @rc: what the client's call returned. When it was refused no completion will come. */
static int req_sent(struct zk *zk, struct zk_req *req, int rc)
{
	if (rc != ZOK) {
		list_del(req);
		req_free(req);
		return to_errno(rc);
	}
	return 0;
}

int zk_get(struct zk *zk, const char *path, bool watch, unsigned int timeout_ms, zk_data_fn fn, void *arg)
{
	struct zk_req *req;
	int r = req_begin(zk, REQ_DATA, path, timeout_ms, arg, &req);

	if (r)
		return r;
	req->fn.data = fn;
	return req_sent(zk, req, zoo_aget(zk->zh, path, watch, data_completion, req));
}

int zk_exists(struct zk *zk, const char *path, bool watch, unsigned int timeout_ms, zk_data_fn fn, void *arg)
{
	struct zk_req *req;
	int r = req_begin(zk, REQ_DATA, path, timeout_ms, arg, &req);

	if (r)
		return r;
	req->fn.data = fn;
	return req_sent(zk, req, zoo_aexists(zk->zh, path, watch, stat_completion, req));
}

int zk_children(struct zk *zk, const char *path, bool watch, unsigned int timeout_ms, zk_children_fn fn, void *arg)
{
	struct zk_req *req;
	int r = req_begin(zk, REQ_CHILDREN, path, timeout_ms, arg, &req);

	if (r)
		return r;
	req->fn.children = fn;
	return req_sent(zk, req, zoo_aget_children(zk->zh, path, watch, children_completion, req));
}

static int create_flags(const struct zk_op *op)
{
	return (op->ephemeral ? ZOO_EPHEMERAL : 0) | (op->sequential ? ZOO_SEQUENCE : 0);
}

/* What a step's access list is in, until it is sent. */
struct op_acl {
	struct ACL_vector acl;
	struct ACL list[ZK_ACL_MAX];
};

static void op_init(const struct zk *zk, zoo_op_t *to, const struct zk_op *op, struct op_acl *own)
{
	switch (op->type) {
	case ZK_OP_CHECK:
		zoo_check_op_init(to, op->path, op->version);
		break;
	case ZK_OP_CREATE:
		zoo_create_op_init(to, op->path, op->data, op->len, zk_acl_of_new(zk, op, &own->acl, own->list),
				   create_flags(op), NULL, 0);
		break;
	case ZK_OP_SET:
		zoo_set_op_init(to, op->path, op->data, op->len, op->version, NULL);
		break;
	case ZK_OP_DELETE:
		zoo_delete_op_init(to, op->path, op->version);
		break;
	}
}

int zk_multi(struct zk *zk, const struct zk_op *ops, size_t n, unsigned int timeout_ms, zk_done_fn fn, void *arg)
{
	_cleanup_free_ zoo_op_t *zoo_ops = NULL;
	_cleanup_free_ struct op_acl *acls = NULL;
	struct zk_req *req;

	if (!n)
		return -EINVAL;
	if (!zk_connected(zk))
		return -ENOTCONN;
	zoo_ops = calloc(n, sizeof(*zoo_ops));
	acls = calloc(n, sizeof(*acls));
	req = req_new(zk, REQ_MULTI, ops[0].path, timeout_ms, arg);
	if (!zoo_ops || !acls || !req)
		goto no_memory;
	req->fn.done = fn;
	req->results = calloc(n, sizeof(*req->results));
	req->names = calloc(n, sizeof(*req->names));
	if (!req->results || !req->names)
		goto no_memory;
	for (; req->n < n; req->n++) {
		req->names[req->n] = strdup(ops[req->n].path);
		if (!req->names[req->n])
			goto no_memory;
		op_init(zk, &zoo_ops[req->n], &ops[req->n], &acls[req->n]);
	}
	/*
	 * The client's thread knows of an expired session before we do, and then zoo_amulti() frees a path that it
	 * never set. Between here and there is a moment still.
	 */
	if (is_unrecoverable(zk->zh)) {
		req_free(req);
		return -ENOTCONN;
	}
	list_add(&zk->pending, req);
	return req_sent(zk, req, zoo_amulti(zk->zh, n, zoo_ops, req->results, multi_completion, req));
no_memory:
	if (req)
		req_free(req);
	return -ENOMEM;
}

int zk_grant(struct zk *zk, const char *path, const char *const *who, bool all, unsigned int timeout_ms, zk_done_fn fn,
	     void *arg)
{
	struct ACL list[ZK_ACL_MAX];
	struct ACL_vector acl = zk_acl_make(list, who, all ? ZOO_PERM_ALL : ZOO_PERM_CREATE);
	struct zk_req *req;
	int r = req_begin(zk, REQ_MULTI, path, timeout_ms, arg, &req);

	if (r)
		return r;
	req->fn.done = fn;
	return req_sent(zk, req, zoo_aset_acl(zk->zh, path, -1, &acl, multi_completion, req));
}

int zk_access(struct zk *zk, const char *path, unsigned int timeout_ms, zk_children_fn fn, void *arg)
{
	struct zk_req *req;
	int r = req_begin(zk, REQ_CHILDREN, path, timeout_ms, arg, &req);

	if (r)
		return r;
	req->fn.children = fn;
	return req_sent(zk, req, zoo_aget_acl(zk->zh, path, access_completion, req));
}

void zk_cancel(struct zk *zk, void *arg)
{
	struct zk_req *req, *next;

	for (req = zk->pending.head; req; req = next) {
		next = req->next;
		if (req->arg != arg)
			continue;
		list_del(req);
		list_add(&zk->late, req);
	}
}

void zk_interrupt(struct zk *zk)
{
	zk->interrupted = 1;
	eventfd_write(zk->fd, 1);
}
