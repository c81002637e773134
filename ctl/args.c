// SPDX-License-Identifier: Apache-2.0
/*
 * Words of the command line: which verb, which arguments. No I/O but help. Keyword arguments come in any order, each
 * once.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "ctl.h"

int ctl_usage(struct ctl *ctl, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ctl->err.text, sizeof(ctl->err.text), fmt, ap);
	va_end(ap);
	ctl->usage = true;
	return -EINVAL;
}

int ctl_match(struct ctl *ctl, const char *what, const char *word, const struct ctl_verb *verbs, size_t n,
	      size_t *ret_index)
{
	size_t found = n, len = strlen(word);

	for (size_t i = 0; i < n; i++) {
		if (!strcmp(verbs[i].name, word)) {
			*ret_index = i;
			return 0;
		}
		if (!len || strncmp(verbs[i].name, word, len))
			continue;
		if (found < n)
			return ctl_usage(ctl, "%s '%s' may be '%s' or '%s'", what, word, verbs[found].name,
					 verbs[i].name);
		found = i;
	}
	if (found == n)
		return ctl_usage(ctl, "unknown %s '%s'", what, word);
	*ret_index = found;
	return 0;
}

static bool is_help(const char *word)
{
	return !strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h");
}

int ctl_dispatch(struct ctl *ctl, const struct ctl_verb *verbs, size_t n, const char *help, int argc, char **argv)
{
	size_t i;
	int r;

	if (argc && (is_help(argv[0]) || is_help(argv[argc - 1]))) {
		fputs(help, stdout);
		return 0;
	}
	r = ctl_match(ctl, "verb", argc ? argv[0] : "show", verbs, n, &i);
	if (r)
		return r;
	return argc ? verbs[i].run(ctl, argc - 1, argv + 1) : verbs[i].run(ctl, 0, argv);
}

static void print_forms(const char *object, const struct ctl_verb *verb, const char **head)
{
	for (const char *form = verb->args, *end;; form = end + 1) {
		end = strchrnul(form, '\n');
		printf("%s vpcctl %s%s%s%s%.*s\n", *head, object, verb->name ? " " : "", verb->name ?: "",
		       end > form ? " " : "", (int)(end - form), form);
		*head = "      ";
		if (!*end)
			return;
	}
}

static void print_object_help(const struct ctl_object *object)
{
	const char *head = "Usage:";

	for (size_t i = 0; i < object->n_verbs; i++)
		print_forms(object->name, &object->verbs[i], &head);
	if (object->notes)
		printf("\n%s", object->notes);
}

static int check_mode(struct ctl *ctl, const struct ctl_object *object, const struct ctl_verb *verb)
{
	if (verb->writes || (!ctl->in_batch && !ctl->dry_run && !ctl->wait))
		return 0;
	return ctl_usage(ctl, "`%s%s%s` changes nothing in CDB: %s", object->name, verb->name ? " " : "",
			 verb->name ?: "",
			 ctl->in_batch && !ctl->alone ? "a batch has changes alone"
						      : "--dry-run and --wait are for changes");
}

int ctl_object_run(struct ctl *ctl, const struct ctl_object *object, int argc, char **argv)
{
	const struct ctl_verb *verb = object->verbs;
	size_t i;
	int r;

	/* The last word of what is nested is for the verb. */
	if (argc && (is_help(argv[0]) || (is_help(argv[argc - 1]) && !object->nested))) {
		print_object_help(object);
		return 0;
	}
	if (!argc && object->nested)
		return ctl_usage(ctl, "'%s' needs an object of its own", object->name);
	if (verb->name) {
		r = ctl_match(ctl, "verb", argc ? argv[0] : "show", object->verbs, object->n_verbs, &i);
		if (r)
			return r;
		verb = &object->verbs[i];
		argv += !!argc;
		argc -= !!argc;
	}
	r = check_mode(ctl, object, verb);
	return r ?: verb->run(ctl, argc, argv);
}

static int parse_number(struct ctl *ctl, const char *name, const char *word, uint64_t max, uint64_t *ret_value)
{
	char *end;

	if (!isdigit((unsigned char)*word))
		return vpc_err_set(&ctl->err, -EINVAL, "%s '%.64s' is not a number", name, word);
	errno = 0;
	*ret_value = strtoull(word, &end, 0);
	if (*end)
		return vpc_err_set(&ctl->err, -EINVAL, "%s '%.64s' is not a number", name, word);
	if (errno || *ret_value > max)
		return vpc_err_set(&ctl->err, -EINVAL, "%s %.64s is out of range: at most %llu", name, word,
				   (unsigned long long)max);
	return 0;
}

