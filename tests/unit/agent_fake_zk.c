// SPDX-License-Identifier: Apache-2.0
/*
 * ZooKeeper in memory, and the log, for the agent's unit tests; see agent_fake.h.
 */
#include "agent_fake.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <syslog.h>
#include "../../lib/log.h"
#include "../../lib/util.h"

#define MAX_NODES 8192
#define MAX_READS 20000

struct node {
	char *path, *data;
	size_t len;
	int version;
	unsigned int session; /* owner of an ephemeral; 0: persistent */
};

struct request {
	enum {
		GET,
		EXISTS,
		MULTI
	} type;
	char path[256];
	bool watch;
	zk_data_fn data_fn;
	zk_done_fn done_fn;
	void *arg;
	struct zk_op ops[2];
	char *copies[2];
	size_t n;
	unsigned int round;
	struct request *next;
};

struct zk {
	const struct zk_ops *ops;
	void *arg;
	int fd;
	bool connected;
};

static struct zk the_zk = { .fd = -1 };
static struct node nodes[MAX_NODES];
static size_t n_nodes;
static struct request *first, **last = &first;
static char *watched[MAX_NODES]; /* one-shot */
static size_t n_watched;
static char *fired[MAX_NODES];
static size_t n_fired;
static enum zk_state told[16];
static size_t n_told;
static unsigned int session;
static char *reads[MAX_READS];
static size_t n_reads;
static char held[256];
static unsigned int this_round = 1;

static void wake(void)
{
	if (the_zk.fd >= 0)
		eventfd_write(the_zk.fd, 1);
}

static struct node *find(const char *path)
{
	for (size_t i = 0; i < n_nodes; i++)
		if (!strcmp(nodes[i].path, path))
			return &nodes[i];
	return NULL;
}

static void fire(const char *path)
{
	for (size_t i = 0; i < n_watched; i++) {
		if (strcmp(watched[i], path))
			continue;
		fired[n_fired++] = watched[i];
		watched[i] = watched[--n_watched];
		wake();
		return;
	}
}

static void watch_add(const char *path)
{
	for (size_t i = 0; i < n_watched; i++)
		if (!strcmp(watched[i], path))
			return;
	watched[n_watched++] = strdup(path);
}

static void node_remove(struct node *node)
{
	fire(node->path);
	free(node->path);
	free(node->data);
	*node = nodes[--n_nodes];
}

static void node_put(const char *path, const void *data, size_t len, unsigned int owner)
{
	struct node *node = find(path);

	if (!node) {
		if (n_nodes == MAX_NODES)
			abort();
		node = &nodes[n_nodes++];
		*node = (struct node){ .path = strdup(path), .version = -1, .session = owner };
	}
	free(node->data);
	node->data = calloc(1, len + 1);
	memcpy(node->data, data, len);
	node->len = len;
	node->version++;
	fire(path);
}

static void tell(enum zk_state state)
{
	told[n_told++] = state;
	wake();
}

static void requests_drop(void *arg)
{
	struct request **p = &first, *req;

	while ((req = *p)) {
		if (arg && req->arg != arg) {
			p = &req->next;
			continue;
		}
		*p = req->next;
		free(req->copies[0]);
		free(req->copies[1]);
		free(req);
	}
	last = p;
}

static void strings_free(char **strings, size_t *n)
{
	while (*n)
		free(strings[--*n]);
}

void fake_zk_reset(void)
{
	while (n_nodes)
		node_remove(&nodes[0]);
	strings_free(watched, &n_watched);
	strings_free(fired, &n_fired);
	strings_free(reads, &n_reads);
	requests_drop(NULL);
	n_told = 0;
	session = 0;
	held[0] = '\0';
}

void fake_zk_connect(void)
{
	if (!session)
		session = 1;
	tell(ZK_CONNECTED);
}

void fake_zk_disconnect(void)
{
	tell(ZK_CONNECTING);
}

void fake_zk_expire(void)
{
	for (size_t i = 0; i < n_nodes;)
		if (nodes[i].session == session)
			node_remove(&nodes[i]);
		else
			i++;
	session++;
	strings_free(watched, &n_watched);
	tell(ZK_EXPIRED);
}

