// SPDX-License-Identifier: Apache-2.0
/*
 * lib/zk against a real ZooKeeper of our own (scripts/services.sh, run from the top of the tree): answers and
 * errors, watches, deadlines while the server is stopped, a lost connection, an expired session, a credential that is
 * refused, closing with requests under way.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "../../lib/util.h"
#include "../../lib/zk.h"
#include "../../lib/zk_impl.h"

#define TIMEOUT_MS 20000

static char dir[] = "/tmp/vpc-test-zk.XXXXXX";
static char hosts[64];
static pid_t server;

/* zookeeper_close() does not free what belongs to requests that were under way. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libzookeeper_mt.so\n";
}

/* What the ops have seen. */
struct seen {
	unsigned int connecting, connected, expired, refused, changed;
	char path[256]; /* of the last change */
};

static void on_state(struct zk *zk, enum zk_state state, void *arg)
{
	struct seen *seen = arg;

	switch (state) {
	case ZK_CONNECTING:
		seen->connecting++;
		break;
	case ZK_CONNECTED:
		seen->connected++;
		break;
	case ZK_EXPIRED:
		seen->expired++;
		break;
	case ZK_AUTH_FAILED:
		seen->refused++;
		break;
	}
}

static void on_changed(struct zk *zk, const char *path, void *arg)
{
	struct seen *seen = arg;

	seen->changed++;
	snprintf(seen->path, sizeof(seen->path), "%s", path);
}

static const struct zk_ops ops = { .state = on_state, .changed = on_changed };

static void run(const char *verb)
{
	char command[128];

	snprintf(command, sizeof(command), "scripts/services.sh %s %s zookeeper", verb, dir);
	assert_int_equal(system(command), 0);
}

static long read_number(const char *name)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[128];
	long n;

	snprintf(path, sizeof(path), "%s/zookeeper/%s", dir, name);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld", &n), 1);
	return n;
}

static void start_server(void)
{
	run("start");
	snprintf(hosts, sizeof(hosts), "127.0.0.1:%ld", read_number("port"));
	server = read_number("pid");
}

/* Whether the thread @task of the server is stopped or gone. */
static bool task_stopped(const char *task)
{
	char path[300], line[256], state = 'T';
	const char *after;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", server, task);
	file = fopen(path, "re");
	if (!file)
		return true;
	after = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	if (after)
		state = after[2];
	fclose(file);
	return state == 'T';
}

/* A signal to a process with threads: each of them stops when it comes to it, and until then it answers. */
static void stop_server(void)
{
	char path[64];
	struct dirent *task;
	bool stopped;
	DIR *tasks;

	kill(server, SIGSTOP);
	snprintf(path, sizeof(path), "/proc/%d/task", server);
	do {
		stopped = true;
		tasks = opendir(path);
		assert_non_null(tasks);
		while ((task = readdir(tasks)))
			stopped &= task->d_name[0] == '.' || task_stopped(task->d_name);
		closedir(tasks);
	} while (!stopped);
}

/* Runs the queue until *what is @n, or fails. */
static void wait_for(struct zk *zk, const unsigned int *what, unsigned int n)
{
	uint64_t end = now_monotonic_us() + TIMEOUT_MS * 1000ULL;

	while (*what < n) {
		struct pollfd pfd = { .fd = zk_fd(zk), .events = POLLIN };
		uint64_t now = now_monotonic_us(), next = zk_next_deadline_us(zk);

		if (now > end)
			fail_msg("waited for %u, have %u", n, *what);
		poll(&pfd, 1, next <= now ? 0 : next - now < 100000 ? (int)((next - now) / 1000 + 1) : 100);
		zk_dispatch(zk);
	}
	assert_int_equal(*what, n);
}

static struct zk *open_connected(struct seen *seen)
{
	struct vpc_err err;
	struct zk *zk;

	if (seen)
		memset(seen, 0, sizeof(*seen));
	assert_int_equal(zk_open(hosts, 10000, seen ? &ops : NULL, seen, &zk, &err), 0);
	assert_int_equal(zk_connect_wait(zk, TIMEOUT_MS), 0);
	return zk;
}

static int create(struct zk *zk, const char *path, const char *data)
{
	struct zk_op op = { .type = ZK_OP_CREATE, .path = path, .data = data, .len = strlen(data) };

	return zk_multi_wait(zk, &op, 1, TIMEOUT_MS, NULL);
}

