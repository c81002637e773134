// SPDX-License-Identifier: Apache-2.0
/*
 * vpc_agent, one per host: from ZooKeeper into vpc.ko. The ladder: options, configuration, log, module, agent, loop.
 *
 * Exit status: 0 after SIGTERM or SIGINT, 1 when something in the way of starting is wrong; one line says what.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include "../lib/log.h"
#include "../lib/util.h"
#include "../lib/zk_auth.h"
#include "../proto/znode.h"
#include "agent.h"
#include "kmodule.h"

struct options {
	const char *config_path, *host, *netns;
	bool check_config;
};

static const char usage[] =
	"Usage: vpc_agent [-c CONFIG] [--host NAME] [--netns NAME|PATH] [--check-config] [--version]\n"
	"  -c, --config FILE  configuration (default: " VPC_CONFIG_PATH " when it is there)\n"
	"  --host NAME        this host's name in CDB (default: [agent] name, else the host name)\n"
	"  --netns NAME|PATH  the network namespace that is the host's; ZooKeeper is reached from ours\n"
	"  --check-config     say whether the configuration is good, and end\n"
	"  --version, --help\n";

/* @ret_exit: -1, or the status to end with at once. */
static void options_parse(int argc, char **argv, struct options *ret, int *ret_exit)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "host", required_argument, NULL, 'H' },
		{ "netns", required_argument, NULL, 'n' },
		{ "check-config", no_argument, NULL, 'C' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	*ret_exit = -1;
	while ((c = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			ret->config_path = optarg;
			break;
		case 'H':
			ret->host = optarg;
			break;
		case 'n':
			ret->netns = optarg;
			break;
		case 'C':
			ret->check_config = true;
			break;
		case 'V':
			printf("vpc_agent %s\n", VPC_VERSION);
			*ret_exit = 0;
			return;
		case 'h':
			fputs(usage, stdout);
			*ret_exit = 0;
			return;
		default:
			*ret_exit = 1; /* getopt has said it */
			return;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "vpc_agent: unexpected argument '%s'; see --help\n", argv[optind]);
		*ret_exit = 1;
	}
}

/* --host is put over the file, under the file's own rule: it becomes part of a znode's path. */
static int config_read(const struct options *opt, struct vpc_config *ret, struct vpc_err *err)
{
	struct vpc_config config = { 0 };
	char *host;
	int res;

	res = vpc_config_load(opt->config_path, &config, err);
	if (res)
		return res;
	if (opt->host) {
		host = strdup(opt->host);
		if (!vpc_host_name_valid(opt->host))
			res = vpc_err_set(err, -EINVAL, "--host: '%.80s' is not a host's name", opt->host);
		else if (!host)
			res = vpc_err_set(err, -ENOMEM, "out of memory");
		if (res) {
			free(host);
			vpc_config_clear(&config);
			return res;
		}
		free(config.host);
		config.host = host;
	}
	*ret = config;
	return 0;
}

static int agent_start(struct vpc_config *config, const struct options *opt, struct agent **ret_agent,
		       struct vpc_err *err)
{
	_cleanup_(kernel_closep) struct kernel *probe = NULL;
	int res;

	res = kernel_open(opt->netns, &probe, err);
	if (res == -ENOENT && config->load_module) {
		res = kmodule_load(err);
		if (res)
			return res;
		log_info("vpc.ko inserted");
	} else if (res) {
		return res;
	}
	return agent_new(config, opt->config_path, opt->netns, ret_agent, err);
}

int main(int argc, char **argv)
{
	struct options opt = { 0 };
	struct vpc_config config = { 0 };
	struct vpc_err err = { "" };
	char credential[ZK_CREDENTIAL_MAX];
	struct agent *agent = NULL;
	int res, status;

	options_parse(argc, argv, &opt, &status);
	if (status >= 0)
		return status;
	res = config_read(&opt, &config, &err);
	if (!res && config.zk_credential_file)
		res = zk_credential_load(config.zk_credential_file, credential, &err);
	if (res || opt.check_config) {
		if (res)
			fprintf(stderr, "vpc_agent: %s\n", err.text);
		vpc_config_clear(&config);
		return res ? 1 : 0;
	}
	log_init("vpc_agent", config.log_level);
	res = agent_start(&config, &opt, &agent, &err);
	if (!res) {
		res = agent_run(agent);
		if (res < 0)
			vpc_err_set(&err, res, "event loop: %s", strerror(-res));
	}
	if (res)
		log_err("%s", err.text[0] ? err.text : strerror(-res));
	agent_free(agent);
	vpc_config_clear(&config);
	return res ? 1 : 0;
}
