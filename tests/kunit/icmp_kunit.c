// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a port's router says to its guest in ICMP (kmod/datapath/icmp.c): errors for every reason, what they quote, to
 * what no error is due (RFC 1812 4.3.2.7, RFC 4443 2.4), how many there are, and echoes; byte by byte, in skbs of every
 * shape, and without memory.
 */
#include "guest.h"
#include "netns.h"
#include "rig.h"
#include "../../kmod/datapath/icmp.h"
#include "../../kmod/datapath/packet.h"

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ktime.h>

#define IP4(proto, frag, ends) "45000000 1234" frag "40" proto "0000" ends
#define IP6(next, ends) "60000000 0000" next "40" ends
#define FROM4 GUEST_ADDR4 GUEST_OTHER4
#define FROM6 GUEST_ADDR6 GUEST_OTHER6
#define PORTS " 04d2 162e "

/* -- errors -------------------------------------------------------------------------------------------------------- */

/* What the next error is about; guest_rx_t has no room for it. */
static enum vpc_drop error_reason;
static unsigned int error_mtu;

static void allowance_full(struct guest *guest)
{
	atomic64_set(&guest->port->icmp_spent[0], 0);
	atomic64_set(&guest->port->icmp_spent[1], 0);
}

static void error_rx(struct vpc_port *port, struct sk_buff *skb)
{
	struct vpc_flow flow = vpc_flow_of_port(port);

	if (!vpc_packet_pull(skb, &flow))
		vpc_icmp_error(skb, &flow, port, error_reason, error_mtu);
	consume_skb(skb);
}

/* A packet that ends for @reason, in every shape. @icmp: the error's type, code and last word; NULL: none is due. */
static void expect_error(struct guest *guest, u16 ethertype, const char *bytes, enum vpc_drop reason, const char *icmp)
{
	struct packet *in = kunit_kzalloc(guest->test, sizeof(*in), GFP_KERNEL);
	struct packet *head = kunit_kzalloc(guest->test, sizeof(*head), GFP_KERNEL);
	bool v6 = ethertype == ETH_P_IPV6;
	unsigned int hlen = v6 ? 48 : 28, shape, quoted;
	struct kunit *test = guest->test;

	KUNIT_ASSERT_TRUE(test, in && head);
	in->ethertype = ethertype;
	packet_parse(test, bytes, in);
	packet_fill(in);
	quoted = min(in->len, (v6 ? 1280 : 576) - hlen);
	error_reason = reason;
	for (shape = 0; shape < 2 * PACKET_SHAPES; shape++) {
		allowance_full(guest);
		KUNIT_EXPECT_EQ(test, guest_run(guest, error_rx, guest_frame(guest, in, NULL, shape % PACKET_SHAPES,
									     rig_below(in->len + 1))), 0);
		KUNIT_EXPECT_EQ_MSG(test, guest->n_sent, icmp ? 1 : 0, "%s reason %d", bytes, reason);
		if (!icmp || guest->n_sent != 1)
			continue;
		/* the whole of it, put together from what the packet was */
		head->ethertype = ethertype;
		packet_parse(test, v6 ? "60000000 0000 3a40" GUEST_GATEWAY6 GUEST_ADDR6 :
					"45c00000 0000 4000 4001 0000" GUEST_GATEWAY4 GUEST_ADDR4, head);
		/* to whom the packet came from */
		memcpy(head->bytes + (v6 ? 24 : 16), in->bytes + (v6 ? 8 : 12), v6 ? 16 : 4);
		KUNIT_ASSERT_EQ(test, hex2bin(head->bytes + head->len, icmp, 2), 0);
		memset(head->bytes + head->len + 2, 0, 2);
		KUNIT_ASSERT_EQ(test, hex2bin(head->bytes + head->len + 4, icmp + 4, 4), 0);
		memcpy(head->bytes + hlen, in->bytes, quoted);
		head->len = hlen + quoted;
		packet_fill(head);
		KUNIT_EXPECT_EQ_MSG(test, guest->sent.len, head->len, "%s reason %d", bytes, reason);
		KUNIT_EXPECT_EQ_MSG(test, memcmp(guest->sent.bytes, head->bytes, head->len), 0, "%s reason %d: %*ph",
				    bytes, reason, 56, guest->sent.bytes);
	}
	kunit_kfree(test, in);
	kunit_kfree(test, head);
}

