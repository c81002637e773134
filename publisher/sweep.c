// SPDX-License-Identifier: Apache-2.0
/*
 * The sweep: all the time, and slowly, the leader compares what CDB has with the HEADs and ports in ZooKeeper, and
 * publishes what a bug, or somebody else's hand, has lost. Some VPCs or hosts a step, with a pause between steps that
 * keeps to [publisher] sweep_per_s, and from the beginning of a pass to that of the next sweep_s.
 *
 * What is only on its way must not pass for lost: a step reads CDB before the round reads the outbox, and looks into
 * ZooKeeper after the round has published. What CDB had by then and ZooKeeper has not, the outbox would have named.
 *
 * HEADs promise what is below them: that every chunk and delta which HEAD names is there is looked at as well; what is
 * in them is read more slowly (content.c). One that is missing is repaired by a snapshot.
 *
 * A pass ends with what ZooKeeper has and CDB has not (strays.c), in the same order: ZooKeeper, CDB, the outbox, which
 * would name what CDB has let go of.
 *
 * Called by publisher/round.c, before and after its work.
 */
#include "publisher.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/digest.h"
#include "../lib/log.h"
#include "../lib/util.h"

#define STEP_MAX 100
#define FOLDERS_MAX 64 /* of strays in one step */

struct sweep_item {
	struct pub_sweep_step *step;
	struct cdb_outbox key;
	struct cdb_vpc vpc; /* VPC */
	struct vpc_head head; /* VPC, as in ZooKeeper */
	uint64_t revision; /* HOST */
	bool broken; /* HEAD is as it should be, and what it names is not there */
	char fault[120]; /* "": none */
	bool named; /* in the outbox, and waiting for another try */
};

struct pub_sweep_step {
	struct publisher *p;
	struct sweep_item items[STEP_MAX];
	size_t n;
	struct sweep_item *by_key[STEP_MAX]; /* the same, sorted */
	size_t seen; /* so many were looked at; the items are those of them that are wanted */
	bool strays; /* CDB does not have the items */
	unsigned int bucket; /* of strays: where the next step begins, */
	char host[64]; /* and behind which host in it */
	bool last; /* of the hosts */
	unsigned int answers; /* awaited */
	int res; /* why it ends early */
};

static int read_vpcs(struct publisher *p, struct pub_sweep_step *step, size_t max, struct vpc_err *err)
{
	_cleanup_free_ struct cdb_vpc *vpcs = NULL;
	size_t n;
	int r;

	r = pub_cdb(p, cdb_vpc_after(p->cdb, p->sweep.vni, max, &vpcs, &n, err));
	if (r)
		return r;
	for (; step->n < n; step->n++) {
		struct sweep_item *item = &step->items[step->n];

		item->key = (struct cdb_outbox){ .kind = CDB_OUTBOX_VPC, .vni = vpcs[step->n].vni };
		item->vpc = vpcs[step->n];
	}
	return 0;
}

static int read_hosts(struct publisher *p, struct pub_sweep_step *step, size_t max, struct vpc_err *err)
{
	_cleanup_free_ struct cdb_host *hosts = NULL;
	size_t n;
	int r;

	r = pub_cdb(p, cdb_host_after(p->cdb, p->sweep.host, max, &hosts, &n, err));
	if (r)
		return r;
	for (; step->n < n; step->n++) {
		struct sweep_item *item = &step->items[step->n];

		item->key = (struct cdb_outbox){ .kind = CDB_OUTBOX_HOST };
		strcpy(item->key.host, hosts[step->n].name);
		item->revision = hosts[step->n].revision;
	}
	step->last = n < max;
	return 0;
}

/* Of some folders; one that has many is one by itself. */
static int read_strays(struct publisher *p, struct pub_sweep_step *step, size_t max, struct vpc_err *err)
{
	struct cdb_outbox keys[STEP_MAX];
	size_t i, n = 0, found, seen;

	step->strays = true;
	step->bucket = p->sweep.bucket;
	strcpy(step->host, p->sweep.host);
	for (i = 0; i < FOLDERS_MAX && step->bucket < 2 * PUB_BUCKETS && step->seen < max; i++) {
		bool hosts = step->bucket >= PUB_BUCKETS;
		size_t room = max - step->seen;
		int r;

		if (hosts)
			r = pub_strays_hosts(p, step->bucket - PUB_BUCKETS, step->host, room, keys + n, &found, &seen,
					     err);
		else
			r = pub_strays_vpcs(p, step->bucket, room, keys + n, &found, &seen, err);
		if (r)
			return r;
		n += found;
		step->seen += seen;
		if (hosts && seen == room)
			break;
		step->bucket++;
		step->host[0] = '\0';
	}
	for (; step->n < n; step->n++)
		step->items[step->n].key = keys[step->n];
	return 0;
}

