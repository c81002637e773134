// SPDX-License-Identifier: Apache-2.0
/*
 * The command line; see options.h.
 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "../lib/config.h"
#include "../lib/util.h"
#include "../proto/vpc_genl.h"

#define DEFAULT_SETTLE_MS 3000
#define DEFAULT_MAX_LAG_S 60
#define DEFAULT_FINDINGS 100
#define DEFAULT_WATCH_S 10
#define DEFAULT_REPAIRS 100
#define DEFAULT_MAX_LOAD 25
#define NUMBER_MAX 3600000

enum {
	OPT_VERIFY = 256,
	OPT_FULL,
	OPT_SETTLE,
	OPT_MAX,
	OPT_MAX_LAG,
	OPT_VERSION,
	OPT_TABLE,
	OPT_SINCE,
	OPT_WATCH,
	OPT_PROBE,
	OPT_REPAIR,
	OPT_MAX_REPAIRS,
	OPT_RECORD,
	OPT_METRICS,
	OPT_METRICS_PORT,
	OPT_MAX_LOAD,
	OPT_RESUME,
	OPT_PROGRESS,
	OPT_SILENT,
	OPT_HTML,
};

static const struct option longs[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "host", required_argument, NULL, 'H' },
	{ "netns", required_argument, NULL, 'n' },
	{ "vpc", required_argument, NULL, 'V' },
	{ "table", required_argument, NULL, OPT_TABLE },
	{ "since", required_argument, NULL, OPT_SINCE },
	{ "verify", no_argument, NULL, OPT_VERIFY },
	{ "full", no_argument, NULL, OPT_FULL },
	{ "probe", required_argument, NULL, OPT_PROBE },
	{ "repair", no_argument, NULL, OPT_REPAIR },
	{ "max-repairs", required_argument, NULL, OPT_MAX_REPAIRS },
	{ "max-load", required_argument, NULL, OPT_MAX_LOAD },
	{ "metrics", required_argument, NULL, OPT_METRICS },
	{ "metrics-port", required_argument, NULL, OPT_METRICS_PORT },
	{ "resume", no_argument, NULL, OPT_RESUME },
	{ "progress", required_argument, NULL, OPT_PROGRESS },
	{ "record", no_argument, NULL, OPT_RECORD },
	{ "watch", optional_argument, NULL, OPT_WATCH },
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

static void usage(FILE *out)
{
	fprintf(out, "usage: vpc_reconcile [OPTION]...\n"
		     "       vpc_reconcile fleet [OPTION]...    what all hosts recorded; --help says more\n"
		     "Compare the kernel's VPC tables with CDB and report what differs.\n\n"
		     "  -c, --config FILE      configuration (default " VPC_CONFIG_PATH ")\n"
		     "  -H, --host NAME        this host's name in CDB (default: the configuration's)\n"
		     "  -n, --netns NAME       audit the kernel's tables of this network namespace\n"
		     "  -V, --vpc NAME|VNI     only this VPC\n"
		     "      --table N          of what differs, only routes of this table\n"
		     "      --since TIME       only VPCs that CDB changed since: 90s, 15m, 2h, 7d ago, or\n"
		     "                         2026-11-30T19:00:00Z\n"
		     "      --full             compare every entry, also where epoch and digest agree\n"
		     "      --verify           have the kernel recompute its digests from what forwarding reads\n"
		     "      --probe N          ask for the way to N random destinations a VPC, and compare it with\n"
		     "                         one that is computed from CDB\n"
		     "      --repair           have the agent put right what drifted, and look again\n"
		     "      --max-repairs N    more differences than so many are not touched (default 100)\n"
		     "      --resume           go on where the last one-shot --full, --verify or --probe was ended\n"
		     "      --progress FILE    where that is kept (default: in [agent] state_dir, if it is there)\n"
		     "      --watch[=SECONDS]  go on, a round every so often (default 10)\n"
		     "      --record           write what was found into CDB, for \"fleet\"\n"
		     "      --metrics FILE     write the round's metrics for Prometheus' node_exporter (FILE.prom)\n"
		     "      --metrics-port N   of a watch: they are at http://127.0.0.1:N/metrics, too (default: the\n"
		     "                         configuration's; 0: no)\n"
		     "      --settle MS        how long a port or VPC must differ before it counts (default 3000)\n"
		     "      --max-lag SECONDS  how long a change may be on its way (default 60)\n"
		     "      --max-load N       read no whole VPC while CDB runs more threads (default 25; 0: read)\n"
		     "      --max-findings N   findings printed for each VPC (default 100); all are counted\n"
		     "  -j, --json             report as JSON       -p, --pretty  indented\n"
		     "  -v, --verbose          name the consistent VPCs, too\n"
		     "  -h, --help             -\n"
		     "      --version          -\n\n"
		     "Exit status: 0 consistent, or behind for less than --max-lag; 1 drift; 2 could not compare\n"
		     "(it says why); 3 behind for longer.\n");
}

static int number(const char *name, const char *text, unsigned int min, unsigned int max, unsigned int *ret)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno || !*text || *end || *text == '-' || v < min || v > max) {
		fprintf(stderr, "vpc_reconcile: --%s '%s' is not a number from %u to %u\n", name, text, min, max);
		return -EINVAL;
	}
	*ret = v;
	return 0;
}

int options_time(const char *text, uint64_t now_ms, uint64_t *ret_ms)
{
	static const struct {
		char unit;
		uint64_t ms;
	} units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', 86400000 } };
	struct tm tm = { 0 };
	uint64_t n;
	char *end;

	end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (end && !*end) {
		*ret_ms = timegm(&tm) * UINT64_C(1000);
		return 0;
	}
	n = strtoul(text, &end, 10);
	for (size_t i = 0; i < ARRAY_SIZE(units) && strspn(text, "0123456789") == (size_t)(end - text); i++)
		if (end != text && *end == units[i].unit && !end[1] && n <= now_ms / units[i].ms) {
			*ret_ms = now_ms - n * units[i].ms;
			return 0;
		}
	return -EINVAL;
}

static int since(const char *text, uint64_t *ret_ms)
{
	int ret = options_time(text, now_wall_ms(), ret_ms);

	if (ret)
		fprintf(stderr, "vpc_reconcile: --since '%s' is neither like 90s, 15m, 2h, 7d nor a time in UTC\n",
			text);
	return ret;
}

static int take_number(int c, const char *arg, struct options *o)
{
	switch (c) {
	case OPT_TABLE:
		o->has_table = true;
		return number("table", arg, 0, VPC_TABLES_MAX - 1, &o->table);
	case OPT_MAX_LAG:
		return number("max-lag", arg, 0, NUMBER_MAX, &o->max_lag_s);
	case OPT_SETTLE:
		return number("settle", arg, 0, NUMBER_MAX, &o->settle_ms);
	case OPT_MAX:
		return number("max-findings", arg, 0, NUMBER_MAX, &o->max_findings);
	case OPT_PROBE:
		return number("probe", arg, 1, 1000000, &o->probes);
	case OPT_MAX_REPAIRS:
		return number("max-repairs", arg, 0, NUMBER_MAX, &o->max_repairs);
	case OPT_MAX_LOAD:
		return number("max-load", arg, 0, NUMBER_MAX, &o->max_load);
	case OPT_METRICS_PORT:
		o->has_metrics_port = true;
		return number("metrics-port", arg, 0, 65535, &o->metrics_port);
	case OPT_WATCH:
		o->watch_s = DEFAULT_WATCH_S;
		return arg ? number("watch", arg, 1, 86400, &o->watch_s) : 0;
	}
	return -EINVAL;
}

/* Return: as options_parse(). */
static int take(int c, const char *arg, struct options *o)
{
	switch (c) {
	case 'c':
		o->config = arg;
		break;
	case 'H':
		o->host = arg;
		break;
	case 'n':
		o->netns = arg;
		break;
	case 'V':
		o->vpc = arg;
		break;
	case OPT_VERIFY:
		o->verify = true;
		break;
	case OPT_FULL:
		o->full = true;
		break;
	case OPT_REPAIR:
		o->repair = true;
		break;
	case OPT_METRICS:
		o->metrics = arg;
		break;
	case OPT_RESUME:
		o->resume = true;
		break;
	case OPT_PROGRESS:
		o->progress = arg;
		break;
	case OPT_RECORD:
		o->record = true;
		break;
	case OPT_SINCE:
		return since(arg, &o->since_ms);
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
		return take_number(c, arg, o);
	}
	return 0;
}

