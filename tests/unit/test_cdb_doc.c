// SPDX-License-Identifier: Apache-2.0
/*
 * Whole VPCs against a real server (cdb_rig.h): random changes of all kinds, then back to every epoch, out as JSON and
 * in again; and ports with two places.
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cdb_rig.h"
#include "../../lib/cdb_batch.h"
#include "../../lib/digest.h"
#include "../../lib/doc_json.h"
#include "../../lib/intent_doc.h"
#include "../../lib/util.h"

#define VNI 700
#define STEPS 40
#define VPC "700"
#define HOSTS 3

static struct cdb_doc load(const uint64_t *epoch)
{
	struct cdb_doc doc;

	ok(cdb_doc_load(rig_cdb, VNI, epoch, &doc, &err));
	return doc;
}

static int apply(const struct cdb_doc *doc, struct vpc_err *err)
{
	_cleanup_(cdb_batch_freep) struct cdb_batch *batch = NULL;
	const struct intent by = rig_intent();
	int r;

	r = cdb_batch_begin(rig_cdb, "tester", "document", &batch, err);
	if (!r)
		r = intent_doc_apply(&by, doc, err);
	return r ?: cdb_batch_commit(batch, err);
}

static int differs(const struct cdb_doc_diff *diff, void *arg)
{
	const struct cdb_item *item = diff->item_is ?: diff->item_was;

	if (item)
		print_error("%s %s: %s, %s\n", cdb_item_kind_name(item->kind), item->name,
			    diff->item_was ? diff->item_was->text : "-", diff->item_is ? diff->item_is->text : "-");
	else
		print_error("an element of kind %d differs\n", (diff->is ?: diff->was)->kind);
	return -1;
}

static void assert_equal_docs(const struct cdb_doc *a, const struct cdb_doc *b)
{
	assert_int_equal(cdb_doc_compare(a, b, differs, NULL), 0);
	assert_true(vpc_digest_equal(&a->state.digest, &b->state.digest));
}

static struct vpc_prefix nth(unsigned int i)
{
	return (struct vpc_prefix){ AF_INET, 16, { 11, i } };
}

/* One random command; whether it is refused does not matter. */
static void step(unsigned int *seed)
{
	const struct vpc_nl_member member = { .nexthop = rand_r(seed) % 4 + 1, .weight = rand_r(seed) % 5 + 1 };
	const struct intent_members members = { .set = &member, .n_set = rand_r(seed) % 2, .replace = true };
	struct vpc_nl_nexthop nh = { .id = rand_r(seed) % 6 + 1, .type = VPC_NEXTHOP_BLACKHOLE };
	unsigned int n = rand_r(seed) % 4, host = rand_r(seed) % HOSTS;
	struct vpc_prefix prefix = nth(n), route = { AF_INET, 8, { 20 + n } };
	struct vpc_prefix range = { AF_INET, 16 + rand_r(seed) % 2, { 11, n } };
	const struct intent by = rig_intent();
	struct intent_via via = { .id = rand_r(seed) % 6 + 1 };
	const uint64_t quota = rand_r(seed) % 3;
	const uint32_t flags = rand_r(seed) % 2;
	struct intent_vpc_set set = {};
	struct cdb_change_result result;
	char name[16], to[16];

	snprintf(name, sizeof(name), "n%u", n);
	snprintf(to, sizeof(to), "d%u", host);
	switch (rand_r(seed) % 16) {
	case 0:
		set.add = &range;
		set.n_add = 1;
		intent_vpc_set(&by, VPC, &set, &result, NULL);
		break;
	case 1:
		set.del = &range;
		set.n_del = 1;
		intent_vpc_set(&by, VPC, &set, &result, NULL);
		break;
	case 2:
		set.quota = &quota;
		set.flags = &flags;
		set.name = rand_r(seed) % 2 ? "docs" : "documents";
		intent_vpc_set(&by, VPC, &set, &result, NULL);
		break;
	case 3:
		prefix.plen = 24 + rand_r(seed) % 2;
		prefix.bytes[2] = rand_r(seed) % 2;
		intent_subnet_add(&by, VPC, name, &prefix, rand_r(seed) % 3 + 1, &result, NULL);
		break;
	case 4:
		intent_subnet_del(&by, VPC, name, &result, NULL);
		break;
	case 5:
		intent_subnet_set(&by, VPC, name, rand_r(seed) % 3 + 1, &result, NULL);
		break;
	case 6:
		intent_table_add(&by, VPC, n + 1, NULL, &result, NULL);
		break;
	case 7:
		if (rand_r(seed) % 2)
			intent_table_del(&by, VPC, n + 1, &result, NULL);
		else
			intent_table_set(&by, VPC, n + 1, name, &result, NULL);
		break;
	case 8:
	case 9:
		intent_port_add(&by, VPC, &(struct intent_port){ name, name, to, name }, &result, NULL);
		break;
	case 10:
		intent_port_del(&by, VPC, name, &result, NULL);
		break;
	case 11:
		if (!intent_port_prepare(&by, VPC, name, to, NULL, &result, NULL) || rand_r(seed) % 2)
			intent_port_move(&by, VPC, name, &result, NULL);
		else
			intent_port_release(&by, VPC, name, &result, NULL);
		break;
	case 12:
		nh.type = rand_r(seed) % 2 ? VPC_NEXTHOP_PROHIBIT : VPC_NEXTHOP_BLACKHOLE;
		if (rand_r(seed) % 3 == 0)
			nh.type = VPC_NEXTHOP_GROUP;
		intent_nexthop_put(&by, VPC, &nh, nh.type == VPC_NEXTHOP_GROUP ? &members : NULL, rand_r(seed) % 2,
				   &result, NULL);
		break;
	case 13:
		intent_nexthop_del(&by, VPC, nh.id, &result, NULL);
		break;
	case 14:
		intent_route_put(&by, VPC, rand_r(seed) % 3 + 1, rand_r(seed) % 4 ? &route : &prefix, &via, true,
				 &result, NULL);
		break;
	case 15:
		intent_route_del(&by, VPC, rand_r(seed) % 3 + 1, &route, &result, NULL);
		break;
	}
}

