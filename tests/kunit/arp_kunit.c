// SPDX-License-Identifier: GPL-2.0-only
/*
 * ARP at a port (kmod/datapath/arp.c): who is answered, who is not, and what is no ARP that a guest may send; the same
 * mangled at random, in skbs of every shape, and without memory.
 */
#include "guest.h"
#include "netns.h"
#include "../../kmod/datapath/arp.h"

#include <linux/if_ether.h>

#define HEAD "0001 0800 06 04 "
#define ZEROS " 000000000000 "
#define NONE " 00000000 "
#define REQUEST(sender, target) HEAD "0001" GUEST_MAC sender ZEROS target
/* By the router for @target, to the guest as @sender. */
#define REPLY(target, sender) HEAD "0002" GUEST_ROUTER target GUEST_MAC sender

static const struct guest_case arp_table[] = {
#define ANSWERED(n, sender, target) { n, REQUEST(sender, target), REPLY(target, sender) }
#define SILENT(n, packet) { n, packet, NULL }
#define BAD(n, packet) { n, packet, NULL, VPC_DROP_MALFORMED }
	ANSWERED("the gateway", GUEST_ADDR4, GUEST_GATEWAY4),
	ANSWERED("another guest", GUEST_ADDR4, GUEST_OTHER4),
	ANSWERED("an address that nobody has", GUEST_ADDR4, GUEST_NOBODY4),
	ANSWERED("an address of another network", GUEST_ADDR4, " c0000201 "),
	ANSWERED("asked from the port's prefix", GUEST_PREFIX4, GUEST_GATEWAY4),
	ANSWERED("a guest inside the port's prefix", GUEST_ADDR4, GUEST_INSIDE4),
	ANSWERED("a probe for another guest's address", NONE, GUEST_OTHER4),
	ANSWERED("a probe for the gateway's", NONE, GUEST_GATEWAY4),
	ANSWERED("a probe for a guest's inside the prefix", NONE, GUEST_INSIDE4),
	SILENT("a probe for its own", REQUEST(NONE, GUEST_ADDR4)),
	SILENT("a probe for one of its prefix", REQUEST(NONE, GUEST_PREFIX4)),
	SILENT("a probe for what nobody has", REQUEST(NONE, GUEST_NOBODY4)),
	SILENT("an announcement", REQUEST(GUEST_ADDR4, GUEST_ADDR4)),
	SILENT("its own prefix", REQUEST(GUEST_ADDR4, GUEST_PREFIX4)),
	SILENT("no address", REQUEST(GUEST_ADDR4, NONE)),
	SILENT("loopback", REQUEST(GUEST_ADDR4, " 7f000001 ")),
	SILENT("multicast", REQUEST(GUEST_ADDR4, " e0000001 ")),
	SILENT("broadcast", REQUEST(GUEST_ADDR4, " ffffffff ")),
	SILENT("an announcement as a reply", HEAD "0002" GUEST_MAC GUEST_ADDR4 GUEST_MAC GUEST_ADDR4),
	SILENT("a reply to the router", HEAD "0002" GUEST_MAC GUEST_ADDR4 GUEST_ROUTER GUEST_GATEWAY4),
	{ "padding", REQUEST(GUEST_ADDR4, GUEST_GATEWAY4) "*18", REPLY(GUEST_GATEWAY4, GUEST_ADDR4) },
	BAD("another operation", HEAD "0003" GUEST_MAC GUEST_ADDR4 ZEROS GUEST_GATEWAY4),
	BAD("another hardware", "0006 0800 06 04 0001" GUEST_MAC GUEST_ADDR4 ZEROS GUEST_GATEWAY4),
	BAD("another protocol", "0001 86dd 06 04 0001" GUEST_MAC GUEST_ADDR4 ZEROS GUEST_GATEWAY4),
	BAD("longer MACs", "0001 0800 08 04 0001" GUEST_MAC GUEST_ADDR4 ZEROS GUEST_GATEWAY4 "*8"),
	BAD("longer addresses", "0001 0800 06 10 0001" GUEST_MAC GUEST_ADDR4 ZEROS GUEST_GATEWAY4 "*24"),
	BAD("one byte short", HEAD "0001" GUEST_MAC GUEST_ADDR4 ZEROS "0a0000"),
	BAD("nothing", ""),
	{ "a VLAN's", REQUEST(GUEST_ADDR4, GUEST_GATEWAY4), NULL, VPC_DROP_PROTO, GUEST_VLAN },
	{ "a frame from another MAC", REQUEST(GUEST_ADDR4, GUEST_GATEWAY4), NULL, VPC_DROP_SOURCE_MAC, 0,
	  "020000000006" },
	{ "a claim for another MAC", HEAD "0001 020000000006" GUEST_ADDR4 ZEROS GUEST_GATEWAY4, NULL,
	  VPC_DROP_SOURCE_MAC },
	{ "a claim to another guest's address", REQUEST(GUEST_OTHER4, GUEST_GATEWAY4), NULL, VPC_DROP_SOURCE_ADDR },
	{ "a claim to the gateway's", REQUEST(GUEST_GATEWAY4, GUEST_GATEWAY4), NULL, VPC_DROP_SOURCE_ADDR },
	{ "a reply that claims the gateway's", HEAD "0002" GUEST_MAC GUEST_GATEWAY4 GUEST_MAC GUEST_GATEWAY4, NULL,
	  VPC_DROP_SOURCE_ADDR },
	{ "no source check, another's address", REQUEST(GUEST_OTHER4, GUEST_GATEWAY4),
	  REPLY(GUEST_GATEWAY4, GUEST_OTHER4), VPC_DROP_NONE, GUEST_UNCHECKED },
	{ "no source check, the gateway's address", REQUEST(GUEST_GATEWAY4, GUEST_OTHER4), NULL, VPC_DROP_SOURCE_ADDR,
	  GUEST_UNCHECKED },
	{ "no source check, another's MAC", HEAD "0001 020000000006" GUEST_ADDR4 ZEROS GUEST_GATEWAY4, NULL,
	  VPC_DROP_SOURCE_MAC, GUEST_UNCHECKED },
};

