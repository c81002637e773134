// SPDX-License-Identifier: Apache-2.0
/*
 * A counting gate with a fair queue; see gate.h.
 */
#include "gate.h"

#include <stddef.h>

void gate_init(struct gate *gate, unsigned int max)
{
	*gate = (struct gate){ .max = max };
	TAILQ_INIT(&gate->waiting);
}

/* A loop, not a recursion: whoever is let in may leave at once, ten thousand times over. */
static void gate_pump(struct gate *gate)
{
	struct gate_slot *slot;

	if (gate->pumping)
		return;
	gate->pumping = true;
	while (gate->used < gate->max && (slot = TAILQ_FIRST(&gate->waiting))) {
		TAILQ_REMOVE(&gate->waiting, slot, link);
		slot->held = true;
		gate->used++;
		slot->granted(slot->arg);
	}
	gate->pumping = false;
}

bool gate_enter(struct gate *gate, struct gate_slot *slot)
{
	if (slot->gate == gate)
		return slot->held;
	gate_leave(slot);
	slot->gate = gate;
	if (gate->used < gate->max) {
		slot->held = true;
		gate->used++;
		return true;
	}
	TAILQ_INSERT_TAIL(&gate->waiting, slot, link);
	return false;
}

void gate_leave(struct gate_slot *slot)
{
	struct gate *gate = slot->gate;

	if (!gate)
		return;
	slot->gate = NULL;
	if (!slot->held) {
		TAILQ_REMOVE(&gate->waiting, slot, link);
		return;
	}
	slot->held = false;
	gate->used--;
	gate_pump(gate);
}
