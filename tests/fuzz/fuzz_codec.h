/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The target for a znode's codec, whose value is one struct: FUZZ_CODEC(struct, NAME) is the whole of it, for
 * NAME_parse(), NAME_format() and NAME_clear(). What is read, and fits, is written, read again and written again to
 * the same.
 */
#ifndef VPC_FUZZ_CODEC_H
#define VPC_FUZZ_CODEC_H

#include <errno.h>
#include "fuzz.h"

#define FUZZ_CODEC(type, name)                                                          \
	int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)                     \
	{                                                                               \
		uint8_t *copy = fuzz_copy(data, len);                                   \
		type value, again;                                                      \
		struct vpc_err err = { "" };                                            \
		char *text, *second;                                                    \
		size_t n, n2;                                                           \
		int res;                                                                \
											\
		fuzz_fill(&value, sizeof(value));                                       \
		res = name##_parse((const char *)copy, len, &value, &err);              \
		fuzz_check_refusal(res, &err);                                          \
		free(copy);                                                             \
		if (res) {                                                              \
			fuzz_check(fuzz_untouched(&value, sizeof(value)));              \
			return 0;                                                       \
		}                                                                       \
		res = name##_format(&value, &text, &n);                                 \
		fuzz_check(!res || res == -E2BIG);                                      \
		if (!res) {                                                             \
			fuzz_check(!name##_parse(text, n, &again, &err));               \
			fuzz_check(!name##_format(&again, &second, &n2));               \
			fuzz_check(n == n2 && !memcmp(text, second, n));                \
			name##_clear(&again);                                           \
			free(text);                                                     \
			free(second);                                                   \
		}                                                                       \
		name##_clear(&value);                                                   \
		return 0;                                                               \
	}

#endif
