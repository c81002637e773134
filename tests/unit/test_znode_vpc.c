// SPDX-License-Identifier: Apache-2.0
/*
 * Snapshot chunks and deltas: random states through the codec and back, chunk boundaries at their limit, refusals
 * by name, truncation at every byte, and 900,000 routes within a time that leaves room for the sanitizers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/util.h"
#include "../../proto/znode.h"

static uint32_t seed;

/* xorshift32: the same cases every time. */
static uint32_t rnd(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % below;
}

static struct vpc_prefix random_prefix(void)
{
	struct vpc_prefix p = { .family = rnd(2) ? AF_INET : AF_INET6 };
	unsigned int i, bits = vpc_family_bits(p.family);

	p.plen = rnd(bits + 1);
	for (i = 0; i < p.plen; i++)
		if (rnd(2))
			p.bytes[i / 8] |= 0x80 >> i % 8;
	return p;
}

static struct vpc_nl_nexthop random_nexthop(uint32_t id)
{
	static const uint8_t types[] = { VPC_NEXTHOP_LOCAL,    VPC_NEXTHOP_HOST,       VPC_NEXTHOP_GATEWAY,
					 VPC_NEXTHOP_PEER,     VPC_NEXTHOP_GROUP,      VPC_NEXTHOP_BLACKHOLE,
					 VPC_NEXTHOP_PROHIBIT, VPC_NEXTHOP_UNREACHABLE };
	struct vpc_nl_nexthop nh = { .id = id, .op = VPC_OP_SET, .type = types[rnd(ARRAY_SIZE(types))] };
	size_t i;

	if (nh.type == VPC_NEXTHOP_HOST || nh.type == VPC_NEXTHOP_GATEWAY) {
		nh.family = rnd(2) ? AF_INET : AF_INET6;
		for (i = 0; i < vpc_family_bits(nh.family) / 8; i++)
			nh.addr[i] = rnd(256);
		nh.vni = rnd(2) ? rnd(VPC_VNI_MAX + 1) : 0;
		for (i = 0; i < 6 && rnd(4); i++)
			nh.mac[i] = rnd(256);
	} else if (nh.type == VPC_NEXTHOP_PEER) {
		nh.vni = 1 + rnd(VPC_VNI_MAX);
		nh.table = rnd(UINT32_MAX);
	}
	return nh;
}

/* Nexthops, and routes some of which may be drawn twice; those are left out. */
static void random_state(struct vpc_state *state, size_t n_nexthops, size_t n_routes)
{
	struct vpc_route route;
	uint32_t id = 0;
	size_t i, n = 0;

	vpc_state_init(state, 1 + rnd(VPC_VNI_MAX));
	state->epoch = 1 + rnd(1000000);
	for (i = 0; i < n_nexthops; i++) {
		struct vpc_nl_nexthop nh;

		id += 1 + rnd(1000);
		nh = random_nexthop(id);
		assert_int_equal(vpc_state_add_nexthop(state, &nh), 0);
	}
	for (i = 0; i < n_routes; i++) {
		route = (struct vpc_route){ .table = rnd(3),
					    .nexthop = 1 + rnd(UINT32_MAX - 1),
					    .prefix = random_prefix() };
		assert_int_equal(vpc_state_add_route(state, &route), 0);
	}
	for (i = 1; i < state->n_routes; i++) { /* insertion is enough for these sizes */
		size_t j = i;

		for (; j && vpc_route_cmp(&state->routes[j - 1], &state->routes[j]) > 0; j--) {
			route = state->routes[j];
			state->routes[j] = state->routes[j - 1];
			state->routes[j - 1] = route;
		}
	}
	for (i = 0; i < state->n_routes; i++)
		if (!n || vpc_route_cmp(&state->routes[n - 1], &state->routes[i]))
			state->routes[n++] = state->routes[i];
	state->n_routes = n;
}

