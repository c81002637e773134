/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lib/intent_port.c and lib/intent_move.c share of ports and their places. Under the VPC's lock.
 */
#ifndef VPC_INTENT_PORT_H
#define VPC_INTENT_PORT_H

#include "intent_private.h"

struct intent_port_row {
	uint32_t id, host, standby; /* standby: host of the second place, 0: none */
	uint32_t flags;
	char dev[16], host_name[64], standby_dev[16], standby_name[64];
	uint8_t mac[6];
};

/* -ENOENT with a text. */
int intent_port_find(const struct cdb_change *change, const char *name, struct intent_port_row *ret_port,
		     struct vpc_err *err);
int intent_dev_check(const char *dev, struct vpc_err *err);
/* For a port, or with @standby for a second place. The host is touched. -EEXIST. */
int intent_dev_check_free(const struct cdb_change *change, const struct intent_host *host, const char *dev,
			  bool standby, struct vpc_err *err);
/* A host's nexthop is there as long as the host is a place of one of the VPC's ports. */
int intent_host_nexthop_set(struct cdb_change *change, const struct intent_host *host, struct vpc_err *err);
int intent_host_nexthop_drop(struct cdb_change *change, uint32_t host, struct vpc_err *err);
/* The port's addresses, from one nexthop to another (0: none). */
int intent_port_routes_move(struct cdb_change *change, uint32_t port, uint32_t was, uint32_t is, struct vpc_err *err);
int intent_port_touch(struct cdb_change *change, const struct intent_port_row *port, uint32_t also,
		      struct vpc_err *err);

#endif
