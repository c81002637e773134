// SPDX-License-Identifier: Apache-2.0
/*
 * See cdb_rig.h.
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cdb_rig.h"
#include "../../lib/digest.h"
#include "../../lib/util.h"

static char database[32];
struct vpc_config rig_config;
struct cdb *rig_cdb;

void rig_need_server(void)
{
	if (!rig_cdb)
		skip();
}

int rig_setup(void **state)
{
	char *socket = getenv("VPC_CDB_SOCKET"), *user = getenv("VPC_CDB_USER"), *password = getenv("VPC_CDB_PASSWORD");
	unsigned int from, to;
	struct vpc_err err;

	if (!socket || !*socket)
		return 0;
	snprintf(database, sizeof(database), "vpctest_%d", (int)getpid());
	rig_config = (struct vpc_config){ .cdb_socket = socket,
					  .cdb_user = user,
					  .cdb_password = password,
					  .cdb_database = database,
					  .cdb_timeout_s = 20 };
	if (cdb_open(&rig_config, &rig_cdb, &err) || cdb_check_schema(rig_cdb, &err) != -EPROTONOSUPPORT ||
	    cdb_init(rig_cdb, &from, &to, &err) || from || !to) {
		print_error("%s\n", err.text);
		return -1;
	}
	return 0;
}

int rig_teardown(void **state)
{
	char sql[64];

	if (!rig_cdb)
		return 0;
	snprintf(sql, sizeof(sql), "DROP DATABASE %s", database);
	cdb_command(rig_cdb, sql, NULL);
	cdb_close(rig_cdb);
	return 0;
}

struct vpc_prefix rig_prefix(const char *text)
{
	struct vpc_prefix prefix;

	assert_int_equal(vpc_prefix_parse(text, &prefix, NULL), 0);
	return prefix;
}

struct vpc_addr rig_addr(const char *text)
{
	struct vpc_addr addr;

	assert_int_equal(vpc_addr_parse(text, &addr, NULL), 0);
	return addr;
}

struct intent rig_intent(void)
{
	return (struct intent){ .cdb = rig_cdb, .author = "tester", .summary = "test" };
}

void rig_vpc_new(const char *name, uint32_t vni)
{
	const struct vpc_prefix range = rig_prefix("10.0.0.0/8");
	const struct intent by = rig_intent();
	struct cdb_change_result result;

	ok(intent_vpc_add(&by, name, vni, &range, 1, 0, 0, &result, &err));
	assert_int_equal(result.vni, vni);
}

void rig_copy(const struct vpc_state *from, struct vpc_state *to)
{
	vpc_state_init(to, from->vni);
	to->epoch = from->epoch;
	to->digest = from->digest;
	for (size_t i = 0; i < from->n_nexthops; i++)
		assert_int_equal(vpc_state_add_nexthop(to, &from->nexthops[i]), 0);
	for (size_t i = 0; i < from->n_members; i++)
		assert_int_equal(vpc_state_add_member(to, &from->members[i]), 0);
	for (size_t i = 0; i < from->n_routes; i++)
		assert_int_equal(vpc_state_add_route(to, &from->routes[i]), 0);
}

void rig_assert_same(const struct vpc_state *a, const struct vpc_state *b)
{
	assert_int_equal(a->epoch, b->epoch);
	assert_true(vpc_digest_equal(&a->digest, &b->digest));
	assert_int_equal(a->n_nexthops, b->n_nexthops);
	assert_int_equal(a->n_members, b->n_members);
	assert_int_equal(a->n_routes, b->n_routes);
	for (size_t i = 0; i < a->n_nexthops; i++)
		assert_true(vpc_nexthop_equal(&a->nexthops[i], &b->nexthops[i]));
	for (size_t i = 0; i < a->n_members; i++) {
		assert_int_equal(vpc_member_cmp(&a->members[i], &b->members[i]), 0);
		assert_int_equal(a->members[i].weight, b->members[i].weight);
	}
	for (size_t i = 0; i < a->n_routes; i++) {
		assert_int_equal(vpc_route_cmp(&a->routes[i], &b->routes[i]), 0);
		assert_int_equal(a->routes[i].nexthop, b->routes[i].nexthop);
	}
}

void rig_wait_blocked(pid_t pid)
{
	uint32_t waiting = 0;
	int status;

	while (!waiting && !waitpid(pid, &status, WNOHANG)) {
		ok(cdb_get(rig_cdb, &err,
			   "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'", ">u",
			   &waiting));
		/* The server gives the same answer again to whoever asks within 100 ms. */
		usleep(150000);
	}
	assert_int_equal(waiting, 1);
}

void rig_load(uint32_t vni, struct vpc_state *ret_state)
{
	struct vpc_digest digest;

	ok(cdb_state_load(rig_cdb, vni, ret_state, &err));
	ok(vpc_state_check(ret_state, &err));
	digest = vpc_digest_of_state(ret_state);
	assert_true(vpc_digest_equal(&digest, &ret_state->digest));
}
