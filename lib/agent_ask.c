// SPDX-License-Identifier: Apache-2.0
/*
 * The client's end of the agent's Unix socket; see agent_ask.h.
 */
#include "agent_ask.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include "../proto/agent_report.h"
#include "util.h"

static int connect_to(const char *run_dir, const char *host, const char *kind, unsigned int timeout_s, int *ret_fd,
		      struct vpc_err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = timeout_s };
	int fd, res, len;

	len = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s.%s", run_dir, host, kind);
	if (len >= (int)sizeof(address.sun_path))
		return vpc_err_set(err, -ENAMETOOLONG, "%s/%s.%s: the name is too long for a socket", run_dir, host,
				   kind);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return vpc_err_set(err, -errno, "socket: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		res = -errno;
		close(fd);
		return vpc_err_set(err, res,
				   "no agent answers at %s: %s (is vpc_agent running as host %s, with this run_dir?)",
				   address.sun_path, strerror(-res), host);
	}
	*ret_fd = fd;
	return 0;
}

static int read_all(int fd, unsigned int timeout_s, char **ret, size_t *ret_len, struct vpc_err *err)
{
	_cleanup_free_ char *data = NULL;
	size_t len = 0, size = 0;
	char *more;
	ssize_t n;

	do {
		if (len == size) {
			size = size ? size * 2 : 65536;
			more = realloc(data, size + 1);
			if (!more)
				return vpc_err_set(err, -ENOMEM, "out of memory");
			data = more;
		}
		n = read(fd, data + len, size - len);
		if (n < 0 && errno == EAGAIN)
			return vpc_err_set(err, -ETIMEDOUT, "the agent's answer: nothing for %u s", timeout_s);
		if (n < 0 && errno != EINTR)
			return vpc_err_set(err, -errno, "the agent's answer: %s", strerror(errno));
		len += n > 0 ? n : 0;
	} while (n && len <= VPC_AGENT_REPORT_MAX);
	data[len] = '\0';
	*ret = data;
	*ret_len = len;
	data = NULL;
	return 0;
}

int agent_ask(const char *run_dir, const char *host, unsigned int timeout_s, char **ret, size_t *ret_len,
	      struct vpc_err *err)
{
	_cleanup_close_ int fd = -1;
	int res = connect_to(run_dir, host, "sock", timeout_s, &fd, err);

	return res ? res : read_all(fd, timeout_s, ret, ret_len, err);
}

int agent_resync(const char *run_dir, const char *host, uint32_t vni, uint64_t epoch, unsigned int timeout_s,
		 struct vpc_err *err)
{
	_cleanup_free_ char *answer = NULL;
	_cleanup_close_ int fd = -1;
	char line[64], *text;
	size_t len = 0;
	long code;
	int res, n = snprintf(line, sizeof(line), "%" PRIu32 " %" PRIu64 "\n", vni, epoch);

	res = connect_to(run_dir, host, "resync", timeout_s, &fd, err);
	if (!res && send(fd, line, n, MSG_NOSIGNAL) != n)
		res = vpc_err_set(err, -EIO, "the agent does not take the question");
	if (!res)
		res = read_all(fd, timeout_s, &answer, &len, err);
	if (res)
		return res;
	code = strtol(answer, &text, 10);
	if (text == answer || code > 0 || code < -4095)
		return vpc_err_set(err, -EPROTO, "the agent's answer is none: '%.60s'", answer);
	answer[strcspn(answer, "\n")] = '\0';
	return code ? vpc_err_set(err, code, "%s", *text ? text + 1 : strerror(-code)) : 0;
}
