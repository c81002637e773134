// SPDX-License-Identifier: Apache-2.0
/*
 * Requests of the netlink client against golden bytes, and its parsers against answers that are right, lack something,
 * have the wrong size, are cut off at every byte or have bytes turned over.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netlink/msg.h>
#include <stdio.h>

#include "fake_kernel.h"
#include "../../lib/digest.h"
#include "../../lib/util.h"

/* -- requests ------------------------------------------------------------------------------------------------------ */

/* @golden: hex of a little-endian machine, blanks anywhere; the length in the header is written as "LLLLLLLL". */
static void check_golden(struct nl_msg *msg, const char *golden)
{
	const uint8_t *bytes = (const uint8_t *)nlmsg_hdr(msg);
	uint32_t len = nlmsg_hdr(msg)->nlmsg_len;
	char want[4096], have[4096] = "";
	size_t n = 0;

	for (; *golden; golden++)
		if (*golden != ' ')
			want[n++] = *golden;
	want[n] = 0;
	assert_memory_equal(want, "LLLLLLLL", 8);
	assert_int_equal(n / 2, len);
	for (size_t i = 0; i < len; i++)
		sprintf(have + 2 * i, i < 4 ? "LL" : "%02x", bytes[i]);
	assert_string_equal(have, want);
	nlmsg_free(msg);
}

#define HEAD(flags, cmd) "LLLLLLLL 3412 " flags " 00000000 00000000" cmd "01 0000"
#define ACK		 "0500"
#define DUMP		 "0103"

static void test_golden_simple(void **arg)
{
	struct vpc_addr vtep = { AF_INET, { 192, 0, 2, 1 } }, vtep6 = { AF_INET6, { 0x20, 1, [15] = 1 } }, none = { 0 };
	const uint32_t strict = VPC_F_STRICT;
	struct nl_msg *msg;

	assert_int_equal(kernel_msg_plain(FAKE_FAMILY, VPC_CMD_HOST_GET, NLM_F_ACK, &msg), 0);
	check_golden(msg, HEAD(ACK, "02"));
	assert_int_equal(kernel_msg_plain(FAKE_FAMILY, VPC_CMD_VPC_GET, NLM_F_DUMP, &msg), 0);
	check_golden(msg, HEAD(DUMP, "05"));
	assert_int_equal(kernel_msg_vni(FAKE_FAMILY, VPC_CMD_ROUTE_GET, NLM_F_DUMP, 0x654321, &msg), 0);
	check_golden(msg, HEAD(DUMP, "0d") "0800 0200 21436500");
	assert_int_equal(kernel_msg_vni(FAKE_FAMILY, VPC_CMD_VPC_DEL, NLM_F_ACK, 100, &msg), 0);
	check_golden(msg, HEAD(ACK, "04") "0800 0200 64000000");
	assert_int_equal(kernel_msg_host_set(FAKE_FAMILY, &vtep, &none, 4789, &msg), 0);
	check_golden(msg, HEAD(ACK, "01") "1400 1680 0800 0100 c0000201 0600 0300 b512 0000");
	assert_int_equal(kernel_msg_host_set(FAKE_FAMILY, &none, &vtep6, 4789, &msg), 0);
	check_golden(msg, HEAD(ACK, "01") "2000 1680 1400 0200 20010000000000000000000000000001 0600 0300 b512 0000");
	assert_int_equal(kernel_msg_host_set(FAKE_FAMILY, &vtep, &vtep6, 4789, &msg), 0);
	check_golden(msg, HEAD(ACK, "01") "2800 1680 0800 0100 c0000201 1400 0200 20010000000000000000000000000001"
					  "0600 0300 b512 0000");
	assert_int_equal(kernel_msg_vpc_new(FAKE_FAMILY, NLM_F_ACK, 100, 1ULL << 40, NULL, &msg), 0);
	check_golden(msg, HEAD(ACK, "03") "0800 0200 64000000 0c00 0700 0000000000010000");
	assert_int_equal(kernel_msg_vpc_new(FAKE_FAMILY, NLM_F_ACK | NLM_F_REPLACE | NLM_F_CREATE, 100, 1 << 30,
					    &strict, &msg),
			 0);
	check_golden(msg, HEAD("0505", "03") "0800 0200 64000000 0c00 0700 0000004000000000 0800 1e00 01000000");
}

