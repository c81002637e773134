// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's session with ZooKeeper on the event loop; see session.h.
 */
#include "session.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include "../lib/log.h"
#include "../lib/util.h"
#include "../lib/zk_auth.h"
#include "watch.h"

/* @fresh: the ephemerals of the session before, if any, are gone or were never there. */
struct session {
	struct agent *agent;
	struct zk *zk;
	bool fresh;
	sd_event_source *io, *timer, *post;
};

static void session_state(struct zk *zk, enum zk_state state, void *arg)
{
	struct session *s = arg;
	bool fresh = s->fresh;

	switch (state) {
	case ZK_CONNECTED:
		s->fresh = false;
		agent_connected(s->agent, fresh);
		break;
	case ZK_CONNECTING:
		/* After an expiry that has been said. */
		if (!fresh)
			agent_disconnected(s->agent, "the connection is lost");
		break;
	case ZK_EXPIRED:
		s->fresh = true;
		agent_disconnected(s->agent, "the session has expired");
		break;
	case ZK_AUTH_FAILED:
		s->fresh = true;
		agent_disconnected(s->agent, "ZooKeeper refuses our credentials");
		break;
	}
}

static void session_changed(struct zk *zk, const char *path, void *arg)
{
	struct session *s = arg;

	watches_changed(s->agent->watches, path);
}

static const struct zk_ops session_ops = { .state = session_state, .changed = session_changed };

static int session_io(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct session *s = arg;

	zk_dispatch(s->zk);
	return 0;
}

static int session_timer(sd_event_source *source, uint64_t usec, void *arg)
{
	struct session *s = arg;

	zk_dispatch(s->zk);
	return 0;
}

/* Any handler may have made or ended requests. */
static int session_rearm(sd_event_source *source, void *arg)
{
	struct session *s = arg;
	uint64_t deadline = zk_next_deadline_us(s->zk);

	if (deadline == UINT64_MAX)
		return sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
	sd_event_source_set_time(s->timer, deadline);
	return sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static int session_open(struct session *s, struct vpc_err *err)
{
	const struct vpc_config *config = &s->agent->config;
	char credential[ZK_CREDENTIAL_MAX];
	int res = 0;

	if (config->zk_credential_file)
		res = zk_credential_load(config->zk_credential_file, credential, err);
	if (!res)
		res = zk_open(config->zk_hosts, config->zk_session_ms, &session_ops, s, &s->zk, err);
	if (!res && config->zk_credential_file)
		res = zk_authenticate(s->zk, credential, err);
	explicit_bzero(credential, sizeof(credential));
	return res;
}

int session_new(struct agent *a, struct session **ret_session, struct vpc_err *err)
{
	struct session *s = calloc(1, sizeof(*s));
	int res;

	if (!s)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	s->agent = a;
	s->fresh = true;
	res = session_open(s, err);
	if (res) {
		session_free(s);
		return res;
	}
	res = sd_event_add_io(a->event, &s->io, zk_fd(s->zk), EPOLLIN, session_io, s);
	if (res >= 0)
		res = sd_event_add_time(a->event, &s->timer, CLOCK_MONOTONIC, now_monotonic_us(), 1000, session_timer,
					s);
	if (res >= 0)
		res = sd_event_add_post(a->event, &s->post, session_rearm, s);
	if (res < 0) {
		session_free(s);
		return vpc_err_set(err, res, "event loop: %s", strerror(-res));
	}
	watches_set_zk(a->watches, s->zk);
	*ret_session = s;
	return 0;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	sd_event_source_disable_unref(s->post);
	sd_event_source_disable_unref(s->timer);
	sd_event_source_disable_unref(s->io);
	zk_close(s->zk);
	free(s);
}

struct zk *session_zk(struct session *s)
{
	return s->zk;
}
