/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Weighted rendezvous hashing (Thaler, Ravishankar 1998; weights by Mosko's logarithm method): which member of a group
 * has which bucket. Pure: called by group.c when a set of nexthops is sealed, and by unit tests in user space.
 */
#ifndef VPC_HRW_H
#define VPC_HRW_H

#include <linux/types.h>

/*
 * Of a group. With 4096, the share of one of two equal members differs from a half by 1.6% of it (one standard
 * deviation), that of one of n from 1/n by sqrt(n - 1) times as much.
 */
#define VPC_GROUP_BUCKETS	4096

/* A group's member as the data path reads it. */
struct vpc_hrw_member {
	u32 nexthop;
	u32 weight;
};

/**
 * vpc_hrw_owner() - the member that a bucket belongs to
 * @members: ascending by nexthop, weights 1..256
 * @n: how many, at least 1
 * @bucket: its number
 *
 * The same on every host: it depends on ids, weights and @bucket alone. Each member draws a number from (nexthop,
 * bucket) that its weight lifts, the highest wins; so a member that comes takes buckets from the others in proportion
 * to their weights, one that goes gives its own back to where they were, and no bucket moves between two that stay.
 *
 * Return: the place in @members.
 */
unsigned int vpc_hrw_owner(const struct vpc_hrw_member *members, unsigned int n, u32 bucket);

#endif
