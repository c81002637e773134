// SPDX-License-Identifier: Apache-2.0
/*
 * The error text that travels up with a negative errno. Written where a failure is understood, printed by the program.
 */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the character at @c, as UTF-8 has it; 0: it is none, or one that controls a terminal. */
static size_t character(const unsigned char *c)
{
	size_t n = *c < 0x80 ? 1 : *c >= 0xc2 && *c < 0xe0 ? 2 : *c >= 0xe0 && *c < 0xf0 ? 3 :
		   *c >= 0xf0 && *c < 0xf5 ? 4 : 0;

	if (*c < ' ' || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0))
		return 0;
	/* A NUL is none of them. */
	for (size_t i = 1; i < n; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

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
	for (size_t i = 0, n; text[i]; i += n ?: 1) {
		n = character((unsigned char *)&text[i]);
		if (!n)
			text[i] = '?';
	}
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
