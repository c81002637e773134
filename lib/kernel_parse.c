// SPDX-License-Identifier: Apache-2.0
/*
 * Reads the answers and events of the family "vpc". Called by lib/kernel.c; does no I/O. Attributes are walked by
 * hand rather than by nla_parse(), which takes a broken tail for the end: here it is -EPROTO.
 */
#include "kernel_msg.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <stdlib.h>
#include <string.h>

/* A walk over attributes: @pos..@end still to come. */
struct walk {
	const char *pos, *end;
	bool broken;
};

struct attr {
	unsigned int type;
	const void *data;
	size_t len;
};

static struct walk walk_of(const void *data, size_t len)
{
	return (struct walk){ .pos = data, .end = (const char *)data + len };
}

/* The next attribute; false at the end, with @walk->broken when it ends in the middle of one. */
static bool walk_next(struct walk *walk, struct attr *ret)
{
	size_t left = walk->end - walk->pos, step;
	struct nlattr head;

	if (!left)
		return false;
	walk->broken = true;
	if (left < sizeof(head))
		return false;
	memcpy(&head, walk->pos, sizeof(head));
	if (head.nla_len < NLA_HDRLEN || head.nla_len > left)
		return false;
	walk->broken = false;
	*ret = (struct attr){ head.nla_type & NLA_TYPE_MASK, walk->pos + NLA_HDRLEN, head.nla_len - NLA_HDRLEN };
	step = NLA_ALIGN(head.nla_len);
	walk->pos += step < left ? step : left;
	return true;
}

/* Attributes by type, up to @max; an absent one has no data. */
static int attrs_table(const void *data, size_t len, struct attr *ret, unsigned int max, struct vpc_err *err)
{
	struct walk walk = walk_of(data, len);
	struct attr attr;

	memset(ret, 0, (max + 1) * sizeof(*ret));
	while (walk_next(&walk, &attr))
		if (attr.type <= max)
			ret[attr.type] = attr;
	return walk.broken ? vpc_err_set(err, -EPROTO, "the kernel's answer ends in the middle of an attribute") : 0;
}

static int msg_walk(const struct nlmsghdr *nlh, struct walk *ret, struct vpc_err *err)
{
	if (nlh->nlmsg_len < NLMSG_HDRLEN + GENL_HDRLEN)
		return vpc_err_set(err, -EPROTO, "the kernel's answer is too short: %u bytes", nlh->nlmsg_len);
	*ret = walk_of((const char *)nlh + NLMSG_HDRLEN + GENL_HDRLEN, nlh->nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN);
	return 0;
}

static int msg_table(const struct nlmsghdr *nlh, struct attr ret[VPC_A_MAX + 1], struct vpc_err *err)
{
	struct walk walk = { 0 };
	int r = msg_walk(nlh, &walk, err);

	return r ? r : attrs_table(walk.pos, walk.end - walk.pos, ret, VPC_A_MAX, err);
}

/* Copies a field of exactly @size bytes; the kernel's numbers are not aligned. @what: for the message. */
static int field_get(const struct attr *attr, const char *what, void *ret, size_t size, struct vpc_err *err)
{
	if (!attr->data)
		return vpc_err_set(err, -EPROTO, "the kernel's answer lacks the %s", what);
	if (attr->len != size)
		return vpc_err_set(err, -EPROTO, "the kernel's answer has %zu bytes of %s, not %zu", attr->len, what,
				   size);
	memcpy(ret, attr->data, size);
	return 0;
}

/* The same for what may be absent: @ret is then left alone. */
static int field_get_maybe(const struct attr *attr, const char *what, void *ret, size_t size, struct vpc_err *err)
{
	return attr->data ? field_get(attr, what, ret, size, err) : 0;
}

#define GET(attr, what, ret)	   field_get(attr, what, ret, sizeof(*(ret)), err)
#define GET_MAYBE(attr, what, ret) field_get_maybe(attr, what, ret, sizeof(*(ret)), err)

