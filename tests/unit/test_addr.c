// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses, prefixes and MACs: texts that are taken, more texts that are refused, order and containment against an
 * oracle that looks at single bits.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/addr.h"
#include "../../lib/util.h"

static void test_addr_good(void **state)
{
	static const char *const good[][2] = {
		{ "0.0.0.0", "0.0.0.0" },
		{ "10.0.0.1", "10.0.0.1" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "::", "::" },
		{ "2001:DB8:0:0::1", "2001:db8::1" },
		{ "::ffff:10.0.0.1", "::ffff:10.0.0.1" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		char buf[VPC_ADDR_STRLEN];
		struct vpc_addr addr;

		assert_int_equal(vpc_addr_parse(good[i][0], &addr, NULL), 0);
		assert_string_equal(vpc_addr_format(&addr, buf), good[i][1]);
	}
}

static void test_addr_bad(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"10.0.0.300",
		"10.0.0",
		"10.0.0.1.2",
		"10.0.0.01x",
		"10.0.0.1 ",
		" 10.0.0.1",
		"10.0.0.-1",
		"0x0a000001",
		"10.0.0.1/32",
		":",
		":::",
		"1::2::3",
		"2001:db8",
		"2001:db8::g",
		"::1%eth0",
		"1:2:3:4:5:6:7:8:9",
		"localhost",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vpc_addr addr = { .family = 99 };
		struct vpc_err err = { "" };

		assert_int_equal(vpc_addr_parse(bad[i], &addr, &err), -EINVAL);
		assert_non_null(strstr(err.text, "is not an IP address"));
		assert_int_equal(addr.family, 99);
	}
}

static void test_prefix_good(void **state)
{
	static const char *const good[][2] = {
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "10.0.0.0/8", "10.0.0.0/8" },
		{ "10.128.0.0/9", "10.128.0.0/9" },
		{ "10.0.0.1", "10.0.0.1/32" },
		{ "10.0.0.1/32", "10.0.0.1/32" },
		{ "255.255.255.254/31", "255.255.255.254/31" },
		{ "::/0", "::/0" },
		{ "2001:db8::/33", "2001:db8::/33" },
		{ "2001:db8::1", "2001:db8::1/128" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		char buf[VPC_PREFIX_STRLEN];
		struct vpc_prefix prefix;

		assert_int_equal(vpc_prefix_parse(good[i][0], &prefix, NULL), 0);
		assert_string_equal(vpc_prefix_format(&prefix, buf), good[i][1]);
	}
}

static void test_prefix_bad(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "10.0.0.0/33", "0 to 32" },
		{ "10.0.0.0/", "0 to 32" },
		{ "10.0.0.0/-1", "0 to 32" },
		{ "10.0.0.0/+8", "0 to 32" },
		{ "10.0.0.0/08", "0 to 32" },
		{ "10.0.0.0/8 ", "0 to 32" },
		{ "10.0.0.0/8/8", "0 to 32" },
		{ "10.0.0.0/255.0.0.0", "0 to 32" },
		{ "10.0.0.0/4294967304", "0 to 32" },
		{ "2001:db8::/129", "0 to 128" },
		{ "2001:db8::/1000", "0 to 128" },
		{ "10.0.0.5/24", "did you mean 10.0.0.0/24?" },
		{ "10.0.0.1/31", "did you mean 10.0.0.0/31?" },
		{ "10.0.0.0/0", "did you mean 0.0.0.0/0?" },
		{ "2001:db8::1/64", "did you mean 2001:db8::/64?" },
		{ "2001:db8:8000::/32", "did you mean 2001:db8::/32?" },
		{ "/8", "is not a prefix" },
		{ "", "is not a prefix" },
		{ "10/8", "is not a prefix" },
		{ "default", "is not a prefix" },
		{ "10.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0/8", "is not a prefix" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vpc_prefix prefix = { .plen = 77 };
		struct vpc_err err = { "" };

		assert_int_equal(vpc_prefix_parse(bad[i].text, &prefix, &err), -EINVAL);
		assert_non_null(strstr(err.text, bad[i].says));
		assert_non_null(strstr(err.text, bad[i].text));
		assert_int_equal(prefix.plen, 77);
	}
}

