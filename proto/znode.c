// SPDX-License-Identifier: Apache-2.0
/*
 * Codec of znodes, the small ones: paths, fence and HEAD. The publisher writes them, the agents, vpc_reconcile and
 * vpcctl read them. A VPC's content is in znode_vpc.c, a host's nodes in znode_host.c.
 */
#include "znode.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../lib/util.h"
#include "json.h"

char *vpc_path_vpc(uint32_t vni, char *buf)
{
	snprintf(buf, VPC_ZNODE_PATH_MAX, VPC_ZNODE_ROOT "/vpcs/%02x/%" PRIu32, vni & 0xff, vni);
	return buf;
}

char *vpc_path_snapshot(uint32_t vni, uint64_t epoch, char *buf)
{
	snprintf(buf, VPC_ZNODE_PATH_MAX, VPC_ZNODE_ROOT "/vpcs/%02x/%" PRIu32 "/s%" PRIu64, vni & 0xff, vni, epoch);
	return buf;
}

char *vpc_path_chunk(uint32_t vni, uint64_t epoch, uint32_t chunk, char *buf)
{
	snprintf(buf, VPC_ZNODE_PATH_MAX, VPC_ZNODE_ROOT "/vpcs/%02x/%" PRIu32 "/s%" PRIu64 "/c%03" PRIu32, vni & 0xff,
		 vni, epoch, chunk);
	return buf;
}

char *vpc_path_delta(uint32_t vni, uint64_t epoch, char *buf)
{
	snprintf(buf, VPC_ZNODE_PATH_MAX, VPC_ZNODE_ROOT "/vpcs/%02x/%" PRIu32 "/l%" PRIu64, vni & 0xff, vni, epoch);
	return buf;
}

char *vpc_path_host(const char *host, const char *leaf, char *buf)
{
	snprintf(buf, VPC_ZNODE_PATH_MAX, VPC_ZNODE_ROOT "/hosts/%02x/%s%s%s", fnv1a(host, strlen(host)) & 0xff, host,
		 leaf ? "/" : "", leaf ? leaf : "");
	return buf;
}

bool vpc_host_name_valid(const char *host)
{
	size_t i;

	if (!isascii(host[0]) || !isalnum(host[0]))
		return false;
	for (i = 1; host[i]; i++)
		if (!isascii(host[i]) || (!isalnum(host[i]) && !strchr("-_.", host[i])))
			return false;
	return i <= VPC_HOST_NAME_MAX;
}

int vpc_fence_format(const struct vpc_fence *fence, char **ret, size_t *ret_len)
{
	struct json_writer w;

	vpc_json_init(&w, VPC_ZNODE_FENCE_MAX);
	vpc_json_raw(&w, "{\"v\":1,\"term\":");
	vpc_json_u64(&w, fence->term);
	vpc_json_raw(&w, ",\"publisher\":");
	vpc_json_string(&w, fence->publisher);
	vpc_json_raw(&w, "}");
	return vpc_json_finish(&w, ret, ret_len);
}

int vpc_fence_parse(const char *data, size_t len, struct vpc_fence *ret, struct vpc_err *err)
{
	_cleanup_json_ json_object *obj = NULL;
	struct vpc_fence fence = {};
	int r;

	r = vpc_json_parse(data, len, VPC_ZNODE_FENCE_MAX, &obj, err);
	if (!r)
		r = vpc_json_get_u64(obj, NULL, "term", 0, INT64_MAX, &fence.term, err);
	if (!r)
		r = vpc_json_get_string(obj, NULL, "publisher", 1, sizeof(fence.publisher), fence.publisher, err);
	if (!r)
		*ret = fence;
	return r;
}

static size_t last_size(const struct vpc_last *last)
{
	size_t size = 0;

	for (size_t i = 0; i < last->n; i++)
		size += last->len[i] + 1;
	return size;
}

void vpc_last_push(struct vpc_last *last, const char *delta)
{
	size_t len = strlen(delta), used = last_size(last);

	/* Each with a comma, or the NUL, behind it. */
	while (last->n && (last->n == VPC_LAST_MAX || used + len + 1 > sizeof(last->text))) {
		used -= last->len[0] + 1;
		memmove(last->text, last->text + last->len[0] + 1, used);
		memmove(last->len, last->len + 1, --last->n * sizeof(*last->len));
	}
	if (len + 1 > sizeof(last->text))
		return;
	if (used)
		last->text[used - 1] = ',';
	strcpy(last->text + used, delta);
	last->len[last->n++] = len;
}

int vpc_head_format(const struct vpc_head *head, char **ret, size_t *ret_len)
{
	return vpc_head_format_last(head, NULL, ret, ret_len);
}

