// SPDX-License-Identifier: GPL-2.0-only
/*
 * IPv6 neighbour discovery at a port, and router advertisements (kmod/datapath/nd.c, ra.c): every message of RFC 4861
 * that a guest may send and those that it may not, duplicate address detection, the answers byte by byte; the same
 * mangled at random, in skbs of every shape, and without memory.
 */
#include "guest.h"
#include "netns.h"
#include "rig.h"
#include "../../kmod/datapath/nd.h"
#include "../../kmod/datapath/ra.h"

#include <linux/if_ether.h>

#define ICMP(hops, source, destination) "60000000 0000 3a" hops source destination
#define MULTICAST6(last) " ff020000 00000000 00000001 ff0000" last " "
#define LLADDR_OF(mac) "01 01 " mac
#define LLADDR LLADDR_OF(GUEST_MAC)
#define NS(source, destination, target) ICMP("ff", source, destination) "87 00 0000 00000000" target
#define NA(source, destination, flags, target) ICMP("ff", source, destination) "88 00 0000" flags "000000" target
#define RS(source) ICMP("ff", source, " ff020000 00000000 00000000 00000002 ") "85 00 0000 00000000"
#define MAC_OPTION "02 01 " GUEST_MAC

/* By the router: flags Router e0 = solicited too and the only one that has it, c0 = a proxy's. */
#define ANSWER(source, destination, flags, target)                                                                     \
	ICMP("ff", source, destination) "88 00 0000" flags "000000" target "02 01 " GUEST_ROUTER

#define RA_HEAD(destination) ICMP("ff", GUEST_ROUTER6, destination) "86 00 0000 40 00 0708 00000000 00000000"
#define RA_MTU "05 01 0000 000005aa"
#define RA_PREFIX(flags) "03 04 40" flags "00278d00 00093a80 00000000" GUEST_NET6 "00000000 00000000"
#define RA(destination, flags) RA_HEAD(destination) "01 01 " GUEST_ROUTER RA_MTU RA_PREFIX(flags)

