/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file of the agent's disk cache: a VPC's whole state, or the host's ports, under a checksum.
 *
 * A file is written beside the one before and takes its place only when it is whole and on the disk; it is believed
 * only when its checksum, and of a VPC its digest, says that it is what was written. Written and read on the machine
 * that it is about, so numbers are in its own byte order. agent/cache.c writes, agent/restore.c reads.
 */
#ifndef AGENT_CACHEFILE_H
#define AGENT_CACHEFILE_H

#include "../proto/znode.h"

#define CACHEFILE_NAME_MAX 32

/* A VPC as the cache has it: what the kernel holds, and its settings. */
struct cached_vpc {
	struct vpc_state state;
	uint64_t quota;
	uint32_t flags;
	uint64_t time_ms; /* when it was written; set by reading */
};

/* "vpc-<vni>" into @buf (CACHEFILE_NAME_MAX), which is returned; and back: -EINVAL when it is no such name. */
char *cachefile_vpc_name(uint32_t vni, char *buf);
int cachefile_vpc_parse_name(const char *name, uint32_t *ret_vni);
/* Whether @name is a file's that was being written. */
bool cachefile_is_unfinished(const char *name);

/*
 * Blocking, for a thread that may wait for the disk. On failure the file before stays: -ENOSPC, -EIO...; -EBADMSG: the
 * state does not have its digest, and is not written.
 */
int cachefile_vpc_write(const char *dir, const struct cached_vpc *vpc, struct vpc_err *err);
/* @text: of vpc_host_ports_format(). @instance: of the module whose tables have had all of it. */
int cachefile_ports_write(const char *dir, const char *text, size_t len, uint64_t instance, struct vpc_err *err);

/*
 * -ENOENT: there is none. -EBADMSG: it is not what was written (cut short, changed), or another VPC's or host's.
 * -EPROTONOSUPPORT: by another version of the agent. @err names the file.
 */
int cachefile_vpc_read(const char *dir, uint32_t vni, struct cached_vpc *ret_vpc, struct vpc_err *err);
int cachefile_ports_read(const char *dir, const char *host, struct vpc_host_ports *ret_ports, uint64_t *ret_time_ms,
			 uint64_t *ret_instance, struct vpc_err *err);

#endif
