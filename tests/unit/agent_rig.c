// SPDX-License-Identifier: Apache-2.0
/*
 * A publisher and an agent for the whole-agent tests; see agent_rig.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>
#include "../../lib/diff.h"
#include "agent_rig.h"

/* -- a publisher --------------------------------------------------------------------------------------------------- */

struct vpc_host_ports host_ports;
static struct vpc_port port_array[256];

static void put(const char *path, char *data, size_t len)
{
	fake_zk_set(path, data, len);
	free(data);
}

void put_text(const char *path, const char *text)
{
	fake_zk_set(path, text, strlen(text));
}

void pub_init(struct pub *p, uint32_t vni)
{
	*p = (struct pub){ .head = { .vni = vni, .oldest = 1 } };
	vpc_state_init(&p->state, vni);
	vpc_delta_init(&p->delta, vni);
}

void pub_clear(struct pub *p)
{
	vpc_state_clear(&p->state);
	vpc_delta_clear(&p->delta);
}

void add_route(struct pub *p, unsigned int n, uint32_t nexthop)
{
	struct vpc_route route = { .nexthop = nexthop, .prefix = { .family = AF_INET, .plen = 32 } };
	uint32_t addr = htonl(0x0a000000 + n);

	memcpy(route.prefix.bytes, &addr, 4);
	assert_int_equal(vpc_delta_set_route(&p->delta, &route), 0);
}

void add_nexthop(struct pub *p, uint32_t id)
{
	struct vpc_nl_nexthop nh = { .id = id, .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2, id } };

	assert_int_equal(vpc_delta_set_nexthop(&p->delta, &nh), 0);
}

/* The delta becomes the next epoch, or @skip epochs are coalesced into it. Without HEAD. */
void pub_delta(struct pub *p, unsigned int skip)
{
	char path[VPC_ZNODE_PATH_MAX], *data;
	struct vpc_err err;
	size_t len;

	p->delta.base = p->state.epoch;
	p->delta.epoch = p->state.epoch + 1 + skip;
	assert_int_equal(vpc_state_apply(&p->state, &p->delta, &err), 0);
	p->delta.digest = p->state.digest = vpc_digest_of_state(&p->state);
	assert_int_equal(vpc_delta_format(&p->delta, &data, &len), 0);
	put(vpc_path_delta(p->state.vni, p->state.epoch, path), data, len);
	vpc_delta_clear(&p->delta);
}

/* All that is published becomes a snapshot; the log before it goes. */
void pub_snapshot(struct pub *p)
{
	char path[VPC_ZNODE_PATH_MAX], *data;
	size_t pos = 0, len, all = p->state.n_nexthops + p->state.n_members + p->state.n_routes;
	uint32_t chunk = 0;

	for (; pos < all; chunk++) {
		assert_int_equal(vpc_chunk_format(&p->state, chunk, &pos, &data, &len), 0);
		put(vpc_path_chunk(p->state.vni, p->state.epoch, chunk, path), data, len);
	}
	for (uint64_t e = p->head.oldest; e <= p->state.epoch; e++)
		fake_zk_del(vpc_path_delta(p->state.vni, e, path));
	p->head.snapshot = p->state.epoch;
	p->head.snapshot_digest = p->state.digest;
	p->head.chunks = chunk;
	p->head.oldest = p->state.epoch + 1;
}

void pub_head(struct pub *p)
{
	char path[VPC_ZNODE_PATH_MAX], *data;
	size_t len;

	p->head.epoch = p->state.epoch;
	p->head.digest = p->state.digest;
	assert_int_equal(vpc_head_format(&p->head, &data, &len), 0);
	put(vpc_path_vpc(p->state.vni, path), data, len);
}

/* One more route, one more epoch, published. */
void pub_change(struct pub *p, unsigned int n)
{
	add_route(p, n, 1);
	pub_delta(p, 0);
	pub_head(p);
}

/* A VPC at epoch 1 with @n routes, in deltas or in a snapshot. */
void pub_start(struct pub *p, uint32_t vni, unsigned int n, bool snapshot)
{
	pub_init(p, vni);
	add_nexthop(p, 1);
	for (unsigned int i = 0; i < n; i++)
		add_route(p, i, 1);
	if (snapshot) {
		struct vpc_err err;

		p->delta.epoch = 1;
		assert_int_equal(vpc_state_apply(&p->state, &p->delta, &err), 0);
		p->state.digest = vpc_digest_of_state(&p->state);
		vpc_delta_clear(&p->delta);
		pub_snapshot(p);
	} else {
		pub_delta(p, 0);
	}
	pub_head(p);
}

