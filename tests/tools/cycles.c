// SPDX-License-Identifier: Apache-2.0
/*
 * Inserts vpc.ko, lets it forward, and removes it, many times over, in one process: where programs are slow to start,
 * that costs a fraction of what a script's cycle does. tests/e2e/uml_cycles.sh runs it.
 *
 *   cycles N MODULE FROM ADDRESS NETNS=FILE...
 *
 * In each cycle each namespace is given what FILE says (the text of `vpcctl kernel restore`), and an echo request from
 * namespace FROM to ADDRESS must come back. Every second time VPCs and their content are left for the module's end.
 * Exit status: 0, 1 with a line that says in which cycle what failed, 2 wrong call.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../lib/kmodfile.h"
#include "../../lib/kstate.h"
#include "../../lib/util.h"

#define MODULE "vpc"
#define SPACES_MAX 8
#define ECHO_TRIES 500
#define ECHO_WAIT_MS 20

struct space {
	const char *netns;
	struct kstate ks;
	struct kernel *k;
};

static struct space spaces[SPACES_MAX];
static int n_spaces;
static unsigned long cycle;
static struct vpc_err error;

static void must(int r, const char *what)
{
	if (r)
		errx(1, "cycle %lu: %s: %s", cycle, what, *error.text ? error.text : strerror(-r));
}

static void space_add(char *word)
{
	static char text[1 << 20];
	char *name = strchr(word, '=');
	FILE *file;
	size_t len;

	if (!name || n_spaces == SPACES_MAX)
		errx(2, "\"%s\" is not NETNS=FILE, or one too many", word);
	*name++ = '\0';
	file = fopen(name, "re");
	if (!file)
		err(2, "%s", name);
	len = fread(text, 1, sizeof(text), file);
	fclose(file);
	spaces[n_spaces].netns = word;
	must(kstate_parse(name, text, len, &spaces[n_spaces++].ks, &error), "state");
}

/* A socket of another namespace, for echo requests to @address. */
static int echo_open(const char *netns, const char *address)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there, fd;
	char path[128];

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || there < 0 || setns(there, CLONE_NEWNET))
		err(2, "%s", path);
	fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) || setns(home, CLONE_NEWNET))
		err(2, "%s", address);
	close(there);
	close(home);
	return fd;
}

static uint16_t checksum(const void *data, size_t len)
{
	const uint16_t *words = data;
	uint32_t sum = 0;

	for (; len > 1; len -= 2)
		sum += *words++;
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

/* Whether an answer with @seq is among what has come. */
static bool echo_answered(int fd, uint16_t seq)
{
	const struct ip *ip;
	const struct icmphdr *icmp;
	char packet[2048];
	ssize_t len;

	while ((len = recv(fd, packet, sizeof(packet), MSG_DONTWAIT)) > 0) {
		ip = (const struct ip *)packet;
		icmp = (const struct icmphdr *)(packet + ip->ip_hl * 4);
		if (len >= (ssize_t)(ip->ip_hl * 4 + sizeof(*icmp)) && icmp->type == ICMP_ECHOREPLY &&
		    icmp->un.echo.id == htons(0x7663) && icmp->un.echo.sequence == htons(seq))
			return true;
	}
	return false;
}

static int echo(int fd)
{
	struct icmphdr request = { .type = ICMP_ECHO, .un.echo.id = htons(0x7663) };
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	for (int try = 0; try < ECHO_TRIES; try++) {
		/* One that was sent in this cycle: the number is its own. */
		request.un.echo.sequence = htons(cycle);
		request.checksum = 0;
		request.checksum = checksum(&request, sizeof(request));
		if (send(fd, &request, sizeof(request), 0) < 0 && errno != ENOBUFS && errno != EHOSTUNREACH)
			return -errno;
		poll(&pollfd, 1, ECHO_WAIT_MS);
		if (echo_answered(fd, cycle))
			return 0;
	}
	return -ETIMEDOUT;
}

/* @file: the module; @fd: echo_open() */
static void cycle_run(const struct kmodfile *file, int fd)
{
	must(kmodfile_insert(file, "", &error), "insert");
	for (int i = 0; i < n_spaces; i++) {
		must(kernel_open(spaces[i].netns, &spaces[i].k, &error), spaces[i].netns);
		must(kstate_apply(spaces[i].k, &spaces[i].ks, &error), spaces[i].netns);
	}
	must(echo(fd), "echo");
	for (int i = 0; i < n_spaces; i++) {
		if (cycle % 2)
			must(kstate_unbind(spaces[i].k, &spaces[i].ks, &error), spaces[i].netns);
		for (size_t j = 0; cycle % 2 == 0 && j < spaces[i].ks.n_ports; j++)
			must(kernel_port_del(spaces[i].k, spaces[i].ks.ports[j].dev, &error), spaces[i].netns);
		kernel_close(spaces[i].k);
	}
	must(kmodfile_remove(MODULE, &error), "remove");
}

int main(int argc, char **argv)
{
	struct kmodfile file;
	unsigned long n;
	int fd;

	if (argc < 6)
		errx(2, "usage: cycles N MODULE FROM ADDRESS NETNS=FILE...");
	n = strtoul(argv[1], NULL, 10);
	must(kmodfile_open(argv[2], MODULE, &file, &error), argv[2]);
	for (int i = 5; i < argc; i++)
		space_add(argv[i]);
	fd = echo_open(argv[3], argv[4]);
	for (cycle = 1; cycle <= n; cycle++)
		cycle_run(&file, fd);
	for (int i = 0; i < n_spaces; i++)
		kstate_clear(&spaces[i].ks);
	kmodfile_close(&file);
	return 0;
}
