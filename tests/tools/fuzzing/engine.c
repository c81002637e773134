// SPDX-License-Identifier: Apache-2.0
/*
 * Inputs, coverage by kcov, and the loop of the kernel's fuzzers; see engine.h.
 */
#include "engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcov.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../../../lib/util.h"
#include "../nlfuzz/state.h"

#define INPUTS_MAX 8192U
#define COVER_SIZE (1U << 18) /* words */
#define SEEN_BITS 20

struct input {
	size_t len;
	uint8_t data[ENGINE_INPUT_MAX];
};

static const struct engine *engine;
static struct input *inputs[INPUTS_MAX];
static size_t n_inputs;
static uint64_t random_state;

static uint64_t random_u64(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 2685821657736338717ULL;
}

static unsigned int below(unsigned int n)
{
	return random_u64() % n;
}

/* -- coverage ------------------------------------------------------------------------------------------------------ */

static unsigned long *cover;
static int cover_fd = -1;
static uint8_t seen[1U << SEEN_BITS];
static unsigned int n_seen;

static void cover_open(void)
{
	cover_fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	if (cover_fd < 0)
		return;
	if (ioctl(cover_fd, KCOV_INIT_TRACE, (unsigned long)COVER_SIZE))
		die("kcov: %s", strerror(errno));
	cover = mmap(NULL, COVER_SIZE * sizeof(*cover), PROT_READ | PROT_WRITE, MAP_SHARED, cover_fd, 0);
	if (cover == MAP_FAILED)
		die("kcov: %s", strerror(errno));
}

static void cover_begin(void)
{
	if (!cover)
		return;
	if (ioctl(cover_fd, KCOV_ENABLE, KCOV_TRACE_PC))
		die("kcov: %s", strerror(errno));
	__atomic_store_n(&cover[0], 0, __ATOMIC_RELAXED);
}

/* How many places are new. */
static unsigned int cover_end(void)
{
	unsigned long n;
	unsigned int found = 0;

	if (!cover)
		return 0;
	n = __atomic_load_n(&cover[0], __ATOMIC_RELAXED);
	if (ioctl(cover_fd, KCOV_DISABLE, 0))
		die("kcov: %s", strerror(errno));
	for (unsigned long i = 1; i <= n && i < COVER_SIZE; i++) {
		uint64_t place = cover[i] * 0x9e3779b97f4a7c15ULL >> (64 - SEEN_BITS);

		found += !seen[place];
		seen[place] = 1;
	}
	n_seen += found;
	return found;
}

/* -- inputs -------------------------------------------------------------------------------------------------------- */

static void write_file(const char *folder, const char *name, const struct input *input)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, input->data, input->len) != (ssize_t)input->len)
		die("%s: %s", path, strerror(errno));
	close(fd);
}

static bool read_file(const char *path, struct input *ret)
{
	FILE *file = fopen(path, "rb");

	if (!file)
		die("%s: %s", path, strerror(errno));
	ret->len = fread(ret->data, 1, sizeof(ret->data), file);
	fclose(file);
	return ret->len;
}

static void remember(const struct input *input)
{
	if (n_inputs == INPUTS_MAX)
		return;
	inputs[n_inputs] = malloc(sizeof(*input));
	if (!inputs[n_inputs])
		die("out of memory");
	*inputs[n_inputs++] = *input;
}

static unsigned int execute(const struct input *input)
{
	unsigned int found;

	cover_begin();
	found = engine->execute(input->data, input->len);
	found += cover_end();
	engine->check();
	return found;
}