static void assert_states_equal(const struct vpc_state *a, const struct vpc_state *b)
{
	size_t i;

	assert_int_equal(a->n_nexthops, b->n_nexthops);
	assert_int_equal(a->n_members, b->n_members);
	assert_int_equal(a->n_routes, b->n_routes);
	if (a->n_members)
		assert_memory_equal(a->members, b->members, a->n_members * sizeof(*a->members));
	for (i = 0; i < a->n_nexthops; i++)
		assert_true(vpc_nexthop_equal(&a->nexthops[i], &b->nexthops[i]));
	for (i = 0; i < a->n_routes; i++) {
		assert_int_equal(vpc_route_cmp(&a->routes[i], &b->routes[i]), 0);
		assert_int_equal(a->routes[i].nexthop, b->routes[i].nexthop);
	}
}

/* Format @state into chunks and parse them into @ret, the last one first when @backwards. */
static uint32_t through_chunks(const struct vpc_state *state, bool backwards, struct vpc_state *ret)
{
	size_t pos = 0, n = state->n_nexthops + state->n_members + state->n_routes, len[64];
	uint32_t i, chunks = 0;
	struct vpc_err err;
	char *text[64];

	vpc_state_init(ret, state->vni);
	ret->epoch = state->epoch;
	do {
		assert_true(chunks < ARRAY_SIZE(text));
		assert_int_equal(vpc_chunk_format(state, chunks, &pos, &text[chunks], &len[chunks]), 0);
		assert_int_equal(strlen(text[chunks]), len[chunks]);
		assert_true(len[chunks] <= VPC_ZNODE_CHUNK_MAX);
		chunks++;
	} while (pos < n);
	for (i = 0; i < chunks; i++) {
		uint32_t c = backwards ? chunks - 1 - i : i;

		if (vpc_chunk_parse(text[c], len[c], c, ret, &err))
			fail_msg("chunk %u: %s", c, err.text);
		free(text[c]);
	}
	assert_int_equal(vpc_state_sort(ret, &err), 0);
	return chunks;
}

static void test_chunk_round_trip(void **arg)
{
	static const struct {
		size_t nexthops, members, routes;
	} sizes[] = { { 0, 0, 0 },    { 1, 0, 0 },	    { 0, 0, 1 },       { 0, 1, 0 },
		      { 3, 7, 50 },   { 200, 300, 3000 },   { 6000, 0, 40 },   { 6000, 9000, 40 },
		      { 9, 60000, 0 } };
	struct vpc_state state, back;
	size_t i;
	int round;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (round = 0; round < 4; round++) {
			seed = 1 + i * 10 + round;
			random_state(&state, sizes[i].nexthops, sizes[i].routes);
			for (uint32_t m = 0; m < sizes[i].members; m++) {
				struct vpc_nl_member member = { 1 + m / 100, 1 + m, 1 + m % VPC_WEIGHT_MAX };

				vpc_state_add_member(&state, &member);
			}
			through_chunks(&state, round & 1, &back);
			assert_states_equal(&state, &back);
			vpc_state_clear(&state);
			vpc_state_clear(&back);
		}
	}
}

/* Chunks are as full as the limit allows: no element that would have fitted goes to the next. */
static void test_chunk_limit(void **arg)
{
	struct vpc_state state, back;
	size_t pos = 0, len, last = 0;
	uint32_t i, chunk = 0;
	char *text;

	vpc_state_init(&state, 1);
	state.epoch = 1;
	for (i = 0; i < 60000; i++) {
		struct vpc_route route = {
			.table = 1,
			.nexthop = 1000000000,
			.prefix = { .family = AF_INET, .plen = 32, .bytes = { 100, 100 + (i >> 16), i >> 8, i } }
		};

		assert_int_equal(vpc_state_add_route(&state, &route), 0);
	}
	while (pos < state.n_routes) {
		if (last)
			assert_true(last + sizeof(",[1,\"100.100.255.255/32\",1000000000]") > VPC_ZNODE_CHUNK_MAX);
		assert_int_equal(vpc_chunk_format(&state, chunk++, &pos, &text, &len), 0);
		last = len;
		free(text);
	}
	assert_true(chunk > 4);
	assert_int_equal(through_chunks(&state, false, &back), chunk);
	assert_states_equal(&state, &back);
	vpc_state_clear(&state);
	vpc_state_clear(&back);
}

