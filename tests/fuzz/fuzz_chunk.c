// SPDX-License-Identifier: Apache-2.0
/*
 * A chunk of a snapshot (proto/znode.h), of VPC 7 at epoch 12.
 */
#include "../../lib/diff.h"
#include "../../proto/znode.h"
#include "fuzz.h"

#define CHUNKS_MAX 64

static int differs(const struct vpc_diff_entry *entry, void *arg)
{
	return 1;
}

/* The whole state through the codec again. */
static void check_state(struct vpc_state *state)
{
	size_t pos = 0, all = state->n_nexthops + state->n_members + state->n_routes, len;
	struct vpc_state again;
	struct vpc_err err;
	char *text;

	vpc_state_init(&again, state->vni);
	again.epoch = state->epoch;
	for (uint32_t chunk = 0; pos < all; chunk++) {
		fuzz_check(chunk < CHUNKS_MAX);
		fuzz_check(!vpc_chunk_format(state, chunk, &pos, &text, &len));
		fuzz_check(!vpc_chunk_parse(text, len, chunk, &again, &err));
		free(text);
	}
	fuzz_check(!vpc_state_sort(&again, &err));
	fuzz_check(!vpc_diff(state, &again, differs, NULL));
	vpc_state_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *copy = fuzz_copy(data, len);
	struct vpc_err err = { "" };
	struct vpc_state state;
	int res;

	vpc_state_init(&state, 7);
	state.epoch = 12;
	res = vpc_chunk_parse((const char *)copy, len, 0, &state, &err);
	fuzz_check_refusal(res, &err);
	fuzz_check(!res || !(state.n_nexthops + state.n_members + state.n_routes));
	if (!res) {
		/* Sorted, nothing twice: the parser said so. Whether it hangs together is for vpc_state_check(). */
		fuzz_check(!vpc_state_sort(&state, &err));
		err.text[0] = 0;
		fuzz_check_refusal(vpc_state_check(&state, &err), &err);
		check_state(&state);
	}
	vpc_state_clear(&state);
	free(copy);
	return 0;
}
