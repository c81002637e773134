// SPDX-License-Identifier: Apache-2.0
/*
 * Documents to JSON and back: see doc_json.h. Written piece by piece, since a million routes are ordinary.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <json-c/json.h>
#include "digest.h"
#include "doc_json.h"
#include "util.h"

struct writer {
	FILE *to;
	const char *line, *indent; /* between elements of lists: line breaks when pretty */
};

/* -- writing ------------------------------------------------------------------------------------------------------- */

static void write_routes(struct writer *w, const struct cdb_doc *doc, uint32_t table)
{
	const char *comma = "";
	char text[VPC_PREFIX_STRLEN];

	fputs("\"routes\": {", w->to);
	for (size_t i = 0; i < doc->state.n_routes; i++) {
		const struct vpc_route *route = &doc->state.routes[i];

		if (route->table != table || !cdb_doc_own_route(doc, route))
			continue;
		fprintf(w->to, "%s%s%s\"%s\": ", comma, w->line, w->indent, vpc_prefix_format(&route->prefix, text));
		if (route->nexthop == VPC_NEXTHOP_ID_LOCAL)
			fputs("\"local\"", w->to);
		else
			fprintf(w->to, "%" PRIu32, route->nexthop);
		comma = ",";
	}
	fputs("}", w->to);
}

static void write_nexthop(struct writer *w, const struct cdb_doc *doc, const struct vpc_nl_nexthop *nh)
{
	static const uint8_t none[6];
	const struct vpc_nl_member *members;
	struct vpc_addr vtep = { .family = nh->family };
	char text[VPC_ADDR_STRLEN], mac[VPC_MAC_STRLEN];
	size_t n = 0;

	fprintf(w->to, "{\"id\": %" PRIu32 ", \"type\": \"%s\"", nh->id, vpc_nexthop_type_name(nh->type));
	memcpy(vtep.bytes, nh->addr, sizeof(vtep.bytes));
	if (nh->family)
		fprintf(w->to, ", \"vtep\": \"%s\"", vpc_addr_format(&vtep, text));
	if (nh->vni)
		fprintf(w->to, ", \"vni\": %" PRIu32, nh->vni);
	if (nh->type == VPC_NEXTHOP_PEER)
		fprintf(w->to, ", \"table\": %" PRIu32, nh->table);
	if (memcmp(nh->mac, none, sizeof(none)))
		fprintf(w->to, ", \"mac\": \"%s\"", vpc_mac_format(nh->mac, mac));
	if (nh->type == VPC_NEXTHOP_GROUP) {
		members = vpc_state_members_of(&doc->state, nh->id, &n);
		fputs(", \"members\": {", w->to);
		for (size_t i = 0; i < n; i++)
			fprintf(w->to, "%s\"%" PRIu32 "\": %u", i ? ", " : "", members[i].nexthop, members[i].weight);
		fputs("}", w->to);
	}
	fputs("}", w->to);
}

/* The item's own object with its name, or a table's id, in front of the rest. */
static void write_item(struct writer *w, const struct cdb_doc *doc, const struct cdb_item *item)
{
	if (item->kind == CDB_ITEM_RANGE)
		fprintf(w->to, "\"%s\"", item->name);
	else if (item->kind == CDB_ITEM_TABLE)
		fprintf(w->to, "{\"id\": %s, %.*s, ", item->name, (int)strlen(item->text) - 2, item->text + 1);
	else
		fprintf(w->to, "{\"name\": \"%s\", %s", item->name, item->text + 1);
	if (item->kind != CDB_ITEM_TABLE)
		return;
	write_routes(w, doc, strtoul(item->name, NULL, 10));
	fputs("}", w->to);
}

static void write_items(struct writer *w, const struct cdb_doc *doc, const char *member, enum cdb_item_kind kind)
{
	const char *comma = "";

	fprintf(w->to, ",%s\"%s\": [", *w->line ? w->line : " ", member);
	for (size_t i = 0; i < doc->n_items; i++) {
		if (doc->items[i].kind != kind)
			continue;
		fprintf(w->to, "%s%s%s", comma, *w->line ? w->line : *comma ? " " : "", w->indent);
		write_item(w, doc, &doc->items[i]);
		comma = ",";
	}
	fputs("]", w->to);
}

