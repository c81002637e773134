/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One followed VPC, as agent/follow.c (the set, HEAD, what next) and agent/catchup.c (the work) both know it.
 *
 * Work goes on for one VPC at a time in one phase; whatever ends it calls follow_rest() or follow_fail(), or steps
 * again.
 */
#ifndef AGENT_FOLLOW_PRIV_H
#define AGENT_FOLLOW_PRIV_H

#include "backoff.h"
#include "fetch.h"
#include "follow.h"
#include "load.h"
#include "sync.h"
#include "watch.h"

enum follow_phase {
	FOLLOW_IDLE,
	FOLLOW_QUEUED, /* waits for its turn at a gate */
	FOLLOW_DELTAS, /* reads and applies deltas */
	FOLLOW_SNAPSHOT, /* reads a snapshot */
	FOLLOW_RETRY, /* failed, the timer runs */
};

/**
 * struct follow - one VPC
 * @have: what the kernel has of it; @have_known: whether that was read since the link came up
 * @head_text: HEAD as it was read, for the deltas in it; NULL: they are not known. Its own copy is @head_kept, which is
 *             there while work on the VPC goes on
 * @committed: @have is what we have just committed, and need not be asked for
 * @head_version: znode version of @head
 * @head_seen_ms: when it was read for the first time, for the status
 * @head_reason: what is wrong with HEAD as it was last read (@head is the last good one), owned; NULL: nothing
 * @bad_version: znode version of a HEAD that was refused for its epoch, -1: none
 * @missed_version: @head_version when a node behind it was found gone, -1: none
 * @asked: HEAD is or was read after `ports`
 * @goal: epoch of the first HEAD that was, when @has_goal; later ones do not move it, lest ports wait for ever
 * @ready: the kernel came to @goal by what was published
 * @distrust: deltas failed: build HEAD's epoch whole
 * @behind_since_us: when HEAD was first seen past the kernel's epoch; 0: it is reached
 * @reason: of @failing, owned
 * @counted: it is in the set's count of unsettled VPCs
 */
struct follow {
	struct follows *set;
	struct agent *agent;
	uint32_t vni;
	enum follow_phase phase;
	struct watch *watch;
	struct vpc_head head;
	bool has_head;
	const char *head_text;
	char *head_kept;
	size_t head_len;
	int head_version, bad_version, missed_version;
	uint64_t head_seen_ms;
	struct kernel_vpc have;
	uint64_t goal;
	bool asked, has_goal, ready;
	bool have_known, committed, distrust, failing, counted;
	uint64_t behind_since_us;
	char *reason, *head_reason;
	struct backoff backoff;
	sd_event_source *timer;
	struct gate_slot slot;
	struct fetch *fetch;
	struct load *load;
	struct vpc_err err;
	/* of the work in hand */
	struct sync_plan plan;
	uint64_t started_us, start_epoch;
	unsigned int n_deltas, n_missing;
	char change[VPC_CHANGE_MAX + 1]; /* of the last delta */
};

/* agent/follow.c */
void follow_step(struct follow *f);
void follow_rest(struct follow *f); /* nothing to do now: leaves the gate */
/* @reason: why HEAD is not reached; NULL: it is. */
void follow_settle(struct follow *f, const char *reason);
/* The kernel's version stands; again later. @res with the text in f->err, which is said once. */
void follow_fail(struct follow *f, int res);
/* A node that HEAD promises is gone: HEAD is read again; when that changes nothing it is a failure. */
void follow_missing(struct follow *f);
int follow_read_kernel(struct follow *f);
/* f->have is a new epoch, as published, which @change ended in; the kernel was at @base. */
void follow_committed(struct follow *f, uint64_t base, const char *change);
/* At which the next line about a change is said: with very many of them not each is for the log. */
int follow_priority(struct follow *f);

/*
 * agent/catchup.c. False: HEAD itself does not have the deltas that the kernel lacks; up to f->plan.to they are to be
 * read.
 */
bool follow_apply_last(struct follow *f);
/* f->plan says what. The gate is held. */
void follow_start_deltas(struct follow *f);
void follow_start_snapshot(struct follow *f);

#endif
