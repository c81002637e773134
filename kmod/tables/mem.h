/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an allocation really takes, for quotas and for MEMORY in answers.
 */
#ifndef VPC_MEM_H
#define VPC_MEM_H

#include <linux/mm.h>
#include <linux/slab.h>

/* @p came from kvmalloc() and friends with @size. */
static inline size_t vpc_mem_size(const void *p, size_t size)
{
	return is_vmalloc_addr(p) ? PAGE_ALIGN(size) : ksize(p);
}

#endif
