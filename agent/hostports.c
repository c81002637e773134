// SPDX-License-Identifier: Apache-2.0
/*
 * The host's `ports` node and what follows from it; see hostports.h.
 */
#include "hostports.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include "../lib/log.h"
#include "../lib/util.h"
#include "../proto/znode.h"
#include "backoff.h"
#include "follow.h"
#include "kports.h"
#include "metrics.h"
#include "timer.h"
#include "watch.h"

/**
 * struct hostports - the node, and how far the kernel is
 * @want: the last good node, ports ascending by device
 * @has_want: there was one; nothing is deleted before
 * @fresh: it was read since the connection came up
 * @all: VPCs are compared in the next pass, too
 * @pending: a pass is due, or failed and waits for its timer
 */
struct hostports {
	struct agent *agent;
	struct watch *watch;
	struct vpc_host_ports want;
	bool has_want, fresh, all, pending, failing;
	int bad_version;
	uint64_t reached, generation;
	struct vpc_err reason;
	struct backoff backoff;
	sd_event_source *timer, *defer;
};

/* -- the pass over the kernel -------------------------------------------------------------------------------------- */

static int pass_host(struct hostports *hp, struct kernel *kernel, struct vpc_err *err)
{
	uint16_t udp_port = hp->want.udp_port ? hp->want.udp_port : VPC_UDP_PORT;
	struct kernel_host host;
	char vtep4[VPC_ADDR_STRLEN], vtep6[VPC_ADDR_STRLEN];
	int res;

	res = METER_KERNEL("hostports", host_get, kernel, &host, err);
	if (res || (!vpc_addr_cmp(&host.vtep4, &hp->want.vtep4) && !vpc_addr_cmp(&host.vtep6, &hp->want.vtep6) &&
		    host.udp_port == udp_port))
		return res;
	res = METER_KERNEL("hostports", host_set, kernel, &hp->want.vtep4, &hp->want.vtep6, udp_port, err);
	if (res)
		return res;
	log_info("host: VTEP %s%s%s, UDP port %u",
		 hp->want.vtep4.family ? vpc_addr_format(&hp->want.vtep4, vtep4) : "",
		 hp->want.vtep4.family && hp->want.vtep6.family ? " and " : "",
		 hp->want.vtep6.family ? vpc_addr_format(&hp->want.vtep6, vtep6) : "", udp_port);
	return 0;
}

static bool vpc_ready(uint32_t vni, void *arg)
{
	return follows_ready(arg, vni);
}

static int pass_ports(struct hostports *hp, struct kernel *kernel, size_t *ret_waiting, struct vpc_err *err)
{
	_cleanup_free_ struct kports_step *steps = NULL;
	struct kernel_port *have = NULL;
	size_t n_have = 0, n;
	int res;

	res = METER_KERNEL("hostports", port_list, kernel, &have, &n_have, err);
	if (res)
		return res;
	steps = calloc(n_have + hp->want.n_ports + 1, sizeof(*steps));
	if (steps) {
		kports_plan(hp->want.ports, hp->want.n_ports, have, n_have, vpc_ready, hp->agent->follows, steps, &n,
			    ret_waiting);
		res = kports_run(kernel, steps, n, err);
	} else {
		res = vpc_err_set(err, -ENOMEM, "out of memory");
	}
	kernel_ports_free(have, n_have);
	return res;
}

/* VPCs that no port of this host is in. */
static int pass_vpcs(struct hostports *hp, struct kernel *kernel, struct vpc_err *err)
{
	_cleanup_free_ struct kernel_vpc *vpcs = NULL;
	size_t i, n = 0;
	int res, first = 0;

	res = METER_KERNEL("hostports", vpc_list, kernel, &vpcs, &n, err);
	if (res)
		return res;
	for (i = 0; i < n; i++) {
		struct vpc_err one = { "" };

		if (follows_wanted(hp->agent->follows, vpcs[i].vni))
			continue;
		res = METER_KERNEL("hostports", vpc_del, kernel, vpcs[i].vni, &one);
		if (!res) {
			log_info("VPC %u: removed, no port of this host is in it", vpcs[i].vni);
		} else if (!first) {
			*err = one;
			first = res;
		}
	}
	return first;
}