/* Type and code for every reason there is, from RFC 792, 1812 and 4443; none for those that are not named. */
static void icmp_reasons(struct kunit *test)
{
	static const struct {
		enum vpc_drop reason;
		const char *icmp4;
		const char *icmp6;
	} known[] = {
		{ VPC_DROP_NO_ROUTE, "030000000000", "010000000000" },
		{ VPC_DROP_NO_NEXTHOP, "030000000000", "010000000000" },
		{ VPC_DROP_NO_MEMBER, "030000000000", "010000000000" },
		{ VPC_DROP_NO_PEER, "030000000000", "010000000000" },
		{ VPC_DROP_UNREACHABLE, "030100000000", "010300000000" },
		{ VPC_DROP_NO_PORT, "030100000000", "010300000000" },
		{ VPC_DROP_PORT_DOWN, "030100000000", "010300000000" },
		{ VPC_DROP_PROHIBIT, "030d00000000", "010100000000" },
		{ VPC_DROP_TTL, "0b0000000000", "030000000000" },
		{ VPC_DROP_TOO_BIG, "030400000539", "020000000539" },
	};
	struct guest *guest = test->priv;
	enum vpc_drop reason;
	unsigned int i;

	/* told where there is a place for it, in the lower half */
	error_mtu = 1337;
	for (reason = VPC_DROP_NONE + 1; reason <= VPC_DROP_MAX; reason++) {
		for (i = 0; i < ARRAY_SIZE(known) && known[i].reason != reason; i++)
			;
		expect_error(guest, ETH_P_IP, IP4("11", "0000", FROM4) PORTS "*12", reason,
			     i < ARRAY_SIZE(known) ? known[i].icmp4 : NULL);
		expect_error(guest, ETH_P_IPV6, IP6("11", FROM6) PORTS "*12", reason,
			     i < ARRAY_SIZE(known) ? known[i].icmp6 : NULL);
	}
	/* more than IPv4's field can say */
	error_mtu = 70000;
	expect_error(guest, ETH_P_IP, IP4("11", "0000", FROM4) PORTS, VPC_DROP_TOO_BIG,
		     "03040000ffff");
	expect_error(guest, ETH_P_IPV6, IP6("11", FROM6) PORTS, VPC_DROP_TOO_BIG, "020000011170");
}

static void icmp_quotes(struct kunit *test)
{
	struct guest *guest = test->priv;

	expect_error(guest, ETH_P_IP, IP4("06", "4000", FROM4), VPC_DROP_TTL, "0b0000000000");
	expect_error(guest, ETH_P_IP, IP4("06", "4000", FROM4) "*528", VPC_DROP_TTL,
		     "0b0000000000");
	expect_error(guest, ETH_P_IP, IP4("06", "4000", FROM4) "*529", VPC_DROP_TTL,
		     "0b0000000000");
	expect_error(guest, ETH_P_IP, IP4("06", "4000", FROM4) "*1430", VPC_DROP_TTL,
		     "0b0000000000");
	expect_error(guest, ETH_P_IP, "47000000 1234 0000 4011 0000" GUEST_ADDR4 GUEST_OTHER4 "94040000 01010101" PORTS,
		     VPC_DROP_TTL, "0b0000000000");
	expect_error(guest, ETH_P_IPV6, IP6("32", FROM6), VPC_DROP_TTL, "030000000000");
	expect_error(guest, ETH_P_IPV6, IP6("06", FROM6) "*1192", VPC_DROP_TTL, "030000000000");
	expect_error(guest, ETH_P_IPV6, IP6("06", FROM6) "*1193", VPC_DROP_TTL, "030000000000");
	expect_error(guest, ETH_P_IPV6, IP6("06", FROM6) "*1410", VPC_DROP_TTL, "030000000000");
}

