// SPDX-License-Identifier: Apache-2.0
/*
 * JSON output: one object, or a list that is written element by element, so that a million routes need no memory.
 * Text is printed by the commands themselves.
 */
#include <stdio.h>
#include <string.h>
#include "../lib/digest.h"
#include "ctl.h"

static const char *to_string(const struct ctl *ctl, struct json_object *object)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
		    (ctl->pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : 0);

	return json_object_to_json_string_ext(object, flags);
}

void ctl_print(struct ctl *ctl, struct json_object *object)
{
	puts(to_string(ctl, object));
	json_object_put(object);
}

void ctl_list_begin(struct ctl *ctl)
{
	ctl->list_started = false;
}

void ctl_list_add(struct ctl *ctl, struct json_object *object)
{
	fputs(ctl->list_started ? "," : "[", stdout);
	if (ctl->pretty)
		fputs("\n", stdout);
	fputs(to_string(ctl, object), stdout);
	ctl->list_started = true;
	json_object_put(object);
}

void ctl_list_end(struct ctl *ctl)
{
	if (!ctl->json)
		return;
	if (!ctl->list_started)
		puts("[]");
	else
		puts(ctl->pretty ? "\n]" : "]");
}

void ctl_add_string(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, value ? json_object_new_string(value) : NULL);
}

void ctl_add_u64(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

void ctl_add_digest(struct json_object *object, const char *key, const struct vpc_digest *digest)
{
	char text[VPC_DIGEST_STRLEN];

	ctl_add_string(object, key, vpc_digest_format(digest, text));
}

void ctl_add_addr(struct json_object *object, const char *key, const struct vpc_addr *addr)
{
	char text[VPC_ADDR_STRLEN];

	ctl_add_string(object, key, vpc_addr_format(addr, text));
}

void ctl_add_prefix(struct json_object *object, const char *key, const struct vpc_prefix *prefix)
{
	char text[VPC_PREFIX_STRLEN];

	ctl_add_string(object, key, vpc_prefix_format(prefix, text));
}

void ctl_add_mac(struct json_object *object, const char *key, const uint8_t mac[6])
{
	char text[VPC_MAC_STRLEN];

	ctl_add_string(object, key, vpc_mac_format(mac, text));
}

struct json_object *ctl_nexthop_object(const struct vpc_nl_nexthop *nh)
{
	static const uint8_t none[6];
	struct json_object *object = json_object_new_object();
	struct vpc_addr vtep = { .family = nh->family };

	ctl_add_u64(object, "id", nh->id);
	ctl_add_string(object, "type", vpc_nexthop_type_name(nh->type));
	if (nh->family) {
		memcpy(vtep.bytes, nh->addr, sizeof(vtep.bytes));
		ctl_add_addr(object, "vtep", &vtep);
	}
	if (nh->vni)
		ctl_add_u64(object, "vni", nh->vni);
	if (nh->type == VPC_NEXTHOP_PEER)
		ctl_add_u64(object, "table", nh->table);
	if (memcmp(nh->mac, none, sizeof(none)))
		ctl_add_mac(object, "mac", nh->mac);
	return object;
}

struct json_object *ctl_member_object(const struct vpc_nl_member *member)
{
	struct json_object *object = json_object_new_object();

	ctl_add_u64(object, "nexthop", member->nexthop);
	ctl_add_u64(object, "weight", member->weight);
	return object;
}

void ctl_print_result(struct ctl *ctl, const struct cdb_change_result *result)
{
	struct json_object *object;

	if (ctl->in_batch)
		return;
	if (!ctl->json) {
		if (result->changed)
			printf("VPC %u is at epoch %llu, change %s\n", result->vni, (unsigned long long)result->epoch,
			       result->change);
		else
			printf("nothing to change, VPC %u stays at epoch %llu\n", result->vni,
			       (unsigned long long)result->epoch);
		return;
	}
	object = json_object_new_object();
	ctl_add_u64(object, "vni", result->vni);
	ctl_add_u64(object, "epoch", result->epoch);
	ctl_add_string(object, "change", result->changed ? result->change : NULL);
	ctl_add_u64(object, "operations", result->n_ops);
	ctl_print(ctl, object);
}
