// SPDX-License-Identifier: Apache-2.0
/*
 * Making a VPC what a document says: see intent_doc.h.
 *
 * What goes, goes first, from the ports up to the ranges; what comes, comes from the VPC down to the ports. Customers'
 * elements are compared and written at once in between, since they may be a million.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <json-c/json.h>
#include "diff.h"
#include "intent_doc.h"
#include "intent_nexthop.h"
#include "util.h"

struct apply {
	const struct intent *intent;
	const struct cdb_doc *want;
	struct cdb_doc have; /* before */
	char vpc[16]; /* its VNI */
	struct cdb_change_result result; /* of single steps, of no interest */
	struct vpc_err *err;
};

static int oom(struct apply *a)
{
	return vpc_err_set(a->err, -ENOMEM, "out of memory");
}

static int failed(struct apply *a, const struct cdb_item *item, int r)
{
	return r && r != -EDEADLK ? vpc_err_prefix(a->err, r, "%s %s", cdb_item_kind_name(item->kind), item->name) : r;
}

/* -- JSON objects of items ----------------------------------------------------------------------------------------- */

static int bad_member(struct apply *a, const char *member)
{
	return vpc_err_set(a->err, -EINVAL, "'%s' is missing or malformed", member);
}

static int text_of(struct apply *a, json_object *object, const char *member, const char **ret_text)
{
	json_object *value;

	if (!json_object_object_get_ex(object, member, &value) || !json_object_is_type(value, json_type_string))
		return bad_member(a, member);
	*ret_text = json_object_get_string(value);
	return 0;
}

static int number_of(struct apply *a, json_object *object, const char *member, uint64_t *ret_number)
{
	json_object *value;

	if (!json_object_object_get_ex(object, member, &value) || !json_object_is_type(value, json_type_int) ||
	    json_object_get_int64(value) < 0)
		return bad_member(a, member);
	*ret_number = json_object_get_uint64(value);
	return 0;
}

/* -- what stays ---------------------------------------------------------------------------------------------------- */

static int prefix_of(const struct cdb_item *subnet, struct vpc_prefix *ret_prefix)
{
	json_object *object = json_tokener_parse(subnet->text), *value;
	int r = -EINVAL;

	if (json_object_object_get_ex(object, "prefix", &value) && json_object_is_type(value, json_type_string))
		r = vpc_prefix_parse(json_object_get_string(value), ret_prefix, NULL);
	json_object_put(object);
	return r;
}

/* A subnet stays with its prefix and the range that this is in, whatever its table. */
static bool subnet_stays(const struct apply *a, const char *name)
{
	const struct cdb_item *have = cdb_doc_find(&a->have, CDB_ITEM_SUBNET, name),
			      *want = cdb_doc_find(a->want, CDB_ITEM_SUBNET, name);
	struct vpc_prefix prefix, other, range;

	if (!have || !want || prefix_of(have, &prefix) || prefix_of(want, &other) || vpc_prefix_cmp(&prefix, &other))
		return false;
	for (size_t i = 0; i < a->have.n_items; i++) {
		const struct cdb_item *item = &a->have.items[i];

		if (item->kind == CDB_ITEM_RANGE && !vpc_prefix_parse(item->name, &range, NULL) &&
		    vpc_prefix_overlaps(&range, &prefix))
			return cdb_doc_find(a->want, CDB_ITEM_RANGE, item->name);
	}
	return false;
}

/* Whether what is there is as the document says, so that nothing is to be done about it. */
static bool item_stays(const struct apply *a, enum cdb_item_kind kind, const char *name)
{
	const struct cdb_item *have = cdb_doc_find(&a->have, kind, name), *want = cdb_doc_find(a->want, kind, name);
	json_object *object, *subnet;
	bool stays;

	if (!have || !want || !cdb_item_text_equal(have->text, want->text))
		return false;
	if (kind == CDB_ITEM_SUBNET)
		return subnet_stays(a, name);
	if (kind != CDB_ITEM_PORT)
		return true;
	object = json_tokener_parse(have->text);
	stays = json_object_object_get_ex(object, "subnet", &subnet) && subnet_stays(a, json_object_get_string(subnet));
	json_object_put(object);
	return stays;
}

