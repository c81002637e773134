// SPDX-License-Identifier: Apache-2.0
/*
 * Files of the agent's disk cache: what was written is read back; what was cut short, changed in any one bit, is
 * another VPC's or another version's is refused; a full disk leaves the file before.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <sys/stat.h>
#include "../../agent/cachefile.h"
#include "../../lib/diff.h"
#include "../../lib/digest.h"
#include "../../lib/util.h"

static char dir[] = "/tmp/vpc-test-cache.XXXXXX";
static char path[128];

static void vpc_make(struct cached_vpc *vpc, uint32_t vni, unsigned int routes)
{
	struct vpc_nl_nexthop nh = { .id = 1, .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2, 1 } };
	struct vpc_nl_nexthop group = { .id = 2, .type = VPC_NEXTHOP_GROUP };
	struct vpc_nl_member member = { .group = 2, .nexthop = 1, .weight = 3 };

	*vpc = (struct cached_vpc){ .quota = 12345, .flags = 1 };
	vpc_state_init(&vpc->state, vni);
	vpc->state.epoch = 77;
	assert_int_equal(vpc_state_add_nexthop(&vpc->state, &nh), 0);
	assert_int_equal(vpc_state_add_nexthop(&vpc->state, &group), 0);
	assert_int_equal(vpc_state_add_member(&vpc->state, &member), 0);
	for (unsigned int i = 0; i < routes; i++) {
		struct vpc_route route = { .nexthop = 1 + i % 2, .prefix = { .family = AF_INET, .plen = 32 } };
		uint32_t addr = htonl(0x0a000000 + i);

		memcpy(route.prefix.bytes, &addr, 4);
		assert_int_equal(vpc_state_add_route(&vpc->state, &route), 0);
	}
	vpc->state.digest = vpc_digest_of_state(&vpc->state);
}

static int no_difference(const struct vpc_diff_entry *entry, void *arg)
{
	return 1;
}

static void assert_reads(const struct cached_vpc *want)
{
	struct cached_vpc have;
	struct vpc_err err = { "" };

	if (cachefile_vpc_read(dir, want->state.vni, &have, &err))
		fail_msg("%s", err.text);
	assert_int_equal(have.state.epoch, want->state.epoch);
	assert_int_equal(have.quota, want->quota);
	assert_int_equal(have.flags, want->flags);
	assert_true(have.time_ms <= now_wall_ms() && have.time_ms + 60000 > now_wall_ms());
	assert_int_equal(vpc_diff(&want->state, &have.state, no_difference, NULL), 0);
	assert_true(vpc_digest_equal(&want->state.digest, &have.state.digest));
	vpc_state_clear(&have.state);
}

static size_t file_load(char *buf, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	assert_non_null(file);
	return fread(buf, 1, size, file);
}

static void file_store(const char *data, size_t len)
{
	_cleanup_fclose_ FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, len, file), len);
}

static int read_again(struct vpc_err *err)
{
	struct cached_vpc vpc;
	int res = cachefile_vpc_read(dir, 100, &vpc, err);

	if (!res)
		vpc_state_clear(&vpc.state);
	return res;
}

static void test_vpc(void **state)
{
	struct cached_vpc vpc;

	for (unsigned int routes = 0; routes < 3000; routes = routes * 3 + 1) {
		vpc_make(&vpc, 100, routes);
		assert_int_equal(cachefile_vpc_write(dir, &vpc, NULL), 0);
		assert_reads(&vpc);
		vpc_state_clear(&vpc.state);
	}
	/* One that has nothing, and no other one's. */
	vpc = (struct cached_vpc){ .quota = 0 };
	vpc_state_init(&vpc.state, 100);
	assert_int_equal(cachefile_vpc_write(dir, &vpc, NULL), 0);
	assert_reads(&vpc);
	assert_int_equal(cachefile_vpc_read(dir, 101, &vpc, NULL), -ENOENT);
}

static void test_ports(void **state)
{
	static const char text[] = "{\"v\":1,\"host\":\"h1\",\"revision\":3,\"vtep\":\"192.0.2.11\",\"udp_port\":4789,"
				   "\"ports\":[]}";
	struct vpc_host_ports ports;
	struct vpc_err err;
	uint64_t time_ms, instance;

	assert_int_equal(cachefile_ports_write(dir, text, strlen(text), 77, NULL), 0);
	assert_int_equal(cachefile_ports_read(dir, "h1", &ports, &time_ms, &instance, &err), 0);
	assert_int_equal(instance, 77);
	assert_int_equal(ports.revision, 3);
	vpc_host_ports_clear(&ports);
	assert_int_equal(cachefile_ports_read(dir, "h2", &ports, &time_ms, &instance, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "is of host 'h1', not 'h2'"));
	assert_int_equal(cachefile_ports_write(dir, text, strlen(text) - 1, 77, NULL), 0);
	assert_int_equal(cachefile_ports_read(dir, "h1", &ports, &time_ms, &instance, &err), -EBADMSG);
}

static void test_cut_short(void **state)
{
	static char data[1 << 20];
	struct cached_vpc vpc;
	size_t len;

	vpc_make(&vpc, 100, 40);
	assert_int_equal(cachefile_vpc_write(dir, &vpc, NULL), 0);
	len = file_load(data, sizeof(data));
	for (size_t n = 0; n < len; n++) {
		file_store(data, n);
		assert_int_equal(read_again(NULL), -EBADMSG);
	}
	data[len] = 0;
	file_store(data, len + 1);
	assert_int_equal(read_again(NULL), -EBADMSG);
	file_store(data, len);
	assert_reads(&vpc);
	vpc_state_clear(&vpc.state);
}

