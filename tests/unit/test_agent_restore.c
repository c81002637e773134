// SPDX-License-Identifier: Apache-2.0
/*
 * The whole agent with its disk cache: what is written, and what is brought back while ZooKeeper cannot be reached.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "../../agent/cachefile.h"
#include "../../agent/hostports.h"
#include "agent_rig.h"

static char top[] = "/tmp/vpc-test-restore.XXXXXX";
static char dir[64];

static char *file(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* The epoch that the disk has; 0: none that could be read. */
static uint64_t on_disk(uint32_t vni)
{
	struct cached_vpc vpc;
	uint64_t epoch;

	if (cachefile_vpc_read(dir, vni, &vpc, NULL))
		return 0;
	epoch = vpc.state.epoch;
	vpc_state_clear(&vpc.state);
	return epoch;
}

/* Live, and all of it on the disk. */
static struct agent *start_cached(struct pub *p, uint32_t vni)
{
	struct agent *a = start_live(p, vni);

	run_until(a, on_disk(vni) == p->state.epoch);
	return a;
}

/* The host starts again, and ZooKeeper, which has everything still, is out of reach. */
static struct agent *reboot(struct agent *a)
{
	agent_free(a);
	fake_kernel_reset();
	fake_log_reset();
	return agent_start();
}

static void damage(const char *name)
{
	FILE *f = fopen(file(name), "r+e");

	assert_non_null(f);
	assert_int_equal(fseek(f, -1, SEEK_END), 0);
	assert_int_equal(fputc(0xaa, f), 0xaa);
	assert_int_equal(fclose(f), 0);
}

static void test_reboot(void **state)
{
	struct pub p;
	struct agent *a = reboot(start_cached(&p, 100));

	run_until(a, a->state == AGENT_ISOLATED);
	assert_same(&p);
	assert_non_null(fake_kernel_port("tap1"));
	assert_int_equal(fake_calls.host_set, 1);
	assert_int_equal(fake_log_count("isolated: ZooKeeper is not reachable; restored 1 VPCs and 1 ports"), 1);
	/* It comes back, and the restored is what the rest is built on. */
	pub_change(&p, 20);
	fake_calls = (struct fake_calls){ 0 };
	fake_zk_connect();
	run_until(a, a->state == AGENT_LIVE);
	assert_same(&p);
	assert_int_equal(writes(), 1);
	assert_int_equal(fake_calls.apply, 1);
	run_until(a, on_disk(100) == p.state.epoch);
	finish(a, &p);
}

/* With the kernel as an agent before left it, nothing is to be restored, and nothing is touched. */
static void test_restart(void **state)
{
	struct pub p;
	struct agent *a = start_cached(&p, 100);

	agent_free(a);
	fake_log_reset();
	fake_calls = (struct fake_calls){ 0 };
	a = agent_start();
	run_idle(a);
	while (sd_event_run(a->event, 1000000) > 0)
		;
	assert_int_equal(writes(), 0);
	assert_int_equal(a->state, AGENT_CONNECTING);
	assert_int_equal(fake_log_count("restored"), 0);
	finish(a, &p);
}

/* A port that was removed while the disk was behind stays removed: these tables are not a new host's. */
static void test_removed(void **state)
{
	struct kernel *k;
	struct vpc_err err;
	struct pub p;
	struct agent *a = start_cached(&p, 100);

	agent_free(a);
	assert_int_equal(kernel_open(NULL, &k, &err), 0);
	assert_int_equal(kernel_port_del(k, "tap1", &err), 0);
	kernel_close(k);
	fake_log_reset();
	fake_calls = (struct fake_calls){ 0 };
	a = agent_start();
	run_idle(a);
	while (sd_event_run(a->event, 1000000) > 0)
		;
	assert_int_equal(writes(), 0);
	assert_null(fake_kernel_port("tap1"));
	finish(a, &p);
}

/* A part is there: only the other one is restored, however different the first is from the disk's. */
static void test_partly(void **state)
{
	struct vpc_state other;
	struct pub p, q;
	struct agent *a;

	pub_start(&q, 200, 5, false);
	want_port(2, 200);
	a = start_cached(&p, 100);
	run_until(a, on_disk(200) == q.state.epoch);
	agent_free(a);
	fake_kernel_reset();
	vpc_state_init(&other, 200);
	other.epoch = 1;
	fake_kernel_put_vpc(&other);
	a = agent_start();
	run_until(a, a->state == AGENT_ISOLATED);
	assert_same(&p);
	assert_int_equal(fake_kernel_vpc(200)->n_routes, 0);
	assert_int_equal(fake_calls.vpc_del + fake_calls.port_del, 0);
	assert_non_null(fake_kernel_port("tap1"));
	assert_non_null(fake_kernel_port("tap2"));
	pub_clear(&q);
	finish(a, &p);
}

