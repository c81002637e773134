// SPDX-License-Identifier: Apache-2.0
/*
 * A namespace's state as text: there and back to the same bytes, every refusal with its line, and what it makes of a
 * (fake) kernel.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../lib/kstate.h"
#include "../../lib/util.h"
#include "agent_fake.h"
#include "random_state.h"

/* One of each kind of line, in the order that save writes, without the digests. */
#define VPC_100                                                              \
	"nexthop 100 1 gateway 192.0.2.9 vni 7 mac 02:00:00:00:00:09\n"      \
	"nexthop 100 2 peer 200 table 3\n"                                   \
	"nexthop 100 3 group\n"                                              \
	"nexthop 100 4 blackhole\n"                                          \
	"nexthop 100 5 prohibit\n"                                           \
	"nexthop 100 6 unreachable\n"                                        \
	"nexthop 100 2147483648 local\n"                                     \
	"nexthop 100 2147483649 host 2001:db8::1\n"                          \
	"member 100 3 1 weight 256\n"                                        \
	"member 100 3 2 weight 1\n"                                          \
	"route 100 0 10.0.0.0/8 2147483649\n"                                \
	"route 100 1 0.0.0.0/0 3\n"                                          \
	"route 100 1 2001:db8::/32 1\n"
#define PORTS                                                                                                       \
	"port tap1 vpc 100 mac 02:00:00:00:00:05 table 1 addr 10.0.0.5/32 addr 2001:db8::5/128 gateway4 10.0.0.1 " \
	"gateway6 2001:db8::1 subnet6 2001:db8::/64 no-source-check\n"                                              \
	"port tap2 vpc 200 mac 02:00:00:00:00:06\n"
#define HOST "host vtep4 192.0.2.1 vtep6 2001:db8::f port 4790\n"

static char *print(const struct kstate *ks)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(kstate_print(ks, out), 0);
	fclose(out);
	return text;
}

static void parse(const char *text, struct kstate *ret)
{
	struct vpc_err err = { "" };

	if (kstate_parse("f", text, strlen(text), ret, &err))
		fail_msg("%s", err.text);
}

static void there_and_back(void **state)
{
	const char *text = HOST "vpc 100 epoch 9 quota 1048576 strict\n" VPC_100 "vpc 200 epoch 0\n" PORTS;
	_cleanup_free_ char *once = NULL, *twice = NULL;
	struct kstate ks, again;

	parse(text, &ks);
	assert_int_equal(ks.n_vpcs, 2);
	assert_int_equal(ks.n_ports, 2);
	assert_int_equal(ks.vpcs[0].flags, VPC_F_STRICT);
	assert_int_equal(ks.vpcs[0].quota, 1 << 20);
	assert_int_equal(ks.ports[0].n_addrs, 2);
	once = print(&ks);
	assert_non_null(strstr(once, HOST "vpc 100 epoch 9 digest "));
	assert_non_null(strstr(once, " quota 1048576 strict\n" VPC_100 "vpc 200 epoch 0 digest "));
	assert_non_null(strstr(once, "\n" PORTS));
	parse(once, &again);
	twice = print(&again);
	assert_string_equal(once, twice);
	kstate_clear(&ks);
	kstate_clear(&again);
}

/* Any order of what may come in any order, blanks, comments, a last line without its end: the same state. */
static void form_is_free(void **state)
{
	static const char *const texts[] = {
		"vpc 7 epoch 1\nnexthop 7 1 group\nnexthop 7 2 local\nmember 7 1 2\nroute 7 0 10.0.0.0/8 1\n",
		"# a comment\n\n  vpc\t7   epoch 1 \r\nroute 7 0 10.0.0.0/8 1\n  # another\nmember 7 1 2 weight 1\n"
		"nexthop 7 2 local\nnexthop 7 1 group",
	};
	_cleanup_free_ char *first = NULL;
	struct kstate ks;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *text = NULL;

		parse(texts[i], &ks);
		text = print(&ks);
		if (first)
			assert_string_equal(text, first);
		else
			first = strdup(text);
		kstate_clear(&ks);
	}
	parse("", &ks);
	assert_int_equal(ks.n_vpcs, 0);
	kstate_clear(&ks);
}

