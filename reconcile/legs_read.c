// SPDX-License-Identifier: Apache-2.0
/*
 * Asks ZooKeeper (HEADs, this host's `ports` and `status`) and the agent (its socket) where things stand; see legs.h.
 * Only for what differs, and each at most once a report; how many HEADs are read for one report is bounded.
 */
#include "legs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "../lib/agent_ask.h"
#include "../lib/digest.h"
#include "../lib/util.h"
#include "../lib/zk.h"
#include "../proto/agent_report.h"

#define CONNECT_MS 3000
#define READ_MS	   2000
#define AGENT_S	   2
#define HEADS_MAX  256 /* of one report */

struct legs {
	const struct vpc_config *config;
	const char *host;
	struct zk *zk;
	char why[512]; /* ZooKeeper does not answer; "": it does, or was not asked */
	bool asked, agent, has_status, has_ports;
	struct vpc_agent_report report;
	struct vpc_host_status status;
	struct vpc_host_ports ports;
	unsigned int heads;
};

struct legs *legs_new(const struct vpc_config *config, const char *host)
{
	struct legs *legs = calloc(1, sizeof(*legs));

	if (!legs)
		return NULL;
	legs->config = config;
	legs->host = host;
	return legs;
}

static void forget(struct legs *legs)
{
	if (legs->agent)
		vpc_agent_report_clear(&legs->report);
	if (legs->has_status)
		vpc_host_status_clear(&legs->status);
	if (legs->has_ports)
		vpc_host_ports_clear(&legs->ports);
	legs->asked = legs->agent = legs->has_status = legs->has_ports = false;
	legs->heads = 0;
	legs->why[0] = '\0';
}

void legs_free(struct legs *legs)
{
	if (!legs)
		return;
	forget(legs);
	zk_close(legs->zk);
	free(legs);
}

void legs_freep(struct legs **legs)
{
	legs_free(*legs);
}

/* -- asking -------------------------------------------------------------------------------------------------------- */

/* 0; -ENOENT: no node; any other: ZooKeeper does not answer, and is not asked again for this report. */
static int read_node(struct legs *legs, const char *path, char **ret, size_t *ret_len)
{
	int res = legs->why[0] ? -ENOTCONN : zk_get_wait(legs->zk, path, READ_MS, ret, ret_len, NULL);

	if (res && res != -ENOENT && !legs->why[0])
		snprintf(legs->why, sizeof(legs->why), "%s: %s", legs->config->zk_hosts, zk_strerror(res));
	return res;
}

static void connect_zookeeper(struct legs *legs)
{
	static const struct zk_ops ops = { 0 };
	struct vpc_err err = { "" };
	int res = 0;

	if (!legs->zk && zk_open(legs->config->zk_hosts, legs->config->zk_session_ms, &ops, NULL, &legs->zk, &err)) {
		snprintf(legs->why, sizeof(legs->why), "%s", err.text);
		return;
	}
	if (!zk_connected(legs->zk))
		res = zk_connect_wait(legs->zk, CONNECT_MS);
	if (res)
		snprintf(legs->why, sizeof(legs->why), "%s: %s", legs->config->zk_hosts, zk_strerror(res));
}

static void read_agent(struct legs *legs)
{
	_cleanup_free_ char *data = NULL;
	size_t len;

	if (!legs->config->run_dir || agent_ask(legs->config->run_dir, legs->host, AGENT_S, &data, &len, NULL))
		return;
	legs->agent = !vpc_agent_report_parse(data, len, &legs->report, NULL);
}

/* Once a report. */
static void ask(struct legs *legs)
{
	_cleanup_free_ char *status = NULL, *ports = NULL;
	char path[VPC_ZNODE_PATH_MAX];
	size_t len;

	if (legs->asked)
		return;
	legs->asked = true;
	connect_zookeeper(legs);
	if (!read_node(legs, vpc_path_host(legs->host, "status", path), &status, &len))
		legs->has_status = !vpc_host_status_parse(status, len, &legs->status, NULL);
	if (!read_node(legs, vpc_path_host(legs->host, "ports", path), &ports, &len))
		legs->has_ports = !vpc_host_ports_parse(ports, len, &legs->ports, NULL);
	read_agent(legs);
}