/* A string with its NUL inside the attribute, short enough for @ret; absent: @ret is left alone. */
static int string_get(const struct attr *attr, const char *what, char *ret, size_t size, struct vpc_err *err)
{
	const char *nul = attr->data ? memchr(attr->data, 0, attr->len) : NULL;
	size_t len;

	if (!attr->data)
		return 0;
	len = nul ? (size_t)(nul - (const char *)attr->data) : size;
	if (len >= size)
		return vpc_err_set(err, -EPROTO, "the kernel's answer has a broken %s", what);
	memcpy(ret, attr->data, len + 1);
	return 0;
}

static int prefix_check(uint8_t family, uint8_t plen, struct vpc_err *err)
{
	if ((family != AF_INET && family != AF_INET6) || plen > vpc_family_bits(family))
		return vpc_err_set(err, -EPROTO, "the kernel's answer has a prefix of family %u, length %u", family,
				   plen);
	return 0;
}

static int prefix_convert(const struct vpc_nl_prefix *nl, struct vpc_prefix *ret, struct vpc_err *err)
{
	int r = prefix_check(nl->family, nl->plen, err);

	if (r)
		return r;
	*ret = (struct vpc_prefix){ .family = nl->family, .plen = nl->plen };
	memcpy(ret->bytes, nl->addr, sizeof(ret->bytes));
	return 0;
}

/* -- status -------------------------------------------------------------------------------------------------------- */

/*
 * NLMSG_ERROR holds the code, the request (its header only when capped) and, flagged so, attributes; NLMSG_DONE the
 * code and attributes. A message whose attributes are broken still tells its code.
 */
int kernel_parse_status(const struct nlmsghdr *nlh, int *ret_code, struct vpc_err *ret_text)
{
	const char *data = (const char *)nlh + NLMSG_HDRLEN;
	size_t len = nlh->nlmsg_len - NLMSG_HDRLEN, skip = sizeof(int);
	struct attr attrs[NLMSGERR_ATTR_MSG + 1];
	int code;

	if (nlh->nlmsg_len < NLMSG_HDRLEN + sizeof(int))
		return -EPROTO;
	memcpy(&code, data, sizeof(code));
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		struct nlmsghdr request;

		if (len < sizeof(struct nlmsgerr))
			return -EPROTO;
		memcpy(&request, data + sizeof(int), sizeof(request));
		skip += nlh->nlmsg_flags & NLM_F_CAPPED ? sizeof(request) : (size_t)NLMSG_ALIGN(request.nlmsg_len);
	}
	if (code > 0)
		return -EPROTO;
	ret_text->text[0] = 0;
	if (nlh->nlmsg_flags & NLM_F_ACK_TLVS && skip <= len) {
		attrs_table(data + skip, len - skip, attrs, NLMSGERR_ATTR_MSG, NULL);
		string_get(&attrs[NLMSGERR_ATTR_MSG], "text", ret_text->text, sizeof(ret_text->text), NULL);
	}
	*ret_code = code;
	return 0;
}

/* -- answers ------------------------------------------------------------------------------------------------------- */

int kernel_parse_host(const struct nlmsghdr *nlh, struct kernel_host *ret_host, struct vpc_err *err)
{
	struct attr attrs[VPC_A_MAX + 1], host[VPC_HOST_A_MAX + 1];
	struct kernel_host out = { .udp_port = VPC_UDP_PORT };
	uint8_t vtep[4], vtep6[16];
	int r;

	r = msg_table(nlh, attrs, err);
	if (r)
		return r;
	if (!attrs[VPC_A_HOST].data)
		return vpc_err_set(err, -EPROTO, "the kernel's answer lacks the host");
	r = attrs_table(attrs[VPC_A_HOST].data, attrs[VPC_A_HOST].len, host, VPC_HOST_A_MAX, err);
	if (!r)
		r = GET_MAYBE(&host[VPC_HOST_A_VTEP4], "VTEP", &vtep);
	if (!r)
		r = GET_MAYBE(&host[VPC_HOST_A_VTEP6], "VTEP", &vtep6);
	if (!r)
		r = GET_MAYBE(&host[VPC_HOST_A_UDP_PORT], "UDP port", &out.udp_port);
	if (!r)
		r = GET(&host[VPC_HOST_A_INSTANCE], "instance", &out.instance);
	if (!r)
		r = string_get(&host[VPC_HOST_A_VERSION], "version", out.version, sizeof(out.version), err);
	if (r)
		return r;
	if (host[VPC_HOST_A_VTEP4].data) {
		out.vtep4.family = AF_INET;
		memcpy(out.vtep4.bytes, vtep, sizeof(vtep));
	}
	if (host[VPC_HOST_A_VTEP6].data) {
		out.vtep6.family = AF_INET6;
		memcpy(out.vtep6.bytes, vtep6, sizeof(vtep6));
	}
	*ret_host = out;
	return 0;
}

