/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prepared statements in one call each, with printf-like formats instead of arrays of MYSQL_BIND. Used by all of
 * lib/cdb*.c, lib/intent*.c and vpcctl's show commands; nobody else talks to libmariadb.
 *
 * A format has the parameters' types, then '>' and the result columns' types where there are any:
 *
 *   in    u uint32_t    U uint64_t    s const char *       b const void *, size_t   (a NULL pointer is SQL's NULL)
 *   out   u uint32_t *  U uint64_t *  s char *, size_t     b struct cdb_bin *
 *
 * What the server returns must fit: NULL (save into b), a number out of range or a string too long is -EPROTO, naming
 * table and column. Errors of the server are mapped: -EEXIST duplicate key, -EBUSY still referenced, -ENOENT what is
 * referenced is absent, -EPROTO no such table, -EINVAL CHECK failed, -EACCES no right, -EAGAIN lock timeout, -EDEADLK
 * deadlock (the whole transaction was rolled back), -ECONNRESET no connection, or none any more; -EIO any other.
 */
#ifndef VPC_CDB_STMT_H
#define VPC_CDB_STMT_H

#include "cdb.h"

struct cdb_bin {
	uint8_t bytes[64];
	unsigned long len;
	bool null;
};

/* "@before@item@between@item ... @after" with @n items, malloc()ed; NULL: out of memory. For *_many() below. */
char *cdb_sql_repeat(const char *before, const char *item, const char *between, size_t n, const char *after);

/* A statement without result. */
int cdb_exec(struct cdb *cdb, struct vpc_err *err, const char *sql, const char *fmt, ...);
/* The same with any number of parameters, all uint64_t. */
int cdb_exec_many(struct cdb *cdb, struct vpc_err *err, const char *sql, const uint64_t *params, size_t n);
uint64_t cdb_affected(const struct cdb *cdb); /* rows changed by the last cdb_exec() */
uint64_t cdb_insert_id(const struct cdb *cdb); /* AUTO_INCREMENT of the last cdb_exec() */

/* One row. -ENOENT with an untouched @err when there is none; outputs are then undefined. */
int cdb_get(struct cdb *cdb, struct vpc_err *err, const char *sql, const char *fmt, ...);

/* Many rows: each cdb_rows_next() fills the outputs given here. cdb_query() holds all rows in memory, so that other
 * statements can run meanwhile; cdb_stream() does not, and nothing else may run until its rows are freed. */
struct cdb_rows;
int cdb_query(struct cdb *cdb, struct cdb_rows **ret_rows, struct vpc_err *err, const char *sql, const char *fmt, ...);
int cdb_stream(struct cdb *cdb, struct cdb_rows **ret_rows, struct vpc_err *err, const char *sql, const char *fmt, ...);
/* As cdb_stream(), with any number of parameters, all uint64_t; the format is the results' alone, without '>'. */
int cdb_stream_many(struct cdb *cdb, struct cdb_rows **ret_rows, struct vpc_err *err, const char *sql,
		    const uint64_t *params, size_t n, const char *fmt, ...);
int cdb_rows_next(struct cdb_rows *rows, bool *ret_more, struct vpc_err *err);
void cdb_rows_free(struct cdb_rows *rows);
void cdb_rows_freep(struct cdb_rows **rows);

/* A column of cdb_bulk(): its type (u, U, or b with a struct cdb_bulk_bin) and where it is in a row. */
struct cdb_bulk_bin {
	unsigned long len;
	char null; /* 0 or 1: libmariadb reads it as its indicator */
	uint8_t bytes[48];
};
struct cdb_bulk_col {
	char type;
	size_t offset;
};
#define CDB_BULK_ROWS 2000 /* a good number of rows for one call */

/* Runs @sql once for each row, in one message to the server (MariaDB's bulk operations). @n > 0. */
int cdb_bulk(struct cdb *cdb, const char *sql, const struct cdb_bulk_col *cols, size_t n_cols, const void *rows,
	     size_t row_size, size_t n, struct vpc_err *err);

/* Statements that cannot be prepared (DDL, transaction control). */
int cdb_command(struct cdb *cdb, const char *sql, struct vpc_err *err);

#endif
