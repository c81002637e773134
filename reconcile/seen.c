// SPDX-License-Identifier: Apache-2.0
/*
 * See seen.h. A finding is known by its VPC, class and object; what it should be and is may change meanwhile.
 */
#include "seen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/util.h"

static int entry_cmp(const void *a, const void *b)
{
	const struct seen_entry *x = a, *y = b;

	if (x->vni != y->vni)
		return x->vni < y->vni ? -1 : 1;
	return x->key < y->key ? -1 : x->key > y->key;
}

static struct seen_entry entry_of(const struct report *report, const struct report_vpc *vpc, const struct finding *f)
{
	/* Two halves, so that what is different is not taken for the same. */
	uint64_t key = (uint64_t)fnv1a(f->object, strlen(f->object)) << 32;

	for (const char *p = f->object; *p; p++)
		key ^= (key * 31 + (uint8_t)*p) & UINT32_MAX;
	return (struct seen_entry){ .vni = vpc->vni,
				    .key = key ^ f->class,
				    .first_ms = report->time_ms,
				    .content = f->what == WHAT_ELEMENT || f->what == WHAT_CONTENT };
}

static int vni_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* VPCs of which nothing was compared, and those whose entries were not, ascending. */
struct unknown {
	uint32_t *all, *content;
	size_t n_all, n_content;
};

static int unknown_of(const struct report *report, struct unknown *ret_unknown)
{
	struct unknown u = { calloc(report->n_vpcs + 1, sizeof(*u.all)),
			     calloc(report->n_vpcs + report->n_left_out + 1, sizeof(*u.content)) };

	if (!u.all || !u.content) {
		free(u.all);
		free(u.content);
		return -ENOMEM;
	}
	for (size_t i = 0; i < report->n_vpcs; i++) {
		const struct report_vpc *vpc = &report->vpcs[i];

		if (vpc->result == RESULT_FAILED)
			u.all[u.n_all++] = vpc->vni;
		else if (vpc->no_slot)
			u.content[u.n_content++] = vpc->vni;
	}
	for (size_t i = 0; i < report->n_left_out; i++)
		u.content[u.n_content++] = report->left_out[i];
	qsort(u.all, u.n_all, sizeof(*u.all), vni_cmp);
	qsort(u.content, u.n_content, sizeof(*u.content), vni_cmp);
	*ret_unknown = u;
	return 0;
}

static bool was_not_compared(const struct unknown *u, const struct seen_entry *entry)
{
	return bsearch(&entry->vni, u->all, u->n_all, sizeof(*u->all), vni_cmp) ||
	       (entry->content && bsearch(&entry->vni, u->content, u->n_content, sizeof(*u->content), vni_cmp));
}

/* Two findings may have one key. */
static size_t sort_entries(struct seen_entry *entries, size_t n)
{
	size_t kept = 0;

	qsort(entries, n, sizeof(*entries), entry_cmp);
	for (size_t i = 0; i < n; i++)
		if (!i || entry_cmp(&entries[i], &entries[i - 1]))
			entries[kept++] = entries[i];
	return kept;
}

int seen_update(struct seen *seen, struct report *report)
{
	struct seen_entry *entries;
	struct unknown unknown;
	size_t n = seen->n;

	for (size_t i = 0; i < report->n_vpcs; i++)
		n += report->vpcs[i].n_findings;
	entries = calloc(n + 1, sizeof(*entries));
	if (!entries || unknown_of(report, &unknown)) {
		free(entries);
		return -ENOMEM;
	}
	n = 0;
	for (size_t i = 0; i < report->n_vpcs; i++)
		for (size_t j = 0; j < report->vpcs[i].n_findings; j++) {
			struct finding *f = &report->vpcs[i].findings[j];
			struct seen_entry entry = entry_of(report, &report->vpcs[i], f), *before;

			if (f->class == FINDING_LAG)
				continue;
			before = seen->n ? bsearch(&entry, seen->entries, seen->n, sizeof(entry), entry_cmp) : NULL;
			if (before) {
				entry.first_ms = before->first_ms;
				before->used = true;
			}
			f->first_ms = entry.first_ms;
			entries[n++] = entry;
		}
	for (size_t i = 0; i < seen->n; i++)
		if (!seen->entries[i].used && (report->reason[0] || was_not_compared(&unknown, &seen->entries[i])))
			entries[n++] = seen->entries[i];
	free(unknown.all);
	free(unknown.content);
	free(seen->entries);
	seen->entries = entries;
	seen->n = sort_entries(entries, n);
	return 0;
}

void seen_clear(struct seen *seen)
{
	free(seen->entries);
	*seen = (struct seen){ 0 };
}
