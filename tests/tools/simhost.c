// SPDX-License-Identifier: Apache-2.0
/*
 * Hosts without a kernel module: vpc_agent with all of its parts and the real ZooKeeper client, over the kernel in
 * memory of the unit tests (tests/unit/agent_fake.h), one process a host. For suites and benchmarks that are about
 * ZooKeeper and many hosts, and not about tables.
 *
 *   simhost -c CONF NAME...       hosts of these names, until SIGTERM
 *   simhost -c CONF -n N PREFIX   PREFIX1 to PREFIXN
 *
 * The log is the agent's. The configuration's socket, metrics and cache are left out.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../../agent/agent.h"
#include "../../lib/log.h"
#include "../../lib/util.h"
#include "../unit/agent_fake.h"

#define HOSTS_MAX 1000

static pid_t pids[HOSTS_MAX];
static size_t n_pids;

/* The host itself; does not return. */
static void host_run(const char *conf, const char *name)
{
	struct vpc_config config = { 0 };
	struct vpc_err err = { "" };
	struct agent *agent = NULL;
	int res;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	res = vpc_config_load(conf, &config, &err);
	if (!res) {
		free(config.host);
		free(config.run_dir);
		config.host = strdup(name);
		config.run_dir = NULL;
		config.metrics_port = 0;
		config.cache = false;
		log_init(name, config.log_level);
		fake_kernel_reset();
		res = agent_new(&config, conf, NULL, &agent, &err);
	}
	if (!res)
		res = agent_run(agent);
	if (res)
		fprintf(stderr, "simhost: %s: %s\n", name, *err.text ? err.text : strerror(-res));
	agent_free(agent);
	vpc_config_clear(&config);
	exit(res ? 1 : 0);
}

static void on_signal(int sig)
{
	for (size_t i = 0; i < n_pids; i++)
		kill(pids[i], SIGTERM);
}

static int host_start(const char *conf, const char *name)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (!pid)
		host_run(conf, name);
	pids[n_pids++] = pid;
	return 0;
}

static int usage(void)
{
	fputs("usage: simhost -c CONF NAME... | simhost -c CONF -n N PREFIX\n", stderr);
	return 1;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	const char *conf = NULL;
	unsigned long n = 0;
	char name[64];
	int c, status, res = 0;

	while ((c = getopt(argc, argv, "c:n:")) != -1) {
		if (c == 'c')
			conf = optarg;
		else if (c == 'n')
			n = strtoul(optarg, NULL, 10);
		else
			return usage();
	}
	if (!conf || optind == argc || n > HOSTS_MAX || argc - optind > HOSTS_MAX || (n && argc - optind != 1))
		return usage();
	for (unsigned long i = 1; i <= n && !res; i++) {
		snprintf(name, sizeof(name), "%.50s%lu", argv[optind], i);
		res = host_start(conf, name);
	}
	for (int i = optind; !n && i < argc && !res; i++)
		res = host_start(conf, argv[i]);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (res)
		on_signal(SIGTERM);
	for (size_t i = 0; i < n_pids; i++) {
		while (waitpid(pids[i], &status, 0) < 0 && errno == EINTR)
			;
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			res = -EIO;
	}
	return res ? 1 : 0;
}
