// SPDX-License-Identifier: Apache-2.0
/*
 * Everything that netlink can ask of vpc.ko, at once and for a while, one process a task, so that several processors
 * are in the module together while packets go through it. Called by tests/stress/guest.sh, which also says what each
 * host's VPC has at first: nothing of that is ever changed, but for nexthops FIRST_GATEWAY.. and group 30's members.
 *
 *   churn SECONDS SEED NETNS=DEV,DEV2...     DEV: a port with traffic; DEV2: a port that comes and goes
 *
 * The tasks, one of each for each namespace but for the last:
 *
 *   commits	changes routes, nexthops and groups of VPC 100 and knows the outcome: epoch, digest, content
 *   rival	transactions on the same VPC that end as they must: refused for their digest or for their epoch
 *   dumps	dumps, digests of what was dumped, VERIFY, lists, counters, explain
 *   ports	DEV's port with one address more or less; DEV2's with other addresses, flags, or not there
 *   vpcs	VPCs that come, are filled and go
 *   rmmod	tries to remove the module, which must be refused
 *
 * Each prints "NETNS TASK: N done, N refused" at its end. Exit status: 0, 1 something was not as it must be (said), 2
 * wrong call.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "../../lib/digest.h"
#include "../../lib/kernel.h"
#include "../../lib/util.h"

#define VNI 100
#define GROUP 30
#define FIRST_GATEWAY 40 /* these are always there, and lead elsewhere each time */
#define GATEWAYS 8
#define FIRST_SPARE 50 /* these come and go: no route uses them */
#define SPARES 8
#define OPS_MAX 12
#define CHECK_EVERY 100 /* commits */
#define SPACES_MAX 4

struct space {
	const char *netns, *dev, *dev2;
};

static struct space spaces[SPACES_MAX];
static int n_spaces;
static uint64_t end_us, seed;

/* Of this process. */
static const struct space *space;
static const char *task;
static struct kernel *kernel;
static uint64_t random_state, done, refused;
static struct vpc_err err;

static uint32_t draw(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 32) % below;
}

static void fail(const char *what, int r)
{
	printf("FAILED %s %s after %" PRIu64 ": %s: %s\n", space->netns, task, done, what,
	       r ? *err.text ? err.text : strerror(-r) : "not as it must be");
	fflush(stdout);
	_exit(1);
}

static void must(int r, const char *what)
{
	if (r)
		fail(what, r);
}

static void must_hold(bool holds, const char *what)
{
	if (!holds)
		fail(what, 0);
}

/* Whether there is time for one more; @pause_us at most are slept before. */
static bool go_on(uint32_t pause_us)
{
	if (pause_us)
		usleep(draw(pause_us));
	return now_monotonic_us() < end_us;
}

static struct vpc_prefix prefix_of(const char *text)
{
	struct vpc_prefix prefix;

	must(vpc_prefix_parse(text, &prefix, &err), text);
	return prefix;
}

/* -- commits ------------------------------------------------------------------------------------------------------- */

/* Routes that no numbered packet matches: around those that they match, above, below and between. */
static struct vpc_route route_draw(void)
{
	static const char *const above[] = { "0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/12", "::/0", "2001:db8::/32",
					     "2001:db8:a::/48" };
	static const uint32_t ways[] = { 1, 20, 21, 22, GROUP };
	struct vpc_route route = { .table = 1 };
	char text[64];

	route.nexthop = draw(2) ? FIRST_GATEWAY + draw(GATEWAYS) : ways[draw(ARRAY_SIZE(ways))];
	switch (draw(5)) {
	case 0:
		route.prefix = prefix_of(above[draw(ARRAY_SIZE(above))]);
		return route;
	case 1:
		snprintf(text, sizeof(text), "10.0.%u.0/24", 1 + draw(255));
		break;
	case 2:
		snprintf(text, sizeof(text), "172.16.%u.%u/%u", draw(256), draw(4) * 64, 26 + draw(2) * 6);
		break;
	case 3:
		snprintf(text, sizeof(text), "2001:db8:b:%x::/64", draw(256));
		break;
	case 4:
		/* Neighbours of the guests' own addresses, in the mapping. */
		route.table = 0;
		route.nexthop = 11 + draw(2);
		if (draw(2))
			snprintf(text, sizeof(text), "10.0.0.%u/32", 64 + draw(128));
		else
			snprintf(text, sizeof(text), "2001:db8:a:0::%x/128", 0x64 + draw(128));
		break;
	}
	route.prefix = prefix_of(text);
	return route;
}

static bool delta_has_route(const struct vpc_delta *delta, const struct vpc_route *route)
{
	for (size_t i = 0; i < delta->n_routes; i++)
		if (!vpc_route_cmp(&delta->routes[i].route, route))
			return true;
	return false;
}

