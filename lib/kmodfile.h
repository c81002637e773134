/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A module's file as an upgrade must judge it before anything is touched: is it vpc.ko, for this kernel, the very build
 * that runs? Then it is inserted from the open file. Used by `vpcctl kernel swap`.
 */
#ifndef VPC_KMODFILE_H
#define VPC_KMODFILE_H

#include <stdbool.h>
#include <stddef.h>
#include "err.h"

/* @data: the whole file; what follows leads into it. @version, @build_id: NULL: it has none. */
struct kmodfile {
	const char *path;
	int fd;
	char *data;
	size_t len;
	const char *version, *vermagic;
	const void *build_id;
	size_t build_id_len;
};

/* -EINVAL: no module of that name, with the reason; -errno of reading it. @path must outlive @ret. */
int kmodfile_open(const char *path, const char *name, struct kmodfile *ret, struct vpc_err *err);
void kmodfile_close(struct kmodfile *file);
/* The same without a file: takes @data over. For tests. */
int kmodfile_parse(const char *path, const char *name, char *data, size_t len, struct kmodfile *ret,
		   struct vpc_err *err);

/* Whether the running module @name is of this file: by its build id, or where the kernel tells none by its version. */
bool kmodfile_is_running(const struct kmodfile *file, const char *name);
/* The running module's parameters, as the next one takes them: "ingress=N". Into @buf; -E2BIG. */
int kmodfile_params(const char *name, char *buf, size_t size, struct vpc_err *err);
int kmodfile_insert(const struct kmodfile *file, const char *params, struct vpc_err *err);
/* Waits a little for those who are just leaving. -EBUSY: in use. */
int kmodfile_remove(const char *name, struct vpc_err *err);

#endif
