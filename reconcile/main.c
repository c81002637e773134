// SPDX-License-Identifier: Apache-2.0
/*
 * vpc_reconcile: compares this host's kernel tables with CDB, past ZooKeeper and the agent, and reports what differs.
 * Exit: 0 consistent (or only a little behind), 1 drift, 2 could not compare, 3 behind for too long.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/util.h"
#include "audit.h"
#include "legs.h"

#define EXIT_COULD_NOT_COMPARE 2
#define EXIT_LAG 3
#define DEFAULT_SETTLE_MS 3000
#define DEFAULT_MAX_LAG_S 60
#define NUMBER_MAX 3600000
#define DEFAULT_FINDINGS 100

struct options {
	const char *config, *host, *netns, *vpc;
	bool json, pretty, verbose, verify, full;
	unsigned int settle_ms, max_findings, max_lag_s;
};

static void usage(FILE *out)
{
	fprintf(out, "usage: vpc_reconcile [OPTION]...\n"
		     "Compare the kernel's VPC tables with CDB and report what differs.\n\n"
		     "  -c, --config FILE      configuration (default " VPC_CONFIG_PATH ")\n"
		     "  -H, --host NAME        this host's name in CDB (default: the configuration's)\n"
		     "  -n, --netns NAME       audit the kernel's tables of this network namespace\n"
		     "  -V, --vpc NAME|VNI     only this VPC\n"
		     "      --full             compare every entry, also where epoch and digest agree\n"
		     "      --verify           have the kernel recompute its digests from what forwarding reads\n"
		     "      --settle MS        how long a port or VPC must differ before it counts (default 3000)\n"
		     "      --max-lag SECONDS  how long a change may be on its way (default 60)\n"
		     "      --max-findings N   findings printed for each VPC (default 100); all are counted\n"
		     "  -j, --json             report as JSON       -p, --pretty  indented\n"
		     "  -v, --verbose          name the consistent VPCs, too\n"
		     "  -h, --help             -\n"
		     "      --version          -\n\n"
		     "Exit status: 0 consistent, or behind for less than --max-lag; 1 drift; 2 could not compare\n"
		     "(it says why); 3 behind for longer.\n");
}

static int number(const char *name, const char *text, unsigned int *ret)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || !*text || *end || *text == '-' || v > NUMBER_MAX) {
		fprintf(stderr, "vpc_reconcile: --%s '%s' is not a number from 0 to %d\n", name, text, NUMBER_MAX);
		return -EINVAL;
	}
	*ret = v;
	return 0;
}

/* Return: 0 go on, 1 done (help was printed), -EINVAL. */
static int parse(int argc, char **argv, struct options *o)
{
	enum { OPT_VERIFY = 256, OPT_FULL, OPT_SETTLE, OPT_MAX, OPT_MAX_LAG, OPT_VERSION };
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "host", required_argument, NULL, 'H' },
		{ "netns", required_argument, NULL, 'n' },
		{ "vpc", required_argument, NULL, 'V' },
		{ "verify", no_argument, NULL, OPT_VERIFY },
		{ "full", no_argument, NULL, OPT_FULL },
		{ "settle", required_argument, NULL, OPT_SETTLE },
		{ "max-lag", required_argument, NULL, OPT_MAX_LAG },
		{ "max-findings", required_argument, NULL, OPT_MAX },
		{ "json", no_argument, NULL, 'j' },
		{ "pretty", no_argument, NULL, 'p' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, OPT_VERSION },
		{ 0 },
	};
	int c, ret = 0;

	while (!ret && (c = getopt_long(argc, argv, "c:H:n:V:jpvh", longs, NULL)) != -1)
		switch (c) {
		case 'c':
			o->config = optarg;
			break;
		case 'H':
			o->host = optarg;
			break;
		case 'n':
			o->netns = optarg;
			break;
		case 'V':
			o->vpc = optarg;
			break;
		case OPT_VERIFY:
			o->verify = true;
			break;
		case OPT_FULL:
			o->full = true;
			break;
		case OPT_MAX_LAG:
			ret = number("max-lag", optarg, &o->max_lag_s);
			break;
		case OPT_SETTLE:
			ret = number("settle", optarg, &o->settle_ms);
			break;
		case OPT_MAX:
			ret = number("max-findings", optarg, &o->max_findings);
			break;
		case 'j':
			o->json = true;
			break;
		case 'p':
			o->pretty = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'h':
			usage(stdout);
			return 1;
		case OPT_VERSION:
			printf("vpc_reconcile %s\n", VPC_VERSION);
			return 1;
		default:
			return -EINVAL;
		}
	if (!ret && optind < argc) {
		fprintf(stderr, "vpc_reconcile: unexpected argument '%s'\n", argv[optind]);
		ret = -EINVAL;
	}
	return ret;
}

