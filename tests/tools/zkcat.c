// SPDX-License-Identifier: Apache-2.0
/*
 * A reader for tests: looks into ZooKeeper as an agent does, and says what it finds. The servers come from
 * VPC_ZK_HOSTS; it is the user whose credential file is VPC_ZK_CREDENTIAL, if any.
 *
 *   zkcat get PATH          the node's data
 *   zkcat ls PATH           its children, sorted
 *   zkcat version PATH      its version
 *   zkcat put PATH DATA     create it, or replace its data
 *   zkcat create PATH DATA  create it, of version 0
 *   zkcat rm PATH           delete it
 *   zkcat state VNI         snapshot and deltas from HEAD put together, digests checked at each step; one line of JSON
 *   zkcat log FIRST N       the same of N VPCs, and no delta was written twice: lines "VNI EPOCH DIGEST"
 *   zkcat heads FIRST N     looks at the HEADs until standard input ends, and prints such a line for each that it
 *                           sees; 3 when an epoch went back
 *
 * Exit status: 0, 1 usage or no answer, 2 no such node, 3 what is there does not fit together.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/digest.h"
#include "../../lib/util.h"
#include "../../lib/zk.h"
#include "../../lib/zk_auth.h"
#include "../../proto/znode.h"

#define TIMEOUT_MS 10000

static struct zk *zk;

static int failed(const char *path, int r)
{
	fprintf(stderr, "zkcat: %s: %s\n", path, zk_strerror(r));
	return r == -ENOENT ? 2 : 1;
}

static int bad(const char *path, const char *text)
{
	fprintf(stderr, "zkcat: %s: %s\n", path, text);
	return 3;
}

static int get(const char *path, bool version)
{
	_cleanup_free_ char *data = NULL;
	size_t len;
	int r, v;

	r = zk_get_wait(zk, path, TIMEOUT_MS, &data, &len, &v);
	if (r)
		return failed(path, r);
	if (version)
		printf("%d\n", v);
	else
		printf("%s\n", data);
	return 0;
}

static int cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list(const char *path)
{
	char **names;
	size_t i, n;
	int r;

	r = zk_children_wait(zk, path, TIMEOUT_MS, &names, &n);
	if (r)
		return failed(path, r);
	qsort(names, n, sizeof(*names), cmp);
	for (i = 0; i < n; i++)
		puts(names[i]);
	zk_names_free(names, n);
	return 0;
}

static int put(const char *path, const char *data)
{
	struct zk_op op = { .type = ZK_OP_SET, .path = path, .data = data, .len = strlen(data), .version = -1 };
	int r;

	r = zk_mkpath_wait(zk, path, TIMEOUT_MS);
	if (!r)
		r = zk_multi_wait(zk, &op, 1, TIMEOUT_MS, NULL);
	return r ? failed(path, r) : 0;
}

static int create(const char *path, const char *data)
{
	struct zk_op op = { .type = ZK_OP_CREATE, .path = path, .data = data, .len = strlen(data) };
	_cleanup_free_ char *parent = strdup(path);
	int r;

	*strrchr(parent, '/') = '\0';
	r = zk_mkpath_wait(zk, parent, TIMEOUT_MS);
	if (!r)
		r = zk_multi_wait(zk, &op, 1, TIMEOUT_MS, NULL);
	return r ? failed(path, r) : 0;
}

static int rm(const char *path)
{
	struct zk_op op = { .type = ZK_OP_DELETE, .path = path, .version = -1 };
	int r = zk_multi_wait(zk, &op, 1, TIMEOUT_MS, NULL);

	return r ? failed(path, r) : 0;
}

/* Who may do what there, an entry a line. */
static int show_access(const char *path)
{
	char **names;
	size_t n;
	int r = zk_access_wait(zk, path, TIMEOUT_MS, &names, &n);

	if (r)
		return failed(path, r);
	for (size_t i = 0; i < n; i++)
		puts(names[i]);
	zk_names_free(names, n);
	return 0;
}

/* All of it to us and to who has @credential, and reading to everybody. */
static int grant(const char *path, const char *credential)
{
	char id[ZK_ID_MAX];
	const char *const who[] = { id, NULL };
	int r;

	zk_credential_id(credential, id);
	r = zk_grant_wait(zk, path, who, true, TIMEOUT_MS);
	return r ? failed(path, r) : 0;
}