#define ICMP4(type) IP4("01", "0000", FROM4) type "00 0000 00000000"
#define ICMP6(type) IP6("3a", FROM6) type "00 0000 00000000"

/* RFC 1812 4.3.2.7 and RFC 4443 2.4 e. */
static void icmp_silence(struct kunit *test)
{
	static const struct {
		u16 ethertype;
		const char *bytes;
		bool due;
	} packets[] = {
		{ ETH_P_IP, ICMP4("08"), true },	/* echo */
		{ ETH_P_IP, ICMP4("00"), true },
		{ ETH_P_IP, ICMP4("0d"), true },	/* time stamp */
		{ ETH_P_IP, ICMP4("0e"), true },
		{ ETH_P_IP, ICMP4("03"), false },	/* errors */
		{ ETH_P_IP, ICMP4("04"), false },
		{ ETH_P_IP, ICMP4("05"), false },
		{ ETH_P_IP, ICMP4("0b"), false },
		{ ETH_P_IP, ICMP4("0c"), false },
		{ ETH_P_IP, ICMP4("ff"), false },	/* not known */
		{ ETH_P_IP, IP4("01", "0000", FROM4), false },	/* ends before its type */
		{ ETH_P_IP, IP4("11", "2000", FROM4) PORTS "*8", true },	/* a first fragment */
		{ ETH_P_IP, IP4("11", "2001", FROM4) PORTS "*8", false },
		{ ETH_P_IP, IP4("11", "0001", FROM4) PORTS "*8", false },
		{ ETH_P_IP, IP4("11", "0000", GUEST_ADDR4 " e0000005 ") PORTS, false },
		{ ETH_P_IP, IP4("11", "0000", GUEST_ADDR4 " ffffffff ") PORTS, false },
		{ ETH_P_IP, IP4("11", "0000", " e0000005 " GUEST_OTHER4) PORTS, false },
		{ ETH_P_IP, IP4("11", "0000", " ffffffff " GUEST_OTHER4) PORTS, false },
		{ ETH_P_IP, IP4("11", "0000", " 00000000 " GUEST_OTHER4) PORTS, false },
		{ ETH_P_IP, IP4("11", "0000", " 7f000001 " GUEST_OTHER4) PORTS, false },
		{ ETH_P_IPV6, ICMP6("80"), true },	/* echo */
		{ ETH_P_IPV6, ICMP6("81"), true },
		{ ETH_P_IPV6, ICMP6("01"), false },	/* errors */
		{ ETH_P_IPV6, ICMP6("02"), false },
		{ ETH_P_IPV6, ICMP6("04"), false },
		{ ETH_P_IPV6, ICMP6("7f"), false },
		{ ETH_P_IPV6, ICMP6("89"), false },	/* redirect */
		{ ETH_P_IPV6, IP6("3a", FROM6), false },
		{ ETH_P_IPV6, IP6("3b", FROM6), false },	/* nothing in it */
		{ ETH_P_IPV6, IP6("00", FROM6) "3a00 0104 00000000 0100 0000 00000000", false },
		{ ETH_P_IPV6, IP6("00", FROM6) "3a00 0104 00000000 8000 0000 00000000", true },
		{ ETH_P_IPV6, IP6("2c", FROM6) "1100 0001 00000001" PORTS, true },	/* a first fragment */
		{ ETH_P_IPV6, IP6("2c", FROM6) "1100 0009 00000001" PORTS, false },
		{ ETH_P_IPV6, IP6("11", GUEST_ADDR6 GUEST_NODES6) PORTS, false },
		{ ETH_P_IPV6, IP6("11", GUEST_NODES6 GUEST_OTHER6) PORTS, false },
		{ ETH_P_IPV6, IP6("11", GUEST_ANY6 GUEST_OTHER6) PORTS, false },
		{ ETH_P_IPV6, IP6("11", " 00000000 00000000 00000000 00000001 " GUEST_OTHER6) PORTS, false },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(packets); i++)
		expect_error(test->priv, packets[i].ethertype, packets[i].bytes, VPC_DROP_UNREACHABLE,
			     !packets[i].due ? NULL :
			     packets[i].ethertype == ETH_P_IP ? "030100000000" : "010300000000");
}