static struct cdb_doc through_json(const struct cdb_doc *doc, bool pretty)
{
	struct cdb_doc back;
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	assert_non_null(to);
	assert_int_equal(doc_json_write(doc, to, pretty), 0);
	assert_int_equal(fclose(to), 0);
	ok(doc_json_parse(text, len, &back, &err));
	free(text);
	return back;
}

static void test_random_vpcs(void **state)
{
	static struct cdb_doc epochs[STEPS * 6];
	const struct intent by = rig_intent();
	uint64_t last, first = 1;
	unsigned int seed = 4242;
	char host[8];

	rig_need_server();
	for (unsigned int i = 0; i < HOSTS; i++) {
		struct vpc_addr vtep = { .family = AF_INET, .bytes = { 192, 0, 2, i + 1 } };

		snprintf(host, sizeof(host), "d%u", i);
		ok(intent_host_add(&by, host, &vtep, 4789, &err));
	}
	rig_vpc_new("docs", VNI);
	for (unsigned int i = 0; i < STEPS * 5; i++) {
		struct cdb_doc doc;

		step(&seed);
		doc = load(NULL);
		if (epochs[doc.state.epoch].state.epoch)
			cdb_doc_clear(&epochs[doc.state.epoch]);
		epochs[doc.state.epoch] = doc;
		last = doc.state.epoch;
		assert_true(last < ARRAY_SIZE(epochs) - 1);
	}
	assert_true(last > STEPS);
	/* What was, is what the history says that it was. */
	for (uint64_t e = first; e <= last; e++) {
		struct cdb_doc past;

		if (!epochs[e].state.epoch)
			continue; /* two changes in one step */
		past = load(&e);
		assert_equal_docs(&past, &epochs[e]);
		cdb_doc_clear(&past);
	}
	/* Back to any of them, by way of JSON every other time, and the digest is the one of then. */
	for (uint64_t e = last; e >= first; e = e > 7 ? e - 7 : 0) {
		_cleanup_(cdb_doc_clear) struct cdb_doc now, past;

		past = load(&e);
		if (e % 2) {
			struct cdb_doc back = through_json(&past, e % 4 == 1);

			ok(apply(&back, &err));
			cdb_doc_clear(&back);
		} else {
			ok(apply(&past, &err));
		}
		now = load(NULL);
		assert_equal_docs(&past, &now);
	}
	for (uint64_t e = 0; e < ARRAY_SIZE(epochs); e++)
		if (epochs[e].state.epoch)
			cdb_doc_clear(&epochs[e]);
}

