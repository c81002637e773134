// SPDX-License-Identifier: Apache-2.0
/*
 * One VPC's content. By digest: the kernel's, of its epoch, against the one that CDB's history has for that epoch; a
 * few rows by their keys, whatever the VPC's size. Where they differ, or all entries are asked for: the kernel's
 * snapshot first, then CDB (want.c), turned back to the kernel's epoch.
 *
 * In this order CDB is never behind, unless it was restored from a backup, and that is said. The diff is lib/diff.c,
 * the same that the agent uses; nothing else is shared with it.
 */
#include "audit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/diff.h"
#include "../lib/digest.h"
#include "../lib/util.h"

struct compare {
	const struct audit *audit;
	const struct report *report;
	struct report_vpc *vpc;
	/* With a table: the nexthops and groups that its routes use, on either side, and their members; ascending. */
	uint32_t *used;
	size_t n_used;
};

static int id_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static bool is_used(const struct compare *c, uint32_t id)
{
	return c->n_used && bsearch(&id, c->used, c->n_used, sizeof(id), id_cmp);
}

static void sort_used(struct compare *c)
{
	size_t n = 0;

	if (c->n_used)
		qsort(c->used, c->n_used, sizeof(*c->used), id_cmp);
	for (size_t i = 0; i < c->n_used; i++)
		if (!i || c->used[i] != c->used[i - 1])
			c->used[n++] = c->used[i];
	c->n_used = n;
}

/* What the routes of the table lead through. -ENOMEM. */
static int find_used(struct compare *c, const struct vpc_state *want, const struct vpc_state *have)
{
	const struct vpc_state *both[] = { want, have };
	size_t n;

	c->used = calloc(want->n_routes + have->n_routes + want->n_members + have->n_members + 1, sizeof(*c->used));
	if (!c->used)
		return -ENOMEM;
	for (size_t s = 0; s < ARRAY_SIZE(both); s++)
		for (size_t i = 0; i < both[s]->n_routes; i++)
			if (both[s]->routes[i].table == c->audit->table)
				c->used[c->n_used++] = both[s]->routes[i].nexthop;
	sort_used(c);
	n = c->n_used;
	for (size_t s = 0; s < ARRAY_SIZE(both); s++)
		for (size_t i = 0; i < both[s]->n_members; i++)
			if (bsearch(&both[s]->members[i].group, c->used, n, sizeof(*c->used), id_cmp))
				c->used[c->n_used++] = both[s]->members[i].nexthop;
	sort_used(c);
	return 0;
}

static enum finding_class class_of(enum vpc_diff_kind kind)
{
	switch (kind) {
	case VPC_DIFF_MISSING:
		return FINDING_MISSING;
	case VPC_DIFF_EXCESS:
		return FINDING_EXCESS;
	case VPC_DIFF_DIFFERENT:
		return FINDING_DIFFERENT;
	}
	return FINDING_DIFFERENT;
}

static bool is_asked_for(const struct compare *c, const struct vpc_diff_entry *entry)
{
	const struct vpc_route *route = entry->want_route ? entry->want_route : entry->have_route;
	const struct vpc_nl_member *member = entry->want_member ? entry->want_member : entry->have_member;
	const struct vpc_nl_nexthop *nexthop = entry->want_nexthop ? entry->want_nexthop : entry->have_nexthop;

	if (!c->audit->has_table)
		return true;
	if (route)
		return route->table == c->audit->table;
	return is_used(c, member ? member->group : nexthop->id);
}

static int add_entry(const struct vpc_diff_entry *entry, void *arg)
{
	const struct compare *c = arg;
	struct finding *finding;
	struct cdb_element element;
	char object[96], prefix[VPC_PREFIX_STRLEN], want[VPC_NEXTHOP_STRLEN], have[VPC_NEXTHOP_STRLEN];
	bool has_want = entry->want_nexthop || entry->want_member || entry->want_route;
	bool has_have = entry->have_nexthop || entry->have_member || entry->have_route;
	int ret;

	if (!is_asked_for(c, entry))
		return 0;
	if (entry->want_nexthop || entry->have_nexthop) {
		const struct vpc_nl_nexthop *nh = entry->want_nexthop ? entry->want_nexthop : entry->have_nexthop;

		element = (struct cdb_element){ .kind = CDB_ELEMENT_NEXTHOP, .nexthop = *nh };
		snprintf(object, sizeof(object), "nexthop %u", nh->id);
		if (has_want)
			vpc_nexthop_format(entry->want_nexthop, want);
		if (has_have)
			vpc_nexthop_format(entry->have_nexthop, have);
	} else if (entry->want_member || entry->have_member) {
		const struct vpc_nl_member *m = entry->want_member ? entry->want_member : entry->have_member;

		element = (struct cdb_element){ .kind = CDB_ELEMENT_MEMBER, .member = *m };
		snprintf(object, sizeof(object), "member %u of group %u", m->nexthop, m->group);
		if (has_want)
			snprintf(want, sizeof(want), "weight %u", entry->want_member->weight);
		if (has_have)
			snprintf(have, sizeof(have), "weight %u", entry->have_member->weight);
	} else {
		const struct vpc_route *r = entry->want_route ? entry->want_route : entry->have_route;

		element = (struct cdb_element){ .kind = CDB_ELEMENT_ROUTE, .route = *r };
		snprintf(object, sizeof(object), "route table %u %s", r->table, vpc_prefix_format(&r->prefix, prefix));
		if (has_want)
			snprintf(want, sizeof(want), "nexthop %u", entry->want_route->nexthop);
		if (has_have)
			snprintf(have, sizeof(have), "nexthop %u", entry->have_route->nexthop);
	}
	ret = report_add(c->report, c->vpc, class_of(entry->kind), WHAT_ELEMENT, object, has_want ? want : NULL,
			 has_have ? have : NULL, &finding);
	if (!ret && finding)
		finding->element = element;
	return ret;
}

