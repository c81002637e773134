// SPDX-License-Identifier: Apache-2.0
/*
 * One line an event on standard error. Under systemd (JOURNAL_STREAM is set) a line starts with "<priority>" and the
 * journal adds time and name; on a terminal or in a file the line carries both itself. Called by the daemons only.
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

static const char *log_ident = "vpc";
static int log_max = LOG_INFO;
static bool log_journal;

void log_init(const char *ident, int level)
{
	log_ident = ident;
	log_max = level;
	log_journal = getenv("JOURNAL_STREAM");
}

int log_level_parse(const char *text)
{
	static const struct {
		const char *name;
		int priority;
	} levels[] = {
		{ "err", LOG_ERR },
		{ "warning", LOG_WARNING },
		{ "info", LOG_INFO },
		{ "debug", LOG_DEBUG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (!strcmp(text, levels[i].name))
			return levels[i].priority;
	return -EINVAL;
}

static size_t log_head(int priority, char *buf, size_t size)
{
	struct timespec ts;
	struct tm tm;
	const char *mark = "";
	size_t len;

	if (log_journal)
		return snprintf(buf, size, "<%d>", priority);
	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	len = strftime(buf, size, "%F %T", &tm);
	if (priority <= LOG_WARNING)
		mark = priority <= LOG_ERR ? "error: " : "warning: ";
	return len + snprintf(buf + len, size - len, ".%03ld %s: %s", ts.tv_nsec / 1000000, log_ident, mark);
}

bool log_says(int priority)
{
	return priority <= log_max;
}

/* One write(2) a line, so that the lines of several daemons in one file don't mix. */
void log_msg(int priority, const char *fmt, ...)
{
	char line[1024];
	size_t len, room;
	va_list ap;
	int n, saved = errno;

	if (priority > log_max)
		return;
	len = log_head(priority, line, sizeof(line) / 2);
	room = sizeof(line) - 1 - len;
	va_start(ap, fmt);
	n = vsnprintf(line + len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		len += (size_t)n < room ? (size_t)n : room - 1;
	for (char *p = line; p < line + len; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		len = 0; /* nowhere left to say so */
	errno = saved;
}
