// SPDX-License-Identifier: Apache-2.0
/*
 * Programs a million host routes, dumps them and removes them: vpc.ko through lib/kernel.h, Linux's FIB through
 * rtnetlink in messages of 64 KiB without acknowledgements. In a network namespace of its own, with vpc.ko loaded;
 * run.sh starts it in User Mode Linux. The two take turns. Prints "NAME OURS PEER" a line: a number for each round,
 * with commas between them, and for PEER "-" where there is none.
 *
 * A first round of either side is not counted, and the process keeps the memory that it has freed: in User Mode Linux
 * the first touch of a page takes a hundred times as long as elsewhere, and the first dump read touches 7,000 of them.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/rtnetlink.h>
#include <malloc.h>
#include <net/if.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include "../../lib/digest.h"
#include "../../lib/kernel.h"

#define ROUTES 1000000U
#define ROUNDS 5
#define VNI 1
#define BATCH 65536

/* Seconds. */
struct round {
	double add, dump, del, fib_add, fib_del;
};

static void fail(const char *what, int err)
{
	fprintf(stderr, "program: %s: %s\n", what, strerror(-err));
	exit(1);
}

static void check(const char *what, int err, const struct vpc_err *text)
{
	if (!err)
		return;
	fprintf(stderr, "program: %s: %s\n", what, text->text);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* The i-th host: subnets of 250, in order, as a controller sends them. */
static uint32_t host(uint32_t i)
{
	return (10U << 24) + (i / 250 << 8) + i % 250 + 1;
}

/* -- ours ---------------------------------------------------------------------------------------------------------- */

static void state_fill(struct vpc_state *state)
{
	struct vpc_nl_nexthop nh = { .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2 } };
	struct vpc_route route = { .table = 1, .prefix = { .family = AF_INET, .plen = 32 } };
	struct vpc_err err;
	uint32_t addr;

	vpc_state_init(state, VNI);
	for (nh.id = 1; nh.id <= 250; nh.id++) {
		nh.addr[3] = nh.id;
		if (vpc_state_add_nexthop(state, &nh))
			fail("state", -ENOMEM);
	}
	for (uint32_t i = 0; i < ROUTES; i++) {
		addr = htonl(host(i));
		memcpy(route.prefix.bytes, &addr, sizeof(addr));
		route.nexthop = 1 + i % 250;
		if (vpc_state_add_route(state, &route))
			fail("state", -ENOMEM);
	}
	check("state", vpc_state_sort(state, &err), &err);
	state->epoch = 1;
	state->digest = vpc_digest_of_state(state);
}

/* Every route by name, as the FIB is asked to. */
static void delta_fill(struct vpc_delta *delta, const struct vpc_state *state)
{
	struct vpc_state left = *state;

	vpc_delta_init(delta, VNI);
	for (size_t i = 0; i < state->n_routes; i++) {
		if (vpc_delta_del_route(delta, state->routes[i].table, &state->routes[i].prefix))
			fail("delta", -ENOMEM);
	}
	left.n_routes = 0;
	delta->digest = vpc_digest_of_state(&left);
}

struct ours {
	struct kernel *k;
	struct vpc_state full;
	struct vpc_delta remove;
};

static void ours_begin(struct ours *o)
{
	struct vpc_err err;

	state_fill(&o->full);
	delta_fill(&o->remove, &o->full);
	check("open", kernel_open(NULL, &o->k, &err), &err);
	check("VPC", kernel_vpc_new(o->k, VNI, 0, &err), &err);
}

static void ours_round(struct ours *o, struct round *round)
{
	struct vpc_state got;
	struct vpc_err err;
	double begin;

	o->full.epoch = o->remove.epoch + 1;
	o->remove.base = o->full.epoch;
	o->remove.epoch = o->full.epoch + 1;
	begin = now();
	check("add", kernel_replace(o->k, &o->full, NULL, NULL, &err), &err);
	round->add = now() - begin;
	begin = now();
	check("dump", kernel_dump(o->k, VNI, &got, &err), &err);
	round->dump = now() - begin;
	if (got.n_routes != ROUTES || memcmp(&got.digest, &o->full.digest, sizeof(got.digest)))
		fail("dump", -EUCLEAN);
	vpc_state_clear(&got);
	begin = now();
	check("remove", kernel_apply(o->k, &o->remove, 1, &err), &err);
	round->del = now() - begin;
}

static void ours_end(struct ours *o)
{
	struct vpc_err err;

	check("VPC", kernel_vpc_del(o->k, VNI, &err), &err);
	kernel_close(o->k);
	vpc_state_clear(&o->full);
	vpc_delta_clear(&o->remove);
}

static uint64_t memory(struct kernel *k)
{
	struct kernel_vpc vpc;
	struct vpc_err err;

	check("VPC", kernel_vpc_get(k, VNI, &vpc, &err), &err);
	return vpc.memory;
}

/* A VPC with nothing, and one with ten addresses on three hosts. */
static void small(uint64_t *ret_empty, uint64_t *ret_ten)
{
	struct vpc_nl_nexthop nh = { .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2 } };
	struct vpc_route route = { .prefix = { .family = AF_INET, .plen = 32, .bytes = { 10, 0, 0 } } };
	struct vpc_state state;
	struct kernel *k;
	struct vpc_err err;

	check("open", kernel_open(NULL, &k, &err), &err);
	check("VPC", kernel_vpc_new(k, VNI, 0, &err), &err);
	*ret_empty = memory(k);
	vpc_state_init(&state, VNI);
	for (nh.id = 1; nh.id <= 3; nh.id++) {
		nh.addr[3] = nh.id;
		if (vpc_state_add_nexthop(&state, &nh))
			fail("state", -ENOMEM);
	}
	for (unsigned int i = 0; i < 10; i++) {
		route.prefix.bytes[3] = 4 + i;
		route.nexthop = 1 + i % 3;
		if (vpc_state_add_route(&state, &route))
			fail("state", -ENOMEM);
	}
	state.epoch = 1;
	state.digest = vpc_digest_of_state(&state);
	check("add", kernel_replace(k, &state, NULL, NULL, &err), &err);
	*ret_ten = memory(k);
	check("VPC", kernel_vpc_del(k, VNI, &err), &err);
	vpc_state_clear(&state);
	kernel_close(k);
}

