// SPDX-License-Identifier: Apache-2.0
/*
 * Prepared statements over libmariadb: formats to MYSQL_BIND and back, checked results, bulk execution.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <errmsg.h>
#include <mysqld_error.h>
#include "cdb_stmt.h"
#include "cdb_private.h"
#include "util.h"

#define BIND_MAX 20
#define ER_CHECK_FAILED 4025 /* MariaDB's ER_CONSTRAINT_FAILED; MySQL's is the next one */
#define ER_CHECK_MYSQL 3819

_Static_assert(STMT_INDICATOR_NONE == 0 && STMT_INDICATOR_NULL == 1, "struct cdb_bulk_bin.null is the indicator");

struct cdb_rows {
	MYSQL_STMT *stmt;
	unsigned int n_in, n_out;
	MYSQL_BIND in[BIND_MAX], out[BIND_MAX];
	union {
		uint32_t u32;
		uint64_t u64;
	} values[BIND_MAX];
	unsigned long lengths[BIND_MAX];
	my_bool nulls[BIND_MAX], errors[BIND_MAX];
	char types[BIND_MAX];
	void *outputs[BIND_MAX];
};

static int map_errno(unsigned int code)
{
	switch (code) {
	case ER_DUP_ENTRY:
	case ER_DB_CREATE_EXISTS:
		return -EEXIST;
	case ER_ROW_IS_REFERENCED:
	case ER_ROW_IS_REFERENCED_2:
		return -EBUSY;
	case ER_NO_REFERENCED_ROW:
	case ER_NO_REFERENCED_ROW_2:
	case ER_BAD_DB_ERROR:
		return -ENOENT;
	case ER_NO_SUCH_TABLE: /* must not pass for a missing row */
		return -EPROTO;
	case ER_CHECK_FAILED:
	case ER_CHECK_MYSQL:
	case ER_DATA_TOO_LONG:
	case ER_WARN_DATA_OUT_OF_RANGE:
	case ER_TRUNCATED_WRONG_VALUE_FOR_FIELD:
		return -EINVAL;
	case ER_ACCESS_DENIED_ERROR:
	case ER_DBACCESS_DENIED_ERROR:
	case ER_TABLEACCESS_DENIED_ERROR:
	case ER_COLUMNACCESS_DENIED_ERROR:
	case ER_SPECIFIC_ACCESS_DENIED_ERROR:
		return -EACCES;
	case ER_SIGNAL_EXCEPTION:
		return -EPERM;
	case ER_LOCK_DEADLOCK:
		return -EDEADLK;
	case ER_LOCK_WAIT_TIMEOUT:
		return -EAGAIN;
	case CR_CONNECTION_ERROR:
	case CR_CONN_HOST_ERROR:
	case CR_SERVER_GONE_ERROR:
	case CR_SERVER_LOST: /* of a server that is silent for too long, too */
	case ER_CONNECTION_KILLED:
	case ER_NORMAL_SHUTDOWN:
	case ER_SERVER_SHUTDOWN:
		return -ECONNRESET;
	case CR_OUT_OF_MEMORY:
		return -ENOMEM;
	}
	return -EIO;
}

int cdb_error(struct cdb *cdb, struct vpc_err *err)
{
	return vpc_err_set(err, map_errno(mysql_errno(cdb->mysql)), "CDB: %s", mysql_error(cdb->mysql));
}

int cdb_stmt_error(MYSQL_STMT *stmt, struct vpc_err *err)
{
	return vpc_err_set(err, map_errno(mysql_stmt_errno(stmt)), "CDB: %s", mysql_stmt_error(stmt));
}

int cdb_command(struct cdb *cdb, const char *sql, struct vpc_err *err)
{
	if (mysql_real_query(cdb->mysql, sql, strlen(sql)))
		return cdb_error(cdb, err);
	return 0;
}

char *cdb_sql_repeat(const char *before, const char *item, const char *between, size_t n, const char *after)
{
	char *sql = malloc(strlen(before) + n * (strlen(item) + strlen(between)) + strlen(after) + 1), *end;

	if (!sql)
		return NULL;
	end = stpcpy(sql, before);
	for (size_t i = 0; i < n; i++)
		end = stpcpy(stpcpy(end, i ? between : ""), item);
	strcpy(end, after);
	return sql;
}

static void bind_in(struct cdb_rows *rows, char type, va_list *ap)
{
	unsigned int i = rows->n_in++;
	MYSQL_BIND *bind = &rows->in[i];

	bind->is_unsigned = true;
	switch (type) {
	case 'u':
		rows->values[i].u32 = va_arg(*ap, uint32_t);
		bind->buffer_type = MYSQL_TYPE_LONG;
		bind->buffer = &rows->values[i].u32;
		break;
	case 'U':
		rows->values[i].u64 = va_arg(*ap, uint64_t);
		bind->buffer_type = MYSQL_TYPE_LONGLONG;
		bind->buffer = &rows->values[i].u64;
		break;
	case 's':
		bind->buffer_type = MYSQL_TYPE_STRING;
		bind->buffer = va_arg(*ap, char *);
		bind->buffer_length = bind->buffer ? strlen(bind->buffer) : 0;
		break;
	case 'b':
		bind->buffer_type = MYSQL_TYPE_BLOB;
		bind->buffer = va_arg(*ap, void *);
		bind->buffer_length = va_arg(*ap, size_t);
		break;
	}
	if (!bind->buffer)
		bind->buffer_type = MYSQL_TYPE_NULL;
}