/* Gone, and back from its history: with all ports. */
static void test_undelete(void **state)
{
	_cleanup_(cdb_doc_clear) struct cdb_doc before, gone, back;
	const struct intent by = rig_intent();
	const struct vpc_prefix range = nth(9);
	struct vpc_prefix subnet = range;
	struct cdb_change_result result;
	uint64_t epoch;

	rig_need_server();
	subnet.plen = 24;
	ok(intent_vpc_set(&by, VPC, &(struct intent_vpc_set){ .add = &range, .n_add = 1 }, &result, &err));
	ok(intent_subnet_add(&by, VPC, "kept", &subnet, 1, &result, &err));
	ok(intent_port_add(&by, VPC, &(struct intent_port){ "kept", "kept", "d0", "kept" }, &result, &err));
	before = load(NULL);
	epoch = before.state.epoch;
	for (size_t i = 0; i < before.n_items; i++)
		if (before.items[i].kind == CDB_ITEM_PORT)
			ok(intent_port_del(&by, VPC, before.items[i].name, &result, &err));
	ok(intent_vpc_del(&by, VPC, &result, &err));
	gone = load(NULL);
	assert_int_equal(gone.n_items + gone.state.n_nexthops, 0);
	refused(apply(&gone, &err), -EINVAL, "was not there");
	cdb_doc_clear(&gone);
	gone = load(&epoch);
	assert_equal_docs(&before, &gone);
	ok(apply(&gone, &err));
	back = load(NULL);
	assert_equal_docs(&before, &back);
	assert_int_equal(back.state.epoch, result.epoch + 1);
}

/* Ports, subnets, tables that look the same after what they stand on was made anew: they are made anew with it. */
static void test_same_names(void **state)
{
	_cleanup_(cdb_doc_clear) struct cdb_doc first, second, now;
	struct vpc_prefix range = { AF_INET, 16, { 11, 20 } }, subnet = { AF_INET, 24, { 11, 20 } };
	const struct intent_port port = { "phoenix", "phoenix", "d0", "phoenix" };
	const struct intent by = rig_intent();
	struct cdb_change_result result;

	rig_need_server();
	cdb_doc_init(&first, VNI);
	cdb_doc_init(&second, VNI);
	cdb_doc_init(&now, VNI);
	for (unsigned int i = 0; i < 3; i++) {
		struct intent_vpc_set set = { .add = &range, .n_add = 1 };

		range.plen = i == 2 ? 15 : 16;
		subnet.plen = i == 1 ? 25 : 24;
		ok(intent_vpc_set(&by, VPC, &set, &result, &err));
		ok(intent_table_add(&by, VPC, 20 + i, NULL, &result, &err));
		ok(intent_subnet_add(&by, VPC, "phoenix", &subnet, 20 + i, &result, &err));
		ok(intent_port_add(&by, VPC, &port, &result, &err));
		now = load(NULL);
		if (i == 0)
			first = now;
		else if (i == 1)
			second = now;
		else
			break;
		ok(intent_port_del(&by, VPC, "phoenix", &result, &err));
		ok(intent_subnet_del(&by, VPC, "phoenix", &result, &err));
		ok(intent_table_del(&by, VPC, 20 + i, &result, &err));
		set = (struct intent_vpc_set){ .del = &range, .n_del = 1 };
		ok(intent_vpc_set(&by, VPC, &set, &result, &err));
	}
	for (unsigned int i = 0; i < 4; i++) {
		cdb_doc_clear(&now);
		ok(apply(i % 2 ? &second : &first, &err));
		now = load(NULL);
		assert_equal_docs(i % 2 ? &second : &first, &now);
	}
}

