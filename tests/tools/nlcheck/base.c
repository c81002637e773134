// SPDX-License-Identifier: Apache-2.0
/*
 * Requests out of tables, what the kernel holds before and after, and the count of cases. Used by all parts of nlcheck.
 */
#include "nlcheck.h"

#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../../../lib/kernel_msg.h"

#define MSG_SIZE (128U * 1024)
#define TEXT_MAX 79 /* bytes of a refusal; one as long as that was cut, unless its pattern has the end */

unsigned long nlcheck_seed = 1;
struct kernel *nlcheck_kernel, *nlcheck_watch;
uint32_t nlcheck_handle, nlcheck_other_handle;

static unsigned int cases, failures;

/* -- the count ----------------------------------------------------------------------------------------------------- */

void nlcheck_begin(void)
{
	struct vpc_err err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	nlcheck_must(kernel_open(NULL, &nlcheck_kernel, &err), &err, "open");
	nlcheck_must(kernel_open(NULL, &nlcheck_watch, &err), &err, "open");
}

int nlcheck_end(void)
{
	kernel_close(nlcheck_kernel);
	kernel_close(nlcheck_watch);
	printf("%u cases, %u failed\n", cases, failures);
	return failures ? 1 : 0;
}

void nlcheck_fail(const char *name, const char *fmt, ...)
{
	va_list ap;

	failures++;
	printf("FAILED %s: ", name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void nlcheck_count(unsigned int n)
{
	cases += n;
}

void nlcheck_must(int r, const struct vpc_err *err, const char *what)
{
	if (!r)
		return;
	printf("FAILED %s: %s (error %d): the rest makes no sense\n", what, err->text, r);
	exit(1);
}

bool nlcheck_true(const char *name, bool holds)
{
	cases++;
	if (!holds)
		nlcheck_fail(name, "does not hold");
	return holds;
}

/* -- requests ------------------------------------------------------------------------------------------------------ */

static bool put_attrs(struct nl_msg *msg, const struct nlcheck_attr *attrs)
{
	struct nlattr *nest;

	for (; attrs->data || attrs->nest; attrs++) {
		if (!attrs->nest) {
			if (nla_put(msg, attrs->type, attrs->len, attrs->data))
				return false;
			continue;
		}
		nest = nla_nest_start(msg, attrs->type);
		if (!nest || !put_attrs(msg, attrs->nest))
			return false;
		/* nla_nest_end() would take an empty nest away. */
		nest->nla_len = (char *)nlmsg_tail(nlmsg_hdr(msg)) - (char *)nest;
	}
	return true;
}

static struct nl_msg *make_msg(struct kernel *k, uint8_t cmd, uint16_t flags, const struct nlcheck_attr *attrs)
{
	struct nl_msg *msg = nlmsg_alloc_size(MSG_SIZE);

	flags |= NLM_F_REQUEST;
	if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
		flags |= NLM_F_ACK;
	if (!msg || !genlmsg_put(msg, 0, 0, k->family, 0, flags, cmd, VPC_GENL_VERSION) || !put_attrs(msg, attrs)) {
		printf("FAILED: a message cannot be made\n");
		exit(1);
	}
	return msg;
}

static int request_with(struct kernel *k, uint8_t cmd, uint16_t flags, const struct nlcheck_attr *attrs,
			kernel_answer_fn fn, void *arg, struct vpc_err *err)
{
	static const char prefix[] = "kernel: ";
	_cleanup_msg_ struct nl_msg *msg = make_msg(k, cmd, flags, attrs);
	int r;

	err->text[0] = 0;
	r = kernel_sock_request(k, msg, fn, arg, err);
	if (!strncmp(err->text, prefix, strlen(prefix)))
		memmove(err->text, err->text + strlen(prefix), strlen(err->text) - strlen(prefix) + 1);
	return r;
}

int nlcheck_request(struct kernel *k, uint8_t cmd, uint16_t flags, const struct nlcheck_attr *attrs,
		    struct vpc_err *err)
{
	return request_with(k, cmd, flags, attrs, NULL, NULL, err);
}

static bool matches(const char *text, const char *pattern)
{
	regex_t regex;
	bool found;

	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB)) {
		printf("FAILED: not a pattern: %s\n", pattern);
		exit(1);
	}
	found = !regexec(&regex, text, 0, NULL, 0);
	regfree(&regex);
	return found;
}

bool nlcheck_expect(struct kernel *k, const char *name, uint8_t cmd, uint16_t flags, const struct nlcheck_attr *attrs,
		    int want, const char *text)
{
	struct vpc_err err;
	int r = nlcheck_request(k, cmd, flags, attrs, &err);

	cases++;
	if (r != want)
		nlcheck_fail(name, "%s (error %d) instead of error %d", r ? err.text : "accepted", r, want);
	else if (text && !matches(err.text, text))
		nlcheck_fail(name, "says \"%s\", not /%s/", err.text, text);
	else if (strlen(err.text) >= TEXT_MAX && !(text && text[strlen(text) - 1] == '$'))
		nlcheck_fail(name, "its text was cut: \"%s\"", err.text);
	else
		return true;
	return false;
}

