// SPDX-License-Identifier: GPL-2.0-only
/*
 * A port whose device keeps what it is given. See guest.h.
 */
#include "guest.h"

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/rtnetlink.h>
#include "netns.h"
#include "rig.h"
#include "../../kmod/tables/txn.h"

#define VNI	78
#define OWNER	1

/* -- the device ---------------------------------------------------------------------------------------------------- */

static netdev_tx_t guest_dev_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct guest *guest = *(struct guest **)netdev_priv(dev);
	struct kunit *test = guest->test;
	u8 mac[ETH_ALEN];

	/* The host's own IPv6 speaks here, too. */
	if (!guest->running)
		goto out;
	guest->n_sent++;
	KUNIT_EXPECT_EQ(test, skb_network_offset(skb), ETH_HLEN);
	KUNIT_EXPECT_LE(test, skb->len, ETH_HLEN + PACKET_MAX);
	if (skb->len >= ETH_HLEN && skb->len <= ETH_HLEN + PACKET_MAX) {
		memcpy(guest->sent_to, skb->data, ETH_ALEN);
		KUNIT_EXPECT_EQ(test, hex2bin(mac, GUEST_ROUTER, ETH_ALEN), 0);
		KUNIT_EXPECT_EQ(test, memcmp(skb->data + ETH_ALEN, mac, ETH_ALEN), 0);
		guest->sent.ethertype = packet_get16(skb->data + 2 * ETH_ALEN);
		guest->sent.len = skb->len - ETH_HLEN;
		KUNIT_EXPECT_EQ(test, skb_copy_bits(skb, ETH_HLEN, guest->sent.bytes, guest->sent.len), 0);
		KUNIT_EXPECT_EQ(test, ntohs(skb->protocol), guest->sent.ethertype);
	}
out:
	consume_skb(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops guest_dev_ops = {
	.ndo_start_xmit = guest_dev_xmit,
	.ndo_set_mac_address = eth_mac_addr,
};

static void guest_dev_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &guest_dev_ops;
	dev->mtu = GUEST_MTU;
	dev->needs_free_netdev = true;
	dev->priv_flags |= IFF_NO_QUEUE;
	eth_hw_addr_random(dev);
}

static int guest_dev_new(struct guest *guest)
{
	struct net_device *dev;
	int err;

	dev = alloc_netdev(sizeof(guest), "vpckunit%d", NET_NAME_ENUM, guest_dev_setup);
	if (!dev)
		return -ENOMEM;
	*(struct guest **)netdev_priv(dev) = guest;
	rtnl_lock();
	err = register_netdevice(dev);
	if (err) {
		free_netdev(dev);
	} else {
		err = dev_open(dev, NULL);
		guest->dev = dev;
	}
	rtnl_unlock();
	return err;
}

/* -- the port, and what its VPC knows ------------------------------------------------------------------------------ */

static struct vpc_nl_prefix guest_prefix(struct kunit *test, const char *text, u8 plen)
{
	struct vpc_nl_prefix prefix = { .plen = plen };
	struct packet *addr = kunit_kzalloc(test, sizeof(*addr), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, addr);
	packet_parse(test, text, addr);
	prefix.family = addr->len == 4 ? AF_INET : AF_INET6;
	memcpy(prefix.addr, addr->bytes, addr->len);
	kunit_kfree(test, addr);
	return prefix;
}

static int guest_map(struct guest *guest)
{
	static const struct {
		const char *addr;
		u8 plen;
	} mapping[] = {
		{ GUEST_OTHER4, 32 }, { GUEST_INSIDE4, 32 }, { GUEST_OTHER6, 128 }, { GUEST_INSIDE6, 128 },
	};
	const struct vpc_nl_nexthop nh = { .id = 1, .op = VPC_OP_SET, .type = VPC_NEXTHOP_HOST, .family = AF_INET,
					   .addr = { 192, 0, 2, 12 } };
	const struct vpc_version *version;
	struct vpc_nl_prefix prefix;
	struct vpc_txn *txn;
	unsigned int i;
	int err;

	err = vpc_txn_begin(guest->vpc, OWNER, VPC_TXN_REPLACE, NULL, NULL, &txn);
	if (err)
		return err;
	err = vpc_txn_nexthop(txn, &nh, NULL);
	for (i = 0; !err && i < ARRAY_SIZE(mapping); i++) {
		prefix = guest_prefix(guest->test, mapping[i].addr, mapping[i].plen);
		err = vpc_txn_route(txn, VPC_OP_SET, 0, prefix.family, prefix.addr, prefix.plen, 1, NULL);
	}
	if (err) {
		vpc_txn_abort(txn);
		return err;
	}
	return vpc_txn_commit(txn, 1, NULL, NULL, &version);
}

