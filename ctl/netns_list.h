/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every network namespace of this machine that can be reached: our own, those of processes, those that have a name, and
 * those that a process holds open.
 */
#ifndef VPC_NETNS_LIST_H
#define VPC_NETNS_LIST_H

#include <stddef.h>
#include <sys/types.h>
#include "../lib/err.h"

/* @fd keeps it alive; @path opens it, from this process; @name: for messages. */
struct netns {
	ino_t ino;
	int fd;
	char path[32];
	char name[64];
};

/* netns_list_free() it. Each once. */
int netns_list(struct netns **ret_list, size_t *ret_n, struct vpc_err *err);
void netns_list_free(struct netns *list, size_t n);

#endif
