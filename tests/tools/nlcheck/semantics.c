// SPDX-License-Identifier: Apache-2.0
/*
 * "nlcheck semantics": what transactions promise: delta and replace, compare-and-set, repair, the order inside one
 * message, quota, and the events of all that. Called by main().
 */
#include "nlcheck.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define EVENT_MS 5000
#define EPOCH(e) U64(VPC_A_EPOCH, e)

static const struct nlcheck_attr just_txn[] = { TXN, { 0 } };

/* Whether the kernel's VPC is @want, epoch and digests too: the one kept, the one found, the one computed here. */
static bool holds(const char *name, const struct vpc_state *want)
{
	struct vpc_digest found, computed = vpc_digest_of_state(want);
	struct kernel_vpc vpc;
	struct vpc_state have;
	struct vpc_err err;
	bool ok;

	nlcheck_must(kernel_dump(nlcheck_watch, want->vni, &have, &err), &err, name);
	nlcheck_must(kernel_verify(nlcheck_watch, want->vni, &vpc, &found, &err), &err, name);
	ok = nlcheck_true(name, nlcheck_state_equal(want, &have) && have.epoch == want->epoch &&
					vpc_digest_equal(&have.digest, &computed) &&
					vpc_digest_equal(&found, &computed) && !vpc.faults && vpc.epoch == want->epoch);
	vpc_state_clear(&have);
	return ok;
}

/* A delta of RED from @base: a route changed, one added, one deleted, a nexthop added and one deleted. */
static void some_delta(const struct vpc_state *base, struct vpc_delta *ret_delta, struct vpc_state *ret_next)
{
	const struct vpc_nl_nexthop nh = { .id = 9, .type = VPC_NEXTHOP_PROHIBIT };
	struct vpc_route changed = { .table = 1, .nexthop = 9, .prefix = nlcheck_prefix("172.16.0.0/12") };
	struct vpc_route added = { .table = 12, .nexthop = 2, .prefix = nlcheck_prefix("2001:db8:1::/48") };
	struct vpc_prefix deleted = nlcheck_prefix("198.51.100.0/25");
	struct vpc_err err = { "out of memory" };

	vpc_delta_init(ret_delta, RED);
	ret_delta->base = base->epoch;
	ret_delta->epoch = base->epoch + 3;
	strcpy(ret_delta->change, "change-0815");
	nlcheck_must(vpc_delta_set_nexthop(ret_delta, &nh) || vpc_delta_del_nexthop(ret_delta, 4) ||
			     vpc_delta_set_route(ret_delta, &changed) || vpc_delta_set_route(ret_delta, &added) ||
			     vpc_delta_del_route(ret_delta, 7, &deleted),
		     &err, "delta");
	nlcheck_red(ret_next);
	nlcheck_must(vpc_state_apply(ret_next, ret_delta, &err), &err, "delta");
	ret_next->digest = vpc_digest_of_state(ret_next);
	ret_delta->digest = ret_next->digest;
}

/* -- events -------------------------------------------------------------------------------------------------------- */

static bool next_event(struct kernel *events, struct kernel_event *ret_event)
{
	struct pollfd fd = { .fd = kernel_fd(events), .events = POLLIN };
	struct vpc_err err;
	int r;

	do {
		r = kernel_event_next(events, ret_event, &err);
	} while (r == -EAGAIN && poll(&fd, 1, EVENT_MS) > 0);
	return !r;
}

static void expect_event(const char *name, struct kernel *events, uint8_t event, uint32_t vni)
{
	struct kernel_event got = { 0 };

	nlcheck_true(name, next_event(events, &got) && got.event == event && got.vni == vni);
}

static void expect_commit(const char *name, struct kernel *events, const struct vpc_state *state, const char *change)
{
	struct kernel_event got = { 0 };

	nlcheck_true(name, next_event(events, &got) && got.event == VPC_EVENT_COMMIT && got.vni == state->vni &&
				   got.epoch == state->epoch && vpc_digest_equal(&got.digest, &state->digest) &&
				   !strcmp(got.change, change));
}

static void expect_no_event(const char *name, struct kernel *events)
{
	struct kernel_event got;
	struct vpc_err err;

	nlcheck_true(name, kernel_event_next(events, &got, &err) == -EAGAIN);
}

