// SPDX-License-Identifier: Apache-2.0
/*
 * Modules as files; see kmodfile.h. Inserted by file descriptor and not through libkmod: what was judged is what is
 * inserted, and it is in the page cache by then.
 */
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "kmodfile.h"
#include "util.h"

#define FILE_MAX	 (64U << 20)
#define REMOVE_TRIES	 200
#define REMOVE_PAUSE_US	 5000

struct section {
	const char *data;
	size_t len;
};

/* A section by its name; nothing in the file is believed that leads outside of it. */
static bool section_find(const char *data, size_t len, const char *name, struct section *ret)
{
	Elf64_Shdr strings, shdr;
	Elf64_Ehdr ehdr;

	if (len < sizeof(ehdr))
		return false;
	memcpy(&ehdr, data, sizeof(ehdr));
	if (memcmp(ehdr.e_ident, ELFMAG, SELFMAG) || ehdr.e_ident[EI_CLASS] != ELFCLASS64 || ehdr.e_type != ET_REL ||
	    ehdr.e_shentsize != sizeof(shdr) || ehdr.e_shoff > len || ehdr.e_shstrndx >= ehdr.e_shnum ||
	    (len - ehdr.e_shoff) / sizeof(shdr) < ehdr.e_shnum)
		return false;
	memcpy(&strings, data + ehdr.e_shoff + ehdr.e_shstrndx * sizeof(shdr), sizeof(strings));
	if (strings.sh_offset > len || strings.sh_size > len - strings.sh_offset)
		return false;
	for (unsigned int i = 0; i < ehdr.e_shnum; i++) {
		memcpy(&shdr, data + ehdr.e_shoff + i * sizeof(shdr), sizeof(shdr));
		if (shdr.sh_name >= strings.sh_size || strings.sh_size - shdr.sh_name <= strlen(name) ||
		    memcmp(data + strings.sh_offset + shdr.sh_name, name, strlen(name) + 1))
			continue;
		if (shdr.sh_type == SHT_NOBITS || shdr.sh_offset > len || shdr.sh_size > len - shdr.sh_offset)
			return false;
		*ret = (struct section){ data + shdr.sh_offset, shdr.sh_size };
		return true;
	}
	return false;
}

/* "key=value", each with its NUL; NULL: not there. */
static const char *modinfo_get(const struct section *info, const char *key)
{
	const char *pos = info->data, *end = info->data + info->len, *nul;

	for (; pos < end; pos = nul + 1) {
		nul = memchr(pos, 0, end - pos);
		if (!nul)
			return NULL;
		if (!strncmp(pos, key, strlen(key)) && pos[strlen(key)] == '=')
			return pos + strlen(key) + 1;
	}
	return NULL;
}

int kmodfile_parse(const char *path, const char *name, char *data, size_t len, struct kmodfile *ret,
		   struct vpc_err *err)
{
	struct kmodfile file = { .path = path, .fd = -1, .data = data, .len = len };
	struct section info, id;
	const char *is = NULL;

	if (!section_find(data, len, ".modinfo", &info)) {
		vpc_err_set(err, -EINVAL, "%s: not a kernel module (an ELF object, not compressed)", path);
		goto bad;
	}
	is = modinfo_get(&info, "name");
	file.version = modinfo_get(&info, "version");
	file.vermagic = modinfo_get(&info, "vermagic");
	if (!is || strcmp(is, name)) {
		vpc_err_set(err, -EINVAL, "%s: this is module '%.64s', not '%s'", path, is ? is : "?", name);
		goto bad;
	}
	if (!file.vermagic) {
		vpc_err_set(err, -EINVAL, "%s: it does not say which kernel it is for", path);
		goto bad;
	}
	if (section_find(data, len, ".note.gnu.build-id", &id)) {
		file.build_id = id.data;
		file.build_id_len = id.len;
	}
	*ret = file;
	return 0;
bad:
	free(data);
	return -EINVAL;
}

static int read_whole(int fd, size_t len, char **ret)
{
	char *data = malloc(len + 1);
	size_t pos = 0;
	ssize_t n;

	if (!data)
		return -ENOMEM;
	for (; pos < len; pos += n) {
		n = read(fd, data + pos, len - pos);
		if (n <= 0) {
			free(data);
			return n ? -errno : -EIO;
		}
	}
	data[len] = 0;
	*ret = data;
	return 0;
}

int kmodfile_open(const char *path, const char *name, struct kmodfile *ret, struct vpc_err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct kmodfile file;
	char *data = NULL;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return vpc_err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		return vpc_err_set(err, -EINVAL, "%s: not a module's file", path);
	r = read_whole(fd, st.st_size, &data);
	if (r)
		return vpc_err_set(err, r, "%s: %s", path, strerror(-r));
	r = kmodfile_parse(path, name, data, st.st_size, &file, err);
	if (r)
		return r;
	file.fd = fd;
	fd = -1;
	*ret = file;
	return 0;
}

void kmodfile_close(struct kmodfile *file)
{
	if (!file->data)
		return;
	if (file->fd >= 0)
		close(file->fd);
	free(file->data);
	file->data = NULL;
}

/* What sysfs says of a module, at most @size - 1 bytes; -ENOENT: nothing. */
static int sysfs_read(const char *name, const char *leaf, char *buf, size_t size, size_t *ret_len)
{
	char path[256];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/module/%s/%s", name, leaf);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = 0;
	*ret_len = n;
	return 0;
}

bool kmodfile_is_running(const struct kmodfile *file, const char *name)
{
	char buf[256];
	size_t len;

	if (!sysfs_read(name, "notes/.note.gnu.build-id", buf, sizeof(buf), &len))
		return len == file->build_id_len && !memcmp(buf, file->build_id, len);
	if (sysfs_read(name, "version", buf, sizeof(buf), &len) || !file->version)
		return false;
	buf[strcspn(buf, "\n")] = 0;
	return !strcmp(buf, file->version);
}

int kmodfile_params(const char *name, char *buf, size_t size, struct vpc_err *err)
{
	char path[256], leaf[300], value[256];
	struct dirent *entry;
	size_t used = 0, len;
	DIR *dir;

	buf[0] = 0;
	snprintf(path, sizeof(path), "/sys/module/%s/parameters", name);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		snprintf(leaf, sizeof(leaf), "parameters/%s", entry->d_name);
		if (entry->d_name[0] == '.' || sysfs_read(name, leaf, value, sizeof(value), &len))
			continue;
		value[strcspn(value, "\n")] = 0;
		used += snprintf(buf + used, size - used, "%s=%s ", entry->d_name, value);
		if (used >= size)
			break;
	}
	if (dir)
		closedir(dir);
	return used < size ? 0 : vpc_err_set(err, -E2BIG, "module %s has too many parameters", name);
}

int kmodfile_insert(const struct kmodfile *file, const char *params, struct vpc_err *err)
{
	if (syscall(SYS_finit_module, file->fd, params, 0))
		return vpc_err_set(err, -errno, "%s: the kernel does not take it: %s (see dmesg)", file->path,
				   strerror(errno));
	return 0;
}

int kmodfile_remove(const char *name, struct vpc_err *err)
{
	int r = -EBUSY;

	for (int i = 0; i < REMOVE_TRIES; i++) {
		if (!syscall(SYS_delete_module, name, O_NONBLOCK))
			return 0;
		r = -errno;
		if (r != -EAGAIN && r != -EBUSY)
			break;
		usleep(REMOVE_PAUSE_US);
	}
	return vpc_err_set(err, r, "module %s cannot be removed: %s", name, strerror(-r));
}
