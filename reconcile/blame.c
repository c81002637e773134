// SPDX-License-Identifier: Apache-2.0
/*
 * Since when something differs, and which change should have brought it: out of CDB's history (lib/cdb_history.h), and
 * only for what differs. Called by content.c and presence.c.
 */
#include "audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/cdb_fleet.h"
#include "../lib/util.h"

#define PORTS_MAX 32 /* of one VPC that is missing, whose changes are looked at */
#define LEADS_MAX 32 /* VPCs that lead to a peer, the same */

static void blame_one(struct report_vpc *vpc, struct finding *finding, const struct cdb_cause *cause, bool whole)
{
	finding->cause = *cause;
	if (!cause->known && whole && finding->class == FINDING_EXCESS)
		report_reclass(vpc, finding, FINDING_FOREIGN);
}

/* What causes depend on: history up to the kernel's epoch, which never changes, and what is asked of it. */
static uint64_t causes_key(const struct report_vpc *vpc)
{
	uint64_t key = fnv1a(&vpc->kernel_epoch, sizeof(vpc->kernel_epoch));

	for (size_t i = 0; i < vpc->n_findings; i++)
		if (vpc->findings[i].what == WHAT_ELEMENT)
			key = key * 31 + fnv1a(vpc->findings[i].object, strlen(vpc->findings[i].object));
	return key;
}

static const struct blame_known *recall(const struct pace *pace, const struct report_vpc *vpc, size_t n)
{
	for (size_t i = 0; pace && i < BLAME_KNOWN; i++)
		if (pace->known[i].causes && pace->known[i].vni == vpc->vni && pace->known[i].n == n &&
		    pace->known[i].key == causes_key(vpc))
			return &pace->known[i];
	return NULL;
}

/* Instead of what was known of this VPC, or of one by turns. @causes are owned from here on. */
static void remember(struct pace *pace, const struct report_vpc *vpc, struct cdb_cause *causes, size_t n, bool whole)
{
	struct blame_known *known = NULL;

	for (size_t i = 0; i < BLAME_KNOWN && !known; i++)
		if (pace->known[i].vni == vpc->vni)
			known = &pace->known[i];
	if (!known)
		known = &pace->known[pace->next++ % BLAME_KNOWN];
	free(known->causes);
	*known = (struct blame_known){ vpc->vni, causes_key(vpc), causes, n, whole };
}

void pace_clear(struct pace *pace)
{
	for (size_t i = 0; i < BLAME_KNOWN; i++)
		free(pace->known[i].causes);
	memset(pace->known, 0, sizeof(pace->known));
}

/* In turn with the audits of other hosts: most of the history may have to be read. */
static int look_up(const struct audit *audit, const struct report_vpc *vpc, const struct cdb_element *elements,
		   struct cdb_cause *ret_causes, size_t n, bool *ret_whole, struct vpc_err *err)
{
	unsigned int slot;
	int ret = audit_slot_take(audit, &slot, err);

	if (ret)
		return ret;
	ret = cdb_history_elements(audit->cdb, vpc->vni, vpc->kernel_epoch, elements, ret_causes, n, ret_whole, err);
	cdb_read_slot_give(audit->cdb, slot);
	return ret;
}

static void blame_all(struct report_vpc *vpc, const struct cdb_cause *causes, bool whole)
{
	for (size_t i = 0, j = 0; i < vpc->n_findings; i++)
		if (vpc->findings[i].what == WHAT_ELEMENT)
			blame_one(vpc, &vpc->findings[i], &causes[j++], whole);
}

int blame_elements(const struct audit *audit, struct report_vpc *vpc)
{
	_cleanup_free_ struct cdb_element *elements = calloc(vpc->n_findings + 1, sizeof(*elements));
	_cleanup_free_ struct cdb_cause *causes = calloc(vpc->n_findings + 1, sizeof(*causes));
	const struct blame_known *known;
	struct vpc_err err = { "" };
	bool whole = false;
	size_t n = 0;
	int ret;

	if (!elements || !causes)
		return -ENOMEM;
	for (size_t i = 0; i < vpc->n_findings; i++)
		if (vpc->findings[i].what == WHAT_ELEMENT)
			elements[n++] = vpc->findings[i].element;
	if (!n)
		return 0;
	known = recall(audit->pace, vpc, n);
	if (known) {
		blame_all(vpc, known->causes, known->whole);
		return 0;
	}
	ret = look_up(audit, vpc, elements, causes, n, &whole, &err);
	if (ret == -ENOMEM)
		return ret;
	/* Without a turn the cause is not known; the leg can be. */
	for (size_t i = 0; i < vpc->n_findings && ret && ret != -EAGAIN; i++)
		if (vpc->findings[i].what == WHAT_ELEMENT)
			finding_note(&vpc->findings[i], LEG_UNKNOWN, err.text);
	if (ret)
		return 0;
	blame_all(vpc, causes, whole);
	if (audit->pace) {
		remember(audit->pace, vpc, causes, n, whole);
		causes = NULL;
	}
	return 0;
}

/* The oldest of the newest changes of its ports: since then at least the VPC should be here. @vni 0: of all ports. */
static int blame_missing_vpc(const struct audit *audit, const struct presence *p, uint32_t vni,
			     struct cdb_cause *ret_cause, struct vpc_err *err)
{
	struct cdb_cause oldest = { 0 }, cause;
	unsigned int n = 0;
	bool whole;
	int ret = 0;

