// SPDX-License-Identifier: Apache-2.0
/*
 * The host's ports in the kernel (agent/kports.c): random lists of ports, planned and run against a kernel in memory,
 * and compared with what a naive reading of the rules says must come out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include "../../agent/kports.h"
#include "../../lib/log.h"
#include "../../lib/util.h"
#include "agent_fake.h"

#define N_DEVS 6

void log_msg(int priority, const char *fmt, ...)
{
}

/* Port @dev of VPC @vni with the address 10.0.0.@host. */
static struct vpc_port make(unsigned int dev, uint32_t vni, unsigned int address)
{
	struct vpc_port port = { .id = dev + 1, .vni = vni, .mac = { 2, 0, 0, 0, 0, dev }, .n_addrs = 1 };

	snprintf(port.dev, sizeof(port.dev), "tap%u", dev);
	port.addrs = calloc(1, sizeof(*port.addrs));
	port.addrs[0] = (struct vpc_prefix){ .family = AF_INET, .plen = 32, .bytes = { 10, 0, 0, address } };
	return port;
}

static void clear(struct vpc_port *ports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		vpc_port_clear(&ports[i]);
}

static bool has_content(uint32_t vni, void *arg)
{
	return vni & *(unsigned int *)arg;
}

static struct kernel *reset(void)
{
	struct kernel *kernel;
	struct vpc_err err;

	fake_kernel_reset();
	assert_int_equal(kernel_open(NULL, &kernel, &err), 0);
	for (uint32_t vni = 1; vni <= 3; vni++)
		assert_int_equal(kernel_vpc_set(kernel, vni, 0, NULL, &err), 0);
	return kernel;
}

/* One plan and its run. Returns what kports_run() did; @ret_n: steps, @ret_waiting: as planned. */
static int bring(struct kernel *kernel, struct vpc_port *want, size_t n_want, unsigned int content, size_t *ret_n,
		 size_t *ret_waiting)
{
	struct kports_step steps[4 * N_DEVS];
	struct kernel_port *have;
	struct vpc_err err = { "" };
	size_t n_have;
	int res;

	kports_sort(want, n_want);
	assert_int_equal(kernel_port_list(kernel, &have, &n_have, &err), 0);
	kports_plan(want, n_want, have, n_have, has_content, &content, steps, ret_n, ret_waiting);
	res = kports_run(kernel, steps, *ret_n, &err);
	assert_int_equal(!res, !err.text[0]);
	kernel_ports_free(have, n_have);
	return res;
}

/* A permutation of addresses, so that swaps and longer cycles come up; VPCs at random; some devices left out. */
static size_t random_ports(struct vpc_port *ret)
{
	unsigned int addresses[N_DEVS];
	size_t n = 0;

	for (unsigned int i = 0; i < N_DEVS; i++)
		addresses[i] = i;
	for (unsigned int i = N_DEVS - 1; i; i--) {
		unsigned int j = rand() % (i + 1), t = addresses[i];

		addresses[i] = addresses[j];
		addresses[j] = t;
	}
	for (unsigned int i = 0; i < N_DEVS; i++)
		if (rand() % 4)
			ret[n++] = make(i, 1 + rand() % 3, addresses[i]);
	/* In any order. */
	for (size_t i = 0; i + 1 < n; i++) {
		size_t j = i + rand() % (n - i);
		struct vpc_port t = ret[i];

		ret[i] = ret[j];
		ret[j] = t;
	}
	return n;
}

/* The rules, one port at a time. */
static void check(const struct vpc_port *want, size_t n_want, const struct vpc_port *old, size_t n_old,
		  unsigned int content)
{
	for (unsigned int dev = 0; dev < N_DEVS; dev++) {
		const struct vpc_port *w = NULL, *o = NULL, *k;
		char name[16];

		snprintf(name, sizeof(name), "tap%u", dev);
		for (size_t i = 0; i < n_want; i++)
			if (!strcmp(want[i].dev, name))
				w = &want[i];
		for (size_t i = 0; i < n_old; i++)
			if (!strcmp(old[i].dev, name))
				o = &old[i];
		k = fake_kernel_port(name);
		if (w && has_content(w->vni, &content)) {
			assert_true(k && vpc_port_equal(k, w));
		} else if (w && o && o->vni == w->vni) {
			assert_true(k && vpc_port_equal(k, o));
		} else {
			assert_null(k);
		}
	}
}

static void test_random(void **state)
{
	struct vpc_port old[N_DEVS], want[N_DEVS];
	size_t n_old, n_want, n, waiting;

	srand(1);
	for (int round = 0; round < 3000; round++) {
		struct kernel *kernel = reset();

		n_old = random_ports(old);
		n_want = random_ports(want);
		assert_int_equal(bring(kernel, old, n_old, 7, &n, &waiting), 0);
		assert_int_equal(n, n_old);
		assert_int_equal(bring(kernel, want, n_want, 7, &n, &waiting), 0);
		assert_int_equal(waiting, 0);
		check(want, n_want, old, n_old, 7);
		/* And it is at rest. */
		fake_calls = (struct fake_calls){ 0 };
		assert_int_equal(bring(kernel, want, n_want, 7, &n, &waiting), 0);
		assert_int_equal(n + fake_calls.port_set + fake_calls.port_del, 0);
		clear(old, n_old);
		clear(want, n_want);
		kernel_close(kernel);
	}
	fake_kernel_reset();
}

