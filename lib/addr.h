/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP addresses, prefixes and MACs: parse, format, compare. Both families.
 */
#ifndef VPC_ADDR_H
#define VPC_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "err.h"

#define VPC_ADDR_STRLEN 46
#define VPC_PREFIX_STRLEN 50
#define VPC_MAC_STRLEN 18

/* @bytes: network byte order; IPv4 in the first 4, the rest 0. @family 0: no address. */
struct vpc_addr {
	uint8_t family;
	uint8_t bytes[16];
};

/* No bits beyond @plen. */
struct vpc_prefix {
	uint8_t family;
	uint8_t plen;
	uint8_t bytes[16];
};

static inline unsigned int vpc_family_bits(uint8_t family)
{
	return family == AF_INET6 ? 128 : 32;
}

/* -EINVAL with the text in @err ("'10.0.0.300' is not an IP address"). */
int vpc_addr_parse(const char *text, struct vpc_addr *ret, struct vpc_err *err);
/* "a.b.c.d/n", or an address alone (its full length). Host bits set: -EINVAL, the text names the prefix meant. */
int vpc_prefix_parse(const char *text, struct vpc_prefix *ret, struct vpc_err *err);
int vpc_mac_parse(const char *text, uint8_t ret[6], struct vpc_err *err);

/* Into @buf (VPC_*_STRLEN bytes), which is returned. */
char *vpc_addr_format(const struct vpc_addr *addr, char *buf);
char *vpc_prefix_format(const struct vpc_prefix *prefix, char *buf);
char *vpc_mac_format(const uint8_t mac[6], char *buf);

/* Total orders: family, then bytes, then length. As memcmp(). */
int vpc_addr_cmp(const struct vpc_addr *a, const struct vpc_addr *b);
int vpc_prefix_cmp(const struct vpc_prefix *a, const struct vpc_prefix *b);
bool vpc_prefix_contains(const struct vpc_prefix *outer, const struct vpc_prefix *inner);
bool vpc_prefix_overlaps(const struct vpc_prefix *a, const struct vpc_prefix *b);
bool vpc_prefix_has_addr(const struct vpc_prefix *prefix, const struct vpc_addr *addr);
/* Clears what lies beyond the length; whether anything did. */
bool vpc_prefix_mask(struct vpc_prefix *prefix);
struct vpc_prefix vpc_addr_to_prefix(const struct vpc_addr *addr); /* full length */

#endif
