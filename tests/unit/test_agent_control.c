// SPDX-License-Identifier: Apache-2.0
/*
 * The whole agent, asked by its Unix socket: each state, reasons, clients that misbehave, sockets left over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "../../proto/agent_report.h"
#include "agent_rig.h"

static char dir[] = "/tmp/vpc-test-control.XXXXXX";

static struct sockaddr_un address(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	snprintf(un.sun_path, sizeof(un.sun_path), "%s/h1.sock", dir);
	return un;
}

static int dial(void)
{
	struct sockaddr_un un = address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

/* What came until the other side closed, which must happen; the agent's loop runs meanwhile. */
static size_t read_to_end(struct agent *a, int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n = -1;

	run_until(a, ({
			  n = read(fd, buf + len, size - len);
			  len += n > 0 ? n : 0;
			  !n || (n < 0 && errno != EAGAIN);
		  }));
	close(fd);
	return len;
}

static struct vpc_agent_report ask(struct agent *a)
{
	static char buf[1 << 20];
	struct vpc_agent_report report;
	struct vpc_err err;
	size_t len = read_to_end(a, dial(), buf, sizeof(buf));

	if (vpc_agent_report_parse(buf, len, &report, &err))
		fail_msg("%s: %.*s", err.text, (int)len, buf);
	return report;
}

static void assert_state(struct agent *a, const char *state)
{
	struct vpc_agent_report report = ask(a);

	assert_string_equal(report.state, state);
	assert_string_equal(report.host, "h1");
	vpc_agent_report_clear(&report);
}

static void test_states(void **state)
{
	struct vpc_agent_report report;
	struct agent *a = agent_start();
	struct pub p;

	report = ask(a);
	assert_string_equal(report.state, "connecting");
	assert_string_equal(report.module, "fake");
	assert_int_equal(report.revision, 0);
	assert_int_equal(report.n_vpcs, 0);
	vpc_agent_report_clear(&report);
	pub_start(&p, 100, 3, false);
	want_port(1, 100);
	pub_ports();
	fake_zk_hold("100");
	fake_zk_connect();
	run_until(a, fake_log_count("ports revision 1"));
	report = ask(a);
	assert_string_equal(report.state, "syncing");
	assert_int_equal(report.revision, 1);
	assert_int_equal(report.reached, 0);
	assert_int_equal(report.n_vpcs, 1);
	assert_false(report.vpcs[0].has_head);
	vpc_agent_report_clear(&report);
	fake_zk_hold(NULL);
	run_until(a, a->state == AGENT_LIVE);
	run_idle(a);
	report = ask(a);
	assert_string_equal(report.state, "live");
	assert_int_equal(report.reached, 1);
	assert_int_equal(report.vpcs[0].vni, 100);
	assert_int_equal(report.vpcs[0].epoch, 1);
	assert_int_equal(report.vpcs[0].head, 1);
	assert_int_equal(report.vpcs[0].behind_ms, 0);
	assert_string_equal(report.vpcs[0].reason, "");
	vpc_agent_report_clear(&report);
	fake_zk_disconnect();
	run_until(a, a->state == AGENT_ISOLATED);
	assert_state(a, "isolated");
	fake_kernel_unload();
	run_until(a, !agent_kernel(a));
	report = ask(a);
	assert_int_equal(report.instance, 0);
	assert_string_equal(report.module, "");
	vpc_agent_report_clear(&report);
	finish(a, &p);
	assert_int_equal(access(address().sun_path, F_OK), -1);
}

static void test_reason(void **state)
{
	struct vpc_agent_report report;
	struct pub p;
	struct agent *a = start_live(&p, 100);

	fake_kernel_refuse(-ENOMEM, 1000);
	pub_change(&p, 20);
	run_until(a, fake_log_count("stays at epoch 1"));
	report = ask(a);
	assert_int_equal(report.vpcs[0].epoch, 1);
	assert_int_equal(report.vpcs[0].head, 2);
	assert_true(report.vpcs[0].behind_ms > 0);
	assert_non_null(strstr(report.vpcs[0].reason, "refused by the test"));
	vpc_agent_report_clear(&report);
	fake_kernel_refuse(0, 0);
	run_until(a, reached(&p));
	report = ask(a);
	assert_int_equal(report.vpcs[0].behind_ms, 0);
	assert_string_equal(report.vpcs[0].reason, "");
	vpc_agent_report_clear(&report);
	want_port(2, 100);
	host_ports.ports[1].addrs[0] = host_ports.ports[0].addrs[0];
	pub_ports();
	run_until(a, fake_log_count("has the address"));
	report = ask(a);
	assert_int_equal(report.revision, 2);
	assert_int_equal(report.reached, 1);
	assert_non_null(strstr(report.reason, "port tap2: port tap1 has the address"));
	vpc_agent_report_clear(&report);
	finish(a, &p);
}