/* Opens both sides and runs the audit; an error here means that nothing was compared, and the report says so. */
static int run(const struct options *o, const struct vpc_config *config, struct report *report, struct vpc_err *err)
{
	_cleanup_(cdb_closep) struct cdb *cdb = NULL;
	_cleanup_(kernel_closep) struct kernel *kernel = NULL;
	_cleanup_(legs_freep) struct legs *legs = legs_new(config, report->host);
	struct audit audit = {
		.verify = o->verify, .full = o->full, .settle_ms = o->settle_ms, .host = report->host,
		.max_lag_ms = o->max_lag_s * UINT64_C(1000), .legs = legs
	};
	struct cdb_vpc vpc;
	int ret;

	if (!legs)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	ret = kernel_open(o->netns, &kernel, err);
	if (!ret)
		ret = cdb_open(config, &cdb, err);
	if (!ret)
		ret = cdb_check_schema(cdb, err);
	if (!ret && o->vpc) {
		ret = cdb_vpc_find(cdb, o->vpc, &vpc, err);
		audit.only_vni = ret ? 0 : vpc.vni;
	}
	if (ret)
		return ret;
	audit.cdb = cdb;
	audit.kernel = kernel;
	ret = audit_run(&audit, report);
	return ret ? vpc_err_set(err, ret, "%s", strerror(-ret)) : 0;
}

static int exit_status(const struct report *report, unsigned int max_lag_s)
{
	switch (report_result(report)) {
	case RESULT_CONSISTENT:
		return EXIT_SUCCESS;
	case RESULT_LAG:
		return report_lag_ms(report) > max_lag_s * UINT64_C(1000) ? EXIT_LAG : EXIT_SUCCESS;
	case RESULT_DRIFT:
		return 1;
	case RESULT_FAILED:
		break;
	}
	return EXIT_COULD_NOT_COMPARE;
}

int main(int argc, char **argv)
{
	struct options o = {
		.settle_ms = DEFAULT_SETTLE_MS, .max_findings = DEFAULT_FINDINGS, .max_lag_s = DEFAULT_MAX_LAG_S
	};
	struct vpc_config config;
	struct report report;
	struct vpc_err err = { "" };
	int ret = parse(argc, argv, &o), status;

	if (ret)
		return ret < 0 ? EXIT_COULD_NOT_COMPARE : EXIT_SUCCESS;
	ret = vpc_config_load(o.config, &config, &err);
	if (ret) {
		fprintf(stderr, "vpc_reconcile: %s\n", err.text);
		return EXIT_COULD_NOT_COMPARE;
	}
	report_init(&report, o.host ? o.host : config.host, o.max_findings);
	ret = run(&o, &config, &report, &err);
	if (ret)
		snprintf(report.reason, sizeof(report.reason), "%s%s", err.text, failure_advice(ret));
	status = exit_status(&report, o.max_lag_s);
	if (o.json ? report_print_json(&report, o.pretty) : report_print_text(&report, o.verbose)) {
		fprintf(stderr, "vpc_reconcile: the report could not be written: %s\n", strerror(errno));
		status = EXIT_COULD_NOT_COMPARE;
	}
	report_clear(&report);
	vpc_config_clear(&config);
	return status;
}
