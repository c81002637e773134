// SPDX-License-Identifier: Apache-2.0
/*
 * fib NEXTHOP [TABLE] < PREFIXES: IPv4 prefixes, one a line, into Linux's FIB (the main table, or TABLE), all by the
 * nexthop object NEXTHOP. forward.sh fills the peers' tables with it: "ip -batch" sends each route alone and keeps
 * 3 KiB of each line until it ends, which in User Mode Linux takes minutes and gigabytes for the table of the internet.
 *
 * What the kernel refuses is not reported here; who calls counts what is there.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "../../lib/addr.h"

#define BATCH 65536

struct fib_request {
	struct nlmsghdr nlh;
	struct rtmsg rtm;
	struct rtattr dst_attr;
	uint32_t dst;
	struct rtattr table_attr;
	uint32_t table;
	struct rtattr nexthop_attr;
	uint32_t nexthop;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "fib: %s: %s\n", what, why);
	exit(1);
}

static uint32_t number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || !*text || n > UINT32_MAX)
		die(text, "not a number");
	return n;
}

int main(int argc, char **argv)
{
	static char batch[BATCH];
	struct fib_request request = {
		.nlh = { .nlmsg_len = sizeof(request), .nlmsg_type = RTM_NEWROUTE,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE },
		.rtm = { .rtm_family = AF_INET, .rtm_protocol = RTPROT_STATIC, .rtm_type = RTN_UNICAST },
		.dst_attr = { .rta_len = RTA_LENGTH(4), .rta_type = RTA_DST },
		.table_attr = { .rta_len = RTA_LENGTH(4), .rta_type = RTA_TABLE },
		.table = RT_TABLE_MAIN,
		.nexthop_attr = { .rta_len = RTA_LENGTH(4), .rta_type = RTA_NH_ID },
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), size = 4 * BATCH;
	struct vpc_prefix prefix;
	struct vpc_err err;
	char line[64];
	size_t used = 0;

	if (argc < 2 || argc > 3)
		die("usage", "fib NEXTHOP [TABLE] < PREFIXES");
	request.nexthop = number(argv[1]);
	if (argc == 3)
		request.table = number(argv[2]);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		die("socket", strerror(errno));
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, " \t\n")] = '\0';
		if (vpc_prefix_parse(line, &prefix, &err))
			die(line, err.text);
		request.rtm.rtm_dst_len = prefix.plen;
		memcpy(&request.dst, prefix.bytes, sizeof(request.dst));
		memcpy(batch + used, &request, sizeof(request));
		used += sizeof(request);
		if (used + sizeof(request) <= sizeof(batch))
			continue;
		if (send(fd, batch, used, 0) < 0)
			die("send", strerror(errno));
		used = 0;
	}
	if (used && send(fd, batch, used, 0) < 0)
		die("send", strerror(errno));
	return 0;
}
