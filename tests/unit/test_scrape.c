// SPDX-License-Identifier: Apache-2.0
/*
 * A program's metrics over HTTP (lib/scrape.h): what is answered, to whom, and clients that misbehave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include "../../lib/scrape.h"
#include "../../lib/util.h"
#include "http_rig.h"

#define GET	"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
#define WAIT_US 20000000

struct rig {
	sd_event *event;
	struct scrape *scrape;
	struct scrape_setup setup;
	uint64_t client_us, print_us; /* what printing takes */
	unsigned int printed;
	int refuse;
};

static char answer[1 << 16]; /* headers and body */
static unsigned int complaints;

static int print(FILE *to, void *arg)
{
	struct rig *rig = arg;
	uint64_t end = now_monotonic_us() + rig->print_us;

	while (now_monotonic_us() < end)
		;
	fprintf(to, "printed %u\n", ++rig->printed);
	return rig->refuse;
}

static void complain(const char *name, const char *text)
{
	complaints++;
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct vpc_err err = { "" };

	complaints = 0;
	rig->client_us = WAIT_US;
	assert_true(sd_event_new(&rig->event) >= 0);
	rig->setup = (struct scrape_setup){
		.event = rig->event, .client_us = &rig->client_us, .print = print, .complain = complain, .arg = rig
	};
	for (int i = 0, r = -EADDRINUSE; r; i++) {
		close(take_port(&rig->setup.port));
		r = scrape_new(&rig->setup, &rig->scrape, &err);
		assert_true(!r || (r == -EADDRINUSE && i < PORT_TRIES));
	}
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	scrape_free(rig->scrape);
	sd_event_unref(rig->event);
	free(rig);
	return 0;
}

static void run_once(struct rig *rig, uint64_t end)
{
	assert_true(now_monotonic_us() < end);
	assert_true(sd_event_run(rig->event, 50000) >= 0);
}

static int dial(struct rig *rig)
{
	int fd = dial_to(INADDR_LOOPBACK, rig->setup.port);

	assert_true(fd >= 0);
	return fd;
}

/* The status, with all of the answer in @answer; 0: closed without one. */
static int answered(struct rig *rig, int fd)
{
	uint64_t end = now_monotonic_us() + WAIT_US;
	int status = 0;
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, answer + len, sizeof(answer) - 1 - len, MSG_DONTWAIT)) > 0 || (n < 0 && errno == EAGAIN)) {
		len += n > 0 ? n : 0;
		run_once(rig, end);
	}
	close(fd);
	answer[len] = '\0';
	sscanf(answer, "HTTP/1.1 %d", &status);
	return status;
}

static int request(struct rig *rig, const char *text)
{
	int fd = dial(rig);

	ask(fd, text);
	return answered(rig, fd);
}

/* -- tests --------------------------------------------------------------------------------------------------------- */

