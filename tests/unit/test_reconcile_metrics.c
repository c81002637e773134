// SPDX-License-Identifier: Apache-2.0
/*
 * The audit's metrics for Prometheus: what its endpoint says, whether a round is under way or not, and what becomes of
 * a watch whose port is somebody else's. What HTTP is answered is in test_scrape.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "../../lib/util.h"
#include "../../reconcile/options.h"
#include "../../reconcile/watch.h"
#include "http_rig.h"
#include "prom_format.h"

#define GET	"GET /metrics HTTP/1.0\r\n\r\n"
#define WAIT_US 20000000

static unsigned int port;
static char answer[1 << 16];

/* -errno: nobody listens. */
static int dial(void)
{
	const struct timeval limit = { .tv_sec = WAIT_US / 1000000 };
	int fd = dial_to(INADDR_LOOPBACK, port);

	if (fd >= 0)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	return fd;
}

/* On a port that nobody had. */
static struct endpoint *endpoint_somewhere(void)
{
	struct endpoint *e = NULL;
	struct vpc_err err = { "" };

	for (int i = 0, r = -EADDRINUSE; r; i++) {
		close(take_port(&port));
		r = endpoint_new(port, &e, &err);
		assert_true(!r || (r == -EADDRINUSE && i < PORT_TRIES));
	}
	return e;
}

/* Waits for it, and nothing else runs in this thread meanwhile: the status, the body in *ret_body. */
static int request(const char **ret_body)
{
	int fd = dial(), status = 0;
	size_t len = 0;
	ssize_t n;

	*ret_body = "";
	if (fd < 0)
		return 0;
	ask(fd, GET);
	while ((n = recv(fd, answer + len, sizeof(answer) - 1 - len, 0)) > 0)
		len += n;
	close(fd);
	answer[len] = '\0';
	sscanf(answer, "HTTP/1.1 %d", &status);
	if (strstr(answer, "\r\n\r\n"))
		*ret_body = strstr(answer, "\r\n\r\n") + 4;
	return status;
}

static void what_was_told_last(void **state)
{
	struct endpoint *e = endpoint_somewhere();
	const char *body;

	assert_int_equal(request(&body), 503);
	endpoint_tell(e, "one\n");
	endpoint_tell(e, "two\n");
	assert_int_equal(request(&body), 200);
	assert_string_equal(body, "two\n");
	endpoint_free(e);
	assert_int_equal(dial(), -ECONNREFUSED);
}

/* All its clients say nothing, or read nothing: it is told, and ended, without waiting for one of them. */
static void nobody_waits_for_clients(void **state)
{
	size_t size = 8 << 20;
	_cleanup_free_ char *large = malloc(size);
	struct endpoint *e = endpoint_somewhere();
	uint64_t start;
	int fds[16];

	memset(large, 'x', size - 1);
	large[size - 1] = '\0';
	endpoint_tell(e, large);
	start = now_monotonic_us(); /* from here on the first one's time passes */
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial();
		assert_true(fds[i] >= 0);
		if (i % 2)
			ask(fds[i], GET);
	}
	assert_true(recv(fds[1], answer, 1, 0) == 1);
	for (int i = 0; i < 1000; i++)
		endpoint_tell(e, "news\n");
	endpoint_free(e);
	assert_true(now_monotonic_us() - start < 4000000); /* a client has 5 s */
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void a_port_in_use(void **state)
{
	int fd = take_port(&port);
	struct endpoint *e = NULL;
	struct vpc_err err = { "" };
	char text[64];

	assert_int_equal(endpoint_new(port, &e, &err), -EADDRINUSE);
	snprintf(text, sizeof(text), "metrics: 127.0.0.1:%u: Address already in use", port);
	assert_string_equal(err.text, text);
	assert_null(e);
	close(fd);
}

