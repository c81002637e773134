// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of recent.h: small enough for a cache, too large for a module's static per-CPU variables.
 */
#include "recent.h"

struct vpc_recents __percpu *vpc_recents;

int vpc_recent_init(void)
{
	vpc_recents = __alloc_percpu(sizeof(*vpc_recents), __alignof__(*vpc_recents));
	return vpc_recents ? 0 : -ENOMEM;
}

void vpc_recent_exit(void)
{
	free_percpu(vpc_recents);
	vpc_recents = NULL;
}
