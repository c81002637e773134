// SPDX-License-Identifier: Apache-2.0
/*
 * The connection to CDB, and consistent snapshots on it.
 */
#include <errno.h>
#include <string.h>
#include <mysqld_error.h>
#include "cdb_private.h"
#include "cdb_stmt.h"
#include "util.h"

/* Strict types whatever the server's default, its clock in UTC, locks waited for no longer than our own deadline. */
static int session_init(struct cdb *cdb, unsigned int timeout_s, struct vpc_err *err)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
		 "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', "
		 "autocommit = 1, innodb_lock_wait_timeout = %u",
		 timeout_s > 2 ? timeout_s - 1 : 1);
	return cdb_command(cdb, sql, err);
}

static int connect_server(struct cdb *cdb, const struct vpc_config *config, const char *database, struct vpc_err *err)
{
	unsigned int timeout = config->cdb_timeout_s,
		     protocol = config->cdb_socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;

	if (cdb->mysql)
		mysql_close(cdb->mysql);
	cdb->mysql = mysql_init(NULL);
	if (!cdb->mysql)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	mysql_options(cdb->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
	mysql_options(cdb->mysql, MYSQL_OPT_READ_TIMEOUT, &timeout);
	mysql_options(cdb->mysql, MYSQL_OPT_WRITE_TIMEOUT, &timeout);
	mysql_options(cdb->mysql, MYSQL_OPT_PROTOCOL, &protocol);
	mysql_options(cdb->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (!mysql_real_connect(cdb->mysql, config->cdb_socket ? NULL : config->cdb_host, config->cdb_user,
				config->cdb_password, database, config->cdb_port, config->cdb_socket,
				CLIENT_FOUND_ROWS))
		return cdb_error(cdb, err);
	return 0;
}

int cdb_open(const struct vpc_config *config, struct cdb **ret_cdb, struct vpc_err *err)
{
	_cleanup_(cdb_closep) struct cdb *cdb = calloc(1, sizeof(*cdb));
	int r;

	if (!cdb || !(cdb->database = strdup(config->cdb_database)))
		return vpc_err_set(err, -ENOMEM, "out of memory");
	r = connect_server(cdb, config, cdb->database, err);
	cdb->selected = !r;
	/* An absent database is a state that cdb_init() mends and cdb_check_schema() reports. */
	if (r && mysql_errno(cdb->mysql) == ER_BAD_DB_ERROR)
		r = connect_server(cdb, config, NULL, err);
	if (!r)
		r = session_init(cdb, config->cdb_timeout_s, err);
	if (r && config->cdb_socket)
		return vpc_err_prefix(err, r, "%s", config->cdb_socket);
	if (r)
		return vpc_err_prefix(err, r, "%s:%u", config->cdb_host, config->cdb_port);
	*ret_cdb = cdb;
	cdb = NULL;
	return 0;
}

int cdb_reopen(struct cdb *cdb, const struct vpc_config *config, struct vpc_err *err)
{
	int r;

	cdb->in_txn = false;
	r = connect_server(cdb, config, cdb->database, err);
	return r ?: session_init(cdb, config->cdb_timeout_s, err);
}

void cdb_close(struct cdb *cdb)
{
	if (!cdb)
		return;
	if (cdb->mysql)
		mysql_close(cdb->mysql);
	free(cdb->database);
	free(cdb);
}

void cdb_closep(struct cdb **cdb)
{
	cdb_close(*cdb);
}

int cdb_snapshot_begin(struct cdb *cdb, struct vpc_err *err)
{
	int r;

	if (cdb->in_txn)
		return vpc_err_set(err, -EBUSY, "CDB: a transaction is open already");
	/* Another default would let each statement see its own point in time. */
	r = cdb_command(cdb, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", err);
	if (!r)
		r = cdb_command(cdb, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", err);
	if (!r)
		cdb->in_txn = true;
	return r;
}

int cdb_snapshot_end(struct cdb *cdb, struct vpc_err *err)
{
	cdb->in_txn = false;
	return cdb_command(cdb, "COMMIT", err);
}
