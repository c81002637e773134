/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's link to vpc.ko: sockets for commands, for dumps and for events in the host's namespace, opened again
 * when the module was removed, inserted or replaced under us.
 *
 * Which module answers is told by its instance number, looked at every two seconds and after every failed call.
 */
#ifndef AGENT_KLINK_H
#define AGENT_KLINK_H

#include <systemd/sd-event.h>
#include "../lib/kernel.h"

struct klink;

struct klink_ops {
	void (*up)(void *arg); /* also after events were lost: compare everything again */
	void (*down)(void *arg);
	void (*event)(const struct kernel_event *event, void *arg);
};

/* Opens the sockets at once: -ENOENT when there is no module. No callback before the loop runs. @netns: or NULL. */
int klink_new(sd_event *event, const char *netns, const struct klink_ops *ops, void *arg, struct klink **ret_link,
	      struct vpc_err *err);
void klink_free(struct klink *l);

struct kernel *klink_kernel(struct klink *l); /* for commands; NULL while it is down */
/* For dumps of whole VPCs: one that was given up halfway does not stand in a command's way. NULL while it is down. */
struct kernel *klink_dump(struct klink *l);
uint64_t klink_instance(const struct klink *l); /* 0 while it is down */
const char *klink_version(const struct klink *l);
/* A call failed: is it still the module that we knew? Goes down, and up again later, when it is not. */
void klink_check(struct klink *l);

#endif
