// SPDX-License-Identifier: Apache-2.0
/*
 * The agent as a whole: its parts put together, what they tell each other, and whether it is live; see agent.h.
 */
#include "agent.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include "../lib/log.h"
#include "../lib/util.h"
#include "cache.h"
#include "control.h"
#include "follow.h"
#include "hostports.h"
#include "klink.h"
#include "metrics.h"
#include "reload.h"
#include "restore.h"
#include "resync.h"
#include "scrape.h"
#include "session.h"
#include "status.h"
#include "watch.h"

struct kernel *agent_kernel(struct agent *a)
{
	return klink_kernel(a->klink);
}

struct kernel *agent_dump(struct agent *a)
{
	return klink_dump(a->klink);
}

struct zk *agent_zk(struct agent *a)
{
	return session_zk(a->session);
}

/* -- the state of the whole ---------------------------------------------------------------------------------------- */

const char *agent_state_name(enum agent_state state)
{
	switch (state) {
	case AGENT_CONNECTING:
		return "connecting";
	case AGENT_SYNCING:
		return "syncing";
	case AGENT_LIVE:
		return "live";
	case AGENT_ISOLATED:
		return "isolated";
	}
	return "?";
}

static void agent_enter(struct agent *a, enum agent_state state, const char *text)
{
	a->state = state;
	a->state_since_us = now_monotonic_us();
	metrics_transition(agent_state_name(state));
	if (state == AGENT_ISOLATED)
		log_warn("%s", text);
	else
		log_info("%s", text);
	sd_notifyf(0, "STATUS=%s", text);
}

static void agent_ready(struct agent *a)
{
	if (!a->ready)
		sd_notify(0, "READY=1");
	a->ready = true;
}

void agent_progress(struct agent *a)
{
	size_t failing = follows_failing(a->follows);
	char text[256], failed[64] = "";

	if (a->state != AGENT_SYNCING || !agent_kernel(a) || !hostports_settled(a->hostports) ||
	    follows_unsettled(a->follows))
		return;
	if (failing)
		snprintf(failed, sizeof(failed), ", %zu of them not at HEAD", failing);
	snprintf(text, sizeof(text), "live: ports revision %" PRIu64 "%s, %zu ports, %zu VPCs%s",
		 hostports_revision(a->hostports), hostports_failing(a->hostports) ? " (newer ones failing)" : "",
		 hostports_count(a->hostports), follows_count(a->follows), failed);
	agent_enter(a, AGENT_LIVE, text);
	agent_ready(a);
	cache_changed(a->cache);
}

void agent_connected(struct agent *a, bool fresh)
{
	agent_enter(a, AGENT_SYNCING,
		    fresh ? "syncing: connected to ZooKeeper, new session" : "syncing: connected to ZooKeeper again");
	restore_connected(a->restore);
	hostports_unsettle(a->hostports);
	follows_unsettle(a->follows);
	watches_read_all(a->watches);
	status_connected(a->status, fresh);
}

void agent_disconnected(struct agent *a, const char *why)
{
	char text[256];

	if (a->state == AGENT_CONNECTING) {
		log_debug("ZooKeeper: %s", why);
		return;
	}
	if (a->state == AGENT_ISOLATED) {
		log_info("ZooKeeper: %s", why);
		return;
	}
	snprintf(text, sizeof(text), "isolated: ZooKeeper: %s; forwarding goes on with what the kernel has", why);
	agent_enter(a, AGENT_ISOLATED, text);
	/* It may have gone before the kernel had everything. */
	restore_alone(a->restore);
}

void agent_kernel_suspect(struct agent *a)
{
	klink_check(a->klink);
}

void agent_ports_read(struct agent *a)
{
	hostports_kick(a->hostports, true);
	agent_status_changed(a);
}

void agent_vpc_ready(struct agent *a)
{
	hostports_kick(a->hostports, false);
}

void agent_restored(struct agent *a, const char *text)
{
	agent_enter(a, AGENT_ISOLATED, text);
	agent_ready(a);
	follows_step_all(a->follows);
}

void agent_status_changed(struct agent *a)
{
	status_changed(a->status);
	cache_changed(a->cache);
}

/* -- the kernel ---------------------------------------------------------------------------------------------------- */

static void kernel_up(void *arg)
{
	struct agent *a = arg;

	if (a->state == AGENT_LIVE)
		agent_enter(a, AGENT_SYNCING, "syncing: comparing the kernel again");
	follows_unsettle(a->follows);
	follows_step_all(a->follows);
	hostports_kick(a->hostports, true);
	status_changed(a->status);
	restore_alone(a->restore);
}

static void kernel_down(void *arg)
{
	struct agent *a = arg;

	if (a->state == AGENT_LIVE)
		agent_enter(a, AGENT_SYNCING, "syncing: waiting for vpc.ko");
	follows_kernel_gone(a->follows);
	hostports_kernel_gone(a->hostports);
	status_changed(a->status);
}

