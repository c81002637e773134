// SPDX-License-Identifier: Apache-2.0
/*
 * "nlcheck sockets": whose a transaction is, that it ends with its socket, and clients that speak plainer netlink than
 * ours. "nlcheck memory": that a transaction which is given up gives its memory back. Called by main().
 */
#include "nlcheck.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define TXNS_MAX 1024
#define BIG_ROUTES 100000
#define ROUNDS		12	/* many: what earlier ones freed, and the allocators keep, serves the first few */
#define CHUNK 2000

/* -- sockets ------------------------------------------------------------------------------------------------------- */

static const struct nlcheck_attr just_txn[] = { TXN, { 0 } };
static const struct nlcheck_attr add[] = { TXN, NEXTHOPS({ .id = 9, .type = VPC_NEXTHOP_BLACKHOLE }),
					   ROUTES4({ 1, 9, { 10, 9 }, 16 }), { 0 } };

/* Another process, with a handle that it guessed: whether it gets at the transaction or sees any of it. */
static int stranger(const struct nlcheck_snap *before)
{
	struct vpc_err err;
	struct kernel *k;
	bool ok;

	nlcheck_must(kernel_open(NULL, &k, &err), &err, "another process");
	nlcheck_watch = k;
	ok = nlcheck_unchanged("another process", before) &&
	     nlcheck_expect(k, "another process", VPC_CMD_TXN_ADD, 0, add, -ENOENT, "not open on this socket") &&
	     nlcheck_expect(k, "another process", VPC_CMD_TXN_ABORT, 0, just_txn, -ENOENT, "not open on this socket");
	return ok ? 0 : 1;
}

