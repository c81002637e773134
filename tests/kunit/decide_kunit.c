// SPDX-License-Identifier: GPL-2.0-only
/*
 * Single decisions of kmod/datapath/pipeline.c about packets that few scenarios send: sources that are a port's
 * router's, VPC to VPC on one host, strict mode where the way back is a group. pipeline_kunit.c has many, at random.
 */
#include "guest.h"
#include "netns.h"
#include "rig.h"
#include "../../kmod/datapath/datapath.h"
#include "../../kmod/datapath/pipeline.h"
#include "../../kmod/tables/txn.h"

#include <linux/in.h>

#define OWNER	1
#define OURS	{ 192, 0, 2, 200 }

static const struct vpc_host our_host = { .vtep4 = cpu_to_be32(0xc00002c8) };

/* -- the port's router --------------------------------------------------------------------------------------------- */

static const struct source_case {
	const char *name;
	const char *saddr;
	const char *daddr;
	enum vpc_drop reason;
	unsigned int flags;
} source_cases[] = {
	{ "the port's own", GUEST_ADDR4, GUEST_OTHER4 },
	{ "of its prefix", GUEST_PREFIX4, GUEST_OTHER4 },
	{ "another guest's", GUEST_OTHER4, GUEST_OTHER4, VPC_DROP_SOURCE_ADDR },
	{ "another guest's, and it may", GUEST_NOBODY4, GUEST_OTHER4, VPC_DROP_NONE, GUEST_UNCHECKED },
	{ "the gateway, in the port's prefix", " 0a000901 ", GUEST_OTHER4, VPC_DROP_SOURCE_ADDR },
	{ "the gateway, though it may", " 0a000901 ", GUEST_OTHER4, VPC_DROP_SOURCE_ADDR, GUEST_UNCHECKED },
	{ "the gateway to itself", " 0a000901 ", " 0a000901 ", VPC_DROP_SOURCE_ADDR, GUEST_UNCHECKED },
	{ "the port's own, v6", GUEST_ADDR6, GUEST_OTHER6 },
	{ "of its prefix, v6", GUEST_PREFIX6, GUEST_OTHER6 },
	{ "another guest's, v6", GUEST_OTHER6, GUEST_OTHER6, VPC_DROP_SOURCE_ADDR },
	{ "the gateway, in the port's prefix, v6", " 20010db8 00000009 00000000 00000001 ", GUEST_OTHER6,
	  VPC_DROP_SOURCE_ADDR },
	{ "the gateway, though it may, v6", " 20010db8 00000009 00000000 00000001 ", GUEST_OTHER6, VPC_DROP_SOURCE_ADDR,
	  GUEST_UNCHECKED },
	{ "the link's", GUEST_LLADDR6, GUEST_ROUTER6 },
	{ "the link's, to elsewhere", GUEST_LLADDR6, GUEST_OTHER6, VPC_DROP_SOURCE_ADDR },
	{ "the router on the link, to itself", GUEST_ROUTER6, GUEST_ROUTER6, VPC_DROP_SOURCE_ADDR },
	{ "the router on the link, to the guest", GUEST_ROUTER6, GUEST_LLADDR6, VPC_DROP_SOURCE_ADDR },
	{ "the router on the link, and may", GUEST_ROUTER6, GUEST_ROUTER6, VPC_DROP_SOURCE_ADDR, GUEST_UNCHECKED },
	{ "unspecified, no gateway's", " 00000000 ", GUEST_OTHER4, VPC_DROP_SOURCE_ADDR, GUEST_UNCHECKED },
};

