// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl agent: what this host's vpc_agent says about itself (proto/agent_report.h), over its Unix socket. Needs
 * neither CDB nor ZooKeeper.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include "../proto/agent_report.h"
#include "ctl.h"

#define ANSWER_S 10

static int connect_to(struct ctl *ctl, const char *host, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = ANSWER_S };
	int fd, res, len;

	len = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s.sock", ctl->config.run_dir, host);
	if (len >= (int)sizeof(address.sun_path))
		return vpc_err_set(&ctl->err, -ENAMETOOLONG, "%s/%s.sock: the name is too long for a socket",
				   ctl->config.run_dir, host);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return vpc_err_set(&ctl->err, -errno, "socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0) {
		res = -errno;
		close(fd);
		return vpc_err_set(&ctl->err, res,
				   "no agent answers at %s: %s (is vpc_agent running as host %s, with this run_dir?)",
				   address.sun_path, strerror(-res), host);
	}
	*ret_fd = fd;
	return 0;
}

static int read_all(struct ctl *ctl, int fd, char **ret, size_t *ret_len)
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
				return vpc_err_set(&ctl->err, -ENOMEM, "out of memory");
			data = more;
		}
		n = read(fd, data + len, size - len);
		if (n < 0 && errno != EINTR)
			return vpc_err_set(&ctl->err, -errno, "the agent's answer: %s",
					   errno == EAGAIN ? "nothing for 10 s" : strerror(errno));
		len += n > 0 ? n : 0;
	} while (n && len <= VPC_AGENT_REPORT_MAX);
	data[len] = '\0';
	*ret = data;
	*ret_len = len;
	data = NULL;
	return 0;
}

static void print_vpc(const struct vpc_agent_report_vpc *vpc)
{
	printf("vni %u: ", vpc->vni);
	if (vpc->known)
		printf("epoch %" PRIu64, vpc->epoch);
	else
		printf("not in the kernel");
	if (vpc->has_head && (!vpc->known || vpc->head != vpc->epoch))
		printf(", HEAD is %" PRIu64, vpc->head);
	if (vpc->behind_ms)
		printf(", behind for %.1f s", vpc->behind_ms / 1000.0);
	printf("%s%s\n", vpc->reason[0] ? ": " : "", vpc->reason);
}

static void print_restored(const struct vpc_agent_report *report)
{
	time_t seconds = report->restored_ms / 1000;
	char when[32];
	struct tm tm;

	if (!report->restored_ms)
		return;
	gmtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%FT%TZ", &tm);
	printf("restored: %" PRIu64 " VPCs and %" PRIu64 " ports, from the cache of %s\n", report->restored_vpcs,
	       report->restored_ports, when);
}

static void print_report(const struct vpc_agent_report *report)
{
	printf("host %s: %s for %.1f s, vpc_agent %s, pid %u\n", report->host, report->state, report->state_ms / 1000.0,
	       report->version, report->pid);
	printf("zookeeper: %s\n", report->zookeeper);
	if (report->instance)
		printf("kernel: vpc.ko %s, instance %016" PRIx64 "\n", report->module, report->instance);
	else
		printf("kernel: no vpc.ko\n");
	if (report->revision)
		printf("ports: revision %" PRIu64 ", %" PRIu64 " ports", report->revision, report->n_ports);
	else
		printf("ports: not read yet");
	if (report->reached != report->revision)
		printf(", the kernel has revision %" PRIu64, report->reached);
	printf("%s%s\n", report->reason[0] ? ": " : "", report->reason);
	print_restored(report);
	for (size_t i = 0; i < report->n_vpcs; i++)
		print_vpc(&report->vpcs[i]);
}

static int agent_status(struct ctl *ctl, int argc, char **argv)
{
	struct vpc_agent_report report;
	_cleanup_free_ char *data = NULL;
	_cleanup_close_ int fd = -1;
	const char *host = NULL;
	struct ctl_arg args[] = { { "host", CTL_WORD, &host } };
	size_t len = 0;
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = vpc_config_load(ctl->config_path, &ctl->config, &ctl->err);
	if (!r)
		r = connect_to(ctl, host ?: ctl->config.host, &fd);
	if (!r)
		r = read_all(ctl, fd, &data, &len);
	if (r)
		return r;
	r = vpc_agent_report_parse(data, len, &report, &ctl->err);
	if (r)
		return vpc_err_prefix(&ctl->err, r, "the agent's answer");
	if (ctl->json)
		ctl_print(ctl, json_tokener_parse(data));
	else
		print_report(&report);
	vpc_agent_report_clear(&report);
	return 0;
}

static const struct ctl_verb verbs[] = {
	{ "status", agent_status, "[host NAME]", false },
};

const struct ctl_object ctl_agent = {
	.name = "agent",
	.about = "what this host's vpc_agent says about itself",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
	.notes = "The agent is found by its socket, [agent] run_dir/NAME.sock; NAME is the configuration's host unless "
		 "given.\n",
};
