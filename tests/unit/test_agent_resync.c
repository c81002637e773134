// SPDX-License-Identifier: Apache-2.0
/*
 * The whole agent, asked to compare a VPC again (agent/resync.h) by the library's own client, which runs in a thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "../../lib/agent_ask.h"
#include "agent_rig.h"

static char dir[] = "/tmp/vpc-test-resync.XXXXXX";

struct question {
	uint32_t vni;
	uint64_t epoch;
	int res;
	struct vpc_err err;
	bool done;
};

static void *ask(void *arg)
{
	struct question *q = arg;

	q->res = agent_resync(dir, "h1", q->vni, q->epoch, 10, &q->err);
	__atomic_store_n(&q->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static struct question resync(struct agent *a, uint32_t vni, uint64_t epoch)
{
	struct question q = { .vni = vni, .epoch = epoch };
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, ask, &q), 0);
	run_until(a, __atomic_load_n(&q.done, __ATOMIC_ACQUIRE));
	pthread_join(thread, NULL);
	return q;
}

static void refused(struct agent *a, uint32_t vni, uint64_t epoch, int res, const char *says)
{
	struct question q = resync(a, vni, epoch);

	assert_int_equal(q.res, res);
	assert_non_null(strstr(q.err.text, says));
}

/* Nothing tells the agent that its tables were written to, until somebody asks. */
static void test_repair(void **state)
{
	struct pub p;
	struct agent *a = start_live(&p, 100);

	fake_kernel_vpc(100)->n_routes--;
	fake_kernel_vpc(100)->digest = vpc_digest_of_state(fake_kernel_vpc(100));
	refused(a, 100, 7, -ESTALE, "VPC 100 is at epoch 1 now");
	run_idle(a);
	assert_int_equal(fake_log_count("repaired"), 0);
	assert_int_equal(resync(a, 100, 1).res, 0);
	run_until(a, fake_log_count("epoch 1 -> 1 repaired"));
	assert_same(&p);
	assert_int_equal(fake_log_count("VPC 100: asked to compare it again at epoch 1"), 1);
	/* Once more, and there is nothing to do. */
	assert_int_equal(resync(a, 100, 1).res, 0);
	run_idle(a);
	assert_int_equal(fake_log_count("repaired"), 1);
	finish(a, &p);
}

static void test_ports(void **state)
{
	struct pub p;
	struct agent *a = start_live(&p, 100);

	assert_int_equal(kernel_port_del(agent_kernel(a), host_ports.ports[0].dev, NULL), 0);
	assert_int_equal(kernel_vpc_set(agent_kernel(a), 300, 0, NULL, NULL), 0);
	run_idle(a);
	assert_null(fake_kernel_port(host_ports.ports[0].dev));
	/* Who asks about one VPC's content has not counted these. */
	assert_int_equal(resync(a, 100, 1).res, 0);
	run_idle(a);
	assert_null(fake_kernel_port(host_ports.ports[0].dev));
	assert_non_null(fake_kernel_vpc(300));
	assert_int_equal(resync(a, 0, 0).res, 0);
	run_until(a, fake_kernel_port(host_ports.ports[0].dev));
	run_until(a, !fake_kernel_vpc(300));
	finish(a, &p);
}

static void test_refusals(void **state)
{
	struct pub p;
	struct agent *a = start_live(&p, 100);

	refused(a, 101, 1, -ENOENT, "none of this host's");
	refused(a, 1U << 24, 1, -EINVAL, "VNI EPOCH");
	fake_zk_disconnect();
	run_until(a, a->state == AGENT_ISOLATED);
	refused(a, 100, 1, -ENOTCONN, "no connection to ZooKeeper");
	fake_kernel_unload();
	run_until(a, !agent_kernel(a));
	refused(a, 100, 1, -ENODEV, "vpc.ko");
	refused(a, 0, 0, -EAGAIN, "vpc.ko");
	finish(a, &p);
}

static int dial(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s/h1.resync", dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

/* One that says nothing, one that says too much, one that goes: each is got rid of, and the next is served. */
static void test_bad_clients(void **state)
{
	static const char nonsense[200] = { [0 ... 198] = '7' };
	struct pub p;
	struct agent *a = start_live(&p, 100);
	int fd;

	a->client_us = 100000;
	fd = dial();
	run_idle(a);
	assert_int_equal(resync(a, 100, 1).res, 0);
	close(fd);
	fd = dial();
	assert_int_equal(send(fd, nonsense, sizeof(nonsense) - 1, 0), sizeof(nonsense) - 1);
	run_idle(a);
	assert_int_equal(resync(a, 100, 1).res, 0);
	close(fd);
	fd = dial();
	assert_int_equal(send(fd, "100", 3, 0), 3);
	close(fd);
	assert_int_equal(resync(a, 100, 1).res, 0);
	finish(a, &p);
}

static int setup(void **state)
{
	int res = rig_setup(state);

	rig_run_dir = dir;
	return res;
}

static int group_setup(void **state)
{
	return !mkdtemp(dir);
}

/* Neither socket is left. */
static int group_teardown(void **state)
{
	return rmdir(dir);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_repair),
		TEST(test_ports),
		TEST(test_refusals),
		TEST(test_bad_clients),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
