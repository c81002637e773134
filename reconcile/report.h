/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an audit found: filled by audit.c, printed by report_text.c and report_json.c, judged by main.c's exit status.
 *
 * A finding is one thing that differs. Findings are counted whole; only the first of each VPC are kept as text, so
 * that a table that is wrong in a million places costs no more than one that is wrong in a hundred.
 */
#ifndef VPC_REPORT_H
#define VPC_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../lib/cdb_history.h"

enum finding_class {
	FINDING_MISSING,	/* CDB has it, the kernel does not */
	FINDING_EXCESS,		/* the kernel has it, CDB does not (any more) */
	FINDING_DIFFERENT,	/* both have it, with other values */
	FINDING_FOREIGN,	/* the kernel has it, CDB never had: it is not ours */
	FINDING_DIGEST,		/* a digest does not cover what its owner holds */
	FINDING_LAG,		/* its change may still be on its way: no drift */
	FINDING_CLASSES,
};

/* Where on its way a change got stuck, or was spoilt. */
enum finding_leg {
	LEG_UNKNOWN,
	LEG_CDB_ZOOKEEPER,
	LEG_ZOOKEEPER_AGENT,
	LEG_AGENT_KERNEL,
	LEG_PORTS,		/* all upstream says that it is done: the kernel's ports against CDB */
	LEG_KERNEL,		/* the kernel against itself */
	FINDING_LEGS,
};

/* What a finding is about, for who looks for its cause. */
enum finding_what {
	WHAT_ELEMENT,
	WHAT_PORT,
	WHAT_VPC,
	WHAT_HOST,
	WHAT_CONTENT,		/* the epoch of all of it, or its digest */
};

enum vpc_result {
	RESULT_CONSISTENT,
	RESULT_LAG,		/* what the kernel holds is right for its epoch, which is not CDB's last */
	RESULT_DRIFT,
	RESULT_FAILED,		/* could not compare */
};

/* @want, @have: NULL where there is no such side. All owned. */
struct finding {
	enum finding_class class;
	enum finding_what what;
	char *object;		/* "route table 1 10.0.0.0/24", "member 7 of group 3", "port tap1", "VPC" */
	char *want;
	char *have;
	struct cdb_element element;	/* WHAT_ELEMENT: its key */
	struct cdb_cause cause;		/* the change that should have brought it */
	uint64_t first_ms;		/* a watch sees it since then, wall clock; 0: not told (seen.h) */
	bool waits;			/* that is in CDB's outbox: nothing below CDB can know of it */
	enum finding_leg leg;
	char *note;		/* what the leg is concluded from, or why it is not known; NULL: nothing to say */
};

struct report_vpc {
	uint32_t vni;		/* 0: what belongs to the host and to no VPC */
	char name[64];
	enum vpc_result result;
	uint64_t cdb_epoch, kernel_epoch;
	struct vpc_digest kernel_digest;	/* as the kernel states it */
	uint64_t lag_ms;	/* since the oldest change that is not here was made */
	struct cdb_cause newer;	/* the first change that is not here */
	struct cdb_cause needed;	/* while the kernel has none of its content: what brought the VPC here */
	bool no_slot;		/* its entries were to be read in CDB, and it was not this audit's turn */
	bool by_digest;		/* epoch and digest agree with CDB's history; entries were not looked at */
	uint64_t compared_ms;	/* wall clock, by a run before that this one goes on from; 0: by this one */
	size_t n_probes;	/* ways that were asked for */
	char unprobed[160];	/* why none were, although they should have been; "": nothing */
	size_t n_routes, n_nexthops, n_members;	/* compared, as CDB has them; by digest: as the kernel has them */
	char reason[640];		/* RESULT_FAILED */
	uint64_t counts[FINDING_CLASSES];
	uint64_t host_drifts;	/* of them, without lag, those of ports, VPCs and VTEP: no content of the VPC */
	struct finding *findings;	/* the first max_findings */
	size_t n_findings, cap_findings;
};

