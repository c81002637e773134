/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codec of every znode (proto/zookeeper.md): paths, and JSON <-> model. No I/O. Parsers refuse what they do not
 * understand with one line naming the field; they never return half a result. Sizes are bounded before anything is
 * parsed.
 */
#ifndef VPC_ZNODE_H
#define VPC_ZNODE_H

#include "../lib/model.h"

#define VPC_ZNODE_VERSION	1
#define VPC_ZNODE_ROOT		"/vpc/v1"
#define VPC_ZNODE_FENCE		VPC_ZNODE_ROOT "/fence"
#define VPC_ZNODE_ELECTION	VPC_ZNODE_ROOT "/election"
#define VPC_ZNODE_COMPARE	VPC_ZNODE_ROOT "/compare"
#define VPC_HOST_NAME_MAX	63
#define VPC_ZNODE_PATH_MAX	256
#define VPC_ZNODE_HEAD_MAX	(4 * 1024)
#define VPC_ZNODE_CHUNK_MAX	(256 * 1024)
#define VPC_ZNODE_DELTA_MAX	(64 * 1024)
#define VPC_ZNODE_PORTS_MAX	(512 * 1024)
#define VPC_ZNODE_STATUS_MAX	(512 * 1024)
#define VPC_ZNODE_FENCE_MAX	1024
#define VPC_ZNODE_ALIVE_MAX	1024
#define VPC_ZNODE_CHUNKS_MAX	4096U		/* of one snapshot, 1 GiB */

struct vpc_fence {
	uint64_t term;
	char publisher[128];
};

struct vpc_head {
	uint32_t vni;
	uint64_t epoch;		/* current */
	uint64_t snapshot;	/* epoch of the snapshot that can be read */
	uint32_t chunks;	/* of that snapshot */
	uint64_t oldest;	/* l<oldest>..l<epoch> are all there; oldest == epoch + 1: none */
	struct vpc_digest digest;	/* at @epoch */
	struct vpc_digest snapshot_digest;
	char change[VPC_CHANGE_MAX + 1];
	uint64_t time_ms;	/* wall clock of the publisher */
	uint64_t quota;
	bool has_flags;		/* false: from a publisher that does not know of them */
	uint32_t flags;		/* VPC_F_* */
};

/* The newest deltas up to HEAD's, in HEAD itself, as text: "{..},{..}". */
#define VPC_LAST_BYTES	3400
#define VPC_LAST_MAX	16
struct vpc_last {
	char text[VPC_LAST_BYTES];
	size_t n, len[VPC_LAST_MAX];
};

struct vpc_host_ports {
	char host[VPC_HOST_NAME_MAX + 1];
	uint64_t revision;
	struct vpc_addr vtep4, vtep6;	/* family 0: none; one at least */
	uint16_t udp_port;
	struct vpc_port *ports;	/* owned */
	size_t n_ports;
	uint32_t *vpcs;		/* owned: VPCs without a port here that its ports' VPCs are peers of; ascending */
	size_t n_vpcs;
};

struct vpc_host_status {
	char host[VPC_HOST_NAME_MAX + 1];
	char boot_id[40];
	uint64_t instance;	/* of the module */
	uint64_t revision;	/* of ports, applied */
	uint64_t time_ms;
	struct vpc_status_vpc {
		uint32_t vni;
		uint64_t epoch;
		struct vpc_digest digest;
	} *vpcs;		/* owned */
	size_t n_vpcs;
	/* What was applied last, oldest first, at most VPC_STATUS_RECENT_MAX: for `vpcctl trace`. */
	struct vpc_status_change {
		uint32_t vni;
		uint64_t base, epoch;	/* from one to the other, in one transaction */
		char change[VPC_CHANGE_MAX + 1];	/* that ended in @epoch; "" when not known */
		uint64_t seen_ms;	/* HEAD with it, or past it, was read; this host's wall clock */
		uint64_t applied_ms;	/* the kernel has committed it */
	} *recent;		/* owned */
	size_t n_recent;
};
#define VPC_STATUS_RECENT_MAX	64

/* Who made the ephemeral `alive`: one host is known by its boot and its network namespace. */
struct vpc_alive {
	char boot_id[40];
	uint64_t netns;		/* inode */
	char token[17];		/* of the process, random */
	char node[65];		/* the machine's host name, for people */
	uint32_t pid;
};