/* The first pass begins a while after we do: others have swept before, and there is enough to do. */
void pub_sweep_begin(struct publisher *p)
{
	uint64_t begin_us = now_monotonic_us() + p->config->sweep_s * 1000000ULL;

	p->sweep = (struct pub_sweep){ .begin_us = begin_us, .next_us = begin_us };
}

void pub_sweep_now(struct publisher *p)
{
	uint64_t now = now_monotonic_us();

	p->sweep = (struct pub_sweep){ .begin_us = now, .next_us = now, .asked = true };
}

static int item_cmp(const void *a, const void *b)
{
	const struct sweep_item *const *x = a, *const *y = b;

	return pub_outbox_cmp(&(*x)->key, &(*y)->key);
}

void pub_sweep_named(struct pub_sweep_step *step, const struct cdb_outbox *row)
{
	struct sweep_item probe = { .key = *row }, *key = &probe, **found;

	found = bsearch(&key, step->by_key, step->n, sizeof(*step->by_key), item_cmp);
	if (found)
		(*found)->named = true;
}

int pub_sweep_read(struct publisher *p, struct pub_sweep_step **ret_step, struct vpc_err *err)
{
	size_t max = p->config->sweep_per_s < STEP_MAX ? p->config->sweep_per_s : STEP_MAX, i;
	struct pub_sweep_step *step;
	int r;

	*ret_step = NULL;
	if ((!p->sweep.asked && (!p->config->sweep_s || p->once)) || now_monotonic_us() < p->sweep.next_us)
		return 0;
	step = calloc(1, sizeof(*step));
	if (!step)
		return vpc_err_set(err, -ENOMEM, "out of memory");
	step->p = p;
	if (p->sweep.strays)
		r = read_strays(p, step, max, err);
	else
		r = p->sweep.hosts ? read_hosts(p, step, max, err) : read_vpcs(p, step, max, err);
	for (i = 0; i < step->n; i++) {
		step->items[i].step = step;
		step->by_key[i] = &step->items[i];
	}
	qsort(step->by_key, step->n, sizeof(*step->by_key), item_cmp);
	if (r)
		free(step);
	else
		*ret_step = step;
	return r;
}

static void say(struct sweep_item *item, const char *what)
{
	snprintf(item->fault, sizeof(item->fault), "%s", what);
}

static void judge_head(struct sweep_item *item, const char *data, size_t len)
{
	const struct cdb_vpc *vpc = &item->vpc;
	struct vpc_head head;
	struct vpc_err bad;

	if (!len)
		say(item, "HEAD is empty");
	else if (vpc_head_parse(data, len, &head, &bad) || head.vni != vpc->vni)
		say(item, "HEAD is malformed");
	else if (head.epoch != vpc->epoch)
		snprintf(item->fault, sizeof(item->fault), "HEAD is at epoch %" PRIu64 ", CDB at %" PRIu64, head.epoch,
			 vpc->epoch);
	else if (!vpc_digest_equal(&head.digest, &vpc->digest))
		say(item, "HEAD has another digest than CDB");
	else if (pub_head_conf(&head, vpc))
		say(item, "HEAD has another quota or other flags than CDB");
	else
		item->head = head;
}

/* How many of @names are @letter and a number from @from to @to. None is there twice. */
static uint64_t count_names(char *const *names, size_t n, char letter, uint64_t from, uint64_t to)
{
	uint64_t number, found = 0;
	char *end;
	size_t i;

	for (i = 0; i < n; i++) {
		if (names[i][0] != letter || names[i][1] < '0' || names[i][1] > '9')
			continue;
		number = strtoull(names[i] + 1, &end, 10);
		found += !*end && number >= from && number <= to;
	}
	return found;
}

static void judge_below(struct sweep_item *item, const char *what, uint64_t found, uint64_t named)
{
	if (found >= named || *item->fault)
		return;
	snprintf(item->fault, sizeof(item->fault), "%" PRIu64 " of the %" PRIu64 " %s that HEAD names are not there",
		 named - found, named, what);
	item->broken = true;
}