static int vpc_get(const struct attr *attrs, struct kernel_vpc *ret, struct vpc_err *err)
{
	int r = GET(&attrs[VPC_A_VNI], "VNI", &ret->vni);

	if (!r)
		r = GET(&attrs[VPC_A_EPOCH], "epoch", &ret->epoch);
	if (!r)
		r = GET(&attrs[VPC_A_DIGEST], "digest", &ret->digest);
	if (!r)
		r = GET(&attrs[VPC_A_N_ROUTES], "number of routes", &ret->n_routes);
	if (!r)
		r = GET(&attrs[VPC_A_N_NEXTHOPS], "number of nexthops", &ret->n_nexthops);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_A_N_MEMBERS], "number of members", &ret->n_members);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_A_N_TABLES], "number of tables", &ret->n_tables);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_A_N_PORTS], "number of ports", &ret->n_ports);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_A_MEMORY], "memory", &ret->memory);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_A_QUOTA], "quota", &ret->quota);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_A_FLAGS], "flags", &ret->flags);
	return r;
}

int kernel_parse_vpc(const struct nlmsghdr *nlh, struct kernel_vpc *ret_vpc, struct vpc_err *err)
{
	struct attr attrs[VPC_A_MAX + 1];
	struct kernel_vpc out = { 0 };
	int r = msg_table(nlh, attrs, err);

	if (!r)
		r = vpc_get(attrs, &out, err);
	if (!r)
		*ret_vpc = out;
	return r;
}

const char *kernel_fault_name(unsigned int bit)
{
	static const char *const names[] = {
		"index of a large table", "buckets of a group", "remembered destinations", "map of addresses to ports",
	};

	return bit < ARRAY_SIZE(names) ? names[bit] : NULL;
}

int kernel_parse_verify(const struct nlmsghdr *nlh, struct kernel_vpc *ret_vpc, struct vpc_digest *ret_found,
			struct vpc_err *err)
{
	struct attr attrs[VPC_A_MAX + 1];
	struct kernel_vpc out = { 0 };
	struct vpc_digest found;
	int r = msg_table(nlh, attrs, err);

	if (!r)
		r = vpc_get(attrs, &out, err);
	if (!r)
		r = GET(&attrs[VPC_A_DIGEST_FOUND], "recomputed digest", &found);
	/* Older modules have none. */
	if (!r)
		r = GET_MAYBE(&attrs[VPC_A_FAULTS], "faults", &out.faults);
	if (r)
		return r;
	/* The module adds them, for those who compare digests alone. */
	found.h[0] -= out.faults;
	*ret_vpc = out;
	*ret_found = found;
	return 0;
}

static int port_addrs_get(const struct attr *attr, struct vpc_port *port, struct vpc_err *err)
{
	struct vpc_nl_prefix nl;
	size_t n = attr->len / sizeof(nl);

	if (attr->len % sizeof(nl) || n > VPC_PORT_ADDRS_MAX)
		return vpc_err_set(err, -EPROTO, "the kernel's answer has %zu bytes of addresses of port %s", attr->len,
				   port->dev);
	if (!n)
		return 0;
	port->addrs = calloc(n, sizeof(*port->addrs));
	if (!port->addrs)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (; port->n_addrs < n; port->n_addrs++) {
		int r;

		memcpy(&nl, (const char *)attr->data + port->n_addrs * sizeof(nl), sizeof(nl));
		r = prefix_convert(&nl, &port->addrs[port->n_addrs], err);
		if (r)
			return r;
	}
	return 0;
}