bool options_keep_progress(const struct options *o)
{
	return (o->full || o->verify || o->probes) && !o->watch_s && !o->repair && !o->since_ms;
}

int options_parse(int argc, char **argv, struct options *ret_options)
{
	struct options o = { .settle_ms = DEFAULT_SETTLE_MS,
			     .max_findings = DEFAULT_FINDINGS,
			     .max_lag_s = DEFAULT_MAX_LAG_S,
			     .max_repairs = DEFAULT_REPAIRS,
			     .max_load = DEFAULT_MAX_LOAD };
	int c, ret = 0;

	optind = 1;
	while (!ret && (c = getopt_long(argc, argv, "c:H:n:V:jpvh", longs, NULL)) != -1)
		ret = take(c, optarg, &o);
	if (!ret && optind < argc) {
		fprintf(stderr, "vpc_reconcile: unexpected argument '%s'\n", argv[optind]);
		ret = -EINVAL;
	}
	/* The agent puts all of a VPC right: what was filtered away was not counted against --max-repairs. */
	if (!ret && o.repair && (o.has_table || o.since_ms)) {
		fprintf(stderr, "vpc_reconcile: --repair goes with neither --table nor --since\n");
		ret = -EINVAL;
	}
	if (!ret && (o.resume || o.progress) && !options_keep_progress(&o)) {
		fprintf(stderr, "vpc_reconcile: --resume and --progress go with --full, --verify or --probe, and "
				"not with --watch, --repair or --since\n");
		ret = -EINVAL;
	}
	if (!ret && o.metrics_port && !o.watch_s) {
		fprintf(stderr, "vpc_reconcile: --metrics-port goes with --watch: nobody answers behind one audit\n");
		ret = -EINVAL;
	}
	*ret_options = o;
	return ret;
}

