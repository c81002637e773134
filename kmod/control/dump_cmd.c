// SPDX-License-Identifier: GPL-2.0-only
/*
 * ROUTE_GET and NEXTHOP_GET: dumps of one version, held from the first message to the last, whatever is committed or
 * deleted meanwhile. Called by netlink: start, then once for each message that the reader takes, then done. The start
 * that all dumps share is here too.
 */
#include "genl.h"
#include "parse.h"

#include <net/sock.h>

/**
 * struct vpc_dump - a dump under way
 * @version: referenced
 * @at: routes: 2 * n_tables steps, all IPv4 tries first; nexthops, then members: position in the set
 * @members: all nexthops are told
 * @cursor: where the walk of the current trie stands
 * @ended: nothing is left; even an empty VPC has had one message then, for its epoch
 * @one_table: only routes in @table
 * @table: see @one_table
 * @nexthop: only routes to it; 0: to all
 * @prefix: only what is inside it; family 0: all
 */
struct vpc_dump {
	struct vpc_version *version;
	u32 at;
	struct vpc_trie_cursor cursor;
	bool members;
	bool ended;
	bool one_table;
	u32 table;
	u32 nexthop;
	struct vpc_nl_prefix prefix;
};

/* Reads a command's filters into @dump. */
typedef int vpc_dump_parse_fn(struct netlink_callback *cb, struct vpc_dump *dump, struct netlink_ext_ack *extack);

static struct vpc_dump **vpc_dump_slot(struct netlink_callback *cb)
{
	return (struct vpc_dump **)cb->ctx;
}

/* -- start and done ------------------------------------------------------------------------------------------------ */

static int vpc_dump_open(struct netlink_callback *cb, struct vpc_dump *dump, struct netlink_ext_ack *extack)
{
	const struct nlattr *vni = vpc_dump_attrs(cb)[VPC_A_VNI];
	struct vpc_net *vnet = vpc_net(sock_net(cb->skb->sk));
	struct vpc *vpc;

	if (!vni) {
		vpc_refuse(extack, "VNI is missing");
		return -EINVAL;
	}
	mutex_lock(&vnet->lock);
	vpc = vpc_lookup(vnet, nla_get_u32(vni));
	if (vpc)
		dump->version = vpc_version_get_current(vpc);
	mutex_unlock(&vnet->lock);
	if (!vpc) {
		vpc_refuse(extack, "VPC %u does not exist", nla_get_u32(vni));
		return -ENOENT;
	}
	return 0;
}

static int vpc_dump_no_filters(struct netlink_callback *cb, struct vpc_dump *dump, struct netlink_ext_ack *extack)
{
	return 0;
}

static int vpc_dump_route_filters(struct netlink_callback *cb, struct vpc_dump *dump, struct netlink_ext_ack *extack)
{
	struct nlattr **attrs = vpc_dump_attrs(cb);

	if (attrs[VPC_A_TABLE]) {
		dump->one_table = true;
		dump->table = nla_get_u32(attrs[VPC_A_TABLE]);
	}
	if (attrs[VPC_A_NEXTHOP_ID])
		dump->nexthop = nla_get_u32(attrs[VPC_A_NEXTHOP_ID]);
	if (!attrs[VPC_A_PREFIX])
		return 0;
	memcpy(&dump->prefix, nla_data(attrs[VPC_A_PREFIX]), sizeof(dump->prefix));
	return vpc_parse_prefix(&dump->prefix, extack);
}

/* Owns the allocation until it succeeds; then vpc_dump_done() frees it. */
static int vpc_dump_begin(struct netlink_callback *cb, vpc_dump_parse_fn *filters, struct netlink_ext_ack *extack)
{
	struct vpc_dump *dump = kzalloc(sizeof(*dump), GFP_KERNEL_ACCOUNT);
	int err;

	if (!dump) {
		vpc_refuse(extack, "out of memory");
		return -ENOMEM;
	}
	err = filters(cb, dump, extack);
	if (!err)
		err = vpc_dump_open(cb, dump, extack);
	if (err) {
		kfree(dump);
		return err;
	}
	*vpc_dump_slot(cb) = dump;
	return 0;
}

int vpc_dump_start(struct netlink_callback *cb, vpc_dump_start_fn *fn)
{
	/* Where netlink gives a dump's start none, our own acknowledgement carries this one. */
	struct netlink_ext_ack own = {}, *extack = cb->extack ?: &own;
	struct vpc_extack_text text;
	int err;

	vpc_extack_begin(extack, &text);
	err = vpc_check_header(cb->nlh, NLM_F_DUMP, extack);
	if (!err)
		err = fn(cb, extack);
	return vpc_extack_end(extack, cb->skb, cb->nlh, err);
}

int vpc_dump_check_vni(struct netlink_callback *cb, struct netlink_ext_ack *extack)
{
	const struct nlattr *vni = vpc_dump_attrs(cb)[VPC_A_VNI];
	struct vpc_net *vnet = vpc_net(sock_net(cb->skb->sk));
	bool found;

	if (!vni)
		return 0;
	mutex_lock(&vnet->lock);
	found = vpc_lookup(vnet, nla_get_u32(vni));
	mutex_unlock(&vnet->lock);
	if (found)
		return 0;
	vpc_refuse(extack, "VPC %u does not exist", nla_get_u32(vni));
	return -ENOENT;
}