static void deltas_answer(int res, const char *path, char *const *names, size_t n, void *arg)
{
	struct sweep_item *item = arg;
	const struct vpc_head *head = &item->head;
	struct vpc_err err;

	item->step->answers--;
	if (res == -ENOENT)
		say(item, "HEAD is not there");
	else if (res)
		item->step->res = pub_zk_failed(item->step->p, res, path, &err);
	else
		judge_below(item, "deltas", count_names(names, n, 'l', head->oldest, head->epoch),
			    head->epoch + 1 - head->oldest);
}

static void chunks_answer(int res, const char *path, char *const *names, size_t n, void *arg)
{
	struct sweep_item *item = arg;
	uint32_t chunks = item->head.chunks;
	struct vpc_err err;

	item->step->answers--;
	if (res && res != -ENOENT)
		item->step->res = pub_zk_failed(item->step->p, res, path, &err);
	else
		judge_below(item, "snapshot's chunks", res ? 0 : count_names(names, n, 'c', 0, chunks - 1), chunks);
}

/* Nobody else writes: HEAD is still the one that was read. */
static void look_below(struct sweep_item *item)
{
	const struct vpc_head *head = &item->head;
	struct publisher *p = item->step->p;
	char path[VPC_ZNODE_PATH_MAX];
	int r = 0;

	if (head->oldest <= head->epoch) {
		r = zk_children(p->zk, vpc_path_vpc(head->vni, path), false, p->timeout_ms, deltas_answer, item);
		item->step->answers += !r;
	}
	if (!r && head->chunks) {
		r = zk_children(p->zk, vpc_path_snapshot(head->vni, head->snapshot, path), false, p->timeout_ms,
				chunks_answer, item);
		item->step->answers += !r;
	}
	if (r)
		item->step->res = r;
}

static void judge_ports(struct sweep_item *item, const char *data, size_t len)
{
	struct vpc_host_ports ports;
	struct vpc_err bad;

	if (vpc_host_ports_parse(data, len, &ports, &bad)) {
		say(item, "ports are malformed");
		return;
	}
	if (ports.revision != item->revision)
		snprintf(item->fault, sizeof(item->fault),
			 "ports are at revision %" PRIu64 ", CDB at %" PRIu64, ports.revision, item->revision);
	vpc_host_ports_clear(&ports);
}

static void answer(int res, const char *path, const char *data, size_t len, int version, void *arg)
{
	struct sweep_item *item = arg;
	bool vpc = item->key.kind == CDB_OUTBOX_VPC;
	struct vpc_err err;

	item->step->answers--;
	if (res == -ENOENT)
		say(item, vpc ? "HEAD is not there" : "ports are not there");
	else if (res)
		item->step->res = pub_zk_failed(item->step->p, res, path, &err);
	else if (vpc)
		judge_head(item, data, len);
	if (!res && vpc && !*item->fault)
		look_below(item);
	if (!res && !vpc)
		judge_ports(item, data, len);
}

/* Asks for all of them, and waits. */
static int look(struct pub_sweep_step *step)
{
	struct publisher *p = step->p;
	char path[VPC_ZNODE_PATH_MAX];
	size_t i;
	int r = 0;

	for (i = 0; i < step->n && !r; i++) {
		const struct cdb_outbox *key = &step->items[i].key;

		if (key->kind == CDB_OUTBOX_VPC)
			vpc_path_vpc(key->vni, path);
		else
			vpc_path_host(key->host, "ports", path);
		r = zk_get(p->zk, path, false, p->timeout_ms, answer, &step->items[i]);
		step->answers += !r;
	}
	while (!r && step->answers)
		r = pub_wait(p);
	for (i = 0; i < step->n && step->answers; i++)
		zk_cancel(p->zk, &step->items[i]);
	return r ?: step->res;
}

static bool is_row(const struct cdb_outbox *rows, size_t n, const struct sweep_item *item)
{
	const struct cdb_outbox *key = &item->key;
	size_t from = 0, middle;
	int c;

	if (item->named)
		return true;
	while (from < n) {
		middle = (from + n) / 2;
		c = pub_outbox_cmp(key, &rows[middle]);
		if (!c)
			return true;
		if (c < 0)
			n = middle;
		else
			from = middle + 1;
	}
	return false;
}

static void name_of(const struct cdb_outbox *key, char ret_name[80])
{
	if (key->kind == CDB_OUTBOX_VPC)
		snprintf(ret_name, 80, "VPC %" PRIu32, key->vni);
	else
		snprintf(ret_name, 80, "host %s", key->host);
}

