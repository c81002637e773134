// SPDX-License-Identifier: Apache-2.0
/*
 * Numbered datagrams among guests, so that afterwards it can be said which were lost, when, and whether one came twice
 * or to somebody else. One process a guest, which sends to its peers and hears from them. Called by tests/chaos in
 * guests' namespaces.
 *
 *   flow NAME PORT RATE PEER=ADDRESS...     PEER is the name under which that guest's own flow runs; RATE a second to
 *                                           each
 *   flow judge WINDOWS FILE...              whether what the FILEs, printed by the former, miss is explained
 *
 * It says "begun" once it hears, sends until SIGTERM, hears for a second more, and prints
 *
 *   sent FROM TO N T                        for each peer, the last of them at T
 *   heard FROM TO N TWICE                   for each that it heard from
 *   gap FROM TO FIRST LAST T0 T1            numbers that did not come, and when the last before and the first behind
 *                                           were sent (microseconds since 1970; T1 0: nothing came behind)
 *   stray FROM TO WANTED                    a datagram for WANTED came to TO
 *
 * WINDOWS has lines "BEGIN END NAME" (microseconds): what is lost to or from NAME ("*": everybody) then is explained.
 * judge prints what is not, and a summary. Exit status: 0, 1 what the kernel refused or what is not explained, 2 wrong
 * call.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../lib/util.h"

#define PEERS_MAX 16
#define NAME_LEN  16
#define DRAIN_US  1000000
#define BUFFER	  8000000

struct datagram {
	char from[NAME_LEN], to[NAME_LEN];
	uint64_t number, sent_us;
};

struct peer {
	char name[NAME_LEN];
	struct sockaddr_in6 address;
	uint64_t sent, sent_us;
	/* What came from it: when each was sent, 0 for what did not come. */
	uint64_t *times, room, last, heard, twice;
};

static struct peer peers[PEERS_MAX];
static size_t n_peers;
static volatile sig_atomic_t stopped;

static void on_stop(int sig)
{
	stopped = 1;
}

static uint64_t wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int failed(const char *what)
{
	fprintf(stderr, "flow: %s: %s\n", what, strerror(errno));
	return 1;
}

static int usage(void)
{
	fputs("usage: flow NAME PORT RATE PEER=ADDRESS... | flow judge WINDOWS FILE...\n", stderr);
	return 2;
}

static int peer_add(const char *text, int port)
{
	const char *equals = strchr(text, '=');
	struct peer *peer = &peers[n_peers];
	char mapped[64];

	if (!equals || n_peers == PEERS_MAX || (size_t)(equals - text) >= NAME_LEN)
		return -EINVAL;
	memcpy(peer->name, text, equals - text);
	snprintf(mapped, sizeof(mapped), "%s%s", strchr(equals, ':') ? "" : "::ffff:", equals + 1);
	peer->address = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
	if (inet_pton(AF_INET6, mapped, &peer->address.sin6_addr) != 1)
		return -EINVAL;
	n_peers++;
	return 0;
}

/* -ENOMEM, or 0. */
static int peer_heard(struct peer *peer, uint64_t number, uint64_t sent_us)
{
	if (number >= peer->room) {
		uint64_t room = number * 2 + 1024, *times = realloc(peer->times, room * sizeof(*times));

		if (!times)
			return -ENOMEM;
		memset(times + peer->room, 0, (room - peer->room) * sizeof(*times));
		peer->times = times;
		peer->room = room;
	}
	if (peer->times[number])
		peer->twice++;
	peer->times[number] = sent_us;
	peer->heard++;
	if (number > peer->last)
		peer->last = number;
	return 0;
}

static int hear(int fd, const char *name)
{
	struct datagram d;
	ssize_t len;
	size_t i;

	while ((len = recv(fd, &d, sizeof(d), MSG_DONTWAIT)) >= 0) {
		for (i = 0; i < n_peers && strncmp(peers[i].name, d.from, NAME_LEN); i++)
			;
		if (len != sizeof(d) || i == n_peers || strncmp(d.to, name, NAME_LEN)) {
			printf("stray %.16s %s %.16s\n", d.from, name, d.to);
			continue;
		}
		if (peer_heard(&peers[i], d.number, d.sent_us))
			return failed("memory");
	}
	/* An ICMP error about what was sent is nothing that was heard. */
	if (errno == EAGAIN || errno == EHOSTUNREACH || errno == ECONNREFUSED || errno == ENETUNREACH)
		return 0;
	return failed("recv");
}

