// SPDX-License-Identifier: Apache-2.0
/*
 * The client of the family "vpc": what the agent, vpc_reconcile and vpcctl ask of the kernel. Bytes are made and read
 * in lib/kernel_msg.c and lib/kernel_parse.c, sent and received in lib/kernel_sock.c; transactions are in
 * lib/kernel_txn.c.
 */
#include "kernel.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <string.h>

#include "kernel_msg.h"
#include "kernel_sock.h"

#define DUMP_TRIES 5

int kernel_open(const char *netns, struct kernel **ret_kernel, struct vpc_err *err)
{
	struct kernel *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	r = kernel_sock_open(netns, k, err);
	if (r) {
		free(k);
		return r;
	}
	*ret_kernel = k;
	return 0;
}

void kernel_close(struct kernel *k)
{
	if (!k)
		return;
	kernel_sock_close(k);
	free(k);
}

void kernel_closep(struct kernel **k)
{
	kernel_close(*k);
}

/* Sends what a builder made; @built: the builder's result. */
static int request(struct kernel *k, int built, struct nl_msg *msg, kernel_answer_fn fn, void *arg, struct vpc_err *err)
{
	if (built)
		return vpc_err_set(err, built, "netlink: cannot make the message: %s", strerror(-built));
	return kernel_sock_request(k, msg, fn, arg, err);
}

/* An array that grows by one element an answer. */
struct list {
	void *items;
	size_t n, size;
};

static void *list_add(struct list *list)
{
	void *items = list->n & (list->n - 1) ? list->items
					      : reallocarray(list->items, list->n ? list->n * 2 : 1, list->size);

	if (!items)
		return NULL;
	list->items = items;
	return (char *)items + list->n * list->size;
}

/* For requests whose answer must come once: what was parsed, and whether it was. */
struct single {
	int (*parse)(const struct nlmsghdr *nlh, void *ret, struct vpc_err *err);
	void *ret;
	bool there;
};

static int single_answer(const struct nlmsghdr *nlh, void *arg, struct vpc_err *err)
{
	struct single *single = arg;

	single->there = true;
	return single->parse(nlh, single->ret, err);
}

static int request_single(struct kernel *k, int built, struct nl_msg *msg, struct single *single, struct vpc_err *err)
{
	int r = request(k, built, msg, single_answer, single, err);

	if (!r && !single->there)
		return vpc_err_set(err, -EPROTO, "the kernel's answer is empty");
	return r;
}

/* -- host ---------------------------------------------------------------------------------------------------------- */

int kernel_host_set(struct kernel *k, const struct vpc_addr *vtep4, const struct vpc_addr *vtep6, uint16_t udp_port,
		    struct vpc_err *err)
{
	_cleanup_msg_ struct nl_msg *msg = NULL;
	char text[VPC_ADDR_STRLEN], text6[VPC_ADDR_STRLEN];
	int r;

	if (vtep4->family && vtep4->family != AF_INET)
		return vpc_err_set(err, -EINVAL, "VTEP %s: not an IPv4 address", vpc_addr_format(vtep4, text));
	if (vtep6->family && vtep6->family != AF_INET6)
		return vpc_err_set(err, -EINVAL, "VTEP %s: not an IPv6 address", vpc_addr_format(vtep6, text));
	if (!vtep4->family && !vtep6->family)
		return vpc_err_set(err, -EINVAL, "a host needs a VTEP");
	r = kernel_msg_host_set(k->family, vtep4, vtep6, udp_port, &msg);
	r = request(k, r, msg, NULL, NULL, err);
	return r ? vpc_err_prefix(err, r, "VTEP %s%s%s port %u refused",
				  vtep4->family ? vpc_addr_format(vtep4, text) : "",
				  vtep4->family && vtep6->family ? " and " : "",
				  vtep6->family ? vpc_addr_format(vtep6, text6) : "", udp_port)
		 : 0;
}

static int parse_host(const struct nlmsghdr *nlh, void *ret, struct vpc_err *err)
{
	return kernel_parse_host(nlh, ret, err);
}

int kernel_host_get(struct kernel *k, struct kernel_host *ret_host, struct vpc_err *err)
{
	struct single single = { .parse = parse_host, .ret = ret_host };
	_cleanup_msg_ struct nl_msg *msg = NULL;
	int r;

	r = kernel_msg_plain(k->family, VPC_CMD_HOST_GET, NLM_F_ACK, &msg);
	r = request_single(k, r, msg, &single, err);
	return r ? vpc_err_prefix(err, r, "this host's VTEP") : 0;
}

