// SPDX-License-Identifier: Apache-2.0
/*
 * What HEADs name, read: the third part of the sweep (sweep.c), at a pace of its own, [publisher] sweep_kib_per_s. One
 * VPC after the other, some together: the chunks of its snapshot must give the digest that CDB's history has for the
 * snapshot's epoch, and each delta must be CDB's of its epoch. What is not is repaired by a snapshot. A node that is
 * not there is the sweep's to find, sooner.
 *
 * A turn reads a little and waits until that is paid for, so that changes never wait long: it begins nothing more after
 * TURN_US, and repairs one VPC at most. In between HEADs go on: what they let go of stays for a minute, and before
 * anything is repaired HEAD is asked whether it still names the node. What it names never changes, and CDB's history
 * neither, so nothing that is under way passes for wrong.
 *
 * What cannot be read although both servers are there is passed over, with a line in the log, and so is what has cost
 * the connection to one of them three times. A wave of several VPCs that fails is read again VPC by VPC, to know whose
 * fault it is.
 *
 * Called by publisher/round.c, after its work.
 */
#include "publisher.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/cdb_log.h"
#include "../lib/digest.h"
#include "../lib/log.h"
#include "../lib/util.h"
#include "garbage.h"

#define GROUP 32 /* VPCs whose HEADs are read together */
#define WAVE 16 /* nodes asked for at once, if they are deltas; of chunks of unknown size four, of full ones one */
#define TURN_NODES 128
#define TURN_BYTES (128 * 1024) /* at least, in a turn, if there is so much; at most that and a wave */
#define TURN_US 5000 /* after that no further wave is begun */
#define NODE_BYTES 128 /* what a node costs besides its data */
#define AGAIN_US 1000000 /* after a failure */
#define TRIES 3
#define SAY_MAX 16 /* VPCs passed over that a pass names */

struct content_item {
	struct pub_content *content;
	uint32_t vni;
	uint64_t epoch; /* CDB's, before HEAD was read */
	bool wanted;
	struct vpc_head head;
	struct vpc_digest digest; /* of the chunks that have been read */
	char kind; /* of the node that is wrong, as garbage_node's; */
	uint64_t number;
	char fault[sizeof(((struct vpc_err *)NULL)->text)]; /* and what is; "": nothing */
};

struct pub_content {
	struct publisher *p;
	uint64_t begin_us, next_us; /* of the pass, of the turn; CLOCK_MONOTONIC */
	uint32_t vni; /* the group's last VPC */
	struct content_item items[GROUP];
	size_t n;
	size_t at; /* the item that is being read, */
	uint64_t done; /* and how many of its nodes have been */
	size_t alone; /* items that waves are not to mix with others: one of them may be at fault */
	uint32_t stuck; /* behind or at this VPC the last try failed, */
	unsigned int tries; /* so many times */
	unsigned int answers; /* awaited */
	int res; /* why a turn ends early: the first failure of a server's, */
	struct vpc_err *err; /* the turn's, which says how */
	size_t bytes; /* in this turn */
	size_t nodes, heads, repaired, failed, passed_over; /* in this pass */
};

/* One that is asked for. */
struct content_node {
	struct content_item *item;
	uint64_t number; /* of the chunk, or the delta's epoch */
	bool chunk;
	bool parsed; /* a delta, whose operations are to be compared */
	struct vpc_delta delta;
};

int pub_content_new(struct pub_content **ret_content)
{
	struct pub_content *content = calloc(1, sizeof(*content));

	if (!content)
		return -ENOMEM;
	*ret_content = content;
	return 0;
}

void pub_content_free(struct pub_content *content)
{
	free(content);
}

void pub_content_begin(struct publisher *p)
{
	uint64_t begin_us = now_monotonic_us() + p->config->sweep_s * 1000000ULL;

	*p->content = (struct pub_content){ .p = p, .begin_us = begin_us, .next_us = begin_us };
}

/* What is found first is said. */
static void __attribute__((format(printf, 5, 6))) blame(struct content_item *item, char kind, uint64_t number,
							const char *path, const char *fmt, ...)
{
	size_t len;
	va_list ap;

	if (*item->fault)
		return;
	item->kind = kind;
	item->number = number;
	len = snprintf(item->fault, sizeof(item->fault), "%s: ", path);
	va_start(ap, fmt);
	vsnprintf(item->fault + len, sizeof(item->fault) - len, fmt, ap);
	va_end(ap);
}

/* It is not read in this pass. */
static void pass_over(struct content_item *item, const char *text)
{
	struct pub_content *content = item->content;

	item->wanted = false;
	content->failed++;
	if (content->passed_over++ < SAY_MAX)
		log_err("VPC %" PRIu32 ": the sweep passes it over: %s", item->vni, text);
}

