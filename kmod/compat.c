// SPDX-License-Identifier: GPL-2.0-only
/*
 * Formatted extack texts on every kernel that vpc.ko is built for. See compat.h.
 */
#include "compat.h"

#include <linux/string.h>

#ifdef NL_SET_ERR_MSG_FMT

void vpc_refuse(struct netlink_ext_ack *extack, const char *fmt, ...)
{
	va_list args;

	if (!extack)
		return;
	va_start(args, fmt);
	vsnprintf(extack->_msg_buf, sizeof(extack->_msg_buf), fmt, args);
	va_end(args);
	extack->_msg = extack->_msg_buf;
}

void vpc_extack_begin(struct netlink_ext_ack *extack, struct vpc_extack_text *text)
{
}

int vpc_extack_end(struct netlink_ext_ack *extack, struct sk_buff *skb, const struct nlmsghdr *nlh, int err)
{
	return err;
}

#else

/* The lent buffer's address travels in the cookie, which the core sends only when cookie_len says that there is one. */
static char *vpc_extack_buf(const struct netlink_ext_ack *extack)
{
	char *buf;

	BUILD_BUG_ON(sizeof(buf) > sizeof(extack->cookie));
	memcpy(&buf, extack->cookie, sizeof(buf));
	return extack->cookie_len ? NULL : buf;
}

void vpc_refuse(struct netlink_ext_ack *extack, const char *fmt, ...)
{
	va_list args;
	char *buf;

	if (!extack)
		return;
	buf = vpc_extack_buf(extack);
	if (!buf) {
		extack->_msg = fmt;
		return;
	}
	va_start(args, fmt);
	vsnprintf(buf, VPC_EXTACK_MAX, fmt, args);
	va_end(args);
	extack->_msg = buf;
}

void vpc_extack_begin(struct netlink_ext_ack *extack, struct vpc_extack_text *text)
{
	char *buf = text->text;

	if (extack)
		memcpy(extack->cookie, &buf, sizeof(buf));
}

int vpc_extack_end(struct netlink_ext_ack *extack, struct sk_buff *skb, const struct nlmsghdr *nlh, int err)
{
	char *buf;

	if (!extack)
		return err;
	buf = vpc_extack_buf(extack);
	memset(extack->cookie, 0, sizeof(extack->cookie));
	if (!buf || extack->_msg != buf)
		return err;
	if (!err) {
		extack->_msg = NULL;
		return 0;
	}
	netlink_ack(skb, (struct nlmsghdr *)nlh, err, extack);
	extack->_msg = NULL;
	/* To netlink_rcv_skb() this means: no acknowledgement from you. */
	return -EINTR;
}

#endif