static int set(struct zk *zk, const char *path, const char *data, int version)
{
	struct zk_op op = { .type = ZK_OP_SET, .path = path, .data = data, .len = strlen(data), .version = version };

	return zk_multi_wait(zk, &op, 1, TIMEOUT_MS, NULL);
}

static int delete (struct zk *zk, const char *path)
{
	struct zk_op op = { .type = ZK_OP_DELETE, .path = path, .version = -1 };

	return zk_multi_wait(zk, &op, 1, TIMEOUT_MS, NULL);
}

/* Counts the calls, keeps the last result. */
struct count {
	unsigned int calls;
	int res, version;
	size_t len;
};

static void count_data(int res, const char *path, const char *data, size_t len, int version, void *arg)
{
	struct count *count = arg;

	count->calls++;
	count->res = res;
	count->version = version;
	count->len = len;
}

static void count_done(int res, const char *path, void *arg)
{
	struct count *count = arg;

	count->calls++;
	count->res = res;
}

static void test_bad_hosts(void **state)
{
	struct vpc_err err = {};
	struct zk *zk;

	assert_true(zk_open("no port here", 10000, NULL, NULL, &zk, &err) < 0);
	assert_non_null(strstr(err.text, "no port here"));
	assert_true(zk_open("", 10000, NULL, NULL, &zk, &err) < 0);
}

static void test_nobody_there(void **state)
{
	struct count count = {};
	struct vpc_err err;
	struct zk *zk;

	assert_int_equal(zk_open("127.0.0.1:1", 10000, NULL, NULL, &zk, &err), 0);
	assert_int_equal(zk_connect_wait(zk, 50), -ETIMEDOUT);
	assert_false(zk_connected(zk));
	assert_int_equal(zk_get(zk, "/", false, 1000, count_data, &count), -ENOTCONN);
	zk_dispatch(zk);
	assert_int_equal(count.calls, 0);
	zk_close(zk);
}

static void test_answers(void **state)
{
	_cleanup_(zk_closep) struct zk *zk = open_connected(NULL);
	_cleanup_free_ char *data = NULL;
	char **names;
	size_t n, len;
	int version;

	assert_int_equal(zk_mkpath_wait(zk, "/answers/a/b/c", TIMEOUT_MS), 0);
	assert_int_equal(zk_mkpath_wait(zk, "/answers/a/b/c", TIMEOUT_MS), 0);
	assert_int_equal(zk_get_wait(zk, "/answers/a/b/c", TIMEOUT_MS, &data, &len, &version), 0);
	assert_string_equal(data, "");
	assert_int_equal(len, 0);
	assert_int_equal(version, 0);
	free(data);
	data = NULL;

	assert_int_equal(create(zk, "/answers/x", "one"), 0);
	assert_int_equal(create(zk, "/answers/x", "one"), -EEXIST);
	assert_int_equal(create(zk, "/answers/no/x", "one"), -ENOENT);
	assert_int_equal(set(zk, "/answers/x", "two", 0), 0);
	assert_int_equal(set(zk, "/answers/x", "three", 0), -EBADE);
	assert_int_equal(set(zk, "/answers/y", "three", -1), -ENOENT);
	assert_int_equal(delete (zk, "/answers/a"), -ENOTEMPTY);
	assert_int_equal(zk_get_wait(zk, "/answers/x", TIMEOUT_MS, &data, &len, &version), 0);
	assert_string_equal(data, "two");
	assert_int_equal(version, 1);
	assert_int_equal(zk_get_wait(zk, "/answers/y", TIMEOUT_MS, &data, &len, &version), -ENOENT);
	assert_int_equal(zk_get_wait(zk, "no slash", TIMEOUT_MS, &data, &len, &version), -EINVAL);

	assert_int_equal(zk_children_wait(zk, "/answers", TIMEOUT_MS, &names, &n), 0);
	assert_int_equal(n, 2);
	zk_names_free(names, n);
	assert_int_equal(zk_children_wait(zk, "/answers/x", TIMEOUT_MS, &names, &n), 0);
	assert_int_equal(n, 0);
	zk_names_free(names, n);
	assert_int_equal(zk_children_wait(zk, "/answers/y", TIMEOUT_MS, &names, &n), -ENOENT);
}

