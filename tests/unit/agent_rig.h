/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the whole-agent tests share: a publisher for the ZooKeeper in memory (agent_fake.h), and the agent on its
 * event loop.
 *
 * Include after cmocka.h. Everything asserts; nothing returns an error.
 */
#ifndef AGENT_RIG_H
#define AGENT_RIG_H

#include "../../agent/agent.h"
#include "../../lib/digest.h"
#include "../../lib/util.h"
#include "../../proto/znode.h"
#include "agent_fake.h"

#define WAIT_US 20000000

/* One VPC as published: its state now, and the HEAD that goes with it. */
struct pub {
	struct vpc_state state;
	struct vpc_head head;
	struct vpc_delta delta; /* not published yet */
};

extern struct vpc_host_ports host_ports; /* what pub_ports() publishes for host h1 */

void put_text(const char *path, const char *text);

void pub_init(struct pub *p, uint32_t vni);
void pub_clear(struct pub *p);
/* Into the delta that is to come: 10.0.0.0 + @n /32, in table 0; a host with the VTEP 192.0.2.@id. */
void add_route(struct pub *p, unsigned int n, uint32_t nexthop);
void add_nexthop(struct pub *p, uint32_t id);
void pub_delta(struct pub *p, unsigned int skip);
void pub_snapshot(struct pub *p);
void pub_head(struct pub *p);
void pub_change(struct pub *p, unsigned int n);
void pub_start(struct pub *p, uint32_t vni, unsigned int n, bool snapshot);

void want_port(unsigned int n, uint32_t vni);
void want_nothing(void);
char *ports_path(void);
void pub_ports(void);

/* [agent] run_dir of agents that start; NULL, which the setup makes it: none. */
extern const char *rig_run_dir;
extern const char *rig_state_dir; /* the same of the cache */
extern unsigned int rig_metrics_port; /* 0, which the setup makes it: none */

struct agent *agent_start(void);
void run_idle(struct agent *a);
struct agent *start_live(struct pub *p, uint32_t vni);
void finish(struct agent *a, struct pub *p);

#define run_until(a, cond)                                                 \
	do {                                                               \
		uint64_t end = now_monotonic_us() + WAIT_US;               \
		while (!(cond)) {                                          \
			if (now_monotonic_us() > end) {                    \
				fake_log_print();                          \
				fail_msg("never became true: %s", #cond);  \
			}                                                  \
			assert_true(sd_event_run((a)->event, 50000) >= 0); \
		}                                                          \
	} while (0)

/* The kernel and what was published: whether the epoch is there; that all is; how often the kernel was changed. */
bool reached(const struct pub *p);
void assert_same(const struct pub *p);
unsigned int writes(void);

int rig_setup(void **state);
int rig_teardown(void **state);

#endif
