/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON for the znode codecs (proto/znode*.c) only: a writer into one growing, bounded buffer, and strict readers
 * on top of json-c that name the member in every refusal.
 *
 * Strings in znodes are printable ASCII without exception (names, addresses, hex); numbers are integers 0..2^63-1.
 */
#ifndef VPC_JSON_H
#define VPC_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../lib/addr.h"
#include "../lib/digest.h"
#include "../lib/err.h"

/* The first failure (-ENOMEM, -E2BIG past @max, -EINVAL: not expressible) stays in @error; later calls do nothing. */
struct json_writer {
	char *data;
	size_t len, cap, max;
	int error;
};

void vpc_json_init(struct json_writer *w, size_t max);
void vpc_json_raw(struct json_writer *w, const char *text);
void vpc_json_u64(struct json_writer *w, uint64_t value);
void vpc_json_string(struct json_writer *w, const char *text); /* with quotes and escapes */
void vpc_json_digest(struct json_writer *w, const struct vpc_digest *digest);
/* Takes back everything after @len, and the failure to write it. */
void vpc_json_rewind(struct json_writer *w, size_t len);
/* Hands the text over, NUL-terminated, or frees it and returns the first failure. */
int vpc_json_finish(struct json_writer *w, char **ret, size_t *ret_len);
void vpc_json_abort(struct json_writer *w);

/* Where a value stands, for the text of a refusal: "routes.set[17]"; NULL: the document itself. */
struct json_at {
	const char *array;
	size_t index;
};

/* "routes.set[17].<member>: <text>"; returns @code. @member may be NULL. */
int vpc_json_bad(struct vpc_err *err, int code, const struct json_at *at, const char *member, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* The same before the text that @err has already. */
int vpc_json_bad_prefix(struct vpc_err *err, int code, const struct json_at *at, const char *member);

static inline void json_putp(json_object **obj)
{
	json_object_put(*obj);
}

#define _cleanup_json_ __attribute__((cleanup(json_putp)))

/**
 * vpc_json_parse() - one object of format version 1, and nothing behind it
 * @data: @len bytes, NUL-terminated or not
 * @max: refused with -E2BIG before it is parsed when longer
 * @ret: json_object_put() it
 *
 * Return: 0, -EINVAL, -E2BIG, -EPROTONOSUPPORT (another version), -ENOMEM.
 */
int vpc_json_parse(const char *data, size_t len, size_t max, json_object **ret, struct vpc_err *err);

/* A member of that type; -EINVAL when it is absent or something else. */
int vpc_json_get(json_object *obj, const struct json_at *at, const char *member, enum json_type type, json_object **ret,
		 struct vpc_err *err);
int vpc_json_get_u64(json_object *obj, const struct json_at *at, const char *member, uint64_t min, uint64_t max,
		     uint64_t *ret, struct vpc_err *err);
int vpc_json_get_u32(json_object *obj, const struct json_at *at, const char *member, uint32_t min, uint32_t max,
		     uint32_t *ret, struct vpc_err *err);
/* @min..@size - 1 characters into @ret. */
int vpc_json_get_string(json_object *obj, const struct json_at *at, const char *member, size_t min, size_t size,
			char *ret, struct vpc_err *err);
int vpc_json_get_digest(json_object *obj, const struct json_at *at, const char *member, struct vpc_digest *ret,
			struct vpc_err *err);
int vpc_json_get_addr(json_object *obj, const struct json_at *at, const char *member, struct vpc_addr *ret,
		      struct vpc_err *err);
int vpc_json_get_mac(json_object *obj, const struct json_at *at, const char *member, uint8_t ret[6],
		     struct vpc_err *err);

/* The same for a value that is at hand, an array's element for instance; @member only serves the text. */
int vpc_json_as_u64(json_object *value, const struct json_at *at, const char *member, uint64_t min, uint64_t max,
		    uint64_t *ret, struct vpc_err *err);
int vpc_json_as_u32(json_object *value, const struct json_at *at, const char *member, uint32_t min, uint32_t max,
		    uint32_t *ret, struct vpc_err *err);
int vpc_json_as_text(json_object *value, const struct json_at *at, const char *member, const char **ret,
		     struct vpc_err *err);
int vpc_json_as_prefix(json_object *value, const struct json_at *at, const char *member, struct vpc_prefix *ret,
		       struct vpc_err *err);
/* An array of exactly @n elements. */
int vpc_json_as_tuple(json_object *value, const struct json_at *at, size_t n, struct vpc_err *err);

#endif
