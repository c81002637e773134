// SPDX-License-Identifier: Apache-2.0
/*
 * The small znodes: paths, fence, HEAD, a host's ports and status. Round trips, a table of refusals with the text
 * that names the member, and every valid document cut off at every byte.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/digest.h"
#include "../../lib/util.h"
#include "../../proto/znode.h"

enum doc {
	FENCE,
	HEAD,
	PORTS,
	STATUS
};

/* Any of the four documents; nothing is kept. */
static int parse(enum doc doc, const char *data, size_t len, struct vpc_err *err)
{
	struct vpc_host_status status = {};
	struct vpc_host_ports ports = {};
	struct vpc_fence fence;
	struct vpc_head head;
	int r = -ENOSYS;

	switch (doc) {
	case FENCE:
		return vpc_fence_parse(data, len, &fence, err);
	case HEAD:
		return vpc_head_parse(data, len, &head, err);
	case PORTS:
		r = vpc_host_ports_parse(data, len, &ports, err);
		vpc_host_ports_clear(&ports);
		break;
	case STATUS:
		r = vpc_host_status_parse(data, len, &status, err);
		vpc_host_status_clear(&status);
		break;
	}
	return r;
}

#define D1 "00112233445566778899aabbccddeeff"
#define D2 "ffffffffffffffff0000000000000001"

static const char fence_doc[] = "{\"v\":1,\"term\":7,\"publisher\":\"host:123\"}";
static const char head_doc[] =
	"{\"v\":1,\"vni\":100,\"epoch\":9,\"snapshot\":7,\"chunks\":2,\"oldest\":8,\"digest\":\"" D1
	"\",\"snapshot_digest\":\"" D2 "\",\"change\":\"c1f\",\"time\":1767225600000,\"quota\":0,\"flags\":1}";
static const char ports_doc[] =
	"{\"v\":1,\"host\":\"h1\",\"revision\":3,\"vtep\":\"192.0.2.11\",\"vtep6\":\"2001:db8::b\","
	"\"udp_port\":4789,\"ports\":["
	"{\"id\":1,\"vni\":100,\"dev\":\"tap1\",\"mac\":\"02:00:00:00:00:01\",\"table\":1,\"flags\":0,"
	"\"gateway\":\"10.0.0.1\",\"addrs\":[\"10.0.0.5/32\",\"2001:db8::5/128\"]},"
	"{\"id\":2,\"vni\":101,\"dev\":\"tap2\",\"mac\":\"02:00:00:00:00:02\",\"table\":0,\"flags\":1,"
	"\"gateway\":\"10.1.0.1\",\"gateway6\":\"2001:db8::1\",\"subnet6\":\"2001:db8::/64\",\"addrs\":[]}],"
	"\"vpcs\":[7,200]}";
static const char status_doc[] =
	"{\"v\":1,\"host\":\"h1\",\"boot_id\":\"6f1b\",\"instance\":\"00000000deadbeef\",\"revision\":3,"
	"\"time\":1767225600000,\"vpcs\":[[100,9,\"" D1 "\"],[101,1,\"" D2 "\"]],"
	"\"recent\":[[100,7,9,\"c1f\",1767225600001,1767225600003],[101,0,1,\"\",1767225600002,1767225600004]]}";

static const struct {
	enum doc doc;
	const char *text;
} docs[] = {
	{ FENCE, fence_doc },
	{ HEAD, head_doc },
	{ PORTS, ports_doc },
	{ STATUS, status_doc },
};

static void test_paths(void **state)
{
	char buf[VPC_ZNODE_PATH_MAX];

	assert_string_equal(vpc_path_vpc(100, buf), "/vpc/v1/vpcs/64/100");
	assert_string_equal(vpc_path_vpc(0xffffff, buf), "/vpc/v1/vpcs/ff/16777215");
	assert_string_equal(vpc_path_snapshot(256, 7, buf), "/vpc/v1/vpcs/00/256/s7");
	assert_string_equal(vpc_path_chunk(100, 7, 2, buf), "/vpc/v1/vpcs/64/100/s7/c002");
	assert_string_equal(vpc_path_chunk(100, INT64_MAX, 12345, buf),
			    "/vpc/v1/vpcs/64/100/s9223372036854775807/c12345");
	assert_string_equal(vpc_path_delta(100, 9, buf), "/vpc/v1/vpcs/64/100/l9");
	/* FNV-1a of "a" is e40c292c, of "foobar" bf9cf968: the published test vectors. */
	assert_string_equal(vpc_path_host("a", NULL, buf), "/vpc/v1/hosts/2c/a");
	assert_string_equal(vpc_path_host("foobar", "ports", buf), "/vpc/v1/hosts/68/foobar/ports");
}

