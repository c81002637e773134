// SPDX-License-Identifier: Apache-2.0
/*
 * vpcctl help objects, manual, bash-completion: what the build makes man pages and the completion of. All of it is
 * printed from the table of commands (ctl/commands.c) and the words of its forms, so that there is no second list.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "ctl.h"

/* -- the words of forms -------------------------------------------------------------------------------------------- */

#define WORDS_MAX 48

/* Keywords and literals, each once, and what the values behind keywords are called: "": none, or any of the words. */
struct words {
	struct {
		char text[24], value[24];
	} list[WORDS_MAX];
	size_t n;
	bool file; /* a file's name comes without a keyword */
};

static bool is_word(const char *at)
{
	return islower((unsigned char)*at) || (at[0] == '-' && at[1] == '-');
}

static void add_word(struct words *words, const char *at, size_t len, const char *value, size_t value_len)
{
	size_t i = 0;

	while (i < words->n && (strlen(words->list[i].text) != len || strncmp(words->list[i].text, at, len)))
		i++;
	if (i == WORDS_MAX)
		return;
	if (i == words->n)
		snprintf(words->list[words->n++].text, sizeof(words->list->text), "%.*s", (int)len, at);
	snprintf(words->list[i].value, sizeof(words->list->value), "%.*s", (int)value_len, value);
}

/* "[table ID] via TARGET": table with value ID, via with value TARGET. */
static void read_form(struct words *words, const char *form, size_t len)
{
	static const char between[] = " []{}|.\n";
	const char *end = form + len, *last = NULL;

	for (const char *at = form; at < end;) {
		size_t word = strcspn(at, between);

		if (word > (size_t)(end - at))
			word = end - at;
		if (word && is_word(at))
			add_word(words, at, word, "", 0);
		else if (word && last && isupper((unsigned char)*at))
			add_word(words, last, strcspn(last, between), at, word);
		else if (word >= 4 && !strncmp(at, "FILE", 4))
			words->file = true;
		/* A value belongs to the word right before it. */
		last = word && is_word(at) && at[word] == ' ' && at + word + 1 < end ? at : NULL;
		at += word + 1;
	}
}

/* "TARGET := nexthop ID | local": the notes of an object say what a name in its forms stands for. */
static void read_names(struct words *words, const struct ctl_object *object, const char *args)
{
	const char *line = object->notes;

	for (; line && *line; line += strcspn(line, "\n"), line += *line == '\n') {
		size_t len = strcspn(line, "\n"), name = strcspn(line, " ");
		char text[24];

		if (name >= sizeof(text) || strncmp(line + name, " := ", 4))
			continue;
		snprintf(text, sizeof(text), "%.*s", (int)name, line);
		if (strstr(args, text))
			read_form(words, line + name + 4, len - name - 4);
	}
	/* What stands for words is no value. */
	for (size_t i = 0; i < words->n; i++) {
		char text[32];

		snprintf(text, sizeof(text), "%s := ", words->list[i].value);
		if (*words->list[i].value && object->notes && strstr(object->notes, text))
			*words->list[i].value = '\0';
	}
}

static void read_verb(struct words *words, const struct ctl_object *object, const struct ctl_verb *verb)
{
	*words = (struct words){};
	read_form(words, verb->args, strlen(verb->args));
	read_names(words, object, verb->args);
}

/* -- Bash ---------------------------------------------------------------------------------------------------------- */

static const char bash_head[] =
	"# vpcctl(8)'s completion for Bash, printed by `vpcctl help bash-completion`\n"
	"\n"
	"# Sets words to what may come behind \"OBJECT VERB\" or \"OBJECT\", values to those that a value follows,\n"
	"# files to those that a file's name follows; \"-\": a file's name comes without one.\n"
	"_vpcctl_words() {\n"
	"\tcase $1 in\n";