static int read_snapshot(const struct vpc_head *head, struct vpc_state *state)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct vpc_err err;
	uint32_t chunk;
	int r;

	vpc_state_init(state, head->vni);
	state->epoch = head->snapshot;
	for (chunk = 0; chunk < head->chunks; chunk++) {
		_cleanup_free_ char *data = NULL;
		size_t len;

		vpc_path_chunk(head->vni, head->snapshot, chunk, path);
		r = zk_get_wait(zk, path, TIMEOUT_MS, &data, &len, NULL);
		if (r)
			return failed(path, r);
		if (vpc_chunk_parse(data, len, chunk, state, &err))
			return bad(path, err.text);
	}
	vpc_path_snapshot(head->vni, head->snapshot, path);
	if (vpc_state_sort(state, &err) || vpc_state_check(state, &err))
		return bad(path, err.text);
	state->digest = vpc_digest_of_state(state);
	if (!vpc_digest_equal(&state->digest, &head->snapshot_digest))
		return bad(path, "the digest is not the one that HEAD names");
	return 0;
}

static int read_delta(uint32_t vni, uint64_t epoch, struct vpc_delta *ret_delta)
{
	_cleanup_free_ char *data = NULL;
	char path[VPC_ZNODE_PATH_MAX];
	struct vpc_err err;
	int r, version;
	size_t len;

	vpc_path_delta(vni, epoch, path);
	r = zk_get_wait(zk, path, TIMEOUT_MS, &data, &len, &version);
	if (r)
		return failed(path, r);
	if (version)
		return bad(path, "it was written twice");
	return vpc_delta_parse(data, len, ret_delta, &err) ? bad(path, err.text) : 0;
}

/* The deltas behind the state, one by one. */
static int apply_deltas(const struct vpc_head *head, struct vpc_state *state)
{
	char path[VPC_ZNODE_PATH_MAX];
	struct vpc_digest digest;
	struct vpc_delta delta;
	struct vpc_err err = {};
	int r;

	while (state->epoch < head->epoch) {
		vpc_path_delta(head->vni, state->epoch + 1, path);
		r = read_delta(head->vni, state->epoch + 1, &delta);
		if (r)
			return r;
		r = vpc_state_apply(state, &delta, &err);
		digest = vpc_digest_of_state(state);
		if (!r && !vpc_digest_equal(&digest, &delta.digest)) {
			vpc_err_set(&err, -EBADMSG, "applied, the digest is not the delta's");
			r = -EBADMSG;
		}
		vpc_delta_clear(&delta);
		if (r)
			return bad(path, err.text);
	}
	return 0;
}

/* Every delta that HEAD offers is there and follows the one before. */
static int check_log(const struct vpc_head *head, bool print)
{
	char digest[VPC_DIGEST_STRLEN];
	char path[VPC_ZNODE_PATH_MAX];
	struct vpc_delta delta;
	uint64_t epoch;
	bool fits;
	int r;

	for (epoch = head->oldest; epoch <= head->epoch; epoch++) {
		r = read_delta(head->vni, epoch, &delta);
		if (r)
			return r;
		if (print)
			printf("%" PRIu32 " %" PRIu64 " %s\n", head->vni, epoch,
			       vpc_digest_format(&delta.digest, digest));
		fits = delta.vni == head->vni && delta.base == epoch - 1 && delta.epoch == epoch;
		vpc_delta_clear(&delta);
		if (!fits)
			return bad(vpc_path_delta(head->vni, epoch, path), "it is another VPC's or epoch's");
	}
	return 0;
}

static int read_head(uint32_t vni, struct vpc_head *ret_head)
{
	char path[VPC_ZNODE_PATH_MAX];
	_cleanup_free_ char *data = NULL;
	struct vpc_err err;
	size_t len;
	int r;

	vpc_path_vpc(vni, path);
	r = zk_get_wait(zk, path, TIMEOUT_MS, &data, &len, NULL);
	if (r)
		return failed(path, r);
	return vpc_head_parse(data, len, ret_head, &err) ? bad(path, err.text) : 0;
}

static void print_head(const struct vpc_head *head)
{
	char digest[VPC_DIGEST_STRLEN];

	printf("%" PRIu32 " %" PRIu64 " %s\n", head->vni, head->epoch, vpc_digest_format(&head->digest, digest));
}

