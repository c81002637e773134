// SPDX-License-Identifier: Apache-2.0
/*
 * A VPC's document, what `vpcctl import` reads (lib/doc_json.h).
 */
#include "../../lib/doc_json.h"
#include "fuzz.h"

static char *print(const struct cdb_doc *doc, bool pretty, size_t *ret_len)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, ret_len);

	fuzz_check(to && !doc_json_write(doc, to, pretty));
	fuzz_check(!fclose(to));
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *input = malloc(len + 1), *text[2], *second;
	struct cdb_doc doc, again;
	struct vpc_err err = { "" };
	size_t n[2], n2;
	int res;

	memcpy(input, data, len);
	input[len] = 0;
	fuzz_fill(&doc, sizeof(doc));
	res = doc_json_parse(input, len, &doc, &err);
	fuzz_check_refusal(res, &err);
	free(input);
	if (res) {
		fuzz_check(fuzz_untouched(&doc, sizeof(doc)));
		return 0;
	}
	for (int pretty = 0; pretty < 2; pretty++)
		text[pretty] = print(&doc, pretty, &n[pretty]);
	for (int pretty = 0; pretty < 2; pretty++) {
		fuzz_check(!doc_json_parse(text[pretty], n[pretty], &again, &err));
		second = print(&again, false, &n2);
		fuzz_check(n2 == n[0] && !memcmp(second, text[0], n2));
		free(second);
		cdb_doc_clear(&again);
	}
	free(text[0]);
	free(text[1]);
	cdb_doc_clear(&doc);
	return 0;
}
