// SPDX-License-Identifier: Apache-2.0
/*
 * Requests to compare a VPC again; see resync.h.
 *
 * One client at a time, which is cheap to serve: others wait in the socket's queue, and who does not send its line is
 * closed after a while.
 */
#include "resync.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "../lib/acceptor.h"
#include "../lib/log.h"
#include "../lib/util.h"
#include "follow.h"
#include "hostports.h"
#include "timer.h"

#define LINE_MAX_LEN 64
#define QUEUE 16

struct resync {
	struct agent *agent;
	struct sockaddr_un address;
	int fd, client;
	bool bound;
	struct acceptor *acceptor;
	sd_event_source *io, *timer;
	char line[LINE_MAX_LEN];
	size_t len;
};

static void client_end(struct resync *r)
{
	r->io = sd_event_source_disable_unref(r->io);
	timer_stop(r->timer);
	if (r->client >= 0)
		close(r->client);
	r->client = -1;
	r->len = 0;
}

/* A VPC's content, or what belongs to the host: nothing that was not asked for is touched. */
static int obey(struct agent *a, const char *line, struct vpc_err *err)
{
	uint64_t epoch;
	uint32_t vni;
	char end;
	int res = 0;

	if (sscanf(line, "%" SCNu32 " %" SCNu64 "%c", &vni, &epoch, &end) != 3 || end != '\n' || vni > VPC_VNI_MAX)
		return vpc_err_set(err, -EINVAL, "\"VNI EPOCH\" is what is understood here");
	if (vni)
		res = follows_resync(a->follows, vni, epoch, err);
	else if (!agent_kernel(a) || !hostports_known(a->hostports))
		res = vpc_err_set(err, -EAGAIN, "the host's ports were not read yet, or vpc.ko is not there");
	if (res)
		return res;
	if (vni) {
		log_info("VPC %" PRIu32 ": asked to compare it again at epoch %" PRIu64, vni, epoch);
	} else {
		log_info("ports: asked to compare them again");
		hostports_kick(a->hostports, true);
	}
	return 0;
}

static void answer(struct resync *r)
{
	struct vpc_err err = { "" };
	char text[600];
	int res = obey(r->agent, r->line, &err), n;

	n = res ? snprintf(text, sizeof(text), "%d %s\n", res, err.text) : snprintf(text, sizeof(text), "0\n");
	/* Fits into an empty socket's buffer; a client that is gone needs no answer. */
	if (send(r->client, text, n, MSG_NOSIGNAL | MSG_DONTWAIT) != n)
		log_debug("resync: the answer was not taken");
	client_end(r);
	acceptor_room(r->acceptor, true);
}

static int client_io(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct resync *r = arg;
	ssize_t n = recv(fd, r->line + r->len, sizeof(r->line) - 1 - r->len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	r->len += n > 0 ? n : 0;
	r->line[r->len] = '\0';
	if (n > 0 && !strchr(r->line, '\n') && r->len < sizeof(r->line) - 1)
		return 0;
	answer(r);
	return 0;
}

static int client_late(sd_event_source *source, uint64_t usec, void *arg)
{
	struct resync *r = arg;

	client_end(r);
	acceptor_room(r->acceptor, true);
	return 0;
}

static void client_new(int fd, void *arg)
{
	struct resync *r = arg;
	int res;

	r->client = fd;
	acceptor_room(r->acceptor, false);
	res = sd_event_add_io(r->agent->event, &r->io, fd, EPOLLIN, client_io, r);
	if (res >= 0)
		res = timer_arm(r->agent->event, &r->timer, r->agent->client_us, client_late, r);
	if (res >= 0)
		return;
	log_err("%s: %s", r->address.sun_path, strerror(-res));
	client_end(r);
	acceptor_room(r->acceptor, true);
}

static int resync_listen(struct resync *r)
{
	mode_t mask;
	int res;

	if (unlink(r->address.sun_path) < 0 && errno != ENOENT)
		return -errno;
	r->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->fd < 0)
		return -errno;
	/* For the agent's own user and group, and root. */
	mask = umask(0117);
	res = bind(r->fd, (struct sockaddr *)&r->address, sizeof(r->address)) < 0 ? -errno : 0;
	umask(mask);
	if (res)
		return res;
	r->bound = true;
	if (listen(r->fd, QUEUE) < 0)
		return -errno;
	return acceptor_new(r->agent->event, r->fd, r->address.sun_path, agent_complain, client_new, r, &r->acceptor);
}

int resync_new(struct agent *a, struct resync **ret_resync, struct vpc_err *err)
{
	struct resync *r;
	int res, len;

	if (!a->control)
		return 0;
	r = calloc(1, sizeof(*r));
	if (!r)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	r->agent = a;
	r->fd = r->client = -1;
	r->address.sun_family = AF_UNIX;
	len = snprintf(r->address.sun_path, sizeof(r->address.sun_path), "%s/%s.resync", a->config.run_dir,
		       a->config.host);
	res = len < (int)sizeof(r->address.sun_path) ? resync_listen(r) : -ENAMETOOLONG;
	if (res < 0) {
		log_warn("%s/%s.resync: %s; \"vpc_reconcile --repair\" will not work", a->config.run_dir,
			 a->config.host, strerror(-res));
		resync_free(r);
		return 0;
	}
	*ret_resync = r;
	return 0;
}

void resync_free(struct resync *r)
{
	if (!r)
		return;
	client_end(r);
	sd_event_source_disable_unref(r->timer);
	acceptor_free(r->acceptor);
	if (r->bound)
		unlink(r->address.sun_path);
	if (r->fd >= 0)
		close(r->fd);
	free(r);
}
