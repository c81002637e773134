// SPDX-License-Identifier: Apache-2.0
/*
 * One audit; see once.h.
 */
#include "once.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "../lib/util.h"
#include "progress.h"

static volatile sig_atomic_t ended;

/* A second one, of either kind, ends the program at once. */
static void on_signal(int number)
{
	if (ended) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		raise(number);
	}
	ended = 1;
}

static bool goes_on(void *arg)
{
	return !ended;
}

static void hear_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	ended = 0;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* What must be the same for another run to go on with this one's progress. NULL: out of memory. */
static char *describe(const struct round *round)
{
	const struct options *o = round->options;
	const struct vpc_config *c = round->config;
	char table[16] = "all", *text;
	int len;

	if (o->has_table)
		snprintf(table, sizeof(table), "%u", o->table);
	if (c->cdb_socket)
		len = asprintf(&text, "host %s netns %s vpc %s table %s full %d verify %d probe %u cdb %s %s",
			       round->host, o->netns ?: "-", o->vpc ?: "all", table, o->full, o->verify, o->probes,
			       c->cdb_socket, c->cdb_database);
	else
		len = asprintf(&text, "host %s netns %s vpc %s table %s full %d verify %d probe %u cdb %s:%u %s",
			       round->host, o->netns ?: "-", o->vpc ?: "all", table, o->full, o->verify, o->probes,
			       c->cdb_host, c->cdb_port, c->cdb_database);
	return len < 0 ? NULL : text;
}

/* *ret_path, the caller's: "" where it is to be kept nowhere. By default a file for each kind of audit. */
static int progress_open(struct round *round, char **ret_path, char *ret_note, size_t size, struct vpc_err *err)
{
	const struct options *o = round->options;
	_cleanup_free_ char *audit = describe(round), *path = NULL;
	int ret = 0, len = 0;

	if (o->progress)
		path = strdup(o->progress);
	else if (audit && round->config->state_dir)
		len = asprintf(&path, "%s/reconcile-%s-%08x.progress", round->config->state_dir, round->host,
			       fnv1a(audit, strlen(audit)));
	else
		path = strdup("");
	if (len < 0)
		path = NULL;
	round->progress = audit && path ? progress_new(path, audit) : NULL;
	if (!round->progress)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	ret = o->resume ? progress_load(round->progress, now_wall_ms(), err) : progress_claim(round->progress, err);
	if (ret == -ENOENT) {
		snprintf(ret_note, size, "no run before has left anything to go on from");
		ret = 0;
	}
	if (ret)
		return ret;
	*ret_path = path;
	path = NULL;
	return 0;
}

/* One line: what is done so far, and how another run goes on there. */
static void say_progress(const struct round *round, const char *path, const char *why)
{
	struct progress *p = round->progress;
	struct vpc_err err = { "there is no [agent] state_dir" };
	char then[640] = "";

	if (progress_total(p) && *path && !progress_write(p, &err))
		snprintf(then, sizeof(then), "; the same command with --resume goes on there (%.500s)", path);
	else if (progress_total(p))
		snprintf(then, sizeof(then), ", which could not be kept: %s (--progress FILE)", err.text);
	fprintf(stderr, "vpc_reconcile: %s: %zu of %zu VPCs are done%s\n", why, progress_done(p), progress_total(p),
		then);
}

static int print_report(const struct round *round, const struct report *report)
{
	const struct options *o = round->options;

	if (!(o->json ? report_print_json(report, o->pretty) : report_print_text(report, o->verbose)))
		return report_exit_status(report, o->max_lag_s * UINT64_C(1000));
	fprintf(stderr, "vpc_reconcile: the report could not be written: %s\n", strerror(errno));
	return EXIT_COULD_NOT_COMPARE;
}

static bool all_compared(const struct report *report)
{
	for (size_t i = 0; i < report->n_vpcs; i++)
		if (report->vpcs[i].result == RESULT_FAILED)
			return false;
	return !report->reason[0];
}

int once_run(struct round *round)
{
	_cleanup_free_ char *path = NULL;
	struct vpc_err err = { "" };
	struct report report;
	char note[160] = "";
	int ret, status;

	if (options_keep_progress(round->options)) {
		ret = progress_open(round, &path, note, sizeof(note), &err);
		if (ret) {
			fprintf(stderr, "vpc_reconcile: %s\n", err.text);
			progress_free(round->progress);
			round->progress = NULL;
			return EXIT_COULD_NOT_COMPARE;
		}
		hear_signals();
		round->pace.go_on = goes_on;
	}
	ret = round_run(round, &report);
	if (ret && ret != -ECANCELED)
		snprintf(report.reason, sizeof(report.reason), "%s", strerror(-ret));
	if (round->progress) {
		report.resumes = round->options->resume;
		snprintf(report.resume, sizeof(report.resume), "%s", *note ? note : progress_note(round->progress));
	}
	status = ret == -ECANCELED ? EXIT_COULD_NOT_COMPARE : print_report(round, &report);
	if (ret == -ECANCELED)
		say_progress(round, path, "ended by a signal");
	else if (round->progress && !all_compared(&report) && progress_done(round->progress))
		say_progress(round, path, "not all could be compared");
	else if (round->progress && all_compared(&report))
		progress_remove(round->progress);
	progress_free(round->progress);
	round->progress = NULL;
	report_clear(&report);
	return status;
}
