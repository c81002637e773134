// SPDX-License-Identifier: Apache-2.0
/*
 * The rules for what comes out; see look.h.
 */
#include "look.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include "../../../lib/util.h"
#include "../nlfuzz/state.h"

#define ETH_LEN 14U
#define UDP_LEN 8U
#define VXLAN_LEN 8U
#define UDP_PORT 4789U

static const uint8_t gateway4[4] = { 10, 0, 0, 1 }, gateway6[16] = { 0x20, 1, 0xd, 0xb8, 0, 0xa, [15] = 1 };
static const uint8_t vtep4[4] = { 192, 0, 2, 11 };
static const uint8_t vtep6[16] = { 0x20, 1, 0xd, 0xb8, 0, 1, [15] = 0x11 };

static struct {
	const struct frame *in;
	const uint8_t *data;
	size_t len;
} now;

static void hex(const char *what, const uint8_t *data, size_t len)
{
	printf("%s, %zu bytes:", what, len);
	for (size_t i = 0; i < len && i < 256; i++)
		printf("%s%02x", i % 16 ? " " : "\n    ", data[i]);
	putchar('\n');
}

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	printf("way %d, offload flags %u type %u hdr_len %u gso_size %u csum %u+%u\n", now.in->way,
	       now.in->offload.flags, now.in->offload.gso_type, now.in->offload.hdr_len, now.in->offload.gso_size,
	       now.in->offload.csum_start, now.in->offload.csum_offset);
	hex("in", now.in->data, now.in->len);
	hex("out", now.data, now.len);
	die("%s", what);
}

static uint16_t get_u16(const uint8_t *data)
{
	return data[0] << 8 | data[1];
}

/* -- what is the same on both sides: an IP packet with its Ethernet header ----------------------------------------- */

struct packet {
	uint16_t type;
	const uint8_t *saddr, *daddr;
	uint8_t proto, icmp_type, icmp_code;
	size_t addr_len;
};

static void read_ip(const uint8_t *data, size_t len, struct packet *ret)
{
	const uint8_t *ip = data + ETH_LEN;
	size_t hlen;

	must(len >= ETH_LEN, "a frame that is cut off");
	ret->type = get_u16(data + 12);
	len -= ETH_LEN;
	must(ret->type == 0x0800 || ret->type == 0x86dd, "neither IPv4 nor IPv6");
	if (ret->type == 0x0800) {
		must(len >= 20 && ip[0] >> 4 == 4, "an IPv4 header that is cut off");
		hlen = (ip[0] & 15) * 4;
		must(hlen >= 20 && hlen <= len && get_u16(ip + 2) == len, "IPv4 of a wrong length");
		must(!frame_checksum(0, ip, hlen), "IPv4 with a wrong checksum");
		ret->saddr = ip + 12;
		ret->daddr = ip + 16;
		ret->addr_len = 4;
		ret->proto = ip[9];
	} else {
		hlen = 40;
		must(len >= 40 && ip[0] >> 4 == 6, "an IPv6 header that is cut off");
		must(get_u16(ip + 4) + 40U == len, "IPv6 of a wrong length");
		ret->saddr = ip + 8;
		ret->daddr = ip + 24;
		ret->addr_len = 16;
		ret->proto = ip[6];
	}
	if ((ret->proto == IPPROTO_ICMP || ret->proto == IPPROTO_ICMPV6) && len >= hlen + 2) {
		ret->icmp_type = ip[hlen];
		ret->icmp_code = ip[hlen + 1];
	}
}

static bool same(const struct packet *packet, const uint8_t *addr, const void *other4, const void *other6)
{
	return !memcmp(addr, packet->addr_len == 4 ? other4 : other6, packet->addr_len);
}

static uint32_t kind_of(const struct frame *in, unsigned int where, const struct packet *packet)
{
	return (uint32_t)in->way << 30 | where << 28 | (packet->type == 0x86dd) << 24 | packet->proto << 16 |
	       packet->icmp_type << 8 | packet->icmp_code;
}

/* -- the underlay -------------------------------------------------------------------------------------------------- */

/* Offset of the UDP header, 0: it is not the tunnel's. */
static size_t tunnel_at(const uint8_t *data, size_t len)
{
	const uint8_t *ip = data + ETH_LEN;
	size_t udp;

	if (len < ETH_LEN + 20)
		return 0;
	if (get_u16(data + 12) == 0x0800) {
		udp = ETH_LEN + 20;
		if (ip[9] != IPPROTO_UDP || get_u16(ip + 6) & 0x3fff || memcmp(ip + 12, vtep4, 4))
			return 0;
	} else {
		udp = ETH_LEN + 40;
		if (get_u16(data + 12) != 0x86dd || len < udp || ip[6] != IPPROTO_UDP || memcmp(ip + 8, vtep6, 16))
			return 0;
	}
	return len >= udp + UDP_LEN && get_u16(data + udp + 2) == UDP_PORT ? udp : 0;
}

