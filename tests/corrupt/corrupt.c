// SPDX-License-Identifier: GPL-2.0-only
/*
 * Corrupts the tables of this network namespace as broken memory or a bug would, so that tests/audit/corrupt.sh sees
 * which audit finds it. Only in the module that "make corrupt-module" builds (tests/corrupt/Kbuild), never in vpc.ko.
 * IPv4 only.
 *
 *   echo "VERB VNI ..." > /sys/module/vpc/parameters/corrupt
 *
 *   route VNI TABLE ADDRESS PLEN NEXTHOP	the trie's entry leads elsewhere, written over where it lies
 *   drop VNI TABLE ADDRESS PLEN		it is not there any more; digest and count say that it is
 *   index VNI TABLE ADDRESS			a large table's index has nothing in the /16, the trie has
 *   nexthop VNI ID ADDRESS			the VTEP, written over
 *   peer VNI ID VNI2				the VPC that a peering leads to
 *   group VNI ID				all buckets are the first member's
 *   recent VNI NEXTHOP				what CPUs remember of destinations in this version
 *   port VNI DEV				none of the port's addresses leads to it; it is listed as before
 *   digest VNI					the digest that is kept; the tables are right
 *
 * What did not find its victim is -ENOENT, so that a test cannot corrupt nothing.
 */
#include "../../kmod/datapath/recent.h"
#include "../../kmod/tables/group.h"
#include "../../kmod/tables/port.h"
#include "../../kmod/tables/trie_node.h"
#include "../../kmod/tables/txn.h"

#include <linux/inet.h>
#include <linux/module.h>
#include <linux/nsproxy.h>

/* Of one command, as far as its verb has them. */
struct vpc_corrupt {
	struct vpc *vpc;
	struct vpc_version *version;
	char text[64];
	u8 addr[4];
	u32 table;
	u32 plen;
	u32 id;
	u32 other;
};

static struct vpc_trie *vpc_corrupt_trie(const struct vpc_corrupt *c)
{
	const struct vpc_table *table = vpc_version_table(c->version, c->table);

	return table ? (struct vpc_trie *)vpc_table_trie(table, AF_INET) : NULL;
}

/* A slot that holds the lone prefix, or NULL. */
static u64 *vpc_corrupt_slot(u64 *slot, const struct vpc_route *route, unsigned int pos)
{
	struct vpc_route lone;

	vpc_slot_route(*slot, route->key, pos + VPC_TRIE_STRIDE, false, &lone);
	return vpc_route_same_prefix(&lone, route) ? slot : NULL;
}

static int vpc_corrupt_route(struct vpc_corrupt *c)
{
	const struct vpc_trie *trie = vpc_corrupt_trie(c);
	struct vpc_trie_node *node = trie ? trie->root : NULL;
	struct vpc_route route;
	unsigned int pos, bit;
	u64 *slot;

	vpc_route_init(&route, c->addr, c->plen, 0, false);
	while (node && vpc_node_covers(node, &route, false)) {
		pos = vpc_node_pos(node, false);
		if (route.len < pos + VPC_TRIE_STRIDE) {
			bit = vpc_node_bit(route.key, route.len, pos, false);
			if (!(node->in & BIT_ULL(bit)))
				return -ENOENT;
			WRITE_ONCE(vpc_node_values(node, false)[vpc_bit_rank(node->in, bit)], c->id);
			return 0;
		}
		bit = vpc_key_index(route.key, pos, false);
		if (!(node->ext & BIT_ULL(bit)))
			return -ENOENT;
		slot = &vpc_node_slots(node, false)[vpc_bit_rank(node->ext, bit)];
		if (vpc_slot_tag(*slot) != VPC_SLOT_NODE) {
			slot = vpc_corrupt_slot(slot, &route, pos);
			if (!slot)
				return -ENOENT;
			WRITE_ONCE(*slot, (*slot & ~((u64)U32_MAX << 3)) | (u64)c->id << 3);
			return 0;
		}
		node = vpc_slot_ptr(*slot);
	}
	return -ENOENT;
}

