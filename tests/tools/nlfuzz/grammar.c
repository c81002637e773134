// SPDX-License-Identifier: Apache-2.0
/*
 * The grammar of nlfuzz; see grammar.h. A table says which attributes a command knows, another what each is like.
 */
#include "grammar.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "../../../lib/util.h"
#include "state.h"

#define SOCKETS	     3
#define HANDLES	     4
#define MESSAGES_MAX 64
#define ELEMENTS_MAX 6

struct grammar_count grammar_count;

/* -- the input's bytes --------------------------------------------------------------------------------------------- */

static struct {
	const uint8_t *pos, *end;
} source;

/* 0 behind the end: the ordinary choice everywhere. */
static uint8_t draw(void)
{
	return source.pos < source.end ? *source.pos++ : 0;
}

static uint32_t draw_u32(void)
{
	return draw() | (uint32_t)draw() << 8 | (uint32_t)draw() << 16 | (uint32_t)draw() << 24;
}

/* -- attributes ---------------------------------------------------------------------------------------------------- */

enum kind {
	KIND_U8,
	KIND_U16,
	KIND_U32,
	KIND_U64,
	KIND_VNI,
	KIND_EPOCH,
	KIND_TXN,
	KIND_NAME,
	KIND_TEXT,
	KIND_MAC,
	KIND_ADDR4,
	KIND_ADDR6,
	KIND_PREFIX,
	KIND_DIGEST,
	KIND_NEXTHOPS,
	KIND_MEMBERS,
	KIND_ROUTES4,
	KIND_ROUTES6,
	KIND_PREFIXES,
	KIND_NEST,
};

struct attr {
	uint16_t type;
	enum kind kind;
	const struct attr *nest; /* KIND_NEST; ends with type 0 */
};

static const struct attr host_attrs[] = { { VPC_HOST_A_VTEP4, KIND_ADDR4 },
					  { VPC_HOST_A_VTEP6, KIND_ADDR6 },
					  { VPC_HOST_A_UDP_PORT, KIND_U16 },
					  {} };
static const struct attr name_attrs[] = { { VPC_PORT_A_IFNAME, KIND_NAME }, {} };
static const struct attr port_attrs[] = { { VPC_PORT_A_IFNAME, KIND_NAME },
					  { VPC_PORT_A_VNI, KIND_VNI },
					  { VPC_PORT_A_MAC, KIND_MAC },
					  { VPC_PORT_A_TABLE, KIND_U32 },
					  { VPC_PORT_A_FLAGS, KIND_U32 },
					  { VPC_PORT_A_ADDRS, KIND_PREFIXES },
					  { VPC_PORT_A_GATEWAY4, KIND_ADDR4 },
					  { VPC_PORT_A_GATEWAY6, KIND_ADDR6 },
					  { VPC_PORT_A_SUBNET6, KIND_PREFIX },
					  {} };
static const struct attr lookup_attrs[] = { { VPC_LOOKUP_A_IFNAME, KIND_NAME },
					    { VPC_LOOKUP_A_VNI, KIND_VNI },
					    { VPC_LOOKUP_A_OUTER_SRC, KIND_PREFIX },
					    { VPC_LOOKUP_A_SRC_MAC, KIND_MAC },
					    { VPC_LOOKUP_A_SRC, KIND_PREFIX },
					    { VPC_LOOKUP_A_DST, KIND_PREFIX },
					    { VPC_LOOKUP_A_TTL, KIND_U8 },
					    { VPC_LOOKUP_A_PROTO, KIND_U8 },
					    { VPC_LOOKUP_A_SPORT, KIND_U16 },
					    { VPC_LOOKUP_A_DPORT, KIND_U16 },
					    { VPC_LOOKUP_A_LEN, KIND_U32 },
					    {} };

#define A_VNI  { VPC_A_VNI, KIND_VNI }
#define A_TXN  { VPC_A_TXN, KIND_TXN }
#define A_PORT { VPC_A_PORT, KIND_NEST, name_attrs }

