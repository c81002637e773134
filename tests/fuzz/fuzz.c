// SPDX-License-Identifier: Apache-2.0
/*
 * What the fuzz targets share; see fuzz.h.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fuzz.h"

#define PATTERN 0x5a

void fuzz_fill(void *ret, size_t size)
{
	memset(ret, PATTERN, size);
}

bool fuzz_untouched(const void *ret, size_t size)
{
	const uint8_t *byte = ret;

	while (size && *byte == PATTERN) {
		byte++;
		size--;
	}
	return !size;
}

void fuzz_check_refusal(int res, const struct vpc_err *err)
{
	static int verbose = -1;

	if (verbose < 0)
		verbose = !!getenv("FUZZ_VERBOSE");
	if (verbose)
		fprintf(stderr, "%d %s\n", res, res ? err->text : "taken");
	fuzz_check(res <= 0);
	fuzz_check(!res || *err->text);
	fuzz_check(!res || !strchr(err->text, '\n'));
}

const char *fuzz_file(const void *data, size_t len)
{
	static char path[64];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		fuzz_check(fd >= 0 && !fchmod(fd, 0600));
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	fuzz_check(!ftruncate(fd, 0));
	fuzz_check(pwrite(fd, data, len, 0) == (ssize_t)len);
	return path;
}

void *fuzz_copy(const void *data, size_t len)
{
	void *copy = malloc(len ? len : 1);

	fuzz_check(copy);
	if (len)
		memcpy(copy, data, len);
	return copy;
}