/* Port "tap<n>" in @vni, with the address 10.0.0.<n>. */
void want_port(unsigned int n, uint32_t vni)
{
	struct vpc_port *port = &port_array[host_ports.n_ports++];

	*port = (struct vpc_port){ .id = n + 1, .vni = vni, .table = 1, .mac = { 2, 0, 0, 0, 0, n }, .n_addrs = 1 };
	snprintf(port->dev, sizeof(port->dev), "tap%u", n);
	port->addrs = calloc(1, sizeof(*port->addrs));
	port->addrs[0] = (struct vpc_prefix){ .family = AF_INET, .plen = 32, .bytes = { 10, 0, 0, n } };
}

void want_nothing(void)
{
	for (size_t i = 0; i < host_ports.n_ports; i++)
		vpc_port_clear(&port_array[i]);
	host_ports.n_ports = 0;
}

char *ports_path(void)
{
	static char path[VPC_ZNODE_PATH_MAX];

	return vpc_path_host("h1", "ports", path);
}

void pub_ports(void)
{
	char *data;
	size_t len;

	host_ports.revision++;
	assert_int_equal(vpc_host_ports_format(&host_ports, &data, &len), 0);
	put(ports_path(), data, len);
}

/* -- the agent ----------------------------------------------------------------------------------------------------- */

const char *rig_run_dir;
const char *rig_state_dir;
unsigned int rig_metrics_port;

struct agent *agent_start(void)
{
	struct vpc_config config = { .zk_hosts = strdup("fake"),
				     .zk_session_ms = 1000,
				     .host = strdup("h1"),
				     .status_interval_s = 3600,
				     .metrics_port = rig_metrics_port,
				     .cache = true,
				     .state_dir = rig_state_dir ? strdup(rig_state_dir) : NULL,
				     .run_dir = rig_run_dir ? strdup(rig_run_dir) : NULL };
	struct agent *a;
	struct vpc_err err;

	assert_int_equal(agent_new(&config, NULL, NULL, &a, &err), 0);
	return a;
}

/* Until nothing has been ready for a while: what shall not happen has had its chance. */
void run_idle(struct agent *a)
{
	while (sd_event_run(a->event, 250000) > 0)
		;
}

bool reached(const struct pub *p)
{
	const struct vpc_state *have = fake_kernel_vpc(p->state.vni);

	return have && have->epoch == p->state.epoch;
}

static int no_difference(const struct vpc_diff_entry *entry, void *arg)
{
	return 1;
}

void assert_same(const struct pub *p)
{
	const struct vpc_state *have = fake_kernel_vpc(p->state.vni);

	assert_true(reached(p));
	assert_int_equal(vpc_diff(&p->state, have, no_difference, NULL), 0);
	assert_true(vpc_digest_equal(&p->state.digest, &have->digest));
}

unsigned int writes(void)
{
	return fake_calls.host_set + fake_calls.vpc_set + fake_calls.vpc_del + fake_calls.port_set +
	       fake_calls.port_del + fake_calls.apply + fake_calls.replace;
}

int rig_setup(void **state)
{
	fake_zk_reset();
	fake_kernel_reset();
	fake_log_reset();
	rig_run_dir = rig_state_dir = NULL;
	rig_metrics_port = 0;
	host_ports = (struct vpc_host_ports){ .host = "h1", .udp_port = 4789, .ports = port_array };
	host_ports.vtep4 = (struct vpc_addr){ AF_INET, { 192, 0, 2, 11 } };
	return 0;
}

int rig_teardown(void **state)
{
	want_nothing();
	return rig_setup(state);
}

/* A host with one VPC and one port, synced and live. */
struct agent *start_live(struct pub *p, uint32_t vni)
{
	struct agent *a;

	pub_start(p, vni, 3, false);
	want_port(1, vni);
	pub_ports();
	fake_zk_connect();
	a = agent_start();
	run_until(a, a->state == AGENT_LIVE && fake_kernel_port("tap1"));
	assert_same(p);
	return a;
}

void finish(struct agent *a, struct pub *p)
{
	agent_free(a);
	pub_clear(p);
}
