// SPDX-License-Identifier: Apache-2.0
/*
 * Every command of the family "vpc" with its first allocation failing, then its second, and so on until none is left
 * that could: each time the command fails with -ENOMEM (or its answer is lost) and the kernel holds what it held
 * before, or has done all of it; and then the same command succeeds. Prints a table: how many
 * allocations failed, of them how many times the command was refused, and how many times it got by.
 *
 *     nlfail DEVICE                          as root in a namespace of its own, in the debug kernel (uml_fail.sh)
 *
 * The task's own fail-nth counts the allocations (Documentation/fault-injection); those of the netlink core, which are
 * on a command's way, are among them. DEVICE is the name of a port whose device need not be there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "nlfuzz/state.h"
#include "../../lib/util.h"

#define SITES_MAX 5000

static const char *device;
static int fd = -1, nth_fd = -1;

/* What a trial does, and around it. */
struct trial {
	const char *name;
	void (*before)(void); /* what it needs to be there; NULL: the fixture is enough */
	int (*run)(struct nl_result *ret); /* while allocations fail */
};

/* -- the n-th allocation ------------------------------------------------------------------------------------------- */

static void fail_begin(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(nth_fd, text, len, 0) != len)
		die("fail-nth: %s", strerror(errno));
}

/* Whether the n-th came and failed. */
static bool fail_end(void)
{
	char text[16] = "";

	if (pread(nth_fd, text, sizeof(text) - 1, 0) < 0)
		die("fail-nth: %s", strerror(errno));
	if (pwrite(nth_fd, "0", 1, 0) != 1)
		die("fail-nth: %s", strerror(errno));
	return atoi(text) == 0;
}

static void fail_open(void)
{
	char path[64];

	if (nth_fd >= 0)
		close(nth_fd);
	snprintf(path, sizeof(path), "/proc/self/task/%d/fail-nth", (int)syscall(SYS_gettid));
	nth_fd = open(path, O_RDWR | O_CLOEXEC);
	if (nth_fd < 0)
		die("%s: %s (is this the debug kernel?)", path, strerror(errno));
}

/* -- the fixture: VPC 100 at epoch 1, a port that is there, another VPC that is empty ------------------------------ */

static const struct vpc_nl_nexthop nexthops[] = {
	{ .id = 1, .type = VPC_NEXTHOP_LOCAL },
	{ .id = 2, .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2, 12 } },
	{ .id = 3, .type = VPC_NEXTHOP_GROUP },
};
static const struct vpc_nl_member members[] = { { .group = 3, .nexthop = 2, .weight = 5 } };
static const struct vpc_nl_route4 routes4[] = {
	{ .table = 0, .nexthop = 2, .addr = { 10, 0, 0, 5 }, .plen = 32 },
	{ .table = 1, .nexthop = 1, .addr = { 10, 0, 0, 0 }, .plen = 8 },
	{ .table = 1, .nexthop = 3, .addr = { 10, 9, 0, 0 }, .plen = 16 },
};
static const struct vpc_nl_route6 routes6[] = {
	{ .table = 1, .nexthop = 1, .addr = { 0x20, 1, 0xd, 0xb8 }, .plen = 32 },
	{ .table = 0, .nexthop = 2, .addr = { 0x20, 1, 0xd, 0xb8, [15] = 5 }, .plen = 128 },
};
static const struct vpc_nl_prefix address = { .family = AF_INET, .plen = 32, .addr = { 10, 0, 0, 9 } };
static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
static uint32_t handle;

static int command(const struct nl_out *msg, struct nl_result *ret)
{
	nl_talk(fd, msg, ret);
	return ret->code;
}

static void must(const struct nl_out *msg, const char *what)
{
	struct nl_result result;

	if (command(msg, &result))
		die("%s: %d %s", what, result.code, result.text);
	if (result.txn)
		handle = result.txn;
}

static void make_vpc(struct nl_out *msg, uint32_t vni)
{
	nl_begin(msg, VPC_CMD_VPC_NEW, NLM_F_ACK);
	nl_put_u32(msg, VPC_A_VNI, vni);
}

