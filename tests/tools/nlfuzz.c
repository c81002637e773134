// SPDX-License-Identifier: Apache-2.0
/*
 * Netlink messages that nobody would send to the family "vpc": made by a grammar out of a row of bytes, which is an
 * input. An input is a row of messages from three sockets, begun in a known state; each byte decides something: the
 * command, its flags, whether an attribute is there, right, extreme, of a wrong length, there twice, or one that does
 * not belong there; whether the message is cut off. After each message that was refused the kernel must hold what it
 * held before, and the refusal must have a text; after each input every VPC's digest is that of its tables and dump.
 *
 * How it is called says fuzzing/engine.h. As root in a network namespace of its own with a device "d0" (uml_fuzz.sh).
 * New is an outcome that was not seen before: command, code, text.
 */
#include <stdio.h>
#include "fuzzing/engine.h"
#include "nlfuzz/grammar.h"
#include "nlfuzz/state.h"

static unsigned int execute(const uint8_t *data, size_t len)
{
	unsigned long before = grammar_count.outcomes;

	grammar_run(data, len);
	return grammar_count.outcomes - before;
}

static void report(void)
{
	printf(", %lu messages, %lu taken, %lu refused, %lu outcomes", grammar_count.messages, grammar_count.taken,
	       grammar_count.refused, grammar_count.outcomes);
}

int main(int argc, char **argv)
{
	static const struct engine nlfuzz = {
		.name = "nlfuzz", .execute = execute, .check = state_verify, .report = report
	};

	state_begin();
	return engine_main(&nlfuzz, argc, argv);
}