static void change_route(struct vpc_delta *delta, const struct vpc_state *state)
{
	struct vpc_route route = route_draw();
	const struct vpc_route *old = vpc_state_find_route(state, route.table, &route.prefix);

	if (delta_has_route(delta, &route))
		return;
	if (old)
		vpc_digest_sub_route(&delta->digest, old);
	if (old && draw(2)) {
		must(vpc_delta_del_route(delta, route.table, &route.prefix), "delta");
		return;
	}
	vpc_digest_add_route(&delta->digest, &route);
	must(vpc_delta_set_route(delta, &route), "delta");
}

/* A gateway that becomes another, or a spare one that comes, changes or goes. */
static void change_nexthop(struct vpc_delta *delta, const struct vpc_state *state)
{
	bool spare = draw(2);
	struct vpc_nl_nexthop nh = {
		.id = spare ? FIRST_SPARE + draw(SPARES) : FIRST_GATEWAY + draw(GATEWAYS),
		.op = VPC_OP_SET,
		.type = VPC_NEXTHOP_GATEWAY,
		.family = AF_INET,
		.addr = { 192, 0, 2, 11 + draw(6) },
	};
	const struct vpc_nl_nexthop *old = vpc_state_find_nexthop(state, nh.id);

	for (size_t i = 0; i < delta->n_nexthops; i++)
		if (delta->nexthops[i].id == nh.id)
			return;
	if (old)
		vpc_digest_sub_nexthop(&delta->digest, old);
	if (spare && old && draw(2)) {
		must(vpc_delta_del_nexthop(delta, nh.id), "delta");
		return;
	}
	vpc_digest_add_nexthop(&delta->digest, &nh);
	must(vpc_delta_set_nexthop(delta, &nh), "delta");
}

static void change_member(struct vpc_delta *delta, const struct vpc_state *state)
{
	struct vpc_nl_member member = { .group = GROUP,
					.nexthop = FIRST_GATEWAY + draw(GATEWAYS),
					.weight = 1 + draw(9),
					.op = VPC_OP_SET };
	const struct vpc_nl_member *old = vpc_state_find_member(state, GROUP, member.nexthop);

	for (size_t i = 0; i < delta->n_members; i++)
		if (delta->members[i].nexthop == member.nexthop)
			return;
	if (old)
		vpc_digest_sub_member(&delta->digest, old);
	if (old && draw(2)) {
		must(vpc_delta_del_member(delta, GROUP, member.nexthop), "delta");
		return;
	}
	vpc_digest_add_member(&delta->digest, &member);
	must(vpc_delta_set_member(delta, &member), "delta");
}

/* The kernel holds what @state says, by its word, by a dump's content, and in what forwarding reads. */
static void check_content(const struct vpc_state *state)
{
	struct vpc_digest want = vpc_digest_of_state(state), found;
	struct vpc_state dumped;
	struct kernel_vpc vpc;

	vpc_state_init(&dumped, VNI);
	must(kernel_dump(kernel, VNI, &dumped, &err), "dump");
	found = vpc_digest_of_state(&dumped);
	must_hold(dumped.epoch == state->epoch, "epoch");
	must_hold(vpc_digest_equal(&want, &state->digest), "digest of what was committed");
	must_hold(vpc_digest_equal(&want, &dumped.digest), "the kernel's digest");
	must_hold(vpc_digest_equal(&want, &found) && dumped.n_routes == state->n_routes &&
			  dumped.n_members == state->n_members && dumped.n_nexthops == state->n_nexthops,
		  "content");
	vpc_state_clear(&dumped);
	must(kernel_verify(kernel, VNI, &vpc, &found, &err), "verify");
	must_hold(vpc_digest_equal(&want, &found) && !vpc.faults, "what forwarding reads");
}

static void commits(void)
{
	struct vpc_state state;

	vpc_state_init(&state, VNI);
	must(kernel_dump(kernel, VNI, &state, &err), "first dump");
	while (go_on(2000)) {
		struct vpc_delta delta;

		vpc_delta_init(&delta, VNI);
		delta.base = state.epoch;
		delta.epoch = state.epoch + 1;
		delta.digest = state.digest;
		for (uint32_t n = 1 + draw(OPS_MAX); n > 0; n--) {
			uint32_t kind = draw(8);

			if (kind == 0)
				change_nexthop(&delta, &state);
			else if (kind == 1)
				change_member(&delta, &state);
			else
				change_route(&delta, &state);
		}
		must(kernel_apply(kernel, &delta, 1, &err), "commit");
		must(vpc_state_apply(&state, &delta, &err), "expectation");
		vpc_delta_clear(&delta);
		if (++done % CHECK_EVERY == 0)
			check_content(&state);
	}
	check_content(&state);
	vpc_state_clear(&state);
}