/* ZooKeeper's digest for the kernel's epoch, from HEAD, its snapshot or the delta that ends there. */
static void compare_node(struct legs *legs, const struct vpc_head *head, const struct vpc_digest *want,
			 struct leg_facts *facts)
{
	_cleanup_free_ char *data = NULL;
	char path[VPC_ZNODE_PATH_MAX];
	struct vpc_delta delta;
	size_t len;

	if (head->epoch == facts->need) {
		facts->node_differs = !vpc_digest_equal(&head->digest, want);
		return;
	}
	if (head->snapshot == facts->need) {
		facts->node_differs = !vpc_digest_equal(&head->snapshot_digest, want);
		return;
	}
	facts->node_unknown = true;
	vpc_delta_init(&delta, head->vni);
	if (read_node(legs, vpc_path_delta(head->vni, facts->need, path), &data, &len) ||
	    vpc_delta_parse(data, len, &delta, NULL))
		return;
	facts->node_unknown = false;
	facts->node_differs = !vpc_digest_equal(&delta.digest, want);
	vpc_delta_clear(&delta);
}

/* @want: CDB's digest for @facts->need, NULL where it does not matter. */
static void read_head(struct legs *legs, uint32_t vni, const struct vpc_digest *want, struct leg_facts *facts)
{
	_cleanup_free_ char *data = NULL;
	char path[VPC_ZNODE_PATH_MAX];
	struct vpc_head head;
	size_t len = 0;
	int res;

	res = read_node(legs, vpc_path_vpc(vni, path), &data, &len);
	facts->zookeeper = !res || res == -ENOENT;
	facts->why = legs->why;
	if (res || !len || vpc_head_parse(data, len, &head, NULL))
		return;
	facts->has_node = true;
	facts->node = head.epoch;
	if (want)
		compare_node(legs, &head, want, facts);
}

static void agent_facts(const struct legs *legs, uint32_t vni, const struct vpc_digest *want, struct leg_facts *facts)
{
	facts->agent = legs->agent;
	for (size_t i = 0; legs->agent && i < legs->report.n_vpcs; i++) {
		const struct vpc_agent_report_vpc *vpc = &legs->report.vpcs[i];

		if (vpc->vni != vni)
			continue;
		facts->agent_knows = vpc->head;
		facts->agent_reached = vpc->epoch;
		facts->agent_reason = vpc->reason;
	}
	for (size_t i = 0; want && legs->has_status && i < legs->status.n_vpcs; i++) {
		const struct vpc_status_vpc *vpc = &legs->status.vpcs[i];

		if (vpc->vni == vni && vpc->epoch == facts->need)
			facts->agent_differs = !vpc_digest_equal(&vpc->digest, want);
	}
}

/* Whether ZooKeeper's `ports` are what CDB has: VTEP, peers and all. */
static bool ports_differ(const struct vpc_host_ports *zk, const struct vpc_host_ports *cdb)
{
	if (zk->n_ports != cdb->n_ports || zk->n_vpcs != cdb->n_vpcs || zk->udp_port != cdb->udp_port ||
	    vpc_addr_cmp(&zk->vtep4, &cdb->vtep4) || vpc_addr_cmp(&zk->vtep6, &cdb->vtep6))
		return true;
	for (size_t i = 0; i < cdb->n_vpcs; i++)
		if (zk->vpcs[i] != cdb->vpcs[i])
			return true;
	for (size_t i = 0; i < cdb->n_ports; i++) {
		bool same = false;

		for (size_t j = 0; j < zk->n_ports && !same; j++)
			same = vpc_port_equal(&zk->ports[j], &cdb->ports[i]);
		if (!same)
			return true;
	}
	return false;
}

/* -- explaining ---------------------------------------------------------------------------------------------------- */