static void test_host_names(void **state)
{
	char longest[VPC_HOST_NAME_MAX + 2];

	memset(longest, 'h', sizeof(longest));
	longest[VPC_HOST_NAME_MAX + 1] = '\0';
	assert_false(vpc_host_name_valid(longest));
	longest[VPC_HOST_NAME_MAX] = '\0';
	assert_true(vpc_host_name_valid(longest));
	assert_true(vpc_host_name_valid("host-1.example_net"));
	assert_false(vpc_host_name_valid(""));
	assert_false(vpc_host_name_valid(".."));
	assert_false(vpc_host_name_valid("a/b"));
	assert_false(vpc_host_name_valid("a b"));
	assert_false(vpc_host_name_valid("h\xc3\xb6st"));
}

/* Parsed and formatted again, each document is what it was. */
static void test_round_trip(void **state)
{
	struct vpc_host_status status;
	struct vpc_host_ports ports;
	struct vpc_fence fence;
	struct vpc_head head;
	struct vpc_err err;
	size_t len;
	char *text;

	assert_int_equal(vpc_fence_parse(fence_doc, strlen(fence_doc), &fence, &err), 0);
	assert_int_equal(fence.term, 7);
	assert_int_equal(vpc_fence_format(&fence, &text, &len), 0);
	assert_string_equal(text, fence_doc);
	assert_int_equal(len, strlen(fence_doc));
	free(text);

	assert_int_equal(vpc_head_parse(head_doc, strlen(head_doc), &head, &err), 0);
	assert_int_equal(head.vni, 100);
	assert_int_equal(head.digest.h[0], 0x0011223344556677);
	assert_int_equal(head.snapshot_digest.h[1], 1);
	assert_true(head.has_flags);
	assert_int_equal(head.flags, VPC_F_STRICT);
	assert_int_equal(vpc_head_format(&head, &text, &len), 0);
	assert_string_equal(text, head_doc);
	free(text);

	assert_int_equal(vpc_host_ports_parse(ports_doc, strlen(ports_doc), &ports, &err), 0);
	assert_int_equal(ports.n_ports, 2);
	assert_int_equal(ports.ports[0].n_addrs, 2);
	assert_int_equal(ports.vtep6.family, AF_INET6);
	assert_int_equal(ports.ports[0].gateway6.family, 0);
	assert_int_equal(ports.ports[1].gateway6.family, AF_INET6);
	assert_int_equal(ports.ports[1].subnet6.plen, 64);
	assert_int_equal(ports.n_vpcs, 2);
	assert_int_equal(ports.vpcs[1], 200);
	assert_int_equal(vpc_host_ports_format(&ports, &text, &len), 0);
	assert_string_equal(text, ports_doc);
	free(text);
	vpc_host_ports_clear(&ports);

	assert_int_equal(vpc_host_status_parse(status_doc, strlen(status_doc), &status, &err), 0);
	assert_int_equal(status.instance, 0xdeadbeef);
	assert_int_equal(status.n_vpcs, 2);
	assert_int_equal(vpc_host_status_format(&status, &text, &len), 0);
	assert_string_equal(text, status_doc);
	free(text);
	assert_int_equal(status.n_recent, 2);
	assert_string_equal(status.recent[0].change, "c1f");
	assert_int_equal(status.recent[1].applied_ms, 1767225600004);
	vpc_host_status_clear(&status);
}

/* Cut off at every byte: an error with a text, no crash (ASan watches the byte behind, which is not ours). */
static void test_truncated(void **state)
{
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(docs); i++) {
		for (len = 0; len < strlen(docs[i].text); len++) {
			struct vpc_err err = {};
			char *cut = malloc(len ? len : 1);

			memcpy(cut, docs[i].text, len);
			assert_int_equal(parse(docs[i].doc, cut, len, &err), -EINVAL);
			assert_true(err.text[0]);
			free(cut);
		}
	}
}