/* Who does not read, hangs up at once or comes in crowds keeps nobody from being served. */
static void test_bad_clients(void **state)
{
	struct agent *a = agent_start();
	struct sockaddr_un un = address();
	struct stat st;
	int idle[8];
	size_t i;

	assert_int_equal(stat(un.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	for (i = 0; i < ARRAY_SIZE(idle); i++)
		idle[i] = dial();
	close(dial());
	run_idle(a);
	assert_state(a, "connecting");
	for (i = 0; i < ARRAY_SIZE(idle); i++)
		close(idle[i]);
	assert_state(a, "connecting");
	agent_free(a);
}

static bool served(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK) == 1;
}

/* At most so many at a time; the next one's turn comes when one has gone, or has taken too long. */
static void test_crowd(void **state)
{
	struct agent *a = agent_start();
	uint32_t vnis[4000];
	int slow[17];
	size_t i;

	/* A report that no socket's buffer holds: none of these VPCs has a HEAD. */
	for (i = 0; i < ARRAY_SIZE(vnis); i++)
		vnis[i] = 10000000 + i;
	host_ports.vpcs = vnis;
	host_ports.n_vpcs = ARRAY_SIZE(vnis);
	pub_ports();
	fake_zk_connect();
	run_until(a, a->state == AGENT_LIVE);
	a->client_us = 1500000;
	for (i = 0; i < ARRAY_SIZE(slow); i++)
		slow[i] = dial();
	run_until(a, served(slow[15]));
	for (i = 0; i < 10; i++)
		sd_event_run(a->event, 10000);
	assert_false(served(slow[16]));
	run_until(a, served(slow[16]));
	for (i = 0; i < ARRAY_SIZE(slow); i++)
		close(slow[i]);
	assert_state(a, "live");
	agent_free(a);
}

/* Without a descriptor left a client waits, and the loop does not spin for him. */
static void test_no_descriptors(void **state)
{
	struct agent *a = agent_start();
	struct rlimit before, none;
	unsigned int rounds = 0;
	uint64_t end;
	int fd, next;

	run_idle(a);
	fd = dial();
	next = dup(fd);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ next, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (end = now_monotonic_us() + 500000; now_monotonic_us() < end; rounds++)
		sd_event_run(a->event, 50000);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(rounds < 50);
	assert_int_equal(fake_log_count("h1.sock: a client must wait: Too many open files"), 1);
	assert_true(read_to_end(a, fd, (char[65536]){ 0 }, 65536) > 0);
	assert_state(a, "connecting");
	agent_free(a);
}

static void test_second_agent(void **state)
{
	struct vpc_config config = { .zk_hosts = strdup("fake"), .host = strdup("h1"), .run_dir = strdup(dir) };
	struct agent *a = agent_start(), *b;
	struct vpc_err err;

	assert_int_equal(agent_new(&config, NULL, NULL, &b, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, "another agent answers for host h1"));
	/* The first one is as it was. */
	assert_state(a, "connecting");
	agent_free(a);
}

static void test_leftover(void **state)
{
	struct sockaddr_un un = address();
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct agent *a;

	/* As kill -9 leaves it. */
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	close(fd);
	a = agent_start();
	assert_state(a, "connecting");
	agent_free(a);
}

/* No socket is no reason not to serve the host's guests. */
static void test_no_folder(void **state)
{
	static const char *const folders[] = {
		"/dev/null/vpc",
		"/tmp/vpc-test-a-name-that-is-longer-than-a-socket's-address-may-be-so-that-it-must-be-refused-"
		"and-it-must-be-said",
	};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		struct pub p;
		struct agent *a;

		rig_run_dir = folders[i];
		a = start_live(&p, 100);
		assert_int_equal(fake_log_count("will not work ([agent] run_dir)"), 1);
		finish(a, &p);
		rig_teardown(state);
	}
}

static int setup(void **state)
{
	rig_setup(state);
	rig_run_dir = dir;
	return 0;
}

static int group_setup(void **state)
{
	return !mkdtemp(dir);
}

static int group_teardown(void **state)
{
	return rmdir(dir);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_states), TEST(test_reason),	 TEST(test_bad_clients), TEST(test_second_agent),
		TEST(test_leftover), TEST(test_no_folder), TEST(test_crowd),	     TEST(test_no_descriptors),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