/* Every part is tried, whatever became of the one before; the first failure is what is said. */
static int pass_run(struct hostports *hp, size_t *ret_waiting, struct vpc_err *err)
{
	struct kernel *kernel = agent_kernel(hp->agent);
	struct vpc_err one = { "" };
	int res, ports_res;

	res = pass_host(hp, kernel, err);
	ports_res = pass_ports(hp, kernel, ret_waiting, &one);
	if (!ports_res && hp->all) {
		ports_res = pass_vpcs(hp, kernel, &one);
		hp->all = ports_res;
	}
	if (!res && ports_res) {
		res = ports_res;
		*err = one;
	}
	return res;
}

static int pass_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	hostports_kick(arg, false);
	return 0;
}

static void pass_failed(struct hostports *hp, int res, const struct vpc_err *err)
{
	agent_kernel_suspect(hp->agent);
	if (!agent_kernel(hp->agent))
		return;
	if (backoff_is_news(&hp->backoff, err->text))
		log_err("ports revision %" PRIu64 ": %s", hp->want.revision, err->text[0] ? err->text : strerror(-res));
	res = timer_arm(hp->agent->event, &hp->timer, backoff_next_us(&hp->backoff, timer_random()), pass_timer, hp);
	if (res < 0)
		log_err("ports: timer: %s", strerror(-res));
	hp->failing = true;
	hp->reason = *err;
}

static int pass(sd_event_source *source, void *arg)
{
	struct hostports *hp = arg;
	struct vpc_err err = { "" };
	size_t waiting = 0;
	int res;

	if (!hp->has_want || !agent_kernel(hp->agent))
		return 0;
	timer_stop(hp->timer);
	res = pass_run(hp, &waiting, &err);
	hp->pending = false;
	if (res) {
		pass_failed(hp, res, &err);
	} else {
		backoff_reset(&hp->backoff);
		hp->failing = false;
		if (!waiting && hp->reached != hp->want.revision) {
			hp->reached = hp->want.revision;
			agent_status_changed(hp->agent);
		}
	}
	agent_progress(hp->agent);
	return 0;
}

void hostports_kick(struct hostports *hp, bool all)
{
	hp->all |= all;
	hp->pending = true;
	sd_event_source_set_enabled(hp->defer, SD_EVENT_ONESHOT);
}

/* -- the node ------------------------------------------------------------------------------------------------------ */

static int vni_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int follow_vpcs(struct hostports *hp, size_t *ret_n)
{
	size_t i, n = 0, n_all = hp->want.n_ports + hp->want.n_vpcs;
	_cleanup_free_ uint32_t *vnis = calloc(n_all + 1, sizeof(*vnis));

	if (!vnis)
		return -ENOMEM;
	for (i = 0; i < hp->want.n_ports; i++)
		vnis[i] = hp->want.ports[i].vni;
	for (; i < n_all; i++)
		vnis[i] = hp->want.vpcs[i - hp->want.n_ports];
	if (i)
		qsort(vnis, i, sizeof(*vnis), vni_cmp);
	for (i = 0; i < n_all; i++) {
		if (!n || vnis[n - 1] != vnis[i])
			vnis[n++] = vnis[i];
	}
	*ret_n = n;
	return follows_want(hp->agent->follows, vnis, n);
}

static int ports_parse(struct hostports *hp, const char *data, size_t len, struct vpc_host_ports *ret,
		       struct vpc_err *err)
{
	struct vpc_host_ports want;
	int res;

	res = vpc_host_ports_parse(data, len, &want, err);
	if (res)
		return res;
	if (strcmp(want.host, hp->agent->config.host))
		res = vpc_err_set(err, -EINVAL, "host: '%s' where '%s' belongs", want.host, hp->agent->config.host);
	if (res) {
		vpc_host_ports_clear(&want);
		return res;
	}
	kports_sort(want.ports, want.n_ports);
	*ret = want;
	return 0;
}

