/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads route files, "prefix nexthop-id" a line, plain or gzip. For lib/intent_import.c; touches no database.
 */
#ifndef VPC_IMPORT_H
#define VPC_IMPORT_H

#include "model.h"

struct vpc_import {
	struct vpc_import_line {
		struct vpc_prefix prefix;
		uint32_t nexthop;
		uint32_t line; /* in the file, from 1 */
	} *lines; /* owned; sorted by prefix, unique */
	size_t n, cap;
};

/* -EINVAL and -EEXIST (a prefix twice) begin with "FILE:LINE: "; -ENOENT... when the file cannot be read. */
int vpc_import_read(const char *file, struct vpc_import *ret_import, struct vpc_err *err);
void vpc_import_clear(struct vpc_import *import);

#endif
