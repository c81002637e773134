// SPDX-License-Identifier: Apache-2.0
/*
 * How long a change takes from CDB's commit to the kernel's: makes changes one at a time as vpcctl would, and waits for
 * each at the kernel's announcement of commits. Runs where the kernel is, so that one clock tells both ends.
 *
 *   latency CONF NETNS VPC N PAUSE_MS
 *
 * A route of table 1 of VPC, another one with each process, goes back and forth between its nexthops 1 and 2. Pauses are
 * random, from half of PAUSE_MS to one and a half, so that no poll's rhythm is hit or missed every time. Prints the
 * microseconds of each, one a line.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../../lib/cdb.h"
#include "../../lib/intent.h"
#include "../../lib/kernel.h"
#include "../../lib/util.h"

#define WAIT_MS 30000

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

int main(int argc, char **argv)
{
	struct vpc_prefix prefix = { .family = AF_INET, .plen = 32, .bytes = { 100, 127, getpid() >> 8, getpid() } };
	struct vpc_config config = { 0 };
	struct cdb_change_result result;
	struct vpc_err err = { "" };
	struct kernel *kernel;
	struct intent intent = { .author = "latency", .summary = "latency" };
	unsigned long n, pause_ms;

	if (argc != 6) {
		fputs("usage: latency CONF NETNS VPC N PAUSE_MS\n", stderr);
		return 1;
	}
	n = strtoul(argv[4], NULL, 10);
	pause_ms = strtoul(argv[5], NULL, 10);
	check(vpc_config_load(argv[1], &config, &err), &err);
	check(cdb_open(&config, &intent.cdb, &err), &err);
	check(kernel_open(argv[2], &kernel, &err), &err);
	check(kernel_events_join(kernel, &err), &err);
	for (unsigned long i = 0; i < n; i++) {
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
