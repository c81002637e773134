// SPDX-License-Identifier: Apache-2.0
/*
 * Credentials for ZooKeeper: what ZooKeeper itself makes of a user and a password, and files that are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../../lib/sha1.h"
#include "../../lib/util.h"
#include "../../lib/zk_auth.h"

static void test_sha1(void **state)
{
	/* FIPS 180-4's own, and lengths around a block's end. */
	static const struct {
		const char *text, *hex;
	} cases[] = {
		{ "", "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
		{ "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  "c1c8bbdc22796e28c0e15163d20899b65621d65a" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  "0098ba824b5c16427bd7a1122a5a442a25ec644d" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t hash[SHA1_LEN];
		char hex[2 * SHA1_LEN + 1];

		sha1(cases[i].text, strlen(cases[i].text), hash);
		for (size_t b = 0; b < SHA1_LEN; b++)
			snprintf(hex + 2 * b, 3, "%02x", hash[b]);
		assert_string_equal(hex, cases[i].hex);
	}
}

static void test_id(void **state)
{
	char id[ZK_ID_MAX];

	/* From ZooKeeper's documentation of its DigestAuthenticationProvider. */
	zk_credential_id("super:superpw", id);
	assert_string_equal(id, "super:g9oN2HttPfn8MMWJZ2r45Np/LIA=");
}

static void test_host(void **state)
{
	char a[ZK_CREDENTIAL_MAX], b[ZK_CREDENTIAL_MAX];

	zk_credential_host("publisher:secret", "h1", a);
	assert_int_equal(strncmp(a, "h1:", 3), 0);
	assert_int_equal(strlen(a), 3 + 64);
	zk_credential_host("publisher:secret", "h1", b);
	assert_string_equal(a, b);
	zk_credential_host("publisher:secret", "h2", b);
	assert_string_not_equal(a + 3, b + 3);
	zk_credential_host("publisher:secret2", "h1", b);
	assert_string_not_equal(a, b);
}

static int load(const char *text, size_t len, mode_t mode, char *ret, struct vpc_err *err)
{
	char path[] = "/tmp/vpc-test-credential.XXXXXX";
	int fd = mkstemp(path), r;

	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	r = zk_credential_load(path, ret, err);
	unlink(path);
	return r;
}

static void test_load(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		mode_t mode;
		int res;
	} cases[] = {
		{ "h1:pw\n", 6, 0600, 0 },	  { "h1:pw", 5, 0640, 0 },	  { "h1:p:w\n", 7, 0400, 0 },
		{ "h1:pw\n", 6, 0644, -EPERM },	  { "h1:pw\n", 6, 0660, -EPERM }, { "h1:pw\n", 6, 0604, -EPERM },
		{ "", 0, 0600, -EINVAL },	  { "h1\n", 3, 0600, -EINVAL },	  { "h1:\n", 4, 0600, -EINVAL },
		{ ":pw\n", 4, 0600, -EINVAL },	  { "h1:p w\n", 7, 0600, -EINVAL }, { "h1:p\0w\n", 7, 0600, -EINVAL },
		{ "h1:pw\nx\n", 8, 0600, -EINVAL },
	};
	char text[ZK_CREDENTIAL_MAX], wide[400];
	struct vpc_err err;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		strcpy(text, "untouched");
		assert_int_equal(load(cases[i].text, cases[i].len, cases[i].mode, text, &err), cases[i].res);
		if (cases[i].res)
			assert_string_equal(text, "untouched");
		else
			assert_int_equal(strncmp(text, cases[i].text, strcspn(cases[i].text, "\n")), 0);
	}
	memset(wide, 'x', sizeof(wide));
	memcpy(wide, "h1:", 3);
	assert_int_equal(load(wide, ZK_CREDENTIAL_MAX - 1, 0600, text, &err), 0);
	assert_int_equal(load(wide, ZK_CREDENTIAL_MAX, 0600, text, &err), -EINVAL);
	assert_int_equal(load(wide, sizeof(wide), 0600, text, &err), -EINVAL);
	assert_int_equal(zk_credential_load("/nonexistent", text, &err), -ENOENT);
	assert_int_equal(zk_credential_load("/tmp", text, &err), -EPERM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha1),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
