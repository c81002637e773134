// SPDX-License-Identifier: Apache-2.0
/*
 * A file goes over TCP from one network namespace to another and arrives whole: one process and a fork, where
 * listener, waiting for it, sender and comparison would be a dozen, which count under emulation. Called by
 * tests/e2e/vm_underlay.sh and vm_icmp.sh.
 *
 *   stream FILE FROM TO ADDRESS PORT     FROM and TO as `ip netns` knows them; ADDRESS is TO's
 *
 * Exit status: 0 every byte arrived as it was sent, 1 not so, having said what happened, 2 wrong call.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../lib/util.h"

/* Nobody waits longer than that for the other end. */
#define LIMIT_S 60

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct content {
	const char *bytes;
	size_t len;
};

static int failed(const char *what)
{
	fprintf(stderr, "stream: %s: %s\n", what, strerror(errno));
	return 1;
}

static int address_parse(const char *text, const char *port_text, union address *ret)
{
	union address address = {};
	int port = atoi(port_text);

	if (port < 1 || port > 65535)
		return -EINVAL;
	if (inet_pton(AF_INET, text, &address.v4.sin_addr) == 1)
		address.v4.sin_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &address.v6.sin6_addr) == 1)
		address.v6.sin6_family = AF_INET6;
	else
		return -EINVAL;
	/* At the same place in both families. */
	address.v4.sin_port = htons(port);
	*ret = address;
	return 0;
}

static int content_map(const char *path, struct content *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *bytes;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	bytes = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return -errno;
	close(fd);
	*ret = (struct content){ .bytes = bytes, .len = st.st_size };
	return 0;
}

/* A TCP socket in the namespace, in which the process is from here on. Return: the descriptor, -errno. */
static int socket_in(const char *netns, int family)
{
	const struct timeval limit = { .tv_sec = LIMIT_S };
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		return -errno;
	close(fd);
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)))
		return -errno;
	return fd;
}

/* Return: the exit status. */
static int receive(int listener, const struct content *content)
{
	int fd = accept(listener, NULL, NULL);
	static char buf[65536];
	size_t done = 0;
	ssize_t n;

	if (fd < 0)
		return failed("accept");
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		if ((size_t)n > content->len - done || memcmp(buf, content->bytes + done, n)) {
			fprintf(stderr, "stream: other bytes arrived than were sent, behind byte %zu\n", done);
			return 1;
		}
		done += n;
	}
	if (n < 0)
		return failed("recv");
	if (done == content->len)
		return 0;
	fprintf(stderr, "stream: %zu of %zu bytes arrived\n", done, content->len);
	return 1;
}

static int transmit(int fd, const union address *to, const struct content *content)
{
	size_t done = 0;
	ssize_t n;

	if (connect(fd, &to->any, sizeof(*to)))
		return failed("connect");
	while (done < content->len) {
		n = send(fd, content->bytes + done, content->len - done, MSG_NOSIGNAL);
		if (n <= 0)
			return failed("send");
		done += n;
	}
	return shutdown(fd, SHUT_WR) ? failed("shutdown") : 0;
}

int main(int argc, char **argv)
{
	int listener, fd, status, sent, one = 1;
	struct content content = {};
	union address to;
	pid_t child;

	if (argc != 6 || address_parse(argv[4], argv[5], &to)) {
		fprintf(stderr, "usage: stream FILE FROM TO ADDRESS PORT\n");
		return 2;
	}
	errno = -content_map(argv[1], &content);
	if (errno)
		return failed(argv[1]);
	listener = socket_in(argv[3], to.any.sa_family);
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(listener, &to.any, sizeof(to)) || listen(listener, 1))
		return failed(argv[3]);
	child = fork();
	if (child < 0)
		return failed("fork");
	if (!child)
		_exit(receive(listener, &content));
	close(listener);
	fd = socket_in(argv[2], to.any.sa_family);
	sent = fd < 0 ? failed(argv[2]) : transmit(fd, &to, &content);
	if (waitpid(child, &status, 0) != child)
		return failed("waitpid");
	return sent || status ? 1 : 0;
}