static void test_bit_flips(void **state)
{
	static char data[1 << 20];
	struct cached_vpc vpc;
	size_t len;

	vpc_make(&vpc, 100, 10);
	assert_int_equal(cachefile_vpc_write(dir, &vpc, NULL), 0);
	len = file_load(data, sizeof(data));
	for (size_t bit = 0; bit < len * 8; bit++) {
		struct vpc_err err = { "" };
		int res;

		data[bit / 8] ^= 1 << bit % 8;
		file_store(data, len);
		res = read_again(&err);
		/* Bytes 8 to 11 are the version. */
		if (res != (bit / 8 >= 8 && bit / 8 < 12 ? -EPROTONOSUPPORT : -EBADMSG) || !strstr(err.text, path))
			fail_msg("bit %zu: %d, %s", bit, res, err.text);
		data[bit / 8] ^= 1 << bit % 8;
	}
	vpc_state_clear(&vpc.state);
}

/* Whole, with a right checksum, and yet not what it should be. */
static void test_foreign(void **state)
{
	char other[256];
	struct cached_vpc vpc;
	struct vpc_err err;

	vpc_make(&vpc, 101, 10);
	assert_int_equal(cachefile_vpc_write(dir, &vpc, NULL), 0);
	snprintf(other, sizeof(other), "%s/vpc-101", dir);
	assert_int_equal(rename(other, path), 0);
	assert_int_equal(read_again(&err), -EBADMSG);
	assert_int_equal(cachefile_ports_write(dir, "x", 1, 0, NULL), 0);
	snprintf(other, sizeof(other), "%s/ports", dir);
	assert_int_equal(rename(other, path), 0);
	assert_int_equal(read_again(&err), -EBADMSG);
	vpc.state.digest.h[1] ^= 1;
	assert_int_equal(cachefile_vpc_write(dir, &vpc, &err), -EBADMSG);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(read_again(&err), -EBADMSG);
	assert_int_equal(rmdir(path), 0);
	vpc_state_clear(&vpc.state);
}

static unsigned int files(void)
{
	DIR *d = opendir(dir);
	unsigned int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

/* A limit on a file's length stands for a disk that fills up at each of the bytes: the file before stays. */
static void test_disk_full(void **state)
{
	struct rlimit limit, none;
	struct cached_vpc before, vpc;
	struct vpc_err err;
	struct stat st;

	vpc_make(&before, 100, 5);
	vpc_make(&vpc, 100, 50);
	assert_int_equal(cachefile_vpc_write(dir, &vpc, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(cachefile_vpc_write(dir, &before, NULL), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &none), 0);
	for (off_t room = 0; room < st.st_size; room++) {
		limit = (struct rlimit){ room, none.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		assert_int_equal(cachefile_vpc_write(dir, &vpc, &err), -EFBIG);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
		assert_non_null(strstr(err.text, path));
		assert_int_equal(files(), 1);
	}
	assert_reads(&before);
	assert_int_equal(cachefile_vpc_write(dir, &vpc, NULL), 0);
	assert_reads(&vpc);
	vpc_state_clear(&before.state);
	vpc_state_clear(&vpc.state);
}

static void test_no_folder(void **state)
{
	struct cached_vpc vpc;
	struct vpc_err err;

	vpc_make(&vpc, 100, 1);
	assert_int_equal(cachefile_vpc_write("/dev/null/cache", &vpc, &err), -ENOTDIR);
	/* A file left over from a crash in the middle is written over. */
	snprintf(path, sizeof(path), "%s/vpc-100.new", dir);
	file_store("rubbish", 7);
	assert_int_equal(cachefile_vpc_write(dir, &vpc, &err), 0);
	assert_int_equal(files(), 1);
	assert_reads(&vpc);
	vpc_state_clear(&vpc.state);
}

static void test_names(void **state)
{
	static const char *const wrong[] = { "", "vpc", "vpc-", "vpc-1.new", "vpc-01", "vpc--1", "vpc-x", "ports",
					     "vpc-1 ", "vpc-123456789" };
	static const uint32_t vnis[] = { 1, 100, 16777215 };
	char name[CACHEFILE_NAME_MAX];
	uint32_t vni;

	for (size_t i = 0; i < ARRAY_SIZE(vnis); i++) {
		assert_int_equal(cachefile_vpc_parse_name(cachefile_vpc_name(vnis[i], name), &vni), 0);
		assert_int_equal(vni, vnis[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (!cachefile_vpc_parse_name(wrong[i], &vni))
			fail_msg("taken: '%s'", wrong[i]);
}

static int setup(void **state)
{
	strcpy(strrchr(dir, '.') + 1, "XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/vpc-100", dir);
	return 0;
}

static int teardown(void **state)
{
	char name[sizeof(dir) + 300];
	DIR *d = opendir(dir);
	struct dirent *entry;

	while ((entry = readdir(d))) {
		snprintf(name, sizeof(name), "%s/%s", dir, entry->d_name);
		unlink(name);
	}
	closedir(d);
	return rmdir(dir);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_vpc),	    TEST(test_ports),	  TEST(test_cut_short), TEST(test_bit_flips),
		TEST(test_foreign), TEST(test_disk_full), TEST(test_no_folder), TEST(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