/* Calls @fn for the document's items of one kind that do not stay; @there is NULL, or another one by that name. */
typedef int (*item_fn)(struct apply *a, const struct cdb_item *item, json_object *object, const struct cdb_item *there);

static int each_wanted(struct apply *a, enum cdb_item_kind kind, item_fn fn)
{
	int r = 0;

	for (size_t i = 0; i < a->want->n_items && !r; i++) {
		const struct cdb_item *item = &a->want->items[i], *there = cdb_doc_find(&a->have, kind, item->name);
		json_object *object;

		if (item->kind != kind || item_stays(a, kind, item->name))
			continue;
		object = json_tokener_parse(item->text);
		r = json_object_is_type(object, json_type_object)
			    ? fn(a, item, object, there)
			    : vpc_err_set(a->err, -EINVAL, "'%.32s' is no JSON object", item->text);
		json_object_put(object);
		r = failed(a, item, r);
	}
	return r;
}

/* Those that are there and not in the document, or with @changed do not stay. */
static int each_excess(struct apply *a, enum cdb_item_kind kind, bool changed,
		       int (*fn)(struct apply *a, const struct cdb_item *item))
{
	int r = 0;

	for (size_t i = 0; i < a->have.n_items && !r; i++) {
		const struct cdb_item *item = &a->have.items[i];

		if (item->kind != kind ||
		    (changed ? item_stays(a, kind, item->name) : !!cdb_doc_find(a->want, kind, item->name)))
			continue;
		r = failed(a, item, fn(a, item));
	}
	return r;
}

/* -- what goes ----------------------------------------------------------------------------------------------------- */

static int del_port(struct apply *a, const struct cdb_item *item)
{
	return intent_port_del(a->intent, a->vpc, item->name, &a->result, a->err);
}

static int del_subnet(struct apply *a, const struct cdb_item *item)
{
	if (subnet_stays(a, item->name))
		return 0; /* another table alone */
	return intent_subnet_del(a->intent, a->vpc, item->name, &a->result, a->err);
}

static int del_table(struct apply *a, const struct cdb_item *item)
{
	return intent_table_del(a->intent, a->vpc, strtoul(item->name, NULL, 10), &a->result, a->err);
}

static int range_set(struct apply *a, const struct cdb_item *item, bool add)
{
	struct vpc_prefix prefix;
	struct intent_vpc_set set = { .add = &prefix, .del = &prefix, .n_add = add, .n_del = !add };
	int r;

	r = vpc_prefix_parse(item->name, &prefix, a->err);
	return r ?: intent_vpc_set(a->intent, a->vpc, &set, &a->result, a->err);
}

static int del_range(struct apply *a, const struct cdb_item *item)
{
	return range_set(a, item, false);
}

static bool wants_route(const struct cdb_doc *doc, const struct vpc_route *route)
{
	const struct vpc_route *found = vpc_state_find_route(&doc->state, route->table, &route->prefix);

	return found && cdb_doc_own_route(doc, found);
}

/* Customers' routes that the document does not have: a range may come in their place. */
static int del_routes(struct apply *a)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	int r;

	r = intent_begin(a->intent, a->vpc, &change, a->err);
	for (size_t i = 0; i < a->have.state.n_routes && !r; i++) {
		const struct vpc_route *route = &a->have.state.routes[i];

		if (cdb_doc_own_route(&a->have, route) && !wants_route(a->want, route) &&
		    cdb_change_put_route(change, route->table, &route->prefix, route->nexthop, 0))
			r = oom(a);
	}
	return r ?: cdb_change_commit(&change, &a->result, a->err);
}

/* -- what comes ---------------------------------------------------------------------------------------------------- */

static int put_vpc(struct apply *a, const struct cdb_item *item, json_object *object, const struct cdb_item *there)
{
	struct intent_vpc_set set = {};
	uint64_t quota, flags;
	uint32_t flags32;
	int r;

	r = text_of(a, object, "name", &set.name);
	if (!r)
		r = number_of(a, object, "quota", &quota);
	if (!r)
		r = number_of(a, object, "flags", &flags);
	if (!r && flags & ~(uint64_t)__VPC_F_ALL)
		r = bad_member(a, "flags");
	if (r)
		return r;
	flags32 = flags;
	set.quota = &quota;
	set.flags = &flags32;
	if (!there)
		return intent_vpc_add(a->intent, set.name, a->want->state.vni, NULL, 0, quota, flags32, &a->result,
				      a->err);
	return intent_vpc_set(a->intent, a->vpc, &set, &a->result, a->err);
}

