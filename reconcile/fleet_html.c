// SPDX-License-Identifier: Apache-2.0
/*
 * The fleet as one HTML page without scripts and external resources: counts, states over the last day, differences by
 * leg, the table of differences, the hosts that are not consistent. Everything that comes out of CDB is escaped.
 */
#include "fleet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "../lib/util.h"
#include "report.h"

#define POINTS 96 /* a day, every quarter of an hour */
#define POINT_MS 900000ULL
#define CHART_W 960
#define CHART_H 160
#define ROWS_MAX 500 /* of a table; how many more there are is said */

static const char *const css =
	":root{color-scheme:light dark;--bg:#fff;--fg:#1c2024;--dim:#60646c;--line:#d9dce1;--card:#f6f7f9;"
	"--s0:#2f8f5b;--s1:#c98a04;--s2:#c6362c;--s3:#7a4fb5;--s4:#8b9097}"
	"@media(prefers-color-scheme:dark){:root{--bg:#16181b;--fg:#e6e8eb;--dim:#9ba1a8;--line:#33373d;--card:#1f2226;"
	"--s0:#4cb37c;--s1:#e0a82e;--s2:#e8635a;--s3:#a884dd;--s4:#747a82}}"
	"*{box-sizing:border-box}body{margin:0 auto;max-width:1040px;padding:24px 16px 48px;background:var(--bg);"
	"color:var(--fg);font:15px/1.5 system-ui,sans-serif}h1{font-size:22px;margin:0}"
	"h2{font-size:17px;margin:32px 0 8px}"
	".dim{color:var(--dim)}.tiles{display:flex;flex-wrap:wrap;gap:8px;margin:16px 0 0;padding:0;list-style:none}"
	".tiles li{flex:1 1 140px;background:var(--card);border-left:4px solid;border-radius:4px;padding:8px 12px}"
	".tiles b{display:block;font-size:24px;font-variant-numeric:tabular-nums}"
	"svg{display:block;width:100%;height:auto}"
	"svg text{fill:var(--dim);font-size:12px}.scroll{overflow-x:auto}"
	"table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
	"th,td{text-align:left;padding:5px 10px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}"
	"td.n,th.n{text-align:right}.nb{white-space:nowrap}code{font-size:13px;overflow-wrap:anywhere}"
	".k0{--c:var(--s0)}.k1{--c:var(--s1)}.k2{--c:var(--s2)}.k3{--c:var(--s3)}.k4{--c:var(--s4)}"
	".tiles .k0,.tiles .k1,.tiles .k2,.tiles .k3,.tiles .k4{border-color:var(--c)}"
	"rect.k0,rect.k1,rect.k2,rect.k3,rect.k4{fill:var(--c)}"
	".legend span::before{content:'';display:inline-block;width:10px;height:10px;margin:0 6px 0 0;"
	"background:var(--c)}"
	".legend span{margin-right:16px}";

static void escape(FILE *to, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '&':
			fputs("&amp;", to);
			break;
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		case '\'':
			fputs("&#39;", to);
			break;
		default:
			fputc(*text, to);
		}
}