static void test_golden_port(void **arg)
{
	struct vpc_prefix addrs[] = { { AF_INET, 32, { 10, 0, 0, 5 } }, { AF_INET6, 64, { 0x20, 1, 0xd, 0xb8 } } };
	struct vpc_port port = { .id = 9,
				 .vni = 100,
				 .dev = "tap1",
				 .mac = { 2, 0, 0, 0, 0, 5 },
				 .table = 1,
				 .flags = VPC_PORT_F_NO_SOURCE_CHECK,
				 .gateway4 = { AF_INET, { 10, 0, 0, 1 } },
				 .addrs = addrs,
				 .n_addrs = 2 };
	struct nl_msg *msg;

	assert_int_equal(kernel_msg_port_set(FAKE_FAMILY, &port, &msg), 0);
	check_golden(msg, HEAD("0501", "06") "6800 1780 0900 0100 74617031 00 000000 0800 0300 64000000"
					     "0a00 0400 020000000005 0000 0800 0500 01000000 0800 0600 01000000"
					     "2c00 0700 02200000 0a000005 000000000000000000000000"
					     "0a400000 20010db8000000000000000000000000 0800 0800 0a000001");
	port.n_addrs = 0;
	port.gateway4.family = 0;
	port.gateway6 = (struct vpc_addr){ AF_INET6, { 0x20, 1, [15] = 1 } };
	port.subnet6 = (struct vpc_prefix){ AF_INET6, 64, { 0x20, 1 } };
	assert_int_equal(kernel_msg_port_set(FAKE_FAMILY, &port, &msg), 0);
	check_golden(msg, HEAD("0501", "06") "6400 1780 0900 0100 74617031 00 000000 0800 0300 64000000"
					     "0a00 0400 020000000005 0000 0800 0500 01000000 0800 0600 01000000"
					     "0400 0700 1400 0900 20010000000000000000000000000001"
					     "1800 0a00 0a400000 20010000000000000000000000000000");
	port.n_addrs = VPC_PORT_ADDRS_MAX + 1;
	assert_int_equal(kernel_msg_port_set(FAKE_FAMILY, &port, &msg), -E2BIG);
	assert_int_equal(kernel_msg_port_del(FAKE_FAMILY, "tap1", &msg), 0);
	check_golden(msg, HEAD(ACK, "07") "1000 1780 0900 0100 74617031 00 000000");
}

static void test_golden_lookup(void **arg)
{
	struct kernel_lookup lookup = { .ifname = "tap1",
					.vni = 100,
					.outer_src = { AF_INET, { 192, 0, 2, 1 } },
					.src = { AF_INET, { 10, 0, 0, 5 } },
					.dst = { AF_INET, { 10, 0, 0, 6 } } };
	struct nl_msg *msg;

	assert_int_equal(kernel_msg_lookup(FAKE_FAMILY, &lookup, &msg), 0);
	check_golden(msg, HEAD(ACK, "0f") "4000 1880 0900 0100 74617031 00 000000"
					  "1800 0500 02200000 0a000005 000000000000000000000000"
					  "1800 0600 02200000 0a000006 000000000000000000000000");
	lookup.ifname[0] = 0;
	lookup.ttl = 3;
	lookup.has_src_mac = true;
	lookup.src_mac[5] = 7;
	assert_int_equal(kernel_msg_lookup(FAKE_FAMILY, &lookup, &msg), 0);
	check_golden(msg, HEAD(ACK, "0f") "6800 1880 0800 0200 64000000"
					  "1800 0300 02200000 c0000201 000000000000000000000000"
					  "0a00 0400 000000000007 0000"
					  "1800 0500 02200000 0a000005 000000000000000000000000"
					  "1800 0600 02200000 0a000006 000000000000000000000000"
					  "0500 0700 03 000000");
	lookup = (struct kernel_lookup){ .ifname = "tap1", .src = lookup.src, .dst = lookup.dst, .proto = 17,
					 .has_ports = true, .sport = 0x1234, .dport = 53, .len = 1500 };
	assert_int_equal(kernel_msg_lookup(FAKE_FAMILY, &lookup, &msg), 0);
	check_golden(msg, HEAD(ACK, "0f") "6000 1880 0900 0100 74617031 00 000000"
					  "1800 0500 02200000 0a000005 000000000000000000000000"
					  "1800 0600 02200000 0a000006 000000000000000000000000"
					  "0500 0800 11 000000 0600 0900 3412 0000 0600 0a00 3500 0000 "
					  "0800 0b00 dc050000");
}