/* -- delta, replace, repair ---------------------------------------------------------------------------------------- */

static void check_delta_and_replace(struct kernel *events)
{
	uint64_t stale = RED_EPOCH + 1;
	struct vpc_state red, next;
	struct vpc_delta delta;
	struct vpc_err err;

	nlcheck_red(&red);
	holds("the fixture is what was written", &red);
	some_delta(&red, &delta, &next);
	nlcheck_true("a delta is accepted", !kernel_apply(nlcheck_kernel, &delta, 1, &err));
	holds("a delta leads to what it says", &next);
	expect_commit("a delta's event has its change id", events, &next, "change-0815");
	nlcheck_true("the same delta again is stale", kernel_apply(nlcheck_kernel, &delta, 1, &err) == -ESTALE);
	red.epoch = next.epoch + 1;
	nlcheck_true("replace on a stale base", kernel_replace(nlcheck_kernel, &red, &stale, "no", &err) == -ESTALE);
	holds("a refused replace changes nothing", &next);
	nlcheck_true("replace on its base", !kernel_replace(nlcheck_kernel, &red, &next.epoch, "yes", &err));
	holds("replace removes all else", &red);
	expect_commit("a replace's event has its change id", events, &red, "yes");
	next.epoch = red.epoch;
	nlcheck_true("a repair keeps the epoch", !kernel_replace(nlcheck_kernel, &next, &red.epoch, NULL, &err));
	holds("a repair changes the content", &next);
	expect_commit("a repair's event has no change id", events, &next, "");
	red.epoch = RED_EPOCH;
	nlcheck_true("replace without a base may go back", !kernel_replace(nlcheck_kernel, &red, NULL, NULL, &err));
	holds("replace without a base", &red);
	expect_commit("replace without a base, event", events, &red, "");
	vpc_delta_clear(&delta);
	vpc_state_clear(&next);
	vpc_state_clear(&red);
}

/* Two transactions on one version: one commits, and the other is told. */
static void check_race(struct kernel *events)
{
	const struct nlcheck_attr commit[] = { TXN, EPOCH(RED_EPOCH + 1), { 0 } };
	const struct nlcheck_attr other_commit[] = { OTHER_TXN, EPOCH(RED_EPOCH + 1), { 0 } };
	const uint64_t base = RED_EPOCH;
	struct vpc_state red;
	struct vpc_err err;
	uint32_t loose;

	nlcheck_red(&red);
	nlcheck_must(nlcheck_txn_begin(nlcheck_kernel, RED, VPC_TXN_DELTA, &base, &nlcheck_handle, &err), &err, "race");
	nlcheck_must(nlcheck_txn_begin(nlcheck_watch, RED, VPC_TXN_DELTA, &base, &nlcheck_other_handle, &err), &err,
		     "race");
	nlcheck_must(nlcheck_txn_begin(nlcheck_kernel, RED, VPC_TXN_REPLACE, NULL, &loose, &err), &err, "race");
	nlcheck_expect(nlcheck_watch, "the first of two commits", VPC_CMD_TXN_COMMIT, 0, other_commit, 0, NULL);
	nlcheck_expect(nlcheck_kernel, "the second of two commits", VPC_CMD_TXN_COMMIT, 0, commit, -ESTALE,
		       "base epoch 5 is not the current one .6. any more");
	nlcheck_expect(nlcheck_kernel, "the second is over", VPC_CMD_TXN_ABORT, 0, just_txn, -ENOENT, "not open");
	red.epoch++;
	holds("a commit of nothing only moves the epoch", &red);
	expect_commit("one event for one commit", events, &red, "");
	expect_no_event("none for the refused one", events);
	nlcheck_handle = loose;
	nlcheck_expect(nlcheck_kernel, "a replace without base does not mind", VPC_CMD_TXN_COMMIT, 0, commit, 0, NULL);
	vpc_state_clear(&red);
	vpc_state_init(&red, RED);
	red.epoch = RED_EPOCH + 1;
	holds("a replace by nothing empties", &red);
	expect_commit("event of the empty VPC", events, &red, "");
	vpc_state_clear(&red);
}

