// SPDX-License-Identifier: Apache-2.0
/*
 * vpc_publisher: see publisher.h. Exit status: 0 stopped, or --once and all published; 1 usage, configuration, or
 * a fence that cannot be read; 2 --once and something could not be published.
 */
#include "publisher.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "../lib/log.h"
#include "../lib/util.h"

enum {
	EXIT_OK,
	EXIT_USAGE,
	EXIT_LEFT
};

#define GARBAGE_S 60
#define STOP_S 1 /* no longer than this for a call that hangs */

struct options {
	const char *config;
	bool once, all, check, protect;
	unsigned int garbage_s;
};

static const char usage[] = "usage: vpc_publisher [OPTION...]\n"
			    "Publishes what CDB's outbox names to ZooKeeper, when it is this one's turn to lead.\n"
			    "  -c, --config FILE           configuration (default " VPC_CONFIG_PATH ")\n"
			    "      --once                  publish what is pending, then exit\n"
			    "      --all                   compare every VPC and host with ZooKeeper first\n"
			    "      --protect               let nobody else write what is there, then exit\n"
			    "      --check-config          check the configuration, then exit\n"
			    "      --garbage-delay SECONDS how long old snapshots stay readable (default 60)\n"
			    "  -h, --help                  -V, --version\n";

static struct publisher publisher;

static void on_signal(int sig)
{
	publisher.stop = 1;
	if (publisher.zk)
		zk_interrupt(publisher.zk);
	alarm(STOP_S);
}

/* A server that hangs does not keep us: being killed at any point is what the publisher is made for. */
static void on_alarm(int sig)
{
	_exit(EXIT_OK);
}

static void catch_signals(void)
{
	struct sigaction stop = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct sigaction give_up = { .sa_handler = on_alarm };

	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGALRM, &give_up, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int parse_seconds(const char *text, unsigned int *ret)
{
	unsigned long value;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	value = strtoul(text, &end, 10);
	if (*end || value > 86400)
		return -EINVAL;
	*ret = value;
	return 0;
}

/* 0: go on; else the process is done with *ret_status. */
static int parse_options(int argc, char **argv, struct options *opt, int *ret_status)
{
	enum { OPT_ONCE = 256, OPT_ALL, OPT_CHECK, OPT_PROTECT, OPT_GARBAGE };
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "once", no_argument, NULL, OPT_ONCE },
		{ "all", no_argument, NULL, OPT_ALL },
		{ "protect", no_argument, NULL, OPT_PROTECT },
		{ "check-config", no_argument, NULL, OPT_CHECK },
		{ "garbage-delay", required_argument, NULL, OPT_GARBAGE },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{},
	};
	int c;

	*ret_status = EXIT_OK;
	while ((c = getopt_long(argc, argv, "c:hV", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			opt->config = optarg;
			break;
		case OPT_ONCE:
			opt->once = true;
			break;
		case OPT_ALL:
			opt->all = true;
			break;
		case OPT_PROTECT:
			opt->protect = true;
			break;
		case OPT_CHECK:
			opt->check = true;
			break;
		case OPT_GARBAGE:
			if (!parse_seconds(optarg, &opt->garbage_s))
				break;
			fprintf(stderr, "vpc_publisher: --garbage-delay '%s' is not a number of seconds, 0..86400\n",
				optarg);
			*ret_status = EXIT_USAGE;
			return -EINVAL;
		case 'h':
			fputs(usage, stdout);
			return -ECANCELED;
		case 'V':
			puts("vpc_publisher " VPC_VERSION);
			return -ECANCELED;
		default:
			fputs(usage, stderr);
			*ret_status = EXIT_USAGE;
			return -EINVAL;
		}
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, "vpc_publisher: unexpected argument '%s'\n%s", argv[optind], usage);
	*ret_status = EXIT_USAGE;
	return -EINVAL;
}