static const struct command {
	uint8_t cmd;
	bool dump;
	struct attr attrs[8]; /* ends with type 0 */
} commands[] = {
	/* More than once: what leads further. */
	{ VPC_CMD_TXN_BEGIN, false, { A_VNI, { VPC_A_TXN_MODE, KIND_U8 }, { VPC_A_BASE_EPOCH, KIND_EPOCH } } },
	{ VPC_CMD_TXN_ADD,
	  false,
	  { A_TXN,
	    { VPC_A_NEXTHOPS, KIND_NEXTHOPS },
	    { VPC_A_MEMBERS, KIND_MEMBERS },
	    { VPC_A_ROUTES4, KIND_ROUTES4 },
	    { VPC_A_ROUTES6, KIND_ROUTES6 } } },
	{ VPC_CMD_TXN_COMMIT, false, { A_TXN, { VPC_A_EPOCH, KIND_EPOCH }, { VPC_A_CHANGE, KIND_TEXT } } },
	{ VPC_CMD_TXN_ADD, false, { A_TXN, { VPC_A_NEXTHOPS, KIND_NEXTHOPS } } },
	{ VPC_CMD_TXN_ADD, false, { A_TXN, { VPC_A_ROUTES4, KIND_ROUTES4 } } },
	{ VPC_CMD_TXN_COMMIT,
	  false,
	  { A_TXN, { VPC_A_EPOCH, KIND_EPOCH }, { VPC_A_DIGEST, KIND_DIGEST }, { VPC_A_CHANGE, KIND_TEXT } } },
	{ VPC_CMD_TXN_ABORT, false, { A_TXN } },
	{ VPC_CMD_HOST_SET, false, { { VPC_A_HOST, KIND_NEST, host_attrs } } },
	{ VPC_CMD_HOST_GET, false, {} },
	{ VPC_CMD_VPC_NEW, false, { A_VNI, { VPC_A_QUOTA, KIND_U64 }, { VPC_A_FLAGS, KIND_U32 } } },
	{ VPC_CMD_VPC_DEL, false, { A_VNI } },
	{ VPC_CMD_VPC_GET, false, { A_VNI } },
	{ VPC_CMD_VPC_GET, true, {} },
	{ VPC_CMD_PORT_NEW, false, { { VPC_A_PORT, KIND_NEST, port_attrs } } },
	{ VPC_CMD_PORT_DEL, false, { A_PORT } },
	{ VPC_CMD_PORT_GET, false, { A_PORT } },
	{ VPC_CMD_PORT_GET, true, { A_VNI } },
	{ VPC_CMD_ROUTE_GET,
	  true,
	  { A_VNI,
	    { VPC_A_TABLE, KIND_U32 },
	    { VPC_A_NEXTHOP_ID, KIND_U32 },
	    { VPC_A_PREFIX, KIND_PREFIX } } },
	{ VPC_CMD_NEXTHOP_GET, true, { A_VNI } },
	{ VPC_CMD_LOOKUP, false, { { VPC_A_LOOKUP, KIND_NEST, lookup_attrs } } },
	{ VPC_CMD_VERIFY, false, { A_VNI } },
	{ VPC_CMD_STATS_GET, true, {} },
	{ VPC_CMD_EVENT, false, { { VPC_A_EVENT, KIND_U8 } } },
	{ VPC_CMD_UNSPEC, false, {} },
	{ 255, false, {} },
};

/* -- values -------------------------------------------------------------------------------------------------------- */

static int sockets[SOCKETS];
static uint32_t handles[HANDLES];
static unsigned int n_handles;
static uint64_t epoch; /* the last one made */

static uint32_t number(void)
{
	uint8_t b = draw();

	if (b < 240)
		return b % 8;
	return b < 248 ? draw_u32() : UINT32_MAX - (b & 7);
}

static void address(uint8_t family, uint8_t plen, uint8_t *ret)
{
	static const uint8_t v4[] = { 10, 0, 0, 0 }, v6[] = { 0x20, 1, 0xd, 0xb8 };
	unsigned int bits = family == AF_INET6 ? 128 : 32;

	memset(ret, 0, bits / 8);
	memcpy(ret, family == AF_INET6 ? v6 : v4, 4);
	ret[1] += draw() % 4;
	ret[bits / 8 - 1] = draw() % 8;
	/* Sometimes bits beyond the length. */
	if (draw() < 8)
		return;
	for (unsigned int i = plen; i < bits; i++)
		ret[i / 8] &= ~(0x80 >> i % 8);
}

static uint8_t length(unsigned int bits)
{
	static const uint8_t usual[] = { 32, 24, 16, 8, 0, 31, 9, 128 };
	uint8_t b = draw();

	return b < 200 ? usual[b % 8] % (bits + 1) : b % (bits + 3);
}

static struct vpc_nl_prefix prefix(void)
{
	struct vpc_nl_prefix p = { .family = draw() & 1 ? AF_INET6 : AF_INET };

	p.plen = length(p.family == AF_INET6 ? 128 : 32);
	address(p.family, p.plen, p.addr);
	if (draw() > 250)
		p.family = draw();
	return p;
}

static struct vpc_nl_nexthop nexthop(void)
{
	struct vpc_nl_nexthop nh = { .id = number(), .op = draw() % 16 == 1, .type = 1 + draw() % 8 };

	if (nh.type == VPC_NEXTHOP_HOST || nh.type == VPC_NEXTHOP_GATEWAY) {
		nh.family = draw() & 1 ? AF_INET6 : AF_INET;
		address(nh.family, 128, nh.addr);
		nh.vni = number();
	} else if (nh.type == VPC_NEXTHOP_PEER) {
		nh.vni = 1 + draw() % 4;
		nh.table = number();
	}
	if (draw() > 250)
		((uint8_t *)&nh)[draw() % sizeof(nh)] = draw();
	return nh;
}

