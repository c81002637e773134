// SPDX-License-Identifier: Apache-2.0
/*
 * Datagrams for scenarios, one process where a shell or perl would be dozens, which count under emulation. Called by
 * tests/e2e/vm_datapath.sh in guests' namespaces.
 *
 *   udp name NAME ADDRESS PORT       answers every datagram with NAME, until killed
 *   udp flows ADDRESS PORT FIRST N   one from each source port from FIRST on, all at once; a line "PORT ANSWER" for
 *                                    each, "PORT none" for one that nothing came back to within ten seconds
 *   udp send ADDRESS PORT RATE       numbered datagrams, RATE a second, until SIGINT; then says how many
 *   udp receive ADDRESS PORT         the numbers that come, a line for each, until killed
 *
 * Exit status: 0, 1 what the kernel refused, 2 wrong call.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../lib/util.h"

#define FLOWS_MAX 1000
#define ANSWER_MS 10000
#define WORD_MAX 64
#define RECEIVE_BUFFER 16000000

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static volatile sig_atomic_t stopped;

static int usage(void)
{
	fprintf(stderr, "usage: udp name NAME ADDRESS PORT; flows ADDRESS PORT FIRST N; send ADDRESS PORT RATE; "
			"receive ADDRESS PORT\n");
	return 2;
}

static int failed(const char *what)
{
	fprintf(stderr, "udp: %s: %s\n", what, strerror(errno));
	return 1;
}

static int number_parse(const char *text, long max, long *ret)
{
	char *end;
	long n;

	n = strtol(text, &end, 10);
	if (end == text || *end || n < 1 || n > max)
		return -EINVAL;
	*ret = n;
	return 0;
}

static int address_parse(const char *text, const char *port_text, union address *ret)
{
	union address address = {};
	long port;

	if (number_parse(port_text, 65535, &port))
		return -EINVAL;
	if (inet_pton(AF_INET, text, &address.v4.sin_addr) == 1) {
		address.v4.sin_family = AF_INET;
		address.v4.sin_port = htons(port);
	} else if (inet_pton(AF_INET6, text, &address.v6.sin6_addr) == 1) {
		address.v6.sin6_family = AF_INET6;
		address.v6.sin6_port = htons(port);
	} else {
		return -EINVAL;
	}
	*ret = address;
	return 0;
}

static int socket_open(const union address *address)
{
	return socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static int socket_bound(const union address *address)
{
	int fd = socket_open(address);

	if (fd < 0 || !bind(fd, &address->any, sizeof(*address)))
		return fd;
	close(fd);
	return -1;
}

static int name(const char *text, const union address *own)
{
	int fd = socket_bound(own);
	union address from;
	char question[WORD_MAX];

	if (fd < 0)
		return failed("bind");
	while (true) {
		socklen_t len = sizeof(from);

		if (recvfrom(fd, question, sizeof(question), 0, &from.any, &len) < 0)
			return failed("recvfrom");
		if (sendto(fd, text, strlen(text), 0, &from.any, len) < 0)
			return failed("sendto");
	}
}

/* Sends the question of each flow. Return: 0, or 1 having said why. */
static int flows_ask(const union address *to, long first, long n, struct pollfd *flows)
{
	long i;

	for (i = 0; i < n; i++) {
		union address own = { .any.sa_family = to->any.sa_family };

		/* At the same place in both families. */
		own.v4.sin_port = htons(first + i);
		flows[i].fd = socket_bound(&own);
		flows[i].events = POLLIN;
		if (flows[i].fd < 0)
			return failed("bind");
		if (connect(flows[i].fd, &to->any, sizeof(*to)) || send(flows[i].fd, "?", 1, 0) != 1)
			return failed("send");
	}
	return 0;
}

static int flows(const union address *to, long first, long n)
{
	static struct pollfd flows[FLOWS_MAX];
	static char answers[FLOWS_MAX][WORD_MAX];
	long i, left = n;
	ssize_t len;

	if (flows_ask(to, first, n, flows))
		return 1;
	while (left && poll(flows, n, ANSWER_MS) > 0) {
		for (i = 0; i < n; i++) {
			if (!(flows[i].revents & (POLLIN | POLLERR)))
				continue;
			len = recv(flows[i].fd, answers[i], WORD_MAX - 1, 0);
			if (len < 0)
				continue;
			answers[i][len] = '\0';
			/* poll() passes over it from now on. */
			flows[i].fd = -1;
			left--;
		}
	}
	for (i = 0; i < n; i++)
		printf("%ld %s\n", first + i, *answers[i] ? answers[i] : "none");
	return 0;
}

static void on_stop(int sig)
{
	stopped = 1;
}

static int send_numbers(const union address *to, long rate)
{
	struct sigaction stop = { .sa_handler = on_stop };
	uint64_t start = now_monotonic_us(), now, due;
	int fd = socket_open(to), len;
	char text[WORD_MAX];
	long n;

	if (fd < 0 || connect(fd, &to->any, sizeof(*to)))
		return failed("connect");
	sigaction(SIGINT, &stop, NULL);
	for (n = 0; !stopped; n++) {
		len = snprintf(text, sizeof(text), "%ld", n);
		if (send(fd, text, len, 0) != len)
			return failed("send");
		due = start + (n + 1) * 1000000ULL / rate;
		now = now_monotonic_us();
		if (now < due)
			usleep(due - now);
	}
	printf("%ld\n", n);
	return 0;
}

static int receive_numbers(const union address *own)
{
	int fd = socket_bound(own), size = RECEIVE_BUFFER;
	char text[WORD_MAX + 1];
	ssize_t len;

	if (fd < 0)
		return failed("bind");
	/* What a slow reader leaves in its socket is no loss of the network's. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		return failed("SO_RCVBUFFORCE");
	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((len = recv(fd, text, WORD_MAX, 0)) >= 0) {
		text[len] = '\0';
		puts(text);
	}
	return failed("recv");
}

int main(int argc, char **argv)
{
	union address address;
	long a, b;

	if (argc == 5 && !strcmp(argv[1], "name") && !address_parse(argv[3], argv[4], &address))
		return name(argv[2], &address);
	if (argc == 6 && !strcmp(argv[1], "flows") && !address_parse(argv[2], argv[3], &address) &&
	    !number_parse(argv[4], 65535, &a) && !number_parse(argv[5], FLOWS_MAX, &b))
		return flows(&address, a, b);
	if (argc == 5 && !strcmp(argv[1], "send") && !address_parse(argv[2], argv[3], &address) &&
	    !number_parse(argv[4], 1000000, &a))
		return send_numbers(&address, a);
	if (argc == 4 && !strcmp(argv[1], "receive") && !address_parse(argv[2], argv[3], &address))
		return receive_numbers(&address);
	return usage();
}