/* -- VPCs ---------------------------------------------------------------------------------------------------------- */

int kernel_vpc_new(struct kernel *k, uint32_t vni, uint64_t quota, struct vpc_err *err)
{
	_cleanup_msg_ struct nl_msg *msg = NULL;
	int r = kernel_msg_vpc_new(k->family, NLM_F_ACK, vni, quota, NULL, &msg);

	r = request(k, r, msg, NULL, NULL, err);
	return r ? vpc_err_prefix(err, r, "VPC %u: creation refused", vni) : 0;
}

int kernel_vpc_set(struct kernel *k, uint32_t vni, uint64_t quota, const uint32_t *flags, struct vpc_err *err)
{
	_cleanup_msg_ struct nl_msg *msg = NULL;
	int r = kernel_msg_vpc_new(k->family, NLM_F_ACK | NLM_F_REPLACE | NLM_F_CREATE, vni, quota, flags, &msg);

	r = request(k, r, msg, NULL, NULL, err);
	return r ? vpc_err_prefix(err, r, "VPC %u refused", vni) : 0;
}

int kernel_vpc_del(struct kernel *k, uint32_t vni, struct vpc_err *err)
{
	_cleanup_msg_ struct nl_msg *msg = NULL;
	int r = kernel_msg_vni(k->family, VPC_CMD_VPC_DEL, NLM_F_ACK, vni, &msg);

	r = request(k, r, msg, NULL, NULL, err);
	return r ? vpc_err_prefix(err, r, "VPC %u: deletion refused", vni) : 0;
}

static int parse_vpc(const struct nlmsghdr *nlh, void *ret, struct vpc_err *err)
{
	return kernel_parse_vpc(nlh, ret, err);
}

int kernel_vpc_get(struct kernel *k, uint32_t vni, struct kernel_vpc *ret_vpc, struct vpc_err *err)
{
	struct single single = { .parse = parse_vpc, .ret = ret_vpc };
	_cleanup_msg_ struct nl_msg *msg = NULL;
	int r;

	r = kernel_msg_vni(k->family, VPC_CMD_VPC_GET, NLM_F_ACK, vni, &msg);
	r = request_single(k, r, msg, &single, err);
	return r ? vpc_err_prefix(err, r, "VPC %u", vni) : 0;
}

static int vpc_list_answer(const struct nlmsghdr *nlh, void *arg, struct vpc_err *err)
{
	struct list *list = arg;
	struct kernel_vpc *vpc = list_add(list);
	int r;

	if (!vpc)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	r = kernel_parse_vpc(nlh, vpc, err);
	list->n += !r;
	return r;
}

int kernel_vpc_list(struct kernel *k, struct kernel_vpc **ret_vpcs, size_t *ret_n, struct vpc_err *err)
{
	struct list list = { .size = sizeof(struct kernel_vpc) };
	_cleanup_msg_ struct nl_msg *msg = NULL;
	int r = kernel_msg_plain(k->family, VPC_CMD_VPC_GET, NLM_F_DUMP, &msg);

	r = request(k, r, msg, vpc_list_answer, &list, err);
	if (r) {
		free(list.items);
		return vpc_err_prefix(err, r, "list of VPCs");
	}
	*ret_vpcs = list.items;
	*ret_n = list.n;
	return 0;
}

struct verify_answer {
	struct kernel_vpc vpc;
	struct vpc_digest found;
};

static int parse_verify(const struct nlmsghdr *nlh, void *ret, struct vpc_err *err)
{
	struct verify_answer *answer = ret;

	return kernel_parse_verify(nlh, &answer->vpc, &answer->found, err);
}

int kernel_verify(struct kernel *k, uint32_t vni, struct kernel_vpc *ret_vpc, struct vpc_digest *ret_found,
		  struct vpc_err *err)
{
	struct verify_answer answer;
	struct single single = { .parse = parse_verify, .ret = &answer };
	_cleanup_msg_ struct nl_msg *msg = NULL;
	int r;

	r = kernel_msg_vni(k->family, VPC_CMD_VERIFY, NLM_F_ACK, vni, &msg);
	r = request_single(k, r, msg, &single, err);
	if (r)
		return vpc_err_prefix(err, r, "VPC %u: verification", vni);
	*ret_vpc = answer.vpc;
	*ret_found = answer.found;
	return 0;
}