/* Whoever has no gateway hears nothing in IPv4, and the router's own address in IPv6. */
static void icmp_no_gateway(struct kunit *test)
{
	struct guest *guest = test->priv;
	struct vpc_port_conf *conf = guest_conf(guest);
	struct packet *in = kunit_kzalloc(test, sizeof(*in), GFP_KERNEL);
	u8 lladdr[16];

	KUNIT_ASSERT_NOT_NULL(test, in);
	conf->gateway4 = 0;
	memset(&conf->gateway6, 0, sizeof(conf->gateway6));
	guest_set_conf(guest, conf);
	expect_error(guest, ETH_P_IP, IP4("11", "0000", FROM4) PORTS, VPC_DROP_TTL, NULL);
	packet_parse(test, GUEST_ROUTER6, in);
	memcpy(lladdr, in->bytes, sizeof(lladdr));
	in->ethertype = ETH_P_IPV6;
	packet_parse(test, IP6("11", FROM6) PORTS, in);
	packet_fill(in);
	allowance_full(guest);
	guest_run(guest, error_rx, guest_frame(guest, in, NULL, PACKET_LINEAR, 0));
	KUNIT_EXPECT_EQ(test, guest->n_sent, 1);
	KUNIT_EXPECT_EQ(test, memcmp(guest->sent.bytes + 8, lladdr, sizeof(lladdr)), 0);
}

/* 50 at once and one a millisecond, of each family by itself. */
static void icmp_rate(struct kunit *test)
{
	struct guest *guest = test->priv;
	struct packet *in = kunit_kzalloc(test, sizeof(*in), GFP_KERNEL);
	unsigned int i, n, family, ms;
	u64 begin;

	KUNIT_ASSERT_NOT_NULL(test, in);
	error_reason = VPC_DROP_TTL;
	allowance_full(guest);
	for (family = 0; family < 2; family++) {
		in->ethertype = family ? ETH_P_IPV6 : ETH_P_IP;
		packet_parse(test, family ? IP6("11", FROM6) PORTS : IP4("11", "0000", FROM4) PORTS, in);
		packet_fill(in);
		begin = ktime_get_ns();
		for (i = 0, n = 0; i < 500; i++) {
			guest_run(guest, error_rx, guest_frame(guest, in, NULL, PACKET_LINEAR, 0));
			n += guest->n_sent;
		}
		ms = div_u64(ktime_get_ns() - begin, NSEC_PER_MSEC);
		KUNIT_EXPECT_GE(test, n, min(50U, i));
		KUNIT_EXPECT_LE(test, n, 50 + ms + 1);
		/* two milliseconds of it come back */
		atomic64_set(&guest->port->icmp_spent[family], ktime_get_ns() - 2 * NSEC_PER_MSEC);
		guest_run(guest, error_rx, guest_frame(guest, in, NULL, PACKET_LINEAR, 0));
		KUNIT_EXPECT_EQ(test, guest->n_sent, 1);
		/* spent for a long time */
		atomic64_set(&guest->port->icmp_spent[family], ktime_get_ns() + NSEC_PER_SEC);
		guest_run(guest, error_rx, guest_frame(guest, in, NULL, PACKET_LINEAR, 0));
		KUNIT_EXPECT_EQ(test, guest->n_sent, 0);
	}
}

