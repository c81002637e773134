// SPDX-License-Identifier: Apache-2.0
/*
 * What an error text lets through of what it quotes: characters, and nothing that steers a terminal or ends a line.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "../../lib/err.h"
#include "../../lib/util.h"

static void what_is_quoted_steers_nothing(void **state)
{
	static const char *const table[][2] = {
		{ "VPC red", "VPC red" },
		{ "a\nb\x1b[2J\x7f", "a?b?[2J?" },
		/* the same by a single character, as UTF-8 and as it is */
		{ "\xc2\x9b" "2J", "??2J" },
		{ "\x9b" "2J \x85", "?2J ?" },
		{ "\xc2\xa0 \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80",
		  "\xc2\xa0 \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80" },
		/* cut short, or never begun */
		{ "\xe2\x82", "??" },
		{ "\xe2\x82x", "??x" },
		{ "\xf0\x9f\x98", "???" },
		{ "\xc2", "?" },
		{ "\xc0\x9b \xff", "?? ?" },
		{ "\xc3\xbc\x9b", "\xc3\xbc?" },
	};
	struct vpc_err err;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		assert_int_equal(vpc_err_set(&err, -EINVAL, "%s", table[i][0]), -EINVAL);
		assert_string_equal(err.text, table[i][1]);
		vpc_err_prefix(&err, -EINVAL, "a");
		assert_string_equal(err.text + strlen("a: "), table[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_is_quoted_steers_nothing) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
