// SPDX-License-Identifier: Apache-2.0
/*
 * Schema steps out of proto/schema.sql (compiled in) and accounts. The only place that sends SQL with values in it:
 * DDL and account management cannot be prepared, so what is put in is quoted here.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include "cdb_init.h"
#include "cdb_private.h"
#include "cdb_stmt.h"
#include "util.h"
#include "../proto/znode.h"
#include "schema_sql.h"

#define SCHEMA_LOCK "vpc_schema"

/* One paragraph, comment lines before the statement left out. Blank lines and comments alone give an empty one. */
static const char *paragraph(const char *p, unsigned int *version, char *out, bool *ret_bad)
{
	size_t used = 0;

	while (*p) {
		const char *end = strchrnul(p, '\n');
		size_t len = end - p;
		unsigned int v;

		if (!len) {
			p = *end ? end + 1 : end;
			break;
		}
		if (!used && sscanf(p, "-- version %u", &v) == 1) {
			*ret_bad = v != *version + 1;
			*version = v;
		} else if (used || strncmp(p, "--", 2)) {
			memcpy(out + used, p, len);
			used += len;
			out[used++] = '\n';
		}
		p = *end ? end + 1 : end;
	}
	while (used && strchr("\n; \t", out[used - 1]))
		used--;
	out[used] = '\0';
	return p;
}

int cdb_schema_next(const char **pos, unsigned int *version, char **ret_sql)
{
	_cleanup_free_ char *sql = malloc(strlen(*pos) + 2);
	bool bad = false;

	if (!sql)
		return -ENOMEM;
	while (**pos) {
		*pos = paragraph(*pos, version, sql, &bad);
		if (bad)
			return -EINVAL;
		if (*sql) {
			*ret_sql = sql;
			sql = NULL;
			return 0;
		}
	}
	*ret_sql = NULL;
	return 0;
}

static int schema_known(unsigned int *ret_version)
{
	const char *pos = schema_sql;
	unsigned int version = 0;

	for (;;) {
		_cleanup_free_ char *sql = NULL;
		int r = cdb_schema_next(&pos, &version, &sql);

		if (r)
			return r;
		if (!sql)
			break;
	}
	*ret_version = version;
	return 0;
}

/* 0: nothing there. */
static int schema_found(struct cdb *cdb, unsigned int *ret_version, struct vpc_err *err)
{
	uint32_t there, version;
	int r;

	r = cdb_get(cdb, err,
		    "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() "
		    "AND table_name = 'schema_version'",
		    ">u", &there);
	if (!r && there)
		r = cdb_get(cdb, err, "SELECT COALESCE(MAX(version), 0) FROM schema_version", ">u", &version);
	if (r)
		return r;
	*ret_version = there ? version : 0;
	return 0;
}

int cdb_check_schema(struct cdb *cdb, struct vpc_err *err)
{
	unsigned int found = 0, known;
	int r;

	r = schema_known(&known);
	if (r)
		return vpc_err_set(err, r, "the schema compiled into this program is malformed");
	if (!cdb->selected)
		return vpc_err_set(err, -EPROTONOSUPPORT, "CDB: database '%s' does not exist: run `vpcctl db init`",
				   cdb->database);
	r = schema_found(cdb, &found, err);
	if (r)
		return r;
	if (!found)
		return vpc_err_set(err, -EPROTONOSUPPORT, "CDB: database '%s' has no schema yet: run `vpcctl db init`",
				   cdb->database);
	if (found < known)
		return vpc_err_set(
			err, -EPROTONOSUPPORT,
			"CDB: database '%s' has schema version %u, this program needs %u: run `vpcctl db init`",
			cdb->database, found, known);
	if (found > known)
		return vpc_err_set(
			err, -EPROTONOSUPPORT,
			"CDB: database '%s' has schema version %u, this program knows %u: upgrade this program",
			cdb->database, found, known);
	return 0;
}

/* `name`, for DDL. @buf: 2 * 64 + 3 bytes. */
static int quote_name(const char *name, char *buf, struct vpc_err *err)
{
	char *p = buf;

	if (strlen(name) > 64)
		return vpc_err_set(err, -EINVAL, "CDB: the database's name '%.70s' is longer than 64 characters", name);
	*p++ = '`';
	for (; *name; name++) {
		if (*name == '`')
			*p++ = '`';
		*p++ = *name;
	}
	*p++ = '`';
	*p = '\0';
	return 0;
}