static void write_nexthops(struct writer *w, const struct cdb_doc *doc)
{
	const char *comma = "";

	fprintf(w->to, ",%s\"nexthops\": [", *w->line ? w->line : " ");
	for (size_t i = 0; i < doc->state.n_nexthops; i++) {
		if (doc->state.nexthops[i].id > VPC_NEXTHOP_ID_USER_MAX)
			continue;
		fprintf(w->to, "%s%s%s", comma, *w->line ? w->line : *comma ? " " : "", w->indent);
		write_nexthop(w, doc, &doc->state.nexthops[i]);
		comma = ",";
	}
	fputs("]", w->to);
}

int doc_json_write(const struct cdb_doc *doc, FILE *to, bool pretty)
{
	struct writer w = { to, pretty ? "\n" : "", pretty ? "\t" : "" };
	const struct cdb_item *vpc = cdb_doc_find(doc, CDB_ITEM_VPC, "");
	char digest[VPC_DIGEST_STRLEN];

	fprintf(to,
		"{\"format\": \"vpc\", \"version\": 1, \"vni\": %" PRIu32 ", \"epoch\": %" PRIu64
		", \"digest\": \"%s\"",
		doc->state.vni, doc->state.epoch, vpc_digest_format(&doc->state.digest, digest));
	if (vpc)
		fprintf(to, ", %.*s", (int)strlen(vpc->text) - 2, vpc->text + 1);
	write_items(&w, doc, "ranges", CDB_ITEM_RANGE);
	write_items(&w, doc, "tables", CDB_ITEM_TABLE);
	write_items(&w, doc, "subnets", CDB_ITEM_SUBNET);
	write_nexthops(&w, doc);
	write_items(&w, doc, "ports", CDB_ITEM_PORT);
	fputs("}\n", to);
	return ferror(to) ? -EIO : 0;
}

/* -- parsing ------------------------------------------------------------------------------------------------------- */

struct reader {
	struct cdb_doc doc;
	struct vpc_err *err;
};

