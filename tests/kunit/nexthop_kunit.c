// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets of nexthops (kmod/tables/nexthop.c, nhset_members.c) against an array: random changes and route references,
 * copies that share, the VTEPs that may send to us, groups and whom their flows go to, and each allocation failing in
 * turn.
 */
#include "rig.h"
#include "../../kmod/tables/nexthop.h"

#include <linux/inet.h>
#include <linux/slab.h>

#define IDS	64		/* ids 1..IDS, so that they meet often */

/* What must be in a set, by id. */
struct model {
	struct vpc_nl_nexthop nexthop[IDS + 1];		/* id 0: not there */
	u32 routes[IDS + 1];
};

static struct vpc_nl_nexthop random_nexthop(void)
{
	static const u8 types[] = { VPC_NEXTHOP_LOCAL, VPC_NEXTHOP_HOST, VPC_NEXTHOP_HOST, VPC_NEXTHOP_GATEWAY,
				    VPC_NEXTHOP_PEER, VPC_NEXTHOP_BLACKHOLE };
	struct vpc_nl_nexthop nh = { .id = 1 + rig_below(IDS), .op = VPC_OP_SET };

	nh.type = types[rig_below(ARRAY_SIZE(types))];
	if (nh.type == VPC_NEXTHOP_HOST || nh.type == VPC_NEXTHOP_GATEWAY) {
		nh.family = AF_INET;
		memcpy(nh.addr, (u8[]){ 192, 0, 2, 1 + rig_below(20) }, 4);
	} else if (nh.type == VPC_NEXTHOP_PEER) {
		nh.vni = 1 + rig_below(5);
		nh.table = 1;
	}
	return nh;
}

static void check_vteps(struct kunit *test, const struct vpc_nhset *set, const struct model *model)
{
	u8 addr[4] = { 192, 0, 2 };
	bool want;
	u32 id;

	for (addr[3] = 1; addr[3] < 30; addr[3]++) {
		want = false;
		for (id = 1; id <= IDS; id++)
			want |= model->nexthop[id].family == AF_INET && !memcmp(model->nexthop[id].addr, addr, 4);
		KUNIT_EXPECT_EQ(test, vpc_nhset_has_vtep(set, AF_INET, addr), want);
	}
}

/* As it is published: a copy, completed with what is missing. */
static void check_sealed(struct kunit *test, const struct vpc_nhset *set, const struct model *model)
{
	struct vpc_nhset *copy = vpc_nhset_copy(set);
	struct vpc_nl_nexthop nh = { .op = VPC_OP_SET, .type = VPC_NEXTHOP_BLACKHOLE }, old;

	KUNIT_ASSERT_NOT_NULL(test, copy);
	while ((nh.id = vpc_nhset_missing(copy)))
		KUNIT_ASSERT_EQ(test, vpc_nhset_set(&copy, &nh, &old), 0);
	KUNIT_EXPECT_EQ(test, vpc_nhset_seal(copy), 0);
	check_vteps(test, copy, model);
	vpc_nhset_put(copy);
}

static void check_set(struct kunit *test, const struct vpc_nhset *set, const struct model *model)
{
	const struct vpc_nexthop *nh;
	u32 id, n = 0, found = 0, missing = 0, pos = 0;

	for (id = 1; id <= IDS; id++) {
		nh = vpc_nhset_lookup(set, id);
		KUNIT_EXPECT_EQ(test, !!nh, !!model->nexthop[id].id);
		if (nh)
			KUNIT_EXPECT_EQ(test, memcmp(&nh->wire, &model->nexthop[id], sizeof(nh->wire)), 0);
		KUNIT_EXPECT_EQ(test, vpc_nhset_routes(set, id), model->routes[id]);
		n += !!model->nexthop[id].id;
		missing += model->routes[id] && !model->nexthop[id].id;
	}
	KUNIT_EXPECT_NULL(test, vpc_nhset_lookup(set, 0));
	KUNIT_EXPECT_NULL(test, vpc_nhset_lookup(set, IDS + 1));
	KUNIT_EXPECT_EQ(test, vpc_nhset_count(set), n);
	while ((nh = vpc_nhset_at(set, &pos))) {
		KUNIT_EXPECT_EQ(test, model->nexthop[nh->wire.id].id, nh->wire.id);
		found++;
	}
	KUNIT_EXPECT_EQ(test, found, n);
	id = vpc_nhset_missing(set);
	KUNIT_EXPECT_EQ(test, !!id, !!missing);
	if (id)
		KUNIT_EXPECT_TRUE(test, model->routes[id] && !model->nexthop[id].id);
}