static int create_database(struct cdb *cdb, struct vpc_err *err)
{
	char name[2 * 64 + 3], sql[256];
	int r;

	r = quote_name(cdb->database, name, err);
	if (r)
		return r;
	snprintf(sql, sizeof(sql), "CREATE DATABASE IF NOT EXISTS %s CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", name);
	r = cdb_command(cdb, sql, err);
	if (r)
		return vpc_err_prefix(err, r, "creating database '%s'", cdb->database);
	if (mysql_select_db(cdb->mysql, cdb->database))
		return cdb_error(cdb, err);
	cdb->selected = true;
	return 0;
}

static int step_done(struct cdb *cdb, unsigned int version, struct vpc_err *err)
{
	return cdb_exec(cdb, err, "INSERT INTO schema_version (version) VALUES (?)", "u", version);
}

/* Runs all statements of the steps after @from; a step counts once all of it has run. */
static int run_steps(struct cdb *cdb, unsigned int from, struct vpc_err *err)
{
	const char *pos = schema_sql;
	unsigned int version = 0, step;
	int r;

	for (;;) {
		_cleanup_free_ char *sql = NULL;

		step = version;
		r = cdb_schema_next(&pos, &version, &sql);
		if (r)
			return vpc_err_set(err, r, "the schema compiled into this program is malformed");
		if (step > from && (!sql || version != step)) {
			r = step_done(cdb, step, err);
			if (r)
				return r;
		}
		if (!sql)
			return 0;
		if (version <= from)
			continue;
		r = cdb_command(cdb, sql, err);
		if (r)
			return vpc_err_prefix(err, r, "schema version %u", version);
	}
}

int cdb_init(struct cdb *cdb, unsigned int *ret_from, unsigned int *ret_to, struct vpc_err *err)
{
	unsigned int from = 0, known;
	uint32_t locked;
	int r;

	r = schema_known(&known);
	if (r)
		return vpc_err_set(err, r, "the schema compiled into this program is malformed");
	if (!cdb->selected) {
		r = create_database(cdb, err);
		if (r)
			return r;
	}
	/* Two at once: the second one finds everything done. */
	r = cdb_get(cdb, err, "SELECT COALESCE(GET_LOCK('" SCHEMA_LOCK "', 5), 0)", ">u", &locked);
	if (!r && !locked)
		r = vpc_err_set(err, -EBUSY, "CDB: somebody else is upgrading the schema");
	if (r)
		return r;
	r = schema_found(cdb, &from, err);
	if (!r && from > known)
		r = vpc_err_set(err, -EPROTONOSUPPORT,
				"CDB: schema version %u is newer than this program's (%u): upgrade this program", from,
				known);
	if (!r && from < known)
		r = run_steps(cdb, from, err);
	cdb_get(cdb, NULL, "SELECT COALESCE(RELEASE_LOCK('" SCHEMA_LOCK "'), 0)", ">u", &locked);
	if (r)
		return r;
	*ret_from = from;
	*ret_to = known;
	return 0;
}

struct grant {
	const char *privileges, *tables; /* tables: separated by spaces */
};

#define INTENT_TABLES "vpc vpc_range route_table nexthop nexthop_member route subnet host port port_addr port_standby"

#define HISTORY_TABLES "change_log change_op change_item"

static const struct account {
	const char *name;
	struct grant grants[4];
} accounts[CDB_N_ACCOUNTS] = {
	/* Writes what customers want; the history it can only add to. */
	[CDB_ACCOUNT_WRITER] = { "vpc_writer",
				 { { "SELECT, INSERT, UPDATE, DELETE", INTENT_TABLES },
				   { "SELECT, INSERT", HISTORY_TABLES " outbox" },
				   { "SELECT", "schema_version" } } },
	[CDB_ACCOUNT_PUBLISHER] = { "vpc_publisher",
				    { { "SELECT", INTENT_TABLES " " HISTORY_TABLES " schema_version" },
				      { "SELECT, DELETE", "outbox" } } },
	[CDB_ACCOUNT_AUDITOR] = { "vpc_auditor",
				  { { "SELECT", INTENT_TABLES " " HISTORY_TABLES " schema_version outbox" },
				    { "SELECT, INSERT, UPDATE, DELETE", "reconcile_run reconcile_diff" } } },
};