static int bad(struct reader *r, const char *where, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int bad(struct reader *r, const char *where, const char *format, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return vpc_err_set(r->err, -EINVAL, "%s: %s", where, text);
}

static int oom(struct reader *r)
{
	return vpc_err_set(r->err, -ENOMEM, "out of memory");
}

/* @type: or absent, when @ret_value stays NULL and @need is false. */
static int get(struct reader *r, json_object *object, const char *where, const char *member, json_type type, bool need,
	       json_object **ret_value)
{
	json_object *value = NULL;

	if (!json_object_object_get_ex(object, member, &value))
		return need ? bad(r, where, "'%s' is missing", member) : 0;
	if (!json_object_is_type(value, type))
		return bad(r, where, "'%s' is %s, %s belongs there", member,
			   json_type_to_name(json_object_get_type(value)), json_type_to_name(type));
	if (type == json_type_string &&
	    strlen(json_object_get_string(value)) != (size_t)json_object_get_string_len(value))
		return bad(r, where, "'%s' has a character 0 in it", member);
	*ret_value = value;
	return 0;
}

/* Nothing but @members, separated by spaces: a name that is misspelt would be what is optional, left out. */
static int check_members(struct reader *r, json_object *object, const char *where, const char *members)
{
	json_object_object_foreach(object, key, value) {
		const char *at = members;
		size_t len = strlen(key);

		while (*at && (strcspn(at, " ") != len || strncmp(at, key, len))) {
			at += strcspn(at, " ");
			at += strspn(at, " ");
		}
		if (!*at)
			return bad(r, where, "'%.64s' is unknown there", key);
	}
	return 0;
}

static int get_number(struct reader *r, json_object *object, const char *where, const char *member, uint64_t max,
		      bool need, uint64_t *ret_value)
{
	json_object *value = NULL;
	int res;

	res = get(r, object, where, member, json_type_int, need, &value);
	if (res || !value)
		return res;
	if (json_object_get_int64(value) < 0 || json_object_get_uint64(value) > max)
		return bad(r, where, "'%s' is out of range: 0..%" PRIu64, member, max);
	*ret_value = json_object_get_uint64(value);
	return 0;
}

static int add_item(struct reader *r, enum cdb_item_kind kind, const char *name, json_object *object)
{
	return cdb_doc_add(&r->doc, kind, name,
			   strdup(json_object_to_json_string_ext(object, JSON_C_TO_STRING_NOSLASHESCAPE)))
		       ? oom(r)
		       : 0;
}

static int read_route(struct reader *r, const char *where, uint32_t table, const char *key, json_object *value)
{
	struct vpc_route route = { .table = table };
	struct vpc_err err = {};

	if (vpc_prefix_parse(key, &route.prefix, &err))
		return bad(r, where, "%s", err.text);
	if (json_object_is_type(value, json_type_string) && !strcmp(json_object_get_string(value), "local"))
		route.nexthop = VPC_NEXTHOP_ID_LOCAL;
	else if (json_object_is_type(value, json_type_int) && json_object_get_int64(value) > 0 &&
		 json_object_get_int64(value) <= VPC_NEXTHOP_ID_USER_MAX)
		route.nexthop = json_object_get_int64(value);
	else
		return bad(r, where, "route %s leads to a customer's nexthop, 1..%u, or \"local\"", key,
			   VPC_NEXTHOP_ID_USER_MAX);
	return vpc_state_add_route(&r->doc.state, &route) ? oom(r) : 0;
}

static int read_table(struct reader *r, const char *where, json_object *object)
{
	json_object *routes = NULL, *name = NULL, *item;
	uint64_t id = 0;
	char text[16];
	int res;

	res = check_members(r, object, where, "id name routes");
	if (!res)
		res = get_number(r, object, where, "id", VPC_TABLES_MAX - 1, true, &id);
	if (!res && !id)
		res = bad(r, where, "table 0 is the mapping, which is made from the ports");
	if (!res)
		res = get(r, object, where, "name", json_type_string, true, &name);
	if (!res)
		res = get(r, object, where, "routes", json_type_object, true, &routes);
	if (res)
		return res;
	json_object_object_foreach(routes, key, value) {
		res = read_route(r, where, id, key, value);
		if (res)
			return res;
	}
	snprintf(text, sizeof(text), "%u", (unsigned int)id);
	item = json_object_new_object();
	json_object_object_add(item, "name", json_object_get(name));
	res = add_item(r, CDB_ITEM_TABLE, text, item);
	json_object_put(item);
	return res;
}

static int read_named(struct reader *r, const char *where, json_object *object, enum cdb_item_kind kind)
{
	json_object *name = NULL;
	char text[64];
	int res;

	res = get(r, object, where, "name", json_type_string, true, &name);
	if (res)
		return res;
	if (json_object_get_string_len(name) >= (int)sizeof(text))
		return bad(r, where, "'name' is longer than 63 characters");
	strcpy(text, json_object_get_string(name));
	json_object_object_del(object, "name");
	return add_item(r, kind, text, object);
}

static int read_subnet(struct reader *r, const char *where, json_object *object)
{
	int res = check_members(r, object, where, "name prefix table");

	return res ?: read_named(r, where, object, CDB_ITEM_SUBNET);
}

static int read_port(struct reader *r, const char *where, json_object *object)
{
	json_object *standby = NULL;
	int res;

	res = check_members(r, object, where, "name subnet host dev mac flags addresses standby");
	if (!res)
		res = get(r, object, where, "standby", json_type_object, false, &standby);
	if (!res && standby)
		res = check_members(r, standby, where, "host dev");
	return res ?: read_named(r, where, object, CDB_ITEM_PORT);
}

static int read_range(struct reader *r, const char *where, json_object *value)
{
	struct vpc_prefix prefix;
	char text[VPC_PREFIX_STRLEN];
	struct vpc_err err = {};

	if (vpc_prefix_parse(json_object_get_string(value), &prefix, &err))
		return bad(r, where, "%s", err.text);
	return cdb_doc_add(&r->doc, CDB_ITEM_RANGE, vpc_prefix_format(&prefix, text), strdup("{}")) ? oom(r) : 0;
}

static int read_members(struct reader *r, const char *where, uint32_t group, json_object *members)
{
	json_object_object_foreach(members, key, value) {
		struct vpc_nl_member member = { .group = group };
		char *end;
		unsigned long id = strtoul(key, &end, 10);

		if (*key < '0' || *key > '9' || *end || !id || id > VPC_NEXTHOP_ID_LOCAL)
			return bad(r, where, "member '%s' is not a customer's nexthop", key);
		if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 1 ||
		    json_object_get_int64(value) > VPC_WEIGHT_MAX)
			return bad(r, where, "member %s: weights are 1..%d", key, VPC_WEIGHT_MAX);
		member.nexthop = id;
		member.weight = json_object_get_int64(value);
		if (vpc_state_add_member(&r->doc.state, &member))
			return oom(r);
	}
	return 0;
}

