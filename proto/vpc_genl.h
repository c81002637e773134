/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The generic netlink family "vpc", version 1: the only way into vpc.ko.
 *
 * Included by kmod/control (which validates and answers) and by lib/kernel.c (which asks). All state is per network
 * namespace. Every command needs CAP_NET_ADMIN in the namespace's user namespace; every refusal carries an extack text.
 * doc/netlink.md explains each command; the canonical bytes behind the digest are in vpc_canon.h.
 *
 * Numbers are in host byte order, as netlink has it, save addresses, which are in network byte order.
 */
#ifndef VPC_GENL_H
#define VPC_GENL_H

#include <linux/types.h>

#define VPC_GENL_NAME		"vpc"
#define VPC_GENL_VERSION	1
#define VPC_GENL_MCGRP_EVENTS	"events"

#define VPC_VNI_MAX		0xffffffU	/* VNIs are 1..VPC_VNI_MAX (RFC 7348: 24 bits; 0 is not a VPC) */
#define VPC_UDP_PORT		4789		/* RFC 7348 section 5 */
#define VPC_PORT_ADDRS_MAX	64		/* addresses and prefixes of one port */
#define VPC_TABLES_MAX		1024		/* tables of one VPC, the mapping (table 0) included */
#define VPC_MEMBERS_MAX		128		/* members of one group */
#define VPC_WEIGHT_MAX		256		/* weights are 1..VPC_WEIGHT_MAX */
#define VPC_PEER_DEPTH		4		/* VPCs that one packet may pass through by peering */
#define VPC_CHANGE_MAX		64		/* bytes of a change id, without the NUL */

/* The MAC by which a port knows its router, on every host. */
#define VPC_ROUTER_MAC		{ 0xfe, 0xee, 0x00, 0x00, 0x00, 0x01 }

enum vpc_cmd {
	VPC_CMD_UNSPEC,
	VPC_CMD_HOST_SET,	/* HOST: this namespace's VTEP and UDP port; opens the tunnel socket */
	VPC_CMD_HOST_GET,	/* -> HOST */
	VPC_CMD_VPC_NEW,	/* VNI, QUOTA?, FLAGS?: create; NLM_F_REPLACE: create or change these */
	VPC_CMD_VPC_DEL,	/* VNI. -EBUSY while ports are configured */
	VPC_CMD_VPC_GET,	/* do: VNI; dump: all -> VNI, EPOCH, DIGEST, counts */
	VPC_CMD_PORT_NEW,	/* PORT: create; NLM_F_REPLACE: create or change */
	VPC_CMD_PORT_DEL,	/* PORT{IFNAME} */
	VPC_CMD_PORT_GET,	/* do: PORT{IFNAME}; dump: all, or those of VNI */
	VPC_CMD_TXN_BEGIN,	/* VNI, TXN_MODE, BASE_EPOCH? -> TXN */
	VPC_CMD_TXN_ADD,	/* TXN, NEXTHOPS*, MEMBERS*, ROUTES4*, ROUTES6* (any number of each, in order) */
	VPC_CMD_TXN_COMMIT,	/* TXN, EPOCH, DIGEST?, CHANGE? -> VNI, EPOCH, DIGEST */
	VPC_CMD_TXN_ABORT,	/* TXN */
	VPC_CMD_ROUTE_GET,	/* dump: VNI, TABLE?, NEXTHOP_ID?, PREFIX? -> EPOCH, ROUTES4, ROUTES6 */
	VPC_CMD_NEXTHOP_GET,	/* dump: VNI -> EPOCH, NEXTHOPS, MEMBERS */
	VPC_CMD_LOOKUP,		/* LOOKUP -> STEP*, VERDICT, DROP_REASON?; sends nothing */
	VPC_CMD_VERIFY,		/* VNI -> EPOCH, DIGEST (kept), DIGEST_FOUND (recomputed), FAULTS, counts */
	VPC_CMD_STATS_GET,	/* dump: per namespace, VPC and port -> STATS */
	VPC_CMD_EVENT,		/* multicast only: EVENT, and what it speaks of */
	__VPC_CMD_AFTER_LAST,
	VPC_CMD_MAX = __VPC_CMD_AFTER_LAST - 1
};