const char *cdb_account_name(enum cdb_account_kind kind)
{
	return accounts[kind].name;
}

/* Letters and digits only, so that it needs no quoting in configuration files. */
static int random_password(char *ret)
{
	static const char alphabet[] = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
	uint8_t bytes[CDB_PASSWORD_LEN];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		ret[i] = alphabet[bytes[i] % (sizeof(alphabet) - 1)];
	ret[CDB_PASSWORD_LEN] = '\0';
	return 0;
}

static int grant_all(struct cdb *cdb, const struct account *account, const char *name, const char *host,
		     struct vpc_err *err)
{
	char database[2 * 64 + 3], sql[512];
	int r;

	r = quote_name(cdb->database, database, err);
	for (const struct grant *grant = account->grants; !r && grant->privileges; grant++) {
		for (const char *p = grant->tables; !r && *p; p += strspn(p, " ")) {
			int len = strcspn(p, " ");

			snprintf(sql, sizeof(sql), "GRANT %s ON %s.%.*s TO '%s'@'%s'", grant->privileges, database, len,
				 p, name, host);
			r = cdb_command(cdb, sql, err);
			p += len;
		}
	}
	return r;
}

static int set_password(struct cdb *cdb, const char *verb, const char *name, const char *host, const char *password,
			struct vpc_err *err)
{
	char quoted[2 * 128 + 1], sql[512];

	if (strlen(password) > 128)
		return vpc_err_set(err, -EINVAL, "the password of %s is longer than 128 bytes", name);
	mysql_real_escape_string(cdb->mysql, quoted, password, strlen(password));
	snprintf(sql, sizeof(sql), "%s '%s'@'%s' IDENTIFIED BY '%s'", verb, name, host, quoted);
	return cdb_command(cdb, sql, err);
}

static int account_make(struct cdb *cdb, const struct account *account, const char *name, const char *password,
			char *ret_password, struct vpc_err *err)
{
	/* Where anonymous accounts exist, ''@'localhost' would win over '%' on this machine. */
	static const char *const hosts[] = { "%", "localhost" };
	char fresh[CDB_PASSWORD_LEN + 1] = "";
	uint32_t there;
	int r;

	r = cdb_get(cdb, err, "SELECT COUNT(*) FROM mysql.user WHERE user = ? AND host IN ('%', 'localhost')", "s>u",
		    name, &there);
	if (r)
		return vpc_err_prefix(err, r, "account %s", name);
	if (!password && there < ARRAY_SIZE(hosts)) {
		r = random_password(fresh);
		if (r)
			return vpc_err_set(err, r, "no random bytes for a password");
		password = fresh;
	}
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		if (password) {
			r = set_password(cdb, "CREATE USER IF NOT EXISTS", name, hosts[i], password, err);
			if (!r)
				r = set_password(cdb, "ALTER USER", name, hosts[i], password, err);
			if (r)
				return vpc_err_prefix(err, r, "account %s", name);
		}
		r = grant_all(cdb, account, name, hosts[i], err);
		if (r)
			return vpc_err_prefix(err, r, "account %s", name);
	}
	strcpy(ret_password, fresh);
	return 0;
}

int cdb_account_init(struct cdb *cdb, enum cdb_account_kind kind, const char *password, char *ret_password,
		     struct vpc_err *err)
{
	return account_make(cdb, &accounts[kind], accounts[kind].name, password, ret_password, err);
}

int cdb_auditor_init(struct cdb *cdb, const char *host, const char *password, char *ret_password, struct vpc_err *err)
{
	const struct account *account = &accounts[CDB_ACCOUNT_AUDITOR];
	char name[CDB_AUDITOR_MAX];
	bool there;
	int r;

	/* Part of a statement: a name that CDB has needs no quoting. */
	if (!vpc_host_name_valid(host))
		return vpc_err_set(err, -EINVAL, "'%.80s' is no host's name", host);
	r = cdb_host_exists(cdb, host, &there, err);
	if (!r && !there)
		r = vpc_err_set(err, -ENOENT, "there is no host %s", host);
	if (r)
		return r;
	snprintf(name, sizeof(name), "%s:%s", account->name, host);
	return account_make(cdb, account, name, password, ret_password, err);
}
