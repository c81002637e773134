// SPDX-License-Identifier: Apache-2.0
/*
 * "nlcheck refusals": one message each that must be refused, for every command but those of transactions (txn.c), and
 * what the kernel holds compared after each. Called by main().
 */
#include "nlcheck.h"

#include <arpa/inet.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct refusal {
	const char *name;
	uint8_t cmd;
	uint16_t flags;
	int error;
	const char *text; /* a regular expression; NULL: the core refuses, without a text */
	struct nlcheck_attr attrs[NLCHECK_ATTRS_MAX];
};

#define REFUSE(name, cmd, flags, error, text, ...) { name, VPC_CMD_##cmd, flags, error, text, { __VA_ARGS__ } }

/* What the core says of an attribute. */
#define UNKNOWN "[Uu]nknown attribute|[Uu]nsupported attribute"
#define LENGTH "invalid attribute length"
#define SIZE "attribute size out of range"
#define INVALID "failed policy validation"
#define RANGE "integer out of range"
#define NO_FLAGS "netlink flags 0x[0-9a-f]+ mean nothing"
#define STRAY U32(200, 1)

#define HOST(...) NEST(VPC_A_HOST, __VA_ARGS__)
#define PORT(...) NEST(VPC_A_PORT, __VA_ARGS__)
#define NAME(s) STR(VPC_PORT_A_IFNAME, s)
#define MAC(...) ARRAY(VPC_PORT_A_MAC, uint8_t, __VA_ARGS__)
#define GOOD_MAC MAC(2, 0, 0, 0, 0, 9)
#define NEW_PORT(name, vni, ...) PORT(NAME(name), U32(VPC_PORT_A_VNI, vni), GOOD_MAC __VA_OPT__(,) __VA_ARGS__)
#define ADDRS(...) ARRAY(VPC_PORT_A_ADDRS, struct vpc_nl_prefix, __VA_ARGS__)
#define LOOKUP(...) NEST(VPC_A_LOOKUP, __VA_ARGS__)
#define ADDR(t, ...) ARRAY(t, struct vpc_nl_prefix, __VA_ARGS__)
#define IP(t) ADDR(t, { AF_INET, 32, { 0 }, { 10, 0, 0, 5 } })
#define SRC IP(VPC_LOOKUP_A_SRC)
#define DST IP(VPC_LOOKUP_A_DST)
#define OUTER IP(VPC_LOOKUP_A_OUTER_SRC)