static int txn_answer(const struct nlmsghdr *nlh, void *arg, struct vpc_err *err)
{
	return kernel_parse_txn(nlh, arg, err);
}

int nlcheck_txn_begin(struct kernel *k, uint32_t vni, enum vpc_txn_mode mode, const uint64_t *base, uint32_t *ret_txn,
		      struct vpc_err *err)
{
	const struct nlcheck_attr attrs[] = {
		RAW(VPC_A_VNI, &vni, sizeof(vni)),
		U8(VPC_A_TXN_MODE, mode),
		RAW(VPC_A_BASE_EPOCH, base, sizeof(*base)), /* the end of the list when there is none */
		{ 0 },
	};

	return request_with(k, VPC_CMD_TXN_BEGIN, 0, attrs, txn_answer, ret_txn, err);
}

/* -- what the kernel holds ----------------------------------------------------------------------------------------- */

void nlcheck_snap_take(struct nlcheck_snap *ret_snap)
{
	struct kernel *k = nlcheck_watch;
	struct nlcheck_snap snap = { .n_vpcs = 0 };
	struct vpc_err err;

	nlcheck_must(kernel_host_get(k, &snap.host, &err), &err, "look");
	nlcheck_must(kernel_vpc_list(k, &snap.vpcs, &snap.n_vpcs, &err), &err, "look");
	nlcheck_must(kernel_port_list(k, &snap.ports, &snap.n_ports, &err), &err, "look");
	snap.states = calloc(snap.n_vpcs + 1, sizeof(*snap.states));
	nlcheck_must(snap.states ? 0 : -ENOMEM, &err, "look");
	for (size_t i = 0; i < snap.n_vpcs; i++)
		nlcheck_must(kernel_dump(k, snap.vpcs[i].vni, &snap.states[i], &err), &err, "look");
	*ret_snap = snap;
}

void nlcheck_snap_clear(struct nlcheck_snap *snap)
{
	for (size_t i = 0; i < snap->n_vpcs; i++)
		vpc_state_clear(&snap->states[i]);
	free(snap->states);
	free(snap->vpcs);
	kernel_ports_free(snap->ports, snap->n_ports);
}

bool nlcheck_state_equal(const struct vpc_state *a, const struct vpc_state *b)
{
	if (a->n_nexthops != b->n_nexthops || a->n_members != b->n_members || a->n_routes != b->n_routes)
		return false;
	for (size_t i = 0; i < a->n_members; i++)
		if (vpc_member_cmp(&a->members[i], &b->members[i]) || a->members[i].weight != b->members[i].weight)
			return false;
	for (size_t i = 0; i < a->n_nexthops; i++)
		if (!vpc_nexthop_equal(&a->nexthops[i], &b->nexthops[i]))
			return false;
	for (size_t i = 0; i < a->n_routes; i++)
		if (vpc_route_cmp(&a->routes[i], &b->routes[i]) || a->routes[i].nexthop != b->routes[i].nexthop)
			return false;
	return true;
}

static bool vpc_equal(const struct kernel_vpc *a, const struct kernel_vpc *b)
{
	return a->vni == b->vni && a->epoch == b->epoch && vpc_digest_equal(&a->digest, &b->digest) &&
	       a->quota == b->quota && a->memory == b->memory && a->n_routes == b->n_routes &&
	       a->n_nexthops == b->n_nexthops && a->n_members == b->n_members && a->n_tables == b->n_tables &&
	       a->n_ports == b->n_ports && a->flags == b->flags;
}

static bool host_equal(const struct kernel_host *a, const struct kernel_host *b)
{
	return !vpc_addr_cmp(&a->vtep4, &b->vtep4) && a->udp_port == b->udp_port && a->instance == b->instance &&
	       !strcmp(a->version, b->version);
}

static bool ports_equal(const struct nlcheck_snap *a, const struct nlcheck_snap *b)
{
	if (a->n_ports != b->n_ports)
		return false;
	for (size_t i = 0; i < a->n_ports; i++)
		if (!vpc_port_equal(&a->ports[i].conf, &b->ports[i].conf) || a->ports[i].ifindex != b->ports[i].ifindex)
			return false;
	return true;
}

static bool vpcs_equal(const struct nlcheck_snap *a, const struct nlcheck_snap *b)
{
	if (a->n_vpcs != b->n_vpcs)
		return false;
	for (size_t i = 0; i < a->n_vpcs; i++)
		if (!vpc_equal(&a->vpcs[i], &b->vpcs[i]) || !nlcheck_state_equal(&a->states[i], &b->states[i]))
			return false;
	return true;
}

