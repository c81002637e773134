// SPDX-License-Identifier: Apache-2.0
/*
 * Whole transactions on the kernel's tables: BEGIN, as many ADDs as the content takes, COMMIT. Called by the agent,
 * which moves a VPC by deltas and repairs or first fills it by replacing; aborted by any failure.
 *
 * The kernel works on messages inside sendmmsg(), so waiting for their acknowledgement costs one system call and no
 * idle time.
 */
#include <errno.h>
#include <netlink/msg.h>
#include <string.h>

#include "kernel.h"
#include "kernel_msg.h"
#include "kernel_sock.h"

static int unbuilt(int r, struct vpc_err *err)
{
	return vpc_err_set(err, r, "netlink: cannot make the message: %s", strerror(-r));
}

struct begin_answer {
	uint32_t txn;
	bool there;
};

static int begin_answer(const struct nlmsghdr *nlh, void *arg, struct vpc_err *err)
{
	struct begin_answer *answer = arg;

	answer->there = true;
	return kernel_parse_txn(nlh, &answer->txn, err);
}

static int txn_begin(struct kernel *k, uint32_t vni, enum vpc_txn_mode mode, const uint64_t *base, uint32_t *ret_txn,
		     struct vpc_err *err)
{
	_cleanup_msg_ struct nl_msg *msg = NULL;
	struct begin_answer answer = { 0 };
	int r = kernel_msg_txn_begin(k->family, vni, mode, base, &msg);

	r = r ? unbuilt(r, err) : kernel_sock_request(k, msg, begin_answer, &answer, err);
	if (!r && !answer.there)
		r = vpc_err_set(err, -EPROTO, "the kernel's answer lacks the transaction");
	if (!r)
		*ret_txn = answer.txn;
	return r;
}

/* Up to @max messages into @msgs, which the caller frees whatever comes back; less: that is all. */
static int txn_add_build(struct kernel *k, uint32_t txn, struct kernel_ops *ops, struct nl_msg **msgs, size_t max,
			 size_t *ret_n)
{
	size_t n = 0;
	int r = 0;

	while (n < max && !r) {
		r = kernel_msg_txn_add(k->family, txn, ops, &msgs[n]);
		if (!r && !msgs[n])
			break;
		n += !r;
	}
	*ret_n = n;
	return r;
}

/*
 * One round of ADDs, the last one with COMMIT: a small change is two requests to the kernel and not three. COMMIT names
 * the digest, so it does nothing where an ADD before it has failed. @head: a delta of which only VPC, epoch, digest and
 * change id are read.
 */
static int txn_round(struct kernel *k, uint32_t txn, struct kernel_ops *ops, const struct vpc_delta *head,
		     bool *ret_done, struct vpc_err *err)
{
	struct nl_msg *msgs[KERNEL_SOCK_ALL_MAX];
	bool done = false;
	size_t n;
	int r;

	r = txn_add_build(k, txn, ops, msgs, KERNEL_SOCK_ALL_MAX - 1, &n);
	if (!r && n < KERNEL_SOCK_ALL_MAX - 1) {
		r = kernel_msg_txn_commit(k->family, txn, head->epoch, &head->digest, head->change, &msgs[n]);
		n += !r;
		done = true;
	}
	r = r ? unbuilt(r, err) : kernel_sock_request_all(k, msgs, n, err);
	for (size_t i = 0; i < n; i++)
		nlmsg_free(msgs[i]);
	*ret_done = done;
	return r;
}

/* What failed before is what the caller hears; a transaction that is gone already has nothing to abort. */
static void txn_abort(struct kernel *k, uint32_t txn)
{
	_cleanup_msg_ struct nl_msg *msg = NULL;

	if (!kernel_msg_txn_abort(k->family, txn, &msg))
		kernel_sock_request(k, msg, NULL, NULL, NULL);
}

/* Everything after BEGIN; also names what was asked in front of a failure of BEGIN (@r). */
static int txn_run(struct kernel *k, int r, uint32_t txn, struct kernel_ops *ops, const struct vpc_delta *head,
		   struct vpc_err *err)
{
	bool done = false;

	if (!r) {
		while (!r && !done)
			r = txn_round(k, txn, ops, head, &done, err);
		if (r)
			txn_abort(k, txn);
	}
	return r ? vpc_err_prefix(err, r, "VPC %u: transaction refused", head->vni) : 0;
}

int kernel_apply(struct kernel *k, const struct vpc_delta *deltas, size_t n, struct vpc_err *err)
{
	struct kernel_ops ops = kernel_ops_of_deltas(deltas, n);
	uint32_t txn = 0;
	int r = txn_begin(k, deltas->vni, VPC_TXN_DELTA, &deltas->base, &txn, err);

	return txn_run(k, r, txn, &ops, &deltas[n - 1], err);
}

int kernel_replace(struct kernel *k, const struct vpc_state *state, const uint64_t *base, const char *change,
		   struct vpc_err *err)
{
	struct vpc_delta head = { .vni = state->vni, .epoch = state->epoch, .digest = state->digest };
	struct kernel_ops ops = kernel_ops_of_state(state);
	uint32_t txn = 0;
	int r;

	if (change && strlen(change) > VPC_CHANGE_MAX)
		return vpc_err_set(err, -EINVAL, "VPC %u: a change id of more than %d bytes", state->vni,
				   VPC_CHANGE_MAX);
	strcpy(head.change, change ? change : "");
	r = txn_begin(k, state->vni, VPC_TXN_REPLACE, base, &txn, err);
	return txn_run(k, r, txn, &ops, &head, err);
}