static void decide_source(struct kunit *test)
{
	struct packet *saddr = kunit_kzalloc(test, sizeof(*saddr), GFP_KERNEL);
	struct packet *daddr = kunit_kzalloc(test, sizeof(*daddr), GFP_KERNEL);
	struct vpc_trace *trace = kunit_kzalloc(test, sizeof(*trace), GFP_KERNEL);
	struct guest *guest = test->priv;
	const struct source_case *c;
	struct vpc_port_conf *conf;
	struct vpc_decision d;
	struct vpc_flow flow;
	bool explain;

	KUNIT_ASSERT_TRUE(test, saddr && daddr && trace);
	rcu_assign_pointer(guest->vnet->host, &our_host);
	for (c = source_cases; c < source_cases + ARRAY_SIZE(source_cases); c++) {
		conf = guest_conf(guest);
		conf->gateway4 = htonl(0x0a000901);
		conf->gateway6 = (struct in6_addr){ { { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 9, [15] = 1 } } };
		conf->flags = c->flags & GUEST_UNCHECKED ? VPC_PORT_F_NO_SOURCE_CHECK : 0;
		guest_set_conf(guest, conf);
		packet_parse(test, c->saddr, saddr);
		packet_parse(test, c->daddr, daddr);
		for (explain = false;; explain = true) {
			local_bh_disable();
			rcu_read_lock();
			flow = vpc_flow_of_port(guest->port);
			flow.family = saddr->len == 4 ? AF_INET : AF_INET6;
			flow.ttl = 64;
			/* The gateway answers a ping and nothing else. */
			flow.proto = flow.family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
			flow.smac = flow.conf->mac;
			flow.saddr = saddr->bytes;
			flow.daddr = daddr->bytes;
			trace->n = 0;
			vpc_pipeline_from_port(&flow, &d, explain ? trace : NULL);
			rcu_read_unlock();
			local_bh_enable();
			KUNIT_EXPECT_EQ_MSG(test, d.reason, c->reason, "%s", c->name);
			if (explain)
				break;
		}
	}
	RCU_INIT_POINTER(guest->vnet->host, NULL);
	synchronize_rcu();
}

/* -- tables -------------------------------------------------------------------------------------------------------- */

struct rule {
	u32 table;
	u8 addr[4];
	u8 plen;
	u32 nexthop;
};

