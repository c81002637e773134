// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl history: who changed what in a VPC, and what was before. Also of VPCs that are gone, by their VNI.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "../lib/cdb_row.h"
#include "../lib/digest.h"
#include "ctl.h"

int ctl_vni(struct ctl *ctl, const char *name, uint32_t *ret_vni)
{
	size_t digits = strspn(name, "0123456789");
	struct cdb_vpc vpc;
	int r;

	if (digits && digits < 10 && !name[digits]) {
		*ret_vni = strtoul(name, NULL, 10);
		return 0;
	}
	r = cdb_vpc_find(ctl->cdb, name, &vpc, &ctl->err);
	if (!r)
		*ret_vni = vpc.vni;
	return r;
}

struct entry {
	uint64_t epoch, created, h0, h1;
	uint32_t n_ops;
	char change[VPC_CHANGE_MAX + 1], author[64 * 4 + 1], summary[255 * 4 + 1];
};

static char *time_text(uint64_t ms, char *buf, size_t size)
{
	time_t seconds = ms / 1000;
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return buf;
}

static struct json_object *entry_object(const struct entry *entry)
{
	struct vpc_digest digest = { { entry->h0, entry->h1 } };
	struct json_object *object = json_object_new_object();

	ctl_add_u64(object, "epoch", entry->epoch);
	ctl_add_string(object, "change", entry->change);
	ctl_add_string(object, "author", entry->author);
	ctl_add_u64(object, "time", entry->created);
	ctl_add_string(object, "summary", entry->summary);
	ctl_add_u64(object, "operations", entry->n_ops);
	ctl_add_digest(object, "digest", &digest);
	return object;
}

static void print_entry(const struct entry *entry)
{
	char when[32];

	printf("epoch %llu %s %s %s: %s (%u operation%s)\n", (unsigned long long)entry->epoch,
	       time_text(entry->created, when, sizeof(when)), entry->change, entry->author, entry->summary,
	       entry->n_ops, entry->n_ops == 1 ? "" : "s");
}

static int show_ops(struct ctl *ctl, uint32_t vni, uint64_t epoch, struct json_object *ops)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	struct cdb_bin was_bytes, is_bytes;
	struct cdb_element was, is;
	uint32_t seq;
	bool more;
	int r;

	r = cdb_stream(ctl->cdb, &rows, &ctl->err,
		       "SELECT seq, was, is_now FROM change_op WHERE vni = ? AND epoch = ? ORDER BY seq", "uU>ubb", vni,
		       epoch, &seq, &was_bytes, &is_bytes);
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, &ctl->err)) && more) {
		if ((!was_bytes.null && cdb_element_parse(was_bytes.bytes, was_bytes.len, &was)) ||
		    (!is_bytes.null && cdb_element_parse(is_bytes.bytes, is_bytes.len, &is)) ||
		    (was_bytes.null && is_bytes.null))
			return vpc_err_set(&ctl->err, -EPROTO,
					   "CDB: change_op of VPC %u, epoch %llu, seq %u is malformed", vni,
					   (unsigned long long)epoch, seq);
		ctl_print_op(ctl, was_bytes.null ? NULL : &was, is_bytes.null ? NULL : &is, ops);
	}
	return r;
}

static int show_items(struct ctl *ctl, uint32_t vni, uint64_t epoch, struct json_object *ops)
{
	char kind_name[16], name[64], was[CDB_ITEM_TEXT_MAX], is[CDB_ITEM_TEXT_MAX];
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	enum cdb_item_kind kind;
	bool more;
	int r;

	r = cdb_query(ctl->cdb, &rows, &ctl->err,
		      "SELECT kind, name, COALESCE(was, ''), COALESCE(is_now, '') FROM change_item WHERE vni = ? AND "
		      "epoch = ? ORDER BY seq",
		      "uU>ssss", vni, epoch, kind_name, sizeof(kind_name), name, sizeof(name), was, sizeof(was), is,
		      sizeof(is));
	if (r)
		return r;
	while (!(r = cdb_rows_next(rows, &more, &ctl->err)) && more) {
		if (cdb_item_kind_parse(kind_name, &kind))
			return vpc_err_set(&ctl->err, -EPROTO, "CDB: change_item of VPC %u: unknown kind '%s'", vni,
					   kind_name);
		ctl_print_item_op(ctl, kind, name, *was ? was : NULL, *is ? is : NULL, ops);
	}
	return r;
}

static int show_entry(struct ctl *ctl, uint32_t vni, const struct entry *entry, bool with_ops)
{
	struct json_object *object = ctl->json ? entry_object(entry) : NULL, *ops = NULL;
	int r = 0;

	if (!ctl->json)
		print_entry(entry);
	if (with_ops) {
		ops = json_object_new_array();
		r = show_items(ctl, vni, entry->epoch, ops);
		if (!r)
			r = show_ops(ctl, vni, entry->epoch, ops);
	}
	if (object && ops && !r)
		json_object_object_add(object, "changes", json_object_get(ops));
	json_object_put(ops);
	if (object && !r)
		ctl_list_add(ctl, object);
	else
		json_object_put(object);
	return r;
}

static int history(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	uint64_t epoch = 0, last = UINT64_MAX >> 1;
	struct entry entry;
	const char *name;
	uint32_t vni = 0;
	struct ctl_arg args[] = {
		CTL_ARG("VPC", CTL_WORD, &name, .required = true),
		CTL_ARG("epoch", CTL_U64, &epoch),
		CTL_ARG("last", CTL_U64, &last),
	};
	size_t n = 0;
	bool more;
	int r;

	if (argc && !strcmp(argv[0], "show")) {
		argc--;
		argv++;
	}
	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (!r)
		r = ctl_vni(ctl, name, &vni);
	if (!r)
		r = cdb_query(
			ctl->cdb, &rows, &ctl->err,
			"SELECT epoch, change_id, author, created, summary, n_ops, digest0, digest1 FROM change_log "
			"WHERE vni = ? AND (? = 0 OR epoch = ?) ORDER BY epoch DESC LIMIT ?",
			"uUUU>UssUsuUU", vni, epoch, epoch, last, &entry.epoch, entry.change, sizeof(entry.change),
			entry.author, sizeof(entry.author), &entry.created, entry.summary, sizeof(entry.summary),
			&entry.n_ops, &entry.h0, &entry.h1);
	if (r)
		return r;
	ctl_list_begin(ctl);
	while (!(r = cdb_rows_next(rows, &more, &ctl->err)) && more) {
		n++;
		r = show_entry(ctl, vni, &entry, epoch);
		if (r)
			return r;
	}
	if (!r && !n)
		return vpc_err_set(&ctl->err, -ENOENT, "VPC %s has no such history", name);
	if (!r)
		ctl_list_end(ctl);
	return r;
}

static const struct ctl_verb verbs[] = {
	{ NULL, history, "VPC [epoch E] [last N]", false },
};

const struct ctl_object ctl_history = {
	.name = "history",
	.about = "who changed what in a VPC, when, and what was before",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
	.notes = "Newest first. epoch: that change alone, with each thing as it was and as it is. last: "
		 "at most N changes.\n"
		 "VPC may be the VNI of a VPC that was deleted.\n",
};
