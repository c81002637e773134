// SPDX-License-Identifier: Apache-2.0
/*
 * The file: lines of text, the last of which is the checksum (BLAKE2b, 256 bits) of all before it; see progress.h.
 *
 *   vpc_reconcile progress 1
 *   audit WHAT IS COMPARED
 *   module INSTANCE
 *   vpc VNI EPOCH DIGEST TIME_MS PROBES             ascending
 *   sum HEX
 */
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "../lib/digest.h"
#include "../lib/newfile.h"
#include "../lib/util.h"

#define MAGIC	   "vpc_reconcile progress "
#define VERSION	   "1\n"
#define AUDIT	   "audit "
#define SUM	   "sum "
#define SUM_BYTES  32
#define SUM_LEN	   (sizeof(SUM) - 1 + 2 * SUM_BYTES + 1)
#define FILE_MAX   (256 << 20)
#define WRITE_US   1000000

struct list {
	struct progress_vpc *vpcs; /* ascending */
	size_t n, cap;
};

struct progress {
	char *path, *audit;
	uint64_t instance, loaded_instance;
	struct list loaded, done;
	size_t total;
	bool ours; /* the file */
	bool unreadable; /* the file, of which nobody knows what it is */
	uint64_t written_us;
	char note[160];
};

struct progress *progress_new(const char *path, const char *audit)
{
	struct progress *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->path = strdup(path);
	p->audit = strdup(audit);
	if (!p->path || !p->audit) {
		progress_free(p);
		return NULL;
	}
	/* It is a line. */
	for (char *c = p->audit; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = '?';
	p->written_us = now_monotonic_us();
	return p;
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	free(p->path);
	free(p->audit);
	free(p->loaded.vpcs);
	free(p->done.vpcs);
	free(p);
}

static int list_add(struct list *list, const struct progress_vpc *vpc)
{
	struct progress_vpc *more;
	size_t cap;

	if (list->n == list->cap) {
		cap = list->cap ? 2 * list->cap : 64;
		more = reallocarray(list->vpcs, cap, sizeof(*more));
		if (!more)
			return -ENOMEM;
		list->vpcs = more;
		list->cap = cap;
	}
	list->vpcs[list->n++] = *vpc;
	return 0;
}

static void sum_of(const char *text, size_t len, char *ret_line)
{
	unsigned char sum[SUM_BYTES];
	char hex[2 * SUM_BYTES + 1];

	crypto_generichash(sum, sizeof(sum), (const unsigned char *)text, len, NULL, 0);
	sodium_bin2hex(hex, sizeof(hex), sum, sizeof(sum));
	snprintf(ret_line, SUM_LEN + 1, SUM "%s\n", hex);
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

static int read_file(const char *path, char **ret_text, size_t *ret_len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	struct stat st;
	ssize_t n = 1;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX)
		return -EBADMSG;
	text = malloc(st.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (len < (size_t)st.st_size && n) {
		n = read(fd, text + len, st.st_size - len);
		if (n < 0 && errno != EINTR)
			return -errno;
		len += n > 0 ? n : 0;
	}
	text[len] = '\0';
	*ret_text = text;
	*ret_len = len;
	text = NULL;
	return 0;
}

/* @line: behind "vpc ". */
static int vpc_parse(const char *line, size_t len, struct progress_vpc *ret_vpc)
{
	struct progress_vpc vpc = { 0 };
	char digest[VPC_DIGEST_STRLEN], again[256], copy[256];

	if (len >= sizeof(copy))
		return -EBADMSG;
	memcpy(copy, line, len);
	copy[len] = '\0';
	if (sscanf(copy, "vpc %" SCNu32 " %" SCNu64 " %32s %" SCNu64 " %" SCNu64, &vpc.vni, &vpc.epoch, digest,
		   &vpc.time_ms, &vpc.n_probes) != 5 ||
	    vpc_digest_parse(digest, &vpc.digest))
		return -EBADMSG;
	snprintf(again, sizeof(again), "vpc %u %" PRIu64 " %s %" PRIu64 " %" PRIu64, vpc.vni, vpc.epoch, digest,
		 vpc.time_ms, vpc.n_probes);
	if (strcmp(copy, again))
		return -EBADMSG;
	*ret_vpc = vpc;
	return 0;
}

/* The next line, without its end, and @at behind it. NULL: there is none. */
static const char *next_line(const char **at, size_t *ret_len)
{
	const char *line = *at, *end = strchr(line, '\n');

	if (!end)
		return NULL;
	*ret_len = end - line;
	*at = end + 1;
	return line;
}

/* @text: up to the checksum, which was right. @ret_old: how many were too old. */
static int parse(struct progress *p, const char *text, uint64_t now_ms, struct list *list, size_t *ret_old)
{
	const char *at = text + sizeof(MAGIC) - 1 + sizeof(VERSION) - 1, *line;
	struct progress_vpc vpc;
	uint32_t last = 0;
	size_t len;
	int ret;

	line = next_line(&at, &len);
	if (!line || strncmp(line, AUDIT, sizeof(AUDIT) - 1))
		return -EBADMSG;
	line += sizeof(AUDIT) - 1;
	len -= sizeof(AUDIT) - 1;
	if (len != strlen(p->audit) || memcmp(line, p->audit, len))
		return -EXDEV;
	line = next_line(&at, &len);
	if (!line || sscanf(line, "module %" SCNu64 "\n", &p->loaded_instance) != 1)
		return -EBADMSG;
	while ((line = next_line(&at, &len))) {
		ret = vpc_parse(line, len, &vpc);
		if (ret || vpc.vni <= last)
			return -EBADMSG;
		last = vpc.vni;
		if (vpc.time_ms > now_ms || now_ms - vpc.time_ms > PROGRESS_MAX_AGE_MS)
			(*ret_old)++;
		else if (list_add(list, &vpc))
			return -ENOMEM;
	}
	return *at ? -EBADMSG : 0;
}

static int check_and_parse(struct progress *p, char *text, size_t len, uint64_t now_ms, struct list *list,
			   size_t *ret_old)
{
	char sum[SUM_LEN + 1];

	if (strlen(text) != len || strncmp(text, MAGIC, sizeof(MAGIC) - 1))
		return -EBADMSG;
	if (strncmp(text + sizeof(MAGIC) - 1, VERSION, sizeof(VERSION) - 1))
		return strchr(text, '\n') ? -EPROTONOSUPPORT : -EBADMSG;
	if (len < SUM_LEN)
		return -EBADMSG;
	sum_of(text, len - SUM_LEN, sum);
	if (strcmp(text + len - SUM_LEN, sum))
		return -EBADMSG;
	text[len - SUM_LEN] = '\0';
	return parse(p, text, now_ms, list, ret_old);
}

int progress_load(struct progress *p, uint64_t now_ms, struct vpc_err *err)
{
	_cleanup_free_ char *text = NULL;
	struct list list = { 0 };
	size_t len = 0, old = 0;
	char *other;
	int ret = read_file(p->path, &text, &len);

	if (!ret)
		ret = check_and_parse(p, text, len, now_ms, &list, &old);
	if (!ret) {
		p->loaded = list;
		p->ours = true;
		if (old)
			snprintf(p->note, sizeof(p->note), "%zu VPCs were compared more than a day ago, and are again",
				 old);
		return 0;
	}
	free(list.vpcs);
	switch (ret) {
	case -EBADMSG:
		return vpc_err_set(err, ret,
				   "%.300s: damaged, or no progress of vpc_reconcile: begin anew without --resume",
				   p->path);
	case -EPROTONOSUPPORT:
		return vpc_err_set(err, ret, "%.300s: by another version of vpc_reconcile: begin anew without --resume",
				   p->path);
	case -EXDEV:
		other = text + sizeof(MAGIC) + sizeof(VERSION) + sizeof(AUDIT) - 3;
		*strchrnul(other, '\n') = '\0';
		return vpc_err_set(err, ret,
				   "%.100s: of another audit (%.150s), this one is (%.150s): give the same options, or "
				   "begin anew without --resume",
				   p->path, other, p->audit);
	}
	return vpc_err_set(err, ret, "%.300s: %s", p->path, strerror(-ret));
}

int progress_claim(struct progress *p, struct vpc_err *err)
{
	_cleanup_close_ int fd = open(p->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char magic[sizeof(MAGIC) - 1];
	struct stat st;

	/* One that may not be read costs no audit; nor does the audit cost that file. */
	p->unreadable = fd < 0 && errno == EACCES;
	if (p->unreadable)
		return 0;
	/* Where there is no file, or no folder, there is nothing to lose. */
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return vpc_err_set(err, -errno, "%.300s: %s", p->path, strerror(errno));
	if (!S_ISREG(st.st_mode) || read(fd, magic, sizeof(magic)) != sizeof(magic) ||
	    memcmp(magic, MAGIC, sizeof(magic)))
		return vpc_err_set(err, -EEXIST, "%.300s: is there, and no progress of vpc_reconcile: left alone",
				   p->path);
	p->ours = true;
	return 0;
}

/* -- the audit's --------------------------------------------------------------------------------------------------- */

void progress_begin(struct progress *p, uint64_t instance, size_t total)
{
	p->instance = instance;
	p->total = total;
	p->done.n = 0;
	if (!p->loaded.n || p->loaded_instance == instance)
		return;
	p->loaded.n = 0;
	snprintf(p->note, sizeof(p->note), "vpc.ko was loaded anew since: everything is compared again");
}

static int vni_cmp(const void *a, const void *b)
{
	uint32_t x = ((const struct progress_vpc *)a)->vni, y = ((const struct progress_vpc *)b)->vni;

	return x < y ? -1 : x > y;
}

const struct progress_vpc *progress_find(const struct progress *p, const struct kernel_vpc *vpc)
{
	const struct progress_vpc key = { .vni = vpc->vni }, *found = NULL;

	if (p->loaded.n)
		found = bsearch(&key, p->loaded.vpcs, p->loaded.n, sizeof(key), vni_cmp);
	return found && found->epoch == vpc->epoch && vpc_digest_equal(&found->digest, &vpc->digest) ? found : NULL;
}

int progress_add(struct progress *p, const struct progress_vpc *vpc)
{
	int ret = list_add(&p->done, vpc);

	if (!ret && now_monotonic_us() - p->written_us >= WRITE_US)
		progress_write(p, &(struct vpc_err){ "" });
	return ret;
}

static void print_list(FILE *to, const struct list *list, uint32_t above)
{
	char digest[VPC_DIGEST_STRLEN];

	for (size_t i = 0; i < list->n; i++) {
		const struct progress_vpc *v = &list->vpcs[i];

		if (v->vni > above)
			fprintf(to, "vpc %u %" PRIu64 " %s %" PRIu64 " %" PRIu64 "\n", v->vni, v->epoch,
				vpc_digest_format(&v->digest, digest), v->time_ms, v->n_probes);
	}
}

static int print(FILE *to, void *arg)
{
	fputs(arg, to);
	return 0;
}

int progress_write(struct progress *p, struct vpc_err *err)
{
	_cleanup_free_ char *text = NULL;
	char sum[SUM_LEN + 1];
	size_t len;
	FILE *to;
	int ret;

	if (p->unreadable)
		return vpc_err_set(err, -EACCES, "%.300s: %s", p->path, strerror(EACCES));
	to = open_memstream(&text, &len);
	if (!to)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	p->written_us = now_monotonic_us();
	fprintf(to, MAGIC VERSION AUDIT "%s\nmodule %" PRIu64 "\n", p->audit, p->instance ?: p->loaded_instance);
	print_list(to, &p->done, 0);
	/* Of those that have been passed and are not done, something has changed. */
	print_list(to, &p->loaded, p->done.n ? p->done.vpcs[p->done.n - 1].vni : 0);
	if (fflush(to) == 0)
		sum_of(text, len, sum);
	else
		sum[0] = '\0';
	fputs(sum, to);
	if (fclose(to))
		return vpc_err_set(err, -ENOMEM, "out of memory");
	ret = newfile_print(p->path, 0600, true, print, text, err);
	p->ours |= !ret;
	return ret;
}

void progress_remove(struct progress *p)
{
	if (p->ours)
		unlink(p->path);
}

size_t progress_done(const struct progress *p)
{
	return p->done.n;
}

size_t progress_total(const struct progress *p)
{
	return p->total;
}

const char *progress_note(const struct progress *p)
{
	return p->note;
}
