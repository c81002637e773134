/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Netlink messages made by hand, independently of lib/kernel_msg.c, and a kernel played by a thread at the other end of
 * a socket pair, for the tests of the netlink client.
 */
#ifndef VPC_TEST_FAKE_KERNEL_H
#define VPC_TEST_FAKE_KERNEL_H

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "../../lib/kernel_msg.h"
#include "../../lib/kernel_sock.h"

#define FAKE_FAMILY 0x1234

/* One message under construction; @buf is aligned for its header. */
struct fake_msg {
	_Alignas(8) char buf[16384];
	size_t len;
};

static inline struct nlmsghdr *fake_hdr(struct fake_msg *msg)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)msg->buf;

	nlh->nlmsg_len = msg->len;
	return nlh;
}

static inline void fake_bytes(struct fake_msg *msg, const void *data, size_t len)
{
	if (len)
		memcpy(msg->buf + msg->len, data, len);
	memset(msg->buf + msg->len + len, 0, NLMSG_ALIGN(len) - len);
	msg->len += NLMSG_ALIGN(len);
}

static inline void fake_begin(struct fake_msg *msg, uint16_t type, uint16_t flags)
{
	struct nlmsghdr nlh = { .nlmsg_type = type, .nlmsg_flags = flags };

	msg->len = 0;
	fake_bytes(msg, &nlh, sizeof(nlh));
}

static inline void fake_answer(struct fake_msg *msg, uint8_t cmd, uint16_t flags)
{
	struct genlmsghdr genl = { .cmd = cmd, .version = 1 };

	fake_begin(msg, FAKE_FAMILY, flags);
	fake_bytes(msg, &genl, sizeof(genl));
}

static inline void fake_attr(struct fake_msg *msg, uint16_t type, const void *data, size_t len)
{
	struct nlattr attr = { .nla_len = NLA_HDRLEN + len, .nla_type = type };

	fake_bytes(msg, &attr, sizeof(attr));
	fake_bytes(msg, data, len);
}

#define FAKE_NUMBER(msg, type, ctype, value)             \
	do {                                             \
		ctype __v = (value);                     \
		fake_attr(msg, type, &__v, sizeof(__v)); \
	} while (0)

static inline size_t fake_nest(struct fake_msg *msg, uint16_t type)
{
	size_t at = msg->len;

	fake_attr(msg, type | NLA_F_NESTED, NULL, 0);
	return at;
}

static inline void fake_nest_end(struct fake_msg *msg, size_t at)
{
	uint16_t len = msg->len - at;

	memcpy(msg->buf + at, &len, sizeof(len));
}

/* NLMSG_ERROR, capped as the client asks for it; @text may be NULL. */
static inline void fake_error(struct fake_msg *msg, int code, const char *text)
{
	struct nlmsgerr error = { .error = code, .msg = { .nlmsg_len = 4096 } };

	fake_begin(msg, NLMSG_ERROR, NLM_F_CAPPED | (text ? NLM_F_ACK_TLVS : 0));
	fake_bytes(msg, &error, sizeof(error));
	if (text)
		fake_attr(msg, NLMSGERR_ATTR_MSG, text, strlen(text) + 1);
}

static inline void fake_done(struct fake_msg *msg, int code, uint16_t flags, const char *text)
{
	fake_begin(msg, NLMSG_DONE, NLM_F_MULTI | flags | (text ? NLM_F_ACK_TLVS : 0));
	fake_bytes(msg, &code, sizeof(code));
	if (text)
		fake_attr(msg, NLMSGERR_ATTR_MSG, text, strlen(text) + 1);
}

/* -- the kernel's end ---------------------------------------------------------------------------------------------- */

struct fake_kernel {
	struct kernel k; /* the client's end */
	int fd;
	pthread_t thread;
	/* Plays the kernel: answers @request (its @n-th, from 0) through fake_send(). */
	void (*play)(struct fake_kernel *fake, const struct nlmsghdr *request, unsigned int n);
	unsigned int n_requests;
	uint8_t cmds[256]; /* of the requests, in order */
	uint32_t seq;
	int scene; /* for @play */
};

/* As an answer to the current request, unless the message carries a sequence number of its own. */
static inline void fake_send(struct fake_kernel *fake, struct fake_msg *msg)
{
	struct nlmsghdr *nlh = fake_hdr(msg);

	if (!nlh->nlmsg_seq)
		nlh->nlmsg_seq = fake->seq;
	if (!nlh->nlmsg_pid)
		nlh->nlmsg_pid = fake->k.port;
	if (send(fake->fd, msg->buf, msg->len, 0) < 0)
		abort();
}

static inline void fake_send_ack(struct fake_kernel *fake)
{
	struct fake_msg msg;

	fake_error(&msg, 0, NULL);
	fake_send(fake, &msg);
}

static inline void *fake_thread(void *arg)
{
	_Alignas(8) static __thread char buf[KERNEL_ADD_MSG_MAX + 4096];
	struct fake_kernel *fake = arg;

	while (recv(fake->fd, buf, sizeof(buf), 0) > 0) {
		const struct nlmsghdr *nlh = (struct nlmsghdr *)buf;
		const struct genlmsghdr *genl = NLMSG_DATA(nlh);

		fake->seq = nlh->nlmsg_seq;
		if (fake->n_requests < sizeof(fake->cmds))
			fake->cmds[fake->n_requests] = genl->cmd;
		fake->play(fake, nlh, fake->n_requests++);
	}
	return NULL;
}

static inline void fake_start(struct fake_kernel *fake, int scene,
			      void (*play)(struct fake_kernel *fake, const struct nlmsghdr *request, unsigned int n))
{
	int fds[2], size = 1024 * 1024;

	memset(fake, 0, sizeof(*fake));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		abort();
	setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	fake->k = (struct kernel){
		.fd = fds[0], .family = FAKE_FAMILY, .port = 4711, .seq = 1000, .buf = malloc(KERNEL_BUF_SIZE)
	};
	fake->fd = fds[1];
	fake->play = play;
	fake->scene = scene;
	if (pthread_create(&fake->thread, NULL, fake_thread, fake))
		abort();
}

static inline void fake_stop(struct fake_kernel *fake)
{
	shutdown(fake->k.fd, SHUT_RDWR);
	pthread_join(fake->thread, NULL);
	close(fake->k.fd);
	close(fake->fd);
	free(fake->k.buf);
}

#endif
