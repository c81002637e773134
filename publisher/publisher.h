/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vpc_publisher: carries what CDB's outbox names into ZooKeeper (proto/zookeeper.md). One thread, one thing at a time:
 *
 *   main.c      options, configuration, signals
 *   loop.c      waits for CDB, ZooKeeper and its turn to lead, then round after round
 *   election.c  whose turn it is
 *   fence.c     the right to write, and the one function that writes
 *   round.c     one round: reads the outbox, calls the others, deletes rows that are done
 *   compare.c   everything once, when that is asked for         sweep.c     everything, slowly, all the time
 *   content.c   what HEADs name, read, all the time    strays.c    what CDB does not have
 *   many.c      many VPCs: deltas and HEADs together            pack.c      several VPCs in a multi, several multis
 *                                                               shots.c     small snapshots among them
 *   vpc.c       one VPC: HEAD and deltas, or the end of it      snapshot.c  one VPC: snapshots
 *   host.c      one host's ports                                retry.c     what failed, and when to try it again
 *   garbage.c   what HEAD no longer names                       collect.c   deletes it, a minute later
 *   protect.c   who may write what in a tree that is there, and a host's own part
 *
 * Whatever is done is done again from what CDB and ZooKeeper say, so the process may be killed at any point.
 */
#ifndef VPC_PUBLISHER_H
#define VPC_PUBLISHER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../lib/cdb.h"
#include "../lib/config.h"
#include "../lib/err.h"
#include "../lib/zk.h"
#include "../lib/zk_auth.h"
#include "../proto/znode.h"

#define PUB_MULTI_MAX	(512 * 1024)	/* bytes of data in one multi; ZooKeeper refuses 1 MiB */
#define PUB_LOG_MAX	64		/* deltas that HEAD keeps beside a new snapshot */
#define PUB_ROWS_MAX	10000		/* of the outbox at once; less than twice that in a round */
#define PUB_DELTA_OPS	(VPC_ZNODE_DELTA_MAX / 10)	/* more never fit: the shortest operation is longer */

struct pub_content;
struct pub_garbage;
struct pub_retry;

struct pub_counts {
	unsigned long epochs, deltas, snapshots, hosts, removed;
};

struct publisher {
	const struct vpc_config *config;
	bool once;
	bool all;			/* --all: still to be asked for */
	struct pub_compare {
		bool look;		/* whether it is asked for may have changed */
		bool under_way;		/* it is */
		bool requested;		/* by us, of another one */
		int version;		/* of the node that asked for what is under way */
		bool swept;		/* the rows are done, and the sweep has been asked for the rest */
		struct cdb_outbox *rows; /* still to be compared */
		size_t n;
	} compare;
	volatile sig_atomic_t stop;
	struct zk *zk;
	char credential[ZK_CREDENTIAL_MAX];	/* for ZooKeeper; "": none, the tree is open */
	char old_credential[ZK_CREDENTIAL_MAX];	/* that it replaces, and that is still as good; "": none */
	struct cdb *cdb;		/* NULL: not connected */
	unsigned int timeout_ms;	/* of one ZooKeeper request */

	struct pub_election {
		char name[24];		/* of our candidate's node, without its number; "": none */
		char leader[64];	/* the node of who leads, once that has been reported */
	} election;
	struct pub_sweep {
		uint64_t begin_us, next_us; /* of the pass, of the step; CLOCK_MONOTONIC */
		bool hosts;		/* the VPCs are done */
		bool strays;		/* the hosts are, too: now what CDB does not have */
		bool asked;		/* for who compares everything: at once, whatever sweep_s says */
		unsigned int bucket;	/* where: VPCs' folders first, then hosts' */
		uint32_t vni;		/* the last that was compared; */
		char host[64];		/* behind it the step begins */
		size_t compared, repaired, failed; /* in this pass */
	} sweep;
	bool wake;			/* something happened that a pause waits for */
	bool has_fence;			/* we lead */
	uint8_t buckets[256 / 8];	/* that are known to be there, since we do */
	bool fenced;			/* another publisher has taken over */
	int fence_version;
	bool emptied;			/* --once: stood by, and whoever leads has done what there was */