static int port_subnets_get(const struct attr *attrs, struct vpc_port *port, struct vpc_err *err)
{
	const struct attr *v4 = &attrs[VPC_PORT_A_GATEWAY4], *v6 = &attrs[VPC_PORT_A_GATEWAY6];
	const struct attr *subnet = &attrs[VPC_PORT_A_SUBNET6];
	struct vpc_nl_prefix nl;
	int r = field_get_maybe(v4, "gateway", port->gateway4.bytes, 4, err);

	if (!r)
		r = field_get_maybe(v6, "gateway", port->gateway6.bytes, 16, err);
	if (!r)
		r = GET_MAYBE(subnet, "subnet", &nl);
	if (!r && subnet->data)
		r = prefix_convert(&nl, &port->subnet6, err);
	if (r)
		return r;
	if (v4->data)
		port->gateway4.family = AF_INET;
	if (v6->data)
		port->gateway6.family = AF_INET6;
	return 0;
}

static int port_get(const struct attr *attrs, struct kernel_port *ret, struct vpc_err *err)
{
	struct vpc_port *conf = &ret->conf;
	int r = string_get(&attrs[VPC_PORT_A_IFNAME], "port name", conf->dev, sizeof(conf->dev), err);

	if (!r && !conf->dev[0])
		r = vpc_err_set(err, -EPROTO, "the kernel's answer lacks the port's name");
	if (!r)
		r = GET(&attrs[VPC_PORT_A_VNI], "VNI", &conf->vni);
	if (!r)
		r = GET(&attrs[VPC_PORT_A_MAC], "MAC", &conf->mac);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_PORT_A_TABLE], "table", &conf->table);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_PORT_A_FLAGS], "flags", &conf->flags);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_PORT_A_IFINDEX], "interface index", &ret->ifindex);
	if (!r)
		r = port_subnets_get(attrs, conf, err);
	return r ? r : port_addrs_get(&attrs[VPC_PORT_A_ADDRS], conf, err);
}

int kernel_parse_port(const struct nlmsghdr *nlh, struct kernel_port *ret_port, struct vpc_err *err)
{
	struct attr attrs[VPC_A_MAX + 1], port[VPC_PORT_A_MAX + 1];
	struct kernel_port out = { 0 };
	int r = msg_table(nlh, attrs, err);

	if (r)
		return r;
	if (!attrs[VPC_A_PORT].data)
		return vpc_err_set(err, -EPROTO, "the kernel's answer lacks the port");
	r = attrs_table(attrs[VPC_A_PORT].data, attrs[VPC_A_PORT].len, port, VPC_PORT_A_MAX, err);
	if (!r)
		r = port_get(port, &out, err);
	if (r) {
		vpc_port_clear(&out.conf);
		return r;
	}
	*ret_port = out;
	return 0;
}

int kernel_parse_txn(const struct nlmsghdr *nlh, uint32_t *ret_txn, struct vpc_err *err)
{
	struct attr attrs[VPC_A_MAX + 1];
	int r = msg_table(nlh, attrs, err);

	return r ? r : GET(&attrs[VPC_A_TXN], "transaction", ret_txn);
}

/* A newer module may know more drop reasons than this program, an older one fewer. */
static int drops_get(const struct attr *attr, struct kernel_stats *ret, struct vpc_err *err)
{
	size_t len = attr->len < sizeof(ret->drops) ? attr->len : sizeof(ret->drops);

	if (attr->len % sizeof(ret->drops[0]))
		return vpc_err_set(err, -EPROTO, "the kernel's answer has %zu bytes of drop counters", attr->len);
	if (len)
		memcpy(ret->drops, attr->data, len);
	return 0;
}

int kernel_parse_stats(const struct nlmsghdr *nlh, struct kernel_stats *ret_stats, struct vpc_err *err)
{
	struct attr attrs[VPC_A_MAX + 1], stats[VPC_STATS_A_MAX + 1];
	struct kernel_stats out = { 0 };
	int r = msg_table(nlh, attrs, err);

	if (r)
		return r;
	if (!attrs[VPC_A_STATS].data)
		return vpc_err_set(err, -EPROTO, "the kernel's answer lacks the statistics");
	r = attrs_table(attrs[VPC_A_STATS].data, attrs[VPC_A_STATS].len, stats, VPC_STATS_A_MAX, err);
	if (!r)
		r = GET_MAYBE(&stats[VPC_STATS_A_VNI], "VNI", &out.vni);
	if (!r)
		r = string_get(&stats[VPC_STATS_A_IFNAME], "port name", out.ifname, sizeof(out.ifname), err);
	if (!r)
		r = GET_MAYBE(&stats[VPC_STATS_A_RX_PACKETS], "packets", &out.rx_packets);
	if (!r)
		r = GET_MAYBE(&stats[VPC_STATS_A_RX_BYTES], "bytes", &out.rx_bytes);
	if (!r)
		r = GET_MAYBE(&stats[VPC_STATS_A_TX_PACKETS], "packets", &out.tx_packets);
	if (!r)
		r = GET_MAYBE(&stats[VPC_STATS_A_TX_BYTES], "bytes", &out.tx_bytes);
	if (!r)
		r = drops_get(&stats[VPC_STATS_A_DROPS], &out, err);
	if (!r)
		*ret_stats = out;
	return r;
}