static int put_range(struct apply *a, const struct cdb_item *item, json_object *object, const struct cdb_item *there)
{
	return range_set(a, item, true);
}

/* Two tables may swap their names. */
static int clear_table_name(struct apply *a, const struct cdb_item *item)
{
	char name[64];

	snprintf(name, sizeof(name), "moving-%lu", strtoul(item->name, NULL, 10));
	return intent_table_set(a->intent, a->vpc, strtoul(item->name, NULL, 10), name, &a->result, a->err);
}

static int put_table(struct apply *a, const struct cdb_item *item, json_object *object, const struct cdb_item *there)
{
	uint32_t id = strtoul(item->name, NULL, 10);
	const char *name;
	int r;

	r = text_of(a, object, "name", &name);
	if (r)
		return r;
	if (there)
		return intent_table_set(a->intent, a->vpc, id, name, &a->result, a->err);
	return intent_table_add(a->intent, a->vpc, id, name, &a->result, a->err);
}

static int subnet_table(struct apply *a, json_object *object, uint32_t *ret_table)
{
	uint64_t table;
	int r;

	r = number_of(a, object, "table", &table);
	if (!r && table >= VPC_TABLES_MAX)
		r = bad_member(a, "table");
	if (!r)
		*ret_table = table;
	return r;
}

static int move_subnet(struct apply *a, const struct cdb_item *item, json_object *object, const struct cdb_item *there)
{
	uint32_t table;
	int r;

	if (!subnet_stays(a, item->name))
		return 0;
	r = subnet_table(a, object, &table);
	return r ?: intent_subnet_set(a->intent, a->vpc, item->name, table, &a->result, a->err);
}

static int put_subnet(struct apply *a, const struct cdb_item *item, json_object *object, const struct cdb_item *there)
{
	struct vpc_prefix prefix;
	const char *text;
	uint32_t table;
	int r;

	if (subnet_stays(a, item->name))
		return 0; /* moved to its table before */
	r = text_of(a, object, "prefix", &text);
	if (!r)
		r = subnet_table(a, object, &table);
	if (!r)
		r = vpc_prefix_parse(text, &prefix, a->err);
	return r ?: intent_subnet_add(a->intent, a->vpc, item->name, &prefix, table, &a->result, a->err);
}

static int port_addresses(struct apply *a, json_object *object, struct vpc_prefix *addrs, size_t *ret_n)
{
	json_object *list, *one;
	size_t n;
	int r = 0;

	if (!json_object_object_get_ex(object, "addresses", &list) || !json_object_is_type(list, json_type_array))
		return bad_member(a, "addresses");
	n = json_object_array_length(list);
	if (!n || n > VPC_PORT_ADDRS_MAX)
		return vpc_err_set(a->err, -EINVAL, "%zu addresses: 1..%d", n, VPC_PORT_ADDRS_MAX);
	for (size_t i = 0; i < n && !r; i++) {
		one = json_object_array_get_idx(list, i);
		r = json_object_is_type(one, json_type_string)
			    ? vpc_prefix_parse(json_object_get_string(one), &addrs[i], a->err)
			    : bad_member(a, "addresses");
	}
	if (!r)
		*ret_n = n;
	return r;
}

static int port_standby(struct apply *a, const char *name, json_object *object)
{
	const char *host, *dev;
	json_object *standby;
	int r;

	if (!json_object_object_get_ex(object, "standby", &standby))
		return 0;
	r = text_of(a, standby, "host", &host);
	if (!r)
		r = text_of(a, standby, "dev", &dev);
	return r ?: intent_port_prepare(a->intent, a->vpc, name, host, dev, &a->result, a->err);
}

