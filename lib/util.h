/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small things that every module needs: scoped cleanup, sizes, the clocks, a hash.
 */
#ifndef VPC_UTIL_H
#define VPC_UTIL_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define _cleanup_(fn) __attribute__((cleanup(fn)))

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)

/* Microseconds since boot, for deadlines and durations. */
static inline uint64_t now_monotonic_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Milliseconds since 1970, for what people and other hosts read. */
static inline uint64_t now_wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* FNV-1a, 32 bits (Fowler, Noll, Vo): spreads names and addresses; not against an adversary. */
static inline uint32_t fnv1a(const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint32_t h = 0x811c9dc5;

	while (n--)
		h = (h ^ *p++) * 0x01000193;
	return h;
}

#endif
