// SPDX-License-Identifier: Apache-2.0
/*
 * Commands that become one change: the lines of a batch, or one command that is rehearsed (--dry-run) or waited for
 * (--wait). They run inside one database transaction (lib/cdb_batch.h), in which what the change comes to is read
 * before it is committed or rolled back.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "../lib/cdb_stmt.h"
#include "ctl.h"

#define TRIES 10 /* that the server ends to end a deadlock */

struct line {
	unsigned int number; /* 0: the command line */
	char **words; /* owned */
	int n;
	char *text; /* owned; what the words are in */
};

struct lines {
	const char *file;
	struct line *list;
	size_t n, cap;
};

static void lines_clear(struct lines *lines)
{
	for (size_t i = 0; i < lines->n; i++) {
		free(lines->list[i].words);
		free(lines->list[i].text);
	}
	free(lines->list);
}

static void plan_clear(struct ctl_plan *plan)
{
	for (size_t i = 0; i < plan->n_vpcs; i++)
		free(plan->vpcs[i].hosts);
	free(plan->vpcs);
	free(plan->hosts);
	*plan = (struct ctl_plan){};
}

/* Words at blanks; '#' at a word's begin ends the line. An empty line has none. Takes over @text. */
static int add_line(struct lines *lines, unsigned int number, char *text)
{
	struct line *line;
	char *rest = NULL;

	if (lines->n == lines->cap) {
		size_t cap = lines->cap ? 2 * lines->cap : 64;
		struct line *list = reallocarray(lines->list, cap, sizeof(*list));

		if (!list) {
			free(text);
			return -ENOMEM;
		}
		lines->list = list;
		lines->cap = cap;
	}
	line = &lines->list[lines->n++];
	*line = (struct line){ .number = number, .text = text };
	line->words = calloc(strlen(text) / 2 + 1, sizeof(*line->words));
	if (!line->words)
		return -ENOMEM;
	for (char *word = strtok_r(text, " \t\r\n", &rest); word && *word != '#';
	     word = strtok_r(NULL, " \t\r\n", &rest))
		line->words[line->n++] = word;
	return 0;
}

static int read_lines(struct ctl *ctl, FILE *file, struct lines *lines)
{
	unsigned int number = 0;
	char *text = NULL;
	size_t size = 0;

	while (getline(&text, &size, file) >= 0) {
		if (add_line(lines, ++number, text))
			return vpc_err_set(&ctl->err, -ENOMEM, "out of memory");
		text = NULL;
		size = 0;
	}
	free(text);
	if (ferror(file))
		return vpc_err_set(&ctl->err, -EIO, "%s: %s", lines->file, strerror(errno));
	return 0;
}

static int run_lines(struct ctl *ctl, void *arg)
{
	const struct lines *lines = arg;
	int r = 0;

	for (size_t i = 0; i < lines->n && !r; i++) {
		const struct line *line = &lines->list[i];

		if (!line->n)
			continue;
		r = ctl_run(ctl, line->n, line->words);
		if (r && line->number)
			vpc_err_prefix(&ctl->err, r, "%s:%u", lines->file, line->number);
	}
	return r;
}

static int plan_vpc(struct ctl *ctl, struct cdb_change *change, struct ctl_plan *plan)
{
	struct ctl_plan_vpc *vpc = &plan->vpcs[plan->n_vpcs];

	cdb_change_result(change, &vpc->result);
	strcpy(vpc->name, cdb_change_vpc(change)->name);
	/* One that its lines leave as it was is not worth a word, unless it is all that there is. */
	if (!vpc->result.changed && cdb_batch_count(cdb_change_batch(change)) > 1)
		return 0;
	plan->n_vpcs++;
	return cdb_vpc_hosts(ctl->cdb, vpc->result.vni, &vpc->hosts, &vpc->n_hosts, &ctl->err);
}

static int plan_hosts(struct ctl *ctl, const struct cdb_change *change, struct ctl_plan *plan)
{
	const uint32_t *ids;
	size_t n;
	int r = 0;

	ids = cdb_change_hosts(change, &n);
	for (size_t i = 0; i < n && !r; i++) {
		struct ctl_plan_host *host = &plan->hosts[plan->n_hosts++], *same = plan->hosts;

		r = cdb_get(ctl->cdb, &ctl->err, "SELECT name, ports_revision FROM host WHERE id = ?", "u>sU", ids[i],
			    host->name, sizeof(host->name), &host->revision);
		while (!r && strcmp(same->name, host->name))
			same++;
		if (same != host)
			plan->n_hosts--;
	}
	return r;
}