static void expect_old(struct kunit *test, const struct vpc_nl_nexthop *old, const struct vpc_nl_nexthop *want)
{
	KUNIT_EXPECT_EQ(test, old->id, want->id);
	if (want->id)
		KUNIT_EXPECT_EQ(test, memcmp(old, want, sizeof(*old)), 0);
}

/* One random change of both. Return: what the set said. */
static int change(struct kunit *test, struct vpc_nhset **set, struct model *model)
{
	struct vpc_nl_nexthop nh = random_nexthop(), old = { .id = 12345 };
	u32 what = rig_below(10), id = nh.id;
	int err = 0;

	if (what < 4) {
		err = vpc_nhset_set(set, &nh, &old);
		if (!err) {
			expect_old(test, &old, &model->nexthop[id]);
			model->nexthop[id] = nh;
		}
	} else if (what < 6) {
		err = vpc_nhset_del(*set, id, &old);
		KUNIT_EXPECT_EQ(test, err, model->nexthop[id].id ? 0 : -ENOENT);
		if (!err) {
			expect_old(test, &old, &model->nexthop[id]);
			memset(&model->nexthop[id], 0, sizeof(model->nexthop[id]));
		}
	} else if (what < 8) {
		err = vpc_nhset_ref_route(set, id);
		model->routes[id] += !err;
	} else if (model->routes[id]) {
		vpc_nhset_unref_route(*set, id);
		model->routes[id]--;
	}
	return err;
}

static struct model *model_new(struct kunit *test)
{
	struct model *model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, model);
	return model;
}

static void nexthop_random_changes(struct kunit *test)
{
	struct model *model = model_new(test);
	struct vpc_nhset *set = vpc_nhset_new();
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, set);
	for (i = 0; i < 3000; i++) {
		change(test, &set, model);
		if (i % 50 == 0) {
			check_set(test, set, model);
			check_sealed(test, set, model);
		}
	}
	check_set(test, set, model);
	vpc_nhset_put(set);
}

/* Copies go their own ways, whichever is freed first. */
static void nexthop_copies(struct kunit *test)
{
	struct model *first = model_new(test), *second = model_new(test);
	struct vpc_nhset *set, *copy;
	unsigned int round, i;

	for (round = 0; round < 20; round++) {
		memset(first, 0, sizeof(*first));
		set = vpc_nhset_new();
		KUNIT_ASSERT_NOT_NULL(test, set);
		for (i = 0; i < 10 * round; i++)
			change(test, &set, first);
		copy = vpc_nhset_copy(set);
		KUNIT_ASSERT_NOT_NULL(test, copy);
		KUNIT_EXPECT_LE(test, vpc_nhset_memory(copy), vpc_nhset_memory(set));
		*second = *first;
		for (i = 0; i < 40; i++)
			change(test, &copy, second);
		check_set(test, set, first);
		check_set(test, copy, second);
		if (round % 2)
			swap(set, copy);
		vpc_nhset_put(set);
		check_set(test, copy, round % 2 ? first : second);
		vpc_nhset_put(copy);
	}
}

/* What comes back after all that was added was taken out again is as small as the set was. */
static void nexthop_memory(struct kunit *test)
{
	struct vpc_nhset *set = vpc_nhset_new(), *small;
	struct vpc_nl_nexthop nh, old;
	size_t bytes;
	u32 id;

	KUNIT_ASSERT_NOT_NULL(test, set);
	bytes = vpc_nhset_memory(set);
	for (id = 1; id <= 5000; id++) {
		nh = random_nexthop();
		nh.id = id;
		KUNIT_EXPECT_EQ(test, vpc_nhset_set(&set, &nh, &old), 0);
	}
	KUNIT_EXPECT_GT(test, vpc_nhset_memory(set), bytes + 5000 * sizeof(struct vpc_nexthop));
	for (id = 1; id <= 5000; id++)
		KUNIT_EXPECT_EQ(test, vpc_nhset_del(set, id, &old), 0);
	small = vpc_nhset_copy(set);
	KUNIT_ASSERT_NOT_NULL(test, small);
	KUNIT_EXPECT_EQ(test, vpc_nhset_memory(small), bytes);
	vpc_nhset_put(small);
	vpc_nhset_put(set);
}

