// SPDX-License-Identifier: Apache-2.0
/*
 * A delta (proto/znode.h): through the codec, and applied to a VPC that has what it deletes.
 */
#include <errno.h>
#include "../../lib/diff.h"
#include "../../proto/znode.h"
#include "fuzz.h"

static int differs(const struct vpc_diff_entry *entry, void *arg)
{
	return 1;
}

static void check_codec(const struct vpc_delta *delta)
{
	struct vpc_delta again;
	char *text, *second;
	struct vpc_err err;
	size_t len, len2;
	int res = vpc_delta_format(delta, &text, &len);

	/* What we write may be longer than what we read: IPv6 addresses have many forms. */
	fuzz_check(!res || res == -E2BIG);
	if (res)
		return;
	fuzz_check(!vpc_delta_parse(text, len, &again, &err));
	fuzz_check(!vpc_delta_format(&again, &second, &len2));
	fuzz_check(len == len2 && !memcmp(text, second, len));
	vpc_delta_clear(&again);
	free(text);
	free(second);
}

/* All that it deletes, in @state. */
static void put_deleted(const struct vpc_delta *delta, struct vpc_state *state)
{
	vpc_state_init(state, delta->vni);
	state->epoch = delta->base;
	for (size_t i = 0; i < delta->n_nexthops; i++) {
		struct vpc_nl_nexthop nh = { .id = delta->nexthops[i].id, .type = VPC_NEXTHOP_BLACKHOLE };

		if (delta->nexthops[i].op == VPC_OP_DEL)
			fuzz_check(!vpc_state_add_nexthop(state, &nh));
	}
	for (size_t i = 0; i < delta->n_members; i++) {
		struct vpc_nl_member member = delta->members[i];

		member.op = VPC_OP_SET;
		member.weight = 1;
		if (delta->members[i].op == VPC_OP_DEL)
			fuzz_check(!vpc_state_add_member(state, &member));
	}
	for (size_t i = 0; i < delta->n_routes; i++) {
		struct vpc_route route = delta->routes[i].route;

		route.nexthop = 1;
		if (delta->routes[i].op == VPC_OP_DEL)
			fuzz_check(!vpc_state_add_route(state, &route));
	}
	fuzz_check(!vpc_state_sort(state, NULL));
}

/* What the delta makes of a VPC, the difference between the two makes, too. */
static void check_apply(const struct vpc_delta *delta)
{
	struct vpc_state before, after, again;
	struct vpc_delta diff;
	struct vpc_err err = { "" };

	put_deleted(delta, &before);
	put_deleted(delta, &after);
	put_deleted(delta, &again);
	fuzz_check(!vpc_state_apply(&after, delta, &err));
	fuzz_check(after.epoch == delta->epoch);
	fuzz_check(!vpc_diff_to_delta(&after, &before, &diff));
	fuzz_check(!vpc_state_apply(&again, &diff, &err));
	fuzz_check(!vpc_diff(&after, &again, differs, NULL));
	vpc_delta_clear(&diff);
	/* Once more it does not fit, and changes nothing. */
	fuzz_check(delta->base == delta->epoch || vpc_state_apply(&after, delta, &err) == -ESTALE);
	fuzz_check(!vpc_diff(&after, &again, differs, NULL));
	vpc_state_clear(&before);
	vpc_state_clear(&after);
	vpc_state_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *copy = fuzz_copy(data, len);
	struct vpc_err err = { "" };
	struct vpc_delta delta;
	int res;

	fuzz_fill(&delta, sizeof(delta));
	res = vpc_delta_parse((const char *)copy, len, &delta, &err);
	fuzz_check_refusal(res, &err);
	if (!res) {
		check_codec(&delta);
		check_apply(&delta);
		vpc_delta_clear(&delta);
	} else {
		fuzz_check(fuzz_untouched(&delta, sizeof(delta)));
	}
	free(copy);
	return 0;
}