/* No data has come: either the turn ends, or it is this node's own fault. */
static void no_answer(struct content_item *item, int res, const char *path)
{
	struct pub_content *content = item->content;
	struct vpc_err err;

	if (pub_zk_lost(res)) {
		if (!content->res)
			content->res = pub_zk_failed(content->p, res, path, content->err);
	} else if (item->wanted) {
		vpc_err_set(&err, res, "ZooKeeper: %s: %s", path, zk_strerror(res));
		pass_over(item, err.text);
	}
}

/* Not the work, but a server is at fault, or we are to end. */
static bool is_lost(const struct publisher *p)
{
	return p->stop || p->fenced || p->zk_trouble || p->cdb_trouble;
}

/* Whether it was the last try for @vni. */
static bool is_last_try(struct pub_content *content, uint32_t vni)
{
	if (content->stuck != vni)
		content->tries = 0;
	content->stuck = vni;
	if (++content->tries < TRIES)
		return false;
	content->tries = 0;
	return true;
}

static int settle(struct pub_content *content)
{
	int r = 0;

	while (!r && content->answers)
		r = pub_wait(content->p);
	return r ?: content->res;
}

/* -- HEADs -------------------------------------------------------------------------------------------------------- */

/* What is wrong with HEAD itself is the sweep's to find; an epoch that CDB has not yet, or not any more, too. */
static void head_answer(int res, const char *path, const char *data, size_t len, int version, void *arg)
{
	struct content_item *item = arg;
	struct pub_content *content = item->content;
	struct vpc_err err;

	content->answers--;
	content->bytes += len + NODE_BYTES;
	if (res && res != -ENOENT) {
		no_answer(item, res, path);
		return;
	}
	item->wanted = !res && len && !vpc_head_parse(data, len, &item->head, &err) && item->head.vni == item->vni &&
		       item->head.epoch <= item->epoch;
	content->heads += item->wanted;
}

/* The next VPCs; none: the pass is at its end. */
static int next_group(struct pub_content *content, struct vpc_err *err)
{
	struct publisher *p = content->p;
	_cleanup_free_ struct cdb_vpc *vpcs = NULL;
	char path[VPC_ZNODE_PATH_MAX];
	size_t i, n = 0;
	int r;

	content->at = content->n = 0;
	r = pub_cdb(p, cdb_vpc_after(p->cdb, content->vni, GROUP, &vpcs, &n, err));
	for (i = 0; !r && i < n; i++) {
		struct content_item *item = &content->items[i];

		*item = (struct content_item){
			.content = content, .vni = vpcs[i].vni, .epoch = vpcs[i].epoch, .wanted = true
		};
		r = zk_get(p->zk, vpc_path_vpc(item->vni, path), false, p->timeout_ms, head_answer, item);
		if (r)
			pub_zk_failed(p, r, path, err);
		content->answers += !r;
	}
	if (!r)
		r = settle(content);
	for (i = 0; i < GROUP && content->answers; i++)
		zk_cancel(p->zk, &content->items[i]);
	if (r)
		return r;
	content->n = n;
	content->done = 0;
	if (n)
		content->vni = vpcs[n - 1].vni;
	return 0;
}

static uint64_t count_nodes(const struct content_item *item)
{
	const struct vpc_head *head = &item->head;

	return item->wanted ? head->chunks + head->epoch + 1 - head->oldest : 0;
}

/* -- nodes -------------------------------------------------------------------------------------------------------- */

static void judge_chunk(struct content_node *node, const char *path, const char *data, size_t len)
{
	struct content_item *item = node->item;
	struct vpc_digest digest;
	struct vpc_state state;
	struct vpc_err bad;

	vpc_state_init(&state, item->vni);
	state.epoch = item->head.snapshot;
	if (vpc_chunk_parse(data, len, node->number, &state, &bad)) {
		blame(item, 's', item->head.snapshot, path, "%s", bad.text);
	} else {
		digest = vpc_digest_of_state(&state);
		item->digest.h[0] += digest.h[0];
		item->digest.h[1] += digest.h[1];
	}
	vpc_state_clear(&state);
}

