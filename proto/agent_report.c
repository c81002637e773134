// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's report about itself as JSON; see agent_report.h.
 */
#include "agent_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/util.h"
#include "json.h"

/* Reasons quote what others have written. */
static void put_text(struct json_writer *w, const char *text)
{
	char copy[VPC_AGENT_REASON_MAX + 1];

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *p = copy; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	vpc_json_string(w, copy);
}

static void put_vpc(struct json_writer *w, const struct vpc_agent_report_vpc *vpc)
{
	vpc_json_raw(w, "{\"vni\":");
	vpc_json_u64(w, vpc->vni);
	if (vpc->known) {
		vpc_json_raw(w, ",\"epoch\":");
		vpc_json_u64(w, vpc->epoch);
	}
	if (vpc->has_head) {
		vpc_json_raw(w, ",\"head\":");
		vpc_json_u64(w, vpc->head);
	}
	vpc_json_raw(w, ",\"behind_ms\":");
	vpc_json_u64(w, vpc->behind_ms);
	vpc_json_raw(w, ",\"reason\":");
	put_text(w, vpc->reason);
	vpc_json_raw(w, "}");
}

int vpc_agent_report_format(const struct vpc_agent_report *report, char **ret, size_t *ret_len)
{
	struct json_writer w;
	char instance[17];
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{ ",\"pid\":", report->pid },		{ ",\"state_ms\":", report->state_ms },
		{ ",\"revision\":", report->revision }, { ",\"reached\":", report->reached },
		{ ",\"ports\":", report->n_ports },		{ ",\"restored\":", report->restored_ms },
		{ ",\"restored_vpcs\":", report->restored_vpcs },
		{ ",\"restored_ports\":", report->restored_ports },
	};
	const struct {
		const char *key, *value;
	} strings[] = {
		{ ",\"host\":", report->host },
		{ ",\"version\":", report->version },
		{ ",\"state\":", report->state },
		{ ",\"zookeeper\":", report->zookeeper },
		{ ",\"module\":", report->module },
		{ ",\"instance\":", instance },
		{ ",\"reason\":", report->reason },
	};
	size_t i;

	snprintf(instance, sizeof(instance), "%016" PRIx64, report->instance);
	vpc_json_init(&w, VPC_AGENT_REPORT_MAX);
	vpc_json_raw(&w, "{\"v\":1");
	for (i = 0; i < ARRAY_SIZE(strings); i++) {
		vpc_json_raw(&w, strings[i].key);
		put_text(&w, strings[i].value);
	}
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		vpc_json_raw(&w, numbers[i].key);
		vpc_json_u64(&w, numbers[i].value);
	}
	vpc_json_raw(&w, ",\"vpcs\":[");
	for (i = 0; i < report->n_vpcs && !w.error; i++) {
		if (i)
			vpc_json_raw(&w, ",");
		put_vpc(&w, &report->vpcs[i]);
	}
	vpc_json_raw(&w, "]}");
	return vpc_json_finish(&w, ret, ret_len);
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

/* A number that may be absent. */
static int get_maybe(json_object *obj, const struct json_at *at, const char *member, bool *ret_there, uint64_t *ret,
		     struct vpc_err *err)
{
	*ret_there = json_object_object_get_ex(obj, member, NULL);
	return *ret_there ? vpc_json_get_u64(obj, at, member, 0, INT64_MAX, ret, err) : 0;
}

static int parse_vpc(json_object *obj, const struct json_at *at, struct vpc_agent_report_vpc *ret, struct vpc_err *err)
{
	int r;

	if (!json_object_is_type(obj, json_type_object))
		return vpc_json_bad(err, -EINVAL, at, NULL, "no object");
	r = vpc_json_get_u32(obj, at, "vni", 1, VPC_VNI_MAX, &ret->vni, err);
	if (!r)
		r = get_maybe(obj, at, "epoch", &ret->known, &ret->epoch, err);
	if (!r)
		r = get_maybe(obj, at, "head", &ret->has_head, &ret->head, err);
	if (!r)
		r = vpc_json_get_u64(obj, at, "behind_ms", 0, INT64_MAX, &ret->behind_ms, err);
	if (!r)
		r = vpc_json_get_string(obj, at, "reason", 0, sizeof(ret->reason), ret->reason, err);
	return r;
}

static int parse_vpcs(json_object *obj, struct vpc_agent_report *report, struct vpc_err *err)
{
	struct json_at at = { .array = "vpcs" };
	json_object *array;
	size_t n;
	int r;

	r = vpc_json_get(obj, NULL, "vpcs", json_type_array, &array, err);
	if (r)
		return r;
	n = json_object_array_length(array);
	report->vpcs = n ? calloc(n, sizeof(*report->vpcs)) : NULL;
	if (n && !report->vpcs)
		return vpc_err_set(err, -ENOMEM, "vpcs: out of memory");
	report->n_vpcs = n;
	for (; !r && at.index < n; at.index++)
		r = parse_vpc(json_object_array_get_idx(array, at.index), &at, &report->vpcs[at.index], err);
	return r;
}

static int parse_strings(json_object *obj, struct vpc_agent_report *report, struct vpc_err *err)
{
	char instance[17] = "";
	const struct {
		const char *member;
		char *to;
		size_t min, size;
	} strings[] = {
		{ "host", report->host, 1, sizeof(report->host) },
		{ "version", report->version, 1, sizeof(report->version) },
		{ "state", report->state, 1, sizeof(report->state) },
		{ "zookeeper", report->zookeeper, 0, sizeof(report->zookeeper) },
		{ "module", report->module, 0, sizeof(report->module) },
		{ "instance", instance, 16, sizeof(instance) },
		{ "reason", report->reason, 0, sizeof(report->reason) },
	};
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(strings); i++)
		r = vpc_json_get_string(obj, NULL, strings[i].member, strings[i].min, strings[i].size, strings[i].to,
					err);
	report->instance = strtoull(instance, NULL, 16);
	return r;
}

static int parse_numbers(json_object *obj, struct vpc_agent_report *report, struct vpc_err *err)
{
	const struct {
		const char *member;
		uint64_t *to;
	} numbers[] = {
		{ "state_ms", &report->state_ms },
		{ "revision", &report->revision },
		{ "reached", &report->reached },
		{ "ports", &report->n_ports },
		{ "restored", &report->restored_ms },
		{ "restored_vpcs", &report->restored_vpcs },
		{ "restored_ports", &report->restored_ports },
	};
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(numbers); i++)
		r = vpc_json_get_u64(obj, NULL, numbers[i].member, 0, INT64_MAX, numbers[i].to, err);
	return r;
}

int vpc_agent_report_parse(const char *data, size_t len, struct vpc_agent_report *ret, struct vpc_err *err)
{
	_cleanup_json_ json_object *obj = NULL;
	struct vpc_agent_report report = {};
	int r;

	r = vpc_json_parse(data, len, VPC_AGENT_REPORT_MAX, &obj, err);
	if (!r)
		r = parse_strings(obj, &report, err);
	if (!r)
		r = vpc_json_get_u32(obj, NULL, "pid", 0, INT32_MAX, &report.pid, err);
	if (!r)
		r = parse_numbers(obj, &report, err);
	if (!r)
		r = parse_vpcs(obj, &report, err);
	if (r)
		vpc_agent_report_clear(&report);
	else
		*ret = report;
	return r;
}

void vpc_agent_report_clear(struct vpc_agent_report *report)
{
	free(report->vpcs);
	memset(report, 0, sizeof(*report));
}
