// SPDX-License-Identifier: Apache-2.0
/*
 * The grammar of wirefuzz; see frame.h. A byte that is 0, or that is not there any more, is the ordinary choice
 * everywhere, so that an input of zeros is a ping.
 */
#include "frame.h"

#include <netinet/in.h>
#include <string.h>
#include "../../../lib/util.h"

#define EXT_MAX 10U
#define OPTIONS_MAX 10U
#define UDP_PORT 4789U

const uint8_t frame_router_mac[6] = { 0xfe, 0xee, 0, 0, 0, 1 };
const uint8_t frame_underlay_mac[6] = { 0x02, 0x55, 0xc0, 0, 2, 0x0b };
const struct frame_owner frame_owners[2] = {
	{ { 2, 0, 0, 0, 0, 5 }, { 10, 0, 0, 5 }, { 0x20, 1, 0xd, 0xb8, 0, 0xa, [15] = 5 } },
	{ { 2, 0, 0, 0, 0, 9 }, { 10, 0, 0, 9 }, { 0x20, 1, 0xd, 0xb8, 0, 0xa, [15] = 9 } },
};

/* What there is in the VPC, around it and nowhere. */
static const uint8_t addrs4[][4] = {
	{ 10, 0, 0, 5 },  { 10, 0, 0, 6 },	  { 10, 0, 0, 9 },	  { 10, 0, 0, 7 },  { 10, 0, 0, 1 },
	{ 10, 0, 1, 7 },  { 10, 20, 0, 1 },	  { 10, 21, 0, 1 },	  { 10, 22, 0, 1 }, { 10, 23, 0, 1 },
	{ 10, 24, 0, 1 }, { 10, 25, 0, 1 },	  { 10, 99, 0, 1 },	  { 224, 0, 0, 5 }, { 0, 0, 0, 0 },
	{ 127, 0, 0, 1 }, { 169, 254, 169, 254 }, { 255, 255, 255, 255 }, { 10, 1, 0, 5 },  { 10, 1, 0, 6 },
	{ 10, 0, 0, 8 },  { 192, 0, 2, 11 },
};
#define PREFIX 0x20, 1, 0xd, 0xb8, 0
static const uint8_t addrs6[][16] = {
	{ PREFIX, 0xa, [15] = 5 },
	{ PREFIX, 0xa, [15] = 6 },
	{ PREFIX, 0xa, [15] = 9 },
	{ PREFIX, 0xa, [15] = 7 },
	{ PREFIX, 0xa, [15] = 1 },
	{ PREFIX, 0xa, 0, 1, [15] = 7 },
	{ PREFIX, 0x20, [15] = 1 },
	{ PREFIX, 0x21, [15] = 1 },
	{ PREFIX, 0x22, [15] = 1 },
	{ PREFIX, 0x23, [15] = 1 },
	{ PREFIX, 0x24, [15] = 1 },
	{ PREFIX, 0x25, [15] = 1 },
	{ 0xfe, 0x80, [8] = 0xfc, 0xee, 0, 0xff, 0xfe, 0, 0, 1 },
	{ 0xfe, 0x80, [15] = 5 },
	{ 0xff, 2, [15] = 1 },
	{ 0xff, 2, [15] = 2 },
	{ 0xff, 2, [11] = 1, 0xff, 0, 0, 1 },
	{ 0xff, 2, [11] = 1, 0xff, 0, 0, 6 },
	{ 0 },
	{ [15] = 1 },
	{ [10] = 0xff, 0xff, 10, 0, 0, 6 },
	{ PREFIX, 0xb, [15] = 5 },
};
static const uint8_t macs[][6] = {
	{ 0xfe, 0xee, 0, 0, 0, 1 },
	{ 2, 0, 0, 0, 0, 5 },
	{ 2, 0, 0, 0, 0, 9 },
	{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	{ 0x33, 0x33, 0, 0, 0, 1 },
	{ 1, 0, 0x5e, 0, 0, 5 },
	{ 0 },
	{ 2, 0, 0, 0, 0, 0x77 },
};

/* -- the input's bytes --------------------------------------------------------------------------------------------- */

static struct {
	const uint8_t *pos, *end;
} source;

void frame_source(const uint8_t *data, size_t len)
{
	source.pos = data;
	source.end = data + len;
}

static uint8_t draw(void)
{
	return source.pos < source.end ? *source.pos++ : 0;
}

static uint16_t draw_u16(void)
{
	return draw() | draw() << 8;
}

/* One of sixteen or so. */
static bool rarely(void)
{
	return draw() >= 240;
}

/* Sometimes what it must not be. */
static uint16_t number(uint16_t right)
{
	uint8_t n = draw();

	if (n < 240)
		return right;
	switch (n & 7) {
	case 0:
		return 0;
	case 1:
		return right - 1;
	case 2:
		return right + 1;
	case 3:
		return 0xffff;
	case 4:
		return right + 8;
	default:
		return draw_u16();
	}
}

/* -- writing ------------------------------------------------------------------------------------------------------- */

/* What a checksum is over, and where it stands; what a guest may leave to devices. */
struct upper {
	size_t at, sum_at;
};

static struct frame *out;
static struct upper last;

static uint8_t *add(const void *data, size_t len)
{
	uint8_t *at = out->data + out->len;

	if (out->len + len > sizeof(out->data))
		len = sizeof(out->data) - out->len;
	if (data)
		memcpy(at, data, len);
	else
		memset(at, 0, len);
	out->len += len;
	return at;
}

static void add_u8(uint8_t value)
{
	add(&value, 1);
}

static void add_u16(uint16_t value)
{
	add((const uint8_t[]){ value >> 8, value }, 2);
}

static void add_u32(uint32_t value)
{
	add_u16(value >> 16);
	add_u16(value);
}

static void set_u16(size_t at, uint16_t value)
{
	if (at + 2 > sizeof(out->data))
		return;
	out->data[at] = value >> 8;
	out->data[at + 1] = value;
}

static void add_addr4(size_t ordinary)
{
	uint8_t n = draw();

	add(addrs4[n ? (n - 1) % ARRAY_SIZE(addrs4) : ordinary], 4);
	if (n >= 240)
		out->data[out->len - 1] = draw();
}

static void add_addr6(size_t ordinary)
{
	uint8_t n = draw();

	add(addrs6[n ? (n - 1) % ARRAY_SIZE(addrs6) : ordinary], 16);
	if (n >= 240)
		out->data[out->len - 1] = draw();
}

static void add_mac(const uint8_t *ordinary)
{
	uint8_t n = draw();

	add(n < 192 ? ordinary : macs[n % ARRAY_SIZE(macs)], 6);
}

static uint32_t sum_add(uint32_t sum, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? data[i] : data[i] << 8;
	return sum;
}

uint16_t frame_checksum(uint32_t sum, const uint8_t *data, size_t len)
{
	sum = sum_add(sum, data, len);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* -- what is in an IP packet --------------------------------------------------------------------------------------- */

static size_t payload_len(void)
{
	static const uint16_t lens[] = { 8, 0, 1, 64, 512, 1372, 1373, 1402, 3000, 6000 };
	uint8_t n = draw();

	return n < 128 ? 8 : lens[n % ARRAY_SIZE(lens)];
}

static void add_payload(void)
{
	size_t len = payload_len();

	for (size_t i = 0; i < len; i++)
		add_u8(i);
}

/* Options of neighbour discovery: 8 * length bytes each, or whatever is said instead. */
static void add_nd_options(uint8_t ordinary)
{
	static const uint8_t types[] = { 1, 2, 3, 5, 14, 25, 31, 255 };
	unsigned int n = draw() % 4;

	while (n--) {
		uint8_t type = draw(), len = draw();

		add_u8(type ? types[type % ARRAY_SIZE(types)] : ordinary);
		add_u8(len < 192 ? 1 : len & 7);
		add(frame_owners[0].mac, 6);
	}
}

/* The head of a packet that an error is about, such as this host might have sent. */
static void add_quoted4(void)
{
	size_t at = out->len;

	add_u8(0x45);
	add_u8(draw());
	add_u16(number(48));
	add_u32(0x00010000 | (rarely() ? draw_u16() : 0));
	add_u8(64);
	add_u8(rarely() ? draw() : IPPROTO_UDP);
	add_u16(0);
	add_addr4(0);
	add_addr4(1);
	set_u16(at + 10, frame_checksum(0, out->data + at, 20));
	add_u16(40000);
	add_u16(number(UDP_PORT));
	add_u32(28 << 16);
}

static void add_quoted6(void)
{
	add_u32(0x60000000);
	add_u16(number(28));
	add_u8(rarely() ? draw() : IPPROTO_UDP);
	add_u8(64);
	add_addr6(0);
	add_addr6(1);
	add_u16(40000);
	add_u16(number(UDP_PORT));
	add_u32(28 << 16);
}

static void add_tcp(void)
{
	size_t at = out->len;
	unsigned int options = draw() % 4;

	add_u16(number(1000));
	add_u16(number(80));
	add_u32(1);
	add_u32(1);
	add_u8((5 + options) << 4);
	add_u8(rarely() ? draw() : 0x10);
	add_u16(1000);
	add_u32(0);
	while (options--)
		add_u32(draw() | (uint32_t)draw() << 24);
	add_payload();
	if (rarely())
		out->data[at + 12] = draw();
	last.sum_at = at + 16;
}

static void add_udp(void)
{
	size_t at = out->len;

	add_u16(number(1000));
	add_u16(number(53));
	add_u32(0);
	add_payload();
	set_u16(at + 4, number(out->len - at));
	last.sum_at = at + 6;
}

static void add_icmp4(void)
{
	static const uint8_t types[] = { 8, 0, 3, 11, 5, 12, 13, 255 };
	size_t at = out->len;
	uint8_t n = draw(), type = types[n % ARRAY_SIZE(types)];

	add_u8(type);
	add_u8(draw() & 15);
	add_u16(0);
	add_u32(type == 3 ? number(1000) : 0x00010001);
	if (type == 3 || type == 11 || type == 5 || type == 12)
		add_quoted4();
	else
		add_payload();
	last.sum_at = at + 2;
}

static void add_icmp6(void)
{
	static const uint8_t types[] = { 128, 135, 133, 136, 134, 137, 1, 2, 3, 4, 129, 130, 143, 255 };
	size_t at = out->len;
	uint8_t n = draw(), type = types[n % ARRAY_SIZE(types)];

	add_u8(type);
	add_u8(rarely() ? draw() : 0);
	add_u16(0);
	add_u32(type == 2 ? number(1280) : 0);
	if (type == 135 || type == 136)
		add_addr6(4);
	if (type == 137)
		add(addrs6[1], 32);
	if (type == 134)
		add(NULL, 8);
	if (type >= 133 && type <= 137)
		add_nd_options(type == 136 ? 2 : 1);
	else if (type < 128)
		add_quoted6();
	else
		add_payload();
	last.sum_at = at + 2;
}

/* Returns the protocol. */
static uint8_t add_upper(bool v6)
{
	uint8_t n = draw();

	last = (struct upper){ .at = out->len };
	switch (n % 5) {
	case 1:
		add_udp();
		return IPPROTO_UDP;
	case 2:
		add_tcp();
		return IPPROTO_TCP;
	case 3:
		if (n < 200)
			break;
		add_payload();
		return draw();
	default:
		break;
	}
	v6 ? add_icmp6() : add_icmp4();
	return v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
}

/* With the addresses that stand at @addrs, @n bytes of both. */
static void sum_upper(size_t addrs, size_t n, uint8_t proto)
{
	size_t len = out->len - last.at;
	uint32_t pseudo = 0;

	if (!last.sum_at || rarely())
		return;
	if (proto != IPPROTO_ICMP)
		pseudo = sum_add(proto + len, out->data + addrs, n);
	set_u16(last.sum_at, 0);
	set_u16(last.sum_at, frame_checksum(pseudo, out->data + last.at, len));
}

/* -- IP ------------------------------------------------------------------------------------------------------------ */

static uint8_t ttl(void)
{
	static const uint8_t ttls[] = { 64, 0, 1, 2, 255 };
	uint8_t n = draw();

	return n < 160 ? 64 : ttls[n % ARRAY_SIZE(ttls)];
}

static void add_ipv4(size_t from, size_t to)
{
	static const uint8_t options[] = { 1, 0, 7, 68, 131, 137, 148, 136, 130, 255 };
	static const uint16_t fragments[] = { 0x4000, 0x2000, 0x2001, 0x0001, 0x1fff, 0x8000, 0x00b9 };
	size_t at = out->len, words = draw() >= 208 ? draw() % (OPTIONS_MAX + 1) : 0;
	uint8_t n, proto;

	add_u8(0x45 + words);
	add_u8(draw());
	add_u16(0);
	add_u16(1);
	n = draw();
	add_u16(n < 192 ? 0 : fragments[n % ARRAY_SIZE(fragments)]);
	add_u8(ttl());
	add_u8(0);
	add_u16(0);
	add_addr4(from);
	add_addr4(to);
	for (size_t i = 0; i < 4 * words; i++) {
		n = draw();
		add_u8(n < 128 ? options[n % ARRAY_SIZE(options)] : n & 63);
	}
	proto = add_upper(false);
	sum_upper(at + 12, 8, proto);
	out->data[at + 9] = proto;
	set_u16(at + 2, number(out->len - at));
	if (rarely())
		out->data[at] = draw();
	if (!rarely())
		set_u16(at + 10, frame_checksum(0, out->data + at, 20 + 4 * words));
}

/* Returns where the next header's number goes. */
static size_t add_extension(uint8_t type)
{
	size_t at = out->len;
	uint8_t n = draw();

	add_u8(IPPROTO_NONE);
	switch (type) {
	case IPPROTO_FRAGMENT:
		add_u8(0);
		add_u16(n < 192 ? 0 : n < 224 ? 1 : draw_u16());
		add_u32(7);
		return at;
	case IPPROTO_ROUTING:
		add_u8(n < 224 ? 0 : draw());
		add_u8(draw() % 5);
		add_u8(draw());
		add_u32(0);
		return at;
	case IPPROTO_AH:
		add_u8(n < 224 ? 1 : draw());
		add(NULL, 10);
		return at;
	default:
		add_u8(n < 224 ? 0 : draw());
		add_u8(draw() & 7);
		add_u8(4 - (n >= 240));
		add_u32(draw());
		return at;
	}
}

static void add_ipv6(size_t from, size_t to)
{
	static const uint8_t types[] = { IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_FRAGMENT, IPPROTO_ROUTING,
					 IPPROTO_AH,	  IPPROTO_ESP,	   IPPROTO_MH,	     IPPROTO_NONE };
	size_t at = out->len, next = at + 6, n = draw() >= 176 ? draw() % (EXT_MAX + 1) : 0;
	uint8_t proto, type;

	add_u32(0x60000000 | (uint32_t)draw() << 20);
	add_u16(0);
	add_u8(0);
	add_u8(rarely() ? ttl() : draw() < 128 ? 255 : 64);
	add_addr6(from);
	add_addr6(to);
	while (n--) {
		type = types[draw() % ARRAY_SIZE(types)];
		out->data[next] = type;
		next = add_extension(type);
	}
	proto = add_upper(true);
	sum_upper(at + 8, 32, proto);
	out->data[next] = proto;
	set_u16(at + 4, number(out->len - at - 40));
	if (rarely())
		out->data[at] = draw();
}

static void add_arp(const struct frame_owner *owner)
{
	add_u16(number(1));
	add_u16(number(0x0800));
	add_u8(rarely() ? draw() : 6);
	add_u8(rarely() ? draw() : 4);
	add_u16(rarely() ? draw() : 1);
	add_mac(owner->mac);
	add_addr4(owner - frame_owners ? 2 : 0);
	add_mac(macs[6]);
	add_addr4(4);
}

/* -- frames -------------------------------------------------------------------------------------------------------- */

static void damage(size_t from)
{
	unsigned int n = draw();

	if (n < 176 || out->len <= from)
		return;
	for (n = 1 + n % 5; n; n--)
		out->data[from + draw_u16() % (out->len - from)] = draw();
	n = draw();
	if (n >= 192)
		out->len -= draw_u16() % (out->len - from);
	else if (n >= 176)
		add(NULL, draw());
}

/* An Ethernet frame of the VPC's. @owner: whose; NULL: from another host to the port. */
static void add_inner(const struct frame_owner *owner)
{
	static const uint16_t types[] = { 0x0800, 0x86dd, 0x0806, 0x88cc, 0x8100, 0x8847, 5, 0 };
	size_t at = out->len, from = owner ? (owner - frame_owners ? 2 : 0) : 1, to = owner ? 1 : 0;
	uint8_t kind = draw() % 4, n;

	add_mac(frame_router_mac);
	add_mac(owner ? owner->mac : frame_router_mac);
	for (n = draw(); n >= 240; n = draw()) {
		add_u16(n & 1 ? 0x8100 : 0x88a8);
		add_u16(n & 7);
	}
	n = draw();
	add_u16(n >= 240		 ? types[n % ARRAY_SIZE(types)]
		: kind == 1 || kind == 3 ? 0x86dd
		: kind == 2		 ? 0x0806
					 : 0x0800);
	if (kind == 2)
		add_arp(owner ?: frame_owners);
	else if (kind == 0)
		add_ipv4(from, to);
	else
		add_ipv6(from, to);
	damage(at);
}

/* What a guest's virtio leaves to the host: of a right kind, or not. */
static void set_offload(void)
{
	static const uint8_t types[] = { VIRTIO_NET_HDR_GSO_NONE,
					 VIRTIO_NET_HDR_GSO_TCPV4,
					 VIRTIO_NET_HDR_GSO_TCPV6,
					 VIRTIO_NET_HDR_GSO_UDP,
					 VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN,
					 5 };
	uint8_t n = draw();

	if (n < 160)
		return;
	out->offload = (struct virtio_net_hdr){
		.flags = n & 1	 ? VIRTIO_NET_HDR_F_NEEDS_CSUM
			 : n & 2 ? VIRTIO_NET_HDR_F_DATA_VALID
				 : 0,
		.gso_type = types[draw() % ARRAY_SIZE(types)],
		.hdr_len = number(last.at + 20),
		.gso_size = number(536),
		.csum_start = number(last.at),
		.csum_offset = number(last.sum_at ? last.sum_at - last.at : 16),
	};
}

static void add_outer4(void)
{
	static const uint8_t vteps[][4] = {
		{ 192, 0, 2, 12 }, { 192, 0, 2, 13 }, { 192, 0, 2, 99 }, { 192, 0, 2, 11 }
	};
	uint8_t n = draw();
	size_t at = out->len;

	add_u8(0x45);
	add_u8(draw());
	add_u32(1);
	add_u16(rarely() ? draw_u16() : 0x4000);
	add_u8(64);
	add_u8(IPPROTO_UDP);
	add_u16(0);
	add(vteps[n < 192 ? 0 : n % ARRAY_SIZE(vteps)], 4);
	add((const uint8_t[]){ 192, 0, 2, 11 }, 4);
	set_u16(at + 10, 0);
}

static void add_outer6(void)
{
	static const uint8_t last_bytes[] = { 0x12, 0x13, 0x99, 0x11 };
	uint8_t n = draw(), addr[16] = { PREFIX, 1 };

	add_u32(0x60000000 | (uint32_t)draw() << 20);
	add_u16(0);
	add_u8(IPPROTO_UDP);
	add_u8(64);
	addr[15] = last_bytes[n < 192 ? 0 : n % ARRAY_SIZE(last_bytes)];
	add(addr, 16);
	addr[15] = 0x11;
	add(addr, 16);
}

/* Lengths and sums of the outer headers, when all of it is there. */
static void finish_outer(size_t ip, size_t udp, bool v6)
{
	size_t len = out->len - udp;

	set_u16(udp + 4, number(len));
	set_u16(v6 ? ip + 4 : ip + 2, number(v6 ? len : out->len - ip));
	if (!v6)
		set_u16(ip + 10, rarely() ? 1 : frame_checksum(0, out->data + ip, 20));
	if (v6 ? !rarely() : rarely())
		set_u16(udp + 6,
			frame_checksum(sum_add(IPPROTO_UDP + len, out->data + (v6 ? ip + 8 : ip + 12), v6 ? 32 : 8),
				       out->data + udp, len));
}

static void add_wire(bool v6)
{
	static const uint32_t vnis[] = { 100, 200, 300, 0, 0xffffff };
	size_t ip = 14, udp;
	uint8_t n;

	add(frame_underlay_mac, 6);
	add((const uint8_t[]){ 2, 0x55, 0xc0, 0, 2, 0x0c }, 6);
	add_u16(v6 ? 0x86dd : 0x0800);
	v6 ? add_outer6() : add_outer4();
	udp = out->len;
	add_u16(number(50000));
	add_u16(number(UDP_PORT));
	add_u32(0);
	n = draw();
	add_u32(n < 224 ? 0x08000000 : (uint32_t)n << 24 | draw());
	n = draw();
	add_u32(vnis[n < 192 ? 0 : n % ARRAY_SIZE(vnis)] << 8 | (rarely() ? draw() : 0));
	add_inner(NULL);
	finish_outer(ip, udp, v6);
	n = draw();
	if (n >= 240)
		damage(ip);
}

bool frame_next(struct frame *ret)
{
	static const uint8_t ways[] = { FRAME_FROM_PORT, FRAME_FROM_WIRE4, FRAME_FROM_PORT,	  FRAME_FROM_WIRE4,
					FRAME_FROM_PORT, FRAME_FROM_WIRE6, FRAME_FROM_OTHER_PORT, FRAME_FROM_WIRE6 };

	if (source.pos == source.end)
		return false;
	out = ret;
	out->way = ways[draw() % ARRAY_SIZE(ways)];
	out->len = 0;
	out->offload = (struct virtio_net_hdr){};
	last = (struct upper){};
	if (out->way == FRAME_FROM_WIRE4 || out->way == FRAME_FROM_WIRE6) {
		add_wire(out->way == FRAME_FROM_WIRE6);
		return true;
	}
	add_inner(&frame_owners[out->way == FRAME_FROM_OTHER_PORT]);
	set_offload();
	return true;
}
