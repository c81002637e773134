/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that takes another one's place when it is whole and on the disk, so that nobody ever reads half of it, not
 * even after a power cut. For the agent's cache and what vpc_reconcile writes for others to read.
 */
#ifndef VPC_NEWFILE_H
#define VPC_NEWFILE_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include "err.h"

#define NEWFILE_SUFFIX ".new" /* of its name until then; left behind only by who is killed */

/*
 * Calls @write with the new file open for writing, gives it @mode (whatever the umask), and puts it into the place of
 * @name in the folder @dir_fd. Return: 0 or -errno, of @write too: what was there before is still there, and of the new
 * file nothing is left.
 */
int newfile_write(int dir_fd, const char *name, mode_t mode, int (*write)(int fd, void *arg), void *arg);

/*
 * The same by a path, for text. A @print that could not write need not say so: the stream's error is looked at.
 * !@durable: of what is soon written again; nobody reads half of it, but a power cut may leave nothing. A folder that
 * may be written and not read is not synced.
 */
int newfile_print(const char *path, mode_t mode, bool durable, int (*print)(FILE *to, void *arg), void *arg,
		  struct vpc_err *err);

#endif
