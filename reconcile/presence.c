// SPDX-License-Identifier: Apache-2.0
/*
 * What has no epoch to be compared at: this host's VTEP, which VPCs the kernel has, and its ports.
 *
 * A change of these may be on its way through ZooKeeper while we look, and nothing says so. So both sides are read
 * again and again until nothing differs or the settling time is over, and only what differed at every look is
 * reported.
 */
#include "audit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/util.h"

#define LOOK_MS 250 /* until the second look; twice as long until each later one */

/* The differences of one look. */
struct look {
	struct look_item {
		enum finding_class class;
		enum finding_what what;
		uint32_t vni;
		char object[64];
		char want[256];
		char have[256];
		bool has_want, has_have;
	} * items;
	size_t n, cap;
};

void presence_clear(struct presence *presence)
{
	vpc_host_ports_clear(&presence->want);
	kernel_ports_free(presence->have_ports, presence->n_have_ports);
	free(presence->have_vpcs);
	free(presence->want_vnis);
	free(presence->want_by_dev);
	free(presence->have_by_dev);
	memset(presence, 0, sizeof(*presence));
}

/* CDB's side, in one snapshot: what the outbox no longer has was published before what we compare with. */
static int load_want(const struct audit *audit, struct presence *p, struct vpc_err *err)
{
	struct vpc_err end_err;
	int ret, end;

	ret = cdb_snapshot_begin(audit->cdb, err);
	if (ret)
		return ret;
	ret = cdb_host_ports_load(audit->cdb, audit->host, &p->want, err);
	if (!ret)
		ret = cdb_outbox_waits(audit->cdb, audit->host, 0, &p->pending_ms, err);
	end = cdb_snapshot_end(audit->cdb, &end_err);
	return ret ? ret : end ? vpc_err_set(err, end, "%s", end_err.text) : 0;
}

int presence_load(const struct audit *audit, struct presence *ret_presence, struct vpc_err *err)
{
	struct presence p = { 0 };
	int ret;

	ret = kernel_host_get(audit->kernel, &p.have_host, err);
	if (!ret)
		ret = kernel_vpc_list(audit->kernel, &p.have_vpcs, &p.n_have_vpcs, err);
	if (!ret)
		ret = kernel_port_list(audit->kernel, &p.have_ports, &p.n_have_ports, err);
	if (!ret)
		ret = load_want(audit, &p, err);
	if (!ret)
		ret = presence_index(&p);
	if (ret) {
		presence_clear(&p);
		return ret;
	}
	*ret_presence = p;
	return 0;
}

static int vni_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int vpc_cmp(const void *a, const void *b)
{
	return vni_cmp(&((const struct kernel_vpc *)a)->vni, &((const struct kernel_vpc *)b)->vni);
}

static int dev_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct vpc_port *const *)a)->dev, (*(const struct vpc_port *const *)b)->dev);
}

int presence_index(struct presence *p)
{
	size_t n = 0;

	p->want_vnis = calloc(p->want.n_ports + p->want.n_vpcs + 1, sizeof(*p->want_vnis));
	p->want_by_dev = calloc(p->want.n_ports + 1, sizeof(*p->want_by_dev));
	p->have_by_dev = calloc(p->n_have_ports + 1, sizeof(*p->have_by_dev));
	if (!p->want_vnis || !p->want_by_dev || !p->have_by_dev)
		return -ENOMEM;
	for (size_t i = 0; i < p->want.n_ports; i++) {
		p->want_by_dev[i] = &p->want.ports[i];
		p->want_vnis[n++] = p->want.ports[i].vni;
	}
	for (size_t i = 0; i < p->want.n_vpcs; i++)
		p->want_vnis[n++] = p->want.vpcs[i];
	for (size_t i = 0; i < p->n_have_ports; i++)
		p->have_by_dev[i] = &p->have_ports[i].conf;
	if (n)
		qsort(p->want_vnis, n, sizeof(*p->want_vnis), vni_cmp);
	for (size_t i = 0; i < n; i++)
		if (!i || p->want_vnis[i] != p->want_vnis[i - 1])
			p->want_vnis[p->n_want_vnis++] = p->want_vnis[i];
	if (p->want.n_ports)
		qsort(p->want_by_dev, p->want.n_ports, sizeof(*p->want_by_dev), dev_cmp);
	if (p->n_have_ports)
		qsort(p->have_by_dev, p->n_have_ports, sizeof(*p->have_by_dev), dev_cmp);
	if (p->n_have_vpcs)
		qsort(p->have_vpcs, p->n_have_vpcs, sizeof(*p->have_vpcs), vpc_cmp);
	return 0;
}

