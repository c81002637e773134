// SPDX-License-Identifier: Apache-2.0
/*
 * Several changes as one transaction: see cdb_batch.h. lib/cdb_change.c asks here when a change begins.
 *
 * READ COMMITTED, because a VPC that joins later was perhaps changed after the transaction began; what is read of a VPC
 * stands still under its row's lock.
 */
#include <errno.h>
#include <string.h>
#include "cdb_batch.h"
#include "cdb_change_private.h"
#include "cdb_private.h"
#include "util.h"

void cdb_batch_free(struct cdb_batch *batch)
{
	if (!batch)
		return;
	if (batch->open) {
		cdb_command(batch->cdb, "ROLLBACK", NULL);
		batch->cdb->in_txn = false;
	}
	batch->cdb->batch = NULL;
	for (size_t i = 0; i < batch->n; i++)
		change_free(batch->changes[i]);
	free(batch->changes);
	free(batch->author);
	free(batch->summary);
	free(batch);
}

void cdb_batch_freep(struct cdb_batch **batch)
{
	cdb_batch_free(*batch);
}

int cdb_batch_begin(struct cdb *cdb, const char *author, const char *summary, struct cdb_batch **ret_batch,
		    struct vpc_err *err)
{
	struct cdb_batch *batch;
	int r;

	if (cdb->in_txn)
		return vpc_err_set(err, -EBUSY, "CDB: a transaction is open already");
	batch = calloc(1, sizeof(*batch));
	if (!batch)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	batch->cdb = cdb;
	batch->author = strdup(author);
	batch->summary = strdup(summary);
	r = batch->author && batch->summary ? change_id_make(batch->id, err)
					    : vpc_err_set(err, -ENOMEM, "out of memory");
	if (!r)
		r = cdb_command(cdb, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED", err);
	if (!r)
		r = cdb_command(cdb, "START TRANSACTION READ WRITE", err);
	if (r) {
		cdb_batch_free(batch);
		return r;
	}
	batch->open = cdb->in_txn = true;
	cdb->batch = batch;
	*ret_batch = batch;
	return 0;
}

int batch_add(struct cdb_batch *batch, struct cdb_change *change)
{
	if (change_grow(&batch->changes, batch->n, &batch->cap, sizeof(*batch->changes)))
		return -ENOMEM;
	batch->changes[batch->n++] = change;
	return 0;
}

struct cdb_change *batch_find(const struct cdb_batch *batch, uint32_t vni)
{
	for (size_t i = 0; i < batch->n; i++)
		if (batch->changes[i]->vpc.vni == vni)
			return batch->changes[i];
	return NULL;
}

int cdb_batch_commit(struct cdb_batch *batch, struct vpc_err *err)
{
	int r = 0;

	if (batch->failed)
		return vpc_err_set(err, -EINVAL, "a part of this change has failed");
	for (size_t i = 0; i < batch->n && !r; i++)
		if (change_has_effect(batch->changes[i]))
			r = change_make_history(batch->changes[i], err);
	if (r)
		return r;
	batch->open = batch->cdb->in_txn = false;
	r = cdb_command(batch->cdb, "COMMIT", err);
	if (r == -EIO || r == -ECONNRESET)
		return vpc_err_prefix(err, r, "lost CDB while committing, so look into the history for change %s",
				      batch->id);
	return r;
}

struct cdb_batch *cdb_change_batch(const struct cdb_change *change)
{
	return change->batch;
}

bool cdb_in_batch(const struct cdb *cdb)
{
	return cdb->batch;
}

bool cdb_batch_has(const struct cdb *cdb, uint32_t vni)
{
	return cdb->batch && batch_find(cdb->batch, vni);
}

size_t cdb_batch_count(const struct cdb_batch *batch)
{
	return batch->n;
}

struct cdb_change *cdb_batch_change(const struct cdb_batch *batch, size_t i)
{
	return batch->changes[i];
}