enum vpc_attr {
	VPC_A_UNSPEC,
	VPC_A_PAD,
	VPC_A_VNI,		/* u32 */
	VPC_A_EPOCH,		/* u64 */
	VPC_A_BASE_EPOCH,	/* u64: compare-and-set; -ESTALE when it is not current, at BEGIN and at COMMIT */
	VPC_A_DIGEST,		/* struct vpc_digest */
	VPC_A_DIGEST_FOUND,	/* struct vpc_digest */
	VPC_A_QUOTA,		/* u64, bytes of kernel memory for this VPC's tables; 0: no limit */
	VPC_A_MEMORY,		/* u64, bytes in use */
	VPC_A_N_ROUTES,		/* u64 */
	VPC_A_N_NEXTHOPS,	/* u32 */
	VPC_A_N_TABLES,		/* u32 */
	VPC_A_N_PORTS,		/* u32 */
	VPC_A_CHANGE,		/* string: the change id, carried into the commit event */
	VPC_A_TXN,		/* u32: handle, valid on the socket that began it */
	VPC_A_TXN_MODE,		/* u8, enum vpc_txn_mode */
	VPC_A_NEXTHOPS,		/* array of struct vpc_nl_nexthop */
	VPC_A_ROUTES4,		/* array of struct vpc_nl_route4 */
	VPC_A_ROUTES6,		/* array of struct vpc_nl_route6 */
	VPC_A_TABLE,		/* u32: dump filter */
	VPC_A_NEXTHOP_ID,	/* u32: dump filter */
	VPC_A_PREFIX,		/* struct vpc_nl_prefix: dump filter, this prefix and all inside it */
	VPC_A_HOST,		/* nest, enum vpc_host_attr */
	VPC_A_PORT,		/* nest, enum vpc_port_attr */
	VPC_A_LOOKUP,		/* nest, enum vpc_lookup_attr */
	VPC_A_STEP,		/* nest, enum vpc_step_attr; repeated, in the order the packet takes them */
	VPC_A_VERDICT,		/* u8, enum vpc_verdict */
	VPC_A_DROP_REASON,	/* u8, enum vpc_drop */
	VPC_A_STATS,		/* nest, enum vpc_stats_attr */
	VPC_A_EVENT,		/* u8, enum vpc_event */
	VPC_A_FLAGS,		/* u32, VPC_F_*; this host's own, like the quota: not versioned, not in the digest */
	VPC_A_MEMBERS,		/* array of struct vpc_nl_member */
	VPC_A_N_MEMBERS,	/* u32: of all groups */
	VPC_A_FAULTS,		/* u32, VPC_FAULT_*: what VERIFY found beside the tables */
	__VPC_A_AFTER_LAST,
	VPC_A_MAX = __VPC_A_AFTER_LAST - 1
};

/*
 * Strict: a packet from the wire is taken only when a reply to its inner source, by the receiving port's own table,
 * would go to the VTEP that it came from (RFC 3704, strict reverse path). An address that moves suffers for a while.
 */
#define VPC_F_STRICT		(1U << 0)
#define __VPC_F_ALL		(VPC_F_STRICT)

/* Derived from tables and ports, read by forwarding, and not what it is to be: DIGEST_FOUND is another one, too. */
#define VPC_FAULT_INDEX		(1U << 0)	/* a large table's index is not its tree's */
#define VPC_FAULT_GROUP		(1U << 1)	/* a group's buckets are not those of its members */
#define VPC_FAULT_RECENT	(1U << 2)	/* a CPU remembers another nexthop than the tables say */
#define VPC_FAULT_PORT		(1U << 3)	/* the map of addresses is not what the ports say */
#define __VPC_FAULT_ALL		(VPC_FAULT_INDEX | VPC_FAULT_GROUP | VPC_FAULT_RECENT | VPC_FAULT_PORT)

struct vpc_digest {
	__u64 h[2];		/* sums modulo 2^64, see vpc_canon.h; as text: %016x%016x, h[0] first */
};

enum vpc_txn_mode {
	VPC_TXN_DELTA,		/* on top of BASE_EPOCH, which must be given */
	VPC_TXN_REPLACE,	/* from empty; BASE_EPOCH checked when given */
};

enum vpc_op {
	VPC_OP_SET,		/* add, or change what is there */
	VPC_OP_DEL,		/* -ENOENT when not there */
};

