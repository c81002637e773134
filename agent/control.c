// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's Unix socket; see control.h.
 *
 * A client is sent its report and closed; one that does not read is closed after a while, and at most CLIENTS_MAX are
 * served at a time, so that nobody can make the agent hold memory: others wait in the socket's queue.
 */
#include "control.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "../lib/acceptor.h"
#include "../lib/log.h"
#include "../lib/util.h"
#include "report.h"
#include "timer.h"

#define CLIENTS_MAX 16

struct client {
	struct control *control;
	int fd;
	char *data;
	size_t len, pos;
	sd_event_source *io, *timer;
	LIST_ENTRY(client) link;
};

struct control {
	struct agent *agent;
	struct sockaddr_un address;
	int fd;
	bool bound;
	struct acceptor *acceptor;
	unsigned int n_clients;
	LIST_HEAD(, client) clients;
};

/* -- clients ------------------------------------------------------------------------------------------------------- */

static void client_free(struct client *client)
{
	LIST_REMOVE(client, link);
	acceptor_room(client->control->acceptor, --client->control->n_clients < CLIENTS_MAX);
	sd_event_source_disable_unref(client->io);
	sd_event_source_disable_unref(client->timer);
	close(client->fd);
	free(client->data);
	free(client);
}

static int client_io(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	struct client *client = arg;
	ssize_t n;

	while (client->pos < client->len) {
		n = send(client->fd, client->data + client->pos, client->len - client->pos, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0)
			break;
		client->pos += n;
	}
	client_free(client);
	return 0;
}

static int client_late(sd_event_source *source, uint64_t usec, void *arg)
{
	client_free(arg);
	return 0;
}

static void client_new(int fd, void *arg)
{
	struct client *client = calloc(1, sizeof(*client));
	struct control *c = arg;
	int res;

	if (!client) {
		close(fd);
		return;
	}
	client->control = c;
	client->fd = fd;
	LIST_INSERT_HEAD(&c->clients, client, link);
	acceptor_room(c->acceptor, ++c->n_clients < CLIENTS_MAX);
	res = report_format(c->agent, &client->data, &client->len);
	if (!res)
		res = sd_event_add_io(c->agent->event, &client->io, fd, EPOLLOUT, client_io, client);
	if (res >= 0)
		res = timer_arm(c->agent->event, &client->timer, c->agent->client_us, client_late, client);
	if (res >= 0)
		return;
	log_err("%s: %s", c->address.sun_path, strerror(-res));
	client_free(client);
}

/* -- the socket ---------------------------------------------------------------------------------------------------- */

/* -EADDRINUSE when somebody answers at our address. What nobody listens at is left over from a crash. */
static int leftover_remove(struct control *c)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	/* -EAGAIN: its queue is full. */
	if (!connect(fd, (struct sockaddr *)&c->address, sizeof(c->address)) || errno == EAGAIN)
		return -EADDRINUSE;
	if (errno == ECONNREFUSED && unlink(c->address.sun_path) < 0)
		return -errno;
	return 0;
}

static int control_listen(struct control *c, const char *dir)
{
	const struct sockaddr *address = (struct sockaddr *)&c->address;
	mode_t mask;
	int res;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	res = leftover_remove(c);
	if (res)
		return res;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return -errno;
	/* For the agent's own user and group, and root. */
	mask = umask(0117);
	res = bind(c->fd, address, sizeof(c->address)) < 0 ? -errno : 0;
	umask(mask);
	if (res)
		return res;
	c->bound = true;
	if (listen(c->fd, CLIENTS_MAX) < 0)
		return -errno;
	return acceptor_new(c->agent->event, c->fd, c->address.sun_path, agent_complain, client_new, c, &c->acceptor);
}

int control_new(struct agent *a, struct control **ret_control, struct vpc_err *err)
{
	const char *dir = a->config.run_dir;
	struct control *c;
	int res, len;

	if (!dir)
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	c->agent = a;
	c->fd = -1;
	c->address.sun_family = AF_UNIX;
	len = snprintf(c->address.sun_path, sizeof(c->address.sun_path), "%s/%s.sock", dir, a->config.host);
	res = len < (int)sizeof(c->address.sun_path) ? control_listen(c, dir) : -ENAMETOOLONG;
	if (res == -EADDRINUSE) {
		vpc_err_set(err, res, "%s: another agent answers for host %s: end that one first", c->address.sun_path,
			    a->config.host);
		control_free(c);
		return res;
	}
	if (res < 0) {
		log_warn("%s/%s.sock: %s; \"vpcctl agent status\" will not work ([agent] run_dir)", dir, a->config.host,
			 strerror(-res));
		control_free(c);
		return 0;
	}
	*ret_control = c;
	return 0;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	while (!LIST_EMPTY(&c->clients))
		client_free(LIST_FIRST(&c->clients));
	acceptor_free(c->acceptor);
	if (c->bound)
		unlink(c->address.sun_path);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}