static void test_golden_txn(void **arg)
{
	struct vpc_digest digest = { { 0x1122334455667788, 1 } };
	uint64_t base = 8;
	struct nl_msg *msg;

	assert_int_equal(kernel_msg_txn_begin(FAKE_FAMILY, 100, VPC_TXN_DELTA, &base, &msg), 0);
	check_golden(msg, HEAD(ACK, "09") "0800 0200 64000000 0500 0f00 00 000000 0c00 0400 0800000000000000");
	assert_int_equal(kernel_msg_txn_begin(FAKE_FAMILY, 100, VPC_TXN_REPLACE, NULL, &msg), 0);
	check_golden(msg, HEAD(ACK, "09") "0800 0200 64000000 0500 0f00 01 000000");
	assert_int_equal(kernel_msg_txn_commit(FAKE_FAMILY, 5, 9, &digest, "c1", &msg), 0);
	check_golden(msg, HEAD(ACK, "0b") "0800 0e00 05000000 0c00 0300 0900000000000000"
					  "1400 0500 8877665544332211 0100000000000000 0700 0d00 633100 00");
	assert_int_equal(kernel_msg_txn_commit(FAKE_FAMILY, 5, 9, &digest, "", &msg), 0);
	check_golden(msg, HEAD(ACK, "0b") "0800 0e00 05000000 0c00 0300 0900000000000000"
					  "1400 0500 8877665544332211 0100000000000000");
	assert_int_equal(kernel_msg_txn_abort(FAKE_FAMILY, 5, &msg), 0);
	check_golden(msg, HEAD(ACK, "0c") "0800 0e00 05000000");
}

static void test_golden_add(void **arg)
{
	struct vpc_nl_nexthop nh = { .id = 7,
				     .type = VPC_NEXTHOP_GATEWAY,
				     .family = AF_INET,
				     .vni = 6,
				     .mac = { 2, 0, 0, 0, 0, 1 },
				     .addr = { 192, 0, 2, 9 } };
	struct vpc_route route = { 1, 7, { AF_INET, 8, { 10 } } }, route6 = { 2, 7, { AF_INET6, 16, { 0x20, 1 } } };
	struct vpc_nl_member member = { .group = 9, .nexthop = 7, .weight = 256 };
	struct vpc_delta delta;
	struct kernel_ops ops;
	struct nl_msg *msg;

	vpc_delta_init(&delta, 100);
	vpc_delta_del_nexthop(&delta, 5);
	vpc_delta_set_nexthop(&delta, &nh);
	vpc_delta_set_member(&delta, &member);
	vpc_delta_del_member(&delta, 9, 8);
	vpc_delta_set_route(&delta, &route);
	vpc_delta_del_route(&delta, 2, &route6.prefix);
	ops = kernel_ops_of_deltas(&delta, 1);
	assert_int_equal(kernel_msg_txn_add(FAKE_FAMILY, 3, &ops, &msg), 0);
	check_golden(msg, HEAD(ACK, "0a") "0800 0e00 03000000"
					  "2c00 1000 07000000 00 03 02 00 06000000 00000000 020000000001 0000"
					  "c0000209 000000000000000000000000"
					  "1c00 1f00 09000000 07000000 0001 00 00 09000000 08000000 0000 01 00"
					  "1400 1100 01000000 07000000 0a000000 08 00 0000"
					  "2000 1200 02000000 00000000 20010000000000000000000000000000 10 01 0000"
					  "2c00 1000 05000000 01 00 00 00 00000000 00000000 000000000000 0000"
					  "00000000000000000000000000000000");
	assert_int_equal(kernel_msg_txn_add(FAKE_FAMILY, 3, &ops, &msg), 0);
	assert_null(msg);
	vpc_delta_clear(&delta);
}

/* -- answers ------------------------------------------------------------------------------------------------------- */

enum kind {
	HOST,
	VPC,
	VERIFY,
	PORT,
	TXN,
	STATS,
	EXPLAIN,
	EVENT,
	DUMP_NEXTHOPS,
	DUMP_ROUTES,
	N_KINDS
};

