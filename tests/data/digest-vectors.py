#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes digest-vectors.txt: python3 tests/data/digest-vectors.py > tests/data/digest-vectors.txt

Independent of the C code on purpose: SipHash-2-4 is written from the paper (Aumasson, Bernstein: "SipHash: a fast
short-input PRF", 2012) and first held against the paper's own vector; canonical bytes are written from the text of
proto/vpc_canon.h.
"""
import ipaddress
import struct

M = (1 << 64) - 1
KEYS = (b"vpc digest key 0", b"vpc digest key 1")
TYPES = {"local": 1, "host": 2, "gateway": 3, "peer": 4, "group": 5, "blackhole": 6, "prohibit": 7, "unreachable": 8}

HEADER = """\
# SPDX-License-Identifier: Apache-2.0
# Test vectors of the VPC digest (proto/vpc_canon.h). Written by digest-vectors.py.
#
#   nexthop ID TYPE VTEP VNI TABLE MAC CANON DIGEST     VTEP and MAC: "-" when absent
#   member GROUP NEXTHOP WEIGHT CANON DIGEST
#   route TABLE PREFIX NEXTHOP CANON DIGEST
#   sum DIGEST                                          of all elements above
#
# CANON: canonical bytes in hex. DIGEST: 32 hex digits, of the element alone.
"""

NEXTHOPS = [
    (1, "blackhole", "-", 0, 0, "-"),
    (2, "prohibit", "-", 0, 0, "-"),
    (3, "unreachable", "-", 0, 0, "-"),
    (0x80000000, "local", "-", 0, 0, "-"),
    (0x80000007, "host", "192.0.2.7", 0, 0, "-"),
    (0x80000008, "host", "2001:db8::8", 0, 0, "02:00:00:00:00:08"),
    (7, "gateway", "198.51.100.1", 16777215, 0, "02:11:22:33:44:55"),
    (0x7fffffff, "gateway", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 1, 0, "-"),
    (9, "peer", "-", 200, 1, "-"),
    (10, "group", "-", 0, 0, "-"),
    (0x7ffffffe, "group", "-", 0, 0, "-"),
]

MEMBERS = [
    (10, 1, 1),
    (10, 0x80000007, 256),
    (0x7ffffffe, 0x7fffffff, 2),
]

ROUTES = [
    (0, "10.0.0.5/32", 0x80000007),
    (1, "0.0.0.0/0", 7),
    (1, "10.0.0.0/16", 0x80000000),
    (1, "255.255.255.255/32", 1),
    (1023, "128.0.0.0/1", 0x7fffffff),
    (0, "2001:db8::5/128", 0x80000008),
    (1, "::/0", 0x7fffffff),
    (4294967295, "2001:db8:8000::/33", 9),
]


def rotl(x, n):
    return (x << n | x >> (64 - n)) & M


def rounds(v, n):
    for _ in range(n):
        v[0] = v[0] + v[1] & M
        v[2] = v[2] + v[3] & M
        v[1] = rotl(v[1], 13) ^ v[0]
        v[3] = rotl(v[3], 16) ^ v[2]
        v[0] = rotl(v[0], 32)
        v[2] = v[2] + v[1] & M
        v[0] = v[0] + v[3] & M
        v[1] = rotl(v[1], 17) ^ v[2]
        v[3] = rotl(v[3], 21) ^ v[0]
        v[2] = rotl(v[2], 32)


def siphash24(key, data):
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]
    padded = data + bytes(7 - len(data) % 8) + bytes([len(data) & 0xff])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xff
    rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def canon_nexthop(ident, kind, vtep, vni, table, mac):
    out = struct.pack(">BIB", 1, ident, TYPES[kind])
    if kind in ("host", "gateway"):
        addr = ipaddress.ip_address(vtep)
        out += bytes([addr.version]) + addr.packed + struct.pack(">I", vni)
        out += bytes(6) if mac == "-" else bytes.fromhex(mac.replace(":", ""))
    elif kind == "peer":
        out += struct.pack(">II", vni, table)
    return out


def canon_member(group, nexthop, weight):
    return struct.pack(">BIIH", 3, group, nexthop, weight)


def canon_route(table, prefix, nexthop):
    net = ipaddress.ip_network(prefix)
    head = struct.pack(">BIBB", 2, table, net.version, net.prefixlen)
    return head + net.network_address.packed + struct.pack(">I", nexthop)


def main():
    assert siphash24(bytes(range(16)), bytes(range(15))) == 0xa129ca6149be45e5
    total = [0, 0]
    print(HEADER, end="")
    for kind, elements, canon in (("nexthop", NEXTHOPS, canon_nexthop), ("member", MEMBERS, canon_member),
                                  ("route", ROUTES, canon_route)):
        for element in elements:
            data = canon(*element)
            halves = [siphash24(key, data) for key in KEYS]
            total = [(t + h) & M for t, h in zip(total, halves)]
            print(kind, *element, data.hex(), "%016x%016x" % tuple(halves))
    print("sum", "%016x%016x" % tuple(total))


main()