static void test_http(void **state)
{
	static const struct {
		const char *text;
		int status;
	} requests[] = {
		{ GET, 200 },
		{ "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404 },
		{ "GET /metrics/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404 },
		{ "HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200 },
		{ "DELETE /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 405 },
		{ "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", 405 },
		{ "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", 200 },
		{ "GET /metrics HTTP/1.0\r\n\r\n", 200 },
		{ "nonsense\r\n\r\n", 0 },
	};
	struct rig *rig = *state;
	int idle[4];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(idle); i++)
		idle[i] = dial(rig);
	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		int status = request(rig, requests[i].text);

		if (status != requests[i].status)
			fail_msg("%d to %s", status, requests[i].text);
	}
	for (i = 0; i < ARRAY_SIZE(idle); i++)
		close(idle[i]);
	assert_int_equal(request(rig, GET), 200);
	assert_non_null(strstr(answer, "Content-Type: text/plain; version=0.0.4"));
	assert_non_null(strstr(answer, "\r\n\r\nprinted "));
}

/* There is no text yet, which is no error of the server's; then there is no memory for one. */
static void test_no_text(void **state)
{
	struct rig *rig = *state;

	rig->refuse = -EAGAIN;
	assert_int_equal(request(rig, GET), 503);
	assert_non_null(strstr(answer, "none yet"));
	rig->refuse = -ENOMEM;
	assert_int_equal(request(rig, GET), 0);
	rig->refuse = 0;
	assert_int_equal(request(rig, GET), 200);
}

/* Printing has a share of the time: who asks sooner is told what the one before was. In time there is news again. */
static void test_shared(void **state)
{
	struct rig *rig = *state;
	uint64_t end = now_monotonic_us() + WAIT_US;
	int fds[2];

	rig->print_us = 100000; /* so for five seconds */
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial(rig);
		ask(fds[i], GET);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		assert_int_equal(answered(rig, fds[i]), 200);
		assert_non_null(strstr(answer, "\r\n\r\nprinted 1\n"));
	}
	while (rig->printed == 1) {
		assert_true(now_monotonic_us() < end);
		assert_int_equal(request(rig, GET), 200);
	}
}

/* Who is slow, a byte now and then, is closed all the same, and makes room. */
static void test_slow(void **state)
{
	struct rig *rig = *state;
	uint64_t end = now_monotonic_us() + WAIT_US;
	int fds[16];

	rig->client_us = 300000;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = dial(rig);
	while (send(fds[0], "G", 1, MSG_NOSIGNAL) == 1)
		run_once(rig, end);
	rig->client_us = WAIT_US; /* for this one here */
	assert_int_equal(request(rig, GET), 200);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

/* Without a descriptor for him a client waits, is not lost, and one line says so. */
static void test_no_descriptors(void **state)
{
	struct rig *rig = *state;
	uint64_t end = now_monotonic_us() + WAIT_US;
	struct rlimit before, tight;
	int fd = dial(rig), fds[1024], n = 0;

	ask(fd, GET);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = (struct rlimit){ .rlim_cur = 64, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	while ((fds[n] = open("/dev/null", O_RDONLY)) >= 0)
		n++;
	while (!complaints)
		run_once(rig, end);
	while (n)
		close(fds[--n]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(answered(rig, fd), 200);
	assert_int_equal(complaints, 1);
}

static void test_port_taken(void **state)
{
	struct rig *rig = *state;
	struct scrape *other = NULL;
	struct vpc_err err = { "" };
	char text[64];

	assert_int_equal(scrape_new(&rig->setup, &other, &err), -EADDRINUSE);
	snprintf(text, sizeof(text), "metrics: 127.0.0.1:%u: Address already in use", rig->setup.port);
	assert_string_equal(err.text, text);
	assert_null(other);
	/* The one before is none the worse, and when it is gone the port can be had at once. */
	assert_int_equal(request(rig, GET), 200);
	scrape_free(rig->scrape);
	assert_int_equal(scrape_new(&rig->setup, &rig->scrape, &err), 0);
	assert_int_equal(request(rig, GET), 200);
}

/* On 127.0.0.1, and not on all addresses of this machine, of which 127.0.0.2 is one. */
static void test_loopback_alone(void **state)
{
	struct rig *rig = *state;
	char line[512], want[32];
	_cleanup_fclose_ FILE *file = fopen("/proc/net/tcp", "r");
	unsigned int found = 0;

	assert_int_equal(dial_to(INADDR_LOOPBACK + 1, rig->setup.port), -ECONNREFUSED);
	assert_non_null(file);
	snprintf(want, sizeof(want), " %08X:%04X 00000000:0000 0A", htonl(INADDR_LOOPBACK), rig->setup.port);
	while (fgets(line, sizeof(line), file))
		found += !!strstr(line, want);
	assert_int_equal(found, 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_http), TEST(test_no_text),	    TEST(test_shared),	   TEST(test_slow),
		TEST(test_port_taken), TEST(test_no_descriptors), TEST(test_loopback_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