bool presence_wants_vpc(const struct presence *p, uint32_t vni)
{
	return p->n_want_vnis && bsearch(&vni, p->want_vnis, p->n_want_vnis, sizeof(vni), vni_cmp);
}

bool presence_has_vpc(const struct presence *p, uint32_t vni)
{
	const struct kernel_vpc key = { .vni = vni };

	return p->n_have_vpcs && bsearch(&key, p->have_vpcs, p->n_have_vpcs, sizeof(key), vpc_cmp);
}

static void port_format(const struct vpc_port *port, char *buf, size_t size)
{
	char mac[VPC_MAC_STRLEN], addr[VPC_PREFIX_STRLEN];
	int n = snprintf(buf, size, "VPC %u mac %s table %u flags 0x%x", port->vni, vpc_mac_format(port->mac, mac),
			 port->table, port->flags);

	if (port->gateway4.family && n > 0 && (size_t)n < size)
		n += snprintf(buf + n, size - n, " gateway %s", vpc_addr_format(&port->gateway4, addr));
	if (port->gateway6.family && n > 0 && (size_t)n < size)
		n += snprintf(buf + n, size - n, " gateway %s", vpc_addr_format(&port->gateway6, addr));
	if (port->subnet6.family && n > 0 && (size_t)n < size)
		n += snprintf(buf + n, size - n, " subnet %s", vpc_prefix_format(&port->subnet6, addr));
	for (size_t i = 0; i < port->n_addrs && n > 0 && (size_t)n < size; i++)
		n += snprintf(buf + n, size - n, " %s", vpc_prefix_format(&port->addrs[i], addr));
}

static const struct vpc_port *find(const struct vpc_port *const *by_dev, size_t n, const struct vpc_port *like)
{
	const struct vpc_port *const *found = n ? bsearch(&like, by_dev, n, sizeof(like), dev_cmp) : NULL;

	return found ? *found : NULL;
}

#define HOST_STRLEN (2 * VPC_ADDR_STRLEN + 24)

static const char *host_format(const struct vpc_addr *vtep4, const struct vpc_addr *vtep6, uint16_t udp_port, char *buf)
{
	char v4[VPC_ADDR_STRLEN] = "", v6[VPC_ADDR_STRLEN] = "";

	snprintf(buf, HOST_STRLEN, "%s%s%s port %u", vtep4->family ? vpc_addr_format(vtep4, v4) : "",
		 vtep4->family && vtep6->family ? " and " : "", vtep6->family ? vpc_addr_format(vtep6, v6) : "",
		 udp_port);
	return buf;
}

static int compare_host(const struct presence *p, presence_fn fn, void *arg)
{
	const struct kernel_host *host = &p->have_host;
	char want[HOST_STRLEN], have[HOST_STRLEN];

	host_format(&p->want.vtep4, &p->want.vtep6, p->want.udp_port, want);
	if (!host->vtep4.family && !host->vtep6.family)
		return p->want.n_ports ? fn(FINDING_MISSING, WHAT_HOST, 0, "VTEP", want, NULL, arg) : 0;
	if (!vpc_addr_cmp(&p->want.vtep4, &host->vtep4) && !vpc_addr_cmp(&p->want.vtep6, &host->vtep6) &&
	    p->want.udp_port == host->udp_port)
		return 0;
	host_format(&host->vtep4, &host->vtep6, host->udp_port, have);
	return fn(FINDING_DIFFERENT, WHAT_HOST, 0, "VTEP", want, have, arg);
}

/* Those without a port here. */
static bool is_peer(const struct presence *p, uint32_t vni)
{
	return p->want.n_vpcs && bsearch(&vni, p->want.vpcs, p->want.n_vpcs, sizeof(vni), vni_cmp);
}

