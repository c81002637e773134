// SPDX-License-Identifier: Apache-2.0
/*
 * Changes this namespace's kernel behind the agent's back where vpcctl has no verb for it, so that scenarios can see
 * what vpc_reconcile says. Called by tests/e2e/vm_reconcile.sh in a host's namespace.
 *
 *   tamper vpc add VNI            an empty VPC                tamper vpc del VNI
 *   tamper nexthop set VNI ID gateway VTEP | blackhole        tamper nexthop del VNI ID      at the kernel's own epoch
 *   tamper epoch VNI N            the same content, said to be of epoch N
 *   tamper port del DEV
 *
 * Exit status: 0, 1 the kernel refused, 2 wrong call.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/digest.h"
#include "../../lib/kernel.h"
#include "../../lib/util.h"

static struct kernel *kernel;

static int usage(void)
{
	fprintf(stderr, "usage: tamper vpc add|del VNI; nexthop set VNI ID gateway VTEP|blackhole; nexthop del VNI ID; "
			"epoch VNI N; port del DEV\n");
	return 2;
}

static int outcome(int r, const struct vpc_err *err)
{
	if (r)
		fprintf(stderr, "tamper: %s\n", err->text);
	return r ? 1 : 0;
}

/* Words as at the top of this file, behind "nexthop set VNI ID". Return: 0, -EINVAL. */
static int nexthop_parse(int argc, char **argv, struct vpc_nl_nexthop *nh)
{
	struct vpc_addr vtep;
	struct vpc_err err;

	if (argc == 1 && !strcmp(argv[0], "blackhole")) {
		nh->type = VPC_NEXTHOP_BLACKHOLE;
		return 0;
	}
	if (argc != 2 || strcmp(argv[0], "gateway") || vpc_addr_parse(argv[1], &vtep, &err))
		return -EINVAL;
	nh->type = VPC_NEXTHOP_GATEWAY;
	nh->family = vtep.family;
	memcpy(nh->addr, vtep.bytes, sizeof(nh->addr));
	return 0;
}

/* @nh: the nexthop to set, or with VPC_OP_DEL the one to delete. NULL: nothing. @epoch: 0 for the kernel's own. */
static int commit(uint32_t vni, const struct vpc_nl_nexthop *nh, uint64_t epoch)
{
	const struct vpc_nl_nexthop *old;
	struct vpc_delta delta;
	struct vpc_state state;
	struct vpc_err err;
	int r;

	vpc_state_init(&state, vni);
	vpc_delta_init(&delta, vni);
	r = kernel_dump(kernel, vni, &state, &err);
	if (r)
		return outcome(r, &err);
	delta.base = state.epoch;
	delta.epoch = epoch ? epoch : state.epoch;
	delta.digest = state.digest;
	snprintf(delta.change, sizeof(delta.change), "tampered");
	if (nh) {
		old = vpc_state_find_nexthop(&state, nh->id);
		if (old)
			vpc_digest_sub_nexthop(&delta.digest, old);
		if (nh->op == VPC_OP_SET)
			vpc_digest_add_nexthop(&delta.digest, nh);
		r = nh->op == VPC_OP_SET ? vpc_delta_set_nexthop(&delta, nh) : vpc_delta_del_nexthop(&delta, nh->id);
	}
	r = r ? vpc_err_set(&err, r, "out of memory") : kernel_apply(kernel, &delta, 1, &err);
	vpc_delta_clear(&delta);
	vpc_state_clear(&state);
	return outcome(r, &err);
}

static int nexthop(int argc, char **argv)
{
	struct vpc_nl_nexthop nh = { .op = VPC_OP_SET };

	if (argc < 3)
		return usage();
	nh.id = strtoul(argv[2], NULL, 0);
	if (argc == 3 && !strcmp(argv[0], "del"))
		nh.op = VPC_OP_DEL;
	else if (strcmp(argv[0], "set") || nexthop_parse(argc - 3, argv + 3, &nh))
		return usage();
	return commit(strtoul(argv[1], NULL, 0), &nh, 0);
}

static int run(int argc, char **argv)
{
	struct vpc_err err;

	if (argc >= 4 && !strcmp(argv[1], "nexthop"))
		return nexthop(argc - 2, argv + 2);
	if (argc != 4)
		return usage();
	if (!strcmp(argv[1], "epoch"))
		return commit(strtoul(argv[2], NULL, 0), NULL, strtoull(argv[3], NULL, 0));
	if (!strcmp(argv[1], "vpc") && !strcmp(argv[2], "add"))
		return outcome(kernel_vpc_new(kernel, strtoul(argv[3], NULL, 0), 0, &err), &err);
	if (!strcmp(argv[1], "vpc") && !strcmp(argv[2], "del"))
		return outcome(kernel_vpc_del(kernel, strtoul(argv[3], NULL, 0), &err), &err);
	if (!strcmp(argv[1], "port") && !strcmp(argv[2], "del"))
		return outcome(kernel_port_del(kernel, argv[3], &err), &err);
	return usage();
}

int main(int argc, char **argv)
{
	struct vpc_err err;
	int r;

	if (kernel_open(NULL, &kernel, &err))
		return outcome(-ENOENT, &err);
	r = run(argc, argv);
	kernel_close(kernel);
	return r;
}