/* Removes it. What may not be removed is said once. */
static int remove_stray(struct publisher *p, const struct sweep_item *item, struct vpc_err *err)
{
	const struct cdb_outbox *key = &item->key;
	bool removed;
	char name[80];
	int r;

	name_of(key, name);
	r = pub_stray(p, key, &removed, err);
	if (p->stop || p->fenced || p->zk_trouble || p->cdb_trouble)
		return r;
	if (r && r != -EAGAIN) {
		p->sweep.failed++;
		if (pub_retry_failed(p->retry, key, err->text))
			log_err("%s: the sweep finds: %s", name, err->text);
	} else if (removed) {
		p->sweep.repaired++;
		log_warn("%s: CDB does not have it any more, and the outbox does not say so: the sweep has removed it",
			 name);
		pub_retry_done(p->retry, key);
	}
	return 0;
}

/* Publishes it. What cannot be published is said once. */
static int repair(struct publisher *p, const struct sweep_item *item, struct vpc_err *err)
{
	const struct cdb_outbox *key = &item->key;
	char name[80];
	int r;

	name_of(key, name);
	if (item->broken)
		r = pub_vpc_whole(p, key->vni, err);
	else
		r = key->kind == CDB_OUTBOX_VPC ? pub_vpc(p, key->vni, err) : pub_host(p, key->host, err);
	if (p->stop || p->fenced || p->zk_trouble || p->cdb_trouble)
		return r;
	if (!r) {
		p->sweep.repaired++;
		log_warn("%s: %s%s: the sweep has published %s", name, item->fault,
			 item->broken ? "" : ", and the outbox does not say so", item->broken ? "a snapshot" : "it");
		pub_retry_done(p->retry, key);
	} else if (r != -ENOENT && r != -EAGAIN) {
		p->sweep.failed++;
		if (pub_retry_failed(p->retry, key, err->text))
			log_err("%s: the sweep finds: %s: %s", name, item->fault, err->text);
	}
	return 0;
}

static void end_pass(struct pub_sweep *sweep, uint64_t pass_us)
{
	uint64_t now = now_monotonic_us();

	if (sweep->asked)
		sweep->begin_us = now;
	/* Who asked for it wants to know of strays, and compares nothing. */
	if (sweep->asked)
		log_debug("sweep: strays looked for, %zu removed, %zu cannot be", sweep->repaired, sweep->failed);
	else
		log_debug("sweep: %zu VPCs and hosts compared, %zu published or removed, %zu cannot be",
			  sweep->compared, sweep->repaired, sweep->failed);
	*sweep = (struct pub_sweep){ .begin_us = sweep->begin_us + pass_us };
	if (sweep->begin_us < now)
		sweep->begin_us = now;
	sweep->next_us = sweep->begin_us;
}

/* Behind the step's last; behind the last of all, the next pass. */
static void go_on(struct publisher *p, const struct pub_sweep_step *step)
{
	struct pub_sweep *sweep = &p->sweep;
	size_t n = step->strays ? step->seen : step->n;

	sweep->next_us = now_monotonic_us();
	if (!sweep->asked)
		sweep->next_us += n * 1000000ULL / p->config->sweep_per_s;
	if (step->strays) {
		strcpy(sweep->host, step->host);
		sweep->bucket = step->bucket;
		if (sweep->bucket == 2 * PUB_BUCKETS)
			end_pass(sweep, p->config->sweep_s * 1000000ULL);
		return;
	}
	sweep->compared += n;
	if (!sweep->hosts) {
		if (n)
			sweep->vni = step->items[n - 1].key.vni;
		else
			sweep->hosts = true;
	} else if (!step->last) {
		strcpy(sweep->host, step->items[n - 1].key.host);
	} else {
		sweep->strays = true;
		sweep->host[0] = '\0';
	}
}

int pub_sweep_compare(struct pub_sweep_step *step, const struct cdb_outbox *rows, size_t n, struct vpc_err *err)
{
	struct publisher *p = step->p;
	size_t i;
	int r;

	p->zk_trouble = false;
	r = step->strays ? 0 : look(step);
	if (r)
		return vpc_err_set(err, r, "ZooKeeper: the sweep got no answer: %s", zk_strerror(r));
	for (i = 0; i < step->n && step->strays && !r; i++)
		if (!is_row(rows, n, &step->items[i]))
			r = remove_stray(p, &step->items[i], err);
	for (i = 0; i < step->n && !r; i++)
		if (*step->items[i].fault && (step->items[i].broken || !is_row(rows, n, &step->items[i])))
			r = repair(p, &step->items[i], err);
	if (!r)
		go_on(p, step);
	return r;
}

void pub_sweep_free(struct pub_sweep_step *step)
{
	free(step);
}