static void make_begin(struct nl_out *msg)
{
	const uint8_t mode = VPC_TXN_REPLACE;

	nl_begin(msg, VPC_CMD_TXN_BEGIN, NLM_F_ACK);
	nl_put_u32(msg, VPC_A_VNI, 100);
	nl_put(msg, VPC_A_TXN_MODE, &mode, 1);
}

/* @n: of the routes; all the rest always. */
static void make_add(struct nl_out *msg, size_t n)
{
	nl_begin(msg, VPC_CMD_TXN_ADD, NLM_F_ACK);
	nl_put_u32(msg, VPC_A_TXN, handle);
	nl_put(msg, VPC_A_NEXTHOPS, nexthops, sizeof(nexthops));
	nl_put(msg, VPC_A_MEMBERS, members, sizeof(members));
	nl_put(msg, VPC_A_ROUTES4, routes4, n * sizeof(*routes4));
	nl_put(msg, VPC_A_ROUTES6, routes6, sizeof(routes6));
}

static void make_commit(struct nl_out *msg, uint64_t epoch)
{
	nl_begin(msg, VPC_CMD_TXN_COMMIT, NLM_F_ACK);
	nl_put_u32(msg, VPC_A_TXN, handle);
	nl_put_u64(msg, VPC_A_EPOCH, epoch);
}

static void make_port(struct nl_out *msg)
{
	size_t nest;

	nl_begin(msg, VPC_CMD_PORT_NEW, NLM_F_ACK);
	nest = nl_nest(msg, VPC_A_PORT);
	nl_put(msg, VPC_PORT_A_IFNAME, device, strlen(device) + 1);
	nl_put_u32(msg, VPC_PORT_A_VNI, 100);
	nl_put(msg, VPC_PORT_A_MAC, mac, sizeof(mac));
	nl_put_u32(msg, VPC_PORT_A_TABLE, 1);
	nl_put(msg, VPC_PORT_A_ADDRS, &address, sizeof(address));
	nl_nest_end(msg, nest);
}

static void begin_txn(void)
{
	struct nl_out msg;

	make_begin(&msg);
	must(&msg, "begin");
}

static void begin_add(void)
{
	struct nl_out msg;

	begin_txn();
	make_add(&msg, ARRAY_SIZE(routes4));
	must(&msg, "add");
}

static void put_port(void)
{
	struct nl_out msg;

	make_port(&msg);
	must(&msg, "port");
}

/* The socket is new each time, too: what it began is gone with it. */
static void fixture(void)
{
	struct nl_out msg;

	if (fd >= 0)
		close(fd);
	fd = nl_open();
	state_reset();
	make_vpc(&msg, 100);
	must(&msg, "VPC");
	begin_txn();
	make_add(&msg, 2);
	must(&msg, "add");
	make_commit(&msg, 1);
	must(&msg, "commit");
	make_vpc(&msg, 200);
	must(&msg, "VPC");
}

/* -- commands ------------------------------------------------------------------------------------------------------ */

static int run_host_set(struct nl_result *ret)
{
	const uint8_t vtep4[] = { 192, 0, 2, 77 }, vtep6[16] = { 0x20, 1, [15] = 7 };
	const uint16_t port = 4790;
	struct nl_out msg;
	size_t nest;

	nl_begin(&msg, VPC_CMD_HOST_SET, NLM_F_ACK);
	nest = nl_nest(&msg, VPC_A_HOST);
	nl_put(&msg, VPC_HOST_A_VTEP4, vtep4, sizeof(vtep4));
	nl_put(&msg, VPC_HOST_A_VTEP6, vtep6, sizeof(vtep6));
	nl_put(&msg, VPC_HOST_A_UDP_PORT, &port, sizeof(port));
	nl_nest_end(&msg, nest);
	return command(&msg, ret);
}