/* Whichever allocation fails: the change that meets it has not happened, and nothing leaks. */
static void nexthop_no_memory(struct kunit *test)
{
	struct model *model = model_new(test);
	struct vpc_nhset *set, *copy;
	unsigned int fail, i;
	bool met = true;
	int err;

	rig_can_fail(test);
	for (fail = 1; met; fail++) {
		memset(model, 0, sizeof(*model));
		rig_fail(fail);
		set = vpc_nhset_new();
		for (i = 0; set && i < 120; i++) {
			err = change(test, &set, model);
			if (err == -ENOMEM)
				check_set(test, set, model);
		}
		copy = set ? vpc_nhset_copy(set) : NULL;
		met = rig_fail_end();
		if (set) {
			check_set(test, set, model);
			check_sealed(test, set, model);
			vpc_nhset_put(set);
		}
		if (copy) {
			check_set(test, copy, model);
			vpc_nhset_put(copy);
		}
		KUNIT_EXPECT_TRUE(test, met || (set && copy));
	}
	KUNIT_EXPECT_GT(test, fail, 20);
}

/* -- groups: ids 1..GROUPS, members behind them -------------------------------------------------------------------- */

#define GROUPS	3

struct group_model {
	u16 weight[GROUPS + 1][IDS + 1];	/* 0: not a member */
};

static int member_change(struct kunit *test, struct vpc_nhset **set, struct group_model *model)
{
	struct vpc_nl_member old = { .weight = 12345 }, member = { .group = 1 + rig_below(GROUPS), .op = VPC_OP_SET };
	u16 *weight;
	int err;

	member.nexthop = GROUPS + 1 + rig_below(20);
	weight = &model->weight[member.group][member.nexthop];
	if (rig_below(2)) {
		member.weight = 1 + rig_below(VPC_WEIGHT_MAX);
		err = vpc_nhset_member_set(set, &member, &old);
	} else {
		err = vpc_nhset_member_del(set, member.group, member.nexthop, &old);
		if (err != -ENOMEM)
			KUNIT_EXPECT_EQ(test, err, *weight ? 0 : -ENOENT);
	}
	KUNIT_EXPECT_EQ(test, old.weight, err ? 12345 : *weight);
	if (!err)
		*weight = member.weight;
	return err;
}

static void check_members(struct kunit *test, const struct vpc_nhset *set, const struct group_model *model)
{
	struct vpc_nl_member member;
	u32 group, id, pos = 0, n = 0;

	for (group = 1; group <= GROUPS; group++) {
		for (id = 1; id <= IDS; id++) {
			if (!model->weight[group][id])
				continue;
			n++;
			KUNIT_EXPECT_TRUE(test, vpc_nhset_member_at(set, &pos, &member));
			KUNIT_EXPECT_EQ(test, member.group, group);
			KUNIT_EXPECT_EQ(test, member.nexthop, id);
			KUNIT_EXPECT_EQ(test, member.weight, model->weight[group][id]);
		}
	}
	KUNIT_EXPECT_FALSE(test, vpc_nhset_member_at(set, &pos, &member));
	KUNIT_EXPECT_EQ(test, vpc_nhset_members(set), n);
}

/* Flows of @sealed go to members; where a flow went to @gone, who is no member of @later any more, is another's now. */
static void check_flows(struct kunit *test, const struct vpc_nhset *sealed, const struct vpc_nhset *later,
			const struct group_model *model, u32 gone)
{
	const struct vpc_nexthop *group, *to, *then;
	u32 hash, id, members;

	for (id = 1; id <= GROUPS; id++) {
		group = vpc_nhset_lookup(sealed, id);
		members = vpc_nhset_group_size(sealed, id);
		for (hash = 0; hash < VPC_GROUP_BUCKETS; hash += 3) {
			to = vpc_nhset_member(sealed, group, hash);
			KUNIT_EXPECT_EQ(test, !to, !members);
			if (!to)
				break;
			KUNIT_EXPECT_NE(test, model->weight[id][to->wire.id], 0);
			then = vpc_nhset_member(later, vpc_nhset_lookup(later, id), hash);
			if (to->wire.id != gone)
				KUNIT_EXPECT_PTR_EQ(test, then, to);
			else
				KUNIT_EXPECT_TRUE(test, then ? then->wire.id != gone : members == 1);
		}
	}
}

