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
#define BATCH 64
#define TRIES 20 /* until a VPC stands still for one way */

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

/* Where the ways are asked for: @want is CDB's at @epoch, or at an earlier one. */
struct prober {
	const struct audit *audit;
	struct report *report;
	struct report_vpc *vpc;
	/* As they were before the ways were asked for; @port is among them, NULL: there is none. */
	struct kernel_port *ports;
	size_t n_ports;
	const struct kernel_port *port;
	struct vpc_state want;
	uint64_t epoch; /* of the kernel, when it was last asked */
};

/* What the kernel does at one epoch, which is @p->epoch then. -EAGAIN: it never stood still for so long. */
static int ask(struct prober *p, const struct kernel_lookup *lookup, struct kernel_explain *ret_explain,
	       struct vpc_err *err)
{
	struct kernel_vpc after;
	uint64_t before;
	int ret;

	for (int i = 0; i < TRIES; i++) {
		before = p->epoch;
		ret = kernel_explain(p->audit->kernel, lookup, ret_explain, err);
		if (!ret)
			ret = kernel_vpc_get(p->audit->kernel, p->vpc->vni, &after, err);
		if (ret)
			return ret;
		p->epoch = after.epoch;
		if (after.epoch == before)
			return 0;
	}
	return vpc_err_set(err, -EAGAIN, "VPC %u changes too fast to probe its ways", p->vpc->vni);
}

/* The history leads from one way's epoch to the next one's: nobody has to stand still for all of them. */
static int follow(struct prober *p, uint64_t epoch, struct vpc_err *err)
{
	if (epoch < p->want.epoch)
		return vpc_err_set(err, -EAGAIN, "VPC %u went back to epoch %" PRIu64 " while its ways were probed",
				   p->vpc->vni, epoch);
	return cdb_state_advance(p->audit->cdb, &p->want, epoch, err);
}

/* One way, as it was asked for; dst.family 0: not at all. */
struct probe {
	struct vpc_addr dst;
	uint64_t epoch;
	struct kernel_explain explain;
};

static int probe_ask(struct prober *p, bool inside, struct probe *ret_probe, struct vpc_err *err)
{
	const struct vpc_port *port = &p->port->conf;
	struct vpc_addr dst = destination(&p->want, port, inside);
	struct kernel_lookup lookup = { .dst = dst, .has_src_mac = true, .proto = PROTO_UDP, .has_ports = true };
	int ret;

	ret_probe->dst.family = 0;
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
	ret = ask(p, &lookup, &ret_probe->explain, err);
	if (ret)
		return ret;
	ret_probe->dst = dst;
	ret_probe->epoch = p->epoch;
	return 0;
}

static int probe_judge(struct prober *p, const struct probe *probe, struct vpc_err *err)
{
	char object[96], text[VPC_ADDR_STRLEN];
	struct probe_fault fault;
	struct finding *finding;
	int ret = follow(p, probe->epoch, err);

	if (ret)
		return ret;
	p->vpc->n_probes++;
	if (probe_is_right(&p->want, p->port->conf.table, &probe->dst, &probe->explain, &fault))
		return 0;
	snprintf(object, sizeof(object), "way from %s to %s", p->port->conf.dev, vpc_addr_format(&probe->dst, text));
	ret = report_add(p->report, p->vpc, FINDING_DIFFERENT, WHAT_ELEMENT, object, fault.want, fault.have, &finding);
	if (!ret && finding)
		finding->element = (struct cdb_element){ .kind = CDB_ELEMENT_ROUTE, .route = fault.route };
	return ret;
}

