// SPDX-License-Identifier: Apache-2.0
/*
 * Addresses, prefixes and MACs as text and in order. Everything that people or znodes write passes through these
 * parsers, so they are strict: one spelling of a number, no host bits, nothing behind the end.
 */
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool addr_read(const char *text, struct vpc_addr *ret)
{
	struct vpc_addr addr = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };

	if (inet_pton(addr.family, text, addr.bytes) != 1)
		return false;
	*ret = addr;
	return true;
}

int vpc_addr_parse(const char *text, struct vpc_addr *ret, struct vpc_err *err)
{
	if (!addr_read(text, ret))
		return vpc_err_set(err, -EINVAL, "'%.80s' is not an IP address", text);
	return 0;
}

/* Decimal digits only, no leading zero, at most @max. */
static bool plen_read(const char *text, unsigned int max, uint8_t *ret)
{
	size_t len = strspn(text, "0123456789");
	unsigned int value = 0;

	if (!len || len > 3 || text[len] || (len > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++)
		value = value * 10 + (text[i] - '0');
	if (value > max)
		return false;
	*ret = value;
	return true;
}

bool vpc_prefix_mask(struct vpc_prefix *prefix)
{
	bool had = false;

	for (size_t i = prefix->plen / 8; i < sizeof(prefix->bytes); i++) {
		unsigned int bits = prefix->plen > i * 8 ? prefix->plen - i * 8 : 0;
		uint8_t mask = 0xff00 >> bits;

		had |= prefix->bytes[i] & (uint8_t)~mask;
		prefix->bytes[i] &= mask;
	}
	return had;
}

int vpc_prefix_parse(const char *text, struct vpc_prefix *ret, struct vpc_err *err)
{
	char head[VPC_ADDR_STRLEN], meant[VPC_PREFIX_STRLEN];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	struct vpc_prefix prefix;
	struct vpc_addr addr;

	if (len >= sizeof(head))
		return vpc_err_set(err, -EINVAL, "'%.80s' is not a prefix", text);
	memcpy(head, text, len);
	head[len] = 0;
	if (!addr_read(head, &addr))
		return vpc_err_set(err, -EINVAL, "'%.80s' is not a prefix", text);
	prefix = vpc_addr_to_prefix(&addr);
	if (slash && !plen_read(slash + 1, prefix.plen, &prefix.plen))
		return vpc_err_set(err, -EINVAL, "'%.80s' is not a prefix: its length must be 0 to %u", text,
				   vpc_family_bits(addr.family));
	if (vpc_prefix_mask(&prefix))
		return vpc_err_set(err, -EINVAL, "'%.80s' has bits beyond its length, did you mean %s?", text,
				   vpc_prefix_format(&prefix, meant));
	*ret = prefix;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -EINVAL;
}

int vpc_mac_parse(const char *text, uint8_t ret[6], struct vpc_err *err)
{
	uint8_t mac[6];

	if (strlen(text) != VPC_MAC_STRLEN - 1)
		goto bad;
	for (size_t i = 0; i < 6; i++) {
		int hi = hex_digit(text[3 * i]), lo = hex_digit(text[3 * i + 1]);

		if (hi < 0 || lo < 0 || (i < 5 && text[3 * i + 2] != ':'))
			goto bad;
		mac[i] = hi << 4 | lo;
	}
	memcpy(ret, mac, 6);
	return 0;
bad:
	return vpc_err_set(err, -EINVAL, "'%.80s' is not a MAC address (xx:xx:xx:xx:xx:xx)", text);
}

char *vpc_addr_format(const struct vpc_addr *addr, char *buf)
{
	if (!addr->family || !inet_ntop(addr->family, addr->bytes, buf, VPC_ADDR_STRLEN))
		strcpy(buf, "none");
	return buf;
}

char *vpc_prefix_format(const struct vpc_prefix *prefix, char *buf)
{
	if (!prefix->family || !inet_ntop(prefix->family, prefix->bytes, buf, VPC_ADDR_STRLEN))
		return strcpy(buf, "none");
	sprintf(buf + strlen(buf), "/%u", prefix->plen);
	return buf;
}

char *vpc_mac_format(const uint8_t mac[6], char *buf)
{
	snprintf(buf, VPC_MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return buf;
}

int vpc_addr_cmp(const struct vpc_addr *a, const struct vpc_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

int vpc_prefix_cmp(const struct vpc_prefix *a, const struct vpc_prefix *b)
{
	int cmp;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	cmp = memcmp(a->bytes, b->bytes, sizeof(a->bytes));
	return cmp ? cmp : (int)a->plen - (int)b->plen;
}

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned int n)
{
	if (memcmp(a, b, n / 8))
		return false;
	return !(n % 8) || !((a[n / 8] ^ b[n / 8]) & (uint8_t)(0xff00 >> (n % 8)));
}

bool vpc_prefix_contains(const struct vpc_prefix *outer, const struct vpc_prefix *inner)
{
	return outer->family == inner->family && outer->plen <= inner->plen &&
	       bits_equal(outer->bytes, inner->bytes, outer->plen);
}

bool vpc_prefix_overlaps(const struct vpc_prefix *a, const struct vpc_prefix *b)
{
	return vpc_prefix_contains(a, b) || vpc_prefix_contains(b, a);
}

bool vpc_prefix_has_addr(const struct vpc_prefix *prefix, const struct vpc_addr *addr)
{
	return prefix->family == addr->family && bits_equal(prefix->bytes, addr->bytes, prefix->plen);
}

struct vpc_prefix vpc_addr_to_prefix(const struct vpc_addr *addr)
{
	struct vpc_prefix prefix = { .family = addr->family, .plen = vpc_family_bits(addr->family) };

	memcpy(prefix.bytes, addr->bytes, sizeof(prefix.bytes));
	return prefix;
}
