// SPDX-License-Identifier: Apache-2.0
/*
 * One element of a change, as history, plans and comparisons show it: nexthops, members of groups, routes.
 */
#include <stdio.h>
#include <string.h>
#include "ctl.h"

static struct json_object *element_object(const struct cdb_element *element)
{
	struct json_object *object;

	if (element->kind == CDB_ELEMENT_NEXTHOP)
		return ctl_nexthop_object(&element->nexthop);
	if (element->kind == CDB_ELEMENT_MEMBER) {
		object = ctl_member_object(&element->member);
		ctl_add_u64(object, "group", element->member.group);
		return object;
	}
	object = json_object_new_object();
	ctl_add_u64(object, "table", element->route.table);
	ctl_add_prefix(object, "prefix", &element->route.prefix);
	ctl_add_u64(object, "nexthop", element->route.nexthop);
	return object;
}

static char *element_text(const struct cdb_element *element, char *buf, size_t size)
{
	char text[VPC_NEXTHOP_STRLEN];

	if (element->kind == CDB_ELEMENT_NEXTHOP)
		snprintf(buf, size, "nexthop %u %s", element->nexthop.id, vpc_nexthop_format(&element->nexthop, text));
	else if (element->kind == CDB_ELEMENT_MEMBER)
		snprintf(buf, size, "member %u of group %u weight %u", element->member.nexthop, element->member.group,
			 element->member.weight);
	else
		snprintf(buf, size, "route %s table %u nexthop %u", vpc_prefix_format(&element->route.prefix, text),
			 element->route.table, element->route.nexthop);
	return buf;
}

void ctl_print_op(struct ctl *ctl, const struct cdb_element *was, const struct cdb_element *is, struct json_object *ops)
{
	static const char *const kinds[] = {
		[CDB_ELEMENT_NEXTHOP] = "nexthop", [CDB_ELEMENT_ROUTE] = "route", [CDB_ELEMENT_MEMBER] = "member"
	};
	struct json_object *object;
	char text[256];

	if (!ctl->json) {
		if (was)
			printf("  - %s\n", element_text(was, text, sizeof(text)));
		if (is)
			printf("  + %s\n", element_text(is, text, sizeof(text)));
		return;
	}
	object = json_object_new_object();
	ctl_add_string(object, "kind", kinds[(was ?: is)->kind]);
	json_object_object_add(object, "was", was ? element_object(was) : NULL);
	json_object_object_add(object, "is", is ? element_object(is) : NULL);
	json_object_array_add(ops, object);
}

/* {"table": 1, "name": "x"} -> "table 1 name x"; lists are repeated. */
static void print_fields(json_object *object)
{
	json_object_object_foreach(object, key, value) {
		if (json_object_is_type(value, json_type_array)) {
			for (size_t i = 0; i < json_object_array_length(value); i++)
				printf(" %s %s", key, json_object_get_string(json_object_array_get_idx(value, i)));
		} else if (json_object_is_type(value, json_type_object)) {
			printf(" %s", key);
			print_fields(value);
		} else {
			printf(" %s %s", key, json_object_get_string(value));
		}
	}
}

static void print_line(const char *mark, enum cdb_item_kind kind, const char *name, const char *text)
{
	json_object *object = json_tokener_parse(text);

	printf("%s%s%s%s", mark, cdb_item_kind_name(kind), *name ? " " : "", name);
	if (json_object_is_type(object, json_type_object))
		print_fields(object);
	puts("");
	json_object_put(object);
}

void ctl_print_item_op(struct ctl *ctl, enum cdb_item_kind kind, const char *name, const char *was, const char *is,
		       struct json_object *ops)
{
	struct json_object *object;

	if (!ctl->json) {
		if (was)
			print_line("  - ", kind, name, was);
		if (is)
			print_line("  + ", kind, name, is);
		return;
	}
	object = json_object_new_object();
	ctl_add_string(object, "kind", cdb_item_kind_name(kind));
	ctl_add_string(object, "name", name);
	json_object_object_add(object, "was", was ? json_tokener_parse(was) : NULL);
	json_object_object_add(object, "is", is ? json_tokener_parse(is) : NULL);
	json_object_array_add(ops, object);
}

static void print_item(struct ctl *ctl, const struct cdb_item *item)
{
	struct json_object *object, *fields;

	if (!ctl->json) {
		print_line("", item->kind, item->name, item->text);
		return;
	}
	object = json_object_new_object();
	ctl_add_string(object,
		       item->kind == CDB_ITEM_TABLE   ? "id"
		       : item->kind == CDB_ITEM_RANGE ? "prefix"
						      : "name",
		       item->name);
	fields = json_tokener_parse(item->text);
	if (json_object_is_type(fields, json_type_object)) {
		json_object_object_foreach(fields, key, value) {
			json_object_object_add(object, key, json_object_get(value));
		}
	}
	json_object_put(fields);
	ctl_list_add(ctl, object);
}

void ctl_print_items(struct ctl *ctl, const struct cdb_doc *doc, enum cdb_item_kind kind, const char *name)
{
	ctl_list_begin(ctl);
	for (size_t i = 0; i < doc->n_items; i++)
		if (doc->items[i].kind == kind && (!name || !strcmp(doc->items[i].name, name)))
			print_item(ctl, &doc->items[i]);
	ctl_list_end(ctl);
}
