// SPDX-License-Identifier: Apache-2.0
/*
 * The report for programs. The members are the contract, described in doc/operations.md:
 * {"v":1,"host","time_ms","duration_us","result","reason"?,"vpcs":[{"vni","name"?,"result","reason"?,"cdb_epoch",
 *  "kernel_epoch","lag_ms","by_digest","routes","nexthops","members","probes","unprobed"?,"compared_ms"?,
 *  "counts":{class:n},"findings":[{"class","object","want"?,"have"?,"leg","note"?,"since_ms"?,"change"?,
 *  "first_seen_ms"?}]}],
 *  "resumed"?:{"vpcs","since_ms"?,"note"?},"no_repair"?,
 *  "repairs"?:[{"vni","epoch","drifts","asked","answer"?}],"before"?}; VNI 0 is the host itself,
 * "before" the report that asked for the repairs.
 */
#include "report.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>

static void add_string(struct json_object *o, const char *key, const char *value)
{
	if (value && value[0])
		json_object_object_add(o, key, json_object_new_string(value));
}

static struct json_object *finding_json(const struct finding *f)
{
	struct json_object *o = json_object_new_object();

	add_string(o, "class", finding_class_name(f->class));
	add_string(o, "object", f->object);
	add_string(o, "want", f->want);
	add_string(o, "have", f->have);
	add_string(o, "leg", finding_leg_name(f->leg));
	add_string(o, "note", f->note);
	if (f->cause.known) {
		json_object_object_add(o, "since_ms", json_object_new_uint64(f->cause.created_ms));
		add_string(o, "change", f->cause.change);
	}
	if (f->first_ms)
		json_object_object_add(o, "first_seen_ms", json_object_new_uint64(f->first_ms));
	return o;
}

static struct json_object *vpc_json(const struct report_vpc *vpc)
{
	struct json_object *o = json_object_new_object(), *counts = json_object_new_object();
	struct json_object *findings = json_object_new_array();

	json_object_object_add(o, "vni", json_object_new_int64(vpc->vni));
	add_string(o, "name", vpc->name);
	add_string(o, "result", vpc_result_name(vpc->result));
	add_string(o, "reason", vpc->reason);
	json_object_object_add(o, "cdb_epoch", json_object_new_uint64(vpc->cdb_epoch));
	json_object_object_add(o, "kernel_epoch", json_object_new_uint64(vpc->kernel_epoch));
	json_object_object_add(o, "lag_ms", json_object_new_uint64(vpc->lag_ms));
	json_object_object_add(o, "by_digest", json_object_new_boolean(vpc->by_digest));
	json_object_object_add(o, "routes", json_object_new_uint64(vpc->n_routes));
	json_object_object_add(o, "nexthops", json_object_new_uint64(vpc->n_nexthops));
	json_object_object_add(o, "members", json_object_new_uint64(vpc->n_members));
	json_object_object_add(o, "probes", json_object_new_uint64(vpc->n_probes));
	add_string(o, "unprobed", vpc->unprobed);
	if (vpc->compared_ms)
		json_object_object_add(o, "compared_ms", json_object_new_uint64(vpc->compared_ms));
	for (int i = 0; i < FINDING_CLASSES; i++)
		json_object_object_add(counts, finding_class_name(i), json_object_new_uint64(vpc->counts[i]));
	json_object_object_add(o, "counts", counts);
	for (size_t i = 0; i < vpc->n_findings; i++)
		json_object_array_add(findings, finding_json(&vpc->findings[i]));
	json_object_object_add(o, "findings", findings);
	return o;
}

static struct json_object *repairs_json(const struct report *report)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < report->n_repairs; i++) {
		const struct report_repair *repair = &report->repairs[i];
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "vni", json_object_new_int64(repair->vni));
		json_object_object_add(o, "epoch", json_object_new_uint64(repair->epoch));
		json_object_object_add(o, "drifts", json_object_new_uint64(repair->drifts));
		json_object_object_add(o, "asked", json_object_new_boolean(repair->asked));
		add_string(o, "answer", repair->answer);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *resumed_json(const struct report *report)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "vpcs", json_object_new_uint64(report->n_resumed));
	if (report->n_resumed)
		json_object_object_add(o, "since_ms", json_object_new_uint64(report->resumed_ms));
	add_string(o, "note", report->resume);
	return o;
}

static struct json_object *report_json(const struct report *report)
{
	struct json_object *o = json_object_new_object(), *vpcs = json_object_new_array();

	json_object_object_add(o, "v", json_object_new_int(1));
	add_string(o, "host", report->host);
	json_object_object_add(o, "time_ms", json_object_new_uint64(report->time_ms));
	json_object_object_add(o, "duration_us", json_object_new_uint64(report->duration_us));
	add_string(o, "result", vpc_result_name(report_result(report)));
	add_string(o, "reason", report->reason);
	for (size_t i = 0; i < report->n_vpcs; i++)
		json_object_array_add(vpcs, vpc_json(&report->vpcs[i]));
	json_object_object_add(o, "vpcs", vpcs);
	if (report->resumes)
		json_object_object_add(o, "resumed", resumed_json(report));
	add_string(o, "no_repair", report->repair);
	if (report->n_repairs)
		json_object_object_add(o, "repairs", repairs_json(report));
	if (report->before)
		json_object_object_add(o, "before", report_json(report->before));
	return o;
}

int report_print_json(const struct report *report, bool pretty)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE | (pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : 0);
	struct json_object *o = report_json(report);
	int ret = puts(json_object_to_json_string_ext(o, flags)) < 0 || fflush(stdout) ? -EIO : 0;

	json_object_put(o);
	return ret;
}