static int plan_load(struct ctl *ctl, struct cdb_batch *batch, struct ctl_plan *plan)
{
	size_t n = cdb_batch_count(batch), n_hosts = 0, some;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		cdb_change_hosts(cdb_batch_change(batch, i), &some);
		n_hosts += some;
	}
	plan->vpcs = calloc(n + 1, sizeof(*plan->vpcs));
	plan->hosts = calloc(n_hosts + 1, sizeof(*plan->hosts));
	if (!plan->vpcs || !plan->hosts)
		return vpc_err_set(&ctl->err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n && !r; i++) {
		r = cdb_change_settle(cdb_batch_change(batch, i), &ctl->err);
		if (!r)
			r = plan_vpc(ctl, cdb_batch_change(batch, i), plan);
		if (!r)
			r = plan_hosts(ctl, cdb_batch_change(batch, i), plan);
	}
	return r;
}

static void print_ops(struct ctl *ctl, struct cdb_change *change, struct json_object *ops)
{
	const struct cdb_change_item *items;
	struct cdb_change_op op;
	size_t n;

	items = cdb_change_items(change, &n);
	for (size_t i = 0; i < n; i++)
		if (!cdb_item_text_equal(items[i].was, items[i].is))
			ctl_print_item_op(ctl, items[i].kind, items[i].name, items[i].was, items[i].is, ops);
	for (size_t i = 0; i < cdb_change_ops(change); i++) {
		cdb_change_op(change, i, &op);
		ctl_print_op(ctl, op.was, op.is, ops);
	}
}

static struct cdb_change *change_of(struct cdb_batch *batch, uint32_t vni)
{
	size_t i = 0;

	while (cdb_change_vpc(cdb_batch_change(batch, i))->vni != vni)
		i++;
	return cdb_batch_change(batch, i);
}

static void rehearsal_text(struct ctl *ctl, struct cdb_batch *batch, const struct ctl_plan *plan)
{
	for (size_t i = 0; i < plan->n_vpcs; i++) {
		const struct ctl_plan_vpc *vpc = &plan->vpcs[i];

		if (!vpc->result.changed) {
			printf("nothing to change, VPC %s stays at epoch %llu\n", vpc->name,
			       (unsigned long long)vpc->result.epoch);
			continue;
		}
		printf("VPC %s (VNI %u) would go to epoch %llu on %zu host%s: %zu operation%s\n", vpc->name,
		       vpc->result.vni, (unsigned long long)vpc->result.epoch, vpc->n_hosts,
		       vpc->n_hosts == 1 ? "" : "s", vpc->result.n_ops, vpc->result.n_ops == 1 ? "" : "s");
		print_ops(ctl, change_of(batch, vpc->result.vni), NULL);
	}
	for (size_t i = 0; i < plan->n_hosts; i++)
		printf("host %s would be told of its ports\n", plan->hosts[i].name);
	puts("nothing was changed");
}

static struct json_object *names_array(const struct ctl_plan_vpc *vpc)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < vpc->n_hosts; i++)
		json_object_array_add(array, json_object_new_string(vpc->hosts[i]));
	return array;
}

static struct json_object *plan_object(struct ctl *ctl, struct cdb_batch *batch, const struct ctl_plan *plan)
{
	struct json_object *object = json_object_new_object(), *vpcs = json_object_new_array(),
			   *hosts = json_object_new_array();

