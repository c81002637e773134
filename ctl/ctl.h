/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What vpcctl's commands share: the context of one run, dispatch by unambiguous abbreviation, keyword arguments as
 * iproute2 has them, and output as text or JSON. ctl/main.c runs one cmd_<object>() each time.
 *
 * A command returns 0 or -errno with the text in ctl->err. The exit status is 1 when the command line's shape was
 * wrong (ctl_usage()), 2 for everything else that fails.
 */
#ifndef VPC_CTL_H
#define VPC_CTL_H

#include <stdio.h>
#include <json-c/json.h>
#include "../lib/cdb.h"
#include "../lib/cdb_batch.h"
#include "../lib/cdb_doc.h"
#include "../lib/intent.h"
#include "../lib/util.h"

struct ctl {
	bool json, pretty;
	const char *config_path; /* NULL: the default */
	const char *author;
	char summary[512]; /* the command as given; the history keeps its first 255 bytes, no character cut in two */
	struct vpc_config config;
	struct cdb *cdb; /* ctl_cdb() */
	bool dry_run; /* --dry-run */
	bool wait; /* --wait */
	unsigned int wait_s;
	bool alone; /* one command in a batch of its own */
	bool in_batch; /* commands join one change: their own results are not printed */
	bool list_started; /* output of a list: it has an element, a comma comes before the next */
	bool usage; /* the command line's shape was wrong */
	int status; /* the exit status of a failure; 0: EXIT_USAGE or EXIT_REFUSED */
	struct vpc_err err;
};

/* -- commands: one table, from which help, completion and the manual are made (ctl/commands.c) -- */

struct ctl_verb {
	const char *name; /* NULL: the object's only one, which is not named */
	int (*run)(struct ctl *ctl, int argc, char **argv); /* argv[0]: the first word behind the verb */
	const char *args; /* a form a line; words in lower case are keywords, in capitals values */
	bool writes; /* changes CDB: may be part of a batch, rehearsed and waited for */
};

struct ctl_object {
	const char *name;
	const char *about; /* one line */
	const struct ctl_verb *verbs;
	size_t n_verbs;
	const char *notes; /* paragraphs, may be NULL */
	bool nested; /* its verbs are objects with verbs and help of their own */
};

extern const struct ctl_object ctl_vpc, ctl_subnet, ctl_host, ctl_port, ctl_table, ctl_route, ctl_nexthop, ctl_history,
	ctl_diff, ctl_rollback, ctl_export, ctl_import, ctl_trace, ctl_db, ctl_agent, ctl_kernel;

extern const struct ctl_object *const ctl_objects[];
extern const size_t ctl_n_objects;

struct ctl_option {
	const char *option, *about; /* "-b, --batch FILE" */
};
extern const struct ctl_option ctl_options[];
extern const size_t ctl_n_options;
extern const char ctl_about[], ctl_statuses[];

int ctl_object_run(struct ctl *ctl, const struct ctl_object *object, int argc, char **argv);
/* Runs a command given as words, the object first. */
int ctl_run(struct ctl *ctl, int argc, char **argv);
void ctl_print_help(FILE *to);
/* `help` with words behind it: for the build, see ctl/manual.c. */
int ctl_print_help_of(struct ctl *ctl, int argc, char **argv);

/* -- dispatch (ctl/args.c) -- */

/* Index of the name that @word abbreviates without ambiguity; -EINVAL, a usage error. @what: "verb". */
int ctl_match(struct ctl *ctl, const char *what, const char *word, const struct ctl_verb *verbs, size_t n,
	      size_t *ret_index);
