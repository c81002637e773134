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
					vpc_digest_equal(&found, &computed) && vpc.epoch == want->epoch);
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
	nlcheck_true("a delta is accepted", !kernel_apply(nlcheck_kernel, &delta, &err));
	holds("a delta leads to what it says", &next);
	expect_commit("a delta's event has its change id", events, &next, "change-0815");
	nlcheck_true("the same delta again is stale", kernel_apply(nlcheck_kernel, &delta, &err) == -ESTALE);
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
	nlcheck_true("over the quota", kernel_replace(nlcheck_kernel, &big, NULL, NULL, &err) == -EDQUOT);
	nlcheck_true("the refusal has the quota", strstr(err.text, "its quota is 16384") != NULL);
	expect_event("over the quota, event", events, VPC_EVENT_QUOTA, 300);
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

void nlcheck_semantics(void)
{
	struct kernel *events;
	struct vpc_err err;

	nlcheck_fixture();
	nlcheck_must(kernel_open(NULL, &events, &err), &err, "events");
	nlcheck_must(kernel_events_join(events, &err), &err, "events");
	check_delta_and_replace(events);
	check_race(events);
	check_order(events);
	check_quota(events);
	check_end(events);
	kernel_close(events);
}
