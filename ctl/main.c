// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl: what customers and operators want goes into CDB, and this host's kernel is asked. See doc/operations.md.
 *
 * Options, then an object, then a verb: ctl/commands.c knows them. Exit status 0, 1 usage, 2 refused, 3 still waiting.
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

#define WAIT_MAX_S 86400

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

static int run(struct ctl *ctl, const char *batch, int argc, char **argv)
{
	if (batch && argc)
		return ctl_usage(ctl, "-b has the commands in its file, '%s' is one too many", argv[0]);
	if (batch)
		return ctl_run_batch(ctl, batch);
	if (argc > 1 && !strcmp(argv[0], "help"))
		return ctl_print_help_of(ctl, argc - 1, argv + 1);
	if (!argc || !strcmp(argv[0], "help")) {
		ctl_print_help(argc ? stdout : stderr);
		ctl->usage = !argc;
		return argc ? 0 : -EINVAL;
	}
	set_summary(ctl, argc, argv);
	return ctl->dry_run || ctl->wait ? ctl_run_alone(ctl, argc, argv) : ctl_run(ctl, argc, argv);
}

static int parse_wait(struct ctl *ctl, const char *seconds)
{
	char *end;

	ctl->wait = true;
	if (!seconds)
		return 0;
	errno = 0;
	ctl->wait_s = strtoul(seconds, &end, 10);
	if (errno || end == seconds || *end || *seconds == '-' || ctl->wait_s > WAIT_MAX_S)
		return ctl_usage(ctl, "--wait=%s: give seconds, 0..%d", seconds, WAIT_MAX_S);
	return 0;
}

/* Options up to the first word. @ret_done: nothing is left to do. */
static int options(struct ctl *ctl, int argc, char **argv, const char **ret_batch, bool *ret_done)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },	    { "pretty", no_argument, NULL, 'p' },
		{ "config", required_argument, NULL, 'c' }, { "batch", required_argument, NULL, 'b' },
		{ "dry-run", no_argument, NULL, 'n' },	    { "wait", optional_argument, NULL, 'w' },
		{ "author", required_argument, NULL, 'a' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },	    {},
	};
	int option;

	while ((option = getopt_long(argc, argv, "+jpb:nw::c:hV", longs, NULL)) >= 0) {
		switch (option) {
		case 'j':
			ctl->json = true;
			break;
		case 'p':
			ctl->pretty = true;
			break;
		case 'b':
			*ret_batch = optarg;
			break;
		case 'n':
			ctl->dry_run = true;
			break;
		case 'w':
			if (parse_wait(ctl, optarg))
				return -EINVAL;
			break;
		case 'c':
			ctl->config_path = optarg;
			break;
		case 'a':
			ctl->author = optarg;
			break;
		case 'h':
			ctl_print_help(stdout);
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
	struct ctl ctl = { .author = default_author(), .wait_s = 30 };
	const char *batch = NULL;
	bool done = false;
	int r;

	r = options(&ctl, argc, argv, &batch, &done);
	if (!r && !done)
		r = run(&ctl, batch, argc - optind, argv + optind);
	cdb_close(ctl.cdb);
	vpc_config_clear(&ctl.config);
	return exit_status(&ctl, r);
}
