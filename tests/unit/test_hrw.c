// SPDX-License-Identifier: Apache-2.0
/*
 * Who has which bucket of a group (kmod/tables/hrw.c), in user space over stand-in kernel headers (kshim/): against an
 * oracle in floating point, the shares against the weights, and what moves when members come, go and change.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../kmod/tables/hrw.c"

#define MEMBERS_MAX	128

struct group {
	unsigned int n;
	struct vpc_hrw_member members[MEMBERS_MAX];
	u32 owner[VPC_GROUP_BUCKETS];	/* nexthop ids */
};

static void group_fill(struct group *group)
{
	unsigned int i;

	for (i = 0; i < VPC_GROUP_BUCKETS; i++)
		group->owner[i] = group->members[vpc_hrw_owner(group->members, group->n, i)].nexthop;
}

/* Members with ids from @first on. */
static struct group group_make(u32 first, unsigned int n, u32 weight)
{
	struct group group = { .n = n };
	unsigned int i;

	for (i = 0; i < n; i++)
		group.members[i] = (struct vpc_hrw_member){ first + i, weight };
	group_fill(&group);
	return group;
}

static void group_remove(struct group *group, unsigned int at)
{
	group->n--;
	memmove(group->members + at, group->members + at + 1, (group->n - at) * sizeof(group->members[0]));
	group_fill(group);
}

static unsigned int group_count(const struct group *group, u32 nexthop)
{
	unsigned int i, n = 0;

	for (i = 0; i < VPC_GROUP_BUCKETS; i++)
		n += group->owner[i] == nexthop;
	return n;
}

/* -- tests --------------------------------------------------------------------------------------------------------- */

static void test_log(void **state)
{
	u32 u = 1;
	double want;
	int i;

	for (i = 0; i < 200000; i++, u = u * 2654435761u + 12345) {
		if (!u)
			continue;
		want = (32 - log2(u)) * 4294967296.0;
		assert_true(fabs(vpc_hrw_log(u) - want) <= 8);
		assert_true(vpc_hrw_log_least(u) <= vpc_hrw_log(u));
	}
	for (u = UINT32_MAX; u > UINT32_MAX - 100000; u--)
		assert_true(vpc_hrw_log_least(u) <= vpc_hrw_log(u));
	for (u = 1; u < 100000; u++)
		assert_true(vpc_hrw_log_least(u) <= vpc_hrw_log(u));
	assert_int_equal(vpc_hrw_log(1), 32ULL << 32);
	assert_int_equal(vpc_hrw_log(1U << 31), 1ULL << 32);
	assert_true(vpc_hrw_log(UINT32_MAX) >= 1);
}

/* Without the shortcut, in floating point. */
static unsigned int naive_owner(const struct group *group, u32 bucket)
{
	double score, least = INFINITY;
	unsigned int i, best = 0;

	for (i = 0; i < group->n; i++) {
		score = -log(vpc_hrw_draw(group->members[i].nexthop, bucket) / 4294967296.0);
		score /= group->members[i].weight;
		if (score < least) {
			least = score;
			best = i;
		}
	}
	return best;
}

static void test_oracle(void **state)
{
	struct group group = { .n = 0 };
	unsigned int round, i;
	u32 seed = 1;

	for (round = 0; round < 40; round++) {
		group.n = 1 + round * 3;
		for (i = 0; i < group.n; i++) {
			seed = seed * 1664525 + 1013904223;
			group.members[i].nexthop = (i << 20) + (seed >> 12);
			group.members[i].weight = round % 2 ? 1 + seed % 256 : 1 + seed % 3;
		}
		for (i = 0; i < VPC_GROUP_BUCKETS; i++)
			assert_int_equal(vpc_hrw_owner(group.members, group.n, i), naive_owner(&group, i));
	}
}

/* Every host, now and later, has to come to this. */
static void test_fixed(void **state)
{
	static const u32 want[] = {
		77, 77, 0x80000001, 5, 77, 0x80000001, 5, 0x80000001,
		77, 77, 77, 77, 77, 0x80000001, 0x80000001, 0x80000001,
	};
	struct group group = {
		.n = 3,
		.members = { { 5, 1 }, { 77, 2 }, { 0x80000001, 3 } },
	};
	unsigned int i;

	group_fill(&group);
	for (i = 0; i < ARRAY_SIZE(want); i++)
		assert_int_equal(group.owner[i], want[i]);
}

