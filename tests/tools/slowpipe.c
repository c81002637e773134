// SPDX-License-Identifier: Apache-2.0
/*
 * Between a client and a server on loopback, each way a while slower: who asks one question after the other waits for
 * each of them, who asks many at once does not. The client's bursts tell them apart, however busy the machine is.
 *
 *	slowpipe MILLISECONDS SERVER_PORT
 *
 * The first line printed is the port to connect to; then, of each connection that ends, how many bursts came from the
 * client. One connection at a time. Used by tests/e2e/publisher.bats.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in loopback(unsigned int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* All that has come during the pause goes on together. False: that was the end. */
static bool pass(int from, int to, unsigned int ms)
{
	static char data[1 << 20];
	ssize_t n, at = 0, done;

	usleep(ms * 1000);
	n = recv(from, data, sizeof(data), 0);
	for (; n > 0 && at < n; at += done) {
		done = send(to, data + at, n - at, MSG_NOSIGNAL);
		if (done <= 0)
			return false;
	}
	return n > 0;
}

static unsigned long serve(int client, int server, unsigned int ms)
{
	struct pollfd fds[] = { { .fd = client, .events = POLLIN }, { .fd = server, .events = POLLIN } };
	unsigned long bursts = 0;

	while (poll(fds, 2, -1) > 0) {
		if (fds[0].revents && !pass(client, server, ms))
			break;
		bursts += !!fds[0].revents;
		if (fds[1].revents && !pass(server, client, ms))
			break;
	}
	return bursts;
}

int main(int argc, char **argv)
{
	struct sockaddr_in here = loopback(0), there;
	int listening = socket(AF_INET, SOCK_STREAM, 0), client, server;
	socklen_t len = sizeof(here);

	if (argc != 3 || bind(listening, (struct sockaddr *)&here, len) || listen(listening, 1) ||
	    getsockname(listening, (struct sockaddr *)&here, &len))
		return EXIT_FAILURE;
	there = loopback(atoi(argv[2]));
	printf("%u\n", ntohs(here.sin_port));
	fflush(stdout);
	while ((client = accept(listening, NULL, NULL)) >= 0) {
		server = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(server, (struct sockaddr *)&there, sizeof(there)))
			return EXIT_FAILURE;
		printf("%lu\n", serve(client, server, atoi(argv[1])));
		fflush(stdout);
		close(client);
		close(server);
	}
	return EXIT_FAILURE;
}
