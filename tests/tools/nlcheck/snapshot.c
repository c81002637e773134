// SPDX-License-Identifier: Apache-2.0
/*
 * "nlcheck snapshot": a dump is one version from its first message to its last, whatever is committed meanwhile. Every
 * commit moves marked routes, nexthops and members to where its epoch says; a dump that mixes two epochs gives itself
 * away. Once a commit comes between any two messages for certain, then another process commits as fast as it can.
 * Called by main().
 */
#include "nlcheck.h"

#include <linux/genetlink.h>
#include <netlink/msg.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "../../../lib/kernel_msg.h"

#define VNI 400
#define ROUTES 20000U
#define MARKED_EVERY 313U /* spread over all messages of a dump */
#define NEXTHOPS_N 3000U
#define NEXTHOP_MARKED_EVERY 61U
#define GROUPS 6U /* the ids behind those */
#define MEMBERS_EACH 120U
#define MEMBERS_N (GROUPS * MEMBERS_EACH)
#define MEMBER_MARKED_EVERY 71U
#define RACING_DUMPS 12
#define DUMPS_MAX 500

/* Where marked routes go at @epoch: ids 1..7, which are there always. */
static uint32_t target(uint64_t epoch)
{
	return 1 + epoch % 7;
}

static struct vpc_nl_nexthop nexthop(uint32_t id, uint64_t epoch)
{
	struct vpc_nl_nexthop nh = {
		.id = id, .type = VPC_NEXTHOP_GATEWAY, .family = AF_INET, .addr = { 192, 0, 2, 9 }, .vni = 1
	};

	if (id > NEXTHOPS_N)
		return (struct vpc_nl_nexthop){ .id = id, .type = VPC_NEXTHOP_GROUP };
	if (id % NEXTHOP_MARKED_EVERY == 0)
		nh.vni = 1 + epoch % VPC_VNI_MAX;
	return nh;
}

/* In the order of dumps. */
static struct vpc_nl_member member(uint32_t i, uint64_t epoch)
{
	struct vpc_nl_member m = { .weight = 1 };

	m.group = NEXTHOPS_N + 1 + i / MEMBERS_EACH;
	m.nexthop = 1 + i % MEMBERS_EACH;
	if (i % MEMBER_MARKED_EVERY == 0)
		m.weight = 1 + epoch % VPC_WEIGHT_MAX;
	return m;
}

static struct vpc_route route(uint32_t i, uint64_t epoch)
{
	struct vpc_route r = { .table = i % 3, .nexthop = 8, .prefix = { .family = AF_INET, .plen = 24 } };

	r.prefix.bytes[0] = 10 + (i >> 16);
	r.prefix.bytes[1] = i >> 8;
	r.prefix.bytes[2] = i;
	if (i % MARKED_EVERY == 0)
		r.nexthop = target(epoch);
	return r;
}

static uint32_t route_index(const struct vpc_route *r)
{
	return (uint32_t)(r->prefix.bytes[0] - 10) << 16 | r->prefix.bytes[1] << 8 | r->prefix.bytes[2];
}

static void fill(struct vpc_state *state)
{
	struct vpc_err err = { "out of memory" };

	vpc_state_init(state, VNI);
	state->epoch = 1;
	for (uint32_t id = 1; id <= NEXTHOPS_N + GROUPS; id++) {
		struct vpc_nl_nexthop nh = nexthop(id, 1);

		nlcheck_must(vpc_state_add_nexthop(state, &nh), &err, "snapshot");
	}
	for (uint32_t i = 0; i < MEMBERS_N; i++) {
		struct vpc_nl_member m = member(i, 1);

		nlcheck_must(vpc_state_add_member(state, &m), &err, "snapshot");
	}
	for (uint32_t i = 0; i < ROUTES; i++) {
		struct vpc_route r = route(i, 1);

		nlcheck_must(vpc_state_add_route(state, &r), &err, "snapshot");
	}
	nlcheck_must(vpc_state_sort(state, &err), &err, "snapshot");
	state->digest = vpc_digest_of_state(state);
}