static void judge_delta(struct content_node *node, const char *path, const char *data, size_t len)
{
	const struct vpc_delta *delta = &node->delta;
	struct vpc_err bad = {};

	vpc_delta_init(&node->delta, node->item->vni);
	node->parsed = !vpc_delta_parse(data, len, &node->delta, &bad);
	if (!node->parsed)
		blame(node->item, 'l', node->number, path, "%s", bad.text);
	else if (delta->vni != node->item->vni)
		blame(node->item, 'l', node->number, path, "vni: %" PRIu32 " is another VPC's", delta->vni);
	else if (delta->epoch != node->number)
		blame(node->item, 'l', node->number, path, "epoch: %" PRIu64 ", %" PRIu64 " expected", delta->epoch,
		      node->number);
	else if (delta->base != node->number - 1)
		blame(node->item, 'l', node->number, path, "base: %" PRIu64 ", %" PRIu64 " expected", delta->base,
		      node->number - 1);
}

static void node_answer(int res, const char *path, const char *data, size_t len, int version, void *arg)
{
	struct content_node *node = arg;
	struct pub_content *content = node->item->content;

	content->answers--;
	content->bytes += len + NODE_BYTES;
	content->nodes++;
	if (res == -ENOENT)
		node->item->wanted = false;
	else if (res)
		no_answer(node->item, res, path);
	else if (node->chunk)
		judge_chunk(node, path, data, len);
	else
		judge_delta(node, path, data, len);
}

/* As the publisher writes it, with the time that the node has. */
static bool same_delta(const struct vpc_delta *node, struct vpc_delta *cdb)
{
	_cleanup_free_ char *a = NULL, *b = NULL;
	size_t a_len, b_len;

	cdb->time_ms = node->time_ms;
	return !vpc_delta_format(node, &a, &a_len) && !vpc_delta_format(cdb, &b, &b_len) && a_len == b_len &&
	       !memcmp(a, b, a_len);
}

/* A history with a hole, or with garbage, says nothing of what is in a node. */
static void compare_delta(struct content_node *node, struct cdb_logged *log, size_t n)
{
	struct content_item *item = node->item;
	char path[VPC_ZNODE_PATH_MAX];
	size_t i;

	for (i = 0; i < n; i++)
		if (log[i].delta.vni == item->vni && log[i].delta.epoch == node->number)
			break;
	if (i == n || (log[i].bad && log[i].wanted))
		return;
	vpc_path_delta(item->vni, node->number, path);
	if (!vpc_digest_equal(&node->delta.digest, &log[i].delta.digest))
		blame(item, 'l', node->number, path, "digest: another one than CDB's of this epoch");
	else if (!log[i].wanted || !same_delta(&node->delta, &log[i].delta))
		blame(item, 'l', node->number, path, "what it changes is not what CDB's history has");
}

static int compare_deltas(struct publisher *p, struct content_node *nodes, size_t n, struct vpc_err *err)
{
	struct cdb_epochs ranges[WAVE];
	struct cdb_logged *log;
	size_t i, n_ranges = 0, n_log;
	int r;

	for (i = 0; i < n; i++) {
		const struct content_node *node = &nodes[i];

		if (!node->parsed)
			continue;
		if (!n_ranges || ranges[n_ranges - 1].vni != node->item->vni)
			ranges[n_ranges++] = (struct cdb_epochs){ node->item->vni, node->number, node->number };
		ranges[n_ranges - 1].to = node->number;
	}
	if (!n_ranges)
		return 0;
	r = pub_cdb(p, cdb_log_list(p->cdb, ranges, n_ranges, &log, &n_log, err));
	if (r)
		return r;
	for (i = 0; i < n_log; i++)
		log[i].wanted = log[i].n_ops <= PUB_DELTA_OPS;
	r = pub_cdb(p, cdb_log_ops(p->cdb, log, n_log, err));
	for (i = 0; i < n && !r; i++)
		if (nodes[i].parsed)
			compare_delta(&nodes[i], log, n_log);
	cdb_log_free(log, n_log);
	return r;
}

/* The nodes from where we are, and where we are then. */
static size_t choose(struct pub_content *content, struct content_node *nodes, size_t *ret_at, uint64_t *ret_done)
{
	size_t at = content->at, n = 0, weight = 0;
	uint64_t done = content->done;

	while (at < content->n) {
		struct content_item *item = &content->items[at];
		const struct vpc_head *head = &item->head;
		bool chunk = done < head->chunks;
		size_t more = !chunk ? 1 : head->chunks > 1 ? WAVE : WAVE / 4;

		if (done >= count_nodes(item)) {
			at++;
			done = 0;
			if (n && content->alone)
				break;
			continue;
		}
		if (weight + more > WAVE)
			break;
		weight += more;
		nodes[n++] = (struct content_node){ .item = item,
						    .chunk = chunk,
						    .number = chunk ? done : head->oldest + done - head->chunks };
		done++;
	}
	*ret_at = at;
	*ret_done = done;
	return n;
}

