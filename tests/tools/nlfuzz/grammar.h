/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes become messages to the family "vpc", mostly right and wrong in some place; for nlfuzz.
 */
#ifndef NLFUZZ_GRAMMAR_H
#define NLFUZZ_GRAMMAR_H

#include <stddef.h>
#include <stdint.h>

struct grammar_count {
	unsigned long messages, taken, refused;
	unsigned long outcomes; /* that were seen for the first time: command, code, the text but for its numbers */
};

extern struct grammar_count grammar_count;

/* Resets the kernel's state, sends what @data says, and checks after each message; see nlfuzz.c. */
void grammar_run(const uint8_t *data, size_t len);

#endif