static void test_module_again(void **state)
{
	struct pub p;
	struct agent *a = start_cached(&p, 100);

	fake_zk_disconnect();
	run_until(a, a->state == AGENT_ISOLATED);
	/* As long as the start's wait for ZooKeeper, at least. */
	run_idle(a);
	fake_kernel_unload();
	run_until(a, !agent_kernel(a));
	fake_kernel_reset();
	run_until(a, reached(&p) && fake_kernel_port("tap1"));
	assert_same(&p);
	fake_zk_connect();
	run_until(a, a->state == AGENT_LIVE);
	assert_int_equal(fake_calls.apply, 0);
	assert_int_equal(fake_calls.port_set, 1);
	finish(a, &p);
}

/* One file that is damaged costs that VPC and no other. */
static void test_damaged_vpc(void **state)
{
	struct pub p, q;
	struct agent *a;

	pub_start(&q, 200, 5, false);
	want_port(2, 200);
	a = start_cached(&p, 100);
	run_until(a, on_disk(200) == q.state.epoch);
	damage("vpc-200");
	a = reboot(a);
	run_until(a, a->state == AGENT_ISOLATED);
	assert_same(&p);
	assert_null(fake_kernel_vpc(200));
	assert_non_null(fake_kernel_port("tap1"));
	assert_null(fake_kernel_port("tap2"));
	assert_int_equal(fake_log_count("VPC 200: cannot be restored"), 1);
	assert_int_equal(fake_log_count("vpc-200: damaged"), 1);
	fake_zk_connect();
	run_until(a, a->state == AGENT_LIVE);
	assert_same(&q);
	/* The damaged one is written anew. */
	run_until(a, on_disk(200) == q.state.epoch);
	pub_clear(&q);
	finish(a, &p);
}

static void test_damaged_ports(void **state)
{
	struct pub p;
	struct agent *a = start_cached(&p, 100);

	damage("ports");
	a = reboot(a);
	run_until(a, fake_log_count("ports: damaged"));
	run_idle(a);
	assert_int_equal(writes(), 0);
	assert_int_equal(a->state, AGENT_CONNECTING);
	fake_zk_connect();
	run_until(a, a->state == AGENT_LIVE);
	assert_same(&p);
	finish(a, &p);
}

/* The kernel says no: reported, and nothing is left half done. */
static void test_refused(void **state)
{
	struct pub p;
	struct agent *a = reboot(start_cached(&p, 100));

	fake_kernel_refuse(-ENOMEM, 1);
	run_until(a, fake_log_count("VPC 100: cannot be restored: refused by the test"));
	assert_int_equal(fake_kernel_vpc(100)->epoch, 0);
	assert_null(fake_kernel_port("tap1"));
	/* It is tried again, without ZooKeeper. */
	run_until(a, fake_kernel_port("tap1"));
	assert_same(&p);
	assert_int_equal(a->state, AGENT_ISOLATED);
	fake_zk_connect();
	run_until(a, a->state == AGENT_LIVE);
	assert_same(&p);
	finish(a, &p);
}

/* HEAD began anew meanwhile: what was restored is past it, and it is refused as ever. */
static void test_backwards(void **state)
{
	struct pub p, old;
	struct agent *a = start_live(&p, 100);

	pub_change(&p, 20);
	run_until(a, on_disk(100) == 2);
	a = reboot(a);
	run_until(a, a->state == AGENT_ISOLATED);
	assert_same(&p);
	pub_start(&old, 100, 1, false);
	fake_zk_connect();
	run_until(a, fake_log_count("is older than the kernel's 2; refused"));
	assert_same(&p);
	pub_clear(&old);
	finish(a, &p);
}

static void test_zookeeper_first(void **state)
{
	struct pub p;
	struct agent *a = reboot(start_cached(&p, 100));

	fake_zk_connect();
	run_until(a, a->state == AGENT_LIVE);
	while (sd_event_run(a->event, 1000000) > 0)
		;
	assert_same(&p);
	assert_int_equal(fake_log_count("restored"), 0);
	finish(a, &p);
}