/* Every byte replaced by a few others: whatever comes out, no crash and no leak. */
static void test_mutated(void **state)
{
	static const char with[] = { 0, '"', '}', '[', '9', '-', '\\', (char)0xff };
	size_t i, pos, w;

	for (i = 0; i < ARRAY_SIZE(docs); i++) {
		size_t len = strlen(docs[i].text);

		for (pos = 0; pos < len; pos++) {
			for (w = 0; w < sizeof(with); w++) {
				char *copy = malloc(len);
				struct vpc_err err;

				memcpy(copy, docs[i].text, len);
				copy[pos] = with[w];
				parse(docs[i].doc, copy, len, &err);
				free(copy);
			}
		}
	}
}

/* @text with the first @from replaced by @to. */
static char *replace(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char *ret;

	assert_non_null(at);
	assert_true(asprintf(&ret, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) > 0);
	return ret;
}

static const struct {
	enum doc doc;
	const char *from, *to;
	int res;
	const char *says; /* part of the text */
} refusals[] = {
	{ FENCE, "{", "[", -EINVAL, "not JSON" },
	{ FENCE, "{\"v\":1,\"term\":7,\"publisher\":\"host:123\"}", "[1]", -EINVAL, "not a JSON object" },
	{ FENCE, "{\"v\":1,\"term\":7,\"publisher\":\"host:123\"}", "7", -EINVAL, "not JSON" },
	{ FENCE, "}", "} x", -EINVAL, "not JSON" },
	{ FENCE, "}", "}{}", -EINVAL, "not JSON" },
	{ FENCE, "7", "{\"a\":[[[[[[[[1]]]]]]]]}", -EINVAL, "nesting" },
	{ FENCE, "\"v\":1", "\"v\":2", -EPROTONOSUPPORT, "v: format version 2" },
	{ FENCE, "\"v\":1", "\"v\":\"1\"", -EINVAL, "v: string" },
	{ FENCE, "\"v\":1,", "", -EINVAL, "v: missing" },
	{ FENCE, "7", "-1", -EINVAL, "term: -1 is out of range" },
	{ FENCE, "7", "9223372036854775808", -EINVAL, "term: 9223372036854775808 is out of range" },
	{ FENCE, "7", "99999999999999999999999999", -EINVAL, "term: " },
	{ FENCE, "7", "7.0", -EINVAL, "term: double" },
	{ FENCE, "7", "1e3", -EINVAL, "term: double" },
	{ FENCE, "7", "NaN", -EINVAL, "term: " },
	{ FENCE, "host:123", "", -EINVAL, "publisher: 0 characters" },
	{ FENCE, "host:123", "a\\u0000b", -EINVAL, "publisher: character 1 of the string" },
	{ FENCE, "host:123", "\xc3\xb6", -EINVAL, "publisher: character 0" },
	{ FENCE, "host:123", "\xff", -EINVAL, "not JSON" },

	{ HEAD, "\"vni\":100", "\"vni\":0", -EINVAL, "vni: 0 is out of range" },
	{ HEAD, "\"vni\":100", "\"vni\":16777216", -EINVAL, "vni: 16777216 is out of range, 1..16777215" },
	{ HEAD, "\"vni\":100", "\"vni\":[100]", -EINVAL, "vni: array" },
	{ HEAD, "\"vni\":100", "\"vni\":null", -EINVAL, "vni: null" },
	{ HEAD, "\"snapshot\":7", "\"snapshot\":10", -EINVAL, "snapshot: 10 is ahead of epoch 9" },
	{ HEAD, "\"oldest\":8", "\"oldest\":9", -EINVAL, "oldest: 9 leaves a hole" },
	{ HEAD, "\"oldest\":8", "\"oldest\":0", -EINVAL, "oldest: 0 is out of range" },
	{ HEAD, "\"chunks\":2", "\"chunks\":4000000000", -EINVAL, "chunks: 4000000000" },
	{ HEAD, "\"epoch\":9", "\"epoch\":9223372036854775807", -EINVAL, "epoch: " },
	{ HEAD, D1, "00112233445566778899aabbccddeef", -EINVAL, "digest: '" },
	{ HEAD, D2, D2 "0", -EINVAL, "snapshot_digest: '" },
	{ HEAD, D2, "zz" D2, -EINVAL, "snapshot_digest: '" },
	{ HEAD, "c1f", "c1f\\n", -EINVAL, "change: character 3" },
	{ HEAD, "c1f", "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", -EINVAL,
	  "change: 65 characters" },
	{ HEAD, ",\"quota\":0", "", -EINVAL, "quota: missing" },
	{ HEAD, "\"time\":1", "\"time\":-1", -EINVAL, "time: " },
	{ HEAD, "\"flags\":1", "\"flags\":3", -EINVAL, "flags: 0x3" },
	{ HEAD, "\"flags\":1", "\"flags\":true", -EINVAL, "flags: boolean" },

	{ PORTS, "\"h1\"", "\"../x\"", -EINVAL, "host: '../x' is not a host name" },
	{ PORTS, "\"h1\"", "17", -EINVAL, "host: int, a string expected" },
	{ PORTS, "192.0.2.11", "192.0.2.300", -EINVAL, "vtep: '192.0.2.300' is not" },
	{ PORTS, "4789", "65536", -EINVAL, "udp_port: 65536" },
	{ PORTS, "4789", "0", -EINVAL, "udp_port: 0" },
	{ PORTS, "\"id\":2", "\"id\":1", -EINVAL, "ports: id 1 is named twice" },
	{ PORTS, "tap2", "tap1", -EINVAL, "ports: device 'tap1' is named twice" },
	{ PORTS, "tap2", "a/b", -EINVAL, "ports[1].dev: 'a/b'" },
	{ PORTS, "tap2", "0123456789abcdef", -EINVAL, "ports[1].dev: 16 characters" },
	{ PORTS, "\"id\":1", "\"id\":0", -EINVAL, "ports[0].id: 0" },
	{ PORTS, "\"vni\":101", "\"vni\":true", -EINVAL, "ports[1].vni: boolean" },
	{ PORTS, "02:00:00:00:00:01", "03:00:00:00:00:01", -EINVAL, "ports[0].mac: " },
	{ PORTS, "02:00:00:00:00:01", "02:00:00:00:00", -EINVAL, "ports[0].mac: " },
	{ PORTS, "\"flags\":1", "\"flags\":128", -EINVAL, "ports[1].flags: 0x80" },
	{ PORTS, "10.0.0.1\"", "10.0.0.1/24\"", -EINVAL, "ports[0].gateway: " },
	{ PORTS, "\"10.1.0.1\"", "\"::1\"", -EINVAL, "ports[1].gateway6: gateway is an IPv6 address already" },
	{ PORTS, "\"2001:db8::1\"", "\"1.2.3.4\"", -EINVAL, "ports[1].gateway6: not an IPv6 address" },
	{ PORTS, "2001:db8::/64", "10.0.0.0/8", -EINVAL, "ports[1].subnet6: not an IPv6 prefix" },
	{ PORTS, "2001:db8::/64", "2001:db8::1/64", -EINVAL, "ports[1].subnet6: " },
	{ PORTS, "\"vtep\":\"192.0.2.11\"", "\"vtep\":\"::1\"", -EINVAL, "vtep6: vtep is an IPv6 address already" },
	{ PORTS, "\"vtep\":\"192.0.2.11\",", "", -EINVAL, "vtep: missing" },
	{ PORTS, "10.0.0.5/32", "10.0.0.5/24", -EINVAL, "ports[0].addrs: '10.0.0.5/24'" },
	{ PORTS, "[\"10.0.0.5/32\",", "[7,", -EINVAL, "ports[0].addrs: int" },
	{ PORTS, "\"addrs\":[]", "\"addrs\":{}", -EINVAL, "ports[1].addrs: object, array expected" },
	{ PORTS, "[7,200]", "[7,7]", -EINVAL, "vpcs[1]: not ascending" },
	{ PORTS, "[7,200]", "[0,7]", -EINVAL, "vpcs[0]: 0 is out of range" },
	{ PORTS, "[7,200]", "[7,16777216]", -EINVAL, "vpcs[1]: 16777216 is out of range" },
	{ PORTS, "[7,200]", "7", -EINVAL, "vpcs: int, array expected" },
	{ PORTS, "\"ports\":[", "\"ports\":[null,", -EINVAL, "ports[0]: null, object expected" },

	{ STATUS, "00000000deadbeef", "00000000DEADBEEF", -EINVAL, "instance: " },
	{ STATUS, "00000000deadbeef", "deadbeef", -EINVAL, "instance: 8 characters" },
	{ STATUS, "[100,9,", "[100,", -EINVAL, "vpcs[0]: 2 elements, 3 expected" },
	{ STATUS, "[100,9,", "[0,9,", -EINVAL, "vpcs[0].vni: 0" },
	{ STATUS, "[101,1,", "[101,-1,", -EINVAL, "vpcs[1].epoch: -1" },
	{ STATUS, "[101,1,\"ff", "[101,1,\"xx", -EINVAL, "vpcs[1].digest: 'xx" },
	{ STATUS, "[[100", "[3,[100", -EINVAL, "vpcs[0]: int, an array of 3 expected" },
	{ STATUS, "[100,7,9,", "[100,7,", -EINVAL, "recent[0]: 5 elements, 6 expected" },
	{ STATUS, "[100,7,9,", "[0,7,9,", -EINVAL, "recent[0].vni: 0" },
	{ STATUS, "[101,0,1,", "[101,-1,1,", -EINVAL, "recent[1].base: -1" },
	{ STATUS, "\"c1f\"", "7", -EINVAL, "recent[0].change: int" },
	{ STATUS, "c1f", "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", -EINVAL,
	  "recent[0].change: longer than 64" },
	{ STATUS, "1767225600004", "\"late\"", -EINVAL, "recent[1].applied: string" },
};

