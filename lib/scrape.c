// SPDX-License-Identifier: Apache-2.0
/*
 * Metrics over HTTP; see scrape.h.
 *
 * What a host with thousands of VPCs has to say takes milliseconds to print. So the text is shared by all who ask while
 * it is young, and printing takes one part in SCRAPE_SHARE of the event loop's time at most, however often somebody
 * asks; and nobody holds a text for longer than client_us, however slowly he reads.
 */
#include "scrape.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "timer.h"
#include "util.h"

#define CONNECTIONS_MAX 16
#define SCRAPE_SHARE	50
#define NO_TIMEOUT_US	1000000 /* to look again when the library knows of no time limit */

struct scrape {
	struct scrape_setup setup;
	struct MHD_Daemon *daemon;
	int fd; /* listening */
	struct acceptor *acceptor;
	struct MHD_Response *response; /* the last one; others may still be sent */
	uint64_t old_us; /* when to print another */
	sd_event_source *io, *timer;
};

/* -- HTTP ---------------------------------------------------------------------------------------------------------- */

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned int code, const char *text)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result res;

	if (!response)
		return MHD_NO;
	if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	res = MHD_queue_response(connection, code, response);
	MHD_destroy_response(response);
	return res;
}

static int scrape_text(const struct scrape *s, char **ret, size_t *ret_len)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	int res;

	if (!to)
		return -ENOMEM;
	res = s->setup.print(to, s->setup.arg);
	if (fclose(to) && !res)
		res = -ENOMEM;
	if (res) {
		free(text);
		return res;
	}
	*ret = text;
	*ret_len = len;
	return 0;
}

/* The library counts who still sends the text. */
static int metrics_print(struct scrape *s)
{
	uint64_t start = now_monotonic_us(), end;
	char *text;
	size_t len;
	int res;

	if (s->response && start < s->old_us)
		return 0;
	if (s->response)
		MHD_destroy_response(s->response);
	s->response = NULL;
	res = scrape_text(s, &text, &len);
	if (res)
		return res;
	s->response = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	if (!s->response) {
		free(text);
		return -ENOMEM;
	}
	MHD_add_response_header(s->response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
	end = now_monotonic_us();
	s->old_us = end + (end - start) * SCRAPE_SHARE;
	return 0;
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *data, size_t *data_len, void **request)
{
	struct scrape *s = arg;
	static int seen;
	int res;

	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD\n");
	/* The first call is for the request's head, and what a GET may carry behind it is not taken. */
	if (!*request) {
		*request = &seen;
		return MHD_YES;
	}
	if (*data_len) {
		*data_len = 0;
		return MHD_YES;
	}
	if (strcmp(url, "/metrics"))
		return answer_text(connection, MHD_HTTP_NOT_FOUND, "/metrics is here\n");
	res = metrics_print(s);
	if (res == -EAGAIN)
		return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "there are none yet\n");
	return res ? MHD_NO : MHD_queue_response(connection, MHD_HTTP_OK, s->response);
}

/* -- on the event loop --------------------------------------------------------------------------------------------- */

/* The library's own limit is for those who neither read nor write; a byte now and then would hold a text for ever. */
static int connection_late(sd_event_source *source, uint64_t usec, void *arg)
{
	shutdown((int)(intptr_t)arg, SHUT_RDWR);
	return 0;
}

static void connection_notify(void *arg, struct MHD_Connection *connection, void **context,
			      enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct scrape *s = arg;
	sd_event_source *late = NULL;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED)
		sd_event_source_disable_unref(*context);
	else if (timer_arm(s->setup.event, &late, *s->setup.client_us, connection_late,
			   (void *)(intptr_t)info->connect_fd) >= 0)
		*context = late;
}

static int scrape_late(sd_event_source *source, uint64_t usec, void *arg);

static void scrape_run(struct scrape *s)
{
	const union MHD_DaemonInfo *info;
	MHD_UNSIGNED_LONG_LONG ms;
	uint64_t delay = NO_TIMEOUT_US;
	char text[80];
	int res;

	MHD_run(s->daemon);
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
	acceptor_room(s->acceptor, info->num_connections < CONNECTIONS_MAX);
	if (MHD_get_timeout(s->daemon, &ms) != MHD_YES) {
		timer_stop(s->timer);
		return;
	}
	if (ms * 1000 < delay)
		delay = ms * 1000;
	res = timer_arm(s->setup.event, &s->timer, delay, scrape_late, s);
	if (res < 0) {
		snprintf(text, sizeof(text), "timer: %s", strerror(-res));
		s->setup.complain("metrics", text);
	}
}

static int scrape_late(sd_event_source *source, uint64_t usec, void *arg)
{
	scrape_run(arg);
	return 0;
}

static int scrape_io(sd_event_source *source, int fd, uint32_t revents, void *arg)
{
	scrape_run(arg);
	return 0;
}

/* @fd: the library's, whatever becomes of it. */
static void scrape_accept(int fd, void *arg)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	struct scrape *s = arg;

	MHD_add_connection(s->daemon, fd, (struct sockaddr *)&address, sizeof(address));
	scrape_run(s);
}

/* Not by the library, which would not tell why it cannot, and spins when there is no descriptor left for a client. */
static int listen_on(unsigned int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, res = 0;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, CONNECTIONS_MAX) < 0)
		res = -errno;
	if (!res)
		return fd;
	close(fd);
	return res;
}

static int scrape_start(struct scrape *s)
{
	const union MHD_DaemonInfo *info;
	int res;

	s->fd = listen_on(s->setup.port);
	if (s->fd < 0)
		return s->fd;
	s->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, handle, s,
				     MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_NOTIFY_CONNECTION,
				     connection_notify, s, MHD_OPTION_END);
	info = s->daemon ? MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
	if (!info)
		return -EIO;
	res = sd_event_add_io(s->setup.event, &s->io, info->epoll_fd, EPOLLIN, scrape_io, s);
	return res < 0 ? res : acceptor_new(s->setup.event, s->fd, "metrics", s->setup.complain, scrape_accept, s,
				      &s->acceptor);
}

int scrape_new(const struct scrape_setup *setup, struct scrape **ret_scrape, struct vpc_err *err)
{
	struct scrape *s = calloc(1, sizeof(*s));
	int res;

	if (!s)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	s->setup = *setup;
	s->fd = -1;
	res = scrape_start(s);
	if (res < 0) {
		scrape_free(s);
		return vpc_err_set(err, res, "metrics: 127.0.0.1:%u: %s", setup->port, strerror(-res));
	}
	*ret_scrape = s;
	return 0;
}

void scrape_free(struct scrape *s)
{
	if (!s)
		return;
	acceptor_free(s->acceptor);
	sd_event_source_disable_unref(s->io);
	sd_event_source_disable_unref(s->timer);
	if (s->daemon)
		MHD_stop_daemon(s->daemon);
	if (s->response)
		MHD_destroy_response(s->response);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}
