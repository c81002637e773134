// SPDX-License-Identifier: Apache-2.0
/*
 * Write beside, sync, rename, sync the folder; see newfile.h.
 */
#include "newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include "util.h"

/* Without a sync of the folder the old file or the new one is there after a power cut. */
static int replace(int dir_fd, const char *name, mode_t mode, bool sync, int (*write)(int fd, void *arg), void *arg)
{
	char temporary[NAME_MAX + 1];
	int fd, res;

	if (snprintf(temporary, sizeof(temporary), "%s" NEWFILE_SUFFIX, name) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	res = write(fd, arg);
	if (!res && (fchmod(fd, mode) < 0 || (sync && fsync(fd) < 0)))
		res = -errno;
	if (close(fd) < 0 && !res)
		res = -errno;
	if (!res && renameat(dir_fd, temporary, dir_fd, name) < 0)
		res = -errno;
	if (res) {
		/* It would keep the room that is wanting. */
		unlinkat(dir_fd, temporary, 0);
		return res;
	}
	return 0;
}

int newfile_write(int dir_fd, const char *name, mode_t mode, int (*write)(int fd, void *arg), void *arg)
{
	int res = replace(dir_fd, name, mode, true, write, arg);

	if (res)
		return res;
	return fsync(dir_fd) < 0 ? -errno : 0;
}

struct printing {
	int (*print)(FILE *to, void *arg);
	void *arg;
};

static int print_to(int fd, void *arg)
{
	const struct printing *printing = arg;
	FILE *to;
	int res, copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return -errno;
	to = fdopen(copy, "w");
	if (!to) {
		res = -errno;
		close(copy);
		return res;
	}
	errno = 0;
	res = printing->print(to, printing->arg);
	/* A write that failed long ago has left no errno. */
	if (fflush(to) || ferror(to))
		res = res ?: errno ? -errno : -EIO;
	if (fclose(to) && !res)
		res = -errno;
	return res;
}

int newfile_print(const char *path, mode_t mode, bool durable, int (*print)(FILE *to, void *arg), void *arg,
		  struct vpc_err *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	_cleanup_free_ char *dir = slash ? strndup(path, slash - path + 1) : strdup(".");
	struct printing printing = { print, arg };
	_cleanup_close_ int dir_fd = -1;
	bool readable = true;
	int res = 0;

	if (!dir)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0 && errno == EACCES) {
		/* Enough for a file in it, and not to sync it. */
		readable = false;
		dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (dir_fd < 0)
		res = -errno;
	else if (!*name)
		res = -EISDIR;
	else if (!durable || !readable)
		res = replace(dir_fd, name, mode, durable, print_to, &printing);
	else
		res = newfile_write(dir_fd, name, mode, print_to, &printing);
	return res ? vpc_err_set(err, res, "%.300s: %s", path, strerror(-res)) : 0;
}
