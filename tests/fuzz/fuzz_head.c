// SPDX-License-Identifier: Apache-2.0
/*
 * A VPC's HEAD (proto/znode.h), with the deltas that it carries.
 */
#include "../../proto/znode.h"
#include "fuzz.h"

static void check_head(const struct vpc_head *head)
{
	struct vpc_head again;
	char *text, *second;
	struct vpc_err err;
	size_t len, len2;

	fuzz_check(!vpc_head_format(head, &text, &len));
	fuzz_check(!vpc_head_parse(text, len, &again, &err));
	fuzz_check(!vpc_head_format(&again, &second, &len2));
	fuzz_check(len == len2 && !memcmp(text, second, len));
	free(text);
	free(second);
}

/* What HEAD carries, once more from a HEAD that this codec writes. */
static void check_last(const struct vpc_head *head, const uint8_t *data, size_t len)
{
	struct vpc_last last, again;
	char *text;
	size_t n;

	vpc_last_parse((const char *)data, len, &last);
	fuzz_check(last.n <= VPC_LAST_MAX);
	if (vpc_head_format_last(head, &last, &text, &n))
		return;
	vpc_last_parse(text, n, &again);
	fuzz_check(again.n == last.n);
	free(text);
}

static void check_deltas(const struct vpc_head *head, const uint8_t *data, size_t len)
{
	struct vpc_delta *deltas;
	struct vpc_err err = { "" };
	size_t n;
	int res;

	fuzz_fill(&deltas, sizeof(deltas));
	fuzz_fill(&n, sizeof(n));
	res = vpc_head_last((const char *)data, len, head->epoch > 2 ? head->epoch - 2 : 0, &deltas, &n, &err);
	fuzz_check_refusal(res, &err);
	if (res) {
		fuzz_check(fuzz_untouched(&deltas, sizeof(deltas)) && fuzz_untouched(&n, sizeof(n)));
		return;
	}
	fuzz_check(n <= VPC_LAST_MAX);
	for (size_t i = 0; i < n; i++)
		vpc_delta_clear(&deltas[i]);
	free(deltas);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *copy = fuzz_copy(data, len);
	struct vpc_err err = { "" };
	struct vpc_head head;
	int res;

	fuzz_fill(&head, sizeof(head));
	res = vpc_head_parse((const char *)copy, len, &head, &err);
	fuzz_check_refusal(res, &err);
	if (!res) {
		check_head(&head);
		check_last(&head, copy, len);
		check_deltas(&head, copy, len);
	} else {
		fuzz_check(fuzz_untouched(&head, sizeof(head)));
	}
	free(copy);
	return 0;
}