void fake_zk_set(const char *path, const char *data, size_t len)
{
	node_put(path, data, len, 0);
}

void fake_zk_del(const char *path)
{
	struct node *node = find(path);

	if (node)
		node_remove(node);
}

const char *fake_zk_data(const char *path)
{
	struct node *node = find(path);

	return node ? node->data : NULL;
}

bool fake_zk_watched(const char *path)
{
	for (size_t i = 0; i < n_watched; i++)
		if (!strcmp(watched[i], path))
			return true;
	return false;
}

bool fake_zk_session_owns(const char *path)
{
	struct node *node = find(path);

	return node && node->session && node->session == session;
}

unsigned int fake_zk_gets(const char *part)
{
	unsigned int n = 0;

	for (size_t i = 0; i < n_reads; i++)
		n += !!strstr(reads[i], part);
	return n;
}

void fake_zk_hold(const char *part)
{
	snprintf(held, sizeof(held), "%s", part ? part : "");
	wake();
}

/* -- lib/zk.h ------------------------------------------------------------------------------------------------------ */

int zk_open(const char *hosts, unsigned int session_ms, const struct zk_ops *ops, void *arg, struct zk **ret_zk,
	    struct vpc_err *err)
{
	the_zk = (struct zk){ .ops = ops, .arg = arg, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	wake();
	*ret_zk = &the_zk;
	return 0;
}

int zk_authenticate(struct zk *zk, const char *credential, struct vpc_err *err)
{
	return 0;
}

void zk_close(struct zk *zk)
{
	requests_drop(NULL);
	close(zk->fd);
	*zk = (struct zk){ .fd = -1 };
}

int zk_fd(struct zk *zk)
{
	return zk->fd;
}

uint64_t zk_next_deadline_us(struct zk *zk)
{
	return UINT64_MAX;
}

bool zk_connected(const struct zk *zk)
{
	return zk->connected;
}

const char *zk_strerror(int res)
{
	return strerror(-res);
}

static int request_add(struct request req)
{
	struct request *copy = malloc(sizeof(*copy));

	if (!the_zk.connected) {
		free(copy);
		return -ENOTCONN;
	}
	*copy = req;
	copy->round = this_round;
	copy->next = NULL;
	*last = copy;
	last = &copy->next;
	wake();
	return 0;
}

int zk_get(struct zk *zk, const char *path, bool watch, unsigned int timeout_ms, zk_data_fn fn, void *arg)
{
	struct request req = { .type = GET, .watch = watch, .data_fn = fn, .arg = arg };

	snprintf(req.path, sizeof(req.path), "%s", path);
	if (n_reads < MAX_READS)
		reads[n_reads++] = strdup(path);
	return request_add(req);
}

int zk_exists(struct zk *zk, const char *path, bool watch, unsigned int timeout_ms, zk_data_fn fn, void *arg)
{
	struct request req = { .type = EXISTS, .watch = watch, .data_fn = fn, .arg = arg };

	snprintf(req.path, sizeof(req.path), "%s", path);
	return request_add(req);
}

int zk_multi(struct zk *zk, const struct zk_op *ops, size_t n, unsigned int timeout_ms, zk_done_fn fn, void *arg)
{
	struct request req = { .type = MULTI, .done_fn = fn, .arg = arg, .n = n };

	if (!zk->connected)
		return -ENOTCONN;
	for (size_t i = 0; i < n; i++) {
		req.ops[i] = ops[i];
		req.copies[i] = calloc(1, ops[i].len + 1);
		if (ops[i].len)
			memcpy(req.copies[i], ops[i].data, ops[i].len);
	}
	snprintf(req.path, sizeof(req.path), "%s", ops[0].path);
	return request_add(req);
}

void zk_cancel(struct zk *zk, void *arg)
{
	requests_drop(arg);
}

static bool parent_there(const char *path)
{
	char parent[256];

	snprintf(parent, sizeof(parent), "%s", path);
	*strrchr(parent, '/') = '\0';
	for (size_t i = 0; i < n_nodes; i++)
		if (!strncmp(nodes[i].path, parent, strlen(parent)))
			return true;
	return false;
}

static int multi_check(const struct request *req)
{
	bool deleted = false;

	for (size_t i = 0; i < req->n; i++) {
		bool there = find(req->ops[i].path) && !deleted;

		if (req->ops[i].type == ZK_OP_CREATE ? there : !there)
			return there ? -EEXIST : -ENOENT;
		if (req->ops[i].type == ZK_OP_CREATE && !parent_there(req->ops[i].path))
			return -ENOENT;
		deleted = req->ops[i].type == ZK_OP_DELETE;
	}
	return 0;
}

static int multi_run(const struct request *req)
{
	int res = multi_check(req);

	for (size_t i = 0; !res && i < req->n; i++) {
		if (req->ops[i].type == ZK_OP_DELETE)
			fake_zk_del(req->ops[i].path);
		else
			node_put(req->ops[i].path, req->copies[i], req->ops[i].len,
				 req->ops[i].ephemeral ? session : 0);
	}
	return res;
}

static void answer(struct request *req, int res)
{
	struct node *node = find(req->path);

	if (req->type == MULTI) {
		if (!res)
			res = multi_run(req);
		req->done_fn(res, req->path, req->arg);
		return;
	}
	if (!res && !node)
		res = -ENOENT;
	if (req->watch && (!res || (res == -ENOENT && req->type == EXISTS)))
		watch_add(req->path);
	if (res || req->type == EXISTS)
		req->data_fn(res, req->path, NULL, 0, res ? -1 : node->version, req->arg);
	else
		req->data_fn(0, req->path, node->data, node->len, node->version, req->arg);
}

static bool is_held(const struct request *req)
{
	return held[0] && strstr(req->path, held);
}

/* The first that was asked before this round and may be answered, taken out of the queue. */
static struct request *request_take(unsigned int before, bool all)
{
	struct request **p, *req;