/* Inside a transaction the order is the caller's: only the commit wants everything to fit. */
static void check_order(struct kernel *events)
{
	const struct nlcheck_attr route_first[] = {
		TXN, ROUTES4({ 1, 5, { 10 }, 8 }), NEXTHOPS({ .id = 5, .type = VPC_NEXTHOP_BLACKHOLE }), { 0 }
	};
	const struct nlcheck_attr nexthop_first[] = {
		TXN, NEXTHOPS({ .id = 5, .op = VPC_OP_DEL }), ROUTES4({ 1, 0, { 10 }, 8, VPC_OP_DEL }), { 0 }
	};
	const struct nlcheck_attr commits[][3] = { { TXN, EPOCH(7), { 0 } }, { TXN, EPOCH(8), { 0 } } };
	static const uint64_t bases[] = { 6, 7 };
	struct kernel *k = nlcheck_kernel;
	struct vpc_state state;
	struct vpc_err err;

	vpc_state_init(&state, RED);
	state.epoch = 8;
	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		nlcheck_must(nlcheck_txn_begin(k, RED, VPC_TXN_DELTA, &bases[i], &nlcheck_handle, &err), &err, "order");
		nlcheck_expect(k, "any order", VPC_CMD_TXN_ADD, 0, i ? nexthop_first : route_first, 0, NULL);
		nlcheck_expect(k, "any order", VPC_CMD_TXN_COMMIT, 0, commits[i], 0, NULL);
		expect_event("any order, event", events, VPC_EVENT_COMMIT, RED);
	}
	holds("what came in any order went in any order", &state);
}

/* -- quota, and the end of a VPC ----------------------------------------------------------------------------------- */

static void check_quota(struct kernel *events)
{
	static const char name[] = "quota";
	const struct nlcheck_attr new_vpc[] = { U32(VPC_A_VNI, 300), U64(VPC_A_QUOTA, 16384), { 0 } };
	const struct nlcheck_attr no_quota[] = { U32(VPC_A_VNI, 300), U64(VPC_A_QUOTA, 0), { 0 } };
	struct nlcheck_snap before;
	struct vpc_state big;
	struct vpc_err err;

	nlcheck_expect(nlcheck_kernel, name, VPC_CMD_VPC_NEW, 0, new_vpc, 0, NULL);
	expect_event("a new VPC's event", events, VPC_EVENT_VPC_NEW, 300);
	nlcheck_red(&big);
	big.vni = 300;
	nlcheck_true("within the quota", !kernel_replace(nlcheck_kernel, &big, NULL, NULL, &err));
	expect_event("within the quota, event", events, VPC_EVENT_COMMIT, 300);
	nlcheck_snap_take(&before);
	for (unsigned int i = 0; i < 4096; i++) {
		char prefix[VPC_PREFIX_STRLEN];

		snprintf(prefix, sizeof(prefix), "10.%u.%u.64/26", i / 256, i % 256);
		nlcheck_route(&big, 1, prefix, 1);
	}
	nlcheck_must(vpc_state_sort(&big, &err), &err, name);
	big.digest = vpc_digest_of_state(&big);
	for (int i = 0; i < 3; i++) {
		nlcheck_true("over the quota", kernel_replace(nlcheck_kernel, &big, NULL, NULL, &err) == -EDQUOT);
		nlcheck_true("the refusal has the quota", strstr(err.text, "its quota is 16384") != NULL);
		expect_event("over the quota, event", events, VPC_EVENT_QUOTA, 300);
		expect_no_event("one for each writer", events);
	}
	nlcheck_unchanged("over the quota", &before);
	nlcheck_expect(nlcheck_kernel, "the quota is lifted", VPC_CMD_VPC_NEW, NLM_F_REPLACE, no_quota, 0, NULL);
	before.vpcs[before.n_vpcs - 1].quota = 0;
	nlcheck_unchanged("the quota alone is changed", &before);
	nlcheck_true("without a quota", !kernel_replace(nlcheck_kernel, &big, NULL, NULL, &err));
	expect_event("without a quota, event", events, VPC_EVENT_COMMIT, 300);
	holds("what the quota kept out", &big);
	nlcheck_snap_clear(&before);
	vpc_state_clear(&big);
}

/* -- addresses that move ------------------------------------------------------------------------------------------- */

