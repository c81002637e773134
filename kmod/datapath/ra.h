/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Router advertisements (RFC 4861 6.2): nd.c answers solicitations with them, and every port gets one from time to
 * time.
 */
#ifndef VPC_RA_H
#define VPC_RA_H

#include <linux/in6.h>
#include "../tables/port.h"

/*
 * Under RCU, bottom halves off. To @daddr, which is the port's own link-local address or all nodes (NULL). Silent for a
 * port that has no IPv6.
 */
void vpc_ra_send(struct vpc_port *port, const struct in6_addr *daddr);

/* Module init and exit: inside the life of the pernet registration; afterwards no advertisement is under way. */
void vpc_ra_init(void);
void vpc_ra_exit(void);

#endif