/* -- the FIB ------------------------------------------------------------------------------------------------------- */

struct fib_request {
	struct nlmsghdr nlh;
	struct rtmsg rtm;
	struct rtattr dst_attr;
	uint32_t dst;
	struct rtattr oif_attr;
	uint32_t oif;
};

static void fib_each(int fd, uint16_t type)
{
	static char batch[BATCH];
	struct fib_request request = {
		.nlh = { .nlmsg_len = sizeof(request), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST },
		.rtm = { .rtm_family = AF_INET, .rtm_dst_len = 32, .rtm_table = RT_TABLE_MAIN,
			 .rtm_protocol = RTPROT_STATIC, .rtm_scope = RT_SCOPE_LINK, .rtm_type = RTN_UNICAST },
		.dst_attr = { .rta_len = RTA_LENGTH(4), .rta_type = RTA_DST },
		.oif_attr = { .rta_len = RTA_LENGTH(4), .rta_type = RTA_OIF },
		.oif = if_nametoindex("lo"),
	};
	size_t used = 0;

	if (type == RTM_NEWROUTE)
		request.nlh.nlmsg_flags |= NLM_F_CREATE;
	for (uint32_t i = 0; i < ROUTES; i++) {
		request.dst = htonl(host(i));
		memcpy(batch + used, &request, sizeof(request));
		used += sizeof(request);
		if (used + sizeof(request) <= sizeof(batch) && i + 1 < ROUTES)
			continue;
		if (send(fd, batch, used, 0) < 0)
			fail("send", -errno);
		used = 0;
	}
}

static uint32_t fib_count(void)
{
	char line[256];
	uint32_t n = 0;
	FILE *file = fopen("/proc/net/route", "re");

	if (!file)
		fail("/proc/net/route", -errno);
	while (fgets(line, sizeof(line), file))
		n++;
	fclose(file);
	return n - 1;
}

static void loopback_up(int fd)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };

	if (ioctl(fd, SIOCSIFFLAGS, &ifr))
		fail("lo", -errno);
}

static int peer_begin(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), inet = socket(AF_INET, SOCK_DGRAM, 0);
	int size = 4 * BATCH;

	if (fd < 0 || inet < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		fail("socket", -errno);
	loopback_up(inet);
	close(inet);
	return fd;
}

static void peer_round(int fd, struct round *round)
{
	double begin;

	begin = now();
	fib_each(fd, RTM_NEWROUTE);
	round->fib_add = now() - begin;
	if (fib_count() != ROUTES)
		fail("the FIB did not take all", -EUCLEAN);
	begin = now();
	fib_each(fd, RTM_DELROUTE);
	round->fib_del = now() - begin;
	if (fib_count())
		fail("the FIB did not give up all", -EUCLEAN);
}

/* -- the figures --------------------------------------------------------------------------------------------------- */

/* Routes a second, of the rounds that count; @member: offsetof() seconds in struct round. */
static void rates(const struct round *rounds, size_t member, char after)
{
	double seconds;

	for (unsigned int i = 1; i <= ROUNDS; i++) {
		memcpy(&seconds, (const char *)&rounds[i] + member, sizeof(seconds));
		printf("%.0f%c", ROUTES / seconds, i < ROUNDS ? ',' : after);
	}
}

#define FIGURE(name, ours, peer)					\
	do {								\
		printf("%s ", name);					\
		rates(rounds, offsetof(struct round, ours), ' ');	\
		rates(rounds, offsetof(struct round, peer), '\n');	\
	} while (0)

#define FIGURE_ALONE(name, ours)					\
	do {								\
		printf("%s ", name);					\
		rates(rounds, offsetof(struct round, ours), ' ');	\
		printf("-\n");						\
	} while (0)

static void bytes(const char *name, const uint64_t *n)
{
	printf("%s ", name);
	for (unsigned int i = 0; i < ROUNDS; i++)
		printf("%" PRIu64 "%s", n[i], i + 1 < ROUNDS ? "," : " -\n");
}

int main(void)
{
	struct round rounds[ROUNDS + 1];
	uint64_t empty[ROUNDS], ten[ROUNDS];
	struct ours o = {};
	int fd;

	if (unshare(CLONE_NEWNET))
		fail("unshare", -errno);
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	for (unsigned int i = 0; i < ROUNDS; i++)
		small(&empty[i], &ten[i]);
	ours_begin(&o);
	fd = peer_begin();
	for (unsigned int i = 0; i <= ROUNDS; i++) {
		ours_round(&o, &rounds[i]);
		peer_round(fd, &rounds[i]);
	}
	close(fd);
	ours_end(&o);
	FIGURE("program_add_vs_fib", add, fib_add);
	FIGURE_ALONE("program_add_per_s", add);
	FIGURE("program_del_vs_fib", del, fib_del);
	FIGURE_ALONE("program_del_per_s", del);
	FIGURE_ALONE("dump_per_s", dump);
	bytes("vpc_empty_bytes", empty);
	bytes("vpc_10_bytes", ten);
	return 0;
}
