// SPDX-License-Identifier: Apache-2.0
/*
 * Raw messages and the kernel's state as a number; see state.h.
 */
#include "state.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "../../../lib/digest.h"
#include "../../../lib/kernel_sock.h"
#include "../../../lib/util.h"

#define ANSWER_MAX (256U * 1024)
#define ANSWER_S   20

struct kernel *state_kernel;
static int watch = -1;
static uint16_t family;
static uint32_t sequence;

void die(const char *fmt, ...)
{
	va_list ap;

	fputs("FAILED: ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	exit(2);
}

/* -- messages ------------------------------------------------------------------------------------------------------ */

static void put_bytes(struct nl_out *msg, const void *data, size_t len)
{
	memset(msg->buf + msg->len, 0, NLMSG_ALIGN(len));
	if (len)
		memcpy(msg->buf + msg->len, data, len);
	msg->len += NLMSG_ALIGN(len);
}

void nl_begin(struct nl_out *msg, uint8_t cmd, uint16_t flags)
{
	struct nlmsghdr nlh = { .nlmsg_type = family, .nlmsg_flags = NLM_F_REQUEST | flags };
	struct genlmsghdr genl = { .cmd = cmd, .version = VPC_GENL_VERSION };

	msg->len = 0;
	put_bytes(msg, &nlh, sizeof(nlh));
	put_bytes(msg, &genl, sizeof(genl));
}

void nl_put(struct nl_out *msg, uint16_t type, const void *data, size_t len)
{
	struct nlattr attr = { .nla_len = NLA_HDRLEN + len, .nla_type = type };

	if (msg->len + NLA_HDRLEN + NLA_ALIGN(len) > sizeof(msg->buf))
		return;
	put_bytes(msg, &attr, sizeof(attr));
	put_bytes(msg, data, len);
}

void nl_put_u32(struct nl_out *msg, uint16_t type, uint32_t value)
{
	nl_put(msg, type, &value, sizeof(value));
}

void nl_put_u64(struct nl_out *msg, uint16_t type, uint64_t value)
{
	nl_put(msg, type, &value, sizeof(value));
}

size_t nl_nest(struct nl_out *msg, uint16_t type)
{
	size_t at = msg->len;

	nl_put(msg, type | NLA_F_NESTED, NULL, 0);
	return at;
}

void nl_nest_end(struct nl_out *msg, size_t at)
{
	uint16_t len = msg->len - at;

	if (len)
		memcpy(msg->buf + at, &len, sizeof(len));
}

/* -- talking ------------------------------------------------------------------------------------------------------- */

int nl_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC), on = 1;
	struct timeval limit = { .tv_sec = ANSWER_S };

	if (fd < 0 || setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		die("socket: %s", strerror(errno));
	return fd;
}

static void hash_add(uint64_t *hash, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len--)
		*hash = (*hash ^ *p++) * 0x100000001b3ULL;
}

/* The answer's attributes but those that differ between equal states: memory in use, and transactions' numbers. */
static void take_answer(const struct nlmsghdr *nlh, struct nl_result *ret)
{
	size_t pos = NLMSG_HDRLEN + GENL_HDRLEN;
	struct nlattr attr;

	while (pos + NLA_HDRLEN <= nlh->nlmsg_len) {
		memcpy(&attr, (const char *)nlh + pos, sizeof(attr));
		if (attr.nla_len < NLA_HDRLEN)
			die("the kernel's answer has an attribute of length %u", attr.nla_len);
		if (attr.nla_type == VPC_A_TXN)
			memcpy(&ret->txn, (const char *)nlh + pos + NLA_HDRLEN, sizeof(ret->txn));
		else if (attr.nla_type != VPC_A_MEMORY)
			hash_add(&ret->hash, (const char *)nlh + pos, attr.nla_len);
		pos += NLA_ALIGN(attr.nla_len);
	}
}

static void take_text(const struct nlmsghdr *nlh, size_t skip, struct nl_result *ret)
{
	size_t pos = NLMSG_HDRLEN + skip;
	struct nlattr attr;

	while (nlh->nlmsg_flags & NLM_F_ACK_TLVS && pos + NLA_HDRLEN <= nlh->nlmsg_len) {
		memcpy(&attr, (const char *)nlh + pos, sizeof(attr));
		if ((attr.nla_type & NLA_TYPE_MASK) == NLMSGERR_ATTR_MSG)
			snprintf(ret->text, sizeof(ret->text), "%.*s", attr.nla_len - NLA_HDRLEN,
				 (const char *)nlh + pos + NLA_HDRLEN);
		if (attr.nla_len < NLA_HDRLEN)
			return;
		pos += NLA_ALIGN(attr.nla_len);
	}
}

/* True: that was the last one. */
static bool take(const struct nlmsghdr *nlh, struct nl_result *ret)
{
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		memcpy(&ret->code, NLMSG_DATA(nlh), sizeof(int));
		take_text(nlh, sizeof(struct nlmsgerr), ret);
		return true;
	}
	if (nlh->nlmsg_type == NLMSG_DONE) {
		memcpy(&ret->code, NLMSG_DATA(nlh), sizeof(int));
		take_text(nlh, sizeof(int), ret);
		return true;
	}
	if (nlh->nlmsg_type == family)
		take_answer(nlh, ret);
	return false;
}

