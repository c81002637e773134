/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of CDB against a real server: tests/e2e/ctl.bats starts a private MariaDB and runs them with
 * VPC_CDB_SOCKET, VPC_CDB_USER and VPC_CDB_PASSWORD; without these only what needs no server runs. All of it happens in
 * a database of the process's own.
 */
#ifndef VPC_TEST_CDB_RIG_H
#define VPC_TEST_CDB_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "../../lib/cdb_stmt.h"
#include "../../lib/intent.h"

extern struct vpc_config rig_config;
extern struct cdb *rig_cdb; /* NULL: there is no server */

int rig_setup(void **state);
int rig_teardown(void **state);
void rig_need_server(void); /* else the test is skipped */

struct intent rig_intent(void);
struct vpc_prefix rig_prefix(const char *text);
struct vpc_addr rig_addr(const char *text);
/* With range 10.0.0.0/8. */
void rig_vpc_new(const char *name, uint32_t vni);
/* The state, whose digest is that of what is there. */
void rig_load(uint32_t vni, struct vpc_state *ret_state);
void rig_copy(const struct vpc_state *from, struct vpc_state *to);
void rig_assert_same(const struct vpc_state *a, const struct vpc_state *b);
/* Until the server lets @pid's transaction, the only one that does, wait for a lock. */
void rig_wait_blocked(pid_t pid);

/* One line with the server's or the library's reason. */
#define ok(expr)                                                       \
	do {                                                           \
		struct vpc_err err = {};                               \
		int ok_r = (expr);                                     \
		if (ok_r)                                              \
			fail_msg("%s: %d, %s", #expr, ok_r, err.text); \
	} while (0)

#define refused(expr, code, says)                                           \
	do {                                                                \
		struct vpc_err err = {};                                    \
		int refused_r = (expr);                                     \
		if (refused_r != (code) || !strstr(err.text, says))         \
			fail_msg("%s: %d, %s", #expr, refused_r, err.text); \
	} while (0)

#endif
