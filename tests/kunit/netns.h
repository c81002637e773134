/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module's state in a network namespace, for the suites that want VPCs: it is the namespace of insmod, its state is
 * made for each test and given up after it.
 */
#ifndef VPC_KUNIT_NETNS_H
#define VPC_KUNIT_NETNS_H

#include <kunit/test.h>
#include "../../kmod/tables/vpc.h"

/* .suite_init and .suite_exit of such a suite. */
int netns_suite_init(struct kunit_suite *suite);
void netns_suite_exit(struct kunit_suite *suite);

/* One empty VPC. 0 or an errno. */
int netns_init(u32 vni, struct vpc_net **ret_vnet, struct vpc **ret_vpc);
/* Its ports are gone; afterwards all that was in there is freed. */
void netns_exit(struct vpc_net *vnet);

#endif