/* Ports have no epoch: what was asked for from one counts where it is the same before and behind it. */
static int read_port(struct prober *p, bool *ret_same, struct vpc_err *err)
{
	struct kernel_port *ports = NULL;
	const struct kernel_port *port = NULL;
	size_t n = 0;
	int ret = kernel_port_list(p->audit->kernel, &ports, &n, err);

	if (ret)
		return ret;
	/* Another one may have come before it. */
	for (size_t i = 0; i < n && p->port && !port; i++)
		if (!strcmp(ports[i].conf.dev, p->port->conf.dev) && ports[i].conf.vni == p->vpc->vni)
			port = &ports[i];
	*ret_same = port && port->ifindex == p->port->ifindex && vpc_port_equal(&port->conf, &p->port->conf);
	for (size_t i = 0; i < n && !*ret_same && (!port || !port->conf.n_addrs); i++)
		if (ports[i].conf.vni == p->vpc->vni && ports[i].conf.n_addrs)
			port = &ports[i];
	kernel_ports_free(p->ports, p->n_ports);
	p->ports = ports;
	p->n_ports = n;
	p->port = port && port->conf.n_addrs ? port : NULL;
	return 0;
}

/*
 * The kernel is asked for @n ways one right after the other, then CDB led from one's epoch to the next one's.
 * *ret_done: how many; none where the port is another one now, or gone.
 */
static int probe_some(struct prober *p, unsigned int n, unsigned int *ret_done, struct vpc_err *err)
{
	_cleanup_free_ struct probe *probes = calloc(n, sizeof(*probes));
	unsigned int asked = 0;
	int ret = probes ? 0 : -ENOMEM, judged;
	bool same = true;

	while (!ret && asked < n) {
		ret = probe_ask(p, asked % 2, &probes[asked], err);
		asked += !ret;
	}
	judged = ret == -ENOMEM ? 0 : read_port(p, &same, err);
	*ret_done = same ? asked : 0;
	if (!same)
		return judged;
	for (unsigned int i = 0; i < asked && !judged; i++)
		judged = probes[i].dst.family ? probe_judge(p, &probes[i], err) : 0;
	return judged ? judged : ret;
}

/* No way was asked for: the report names what was compared before. */
static void take_back(struct report_vpc *vpc, const struct report_vpc *before)
{
	vpc->cdb_epoch = before->cdb_epoch;
	vpc->kernel_epoch = before->kernel_epoch;
	vpc->kernel_digest = before->kernel_digest;
	vpc->newer = before->newer;
	vpc->lag_ms = before->lag_ms;
	vpc->no_slot = before->no_slot;
}

static int probe_all(struct prober *p, struct vpc_err *err)
{
	struct kernel_vpc now;
	int ret = kernel_vpc_get(p->audit->kernel, p->vpc->vni, &now, err);

	if (!ret)
		ret = audit_load_want(p->audit, p->report, p->vpc, now.epoch, NULL, &p->want, err);
	if (ret)
		return ret;
	/* The epoch that the report names is this one from here on. */
	p->vpc->kernel_digest = now.digest;
	p->epoch = now.epoch;
	for (unsigned int left = p->audit->probes, done, vain = 0; left && p->port && !ret; left -= done) {
		ret = probe_some(p, left < BATCH ? left : BATCH, &done, err);
		vain = done ? 0 : vain + 1;
		if (!ret && vain == TRIES)
			ret = vpc_err_set(err, -EAGAIN, "the ports of VPC %u change too fast to probe its ways",
					  p->vpc->vni);
	}
	return ret;
}

int audit_probe(const struct audit *audit, struct report *report, struct report_vpc *vpc, struct vpc_err *err)
{
	const struct report_vpc before = *vpc; /* its numbers */
	struct prober p = { .audit = audit, .report = report, .vpc = vpc };
	bool same;
	int ret;

	ret = read_port(&p, &same, err);
	if (ret)
		return ret;
	vpc_state_init(&p.want, vpc->vni);
	/* Without a port here nobody asks for a way. */
	if (p.port)
		ret = probe_all(&p, err);
	if (ret == -EAGAIN && !vpc->n_probes)
		take_back(vpc, &before);
	else if (ret == -EAGAIN)
		ret = 0; /* fewer, and each of them at its own epoch */
	vpc_state_clear(&p.want);
	kernel_ports_free(p.ports, p.n_ports);
	return ret;
}
