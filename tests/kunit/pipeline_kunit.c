// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decisions about packets (kmod/datapath/pipeline.c) while tables change: what the packet path decides, which remembers
 * recent destinations (recent.h), is what explain decides, which looks everything up. Two VPCs with a peering between
 * them, groups, a few destinations that come again and again, and commits in between.
 */
#include "guest.h"
#include "netns.h"
#include "rig.h"
#include "../../kmod/datapath/recent.h"
#include "../../kmod/datapath/datapath.h"
#include "../../kmod/tables/group.h"
#include "../../kmod/tables/txn.h"

#include <linux/in.h>

#define OWNER	1
#define TARGETS	64
#define HOSTS	6		/* nexthops 1 to 6 */

enum {
	NH_LOCAL = HOSTS + 1,
	NH_GATEWAY,
	NH_BLACKHOLE,
	NH_GROUP,
	NH_PEER,
	NH_END
};

/* The mapping, and two of a customer's; what is remembered of the last lies where the first's does. */
static u32 scene_table(void)
{
	static const u32 ids[] = { 0, 1, 60 };

	return ids[rig_below(ARRAY_SIZE(ids))];
}

struct scene {
	struct guest *guest;
	struct vpc *vpcs[2];
	u64 epochs[2];
	struct vpc_host host;
	u8 targets[TARGETS][16];
	unsigned int remembered[2];	/* packets for which there was an entry: from the port, from the wire */
	unsigned int verdicts[VPC_DROP_MAX + 1];
};

static int scene_nexthops(struct vpc_txn *txn, u32 peer_vni)
{
	struct vpc_nl_nexthop nh;
	struct vpc_nl_member member;
	int err = 0;
	u32 id;

	for (id = 1; !err && id < NH_END; id++) {
		nh = (struct vpc_nl_nexthop){ .id = id, .op = VPC_OP_SET, .family = AF_INET,
					      .addr = { 192, 0, 2, id } };
		nh.type = id == NH_LOCAL ? VPC_NEXTHOP_LOCAL : id == NH_GATEWAY ? VPC_NEXTHOP_GATEWAY :
			  id == NH_BLACKHOLE ? VPC_NEXTHOP_BLACKHOLE : id == NH_GROUP ? VPC_NEXTHOP_GROUP :
			  id == NH_PEER ? VPC_NEXTHOP_PEER : VPC_NEXTHOP_HOST;
		if (nh.type != VPC_NEXTHOP_HOST && nh.type != VPC_NEXTHOP_GATEWAY) {
			nh.family = 0;
			memset(nh.addr, 0, sizeof(nh.addr));
		}
		if (nh.type == VPC_NEXTHOP_PEER) {
			nh.vni = peer_vni;
			nh.table = 1;
		}
		err = vpc_txn_nexthop(txn, &nh, NULL);
	}
	/* of hosts, and of one that goes on in the mapping */
	for (id = 1; !err && id <= 4; id++) {
		member = (struct vpc_nl_member){ .group = NH_GROUP, .nexthop = id == 4 ? NH_LOCAL : id,
						 .op = VPC_OP_SET, .weight = 1 };
		err = vpc_txn_member(txn, &member, NULL);
	}
	return err;
}

/* Some prefix of a target, mostly the whole of it. Deleted only when it is in @version, which @txn began with. */
static int scene_route(struct scene *scene, struct vpc_txn *txn, const struct vpc_version *version, enum vpc_op op)
{
	u32 target = rig_below(TARGETS), id = scene_table(), nexthop = 1 + rig_below(NH_END - 1);
	const struct vpc_table *table = vpc_version_table(version, id);
	u8 family = target % 2 ? AF_INET6 : AF_INET, addr[16];
	u8 plen = rig_below(3) ? rig_bits(family) : rig_below(rig_bits(family) + 1);

	memcpy(addr, scene->targets[target], sizeof(addr));
	rig_addr_fill(addr, plen, 128, false);
	if (op == VPC_OP_DEL && (!table || !vpc_trie_lookup_exact(vpc_table_trie(table, family), addr, plen)))
		return 0;
	return vpc_txn_route(txn, op, id, family, addr, plen, nexthop, NULL);
}