static void test_refusals(void **state)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refusals); i++) {
		_cleanup_free_ char *text = replace(docs[refusals[i].doc].text, refusals[i].from, refusals[i].to);
		struct vpc_err err = {};
		int r;

		r = parse(refusals[i].doc, text, strlen(text), &err);
		if (r != refusals[i].res || !strstr(err.text, refusals[i].says) || strchr(err.text, '\n'))
			fail_msg("%s\n  -> %d '%s', expected %d '%s'", text, r, err.text, refusals[i].res,
				 refusals[i].says);
	}
}

/* What must be accepted although it looks odd. */
static void test_accepted(void **state)
{
	static const struct {
		enum doc doc;
		const char *from, *to;
	} cases[] = {
		{ FENCE, "{", " {\n\t" },
		{ FENCE, "}", ",\"new\":{\"of\":[\"a newer\",1.5,null]}}" },
		{ FENCE, "7", "9223372036854775807" },
		{ FENCE, "host:123", "\\u0068\\\\\\\"" },
		{ HEAD, "\"oldest\":8", "\"oldest\":1" },
		{ HEAD, "c1f", "" },
		{ HEAD, ",\"flags\":1", "" },
		{ PORTS, ",\"vpcs\":[7,200]", "" },
		{ PORTS, "\"revision\":3", "\"revision\":0" },
		{ PORTS, "192.0.2.11\",\"vtep6\":\"2001:db8::b", "2001:db8::1" },
		{ STATUS, "[[100", "[[102,1,\"" D1 "\"],[100" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = replace(docs[cases[i].doc].text, cases[i].from, cases[i].to);
		struct vpc_err err = {};

		if (parse(cases[i].doc, text, strlen(text), &err))
			fail_msg("%s\n  -> '%s'", text, err.text);
	}
}

static void test_too_long(void **state)
{
	static const size_t max[] = { VPC_ZNODE_FENCE_MAX, VPC_ZNODE_HEAD_MAX, VPC_ZNODE_PORTS_MAX,
				      VPC_ZNODE_STATUS_MAX };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(docs); i++) {
		_cleanup_free_ char *text = malloc(max[i] + 1);
		struct vpc_err err = {};

		memset(text, ' ', max[i] + 1);
		memcpy(text + max[i] - strlen(docs[i].text), docs[i].text, strlen(docs[i].text));
		assert_int_equal(parse(docs[i].doc, text, max[i], &err), 0);
		assert_int_equal(parse(docs[i].doc, text, max[i] + 1, &err), -E2BIG);
		assert_non_null(strstr(err.text, "at most"));
	}
}

