// SPDX-License-Identifier: GPL-2.0-only
/*
 * See hrw.h. With u uniform in (0,1), -log(u)/weight is exponentially distributed with rate weight; the smallest of
 * several is a member's with the probability of its share of the weights. Numbers are integers, so that every machine
 * comes to the same result: u in units of 2^-32, its logarithm to base 2 too, by repeated squaring.
 */
#include "hrw.h"

#include <linux/bitops.h>
#include <linux/kernel.h>

/* SplitMix64's finalizer (Steele, Lea, Flood 2014): all bits of the result depend on all bits of both. */
static u32 vpc_hrw_draw(u32 nexthop, u32 bucket)
{
	u64 x = ((u64)nexthop << 32 | bucket) + 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return max((u32)((x ^ x >> 31) >> 32), 1U);
}

/* -log2(@u * 2^-32) in units of 2^-32, rounded up; @u is not 0. At most 2^37. */
static u64 vpc_hrw_log(u32 u)
{
	unsigned int shift = 32 - fls(u);
	u64 m = (u64)u << shift;	/* of 1 to below 2, in units of 2^-31 */
	u64 log = 0;
	int bit;

	for (bit = 31; bit >= 0; bit--) {
		m = m * m >> 31;
		if (m >> 32) {
			log |= BIT_ULL(bit);
			m >>= 1;
		}
	}
	return ((u64)(shift + 1) << 32) - log;
}

/* Not more than vpc_hrw_log(): -log2(1 - x) >= x * log2(e) > x * 23/16. */
static u64 vpc_hrw_log_least(u32 u)
{
	return (BIT_ULL(32) - u) * 23 / 16;
}

unsigned int vpc_hrw_owner(const struct vpc_hrw_member *members, unsigned int n, u32 bucket)
{
	unsigned int i, best = 0;
	u64 log, best_log;
	u32 u;

	best_log = vpc_hrw_log(vpc_hrw_draw(members[0].nexthop, bucket));
	for (i = 1; i < n; i++) {
		u = vpc_hrw_draw(members[i].nexthop, bucket);
		/* Most lose by far: not worth their logarithm. */
		if (vpc_hrw_log_least(u) * members[best].weight >= best_log * members[i].weight)
			continue;
		log = vpc_hrw_log(u);
		if (log * members[best].weight < best_log * members[i].weight) {
			best = i;
			best_log = log;
		}
	}
	return best;
}
