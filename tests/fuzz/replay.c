// SPDX-License-Identifier: Apache-2.0
/*
 * A fuzz target without libFuzzer: runs it over each file of the folders that are named, so that what was found once is
 * tried in every check and no clang is needed. Says how many; ends at the first that fails, as the sanitizers do.
 *
 *   build/san/fuzz/TARGET [FILE|FOLDER...]
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include "fuzz.h"

static const char *current;
static unsigned int count;

/* Also the sanitizers', after their report. */
static void name_input(void)
{
	static const char text[] = "\nthe input was ";

	if (!current || write(STDERR_FILENO, text, sizeof(text) - 1) < 0 ||
	    write(STDERR_FILENO, current, strlen(current)) < 0 || write(STDERR_FILENO, "\n", 1) < 0)
		_exit(2);
}

/* UBSan's runtime is one of its own, which knows of no callback. */
const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
	return "abort_on_error=1";
}

static void aborted(int signal)
{
	name_input();
	_exit(1);
}

static void replay_file(const char *path, size_t len)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(len ? len : 1);

	fuzz_check(file && data && fread(data, 1, len, file) == len);
	fclose(file);
	current = path;
	LLVMFuzzerTestOneInput(data, len);
	free(data);
	count++;
}

static int replay(const char *path)
{
	struct dirent *entry;
	struct stat st;
	DIR *dir;
	int res = 0;

	if (stat(path, &st) < 0)
		return fprintf(stderr, "%s: %s\n", path, strerror(errno)), 1;
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path, st.st_size);
		return 0;
	}
	dir = opendir(path);
	while (dir && !res && (entry = readdir(dir))) {
		char name[PATH_MAX];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		res = replay(name);
	}
	if (dir)
		closedir(dir);
	return res;
}

int main(int argc, char **argv)
{
	int res = 0;

	signal(SIGABRT, aborted);
	__sanitizer_set_death_callback(name_input);
	for (int i = 1; i < argc && !res; i++)
		res = replay(argv[i]);
	/* Not on standard output, which a target may have closed. */
	if (!res)
		fprintf(stderr, "%u inputs\n", count);
	return res || !count;
}
