// SPDX-License-Identifier: Apache-2.0
/*
 * The error text that travels up with a negative errno. Written where a failure is understood, printed by the program.
 */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int vpc_err_set(struct vpc_err *err, int code, const char *fmt, ...)
{
	char text[sizeof(err->text)]; /* the old text may be among the arguments */
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* What is quoted may come from anywhere, and the text may go into a log of lines or to a terminal. */
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	strcpy(err->text, text);
	return code;
}

int vpc_err_prefix(struct vpc_err *err, int code, const char *fmt, ...)
{
	char text[sizeof(err->text)];
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return vpc_err_set(err, code, "%s: %s", text, err->text);
}
