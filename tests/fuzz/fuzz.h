/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzz targets (tests/fuzz/fuzz_*.c) share. A target is one function over bytes that anybody may have written;
 * libFuzzer calls it in build/fuzz/fuzz/TARGET, replay.c in build/san/fuzz/TARGET.
 *
 * A target requires more than that nothing crashes: what is taken can be written and read back to the same, what is
 * refused leaves the output as it was and says why.
 */
#ifndef VPC_FUZZ_H
#define VPC_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../lib/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Ends the program, which is what libFuzzer calls a finding. */
#define fuzz_check(condition)                                                                        \
	do {                                                                                         \
		if (!(condition)) {                                                                  \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                     \
		}                                                                                    \
	} while (0)

/* An output that nobody has written to yet, and whether that is so still. */
void fuzz_fill(void *ret, size_t size);
bool fuzz_untouched(const void *ret, size_t size);

/* An outcome: 0, or a refusal with a text of one line. FUZZ_VERBOSE=1 in the environment prints it. */
void fuzz_check_refusal(int res, const struct vpc_err *err);

/* A file with this content, the same each time; the path. In memory, and only this user's. */
const char *fuzz_file(const void *data, size_t len);

/* The same bytes on the heap, without a NUL behind them, so that reading past their end is found. free() it. */
void *fuzz_copy(const void *data, size_t len);

#endif
