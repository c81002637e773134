// SPDX-License-Identifier: Apache-2.0
/*
 * Sends crafted Ethernet frames by a device and prints in words what comes back: what neighbour discovery and ICMP say,
 * byte by byte, without a network stack that repairs or hides it. Scenarios run it inside a guest's namespace.
 *
 *   frame [-n COUNT] [-r REPEAT] [-t SECONDS] DEV [MAC] < FRAMES
 *
 * A line is a frame: hex bytes, MACs, IPv4 and IPv6 addresses, *N for N zero bytes; # begins a comment. Lengths and
 * checksums of IPv4, ICMP, IPv6 and ICMPv6 that are 0 are filled in. All are sent REPEAT times.
 *
 * With MAC, the device's own, it sends a neighbour solicitation for the router at the end, and is done when its answer
 * has come: what was to be answered has been by then. Without, it is done after COUNT frames. Status 1: not within
 * SECONDS (10).
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX  9216
#define FRAMES_MAX 64
#define ROUTER	   "fe80::fcee:ff:fe00:1"
/* Who asks last: nobody else uses this address. */
#define ASKER "fe80::5e:5e"

struct frame {
	unsigned int len;
	uint8_t bytes[FRAME_MAX];
};

static struct frame frames[FRAMES_MAX];
static unsigned int n_frames;

/* -- frames from text ---------------------------------------------------------------------------------------------- */

static void put(struct frame *frame, const void *bytes, size_t len)
{
	if (len > sizeof(frame->bytes) - frame->len)
		errx(2, "a frame has at most %d bytes", FRAME_MAX);
	if (bytes)
		memcpy(frame->bytes + frame->len, bytes, len);
	else
		memset(frame->bytes + frame->len, 0, len);
	frame->len += len;
}

static void put_word(struct frame *frame, const char *word)
{
	unsigned int mac[6], i, byte;
	uint8_t bytes[16];

	if (word[0] == '*') {
		put(frame, NULL, strtoul(word + 1, NULL, 10));
	} else if (strlen(word) == 17 && sscanf(word, "%2x:%2x:%2x:%2x:%2x:%2x", mac, mac + 1, mac + 2, mac + 3,
						mac + 4, mac + 5) == 6) {
		for (i = 0; i < 6; i++)
			bytes[i] = mac[i];
		put(frame, bytes, 6);
	} else if (inet_pton(AF_INET, word, bytes) == 1) {
		put(frame, bytes, 4);
	} else if (inet_pton(AF_INET6, word, bytes) == 1) {
		put(frame, bytes, 16);
	} else {
		if (strlen(word) % 2 || strspn(word, "0123456789abcdefABCDEF") != strlen(word))
			errx(2, "\"%s\" is neither hex bytes nor an address", word);
		for (; *word; word += 2) {
			sscanf(word, "%2x", &byte);
			bytes[0] = byte;
			put(frame, bytes, 1);
		}
	}
}