/* What the guest's own kernel refuses (no device, no neighbour) counts as sent: its receiver misses it. */
static void speak(int fd, const char *name)
{
	size_t i;

	for (i = 0; i < n_peers; i++) {
		struct datagram d = { .number = peers[i].sent++, .sent_us = wall_us() };

		peers[i].sent_us = d.sent_us;
		memcpy(d.from, name, strlen(name));
		memcpy(d.to, peers[i].name, NAME_LEN);
		(void)!sendto(fd, &d, sizeof(d), 0, (struct sockaddr *)&peers[i].address, sizeof(peers[i].address));
	}
}

static int run(int fd, const char *name, long rate)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	uint64_t due = now_monotonic_us(), until = UINT64_MAX, now;
	int ret;

	while ((now = now_monotonic_us()) < until) {
		if (stopped && until == UINT64_MAX)
			until = now + DRAIN_US;
		if (!stopped && now >= due) {
			speak(fd, name);
			/* What the machine had no time for is left out, and not made up for in one burst. */
			due += 1000000 / rate;
			if (due + 100000 < now)
				due = now;
		}
		if (poll(&poll_fd, 1, stopped ? 10 : due > now ? (due - now + 999) / 1000 : 0) > 0) {
			ret = hear(fd, name);
			if (ret)
				return ret;
		}
	}
	return 0;
}

static void gap(const char *from, const char *to, uint64_t first, uint64_t last, uint64_t t0, uint64_t t1)
{
	printf("gap %s %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", from, to, first, last, t0, t1);
}

static void tell(const char *name, uint64_t begin_us)
{
	for (size_t i = 0; i < n_peers; i++) {
		struct peer *p = &peers[i];
		uint64_t n, missing = 0, before = begin_us;

		printf("sent %s %s %" PRIu64 " %" PRIu64 "\n", name, p->name, p->sent, p->sent_us);
		printf("heard %s %s %" PRIu64 " %" PRIu64 "\n", p->name, name, p->heard, p->twice);
		for (n = 0; p->heard && n <= p->last; n++) {
			if (!p->times[n]) {
				missing++;
				continue;
			}
			if (missing)
				gap(p->name, name, n - missing, n - 1, before, p->times[n]);
			missing = 0;
			before = p->times[n];
		}
		/* How many were sent behind it the sender knows. */
		gap(p->name, name, p->heard ? p->last + 1 : 0, UINT64_MAX, before, 0);
		free(p->times);
	}
	fflush(stdout);
}

static int flow(int argc, char **argv)
{
	struct sigaction stop = { .sa_handler = on_stop };
	struct sockaddr_in6 own = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(argv[2])) };
	uint64_t begin_us = wall_us();
	int fd, i, size = BUFFER, no = 0, ret;

	for (i = 4; i < argc; i++)
		if (peer_add(argv[i], atoi(argv[2])))
			return usage();
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    bind(fd, (struct sockaddr *)&own, sizeof(own)))
		return failed("socket");
	sigaction(SIGTERM, &stop, NULL);
	puts("begun");
	fflush(stdout);
	ret = run(fd, argv[1], atol(argv[3]));
	tell(argv[1], begin_us);
	return ret;
}

/* -- judge ------------------------------------------------------------------------------------------------------ */

struct window {
	uint64_t begin, end;
	char name[NAME_LEN];
};

static struct window *windows;
static size_t n_windows;

static int windows_load(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "r");
	struct window w = {}, *grown;

	if (!f)
		return failed(path);
	while (fscanf(f, "%" SCNu64 " %" SCNu64 " %15s", &w.begin, &w.end, w.name) == 3) {
		grown = realloc(windows, (n_windows + 1) * sizeof(w));
		if (!grown)
			return failed("memory");
		windows = grown;
		windows[n_windows++] = w;
	}
	return feof(f) ? 0 : failed(path);
}

