// SPDX-License-Identifier: Apache-2.0
/*
 * Loads the configuration file (lib/config.h). One table describes every key: where it goes, its type, its bounds and
 * its default, so that defaults and refusals cannot drift apart. inih splits lines; this file counts them, because
 * inih tells a handler neither the line nor that a line was too long.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "util.h"
#include "../proto/znode.h"

/* clang-format off */
enum key_type {
	KEY_STRING,	/* not empty */
	KEY_SECRET,	/* any string, never repeated in a message */
	KEY_SERVERS,	/* host:port,host:port[/chroot] */
	KEY_NAME,	/* a host's name: it becomes part of a znode path */
	KEY_PATH,	/* an absolute path */
	KEY_NUMBER,
	KEY_BOOL,
	KEY_LEVEL,
};

struct config_key {
	const char *section, *name;
	enum key_type type;
	size_t offset;
	unsigned long min, max;		/* KEY_NUMBER */
	const char *value;		/* default; NULL: none */
};

#define KEY(sec, key, kind, member, dflt) \
	{ .section = sec, .name = key, .type = kind, .offset = offsetof(struct vpc_config, member), .value = dflt }
#define KEY_UINT(sec, key, member, lo, hi, dflt) \
	{ .section = sec, .name = key, .type = KEY_NUMBER, .offset = offsetof(struct vpc_config, member), \
	  .min = lo, .max = hi, .value = dflt }

static const struct config_key keys[] = {
	KEY("zookeeper", "hosts", KEY_SERVERS, zk_hosts, "127.0.0.1:2181"),
	KEY_UINT("zookeeper", "session_timeout_ms", zk_session_ms, 100, 600000, "10000"),
	KEY("zookeeper", "credential_file", KEY_PATH, zk_credential_file, NULL),
	KEY("zookeeper", "old_credential_file", KEY_PATH, zk_old_credential_file, NULL),
	KEY("cdb", "host", KEY_STRING, cdb_host, "127.0.0.1"),
	KEY_UINT("cdb", "port", cdb_port, 1, 65535, "3306"),
	KEY("cdb", "socket", KEY_STRING, cdb_socket, NULL),
	KEY("cdb", "user", KEY_STRING, cdb_user, NULL),
	KEY("cdb", "password", KEY_SECRET, cdb_password, NULL),
	KEY("cdb", "database", KEY_STRING, cdb_database, "vpc"),
	KEY_UINT("cdb", "timeout_s", cdb_timeout_s, 1, 3600, "10"),
	KEY("agent", "name", KEY_NAME, host, NULL),
	KEY("agent", "load_module", KEY_BOOL, load_module, "no"),
	KEY_UINT("agent", "status_interval_s", status_interval_s, 1, 86400, "60"),
	KEY_UINT("agent", "metrics_port", metrics_port, 0, 65535, "9469"),
	KEY("agent", "cache", KEY_BOOL, cache, "yes"),
	KEY("agent", "state_dir", KEY_PATH, state_dir, "/var/lib/vpc"),
	KEY("agent", "run_dir", KEY_PATH, run_dir, "/run/vpc"),
	KEY_UINT("publisher", "poll_ms", poll_ms, 1, 60000, "30"),
	KEY_UINT("publisher", "session_timeout_ms", publisher_session_ms, 100, 600000, "4000"),
	KEY_UINT("publisher", "cdb_timeout_s", publisher_cdb_timeout_s, 1, 3600, "6"),
	KEY_UINT("publisher", "sweep_s", sweep_s, 0, 604800, "600"),
	KEY_UINT("publisher", "sweep_per_s", sweep_per_s, 1, 100000, "500"),
	KEY_UINT("publisher", "sweep_kib_per_s", sweep_kib_per_s, 0, 1048576, "1024"),
	KEY_UINT("reconcile", "metrics_port", reconcile_metrics_port, 0, 65535, "0"),
	KEY("log", "level", KEY_LEVEL, log_level, "info"),
};
/* clang-format on */

/* What one run of inih carries along. @err_line 0: nothing refused yet. */
struct config_load {
	FILE *file;
	const char *path;
	unsigned int line, err_line;
	bool commented; /* the line has a comment behind its value */
	bool seen[ARRAY_SIZE(keys)];
	struct vpc_config *config;
	struct vpc_err *err;
};

