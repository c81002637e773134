// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the KUnit suites share. See rig.h.
 */
#include "rig.h"

#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>

static ulong seed = 1;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "what the random numbers start from");

static struct rnd_state rig_random;

/* -- randomness ---------------------------------------------------------------------------------------------------- */

void rig_seed(void)
{
	prandom_seed_state(&rig_random, seed);
}

u32 rig_below(u32 n)
{
	return prandom_u32_state(&rig_random) % n;
}

void rig_bytes(void *p, size_t n)
{
	prandom_bytes_state(&rig_random, p, n);
}

/* -- the oracle ---------------------------------------------------------------------------------------------------- */

static void rig_addr_set(u8 *addr, unsigned int i, bool bit)
{
	u8 mask = 0x80 >> (i % 8);

	addr[i / 8] = bit ? addr[i / 8] | mask : addr[i / 8] & ~mask;
}

void rig_addr_fill(u8 *addr, unsigned int from, unsigned int to, bool bit)
{
	for (; from < to; from++)
		rig_addr_set(addr, from, bit);
}

static bool rig_covers(const struct rig_route *route, const u8 *addr)
{
	unsigned int bytes = route->plen / 8;

	if (memcmp(route->addr, addr, bytes))
		return false;
	return !(route->plen % 8) || !((route->addr[bytes] ^ addr[bytes]) >> (8 - route->plen % 8));
}

struct rig_list *rig_list_new(struct kunit *test)
{
	struct rig_list *list = kunit_kzalloc(test, sizeof(*list), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, list);
	return list;
}

struct rig_route *rig_list_find(struct rig_list *list, const struct rig_route *route)
{
	struct rig_route *r;

	for (r = list->route; r < list->route + list->n; r++) {
		if (r->table == route->table && r->family == route->family && r->plen == route->plen &&
		    !memcmp(r->addr, route->addr, sizeof(r->addr)))
			return r;
	}
	return NULL;
}

const struct rig_route *rig_list_lookup(const struct rig_list *list, u32 table, u8 family, const u8 *addr)
{
	const struct rig_route *r, *best = NULL;

	for (r = list->route; r < list->route + list->n; r++) {
		if (r->table == table && r->family == family && rig_covers(r, addr) && (!best || r->plen > best->plen))
			best = r;
	}
	return best;
}

u32 rig_list_set(struct rig_list *list, const struct rig_route *route)
{
	struct rig_route *found = rig_list_find(list, route);
	u32 old = 0;

	if (found)
		old = found->value;
	else if (WARN_ON(list->n == RIG_ROUTES_MAX))
		return 0;
	else
		found = &list->route[list->n++];
	*found = *route;
	return old;
}

u32 rig_list_del(struct rig_list *list, const struct rig_route *route)
{
	struct rig_route *found = rig_list_find(list, route);
	u32 old = 0;

	if (found) {
		old = found->value;
		*found = list->route[--list->n];
	}
	return old;
}

void rig_list_shuffle(struct rig_list *list)
{
	unsigned int i, j;

	for (i = list->n; i > 1; i--) {
		j = rig_below(i);
		swap(list->route[i - 1], list->route[j]);
	}
}

static int rig_route_compare(const void *a, const void *b)
{
	const struct rig_route *x = a, *y = b;
	int order;

	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	if (x->family != y->family)
		return x->family - y->family;
	order = memcmp(x->addr, y->addr, sizeof(x->addr));
	return order ? order : x->plen - y->plen;
}

void rig_list_sort(struct rig_list *list)
{
	sort(list->route, list->n, sizeof(list->route[0]), rig_route_compare, NULL);
}

/* Lengths at and next to the ends of strides (4, 10, 16, ..), of words and of keys, or any. */
static u8 rig_plen(unsigned int bits)
{
	int plen;

	switch (rig_below(4)) {
	case 0:
		plen = bits - rig_below(3);
		break;
	case 1:
		plen = 4 + 6 * rig_below(bits / 6) + rig_below(3) - 1;
		break;
	case 2:
		plen = bits / 8 * rig_below(9) + rig_below(3) - 1;
		break;
	default:
		plen = rig_below(bits + 1);
		break;
	}
	return clamp_t(int, plen, 0, bits);
}

struct rig_route rig_route_random(const struct rig_list *list, u8 family, u32 tables)
{
	unsigned int bits = rig_bits(family), keep = 0, i;
	struct rig_route route = { .family = family, .table = rig_below(tables), .value = 1 + rig_below(40) };
	const struct rig_route *near = list->n ? &list->route[rig_below(list->n)] : NULL;

	route.plen = rig_plen(bits);
	if (near && near->family == family && rig_below(8)) {
		memcpy(route.addr, near->addr, sizeof(route.addr));
		keep = near->plen;
		if (keep && rig_below(2))
			keep -= 1 + rig_below(min(keep, 8U));
		if (!rig_below(3))
			route.plen = near->plen;
	}
	for (i = keep; i < bits; i++)
		rig_addr_set(route.addr, i, rig_below(2));
	rig_addr_fill(route.addr, route.plen, 128, false);
	return route;
}

/* -- failing allocations ------------------------------------------------------------------------------------------- */

void rig_fail(unsigned int nth)
{
	WRITE_ONCE(current->fail_nth, nth);
}

bool rig_fail_end(void)
{
	bool failed = !READ_ONCE(current->fail_nth);

	WRITE_ONCE(current->fail_nth, 0);
	return failed;
}

void rig_can_fail(struct kunit *test)
{
	void *p;

	rig_fail(1);
	p = kmalloc(8, GFP_KERNEL);
	kfree(p);
	KUNIT_ASSERT_TRUE_MSG(test, rig_fail_end() && !p, "allocations do not fail on demand: run.sh sets failslab");
}

MODULE_DESCRIPTION("KUnit suites of vpc.ko's tables");
MODULE_LICENSE("GPL");
