// SPDX-License-Identifier: Apache-2.0
/*
 * Strict JSON readers of the znode codecs, over json-c: bounded length and depth, no trailing text, integers in
 * range, printable strings; each refusal names the member. Unknown members are ignored: a newer writer of the same
 * version may add some. Of a member given twice json-c keeps the last. Called by proto/znode*.c.
 */
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "znode.h"

#define DEPTH_MAX 8 /* a port's addresses are the deepest: 4 */

static void where(const struct json_at *at, const char *member, char *buf, size_t size)
{
	if (at && member)
		snprintf(buf, size, "%s[%zu].%s", at->array, at->index, member);
	else if (at)
		snprintf(buf, size, "%s[%zu]", at->array, at->index);
	else
		snprintf(buf, size, "%s", member ? member : "document");
}

int vpc_json_bad(struct vpc_err *err, int code, const struct json_at *at, const char *member, const char *fmt, ...)
{
	char text[256], place[96];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	where(at, member, place, sizeof(place));
	return vpc_err_set(err, code, "%s: %s", place, text);
}

int vpc_json_bad_prefix(struct vpc_err *err, int code, const struct json_at *at, const char *member)
{
	char place[96];

	where(at, member, place, sizeof(place));
	return vpc_err_prefix(err, code, "%s", place);
}

static int check_version(json_object *obj, struct vpc_err *err)
{
	uint64_t version;
	int ret;

	ret = vpc_json_get_u64(obj, NULL, "v", 0, INT64_MAX, &version, err);
	if (ret)
		return ret;
	if (version != VPC_ZNODE_VERSION)
		return vpc_err_set(err, -EPROTONOSUPPORT, "v: format version %" PRIu64 ", this program knows %d",
				   version, VPC_ZNODE_VERSION);
	return 0;
}

static int parse_error(struct json_tokener *tok, size_t len, struct vpc_err *err)
{
	enum json_tokener_error e = json_tokener_get_error(tok);

	if (e == json_tokener_continue || e == json_tokener_error_parse_eof)
		return vpc_err_set(err, -EINVAL, "not JSON: cut short after %zu bytes", len);
	return vpc_err_set(err, -EINVAL, "not JSON: %s at byte %zu", json_tokener_error_desc(e),
			   json_tokener_get_parse_end(tok));
}

int vpc_json_parse(const char *data, size_t len, size_t max, json_object **ret, struct vpc_err *err)
{
	_cleanup_json_ json_object *obj = NULL;
	struct json_tokener *tok;
	int r = 0;

	if (!len)
		return vpc_err_set(err, -EINVAL, "empty");
	if (len > max || len > INT_MAX)
		return vpc_err_set(err, -E2BIG, "%zu bytes, at most %zu are allowed", len, max);
	tok = json_tokener_new_ex(DEPTH_MAX);
	if (!tok)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	obj = json_tokener_parse_ex(tok, data, len);
	if (json_tokener_get_error(tok) != json_tokener_success)
		r = parse_error(tok, len, err);
	else if (json_tokener_get_parse_end(tok) != len)
		r = vpc_err_set(err, -EINVAL, "not JSON: text behind the document at byte %zu",
				json_tokener_get_parse_end(tok));
	else if (!json_object_is_type(obj, json_type_object))
		r = vpc_err_set(err, -EINVAL, "not a JSON object");
	json_tokener_free(tok);
	if (!r)
		r = check_version(obj, err);
	if (r)
		return r;
	*ret = obj;
	obj = NULL;
	return 0;
}

int vpc_json_get(json_object *obj, const struct json_at *at, const char *member, enum json_type type, json_object **ret,
		 struct vpc_err *err)
{
	json_object *value;

	if (!json_object_object_get_ex(obj, member, &value))
		return vpc_json_bad(err, -EINVAL, at, member, "missing");
	if (!json_object_is_type(value, type))
		return vpc_json_bad(err, -EINVAL, at, member, "%s, %s expected",
				    json_type_to_name(json_object_get_type(value)), json_type_to_name(type));
	*ret = value;
	return 0;
}

int vpc_json_as_u64(json_object *value, const struct json_at *at, const char *member, uint64_t min, uint64_t max,
		    uint64_t *ret, struct vpc_err *err)
{
	uint64_t v;

	if (!json_object_is_type(value, json_type_int))
		return vpc_json_bad(err, -EINVAL, at, member, "%s, a whole number expected",
				    json_type_to_name(json_object_get_type(value)));
	v = json_object_get_int64(value) < 0 ? UINT64_MAX : json_object_get_uint64(value);
	if (v < min || v > max || v > INT64_MAX)
		return vpc_json_bad(err, -EINVAL, at, member, "%s is out of range, %" PRIu64 "..%" PRIu64 " expected",
				    json_object_get_string(value), min, max);
	*ret = v;
	return 0;
}