static void test_binary_and_large(void **state)
{
	_cleanup_(zk_closep) struct zk *zk = open_connected(NULL);
	_cleanup_free_ char *data = NULL, *large = malloc(900 * 1024);
	struct zk_op op = { .type = ZK_OP_CREATE, .path = "/large", .data = large, .len = 900 * 1024 };
	size_t len, i;

	for (i = 0; i < op.len; i++)
		large[i] = i * 7;
	assert_int_equal(zk_multi_wait(zk, &op, 1, TIMEOUT_MS, NULL), 0);
	assert_int_equal(zk_get_wait(zk, "/large", TIMEOUT_MS, &data, &len, NULL), 0);
	assert_int_equal(len, op.len);
	assert_memory_equal(data, large, len);
}

/* All or nothing, and the step that failed is named. */
static void test_multi(void **state)
{
	_cleanup_(zk_closep) struct zk *zk = open_connected(NULL);
	struct zk_op steps[] = {
		{ .type = ZK_OP_CHECK, .path = "/multi", .version = 0 },
		{ .type = ZK_OP_CREATE, .path = "/multi/a", .data = "a", .len = 1 },
		{ .type = ZK_OP_SET, .path = "/multi/b", .data = "b", .len = 1, .version = 0 },
		{ .type = ZK_OP_DELETE, .path = "/multi/c", .version = -1 },
	};
	size_t failed = 77, len;
	char *data;

	assert_int_equal(create(zk, "/multi", ""), 0);
	assert_int_equal(create(zk, "/multi/b", ""), 0);
	assert_int_equal(zk_multi_wait(zk, steps, ARRAY_SIZE(steps), TIMEOUT_MS, &failed), -ENOENT);
	assert_int_equal(failed, 3);
	assert_int_equal(zk_get_wait(zk, "/multi/a", TIMEOUT_MS, &data, &len, NULL), -ENOENT);
	assert_int_equal(create(zk, "/multi/c", ""), 0);
	assert_int_equal(zk_multi_wait(zk, steps, ARRAY_SIZE(steps), TIMEOUT_MS, &failed), 0);
	assert_int_equal(zk_multi_wait(zk, steps, ARRAY_SIZE(steps), TIMEOUT_MS, &failed), -EEXIST);
	assert_int_equal(failed, 1);
	assert_int_equal(set(zk, "/multi", "x", 0), 0);
	assert_int_equal(zk_multi_wait(zk, steps, ARRAY_SIZE(steps), TIMEOUT_MS, &failed), -EBADE);
	assert_int_equal(failed, 0);
	assert_int_equal(zk_multi_wait(zk, steps, 0, TIMEOUT_MS, &failed), -EINVAL);
}

static void test_watches(void **state)
{
	struct seen seen;
	_cleanup_(zk_closep) struct zk *zk = open_connected(&seen);
	struct count count = {};

	assert_int_equal(create(zk, "/watched", "1"), 0);
	assert_int_equal(zk_get(zk, "/watched", true, TIMEOUT_MS, count_data, &count), 0);
	wait_for(zk, &count.calls, 1);
	assert_int_equal(set(zk, "/watched", "2", -1), 0);
	wait_for(zk, &seen.changed, 1);
	assert_string_equal(seen.path, "/watched");
	/* Fired once: not again before it is read again. */
	assert_int_equal(set(zk, "/watched", "3", -1), 0);
	assert_int_equal(zk_get(zk, "/watched", true, TIMEOUT_MS, count_data, &count), 0);
	wait_for(zk, &count.calls, 2);
	assert_int_equal(seen.changed, 1);
	assert_int_equal(count.version, 2);
	assert_int_equal(delete (zk, "/watched"), 0);
	wait_for(zk, &seen.changed, 2);

	assert_int_equal(zk_exists(zk, "/later", true, TIMEOUT_MS, count_data, &count), 0);
	wait_for(zk, &count.calls, 3);
	assert_int_equal(count.res, -ENOENT);
	assert_int_equal(create(zk, "/later", ""), 0);
	wait_for(zk, &seen.changed, 3);
	assert_string_equal(seen.path, "/later");
}

static void test_deadline(void **state)
{
	_cleanup_(zk_closep) struct zk *zk = open_connected(NULL);
	struct count count = {}, multi = {};
	struct zk_op op = { .type = ZK_OP_CREATE, .path = "/deadline" };
	size_t len;
	char *data;

	stop_server();
	assert_int_equal(zk_get(zk, "/", false, 30, count_data, &count), 0);
	assert_int_equal(zk_get(zk, "/", false, 10, count_data, &count), 0);
	assert_int_equal(zk_multi(zk, &op, 1, 20, count_done, &multi), 0);
	assert_true(zk_next_deadline_us(zk) <= now_monotonic_us() + 10000);
	wait_for(zk, &count.calls, 2);
	wait_for(zk, &multi.calls, 1);
	assert_int_equal(count.res, -ETIMEDOUT);
	assert_int_equal(multi.res, -ETIMEDOUT);
	assert_int_equal(zk_next_deadline_us(zk), UINT64_MAX);
	kill(server, SIGCONT);
	/* The late answers come before this one, and find nobody. */
	assert_int_equal(zk_get_wait(zk, "/deadline", TIMEOUT_MS, &data, &len, NULL), 0);
	free(data);
	assert_int_equal(count.calls, 2);
	assert_int_equal(multi.calls, 1);
}

