/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * May this packet come in? The checks of a packet from the wire that most packets do not need: pipeline.c asks here
 * when the sender is no VTEP of the VPC itself, and in strict mode. No side effect, as all of the decision.
 */
#ifndef VPC_PIPELINE_WIRE_H
#define VPC_PIPELINE_WIRE_H

#include "pipeline.h"

/**
 * struct vpc_arrival - a packet as it comes into a VPC
 * @flow: its inner addresses
 * @vpc: the VPC that it comes into, @version of it
 * @outer_saddr: who sent it, 4 or 16 bytes by @outer_family
 */
struct vpc_arrival {
	const struct vpc_flow *flow;
	const struct vpc *vpc;
	const struct vpc_version *version;
	u8 outer_family;
	const u8 *outer_saddr;
};

/* Whether the sender is a VTEP of a VPC here that @in->vpc has a PEER nexthop to. */
bool vpc_arrival_is_from_peer(const struct vpc_arrival *in);

/*
 * Whether a reply to the inner source, looked up from @table of @in->vpc, may go to the sender (strict mode): through
 * LOCAL, PEER and every member of a GROUP to a HOST or GATEWAY nexthop with that VTEP.
 */
bool vpc_arrival_leads_back(const struct vpc_arrival *in, u32 table);

#endif
