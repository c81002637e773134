// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl export, import, diff and rollback: whole VPCs, as they are and as they were.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "../lib/doc_json.h"
#include "../lib/intent_doc.h"
#include "ctl.h"

int ctl_doc(struct ctl *ctl, const char *vpc, const uint64_t *epoch, struct cdb_doc *ret_doc)
{
	uint32_t vni;
	int r;

	r = ctl_vni(ctl, vpc, &vni);
	return r ?: cdb_doc_load(ctl->cdb, vni, epoch, ret_doc, &ctl->err);
}

int ctl_show_past(struct ctl *ctl, const char *vpc, uint64_t epoch, enum cdb_item_kind kind, const char *name)
{
	_cleanup_(cdb_doc_clear) struct cdb_doc doc;
	int r;

	cdb_doc_init(&doc, 0);
	r = ctl_doc(ctl, vpc, &epoch, &doc);
	if (!r && !cdb_doc_find(&doc, CDB_ITEM_VPC, ""))
		r = vpc_err_set(&ctl->err, -ENOENT, "VPC %s was not there at epoch %llu: `history %s` has its epochs",
				vpc, (unsigned long long)epoch, vpc);
	if (!r)
		ctl_print_items(ctl, &doc, kind, name);
	return r;
}

static int export(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(cdb_doc_clear) struct cdb_doc doc;
	uint64_t epoch;
	const char *vpc;
	struct ctl_arg args[] = {
		CTL_ARG("VPC", CTL_WORD, &vpc, .required = true),
		CTL_ARG("epoch", CTL_U64, &epoch),
	};
	int r;

	cdb_doc_init(&doc, 0);
	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (!r)
		r = ctl_doc(ctl, vpc, args[1].given ? &epoch : NULL, &doc);
	if (!r && !cdb_doc_find(&doc, CDB_ITEM_VPC, ""))
		r = vpc_err_set(&ctl->err, -ENOENT, "VPC %s was deleted: `export %s epoch E` with an earlier epoch",
				vpc, vpc);
	if (!r && doc_json_write(&doc, stdout, ctl->pretty))
		r = vpc_err_set(&ctl->err, -EIO, "writing the output: %s", strerror(errno));
	return r;
}

static int read_all(struct ctl *ctl, const char *name, char **ret_text, size_t *ret_len)
{
	bool standard = !strcmp(name, "-");
	FILE *file = standard ? stdin : fopen(name, "re");
	size_t size = 0, len;
	char *text = NULL;

	if (!file)
		return vpc_err_set(&ctl->err, -errno, "%s: %s", name, strerror(errno));
	errno = 0;
	len = getdelim(&text, &size, '\0', file);
	if (len == (size_t)-1 && !feof(file))
		vpc_err_set(&ctl->err, -EIO, "%s: %s", name, strerror(errno));
	else if (len != (size_t)-1 && !feof(file) && fgetc(file) != EOF)
		vpc_err_set(&ctl->err, -EINVAL, "%s: not text, byte %zu is 0", name, len - 1);
	if (!standard)
		fclose(file);
	if (!*ctl->err.text) {
		*ret_len = len == (size_t)-1 ? 0 : len;
		*ret_text = text ?: strdup("");
		return *ret_text ? 0 : vpc_err_set(&ctl->err, -ENOMEM, "out of memory");
	}
	free(text);
	return -EINVAL;
}

/* What import and rollback do inside a batch. */
struct job {
	const char *vpc; /* rollback: of that */
	uint64_t epoch;
	struct cdb_doc doc; /* import: that */
	bool replace;
};

static int run_import(struct ctl *ctl, void *arg)
{
	struct intent intent = ctl_intent(ctl);
	struct job *job = arg;
	bool there;
	int r;

	r = cdb_vpc_exists(ctl->cdb, job->doc.state.vni, &there, &ctl->err);
	if (!r && there && !job->replace)
		r = vpc_err_set(&ctl->err, -EEXIST,
				"there is a VPC with VNI %u already: `replace` makes it what the file says",
				job->doc.state.vni);
	return r ?: intent_doc_apply(&intent, &job->doc, &ctl->err);
}

static int run_rollback(struct ctl *ctl, void *arg)
{
	_cleanup_(cdb_doc_clear) struct cdb_doc doc;
	struct intent intent = ctl_intent(ctl);
	struct job *job = arg;
	int r;

	cdb_doc_init(&doc, 0);
	r = ctl_doc(ctl, job->vpc, &job->epoch, &doc);
	return r ?: intent_doc_apply(&intent, &doc, &ctl->err);
}

/* In the batch that there is, or in one of its own. */
static int run_job(struct ctl *ctl, int (*run)(struct ctl *ctl, void *arg), struct job *job)
{
	return ctl->in_batch ? run(ctl, job) : ctl_run_function(ctl, run, job);
}