static struct vpc_nl_member member(void)
{
	struct vpc_nl_member m = { .group = number(), .nexthop = number(), .op = draw() % 8 == 1 };

	m.weight = draw() < 240 ? 1 + draw() % 8 : draw() << 8 | draw();
	return m;
}

static struct vpc_nl_route4 route4(void)
{
	struct vpc_nl_route4 r = { .table = number(), .nexthop = number(), .op = draw() % 8 == 1, .plen = length(32) };

	address(AF_INET, r.plen, r.addr);
	return r;
}

static struct vpc_nl_route6 route6(void)
{
	struct vpc_nl_route6 r = { .table = number(), .nexthop = number(), .op = draw() % 8 == 1, .plen = length(128) };

	address(AF_INET6, r.plen, r.addr);
	return r;
}

#define ARRAY(fn, type)                                      \
	do {                                                 \
		size_t n = 1 + draw() % ELEMENTS_MAX;        \
		for (size_t i = 0; i < n; i++) {             \
			type element = fn();                 \
			memcpy(ret + i * sizeof(element), &element, sizeof(element)); \
		}                                            \
		return n * sizeof(type);                     \
	} while (0)

/* A right value into @ret, of which the length is returned. */
static size_t value(enum kind kind, uint8_t *ret)
{
	static const char *const names[] = { "d0", "d1", "d0", "lo", "nosuch" };
	uint64_t wide;
	uint32_t u32;

	switch (kind) {
	case KIND_U8:
		*ret = draw() % 4;
		return 1;
	case KIND_U16:
		ret[0] = draw();
		ret[1] = draw() | 0x10;
		return 2;
	case KIND_U32:
		u32 = number();
		memcpy(ret, &u32, 4);
		return 4;
	case KIND_U64:
		wide = draw() < 200 ? 0 : (uint64_t)number() << (draw() % 33);
		memcpy(ret, &wide, 8);
		return 8;
	case KIND_VNI:
		u32 = draw() < 240 ? 1U + draw() % 3 : number();
		memcpy(ret, &u32, 4);
		return 4;
	case KIND_EPOCH:
		/* What is current is small, and what is next is always larger than what was. */
		wide = draw() % 4 == 3 ? draw() % 8 : ++epoch;
		if (draw() > 250)
			wide = -(uint64_t)draw();
		memcpy(ret, &wide, 8);
		return 8;
	case KIND_TXN:
		u32 = number();
		if (draw() < 240 && n_handles)
			u32 = handles[draw() < 192 ? (n_handles - 1) % HANDLES : draw() % HANDLES];
		memcpy(ret, &u32, 4);
		return 4;
	case KIND_NAME:
		strcpy((char *)ret, names[draw() % ARRAY_SIZE(names)]);
		return strlen((char *)ret) + 1;
	case KIND_TEXT:
		u32 = draw() % (VPC_CHANGE_MAX + 8);
		memset(ret, 'c', u32);
		ret[u32] = 0;
		return u32 + 1;
	case KIND_MAC:
		memcpy(ret, (const uint8_t[]){ 2, 0, 0, 0, 0, 0 }, 6);
		ret[5] = draw();
		ret[0] = draw() > 250 ? draw() : 2;
		return 6;
	case KIND_ADDR4:
		address(AF_INET, 32, ret);
		return 4;
	case KIND_ADDR6:
		address(AF_INET6, 128, ret);
		return 16;
	case KIND_PREFIX:
		*(struct vpc_nl_prefix *)ret = prefix();
		return sizeof(struct vpc_nl_prefix);
	case KIND_DIGEST:
		memset(ret, draw(), sizeof(struct vpc_digest));
		return sizeof(struct vpc_digest);
	case KIND_NEXTHOPS:
		ARRAY(nexthop, struct vpc_nl_nexthop);
	case KIND_MEMBERS:
		ARRAY(member, struct vpc_nl_member);
	case KIND_ROUTES4:
		ARRAY(route4, struct vpc_nl_route4);
	case KIND_ROUTES6:
		ARRAY(route6, struct vpc_nl_route6);
	case KIND_PREFIXES:
		ARRAY(prefix, struct vpc_nl_prefix);
	case KIND_NEST:
		break;
	}
	return 0;
}