static int guest_port_new(struct guest *guest)
{
	struct kunit *test = guest->test;
	const struct vpc_nl_prefix addrs[] = {
		guest_prefix(test, GUEST_ADDR4, 32), guest_prefix(test, " 0a000900 ", 28),
		guest_prefix(test, GUEST_ADDR6, 128), guest_prefix(test, " 20010db8 00000009 00000000 00000000 ", 64),
	};
	struct vpc_nl_prefix gateway = guest_prefix(test, GUEST_GATEWAY4, 32);
	struct vpc_port_conf *conf;
	int err;

	conf = kzalloc(struct_size(conf, addrs, ARRAY_SIZE(addrs)), GFP_KERNEL);
	if (!conf)
		return -ENOMEM;
	memcpy(conf->addrs, addrs, sizeof(addrs));
	conf->n_addrs = ARRAY_SIZE(addrs);
	KUNIT_EXPECT_EQ(test, hex2bin(conf->mac, GUEST_MAC, ETH_ALEN), 0);
	memcpy(&conf->gateway4, gateway.addr, sizeof(conf->gateway4));
	gateway = guest_prefix(test, GUEST_GATEWAY6, 128);
	memcpy(&conf->gateway6, gateway.addr, sizeof(conf->gateway6));
	conf->subnet6 = guest_prefix(test, GUEST_NET6 "00000000 00000000", 64);
	err = vpc_port_new(guest->vpc, guest->dev->name, conf, &guest->port, NULL);
	if (err)
		kfree(conf);
	else
		rcu_assign_pointer(guest->port->dev, guest->dev);
	return err;
}

struct vpc_port_conf *guest_conf(struct guest *guest)
{
	const struct vpc_port_conf *conf;
	struct vpc_port_conf *copy;

	rcu_read_lock();
	conf = rcu_dereference(guest->port->conf);
	copy = kmemdup(conf, struct_size(conf, addrs, conf->n_addrs), GFP_ATOMIC);
	rcu_read_unlock();
	KUNIT_ASSERT_NOT_NULL(guest->test, copy);
	return copy;
}

void guest_set_conf(struct guest *guest, struct vpc_port_conf *conf)
{
	int err;

	mutex_lock(&guest->vnet->lock);
	err = vpc_port_set(guest->port, conf, NULL);
	mutex_unlock(&guest->vnet->lock);
	if (err)
		kfree(conf);
	KUNIT_ASSERT_EQ(guest->test, err, 0);
}

int guest_test_init(struct kunit *test)
{
	struct guest *guest = kunit_kzalloc(test, sizeof(*guest), GFP_KERNEL);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, guest);
	rig_seed();
	guest->test = test;
	err = netns_init(VNI, &guest->vnet, &guest->vpc);
	if (err)
		return err;
	test->priv = guest;
	err = guest_dev_new(guest);
	if (err)
		return err;
	mutex_lock(&guest->vnet->lock);
	err = guest_port_new(guest);
	if (!err)
		err = guest_map(guest);
	mutex_unlock(&guest->vnet->lock);
	return err;
}

void guest_test_exit(struct kunit *test)
{
	struct guest *guest = test->priv;

	if (!guest)
		return;
	if (guest->port) {
		RCU_INIT_POINTER(guest->port->dev, NULL);
		mutex_lock(&guest->vnet->lock);
		vpc_port_del(guest->port);
		mutex_unlock(&guest->vnet->lock);
	}
	if (guest->dev)
		unregister_netdev(guest->dev);
	rcu_barrier();
	netns_exit(guest->vnet);
}

