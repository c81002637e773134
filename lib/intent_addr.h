/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses a port may have, for lib/intent_port.c. Under the VPC's lock.
 */
#ifndef VPC_INTENT_ADDR_H
#define VPC_INTENT_ADDR_H

#include "intent_private.h"

/*
 * The addresses asked for, checked: in the subnet, not its network, broadcast or gateway address, nobody else's. None
 * asked for: the first free one.
 */
int intent_addrs_choose(const struct cdb_change *change, const struct intent_subnet *subnet,
			const struct intent_port *port, struct intent_prefixes *ret_addrs, struct vpc_err *err);
int intent_addrs_load(const struct cdb_change *change, uint32_t port, struct intent_prefixes *ret_addrs,
		      struct vpc_err *err);
/* Locks the host's row, tells the host, and reads what is committed. */
int intent_host_lock(struct cdb_change *change, const char *name, struct intent_host *ret_host, struct vpc_err *err);

#endif