static void rival(void)
{
	while (go_on(20000)) {
		struct kernel_vpc vpc;
		struct vpc_delta delta;
		int r;

		must(kernel_vpc_get(kernel, VNI, &vpc, &err), "get");
		vpc_delta_init(&delta, VNI);
		delta.base = vpc.epoch;
		delta.epoch = vpc.epoch + 1;
		delta.digest = vpc.digest;
		for (uint32_t n = 1 + draw(200); n > 0; n--) {
			struct vpc_route route = route_draw();

			if (!delta_has_route(&delta, &route))
				must(vpc_delta_set_route(&delta, &route), "delta");
		}
		/* The digest covers none of it. */
		delta.digest.h[0] ^= 1ULL << draw(64);
		r = kernel_apply(kernel, &delta, 1, &err);
		vpc_delta_clear(&delta);
		if (r != -ESTALE && r != -EBADMSG)
			fail("a commit with a false digest", r);
		refused++;
	}
}

/* -- looking on ---------------------------------------------------------------------------------------------------- */

/* A list that changed between two messages is to be read again. */
static bool read_again(int r)
{
	refused += r == -EAGAIN || r == -EINTR;
	return r == -EAGAIN || r == -EINTR;
}

static void look(uint32_t at)
{
	struct kernel_lookup lookup = { .src = { .family = AF_INET, .bytes = { 10, 0, 0, 5 } },
					.dst = { .family = AF_INET, .bytes = { 172, 16, draw(256), 5 } } };
	struct kernel_explain explain;
	struct kernel_stats *stats;
	struct kernel_port *ports;
	struct kernel_vpc *vpcs;
	size_t n;
	int r;

	switch (at) {
	case 0:
		r = kernel_vpc_list(kernel, &vpcs, &n, &err);
		if (read_again(r))
			break;
		must(r, "list of VPCs");
		free(vpcs);
		break;
	case 1:
		r = kernel_port_list(kernel, &ports, &n, &err);
		if (read_again(r))
			break;
		must(r, "list of ports");
		kernel_ports_free(ports, n);
		break;
	case 2:
		r = kernel_stats(kernel, &stats, &n, &err);
		if (read_again(r))
			break;
		must(r, "counters");
		free(stats);
		break;
	case 3:
		snprintf(lookup.ifname, sizeof(lookup.ifname), "%s", space->dev);
		must(kernel_explain(kernel, &lookup, &explain, &err), "explain");
		break;
	}
}

static void dumps(void)
{
	while (go_on(5000)) {
		struct vpc_digest found;
		struct vpc_state state;
		struct kernel_vpc vpc;
		int r;

		vpc_state_init(&state, VNI);
		r = kernel_dump(kernel, VNI, &state, &err);
		if (!read_again(r)) {
			must(r, "dump");
			found = vpc_digest_of_state(&state);
			must_hold(vpc_digest_equal(&found, &state.digest), "digest of a dump");
			done++;
		}
		vpc_state_clear(&state);
		must(kernel_verify(kernel, VNI, &vpc, &found, &err), "verify");
		must_hold(vpc_digest_equal(&found, &vpc.digest) && !vpc.faults, "verify");
		look(draw(4));
	}
}

/* -- what comes and goes ------------------------------------------------------------------------------------------- */

static void port_fill(struct vpc_port *port, const char *dev)
{
	struct kernel_port *ports;
	size_t n, i;

	int r;

	do
		r = kernel_port_list(kernel, &ports, &n, &err);
	while (read_again(r));
	must(r, "list of ports");
	for (i = 0; i < n && strcmp(ports[i].conf.dev, dev); i++)
		;
	must_hold(i < n, "a port that was there");
	*port = ports[i].conf;
	port->addrs = calloc(port->n_addrs + 2, sizeof(*port->addrs));
	must(port->addrs ? 0 : -ENOMEM, "memory");
	memcpy(port->addrs, ports[i].conf.addrs, port->n_addrs * sizeof(*port->addrs));
	kernel_ports_free(ports, n);
}