static void on_state(struct zk *zk, enum zk_state state, void *arg)
{
	struct publisher *p = arg;

	switch (state) {
	case ZK_CONNECTING:
		if (!p->stop)
			log_warn("connection to ZooKeeper at %s lost, trying again", p->config->zk_hosts);
		p->zk_away = true;
		break;
	case ZK_CONNECTED:
		log_info("connected to ZooKeeper");
		p->zk_away = false;
		break;
	case ZK_EXPIRED:
		log_warn("ZooKeeper session expired, starting another");
		p->election.name[0] = '\0';
		p->has_fence = false;
		break;
	case ZK_AUTH_FAILED:
		log_err("ZooKeeper at %s refuses our credentials, trying again", p->config->zk_hosts);
		p->election.name[0] = '\0';
		p->has_fence = false;
		p->zk_away = true;
		break;
	}
	p->wake = true;
}

/* The candidate before us has gone, or something is to be compared: there are no other watches. */
static void on_changed(struct zk *zk, const char *path, void *arg)
{
	struct publisher *p = arg;

	if (!strcmp(path, VPC_ZNODE_COMPARE))
		p->compare.look = true;
	p->wake = true;
}

static int run(struct publisher *p, const struct options *opt, struct vpc_err *err)
{
	const struct zk_ops ops = { .state = on_state, .changed = on_changed };
	int r;

	p->once = opt->once;
	p->all = opt->all;
	p->timeout_ms = p->config->zk_session_ms;
	r = pub_garbage_new(opt->garbage_s, &p->garbage);
	if (!r)
		r = pub_retry_new(&p->retry);
	if (!r)
		r = pub_content_new(&p->content);
	if (r)
		return vpc_err_set(err, r, "out of memory");
	r = zk_open(p->config->zk_hosts, p->config->publisher_session_ms, &ops, p, &p->zk, err);
	if (!r && *p->credential)
		r = zk_authenticate(p->zk, p->credential, err);
	if (!r && *p->old_credential)
		r = zk_authenticate(p->zk, p->old_credential, err);
	if (r)
		return r;
	catch_signals();
	if (opt->protect)
		return pub_protect(p, err);
	r = pub_run(p, err);
	sd_notify(0, "STOPPING=1");
	return r;
}

static int exit_status(const struct publisher *p, int r)
{
	if (!r)
		return EXIT_OK;
	return p->once && r != -EINVAL ? EXIT_LEFT : EXIT_USAGE;
}

static int load_credentials(struct publisher *p, const struct vpc_config *config, struct vpc_err *err)
{
	int r = 0;

	if (config->zk_old_credential_file && !config->zk_credential_file)
		return vpc_err_set(err, -EINVAL, "[zookeeper] old_credential_file wants credential_file, too");
	if (config->zk_credential_file)
		r = zk_credential_load(config->zk_credential_file, p->credential, err);
	if (!r && config->zk_old_credential_file)
		r = zk_credential_load(config->zk_old_credential_file, p->old_credential, err);
	if (!r && *p->old_credential && !strcmp(p->credential, p->old_credential))
		return vpc_err_set(err, -EINVAL, "[zookeeper] old_credential_file holds the same as credential_file");
	return r;
}

int main(int argc, char **argv)
{
	struct options opt = { .garbage_s = GARBAGE_S };
	struct publisher *p = &publisher;
	struct vpc_config config = {};
	struct vpc_err err = {};
	struct zk *zk;
	int r, status;

	if (parse_options(argc, argv, &opt, &status))
		return status;
	log_init("vpc_publisher", LOG_INFO);
	r = vpc_config_load(opt.config, &config, &err);
	if (!r)
		r = load_credentials(p, &config, &err);
	if (r) {
		fprintf(stderr, "vpc_publisher: %s\n", err.text);
		return EXIT_USAGE;
	}
	log_init("vpc_publisher", config.log_level);
	if (config.cdb_timeout_s > config.publisher_cdb_timeout_s)
		config.cdb_timeout_s = config.publisher_cdb_timeout_s;
	if (!opt.check) {
		p->config = &config;
		r = run(p, &opt, &err);
		status = exit_status(p, r);
		if (r)
			log_err("%s", err.text);
		/* From here on a signal has nothing left to interrupt. */
		zk = p->zk;
		p->zk = NULL;
		cdb_close(p->cdb);
		zk_close(zk);
		pub_retry_free(p->retry);
		pub_garbage_free(p->garbage);
		pub_content_free(p->content);
		pub_compare_forget(p);
	}
	vpc_config_clear(&config);
	return status;
}