/* The writer refuses what it cannot say, rather than writing what no reader takes. */
static void test_format_refusals(void **state)
{
	struct vpc_fence fence = { .term = (uint64_t)INT64_MAX + 1, .publisher = "p" };
	struct vpc_host_ports ports = { .host = "h1", .vtep4 = { .family = AF_INET }, .udp_port = 1 };
	size_t len = 77;
	char *text = NULL;

	assert_int_equal(vpc_fence_format(&fence, &text, &len), -EINVAL);
	fence = (struct vpc_fence){ .term = 1, .publisher = "tab\there" };
	assert_int_equal(vpc_fence_format(&fence, &text, &len), -EINVAL);
	fence = (struct vpc_fence){ .term = 1, .publisher = "\xc3\xb6" };
	assert_int_equal(vpc_fence_format(&fence, &text, &len), -EINVAL);
	ports.n_ports = 10000;
	ports.ports = calloc(ports.n_ports, sizeof(*ports.ports));
	assert_int_equal(vpc_host_ports_format(&ports, &text, &len), -E2BIG);
	assert_null(text);
	assert_int_equal(len, 77);
	vpc_host_ports_clear(&ports);
}

/* A failed parse leaves the output as it was. */
static void test_output_untouched(void **state)
{
	struct vpc_head head, before;

	memset(&head, 0x5a, sizeof(head));
	before = head;
	assert_int_equal(vpc_head_parse(head_doc, strlen(head_doc) - 1, &head, NULL), -EINVAL);
	assert_memory_equal(&head, &before, sizeof(head));
}

