/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vpc_agent: makes this host's kernel what ZooKeeper says it should be, and says how far it is.
 *
 * One thread, one event loop. The parts: agent/session.c is the connection to ZooKeeper, agent/klink.c the one to the
 * kernel, agent/hostports.c follows the host's `ports`, agent/follow.c one VPC each, agent/status.c reports. They
 * hold a pointer to this struct and tell each other through the functions below; agent/agent.c keeps the state of the
 * whole.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>
#include <systemd/sd-event.h>
#include "../lib/config.h"
#include "../lib/kernel.h"
#include "../lib/zk.h"
#include "gate.h"

#define AGENT_SNAPSHOTS_MAX 1 /* whole states in memory at the same time */
#define AGENT_CATCHUPS_MAX 16 /* VPCs that read deltas at the same time */
#define AGENT_CLIENT_US	   5000000

struct cache;
struct control;
struct follows;
struct hostports;
struct klink;
struct restore;
struct resync;
struct scrape;
struct session;
struct status;
struct watches;

enum agent_state {
	AGENT_CONNECTING, /* no connection to ZooKeeper yet */
	AGENT_SYNCING, /* connected; not everything has been compared since */
	AGENT_LIVE, /* every VPC is at its HEAD, or has said why not */
	AGENT_ISOLATED, /* the connection is gone: nothing changes, nothing is deleted */
};

/**
 * struct agent - what the parts share
 * @config: as loaded, the command line's --host put over it
 * @netns: the host's network namespace, NULL: ours
 * @timeout_ms: deadline of one request to ZooKeeper
 * @client_us: how long a client of the socket or the metrics may take
 * @state_since_us: CLOCK_MONOTONIC
 */
struct agent {
	struct vpc_config config;
	const char *config_path, *netns;
	unsigned int timeout_ms;
	uint64_t client_us;
	enum agent_state state;
	uint64_t state_since_us;
	bool ready; /* READY=1 was sent */
	sd_event *event;
	struct klink *klink;
	struct session *session;
	struct watches *watches;
	struct hostports *hostports;
	struct follows *follows;
	struct status *status;
	struct control *control;
	struct resync *resync;
	struct scrape *scrape;
	struct cache *cache;
	struct restore *restore;
	struct gate snapshots, catchups;
};

/* For lib/acceptor.h: a warning in the log. */
void agent_complain(const char *name, const char *text);

/*
 * Reads the kernel's state and starts following ZooKeeper. @config is moved into the agent; @netns and @config_path
 * may be NULL and must outlive it. -ENOENT: the kernel has no family "vpc".
 */
int agent_new(struct vpc_config *config, const char *config_path, const char *netns, struct agent **ret_agent,
	      struct vpc_err *err);
/* Until SIGTERM or SIGINT: 0; or -errno of the event loop. */
int agent_run(struct agent *a);
void agent_free(struct agent *a);

const char *agent_state_name(enum agent_state state);
struct kernel *agent_kernel(struct agent *a); /* NULL while the module is gone */
struct kernel *agent_dump(struct agent *a); /* the same, for dumps of whole VPCs */
struct zk *agent_zk(struct agent *a);

/* Told by the parts. */
void agent_connected(struct agent *a, bool fresh); /* @fresh: a new session, ephemerals are gone */
void agent_disconnected(struct agent *a, const char *why);
void agent_kernel_suspect(struct agent *a); /* a kernel call failed */
void agent_ports_read(struct agent *a); /* the host's VPCs may be others now */
void agent_vpc_ready(struct agent *a); /* ports may be put into a VPC now */
void agent_progress(struct agent *a); /* something settled: perhaps we are live */
void agent_restored(struct agent *a, const char *text); /* from the cache, for want of ZooKeeper; @text: a line */
void agent_status_changed(struct agent *a); /* epochs or the ports' revision moved */

#endif