static void check_stranger(void)
{
	struct nlcheck_snap before;
	struct vpc_err err;
	int status;
	pid_t pid;

	nlcheck_snap_take(&before);
	nlcheck_must(nlcheck_txn_begin(nlcheck_kernel, RED, VPC_TXN_REPLACE, NULL, &nlcheck_handle, &err), &err,
		     "begin");
	nlcheck_expect(nlcheck_kernel, "an open transaction", VPC_CMD_TXN_ADD, 0, add, 0, NULL);
	pid = fork();
	if (pid == 0)
		_exit(stranger(&before));
	nlcheck_true("another process has no part in a transaction",
		     pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	nlcheck_expect(nlcheck_kernel, "it goes on after that", VPC_CMD_TXN_ABORT, 0, just_txn, 0, NULL);
	nlcheck_unchanged("an aborted transaction", &before);
	nlcheck_snap_clear(&before);
}

/* More than there may be, each ended by closing its socket; then as many as there may be on one socket. */
static void check_closing(void)
{
	struct nlcheck_snap before;
	struct vpc_err err;
	struct kernel *k;
	uint32_t handle;
	int r = 0;

	nlcheck_snap_take(&before);
	for (int i = 0; i < TXNS_MAX + 76; i++) {
		nlcheck_must(kernel_open(NULL, &k, &err), &err, "closing");
		nlcheck_must(nlcheck_txn_begin(k, RED, VPC_TXN_REPLACE, NULL, &nlcheck_handle, &err), &err, "closing");
		if (i % 8 == 0)
			nlcheck_expect(k, "closing", VPC_CMD_TXN_ADD, 0, add, 0, NULL);
		kernel_close(k);
	}
	nlcheck_unchanged("closing a socket aborts", &before);
	nlcheck_must(kernel_open(NULL, &k, &err), &err, "closing");
	/* The fixture has one open itself. */
	for (int i = 0; i < TXNS_MAX - 1; i++)
		nlcheck_must(nlcheck_txn_begin(k, RED, VPC_TXN_REPLACE, NULL, &handle, &err), &err,
			     "transactions of closed sockets are left over");
	r = nlcheck_txn_begin(k, RED, VPC_TXN_REPLACE, NULL, &handle, &err);
	nlcheck_true("one transaction too many",
		     r == -EBUSY && !strcmp(err.text, "1024 transactions are open already"));
	kernel_close(k);
	r = nlcheck_txn_begin(nlcheck_kernel, RED, VPC_TXN_REPLACE, NULL, &nlcheck_handle, &err);
	nlcheck_true("the last socket closed makes room", !r);
	nlcheck_expect(nlcheck_kernel, "room", VPC_CMD_TXN_ABORT, 0, just_txn, 0, NULL);
	nlcheck_snap_clear(&before);
}

/* No extended acknowledgements: the errno alone, one answer a request, and the next request finds its own. */
static void check_plain_client(void)
{
	const struct nlcheck_attr unknown[] = { U32(VPC_A_VNI, 300), { 0 } };
	const struct nlcheck_attr known[] = { U32(VPC_A_VNI, RED), { 0 } };
	static const int options[] = { NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK };
	struct vpc_err err = { "plain client" };
	struct kernel *k;
	size_t len;
	int off = 0;

	nlcheck_must(kernel_open(NULL, &k, &err), &err, "plain client");
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		nlcheck_must(setsockopt(k->fd, SOL_NETLINK, options[i], &off, sizeof(off)), &err, "plain client");
	/* Without a text ENOENT is what a family that went says, which lib/kernel_sock.c knows. */
	nlcheck_expect(k, "plain client, unknown VPC", VPC_CMD_VPC_GET, 0, unknown, -ENODEV, NULL);
	nlcheck_true("plain client, one answer", kernel_sock_receive(k, MSG_DONTWAIT, &len) == -EAGAIN);
	nlcheck_expect(k, "plain client, unknown VPC's routes", VPC_CMD_ROUTE_GET, NLM_F_DUMP, unknown, -ENODEV, NULL);
	nlcheck_true("plain client, one answer to a dump", kernel_sock_receive(k, MSG_DONTWAIT, &len) == -EAGAIN);
	nlcheck_expect(k, "plain client, duplicate", VPC_CMD_VPC_NEW, 0, known, -EEXIST, NULL);
	nlcheck_expect(k, "plain client, known VPC", VPC_CMD_VPC_GET, 0, known, 0, NULL);
	kernel_close(k);
}

void nlcheck_sockets(void)
{
	nlcheck_fixture();
	check_stranger();
	check_closing();
	check_plain_client();
}

/* -- memory -------------------------------------------------------------------------------------------------------- */

/* BIG_ROUTES host routes, spread so that they share little, into the open transaction. */
static void add_big(struct kernel *k)
{
	static struct vpc_nl_route4 routes[CHUNK];
	const struct nlcheck_attr nexthops[] = { TXN, NEXTHOPS({ .id = 9, .type = VPC_NEXTHOP_BLACKHOLE }), { 0 } };
	const struct nlcheck_attr attrs[] = { TXN, RAW(VPC_A_ROUTES4, routes, sizeof(routes)), { 0 } };

	nlcheck_expect(k, "a big transaction", VPC_CMD_TXN_ADD, 0, nexthops, 0, NULL);
	for (uint32_t i = 0; i < BIG_ROUTES; i++) {
		uint32_t x = i * 2654435761U;

		routes[i % CHUNK] = (struct vpc_nl_route4){
			.table = 1, .nexthop = 9, .addr = { x >> 24, x >> 16, x >> 8, x }, .plen = 32
		};
		if (i % CHUNK == CHUNK - 1)
			nlcheck_expect(k, "a big transaction", VPC_CMD_TXN_ADD, 0, attrs, 0, NULL);
	}
}

/* Bytes that the machine has to give. */
static int64_t available(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	long long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %lld kB", &kib) == 1)
			break;
	nlcheck_true("the machine says what it has", kib > 0);
	return kib * 1024;
}

/*
 * The same once it stands still, as far as @slack: what was freed, here or by an earlier scenario, comes back only
 * after RCU's readers and works on a queue.
 */
static int64_t available_settled(int64_t slack)
{
	int64_t was, is = available();
	int quiet = 0;

	for (int i = 0; i < 400 && quiet < 20; i++) {
		usleep(50 * 1000);
		was = is;
		is = available();
		quiet = is - was < slack && was - is < slack ? quiet + 1 : 0;
	}
	nlcheck_true("the machine's memory stands still for a second, within 20 s", quiet == 20);
	return is;
}

/* A big transaction, open on the socket that is returned. */
static struct kernel *open_big(void)
{
	struct vpc_err err;
	struct kernel *k;

	nlcheck_must(kernel_open(NULL, &k, &err), &err, "memory");
	nlcheck_must(nlcheck_txn_begin(k, RED, VPC_TXN_REPLACE, NULL, &nlcheck_handle, &err), &err, "memory");
	add_big(k);
	return k;
}

static void abort_big(bool by_closing)
{
	struct kernel *k = open_big();

	if (!by_closing)
		nlcheck_expect(k, "a big transaction", VPC_CMD_TXN_ABORT, 0, just_txn, 0, NULL);
	kernel_close(k);
}

/* What BIG_ROUTES take in the kernel's own count, of a VPC of their own. */
static uint64_t committed_size(void)
{
	const struct nlcheck_attr commit[] = { TXN, U64(VPC_A_EPOCH, 1), { 0 } };
	struct kernel *k = nlcheck_kernel;
	struct kernel_vpc vpc;
	struct vpc_err err;

	nlcheck_must(kernel_vpc_new(k, 300, 0, &err), &err, "memory");
	nlcheck_must(nlcheck_txn_begin(k, 300, VPC_TXN_REPLACE, NULL, &nlcheck_handle, &err), &err, "memory");
	add_big(k);
	nlcheck_expect(k, "a big transaction", VPC_CMD_TXN_COMMIT, 0, commit, 0, NULL);
	nlcheck_must(kernel_vpc_get(k, 300, &vpc, &err), &err, "memory");
	nlcheck_true("a big VPC is counted", vpc.n_routes == BIG_ROUTES && vpc.memory > BIG_ROUTES * sizeof(uint32_t));
	nlcheck_must(kernel_vpc_del(k, 300, &err), &err, "memory");
	return vpc.memory;
}

void nlcheck_memory(void)
{
	struct kernel *open[ROUNDS];
	struct nlcheck_snap before;
	int64_t start, lost, held, size;

	nlcheck_fixture();
	nlcheck_snap_take(&before);
	size = committed_size();
	abort_big(false);
	nlcheck_unchanged("an aborted big transaction", &before);
	abort_big(true);
	nlcheck_unchanged("a big transaction whose socket was closed", &before);
	start = available_settled(size / 16);
	for (int i = 0; i < ROUNDS; i++)
		abort_big(i % 2);
	lost = start - available_settled(size / 16);
	/* The measure itself: as many that are not given up do show in it. */
	for (int i = 0; i < ROUNDS; i++)
		open[i] = open_big();
	held = start - available_settled(size / 16);
	for (int i = 0; i < ROUNDS; i++)
		kernel_close(open[i]);
	printf("%d routes take %lld bytes; %d transactions of as many take %lld while open, %lld when given up\n",
	       BIG_ROUTES, (long long)size, ROUNDS, (long long)held, (long long)lost);
	nlcheck_true("given up, they leave less than one would take", lost < size);
	nlcheck_true("open, they take more than one does", held > size);
	nlcheck_unchanged("given up, they leave all as it was", &before);
	nlcheck_snap_clear(&before);
}
