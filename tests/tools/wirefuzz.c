// SPDX-License-Identifier: Apache-2.0
/*
 * Packets that no sound host or guest would send, into the module: from a guest, offloads of its virtio device among
 * them, and from the underlay, over both families. An input is a row of them (wirefuzz/frame.c). They go in at taps,
 * so that they are worked on within our own write(), which is what kcov counts; what comes out there is looked at
 * (wirefuzz/look.c). After each input a ping of the guest's must still go out, and others' still reach it, over both.
 *
 * How it is called says fuzzing/engine.h. As root in a namespace of its own, whose cloud uml_wire.sh makes. New is a
 * kind of packet that came out, or a reason of a drop, that was not seen before.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>
#include "../../lib/util.h"
#include "fuzzing/engine.h"
#include "nlfuzz/state.h"
#include "wirefuzz/frame.h"
#include "wirefuzz/look.h"

#define KINDS_MAX 4096U
#define STATS_MAX 16U
#define VERIFY_EACH 64U
#define START_US (20 * 1000000U)

static const char *const devices[] = { "p0", "p1", "u0" };
enum {
	TAP_PORT,
	TAP_OTHER,
	TAP_UNDERLAY,
	TAPS
};
static int taps[TAPS];

static uint32_t kinds[KINDS_MAX];
static unsigned int n_kinds;
static bool dropped[STATS_MAX][VPC_DROP_MAX + 1];
static uint64_t drops[STATS_MAX][VPC_DROP_MAX + 1];
static struct {
	unsigned long frames, refused, out, reasons;
} count;

static void taps_open(void)
{
	for (unsigned int i = 0; i < TAPS; i++) {
		struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };

		if (i != TAP_UNDERLAY)
			ifr.ifr_flags |= IFF_VNET_HDR;
		snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", devices[i]);
		taps[i] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (taps[i] < 0 || ioctl(taps[i], TUNSETIFF, &ifr))
			die("%s: %s", devices[i], strerror(errno));
	}
}

static unsigned int kind_new(uint32_t kind)
{
	for (unsigned int i = 0; i < n_kinds; i++)
		if (kinds[i] == kind)
			return 0;
	if (n_kinds == KINDS_MAX)
		return 0;
	kinds[n_kinds++] = kind;
	return 1;
}

/* All that has come out, of which @in is the reason; NULL: nobody looks. Returns how many kinds are new. */
static unsigned int drain(const struct frame *in, struct look *ret)
{
	static uint8_t buf[FRAME_MAX + 1024];
	unsigned int found = 0;
	size_t skip;
	ssize_t n;

	*ret = (struct look){};
	for (unsigned int i = 0; i < TAPS; i++) {
		skip = i == TAP_UNDERLAY ? 0 : sizeof(struct virtio_net_hdr);
		while ((n = read(taps[i], buf, sizeof(buf))) > 0) {
			if (!in)
				continue;
			count.out++;
			if (i == TAP_UNDERLAY)
				look_wire(in, buf, n, ret);
			else
				look_port(in, &frame_owners[i], buf + skip, n - skip, ret);
			found += kind_new(ret->kind);
		}
	}
	return found;
}

static unsigned int send_frame(const struct frame *frame, struct look *ret)
{
	const unsigned int tap = frame->way == FRAME_FROM_PORT	       ? TAP_PORT
				 : frame->way == FRAME_FROM_OTHER_PORT ? TAP_OTHER
								       : TAP_UNDERLAY;
	struct iovec parts[] = { { (void *)&frame->offload, sizeof(frame->offload) },
				 { (void *)frame->data, frame->len } };

	count.frames++;
	/* The tap itself does not take everything. */
	count.refused += (tap == TAP_UNDERLAY ? writev(taps[tap], parts + 1, 1) : writev(taps[tap], parts, 2)) < 0;
	return drain(frame, ret);
}

/* Reasons of drops that are new, each for the namespace, each VPC and each port. */
static unsigned int drops_new(void)
{
	struct kernel_stats *stats;
	unsigned int found = 0;
	struct vpc_err err;
	size_t n;

	if (kernel_stats(state_kernel, &stats, &n, &err))
		die("statistics: %s", err.text);
	for (size_t i = 0; i < n && i < STATS_MAX; i++) {
		for (size_t reason = 0; reason <= VPC_DROP_MAX; reason++) {
			if (stats[i].drops[reason] < drops[i][reason])
				die("statistics: drops for reason %zu have become fewer", reason);
			if (stats[i].drops[reason] > drops[i][reason] && !dropped[i][reason]) {
				dropped[i][reason] = true;
				found++;
			}
			drops[i][reason] = stats[i].drops[reason];
		}
	}
	free(stats);
	count.reasons += found;
	return found;
}

static unsigned int execute(const uint8_t *data, size_t len)
{
	static struct frame frame;
	unsigned int found = 0;
	struct look look;

	/* What the host's own stack has sent meanwhile. */
	drain(NULL, &look);
	frame_source(data, len);
	while (frame_next(&frame))
		found += send_frame(&frame, &look);
	return found + drops_new();
}

/* One sound packet each: to the wire, and from it over both families. Returns what does not get through, or NULL. */
static const char *ping(void)
{
	static const struct {
		uint8_t input;
		bool to_wire;
		const char *what;
	} pings[] = { { 0, true, "from the guest" }, { 1, false, "over IPv4" }, { 5, false, "over IPv6" } };
	static struct frame frame;
	struct look look;

	for (size_t i = 0; i < ARRAY_SIZE(pings); i++) {
		drain(NULL, &look);
		frame_source(&pings[i].input, 1);
		frame_next(&frame);
		send_frame(&frame, &look);
		if ((pings[i].to_wire ? look.to_wire : look.to_port) != 1)
			return pings[i].what;
	}
	return NULL;
}

static void check(void)
{
	static unsigned int n;
	const char *lost = ping();

	if (lost)
		die("a ping %s does not get through any more", lost);
	if (!(n++ % VERIFY_EACH))
		state_verify();
}

/* A device that was just opened sends nothing yet. */
static void wait_for_devices(void)
{
	const uint64_t end = now_monotonic_us() + START_US;
	const char *lost;

	while ((lost = ping())) {
		if (now_monotonic_us() > end)
			die("a ping %s does not get through", lost);
		usleep(10000);
	}
}

static void report(void)
{
	printf(", %lu frames of which taps refused %lu, %lu came out, %u kinds, %lu reasons of drops", count.frames,
	       count.refused, count.out, n_kinds, count.reasons);
}

int main(int argc, char **argv)
{
	static const struct engine wirefuzz = {
		.name = "wirefuzz", .execute = execute, .check = check, .report = report
	};

	state_begin();
	taps_open();
	wait_for_devices();
	return engine_main(&wirefuzz, argc, argv);
}
