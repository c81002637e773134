// SPDX-License-Identifier: Apache-2.0
/*
 * A file takes another one's place whole or not at all: what fails on the way, at whatever place and whether or not
 * errno tells, leaves the old one and nothing beside it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../lib/newfile.h"
#include "../../lib/util.h"

#define LIMIT 65536

static char dir[] = "/tmp/vpc-newfile-XXXXXX", path[64];
static struct vpc_err err;

static int print_text(FILE *to, void *arg)
{
	fputs(arg, to);
	return 0;
}

static int refuse(FILE *to, void *arg)
{
	fputs("half of it", to);
	return -EPROTO;
}

/* More than the file may have, and then, when nobody looks at errno any more, a good end. */
static int print_too_much(FILE *to, void *arg)
{
	for (unsigned int i = 0; i < 2 * LIMIT; i++)
		fputc('x', to);
	errno = 0;
	return 0;
}

/* The same, at the very end, out of the stream's buffer. */
static int print_a_little_too_much(FILE *to, void *arg)
{
	for (unsigned int i = 0; i < LIMIT + 1; i++)
		fputc('x', to);
	return 0;
}

static void assert_only(const char *want)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char text[64] = "";
	struct dirent *entry;
	unsigned int n = 0;
	DIR *at = opendir(dir);

	assert_non_null(at);
	while ((entry = readdir(at)))
		n += entry->d_name[0] != '.';
	closedir(at);
	assert_int_equal(n, 1);
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	assert_string_equal(text, want);
}

static void it_replaces_whatever_the_umask(void **state)
{
	struct stat st;
	mode_t mask = umask(077);

	assert_int_equal(newfile_print(path, 0644, true, print_text, "one", &err), 0);
	assert_only("one");
	assert_int_equal(newfile_print(path, 0644, false, print_text, "two", &err), 0);
	assert_only("two");
	umask(mask);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
}

static void in_the_folder_where_we_are(void **state)
{
	int was = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(chdir(dir), 0);
	assert_int_equal(newfile_print("file", 0600, true, print_text, "here", &err), 0);
	assert_int_equal(fchdir(was), 0);
	close(was);
	assert_only("here");
}

/* Who may put files into a folder need not be one who may list it. */
static void in_a_folder_that_cannot_be_read(void **state)
{
	int status;
	pid_t pid;

	if (geteuid())
		skip();
	assert_int_equal(newfile_print(path, 0644, true, print_text, "old", &err), 0);
	assert_int_equal(chown(dir, 65534, 0), 0);
	assert_int_equal(chmod(dir, 0300), 0);
	pid = fork();
	if (!pid)
		_exit(setuid(65534) || newfile_print(path, 0644, true, print_text, "new", &err));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(chown(dir, 0, 0), 0);
	assert_int_equal(chmod(dir, 0700), 0);
	assert_int_equal(status, 0);
	assert_only("new");
}

static void what_fails_leaves_the_old_one(void **state)
{
	static const struct {
		int (*print)(FILE *to, void *arg);
		int res;
	} cases[] = { { refuse, -EPROTO }, { print_too_much, -EIO }, { print_a_little_too_much, -EFBIG } };
	struct rlimit old, limit;
	int res;

	assert_int_equal(newfile_print(path, 0644, true, print_text, "old", &err), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		limit = (struct rlimit){ LIMIT, old.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		err.text[0] = '\0';
		res = newfile_print(path, 0644, true, cases[i].print, NULL, &err);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		if (cases[i].res == -EIO)
			assert_true(res < 0);
		else
			assert_int_equal(res, cases[i].res);
		assert_non_null(strstr(err.text, path));
		assert_only("old");
	}
	signal(SIGXFSZ, SIG_DFL);
}

static void places_where_no_file_can_be(void **state)
{
	char name[400], elsewhere[400];

	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", dir);
	assert_int_equal(newfile_print(path, 0644, true, print_text, "old", &err), 0);
	assert_int_equal(newfile_print("/nonexistent/file", 0644, true, print_text, "x", &err), -ENOENT);
	assert_int_equal(newfile_print("/tmp/", 0644, true, print_text, "x", &err), -EISDIR);
	snprintf(name, sizeof(name), "%s/%0300d", dir, 7);
	assert_int_equal(newfile_print(name, 0644, true, print_text, "x", &err), -ENAMETOOLONG);
	/* A name that somebody else has made lead elsewhere. */
	snprintf(name, sizeof(name), "%s" NEWFILE_SUFFIX, path);
	assert_int_equal(symlink(elsewhere, name), 0);
	assert_int_equal(newfile_print(path, 0644, true, print_text, "x", &err), -ELOOP);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(access(elsewhere, F_OK), -1);
	assert_only("old");
}

static int setup(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/file", dir);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_replaces_whatever_the_umask),
		cmocka_unit_test(in_the_folder_where_we_are),
		cmocka_unit_test(in_a_folder_that_cannot_be_read),
		cmocka_unit_test(what_fails_leaves_the_old_one),
		cmocka_unit_test(places_where_no_file_can_be),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
