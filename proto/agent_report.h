/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What vpc_agent says about itself on its Unix socket, RUN_DIR/HOST.sock: whoever connects is sent one JSON document,
 * and the connection is closed. Nothing is asked.
 *
 * Written by agent/report.c, read by `vpcctl agent status` (ctl/agent_cmd.c). Unknown members are ignored by readers.
 */
#ifndef VPC_AGENT_REPORT_H
#define VPC_AGENT_REPORT_H

#include "znode.h"

#define VPC_AGENT_REPORT_MAX (64U * 1024 * 1024)
#define VPC_AGENT_REASON_MAX 255

struct vpc_agent_report_vpc {
	uint32_t vni;
	bool known, has_head; /* false: @epoch, @head are 0 */
	uint64_t epoch, head; /* the kernel's, ZooKeeper's */
	uint64_t behind_ms; /* for how long it has not been at HEAD; 0: it is there */
	char reason[VPC_AGENT_REASON_MAX + 1]; /* "": nothing is wrong */
};

struct vpc_agent_report {
	char host[VPC_HOST_NAME_MAX + 1];
	char version[32];
	uint32_t pid;
	char state[16]; /* connecting, syncing, live, isolated */
	uint64_t state_ms; /* for how long */
	char zookeeper[256];
	char module[32]; /* version; "": it is not there */
	uint64_t instance;
	uint64_t revision, reached; /* of `ports`: read, in the kernel; 0: none */
	uint64_t n_ports;
	uint64_t restored_ms, restored_vpcs, restored_ports; /* from the cache of that time (1970); 0: nothing */
	char reason[VPC_AGENT_REASON_MAX + 1]; /* why @reached is behind; "": nothing is wrong */
	struct vpc_agent_report_vpc *vpcs; /* owned, ascending */
	size_t n_vpcs;
};

/* As the formatters and parsers of proto/znode.h. Characters that JSON in znodes cannot have become '?'. */
int vpc_agent_report_format(const struct vpc_agent_report *report, char **ret, size_t *ret_len);
int vpc_agent_report_parse(const char *data, size_t len, struct vpc_agent_report *ret, struct vpc_err *err);
void vpc_agent_report_clear(struct vpc_agent_report *report);

#endif
