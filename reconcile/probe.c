// SPDX-License-Identifier: Apache-2.0
/*
 * Asks the kernel's own forwarding code for the way to random destinations, and compares each with one that is computed
 * from CDB; see audit.h. Called by content.c.
 *
 * The computation is naive on purpose: every route of the table is looked at, and nothing is shared with the tries.
 */
#include "audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include "../lib/util.h"

#define PROTO_UDP 17
#define TRIES 3

/* -- what should be ------------------------------------------------------------------------------------------------ */

static const struct vpc_route *longest(const struct vpc_state *want, uint32_t table, const struct vpc_addr *dst)
{
	const struct vpc_route *best = NULL;

	for (size_t i = 0; i < want->n_routes; i++) {
		const struct vpc_route *route = &want->routes[i];

		if (route->table == table && vpc_prefix_has_addr(&route->prefix, dst) &&
		    (!best || route->prefix.plen > best->prefix.plen))
			best = route;
	}
	return best;
}

/* -- against what is ----------------------------------------------------------------------------------------------- */

static void route_text(uint32_t table, const struct vpc_prefix *prefix, const struct vpc_nl_nexthop *nh, char *buf)
{
	char prefix_text[VPC_PREFIX_STRLEN], nh_text[VPC_NEXTHOP_STRLEN];

	if (!prefix)
		snprintf(buf, PROBE_TEXT, "no route in table %u", table);
	else
		snprintf(buf, PROBE_TEXT, "table %u %s to %s", table, vpc_prefix_format(prefix, prefix_text),
			 nh ? vpc_nexthop_format(nh, nh_text) : "nothing");
}

static const struct kernel_step *next_step(const struct kernel_explain *explain, unsigned int *at, uint8_t step)
{
	while (*at < explain->n_steps)
		if (explain->steps[(*at)++].step == step)
			return &explain->steps[*at - 1];
	return NULL;
}

/* The kernel's lookup in one table: @route, @nh (NULL: none) are CDB's. */
static bool lookup_is_right(const struct vpc_state *want, uint32_t table, const struct vpc_route *route,
			    const struct vpc_nl_nexthop *nh, const struct kernel_explain *explain, unsigned int *at,
			    struct probe_fault *fault)
{
	const struct kernel_step *found = next_step(explain, at, VPC_STEP_ROUTE), *hop, *member;
	const struct vpc_prefix *have = found && found->has_prefix ? &found->prefix : NULL;
	bool same;

	hop = have ? next_step(explain, at, VPC_STEP_NEXTHOP) : NULL;
	route_text(table, route ? &route->prefix : NULL, nh, fault->want);
	route_text(found && found->has_table ? found->table : table, have, hop ? &hop->nexthop : NULL, fault->have);
	if (route)
		fault->route = *route;
	else if (have)
		fault->route = (struct vpc_route){ .table = found->table, .prefix = *have };
	same = found && (!found->has_table || found->table == table) && !route == !have;
	if (!same || !route)
		return same;
	if (vpc_prefix_cmp(have, &route->prefix) || !hop || !nh || !vpc_nexthop_equal(nh, &hop->nexthop))
		return false;
	if (nh->type != VPC_NEXTHOP_GROUP || !vpc_state_members_of(want, nh->id, &(size_t){ 0 }))
		return true;
	member = next_step(explain, at, VPC_STEP_GROUP);
	if (member && member->has_nexthop && vpc_state_find_member(want, nh->id, member->nexthop.id))
		return true;
	snprintf(fault->want, PROBE_TEXT, "a member of group %u", nh->id);
	snprintf(fault->have, PROBE_TEXT, "nexthop %u", member ? member->nexthop.id : 0);
	return false;
}

/* What ends a packet by itself: the reason that it must have. VPC_DROP_NONE: whatever comes of it. */
static enum vpc_drop reason_of(const struct vpc_route *route, const struct vpc_nl_nexthop *nh)
{
	if (!route)
		return VPC_DROP_NO_ROUTE;
	switch (nh->type) {
	case VPC_NEXTHOP_BLACKHOLE:
		return VPC_DROP_BLACKHOLE;
	case VPC_NEXTHOP_PROHIBIT:
		return VPC_DROP_PROHIBIT;
	case VPC_NEXTHOP_UNREACHABLE:
		return VPC_DROP_UNREACHABLE;
	}
	return VPC_DROP_NONE;
}

