/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a long comparison has come, in a file, so that one that was ended goes on: --resume. Made by once.c, filled
 * by audit.c.
 *
 * A VPC is in it when nothing differed: what does is compared again, so that a report never names what is of the past.
 * It counts for as long as the kernel has the VPC at the same epoch with the same digest, and CDB's history that digest
 * at that epoch. The file is tied to the audit (host, CDB, what is compared) and to the module's instance; a checksum
 * covers all of it, and a new one takes its place whole (lib/newfile.h).
 */
#ifndef VPC_RECONCILE_PROGRESS_H
#define VPC_RECONCILE_PROGRESS_H

#include <stdbool.h>
#include "../lib/kernel.h"

#define PROGRESS_MAX_AGE_MS 86400000 /* what was compared before is compared again */

/* A VPC that was compared, wall clock, and found as it should be. */
struct progress_vpc {
	uint32_t vni;
	uint64_t epoch;
	struct vpc_digest digest;
	uint64_t time_ms;
	uint64_t n_probes;
};

struct progress;

/* @audit: one line that says what is compared; both are copied. NULL: out of memory. */
struct progress *progress_new(const char *path, const char *audit);
void progress_free(struct progress *p); /* NULL is fine; the file stays */

/*
 * What a run before has left: -ENOENT, there is none; -EBADMSG, it is not what was written; -EPROTONOSUPPORT, by
 * another version; -EXDEV, of another audit; -EACCES... @err says so, with the file's name and what to do.
 */
int progress_load(struct progress *p, uint64_t now_ms, struct vpc_err *err);

/*
 * To begin anew at a path where something may be: what a run before has left is this one's from here on, to write over
 * and to remove. -EEXIST: it is anything else, and is left alone; -EIO... @err names the file.
 * What may not be read is no error: it is not written over, which progress_write() says.
 */
int progress_claim(struct progress *p, struct vpc_err *err);

/*
 * So many VPCs are to be compared, in ascending order, in tables of this instance. What was loaded and is of another
 * one is forgotten.
 */
void progress_begin(struct progress *p, uint64_t instance, size_t total);
/* What a run before found of @vpc as it is now; NULL: nothing, or it has changed since. */
const struct progress_vpc *progress_find(const struct progress *p, const struct kernel_vpc *vpc);
/* @vpc is done; written at most once a second. That it could not be is told by progress_write(). -ENOMEM. */
int progress_add(struct progress *p, const struct progress_vpc *vpc);

/* Writes it now, what was loaded and is still ahead, too. -errno: the file before stays. */
int progress_write(struct progress *p, struct vpc_err *err);
/* All is done: there is nothing to resume. A file that was neither loaded, claimed nor written stays. */
void progress_remove(struct progress *p);

size_t progress_done(const struct progress *p);
size_t progress_total(const struct progress *p);
/* Why not all of what was loaded counts; "": it does. */
const char *progress_note(const struct progress *p);

#endif
