// SPDX-License-Identifier: Apache-2.0
/*
 * What to do next for one VPC; see sync.h.
 */
#include "sync.h"

#include <errno.h>
#include <inttypes.h>
#include "../lib/digest.h"

struct sync_plan sync_next(const struct vpc_head *head, uint64_t epoch, const struct vpc_digest *digest, bool distrust)
{
	struct sync_plan plan = { .step = SYNC_NOTHING, .from = head->snapshot, .to = head->epoch };

	if (epoch > head->epoch) {
		plan.step = SYNC_BACKWARDS;
	} else if (epoch == head->epoch) {
		if (!vpc_digest_equal(digest, &head->digest))
			plan.step = SYNC_REPAIR;
	} else if (distrust) {
		plan.step = SYNC_SNAPSHOT;
	} else if (epoch + 1 >= head->oldest) {
		plan.step = SYNC_DELTAS;
		plan.from = epoch + 1;
	} else {
		plan.step = SYNC_SNAPSHOT;
		/* The deltas behind it then take the ordinary way. */
		if (epoch < head->snapshot)
			plan.to = head->snapshot;
	}
	return plan;
}

int sync_head_check(const struct vpc_head *head, uint32_t vni, struct vpc_err *err)
{
	if (head->vni != vni)
		return vpc_err_set(err, -EINVAL, "vni: %u where %u belongs", head->vni, vni);
	if (head->chunks > VPC_ZNODE_CHUNKS_MAX)
		return vpc_err_set(err, -EINVAL, "chunks: %u, more than %u", head->chunks, VPC_ZNODE_CHUNKS_MAX);
	return 0;
}

int sync_delta_check(const struct vpc_delta *delta, uint32_t vni, uint64_t epoch, struct vpc_err *err)
{
	if (delta->vni != vni)
		return vpc_err_set(err, -EINVAL, "vni: %u where %u belongs", delta->vni, vni);
	if (delta->epoch != epoch)
		return vpc_err_set(err, -EINVAL, "epoch: %" PRIu64 " where %" PRIu64 " belongs", delta->epoch, epoch);
	if (delta->base >= delta->epoch)
		return vpc_err_set(err, -EINVAL, "base: %" PRIu64 " is not before epoch %" PRIu64, delta->base,
				   delta->epoch);
	return 0;
}

enum sync_link sync_link(uint64_t epoch, const struct vpc_delta *delta)
{
	if (delta->epoch <= epoch)
		return SYNC_LINK_SKIP;
	return delta->base == epoch ? SYNC_LINK_APPLY : SYNC_LINK_GAP;
}