/* Returns whether it goes to the VTEP where @in came from. */
static bool check_outer(const struct frame *in, const uint8_t *data, size_t len, size_t udp)
{
	const uint8_t *ip = data + ETH_LEN, *vxlan = data + udp + UDP_LEN;
	bool v6 = get_u16(data + 12) == 0x86dd;
	uint32_t vni;

	must(len >= udp + UDP_LEN + VXLAN_LEN + ETH_LEN, "a tunnel packet that is cut off");
	must(get_u16(data + udp + 4) == len - udp, "UDP of a wrong length");
	if (v6) {
		must(get_u16(ip + 4) == len - udp, "outer IPv6 of a wrong length");
		must(!memcmp(ip + 24, vtep6, 15) && ip[39] == 0x12, "to no VTEP of the VPC's");
	} else {
		must(ip[0] == 0x45 && get_u16(ip + 2) == len - ETH_LEN, "outer IPv4 of a wrong length");
		must(!frame_checksum(0, ip, 20), "outer IPv4 with a wrong checksum");
		must(!memcmp(ip + 16, vtep4, 3) && (ip[19] == 12 || ip[19] == 13), "to no VTEP of the VPC's");
	}
	vni = vxlan[4] << 16 | get_u16(vxlan + 5);
	must(!memcmp(vxlan, "\x08\0\0", 4) && !vxlan[7] && (vni == 100 || vni == 200), "a wrong VXLAN header");
	if (in->way == FRAME_FROM_WIRE4 && !v6)
		return !memcmp(ip + 16, in->data + ETH_LEN + 12, 4);
	return in->way == FRAME_FROM_WIRE6 && v6 && !memcmp(ip + 24, in->data + ETH_LEN + 8, 16);
}

void look_wire(const struct frame *in, const uint8_t *data, size_t len, struct look *ret)
{
	size_t udp = tunnel_at(data, len), inner = udp + UDP_LEN + VXLAN_LEN;
	const struct frame_owner *owner = NULL;
	struct packet packet = {};
	bool back;

	now.in = in;
	now.data = data;
	now.len = len;
	ret->kind = 0;
	/* The host's own stack answers, too. */
	if (!udp)
		return;
	back = check_outer(in, data, len, udp);
	must(!memcmp(data + inner + 6, frame_router_mac, 6), "not from the router");
	read_ip(data + inner, len - inner, &packet);
	ret->to_wire++;
	ret->kind = kind_of(in, get_u16(data + 12) == 0x86dd ? 1 : 2, &packet);
	/* What a port's router says of a packet goes where that came from. */
	if (same(&packet, packet.saddr, gateway4, gateway6))
		return;
	if (in->way == FRAME_FROM_PORT || in->way == FRAME_FROM_OTHER_PORT)
		owner = &frame_owners[in->way == FRAME_FROM_OTHER_PORT];
	must(!owner || same(&packet, packet.saddr, owner->addr4, owner->addr6), "a source that is not the port's");
	must(!back, "back to the VTEP that it came from");
}

/* -- ports --------------------------------------------------------------------------------------------------------- */

void look_port(const struct frame *in, const struct frame_owner *owner, const uint8_t *data, size_t len,
	       struct look *ret)
{
	struct packet packet = {};

	now.in = in;
	now.data = data;
	now.len = len;
	must(len >= ETH_LEN, "a frame that is cut off");
	must(!memcmp(data + 6, frame_router_mac, 6), "not from the router");
	must(!memcmp(data, owner->mac, 6) || !memcmp(data, "\x33\x33\0\0\0\x01", 6), "to another's MAC");
	if (get_u16(data + 12) == 0x0806) {
		must(len >= ETH_LEN + 28 && get_u16(data + ETH_LEN + 6) == 2, "ARP that is no answer");
		must(!memcmp(data + ETH_LEN + 8, frame_router_mac, 6), "ARP that names another MAC");
		ret->kind = (uint32_t)in->way << 30 | 3U << 28;
		return;
	}
	read_ip(data, len, &packet);
	ret->kind = kind_of(in, 0, &packet);
	/* To all nodes, at any time, and to link-local addresses, which any guest may have, the router speaks. */
	if (packet.type == 0x86dd && (packet.daddr[0] == 0xfe || packet.daddr[0] == 0xff)) {
		must(packet.proto == IPPROTO_ICMPV6 && (packet.daddr[0] == 0xff || in->way == FRAME_FROM_PORT ||
							in->way == FRAME_FROM_OTHER_PORT),
		     "to a link-local address, and not from its router");
		return;
	}
	ret->to_port++;
	must(same(&packet, packet.daddr, owner->addr4, owner->addr6), "to an address that is not the port's");
}