static const char bash_tail[] =
	"\tesac\n"
	"}\n"
	"\n"
	"_vpcctl() {\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
	"\tlocal given=() i words='' values='' files=''\n"
	"\tCOMPREPLY=()\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tcase \" $_vpcctl_valued \" in *\" ${COMP_WORDS[i]} \"*) ((++i)); continue ;; esac\n"
	"\t\t[[ ${COMP_WORDS[i]} = -* ]] || given+=(\"${COMP_WORDS[i]}\")\n"
	"\tdone\n"
	"\tif [[ ${#given[@]} = 0 && \" $_vpcctl_valued \" = *\" $prev \"* ]]; then\n"
	"\t\tfiles=$_vpcctl_files values=$_vpcctl_valued\n"
	"\telif [[ ${#given[@]} = 0 && $cur = -* ]]; then\n"
	"\t\twords=$_vpcctl_options\n"
	"\telif [[ ${#given[@]} = 0 ]]; then\n"
	"\t\twords=$_vpcctl_objects\n"
	"\telse\n"
	"\t\t_vpcctl_words \"${given[0]}\"\n"
	"\t\t[[ ${#given[@]} = 1 ]] || _vpcctl_words \"${given[0]} ${given[1]}\"\n"
	"\tfi\n"
	"\tcase \" $files \" in *\" $prev \"* | *' - '*) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;; esac\n"
	"\tcase \" $values \" in *\" $prev \"*) return ;; esac\n"
	"\tmapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	"}\n"
	"complete -F _vpcctl vpcctl\n";

static bool is_file(const char *value)
{
	return !strcmp(value, "FILE") || !strcmp(value, "DIR");
}

static void print_words(FILE *to, const char *object, const char *verb, const struct words *words)
{
	const char *space = "";

	fprintf(to, "\t'%s%s%s') words='", object, verb ? " " : "", verb ?: "");
	for (size_t i = 0; i < words->n; i++, space = " ")
		fprintf(to, "%s%s", space, words->list[i].text);
	fputs("' values='", to);
	space = "";
	for (size_t i = 0; i < words->n; i++)
		if (*words->list[i].value) {
			fprintf(to, "%s%s", space, words->list[i].text);
			space = " ";
		}
	fprintf(to, "' files='%s", words->file ? "-" : "");
	for (size_t i = 0; i < words->n; i++)
		if (is_file(words->list[i].value))
			fprintf(to, " %s", words->list[i].text);
	fputs("' ;;\n", to);
}

static void print_object_words(FILE *to, const struct ctl_object *object)
{
	struct words words, verbs = {};

	for (size_t i = 0; i < object->n_verbs; i++) {
		const struct ctl_verb *verb = &object->verbs[i];

		read_verb(&words, object, verb);
		print_words(to, object->name, verb->name, &words);
		if (verb->name)
			add_word(&verbs, verb->name, strlen(verb->name), "", 0);
	}
	if (!verbs.n)
		return;
	add_word(&verbs, "help", 4, "", 0);
	print_words(to, object->name, NULL, &verbs);
}

/* "-b, --batch FILE": all names of the options that @want; NULL: of all. */
static void print_options(FILE *to, const char *variable, bool (*want)(const char *value))
{
	fprintf(to, "%s='", variable);
	for (size_t i = 0; i < ctl_n_options; i++) {
		const char *option = ctl_options[i].option, *value = strrchr(option, ' ');

		/* One that may be left out, [=SECONDS], is no word of its own. */
		value = value && isupper((unsigned char)value[1]) ? value + 1 : "";
		if (want && !want(value))
			continue;
		for (const char *at = option; (at = strchr(at, '-')); at += strcspn(at, ", ["))
			fprintf(to, "%.*s ", (int)strcspn(at, ", ["), at);
	}
	fputs("'\n", to);
}

static bool has_value(const char *value)
{
	return *value;
}

static void print_completion(FILE *to)
{
	fputs(bash_head, to);
	for (size_t i = 0; i < ctl_n_objects; i++)
		print_object_words(to, ctl_objects[i]);
	fputs(bash_tail, to);
	fputs("\n_vpcctl_objects='help", to);
	for (size_t i = 0; i < ctl_n_objects; i++)
		fprintf(to, " %s", ctl_objects[i]->name);
	fputs("'\n", to);
	print_options(to, "_vpcctl_options", NULL);
	print_options(to, "_vpcctl_valued", has_value);
	print_options(to, "_vpcctl_files", is_file);
}

/* -- man ----------------------------------------------------------------------------------------------------------- */

/* @len bytes; what troff would take for its own is escaped. */
static void print_roff(FILE *to, const char *text, size_t len)
{
	bool begin = true;

	for (size_t i = 0; i < len; i++) {
		if (begin && (text[i] == '.' || text[i] == '\''))
			fputs("\\&", to);
		begin = text[i] == '\n';
		if (text[i] == '\\')
			fputs("\\e", to);
		else if (text[i] == '-')
			fputs("\\-", to);
		else
			putc(text[i], to);
	}
}

