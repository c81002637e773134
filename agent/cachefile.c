// SPDX-License-Identifier: Apache-2.0
/*
 * Files of the disk cache; see cachefile.h.
 *
 * Layout: struct file_head, then the body. The checksum (BLAKE2b, 256 bits) covers the head before it and the body. A
 * VPC's body is struct vpc_body and its three arrays as they are in memory; ports' is the znode's JSON.
 */
#include "cachefile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include "../lib/digest.h"
#include "../lib/newfile.h"
#include "../lib/util.h"

#define FILE_MAGIC   "VPCCACHE"
#define FILE_VERSION 1
#define PORTS_NAME   "ports"
#define IOV_MAX_BODY 4

enum file_kind {
	FILE_PORTS = 1,
	FILE_VPC = 2,
};

/* Elements of another version of this program may have another size. */
struct file_head {
	char magic[8];
	uint32_t version, kind;
	uint64_t body_len, time_ms;
	uint64_t instance; /* of the module, for ports; 0: not told */
	uint8_t sum[32];
};

struct vpc_body {
	uint32_t vni, flags;
	uint64_t epoch, quota;
	struct vpc_digest digest;
	uint64_t n_nexthops, n_members, n_routes;
	uint32_t nexthop_size, member_size, route_size, zero;
};

char *cachefile_vpc_name(uint32_t vni, char *buf)
{
	snprintf(buf, CACHEFILE_NAME_MAX, "vpc-%u", vni);
	return buf;
}

int cachefile_vpc_parse_name(const char *name, uint32_t *ret_vni)
{
	char again[CACHEFILE_NAME_MAX];
	unsigned int vni;

	if (sscanf(name, "vpc-%8u", &vni) != 1 || strcmp(cachefile_vpc_name(vni, again), name))
		return -EINVAL;
	*ret_vni = vni;
	return 0;
}

bool cachefile_is_unfinished(const char *name)
{
	const char *end = strrchr(name, '.');

	return end && !strcmp(end, NEWFILE_SUFFIX);
}

static void file_sum(const struct file_head *head, const struct iovec *body, size_t n, uint8_t *ret_sum)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, sizeof(head->sum));
	crypto_generichash_update(&state, (const uint8_t *)head, offsetof(struct file_head, sum));
	for (size_t i = 0; i < n; i++)
		crypto_generichash_update(&state, body[i].iov_base, body[i].iov_len);
	crypto_generichash_final(&state, ret_sum, sizeof(head->sum));
}

/* -- writing ------------------------------------------------------------------------------------------------------- */

static int write_whole(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	while (len) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= n;
	}
	return 0;
}

struct content {
	const struct file_head *head;
	const struct iovec *body;
	size_t n;
};

static int write_content(int fd, void *arg)
{
	const struct content *content = arg;
	int res = write_whole(fd, content->head, sizeof(*content->head));

	for (size_t i = 0; !res && i < content->n; i++)
		res = write_whole(fd, content->body[i].iov_base, content->body[i].iov_len);
	return res;
}

static int file_write(const char *dir, const char *name, enum file_kind kind, uint64_t instance,
		      const struct iovec *body, size_t n, struct vpc_err *err)
{
	struct file_head head = {
		.magic = FILE_MAGIC, .version = FILE_VERSION, .kind = kind, .instance = instance
	};
	_cleanup_close_ int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct content content = { &head, body, n };
	int res;

	if (dir_fd < 0)
		return vpc_err_set(err, -errno, "%s: %s", dir, strerror(errno));
	head.time_ms = now_wall_ms();
	for (size_t i = 0; i < n; i++)
		head.body_len += body[i].iov_len;
	file_sum(&head, body, n, head.sum);
	res = newfile_write(dir_fd, name, 0600, write_content, &content);
	return res ? vpc_err_set(err, res, "%s/%s: %s", dir, name, strerror(-res)) : 0;
}

