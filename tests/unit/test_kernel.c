// SPDX-License-Identifier: Apache-2.0
/*
 * The netlink client against a kernel played at the other end of a socket: refusals and their texts, answers that
 * come late, twice, cut short or not at all, dumps overtaken by commits, transactions that fail in the middle.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <sys/time.h>

#include "../../lib/digest.h"
#include "fake_kernel.h"

static void send_vpc(struct fake_kernel *fake, uint64_t epoch, uint64_t n_routes, uint32_t n_nexthops)
{
	struct vpc_digest digest = { { epoch, epoch } };
	struct fake_msg msg;

	fake_answer(&msg, VPC_CMD_VPC_GET, 0);
	FAKE_NUMBER(&msg, VPC_A_VNI, uint32_t, 100);
	FAKE_NUMBER(&msg, VPC_A_EPOCH, uint64_t, epoch);
	fake_attr(&msg, VPC_A_DIGEST, &digest, sizeof(digest));
	FAKE_NUMBER(&msg, VPC_A_N_ROUTES, uint64_t, n_routes);
	FAKE_NUMBER(&msg, VPC_A_N_NEXTHOPS, uint32_t, n_nexthops);
	if (n_nexthops)
		FAKE_NUMBER(&msg, VPC_A_N_MEMBERS, uint32_t, 1);
	fake_send(fake, &msg);
}

/* -- one request --------------------------------------------------------------------------------------------------- */

enum {
	REFUSED,
	REFUSED_WITHOUT_TEXT,
	NOT_PERMITTED,
	FAMILY_GONE,
	NO_ANSWER,
	LATE_ANSWERS,
	FOREIGN_ANSWERS,
	SILENCE,
	BROKEN_END,
	CUT_MESSAGE,
	OVERRUN,
	BAD_ANSWER,
	TOO_LARGE,
};

static void play_request(struct fake_kernel *fake, const struct nlmsghdr *request, unsigned int n)
{
	static char large[32 * 1024 + 4];
	struct fake_msg msg;

	switch (fake->scene) {
	case REFUSED:
		fake_error(&msg, -ESTALE, "the current epoch is 9");
		return fake_send(fake, &msg);
	case REFUSED_WITHOUT_TEXT:
		fake_error(&msg, -EOPNOTSUPP, NULL);
		return fake_send(fake, &msg);
	case NOT_PERMITTED:
		fake_error(&msg, -EPERM, NULL);
		return fake_send(fake, &msg);
	case FAMILY_GONE:
		fake_error(&msg, -ENOENT, NULL);
		return fake_send(fake, &msg);
	case NO_ANSWER:
		return fake_send_ack(fake);
	case LATE_ANSWERS:
		fake_error(&msg, -EIO, "late");
		fake_hdr(&msg)->nlmsg_seq = fake->seq - 1;
		fake_send(fake, &msg);
		break;
	case FOREIGN_ANSWERS:
		fake_error(&msg, -EIO, "another's");
		fake_hdr(&msg)->nlmsg_pid = 4712;
		fake_send(fake, &msg);
		break;
	case SILENCE:
		return;
	case BROKEN_END:
		fake_begin(&msg, NLMSG_ERROR, 0);
		return fake_send(fake, &msg);
	case CUT_MESSAGE:
		fake_answer(&msg, VPC_CMD_VPC_GET, 0);
		fake_hdr(&msg)->nlmsg_len += 100;
		assert_int_equal(send(fake->fd, msg.buf, msg.len, 0), msg.len);
		return;
	case OVERRUN:
		fake_begin(&msg, NLMSG_OVERRUN, 0);
		return fake_send(fake, &msg);
	case BAD_ANSWER:
		fake_answer(&msg, VPC_CMD_VPC_GET, 0);
		fake_send(fake, &msg);
		break;
	case TOO_LARGE:
		assert_int_equal(send(fake->fd, large, sizeof(large), 0), sizeof(large));
		return;
	}
	send_vpc(fake, 9, 1, 1);
	fake_send_ack(fake);
}