static int read_addresses(struct reader *r, const char *where, json_object *object, struct vpc_nl_nexthop *nh)
{
	json_object *vtep = NULL, *mac = NULL;
	struct vpc_err err = {};
	struct vpc_addr addr;
	int res;

	res = get(r, object, where, "vtep", json_type_string, false, &vtep);
	if (!res)
		res = get(r, object, where, "mac", json_type_string, false, &mac);
	if (!res && vtep) {
		if (vpc_addr_parse(json_object_get_string(vtep), &addr, &err))
			return bad(r, where, "%s", err.text);
		nh->family = addr.family;
		memcpy(nh->addr, addr.bytes, sizeof(nh->addr));
	}
	if (!res && mac && vpc_mac_parse(json_object_get_string(mac), nh->mac, &err))
		return bad(r, where, "%s", err.text);
	return res;
}

static int read_nexthop(struct reader *r, const char *where, json_object *object)
{
	json_object *type = NULL, *members = NULL;
	struct vpc_nl_nexthop nh = {};
	uint64_t id = 0, vni = 0, table = 0;
	int res;

	res = check_members(r, object, where, "id type vtep vni table mac members");
	if (!res)
		res = get_number(r, object, where, "id", VPC_NEXTHOP_ID_USER_MAX, true, &id);
	if (!res)
		res = get(r, object, where, "type", json_type_string, true, &type);
	if (!res && vpc_nexthop_type_parse(json_object_get_string(type), &nh.type))
		res = bad(r, where, "'%s' is not a type of nexthop", json_object_get_string(type));
	if (!res)
		res = get_number(r, object, where, "vni", VPC_VNI_MAX, false, &vni);
	if (!res)
		res = get_number(r, object, where, "table", VPC_TABLES_MAX - 1, false, &table);
	if (!res)
		res = read_addresses(r, where, object, &nh);
	if (!res)
		res = get(r, object, where, "members", json_type_object, false, &members);
	if (!res && members && nh.type != VPC_NEXTHOP_GROUP)
		res = bad(r, where, "only a group has members");
	if (!res && members)
		res = read_members(r, where, id, members);
	if (res)
		return res;
	nh.id = id;
	nh.vni = vni;
	nh.table = table;
	return vpc_state_add_nexthop(&r->doc.state, &nh) ? oom(r) : 0;
}