	json_object_object_add(object, "dry_run", json_object_new_boolean(ctl->dry_run));
	ctl_add_string(object, "change", NULL);
	for (size_t i = 0; i < plan->n_vpcs; i++) {
		const struct ctl_plan_vpc *vpc = &plan->vpcs[i];
		struct json_object *one = json_object_new_object(), *ops = json_object_new_array();

		if (vpc->result.changed && !ctl->dry_run)
			ctl_add_string(object, "change", vpc->result.change);
		ctl_add_string(one, "vpc", vpc->name);
		ctl_add_u64(one, "vni", vpc->result.vni);
		ctl_add_u64(one, "epoch", vpc->result.epoch);
		json_object_object_add(one, "changed", json_object_new_boolean(vpc->result.changed));
		ctl_add_u64(one, "operations", vpc->result.n_ops);
		json_object_object_add(one, "hosts", names_array(vpc));
		if (ctl->dry_run)
			print_ops(ctl, change_of(batch, vpc->result.vni), ops);
		if (ctl->dry_run)
			json_object_object_add(one, "changes", ops);
		else
			json_object_put(ops);
		json_object_array_add(vpcs, one);
	}
	for (size_t i = 0; i < plan->n_hosts; i++)
		json_object_array_add(hosts, json_object_new_string(plan->hosts[i].name));
	json_object_object_add(object, "vpcs", vpcs);
	json_object_object_add(object, "hosts", hosts);
	return object;
}

static void print_results(struct ctl *ctl, struct cdb_batch *batch, const struct ctl_plan *plan)
{
	if (ctl->json) {
		ctl_print(ctl, plan_object(ctl, batch, plan));
		return;
	}
	if (ctl->dry_run) {
		rehearsal_text(ctl, batch, plan);
		return;
	}
	ctl->in_batch = false;
	for (size_t i = 0; i < plan->n_vpcs; i++)
		ctl_print_result(ctl, &plan->vpcs[i].result);
	if (!plan->n_vpcs)
		puts("done, no VPC was changed");
}

static int try(struct ctl *ctl, int (*run)(struct ctl *ctl, void *arg), void *arg, struct ctl_plan *plan)
{
	_cleanup_(cdb_batch_freep) struct cdb_batch *batch = NULL;
	int r;

	ctl->err = (struct vpc_err){};
	r = cdb_batch_begin(ctl->cdb, ctl->author, ctl->summary, &batch, &ctl->err);
	if (r)
		return r;
	ctl->in_batch = true;
	r = run(ctl, arg);
	if (!r)
		r = plan_load(ctl, batch, plan);
	if (!r && !ctl->dry_run)
		r = cdb_batch_commit(batch, &ctl->err);
	ctl->in_batch = false;
	if (!r)
		print_results(ctl, batch, plan);
	return r;
}

int ctl_run_function(struct ctl *ctl, int (*run)(struct ctl *ctl, void *arg), void *arg)
{
	_cleanup_(plan_clear) struct ctl_plan plan = {};
	int r, left = TRIES;

	r = ctl_cdb(ctl);
	if (r)
		return r;
	do {
		plan_clear(&plan);
		r = try(ctl, run, arg, &plan);
	} while (r == -EDEADLK && --left);
	if (r || ctl->dry_run || !ctl->wait)
		return r;
	return ctl_wait_for(ctl, &plan);
}

int ctl_run_alone(struct ctl *ctl, int argc, char **argv)
{
	struct line line = { .words = argv, .n = argc };
	struct lines lines = { .list = &line, .n = 1 };

	ctl->alone = true;
	return ctl_run_function(ctl, run_lines, &lines);
}

/* For the history: how many, and the first of them. */
static void set_summary(struct ctl *ctl, const struct lines *lines)
{
	size_t n = 0, used;

	for (size_t i = 0; i < lines->n; i++)
		n += lines->list[i].n > 0;
	used = snprintf(ctl->summary, sizeof(ctl->summary), "batch of %zu:", n);
	for (size_t i = 0; i < lines->n; i++) {
		for (int j = 0; j < lines->list[i].n && used < sizeof(ctl->summary); j++)
			used += snprintf(ctl->summary + used, sizeof(ctl->summary) - used, " %s%s",
					 lines->list[i].words[j],
					 j + 1 == lines->list[i].n && i + 1 < lines->n ? ";" : "");
	}
}

int ctl_run_batch(struct ctl *ctl, const char *name)
{
	bool standard = !strcmp(name, "-");
	_cleanup_(lines_clear) struct lines lines = { .file = standard ? "standard input" : name };
	FILE *file = standard ? stdin : fopen(name, "re");
	int r;

	if (!file)
		return vpc_err_set(&ctl->err, -errno, "%s: %s", name, strerror(errno));
	r = read_lines(ctl, file, &lines);
	if (!standard)
		fclose(file);
	if (r)
		return r;
	set_summary(ctl, &lines);
	return ctl_run_function(ctl, run_lines, &lines);
}
