// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transactions on the VPCs of a real network namespace (kmod/tables/txn.c, vpc.c) against a list: what is committed is
 * there at once and whole, what is refused or fails changes nothing, snapshots stay, and nothing leaks, whichever
 * allocation fails.
 */
#include "netns.h"
#include "rig.h"
#include "../../kmod/tables/digest.h"
#include "../../kmod/tables/txn.h"
#include "../../kmod/tables/vpc.h"

#include <linux/sched.h>

#define VNI	77
#define OWNER	1
#define TABLES	3
#define NEXTHOPS 40		/* as rig_route_random() gives them */

/* One VPC, and what must be in it. */
struct world {
	struct kunit *test;
	struct vpc_net *vnet;
	struct vpc *vpc;
	u64 epoch;
	struct rig_list *list;		/* of the current version */
	struct rig_list *next;		/* of the open transaction */
};

static void lock(struct world *world)
{
	mutex_lock(&world->vnet->lock);
}

static void unlock(struct world *world)
{
	mutex_unlock(&world->vnet->lock);
}

static struct vpc_nl_nexthop txn_nexthop(u32 id, u8 last)
{
	return (struct vpc_nl_nexthop){ .id = id, .op = VPC_OP_SET, .type = VPC_NEXTHOP_HOST, .family = AF_INET,
					.addr = { 192, 0, 2, last } };
}

/* -- comparing ----------------------------------------------------------------------------------------------------- */

static int check_count(const u8 *addr, u8 plen, u32 value, void *arg)
{
	(*(unsigned int *)arg)++;
	return 0;
}

/* A version has what the list has, its digest is that of its content, and its accounts are right. */
static void check_version(struct kunit *test, const struct vpc_version *version, struct rig_list *list)
{
	struct vpc_trie_cursor cursor;
	const struct vpc_table *table;
	struct vpc_digest digest;
	struct rig_route *route;
	unsigned int i, n = 0;
	size_t bytes = 0;
	u64 routes;
	u32 faults;

	KUNIT_EXPECT_EQ(test, version->n_routes, list->n);
	for (i = 0; i < list->n; i++) {
		route = &list->route[i];
		table = vpc_version_table(version, route->table);
		KUNIT_EXPECT_NOT_NULL(test, table);
		if (!table)
			continue;
		KUNIT_EXPECT_EQ(test, vpc_trie_lookup_exact(vpc_table_trie(table, route->family), route->addr,
							    route->plen), route->value);
		KUNIT_EXPECT_NOT_NULL(test, vpc_nhset_lookup(version->nexthops, route->value));
	}
	for (i = 0; i < 2 * version->n_tables; i++) {
		memset(&cursor, 0, sizeof(cursor));
		vpc_trie_walk(&version->tables[i / 2].trie[i % 2], &cursor, check_count, &n);
		bytes += vpc_trie_memory(&version->tables[i / 2].trie[i % 2]);
	}
	KUNIT_EXPECT_EQ(test, n, list->n);
	KUNIT_EXPECT_EQ(test, bytes, version->trie_memory);
	vpc_version_verify(version, &digest, &routes, &faults);
	KUNIT_EXPECT_EQ(test, faults, 0);
	KUNIT_EXPECT_TRUE(test, vpc_digest_equal(&digest, &version->digest));
	KUNIT_EXPECT_EQ(test, routes, list->n);
}

static struct vpc_version *current_version(struct world *world)
{
	struct vpc_version *version;

	lock(world);
	version = vpc_version_get_current(world->vpc);
	unlock(world);
	return version;
}

static void check_world(struct world *world)
{
	struct vpc_version *version = current_version(world);

	KUNIT_EXPECT_EQ(world->test, version->epoch, world->epoch);
	check_version(world->test, version, world->list);
	vpc_version_put(version);
	KUNIT_EXPECT_EQ(world->test, world->vnet->n_txns, 0);
}

/* -- changing ------------------------------------------------------------------------------------------------------ */

/* The next list starts as the transaction does. */
static int begin(struct world *world, enum vpc_txn_mode mode, struct vpc_txn **ret_txn)
{
	int err;

	lock(world);
	err = vpc_txn_begin(world->vpc, OWNER, mode, mode == VPC_TXN_DELTA ? &world->epoch : NULL, NULL, ret_txn);
	unlock(world);
	if (err)
		return err;
	if (mode == VPC_TXN_DELTA)
		*world->next = *world->list;
	else
		world->next->n = 0;
	return 0;
}

