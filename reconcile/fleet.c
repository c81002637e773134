// SPDX-License-Identifier: Apache-2.0
/*
 * The fleet as text and JSON; see fleet.h. The members of the JSON are the contract, described in doc/operations.md:
 * {"v":1,"time_ms","counts":{state:n},"hosts":[{"host","state","since_ms"?,"last_ms"?,"rounds","vpcs":{result:n},
 *  "differences","lag_ms","duration_us","reason"?}],"differences":[{"hosts","host","vni","class","leg","object",
 *  "want"?,"have"?,"change"?,"since_ms"?}],"cut"?}
 */
#include "fleet.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../lib/newfile.h"
#include "../lib/util.h"
#include "options.h"
#include "report.h"

#define EXIT_UNKNOWN 2
#define HISTORY_MS   86400000ULL /* of the page */
#define HISTORY_RUNS 200000

const enum fleet_state fleet_worst_first[FLEET_STATES] = { FLEET_DRIFTED, FLEET_FAILED, FLEET_LAGGING, FLEET_SILENT,
							   FLEET_CONSISTENT };

const char *fleet_state_name(enum fleet_state state)
{
	static const char *const names[] = { "consistent", "lagging", "drifted", "could not compare", "silent" };

	return state < FLEET_STATES ? names[state] : "?";
}

enum fleet_state fleet_state_of(const struct cdb_run *run, uint64_t now, uint64_t silent_ms)
{
	if (!run->last || run->last + silent_ms < now)
		return FLEET_SILENT;
	switch (run->result) {
	case CDB_RUN_CONSISTENT:
		return FLEET_CONSISTENT;
	case CDB_RUN_LAGGING:
		return FLEET_LAGGING;
	case CDB_RUN_DRIFTED:
		return FLEET_DRIFTED;
	case CDB_RUN_FAILED:
	case CDB_N_RUN_RESULTS:
		break;
	}
	return FLEET_FAILED;
}

static void count(const struct cdb_fleet *fleet, uint64_t silent_ms, size_t *ret_n)
{
	memset(ret_n, 0, FLEET_STATES * sizeof(*ret_n));
	for (size_t i = 0; i < fleet->n_hosts; i++)
		ret_n[fleet_state_of(&fleet->hosts[i], fleet->now, silent_ms)]++;
}

/* -- text ---------------------------------------------------------------------------------------------------------- */

static const char *colour(enum fleet_state state)
{
	static const char *const colours[] = { "\033[32m", "\033[33m", "\033[31m", "\033[31m", "\033[35m" };

	return isatty(STDOUT_FILENO) ? colours[state] : "";
}

static const char *colour_end(void)
{
	return isatty(STDOUT_FILENO) ? "\033[0m" : "";
}

static const char *age_text(uint64_t now, uint64_t then, char *buf, size_t size)
{
	uint64_t s = then && then < now ? (now - then) / 1000 : 0;

	if (!then)
		snprintf(buf, size, "-");
	else if (s < 120)
		snprintf(buf, size, "%" PRIu64 " s", s);
	else if (s < 7200)
		snprintf(buf, size, "%" PRIu64 " min", s / 60);
	else if (s < 172800)
		snprintf(buf, size, "%" PRIu64 " h", s / 3600);
	else
		snprintf(buf, size, "%" PRIu64 " d", s / 86400);
	return buf;
}

/*
 * What a host wrote, and nobody has checked: to a terminal only what is printable. @buf: as large as the column that
 * it comes from.
 */
static const char *clean(const char *text, char *buf, size_t size)
{
	size_t i = 0;

	for (; text[i] && i + 1 < size; i++)
		buf[i] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
	buf[i] = '\0';
	return buf;
}

static void print_host(const struct cdb_fleet *fleet, const struct cdb_run *run, enum fleet_state state)
{
	char since[24], last[24], host[sizeof(run->host)], reason[sizeof(run->reason)];
	/* A silent host's state is as old as its silence. */
	uint64_t from = state == FLEET_SILENT ? run->last : run->began;

	printf("%-24s %s%-17s%s %9s %9s %6u %6u %6u %6u  ", clean(run->host, host, sizeof(host)), colour(state),
	       fleet_state_name(state), colour_end(), age_text(fleet->now, from, since, sizeof(since)),
	       age_text(fleet->now, run->last, last, sizeof(last)), run->n_vpcs[CDB_RUN_CONSISTENT],
	       run->n_vpcs[CDB_RUN_LAGGING], run->n_vpcs[CDB_RUN_DRIFTED], run->n_vpcs[CDB_RUN_FAILED]);
	if (run->reason[0])
		printf("%s", clean(run->reason, reason, sizeof(reason)));
	else if (run->drifts)
		printf("%" PRIu64 " differences", run->drifts);
	else if (state == FLEET_LAGGING)
		printf("behind for %.0f s", run->lag_ms / 1e3);
	else if (!run->last)
		printf("has never recorded anything");
	printf("\n");
}