/* What becomes of a packet from the wire, from a third host, for t0's address. */
static uint8_t verdict_for_t0(void)
{
	struct kernel_lookup lookup = { .vni = RED };
	struct kernel_explain explain;
	struct vpc_err err;

	nlcheck_must(vpc_addr_parse("192.0.2.78", &lookup.outer_src, &err), &err, "explain");
	nlcheck_must(vpc_addr_parse("10.0.0.99", &lookup.src, &err), &err, "explain");
	nlcheck_must(vpc_addr_parse("10.0.0.5", &lookup.dst, &err), &err, "explain");
	nlcheck_must(kernel_explain(nlcheck_watch, &lookup, &explain, &err), &err, "explain");
	return explain.verdict;
}

/* Moves t0's address to this host (nexthop 3) or to another (nexthop 20). */
static void move_t0(uint32_t nexthop, struct vpc_state *state)
{
	static const struct vpc_nl_nexthop hosts[] = {
		{ .id = 3, .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2, 1 } },
		{ .id = 20, .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2, 77 } },
		{ .id = 21, .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2, 78 } },
	};
	struct vpc_route route = { .table = 0, .nexthop = nexthop, .prefix = nlcheck_prefix("10.0.0.5/32") };
	struct vpc_err err = { "out of memory" };
	struct vpc_delta delta;

	vpc_delta_init(&delta, RED);
	delta.base = state->epoch;
	delta.epoch = state->epoch + 1;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		nlcheck_must(vpc_delta_set_nexthop(&delta, &hosts[i]), &err, "move");
	nlcheck_must(vpc_delta_set_route(&delta, &route), &err, "move");
	nlcheck_must(vpc_state_apply(state, &delta, &err), &err, "move");
	delta.digest = vpc_digest_of_state(state);
	nlcheck_must(kernel_apply(nlcheck_kernel, &delta, 1, &err), &err, "move");
	vpc_delta_clear(&delta);
}

/* Deletes t0 and configures it as it was. */
static void renew_t0(void)
{
	struct kernel_port *ports;
	struct vpc_err err;
	size_t n;

	nlcheck_must(kernel_port_list(nlcheck_watch, &ports, &n, &err), &err, "renew");
	for (size_t i = 0; i < n; i++) {
		if (strcmp(ports[i].conf.dev, "t0"))
			continue;
		nlcheck_must(kernel_port_del(nlcheck_kernel, "t0", &err), &err, "renew");
		nlcheck_must(kernel_port_set(nlcheck_kernel, &ports[i].conf, &err), &err, "renew");
	}
	kernel_ports_free(ports, n);
}

static void check_moved(struct kernel *events)
{
	struct vpc_state state;
	struct vpc_err err;

	nlcheck_must(kernel_dump(nlcheck_watch, RED, &state, &err), &err, "move");
	move_t0(3, &state);
	nlcheck_true("an address that is here is delivered to", verdict_for_t0() == VPC_VERDICT_DELIVER);
	move_t0(20, &state);
	nlcheck_true("one that has moved is sent on", verdict_for_t0() == VPC_VERDICT_ENCAP);
	move_t0(20, &state);
	nlcheck_true("and still after another commit", verdict_for_t0() == VPC_VERDICT_ENCAP);
	move_t0(3, &state);
	nlcheck_true("one that comes back is delivered to again", verdict_for_t0() == VPC_VERDICT_DELIVER);
	move_t0(20, &state);
	renew_t0();
	nlcheck_true("a new port is delivered to before its address comes", verdict_for_t0() == VPC_VERDICT_DELIVER);
	move_t0(20, &state);
	nlcheck_true("and a commit that leaves it elsewhere takes nothing", verdict_for_t0() == VPC_VERDICT_DELIVER);
	for (int i = 0; i < 6; i++)
		expect_event("a move's event", events, VPC_EVENT_COMMIT, RED);
	vpc_state_clear(&state);
}

/* -- ports --------------------------------------------------------------------------------------------------------- */

static void check_port_is(const char *name, const struct vpc_port *want)
{
	struct kernel_port *ports;
	struct vpc_err err;
	bool same = false;
	size_t n;

	nlcheck_must(kernel_port_set(nlcheck_kernel, want, &err), &err, name);
	nlcheck_must(kernel_port_list(nlcheck_watch, &ports, &n, &err), &err, name);
	for (size_t i = 0; i < n; i++)
		same |= vpc_port_equal(&ports[i].conf, want);
	nlcheck_true(name, same);
	kernel_ports_free(ports, n);
}