static bool servers_valid(const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	char *chroot, *save = NULL, *one;
	unsigned int n = 0;

	if (!copy || strchr(text, ' ') || strstr(text, ",,") || *text == ',' ||
	    (*text && text[strlen(text) - 1] == ','))
		return false;
	chroot = strchr(copy, '/');
	if (chroot)
		*chroot = 0;
	for (one = strtok_r(copy, ",", &save); one; one = strtok_r(NULL, ",", &save), n++) {
		char *colon = strrchr(one, ':');
		size_t len = colon ? strspn(colon + 1, "0123456789") : 0;

		if (!colon || colon == one || !len || len > 5 || colon[1 + len] || atoi(colon + 1) < 1 ||
		    atoi(colon + 1) > 65535)
			return false;
	}
	return n;
}

static bool number_read(const struct config_key *key, const char *text, unsigned int *ret)
{
	size_t len = strspn(text, "0123456789");
	unsigned long value;

	if (!len || text[len] || len > 9)
		return false;
	value = strtoul(text, NULL, 10);
	if (value < key->min || value > key->max)
		return false;
	*ret = value;
	return true;
}

static bool bool_read(const char *text, bool *ret)
{
	static const char *const words[][2] = { { "no", "yes" }, { "false", "true" }, { "off", "on" }, { "0", "1" } };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		for (int value = 0; value < 2; value++)
			if (!strcmp(text, words[i][value])) {
				*ret = value;
				return true;
			}
	return false;
}

static int string_replace(char **field, const char *text, struct vpc_err *err)
{
	char *copy = strdup(text);

	if (!copy)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	free(*field);
	*field = copy;
	return 0;
}

/* Stores @text into @key's field, or says what the value should have been. */
static int key_store(const struct config_key *key, const char *text, struct vpc_config *config, struct vpc_err *err)
{
	void *field = (char *)config + key->offset;
	int level;

	switch (key->type) {
	case KEY_STRING:
		if (!*text)
			return vpc_err_set(err, -EINVAL, "the value is empty");
		return string_replace(field, text, err);
	case KEY_SECRET:
		return string_replace(field, text, err);
	case KEY_SERVERS:
		if (!servers_valid(text))
			return vpc_err_set(err, -EINVAL, "'%.80s' is not host:port[,host:port...]", text);
		return string_replace(field, text, err);
	case KEY_NAME:
		if (!vpc_host_name_valid(text))
			return vpc_err_set(err, -EINVAL,
					   "'%.80s' is not a host's name (1 to 63 letters, digits, '.', '_', '-')",
					   text);
		return string_replace(field, text, err);
	case KEY_PATH:
		if (*text != '/')
			return vpc_err_set(err, -EINVAL, "'%.80s' is not an absolute path", text);
		return string_replace(field, text, err);
	case KEY_NUMBER:
		if (!number_read(key, text, field))
			return vpc_err_set(err, -EINVAL, "'%.80s' is not a number from %lu to %lu", text, key->min,
					   key->max);
		return 0;
	case KEY_BOOL:
		if (!bool_read(text, field))
			return vpc_err_set(err, -EINVAL, "'%.80s' is neither yes nor no", text);
		return 0;
	case KEY_LEVEL:
		level = log_level_parse(text);
		if (level < 0)
			return vpc_err_set(err, -EINVAL, "'%.80s' is not a level (err, warning, info, debug)", text);
		*(int *)field = level;
		return 0;
	}
	return -EINVAL;
}

/* -EINVAL with the text when the key is unknown, given twice or has a wrong value. */
static int config_take(struct config_load *load, const char *section, const char *name, const char *value)
{
	if (!*section)
		return vpc_err_set(load->err, -EINVAL, "%.50s: it stands before any [section]", name);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		int r;

		if (strcmp(keys[i].section, section) || strcmp(keys[i].name, name))
			continue;
		if (load->seen[i])
			r = vpc_err_set(load->err, -EINVAL, "given twice");
		else if (keys[i].type == KEY_SECRET && load->commented)
			r = vpc_err_set(load->err, -EINVAL,
					"a blank and ';' begin a comment, which could be the rest of the secret: "
					"neither is possible here");
		else
			r = key_store(&keys[i], value, load->config, load->err);
		load->seen[i] = true;
		return r ? vpc_err_prefix(load->err, r, "[%s] %s", section, name) : 0;
	}
	return vpc_err_set(load->err, -EINVAL, "[%.50s] %.50s: unknown key", section, name);
}