static void test_port_places(void **state)
{
	const struct intent by = rig_intent();
	struct cdb_change_result result;
	struct vpc_host_ports a = {}, b = {};
	_cleanup_(vpc_state_clear) struct vpc_state now;

	rig_need_server();
	refused(intent_port_move(&by, VPC, "kept", &result, &err), -EINVAL, "no second place");
	refused(intent_port_release(&by, VPC, "kept", &result, &err), -EINVAL, "no second place");
	refused(intent_port_prepare(&by, VPC, "kept", "d0", NULL, &result, &err), -EINVAL, "on host d0 already");
	refused(intent_port_prepare(&by, VPC, "kept", "d9", NULL, &result, &err), -ENOENT, "no host 'd9'");
	refused(intent_port_prepare(&by, VPC, "nobody", "d1", NULL, &result, &err), -ENOENT, "no port 'nobody'");
	refused(intent_port_prepare(&by, VPC, "kept", "d1", "a/b", &result, &err), -EINVAL, "net device");
	ok(intent_port_prepare(&by, VPC, "kept", "d1", "second", &result, &err));
	assert_true(result.n_ops <= 1); /* the new host's nexthop, when it has no port of the VPC yet */
	refused(intent_port_prepare(&by, VPC, "kept", "d2", NULL, &result, &err), -EBUSY, "on host d1 already");
	refused(intent_port_set(&by, VPC, "kept", &(struct intent_port_set){ .host = "d2" }, &result, &err), -EBUSY,
		"port release");
	refused(intent_port_add(&by, VPC, &(struct intent_port){ "x", "kept", "d1", "second" }, &result, &err), -EEXIST,
		"belongs to port kept");
	refused(intent_host_del(&by, "d1", &err), -EBUSY, "port");
	ok(cdb_host_ports_load(rig_cdb, "d1", &b, &err));
	assert_int_equal(b.ports[b.n_ports - 1].n_addrs, 1);
	assert_string_equal(b.ports[b.n_ports - 1].dev, "second");
	vpc_host_ports_clear(&b);
	rig_load(VNI, &now); /* every host knows the new one's VTEP */
	ok(intent_port_move(&by, VPC, "kept", &result, &err));
	ok(cdb_host_ports_load(rig_cdb, "d0", &a, &err));
	assert_string_equal(a.ports[a.n_ports - 1].dev, "kept"); /* still there, to send on */
	vpc_host_ports_clear(&a);
	vpc_state_clear(&now);
	rig_load(VNI, &now);
	assert_non_null(vpc_state_find_nexthop(&now, VPC_NEXTHOP_ID_HOST(1)));
	ok(intent_port_release(&by, VPC, "kept", &result, &err));
	ok(cdb_host_ports_load(rig_cdb, "d0", &a, &err));
	for (size_t i = 0; i < a.n_ports; i++)
		assert_string_not_equal(a.ports[i].dev, "kept");
	vpc_host_ports_clear(&a);
	vpc_state_clear(&now);
	rig_load(VNI, &now);
	ok(intent_port_prepare(&by, VPC, "kept", "d2", NULL, &result, &err));
	ok(intent_port_del(&by, VPC, "kept", &result, &err));
	vpc_state_clear(&now);
	rig_load(VNI, &now);
}

static int add_there(struct cdb *cdb, bool standby)
{
	struct intent by = rig_intent();
	struct cdb_change_result result;
	struct vpc_err err;
	int r;

	by.cdb = cdb;
	if (standby)
		r = intent_port_prepare(&by, VPC, "kept", "d2", "same", &result, &err);
	else
		r = intent_port_add(&by, VPC, &(struct intent_port){ "late", "kept", "d2", "same" }, &result, &err);
	return r == -EEXIST && strstr(err.text, "device same of host d2 belongs to port first already") ? 0 : 1;
}