static void put(struct nl_out *msg, const struct attr *attr)
{
	static _Alignas(8) uint8_t buf[1024];
	uint8_t how = draw();
	uint16_t type = attr->type;
	size_t at, len;

	/* Of 256: 8 absent, 4 there twice, 8 of a wrong length, 4 of all ones, 2 flagged wrongly. */
	if (how >= 248)
		return;
	if (attr->kind == KIND_NEST) {
		at = nl_nest(msg, type);
		for (const struct attr *inner = attr->nest; inner->type; inner++)
			put(msg, inner);
		nl_nest_end(msg, at);
		return;
	}
	len = value(attr->kind, buf);
	if (how >= 244)
		nl_put(msg, type, buf, len);
	else if (how >= 236)
		len = how & 1 ? len / 2 : len + 1 + draw() % 8;
	else if (how >= 232)
		memset(buf, 0xff, len);
	else if (how >= 230)
		type ^= how & 1 ? NLA_F_NESTED : NLA_F_NET_BYTEORDER;
	nl_put(msg, type, buf, len);
}

/* -- messages ------------------------------------------------------------------------------------------------------ */

static void make(struct nl_out *msg, const struct command *command)
{
	uint16_t flags = command->dump ? NLM_F_DUMP : NLM_F_ACK;
	uint8_t how = draw();
	struct attr odd;

	/* A dump is acknowledged by its end. */
	if (how & 1 && !command->dump)
		flags |= NLM_F_REPLACE | NLM_F_CREATE;
	if (how >= 250)
		flags = NLM_F_ACK | (draw() << 8 & ~NLM_F_DUMP);
	nl_begin(msg, how == 249 ? draw() : command->cmd, flags);
	for (const struct attr *attr = command->attrs; attr->type; attr++)
		put(msg, attr);
	if (how >= 240 && how < 246) {
		odd = (struct attr){ .type = draw() % (VPC_A_MAX + 3), .kind = draw() % KIND_NEST };
		put(msg, &odd);
	}
	/* Cut off in the middle of something; the header says so, or an attribute does not. */
	if (how == 246 && msg->len > NLMSG_HDRLEN + GENL_HDRLEN)
		msg->len -= draw() % (msg->len - NLMSG_HDRLEN - GENL_HDRLEN);
	if (how == 247 && msg->len > NLMSG_HDRLEN + GENL_HDRLEN)
		msg->buf[NLMSG_HDRLEN + GENL_HDRLEN + draw() % (msg->len - NLMSG_HDRLEN - GENL_HDRLEN)] ^=
			1 << draw() % 8;
}

/* Codes that are about the header or the envelope, which the core refuses without a word. */
static bool needs_text(int code)
{
	return code && code != -EOPNOTSUPP && code != -ENOBUFS;
}

static bool ours(const struct nl_out *msg)
{
	uint8_t cmd = msg->buf[NLMSG_HDRLEN];

	return cmd > VPC_CMD_UNSPEC && cmd < VPC_CMD_EVENT;
}

/* Coverage of a poor man, where there is no other. */
static void note_outcome(uint8_t cmd, const struct nl_result *result)
{
	static bool seen[1 << 16];
	uint32_t hash = cmd * 31 - result->code;

	for (const char *c = result->text; *c; c++)
		if (*c < '0' || *c > '9')
			hash = (hash ^ *c) * 0x01000193;
	hash = (hash ^ hash >> 16) & 0xffff;
	grammar_count.outcomes += !seen[hash];
	seen[hash] = true;
}

static void one(void)
{
	const struct command *command = &commands[draw() % ARRAY_SIZE(commands)];
	int fd = sockets[draw() % 8 < 6 ? 0 : 1 + draw() % 2];
	uint64_t before = state_hash();
	struct nl_result result;
	static struct nl_out msg;

	make(&msg, command);
	nl_talk(fd, &msg, &result);
	grammar_count.messages++;
	grammar_count.taken += !result.code;
	grammar_count.refused += !!result.code;
	note_outcome(command->cmd, &result);
	if (result.code > 0)
		die("command %u: the kernel's code is %d", command->cmd, result.code);
	if (result.code && state_hash() != before)
		die("command %u: refused (%d %s), and yet something is different", command->cmd, result.code,
		    result.text);
	if (ours(&msg) && needs_text(result.code) && !*result.text)
		die("command %u: refused with %d and no text", command->cmd, result.code);
	if (result.txn)
		handles[n_handles++ % HANDLES] = result.txn;
}

void grammar_run(const uint8_t *data, size_t len)
{
	struct vpc_err err;

	source.pos = data;
	source.end = data + len;
	n_handles = 0;
	epoch = 0;
	memset(handles, 0, sizeof(handles));
	/* A socket that is closed takes its transactions with it. */
	for (int i = 0; i < SOCKETS; i++) {
		if (sockets[i] > 0)
			close(sockets[i]);
		sockets[i] = nl_open();
	}
	state_reset();
	for (uint32_t vni = 1; vni < 3; vni++)
		if (kernel_vpc_new(state_kernel, vni, 0, &err))
			die("VPC: %s", err.text);
	for (unsigned int n = 0; n < MESSAGES_MAX && source.pos < source.end; n++)
		one();
}