static const struct refusal host_refusals[] = {
	REFUSE("HOST_SET without HOST", HOST_SET, 0, -EINVAL, "HOST is missing", { 0 }),
	REFUSE("HOST_SET without an address", HOST_SET, 0, -EINVAL, "VTEP4 and VTEP6 are missing", HOST()),
	REFUSE("HOST_SET, not our IPv6 address", HOST_SET, 0, -EADDRNOTAVAIL, "not an address of this host",
	       HOST(RAW(VPC_HOST_A_VTEP6, "0123456789abcdef", 16))),
	REFUSE("HOST_SET, IPv6 VTEP too short", HOST_SET, 0, -ERANGE, SIZE, HOST(RAW(VPC_HOST_A_VTEP6, "0123", 4))),
	REFUSE("HOST_SET, 3 bytes of address", HOST_SET, 0, -ERANGE, SIZE, HOST(RAW(VPC_HOST_A_VTEP4, "abc", 3))),
	REFUSE("HOST_SET, not our address", HOST_SET, 0, -EADDRNOTAVAIL, "not an address of this host",
	       HOST(ARRAY(VPC_HOST_A_VTEP4, uint8_t, 198, 51, 100, 1))),
	REFUSE("HOST_SET, multicast", HOST_SET, 0, -EINVAL, "224.0.0.1 cannot be a VTEP",
	       HOST(ARRAY(VPC_HOST_A_VTEP4, uint8_t, 224, 0, 0, 1))),
	REFUSE("HOST_SET, address 0", HOST_SET, 0, -EINVAL, "0.0.0.0 cannot be a VTEP",
	       HOST(ARRAY(VPC_HOST_A_VTEP4, uint8_t, 0, 0, 0, 0))),
	REFUSE("HOST_SET, UDP port 0", HOST_SET, 0, -ERANGE, RANGE,
	       HOST(ARRAY(VPC_HOST_A_VTEP4, uint8_t, 192, 0, 2, 1), U16(VPC_HOST_A_UDP_PORT, 0))),
	REFUSE("HOST_SET, UDP port of 4 bytes", HOST_SET, 0, -EINVAL, LENGTH,
	       HOST(ARRAY(VPC_HOST_A_VTEP4, uint8_t, 192, 0, 2, 1), U32(VPC_HOST_A_UDP_PORT, 4789))),
	REFUSE("HOST_SET, UDP port in use", HOST_SET, 0, -EADDRINUSE, "in use by another socket",
	       HOST(ARRAY(VPC_HOST_A_VTEP4, uint8_t, 192, 0, 2, 1), U16(VPC_HOST_A_UDP_PORT, 9999))),
	REFUSE("HOST_SET, instance", HOST_SET, 0, -EINVAL, UNKNOWN,
	       HOST(ARRAY(VPC_HOST_A_VTEP4, uint8_t, 192, 0, 2, 1), U64(VPC_HOST_A_INSTANCE, 1))),
	REFUSE("HOST_SET, unknown inside", HOST_SET, 0, -EINVAL, UNKNOWN, HOST(STRAY)),
	REFUSE("HOST_SET, unknown attribute", HOST_SET, 0, -EINVAL, UNKNOWN,
	       HOST(ARRAY(VPC_HOST_A_VTEP4, uint8_t, 192, 0, 2, 1)), STRAY),
	REFUSE("HOST_SET, HOST not a nest", HOST_SET, 0, -EINVAL, "NLA_F_NESTED", RAW(VPC_A_HOST, "12345678", 8)),
	REFUSE("HOST_SET, flags", HOST_SET, NLM_F_REPLACE, -EINVAL, NO_FLAGS,
	       HOST(ARRAY(VPC_HOST_A_VTEP4, uint8_t, 192, 0, 2, 1))),
	REFUSE("HOST_GET, unknown attribute", HOST_GET, 0, -EINVAL, UNKNOWN, STRAY),
	REFUSE("HOST_GET, VNI", HOST_GET, 0, -EINVAL, UNKNOWN, U32(VPC_A_VNI, RED)),
	REFUSE("HOST_GET, flags", HOST_GET, NLM_F_EXCL, -EINVAL, NO_FLAGS, { 0 }),
	REFUSE("HOST_GET as a dump", HOST_GET, NLM_F_DUMP, -EOPNOTSUPP, NULL, { 0 }),
	REFUSE("STATS_GET, no dump", STATS_GET, 0, -EOPNOTSUPP, NULL, { 0 }),
	REFUSE("STATS_GET, VNI", STATS_GET, NLM_F_DUMP, -EINVAL, UNKNOWN, U32(VPC_A_VNI, RED)),
	REFUSE("STATS_GET, unknown attribute", STATS_GET, NLM_F_DUMP, -EINVAL, UNKNOWN, STRAY),
	REFUSE("STATS_GET, flags", STATS_GET, NLM_F_DUMP | NLM_F_APPEND, -EINVAL, NO_FLAGS, { 0 }),
	REFUSE("EVENT", EVENT, 0, -EOPNOTSUPP, NULL, { 0 }),
	REFUSE("command 0", UNSPEC, 0, -EOPNOTSUPP, NULL, { 0 }),
	REFUSE("a command behind the last", MAX + 1, 0, -EOPNOTSUPP, NULL, { 0 }),
};