/* A device that a port, or a second place, of another VPC has taken since the read view began. */
static void device_at_once(bool standby, const char *sql)
{
	struct cdb_change *change = NULL;
	struct cdb_change_result result;
	struct cdb *own = NULL;
	uint32_t host, port;
	struct vpc_err err;
	int status;
	pid_t pid;

	ok(cdb_change_begin(rig_cdb, VNI + 1, "tester", "first", &change, &err));
	ok(cdb_get(rig_cdb, &err, "SELECT id FROM host WHERE name = 'd2'", ">u", &host));
	ok(cdb_get(rig_cdb, &err, "SELECT id FROM port WHERE vni = ?", "u>u", (uint32_t)VNI + 1, &port));
	ok(cdb_change_touch_host(change, host, &err));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(cdb_open(&rig_config, &own, &err) || add_there(own, standby));
	rig_wait_blocked(pid);
	ok(cdb_exec(rig_cdb, &err, sql, "uu", host, port));
	ok(cdb_change_commit(&change, &result, &err));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_device_at_once(void **state)
{
	const struct vpc_prefix subnet = rig_prefix("10.0.1.0/24");
	const struct intent by = rig_intent();
	struct cdb_change_result result;

	rig_need_server();
	rig_vpc_new("other", VNI + 1);
	ok(intent_subnet_add(&by, "other", "s", &subnet, 1, &result, &err));
	ok(intent_port_add(&by, "other", &(struct intent_port){ "first", "s", "d0", "first" }, &result, &err));
	ok(intent_port_add(&by, VPC, &(struct intent_port){ "kept", "kept", "d0", "kept" }, &result, &err));
	device_at_once(false, "INSERT INTO port_standby (vni, host, dev, port) VALUES (701, ?, 'same', ?)");
	ok(cdb_exec(rig_cdb, &err, "DELETE FROM port_standby", ""));
	device_at_once(true, "UPDATE port SET host = ?, dev = 'same' WHERE id = ?");
}

/* As `vpcctl rollback` does it, on a connection of its own. */
static int roll_back(uint64_t epoch)
{
	_cleanup_(cdb_batch_freep) struct cdb_batch *batch = NULL;
	struct intent by = rig_intent();
	struct cdb *own = NULL;
	struct cdb_doc past;
	struct vpc_err err;

	if (cdb_open(&rig_config, &own, &err))
		return 1;
	by.cdb = own;
	return cdb_batch_begin(own, "tester", "rollback", &batch, &err) ||
	       cdb_doc_load(own, VNI, &epoch, &past, &err) || intent_doc_apply(&by, &past, &err) ||
	       cdb_batch_commit(batch, &err);
}

/* A change that is committed while a rollback begins is rolled back with the rest, and the digest stays right. */
static void test_rollback_waits(void **state)
{
	const struct vpc_nl_nexthop nexthops[] = { { .id = 5, .type = VPC_NEXTHOP_BLACKHOLE },
						   { .id = 6, .type = VPC_NEXTHOP_BLACKHOLE } };
	const struct vpc_prefix route = rig_prefix("99.0.0.0/8");
	const struct intent_via via = { .id = 5 };
	const struct intent by = rig_intent();
	struct cdb_change *change = NULL;
	struct cdb_change_result result;
	struct cdb_doc before, after;
	struct vpc_state now;
	int status;
	pid_t pid;

	rig_need_server();
	for (size_t i = 0; i < ARRAY_SIZE(nexthops); i++)
		ok(intent_nexthop_put(&by, VPC, &nexthops[i], NULL, true, &result, &err));
	before = load(NULL);
	ok(intent_route_put(&by, VPC, 1, &route, &via, true, &result, &err));
	ok(cdb_change_begin(rig_cdb, VNI, "tester", "meanwhile", &change, &err));
	ok(cdb_change_put_route(change, 1, &route, 5, 6));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(roll_back(before.state.epoch));
	rig_wait_blocked(pid);
	ok(cdb_change_commit(&change, &result, &err));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	rig_load(VNI, &now);
	after = load(NULL);
	assert_equal_docs(&before, &after);
	vpc_state_clear(&now);
	cdb_doc_clear(&before);
	cdb_doc_clear(&after);
}

static void test_json_refused(void **state)
{
	static const char good[] =
		"{\"format\": \"vpc\", \"version\": 1, \"vni\": 7, \"name\": \"n\", \"quota\": 0, \"flags\": 0, "
		"\"ranges\": [\"10.0.0.0/8\"], \"tables\": [{\"id\": 1, \"name\": \"main\", \"routes\": "
		"{\"0.0.0.0/0\": 1}}], \"subnets\": [], \"nexthops\": [{\"id\": 1, \"type\": \"blackhole\"}], "
		"\"ports\": []}";
	static const struct {
		const char *from, *to, *says;
	} cases[] = {
		{ "{\"format\"", "", "not a JSON object" },
		{ "\"ports\": []}", "\"ports\": []", "ends too early" },
		{ "\"ports\": []}", "\"ports\": []} x", "something behind the document" },
		{ "\"vpc\"", "\"vpd\"", "its format is 'vpd'" },
		{ "\"version\": 1", "\"version\": 2", "reads version 1" },
		{ "\"vni\": 7", "\"vni\": 0", "'vni' is out of range" },
		{ "\"vni\": 7", "\"vni\": 16777216", "'vni' is out of range" },
		{ "\"quota\": 0, ", "", "'quota' is missing" },
		{ "\"flags\": 0", "\"flags\": 2", "'flags' is out of range" },
		{ "10.0.0.0/8", "10.0.0.1/8", "ranges[0]: " },
		{ "[\"10.0.0.0/8\"]", "[\"10.0.0.0/8\", \"10.0.0.0/8\"]", "range 10.0.0.0/8 is there twice" },
		{ "\"ranges\": [\"10.0.0.0/8\"]", "\"ranges\": 7", "'ranges' is int" },
		{ "\"id\": 1, \"name\"", "\"id\": 0, \"name\"", "tables[0]: table 0 is the mapping" },
		{ "\"id\": 1, \"name\"", "\"id\": 1024, \"name\"", "tables[0]: 'id' is out of range" },
		{ "\"0.0.0.0/0\": 1", "\"0.0.0.0\": {}", "tables[0]: route 0.0.0.0 leads to" },
		{ "\"0.0.0.0/0\": 1", "\"0.0.0.0/0\": 2147483649", "tables[0]: route 0.0.0.0/0 leads to" },
		{ "\"0.0.0.0/0\": 1", "\"1.0.0.0/0\": 1", "tables[0]: " },
		{ "blackhole", "hole", "nexthops[0]: 'hole' is not a type" },
		{ "\"blackhole\"", "\"blackhole\", \"members\": {}", "only a group has members" },
		{ "\"blackhole\"", "\"group\", \"members\": {\"1\": 0}", "weights are 1..256" },
		{ "\"blackhole\"", "\"group\", \"members\": {\"x\": 1}", "member 'x'" },
		{ "\"blackhole\"", "\"gateway\", \"vtep\": \"1.2.3\"", "nexthops[0]: " },
		{ "\"subnets\": []", "\"subnets\": [{}]", "subnets[0]: 'name' is missing" },
		{ "\"subnets\": []", "\"subnet\": []", "document: 'subnet' is unknown there" },
		{ "\"subnets\": []", "\"subnets\": [{\"name\": \"s\", \"tab\": 1}]", "subnets[0]: 'tab' is unknown" },
		{ "\"blackhole\"", "\"gateway\", \"member\": {}", "nexthops[0]: 'member' is unknown there" },
		{ "\"routes\"", "\"route\"", "tables[0]: 'route' is unknown there" },
		{ "\"ports\": []", "\"ports\": [{\"name\": \"p\", \"stand\": 1}]", "ports[0]: 'stand' is unknown" },
		{ "\"ports\": []", "\"ports\": [{\"name\": \"p\", \"standby\": 1}]", "'standby' is int, object" },
		{ "\"n\"", "\"n\\u0000x\"", "'name' has a character 0" },
	};
	struct vpc_err err = {};
	struct cdb_doc doc;

	assert_int_equal(doc_json_parse(good, strlen(good), &doc, &err), 0);
	assert_int_equal(doc.state.n_routes, 1);
	cdb_doc_clear(&doc);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *at = strstr(good, cases[i].from);
		char text[2048];

		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, cases[i].to,
			 at + strlen(cases[i].from));
		err = (struct vpc_err){};
		if (!doc_json_parse(text, strlen(text), &doc, &err) || !strstr(err.text, cases[i].says))
			fail_msg("%s: '%s'", text, err.text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_refused),
		cmocka_unit_test(test_random_vpcs),
		cmocka_unit_test(test_undelete),
		cmocka_unit_test(test_port_places),
		cmocka_unit_test(test_device_at_once),
		cmocka_unit_test(test_rollback_waits),
		cmocka_unit_test(test_same_names),
	};

	return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
