// SPDX-License-Identifier: Apache-2.0
/*
 * The whole agent's metrics over HTTP: what they say, and that it is Prometheus' format to the letter. Clients that
 * misbehave are in test_scrape.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "../../agent/metrics.h"
#include "agent_rig.h"
#include "prom_format.h"

#define GET "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static char answer[1 << 20]; /* headers and body */
static const char *body;

static struct sockaddr_in address(void)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(rig_metrics_port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* A listening socket on a port of its own; *ret_port tells which. */
static int take_port(unsigned int *ret_port)
{
	struct sockaddr_in un = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(un);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&un, &len), 0);
	*ret_port = ntohs(un.sin_port);
	return fd;
}

static int dial(void)
{
	struct sockaddr_in in = address();
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	return fd;
}

/* Sends the request and returns the status, with all of the answer in @answer; 0: closed without one. */
static int request(struct agent *a, const char *text)
{
	int fd = dial(), status = 0;
	size_t len = 0;
	ssize_t n = 0;

	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	run_until(a, ({
			  n = recv(fd, answer + len, sizeof(answer) - 1 - len, MSG_DONTWAIT);
			  len += n > 0 ? n : 0;
			  !n || (n < 0 && errno != EAGAIN);
		  }));
	close(fd);
	answer[len] = '\0';
	sscanf(answer, "HTTP/1.1 %d", &status);
	body = strstr(answer, "\r\n\r\n");
	body = body ? body + 4 : "";
	return status;
}

static void scrape(struct agent *a)
{
	assert_int_equal(request(a, GET), 200);
	assert_non_null(strstr(answer, "Content-Type: text/plain; version=0.0.4"));
}

/* The value of the series written just so; -1: there is none. */
static double value(const char *series)
{
	size_t len = strlen(series);

	for (const char *line = body; line; line = strchr(line, '\n'), line += !!line)
		if (!strncmp(line, series, len) && line[len] == ' ')
			return strtod(line + len, NULL);
	return -1;
}

/* The same added up over all that begin so and have @part in them. */
static double sum(const char *begin, const char *part)
{
	double all = 0;

	for (const char *line = body, *end; *line; line = end + 1) {
		_cleanup_free_ char *copy = NULL;

		end = strchrnul(line, '\n');
		copy = strndup(line, end - line);
		if (!strncmp(copy, begin, strlen(begin)) && strstr(copy, part))
			all += strtod(strrchr(copy, ' '), NULL);
		if (!*end)
			break;
	}
	return all;
}

#define APPLY "{caller=\"follow\",callee=\"kernel\",call=\"apply\","

/* -- tests --------------------------------------------------------------------------------------------------------- */

static void test_live(void **state)
{
	struct pub p;
	struct agent *a = start_live(&p, 100);

	run_idle(a);
	scrape(a);
	check_format(body, 16);
	assert_true(value("vpc_agent_state{state=\"live\"}") == 1);
	assert_true(value("vpc_agent_state{state=\"isolated\"}") == 0);
	assert_true(value("vpc_agent_transitions_total{state=\"syncing\"}") == 1);
	assert_true(value("vpc_agent_ports") == 1);
	assert_true(value("vpc_agent_ports_revision") == 1);
	assert_true(value("vpc_agent_vpcs") == 1);
	assert_true(value("vpc_agent_vpc_epoch{vni=\"100\"}") == 1);
	assert_true(value("vpc_agent_vpc_lag_epochs{vni=\"100\"}") == 0);
	assert_true(value("vpc_agent_vpc_lag_seconds{vni=\"100\"}") == 0);
	assert_true(value("vpc_agent_apply_seconds_count") == 1);
	assert_true(value("vpc_agent_calls_total" APPLY "result=\"ok\"}") == 1);
	assert_true(sum("vpc_agent_calls_total", "callee=\"zookeeper\"") ==
		    value("vpc_agent_zookeeper_round_trip_seconds_count"));
	assert_true(value("vpc_agent_zookeeper_round_trip_seconds_count") >= 3);
	finish(a, &p);
}

