// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl: what customers and operators want goes into CDB, and this host's kernel is asked. See doc/operations.md.
 *
 * Options, then an object, then a verb: the object's cmd_<object>() does the rest. Exit status 0, 1 usage, 2 refused.
 */
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include "ctl.h"

enum {
	EXIT_USAGE = 1,
	EXIT_REFUSED = 2
};

static const struct ctl_verb objects[] = {
	{ "vpc", cmd_vpc },	{ "subnet", cmd_subnet }, { "host", cmd_host },	      { "port", cmd_port },
	{ "table", cmd_table }, { "route", cmd_route },	  { "nexthop", cmd_nexthop }, { "history", cmd_history },
	{ "db", cmd_db },	{ "kernel", cmd_kernel },
};

static const char help_head[] =
	"Usage: vpcctl [OPTIONS] OBJECT [VERB] [ARGUMENTS]\n"
	"\n"
	"Verbs are add, del, set, show (the default); `vpcctl OBJECT help` tells each object's.\n"
	"Objects and verbs may be abbreviated as long as they stay unambiguous.\n"
	"\n"
	"Objects:";

static const char help_tail[] =
	"\n\n"
	"Options:\n"
	"  -j, --json         output as JSON\n"
	"  -p, --pretty       JSON with line breaks\n"
	"  -c, --config FILE  configuration, " VPC_CONFIG_PATH " by default\n"
	"      --author NAME  who makes the change, for the history; the user by default\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"Exit status: 0 done, 1 wrong usage, 2 refused or failed (one line on standard error says why).\n";

static void print_help(FILE *to)
{
	fputs(help_head, to);
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		fprintf(to, " %s", objects[i].name);
	fputs(help_tail, to);
}

/* Behind sudo the person is still the person. */
static const char *default_author(void)
{
	const char *names[] = { getenv("SUDO_USER"), getenv("USER") };
	const struct passwd *pw;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i] && *names[i])
			return names[i];
	pw = getpwuid(getuid());
	return pw ? pw->pw_name : "unknown";
}

int ctl_cdb_connect(struct ctl *ctl)
{
	int r;

	if (ctl->cdb)
		return 0;
	r = vpc_config_load(ctl->config_path, &ctl->config, &ctl->err);
	return r ?: cdb_open(&ctl->config, &ctl->cdb, &ctl->err);
}

int ctl_cdb(struct ctl *ctl)
{
	bool open = ctl->cdb;
	int r = ctl_cdb_connect(ctl);

	return r || open ? r : cdb_check_schema(ctl->cdb, &ctl->err);
}

struct intent ctl_intent(const struct ctl *ctl)
{
	return (struct intent){ .cdb = ctl->cdb, .author = ctl->author, .summary = ctl->summary };
}

static void set_summary(struct ctl *ctl, int argc, char **argv)
{
	size_t used = 0;

	for (int i = 0; i < argc && used < sizeof(ctl->summary); i++)
		used += snprintf(ctl->summary + used, sizeof(ctl->summary) - used, i ? " %s" : "%s", argv[i]);
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	size_t i;
	int r;

	if (!argc || !strcmp(argv[0], "help")) {
		print_help(argc ? stdout : stderr);
		ctl->usage = !argc;
		return argc ? 0 : -EINVAL;
	}
	r = ctl_match(ctl, "object", argv[0], objects, ARRAY_SIZE(objects), &i);
	if (r)
		return r;
	set_summary(ctl, argc, argv);
	return objects[i].run(ctl, argc - 1, argv + 1);
}

/* Options up to the first word. @ret_done: nothing is left to do. */
static int options(struct ctl *ctl, int argc, char **argv, bool *ret_done)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "pretty", no_argument, NULL, 'p' },
		{ "config", required_argument, NULL, 'c' },
		{ "author", required_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{},
	};
	int option;

	while ((option = getopt_long(argc, argv, "+jpc:hV", longs, NULL)) >= 0) {
		switch (option) {
		case 'j':
			ctl->json = true;
			break;
		case 'p':
			ctl->pretty = true;
			break;
		case 'c':
			ctl->config_path = optarg;
			break;
		case 'a':
			ctl->author = optarg;
			break;
		case 'h':
			print_help(stdout);
			*ret_done = true;
			return 0;
		case 'V':
			puts("vpcctl " VPC_VERSION);
			*ret_done = true;
			return 0;
		default:
			ctl->usage = true;
			return -EINVAL;
		}
	}
	return 0;
}

static int exit_status(struct ctl *ctl, int r)
{
	if (!r && (fflush(stdout) || ferror(stdout)))
		r = vpc_err_set(&ctl->err, -EIO, "writing the output: %s", strerror(errno));
	if (!r)
		return 0;
	if (*ctl->err.text)
		fprintf(stderr, "vpcctl: %s%s\n", ctl->err.text,
			ctl->usage ? "; see `vpcctl help`, `vpcctl OBJECT help`" : "");
	if (ctl->status)
		return ctl->status;
	return ctl->usage ? EXIT_USAGE : EXIT_REFUSED;
}

int main(int argc, char **argv)
{
	struct ctl ctl = { .author = default_author() };
	bool done = false;
	int r;

	r = options(&ctl, argc, argv, &done);
	if (!r && !done)
		r = run(&ctl, argc - optind, argv + optind);
	cdb_close(ctl.cdb);
	vpc_config_clear(&ctl.config);
	return exit_status(&ctl, r);
}
