/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nlfuzz and nlfail share: raw messages to the family "vpc", without a library that would refuse to make a wrong
 * one, and what the namespace's kernel holds as one number. Whatever cannot be done ends the program with 2.
 */
#ifndef NLFUZZ_STATE_H
#define NLFUZZ_STATE_H

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "../../../lib/kernel.h"

#define NL_MSG_MAX 8192U

/* A message under construction. */
struct nl_out {
	_Alignas(8) uint8_t buf[NL_MSG_MAX];
	size_t len;
};

void nl_begin(struct nl_out *msg, uint8_t cmd, uint16_t flags);
/* Attributes that do not fit any more are left out. */
void nl_put(struct nl_out *msg, uint16_t type, const void *data, size_t len);
void nl_put_u32(struct nl_out *msg, uint16_t type, uint32_t value);
void nl_put_u64(struct nl_out *msg, uint16_t type, uint64_t value);
size_t nl_nest(struct nl_out *msg, uint16_t type);
void nl_nest_end(struct nl_out *msg, size_t at);

/* What came of a message: 0 or -errno, of sending too; the refusal's text, "" when there is none. */
struct nl_result {
	int code;
	bool lost; /* the kernel had no memory for its answer: @code is not known */
	char text[128];
	uint32_t txn; /* of TXN_BEGIN's answer, 0: none */
	uint64_t hash; /* of all that came, but for what may differ between two equal states */
};

/* A socket of its own: a socket owns the transactions that it began. */
int nl_open(void);
/* Sends @msg as it is and reads all that answers it. */
void nl_talk(int fd, const struct nl_out *msg, struct nl_result *ret);

/*
 * All that the namespace's kernel holds and says: host, VPCs with epoch, digest, counts, quota and flags, ports. Not
 * its memory in use, open transactions or counters.
 */
uint64_t state_hash(void);
/* Each VPC: the digest that it keeps is that of its live tables, and of what it dumps, by the library. */
void state_verify(void);
/* Deletes all ports and VPCs, and gives the host its VTEP and port. */
void state_reset(void);

extern struct kernel *state_kernel; /* to look, and to set up what is needed */
void state_begin(void);

void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
