/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where on its way a change got stuck: CDB to ZooKeeper, ZooKeeper to agent, agent to kernel.
 *
 * That something differs was decided without asking either of the two in between, and nothing here changes it: what
 * ZooKeeper and the agent say of themselves only names the place. While they do not answer it is not known. legs.c
 * concludes (pure), legs_read.c asks.
 */
#ifndef VPC_LEGS_H
#define VPC_LEGS_H

#include "audit.h"

struct legs;

/* Asks nobody yet. @config and @host must outlive it. NULL: out of memory. */
struct legs *legs_new(const struct vpc_config *config, const char *host);
void legs_free(struct legs *legs);
void legs_freep(struct legs **legs);
/* Names the legs of everything that the report has found. @presence: as compared. */
void legs_explain(struct legs *legs, const struct audit *audit, const struct presence *presence, struct report *report);

/* What is known of one VPC, or of the host's ports, between CDB and the kernel. */
struct leg_facts {
	bool waits; /* in CDB's outbox */
	bool zookeeper; /* it answers; else @why says why not */
	const char *why;
	uint64_t need; /* the epoch or revision of the change that is not here */
	bool has_node;
	uint64_t node; /* HEAD's epoch, or the revision of `ports` */
	bool node_differs; /* at @need, it has something else than CDB */
	bool node_unknown; /* at @need, it cannot be told: not kept any more */
	bool agent; /* it answers */
	uint64_t agent_knows; /* epoch of HEAD or revision of `ports` that it has read; 0: none */
	uint64_t agent_reached; /* that it says is in the kernel */
	bool agent_differs; /* its `status` has another digest than CDB for @need */
	const char *agent_reason; /* why it does not get on; "" or NULL: none */
};

/* Into @note, of NOTE_MAX bytes, what the leg is concluded from. */
#define NOTE_MAX 400
/* @facts->need is not in the kernel yet. */
enum finding_leg leg_of_lag(const struct leg_facts *facts, char *note);
/* The kernel has @facts->need, with other content; @stated: its own digest for it is CDB's all the same. */
enum finding_leg leg_of_drift(const struct leg_facts *facts, bool stated, char *note);
/* The host's ports, VPCs and VTEP, of revision @facts->need in CDB. @last: the leg when all the others are well. */
enum finding_leg leg_of_presence(const struct leg_facts *facts, enum finding_leg last, char *note);

#endif