static int compare_vpcs(const struct presence *p, uint32_t only_vni, presence_fn fn, void *arg)
{
	int ret = 0;

	for (size_t i = 0; i < p->n_want_vnis && !ret; i++) {
		uint32_t vni = p->want_vnis[i];

		if ((!only_vni || vni == only_vni) && !presence_has_vpc(p, vni))
			ret = fn(FINDING_MISSING, WHAT_VPC, vni, "VPC",
				 is_peer(p, vni) ? "it, as a peer of VPCs with ports here" : "it, with ports here",
				 NULL, arg);
	}
	for (size_t i = 0; i < p->n_have_vpcs && !ret; i++) {
		uint32_t vni = p->have_vpcs[i].vni;

		if ((only_vni && vni != only_vni) || presence_wants_vpc(p, vni))
			continue;
		ret = fn(FINDING_EXCESS, WHAT_VPC, vni, "VPC", NULL, "it, although no port of this host needs it", arg);
	}
	return ret;
}

int presence_compare(const struct presence *presence, uint32_t only_vni, presence_fn fn, void *arg)
{
	const struct presence *p = presence;
	char object[64], want[256], have[256];
	int ret = compare_host(p, fn, arg);

	if (!ret)
		ret = compare_vpcs(p, only_vni, fn, arg);
	for (size_t i = 0; i < p->want.n_ports && !ret; i++) {
		const struct vpc_port *w = &p->want.ports[i], *h = find(p->have_by_dev, p->n_have_ports, w);

		if ((only_vni && w->vni != only_vni) || (h && vpc_port_equal(w, h)))
			continue;
		snprintf(object, sizeof(object), "port %s", w->dev);
		port_format(w, want, sizeof(want));
		if (h)
			port_format(h, have, sizeof(have));
		ret = fn(h ? FINDING_DIFFERENT : FINDING_MISSING, WHAT_PORT, w->vni, object, want, h ? have : NULL,
			 arg);
	}
	for (size_t i = 0; i < p->n_have_ports && !ret; i++) {
		const struct vpc_port *h = &p->have_ports[i].conf;

		if ((only_vni && h->vni != only_vni) || find(p->want_by_dev, p->want.n_ports, h))
			continue;
		snprintf(object, sizeof(object), "port %s", h->dev);
		port_format(h, have, sizeof(have));
		ret = fn(FINDING_EXCESS, WHAT_PORT, h->vni, object, NULL, have, arg);
	}
	return ret;
}

static int look_add(enum finding_class class, enum finding_what what, uint32_t vni, const char *object,
		    const char *want, const char *have, void *arg)
{
	struct look *look = arg;
	struct look_item *item;

	if (look->n == look->cap) {
		size_t cap = look->cap ? 2 * look->cap : 16;

		item = reallocarray(look->items, cap, sizeof(*item));
		if (!item)
			return -ENOMEM;
		look->items = item;
		look->cap = cap;
	}
	item = &look->items[look->n++];
	*item = (struct look_item){ .class = class, .what = what, .vni = vni, .has_want = want, .has_have = have };
	snprintf(item->object, sizeof(item->object), "%s", object);
	snprintf(item->want, sizeof(item->want), "%s", want ? want : "");
	snprintf(item->have, sizeof(item->have), "%s", have ? have : "");
	return 0;
}

/* Keeps in @standing only what @now has too: same thing, same kind of difference. */
static void look_intersect(struct look *standing, const struct look *now)
{
	size_t kept = 0;

	for (size_t i = 0; i < standing->n; i++)
		for (size_t j = 0; j < now->n; j++)
			if (now->items[j].vni == standing->items[i].vni &&
			    now->items[j].class == standing->items[i].class &&
			    !strcmp(now->items[j].object, standing->items[i].object)) {
				standing->items[kept++] = now->items[j];
				break;
			}
	standing->n = kept;
}

/*
 * Whether its own change is in the outbox. Each change of a host leaves a row there, and a host is published whole:
 * with a row that is as old as the change still there, it cannot have been. A younger one is about something else.
 */
static bool change_waits(const struct presence *p, const struct cdb_cause *cause)
{
	return cause->known && p->pending_ms && p->pending_ms <= cause->created_ms;
}

/* Whether the kernel has its VPC, at an epoch before its own change: ports wait for their VPC's content. */
static bool change_is_ahead(const struct presence *p, const struct cdb_cause *cause)
{
	const struct kernel_vpc key = { .vni = cause->vni }, *vpc = NULL;

	if (cause->known && p->n_have_vpcs)
		vpc = bsearch(&key, p->have_vpcs, p->n_have_vpcs, sizeof(key), vpc_cmp);
	return vpc && vpc->epoch < cause->epoch;
}

