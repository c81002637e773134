/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file of all commands, INI (libinih): sections [zookeeper], [cdb], [agent], [publisher],
 * [reconcile], [log]. One table of known keys with their types; an unknown section or key, a value that does not parse:
 * one error naming file, line and key.
 */
#ifndef VPC_CONFIG_H
#define VPC_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include "err.h"

#define VPC_CONFIG_PATH "/etc/vpc/vpc.conf"

struct vpc_config {
	/* [zookeeper] */
	char *zk_hosts; /* hosts = 127.0.0.1:2181,... */
	unsigned int zk_session_ms; /* session_timeout_ms = 10000 */
	char *zk_credential_file; /* credential_file = PATH (lib/zk_auth.h); NULL: none */
	char *zk_old_credential_file; /* old_credential_file = PATH: the publisher's before, while it is replaced */
	/* [cdb] */
	char *cdb_host; /* host = 127.0.0.1 */
	unsigned int cdb_port; /* port = 3306 */
	char *cdb_socket; /* socket = PATH; wins over host. NULL: none */
	char *cdb_user, *cdb_password, *cdb_database; /* database = vpc; user and password NULL: none */
	unsigned int cdb_timeout_s; /* timeout_s = 10 */
	/* [agent] */
	char *host; /* name = NAME in CDB; the machine's host name by default */
	bool load_module; /* load_module = no: insert vpc.ko when it is absent */
	unsigned int status_interval_s; /* status_interval_s = 60 */
	unsigned int metrics_port; /* metrics_port = 9469 on loopback; 0: none */
	bool cache; /* cache = yes */
	char *state_dir; /* state_dir = /var/lib/vpc: the disk cache. NULL (tests): none */
	char *run_dir; /* run_dir = /run/vpc: the socket for vpcctl. NULL (tests): none */
	/* [publisher] */
	unsigned int poll_ms; /* poll_ms = 30: between two looks into an empty outbox */
	unsigned int publisher_session_ms; /* session_timeout_ms = 4000: silent for so long, another one takes over */
	unsigned int publisher_cdb_timeout_s; /* cdb_timeout_s = 6: in place of a longer one of [cdb] */
	unsigned int sweep_s; /* sweep_s = 600: from one comparison of everything to the next; 0: none */
	unsigned int sweep_per_s; /* sweep_per_s = 500: VPCs and hosts a second at most */
	unsigned int sweep_kib_per_s; /* sweep_kib_per_s = 1024: of snapshots and deltas; 0: they are not read */
	/* [reconcile] */
	unsigned int reconcile_metrics_port; /* metrics_port = 0 on loopback, of a watch; 0: none */
	/* [log] */
	int log_level; /* level = info */
};

/* @path NULL: VPC_CONFIG_PATH when it exists, defaults otherwise. -EINVAL, -ENOENT... with a text. */
int vpc_config_load(const char *path, struct vpc_config *ret_config, struct vpc_err *err);
void vpc_config_clear(struct vpc_config *config);

#endif
