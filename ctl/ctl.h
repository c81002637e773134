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

#include <json-c/json.h>
#include "../lib/cdb.h"
#include "../lib/cdb_change.h"
#include "../lib/intent.h"
#include "../lib/util.h"

struct ctl {
	bool json, pretty;
	const char *config_path; /* NULL: the default */
	const char *author;
	char summary[512]; /* the command as given; the history keeps its first 255 bytes, no character cut in two */
	struct vpc_config config;
	struct cdb *cdb; /* ctl_cdb() */
	bool list_started; /* output of a list: it has an element, a comma comes before the next */
	bool usage; /* the command line's shape was wrong */
	int status; /* the exit status of a failure; 0: EXIT_USAGE or EXIT_REFUSED */
	struct vpc_err err;
};

/* -- dispatch (ctl/args.c) -- */

struct ctl_verb {
	const char *name;
	int (*run)(struct ctl *ctl, int argc, char **argv); /* argv[0]: the first word behind the verb */
};

/* Index of the name that @word abbreviates without ambiguity; -EINVAL, a usage error. @what: "object", "verb". */
int ctl_match(struct ctl *ctl, const char *what, const char *word, const struct ctl_verb *verbs, size_t n,
	      size_t *ret_index);
/* Runs the verb named by argv[0]; none: "show". "help" and --help print @help. */
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
/* What a change of a VPC did: epoch and change id, or that there was nothing to change. */
void ctl_print_result(struct ctl *ctl, const struct cdb_change_result *result);

/* -- CDB (ctl/main.c) -- */

/* Connects ctl->cdb once, with the schema checked. */
int ctl_cdb(struct ctl *ctl);
/* The same without looking at the schema, for `db`. */
int ctl_cdb_connect(struct ctl *ctl);
/* Who changes what, with ctl->cdb open. */
struct intent ctl_intent(const struct ctl *ctl);

int cmd_vpc(struct ctl *ctl, int argc, char **argv);
int cmd_subnet(struct ctl *ctl, int argc, char **argv);
int cmd_host(struct ctl *ctl, int argc, char **argv);
int cmd_port(struct ctl *ctl, int argc, char **argv);
int cmd_table(struct ctl *ctl, int argc, char **argv);
int cmd_route(struct ctl *ctl, int argc, char **argv);
int cmd_nexthop(struct ctl *ctl, int argc, char **argv);
int cmd_history(struct ctl *ctl, int argc, char **argv);
int cmd_db(struct ctl *ctl, int argc, char **argv);
int cmd_kernel(struct ctl *ctl, int argc, char **argv);

#endif