/* -- frames -------------------------------------------------------------------------------------------------------- */

struct sk_buff *guest_frame(struct guest *guest, const struct packet *packet, const char *smac, enum packet_shape shape,
			    unsigned int head)
{
	struct sk_buff *skb = packet_skb(guest->test, packet, shape, head);
	struct ethhdr *eth = skb_push(skb, ETH_HLEN);

	skb_reset_mac_header(skb);
	eth_broadcast_addr(eth->h_dest);
	KUNIT_EXPECT_EQ(guest->test, hex2bin(eth->h_source, smac ?: GUEST_MAC, ETH_ALEN), 0);
	eth->h_proto = htons(packet->ethertype);
	skb_pull(skb, ETH_HLEN);
	skb->dev = guest->dev;
	return skb;
}

enum vpc_drop guest_run(struct guest *guest, guest_rx_t rx, struct sk_buff *skb)
{
	enum vpc_drop reason, found = VPC_DROP_NONE;
	struct vpc_stats_sum before, after;
	u64 drops = 0;

	guest->n_sent = 0;
	vpc_stats_sum(guest->port->stats, &before);
	local_bh_disable();
	rcu_read_lock();
	guest->running = true;
	rx(guest->port, skb);
	guest->running = false;
	rcu_read_unlock();
	local_bh_enable();
	vpc_stats_sum(guest->port->stats, &after);
	for (reason = VPC_DROP_NONE; reason <= VPC_DROP_MAX; reason++) {
		drops += after.drops[reason] - before.drops[reason];
		if (after.drops[reason] != before.drops[reason])
			found = reason;
	}
	KUNIT_EXPECT_LE(guest->test, drops, 1);
	KUNIT_EXPECT_EQ(guest->test, after.tx_packets - before.tx_packets, guest->n_sent);
	return found;
}

static void guest_expect(struct guest *guest, const struct guest_case *c, enum vpc_drop reason,
			 const struct packet *answer)
{
	struct kunit *test = guest->test;
	u8 dmac[ETH_ALEN];

	KUNIT_EXPECT_EQ_MSG(test, reason, c->reason, "%s", c->name);
	KUNIT_EXPECT_EQ_MSG(test, guest->n_sent, c->out ? 1 : 0, "%s", c->name);
	if (!c->out || guest->n_sent != 1)
		return;
	KUNIT_EXPECT_EQ(test, hex2bin(dmac, c->dmac ?: GUEST_MAC, ETH_ALEN), 0);
	KUNIT_EXPECT_EQ_MSG(test, memcmp(guest->sent_to, dmac, ETH_ALEN), 0, "%s", c->name);
	KUNIT_EXPECT_EQ_MSG(test, guest->sent.ethertype, answer->ethertype, "%s", c->name);
	KUNIT_EXPECT_EQ_MSG(test, guest->sent.len, answer->len, "%s", c->name);
	KUNIT_EXPECT_EQ_MSG(test, memcmp(guest->sent.bytes, answer->bytes, answer->len), 0, "%s: %*ph", c->name,
			    min(guest->sent.len, 64U), guest->sent.bytes);
}

static struct packet *guest_packet(struct kunit *test, u16 ethertype, const char *text, unsigned int flags)
{
	struct packet *packet = kunit_kzalloc(test, sizeof(*packet), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, packet);
	packet->ethertype = ethertype;
	packet_parse(test, text, packet);
	if (!(flags & GUEST_RAW))
		packet_fill(packet);
	return packet;
}