static const struct guest_case nd_table[] = {
#define ASKED(n, source, destination, target)                                                                          \
	{ n, NS(source, destination, target) LLADDR, ANSWER(GUEST_ROUTER6, source, "c0", target) }
#define ASKED_ROUTER(n, source, destination, target)                                                                   \
	{ n, NS(source, destination, target) LLADDR, ANSWER(target, source, "e0", target) }
#define SILENT(n, packet) { n, packet, NULL }
#define BAD(n, packet) { n, packet, NULL, VPC_DROP_MALFORMED }
#define LIES(n, packet) { n, packet, NULL, VPC_DROP_SOURCE_ADDR }
	ASKED_ROUTER("the gateway", GUEST_ADDR6, MULTICAST6("01"), GUEST_GATEWAY6),
	ASKED_ROUTER("the gateway, from the link's address", GUEST_LLADDR6, MULTICAST6("01"), GUEST_GATEWAY6),
	ASKED_ROUTER("the router's own", GUEST_ADDR6, MULTICAST6("01"), GUEST_ROUTER6),
	ASKED_ROUTER("whether the router is still there", GUEST_ADDR6, GUEST_ROUTER6, GUEST_ROUTER6),
	ASKED("another guest", GUEST_ADDR6, MULTICAST6("06"), GUEST_OTHER6),
	ASKED("another guest, from the port's prefix", GUEST_PREFIX6, MULTICAST6("06"), GUEST_OTHER6),
	ASKED("an address that nobody has", GUEST_ADDR6, MULTICAST6("4d"), GUEST_NOBODY6),
	ASKED("a guest inside the port's prefix", GUEST_ADDR6, MULTICAST6("04"), GUEST_INSIDE6),
	{ "asked without a link-layer address", NS(GUEST_ADDR6, GUEST_OTHER6, GUEST_OTHER6),
	  ANSWER(GUEST_ROUTER6, GUEST_ADDR6, "c0", GUEST_OTHER6) },
	{ "an option that is not known", NS(GUEST_ADDR6, MULTICAST6("06"), GUEST_OTHER6) LLADDR "0e 01 *6",
	  ANSWER(GUEST_ROUTER6, GUEST_ADDR6, "c0", GUEST_OTHER6) },
	SILENT("its own", NS(GUEST_ADDR6, MULTICAST6("05"), GUEST_ADDR6) LLADDR),
	SILENT("its own prefix", NS(GUEST_ADDR6, MULTICAST6("03"), GUEST_PREFIX6) LLADDR),
	SILENT("another link-local address", NS(GUEST_ADDR6, MULTICAST6("07"), " fe800000 00000000 00000000 00000007")
	       LLADDR),
	SILENT("no address", NS(GUEST_ADDR6, MULTICAST6("00"), GUEST_ANY6) LLADDR),
	SILENT("loopback", NS(GUEST_ADDR6, MULTICAST6("01"), " 00000000 00000000 00000000 00000001") LLADDR),

	{ "is another guest's free?", NS(GUEST_ANY6, MULTICAST6("06"), GUEST_OTHER6),
	  ANSWER(GUEST_ROUTER6, GUEST_NODES6, "80", GUEST_OTHER6), .dmac = GUEST_ALL_NODES },
	{ "is the gateway's free?", NS(GUEST_ANY6, MULTICAST6("01"), GUEST_GATEWAY6),
	  ANSWER(GUEST_GATEWAY6, GUEST_NODES6, "a0", GUEST_GATEWAY6), .dmac = GUEST_ALL_NODES },
	{ "is a guest's inside the prefix free?", NS(GUEST_ANY6, MULTICAST6("04"), GUEST_INSIDE6),
	  ANSWER(GUEST_ROUTER6, GUEST_NODES6, "80", GUEST_INSIDE6), .dmac = GUEST_ALL_NODES },
	SILENT("is its own free?", NS(GUEST_ANY6, MULTICAST6("05"), GUEST_ADDR6)),
	SILENT("is its link's free?", NS(GUEST_ANY6, MULTICAST6("05"), GUEST_LLADDR6)),
	SILENT("is one of its prefix free?", NS(GUEST_ANY6, MULTICAST6("03"), GUEST_PREFIX6)),
	SILENT("is what nobody has free?", NS(GUEST_ANY6, MULTICAST6("4d"), GUEST_NOBODY6)),
	BAD("is it free, with a link-layer address", NS(GUEST_ANY6, MULTICAST6("06"), GUEST_OTHER6) LLADDR),
	BAD("is it free, to one node", NS(GUEST_ANY6, GUEST_OTHER6, GUEST_OTHER6)),
	BAD("a multicast target", NS(GUEST_ADDR6, MULTICAST6("01"), GUEST_NODES6) LLADDR),
	LIES("asked from another guest's", NS(GUEST_OTHER6, MULTICAST6("01"), GUEST_GATEWAY6) LLADDR),
	LIES("asked from the router's", NS(GUEST_ROUTER6, MULTICAST6("06"), GUEST_OTHER6) LLADDR),
	{ "asked from another's, and may", NS(GUEST_OTHER6, MULTICAST6("01"), GUEST_GATEWAY6) LLADDR,
	  ANSWER(GUEST_GATEWAY6, GUEST_OTHER6, "e0", GUEST_GATEWAY6), .flags = GUEST_UNCHECKED },
	{ "asked from the router's, unchecked", NS(GUEST_ROUTER6, MULTICAST6("06"), GUEST_OTHER6) LLADDR, NULL,
	  VPC_DROP_SOURCE_ADDR, GUEST_UNCHECKED },
	{ "asked from the gateway's, unchecked", NS(GUEST_GATEWAY6, MULTICAST6("06"), GUEST_OTHER6) LLADDR, NULL,
	  VPC_DROP_SOURCE_ADDR, GUEST_UNCHECKED },
	{ "announces the gateway's, unchecked", NA(GUEST_ADDR6, GUEST_NODES6, "20", GUEST_GATEWAY6) MAC_OPTION, NULL,
	  VPC_DROP_SOURCE_ADDR, GUEST_UNCHECKED },

	SILENT("announces its own", NA(GUEST_ADDR6, GUEST_NODES6, "20", GUEST_ADDR6) MAC_OPTION),
	SILENT("tells the router", NA(GUEST_ADDR6, GUEST_ROUTER6, "60", GUEST_ADDR6)),
	SILENT("announces its link's", NA(GUEST_LLADDR6, GUEST_NODES6, "20", GUEST_LLADDR6) MAC_OPTION),
	LIES("announces another guest's", NA(GUEST_ADDR6, GUEST_NODES6, "20", GUEST_OTHER6) MAC_OPTION),
	LIES("announces the router's", NA(GUEST_ADDR6, GUEST_NODES6, "20", GUEST_ROUTER6) MAC_OPTION),
	BAD("announces multicast", NA(GUEST_ADDR6, GUEST_NODES6, "20", GUEST_NODES6) MAC_OPTION),
	BAD("announces from nowhere", NA(GUEST_ANY6, GUEST_NODES6, "20", GUEST_ADDR6) MAC_OPTION),
	BAD("all nodes have asked", NA(GUEST_ADDR6, GUEST_NODES6, "60", GUEST_ADDR6) MAC_OPTION),
	{ "announces another's MAC", NA(GUEST_ADDR6, GUEST_NODES6, "20", GUEST_ADDR6) "02 01 020000000006", NULL,
	  VPC_DROP_SOURCE_MAC },

	{ "a router, please", RS(GUEST_LLADDR6) LLADDR, RA(GUEST_LLADDR6, "00") },
	{ "a router, from an address", RS(GUEST_ADDR6), RA(GUEST_ADDR6, "00") },
	{ "a router, from nowhere", RS(GUEST_ANY6), RA(GUEST_NODES6, "00"), .dmac = GUEST_ALL_NODES },
	BAD("a router, from nowhere with a link-layer address", RS(GUEST_ANY6) LLADDR),
	LIES("a router, from another guest's", RS(GUEST_OTHER6)),
	LIES("claims to be a router", ICMP("ff", GUEST_LLADDR6, GUEST_NODES6) "86 00 0000 40 00 0708 *8"),
	LIES("a redirect", ICMP("ff", GUEST_LLADDR6, GUEST_NODES6) "89 00 0000 00000000 *32"),

	BAD("sent on by a router", ICMP("fe", GUEST_ADDR6, MULTICAST6("06")) "87 00 0000 00000000" GUEST_OTHER6),
	BAD("a code", ICMP("ff", GUEST_ADDR6, MULTICAST6("06")) "87 01 0000 00000000" GUEST_OTHER6),
	BAD("a wrong checksum", ICMP("ff", GUEST_ADDR6, MULTICAST6("06")) "87 00 dead 00000000" GUEST_OTHER6),
	BAD("half a target", ICMP("ff", GUEST_ADDR6, MULTICAST6("06")) "87 00 0000 00000000 20010db8 00000000"),
	BAD("half an option", NS(GUEST_ADDR6, MULTICAST6("06"), GUEST_OTHER6) "01 01 0200"),
	BAD("an option of no length", NS(GUEST_ADDR6, MULTICAST6("06"), GUEST_OTHER6) "0e 00 *6"),
	BAD("an option that ends behind it", NS(GUEST_ADDR6, MULTICAST6("06"), GUEST_OTHER6) "0e 02 *6"),
	BAD("a longer link-layer address", NS(GUEST_ADDR6, MULTICAST6("06"), GUEST_OTHER6) "01 02" GUEST_MAC "*8"),
	{ "another's link-layer address", NS(GUEST_ADDR6, MULTICAST6("06"), GUEST_OTHER6) LLADDR_OF("020000000006"),
	  NULL, VPC_DROP_SOURCE_MAC },
	{ "a frame from another MAC", NS(GUEST_ADDR6, MULTICAST6("06"), GUEST_OTHER6), NULL, VPC_DROP_SOURCE_MAC, 0,
	  "020000000006" },
	{ "a VLAN's", NS(GUEST_ADDR6, MULTICAST6("06"), GUEST_OTHER6), NULL, VPC_DROP_PROTO, GUEST_VLAN },
	BAD("behind options", "60000000 0000 00ff" GUEST_ADDR6 MULTICAST6("06") "3a00 0104 00000000"
	    "87 00 0000 00000000" GUEST_OTHER6),
	BAD("a part of a fragment", "60000000 0000 2cff" GUEST_ADDR6 MULTICAST6("06") "3a00 0001 00000001"
	    "87 00 0000 00000000" GUEST_OTHER6),
	BAD("longer than it is", "60000000 0040 3aff" GUEST_ADDR6 MULTICAST6("06") "87 00 0000 00000000" GUEST_OTHER6),
	BAD("one byte short of IPv6's header", "60000000 0018 3aff *31"),
};

