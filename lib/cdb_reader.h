/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A large VPC out of CDB politely: piece by piece by the primary key, with a pause while the server is busy, and on
 * with what has been read when the connection was lost. For vpc_reconcile, whose hosts are many.
 *
 * Pieces that follow each other share a snapshot. A pause and a lost connection end it; in the next one what was read
 * is brought to the new epoch by CDB's history first, so that all of it is of one epoch at any time, and in the end it
 * is turned to the epoch that was asked for.
 *
 * Where the reader is told what the VPC should be like (the kernel's tables), the server adds up checksums of a few
 * thousand routes each, and only the rows of those come over that differ. Checksums of 32 bits decide nothing: the
 * caller compares the digest of the result with CDB's, and reads everything when it is another one.
 */
#ifndef VPC_CDB_READER_H
#define VPC_CDB_READER_H

#include "cdb.h"

struct cdb_reader;

/*
 * @max_load: above so many running threads of the server (Threads_running) it waits, for @max_wait_ms in all; 0: never.
 * @part: it does not wait at all, and ends with -EBUSY behind a piece when the server is busy. @rows: of a piece; 0:
 * the usual. @go_on: asked before each piece and while it waits; NULL: it does.
 */
struct cdb_manners {
	unsigned int max_load;
	unsigned int max_wait_ms;
	bool part;
	size_t rows;
	bool (*go_on)(void *arg);
	void *arg;
};

/* What it has done so far. */
struct cdb_reader_counts {
	size_t pieces; /* that came over as rows, whole */
	size_t rows; /* of routes that came over */
	size_t sums; /* checksums asked for */
	size_t loads; /* the server was asked for its load, five times a second at most */
	size_t snapshots; /* one, and one more for each pause and each lost connection */
	uint64_t waited_ms;
};

/* Of VPC @vni at @epoch; @like: what it should be like, which is copied, or NULL. NULL: out of memory. */
struct cdb_reader *cdb_reader_new(uint32_t vni, uint64_t epoch, const struct vpc_state *like);
void cdb_reader_free(struct cdb_reader *reader);

/*
 * Reads until it has all of it; no transaction is open on @cdb before and after. An error may be followed by another
 * call, with another connection where this one was lost, which goes on where it was: -EBUSY: the server was busy for
 * too long; -ECANCELED: @go_on said so; -ERANGE: CDB is before the epoch, or its history does not reach there; -ENOENT.
 */
int cdb_reader_run(struct cdb_reader *reader, struct cdb *cdb, const struct cdb_manners *manners, struct vpc_err *err);
/* Waits alone, as cdb_reader_run() would; outside of any transaction. -EBUSY, -ECANCELED as there. */
int cdb_reader_wait(struct cdb_reader *reader, struct cdb *cdb, const struct cdb_manners *manners, struct vpc_err *err);
/* What was read, once, after a run that returned 0. */
void cdb_reader_take(struct cdb_reader *reader, struct vpc_state *ret_state);
struct cdb_reader_counts cdb_reader_counts(const struct cdb_reader *reader);

#endif