static int run_vpc_new(struct nl_result *ret)
{
	struct nl_out msg;

	make_vpc(&msg, 300);
	return command(&msg, ret);
}

static int run_begin(struct nl_result *ret)
{
	struct nl_out msg;

	make_begin(&msg);
	return command(&msg, ret);
}

static int run_add(struct nl_result *ret)
{
	struct nl_out msg;

	make_add(&msg, ARRAY_SIZE(routes4));
	return command(&msg, ret);
}

static int run_commit(struct nl_result *ret)
{
	struct nl_out msg;

	make_commit(&msg, 2);
	return command(&msg, ret);
}

static int run_abort(struct nl_result *ret)
{
	struct nl_out msg;

	nl_begin(&msg, VPC_CMD_TXN_ABORT, NLM_F_ACK);
	nl_put_u32(&msg, VPC_A_TXN, handle);
	return command(&msg, ret);
}

static int run_port_new(struct nl_result *ret)
{
	struct nl_out msg;

	make_port(&msg);
	return command(&msg, ret);
}

static int run_named(uint8_t cmd, struct nl_result *ret)
{
	struct nl_out msg;
	size_t nest;

	nl_begin(&msg, cmd, NLM_F_ACK);
	nest = nl_nest(&msg, VPC_A_PORT);
	nl_put(&msg, VPC_PORT_A_IFNAME, device, strlen(device) + 1);
	nl_nest_end(&msg, nest);
	return command(&msg, ret);
}

static int run_port_del(struct nl_result *ret)
{
	return run_named(VPC_CMD_PORT_DEL, ret);
}

static int run_port_get(struct nl_result *ret)
{
	return run_named(VPC_CMD_PORT_GET, ret);
}

static int run_plain(uint8_t cmd, uint16_t flags, uint32_t vni, struct nl_result *ret)
{
	struct nl_out msg;

	nl_begin(&msg, cmd, flags);
	if (vni)
		nl_put_u32(&msg, VPC_A_VNI, vni);
	return command(&msg, ret);
}

#define PLAIN(name, cmd, flags, vni)                      \
	static int name(struct nl_result *ret)            \
	{                                                 \
		return run_plain(cmd, flags, vni, ret);   \
	}
PLAIN(run_host_get, VPC_CMD_HOST_GET, NLM_F_ACK, 0)
PLAIN(run_vpc_get, VPC_CMD_VPC_GET, NLM_F_ACK, 100)
PLAIN(run_vpc_del, VPC_CMD_VPC_DEL, NLM_F_ACK, 100)
PLAIN(run_vpc_dump, VPC_CMD_VPC_GET, NLM_F_DUMP, 0)
PLAIN(run_port_dump, VPC_CMD_PORT_GET, NLM_F_DUMP, 0)
PLAIN(run_route_dump, VPC_CMD_ROUTE_GET, NLM_F_DUMP, 100)
PLAIN(run_nexthop_dump, VPC_CMD_NEXTHOP_GET, NLM_F_DUMP, 100)
PLAIN(run_verify, VPC_CMD_VERIFY, NLM_F_ACK, 100)
PLAIN(run_stats, VPC_CMD_STATS_GET, NLM_F_DUMP, 0)

static int run_lookup(struct nl_result *ret)
{
	const struct vpc_nl_prefix dst = { .family = AF_INET, .plen = 32, .addr = { 10, 0, 0, 5 } };
	struct nl_out msg;
	size_t nest;

	nl_begin(&msg, VPC_CMD_LOOKUP, NLM_F_ACK);
	nest = nl_nest(&msg, VPC_A_LOOKUP);
	nl_put(&msg, VPC_LOOKUP_A_IFNAME, device, strlen(device) + 1);
	nl_put(&msg, VPC_LOOKUP_A_SRC, &address, sizeof(address));
	nl_put(&msg, VPC_LOOKUP_A_DST, &dst, sizeof(dst));
	nl_nest_end(&msg, nest);
	return command(&msg, ret);
}