static void random_states_come_back(void **state)
{
	srand(7);
	for (int i = 0; i < 300; i++) {
		_cleanup_free_ char *text = NULL;
		struct kstate ks, back;

		kstate_init(&ks);
		ks.vpcs = calloc(1, sizeof(*ks.vpcs));
		ks.n_vpcs = 1;
		ks.vpcs[0].has_epoch = true;
		random_state(&ks.vpcs[0].state, 1 + i % 8, false);
		for (uint32_t id = 1; id <= 24; id++) {
			struct vpc_nl_nexthop nh = { .id = id,
						     .type = id > 20 ? VPC_NEXTHOP_GROUP :
								       VPC_NEXTHOP_LOCAL };

			if (!vpc_state_find_nexthop(&ks.vpcs[0].state, id)) {
				vpc_state_add_nexthop(&ks.vpcs[0].state, &nh);
				vpc_state_sort(&ks.vpcs[0].state, NULL);
			}
		}
		ks.vpcs[0].state.digest = vpc_digest_of_state(&ks.vpcs[0].state);
		text = print(&ks);
		parse(text, &back);
		assert_true(states_same(&ks.vpcs[0].state, &back.vpcs[0].state));
		kstate_clear(&ks);
		kstate_clear(&back);
	}
}

#define V "vpc 7\n"
#define N V "nexthop 7 1 local\nnexthop 7 2 group\n"
#define P "port tap1 vpc 7 mac 02:00:00:00:00:05"