static void print_diff(const struct cdb_fleet_diff *diff)
{
	const struct cdb_run_diff *from = &diff->diff;
	struct cdb_run_diff d = *from;
	char of[24] = "the host", host[sizeof(diff->host)];

	clean(from->class, d.class, sizeof(d.class));
	clean(from->leg, d.leg, sizeof(d.leg));
	clean(from->object, d.object, sizeof(d.object));
	clean(from->want, d.want, sizeof(d.want));
	clean(from->have, d.have, sizeof(d.have));
	clean(from->change, d.change, sizeof(d.change));
	clean(diff->host, host, sizeof(host));
	if (d.vni)
		snprintf(of, sizeof(of), "VPC %u", d.vni);
	printf("%6u host%s  %-9s  %s, %s:", diff->n_hosts, diff->n_hosts == 1 ? " " : "s", d.class, of, d.object);
	if (d.want[0])
		printf(" CDB has %s%s", d.want, d.have[0] ? "," : "");
	if (d.have[0])
		printf(" the kernel has %s", d.have);
	printf(" (%s%s%s; on %s%s)\n", d.leg, d.change[0] ? ", change " : "", d.change, host,
	       diff->n_hosts > 1 ? " and others" : "");
}

static int print_text(const struct cdb_fleet *fleet, uint64_t silent_ms, bool verbose)
{
	const enum fleet_state *order = fleet_worst_first;
	size_t n[FLEET_STATES];
	bool any = false;

	count(fleet, silent_ms, n);
	for (size_t i = 0; i < FLEET_STATES; i++)
		for (size_t j = 0; j < fleet->n_hosts; j++) {
			const struct cdb_run *run = &fleet->hosts[j];

			if (fleet_state_of(run, fleet->now, silent_ms) != order[i] ||
			    (order[i] == FLEET_CONSISTENT && !verbose))
				continue;
			if (!any)
				printf("%-24s %-17s %9s %9s %6s %6s %6s %6s\n", "HOST", "STATE", "FOR", "LAST SAID",
				       "VPCS", "LAG", "DRIFT", "FAILED");
			any = true;
			print_host(fleet, run, order[i]);
		}
	for (size_t i = 0; i < fleet->n_diffs; i++)
		print_diff(&fleet->diffs[i]);
	printf("fleet: %zu hosts: %zu consistent, %zu lagging, %zu drifted, %zu could not compare, %zu silent; "
	       "%zu differences%s\n",
	       fleet->n_hosts, n[FLEET_CONSISTENT], n[FLEET_LAGGING], n[FLEET_DRIFTED], n[FLEET_FAILED],
	       n[FLEET_SILENT], fleet->n_diffs,
	       fleet->diffs_cut ? ", and more that were not read" : "");
	return fflush(stdout) || ferror(stdout) ? -EIO : 0;
}

/* -- JSON ---------------------------------------------------------------------------------------------------------- */

static void add_string(struct json_object *o, const char *key, const char *value)
{
	if (value[0])
		json_object_object_add(o, key, json_object_new_string(value));
}

