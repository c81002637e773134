// SPDX-License-Identifier: Apache-2.0
/*
 * The configuration file: defaults, every key, and a table of wrong files with the one line that each must be
 * answered by.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "../../lib/config.h"
#include "../../lib/log.h"
#include "../../lib/util.h"

static char path[] = "/tmp/vpc-test-config.XXXXXX";

static int setup(void **arg)
{
	_cleanup_close_ int fd = mkstemp(path);

	return fd < 0;
}

static int teardown(void **arg)
{
	return unlink(path);
}

static int load(const char *text, size_t len, struct vpc_config *ret_config, struct vpc_err *err)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	return vpc_config_load(path, ret_config, err);
}

static void test_defaults(void **arg)
{
	static const char *const texts[] = { "", "\n\n", "# nothing\n; nothing\n", "[cdb]\n", "[agent]\n\n[log]" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct vpc_config config;
		char name[64] = "";

		assert_int_equal(load(texts[i], strlen(texts[i]), &config, NULL), 0);
		assert_string_equal(config.zk_hosts, "127.0.0.1:2181");
		assert_int_equal(config.zk_session_ms, 10000);
		assert_string_equal(config.cdb_host, "127.0.0.1");
		assert_int_equal(config.cdb_port, 3306);
		assert_null(config.cdb_socket);
		assert_null(config.cdb_user);
		assert_null(config.cdb_password);
		assert_string_equal(config.cdb_database, "vpc");
		assert_int_equal(config.cdb_timeout_s, 10);
		gethostname(name, sizeof(name) - 1);
		assert_string_equal(config.host, name);
		assert_false(config.load_module);
		assert_int_equal(config.status_interval_s, 60);
		assert_string_equal(config.run_dir, "/run/vpc");
		assert_string_equal(config.state_dir, "/var/lib/vpc");
		assert_true(config.cache);
		assert_int_equal(config.metrics_port, 9469);
		assert_int_equal(config.poll_ms, 30);
		assert_int_equal(config.publisher_session_ms, 4000);
		assert_int_equal(config.publisher_cdb_timeout_s, 6);
		assert_int_equal(config.sweep_s, 600);
		assert_int_equal(config.sweep_per_s, 500);
		assert_int_equal(config.sweep_kib_per_s, 1024);
		assert_int_equal(config.reconcile_metrics_port, 0);
		assert_int_equal(config.log_level, LOG_INFO);
		vpc_config_clear(&config);
	}
}

static void test_all_keys(void **arg)
{
	static const char text[] = "[zookeeper]\nhosts = zk1:2181,[2001:db8::1]:2182/chroot\nsession_timeout_ms=5000\n"
				   "[cdb]\n\thost = db.example\n  port = 3307 ; the proxy\nsocket = /run/my.sock\r\n"
				   "user = vpc_agent\npassword = a = b;c'\"#\ndatabase = vpc2\ntimeout_s = 3\n"
				   "[agent]\nname = host-1.example_2\nload_module = yes\nstatus_interval_s = 1\n"
				   "run_dir = /run/other\nmetrics_port = 0\ncache = no\nstate_dir = /s\n"
				   "[publisher]\npoll_ms = 60000\nsession_timeout_ms = 2000\n"
				   "cdb_timeout_s = 4\nsweep_s = 0\nsweep_per_s = 7\nsweep_kib_per_s = 0\n"
				   "[reconcile]\nmetrics_port = 9470\n[log]\nlevel = debug";
	struct vpc_config config;

	assert_int_equal(load(text, sizeof(text) - 1, &config, NULL), 0);
	assert_string_equal(config.zk_hosts, "zk1:2181,[2001:db8::1]:2182/chroot");
	assert_int_equal(config.zk_session_ms, 5000);
	assert_string_equal(config.cdb_host, "db.example");
	assert_int_equal(config.cdb_port, 3307);
	assert_string_equal(config.cdb_socket, "/run/my.sock");
	assert_string_equal(config.cdb_user, "vpc_agent");
	assert_string_equal(config.cdb_password, "a = b;c'\"#");
	assert_string_equal(config.cdb_database, "vpc2");
	assert_int_equal(config.cdb_timeout_s, 3);
	assert_string_equal(config.host, "host-1.example_2");
	assert_true(config.load_module);
	assert_int_equal(config.status_interval_s, 1);
	assert_string_equal(config.run_dir, "/run/other");
	assert_string_equal(config.state_dir, "/s");
	assert_false(config.cache);
	assert_int_equal(config.metrics_port, 0);
	assert_int_equal(config.poll_ms, 60000);
	assert_int_equal(config.publisher_cdb_timeout_s, 4);
	assert_int_equal(config.sweep_s, 0);
	assert_int_equal(config.sweep_per_s, 7);
	assert_int_equal(config.sweep_kib_per_s, 0);
	assert_int_equal(config.reconcile_metrics_port, 9470);
	assert_int_equal(config.log_level, LOG_DEBUG);
	vpc_config_clear(&config);
}

#define X50  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X200 X50 X50 X50 X50

static void test_wrong(void **arg)
{
	static const struct {
		const char *text, *says;
	} wrong[] = {
		{ "[nonsense]\n", ":1: [nonsense]: unknown section" },
		{ "[cdb]\n\n[CDB]\nport = 1\n", ":3: [CDB]: unknown section" },
		{ "[]\n", ":1: []: unknown section" },
		{ "[cdb\nport = 1\n", ":1: neither" },
		{ "[cdb]\nport\n", ":2: neither" },
		{ "[cdb]\nport\n[nonsense]\n", ":2: neither" },
		{ "[nonsense]\nport\n", ":1: [nonsense]" },
		{ "port = 1\n", ":1: port: it stands before any [section]" },
		{ "[cdb]\nports = 1\n", ":2: [cdb] ports: unknown key" },
		{ "[cdb]\nhosts = a:1\n", ":2: [cdb] hosts: unknown key" },
		{ "[zookeeper]\nhost = a\n", ":2: [zookeeper] host: unknown key" },
		{ "[cdb]\n= 1\n", ":2: [cdb] : unknown key" },
		{ "[cdb]\nport = 1\nport = 2\n", ":3: [cdb] port: given twice" },
		{ "[cdb]\nport = 1\n[log]\n[cdb]\nport = 2\n", ":5: [cdb] port: given twice" },
		{ "[agent]\nrun_dir = run/vpc\n", ":2: [agent] run_dir: 'run/vpc' is not an absolute path" },
		{ "[agent]\nrun_dir =\n", ":2: [agent] run_dir: '' is not an absolute path" },
		{ "[agent]\nmetrics_port = 65536\n", "[agent] metrics_port: '65536' is not a number from 0 to 65535" },
		{ "[reconcile]\nmetrics_port = -1\n", "[reconcile] metrics_port: '-1' is not a number from 0 to" },
		{ "[cdb]\nport =\n", ":2: [cdb] port: '' is not a number from 1 to 65535" },
		{ "[cdb]\nport = 0\n", "[cdb] port: '0' is not a number from 1 to 65535" },
		{ "[cdb]\nport = 65536\n", "[cdb] port: '65536' is not" },
		{ "[cdb]\nport = -1\n", "[cdb] port: '-1' is not" },
		{ "[cdb]\nport = +1\n", "[cdb] port: '+1' is not" },
		{ "[cdb]\nport = 0x10\n", "[cdb] port: '0x10' is not" },
		{ "[cdb]\nport = 33 06\n", "[cdb] port: '33 06' is not" },
		{ "[cdb]\nport = 3306;\n", "[cdb] port: '3306;' is not" },
		{ "[cdb]\nport = 99999999999999999999999\n", "[cdb] port: '99999999999999999999999' is not" },
		{ "[cdb]\nport = 18446744073709554922\n", "[cdb] port: '18446744073709554922' is not" },
		{ "[cdb]\ntimeout_s = 0\n", "[cdb] timeout_s: '0' is not a number from 1 to 3600" },
		{ "[cdb]\nhost =\n", "[cdb] host: the value is empty" },
		{ "[cdb]\ndatabase = ; nothing\n", "[cdb] database: the value is empty" },
		{ "[zookeeper]\nsession_timeout_ms = 99\n", "from 100 to 600000" },
		{ "[zookeeper]\nsession_timeout_ms = 10s\n", "'10s' is not a number" },
		{ "[zookeeper]\nhosts =\n", "[zookeeper] hosts: '' is not host:port" },
		{ "[zookeeper]\nhosts = zk1\n", "'zk1' is not host:port" },
		{ "[zookeeper]\nhosts = zk1:\n", "is not host:port" },
		{ "[zookeeper]\nhosts = :2181\n", "is not host:port" },
		{ "[zookeeper]\nhosts = zk1:0\n", "is not host:port" },
		{ "[zookeeper]\nhosts = zk1:65536\n", "is not host:port" },
		{ "[zookeeper]\nhosts = zk1:2181,\n", "is not host:port" },
		{ "[zookeeper]\nhosts = zk1:2181,,zk2:2181\n", "is not host:port" },
		{ "[zookeeper]\nhosts = zk1:2181, zk2:2181\n", "is not host:port" },
		{ "[zookeeper]\nhosts = /chroot\n", "is not host:port" },
		{ "[agent]\nname =\n", "[agent] name: '' is not a host's name" },
		{ "[agent]\nname = a/b\n", "'a/b' is not a host's name" },
		{ "[agent]\nname = ..\n", "'..' is not a host's name" },
		{ "[agent]\nname = " X50 X50 "\n", "is not a host's name" },
		{ "[agent]\nload_module = maybe\n", "'maybe' is neither yes nor no" },
		{ "[agent]\nload_module =\n", "'' is neither yes nor no" },
		{ "[agent]\nstatus_interval_s = 86401\n", "from 1 to 86400" },
		{ "[publisher]\npoll_ms = 0\n", "from 1 to 60000" },
		{ "[publisher]\npoll_ms = 60001\n", "from 1 to 60000" },
		{ "[publisher]\nsweep_per_s = 0\n", "from 1 to 100000" },
		{ "[publisher]\nsweep_kib_per_s = 1048577\n", "from 0 to 1048576" },
		{ "[log]\nlevel = loud\n", "'loud' is not a level" },
		{ "[log]\nlevel = 7\n", "'7' is not a level" },
		{ "[cdb]\nhost = " X200 "\n", ":2: the line is too long" },
		{ "# " X200 "\n[cdb]\nports = 1\n", ":1: the line is too long" },
		{ "[cdb]\npassword = ab ;cd\n", ":2: [cdb] password: a blank and ';' begin a comment" },
		{ "[cdb]\npassword = ab\t; the writer's\n", ":2: [cdb] password: a blank and ';'" },
		{ "[cdb]\npassword = ;cd\n", ":2: [cdb] password: a blank and ';'" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct vpc_config config = { .cdb_port = 7 };
		struct vpc_err err = { "" };

		assert_int_equal(load(wrong[i].text, strlen(wrong[i].text), &config, &err), -EINVAL);
		assert_memory_equal(err.text, path, strlen(path));
		if (!strstr(err.text, wrong[i].says))
			fail_msg("'%s' should say '%s'", err.text, wrong[i].says);
		assert_null(strchr(err.text, '\n'));
		assert_int_equal(config.cdb_port, 7);
	}
}

static void test_secret(void **arg)
{
	static const char text[] = "[cdb]\npassword = hunter2\npassword = hunter2\n";
	struct vpc_config config;
	struct vpc_err err;

	assert_int_equal(load(text, sizeof(text) - 1, &config, &err), -EINVAL);
	assert_null(strstr(err.text, "hunter2"));
}

static void test_files(void **arg)
{
	struct vpc_config config = { .cdb_port = 7 };
	struct vpc_err err;

	assert_int_equal(vpc_config_load("/nonexistent/vpc.conf", &config, &err), -ENOENT);
	assert_string_equal(err.text, "/nonexistent/vpc.conf: No such file or directory");
	assert_int_equal(vpc_config_load("/", &config, &err), -EIO);
	assert_int_equal(load("[cdb]\nhost = a\0b\n", 17, &config, &err), -EINVAL);
	assert_non_null(strstr(err.text, ":2: the line holds a NUL byte"));
	assert_int_equal(config.cdb_port, 7);
}

/* A good file cut off at every byte either loads or is refused with a line, and never crashes. */
static void test_cut(void **arg)
{
	static const char text[] =
		"[zookeeper]\nhosts = zk1:2181\n[cdb]\nport = 3307\npassword = x\n[log]\nlevel = err\n";

	for (size_t len = 0; len < sizeof(text); len++) {
		struct vpc_config config;
		struct vpc_err err = { "" };
		int r = load(text, len, &config, &err);

		if (!r)
			vpc_config_clear(&config);
		else
			assert_true(r == -EINVAL && err.text[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_all_keys), cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_secret),	 cmocka_unit_test(test_files),	  cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