static const struct refusal vpc_refusals[] = {
	REFUSE("VPC_NEW without VNI", VPC_NEW, 0, -EINVAL, "VNI is missing", { 0 }),
	REFUSE("VPC_NEW, VNI 0", VPC_NEW, 0, -ERANGE, RANGE, U32(VPC_A_VNI, 0)),
	REFUSE("VPC_NEW, VNI of 25 bits", VPC_NEW, 0, -ERANGE, RANGE, U32(VPC_A_VNI, VPC_VNI_MAX + 1)),
	REFUSE("VPC_NEW, VNI of 2 bytes", VPC_NEW, 0, -EINVAL, LENGTH, U16(VPC_A_VNI, 300)),
	REFUSE("VPC_NEW, VNI of 8 bytes", VPC_NEW, 0, -EINVAL, LENGTH, U64(VPC_A_VNI, 300)),
	REFUSE("VPC_NEW, duplicate", VPC_NEW, 0, -EEXIST, "VPC 100 exists already", U32(VPC_A_VNI, RED)),
	REFUSE("VPC_NEW, quota of 4 bytes", VPC_NEW, 0, -EINVAL, LENGTH, U32(VPC_A_VNI, 300), U32(VPC_A_QUOTA, 1)),
	REFUSE("VPC_NEW, unknown flags", VPC_NEW, 0, -EINVAL, "reserved bit set", U32(VPC_A_VNI, 300),
	       U32(VPC_A_FLAGS, 1U << 1)),
	REFUSE("VPC_NEW, change to unknown flags", VPC_NEW, NLM_F_REPLACE, -EINVAL, "reserved bit set",
	       U32(VPC_A_VNI, RED), U32(VPC_A_FLAGS, 1U << 31)),
	REFUSE("VPC_NEW, flags of 8 bytes", VPC_NEW, 0, -EINVAL, LENGTH, U32(VPC_A_VNI, 300), U64(VPC_A_FLAGS, 1)),
	REFUSE("VPC_NEW, unknown attribute", VPC_NEW, 0, -EINVAL, UNKNOWN, U32(VPC_A_VNI, 300), STRAY),
	REFUSE("VPC_NEW, attribute 0", VPC_NEW, 0, -EINVAL, UNKNOWN, U32(VPC_A_VNI, 300), U32(VPC_A_UNSPEC, 1)),
	REFUSE("VPC_NEW, epoch", VPC_NEW, 0, -EINVAL, UNKNOWN, U32(VPC_A_VNI, 300), U64(VPC_A_EPOCH, 1)),
	REFUSE("VPC_NEW, flags", VPC_NEW, NLM_F_APPEND, -EINVAL, NO_FLAGS, U32(VPC_A_VNI, 300)),
	REFUSE("VPC_DEL without VNI", VPC_DEL, 0, -EINVAL, "VNI is missing", { 0 }),
	REFUSE("VPC_DEL, VNI 0", VPC_DEL, 0, -ERANGE, RANGE, U32(VPC_A_VNI, 0)),
	REFUSE("VPC_DEL, VNI of 25 bits", VPC_DEL, 0, -ERANGE, RANGE, U32(VPC_A_VNI, VPC_VNI_MAX + 1)),
	REFUSE("VPC_DEL, unknown VPC", VPC_DEL, 0, -ENOENT, "VPC 300 does not exist", U32(VPC_A_VNI, 300)),
	REFUSE("VPC_DEL with ports", VPC_DEL, 0, -EBUSY, "VPC 100 has 2 ports", U32(VPC_A_VNI, RED)),
	REFUSE("VPC_DEL, unknown attribute", VPC_DEL, 0, -EINVAL, UNKNOWN, U32(VPC_A_VNI, BLUE), STRAY),
	REFUSE("VPC_DEL, flags", VPC_DEL, NLM_F_EXCL, -EINVAL, NO_FLAGS, U32(VPC_A_VNI, BLUE)),
	REFUSE("VPC_GET without VNI", VPC_GET, 0, -EINVAL, "VNI is missing", { 0 }),
	REFUSE("VPC_GET, VNI 0", VPC_GET, 0, -ERANGE, RANGE, U32(VPC_A_VNI, 0)),
	REFUSE("VPC_GET, unknown VPC", VPC_GET, 0, -ENOENT, "VPC 300 does not exist", U32(VPC_A_VNI, 300)),
	REFUSE("VPC_GET, unknown attribute", VPC_GET, 0, -EINVAL, UNKNOWN, U32(VPC_A_VNI, RED), STRAY),
	REFUSE("VPC_GET dump, unknown attribute", VPC_GET, NLM_F_DUMP, -EINVAL, UNKNOWN, STRAY),
	REFUSE("VPC_GET dump, VNI 0", VPC_GET, NLM_F_DUMP, -ERANGE, RANGE, U32(VPC_A_VNI, 0)),
	REFUSE("VPC_GET dump, unknown VPC", VPC_GET, NLM_F_DUMP, -ENOENT, "VPC 300 does not exist",
	       U32(VPC_A_VNI, 300)),
	REFUSE("VPC_GET dump, flags", VPC_GET, NLM_F_DUMP | NLM_F_APPEND, -EINVAL, NO_FLAGS, { 0 }),
	REFUSE("VERIFY without VNI", VERIFY, 0, -EINVAL, "VNI is missing", { 0 }),
	REFUSE("VERIFY, unknown VPC", VERIFY, 0, -ENOENT, "VPC 300 does not exist", U32(VPC_A_VNI, 300)),
	REFUSE("VERIFY, VNI of 25 bits", VERIFY, 0, -ERANGE, RANGE, U32(VPC_A_VNI, VPC_VNI_MAX + 1)),
	REFUSE("VERIFY, unknown attribute", VERIFY, 0, -EINVAL, UNKNOWN, U32(VPC_A_VNI, RED), STRAY),
	REFUSE("VERIFY as a dump", VERIFY, NLM_F_DUMP, -EOPNOTSUPP, NULL, U32(VPC_A_VNI, RED)),
};

