/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stand-in for the few kernel headers that kmod/tables/trie*.c and hrw.c include, so that they run in user space under
 * the sanitizers. Only their tests have this folder in the include path; each linux/ and asm/ header leads here.
 *
 * Every allocation is counted and can be made to fail: kshim_mem says how.
 */
#ifndef KSHIM_H
#define KSHIM_H

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define LINUX_VERSION_CODE     KERNEL_VERSION(6, 1, 0)

#undef __always_inline
#define __always_inline inline __attribute__((__always_inline__))
#define __ro_after_init
#define ARRAY_SIZE(a)	   (sizeof(a) / sizeof((a)[0]))
#define BIT(n)		   (1UL << (n))
#define BIT_ULL(n)	   (1ULL << (n))
#define DIV_ROUND_UP(n, d) ((n) / (d) + !!((n) % (d)))
#define min(a, b)	   ((a) < (b) ? (a) : (b))
#define max(a, b)	   ((a) > (b) ? (a) : (b))
#define min3(a, b, c)	   min(min(a, b), c)
#define min_t(type, a, b)  min((type)(a), (type)(b))
#define max_t(type, a, b)  ((type)(a) > (type)(b) ? (type)(a) : (type)(b))

#define BITS_TO_LONGS(n)   DIV_ROUND_UP(n, 64)

#define struct_size(p, member, n) (sizeof(*(p)) + (n) * sizeof((p)->member[0]))

static inline unsigned int hweight64(u64 x)
{
	return __builtin_popcountll(x);
}

static inline unsigned int __ffs64(u64 x)
{
	return __builtin_ctzll(x);
}

static inline int fls64(u64 x)
{
	return x ? 64 - __builtin_clzll(x) : 0;
}

static inline int fls(unsigned int x)
{
	return fls64(x);
}

static inline u32 get_unaligned_be32(const void *p)
{
	u32 x;

	memcpy(&x, p, sizeof(x));
	return be32toh(x);
}

static inline u64 get_unaligned_be64(const void *p)
{
	u64 x;

	memcpy(&x, p, sizeof(x));
	return be64toh(x);
}

static inline void put_unaligned_be32(u32 x, void *p)
{
	x = htobe32(x);
	memcpy(p, &x, sizeof(x));
}

static inline void put_unaligned_be64(u64 x, void *p)
{
	x = htobe64(x);
	memcpy(p, &x, sizeof(x));
}

static inline void __set_bit(unsigned int bit, unsigned long *bitmap)
{
	bitmap[bit / 64] |= BIT(bit % 64);
}

static inline bool test_bit(unsigned int bit, const unsigned long *bitmap)
{
	return bitmap[bit / 64] >> bit % 64 & 1;
}

static inline void bitmap_set(unsigned long *bitmap, unsigned int first, unsigned int n)
{
	for (; n--; first++)
		__set_bit(first, bitmap);
}

static inline unsigned long find_next_bit(const unsigned long *bitmap, unsigned long size, unsigned long bit)
{
	while (bit < size && !(bitmap[bit / 64] >> bit % 64)) /* the rest of a word at once */
		bit = (bit / 64 + 1) * 64;
	while (bit < size && !test_bit(bit, bitmap))
		bit++;
	return min(bit, size);
}

static inline void *memchr_inv(const void *p, int c, size_t len)
{
	const unsigned char *bytes = p;

	for (; len; len--, bytes++) {
		if (*bytes != c)
			return (void *)bytes;
	}
	return NULL;
}

static inline void cond_resched(void)
{
}

/* -- memory -------------------------------------------------------------------------------------------------------- */

#define GFP_KERNEL	   0
#define GFP_KERNEL_ACCOUNT 0
#define __GFP_NOWARN	   0
#define SLAB_ACCOUNT	   0

/**
 * struct kshim_mem - what the code under test holds
 * @fail_in: the allocation that fails: 1 is the next one; 0: none. It fails once
 * @calls: allocations asked for
 * @live: allocations not freed
 * @slab_bytes: bytes of the live ones that came from a cache
 */
struct kshim_mem {
	long fail_in;
	long calls;
	long live;
	size_t slab_bytes;
};

static struct kshim_mem kshim_mem;

struct kmem_cache {
	size_t size;
};

/* Before each cached object: its cache, so that freeing into another one is seen. */
struct kshim_head {
	struct kmem_cache *cache;
	u64 unused;
};

static inline void *kshim_alloc(size_t size)
{
	void *p = NULL;

	kshim_mem.calls++;
	if (!kshim_mem.fail_in || --kshim_mem.fail_in)
		p = malloc(size);
	if (p) {
		memset(p, 0xa5, size);
		kshim_mem.live++;
	}
	return p;
}

static inline void kshim_free(void *p)
{
	if (p)
		kshim_mem.live--;
	free(p);
}

static inline void *kvmalloc(size_t size, int flags)
{
	return kshim_alloc(size);
}

static inline void *kvzalloc(size_t size, int flags)
{
	void *p = kshim_alloc(size);

	return p ? memset(p, 0, size) : NULL;
}

static inline void kvfree(void *p)
{
	kshim_free(p);
}

static inline struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align, int flags,
						   void (*ctor)(void *))
{
	struct kmem_cache *cache = kshim_alloc(sizeof(*cache));

	if (cache)
		cache->size = size;
	return cache;
}

static inline void kmem_cache_destroy(struct kmem_cache *cache)
{
	kshim_free(cache);
}

static inline void *kmem_cache_alloc(struct kmem_cache *cache, int flags)
{
	struct kshim_head *head = kshim_alloc(sizeof(*head) + cache->size);

	if (!head)
		return NULL;
	head->cache = cache;
	kshim_mem.slab_bytes += cache->size;
	return head + 1;
}

static inline void kmem_cache_free(struct kmem_cache *cache, void *p)
{
	struct kshim_head *head = (struct kshim_head *)p - 1;

	assert(head->cache == cache);
	head->cache = NULL;
	kshim_mem.slab_bytes -= cache->size;
	kshim_free(head);
}

#endif