/* inih's convention: 1 good, 0 bad. It goes on after a bad line; the first one is kept. */
static int config_handler(void *user, const char *section, const char *name, const char *value)
{
	struct config_load *load = user;

	if (load->err_line)
		return 0;
	if (!config_take(load, section, name, value))
		return 1;
	load->err_line = load->line;
	return 0;
}

/* inih calls nobody for a section without keys, so headers are looked at while they pass. */
static bool section_known(const char *line)
{
	const char *end = strchr(line, ']');
	size_t len = end ? (size_t)(end - line - 1) : 0;

	for (size_t i = 0; end && i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i].section) == len && !memcmp(keys[i].section, line + 1, len))
			return true;
	return !end;
}

/* As inih sees it. */
static bool has_comment(const char *line)
{
	for (; *line; line++)
		if (isspace((unsigned char)line[0]) && line[1] == ';')
			return true;
	return false;
}

/*
 * inih's reader. Leading blanks go, because inih would take an indented line as more of the value above. An overlong
 * line, which inih would read as two, and a NUL, which would hide the rest, end the file with a message.
 */
static char *config_reader(char *buf, int size, void *stream)
{
	struct config_load *load = stream;
	size_t len = 0;
	int c, nul = 0;

	while ((c = getc(load->file)) != EOF && c != '\n') {
		nul |= !c;
		if ((len || !isspace(c)) && len < (size_t)size)
			buf[len++] = c;
	}
	if (c == EOF && !len)
		return NULL;
	load->line++;
	if (load->err_line)
		return NULL;
	if (nul || len + 1 >= (size_t)size) {
		load->err_line = load->line;
		vpc_err_set(load->err, -EINVAL, nul ? "the line holds a NUL byte" : "the line is too long");
		return NULL;
	}
	buf[len++] = '\n';
	buf[len] = 0;
	load->commented = has_comment(buf);
	if (*buf == '[' && !section_known(buf)) {
		load->err_line = load->line;
		vpc_err_set(load->err, -EINVAL, "%.*s: unknown section (known: zookeeper, cdb, agent, publisher, "
			    "reconcile, log)",
			    (int)strcspn(buf, "]") + 1, buf);
		return NULL;
	}
	return buf;
}

static int config_defaults(struct vpc_config *config, struct vpc_err *err)
{
	char name[64] = "";
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		r = keys[i].value ? key_store(&keys[i], keys[i].value, config, err) : 0;
		if (r)
			return r;
	}
	gethostname(name, sizeof(name) - 1);
	return string_replace(&config->host, *name ? name : "localhost", err);
}

static int config_read(FILE *file, const char *path, struct vpc_config *config, struct vpc_err *err)
{
	struct vpc_err text = { .text = "" };
	struct config_load load = { .file = file, .path = path, .config = config, .err = &text };
	int bad = ini_parse_stream(config_reader, &load, config_handler, &load);

	if (ferror(file))
		return vpc_err_set(err, -EIO, "%s: cannot be read: %s", path, strerror(errno));
	if (bad < 0)
		return vpc_err_set(err, -ENOMEM, "%s: out of memory", path);
	if (bad > 0 && (!load.err_line || (unsigned int)bad < load.err_line))
		return vpc_err_set(err, -EINVAL, "%s:%d: neither '[section]' nor 'key = value'", path, bad);
	if (load.err_line)
		return vpc_err_set(err, -EINVAL, "%s:%u: %s", path, load.err_line, text.text);
	return 0;
}

int vpc_config_load(const char *path, struct vpc_config *ret_config, struct vpc_err *err)
{
	const char *name = path ? path : VPC_CONFIG_PATH;
	_cleanup_fclose_ FILE *file = NULL;
	struct vpc_config config = { 0 };
	int r;

	file = fopen(name, "re");
	if (!file && (path || errno != ENOENT))
		return vpc_err_set(err, -errno, "%s: %s", name, strerror(errno));
	r = config_defaults(&config, err);
	if (!r && file)
		r = config_read(file, name, &config, err);
	if (r) {
		vpc_config_clear(&config);
		return r;
	}
	*ret_config = config;
	return 0;
}

void vpc_config_clear(struct vpc_config *config)
{
	free(config->zk_hosts);
	free(config->zk_credential_file);
	free(config->zk_old_credential_file);
	free(config->cdb_host);
	free(config->cdb_socket);
	free(config->cdb_user);
	free(config->cdb_password);
	free(config->cdb_database);
	free(config->host);
	free(config->run_dir);
	free(config->state_dir);
	*config = (struct vpc_config){ 0 };
}