/* Whose port leaves takes its file along, and nobody else's. */
static void test_sweep(void **state)
{
	struct pub p, q;
	struct agent *a;

	pub_start(&q, 200, 5, false);
	want_port(2, 200);
	a = start_cached(&p, 100);
	run_until(a, on_disk(200) == q.state.epoch);
	vpc_port_clear(&host_ports.ports[0]);
	host_ports.ports[0] = host_ports.ports[1];
	host_ports.n_ports = 1;
	pub_ports();
	run_until(a, access(file("vpc-200"), F_OK) < 0);
	assert_int_equal(on_disk(100), p.state.epoch);
	pub_clear(&q);
	finish(a, &p);
}

/* The folder goes, and comes: said once, tried again, and the host is served meanwhile. */
static void test_no_room(void **state)
{
	struct pub p;
	struct agent *a = start_cached(&p, 100);
	char away[96];

	snprintf(away, sizeof(away), "%s.away", dir);
	assert_int_equal(rename(dir, away), 0);
	pub_change(&p, 20);
	run_until(a, fake_log_count("keeping what is there, trying again"));
	assert_same(&p);
	pub_change(&p, 21);
	run_until(a, reached(&p));
	run_idle(a);
	assert_int_equal(fake_log_count("keeping what is there, trying again"), 1);
	assert_int_equal(rename(away, dir), 0);
	run_until(a, on_disk(100) == p.state.epoch);
	run_until(a, fake_log_count("cache: written again"));
	finish(a, &p);
}

/* The time to try again comes while the module is away; that must not be the last try. */
static void test_no_room_and_no_module(void **state)
{
	struct pub p;
	struct agent *a = start_cached(&p, 100);
	char away[96];

	snprintf(away, sizeof(away), "%s.away", dir);
	assert_int_equal(rename(dir, away), 0);
	pub_change(&p, 20);
	run_until(a, fake_log_count("keeping what is there, trying again"));
	fake_kernel_unload();
	run_until(a, !agent_kernel(a));
	while (sd_event_run(a->event, 1000000) > 0)
		;
	assert_int_equal(rename(away, dir), 0);
	fake_kernel_reset();
	run_until(a, on_disk(100) == p.state.epoch);
	finish(a, &p);
}

/* What somebody else has put into the kernel is not kept, and keeps no other VPC from being written. */
static void test_foreign_writer(void **state)
{
	struct vpc_state other;
	struct pub p, q;
	struct agent *a;

	pub_start(&q, 200, 5, false);
	want_port(2, 200);
	a = start_cached(&p, 100);
	run_until(a, on_disk(200) == q.state.epoch);
	pub_change(&p, 20);
	pub_change(&q, 30);
	run_until(a, reached(&p) && reached(&q));
	vpc_state_init(&other, 100);
	other.epoch = p.state.epoch + 90;
	fake_kernel_put_vpc(&other);
	run_until(a, fake_log_count("not what was published"));
	run_until(a, on_disk(200) == q.state.epoch);
	assert_true(on_disk(100) < p.state.epoch);
	pub_clear(&q);
	finish(a, &p);
}

static void test_no_folder(void **state)
{
	struct pub p;
	struct agent *a;

	rig_state_dir = "/dev/null/vpc";
	a = start_live(&p, 100);
	assert_int_equal(fake_log_count("there is none ([agent] state_dir, cache)"), 1);
	finish(a, &p);
}

static void folder_remove(void)
{
	struct dirent *entry;
	DIR *d = opendir(dir);

	while (d && (entry = readdir(d)))
		unlink(file(entry->d_name));
	if (d)
		closedir(d);
	rmdir(dir);
}

static int setup(void **state)
{
	rig_setup(state);
	strcpy(strrchr(top, '.') + 1, "XXXXXX");
	if (!mkdtemp(top))
		return 1;
	snprintf(dir, sizeof(dir), "%s/h1", top);
	rig_state_dir = top;
	return 0;
}

static int teardown(void **state)
{
	folder_remove();
	rmdir(top);
	return rig_teardown(state);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reboot), TEST(test_restart), TEST(test_removed),
		TEST(test_no_room_and_no_module), TEST(test_foreign_writer), TEST(test_partly),
		TEST(test_module_again), TEST(test_damaged_vpc), TEST(test_damaged_ports),
		TEST(test_refused), TEST(test_backwards), TEST(test_zookeeper_first),
		TEST(test_sweep), TEST(test_no_room), TEST(test_no_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