static void scene_commit(struct scene *scene, unsigned int which, unsigned int changes)
{
	struct kunit *test = scene->guest->test;
	struct vpc *vpc = scene->vpcs[which];
	struct vpc_version *base;
	const struct vpc_version *version;
	struct vpc_nl_nexthop nh;
	struct vpc_txn *txn;
	int err;

	mutex_lock(&scene->guest->vnet->lock);
	base = vpc_version_get_current(vpc);
	err = vpc_txn_begin(vpc, OWNER, VPC_TXN_DELTA, &scene->epochs[which], NULL, &txn);
	if (!err && !vpc_nhset_lookup(base->nexthops, NH_PEER))
		err = scene_nexthops(txn, scene->vpcs[!which]->vni);
	if (!err)
		err = scene_route(scene, txn, base, VPC_OP_DEL);
	while (!err && changes--)
		err = scene_route(scene, txn, base, VPC_OP_SET);
	/* and now and then one that all its routes follow */
	if (!err && !rig_below(4)) {
		nh = (struct vpc_nl_nexthop){ .id = 1 + rig_below(HOSTS), .op = VPC_OP_SET, .type = VPC_NEXTHOP_HOST,
					      .family = AF_INET, .addr = { 192, 0, 2, 1 + rig_below(250) } };
		err = vpc_txn_nexthop(txn, &nh, NULL);
	}
	if (!err)
		err = vpc_txn_commit(txn, ++scene->epochs[which], NULL, NULL, &version);
	vpc_version_put(base);
	mutex_unlock(&scene->guest->vnet->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
}

static struct scene *scene_new(struct kunit *test)
{
	struct scene *scene = kunit_kzalloc(test, sizeof(*scene), GFP_KERNEL);
	struct guest *guest = test->priv;
	unsigned int i;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, scene);
	scene->guest = guest;
	scene->vpcs[0] = guest->vpc;
	scene->epochs[0] = 1;
	mutex_lock(&guest->vnet->lock);
	err = vpc_new(guest->vnet, guest->vpc->vni + 1, 0, &scene->vpcs[1]);
	mutex_unlock(&guest->vnet->lock);
	KUNIT_ASSERT_EQ(test, err, 0);
	/* near one another, so that shorter prefixes are about several */
	for (i = 0; i < TARGETS; i++) {
		scene->targets[i][0] = 0x20;
		scene->targets[i][3] = i;
		scene->targets[i][15] = i % 2 ? i : 0;
	}
	scene->host.vtep4 = htonl(0xc00002c8);
	rcu_assign_pointer(guest->vnet->host, &scene->host);
	for (i = 0; i < 2; i++)
		scene_commit(scene, i, 100);
	return scene;
}

static void scene_end(struct scene *scene)
{
	RCU_INIT_POINTER(scene->guest->vnet->host, NULL);
	synchronize_rcu();
}

/* To a target: from the port, by @conf's table, or from the wire, for an address that has moved, by the mapping. */
static struct vpc_flow scene_flow(struct scene *scene, const struct vpc_port_conf *conf, bool wire)
{
	struct vpc_flow flow = vpc_flow_of_port(scene->guest->port);
	u32 target = rig_below(TARGETS);

	flow.family = target % 2 ? AF_INET6 : AF_INET;
	flow.ttl = 1 + rig_below(4);
	flow.proto = IPPROTO_UDP;
	flow.sport = htons(rig_below(65536));
	flow.dport = htons(53);
	flow.saddr = scene->targets[(target + 2) % TARGETS];
	flow.daddr = scene->targets[target];
	if (wire) {
		flow.port = NULL;
		flow.conf = NULL;
		flow.outer_family = AF_INET;
		/* one of the hosts, perhaps the very one that the packet would be sent on to */
		flow.outer_saddr = vpc_nhset_lookup(flow.version->nexthops, 1 + rig_below(HOSTS))->wire.addr;
	} else {
		flow.conf = conf;
		flow.smac = conf->mac;
	}
	return flow;
}