static int put_port(struct apply *a, const struct cdb_item *item, json_object *object, const struct cdb_item *there)
{
	struct intent_port port = { .name = item->name };
	struct vpc_prefix addrs[VPC_PORT_ADDRS_MAX];
	const char *mac_text;
	uint64_t flags;
	uint8_t mac[6];
	int r;

	r = text_of(a, object, "subnet", &port.subnet);
	if (!r)
		r = text_of(a, object, "host", &port.host);
	if (!r)
		r = text_of(a, object, "dev", &port.dev);
	if (!r)
		r = text_of(a, object, "mac", &mac_text);
	if (!r)
		r = number_of(a, object, "flags", &flags);
	if (!r && flags & ~(uint64_t)__VPC_PORT_F_ALL)
		r = bad_member(a, "flags");
	if (!r)
		r = vpc_mac_parse(mac_text, mac, a->err);
	if (!r)
		r = port_addresses(a, object, addrs, &port.n_addrs);
	if (r)
		return r;
	port.addrs = addrs;
	port.mac = mac;
	port.flags = flags;
	r = intent_port_add(a->intent, a->vpc, &port, &a->result, a->err);
	return r ?: port_standby(a, item->name, object);
}

/* -- elements ------------------------------------------------------------------------------------------------------ */

static int add_wanted(struct apply *a, const struct cdb_doc *now, struct vpc_state *target)
{
	const struct vpc_state *want = &a->want->state;
	char text[VPC_PREFIX_STRLEN];
	int r = 0;

	for (size_t i = 0; i < want->n_nexthops && !r; i++)
		if (want->nexthops[i].id <= VPC_NEXTHOP_ID_USER_MAX)
			r = vpc_state_add_nexthop(target, &want->nexthops[i]);
	for (size_t i = 0; i < want->n_members && !r; i++)
		r = vpc_state_add_member(target, &want->members[i]);
	for (size_t i = 0; i < want->n_routes && !r; i++) {
		const struct vpc_route *route = &want->routes[i];

		if (!cdb_doc_own_route(a->want, route))
			continue;
		if (route->nexthop > VPC_NEXTHOP_ID_LOCAL ||
		    cdb_doc_find(now, CDB_ITEM_RANGE, vpc_prefix_format(&route->prefix, text)))
			return vpc_err_set(
				a->err, -EPERM,
				"route %s in table %u: ranges always lead to local, and hosts come from ports",
				vpc_prefix_format(&route->prefix, text), route->table);
		r = vpc_state_add_route(target, route);
	}
	return r ? oom(a) : 0;
}

/* What is there by now, with the document's own elements in place of the customers'. */
static int make_target(struct apply *a, const struct cdb_doc *now, struct vpc_state *target)
{
	int r = 0;

	for (size_t i = 0; i < now->state.n_nexthops && !r; i++)
		if (now->state.nexthops[i].id > VPC_NEXTHOP_ID_USER_MAX)
			r = vpc_state_add_nexthop(target, &now->state.nexthops[i]);
	for (size_t i = 0; i < now->state.n_routes && !r; i++)
		if (!cdb_doc_own_route(now, &now->state.routes[i]))
			r = vpc_state_add_route(target, &now->state.routes[i]);
	if (r)
		return oom(a);
	r = add_wanted(a, now, target);
	if (!r)
		r = vpc_state_sort(target, a->err);
	return r ?: vpc_state_check(target, a->err);
}

struct put {
	struct apply *apply;
	struct cdb_change *change;
	bool peers;
};

static int put_element(const struct vpc_diff_entry *e, void *arg)
{
	struct put *put = arg;
	struct apply *a = put->apply;
	int r = 0;

	if (e->want_nexthop || e->have_nexthop) {
		put->peers |= (e->want_nexthop && e->want_nexthop->type == VPC_NEXTHOP_PEER) ||
			      (e->have_nexthop && e->have_nexthop->type == VPC_NEXTHOP_PEER);
		if (e->want_nexthop)
			r = intent_nexthop_check(put->change, e->want_nexthop, a->err);
		if (!r && cdb_change_put_nexthop(put->change, e->have_nexthop, e->want_nexthop))
			r = oom(a);
	} else if (e->want_member || e->have_member) {
		const struct vpc_nl_member *key = e->want_member ?: e->have_member;

		if (cdb_change_put_member(put->change, key->group, key->nexthop,
					  e->have_member ? e->have_member->weight : 0,
					  e->want_member ? e->want_member->weight : 0))
			r = oom(a);
	} else {
		const struct vpc_route *key = e->want_route ?: e->have_route;

		if (cdb_change_put_route(put->change, key->table, &key->prefix,
					 e->have_route ? e->have_route->nexthop : 0,
					 e->want_route ? e->want_route->nexthop : 0))
			r = oom(a);
	}
	return r;
}

