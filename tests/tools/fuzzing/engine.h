/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzzers of the kernel (nlfuzz, wirefuzz) have in common: rows of bytes are invented, run, and kept when they
 * showed something new; what an input means is the fuzzer's.
 *
 *     NAME run SECONDS SEED FOLDER [FOLDER...]     inputs at random, and from the folders'; new ones go to the first
 *     NAME replay FILE|FOLDER...
 *     NAME keep FOLDER FILE|FOLDER...              the smallest that show all that is shown go to the first
 *
 * An input shows something new when the fuzzer says so, or when it comes through a place of vpc.ko that none before it
 * came through: where the kernel has kcov (uml.sh --cover). The kernel's log has a line for every 64th input, "NAME:
 * SEED NUMBER"; the input at work is the first folder's "current", where the one that failed stays.
 */
#ifndef FUZZING_ENGINE_H
#define FUZZING_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#define ENGINE_INPUT_MAX 2048U

struct engine {
	const char *name;
	/* Runs one input; places that the task comes through meanwhile count. Returns how much was new. */
	unsigned int (*execute)(const uint8_t *data, size_t len);
	void (*check)(void); /* after each input, not counted; whatever does not hold ends the program */
	void (*report)(void); /* prints the fuzzer's own figures, ", " first */
};

/* All of main() but what the fuzzer has to make ready before. Returns the exit status. */
int engine_main(const struct engine *engine, int argc, char **argv);

#endif
