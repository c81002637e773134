// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's route trie in user space (as tests/unit/test_trie.c has it): the input is what random numbers are there,
 * so that libFuzzer looks for tables and sequences of changes, aborts and failed allocations that the seeds never drew.
 */
#include "fuzz.h"

#define assert_true(c)		       fuzz_check(c)
#define assert_null(p)		       fuzz_check(!(p))
#define assert_int_equal(a, b)	       fuzz_check((long long)(a) == (long long)(b))
#define assert_ptr_equal(a, b)	       fuzz_check((a) == (b))
#define VPC_INDEX_MIN		       index_min
static unsigned int index_min = 65536;

#include "../../kmod/tables/trie.c"
#include "../../kmod/tables/trie_edit.c"
#include "../../kmod/tables/trie_mem.c"
#include "../../kmod/tables/trie_index.c"
#include "../../kmod/tables/trie_walk.c"

/* The input's bytes, few at a time; behind its end, and where a check draws, a row of its own. */
static struct {
	const uint8_t *pos, *end;
	bool checking;
	uint64_t state;
} source;

static uint64_t random_u64(void)
{
	if (!source.checking && source.pos < source.end)
		return *source.pos++;
	source.state ^= source.state >> 12;
	source.state ^= source.state << 25;
	source.state ^= source.state >> 27;
	return source.state * 2685821657736338717ULL;
}

#define ORACLE_RANDOM random_u64
#define ORACLE_MAX    512
#include "../unit/trie_world.h"

#define CHANGES_MAX 200

static void check(struct world *world)
{
	source.checking = true;
	check_world(world);
	check_shape(&world_current(world)->trie, &world_current(world)->oracle);
	source.checking = false;
}

static void transaction(struct world *world)
{
	unsigned int n = random_below(16);

	world_begin(world);
	while (n-- && source.pos < source.end && world->oracle.n < ORACLE_MAX - 1) {
		kshim_mem.fail_in = random_below(8) ? 0 : 1 + random_below(8);
		world_change(world);
		kshim_mem.fail_in = 0;
	}
	if (random_below(4))
		world_commit(world);
	else
		world_abort(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static bool ready;
	struct world *world;

	if (!ready)
		fuzz_check(!vpc_trie_init_caches());
	ready = true;
	source.pos = data;
	source.end = data + len;
	source.state = 88172645463325252ULL;
	/* 1 would let an empty table keep its index, which 65536 never does. */
	index_min = 2 + random_below(8) * 8;
	world = world_new(random_below(2) ? AF_INET6 : AF_INET);
	for (unsigned int i = 0; i < CHANGES_MAX && source.pos < source.end; i++)
		transaction(world);
	check(world);
	world_free(world);
	return 0;
}
