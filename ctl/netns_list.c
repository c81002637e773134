// SPDX-License-Identifier: Apache-2.0
/*
 * See netns_list.h. A namespace that only a mount without a name or a socket keeps alive is not found: its ports are
 * what `vpcctl kernel swap` misses in the module's count of them.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/util.h"
#include "netns_list.h"

struct found {
	struct netns *list;
	size_t n;
};

static inline void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

void netns_list_free(struct netns *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(list[i].fd);
	free(list);
}

/* Takes the namespace at @path in, unless it is there already or gone meanwhile. */
static int add(struct found *found, const char *path, const char *name)
{
	struct netns *list;
	struct stat st;
	int fd;

	if (stat(path, &st) < 0)
		return 0;
	for (size_t i = 0; i < found->n; i++)
		if (found->list[i].ino == st.st_ino)
			return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	list = reallocarray(found->list, found->n + 1, sizeof(*list));
	if (!list) {
		close(fd);
		return -ENOMEM;
	}
	found->list = list;
	list[found->n] = (struct netns){ .ino = st.st_ino, .fd = fd };
	snprintf(list[found->n].path, sizeof(list->path), "/proc/self/fd/%d", fd);
	snprintf(list[found->n++].name, sizeof(list->name), "%s", name);
	return 0;
}

static int add_named(struct found *found)
{
	_cleanup_(closedirp) DIR *dir = opendir("/run/netns");
	char path[512];
	struct dirent *entry;
	int r = 0;

	while (!r && dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/run/netns/%s", entry->d_name);
		r = add(found, path, entry->d_name);
	}
	return r;
}

/* Files that process @pid holds open and that are namespaces. */
static int add_held(struct found *found, const char *pid)
{
	char path[512], target[64], name[64];
	_cleanup_(closedirp) DIR *dir = NULL;
	struct dirent *entry;
	ssize_t n;
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	dir = opendir(path);
	while (!r && dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%.16s/fd/%.16s", pid, entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = 0;
		snprintf(name, sizeof(name), "held by process %.16s", pid);
		if (!strncmp(target, "net:[", 5))
			r = add(found, path, name);
	}
	return r;
}

static int add_processes(struct found *found)
{
	_cleanup_(closedirp) DIR *dir = opendir("/proc");
	char path[512], name[64];
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return -errno;
	while (!r && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/ns/net", entry->d_name);
		snprintf(name, sizeof(name), "of process %.16s", entry->d_name);
		r = add(found, path, name);
		if (!r)
			r = add_held(found, entry->d_name);
	}
	return r;
}

int netns_list(struct netns **ret_list, size_t *ret_n, struct vpc_err *err)
{
	struct found found = { 0 };
	int r = add(&found, "/proc/self/ns/net", "this one");

	if (!r)
		r = add_named(&found);
	if (!r)
		r = add_processes(&found);
	if (r) {
		netns_list_free(found.list, found.n);
		return vpc_err_set(err, r, "network namespaces: %s", strerror(-r));
	}
	*ret_list = found.list;
	*ret_n = found.n;
	return 0;
}