static void arp_cases(struct kunit *test)
{
	guest_run_cases(test->priv, vpc_arp_rx, ETH_P_ARP, arp_table, ARRAY_SIZE(arp_table));
}

static void arp_mangled(struct kunit *test)
{
	guest_run_mangled(test->priv, vpc_arp_rx, ETH_P_ARP, arp_table, ARRAY_SIZE(arp_table), 20000);
}

static void arp_no_memory(struct kunit *test)
{
	guest_run_no_memory(test->priv, vpc_arp_rx, ETH_P_ARP, &arp_table[0]);
}

/* Without a gateway its address is one like all others. */
static void arp_no_gateway(struct kunit *test)
{
	static const struct guest_case c[] = {
		ANSWERED("the address of no gateway", GUEST_ADDR4, GUEST_GATEWAY4),
		SILENT("a probe for no gateway's", REQUEST(NONE, GUEST_GATEWAY4)),
		SILENT("no address, no gateway", REQUEST(GUEST_ADDR4, NONE)),
	};
	struct guest *guest = test->priv;
	struct vpc_port_conf *conf = guest_conf(guest);

	conf->gateway4 = 0;
	guest_set_conf(guest, conf);
	guest_run_cases(guest, vpc_arp_rx, ETH_P_ARP, c, ARRAY_SIZE(c));
}

static struct kunit_case arp_kunit_cases[] = {
	KUNIT_CASE(arp_cases),
	KUNIT_CASE(arp_mangled),
	KUNIT_CASE(arp_no_memory),
	KUNIT_CASE(arp_no_gateway),
	{}
};

static struct kunit_suite arp_suite = {
	.name = "vpc_arp",
	.suite_init = netns_suite_init,
	.suite_exit = netns_suite_exit,
	.init = guest_test_init,
	.exit = guest_test_exit,
	.test_cases = arp_kunit_cases,
};

kunit_test_suite(arp_suite);