/* Until standard input ends. */
static int heads(uint32_t first, uint32_t n)
{
	_cleanup_free_ uint64_t *seen = calloc(n, sizeof(*seen));
	struct pollfd input = { .events = POLLIN };
	struct vpc_head head;
	uint32_t i;
	int r = 0;

	while (seen && !r && !poll(&input, 1, 20))
		for (i = 0; i < n && !r; i++) {
			r = read_head(first + i, &head);
			if (r || head.epoch == seen[i])
				continue;
			print_head(&head);
			if (head.epoch < seen[i])
				r = bad("HEAD", "its epoch went back");
			seen[i] = head.epoch;
		}
	return r;
}

static int state(uint32_t vni, bool log)
{
	_cleanup_(vpc_state_clear) struct vpc_state state = {};
	char path[VPC_ZNODE_PATH_MAX], digest[VPC_DIGEST_STRLEN];
	struct vpc_head head;
	int r;

	r = read_head(vni, &head);
	if (!r)
		r = read_snapshot(&head, &state);
	if (!r)
		r = apply_deltas(&head, &state);
	if (!r)
		r = check_log(&head, log);
	if (r)
		return r;
	state.digest = vpc_digest_of_state(&state);
	if (!vpc_digest_equal(&state.digest, &head.digest))
		return bad(vpc_path_vpc(vni, path), "HEAD's digest is not that of snapshot and deltas");
	if (log) {
		print_head(&head);
		return 0;
	}
	printf("{\"vni\":%" PRIu32 ",\"epoch\":%" PRIu64 ",\"digest\":\"%s\",\"snapshot\":%" PRIu64
	       ",\"chunks\":%" PRIu32 ",\"oldest\":%" PRIu64 ",\"nexthops\":%zu,\"routes\":%zu}\n",
	       vni, head.epoch, vpc_digest_format(&head.digest, digest), head.snapshot, head.chunks, head.oldest,
	       state.n_nexthops, state.n_routes);
	return 0;
}

static int run(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "get"))
		return get(argv[2], false);
	if (argc == 3 && !strcmp(argv[1], "version"))
		return get(argv[2], true);
	if (argc == 3 && !strcmp(argv[1], "ls"))
		return list(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "put"))
		return put(argv[2], argv[3]);
	if (argc == 4 && !strcmp(argv[1], "create"))
		return create(argv[2], argv[3]);
	if (argc == 3 && !strcmp(argv[1], "rm"))
		return rm(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "access"))
		return show_access(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "grant"))
		return grant(argv[2], argv[3]);
	if (argc == 3 && !strcmp(argv[1], "state"))
		return state(strtoul(argv[2], NULL, 10), false);
	if (argc == 4 && !strcmp(argv[1], "log")) {
		uint32_t vni = strtoul(argv[2], NULL, 10), last = vni + strtoul(argv[3], NULL, 10);
		int r = 0;

		for (; vni < last && !r; vni++)
			r = state(vni, true);
		return r;
	}
	if (argc == 4 && !strcmp(argv[1], "heads"))
		return heads(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
	fputs("usage: zkcat get|version|ls|rm|access PATH, put PATH DATA, grant PATH CREDENTIAL, state VNI,\n"
	      "       log|heads FIRST N\n",
	      stderr);
	return 1;
}

int main(int argc, char **argv)
{
	const char *hosts = getenv("VPC_ZK_HOSTS"), *file = getenv("VPC_ZK_CREDENTIAL");
	char credential[ZK_CREDENTIAL_MAX];
	struct vpc_err err = {};
	int r;

	if (!hosts || zk_open(hosts, 10000, NULL, NULL, &zk, &err)) {
		fprintf(stderr, "zkcat: %s\n", hosts ? err.text : "VPC_ZK_HOSTS is not set");
		return 1;
	}
	if (file && *file && (zk_credential_load(file, credential, &err) || zk_authenticate(zk, credential, &err))) {
		fprintf(stderr, "zkcat: %s\n", err.text);
		zk_close(zk);
		return 1;
	}
	r = zk_connect_wait(zk, TIMEOUT_MS);
	r = r ? failed(hosts, r) : run(argc, argv);
	zk_close(zk);
	return r;
}