static void test_request(void **arg)
{
	static const struct {
		int scene, code;
		const char *says;
	} cases[] = {
		{ REFUSED, -ESTALE, "VPC 100: kernel: the current epoch is 9" },
		{ REFUSED_WITHOUT_TEXT, -EOPNOTSUPP, "VPC 100: kernel: Operation not supported" },
		{ NOT_PERMITTED, -EPERM, "(CAP_NET_ADMIN is needed)" },
		{ FAMILY_GONE, -ENODEV, "was vpc.ko unloaded?" },
		{ NO_ANSWER, -EPROTO, "the kernel's answer is empty" },
		{ LATE_ANSWERS, 0, "" },
		{ FOREIGN_ANSWERS, 0, "" },
		{ SILENCE, -ETIMEDOUT, "did not answer within 10 s" },
		{ BROKEN_END, -EPROTO, "broken end" },
		{ CUT_MESSAGE, -EPROTO, "in the middle of a message" },
		{ OVERRUN, -ENOBUFS, "answers were lost" },
		{ BAD_ANSWER, -EPROTO, "lacks the VNI" },
		{ TOO_LARGE, -EMSGSIZE, "larger than" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct timeval soon = { .tv_usec = 50000 };
		struct vpc_err err = { "" };
		struct fake_kernel fake;
		struct kernel_vpc vpc;

		fake_start(&fake, cases[i].scene, play_request);
		if (cases[i].scene == SILENCE) {
			/* As if the client's 10 s had been set already. */
			fake.k.timeout_s = 10;
			setsockopt(fake.k.fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
		}
		assert_int_equal(kernel_vpc_get(&fake.k, 100, &vpc, &err), cases[i].code);
		if (!strstr(err.text, cases[i].says))
			fail_msg("'%s' should say '%s'", err.text, cases[i].says);
		if (!cases[i].code)
			assert_int_equal(vpc.epoch, 9);
		/* Whatever went wrong, the next request gets its own answer. */
		fake.scene = -1;
		assert_int_equal(kernel_vpc_get(&fake.k, 100, &vpc, &err), 0);
		fake_stop(&fake);
	}
}

/* What makes a VPC refuses one that is there; what sets it does not. */
static void play_flags(struct fake_kernel *fake, const struct nlmsghdr *request, unsigned int n)
{
	uint16_t flags = NLM_F_REQUEST | NLM_F_ACK | (n ? NLM_F_REPLACE | NLM_F_CREATE : 0);
	struct fake_msg msg;

	assert_int_equal(request->nlmsg_flags, flags);
	if (n)
		return fake_send_ack(fake);
	fake_error(&msg, -EEXIST, "VPC 100 exists already");
	fake_send(fake, &msg);
}

static void test_vpc_set(void **arg)
{
	struct vpc_err err = { "" };
	struct fake_kernel fake;

	fake_start(&fake, 0, play_flags);
	assert_int_equal(kernel_vpc_new(&fake.k, 100, 1 << 20, &err), -EEXIST);
	assert_string_equal(err.text, "VPC 100: creation refused: kernel: VPC 100 exists already");
	assert_int_equal(kernel_vpc_set(&fake.k, 100, 1 << 20, NULL, &err), 0);
	fake_stop(&fake);
}

/* -- dumps --------------------------------------------------------------------------------------------------------- */

enum {
	STEADY,
	MOVES_ONCE,
	MOVES_BETWEEN,
	MOVES_WITHIN,
	MOVES_ALWAYS,
	SAME_EPOCH_OTHER_DIGEST,
	INTERRUPTED_ONCE,
	FAILS_AT_END,
	SHORT,
	TWICE,
	GONE,
	EMPTY,
};

static void send_nexthops(struct fake_kernel *fake, uint64_t epoch)
{
	struct vpc_nl_nexthop nhs[] = { { .id = 8, .type = VPC_NEXTHOP_LOCAL },
					{ .id = 7, .type = VPC_NEXTHOP_BLACKHOLE } };
	struct vpc_nl_member member = { .group = 6, .nexthop = 7, .weight = 1 };
	struct fake_msg msg;

	fake_answer(&msg, VPC_CMD_NEXTHOP_GET, NLM_F_MULTI);
	FAKE_NUMBER(&msg, VPC_A_EPOCH, uint64_t, epoch);
	fake_attr(&msg, VPC_A_NEXTHOPS, nhs, sizeof(nhs));
	fake_send(fake, &msg);
	fake_answer(&msg, VPC_CMD_NEXTHOP_GET, NLM_F_MULTI);
	FAKE_NUMBER(&msg, VPC_A_EPOCH, uint64_t, epoch);
	fake_attr(&msg, VPC_A_MEMBERS, &member, sizeof(member));
	fake_send(fake, &msg);
}

/* Two messages of two routes, the second perhaps at a later epoch, perhaps the same again. */
static void send_routes(struct fake_kernel *fake, uint64_t epoch, uint64_t later, bool twice)
{
	struct vpc_nl_route4 routes[] = { { 1, 7, { 10, 2 }, 16, 0, { 0 } },
					  { 0, 8, { 10, 1 }, 16, 0, { 0 } },
					  { 1, 8, { 10, 1 }, 16, 0, { 0 } },
					  { 1, 7, { 10, 3 }, 16, 0, { 0 } } };
	struct fake_msg msg;

	fake_answer(&msg, VPC_CMD_ROUTE_GET, NLM_F_MULTI);
	FAKE_NUMBER(&msg, VPC_A_EPOCH, uint64_t, epoch);
	fake_attr(&msg, VPC_A_ROUTES4, routes, 2 * sizeof(routes[0]));
	fake_send(fake, &msg);
	fake_answer(&msg, VPC_CMD_ROUTE_GET, NLM_F_MULTI);
	FAKE_NUMBER(&msg, VPC_A_EPOCH, uint64_t, later);
	fake_attr(&msg, VPC_A_ROUTES4, twice ? routes : routes + 2, 2 * sizeof(routes[0]));
	fake_send(fake, &msg);
}

static void send_done(struct fake_kernel *fake, int code, uint16_t flags, const char *text)
{
	struct fake_msg msg;

	fake_done(&msg, code, flags, text);
	fake_send(fake, &msg);
}

/* @n counts requests: get, nexthops, routes, get, and again. */
static void play_dump(struct fake_kernel *fake, const struct nlmsghdr *request, unsigned int n)
{
	bool first = n < 4;
	int scene = fake->scene;
	uint64_t epoch = 9;
	struct fake_msg msg;

	if (scene == MOVES_ALWAYS || (scene == MOVES_ONCE && n >= 3) || (scene == MOVES_BETWEEN && n >= 2))
		epoch += scene == MOVES_ALWAYS ? n : 1;
	switch (fake->cmds[n]) {
	case VPC_CMD_VPC_GET:
		if (scene == GONE) {
			fake_error(&msg, -ENOENT, "no such VPC");
			return fake_send(fake, &msg);
		}
		send_vpc(fake, epoch, scene == SHORT ? 5 : scene == EMPTY ? 0 : 4, scene == EMPTY ? 0 : 2);
		return fake_send_ack(fake);
	case VPC_CMD_NEXTHOP_GET:
		if (scene != EMPTY)
			send_nexthops(fake, epoch);
		return send_done(fake, 0, 0, NULL);
	case VPC_CMD_ROUTE_GET:
		if (scene == EMPTY)
			return send_done(fake, 0, 0, NULL);
		send_routes(fake, epoch, epoch + (scene == MOVES_WITHIN && first), scene == TWICE);
		if (scene == INTERRUPTED_ONCE && first)
			return send_done(fake, 0, NLM_F_DUMP_INTR, NULL);
		if (scene == FAILS_AT_END)
			return send_done(fake, -ENOMEM, 0, "the dump ran out of memory");
		return send_done(fake, 0, 0, NULL);
	}
}

static void test_dump(void **arg)
{
	static const struct {
		int scene, code;
		unsigned int requests;
		const char *says;
	} cases[] = {
		{ STEADY, 0, 4, "" },
		{ MOVES_ONCE, 0, 8, "" },
		{ MOVES_BETWEEN, 0, 7, "" },
		{ MOVES_WITHIN, 0, 7, "" },
		{ MOVES_ALWAYS, -EAGAIN, 10, "VPC 100: it changes faster" },
		{ INTERRUPTED_ONCE, 0, 7, "" },
		{ FAILS_AT_END, -ENOMEM, 3, "VPC 100: dump: kernel: the dump ran out of memory" },
		{ SHORT, -EUCLEAN, 4, "the dump has 2 nexthops, 1 members and 4 routes, the kernel holds 2, 1 and 5" },
		{ TWICE, -EEXIST, 4, "is there twice" },
		{ GONE, -ENOENT, 1, "VPC 100: kernel: no such VPC" },
		{ EMPTY, 0, 4, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vpc_state state = { .vni = 4711 };
		struct vpc_err err = { "" };
		struct fake_kernel fake;

		fake_start(&fake, cases[i].scene, play_dump);
		assert_int_equal(kernel_dump(&fake.k, 100, &state, &err), cases[i].code);
		fake_stop(&fake);
		assert_int_equal(fake.n_requests, cases[i].requests);
		if (cases[i].code) {
			if (!strstr(err.text, cases[i].says))
				fail_msg("'%s' should say '%s'", err.text, cases[i].says);
			assert_int_equal(state.vni, 4711);
			continue;
		}
		assert_int_equal(state.epoch, cases[i].scene == MOVES_ONCE || cases[i].scene == MOVES_BETWEEN ? 10 : 9);
		assert_int_equal(state.digest.h[0], state.epoch);
		assert_int_equal(state.n_routes, cases[i].scene == EMPTY ? 0 : 4);
		assert_int_equal(state.n_members, cases[i].scene == EMPTY ? 0 : 1);
		for (size_t k = 1; k < state.n_routes; k++)
			assert_true(vpc_route_cmp(&state.routes[k - 1], &state.routes[k]) < 0);
		vpc_state_clear(&state);
	}
}

/* -- transactions -------------------------------------------------------------------------------------------------- */

enum {
	TXN_GOOD,
	TXN_BEGIN_REFUSED,
	TXN_BEGIN_EMPTY,
	TXN_ADD_REFUSED,
	TXN_LAST_ADD_REFUSED,
	TXN_COMMIT_REFUSED,
};

#define TXN_ADDS (KERNEL_SOCK_ALL_MAX + 2)

/* As the kernel does it: success is told only to who asked for it, failure always. */
static void play_txn(struct fake_kernel *fake, const struct nlmsghdr *request, unsigned int n)
{
	uint8_t cmd = fake->cmds[n];
	struct fake_msg msg;

	if ((fake->scene == TXN_BEGIN_REFUSED && cmd == VPC_CMD_TXN_BEGIN) ||
	    (fake->scene == TXN_ADD_REFUSED && cmd == VPC_CMD_TXN_ADD && n >= 2) ||
	    (fake->scene == TXN_LAST_ADD_REFUSED && cmd == VPC_CMD_TXN_ADD && n == TXN_ADDS) ||
	    (fake->scene == TXN_COMMIT_REFUSED && cmd == VPC_CMD_TXN_COMMIT)) {
		fake_error(&msg, -EBADMSG, n < 3 || fake->scene != TXN_ADD_REFUSED ? "because" : "of the first");
		return fake_send(fake, &msg);
	}
	if (cmd == VPC_CMD_TXN_ABORT) {
		fake_error(&msg, -ENOENT, "no such transaction");
		return fake_send(fake, &msg);
	}
	if (cmd == VPC_CMD_TXN_BEGIN && fake->scene != TXN_BEGIN_EMPTY) {
		fake_answer(&msg, cmd, 0);
		FAKE_NUMBER(&msg, VPC_A_TXN, uint32_t, 77);
		fake_send(fake, &msg);
	}
	if (request->nlmsg_flags & NLM_F_ACK)
		fake_send_ack(fake);
}

static void test_txn(void **arg)
{
	static const struct {
		int scene, code;
		const char *says;
		unsigned int adds;
		uint8_t end[3];
	} cases[] = {
		{ TXN_GOOD, 0, "", TXN_ADDS, { VPC_CMD_TXN_COMMIT } },
		{ TXN_BEGIN_REFUSED, -EBADMSG, "VPC 100: transaction refused: kernel: because", 0, { 0 } },
		{ TXN_BEGIN_EMPTY, -EPROTO, "VPC 100: transaction refused: the kernel's answer lacks", 0, { 0 } },
		/* What was sent with it is worked on, what comes behind is not sent. */
		{ TXN_ADD_REFUSED, -EBADMSG, "VPC 100: transaction refused: kernel: because",
		  KERNEL_SOCK_ALL_MAX - 1, { VPC_CMD_TXN_ABORT } },
		/* COMMIT comes with the last ones, and names the digest that it cannot have. */
		{ TXN_LAST_ADD_REFUSED, -EBADMSG, "VPC 100: transaction refused: kernel: because", TXN_ADDS,
		  { VPC_CMD_TXN_COMMIT, VPC_CMD_TXN_ABORT } },
		{ TXN_COMMIT_REFUSED, -EBADMSG, "VPC 100: transaction refused: kernel: because", TXN_ADDS,
		  { VPC_CMD_TXN_COMMIT, VPC_CMD_TXN_ABORT } },
	};
	struct vpc_state state;
	struct vpc_delta delta;

	vpc_state_init(&state, 100);
	vpc_delta_init(&delta, 100);
	for (uint32_t i = 0; i < TXN_ADDS * 222; i++) {
		struct vpc_route route = { 1, 1, { AF_INET, 32, { 10, i >> 16, i >> 8, i } } };

		vpc_state_add_route(&state, &route);
		vpc_delta_set_route(&delta, &route);
	}
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		size_t c = i / 2;
		struct vpc_err err = { "" };
		struct fake_kernel fake;
		int r;

		fake_start(&fake, cases[c].scene, play_txn);
		r = i % 2 ? kernel_apply(&fake.k, &delta, 1, &err) : kernel_replace(&fake.k, &state, NULL, "c1", &err);
		fake_stop(&fake);
		assert_int_equal(r, cases[c].code);
		assert_int_equal(fake.cmds[0], VPC_CMD_TXN_BEGIN);
		for (unsigned int n = 1; n <= cases[c].adds; n++)
			assert_int_equal(fake.cmds[n], VPC_CMD_TXN_ADD);
		assert_memory_equal(fake.cmds + 1 + cases[c].adds, cases[c].end, sizeof(cases[c].end));
		assert_non_null(strstr(err.text, cases[c].says));
	}
	vpc_delta_clear(&delta);
	vpc_state_clear(&state);
}

/* -- events and opening -------------------------------------------------------------------------------------------- */

static void play_nothing(struct fake_kernel *fake, const struct nlmsghdr *request, unsigned int n)
{
}

/* Several in one datagram, others in between, one that is broken. */
static void test_events(void **arg)
{
	struct kernel_event event;
	struct fake_kernel fake;
	struct fake_msg msg, other;
	struct vpc_err err = { "" };
	char both[2 * sizeof(msg.buf)];

	fake_start(&fake, 0, play_nothing);
	assert_int_equal(kernel_event_next(&fake.k, &event, &err), -EAGAIN);
	fake_answer(&msg, VPC_CMD_EVENT, 0);
	FAKE_NUMBER(&msg, VPC_A_EVENT, uint8_t, VPC_EVENT_VPC_NEW);
	FAKE_NUMBER(&msg, VPC_A_VNI, uint32_t, 100);
	fake_hdr(&msg);
	memcpy(both, msg.buf, msg.len);
	memcpy(both + msg.len, msg.buf, msg.len);
	assert_true(send(fake.fd, both, 2 * msg.len, 0) > 0);
	fake_answer(&other, VPC_CMD_VPC_GET, 0);
	fake_send(&fake, &other);
	fake_answer(&other, VPC_CMD_EVENT, 0);
	fake_send(&fake, &other);
	fake_send(&fake, &msg);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(kernel_event_next(&fake.k, &event, &err), 0);
		assert_int_equal(event.event, VPC_EVENT_VPC_NEW);
		assert_int_equal(event.vni, 100);
	}
	assert_int_equal(kernel_event_next(&fake.k, &event, &err), -EPROTO);
	assert_int_equal(kernel_event_next(&fake.k, &event, &err), 0);
	assert_int_equal(kernel_event_next(&fake.k, &event, &err), -EAGAIN);
	fake_stop(&fake);
}

static void test_refused_here(void **arg)
{
	struct vpc_addr v6 = { AF_INET6, { 0x20, 1 } }, v4 = { AF_INET, { 192, 0, 2, 1 } }, none = { 0 };
	struct kernel *k = NULL;
	struct vpc_err err;

	assert_int_equal(kernel_open("vpc-test-no-such-namespace", &k, &err), -ENOENT);
	assert_string_equal(err.text,
			    "network namespace /run/netns/vpc-test-no-such-namespace: No such file or directory");
	assert_null(k);
	assert_int_equal(kernel_host_set(NULL, &v6, &none, 4789, &err), -EINVAL);
	assert_string_equal(err.text, "VTEP 2001::: not an IPv4 address");
	assert_int_equal(kernel_host_set(NULL, &v4, &v4, 4789, &err), -EINVAL);
	assert_string_equal(err.text, "VTEP 192.0.2.1: not an IPv6 address");
	assert_int_equal(kernel_host_set(NULL, &none, &none, 4789, &err), -EINVAL);
	assert_string_equal(err.text, "a host needs a VTEP");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request), cmocka_unit_test(test_dump),	     cmocka_unit_test(test_txn),
		cmocka_unit_test(test_events),	cmocka_unit_test(test_refused_here), cmocka_unit_test(test_vpc_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