static uint32_t sum_bytes(uint32_t sum, const uint8_t *bytes, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The Internet checksum, with IPv6's pseudo header when @ip6 is given; 0 when it is in there and right. */
static uint16_t checksum(const uint8_t *ip6, const uint8_t *bytes, unsigned int len)
{
	uint32_t sum = 0;

	if (ip6)
		sum = sum_bytes(len + IPPROTO_ICMPV6, ip6 + 8, 32);
	return ~sum_bytes(sum, bytes, len) & 0xffff;
}

static unsigned int get16(const uint8_t *bytes) { return bytes[0] << 8 | bytes[1]; }

static void fill16(uint8_t *bytes, unsigned int value)
{
	if (get16(bytes))
		return;
	bytes[0] = value >> 8;
	bytes[1] = value;
}

static unsigned int min(unsigned int a, unsigned int b) { return a < b ? a : b; }

static void frame_fill(struct frame *frame)
{
	uint8_t *ip = frame->bytes + ETH_HLEN;
	unsigned int len = frame->len - ETH_HLEN, hlen;

	/* Behind what the length says there is padding. */

	if (frame->len >= ETH_HLEN + 20 && get16(ip - 2) == ETHERTYPE_IP) {
		hlen = (ip[0] & 15) * 4;
		fill16(ip + 2, len);
		len = min(len, get16(ip + 2));
		if (hlen < 20 || hlen > len)
			return;
		fill16(ip + 10, checksum(NULL, ip, hlen));
		if (ip[9] == IPPROTO_ICMP && len >= hlen + 8 && !(get16(ip + 6) & 0x3fff))
			fill16(ip + hlen + 2, checksum(NULL, ip + hlen, len - hlen));
	} else if (frame->len >= ETH_HLEN + 40 && get16(ip - 2) == ETHERTYPE_IPV6) {
		fill16(ip + 4, len - 40);
		len = min(len, get16(ip + 4) + 40);
		if (ip[6] == IPPROTO_ICMPV6 && len >= 44)
			fill16(ip + 42, checksum(ip, ip + 40, len - 40));
	}
}

static void frame_add(char *line)
{
	struct frame *frame = &frames[n_frames];
	char *word, *save;

	line[strcspn(line, "#\n")] = '\0';
	word = strtok_r(line, " \t", &save);
	if (!word)
		return;
	if (n_frames == FRAMES_MAX)
		errx(2, "at most %d frames", FRAMES_MAX);
	for (; word; word = strtok_r(NULL, " \t", &save))
		put_word(frame, word);
	frame_fill(frame);
	n_frames++;
}

static void frame_add_last(const char *mac)
{
	char line[256];

	snprintf(line, sizeof(line), "33:33:ff:00:00:01 %s 86dd 60000000 0000 3aff " ASKER
				     " ff02::1:ff00:1 87000000 00000000 " ROUTER " 0101 %s", mac, mac);
	frame_add(line);
}

/* -- frames into words --------------------------------------------------------------------------------------------- */

static const char *mac_text(const uint8_t *mac)
{
	static char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return text;
}

static void print_addr(const char *what, int family, const uint8_t *addr)
{
	char text[INET6_ADDRSTRLEN];

	printf(" %s %s", what, inet_ntop(family, addr, text, sizeof(text)));
}

static void print_options(const uint8_t *option, const uint8_t *end)
{
	for (; end - option >= 8 && option[1]; option += option[1] * 8) {
		if (option[0] == 1 || option[0] == 2)
			printf(" %s %s", option[0] == 1 ? "source" : "target", mac_text(option + 2));
		else if (option[0] == 5)
			printf(" mtu %u", get16(option + 4) << 16 | get16(option + 6));
		else if (option[0] == 3 && end - option >= 32) {
			print_addr("prefix", AF_INET6, option + 16);
			printf("/%u flags %s%s", option[2], option[3] & 0x80 ? "L" : "-", option[3] & 0x40 ? "A" : "-");
		}
	}
}

/* What an error says of the packet that it is about. */
static void print_quote(const uint8_t *bytes, const uint8_t *end)
{
	if (end - bytes >= 20 && bytes[0] >> 4 == 4) {
		print_addr("about", AF_INET, bytes + 12);
		print_addr(">", AF_INET, bytes + 16);
	} else if (end - bytes >= 40 && bytes[0] >> 4 == 6) {
		print_addr("about", AF_INET6, bytes + 8);
		print_addr(">", AF_INET6, bytes + 24);
	}
}

static void print_icmp4(const uint8_t *icmp, const uint8_t *end)
{
	if (icmp[0] == 0 || icmp[0] == 8) {
		printf(" echo %s bytes %td", icmp[0] ? "request" : "reply", end - icmp - 8);
		return;
	}
	printf(" type %u code %u", icmp[0], icmp[1]);
	if (icmp[0] == 3 && icmp[1] == 4)
		printf(" mtu %u", get16(icmp + 6));
	print_quote(icmp + 8, end);
}

static void print_icmp6(const uint8_t *icmp, const uint8_t *end)
{
	switch (icmp[0]) {
	case 128:
	case 129:
		printf(" echo %s bytes %td", icmp[0] == 128 ? "request" : "reply", end - icmp - 8);
		break;
	case 134:
		printf(" advertisement hops %u flags %02x lifetime %u", icmp[4], icmp[5], get16(icmp + 6));
		print_options(icmp + 16, end);
		break;
	case 136:
		printf(" neighbour");
		print_addr("is", AF_INET6, icmp + 8);
		printf(" flags %s%s%s", icmp[4] & 0x80 ? "R" : "-", icmp[4] & 0x40 ? "S" : "-",
		       icmp[4] & 0x20 ? "O" : "-");
		print_options(icmp + 24, end);
		break;
	default:
		printf(" type %u code %u", icmp[0], icmp[1]);
		if (icmp[0] == 2)
			printf(" mtu %u", get16(icmp + 4) << 16 | get16(icmp + 6));
		print_quote(icmp + 8, end);
	}
}

static void print_ipv4(const uint8_t *ip, const uint8_t *end)
{
	unsigned int hlen = (ip[0] & 15) * 4;

	print_addr("ip4", AF_INET, ip + 12);
	print_addr(">", AF_INET, ip + 16);
	printf(" ttl %u len %td", ip[8], end - ip);
	if (get16(ip + 2) != end - ip || checksum(NULL, ip, hlen))
		printf(" BAD HEADER");
	if (get16(ip + 6) & 0x3fff)
		printf(" fragment at %u%s", (get16(ip + 6) & 0x1fff) * 8, get16(ip + 6) & 0x2000 ? "+" : "");
	else if (ip[9] == IPPROTO_ICMP && end - ip >= hlen + 8) {
		print_icmp4(ip + hlen, end);
		if (checksum(NULL, ip + hlen, end - ip - hlen))
			printf(" BAD CHECKSUM");
	} else
		printf(" proto %u", ip[9]);
}

static void print_ipv6(const uint8_t *ip, const uint8_t *end)
{
	print_addr("ip6", AF_INET6, ip + 8);
	print_addr(">", AF_INET6, ip + 24);
	printf(" ttl %u len %td", ip[7], end - ip);
	if (get16(ip + 4) != end - ip - 40)
		printf(" BAD HEADER");
	if (ip[6] == IPPROTO_ICMPV6 && end - ip >= 48) {
		print_icmp6(ip + 40, end);
		if (checksum(ip, ip + 40, end - ip - 40))
			printf(" BAD CHECKSUM");
	} else
		printf(" next header %u", ip[6]);
}

static void frame_print(const struct frame *frame)
{
	const uint8_t *ip = frame->bytes + ETH_HLEN, *end = frame->bytes + frame->len;

	printf("%s", mac_text(frame->bytes + 6));
	printf(" > %s", mac_text(frame->bytes));
	if (get16(ip - 2) == ETHERTYPE_IP && end - ip >= 20)
		print_ipv4(ip, end);
	else if (get16(ip - 2) == ETHERTYPE_IPV6 && end - ip >= 40)
		print_ipv6(ip, end);
	else
		printf(" ethertype %04x", get16(ip - 2));
	printf("\n");
}

/* Whether it is the answer to frame_add_last(). */
static bool frame_is_last(const struct frame *frame)
{
	const uint8_t *ip = frame->bytes + ETH_HLEN;
	uint8_t asker[16];

	inet_pton(AF_INET6, ASKER, asker);
	return frame->len >= ETH_HLEN + 64 && get16(ip - 2) == ETHERTYPE_IPV6 && ip[40] == 136 &&
	       !memcmp(ip + 24, asker, 16);
}

/* -- the wire ------------------------------------------------------------------------------------------------------ */

static int device_open(const char *name)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(name),
	};
	int fd, buffer = 8 << 20;
	cpu_set_t cpu;

	if (!addr.sll_ifindex)
		err(2, "%s", name);
	/* On one CPU, so that answers keep the order of what is sent. */
	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		err(2, "%s", name);
	/* All that comes back while frames are sent. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)))
		err(2, "%s: receive buffer", name);
	return fd;
}

static void frames_send(int fd, unsigned int repeat, bool last)
{
	unsigned int i, n = last ? n_frames - 1 : n_frames;

	for (; repeat; repeat--) {
		for (i = 0; i < n; i++) {
			if (send(fd, frames[i].bytes, frames[i].len, 0) < 0)
				err(2, "frame %u", i + 1);
		}
	}
	if (last && send(fd, frames[n].bytes, frames[n].len, 0) < 0)
		err(2, "the last frame");
}

/* Return: whether something came before @end. */
static bool frame_recv(int fd, time_t end, struct frame *ret_frame)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	ssize_t n;

	while (time(NULL) < end) {
		if (poll(&pollfd, 1, 200) <= 0)
			continue;
		n = recvfrom(fd, ret_frame->bytes, sizeof(ret_frame->bytes), 0, (struct sockaddr *)&from, &len);
		if (n >= ETH_HLEN && from.sll_pkttype != PACKET_OUTGOING) {
			ret_frame->len = n;
			return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	unsigned int count = 0, repeat = 1;
	static struct frame frame;
	time_t limit = 10, end;
	char line[FRAME_MAX * 3];
	int opt, fd;
	bool last;

	while ((opt = getopt(argc, argv, "n:r:t:")) != -1) {
		if (opt == 'n')
			count = strtoul(optarg, NULL, 10);
		else if (opt == 'r')
			repeat = strtoul(optarg, NULL, 10);
		else if (opt == 't')
			limit = strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	if (optind == argc || optind + 2 < argc)
		errx(2, "usage: frame [-n COUNT] [-r REPEAT] [-t SECONDS] DEV [MAC] < FRAMES");
	while (fgets(line, sizeof(line), stdin))
		frame_add(line);
	last = argc == optind + 2;
	if (last)
		frame_add_last(argv[optind + 1]);
	fd = device_open(argv[optind]);
	frames_send(fd, repeat, last);
	for (end = time(NULL) + limit; last || count; count -= !last) {
		if (!frame_recv(fd, end, &frame))
			errx(1, "no more came within %ld seconds", (long)limit);
		if (last && frame_is_last(&frame))
			break;
		frame_print(&frame);
		fflush(stdout);
	}
	return 0;
}