static int vpc_corrupt_drop(struct vpc_corrupt *c)
{
	struct vpc_digest digest = c->version->digest;
	u64 n_routes = c->version->n_routes, epoch = c->version->epoch;
	const struct vpc_version *is;
	struct vpc_version *now;
	struct vpc_txn *txn;
	int err;

	err = vpc_txn_begin(c->vpc, 0, VPC_TXN_DELTA, &epoch, NULL, &txn);
	if (err)
		return err;
	err = vpc_txn_route(txn, VPC_OP_DEL, c->table, AF_INET, c->addr, c->plen, 0, NULL);
	if (err) {
		vpc_txn_abort(txn);
		return err;
	}
	err = vpc_txn_commit(txn, epoch, NULL, NULL, &is);
	if (err)
		return err;
	now = (struct vpc_version *)is;
	now->digest = digest;
	now->n_routes = n_routes;
	return 0;
}

static int vpc_corrupt_index(struct vpc_corrupt *c)
{
	const struct vpc_trie *trie = vpc_corrupt_trie(c);
	struct vpc_index_page *top = trie ? trie->index : NULL, *page;

	page = top ? vpc_slot_ptr(top->way[c->addr[0]].slot) : NULL;
	if (!page || !page->way[c->addr[1]].slot)
		return -ENOENT;
	page->way[c->addr[1]] = (struct vpc_index_way){};
	page->cover[c->addr[1] / 2] = 0;
	return 0;
}

static struct vpc_nexthop *vpc_corrupt_find(const struct vpc_corrupt *c, enum vpc_nexthop_type type)
{
	const struct vpc_nexthop *nh = vpc_nhset_lookup(c->version->nexthops, c->id);

	return nh && nh->wire.type == type ? (struct vpc_nexthop *)nh : NULL;
}

static int vpc_corrupt_nexthop(struct vpc_corrupt *c)
{
	struct vpc_nexthop *nh = vpc_corrupt_find(c, VPC_NEXTHOP_GATEWAY);

	if (!nh)
		return -ENOENT;
	memcpy(nh->wire.addr, c->addr, sizeof(c->addr));
	return 0;
}

static int vpc_corrupt_peer(struct vpc_corrupt *c)
{
	struct vpc_nexthop *nh = vpc_corrupt_find(c, VPC_NEXTHOP_PEER);

	if (!nh)
		return -ENOENT;
	WRITE_ONCE(nh->wire.vni, c->other);
	return 0;
}

static int vpc_corrupt_group(struct vpc_corrupt *c)
{
	struct vpc_nexthop *nh = vpc_corrupt_find(c, VPC_NEXTHOP_GROUP);

	if (!nh || !nh->group || nh->group->n < 2)
		return -ENOENT;
	memset(nh->group->buckets, 0, VPC_GROUP_BUCKETS);
	return 0;
}

static int vpc_corrupt_recent(struct vpc_corrupt *c)
{
	const struct vpc_nexthop *nh = vpc_nhset_lookup(c->version->nexthops, c->id);
	struct vpc_recent *entry;
	int cpu, found = 0;
	unsigned int i;

	for_each_possible_cpu(cpu) {
		for (i = 0; nh && i < ARRAY_SIZE(vpc_recents->entry); i++) {
			entry = &per_cpu_ptr(vpc_recents, cpu)->entry[i];
			if (entry->stamp != c->version->stamp || entry->nh == nh)
				continue;
			WRITE_ONCE(entry->nh, nh);
			found++;
		}
	}
	return found ? 0 : -ENOENT;
}