static void scene_packet(struct scene *scene, struct vpc_trace *trace)
{
	void (*decide)(const struct vpc_flow *flow, struct vpc_decision *ret_decision, struct vpc_trace *trace);
	struct vpc_decision got = {}, want = {};
	bool wire = !rig_below(3);
	struct kunit *test = scene->guest->test;
	struct vpc_port_conf conf;
	struct vpc_recent key;
	struct vpc_flow flow;

	local_bh_disable();
	rcu_read_lock();
	conf = *rcu_dereference(scene->guest->port->conf);
	conf.table = scene_table();
	conf.flags = VPC_PORT_F_NO_SOURCE_CHECK;
	flow = scene_flow(scene, &conf, wire);
	decide = wire ? vpc_pipeline_from_wire : vpc_pipeline_from_port;
	key = vpc_recent_key(&flow, wire ? 0 : conf.table);
	scene->remembered[wire] += !!vpc_recent_find(&key);
	decide(&flow, &got, NULL);
	trace->n = 0;
	decide(&flow, &want, trace);
	rcu_read_unlock();
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, got.verdict, want.verdict);
	KUNIT_EXPECT_EQ(test, got.reason, want.reason);
	KUNIT_EXPECT_PTR_EQ(test, got.nexthop, want.nexthop);
	KUNIT_EXPECT_PTR_EQ(test, got.vpc, want.vpc);
	KUNIT_EXPECT_PTR_EQ(test, got.port, want.port);
	KUNIT_EXPECT_EQ(test, got.vni, want.vni);
	KUNIT_EXPECT_EQ(test, got.dec_ttl, want.dec_ttl);
	scene->verdicts[got.reason]++;
}

static void pipeline_remembers(struct kunit *test)
{
	struct vpc_trace *trace = kunit_kzalloc(test, sizeof(*trace), GFP_KERNEL);
	struct scene *scene = scene_new(test);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, trace);
	for (i = 0; i < 60000; i++) {
		scene_packet(scene, trace);
		if (!rig_below(64))
			scene_commit(scene, rig_below(2), 1 + rig_below(4));
	}
	scene_end(scene);
	/* It was about something: all ways were gone, many of them from memory. */
	KUNIT_EXPECT_GE(test, scene->remembered[0], 3000);
	KUNIT_EXPECT_GE(test, scene->remembered[1], 3000);
	KUNIT_EXPECT_GE(test, scene->verdicts[VPC_DROP_NONE], 10000);
	KUNIT_EXPECT_GE(test, scene->verdicts[VPC_DROP_TTL], 100);
	KUNIT_EXPECT_GE(test, scene->verdicts[VPC_DROP_BLACKHOLE], 100);
	KUNIT_EXPECT_GE(test, scene->verdicts[VPC_DROP_LOOP], 100);
}

/* -- what VERIFY says of it ---------------------------------------------------------------------------------------- */

/* Each entry of the first VPC's version that this CPU has, wrong for a moment. */
static void verify_recent(struct scene *scene)
{
	struct kunit *test = scene->guest->test;
	const struct vpc_nexthop *nh, *other = NULL;
	struct vpc_version *version;
	struct vpc_recent *entry;
	unsigned int i, seen = 0;

	mutex_lock(&scene->guest->vnet->lock);
	version = vpc_version_get_current(scene->vpcs[0]);
	mutex_unlock(&scene->guest->vnet->lock);
	KUNIT_EXPECT_TRUE(test, vpc_recent_sound(version));
	for (i = 0; i < ARRAY_SIZE(vpc_recents->entry); i++) {
		entry = &per_cpu_ptr(vpc_recents, raw_smp_processor_id())->entry[i];
		if (entry->stamp != version->stamp)
			continue;
		seen++;
		nh = entry->nh;
		other = vpc_nhset_lookup(version->nexthops, nh->wire.id == 1 ? 2 : 1);
		entry->nh = other;
		KUNIT_EXPECT_FALSE(test, vpc_recent_sound(version));
		entry->nh = nh;
		/* of a version that is no more, it does not matter */
		entry->stamp ^= 1ULL << 63;
		entry->nh = other;
		KUNIT_EXPECT_TRUE(test, vpc_recent_sound(version));
		entry->stamp ^= 1ULL << 63;
		entry->nh = nh;
	}
	KUNIT_EXPECT_TRUE(test, vpc_recent_sound(version));
	KUNIT_EXPECT_GE(test, seen, 3);
	vpc_version_put(version);
}