static const struct refusal port_refusals[] = {
	REFUSE("PORT_NEW without PORT", PORT_NEW, 0, -EINVAL, "PORT is missing", { 0 }),
	REFUSE("PORT_NEW, PORT not a nest", PORT_NEW, 0, -EINVAL, "NLA_F_NESTED", RAW(VPC_A_PORT, "12345678", 8)),
	REFUSE("PORT_NEW without IFNAME", PORT_NEW, 0, -EINVAL, "IFNAME is missing",
	       PORT(U32(VPC_PORT_A_VNI, RED), GOOD_MAC)),
	REFUSE("PORT_NEW, IFNAME empty", PORT_NEW, 0, -EINVAL, "not a device's name", NEW_PORT("", RED)),
	REFUSE("PORT_NEW, IFNAME a path", PORT_NEW, 0, -EINVAL, "not a device's name", NEW_PORT("a/b", RED)),
	REFUSE("PORT_NEW, IFNAME too long", PORT_NEW, 0, -EINVAL, INVALID, NEW_PORT("0123456789abcdef", RED)),
	REFUSE("PORT_NEW, IFNAME without end", PORT_NEW, 0, -EINVAL, INVALID,
	       PORT(RAW(VPC_PORT_A_IFNAME, "t-new", 5), U32(VPC_PORT_A_VNI, RED), GOOD_MAC)),
	REFUSE("PORT_NEW without VNI", PORT_NEW, 0, -EINVAL, "VNI is missing", PORT(NAME("t-new"), GOOD_MAC)),
	REFUSE("PORT_NEW, VNI 0", PORT_NEW, 0, -ERANGE, RANGE, NEW_PORT("t-new", 0)),
	REFUSE("PORT_NEW, VNI of 25 bits", PORT_NEW, 0, -ERANGE, RANGE, NEW_PORT("t-new", VPC_VNI_MAX + 1)),
	REFUSE("PORT_NEW, unknown VPC", PORT_NEW, 0, -ENOENT, "VPC 300 does not exist", NEW_PORT("t-new", 300)),
	REFUSE("PORT_NEW without MAC", PORT_NEW, 0, -EINVAL, "MAC is missing",
	       PORT(NAME("t-new"), U32(VPC_PORT_A_VNI, RED))),
	REFUSE("PORT_NEW, MAC of a group", PORT_NEW, 0, -EADDRNOTAVAIL, "MAC 03:00:00:00:00:09 is not one device's",
	       PORT(NAME("t-new"), U32(VPC_PORT_A_VNI, RED), MAC(3, 0, 0, 0, 0, 9))),
	REFUSE("PORT_NEW, MAC zero", PORT_NEW, 0, -EADDRNOTAVAIL, "MAC 00:00:00:00:00:00 is not one device's",
	       PORT(NAME("t-new"), U32(VPC_PORT_A_VNI, RED), MAC(0, 0, 0, 0, 0, 0))),
	REFUSE("PORT_NEW, MAC of the router", PORT_NEW, 0, -EADDRNOTAVAIL, "MAC fe:ee:00:00:00:01 is the router's",
	       PORT(NAME("t-new"), U32(VPC_PORT_A_VNI, RED), MAC(0xfe, 0xee, 0, 0, 0, 1))),
	REFUSE("PORT_NEW, MAC of 5 bytes", PORT_NEW, 0, -ERANGE, SIZE,
	       PORT(NAME("t-new"), U32(VPC_PORT_A_VNI, RED), MAC(2, 0, 0, 0, 0))),
	REFUSE("PORT_NEW, table of 2 bytes", PORT_NEW, 0, -EINVAL, LENGTH,
	       NEW_PORT("t-new", RED, U16(VPC_PORT_A_TABLE, 1))),
	REFUSE("PORT_NEW, unknown flags", PORT_NEW, 0, -EINVAL, "reserved bit set",
	       NEW_PORT("t-new", RED, U32(VPC_PORT_A_FLAGS, 1U << 1))),
	REFUSE("PORT_NEW, gateway of 5 bytes", PORT_NEW, 0, -ERANGE, SIZE,
	       NEW_PORT("t-new", RED, RAW(VPC_PORT_A_GATEWAY4, "12345", 5))),
	REFUSE("PORT_NEW, IPv6 gateway of 4 bytes", PORT_NEW, 0, -ERANGE, SIZE,
	       NEW_PORT("t-new", RED, RAW(VPC_PORT_A_GATEWAY6, "1234", 4))),
	REFUSE("PORT_NEW, SUBNET6 of 4 bytes", PORT_NEW, 0, -ERANGE, SIZE,
	       NEW_PORT("t-new", RED, U32(VPC_PORT_A_SUBNET6, 0))),
	REFUSE("PORT_NEW, SUBNET6 of IPv4", PORT_NEW, 0, -EINVAL, "SUBNET6 is not an IPv6 prefix",
	       NEW_PORT("t-new", RED, ADDR(VPC_PORT_A_SUBNET6, { AF_INET, 24, { 0 }, { 10 } }))),
	REFUSE("PORT_NEW, SUBNET6 with host bits", PORT_NEW, 0, -EINVAL, "prefix fd00::1/64 has host bits",
	       NEW_PORT("t-new", RED, ADDR(VPC_PORT_A_SUBNET6, { AF_INET6, 64, { 0 }, { 0xfd, [15] = 1 } }))),
	REFUSE("PORT_NEW, SUBNET6 too long", PORT_NEW, 0, -EINVAL, "prefix length 129 is beyond 128",
	       NEW_PORT("t-new", RED, ADDR(VPC_PORT_A_SUBNET6, { AF_INET6, 129 }))),
	REFUSE("PORT_NEW, ifindex", PORT_NEW, 0, -EINVAL, UNKNOWN, NEW_PORT("t-new", RED, U32(VPC_PORT_A_IFINDEX, 1))),
	REFUSE("PORT_NEW, unknown inside", PORT_NEW, 0, -EINVAL, UNKNOWN, NEW_PORT("t-new", RED, STRAY)),
	REFUSE("PORT_NEW, unknown attribute", PORT_NEW, 0, -EINVAL, UNKNOWN, NEW_PORT("t-new", RED), STRAY),
	REFUSE("PORT_NEW, too many addresses", PORT_NEW, 0, -ERANGE, SIZE,
	       NEW_PORT("t-new", RED, ADDRS([VPC_PORT_ADDRS_MAX] = { AF_INET, 32, { 0 }, { 10, 1 } }))),
	REFUSE("PORT_NEW, addresses not a multiple", PORT_NEW, 0, -EINVAL, "ADDRS is not a whole number",
	       NEW_PORT("t-new", RED, RAW(VPC_PORT_A_ADDRS, "0123456789", 10))),
	REFUSE("PORT_NEW, host bits", PORT_NEW, 0, -EINVAL, "prefix 10.0.1.1/24 has host bits",
	       NEW_PORT("t-new", RED, ADDRS({ AF_INET, 24, { 0 }, { 10, 0, 1, 1 } }))),
	REFUSE("PORT_NEW, IPv6 host bits", PORT_NEW, 0, -EINVAL, "prefix fd00::/7 has host bits",
	       NEW_PORT("t-new", RED, ADDRS({ AF_INET6, 7, { 0 }, { 0xfd } }))),
	REFUSE("PORT_NEW, prefix too long", PORT_NEW, 0, -EINVAL, "prefix length 33 is beyond 32",
	       NEW_PORT("t-new", RED, ADDRS({ AF_INET, 33, { 0 }, { 10 } }))),
	REFUSE("PORT_NEW, IPv6 prefix too long", PORT_NEW, 0, -EINVAL, "prefix length 129 is beyond 128",
	       NEW_PORT("t-new", RED, ADDRS({ AF_INET6, 129, { 0 }, { 0xfd } }))),
	REFUSE("PORT_NEW, family", PORT_NEW, 0, -EINVAL, "family 3 is neither",
	       NEW_PORT("t-new", RED, ADDRS({ 3, 32 }))),
	REFUSE("PORT_NEW, padding", PORT_NEW, 0, -EINVAL, "padding must be 0",
	       NEW_PORT("t-new", RED, ADDRS({ AF_INET, 32, { 0, 1 }, { 10, 0, 1, 1 } }))),
	REFUSE("PORT_NEW, bytes behind IPv4", PORT_NEW, 0, -EINVAL, "padding must be 0",
	       NEW_PORT("t-new", RED, ADDRS({ AF_INET, 32, { 0 }, { 10, 0, 1, 1, 1 } }))),
	REFUSE("PORT_NEW, address of another", PORT_NEW, 0, -EEXIST, "belongs to port t-absent of VPC 100 already",
	       NEW_PORT("t-new", RED, ADDRS({ AF_INET, 32, { 0 }, { 10, 0, 0, 6 } }))),
	REFUSE("PORT_NEW, change to another's address", PORT_NEW, NLM_F_REPLACE, -EEXIST, "belongs to port t-absent",
	       NEW_PORT("t0", RED, ADDRS({ AF_INET, 32, { 0 }, { 10, 0, 0, 6 } }))),
	REFUSE("PORT_NEW, duplicate", PORT_NEW, 0, -EEXIST, "port t0 exists already", NEW_PORT("t0", RED)),
	REFUSE("PORT_NEW, duplicate with CREATE", PORT_NEW, NLM_F_CREATE, -EEXIST, "port t0 exists",
	       NEW_PORT("t0", RED)),
	REFUSE("PORT_NEW, other VPC", PORT_NEW, NLM_F_REPLACE, -EINVAL, "port t0 belongs to VPC 100: delete it first",
	       NEW_PORT("t0", BLUE)),
	REFUSE("PORT_NEW, loopback", PORT_NEW, 0, -EINVAL, "must be Ethernet", NEW_PORT("lo", RED)),
	REFUSE("PORT_NEW, in a bridge", PORT_NEW, 0, -EBUSY, "member of a bridge, bond or the like$",
	       NEW_PORT("t-bridged", RED)),
	REFUSE("PORT_NEW, flags", PORT_NEW, NLM_F_APPEND, -EINVAL, NO_FLAGS, NEW_PORT("t-new", RED)),
	REFUSE("PORT_DEL without PORT", PORT_DEL, 0, -EINVAL, "PORT is missing", { 0 }),
	REFUSE("PORT_DEL without IFNAME", PORT_DEL, 0, -EINVAL, "IFNAME is missing", PORT()),
	REFUSE("PORT_DEL, unknown port", PORT_DEL, 0, -ENOENT, "port t-new does not exist", PORT(NAME("t-new"))),
	REFUSE("PORT_DEL, IFNAME too long", PORT_DEL, 0, -EINVAL, INVALID, PORT(NAME("0123456789abcdef"))),
	REFUSE("PORT_DEL, VNI inside", PORT_DEL, 0, -EINVAL, UNKNOWN, PORT(NAME("t0"), U32(VPC_PORT_A_VNI, RED))),
	REFUSE("PORT_DEL, VNI", PORT_DEL, 0, -EINVAL, UNKNOWN, PORT(NAME("t0")), U32(VPC_A_VNI, RED)),
	REFUSE("PORT_DEL, flags", PORT_DEL, NLM_F_REPLACE, -EINVAL, NO_FLAGS, PORT(NAME("t0"))),
	REFUSE("PORT_GET without PORT", PORT_GET, 0, -EINVAL, "PORT is missing", { 0 }),
	REFUSE("PORT_GET, unknown port", PORT_GET, 0, -ENOENT, "port t-new does not exist", PORT(NAME("t-new"))),
	REFUSE("PORT_GET, unknown attribute", PORT_GET, 0, -EINVAL, UNKNOWN, PORT(NAME("t0")), STRAY),
	REFUSE("PORT_GET, VNI", PORT_GET, 0, -EINVAL, "in a dump only", PORT(NAME("t0")), U32(VPC_A_VNI, RED)),
	REFUSE("PORT_GET dump, PORT", PORT_GET, NLM_F_DUMP, -EINVAL, "not in a dump", PORT(NAME("t0"))),
	REFUSE("PORT_GET dump, unknown VPC", PORT_GET, NLM_F_DUMP, -ENOENT, "VPC 300 does not", U32(VPC_A_VNI, 300)),
	REFUSE("PORT_GET dump, flags", PORT_GET, NLM_F_DUMP | NLM_F_ATOMIC, -EINVAL, NO_FLAGS, { 0 }),
	REFUSE("PORT_GET dump, VNI 0", PORT_GET, NLM_F_DUMP, -ERANGE, RANGE, U32(VPC_A_VNI, 0)),
};

