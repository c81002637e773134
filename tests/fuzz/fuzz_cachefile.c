// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's disk cache (agent/cachefile.h): a VPC's file, or the ports' when the first byte is odd. What is in the
 * rest is read as it is, and once more under a head with the right length and checksum, as a bug or another version
 * would write it.
 */
#include <fcntl.h>
#include <sodium.h>
#include "../../agent/cachefile.c"
#include "fuzz.h"

#define VNI 7

static char dir[] = "/dev/shm/vpc-fuzz-XXXXXX";

static void dir_remove(void)
{
	char path[sizeof(dir) + CACHEFILE_NAME_MAX + 1];

	snprintf(path, sizeof(path), "%s/vpc-%u", dir, VNI);
	unlink(path);
	snprintf(path, sizeof(path), "%s/" PORTS_NAME, dir);
	unlink(path);
	rmdir(dir);
}

static void put(const char *name, const struct iovec *part, size_t n)
{
	char path[sizeof(dir) + CACHEFILE_NAME_MAX + 1];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	fuzz_check(fd >= 0);
	for (size_t i = 0; i < n; i++)
		fuzz_check(write(fd, part[i].iov_base, part[i].iov_len) == (ssize_t)part[i].iov_len);
	close(fd);
}

static void read_vpc(void)
{
	struct vpc_err err = { "" };
	struct cached_vpc vpc, again;
	int res;

	fuzz_fill(&vpc, sizeof(vpc));
	res = cachefile_vpc_read(dir, VNI, &vpc, &err);
	fuzz_check_refusal(res, &err);
	if (res) {
		fuzz_check(fuzz_untouched(&vpc, sizeof(vpc)));
		return;
	}
	/* What is believed has its digest, so it can be written, and is then the same. */
	fuzz_check(!cachefile_vpc_write(dir, &vpc, &err));
	fuzz_check(!cachefile_vpc_read(dir, VNI, &again, &err));
	fuzz_check(vpc_digest_equal(&vpc.state.digest, &again.state.digest) && vpc.state.epoch == again.state.epoch);
	fuzz_check(vpc.quota == again.quota && vpc.flags == again.flags);
	vpc_state_clear(&vpc.state);
	vpc_state_clear(&again.state);
}

static void read_ports(void)
{
	struct vpc_host_ports ports;
	struct vpc_err err = { "" };
	uint64_t time_ms, instance;
	int res;

	fuzz_fill(&ports, sizeof(ports));
	fuzz_fill(&time_ms, sizeof(time_ms));
	res = cachefile_ports_read(dir, "h1", &ports, &time_ms, &instance, &err);
	fuzz_check_refusal(res, &err);
	if (res)
		fuzz_check(fuzz_untouched(&ports, sizeof(ports)) && fuzz_untouched(&time_ms, sizeof(time_ms)));
	else
		vpc_host_ports_clear(&ports);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	bool ports = len && *data & 1;
	const char *name = ports ? PORTS_NAME : "vpc-7";
	struct file_head head = { .magic = FILE_MAGIC, .version = FILE_VERSION };
	struct iovec parts[] = { { &head, sizeof(head) }, { (void *)(data + 1), len ? len - 1 : 0 } };
	static bool there;

	if (!there) {
		fuzz_check(sodium_init() >= 0 && mkdtemp(dir));
		atexit(dir_remove);
		there = true;
	}
	if (!len)
		return 0;
	put(name, &parts[1], 1);
	ports ? read_ports() : read_vpc();
	head.kind = ports ? FILE_PORTS : FILE_VPC;
	head.body_len = len - 1;
	file_sum(&head, &parts[1], 1, head.sum);
	put(name, parts, 2);
	ports ? read_ports() : read_vpc();
	return 0;
}
