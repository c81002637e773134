/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit of one host: CDB against the kernel's tables, past ZooKeeper and the agent. Called by main.c; fills a
 * report.
 *
 * content.c compares what has an epoch: a VPC's nexthops and routes, at the kernel's own epoch, so a change on its
 * way is lag and never drift; by the digest first, and only where that differs by the entries of both sides.
 * presence.c compares what has none (which VPCs and ports are here at all): a difference counts only once it has
 * stood for the settling time.
 */
#ifndef VPC_AUDIT_H
#define VPC_AUDIT_H

#include "../lib/cdb.h"
#include "../lib/cdb_reader.h"
#include "../lib/kernel.h"
#include "report.h"

struct legs;
struct progress;

#define BLAME_KNOWN 64
/* What a round may take, what the ones before know, and whether it goes on. */
struct pace {
	uint64_t slots_ms;		/* left for waiting for cdb_read_slot_take(), of all VPCs together */
	uint64_t busy_ms;		/* the same while CDB is busier than max_load */
	bool (*go_on)(void *arg);	/* asked between VPCs; NULL: it does */
	void *arg;
	/* blame.c: causes that were looked up for VPCs that go on to differ, round after round. */
	struct blame_known {
		uint32_t vni;
		uint64_t key;
		struct cdb_cause *causes;
		size_t n;
		bool whole;
	} known[BLAME_KNOWN];
	unsigned int next;
};
#define PACE_SLOTS_MS 15000 /* of a round, both */
#define PACE_BUSY_MS  15000

struct audit {
	struct cdb *cdb;
	struct kernel *kernel;
	const char *host;
	uint32_t only_vni;		/* 0: all */
	bool verify;			/* have the kernel recompute its digests from what forwarding reads */
	bool full;			/* compare every entry, also where epoch and digest agree */
	bool has_table;			/* of entries that differ, only those of @table, and what its routes use */
	uint32_t table;
	uint64_t since_ms;		/* only VPCs that CDB changed since, wall clock; 0: all */
	unsigned int probes;		/* ways asked for, a VPC */
	unsigned int settle_ms;
	unsigned int max_load;		/* of CDB, above which reading whole VPCs waits; 0: it does not */
	size_t sums_from;		/* routes of a VPC of which only what differs is read; 0: the usual */
	const struct vpc_config *config;	/* to connect anew in the middle of a VPC; NULL: it is not tried */
	uint64_t max_lag_ms;		/* a change that is younger may still be on its way */
	struct legs *legs;		/* NULL: no leg is named */
	struct pace *pace;		/* NULL: each VPC waits by itself, and nothing ends it */
	struct progress *progress;	/* NULL: none is kept, and nothing was compared before */
	bool late_only;			/* nor of what lags for no longer than it may: nobody is asked about that */
};

#define PROBE_TEXT 256
struct probe_fault {
	char want[PROBE_TEXT], have[PROBE_TEXT];
	struct vpc_route route;	/* CDB's, or where it has none the kernel's */
};

/*
 * Fills @report; what could not be compared is in it, with the reason. -ENOMEM; -ECANCELED: it was not to go on, and
 * the report is not whole.
 */
int audit_run(const struct audit *audit, struct report *report);

/*
 * Pure: @want (CDB at the kernel's epoch) against @have (the kernel), and the kernel's digest against its own content.
 * Adds findings to @vpc; -ENOMEM.
 */
int audit_compare_states(const struct audit *audit, const struct report *report, struct report_vpc *vpc,
			 const struct vpc_state *want, const struct vpc_state *have);
/* As cdb_read_slot_take(), for as long as the round has time to wait. */
int audit_slot_take(const struct audit *audit, unsigned int *ret_slot, struct vpc_err *err);
/*
 * want.c: CDB's state at @epoch, read politely (lib/cdb_reader.h). @like: what the kernel has at that epoch: of a large
 * VPC only what differs from it is read, unless all entries are asked for; NULL: all is read. -EAGAIN with
 * @vpc->no_slot: it was not this audit's turn to read, or CDB is busy.
 */
int audit_load_want(const struct audit *audit, const struct report *report, struct report_vpc *vpc, uint64_t epoch,
		    const struct vpc_state *like, struct vpc_state *ret_want, struct vpc_err *err);
