// SPDX-License-Identifier: Apache-2.0
/*
 * How long a change takes from CDB's commit to the kernel's: makes changes one at a time as vpcctl would, and waits for
 * each at the kernel's announcement of commits. Runs where the kernel is, so that one clock tells both ends.
 *
 *   latency CONF NETNS VPC N PAUSE_MS
 *   latency CONF NETNS FIRST N
 *
 * A route of table 1 of VPC, another one with each process, goes back and forth between its nexthops 1 and 2. Pauses
 * are random, from half of PAUSE_MS to one and a half, so that no poll's rhythm is hit or missed every time. Prints the
 * microseconds of each, one a line.
 *
 * The second form only looks on: until it is ended (SIGTERM) it prints "VNI EPOCH TIME" for each commit of the VPCs
 * FIRST to FIRST+N-1, the time in microseconds since 1970 by the clock of CDB's server, which change_log goes by. How
 * far apart the two clocks are is asked at the beginning and, for standard error, at the end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../../lib/cdb.h"
#include "../../lib/cdb_stmt.h"
#include "../../lib/intent.h"
#include "../../lib/kernel.h"
#include "../../lib/util.h"

#define WAIT_MS 30000
#define LOOK_MS 10 /* so late is the onlooker at most: what it takes of the one processor is the agent's */

static void check(int r, const struct vpc_err *err)
{
	if (!r)
		return;
	fprintf(stderr, "latency: %s\n", *err->text ? err->text : strerror(-r));
	exit(1);
}

/* Until the kernel has @vni at @epoch, or past it. */
static void wait_for(struct kernel *kernel, uint32_t vni, uint64_t epoch)
{
	struct pollfd fd = { .fd = kernel_fd(kernel), .events = POLLIN };
	struct kernel_event event;
	struct vpc_err err = { "" };
	int r;

	while (1) {
		r = kernel_event_next(kernel, &event, &err);
		if (!r && event.event == VPC_EVENT_COMMIT && event.vni == vni && event.epoch >= epoch)
			return;
		if (!r)
			continue;
		if (r != -EAGAIN)
			check(r, &err);
		if (poll(&fd, 1, WAIT_MS) <= 0) {
			fprintf(stderr, "latency: VPC %u: epoch %llu has not come\n", vni, (unsigned long long)epoch);
			exit(1);
		}
	}
}

static volatile sig_atomic_t ended;

static void on_term(int sig)
{
	ended = 1;
}

static int64_t wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

/* What CDB's clock is ahead of ours: of some answers, the quickest one's. */
static int64_t clock_ahead(struct cdb *cdb)
{
	int64_t best = INT64_MAX, ahead = 0;

	for (int i = 0; i < 20; i++) {
		int64_t before = wall_us(), took;
		struct vpc_err err = { "" };
		uint64_t theirs;

		check(cdb_get(cdb, &err, "SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS UNSIGNED)", ">U",
			      &theirs),
		      &err);
		took = wall_us() - before;
		if (took >= best)
			continue;
		best = took;
		ahead = (int64_t)theirs - before - took / 2;
	}
	return ahead;
}

static uint32_t vni_of(struct cdb *cdb, const char *name)
{
	struct vpc_err err = { "" };
	struct cdb_vpc vpc;

	check(cdb_vpc_find(cdb, name, &vpc, &err), &err);
	return vpc.vni;
}

static void look_on(struct cdb *cdb, struct kernel *kernel, unsigned long first, unsigned long n)
{
	struct pollfd fd = { .fd = kernel_fd(kernel), .events = POLLIN };
	int64_t ahead = clock_ahead(cdb);
	struct kernel_event event;
	struct vpc_err err = { "" };
	int r;

	signal(SIGTERM, on_term);
	while (!ended) {
		r = kernel_event_next(kernel, &event, &err);
		if (r == -EAGAIN)
			poll(NULL, 0, poll(&fd, 1, 100) > 0 ? LOOK_MS : 0);
		else if (r == -ENOBUFS)
			fputs("latency: events were lost: what they told comes with the next ones\n", stderr);
		else
			check(r, &err);
		if (!r && event.event == VPC_EVENT_COMMIT && event.vni >= first && event.vni < first + n)
			printf("%u %llu %lld\n", event.vni, (unsigned long long)event.epoch,
			       (long long)(wall_us() + ahead));
	}
	fprintf(stderr, "latency: CDB's clock was ahead by %lld us, and is by %lld\n", (long long)ahead,
		(long long)clock_ahead(cdb));
}

int main(int argc, char **argv)
{
	struct vpc_prefix prefix = { .family = AF_INET, .plen = 32, .bytes = { 100, 127, getpid() >> 8, getpid() } };
	struct vpc_config config = { 0 };
	struct cdb_change_result result;
	struct vpc_err err = { "" };
	struct kernel *kernel;
	struct intent intent = { .author = "latency", .summary = "latency" };
	unsigned long n, pause_ms;

	if (argc != 5 && argc != 6) {
		fputs("usage: latency CONF NETNS VPC N PAUSE_MS, or latency CONF NETNS FIRST N\n", stderr);
		return 1;
	}
	n = strtoul(argv[4], NULL, 10);
	pause_ms = argc == 6 ? strtoul(argv[5], NULL, 10) : 0;
	check(vpc_config_load(argv[1], &config, &err), &err);
	check(cdb_open(&config, &intent.cdb, &err), &err);
	check(kernel_open(argv[2], &kernel, &err), &err);
	if (argc == 6)
		check(kernel_events_of(kernel, vni_of(intent.cdb, argv[3]), &err), &err);
	check(kernel_events_join(kernel, &err), &err);
	if (argc == 5)
		look_on(intent.cdb, kernel, strtoul(argv[3], NULL, 10), n);
	for (unsigned long i = 0; argc == 6 && i < n; i++) {
		const struct intent_via via = { .id = 1 + i % 2 };
		uint64_t begun;

		poll(NULL, 0, pause_ms / 2 + random() % (pause_ms + 1));
		check(intent_route_put(&intent, argv[3], 1, &prefix, &via, i, &result, &err), &err);
		begun = now_monotonic_us();
		wait_for(kernel, result.vni, result.epoch);
		printf("%llu\n", (unsigned long long)(now_monotonic_us() - begun));
	}
	kernel_close(kernel);
	cdb_close(intent.cdb);
	vpc_config_clear(&config);
	return 0;
}