int cachefile_vpc_write(const char *dir, const struct cached_vpc *vpc, struct vpc_err *err)
{
	const struct vpc_state *state = &vpc->state;
	struct vpc_body body = {
		.vni = state->vni,
		.flags = vpc->flags,
		.epoch = state->epoch,
		.quota = vpc->quota,
		.digest = state->digest,
		.n_nexthops = state->n_nexthops,
		.n_members = state->n_members,
		.n_routes = state->n_routes,
		.nexthop_size = sizeof(*state->nexthops),
		.member_size = sizeof(*state->members),
		.route_size = sizeof(*state->routes),
	};
	const struct iovec parts[IOV_MAX_BODY] = {
		{ &body, sizeof(body) },
		{ state->nexthops, state->n_nexthops * sizeof(*state->nexthops) },
		{ state->members, state->n_members * sizeof(*state->members) },
		{ state->routes, state->n_routes * sizeof(*state->routes) },
	};
	struct vpc_digest digest = vpc_digest_of_state(state);
	char name[CACHEFILE_NAME_MAX];

	if (!vpc_digest_equal(&digest, &state->digest))
		return vpc_err_set(err, -EBADMSG, "VPC %u: its tables do not have its digest", state->vni);
	return file_write(dir, cachefile_vpc_name(state->vni, name), FILE_VPC, 0, parts, ARRAY_SIZE(parts), err);
}

int cachefile_ports_write(const char *dir, const char *text, size_t len, uint64_t instance, struct vpc_err *err)
{
	const struct iovec body = { (void *)text, len };

	return file_write(dir, PORTS_NAME, FILE_PORTS, instance, &body, 1, err);
}

/* -- reading ------------------------------------------------------------------------------------------------------- */

static int read_whole(int fd, char *data, size_t len)
{
	ssize_t n;

	while (len) {
		n = read(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EBADMSG;
		data += n;
		len -= n;
	}
	return 0;
}

static int head_check(const struct file_head *head, enum file_kind kind, off_t size)
{
	if (memcmp(head->magic, FILE_MAGIC, sizeof(head->magic)))
		return -EBADMSG;
	if (head->version != FILE_VERSION)
		return -EPROTONOSUPPORT;
	if (head->kind != kind || head->body_len != (uint64_t)size - sizeof(*head))
		return -EBADMSG;
	return 0;
}

/* The body, proven. @ret_body: free() it. */
static int file_read_fd(int fd, enum file_kind kind, struct file_head *ret_head, char **ret_body)
{
	_cleanup_free_ char *body = NULL;
	struct file_head head;
	uint8_t sum[sizeof(head.sum)];
	struct iovec part;
	struct stat st;
	int res;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(head))
		return -EBADMSG;
	res = read_whole(fd, (char *)&head, sizeof(head));
	if (!res)
		res = head_check(&head, kind, st.st_size);
	if (res)
		return res;
	body = malloc(head.body_len + 1);
	if (!body)
		return -ENOMEM;
	res = read_whole(fd, body, head.body_len);
	if (res)
		return res;
	part = (struct iovec){ body, head.body_len };
	file_sum(&head, &part, 1, sum);
	if (memcmp(sum, head.sum, sizeof(sum)))
		return -EBADMSG;
	*ret_head = head;
	*ret_body = body;
	body = NULL;
	return 0;
}

static int file_read(const char *dir, const char *name, enum file_kind kind, struct file_head *ret_head,
		     char **ret_body, struct vpc_err *err)
{
	char path[PATH_MAX];
	_cleanup_close_ int fd = -1;
	int res;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	res = fd < 0 ? -errno : file_read_fd(fd, kind, ret_head, ret_body);
	if (res == -EBADMSG)
		return vpc_err_set(err, res, "%s: damaged: its checksum or its length is wrong", path);
	if (res == -EPROTONOSUPPORT)
		return vpc_err_set(err, res, "%s: written by another version of vpc_agent", path);
	return res ? vpc_err_set(err, res, "%s: %s", path, strerror(-res)) : 0;
}