static void test_cancel(void **state)
{
	_cleanup_(zk_closep) struct zk *zk = open_connected(NULL);
	struct count gone = {}, kept = {};

	assert_int_equal(zk_get(zk, "/", false, TIMEOUT_MS, count_data, &gone), 0);
	assert_int_equal(zk_get(zk, "/", false, TIMEOUT_MS, count_data, &kept), 0);
	assert_int_equal(zk_get(zk, "/", false, TIMEOUT_MS, count_data, &gone), 0);
	zk_cancel(zk, &gone);
	wait_for(zk, &kept.calls, 1);
	assert_int_equal(zk_get(zk, "/", false, TIMEOUT_MS, count_data, &kept), 0);
	wait_for(zk, &kept.calls, 2);
	assert_int_equal(gone.calls, 0);
}

static void test_connection_lost(void **state)
{
	struct seen seen;
	_cleanup_(zk_closep) struct zk *zk = open_connected(&seen);
	_cleanup_(zk_closep) struct zk *other = NULL;
	struct count count = {};
	char *data;
	size_t len;

	assert_int_equal(create(zk, "/lost", "1"), 0);
	assert_int_equal(zk_get(zk, "/lost", true, TIMEOUT_MS, count_data, &count), 0);
	wait_for(zk, &count.calls, 1);
	stop_server();
	assert_int_equal(zk_get(zk, "/lost", false, TIMEOUT_MS, count_data, &count), 0);
	kill(server, SIGKILL);
	wait_for(zk, &count.calls, 2);
	assert_int_equal(count.res, -ECONNRESET);
	wait_for(zk, &seen.connecting, 1);
	assert_int_equal(zk_get(zk, "/lost", false, TIMEOUT_MS, count_data, &count), -ENOTCONN);
	assert_int_equal(zk_get_wait(zk, "/lost", TIMEOUT_MS, &data, &len, NULL), -ENOTCONN);

	start_server();
	wait_for(zk, &seen.connected, 2);
	assert_int_equal(seen.expired, 0);
	/* The watch was left with the dead server; the client has left it again with the new one. */
	other = open_connected(NULL);
	assert_int_equal(set(other, "/lost", "2", -1), 0);
	wait_for(zk, &seen.changed, 1);
}

static void drop_log(const char *message)
{
}

/*
 * A second client takes the session over and closes it; the first learns of it when it reconnects. When that
 * reconnects too early, the session is its own again: once more.
 */
static void expire(struct zk *zk, const struct seen *seen)
{
	uint64_t end = now_monotonic_us() + TIMEOUT_MS * 1000ULL, next;
	zhandle_t *thief;

	while (!seen->expired) {
		thief = zookeeper_init2(hosts, NULL, 10000, zoo_client_id(zk->zh), NULL, ZOO_NO_LOG_CLIENTENV,
					drop_log);
		assert_non_null(thief);
		while (zoo_state(thief) != ZOO_CONNECTED_STATE && zoo_state(thief) != ZOO_EXPIRED_SESSION_STATE) {
			assert_true(now_monotonic_us() < end);
			poll(NULL, 0, 1);
		}
		zookeeper_close(thief);
		for (next = now_monotonic_us() + 500000; !seen->expired && now_monotonic_us() < next; zk_dispatch(zk))
			poll(NULL, 0, 5);
	}
}