static void test_speed(void **arg)
{
	const uint32_t n = 900000;
	struct vpc_state state;
	uint64_t start, formatted = 0, parsed = 0;
	size_t pos = 0, len;
	uint32_t i, chunk;
	struct vpc_err err;
	struct vpc_state back;
	char *text;

	vpc_state_init(&state, 1);
	state.epoch = 1;
	for (i = 0; i < n; i++) {
		struct vpc_route route = { .table = 1,
					   .nexthop = 1 + i % 250,
					   .prefix = {
						   .family = AF_INET, .plen = 24, .bytes = { i >> 16, i >> 8, i } } };

		assert_int_equal(vpc_state_add_route(&state, &route), 0);
	}
	vpc_state_init(&back, 1);
	back.epoch = 1;
	for (chunk = 0; pos < n; chunk++) {
		start = now_monotonic_us();
		assert_int_equal(vpc_chunk_format(&state, chunk, &pos, &text, &len), 0);
		formatted += now_monotonic_us() - start;
		start = now_monotonic_us();
		assert_int_equal(vpc_chunk_parse(text, len, chunk, &back, &err), 0);
		parsed += now_monotonic_us() - start;
		free(text);
	}
	print_message("%u routes in %u chunks: formatted in %" PRIu64 " ms, parsed in %" PRIu64 " ms\n", n, chunk,
		      formatted / 1000, parsed / 1000);
	assert_int_equal(back.n_routes, n);
	assert_true(parsed < 30000000);
	vpc_state_clear(&state);
	vpc_state_clear(&back);
}

static void random_delta(struct vpc_delta *delta)
{
	struct vpc_state state;
	size_t i;

	random_state(&state, rnd(40), rnd(300));
	vpc_delta_init(delta, state.vni);
	delta->base = rnd(1000);
	delta->epoch = delta->base + 1 + rnd(3);
	delta->digest = (struct vpc_digest){ { rnd(UINT32_MAX), (uint64_t)rnd(UINT32_MAX) << 32 } };
	snprintf(delta->change, sizeof(delta->change), "c%u\"\\", rnd(1000));
	delta->time_ms = rnd(2) ? 1767225600000 + rnd(1000) : 0;
	for (i = 0; i < state.n_nexthops; i++)
		assert_int_equal(rnd(2) ? vpc_delta_set_nexthop(delta, &state.nexthops[i])
					: vpc_delta_del_nexthop(delta, state.nexthops[i].id),
				 0);
	for (i = 0; i < state.n_routes; i++)
		assert_int_equal(rnd(2) ? vpc_delta_set_route(delta, &state.routes[i])
					: vpc_delta_del_route(delta, state.routes[i].table, &state.routes[i].prefix),
				 0);
	vpc_state_clear(&state);
}

static void test_delta_round_trip(void **arg)
{
	int i;

	for (i = 1; i < 200; i++) {
		_cleanup_free_ char *text = NULL, *again = NULL;
		struct vpc_delta delta, back;
		size_t len, again_len;
		struct vpc_err err;

		seed = i;
		random_delta(&delta);
		assert_int_equal(vpc_delta_format(&delta, &text, &len), 0);
		if (vpc_delta_parse(text, len, &back, &err))
			fail_msg("%s\n%s", err.text, text);
		assert_int_equal(back.n_nexthops, delta.n_nexthops);
		assert_int_equal(back.n_routes, delta.n_routes);
		assert_string_equal(back.change, delta.change);
		assert_int_equal(back.time_ms, delta.time_ms);
		assert_int_equal(back.base, delta.base);
		assert_int_equal(back.digest.h[1], delta.digest.h[1]);
		/* Parsing sorts operations into set and del and nothing else, so the text is a fixed point. */
		assert_int_equal(vpc_delta_format(&back, &again, &again_len), 0);
		assert_string_equal(again, text);
		vpc_delta_clear(&delta);
		vpc_delta_clear(&back);
	}
}

static void test_delta_too_big(void **arg)
{
	struct vpc_delta delta;
	char *text = NULL;
	size_t len = 0;
	uint32_t i;

	vpc_delta_init(&delta, 1);
	delta.epoch = 1;
	for (i = 0; i < 5000; i++) {
		struct vpc_route route = { .table = 1,
					   .nexthop = 1,
					   .prefix = { .family = AF_INET, .plen = 32, .bytes = { 10, 0, i >> 8, i } } };

		assert_int_equal(vpc_delta_set_route(&delta, &route), 0);
	}
	assert_int_equal(vpc_delta_format(&delta, &text, &len), -E2BIG);
	assert_null(text);
	vpc_delta_clear(&delta);
}