enum vpc_nexthop_type {
	VPC_NEXTHOP_LOCAL = 1,	/* look in table 0 */
	VPC_NEXTHOP_HOST,	/* a VTEP of this cloud; ours: deliver to a port here */
	VPC_NEXTHOP_GATEWAY,	/* a VTEP outside the mapping (TGW); TTL is decremented */
	VPC_NEXTHOP_PEER,	/* go on in another VPC's table; TTL is decremented */
	VPC_NEXTHOP_GROUP,	/* one of its members, by the flow's hash */
	VPC_NEXTHOP_BLACKHOLE,	/* silent */
	VPC_NEXTHOP_PROHIBIT,	/* ICMP */
	VPC_NEXTHOP_UNREACHABLE,
	__VPC_NEXTHOP_AFTER_LAST,
	VPC_NEXTHOP_MAX = __VPC_NEXTHOP_AFTER_LAST - 1
};

struct vpc_nl_nexthop {
	__u32 id;		/* not 0 */
	__u8 op;		/* enum vpc_op; in dumps VPC_OP_SET */
	__u8 type;		/* enum vpc_nexthop_type; ignored for VPC_OP_DEL */
	__u8 family;		/* AF_INET or AF_INET6 for HOST and GATEWAY, else 0 */
	__u8 pad;		/* 0 */
	__u32 vni;		/* HOST, GATEWAY: VNI on the wire, 0: the VPC's own. PEER: the other VPC */
	__u32 table;		/* PEER: the table there; else 0 */
	__u8 mac[6];		/* HOST, GATEWAY: inner destination MAC, zeros: VPC_ROUTER_MAC */
	__u8 pad2[2];		/* 0 */
	__u8 addr[16];		/* VTEP; IPv4 in the first 4 bytes, the rest 0 */
};

/*
 * A member of a group: an element of its own, known by (group, nexthop). A flow stays with its member as long as both
 * are there: another member's coming or going moves only the flows that it gains or loses (rendezvous hashing).
 */
struct vpc_nl_member {
	__u32 group;		/* id of a nexthop of type GROUP */
	__u32 nexthop;		/* any type but GROUP */
	__u16 weight;		/* 1..VPC_WEIGHT_MAX: its share of the flows; ignored for VPC_OP_DEL */
	__u8 op;		/* enum vpc_op; in dumps VPC_OP_SET */
	__u8 pad;		/* 0 */
};

struct vpc_nl_route4 {
	__u32 table;
	__u32 nexthop;		/* ignored for VPC_OP_DEL */
	__u8 addr[4];		/* no bits beyond plen */
	__u8 plen;
	__u8 op;		/* enum vpc_op; in dumps VPC_OP_SET */
	__u8 pad[2];		/* 0 */
};

struct vpc_nl_route6 {
	__u32 table;
	__u32 nexthop;
	__u8 addr[16];
	__u8 plen;
	__u8 op;
	__u8 pad[2];
};

struct vpc_nl_prefix {
	__u8 family;		/* AF_INET or AF_INET6 */
	__u8 plen;
	__u8 pad[2];
	__u8 addr[16];
};

enum vpc_host_attr {
	VPC_HOST_A_UNSPEC,
	VPC_HOST_A_VTEP4,	/* 4 bytes: underlay address of this host, the source of what we send */
	VPC_HOST_A_VTEP6,	/* 16 bytes */
	VPC_HOST_A_UDP_PORT,	/* u16, host byte order; VPC_UDP_PORT when absent */
	VPC_HOST_A_INSTANCE,	/* get only, u64: random, new with every insmod and namespace */
	VPC_HOST_A_VERSION,	/* get only, string: the module's version */
	VPC_HOST_A_PAD,
	__VPC_HOST_A_AFTER_LAST,
	VPC_HOST_A_MAX = __VPC_HOST_A_AFTER_LAST - 1
};