/* What @vpc has, all of it. Arrays end with an id or nexthop of 0. */
static void decide_tables(struct kunit *test, struct vpc *vpc, const struct vpc_nl_nexthop *nexthops,
			  const struct vpc_nl_member *members, const struct rule *rules)
{
	const struct vpc_version *version;
	struct vpc_nl_nexthop nh;
	struct vpc_nl_member member;
	struct vpc_txn *txn;
	u64 epoch;
	int err;

	mutex_lock(&vpc->vnet->lock);
	err = vpc_txn_begin(vpc, OWNER, VPC_TXN_REPLACE, NULL, NULL, &txn);
	for (; !err && nexthops->id; nexthops++) {
		nh = *nexthops;
		nh.op = VPC_OP_SET;
		err = vpc_txn_nexthop(txn, &nh, NULL);
	}
	for (; !err && members && members->group; members++) {
		member = *members;
		member.op = VPC_OP_SET;
		member.weight = 1;
		err = vpc_txn_member(txn, &member, NULL);
	}
	for (; !err && rules->nexthop; rules++)
		err = vpc_txn_route(txn, VPC_OP_SET, rules->table, AF_INET, rules->addr, rules->plen, rules->nexthop,
				    NULL);
	epoch = rcu_dereference_protected(vpc->version, true)->epoch;
	if (!err)
		err = vpc_txn_commit(txn, epoch + 1, NULL, NULL, &version);
	mutex_unlock(&vpc->vnet->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

static struct vpc *decide_vpc(struct kunit *test, u32 vni)
{
	struct guest *guest = test->priv;
	struct vpc *vpc = NULL;
	int err;

	mutex_lock(&guest->vnet->lock);
	err = vpc_new(guest->vnet, vni, 0, &vpc);
	mutex_unlock(&guest->vnet->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
	return vpc;
}

/* -- VPC to VPC on one host ---------------------------------------------------------------------------------------- */

/* A port of @vpc's that has 10.1.0.5 and looks up in table 1; without a device, it only sends. */
static struct vpc_port *decide_sender(struct kunit *test, struct vpc *vpc)
{
	const struct vpc_nl_prefix addr = { .family = AF_INET, .plen = 32, .addr = { 10, 1, 0, 5 } };
	struct vpc_port_conf *conf = kzalloc(struct_size(conf, addrs, 1), GFP_KERNEL);
	struct vpc_port *port = NULL;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, conf);
	conf->addrs[0] = addr;
	conf->n_addrs = 1;
	conf->table = 1;
	conf->mac[0] = 2;
	mutex_lock(&vpc->vnet->lock);
	err = vpc_port_new(vpc, "sender", conf, &port, NULL);
	mutex_unlock(&vpc->vnet->lock);
	if (err)
		kfree(conf);
	KUNIT_ASSERT_EQ(test, err, 0);
	return port;
}

static struct vpc_decision decide_sent(struct kunit *test, struct vpc_port *sender, const u8 *daddr, u8 ttl)
{
	static const u8 saddr[4] = { 10, 1, 0, 5 };
	struct vpc_trace *trace = kunit_kzalloc(test, sizeof(*trace), GFP_KERNEL);
	struct vpc_decision d = {}, explained = {};
	struct vpc_flow flow;

	KUNIT_ASSERT_NOT_NULL(test, trace);
	local_bh_disable();
	rcu_read_lock();
	flow = vpc_flow_of_port(sender);
	flow.family = AF_INET;
	flow.ttl = ttl;
	flow.proto = IPPROTO_UDP;
	flow.smac = flow.conf->mac;
	flow.saddr = saddr;
	flow.daddr = daddr;
	vpc_pipeline_from_port(&flow, &explained, trace);
	vpc_pipeline_from_port(&flow, &d, NULL);
	rcu_read_unlock();
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, d.reason, explained.reason);
	KUNIT_EXPECT_EQ(test, d.verdict, explained.verdict);
	KUNIT_EXPECT_GT(test, trace->n, 0);
	kunit_kfree(test, trace);
	return d;
}

static void decide_other_vpc(struct kunit *test)
{
	static const u8 owned[4] = { 10, 0, 0, 5 }, owned_by_none[4] = { 10, 0, 0, 77 }, nowhere[4] = { 10, 2, 0, 5 };
	struct guest *guest = test->priv;
	struct vpc *sends = decide_vpc(test, guest->vpc->vni + 1), *receives = guest->vpc;
	struct vpc_port *sender = decide_sender(test, sends);
	const struct vpc_nl_nexthop out[] = {
		{ .id = 1, .type = VPC_NEXTHOP_GATEWAY, .family = AF_INET, .addr = OURS, .vni = receives->vni },
		{ .id = 2, .type = VPC_NEXTHOP_GATEWAY, .family = AF_INET, .addr = OURS, .vni = receives->vni + 99 },
		{}
	};
	const struct rule there[] = { { 1, { 10, 0 }, 16, 1 }, { 1, { 10, 2 }, 16, 2 }, {} };
	const struct vpc_nl_nexthop stranger[] = {
		{ .id = 1, .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2, 12 } }, {}
	};
	const struct vpc_nl_nexthop known[] = {
		{ .id = 1, .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2, 12 } },
		{ .id = 2, .type = VPC_NEXTHOP_GATEWAY, .family = AF_INET, .addr = OURS, .vni = sends->vni },
		{}
	};
	const struct vpc_nl_nexthop peer[] = {
		{ .id = 1, .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2, 12 } },
		{ .id = 2, .type = VPC_NEXTHOP_PEER, .vni = sends->vni, .table = 1 },
		{}
	};
	const struct rule back[] = { { 0, { 10, 1 }, 16, 2 }, {} };
	const struct rule elsewhere[] = { { 0, { 10, 1 }, 16, 1 }, {} };
	const struct rule none[] = { {} };
	struct vpc_decision d;

	rcu_assign_pointer(guest->vnet->host, &our_host);
	decide_tables(test, sends, out, NULL, there);

	decide_tables(test, receives, stranger, NULL, none);
	KUNIT_EXPECT_EQ(test, decide_sent(test, sender, owned, 64).reason, VPC_DROP_OUTER_SOURCE);
	KUNIT_EXPECT_EQ(test, decide_sent(test, sender, nowhere, 64).reason, VPC_DROP_VNI);

	decide_tables(test, receives, known, NULL, back);
	d = decide_sent(test, sender, owned, 64);
	KUNIT_EXPECT_EQ(test, d.reason, VPC_DROP_NONE);
	KUNIT_EXPECT_EQ(test, d.verdict, VPC_VERDICT_DELIVER);
	KUNIT_EXPECT_PTR_EQ(test, d.port, guest->port);
	KUNIT_EXPECT_PTR_EQ(test, d.vpc, receives);
	KUNIT_EXPECT_EQ(test, d.dec_ttl, 1);
	KUNIT_EXPECT_EQ(test, decide_sent(test, sender, owned, 2).reason, VPC_DROP_NONE);
	KUNIT_EXPECT_EQ(test, decide_sent(test, sender, owned, 1).reason, VPC_DROP_TTL);
	KUNIT_EXPECT_EQ(test, decide_sent(test, sender, owned_by_none, 64).reason, VPC_DROP_NO_PORT);

	/* Strict: the receiver's table must lead back to our own VTEP. */
	WRITE_ONCE(receives->flags, VPC_F_STRICT);
	KUNIT_EXPECT_EQ(test, decide_sent(test, sender, owned, 64).reason, VPC_DROP_NONE);
	decide_tables(test, receives, known, NULL, elsewhere);
	KUNIT_EXPECT_EQ(test, decide_sent(test, sender, owned, 64).reason, VPC_DROP_STRICT);
	WRITE_ONCE(receives->flags, 0);

	/* It need not know our VTEP itself, when one that it peers with does. */
	decide_tables(test, receives, peer, NULL, none);
	KUNIT_EXPECT_EQ(test, decide_sent(test, sender, owned, 64).reason, VPC_DROP_NONE);

	RCU_INIT_POINTER(guest->port->dev, NULL);
	KUNIT_EXPECT_EQ(test, decide_sent(test, sender, owned, 64).reason, VPC_DROP_PORT_DOWN);
	rcu_assign_pointer(guest->port->dev, guest->dev);

	mutex_lock(&guest->vnet->lock);
	vpc_port_del(sender);
	mutex_unlock(&guest->vnet->lock);
	RCU_INIT_POINTER(guest->vnet->host, NULL);
	synchronize_rcu();
}

