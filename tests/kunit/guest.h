/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A port whose device keeps what it is given, for the suites about what a port's router says to its guest
 * (kmod/datapath/arp.c, nd.c, ra.c, icmp.c): frames go in as a guest sends them, and what comes out is compared whole.
 */
#ifndef VPC_KUNIT_GUEST_H
#define VPC_KUNIT_GUEST_H

#include "packet.h"
#include "../../kmod/tables/port.h"

#define GUEST_MAC	"020000000005"
#define GUEST_ROUTER	"feee00000001"
#define GUEST_ALL_NODES	"333300000001"
#define GUEST_MTU	1450

/* The port's addresses, its subnet's gateway; the VPC has a guest elsewhere, and one inside the port's own prefix. */
#define GUEST_ADDR4	" 0a000005 "
#define GUEST_PREFIX4	" 0a000903 "		/* of 10.0.9.0/28 */
#define GUEST_INSIDE4	" 0a000904 "
#define GUEST_GATEWAY4	" 0a000001 "
#define GUEST_OTHER4	" 0a000006 "
#define GUEST_NOBODY4	" 0a00004d "
#define GUEST_NET6	" 20010db8 00000000 "
#define GUEST_ADDR6	GUEST_NET6 "00000000 00000005 "
#define GUEST_PREFIX6	" 20010db8 00000009 00000000 00000003 "	/* of 2001:db8:0:9::/64 */
#define GUEST_INSIDE6	" 20010db8 00000009 00000000 00000004 "
#define GUEST_GATEWAY6	GUEST_NET6 "00000000 00000001 "
#define GUEST_OTHER6	GUEST_NET6 "00000000 00000006 "
#define GUEST_NOBODY6	GUEST_NET6 "00000000 0000004d "
#define GUEST_LLADDR6	" fe800000 00000000 00000000 00000005 "
#define GUEST_ROUTER6	" fe800000 00000000 fcee00ff fe000001 "
#define GUEST_ANY6	" 00000000 00000000 00000000 00000000 "
#define GUEST_NODES6	" ff020000 00000000 00000000 00000001 "

/**
 * struct guest - the port and its device
 * @running: inside guest_run(), which no interrupt's work gets into
 * @n_sent: frames that the device was given by the last guest_run()
 * @sent: the last of them from its network header on
 * @sent_to: its destination MAC
 */
struct guest {
	struct kunit *test;
	struct vpc_net *vnet;
	struct vpc *vpc;
	struct vpc_port *port;
	struct net_device *dev;
	bool running;
	unsigned int n_sent;
	struct packet sent;
	u8 sent_to[ETH_ALEN];
};

/* How a case differs from a frame that the guest itself sends. */
#define GUEST_RAW	BIT(0)		/* what is 0 is meant to be 0 */
#define GUEST_VLAN	BIT(1)
#define GUEST_UNCHECKED	BIT(2)		/* the port has no source check */

/**
 * struct guest_case - a frame, and what comes of it
 * @in: from the network header on
 * @out: the answer; NULL: none
 * @reason: of the drop; VPC_DROP_NONE: none
 * @smac: of the frame; NULL: GUEST_MAC
 * @dmac: of the answer; NULL: GUEST_MAC
 */
struct guest_case {
	const char *name;
	const char *in;
	const char *out;
	enum vpc_drop reason;
	unsigned int flags;
	const char *smac;
	const char *dmac;
};

/* What takes a frame, under RCU with bottom halves off, and consumes it. */
typedef void (*guest_rx_t)(struct vpc_port *port, struct sk_buff *skb);

/* Beside netns_suite_init(): .init and .exit of a suite; test->priv is the guest. */
int guest_test_init(struct kunit *test);
void guest_test_exit(struct kunit *test);

/* A copy of the port's configuration, to be changed and given to guest_set_conf(), which consumes it. */
struct vpc_port_conf *guest_conf(struct guest *guest);
void guest_set_conf(struct guest *guest, struct vpc_port_conf *conf);

/* A frame as guest_run() takes it: data behind the Ethernet header. */
struct sk_buff *guest_frame(struct guest *guest, const struct packet *packet, const char *smac, enum packet_shape shape,
			    unsigned int head);
/* Return: why it was dropped, VPC_DROP_NONE when it was not. It fails the test when there is more than one reason. */
enum vpc_drop guest_run(struct guest *guest, guest_rx_t rx, struct sk_buff *skb);

/* Every case in every shape, its first bytes in the head or not. */
void guest_run_cases(struct guest *guest, guest_rx_t rx, u16 ethertype, const struct guest_case *cases, unsigned int n);
/*
 * The same frames mangled at random: whatever they are, at most one answer, from the router's MAC to the guest's or to
 * all nodes, and no answer to what is dropped.
 */
void guest_run_mangled(struct guest *guest, guest_rx_t rx, u16 ethertype, const struct guest_case *cases,
		       unsigned int n, unsigned int rounds);
/* The frame of one case while each allocation fails in turn: answered, or counted as NOMEM. */
void guest_run_no_memory(struct guest *guest, guest_rx_t rx, u16 ethertype, const struct guest_case *c);

#endif