static struct vpc_nhset *groups_new(struct kunit *test)
{
	struct vpc_nhset *set = vpc_nhset_new();
	struct vpc_nl_nexthop nh = { .op = VPC_OP_SET }, old;

	for (nh.id = 1; set && nh.id <= GROUPS + 20; nh.id++) {
		nh.type = nh.id <= GROUPS ? VPC_NEXTHOP_GROUP : VPC_NEXTHOP_BLACKHOLE;
		KUNIT_EXPECT_EQ(test, vpc_nhset_set(&set, &nh, &old), 0);
	}
	return set;
}

static void nexthop_groups(struct kunit *test)
{
	struct group_model *model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);
	struct vpc_nhset *set = groups_new(test), *sealed, *later;
	struct vpc_nl_member old;
	unsigned int i;
	u32 id, gone;

	KUNIT_ASSERT_NOT_NULL(test, model);
	KUNIT_ASSERT_NOT_NULL(test, set);
	for (i = 0; i < 600; i++) {
		member_change(test, &set, model);
		if (i % 30)
			continue;
		check_members(test, set, model);
		sealed = vpc_nhset_copy(set);
		later = vpc_nhset_copy(set);
		KUNIT_ASSERT_TRUE(test, sealed && later);
		gone = GROUPS + 1 + rig_below(20);
		for (id = 1; id <= GROUPS; id++)
			KUNIT_EXPECT_EQ(test, vpc_nhset_member_del(&later, id, gone, &old),
					model->weight[id][gone] ? 0 : -ENOENT);
		KUNIT_EXPECT_EQ(test, vpc_nhset_seal(sealed), 0);
		KUNIT_EXPECT_EQ(test, vpc_nhset_seal(later), 0);
		check_flows(test, sealed, later, model, gone);
		vpc_nhset_put(sealed);
		vpc_nhset_put(later);
	}
	vpc_nhset_put(set);
}

static void nexthop_groups_no_memory(struct kunit *test)
{
	struct group_model *model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);
	struct vpc_nhset *set;
	unsigned int fail, i;
	bool met = true;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, model);
	rig_can_fail(test);
	for (fail = 1; met; fail++) {
		memset(model, 0, sizeof(*model));
		set = groups_new(test);
		KUNIT_ASSERT_NOT_NULL(test, set);
		rig_fail(fail);
		for (i = 0; i < 60; i++) {
			err = member_change(test, &set, model);
			if (err == -ENOMEM)
				check_members(test, set, model);
		}
		err = vpc_nhset_seal(set);
		met = rig_fail_end();
		KUNIT_EXPECT_TRUE(test, !err || (met && err == -ENOMEM));
		if (err)
			KUNIT_EXPECT_EQ(test, vpc_nhset_seal(set), 0);
		check_members(test, set, model);
		check_flows(test, set, set, model, 0);
		vpc_nhset_put(set);
	}
	KUNIT_EXPECT_GT(test, fail, 10);
}

static int nexthop_suite_init(struct kunit_suite *suite)
{
	vpc_nhset_init();
	return 0;
}

static int nexthop_test_init(struct kunit *test)
{
	rig_seed();
	return 0;
}

static struct kunit_case nexthop_cases[] = {
	KUNIT_CASE(nexthop_random_changes),
	KUNIT_CASE(nexthop_copies),
	KUNIT_CASE(nexthop_memory),
	KUNIT_CASE(nexthop_no_memory),
	KUNIT_CASE(nexthop_groups),
	KUNIT_CASE(nexthop_groups_no_memory),
	{}
};

static struct kunit_suite nexthop_suite = {
	.name = "vpc_nexthop",
	.suite_init = nexthop_suite_init,
	.init = nexthop_test_init,
	.test_cases = nexthop_cases,
};

kunit_test_suite(nexthop_suite);