#define D1 "00112233445566778899aabbccddeeff"

static const char delta_doc[] =
	"{\"v\":1,\"vni\":100,\"base\":8,\"epoch\":9,\"digest\":\"" D1 "\",\"change\":\"c1\",\"nexthops\":{\"set\":["
	"{\"id\":5,\"type\":\"gateway\",\"vtep\":\"192.0.2.9\",\"mac\":\"02:00:00:00:00:09\",\"vni\":7},"
	"{\"id\":6,\"type\":\"peer\",\"vni\":101,\"table\":2},{\"id\":7,\"type\":\"blackhole\"}],\"del\":[8]},"
	"\"members\":{\"set\":[[9,5,1],[9,6,256]],\"del\":[[9,8]]},"
	"\"routes\":{\"set\":[[1,\"10.0.0.0/24\",5],[1,\"2001:db8::/32\",6]],\"del\":[[0,\"10.9.0.0/16\"]]}}";
static const char chunk_doc[] =
	"{\"v\":1,\"vni\":100,\"epoch\":7,\"chunk\":0,\"nexthops\":["
	"{\"id\":5,\"type\":\"host\",\"vtep\":\"192.0.2.9\"},"
	"{\"id\":6,\"type\":\"local\"}],\"members\":[[7,5,3],[7,6,1]],"
	"\"routes\":[[0,\"10.0.0.1/32\",5],[1,\"10.0.0.0/24\",6]]}";

static int parse_delta(const char *data, size_t len, struct vpc_err *err)
{
	struct vpc_delta delta;
	int r;

	r = vpc_delta_parse(data, len, &delta, err);
	if (!r)
		vpc_delta_clear(&delta);
	return r;
}

/* On failure the state that the chunk would have been appended to must be what it was. */
static int parse_chunk(const char *data, size_t len, struct vpc_err *err)
{
	struct vpc_route route = { .table = 0,
				   .nexthop = 5,
				   .prefix = { .family = AF_INET, .plen = 8, .bytes = { 9 } } };
	struct vpc_state state;
	int r;

	vpc_state_init(&state, 100);
	state.epoch = 7;
	assert_int_equal(vpc_state_add_route(&state, &route), 0);
	r = vpc_chunk_parse(data, len, 0, &state, err);
	assert_int_equal(state.n_routes, r ? 1 : 3);
	assert_int_equal(state.n_nexthops, r ? 0 : 2);
	assert_int_equal(state.n_members, r ? 0 : 2);
	vpc_state_clear(&state);
	return r;
}

/* Both documents come out of the formatter as they went into the parser. */
static void test_documents(void **arg)
{
	struct vpc_delta delta;
	struct vpc_state state;
	struct vpc_err err;
	size_t len, pos = 0;
	char *text;

	assert_int_equal(vpc_delta_parse(delta_doc, strlen(delta_doc), &delta, &err), 0);
	assert_int_equal(delta.n_members, 3);
	assert_int_equal(delta.members[2].op, VPC_OP_DEL);
	assert_int_equal(vpc_delta_format(&delta, &text, &len), 0);
	assert_string_equal(text, delta_doc);
	free(text);
	vpc_delta_clear(&delta);
	vpc_state_init(&state, 100);
	state.epoch = 7;
	assert_int_equal(vpc_chunk_parse(chunk_doc, strlen(chunk_doc), 0, &state, &err), 0);
	assert_int_equal(vpc_chunk_format(&state, 0, &pos, &text, &len), 0);
	assert_int_equal(pos, 6);
	assert_string_equal(text, chunk_doc);
	free(text);
	vpc_state_clear(&state);
}