static void fleet_usage(FILE *out)
{
	fprintf(out,
		"usage: vpc_reconcile fleet [OPTION]...\n"
		"Show what the audits of all hosts have recorded in CDB (vpc_reconcile --record).\n\n"
		"  -c, --config FILE      configuration (default " VPC_CONFIG_PATH ")\n"
		"      --silent SECONDS   a host that has said nothing for so long is silent (default 300)\n"
		"      --html FILE        write a page about it, with the last day\n"
		"  -j, --json             as JSON              -p, --pretty  indented\n"
		"  -v, --verbose          name the consistent hosts, too\n"
		"  -h, --help             -\n\n"
		"Exit status: 0 all consistent; 1 drift somewhere; 2 a host could not compare or is silent, or CDB\n"
		"cannot be read; 3 a host is behind for longer than its --max-lag.\n");
}

int fleet_options_parse(int argc, char **argv, struct fleet_options *ret_options)
{
	static const struct option fleet_longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "silent", required_argument, NULL, OPT_SILENT },
		{ "html", required_argument, NULL, OPT_HTML },
		{ "json", no_argument, NULL, 'j' },
		{ "pretty", no_argument, NULL, 'p' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct fleet_options o = { .silent_s = 300 };
	int c, ret = 0;

	optind = 1;
	while (!ret && (c = getopt_long(argc, argv, "c:jpvh", fleet_longs, NULL)) != -1)
		switch (c) {
		case 'c':
			o.config = optarg;
			break;
		case OPT_SILENT:
			ret = number("silent", optarg, 1, NUMBER_MAX, &o.silent_s);
			break;
		case OPT_HTML:
			o.html = optarg;
			break;
		case 'j':
			o.json = true;
			break;
		case 'p':
			o.pretty = true;
			break;
		case 'v':
			o.verbose = true;
			break;
		case 'h':
			fleet_usage(stdout);
			return 1;
		default:
			ret = -EINVAL;
		}
	if (!ret && optind < argc) {
		fprintf(stderr, "vpc_reconcile: unexpected argument '%s'\n", argv[optind]);
		ret = -EINVAL;
	}
	*ret_options = o;
	return ret;
}
