// SPDX-License-Identifier: Apache-2.0
/*
 * Since when something differs, and which change should have brought it: out of CDB's history (lib/cdb_history.h), and
 * only for what differs. Called by content.c and presence.c.
 */
#include "audit.h"

#include <errno.h>
#include <string.h>
#include "../lib/util.h"

#define PORTS_MAX 32 /* of one VPC that is missing, whose changes are looked at */

static void blame_one(struct report_vpc *vpc, struct finding *finding, const struct cdb_cause *cause, bool whole)
{
	finding->cause = *cause;
	if (!cause->known && whole && finding->class == FINDING_EXCESS)
		report_reclass(vpc, finding, FINDING_FOREIGN);
}

int blame_elements(const struct audit *audit, struct report_vpc *vpc)
{
	_cleanup_free_ struct cdb_element *elements = NULL;
	_cleanup_free_ struct cdb_cause *causes = NULL;
	struct vpc_err err = { "" };
	size_t n = 0;
	bool whole;
	int ret;

	elements = calloc(vpc->n_findings + 1, sizeof(*elements));
	causes = calloc(vpc->n_findings + 1, sizeof(*causes));
	if (!elements || !causes)
		return -ENOMEM;
	for (size_t i = 0; i < vpc->n_findings; i++)
		if (vpc->findings[i].what == WHAT_ELEMENT)
			elements[n++] = vpc->findings[i].element;
	if (!n)
		return 0;
	ret = cdb_history_elements(audit->cdb, vpc->vni, vpc->kernel_epoch, elements, causes, n, &whole, &err);
	if (ret == -ENOMEM)
		return ret;
	for (size_t i = 0, j = 0; i < vpc->n_findings; i++) {
		struct finding *finding = &vpc->findings[i];

		if (finding->what != WHAT_ELEMENT)
			continue;
		if (ret)
			finding_note(finding, LEG_UNKNOWN, err.text);
		else
			blame_one(vpc, finding, &causes[j++], whole);
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

/* As a peer: of the VPCs that are needed here, the one that came to lead there last. */
static int blame_missing_peer(const struct audit *audit, const struct presence *p, uint32_t vni,
			      struct cdb_cause *ret_cause, struct vpc_err *err)
{
	struct cdb_cause newest = { 0 }, cause;
	int ret = 0;

	for (size_t i = 0; i < p->n_have_vpcs && !ret; i++) {
		ret = cdb_history_peer(audit->cdb, p->have_vpcs[i].vni, vni, &cause, err);
		if (!ret && cause.known && cause.created_ms > newest.created_ms)
			newest = cause;
	}
	if (!ret)
		*ret_cause = newest;
	return ret;
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
		ret = blame_missing_vpc(audit, presence, vni, &cause, err);
		if (!ret && !cause.known)
			ret = blame_missing_peer(audit, presence, vni, &cause, err);
	} else if (what == WHAT_VPC) {
		ret = cdb_history_vpc(audit->cdb, vni, audit->host, &cause, &ever, err);
	}
	if (ret)
		return ret;
	if (*class == FINDING_EXCESS && !ever)
		*class = FINDING_FOREIGN;
	*ret_cause = cause;
	return 0;
}
