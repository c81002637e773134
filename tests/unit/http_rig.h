/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports of this machine's loopback, and a client's connections to them. For the tests of programs that answer HTTP.
 */
#ifndef TEST_HTTP_RIG_H
#define TEST_HTTP_RIG_H

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT_TRIES 20 /* for who wants one that nobody has, and may find that somebody took it meanwhile */

/* Somebody listens on a port of his own. */
static inline int take_port(unsigned int *ret_port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*ret_port = ntohs(in.sin_port);
	return fd;
}

/* -errno: -ECONNREFUSED, nobody listens. */
static inline int dial_to(uint32_t address, unsigned int port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(address) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), ret;

	assert_true(fd >= 0);
	if (!connect(fd, (struct sockaddr *)&in, sizeof(in)))
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

/* All of it: closed by the other side otherwise. */
static inline void ask(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

#endif
