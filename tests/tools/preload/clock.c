// SPDX-License-Identifier: Apache-2.0
/*
 * A wall clock that jumps, for programs that are started with LD_PRELOAD=build/tools/clock.so: by as many seconds as
 * the file $CLOCK_JUMP says, a number of 20 characters, which may be written anew at any time. CLOCK_MONOTONIC is left
 * alone, as by an administrator who sets the clock.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define TEXT_LEN 20

static const char *text;

__attribute__((constructor)) static void text_map(void)
{
	int fd = open(getenv("CLOCK_JUMP") ?: "", O_RDONLY | O_CLOEXEC);
	void *map = mmap(NULL, TEXT_LEN, PROT_READ, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		abort();
	text = map;
	close(fd);
}

static time_t jump(void)
{
	char copy[TEXT_LEN + 1] = "";

	/* Other libraries may ask before we have it. */
	if (text)
		memcpy(copy, text, TEXT_LEN);
	return strtoll(copy, NULL, 10);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int res = syscall(SYS_clock_gettime, id, ts);

	if (!res && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		ts->tv_sec += jump();
	return res;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec ts;

	(void)tz;
	clock_gettime(CLOCK_REALTIME, &ts);
	*tv = (struct timeval){ ts.tv_sec, ts.tv_nsec / 1000 };
	return 0;
}

time_t time(time_t *ret)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (ret)
		*ret = ts.tv_sec;
	return ts.tv_sec;
}