static int copy_out(const char **at, size_t *left, uint64_t n, size_t size, void *ret_array, size_t *ret_n,
		    size_t *ret_cap)
{
	void *copy;

	if (n > *left / size)
		return -EBADMSG;
	if (!n)
		return 0;
	copy = malloc(n * size);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, *at, n * size);
	*(void **)ret_array = copy;
	*ret_n = *ret_cap = n;
	*at += n * size;
	*left -= n * size;
	return 0;
}

/* The checksum was right, so what is wrong here was written so: by a bug, or by another version. */
static int vpc_parse(const char *data, size_t len, struct cached_vpc *vpc)
{
	struct vpc_state *s = &vpc->state;
	struct vpc_body body;
	struct vpc_digest digest;
	int res;

	if (len < sizeof(body))
		return -EBADMSG;
	memcpy(&body, data, sizeof(body));
	if (body.nexthop_size != sizeof(*s->nexthops) || body.member_size != sizeof(*s->members) ||
	    body.route_size != sizeof(*s->routes))
		return -EPROTONOSUPPORT;
	if (body.vni != s->vni)
		return -EBADMSG;
	s->epoch = body.epoch;
	s->digest = body.digest;
	vpc->quota = body.quota;
	vpc->flags = body.flags;
	data += sizeof(body);
	len -= sizeof(body);
	res = copy_out(&data, &len, body.n_nexthops, sizeof(*s->nexthops), &s->nexthops, &s->n_nexthops,
		       &s->cap_nexthops);
	if (!res)
		res = copy_out(&data, &len, body.n_members, sizeof(*s->members), &s->members, &s->n_members,
			       &s->cap_members);
	if (!res)
		res = copy_out(&data, &len, body.n_routes, sizeof(*s->routes), &s->routes, &s->n_routes,
			       &s->cap_routes);
	if (res || len)
		return res ?: -EBADMSG;
	digest = vpc_digest_of_state(s);
	if (!vpc_digest_equal(&digest, &s->digest) || vpc_state_sort(s, NULL) || vpc_state_check(s, NULL))
		return -EBADMSG;
	return 0;
}

int cachefile_vpc_read(const char *dir, uint32_t vni, struct cached_vpc *ret_vpc, struct vpc_err *err)
{
	_cleanup_free_ char *body = NULL;
	struct cached_vpc vpc = { .quota = 0 };
	char name[CACHEFILE_NAME_MAX];
	struct file_head head;
	int res;

	res = file_read(dir, cachefile_vpc_name(vni, name), FILE_VPC, &head, &body, err);
	if (res)
		return res;
	vpc_state_init(&vpc.state, vni);
	vpc.time_ms = head.time_ms;
	res = vpc_parse(body, head.body_len, &vpc);
	if (res) {
		vpc_state_clear(&vpc.state);
		return vpc_err_set(err, res, "%s/%s: %s", dir, name,
				   res == -EBADMSG ? "its content is not a VPC's, or not this one's" :
				   res == -ENOMEM  ? "out of memory" :
						     "written by another version of vpc_agent");
	}
	*ret_vpc = vpc;
	return 0;
}

int cachefile_ports_read(const char *dir, const char *host, struct vpc_host_ports *ret_ports, uint64_t *ret_time_ms,
			 uint64_t *ret_instance, struct vpc_err *err)
{
	_cleanup_free_ char *body = NULL;
	struct vpc_host_ports ports;
	struct file_head head;
	int res;

	res = file_read(dir, PORTS_NAME, FILE_PORTS, &head, &body, err);
	if (res)
		return res;
	res = vpc_host_ports_parse(body, head.body_len, &ports, err);
	if (res)
		return vpc_err_prefix(err, -EBADMSG, "%s/%s", dir, PORTS_NAME);
	if (strcmp(ports.host, host)) {
		res = vpc_err_set(err, -EBADMSG, "%s/%s: is of host '%s', not '%s'", dir, PORTS_NAME, ports.host, host);
		vpc_host_ports_clear(&ports);
		return res;
	}
	*ret_ports = ports;
	*ret_time_ms = head.time_ms;
	*ret_instance = head.instance;
	return 0;
}
