// SPDX-License-Identifier: Apache-2.0
/*
 * Builds the requests of the family "vpc" (proto/vpc_genl.h) on libnl's message buffers. Called by lib/kernel.c; does
 * no I/O.
 */
#include "kernel_msg.h"

#include <errno.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <string.h>

#define MSG_SMALL 1024U

void kernel_msg_freep(struct nl_msg **msg)
{
	if (*msg)
		nlmsg_free(*msg);
}

static struct nl_msg *msg_new(uint16_t family, uint8_t cmd, uint16_t flags, size_t size)
{
	struct nl_msg *msg = nlmsg_alloc_size(size);

	if (msg && !genlmsg_put(msg, 0, 0, family, 0, NLM_F_REQUEST | flags, cmd, VPC_GENL_VERSION)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static int put_prefix(struct nl_msg *msg, int type, uint8_t family, uint8_t plen, const uint8_t *bytes)
{
	struct vpc_nl_prefix prefix = { .family = family, .plen = plen };

	memcpy(prefix.addr, bytes, sizeof(prefix.addr));
	return nla_put(msg, type, sizeof(prefix), &prefix);
}

static int put_addr(struct nl_msg *msg, int type, const struct vpc_addr *addr)
{
	return put_prefix(msg, type, addr->family, vpc_family_bits(addr->family), addr->bytes);
}

/* Takes @msg over; @failed: whether any put was refused for lack of room. */
static int msg_finish(struct nl_msg *msg, bool failed, struct nl_msg **ret_msg)
{
	if (failed) {
		nlmsg_free(msg);
		return -E2BIG;
	}
	*ret_msg = msg;
	return 0;
}

int kernel_msg_plain(uint16_t family, uint8_t cmd, uint16_t flags, struct nl_msg **ret_msg)
{
	struct nl_msg *msg = msg_new(family, cmd, flags, MSG_SMALL);

	return msg ? msg_finish(msg, false, ret_msg) : -ENOMEM;
}

int kernel_msg_vni(uint16_t family, uint8_t cmd, uint16_t flags, uint32_t vni, struct nl_msg **ret_msg)
{
	struct nl_msg *msg = msg_new(family, cmd, flags, MSG_SMALL);

	return msg ? msg_finish(msg, nla_put_u32(msg, VPC_A_VNI, vni), ret_msg) : -ENOMEM;
}

int kernel_msg_host_set(uint16_t family, const struct vpc_addr *vtep4, const struct vpc_addr *vtep6, uint16_t udp_port,
			struct nl_msg **ret_msg)
{
	struct nl_msg *msg = msg_new(family, VPC_CMD_HOST_SET, NLM_F_ACK, MSG_SMALL);
	struct nlattr *nest;

	if (!msg)
		return -ENOMEM;
	nest = nla_nest_start(msg, VPC_A_HOST | NLA_F_NESTED);
	if (!nest || (vtep4->family && nla_put(msg, VPC_HOST_A_VTEP4, 4, vtep4->bytes)) ||
	    (vtep6->family && nla_put(msg, VPC_HOST_A_VTEP6, 16, vtep6->bytes)) ||
	    nla_put_u16(msg, VPC_HOST_A_UDP_PORT, udp_port))
		return msg_finish(msg, true, ret_msg);
	nla_nest_end(msg, nest);
	return msg_finish(msg, false, ret_msg);
}

int kernel_msg_vpc_new(uint16_t family, uint16_t flags, uint32_t vni, uint64_t quota, const uint32_t *vpc_flags,
		       struct nl_msg **ret_msg)
{
	struct nl_msg *msg = msg_new(family, VPC_CMD_VPC_NEW, flags, MSG_SMALL);
	bool failed;

	if (!msg)
		return -ENOMEM;
	failed = nla_put_u32(msg, VPC_A_VNI, vni) || nla_put_u64(msg, VPC_A_QUOTA, quota) ||
		 (vpc_flags && nla_put_u32(msg, VPC_A_FLAGS, *vpc_flags));
	return msg_finish(msg, failed, ret_msg);
}

static bool put_port_addrs(struct nl_msg *msg, const struct vpc_port *port)
{
	struct nlattr *attr = nla_reserve(msg, VPC_PORT_A_ADDRS, port->n_addrs * sizeof(struct vpc_nl_prefix));
	struct vpc_nl_prefix *out;

	if (!attr)
		return false;
	out = nla_data(attr);
	for (size_t i = 0; i < port->n_addrs; i++) {
		out[i] = (struct vpc_nl_prefix){ .family = port->addrs[i].family, .plen = port->addrs[i].plen };
		memcpy(out[i].addr, port->addrs[i].bytes, sizeof(out[i].addr));
	}
	return true;
}

static bool put_port_subnets(struct nl_msg *msg, const struct vpc_port *port)
{
	return (!port->gateway4.family || !nla_put(msg, VPC_PORT_A_GATEWAY4, 4, port->gateway4.bytes)) &&
	       (!port->gateway6.family || !nla_put(msg, VPC_PORT_A_GATEWAY6, 16, port->gateway6.bytes)) &&
	       (!port->subnet6.family ||
		!put_prefix(msg, VPC_PORT_A_SUBNET6, AF_INET6, port->subnet6.plen, port->subnet6.bytes));
}

int kernel_msg_port_set(uint16_t family, const struct vpc_port *port, struct nl_msg **ret_msg)
{
	struct nl_msg *msg;
	struct nlattr *nest;
	bool ok;

	if (port->n_addrs > VPC_PORT_ADDRS_MAX)
		return -E2BIG;
	msg = msg_new(family, VPC_CMD_PORT_NEW, NLM_F_ACK | NLM_F_REPLACE,
		      MSG_SMALL + VPC_PORT_ADDRS_MAX * sizeof(struct vpc_nl_prefix));
	if (!msg)
		return -ENOMEM;
	nest = nla_nest_start(msg, VPC_A_PORT | NLA_F_NESTED);
	ok = nest && !nla_put_string(msg, VPC_PORT_A_IFNAME, port->dev) &&
	     !nla_put_u32(msg, VPC_PORT_A_VNI, port->vni) && !nla_put(msg, VPC_PORT_A_MAC, 6, port->mac) &&
	     !nla_put_u32(msg, VPC_PORT_A_TABLE, port->table) && !nla_put_u32(msg, VPC_PORT_A_FLAGS, port->flags) &&
	     put_port_addrs(msg, port) && put_port_subnets(msg, port);
	if (ok)
		nla_nest_end(msg, nest);
	return msg_finish(msg, !ok, ret_msg);
}

int kernel_msg_port_del(uint16_t family, const char *dev, struct nl_msg **ret_msg)
{
	struct nl_msg *msg = msg_new(family, VPC_CMD_PORT_DEL, NLM_F_ACK, MSG_SMALL);
	struct nlattr *nest;

	if (!msg)
		return -ENOMEM;
	nest = nla_nest_start(msg, VPC_A_PORT | NLA_F_NESTED);
	if (!nest || nla_put_string(msg, VPC_PORT_A_IFNAME, dev))
		return msg_finish(msg, true, ret_msg);
	nla_nest_end(msg, nest);
	return msg_finish(msg, false, ret_msg);
}

int kernel_msg_lookup(uint16_t family, const struct kernel_lookup *lookup, struct nl_msg **ret_msg)
{
	struct nl_msg *msg = msg_new(family, VPC_CMD_LOOKUP, NLM_F_ACK, MSG_SMALL);
	struct nlattr *nest;
	bool ok;

	if (!msg)
		return -ENOMEM;
	nest = nla_nest_start(msg, VPC_A_LOOKUP | NLA_F_NESTED);
	if (lookup->ifname[0])
		ok = nest && !nla_put_string(msg, VPC_LOOKUP_A_IFNAME, lookup->ifname);
	else
		ok = nest && !nla_put_u32(msg, VPC_LOOKUP_A_VNI, lookup->vni) &&
		     !put_addr(msg, VPC_LOOKUP_A_OUTER_SRC, &lookup->outer_src);
	if (ok && lookup->has_src_mac)
		ok = !nla_put(msg, VPC_LOOKUP_A_SRC_MAC, 6, lookup->src_mac);
	ok = ok && !put_addr(msg, VPC_LOOKUP_A_SRC, &lookup->src) && !put_addr(msg, VPC_LOOKUP_A_DST, &lookup->dst);
	if (ok && lookup->ttl)
		ok = !nla_put_u8(msg, VPC_LOOKUP_A_TTL, lookup->ttl);
	if (ok && lookup->proto)
		ok = !nla_put_u8(msg, VPC_LOOKUP_A_PROTO, lookup->proto);
	if (ok && lookup->has_ports)
		ok = !nla_put_u16(msg, VPC_LOOKUP_A_SPORT, lookup->sport) &&
		     !nla_put_u16(msg, VPC_LOOKUP_A_DPORT, lookup->dport);
	if (ok && lookup->len)
		ok = !nla_put_u32(msg, VPC_LOOKUP_A_LEN, lookup->len);
	if (ok)
		nla_nest_end(msg, nest);
	return msg_finish(msg, !ok, ret_msg);
}

/* -- transactions -------------------------------------------------------------------------------------------------- */

int kernel_msg_txn_begin(uint16_t family, uint32_t vni, enum vpc_txn_mode mode, const uint64_t *base,
			 struct nl_msg **ret_msg)
{
	struct nl_msg *msg = msg_new(family, VPC_CMD_TXN_BEGIN, NLM_F_ACK, MSG_SMALL);
	bool failed;

	if (!msg)
		return -ENOMEM;
	failed = nla_put_u32(msg, VPC_A_VNI, vni) || nla_put_u8(msg, VPC_A_TXN_MODE, mode) ||
		 (base && nla_put_u64(msg, VPC_A_BASE_EPOCH, *base));
	return msg_finish(msg, failed, ret_msg);
}

int kernel_msg_txn_commit(uint16_t family, uint32_t txn, uint64_t epoch, const struct vpc_digest *digest,
			  const char *change, struct nl_msg **ret_msg)
{
	struct nl_msg *msg = msg_new(family, VPC_CMD_TXN_COMMIT, NLM_F_ACK, MSG_SMALL);
	bool failed;

	if (!msg)
		return -ENOMEM;
	failed = nla_put_u32(msg, VPC_A_TXN, txn) || nla_put_u64(msg, VPC_A_EPOCH, epoch) ||
		 (digest && nla_put(msg, VPC_A_DIGEST, sizeof(*digest), digest)) ||
		 (change && *change && nla_put_string(msg, VPC_A_CHANGE, change));
	return msg_finish(msg, failed, ret_msg);
}

int kernel_msg_txn_abort(uint16_t family, uint32_t txn, struct nl_msg **ret_msg)
{
	struct nl_msg *msg = msg_new(family, VPC_CMD_TXN_ABORT, NLM_F_ACK, MSG_SMALL);

	return msg ? msg_finish(msg, nla_put_u32(msg, VPC_A_TXN, txn), ret_msg) : -ENOMEM;
}

struct kernel_ops kernel_ops_of_deltas(const struct vpc_delta *deltas, size_t n)
{
	return (struct kernel_ops){
		.nexthops = deltas->nexthops,
		.n_nexthops = deltas->n_nexthops,
		.members = deltas->members,
		.n_members = deltas->n_members,
		.route_ops = deltas->routes,
		.n_routes = deltas->n_routes,
		.more = deltas + 1,
		.n_more = n - 1,
	};
}

struct kernel_ops kernel_ops_of_state(const struct vpc_state *state)
{
	return (struct kernel_ops){
		.nexthops = state->nexthops,
		.n_nexthops = state->n_nexthops,
		.members = state->members,
		.n_members = state->n_members,
		.routes = state->routes,
		.n_routes = state->n_routes,
	};
}

static const struct vpc_route *ops_route(const struct kernel_ops *ops, size_t i, uint8_t *ret_op)
{
	*ret_op = ops->route_ops ? ops->route_ops[i].op : VPC_OP_SET;
	return ops->route_ops ? &ops->route_ops[i].route : &ops->routes[i];
}

/* Elements of @size bytes that one more attribute of @msg may hold. */
static size_t msg_room(struct nl_msg *msg, size_t size)
{
	size_t used = nlmsg_hdr(msg)->nlmsg_len + NLA_HDRLEN;

	return used < KERNEL_ADD_MSG_MAX ? (KERNEL_ADD_MSG_MAX - used) / size : 0;
}

/* One attribute of the nexthops with @op from @ops->pos on; false: the message is full. */
static bool add_nexthops(struct nl_msg *msg, struct kernel_ops *ops, uint8_t op)
{
	size_t room = msg_room(msg, sizeof(*ops->nexthops)), n = 0, end = ops->pos;
	struct vpc_nl_nexthop *out;
	struct nlattr *attr;

	if (!room)
		return false;
	for (; end < ops->n_nexthops && n < room; end++)
		n += ops->nexthops[end].op == op;
	if (n) {
		attr = nla_reserve(msg, VPC_A_NEXTHOPS, n * sizeof(*out));
		if (!attr)
			return false;
		out = nla_data(attr);
		for (size_t i = ops->pos; i < end; i++)
			if (ops->nexthops[i].op == op)
				*out++ = ops->nexthops[i];
	}
	ops->pos = end;
	return true;
}

/* One attribute of the members from @ops->pos on; false: the message is full. */
static bool add_members(struct nl_msg *msg, struct kernel_ops *ops)
{
	size_t room = msg_room(msg, sizeof(*ops->members)), n = ops->n_members - ops->pos;

	if (n > room)
		n = room;
	if (!n || nla_put(msg, VPC_A_MEMBERS, n * sizeof(*ops->members), ops->members + ops->pos))
		return false;
	ops->pos += n;
	return true;
}

static void fill_route4(struct vpc_nl_route4 *out, const struct vpc_route *route, uint8_t op)
{
	*out = (struct vpc_nl_route4){
		.table = route->table, .nexthop = route->nexthop, .plen = route->prefix.plen, .op = op
	};
	memcpy(out->addr, route->prefix.bytes, sizeof(out->addr));
}

static void fill_route6(struct vpc_nl_route6 *out, const struct vpc_route *route, uint8_t op)
{
	*out = (struct vpc_nl_route6){
		.table = route->table, .nexthop = route->nexthop, .plen = route->prefix.plen, .op = op
	};
	memcpy(out->addr, route->prefix.bytes, sizeof(out->addr));
}

/* One attribute of the routes from @ops->pos on that share a family; false: the message is full. */
static bool add_routes(struct nl_msg *msg, struct kernel_ops *ops)
{
	uint8_t op, family = ops_route(ops, ops->pos, &op)->prefix.family;
	size_t size = family == AF_INET6 ? sizeof(struct vpc_nl_route6) : sizeof(struct vpc_nl_route4);
	size_t room = msg_room(msg, size), end = ops->pos;
	struct nlattr *attr;
	char *out;

	while (end < ops->n_routes && end - ops->pos < room && ops_route(ops, end, &op)->prefix.family == family)
		end++;
	attr = end > ops->pos
		       ? nla_reserve(msg, family == AF_INET6 ? VPC_A_ROUTES6 : VPC_A_ROUTES4, (end - ops->pos) * size)
		       : NULL;
	if (!attr)
		return false;
	out = nla_data(attr);
	for (; ops->pos < end; ops->pos++, out += size) {
		const struct vpc_route *route = ops_route(ops, ops->pos, &op);

		if (family == AF_INET6)
			fill_route6((struct vpc_nl_route6 *)out, route, op);
		else
			fill_route4((struct vpc_nl_route4 *)out, route, op);
	}
	return true;
}

/* Whether this delta or state has something left in the phase where @ops is. */
static bool ops_left(struct kernel_ops *ops)
{
	uint8_t skip;

	if (ops->phase == KERNEL_OPS_ROUTES || ops->phase == KERNEL_OPS_MEMBERS)
		return ops->pos < (ops->phase == KERNEL_OPS_ROUTES ? ops->n_routes : ops->n_members);
	skip = ops->phase == KERNEL_OPS_NEXTHOPS_SET ? VPC_OP_DEL : VPC_OP_SET;
	while (ops->pos < ops->n_nexthops && ops->nexthops[ops->pos].op == skip)
		ops->pos++;
	return ops->pos < ops->n_nexthops;
}

/* Moves on to the next phase that has something left, be it of the next delta. */
static void ops_settle(struct kernel_ops *ops)
{
	while (ops->phase != KERNEL_OPS_DONE && !ops_left(ops)) {
		ops->phase++;
		ops->pos = 0;
		if (ops->phase == KERNEL_OPS_DONE && ops->n_more)
			*ops = kernel_ops_of_deltas(ops->more, ops->n_more);
	}
}

static bool add_some(struct nl_msg *msg, struct kernel_ops *ops)
{
	switch (ops->phase) {
	case KERNEL_OPS_NEXTHOPS_SET:
		return add_nexthops(msg, ops, VPC_OP_SET);
	case KERNEL_OPS_MEMBERS:
		return add_members(msg, ops);
	case KERNEL_OPS_ROUTES:
		return add_routes(msg, ops);
	case KERNEL_OPS_NEXTHOPS_DEL:
		return add_nexthops(msg, ops, VPC_OP_DEL);
	case KERNEL_OPS_DONE:
		break;
	}
	return false;
}

int kernel_msg_txn_add(uint16_t family, uint32_t txn, struct kernel_ops *ops, struct nl_msg **ret_msg)
{
	struct nl_msg *msg;

	ops_settle(ops);
	if (ops->phase == KERNEL_OPS_DONE) {
		*ret_msg = NULL;
		return 0;
	}
	msg = msg_new(family, VPC_CMD_TXN_ADD, NLM_F_ACK, KERNEL_ADD_MSG_MAX);
	if (!msg)
		return -ENOMEM;
	if (nla_put_u32(msg, VPC_A_TXN, txn))
		return msg_finish(msg, true, ret_msg);
	while (add_some(msg, ops))
		ops_settle(ops);
	return msg_finish(msg, false, ret_msg);
}