/* For what has verbs below its verbs: runs the one named by argv[0]; none: "show". "help" and --help print @help. */
int ctl_dispatch(struct ctl *ctl, const struct ctl_verb *verbs, size_t n, const char *help, int argc, char **argv);
/* A usage error: -EINVAL. */
int ctl_usage(struct ctl *ctl, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* -- arguments (ctl/args.c) -- */

#define CTL_PREFIXES_MAX VPC_PORT_ADDRS_MAX

struct ctl_prefixes {
	struct vpc_prefix list[CTL_PREFIXES_MAX];
	size_t n;
};

enum ctl_type {
	CTL_WORD, /* const char * */
	CTL_U16, /* uint16_t */
	CTL_U32, /* uint32_t */
	CTL_U64, /* uint64_t */
	CTL_ADDR, /* struct vpc_addr */
	CTL_PREFIX, /* struct vpc_prefix */
	CTL_PREFIXES, /* struct ctl_prefixes; may be repeated */
	CTL_MAC, /* uint8_t[6] */
	CTL_ONOFF, /* bool */
	CTL_FLAG, /* bool; the keyword alone */
	CTL_CUSTOM, /* whatever parse() takes */
};

/* One argument. A name in capitals is positional; positional ones come first, in their order. */
struct ctl_arg {
	const char *name;
	enum ctl_type type;
	void *value;
	bool required;
	bool many; /* may be repeated; CTL_PREFIXES always */
	int (*parse)(struct ctl *ctl, int argc, char **argv, void *value, int *ret_used); /* CTL_CUSTOM */
	bool given; /* set by ctl_args() */
};

#define CTL_ARG(name_, type_, value_, ...)                                   \
	{                                                                    \
		.name = name_, .type = type_, .value = value_, ##__VA_ARGS__ \
	}

int ctl_args(struct ctl *ctl, struct ctl_arg *args, size_t n, int argc, char **argv);
bool ctl_given(const struct ctl_arg *args, size_t n, const char *name);

/* -- output (ctl/output.c) -- */

/* Each takes over @object. */
void ctl_print(struct ctl *ctl, struct json_object *object); /* the whole output */
/* JSON only; nothing as text. Nothing is written before the first element or the end, so what is refused before leaves
 * no bracket behind. What fails is not ended: a part is no whole list. */
void ctl_list_begin(struct ctl *ctl);
void ctl_list_add(struct ctl *ctl, struct json_object *object);
void ctl_list_end(struct ctl *ctl);

void ctl_add_string(struct json_object *object, const char *key, const char *value);
void ctl_add_u64(struct json_object *object, const char *key, uint64_t value);
void ctl_add_digest(struct json_object *object, const char *key, const struct vpc_digest *digest);
void ctl_add_addr(struct json_object *object, const char *key, const struct vpc_addr *addr);
void ctl_add_prefix(struct json_object *object, const char *key, const struct vpc_prefix *prefix);
void ctl_add_mac(struct json_object *object, const char *key, const uint8_t mac[6]);
struct json_object *ctl_nexthop_object(const struct vpc_nl_nexthop *nh);
/* {"nexthop":5,"weight":1} */
struct json_object *ctl_member_object(const struct vpc_nl_member *member);
/* What a change of a VPC did: epoch and change id, or that there was nothing to change. */
void ctl_print_result(struct ctl *ctl, const struct cdb_change_result *result);

/* -- CDB (ctl/main.c) -- */

/* Connects ctl->cdb once, with the schema checked. */
int ctl_cdb(struct ctl *ctl);
/* The same without looking at the schema, for `db`. */
int ctl_cdb_connect(struct ctl *ctl);
/* Who changes what, with ctl->cdb open. */
struct intent ctl_intent(const struct ctl *ctl);

/* -- changes as one (ctl/batch.c) -- */

/* One command, because of --dry-run or --wait. */
int ctl_run_alone(struct ctl *ctl, int argc, char **argv);
/* As if the function were a command of its own, in a batch: -EDEADLK runs it again. */
int ctl_run_function(struct ctl *ctl, int (*run)(struct ctl *ctl, void *arg), void *arg);
int ctl_run_batch(struct ctl *ctl, const char *file); /* "-": standard input */

struct zk;

/* What a change comes to, read while its transaction is open. */
struct ctl_plan_vpc {
	char name[64];
	struct cdb_change_result result;
	char (*hosts)[64]; /* that must have it */
	size_t n_hosts;
};
struct ctl_plan_host {
	char name[64]; /* whose ports change */
	uint64_t revision;
};
struct ctl_plan {
	struct ctl_plan_vpc *vpcs;
	size_t n_vpcs;
	struct ctl_plan_host *hosts;
	size_t n_hosts;
};
/* ctl/wait.c: until all live hosts have it. -ETIME, ctl->status 3: who has not is printed. */
int ctl_wait_for(struct ctl *ctl, const struct ctl_plan *plan);
/* Serves ZooKeeper's client once something has come, or is late; returns at @until_us (CLOCK_MONOTONIC), or sooner. */
void ctl_zk_run(struct zk *zk, uint64_t until_us);

/* The epoch of a past that is to be shown: the VPC whole, to pick from. -ENOENT for a VPC that never was. */
int ctl_doc(struct ctl *ctl, const char *vpc, const uint64_t *epoch, struct cdb_doc *ret_doc);
/* What `show ... epoch E` prints of it. @name NULL: all. */
int ctl_show_past(struct ctl *ctl, const char *vpc, uint64_t epoch, enum cdb_item_kind kind, const char *name);
/* The items of one kind in a document, all or one. */
void ctl_print_items(struct ctl *ctl, const struct cdb_doc *doc, enum cdb_item_kind kind, const char *name);
/* A VPC by name, or by the VNI of one that may be gone. */
int ctl_vni(struct ctl *ctl, const char *name, uint32_t *ret_vni);
void ctl_print_item_op(struct ctl *ctl, enum cdb_item_kind kind, const char *name, const char *was, const char *is,
		       struct json_object *ops);
/* "- what was", "+ what is", as diffs have it; with -j an object into @ops. */
void ctl_print_op(struct ctl *ctl, const struct cdb_element *was, const struct cdb_element *is,
		  struct json_object *ops);

#endif
