/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client of the generic netlink family "vpc" (libnl-genl-3). Blocking, with a receive timeout; one struct is one
 * socket.
 *
 * The agent has one for commands and one for events; vpc_reconcile and vpcctl have one. Messages are built and parsed
 * by lib/kernel_msg.c, which does no I/O. Every function fills @err with the kernel's extack text where there is one.
 * A dump that was interrupted or cut short is an error (-EINTR, -EIO...), never a shorter table. -ENODEV from any
 * function but kernel_open(): the module was unloaded since; close, open again and take nothing of before for
 * granted.
 */
#ifndef VPC_KERNEL_H
#define VPC_KERNEL_H

#include "model.h"

struct kernel;

struct kernel_host {
	struct vpc_addr vtep4, vtep6; /* family 0: none */
	uint16_t udp_port;
	uint64_t instance;
	char version[32];
};

struct kernel_vpc {
	uint32_t vni;
	uint64_t epoch;
	struct vpc_digest digest;
	uint64_t quota, memory, n_routes;
	uint32_t n_nexthops, n_members, n_tables, n_ports;
	uint32_t flags; /* VPC_F_* */
	uint32_t faults; /* VPC_FAULT_*, of kernel_verify() alone */
};

/* conf.addrs is owned; kernel_ports_free() frees it. conf.id is 0. */
struct kernel_port {
	struct vpc_port conf;
	uint32_t ifindex; /* 0: absent */
};

struct kernel_stats {
	uint32_t vni; /* 0: the namespace's */
	char ifname[16]; /* "": the VPC's */
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t drops[VPC_DROP_MAX + 1];
};

struct kernel_lookup {
	char ifname[16]; /* from this port; "": from the wire with vni, outer_src */
	uint32_t vni;
	struct vpc_addr outer_src, src, dst;
	bool has_src_mac;
	uint8_t src_mac[6];
	uint8_t ttl; /* 0: 64 */
	uint8_t proto; /* IP protocol; 0: none */
	bool has_ports;
	uint16_t sport, dport;
	uint32_t len; /* bytes of the IP packet; 0: fits everywhere */
};

struct kernel_step {
	uint8_t step; /* enum vpc_step */
	bool ok;
	bool has_table, has_prefix, has_nexthop, has_vni, has_bucket, has_mtu;
	uint32_t table, vni, bucket, mtu;
	struct vpc_prefix prefix;
	struct vpc_nl_nexthop nexthop;
	char ifname[16];
};

struct kernel_explain {
	uint8_t verdict; /* enum vpc_verdict */
	uint8_t reason; /* enum vpc_drop */
	unsigned int n_steps;
	struct kernel_step steps[32];
};

struct kernel_event {
	uint8_t event; /* enum vpc_event */
	uint32_t vni;
	uint64_t epoch;
	struct vpc_digest digest;
	char change[VPC_CHANGE_MAX + 1];
	char ifname[16];
};

/* -ENOENT: the family is not there (module not loaded, or too old); @netns: path or name of a namespace, NULL: ours. */
int kernel_open(const char *netns, struct kernel **ret_kernel, struct vpc_err *err);
void kernel_close(struct kernel *k);
void kernel_closep(struct kernel **k);

/* One of the VTEPs may have family 0 (none), not both. */
int kernel_host_set(struct kernel *k, const struct vpc_addr *vtep4, const struct vpc_addr *vtep6, uint16_t udp_port,
		    struct vpc_err *err);
int kernel_host_get(struct kernel *k, struct kernel_host *ret_host, struct vpc_err *err);

int kernel_vpc_new(struct kernel *k, uint32_t vni, uint64_t quota, struct vpc_err *err); /* -EEXIST */
/* New, or another quota and other flags (VPC_F_*; NULL: those that it has stay). */
int kernel_vpc_set(struct kernel *k, uint32_t vni, uint64_t quota, const uint32_t *flags, struct vpc_err *err);
int kernel_vpc_del(struct kernel *k, uint32_t vni, struct vpc_err *err);
int kernel_vpc_get(struct kernel *k, uint32_t vni, struct kernel_vpc *ret_vpc, struct vpc_err *err); /* -ENOENT */
/* free() the array. */
int kernel_vpc_list(struct kernel *k, struct kernel_vpc **ret_vpcs, size_t *ret_n, struct vpc_err *err);

int kernel_port_set(struct kernel *k, const struct vpc_port *port, struct vpc_err *err); /* create or change */
int kernel_port_del(struct kernel *k, const char *dev, struct vpc_err *err);
int kernel_port_list(struct kernel *k, struct kernel_port **ret_ports, size_t *ret_n, struct vpc_err *err);
void kernel_ports_free(struct kernel_port *ports, size_t n);

/*
 * A whole transaction: BEGIN, as many ADDs as it takes, COMMIT with the digest; aborted on any failure. -ESTALE,
 * -EBADMSG as the kernel says. kernel_replace() writes @state whole, under compare-and-set on @base when it is not
 * NULL. kernel_apply() takes the kernel over @n deltas at once, each with the epoch of the one before as its base:
 * what is between the first one's base and the last one's epoch is nobody's to see.
 */
int kernel_apply(struct kernel *k, const struct vpc_delta *deltas, size_t n, struct vpc_err *err);
int kernel_replace(struct kernel *k, const struct vpc_state *state, const uint64_t *base, const char *change,
		   struct vpc_err *err);

/*
 * One snapshot of a VPC: nexthops, members, routes, sorted; epoch and digest are the kernel's own. Nexthops with
 * members and routes are two dumps; when a commit falls between them it is read again (a few times, then -EAGAIN).
 * -ENOENT: no such VPC. -EUCLEAN: it has fewer or more than the kernel says that it holds.
 */
int kernel_dump(struct kernel *k, uint32_t vni, struct vpc_state *ret_state, struct vpc_err *err);
/* *ret_found: of the tables alone. All is right where it is ret_vpc->digest, and ret_vpc->faults is 0. */
int kernel_verify(struct kernel *k, uint32_t vni, struct kernel_vpc *ret_vpc, struct vpc_digest *ret_found,
		  struct vpc_err *err);
/* "index of a large table" ..., of the bit @bit of VPC_FAULT_*; NULL: not known. */
const char *kernel_fault_name(unsigned int bit);
int kernel_stats(struct kernel *k, struct kernel_stats **ret_stats, size_t *ret_n, struct vpc_err *err);
int kernel_explain(struct kernel *k, const struct kernel_lookup *lookup, struct kernel_explain *ret,
		   struct vpc_err *err);

/* Events: join the group on this socket (use a struct kernel of its own); fd for the event loop, non-blocking. */
int kernel_events_join(struct kernel *k, struct vpc_err *err);
/* Before joining, one of them: all but one kind; those alone that name the VPC @vni. (lib/kernel_filter.c) */
int kernel_events_without(struct kernel *k, enum vpc_event event, struct vpc_err *err);
int kernel_events_of(struct kernel *k, uint32_t vni, struct vpc_err *err);
int kernel_fd(struct kernel *k);
/* -EAGAIN: nothing more now. -ENOBUFS: events were lost, read the state again. */
int kernel_event_next(struct kernel *k, struct kernel_event *ret_event, struct vpc_err *err);

#endif
