// SPDX-License-Identifier: Apache-2.0
/*
 * One VPC of any size and a host that has it, straight into the ZooKeeper of VPC_ZK_HOSTS, as vpc_publisher would leave
 * them: for benchmarks that are about the agent, and would wait minutes for CDB.
 *
 *   zkfill HOST VNI ROUTES [EPOCH]
 *
 * HOST has the VTEP 192.0.2.1 and port p1, 10.0.0.5; 10.0.0.6 is on the host 192.0.2.2. The other routes are ROUTES/24s
 * in table 1 from 16.0.0.0 on, spread over 64 hosts. Prints "ROUTES BYTES CHUNKS".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../lib/digest.h"
#include "../../lib/util.h"
#include "../../lib/zk.h"
#include "../../proto/znode.h"

#define TIMEOUT_MS 30000
#define HOSTS	   64
#define LOCAL	   0x80000000u

static struct zk *zk;

static void check(int r, const char *what, const char *text)
{
	if (!r)
		return;
	fprintf(stderr, "zkfill: %s: %s\n", what, text && *text ? text : zk_strerror(r));
	exit(1);
}

static size_t put(const char *path, char *data, size_t len)
{
	struct zk_op op = { .type = ZK_OP_SET, .path = path, .data = data, .len = len, .version = -1 };

	check(zk_mkpath_wait(zk, path, TIMEOUT_MS), path, NULL);
	check(zk_multi_wait(zk, &op, 1, TIMEOUT_MS, NULL), path, NULL);
	free(data);
	return len;
}

static struct vpc_prefix prefix4(uint32_t addr, uint8_t plen)
{
	struct vpc_prefix prefix = { .family = AF_INET, .plen = plen };

	addr = htonl(addr);
	memcpy(prefix.bytes, &addr, sizeof(addr));
	return prefix;
}

static void add_route(struct vpc_state *state, uint32_t table, uint32_t addr, uint8_t plen, uint32_t nexthop)
{
	const struct vpc_route route = { .table = table, .nexthop = nexthop, .prefix = prefix4(addr, plen) };

	check(vpc_state_add_route(state, &route), "route", "out of memory");
}

static void fill(struct vpc_state *state, uint32_t routes)
{
	struct vpc_nl_nexthop nh = { .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2 } };
	const struct vpc_nl_nexthop local = { .id = LOCAL, .type = VPC_NEXTHOP_LOCAL };
	struct vpc_err err = { "" };

	for (nh.id = 1; nh.id <= HOSTS; nh.id++) {
		nh.addr[3] = nh.id;
		check(vpc_state_add_nexthop(state, &nh), "nexthop", "out of memory");
	}
	check(vpc_state_add_nexthop(state, &local), "nexthop", "out of memory");
	add_route(state, 0, 0x0a000005, 32, 1);
	add_route(state, 0, 0x0a000006, 32, 2);
	add_route(state, 1, 0x0a000000, 24, LOCAL);
	for (uint32_t i = 0; i + 3 < routes; i++)
		add_route(state, 1, 0x10000000 + (i << 8), 24, 1 + i * 7 % HOSTS);
	check(vpc_state_sort(state, &err), "state", err.text);
	check(vpc_state_check(state, &err), "state", err.text);
	state->digest = vpc_digest_of_state(state);
}

static void put_ports(const char *name, uint32_t vni)
{
	struct vpc_prefix addr = prefix4(0x0a000005, 32);
	struct vpc_port port = { .id = 1,
				 .vni = vni,
				 .dev = "p1",
				 .mac = { 2, 0, 0, 0, 0, 1 },
				 .table = 1,
				 .addrs = &addr,
				 .n_addrs = 1,
				 .gateway4 = { AF_INET, { 10, 0, 0, 1 } } };
	struct vpc_host_ports ports = { .revision = 1,
					.udp_port = 4789,
					.ports = &port,
					.n_ports = 1,
					.vtep4 = { AF_INET, { 192, 0, 2, 1 } } };
	char path[VPC_ZNODE_PATH_MAX], *data;
	size_t len;

	snprintf(ports.host, sizeof(ports.host), "%s", name);
	check(vpc_host_ports_format(&ports, &data, &len), "ports", NULL);
	put(vpc_path_host(name, "ports", path), data, len);
}

int main(int argc, char **argv)
{
	const char *hosts = getenv("VPC_ZK_HOSTS");
	char path[VPC_ZNODE_PATH_MAX], *data;
	struct vpc_err err = { "" };
	struct vpc_state state;
	struct vpc_head head;
	size_t pos = 0, all, len, bytes = 0;
	uint32_t vni;

	if (!hosts || argc < 4) {
		fputs("usage: VPC_ZK_HOSTS=... zkfill HOST VNI ROUTES [EPOCH]\n", stderr);
		return 1;
	}
	vni = strtoul(argv[2], NULL, 10);
	check(zk_open(hosts, 10000, NULL, NULL, &zk, &err), hosts, err.text);
	check(zk_connect_wait(zk, TIMEOUT_MS), hosts, NULL);
	vpc_state_init(&state, vni);
	state.epoch = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
	fill(&state, strtoul(argv[3], NULL, 10));
	head = (struct vpc_head){ .vni = vni, .epoch = state.epoch, .snapshot = state.epoch, .oldest = state.epoch + 1,
				  .digest = state.digest, .snapshot_digest = state.digest };
	all = state.n_nexthops + state.n_members + state.n_routes;
	for (; pos < all; head.chunks++) {
		check(vpc_chunk_format(&state, head.chunks, &pos, &data, &len), "chunk", NULL);
		bytes += put(vpc_path_chunk(vni, state.epoch, head.chunks, path), data, len);
	}
	check(vpc_head_format(&head, &data, &len), "HEAD", NULL);
	put(vpc_path_vpc(vni, path), data, len);
	put_ports(argv[1], vni);
	printf("%zu %zu %u\n", state.n_routes, bytes, head.chunks);
	vpc_state_clear(&state);
	zk_close(zk);
	return 0;
}