static void abort_txn(struct world *world, struct vpc_txn *txn)
{
	lock(world);
	vpc_txn_abort(txn);
	unlock(world);
}

static int route_set(struct world *world, struct vpc_txn *txn, const struct rig_route *r)
{
	int err;

	lock(world);
	err = vpc_txn_route(txn, VPC_OP_SET, r->table, r->family, r->addr, r->plen, r->value, NULL);
	unlock(world);
	if (!err)
		rig_list_set(world->next, r);
	return err;
}

static int route_del(struct world *world, struct vpc_txn *txn, const struct rig_route *r)
{
	int err;

	lock(world);
	err = vpc_txn_route(txn, VPC_OP_DEL, r->table, r->family, r->addr, r->plen, 0, NULL);
	unlock(world);
	if (!err)
		KUNIT_EXPECT_NE(world->test, rig_list_del(world->next, r), 0);
	return err;
}

static int nexthop_op(struct world *world, struct vpc_txn *txn, const struct vpc_nl_nexthop *nh)
{
	int err;

	lock(world);
	err = vpc_txn_nexthop(txn, nh, NULL);
	unlock(world);
	return err;
}

/* All the ids that routes may name, with random VTEPs. */
static int nexthops_set(struct world *world, struct vpc_txn *txn)
{
	struct vpc_nl_nexthop nh;
	int err = 0;
	u32 id;

	for (id = 1; !err && id <= NEXTHOPS; id++) {
		nh = txn_nexthop(id, 1 + rig_below(200));
		err = nexthop_op(world, txn, &nh);
	}
	return err;
}

static int change(struct world *world, struct vpc_txn *txn)
{
	struct rig_route route = rig_route_random(world->next, rig_below(2) ? AF_INET : AF_INET6, TABLES);
	struct vpc_nl_nexthop nh = txn_nexthop(1 + rig_below(NEXTHOPS), 1 + rig_below(200));
	u32 what = rig_below(10);

	if (what == 0)
		return nexthop_op(world, txn, &nh);
	if (what < 4 && world->next->n) {
		route = world->next->route[rig_below(world->next->n)];
		return route_del(world, txn, &route);
	}
	return route_set(world, txn, &route);
}

static int commit(struct world *world, struct vpc_txn *txn, u64 epoch, const struct vpc_digest *digest)
{
	const struct vpc_version *version;
	int err;

	lock(world);
	err = vpc_txn_commit(txn, epoch, digest, NULL, &version);
	unlock(world);
	if (err)
		return err;
	world->epoch = epoch;
	*world->list = *world->next;
	return 0;
}

/* Nexthops and @n random routes. */
static void fill(struct world *world, unsigned int n)
{
	struct vpc_txn *txn;

	KUNIT_ASSERT_EQ(world->test, begin(world, VPC_TXN_REPLACE, &txn), 0);
	KUNIT_ASSERT_EQ(world->test, nexthops_set(world, txn), 0);
	while (n--)
		KUNIT_EXPECT_EQ(world->test, change(world, txn), 0);
	KUNIT_ASSERT_EQ(world->test, commit(world, txn, world->epoch + 1, NULL), 0);
}

/* -- tests --------------------------------------------------------------------------------------------------------- */

/* Deltas and replacements, committed and aborted, with snapshots held meanwhile. */
static void txn_random(struct kunit *test)
{
	struct rig_list *old = rig_list_new(test);
	struct world *world = test->priv;
	struct vpc_version *snapshot;
	struct vpc_txn *txn;
	unsigned int i, n;

	fill(world, 100);
	snapshot = current_version(world);
	*old = *world->list;
	for (i = 0; i < 120; i++) {
		if (i % 10 == 9) {
			fill(world, 100);
		} else {
			KUNIT_ASSERT_EQ(test, begin(world, VPC_TXN_DELTA, &txn), 0);
			for (n = rig_below(20); n; n--)
				KUNIT_EXPECT_EQ(test, change(world, txn), 0);
			if (rig_below(3))
				KUNIT_EXPECT_EQ(test, commit(world, txn, world->epoch + rig_below(3), NULL), 0);
			else
				abort_txn(world, txn);
		}
		check_world(world);
		if (i % 7 == 6) {
			check_version(test, snapshot, old);
			vpc_version_put(snapshot);
			snapshot = current_version(world);
			*old = *world->list;
		}
	}
	check_version(test, snapshot, old);
	vpc_version_put(snapshot);
}