static int vpc_corrupt_port(struct vpc_corrupt *c)
{
	const struct vpc_port *port = vpc_port_lookup_name(c->vpc->vnet, c->text);
	const struct vpc_port_conf *conf;
	struct vpc_portmap_edit edit;
	u32 i;
	int err;

	if (!port || port->vpc != c->vpc)
		return -ENOENT;
	conf = rcu_dereference_protected(port->conf, lockdep_is_held(&c->vpc->vnet->lock));
	err = vpc_portmap_begin(c->vpc, &edit);
	for (i = 0; !err && i < conf->n_addrs; i++)
		err = vpc_portmap_del(&edit, &conf->addrs[i]);
	err = err ?: vpc_portmap_seal(&edit);
	if (!err)
		vpc_portmap_publish(&edit);
	return err;
}

static int vpc_corrupt_digest(struct vpc_corrupt *c)
{
	c->version->digest.h[1] ^= 1;
	return 0;
}

/* @fields: of struct vpc_corrupt, in the order given: t table, a address, p length, i id, o other, w text. */
static const struct vpc_corrupt_verb {
	const char *name;
	const char *fields;
	int (*fn)(struct vpc_corrupt *c);
} vpc_corrupt_verbs[] = {
	{ "route", "tapi", vpc_corrupt_route },
	{ "drop", "tap", vpc_corrupt_drop },
	{ "index", "ta", vpc_corrupt_index },
	{ "nexthop", "ia", vpc_corrupt_nexthop },
	{ "peer", "io", vpc_corrupt_peer },
	{ "group", "i", vpc_corrupt_group },
	{ "recent", "i", vpc_corrupt_recent },
	{ "port", "w", vpc_corrupt_port },
	{ "digest", "", vpc_corrupt_digest },
};

static int vpc_corrupt_parse(struct vpc_corrupt *c, const char *fields, char *text)
{
	const char *word;
	int err = 0;

	for (; *fields && !err; fields++) {
		word = strsep(&text, " ");
		if (!word)
			return -EINVAL;
		if (*fields == 'a')
			err = in4_pton(word, -1, c->addr, -1, NULL) ? 0 : -EINVAL;
		else if (*fields == 'w')
			err = strscpy(c->text, word, sizeof(c->text)) < 0 ? -EINVAL : 0;
		else
			err = kstrtou32(word, 0, *fields == 't' ? &c->table : *fields == 'p' ? &c->plen :
					*fields == 'o' ? &c->other : &c->id);
	}
	return err ?: (text ? -EINVAL : 0);
}

static int vpc_corrupt_run(const struct vpc_corrupt_verb *verb, char *text)
{
	struct vpc_net *vnet = vpc_net(current->nsproxy->net_ns);
	struct vpc_corrupt c = {};
	const char *word = strsep(&text, " ");
	u32 vni;
	int err;

	err = word ? kstrtou32(word, 0, &vni) : -EINVAL;
	err = err ?: vpc_corrupt_parse(&c, verb->fields, text);
	if (err)
		return err;
	mutex_lock(&vnet->lock);
	c.vpc = vpc_lookup(vnet, vni);
	c.version = c.vpc ? vpc_version_get_current(c.vpc) : NULL;
	err = c.vpc ? verb->fn(&c) : -ENOENT;
	if (c.version)
		vpc_version_put(c.version);
	mutex_unlock(&vnet->lock);
	return err;
}

static int vpc_corrupt_set(const char *value, const struct kernel_param *kp)
{
	char *copy = kstrdup(value, GFP_KERNEL), *text;
	const char *name;
	int err = -EINVAL;
	unsigned int i;

	if (!copy)
		return -ENOMEM;
	text = strim(copy);
	name = strsep(&text, " ");
	for (i = 0; i < ARRAY_SIZE(vpc_corrupt_verbs) && text; i++)
		if (!strcmp(name, vpc_corrupt_verbs[i].name))
			err = vpc_corrupt_run(&vpc_corrupt_verbs[i], text);
	kfree(copy);
	return err;
}

static const struct kernel_param_ops vpc_corrupt_ops = { .set = vpc_corrupt_set };

module_param_cb(corrupt, &vpc_corrupt_ops, NULL, 0200);
MODULE_INFO(vpc_test, "its tables can be corrupted: not for use");