/* A copy of exactly the message's size, so that the address sanitizer sees a read beyond its end. */
static int parse(enum kind kind, const struct nlmsghdr *nlh, size_t len, struct vpc_err *err)
{
	_cleanup_free_ struct nlmsghdr *copy = malloc(len);
	union {
		struct kernel_host host;
		struct kernel_stats stats;
		struct kernel_explain explain;
		struct kernel_event event;
		uint32_t txn;
		uint64_t epoch;
	} out;
	struct kernel_vpc vpc;
	struct vpc_digest found;
	struct kernel_port port;
	struct vpc_state state;
	int r = -ENOSYS;

	memcpy(copy, nlh, len);
	copy->nlmsg_len = len;
	switch (kind) {
	case HOST:
		return kernel_parse_host(copy, &out.host, err);
	case VPC:
		return kernel_parse_vpc(copy, &vpc, err);
	case VERIFY:
		return kernel_parse_verify(copy, &vpc, &found, err);
	case PORT:
		r = kernel_parse_port(copy, &port, err);
		if (!r)
			vpc_port_clear(&port.conf);
		return r;
	case TXN:
		return kernel_parse_txn(copy, &out.txn, err);
	case STATS:
		return kernel_parse_stats(copy, &out.stats, err);
	case EXPLAIN:
		return kernel_parse_explain(copy, &out.explain, err);
	case EVENT:
		return kernel_parse_event(copy, &out.event, err);
	case DUMP_NEXTHOPS:
	case DUMP_ROUTES:
		vpc_state_init(&state, 100);
		r = kernel_parse_dump(copy, &state, &out.epoch, err);
		vpc_state_clear(&state);
		return r;
	case N_KINDS:
		break;
	}
	return r;
}

static void put_vpc(struct fake_msg *msg)
{
	struct vpc_digest digest = { { 11, 12 } };

	FAKE_NUMBER(msg, VPC_A_VNI, uint32_t, 100);
	FAKE_NUMBER(msg, VPC_A_EPOCH, uint64_t, 9);
	fake_attr(msg, VPC_A_DIGEST, &digest, sizeof(digest));
	FAKE_NUMBER(msg, VPC_A_N_ROUTES, uint64_t, 1000001);
	FAKE_NUMBER(msg, VPC_A_N_NEXTHOPS, uint32_t, 3);
}