/* -- ports --------------------------------------------------------------------------------------------------------- */

int kernel_port_set(struct kernel *k, const struct vpc_port *port, struct vpc_err *err)
{
	_cleanup_msg_ struct nl_msg *msg = NULL;
	int r = kernel_msg_port_set(k->family, port, &msg);

	r = request(k, r, msg, NULL, NULL, err);
	return r ? vpc_err_prefix(err, r, "port %s of VPC %u refused", port->dev, port->vni) : 0;
}

int kernel_port_del(struct kernel *k, const char *dev, struct vpc_err *err)
{
	_cleanup_msg_ struct nl_msg *msg = NULL;
	int r = kernel_msg_port_del(k->family, dev, &msg);

	r = request(k, r, msg, NULL, NULL, err);
	return r ? vpc_err_prefix(err, r, "port %.32s: deletion refused", dev) : 0;
}

static int port_list_answer(const struct nlmsghdr *nlh, void *arg, struct vpc_err *err)
{
	struct list *list = arg;
	struct kernel_port *port = list_add(list);
	int r;

	if (!port)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	r = kernel_parse_port(nlh, port, err);
	list->n += !r;
	return r;
}

int kernel_port_list(struct kernel *k, struct kernel_port **ret_ports, size_t *ret_n, struct vpc_err *err)
{
	struct list list = { .size = sizeof(struct kernel_port) };
	_cleanup_msg_ struct nl_msg *msg = NULL;
	int r = kernel_msg_plain(k->family, VPC_CMD_PORT_GET, NLM_F_DUMP, &msg);

	r = request(k, r, msg, port_list_answer, &list, err);
	if (r) {
		kernel_ports_free(list.items, list.n);
		return vpc_err_prefix(err, r, "list of ports");
	}
	*ret_ports = list.items;
	*ret_n = list.n;
	return 0;
}

void kernel_ports_free(struct kernel_port *ports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		vpc_port_clear(&ports[i].conf);
	free(ports);
}

/* -- statistics and explain ---------------------------------------------------------------------------------------- */

static int stats_answer(const struct nlmsghdr *nlh, void *arg, struct vpc_err *err)
{
	struct list *list = arg;
	struct kernel_stats *stats = list_add(list);
	int r;

	if (!stats)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	r = kernel_parse_stats(nlh, stats, err);
	list->n += !r;
	return r;
}

int kernel_stats(struct kernel *k, struct kernel_stats **ret_stats, size_t *ret_n, struct vpc_err *err)
{
	struct list list = { .size = sizeof(struct kernel_stats) };
	_cleanup_msg_ struct nl_msg *msg = NULL;
	int r = kernel_msg_plain(k->family, VPC_CMD_STATS_GET, NLM_F_DUMP, &msg);

	r = request(k, r, msg, stats_answer, &list, err);
	if (r) {
		free(list.items);
		return vpc_err_prefix(err, r, "statistics");
	}
	*ret_stats = list.items;
	*ret_n = list.n;
	return 0;
}

static int parse_explain(const struct nlmsghdr *nlh, void *ret, struct vpc_err *err)
{
	return kernel_parse_explain(nlh, ret, err);
}

int kernel_explain(struct kernel *k, const struct kernel_lookup *lookup, struct kernel_explain *ret,
		   struct vpc_err *err)
{
	struct single single = { .parse = parse_explain, .ret = ret };
	_cleanup_msg_ struct nl_msg *msg = NULL;
	int r = kernel_msg_lookup(k->family, lookup, &msg);

	r = request_single(k, r, msg, &single, err);
	return r ? vpc_err_prefix(err, r, "lookup refused") : 0;
}

/* -- dump ---------------------------------------------------------------------------------------------------------- */

/* Both dumps of one attempt go into one state; @epoch is the one that every message so far agreed on. */
struct dump {
	struct vpc_state state;
	uint64_t epoch;
};

static int dump_answer(const struct nlmsghdr *nlh, void *arg, struct vpc_err *err)
{
	struct dump *dump = arg;
	uint64_t epoch;
	int r = kernel_parse_dump(nlh, &dump->state, &epoch, err);

	if (!r && epoch != dump->epoch)
		return vpc_err_set(err, -EINTR, "a commit moved it from epoch %llu to %llu while it was read",
				   (unsigned long long)dump->epoch, (unsigned long long)epoch);
	return r;
}

