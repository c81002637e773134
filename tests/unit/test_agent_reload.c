// SPDX-License-Identifier: Apache-2.0
/*
 * SIGHUP to the whole agent: what changes at once, what is named as needing a restart, and files that are wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "agent_rig.h"

static char path[] = "/tmp/vpc-test-reload.XXXXXX";

#define BASE "[zookeeper]\nhosts = z:1\n[agent]\nname = h1\ncache = no\nmetrics_port = 0\nrun_dir = /dev/null/x\n"

static void store(const char *text)
{
	_cleanup_fclose_ FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
}

static struct agent *start(void)
{
	struct vpc_config config;
	struct vpc_err err;
	struct agent *a;

	store(BASE);
	assert_int_equal(vpc_config_load(path, &config, &err), 0);
	assert_int_equal(agent_new(&config, path, NULL, &a, &err), 0);
	fake_log_reset();
	return a;
}

/* Until it was answered with one line that has @says in it, and as many warnings of a restart as @restart. */
static void hangup(struct agent *a, const char *text, const char *says, const char *restart)
{
	fake_log_reset();
	store(text);
	kill(getpid(), SIGHUP);
	run_until(a, fake_log_count("onfiguration"));
	if (fake_log_count(says) != 1 || fake_log_count("needs a restart") != !!restart ||
	    (restart && !fake_log_count(restart))) {
		fake_log_print();
		fail_msg("to: %s", text);
	}
}

static void test_reload(void **state)
{
	struct agent *a = start();

	hangup(a, BASE, "read again: nothing to change", NULL);
	hangup(a, BASE "status_interval_s = 7\n[log]\nlevel = info\n", "read again: [agent] status_interval_s changed",
	       NULL);
	assert_int_equal(a->config.status_interval_s, 7);
	hangup(a, BASE "status_interval_s = 7\nstate_dir = /else\n[zookeeper]\nsession_timeout_ms = 777\n",
	       "nothing to change", "[zookeeper] session_timeout_ms, [agent] state_dir: needs a restart");
	assert_int_equal(a->config.zk_session_ms, 10000);
	assert_string_equal(a->config.zk_hosts, "z:1");
	agent_free(a);
}

static void test_wrong(void **state)
{
	static const char *const texts[] = { "[nonsense]\n", BASE "status_interval_s = 0\n", BASE "name = h2\n" };
	struct agent *a = start();

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		hangup(a, texts[i], "the configuration stays as it was", NULL);
		assert_int_equal(fake_log_count(path), 1);
		assert_int_equal(a->config.status_interval_s, 60);
	}
	assert_int_equal(unlink(path), 0);
	fake_log_reset();
	kill(getpid(), SIGHUP);
	run_until(a, fake_log_count("No such file or directory; the configuration stays as it was"));
	agent_free(a);
}

static int setup(void **state)
{
	int fd;

	strcpy(strrchr(path, '.') + 1, "XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	return rig_setup(state);
}

static int teardown(void **state)
{
	unlink(path);
	return rig_teardown(state);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_reload), TEST(test_wrong) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