enum vpc_port_attr {
	VPC_PORT_A_UNSPEC,
	VPC_PORT_A_IFNAME,	/* string: the port's identity in its namespace */
	VPC_PORT_A_IFINDEX,	/* get only, u32; absent while the device is absent */
	VPC_PORT_A_VNI,		/* u32 */
	VPC_PORT_A_MAC,		/* 6 bytes: the guest's */
	VPC_PORT_A_TABLE,	/* u32: the table its packets are looked up in */
	VPC_PORT_A_FLAGS,	/* u32, VPC_PORT_F_* */
	VPC_PORT_A_ADDRS,	/* array of struct vpc_nl_prefix: what it may send from and is delivered */
	VPC_PORT_A_GATEWAY4,	/* 4 bytes: its subnet's gateway, source of our ICMP */
	VPC_PORT_A_GATEWAY6,	/* 16 bytes */
	VPC_PORT_A_SUBNET6,	/* struct vpc_nl_prefix: its IPv6 subnet, announced in router advertisements */
	__VPC_PORT_A_AFTER_LAST,
	VPC_PORT_A_MAX = __VPC_PORT_A_AFTER_LAST - 1
};

#define VPC_PORT_F_NO_SOURCE_CHECK	(1U << 0)	/* an appliance that forwards for others */
#define __VPC_PORT_F_ALL		(VPC_PORT_F_NO_SOURCE_CHECK)

enum vpc_lookup_attr {
	VPC_LOOKUP_A_UNSPEC,
	VPC_LOOKUP_A_IFNAME,	/* string: from this port; else from the wire with VNI and OUTER_SRC */
	VPC_LOOKUP_A_VNI,	/* u32 */
	VPC_LOOKUP_A_OUTER_SRC,	/* struct vpc_nl_prefix, plen ignored */
	VPC_LOOKUP_A_SRC_MAC,	/* 6 bytes; the port's own when absent */
	VPC_LOOKUP_A_SRC,	/* struct vpc_nl_prefix, plen ignored */
	VPC_LOOKUP_A_DST,	/* struct vpc_nl_prefix, plen ignored */
	VPC_LOOKUP_A_TTL,	/* u8; 64 when absent */
	VPC_LOOKUP_A_PROTO,	/* u8: IP protocol; 0 when absent */
	VPC_LOOKUP_A_SPORT,	/* u16, host byte order: for TCP, UDP and SCTP, chooses a group's member */
	VPC_LOOKUP_A_DPORT,	/* u16, host byte order */
	VPC_LOOKUP_A_LEN,	/* u32: bytes of the IP packet; 0 (absent): fits everywhere */
	__VPC_LOOKUP_A_AFTER_LAST,
	VPC_LOOKUP_A_MAX = __VPC_LOOKUP_A_AFTER_LAST - 1
};

enum vpc_step {
	VPC_STEP_SOURCE,	/* source check of a port, or of the outer source */
	VPC_STEP_ROUTE,		/* TABLE, PREFIX matched, NEXTHOP_ID */
	VPC_STEP_NEXTHOP,	/* NEXTHOP as it stands */
	VPC_STEP_PORT,		/* a port here owns the destination: IFNAME */
	VPC_STEP_TTL,		/* TTL decremented: OK, or it ran out */
	VPC_STEP_ENCAP,		/* VTEP and VNI on the wire (NEXTHOP holds them, VNI the one used) */
	VPC_STEP_GROUP,		/* NEXTHOP: the member chosen; BUCKET: by which part of the flow's hash */
	VPC_STEP_PEER,		/* on to VPC VNI, TABLE there */
	VPC_STEP_STRICT,	/* strict mode: the inner source leads back to the outer one */
	VPC_STEP_MTU,		/* MTU: how long an IP packet may be on this way */
	__VPC_STEP_AFTER_LAST,
	VPC_STEP_MAX = __VPC_STEP_AFTER_LAST - 1
};

enum vpc_step_attr {
	VPC_STEP_A_UNSPEC,
	VPC_STEP_A_STEP,	/* u8, enum vpc_step */
	VPC_STEP_A_OK,		/* u8: 1, or 0 where the packet ended here */
	VPC_STEP_A_TABLE,	/* u32 */
	VPC_STEP_A_PREFIX,	/* struct vpc_nl_prefix */
	VPC_STEP_A_NEXTHOP,	/* struct vpc_nl_nexthop */
	VPC_STEP_A_VNI,		/* u32 */
	VPC_STEP_A_IFNAME,	/* string */
	VPC_STEP_A_BUCKET,	/* u32 */
	VPC_STEP_A_MTU,		/* u32, bytes */
	__VPC_STEP_A_AFTER_LAST,
	VPC_STEP_A_MAX = __VPC_STEP_A_AFTER_LAST - 1
};

