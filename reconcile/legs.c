// SPDX-License-Identifier: Apache-2.0
/*
 * Which leg, from what is known; see legs.h. Walked in the direction of the change: the first leg that does not have
 * it is the one.
 */
#include "legs.h"

#include <inttypes.h>
#include <stdio.h>

static const char *reason_of(const struct leg_facts *f)
{
	return f->agent_reason && *f->agent_reason ? f->agent_reason : "it gives no reason";
}

/* What both ways have in common, as far as ZooKeeper. Return: whether @ret_leg is it. */
static bool stuck_before_zookeeper(const struct leg_facts *f, const char *node, enum finding_leg *ret_leg, char *note)
{
	*ret_leg = LEG_CDB_ZOOKEEPER;
	if (f->waits) {
		snprintf(note, NOTE_MAX, "it waits in CDB's outbox: is vpc_publisher running?");
		return true;
	}
	if (!f->zookeeper) {
		*ret_leg = LEG_UNKNOWN;
		snprintf(note, NOTE_MAX, "ZooKeeper cannot be asked: %s", f->why ? f->why : "no reason");
		return true;
	}
	if (!f->has_node) {
		snprintf(note, NOTE_MAX, "ZooKeeper has no %s", node);
		return true;
	}
	return false;
}

/* From there to what the agent has read. */
static bool stuck_before_agent(const struct leg_facts *f, const char *node, char *note)
{
	if (!f->agent)
		snprintf(note, NOTE_MAX, "%s is at %" PRIu64 "; no agent answers", node, f->node);
	else if (f->agent_knows < f->need)
		snprintf(note, NOTE_MAX, "%s is at %" PRIu64 ", the agent knows of %" PRIu64, node, f->node,
			 f->agent_knows);
	else
		return false;
	return true;
}

enum finding_leg leg_of_lag(const struct leg_facts *f, char *note)
{
	enum finding_leg leg;

	if (stuck_before_zookeeper(f, "HEAD", &leg, note))
		return leg;
	if (f->node < f->need) {
		snprintf(note, NOTE_MAX, "HEAD is at %" PRIu64, f->node);
		return LEG_CDB_ZOOKEEPER;
	}
	if (stuck_before_agent(f, "HEAD", note))
		return LEG_ZOOKEEPER_AGENT;
	snprintf(note, NOTE_MAX, "the agent knows of %" PRIu64 ": %s", f->agent_knows, reason_of(f));
	return LEG_AGENT_KERNEL;
}

enum finding_leg leg_of_drift(const struct leg_facts *f, bool stated, char *note)
{
	enum finding_leg leg;

	if (stated) {
		snprintf(note, NOTE_MAX, "its own digest is CDB's, its entries are not");
		return LEG_KERNEL;
	}
	/* The kernel has the epoch: it does not matter what waits behind it. */
	if (stuck_before_zookeeper(&(struct leg_facts){ .zookeeper = f->zookeeper, .why = f->why,
							.has_node = f->has_node },
				   "HEAD", &leg, note))
		return leg;
	if (f->node_differs) {
		snprintf(note, NOTE_MAX, "ZooKeeper has another digest for epoch %" PRIu64 " than CDB", f->need);
		return LEG_CDB_ZOOKEEPER;
	}
	if (f->node_unknown) {
		snprintf(note, NOTE_MAX, "ZooKeeper does not keep epoch %" PRIu64 " any more", f->need);
		return LEG_UNKNOWN;
	}
	if (f->agent_differs) {
		snprintf(note, NOTE_MAX,
			 "ZooKeeper has epoch %" PRIu64 " right, the agent itself reports another digest for it",
			 f->need);
		return LEG_ZOOKEEPER_AGENT;
	}
	snprintf(note, NOTE_MAX, "ZooKeeper%s epoch %" PRIu64 " right: the agent lost a change, or another one wrote",
		 f->agent ? " and agent have" : " has", f->need);
	return LEG_AGENT_KERNEL;
}

enum finding_leg leg_of_presence(const struct leg_facts *f, enum finding_leg last, char *note)
{
	enum finding_leg leg;

	if (stuck_before_zookeeper(f, "ports", &leg, note))
		return leg;
	if (f->node < f->need || f->node_differs) {
		snprintf(note, NOTE_MAX, "ports in ZooKeeper: revision %" PRIu64 "%s, CDB has %" PRIu64, f->node,
			 f->node >= f->need ? " with something else" : "", f->need);
		return LEG_CDB_ZOOKEEPER;
	}
	if (stuck_before_agent(f, "ports", note))
		return LEG_ZOOKEEPER_AGENT;
	if (f->agent_reached < f->need) {
		snprintf(note, NOTE_MAX, "the agent has put revision %" PRIu64 " of %" PRIu64 " into the kernel: %s",
			 f->agent_reached, f->agent_knows, reason_of(f));
		return LEG_AGENT_KERNEL;
	}
	snprintf(note, NOTE_MAX, "the agent says that revision %" PRIu64 " is in the kernel", f->agent_reached);
	return last;
}