static void pipeline_verify_recent(struct kunit *test)
{
	struct vpc_trace *trace = kunit_kzalloc(test, sizeof(*trace), GFP_KERNEL);
	struct scene *scene = scene_new(test);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, trace);
	for (i = 0; i < 2000; i++)
		scene_packet(scene, trace);
	verify_recent(scene);
	/* Commits take nothing out, and what is left is of versions that are gone. */
	scene_commit(scene, 0, 4);
	scene_end(scene);
}

static void pipeline_verify_groups(struct kunit *test)
{
	struct scene *scene = scene_new(test);
	const struct vpc_nexthop *nh;
	struct vpc_version *version;
	struct vpc_digest digest;
	u8 *bucket;
	u64 routes;
	u32 faults;

	mutex_lock(&scene->guest->vnet->lock);
	version = vpc_version_get_current(scene->vpcs[0]);
	mutex_unlock(&scene->guest->vnet->lock);
	nh = vpc_nhset_lookup(version->nexthops, NH_GROUP);
	vpc_version_verify(version, &digest, &routes, &faults);
	KUNIT_EXPECT_EQ(test, faults, 0);
	/* The last bucket, to another member. */
	bucket = &nh->group->buckets[VPC_GROUP_BUCKETS - 1];
	*bucket ^= 1;
	vpc_version_verify(version, &digest, &routes, &faults);
	KUNIT_EXPECT_EQ(test, faults, VPC_FAULT_GROUP);
	*bucket ^= 1;
	vpc_version_verify(version, &digest, &routes, &faults);
	KUNIT_EXPECT_EQ(test, faults, 0);
	vpc_version_put(version);
	scene_end(scene);
}

static void pipeline_verify_ports(struct kunit *test)
{
	struct scene *scene = scene_new(test);
	struct vpc *vpc = scene->vpcs[0];
	struct vpc_port *port = scene->guest->port;
	struct vpc_nl_prefix prefix, stranger = { .family = AF_INET, .plen = 32, .addr = { 10, 99, 99, 99 } };
	struct vpc_portmap_edit edit;
	unsigned int step;

	mutex_lock(&vpc->vnet->lock);
	KUNIT_ASSERT_GT(test, rcu_dereference_protected(port->conf, true)->n_addrs, 0);
	prefix = rcu_dereference_protected(port->conf, true)->addrs[0];
	KUNIT_EXPECT_TRUE(test, vpc_ports_sound(vpc));
	/* Its address is lost; leads to another one; is back; and one comes that is nobody's, and goes. */
	for (step = 0; step < 5; step++) {
		KUNIT_ASSERT_EQ(test, vpc_portmap_begin(vpc, &edit), 0);
		if (step == 0 || step == 4)
			KUNIT_EXPECT_EQ(test, vpc_portmap_del(&edit, step ? &stranger : &prefix), 0);
		else
			KUNIT_EXPECT_EQ(test, vpc_portmap_add(&edit, step == 3 ? &stranger : &prefix,
							       port->index + (step == 1)), 0);
		KUNIT_EXPECT_EQ(test, vpc_portmap_seal(&edit), 0);
		vpc_portmap_publish(&edit);
		KUNIT_EXPECT_EQ(test, vpc_ports_sound(vpc), step == 2 || step == 4);
	}
	mutex_unlock(&vpc->vnet->lock);
	scene_end(scene);
}

static struct kunit_case pipeline_cases[] = {
	KUNIT_CASE(pipeline_remembers),
	KUNIT_CASE(pipeline_verify_recent),
	KUNIT_CASE(pipeline_verify_groups),
	KUNIT_CASE(pipeline_verify_ports),
	{}
};

static struct kunit_suite pipeline_suite = {
	.name = "vpc_pipeline",
	.suite_init = netns_suite_init,
	.suite_exit = netns_suite_exit,
	.init = guest_test_init,
	.exit = guest_test_exit,
	.test_cases = pipeline_cases,
};

kunit_test_suite(pipeline_suite);
