/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may send to a VPC from the wire, as its nexthops say: the VTEPs among them, and the VPCs that it peers with.
 * Built by nexthop.c when a set is sealed, read by the data path; shared by sets for which it is the same.
 */
#ifndef VPC_SOURCES_H
#define VPC_SOURCES_H

#include <linux/in6.h>
#include <linux/refcount.h>
#include <linux/types.h>

struct vpc_nhset;

/**
 * struct vpc_sources - never changed after it is made
 * @slots4: of the hash of IPv4 VTEPs, open addressing, empty where it is 0; at least 1
 * @slots6: of IPv6 VTEPs, the same; 0: none
 * @n_peers: VNIs that peers lead to
 * @addr6: behind @addr4
 * @peers: ascending, each once; behind @addr6
 */
struct vpc_sources {
	refcount_t refs;
	u32 slots4;
	u32 slots6;
	u32 n_peers;
	struct in6_addr *addr6;
	u32 *peers;
	__be32 addr4[];
};

void vpc_sources_init(void);	/* before all others */
/* 0 or -ENOMEM; *ret_sources is NULL when there are none. May sleep. */
int vpc_sources_new(const struct vpc_nhset *set, struct vpc_sources **ret_sources);
void vpc_sources_get(struct vpc_sources *sources);	/* NULL: no-op */
void vpc_sources_put(struct vpc_sources *sources);
size_t vpc_sources_memory(const struct vpc_sources *sources);
bool vpc_sources_has_vtep(const struct vpc_sources *sources, u8 family, const u8 *addr);

#endif