/* Each member's share is within five standard deviations of its weight's; all together are what chance allows. */
static void test_shares(void **state)
{
	static const struct {
		unsigned int n;
		u32 weights[8];
	} cases[] = {
		{ 1, { 7 } }, { 2, { 1, 1 } }, { 2, { 1, 3 } }, { 2, { 256, 1 } }, { 3, { 1, 1, 1 } },
		{ 4, { 1, 2, 3, 4 } }, { 5, { 10, 10, 10, 10, 60 } },
		{ 8, { 1, 1, 1, 1, 1, 1, 1, 1 } }, { 8, { 256, 128, 64, 32, 16, 8, 4, 2 } },
	};
	double share, sum, chi2, sd, off, worst = 0;
	unsigned int c, i, round;
	struct group group;

	for (c = 0; c < ARRAY_SIZE(cases); c++) {
		for (round = 0; round < 20; round++) {
			group.n = cases[c].n;
			for (i = 0, sum = 0; i < group.n; i++) {
				group.members[i] = (struct vpc_hrw_member){ 1 + round * 100 + i, cases[c].weights[i] };
				sum += cases[c].weights[i];
			}
			group_fill(&group);
			for (i = 0, chi2 = 0; i < group.n; i++) {
				share = VPC_GROUP_BUCKETS * cases[c].weights[i] / sum;
				sd = sqrt(share * (1 - cases[c].weights[i] / sum));
				off = group_count(&group, group.members[i].nexthop) - share;
				assert_true(fabs(off) <= 5 * sd);
				chi2 += off * off / share;
				worst = fmax(worst, fabs(off) / VPC_GROUP_BUCKETS);
			}
			assert_true(chi2 <= 40);
		}
	}
	/* Of all flows. */
	print_message("farthest from its weight's share: %.1f%% of the flows\n", 100 * worst);
	assert_true(worst <= 0.03);
}

static void test_lost_and_back(void **state)
{
	static const unsigned int sizes[] = { 2, 3, 8, 32, 128 };
	struct group all, less;
	unsigned int s, lost, i;

	for (s = 0; s < ARRAY_SIZE(sizes); s++) {
		all = group_make(100, sizes[s], 1);
		for (lost = 0; lost < sizes[s]; lost += 1 + sizes[s] / 8) {
			less = all;
			group_remove(&less, lost);
			for (i = 0; i < VPC_GROUP_BUCKETS; i++) {
				if (all.owner[i] == 100 + lost)
					assert_int_not_equal(less.owner[i], 100 + lost);
				else
					assert_int_equal(less.owner[i], all.owner[i]);
			}
			less = group_make(100, sizes[s], 1);
			assert_memory_equal(less.owner, all.owner, sizeof(all.owner));
		}
	}
}

static void test_grow(void **state)
{
	struct group group = group_make(1, 1, 1), next;
	unsigned int n, i, moved;

	for (n = 2; n <= 16; n++) {
		next = group_make(1, n, 1);
		for (i = 0, moved = 0; i < VPC_GROUP_BUCKETS; i++) {
			moved += next.owner[i] != group.owner[i];
			assert_true(next.owner[i] == group.owner[i] || next.owner[i] == n);
		}
		/* About one in n. */
		assert_in_range(moved, VPC_GROUP_BUCKETS * 8 / 10 / n, VPC_GROUP_BUCKETS * 12 / 10 / n);
		group = next;
	}
}

/* More weight only takes, less only gives; what is not that member's stays where it is. */
static void test_weight(void **state)
{
	static const u32 weights[] = { 1, 2, 3, 10, 100, 256 };
	struct group light, heavy;
	unsigned int w, i, gained;

	for (w = 0; w + 1 < ARRAY_SIZE(weights); w++) {
		light = group_make(1000, 5, 10);
		heavy = light;
		light.members[2].weight = weights[w];
		heavy.members[2].weight = weights[w + 1];
		group_fill(&light);
		group_fill(&heavy);
		for (i = 0, gained = 0; i < VPC_GROUP_BUCKETS; i++) {
			if (light.owner[i] != heavy.owner[i]) {
				assert_int_equal(heavy.owner[i], 1002);
				gained++;
			}
		}
		assert_int_equal(gained, group_count(&heavy, 1002) - group_count(&light, 1002));
	}
	/* Only their proportion counts. */
	light = group_make(7, 6, 1);
	heavy = group_make(7, 6, 256);
	assert_memory_equal(light.owner, heavy.owner, sizeof(light.owner));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_oracle),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_lost_and_back),
		cmocka_unit_test(test_grow),
		cmocka_unit_test(test_weight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