static int step_get(const struct attr *attr, struct kernel_step *ret, struct vpc_err *err)
{
	struct attr attrs[VPC_STEP_A_MAX + 1];
	struct kernel_step out = { 0 };
	struct vpc_nl_prefix prefix;
	uint8_t ok;
	int r = attrs_table(attr->data, attr->len, attrs, VPC_STEP_A_MAX, err);

	if (!r)
		r = GET(&attrs[VPC_STEP_A_STEP], "step", &out.step);
	if (!r)
		r = GET(&attrs[VPC_STEP_A_OK], "step's result", &ok);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_STEP_A_TABLE], "table", &out.table);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_STEP_A_VNI], "VNI", &out.vni);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_STEP_A_BUCKET], "bucket", &out.bucket);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_STEP_A_MTU], "MTU", &out.mtu);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_STEP_A_NEXTHOP], "nexthop", &out.nexthop);
	if (!r)
		r = string_get(&attrs[VPC_STEP_A_IFNAME], "port name", out.ifname, sizeof(out.ifname), err);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_STEP_A_PREFIX], "prefix", &prefix);
	if (!r && attrs[VPC_STEP_A_PREFIX].data)
		r = prefix_convert(&prefix, &out.prefix, err);
	if (r)
		return r;
	out.ok = ok;
	out.has_table = attrs[VPC_STEP_A_TABLE].data;
	out.has_vni = attrs[VPC_STEP_A_VNI].data;
	out.has_bucket = attrs[VPC_STEP_A_BUCKET].data;
	out.has_mtu = attrs[VPC_STEP_A_MTU].data;
	out.has_nexthop = attrs[VPC_STEP_A_NEXTHOP].data;
	out.has_prefix = attrs[VPC_STEP_A_PREFIX].data;
	*ret = out;
	return 0;
}

int kernel_parse_explain(const struct nlmsghdr *nlh, struct kernel_explain *ret, struct vpc_err *err)
{
	struct attr attrs[VPC_A_MAX + 1], attr;
	struct kernel_explain out = { 0 };
	struct walk walk = { 0 };
	int r = msg_table(nlh, attrs, err);

	if (!r)
		r = GET(&attrs[VPC_A_VERDICT], "verdict", &out.verdict);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_A_DROP_REASON], "drop reason", &out.reason);
	if (!r)
		r = msg_walk(nlh, &walk, err);
	if (r)
		return r;
	while (walk_next(&walk, &attr)) {
		if (attr.type != VPC_A_STEP)
			continue;
		if (out.n_steps == ARRAY_SIZE(out.steps))
			return vpc_err_set(err, -EPROTO, "the kernel's answer has more than %u steps", out.n_steps);
		r = step_get(&attr, &out.steps[out.n_steps++], err);
		if (r)
			return r;
	}
	*ret = out;
	return 0;
}

int kernel_parse_event(const struct nlmsghdr *nlh, struct kernel_event *ret_event, struct vpc_err *err)
{
	struct attr attrs[VPC_A_MAX + 1], port[VPC_PORT_A_MAX + 1] = { 0 };
	struct kernel_event out = { 0 };
	int r = msg_table(nlh, attrs, err);

	if (!r && attrs[VPC_A_PORT].data)
		r = attrs_table(attrs[VPC_A_PORT].data, attrs[VPC_A_PORT].len, port, VPC_PORT_A_MAX, err);
	if (!r)
		r = GET(&attrs[VPC_A_EVENT], "event", &out.event);
	if (!r)
		r = GET_MAYBE(port[VPC_PORT_A_VNI].data ? &port[VPC_PORT_A_VNI] : &attrs[VPC_A_VNI], "VNI", &out.vni);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_A_EPOCH], "epoch", &out.epoch);
	if (!r)
		r = GET_MAYBE(&attrs[VPC_A_DIGEST], "digest", &out.digest);
	if (!r)
		r = string_get(&attrs[VPC_A_CHANGE], "change id", out.change, sizeof(out.change), err);
	if (!r)
		r = string_get(&port[VPC_PORT_A_IFNAME], "port name", out.ifname, sizeof(out.ifname), err);
	if (!r)
		*ret_event = out;
	return r;
}