static void refusals(void **state)
{
	static const struct {
		const char *text, *says;
		int code; /* 0: -EINVAL */
	} cases[] = {
		{ "vcp 7\n", "f:1: unknown word 'vcp'" },
		{ "\n# x\nhost\n", "f:3: 'host' needs vtep4 or vtep6" },
		{ "host vtep4\n", "f:1: VTEP is missing behind 'vtep4'" },
		{ "host vtep4 ::1\n", "f:1: VTEP '::1' is not an IPv4 address" },
		{ "host vtep6 1.2.3.4\n", "f:1: VTEP '1.2.3.4' is not an IPv6 address" },
		{ "host vtep4 1.2.3\n", "f:1: '1.2.3' is not an IP address" },
		{ "host vtep4 1.2.3.4 port 65536\n", "f:1: port 65536 is out of range: 1 to 65535" },
		{ "host vtep4 1.2.3.4 vtep4 1.2.3.4\n", "f:1: 'vtep4' is given twice" },
		{ "host vtep4 1.2.3.4\nhost vtep4 1.2.3.4\n", "f:2: a second 'host'" },
		{ "vpc\n", "f:1: VNI is missing behind 'vpc'" },
		{ "vpc 0\n", "f:1: VNI 0 is out of range: 1 to 16777215" },
		{ "vpc 16777216\n", "f:1: VNI 16777216 is out of range" },
		{ "vpc -1\n", "f:1: VNI '-1' is not a number" },
		{ "vpc 7x\n", "f:1: VNI '7x' is not a number" },
		{ "vpc 99999999999999999999\n", "is not a number" },
		{ "vpc 7 epoch 9223372036854775808\n", "f:1: epoch 9223372036854775808 is out of range" },
		{ "vpc 7 digest 12\n", "f:1: digest '12' is not 32 hex digits" },
		{ "vpc 7 strict strict\n", "f:1: 'strict' is given twice" },
		{ "vpc 7 loose\n", "f:1: unknown word 'loose'" },
		{ V V, "f:2: a second 'vpc 7'" },
		{ V "vpc 8\nroute 9 0 10.0.0.0/8 1\n", "f:3: VPC 9 has no line 'vpc 9' above" },
		{ V "nexthop 7 0 local\n", "f:2: nexthop 0 is out of range" },
		{ V "nexthop 7 1\n", "f:2: type is missing behind '1'" },
		{ V "nexthop 7 1 lokal\n", "f:2: unknown type of nexthop 'lokal'" },
		{ V "nexthop 7 1 local 5\n", "f:2: unknown word '5'" },
		{ V "nexthop 7 1 gateway\n", "f:2: VTEP is missing behind 'gateway'" },
		{ V "nexthop 7 1 gateway 0.0.0.0\n", "f:2: nexthop 1: its VTEP is missing" },
		{ V "nexthop 7 1 host 1.2.3.4 table 1\n", "f:2: unknown word 'table'" },
		{ V "nexthop 7 1 host 1.2.3.4 vni 16777216\n", "f:2: VNI 16777216 is out of range" },
		{ V "nexthop 7 1 host 1.2.3.4 mac 02:00\n", "f:2: '02:00' is not a MAC address" },
		{ V "nexthop 7 1 peer\n", "f:2: peer VNI is missing" },
		{ V "nexthop 7 1 peer 8 table 1024\n", "f:2: table 1024 is out of range: 0 to 1023" },
		{ V "nexthop 7 1 local\nnexthop 7 2 local\nnexthop 7 1 group\n",
		  "f:4: VPC 7: nexthop 1 is there twice" },
		{ N "member 7 2 1 weight 0\n", "f:4: weight 0 is out of range: 1 to 256" },
		{ N "member 7 2 1 weight 257\n", "f:4: weight 257 is out of range" },
		{ N "member 7 2 1\nmember 7 2 1\n", "f:5: VPC 7: member 1 of group 2 is there twice" },
		{ N "member 7 2 3\nmember 7 2 1\n", "f:4: VPC 7: member 3 of group 2: its nexthop is not there" },
		{ N "member 7 3 1\n", "f:4: VPC 7: member 1 of group 3: its group is not there" },
		{ N "member 7 1 1\n", "f:4: VPC 7: member 1 of group 1: what it belongs to is no group" },
		{ N "member 7 2 2\n", "f:4: VPC 7: member 2 of group 2: a group cannot be a member" },
		{ N "route 7 0 10.0.0.1/8 1\n",
		  "f:4: '10.0.0.1/8' has bits beyond its length, did you mean 10.0.0.0/8?" },
		{ N "route 7 0 10.0.0.0/33 1\n", "f:4: '10.0.0.0/33' is not a prefix: its length" },
		{ N "route 7 0 10.0.0.0/8\n", "f:4: nexthop is missing behind '10.0.0.0/8'" },
		{ N "route 7 0 10.0.0.0/8 1 2\n", "f:4: unknown word '2'" },
		{ N "route 7 x 10.0.0.0/8 1\n", "f:4: table 'x' is not a number" },
		{ N "route 7 0 10.0.0.0/8 3\nroute 7 0 11.0.0.0/8 1\n",
		  "f:4: VPC 7: route 10.0.0.0/8 in table 0: there is no nexthop 3" },
		{ N "route 7 0 10.0.0.0/8 1\nroute 7 1 10.0.0.0/8 1\nroute 7 0 10.0.0.0/8 2\n",
		  "f:6: VPC 7: route 10.0.0.0/8 in table 0 is there twice" },
		{ V "vpc 8 digest 00000000000000000000000000000001\n",
		  "f:2: VPC 8: its content has digest 00000000000000000000000000000000, not 00", -EBADMSG },
		{ V "port\n", "f:2: device is missing behind 'port'" },
		{ V "port a/b vpc 7 mac 02:00:00:00:00:05\n", "f:2: 'a/b' is not a device's name" },
		{ V "port abcdefghijklmnop vpc 7\n", "is not a device's name" },
		{ V "port tap1 mac 02:00:00:00:00:05\n", "f:2: port tap1 needs 'vpc'" },
		{ V "port tap1 vpc 7\n", "f:2: port tap1 needs 'mac'" },
		{ V "port tap1 vpc 8 mac 02:00:00:00:00:05\n", "f:2: VPC 8 has no line 'vpc 8' above" },
		{ V "port tap1 vpc 7 mac 01:00:00:00:00:05\n", "f:2: MAC '01:00:00:00:00:05' cannot be a port's" },
		{ V "port tap1 vpc 7 mac fe:ee:00:00:00:01\n", "f:2: MAC 'fe:ee:00:00:00:01' cannot be a port's" },
		{ V P " gateway4 ::1\n", "f:2: gateway '::1' is not an IPv4 address" },
		{ V P " subnet6 10.0.0.0/8\n", "f:2: subnet6 '10.0.0.0/8' is not an IPv6 prefix" },
		{ V P " addr 10.0.0.1/8\n", "f:2: '10.0.0.1/8' has bits beyond its length" },
		{ V P " table 1 table 1\n", "f:2: 'table' is given twice" },
		{ V P "\n" P "\n", "f:3: a second 'port tap1'" },
		{ V P " addr 10.0.0.1/32 addr 10.0.0.1/32\n", "f:2: address 10.0.0.1/32 of VPC 7 is given twice" },
		{ V P " addr 10.0.0.1/32\nport tap0 vpc 7 mac 02:00:00:00:00:06 addr 10.0.0.1/32\n",
		  "f:3: address 10.0.0.1/32 of VPC 7 is given twice" },
	};
	static const char nul[] = "vpc 7\nvpc\0 8\n";
	static char lengthy[20000];
	struct kstate ks;
	struct vpc_err err;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		err.text[0] = 0;
		assert_int_equal(kstate_parse("f", cases[i].text, strlen(cases[i].text), &ks, &err),
				 cases[i].code ?: -EINVAL);
		if (!strstr(err.text, cases[i].says))
			fail_msg("'%s' should say '%s'", err.text, cases[i].says);
	}
	assert_int_equal(kstate_parse("f", nul, sizeof(nul) - 1, &ks, &err), -EINVAL);
	assert_string_equal(err.text, "f:2: a NUL character");
	memset(lengthy, 'a', sizeof(lengthy));
	assert_int_equal(kstate_parse("f", lengthy, sizeof(lengthy), &ks, &err), -EINVAL);
	assert_string_equal(err.text, "f:1: a line of 20000 characters, at most 8192 are allowed");
	for (size_t i = 0; i < sizeof(lengthy); i += 2)
		lengthy[i] = ' ';
	assert_int_equal(kstate_parse("f", lengthy, 1000, &ks, &err), -EINVAL);
	assert_non_null(strstr(err.text, "f:1: more than"));
}