/* Paths into @buf of VPC_ZNODE_PATH_MAX, which is returned. */
char *vpc_path_vpc(uint32_t vni, char *buf);
char *vpc_path_snapshot(uint32_t vni, uint64_t epoch, char *buf);
char *vpc_path_chunk(uint32_t vni, uint64_t epoch, uint32_t chunk, char *buf);
char *vpc_path_delta(uint32_t vni, uint64_t epoch, char *buf);
char *vpc_path_host(const char *host, const char *leaf, char *buf);	/* leaf: "ports", "status", "alive", NULL */

bool vpc_host_name_valid(const char *host);	/* 1..63 letters, digits, '-', '_', '.'; first a letter or digit */

/*
 * Formatters: *ret is malloc()ed, NUL-terminated. -ENOMEM, -E2BIG past the node's limit, -EINVAL for what cannot be
 * said (a number past 2^63-1, a string that is not printable ASCII).
 * Parsers: @data needs no NUL. -EINVAL, -E2BIG past the node's limit, -EPROTONOSUPPORT for another format version,
 * -ENOMEM; @err names the member ("routes.set[17]: ..."), the caller prefixes the node's path. Unknown members are
 * ignored.
 */
int vpc_fence_format(const struct vpc_fence *fence, char **ret, size_t *ret_len);
int vpc_fence_parse(const char *data, size_t len, struct vpc_fence *ret, struct vpc_err *err);

int vpc_head_format(const struct vpc_head *head, char **ret, size_t *ret_len);
int vpc_head_parse(const char *data, size_t len, struct vpc_head *ret, struct vpc_err *err);
/* The same with @last in it; NULL: without. */
int vpc_head_format_last(const struct vpc_head *head, const struct vpc_last *last, char **ret, size_t *ret_len);
/* One more, as vpc_delta_format() made it: the oldest make room; none is left when it is too large itself. */
void vpc_last_push(struct vpc_last *last, const char *delta);
/* What a HEAD has; nothing when it has none, or anything is wrong with them. */
void vpc_last_parse(const char *data, size_t len, struct vpc_last *ret);
/*
 * The deltas past @epoch in a HEAD that has been parsed, in their order; none: *ret_n is 0. Each is to be cleared, and
 * *ret freed, by the caller. Errors as vpc_delta_parse()'s, of any of them.
 */
int vpc_head_last(const char *data, size_t len, uint64_t epoch, struct vpc_delta **ret, size_t *ret_n,
		  struct vpc_err *err);

/*
 * Chunk number @chunk holds nexthops from *pos on, then members, then routes; *pos counts all and is moved. At the end
 * *pos == n_nexthops + n_members + n_routes. An empty state has no chunks, or one that is empty.
 */
int vpc_chunk_format(const struct vpc_state *state, uint32_t chunk, size_t *pos, char **ret, size_t *ret_len);
/*
 * Appends to @state; checks vni, epoch and number against it, and that the chunk is sorted and nothing in it twice.
 * @state is unchanged on failure. Chunks may come in any order: the caller runs vpc_state_sort() and vpc_state_check()
 * after the last.
 */
int vpc_chunk_parse(const char *data, size_t len, uint32_t chunk, struct vpc_state *state, struct vpc_err *err);

int vpc_delta_format(const struct vpc_delta *delta, char **ret, size_t *ret_len);	/* -E2BIG: publish a snapshot */
/* An element named twice is refused. */
int vpc_delta_parse(const char *data, size_t len, struct vpc_delta *ret, struct vpc_err *err);

int vpc_host_ports_format(const struct vpc_host_ports *ports, char **ret, size_t *ret_len);
int vpc_host_ports_parse(const char *data, size_t len, struct vpc_host_ports *ret, struct vpc_err *err);
void vpc_host_ports_clear(struct vpc_host_ports *ports);

int vpc_host_status_format(const struct vpc_host_status *status, char **ret, size_t *ret_len);
int vpc_host_status_parse(const char *data, size_t len, struct vpc_host_status *ret, struct vpc_err *err);
void vpc_host_status_clear(struct vpc_host_status *status);

int vpc_alive_format(const struct vpc_alive *alive, char **ret, size_t *ret_len);
int vpc_alive_parse(const char *data, size_t len, struct vpc_alive *ret, struct vpc_err *err);

#endif