/* Without memory there is no error; who has sent the packet will send it again. */
static void icmp_error_no_memory(struct kunit *test)
{
	struct guest *guest = test->priv;
	struct packet *in = kunit_kzalloc(test, sizeof(*in), GFP_KERNEL);
	unsigned int fail, refused = 0;
	struct sk_buff *skb;
	bool met = true;

	KUNIT_ASSERT_NOT_NULL(test, in);
	rig_can_fail(test);
	in->ethertype = ETH_P_IP;
	packet_parse(test, IP4("11", "0000", FROM4) PORTS "*1000", in);
	packet_fill(in);
	error_reason = VPC_DROP_TTL;
	for (fail = 1; met; fail++) {
		allowance_full(guest);
		skb = guest_frame(guest, in, NULL, PACKET_LINEAR, 0);
		rig_fail(fail);
		KUNIT_EXPECT_EQ(test, guest_run(guest, error_rx, skb), VPC_DROP_NONE);
		met = rig_fail_end();
		KUNIT_EXPECT_TRUE(test, guest->n_sent || met);
		refused += !guest->n_sent;
	}
	KUNIT_EXPECT_GE(test, refused, 1);
}

/* -- echo ---------------------------------------------------------------------------------------------------------- */

/* The way of a packet from the port, as far as its gateway. */
static void echo_rx(struct vpc_port *port, struct sk_buff *skb)
{
	struct vpc_flow flow = vpc_flow_of_port(port);
	enum vpc_drop reason = vpc_packet_pull(skb, &flow);

	if (reason)
		vpc_packet_drop(skb, port->stats, reason);
	else if (vpc_icmp_is_for_gateway(&flow))
		vpc_icmp_answer(skb, &flow);
	else
		vpc_packet_drop(skb, port->stats, VPC_DROP_NO_ROUTE);
}

#define TO4 GUEST_ADDR4 GUEST_GATEWAY4
#define TO6 GUEST_ADDR6 GUEST_GATEWAY6
#define BACK4 "45000000 0000 4000 4001 0000" GUEST_GATEWAY4 GUEST_ADDR4
#define BACK6 "60000000 0000 3a40" GUEST_GATEWAY6 GUEST_ADDR6

static const struct guest_case echo4[] = {
	{ "ping", IP4("01", "0000", TO4) "0800 0000 1234 0001 *56", BACK4 "0000 0000 1234 0001 *56" },
	{ "ping, not to be fragmented", IP4("01", "4000", TO4) "0800 0000 1234 0001 *56",
	  BACK4 "0000 0000 1234 0001 *56" },
	{ "a large one", IP4("01", "0000", TO4) "0800 0000 1234 0001 *1422", BACK4 "0000 0000 1234 0001 *1422" },
	{ "nothing in it", IP4("01", "0000", TO4) "0800 0000 1234 0001", BACK4 "0000 0000 1234 0001" },
	{ "a service class", "45b80000 1234 0000 4001 0000" GUEST_ADDR4 GUEST_GATEWAY4 "0800 0000 1234 0001",
	  "45b80000 0000 4000 4001 0000" GUEST_GATEWAY4 GUEST_ADDR4 "0000 0000 1234 0001" },
	{ "too large for the port", IP4("01", "0000", TO4) "0800 0000 1234 0001 *1423", NULL, VPC_DROP_TOO_BIG },
	{ "a reply", IP4("01", "0000", TO4) "0000 0000 1234 0001", NULL, VPC_DROP_PROTO },
	{ "a code", IP4("01", "0000", TO4) "0801 0000 1234 0001", NULL, VPC_DROP_PROTO },
	{ "a time stamp", IP4("01", "0000", TO4) "0d00 0000 1234 0001 *12", NULL, VPC_DROP_PROTO },
	{ "a first fragment", IP4("01", "2000", TO4) "0800 0000 1234 0001 *8", NULL, VPC_DROP_PROTO },
	{ "a later fragment", IP4("01", "0001", TO4) "0800 0000 1234 0001 *8", NULL, VPC_DROP_PROTO },
	{ "a wrong checksum", IP4("01", "0000", TO4) "0800 dead 1234 0001", NULL, VPC_DROP_MALFORMED },
	{ "half a header", IP4("01", "0000", TO4) "0800 00", NULL, VPC_DROP_MALFORMED },
	{ "UDP to the gateway", IP4("11", "0000", TO4) PORTS, NULL, VPC_DROP_NO_ROUTE },
	{ "ping of another guest", IP4("01", "0000", FROM4) "0800 0000 1234 0001", NULL, VPC_DROP_NO_ROUTE },
};