static void test_behind(void **state)
{
	struct pub p;
	struct agent *a = start_live(&p, 100);

	fake_kernel_refuse(-ENOMEM, 1000);
	pub_change(&p, 20);
	run_until(a, fake_log_count("stays at epoch 1"));
	scrape(a);
	check_format(body, 16);
	assert_true(value("vpc_agent_vpcs_failing") == 1);
	assert_true(value("vpc_agent_vpc_lag_epochs{vni=\"100\"}") == 1);
	assert_true(value("vpc_agent_vpc_head_epoch{vni=\"100\"}") == 2);
	assert_true(value("vpc_agent_vpc_lag_seconds{vni=\"100\"}") > 0);
	assert_true(value("vpc_agent_netlink_errors_total{error=\"ENOMEM\"}") >= 1);
	fake_kernel_refuse(0, 0);
	run_until(a, reached(&p));
	fake_kernel_lose_events();
	run_until(a, fake_log_count("events were lost"));
	fake_zk_disconnect();
	run_until(a, a->state == AGENT_ISOLATED);
	scrape(a);
	check_format(body, 16);
	assert_true(value("vpc_agent_state{state=\"isolated\"}") == 1);
	assert_true(value("vpc_agent_vpc_lag_epochs{vni=\"100\"}") == 0);
	assert_true(value("vpc_agent_netlink_events_lost_total") == 1);
	finish(a, &p);
}

/* Whatever a caller gets back, and however much, the table stays bounded and the sums right. */
static void test_many_results(void **state)
{
	struct agent *a = agent_start();

	metrics_reset();
	for (int i = 0; i < 100; i++)
		metrics_call("follow", "kernel", "apply", -i, 1);
	metrics_call("follow", "kernel", "apply", -99999, 10000000000);
	scrape(a);
	check_format(body, 16);
	assert_true(sum("vpc_agent_calls_total", "call=\"apply\"") == 101);
	assert_true(value("vpc_agent_calls_total" APPLY "result=\"ok\"}") == 1);
	assert_true(value("vpc_agent_calls_total" APPLY "result=\"other\"}") ==
		    90);
	assert_true(sum("vpc_agent_netlink_errors_total", "") == 100);
	assert_true(value("vpc_agent_call_duration_seconds_bucket" APPLY "le=\"30\"}") == 100);
	agent_free(a);
}

/* A client's text, without its headers, NULL: not whole yet. */
static const char *answered(int fd, char *buf, size_t size)
{
	ssize_t n = recv(fd, buf, size - 1, MSG_DONTWAIT | MSG_PEEK);

	buf[n > 0 ? n : 0] = '\0';
	return strstr(buf, "\nvpc_agent_apply_seconds_count ") ? strstr(buf, "\r\n\r\n") : NULL;
}

/* Printing has a share of the time: who asks sooner is told what the one before was. In time there is news again. */
static void test_shared(void **state)
{
	static char first[1 << 19], second[1 << 19];
	struct agent *a = agent_start();
	uint32_t vnis[300];
	int fds[2];

	for (size_t i = 0; i < ARRAY_SIZE(vnis); i++)
		vnis[i] = 1000 + i;
	host_ports.vpcs = vnis;
	host_ports.n_vpcs = ARRAY_SIZE(vnis);
	pub_ports();
	fake_zk_connect();
	run_until(a, a->state == AGENT_LIVE);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial();
		assert_true(send(fds[i], GET, strlen(GET), MSG_NOSIGNAL) > 0);
	}
	run_until(a, answered(fds[0], first, sizeof(first)) && answered(fds[1], second, sizeof(second)));
	assert_string_equal(strstr(first, "\r\n\r\n"), strstr(second, "\r\n\r\n"));
	run_until(a, (scrape(a), strcmp(body, strstr(first, "\r\n\r\n") + 4)));
	close(fds[0]);
	close(fds[1]);
	agent_free(a);
}

/* The port is somebody else's: the host is served all the same. */
static void test_port_taken(void **state)
{
	int fd = take_port(&rig_metrics_port);
	struct pub p;
	struct agent *a = start_live(&p, 100);

	assert_int_equal(fake_log_count("there are none ([agent] metrics_port)"), 1);
	finish(a, &p);
	close(fd);
}

static int setup(void **state)
{
	rig_setup(state);
	metrics_reset();
	close(take_port(&rig_metrics_port));
	return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_live), TEST(test_behind), TEST(test_many_results), TEST(test_port_taken),
		TEST(test_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