static int read_nodes(struct publisher *p, struct content_node *nodes, size_t n, struct vpc_err *err)
{
	struct pub_content *content = p->content;
	char path[VPC_ZNODE_PATH_MAX];
	size_t i;
	int r = 0;

	for (i = 0; i < n && !r; i++) {
		const struct content_item *item = nodes[i].item;

		if (nodes[i].chunk)
			vpc_path_chunk(item->vni, item->head.snapshot, nodes[i].number, path);
		else
			vpc_path_delta(item->vni, nodes[i].number, path);
		r = zk_get(p->zk, path, false, p->timeout_ms, node_answer, &nodes[i]);
		if (r)
			pub_zk_failed(p, r, path, err);
		content->answers += !r;
	}
	if (!r)
		r = settle(content);
	for (i = 0; i < n && content->answers; i++)
		zk_cancel(p->zk, &nodes[i]);
	if (!r)
		r = compare_deltas(p, nodes, n, err);
	for (i = 0; i < n; i++)
		vpc_delta_clear(&nodes[i].delta);
	return r;
}

/* -- what comes of it --------------------------------------------------------------------------------------------- */

/* All of it has been read. */
static int judge_snapshot(struct publisher *p, struct content_item *item, struct vpc_err *err)
{
	const struct vpc_head *head = &item->head;
	char path[VPC_ZNODE_PATH_MAX], have[VPC_DIGEST_STRLEN], want[VPC_DIGEST_STRLEN];
	struct vpc_digest digest;
	int r;

	if (head->chunks == 1)
		vpc_path_chunk(item->vni, head->snapshot, 0, path);
	else
		vpc_path_snapshot(item->vni, head->snapshot, path);
	if (!vpc_digest_equal(&item->digest, &head->snapshot_digest)) {
		blame(item, 's', head->snapshot, path, "what it holds has digest %s, HEAD says %s",
		      vpc_digest_format(&item->digest, have), vpc_digest_format(&head->snapshot_digest, want));
		return 0;
	}
	r = pub_cdb(p, cdb_epoch_digest(p->cdb, item->vni, head->snapshot, &digest, err));
	if (!r && !vpc_digest_equal(&digest, &head->snapshot_digest))
		blame(item, 's', head->snapshot, path, "it has digest %s, CDB's history says %s",
		      vpc_digest_format(&head->snapshot_digest, have), vpc_digest_format(&digest, want));
	return r == -ENOENT ? 0 : r;
}

/* A HEAD that has gone on may have let go of the node, and of its faults. */
static int is_named(struct publisher *p, const struct content_item *item, bool *ret_named, struct vpc_err *err)
{
	struct garbage_node node = { .kind = item->kind, .from = item->number, .to = item->number };
	struct pub_head head;
	int r;

	r = pub_head_read(p, item->vni, &head, err);
	if (!r)
		*ret_named = head.state == PUB_HEAD_GOOD && garbage_named(&head.head, &node);
	return r;
}

static int repair(struct publisher *p, const struct content_item *item, struct vpc_err *err)
{
	struct cdb_outbox key = { .kind = CDB_OUTBOX_VPC, .vni = item->vni };
	bool named;
	int r;

	r = is_named(p, item, &named, err);
	if (r || !named)
		return r;
	r = pub_vpc_whole(p, item->vni, err);
	if (is_lost(p))
		return r;
	if (!r) {
		p->content->repaired++;
		log_warn("VPC %" PRIu32 ": %s: the sweep has published a snapshot", item->vni, item->fault);
		pub_retry_done(p->retry, &key);
	} else if (r != -ENOENT && r != -EAGAIN) {
		p->content->failed++;
		if (pub_retry_failed(p->retry, &key, err->text))
			log_err("VPC %" PRIu32 ": the sweep finds: %s: %s", item->vni, item->fault, err->text);
	}
	return 0;
}

/* The first that is to be repaired. */
static struct content_item *find_faulty(struct pub_content *content)
{
	size_t i;

	for (i = 0; i < content->n; i++)
		if (content->items[i].wanted && *content->items[i].fault)
			return &content->items[i];
	return NULL;
}

/* Those from @from on are to be read again, from their beginning. */
static void forget_read(struct pub_content *content, size_t from)
{
	size_t i;

	for (i = from; i < content->n; i++)
		content->items[i].digest = (struct vpc_digest){};
}

