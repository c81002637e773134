/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of vpc_reconcile: one audit, or rounds of them (--watch). Parsed by options.c for main.c.
 */
#ifndef VPC_RECONCILE_OPTIONS_H
#define VPC_RECONCILE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct options {
	const char *config, *host, *netns, *vpc, *metrics, *progress;
	bool json, pretty, verbose, verify, full, repair, record, resume;
	unsigned int max_load; /* of CDB; 0: whatever it is */
	unsigned int settle_ms, max_findings, max_lag_s;
	bool has_table;
	unsigned int table;
	uint64_t since_ms;		/* wall clock; 0: whenever */
	unsigned int watch_s;		/* 0: one audit */
	bool has_metrics_port;		/* else the configuration's */
	unsigned int metrics_port;	/* of a watch; 0: none */
	unsigned int probes;		/* a VPC */
	unsigned int max_repairs;
};

/* vpc_reconcile fleet ... */
struct fleet_options {
	const char *config, *html;
	bool json, pretty, verbose;
	unsigned int silent_s;
};

/* As options_parse(), without the word "fleet". */
int fleet_options_parse(int argc, char **argv, struct fleet_options *ret_options);

/* Defaults, and what @argv says. Return: 0 go on, 1 done (help was printed), -EINVAL (it was said why). */
int options_parse(int argc, char **argv, struct options *ret_options);

/* Whether it is an audit that takes its time, and that another one can go on with. */
bool options_keep_progress(const struct options *o);

/*
 * "90s", "15m", "2h", "7d" before @now_ms, or "2026-11-30T19:00:00Z"; both in milliseconds since 1970. -EINVAL.
 */
int options_time(const char *text, uint64_t now_ms, uint64_t *ret_ms);

#endif
