/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one namespace's kernel has, whole: its host, VPCs with all their content, ports. Read from a kernel, written
 * into a kernel, and as text, one thing a line, in both directions. Used by `vpcctl kernel save|restore` and by
 * `vpcctl kernel swap`, which carries the state over from one vpc.ko to the next.
 *
 * The text is described in doc/operations.md. lib/kstate_parse.c reads it, lib/kstate_text.c writes it,
 * lib/kstate_kernel.c speaks with the kernel.
 */
#ifndef VPC_KSTATE_H
#define VPC_KSTATE_H

#include <stdio.h>
#include "kernel.h"

/* @has_epoch: state.epoch is to be reached; else the one after the kernel's. */
struct kstate_vpc {
	struct vpc_state state; /* sorted, sound, with its digest */
	bool has_epoch;
	uint64_t quota;
	uint32_t flags; /* VPC_F_* */
};

struct kstate {
	bool has_host;
	struct vpc_addr vtep4, vtep6; /* family 0: none */
	uint16_t udp_port;
	struct kstate_vpc *vpcs; /* ascending by VNI */
	size_t n_vpcs, cap_vpcs;
	struct vpc_port *ports; /* each of a VPC above */
	size_t n_ports, cap_ports;
};

void kstate_init(struct kstate *ks);
void kstate_clear(struct kstate *ks);

/**
 * kstate_parse() - text to state
 * @name: of the file, for the message
 * @text: @len bytes, need no NUL
 *
 * Everything is checked: after a success the kernel can refuse nothing but for reasons of its own (memory, quota, a
 * VTEP that is not this host's). Return: 0, -ENOMEM, -EINVAL, -EBADMSG (a digest given is not the content's), with
 * "NAME:LINE: what is wrong" in @err.
 */
int kstate_parse(const char *name, const char *text, size_t len, struct kstate *ret, struct vpc_err *err);

/* One thing a line; kstate_parse() reads it back to the same. -EIO when writing failed. */
int kstate_print(const struct kstate *ks, FILE *out);

/* @vnis: NULL for everything, the host too; else these VPCs with their ports, -ENOENT when one is not there. */
int kstate_read(struct kernel *k, const uint32_t *vnis, size_t n, struct kstate *ret, struct vpc_err *err);

/**
 * kstate_apply() - make the kernel what @ks says, for every VPC that it names
 *
 * Ports that are not in @ks go first, then each VPC becomes its content in one transaction, then ports come. The host
 * is changed only when @ks has one, VPCs not named are left alone. A VPC whose epoch would go back is made anew. Each
 * VPC is whole or as it was; what was done before a failure stays.
 */
int kstate_apply(struct kernel *k, const struct kstate *ks, struct vpc_err *err);

/* Deletes every port and VPC that @ks names; what is gone already is no failure. */
int kstate_unbind(struct kernel *k, const struct kstate *ks, struct vpc_err *err);

#endif
