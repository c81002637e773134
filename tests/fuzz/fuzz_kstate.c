// SPDX-License-Identifier: Apache-2.0
/*
 * A namespace's state as text, what `vpcctl kernel restore` reads (lib/kstate.h).
 */
#include "../../lib/kstate.h"
#include "fuzz.h"

static char *print(const struct kstate *ks, size_t *ret_len)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, ret_len);

	fuzz_check(to && !kstate_print(ks, to));
	fuzz_check(!fclose(to));
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t *copy = fuzz_copy(data, len);
	struct kstate ks, again;
	struct vpc_err err = { "" };
	char *text, *second;
	size_t n, n2;
	int res;

	fuzz_fill(&ks, sizeof(ks));
	res = kstate_parse("input", (const char *)copy, len, &ks, &err);
	fuzz_check_refusal(res, &err);
	free(copy);
	if (res) {
		fuzz_check(fuzz_untouched(&ks, sizeof(ks)));
		return 0;
	}
	text = print(&ks, &n);
	if (kstate_parse("output", text, n, &again, &err)) {
		fprintf(stderr, "%s\n%s", err.text, text);
		abort();
	}
	second = print(&again, &n2);
	fuzz_check(n == n2 && !memcmp(text, second, n));
	free(text);
	free(second);
	kstate_clear(&again);
	kstate_clear(&ks);
	return 0;
}
