// SPDX-License-Identifier: Apache-2.0
/*
 * Who leads: each publisher that could work (it has ZooKeeper and CDB) has an ephemeral, numbered node in
 * /vpc/v1/election, and the lowest number leads. The others watch the one before theirs, so that one end wakes one
 * publisher. publisher/loop.c asks; the right to write is the fence's all the same (fence.c): an election only says
 * who shall take it, and a leader that does not know yet of its session's end is stopped by the fence.
 *
 * A node is known by a random name, not by what the creation answered, which a lost connection may have swallowed.
 */
#include "publisher.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../lib/log.h"
#include "../lib/util.h"

#define TRIES 5 /* candidates may go between two of our looks */

static int candidate_name(struct pub_election *e, struct vpc_err *err)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return vpc_err_set(err, -EIO, "no random bytes for a name");
	snprintf(e->name, sizeof(e->name), "%016" PRIx64 "-", random);
	return 0;
}

static int join(struct publisher *p, struct vpc_err *err)
{
	struct zk_op op = { .type = ZK_OP_CREATE, .ephemeral = true, .sequential = true };
	char path[VPC_ZNODE_PATH_MAX];
	char who[PUB_WHO_MAX];
	int r;

	snprintf(path, sizeof(path), VPC_ZNODE_ELECTION "/%s", p->election.name);
	op.path = path;
	op.data = pub_who_am_i(who);
	op.len = strlen(who);
	r = zk_multi_wait(p->zk, &op, 1, p->timeout_ms, NULL);
	return r ? pub_zk_failed(p, r, path, err) : 0;
}

/* The number that ZooKeeper gave; names that are none of a publisher's come last. */
static uint64_t number(const char *name)
{
	const char *dash = strrchr(name, '-');
	char *end;
	uint64_t value;

	if (!dash || dash[1] < '0' || dash[1] > '9')
		return UINT64_MAX;
	value = strtoull(dash + 1, &end, 10);
	return *end ? UINT64_MAX : value;
}

struct place {
	bool joined;
	uint64_t mine;
	char first[64], before[64]; /* who leads, and whom we wait for */
};

static void find_place(const char *name, char **names, size_t n, struct place *ret)
{
	uint64_t first = UINT64_MAX, before = 0;
	size_t i;

	*ret = (struct place){ .mine = UINT64_MAX };
	for (i = 0; i < n; i++)
		/* Twice when the answer to the first was lost and a server that lags had not seen it. */
		if (!strncmp(names[i], name, strlen(name)) && number(names[i]) < ret->mine) {
			ret->joined = true;
			ret->mine = number(names[i]);
		}
	for (i = 0; i < n && ret->joined; i++) {
		uint64_t other = number(names[i]);

		if (other >= ret->mine || strlen(names[i]) >= sizeof(ret->first))
			continue;
		if (other < first) {
			first = other;
			strcpy(ret->first, names[i]);
		}
		if (!*ret->before || other > before) {
			before = other;
			strcpy(ret->before, names[i]);
		}
	}
}

/* Where we are among the candidates, which we join first when we are none. */
static int look(struct publisher *p, struct place *ret_place, struct vpc_err *err)
{
	char **names;
	size_t n;
	int r;

	r = pub_children(p, VPC_ZNODE_ELECTION, &names, &n, err);
	if (r)
		return r;
	find_place(p->election.name, names, n, ret_place);
	zk_names_free(names, n);
	return 0;
}

/* Says whom we stand behind, each of them once. */
static void report(struct publisher *p, const struct place *place)
{
	_cleanup_free_ char *who = NULL;
	char path[VPC_ZNODE_PATH_MAX];
	size_t len;

	if (!strcmp(p->election.leader, place->first))
		return;
	snprintf(path, sizeof(path), VPC_ZNODE_ELECTION "/%s", place->first);
	if (zk_get_wait(p->zk, path, p->timeout_ms, &who, &len, NULL))
		return;
	strcpy(p->election.leader, place->first);
	log_info("standing by, %.100s leads", who);
	pub_notify(p, "READY=1\nSTATUS=standing by, %.100s leads", who);
}

/* Wakes us when it goes. -ENOENT: it has gone already. */
static int watch(struct publisher *p, const char *name, struct vpc_err *err)
{
	char path[VPC_ZNODE_PATH_MAX];
	int r;

	snprintf(path, sizeof(path), VPC_ZNODE_ELECTION "/%s", name);
	r = zk_exists_wait(p->zk, path, true, p->timeout_ms);
	return r && r != -ENOENT ? pub_zk_failed(p, r, path, err) : r;
}

int pub_election_ask(struct publisher *p, bool *ret_first, struct vpc_err *err)
{
	struct place place;
	int r = 0, i;

	if (!*p->election.name)
		r = candidate_name(&p->election, err);
	/* Each time: somebody may have emptied ZooKeeper. */
	if (!r)
		r = pub_mkpath(p, VPC_ZNODE_ELECTION, err);
	for (i = 0; !r && i < TRIES; i++) {
		r = look(p, &place, err);
		if (!r && !place.joined) {
			r = join(p, err);
			continue;
		}
		if (!r && !*place.before) {
			*ret_first = true;
			p->election.leader[0] = '\0';
			return 0;
		}
		if (!r)
			r = watch(p, place.before, err);
		if (!r) {
			report(p, &place);
			*ret_first = false;
			return 0;
		}
		if (r == -ENOENT)
			r = 0;
	}
	return r ?: vpc_err_set(err, -EAGAIN, VPC_ZNODE_ELECTION ": the candidates change all the time");
}

void pub_election_leave(struct publisher *p)
{
	char path[VPC_ZNODE_PATH_MAX];
	char **names;
	size_t i, n;

	int r = 0;

	if (!*p->election.name || !zk_connected(p->zk) ||
	    zk_children_wait(p->zk, VPC_ZNODE_ELECTION, p->timeout_ms, &names, &n))
		return;
	for (i = 0; i < n && !r; i++) {
		struct zk_op op = { .type = ZK_OP_DELETE, .path = path, .version = -1 };

		if (strncmp(names[i], p->election.name, strlen(p->election.name)))
			continue;
		snprintf(path, sizeof(path), VPC_ZNODE_ELECTION "/%s", names[i]);
		r = zk_multi_wait(p->zk, &op, 1, p->timeout_ms, NULL);
	}
	zk_names_free(names, n);
	/* A node that is still there must not be taken for another publisher's: nobody would ever lead. */
	if (!r || r == -ENOENT)
		p->election.name[0] = '\0';
}