static void put_port(struct fake_msg *msg)
{
	struct vpc_nl_prefix addrs[] = { { AF_INET, 32, { 0 }, { 10, 0, 0, 5 } },
					 { AF_INET6, 64, { 0 }, { 0x20, 1 } } };
	size_t nest = fake_nest(msg, VPC_A_PORT);

	fake_attr(msg, VPC_PORT_A_IFNAME, "tap1", 5);
	FAKE_NUMBER(msg, VPC_PORT_A_VNI, uint32_t, 100);
	fake_attr(msg, VPC_PORT_A_MAC, "\x02\0\0\0\0\x05", 6);
	FAKE_NUMBER(msg, VPC_PORT_A_TABLE, uint32_t, 1);
	FAKE_NUMBER(msg, VPC_PORT_A_IFINDEX, uint32_t, 17);
	fake_attr(msg, VPC_PORT_A_ADDRS, addrs, sizeof(addrs));
	fake_attr(msg, VPC_PORT_A_GATEWAY4, "\x0a\0\0\x01", 4);
	fake_attr(msg, VPC_PORT_A_GATEWAY6, "\x20\1\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	fake_attr(msg, VPC_PORT_A_SUBNET6, &addrs[1], sizeof(addrs[1]));
	fake_nest_end(msg, nest);
}

static void put_steps(struct fake_msg *msg)
{
	struct vpc_nl_prefix prefix = { AF_INET, 16, { 0 }, { 10 } };
	struct vpc_nl_nexthop nh = { .id = 7, .type = VPC_NEXTHOP_LOCAL };
	size_t nest;

	nest = fake_nest(msg, VPC_A_STEP);
	FAKE_NUMBER(msg, VPC_STEP_A_STEP, uint8_t, VPC_STEP_ROUTE);
	FAKE_NUMBER(msg, VPC_STEP_A_OK, uint8_t, 1);
	FAKE_NUMBER(msg, VPC_STEP_A_TABLE, uint32_t, 0);
	fake_attr(msg, VPC_STEP_A_PREFIX, &prefix, sizeof(prefix));
	fake_nest_end(msg, nest);
	nest = fake_nest(msg, VPC_A_STEP);
	FAKE_NUMBER(msg, VPC_STEP_A_STEP, uint8_t, VPC_STEP_NEXTHOP);
	FAKE_NUMBER(msg, VPC_STEP_A_OK, uint8_t, 0);
	FAKE_NUMBER(msg, VPC_STEP_A_BUCKET, uint32_t, 1023);
	FAKE_NUMBER(msg, VPC_STEP_A_MTU, uint32_t, 1450);
	fake_attr(msg, VPC_STEP_A_NEXTHOP, &nh, sizeof(nh));
	fake_attr(msg, VPC_STEP_A_IFNAME, "tap2", 5);
	fake_nest_end(msg, nest);
}

static void put_host(struct fake_msg *msg)
{
	size_t nest = fake_nest(msg, VPC_A_HOST);

	fake_attr(msg, VPC_HOST_A_VTEP4, "\xc0\0\x02\x01", 4);
	fake_attr(msg, VPC_HOST_A_VTEP6, "\x20\1\0\0\0\0\0\0\0\0\0\0\0\0\0\2", 16);
	FAKE_NUMBER(msg, VPC_HOST_A_UDP_PORT, uint16_t, 8472);
	FAKE_NUMBER(msg, VPC_HOST_A_INSTANCE, uint64_t, 0x1122334455667788);
	fake_attr(msg, VPC_HOST_A_VERSION, "0.1", 4);
	fake_nest_end(msg, nest);
}

static void put_stats(struct fake_msg *msg)
{
	uint64_t drops[VPC_DROP_MAX + 1] = { [VPC_DROP_NO_ROUTE] = 5 };
	size_t nest = fake_nest(msg, VPC_A_STATS);

	FAKE_NUMBER(msg, VPC_STATS_A_VNI, uint32_t, 100);
	fake_attr(msg, VPC_STATS_A_IFNAME, "tap1", 5);
	FAKE_NUMBER(msg, VPC_STATS_A_RX_PACKETS, uint64_t, 1);
	FAKE_NUMBER(msg, VPC_STATS_A_RX_BYTES, uint64_t, 2);
	FAKE_NUMBER(msg, VPC_STATS_A_TX_PACKETS, uint64_t, 3);
	FAKE_NUMBER(msg, VPC_STATS_A_TX_BYTES, uint64_t, 4);
	fake_attr(msg, VPC_STATS_A_DROPS, drops, sizeof(drops));
	fake_nest_end(msg, nest);
}

static void put_dump(struct fake_msg *msg, bool routes)
{
	struct vpc_nl_route4 r4[] = { { 0, 7, { 10, 0, 0, 5 }, 32, 0, { 0 } }, { 1, 7, { 0 }, 0, 0, { 0 } } };
	struct vpc_nl_route6 r6 = { 1, 8, { 0x20, 1 }, 16, 0, { 0 } };
	struct vpc_nl_nexthop nhs[] = { { .id = 7, .type = VPC_NEXTHOP_LOCAL },
					{ .id = 8, .type = VPC_NEXTHOP_BLACKHOLE } };
	struct vpc_nl_member members[] = { { .group = 9, .nexthop = 7, .weight = 1 },
					   { .group = 9, .nexthop = 8, .weight = 9 } };

	FAKE_NUMBER(msg, VPC_A_EPOCH, uint64_t, 9);
	if (routes) {
		fake_attr(msg, VPC_A_ROUTES4, r4, sizeof(r4));
		fake_attr(msg, VPC_A_ROUTES6, &r6, sizeof(r6));
	} else {
		fake_attr(msg, VPC_A_NEXTHOPS, &nhs[0], sizeof(nhs[0]));
		fake_attr(msg, VPC_A_NEXTHOPS, &nhs[1], sizeof(nhs[1]));
		fake_attr(msg, VPC_A_MEMBERS, members, sizeof(members));
	}
}

/* A sound answer of each kind, with an attribute that this version does not know in front. */
static void make(enum kind kind, struct fake_msg *msg)
{
	struct vpc_digest digest = { { 11, 12 } }, found = { { 11 + VPC_FAULT_GROUP, 12 } };

	fake_answer(msg, kind == EVENT ? VPC_CMD_EVENT : VPC_CMD_VPC_GET, 0);
	fake_attr(msg, 999, "xyz", 3);
	switch (kind) {
	case HOST:
		put_host(msg);
		break;
	case VPC:
		put_vpc(msg);
		FAKE_NUMBER(msg, VPC_A_MEMORY, uint64_t, 4096);
		break;
	case VERIFY:
		put_vpc(msg);
		FAKE_NUMBER(msg, VPC_A_FAULTS, uint32_t, VPC_FAULT_GROUP);
		fake_attr(msg, VPC_A_DIGEST_FOUND, &found, sizeof(found));
		break;
	case PORT:
		put_port(msg);
		break;
	case TXN:
		FAKE_NUMBER(msg, VPC_A_TXN, uint32_t, 77);
		break;
	case STATS:
		put_stats(msg);
		break;
	case EXPLAIN:
		put_steps(msg);
		FAKE_NUMBER(msg, VPC_A_VERDICT, uint8_t, VPC_VERDICT_DROP);
		FAKE_NUMBER(msg, VPC_A_DROP_REASON, uint8_t, VPC_DROP_NO_ROUTE);
		break;
	case EVENT:
		FAKE_NUMBER(msg, VPC_A_EVENT, uint8_t, VPC_EVENT_COMMIT);
		FAKE_NUMBER(msg, VPC_A_VNI, uint32_t, 100);
		FAKE_NUMBER(msg, VPC_A_EPOCH, uint64_t, 9);
		fake_attr(msg, VPC_A_DIGEST, &digest, sizeof(digest));
		fake_attr(msg, VPC_A_CHANGE, "c1", 3);
		break;
	case DUMP_NEXTHOPS:
	case DUMP_ROUTES:
		put_dump(msg, kind == DUMP_ROUTES);
		break;
	case N_KINDS:
		break;
	}
}

static void test_answers(void **arg)
{
	struct kernel_host host;
	struct kernel_vpc vpc;
	struct vpc_digest found;
	struct kernel_port port;
	struct kernel_stats stats;
	struct fake_msg msg;
	char text[VPC_PREFIX_STRLEN];

	make(HOST, &msg);
	assert_int_equal(kernel_parse_host(fake_hdr(&msg), &host, NULL), 0);
	assert_string_equal(vpc_addr_format(&host.vtep4, text), "192.0.2.1");
	assert_string_equal(vpc_addr_format(&host.vtep6, text), "2001::2");
	assert_int_equal(host.udp_port, 8472);
	assert_true(host.instance == 0x1122334455667788);
	assert_string_equal(host.version, "0.1");

	make(VERIFY, &msg);
	assert_int_equal(kernel_parse_verify(fake_hdr(&msg), &vpc, &found, NULL), 0);
	assert_int_equal(vpc.vni, 100);
	assert_int_equal(vpc.n_routes, 1000001);
	assert_int_equal(vpc.n_nexthops, 3);
	assert_int_equal(vpc.faults, VPC_FAULT_GROUP);
	assert_true(vpc_digest_equal(&vpc.digest, &found) && found.h[1] == 12);

	make(PORT, &msg);
	assert_int_equal(kernel_parse_port(fake_hdr(&msg), &port, NULL), 0);
	assert_string_equal(port.conf.dev, "tap1");
	assert_int_equal(port.ifindex, 17);
	assert_int_equal(port.conf.mac[5], 5);
	assert_int_equal(port.conf.n_addrs, 2);
	assert_string_equal(vpc_prefix_format(&port.conf.addrs[1], text), "2001::/64");
	assert_string_equal(vpc_addr_format(&port.conf.gateway4, text), "10.0.0.1");
	assert_string_equal(vpc_addr_format(&port.conf.gateway6, text), "2001::1");
	assert_string_equal(vpc_prefix_format(&port.conf.subnet6, text), "2001::/64");
	vpc_port_clear(&port.conf);

	make(STATS, &msg);
	assert_int_equal(kernel_parse_stats(fake_hdr(&msg), &stats, NULL), 0);
	assert_string_equal(stats.ifname, "tap1");
	assert_int_equal(stats.tx_bytes, 4);
	assert_int_equal(stats.drops[VPC_DROP_NO_ROUTE], 5);
}

static void test_answers_more(void **arg)
{
	struct kernel_explain explain;
	struct kernel_event event;
	struct vpc_state state;
	struct fake_msg msg;
	char text[VPC_PREFIX_STRLEN];
	uint64_t epoch;

	make(EXPLAIN, &msg);
	assert_int_equal(kernel_parse_explain(fake_hdr(&msg), &explain, NULL), 0);
	assert_int_equal(explain.n_steps, 2);
	assert_int_equal(explain.reason, VPC_DROP_NO_ROUTE);
	assert_true(explain.steps[0].ok && explain.steps[0].has_table && explain.steps[0].has_prefix);
	assert_false(explain.steps[0].has_nexthop || explain.steps[0].has_vni);
	assert_true(!explain.steps[1].ok && explain.steps[1].has_nexthop && explain.steps[1].nexthop.id == 7);
	assert_string_equal(explain.steps[1].ifname, "tap2");
	assert_false(explain.steps[0].has_bucket || explain.steps[0].has_mtu);
	assert_true(explain.steps[1].has_bucket && explain.steps[1].bucket == 1023);
	assert_true(explain.steps[1].has_mtu && explain.steps[1].mtu == 1450);

	make(EVENT, &msg);
	assert_int_equal(kernel_parse_event(fake_hdr(&msg), &event, NULL), 0);
	assert_int_equal(event.event, VPC_EVENT_COMMIT);
	assert_int_equal(event.epoch, 9);
	assert_string_equal(event.change, "c1");
	assert_string_equal(event.ifname, "");

	vpc_state_init(&state, 100);
	make(DUMP_NEXTHOPS, &msg);
	assert_int_equal(kernel_parse_dump(fake_hdr(&msg), &state, &epoch, NULL), 0);
	make(DUMP_ROUTES, &msg);
	assert_int_equal(kernel_parse_dump(fake_hdr(&msg), &state, &epoch, NULL), 0);
	assert_int_equal(epoch, 9);
	assert_int_equal(state.n_nexthops, 2);
	assert_int_equal(state.n_members, 2);
	assert_int_equal(state.members[1].weight, 9);
	assert_int_equal(state.n_routes, 3);
	assert_string_equal(vpc_prefix_format(&state.routes[2].prefix, text), "2001::/16");
	assert_int_equal(state.routes[2].nexthop, 8);
	vpc_state_clear(&state);
}

/* Cut off anywhere, an answer is refused, or taken where it ends between two attributes; never read beyond its end. */
static void test_truncated(void **arg)
{
	for (int kind = 0; kind < N_KINDS; kind++) {
		struct fake_msg msg;
		struct vpc_err err;

		make(kind, &msg);
		assert_int_equal(parse(kind, fake_hdr(&msg), msg.len, &err), 0);
		for (size_t len = NLMSG_HDRLEN; len < msg.len; len++) {
			int r;

			err.text[0] = 0;
			r = parse(kind, fake_hdr(&msg), len, &err);
			if (r)
				assert_true(r == -EPROTO && err.text[0]);
			else
				assert_true(kind == VPC || kind == EVENT || kind == DUMP_NEXTHOPS ||
					    kind == DUMP_ROUTES || kind == EXPLAIN || len > msg.len - 4);
		}
	}
}

/* Turned-over bytes: any result, no crash, no read outside, and always a text with a refusal. */
static void test_hostile(void **arg)
{
	srand(3);
	for (int i = 0; i < 60000; i++) {
		int kind = i % N_KINDS, flips = 1 + rand() % 4;
		struct vpc_err err = { "" };
		struct fake_msg msg;

		make(kind, &msg);
		while (flips--)
			msg.buf[NLMSG_HDRLEN + rand() % (msg.len - NLMSG_HDRLEN)] = rand() % 3 ? rand() : 0xff;
		if (parse(kind, fake_hdr(&msg), msg.len, &err))
			assert_true(err.text[0]);
	}
}

static void test_wrong_sizes(void **arg)
{
	static const struct {
		enum kind kind;
		uint16_t type;
		size_t len;
		const char *says;
	} cases[] = {
		{ VPC, VPC_A_VNI, 3, "has 3 bytes of VNI, not 4" },
		{ VPC, VPC_A_EPOCH, 4, "has 4 bytes of epoch, not 8" },
		{ VPC, VPC_A_DIGEST, 24, "digest" },
		{ VPC, VPC_A_QUOTA, 0, "quota" },
		{ TXN, VPC_A_TXN, 8, "transaction" },
		{ VERIFY, VPC_A_DIGEST_FOUND, 15, "recomputed digest" },
		{ VERIFY, VPC_A_FAULTS, 8, "faults" },
		{ EXPLAIN, VPC_A_STEP, 0, "lacks the step" },
		{ EXPLAIN, VPC_A_VERDICT, 2, "verdict" },
		{ EVENT, VPC_A_CHANGE, 4, "broken change id" },
		{ EVENT, VPC_A_EVENT, 0, "event" },
		{ DUMP_NEXTHOPS, VPC_A_NEXTHOPS, 39, "39 bytes of elements of 40" },
		{ DUMP_NEXTHOPS, VPC_A_MEMBERS, 13, "13 bytes of elements of 12" },
		{ DUMP_ROUTES, VPC_A_ROUTES4, 15, "15 bytes of elements of 16" },
		{ DUMP_ROUTES, VPC_A_ROUTES6, 29, "29 bytes of elements of 28" },
		{ DUMP_ROUTES, VPC_A_ROUTES4, 16, "length 255" },
		{ DUMP_ROUTES, VPC_A_ROUTES6, 28, "length 255" },
		{ PORT, VPC_A_PORT, 0, "lacks the port's name" },
		{ HOST, VPC_A_HOST, 0, "lacks the instance" },
		{ HOST, VPC_A_HOST, 3, "ends in the middle of an attribute" },
		{ STATS, VPC_A_STATS, 2, "ends in the middle of an attribute" },
	};
	char bytes[64];

	memset(bytes, 0xff, sizeof(bytes));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vpc_err err = { "" };
		struct fake_msg msg;

		make(cases[i].kind, &msg);
		fake_attr(&msg, cases[i].type, bytes, cases[i].len);
		assert_int_equal(parse(cases[i].kind, fake_hdr(&msg), msg.len, &err), -EPROTO);
		if (!strstr(err.text, cases[i].says))
			fail_msg("'%s' should say '%s'", err.text, cases[i].says);
	}
}