static const struct refusal dump_refusals[] = {
	REFUSE("ROUTE_GET, no dump", ROUTE_GET, 0, -EOPNOTSUPP, NULL, U32(VPC_A_VNI, RED)),
	REFUSE("ROUTE_GET without VNI", ROUTE_GET, NLM_F_DUMP, -EINVAL, "VNI is missing", { 0 }),
	REFUSE("ROUTE_GET, VNI 0", ROUTE_GET, NLM_F_DUMP, -ERANGE, RANGE, U32(VPC_A_VNI, 0)),
	REFUSE("ROUTE_GET, unknown VPC", ROUTE_GET, NLM_F_DUMP, -ENOENT, "VPC 300 does not exist", U32(VPC_A_VNI, 300)),
	REFUSE("ROUTE_GET, table of 2 bytes", ROUTE_GET, NLM_F_DUMP, -EINVAL, LENGTH, U32(VPC_A_VNI, RED),
	       U16(VPC_A_TABLE, 1)),
	REFUSE("ROUTE_GET, nexthop 0", ROUTE_GET, NLM_F_DUMP, -ERANGE, RANGE, U32(VPC_A_VNI, RED),
	       U32(VPC_A_NEXTHOP_ID, 0)),
	REFUSE("ROUTE_GET, prefix too short", ROUTE_GET, NLM_F_DUMP, -ERANGE, SIZE, U32(VPC_A_VNI, RED),
	       U32(VPC_A_PREFIX, 0)),
	REFUSE("ROUTE_GET, prefix with host bits", ROUTE_GET, NLM_F_DUMP, -EINVAL, "prefix 10.1.0.0/8 has host bits",
	       U32(VPC_A_VNI, RED), ADDR(VPC_A_PREFIX, { AF_INET, 8, { 0 }, { 10, 1 } })),
	REFUSE("ROUTE_GET, prefix too long", ROUTE_GET, NLM_F_DUMP, -EINVAL, "prefix length 33 is beyond 32",
	       U32(VPC_A_VNI, RED), ADDR(VPC_A_PREFIX, { AF_INET, 33, { 0 }, { 10, 1 } })),
	REFUSE("ROUTE_GET, prefix of no family", ROUTE_GET, NLM_F_DUMP, -EINVAL, "family 0 is neither",
	       U32(VPC_A_VNI, RED), ADDR(VPC_A_PREFIX, { 0, 8, { 0 }, { 10 } })),
	REFUSE("ROUTE_GET, prefix's padding", ROUTE_GET, NLM_F_DUMP, -EINVAL, "padding must be 0",
	       U32(VPC_A_VNI, RED), ADDR(VPC_A_PREFIX, { AF_INET, 8, { 1 }, { 10 } })),
	REFUSE("ROUTE_GET, unknown attribute", ROUTE_GET, NLM_F_DUMP, -EINVAL, UNKNOWN, U32(VPC_A_VNI, RED), STRAY),
	REFUSE("NEXTHOP_GET, no dump", NEXTHOP_GET, 0, -EOPNOTSUPP, NULL, U32(VPC_A_VNI, RED)),
	REFUSE("NEXTHOP_GET without VNI", NEXTHOP_GET, NLM_F_DUMP, -EINVAL, "VNI is missing", { 0 }),
	REFUSE("NEXTHOP_GET, unknown VPC", NEXTHOP_GET, NLM_F_DUMP, -ENOENT, "VPC 300 does not exist",
	       U32(VPC_A_VNI, 300)),
	REFUSE("NEXTHOP_GET, flags", NEXTHOP_GET, NLM_F_DUMP | NLM_F_APPEND, -EINVAL, NO_FLAGS, U32(VPC_A_VNI, RED)),
	REFUSE("NEXTHOP_GET, table", NEXTHOP_GET, NLM_F_DUMP, -EINVAL, UNKNOWN, U32(VPC_A_VNI, RED),
	       U32(VPC_A_TABLE, 1)),
};