/* -- strict mode over groups --------------------------------------------------------------------------------------- */

static enum vpc_drop decide_arrived(struct guest *guest, u8 vtep)
{
	static const u8 saddr[4] = { 10, 1, 0, 5 }, daddr[4] = { 10, 0, 0, 5 };
	const u8 outer[4] = { 192, 0, 2, vtep };
	struct vpc_decision d = {};
	struct vpc_flow flow;

	local_bh_disable();
	rcu_read_lock();
	flow = vpc_flow_of_port(guest->port);
	flow.port = NULL;
	flow.conf = NULL;
	flow.family = AF_INET;
	flow.ttl = 64;
	flow.proto = IPPROTO_UDP;
	flow.saddr = saddr;
	flow.daddr = daddr;
	flow.outer_family = AF_INET;
	flow.outer_saddr = outer;
	vpc_pipeline_from_wire(&flow, &d, NULL);
	rcu_read_unlock();
	local_bh_enable();
	return d.reason;
}

enum { GROUP = 50, FIRST_PEER = 100 };

/* The source's route is the group, of @member (0: none); from each VTEP that the VPC knows. */
static void decide_group(struct kunit *test, struct vpc *other, u32 member, const struct rule *more, u32 from)
{
	struct guest *guest = test->priv;
	const struct vpc_nl_nexthop nexthops[] = {
		{ .id = 11, .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2, 11 } },
		{ .id = 12, .type = VPC_NEXTHOP_GATEWAY, .family = AF_INET, .addr = { 192, 0, 2, 12 } },
		{ .id = 13, .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2, 13 } },
		{ .id = 20, .type = VPC_NEXTHOP_LOCAL },
		{ .id = 21, .type = VPC_NEXTHOP_BLACKHOLE },
		{ .id = 22, .type = VPC_NEXTHOP_PEER, .vni = other->vni, .table = 1 },
		{ .id = 23, .type = VPC_NEXTHOP_PEER, .vni = other->vni + 99, .table = 1 },
		{ .id = GROUP, .type = VPC_NEXTHOP_GROUP },
		{}
	};
	/* One that leads nowhere is always among them. */
	const struct vpc_nl_member members[] = {
		{ .group = member ? GROUP : 0, .nexthop = 21 }, { .group = GROUP, .nexthop = member }, {}
	};
	struct rule rules[4] = { { 1, { 10, 1 }, 16, GROUP } };
	u32 vtep;

	if (more)
		rules[1] = *more;
	decide_tables(test, guest->vpc, nexthops, member == 21 ? members + 1 : members, rules);
	for (vtep = 11; vtep <= 13; vtep++)
		KUNIT_EXPECT_EQ_MSG(test, decide_arrived(guest, vtep), vtep == from ? VPC_DROP_NONE : VPC_DROP_STRICT,
				    "member %u, from %u", member, vtep);
	KUNIT_EXPECT_EQ(test, decide_arrived(guest, 99), VPC_DROP_OUTER_SOURCE);
}

