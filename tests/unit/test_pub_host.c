// SPDX-License-Identifier: Apache-2.0
/*
 * A host's access list (publisher/host.c, protect.c): ZooKeeper changes none in the step that checks the fence, so a
 * publisher whose fence was taken must find that out before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "../../lib/util.h"
#include "pub_rig.h"

static bool there; /* the host, in CDB */
static unsigned int granted, taken; /* how often its right was given, and taken away */

int zk_grant_wait(struct zk *zk, const char *path, const char *const *who, bool all, unsigned int timeout_ms)
{
	granted += !!who;
	taken += !who;
	return rig_read(path, NULL) ? 0 : -ENOENT;
}

int zk_access_wait(struct zk *zk, const char *path, unsigned int timeout_ms, char ***ret_names, size_t *ret_n)
{
	return -ENOENT;
}

int zk_connect_wait(struct zk *zk, unsigned int timeout_ms)
{
	return 0;
}

int cdb_host_exists(struct cdb *cdb, const char *host, bool *ret_exists, struct vpc_err *err)
{
	*ret_exists = there;
	return 0;
}

int cdb_host_ports_load(struct cdb *cdb, const char *host, struct vpc_host_ports *ret_ports, struct vpc_err *err)
{
	if (!there)
		return -ENOENT;
	*ret_ports = (struct vpc_host_ports){ .revision = 2, .vtep4 = { .family = AF_INET, .bytes = { 192, 0, 2, 1 } },
					      .udp_port = 4789 };
	strcpy(ret_ports->host, host);
	return 0;
}

static int setup(void **state)
{
	char path[VPC_ZNODE_PATH_MAX];

	rig_setup(state);
	strcpy(rig.p.credential, "publisher:secret");
	granted = taken = 0;
	rig_write(vpc_path_host("h1", NULL, path), "");
	rig_write(vpc_path_host("h1", "ports", path), "old");
	return 0;
}

static const char *ports(void)
{
	char path[VPC_ZNODE_PATH_MAX];

	return rig_read(vpc_path_host("h1", "ports", path), NULL);
}

static void test_ours(void **state)
{
	struct vpc_err err = {};

	there = true;
	assert_int_equal(pub_host(&rig.p, "h1", &err), 0);
	assert_int_equal(granted, 1);
	assert_int_equal(taken, 0);
	assert_non_null(strstr(ports(), "192.0.2.1"));
	there = false;
	assert_int_equal(pub_host(&rig.p, "h1", &err), 0);
	assert_int_equal(granted, 1);
	assert_int_equal(taken, 1);
	assert_null(ports());
}

/* The fence is another one's: neither is a right taken away nor given, and nothing is written. */
static void test_deposed(void **state)
{
	struct vpc_err err = {};

	rig_write(VPC_ZNODE_FENCE, "{}");
	for (int i = 0; i < 2; i++) {
		there = i;
		rig.p.fenced = false;
		assert_int_equal(pub_host(&rig.p, "h1", &err), -EPERM);
		assert_true(rig.p.fenced);
		assert_int_equal(granted, 0);
		assert_int_equal(taken, 0);
		assert_string_equal(ports(), "old");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ours, setup, rig_teardown),
		cmocka_unit_test_setup_teardown(test_deposed, setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