static void receive(int fd, uint32_t seq, struct nl_result *ret)
{
	static _Alignas(8) char buf[ANSWER_MAX];
	bool done = false;
	ssize_t n;

	while (!done) {
		struct nlmsghdr *nlh = (struct nlmsghdr *)buf;

		n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0) {
			ret->code = -errno;
			ret->lost = errno == ENOBUFS || errno == ENOMEM;
			if (!ret->lost)
				die("no answer: %s", strerror(errno));
			return;
		}
		for (; NLMSG_OK(nlh, n); nlh = NLMSG_NEXT(nlh, n))
			if (nlh->nlmsg_seq == seq)
				done |= take(nlh, ret);
	}
}

void nl_talk(int fd, const struct nl_out *msg, struct nl_result *ret)
{
	static struct nl_out copy;
	struct nlmsghdr nlh;

	*ret = (struct nl_result){ .hash = 0xcbf29ce484222325ULL };
	copy = *msg;
	memcpy(&nlh, copy.buf, sizeof(nlh));
	/* One that was made too short on purpose keeps its length. */
	nlh.nlmsg_len = nlh.nlmsg_len ?: copy.len;
	nlh.nlmsg_seq = ++sequence;
	memcpy(copy.buf, &nlh, sizeof(nlh));
	if (send(fd, copy.buf, copy.len, 0) < 0) {
		ret->code = -errno;
		return;
	}
	/* The kernel's answer to what is no message is none. */
	if (nlh.nlmsg_len < NLMSG_HDRLEN || nlh.nlmsg_len > copy.len)
		return;
	receive(fd, sequence, ret);
}

/* -- the state ----------------------------------------------------------------------------------------------------- */

uint64_t state_hash(void)
{
	static const struct {
		uint8_t cmd;
		uint16_t flags;
	} asks[] = { { VPC_CMD_HOST_GET, NLM_F_ACK },
		     { VPC_CMD_VPC_GET, NLM_F_DUMP },
		     { VPC_CMD_PORT_GET, NLM_F_DUMP } };
	uint64_t hash = 0xcbf29ce484222325ULL;
	struct nl_result result;
	struct nl_out msg;

	for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
		nl_begin(&msg, asks[i].cmd, asks[i].flags);
		nl_talk(watch, &msg, &result);
		if (result.code)
			die("reading the state, command %u: %d %s", asks[i].cmd, result.code, result.text);
		hash_add(&hash, &result.hash, sizeof(result.hash));
	}
	return hash;
}

static void verify_vpc(const struct kernel_vpc *vpc)
{
	struct vpc_digest found, dumped;
	struct kernel_vpc now;
	struct vpc_state state;
	struct vpc_err err;

	if (kernel_verify(state_kernel, vpc->vni, &now, &found, &err))
		die("VPC %u: verify: %s", vpc->vni, err.text);
	if (!vpc_digest_equal(&found, &now.digest) || now.faults)
		die("VPC %u: its tables do not have its digest", vpc->vni);
	if (kernel_dump(state_kernel, vpc->vni, &state, &err))
		die("VPC %u: dump: %s", vpc->vni, err.text);
	dumped = vpc_digest_of_state(&state);
	if (!vpc_digest_equal(&dumped, &now.digest) || state.epoch != now.epoch)
		die("VPC %u: what it dumps does not have its digest", vpc->vni);
	if (vpc_state_check(&state, &err))
		die("VPC %u: the kernel took what is no sound VPC: %s", vpc->vni, err.text);
	if (state.n_routes != now.n_routes || state.n_nexthops != now.n_nexthops || state.n_members != now.n_members)
		die("VPC %u: it counts wrongly", vpc->vni);
	vpc_state_clear(&state);
}

void state_verify(void)
{
	struct kernel_vpc *vpcs;
	struct vpc_err err;
	size_t n;

	if (kernel_vpc_list(state_kernel, &vpcs, &n, &err))
		die("list of VPCs: %s", err.text);
	for (size_t i = 0; i < n; i++)
		verify_vpc(&vpcs[i]);
	free(vpcs);
}

void state_reset(void)
{
	const struct vpc_addr vtep = { AF_INET, { 192, 0, 2, 11 } }, none = {};
	struct kernel_port *ports;
	struct kernel_vpc *vpcs;
	struct vpc_err err;
	size_t n_ports, n_vpcs;

	if (kernel_port_list(state_kernel, &ports, &n_ports, &err) ||
	    kernel_vpc_list(state_kernel, &vpcs, &n_vpcs, &err))
		die("reset: %s", err.text);
	for (size_t i = 0; i < n_ports; i++)
		if (kernel_port_del(state_kernel, ports[i].conf.dev, &err))
			die("reset: port %s: %s", ports[i].conf.dev, err.text);
	for (size_t i = 0; i < n_vpcs; i++)
		if (kernel_vpc_del(state_kernel, vpcs[i].vni, &err))
			die("reset: VPC %u: %s", vpcs[i].vni, err.text);
	if (kernel_host_set(state_kernel, &vtep, &none, VPC_UDP_PORT, &err))
		die("reset: host: %s", err.text);
	kernel_ports_free(ports, n_ports);
	free(vpcs);
}

void state_begin(void)
{
	struct vpc_err err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (kernel_open(NULL, &state_kernel, &err))
		die("%s", err.text);
	family = state_kernel->family;
	watch = nl_open();
}