/* From t0 to t1 there was always a window that explains it. */
static bool explained(const char *from, const char *to, uint64_t t0, uint64_t t1)
{
	bool further = true;
	size_t i;

	/* Clocks are not that fine. */
	if (t1 <= t0)
		t1 = t0 + 1;
	while (further && t0 < t1) {
		further = false;
		for (i = 0; i < n_windows; i++) {
			const struct window *w = &windows[i];

			if (strcmp(w->name, "*") && strcmp(w->name, from) && strcmp(w->name, to))
				continue;
			if (w->begin <= t0 && w->end > t0) {
				t0 = w->end;
				further = true;
			}
		}
	}
	return t0 >= t1;
}

struct count {
	uint64_t sent, heard, twice, lost, unexplained, strays;
};

/* How many FROM sent to TO, and until when, from any of the files; 0 when none says. */
static uint64_t sent_of(char **files, int n, const char *from, const char *to, uint64_t *ret_us)
{
	char line[256], a[NAME_LEN], b[NAME_LEN];
	uint64_t sent = 0;

	for (int i = 0; i < n; i++) {
		_cleanup_fclose_ FILE *f = fopen(files[i], "r");

		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, "sent %15s %15s %" SCNu64 " %" SCNu64, a, b, &sent, ret_us) == 4 &&
			    !strcmp(a, from) && !strcmp(b, to))
				return sent;
	}
	return 0;
}

static int judge_line(char **files, int n, const char *line, struct count *count)
{
	char from[NAME_LEN], to[NAME_LEN];
	uint64_t a, b, t0, t1, lost;

	if (sscanf(line, "sent %15s %15s %" SCNu64 " %" SCNu64, from, to, &a, &t0) == 4) {
		count->sent += a;
	} else if (sscanf(line, "heard %15s %15s %" SCNu64 " %" SCNu64, from, to, &a, &b) == 4) {
		count->heard += a;
		count->twice += b;
		if (b)
			printf("%s -> %s: %" PRIu64 " came twice\n", from, to, b);
		if (!a)
			printf("%s -> %s: nothing came\n", from, to);
		count->unexplained += !a;
	} else if (sscanf(line, "gap %15s %15s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, from, to, &a, &b, &t0,
			  &t1) == 6) {
		if (!t1) {
			b = sent_of(files, n, from, to, &t1);
			if (b <= a)
				return 0;
			b--;
		}
		lost = b - a + 1;
		count->lost += lost;
		if (explained(from, to, t0, t1))
			return 0;
		count->unexplained += lost;
		printf("%s -> %s: %" PRIu64 " lost, from number %" PRIu64 " on, between %" PRIu64 " and %" PRIu64
		       ": unexplained\n",
		       from, to, lost, a, t0, t1);
	} else if (!strncmp(line, "stray ", 6)) {
		count->strays++;
		printf("%s", line);
	} else if (strcmp(line, "begun\n")) {
		fprintf(stderr, "flow: what is this? %s", line);
		return -EINVAL;
	}
	return 0;
}

static int judge(const char *path, char **files, int n)
{
	struct count count = {};
	char line[256];

	if (windows_load(path))
		return 2;
	for (int i = 0; i < n; i++) {
		_cleanup_fclose_ FILE *f = fopen(files[i], "r");

		if (!f)
			return failed(files[i]);
		while (fgets(line, sizeof(line), f))
			if (judge_line(files, n, line, &count))
				return 2;
	}
	printf("flows: %" PRIu64 " sent, %" PRIu64 " came, %" PRIu64 " lost, %" PRIu64 " of them unexplained, %" PRIu64
	       " twice, %" PRIu64 " astray\n",
	       count.sent, count.heard, count.lost, count.unexplained, count.twice, count.strays);
	free(windows);
	return count.unexplained || count.twice || count.strays || !count.heard;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && !strcmp(argv[1], "judge"))
		return judge(argv[2], argv + 3, argc - 3);
	if (argc < 5 || strlen(argv[1]) >= NAME_LEN || atol(argv[3]) <= 0)
		return usage();
	return flow(argc, argv);
}
