// SPDX-License-Identifier: Apache-2.0
/*
 * CDB's state of one VPC at the kernel's epoch, what its tables are compared with; see audit.h. Called by content.c and
 * probe.c.
 *
 * Of a large VPC that differs the kernel's tables say what to expect: the server adds up checksums of a few thousand
 * routes each and sends those that differ. That what comes of it is CDB's content is decided by the digest, which
 * covers each entry; where it does not fit, everything is read.
 */
#include "audit.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>
#include "../lib/cdb_fleet.h"
#include "../lib/digest.h"
#include "../lib/util.h"

#define SLOT_S	     5 /* to wait until fewer hosts read whole VPCs */
#define SUMS_FROM    5000 /* routes; fewer are as quickly read as added up */
#define RESUME_MS    15000 /* to try to connect again; the last try may take longer */
#define RESUME_US    500000
#define VAIN_MAX     3 /* connections lost without anything read in between */

/* What the kernel is compared with must be sound itself: a digest that is not its rows' is refused by every kernel. */
static int check_want(const struct vpc_state *want, struct vpc_err *err)
{
	struct vpc_digest content = vpc_digest_of_state(want);

	if (vpc_digest_equal(&content, &want->digest))
		return 0;
	return vpc_err_set(err, -EBADMSG,
			   "CDB, epoch %" PRIu64 ": its digest is not that of its content",
			   want->epoch);
}

int audit_slot_take(const struct audit *audit, unsigned int *ret_slot, struct vpc_err *err)
{
	struct pace *pace = audit->pace;
	uint64_t start = now_monotonic_us(), waited_ms;
	unsigned int wait_s = !pace || pace->slots_ms > SLOT_S * 1000 ? SLOT_S : pace->slots_ms / 1000;
	int ret = cdb_read_slot_take(audit->cdb, wait_s, ret_slot, err);

	waited_ms = (now_monotonic_us() - start) / 1000;
	if (pace)
		pace->slots_ms -= waited_ms < pace->slots_ms ? waited_ms : pace->slots_ms;
	return ret;
}

static bool goes_on(const struct audit *audit)
{
	return !audit->pace || !audit->pace->go_on || audit->pace->go_on(audit->pace->arg);
}

/* The server was there a moment ago: what was read is kept while it is away. */
static int connect_again(const struct audit *audit, struct vpc_err *err)
{
	uint64_t until = now_monotonic_us() + RESUME_MS * 1000ULL;
	int ret;

	do {
		if (!goes_on(audit))
			return vpc_err_set(err, -ECANCELED, "it was not to go on");
		usleep(RESUME_US);
		ret = cdb_reopen(audit->cdb, audit->config, err);
	} while (ret && now_monotonic_us() < until);
	return ret;
}

static size_t parts_read(const struct cdb_reader *reader)
{
	const struct cdb_reader_counts counts = cdb_reader_counts(reader);

	return counts.pieces + counts.sums;
}

/* Until CDB is not busy any more, for as long as the round has time to wait; nobody else's turn is taken meanwhile. */
static int wait_for_calm(const struct audit *audit, struct cdb_reader *reader, struct cdb_manners manners,
			 struct vpc_err *err)
{
	uint64_t before = cdb_reader_counts(reader).waited_ms, waited_ms;
	struct pace *pace = audit->pace;
	int ret;

	manners.max_wait_ms = before + (pace ? pace->busy_ms : PACE_BUSY_MS);
	ret = cdb_reader_wait(reader, audit->cdb, &manners, err);
	waited_ms = cdb_reader_counts(reader).waited_ms - before;
	if (pace)
		pace->busy_ms -= waited_ms < pace->busy_ms ? waited_ms : pace->busy_ms;
	return ret;
}

/* In this audit's turn. @ret_unread: it was not its turn, or CDB was busy all the time. */
static int read_some(const struct audit *audit, struct cdb_reader *reader, bool *ret_unread, struct vpc_err *err)
{
	const struct cdb_manners manners = {
		.max_load = audit->max_load,
		.part = true,
		.go_on = audit->pace ? audit->pace->go_on : NULL,
		.arg = audit->pace ? audit->pace->arg : NULL,
	};
	unsigned int slot;
	int ret;

	do {
		ret = wait_for_calm(audit, reader, manners, err);
		*ret_unread = ret == -EBUSY;
		if (ret)
			return ret == -EBUSY ? -EAGAIN : ret;
		ret = audit_slot_take(audit, &slot, err);
		*ret_unread = ret == -EAGAIN;
		if (ret)
			return ret;
		ret = cdb_reader_run(reader, audit->cdb, &manners, err);
		cdb_read_slot_give(audit->cdb, slot);
	} while (ret == -EBUSY);
	return ret;
}

/* Until all of it is read, or there is no going on. */
static int read_all(const struct audit *audit, struct report_vpc *vpc, struct cdb_reader *reader, struct vpc_err *err)
{
	unsigned int vain = 0;
	size_t before;
	int ret;

	do {
		before = parts_read(reader);
		ret = read_some(audit, reader, &vpc->no_slot, err);
		vain = parts_read(reader) == before ? vain + 1 : 0;
		if (ret != -ECONNRESET || !audit->config || vain > VAIN_MAX)
			return ret;
		ret = connect_again(audit, err);
	} while (!ret);
	return ret;
}

static int load(const struct audit *audit, struct report_vpc *vpc, uint64_t epoch, const struct vpc_state *like,
		struct vpc_state *ret_want, struct vpc_err *err)
{
	struct cdb_reader *reader = cdb_reader_new(vpc->vni, epoch, like);
	struct vpc_state want;
	int ret;

	if (!reader)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	ret = read_all(audit, vpc, reader, err);
	if (!ret) {
		cdb_reader_take(reader, &want);
		ret = check_want(&want, err);
		if (ret)
			vpc_state_clear(&want);
		else
			*ret_want = want;
	}
	cdb_reader_free(reader);
	return ret;
}

int audit_load_want(const struct audit *audit, const struct report *report, struct report_vpc *vpc, uint64_t epoch,
		    const struct vpc_state *like, struct vpc_state *ret_want, struct vpc_err *err)
{
	struct cdb_epoch found;
	int ret = cdb_epoch_get(audit->cdb, vpc->vni, epoch, &found, err);

	if (ret)
		return ret;
	audit_take_epoch(report, vpc, epoch, &found);
	if (audit->full || !like || like->n_routes < (audit->sums_from ?: SUMS_FROM))
		return load(audit, vpc, epoch, NULL, ret_want, err);
	ret = load(audit, vpc, epoch, like, ret_want, err);
	return ret == -EBADMSG ? load(audit, vpc, epoch, NULL, ret_want, err) : ret;
}