static void add_u64(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

static struct json_object *host_json(const struct cdb_run *run, enum fleet_state state)
{
	struct json_object *o = json_object_new_object(), *vpcs = json_object_new_object();

	add_string(o, "host", run->host);
	add_string(o, "state", fleet_state_name(state));
	if (run->last) {
		add_u64(o, "since_ms", run->began);
		add_u64(o, "last_ms", run->last);
	}
	add_u64(o, "rounds", run->rounds);
	for (enum cdb_run_result i = 0; i < CDB_N_RUN_RESULTS; i++)
		add_u64(vpcs, cdb_run_result_name(i), run->n_vpcs[i]);
	json_object_object_add(o, "vpcs", vpcs);
	add_u64(o, "differences", run->drifts);
	add_u64(o, "lag_ms", run->lag_ms);
	add_u64(o, "duration_us", run->duration_us);
	add_string(o, "reason", run->reason);
	return o;
}

static struct json_object *diff_json(const struct cdb_fleet_diff *d)
{
	struct json_object *o = json_object_new_object();

	add_u64(o, "hosts", d->n_hosts);
	add_string(o, "host", d->host);
	add_u64(o, "vni", d->diff.vni);
	add_string(o, "class", d->diff.class);
	add_string(o, "leg", d->diff.leg);
	add_string(o, "object", d->diff.object);
	add_string(o, "want", d->diff.want);
	add_string(o, "have", d->diff.have);
	add_string(o, "change", d->diff.change);
	if (d->diff.since_ms)
		add_u64(o, "since_ms", d->diff.since_ms);
	return o;
}

static int print_json(const struct cdb_fleet *fleet, uint64_t silent_ms, bool pretty)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE | (pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : 0);
	struct json_object *o = json_object_new_object(), *counts = json_object_new_object();
	struct json_object *hosts = json_object_new_array(), *diffs = json_object_new_array();
	size_t n[FLEET_STATES];
	int ret;

	count(fleet, silent_ms, n);
	json_object_object_add(o, "v", json_object_new_int(1));
	add_u64(o, "time_ms", fleet->now);
	for (enum fleet_state i = 0; i < FLEET_STATES; i++)
		add_u64(counts, fleet_state_name(i), n[i]);
	json_object_object_add(o, "counts", counts);
	for (size_t i = 0; i < fleet->n_hosts; i++)
		json_object_array_add(hosts, host_json(&fleet->hosts[i],
						       fleet_state_of(&fleet->hosts[i], fleet->now, silent_ms)));
	json_object_object_add(o, "hosts", hosts);
	for (size_t i = 0; i < fleet->n_diffs; i++)
		json_object_array_add(diffs, diff_json(&fleet->diffs[i]));
	json_object_object_add(o, "differences", diffs);
	if (fleet->diffs_cut)
		json_object_object_add(o, "cut", json_object_new_boolean(true));
	ret = puts(json_object_to_json_string_ext(o, flags)) < 0 || fflush(stdout) ? -EIO : 0;
	json_object_put(o);
	return ret;
}

/* -- the command --------------------------------------------------------------------------------------------------- */

static int fleet_exit(const struct cdb_fleet *fleet, uint64_t silent_ms)
{
	size_t n[FLEET_STATES];

	count(fleet, silent_ms, n);
	if (n[FLEET_DRIFTED])
		return 1;
	if (n[FLEET_FAILED] || n[FLEET_SILENT])
		return EXIT_UNKNOWN;
	return n[FLEET_LAGGING] ? 3 : 0;
}

static int load(const struct fleet_options *o, uint64_t silent_ms, struct cdb_fleet *ret_fleet, struct vpc_err *err)
{
	_cleanup_(cdb_closep) struct cdb *cdb = NULL;
	struct vpc_config config;
	int ret;

	ret = vpc_config_load(o->config, &config, err);
	if (ret)
		return ret;
	ret = cdb_open(&config, &cdb, err);
	if (!ret)
		ret = cdb_check_schema(cdb, err);
	if (!ret)
		ret = cdb_fleet_load(cdb, silent_ms, o->html ? now_wall_ms() - HISTORY_MS : 0, HISTORY_RUNS, ret_fleet,
				     err);
	vpc_config_clear(&config);
	return ret;
}

struct page {
	const struct cdb_fleet *fleet;
	uint64_t silent_ms;
};

static int print_page(FILE *to, void *arg)
{
	const struct page *page = arg;

	return fleet_print_html(page->fleet, page->silent_ms, to);
}

static int write_html(const struct cdb_fleet *fleet, uint64_t silent_ms, const char *path, struct vpc_err *err)
{
	struct page page = { fleet, silent_ms };
	mode_t mask = umask(0);

	umask(mask);
	return newfile_print(path, 0666 & ~mask, true, print_page, &page, err);
}

int fleet_main(int argc, char **argv)
{
	struct vpc_err err = { "" };
	struct fleet_options o;
	struct cdb_fleet fleet;
	uint64_t silent_ms;
	int ret = fleet_options_parse(argc, argv, &o), status;

	if (ret)
		return ret < 0 ? EXIT_UNKNOWN : 0;
	silent_ms = o.silent_s * UINT64_C(1000);
	ret = load(&o, silent_ms, &fleet, &err);
	if (ret) {
		fprintf(stderr, "vpc_reconcile: %s%s\n", err.text, failure_advice(ret));
		return EXIT_UNKNOWN;
	}
	status = fleet_exit(&fleet, silent_ms);
	ret = o.html ? write_html(&fleet, silent_ms, o.html, &err) : 0;
	if (!ret && (o.json ? print_json(&fleet, silent_ms, o.pretty) : print_text(&fleet, silent_ms, o.verbose)))
		ret = vpc_err_set(&err, -EIO, "standard output: %s", strerror(errno));
	if (ret) {
		fprintf(stderr, "vpc_reconcile: %s\n", err.text);
		status = EXIT_UNKNOWN;
	}
	cdb_fleet_clear(&fleet);
	return status;
}