	for (p = &first; (req = *p); p = &req->next) {
		if (req->round >= before || (!all && is_held(req)))
			continue;
		*p = req->next;
		if (last == &req->next)
			last = p;
		return req;
	}
	return NULL;
}

/* Answers what has been asked so far; what the handlers ask is answered the next time. @res 0: truly. */
static void answer_all(int res)
{
	struct request *req;

	this_round++;
	while ((req = request_take(this_round, res))) {
		answer(req, res);
		free(req->copies[0]);
		free(req->copies[1]);
		free(req);
	}
}

static void states_run(struct zk *zk)
{
	for (size_t i = 0; i < n_told; i++) {
		zk->connected = told[i] == ZK_CONNECTED;
		if (!zk->connected)
			answer_all(-ECONNRESET);
		zk->ops->state(zk, told[i], zk->arg);
	}
	n_told = 0;
}

void zk_dispatch(struct zk *zk)
{
	eventfd_t value;
	char *path;

	eventfd_read(zk->fd, &value);
	states_run(zk);
	while (zk->connected && n_fired) {
		path = fired[--n_fired];
		zk->ops->changed(zk, path, zk->arg);
		free(path);
	}
	if (zk->connected)
		answer_all(0);
}

/* -- lib/log.h ----------------------------------------------------------------------------------------------------- */

#define MAX_LINES 4096

static char *lines[MAX_LINES];
static size_t n_lines;

void log_init(const char *ident, int level)
{
}

int log_level_parse(const char *text)
{
	return LOG_INFO;
}

bool log_says(int priority)
{
	return priority <= LOG_INFO;
}

void log_msg(int priority, const char *fmt, ...)
{
	va_list ap;

	if (!log_says(priority) || n_lines == MAX_LINES)
		return;
	va_start(ap, fmt);
	if (vasprintf(&lines[n_lines], fmt, ap) >= 0)
		n_lines++;
	va_end(ap);
}

void fake_log_reset(void)
{
	strings_free(lines, &n_lines);
}

unsigned int fake_log_count(const char *part)
{
	unsigned int n = 0;

	for (size_t i = 0; i < n_lines; i++)
		n += !!strstr(lines[i], part);
	return n;
}

void fake_log_print(void)
{
	for (size_t i = 0; i < n_lines; i++)
		fprintf(stderr, "    log: %s\n", lines[i]);
}