/*
 * A host's VTEP does not change under its ports, and the UDP port has no history: of that alone a waiting row may be.
 * Return: since when it waits; 0: it does not.
 */
static uint64_t host_waits(const struct presence *p, const struct look_item *item)
{
	bool tampered = p->want.n_ports && (vpc_addr_cmp(&p->want.vtep4, &p->have_host.vtep4) ||
					    vpc_addr_cmp(&p->want.vtep6, &p->have_host.vtep6));

	return item->what == WHAT_HOST && item->has_have && !tampered ? p->pending_ms : 0;
}

/*
 * Only counted, and no cause is looked up: as what is named of the VPC. When all of that lags, so it is here; with one
 * that drifts the VPC does anyway.
 */
static int count_item(struct report *report, struct report_vpc *vpc, const struct look_item *item)
{
	return report_add(report, vpc, report_drifts(vpc) ? item->class : FINDING_LAG, item->what, item->object, NULL,
			  NULL, NULL);
}

static int report_item(const struct audit *audit, struct report *report, const struct presence *p,
		       const struct look_item *item, struct vpc_err *err)
{
	struct report_vpc *vpc = report_vpc(report, item->vni, NULL);
	uint64_t now = now_wall_ms(), since = host_waits(p, item), lag_ms;
	enum finding_class class = item->class;
	struct finding *finding;
	struct cdb_cause cause;
	bool waits, lags;
	int ret;

	if (!vpc)
		return -ENOMEM;
	if (report_findings(vpc) && report_findings(vpc) >= report->max_findings)
		return count_item(report, vpc, item);
	ret = blame_presence(audit, p, item->what, item->vni,
			     item->what == WHAT_PORT ? item->object + strlen("port ") : NULL, &class, &cause, err);
	if (ret)
		return ret;
	waits = since || change_waits(p, &cause);
	if (cause.known)
		since = cause.created_ms;
	lag_ms = since && since < now ? now - since : 0;
	lags = class != FINDING_FOREIGN &&
	       (waits || change_is_ahead(p, &cause) || (cause.known && lag_ms < audit->max_lag_ms));
	ret = report_add(report, vpc, lags ? FINDING_LAG : class, item->what, item->object,
			 item->has_want ? item->want : NULL, item->has_have ? item->have : NULL, &finding);
	if (!ret && finding) {
		finding->cause = cause;
		finding->waits = waits;
	}
	if (lags && lag_ms > vpc->lag_ms)
		vpc->lag_ms = lag_ms;
	return ret;
}

static int report_standing(const struct audit *audit, struct report *report, const struct presence *p,
			   const struct look *standing, struct vpc_err *err)
{
	int ret = 0;

	for (size_t i = 0; i < standing->n && !ret; i++) {
		if (audit->pace && audit->pace->go_on && !audit->pace->go_on(audit->pace->arg))
			return -ECANCELED;
		ret = report_item(audit, report, p, &standing->items[i], err);
	}
	return ret;
}

int audit_presence(const struct audit *audit, struct report *report, struct presence *ret_presence, struct vpc_err *err)
{
	uint64_t deadline = now_monotonic_us() + 1000ULL * audit->settle_ms;
	struct look standing = { 0 }, now = { 0 };
	struct presence presence = { 0 };
	uint64_t wait_ms = LOOK_MS, left_ms;
	bool first = true;
	int ret;

	for (;;) {
		presence_clear(&presence);
		now.n = 0;
		ret = presence_load(audit, &presence, err);
		if (!ret)
			ret = presence_compare(&presence, audit->only_vni, look_add, first ? &standing : &now);
		if (ret)
			break;
		if (!first)
			look_intersect(&standing, &now);
		first = false;
		if (!standing.n || now_monotonic_us() >= deadline)
			break;
		left_ms = (deadline - now_monotonic_us()) / 1000 + 1;
		poll(NULL, 0, left_ms < wait_ms ? left_ms : wait_ms);
		wait_ms *= 2;
	}
	if (!ret)
		ret = report_standing(audit, report, &presence, &standing, err);
	free(standing.items);
	free(now.items);
	if (ret) {
		presence_clear(&presence);
		return ret;
	}
	*ret_presence = presence;
	return 0;
}