bool nlcheck_unchanged(const char *name, const struct nlcheck_snap *before)
{
	struct nlcheck_snap now;
	const char *what = NULL;

	nlcheck_snap_take(&now);
	if (!host_equal(&before->host, &now.host))
		what = "the host";
	else if (!ports_equal(before, &now))
		what = "a port";
	else if (!vpcs_equal(before, &now))
		what = "a VPC";
	nlcheck_snap_clear(&now);
	if (what)
		nlcheck_fail(name, "it changed %s", what);
	return !what;
}

/* -- the fixture --------------------------------------------------------------------------------------------------- */

struct vpc_prefix nlcheck_prefix(const char *text)
{
	struct vpc_prefix prefix = { 0 };
	struct vpc_err err;

	nlcheck_must(vpc_prefix_parse(text, &prefix, &err), &err, text);
	return prefix;
}

void nlcheck_route(struct vpc_state *state, uint32_t table, const char *prefix, uint32_t nexthop)
{
	struct vpc_route route = { .table = table, .nexthop = nexthop, .prefix = nlcheck_prefix(prefix) };
	struct vpc_err err = { "out of memory" };

	nlcheck_must(vpc_state_add_route(state, &route), &err, prefix);
}

void nlcheck_red(struct vpc_state *ret_state)
{
	static const struct vpc_nl_nexthop nexthops[] = {
		{ .id = 1, .type = VPC_NEXTHOP_GATEWAY, .family = AF_INET, .vni = 7, .addr = { 192, 0, 2, 9 } },
		{ .id = 2, .type = VPC_NEXTHOP_BLACKHOLE },
		{ .id = 3, .type = VPC_NEXTHOP_HOST, .family = AF_INET, .addr = { 192, 0, 2, 1 } },
		{ .id = 4, .type = VPC_NEXTHOP_UNREACHABLE },
		{ .id = 5, .type = VPC_NEXTHOP_GROUP },
		{ .id = 6, .type = VPC_NEXTHOP_PEER, .vni = BLUE, .table = 3 },
		{ .id = 7, .type = VPC_NEXTHOP_HOST, .family = AF_INET6, .addr = { 0xfd, [15] = 7 } },
	};
	static const struct vpc_nl_member members[] = { { 5, 1, 10 }, { 5, 2, 256 } };
	struct vpc_err err = { "out of memory" };

	vpc_state_init(ret_state, RED);
	ret_state->epoch = RED_EPOCH;
	for (size_t i = 0; i < ARRAY_SIZE(nexthops); i++)
		nlcheck_must(vpc_state_add_nexthop(ret_state, &nexthops[i]), &err, "fixture");
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		nlcheck_must(vpc_state_add_member(ret_state, &members[i]), &err, "fixture");
	nlcheck_route(ret_state, 0, "10.0.0.5/32", 3);
	nlcheck_route(ret_state, 0, "10.0.0.6/32", 3);
	nlcheck_route(ret_state, 1, "0.0.0.0/0", 1);
	nlcheck_route(ret_state, 1, "172.16.0.0/12", 1);
	nlcheck_route(ret_state, 1, "2001:db8::/32", 1);
	nlcheck_route(ret_state, 7, "198.51.100.0/25", 2);
	nlcheck_route(ret_state, 7, "::/0", 2);
	nlcheck_must(vpc_state_sort(ret_state, &err), &err, "fixture");
	ret_state->digest = vpc_digest_of_state(ret_state);
}

static void fixture_port(const char *dev, uint8_t mac, const char *address, const char *address6)
{
	struct vpc_prefix addrs[] = { nlcheck_prefix(address), nlcheck_prefix(address6) };
	struct vpc_port port = {
		.vni = RED, .mac = { 2, 0, 0, 0, 0, mac }, .table = 1, .addrs = addrs, .n_addrs = ARRAY_SIZE(addrs)
	};
	struct vpc_err err;

	strcpy(port.dev, dev);
	nlcheck_must(kernel_port_set(nlcheck_kernel, &port, &err), &err, dev);
}

void nlcheck_fixture(void)
{
	const uint64_t base = RED_EPOCH;
	struct vpc_addr vtep, none = { 0 };
	struct vpc_state red;
	struct vpc_err err;

	nlcheck_must(vpc_addr_parse("192.0.2.1", &vtep, &err), &err, "fixture");
	nlcheck_must(kernel_host_set(nlcheck_kernel, &vtep, &none, VPC_UDP_PORT, &err), &err, "fixture");
	nlcheck_must(kernel_vpc_new(nlcheck_kernel, RED, 0, &err), &err, "fixture");
	nlcheck_must(kernel_vpc_new(nlcheck_kernel, BLUE, 0, &err), &err, "fixture");
	nlcheck_red(&red);
	nlcheck_must(kernel_replace(nlcheck_kernel, &red, NULL, NULL, &err), &err, "fixture");
	vpc_state_clear(&red);
	fixture_port("t0", 5, "10.0.0.5", "fd00::5");
	fixture_port("t-absent", 6, "10.0.0.6", "fd00::6");
	nlcheck_must(nlcheck_txn_begin(nlcheck_watch, RED, VPC_TXN_DELTA, &base, &nlcheck_other_handle, &err), &err,
		     "fixture");
}