static const struct refusal lookup_refusals[] = {
	REFUSE("LOOKUP without LOOKUP", LOOKUP, 0, -EINVAL, "LOOKUP is missing", { 0 }),
	REFUSE("LOOKUP without SRC", LOOKUP, 0, -EINVAL, "SRC is missing", LOOKUP(NAME("t0"), DST)),
	REFUSE("LOOKUP without DST", LOOKUP, 0, -EINVAL, "DST is missing", LOOKUP(NAME("t0"), SRC)),
	REFUSE("LOOKUP, families differ", LOOKUP, 0, -EINVAL, "of different families",
	       LOOKUP(NAME("t0"), SRC, ADDR(VPC_LOOKUP_A_DST, { AF_INET6 }))),
	REFUSE("LOOKUP from nowhere", LOOKUP, 0, -EINVAL, "IFNAME or VNI is missing", LOOKUP(SRC, DST)),
	REFUSE("LOOKUP from both", LOOKUP, 0, -EINVAL, "either from a port", LOOKUP(NAME("t0"), OUTER, SRC, DST)),
	REFUSE("LOOKUP, unknown port", LOOKUP, 0, -ENOENT, "port t-new does not exist",
	       LOOKUP(NAME("t-new"), SRC, DST)),
	REFUSE("LOOKUP, port of another VPC", LOOKUP, 0, -EINVAL, "port t0 belongs to VPC 100",
	       LOOKUP(NAME("t0"), U32(VPC_LOOKUP_A_VNI, BLUE), SRC, DST)),
	REFUSE("LOOKUP from the wire without OUTER_SRC", LOOKUP, 0, -EINVAL, "OUTER_SRC is missing",
	       LOOKUP(U32(VPC_LOOKUP_A_VNI, RED), SRC, DST)),
	REFUSE("LOOKUP, unknown VPC", LOOKUP, 0, -ENOENT, "VPC 300 does not exist",
	       LOOKUP(U32(VPC_LOOKUP_A_VNI, 300), OUTER, SRC, DST)),
	REFUSE("LOOKUP, VNI 0", LOOKUP, 0, -ERANGE, RANGE, LOOKUP(U32(VPC_LOOKUP_A_VNI, 0), OUTER, SRC, DST)),
	REFUSE("LOOKUP, TTL of 4 bytes", LOOKUP, 0, -EINVAL, LENGTH,
	       LOOKUP(NAME("t0"), SRC, DST, U32(VPC_LOOKUP_A_TTL, 1))),
	REFUSE("LOOKUP, SRC of 4 bytes", LOOKUP, 0, -ERANGE, SIZE,
	       LOOKUP(NAME("t0"), U32(VPC_LOOKUP_A_SRC, 1), DST)),
	REFUSE("LOOKUP, SRC of no family", LOOKUP, 0, -EINVAL, "SRC: family 0 is neither",
	       LOOKUP(NAME("t0"), ADDR(VPC_LOOKUP_A_SRC, { 0 }), DST)),
	REFUSE("LOOKUP, padding", LOOKUP, 0, -EINVAL, "DST: padding must be 0",
	       LOOKUP(NAME("t0"), SRC, ADDR(VPC_LOOKUP_A_DST, { AF_INET, 32, { 1 } }))),
	REFUSE("LOOKUP, MAC of 5 bytes", LOOKUP, 0, -ERANGE, SIZE,
	       LOOKUP(NAME("t0"), SRC, DST, RAW(VPC_LOOKUP_A_SRC_MAC, "12345", 5))),
	REFUSE("LOOKUP, unknown inside", LOOKUP, 0, -EINVAL, UNKNOWN, LOOKUP(NAME("t0"), SRC, DST, STRAY)),
	REFUSE("LOOKUP, unknown attribute", LOOKUP, 0, -EINVAL, UNKNOWN, LOOKUP(NAME("t0"), SRC, DST), STRAY),
	REFUSE("LOOKUP, flags", LOOKUP, NLM_F_CREATE, -EINVAL, NO_FLAGS, LOOKUP(NAME("t0"), SRC, DST)),
};