	for (size_t i = 0; i < p->want.n_ports && n < PORTS_MAX && !ret; i++) {
		if (vni && p->want.ports[i].vni != vni)
			continue;
		n++;
		ret = cdb_history_port(audit->cdb, p->want.ports[i].vni, audit->host, p->want.ports[i].dev, &cause,
				       &whole, err);
		if (!ret && cause.known && (!oldest.known || cause.created_ms < oldest.created_ms))
			oldest = cause;
	}
	if (!ret)
		*ret_cause = oldest;
	return ret;
}

static int blame_needed(const struct audit *audit, const struct presence *p, uint32_t vni, unsigned int *left,
			struct cdb_cause *ret_cause, struct vpc_err *err);

/*
 * Since when the VPC @lead, which is needed here, leads to its peer @vni: since the nexthop was made, or since @lead is
 * needed, whichever came later.
 */
static int blame_lead(const struct audit *audit, const struct presence *p, uint32_t lead, uint32_t vni,
		      unsigned int *left, struct cdb_cause *ret_cause, struct vpc_err *err)
{
	struct cdb_cause nexthop, needed = { 0 };
	int ret = cdb_history_peer(audit->cdb, lead, vni, &nexthop, err);

	if (!ret)
		ret = blame_needed(audit, p, lead, left, &needed, err);
	if (!ret)
		*ret_cause = needed.known && needed.created_ms > nexthop.created_ms ? needed : nexthop;
	return ret;
}

/* As a peer: by the one that leads there for the longest time. Not known for one: for longer than all that are. */
static int blame_peer(const struct audit *audit, const struct presence *p, uint32_t vni, unsigned int *left,
		      struct cdb_cause *ret_cause, struct vpc_err *err)
{
	_cleanup_free_ uint32_t *leads = NULL;
	struct cdb_cause oldest = { 0 }, cause;
	bool any = false;
	size_t n;
	int ret = cdb_history_leads(audit->cdb, vni, &leads, &n, err);

	for (size_t i = 0; i < n && *left && !ret; i++) {
		if (leads[i] == vni || !presence_wants_vpc(p, leads[i]))
			continue;
		--*left;
		ret = blame_lead(audit, p, leads[i], vni, left, &cause, err);
		if (!ret && (!any || cause.created_ms < oldest.created_ms))
			oldest = cause;
		any = true;
	}
	if (!ret)
		*ret_cause = oldest;
	return ret;
}

/* Since when at least this host needs the VPC. @left: how many leads are looked at yet, of peers of peers in all. */
static int blame_needed(const struct audit *audit, const struct presence *p, uint32_t vni, unsigned int *left,
			struct cdb_cause *ret_cause, struct vpc_err *err)
{
	struct cdb_cause cause;
	int ret = blame_missing_vpc(audit, p, vni, &cause, err);

	if (!ret && !cause.known)
		ret = blame_peer(audit, p, vni, left, &cause, err);
	if (!ret)
		*ret_cause = cause;
	return ret;
}

int blame_vpc(const struct audit *audit, const struct presence *presence, uint32_t vni, struct cdb_cause *ret_cause,
	      struct vpc_err *err)
{
	unsigned int left = LEADS_MAX;

	return blame_needed(audit, presence, vni, &left, ret_cause, err);
}

static void take_newer(struct cdb_cause *cause, const struct cdb_cause *other)
{
	if (other->known && other->created_ms > cause->created_ms)
		*cause = *other;
}

/* Since when it is not needed any more: by a port of its own, or as a peer of what is or was here. */
static int blame_unneeded(const struct audit *audit, const struct presence *p, uint32_t vni,
			  struct cdb_cause *ret_cause, bool *ret_ever, struct vpc_err *err)
{
	_cleanup_free_ uint32_t *leads = NULL;
	struct cdb_cause newest, cause;
	bool ever, any;
	size_t n = 0;
	int ret;

	ret = cdb_history_vpc(audit->cdb, vni, audit->host, &newest, &ever, err);
	for (size_t i = 0; i < p->n_have_vpcs && i < LEADS_MAX && ever && !ret; i++) {
		ret = cdb_history_peer(audit->cdb, p->have_vpcs[i].vni, vni, &cause, err);
		if (!ret)
			take_newer(&newest, &cause);
	}
	if (!ret && ever)
		ret = cdb_history_leads(audit->cdb, vni, &leads, &n, err);
	for (size_t i = 0; i < n && i < LEADS_MAX && !ret; i++) {
		ret = cdb_history_vpc(audit->cdb, leads[i], audit->host, &cause, &any, err);
		if (!ret)
			take_newer(&newest, &cause);
	}
	if (ret)
		return ret;
	*ret_cause = newest;
	*ret_ever = ever;
	return 0;
}

int blame_presence(const struct audit *audit, const struct presence *presence, enum finding_what what, uint32_t vni,
		   const char *dev, enum finding_class *class, struct cdb_cause *ret_cause, struct vpc_err *err)
{
	struct cdb_cause cause = { 0 };
	bool whole = false, ever = true;
	int ret = 0;

	if (what == WHAT_PORT) {
		ret = cdb_history_port(audit->cdb, vni, audit->host, dev, &cause, &whole, err);
		ever = cause.known || !whole;
	} else if (what == WHAT_HOST && *class == FINDING_MISSING) {
		ret = blame_missing_vpc(audit, presence, 0, &cause, err);
	} else if (what == WHAT_VPC && *class == FINDING_MISSING) {
		ret = blame_vpc(audit, presence, vni, &cause, err);
	} else if (what == WHAT_VPC) {
		ret = blame_unneeded(audit, presence, vni, &cause, &ever, err);
	}
	if (ret)
		return ret;
	if (*class == FINDING_EXCESS && !ever)
		*class = FINDING_FOREIGN;
	*ret_cause = cause;
	return 0;
}