static void presence_facts(const struct legs *legs, const struct presence *p, const struct finding *finding,
			   struct leg_facts *facts)
{
	*facts = (struct leg_facts){
		.waits = finding->waits,
		.zookeeper = !legs->why[0],
		.why = legs->why,
		.need = p->want.revision,
		.has_node = legs->has_ports,
		.node = legs->has_ports ? legs->ports.revision : 0,
		.node_differs = legs->has_ports && ports_differ(&legs->ports, &p->want),
		.agent = legs->agent,
		.agent_knows = legs->agent ? legs->report.revision : 0,
		.agent_reached = legs->agent ? legs->report.reached : 0,
		.agent_reason = legs->agent ? legs->report.reason : NULL,
	};
}

/* The content of one VPC: behind, or wrong at its epoch. */
static void explain_content(struct legs *legs, const struct audit *audit, const struct report_vpc *vpc,
			    struct finding *finding)
{
	bool lag = finding->class == FINDING_LAG;
	struct leg_facts facts = { .need = lag ? vpc->kernel_epoch + 1 : vpc->kernel_epoch };
	struct vpc_digest want;
	char note[NOTE_MAX] = "";
	enum finding_leg leg;
	uint64_t waits = 0;
	bool known = false;

	if (finding->class == FINDING_DIGEST) {
		finding_note(finding, LEG_KERNEL, NULL);
		return;
	}
	if (legs->heads >= HEADS_MAX) {
		finding_note(finding, LEG_UNKNOWN, "too many VPCs differ to ask ZooKeeper about each");
		return;
	}
	legs->heads++;
	ask(legs);
	if (!lag)
		known = !cdb_epoch_digest(audit->cdb, vpc->vni, vpc->kernel_epoch, &want, NULL);
	read_head(legs, vpc->vni, known ? &want : NULL, &facts);
	facts.node_unknown |= !lag && !known;
	agent_facts(legs, vpc->vni, known ? &want : NULL, &facts);
	/* Only asked where ZooKeeper does not say it. */
	if (lag && !facts.zookeeper && !cdb_outbox_waits(audit->cdb, NULL, vpc->vni, &waits, NULL))
		facts.waits = waits;
	leg = lag ? leg_of_lag(&facts, note) :
		    leg_of_drift(&facts, known && vpc_digest_equal(&want, &vpc->kernel_digest), note);
	finding_note(finding, leg, note);
}

static void explain_presence(struct legs *legs, const struct presence *presence, struct finding *finding)
{
	struct leg_facts facts;
	char note[NOTE_MAX] = "";
	enum finding_leg leg;

	ask(legs);
	presence_facts(legs, presence, finding, &facts);
	leg = leg_of_presence(&facts, finding->what == WHAT_PORT ? LEG_PORTS : LEG_AGENT_KERNEL, note);
	finding_note(finding, leg, note);
}

static void explain_vpc(struct legs *legs, const struct audit *audit, const struct presence *presence,
			struct report_vpc *vpc)
{
	const struct finding *said = NULL;

	for (size_t i = 0; i < vpc->n_findings; i++) {
		struct finding *finding = &vpc->findings[i];

		/* The reason why its cause is not known, which is CDB's. */
		if (finding->note)
			continue;
		if (audit->late_only && finding->class == FINDING_LAG && vpc->lag_ms <= audit->max_lag_ms) {
			finding_note(finding, LEG_UNKNOWN, "it is young: ZooKeeper was not asked");
			continue;
		}
		switch (finding->what) {
		case WHAT_ELEMENT:
			if (said)
				finding_note(finding, said->leg, said->note);
			else
				explain_content(legs, audit, vpc, finding);
			said = said ? said : finding;
			break;
		case WHAT_CONTENT:
			explain_content(legs, audit, vpc, finding);
			break;
		case WHAT_PORT:
		case WHAT_VPC:
		case WHAT_HOST:
			explain_presence(legs, presence, finding);
			break;
		}
	}
}

void legs_explain(struct legs *legs, const struct audit *audit, const struct presence *presence,
		  struct report *report)
{
	forget(legs);
	for (size_t i = 0; i < report->n_vpcs; i++)
		explain_vpc(legs, audit, presence, &report->vpcs[i]);
	/* No session is held by those who have nothing to ask. */
	if (!legs->asked) {
		zk_close(legs->zk);
		legs->zk = NULL;
	}
}
