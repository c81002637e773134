/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stand-ins for ZooKeeper (lib/zk.h), the kernel (lib/kernel.h) and the log (lib/log.h), in memory, for the agent's
 * unit tests.
 *
 * They take the places of the library's own when a test is linked. ZooKeeper answers from zk_dispatch(), in the order
 * asked, as the real client does; the kernel keeps whole states and refuses what vpc.ko would.
 */
#ifndef AGENT_FAKE_H
#define AGENT_FAKE_H

#include <stdbool.h>
#include "../../lib/kernel.h"
#include "../../lib/zk.h"

/* -- ZooKeeper ----------------------------------------------------------------------------------------------------- */

void fake_zk_reset(void); /* an empty tree, nobody connected */
void fake_zk_connect(void); /* the same session, or a new one after an expiry */
void fake_zk_disconnect(void);
void fake_zk_expire(void); /* its ephemerals go */
void fake_zk_set(const char *path, const char *data, size_t len);
void fake_zk_del(const char *path);
const char *fake_zk_data(const char *path); /* NULL: no such node */
unsigned int fake_zk_gets(const char *part); /* reads of nodes with @part in their path since the reset */
bool fake_zk_watched(const char *path); /* its next change will be told */
void fake_zk_hold(const char *part); /* no answers for these until NULL is given */
bool fake_zk_session_owns(const char *path); /* an ephemeral of the session that is open now */

/* -- the kernel ---------------------------------------------------------------------------------------------------- */

/* What was called since fake_kernel_reset(), refusals included. */
struct fake_calls {
	unsigned int host_set, vpc_set, vpc_del, port_set, port_del, apply, replace, dump;
	size_t apply_ops; /* of the last kernel_apply() */
};

extern struct fake_calls fake_calls;

/* A flag of a port that the kernel does not know. */
#define FAKE_PORT_F_REFUSED (1U << 31)

void fake_kernel_reset(void); /* present, empty, another instance */
void fake_kernel_unload(void); /* every call fails until fake_kernel_reset() */
struct vpc_state *fake_kernel_vpc(uint32_t vni); /* its tables, NULL: no such VPC */
uint64_t fake_kernel_quota(uint32_t vni);
const struct vpc_port *fake_kernel_port(const char *dev);
void fake_kernel_put_vpc(const struct vpc_state *state); /* as if an agent before had left it */
void fake_kernel_refuse(int code, unsigned int times); /* of the next transactions */
void fake_kernel_fail_dumps(int code, unsigned int times); /* the next dumps, of whatever */
void fake_kernel_fail_content(int code); /* the next dump of a VPC's content */
void fake_kernel_after_dump(void (*fn)(void)); /* called at the end of the next whole dump */
void fake_kernel_on_explain(void (*fn)(void)); /* called before each answer; NULL: nothing */
void fake_kernel_faults(uint32_t faults); /* what kernel_verify() says from now on, VPC_FAULT_* */
void fake_kernel_skew(uint32_t vni); /* its running digest goes wrong, its tables do not */
void fake_kernel_event(const struct kernel_event *event);
void fake_kernel_lose_events(void);

/* -- the log ------------------------------------------------------------------------------------------------------- */

void fake_log_reset(void);
unsigned int fake_log_count(const char *part); /* lines with @part in them since the reset */
void fake_log_print(void); /* for a test that fails */

#endif
