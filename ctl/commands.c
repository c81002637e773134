// SPDX-License-Identifier: Apache-2.0
/*
 * The one table of commands: what there is to run, and the text about it. ctl/main.c runs words by it; help, the
 * completion and the manual page are printed from it, so that they say the same.
 */
#include <errno.h>
#include <string.h>
#include "ctl.h"

const struct ctl_object *const ctl_objects[] = {
	&ctl_vpc,     &ctl_subnet, &ctl_host,	  &ctl_port,   &ctl_table,  &ctl_route, &ctl_nexthop, &ctl_diff,
	&ctl_history, &ctl_trace,  &ctl_rollback, &ctl_export, &ctl_import, &ctl_db,	&ctl_agent,   &ctl_kernel,
};
const size_t ctl_n_objects = ARRAY_SIZE(ctl_objects);

const struct ctl_option ctl_options[] = {
	{ "-j, --json", "output as JSON" },
	{ "-p, --pretty", "JSON with line breaks" },
	{ "-b, --batch FILE", "run FILE's commands, one a line, as one change: all or none; - is standard input" },
	{ "-n, --dry-run", "print what the change would do and on how many hosts, and do nothing" },
	{ "-w, --wait[=SECONDS]",
	  "return when all live hosts have the change, 30 seconds by default; else exit status 3" },
	{ "-c, --config FILE", "configuration, " VPC_CONFIG_PATH " by default" },
	{ "--author NAME", "who makes the change, for the history; the user by default" },
	{ "-h, --help", "this text" },
	{ "-V, --version", "the version" },
};
const size_t ctl_n_options = ARRAY_SIZE(ctl_options);

const char ctl_about[] = "Verbs are add, del, set, show (the default); `vpcctl OBJECT help` tells each object's.\n"
			    "Objects and verbs may be abbreviated as long as they stay unambiguous.\n";

const char ctl_statuses[] =
	"Exit status: 0 done, 1 wrong usage, 2 refused or failed (one line on standard error says why), 3 --wait: the\n"
	"change is made, but not all hosts have it yet.\n";

void ctl_print_help(FILE *to)
{
	fprintf(to,
		"Usage: vpcctl [OPTIONS] OBJECT [VERB] [ARGUMENTS]\n       vpcctl [OPTIONS] -b FILE\n\n%s\nObjects:\n",
		ctl_about);
	for (size_t i = 0; i < ctl_n_objects; i++)
		fprintf(to, "  %-10s %s\n", ctl_objects[i]->name, ctl_objects[i]->about);
	fputs("\nOptions:\n", to);
	for (size_t i = 0; i < ctl_n_options; i++)
		fprintf(to, "  %-22s %s\n", ctl_options[i].option, ctl_options[i].about);
	fprintf(to, "\n%s", ctl_statuses);
}

/* As ctl_match(), among objects. */
static int match(struct ctl *ctl, const char *word, const struct ctl_object **ret_object)
{
	const struct ctl_object *found = NULL;
	size_t len = strlen(word);

	for (size_t i = 0; i < ctl_n_objects; i++) {
		if (!strcmp(ctl_objects[i]->name, word)) {
			*ret_object = ctl_objects[i];
			return 0;
		}
		if (!len || strncmp(ctl_objects[i]->name, word, len))
			continue;
		if (found)
			return ctl_usage(ctl, "object '%s' may be '%s' or '%s'", word, found->name,
					 ctl_objects[i]->name);
		found = ctl_objects[i];
	}
	if (!found)
		return ctl_usage(ctl, "unknown object '%s'", word);
	*ret_object = found;
	return 0;
}

int ctl_run(struct ctl *ctl, int argc, char **argv)
{
	const struct ctl_object *object = NULL;
	int r;

	r = match(ctl, argv[0], &object);
	return r ?: ctl_object_run(ctl, object, argc - 1, argv + 1);
}