/* What a port was told is what it says, and what it is not told again is gone. */
static void check_ports_read_back(void)
{
	struct vpc_prefix addrs[] = { nlcheck_prefix("10.0.1.0/24"), nlcheck_prefix("10.0.2.1/32"),
				      nlcheck_prefix("fd00:0:0:1::/64"), nlcheck_prefix("fd00:0:0:2::1/128") };
	struct vpc_port full = { .vni = RED, .mac = { 2, 0, 0, 0, 0, 9 }, .table = 7, .dev = "t-full",
				 .flags = VPC_PORT_F_NO_SOURCE_CHECK, .addrs = addrs, .n_addrs = ARRAY_SIZE(addrs),
				 .subnet6 = nlcheck_prefix("fd00:0:0:1::/64") };
	struct vpc_port other = full, bare = { .vni = RED, .mac = { 2, 0, 0, 0, 0, 9 }, .table = 1, .dev = "t-full" };
	struct vpc_err err;

	nlcheck_must(vpc_addr_parse("10.0.1.1", &full.gateway4, &err), &err, "port");
	nlcheck_must(vpc_addr_parse("fd00:0:0:1::1", &full.gateway6, &err), &err, "port");
	other.subnet6 = nlcheck_prefix("fd00:0:0:2::/63");
	other.n_addrs = 1;
	check_port_is("a port with all it can have", &full);
	check_port_is("another subnet, fewer addresses, no gateways", &other);
	check_port_is("a port with nothing", &bare);
	check_port_is("and with all again", &full);
	nlcheck_must(kernel_port_del(nlcheck_kernel, "t-full", &err), &err, "port");
}

/* -- flags and memory ---------------------------------------------------------------------------------------------- */

static void check_flags(void)
{
	static const char name[] = "flags of a VPC";
	const uint32_t strict = VPC_F_STRICT, none = 0;
	struct kernel_vpc vpc;
	struct vpc_err err;

	nlcheck_must(kernel_vpc_set(nlcheck_kernel, BLUE, 77777, &strict, &err), &err, name);
	nlcheck_must(kernel_vpc_set(nlcheck_kernel, BLUE, 88888, NULL, &err), &err, name);
	nlcheck_must(kernel_vpc_get(nlcheck_watch, BLUE, &vpc, &err), &err, name);
	nlcheck_true("another quota leaves the flags", vpc.flags == strict && vpc.quota == 88888);
	nlcheck_must(kernel_vpc_set(nlcheck_kernel, BLUE, 0, &none, &err), &err, name);
	nlcheck_must(kernel_vpc_get(nlcheck_watch, BLUE, &vpc, &err), &err, name);
	nlcheck_true("flags and quota are taken away", !vpc.flags && !vpc.quota);
}

/* Bytes of a VPC without anything, and of one with ten routes to ten hosts. */
static void check_small(struct kernel *events)
{
	struct vpc_nl_nexthop nh = { .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2 } };
	struct vpc_err err = { "out of memory" };
	struct kernel_vpc empty, ten;
	char prefix[VPC_PREFIX_STRLEN];
	struct vpc_state state;

	nlcheck_must(kernel_vpc_new(nlcheck_kernel, 301, 0, &err), &err, "a small VPC");
	expect_event("a small VPC's event", events, VPC_EVENT_VPC_NEW, 301);
	nlcheck_must(kernel_vpc_get(nlcheck_watch, 301, &empty, &err), &err, "a small VPC");
	vpc_state_init(&state, 301);
	state.epoch = 1;
	for (nh.id = 1; nh.id <= 10; nh.id++) {
		nh.addr[3] = 100 + nh.id;
		snprintf(prefix, sizeof(prefix), "10.0.0.%u/32", nh.id);
		nlcheck_must(vpc_state_add_nexthop(&state, &nh), &err, "a small VPC");
		nlcheck_route(&state, 0, prefix, nh.id);
	}
	nlcheck_must(vpc_state_sort(&state, &err), &err, "a small VPC");
	state.digest = vpc_digest_of_state(&state);
	nlcheck_must(kernel_replace(nlcheck_kernel, &state, NULL, NULL, &err), &err, "a small VPC");
	expect_event("ten routes' event", events, VPC_EVENT_COMMIT, 301);
	nlcheck_must(kernel_vpc_get(nlcheck_watch, 301, &ten, &err), &err, "a small VPC");
	printf("an empty VPC takes %llu bytes, one with ten routes to ten hosts %llu\n",
	       (unsigned long long)empty.memory, (unsigned long long)ten.memory);
	nlcheck_true("an empty VPC is small", empty.memory <= 512);
	nlcheck_true("a VPC with ten routes is small", ten.memory <= 2048);
	nlcheck_must(kernel_vpc_del(nlcheck_kernel, 301, &err), &err, "a small VPC");
	expect_event("a small VPC's end", events, VPC_EVENT_VPC_DEL, 301);
	vpc_state_clear(&state);
}