static void bind_out(struct cdb_rows *rows, char type, va_list *ap)
{
	unsigned int i = rows->n_out++;
	MYSQL_BIND *bind = &rows->out[i];

	rows->types[i] = type;
	bind->is_unsigned = true;
	bind->length = &rows->lengths[i];
	bind->is_null = &rows->nulls[i];
	bind->error = &rows->errors[i];
	bind->buffer = va_arg(*ap, void *);
	rows->outputs[i] = bind->buffer;
	switch (type) {
	case 'u':
		bind->buffer_type = MYSQL_TYPE_LONG;
		break;
	case 'U':
		bind->buffer_type = MYSQL_TYPE_LONGLONG;
		break;
	case 's':
		bind->buffer_type = MYSQL_TYPE_STRING;
		bind->buffer_length = va_arg(*ap, size_t) - 1;
		break;
	case 'b':
		bind->buffer_type = MYSQL_TYPE_BLOB;
		bind->buffer = ((struct cdb_bin *)bind->buffer)->bytes;
		bind->buffer_length = sizeof(((struct cdb_bin *)NULL)->bytes);
		break;
	}
}

/* Prepares, binds and executes. */
static int rows_execute(struct cdb *cdb, struct cdb_rows *rows, const char *sql, MYSQL_BIND *in, struct vpc_err *err)
{
	rows->stmt = mysql_stmt_init(cdb->mysql);
	if (!rows->stmt)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	if (mysql_stmt_prepare(rows->stmt, sql, strlen(sql)) || mysql_stmt_bind_param(rows->stmt, in) ||
	    mysql_stmt_execute(rows->stmt))
		return cdb_stmt_error(rows->stmt, err);
	if (rows->n_out && mysql_stmt_bind_result(rows->stmt, rows->out))
		return cdb_stmt_error(rows->stmt, err);
	return 0;
}

/* The rows own the statement from here on. */
static int rows_open(struct cdb *cdb, const char *sql, const char *fmt, va_list *ap, struct cdb_rows **ret_rows,
		     struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = calloc(1, sizeof(*rows));
	const char *p;
	int r;

	if (!rows)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (p = fmt; *p && *p != '>'; p++)
		bind_in(rows, *p, ap);
	if (*p)
		for (p++; *p; p++)
			bind_out(rows, *p, ap);
	r = rows_execute(cdb, rows, sql, rows->in, err);
	if (r)
		return r;
	*ret_rows = rows;
	rows = NULL;
	return 0;
}

/* The client copies what is bound, and reads the parameters when it executes. */
static int rows_open_many(struct cdb *cdb, const char *sql, const uint64_t *params, size_t n, const char *fmt,
			  va_list *ap, struct cdb_rows **ret_rows, struct vpc_err *err)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = calloc(1, sizeof(*rows));
	_cleanup_free_ MYSQL_BIND *in = calloc(n, sizeof(*in));
	int r;

	if (!rows || !in)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		in[i].is_unsigned = true;
		in[i].buffer_type = MYSQL_TYPE_LONGLONG;
		in[i].buffer = (void *)&params[i];
	}
	for (; *fmt; fmt++)
		bind_out(rows, *fmt, ap);
	r = rows_execute(cdb, rows, sql, in, err);
	if (r)
		return r;
	*ret_rows = rows;
	rows = NULL;
	return 0;
}

/* Names the column that does not fit what this program expects of the schema. */
static int column_error(struct cdb_rows *rows, unsigned int i, const char *what, struct vpc_err *err)
{
	MYSQL_RES *meta = mysql_stmt_result_metadata(rows->stmt);
	MYSQL_FIELD *field = meta ? mysql_fetch_field_direct(meta, i) : NULL;
	int r;

	r = vpc_err_set(err, -EPROTO, "CDB: %s.%s %s", field && field->org_table ? field->org_table : "?",
			field ? field->name : "?", what);
	if (meta)
		mysql_free_result(meta);
	return r;
}