/* Where @epoch, the kernel's, stands in CDB's history: name, epochs and lag. */
void audit_take_epoch(const struct report *report, struct report_vpc *vpc, uint64_t epoch,
		      const struct cdb_epoch *found);

/*
 * presence.c: the ports and VPCs that are here. @pending_ms: when the oldest change of this host was made that is in
 * CDB's outbox, so that nothing below CDB can know of it and of younger ones; 0: none is.
 */
struct presence {
	struct vpc_host_ports want;
	uint64_t pending_ms;
	struct kernel_host have_host;
	struct kernel_port *have_ports;
	size_t n_have_ports;
	struct kernel_vpc *have_vpcs;
	size_t n_have_vpcs;
	/* Made by presence_index(). */
	uint32_t *want_vnis;	/* ascending: VPCs with ports here, and their peers */
	size_t n_want_vnis;
	const struct vpc_port **want_by_dev, **have_by_dev;
};

/* Reads both sides, CDB last. Any error: nothing was read; the text is in @err. */
int presence_load(const struct audit *audit, struct presence *ret_presence, struct vpc_err *err);
void presence_clear(struct presence *presence);
/* So that a thousand ports are not looked for one by one; sorts have_vpcs. presence_load() has done it. -ENOMEM. */
int presence_index(struct presence *presence);
bool presence_wants_vpc(const struct presence *presence, uint32_t vni);
bool presence_has_vpc(const struct presence *presence, uint32_t vni);

/* Pure: one thing that differs, by a key that stays the same while it does. @arg is the caller's. */
typedef int (*presence_fn)(enum finding_class class, enum finding_what what, uint32_t vni, const char *object,
			   const char *want, const char *have, void *arg);
int presence_compare(const struct presence *presence, uint32_t only_vni, presence_fn fn, void *arg);

/*
 * Compares until nothing differs or the settling time is over; adds what differed at every look. It is lag while its
 * own change is under way (in the outbox, or of a later epoch than its VPC has in the kernel), or younger than
 * max_lag_ms; else drift, whatever else waits or is behind. Ages count from the change in CDB's history.
 */
int audit_presence(const struct audit *audit, struct report *report, struct presence *ret_presence,
		   struct vpc_err *err);

/*
 * content.c: one VPC that both sides have; @kernel: what the kernel said of it, lately; @found: what CDB's history says
 * of that epoch. Return: -ENOMEM, -ECANCELED (as audit_run()) or 0, all else is in the report.
 */
int audit_content(const struct audit *audit, struct report *report, const struct presence *presence,
		  const struct kernel_vpc *kernel, const struct cdb_epoch *found);

/*
 * probe.c: the ways to @audit->probes random destinations from a port of the VPC, half of them inside of its routes,
 * as the kernel's own forwarding code explains them, against the longest prefixes in CDB at the kernel's epoch, looked
 * for one by one. -EAGAIN: the VPC changes too fast.
 */
int audit_probe(const struct audit *audit, struct report *report, struct report_vpc *vpc, struct vpc_err *err);
/*
 * Pure: what @explain did with a packet to @dst from a port in @table, against @want. Return: whether it is right; else
 * what should have been and what was as text, and the route concerned.
 */
bool probe_is_right(const struct vpc_state *want, uint32_t table, const struct vpc_addr *dst,
		    const struct kernel_explain *explain, struct probe_fault *ret_fault);

/* -- blame.c: since when, and by which change ---------------------------------------------------------------------- */

/*
 * Looks up the changes of the elements among the findings, at the kernel's epoch; what CDB never had becomes foreign.
 * What cannot be read is said in the findings: they stand all the same. Read in a turn (audit_slot_take()), and
 * remembered in @audit->pace. -ENOMEM.
 */
int blame_elements(const struct audit *audit, struct report_vpc *vpc);
void pace_clear(struct pace *pace);	/* frees what it remembers */
/*
 * The change since which this host needs the VPC, by ports of its own (the oldest of their newest changes) or as a
 * peer.
 */
int blame_vpc(const struct audit *audit, const struct presence *presence, uint32_t vni, struct cdb_cause *ret_cause,
	      struct vpc_err *err);
/* One of presence: @class may become FINDING_FOREIGN. */
int blame_presence(const struct audit *audit, const struct presence *presence, enum finding_what what, uint32_t vni,
		   const char *dev, enum finding_class *class, struct cdb_cause *ret_cause, struct vpc_err *err);

#endif
