/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history of many VPCs in few statements: for the publisher, which would otherwise ask the server three times an
 * epoch. What is wrong with one VPC's rows is that VPC's; only a failed statement fails the call.
 */
#ifndef VPC_CDB_LOG_H
#define VPC_CDB_LOG_H

#include "cdb.h"

/* Epochs of one VPC, both ends included. */
struct cdb_epochs {
	uint32_t vni;
	uint64_t from, to;
};

/* An epoch of the history; @delta has its operations only after cdb_log_ops(). */
struct cdb_logged {
	struct vpc_delta delta;
	uint64_t n_ops;
	bool wanted;	/* the caller's: cdb_log_ops() reads its operations */
	bool bad;	/* they are malformed, or not n_ops: cdb_delta_load() says what is wrong */
};

/* Those epochs that are there, by VPC and epoch. @epochs: ascending VNIs, each once. */
int cdb_log_list(struct cdb *cdb, const struct cdb_epochs *epochs, size_t n, struct cdb_logged **ret_log,
		 size_t *ret_n, struct vpc_err *err);
/* The operations of those that are wanted. */
int cdb_log_ops(struct cdb *cdb, struct cdb_logged *log, size_t n, struct vpc_err *err);
/* How many operations the whole history of each VPC has, no fewer than the VPC has elements. @ret_sums (@n): in the
 * order of @vnis, which ascend. */
int cdb_log_sums(struct cdb *cdb, const uint64_t *vnis, size_t n, uint64_t *ret_sums, struct vpc_err *err);
void cdb_log_free(struct cdb_logged *log, size_t n);

#endif