/* Refused, and as it was before. */
static void txn_refusals(struct kunit *test)
{
	struct vpc_nl_nexthop nh = { .id = NEXTHOPS + 1, .op = VPC_OP_DEL };
	struct world *world = test->priv;
	struct vpc_digest wrong = { { 1, 2 } };
	struct rig_route route;
	struct vpc_txn *txn, *other;
	u64 stale;

	fill(world, 50);
	stale = world->epoch - 1;
	lock(world);
	KUNIT_EXPECT_EQ(test, vpc_txn_begin(world->vpc, OWNER, VPC_TXN_DELTA, NULL, NULL, &txn), -EINVAL);
	KUNIT_EXPECT_EQ(test, vpc_txn_begin(world->vpc, OWNER, VPC_TXN_DELTA, &stale, NULL, &txn), -ESTALE);
	unlock(world);

	/* a digest that is another one */
	KUNIT_ASSERT_EQ(test, begin(world, VPC_TXN_DELTA, &txn), 0);
	KUNIT_EXPECT_EQ(test, commit(world, txn, world->epoch + 1, &wrong), -EBADMSG);
	check_world(world);

	/* an epoch that goes back */
	KUNIT_ASSERT_EQ(test, begin(world, VPC_TXN_DELTA, &txn), 0);
	KUNIT_EXPECT_EQ(test, commit(world, txn, world->epoch - 1, NULL), -EINVAL);
	check_world(world);

	/* a route to nothing */
	KUNIT_ASSERT_EQ(test, begin(world, VPC_TXN_DELTA, &txn), 0);
	route = rig_route_random(world->next, AF_INET, TABLES);
	route.value = NEXTHOPS + 1;
	KUNIT_EXPECT_EQ(test, route_set(world, txn, &route), 0);
	KUNIT_EXPECT_EQ(test, commit(world, txn, world->epoch + 1, NULL), -EINVAL);
	check_world(world);

	/* what is not there cannot go, and then only abort is left */
	KUNIT_ASSERT_EQ(test, begin(world, VPC_TXN_DELTA, &txn), 0);
	KUNIT_EXPECT_EQ(test, nexthop_op(world, txn, &nh), -ENOENT);
	KUNIT_EXPECT_EQ(test, change(world, txn), -ECANCELED);
	KUNIT_EXPECT_EQ(test, commit(world, txn, world->epoch + 1, NULL), -ECANCELED);
	check_world(world);

	/* what routes go to cannot go */
	KUNIT_ASSERT_EQ(test, begin(world, VPC_TXN_DELTA, &txn), 0);
	nh.id = world->list->route[0].value;
	KUNIT_EXPECT_EQ(test, nexthop_op(world, txn, &nh), 0);
	KUNIT_EXPECT_EQ(test, commit(world, txn, world->epoch + 1, NULL), -EBUSY);
	check_world(world);

	/* the second of two on the same base */
	KUNIT_ASSERT_EQ(test, begin(world, VPC_TXN_DELTA, &other), 0);
	KUNIT_EXPECT_EQ(test, change(world, other), 0);
	KUNIT_ASSERT_EQ(test, begin(world, VPC_TXN_DELTA, &txn), 0);
	KUNIT_EXPECT_EQ(test, change(world, txn), 0);
	KUNIT_EXPECT_EQ(test, commit(world, txn, world->epoch + 1, NULL), 0);
	KUNIT_EXPECT_EQ(test, commit(world, other, world->epoch + 1, NULL), -ESTALE);
	check_world(world);
}

static void txn_quota(struct kunit *test)
{
	struct world *world = test->priv;
	struct rig_route route;
	struct vpc_txn *txn;
	int err = 0;

	fill(world, 20);
	world->vpc->quota = 16384;
	KUNIT_ASSERT_EQ(test, begin(world, VPC_TXN_DELTA, &txn), 0);
	while (!err && world->next->n < RIG_ROUTES_MAX) {
		route = rig_route_random(world->next, AF_INET6, TABLES);
		err = route_set(world, txn, &route);
	}
	KUNIT_EXPECT_EQ(test, err, -EDQUOT);
	KUNIT_EXPECT_EQ(test, commit(world, txn, world->epoch + 1, NULL), -ECANCELED);
	check_world(world);
}

