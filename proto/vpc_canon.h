/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The canonical bytes of a VPC's elements and the digest over them, for kernel and user space alike.
 *
 * digest = { sum over elements of SipHash-2-4(VPC_DIGEST_KEY0, bytes), the same with VPC_DIGEST_KEY1 }, modulo 2^64.
 * The empty VPC's digest is zero. Adding an element adds, removing one subtracts, so the order does not matter and a
 * change costs what it changes. SipHash: Aumasson, Bernstein, 2012; kernel <linux/siphash.h>, libsodium
 * crypto_shorthash. The keys are public: this finds lost and mangled changes, it does not authenticate.
 *
 * All numbers are big-endian:
 *   nexthop  01 | id u32 | type u8 | body; body is empty save
 *            HOST, GATEWAY: family u8 (4 or 6) | address 4 or 16 | vni u32 (0: the VPC's own) | mac 6 (0: router MAC)
 *            PEER:          vni u32 | table u32
 *   member   03 | group u32 | nexthop u32 | weight u16
 *   route    02 | table u32 | family u8 (4 or 6) | plen u8 | address 4 or 16 | nexthop id u32
 *
 * Test vectors: tests/data/digest-vectors.txt, read by unit tests and by the module's own self-test.
 */
#ifndef VPC_CANON_H
#define VPC_CANON_H

#include "vpc_genl.h"

#ifdef __KERNEL__
#include <linux/socket.h>
#include <linux/string.h>
#else
#include <string.h>
#include <sys/socket.h>
#endif

#define VPC_CANON_MAX		48	/* bytes, the longest element */

/* 16 key bytes each: "vpc digest key 0" and "vpc digest key 1" in ASCII. */
#define VPC_DIGEST_KEY0		"vpc digest key 0"
#define VPC_DIGEST_KEY1		"vpc digest key 1"

static inline __u8 *vpc_canon_u32(__u8 *p, __u32 v)
{
	*p++ = v >> 24;
	*p++ = v >> 16;
	*p++ = v >> 8;
	*p++ = v;
	return p;
}

static inline __u8 *vpc_canon_addr(__u8 *p, __u8 family, const __u8 *addr)
{
	/* Of constant length and by the compiler itself, which makes them stores, not calls. */
	if (family == AF_INET6) {
		__builtin_memcpy(p, addr, 16);
		return p + 16;
	}
	__builtin_memcpy(p, addr, 4);
	return p + 4;
}

/**
 * vpc_canon_nexthop() - write a nexthop's canonical bytes
 * @nh: a valid nexthop; its op is ignored
 * @ret_buf: at least VPC_CANON_MAX bytes
 *
 * Return: how many bytes were written.
 */
static inline unsigned int vpc_canon_nexthop(const struct vpc_nl_nexthop *nh, __u8 *ret_buf)
{
	__u8 *p = ret_buf;

	*p++ = 1;
	p = vpc_canon_u32(p, nh->id);
	*p++ = nh->type;
	if (nh->type == VPC_NEXTHOP_HOST || nh->type == VPC_NEXTHOP_GATEWAY) {
		*p++ = nh->family == AF_INET6 ? 6 : 4;
		p = vpc_canon_addr(p, nh->family, nh->addr);
		p = vpc_canon_u32(p, nh->vni);
		memcpy(p, nh->mac, 6);
		p += 6;
	} else if (nh->type == VPC_NEXTHOP_PEER) {
		p = vpc_canon_u32(p, nh->vni);
		p = vpc_canon_u32(p, nh->table);
	}
	return p - ret_buf;
}

/**
 * vpc_canon_member() - write a group member's canonical bytes
 * @member: a valid member; its op is ignored
 * @ret_buf: at least VPC_CANON_MAX bytes
 *
 * Return: how many bytes were written.
 */
static inline unsigned int vpc_canon_member(const struct vpc_nl_member *member, __u8 *ret_buf)
{
	__u8 *p = ret_buf;

	*p++ = 3;
	p = vpc_canon_u32(p, member->group);
	p = vpc_canon_u32(p, member->nexthop);
	*p++ = member->weight >> 8;
	*p++ = member->weight;
	return p - ret_buf;
}

/**
 * vpc_canon_route() - write a route's canonical bytes
 * @table: table id
 * @family: AF_INET or AF_INET6
 * @addr: 4 or 16 bytes in network byte order, no bits beyond @plen
 * @plen: prefix length in bits
 * @nexthop: nexthop id
 * @ret_buf: at least VPC_CANON_MAX bytes
 *
 * Return: how many bytes were written.
 */
static inline unsigned int vpc_canon_route(__u32 table, __u8 family, const __u8 *addr, __u8 plen,
					   __u32 nexthop, __u8 *ret_buf)
{
	__u8 *p = ret_buf;

	*p++ = 2;
	p = vpc_canon_u32(p, table);
	*p++ = family == AF_INET6 ? 6 : 4;
	*p++ = plen;
	p = vpc_canon_addr(p, family, addr);
	p = vpc_canon_u32(p, nexthop);
	return p - ret_buf;
}

#endif
