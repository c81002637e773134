/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a text is Prometheus' format to the letter. For the tests of programs that have metrics.
 */
#ifndef TEST_PROM_FORMAT_H
#define TEST_PROM_FORMAT_H

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../lib/util.h"

#define SERIES_MAX 4096

/* HELP and TYPE once before a metric's first line, nothing of another between its lines, no series twice. */
struct format {
	char family[128], type[16];
	char *families[256], *series[SERIES_MAX];
	size_t n_families, n_series;
	regex_t sample;
	double bucket; /* the one before, of a histogram */
	char labels[256]; /* of the histogram's series, without le */
};

static void add_once(char **list, size_t *n, size_t max, const char *text)
{
	for (size_t i = 0; i < *n; i++)
		if (!strcmp(list[i], text))
			fail_msg("twice: %s", text);
	assert_true(*n < max);
	list[(*n)++] = strdup(text);
}

static void check_histogram(struct format *f, const char *name, const char *labels, double number)
{
	const char *le = strstr(labels, "le=\"");
	size_t len = le ? (size_t)(le - labels) : 0;

	if (!le)
		return; /* sum and count */
	if (len != strlen(f->labels) || strncmp(labels, f->labels, len)) {
		snprintf(f->labels, sizeof(f->labels), "%.*s", (int)len, labels);
		f->bucket = 0;
	}
	if (number < f->bucket)
		fail_msg("%s%s: %g is less than the bucket before", name, labels, number);
	f->bucket = number;
	if (!strncmp(le, "le=\"+Inf\"", 9))
		f->labels[0] = '\0';
}

static void check_sample(struct format *f, const char *line)
{
	char name[128] = "", labels[512] = "", id[768];
	const char *brace = strchr(line, '{'), *blank = strrchr(line, ' ');
	size_t family = strlen(f->family);

	if (regexec(&f->sample, line, 0, NULL, 0))
		fail_msg("not a sample: %s", line);
	snprintf(id, sizeof(id), "%.*s", (int)(blank - line), line);
	add_once(f->series, &f->n_series, SERIES_MAX, id);
	snprintf(name, sizeof(name), "%.*s", (int)((brace ?: blank) - line), line);
	if (brace)
		snprintf(labels, sizeof(labels), "%.*s", (int)(blank - brace), brace);
	if (strncmp(name, f->family, family) ||
	    (name[family] && (strcmp(f->type, "histogram") ||
			      (strcmp(name + family, "_bucket") && strcmp(name + family, "_sum") &&
			       strcmp(name + family, "_count")))))
		fail_msg("%s stands below %s, a %s", name, f->family, f->type);
	if (!strcmp(f->type, "counter"))
		assert_string_equal(name + family - 6, "_total");
	if (!strcmp(name + family, "_bucket"))
		check_histogram(f, name, labels, strtod(blank, NULL));
}

static void check_line(struct format *f, const char *line)
{
	char name[128], type[16];

	if (sscanf(line, "# HELP %127s", name) == 1) {
		add_once(f->families, &f->n_families, 256, name);
		snprintf(f->family, sizeof(f->family), "%s", name);
		f->type[0] = '\0';
	} else if (sscanf(line, "# TYPE %127s %15s", name, type) == 2) {
		assert_string_equal(name, f->family);
		assert_true(!strcmp(type, "counter") || !strcmp(type, "gauge") || !strcmp(type, "histogram"));
		strcpy(f->type, type);
	} else {
		check_sample(f, line);
	}
}

/* @text: a whole answer, of @families metrics at least. */
static void check_format(const char *text, size_t families)
{
	static struct format f;
	_cleanup_free_ char *copy = strdup(text);
	char *save = NULL;

	f = (struct format){ 0 };
	assert_int_equal(regcomp(&f.sample,
				 "^[a-z_]+(\\{[a-z]+=\"[^\"\\]*\"(,[a-z]+=\"[^\"\\]*\")*\\})? "
				 "[0-9]+(\\.[0-9]+)?(e[+-][0-9]+)?$",
				 REG_EXTENDED | REG_NOSUB),
			 0);
	assert_true(*text && text[strlen(text) - 1] == '\n');
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		check_line(&f, line);
	assert_true(f.n_families >= families);
	while (f.n_families)
		free(f.families[--f.n_families]);
	while (f.n_series)
		free(f.series[--f.n_series]);
	regfree(&f.sample);
}

#endif
