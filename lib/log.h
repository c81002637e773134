/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemons' log: one line an event on standard error, with the journal's <N> priority prefix when it is listening
 * (JOURNAL_STREAM), with the time otherwise.
 */
#ifndef VPC_LOG_H
#define VPC_LOG_H

#include <stdbool.h>
#include <syslog.h>

/* @ident: the program's name; @level: the highest syslog priority that is still printed (LOG_INFO by default). */
void log_init(const char *ident, int level);
/* "err", "warning", "info", "debug" -> priority; -EINVAL for anything else. */
int log_level_parse(const char *text);

bool log_says(int priority); /* a line of this priority would be printed */
void log_msg(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_err(...) log_msg(LOG_ERR, __VA_ARGS__)
#define log_warn(...) log_msg(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_msg(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_DEBUG, __VA_ARGS__)

#endif
