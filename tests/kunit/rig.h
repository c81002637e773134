/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the KUnit suites of this folder share: reproducible randomness, a list of routes as the naive oracle of the
 * tables, and failing allocations. Built into vpc_kunit.ko together with kmod/tables; "make kunit" runs it.
 */
#ifndef VPC_KUNIT_RIG_H
#define VPC_KUNIT_RIG_H

#include <kunit/test.h>
#include <linux/socket.h>
#include <linux/types.h>

#define RIG_ROUTES_MAX	1024

struct rig_route {
	u8 family;
	u8 plen;
	u8 addr[16];		/* no bits beyond plen */
	u32 table;
	u32 value;		/* nexthop id, not 0 */
};

/* The oracle: found by looking at all of them. */
struct rig_list {
	unsigned int n;
	struct rig_route route[RIG_ROUTES_MAX];
};

/* -- randomness: the same numbers in every run; the module's parameter "seed" gives others ------------------------- */

void rig_seed(void);			/* at the begin of each test */
u32 rig_below(u32 n);			/* 0..n-1 */
void rig_bytes(void *p, size_t n);

/* -- the oracle ---------------------------------------------------------------------------------------------------- */

static inline unsigned int rig_bits(u8 family)
{
	return family == AF_INET6 ? 128 : 32;
}

/* Sets the bits from @from up to @to to @bit. */
void rig_addr_fill(u8 *addr, unsigned int from, unsigned int to, bool bit);

/* Freed with the test. */
struct rig_list *rig_list_new(struct kunit *test);
/* The same prefix in the same table, or NULL. */
struct rig_route *rig_list_find(struct rig_list *list, const struct rig_route *route);
/* The longest prefix of @table that covers @addr, or NULL. */
const struct rig_route *rig_list_lookup(const struct rig_list *list, u32 table, u8 family, const u8 *addr);
/* Adds or changes. Return: the value before, 0 when there was none. */
u32 rig_list_set(struct rig_list *list, const struct rig_route *route);
/* Return: the value before, 0 when it was not there. */
u32 rig_list_del(struct rig_list *list, const struct rig_route *route);
void rig_list_shuffle(struct rig_list *list);
/* By table, family, address, length: the order of dumps. */
void rig_list_sort(struct rig_list *list);
/* A random prefix of a table below @tables. Most are near one that is there: above, below, next to it. */
struct rig_route rig_route_random(const struct rig_list *list, u8 family, u32 tables);

/* -- failing allocations ------------------------------------------------------------------------------------------- */

/*
 * Lets the @nth allocation of this task from now on fail, once. It takes /sys/kernel/debug/failslab/ignore-gfp-wait and
 * fail_page_alloc/ignore-gfp-wait to be 0, which run.sh sees to; rig_can_fail() asserts it.
 */
void rig_fail(unsigned int nth);
/* Ends it. Return: whether an allocation failed. */
bool rig_fail_end(void);
void rig_can_fail(struct kunit *test);

#endif
