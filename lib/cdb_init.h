/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creating CDB: schema steps (cdb_init() in cdb.h) and the least-privilege accounts. Used by `vpcctl db init`.
 */
#ifndef VPC_CDB_INIT_H
#define VPC_CDB_INIT_H

#include "cdb.h"

/**
 * cdb_schema_next() - the next statement of a schema text
 * @pos: moved behind it
 * @version: of the step it belongs to; start with 0
 * @ret_sql: malloc()ed, without the semicolon; NULL at the end
 *
 * Statements are separated by blank lines, so that a trigger's body may have semicolons. Return: 0, -ENOMEM, or
 * -EINVAL for a
 * "-- version" line that does not follow the one before.
 */
int cdb_schema_next(const char **pos, unsigned int *version, char **ret_sql);

enum cdb_account_kind {
	CDB_ACCOUNT_WRITER,
	CDB_ACCOUNT_PUBLISHER,
	CDB_ACCOUNT_AUDITOR,
	CDB_N_ACCOUNTS
};
const char *cdb_account_name(enum cdb_account_kind kind); /* "vpc_writer" ... */

#define CDB_PASSWORD_LEN 32

/**
 * cdb_account_init() - create an account, at '%' and at 'localhost', and grant it what it needs and nothing else
 * @password: NULL: a new account gets a random one, one that exists keeps its own
 * @ret_password: CDB_PASSWORD_LEN + 1 bytes: the random password, or "" where none was made
 */
int cdb_account_init(struct cdb *cdb, enum cdb_account_kind kind, const char *password, char *ret_password,
		     struct vpc_err *err);

#define CDB_AUDITOR_MAX 96

/*
 * The same for the auditor's account of one host of CDB, "vpc_auditor:HOST", which may record for that host alone: the
 * schema's triggers see to it. -ENOENT: there is no such host.
 */
int cdb_auditor_init(struct cdb *cdb, const char *host, const char *password, char *ret_password, struct vpc_err *err);

#endif