/* To the letter what the file says, and Prometheus' format. */
static void the_same_as_the_file(void **state)
{
	char dir[] = "/tmp/vpc-test-metrics.XXXXXX", path[64];
	_cleanup_free_ char *text = calloc(1, 1 << 16);
	struct vpc_config config = { .cdb_socket = "/nonexistent/cdb.sock", .cdb_timeout_s = 1, .host = "h1" };
	struct options o = { .metrics = path };
	struct round round = { .options = &o, .config = &config, .host = "h1" };
	struct report report;
	const char *body;
	FILE *from;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/vpc.prom", dir);
	round.endpoint = endpoint_somewhere();
	/* There is neither kernel nor CDB here, which is a result like another. */
	assert_int_equal(round_run(&round, &report), 0);
	assert_int_equal(request(&body), 200);
	from = fopen(path, "r");
	assert_non_null(from);
	assert_true(fread(text, 1, (1 << 16) - 1, from) > 0);
	fclose(from);
	assert_string_equal(body, text);
	check_format(body, 12);
	assert_non_null(strstr(body, "\nvpc_reconcile_result{result=\"could not compare\"} 1\n"));
	report_clear(&report);
	endpoint_free(round.endpoint);
	round_close(&round);
	pace_clear(&round.pace);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* A watch in a process of its own, which has not got @foreign; *ret_errors is what it says. */
static pid_t watch_start(int foreign, int *ret_errors)
{
	struct vpc_config config = { .cdb_socket = "/nonexistent/cdb.sock", .cdb_timeout_s = 1, .host = "h1" };
	struct options o = { .watch_s = 1, .max_lag_s = 60 };
	struct round round = { .options = &o, .config = &config, .host = "h1" };
	int errors[2], ret;
	pid_t pid;

	config.reconcile_metrics_port = port;
	assert_int_equal(pipe(errors), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid) {
		close(errors[1]);
		*ret_errors = errors[0];
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (foreign >= 0)
		close(foreign);
	dup2(errors[1], STDERR_FILENO);
	dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
	ret = watch_run(&round);
	round_close(&round);
	_exit(ret ? 1 : 0);
}

/* All of it, once the watch has ended in order. */
static void watch_end(pid_t pid, int errors, char *ret_said, size_t size)
{
	size_t len = 0;
	ssize_t n;
	int status;

	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	while ((n = read(errors, ret_said + len, size - 1 - len)) > 0)
		len += n;
	ret_said[len] = '\0';
	close(errors);
}

static unsigned int rounds(const char *body)
{
	const char *line = strstr(body, "\nvpc_reconcile_rounds_total{result=\"could not compare\"} ");

	return line ? strtoul(strchr(line, '}') + 1, NULL, 10) : 0;
}

static void a_watch_answers(void **state)
{
	uint64_t end = now_monotonic_us() + WAIT_US;
	char said[4096];
	const char *body;
	int errors;
	pid_t pid;

	close(take_port(&port));
	pid = watch_start(-1, &errors);
	while (request(&body) != 200 || rounds(body) < 2) {
		assert_true(now_monotonic_us() < end);
		usleep(50000);
	}
	watch_end(pid, errors, said, sizeof(said));
	assert_string_equal(said, "");
}

/* It says so once, goes on, and takes the port when it can be had. */
static void a_watch_without_its_port(void **state)
{
	int fd = take_port(&port), errors;
	pid_t pid = watch_start(fd, &errors);
	uint64_t end = now_monotonic_us() + WAIT_US;
	char said[4096], want[256];
	const char *body;

	/* Its first word, in the pipe; the rest stays there. */
	assert_int_equal(read(errors, said, 1), 1);
	close(fd);
	while (request(&body) != 200) {
		assert_true(now_monotonic_us() < end);
		usleep(50000);
	}
	assert_true(rounds(body) > 0);
	watch_end(pid, errors, said + 1, sizeof(said) - 1);
	snprintf(want, sizeof(want),
		 "vpc_reconcile: metrics: 127.0.0.1:%u: Address already in use; there are none until it can be had "
		 "([reconcile] metrics_port)\nvpc_reconcile: metrics: 127.0.0.1:%u: they are there now\n",
		 port, port);
	assert_string_equal(said, want);
}

static void options_of_the_port(void **state)
{
	static const struct {
		const char *args[4];
		int ret;
		bool has;
		unsigned int port;
	} cases[] = {
		{ { "--watch" }, 0, false, 0 },
		{ { "--watch", "--metrics-port", "9470" }, 0, true, 9470 },
		{ { "--watch", "--metrics-port", "0" }, 0, true, 0 },
		{ { "--metrics-port", "9470" }, -EINVAL, true, 9470 },
		{ { "--watch", "--metrics-port", "65536" }, -EINVAL, true, 0 },
		{ { "--watch", "--metrics-port", "-1" }, -EINVAL, true, 0 },
		{ { "--watch", "--metrics-port", "x" }, -EINVAL, true, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *argv[] = { "vpc_reconcile", (char *)cases[i].args[0], (char *)cases[i].args[1],
				 (char *)cases[i].args[2], NULL };
		struct options o;
		int argc = 1;

		while (argv[argc])
			argc++;
		assert_int_equal(options_parse(argc, argv, &o), cases[i].ret);
		assert_int_equal(o.has_metrics_port, cases[i].has);
		assert_int_equal(o.metrics_port, cases[i].port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_told_last),	cmocka_unit_test(nobody_waits_for_clients),
		cmocka_unit_test(a_port_in_use),	cmocka_unit_test(the_same_as_the_file),
		cmocka_unit_test(a_watch_answers),	cmocka_unit_test(a_watch_without_its_port),
		cmocka_unit_test(options_of_the_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