static int put_elements(struct apply *a)
{
	_cleanup_(cdb_change_abortp) struct cdb_change *change = NULL;
	_cleanup_(vpc_state_clear) struct vpc_state target;
	_cleanup_(cdb_doc_clear) struct cdb_doc now;
	struct put put = { .apply = a };
	int r;

	cdb_doc_init(&now, a->want->state.vni);
	vpc_state_init(&target, a->want->state.vni);
	r = intent_begin(a->intent, a->vpc, &change, a->err);
	if (!r)
		r = cdb_doc_load(a->intent->cdb, a->want->state.vni, NULL, &now, a->err);
	if (!r)
		r = make_target(a, &now, &target);
	put.change = change;
	if (!r)
		r = vpc_diff(&target, &now.state, put_element, &put);
	if (!r)
		r = cdb_change_write(change, a->err);
	if (!r && put.peers)
		r = intent_peer_tell(change, a->err);
	return r ?: cdb_change_commit(&change, &a->result, a->err);
}

/* Ports with anything changed go and come back: two may have swapped their devices or addresses. */
static int apply_items(struct apply *a)
{
	int r;

	r = each_excess(a, CDB_ITEM_PORT, true, del_port);
	if (!r)
		r = each_excess(a, CDB_ITEM_SUBNET, true, del_subnet);
	if (!r)
		r = del_routes(a);
	/* Tables: those that come first, so that subnets find theirs before others go. */
	if (!r)
		r = each_excess(a, CDB_ITEM_TABLE, true, clear_table_name);
	if (!r)
		r = each_wanted(a, CDB_ITEM_TABLE, put_table);
	if (!r)
		r = each_wanted(a, CDB_ITEM_SUBNET, move_subnet);
	if (!r)
		r = each_excess(a, CDB_ITEM_TABLE, false, del_table);
	if (!r)
		r = each_excess(a, CDB_ITEM_RANGE, false, del_range);
	if (!r)
		r = each_wanted(a, CDB_ITEM_VPC, put_vpc);
	if (!r)
		r = each_wanted(a, CDB_ITEM_RANGE, put_range);
	if (!r)
		r = each_wanted(a, CDB_ITEM_SUBNET, put_subnet);
	if (!r)
		r = put_elements(a);
	return r ?: each_wanted(a, CDB_ITEM_PORT, put_port);
}

/* One that is to be made has table 1 from the start, by a name that the document may have for another. */
static int begin(struct apply *a)
{
	struct vpc_err gone = {};
	struct cdb_vpc vpc;
	int r;

	r = cdb_vpc_get(a->intent->cdb, a->want->state.vni, &vpc, &gone);
	if (r == -ENOENT) {
		r = each_wanted(a, CDB_ITEM_VPC, put_vpc);
	} else if (r) {
		r = vpc_err_set(a->err, r, "%s", gone.text);
	}
	return r ?: cdb_doc_load(a->intent->cdb, a->want->state.vni, NULL, &a->have, a->err);
}

int intent_doc_apply(const struct intent *intent, const struct cdb_doc *doc, struct vpc_err *err)
{
	struct apply a = { .intent = intent, .want = doc, .err = err };
	int r;

	snprintf(a.vpc, sizeof(a.vpc), "%" PRIu32, doc->state.vni);
	cdb_doc_init(&a.have, doc->state.vni);
	if (!cdb_doc_find(doc, CDB_ITEM_VPC, ""))
		return vpc_err_set(err, -EINVAL, "VPC %s was not there: delete it with `vpc del`", a.vpc);
	r = begin(&a);
	if (!r)
		r = apply_items(&a);
	cdb_doc_clear(&a.have);
	return r;
}