/* Paragraphs; a line that defines a name stays one. */
static void print_text(FILE *to, const char *text)
{
	for (; text && *text; text += strcspn(text, "\n"), text += *text == '\n') {
		size_t len = strcspn(text, "\n");
		bool definition = len && memmem(text, len, " := ", 4);

		if (!len) {
			fputs(".PP\n", to);
			continue;
		}
		print_roff(to, text, len);
		fputs(definition ? "\n.br\n" : "\n", to);
	}
}

static void print_title(FILE *to, const char *object, const char *about)
{
	fprintf(to, ".\\\" printed by `vpcctl help manual`\n.TH VPCCTL%s", object ? "\\-" : "");
	for (const char *at = object; at && *at; at++)
		putc(toupper((unsigned char)*at), to);
	fprintf(to, " 8 \"\" \"vpc " VPC_VERSION "\" \"VPC routes\"\n.SH NAME\nvpcctl%s%s \\- ", object ? "\\-" : "",
		object ?: "");
	print_roff(to, about, strlen(about));
	fputs("\n.SH SYNOPSIS\n.nf\n", to);
}

static void print_object_page(FILE *to, const struct ctl_object *object)
{
	print_title(to, object->name, object->about);
	for (size_t i = 0; i < object->n_verbs; i++) {
		const struct ctl_verb *verb = &object->verbs[i];

		for (const char *form = verb->args, *end;; form = end + 1) {
			end = strchrnul(form, '\n');
			fprintf(to, "vpcctl %s%s%s%s", object->name, verb->name ? " " : "", verb->name ?: "",
				end > form ? " " : "");
			print_roff(to, form, end - form);
			fputs("\n", to);
			if (!*end)
				break;
		}
	}
	fputs(".fi\n.SH DESCRIPTION\n", to);
	print_text(to, object->notes);
	fputs(".PP\nOptions, and what exit statuses mean, are the same for all objects: see\n.BR vpcctl (8).\n", to);
}

static void print_page(FILE *to)
{
	print_title(to, NULL, "customers' networks as they are to be, and as hosts have them");
	fputs("vpcctl [OPTIONS] OBJECT [VERB] [ARGUMENTS]\nvpcctl [OPTIONS] \\-b FILE\n.fi\n.SH DESCRIPTION\n", to);
	print_text(to, ctl_about);
	fputs(".SH OBJECTS\n", to);
	for (size_t i = 0; i < ctl_n_objects; i++) {
		fprintf(to, ".TP\n.BR vpcctl\\-%s (8)\n", ctl_objects[i]->name);
		print_roff(to, ctl_objects[i]->about, strlen(ctl_objects[i]->about));
		fputs("\n", to);
	}
	fputs(".SH OPTIONS\n", to);
	for (size_t i = 0; i < ctl_n_options; i++) {
		fputs(".TP\n", to);
		print_roff(to, ctl_options[i].option, strlen(ctl_options[i].option));
		fputs("\n", to);
		print_roff(to, ctl_options[i].about, strlen(ctl_options[i].about));
		fputs("\n", to);
	}
	fputs(".SH EXIT STATUS\n", to);
	print_text(to, ctl_statuses);
}

/* -- which --------------------------------------------------------------------------------------------------------- */

static int manual(struct ctl *ctl, const char *name)
{
	if (!name) {
		print_page(stdout);
		return 0;
	}
	for (size_t i = 0; i < ctl_n_objects; i++)
		if (!strcmp(ctl_objects[i]->name, name)) {
			print_object_page(stdout, ctl_objects[i]);
			return 0;
		}
	return ctl_usage(ctl, "unknown object '%s'", name);
}

int ctl_print_help_of(struct ctl *ctl, int argc, char **argv)
{
	if (!strcmp(argv[0], "manual") && argc <= 2)
		return manual(ctl, argv[1]);
	if (!strcmp(argv[0], "bash-completion") && argc == 1) {
		print_completion(stdout);
		return 0;
	}
	if (!strcmp(argv[0], "objects") && argc == 1) {
		for (size_t i = 0; i < ctl_n_objects; i++)
			puts(ctl_objects[i]->name);
		return 0;
	}
	return ctl_usage(ctl, "help '%s': it is `help`, `OBJECT help`, or for the build `help objects`, `help manual "
			      "[OBJECT]`, `help bash-completion`",
			 argv[0]);
}
