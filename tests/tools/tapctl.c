// SPDX-License-Identifier: Apache-2.0
/*
 * What a hypervisor does to its end of a tap device and iproute2 cannot. Called by tests/e2e/vm_ports.sh in a host's
 * namespace, on a tap that "ip tuntap add" made.
 *
 *   tapctl hold DEV          opens it, so that it has carrier, says "holding" and never reads a frame; until killed
 *   tapctl type DEV TYPE     TUNSETLINK: makes it a device of another ARPHRD_ type; it must be down
 *
 * Exit status: 0, 1 refused, 2 wrong call.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int failed(const char *what)
{
	fprintf(stderr, "tapctl: %s: %s\n", what, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd;

	if (!(argc == 3 && !strcmp(argv[1], "hold")) && !(argc == 4 && !strcmp(argv[1], "type"))) {
		fprintf(stderr, "usage: tapctl hold DEV | type DEV TYPE\n");
		return 2;
	}
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", argv[2]);
	fd = open("/dev/net/tun", O_RDWR);
	if (fd < 0)
		return failed("/dev/net/tun");
	if (ioctl(fd, TUNSETIFF, &ifr))
		return failed("TUNSETIFF");
	if (argc == 4)
		return ioctl(fd, TUNSETLINK, strtoul(argv[3], NULL, 0)) ? failed("TUNSETLINK") : 0;
	puts("holding");
	fflush(stdout);
	for (;;)
		pause();
}