static void nd_cases(struct kunit *test)
{
	guest_run_cases(test->priv, vpc_nd_rx, ETH_P_IPV6, nd_table, ARRAY_SIZE(nd_table));
}

static void nd_mangled(struct kunit *test)
{
	guest_run_mangled(test->priv, vpc_nd_rx, ETH_P_IPV6, nd_table, ARRAY_SIZE(nd_table), 20000);
}

static const struct guest_case *nd_find(struct kunit *test, const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(nd_table); i++) {
		if (!strcmp(nd_table[i].name, name))
			return &nd_table[i];
	}
	KUNIT_ASSERT_NOT_NULL_MSG(test, NULL, "no case %s", name);
	return NULL;
}

static void nd_no_memory(struct kunit *test)
{
	static const char *const names[] = { "another guest", "is the gateway's free?", "a router, please" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		guest_run_no_memory(test->priv, vpc_nd_rx, ETH_P_IPV6, nd_find(test, names[i]));
}

/* What is taken out of the way of forwarding, wherever it is addressed to and whatever is in between. */
static void nd_recognized(struct kunit *test)
{
	static const struct {
		const char *name;
		const char *bytes;
		bool is;
	} packets[] = {
#define TO GUEST_ADDR6 GUEST_OTHER6
		{ "a solicitation", "60000000 0000 3a40" TO "87 00 0000", true },
		{ "an advertisement", "60000000 0000 3a40" TO "88 00 0000", true },
		{ "a redirect", "60000000 0000 3aff" TO "89 00 0000", true },
		{ "the first of them", "60000000 0000 3aff" TO "85 00 0000", true },
		{ "behind options", "60000000 0000 00ff" TO "3a00 0104 00000000 87 00 0000", true },
		{ "behind a fragment's header", "60000000 0000 2cff" TO "3a00 0001 00000001 87 00 0000", true },
		{ "a fragment that ends before it", "60000000 0000 2cff" TO "3a00 0001 00000001", true },
		{ "one before them", "60000000 0000 3aff" TO "84 00 0000", false },
		{ "one behind them", "60000000 0000 3aff" TO "8a 00 0000", false },
		{ "echo", "60000000 0000 3aff" TO "80 00 0000", false },
		{ "a later fragment", "60000000 0000 2cff" TO "3a00 0009 00000001 87 00 0000", false },
		{ "UDP", "60000000 0000 11ff" TO "8700 0000", false },
		{ "half a header", "60000000 0000 3aff *10", false },
	};
	struct packet *packet = kunit_kzalloc(test, sizeof(*packet), GFP_KERNEL);
	struct sk_buff *skb;
	unsigned int i, n;

	KUNIT_ASSERT_NOT_NULL(test, packet);
	for (i = 0; i < ARRAY_SIZE(packets); i++) {
		packet->ethertype = ETH_P_IPV6;
		packet_parse(test, packets[i].bytes, packet);
		packet_fill(packet);
		for (n = 0; n < PACKET_SHAPES; n++) {
			skb = packet_skb(test, packet, n, rig_below(packet->len + 1));
			KUNIT_EXPECT_EQ_MSG(test, vpc_nd_is(skb), packets[i].is, "%s", packets[i].name);
			kfree_skb(skb);
		}
	}
}

/* -- what an advertisement says depends on the port ---------------------------------------------------------------- */

static void to_guest(struct vpc_port *port, struct sk_buff *unused)
{
	consume_skb(unused);
	vpc_ra_send(port, NULL);
}

static void expect_ra(struct guest *guest, const char *text)
{
	struct packet *packet = kunit_kzalloc(guest->test, sizeof(*packet), GFP_KERNEL);
	struct kunit *test = guest->test;

	KUNIT_ASSERT_NOT_NULL(test, packet);
	KUNIT_EXPECT_EQ(test, guest_run(guest, to_guest, NULL), VPC_DROP_NONE);
	KUNIT_EXPECT_EQ(test, guest->n_sent, text ? 1 : 0);
	if (!text)
		return;
	packet->ethertype = ETH_P_IPV6;
	packet_parse(test, text, packet);
	packet_fill(packet);
	KUNIT_EXPECT_EQ(test, guest->sent.len, packet->len);
	KUNIT_EXPECT_EQ_MSG(test, memcmp(guest->sent.bytes, packet->bytes, packet->len), 0, "%s", text);
}

static void ra_contents(struct kunit *test)
{
	struct guest *guest = test->priv;
	struct vpc_port_conf *conf;

	expect_ra(guest, RA(GUEST_NODES6, "00"));
	/* the address that the guest would form is its own: 2001:db8::ff:fe00:5 from 02:00:00:00:00:05 */
	conf = guest_conf(guest);
	memcpy(conf->addrs[2].addr + 8, "\x00\x00\x00\xff\xfe\x00\x00\x05", 8);
	guest_set_conf(guest, conf);
	expect_ra(guest, RA(GUEST_NODES6, "40"));
	/* and so is it when the whole subnet is */
	conf = guest_conf(guest);
	memset(conf->addrs[2].addr + 8, 0, 8);
	conf->addrs[2].plen = 64;
	guest_set_conf(guest, conf);
	expect_ra(guest, RA(GUEST_NODES6, "40"));
	/* from a prefix that is not of 64 bits no guest forms any */
	conf = guest_conf(guest);
	conf->subnet6.plen = 56;
	guest_set_conf(guest, conf);
	expect_ra(guest, RA_HEAD(GUEST_NODES6) "01 01 " GUEST_ROUTER RA_MTU "03 04 38 00 00278d00 00093a80 00000000"
			 GUEST_NET6 "00000000 00000000");
	conf = guest_conf(guest);
	conf->subnet6.family = 0;
	guest_set_conf(guest, conf);
	expect_ra(guest, RA_HEAD(GUEST_NODES6) "01 01 " GUEST_ROUTER RA_MTU);
	/* a link that is narrower than IPv6's narrowest has no MTU to tell */
	WRITE_ONCE(guest->dev->mtu, 1279);
	expect_ra(guest, RA_HEAD(GUEST_NODES6) "01 01 " GUEST_ROUTER);
	WRITE_ONCE(guest->dev->mtu, 1280);
	expect_ra(guest, RA_HEAD(GUEST_NODES6) "01 01 " GUEST_ROUTER "05 01 0000 00000500");
	/* IPv6 addresses alone are reason enough; without any the router is silent */
	conf = guest_conf(guest);
	memset(&conf->gateway6, 0, sizeof(conf->gateway6));
	guest_set_conf(guest, conf);
	expect_ra(guest, RA_HEAD(GUEST_NODES6) "01 01 " GUEST_ROUTER "05 01 0000 00000500");
	conf = guest_conf(guest);
	conf->n_addrs = 2;
	guest_set_conf(guest, conf);
	expect_ra(guest, NULL);
}

/* The device has gone, or was never there. */
static void ra_no_device(struct kunit *test)
{
	struct guest *guest = test->priv;

	RCU_INIT_POINTER(guest->port->dev, NULL);
	expect_ra(guest, NULL);
	rcu_assign_pointer(guest->port->dev, guest->dev);
	expect_ra(guest, RA(GUEST_NODES6, "00"));
}

static struct kunit_case nd_kunit_cases[] = {
	KUNIT_CASE(nd_cases),
	KUNIT_CASE(nd_mangled),
	KUNIT_CASE(nd_no_memory),
	KUNIT_CASE(nd_recognized),
	KUNIT_CASE(ra_contents),
	KUNIT_CASE(ra_no_device),
	{}
};

static struct kunit_suite nd_suite = {
	.name = "vpc_nd",
	.suite_init = netns_suite_init,
	.suite_exit = netns_suite_exit,
	.init = guest_test_init,
	.exit = guest_test_exit,
	.test_cases = nd_kunit_cases,
};

kunit_test_suite(nd_suite);