static void test_truncated_and_mutated(void **arg)
{
	static const struct {
		const char *text;
		int (*parse)(const char *data, size_t len, struct vpc_err *err);
	} docs[] = { { delta_doc, parse_delta }, { chunk_doc, parse_chunk } };
	static const char with[] = { 0, '"', '}', '[', '9', '-', '\\', (char)0xff };
	size_t i, n, w;

	for (i = 0; i < ARRAY_SIZE(docs); i++) {
		size_t len = strlen(docs[i].text);
		struct vpc_err err = {};

		if (docs[i].parse(docs[i].text, len, &err))
			fail_msg("%s", err.text);
		for (n = 0; n < len; n++) {
			char *copy = malloc(len);

			memcpy(copy, docs[i].text, n);
			assert_int_equal(docs[i].parse(copy, n, &err), -EINVAL);
			free(copy);
			copy = malloc(len);
			memcpy(copy, docs[i].text, len);
			for (w = 0; w < sizeof(with) && docs[i].parse == parse_delta; w++) {
				copy[n] = with[w];
				docs[i].parse(copy, len, &err);
			}
			free(copy);
		}
	}
}

static const struct {
	const char *doc, *from, *to, *says;
} refusals[] = {
	{ delta_doc, "\"epoch\":9", "\"epoch\":0", "epoch: 0" },
	{ delta_doc, "\"base\":8", "\"base\":9", "base: 9 is out of range" },
	{ delta_doc, "\"nexthops\":{", "\"nexthops\":[],\"x\":{", "nexthops: array, object expected" },
	{ delta_doc, "\"del\":[8]", "\"del\":8", "nexthops: del: int" },
	{ delta_doc, "\"del\":[8]", "\"add\":[8]", "nexthops: del: missing" },
	{ delta_doc, "\"del\":[8]", "\"del\":[0]", "nexthops.del[0]: 0" },
	{ delta_doc, "\"del\":[8]", "\"del\":[4294967296]", "nexthops.del[0]: 4294967296" },
	{ delta_doc, "\"del\":[8]", "\"del\":[5]", "nexthops: nexthop 5 is named twice" },
	{ delta_doc, "\"id\":6", "\"id\":5", "nexthops: nexthop 5 is named twice" },
	{ delta_doc, "\"id\":6", "\"id\":0", "nexthops.set[1].id: 0" },
	{ delta_doc, "\"type\":\"peer\"", "\"type\":\"pear\"", "nexthops.set[1].type: unknown nexthop type 'pear'" },
	{ delta_doc, "\"type\":\"peer\"", "\"type\":\"aaaaaaaaaaaaaaaaaaaaaaa\"",
	  "nexthops.set[1].type: 23 characters" },
	{ delta_doc, "\"type\":\"peer\"", "\"type\":\"local\"",
	  "nexthops.set[1].vni: a nexthop of type local has none" },
	{ delta_doc, "\"type\":\"peer\"", "\"type\":\"host\"", "nexthops.set[1].vtep: missing" },
	{ delta_doc, "\"vni\":101,\"table\":2", "\"vni\":101", "nexthops.set[1].table: missing" },
	{ delta_doc, "\"vni\":101,\"table\":2", "\"vni\":0,\"table\":2", "nexthops.set[1].vni: 0" },
	{ delta_doc, "192.0.2.9", "192.0.2", "nexthops.set[0].vtep: '192.0.2'" },
	{ delta_doc, "02:00:00:00:00:09", "02-00", "nexthops.set[0].mac: " },
	{ delta_doc, "\"members\":{", "\"members\":[],\"x\":{", "members: array, object expected" },
	{ delta_doc, "[9,5,1]", "[9,5]", "members.set[0]: 2 elements, 3 expected" },
	{ delta_doc, "[9,5,1]", "[0,5,1]", "members.set[0].group: 0" },
	{ delta_doc, "[9,5,1]", "[9,0,1]", "members.set[0].nexthop: 0" },
	{ delta_doc, "[9,6,256]", "[9,6,257]", "members.set[1].weight: 257" },
	{ delta_doc, "[9,6,256]", "[9,6,0]", "members.set[1].weight: 0" },
	{ delta_doc, "[9,6,256]", "[9,5,256]", "members: nexthop 5 of group 9 is named twice" },
	{ delta_doc, "[[9,8]]", "[[9,5]]", "members: nexthop 5 of group 9 is named twice" },
	{ delta_doc, "[[9,8]]", "[9]", "members.del[0]: int" },
	{ chunk_doc, "\"members\":[", "\"members\":{},\"x\":[", "members: object, array expected" },
	{ chunk_doc, "[7,5,3]", "[7,6,3]", "members[1]: not sorted, or twice" },
	{ chunk_doc, "[7,5,3]", "[8,5,3]", "members[1]: not sorted" },
	{ chunk_doc, "[7,6,1]", "[7,6,true]", "members[1].weight: boolean" },
	{ delta_doc, "10.0.0.0/24", "10.0.0.1/24", "routes.set[0]: '10.0.0.1/24'" },
	{ delta_doc, "10.0.0.0/24", "10.0.0.0/33", "routes.set[0]: " },
	{ delta_doc, "2001:db8::/32", "2001:db8::1/32", "routes.set[1]: " },
	{ delta_doc, "\"10.0.0.0/24\",5", "\"10.0.0.0/24\",0", "routes.set[0].nexthop: 0" },
	{ delta_doc, "\"10.0.0.0/24\",5", "\"10.0.0.0/24\"", "routes.set[0]: 2 elements, 3 expected" },
	{ delta_doc, "[1,\"10.0.0.0/24\"", "[-1,\"10.0.0.0/24\"", "routes.set[0].table: -1" },
	{ delta_doc, "[1,\"10.0.0.0/24\"", "[1,10", "routes.set[0]: int, a string expected" },
	{ delta_doc, "[0,\"10.9.0.0/16\"]", "[1,\"10.0.0.0/24\"]", "routes: '10.0.0.0/24' of table 1 is named twice" },
	{ delta_doc, "[0,\"10.9.0.0/16\"]", "[0,\"10.9.0.0/16\",5]", "routes.del[0]: 3 elements, 2 expected" },
	{ delta_doc, "[0,\"10.9.0.0/16\"]", "{}", "routes.del[0]: object" },
	{ chunk_doc, "\"vni\":100", "\"vni\":101", "vni: 101, 100 expected" },
	{ chunk_doc, "\"epoch\":7", "\"epoch\":8", "epoch: 8, 7 expected" },
	{ chunk_doc, "\"chunk\":0", "\"chunk\":1", "chunk: 1, 0 expected" },
	{ chunk_doc, "\"id\":5", "\"id\":6", "nexthops[1]: not sorted, or twice" },
	{ chunk_doc, "\"id\":5", "\"id\":7", "nexthops[1]: not sorted" },
	{ chunk_doc, "[0,\"10.0.0.1/32\"", "[2,\"10.0.0.1/32\"", "routes[1]: not sorted" },
	{ chunk_doc, "[1,\"10.0.0.0/24\"", "[0,\"10.0.0.1/32\"", "routes[1]: not sorted, or twice" },
	{ chunk_doc, "[0,\"10.0.0.1/32\",5]", "\"route\"", "routes[0]: string" },
	{ chunk_doc, "\"nexthops\":[", "\"nexthops\":[null,", "nexthops[0]: null, object expected" },
	{ chunk_doc, "\"routes\":[[0,\"10.0.0.1/32\",5],[1,\"10.0.0.0/24\",6]]", "\"routes\":{}",
	  "routes: object, array" },
};

static void test_refusals(void **arg)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refusals); i++) {
		const char *doc = refusals[i].doc, *at = strstr(doc, refusals[i].from);
		_cleanup_free_ char *text = NULL;
		struct vpc_err err = {};
		int r;

		assert_non_null(at);
		assert_true(asprintf(&text, "%.*s%s%s", (int)(at - doc), doc, refusals[i].to,
				     at + strlen(refusals[i].from)) > 0);
		r = doc == delta_doc ? parse_delta(text, strlen(text), &err) : parse_chunk(text, strlen(text), &err);
		if (r != -EINVAL || !strstr(err.text, refusals[i].says))
			fail_msg("%s\n  -> %d '%s', expected '%s'", text, r, err.text, refusals[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunk_round_trip),
		cmocka_unit_test(test_chunk_limit),
		cmocka_unit_test(test_speed),
		cmocka_unit_test(test_delta_round_trip),
		cmocka_unit_test(test_delta_too_big),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_truncated_and_mutated),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
