// SPDX-License-Identifier: Apache-2.0
/*
 * Opens the netlink socket, sends requests and collects their answers. Called by lib/kernel.c only.
 */
#include "kernel_sock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "../proto/vpc_genl.h"
#include "kernel_msg.h"
#include "util.h"

#define TIMEOUT_S      10 /* an ordinary answer */
#define TIMEOUT_LONG_S 60 /* what walks or publishes a million routes */
#define SNDBUF	       (1024 * 1024)
#define RCVBUF	       (4 * 1024 * 1024)
#define ANSWER_MAX     (32U * 1024) /* what the kernel puts into one message of a dump */
#define ANSWERS	       (KERNEL_BUF_SIZE / ANSWER_MAX)

/* -- opening ------------------------------------------------------------------------------------------------------- */

static int nl_to_errno(int nl)
{
	switch (-nl) {
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_PERM:
		return -EPERM;
	default: /* libnl's own set, much finer than what a caller can act on */
		return -EIO;
	}
}

/* As large as wanted when we may, as large as allowed when not: the defaults do, with events lost sooner. */
static void sock_buffers(int fd)
{
	int rcv = RCVBUF, snd = SNDBUF;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcv, sizeof(rcv)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcv, sizeof(rcv));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &snd, sizeof(snd)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &snd, sizeof(snd));
}

static int sock_options(struct kernel *k, struct vpc_err *err)
{
	static const int options[] = { NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK };
	int on = 1;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (setsockopt(k->fd, SOL_NETLINK, options[i], &on, sizeof(on)) < 0)
			return vpc_err_set(err, -errno, "netlink: this kernel is too old (option %d): %s", options[i],
					   strerror(errno));
	return 0;
}

static int sock_connect(struct kernel *k, struct vpc_err *err)
{
	int r;

	k->sock = nl_socket_alloc();
	k->buf = malloc(KERNEL_BUF_SIZE);
	if (!k->sock || !k->buf)
		return vpc_err_set(err, -ENOMEM, "netlink: out of memory");
	r = genl_connect(k->sock);
	if (r < 0)
		return vpc_err_set(err, nl_to_errno(r), "netlink: cannot open a socket: %s", nl_geterror(r));
	k->fd = nl_socket_get_fd(k->sock);
	k->port = nl_socket_get_local_port(k->sock);
	sock_buffers(k->fd);
	r = genl_ctrl_resolve(k->sock, VPC_GENL_NAME);
	if (r == -NLE_OBJ_NOTFOUND)
		return vpc_err_set(err, -ENOENT, "the kernel has no family \"%s\": is vpc.ko loaded?", VPC_GENL_NAME);
	if (r < 0)
		return vpc_err_set(err, nl_to_errno(r), "netlink: cannot resolve family \"%s\": %s", VPC_GENL_NAME,
				   nl_geterror(r));
	k->family = r;
	k->group = genl_ctrl_resolve_grp(k->sock, VPC_GENL_NAME, VPC_GENL_MCGRP_EVENTS);
	return sock_options(k, err);
}

/* What the helper thread takes in and brings back. */
struct sock_opening {
	const char *path;
	struct kernel k;
	struct vpc_err err;
	int result;
};

/*
 * A socket belongs to the namespace in which it was made, and setns() moves a thread: so a thread of its own moves,
 * makes the socket and ends, and the caller's threads never leave theirs.
 */