static void test_lacking(void **arg)
{
	for (int kind = 0; kind < N_KINDS; kind++) {
		struct vpc_err err = { "" };
		struct fake_msg msg;

		fake_answer(&msg, VPC_CMD_VPC_GET, 0);
		assert_int_equal(parse(kind, fake_hdr(&msg), msg.len, &err), -EPROTO);
		assert_non_null(strstr(err.text, "the kernel's answer lacks the "));
	}
}

static void test_many_steps(void **arg)
{
	struct vpc_err err;
	struct fake_msg msg;

	make(EXPLAIN, &msg);
	for (int i = 0; i < 15; i++)
		put_steps(&msg);
	assert_int_equal(parse(EXPLAIN, fake_hdr(&msg), msg.len, &err), 0);
	put_steps(&msg);
	assert_int_equal(parse(EXPLAIN, fake_hdr(&msg), msg.len, &err), -EPROTO);
}

static void test_status(void **arg)
{
	struct nlmsgerr full = { .error = -ESTALE, .msg = { .nlmsg_len = sizeof(struct nlmsghdr) + 6 } };
	struct vpc_err text = { "old" };
	struct fake_msg msg;
	int code = 7;

	fake_error(&msg, -EINVAL, "no nexthop 5");
	assert_int_equal(kernel_parse_status(fake_hdr(&msg), &code, &text), 0);
	assert_int_equal(code, -EINVAL);
	assert_string_equal(text.text, "no nexthop 5");
	for (size_t len = NLMSG_HDRLEN; len < msg.len; len++) {
		_cleanup_free_ struct nlmsghdr *copy = malloc(len);

		memcpy(copy, msg.buf, len);
		copy->nlmsg_len = len;
		if (len < NLMSG_HDRLEN + sizeof(struct nlmsgerr))
			assert_int_equal(kernel_parse_status(copy, &code, &text), -EPROTO);
		else
			assert_int_equal(kernel_parse_status(copy, &code, &text), 0);
	}
	fake_done(&msg, -EINTR, 0, "gone");
	assert_int_equal(kernel_parse_status(fake_hdr(&msg), &code, &text), 0);
	assert_int_equal(code, -EINTR);
	assert_string_equal(text.text, "gone");
	fake_error(&msg, 0, NULL);
	assert_int_equal(kernel_parse_status(fake_hdr(&msg), &code, &text), 0);
	assert_int_equal(code, 0);
	assert_string_equal(text.text, "");
	fake_error(&msg, 5, NULL);
	assert_int_equal(kernel_parse_status(fake_hdr(&msg), &code, &text), -EPROTO);
	/* Not capped: the request stands between the code and the text. */
	fake_begin(&msg, NLMSG_ERROR, NLM_F_ACK_TLVS);
	fake_bytes(&msg, &full, sizeof(full));
	fake_bytes(&msg, "abcdef", 6);
	fake_attr(&msg, NLMSGERR_ATTR_MSG, "epoch is 9", 11);
	assert_int_equal(kernel_parse_status(fake_hdr(&msg), &code, &text), 0);
	assert_int_equal(code, -ESTALE);
	assert_string_equal(text.text, "epoch is 9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_simple), cmocka_unit_test(test_golden_port),
		cmocka_unit_test(test_golden_lookup), cmocka_unit_test(test_golden_txn),
		cmocka_unit_test(test_golden_add),    cmocka_unit_test(test_answers),
		cmocka_unit_test(test_answers_more),  cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_hostile),	      cmocka_unit_test(test_wrong_sizes),
		cmocka_unit_test(test_lacking),	      cmocka_unit_test(test_many_steps),
		cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