static const struct trial commands[] = {
	{ "HOST_SET", NULL, run_host_set },
	{ "HOST_GET", NULL, run_host_get },
	{ "VPC_NEW", NULL, run_vpc_new },
	{ "VPC_DEL", NULL, run_vpc_del },
	{ "VPC_GET", NULL, run_vpc_get },
	{ "VPC_GET dump", NULL, run_vpc_dump },
	{ "PORT_NEW", NULL, run_port_new },
	{ "PORT_DEL", put_port, run_port_del },
	{ "PORT_GET", put_port, run_port_get },
	{ "PORT_GET dump", put_port, run_port_dump },
	{ "TXN_BEGIN", NULL, run_begin },
	{ "TXN_ADD", begin_txn, run_add },
	{ "TXN_COMMIT", begin_add, run_commit },
	{ "TXN_ABORT", begin_add, run_abort },
	{ "ROUTE_GET dump", NULL, run_route_dump },
	{ "NEXTHOP_GET dump", NULL, run_nexthop_dump },
	{ "LOOKUP", put_port, run_lookup },
	{ "VERIFY", NULL, run_verify },
	{ "STATS_GET dump", put_port, run_stats },
};

/* -- trials -------------------------------------------------------------------------------------------------------- */

/* -ENFILE is what the core makes of no memory for a socket. */
static bool memory_error(int code)
{
	return code == -ENOMEM || code == -ENOBUFS || code == -ENFILE;
}

/* What the kernel holds before, and after the command has been done. */
static void expected(const struct trial *trial, uint64_t *ret_before, uint64_t *ret_after)
{
	struct nl_result result;

	fixture();
	if (trial->before)
		trial->before();
	*ret_before = state_hash();
	if (trial->run(&result))
		die("%s: without a failure: %d %s", trial->name, result.code, result.text);
	*ret_after = state_hash();
}

/* One n: false when there is no n-th allocation. */
static bool attempt(const struct trial *trial, unsigned int nth, uint64_t before, uint64_t after, unsigned int *refused)
{
	struct nl_result result;
	uint64_t now;
	bool met;

	fixture();
	if (trial->before)
		trial->before();
	fail_begin(nth);
	trial->run(&result);
	met = fail_end();
	if (result.code && !memory_error(result.code))
		die("%s: allocation %u failed: %d %s", trial->name, nth, result.code, result.text);
	if (result.code && !met)
		die("%s: refused without a failure: %d %s", trial->name, result.code, result.text);
	now = state_hash();
	if (now != (result.code ? before : after) && !(result.code && now == after))
		die("%s: allocation %u failed, code %d: half of it is done", trial->name, nth, result.code);
	/* A whole one, without a word: only where the answer itself could not be made. */
	if (result.code && now == after && before != after && !result.lost && *result.text)
		die("%s: allocation %u failed: refused (%s), and yet done", trial->name, nth, result.text);
	state_verify();
	*refused += !!result.code;
	if (result.code && now == before) {
		/* A transaction that lost its memory may have to be begun again, which is what the fixture does. */
		fixture();
		if (trial->before)
			trial->before();
		if (trial->run(&result) || state_hash() != after)
			die("%s: not possible after allocation %u failed: %d %s", trial->name, nth, result.code,
			    result.text);
	}
	return met;
}

static void try_command(const struct trial *trial)
{
	unsigned int nth = 1, refused = 0;
	uint64_t before, after;

	expected(trial, &before, &after);
	while (attempt(trial, nth, before, after, &refused)) {
		if (++nth > SITES_MAX)
			die("%s: more than %d allocations: not all were tried", trial->name, SITES_MAX);
	}
	printf("%-20s %5u allocations %5u refused %5u got by\n", trial->name, nth - 1, refused, nth - 1 - refused);
	if (nth < 2)
		die("%s: no allocation was met: nothing was tried", trial->name);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		die("usage: nlfail DEVICE");
	device = argv[1];
	fail_open();
	state_begin();
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		try_command(&commands[i]);
	fixture();
	state_verify();
	puts("all held");
	return 0;
}