static void ports(void)
{
	struct vpc_port used, other;
	size_t n_used, n_other;
	char text[64];

	port_fill(&used, space->dev);
	port_fill(&other, space->dev2);
	n_used = used.n_addrs;
	n_other = other.n_addrs;
	while (go_on(10000)) {
		int r;

		used.n_addrs = n_used + draw(2);
		snprintf(text, sizeof(text), "10.0.0.%u/32", 64 + draw(32));
		used.addrs[n_used] = prefix_of(text);
		must(kernel_port_set(kernel, &used, &err), "a port in use");
		if (draw(4) == 0) {
			r = kernel_port_del(kernel, other.dev, &err);
			must(r == -ENOENT ? 0 : r, "a port's deletion");
			done++;
			continue;
		}
		other.n_addrs = n_other + draw(2);
		snprintf(text, sizeof(text), "10.0.0.%u/32", 128 + draw(32));
		other.addrs[n_other] = prefix_of(text);
		other.flags = draw(2) ? VPC_PORT_F_NO_SOURCE_CHECK : 0;
		must(kernel_port_set(kernel, &other, &err), "a port");
		done++;
	}
	used.n_addrs = n_used;
	must(kernel_port_set(kernel, &used, &err), "a port in use");
	other.n_addrs = n_other;
	other.flags = 0;
	must(kernel_port_set(kernel, &other, &err), "a port");
	vpc_port_clear(&used);
	vpc_port_clear(&other);
}

static void vpcs(void)
{
	while (go_on(10000)) {
		struct vpc_nl_nexthop nh = { .id = 7, .op = VPC_OP_SET, .type = VPC_NEXTHOP_BLACKHOLE };
		uint32_t vni = 300 + draw(4), n = draw(300);
		struct vpc_state state;
		uint32_t flags = draw(2) ? VPC_F_STRICT : 0;

		vpc_state_init(&state, vni);
		state.epoch = 1;
		must(vpc_state_add_nexthop(&state, &nh), "state");
		for (uint32_t i = 0; i < n; i++) {
			struct vpc_route route = { .table = 1, .nexthop = 7 };
			char text[64];

			snprintf(text, sizeof(text), "172.%u.%u.0/24", 16 + i / 250, i % 250);
			route.prefix = prefix_of(text);
			must(vpc_state_add_route(&state, &route), "state");
		}
		must(vpc_state_sort(&state, &err), "state");
		state.digest = vpc_digest_of_state(&state);
		must(kernel_vpc_new(kernel, vni, 0, &err), "a new VPC");
		must(kernel_replace(kernel, &state, NULL, "churn", &err), "its content");
		must(kernel_vpc_set(kernel, VNI, 0, &flags, &err), "the other VPC's flags");
		must(kernel_vpc_del(kernel, vni, &err), "its deletion");
		vpc_state_clear(&state);
		done++;
	}
}

static void rmmod(void)
{
	while (go_on(50000)) {
		must_hold(syscall(SYS_delete_module, "vpc", O_NONBLOCK) && (errno == EWOULDBLOCK || errno == EBUSY),
			  "rmmod of a module in use");
		refused++;
	}
}

/* -- all of them --------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*run)(void);
	bool once;
} tasks[] = {
	{ "commits", commits, false }, { "rival", rival, false }, { "dumps", dumps, false },
	{ "ports", ports, false },     { "vpcs", vpcs, false },	  { "rmmod", rmmod, true },
};

static void start(const struct space *of, size_t nr)
{
	pid_t pid = fork();

	if (pid < 0) {
		perror("churn: fork");
		exit(1);
	}
	if (pid > 0)
		return;
	space = of;
	task = tasks[nr].name;
	random_state = (seed + 1) * 0x9e3779b97f4a7c15ULL + nr * 1000003 + (of - spaces) * 10007 + 1;
	must(kernel_open(space->netns, &kernel, &err), "open");
	tasks[nr].run();
	printf("%s %s: %" PRIu64 " done, %" PRIu64 " refused\n", space->netns, task, done, refused);
	fflush(stdout);
	must_hold(done + refused > 0, "something was done");
	_exit(0);
}

static bool space_add(char *word)
{
	char *dev = strchr(word, '='), *dev2 = dev ? strchr(dev, ',') : NULL;

	if (!dev2 || n_spaces == SPACES_MAX)
		return false;
	*dev++ = '\0';
	*dev2++ = '\0';
	spaces[n_spaces++] = (struct space){ .netns = word, .dev = dev, .dev2 = dev2 };
	return true;
}

static int usage(void)
{
	fputs("usage: churn SECONDS SEED NETNS=DEV,DEV2...\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	int status, failures = 0;

	if (argc < 4 || atol(argv[1]) <= 0)
		return usage();
	for (int i = 3; i < argc; i++)
		if (!space_add(argv[i]))
			return usage();
	end_us = now_monotonic_us() + atol(argv[1]) * 1000000;
	seed = strtoull(argv[2], NULL, 0);
	for (int i = 0; i < n_spaces; i++)
		for (size_t nr = 0; nr < ARRAY_SIZE(tasks); nr++)
			if (i == 0 || !tasks[nr].once)
				start(&spaces[i], nr);
	while (wait(&status) > 0)
		failures += status != 0;
	return failures > 0;
}
