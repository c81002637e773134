/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Following VPCs: for each that this host needs, HEAD is watched and the kernel brought to its epoch.
 *
 * agent/hostports.c says which VPCs; a VPC's way is HEAD -> sync_next() -> deltas one by one, or a snapshot
 * (agent/load.c, agent/install.c). Whatever fails leaves the kernel's version standing and is tried again with
 * backoff.
 */
#ifndef AGENT_FOLLOW_H
#define AGENT_FOLLOW_H

#include "../proto/znode.h"
#include "agent.h"

/* NULL: out of memory. */
struct follows *follows_new(struct agent *a);
void follows_free(struct follows *fs);

/*
 * `ports` was read: exactly these VPCs (ascending) are followed from now on; those that go are only forgotten here.
 * -ENOMEM.
 */
int follows_want(struct follows *fs, const uint32_t *vnis, size_t n);
/* ZooKeeper is (back) there: nothing is settled until its HEAD was read again. */
void follows_unsettle(struct follows *fs);
/* The module is gone, and what it had with it. */
void follows_kernel_gone(struct follows *fs);
/* The module is (back) there, or told something that was lost: compare all again. */
void follows_step_all(struct follows *fs);

/*
 * Somebody says that the kernel's VPC at @epoch is not as published: compare it with HEAD now. -ENOENT: not followed;
 * -ESTALE: it is at another epoch; -ENODEV, -ENOTCONN, -EAGAIN: kernel, ZooKeeper, HEAD is not there. 0: it has begun.
 */
int follows_resync(struct follows *fs, uint32_t vni, uint64_t epoch, struct vpc_err *err);

uint64_t follows_head_epoch(const struct follows *fs, uint32_t vni); /* UINT64_MAX: not known */
bool follows_wanted(const struct follows *fs, uint32_t vni);
/*
 * Whether ports may be put into the VPC, or changed: the kernel has been at the HEAD that was read after `ports`, or is
 * past it. What it had before may be another VPC's that had this VNI, or lack the table that a port is to use. If that
 * HEAD was not read yet it is now; agent_vpc_ready() tells when it is worth asking again.
 */
bool follows_ready(struct follows *fs, uint32_t vni);
size_t follows_count(const struct follows *fs);
size_t follows_unsettled(const struct follows *fs); /* HEAD not read, or not reached, and no reason given */
size_t follows_failing(const struct follows *fs); /* not at HEAD, with a reason in the log */

/**
 * struct follow_info - where one VPC stands
 * @known: @epoch is what the kernel has; @has_head: @head is ZooKeeper's
 * @behind_us: for how long it has not been at HEAD; 0: it is there
 * @reason: why, as in the log; NULL: nothing is wrong
 * @have: what the kernel has, when @known
 */
struct follow_info {
	uint32_t vni;
	bool known, has_head;
	uint64_t epoch, head, behind_us;
	const char *reason;
	const struct kernel_vpc *have;
};

/* Calls @fn for each VPC, ascending. */
void follows_each(const struct follows *fs, void (*fn)(const struct follow_info *info, void *arg), void *arg);

/* What the kernel has, as far as known, ascending; room for follows_count(). Returns how many. */
size_t follows_status(const struct follows *fs, struct vpc_status_vpc *ret_vpcs);

#endif