static int read_list(struct reader *r, json_object *root, const char *member, json_type type,
		     int (*read)(struct reader *r, const char *where, json_object *object))
{
	json_object *list = NULL, *one;
	char where[64];
	int res;

	res = get(r, root, "document", member, json_type_array, true, &list);
	for (size_t i = 0; !res && i < json_object_array_length(list); i++) {
		one = json_object_array_get_idx(list, i);
		snprintf(where, sizeof(where), "%s[%zu]", member, i);
		if (!json_object_is_type(one, type))
			return bad(r, where, "%s, %s belongs there", json_type_to_name(json_object_get_type(one)),
				   json_type_to_name(type));
		res = read(r, where, one);
	}
	return res;
}

static int read_vpc(struct reader *r, json_object *root)
{
	static const char *const members[] = { "name", "quota", "flags" };
	json_object *format = NULL, *name = NULL, *item, *value;
	uint64_t version = 0, number = 0;
	int res;

	res = get(r, root, "document", "format", json_type_string, true, &format);
	if (!res && strcmp(json_object_get_string(format), "vpc"))
		res = bad(r, "document", "its format is '%.32s', not \"vpc\"", json_object_get_string(format));
	if (!res)
		res = get_number(r, root, "document", "version", UINT32_MAX, true, &version);
	if (!res && version != 1)
		res = bad(r, "document", "version %" PRIu64 ", this program reads version 1", version);
	if (!res)
		res = check_members(r, root, "document",
				    "format version vni epoch digest name quota flags ranges tables subnets nexthops "
				    "ports");
	if (!res)
		res = get_number(r, root, "document", "vni", VPC_VNI_MAX, true, &number);
	r->doc.state.vni = number;
	if (!res && !number)
		res = bad(r, "document", "'vni' is out of range: 1..%u", VPC_VNI_MAX);
	if (!res)
		res = get(r, root, "document", "name", json_type_string, true, &name);
	if (!res)
		res = get_number(r, root, "document", "quota", INT64_MAX, true, &number);
	if (!res)
		res = get_number(r, root, "document", "flags", __VPC_F_ALL, true, &number);
	if (res)
		return res;
	item = json_object_new_object();
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (json_object_object_get_ex(root, members[i], &value))
			json_object_object_add(item, members[i], json_object_get(value));
	res = add_item(r, CDB_ITEM_VPC, "", item);
	json_object_put(item);
	return res;
}

int doc_json_parse(const char *text, size_t len, struct cdb_doc *ret_doc, struct vpc_err *err)
{
	struct json_tokener *tokener = json_tokener_new();
	struct reader r = { .err = err };
	json_object *root;
	int res;

	cdb_doc_init(&r.doc, 0);
	if (!tokener)
		return oom(&r);
	root = json_tokener_parse_ex(tokener, text, len < INT32_MAX ? len : INT32_MAX);
	res = json_tokener_get_error(tokener);
	if (res != json_tokener_success || !json_object_is_type(root, json_type_object))
		res = vpc_err_set(err, -EINVAL, "not a JSON object (near byte %zu: %s)",
				  json_tokener_get_parse_end(tokener),
				  res == json_tokener_continue ? "it ends too early" : json_tokener_error_desc(res));
	else
		res = read_vpc(&r, root);
	if (!res &&
	    strspn(text + json_tokener_get_parse_end(tokener), " \t\r\n") != len - json_tokener_get_parse_end(tokener))
		res = vpc_err_set(err, -EINVAL, "there is something behind the document (byte %zu)",
				  json_tokener_get_parse_end(tokener));
	json_tokener_free(tokener);
	if (!res)
		res = read_list(&r, root, "ranges", json_type_string, read_range);
	if (!res)
		res = read_list(&r, root, "tables", json_type_object, read_table);
	if (!res)
		res = read_list(&r, root, "subnets", json_type_object, read_subnet);
	if (!res)
		res = read_list(&r, root, "nexthops", json_type_object, read_nexthop);
	if (!res)
		res = read_list(&r, root, "ports", json_type_object, read_port);
	json_object_put(root);
	if (!res)
		res = cdb_doc_sort(&r.doc, err);
	if (res) {
		cdb_doc_clear(&r.doc);
		return res;
	}
	*ret_doc = r.doc;
	return 0;
}
