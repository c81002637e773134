// SPDX-License-Identifier: Apache-2.0
/*
 * Making one VPC in the kernel what a state says; see install.h.
 */
#include "install.h"

#include <errno.h>
#include <stdio.h>
#include "../lib/diff.h"
#include "../lib/util.h"
#include "metrics.h"

static int replace(struct kernel *kernel, const struct kernel_vpc *have, const struct vpc_state *want,
		   const char *change, size_t *ret_changes, struct vpc_err *err)
{
	int res;

	res = METER_KERNEL("install", replace, kernel, want, &have->epoch, change, err);
	if (!res)
		*ret_changes = want->n_nexthops + want->n_members + want->n_routes;
	return res;
}

int install_state(struct kernel *kernel, struct kernel *dump, const struct kernel_vpc *have,
		  const struct vpc_state *want, const char *change, size_t *ret_changes, struct vpc_err *err)
{
	_cleanup_(vpc_delta_clear) struct vpc_delta delta;
	_cleanup_(vpc_state_clear) struct vpc_state now;
	int res;

	vpc_delta_init(&delta, want->vni);
	vpc_state_init(&now, want->vni);
	if (!have->n_routes && !have->n_nexthops && !have->n_members)
		return replace(kernel, have, want, change, ret_changes, err);
	res = METER_KERNEL("install", dump, dump, want->vni, &now, err);
	if (res)
		return res;
	if (now.epoch != have->epoch)
		return vpc_err_set(err, -ESTALE, "VPC %u changed while it was compared", want->vni);
	res = vpc_diff_to_delta(want, &now, &delta);
	if (res)
		return vpc_err_set(err, res, "VPC %u: out of memory", want->vni);
	snprintf(delta.change, sizeof(delta.change), "%s", change);
	res = METER_KERNEL("install", apply, kernel, &delta, 1, err);
	/*
	 * The elements are right and the digest is not: the kernel's running sum is what was wrong. It starts afresh.
	 */
	if (res == -EBADMSG)
		return replace(kernel, have, want, change, ret_changes, err);
	if (!res)
		*ret_changes = delta.n_nexthops + delta.n_members + delta.n_routes;
	return res;
}