static const struct guest_case echo6[] = {
	{ "ping", IP6("3a", TO6) "8000 0000 1234 0001 *56", BACK6 "8100 0000 1234 0001 *56" },
	{ "a large one", IP6("3a", TO6) "8000 0000 1234 0001 *1402", BACK6 "8100 0000 1234 0001 *1402" },
	{ "the router's own address", IP6("3a", GUEST_LLADDR6 GUEST_ROUTER6) "8000 0000 1234 0001",
	  "60000000 0000 3a40" GUEST_ROUTER6 GUEST_LLADDR6 "8100 0000 1234 0001" },
	{ "too large for the port", IP6("3a", TO6) "8000 0000 1234 0001 *1403", NULL, VPC_DROP_TOO_BIG },
	{ "a reply", IP6("3a", TO6) "8100 0000 1234 0001", NULL, VPC_DROP_PROTO },
	{ "a code", IP6("3a", TO6) "8001 0000 1234 0001", NULL, VPC_DROP_PROTO },
	{ "options", IP6("00", TO6) "3a00 0104 00000000 8000 0000 1234 0001", NULL, VPC_DROP_PROTO },
	{ "a wrong checksum", IP6("3a", TO6) "8000 dead 1234 0001", NULL, VPC_DROP_MALFORMED },
	{ "half a header", IP6("3a", TO6) "8000 00", NULL, VPC_DROP_MALFORMED },
	{ "UDP to the gateway", IP6("11", TO6) PORTS, NULL, VPC_DROP_NO_ROUTE },
	{ "ping of another guest", IP6("3a", FROM6) "8000 0000 1234 0001", NULL, VPC_DROP_NO_ROUTE },
};

static void icmp_echo(struct kunit *test)
{
	guest_run_cases(test->priv, echo_rx, ETH_P_IP, echo4, ARRAY_SIZE(echo4));
	guest_run_cases(test->priv, echo_rx, ETH_P_IPV6, echo6, ARRAY_SIZE(echo6));
}

static void icmp_echo_mangled(struct kunit *test)
{
	guest_run_mangled(test->priv, echo_rx, ETH_P_IP, echo4, ARRAY_SIZE(echo4), 10000);
	guest_run_mangled(test->priv, echo_rx, ETH_P_IPV6, echo6, ARRAY_SIZE(echo6), 10000);
}

static void icmp_echo_no_memory(struct kunit *test)
{
	guest_run_no_memory(test->priv, echo_rx, ETH_P_IP, &echo4[0]);
	guest_run_no_memory(test->priv, echo_rx, ETH_P_IPV6, &echo6[0]);
}

static struct kunit_case icmp_kunit_cases[] = {
	KUNIT_CASE(icmp_reasons),
	KUNIT_CASE(icmp_quotes),
	KUNIT_CASE(icmp_silence),
	KUNIT_CASE(icmp_no_gateway),
	KUNIT_CASE(icmp_rate),
	KUNIT_CASE(icmp_error_no_memory),
	KUNIT_CASE(icmp_echo),
	KUNIT_CASE(icmp_echo_mangled),
	KUNIT_CASE(icmp_echo_no_memory),
	{}
};

static struct kunit_suite icmp_suite = {
	.name = "vpc_icmp",
	.suite_init = netns_suite_init,
	.suite_exit = netns_suite_exit,
	.init = guest_test_init,
	.exit = guest_test_exit,
	.test_cases = icmp_kunit_cases,
};

kunit_test_suite(icmp_suite);