bool probe_is_right(const struct vpc_state *want, uint32_t table, const struct vpc_addr *dst,
		    const struct kernel_explain *explain, struct probe_fault *ret_fault)
{
	const struct vpc_nl_nexthop *nh;
	const struct vpc_route *route;
	struct probe_fault fault = { 0 };
	enum vpc_drop reason;
	unsigned int at = 0;
	bool right;

	/* A gateway's own address; nobody looked at a table. */
	if (explain->verdict == VPC_VERDICT_ANSWER)
		return true;
	do {
		route = longest(want, table, dst);
		nh = route ? vpc_state_find_nexthop(want, route->nexthop) : NULL;
		right = lookup_is_right(want, table, route, nh, explain, &at, &fault);
		if (!right)
			break;
		reason = reason_of(route, nh);
		/* A table without any route is not there, which is a reason of its own. */
		right = !reason || (explain->verdict == VPC_VERDICT_DROP &&
				    (explain->reason == reason || (!route && explain->reason == VPC_DROP_NO_TABLE)));
		if (!right) {
			snprintf(fault.want, PROBE_TEXT, "dropped, %s", vpc_drop_name(reason));
			snprintf(fault.have, PROBE_TEXT, "verdict %u, %s", explain->verdict,
				 vpc_drop_name(explain->reason));
		}
		/* The mapping comes next, and nothing after it. Peers' tables are their own VPCs'. */
		if (!nh || nh->type != VPC_NEXTHOP_LOCAL || !table)
			break;
		table = 0;
	} while (right);
	if (!right)
		*ret_fault = fault;
	return right;
}

/* -- asking -------------------------------------------------------------------------------------------------------- */

static uint64_t random_u64(void)
{
	static uint64_t state;

	if (!state && getrandom(&state, sizeof(state), 0) != sizeof(state))
		state = now_monotonic_us();
	state |= 1ULL << 63;
	/* xorshift64 (Marsaglia, 2003): only spreads the probes. */
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Addresses that forwarding treats by themselves, before any table. */
static bool is_special(const struct vpc_addr *addr)
{
	const uint8_t *b = addr->bytes;

	if (addr->family == AF_INET)
		return !b[0] || b[0] == 127 || b[0] >= 224 || (b[0] == 169 && b[1] == 254);
	return b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80) || (!b[0] && !b[1]);
}

/* Inside one of the table's routes, chosen by chance, or anywhere. */
static struct vpc_addr destination(const struct vpc_state *want, const struct vpc_port *port, bool inside)
{
	struct vpc_addr addr = { .family = port->addrs[random_u64() % port->n_addrs].family };
	unsigned int len = addr.family == AF_INET6 ? 16 : 4;
	size_t first = want->n_routes ? random_u64() % want->n_routes : 0;
	const struct vpc_route *route = NULL;

	for (unsigned int i = 0; i < len; i++)
		addr.bytes[i] = random_u64();
	for (size_t i = 0; inside && i < want->n_routes && !route; i++) {
		const struct vpc_route *r = &want->routes[(first + i) % want->n_routes];

		if ((r->table == port->table || !r->table) && r->prefix.family == addr.family)
			route = r;
	}
	for (unsigned int bit = 0; route && bit < route->prefix.plen; bit++) {
		uint8_t mask = 0x80 >> bit % 8;

		addr.bytes[bit / 8] = (addr.bytes[bit / 8] & ~mask) | (route->prefix.bytes[bit / 8] & mask);
	}
	return addr;
}