/* Without content a port is left as it is, unless it must leave its VPC. */
static void test_content(void **state)
{
	struct kernel *kernel = reset();
	struct vpc_port old[] = { make(0, 1, 1), make(1, 1, 2), make(2, 2, 3) };
	struct vpc_port want[] = { make(0, 1, 9), make(1, 2, 2), make(2, 1, 3), make(3, 1, 4) };
	size_t n, waiting;

	assert_int_equal(bring(kernel, old, 3, 7, &n, &waiting), 0);
	assert_int_equal(bring(kernel, want, 4, 2, &n, &waiting), 0);
	assert_int_equal(waiting, 3);
	check(want, 4, old, 3, 2);
	assert_int_equal(bring(kernel, want, 4, 3, &n, &waiting), 0);
	assert_int_equal(waiting, 0);
	check(want, 4, old, 3, 7);
	clear(old, 3);
	clear(want, 4);
	kernel_close(kernel);
	fake_kernel_reset();
}

/* An address that a port keeps is refused to another one; the others are set all the same, nobody is taken out. */
static void test_refused(void **state)
{
	struct kernel *kernel = reset();
	struct vpc_port want[] = { make(0, 1, 1), make(1, 1, 1), make(2, 1, 2) };
	size_t n, waiting;

	assert_int_equal(bring(kernel, want, 3, 7, &n, &waiting), -EEXIST);
	assert_non_null(fake_kernel_port("tap0"));
	assert_null(fake_kernel_port("tap1"));
	assert_non_null(fake_kernel_port("tap2"));
	assert_int_equal(fake_calls.port_del, 0);
	clear(want, 3);
	kernel_close(kernel);
	fake_kernel_reset();
}

/* Ports are refused for their own sake or collide with one that stays; those that work are not touched. */
static void test_working_ports_stay(void **state)
{
	struct kernel *kernel = reset();
	struct vpc_port old[] = { make(0, 1, 1), make(1, 1, 2), make(2, 1, 3), make(3, 1, 4) };
	/* tap0 and tap1 want what tap2 keeps, tap3 something that the kernel does not know. */
	struct vpc_port want[] = { make(0, 1, 3), make(1, 1, 3), make(2, 1, 3), make(3, 1, 5), make(4, 1, 3) };
	size_t n, waiting;

	assert_int_equal(bring(kernel, old, 4, 7, &n, &waiting), 0);
	want[3].flags = FAKE_PORT_F_REFUSED;
	assert_int_equal(bring(kernel, want, 5, 7, &n, &waiting), -EEXIST);
	for (size_t i = 0; i < 4; i++)
		assert_true(vpc_port_equal(fake_kernel_port(old[i].dev), &old[i]));
	assert_null(fake_kernel_port("tap4"));
	assert_int_equal(fake_calls.port_del, 0);
	clear(old, 4);
	clear(want, 5);
	kernel_close(kernel);
	fake_kernel_reset();
}

/* A circle of ports that swap is broken and closed again, beside one that fails for another reason. */
static void test_swap_beside_failure(void **state)
{
	struct kernel *kernel = reset();
	struct vpc_port old[] = { make(0, 1, 1), make(1, 1, 2), make(2, 1, 3) };
	struct vpc_port want[] = { make(0, 1, 2), make(1, 1, 1), make(2, 1, 4) };
	size_t n, waiting;

	assert_int_equal(bring(kernel, old, 3, 7, &n, &waiting), 0);
	want[2].flags = FAKE_PORT_F_REFUSED;
	assert_int_equal(bring(kernel, want, 3, 7, &n, &waiting), -EINVAL);
	assert_true(vpc_port_equal(fake_kernel_port("tap0"), &want[0]));
	assert_true(vpc_port_equal(fake_kernel_port("tap1"), &want[1]));
	assert_true(vpc_port_equal(fake_kernel_port("tap2"), &old[2]));
	clear(old, 3);
	clear(want, 3);
	kernel_close(kernel);
	fake_kernel_reset();
}

/* Taken out for a circle, and still refused then: back to what it was. */
static void test_restored(void **state)
{
	struct kernel *kernel = reset();
	struct vpc_port old[] = { make(0, 1, 1), make(1, 1, 2), make(2, 1, 3) };
	struct vpc_port want[] = { make(0, 1, 2), make(1, 1, 1), make(2, 1, 3) };
	size_t n, waiting;

	assert_int_equal(bring(kernel, old, 3, 7, &n, &waiting), 0);
	/* tap1 also wants what tap2 keeps: the circle cannot be closed. */
	want[1].addrs = reallocarray(want[1].addrs, 2, sizeof(*want[1].addrs));
	want[1].addrs[want[1].n_addrs++] = old[2].addrs[0];
	assert_int_equal(bring(kernel, want, 3, 7, &n, &waiting), -EEXIST);
	for (size_t i = 0; i < 3; i++) {
		assert_non_null(fake_kernel_port(old[i].dev));
		assert_true(vpc_port_equal(fake_kernel_port(old[i].dev), &old[i]));
	}
	clear(old, 3);
	clear(want, 3);
	kernel_close(kernel);
	fake_kernel_reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_working_ports_stay),
		cmocka_unit_test(test_swap_beside_failure),
		cmocka_unit_test(test_restored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
