/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several changes as one: between cdb_batch_begin() and the end every change on the connection, of whatever VPC, joins
 * one database transaction. Each VPC gets one epoch, all of them the same change id. Used by vpcctl for batches, and
 * for single commands that are only rehearsed or waited for.
 *
 * A change that joins is written by its commit, so that the next one sees it, and made history by cdb_batch_commit().
 * One that fails spoils the batch: free it, and nothing has happened. -EDEADLK: the server has rolled back; begin
 * again.
 */
#ifndef VPC_CDB_BATCH_H
#define VPC_CDB_BATCH_H

#include "cdb_change.h"

struct cdb_batch;

int cdb_batch_begin(struct cdb *cdb, const char *author, const char *summary, struct cdb_batch **ret_batch,
		    struct vpc_err *err);
/* History, epochs, outbox, COMMIT. -EINVAL: one of its changes has failed. The batch stays readable. */
int cdb_batch_commit(struct cdb_batch *batch, struct vpc_err *err);
/* Rolls back what is not committed. */
void cdb_batch_free(struct cdb_batch *batch);
void cdb_batch_freep(struct cdb_batch **batch);

/* The one that a change has joined. */
struct cdb_batch *cdb_change_batch(const struct cdb_change *change);
bool cdb_in_batch(const struct cdb *cdb);
/* Whether the batch that is open, if one is, has begun to change the VPC. */
bool cdb_batch_has(const struct cdb *cdb, uint32_t vni);
/* The VPCs changed, those without an effect among them, in the order of their first change. */
size_t cdb_batch_count(const struct cdb_batch *batch);
struct cdb_change *cdb_batch_change(const struct cdb_batch *batch, size_t i);

#endif
