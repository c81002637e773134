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
	return (struct seen_entry){ vpc->vni, key ^ f->class, report->time_ms };
}

static bool was_not_compared(const struct report *report, uint32_t vni)
{
	if (report->reason[0])
		return true;
	for (size_t i = 0; i < report->n_vpcs; i++)
		if (report->vpcs[i].vni == vni)
			return report->vpcs[i].result == RESULT_FAILED;
	return false;
}

int seen_update(struct seen *seen, struct report *report)
{
	struct seen_entry *entries;
	size_t n = seen->n, kept = 0;

	for (size_t i = 0; i < report->n_vpcs; i++)
		n += report->vpcs[i].n_findings;
	entries = calloc(n + 1, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
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
				before->first_ms = 0;
			}
			f->first_ms = entry.first_ms;
			entries[n++] = entry;
		}
	kept = n;
	for (size_t i = 0; i < seen->n; i++)
		if (seen->entries[i].first_ms && was_not_compared(report, seen->entries[i].vni))
			entries[kept++] = seen->entries[i];
	qsort(entries, kept, sizeof(*entries), entry_cmp);
	free(seen->entries);
	seen->entries = entries;
	seen->n = kept;
	return 0;
}

void seen_clear(struct seen *seen)
{
	free(seen->entries);
	*seen = (struct seen){ 0 };
}