static int vpc_dump_routes_open(struct netlink_callback *cb, struct netlink_ext_ack *extack)
{
	return vpc_dump_begin(cb, vpc_dump_route_filters, extack);
}

int vpc_dump_routes_start(struct netlink_callback *cb)
{
	return vpc_dump_start(cb, vpc_dump_routes_open);
}

static int vpc_dump_nexthops_open(struct netlink_callback *cb, struct netlink_ext_ack *extack)
{
	return vpc_dump_begin(cb, vpc_dump_no_filters, extack);
}

int vpc_dump_nexthops_start(struct netlink_callback *cb)
{
	return vpc_dump_start(cb, vpc_dump_nexthops_open);
}

int vpc_dump_done(struct netlink_callback *cb)
{
	struct vpc_dump *dump = *vpc_dump_slot(cb);

	if (dump) {
		vpc_version_put(dump->version);
		kfree(dump);
	}
	return 0;
}

/* -- arrays that grow inside a message ----------------------------------------------------------------------------- */

/* Room for one more element of array @type, which is begun where *array is NULL. Return: NULL when the skb is full. */
static void *vpc_dump_element(struct sk_buff *skb, struct nlattr **array, int type, size_t size)
{
	size_t header = *array ? 0 : NLA_HDRLEN;
	void *element;

	BUILD_BUG_ON(sizeof(struct vpc_nl_nexthop) % NLA_ALIGNTO);
	BUILD_BUG_ON(sizeof(struct vpc_nl_member) % NLA_ALIGNTO);
	BUILD_BUG_ON(sizeof(struct vpc_nl_route4) % NLA_ALIGNTO);
	BUILD_BUG_ON(sizeof(struct vpc_nl_route6) % NLA_ALIGNTO);
	if (skb_tailroom(skb) < header + size || (*array && (*array)->nla_len + size > U16_MAX))
		return NULL;
	if (!*array)
		*array = nla_reserve(skb, type, 0);
	element = skb_put(skb, size);
	(*array)->nla_len += size;
	return element;
}

/* The head that all messages of a snapshot share. */
static void *vpc_dump_message(struct sk_buff *skb, struct netlink_callback *cb, const struct vpc_dump *dump, u8 cmd)
{
	void *hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, &vpc_genl_family, NLM_F_MULTI,
				cmd);

	if (!hdr)
		return NULL;
	if (nla_put_u32(skb, VPC_A_VNI, dump->version->vpc->vni) ||
	    nla_put_u64_64bit(skb, VPC_A_EPOCH, dump->version->epoch, VPC_A_PAD)) {
		genlmsg_cancel(skb, hdr);
		return NULL;
	}
	return hdr;
}

/* -- routes -------------------------------------------------------------------------------------------------------- */

#define VPC_DUMP_FULL	1	/* from the walk: go on in the next message */
#define VPC_DUMP_PAST	2	/* from the walk: nothing behind here passes the filter */

struct vpc_dump_walk {
	struct sk_buff *skb;
	const struct vpc_dump *dump;
	struct nlattr *array;
	u32 table;
	u32 seen;
};

static bool vpc_dump_inside(const struct vpc_nl_prefix *prefix, const u8 *addr)
{
	unsigned int bytes = prefix->plen / 8, bits = prefix->plen % 8;

	if (memcmp(prefix->addr, addr, bytes))
		return false;
	return !bits || !((prefix->addr[bytes] ^ addr[bytes]) >> (8 - bits));
}

/* 0: to be sent; else what the walk has to return, or -ENOENT to skip it. */
static int vpc_dump_filter(struct vpc_dump_walk *walk, const u8 *addr, u32 value)
{
	if (!(++walk->seen % 1024))
		cond_resched();
	if (walk->dump->prefix.family && !vpc_dump_inside(&walk->dump->prefix, addr))
		return VPC_DUMP_PAST;
	return walk->dump->nexthop && walk->dump->nexthop != value ? -ENOENT : 0;
}

static int vpc_dump_route4(const u8 *addr, u8 plen, u32 value, void *arg)
{
	struct vpc_dump_walk *walk = arg;
	struct vpc_nl_route4 *route;
	int err;

	err = vpc_dump_filter(walk, addr, value);
	if (err)
		return err == -ENOENT ? 0 : err;
	route = vpc_dump_element(walk->skb, &walk->array, VPC_A_ROUTES4, sizeof(*route));
	if (!route)
		return VPC_DUMP_FULL;
	*route = (struct vpc_nl_route4){ .table = walk->table, .nexthop = value, .plen = plen, .op = VPC_OP_SET };
	memcpy(route->addr, addr, sizeof(route->addr));
	return 0;
}

