// SPDX-License-Identifier: Apache-2.0
/*
 * "nlcheck million": a table of a million routes is dumped while another process commits as fast as it can. Each dump
 * must be the exact content of the one epoch that all its messages name: its digest, computed from what was read, is
 * what is known of that epoch. Called by main(), in User Mode Linux (uml_million.sh).
 */
#include "nlcheck.h"

#include <malloc.h>
#include <netlink/msg.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../../lib/kernel_msg.h"

#define VNI 401
#define ROUTES 1000000U
#define NEXTHOPS_N 250U
#define MOVED 5U /* routes that one commit moves, far from each other */
#define DUMPS 5
#define COMMITS_MIN 200 /* during all of them */
#define ALONE_S 2
#define READER_NICE 10 /* on one processor the two take turns: nine for the writer, one for the reader */

/* What both processes see. */
static struct shared {
	volatile uint64_t commits;
	volatile bool failed;
} *shared;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Hosts in subnets of 250, in the order of dumps. The moved ones go where the epoch says. */
static struct vpc_route route(uint32_t i, uint64_t epoch)
{
	struct vpc_route r = { .table = 1, .nexthop = 1 + i % NEXTHOPS_N, .prefix = { .family = AF_INET, .plen = 32 } };
	uint32_t subnet = i / 250;

	r.prefix.bytes[0] = 10;
	r.prefix.bytes[1] = subnet >> 8;
	r.prefix.bytes[2] = subnet;
	r.prefix.bytes[3] = i % 250 + 1;
	if (i % (ROUTES / MOVED) == 0)
		r.nexthop = 1 + epoch % NEXTHOPS_N;
	return r;
}

static struct vpc_nl_nexthop nexthop(uint32_t id)
{
	return (struct vpc_nl_nexthop){ .id = id, .type = VPC_NEXTHOP_HOST, .family = AF_INET,
					.addr = { 192, 0, 2, (uint8_t)id } };
}

static void fill(struct vpc_state *state)
{
	struct vpc_err err = { "out of memory" };

	vpc_state_init(state, VNI);
	state->epoch = 1;
	for (uint32_t id = 1; id <= NEXTHOPS_N; id++) {
		struct vpc_nl_nexthop nh = nexthop(id);

		nlcheck_must(vpc_state_add_nexthop(state, &nh), &err, "million");
	}
	for (uint32_t i = 0; i < ROUTES; i++) {
		struct vpc_route r = route(i, 1);

		nlcheck_must(vpc_state_add_route(state, &r), &err, "million");
	}
	nlcheck_must(vpc_state_sort(state, &err), &err, "million");
	state->digest = vpc_digest_of_state(state);
}

/* @digest: of epoch @from; becomes that of @to. */
static void digest_move(struct vpc_digest *digest, uint64_t from, uint64_t to)
{
	for (uint32_t i = 0; i < ROUTES; i += ROUTES / MOVED) {
		struct vpc_route old = route(i, from), new = route(i, to);

		vpc_digest_sub_route(digest, &old);
		vpc_digest_add_route(digest, &new);
	}
}

/* In a process of its own: commits until it is killed, each with the digest that it must end in. */
static void commit_forever(struct vpc_digest digest)
{
	struct vpc_delta delta;
	struct vpc_err err = { "out of memory" };
	struct kernel *k;
	int r = kernel_open(NULL, &k, &err);

	for (uint64_t epoch = 1; !r; epoch++) {
		vpc_delta_init(&delta, VNI);
		delta.base = epoch;
		delta.epoch = epoch + 1;
		digest_move(&digest, epoch, epoch + 1);
		delta.digest = digest;
		for (uint32_t i = 0; i < ROUTES && !r; i += ROUTES / MOVED) {
			struct vpc_route new = route(i, epoch + 1);

			r = vpc_delta_set_route(&delta, &new);
		}
		r = r ? r : kernel_apply(k, &delta, 1, &err);
		vpc_delta_clear(&delta);
		shared->commits += !r;
	}
	fprintf(stderr, "writer: %s\n", err.text);
	shared->failed = true;
	_exit(1);
}