/* -- dumps --------------------------------------------------------------------------------------------------------- */

static int dump_nexthop(const void *data, struct vpc_state *state, struct vpc_err *err)
{
	struct vpc_nl_nexthop nh;

	memcpy(&nh, data, sizeof(nh));
	return vpc_state_add_nexthop(state, &nh);
}

static int dump_member(const void *data, struct vpc_state *state, struct vpc_err *err)
{
	struct vpc_nl_member member;

	memcpy(&member, data, sizeof(member));
	return vpc_state_add_member(state, &member);
}

static int dump_route4(const void *data, struct vpc_state *state, struct vpc_err *err)
{
	struct vpc_nl_route4 nl;
	struct vpc_route route;
	int r;

	memcpy(&nl, data, sizeof(nl));
	r = prefix_check(AF_INET, nl.plen, err);
	if (r)
		return r;
	route = (struct vpc_route){ nl.table, nl.nexthop, { .family = AF_INET, .plen = nl.plen } };
	memcpy(route.prefix.bytes, nl.addr, sizeof(nl.addr));
	return vpc_state_add_route(state, &route);
}

static int dump_route6(const void *data, struct vpc_state *state, struct vpc_err *err)
{
	struct vpc_nl_route6 nl;
	struct vpc_route route;
	int r;

	memcpy(&nl, data, sizeof(nl));
	r = prefix_check(AF_INET6, nl.plen, err);
	if (r)
		return r;
	route = (struct vpc_route){ nl.table, nl.nexthop, { .family = AF_INET6, .plen = nl.plen } };
	memcpy(route.prefix.bytes, nl.addr, sizeof(nl.addr));
	return vpc_state_add_route(state, &route);
}

static int dump_array(const struct attr *attr, size_t size,
		      int (*fn)(const void *data, struct vpc_state *state, struct vpc_err *err),
		      struct vpc_state *state, struct vpc_err *err)
{
	if (attr->len % size)
		return vpc_err_set(err, -EPROTO, "the kernel's answer has %zu bytes of elements of %zu", attr->len,
				   size);
	for (size_t pos = 0; pos < attr->len; pos += size) {
		int r = fn((const char *)attr->data + pos, state, err);

		if (r == -ENOMEM)
			return vpc_err_set(err, r, "out of memory after %zu routes", state->n_routes);
		if (r)
			return r;
	}
	return 0;
}

int kernel_parse_dump(const struct nlmsghdr *nlh, struct vpc_state *state, uint64_t *ret_epoch, struct vpc_err *err)
{
	struct attr attrs[VPC_A_MAX + 1], attr;
	struct walk walk = { 0 };
	uint64_t epoch;
	int r = msg_table(nlh, attrs, err);

	if (!r)
		r = GET(&attrs[VPC_A_EPOCH], "epoch", &epoch);
	if (!r)
		r = msg_walk(nlh, &walk, err);
	while (!r && walk_next(&walk, &attr)) {
		if (attr.type == VPC_A_NEXTHOPS)
			r = dump_array(&attr, sizeof(struct vpc_nl_nexthop), dump_nexthop, state, err);
		else if (attr.type == VPC_A_MEMBERS)
			r = dump_array(&attr, sizeof(struct vpc_nl_member), dump_member, state, err);
		else if (attr.type == VPC_A_ROUTES4)
			r = dump_array(&attr, sizeof(struct vpc_nl_route4), dump_route4, state, err);
		else if (attr.type == VPC_A_ROUTES6)
			r = dump_array(&attr, sizeof(struct vpc_nl_route6), dump_route6, state, err);
	}
	if (!r)
		*ret_epoch = epoch;
	return r;
}