/* Moves all that is marked from @epoch to the next one. @digest: at @epoch, then at the next. */
static int commit_next(struct kernel *k, uint64_t *epoch, struct vpc_digest *digest, struct vpc_err *err)
{
	struct vpc_delta delta;
	int r = 0;

	vpc_delta_init(&delta, VNI);
	delta.base = *epoch;
	delta.epoch = *epoch + 1;
	for (uint32_t id = NEXTHOP_MARKED_EVERY; id <= NEXTHOPS_N && !r; id += NEXTHOP_MARKED_EVERY) {
		struct vpc_nl_nexthop old = nexthop(id, *epoch), new = nexthop(id, *epoch + 1);

		vpc_digest_sub_nexthop(digest, &old);
		vpc_digest_add_nexthop(digest, &new);
		r = vpc_delta_set_nexthop(&delta, &new);
	}
	for (uint32_t i = 0; i < MEMBERS_N && !r; i += MEMBER_MARKED_EVERY) {
		struct vpc_nl_member old = member(i, *epoch), new = member(i, *epoch + 1);

		vpc_digest_sub_member(digest, &old);
		vpc_digest_add_member(digest, &new);
		r = vpc_delta_set_member(&delta, &new);
	}
	for (uint32_t i = 0; i < ROUTES && !r; i += MARKED_EVERY) {
		struct vpc_route old = route(i, *epoch), new = route(i, *epoch + 1);

		vpc_digest_sub_route(digest, &old);
		vpc_digest_add_route(digest, &new);
		r = vpc_delta_set_route(&delta, &new);
	}
	delta.digest = *digest;
	r = r ? r : kernel_apply(k, &delta, 1, err);
	vpc_delta_clear(&delta);
	*epoch += !r;
	return r;
}

/* A dump as it comes in, with a commit between its messages when @writer is there. */
struct reading {
	struct vpc_state state;
	unsigned int messages;
	uint64_t epoch; /* of all messages so far */
	bool mixed;
	struct kernel *writer;
	uint64_t *written;
	struct vpc_digest *digest;
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
	else if (reading->epoch != epoch)
		reading->mixed = true;
	return reading->writer ? commit_next(reading->writer, reading->written, reading->digest, err) : 0;
}

static void read_dump(uint8_t cmd, struct reading *reading)
{
	_cleanup_msg_ struct nl_msg *msg = NULL;
	struct vpc_err err = { "out of memory" };

	vpc_state_init(&reading->state, VNI);
	nlcheck_must(kernel_msg_vni(nlcheck_watch->family, cmd, NLM_F_DUMP, VNI, &msg), &err, "snapshot");
	nlcheck_must(kernel_sock_request(nlcheck_watch, msg, reading_message, reading, &err), &err, "dump");
	nlcheck_must(vpc_state_sort(&reading->state, &err), &err, "dump");
}

/* Whether what was read is what was written at the epoch that the dump names, whole. */
static bool one_epoch(const struct reading *reading, uint8_t cmd)
{
	const struct vpc_state *state = &reading->state;

	if (reading->mixed)
		return false;
	if (cmd == VPC_CMD_NEXTHOP_GET ?
		    state->n_nexthops != NEXTHOPS_N + GROUPS || state->n_members != MEMBERS_N :
		    state->n_routes != ROUTES)
		return false;
	for (size_t i = 0; i < state->n_nexthops; i++) {
		struct vpc_nl_nexthop want = nexthop(i + 1, reading->epoch);

		if (!vpc_nexthop_equal(&state->nexthops[i], &want))
			return false;
	}
	for (size_t i = 0; i < state->n_members; i++) {
		struct vpc_nl_member want = member(i, reading->epoch);

		if (vpc_member_cmp(&state->members[i], &want) || state->members[i].weight != want.weight)
			return false;
	}
	for (size_t i = 0; i < state->n_routes; i++) {
		struct vpc_route want = route(route_index(&state->routes[i]), reading->epoch);

		if (vpc_route_cmp(&state->routes[i], &want) || state->routes[i].nexthop != want.nexthop)
			return false;
	}
	return true;
}

static void check_interleaved(const char *name, uint8_t cmd, uint64_t *epoch, struct vpc_digest *digest)
{
	struct reading reading = { .writer = nlcheck_kernel, .written = epoch, .digest = digest };
	uint64_t before = *epoch;

	read_dump(cmd, &reading);
	printf("%s: %u messages of epoch %llu, at the end it was %llu\n", name, reading.messages,
	       (unsigned long long)reading.epoch, (unsigned long long)*epoch);
	nlcheck_true(name, one_epoch(&reading, cmd) && reading.epoch == before && reading.messages >= 3);
	vpc_state_clear(&reading.state);
}

