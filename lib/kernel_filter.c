// SPDX-License-Identifier: Apache-2.0
/*
 * Which events a socket wants, decided in the kernel by a filter of the socket (classic BPF, socket(7)): one that is
 * left out wakes nobody and takes no room. Used by the agent, which makes thousands of commits and need not hear of
 * them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel.h"
#include "kernel_sock.h"
#include "util.h"

/* X: where attribute @type begins; without it @miss steps behind these are left out. */
#define FIND(type, miss)                                                       \
	BPF_STMT(BPF_LD | BPF_IMM, NLMSG_HDRLEN + GENL_HDRLEN),                \
	BPF_STMT(BPF_LDX | BPF_IMM, type),                                     \
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SKF_AD_OFF + SKF_AD_NLATTR),        \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, (miss) + 1, 0),                 \
	BPF_STMT(BPF_MISC | BPF_TAX, 0)

static int attach(struct kernel *k, struct sock_filter *steps, size_t n, struct vpc_err *err)
{
	struct sock_fprog program = { .len = n, .filter = steps };

	if (setsockopt(k->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return vpc_err_set(err, -errno, "netlink: cannot filter the events: %s", strerror(errno));
	return 0;
}

int kernel_events_without(struct kernel *k, enum vpc_event event, struct vpc_err *err)
{
	struct sock_filter steps[] = {
		FIND(VPC_A_EVENT, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, NLA_HDRLEN),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, event, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};

	return attach(k, steps, ARRAY_SIZE(steps), err);
}

int kernel_events_of(struct kernel *k, uint32_t vni, struct vpc_err *err)
{
	/* A load takes the bytes for big-endian. */
	struct sock_filter steps[] = {
		FIND(VPC_A_VNI, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_IND, NLA_HDRLEN),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(vni), 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};

	return attach(k, steps, ARRAY_SIZE(steps), err);
}
