/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The multicast group "events": what happened, for agents that would rather be told than ask. A lost event is for user
 * space to notice (ENOBUFS), so nothing here can fail.
 */
#ifndef VPC_CONTROL_EVENT_H
#define VPC_CONTROL_EVENT_H

#include "../tables/port.h"
#include "../tables/vpc.h"

enum vpc_mcgrp {
	VPC_MCGRP_EVENTS,
};

/* All with vnet->lock held. */
void vpc_event_vpc(struct vpc_net *vnet, enum vpc_event event, u32 vni);
void vpc_event_port(const struct vpc_port *port, enum vpc_event event);
void vpc_event_quota(const struct vpc *vpc);
/* @change: the change id or NULL. */
void vpc_event_commit(const struct vpc_version *version, const char *change);

#endif