static int compare_digest(const struct report *report, struct report_vpc *vpc, const char *object,
			  const struct vpc_digest *content, const struct vpc_digest *stated)
{
	char want[VPC_DIGEST_STRLEN], have[VPC_DIGEST_STRLEN];

	if (vpc_digest_equal(content, stated))
		return 0;
	return report_add(report, vpc, FINDING_DIGEST, WHAT_CONTENT, object, vpc_digest_format(content, want),
			  vpc_digest_format(stated, have), NULL);
}

int audit_compare_states(const struct audit *audit, const struct report *report, struct report_vpc *vpc,
			 const struct vpc_state *want, const struct vpc_state *have)
{
	struct compare c = { .audit = audit, .report = report, .vpc = vpc };
	struct vpc_digest content = vpc_digest_of_state(have);
	int ret = 0;

	vpc->n_routes = want->n_routes;
	vpc->n_nexthops = want->n_nexthops;
	vpc->n_members = want->n_members;
	if (audit->has_table)
		ret = find_used(&c, want, have);
	if (!ret)
		ret = vpc_diff(want, have, add_entry, &c);
	free(c.used);
	if (ret)
		return ret;
	return compare_digest(report, vpc, "digest of the kernel's dump", &content, &have->digest);
}

void audit_take_epoch(const struct report *report, struct report_vpc *vpc, uint64_t epoch,
		      const struct cdb_epoch *found)
{
	/* One time for all: to ask the clock of User Mode Linux costs more than the rest. */
	uint64_t now = report->time_ms, since = found->newer_ms, lag_ms;

	snprintf(vpc->name, sizeof(vpc->name), "%s", found->name);
	vpc->kernel_epoch = epoch;
	vpc->cdb_epoch = found->now;
	/* Nobody expected it here before. */
	if (!epoch && vpc->needed.known && vpc->needed.created_ms > since)
		since = vpc->needed.created_ms;
	vpc->newer = (struct cdb_cause){
		.known = found->newer_ms, .vni = vpc->vni, .epoch = epoch + 1, .created_ms = found->newer_ms
	};
	snprintf(vpc->newer.change, sizeof(vpc->newer.change), "%s", found->newer_change);
	if (!epoch && vpc->needed.known)
		vpc->newer = vpc->needed;
	lag_ms = since && since < now ? now - since : 0;
	/* That of a port or of the VPC itself may be longer. */
	if (lag_ms > vpc->lag_ms)
		vpc->lag_ms = lag_ms;
}

/* What forwarding reads beside the tables, and the kernel says of it that it does not fit them. */
static int add_faults(struct report *report, struct report_vpc *vpc, uint32_t faults)
{
	char object[64];
	int ret = 0;

	for (unsigned int i = 0; i < 32 && !ret; i++) {
		if (!(faults & 1U << i))
			continue;
		if (kernel_fault_name(i))
			snprintf(object, sizeof(object), "%s, which forwarding reads", kernel_fault_name(i));
		else
			snprintf(object, sizeof(object), "fault %u of what forwarding reads", i);
		ret = report_add(report, vpc, FINDING_DIGEST, WHAT_CONTENT, object, NULL,
				 "something else than it should", NULL);
	}
	return ret;
}

static int verify(const struct audit *audit, struct report *report, struct report_vpc *vpc, struct vpc_err *err)
{
	struct kernel_vpc stated;
	struct vpc_digest found;
	int ret = kernel_verify(audit->kernel, vpc->vni, &stated, &found, err);

	if (ret)
		return ret;
	ret = compare_digest(report, vpc, "digest of what forwarding reads", &found, &stated.digest);
	return ret ? ret : add_faults(report, vpc, stated.faults);
}