static void check_end(struct kernel *events)
{
	const struct nlcheck_attr vni[] = { U32(VPC_A_VNI, 300), { 0 } };
	struct vpc_err err;

	nlcheck_must(nlcheck_txn_begin(nlcheck_kernel, 300, VPC_TXN_REPLACE, NULL, &nlcheck_handle, &err), &err, "end");
	nlcheck_expect(nlcheck_watch, "a VPC with a transaction is deleted", VPC_CMD_VPC_DEL, 0, vni, 0, NULL);
	expect_event("a deleted VPC's event", events, VPC_EVENT_VPC_DEL, 300);
	nlcheck_expect(nlcheck_kernel, "its transaction is over", VPC_CMD_TXN_ABORT, 0, just_txn, -ENOENT, "not open");
	nlcheck_expect(nlcheck_kernel, "it comes again", VPC_CMD_VPC_NEW, 0, vni, 0, NULL);
	expect_event("it comes again, event", events, VPC_EVENT_VPC_NEW, 300);
	nlcheck_expect(nlcheck_kernel, "and goes again", VPC_CMD_VPC_DEL, 0, vni, 0, NULL);
	expect_event("and goes again, event", events, VPC_EVENT_VPC_DEL, 300);
	expect_no_event("no event is left", events);
}

/* -- filters of events --------------------------------------------------------------------------------------------- */

static struct kernel *events_open(void)
{
	struct kernel *events;
	struct vpc_err err;

	nlcheck_must(kernel_open(NULL, &events, &err), &err, "events");
	return events;
}

static void events_join(struct kernel *events)
{
	struct vpc_err err;

	nlcheck_must(kernel_events_join(events, &err), &err, "events");
}

static void check_filters(struct kernel *events)
{
	struct kernel *all[] = { events, events_open(), events_open() }, *without = all[1], *of = all[2];
	struct vpc_err err;
	struct vpc_state state;
	size_t i;

	nlcheck_must(kernel_events_without(without, VPC_EVENT_COMMIT, &err), &err, "events without commits");
	nlcheck_must(kernel_events_of(of, 311, &err), &err, "events of one VPC");
	events_join(without);
	events_join(of);
	for (i = 310; i < 312; i++) {
		nlcheck_must(kernel_vpc_new(nlcheck_kernel, i, 0, &err), &err, "filters");
		vpc_state_init(&state, i);
		state.epoch = 1;
		state.digest = vpc_digest_of_state(&state);
		nlcheck_must(kernel_replace(nlcheck_kernel, &state, NULL, NULL, &err), &err, "filters");
		vpc_state_clear(&state);
		nlcheck_must(kernel_vpc_del(nlcheck_kernel, i, &err), &err, "filters");
	}
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		for (uint32_t vni = all[i] == of ? 311 : 310; vni < 312; vni++) {
			expect_event("a new VPC passes", all[i], VPC_EVENT_VPC_NEW, vni);
			if (all[i] != without)
				expect_event("a commit passes", all[i], VPC_EVENT_COMMIT, vni);
			expect_event("a VPC's end passes", all[i], VPC_EVENT_VPC_DEL, vni);
		}
		expect_no_event("nothing else passes", all[i]);
	}
	kernel_close(without);
	kernel_close(of);
}

void nlcheck_semantics(void)
{
	struct kernel *events = events_open();

	nlcheck_fixture();
	events_join(events);
	check_delta_and_replace(events);
	check_race(events);
	check_order(events);
	check_quota(events);
	check_moved(events);
	check_ports_read_back();
	check_flags();
	check_small(events);
	check_filters(events);
	check_end(events);
	kernel_close(events);
}