/* Some nodes, and what they are found to be. On failure @content->at is the item at fault, or the first that may be. */
static int read_wave(struct publisher *p, struct vpc_err *err)
{
	struct pub_content *content = p->content;
	struct vpc_digest before;
	struct content_node nodes[WAVE];
	uint64_t done;
	size_t at, n;
	int r;

	n = choose(content, nodes, &at, &done);
	if (n && nodes[0].item != &content->items[content->at]) {
		content->at = nodes[0].item - content->items;
		content->done = 0;
	}
	before = content->items[content->at].digest;
	r = read_nodes(p, nodes, n, err);
	if (r && n && nodes[0].item != nodes[n - 1].item && !is_lost(p)) {
		forget_read(content, content->at);
		content->items[content->at].digest = before;
		content->alone = GROUP;
		return 0;
	}
	while (!r && content->at < at) {
		struct content_item *item = &content->items[content->at];

		if (item->wanted && !*item->fault)
			r = judge_snapshot(p, item, err);
		if (r)
			break;
		content->at++;
		content->done = 0;
		content->alone -= !!content->alone;
	}
	if (!r)
		content->done = done;
	return r;
}

static void end_pass(struct pub_content *content)
{
	uint64_t begin_us = content->begin_us + content->p->config->sweep_s * 1000000ULL, now = now_monotonic_us();

	log_debug("sweep: %zu nodes below %zu HEADs read, %zu VPCs published anew, %zu cannot be read or published",
		  content->nodes, content->heads, content->repaired, content->failed);
	if (content->passed_over > SAY_MAX)
		log_err("the sweep has passed over %zu VPCs; the first %d are named above", content->passed_over,
			SAY_MAX);
	begin_us = begin_us < now ? now : begin_us;
	*content = (struct pub_content){ .p = content->p, .begin_us = begin_us, .next_us = begin_us };
}

/*
 * A server went away: later from the item on that it was lost at, with its HEAD and all; or behind it, when it has
 * been lost there too often. Those before it are done.
 */
static void give_up(struct pub_content *content, struct content_item *item, const char *text)
{
	const struct publisher *p = content->p;

	if (item) {
		content->vni = item->vni - 1;
		content->alone = GROUP;
		if (!p->stop && !p->fenced && is_last_try(content, item->vni)) {
			content->vni = item->vni;
			pass_over(item, text);
		}
	}
	content->at = content->n = 0;
}

/* It is not a server's: behind what is at fault. Without an item it is the list of those behind that cannot be read. */
static void go_on(struct pub_content *content, struct content_item *item, const char *text)
{
	if (item) {
		pass_over(item, text);
		if (item == &content->items[content->at]) {
			content->at++;
			content->done = 0;
			forget_read(content, content->at);
		}
	} else if (is_last_try(content, content->vni)) {
		log_err("the sweep ends before its end, VPCs behind %" PRIu32 " cannot be listed: %s", content->vni,
			text);
		end_pass(content);
	}
}

/* As much as a turn may. *ret_item: what it fails at, if it does; NULL: at the list. */
static int work(struct publisher *p, struct content_item **ret_item, struct vpc_err *err)
{
	struct pub_content *content = p->content;
	uint64_t until_us = now_monotonic_us() + TURN_US;
	size_t end = content->nodes + TURN_NODES;
	struct content_item *item;
	int r;

	*ret_item = NULL;
	if (content->at == content->n && !find_faulty(content)) {
		r = next_group(content, err);
		if (r)
			return r;
	}
	while (content->at < content->n && !find_faulty(content) && content->bytes < TURN_BYTES &&
	       content->nodes < end && now_monotonic_us() < until_us) {
		r = read_wave(p, err);
		if (r) {
			*ret_item = &content->items[content->at];
			return r;
		}
	}
	item = find_faulty(content);
	if (!item)
		return 0;
	r = repair(p, item, err);
	if (r)
		*ret_item = item;
	else
		item->wanted = false;
	return r;
}

int pub_content_turn(struct publisher *p, struct vpc_err *err)
{
	struct pub_content *content = p->content;
	uint64_t per_s = p->config->sweep_kib_per_s * 1024ULL;
	struct content_item *item;
	int r;

	if (p->once || !p->config->sweep_s || !per_s || now_monotonic_us() < content->next_us)
		return 0;
	p->zk_trouble = false;
	content->answers = 0;
	content->res = 0;
	content->err = err;
	content->bytes = 0;
	r = work(p, &item, err);
	content->next_us = now_monotonic_us() + (r ? AGAIN_US : content->bytes * 1000000ULL / per_s);
	if (!r && !content->n)
		end_pass(content);
	if (r && is_lost(p)) {
		give_up(content, item, err->text);
		return r;
	}
	if (r)
		go_on(content, item, err->text);
	return 0;
}