/* One of those that are known, changed in a few places; or two of them, one behind the other; or a new one. */
static void invent(struct input *ret)
{
	const struct input *one;
	size_t cut;

	if (!n_inputs || !below(8)) {
		ret->len = 16 + below(ENGINE_INPUT_MAX / 4);
		for (size_t i = 0; i < ret->len; i++)
			ret->data[i] = random_u64() >> 32;
		return;
	}
	*ret = *inputs[below(n_inputs)];
	if (!below(4)) {
		one = inputs[below(n_inputs)];
		cut = below(ret->len + 1);
		ret->len = cut + one->len < ENGINE_INPUT_MAX ? cut + one->len : ENGINE_INPUT_MAX;
		memcpy(ret->data + cut, one->data, ret->len - cut);
	}
	for (unsigned int n = 1 + below(6); n && ret->len; n--) {
		cut = below(ret->len);
		switch (below(4)) {
		case 0:
			ret->data[cut] ^= 1 << below(8);
			break;
		case 1:
			ret->data[cut] = below(8);
			break;
		case 2:
			ret->data[cut] = random_u64() >> 32;
			break;
		default:
			memmove(ret->data + cut, ret->data + cut + 1, --ret->len - cut);
			break;
		}
	}
}

/* -- verbs --------------------------------------------------------------------------------------------------------- */

struct found {
	char path[512];
	off_t size;
};

static struct found *files;
static size_t n_files;

static void collect(const char *path)
{
	struct dirent *entry;
	char name[512];
	struct stat st;
	DIR *dir;

	if (stat(path, &st))
		die("%s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode)) {
		files = realloc(files, (n_files + 1) * sizeof(*files));
		if (!files)
			die("out of memory");
		snprintf(files[n_files].path, sizeof(files->path), "%s", path);
		files[n_files++].size = st.st_size;
		return;
	}
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, "current"))
			continue;
		if ((size_t)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) < sizeof(name))
			collect(name);
	}
	if (dir)
		closedir(dir);
}

static int found_compare(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->size != y->size ? (x->size > y->size) - (x->size < y->size) : strcmp(x->path, y->path);
}

/* All that was collected, the smallest first; @small: the folder for what shows something, or NULL. */
static void replay(const char *small, bool verbose)
{
	static struct input input;
	const char *name;

	qsort(files, n_files, sizeof(*files), found_compare);
	for (size_t i = 0; i < n_files; i++) {
		if (verbose)
			printf("# %s\n", files[i].path);
		name = strrchr(files[i].path, '/');
		name = name ? name + 1 : files[i].path;
		if (!read_file(files[i].path, &input))
			continue;
		if (!execute(&input) && strncmp(name, "bug-", 4))
			continue;
		remember(&input);
		if (small)
			write_file(small, name, &input);
	}
}

static void mark(unsigned long seed, unsigned long number)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		dprintf(fd, "%s: %lu %lu\n", engine->name, seed, number);
}

static unsigned long run(unsigned int seconds, unsigned long seed, const char *folder)
{
	uint64_t end = now_monotonic_us() + seconds * 1000000ULL;
	struct input input;
	unsigned long n;
	char name[64];

	random_state = 88172645463325252ULL + seed * 2654435761U;
	for (n = 0; now_monotonic_us() < end; n++) {
		invent(&input);
		write_file(folder, "current", &input);
		if (!(n % 64))
			mark(seed, n);
		if (!execute(&input))
			continue;
		remember(&input);
		snprintf(name, sizeof(name), "s%lu-%06lu", seed, n);
		write_file(folder, name, &input);
	}
	return n;
}

int engine_main(const struct engine *with, int argc, char **argv)
{
	bool running = argc > 4 && !strcmp(argv[1], "run"), keeping = argc > 3 && !strcmp(argv[1], "keep");
	unsigned long n;

	engine = with;
	if (!running && !keeping && (argc < 3 || strcmp(argv[1], "replay")))
		die("usage: %s run SECONDS SEED FOLDER... | replay FILE|FOLDER... | keep FOLDER FILE|FOLDER...",
		    engine->name);
	cover_open();
	for (int i = running ? 4 : keeping ? 3 : 2; i < argc; i++)
		collect(argv[i]);
	replay(keeping ? argv[2] : NULL, !running && !keeping);
	n = n_files;
	if (running) {
		n = run(atoi(argv[2]), strtoul(argv[3], NULL, 10), argv[4]);
		printf("seed %s: ", argv[3]);
	}
	printf("%lu inputs", n);
	engine->report();
	printf(", %u places, %zu kept%s\n", n_seen, n_inputs, n ? "" : ": nothing was tried");
	return !n;
}