static int vpc_dump_route6(const u8 *addr, u8 plen, u32 value, void *arg)
{
	struct vpc_dump_walk *walk = arg;
	struct vpc_nl_route6 *route;
	int err;

	err = vpc_dump_filter(walk, addr, value);
	if (err)
		return err == -ENOENT ? 0 : err;
	route = vpc_dump_element(walk->skb, &walk->array, VPC_A_ROUTES6, sizeof(*route));
	if (!route)
		return VPC_DUMP_FULL;
	*route = (struct vpc_nl_route6){ .table = walk->table, .nexthop = value, .plen = plen, .op = VPC_OP_SET };
	memcpy(route->addr, addr, sizeof(route->addr));
	return 0;
}

/*
 * Just before the first prefix that passes the filter, in the order of (address, length): the next shorter prefix at
 * its address, or where its last bit says that there is none, the last host before it.
 */
static void vpc_dump_seek(struct vpc_dump *dump)
{
	unsigned int len = dump->prefix.family == AF_INET6 ? 16 : 4;
	struct vpc_trie_cursor *cursor = &dump->cursor;
	unsigned int byte;
	u8 bit;

	memset(cursor, 0, sizeof(*cursor));
	if (!dump->prefix.family || !dump->prefix.plen)
		return;
	memcpy(cursor->addr, dump->prefix.addr, len);
	cursor->plen = dump->prefix.plen - 1;
	cursor->started = true;
	byte = cursor->plen / 8;
	bit = 0x80 >> cursor->plen % 8;
	if (cursor->addr[byte] & bit) {
		cursor->addr[byte] = (cursor->addr[byte] & ~bit) | (bit - 1);
		memset(cursor->addr + byte + 1, 0xff, len - byte - 1);
		cursor->plen = 8 * len;
	}
}

/* Return: false when the message is full. */
static bool vpc_dump_trie(struct vpc_dump *dump, const struct vpc_table *table, bool v6, struct vpc_dump_walk *walk)
{
	const struct vpc_trie *trie = &table->trie[v6];

	if (dump->one_table && dump->table != table->id)
		return true;
	if (dump->prefix.family && dump->prefix.family != trie->family)
		return true;
	if (!dump->cursor.started)
		vpc_dump_seek(dump);
	walk->table = table->id;
	return vpc_trie_walk(trie, &dump->cursor, v6 ? vpc_dump_route6 : vpc_dump_route4, walk) != VPC_DUMP_FULL;
}

static void vpc_dump_fill_routes(struct vpc_dump *dump, struct sk_buff *skb)
{
	const struct vpc_version *version = dump->version;
	struct vpc_dump_walk walk = { .skb = skb, .dump = dump };

	while (dump->at < 2 * version->n_tables) {
		if (dump->at == version->n_tables)
			walk.array = NULL;
		if (!vpc_dump_trie(dump, &version->tables[dump->at % version->n_tables],
				   dump->at >= version->n_tables, &walk))
			return;
		memset(&dump->cursor, 0, sizeof(dump->cursor));
		dump->at++;
	}
	dump->ended = true;
}

int vpc_dump_routes(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct vpc_dump *dump = *vpc_dump_slot(cb);
	void *hdr;

	if (dump->ended)
		return 0;
	hdr = vpc_dump_message(skb, cb, dump, VPC_CMD_ROUTE_GET);
	if (!hdr)
		return -EMSGSIZE;
	vpc_dump_fill_routes(dump, skb);
	genlmsg_end(skb, hdr);
	return skb->len;
}

/* -- nexthops and members ------------------------------------------------------------------------------------------ */

/* Return: false when the message is full. */
static bool vpc_dump_fill_nexthops(struct vpc_dump *dump, struct sk_buff *skb)
{
	struct nlattr *array = NULL;
	const struct vpc_nexthop *nh;
	u32 next = dump->at;
	void *element;

	while ((nh = vpc_nhset_at(dump->version->nexthops, &next))) {
		element = vpc_dump_element(skb, &array, VPC_A_NEXTHOPS, sizeof(nh->wire));
		if (!element)
			return false;
		memcpy(element, &nh->wire, sizeof(nh->wire));
		dump->at = next;
	}
	dump->at = 0;
	dump->members = true;
	return true;
}

static void vpc_dump_fill_members(struct vpc_dump *dump, struct sk_buff *skb)
{
	struct nlattr *array = NULL;
	struct vpc_nl_member member;
	u32 next = dump->at;
	void *element;

	while (vpc_nhset_member_at(dump->version->nexthops, &next, &member)) {
		element = vpc_dump_element(skb, &array, VPC_A_MEMBERS, sizeof(member));
		if (!element)
			return;
		memcpy(element, &member, sizeof(member));
		dump->at = next;
	}
	dump->ended = true;
}

int vpc_dump_nexthops(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct vpc_dump *dump = *vpc_dump_slot(cb);
	void *hdr;

	if (dump->ended)
		return 0;
	hdr = vpc_dump_message(skb, cb, dump, VPC_CMD_NEXTHOP_GET);
	if (!hdr)
		return -EMSGSIZE;
	if (dump->members || vpc_dump_fill_nexthops(dump, skb))
		vpc_dump_fill_members(dump, skb);
	genlmsg_end(skb, hdr);
	return skb->len;
}
