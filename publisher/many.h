/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What publisher/many.c and publisher/pack.c share: VPCs that are published together.
 *
 *   many.c   what is to be written: HEADs read ahead, CDB asked for many VPCs at once
 *   pack.c   writing it: several VPCs in one multi, several multis under way
 *   shots.c  small snapshots, several together
 */
#ifndef VPC_PUBLISHER_MANY_H
#define VPC_PUBLISHER_MANY_H

#include "publisher.h"

/* Steps and bytes of one multi, save one that is larger by itself. ZooKeeper keeps the last 500 in memory. */
#define PACK_OPS	128
#define PACK_BYTES	(128 * 1024)
#define PACK_WINDOW	8	/* multis under way */

struct cdb_logged;
struct many;

struct many_vpc {
	struct many *many;
	uint32_t vni;
	unsigned int answers;	/* awaited */
	bool alone;		/* left to pub_vpc(), which says what is wrong with it */
	bool published;		/* HEAD is where CDB is, or will be once what is under way has arrived */
	struct pub_head head;	/* once what is under way has arrived */
	const struct cdb_vpc *vpc;
	struct cdb_logged *log;	/* this turn's epochs, HEAD's own first, of which so many are wanted behind it */
	size_t n_log, n_wanted;
	bool then_alone;	/* behind them */
	bool blank;		/* no HEAD: alone, but perhaps not for long */
	bool grown;		/* CDB is ahead again: the next round takes the snapshot that is due */
	bool shot;		/* a snapshot is under way, or has arrived */
	struct vpc_head was;	/* HEAD before that */
};

/* One multi under way. */
struct flight {
	struct many *many;
	bool busy;
	struct many_vpc *vpcs[PACK_OPS];
	size_t n_vpcs, n_deltas, n_snapshots, n_epochs;
};

/* The multi that is being filled; the first step is the fence's. */
struct pack {
	struct zk_op ops[PACK_OPS];
	char paths[PACK_OPS][VPC_ZNODE_PATH_MAX];
	char *texts[PACK_OPS];
	size_t n, bytes;	/* n 0: empty; else with the fence's step */
	size_t step;		/* where the deltas begin whose HEAD is still to come */
	struct flight *flight;
};

struct many {
	struct publisher *p;
	struct many_vpc *vpcs;
	size_t n;
	int res;		/* why all of it ends early: ZooKeeper is away, we are fenced off or to stop */
	char text[sizeof(((struct vpc_err *)NULL)->text)];
	unsigned int answers;	/* awaited, HEADs and children */
	struct pack pack;
	struct flight flights[PACK_WINDOW];
};

/* A step or request failed: does that end all of it? Returns @res if so, else 0. */
int many_failed(struct many *many, int res, const char *path);
/* What CDB answered makes no sense for one of the VPCs that it was asked for, and both servers are there. */
bool many_bad_vpc(const struct many *many, int res);
/* Runs the handlers of what has come, waits for it first. -EINTR, or why all of it ends. */
int many_wait(struct many *many);

/* pack.c */
/*
 * Adds a delta that follows @to, which moves along. What cannot be said leaves the VPC alone, behind the ones before;
 * what was added counts once pack_head() follows. Errors are those of many_wait().
 */
int pack_delta(struct many *many, struct many_vpc *vpc, struct vpc_delta *delta, struct vpc_head *to);
/* The step that moves HEAD to @to, past the deltas added before it. */
int pack_head(struct many *many, struct many_vpc *vpc, const struct vpc_head *to);
/* The whole of a VPC that is one chunk, and @to its HEAD. Both texts are the pack's, whatever is returned. */
int pack_snapshot(struct many *many, struct many_vpc *vpc, const struct vpc_head *to, char *head, size_t head_len,
		  char *chunk, size_t chunk_len);
/* Sends what there is. */
int pack_send(struct many *many);
/* Until nothing is under way. */
int pack_settle(struct many *many);
/* Forgets what is under way. */
void pack_drop(struct many *many);

/* shots.c: snapshots of those that need one and are small; the others are alone. After pack_settle(). */
int shots_publish(struct many *many, struct vpc_err *err);

#endif