static void run(const struct refusal *refusals, size_t n, const struct nlcheck_snap *before)
{
	for (size_t i = 0; i < n; i++) {
		const struct refusal *c = &refusals[i];

		nlcheck_expect(nlcheck_kernel, c->name, c->cmd, c->flags, c->attrs, c->error, c->text);
		nlcheck_unchanged(c->name, before);
	}
}

/* -- without CAP_NET_ADMIN ----------------------------------------------------------------------------------------- */

static void drop_net_admin(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };
	struct vpc_err err = { "capabilities" };

	nlcheck_must(syscall(SYS_capget, &header, data) ? -errno : 0, &err, "capget");
	data[CAP_NET_ADMIN / 32].effective &= ~(1U << CAP_NET_ADMIN % 32);
	data[CAP_NET_ADMIN / 32].permitted &= ~(1U << CAP_NET_ADMIN % 32);
	nlcheck_must(syscall(SYS_capset, &header, data) ? -errno : 0, &err, "capset");
}

/* In a process of its own. Return: how many commands were not refused. */
static int unprivileged(void)
{
	static const struct nlcheck_attr none = { 0 };
	struct kernel *k;
	struct vpc_err err;
	int bad = 0;

	drop_net_admin();
	nlcheck_must(kernel_open(NULL, &k, &err), &err, "open without CAP_NET_ADMIN");
	for (int cmd = VPC_CMD_HOST_SET; cmd < VPC_CMD_EVENT; cmd++) {
		bool dump = cmd == VPC_CMD_ROUTE_GET || cmd == VPC_CMD_NEXTHOP_GET || cmd == VPC_CMD_STATS_GET;

		bad += !nlcheck_expect(k, "without CAP_NET_ADMIN", cmd, dump ? NLM_F_DUMP : 0, &none, -EPERM, NULL);
	}
	bad += !nlcheck_expect(k, "without CAP_NET_ADMIN", VPC_CMD_VPC_GET, NLM_F_DUMP, &none, -EPERM, NULL);
	bad += !nlcheck_expect(k, "without CAP_NET_ADMIN", VPC_CMD_PORT_GET, NLM_F_DUMP, &none, -EPERM, NULL);
	if (!kernel_events_join(k, &err)) {
		nlcheck_fail("without CAP_NET_ADMIN", "joined the group of events");
		bad++;
	}
	/* The privileged process's own socket, in hands that have no right: netlink looks at who sends, too. */
	bad += !nlcheck_expect(nlcheck_kernel, "a borrowed socket", VPC_CMD_HOST_GET, 0, &none, -EPERM, NULL);
	kernel_close(k);
	return bad;
}

static void check_unprivileged(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(unprivileged() ? 1 : 0);
	nlcheck_true("without CAP_NET_ADMIN nothing is allowed",
		     pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	nlcheck_count(VPC_CMD_EVENT - VPC_CMD_HOST_SET + 3);
}

void nlcheck_refusals(void)
{
	struct sockaddr_in taken = { .sin_family = AF_INET, .sin_port = htons(9999) };
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct vpc_err err = { "UDP port 9999" };
	struct nlcheck_snap before;

	nlcheck_must(bind(fd, (struct sockaddr *)&taken, sizeof(taken)) ? -errno : 0, &err, "bind");
	nlcheck_fixture();
	nlcheck_snap_take(&before);
	run(host_refusals, ARRAY_SIZE(host_refusals), &before);
	run(vpc_refusals, ARRAY_SIZE(vpc_refusals), &before);
	run(port_refusals, ARRAY_SIZE(port_refusals), &before);
	run(dump_refusals, ARRAY_SIZE(dump_refusals), &before);
	run(lookup_refusals, ARRAY_SIZE(lookup_refusals), &before);
	check_unprivileged();
	nlcheck_unchanged("without CAP_NET_ADMIN", &before);
	nlcheck_snap_clear(&before);
}
