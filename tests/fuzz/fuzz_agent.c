// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's sockets: what clients send to its metrics (HTTP; first byte even) and to its socket for requests
 * (agent/resync.h; odd). It is a whole agent over the unit tests' ZooKeeper and kernel in memory, the same for all
 * inputs, and after each it still answers an honest client.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <cmocka.h>
#include "../unit/agent_rig.h"
#include "fuzz.h"

/* How long a client may take: one of the inputs' often sends half a request; the honest one must not be hurried. */
#define FUZZ_CLIENT_US	 3000
#define HONEST_CLIENT_US 5000000

#define GET "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static char dir[] = "/tmp/vpc-fuzz-XXXXXX";
static struct agent *agent;
static struct pub pub;

static void agent_end(void)
{
	finish(agent, &pub);
	rig_teardown(NULL);
	rmdir(dir);
}

static unsigned int free_port(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	fuzz_check(!bind(fd, (struct sockaddr *)&in, sizeof(in)));
	fuzz_check(!getsockname(fd, (struct sockaddr *)&in, &len));
	close(fd);
	return ntohs(in.sin_port);
}

static void agent_begin(void)
{
	rig_setup(NULL);
	fuzz_check(mkdtemp(dir));
	rig_run_dir = dir;
	rig_metrics_port = free_port();
	agent = start_live(&pub, 100);
	atexit(agent_end);
}

static int dial(bool http)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(rig_metrics_port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	/* Or a machine without ports left after some thousand inputs. */
	const struct linger linger = { .l_onoff = 1 };
	int fd = socket(http ? AF_INET : AF_UNIX, SOCK_STREAM, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%.60s/h1.resync", dir);
	fuzz_check(fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	fuzz_check(!connect(fd, http ? (void *)&in : (void *)&un, http ? sizeof(in) : sizeof(un)));
	return fd;
}

/* Sends it and reads until the agent closes: the first 4 bytes of the answer, none: "". */
static void talk(bool http, const void *data, size_t len, char ret[5])
{
	int fd = dial(http);
	size_t got = 0;
	char buf[4096];
	ssize_t n;
	bool more;

	memset(ret, 0, 5);
	/* It may have closed before it has read all. */
	if (send(fd, data, len, MSG_NOSIGNAL) < 0)
		fuzz_check(errno == EPIPE || errno == ECONNRESET);
	shutdown(fd, SHUT_WR);
	do {
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		for (ssize_t i = 0; i < n && got < 4; i++)
			ret[got++] = buf[i];
		more = n > 0 || (n < 0 && errno == EAGAIN);
		if (n < 0 && more)
			fuzz_check(sd_event_run(agent->event, 1000) >= 0);
	} while (more);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	bool http = len && !(*data & 1);
	char answer[5];

	if (!agent)
		agent_begin();
	if (!len)
		return 0;
	agent->client_us = FUZZ_CLIENT_US;
	talk(http, data + 1, len - 1, answer);
	agent->client_us = HONEST_CLIENT_US;
	/* Its socket for requests answers whatever comes, unless it was too late. */
	fuzz_check(http || !*answer || !strcmp(answer, "0\n") || (answer[0] == '-' && answer[1] > '0'));
	talk(http, http ? GET : "100 1\n", http ? sizeof(GET) - 1 : 6, answer);
	fuzz_check(!strcmp(answer, http ? "HTTP" : "0\n"));
	return 0;
}