static void ports_take(struct hostports *hp, struct vpc_host_ports *want)
{
	bool news = !hp->has_want || want->revision != hp->want.revision;
	size_t n_vpcs = 0;
	int res;

	if (hp->has_want && want->revision < hp->want.revision)
		log_warn("ports: revision goes back from %" PRIu64 " to %" PRIu64, hp->want.revision, want->revision);
	if (hp->has_want)
		vpc_host_ports_clear(&hp->want);
	hp->want = *want;
	hp->fresh = true;
	res = follow_vpcs(hp, &n_vpcs);
	if (res) {
		/* Without the whole list of VPCs nothing is removed: as if the node had not been read. */
		log_err("ports revision %" PRIu64 ": %s", want->revision, strerror(-res));
		hp->has_want = hp->fresh = false;
		vpc_host_ports_clear(&hp->want);
		return;
	}
	hp->has_want = true;
	hp->generation++;
	if (news)
		log_info("ports revision %" PRIu64 ": %zu port%s, %zu VPC%s", hp->want.revision, hp->want.n_ports,
			 hp->want.n_ports == 1 ? "" : "s", n_vpcs, n_vpcs == 1 ? "" : "s");
	backoff_reset(&hp->backoff);
	agent_ports_read(hp->agent);
}

static void hostports_node(int res, const char *path, const char *data, size_t len, int version, void *arg)
{
	struct hostports *hp = arg;
	struct vpc_host_ports want;
	struct vpc_err err = { "" };

	if (res) {
		log_warn("%s: no such node; %s", path,
			 hp->has_want ? "keeping what the kernel has" : "is this host in CDB? waiting for it");
		return;
	}
	res = ports_parse(hp, data, len, &want, &err);
	if (!res) {
		ports_take(hp, &want);
		return;
	}
	if (version != hp->bad_version)
		log_err("%s (version %d): %s; %s", path, version, err.text,
			hp->has_want ? "keeping the last good one" : "nothing is changed");
	hp->bad_version = version;
	hp->fresh = hp->has_want;
	agent_progress(hp->agent);
}

struct hostports *hostports_new(struct agent *a)
{
	struct hostports *hp = calloc(1, sizeof(*hp));
	char path[VPC_ZNODE_PATH_MAX];

	if (!hp)
		return NULL;
	hp->agent = a;
	hp->bad_version = -1;
	/* Behind everything else that is ready, so that a burst of VPCs makes one pass. */
	if (sd_event_add_defer(a->event, &hp->defer, pass, hp) < 0 ||
	    sd_event_source_set_priority(hp->defer, SD_EVENT_PRIORITY_IDLE) < 0 ||
	    sd_event_source_set_enabled(hp->defer, SD_EVENT_OFF) < 0)
		goto fail;
	hp->watch = watch_new(a->watches, vpc_path_host(a->config.host, "ports", path), hostports_node, hp);
	if (!hp->watch)
		goto fail;
	return hp;
fail:
	hostports_free(hp);
	return NULL;
}

void hostports_free(struct hostports *hp)
{
	if (!hp)
		return;
	watch_free(hp->watch);
	sd_event_source_disable_unref(hp->timer);
	sd_event_source_disable_unref(hp->defer);
	if (hp->has_want)
		vpc_host_ports_clear(&hp->want);
	free(hp);
}

void hostports_kernel_gone(struct hostports *hp)
{
	hp->reached = 0;
}

void hostports_unsettle(struct hostports *hp)
{
	hp->fresh = false;
}

bool hostports_known(const struct hostports *hp)
{
	return hp->has_want;
}

bool hostports_settled(const struct hostports *hp)
{
	return hp->fresh && !hp->pending;
}

uint64_t hostports_revision(const struct hostports *hp)
{
	return hp->reached;
}

size_t hostports_count(const struct hostports *hp)
{
	return hp->want.n_ports;
}

uint64_t hostports_wanted(const struct hostports *hp)
{
	return hp->has_want ? hp->want.revision : 0;
}

uint64_t hostports_generation(const struct hostports *hp)
{
	return hp->has_want ? hp->generation : 0;
}

int hostports_format(const struct hostports *hp, char **ret, size_t *ret_len)
{
	return vpc_host_ports_format(&hp->want, ret, ret_len);
}

bool hostports_failing(const struct hostports *hp)
{
	return hp->failing;
}

const char *hostports_reason(const struct hostports *hp)
{
	return hp->failing ? hp->reason.text : "";
}
