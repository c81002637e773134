// SPDX-License-Identifier: Apache-2.0
/*
 * JSON writer of the znode codecs. Written by hand, because a snapshot of a million routes would otherwise be a
 * million small objects first. Called by proto/znode*.c.
 */
#include "json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void vpc_json_init(struct json_writer *w, size_t max)
{
	memset(w, 0, sizeof(*w));
	w->max = max;
}

/* Room for @n more bytes and a NUL, or NULL with the error kept. */
static char *reserve(struct json_writer *w, size_t n)
{
	size_t cap = w->cap ? w->cap : 1024;
	char *data;

	if (w->error)
		return NULL;
	if (n > w->max - w->len) {
		w->error = -E2BIG;
		return NULL;
	}
	if (w->len + n < w->cap)
		return w->data + w->len;
	while (w->len + n >= cap)
		cap *= 2;
	data = realloc(w->data, cap);
	if (!data) {
		w->error = -ENOMEM;
		return NULL;
	}
	w->data = data;
	w->cap = cap;
	return data + w->len;
}

static void append(struct json_writer *w, const char *text, size_t n)
{
	char *p = reserve(w, n);

	if (!p)
		return;
	memcpy(p, text, n);
	p[n] = '\0';
	w->len += n;
}

void vpc_json_raw(struct json_writer *w, const char *text)
{
	append(w, text, strlen(text));
}

void vpc_json_u64(struct json_writer *w, uint64_t value)
{
	char digits[20], *p = digits + sizeof(digits);

	if (value > INT64_MAX) {
		w->error = w->error ? w->error : -EINVAL;
		return;
	}
	do {
		*--p = '0' + value % 10;
		value /= 10;
	} while (value);
	append(w, p, digits + sizeof(digits) - p);
}

void vpc_json_string(struct json_writer *w, const char *text)
{
	append(w, "\"", 1);
	while (*text) {
		size_t n = 0;

		while (text[n] >= ' ' && text[n] < 0x7f && text[n] != '"' && text[n] != '\\')
			n++;
		append(w, text, n);
		text += n;
		if (!*text)
			break;
		if (*text != '"' && *text != '\\') {
			w->error = w->error ? w->error : -EINVAL;
			return;
		}
		append(w, "\\", 1);
		append(w, text++, 1);
	}
	append(w, "\"", 1);
}

void vpc_json_digest(struct json_writer *w, const struct vpc_digest *digest)
{
	char buf[VPC_DIGEST_STRLEN];

	vpc_json_string(w, vpc_digest_format(digest, buf));
}

void vpc_json_rewind(struct json_writer *w, size_t len)
{
	w->len = len;
	if (w->error == -E2BIG)
		w->error = 0;
}

int vpc_json_finish(struct json_writer *w, char **ret, size_t *ret_len)
{
	if (w->error) {
		vpc_json_abort(w);
		return w->error;
	}
	*ret = w->data;
	*ret_len = w->len;
	w->data = NULL;
	return 0;
}

void vpc_json_abort(struct json_writer *w)
{
	free(w->data);
	w->data = NULL;
}
