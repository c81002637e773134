// SPDX-License-Identifier: Apache-2.0
/*
 * Messages from the kernel (lib/kernel_msg.h): one, from its header on, given to every parser, whatever command it says
 * that it answers. A state that came out of a dump is taken through the builder of transactions.
 */
#include <errno.h>
#include <netlink/msg.h>
#include "../../lib/kernel_msg.h"
#include "fuzz.h"

#define PARSE(parser, type, ...)                                                   \
	do {                                                                       \
		type out;                                                          \
		int res;                                                           \
		err.text[0] = 0;                                                   \
		fuzz_fill(&out, sizeof(out));                                      \
		res = parser(nlh, &out, ##__VA_ARGS__, &err);                      \
		fuzz_check(!res || res == -EPROTO);                                \
		fuzz_check_refusal(res, &err);                                     \
		fuzz_check(!res || fuzz_untouched(&out, sizeof(out)));             \
		if (!res)                                                          \
			check_##parser(&out);                                      \
	} while (0)

static void check_text(const char *text, size_t size)
{
	fuzz_check(memchr(text, 0, size));
}

static void check_kernel_parse_host(const struct kernel_host *host)
{
	check_text(host->version, sizeof(host->version));
}

static void check_kernel_parse_vpc(const struct kernel_vpc *vpc)
{
}

static void check_kernel_parse_port(struct kernel_port *port)
{
	check_text(port->conf.dev, sizeof(port->conf.dev));
	for (size_t i = 0; i < port->conf.n_addrs; i++)
		fuzz_check(port->conf.addrs[i].plen <= vpc_family_bits(port->conf.addrs[i].family));
	vpc_port_clear(&port->conf);
}

static void check_kernel_parse_txn(const uint32_t *txn)
{
}

static void check_kernel_parse_stats(const struct kernel_stats *stats)
{
	check_text(stats->ifname, sizeof(stats->ifname));
}

static void check_kernel_parse_explain(const struct kernel_explain *explain)
{
	fuzz_check(explain->n_steps <= 32);
	for (unsigned int i = 0; i < explain->n_steps; i++)
		check_text(explain->steps[i].ifname, sizeof(explain->steps[i].ifname));
}

static void check_kernel_parse_event(const struct kernel_event *event)
{
	check_text(event->ifname, sizeof(event->ifname));
	check_text(event->change, sizeof(event->change));
}

static void build_again(const struct vpc_state *state)
{
	struct kernel_ops ops = kernel_ops_of_state(state);
	struct nl_msg *msg;
	int res;

	do {
		res = kernel_msg_txn_add(16, 1, &ops, &msg);
		fuzz_check(!res);
		if (msg)
			fuzz_check(nlmsg_hdr(msg)->nlmsg_len <= KERNEL_ADD_MSG_MAX);
		kernel_msg_freep(&msg);
	} while (ops.phase != KERNEL_OPS_DONE);
}

static void parse_dump(const struct nlmsghdr *nlh)
{
	struct vpc_err err = { "" };
	struct vpc_state state;
	uint64_t epoch;
	int res;

	vpc_state_init(&state, 7);
	fuzz_fill(&epoch, sizeof(epoch));
	res = kernel_parse_dump(nlh, &state, &epoch, &err);
	fuzz_check_refusal(res, &err);
	fuzz_check(!res || fuzz_untouched(&epoch, sizeof(epoch)));
	if (!res)
		build_again(&state);
	vpc_state_clear(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct nlmsghdr *nlh = fuzz_copy(data, len);
	struct vpc_digest found;
	struct vpc_err err = { "" };
	int code;

	/* What receives has made sure of this much. */
	if (len < NLMSG_HDRLEN) {
		free(nlh);
		return 0;
	}
	nlh->nlmsg_len = len;
	fuzz_fill(&code, sizeof(code));
	if (kernel_parse_status(nlh, &code, &err))
		fuzz_check(fuzz_untouched(&code, sizeof(code)));
	else
		fuzz_check(code <= 0);
	check_text(err.text, sizeof(err.text));
	PARSE(kernel_parse_host, struct kernel_host);
	PARSE(kernel_parse_vpc, struct kernel_vpc);
#define check_kernel_parse_verify check_kernel_parse_vpc
	PARSE(kernel_parse_verify, struct kernel_vpc, &found);
	PARSE(kernel_parse_port, struct kernel_port);
	PARSE(kernel_parse_txn, uint32_t);
	PARSE(kernel_parse_stats, struct kernel_stats);
	PARSE(kernel_parse_explain, struct kernel_explain);
	PARSE(kernel_parse_event, struct kernel_event);
	parse_dump(nlh);
	free(nlh);
	return 0;
}
