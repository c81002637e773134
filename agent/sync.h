/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to do next for one VPC: pure decisions over its HEAD in ZooKeeper and what the kernel has.
 *
 * agent/follow.c asks and acts. Nothing here reads, writes, waits or keeps anything.
 */
#ifndef AGENT_SYNC_H
#define AGENT_SYNC_H

#include "../proto/znode.h"

enum sync_step {
	SYNC_NOTHING, /* same epoch, same digest */
	SYNC_DELTAS, /* l<from>..l<to> on top of what the kernel has */
	SYNC_SNAPSHOT, /* snapshot s<from>, and the deltas behind it up to @to, in one transaction */
	SYNC_REPAIR, /* the same, because the kernel's digest is not that of its epoch */
	SYNC_BACKWARDS, /* HEAD is older than the kernel: refused */
};

struct sync_plan {
	enum sync_step step;
	uint64_t from, to;
};

/**
 * sync_next() - choose the next step
 * @head: checked by sync_head_check()
 * @epoch: the kernel's
 * @digest: the kernel's
 * @distrust: something went wrong with deltas before: build HEAD's epoch whole from the snapshot
 */
struct sync_plan sync_next(const struct vpc_head *head, uint64_t epoch, const struct vpc_digest *digest, bool distrust);

/* A HEAD that is another VPC's, or names more than we read: -EINVAL, the text names the field. */
int sync_head_check(const struct vpc_head *head, uint32_t vni, struct vpc_err *err);
/* A delta that is not the one asked for: -EINVAL, the text names the field. */
int sync_delta_check(const struct vpc_delta *delta, uint32_t vni, uint64_t epoch, struct vpc_err *err);

enum sync_link {
	SYNC_LINK_APPLY, /* leads on from @epoch */
	SYNC_LINK_SKIP, /* @epoch is past it already */
	SYNC_LINK_GAP, /* starts from an epoch that is not ours */
};

/* How @delta stands to a state at @epoch. */
enum sync_link sync_link(uint64_t epoch, const struct vpc_delta *delta);

#endif
