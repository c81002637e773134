// SPDX-License-Identifier: Apache-2.0
/*
 * The file in which a comparison that was ended has left how far it came: what is taken from it, and what is refused.
 * The audit that goes on with it is in test_audit_resume.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "../../lib/util.h"
#include "../../reconcile/progress.h"

#define AUDIT "host h1 full 1"
#define NOW   1764550000000ULL
#define HOUR  3600000ULL

static char dir[32], path[64];
static struct vpc_err err;

static int setup(void **state)
{
	strcpy(dir, "/tmp/vpc-test-progress.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/p", dir);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return rmdir(dir);
}

static struct progress_vpc vpc_at(uint32_t vni, uint64_t epoch, uint64_t time_ms)
{
	return (struct progress_vpc){
		.vni = vni, .epoch = epoch, .digest = { { vni, ~epoch } }, .time_ms = time_ms, .n_probes = 3
	};
}

static struct kernel_vpc kernel_at(uint32_t vni, uint64_t epoch)
{
	return (struct kernel_vpc){ .vni = vni, .epoch = epoch, .digest = { { vni, ~epoch } } };
}

/* VPCs 100, 101, ... of 10, in the file, of instance 5. */
static void leave(unsigned int n, uint64_t time_ms)
{
	struct progress *p = progress_new(path, AUDIT);

	progress_begin(p, 5, 10);
	for (unsigned int i = 0; i < n; i++) {
		const struct progress_vpc vpc = vpc_at(100 + i, 7 + i, time_ms);

		assert_int_equal(progress_add(p, &vpc), 0);
	}
	assert_int_equal(progress_write(p, &err), 0);
	progress_free(p);
}

static struct progress *take(void)
{
	struct progress *p = progress_new(path, AUDIT);

	err.text[0] = '\0';
	if (progress_load(p, NOW, &err))
		fail_msg("%s", err.text);
	return p;
}

static bool has(const struct progress *p, uint32_t vni, uint64_t epoch)
{
	const struct kernel_vpc vpc = kernel_at(vni, epoch);

	return progress_find(p, &vpc);
}

static void what_was_left_is_taken(void **state)
{
	struct kernel_vpc other = kernel_at(101, 8);
	struct progress *p;
	struct stat st;

	leave(3, NOW - HOUR);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	p = take();
	progress_begin(p, 5, 10);
	assert_string_equal(progress_note(p), "");
	assert_int_equal(progress_total(p), 10);
	assert_int_equal(progress_done(p), 0);
	assert_true(has(p, 100, 7) && has(p, 101, 8) && has(p, 102, 9));
	other = kernel_at(101, 8);
	assert_int_equal(progress_find(p, &other)->time_ms, NOW - HOUR);
	assert_int_equal(progress_find(p, &other)->n_probes, 3);
	/* Only as it was then. */
	assert_false(has(p, 101, 9));
	assert_false(has(p, 103, 10));
	other.digest.h[1] ^= 1;
	assert_null(progress_find(p, &other));
	progress_remove(p);
	assert_int_equal(access(path, F_OK), -1);
	progress_free(p);
}

/* A second run that was ended: what it found, and what the first one has left ahead of it. */
static void what_is_ahead_stays(void **state)
{
	const struct progress_vpc again = vpc_at(101, 20, NOW);
	struct progress *p;

	leave(4, NOW - HOUR);
	p = take();
	progress_begin(p, 5, 10);
	assert_int_equal(progress_add(p, &again), 0);
	assert_int_equal(progress_write(p, &err), 0);
	progress_free(p);
	p = take();
	assert_true(has(p, 101, 20) && has(p, 102, 9) && has(p, 103, 10));
	assert_false(has(p, 100, 7) || has(p, 101, 8));
	progress_free(p);
}

static void stale(void **state)
{
	struct progress *p;

	leave(2, NOW - 25 * HOUR);
	p = take();
	assert_false(has(p, 100, 7));
	assert_non_null(strstr(progress_note(p), "2 VPCs were compared more than a day ago"));
	progress_free(p);
	/* A clock that went back knows nothing of age. */
	leave(2, NOW + HOUR);
	p = take();
	assert_false(has(p, 100, 7));
	progress_free(p);
	leave(2, NOW);
	p = take();
	progress_begin(p, 6, 10);
	assert_false(has(p, 100, 7));
	assert_non_null(strstr(progress_note(p), "loaded anew"));
	progress_free(p);
}

static void refuse(const char *audit, int code, const char *says)
{
	struct progress *p = progress_new(path, audit);
	int ret = progress_load(p, NOW, &err);

	if (ret != code || !strstr(err.text, says) || strchr(err.text, '\n'))
		fail_msg("%d: %s", ret, err.text);
	assert_false(has(p, 100, 7));
	/* It is somebody's. */
	progress_remove(p);
	assert_true(code == -ENOENT || !access(path, F_OK));
	progress_free(p);
}

static void foreign(void **state)
{
	refuse(AUDIT, -ENOENT, path);
	leave(2, NOW);
	refuse("host h2 full 1", -EXDEV, "of another audit (" AUDIT "), this one is (host h2 full 1): give the same");
	refuse(AUDIT " ", -EXDEV, "of another audit");
	refuse("host h1", -EXDEV, "of another audit");
}

static char content[4096];
static size_t content_len;

static void put(size_t len)
{
	FILE *to = fopen(path, "w");

	assert_int_equal(fwrite(content, 1, len, to), len);
	fclose(to);
}

/* Each byte flipped, and each length shorter. */
static void damaged(void **state)
{
	FILE *from;

	leave(2, NOW);
	from = fopen(path, "r");
	content_len = fread(content, 1, sizeof(content), from);
	fclose(from);
	assert_true(content_len > 100 && content_len < sizeof(content));
	for (size_t i = 0; i < content_len; i++) {
		struct progress *p = progress_new(path, AUDIT);
		int ret;

		content[i] ^= 1;
		put(content_len);
		content[i] ^= 1;
		ret = progress_load(p, NOW, &err);
		if (ret != -EBADMSG && ret != -EPROTONOSUPPORT)
			fail_msg("byte %zu: %d", i, ret);
		assert_false(has(p, 100, 7));
		progress_free(p);
		put(i);
		refuse(AUDIT, -EBADMSG, "damaged");
	}
	put(content_len);
	progress_free(take());
	strcpy(content, "vpc_reconcile progress 2\nmore\n");
	put(strlen(content));
	refuse(AUDIT, -EPROTONOSUPPORT, "another version");
	strcpy(content, "[cdb]\nhost = db\n");
	put(strlen(content));
	refuse(AUDIT, -EBADMSG, "no progress of vpc_reconcile");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	refuse(AUDIT, -EBADMSG, "damaged");
	assert_int_equal(rmdir(path), 0);
}

/* The file before stays. */
static void no_room(void **state)
{
	struct progress *p = progress_new("/nonexistent/p", AUDIT);

	progress_begin(p, 5, 10);
	assert_int_equal(progress_write(p, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/p"));
	progress_free(p);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_left_is_taken), TEST(what_is_ahead_stays), TEST(stale), TEST(foreign), TEST(damaged),
		TEST(no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