/* History never changes, so it does not matter that the kernel was asked a while ago. */
static void compare_by_digest(struct report_vpc *vpc, const struct kernel_vpc *kernel, const struct cdb_epoch *found)
{
	/* No history has an epoch 0, at which a VPC is empty. */
	static const struct vpc_digest empty = { { 0 } };

	if (kernel->epoch)
		vpc->by_digest = found->known && kernel->epoch <= found->now &&
				 vpc_digest_equal(&found->digest, &kernel->digest);
	else
		vpc->by_digest = vpc_digest_equal(&empty, &kernel->digest);
	if (!vpc->by_digest)
		return;
	vpc->n_routes = kernel->n_routes;
	vpc->n_nexthops = kernel->n_nexthops;
	vpc->n_members = kernel->n_members;
}

static int compare_entries(const struct audit *audit, struct report *report, struct report_vpc *vpc,
			   struct vpc_err *err)
{
	struct vpc_state want, have;
	int ret;

	vpc_state_init(&want, vpc->vni);
	vpc_state_init(&have, vpc->vni);
	ret = kernel_dump(audit->kernel, vpc->vni, &have, err);
	if (!ret) {
		vpc->kernel_digest = have.digest;
		ret = audit_load_want(audit, report, vpc, have.epoch, &have, &want, err);
	}
	if (!ret)
		ret = audit_compare_states(audit, report, vpc, &want, &have);
	vpc_state_clear(&want);
	vpc_state_clear(&have);
	return ret;
}

/* Another digest at the same epoch is drift, whether or not the entries could be read. */
static int add_unread(struct report *report, struct report_vpc *vpc, const struct kernel_vpc *kernel,
		      const struct cdb_epoch *found)
{
	char want[VPC_DIGEST_STRLEN], have[VPC_DIGEST_STRLEN];

	return report_add(report, vpc, FINDING_DIFFERENT, WHAT_CONTENT, "content (entries not read)",
			  vpc_digest_format(&found->digest, want), vpc_digest_format(&kernel->digest, have), NULL);
}

static bool is_proven(const struct kernel_vpc *kernel, const struct cdb_epoch *found)
{
	return found->known && kernel->epoch <= found->now && !vpc_digest_equal(&found->digest, &kernel->digest);
}

static int add_lag(struct report *report, struct report_vpc *vpc)
{
	struct finding *finding;
	char want[32], have[32];
	int ret;

	snprintf(want, sizeof(want), "epoch %" PRIu64, vpc->cdb_epoch);
	snprintf(have, sizeof(have), "epoch %" PRIu64, vpc->kernel_epoch);
	ret = report_add(report, vpc, FINDING_LAG, WHAT_CONTENT, "content", want, have, &finding);
	if (!ret && finding)
		finding->cause = vpc->newer;
	return ret;
}

/* What was compared stands although the ways could not be asked for at one epoch. */
static int probe(const struct audit *audit, struct report *report, struct report_vpc *vpc, struct vpc_err *err)
{
	int ret = audit_probe(audit, report, vpc, err);

	if (ret != -EAGAIN)
		return ret;
	snprintf(vpc->unprobed, sizeof(vpc->unprobed), "%.150s", err->text);
	return 0;
}

int audit_content(const struct audit *audit, struct report *report, const struct presence *presence,
		  const struct kernel_vpc *kernel, const struct cdb_epoch *found)
{
	struct report_vpc *vpc = report_vpc(report, kernel->vni, NULL);
	struct vpc_err err = { "" };
	int ret = 0;

	if (!vpc)
		return -ENOMEM;
	vpc->kernel_epoch = kernel->epoch;
	vpc->kernel_digest = kernel->digest;
	if (!found->name[0])
		ret = vpc_err_set(&err, -ENOENT, "there is no VPC with VNI %u in CDB any more", kernel->vni);
	else if (!kernel->epoch)
		ret = blame_vpc(audit, presence, kernel->vni, &vpc->needed, &err);
	if (!ret)
		audit_take_epoch(report, vpc, kernel->epoch, found);
	if (!ret && !audit->full)
		compare_by_digest(vpc, kernel, found);
	if (!ret && !vpc->by_digest)
		ret = compare_entries(audit, report, vpc, &err);
	/* A dump that was cut short, or tables that are: only the kernel itself can tell. */
	if (ret == -EUCLEAN && verify(audit, report, vpc, &(struct vpc_err){ "" }) == -ENOMEM)
		ret = -ENOMEM;
	if (ret == -EAGAIN && vpc->no_slot && is_proven(kernel, found))
		ret = add_unread(report, vpc, kernel, found);
	if (!ret && audit->verify)
		ret = verify(audit, report, vpc, &err);
	if (!ret && audit->probes)
		ret = probe(audit, report, vpc, &err);
	if (!ret && vpc->cdb_epoch > vpc->kernel_epoch)
		ret = add_lag(report, vpc);
	if (ret == -ENOMEM || ret == -ECANCELED)
		return ret;
	if (ret)
		report_fail(vpc, ret, err.text);
	return blame_elements(audit, vpc);
}
