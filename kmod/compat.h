/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between the kernels that vpc.ko is built for (Debian's 6.1 and later), and nothing else.
 *
 * Formatted refusals: since 6.2 an extack has a buffer of its own. Before, it only points to a text, which the core
 * reads after the command has returned, so a command with such a text acknowledges by itself (vpc_extack_end()).
 */
#ifndef VPC_COMPAT_H
#define VPC_COMPAT_H

#include <linux/netlink.h>
#include <linux/version.h>
#include <net/genetlink.h>

/* Where skb_gso_segment() and get_unaligned() are declared. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#include <net/gso.h>
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

#define VPC_EXTACK_MAX		80	/* bytes of a refusal, the NUL included; 6.2's own limit */

struct vpc_extack_text {
	char text[VPC_EXTACK_MAX];
};

/* Says why in @extack (may be NULL). */
__printf(2, 3) void vpc_refuse(struct netlink_ext_ack *extack, const char *fmt, ...);

/* Lends @text to @extack for one command; around everything that may call vpc_refuse(). */
void vpc_extack_begin(struct netlink_ext_ack *extack, struct vpc_extack_text *text);
/* Return: what the command has to return for @err. */
int vpc_extack_end(struct netlink_ext_ack *extack, struct sk_buff *skb, const struct nlmsghdr *nlh, int err);

static inline struct nlattr **vpc_dump_attrs(const struct netlink_callback *cb)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
	return ((const struct genl_dumpit_info *)cb->data)->info.attrs;
#else
	return ((const struct genl_dumpit_info *)cb->data)->attrs;
#endif
}

#endif
