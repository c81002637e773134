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
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return code;
}

int vpc_err_prefix(struct vpc_err *err, int code, const char *fmt, ...)
{
	char old[sizeof(err->text)];
	va_list ap;
	size_t len;

	if (!err)
		return code;
	memcpy(old, err->text, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	len = strlen(err->text);
	snprintf(err->text + len, sizeof(err->text) - len, ": %s", old);
	return code;
}