static void test_expired(void **state)
{
	struct seen seen;
	_cleanup_(zk_closep) struct zk *zk = open_connected(&seen);
	struct zk_op op = { .type = ZK_OP_CREATE, .path = "/ephemeral", .ephemeral = true };
	struct count count = {};
	size_t len;
	char *data;

	assert_int_equal(zk_multi_wait(zk, &op, 1, TIMEOUT_MS, NULL), 0);
	assert_int_equal(zk_get(zk, "/ephemeral", true, TIMEOUT_MS, count_data, &count), 0);
	wait_for(zk, &count.calls, 1);
	expire(zk, &seen);
	assert_int_equal(zk_connect_wait(zk, TIMEOUT_MS), 0);
	/* A fresh session: the old one's node is gone, requests work. */
	assert_int_equal(zk_get_wait(zk, "/ephemeral", TIMEOUT_MS, &data, &len, NULL), -ENOENT);
	assert_int_equal(zk_multi_wait(zk, &op, 1, TIMEOUT_MS, NULL), 0);
	assert_int_equal(seen.expired, 1);
}

/* Servers that do not know this kind of credential refuse it; then they do. Java reads the variable. */
static void test_refused(void **state)
{
	_cleanup_(zk_closep) struct zk *zk = NULL;
	struct vpc_err err = {};
	struct seen seen = {};
	uint64_t end;

	run("stop");
	setenv("JDK_JAVA_OPTIONS", "-Dzookeeper.DigestAuthenticationProvider.enabled=false", 1);
	start_server();
	unsetenv("JDK_JAVA_OPTIONS");
	assert_int_equal(zk_open(hosts, 10000, &ops, &seen, &zk, &err), 0);
	assert_int_equal(zk_authenticate(zk, "who:secret", &err), 0);
	wait_for(zk, &seen.refused, 1);
	assert_false(zk_connected(zk));
	/* What is presented behind the connection is known then only. It tries again, unheard, and ever more seldom. */
	for (end = now_monotonic_us() + TIMEOUT_MS * 1000ULL; zk->refused_us < 2000000; zk_dispatch(zk)) {
		assert_true(now_monotonic_us() < end);
		poll(NULL, 0, 10);
	}
	assert_int_equal(seen.refused, 1);
	assert_int_equal(seen.connected, 1);

	run("stop");
	start_server();
	wait_for(zk, &seen.connected, 2);
	assert_int_equal(seen.refused, 1);
	assert_int_equal(create(zk, "/ours", ""), 0);
	/* From now on it would be news. */
	assert_int_equal(zk->refused_us, 0);
}

static void test_close_with_requests(void **state)
{
	struct zk *zk = open_connected(NULL);
	struct zk_op op = { .type = ZK_OP_SET, .path = "/", .version = -1 };
	struct count count = {};
	char **names;
	size_t n;
	int i;

	assert_int_equal(zk_children_wait(zk, "/", TIMEOUT_MS, &names, &n), 0);
	zk_names_free(names, n);
	for (i = 0; i < 500; i++) {
		if (i == 250)
			kill(server, SIGSTOP);
		assert_int_equal(zk_get(zk, "/", true, TIMEOUT_MS, count_data, &count), 0);
		assert_int_equal(zk_multi(zk, &op, 1, TIMEOUT_MS, count_done, &count), 0);
	}
	zk_close(zk);
	assert_int_equal(count.calls, 0);
	kill(server, SIGCONT);
}

static struct zk *to_interrupt;

static void on_alarm(int sig)
{
	zk_interrupt(to_interrupt);
}

static void test_interrupt(void **state)
{
	_cleanup_(zk_closep) struct zk *zk = open_connected(NULL);
	const struct itimerval soon = { .it_value.tv_usec = 50000 };
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	uint64_t start = now_monotonic_us();
	size_t len;
	char *data;

	to_interrupt = zk;
	sigaction(SIGALRM, &action, NULL);
	stop_server();
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(zk_get_wait(zk, "/", TIMEOUT_MS, &data, &len, NULL), -EINTR);
	assert_true(now_monotonic_us() - start < TIMEOUT_MS * 500ULL);
	assert_int_equal(zk_get_wait(zk, "/", TIMEOUT_MS, &data, &len, NULL), -EINTR);
	kill(server, SIGCONT);
}

/* A test that stops the server and fails must not fail those behind it. */
static int go_on(void **state)
{
	return kill(server, SIGCONT);
}

static int setup(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	start_server();
	return 0;
}

static int teardown(void **state)
{
	char command[64];

	kill(server, SIGCONT);
	run("stop");
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_hosts),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_binary_and_large),
		cmocka_unit_test(test_multi),
		cmocka_unit_test(test_watches),
		cmocka_unit_test_teardown(test_deadline, go_on),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_connection_lost),
		cmocka_unit_test(test_expired),
		cmocka_unit_test(test_refused),
		cmocka_unit_test_teardown(test_close_with_requests, go_on),
		cmocka_unit_test_teardown(test_interrupt, go_on),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