int vpc_json_as_u32(json_object *value, const struct json_at *at, const char *member, uint32_t min, uint32_t max,
		    uint32_t *ret, struct vpc_err *err)
{
	uint64_t v;
	int r;

	r = vpc_json_as_u64(value, at, member, min, max, &v, err);
	if (!r)
		*ret = v;
	return r;
}

int vpc_json_as_text(json_object *value, const struct json_at *at, const char *member, const char **ret,
		     struct vpc_err *err)
{
	const char *text;
	int i, len;

	if (!json_object_is_type(value, json_type_string))
		return vpc_json_bad(err, -EINVAL, at, member, "%s, a string expected",
				    json_type_to_name(json_object_get_type(value)));
	text = json_object_get_string(value);
	len = json_object_get_string_len(value);
	for (i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] >= 0x7f)
			return vpc_json_bad(err, -EINVAL, at, member,
					    "character %d of the string is not printable ASCII", i);
	*ret = text;
	return 0;
}

int vpc_json_as_prefix(json_object *value, const struct json_at *at, const char *member, struct vpc_prefix *ret,
		       struct vpc_err *err)
{
	const char *text;
	int r;

	r = vpc_json_as_text(value, at, member, &text, err);
	if (r)
		return r;
	r = vpc_prefix_parse(text, ret, err);
	return r ? vpc_json_bad_prefix(err, r, at, member) : 0;
}

int vpc_json_as_tuple(json_object *value, const struct json_at *at, size_t n, struct vpc_err *err)
{
	if (!json_object_is_type(value, json_type_array))
		return vpc_json_bad(err, -EINVAL, at, NULL, "%s, an array of %zu expected",
				    json_type_to_name(json_object_get_type(value)), n);
	if (json_object_array_length(value) != n)
		return vpc_json_bad(err, -EINVAL, at, NULL, "%zu elements, %zu expected",
				    json_object_array_length(value), n);
	return 0;
}

/* The member whatever it is. */
static int get_any(json_object *obj, const struct json_at *at, const char *member, json_object **ret,
		   struct vpc_err *err)
{
	if (!json_object_object_get_ex(obj, member, ret))
		return vpc_json_bad(err, -EINVAL, at, member, "missing");
	return 0;
}

int vpc_json_get_u64(json_object *obj, const struct json_at *at, const char *member, uint64_t min, uint64_t max,
		     uint64_t *ret, struct vpc_err *err)
{
	json_object *value;
	int r;

	r = get_any(obj, at, member, &value, err);
	return r ? r : vpc_json_as_u64(value, at, member, min, max, ret, err);
}

int vpc_json_get_u32(json_object *obj, const struct json_at *at, const char *member, uint32_t min, uint32_t max,
		     uint32_t *ret, struct vpc_err *err)
{
	json_object *value;
	int r;

	r = get_any(obj, at, member, &value, err);
	return r ? r : vpc_json_as_u32(value, at, member, min, max, ret, err);
}

static int get_text(json_object *obj, const struct json_at *at, const char *member, const char **ret,
		    struct vpc_err *err)
{
	json_object *value;
	int r;

	r = get_any(obj, at, member, &value, err);
	return r ? r : vpc_json_as_text(value, at, member, ret, err);
}

int vpc_json_get_string(json_object *obj, const struct json_at *at, const char *member, size_t min, size_t size,
			char *ret, struct vpc_err *err)
{
	const char *text;
	int r;

	r = get_text(obj, at, member, &text, err);
	if (r)
		return r;
	if (strlen(text) < min || strlen(text) >= size)
		return vpc_json_bad(err, -EINVAL, at, member, "%zu characters, %zu..%zu are allowed", strlen(text), min,
				    size - 1);
	strcpy(ret, text);
	return 0;
}

int vpc_json_get_digest(json_object *obj, const struct json_at *at, const char *member, struct vpc_digest *ret,
			struct vpc_err *err)
{
	const char *text;
	int r;

	r = get_text(obj, at, member, &text, err);
	if (r)
		return r;
	r = vpc_digest_parse(text, ret);
	return r ? vpc_json_bad(err, r, at, member, "'%.40s' is not a digest of 32 hex digits", text) : 0;
}

int vpc_json_get_addr(json_object *obj, const struct json_at *at, const char *member, struct vpc_addr *ret,
		      struct vpc_err *err)
{
	const char *text;
	int r;

	r = get_text(obj, at, member, &text, err);
	if (r)
		return r;
	r = vpc_addr_parse(text, ret, err);
	return r ? vpc_json_bad_prefix(err, r, at, member) : 0;
}

int vpc_json_get_mac(json_object *obj, const struct json_at *at, const char *member, uint8_t ret[6],
		     struct vpc_err *err)
{
	const char *text;
	int r;

	r = get_text(obj, at, member, &text, err);
	if (r)
		return r;
	r = vpc_mac_parse(text, ret, err);
	return r ? vpc_json_bad_prefix(err, r, at, member) : 0;
}