/* A delta's text with the epoch @epoch, of @len bytes or a few more. */
static char *delta_text(uint64_t epoch, size_t len)
{
	struct vpc_delta delta;
	size_t got = 0;
	char *text = NULL;

	vpc_delta_init(&delta, 7);
	delta.base = epoch - 1;
	delta.epoch = epoch;
	for (uint32_t i = 0; got < len; i++) {
		const struct vpc_route route = { 1, 1, { AF_INET, 32, { 10, 0, i >> 8, i } } };

		free(text);
		assert_int_equal(vpc_delta_set_route(&delta, &route), 0);
		assert_int_equal(vpc_delta_format(&delta, &text, &got), 0);
	}
	vpc_delta_clear(&delta);
	return text;
}

/* HEAD takes the newest deltas that fit, and gives back those that one lacks; it stays within its limit. */
static void test_head_last(void **state)
{
	struct vpc_head head = { .vni = 7, .epoch = 30, .oldest = 1, .change = "c1" }, again;
	struct vpc_last last = { .n = 0 }, read;
	struct vpc_delta *deltas;
	struct vpc_err err;
	size_t len, n;
	char *text;

	for (uint64_t epoch = 1; epoch <= 30; epoch++) {
		text = delta_text(epoch, 250 + epoch * 7);
		vpc_last_push(&last, text);
		free(text);
		assert_true(last.n && last.n <= VPC_LAST_MAX && strlen(last.text) < VPC_LAST_BYTES);
	}
	assert_int_equal(vpc_head_format_last(&head, &last, &text, &len), 0);
	assert_true(len <= VPC_ZNODE_HEAD_MAX);
	assert_int_equal(vpc_head_parse(text, len, &again, &err), 0);
	assert_int_equal(again.epoch, 30);
	assert_int_equal(vpc_head_last(text, len, 28, &deltas, &n, &err), 0);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(deltas[i].epoch, 29 + i);
		vpc_delta_clear(&deltas[i]);
	}
	free(deltas);
	assert_int_equal(vpc_head_last(text, len, 30, &deltas, &n, &err), 0);
	assert_int_equal(n, 0);
	free(deltas);
	/* As the publisher reads its own. */
	vpc_last_parse(text, len, &read);
	assert_int_equal(read.n, last.n);
	assert_string_equal(read.text, last.text);
	/* One that is torn is none. */
	strstr(text, "\"base\"")[1] = 'x';
	assert_int_equal(vpc_head_last(text, len, 0, &deltas, &n, &err), -EINVAL);
	free(text);
	text = delta_text(31, VPC_LAST_BYTES);
	vpc_last_push(&last, text);
	assert_int_equal(last.n, 0);
	free(text);
	assert_int_equal(vpc_head_format_last(&head, &last, &text, &len), 0);
	assert_null(strstr(text, "last"));
	assert_int_equal(vpc_head_last(text, len, 0, &deltas, &n, &err), 0);
	assert_int_equal(n, 0);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),		cmocka_unit_test(test_host_names),
		cmocka_unit_test(test_round_trip),	cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_mutated),		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_accepted),	cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_format_refusals), cmocka_unit_test(test_output_untouched),
		cmocka_unit_test(test_head_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
