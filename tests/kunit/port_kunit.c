// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ports as state (kmod/tables/port.c, portmap.c) when memory runs out where nothing may fail: a port that goes leaves
 * the map of addresses behind as it was, and the next port makes it anew. What VERIFY says of it: pipeline_kunit.c.
 */
#include "guest.h"
#include "netns.h"
#include "rig.h"
#include "../../kmod/tables/portmap.h"

static struct vpc_port *port_new(struct kunit *test, const char *name, u8 host)
{
	const struct vpc_nl_prefix addrs[] = {
		{ .family = AF_INET, .plen = 32, .addr = { 10, 3, 0, host } },
		{ .family = AF_INET6, .plen = 64, .addr = { 0x20, 1, 0xd, 0xb8, 0, 3, 0, host } },
	};
	struct vpc_port_conf *conf = kzalloc(struct_size(conf, addrs, ARRAY_SIZE(addrs)), GFP_KERNEL);
	struct guest *guest = test->priv;
	struct vpc_port *port = NULL;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, conf);
	memcpy(conf->addrs, addrs, sizeof(addrs));
	conf->n_addrs = ARRAY_SIZE(addrs);
	err = vpc_port_new(guest->vpc, name, conf, &port, NULL);
	if (err)
		kfree(conf);
	KUNIT_EXPECT_EQ(test, err, 0);
	return port;
}

/* Who gets what goes to the addresses that port_new() gave, the first one's of the prefix. */
static void port_owns(struct kunit *test, u8 host, const struct vpc_port *port)
{
	const u8 addr4[4] = { 10, 3, 0, host }, addr6[16] = { 0x20, 1, 0xd, 0xb8, 0, 3, 0, host, [15] = 9 };
	struct guest *guest = test->priv;

	rcu_read_lock();
	KUNIT_EXPECT_PTR_EQ(test, vpc_port_lookup_addr(guest->vpc, AF_INET, addr4), port);
	KUNIT_EXPECT_PTR_EQ(test, vpc_port_lookup_addr(guest->vpc, AF_INET6, addr6), port);
	rcu_read_unlock();
}

static bool port_map_is_stale(const struct guest *guest)
{
	const struct vpc_portmap *map = rcu_dereference_protected(guest->vpc->portmap, true);

	return map && map->stale;
}

static void port_goes_without_memory(struct kunit *test)
{
	struct guest *guest = test->priv;
	struct vpc_port *stays, *goes;
	unsigned int nth, stale = 0;
	bool met = true;

	rig_can_fail(test);
	mutex_lock(&guest->vnet->lock);
	stays = port_new(test, "stays", 1);
	for (nth = 1; met && stays; nth++) {
		goes = port_new(test, "goes", 2);
		if (!goes)
			break;
		KUNIT_EXPECT_FALSE(test, port_map_is_stale(guest));
		port_owns(test, 2, goes);
		rig_fail(nth);
		vpc_port_del(goes);
		met = rig_fail_end();
		stale += port_map_is_stale(guest);
		KUNIT_EXPECT_TRUE(test, met || !port_map_is_stale(guest));
		/* Gone at once, whatever the map says; the other's are where they were. */
		port_owns(test, 2, NULL);
		port_owns(test, 1, stays);
		KUNIT_EXPECT_TRUE(test, vpc_ports_sound(guest->vpc));
	}
	KUNIT_EXPECT_GE(test, stale, 2);
	KUNIT_EXPECT_FALSE(test, port_map_is_stale(guest));

	/* A map that is stale when the last port goes is gone with it. */
	goes = port_new(test, "goes", 2);
	rig_fail(1);
	vpc_port_del(goes);
	KUNIT_EXPECT_TRUE(test, rig_fail_end());
	KUNIT_EXPECT_TRUE(test, port_map_is_stale(guest));
	vpc_port_del(stays);
	port_owns(test, 1, NULL);
	mutex_unlock(&guest->vnet->lock);
}

/* While the map is stale, what makes it anew runs out of memory too: it stays, and so do its ports. */
static void port_comes_without_memory(struct kunit *test)
{
	const struct vpc_nl_prefix addr = { .family = AF_INET, .plen = 32, .addr = { 10, 3, 0, 4 } };
	struct guest *guest = test->priv;
	struct vpc_port *stays, *goes, *port;
	unsigned int nth, refused = 0;
	struct vpc_port_conf *conf;
	bool met = true;
	int err;

	rig_can_fail(test);
	mutex_lock(&guest->vnet->lock);
	stays = port_new(test, "stays", 1);
	for (nth = 1; met && stays; nth++) {
		goes = port_new(test, "goes", 2);
		conf = kzalloc(struct_size(conf, addrs, 1), GFP_KERNEL);
		if (!goes || !conf)
			break;
		rig_fail(1);
		vpc_port_del(goes);
		rig_fail_end();
		KUNIT_EXPECT_TRUE(test, port_map_is_stale(guest));
		conf->addrs[0] = addr;
		conf->n_addrs = 1;
		rig_fail(nth);
		err = vpc_port_new(guest->vpc, "comes", conf, &port, NULL);
		met = rig_fail_end();
		KUNIT_EXPECT_EQ(test, port_map_is_stale(guest), !!err);
		KUNIT_EXPECT_TRUE(test, vpc_ports_sound(guest->vpc));
		port_owns(test, 1, stays);
		port_owns(test, 2, NULL);
		if (err) {
			KUNIT_EXPECT_EQ(test, err, -ENOMEM);
			KUNIT_EXPECT_TRUE(test, met);
			kfree(conf);
			refused++;
		} else {
			vpc_port_del(port);
		}
	}
	KUNIT_EXPECT_GE(test, refused, 5);
	vpc_port_del(stays);
	mutex_unlock(&guest->vnet->lock);
}

static struct kunit_case port_cases[] = {
	KUNIT_CASE(port_goes_without_memory),
	KUNIT_CASE(port_comes_without_memory),
	{}
};

static struct kunit_suite port_suite = {
	.name = "vpc_port",
	.suite_init = netns_suite_init,
	.suite_exit = netns_suite_exit,
	.init = guest_test_init,
	.exit = guest_test_exit,
	.test_cases = port_cases,
};

kunit_test_suite(port_suite);
