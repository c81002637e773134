/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the `vpcctl kernel` commands share. They ask this host's kernel and never CDB, so they work while all else is
 * away.
 */
#ifndef VPC_KERNEL_CTL_H
#define VPC_KERNEL_CTL_H

#include "../lib/kernel.h"
#include "ctl.h"

/* Reads the arguments, which must have a CTL_WORD "netns" that sets *@netns, and opens the kernel's socket there. */
int kernel_ctl_open(struct ctl *ctl, struct ctl_arg *args, size_t n, int argc, char **argv, const char *const *netns,
		    struct kernel **ret_kernel);

int cmd_kernel_route(struct ctl *ctl, int argc, char **argv); /* kernel_route_cmd.c */
int cmd_kernel_nexthop(struct ctl *ctl, int argc, char **argv);
int cmd_kernel_explain(struct ctl *ctl, int argc, char **argv); /* kernel_explain_cmd.c */
int cmd_kernel_stats(struct ctl *ctl, int argc, char **argv); /* kernel_stats_cmd.c */
int cmd_kernel_save(struct ctl *ctl, int argc, char **argv); /* kernel_state_cmd.c */
int cmd_kernel_restore(struct ctl *ctl, int argc, char **argv);
int cmd_kernel_swap(struct ctl *ctl, int argc, char **argv); /* kernel_swap_cmd.c */

#endif