static void print_time(FILE *to, uint64_t ms)
{
	time_t seconds = ms / 1000;
	char text[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%F %T UTC", &tm);
	fputs(text, to);
}

/* -- states over time ---------------------------------------------------------------------------------------------- */

static int run_cmp(const void *a, const void *b)
{
	const struct cdb_run *x = *(const struct cdb_run *const *)a, *y = *(const struct cdb_run *const *)b;
	int c = strcmp(x->host, y->host);

	return c ? c : x->began < y->began ? -1 : x->began > y->began;
}

/* How many hosts were in each state at each point. A run goes on until it is silent, or the next one begins. */
static int count_points(const struct cdb_fleet *fleet, uint64_t silent_ms, size_t counts[POINTS][FLEET_STATES])
{
	_cleanup_free_ const struct cdb_run **runs = calloc(fleet->n_runs + 1, sizeof(*runs));

	if (!runs)
		return -ENOMEM;
	memset(counts, 0, POINTS * sizeof(*counts));
	for (size_t i = 0; i < fleet->n_runs; i++)
		runs[i] = &fleet->runs[i];
	qsort(runs, fleet->n_runs, sizeof(*runs), run_cmp);
	for (size_t i = 0; i < fleet->n_runs; i++) {
		uint64_t end = runs[i]->last + silent_ms;

		if (i + 1 < fleet->n_runs && !strcmp(runs[i]->host, runs[i + 1]->host) && runs[i + 1]->began < end)
			end = runs[i + 1]->began;
		for (unsigned int p = 0; p < POINTS; p++) {
			uint64_t at = fleet->now - (POINTS - 1 - p) * POINT_MS;

			if (runs[i]->began <= at && at < end)
				counts[p][fleet_state_of(runs[i], runs[i]->last, silent_ms)]++;
		}
	}
	for (unsigned int p = 0; p < POINTS; p++) {
		size_t known = 0;

		for (int s = 0; s < FLEET_SILENT; s++)
			known += counts[p][s];
		counts[p][FLEET_SILENT] = fleet->n_hosts > known ? fleet->n_hosts - known : 0;
	}
	return 0;
}

static void print_legend(FILE *to)
{
	fputs("<p class=\"legend dim\">", to);
	for (enum fleet_state s = 0; s < FLEET_STATES; s++)
		fprintf(to, "<span class=\"k%d\">%s</span>", s, fleet_state_name(s));
	fputs("</p>\n", to);
}

static void print_bars(const struct cdb_fleet *fleet, size_t counts[POINTS][FLEET_STATES], FILE *to)
{
	double width = (double)CHART_W / POINTS;

	for (unsigned int p = 0; p < POINTS; p++) {
		double y = CHART_H;

		fputs("<g><title>", to);
		print_time(to, fleet->now - (POINTS - 1 - p) * POINT_MS);
		for (enum fleet_state s = 0; s < FLEET_STATES; s++)
			if (counts[p][s])
				fprintf(to, ", %zu %s", counts[p][s], fleet_state_name(s));
		fputs("</title>", to);
		for (enum fleet_state s = 0; s < FLEET_STATES; s++) {
			double h = fleet->n_hosts ? CHART_H * (double)counts[p][s] / fleet->n_hosts : 0;

			/* One host of many is to be seen, too. */
			if (counts[p][s] && h < 1.5)
				h = 1.5;
			y -= h;
			if (h > 0)
				fprintf(to,
					"<rect class=\"k%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", s,
					p * width, y > 0 ? y : 0, width - 1, h);
		}
		fputs("</g>\n", to);
	}
}

static int print_history(const struct cdb_fleet *fleet, uint64_t silent_ms, FILE *to)
{
	size_t(*counts)[FLEET_STATES] = calloc(POINTS, sizeof(*counts));
	int ret = counts ? count_points(fleet, silent_ms, counts) : -ENOMEM;

	if (ret) {
		free(counts);
		return ret;
	}
	fputs("<h2>The last 24 hours</h2>\n", to);
	if (fleet->runs_cut)
		fprintf(to,
			"<p class=\"dim\">Only the newest %zu results were read: the older ones are missing here</p>\n",
			fleet->n_runs);
	print_legend(to);
	fprintf(to,
		"<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Hosts by state, every quarter of an hour\">\n",
		CHART_W, CHART_H + 20);
	print_bars(fleet, counts, to);
	fprintf(to,
		"<text x=\"0\" y=\"%d\">24 hours ago</text><text x=\"%d\" y=\"%d\" text-anchor=\"end\">now, %zu hosts"
		"</text></svg>\n",
		CHART_H + 16, CHART_W, CHART_H + 16, fleet->n_hosts);
	free(counts);
	return 0;
}

/* -- differences --------------------------------------------------------------------------------------------------- */

static void print_legs(const struct cdb_fleet *fleet, FILE *to)
{
	uint64_t n[FINDING_LEGS] = { 0 }, most = 1;
	int row = 0;

	for (size_t i = 0; i < fleet->n_diffs; i++)
		for (enum finding_leg leg = 0; leg < FINDING_LEGS; leg++)
			if (!strcmp(fleet->diffs[i].diff.leg, finding_leg_name(leg)))
				n[leg] += fleet->diffs[i].n_hosts;
	for (enum finding_leg leg = 0; leg < FINDING_LEGS; leg++)
		most = n[leg] > most ? n[leg] : most;
	fprintf(to,
		"<h2>Differences by leg</h2>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Differences on all "
		"hosts, by where they came about\">\n",
		CHART_W, FINDING_LEGS * 26);
	for (enum finding_leg leg = 0; leg < FINDING_LEGS; leg++, row++) {
		double w = n[leg] * (CHART_W - 260.0) / most;

		fprintf(to,
			"<text x=\"170\" y=\"%d\" text-anchor=\"end\">%s</text><rect class=\"k2\" x=\"180\" y=\"%d\" "
			"width=\"%.1f\" height=\"16\"/><text x=\"%.1f\" y=\"%d\">%" PRIu64 "</text>\n",
			row * 26 + 17, finding_leg_name(leg), row * 26 + 5, w, 186 + w, row * 26 + 17, n[leg]);
	}
	fputs("</svg>\n", to);
}

static void print_cell(FILE *to, const char *text)
{
	fputs("<td><code>", to);
	escape(to, text);
	fputs("</code></td>", to);
}

static void print_name(FILE *to, const char *host)
{
	fputs("<td class=\"nb\"><code>", to);
	escape(to, host);
	fputs("</code></td>", to);
}

static void print_diffs(const struct cdb_fleet *fleet, FILE *to)
{
	fprintf(to, "<h2>%zu difference%s</h2>\n", fleet->n_diffs, fleet->n_diffs == 1 ? "" : "s");
	if (!fleet->n_diffs)
		return;
	fputs("<div class=\"scroll\"><table><tr><th class=\"n\">Hosts</th><th>One of them</th><th>VPC</th>"
	      "<th>Class</th>"
	      "<th>What</th><th>CDB has</th><th>The kernel has</th><th>Leg</th><th>Change</th></tr>\n",
	      to);
	for (size_t i = 0; i < fleet->n_diffs && i < ROWS_MAX; i++) {
		const struct cdb_fleet_diff *d = &fleet->diffs[i];

		fprintf(to, "<tr><td class=\"n\">%u</td>", d->n_hosts);
		print_name(to, d->host);
		if (d->diff.vni)
			fprintf(to, "<td>%u</td>", d->diff.vni);
		else
			fputs("<td>-</td>", to);
		fputs("<td>", to);
		escape(to, d->diff.class);
		fputs("</td>", to);
		print_cell(to, d->diff.object);
		print_cell(to, d->diff.want);
		print_cell(to, d->diff.have);
		fputs("<td>", to);
		escape(to, d->diff.leg);
		fputs("</td><td class=\"nb\"><code>", to);
		escape(to, d->diff.change);
		fputs("</code>", to);
		if (d->diff.since_ms) {
			fputs("<br><span class=\"dim\">", to);
			print_time(to, d->diff.since_ms);
			fputs("</span>", to);
		}
		fputs("</td></tr>\n", to);
	}
	fputs("</table></div>\n", to);
	if (fleet->n_diffs > ROWS_MAX)
		fprintf(to, "<p class=\"dim\">and %zu more%s</p>\n", fleet->n_diffs - ROWS_MAX,
			fleet->diffs_cut ? ", besides those that were not read" : "");
}

/* -- hosts --------------------------------------------------------------------------------------------------------- */

static void print_host(const struct cdb_run *run, enum fleet_state state, FILE *to)
{
	fputs("<tr>", to);
	print_name(to, run->host);
	fprintf(to, "<td class=\"legend\"><span class=\"k%d\">%s</span></td><td>", state,
		fleet_state_name(state));
	if (run->last) {
		print_time(to, state == FLEET_SILENT ? run->last : run->began);
		fputs("</td><td>", to);
		print_time(to, run->last);
	} else {
		fputs("-</td><td>never", to);
	}
	fprintf(to, "</td><td class=\"n\">%" PRIu64 "</td><td>", run->drifts);
	escape(to, run->reason);
	fputs("</td></tr>\n", to);
}

static void print_hosts(const struct cdb_fleet *fleet, uint64_t silent_ms, FILE *to)
{
	size_t n = 0;

	fputs("<h2>Hosts that are not consistent</h2>\n<div class=\"scroll\"><table><tr><th>Host</th><th>State</th>"
	      "<th>Since</th><th>Last said</th><th class=\"n\">Differences</th><th>Reason</th></tr>\n",
	      to);
	/* The consistent ones are last, and not listed. */
	for (int i = 0; fleet_worst_first[i] != FLEET_CONSISTENT; i++)
		for (size_t j = 0; j < fleet->n_hosts; j++)
			if (fleet_state_of(&fleet->hosts[j], fleet->now, silent_ms) == fleet_worst_first[i] &&
			    n++ < ROWS_MAX)
				print_host(&fleet->hosts[j], fleet_worst_first[i], to);
	fputs("</table></div>\n", to);
	if (!n)
		fputs("<p class=\"dim\">none</p>\n", to);
	if (n > ROWS_MAX)
		fprintf(to, "<p class=\"dim\">and %zu more</p>\n", n - ROWS_MAX);
}

int fleet_print_html(const struct cdb_fleet *fleet, uint64_t silent_ms, FILE *to)
{
	size_t n[FLEET_STATES] = { 0 };
	int ret;

	for (size_t i = 0; i < fleet->n_hosts; i++)
		n[fleet_state_of(&fleet->hosts[i], fleet->now, silent_ms)]++;
	fprintf(to,
		"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>VPC audit of the fleet</title>"
		"<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><meta "
		"http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
		"<style>%s</style></head><body>\n<h1>VPC audit of the fleet</h1><p class=\"dim\">%zu hosts, at ",
		css, fleet->n_hosts);
	print_time(to, fleet->now);
	fputs("</p>\n<ul class=\"tiles\">", to);
	for (enum fleet_state s = 0; s < FLEET_STATES; s++)
		fprintf(to, "<li class=\"k%d\"><b>%zu</b>%s</li>", s, n[s], fleet_state_name(s));
	fputs("</ul>\n", to);
	ret = print_history(fleet, silent_ms, to);
	if (ret)
		return ret;
	print_legs(fleet, to);
	print_diffs(fleet, to);
	print_hosts(fleet, silent_ms, to);
	fputs("</body></html>\n", to);
	return ferror(to) ? -EIO : 0;
}