/* Deleting the VPC gives up what is open on it; a snapshot outlives it. */
static void txn_delete_vpc(struct kunit *test)
{
	struct world *world = test->priv;
	struct vpc_version *snapshot;
	struct vpc_txn *txn;
	unsigned int i;

	fill(world, 200);
	snapshot = current_version(world);
	KUNIT_ASSERT_EQ(test, begin(world, VPC_TXN_DELTA, &txn), 0);
	for (i = 0; i < 50; i++)
		KUNIT_EXPECT_EQ(test, change(world, txn), 0);
	lock(world);
	KUNIT_EXPECT_EQ(test, vpc_del(world->vpc), 0);
	KUNIT_EXPECT_EQ(test, world->vnet->n_txns, 0);
	KUNIT_EXPECT_NULL(test, vpc_lookup(world->vnet, VNI));
	unlock(world);
	vpc_tables_flush();
	check_version(test, snapshot, world->list);
	vpc_version_put(snapshot);
}

/*
 * One allocation fails, whichever it is: the transaction is refused, the version before stays, and the next try with
 * memory gets through. @mode of both kinds.
 */
static void txn_no_memory_in(struct world *world, enum vpc_txn_mode mode)
{
	unsigned int fail, i;
	struct vpc_txn *txn;
	bool met = true;
	int err;

	for (fail = 1; met; fail++) {
		rig_fail(fail);
		err = begin(world, mode, &txn);
		if (!err) {
			if (mode == VPC_TXN_REPLACE)
				err = nexthops_set(world, txn);
			for (i = 0; !err && i < 15; i++)
				err = change(world, txn);
			if (err)
				abort_txn(world, txn);
			else
				err = commit(world, txn, world->epoch + 1, NULL);
		}
		met = rig_fail_end();
		KUNIT_EXPECT_TRUE_MSG(world->test, !err || (met && err == -ENOMEM), "allocation %u: %d", fail, err);
		check_world(world);
	}
	KUNIT_EXPECT_GT(world->test, fail, 20);
}

static void txn_no_memory(struct kunit *test)
{
	struct world *world = test->priv;

	rig_can_fail(test);
	fill(world, 60);
	txn_no_memory_in(world, VPC_TXN_DELTA);
	txn_no_memory_in(world, VPC_TXN_REPLACE);
}

static void txn_no_memory_for_vpc(struct kunit *test)
{
	struct world *world = test->priv;
	unsigned int fail;
	struct vpc *vpc;
	bool met = true;
	int err;

	rig_can_fail(test);
	for (fail = 1; met; fail++) {
		lock(world);
		rig_fail(fail);
		err = vpc_new(world->vnet, VNI + 1, 0, &vpc);
		met = rig_fail_end();
		if (!err)
			err = vpc_del(vpc);
		KUNIT_EXPECT_NULL(test, vpc_lookup(world->vnet, VNI + 1));
		unlock(world);
		KUNIT_EXPECT_TRUE_MSG(test, !err || (met && err == -ENOMEM), "allocation %u: %d", fail, err);
	}
	KUNIT_EXPECT_GT(test, fail, 3);
}

/* -- the suite ----------------------------------------------------------------------------------------------------- */

static int txn_test_init(struct kunit *test)
{
	struct world *world = kunit_kzalloc(test, sizeof(*world), GFP_KERNEL);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, world);
	rig_seed();
	world->test = test;
	world->list = rig_list_new(test);
	world->next = rig_list_new(test);
	err = netns_init(VNI, &world->vnet, &world->vpc);
	if (err)
		return err;
	test->priv = world;
	return 0;
}

static void txn_test_exit(struct kunit *test)
{
	struct world *world = test->priv;

	if (world)
		netns_exit(world->vnet);
}

static struct kunit_case txn_cases[] = {
	KUNIT_CASE(txn_random),
	KUNIT_CASE(txn_refusals),
	KUNIT_CASE(txn_quota),
	KUNIT_CASE(txn_delete_vpc),
	KUNIT_CASE(txn_no_memory),
	KUNIT_CASE(txn_no_memory_for_vpc),
	{}
};

static struct kunit_suite txn_suite = {
	.name = "vpc_txn",
	.suite_init = netns_suite_init,
	.suite_exit = netns_suite_exit,
	.init = txn_test_init,
	.exit = txn_test_exit,
	.test_cases = txn_cases,
};

kunit_test_suite(txn_suite);