static void test_mac(void **state)
{
	static const char *const bad[] = {
		"",
		"02:00:00:00:00",
		"02:00:00:00:00:0",
		"02:00:00:00:00:001",
		"02-00-00-00-00-01",
		"0g:00:00:00:00:01",
		"02:00:00:00:00:01:02",
		"020000000001",
		" 2:00:00:00:00:01",
		"02:00:00:00:00:01 ",
	};
	uint8_t mac[6], kept[6] = { 1, 2, 3, 4, 5, 6 };
	char buf[VPC_MAC_STRLEN];

	assert_int_equal(vpc_mac_parse("Fe:EE:00:00:0a:01", mac, NULL), 0);
	assert_string_equal(vpc_mac_format(mac, buf), "fe:ee:00:00:0a:01");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vpc_err err = { "" };

		memcpy(mac, kept, 6);
		assert_int_equal(vpc_mac_parse(bad[i], mac, &err), -EINVAL);
		assert_non_null(strstr(err.text, "is not a MAC address"));
		assert_memory_equal(mac, kept, 6);
	}
}

static int bit(const uint8_t *bytes, unsigned int i)
{
	return bytes[i / 8] >> (7 - i % 8) & 1;
}

static bool naive_contains(const struct vpc_prefix *outer, const uint8_t *bytes, uint8_t family, unsigned int plen)
{
	if (outer->family != family || outer->plen > plen)
		return false;
	for (unsigned int i = 0; i < outer->plen; i++)
		if (bit(outer->bytes, i) != bit(bytes, i))
			return false;
	return true;
}

/* Few distinct bits, so that prefixes often contain each other. */
static struct vpc_prefix random_prefix(void)
{
	struct vpc_prefix prefix = { .family = rand() % 2 ? AF_INET : AF_INET6 };
	unsigned int bits = vpc_family_bits(prefix.family);

	prefix.plen = (unsigned int)rand() % (rand() % 3 ? 12 : bits + 1);
	for (unsigned int i = 0; i < prefix.plen; i++)
		if (rand() % 4 == 0)
			prefix.bytes[i / 8] |= 0x80 >> i % 8;
	return prefix;
}

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void test_prefix_relations(void **state)
{
	unsigned int contained = 0;

	srand(1);
	for (int i = 0; i < 20000; i++) {
		struct vpc_prefix a = random_prefix(), b = random_prefix();
		struct vpc_addr addr = { .family = b.family };
		bool ab = naive_contains(&a, b.bytes, b.family, b.plen),
		     ba = naive_contains(&b, a.bytes, a.family, a.plen);

		memcpy(addr.bytes, b.bytes, 16);
		assert_int_equal(vpc_prefix_contains(&a, &b), ab);
		assert_int_equal(vpc_prefix_overlaps(&a, &b), ab || ba);
		assert_int_equal(vpc_prefix_has_addr(&a, &addr), naive_contains(&a, b.bytes, b.family, 128));
		assert_int_equal(sign(vpc_prefix_cmp(&a, &b)), -sign(vpc_prefix_cmp(&b, &a)));
		assert_int_equal(!vpc_prefix_cmp(&a, &b), ab && ba);
		if (a.family != b.family)
			assert_int_equal(vpc_prefix_cmp(&a, &b) < 0, a.family == AF_INET);
		contained += ab;
	}
	assert_in_range(contained, 500, 19500);
}

static void test_prefix_roundtrip(void **state)
{
	srand(2);
	for (int i = 0; i < 5000; i++) {
		struct vpc_prefix a = random_prefix(), b;
		char buf[VPC_PREFIX_STRLEN];

		assert_int_equal(vpc_prefix_parse(vpc_prefix_format(&a, buf), &b, NULL), 0);
		assert_int_equal(vpc_prefix_cmp(&a, &b), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addr_good),
		cmocka_unit_test(test_addr_bad),
		cmocka_unit_test(test_prefix_good),
		cmocka_unit_test(test_prefix_bad),
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_prefix_relations),
		cmocka_unit_test(test_prefix_roundtrip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