enum vpc_verdict {
	VPC_VERDICT_DROP,
	VPC_VERDICT_DELIVER,	/* to a port here */
	VPC_VERDICT_ENCAP,	/* to a VTEP */
	VPC_VERDICT_ANSWER,	/* answered here (ARP, neighbour discovery, an echo request to the gateway) */
};

/* Why a packet was dropped; counted per port, per VPC where no port is known, per namespace where no VPC is. */
enum vpc_drop {
	VPC_DROP_NONE,
	VPC_DROP_MALFORMED,		/* too short, or its headers contradict each other */
	VPC_DROP_SOURCE_MAC,		/* not the port's own MAC */
	VPC_DROP_SOURCE_ADDR,		/* not one of the port's addresses, ARP claims included */
	VPC_DROP_MULTICAST,		/* broadcast and multicast stay on their port */
	VPC_DROP_PROTO,			/* neither ARP nor a family that this version forwards */
	VPC_DROP_NO_TABLE,		/* the port's table is not there (yet) */
	VPC_DROP_NO_ROUTE,
	VPC_DROP_NO_NEXTHOP,		/* never while the tables are sound */
	VPC_DROP_BLACKHOLE,
	VPC_DROP_PROHIBIT,
	VPC_DROP_UNREACHABLE,
	VPC_DROP_NO_PORT,		/* mapped to this host, but no port here owns it */
	VPC_DROP_PORT_DOWN,		/* the port's device is absent or down */
	VPC_DROP_TTL,
	VPC_DROP_LOOP,			/* more steps than any sound table needs */
	VPC_DROP_NO_VTEP,		/* this host has no VTEP configured */
	VPC_DROP_NO_UNDERLAY,		/* the underlay has no route to the VTEP */
	VPC_DROP_TOO_BIG,		/* larger than the path, don't fragment set */
	VPC_DROP_NOMEM,
	VPC_DROP_VNI,			/* from the wire: no such VPC here */
	VPC_DROP_OUTER_SOURCE,		/* from the wire: not a VTEP of this VPC */
	VPC_DROP_OUTER_HEADER,		/* from the wire: VXLAN header malformed */
	VPC_DROP_QUEUE,			/* the port's device did not take it: its queue is full */
	VPC_DROP_STRICT,		/* from the wire, strict mode: its inner source does not lead back there */
	VPC_DROP_NO_MEMBER,		/* the group has no member */
	VPC_DROP_NO_PEER,		/* the peer VPC is not here (yet) */
	__VPC_DROP_AFTER_LAST,
	VPC_DROP_MAX = __VPC_DROP_AFTER_LAST - 1
};

enum vpc_stats_attr {
	VPC_STATS_A_UNSPEC,
	VPC_STATS_A_PAD,
	VPC_STATS_A_VNI,	/* u32; absent: the namespace's own */
	VPC_STATS_A_IFNAME,	/* string; absent: the VPC's own */
	VPC_STATS_A_RX_PACKETS,	/* u64: from the port (port), from the wire (VPC) */
	VPC_STATS_A_RX_BYTES,
	VPC_STATS_A_TX_PACKETS,	/* u64: to the port (port), to the wire (VPC) */
	VPC_STATS_A_TX_BYTES,
	VPC_STATS_A_DROPS,	/* array of u64, indexed by enum vpc_drop */
	__VPC_STATS_A_AFTER_LAST,
	VPC_STATS_A_MAX = __VPC_STATS_A_AFTER_LAST - 1
};

enum vpc_event {
	VPC_EVENT_COMMIT,	/* VNI, EPOCH, DIGEST, CHANGE? */
	VPC_EVENT_PORT_ABSENT,	/* PORT: its device is gone, the configuration is kept */
	VPC_EVENT_PORT_PRESENT,	/* PORT: its device is back */
	VPC_EVENT_QUOTA,	/* VNI, MEMORY, QUOTA: a transaction was refused */
	VPC_EVENT_VPC_NEW,	/* VNI */
	VPC_EVENT_VPC_DEL,	/* VNI */
};

#endif