	bool zk_trouble;		/* the last failure was ZooKeeper's: no connection, no answer */
	bool cdb_trouble;		/* the last failure was the connection to CDB */
	bool cdb_lost;			/* it was, and another one may have a better one */
	bool cdb_good;			/* it has answered, and this has been reported */
	bool zk_away;			/* no connection, and this has been reported */
	char trouble[sizeof(((struct vpc_err *)NULL)->text)];	/* why there are no rounds: what was reported last */
	unsigned int wait_ms;		/* before the next try */
	struct pub_content *content;
	struct pub_garbage *garbage;
	struct pub_retry *retry;
	bool waiting;			/* the outbox has many rows that wait for a retry, and this has been reported */
	struct pub_counts counts;	/* since the last summary */
	uint64_t summary_us;		/* when that was */
};

/* loop.c: until stopped, with once until the outbox is empty: 0. -EINVAL: the fence cannot be read. -EAGAIN: once, and
 * something is left. */
int pub_run(struct publisher *p, struct vpc_err *err);
/* Reports what keeps us from working, once. */
void pub_trouble(struct publisher *p, const char *what, const char *text);
void pub_drop_cdb(struct publisher *p);
/* To systemd, when it asked for that. */
void pub_notify(struct publisher *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* election.c */
/* Becomes a candidate, and says whether the first. If not, @p->wake is set when that may have changed. */
int pub_election_ask(struct publisher *p, bool *ret_first, struct vpc_err *err);
/* No candidate any more: somebody else's turn. */
void pub_election_leave(struct publisher *p);

/* round.c */
struct pub_round {
	size_t done, left; /* keys */
	bool full; /* there may be more rows than were read; */
	bool cut; /* or something else was left for the next one */
	bool broken; /* a server went away in the middle, or we were fenced off */
	char text[sizeof(((struct vpc_err *)NULL)->text)]; /* how */
};
int pub_round(struct publisher *p, struct pub_round *ret_round, struct vpc_err *err);

/* compare.c */
/* Whoever leads shall compare everything, for --all. */
int pub_compare_request(struct publisher *p, struct vpc_err *err);
int pub_compare_asked(struct publisher *p, bool watch, bool *ret_asked, struct vpc_err *err);
/* The leader's: what there is to compare, if that may have changed. */
int pub_compare_look(struct publisher *p, struct vpc_err *err);
/* What this round shall compare; then what of it is left to do. */
size_t pub_compare_rows(const struct publisher *p, const struct cdb_outbox **ret_rows);
void pub_compare_done(struct publisher *p, size_t n, const struct cdb_outbox *left, size_t n_left);
/* Has the sweep look for what CDB does not have, then says so, in ZooKeeper, when all of it is done. *ret_more: it goes
 * on. */
int pub_compare_finish(struct publisher *p, bool *ret_more, struct vpc_err *err);
void pub_compare_forget(struct publisher *p);

/* sweep.c */
struct pub_sweep_step;
/* We lead from now on. */
void pub_sweep_begin(struct publisher *p);
/* A pass at once, for who has published everything; @p->sweep.asked until that is done. */
void pub_sweep_now(struct publisher *p);
/* What the next step is to compare, as CDB has it, before the outbox is read. *ret_step NULL: it is not time. */
int pub_sweep_read(struct publisher *p, struct pub_sweep_step **ret_step, struct vpc_err *err);
/* The outbox names this one, and it is not among the rows of pub_sweep_compare(). */
void pub_sweep_named(struct pub_sweep_step *step, const struct cdb_outbox *row);
/* After the work: with ZooKeeper. @rows, sorted, are all else that the outbox named meanwhile. */
int pub_sweep_compare(struct pub_sweep_step *step, const struct cdb_outbox *rows, size_t n, struct vpc_err *err);
void pub_sweep_free(struct pub_sweep_step *step);

/* content.c */
int pub_content_new(struct pub_content **ret_content);
void pub_content_free(struct pub_content *content);
/* We lead from now on: from the beginning, a while later. */
void pub_content_begin(struct publisher *p);
/* Reads some nodes, if it is time. An error is a server's that does not answer, -EINTR: to stop, or -EPERM: fenced off.
 * Whatever else fails has been logged, and is passed over. */
int pub_content_turn(struct publisher *p, struct vpc_err *err);

/*
 * strays.c: what a folder of ZooKeeper's (@bucket, 0 to 255) has and CDB has not, @max keys at most; of hosts those
 * behind @after (of 64 bytes), which moves along, and of which @max are looked at. *ret_seen: how many were.
 */
#define PUB_BUCKETS 256
int pub_strays_vpcs(struct publisher *p, unsigned int bucket, size_t max, struct cdb_outbox *ret_keys, size_t *ret_n,
		    size_t *ret_seen, struct vpc_err *err);
int pub_strays_hosts(struct publisher *p, unsigned int bucket, char *after, size_t max, struct cdb_outbox *ret_keys,
		     size_t *ret_n, size_t *ret_seen, struct vpc_err *err);
/* Removes it, if it is certain that CDB had it and has not. -ESTALE: it is not. */
int pub_stray(struct publisher *p, const struct cdb_outbox *key, bool *ret_removed, struct vpc_err *err);

/* fence.c */
int pub_fence_take(struct publisher *p, struct vpc_err *err);
/* "host:pid" into @buf, which is returned. */
#define PUB_WHO_MAX 96
char *pub_who_am_i(char *buf);
/* A lost connection or no answer, nothing about the node. */
bool pub_zk_lost(int res);
/* Makes zk->errno into a text that names @path, and notes trouble. Returns @res. */
int pub_zk_failed(struct publisher *p, int res, const char *path, struct vpc_err *err);
/**
 * pub_multi() - write, if nobody else has taken over
 * @ops: @n steps, the first of which is left free for the check of the fence
 * @ret_failed: the step that failed, SIZE_MAX when none did; may be NULL
 *
 * Return: 0, -EPERM when fenced off, else what the failing step met, with a text.
 */
int pub_multi(struct publisher *p, struct zk_op *ops, size_t n, size_t *ret_failed, struct vpc_err *err);
/* For who writes without waiting: the first step, and what a failure at @path means. */
void pub_fence_op(const struct publisher *p, struct zk_op *ret_op);
int pub_multi_failed(struct publisher *p, int res, const char *path, struct vpc_err *err);
/* Serves ZooKeeper's client once something has come, or is late. -EINTR: we are to stop. */
int pub_wait(struct publisher *p);
/* -ENOENT without a text, everything else with. */
int pub_get(struct publisher *p, const char *path, char **ret_data, size_t *ret_len, int *ret_version,
	    struct vpc_err *err);
int pub_children(struct publisher *p, const char *path, char ***ret_names, size_t *ret_n, struct vpc_err *err);
int pub_mkpath(struct publisher *p, const char *path, struct vpc_err *err);
/* Notes whether the connection to CDB is what failed; returns @res. */
int pub_cdb(struct publisher *p, int res);

/* vpc.c */
enum pub_head_state {
	PUB_HEAD_ABSENT,
	PUB_HEAD_EMPTY,		/* a first snapshot, or the VPC's removal, is under way */
	PUB_HEAD_BAD,
	PUB_HEAD_GOOD,
};

struct pub_head {
	enum pub_head_state state;
	int version;		/* of the node, unless absent */
	struct vpc_head head;
	struct vpc_last last;	/* of a good one */
};

/* -EAGAIN: somebody changed HEAD meanwhile. -ESTALE: CDB and ZooKeeper tell different stories, a person must look. */
int pub_vpc(struct publisher *p, uint32_t vni, struct vpc_err *err);
/* The same by a snapshot, whatever HEAD says: what it names is not there. */
int pub_vpc_whole(struct publisher *p, uint32_t vni, struct vpc_err *err);
int pub_vpc_remove(struct publisher *p, uint32_t vni, struct vpc_err *err);
/* 0: CDB answers that there is no such VPC. -EEXIST: there is. Anything else: it did not answer. */
int pub_vpc_gone(struct publisher *p, uint32_t vni, struct vpc_err *err);
int pub_head_read(struct publisher *p, uint32_t vni, struct pub_head *ret_head, struct vpc_err *err);
/* A delta for each epoch from @head's to @epoch; @head moves along. -E2BIG: one of them takes a snapshot. */
int pub_deltas(struct publisher *p, struct pub_head *head, const struct cdb_vpc *vpc, struct vpc_err *err);

/* Quota and flags, which are of no epoch, as in CDB. Whether they were different. */
bool pub_head_conf(struct vpc_head *head, const struct cdb_vpc *vpc);
/* So many deltas behind the snapshot that another one is due: 64, or 512 for each of its chunks when it has several,
 * and 4096 at most, so that writing it costs each of them about as much, however large the VPC is. */
bool pub_head_is_long(const struct vpc_head *head);

/*
 * many.c: what has HEADs to go on from, and deltas to add, together. *ret_published (@n): those that are where CDB is,
 * and need nothing else; the others are pub_vpc()'s. @vnis ascend. An error is a server's that does not answer, or
 * -EPERM: fenced off; nothing is known of any of them then.
 */
int pub_many(struct publisher *p, const uint32_t *vnis, size_t n, bool *ret_published, struct vpc_err *err);

/* snapshot.c: HEAD becomes a snapshot of CDB's current state. @keep_log: @head's deltas stay readable beside it. */
int pub_snapshot(struct publisher *p, uint32_t vni, struct pub_head *head, bool keep_log, struct vpc_err *err);
/* CDB's word is not taken for its own digest: agents would refuse the snapshot. -EPROTO. */
int pub_state_check(const struct cdb_vpc *vpc, const struct vpc_state *state, struct vpc_err *err);
/* HEAD of a snapshot of what @vpc has; @log, a HEAD at the same epoch, or NULL: whose deltas stay. */
void pub_snapshot_head(const struct cdb_vpc *vpc, uint32_t chunks, const struct vpc_head *log,
		       struct vpc_head *ret_head);

/* host.c */
int pub_host(struct publisher *p, const char *host, struct vpc_err *err);

/* garbage.c */
int pub_garbage_new(unsigned int delay_s, struct pub_garbage **ret_garbage);
void pub_garbage_free(struct pub_garbage *garbage);
/* Others have written meanwhile: every VPC is looked through again when it is touched. */
void pub_garbage_forget(struct pub_garbage *garbage);
/* This VPC is: something was written, or was not, and nobody has said which. */
void pub_garbage_forget_vpc(struct pub_garbage *garbage, uint32_t vni);
/* Whether the VPC has been looked through. pub_garbage_note() is for who has read its children already; -ENOMEM. */
bool pub_garbage_knows(const struct publisher *p, uint32_t vni);
int pub_garbage_note(struct publisher *p, const struct pub_head *head, char *const *names, size_t n);
/* What HEAD has let go of from @was to @is, all of which is there. */
int pub_garbage_past(struct publisher *p, const struct vpc_head *was, const struct vpc_head *is, struct vpc_err *err);
/* Notes everything below the VPC that HEAD does not name. Once for each VPC, unless @again. */
int pub_garbage_sweep(struct publisher *p, const struct pub_head *head, bool again, struct vpc_err *err);
/* collect.c */
/* Deletes some of what is due. What cannot be deleted is reported here; an error means no connection, or fenced off. */
int pub_garbage_collect(struct publisher *p, struct vpc_err *err);
/* Deletes a node, its children, and the children of snapshots among them. */
int pub_delete_tree(struct publisher *p, const char *path, struct vpc_err *err);

/* retry.c: by outbox key. */
int pub_retry_new(struct pub_retry **ret_retry);
void pub_retry_free(struct pub_retry *retry);
bool pub_retry_due(const struct pub_retry *retry, const struct cdb_outbox *key);
/* Whether it has failed, and was not done since. */
bool pub_retry_has(const struct pub_retry *retry, const struct cdb_outbox *key);
/* True when the text is a new one and should be reported. */
bool pub_retry_failed(struct pub_retry *retry, const struct cdb_outbox *key, const char *text);
void pub_retry_done(struct pub_retry *retry, const struct cdb_outbox *key);
void pub_retry_all_due(struct pub_retry *retry);
int pub_outbox_cmp(const struct cdb_outbox *a, const struct cdb_outbox *b);	/* by key, not by id */

/* protect.c */

/* How access lists name the host's own credential, and the one that was made of the publisher's before. */
struct pub_host_ids {
	char text[ZK_WHO_MAX][ZK_ID_MAX];
	const char *who[ZK_WHO_MAX + 1]; /* for zk_grant() */
};
void pub_host_ids(const struct publisher *p, const char *host, struct pub_host_ids *ret_ids);
/* The host's own credential may create its nodes in its folder from now on, or (not @own) may not. Nothing in an open
 * tree. -ENOENT without a text: there is no folder. -EPERM: fenced off, nothing is changed. */
int pub_protect_host(struct publisher *p, const char *host, bool own, struct vpc_err *err);
/*
 * --protect: of all nodes that are there, whoever made them. Safe beside publishers with the same credential, and to
 * be repeated. -EACCES: some are not ours, and open; they have been named, and the rest is done.
 */
int pub_protect(struct publisher *p, struct vpc_err *err);

#endif
