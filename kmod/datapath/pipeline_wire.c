// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rarer checks of packets from the wire, see pipeline_wire.h. pipeline.c calls them, for packets and for explain.
 */
#include "pipeline_wire.h"

bool vpc_arrival_is_from_peer(const struct vpc_arrival *in)
{
	const struct vpc_version *version;
	const struct vpc *peer;
	u32 pos = 0, vni;

	while ((vni = vpc_nhset_peer_at(in->version->nexthops, &pos))) {
		peer = vpc_lookup(in->flow->vnet, vni);
		if (!peer)
			continue;
		version = rcu_dereference(peer->version);
		if (vpc_nhset_has_vtep(version->nexthops, in->outer_family, in->outer_saddr))
			return true;
	}
	return false;
}

/* -- the way back -------------------------------------------------------------------------------------------------- */

/*
 * Tables that one reply may be looked up in. A way without groups needs 2 * (1 + VPC_PEER_DEPTH) at most; groups whose
 * members lead to ever more tables are given up here, and the packet is refused.
 */
#define VPC_PLACES_MAX 16

struct vpc_place {
	const struct vpc *vpc;
	const struct vpc_version *version;
	u32 table;
	u32 depth;	/* peerings on the way here */
};

/* Where to look, each place once: those before the current one have been looked at. */
struct vpc_way_back {
	const struct vpc_arrival *in;
	u32 n;
	struct vpc_place places[VPC_PLACES_MAX];
};

static void vpc_way_back_add(struct vpc_way_back *way, const struct vpc *vpc, const struct vpc_version *version,
			     u32 table, u32 depth)
{
	u32 i;

	for (i = 0; i < way->n; i++) {
		if (way->places[i].vpc == vpc && way->places[i].table == table)
			return;
	}
	if (way->n < VPC_PLACES_MAX)
		way->places[way->n++] = (struct vpc_place){ vpc, version, table, depth };
}

static void vpc_way_back_add_peer(struct vpc_way_back *way, const struct vpc_place *at, const struct vpc_nl_nexthop *nh)
{
	const struct vpc *peer = vpc_lookup(way->in->flow->vnet, nh->vni);

	if (peer && at->depth < VPC_PEER_DEPTH)
		vpc_way_back_add(way, peer, rcu_dereference(peer->version), nh->table, at->depth + 1);
}

/* Return: @nh leads to the sender. When it leads to another table, that is added. */
static bool vpc_way_back_follow(struct vpc_way_back *way, const struct vpc_place *at, const struct vpc_nl_nexthop *nh)
{
	const struct vpc_arrival *in = way->in;

	switch ((enum vpc_nexthop_type)nh->type) {
	case VPC_NEXTHOP_HOST:
	case VPC_NEXTHOP_GATEWAY:
		return nh->family == in->outer_family && vpc_addr_equal(nh->family, nh->addr, in->outer_saddr);
	case VPC_NEXTHOP_LOCAL:
		vpc_way_back_add(way, at->vpc, at->version, 0, at->depth);
		break;
	case VPC_NEXTHOP_PEER:
		vpc_way_back_add_peer(way, at, nh);
		break;
	case VPC_NEXTHOP_GROUP:
	case VPC_NEXTHOP_BLACKHOLE:
	case VPC_NEXTHOP_PROHIBIT:
	case VPC_NEXTHOP_UNREACHABLE:
	case __VPC_NEXTHOP_AFTER_LAST:
		break;
	}
	return false;
}

static bool vpc_way_back_group(struct vpc_way_back *way, const struct vpc_place *at, const struct vpc_nexthop *group)
{
	const struct vpc_nexthop *nh;
	u32 pos = 0;

	while ((nh = vpc_nhset_group_at(at->version->nexthops, group, pos++))) {
		if (vpc_way_back_follow(way, at, &nh->wire))
			return true;
	}
	return false;
}

static bool vpc_way_back_look(struct vpc_way_back *way, const struct vpc_place *at)
{
	const struct vpc_table *table = vpc_version_table(at->version, at->table);
	const struct vpc_flow *flow = way->in->flow;
	const struct vpc_nexthop *nh;

	if (!table)
		return false;
	nh = vpc_nhset_lookup(at->version->nexthops,
			      vpc_trie_lookup(vpc_table_trie(table, flow->family), flow->saddr, NULL));
	if (!nh)
		return false;
	if (nh->wire.type == VPC_NEXTHOP_GROUP)
		return vpc_way_back_group(way, at, nh);
	return vpc_way_back_follow(way, at, &nh->wire);
}

bool vpc_arrival_leads_back(const struct vpc_arrival *in, u32 table)
{
	struct vpc_way_back way;
	u32 i;

	way.in = in;
	way.n = 0;
	vpc_way_back_add(&way, in->vpc, in->version, table, 0);
	for (i = 0; i < way.n; i++) {
		if (vpc_way_back_look(&way, &way.places[i]))
			return true;
	}
	return false;
}
