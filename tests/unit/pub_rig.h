/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The publisher between two servers that are not there: a CDB of empty VPCs, and a ZooKeeper that is an array of nodes.
 * Both fail on demand. Linked with all of publisher/ that publishes VPCs.
 */
#ifndef PUB_RIG_H
#define PUB_RIG_H

#include "../../publisher/publisher.h"

#define RIG_VPCS 2000

struct rig_vpc {
	uint32_t vni;
	uint64_t epoch;		/* 0: there is none */
	bool bad_row;		/* statements that read its row fail */
	bool bad_state;		/* those that read its state do */
	bool busy;		/* it has another epoch at the beginning of every snapshot */
};

struct rig {
	struct publisher p;
	struct rig_vpc vpcs[RIG_VPCS];	/* by VNI, from 1 on */
	unsigned int n_multis;	/* sent without waiting */
	unsigned int refuse;	/* the one of these that is not sent, */
	int refuse_res;		/* and why; 0: none */
	unsigned int lose;	/* the one that is done, but gets no answer; 0: none */
	unsigned int n_asked;	/* nodes, without waiting */
	unsigned int silent;	/* the one of these that gets no answer; 0: none */
	const char *bad_path;	/* what gets an error for an answer, */
	int bad_res;		/* this one */
	uint32_t bad_log;	/* the VPC whose history fails, 0: none; */
	int bad_log_res;	/* so */
	bool bad_list;		/* cdb_vpc_after() fails */
	size_t most_ops;	/* of any multi */
	unsigned int gets;	/* of one VPC, waiting: how many pub_vpc() there were */
	unsigned int states;	/* loads of one VPC's state alone */
	const char *stale_path;	/* what the next zk_get_wait() of it has is old: */
	const char *stale_data;
	int stale_version;
};
extern struct rig rig;

int rig_setup(void **state);
int rig_teardown(void **state);

/* ZooKeeper's nodes. rig_read(): NULL: there is none. */
void rig_write(const char *path, const char *data);
const char *rig_read(const char *path, int *ret_version);
/* HEAD of what CDB has, with its snapshot, of epoch 1, and all its deltas. */
void rig_publish(uint32_t vni, bool has_flags);
struct vpc_head rig_head(uint32_t vni);
/* pub_many() of VPCs 1 to @n. */
int rig_many(size_t n, bool *ret_published);

#endif
