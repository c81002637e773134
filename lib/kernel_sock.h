/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The netlink socket below lib/kernel.c: opened in a namespace, one request at a time, every answer accounted for.
 *
 * libnl makes the socket and the messages; receiving is done here, because libnl 3.7 drops the extack text and takes an
 * interrupted dump's end for a success.
 */
#ifndef VPC_KERNEL_SOCK_H
#define VPC_KERNEL_SOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/netlink.h>
#include "err.h"

struct nl_msg;
struct nl_sock;

/**
 * struct kernel - one socket
 * @family: the family's id
 * @buf: received bytes; @buf_pos..@buf_len are events not yet handed out
 * @owed: the kernel may still have to answer a request that was given up
 */
struct kernel {
	struct nl_sock *sock;
	int fd;
	int group;
	uint16_t family;
	uint32_t seq, port;
	unsigned int timeout_s;
	char *buf;
	size_t buf_pos, buf_len;
	bool owed;
};

#define KERNEL_BUF_SIZE (256U * 1024)

/* Reads one answer; a failure is remembered and returned once the kernel has said all that it has to say. */
typedef int (*kernel_answer_fn)(const struct nlmsghdr *nlh, void *arg, struct vpc_err *err);

/* As kernel_open(). */
int kernel_sock_open(const char *netns, struct kernel *ret, struct vpc_err *err);
void kernel_sock_close(struct kernel *k);

/**
 * kernel_sock_request() - send and receive until the acknowledgement or the end of the dump
 * @msg: with NLM_F_ACK or NLM_F_DUMP; stays the caller's
 * @fn: for each answer, or NULL
 *
 * Return: 0; what @fn returned; what the kernel said, with "kernel: <extack>" in @err; -EINTR: a dump was overtaken
 * by a change of the configuration; -ETIMEDOUT, -ENOBUFS, -EMSGSIZE: answers are missing; -ENODEV: the family is gone
 * since it was opened.
 */
int kernel_sock_request(struct kernel *k, struct nl_msg *msg, kernel_answer_fn fn, void *arg, struct vpc_err *err);

/* Messages that kernel_sock_request_all() takes. */
#define KERNEL_SOCK_ALL_MAX 128U

/**
 * kernel_sock_request_all() - send several requests that have no answers but success or failure
 * @msgs: with NLM_F_ACK, of which the last one's is asked for; all stay the caller's
 * @n: 1..KERNEL_SOCK_ALL_MAX
 *
 * The kernel works on all of them, whatever becomes of the first.
 *
 * Return: the first failure, as kernel_sock_request() has it.
 */
int kernel_sock_request_all(struct kernel *k, struct nl_msg *const *msgs, size_t n, struct vpc_err *err);

/*
 * One datagram from the kernel into k->buf. @flags as for recv(2). Skips what other processes sent. -EAGAIN,
 * -ENOBUFS, -EMSGSIZE...
 */
int kernel_sock_receive(struct kernel *k, int flags, size_t *ret_len);

#endif