/* In a process of its own: commits until it is killed. */
static void commit_forever(uint64_t epoch, struct vpc_digest digest)
{
	struct vpc_err err;
	struct kernel *k;

	nlcheck_must(kernel_open(NULL, &k, &err), &err, "writer");
	for (;;)
		nlcheck_must(commit_next(k, &epoch, &digest, &err), &err, "writer");
}

/* Commits since @epoch. */
static uint64_t committed(uint64_t epoch)
{
	struct kernel_vpc vpc;
	struct vpc_err err;

	nlcheck_must(kernel_vpc_get(nlcheck_watch, VNI, &vpc, &err), &err, "snapshot");
	return vpc.epoch - epoch;
}

/* On one processor the writer may have to wait for its turn: more dumps, until it had some. */
static void check_racing(uint64_t epoch, struct vpc_digest digest)
{
	pid_t pid = fork();
	int status, dumps;

	if (pid == 0)
		commit_forever(epoch, digest);
	for (dumps = 0; pid > 0 && dumps < DUMPS_MAX; dumps++) {
		if (dumps >= RACING_DUMPS && committed(epoch) > RACING_DUMPS)
			break;

		uint8_t cmd = dumps % 4 ? VPC_CMD_ROUTE_GET : VPC_CMD_NEXTHOP_GET;
		struct reading reading = { 0 };

		read_dump(cmd, &reading);
		nlcheck_true("a dump beside a writer is one epoch's", one_epoch(&reading, cmd));
		vpc_state_clear(&reading.state);
	}
	nlcheck_true("the writer wrote to the end", pid > 0 && waitpid(pid, &status, WNOHANG) == 0 &&
							    !kill(pid, SIGKILL) && waitpid(pid, &status, 0) == pid);
	printf("%llu commits during %d dumps\n", (unsigned long long)committed(epoch), dumps);
	nlcheck_true("there were commits while it was dumped", committed(epoch) > RACING_DUMPS);
}

static int deleting_message(const struct nlmsghdr *nlh, void *arg, struct vpc_err *err)
{
	struct reading *reading = arg;
	int r = reading_message(nlh, reading, err);

	return !r && reading->messages == 1 ? kernel_vpc_del(nlcheck_kernel, VNI, err) : r;
}

/* The VPC goes between a dump's first message and its second. */
static void check_deleted(void)
{
	_cleanup_msg_ struct nl_msg *msg = NULL;
	struct vpc_err err = { "out of memory" };
	struct reading reading = { 0 };
	struct kernel_vpc vpc;

	vpc_state_init(&reading.state, VNI);
	nlcheck_must(kernel_msg_vni(nlcheck_watch->family, VPC_CMD_ROUTE_GET, NLM_F_DUMP, VNI, &msg), &err, "snapshot");
	nlcheck_must(kernel_sock_request(nlcheck_watch, msg, deleting_message, &reading, &err), &err, "dump");
	nlcheck_must(vpc_state_sort(&reading.state, &err), &err, "dump");
	nlcheck_true("a dump goes on to its end when the VPC is deleted", one_epoch(&reading, VPC_CMD_ROUTE_GET));
	nlcheck_true("and the VPC is gone", kernel_vpc_get(nlcheck_watch, VNI, &vpc, &err) == -ENOENT);
	vpc_state_clear(&reading.state);
}

void nlcheck_snapshot(void)
{
	struct vpc_digest digest;
	struct vpc_state state;
	struct vpc_err err;
	uint64_t epoch = 1;

	nlcheck_must(kernel_vpc_new(nlcheck_kernel, VNI, 0, &err), &err, "snapshot");
	fill(&state);
	nlcheck_must(kernel_replace(nlcheck_kernel, &state, NULL, NULL, &err), &err, "snapshot");
	digest = state.digest;
	vpc_state_clear(&state);
	check_interleaved("routes with a commit after each message", VPC_CMD_ROUTE_GET, &epoch, &digest);
	check_interleaved("nexthops and members with commits between", VPC_CMD_NEXTHOP_GET, &epoch, &digest);
	check_racing(epoch, digest);
	check_deleted();
}