static void kernel_event(const struct kernel_event *event, void *arg)
{
	switch ((enum vpc_event)event->event) {
	case VPC_EVENT_PORT_ABSENT:
		log_info("port %s: its device is gone", event->ifname);
		break;
	case VPC_EVENT_PORT_PRESENT:
		log_info("port %s: its device is there", event->ifname);
		break;
	case VPC_EVENT_QUOTA:
		log_warn("VPC %u: its quota of kernel memory is reached", event->vni);
		break;
	case VPC_EVENT_COMMIT:
	case VPC_EVENT_VPC_NEW:
	case VPC_EVENT_VPC_DEL:
		break;
	}
}

static const struct klink_ops kernel_ops = { .up = kernel_up, .down = kernel_down, .event = kernel_event };

/* What the module already has is taken over; one line tells how much that is. */
static int kernel_take_over(struct agent *a, struct vpc_err *err)
{
	_cleanup_free_ struct kernel_vpc *vpcs = NULL;
	struct kernel_port *ports = NULL;
	size_t n_vpcs, n_ports;
	int res;

	res = METER_KERNEL("agent", vpc_list, agent_kernel(a), &vpcs, &n_vpcs, err);
	if (res)
		return res;
	res = METER_KERNEL("agent", port_list, agent_kernel(a), &ports, &n_ports, err);
	if (res)
		return res;
	kernel_ports_free(ports, n_ports);
	log_info("kernel: vpc.ko %s, instance %016" PRIx64 ", taking over %zu VPCs and %zu ports",
		 klink_version(a->klink), klink_instance(a->klink), n_vpcs, n_ports);
	return 0;
}

/* -- signals, beginning and end ------------------------------------------------------------------------------------ */

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	struct agent *a = arg;

	log_info("signal %u: ending; the kernel keeps forwarding", info->ssi_signo);
	return sd_event_exit(a->event, 0);
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *info, void *arg)
{
	reload(arg);
	return 0;
}

/* Before any thread is made: the ZooKeeper client's shall have the signals blocked, too. */
static int signals_init(struct agent *a)
{
	sigset_t set;
	int res;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	res = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (res)
		return -res;
	signal(SIGPIPE, SIG_IGN);
	res = sd_event_add_signal(a->event, NULL, SIGTERM, on_signal, a);
	if (res >= 0)
		res = sd_event_add_signal(a->event, NULL, SIGINT, on_signal, a);
	if (res >= 0)
		res = sd_event_add_signal(a->event, NULL, SIGHUP, on_hangup, a);
	return res < 0 ? res : 0;
}

static int parts_init(struct agent *a, struct vpc_err *err)
{
	int res;

	res = control_new(a, &a->control, err);
	if (res)
		return res;
	a->watches = watches_new(a->event, a->timeout_ms);
	if (!a->watches)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	res = session_new(a, &a->session, err);
	if (res)
		return res;
	a->follows = follows_new(a);
	a->hostports = hostports_new(a);
	a->status = status_new(a);
	if (!a->follows || !a->hostports || !a->status)
		return vpc_err_set(err, -ENOMEM, "out of memory, or no /proc/sys/kernel/random/boot_id");
	res = agent_scrape_new(a, &a->scrape, err);
	if (!res)
		res = cache_new(a, &a->cache, err);
	if (!res)
		res = restore_new(a, &a->restore, err);
	if (!res)
		res = resync_new(a, &a->resync, err);
	if (res)
		return res;
	log_info("connecting to ZooKeeper at %s as host %s", a->config.zk_hosts, a->config.host);
	return 0;
}

void agent_complain(const char *name, const char *text)
{
	log_warn("%s: %s", name, text);
}

int agent_new(struct vpc_config *config, const char *config_path, const char *netns, struct agent **ret_agent,
	      struct vpc_err *err)
{
	struct agent *a = calloc(1, sizeof(*a));
	int res;

	if (!a)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	a->config = *config;
	*config = (struct vpc_config){ 0 };
	a->config_path = config_path;
	a->netns = netns;
	a->timeout_ms = a->config.zk_session_ms;
	a->client_us = AGENT_CLIENT_US;
	a->state_since_us = now_monotonic_us();
	gate_init(&a->snapshots, AGENT_SNAPSHOTS_MAX);
	gate_init(&a->catchups, AGENT_CATCHUPS_MAX);
	res = sd_event_new(&a->event);
	if (res >= 0)
		res = sd_event_set_watchdog(a->event, true);
	if (res >= 0)
		res = signals_init(a);
	if (res < 0) {
		vpc_err_set(err, res, "event loop: %s", strerror(-res));
		goto fail;
	}
	res = klink_new(a->event, netns, &kernel_ops, a, &a->klink, err);
	if (!res)
		res = kernel_take_over(a, err);
	if (!res)
		res = parts_init(a, err);
	if (res)
		goto fail;
	*ret_agent = a;
	return 0;
fail:
	agent_free(a);
	return res;
}

int agent_run(struct agent *a)
{
	int res = sd_event_loop(a->event);

	sd_notify(0, "STOPPING=1");
	return res;
}

void agent_free(struct agent *a)
{
	if (!a)
		return;
	restore_free(a->restore);
	cache_free(a->cache);
	scrape_free(a->scrape);
	resync_free(a->resync);
	control_free(a->control);
	status_free(a->status);
	hostports_free(a->hostports);
	follows_free(a->follows);
	session_free(a->session);
	watches_free(a->watches);
	klink_free(a->klink);
	sd_event_unref(a->event);
	vpc_config_clear(&a->config);
	free(a);
}