/* Bytes turned over anywhere: a state or a refusal with a text, nothing else. */
static void hostile_text(void **state)
{
	static const char text[] = HOST "vpc 100 epoch 9 quota 1048576 strict\n" VPC_100 "vpc 200\n" PORTS;

	srand(11);
	for (int i = 0; i < 20000; i++) {
		size_t len = 1 + rand() % (sizeof(text) - 1);
		_cleanup_free_ char *copy = malloc(len);
		struct vpc_err err = { "" };
		struct kstate ks;

		memcpy(copy, text, len);
		for (int flips = rand() % 4; flips; flips--)
			copy[rand() % len] = rand() % 3 ? " \n0"[rand() % 3] : rand();
		if (kstate_parse("f", copy, len, &ks, &err))
			assert_true(err.text[0]);
		else
			kstate_clear(&ks);
	}
}

/* -- the kernel ---------------------------------------------------------------------------------------------------- */

static struct kernel *fake;

static void apply(const char *text, int code)
{
	struct vpc_err err = { "" };
	struct kstate ks;

	parse(text, &ks);
	if (kstate_apply(fake, &ks, &err) != code)
		fail_msg("%s", err.text);
	kstate_clear(&ks);
}

static char *save(void)
{
	struct vpc_err err = { "" };
	struct kstate ks;
	char *text;

	assert_int_equal(kstate_read(fake, NULL, 0, &ks, &err), 0);
	text = print(&ks);
	kstate_clear(&ks);
	return text;
}

