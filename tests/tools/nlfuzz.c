// SPDX-License-Identifier: Apache-2.0
/*
 * Netlink messages that nobody would send to the family "vpc": made by a grammar out of a row of bytes, which is an
 * input. An input is a row of messages from three sockets, begun in a known state; each byte decides something: the
 * command, its flags, whether an attribute is there, right, extreme, of a wrong length, there twice, or one that does
 * not belong there; whether the message is cut off. After each message that was refused the kernel must hold what it
 * held before, and the refusal must have a text; after each input every VPC's digest is that of its tables and dump.
 *
 *     nlfuzz run SECONDS SEED FOLDER [FOLDER...]     inputs at random, and from the first folder's; new ones go there
 *     nlfuzz replay FILE|FOLDER...
 *
 * As root in a network namespace of its own with a device "d0" (uml_fuzz.sh). An input with an outcome not seen before
 * (command, code, text) is kept and changed further; so is one that comes through a new place of vpc.ko, where the
 * kernel has kcov and the module was built with KCOV_INSTRUMENT=y. The log of the kernel has a line for every 64th
 * input: "nlfuzz: SEED NUMBER"; the input at work is the folder's "current", the file of one that failed stays there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcov.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "nlfuzz/grammar.h"
#include "nlfuzz/state.h"
#include "../../lib/util.h"

#define INPUT_MAX  2048U
#define INPUTS_MAX 8192U
#define COVER_SIZE (1U << 18) /* words */
#define SEEN_BITS  20

struct input {
	size_t len;
	uint8_t data[INPUT_MAX];
};

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
	unsigned long before = grammar_count.outcomes;
	unsigned int found;

	cover_begin();
	grammar_run(input->data, input->len);
	found = cover_end() + grammar_count.outcomes - before;
	state_verify();
	return found;
}

/* One of those that are known, changed in a few places; or two of them, one behind the other; or a new one. */
static void invent(struct input *ret)
{
	const struct input *one;
	size_t cut;

	if (!n_inputs || !below(8)) {
		ret->len = 16 + below(INPUT_MAX / 4);
		for (size_t i = 0; i < ret->len; i++)
			ret->data[i] = random_u64() >> 32;
		return;
	}
	*ret = *inputs[below(n_inputs)];
	if (!below(4)) {
		one = inputs[below(n_inputs)];
		cut = below(ret->len + 1);
		ret->len = cut + one->len < INPUT_MAX ? cut + one->len : INPUT_MAX;
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

static unsigned int replay(const char *path, bool keep)
{
	static struct input input;
	unsigned int n = 0;
	struct dirent *entry;
	struct stat st;
	char name[512];
	DIR *dir;

	if (stat(path, &st))
		die("%s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode)) {
		printf("# %s\n", path);
		if (read_file(path, &input) && execute(&input) && keep)
			remember(&input);
		return 1;
	}
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, "current"))
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		n += replay(name, keep);
	}
	if (dir)
		closedir(dir);
	return n;
}

static void mark(unsigned long seed, unsigned long number)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		dprintf(fd, "nlfuzz: %lu %lu\n", seed, number);
}

static void run(unsigned int seconds, unsigned long seed, const char *folder)
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
	printf("seed %lu: %lu inputs, %lu messages, %lu taken, %lu refused, %lu outcomes, %u places, %zu kept\n", seed,
	       n, grammar_count.messages, grammar_count.taken, grammar_count.refused, grammar_count.outcomes, n_seen,
	       n_inputs);
}

int main(int argc, char **argv)
{
	unsigned int n = 0;
	bool running = argc > 4 && !strcmp(argv[1], "run");

	if (!running && (argc < 3 || strcmp(argv[1], "replay")))
		die("usage: nlfuzz run SECONDS SEED FOLDER... | nlfuzz replay FILE|FOLDER...");
	state_begin();
	cover_open();
	for (int i = running ? 4 : 2; i < argc; i++)
		n += replay(argv[i], running);
	if (running)
		run(atoi(argv[2]), strtoul(argv[3], NULL, 10), argv[4]);
	else
		printf("%u inputs, %lu messages, %lu taken, %lu refused%s\n", n, grammar_count.messages,
		       grammar_count.taken, grammar_count.refused, n ? "" : ": nothing was tried");
	return !running && !n;
}