struct reading {
	struct vpc_state state;
	unsigned int messages;
	uint64_t epoch;
	bool mixed;
};

static int reading_message(const struct nlmsghdr *nlh, void *arg, struct vpc_err *err)
{
	struct reading *reading = arg;
	uint64_t epoch;
	int r = kernel_parse_dump(nlh, &reading->state, &epoch, err);

	if (r)
		return r;
	if (reading->messages++ == 0)
		reading->epoch = epoch;
	reading->mixed |= reading->epoch != epoch;
	return 0;
}

/* One dump. Return: commits that landed meanwhile. */
static uint64_t check_dump(const struct vpc_state *first)
{
	_cleanup_msg_ struct nl_msg *msg = NULL;
	struct vpc_err err = { "out of memory" };
	struct vpc_digest found, want = first->digest;
	struct reading reading = { 0 };
	uint64_t commits = shared->commits;
	double begin = now(), took;

	vpc_state_init(&reading.state, VNI);
	nlcheck_must(kernel_msg_vni(nlcheck_watch->family, VPC_CMD_ROUTE_GET, NLM_F_DUMP, VNI, &msg), &err, "million");
	nlcheck_must(kernel_sock_request(nlcheck_watch, msg, reading_message, &reading, &err), &err, "dump");
	took = now() - begin;
	commits = shared->commits - commits;
	/* The nexthops are the same in all epochs, and not in this dump. */
	for (uint32_t id = 1; id <= NEXTHOPS_N; id++) {
		struct vpc_nl_nexthop nh = nexthop(id);

		vpc_state_add_nexthop(&reading.state, &nh);
	}
	found = vpc_digest_of_state(&reading.state);
	digest_move(&want, 1, reading.epoch);
	printf("%zu routes of epoch %llu in %u messages, %.2f s; %llu commits meanwhile, %.0f a second\n",
	       reading.state.n_routes, (unsigned long long)reading.epoch, reading.messages, took,
	       (unsigned long long)commits, commits / took);
	nlcheck_true("a dump of a million routes is one epoch's", !reading.mixed && reading.state.n_routes == ROUTES);
	nlcheck_true("its digest is that epoch's", vpc_digest_equal(&found, &want));
	vpc_state_clear(&reading.state);
	return commits;
}

void nlcheck_million(void)
{
	struct vpc_digest found;
	struct vpc_state first;
	struct kernel_vpc vpc;
	uint64_t commits = 0;
	struct vpc_err err;
	double begin;
	int status;
	pid_t pid;

	/* Memory that is used again and again is not given back: in User Mode Linux a page fault is dear. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	nlcheck_must(shared == MAP_FAILED ? -errno : 0, &err, "million");
	nlcheck_must(kernel_vpc_new(nlcheck_kernel, VNI, 0, &err), &err, "million");
	fill(&first);
	nlcheck_must(kernel_replace(nlcheck_kernel, &first, NULL, NULL, &err), &err, "million");
	pid = fork();
	if (pid == 0)
		commit_forever(first.digest);
	begin = now();
	while (pid > 0 && now() < begin + ALONE_S)
		usleep(10000);
	printf("%.0f commits a second while nobody reads\n", shared->commits / (now() - begin));
	nlcheck_must(nice(READER_NICE) < 0 ? -errno : 0, &err, "million");
	for (int i = 0; pid > 0 && i < DUMPS; i++)
		commits += check_dump(&first);
	/* How many a second is the machine's affair. */
	nlcheck_true("commits land while it is dumped", commits >= COMMITS_MIN);
	nlcheck_true("the writer wrote to the end", pid > 0 && !shared->failed && !kill(pid, SIGKILL) &&
							    waitpid(pid, &status, 0) == pid);
	nlcheck_must(kernel_verify(nlcheck_watch, VNI, &vpc, &found, &err), &err, "million");
	digest_move(&first.digest, 1, vpc.epoch);
	nlcheck_true("what forwarding reads is what was written",
		     vpc_digest_equal(&found, &first.digest) && !vpc.faults);
	vpc_state_clear(&first);
	nlcheck_must(kernel_vpc_del(nlcheck_kernel, VNI, &err), &err, "million");
}