static int parse_prefixes(struct ctl *ctl, const struct ctl_arg *arg, const char *word)
{
	struct ctl_prefixes *prefixes = arg->value;

	if (prefixes->n == CTL_PREFIXES_MAX)
		return vpc_err_set(&ctl->err, -E2BIG, "more than %d times '%s'", CTL_PREFIXES_MAX, arg->name);
	return vpc_prefix_parse(word, &prefixes->list[prefixes->n++], &ctl->err);
}

static int parse_value(struct ctl *ctl, const struct ctl_arg *arg, const char *word)
{
	uint64_t number;
	int r;

	switch (arg->type) {
	case CTL_WORD:
		*(const char **)arg->value = word;
		return 0;
	case CTL_U16:
		r = parse_number(ctl, arg->name, word, UINT16_MAX, &number);
		if (!r)
			*(uint16_t *)arg->value = number;
		return r;
	case CTL_U32:
		r = parse_number(ctl, arg->name, word, UINT32_MAX, &number);
		if (!r)
			*(uint32_t *)arg->value = number;
		return r;
	case CTL_U64:
		return parse_number(ctl, arg->name, word, UINT64_MAX, arg->value);
	case CTL_ADDR:
		return vpc_addr_parse(word, arg->value, &ctl->err);
	case CTL_PREFIX:
		return vpc_prefix_parse(word, arg->value, &ctl->err);
	case CTL_PREFIXES:
		return parse_prefixes(ctl, arg, word);
	case CTL_MAC:
		return vpc_mac_parse(word, arg->value, &ctl->err);
	case CTL_ONOFF:
		if (strcmp(word, "on") && strcmp(word, "off"))
			return vpc_err_set(&ctl->err, -EINVAL, "%s is on or off, not '%.64s'", arg->name, word);
		*(bool *)arg->value = !strcmp(word, "on");
		return 0;
	case CTL_FLAG:
	case CTL_CUSTOM:
		break;
	}
	return -EINVAL;
}

/* Takes what belongs to @arg from @argv, which is behind its keyword. */
static int take(struct ctl *ctl, struct ctl_arg *arg, int argc, char **argv, int *ret_used)
{
	if (arg->given && arg->type != CTL_PREFIXES && !arg->many)
		return ctl_usage(ctl, "'%s' is given twice", arg->name);
	arg->given = true;
	*ret_used = 0;
	if (arg->type == CTL_FLAG) {
		*(bool *)arg->value = true;
		return 0;
	}
	if (!argc)
		return ctl_usage(ctl, "'%s' needs a value", arg->name);
	if (arg->type == CTL_CUSTOM)
		return arg->parse(ctl, argc, argv, arg->value, ret_used);
	*ret_used = 1;
	return parse_value(ctl, arg, argv[0]);
}

static bool is_positional(const struct ctl_arg *arg)
{
	return isupper((unsigned char)*arg->name);
}

static struct ctl_arg *find_keyword(struct ctl_arg *args, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (!is_positional(&args[i]) && !strcmp(args[i].name, word))
			return &args[i];
	return NULL;
}

/* An optional positional one is there when the next word is no keyword. */
static int take_positional(struct ctl *ctl, struct ctl_arg *args, size_t n, int argc, char **argv, int *ret_used)
{
	int pos = 0, used, r;

	for (size_t i = 0; i < n; i++) {
		if (!is_positional(&args[i]) || pos == argc || (!args[i].required && find_keyword(args, n, argv[pos])))
			continue;
		r = take(ctl, &args[i], argc - pos, argv + pos, &used);
		if (r)
			return r;
		pos += used;
	}
	*ret_used = pos;
	return 0;
}

int ctl_args(struct ctl *ctl, struct ctl_arg *args, size_t n, int argc, char **argv)
{
	struct ctl_arg *arg;
	int pos = 0, used, r;

	r = take_positional(ctl, args, n, argc, argv, &pos);
	while (!r && pos < argc) {
		arg = find_keyword(args, n, argv[pos]);
		if (!arg)
			return ctl_usage(ctl, "unknown argument '%s'", argv[pos]);
		pos++;
		r = take(ctl, arg, argc - pos, argv + pos, &used);
		if (!r)
			pos += used;
	}
	for (size_t i = 0; i < n && !r; i++)
		if (args[i].required && !args[i].given)
			r = ctl_usage(ctl, "'%s' is missing", args[i].name);
	return r;
}

bool ctl_given(const struct ctl_arg *args, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(args[i].name, name))
			return args[i].given;
	return false;
}