int vpc_head_format_last(const struct vpc_head *head, const struct vpc_last *last, char **ret, size_t *ret_len)
{
	struct json_writer w;

	vpc_json_init(&w, VPC_ZNODE_HEAD_MAX);
	vpc_json_raw(&w, "{\"v\":1,\"vni\":");
	vpc_json_u64(&w, head->vni);
	vpc_json_raw(&w, ",\"epoch\":");
	vpc_json_u64(&w, head->epoch);
	vpc_json_raw(&w, ",\"snapshot\":");
	vpc_json_u64(&w, head->snapshot);
	vpc_json_raw(&w, ",\"chunks\":");
	vpc_json_u64(&w, head->chunks);
	vpc_json_raw(&w, ",\"oldest\":");
	vpc_json_u64(&w, head->oldest);
	vpc_json_raw(&w, ",\"digest\":");
	vpc_json_digest(&w, &head->digest);
	vpc_json_raw(&w, ",\"snapshot_digest\":");
	vpc_json_digest(&w, &head->snapshot_digest);
	vpc_json_raw(&w, ",\"change\":");
	vpc_json_string(&w, head->change);
	vpc_json_raw(&w, ",\"time\":");
	vpc_json_u64(&w, head->time_ms);
	vpc_json_raw(&w, ",\"quota\":");
	vpc_json_u64(&w, head->quota);
	if (head->has_flags) {
		vpc_json_raw(&w, ",\"flags\":");
		vpc_json_u64(&w, head->flags);
	}
	if (last && last->n) {
		vpc_json_raw(&w, ",\"last\":[");
		vpc_json_raw(&w, last->text);
		vpc_json_raw(&w, "]");
	}
	vpc_json_raw(&w, "}");
	return vpc_json_finish(&w, ret, ret_len);
}

/* Snapshot and deltas must reach @epoch without a hole. */
static int check_head(const struct vpc_head *head, struct vpc_err *err)
{
	if (head->snapshot > head->epoch)
		return vpc_err_set(err, -EINVAL, "snapshot: %" PRIu64 " is ahead of epoch %" PRIu64, head->snapshot,
				   head->epoch);
	if (head->oldest > head->snapshot + 1)
		return vpc_err_set(err, -EINVAL, "oldest: %" PRIu64 " leaves a hole behind snapshot %" PRIu64,
				   head->oldest, head->snapshot);
	return 0;
}

int vpc_head_parse(const char *data, size_t len, struct vpc_head *ret, struct vpc_err *err)
{
	_cleanup_json_ json_object *obj = NULL;
	struct vpc_head head = {};
	int r;

	r = vpc_json_parse(data, len, VPC_ZNODE_HEAD_MAX, &obj, err);
	if (!r)
		r = vpc_json_get_u32(obj, NULL, "vni", 1, VPC_VNI_MAX, &head.vni, err);
	if (!r)
		r = vpc_json_get_u64(obj, NULL, "epoch", 0, INT64_MAX - 1, &head.epoch, err);
	if (!r)
		r = vpc_json_get_u64(obj, NULL, "snapshot", 0, INT64_MAX - 1, &head.snapshot, err);
	if (!r)
		r = vpc_json_get_u32(obj, NULL, "chunks", 0, VPC_ZNODE_CHUNKS_MAX, &head.chunks, err);
	if (!r)
		r = vpc_json_get_u64(obj, NULL, "oldest", 1, INT64_MAX, &head.oldest, err);
	if (!r)
		r = vpc_json_get_digest(obj, NULL, "digest", &head.digest, err);
	if (!r)
		r = vpc_json_get_digest(obj, NULL, "snapshot_digest", &head.snapshot_digest, err);
	if (!r)
		r = vpc_json_get_string(obj, NULL, "change", 0, sizeof(head.change), head.change, err);
	if (!r)
		r = vpc_json_get_u64(obj, NULL, "time", 0, INT64_MAX, &head.time_ms, err);
	if (!r)
		r = vpc_json_get_u64(obj, NULL, "quota", 0, INT64_MAX, &head.quota, err);
	head.has_flags = !r && json_object_object_get_ex(obj, "flags", NULL);
	if (head.has_flags)
		r = vpc_json_get_u32(obj, NULL, "flags", 0, UINT32_MAX, &head.flags, err);
	if (!r && head.flags & ~__VPC_F_ALL)
		r = vpc_err_set(err, -EINVAL, "flags: 0x%x has flags that this program does not know", head.flags);
	if (!r)
		r = check_head(&head, err);
	if (!r)
		*ret = head;
	return r;
}
