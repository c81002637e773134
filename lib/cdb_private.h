/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of struct cdb, for lib/cdb*.c only.
 */
#ifndef VPC_CDB_PRIVATE_H
#define VPC_CDB_PRIVATE_H

#include <mysql.h>
#include "cdb.h"
#include "cdb_stmt.h"

struct cdb {
	MYSQL *mysql;
	char *database;
	bool selected; /* the database exists and is the connection's default */
	bool in_txn; /* a snapshot, a change or a batch */
	struct cdb_batch *batch; /* that changes join */
	uint64_t affected, insert_id;
};

/* The server's last error as -errno, with its text in @err. */
int cdb_error(struct cdb *cdb, struct vpc_err *err);
int cdb_stmt_error(MYSQL_STMT *stmt, struct vpc_err *err);

/* One row of change_op into the delta of its epoch; -EPROTO, naming it, when it is malformed. */
int cdb_op_add(struct vpc_delta *delta, uint64_t epoch, uint32_t seq, const struct cdb_bin *was,
	       const struct cdb_bin *is_now, struct vpc_err *err);

/* As cdb_state_advance(), of a state that has only elements before @bound (NULL: all). */
struct cdb_element;
int cdb_state_advance_before(struct cdb *cdb, struct vpc_state *state, uint64_t epoch, const struct cdb_element *bound,
			     struct vpc_err *err);

#endif