/* What the agent was asked to put right. */
struct report_repair {
	uint32_t vni;		/* 0: the host itself */
	uint64_t epoch;		/* it was to be at, or nothing was to be done */
	uint64_t drifts;	/* before */
	bool asked;
	char answer[256];	/* why not */
};

struct report {
	char host[64];
	uint64_t time_ms;	/* wall clock */
	uint64_t duration_us;
	size_t max_findings;	/* a VPC */
	struct report_vpc *vpcs;
	size_t n_vpcs, cap_vpcs;
	uint32_t *left_out;	/* owned: VPCs that were not looked at, since CDB has not changed them (--since) */
	size_t n_left_out;
	bool unordered;		/* they are not ascending, so one is looked for */
	struct report *before;	/* owned: what the agent was asked to repair, of which this is the end; NULL: nothing */
	struct report_repair *repairs;	/* asked for, in vain or not */
	size_t n_repairs;
	char repair[160];	/* why the agent was not even asked; "": it was, or there was nothing */
	bool resumes;		/* a run before was to be gone on from */
	size_t n_resumed;	/* VPCs that it had compared */
	uint64_t resumed_ms;	/* the first of them, wall clock */
	char resume[160];	/* why not all that it had compared; "": nothing to say */
	char reason[640];	/* not empty: nothing could be compared at all */
};

void report_init(struct report *report, const char *host, size_t max_findings);
void report_clear(struct report *report);

/* The entry of @vni, added when it is not there. NULL: out of memory. Valid until the next new VPC. */
struct report_vpc *report_vpc(struct report *report, uint32_t vni, const char *name);
/*
 * Counts and, below the limit, keeps a finding; RESULT_DRIFT, or RESULT_LAG of that class, unless something is worse.
 * Strings are copied. *ret_finding (may be NULL): the one kept, until the next is added; NULL: it was only counted.
 * -ENOMEM.
 */
int report_add(const struct report *report, struct report_vpc *vpc, enum finding_class class, enum finding_what what,
	       const char *object, const char *want, const char *have, struct finding **ret_finding);
/* It turned out to be of another class; both are drift. */
void report_reclass(struct report_vpc *vpc, struct finding *finding, enum finding_class class);
void finding_clear(struct finding *finding);	/* frees what is in it */
/* @note is copied, may be NULL. */
void finding_note(struct finding *finding, enum finding_leg leg, const char *note);
/* Marks @vpc as not compared: the reason, and what to do about @code (-errno). */
void report_fail(struct report_vpc *vpc, int code, const char *reason);
const char *failure_advice(int code);	/* "; do this", "" when there is none */

const char *finding_class_name(enum finding_class class);
const char *finding_leg_name(enum finding_leg leg);
const char *vpc_result_name(enum vpc_result result);
uint64_t report_findings(const struct report_vpc *vpc);		/* the sum of counts */
uint64_t report_drifts(const struct report_vpc *vpc);		/* the same without lag */
/* The worst of all: failed outranks nothing but consistency and lag, since a found drift is certain. */
enum vpc_result report_result(const struct report *report);
/* How far behind the VPC is that is furthest behind. */
uint64_t report_lag_ms(const struct report *report);

/* What vpc_reconcile ends with: 0 consistent, 1 drift, 2 could not compare, 3 behind for longer than the limit. */
int report_exit_status(const struct report *report, uint64_t max_lag_ms);

/* One line, without its end: "h1: consistent: VPCs: ...". */
#define SUMMARY_MAX 256
const char *report_summary(const struct report *report, bool colours, char *buf);

/* Both print to standard output; @verbose: consistent VPCs too. Return: 0, -EIO when writing failed. */
int report_print_text(const struct report *report, bool verbose);
int report_print_json(const struct report *report, bool pretty);

#endif