void guest_run_cases(struct guest *guest, guest_rx_t rx, u16 ethertype, const struct guest_case *cases, unsigned int n)
{
	struct vpc_port_conf *conf = guest_conf(guest);
	struct packet *in, *out;
	unsigned int i, shape;
	struct sk_buff *skb;

	for (i = 0; i < n; i++) {
		conf->flags = cases[i].flags & GUEST_UNCHECKED ? VPC_PORT_F_NO_SOURCE_CHECK : 0;
		guest_set_conf(guest, conf);
		conf = guest_conf(guest);
		in = guest_packet(guest->test, ethertype, cases[i].in, cases[i].flags);
		out = guest_packet(guest->test, ethertype, cases[i].out ?: "", 0);
		for (shape = 0; shape < 3 * PACKET_SHAPES; shape++) {
			skb = guest_frame(guest, in, cases[i].smac, shape % PACKET_SHAPES, rig_below(in->len + 1));
			if (cases[i].flags & GUEST_VLAN)
				__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), 7);
			guest_expect(guest, &cases[i], guest_run(guest, rx, skb), out);
		}
		kunit_kfree(guest->test, in);
		kunit_kfree(guest->test, out);
	}
	kfree(conf);
}

static void guest_mangle(struct packet *packet)
{
	unsigned int i;

	for (i = 1 + rig_below(4); i && packet->len; i--)
		packet->bytes[rig_below(packet->len)] ^= rig_below(2) ? 1 << rig_below(8) : 1 + rig_below(255);
	if (!rig_below(4))
		packet->len = rig_below(packet->len + 1);
}

void guest_run_mangled(struct guest *guest, guest_rx_t rx, u16 ethertype, const struct guest_case *cases,
		       unsigned int n, unsigned int rounds)
{
	struct kunit *test = guest->test;
	unsigned int answers = 0, drops = 0;
	u8 own[ETH_ALEN], all[ETH_ALEN];
	struct packet *packet;
	enum vpc_drop reason;
	struct sk_buff *skb;

	KUNIT_EXPECT_EQ(test, hex2bin(own, GUEST_MAC, ETH_ALEN), 0);
	KUNIT_EXPECT_EQ(test, hex2bin(all, GUEST_ALL_NODES, ETH_ALEN), 0);
	while (rounds--) {
		packet = guest_packet(test, ethertype, cases[rig_below(n)].in, 0);
		guest_mangle(packet);
		/* What a checksum would stop is to be read, too. */
		skb = guest_frame(guest, packet, NULL, rig_below(PACKET_SHAPES), rig_below(packet->len + 1));
		skb->ip_summed = rig_below(2) ? CHECKSUM_UNNECESSARY : CHECKSUM_NONE;
		reason = guest_run(guest, rx, skb);
		KUNIT_EXPECT_LE(test, guest->n_sent, reason ? 0 : 1);
		KUNIT_EXPECT_TRUE(test, !guest->n_sent || !memcmp(guest->sent_to, own, ETH_ALEN) ||
						!memcmp(guest->sent_to, all, ETH_ALEN));
		answers += guest->n_sent;
		drops += !!reason;
		kunit_kfree(test, packet);
	}
	/* It was about something. */
	KUNIT_EXPECT_GE(test, answers, 20);
	KUNIT_EXPECT_GE(test, drops, 20);
}

void guest_run_no_memory(struct guest *guest, guest_rx_t rx, u16 ethertype, const struct guest_case *c)
{
	struct packet *in = guest_packet(guest->test, ethertype, c->in, c->flags);
	struct packet *out = guest_packet(guest->test, ethertype, c->out, 0);
	unsigned int fail, refused = 0;
	enum vpc_drop reason;
	struct sk_buff *skb;
	bool met = true;

	rig_can_fail(guest->test);
	for (fail = 1; met; fail++) {
		skb = guest_frame(guest, in, c->smac, PACKET_LINEAR, 0);
		rig_fail(fail);
		reason = guest_run(guest, rx, skb);
		met = rig_fail_end();
		if (reason) {
			refused++;
			KUNIT_EXPECT_TRUE(guest->test, met);
			KUNIT_EXPECT_EQ(guest->test, reason, VPC_DROP_NOMEM);
			KUNIT_EXPECT_EQ(guest->test, guest->n_sent, 0);
		} else {
			guest_expect(guest, c, reason, out);
		}
	}
	KUNIT_EXPECT_GE(guest->test, refused, 1);
	kunit_kfree(guest->test, in);
	kunit_kfree(guest->test, out);
}
