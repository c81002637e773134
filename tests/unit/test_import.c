// SPDX-License-Identifier: Apache-2.0
/*
 * Route files: what is taken, and what is refused with file and line.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>
#include "../../lib/import.h"
#include "../../lib/util.h"

static char path[] = "/tmp/vpc-import-XXXXXX";

static int setup(void **state)
{
	int fd = mkstemp(path);

	return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
	return unlink(path);
}

static void write_file(const char *data, size_t len)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void write_gz(const char *data)
{
	gzFile gz = gzopen(path, "wb");

	assert_int_equal(gzwrite(gz, data, strlen(data)), strlen(data));
	assert_int_equal(gzclose(gz), Z_OK);
}

static void test_good(void **state)
{
	static const char text[] =
		"# a comment\n\n10.2.0.0/16 7\n10.1.0.0/16\t\t8  # another\r\n  2001:db8::/32 9\n10.1.2.3 4294967295";
	static const char *const prefixes[] = { "10.1.0.0/16", "10.1.2.3/32", "10.2.0.0/16", "2001:db8::/32" };
	static const uint32_t nexthops[] = { 8, UINT32_MAX, 7, 9 }, lines[] = { 4, 6, 3, 5 };
	char buf[VPC_PREFIX_STRLEN];

	for (int gz = 0; gz < 2; gz++) {
		struct vpc_import import;
		struct vpc_err err;

		if (gz)
			write_gz(text);
		else
			write_file(text, strlen(text));
		assert_int_equal(vpc_import_read(path, &import, &err), 0);
		assert_int_equal(import.n, 4);
		for (size_t i = 0; i < import.n; i++) {
			assert_string_equal(vpc_prefix_format(&import.lines[i].prefix, buf), prefixes[i]);
			assert_int_equal(import.lines[i].nexthop, nexthops[i]);
			assert_int_equal(import.lines[i].line, lines[i]);
		}
		vpc_import_clear(&import);
	}
}

static void test_empty(void **state)
{
	struct vpc_import import;
	struct vpc_err err;

	write_file("", 0);
	assert_int_equal(vpc_import_read(path, &import, &err), 0);
	assert_int_equal(import.n, 0);
	vpc_import_clear(&import);
}

static void test_refused(void **state)
{
	static char lengthy[400] = "10.0.0.0/8 1\n10.1.0.0/16 ";
	static const struct {
		const char *text;
		unsigned int line;
		int expected;
	} cases[] = {
		{ "10.0.0.0/8\n", 1, -EINVAL },
		{ "# x\n10.0.0.0/8 1 2\n", 2, -EINVAL },
		{ "10.0.0.0/8 x\n", 1, -EINVAL },
		{ "10.0.0.0/8 -1\n", 1, -EINVAL },
		{ "10.0.0.0/8 0\n", 1, -EINVAL },
		{ "10.0.0.0/8 1x\n", 1, -EINVAL },
		{ "10.0.0.0/8 4294967296\n", 1, -EINVAL },
		{ "10.0.0.0/8 99999999999999999999999\n", 1, -EINVAL },
		{ "10.0.0.1/8 1\n", 1, -EINVAL },
		{ "10.0.0.0/33 1\n", 1, -EINVAL },
		{ "10.0.0/8 1\n", 1, -EINVAL },
		{ "nonsense 1\n", 1, -EINVAL },
		{ "10.0.0.0/8 1\n11.0.0.0/8 1\n10.0.0.0/8 2\n", 3, -EEXIST },
		{ "11.0.0.0/8 1\n10.0.0.0/8 1\n10.0.0.0/8 1\n", 3, -EEXIST },
		{ lengthy, 2, -EINVAL },
	};

	memset(lengthy + strlen(lengthy), '1', sizeof(lengthy) - strlen(lengthy) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vpc_import import = { .n = 77 };
		struct vpc_err err = {};
		char where[sizeof(path) + 16];

		write_file(cases[i].text, strlen(cases[i].text));
		snprintf(where, sizeof(where), "%s:%u: ", path, cases[i].line);
		if (vpc_import_read(path, &import, &err) != cases[i].expected ||
		    strncmp(err.text, where, strlen(where)))
			fail_msg("case %zu: '%s'", i, err.text);
		assert_int_equal(import.n, 77);
	}
}

/* A file cut short is not a shorter file. */
static void test_truncated_gzip(void **state)
{
	static char text[40000], data[40000];
	struct vpc_import import;
	struct vpc_err err = {};
	size_t len, used = 0;
	FILE *f;

	for (unsigned int i = 0; used < sizeof(text) - 64; i++)
		used += snprintf(text + used, sizeof(text) - used, "10.%u.%u.0/24 %u\n", i / 256, i % 256,
				 i * 7919 % 1000 + 1);
	write_gz(text);
	f = fopen(path, "rb");
	len = fread(data, 1, sizeof(data), f);
	fclose(f);
	write_file(data, len / 2);
	assert_int_equal(vpc_import_read(path, &import, &err), -EINVAL);
	assert_non_null(strstr(err.text, path));
	data[len / 2] ^= 0x55;
	write_file(data, len);
	assert_int_equal(vpc_import_read(path, &import, &err), -EINVAL);
}

static void test_absent(void **state)
{
	struct vpc_import import;
	struct vpc_err err = {};

	assert_int_equal(vpc_import_read("/nonexistent/routes", &import, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/routes"));
	assert_true(vpc_import_read("/tmp", &import, &err) < 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),   cmocka_unit_test(test_empty),	      cmocka_unit_test(test_refused),
		cmocka_unit_test(test_absent), cmocka_unit_test(test_truncated_gzip),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