static int import(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_free_ char *text = NULL;
	struct job job = {};
	const char *file;
	size_t len = 0;
	struct ctl_arg args[] = {
		CTL_ARG("FILE", CTL_WORD, &file, .required = true),
		CTL_ARG("replace", CTL_FLAG, &job.replace),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (!r)
		r = read_all(ctl, file, &text, &len);
	if (r)
		return r;
	r = doc_json_parse(text, len, &job.doc, &ctl->err);
	if (r)
		return vpc_err_prefix(&ctl->err, r, "%s", file);
	r = run_job(ctl, run_import, &job);
	cdb_doc_clear(&job.doc);
	return r;
}

static int rollback(struct ctl *ctl, int argc, char **argv)
{
	struct job job = {};
	struct ctl_arg args[] = {
		CTL_ARG("VPC", CTL_WORD, &job.vpc, .required = true),
		CTL_ARG("EPOCH", CTL_U64, &job.epoch, .required = true),
	};
	int r;

	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	return r ?: run_job(ctl, run_rollback, &job);
}

struct print {
	struct ctl *ctl;
	struct json_object *ops;
	bool any;
};

static int print_diff(const struct cdb_doc_diff *diff, void *arg)
{
	const struct cdb_item *item = diff->item_is ?: diff->item_was;
	struct print *print = arg;

	print->any = true;
	if (item)
		ctl_print_item_op(print->ctl, item->kind, item->name, diff->item_was ? diff->item_was->text : NULL,
				  diff->item_is ? diff->item_is->text : NULL, print->ops);
	else
		ctl_print_op(print->ctl, diff->was, diff->is, print->ops);
	return 0;
}

static int diff(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(cdb_doc_clear) struct cdb_doc a, b;
	struct print print = { .ctl = ctl };
	uint64_t from, to;
	const char *vpc;
	struct ctl_arg args[] = {
		CTL_ARG("VPC", CTL_WORD, &vpc, .required = true),
		CTL_ARG("EPOCH", CTL_U64, &from, .required = true),
		CTL_ARG("EPOCH2", CTL_U64, &to),
	};
	int r;

	cdb_doc_init(&a, 0);
	cdb_doc_init(&b, 0);
	r = ctl_args(ctl, args, ARRAY_SIZE(args), argc, argv);
	if (!r)
		r = ctl_cdb(ctl);
	if (!r)
		r = ctl_doc(ctl, vpc, &from, &a);
	if (!r)
		r = ctl_doc(ctl, vpc, args[2].given ? &to : NULL, &b);
	if (r)
		return r;
	print.ops = json_object_new_array();
	cdb_doc_compare(&a, &b, print_diff, &print);
	if (ctl->json) {
		ctl_print(ctl, print.ops);
		return 0;
	}
	json_object_put(print.ops);
	if (!print.any)
		puts("no difference");
	return 0;
}

static const struct ctl_verb export_verbs[] = { { NULL, export, "VPC [epoch E]", false } };
const struct ctl_object ctl_export = {
	.name = "export",
	.about = "a whole VPC as one JSON document",
	.verbs = export_verbs,
	.n_verbs = ARRAY_SIZE(export_verbs),
	.notes =
		"As it was at epoch E, when one is given; VPC may then be the VNI of one that was deleted. Hosts "
		"are named, and\n"
		"are no part of the document; what ports and ranges make of the tables is not in it either.\n",
};

static const struct ctl_verb import_verbs[] = { { NULL, import, "FILE [replace]", true } };
const struct ctl_object ctl_import = {
	.name = "import",
	.about = "a VPC out of a document that export wrote",
	.verbs = import_verbs,
	.n_verbs = ARRAY_SIZE(import_verbs),
	.notes =
		"One change, all or nothing; - is standard input. replace: a VPC with that VNI becomes what the\n"
		 "document says.\n",
};

static const struct ctl_verb rollback_verbs[] = { { NULL, rollback, "VPC EPOCH", true } };
const struct ctl_object ctl_rollback = {
	.name = "rollback",
	.about = "a new change that makes a VPC what it was at an epoch",
	.verbs = rollback_verbs,
	.n_verbs = ARRAY_SIZE(rollback_verbs),
	.notes =
		"All of it: ports and where they are, subnets, tables, ranges, routes, nexthops, quota, name. "
		"Hosts are as they\n"
		"are today. --dry-run shows what it would change. VPC may be the VNI of one that was deleted.\n",
};

static const struct ctl_verb diff_verbs[] = { { NULL, diff, "VPC EPOCH [EPOCH2]", false } };
const struct ctl_object ctl_diff = {
	.name = "diff",
	.about = "what differs between two epochs of a VPC",
	.verbs = diff_verbs,
	.n_verbs = ARRAY_SIZE(diff_verbs),
	.notes = "- what was at EPOCH, + what is at EPOCH2, which is today without one.\n",
};