static int dump_part(struct kernel *k, uint8_t cmd, struct dump *dump, struct vpc_err *err)
{
	_cleanup_msg_ struct nl_msg *msg = NULL;
	int r = kernel_msg_vni(k->family, cmd, NLM_F_DUMP, dump->state.vni, &msg);

	return request(k, r, msg, dump_answer, dump, err);
}

/* -EINTR: a commit came in between. What the kernel says that it holds before and after must be what was read. */
static int dump_try(struct kernel *k, struct dump *dump, struct vpc_err *err)
{
	struct vpc_state *state = &dump->state;
	struct kernel_vpc before, after;
	int r = kernel_vpc_get(k, state->vni, &before, err);

	if (r)
		return r;
	dump->epoch = before.epoch;
	if (vpc_state_reserve_routes(state, before.n_routes))
		return vpc_err_set(err, -ENOMEM, "out of memory for %llu routes", (unsigned long long)before.n_routes);
	r = dump_part(k, VPC_CMD_NEXTHOP_GET, dump, err);
	if (!r)
		r = dump_part(k, VPC_CMD_ROUTE_GET, dump, err);
	if (r)
		return vpc_err_prefix(err, r, "VPC %u: dump", state->vni);
	r = kernel_vpc_get(k, state->vni, &after, err);
	if (r)
		return r;
	if (before.epoch != after.epoch || memcmp(&before.digest, &after.digest, sizeof(before.digest)))
		return vpc_err_set(err, -EINTR, "VPC %u: dump: a commit came in between", state->vni);
	if (state->n_nexthops != after.n_nexthops || state->n_members != after.n_members ||
	    state->n_routes != after.n_routes)
		return vpc_err_set(err, -EUCLEAN,
				   "VPC %u: the dump has %zu nexthops, %zu members and %zu routes, the kernel holds "
				   "%u, %u and %llu",
				   state->vni, state->n_nexthops, state->n_members, state->n_routes, after.n_nexthops,
				   after.n_members, (unsigned long long)after.n_routes);
	state->epoch = after.epoch;
	state->digest = after.digest;
	return vpc_state_sort(state, err);
}

int kernel_dump(struct kernel *k, uint32_t vni, struct vpc_state *ret_state, struct vpc_err *err)
{
	struct dump dump;
	int r = -EINTR;

	for (int i = 0; i < DUMP_TRIES && r == -EINTR; i++) {
		vpc_state_init(&dump.state, vni);
		r = dump_try(k, &dump, err);
		if (r)
			vpc_state_clear(&dump.state);
	}
	if (r == -EINTR)
		return vpc_err_set(err, -EAGAIN, "VPC %u: it changes faster than it can be read, %d times in a row",
				   vni, DUMP_TRIES);
	if (r)
		return r;
	*ret_state = dump.state;
	return 0;
}

/* -- events -------------------------------------------------------------------------------------------------------- */

int kernel_events_join(struct kernel *k, struct vpc_err *err)
{
	int r = k->group < 0 ? k->group : nl_socket_add_membership(k->sock, k->group);

	if (!r)
		r = nl_socket_set_nonblocking(k->sock);
	return r < 0 ? vpc_err_set(err, -EIO, "netlink: cannot join group \"%s\": %s", VPC_GENL_MCGRP_EVENTS,
				   nl_geterror(r))
		     : 0;
}

int kernel_fd(struct kernel *k)
{
	return k->fd;
}

int kernel_event_next(struct kernel *k, struct kernel_event *ret_event, struct vpc_err *err)
{
	for (;;) {
		struct nlmsghdr *nlh = (struct nlmsghdr *)(k->buf + k->buf_pos);
		const struct genlmsghdr *genl;
		int left = k->buf_len - k->buf_pos;

		if (!nlmsg_ok(nlh, left)) {
			int r = kernel_sock_receive(k, MSG_DONTWAIT, &k->buf_len);

			k->buf_pos = 0;
			if (!r)
				continue;
			k->buf_len = 0;
			return r == -EAGAIN ? r : vpc_err_set(err, r, "netlink: events were lost: %s", strerror(-r));
		}
		nlmsg_next(nlh, &left);
		k->buf_pos = k->buf_len - (left > 0 ? left : 0);
		genl = nlmsg_data(nlh);
		if (nlh->nlmsg_type == k->family && nlh->nlmsg_len >= NLMSG_HDRLEN + GENL_HDRLEN &&
		    genl->cmd == VPC_CMD_EVENT)
			return kernel_parse_event(nlh, ret_event, err);
	}
}