/* More tables than are looked into, of which the @right-th one leads back. */
static void decide_many(struct kunit *test, struct vpc *other, u32 right, enum vpc_drop reason)
{
	static struct vpc_nl_nexthop nexthops[24];
	static struct vpc_nl_member members[24];
	const struct rule rules[] = { { 1, { 10, 1 }, 16, GROUP }, {} };
	const struct vpc_nl_nexthop hosts[] = {
		{ .id = 1, .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2, 11 } }, {}
	};
	const struct rule theirs[] = { { right, { 10, 1 }, 16, 1 }, {} };
	u32 i;

	memset(nexthops, 0, sizeof(nexthops));
	memset(members, 0, sizeof(members));
	nexthops[0] = (struct vpc_nl_nexthop){ .id = GROUP, .type = VPC_NEXTHOP_GROUP };
	nexthops[1] = (struct vpc_nl_nexthop){ .id = 11, .type = VPC_NEXTHOP_HOST, .family = AF_INET,
					       .addr = { 192, 0, 2, 11 } };
	for (i = 0; i < 20; i++) {
		nexthops[2 + i] = (struct vpc_nl_nexthop){ .id = FIRST_PEER + i, .type = VPC_NEXTHOP_PEER,
							   .vni = other->vni, .table = 1 + i };
		members[i] = (struct vpc_nl_member){ .group = GROUP, .nexthop = FIRST_PEER + i };
	}
	decide_tables(test, other, hosts, NULL, theirs);
	decide_tables(test, ((struct guest *)test->priv)->vpc, nexthops, members, rules);
	KUNIT_EXPECT_EQ_MSG(test, decide_arrived(test->priv, 11), reason, "table %u", right);
}

static void decide_strict_group(struct kunit *test)
{
	struct guest *guest = test->priv;
	struct vpc *other = decide_vpc(test, guest->vpc->vni + 1);
	const struct vpc_nl_nexthop theirs[] = {
		{ .id = 1, .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2, 13 } }, {}
	};
	const struct rule mapped = { 0, { 10, 1, 0, 5 }, 32, 13 }, their_rules[] = { { 1, { 10 }, 8, 1 }, {} };
	struct vpc_port_conf *conf = guest_conf(guest);

	conf->table = 1;
	guest_set_conf(guest, conf);
	rcu_assign_pointer(guest->vnet->host, &our_host);
	WRITE_ONCE(guest->vpc->flags, VPC_F_STRICT);
	decide_tables(test, other, theirs, NULL, their_rules);

	decide_group(test, other, 11, NULL, 11);
	decide_group(test, other, 12, NULL, 12);
	decide_group(test, other, 20, &mapped, 13);
	decide_group(test, other, 20, NULL, 0);
	decide_group(test, other, 21, NULL, 0);
	decide_group(test, other, 22, NULL, 13);
	decide_group(test, other, 23, NULL, 0);
	decide_group(test, other, 0, NULL, 0);

	/* The group's own table is the first place, so that 15 others are looked into. */
	decide_many(test, other, 1, VPC_DROP_NONE);
	decide_many(test, other, 15, VPC_DROP_NONE);
	decide_many(test, other, 16, VPC_DROP_STRICT);
	decide_many(test, other, 20, VPC_DROP_STRICT);

	WRITE_ONCE(guest->vpc->flags, 0);
	RCU_INIT_POINTER(guest->vnet->host, NULL);
	synchronize_rcu();
}

static struct kunit_case decide_cases[] = {
	KUNIT_CASE(decide_source),
	KUNIT_CASE(decide_other_vpc),
	KUNIT_CASE(decide_strict_group),
	{}
};

static struct kunit_suite decide_suite = {
	.name = "vpc_decide",
	.suite_init = netns_suite_init,
	.suite_exit = netns_suite_exit,
	.init = guest_test_init,
	.exit = guest_test_exit,
	.test_cases = decide_cases,
};

kunit_test_suite(decide_suite);