static int probe_one(const struct audit *audit, struct report *report, struct report_vpc *vpc,
		     const struct vpc_state *want, const struct vpc_port *port, bool inside, struct vpc_err *err)
{
	struct vpc_addr dst = destination(want, port, inside);
	struct kernel_lookup lookup = { .dst = dst, .has_src_mac = true, .proto = PROTO_UDP, .has_ports = true };
	char object[96], text[VPC_ADDR_STRLEN];
	struct kernel_explain explain;
	struct probe_fault fault;
	struct finding *finding;
	int ret;

	if (is_special(&dst))
		return 0;
	snprintf(lookup.ifname, sizeof(lookup.ifname), "%s", port->dev);
	memcpy(lookup.src_mac, port->mac, sizeof(lookup.src_mac));
	lookup.sport = random_u64();
	lookup.dport = random_u64();
	for (size_t i = 0; i < port->n_addrs; i++)
		if (port->addrs[i].family == dst.family) {
			lookup.src.family = dst.family;
			memcpy(lookup.src.bytes, port->addrs[i].bytes, sizeof(lookup.src.bytes));
		}
	ret = kernel_explain(audit->kernel, &lookup, &explain, err);
	if (ret)
		return ret;
	vpc->n_probes++;
	if (probe_is_right(want, port->table, &dst, &explain, &fault))
		return 0;
	snprintf(object, sizeof(object), "way from %s to %s", port->dev, vpc_addr_format(&dst, text));
	ret = report_add(report, vpc, FINDING_DIFFERENT, WHAT_ELEMENT, object, fault.want, fault.have, &finding);
	if (!ret && finding)
		finding->element = (struct cdb_element){ .kind = CDB_ELEMENT_ROUTE, .route = fault.route };
	return ret;
}

/* Findings of a round in which the VPC changed under the probes are taken back. */
static void take_back(struct report_vpc *vpc, const struct report_vpc *before)
{
	while (vpc->n_findings > before->n_findings)
		finding_clear(&vpc->findings[--vpc->n_findings]);
	vpc->counts[FINDING_DIFFERENT] = before->counts[FINDING_DIFFERENT];
	vpc->result = before->result;
	vpc->cdb_epoch = before->cdb_epoch;
	vpc->kernel_epoch = before->kernel_epoch;
	vpc->kernel_digest = before->kernel_digest;
	vpc->newer = before->newer;
	vpc->lag_ms = before->lag_ms;
	vpc->no_slot = before->no_slot;
	vpc->n_probes = 0;
}

static int probe_round(const struct audit *audit, struct report *report, struct report_vpc *vpc,
		       const struct vpc_port *port, const struct kernel_vpc *now, struct vpc_err *err)
{
	struct kernel_vpc after;
	struct vpc_state want;
	int ret;

	vpc_state_init(&want, vpc->vni);
	ret = audit_load_want(audit, report, vpc, now->epoch, &want, err);
	/* The epoch that the report names is this one from here on. */
	if (!ret)
		vpc->kernel_digest = now->digest;
	for (unsigned int i = 0; i < audit->probes && !ret; i++)
		ret = probe_one(audit, report, vpc, &want, port, i % 2, err);
	vpc_state_clear(&want);
	if (!ret)
		ret = kernel_vpc_get(audit->kernel, vpc->vni, &after, err);
	if (!ret && after.epoch != now->epoch)
		return vpc_err_set(err, -EAGAIN, "VPC %u changes too fast to probe its ways", vpc->vni);
	return ret;
}

int audit_probe(const struct audit *audit, struct report *report, struct report_vpc *vpc, struct vpc_err *err)
{
	const struct report_vpc before = *vpc; /* its numbers */
	const struct vpc_port *port = NULL;
	size_t n_ports = 0;
	struct kernel_port *ports = NULL;
	struct kernel_vpc now;
	bool no_slot;
	int ret;

	ret = kernel_port_list(audit->kernel, &ports, &n_ports, err);
	if (ret)
		return ret;
	for (size_t i = 0; i < n_ports && !port; i++)
		if (ports[i].conf.vni == vpc->vni && ports[i].conf.n_addrs)
			port = &ports[i].conf;
	/* Without a port here nobody asks for a way. */
	for (int i = 0; port && i < TRIES; i++) {
		ret = kernel_vpc_get(audit->kernel, vpc->vni, &now, err);
		if (!ret)
			ret = probe_round(audit, report, vpc, port, &now, err);
		if (ret != -EAGAIN)
			break;
		no_slot = vpc->no_slot;
		take_back(vpc, &before);
		if (no_slot)
			break;
	}
	kernel_ports_free(ports, n_ports);
	return ret;
}
