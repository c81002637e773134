// SPDX-License-Identifier: Apache-2.0
/*
 * Route files: see import.h. zlib reads plain files as they are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "import.h"
#include "util.h"

#define LINE_MAX_LEN 256
#define BLANKS " \t\r\n"

static void gz_closep(gzFile *gz)
{
	if (*gz)
		gzclose(*gz);
}

void vpc_import_clear(struct vpc_import *import)
{
	free(import->lines);
	*import = (struct vpc_import){};
}

static int add_line(struct vpc_import *import, const struct vpc_import_line *line)
{
	if (import->n == import->cap) {
		size_t cap = import->cap ? 2 * import->cap : 1024;
		struct vpc_import_line *lines = reallocarray(import->lines, cap, sizeof(*lines));

		if (!lines)
			return -ENOMEM;
		import->lines = lines;
		import->cap = cap;
	}
	import->lines[import->n++] = *line;
	return 0;
}

/* Nothing in it: *ret_empty. */
static int parse_line(char *text, struct vpc_import_line *ret_line, bool *ret_empty, struct vpc_err *err)
{
	char *prefix, *nexthop, *rest, *end;
	unsigned long id;
	int r;

	text[strcspn(text, "#")] = '\0';
	prefix = strtok_r(text, BLANKS, &rest);
	*ret_empty = !prefix;
	if (!prefix)
		return 0;
	nexthop = strtok_r(NULL, BLANKS, &rest);
	if (!nexthop)
		return vpc_err_set(err, -EINVAL, "'%s' without a nexthop: expected \"prefix nexthop\"", prefix);
	if (strtok_r(NULL, BLANKS, &rest))
		return vpc_err_set(err, -EINVAL, "more than \"prefix nexthop\"");
	r = vpc_prefix_parse(prefix, &ret_line->prefix, err);
	if (r)
		return r;
	errno = 0;
	id = strtoul(nexthop, &end, 10);
	if (errno || *end || *nexthop < '0' || *nexthop > '9' || !id || id > UINT32_MAX)
		return vpc_err_set(err, -EINVAL, "'%s' is not a nexthop id", nexthop);
	ret_line->nexthop = id;
	return 0;
}

static int line_cmp(const void *a, const void *b)
{
	const struct vpc_import_line *x = a, *y = b;
	int c = vpc_prefix_cmp(&x->prefix, &y->prefix);

	return c ?: x->line < y->line ? -1 : x->line > y->line;
}

static int sort_lines(const char *file, struct vpc_import *import, struct vpc_err *err)
{
	char text[VPC_PREFIX_STRLEN];
	size_t i;

	for (i = 1; i < import->n && line_cmp(&import->lines[i - 1], &import->lines[i]) < 0; i++)
		;
	if (i < import->n)
		qsort(import->lines, import->n, sizeof(*import->lines), line_cmp);
	for (i = 1; i < import->n; i++)
		if (!vpc_prefix_cmp(&import->lines[i - 1].prefix, &import->lines[i].prefix))
			return vpc_err_set(err, -EEXIST, "%s:%u: %s is in line %u already", file, import->lines[i].line,
					   vpc_prefix_format(&import->lines[i].prefix, text),
					   import->lines[i - 1].line);
	return 0;
}

int vpc_import_read(const char *file, struct vpc_import *ret_import, struct vpc_err *err)
{
	_cleanup_(gz_closep) gzFile gz = gzopen(file, "rb");
	_cleanup_(vpc_import_clear) struct vpc_import import = {};
	struct vpc_import_line line = {};
	char text[LINE_MAX_LEN];
	const char *problem;
	bool empty;
	int r, code;

	if (!gz)
		return vpc_err_set(err, errno ? -errno : -ENOMEM, "%s: %s", file, strerror(errno ?: ENOMEM));
	gzbuffer(gz, 1 << 18);
	while (gzgets(gz, text, sizeof(text))) {
		line.line++;
		if (!strchr(text, '\n') && !gzeof(gz))
			return vpc_err_set(err, -EINVAL, "%s:%u: longer than %zu characters", file, line.line,
					   sizeof(text) - 2);
		r = parse_line(text, &line, &empty, err);
		if (r)
			return vpc_err_prefix(err, r, "%s:%u", file, line.line);
		if (!empty && add_line(&import, &line))
			return vpc_err_set(err, -ENOMEM, "%s: out of memory", file);
	}
	problem = gzerror(gz, &code);
	if (code == Z_ERRNO)
		return vpc_err_set(err, -EIO, "%s: %s", file, strerror(errno));
	/* A gzip file cut short ends like any other, but says Z_BUF_ERROR. */
	if (code != Z_OK && code != Z_STREAM_END)
		return vpc_err_set(err, -EINVAL, "%s:%u: %s", file, line.line, problem);
	r = sort_lines(file, &import, err);
	if (r)
		return r;
	*ret_import = import;
	import = (struct vpc_import){};
	return 0;
}
