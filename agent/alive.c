// SPDX-License-Identifier: Apache-2.0
/*
 * The `alive` node; see alive.h.
 *
 * It is watched like any node that is followed (agent/watch.c): each report says whose it is, or that it is not there.
 */
#include "alive.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../lib/log.h"
#include "../lib/util.h"
#include "../proto/znode.h"
#include "backoff.h"
#include "metrics.h"
#include "status.h"
#include "timer.h"
#include "watch.h"

enum alive_owner {
	ALIVE_UNKNOWN, /* not read since the connection came up */
	ALIVE_NONE, /* there is no such node */
	ALIVE_OURS, /* this process' */
	ALIVE_BEFORE, /* of an agent that was on this host before us, or of a version that does not say */
	ALIVE_OTHER, /* another host's */
};

struct alive {
	struct agent *agent;
	struct watch *watch;
	char path[VPC_ZNODE_PATH_MAX];
	struct vpc_alive self;
	enum alive_owner owner;
	bool busy, again;
	uint64_t asked_us;
	char *data; /* what is being written */
	struct backoff said;
};

/* -- writing ------------------------------------------------------------------------------------------------------- */

static void alive_write(struct alive *al);

static void alive_done(int res, const char *path, void *arg)
{
	struct alive *al = arg;
	bool again = al->again;

	meter_zookeeper("status", "alive", res, now_monotonic_us() - al->asked_us);
	al->busy = al->again = false;
	if (!res) {
		al->owner = ALIVE_OURS;
		status_changed(al->agent->status);
	} else if (res == -EACCES && al->owner == ALIVE_BEFORE) {
		log_debug("ZooKeeper: %s: of the agent before us; it goes with its session", al->path);
	} else if (res != -ENOENT && res != -EEXIST && zk_connected(agent_zk(al->agent)) &&
		   backoff_is_news(&al->said, zk_strerror(res))) {
		log_warn("ZooKeeper: %s: %s", al->path, zk_strerror(res));
	} else if (again) {
		alive_write(al);
	}
}

/* One transaction where there is one to replace, so that nobody sees the host gone in between. */
static void alive_write(struct alive *al)
{
	struct zk_op ops[] = {
		{ .type = ZK_OP_DELETE, .path = al->path, .version = -1 },
		{ .type = ZK_OP_CREATE, .path = al->path, .ephemeral = true },
	};
	bool replace = al->owner == ALIVE_BEFORE;

	if ((al->owner != ALIVE_NONE && !replace) || !zk_connected(agent_zk(al->agent)))
		return;
	if (al->busy) {
		al->again = true;
		return;
	}
	free(al->data);
	al->data = NULL;
	if (vpc_alive_format(&al->self, &al->data, &ops[1].len))
		return; /* out of memory: the next interval tries again */
	ops[1].data = al->data;
	al->asked_us = now_monotonic_us();
	al->busy = !zk_multi(agent_zk(al->agent), replace ? ops : ops + 1, replace ? 2 : 1, al->agent->timeout_ms,
			     alive_done, al);
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

static enum alive_owner owner_of(const struct alive *al, const struct vpc_alive *found)
{
	if (!strcmp(found->token, al->self.token))
		return ALIVE_OURS;
	if (!strcmp(found->boot_id, al->self.boot_id) && found->netns == al->self.netns)
		return ALIVE_BEFORE;
	return ALIVE_OTHER;
}

static void alive_report(int res, const char *path, const char *data, size_t len, int version, void *arg)
{
	struct alive *al = arg;
	struct vpc_alive found = { 0 };
	struct vpc_err err = { "" };
	enum alive_owner was = al->owner;

	if (res)
		al->owner = ALIVE_NONE;
	else if (vpc_alive_parse(data, len, &found, &err))
		al->owner = ALIVE_BEFORE;
	else
		al->owner = owner_of(al, &found);
	if (al->owner == ALIVE_OTHER && was != ALIVE_OTHER)
		log_err("%s: another host has the name %s: %s, boot %s, pid %u. It keeps its status, ours is not "
			"written; give one of the two another [agent] name",
			path, al->agent->config.host, found.node, found.boot_id, found.pid);
	else if (al->owner != ALIVE_OTHER && was == ALIVE_OTHER)
		log_info("%s: the other host has gone, the name %s is ours", path, al->agent->config.host);
	if (al->owner != was && alive_name_ours(al))
		status_changed(al->agent->status);
	alive_write(al);
}

void alive_try(struct alive *al)
{
	alive_write(al);
}

void alive_connected(struct alive *al, bool fresh)
{
	/* The watch reads it again. What was another host's is believed to be until then. */
	if (fresh && al->owner != ALIVE_OTHER)
		al->owner = ALIVE_UNKNOWN;
	backoff_reset(&al->said);
}

bool alive_name_ours(const struct alive *al)
{
	return al->owner != ALIVE_UNKNOWN && al->owner != ALIVE_OTHER;
}

bool alive_name_taken(const struct alive *al)
{
	return al->owner == ALIVE_OTHER;
}

/* -- beginning and end --------------------------------------------------------------------------------------------- */

/* As `ip netns` and lib/kernel.h name namespaces. */
static int netns_inode(const char *netns, uint64_t *ret)
{
	struct stat st;
	char path[256];

	snprintf(path, sizeof(path), "%s%s", !netns || strchr(netns, '/') ? "" : "/run/netns/",
		 netns ?: "/proc/self/ns/net");
	if (stat(path, &st) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

struct alive *alive_new(struct agent *a, const char *boot_id)
{
	struct alive *al = calloc(1, sizeof(*al));

	if (!al)
		return NULL;
	al->agent = a;
	vpc_path_host(a->config.host, "alive", al->path);
	snprintf(al->self.boot_id, sizeof(al->self.boot_id), "%s", boot_id);
	snprintf(al->self.token, sizeof(al->self.token), "%08" PRIx32 "%08" PRIx32, timer_random(), timer_random());
	gethostname(al->self.node, sizeof(al->self.node) - 1);
	al->self.pid = getpid();
	if (netns_inode(a->netns, &al->self.netns)) {
		free(al);
		return NULL;
	}
	al->watch = watch_new(a->watches, al->path, alive_report, al);
	if (!al->watch) {
		free(al);
		return NULL;
	}
	return al;
}

void alive_free(struct alive *al)
{
	if (!al)
		return;
	watch_free(al->watch);
	zk_cancel(agent_zk(al->agent), al);
	free(al->data);
	free(al);
}