static void *sock_open_thread(void *arg)
{
	struct sock_opening *opening = arg;
	_cleanup_close_ int fd = open(opening->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		opening->result =
			vpc_err_set(&opening->err, -errno, "network namespace %s: %s", opening->path, strerror(errno));
	else
		opening->result = sock_connect(&opening->k, &opening->err);
	return NULL;
}

static int sock_open_in(const char *netns, struct kernel *k, struct vpc_err *err)
{
	struct sock_opening opening = { .k = *k };
	pthread_t thread;
	char path[256];
	int r;

	snprintf(path, sizeof(path), "%s%s", strchr(netns, '/') ? "" : "/run/netns/", netns);
	opening.path = path;
	r = pthread_create(&thread, NULL, sock_open_thread, &opening);
	if (r)
		return vpc_err_set(err, -r, "network namespace %s: no thread: %s", netns, strerror(r));
	pthread_join(thread, NULL);
	*k = opening.k;
	if (opening.result)
		vpc_err_set(err, opening.result, "%s", opening.err.text);
	return opening.result;
}

int kernel_sock_open(const char *netns, struct kernel *ret, struct vpc_err *err)
{
	struct kernel k = { .fd = -1 };
	int r = netns ? sock_open_in(netns, &k, err) : sock_connect(&k, err);

	if (r) {
		kernel_sock_close(&k);
		return r;
	}
	*ret = k;
	return 0;
}

void kernel_sock_close(struct kernel *k)
{
	nl_socket_free(k->sock);
	free(k->buf);
}

/* -- one request --------------------------------------------------------------------------------------------------- */

int kernel_sock_receive(struct kernel *k, int flags, size_t *ret_len)
{
	struct sockaddr_nl from = { .nl_family = AF_NETLINK };
	struct iovec iov = { .iov_base = k->buf, .iov_len = KERNEL_BUF_SIZE };
	struct msghdr msg = { .msg_name = &from, .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	do {
		msg.msg_namelen = sizeof(from);
		n = recvmsg(k->fd, &msg, flags);
		if (n < 0 && errno != EINTR)
			return -errno;
	} while (n < 0 || from.nl_pid);
	if (msg.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	*ret_len = n;
	return 0;
}

/*
 * What there is of answers, as many as fit, each at its ANSWER_MAX of k->buf; waits for the first. A million routes are
 * five hundred messages. @ret_len: 0 for what another process sent.
 */
static int receive_answers(struct kernel *k, size_t *ret_len, size_t *ret_n)
{
	struct sockaddr_nl from[ANSWERS] = { 0 };
	struct mmsghdr msgs[ANSWERS] = { 0 };
	struct iovec iov[ANSWERS];
	int n;

	for (size_t i = 0; i < ANSWERS; i++) {
		iov[i] = (struct iovec){ .iov_base = k->buf + i * ANSWER_MAX, .iov_len = ANSWER_MAX };
		msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &from[i], .msg_namelen = sizeof(from[i]), .msg_iov = &iov[i], .msg_iovlen = 1
		};
	}
	do {
		n = recvmmsg(k->fd, msgs, ANSWERS, MSG_WAITFORONE, NULL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		if (msgs[i].msg_hdr.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		ret_len[i] = from[i].nl_pid ? 0 : msgs[i].msg_len;
	}
	*ret_n = n;
	return 0;
}

static int sock_timeout(struct kernel *k, const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = nlmsg_data(nlh);
	bool is_long = nlh->nlmsg_flags & NLM_F_DUMP || genl->cmd == VPC_CMD_TXN_COMMIT ||
		       genl->cmd == VPC_CMD_VERIFY || genl->cmd == VPC_CMD_VPC_DEL;
	struct timeval tv = { .tv_sec = is_long ? TIMEOUT_LONG_S : TIMEOUT_S };

	/* Not back again: two more system calls a transaction, for a socket that has waited so long before. */
	if (k->timeout_s >= (unsigned int)tv.tv_sec)
		return 0;
	if (setsockopt(k->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0)
		return -errno;
	k->timeout_s = tv.tv_sec;
	return 0;
}

/* One system call for all of them, unless a signal comes in between. */
static int sock_send(struct kernel *k, struct nl_msg *const *msgs, size_t n, struct vpc_err *err)
{
	struct mmsghdr to_send[KERNEL_SOCK_ALL_MAX] = { 0 };
	struct iovec iov[KERNEL_SOCK_ALL_MAX];
	int r;

	r = sock_timeout(k, nlmsg_hdr(msgs[n - 1]));
	if (r)
		return vpc_err_set(err, r, "netlink: cannot set the timeout: %s", strerror(-r));
	for (size_t i = 0; i < n; i++) {
		struct nlmsghdr *nlh = nlmsg_hdr(msgs[i]);

		nlh->nlmsg_seq = ++k->seq;
		nlh->nlmsg_pid = k->port;
		if (i + 1 < n)
			nlh->nlmsg_flags &= ~NLM_F_ACK;
		iov[i] = (struct iovec){ .iov_base = nlh, .iov_len = nlh->nlmsg_len };
		to_send[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	for (size_t sent = 0; sent < n;) {
		r = sendmmsg(k->fd, to_send + sent, n - sent, 0);
		if (r < 0 && errno != EINTR)
			return vpc_err_set(err, -errno, "netlink: cannot send %zu bytes: %s", iov[sent].iov_len,
					   strerror(errno));
		sent += r > 0 ? r : 0;
	}
	return 0;
}

static int receive_failed(struct kernel *k, int r, struct vpc_err *err)
{
	switch (r) {
	case -EAGAIN:
		return vpc_err_set(err, -ETIMEDOUT, "the kernel did not answer within %u s", k->timeout_s);
	case -ENOBUFS:
		return vpc_err_set(err, r, "netlink: answers were lost: the receive buffer overran");
	case -EMSGSIZE:
		return vpc_err_set(err, r, "netlink: an answer is larger than %u bytes", ANSWER_MAX);
	default:
		return vpc_err_set(err, r, "netlink: cannot receive: %s", strerror(-r));
	}
}

/* What has been received of the answers to @n requests, the last of which has the socket's sequence number. */
struct exchange {
	size_t n;
	kernel_answer_fn fn;
	void *arg;
	struct vpc_err *err;
	int result; /* the first failure, of @fn or of one of the requests */
	bool interrupted;
	bool done;
};

/* The kernel's verdict on a request. */
static int exchange_verdict(struct exchange *x, const struct nlmsghdr *nlh)
{
	struct vpc_err text;
	int code = 0;

	if (kernel_parse_status(nlh, &code, &text))
		return vpc_err_set(x->err, -EPROTO, "the kernel's answer has a broken end");
	if (!code && x->interrupted)
		return vpc_err_set(x->err, -EINTR, "the dump was interrupted by a change");
	if (!code)
		return 0;
	if (text.text[0])
		return vpc_err_set(x->err, code, "kernel: %s", text.text);
	/* The module gives each refusal a text; this one is generic netlink's, which does not know the id any more. */
	if (code == -ENOENT)
		return vpc_err_set(x->err, -ENODEV, "the kernel's family \"%s\" is gone: was vpc.ko unloaded?",
				   VPC_GENL_NAME);
	return vpc_err_set(x->err, code, "kernel: %s%s", strerror(-code),
			   code == -EPERM ? " (CAP_NET_ADMIN is needed)" : "");
}

/* The last message of the answer to one request: the verdict on all when it was the last request. */
static int exchange_end(struct kernel *k, struct exchange *x, const struct nlmsghdr *nlh)
{
	if (!x->result)
		x->result = exchange_verdict(x, nlh);
	x->done = nlh->nlmsg_seq == k->seq;
	return x->done ? x->result : 0;
}

/* The messages of one datagram; those with another sequence number answer a request that was given up. */
static int exchange_datagram(struct kernel *k, struct exchange *x, void *data, size_t len)
{
	struct nlmsghdr *nlh = data;
	int left = len;

	for (; nlmsg_ok(nlh, left); nlh = nlmsg_next(nlh, &left)) {
		if (k->seq - nlh->nlmsg_seq >= x->n || nlh->nlmsg_pid != k->port)
			continue;
		x->interrupted |= !!(nlh->nlmsg_flags & NLM_F_DUMP_INTR);
		if (nlh->nlmsg_type == NLMSG_ERROR || nlh->nlmsg_type == NLMSG_DONE) {
			int r = exchange_end(k, x, nlh);

			if (x->done)
				return r;
			continue;
		}
		if (nlh->nlmsg_type == NLMSG_OVERRUN)
			return vpc_err_set(x->err, -ENOBUFS, "netlink: answers were lost");
		if (nlh->nlmsg_type == k->family && x->fn && !x->result)
			x->result = x->fn(nlh, x->arg, x->err);
	}
	return left > 0 ? vpc_err_set(x->err, -EPROTO, "the kernel's answer ends in the middle of a message") : 0;
}

static int exchange_run(struct kernel *k, struct exchange *x, struct nl_msg *const *msgs)
{
	size_t len[ANSWERS], n;
	int r = 0;

	/* A dump still running is read to its end: until then none can start. */
	while (k->owed && (!r || r == -ENOBUFS || r == -EMSGSIZE))
		r = kernel_sock_receive(k, MSG_DONTWAIT, len);
	k->owed = true;
	r = sock_send(k, msgs, x->n, x->err);
	while (!r && !x->done) {
		r = receive_answers(k, len, &n);
		if (r)
			return receive_failed(k, r, x->err);
		for (size_t i = 0; i < n && !r && !x->done; i++)
			r = exchange_datagram(k, x, k->buf + i * ANSWER_MAX, len[i]);
	}
	k->owed = !x->done;
	return r;
}

int kernel_sock_request(struct kernel *k, struct nl_msg *msg, kernel_answer_fn fn, void *arg, struct vpc_err *err)
{
	struct exchange x = { .n = 1, .fn = fn, .arg = arg, .err = err };

	return exchange_run(k, &x, &msg);
}

int kernel_sock_request_all(struct kernel *k, struct nl_msg *const *msgs, size_t n, struct vpc_err *err)
{
	struct exchange x = { .n = n, .err = err };

	return exchange_run(k, &x, msgs);
}
