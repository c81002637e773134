/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many VPCs may do one kind of work at the same time; the others wait in line. Bounds the agent's memory.
 */
#ifndef AGENT_GATE_H
#define AGENT_GATE_H

#include <stdbool.h>
#include <sys/queue.h>

struct gate;

struct gate_slot {
	void (*granted)(void *arg);
	void *arg;
	struct gate *gate; /* held or waited for; NULL: neither */
	bool held;
	TAILQ_ENTRY(gate_slot) link;
};

struct gate {
	unsigned int max, used;
	bool pumping;
	TAILQ_HEAD(, gate_slot) waiting;
};

void gate_init(struct gate *gate, unsigned int max);
/* True: in. False: @slot waits, slot->granted() is called when its turn has come. Leaves another gate first. */
bool gate_enter(struct gate *gate, struct gate_slot *slot);
/* Leave, or stop waiting; nothing when neither. Whoever is next is let in before this returns. */
void gate_leave(struct gate_slot *slot);

#endif