static void kernel_becomes_the_text(void **state)
{
	_cleanup_free_ char *first = NULL, *second = NULL, *third = NULL;
	struct vpc_err err = { "" };
	uint32_t vni = 200;
	struct kstate ks;

	fake_kernel_reset();
	assert_int_equal(kernel_open(NULL, &fake, &err), 0);
	apply(HOST "vpc 100 epoch 9\n" VPC_100 "vpc 200 epoch 4\n" PORTS, 0);
	first = save();
	assert_non_null(strstr(first, "vpc 100 epoch 9 digest"));
	assert_non_null(strstr(first, VPC_100));
	assert_non_null(strstr(first, PORTS));

	/* No epoch: the next. VPC 100 and its port are left alone, as is the host. */
	apply("vpc 200\nnexthop 200 1 local\nport tap3 vpc 200 mac 02:00:00:00:00:07\n", 0);
	second = save();
	assert_non_null(strstr(second, HOST));
	assert_non_null(strstr(second, "port tap1 vpc 100"));
	assert_null(strstr(second, "port tap2 vpc 200"));
	assert_non_null(strstr(second, "port tap3 vpc 200"));
	assert_non_null(strstr(second, "vpc 200 epoch 5 digest"));

	/* Epochs do not go back: the VPC is made anew. A port moves. What was saved comes back to the byte. */
	apply("vpc 100 epoch 1\nvpc 200\nport tap1 vpc 200 mac 02:00:00:00:00:05\n", 0);
	apply(first, 0);
	third = save();
	assert_string_equal(first, third);

	assert_int_equal(kstate_read(fake, &vni, 1, &ks, &err), 0);
	assert_false(ks.has_host);
	assert_int_equal(ks.n_vpcs, 1);
	assert_int_equal(ks.n_ports, 1);
	assert_int_equal(kstate_unbind(fake, &ks, &err), 0);
	assert_int_equal(kstate_unbind(fake, &ks, &err), 0);
	kstate_clear(&ks);
	assert_int_equal(kstate_read(fake, &vni, 1, &ks, &err), -ENOENT);
	kernel_close(fake);
	fake_kernel_reset();
}

/* Two ports exchange their addresses: each would be refused while the other has its own. */
static void addresses_change_hands(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct vpc_err err = { "" };

	fake_kernel_reset();
	assert_int_equal(kernel_open(NULL, &fake, &err), 0);
	apply("vpc 7\nport a vpc 7 mac 02:00:00:00:00:05 addr 10.0.0.1/32\n"
	      "port b vpc 7 mac 02:00:00:00:00:06 addr 10.0.0.2/32\n", 0);
	apply("vpc 7\nport a vpc 7 mac 02:00:00:00:00:05 addr 10.0.0.2/32\n"
	      "port b vpc 7 mac 02:00:00:00:00:06 addr 10.0.0.1/32\n", 0);
	text = save();
	assert_non_null(strstr(text, "port a vpc 7 mac 02:00:00:00:00:05 addr 10.0.0.2/32\n"));
	assert_non_null(strstr(text, "port b vpc 7 mac 02:00:00:00:00:06 addr 10.0.0.1/32\n"));
	kernel_close(fake);
	fake_kernel_reset();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(form_is_free),
		cmocka_unit_test(random_states_come_back),
		cmocka_unit_test(refusals),
		cmocka_unit_test(hostile_text),
		cmocka_unit_test(kernel_becomes_the_text),
		cmocka_unit_test(addresses_change_hands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