int cdb_rows_next(struct cdb_rows *rows, bool *ret_more, struct vpc_err *err)
{
	int r = mysql_stmt_fetch(rows->stmt);

	if (r == MYSQL_NO_DATA) {
		*ret_more = false;
		return 0;
	}
	if (r && r != MYSQL_DATA_TRUNCATED)
		return cdb_stmt_error(rows->stmt, err);
	for (unsigned int i = 0; i < rows->n_out; i++) {
		if (rows->types[i] == 'b') {
			struct cdb_bin *bin = rows->outputs[i];

			bin->null = rows->nulls[i];
			bin->len = rows->nulls[i] ? 0 : rows->lengths[i];
			if (bin->len > sizeof(bin->bytes))
				return column_error(rows, i, "is too long", err);
			continue;
		}
		if (rows->nulls[i])
			return column_error(rows, i, "is NULL", err);
		if (rows->errors[i])
			return column_error(rows, i, rows->types[i] == 's' ? "is too long" : "is out of range", err);
		if (rows->types[i] == 's')
			((char *)rows->outputs[i])[rows->lengths[i]] = '\0';
	}
	*ret_more = true;
	return 0;
}

void cdb_rows_free(struct cdb_rows *rows)
{
	if (!rows)
		return;
	if (rows->stmt)
		mysql_stmt_close(rows->stmt);
	free(rows);
}

void cdb_rows_freep(struct cdb_rows **rows)
{
	cdb_rows_free(*rows);
}

int cdb_exec(struct cdb *cdb, struct vpc_err *err, const char *sql, const char *fmt, ...)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = rows_open(cdb, sql, fmt, &ap, &rows, err);
	va_end(ap);
	if (r)
		return r;
	cdb->affected = mysql_stmt_affected_rows(rows->stmt);
	cdb->insert_id = mysql_stmt_insert_id(rows->stmt);
	return 0;
}

int cdb_exec_many(struct cdb *cdb, struct vpc_err *err, const char *sql, const uint64_t *params, size_t n)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	int r = rows_open_many(cdb, sql, params, n, "", NULL, &rows, err);

	if (!r)
		cdb->affected = mysql_stmt_affected_rows(rows->stmt);
	return r;
}

uint64_t cdb_affected(const struct cdb *cdb)
{
	return cdb->affected;
}

uint64_t cdb_insert_id(const struct cdb *cdb)
{
	return cdb->insert_id;
}

int cdb_get(struct cdb *cdb, struct vpc_err *err, const char *sql, const char *fmt, ...)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	bool more;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = rows_open(cdb, sql, fmt, &ap, &rows, err);
	va_end(ap);
	if (r)
		return r;
	r = cdb_rows_next(rows, &more, err);
	if (r)
		return r;
	return more ? 0 : -ENOENT;
}

int cdb_stream(struct cdb *cdb, struct cdb_rows **ret_rows, struct vpc_err *err, const char *sql, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = rows_open(cdb, sql, fmt, &ap, ret_rows, err);
	va_end(ap);
	return r;
}

int cdb_stream_many(struct cdb *cdb, struct cdb_rows **ret_rows, struct vpc_err *err, const char *sql,
		    const uint64_t *params, size_t n, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = rows_open_many(cdb, sql, params, n, fmt, &ap, ret_rows, err);
	va_end(ap);
	return r;
}

int cdb_query(struct cdb *cdb, struct cdb_rows **ret_rows, struct vpc_err *err, const char *sql, const char *fmt, ...)
{
	_cleanup_(cdb_rows_freep) struct cdb_rows *rows = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = rows_open(cdb, sql, fmt, &ap, &rows, err);
	va_end(ap);
	if (r)
		return r;
	if (mysql_stmt_store_result(rows->stmt))
		return cdb_stmt_error(rows->stmt, err);
	*ret_rows = rows;
	rows = NULL;
	return 0;
}

static void stmt_closep(MYSQL_STMT **stmt)
{
	if (*stmt)
		mysql_stmt_close(*stmt);
}

int cdb_bulk(struct cdb *cdb, const char *sql, const struct cdb_bulk_col *cols, size_t n_cols, const void *rows,
	     size_t row_size, size_t n, struct vpc_err *err)
{
	_cleanup_(stmt_closep) MYSQL_STMT *stmt = mysql_stmt_init(cdb->mysql);
	MYSQL_BIND binds[BIND_MAX] = {};
	unsigned int count = n;

	if (!stmt)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n_cols; i++) {
		char *column = (char *)rows + cols[i].offset;

		binds[i].is_unsigned = true;
		binds[i].buffer = column;
		binds[i].buffer_type = cols[i].type == 'U' ? MYSQL_TYPE_LONGLONG : MYSQL_TYPE_LONG;
		if (cols[i].type == 'b') {
			struct cdb_bulk_bin *bin = (struct cdb_bulk_bin *)column;

			binds[i].buffer_type = MYSQL_TYPE_BLOB;
			binds[i].buffer = bin->bytes;
			binds[i].length = &bin->len;
			binds[i].u.indicator = &bin->null;
		}
	}
	if (mysql_stmt_prepare(stmt, sql, strlen(sql)) || mysql_stmt_attr_set(stmt, STMT_ATTR_ARRAY_SIZE, &count) ||
	    mysql_stmt_attr_set(stmt, STMT_ATTR_ROW_SIZE, &row_size) || mysql_stmt_bind_param(stmt, binds) ||
	    mysql_stmt_execute(stmt))
		return cdb_stmt_error(stmt, err);
	return 0;
}
